//! Unresolved bills by cause.

use serde::{Deserialize, Serialize};

use super::cursor::Cursor;
use super::ids::{OpId, PlanId};
use super::run::BillRow;
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

/// Counts of a stretch of the ledger. Those of all its stretches together are what an order of the same selection means.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct LedgerCounts {
    /// Groups that hold a bill that is meant, in no order.
    pub groups: Vec<LedgerGroup>,
    /// Plans of these bills.
    pub plans: Vec<PlanId>,
    /// Their operations.
    pub operations: Vec<OpId>,
    /// Where the next stretch begins; none behind the last.
    pub next: Option<Cursor>,
}

impl LedgerCounts {
    /// Adds a bill.
    pub fn add(&mut self, row: &BillRow) {
        let Some(outcome) = row.state.outcome() else { return };
        let group = LedgerGroup {
            slot: outcome.slot(),
            group: outcome.group().unwrap_or_default(),
            count: 1,
            oldest: row.open_since,
        };
        self.join(group);
        if !self.plans.contains(&row.plan) {
            self.plans.push(row.plan.clone());
        }
        if !self.operations.contains(&row.key.op) {
            self.operations.push(row.key.op.clone());
        }
    }

    /// Adds the counts of the stretch behind this one.
    pub fn append(&mut self, more: Self) {
        more.groups.into_iter().for_each(|group| self.join(group));
        for plan in more.plans {
            if !self.plans.contains(&plan) {
                self.plans.push(plan);
            }
        }
        for op in more.operations {
            if !self.operations.contains(&op) {
                self.operations.push(op);
            }
        }
        self.next = more.next;
    }

    fn join(&mut self, more: LedgerGroup) {
        let same = |group: &&mut LedgerGroup| group.slot == more.slot && group.group == more.group;
        match self.groups.iter_mut().find(same) {
            Some(group) => {
                group.count += more.count;
                group.oldest = [group.oldest, more.oldest].into_iter().flatten().min();
            }
            None => self.groups.push(more),
        }
    }

    /// Bills counted.
    pub fn total(&self) -> u64 {
        self.groups.iter().map(|group| group.count).sum()
    }
}
