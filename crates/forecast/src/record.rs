//! How a forecaster did, day by day, over the last 30 days.
//!
//! Invariant: never more than so many days are kept.

use serde::{Deserialize, Serialize};

use skydeck_core::domain::forecast;

/// Days that count.
const DAYS: usize = 30;
/// Days after which half of what was gained counts no more: a month in which nothing is special proves nothing.
const GAIN_HALF: f64 = 60.0;

/// One day: its number, predictions, those in range, what was gained over the baseline, alarms, alarms denied.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
struct Day(i32, u32, u32, f64, u32, u32);

/// The days.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Record {
    days: Vec<Day>,
    /// Gained over the baseline, what is long ago counting less.
    gained: f64,
}

impl Record {
    fn day(&mut self, day: i32) -> Option<&mut Day> {
        let past = self.days.last().map_or(1, |last| day.saturating_sub(last.0));
        if past > 0 {
            self.gained *= 0.5_f64.powf(f64::from(past) / GAIN_HALF);
            self.days.push(Day(day, 0, 0, 0.0, 0, 0));
        }
        let oldest = day.saturating_sub(DAYS as i32);
        self.days.retain(|day| day.0 > oldest);
        self.days.last_mut()
    }

    /// A prediction was made and then seen.
    pub(crate) fn scored(&mut self, day: i32, inside: bool, gain: f64) {
        if let Some(day) = self.day(day) {
            day.1 = day.1.saturating_add(1);
            day.2 = day.2.saturating_add(u32::from(inside));
            day.3 += gain;
        }
        self.gained += gain;
    }

    /// An alarm began.
    pub(crate) fn alarmed(&mut self, day: i32) {
        if let Some(day) = self.day(day) {
            day.4 = day.4.saturating_add(1);
        }
    }

    /// A person said that one was none.
    pub(crate) fn denied(&mut self, day: i32) {
        if let Some(day) = self.day(day) {
            day.5 = day.5.saturating_add(1);
        }
    }

    /// Whether it was better than its baseline, over all that counts.
    pub(crate) fn beats(&self) -> bool {
        self.gained > 0.0
    }

    /// The sum.
    pub fn sum(&self) -> forecast::Record {
        let mut sum = forecast::Record::default();
        let mut gain = 0.0;
        for Day(_, asked, inside, gained, alarms, denied) in &self.days {
            sum.asked = sum.asked.saturating_add(*asked);
            sum.inside = sum.inside.saturating_add(*inside);
            sum.alarms = sum.alarms.saturating_add(*alarms);
            sum.denied = sum.denied.saturating_add(*denied);
            gain += gained;
        }
        sum.gain = (1000.0 * gain / f64::from(sum.asked.max(1))).clamp(-1e9, 1e9).round() as i32;
        sum
    }
}
