//! Dates as other systems write them, in the time of a server.
//!
//! Invariant: a date that says its zone is turned into the server's; one that says none is the server's already.

use chrono::{DateTime, NaiveDateTime};

use skydeck_core::domain::time::ErpDate;

/// Unix times from here on are milliseconds: seconds of the year 5138.
const FIRST_MS: i64 = 100_000_000_000;

/// Formats beside those of [`ErpDate`].
const FORMATS: [&str; 3] = ["%Y/%m/%d %H:%M:%S", "%Y%m%d%H%M%S", "%Y-%m-%d %H:%M"];

/// Reads a date: Unix time in seconds or milliseconds, RFC 3339 with a zone, or a date and time without one.
/// `ahead`: seconds that the server's zone is ahead of UTC at a moment.
pub fn date(text: &str, ahead: impl Fn(i64) -> i32) -> Option<ErpDate> {
    let text = text.trim();
    let local = |at: DateTime<chrono::Utc>| {
        let ahead = i64::from(ahead(at.timestamp()));
        at.naive_utc().checked_add_signed(chrono::Duration::seconds(ahead)).map(ErpDate::from_naive)
    };
    // Fourteen digits are a date, and no Unix time of ours.
    if text.len() < 14
        && let Ok(unix) = text.parse::<i64>()
    {
        let ms = if unix.abs() < FIRST_MS { unix.checked_mul(1000)? } else { unix };
        return DateTime::from_timestamp_millis(ms).filter(|_| unix > 0).and_then(local);
    }
    if let Ok(at) = DateTime::parse_from_rfc3339(text) {
        return local(at.to_utc());
    }
    ErpDate::parse(text).or_else(|| {
        FORMATS.iter().find_map(|format| NaiveDateTime::parse_from_str(text, format).ok()).map(ErpDate::from_naive)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_moment_is_one_date_however_it_is_written() {
        let shanghai = |_| 8 * 3600;
        for text in [
            "2026-11-27 10:00:00",
            "2026-11-27T10:00:00",
            "2026/11/27 10:00:00",
            "20261127100000",
            "2026-11-27 10:00",
            "2026-11-27T10:00:00+08:00",
            "2026-11-27T02:00:00Z",
            "2026-11-27T02:00:00.000Z",
            "1795744800",
            "1795744800000",
        ] {
            assert_eq!(date(text, shanghai), ErpDate::parse("2026-11-27 10:00:00"), "{text}");
        }
        assert_eq!(date("2026-11-27", shanghai), ErpDate::parse("2026-11-27 00:00:00"));
        for text in ["", "null", "0", "-1", "yesterday", "27.11.2026", "2026-13-01", "99999999999999999"] {
            assert_eq!(date(text, shanghai), None, "{text}");
        }
    }
}
