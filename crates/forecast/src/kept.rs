//! A state as it is kept: a row a plan, and one for the runs that are open.
//!
//! Invariant: what does not read is no error; whoever keeps nothing that reads begins anew.

use skydeck_core::domain::ids::PlanId;

use crate::{Folder, State};

/// Name of the row of the open runs; names of plans begin otherwise.
const OPEN: &str = "=open";
/// Name of the row of closed periods.
const CLOSED: &str = "=closed";
/// What stands before a plan's name.
const PLAN: &str = "+";

/// Name and bytes.
pub type Row = (String, Vec<u8>);

impl State {
    /// Reads what was kept; `None` where any of it does not read.
    pub fn of_rows(rows: &[Row]) -> Option<Self> {
        let mut state = Self::default();
        for (name, bytes) in rows {
            if name == OPEN {
                state.open = rmp_serde::from_slice(bytes).ok()?;
            } else if name == CLOSED {
                state.closed = rmp_serde::from_slice(bytes).ok()?;
            } else {
                let plan = name.strip_prefix(PLAN)?;
                state.plans.insert(PlanId::new(plan), rmp_serde::from_slice(bytes).ok()?);
            }
        }
        Some(state)
    }
}

impl Folder {
    /// The rows that changed since they were taken last.
    pub fn take_rows(&mut self) -> Vec<Row> {
        let changed = std::mem::take(&mut self.changed);
        let plans = changed.iter().filter_map(|id| Some((id, self.state.plans.get(id)?)));
        let row = |(id, plan)| Some((format!("{PLAN}{id}"), rmp_serde::to_vec_named(plan).ok()?));
        let mut rows: Vec<Row> = plans.filter_map(row).collect();
        rows.extend(rmp_serde::to_vec_named(&self.state.open).ok().map(|bytes| (OPEN.to_owned(), bytes)));
        rows.extend(rmp_serde::to_vec_named(&self.state.closed).ok().map(|bytes| (CLOSED.to_owned(), bytes)));
        rows
    }
}
