//! The forecasters on made-up worlds: `cargo run --release -p skydeck-forecast --example world -- 1..50`, `-- second 1..50`,
//! `-- third 1..20`, of one kind `-- third shop 1..20`; `-- third own 1..20` says what the third one's generator counts
//! of itself, and asks no forecaster; `-- why 1..50` what was missed in the first one, and what could have been told at all.
#![allow(missing_docs, clippy::unwrap_used, clippy::indexing_slicing, clippy::print_stdout, clippy::panic)]

mod calls;
mod chance;
mod demand;
mod desks;
mod faults;
mod feed;
mod floor;
mod office;
mod own;
mod people;
mod trade;
mod why;

use std::collections::BTreeMap;

use chrono::Datelike;
use fastrand::Rng;
use sha2::{Digest, Sha256};

use skydeck_core::domain::forecast::{Finding, Forecaster};
use skydeck_core::domain::ids::PlanId;
use skydeck_forecast::{Alarm, Calendar, Folder, Moved, Scoring, State};

use self::calls::Wire;
use self::demand::Kind;
use self::feed::Feed;
use self::office::{DAY, Office, Queue, Run, begins, date, day_of, is_workday, poisson};
use self::people::{Company, Server};
use self::trade::Trade;

const BEGINS: &str = "2025-08-04";
const DAYS: i64 = 365;
const PLANS: u64 = 4;
const MONTHS: f64 = DAYS as f64 / 30.0;
/// What sets the chances of a seed's queue apart from those of its plans.
const QUEUE: u64 = 0xd2a1;

/// Which of the worlds is played.
#[derive(Clone, Copy, PartialEq)]
enum World {
    First,
    Second,
    Third,
}

/// A plan's year, of whichever world.
struct Year {
    plan: PlanId,
    /// Bills of a usual day.
    volume: f64,
    /// What it is a plan of, in the third world.
    kind: Option<Kind>,
    /// Runs a day, and the hour of the first one.
    a_day: usize,
    first: u32,
    /// What it was made from, in the first world.
    office: Option<Office>,
    runs: Vec<Run>,
}

impl Year {
    fn new(world: World, seed: u64, n: u64, rng: &mut Rng) -> Self {
        let begins = date(BEGINS);
        match world {
            World::First => {
                let office = Office::new(n, rng);
                let runs = office.year(begins, DAYS, rng);
                let (a_day, first) = (office.runs.len(), office.runs[0]);
                let (plan, volume) = (office.plan.clone(), office.volume);
                Self { plan, volume, kind: None, a_day, first, office: Some(office), runs }
            }
            World::Second => {
                let Company { volume, hours, runs } = Company::new(begins, DAYS, rng);
                let plan = PlanId::new(format!("plan{n}"));
                Self { plan, volume, kind: None, a_day: hours.len(), first: hours[0], office: None, runs }
            }
            World::Third => {
                let Trade { kind, own, a_day, first, runs } = third(seed, n);
                let plan = PlanId::new(format!("plan{n}"));
                Self { plan, volume: own.volume, kind: Some(kind), a_day, first, office: None, runs }
            }
        }
    }
}

/// A plan of the third world, whatever was drawn before it.
fn third(seed: u64, n: u64) -> Trade {
    Trade::new(date(BEGINS), DAYS as usize, &mut Rng::with_seed((seed * PLANS + n) ^ 0x7a11))
}

/// What was counted.
#[derive(Default)]
struct Sums {
    /// Of which kind plans are played, where not all are.
    only: Option<Kind>,
    plans: u32,
    months: f64,
    alarms: BTreeMap<(Forecaster, &'static str), u32>,
    worst: f64,
    worst_seed: f64,
    early: (u32, f64),
    base: [(u32, f64); 2],
    base_worst: [f64; 2],
    one: Caught,
    one_large: Caught,
    silent: Caught,
    two_days: Caught,
    half: Caught,
    base_caught: [[Caught; 3]; 2],
    inside: (u32, u32),
    gain: f64,
    done: BTreeMap<u32, Vec<Ended>>,
    facts: u64,
    nanos: u128,
    bytes: usize,
    /// What was missed, and why, where that is asked for.
    why: Option<why::Why>,
}

/// Errors of the forecast and of its baseline, whether the range held, and how wide it was.
type Ended = (f64, f64, Option<(bool, f64)>);

#[derive(Default, Clone)]
struct Caught {
    of: u32,
    runs: Vec<u32>,
}

impl Caught {
    fn add(&mut self, at: Option<u32>) {
        self.of += 1;
        self.runs.extend(at);
    }

    fn words(&self) -> String {
        let mut runs = self.runs.clone();
        runs.sort_unstable();
        let median = runs.get(runs.len() / 2).map_or("-".to_owned(), |n| format!("run {n}"));
        format!("{:.3} of {}, median {median}", self.runs.len() as f64 / f64::from(self.of.max(1)), self.of)
    }
}

fn folder(state: State) -> Folder {
    Folder::new(Calendar::china().clone(), 1.0, state)
}

/// The two rules that forecasts of volume are compared with.
#[derive(Default)]
struct Rules {
    hours: BTreeMap<u32, (f64, f64, f64)>,
    on: [bool; 2],
}

impl Rules {
    fn see(&mut self, at: i64, found: u64, learn: bool) -> [bool; 2] {
        let day = day_of(at);
        let hour = day.weekday().num_days_from_monday() * 24 + ((at - begins(day)) / 3_600_000) as u32;
        let weekday = day.weekday().num_days_from_monday() < 5;
        let (n, sum, square) = self.hours.get(&hour).copied().unwrap_or_default();
        let mean = sum / n.max(1.0);
        let sd = (square / n.max(1.0) - mean * mean).max(0.0).sqrt();
        let alarm = [weekday && found == 0, n >= 3.0 && (found as f64 - mean).abs() > 3.0 * sd.max(0.5)];
        if learn {
            let x = found as f64;
            self.hours.insert(hour, (n * 0.95 + 1.0, sum * 0.95 + x, square * 0.95 + x * x));
        }
        let began = [alarm[0] && !self.on[0], alarm[1] && !self.on[1]];
        self.on = alarm;
        began
    }
}

fn is_quiet(alarms: &[Alarm]) -> bool {
    alarms.iter().any(|alarm| matches!(alarm.finding, Finding::Quiet { .. }))
}

/// Plays runs with other counts from a state on; gives the run at which a quiet plan is told.
fn play(state: &State, plan: &PlanId, feed: &Feed, runs: &[Run], with: &mut dyn FnMut(u64) -> u64) -> Option<u32> {
    let mut folder = folder(state.clone());
    for (n, run) in (1..).zip(runs) {
        let (_, alarms) = feed.collect(&mut folder, plan, run.at, with(run.found));
        if is_quiet(&alarms) {
            return Some(n);
        }
    }
    None
}

/// Every second one of so many, by chance.
fn thin(rng: &mut Rng, n: u64) -> u64 {
    (0..n).filter(|_| rng.bool()).count() as u64
}

/// What goes wrong on purpose, from a state on that saw none of it.
fn wrong(sums: &mut Sums, state: &State, rules: &Rules, office: &Year, feed: &Feed, rest: &[Run], rng: &mut Rng) {
    let plan = &office.plan;
    let in_days = |days: usize| {
        let (mut seen, mut last) = (0, None);
        let fits = |run: &&Run| {
            let day = day_of(run.at);
            if last != Some(day) {
                (last, seen) = (Some(day), seen + 1);
            }
            seen <= days
        };
        rest.iter().take_while(fits).copied().filter(|run| is_workday(day_of(run.at))).collect::<Vec<Run>>()
    };
    let one = play(state, plan, feed, &rest[..1], &mut |_| 0);
    sums.one.add(one);
    if office.volume >= 150.0 {
        sums.one_large.add(one);
    }
    let silent = play(state, plan, feed, &in_days(1), &mut |_| 0);
    sums.silent.add(silent);
    sums.two_days.add(play(state, plan, feed, &rest[..rest.len().min(2 * office.a_day)], &mut |_| 0));
    let seed = rng.u64(..);
    let half = &rest[..rest.len().min(5 * office.a_day)];
    let mut chance = Rng::with_seed(seed);
    let halved = play(state, plan, feed, half, &mut |n| thin(&mut chance, n));
    sums.half.add(halved);
    if let Some(why) = &mut sums.why {
        why.look(&why::Wrong { state, office, feed, rest, day: &in_days(1), half, seed, silent, halved });
    }
    let two = &rest[..rest.len().min(2 * office.a_day)];
    for which in 0..2 {
        let mut chance = Rng::with_seed(seed);
        let rule = |runs: &[Run], with: &mut dyn FnMut(u64) -> u64| {
            let mut copy = Rules { hours: rules.hours.clone(), on: [false; 2] };
            (1..).zip(runs).find(|(_, run)| copy.see(run.at, with(run.found), false)[which]).map(|(n, _)| n)
        };
        sums.base_caught[which][0].add(rule(&rest[..1], &mut |_| 0));
        sums.base_caught[which][1].add(rule(two, &mut |_| 0));
        sums.base_caught[which][2].add(rule(half, &mut |n| thin(&mut chance, n)));
    }
}

/// Unresolved bills of a plan: what comes of refusals and how long each stays.
fn ledger(open: &mut Vec<i64>, failed: u64, day: i64, rng: &mut Rng) -> Moved {
    let before = open.len();
    open.retain(|due| *due > day);
    let left = (before - open.len()) as u64;
    // A third is tried again at once and goes through.
    let entered = (0..failed).filter(|_| rng.u8(0..3) > 0).count() as u64;
    open.extend((0..entered).map(|_| day + 1 + poisson(1.2, rng) as i64));
    Moved { group: "stock".to_owned(), entered, left }
}

/// Adds up a plan's year.
fn tally(sums: &mut Sums, fold: &mut Folder, told: u32, base: [u32; 2]) {
    for score in fold.take_scores() {
        if let Scoring::Found { inside, gain, .. } = score.what {
            sums.inside.0 += u32::from(inside);
            sums.inside.1 += 1;
            sums.gain += gain;
        }
    }
    sums.worst = sums.worst.max(f64::from(told) / MONTHS);
    for (which, alarms) in base.into_iter().enumerate() {
        sums.base[which].0 += alarms;
        sums.base[which].1 += MONTHS;
        sums.base_worst[which] = sums.base_worst[which].max(f64::from(alarms) / MONTHS);
    }
    sums.early.1 += 56.0 / 30.0;
    sums.plans += 1;
    sums.months += MONTHS;
    sums.bytes = sums.bytes.max(rmp_serde::to_vec_named(&fold.state).unwrap().len());
}

fn volume(world: World, seed: u64, sums: &mut Sums, feed: &Feed) {
    let mut rng = Rng::with_seed(seed);
    let (mut all, mut months) = (0, 0.0);
    for n in 0..PLANS {
        let office = Year::new(world, seed, n, &mut rng);
        if sums.only.is_some() && sums.only != office.kind {
            continue;
        }
        let runs = &office.runs;
        if let Some(why) = &mut sums.why {
            why.year(seed, n, &office);
        }
        let mut fold = folder(State::default()).scoring();
        let mut rules = Rules::default();
        let (mut told, mut base, mut open) = (0, [0, 0], Vec::new());
        let mut today = day_of(runs[0].at);
        let mut failed = 0;
        let mut next_wrong = rng.i64(60..75);
        for (at, run) in runs.iter().enumerate() {
            let day = day_of(run.at);
            let number = (begins(day) - begins(day_of(runs[0].at))) / DAY;
            let mut alarms = Vec::new();
            if day != today {
                let moved = [ledger(&mut open, failed, number, &mut rng)];
                alarms.extend(fold.ledger_day(&office.plan, office::ts(begins(day)), &moved));
                (today, failed) = (day, 0);
            }
            failed += run.failed;
            let hour = (run.at - begins(day)) / 3_600_000;
            let calm = fold.say(&office.plan, None).is_none_or(|said| said.found.is_empty());
            let usable = number < DAYS - 10 && is_workday(day) && day.weekday().num_days_from_monday() < 5;
            let settled = office.office.as_ref().is_none_or(|it| (number - it.shift.0).unsigned_abs() > 8);
            // A silent day is a whole one; one empty run may be any.
            let first = hour == i64::from(office.first);
            if number >= next_wrong && calm && usable && settled && first {
                next_wrong = number + rng.i64(6..12);
                wrong(sums, &fold.state, &rules, &office, feed, &runs[at..], &mut rng);
            }
            let began = std::time::Instant::now();
            alarms.extend(feed.run(&mut fold, &office.plan, run));
            sums.nanos += began.elapsed().as_nanos();
            sums.facts += 4 + run.found / 100 + 2 * run.found;
            let ruled = rules.see(run.at, run.found, true);
            for (sum, alarms) in base.iter_mut().zip(ruled) {
                *sum += u32::from(alarms);
            }
            for alarm in alarms {
                *sums.alarms.entry((alarm.by, alarm.finding.alert())).or_default() += 1;
                told += 1;
                if number < 56 {
                    sums.early.0 += 1;
                }
            }
        }
        tally(sums, &mut fold, told, base);
        all += told;
        months += MONTHS;
    }
    sums.worst_seed = sums.worst_seed.max(f64::from(all) / f64::max(months, 1.0));
}

/// When a run of a queue opens: two a day.
fn opens(n: i64) -> i64 {
    begins(date("2026-03-02")) + n * DAY / 2 + 9 * 3_600_000
}

fn drain(world: World, seed: u64, sums: &mut Sums, feed: &Feed) {
    let mut rng = Rng::with_seed(seed ^ QUEUE);
    let plan = PlanId::new("queue");
    let queue = (world == World::First).then(|| Queue::new(&mut rng));
    let server = (world == World::Second).then(|| Server::new(&mut rng));
    let wire = (world == World::Third).then(|| Wire::new(&mut rng));
    let mut fold = folder(State::default()).scoring();
    for n in 0..120 {
        let at = opens(n);
        let of_first = queue.as_ref().map(|queue| queue.run(at, &mut rng));
        let of_second = server.as_ref().map(|server| server.run(at, &mut rng));
        let of_third = wire.as_ref().map(|wire| wire.run(at, &mut rng));
        let settled = of_first.or(of_second).or(of_third).unwrap();
        feed.queue(&mut fold, &plan, at, &settled);
    }
    for score in fold.take_scores() {
        if let Scoring::Done(one) = score.what {
            let off = |said: f64| (said - one.actual).abs() / one.actual;
            let range = one.range.map(|(low, high)| ((low..=high).contains(&one.actual), high / low));
            let key = (one.at * 100.0).round() as u32;
            sums.done.entry(key).or_default().push((off(one.predicted), off(one.baseline), range));
        }
    }
}

fn quantile(sorted: &[f64], share: f64) -> f64 {
    sorted.get(((sorted.len() as f64 * share) as usize).min(sorted.len().saturating_sub(1))).copied().unwrap_or(0.0)
}

fn sorted(all: impl Iterator<Item = f64>) -> Vec<f64> {
    let mut all: Vec<f64> = all.collect();
    all.sort_by(f64::total_cmp);
    all
}

/// Which forecasters these are: the hash of their source.
fn hash() -> String {
    let dir = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut files: Vec<_> = std::fs::read_dir(dir).unwrap().map(|file| file.unwrap().path()).collect();
    files.sort();
    let mut hash = Sha256::new();
    for file in files {
        hash.update(file.file_name().unwrap().as_encoded_bytes());
        hash.update(std::fs::read(file).unwrap());
    }
    let digits = |byte: &u8| [byte >> 4, byte & 15].map(|digit| char::from_digit(u32::from(digit), 16).unwrap());
    hash.finalize().iter().flat_map(digits).collect()
}

fn print(sums: &Sums) {
    println!("| false alarms a plan and 30 days | all | worst plan |");
    println!("|---|---|---|");
    let all: u32 = sums.alarms.values().sum();
    println!(
        "| forecasters | {:.2} (worst company {:.2}) | {:.2} |",
        f64::from(all) / sums.months,
        sums.worst_seed,
        sums.worst
    );
    for (which, name) in ["0 found on a weekday", "mean ± 3 sd, same hour of week"].iter().enumerate() {
        println!(
            "| {name} | {:.2} | {:.2} |",
            f64::from(sums.base[which].0) / sums.base[which].1,
            sums.base_worst[which]
        );
    }
    println!("\nof the forecasters, in the first 8 weeks: {:.2}", f64::from(sums.early.0) / sums.early.1);
    for ((by, alert), n) in &sums.alarms {
        println!("- {} ({alert}): {:.3}", by.word(), f64::from(*n) / sums.months);
    }
    println!("\n| caught | forecasters | 0 found on a weekday | mean ± 3 sd |");
    println!("|---|---|---|---|");
    let rules = |at: usize| format!("{} | {}", sums.base_caught[0][at].words(), sums.base_caught[1][at].words());
    println!("| one empty run | {} | {} |", sums.one.words(), rules(0));
    println!("| one empty run, ≥ 150 bills a day | {} | | |", sums.one_large.words());
    println!("| a silent working day | {} | | |", sums.silent.words());
    println!("| two silent days | {} | {} |", sums.two_days.words(), rules(1));
    println!("| half missing for 5 days | {} | {} |", sums.half.words(), rules(2));
    let inside = f64::from(sums.inside.0) / f64::from(sums.inside.1.max(1));
    println!(
        "\nfound: 90 % range covers {inside:.3}; {:.3} nats a run better than the same hour of the week",
        sums.gain / f64::from(sums.inside.1.max(1))
    );
    println!(
        "\n| calls done, at progress | median error, 90 % | `waiting / rate of late`: median, 90 % | range covers | width, median |"
    );
    println!("|---|---|---|---|---|");
    let (mut covered, mut of) = (0, 0);
    for (at, all) in &sums.done {
        let (ours, base) = (sorted(all.iter().map(|x| x.0)), sorted(all.iter().map(|x| x.1)));
        let ranges: Vec<(bool, f64)> = all.iter().filter_map(|x| x.2).collect();
        let held = ranges.iter().filter(|(held, _)| *held).count();
        (covered, of) = (covered + held, of + ranges.len());
        println!(
            "| {at} % | {:.3}, {:.2} | {:.3}, {:.2} | {:.3} of {} | ×{:.2} |",
            quantile(&ours, 0.5),
            quantile(&ours, 0.9),
            quantile(&base, 0.5),
            quantile(&base, 0.9),
            held as f64 / ranges.len().max(1) as f64,
            ranges.len(),
            quantile(&sorted(ranges.iter().map(|x| x.1)), 0.5)
        );
    }
    println!("\nrange covers in all {:.3}", f64::from(covered as u32) / f64::from((of as u32).max(1)));
    println!(
        "\n{} facts, {:.2} µs each; a plan's state {} bytes at most",
        sums.facts,
        sums.nanos as f64 / 1000.0 / sums.facts as f64,
        sums.bytes
    );
}

fn main() {
    let mut args: Vec<String> = std::env::args().skip(1).collect();
    let (world, name) = match args.first().map(String::as_str) {
        Some("second") => (World::Second, "second"),
        Some("third") => (World::Third, "third"),
        _ => (World::First, "first"),
    };
    let wish =
        args.pop().filter(|wish| wish.contains(|c: char| c.is_ascii_digit())).unwrap_or_else(|| "1..8".to_owned());
    let (first, last) =
        wish.split_once("..").map_or((wish.clone(), wish.clone()), |(a, b)| (a.to_owned(), b.to_owned()));
    let (first, last): (u64, u64) = (first.parse().unwrap(), last.parse().unwrap());
    let word = args.get(1).map(String::as_str);
    if word == Some("own") {
        let plans = (first..=last).flat_map(|seed| (0..PLANS).map(move |n| third(seed, n)));
        own::print(&plans.collect::<Vec<Trade>>(), MONTHS);
        let runs = |seed| {
            let mut rng = Rng::with_seed(seed ^ QUEUE);
            let wire = Wire::new(&mut rng);
            (0..120).map(|n| (opens(n), wire.run(opens(n), &mut rng))).collect()
        };
        return own::ends(&(first..=last).map(runs).collect::<Vec<_>>());
    }
    if args.first().is_some_and(|word| word == "why") {
        println!("first world, seeds {first} to {last}; forecasters {}\n", hash());
        let (mut sums, feed) = (Sums { why: Some(why::Why::default()), ..Sums::default() }, Feed::new());
        (first..=last).for_each(|seed| volume(World::First, seed, &mut sums, &feed));
        sums.why.take().unwrap().print(&sums);
        return floor::print(first, last, &feed);
    }
    let only = word.and_then(|word| Kind::ALL.into_iter().find(|kind| kind.word() == word));
    println!("{name} world, seeds {first} to {last}, {PLANS} plans and {DAYS} days each");
    println!("forecasters {}\n", hash());
    let (mut sums, feed) = (Sums { only, ..Sums::default() }, Feed::new());
    let mut wrong = faults::Sums::default();
    for seed in first..=last {
        volume(world, seed, &mut sums, &feed);
        drain(world, seed, &mut sums, &feed);
        faults::company(world, seed, &mut wrong, &feed);
    }
    print(&sums);
    wrong.print();
}
