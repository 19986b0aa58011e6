//! Numbers, ages, dates and small pictures as text.

use std::time::Duration;

use chrono::{DateTime, FixedOffset, Utc};

use skydeck_core::domain::time::Ts;

use super::cells::Glyphs;
use super::config::Lang;

/// The last moment of a local day written `2026-11-23`.
pub fn day_end(text: &str, zone_minutes: i32) -> Option<Ts> {
    let day =
        chrono::NaiveDate::parse_from_str(text.trim(), "%Y-%m-%d").ok()?.succ_opt()?.and_time(chrono::NaiveTime::MIN);
    Some(Ts(day.and_utc().timestamp_millis() - i64::from(zone_minutes) * 60_000 - 1))
}

/// The first moment of a local day written `2026-11-23`.
pub fn day_begin(text: &str, zone_minutes: i32) -> Option<Ts> {
    let day = chrono::NaiveDate::parse_from_str(text.trim(), "%Y-%m-%d").ok()?.and_time(chrono::NaiveTime::MIN);
    Some(Ts(day.and_utc().timestamp_millis() - i64::from(zone_minutes) * 60_000))
}

/// The earliest moment of a local day that many days before one.
pub fn days_before(now: Ts, zone_minutes: i32, days: i64) -> Ts {
    const DAY: i64 = 86_400_000;
    let zone = i64::from(zone_minutes) * 60_000;
    Ts((now.0.saturating_add(zone).div_euclid(DAY).saturating_sub(days)).saturating_mul(DAY).saturating_sub(zone))
}

/// What a clock shows at a moment, to the minute.
pub fn local_time(at: Ts, zone_minutes: i32) -> chrono::NaiveDateTime {
    let local = at.0.saturating_add(i64::from(zone_minutes) * 60_000);
    DateTime::from_timestamp_millis(local.div_euclid(60_000).saturating_mul(60_000)).unwrap_or_default().naive_utc()
}

/// `42s`, `3m`, `2h`, `5d`: one unit, the largest that fits.
pub fn age(d: Duration) -> String {
    match d.as_secs() {
        s if s < 60 => format!("{s}s"),
        s if s < 3600 => format!("{}m", s / 60),
        s if s < 86_400 => format!("{}h", s / 3600),
        s => format!("{}d", s / 86_400),
    }
}

/// The same in a sentence: `2 hours`, `2 小时`.
pub fn age_words(lang: Lang, d: Duration) -> String {
    let short = age(d);
    let (n, unit) = short.split_at(short.len().saturating_sub(1));
    let (en, zh) = match unit {
        "s" => ("second", "秒"),
        "m" => ("minute", "分钟"),
        "h" => ("hour", "小时"),
        _ => ("day", "天"),
    };
    match lang {
        Lang::Zh => format!("{n} {zh}"),
        Lang::En if n == "1" => format!("{n} {en}"),
        Lang::En => format!("{n} {en}s"),
    }
}

/// `12:40`, `1:02:03`: a countdown.
pub fn clock(d: Duration) -> String {
    let s = d.as_secs();
    if s >= 3600 {
        format!("{}:{:02}:{:02}", s / 3600, s / 60 % 60, s % 60)
    } else {
        format!("{}:{:02}", s / 60, s % 60)
    }
}

/// `850ms`, `1.2s`, `130s`.
pub fn millis(ms: u32) -> String {
    match ms {
        0..=999 => format!("{ms}ms"),
        1000..=9999 => format!("{}.{}s", ms / 1000, ms % 1000 / 100),
        _ => format!("{}s", ms / 1000),
    }
}

/// Local time, as `fmt` says.
pub fn local(at: Ts, zone_minutes: i32, fmt: &str) -> String {
    let utc: DateTime<Utc> = DateTime::from_timestamp_millis(at.0).unwrap_or_default();
    match FixedOffset::east_opt(zone_minutes.clamp(-1439, 1439) * 60) {
        Some(zone) => utc.with_timezone(&zone).format(fmt).to_string(),
        None => utc.format(fmt).to_string(),
    }
}

/// Whether the day of a moment needs its year beside it: within so many days a month and a day are of one year alone.
pub fn is_far(at: Ts, now: Ts) -> bool {
    const NEAR: u64 = 300 * 86_400_000;
    at.0.abs_diff(now.0) > NEAR
}

/// A moment to the minute, in eleven cells: `11-23 08:00`; of one that is far off the date, `2025-11-23`.
pub fn when(at: Ts, now: Ts, zone_minutes: i32) -> String {
    local(at, zone_minutes, if is_far(at, now) { "%Y-%m-%d" } else { "%m-%d %H:%M" })
}

/// A moment to the second; with the year where it is far off.
pub fn when_exactly(at: Ts, now: Ts, zone_minutes: i32) -> String {
    local(at, zone_minutes, if is_far(at, now) { "%Y-%m-%d %H:%M:%S" } else { "%m-%d %H:%M:%S" })
}

/// A moment to the second in fourteen cells; of one that is far off the date.
pub fn when_in_list(at: Ts, now: Ts, zone_minutes: i32) -> String {
    local(at, zone_minutes, if is_far(at, now) { "%Y-%m-%d" } else { "%m-%d %H:%M:%S" })
}

/// The name of a file of a moment, without its ending: `hand-over-2026-11-23-0800`.
pub fn dated(stem: &str, at: Ts, zone_minutes: i32) -> String {
    format!("{stem}-{}", local(at, zone_minutes, "%Y-%m-%d-%H%M"))
}

/// `UTC+08:00`.
pub fn zone(minutes: i32) -> String {
    let sign = if minutes < 0 { '-' } else { '+' };
    format!("UTC{sign}{:02}:{:02}", minutes.abs() / 60, minutes.abs() % 60)
}

/// `1,234,567`.
pub fn count(n: u64) -> String {
    let digits = n.to_string();
    let mut out = String::with_capacity(digits.len() + digits.len() / 3);
    for (i, c) in digits.chars().enumerate() {
        if i > 0 && (digits.len() - i).is_multiple_of(3) {
            out.push(',');
        }
        out.push(c);
    }
    out
}

/// Fills the `{}` of a text, in order; `{0}` and `{1}` take the first and the second, where a language wants another order.
pub fn fill(template: &str, args: &[&str]) -> String {
    let mut out = String::with_capacity(template.len() + 16);
    let (mut rest, mut next) = (template, 0);
    while let Some((before, place, after)) = rest.split_once('{').and_then(|(before, behind)| {
        let (place, after) = behind.split_once('}')?;
        Some((before, place, after))
    }) {
        out.push_str(before);
        let at = place.parse().unwrap_or(next);
        out.push_str(args.get(at).copied().unwrap_or("?"));
        next = at + 1;
        rest = after;
    }
    out.push_str(rest);
    out
}

/// The last `cells` values as a line of bars, scaled to their own largest.
pub fn spark<'a>(values: impl DoubleEndedIterator<Item = &'a u32>, cells: usize, glyphs: &Glyphs) -> String {
    let mut last: Vec<u32> = values.rev().take(cells).copied().collect();
    last.reverse();
    let top = last.iter().copied().max().unwrap_or(0).max(1);
    last.iter()
        .map(|v| {
            let step = (u64::from(*v) * 7).div_ceil(u64::from(top)) as usize;
            glyphs.spark.get(step.min(7)).copied().unwrap_or(" ")
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_read_well() {
        for (d, a, c) in [(0, "0s", "0:00"), (59, "59s", "0:59"), (760, "12m", "12:40"), (90_000, "1d", "25:00:00")] {
            assert_eq!((age(Duration::from_secs(d)).as_str(), clock(Duration::from_secs(d)).as_str()), (a, c));
        }
        assert_eq!([999, 1234, 45_600].map(millis), ["999ms", "1.2s", "45s"]);
        assert_eq!([0, 999, 1000, 1_234_567].map(count), ["0", "999", "1,000", "1,234,567"]);
        assert_eq!(local(Ts(0), 480, "%Y-%m-%d %H:%M"), "1970-01-01 08:00");
        let (day, year) = (Ts(0), Ts(365 * 86_400_000));
        assert_eq!([when(day, day, 480), when(day, year, 480)], ["01-01 08:00", "1970-01-01"]);
        assert_eq!([when_exactly(day, day, 0), when_exactly(year, day, 0)], ["01-01 00:00:00", "1971-01-01 00:00:00"]);
        assert_eq!([when_in_list(day, day, 0), when_in_list(year, day, 0)], ["01-01 00:00:00", "1971-01-01"]);
        assert_eq!((zone(480).as_str(), zone(-210).as_str()), ("UTC+08:00", "UTC-03:30"));
        assert_eq!(fill("{} of {}", &["1", "2"]), "1 of 2");
        assert_eq!(spark([1, 4, 8].iter(), 2, &crate::ui::cells::ASCII), "=#");
    }
}
