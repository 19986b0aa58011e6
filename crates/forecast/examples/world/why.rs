//! What the forecasters missed in the first made-up world, and what somebody could have told there who knows its rules:
//! `cargo run --release -p skydeck-forecast --example world -- why 1..50`.
//!
//! Who knows the rules knows what is due at each run, and how much days and runs differ from one another; not how busy a day
//! or a run will be. He takes the more likely of two stories, "as always" and "half is missing", and cries where the second has been the
//! likelier one by so much (a sum of log likelihoods that does not fall below nothing).

use std::collections::BTreeMap;

use chrono::Datelike;
use fastrand::Rng;

use skydeck_core::domain::forecast::Forecaster;
use skydeck_forecast::{Spread, State};

use crate::feed::Feed;
use crate::office::{Office, Run, date, day_of, gamma};
use crate::{BEGINS, DAYS, Sums, Year, is_quiet, quantile, sorted, thin};

/// Days are taken as busy in so many ways, each as likely as the others.
const WAYS: usize = 24;
/// The bars that are tried.
const BARS: [f64; 10] = [1.0, 1.5, 2.0, 2.5, 3.0, 3.5, 4.0, 5.0, 6.0, 8.0];

/// What went wrong on purpose, on one morning, and whether it was told.
pub struct Wrong<'a> {
    pub state: &'a State,
    pub office: &'a Year,
    pub feed: &'a Feed,
    /// The runs from that morning on, those of that day, and those of five days.
    pub rest: &'a [Run],
    pub day: &'a [Run],
    pub half: &'a [Run],
    /// By which bills are left out.
    pub seed: u64,
    /// In which run it was told.
    pub silent: Option<u32>,
    pub halved: Option<u32>,
}

/// A silent day that was not told.
struct Missed {
    words: String,
    due: f64,
}

/// A half that was missing: bills due in all, deviation of a day, days in it without work; whether it was told, and at which bars by
/// who knows the rules.
struct Half {
    due: f64,
    day_cv: f64,
    free: usize,
    runs: usize,
    seed: u64,
    /// Whether the forecaster of counts was better than its baseline, how high the bar of drift stood, and the dispersion it believed in.
    trusted: bool,
    bar: f64,
    phi: f64,
    told: bool,
    known: [bool; BARS.len()],
}

/// See above.
#[derive(Default)]
pub struct Why {
    seed: u64,
    number: u64,
    knower: Option<Knower>,
    missed: Vec<Missed>,
    /// What was due on each silent day, and the chance that nothing comes on it by itself, and whether it was told.
    silent: Vec<(f64, f64, bool)>,
    halves: Vec<Half>,
    months: f64,
    cried: [u32; BARS.len()],
}

/// Who knows what is due.
struct Knower {
    due: Vec<f64>,
    run_phi: f64,
    /// How busy a day may be.
    ways: Vec<f64>,
    /// His sum at the beginning of each run's day, of a year in which nothing is wrong.
    sums: Vec<f64>,
}

/// A day as far as it was seen: log likelihoods by how busy it is, as always and halved.
struct Day {
    always: Vec<f64>,
    halved: Vec<f64>,
}

fn mean_of_logs(logs: &[f64]) -> f64 {
    let most = logs.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    most + (logs.iter().map(|log| (log - most).exp()).sum::<f64>() / logs.len() as f64).ln()
}

impl Day {
    fn new(ways: usize) -> Self {
        Self { always: vec![0.0; ways], halved: vec![0.0; ways] }
    }

    /// By how much a half is the likelier story, after one more run.
    fn see(&mut self, knower: &Knower, due: f64, found: u64) -> f64 {
        for (at, way) in knower.ways.iter().enumerate() {
            self.always[at] += Spread::new(due * way, knower.run_phi).ln_point(found);
            self.halved[at] += Spread::new(due * way / 2.0, knower.run_phi).ln_point(found);
        }
        mean_of_logs(&self.halved) - mean_of_logs(&self.always)
    }
}

impl Knower {
    fn new(office: &Office) -> Self {
        let mut rng = Rng::with_seed(1);
        let mut draws: Vec<f64> = (0..WAYS * 200).map(|_| gamma(office.day_cv, &mut rng)).collect();
        draws.sort_by(f64::total_cmp);
        let ways = (0..WAYS).map(|n| draws[n * 200 + 100]).collect();
        let due = office.due(date(BEGINS), DAYS);
        Self { due, run_phi: office.run_cv.powi(2), ways, sums: Vec::new() }
    }

    /// His sum after each run, from a sum on.
    fn play(&self, from: f64, first: usize, runs: &[Run], found: &mut dyn FnMut(u64) -> u64) -> Vec<f64> {
        let (mut before, mut sum, mut day) = (from, from, Day::new(WAYS));
        let mut today = runs.first().map(|run| day_of(run.at));
        let mut sums = Vec::new();
        for (run, due) in runs.iter().zip(&self.due[first..]) {
            if today != Some(day_of(run.at)) {
                (today, before, day) = (Some(day_of(run.at)), sum, Day::new(WAYS));
            }
            sum = (before + day.see(self, *due, found(run.found))).clamp(0.0, 20.0);
            sums.push(sum);
        }
        sums
    }

    /// Chance that runs find nothing by themselves.
    fn ln_nothing(&self, first: usize, runs: usize) -> f64 {
        let of = |way: &f64| {
            self.due[first..][..runs].iter().map(|due| Spread::new(due * way, self.run_phi).ln_zero()).sum()
        };
        mean_of_logs(&self.ways.iter().map(of).collect::<Vec<f64>>())
    }
}

impl Why {
    /// A plan's year begins.
    pub fn year(&mut self, seed: u64, number: u64, year: &Year) {
        (self.seed, self.number) = (seed, number);
        let mut knower = Knower::new(year.office.as_ref().unwrap());
        knower.sums = knower.play(0.0, 0, &year.runs, &mut |n| n);
        for (bar, cried) in BARS.iter().zip(&mut self.cried) {
            let mut on = false;
            for sum in &knower.sums {
                *cried += u32::from(!on && sum > bar);
                on = sum > bar || (on && *sum > 0.3 * bar);
            }
        }
        self.months += crate::MONTHS;
        self.knower = Some(knower);
    }

    /// Something went wrong on purpose.
    pub fn look(&mut self, wrong: &Wrong<'_>) {
        let knower = self.knower.as_ref().unwrap();
        let at = wrong.office.runs.len() - wrong.rest.len();
        let due: f64 = knower.due[at..][..wrong.day.len()].iter().sum();
        let by_itself = knower.ln_nothing(at, wrong.day.len()).exp();
        self.silent.push((due, by_itself, wrong.silent.is_some()));
        if wrong.silent.is_none() {
            self.missed.push(Missed { words: self.words(wrong, due, by_itself), due });
        }
        let mut chance = Rng::with_seed(wrong.seed);
        let before = at.checked_sub(1).map_or(0.0, |at| knower.sums[at]);
        let sums = knower.play(before, at, wrong.half, &mut |n| thin(&mut chance, n));
        let office = wrong.office.office.as_ref().unwrap();
        let mut free: Vec<_> = wrong.half.iter().map(|run| day_of(run.at)).filter(|d| !crate::is_workday(*d)).collect();
        free.dedup();
        let plan = &wrong.state.plans[&wrong.office.plan];
        let kept = serde_json::to_value(plan).unwrap();
        self.halves.push(Half {
            seed: self.seed,
            trusted: plan.standing(Forecaster::Found).speaks(),
            bar: number(&kept["watch"]["down"]["bar"]),
            phi: number(&kept["volume"]["phi"][0]) / number(&kept["volume"]["phi"][1]),
            due: knower.due[at..][..wrong.half.len()].iter().sum(),
            day_cv: office.day_cv,
            free: free.len(),
            runs: wrong.half.len(),
            told: wrong.halved.is_some(),
            known: BARS.map(|bar| sums.iter().any(|sum| *sum > bar)),
        });
    }

    /// A silent day that was not told: which, and what the forecasters had of it.
    fn words(&self, wrong: &Wrong<'_>, due: f64, by_itself: f64) -> String {
        let plan = &wrong.office.plan;
        let mut folder = crate::folder(wrong.state.clone());
        let bars = serde_json::to_value(&folder.state.plans[plan]).unwrap()["watch"].clone();
        for run in wrong.day {
            assert!(!is_quiet(&wrong.feed.collect(&mut folder, plan, run.at, 0).1));
        }
        let watch = serde_json::to_value(&folder.state.plans[plan]).unwrap()["watch"].clone();
        let day = day_of(wrong.day[0].at);
        let line =
            folder.say(plan, None).unwrap().lines.into_iter().find(|line| line.by == Forecaster::Silence).unwrap();
        format!(
            "| {} {plan} | {day} {} | {:.0} | {} | {due:.1} | {by_itself:.4} | {:.1} | {:.4} | {:.4} | {:?} |",
            self.seed,
            day.weekday(),
            wrong.office.volume,
            wrong.day.len(),
            number(&watch["quiet"]["expected"]),
            (0.8 * number(&watch["empty"])).exp(),
            number(&bars["silence"]),
            line.standing,
        )
    }

    pub fn print(&self, sums: &Sums) {
        println!("silent days that were not told: {} of {}", self.missed.len(), self.silent.len());
        println!(
            "| seed, plan | day | bills a day | runs | due that day | nothing by itself | expected | its chance | bar | standing |"
        );
        println!("|---|---|---|---|---|---|---|---|---|---|");
        let mut missed: Vec<&Missed> = self.missed.iter().collect();
        missed.sort_by(|a, b| a.due.total_cmp(&b.due));
        for one in missed {
            println!("{}", one.words);
        }
        println!("\n| bills due that day | silent days | told | empty by themselves, of a thousand |");
        println!("|---|---|---|---|");
        for (name, all) in by(&self.silent, &[5.0, 10.0, 20.0, 40.0], |one| one.0) {
            let told = all.iter().filter(|one| one.2).count();
            let by_itself = 1000.0 * all.iter().map(|one| one.1).sum::<f64>() / all.len() as f64;
            println!("| {name} | {} | {:.4} | {by_itself:.3} |", all.len(), told as f64 / all.len() as f64);
        }
        self.print_halves(sums);
    }

    fn print_halves(&self, sums: &Sums) {
        let quiet: u32 = sums.alarms.iter().filter(|((_, alert), _)| *alert == "quiet").map(|(_, n)| n).sum();
        let borne = f64::from(quiet) / sums.months;
        let share = |all: &[&Half], of: &dyn Fn(&Half) -> bool| {
            all.iter().filter(|one| of(one)).count() as f64 / all.len().max(1) as f64
        };
        let all: Vec<&Half> = self.halves.iter().collect();
        println!(
            "\nhalf missing for 5 days: {:.3} of {} told, with {borne:.3} false alarms of quiet plans",
            share(&all, &|one| one.told),
            all.len()
        );
        println!("| who knows the rules: bar | false alarms a plan and 30 days | told |");
        println!("|---|---|---|");
        for (at, bar) in BARS.iter().enumerate() {
            println!(
                "| {bar} | {:.3} | {:.3} |",
                f64::from(self.cried[at]) / self.months,
                share(&all, &|one| one.known[at])
            );
        }
        let at = (0..BARS.len()).find(|at| f64::from(self.cried[*at]) / self.months <= borne).unwrap_or(BARS.len() - 1);
        println!("\nthe same by what they are, who knows the rules with the bar {}", BARS[at]);
        println!("| | faults | told | by who knows the rules |");
        println!("|---|---|---|---|");
        let seeds = by_key(&self.halves, |one| one.seed);
        let shares: Vec<f64> = seeds.iter().map(|all| share(all, &|one| one.told)).collect();
        let mean = shares.iter().sum::<f64>() / shares.len() as f64;
        let square = shares.iter().map(|share| (share - mean).powi(2)).sum::<f64>() / (shares.len() as f64 - 1.0);
        println!(
            "\nby company: {mean:.3} told in the mean, from {:.3} to {:.3}; error of that mean {:.3}",
            quantile(&sorted(shares.iter().copied()), 0.0),
            quantile(&sorted(shares.iter().copied()), 1.0),
            (square / shares.len() as f64).sqrt()
        );
        let groups = [
            ("better than its baseline", by(&self.halves, &[0.5], |one| f64::from(u8::from(one.trusted)))),
            ("bar of drift", by(&self.halves, &[5.0, 7.0, 9.0, 12.0], |one| one.bar)),
            ("dispersion it believes in", by(&self.halves, &[0.02, 0.05, 0.1, 0.2], |one| one.phi)),
            ("runs in the 5 days", by(&self.halves, &[31.0], |one| one.runs as f64)),
            ("bills due in the 5 days", by(&self.halves, &[30.0, 60.0, 120.0, 240.0, 480.0], |one| one.due)),
            ("relative deviation of a day", by(&self.halves, &[0.1, 0.15, 0.18], |one| one.day_cv)),
            ("days without work among the 5", by(&self.halves, &[1.0, 2.0, 3.0, 4.0], |one| one.free as f64)),
        ];
        for (what, groups) in groups {
            for (name, all) in groups {
                println!(
                    "| {what}: {name} | {} | {:.3} | {:.3} |",
                    all.len(),
                    share(&all, &|one| one.told),
                    share(&all, &|one| one.known[at])
                );
            }
        }
    }
}

fn number(of: &serde_json::Value) -> f64 {
    of.as_f64().unwrap_or(f64::NAN)
}

/// Together what has the same key.
fn by_key<T>(all: &[T], of: impl Fn(&T) -> u64) -> Vec<Vec<&T>> {
    let mut groups: BTreeMap<u64, Vec<&T>> = BTreeMap::new();
    for one in all {
        groups.entry(of(one)).or_default().push(one);
    }
    groups.into_values().collect()
}

/// In groups by a number of each, cut at these.
pub fn by<'a, T>(all: &'a [T], cuts: &[f64], of: impl Fn(&T) -> f64) -> Vec<(String, Vec<&'a T>)> {
    let mut groups: BTreeMap<usize, Vec<&T>> = BTreeMap::new();
    for one in all {
        groups.entry(cuts.iter().filter(|cut| of(one) >= **cut).count()).or_default().push(one);
    }
    let name = |at: usize| match (at.checked_sub(1).map(|at| cuts[at]), cuts.get(at)) {
        (None, Some(to)) => format!("below {to}"),
        (Some(from), Some(to)) => format!("{from} to {to}"),
        (Some(from), None) => format!("{from} and more"),
        (None, None) => "all".to_owned(),
    };
    groups.into_iter().map(|(at, all)| (name(at), all)).collect()
}
