//! One run's task: from approval (or from a restart) to its end.
//!
//! Invariant: the store is the queue; the task holds only what it needs for the bills it has in hand.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use tokio::sync::watch;

use skydeck_core::domain::event::Event;
use skydeck_core::domain::ids::{Fid, Seq};
use skydeck_core::domain::operation::Operation;
use skydeck_core::domain::plan::Plan;
use skydeck_core::domain::run::{Flag, PauseWhy, RunEnd, RunHead, RunKind};
use skydeck_plan::make::Lookups;
use skydeck_store::{AppendError, StoreError};

use super::control::{RunControl, Shared, Stop};
use super::dispatch::{Claim, Dispatch};
use super::run_context::RunContext;
use super::run_memory::{Change, RunMemory};

/// Wait for a bill another run has in hand.
const ELSEWHERE: Duration = Duration::from_secs(2);

/// One run at work: what it is, what it hears, and what it remembers. Phases read the first and the last, and give back what
/// changed; the task alone takes it.
pub struct Runner {
    pub(super) run: Arc<RunContext>,
    pub(super) memory: RunMemory,
    pub(super) control: watch::Receiver<RunControl>,
    pub(super) failure: watch::Receiver<Option<StoreError>>,
    /// It only looks: nothing it finds becomes a fact.
    pub(super) looks: bool,
    /// Of a plan that makes bills: what its look-ups find.
    pub(super) lookups: Arc<Lookups>,
}

/// What is told of a bill.
pub(super) struct Told {
    pub fid: Fid,
    /// Place of the newest fact that it was judged by.
    pub last: Seq,
    pub events: [Event; 2],
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
        let memory = RunMemory::new(job.canary && job.env.limits().canary > 0);
        let op = Operation::of(&job.plan);
        let feeder = shared.feeder(&job.plan).map_err(|refusal| refusal.reason().clone());
        let Job { head, plan, env, flags, headless, knock, .. } = job;
        let run = Arc::new(RunContext {
            shared,
            head,
            plan,
            op,
            env,
            feeder,
            flags,
            headless,
            knock,
            reads_only,
            making: OnceLock::new(),
        });
        Self { run, memory, control, failure, looks: false, lookups: Arc::default() }
    }

    /// Works until the run is over or stopped, and says so durably.
    pub async fn work(mut self) {
        if self.run.knock {
            self.run.env.knock().await;
        }
        let ended = if self.run.head.kind == RunKind::Verify { self.verify().await } else { self.write_all().await };
        match ended {
            Err(stop) => self.stop(stop).await,
            Ok(()) => {
                if let Err(error) = self.close(RunEnd::Completed).await {
                    self.run.shared.ledger.show_unstored(self.run.head.id, &error);
                }
            }
        }
    }

    /// Stops here if somebody wishes so, the server is another one, the breaker is open, or the store failed.
    pub(super) fn check(&self) -> Result<(), Stop> {
        if let Some(error) = self.run.shared.ledger.failed() {
            return Err(Stop::Store(error));
        }
        let reads_only = self.run.reads_only.load(Ordering::SeqCst);
        match &*self.control.borrow() {
            RunControl::Go => {}
            RunControl::Pause(_) if reads_only => {}
            RunControl::Pause(by) => return Err(Stop::Pause(PauseWhy::Operator, Some(Box::new(by.clone())))),
            RunControl::Cancel(_) => return Err(Stop::Cancel),
            RunControl::Drain => return Err(Stop::Drain),
        }
        if let Some(why) = self.run.env.astray() {
            return Err(Stop::Pause(PauseWhy::Stopped(why), None));
        }
        match self.run.env.breaker() {
            Some(why) if !reads_only && self.run.head.kind != RunKind::Verify => {
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

    /// Takes what a phase found out, and then makes its facts durable: where the append ends in a stop, what was found out
    /// stands all the same.
    pub(super) async fn take(&mut self, changes: Vec<Change>, events: Vec<Event>) -> Result<(), Stop> {
        self.memory.take(changes);
        self.run.append_in_groups(events).await
    }

    /// Takes one bill into this run's hands; where another run has it, it is put off and read anew in a later pass.
    pub(super) fn claim(&mut self, fid: &Fid) -> Option<Claim> {
        let claim = self.run.env.claim(&self.run.head.form, fid);
        if claim.is_none() {
            self.memory.take([Change::DueAt(fid.clone(), self.run.shared.clock.mono() + ELSEWHERE)]);
        }
        claim
    }

    /// Takes bills into this run's hands; leaves out those another run has.
    pub(super) fn claim_all<B>(&mut self, bills: Vec<B>, fid: impl Fn(&B) -> &Fid) -> (Vec<B>, Vec<Claim>) {
        bills.into_iter().filter_map(|bill| self.claim(fid(&bill)).map(|claim| (bill, claim))).unzip()
    }

    /// Tells what became of bills that are in this run's hands, as long as what is known of each is all there is. Gives the
    /// others, of which nothing is told: they are put off and read anew in a later pass. Judged by what was known before, an
    /// effect of another run's call would be told by this one a second time.
    pub(super) async fn tell(&mut self, mut bills: Vec<Told>) -> Result<Vec<Fid>, Stop> {
        let mut moved = Vec::new();
        // The rest is sent once; where more of them went on meanwhile, all of it waits.
        for is_last in [false, true] {
            let unmoved = bills.iter().map(|told| (self.run.key(&told.fid), told.last)).collect();
            let events = bills.iter().flat_map(|told| told.events.iter().cloned()).collect();
            match self.run.shared.ledger.append_if_unmoved(events, unmoved).await {
                Ok(()) => break,
                Err(AppendError::Moved(records)) => {
                    let went_on = |told: &Told| is_last || records.iter().any(|record| record.fid == told.fid);
                    moved.extend(bills.extract_if(.., |told| went_on(told)).map(|told| told.fid));
                }
                Err(error) => return Err(Stop::Store(error.into())),
            }
        }
        let now = self.run.shared.clock.mono();
        self.memory.take(moved.iter().map(|fid| Change::DueAt(fid.clone(), now)));
        Ok(moved)
    }
}
