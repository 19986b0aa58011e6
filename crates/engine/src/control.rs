//! What everybody in the engine shares, and what a running task is asked to do.
//!
//! Invariant: a run has at most one task; a control never interrupts a call in flight.

use std::collections::HashMap;
use std::sync::atomic::AtomicBool;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::watch;
use tokio::task::AbortHandle;
use ulid::Ulid;

use skydeck_core::domain::access::Access;
use skydeck_core::domain::cause::CauseTable;
use skydeck_core::domain::event::Event;
use skydeck_core::domain::ids::{CallId, EnvId, PlanId, RecordKey, RunId};
use skydeck_core::domain::plan::Plan;
use skydeck_core::domain::query::PlanProblem;
use skydeck_core::domain::run::{Mark, PauseWhy, RunState};
use skydeck_core::domain::time::{Clock, Ts};
use skydeck_core::domain::who::Who;
use skydeck_store::actions::ActionLog;
use skydeck_store::{Store, StoreError};

use super::PlanSource;
use super::dispatch::{Claim, Dispatch};
use super::ledger::Ledger;
use super::watched::Watched;

/// A plan as it was read, with the number of its hazards.
pub type PlanEntry = (Result<Arc<Plan>, PlanProblem>, u32);

/// What a run's task is asked to do at the next safe place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RunControl {
    /// Go on.
    Go,
    /// Take no new bill; calls in flight end.
    Pause(Who),
    /// Stop after the calls in flight; the rest is not reached.
    Cancel(Who),
    /// The process ends: stop after the calls in flight, leave the rest for the next start.
    Drain,
}

/// Why a task stopped before its work was done.
#[derive(Clone, Debug)]
pub enum Stop {
    /// Paused: why, and by whom.
    Pause(PauseWhy, Option<Box<Who>>),
    /// Cancelled.
    Cancel,
    /// The process ends.
    Drain,
    /// The store did not take or give something.
    Store(StoreError),
}

impl From<StoreError> for Stop {
    fn from(error: StoreError) -> Self {
        Self::Store(error)
    }
}

/// A run's task.
pub struct RunTask {
    /// Its control.
    pub control: watch::Sender<RunControl>,
    /// Its handle.
    pub handle: AbortHandle,
    /// It only reads unknown bills back; it may be replaced at any time.
    pub reads_only: Arc<AtomicBool>,
}

/// What the parts of the engine share.
pub struct Shared {
    /// Facts.
    pub store: Arc<dyn Store>,
    /// The one writer.
    pub ledger: Ledger,
    /// Time.
    pub clock: Arc<dyn Clock>,
    /// Causes.
    pub causes: Arc<CauseTable>,
    /// Where plans come from.
    pub source: Arc<dyn PlanSource>,
    /// Who may order what.
    pub access: Arc<dyn Access>,
    /// The action log's file.
    pub actions: Arc<dyn ActionLog>,
    /// One task at a time writes what may be the first line of this process.
    pub log_begins: tokio::sync::Mutex<()>,
    /// User id of this process.
    pub owner: u32,
    /// What is usual, where that is followed.
    pub watched: Watched,
    /// Since when this engine is there to start what is due.
    pub awake: Ts,
    /// Environments; the first is the default.
    pub envs: Vec<Arc<Dispatch>>,
    /// Plans as last read.
    pub plans: Mutex<Arc<[PlanEntry]>>,
    /// The plan each open run was collected with.
    pub bound: Mutex<HashMap<RunId, Arc<Plan>>>,
    /// Tasks of runs.
    pub tasks: Mutex<HashMap<RunId, RunTask>>,
    /// Last id made, so that ids never go back.
    pub last_id: Mutex<Ulid>,
}

/// Locks; a poisoned lock is taken over, because every critical section leaves its data whole.
pub fn lock<T: ?Sized>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Shared {
    /// A new id that sorts after every earlier one of this process.
    pub fn ulid(&self) -> Ulid {
        let mut last = lock(&self.last_id);
        let now = u64::try_from(self.clock.now().0).unwrap_or(0);
        let fresh = Ulid::from_parts(now, fastrand::u128(..));
        let next = if now > last.timestamp_ms() { fresh } else { Ulid(last.0.saturating_add(1)) };
        *last = next;
        next
    }

    /// A new call's id.
    pub fn call_id(&self) -> CallId {
        CallId(self.ulid())
    }

    /// Takes a record into one run's hands, unless another has it.
    pub fn claim(&self, record: &RecordKey) -> Option<Claim> {
        self.env(Some(&record.env))?.claim(&record.form, &record.fid)
    }

    /// An environment by name; the default one for `None`.
    pub fn env(&self, id: Option<&EnvId>) -> Option<&Arc<Dispatch>> {
        match id {
            Some(id) => self.envs.iter().find(|d| d.env.id == *id),
            None => self.envs.first(),
        }
    }

    /// Plans as last read.
    pub fn plans(&self) -> Arc<[PlanEntry]> {
        Arc::clone(&lock(&self.plans))
    }

    /// A run's state as last published.
    pub fn state(&self, run: RunId) -> Option<RunState> {
        self.ledger.live(|live| live.runs.get(&run).map(|r| r.row.state.clone()))
    }

    /// Makes the next run of a plan a sweep, after something went wrong in this one
    /// (docs/design/reliability.md#sweeps). Empty when there is no mark.
    pub async fn sweep_next(&self, plan: &PlanId, env: &EnvId, run: RunId) -> Result<Vec<Event>, StoreError> {
        let mark = self.store.mark(plan, env).await?.filter(|mark| mark.swept.is_some());
        Ok(mark
            .map(|mark| Event::MarkMoved {
                plan: plan.clone(),
                env: env.clone(),
                to: Mark { run, swept: None, ..mark },
            })
            .into_iter()
            .collect())
    }
}

/// Back-off: `base · 2ⁿ`, at most `cap`, ± 50 % so that many do not come back together.
pub fn back_off(base: Duration, n: u32, cap: Duration) -> Duration {
    let full = base.saturating_mul(2_u32.saturating_pow(n.min(16))).min(cap);
    full.mul_f64(0.5 + fastrand::f64())
}

/// Most bills one retry, verify or carry-over takes up (docs/design/reliability.md#the-ledger).
pub const MOST: usize = 50_000;
