//! A run while it is open: what it found, and how its calls go.
//!
//! Invariant: numbers only; no bill is remembered.

use serde::{Deserialize, Serialize};

use skydeck_core::domain::bill::{Found, Outcome, Slot};
use skydeck_core::domain::ids::PlanId;
use skydeck_core::domain::run::{RunHead, RunKind};
use skydeck_core::domain::time::Ts;
use skydeck_core::domain::transition::BillChange;

use crate::drain::{Done, Drain, Drained};

/// An open run.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Run {
    pub(crate) plan: PlanId,
    pub(crate) kind: RunKind,
    /// A person cut its query.
    pub(crate) ranged: bool,
    pub(crate) opened: Ts,
    /// What it found was looked at.
    pub(crate) judged: bool,
    found: u64,
    /// Those of them that the query did not bring anew.
    again: u64,
    pub(crate) done: u32,
    pub(crate) failed: u32,
    pub(crate) drained: Option<Drained>,
    pub(crate) gap: bool,
}

impl Run {
    pub(crate) fn new(head: &RunHead) -> Self {
        Self {
            plan: head.plan.clone(),
            kind: head.kind,
            ranged: head.range.is_some(),
            opened: head.opened,
            judged: false,
            found: 0,
            again: 0,
            done: 0,
            failed: 0,
            drained: None,
            gap: false,
        }
    }

    pub(crate) fn found(&mut self, bills: &[Found]) {
        let again = |bill: &&Found| bill.probe.is_some() || bill.absent || bill.outside;
        self.again += bills.iter().filter(again).count() as u64;
        self.found += bills.len() as u64;
    }

    /// Bills that came anew.
    pub(crate) fn count(&self) -> u64 {
        self.found - self.again
    }

    /// Facts of it may be kept no longer: what is left of them says too little.
    pub(crate) fn has_gap(&mut self) {
        (self.gap, self.drained) = (true, None);
    }

    /// It goes to work.
    pub(crate) fn begins(&mut self, at: Ts) {
        self.drained = (!self.gap).then(|| Drained::new(u32::try_from(self.found).unwrap_or(u32::MAX), at.0));
    }

    /// How long it takes says nothing about others.
    pub(crate) fn is_broken(&mut self) {
        self.drained = None;
    }

    pub(crate) fn bill(&mut self, change: &BillChange<'_>, at: Ts, drain: &Drain) {
        match change {
            BillChange::Settled { was: Slot::Waiting, outcome, .. } => {
                match outcome {
                    Outcome::Done { .. } => self.done = self.done.saturating_add(1),
                    Outcome::Failed(_) => self.failed = self.failed.saturating_add(1),
                    Outcome::Already { .. } | Outcome::Skipped(_) | Outcome::Unknown(_) => {}
                }
                if let Some(drained) = &mut self.drained {
                    drained.settle(at.0, drain);
                }
            }
            BillChange::Deferred { until, .. } => {
                if let Some(drained) = &mut self.drained {
                    drained.defer(until.0);
                }
            }
            BillChange::Tried { .. }
            | BillChange::Answered { .. }
            | BillChange::Read { .. }
            | BillChange::Settled { .. } => {}
        }
    }

    /// When its calls are done, where it is at work.
    pub fn done(&self, drain: &Drain) -> Option<Done> {
        self.drained.as_ref().map(|drained| drain.ahead(drained))
    }
}
