//! Which ledger entries an order means: resolved from the store's index, never from a screen.
//!
//! Invariant: what is left out is counted with its reason.

use std::collections::BTreeMap;

use skydeck_core::domain::bill::Slot;
use skydeck_core::domain::command::Selection;
use skydeck_core::domain::filter::Filter;
use skydeck_core::domain::ids::{PlanId, RunId};
use skydeck_core::domain::query::{Cursor, LedgerCounts, PageRequest, Scope};
use skydeck_core::domain::reason::LeftOut;
use skydeck_core::domain::run::BillRow;
use skydeck_core::domain::time::Ts;
use skydeck_store::{Store, StoreError};

use super::control::MOST;
use super::decide::QUARANTINE;

/// Rows asked for at a time.
const PAGE: u32 = 500;
/// Rows counted by one question.
const STRETCH: u32 = 2_000;

/// What a selection came to.
#[derive(Clone, Debug, Default)]
pub struct Selected {
    /// Entries taken.
    pub rows: Vec<BillRow>,
    /// Entries left out, by reason.
    pub left_out: BTreeMap<LeftOut, u64>,
}

impl Selected {
    /// Leaves an entry out.
    pub fn leave(&mut self, why: LeftOut) {
        self.leave_many(why, 1);
    }

    /// Leaves several out for one reason.
    pub fn leave_many(&mut self, why: LeftOut, n: usize) {
        if n > 0 {
            *self.left_out.entry(why).or_insert(0) += n as u64;
        }
    }

    /// Keeps the entries that a read can tell something about: those that were called. A refused call may have taken all the
    /// same, so that refusals are looked at, too.
    pub fn keep_called(&mut self) {
        let called = |row: &BillRow| matches!(row.state.slot(), Slot::Unknown | Slot::Failed);
        let before = self.rows.len();
        self.rows.retain(called);
        self.leave_many(LeftOut::NotUnknown, before - self.rows.len());
    }

    /// The left-outs, counted.
    pub fn counts(&self) -> Vec<(LeftOut, u64)> {
        self.left_out.iter().map(|(why, n)| (*why, *n)).collect()
    }

    /// The left-outs in words, empty when there are none.
    pub fn words(&self) -> String {
        let parts: Vec<String> = self.left_out.iter().map(|(why, n)| format!("{n} {}", why.en())).collect();
        if parts.is_empty() { String::new() } else { format!("left out: {}", parts.join(", ")) }
    }
}

/// Finds the entries a selection means now. `quarantined`: take bills our process died on three times too.
pub async fn select(
    store: &dyn Store,
    selection: &Selection,
    quarantined: bool,
    now: Ts,
) -> Result<Selected, StoreError> {
    let mut selected = Selected::default();
    match selection {
        Selection::Bills(keys) => {
            let keys: std::collections::BTreeSet<_> = keys.iter().collect();
            for key in keys {
                match store.ledger_entry(key).await? {
                    Some(entry) => take(store, &mut selected, entry.row, quarantined).await?,
                    None => selected.leave(LeftOut::ResolvedMeanwhile),
                }
            }
        }
        Selection::Matching { plan, run, filter } => {
            let mut matching = Matching::new(store, filter, now);
            while let Some(rows) = matching.next().await? {
                for row in rows.into_iter().filter(|row| is_meant(row, plan.as_ref(), *run)) {
                    take(store, &mut selected, row, quarantined).await?;
                }
            }
        }
    }
    Ok(selected)
}

fn is_meant(row: &BillRow, plan: Option<&PlanId>, run: Option<RunId>) -> bool {
    plan.is_none_or(|plan| row.plan == *plan) && run.is_none_or(|run| row.run == run)
}

/// How many entries a selection means, by group, in the stretch of the ledger that one call looks at.
pub async fn count(
    store: &dyn Store,
    selection: &Selection,
    after: Option<Cursor>,
    now: Ts,
) -> Result<LedgerCounts, StoreError> {
    let mut counts = LedgerCounts::default();
    match selection {
        Selection::Bills(keys) => {
            let keys: std::collections::BTreeSet<_> = keys.iter().collect();
            for key in keys {
                if let Some(entry) = store.ledger_entry(key).await? {
                    counts.add(&BillRow { open_since: Some(entry.since), ..entry.row });
                }
            }
        }
        Selection::Matching { plan, run, filter } => {
            let page = PageRequest { cursor: after, ..PageRequest::first(STRETCH) };
            let found = store.bills(Scope::Ledger.asked(filter, &page, now)).await?;
            let last = found.rows.last().map(|(cursor, _)| cursor.clone());
            for (_, row) in found.rows.iter().filter(|(_, row)| is_meant(row, plan.as_ref(), *run)) {
                counts.add(row);
            }
            counts.next = found.stopped_at.or(last).filter(|_| found.more);
        }
    }
    Ok(counts)
}

async fn take(store: &dyn Store, selected: &mut Selected, row: BillRow, quarantined: bool) -> Result<(), StoreError> {
    if !quarantined && store.ledger_entry(&row.key).await?.is_some_and(|e| e.deaths >= QUARANTINE) {
        selected.leave(LeftOut::Quarantined);
    } else if selected.rows.len() >= MOST {
        selected.leave(LeftOut::TooMany);
    } else {
        selected.rows.push(row);
    }
    Ok(())
}

/// The ledger's rows that a filter lets pass, page by page.
pub struct Matching<'a> {
    store: &'a dyn Store,
    filter: &'a Filter,
    now: Ts,
    next: Option<PageRequest>,
}

impl<'a> Matching<'a> {
    /// From the first row on.
    pub fn new(store: &'a dyn Store, filter: &'a Filter, now: Ts) -> Self {
        Self { store, filter, now, next: Some(PageRequest::first(PAGE)) }
    }

    /// The next rows; `None` after the last.
    pub async fn next(&mut self) -> Result<Option<Vec<BillRow>>, StoreError> {
        let Some(page) = self.next.take() else { return Ok(None) };
        let got = self.store.bills(Scope::Ledger.asked(self.filter, &page, self.now)).await?;
        let last = got.rows.last().map(|(cursor, _)| cursor.clone());
        if let (Some(cursor), true) = (got.stopped_at.or(last), got.more) {
            self.next = Some(PageRequest { cursor: Some(cursor), ..page });
        }
        Ok(Some(got.rows.into_iter().map(|(_, row)| row).collect()))
    }
}
