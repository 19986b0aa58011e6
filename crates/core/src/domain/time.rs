//! Time as the domain knows it: our wall clock for people ([`Ts`]), the server's dates as it wrote them
//! ([`ErpDate`]), and the [`Clock`] through which everybody else asks.
//!
//! Invariant: the two are never compared with each other; the mark lives in the server's time alone.

use std::fmt;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde::{Deserialize, Serialize};

/// Wall time in milliseconds since the Unix epoch, UTC. For showing; order comes from [`super::ids::Seq`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Ts(pub i64);

impl Ts {
    /// What the machine's clock shows; negative before 1970.
    pub fn of(at: SystemTime) -> Self {
        let ms = |span: Duration| i64::try_from(span.as_millis()).unwrap_or(i64::MAX);
        Self(at.duration_since(UNIX_EPOCH).map_or_else(|before| -ms(before.duration()), ms))
    }

    /// This instant moved forward.
    #[must_use]
    pub fn plus(self, d: Duration) -> Self {
        Self(self.0.saturating_add(i64::try_from(d.as_millis()).unwrap_or(i64::MAX)))
    }

    /// Earlier by a span; the earliest moment where there is none.
    #[must_use]
    pub fn minus(self, d: Duration) -> Self {
        Self(self.0.saturating_sub(i64::try_from(d.as_millis()).unwrap_or(i64::MAX)))
    }

    /// Time since `earlier`, zero when the clock went backwards.
    pub fn since(self, earlier: Self) -> Duration {
        Duration::from_millis(u64::try_from(self.0.saturating_sub(earlier.0)).unwrap_or(0))
    }
}

/// The only source of time below the shell. Tests bring their own.
pub trait Clock: Send + Sync {
    /// Wall time, for records and people.
    fn now(&self) -> Ts;
    /// Monotonic time since an arbitrary start, for durations and limits.
    fn mono(&self) -> Duration;
    /// Which start of the machine this is, and the milliseconds since then, suspended time included. It outlives the
    /// process; `None` where nothing of the kind is known.
    fn boot(&self) -> Option<(String, u64)> {
        None
    }
}

/// A date as the ERP wrote it, normalised to `YYYY-MM-DDTHH:MM:SS[.fff]` in the server's own zone.
/// Sorts in time order because the form is fixed.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct ErpDate(String);

impl ErpDate {
    /// Reads `2025-01-02T00:00:00[.fff]`, the same with a blank, or a bare date
    /// (docs/design/wire.md#rows-and-dates). `None` for anything else, `null` and empty text included.
    pub fn parse(text: &str) -> Option<Self> {
        let text = text.trim();
        // Asked of every column of every bill found: most are no dates, and most dates are written in full.
        if !text.starts_with(|c: char| c.is_ascii_digit() || c == '+' || c == '-') {
            return None;
        }
        if let Some(plain) = plain_date(text) {
            return Some(plain);
        }
        let (date, time) = match text.find(['T', ' ']) {
            Some(at) => (text.get(..at)?, text.get(at + 1..)?.trim_end_matches('Z')),
            None => (text, "00:00:00"),
        };
        let date = chrono::NaiveDate::parse_from_str(date, "%Y-%m-%d").ok()?;
        let time = chrono::NaiveTime::parse_from_str(time, "%H:%M:%S%.f").ok()?;
        Some(Self::from_naive(date.and_time(time)))
    }

    /// From a date and time already in the server's zone.
    pub fn from_naive(at: chrono::NaiveDateTime) -> Self {
        let millis = at.and_utc().timestamp_subsec_millis();
        let base = at.format("%Y-%m-%dT%H:%M:%S").to_string();
        Self(if millis == 0 { base } else { format!("{base}.{millis:03}") })
    }

    /// Reads the end of a range: as [`Self::parse`], a bare date is the end of that day.
    pub fn parse_end(text: &str) -> Option<Self> {
        let text = text.trim();
        if text.contains(['T', ' ']) { Self::parse(text) } else { Self::parse(&format!("{text}T23:59:59.999")) }
    }

    /// The normalised text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// As a date without zone.
    pub fn naive(&self) -> Option<chrono::NaiveDateTime> {
        chrono::NaiveDateTime::parse_from_str(&self.0, "%Y-%m-%dT%H:%M:%S%.f").ok()
    }

    /// Reads a date as the ERP writes it, in full or a bare day; `None` for any other text.
    pub fn written(text: &str) -> Option<chrono::NaiveDateTime> {
        let number = |from: usize, to: usize| -> Option<u32> {
            let digits = text.get(from..to)?;
            if digits.bytes().all(|b| b.is_ascii_digit()) { digits.parse().ok() } else { None }
        };
        if text.as_bytes().get(4) != Some(&b'-') || text.as_bytes().get(7) != Some(&b'-') {
            return None;
        }
        let date = chrono::NaiveDate::from_ymd_opt(number(0, 4)?.cast_signed(), number(5, 7)?, number(8, 10)?)?;
        match text.get(10..)? {
            "" => Some(date.and_time(chrono::NaiveTime::MIN)),
            time if time.starts_with(['T', ' ']) && time.len() >= 9 => {
                date.and_hms_opt(number(11, 13)?, number(14, 16)?, number(17, 19)?)
            }
            _ => None,
        }
    }

    /// This date moved back, for the overlap below the mark.
    #[must_use]
    pub fn minus(&self, d: Duration) -> Self {
        let moved =
            self.naive().and_then(|at| chrono::Duration::from_std(d).ok().and_then(|d| at.checked_sub_signed(d)));
        moved.map_or_else(|| self.clone(), Self::from_naive)
    }
}

impl fmt::Display for ErpDate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A date in the server's usual form, `2025-01-02T03:04:05[.fff]`, read without the pattern's help; `None` for any other.
fn plain_date(text: &str) -> Option<ErpDate> {
    let number = |from: usize, to: usize| -> Option<u32> {
        let digits = text.get(from..to)?;
        if digits.bytes().all(|b| b.is_ascii_digit()) { digits.parse().ok() } else { None }
    };
    let signs = [(4, b'-'), (7, b'-'), (10, b'T'), (13, b':'), (16, b':')];
    if !signs.iter().all(|(at, sign)| text.as_bytes().get(*at) == Some(sign)) {
        return None;
    }
    let date = chrono::NaiveDate::from_ymd_opt(number(0, 4)?.cast_signed(), number(5, 7)?, number(8, 10)?);
    date.and(chrono::NaiveTime::from_hms_opt(number(11, 13)?, number(14, 16)?, number(17, 19)?))?;
    match text.get(19..)? {
        "" | ".000" => Some(ErpDate(text.get(..19)?.to_owned())),
        more if more.len() == 4 && more.starts_with('.') => number(20, 23).map(|_| ErpDate(text.to_owned())),
        _ => None,
    }
}

/// Reads a span of time as people write it in files: `500ms`, `90s`, `10m`, `2h`, `1d`.
pub fn parse_span(text: &str) -> Result<Duration, String> {
    let wrong = || format!("`{text}` is no span of time: write 500ms, 90s, 10m, 2h or 1d");
    let text = text.trim();
    let digits = text.trim_end_matches(|c: char| c.is_ascii_alphabetic());
    let n: u64 = digits.parse().map_err(|_| wrong())?;
    let millis = match text.strip_prefix(digits) {
        Some("ms") => 1,
        Some("s") => 1000,
        Some("m") => 60_000,
        Some("h") => 3_600_000,
        Some("d") => 86_400_000,
        _ => return Err(wrong()),
    };
    n.checked_mul(millis)
        .map(Duration::from_millis)
        .filter(|span| *span <= LONGEST_SPAN)
        .ok_or_else(|| format!("`{text}` is longer than 36500d, which is for ever: write less"))
}

/// A century: added to any time, it is one that can still be written.
const LONGEST_SPAN: Duration = Duration::from_secs(36_500 * 86_400);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_clock_before_1970_is_negative_and_no_panic() {
        assert_eq!(Ts::of(UNIX_EPOCH - Duration::from_millis(1500)), Ts(-1500));
        assert_eq!(Ts::of(UNIX_EPOCH + Duration::from_secs(2)), Ts(2000));
    }

    #[test]
    fn spans_are_read_as_written() {
        for (text, seconds) in [("90s", 90), ("3000ms", 3), ("10m", 600), ("2h", 7200), (" 1d ", 86_400), ("0s", 0)] {
            assert_eq!(parse_span(text), Ok(Duration::from_secs(seconds)), "{text}");
        }
        for bad in ["", "10", "m", "-1s", "1w", "1.5h", "99999999999999999999s", "9999999999999999d", "36501d"] {
            assert!(parse_span(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn the_three_printed_forms_are_one_date() {
        let at = ErpDate::parse("2025-01-02T03:04:05").unwrap();
        assert_eq!(ErpDate::parse("2025-01-02 03:04:05"), Some(at.clone()));
        assert_eq!(ErpDate::parse("2025-01-02T03:04:05.000"), Some(at.clone()));
        assert_eq!(ErpDate::parse("2025-01-02").unwrap().as_str(), "2025-01-02T00:00:00");
        assert!(ErpDate::parse("2025-01-02T03:04:05.120").unwrap() > at);
        assert_eq!(at.minus(Duration::from_secs(600)).as_str(), "2025-01-02T02:54:05");
        for (text, read) in [
            ("2025-01-02T03:04:05.12", "2025-01-02T03:04:05.120"),
            ("2025-01-02T03:04:05.123456", "2025-01-02T03:04:05.123"),
            ("2025-1-2", "2025-01-02T00:00:00"),
            ("2025-01-02T03:04:05Z", "2025-01-02T03:04:05"),
            (" 2025-01-02T03:04:05.007 ", "2025-01-02T03:04:05.007"),
        ] {
            assert_eq!(ErpDate::parse(text).unwrap().as_str(), read);
        }
        for bad in ["", "null", "02.01.2025", "2025-13-01", "2025-02-30T00:00:00", "2025-01-01T25:00:00", "XSCKD0001"] {
            assert_eq!(ErpDate::parse(bad), None, "{bad}");
        }
    }
}
