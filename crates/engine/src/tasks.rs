//! The tasks of runs: started once, watched, never two for one run; a panic in one ends in a pause, not in a crash.
//!
//! Invariant: dropping [`Tasks`] ends them all at once, as the death of the process would.

use std::panic::AssertUnwindSafe;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};

use futures_util::FutureExt;
use tokio::sync::{Notify, watch};
use tokio::task::{AbortHandle, JoinSet};

use skydeck_core::domain::ids::RunId;
use skydeck_core::domain::reason::Reason;
use skydeck_core::domain::run::{PauseWhy, RunEnd, RunState};
use skydeck_store::StoreError;

use super::collect::What;
use super::control::{RunControl, RunTask, Shared, Stop, lock};
use super::ending::close_rest;
use super::run_context::SETTLE_GROUP;
use super::runner::{Job, Runner};
use super::work::died;

/// What a run's task does.
pub enum Work {
    /// Collect.
    Collect(What),
    /// Write (or verify) to the end.
    Run,
    /// Only read unknown bills back.
    Settle,
}

/// All tasks of one engine.
#[derive(Default)]
pub struct Tasks {
    set: Mutex<JoinSet<()>>,
    /// Rings when a run starts or something else worth a pulse changes.
    pub stirred: Notify,
}

impl Tasks {
    /// Runs anything for as long as the engine lives.
    pub fn spawn(&self, future: impl Future<Output = ()> + Send + 'static) -> AbortHandle {
        let mut set = lock(&self.set);
        while set.try_join_next().is_some() {}
        set.spawn(future)
    }

    /// Starts a run's task; one that only reads is replaced.
    pub fn start(&self, shared: &Arc<Shared>, job: Job, work: Work) {
        let run = job.head.id;
        let (orders, control) = watch::channel(RunControl::Go);
        let reads_only = Arc::new(AtomicBool::new(matches!(work, Work::Settle)));
        lock(&shared.bound).insert(run, Arc::clone(&job.plan));
        let mut tasks = lock(&shared.tasks);
        tasks.retain(|_, task| !task.handle.is_finished());
        if let Some(old) = tasks.remove(&run) {
            old.handle.abort();
        }
        let again = job.clone();
        let runner = Runner::new(Arc::clone(shared), job, control.clone(), Arc::clone(&reads_only));
        let (shared, only_reads) = (Arc::clone(shared), Arc::clone(&reads_only));
        let handle = self.spawn(async move {
            let body = async {
                match work {
                    Work::Collect(what) => runner.collect(what).await,
                    Work::Run => runner.work().await,
                    Work::Settle => runner.settle_only().await,
                }
            };
            let ended = AssertUnwindSafe(body).catch_unwind().await;
            let result = match ended {
                Err(_) => panicked(&shared, again, control.clone(), only_reads).await,
                Ok(()) => late_cancel(&shared, run, &control).await,
            };
            if let Err(error) = result {
                shared.ledger.show_unstored(run, &error);
            }
        });
        tasks.insert(run, RunTask { control: orders, handle, reads_only });
        drop(tasks);
        self.stirred.notify_one();
    }

    /// Ends every task now.
    pub fn abort_all(&self) {
        lock(&self.set).abort_all();
    }
}

/// A run's task that is alive and does more than read.
pub fn writer_of(shared: &Shared, run: RunId) -> Option<watch::Sender<RunControl>> {
    let tasks = lock(&shared.tasks);
    let task = tasks.get(&run)?;
    let writes = !task.handle.is_finished() && !task.reads_only.load(Ordering::SeqCst);
    writes.then(|| task.control.clone())
}

async fn is_open(shared: &Shared, run: RunId) -> Result<bool, StoreError> {
    Ok(shared.store.run(run).await?.is_some_and(|row| !row.state.is_closed()))
}

/// A cancel that came when the task had just stopped for another reason is honoured all the same.
async fn late_cancel(shared: &Shared, run: RunId, control: &watch::Receiver<RunControl>) -> Result<(), StoreError> {
    let cancelled = matches!(*control.borrow(), RunControl::Cancel(_));
    if cancelled && shared.ledger.failed().is_none() && is_open(shared, run).await? {
        close_rest(shared, run, RunEnd::Cancelled).await?;
    }
    Ok(())
}

/// The run's own task panicked: its calls died with it.
async fn panicked(
    shared: &Arc<Shared>,
    job: Job,
    control: watch::Receiver<RunControl>,
    reads_only: Arc<AtomicBool>,
) -> Result<(), StoreError> {
    let (run, kind) = (job.head.id, job.head.kind);
    if !is_open(shared, run).await? {
        return Ok(());
    }
    tracing::error!(%run, ?kind, "a run's task panicked");
    let why = Reason::TaskDied { said: None };
    if shared.state(run) == Some(RunState::Collecting) {
        // Nobody has approved anything: there is nothing to go on with.
        return close_rest(shared, run, RunEnd::CollectFailed(why)).await;
    }
    let rows = shared.store.in_flight(run).await?;
    for group in rows.chunks(SETTLE_GROUP) {
        shared.ledger.append(group.iter().map(|row| died(run, row)).collect()).await?;
    }
    let runner = Runner::new(Arc::clone(shared), job, control, reads_only);
    runner.stop(Stop::Pause(PauseWhy::Stopped(why), None)).await;
    Ok(())
}
