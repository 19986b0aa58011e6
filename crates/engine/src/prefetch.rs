//! The next page of a run, read while the calls of this one go: the server's answer to a read is not waited for twice.
//!
//! Invariant: as when read in turn, a bill's past is taken before its status is asked for, so that a call another run
//! makes meanwhile shows as a newer past; and the age of a status counts from when it was asked for.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use tokio::task::JoinSet;

use super::known::Known;
use super::run_context::RunContext;
use skydeck_core::domain::bill::Found;
use skydeck_core::domain::ids::Fid;
use skydeck_core::domain::run::BillRow;

/// What was read about the bills of a page.
pub(super) struct Seen {
    /// The bills with their pasts.
    pub known: Vec<Known>,
    /// Their statuses.
    pub found: HashMap<Fid, Found>,
    /// When the statuses were asked for, monotonic.
    pub at: Duration,
}

/// A page being read ahead. Dropped, it is given up.
pub(super) struct Ahead {
    /// Its rows, in the order of the store.
    pub rows: Vec<BillRow>,
    task: JoinSet<Option<Seen>>,
}

impl Ahead {
    /// Begins to read.
    pub fn start(run: &Arc<RunContext>, rows: Vec<BillRow>) -> Self {
        let (run, all) = (Arc::clone(run), rows.clone());
        let mut task = JoinSet::new();
        task.spawn(async move {
            let known = run.know(all).await.ok()?;
            let fids: Vec<Fid> = known.iter().map(|k| k.row.fid().clone()).collect();
            let at = run.shared.clock.mono();
            let found = run.read(&fids).await.ok()?;
            Some(Seen { known, found, at })
        });
        Self { rows, task }
    }

    /// What came of it. `None` when a read failed: the page is read in turn, with the repeats that belong to it.
    pub async fn done(mut self) -> (Vec<BillRow>, Option<Seen>) {
        let seen = self.task.join_next().await.and_then(Result::ok).flatten();
        (self.rows, seen)
    }
}
