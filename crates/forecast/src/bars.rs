//! Alarm bars that move, so that what is borne of false alarms is kept to.
//!
//! Invariant: a bar moves only by whether it alarmed, by what people said, and by time.

use serde::{Deserialize, Serialize};

/// How strongly one alarm moves a bar.
const STEP: f64 = 0.25;

/// A chance below which something is an alarm.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Chance(f64);

impl Chance {
    /// Where it begins.
    pub const fn new(alpha: f64) -> Self {
        Self(alpha)
    }

    /// Whether so small a chance is an alarm.
    pub fn is_below(self, p: f64) -> bool {
        p < self.0
    }

    /// One more run: `target` alarms are borne a run.
    pub fn turn(&mut self, target: f64, alarmed: bool) {
        self.0 = (self.0 * (1.0 + STEP * (target - f64::from(u8::from(alarmed))))).clamp(1e-7, 0.02);
    }

    /// A person said that an alarm was none.
    pub fn raise(&mut self) {
        self.0 = (self.0 * 0.5).max(1e-7);
    }
}

/// A sum of what is off, that alarms when it is high enough.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Sum {
    bar: f64,
    sum: f64,
}

impl Sum {
    /// Where its bar begins.
    pub const fn new(bar: f64) -> Self {
        Self { bar, sum: 0.0 }
    }

    /// Adds how far off this one was, beyond what is let pass; gives whether it is over the bar.
    pub fn add(&mut self, off: f64, slack: f64) -> bool {
        self.sum = (self.sum + off - slack).clamp(0.0, 2.5 * self.bar);
        self.sum > self.bar
    }

    /// Whether nothing is off any more.
    pub fn is_calm(self) -> bool {
        self.sum < 0.3 * self.bar
    }

    /// Whether it stands at zero.
    pub fn is_zero(self) -> bool {
        self.sum <= 0.0
    }

    /// Begins again.
    pub fn reset(&mut self) {
        self.sum = 0.0;
    }

    /// One more run: `target` alarms are borne a run.
    pub fn turn(&mut self, target: f64, alarmed: bool) {
        self.bar = (self.bar * (1.0 - 0.5 * STEP * (target - f64::from(u8::from(alarmed))))).clamp(4.0, 60.0);
    }

    /// A person said that an alarm was none.
    pub fn raise(&mut self) {
        self.bar = (self.bar * 1.25).min(60.0);
    }
}

/// A span of time in which something is off.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Episode {
    /// Since when, as milliseconds.
    pub since: i64,
    /// What was seen since then.
    pub seen: f64,
    /// What was expected since then.
    pub expected: f64,
    /// Runs since then.
    pub runs: u32,
    /// An alarm was told.
    pub told: bool,
    /// A person said that it is none.
    pub denied: bool,
}

impl Episode {
    /// Nothing yet.
    pub fn new(since: i64) -> Self {
        Self { since, seen: 0.0, expected: 0.0, runs: 0, told: false, denied: false }
    }

    /// One more run.
    pub fn add(&mut self, seen: f64, expected: f64) {
        self.seen += seen;
        self.expected += expected;
        self.runs = self.runs.saturating_add(1);
    }
}
