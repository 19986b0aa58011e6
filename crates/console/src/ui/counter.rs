//! Counts what a selection of the ledger means, stretch by stretch, by the same filter and on the same rows as an order of it.
//!
//! Invariant: a number is exact once it is done; until then it is what was counted so far.

use skydeck_core::domain::command::Selection;
use skydeck_core::domain::query::{Cursor, LedgerCounts, LedgerGroup, Query};

/// Counting one selection.
#[derive(Debug)]
pub(crate) struct Counter {
    selection: Selection,
    counts: LedgerCounts,
    next: Next,
}

/// What there is to do.
#[derive(Debug)]
enum Next {
    Ask(Option<Cursor>),
    Wait,
    Done,
}

impl Counter {
    pub fn new(selection: Selection) -> Self {
        Self { selection, counts: LedgerCounts::default(), next: Next::Ask(None) }
    }

    /// The next question, once.
    pub fn query(&mut self) -> Option<Query> {
        let Next::Ask(after) = &self.next else { return None };
        let query = Query::LedgerCounts { selection: self.selection.clone(), after: after.clone() };
        self.next = Next::Wait;
        Some(query)
    }

    /// Takes the counts of a stretch.
    pub fn take(&mut self, more: LedgerCounts) {
        self.counts.append(more);
        self.next = match self.counts.next.take() {
            Some(after) => Next::Ask(Some(after)),
            None => Next::Done,
        };
    }

    /// Whether all of it was counted.
    pub fn is_done(&self) -> bool {
        matches!(self.next, Next::Done)
    }

    pub fn counts(&self) -> &LedgerCounts {
        &self.counts
    }

    /// The groups, as they have to be seen.
    pub fn groups(&self) -> Vec<LedgerGroup> {
        let mut groups = self.counts.groups.clone();
        LedgerGroup::sort(&mut groups);
        groups
    }
}
