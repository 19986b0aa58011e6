//! The ERP's own clock beside ours: how far it is ahead, in which zone it writes its dates, and what follows for where a query
//! may begin.
//!
//! Invariant: a date of the ERP is compared with dates of the ERP alone; ours is turned into one of these first.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::time::{ErpDate, Ts};
use super::zone::Zone;

/// The ERP's clock at one moment.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ErpClock {
    /// Seconds that it is ahead of ours, by the `Date` of its answers.
    #[serde(rename = "a")]
    pub ahead: i64,
    /// Seconds that its zone is ahead of universal time at that moment.
    #[serde(rename = "z")]
    pub zone: i32,
    /// What it shows: the date it would give a bill that is changed now.
    #[serde(rename = "s")]
    pub shows: ErpDate,
}

impl ErpClock {
    /// What the ERP's clock shows at a moment of ours.
    pub fn at(now: Ts, ahead: i64, zone: &Zone) -> Self {
        let theirs = now.0.div_euclid(1000).saturating_add(ahead);
        let offset = zone.ahead_of_utc(theirs);
        let local = chrono::DateTime::from_timestamp(theirs.saturating_add(i64::from(offset)), 0).unwrap_or_default();
        Self { ahead, zone: offset, shows: ErpDate::from_naive(local.naive_utc()) }
    }

    /// How far its dates went back beside ours since an earlier moment: summer time ended, the clock was set, the server
    /// moved to another zone. Zero when they went forward.
    pub fn back_since(&self, was: &Self) -> Duration {
        let dates = |clock: &Self| clock.ahead.saturating_add(i64::from(clock.zone));
        Duration::from_secs(u64::try_from(dates(was).saturating_sub(dates(self))).unwrap_or(0))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::ids::RunId;
    use crate::domain::run::{Mark, begin};

    /// 2026-10-25, 00:00 UTC: an hour before summer time ends in Berlin.
    const NIGHT: i64 = 1_792_886_400;
    const OVERLAP: Duration = Duration::from_secs(600);

    fn berlin(at: i64, ahead: i64) -> ErpClock {
        ErpClock::at(Ts(at * 1000), ahead, &"Europe/Berlin".parse().unwrap())
    }

    fn mark(seen: &str, clock: Option<ErpClock>) -> Mark {
        let run = RunId(ulid::Ulid::from_parts(1, 1));
        Mark { seen: ErpDate::parse(seen).unwrap(), run, swept: None, clock, upto: None }
    }

    #[test]
    fn no_bill_is_missed_when_summer_time_ends() {
        // The last run read at 02:55 and saw a bill of 02:54; an hour that is written twice follows.
        let was = berlin(NIGHT + 55 * 60, 0);
        assert_eq!(was.shows.as_str(), "2026-10-25T02:55:00");
        let marked = mark("2026-10-25 02:54:00", Some(was));
        // 25 minutes later it is 02:20 again, and a bill was changed at 02:05.
        let is = berlin(NIGHT + 80 * 60, 0);
        assert_eq!(is.shows.as_str(), "2026-10-25T02:20:00");
        let first = begin(&marked, Some(&is), OVERLAP);
        assert!(first <= ErpDate::parse("2026-10-25 02:05:00").unwrap(), "{first}");
        // The mark stays at 02:54, and the run after that one must see what was changed at 02:30.
        let marked = mark("2026-10-25 02:54:00", Some(is));
        let second = begin(&marked, Some(&berlin(NIGHT + 100 * 60, 0)), OVERLAP);
        assert!(second <= ErpDate::parse("2026-10-25 02:30:00").unwrap(), "{second}");
    }

    #[test]
    fn a_clock_that_was_set_back_and_a_server_that_moved_widen_the_window_and_one_that_went_forward_does_not() {
        let zone = |name: &str| name.parse::<Zone>().unwrap();
        let seen = "2026-06-01 12:00:00";
        // 12:05 in Shanghai.
        let at = Ts(1_780_286_700_000);
        let was = ErpClock::at(at, 300, &zone("Asia/Shanghai"));
        for (what, is, back) in [
            ("set back by five minutes", ErpClock::at(at, 0, &zone("Asia/Shanghai")), 300),
            ("set forward", ErpClock::at(at, 900, &zone("Asia/Shanghai")), 0),
            ("as it was", was.clone(), 0),
            ("moved west by three hours", ErpClock::at(at, 300, &zone("Asia/Karachi")), 3 * 3600),
            ("moved east", ErpClock::at(at, 300, &zone("Asia/Tokyo")), 0),
        ] {
            let want = ErpDate::parse(seen).unwrap().minus(OVERLAP + Duration::from_secs(back));
            assert_eq!(begin(&mark(seen, Some(was.clone())), Some(&is), OVERLAP), want, "{what}");
        }
        // Nothing known: as 0.1.0 did.
        assert_eq!(begin(&mark(seen, None), Some(&was), OVERLAP), ErpDate::parse(seen).unwrap().minus(OVERLAP));
    }

    #[test]
    fn a_bill_dated_ahead_of_the_clock_does_not_hide_the_ones_changed_meanwhile() {
        let was = ErpClock::at(Ts(1_780_286_700_000), 0, &"Asia/Shanghai".parse().unwrap());
        let marked = mark("2027-01-01 00:00:00", Some(was.clone()));
        assert_eq!(begin(&marked, Some(&was), OVERLAP), was.shows.minus(OVERLAP));
    }
}
