//! What a start does with runs an earlier process left open.
//!
//! Invariant: an intent without an answer becomes unknown before anything else happens; nothing is called again
//! until an operator resumes the run.

use std::sync::Arc;

use crate::domain::event::Event;
use crate::domain::plan::Plan;
use crate::domain::reason::Reason;
use crate::domain::run::{RunEnd, RunKind, RunRow, RunState};
use crate::store::StoreError;

use super::control::{Shared, read};
use super::ending::close_rest;
use super::runner::{Job, SETTLE_GROUP};
use super::tasks::{Tasks, Work};
use super::work::died;

/// Brings every open run into a state that is true now, and starts to settle what is unknown.
pub async fn recover(shared: &Arc<Shared>, tasks: &Tasks) -> Result<(), StoreError> {
    for row in read(&shared.store, |s| s.open_runs()).await? {
        match &row.state {
            RunState::Collecting => {
                close_rest(shared, row.head.id, RunEnd::CollectFailed(Reason::Interrupted {})).await?;
            }
            RunState::AwaitingApproval | RunState::Closed(_) => {}
            RunState::Working | RunState::Settling | RunState::Paused(_) | RunState::Interrupted => {
                interrupted(shared, tasks, row).await?;
            }
        }
    }
    Ok(())
}

async fn interrupted(shared: &Arc<Shared>, tasks: &Tasks, row: RunRow) -> Result<(), StoreError> {
    let run = row.head.id;
    let open = read(&shared.store, move |s| s.in_flight(run)).await?;
    let stopped_cleanly = matches!(row.state, RunState::Paused(_) | RunState::Interrupted);
    if !stopped_cleanly || !open.is_empty() {
        // First, while the intents still stand: the store counts the deaths from them.
        let mut events = vec![Event::RunInterrupted { run }];
        events.extend(shared.sweep_next(&row.head.plan, &row.head.env, run)?);
        events.extend(open.iter().take(SETTLE_GROUP).map(|bill| died(run, bill)));
        shared.ledger.append(events).await?;
        for group in open.get(SETTLE_GROUP..).unwrap_or_default().chunks(SETTLE_GROUP) {
            shared.ledger.append(group.iter().map(|bill| died(run, bill)).collect()).await?;
        }
    }
    let (Some(plan), Some(env)) = (plan_of(shared, &row), shared.env(Some(&row.head.env))) else {
        tracing::warn!(%run, "the plan or environment of an open run is gone; its unknown bills wait");
        return Ok(());
    };
    let verify = row.head.kind == RunKind::Verify;
    if verify {
        shared.ledger.append(vec![Event::RunSettling { run }]).await?;
    }
    // Whoever had put it to work is gone with the process.
    let job = Job { head: row.head, plan, env: Arc::clone(env), flags: row.flags, canary: false, headless: false };
    tasks.start(shared, job, if verify { Work::Run } else { Work::Settle });
    Ok(())
}

/// The plan of a run as it stands now; for reading its bills any revision with the same form will do.
fn plan_of(shared: &Shared, row: &RunRow) -> Option<Arc<Plan>> {
    let plans = shared.plans();
    let plan = plans.iter().filter_map(|(plan, _)| plan.as_ref().ok()).find(|p| p.id == row.head.plan)?;
    (plan.source.form == row.head.form).then(|| Arc::clone(plan))
}
