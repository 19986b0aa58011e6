//! When the calls of a run are done: a rate, and how far such predictions were off before.
//!
//! Invariant: the range comes from this plan's own past runs; before there are enough of them only the rate speaks.

use std::collections::VecDeque;

use serde::{Deserialize, Serialize};

/// Half of the weight of a call is gone after so many milliseconds.
const HALF: f64 = 240_000.0;
/// One bill counts for so many of the others at most: a pause says little about what comes after it.
const LONG: f64 = 8.0;
/// Calls that what is usual counts for.
const USUAL: f64 = 15.0;
/// Calls of this run that count, at most.
const MOST: f64 = 60.0;
/// Errors kept of each group.
const KEPT: usize = 180;
/// Runs before a range is said.
pub(crate) const RIPE: u32 = 20;
/// Shares of a run at which it is predicted, to be scored at its end.
const MARKS: [f64; 6] = [0.02, 0.05, 0.1, 0.2, 0.5, 0.8];
/// Runs with fewer bills are over before anybody looks.
const FEW: u32 = 20;

/// What is learned of a plan.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Drain {
    /// Mean log of the milliseconds a bill takes, over runs.
    usual: f64,
    weight: f64,
    pub(crate) runs: u32,
    /// Errors before and after a tenth of a run, as `ln(actual / predicted) / width`.
    early: VecDeque<f32>,
    late: VecDeque<f32>,
}

/// A run that is worked on.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Drained {
    begun: i64,
    last: i64,
    bills: u32,
    done: u32,
    /// When the last of those is due that were put off.
    due: i64,
    /// Weighted calls and milliseconds of late.
    count: f64,
    time: f64,
    said: Vec<Said>,
}

/// What was said at a mark: when, milliseconds left as predicted, the width, whether early, the range, the baseline's.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
struct Said(i64, f64, f64, bool, Option<(f64, f64)>, f64);

/// When the calls will be done.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Done {
    /// Milliseconds from the last bill on, at least; 90 % lie between this and `high`. The same where no range is known.
    pub low: f64,
    /// In the middle.
    pub middle: f64,
    /// At most.
    pub high: f64,
    /// Whether there are enough past runs for a range.
    pub ranged: bool,
    /// The moment of that last bill, as milliseconds.
    pub since: i64,
}

/// How one prediction came out.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Scored {
    /// Share of the run that was done.
    pub at: f64,
    /// Milliseconds that it took, and that were predicted.
    pub actual: f64,
    /// See `actual`.
    pub predicted: f64,
    /// By `waiting / rate of late`: the same weighted calls, of which half of the weight is gone after four minutes, and nothing else.
    pub baseline: f64,
    /// The range, where there was one.
    pub range: Option<(f64, f64)>,
}

impl Drained {
    /// A run of so many bills begins to work.
    pub fn new(bills: u32, at: i64) -> Self {
        Self { begun: at, last: at, bills, ..Self::default() }
    }

    /// A bill was put off: before then it is not done.
    pub fn defer(&mut self, until: i64) {
        self.due = self.due.max(until);
    }

    /// A bill reached its outcome.
    pub fn settle(&mut self, at: i64, drain: &Drain) {
        let past = (at - self.last).max(0) as f64;
        let keep = 0.5_f64.powf(past / HALF);
        let each = if self.count > 4.0 { self.time / self.count } else { f64::INFINITY };
        self.time = self.time * keep + past.min(LONG * each.max(1.0));
        self.count = self.count * keep + 1.0;
        self.last = at.max(self.last);
        self.done = self.done.saturating_add(1);
        let share = f64::from(self.done) / f64::from(self.bills.max(1));
        while let Some(mark) = MARKS.get(self.said.len()).filter(|mark| share >= **mark) {
            if self.bills < FEW || share >= 1.0 {
                return;
            }
            let done = drain.ahead(self);
            let (width, early) = (self.width(), *mark < 0.1);
            let range = done.ranged.then_some((done.low, done.high));
            self.said.push(Said(at, done.middle, width, early, range, self.naive()));
        }
    }

    fn left(&self) -> f64 {
        f64::from(self.bills.saturating_sub(self.done))
    }

    fn width(&self) -> f64 {
        (0.02 + 1.0 / self.left().max(1.0)).sqrt()
    }

    /// What is compared with: what waits, by the rate of late alone.
    fn naive(&self) -> f64 {
        let rate = self.count / self.time.max(1.0);
        self.left() / rate.max(1e-9)
    }
}

impl Drain {
    /// When the rest of a run is done.
    pub fn ahead(&self, run: &Drained) -> Done {
        let recent = (self.slow_of(run)).max(1e-3).ln();
        let m = f64::from(run.done).min(MOST);
        let each = if self.weight > 0.0 { (m * recent + USUAL * self.usual) / (m + USUAL) } else { recent };
        // Who was put off is waited for, however fast the others are.
        let waits = if run.done < run.bills { (run.due - run.last).max(0) as f64 + each.exp() } else { 0.0 };
        let middle = (run.left() * each.exp()).max(waits);
        let errors = if f64::from(run.done) < 0.1 * f64::from(run.bills) { &self.early } else { &self.late };
        if self.runs < RIPE || errors.len() < RIPE as usize {
            return Done { low: middle, middle, high: middle, ranged: false, since: run.last };
        }
        let mut sorted: Vec<f64> = errors.iter().map(|error| f64::from(*error)).collect();
        sorted.sort_by(f64::total_cmp);
        let n = sorted.len() as f64;
        // Conformal: one more than there are shares the line.
        let rank = |share: f64| ((n + 1.0) * share).ceil().clamp(1.0, n) as usize - 1;
        let low_rank = ((n + 1.0) * 0.05).floor().clamp(1.0, n) as usize - 1;
        let at = |rank: usize| sorted.get(rank).copied().unwrap_or(0.0);
        let (low, high) = (at(low_rank), at(rank(0.95)));
        let width = run.width();
        let (low, high) = (middle * (low * width).exp(), middle * (high * width).exp());
        Done { low, middle, high, ranged: true, since: run.last }
    }

    fn slow_of(&self, run: &Drained) -> f64 {
        if run.count > 0.0 { run.time / run.count } else { self.usual.exp() }
    }

    /// Learns a run whose calls are done; gives how its predictions came out.
    pub fn learn(&mut self, run: &Drained) -> Vec<Scored> {
        let mut scored = Vec::new();
        if run.bills < FEW || run.done < run.bills || run.last <= run.begun {
            return scored;
        }
        for (mark, Said(at, predicted, width, early, range, baseline)) in MARKS.iter().zip(&run.said) {
            let actual = ((run.last - at).max(1)) as f64;
            let error = (actual / predicted.max(1.0)).ln() / width;
            let errors = if *early { &mut self.early } else { &mut self.late };
            errors.push_back(error.clamp(-100.0, 100.0) as f32);
            if errors.len() > KEPT {
                errors.pop_front();
            }
            scored.push(Scored { at: *mark, actual, predicted: *predicted, baseline: *baseline, range: *range });
        }
        let each = ((run.last - run.begun) as f64 / f64::from(run.bills)).max(1e-3).ln();
        self.weight = (self.weight * 0.95 + 1.0).min(20.0);
        self.usual += (each - self.usual) / self.weight;
        self.runs = self.runs.saturating_add(1);
        scored
    }
}
