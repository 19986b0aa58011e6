//! Whether what runs find is still what is usual: single runs, silence, and drift, each with a bar of its own.
//!
//! Invariant: however many detectors think that too little comes, it is told once, until it is as usual again.

use serde::{Deserialize, Serialize};

use skydeck_core::domain::forecast::Forecaster;

use crate::bars::{Chance, Episode, Sum};
use crate::spread::{Spread, normal_score};

/// Chances of empty runs are not as independent as their product takes them.
const SHARED: f64 = 0.8;
/// Drift within this is let pass.
const SLACK: f64 = 0.5;
/// Days after which what drifted is taken for usual.
const ADOPT_DAYS: i64 = 6;

/// What is watched of a plan's volume.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Watch {
    low: Chance,
    high: Chance,
    silence: Chance,
    /// Log of the chance of all the empty runs since the last one that was not.
    empty: f64,
    down: Sum,
    up: Sum,
    /// The empty runs since the last one that was not.
    hollow: Option<Episode>,
    /// Too little since.
    pub quiet: Option<Episode>,
    /// Too much since.
    pub busy: Option<Episode>,
    /// Who told of each last.
    quiet_by: Forecaster,
    busy_by: Forecaster,
}

impl Default for Watch {
    fn default() -> Self {
        Self {
            low: Chance::new(6e-4),
            high: Chance::new(2e-4),
            silence: Chance::new(3e-3),
            empty: 0.0,
            hollow: None,
            down: Sum::new(7.5),
            up: Sum::new(11.0),
            quiet: None,
            busy: None,
            quiet_by: Forecaster::Found,
            busy_by: Forecaster::Found,
        }
    }
}

/// What a run showed.
pub(crate) struct Seen<'a> {
    pub at: i64,
    pub found: u64,
    pub spread: &'a Spread,
    /// Alarms borne a run, of each detector.
    pub target: f64,
    /// Whether enough was seen.
    pub ripe: bool,
    /// Whether the range was better than its baseline. Silence needs no range: what it says of nothing at all is right or
    /// wrong by itself.
    pub trusted: bool,
}

/// What follows from it.
#[derive(Debug, Default, PartialEq)]
pub(crate) struct Told {
    /// Alarms that begin.
    pub alarms: Vec<Forecaster>,
    /// What drifted is the usual from here on.
    pub adopt: bool,
}

impl Watch {
    /// Looks at a run.
    pub fn see(&mut self, run: &Seen<'_>) -> Told {
        let mut told = Told::default();
        let mid = run.spread.mid(run.found);
        let score = normal_score(mid).clamp(-4.0, 4.0);
        let mean = run.spread.mean();
        self.none_found(run);
        if !run.ripe {
            (self.empty, self.hollow) = (0.0, None);
            return told;
        }
        let low = run.trusted && self.low.is_below(mid);
        let silent = run.found == 0 && self.silence.is_below((SHARED * self.empty).exp());
        let down = self.down.add(-score, SLACK) && run.trusted;
        let high = run.trusted && self.high.is_below(1.0 - mid);
        let up = self.up.add(score, SLACK) && run.trusted;
        // What stands unusual began with the first run that was.
        follow(&mut self.quiet, run, mid < 0.2, self.down.is_zero());
        follow(&mut self.busy, run, mid > 0.8, self.up.is_zero());
        // Where each run by itself may well be empty, none of them is off, and all together are.
        if silent && self.quiet.is_none() {
            self.quiet = self.hollow;
        }
        let was = (is_told(self.quiet.as_ref()), is_told(self.busy.as_ref()));
        let quiet = [(low, Forecaster::Found), (silent, Forecaster::Silence), (down, Forecaster::Drift)];
        if let Some(by) = begin(&mut self.quiet, &quiet) {
            self.quiet_by = by;
            told.alarms.push(by);
        }
        let busy = [(high, Forecaster::Found), (up, Forecaster::Drift)];
        if let Some(by) = begin(&mut self.busy, &busy) {
            self.busy_by = by;
            told.alarms.push(by);
        }
        let began = |was: bool, by: bool| by && !was;
        self.low.turn(run.target, began(was.0, low));
        self.silence.turn(run.target, began(was.0, silent));
        self.down.turn(run.target, began(was.0, down));
        self.high.turn(run.target, began(was.1, high));
        self.up.turn(run.target, began(was.1, up));
        told.adopt = self.settle(run, mid, mean);
        told
    }

    /// Follows runs that find nothing at all.
    fn none_found(&mut self, run: &Seen<'_>) {
        if run.found > 0 {
            (self.empty, self.hollow) = (0.0, None);
            return;
        }
        self.empty += run.spread.ln_zero();
        self.hollow.get_or_insert_with(|| Episode::new(run.at)).add(0.0, run.spread.mean());
    }

    /// Ends what is usual again, and what has lasted so long that it is the usual now.
    fn settle(&mut self, run: &Seen<'_>, mid: f64, mean: f64) -> bool {
        let long = |episode: &Option<Episode>| {
            episode.as_ref().is_some_and(|e| e.told && run.at - e.since > ADOPT_DAYS * crate::spans::DAY && e.runs >= 6)
        };
        let (quiet, busy) = (long(&self.quiet), long(&self.busy));
        let usual = |sum: Sum, off: bool| !off && sum.is_calm() && mean > 0.0;
        // Silence is over with the first bill, and not sooner.
        let silent = self.hollow.is_some() && self.quiet_by == Forecaster::Silence;
        if quiet || (is_told(self.quiet.as_ref()) && usual(self.down, mid < 0.05 || silent)) {
            self.quiet = None;
            self.down.reset();
        }
        if busy || (is_told(self.busy.as_ref()) && usual(self.up, mid > 0.95)) {
            self.busy = None;
            self.up.reset();
        }
        quiet || busy
    }

    /// Who told of what stands.
    pub fn tellers(&self) -> (Forecaster, Forecaster) {
        (self.quiet_by, self.busy_by)
    }

    /// A person said that an alarm was none; gives whose it was.
    pub fn deny(&mut self, quiet: bool) -> Option<Forecaster> {
        let (episode, by) = if quiet { (&mut self.quiet, self.quiet_by) } else { (&mut self.busy, self.busy_by) };
        let episode = episode.as_mut().filter(|episode| episode.told && !episode.denied)?;
        episode.denied = true;
        match (by, quiet) {
            (Forecaster::Silence, _) => self.silence.raise(),
            (Forecaster::Drift, true) => self.down.raise(),
            (Forecaster::Drift, false) => self.up.raise(),
            (_, true) => self.low.raise(),
            (_, false) => self.high.raise(),
        }
        Some(by)
    }
}

fn is_told(episode: Option<&Episode>) -> bool {
    episode.is_some_and(|episode| episode.told)
}

fn follow(episode: &mut Option<Episode>, run: &Seen<'_>, off: bool, calm: bool) {
    match episode {
        // Nothing was told, and nothing is off any more: there was nothing.
        Some(open) if !open.told && !off && calm => *episode = None,
        Some(open) => open.add(run.found as f64, run.spread.mean()),
        None if off => {
            let mut open = Episode::new(run.at);
            open.add(run.found as f64, run.spread.mean());
            *episode = Some(open);
        }
        None => {}
    }
}

fn begin(episode: &mut Option<Episode>, by: &[(bool, Forecaster)]) -> Option<Forecaster> {
    let open = episode.as_mut().filter(|open| !open.told)?;
    let (_, by) = by.iter().find(|(alarms, _)| *alarms)?;
    open.told = true;
    Some(*by)
}

#[cfg(test)]
mod tests {
    use super::*;

    impl Watch {
        /// A run every hour that finds so many where nine in ten are expected; gives who told.
        fn sees(&mut self, hour: i64, found: u64) -> Vec<Forecaster> {
            let (at, spread) = (hour * 3_600_000, Spread::new(0.9, 0.1));
            self.see(&Seen { at, found, spread: &spread, target: 2e-4, ripe: true, trusted: true }).alarms
        }
    }

    #[test]
    fn runs_of_which_each_may_well_be_empty_are_told_together_and_once_until_something_comes() {
        let mut watch = Watch::default();
        for hour in 0..60 {
            assert_eq!(watch.sees(hour, u64::from(hour % 2 == 0)), [], "as usual");
        }
        let told: Vec<i64> = (61..85).filter(|hour| !watch.sees(*hour, 0).is_empty()).collect();
        assert_eq!(told.len(), 1, "{told:?}");
        let quiet = watch.quiet.unwrap();
        assert!(
            quiet.told && quiet.since == 59 * 3_600_000 && quiet.seen <= 0.0,
            "since the first empty run: {quiet:?}"
        );
        for hour in 85..100 {
            assert_eq!(watch.sees(hour, 2), []);
        }
        assert!(watch.quiet.is_none(), "as usual again: {:?}", watch.quiet);
    }
}
