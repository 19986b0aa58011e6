//! Days on which something goes wrong: a breaker, a server that cannot be reached, a process that is not there, a plan that
//! does not run.
//!
//! Invariant: drawn once for the whole past, by its seed; the newest weeks always have some.

use chrono::{Days, NaiveDate};
use fastrand::Rng;

use skydeck_core::domain::time::Ts;

use super::bill::{DAY, Trouble};
use super::calendar::{self, HOUR};

/// What goes wrong for a while.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum What {
    /// Nearly every bill is refused for this.
    Refuses(Trouble),
    /// The ERP cannot be reached.
    Away,
    /// The process does not run.
    Down,
}

/// A stretch of time in which something is wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Incident {
    pub what: What,
    pub from: Ts,
    pub to: Ts,
}

impl Incident {
    /// Whether it lasts at a moment.
    pub fn is_at(&self, at: Ts) -> bool {
        self.from <= at && at < self.to
    }
}

/// All of them, from a day on, over so many days.
pub fn draw(first: NaiveDate, days: u32, rng: &mut Rng) -> Vec<Incident> {
    let mut all = Vec::new();
    let day = |n: u32| first.checked_add_days(Days::new(u64::from(n))).unwrap_or(first);
    let mut add = |what, n: u32, hour: u32, hours: i64| {
        let from = calendar::at(day(n), hour, 0);
        all.push(Incident { what, from, to: Ts(from.0 + hours * HOUR) });
    };
    for n in 0..days {
        if !calendar::is_workday(day(n)) {
            continue;
        }
        match rng.u16(0..1000) {
            0..12 => add(What::Refuses(Trouble::Database), n, rng.u32(9..15), rng.i64(1..4)),
            12..18 => add(What::Refuses(Trouble::Permission), n, rng.u32(8..13), rng.i64(2..9)),
            18..30 => add(What::Away, n, rng.u32(21..24), rng.i64(5..10)),
            // Whoever goes on with what broke off then does so two days later.
            30..36 if n + 3 < days => add(What::Down, n, 0, 24),
            _ => {}
        }
    }
    // Whoever looks finds one of each in what the first screens show.
    let newest = days.saturating_sub(1);
    if days >= 7 {
        add(What::Away, newest.saturating_sub(1), 21, 8);
        add(What::Refuses(Trouble::Database), newest.saturating_sub(3), 10, 5);
    }
    if days >= 21 {
        add(What::Down, newest.saturating_sub(9), 0, 24);
        add(What::Refuses(Trouble::Permission), newest.saturating_sub(12), 8, 8);
    }
    all
}

/// Nearly everything is refused from the evening before the end of the past on.
pub fn newest_night(now: Ts) -> Incident {
    let today = day_of(now);
    let evening = calendar::at(today.checked_sub_days(Days::new(1)).unwrap_or(today), 18, 0);
    Incident { what: What::Refuses(Trouble::Permission), from: evening, to: Ts(now.0 + DAY) }
}

/// The day of the office a moment is of.
pub fn day_of(at: Ts) -> NaiveDate {
    calendar::local(at).date()
}

/// Whether a bill met the same trouble on that day already.
pub fn is_same_day(one: Ts, other: Ts) -> bool {
    (one.0 - other.0).abs() < DAY && day_of(one) == day_of(other)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_month_has_one_of_each_and_a_seed_draws_the_same() {
        let first: NaiveDate = "2026-10-20".parse().unwrap();
        let all = draw(first, 30, &mut Rng::with_seed(5));
        for what in [What::Away, What::Down, What::Refuses(Trouble::Database), What::Refuses(Trouble::Permission)] {
            assert!(all.iter().any(|incident| incident.what == what), "{what:?}");
        }
        assert_eq!(all, draw(first, 30, &mut Rng::with_seed(5)));
        let one = all.first().unwrap();
        assert!(one.is_at(one.from) && !one.is_at(one.to));
    }
}
