//! What a forecast of volume has to beat: the mean of the same hour of the week.
//!
//! Invariant: it sees what the forecast sees, and nothing of it comes into the forecast.

use serde::{Deserialize, Serialize};

use crate::spread::Spread;

/// Hours of a week.
const HOURS: usize = 168;
/// Weight that what was seen keeps from week to week.
const KEEP: f64 = 0.9;

/// Mean and weight of an hour.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
struct Mean(f64, f64);

/// The means.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Baseline {
    hours: Vec<Mean>,
    all: Mean,
    /// What is off squared, without chance, and the squared means.
    off: f64,
    of: f64,
}

impl Default for Baseline {
    fn default() -> Self {
        Self { hours: vec![Mean::default(); HOURS], all: Mean::default(), off: 0.3, of: 1.0 }
    }
}

impl Baseline {
    /// How the count of a run in an hour of the week is expected to spread; `None` before there was any.
    pub fn expect(&self, hour: usize) -> Option<Spread> {
        let own = self.hours.get(hour).filter(|mean| mean.1 > 1.5).unwrap_or(&self.all);
        (own.1 > 0.0).then(|| Spread::new(own.0, self.off / self.of))
    }

    /// Takes what a run found.
    pub fn learn(&mut self, hour: usize, found: u64) {
        let bills = found as f64;
        if let Some(was) = self.expect(hour) {
            let weight = 1.0 / (1.0 + was.mean()).powi(2);
            let keep = 0.98;
            self.off = (self.off * keep + weight * ((bills - was.mean()).powi(2) - was.mean())).max(1e-3);
            self.of = self.of * keep + weight * was.mean().powi(2);
            self.of = self.of.max(1e-3);
        }
        let add = |mean: &mut Mean, keep: f64| {
            mean.1 = mean.1 * keep + 1.0;
            mean.0 += (bills - mean.0) / mean.1;
        };
        add(&mut self.all, 0.99);
        if let Some(mean) = self.hours.get_mut(hour) {
            add(mean, KEEP);
        }
    }
}
