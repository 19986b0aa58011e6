//! When a schedule is due: cron of five or six fields, in a named time zone.
//!
//! Invariant: a wall time named by numbers that a clock change skips or repeats is due once; weekday numbers whose meaning
//! differs between dialects are refused rather than guessed.

use chrono::{DateTime, NaiveDateTime, TimeDelta, TimeZone, Utc};
use croner::Cron;
use croner::errors::CronError;
use croner::parser::{CronParser, Seconds, Year};

use super::problem::CronFault;
use skydeck_core::domain::plan::Schedule;
use skydeck_core::domain::zone::{UnknownZone, Zone};

/// The first due time strictly after `after`; `None` when there is none any more (`0 0 30 2 *`).
///
/// # Errors
/// What is wrong with the cron or the zone, in words.
pub fn next(schedule: &Schedule, after: DateTime<Utc>) -> Result<Option<DateTime<Utc>>, CronFault> {
    let cron = parse(&schedule.cron)?;
    let zone = zone(&schedule.zone)?;
    let after = after.with_timezone(&zone);
    let found = if follows_the_wall(&schedule.cron) {
        next_on_the_wall(&cron, &after)
    } else {
        cron.find_next_occurrence(&after, false)
    };
    match found {
        Ok(at) => Ok(Some(at.with_timezone(&Utc))),
        Err(CronError::TimeSearchLimitExceeded) => Ok(None),
        Err(e) => Err(CronFault::Other { cron: schedule.cron.clone(), said: e.to_string() }),
    }
}

/// Whether times of the day are named by numbers (`0 2,14 * * *`). With a star (`*/30 * * * *`) a schedule goes on as time
/// does, whatever the clocks show. croner takes a list for the latter: of `0 2,14` it would leave out, or repeat, the first.
fn follows_the_wall(cron: &str) -> bool {
    let fields: Vec<&str> = cron.split_whitespace().collect();
    let times = fields.get(..fields.len().saturating_sub(3)).unwrap_or_default();
    !times.iter().any(|field| field.contains(['*', '?']))
}

/// The next time on the wall, as the moment at which clocks show it first; of one that they skip that at which they go on.
fn next_on_the_wall(cron: &Cron, after: &DateTime<Zone>) -> Result<DateTime<Zone>, CronError> {
    let zone = after.timezone();
    let mut wall = after.naive_local();
    loop {
        wall = cron.find_next_occurrence(&wall, false)?;
        let shown = zone.from_local_datetime(&wall).earliest();
        let at = shown.or_else(|| goes_on(&zone, wall)).ok_or(CronError::InvalidTime)?;
        // The clocks show again what they showed before: that was due the first time.
        if at > *after {
            return Ok(at);
        }
    }
}

/// The moment at which the clocks of a zone go on that skip a wall time; a change lies within a day of it.
fn goes_on(zone: &Zone, skipped: NaiveDateTime) -> Option<DateTime<Zone>> {
    let day = TimeDelta::days(1).num_seconds();
    let near = skipped.and_utc().timestamp();
    let (mut before, mut at) = (near - day, near + day);
    let ahead = zone.ahead_of_utc(at);
    while at - before > 1 {
        let middle = before + (at - before) / 2;
        if zone.ahead_of_utc(middle) == ahead {
            at = middle;
        } else {
            before = middle;
        }
    }
    zone.timestamp_opt(at, 0).earliest()
}

/// Due times after `after` up to and including `until`: the first one, and how many there are, at most `most`.
///
/// # Errors
/// What is wrong with the cron or the zone, in words.
pub fn missed(
    schedule: &Schedule,
    after: DateTime<Utc>,
    until: DateTime<Utc>,
    most: u32,
) -> Result<Option<(DateTime<Utc>, u32)>, CronFault> {
    let mut found: Option<(DateTime<Utc>, u32)> = None;
    let mut at = after;
    while let Some(due) = next(schedule, at)?.filter(|due| *due <= until) {
        let times = found.map_or(1, |(_, times)| times + 1);
        found = Some((found.map_or(due, |(first, _)| first), times));
        if times == most {
            break;
        }
        at = due;
    }
    Ok(found)
}

/// Whether a cron can be used.
///
/// # Errors
/// What is wrong with it.
pub fn check(cron: &str) -> Result<(), CronFault> {
    parse(cron).map(drop)
}

/// Whether a zone name is known.
///
/// # Errors
/// That it is not, with an example.
pub fn zone(name: &str) -> Result<Zone, CronFault> {
    name.parse().map_err(|UnknownZone(name)| CronFault::Zone { name })
}

fn parse(text: &str) -> Result<Cron, CronFault> {
    let fields: Vec<&str> = text.split_whitespace().collect();
    if !matches!(fields.len(), 5 | 6) {
        return Err(CronFault::Fields { cron: text.to_owned(), n: fields.len() });
    }
    // Quartz counts weekdays from Sunday = 1, cron from Sunday = 0; `?` shows that the former may be meant.
    let weekday = fields.last().copied().unwrap_or_default();
    if fields.contains(&"?") && weekday.bytes().any(|b| b.is_ascii_digit()) {
        return Err(CronFault::Weekday { cron: text.to_owned(), weekday: weekday.to_owned() });
    }
    CronParser::builder()
        .seconds(Seconds::Optional)
        .year(Year::Disallowed)
        .build()
        .parse(text)
        .map_err(|e| CronFault::Other { cron: text.to_owned(), said: e.to_string() })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn due(cron: &str, zone: &str, after: &str) -> Result<Option<String>, CronFault> {
        let schedule = Schedule { cron: cron.to_owned(), zone: zone.to_owned(), ..Schedule::default() };
        Ok(next(&schedule, after.parse().unwrap())?.map(|at| at.format("%Y-%m-%dT%H:%M:%SZ").to_string()))
    }

    #[test]
    fn the_next_due_time_is_found_in_its_zone() {
        let sh = "Asia/Shanghai";
        for (cron, zone, after, want) in [
            ("3 2,3 * * *", sh, "2025-01-01T00:00:00Z", "2025-01-01T18:03:00Z"),
            ("3 2 * * *", sh, "2025-01-01T18:03:00Z", "2025-01-02T18:03:00Z"),
            ("0 0 2 * * ?", sh, "2025-01-01T00:00:00Z", "2025-01-01T18:00:00Z"),
            ("30 0 2 * * *", sh, "2025-01-01T00:00:00Z", "2025-01-01T18:00:30Z"),
            ("0 0 0 L * ?", sh, "2025-02-01T00:00:00Z", "2025-02-27T16:00:00Z"),
            ("0 0 9 15W * ?", "UTC", "2025-06-01T00:00:00Z", "2025-06-16T09:00:00Z"),
            ("0 9 * * MON", "UTC", "2025-01-01T00:00:00Z", "2025-01-06T09:00:00Z"),
            ("0 12 * * *", "Europe/Berlin", "2025-03-30T00:00:00Z", "2025-03-30T10:00:00Z"),
        ] {
            assert_eq!(due(cron, zone, after).unwrap().as_deref(), Some(want), "{cron}");
        }
        assert_eq!(due("0 0 30 2 *", "UTC", "2025-01-01T00:00:00Z").unwrap(), None);
    }

    #[test]
    fn a_clock_change_neither_loses_nor_doubles_a_daily_run() {
        let mut at: DateTime<Utc> = "2025-03-28T12:00:00Z".parse().unwrap();
        let schedule = Schedule { cron: "30 2 * * *".into(), zone: "Europe/Berlin".into(), ..Schedule::default() };
        let mut days = Vec::new();
        for _ in 0..4 {
            at = next(&schedule, at).unwrap().unwrap();
            days.push(at.format("%m-%d").to_string());
        }
        assert_eq!(days, ["03-29", "03-30", "03-31", "04-01"]);
    }

    #[test]
    fn due_times_that_passed_are_counted_over_a_clock_change() {
        let schedule = Schedule { cron: "30 2 * * *".into(), zone: "Europe/Berlin".into(), ..Schedule::default() };
        let at = |text: &str| -> DateTime<Utc> { text.parse().unwrap() };
        let missed = |after, until, most| missed(&schedule, at(after), at(until), most).unwrap();
        let (first, times) = missed("2025-03-28T12:00:00Z", "2025-03-31T12:00:00Z", 100).unwrap();
        assert_eq!((first, times), (at("2025-03-29T01:30:00Z"), 3));
        assert_eq!(missed("2025-03-28T12:00:00Z", "2025-03-29T01:29:59Z", 100), None);
        assert_eq!(missed("2025-03-28T12:00:00Z", "2026-03-31T12:00:00Z", 7).unwrap().1, 7);
    }

    #[test]
    fn what_cannot_be_used_says_why() {
        for (cron, zone, word) in [
            ("* * * *", "UTC", "4 fields"),
            ("0 0 2 * * ? 2025", "UTC", "7 fields"),
            ("61 * * * *", "UTC", "cron"),
            ("0 0 2 ? * 2", "UTC", "two meanings"),
            ("0 2 * * *", "Asia/Shangai", "Asia/Shanghai"),
        ] {
            let e = due(cron, zone, "2025-01-01T00:00:00Z").unwrap_err().to_string();
            assert!(e.contains(word), "{cron} {zone}: {e}");
        }
    }
}
