//! Which ledger entries an order means: resolved from the store's index, never from a screen.
//!
//! Invariant: what is left out is counted with its reason.

use std::collections::BTreeMap;

use skydeck_core::domain::command::Selection;
use skydeck_core::domain::filter::Filter;
use skydeck_core::domain::ids::{PlanId, RunId};
use skydeck_core::domain::query::{PageRequest, Scope};
use skydeck_core::domain::reason::LeftOut;
use skydeck_core::domain::run::BillRow;
use skydeck_core::domain::time::Ts;
use skydeck_store::{Store, StoreError};

use super::control::MOST;
use super::decide::QUARANTINE;

/// Rows asked for at a time.
const PAGE: u32 = 500;

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
pub fn select(store: &dyn Store, selection: &Selection, quarantined: bool, now: Ts) -> Result<Selected, StoreError> {
    let mut selected = Selected::default();
    match selection {
        Selection::Bills(keys) => {
            let keys: std::collections::BTreeSet<_> = keys.iter().collect();
            for key in keys {
                take(store, &mut selected, store.ledger_entry(key)?.map(|e| e.row), quarantined)?;
            }
        }
        Selection::Matching { plan, run, filter } => {
            matching(store, plan.as_ref(), *run, filter, now, &mut |row| {
                take(store, &mut selected, Some(row), quarantined)
            })?;
        }
    }
    Ok(selected)
}

fn take(store: &dyn Store, selected: &mut Selected, row: Option<BillRow>, quarantined: bool) -> Result<(), StoreError> {
    let Some(row) = row else {
        selected.leave(LeftOut::ResolvedMeanwhile);
        return Ok(());
    };
    if !quarantined && store.ledger_entry(&row.key)?.is_some_and(|e| e.deaths >= QUARANTINE) {
        selected.leave(LeftOut::Quarantined);
    } else if selected.rows.len() >= MOST {
        selected.leave(LeftOut::TooMany);
    } else {
        selected.rows.push(row);
    }
    Ok(())
}

/// Walks the ledger over all its pages.
pub fn matching(
    store: &dyn Store,
    plan: Option<&PlanId>,
    run: Option<RunId>,
    filter: &Filter,
    now: Ts,
    each: &mut dyn FnMut(BillRow) -> Result<(), StoreError>,
) -> Result<(), StoreError> {
    let mut page = PageRequest::first(PAGE);
    loop {
        let got = store.bills(Scope::Ledger, filter, &page, now)?;
        let last = got.rows.last().map(|(cursor, _)| cursor.clone());
        for (_, row) in got.rows {
            if plan.is_none_or(|p| row.plan == *p) && run.is_none_or(|r| row.run == r) {
                each(row)?;
            }
        }
        match got.stopped_at.or(last) {
            Some(cursor) if got.more => page.cursor = Some(cursor),
            _ => return Ok(()),
        }
    }
}
