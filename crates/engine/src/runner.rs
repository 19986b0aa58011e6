//! One run's task: from approval (or from a restart) to its end.
//!
//! Invariant: the store is the queue; the task holds only what it needs for the bills it has in hand.

use std::collections::{HashMap, HashSet, VecDeque};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use tokio::sync::watch;

use skydeck_core::domain::bill::Outcome;
use skydeck_core::domain::event::Event;
use skydeck_core::domain::ids::{Fid, RecordKey};
use skydeck_core::domain::operation::Operation;
use skydeck_core::domain::plan::Plan;
use skydeck_core::domain::run::{BillRow, Flag, PauseWhy, RunEnd, RunHead, RunKind};
use skydeck_core::domain::step::{Left, Step};
use skydeck_store::StoreError;

use super::control::{RunControl, Shared, Stop};
use super::decide::OpenCall;
use super::dispatch::Dispatch;
use super::known::{Known, know};
use super::unconfirmed::Unconfirmed;

/// Bills settled in one append when no call is needed.
pub(super) const SETTLE_GROUP: usize = 50;

/// One run at work.
pub struct Runner {
    pub(super) shared: Arc<Shared>,
    pub(super) head: Arc<RunHead>,
    pub(super) plan: Arc<Plan>,
    pub(super) op: Arc<Operation>,
    pub(super) env: Arc<Dispatch>,
    pub(super) flags: Vec<Flag>,
    /// A verb put it to work: see [`skydeck_core::domain::command::Order::headless`].
    pub(super) headless: bool,
    pub(super) control: watch::Receiver<RunControl>,
    pub(super) failure: watch::Receiver<Option<StoreError>>,
    pub(super) mind: RunMemory,
    /// It only looks: nothing it finds becomes a fact.
    pub(super) looks: bool,
    /// Set once the task only reads: it may be replaced at any time.
    pub(super) reads_only: Arc<AtomicBool>,
    /// See [`Job::knock`].
    pub(super) knock: bool,
}

/// What a task remembers of its run in this process; all of it can be worked out anew from the store.
#[derive(Default)]
pub(super) struct RunMemory {
    /// When bills are due again, monotonic.
    pub due: HashMap<Fid, Duration>,
    /// When the server's limit of open calls has passed, monotonic.
    pub settles: HashMap<Fid, Duration>,
    /// Failed read-backs of unknown bills.
    pub tries: HashMap<Fid, u32>,
    /// Bills whose batch sank.
    pub singly: HashSet<Fid>,
    /// Bills of the call in flight.
    pub in_hand: HashSet<Fid>,
    /// Clean single calls in a row, for batches.
    pub clean: u32,
    /// Calls watched so far at the beginning of the run; `None` when the watch is over.
    pub canary: Option<Canary>,
    /// Calls in a row that were not sent.
    pub unsent: u32,
    /// No call before this, monotonic.
    pub hold: Duration,
    /// Bills we submitted, to be audited next.
    pub submitted: VecDeque<Fid>,
    /// Successes that were not read back yet.
    pub unconfirmed: Unconfirmed,
}

/// The first calls of a run, watched (docs/design/reliability.md#first-calls-and-breaker).
#[derive(Default)]
pub(super) struct Canary {
    pub seen: u32,
    pub refused: HashMap<skydeck_core::domain::cause::Cause, u32>,
}

/// What a task needs to start.
#[derive(Clone)]
pub struct Job {
    /// The run.
    pub head: RunHead,
    /// Plan it was collected with.
    pub plan: Arc<Plan>,
    /// Environment.
    pub env: Arc<Dispatch>,
    /// Flags chosen for it.
    pub flags: Vec<Flag>,
    /// Watch its first calls.
    pub canary: bool,
    /// A person ordered it: where the server had refused us, one sign-in is tried. A clock never knocks: a wrong password
    /// tried every few minutes locks the user.
    pub knock: bool,
    /// A verb put it to work, not a console.
    pub headless: bool,
}

impl Runner {
    /// A runner for a job.
    pub fn new(
        shared: Arc<Shared>,
        job: Job,
        control: watch::Receiver<RunControl>,
        reads_only: Arc<AtomicBool>,
    ) -> Self {
        let failure = shared.ledger.failure();
        let canary = (job.canary && job.env.limits().canary > 0).then(Canary::default);
        Self {
            shared,
            head: Arc::new(job.head),
            op: Arc::new(Operation::of(&job.plan)),
            plan: job.plan,
            env: job.env,
            flags: job.flags,
            headless: job.headless,
            control,
            failure,
            mind: RunMemory { canary, ..RunMemory::default() },
            looks: false,
            reads_only,
            knock: job.knock,
        }
    }

    /// Works until the run is over or stopped, and says so durably.
    pub async fn work(mut self) {
        if self.knock {
            self.env.knock().await;
        }
        let ended = if self.head.kind == RunKind::Verify { self.verify().await } else { self.write_all().await };
        match ended {
            Err(stop) => self.stop(stop).await,
            Ok(()) => {
                if let Err(error) = self.close(RunEnd::Completed).await {
                    self.shared.ledger.show_unstored(self.head.id, &error);
                }
            }
        }
    }

    pub(super) async fn append(&self, events: Vec<Event>) -> Result<(), Stop> {
        Ok(self.shared.ledger.append(events).await?)
    }

    pub(super) fn key(&self, fid: &Fid) -> RecordKey {
        RecordKey { env: self.head.env.clone(), form: self.head.form.clone(), fid: fid.clone() }
    }

    pub(super) fn settled(&self, row: &BillRow, outcome: Outcome) -> Event {
        Event::BillSettled {
            run: self.head.id,
            fid: row.fid().clone(),
            no: row.no.clone(),
            was: row.state.slot(),
            outcome,
        }
    }

    /// Adds to each row what it was found as and its past.
    pub(super) async fn know(&self, rows: Vec<BillRow>) -> Result<Vec<Known>, StoreError> {
        know(self.shared.store.as_ref(), self.head.id, rows).await
    }

    /// Stops here if somebody wishes so, the server is another one, the breaker is open, or the store failed.
    pub(super) fn check(&self) -> Result<(), Stop> {
        if let Some(error) = self.shared.ledger.failed() {
            return Err(Stop::Store(error));
        }
        let reads_only = self.reads_only.load(Ordering::SeqCst);
        match &*self.control.borrow() {
            RunControl::Go => {}
            RunControl::Pause(_) if reads_only => {}
            RunControl::Pause(by) => return Err(Stop::Pause(PauseWhy::Operator, Some(by.clone()))),
            RunControl::Cancel(_) => return Err(Stop::Cancel),
            RunControl::Drain => return Err(Stop::Drain),
        }
        if let Some(why) = self.env.astray() {
            return Err(Stop::Pause(PauseWhy::Stopped(why), None));
        }
        match self.env.breaker() {
            Some(why) if !reads_only && self.head.kind != RunKind::Verify => {
                Err(Stop::Pause(PauseWhy::Breaker(why), None))
            }
            _ => Ok(()),
        }
    }

    /// Waits, unless something happens that must be looked at; then stops or goes on early.
    pub(super) async fn wait(&mut self, span: Duration) -> Result<(), Stop> {
        tokio::select! {
            biased;
            _ = self.control.changed() => {}
            _ = self.failure.changed() => {}
            () = tokio::time::sleep(span) => {}
        }
        self.check()
    }

    /// When a request is past the server's own limit, monotonic. Known exactly for requests of this process. After a
    /// restart the clock of the machine's start proves how much of it has passed; where it does not (another start, a call
    /// of 0.1.0), the whole limit is waited for again: the wall clock proves nothing.
    pub(super) fn settle_at(&mut self, fid: &Fid, call: &OpenCall) -> Duration {
        let limit = self.env.limits().settle;
        let now = self.shared.clock.mono();
        let passed = match (&call.left, self.shared.clock.boot()) {
            (Some((boot, Left::Boot(ms))), Some((this, now))) if *boot == this => {
                Duration::from_millis(now.saturating_sub(*ms)).min(limit)
            }
            (Some((_, Left::Boot(_) | Left::Store(_))) | None, Some(_) | None) => Duration::ZERO,
        };
        let proven = *self.mind.settles.entry(fid.clone()).or_insert_with(|| (now + limit).saturating_sub(passed));
        self.env.limit_of(&self.head.form, fid).unwrap_or(proven)
    }

    /// The step whose success ends the operation.
    pub(super) fn last_step(&self) -> Step {
        self.op.steps.last().map_or(Step::Audit, |spec| spec.step)
    }
}
