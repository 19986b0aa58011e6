//! A plan's year in the third made-up world: its runs (rules 23 to 28 of `docs/design/third-world.md`), and what the generator counts of itself.

use chrono::{Datelike, NaiveDate};
use fastrand::Rng;

use super::chance::{between, count, happens, normal, one_of, some};
use super::demand::{Demand, HOUR, Kind, STEPS};
use super::desks::{Desks, is_office};
use super::office::{Run, begins};

/// What the generator counts of itself (rule 30).
#[derive(Default, Clone, Copy)]
pub struct Own {
    /// Bills a day: the median over working days of what became submitted.
    pub volume: f64,
    pub runs: usize,
    pub empty: usize,
    /// First runs of working days, and the empty ones of them.
    pub first: usize,
    pub first_empty: usize,
    /// Working days with a run, and those on which nothing was found.
    pub days: usize,
    pub days_empty: usize,
    pub disturbed: usize,
    pub found: u64,
    pub failed: u64,
}

/// A plan's year.
pub struct Trade {
    pub kind: Kind,
    pub own: Own,
    /// Runs of a day, and the hour of the first one.
    pub a_day: usize,
    pub first: u32,
    pub runs: Vec<Run>,
}

/// When runs start.
struct Schedule {
    /// Steps of a day.
    steps: Vec<usize>,
    /// Days of the week, from Monday on.
    week: u32,
    by_hand: bool,
    /// Days on which the host is off.
    off: Vec<bool>,
}

impl Schedule {
    fn new(demand: &Demand, rng: &mut Rng) -> Self {
        let half = HOUR / 2;
        let hourly: Vec<usize> = (8..=19).map(|hour| hour * HOUR).collect();
        let once = if rng.bool() { 10 * HOUR } else { 17 * HOUR + half };
        let sorts = [
            (0.15, vec![once]),
            (0.2, vec![11 * HOUR, 17 * HOUR]),
            (0.25, vec![9 * HOUR + half, 12 * HOUR, 15 * HOUR, 18 * HOUR]),
            (0.25, hourly),
            (0.15, (16..=41).map(|n| n * half).collect()),
        ];
        let which: Vec<(f64, usize)> = sorts.iter().enumerate().map(|(n, (weight, _))| (*weight, n)).collect();
        let mut steps = sorts[one_of(&which, rng)].1.clone();
        let mut week = one_of(&[(0.6, 7), (0.15, 6), (0.25, 5)], rng);
        if demand.kind == Kind::Shop {
            week = 7;
            if rng.bool() {
                steps = (0..24).map(|hour| hour * HOUR).collect();
            }
        }
        let off = demand.days.works.iter().map(|works| happens(if *works { 0.003 } else { 0.01 }, rng)).collect();
        Self { steps, week, by_hand: happens(0.4, rng), off }
    }

    /// The steps of one day at which a run starts.
    fn of_day(&self, n: usize, demand: &Demand, rng: &mut Rng) -> Vec<usize> {
        let days = &demand.days;
        let mut all = Vec::new();
        if days.dates[n].weekday().num_days_from_monday() < self.week {
            all.clone_from(&self.steps);
        }
        if self.by_hand && days.works[n] {
            let more = if days.in_month(n).1 <= 2 { 1 } else { count(0.15, rng) };
            all.extend((0..more).map(|_| rng.usize(9 * HOUR..18 * HOUR)));
        }
        if self.off[n] {
            all.clear();
        }
        all.sort_unstable();
        all.dedup();
        all
    }
}

/// What stands submitted, and what is refused of it.
struct Pool {
    share: f64,
    /// Steps of the year between which an item is short, and the share of bills that it is on.
    short: Vec<(usize, usize)>,
    of_short: f64,
    sweeps: bool,
    fresh: usize,
    /// How many of the fresh ones are filled in wrongly.
    wrong: usize,
    refused: usize,
    /// How many are edited at which step.
    cures: Vec<usize>,
}

impl Pool {
    fn new(demand: &Demand, rng: &mut Rng) -> Self {
        let days = &demand.days;
        let of_short = match demand.kind {
            Kind::Deliveries => 0.3,
            Kind::Dock | Kind::Shop => 0.15,
            Kind::Invoices | Kind::Claims => 0.0,
        };
        let times = count(1.5 * days.dates.len() as f64 / 30.0, rng);
        let mut short = || {
            let on = days.after(rng.usize(0..days.dates.len()), 1);
            let from = on * STEPS + rng.usize(8 * HOUR..17 * HOUR);
            (from, days.after(on, rng.usize(1..=2)) * STEPS + 15 * HOUR)
        };
        let short = (0..times).map(|_| short()).collect();
        let (share, sweeps) = (between(0.005, 0.03, rng), happens(0.25, rng));
        let cures = vec![0; days.dates.len() * STEPS + 1];
        Self { share, short, of_short, sweeps, fresh: 0, wrong: 0, refused: 0, cures }
    }

    /// The chance of a refusal now.
    fn chance(&self, (n, step): (usize, usize), demand: &Demand) -> f64 {
        let at = n * STEPS + step;
        let short = self.short.iter().any(|(from, to)| (*from..*to).contains(&at));
        let item = if short { self.of_short } else { 0.0 };
        let (worked, _) = demand.days.in_month(n);
        let period = if worked <= 3 && demand.days.works[n] { 0.08 } else { 0.0 };
        1.0 - (1.0 - self.share) * (1.0 - item) * (1.0 - period)
    }

    /// When a refused bill is edited.
    fn edited(&self, (n, step): (usize, usize), demand: &Demand, rng: &mut Rng) -> usize {
        let (days, last) = (&demand.days, self.cures.len() - 1);
        let when = one_of(&[(0.5, 0), (0.4, 1), (0.1, 2)], rng);
        if when == 0 {
            let (mut at, mut left) = (n * STEPS + step, rng.usize(0..=2 * HOUR));
            while left > 0 && at < last {
                at += 1;
                left -= usize::from(days.works[(at / STEPS).min(days.works.len() - 1)] && is_office(at % STEPS));
            }
            return at.max(n * STEPS + step + 1).min(last);
        }
        let worked = if when == 1 { 1 } else { rng.usize(1..=12) };
        (days.after(n, worked) * STEPS + 9 * HOUR + 6).max(n * STEPS + step + 1).min(last)
    }

    /// A run; gives what it finds and what is refused of it.
    fn run(&mut self, at: (usize, usize), demand: &Demand, rng: &mut Rng) -> (usize, usize) {
        let again = if self.sweeps { self.refused.min(2000) } else { 0 };
        let fresh = self.fresh.min(2000 - again);
        self.fresh -= fresh;
        let wrong = self.wrong.min(fresh);
        self.wrong -= wrong;
        let refused = wrong + some(fresh - wrong, self.chance(at, demand), rng);
        self.refused += refused;
        for _ in 0..refused {
            let edited = self.edited(at, demand, rng);
            self.cures[edited] += 1;
        }
        (again + fresh, again + refused)
    }
}

/// How long a call takes, as a logarithm of milliseconds (rule 28).
fn call((n, step): (usize, usize), (median, of_day): (f64, f64), demand: &Demand, rng: &mut Rng) -> f64 {
    let busy: f64 = if matches!(step / HOUR, 10 | 15) { 1.25 } else { 1.0 };
    let close: f64 = if demand.days.works[n] && demand.days.in_month(n).1 <= 2 { 1.4 } else { 1.0 };
    let slow: f64 = if happens(0.01, rng) { 4.0 } else { 1.0 };
    (median * busy * close * slow).ln() + of_day + 0.15 * normal(rng)
}

/// Whether a day is one that somebody would want to be told of.
fn is_disturbed(n: usize, demand: &Demand, desks: &Desks, off: bool) -> bool {
    let steps = (0..STEPS).filter(|step| is_office(*step)).map(|step| n * STEPS + step);
    let down = |at: &usize| desks.outages.erp[*at] || desks.is_imported() && desks.outages.interface[*at];
    let (date, goods) = (demand.days.dates[n], demand.kind.of_goods());
    let counted = goods && [(6, 30), (12, 31)].contains(&(date.month(), date.day()));
    steps.filter(down).count() > 3 * HOUR || demand.weather.contains(&n) || counted || off
}

impl Trade {
    pub fn new(from: NaiveDate, days: usize, rng: &mut Rng) -> Self {
        let demand = Demand::new(from, days, rng);
        let mut desks = Desks::new(&demand, rng);
        let schedule = Schedule::new(&demand, rng);
        let mut pool = Pool::new(&demand, rng);
        let median = between(300_f64.ln(), 2500_f64.ln(), rng).exp();
        let (mut own, mut runs, mut submitted) = (Own::default(), Vec::new(), Vec::new());
        for n in 0..days {
            desks.morning(n, &demand, rng);
            let starts = schedule.of_day(n, &demand, rng);
            let (of_day, mut sum, today) = (0.1 * normal(rng), 0, runs.len());
            for step in 0..STEPS {
                if starts.contains(&step) && !desks.outages.erp[n * STEPS + step] {
                    let (found, failed) = pool.run((n, step), &demand, rng);
                    let at = begins(demand.days.dates[n]) + step as i64 * 300_000 + rng.i64(0..=90_000);
                    let ms = call((n, step), (median, of_day), &demand, rng);
                    let bad = failed as f64 / (found as f64).max(1.0);
                    runs.push(Run { at, found: found as u64, failed: failed as u64, bad, ms });
                }
                let cured = std::mem::take(&mut pool.cures[n * STEPS + step]);
                pool.refused -= cured;
                let (stands, wrong) = desks.step((n, step), &demand, rng);
                pool.fresh += stands + cured;
                pool.wrong += wrong;
                sum += stands;
            }
            if demand.days.works[n] {
                submitted.push(sum as f64);
                own.count(&runs[today..]);
                own.disturbed += usize::from(is_disturbed(n, &demand, &desks, schedule.off[n]));
            }
        }
        submitted.sort_by(f64::total_cmp);
        own.volume = submitted[submitted.len() / 2];
        own.total(&runs);
        let (a_day, first) = (schedule.steps.len(), (schedule.steps[0] / HOUR) as u32);
        Self { kind: demand.kind, own, a_day, first, runs }
    }
}

impl Own {
    /// A working day's runs.
    fn count(&mut self, runs: &[Run]) {
        let Some(first) = runs.first() else { return };
        self.first += 1;
        self.first_empty += usize::from(first.found == 0);
        self.days += 1;
        self.days_empty += usize::from(runs.iter().all(|run| run.found == 0));
    }

    fn total(&mut self, runs: &[Run]) {
        self.runs = runs.len();
        self.empty = runs.iter().filter(|run| run.found == 0).count();
        self.found = runs.iter().map(|run| run.found).sum();
        self.failed = runs.iter().map(|run| run.failed).sum();
    }
}
