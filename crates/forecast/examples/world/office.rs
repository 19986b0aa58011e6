//! The first made-up world: offices with weekdays, month ends, holidays and moved working days, trends, one change of level, days
//! that are busier than others, refusals with memory, and slow calls. By a seed.
//!
//! Times are those of the office's own wall clock; the zone of the plans is universal time.

use std::collections::VecDeque;

use chrono::{DateTime, Datelike, Days, NaiveDate, Weekday};
use fastrand::Rng;

use skydeck_core::domain::ids::PlanId;
use skydeck_core::domain::time::Ts;

pub const HOUR: i64 = 3_600_000;
pub const DAY: i64 = 24 * HOUR;

/// Holidays of the two years the world plays in, written down apart from the table of the forecasters.
const OFF: [(&str, &str); 14] = [
    ("2025-01-01", "2025-01-01"),
    ("2025-01-28", "2025-02-04"),
    ("2025-04-04", "2025-04-06"),
    ("2025-05-01", "2025-05-05"),
    ("2025-05-31", "2025-06-02"),
    ("2025-10-01", "2025-10-08"),
    ("2026-01-01", "2026-01-03"),
    ("2026-02-15", "2026-02-23"),
    ("2026-04-04", "2026-04-06"),
    ("2026-05-01", "2026-05-05"),
    ("2026-06-19", "2026-06-21"),
    ("2026-09-25", "2026-09-27"),
    ("2026-10-01", "2026-10-07"),
    ("2024-12-31", "2024-12-31"),
];
const MOVED: [&str; 11] = [
    "2025-01-26",
    "2025-02-08",
    "2025-04-27",
    "2025-09-28",
    "2025-10-11",
    "2026-01-04",
    "2026-02-14",
    "2026-02-28",
    "2026-05-09",
    "2026-09-20",
    "2026-10-10",
];
const HOURS: [f64; 24] = [
    0.004, 0.002, 0.002, 0.002, 0.002, 0.004, 0.010, 0.030, 0.085, 0.115, 0.120, 0.095, 0.035, 0.075, 0.100, 0.105,
    0.095, 0.055, 0.025, 0.014, 0.010, 0.008, 0.005, 0.002,
];

pub fn date(text: &str) -> NaiveDate {
    text.parse().unwrap()
}

pub fn day_of(at: i64) -> NaiveDate {
    DateTime::from_timestamp_millis(at).unwrap().date_naive()
}

pub fn begins(day: NaiveDate) -> i64 {
    day.and_time(chrono::NaiveTime::MIN).and_utc().timestamp_millis()
}

pub fn is_holiday(day: NaiveDate) -> bool {
    OFF.iter().any(|(first, last)| (date(first)..=date(last)).contains(&day))
}

pub fn is_workday(day: NaiveDate) -> bool {
    let moved = MOVED.iter().any(|moved| date(moved) == day);
    let weekend = matches!(day.weekday(), Weekday::Sat | Weekday::Sun);
    !is_holiday(day) && (!weekend || moved)
}

/// A normal number.
pub fn normal(rng: &mut Rng) -> f64 {
    (-2.0 * rng.f64().max(1e-12).ln()).sqrt() * (std::f64::consts::TAU * rng.f64()).cos()
}

/// A gamma number of mean one and so much relative deviation (Marsaglia and Tsang).
pub fn gamma(cv: f64, rng: &mut Rng) -> f64 {
    let shape = 1.0 / (cv * cv);
    let d = shape.max(1.0) - 1.0 / 3.0;
    let c = 1.0 / (9.0 * d).sqrt();
    loop {
        let z = normal(rng);
        let v = (1.0 + c * z).powi(3);
        if v > 0.0 && rng.f64().ln() < 0.5 * z * z + d - d * v + d * v.ln() {
            return d * v / shape.max(1.0);
        }
    }
}

pub fn poisson(mean: f64, rng: &mut Rng) -> u64 {
    if mean > 40.0 {
        return (mean + normal(rng) * mean.sqrt()).round().max(0.0) as u64;
    }
    let (limit, mut product, mut n) = ((-mean).exp(), rng.f64(), 0);
    while product > limit {
        product *= rng.f64();
        n += 1;
    }
    n
}

/// What kind of office a plan works for.
pub struct Office {
    pub plan: PlanId,
    /// Bills of an ordinary day in the middle of the year.
    pub volume: f64,
    pub week: [f64; 7],
    end: f64,
    start: f64,
    after: f64,
    holiday: f64,
    hours: [f64; 24],
    /// How much days differ from one another, and runs, beyond all that can be known (relative deviations).
    pub day_cv: f64,
    pub run_cv: f64,
    trend: f64,
    /// On which day the level changes, and to what.
    pub shift: (i64, f64),
    /// Hours at which it runs, and whether on working weekdays only.
    pub runs: Vec<u32>,
    weekdays_only: bool,
    failing: f64,
    call: f64,
}

/// One run.
#[derive(Clone, Copy, Debug)]
pub struct Run {
    pub at: i64,
    pub found: u64,
    pub failed: u64,
    /// The share of what it finds that is refused on a day like this one, in the mean.
    pub bad: f64,
    /// Mean log of a call's milliseconds.
    pub ms: f64,
}

impl Office {
    pub fn new(n: u64, rng: &mut Rng) -> Self {
        let mut jitter = |mean: f64, by: f64| mean * (1.0 + by * (2.0 * rng.f64() - 1.0));
        let week = [
            jitter(1.15, 0.1),
            jitter(1.0, 0.08),
            jitter(1.0, 0.08),
            jitter(0.97, 0.08),
            jitter(1.08, 0.1),
            jitter(0.2, 1.0),
            jitter(0.08, 1.0),
        ];
        let (end, start, after) = (jitter(1.7, 0.25), jitter(0.85, 0.2), jitter(1.4, 0.25));
        let holiday = jitter(0.06, 1.0);
        let (trend, failing, call) = (jitter(0.15, 2.0), jitter(0.06, 0.8), jitter(400.0, 0.6));
        let turn = rng.usize(0..3);
        let mut hours = [0.0; 24];
        for (n, hour) in hours.iter_mut().enumerate() {
            *hour = HOURS[(n + 25 - turn) % 24] * (0.8 + 0.4 * rng.f64());
        }
        let sum: f64 = hours.iter().sum();
        for hour in &mut hours {
            *hour /= sum;
        }
        let volume = (12.0_f64.ln() + rng.f64() * (1500.0_f64.ln() - 12.0_f64.ln())).exp();
        let shift = if rng.bool() { 0.6 + 0.15 * rng.f64() } else { 1.3 + 0.3 * rng.f64() };
        let (runs, weekdays_only) = match rng.u8(0..20) {
            0..3 => ((8..=20).collect(), false),
            3..6 => (vec![8, 10, 12, 14, 16, 18], true),
            _ => (vec![8, 10, 12, 14, 16, 18], false),
        };
        Self {
            plan: PlanId::new(format!("plan{n}")),
            volume,
            week,
            end,
            start,
            after,
            holiday,
            hours,
            day_cv: 0.05 + 0.17 * rng.f64(),
            run_cv: 0.08 + 0.22 * rng.f64(),
            trend,
            shift: (rng.i64(100..300), shift),
            runs,
            weekdays_only,
            failing,
            call,
        }
    }

    fn of_day(&self, day: NaiveDate) -> f64 {
        if is_holiday(day) {
            return self.holiday;
        }
        let of_week = day.weekday().num_days_from_monday() as usize;
        if !is_workday(day) {
            return self.week[of_week];
        }
        // A worked Saturday is worked like a Wednesday.
        let week = if of_week >= 5 { 1.0 } else { self.week[of_week] };
        let other = |n: u64, ahead: bool| {
            let n = Days::new(n);
            if ahead { day.checked_add_days(n) } else { day.checked_sub_days(n) }.unwrap()
        };
        let same = |d: &NaiveDate| d.month() == day.month();
        let before = (1..20).map(|n| other(n, false)).take_while(same).filter(|d| is_workday(*d)).count();
        let left = (1..20).map(|n| other(n, true)).take_while(same).filter(|d| is_workday(*d)).count();
        let after = (1..=2).any(|n| is_holiday(other(n, false)));
        let month = match (before, left) {
            (_, 0 | 1) => self.end,
            (_, 2) => 1.0 + 0.5 * (self.end - 1.0),
            (0 | 1, _) => self.start,
            _ => 1.0,
        };
        week * month * if after { self.after } else { 1.0 }
    }

    fn runs_on(&self, day: NaiveDate) -> bool {
        !self.weekdays_only || !matches!(day.weekday(), Weekday::Sat | Weekday::Sun)
    }

    /// Bills of an ordinary day, on the day of this number.
    fn level(&self, n: i64) -> f64 {
        let level = self.volume * (1.0 + self.trend * (n as f64 / 365.0 - 0.5));
        if n >= self.shift.0 { level * self.shift.1 } else { level }
    }

    /// What is due at each run of that year: what nobody can know, how busy a day and a run is, left out.
    pub fn due(&self, first: NaiveDate, days: i64) -> Vec<f64> {
        let (mut runs, mut waiting) = (Vec::new(), 0.0);
        for n in 0..days {
            let day = first.checked_add_days(Days::new(n as u64)).unwrap();
            for hour in 0..24_u32 {
                if self.runs.contains(&hour) && self.runs_on(day) {
                    runs.push(std::mem::take(&mut waiting));
                }
                waiting += self.level(n) * self.of_day(day) * self.hours[hour as usize];
            }
        }
        runs
    }

    /// A year of runs, from a day on.
    pub fn year(&self, first: NaiveDate, days: i64, rng: &mut Rng) -> Vec<Run> {
        let mut runs = Vec::new();
        // What was entered since the last run.
        let mut waiting = 0.0;
        for n in 0..days {
            let day = first.checked_add_days(Days::new(n as u64)).unwrap();
            let level = self.level(n);
            let busy = gamma(self.day_cv, rng);
            let bad = (self.failing * gamma(0.3, rng)).min(0.6);
            let load = 0.12 * normal(rng);
            for hour in 0..24_u32 {
                if self.runs.contains(&hour) && self.runs_on(day) {
                    let found = poisson(waiting * gamma(self.run_cv, rng), rng);
                    let failed = poisson(found as f64 * bad, rng).min(found);
                    let ms = self.call.ln() + load + 0.1 * normal(rng);
                    // The clock starts runs some seconds late.
                    let at = begins(day) + i64::from(hour) * HOUR + rng.i64(20..3000);
                    runs.push(Run { at, found, failed, bad, ms });
                    waiting = 0.0;
                }
                waiting += level * busy * self.of_day(day) * self.hours[hour as usize];
            }
        }
        runs
    }
}

/// A run of many bills as a queue: when each of them is settled.
pub struct Queue {
    each: f64,
    swing: f64,
    locks: f64,
}

/// Of a hundred runs so many are paused by somebody, each once.
const PAUSED: u8 = 12;

/// A run of a queue that is under way.
#[derive(Clone)]
pub struct Line {
    pub bills: usize,
    /// Bills that were called for the first time.
    called: usize,
    /// Before which bill somebody pauses it, and for how long.
    pause: Option<(usize, i64)>,
    was_paused: bool,
    load: f64,
    level: f64,
    now: f64,
    pub settled: Vec<(i64, Option<i64>)>,
    late: VecDeque<f64>,
}

impl Line {
    /// Whether somebody will pause it yet.
    pub fn is_to_be_paused(&self) -> bool {
        self.pause.is_some()
    }

    /// Draws anew what nobody can know: whether somebody pauses the rest, where nobody did so far.
    pub fn pause_anew(&mut self, rng: &mut Rng) {
        let ahead = self.bills - self.called;
        let share = ahead as f64 / self.bills as f64;
        let chance = f64::from(PAUSED) / 100.0;
        let odds = if self.was_paused { 0.0 } else { chance * share / (1.0 - chance * (1.0 - share)) };
        self.pause =
            (ahead > 0 && rng.f64() < odds).then(|| (self.called + rng.usize(0..ahead), rng.i64(60_000..240_000)));
    }
}

impl Queue {
    pub fn new(rng: &mut Rng) -> Self {
        Self { each: 300.0 * (rng.f64() * 10.0_f64.ln()).exp(), swing: 0.1 + 0.25 * rng.f64(), locks: 0.04 * rng.f64() }
    }

    pub fn begin(&self, at: i64, rng: &mut Rng) -> Line {
        let bills = (40.0 * (rng.f64() * 30.0_f64.ln()).exp()) as usize;
        let pause = (rng.u8(0..100) < PAUSED).then(|| (rng.usize(0..bills), rng.i64(60_000..240_000)));
        let (load, level) = (self.swing * normal(rng), 0.15 * normal(rng));
        let (settled, late) = (Vec::new(), VecDeque::new());
        Line { bills, called: 0, pause, was_paused: false, load, level, now: at as f64, settled, late }
    }

    /// The next bill; gives whether there was one.
    pub fn step(&self, line: &mut Line, rng: &mut Rng) -> bool {
        if line.called == line.bills {
            let Some(due) = line.late.pop_front() else { return false };
            line.now = line.now.max(due) + self.each * (line.load + line.level).exp();
            line.settled.push((line.now as i64, None));
            return true;
        }
        if let Some((_, ms)) = line.pause.take_if(|(at, _)| *at == line.called) {
            line.now += ms as f64;
            line.was_paused = true;
        }
        line.called += 1;
        let ms = self.each * (line.load + line.level).exp() * gamma(0.35, rng);
        line.now += ms;
        // Load comes and goes within some ten minutes.
        let keep = (-ms / 600_000.0).exp();
        line.load = line.load * keep + self.swing * (1.0 - keep * keep).sqrt() * normal(rng);
        if rng.f64() < self.locks {
            let due = line.now + 10_000.0 + 50_000.0 * rng.f64();
            line.settled.push((line.now as i64, Some(due as i64)));
            line.late.push_back(due);
        } else {
            line.settled.push((line.now as i64, None));
        }
        true
    }

    /// The same run for somebody who does not see the load, only how long its calls took of late.
    pub fn as_watched(&self, line: &Line, at: i64) -> Line {
        let before = std::iter::once(at).chain(line.settled.iter().map(|(at, _)| *at));
        let mut took: Vec<f64> = before.zip(&line.settled).map(|(from, (to, _))| (to - from) as f64).collect();
        took.drain(..took.len().saturating_sub(60));
        // Pauses, and waiting for what was put off, are no calls.
        took.retain(|ms| *ms < 8.0 * self.each);
        let n = took.len() as f64;
        let usual = self.swing.powi(2) + 0.15_f64.powi(2);
        let off = if n > 0.0 { (took.iter().sum::<f64>() / n / self.each).max(1e-3).ln() } else { 0.0 };
        let load = off * usual / (usual + 0.35_f64.powi(2) / n.max(1.0));
        let level = load * 0.15_f64.powi(2) / usual;
        Line { load: load - level, level, ..line.clone() }
    }

    /// Moments of a run that begins at one: of bills that are settled, and until when of those that are put off then.
    pub fn run(&self, at: i64, rng: &mut Rng) -> Vec<(i64, Option<i64>)> {
        let mut line = self.begin(at, rng);
        while self.step(&mut line, rng) {}
        line.settled
    }

    /// When a run that goes on from here ends.
    pub fn end(&self, mut line: Line, rng: &mut Rng) -> f64 {
        while self.step(&mut line, rng) {}
        line.now
    }
}

pub fn ts(at: i64) -> Ts {
    Ts(at)
}
