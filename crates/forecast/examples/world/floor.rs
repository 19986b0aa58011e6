//! How far off the end of a run's calls is for somebody who knows the rules of the first made-up world, and what has happened so far,
//! but not what is left to chance: how long each call will take, how the load will swing, which bills will be held by others, whether somebody will
//! pause the run.
//!
//! He plays the rest a few hundred times from where it stands and takes the median.

use fastrand::Rng;

use skydeck_core::domain::ids::PlanId;
use skydeck_forecast::{Scoring, State};

use crate::feed::Feed;
use crate::office::{Line, Queue};
use crate::why::by;
use crate::{QUEUE, folder, opens, quantile, sorted};

const RUNS: i64 = 120;
/// Shares of a run at which it is predicted, as the forecasters do.
const MARKS: [f64; 6] = [0.02, 0.05, 0.1, 0.2, 0.5, 0.8];
/// How often the rest is played.
const PLAYED: usize = 200;
/// The window of the plain rate.
const LATE: i64 = 30_000;
const HEAD: &str = "| | predictions | forecaster | `waiting / rate of late` | `waiting / rate of 30 s` | who knows the rules | and the load |";

/// One run at one mark.
struct At {
    mark: u32,
    bills: f64,
    /// Milliseconds that were left.
    left: f64,
    /// Somebody paused it later, or a bill was put off later.
    paused: bool,
    put_off: bool,
    /// Errors: of the forecaster, of its baseline, of `waiting / calls of the last 30 s` where there was one, of who knows.
    ours: f64,
    base: f64,
    plain: Option<f64>,
    known: f64,
    watched: f64,
    /// There were enough past runs for a range.
    ranged: bool,
}

/// What is known at a mark, before what comes.
struct Seen {
    mark: u32,
    now: i64,
    known: f64,
    watched: f64,
    plain: Option<f64>,
    settled: usize,
    may_pause: bool,
}

/// Says at each mark of a run when it will be done.
fn knower(queue: &Queue, mut line: Line, at: i64, rng: &mut Rng, chance: &mut Rng) -> (Line, Vec<Seen>) {
    let (mut seen, mut done) = (Vec::new(), 0);
    let mut times = Vec::new();
    while queue.step(&mut line, rng) {
        let Some((now, None)) = line.settled.last().copied() else { continue };
        done += 1;
        times.push(now);
        let share = done as f64 / line.bills as f64;
        while let Some(mark) = MARKS.get(seen.len()).filter(|mark| share >= **mark && share < 1.0 && line.bills >= 20) {
            let ends = |line: &Line, chance: &mut Rng| {
                let mut end = || {
                    let mut rest = line.clone();
                    rest.pause_anew(chance);
                    queue.end(rest, chance) - now as f64
                };
                quantile(&sorted((0..PLAYED).map(|_| end())), 0.5)
            };
            let known = ends(&line, chance);
            let watched = ends(&queue.as_watched(&line, at), chance);
            let late = times.iter().filter(|time| **time > now - LATE).count() as f64;
            let window = (now - at).clamp(1, LATE) as f64;
            let plain = (late > 0.0).then(|| (line.bills - done) as f64 * window / late);
            let mark = (mark * 100.0).round() as u32;
            let settled = line.settled.len();
            seen.push(Seen { mark, now, known, watched, plain, settled, may_pause: line.is_to_be_paused() });
        }
    }
    (line, seen)
}

fn company(seed: u64, feed: &Feed, all: &mut Vec<At>) {
    let mut rng = Rng::with_seed(seed ^ QUEUE);
    let mut chance = Rng::with_seed(seed ^ 0xf100);
    let plan = PlanId::new("queue");
    let queue = Queue::new(&mut rng);
    let mut fold = folder(State::default()).scoring();
    for n in 0..RUNS {
        let at = opens(n);
        let line = queue.begin(at, &mut rng);
        let (line, seen) = knower(&queue, line, at, &mut rng, &mut chance);
        feed.queue(&mut fold, &plan, at, &line.settled);
        let scores = fold.take_scores().into_iter().filter_map(|score| match score.what {
            Scoring::Done(one) => Some(one),
            Scoring::Found { .. } => None,
        });
        for one in scores {
            let mark = (one.at * 100.0).round() as u32;
            let Some(seen) = seen.iter().find(|seen| seen.mark == mark) else { continue };
            let off = |said: f64| (said - one.actual).abs() / one.actual;
            all.push(At {
                mark,
                bills: line.bills as f64,
                left: one.actual,
                paused: seen.may_pause,
                put_off: line.settled[seen.settled..].iter().any(|(_, until)| until.is_some()),
                ours: off(one.predicted),
                base: off(one.baseline),
                plain: seen.plain.map(off),
                known: off(seen.known),
                watched: off(seen.watched),
                ranged: one.range.is_some(),
            });
            assert!((seen.now + one.actual as i64 - line.settled.last().unwrap().0).abs() <= 1);
        }
    }
}

fn row(name: &str, all: &[&At]) {
    let median = |of: &dyn Fn(&At) -> Option<f64>| quantile(&sorted(all.iter().filter_map(|one| of(one))), 0.5);
    println!(
        "| {name} | {} | {:.3} | {:.3} | {:.3} | {:.3} | {:.3} |",
        all.len(),
        median(&|one| Some(one.ours)),
        median(&|one| Some(one.base)),
        median(&|one| one.plain),
        median(&|one| Some(one.watched)),
        median(&|one| Some(one.known)),
    );
}

/// The tables.
pub fn print(first: u64, last: u64, feed: &Feed) {
    let mut all = Vec::new();
    for seed in first..=last {
        company(seed, feed, &mut all);
    }
    all.retain(|one| one.ranged);
    println!("\nend of the calls: median error");
    println!("{HEAD}");
    println!("|---|---|---|---|---|---|---|");
    for mark in MARKS.map(|mark| (mark * 100.0).round() as u32) {
        row(&format!("at {mark} %"), &all.iter().filter(|one| one.mark == mark).collect::<Vec<_>>());
    }
    let late: Vec<At> = all.into_iter().filter(|one| one.mark >= 20).collect();
    println!("\nfrom 20 % on");
    println!("{HEAD}");
    println!("|---|---|---|---|---|---|---|");
    row("all", &late.iter().collect::<Vec<_>>());
    for (name, some) in by(&late, &[100.0, 200.0, 400.0, 800.0], |one| one.bills) {
        row(&format!("{name} bills"), &some);
    }
    for (name, some) in by(&late, &[0.5, 1.0, 2.0, 5.0, 10.0], |one| one.left / 60_000.0) {
        row(&format!("{name} minutes left"), &some);
    }
    for (name, paused, put_off) in [
        ("nothing comes between", false, false),
        ("a bill is put off later", false, true),
        ("somebody pauses it later", true, false),
        ("both", true, true),
    ] {
        let some: Vec<&At> = late.iter().filter(|one| one.paused == paused && one.put_off == put_off).collect();
        row(name, &some);
    }
}
