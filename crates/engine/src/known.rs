//! A bill of a run with all that is known of it before anybody decides: its row, what it was found as, its past; and what is
//! left of that for the call which is decided for.

use std::time::Duration;

use skydeck_core::domain::bill::{Rendered, Rev};
use skydeck_core::domain::ids::{Fid, RunId};
use skydeck_core::domain::run::BillRow;
use skydeck_store::{Store, StoreError};

use super::bill_history::BillHistory;

/// A bill of a run with what is needed to decide about it.
pub(super) struct Known {
    pub row: BillRow,
    pub found: Rev,
    /// What is to be made of it, where the plan makes bills; without the body.
    pub body: Option<Box<Rendered>>,
    /// The run took it up from the ledger and did not find it.
    pub absent: bool,
    /// The run took it up from the ledger, and the plan's filter leaves it out.
    pub outside: bool,
    pub past: BillHistory,
}

/// A bill that a call may be made for.
#[derive(Clone, Debug)]
pub struct Candidate {
    /// Bill.
    pub fid: Fid,
    /// Its number.
    pub no: String,
    /// Place of the step to call.
    pub at: usize,
    /// Revision that was read.
    pub rev: Rev,
    /// The bill that was made of it, once it is there: what later steps act on.
    pub made: Option<(Fid, String)>,
    /// What it was found as: the key and the hash of its body, where one is made.
    pub body: Option<Box<Rendered>>,
    /// Its past when it was read.
    pub past: BillHistory,
    /// When its status was read, monotonic.
    pub read_at: Duration,
}

/// Adds to each row what it was found as and its past.
pub(super) async fn know(store: &dyn Store, run: RunId, rows: Vec<BillRow>) -> Result<Vec<Known>, StoreError> {
    let mut all = Vec::with_capacity(rows.len());
    for row in rows {
        let found = store.found(run, row.fid()).await?;
        let absent = found.as_ref().is_some_and(|found| found.absent);
        let outside = found.as_ref().is_some_and(|found| found.outside);
        let (found, body) = found.map_or_else(|| (row.rev.clone(), None), |found| (found.rev, found.body));
        let past = BillHistory::of(store, &row.key, run).await?;
        all.push(Known { row, found, body, absent, outside, past });
    }
    Ok(all)
}
