//! Due times over a whole year, against the rules of the fields read anew here, minute by minute; and who is told missed.
//!
//! Nothing of this asks the library that the schedules use: when a clock changes is written down, and what a field means is
//! spelled out.
#![allow(missing_docs, clippy::unwrap_used, clippy::indexing_slicing, clippy::panic)]

use std::collections::BTreeSet;

use chrono::{DateTime, Datelike, Days, NaiveDate, NaiveTime, TimeDelta, Utc, Weekday};

use skydeck_core::domain::plan::Schedule;
use skydeck_plan::schedule;

/// A zone, minutes ahead of UTC as 2026 begins, and when that changes in it.
type Clocks = (&'static str, i64, &'static [(&'static str, i64)]);

/// See [`Clocks`].
const ZONES: [Clocks; 4] = [
    ("Europe/Berlin", 60, &[("2026-03-29T01:00:00Z", 120), ("2026-10-25T01:00:00Z", 60)]),
    ("America/New_York", -300, &[("2026-03-08T07:00:00Z", -240), ("2026-11-01T06:00:00Z", -300)]),
    ("Australia/Lord_Howe", 660, &[("2026-04-04T15:00:00Z", 630), ("2026-10-03T15:30:00Z", 660)]),
    ("Asia/Shanghai", 480, &[]),
];

/// What operators write: lists, steps, ranges, names, L and W; at night, where clocks change, and by day.
const CRONS: [&str; 24] = [
    "30 2 * * *",
    "0 2 * * *",
    "15 1 * * *",
    "3 2,3 * * *",
    "0 2,14 * * *",
    "0,30 1-2 * * *",
    "45 1,2 * * 0,6",
    "*/30 1,2 * * 6,0",
    "*/20 2 * * *",
    "0 */8 * * *",
    "10 8-18/5 * * 1-5",
    "0 9 * * MON-FRI",
    "5,35 9,17 * * 1,3,5",
    "0 9 L * *",
    "30 2 L * *",
    "0 18 LW * *",
    "0 9 15W * *",
    "30 2 1W * *",
    "0 9 28W 2,5,8 *",
    "0 9 * * 5L",
    "30 1 * * 0L",
    "0 9 * * MON#1",
    "0 0 1 1,4,7,10 *",
    "0 6 1,15 * 5",
];

/// How late a run may begin and not be missed.
const LATE: TimeDelta = TimeDelta::minutes(10);

fn at(text: &str) -> DateTime<Utc> {
    text.parse().unwrap()
}

fn year() -> (DateTime<Utc>, DateTime<Utc>) {
    (at("2026-01-01T00:00:00Z"), at("2027-01-01T00:00:00Z"))
}

fn of(cron: &str, zone: &str) -> Schedule {
    Schedule { cron: cron.to_owned(), zone: zone.to_owned(), ..Schedule::default() }
}

/// Numbers of a field without L, W and #: lists of numbers, ranges and steps.
fn numbers(text: &str, first: u32, last: u32) -> BTreeSet<u32> {
    let mut all = BTreeSet::new();
    for item in text.split(',') {
        let (range, step) = item.split_once('/').map_or((item, 1), |(range, step)| (range, step.parse().unwrap()));
        let (from, to) = match range.split_once('-') {
            Some((from, to)) => (number(from), number(to)),
            None if range == "*" => (first, last),
            None => (number(range), number(range)),
        };
        all.extend((from..=to).step_by(step));
    }
    all
}

fn number(text: &str) -> u32 {
    let named = ["SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT"].iter().position(|name| *name == text);
    named.map_or_else(|| text.parse().unwrap(), |n| n as u32)
}

fn last_of_month(day: NaiveDate) -> NaiveDate {
    let next = if day.month() == 12 {
        NaiveDate::from_ymd_opt(day.year() + 1, 1, 1)
    } else {
        NaiveDate::from_ymd_opt(day.year(), day.month() + 1, 1)
    };
    next.unwrap().pred_opt().unwrap()
}

fn is_weekend(day: NaiveDate) -> bool {
    matches!(day.weekday(), Weekday::Sat | Weekday::Sun)
}

/// The weekday of the same month that is nearest to a day of it.
fn nearest_weekday(day: NaiveDate, wanted: u32) -> NaiveDate {
    let wanted = day.with_day(wanted).unwrap();
    let near = [0, -1, 1, -2, 2].map(|by| wanted + TimeDelta::days(by));
    near.into_iter().find(|day| !is_weekend(*day) && day.month() == wanted.month()).unwrap()
}

/// Whether a day is one of a day of month field that restricts.
fn is_of_month(text: &str, day: NaiveDate) -> bool {
    match text {
        "L" => day == last_of_month(day),
        "LW" => {
            let mut last = last_of_month(day);
            while is_weekend(last) {
                last = last.pred_opt().unwrap();
            }
            day == last
        }
        _ => match text.strip_suffix('W') {
            Some(wanted) => day == nearest_weekday(day, wanted.parse().unwrap()),
            None => numbers(text, 1, 31).contains(&day.day()),
        },
    }
}

/// Whether a day is one of a weekday field that restricts.
fn is_of_week(text: &str, day: NaiveDate) -> bool {
    let weekday = day.weekday().num_days_from_sunday();
    if let Some(name) = text.strip_suffix('L') {
        return weekday == number(name) && (day + TimeDelta::days(7)).month() != day.month();
    }
    match text.split_once('#') {
        Some((name, nth)) => weekday == number(name) && day.day().div_ceil(7) == nth.parse::<u32>().unwrap(),
        None => numbers(text, 0, 6).contains(&weekday),
    }
}

/// The first day that a wall may show.
fn first_day() -> NaiveDate {
    NaiveDate::from_ymd_opt(2025, 12, 31).unwrap()
}

/// What the clock on the wall shows: the day by its number, hour, minute.
#[derive(Clone, Copy)]
struct Wall(usize, usize, usize);

impl Wall {
    fn of(minutes: i64) -> Self {
        let [day, hour, minute] =
            [minutes / 1440, minutes / 60 % 24, minutes % 60].map(|n| usize::try_from(n).unwrap());
        Self(day, hour, minute)
    }
}

/// The fields of a cron, read: whether a minute, an hour and a day fit.
struct Fields {
    minutes: [bool; 60],
    hours: [bool; 24],
    days: [bool; 368],
    /// Minute or hour follow the time that passes, not the clock on the wall.
    runs_through: bool,
}

impl Fields {
    fn read(cron: &str) -> Self {
        let [minute, hour, day, month, weekday] = cron.split(' ').collect::<Vec<_>>().try_into().unwrap();
        let months = numbers(month, 1, 12);
        let fits = |date: NaiveDate| {
            let by_day = match (day, weekday) {
                ("*", "*") => true,
                ("*", _) => is_of_week(weekday, date),
                (_, "*") => is_of_month(day, date),
                // Both restrict: either is enough, as cron has it.
                _ => is_of_week(weekday, date) || is_of_month(day, date),
            };
            by_day && months.contains(&date.month())
        };
        let (in_hour, in_day) = (numbers(minute, 0, 59), numbers(hour, 0, 23));
        Self {
            minutes: std::array::from_fn(|n| in_hour.contains(&(n as u32))),
            hours: std::array::from_fn(|n| in_day.contains(&(n as u32))),
            days: std::array::from_fn(|n| fits(first_day() + Days::new(n as u64))),
            runs_through: [minute, hour].iter().any(|field| field.contains('*')),
        }
    }

    fn fit(&self, Wall(day, hour, minute): Wall) -> bool {
        self.minutes[minute] && self.hours[hour] && self.days[day]
    }
}

/// What the clock on the wall shows in each minute of the year, as minutes since the beginning of the first day.
fn walls(ahead: i64, changes: &[(&str, i64)]) -> Vec<i64> {
    let (first, last) = year();
    let since = |now: DateTime<Utc>| (now.naive_utc() - first_day().and_time(NaiveTime::MIN)).num_minutes();
    let mut changes = changes.iter().map(|(when, ahead)| (since(at(when)), *ahead)).peekable();
    let mut ahead = ahead;
    let mut wall = |minute: i64| {
        if let Some((_, now)) = changes.next_if(|(when, _)| *when <= minute) {
            ahead = now;
        }
        minute + ahead
    };
    (since(first)..since(last)).map(&mut wall).collect()
}

/// When a cron is due, by its fields. A wall time that is named by number is due once: the first time it is there, or where
/// clocks skip it the first minute after.
fn due_by_the_fields(fields: &Fields, walls: &[i64]) -> Vec<DateTime<Utc>> {
    let mut due = Vec::new();
    let mut latest = walls[0] - 1;
    for (n, wall) in (0..).zip(walls) {
        let is_due = if fields.runs_through || *wall == latest + 1 {
            fields.fit(Wall::of(*wall))
        } else {
            (latest + 1..=*wall).any(|wall| fields.fit(Wall::of(wall)))
        };
        latest = latest.max(*wall);
        due.extend(is_due.then(|| year().0 + TimeDelta::minutes(n)));
    }
    due
}

fn due_by_the_schedule(schedule: &Schedule) -> Vec<DateTime<Utc>> {
    let (first, last) = year();
    let after = |now: &DateTime<Utc>| schedule::next(schedule, *now).unwrap();
    let from = first - TimeDelta::seconds(1);
    std::iter::successors(after(&from), after).take_while(|due| *due < last).collect()
}

#[test]
fn a_year_of_due_times_is_what_the_fields_say_wherever_clocks_change() {
    for (zone, ahead, changes) in ZONES {
        let walls = walls(ahead, changes);
        for cron in CRONS {
            let (want, got) = (due_by_the_fields(&Fields::read(cron), &walls), due_by_the_schedule(&of(cron, zone)));
            let differs = want.iter().zip(&got).find(|(want, got)| want != got);
            assert!(
                differs.is_none() && want.len() == got.len(),
                "{cron} in {zone}: {differs:?}, {} {}",
                want.len(),
                got.len()
            );
            assert!(got.len() >= 3, "{cron} in {zone} is due {} times", got.len());
        }
    }
}

/// A plan of which some due times are left out. Each run that there is begins somewhat late, sometimes nearly ten minutes, and
/// takes a minute.
struct Attended {
    schedule: Schedule,
    due: Vec<DateTime<Utc>>,
    left_out: Vec<bool>,
}

impl Attended {
    /// What is told missed at a moment: the rule of the engine, with the last run that is over.
    fn told(&self, now: DateTime<Utc>, last: DateTime<Utc>) -> Option<(DateTime<Utc>, u32)> {
        schedule::missed(&self.schedule, last, now - LATE, 1000).unwrap()
    }

    /// Looks as soon as each due time is late, just before the next one, and when a run ends; gives what is told anew.
    fn watch(&self) -> Vec<(DateTime<Utc>, u32)> {
        let (mut told, mut stands, mut last) = (Vec::new(), None, year().0 - LATE);
        for (n, due) in self.due.iter().enumerate() {
            let next = self.due.get(n + 1).copied().unwrap_or(year().1);
            let late = (LATE - TimeDelta::milliseconds(1)).min((next - *due) / 2);
            if !self.left_out[n] {
                let just_before = self.told(*due + late, last).map(|(since, _)| since);
                assert_eq!(just_before, stands, "{:?}: not late yet at {}", self.schedule.cron, *due + late);
                last = *due + late;
                stands = None;
            }
            for now in [*due + LATE, next - TimeDelta::milliseconds(1)] {
                let Some((since, times)) = self.told(now.max(last), last) else {
                    assert!(!self.left_out[n] || now < *due + LATE, "{:?}: {due} is missed", self.schedule.cron);
                    continue;
                };
                if stands != Some(since) {
                    told.push((since, 0));
                    stands = Some(since);
                }
                told.last_mut().unwrap().1 = times;
            }
        }
        told
    }
}

#[test]
fn nobody_who_ran_is_told_missed_and_each_that_did_not_is_told_once() {
    // Each cron in one zone, and one of the night in all.
    for (zone_n, (zone, ahead, changes)) in (0_usize..).zip(ZONES) {
        let walls = walls(ahead, changes);
        for (n, cron) in (0_usize..).zip(CRONS).filter(|(n, _)| *n == 0 || n % ZONES.len() == zone_n) {
            let due = due_by_the_fields(&Fields::read(cron), &walls);
            let schedule = of(cron, zone);
            let all = Attended { schedule: schedule.clone(), left_out: vec![false; due.len()], due: due.clone() };
            assert_eq!(all.watch(), [], "{cron} in {zone}: a run at each due time");
            // Some are left out, now and then several in a row, the first one and the last one among them.
            let leaves_out = |at: usize| at == 0 || at + 1 == due.len() || (at * 7919 + n * 31) % 11 < 2;
            let left_out: Vec<bool> = (0..due.len()).map(leaves_out).collect();
            let mut want: Vec<(DateTime<Utc>, u32)> = Vec::new();
            for at in (0..due.len()).filter(|at| left_out[*at]) {
                match want.last_mut().filter(|_| at > 0 && left_out[at - 1]) {
                    Some(told) => told.1 += 1,
                    None => want.push((due[at], 1)),
                }
            }
            assert_eq!(Attended { schedule, due, left_out }.watch(), want, "{cron} in {zone}");
        }
    }
}
