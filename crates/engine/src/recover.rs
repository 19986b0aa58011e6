//! What a start does with runs an earlier process left open.
//!
//! Invariant: an intent without an answer becomes unknown before anything else happens; nothing is called again
//! until an operator resumes the run.

use std::sync::Arc;

use skydeck_core::domain::event::Event;
use skydeck_core::domain::ids::{EnvId, RunId};
use skydeck_core::domain::operation::Operation;
use skydeck_core::domain::plan::Plan;
use skydeck_core::domain::reason::Reason;
use skydeck_core::domain::run::{PauseWhy, RunEnd, RunKind, RunRow, RunState};
use skydeck_store::StoreError;

use super::control::Shared;
use super::ending::close_rest;
use super::run_context::SETTLE_GROUP;
use super::runner::Job;
use super::tasks::{Tasks, Work, writer_of};
use super::work::died;

/// Brings every open run into a state that is true now, and starts to settle what is unknown.
pub async fn recover(shared: &Arc<Shared>, tasks: &Tasks) -> Result<(), StoreError> {
    match shared.store.hosts() {
        None => recover_runs(shared, tasks, shared.store.open_runs().await?).await,
        // The others are in the hands of machines that are at work, or may be.
        Some(hosts) => {
            let runs = hosts.take_over(&served(shared)).await?;
            taken_over(shared, tasks, &runs).await
        }
    }
}

/// Takes over what other machines leave, for as long as the engine lives.
pub async fn keep_taking_over(shared: Arc<Shared>, tasks: Arc<Tasks>) {
    // Taken, and not brought to rest yet: nobody else does.
    let mut taken: Vec<RunId> = Vec::new();
    while let Some(hosts) = shared.store.hosts() {
        tokio::time::sleep(hosts.looks_every()).await;
        match hosts.take_over(&served(&shared)).await {
            Ok(runs) => taken.extend(runs),
            Err(error) => tracing::warn!(%error, "what other machines left cannot be looked at now"),
        }
        let mut left = Vec::new();
        for run in std::mem::take(&mut taken) {
            // Each by itself: one that is at rest may be ordered about from then on.
            if let Err(error) = taken_over(&shared, &tasks, &[run]).await {
                tracing::warn!(%run, %error, "a run that was taken over is not brought to rest yet");
                left.push(run);
            }
        }
        taken = left;
    }
}

/// The environments whose runs this machine can go on with.
fn served(shared: &Shared) -> Vec<EnvId> {
    shared.envs.iter().map(|env| env.env.id.clone()).collect()
}

/// Goes on with runs that other machines left, as with those of an earlier process.
async fn taken_over(shared: &Arc<Shared>, tasks: &Tasks, runs: &[RunId]) -> Result<(), StoreError> {
    if runs.is_empty() {
        return Ok(());
    }
    // The other machine may have noted since which server these records are on.
    shared.remember_servers().await?;
    let mut rows = Vec::new();
    for run in runs {
        tracing::warn!(%run, "a run was taken over from another machine");
        rows.extend(shared.store.run(*run).await?.filter(|row| !row.state.is_closed()));
    }
    recover_runs(shared, tasks, rows).await
}

async fn recover_runs(shared: &Arc<Shared>, tasks: &Tasks, rows: Vec<RunRow>) -> Result<(), StoreError> {
    for row in rows {
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
    let open = shared.store.in_flight(run).await?;
    let stopped_cleanly = matches!(row.state, RunState::Paused(_) | RunState::Interrupted);
    if !stopped_cleanly || !open.is_empty() {
        // First, while the intents still stand: the store counts the deaths from them.
        let mut events = vec![Event::RunInterrupted { run }];
        events.extend(shared.sweep_next(&row.head.plan, &row.head.env, run).await?);
        events.extend(open.iter().take(SETTLE_GROUP).map(|bill| died(run, bill)));
        shared.ledger.append(events).await?;
        for group in open.get(SETTLE_GROUP..).unwrap_or_default().chunks(SETTLE_GROUP) {
            shared.ledger.append(group.iter().map(|bill| died(run, bill)).collect()).await?;
        }
    }
    read_on(shared, tasks, row).await
}

/// Takes up again what is unknown in an environment, once its server is known to be the right one.
pub async fn read_on_in(shared: &Arc<Shared>, tasks: &Tasks, env: &EnvId) -> Result<(), StoreError> {
    let elsewhere = shared.elsewhere().await?;
    for row in shared.store.open_runs().await? {
        if elsewhere.iter().any(|(run, _)| *run == row.head.id) {
            continue;
        }
        let rests = matches!(row.state, RunState::Paused(_) | RunState::Interrupted);
        if row.head.env == *env && rests && writer_of(shared, row.head.id).is_none() {
            read_on(shared, tasks, row).await?;
        }
    }
    Ok(())
}

/// Starts to settle what is unknown in a run that rests. On another server than the run's nothing proves anything about
/// its bills: there it stays paused, and says why.
async fn read_on(shared: &Arc<Shared>, tasks: &Tasks, row: RunRow) -> Result<(), StoreError> {
    let run = row.head.id;
    let (Some(plan), Some(env)) = (plan_of(shared, &row).await?, shared.env(Some(&row.head.env))) else {
        tracing::warn!(%run, "the plan or environment of an open run is gone; its unknown bills wait");
        return Ok(());
    };
    if let Err(refusal) = env.check_home(&row.head) {
        tracing::warn!(%run, why = %refusal, "the run's unknown bills are not read back");
        // A pause is told once.
        if !matches!(row.state, RunState::Paused(_)) {
            let why = PauseWhy::Stopped(refusal.reason().clone());
            shared.ledger.append(vec![Event::RunPaused { run, why, by: None }]).await?;
        }
        return Ok(());
    }
    let verify = row.head.kind == RunKind::Verify;
    if verify {
        shared.ledger.append(vec![Event::RunSettling { run }]).await?;
    }
    let env = Arc::clone(env);
    // Whoever had put it to work is gone with the process.
    let job = Job { head: row.head, plan, env, flags: row.flags, canary: false, headless: false, knock: false };
    tasks.start(shared, job, if verify { Work::Run } else { Work::Settle });
    Ok(())
}

/// The plan a run's bills are read by: as it stands now, where it still does the same to bills of the same form, else the
/// revision the run was opened under. Never one that does something else: its effect would be taken for the run's.
async fn plan_of(shared: &Shared, row: &RunRow) -> Result<Option<Arc<Plan>>, StoreError> {
    let fits = |plan: &Plan| {
        let op = Operation::of(plan);
        shared.record_form(plan).is_ok_and(|form| form == row.head.form) && op.id == row.head.op && op.blind().is_none()
    };
    let plans = shared.plans();
    let newest = plans.iter().filter_map(|(plan, _)| plan.as_ref().ok()).find(|p| p.id == row.head.plan);
    if let Some(newest) = newest.filter(|plan| fits(plan)) {
        return Ok(Some(Arc::clone(newest)));
    }
    Ok(shared.store.plan_of(&row.head.rev).await?.filter(fits).map(Arc::new))
}
