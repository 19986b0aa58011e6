//! One run in detail in the third made-up world: rule 29 of `docs/design/third-world.md`.

use fastrand::Rng;

use super::chance::{between, exponential, happens, lognormal, normal, one_of};
use super::office::{begins, day_of};

const SECOND: f64 = 1000.0;
const MINUTE: f64 = 60.0 * SECOND;

/// The order in which bills come.
#[derive(Clone, Copy, PartialEq)]
enum Order {
    Mixed,
    ByCustomer,
    LargeLast,
}

/// A plan and the server that it calls.
pub struct Wire {
    at_once: usize,
    /// Milliseconds a line of a bill.
    a_line: f64,
    /// Milliseconds between two calls, where a pace is kept.
    gap: f64,
    order: Order,
}

/// How much of the server others take, minute by minute from the start of a run.
struct Load(Vec<f64>);

impl Load {
    fn new(at: i64, rng: &mut Rng) -> Self {
        let minute = (at - begins(day_of(at))) / 60_000;
        let base = if minute < 720 { 0.35 } else { 0.1 };
        let mut all = Vec::new();
        let mut wander = between(-0.1, 0.1, rng);
        for n in 0..1440 {
            wander = (wander + 0.02 * normal(rng)).clamp(-0.1, 0.1);
            let backup = ((minute + n) / 60 % 24 == 22).then_some(0.4);
            all.push(base + wander + backup.unwrap_or(0.0));
        }
        // A report may be under way when the run starts.
        let mut from = exponential(120.0, rng) - 25.0;
        while from < 1440.0 {
            let to = from + between(3.0, 25.0, rng);
            all.iter_mut().take(to.max(0.0) as usize).skip(from.max(0.0) as usize).for_each(|load| *load += 0.35);
            from += exponential(120.0, rng);
        }
        Self(all)
    }

    /// How much slower than alone, so many milliseconds after the start.
    fn slows(&self, ms: f64) -> f64 {
        let at = ((ms / MINUTE) as usize).min(self.0.len() - 1);
        1.0 / (1.0 - self.0[at].clamp(0.0, 0.85))
    }
}

/// Times when no call starts: after so many calls, for so many milliseconds.
fn stops(bills: usize, morning: bool, rng: &mut Rng) -> Vec<(usize, f64)> {
    let mut all = Vec::new();
    let mut at = exponential(500.0, rng);
    while at < bills as f64 {
        all.push((at as usize, between(5.0, 40.0, rng) * SECOND));
        at += exponential(500.0, rng);
    }
    if happens(0.05, rng) {
        all.push((rng.usize(0..bills), between(1.0, 6.0, rng) * MINUTE));
    }
    if morning && happens(0.04, rng) {
        all.push((rng.usize(0..bills), lognormal(8.0, 0.8, rng) * MINUTE));
    }
    all
}

/// Which bills users hold open.
fn held(bills: usize, rng: &mut Rng) -> Vec<bool> {
    let mut all = vec![false; bills];
    let many = (bills as f64 * between(0.0, 0.08, rng)).round() as usize;
    let (stretch, from) = (many / 2, rng.usize(0..bills));
    all.iter_mut().skip(from).take(stretch).for_each(|held| *held = true);
    for _ in stretch..many {
        all[rng.usize(0..bills)] = true;
    }
    all
}

impl Wire {
    pub fn new(rng: &mut Rng) -> Self {
        let at_once = [1, 2, 4][rng.usize(0..3)];
        let order = [Order::Mixed, Order::ByCustomer, Order::LargeLast][rng.usize(0..3)];
        let third = 0.4 / 3.0;
        let a_minute = one_of(&[(0.6, None), (third, Some(20.0)), (third, Some(60.0)), (third, Some(120.0))], rng);
        let gap = a_minute.map_or(0.0, |calls| MINUTE / calls);
        Self { at_once, a_line: between(20.0, 80.0, rng), gap, order }
    }

    /// Lines of each bill.
    fn bills(&self, rng: &mut Rng) -> Vec<f64> {
        let many = lognormal(250.0, 0.7, rng).round().clamp(20.0, 3000.0) as usize;
        let mut all: Vec<f64> = (0..many).map(|_| lognormal(4.0, 1.0, rng).round().max(1.0)).collect();
        match self.order {
            Order::Mixed => {}
            Order::LargeLast => all.sort_by(f64::total_cmp),
            Order::ByCustomer => {
                let mut at = 0;
                while at < many {
                    let stretch = rng.usize(5..=40);
                    if happens(0.1, rng) {
                        all.iter_mut().skip(at).take(stretch).for_each(|lines| *lines *= 6.0);
                    }
                    at += stretch;
                }
            }
        }
        all
    }

    /// A run that starts at this moment: when each bill is settled, or until when it is put off.
    pub fn run(&self, at: i64, rng: &mut Rng) -> Vec<(i64, Option<i64>)> {
        let lines = self.bills(rng);
        let held = held(lines.len(), rng);
        let load = Load::new(at, rng);
        let morning = at - begins(day_of(at)) < 12 * 3_600_000;
        let stops = stops(lines.len(), morning, rng);
        let (mut free, mut opens) = (vec![0.0_f64; self.at_once], 0.0);
        // Put off until, which bill, how often so far.
        let mut due: Vec<(f64, usize, i32)> = Vec::new();
        let (mut next, mut calls, mut all) = (0, 0, Vec::new());
        while next < lines.len() || !due.is_empty() {
            let who = (0..free.len()).min_by(|a, b| free[*a].total_cmp(&free[*b])).unwrap();
            let mut now = f64::max(free[who], opens);
            due.sort_by(|a, b| a.0.total_cmp(&b.0));
            let ready = due.first().is_some_and(|(until, ..)| *until <= now || next == lines.len());
            let (bill, times) = if ready {
                let (until, bill, times) = due.remove(0);
                now = now.max(until);
                (bill, times)
            } else {
                next += 1;
                (next - 1, 0)
            };
            let stop: f64 = stops.iter().filter(|(after, _)| *after == calls).map(|(_, ms)| ms).sum();
            now += stop;
            let cold = 1.0 + 2.0 * (1.0 - f64::from(calls as u32) / 10.0).max(0.0);
            let slows = cold * lognormal(1.0, 0.3, rng) * load.slows(now);
            calls += 1;
            opens = now + self.gap;
            let busy = if times == 0 { held[bill] } else { happens(0.4, rng) };
            // A held bill is refused before its lines are looked at.
            let ends = now + slows * (150.0 + if busy { 0.0 } else { lines[bill] * self.a_line });
            free[who] = ends;
            if busy {
                let until = ends + MINUTE * f64::from(1 << times.min(3));
                due.push((until, bill, times + 1));
                all.push((at + ends as i64, Some(at + until as i64)));
            } else {
                all.push((at + ends as i64, None));
            }
        }
        all.sort_by_key(|(now, _)| *now);
        all
    }
}
