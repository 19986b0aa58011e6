//! Unresolved bills by cause.

use serde::{Deserialize, Serialize};

use super::time::Ts;

/// One group of the ledger.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LedgerGroup {
    /// `failed`, `unknown` or `skipped`.
    pub slot: super::bill::Slot,
    /// Cause, reason or way of not knowing.
    pub group: String,
    /// Bills in it.
    pub count: u64,
    /// The oldest.
    pub oldest: Option<Ts>,
}

impl LedgerGroup {
    /// Sorts groups as they have to be seen: what nobody can say anything about, then what the ERP refused, then what was left
    /// out; the biggest of each first.
    pub fn sort(groups: &mut [Self]) {
        groups.sort_by_key(|group| (group.urgency(), std::cmp::Reverse(group.count)));
    }

    fn urgency(&self) -> u8 {
        use super::bill::Slot;
        match self.slot {
            Slot::Unknown => 0,
            Slot::Failed => 1,
            Slot::Waiting | Slot::Done | Slot::Already | Slot::Skipped | Slot::NotReached => 2,
        }
    }
}
