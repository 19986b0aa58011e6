//! The sum line of a run.
//!
//! Invariant: `found = done + already + skipped + failed + unknown + not reached + waiting`, always.

use serde::{Deserialize, Serialize};

use crate::domain::bill::Slot;

/// The sum line. Its fields keep the names they have on disk and in JSON since 0.1.0, whatever the operation.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tally {
    /// Bills found.
    pub found: u64,
    /// Done by our call (answered or verified).
    pub audited: u64,
    /// Found done before any call of ours.
    pub already: u64,
    /// Skipped.
    pub skipped: u64,
    /// Refused by the ERP.
    pub failed: u64,
    /// Sent, no usable answer.
    pub unknown: u64,
    /// Not settled yet.
    pub waiting: u64,
    /// The approved run ended before their turn.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub not_reached: u64,
}

impl Tally {
    /// Adds newly found bills; they wait.
    pub fn add_found(&mut self, n: u64) {
        self.found = self.found.saturating_add(n);
        self.waiting = self.waiting.saturating_add(n);
    }

    /// Moves one bill between columns. `Err` when the column it should leave is empty: the caller's
    /// history is broken and must be said, not papered over.
    pub fn shift(&mut self, from: Slot, to: Slot) -> Result<(), TallyError> {
        let cell = self.slot_mut(from);
        *cell = cell.checked_sub(1).ok_or(TallyError { from, to })?;
        let cell = self.slot_mut(to);
        *cell = cell.saturating_add(1);
        Ok(())
    }

    /// Count in one column.
    pub fn get(&self, slot: Slot) -> u64 {
        match slot {
            Slot::Waiting => self.waiting,
            Slot::Done => self.audited,
            Slot::Already => self.already,
            Slot::Skipped => self.skipped,
            Slot::Failed => self.failed,
            Slot::Unknown => self.unknown,
            Slot::NotReached => self.not_reached,
        }
    }

    fn slot_mut(&mut self, slot: Slot) -> &mut u64 {
        match slot {
            Slot::Waiting => &mut self.waiting,
            Slot::Done => &mut self.audited,
            Slot::Already => &mut self.already,
            Slot::Skipped => &mut self.skipped,
            Slot::Failed => &mut self.failed,
            Slot::Unknown => &mut self.unknown,
            Slot::NotReached => &mut self.not_reached,
        }
    }

    /// Adds another sum, column by column.
    pub fn add(&mut self, other: &Self) {
        self.found = self.found.saturating_add(other.found);
        for slot in Slot::ALL {
            let cell = self.slot_mut(slot);
            *cell = cell.saturating_add(other.get(slot));
        }
    }

    /// Counts one bill that ended in a column.
    pub fn count(&mut self, slot: Slot) {
        self.found = self.found.saturating_add(1);
        let cell = self.slot_mut(slot);
        *cell = cell.saturating_add(1);
    }

    /// Whether the sum closes.
    pub fn closes(&self) -> bool {
        let sum: u64 = Slot::ALL.iter().map(|slot| self.get(*slot)).sum();
        sum == self.found
    }
}

/// A tally was asked to take a bill from an empty column.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the sum line cannot move a bill from {from:?} to {to:?}: none is there")]
pub struct TallyError {
    /// Column it should leave.
    pub from: Slot,
    /// Column it should enter.
    pub to: Slot,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde gives a reference")]
pub(super) fn is_zero(n: &u64) -> bool {
    *n == 0
}
