//! How much work a day and an hour bring: weekdays, month ends, holidays, hours of the office.
//!
//! Invariant: pure; the zone is that of the simulator's server, which knows no summer time.

use chrono::{DateTime, Datelike, Days, NaiveDate, NaiveDateTime, Weekday};

use skydeck_core::domain::time::{ErpDate, Ts};

/// Name of the zone that schedules are written in.
pub const ZONE: &str = "Asia/Shanghai";
const AHEAD_MS: i64 = 8 * 3_600_000;
/// Milliseconds of an hour.
pub const HOUR: i64 = 3_600_000;

/// First days of the lunar year: the longest holiday.
const LUNAR: [(i32, u32, u32); 16] = [
    (2020, 1, 25),
    (2021, 2, 12),
    (2022, 2, 1),
    (2023, 1, 22),
    (2024, 2, 10),
    (2025, 1, 29),
    (2026, 2, 17),
    (2027, 2, 6),
    (2028, 1, 26),
    (2029, 2, 13),
    (2030, 2, 3),
    (2031, 1, 23),
    (2032, 2, 11),
    (2033, 1, 31),
    (2034, 2, 19),
    (2035, 2, 8),
];

/// Shares of a day's work that fall into each of its hours; they add up to one.
const HOURS: [f64; 24] = [
    0.004, 0.002, 0.002, 0.002, 0.002, 0.004, 0.010, 0.030, 0.085, 0.115, 0.120, 0.095, 0.035, 0.075, 0.100, 0.105,
    0.095, 0.055, 0.025, 0.014, 0.010, 0.008, 0.005, 0.002,
];

/// A moment on the clock of the office.
pub fn local(at: Ts) -> NaiveDateTime {
    DateTime::from_timestamp_millis(at.0 + AHEAD_MS).unwrap_or_default().naive_utc()
}

/// The moment of a day and an hour of the office, with minutes and seconds of the hour in milliseconds.
pub fn at(day: NaiveDate, hour: u32, within: i64) -> Ts {
    let midnight = day.and_time(chrono::NaiveTime::MIN).and_utc().timestamp_millis();
    Ts(midnight - AHEAD_MS + i64::from(hour) * HOUR + within)
}

/// As the ERP writes a moment.
pub fn erp(at: Ts) -> ErpDate {
    ErpDate::from_naive(local(at))
}

/// Whether a day is one of a holiday.
pub fn is_holiday(day: NaiveDate) -> bool {
    let fixed = matches!((day.month(), day.day()), (1, 1..=3) | (5, 1..=5) | (10, 1..=7));
    let lunar = LUNAR.iter().filter_map(|(y, m, d)| NaiveDate::from_ymd_opt(*y, *m, *d));
    fixed || lunar.map(|first| (day - first).num_days()).any(|n| (-2..=5).contains(&n))
}

/// Whether the office works.
pub fn is_workday(day: NaiveDate) -> bool {
    !matches!(day.weekday(), Weekday::Sat | Weekday::Sun) && !is_holiday(day)
}

/// Work of a day beside that of an ordinary Wednesday.
pub fn of_day(day: NaiveDate) -> f64 {
    if is_holiday(day) {
        return 0.06;
    }
    let weekday = match day.weekday() {
        Weekday::Mon => 1.15,
        Weekday::Tue | Weekday::Wed => 1.0,
        Weekday::Thu => 0.97,
        Weekday::Fri => 1.08,
        Weekday::Sat => 0.30,
        Weekday::Sun => 0.10,
    };
    let left = i64::from(days_of_month(day)) - i64::from(day.day());
    let month = match left {
        0..=1 => 1.9,
        2..=3 => 1.45,
        _ if day.day() <= 2 => 0.8,
        _ => 1.0,
    };
    // What lay still over a holiday comes on the first days after it.
    let after = (1..=2).any(|n| day.checked_sub_days(Days::new(n)).is_some_and(is_holiday));
    weekday * month * if after { 1.5 } else { 1.0 }
}

/// Work of one hour of a day beside that of an ordinary Wednesday.
pub fn of_hour(day: NaiveDate, hour: u32) -> f64 {
    of_day(day) * HOURS.get(hour as usize).copied().unwrap_or_default()
}

fn days_of_month(day: NaiveDate) -> u32 {
    let next = day.with_day(1).and_then(|first| first.checked_add_months(chrono::Months::new(1)));
    next.and_then(|next| next.pred_opt()).map_or(30, |last| last.day())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn day(text: &str) -> NaiveDate {
        text.parse().unwrap()
    }

    #[test]
    fn hours_add_up_to_their_day_and_month_ends_stand_out() {
        let all: f64 = (0..24).map(|hour| of_hour(day("2026-03-11"), hour)).sum();
        assert!((all - 1.0).abs() < 1e-9, "{all}");
        assert!(of_day(day("2026-03-31")) > 1.5 * of_day(day("2026-03-18")));
        assert!(of_day(day("2026-03-15")) < 0.2, "a Sunday");
        for holiday in ["2026-02-17", "2026-02-15", "2026-10-01", "2026-05-05", "2026-01-01"] {
            assert!(is_holiday(day(holiday)) && of_day(day(holiday)) < 0.1, "{holiday}");
        }
        assert!(!is_holiday(day("2026-02-23")) && of_day(day("2026-02-23")) > 1.5, "the first day after");
    }

    #[test]
    fn a_moment_is_the_same_by_the_office_and_by_the_world() {
        let moment = at(day("2026-11-26"), 9, 90_000);
        assert_eq!(local(moment).to_string(), "2026-11-26 09:01:30");
        assert_eq!(erp(moment).as_str(), "2026-11-26T09:01:30");
        assert_eq!(moment, Ts("2026-11-26T01:01:30Z".parse::<DateTime<chrono::Utc>>().unwrap().timestamp_millis()));
    }
}
