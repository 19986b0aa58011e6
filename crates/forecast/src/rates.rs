//! Whether calls are refused more often than is usual for a plan.
//!
//! Invariant: as in [`crate::volume`], what is learned is cut at what was rare.

use serde::{Deserialize, Serialize};

use crate::bars::{Episode, Sum};
use crate::spans::DAY;

/// Weight that what was learned keeps from run to run.
const KEEP: f64 = 0.985;
/// Runs before anything is judged.
const RIPE: u32 = 30;
/// Drift within this is let pass.
const SLACK: f64 = 0.6;
/// Days after which what drifted is taken for usual.
const ADOPT_DAYS: i64 = 6;

/// A number of each run, and how it usually spreads.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Drift {
    mean: f64,
    /// Mean square of what is off.
    square: f64,
    weight: f64,
    runs: u32,
    up: Sum,
    pub episode: Option<Episode>,
}

impl Default for Drift {
    fn default() -> Self {
        Self { mean: 0.0, square: 0.0, weight: 0.0, runs: 0, up: Sum::new(12.0), episode: None }
    }
}

impl Drift {
    /// Takes the value of a run, whose own chance variation (a standard deviation) is known; `scale` turns it into what is
    /// shown. Gives whether an alarm begins.
    pub fn see(&mut self, value: f64, chance: f64, at: i64, target: f64, shown: f64) -> bool {
        let off = value - self.mean;
        let sd = (self.square + chance * chance).sqrt().max(1e-3);
        let score = (off / sd).clamp(-3.5, 3.5);
        let mut alarms = false;
        if self.runs >= RIPE {
            let over = self.up.add(score, SLACK);
            let was = self.episode.is_some_and(|e| e.told);
            self.follow(at, score, shown);
            if over
                && !was
                && let Some(episode) = &mut self.episode
            {
                episode.told = true;
                alarms = true;
            }
            self.up.turn(target, alarms);
            self.settle(at);
        }
        self.learn(score, sd, chance);
        alarms
    }

    fn follow(&mut self, at: i64, score: f64, shown: f64) {
        match &mut self.episode {
            Some(open) if !open.told && score < 1.0 && self.up.is_zero() => self.episode = None,
            Some(open) => open.add(shown, 1.0),
            None if score > 1.0 => {
                let mut open = Episode::new(at);
                open.add(shown, 1.0);
                self.episode = Some(open);
            }
            None => {}
        }
    }

    fn settle(&mut self, at: i64) {
        let Some(open) = self.episode.filter(|open| open.told) else { return };
        let long = at - open.since > ADOPT_DAYS * DAY && open.runs >= 6;
        if long || self.up.is_calm() {
            self.episode = None;
            self.up.reset();
        }
        if long {
            self.weight *= 0.1;
        }
    }

    fn learn(&mut self, score: f64, sd: f64, chance: f64) {
        let cut = if self.runs < 5 { score } else { score.clamp(-2.5, 2.5) };
        let off = cut * sd;
        self.weight = self.weight * KEEP + 1.0;
        let share = 1.0 / self.weight;
        self.mean += share * off;
        let beyond = (off * off * (1.0 - share) - chance * chance).max(0.0);
        self.square += share * (beyond - self.square);
        self.runs = self.runs.saturating_add(1);
    }

    /// What is usual.
    pub fn usual(&self) -> f64 {
        self.mean
    }

    /// Runs it has seen, of those it wants.
    pub fn ripe(&self) -> (u32, u32) {
        (self.runs, RIPE)
    }

    /// A person said that its alarm was none.
    pub fn deny(&mut self) -> bool {
        let Some(open) = self.episode.as_mut().filter(|open| open.told && !open.denied) else { return false };
        open.denied = true;
        self.up.raise();
        true
    }
}

/// A share as a number whose chance variation does not depend on it: twice the arc sine of its root.
pub(crate) fn arc(bad: u32, of: u32) -> (f64, f64) {
    let (bad, of) = (f64::from(bad), f64::from(of));
    let share = (bad + 0.375) / (of + 0.75);
    (2.0 * share.sqrt().asin(), 1.0 / of.max(1.0).sqrt())
}

/// The share that such a number stands for.
pub(crate) fn share(arc: f64) -> f64 {
    (arc.clamp(0.0, std::f64::consts::PI) / 2.0).sin().powi(2)
}
