//! The run engine: one writer of facts (the ledger), one runner a run, one dispatcher an environment.
//!
//! Invariants: no write leaves before its intent is durable; nothing repeats an unknown bill before it was read back.

use std::collections::{HashMap, HashSet};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::sync::{oneshot, watch};
use ulid::Ulid;

use crate::api::Watch;
use crate::ports::Erp;
pub use forecasts::unknown_year;
use skydeck_core::domain::access::{Access, Role};
use skydeck_core::domain::cause::CauseTable;
use skydeck_core::domain::command::{Order, Receipt, Refusal, StartParams};
use skydeck_core::domain::env::Environment;
use skydeck_core::domain::ids::{EnvId, PlanId, RunId, Seq, SessionId};
use skydeck_core::domain::plan::Plan;
use skydeck_core::domain::query::{Answer, PlanProblem, Query};
use skydeck_core::domain::reason::Reason;
use skydeck_core::domain::run::RunState;
use skydeck_core::domain::time::Clock;
use skydeck_core::domain::who::Who;
pub use skydeck_forecast::Calendar;
use skydeck_store::actions::ActionLog;
use skydeck_store::{Store, StoreError};

mod action_log;
mod answer;
mod answers;
pub mod api;
mod authorize;
mod bill_history;
mod bodies;
mod breaker;
mod call;
mod call_end;
mod carry;
mod collect;
mod command_outcome;
mod confirm;
mod control;
mod cross_environment;
pub mod decide;
mod dispatch;
mod ending;
mod erp_time;
mod feed;
mod follower;
mod forecasts;
mod forwarded;
mod glance;
mod handed_in;
mod heartbeat;
mod holder;
mod known;
mod ledger;
mod listing;
mod looks;
mod lookups;
mod making;
mod orders;
mod pages;
mod permit;
mod plans;
pub mod ports;
mod prefetch;
mod query_list;
mod rate_limiter;
mod reach;
mod realigned;
mod receipts;
mod records;
mod recover;
mod revision;
mod run_commands;
mod run_context;
mod run_memory;
mod run_set;
mod runner;
mod scope;
mod select;
mod server_time;
mod servers;
mod set_hash;
mod settle;
mod status_reads;
mod take;
mod tasks;
mod today;
mod triage;
mod unconfirmed;
mod unstored;
mod watched;
mod work;

use control::{RunControl, Shared, lock};
use dispatch::Dispatch;
use follower::Follower;
use ledger::Ledger;
use receipts::Receipts;
use tasks::Tasks;

/// Where plans come from; the boot file gives one that reads the plan directory.
pub trait PlanSource: Send + Sync {
    /// Reads all plans anew, on a thread that may wait.
    ///
    /// # Errors
    /// Where they are kept does not answer.
    fn load(&self) -> Result<Vec<Found>, PlanProblem>;

    /// How one plan is read anew, on a thread that may wait; `None` where plans are not in files of their own.
    fn newest(&self, _plan: &PlanId) -> Option<Reading> {
        None
    }
}

/// A plan as it was read, or why it cannot be used; with the number of hazards lint found.
pub type PlanRead = (Result<Plan, PlanProblem>, u32);

/// What reading a plan's file found.
pub enum Found {
    /// There is no such file.
    Nothing,
    /// This.
    Read(Box<PlanRead>),
    /// It does not answer: what is known of the plan stands, and nothing is started under it.
    Silent(PlanProblem),
}

/// Reads one plan's file.
pub type Reading = Box<dyn FnOnce() -> Found + Send>;

/// What an engine is made of.
pub struct Parts {
    /// Facts.
    pub store: Arc<dyn Store>,
    /// Time.
    pub clock: Arc<dyn Clock>,
    /// Causes with repeat policy.
    pub causes: Arc<CauseTable>,
    /// Environments with their clients; the first is the default.
    pub envs: Vec<(Environment, Arc<dyn Erp>)>,
    /// Plans.
    pub plans: Arc<dyn PlanSource>,
    /// Who may order what.
    pub access: Arc<dyn Access>,
    /// The action log's file.
    pub actions: Arc<dyn ActionLog>,
    /// User id of this process, for what the engine does by itself.
    pub owner: u32,
}

/// Why an engine cannot start.
#[derive(Debug, thiserror::Error)]
pub enum EngineError {
    /// The store does not give or take what a start needs.
    #[error("the engine cannot start: {0}")]
    Store(#[from] StoreError),
    /// Two environments share a name.
    #[error("environment `{0}` is configured twice: give each its own name")]
    TwiceEnv(EnvId),
}

impl EngineError {
    /// The same in Chinese.
    pub fn zh(&self) -> String {
        match self {
            Self::Store(error) => format!("引擎无法启动：{}", error.zh()),
            Self::TwiceEnv(env) => format!("环境 `{env}` 配置了两次：请各用一个名称"),
        }
    }
}

/// What was left when an engine stopped.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Left {
    /// Runs that are not closed and not awaiting approval: they resume on command after the next start.
    pub runs: Vec<RunId>,
    /// Calls that were still in flight when the limit ran out; their bills are unknown after the next start.
    pub in_flight: u32,
    /// Bills of those runs that wait.
    pub waiting: u64,
    /// Bills of those runs that are unknown.
    pub unknown: u64,
}

/// The engine: a handle, cheap to clone. When the last one is dropped every task ends at once, as if the process had died.
#[derive(Clone)]
pub struct Engine {
    inner: Arc<Inner>,
}

struct Inner {
    shared: Arc<Shared>,
    tasks: Arc<Tasks>,
    receipts: Mutex<Receipts>,
    one_order: tokio::sync::Mutex<()>,
    /// One reading of a plan at a time, so that the newer one is the one that is known.
    reading: Mutex<HashMap<PlanId, Arc<tokio::sync::Mutex<()>>>>,
    /// No new order is taken.
    closing: AtomicBool,
    /// Runs being closed by an order.
    ending: Mutex<HashSet<RunId>>,
    /// Users without a role who knocked.
    strangers: action_log::Strangers,
}

impl Drop for Inner {
    fn drop(&mut self) {
        // The pulse's task holds the set it runs in.
        self.tasks.abort_all();
    }
}

/// How often a drain looks whether the runs have come to rest.
const DRAIN_LOOK: Duration = Duration::from_millis(20);

impl Engine {
    /// Reads the store, brings open runs into a true state, starts to settle what is unknown. Must be called
    /// within a tokio runtime.
    pub async fn start(parts: Parts) -> Result<Self, EngineError> {
        let (ledger, writer) = Ledger::open(&parts.store).await?;
        let started = Self::begin(parts, ledger, writer.run()).await?;
        let inner = &started.inner;
        match recover::recover(&inner.shared, &inner.tasks).await {
            // A store that takes no writes can be looked at: every order is refused with its reason.
            Err(error @ (StoreError::Write(_) | StoreError::Full(_))) => {
                tracing::error!(%error, "open runs stay as they are: the store takes no writes");
                inner.shared.ledger.show_unrecovered(&error);
            }
            recovered => recovered?,
        }
        if inner.shared.store.hosts().is_some() {
            inner.tasks.spawn(recover::keep_taking_over(Arc::clone(&inner.shared), Arc::clone(&inner.tasks)));
            inner.tasks.spawn(forwarded::obey(Arc::clone(&inner.shared), Arc::downgrade(inner)));
        }
        Ok(started)
    }

    /// Follows a store that another machine writes to. Every order is refused with `why`, no call leaves, and open runs are
    /// left to whoever has them. `far`: how far the store is.
    pub async fn look(parts: Parts, far: watch::Receiver<Seq>, why: StoreError) -> Result<Self, EngineError> {
        let (ledger, follower) = Follower::open(&parts.store, far, why).await?;
        Self::begin(parts, ledger, follower.run()).await
    }

    async fn begin(
        parts: Parts,
        ledger: Ledger,
        keeps_up: impl Future<Output = ()> + Send + 'static,
    ) -> Result<Self, EngineError> {
        let mut names = std::collections::BTreeSet::new();
        for (env, _) in &parts.envs {
            if !names.insert(env.id.clone()) {
                return Err(EngineError::TwiceEnv(env.id.clone()));
            }
        }
        let receipts = Receipts::remembered(parts.store.as_ref()).await?;
        let clock = parts.clock;
        let envs = parts.envs.into_iter().map(|(env, erp)| Dispatch::new(env, erp, Arc::clone(&clock)));
        let envs: Vec<_> = envs.collect();
        Dispatch::introduce(&envs);
        for env in &envs {
            env.share(&parts.store);
        }
        let shared = Arc::new(Shared {
            store: parts.store,
            ledger,
            causes: parts.causes,
            watched: watched::Watched::default(),
            awake: clock.now(),
            envs,
            plans: Mutex::new(Arc::from([])),
            source: parts.plans,
            access: parts.access,
            actions: parts.actions,
            log_begins: tokio::sync::Mutex::default(),
            owner: parts.owner,
            bound: Mutex::new(HashMap::new()),
            tasks: Mutex::new(HashMap::new()),
            last_id: Mutex::new(Ulid::nil()),
            clock,
        });
        let tasks = Arc::new(Tasks::default());
        tasks.spawn(keeps_up);
        tasks.spawn(heartbeat::beat(Arc::clone(&shared), Arc::clone(&tasks)));
        let inner = Arc::new(Inner {
            shared,
            tasks,
            receipts: Mutex::new(receipts),
            one_order: tokio::sync::Mutex::new(()),
            reading: Mutex::default(),
            closing: AtomicBool::new(false),
            ending: Mutex::new(HashSet::new()),
            strangers: action_log::Strangers::default(),
        });
        inner.shared.remember_servers().await?;
        inner.load_first().await;
        Ok(Self { inner })
    }

    /// Begins to follow what is usual, beside everything else. `budget`: false alarms that are borne, a plan and 30 days.
    pub fn look_ahead(&self, calendar: Calendar, budget: f64) {
        self.inner.tasks.spawn(forecasts::follow(Arc::clone(&self.inner.shared), calendar, budget));
    }

    /// Gives an order. The receipt comes at once, the rest as facts. The same id twice does nothing twice. Goes on
    /// even when the caller stops waiting.
    pub async fn submit(&self, order: Order) -> Receipt {
        let (done, answer) = oneshot::channel();
        let inner = Arc::clone(&self.inner);
        self.inner.tasks.spawn(async move {
            let _ = done.send(inner.order(order).await);
        });
        answer.await.unwrap_or(Receipt::Refused(Refusal::WrongState(Reason::EngineEnds {})))
    }

    /// A console or verb has gone: what it unlocked is locked again.
    pub fn left(&self, session: SessionId) {
        for env in self.inner.shared.envs.iter().filter(|env| env.left(session)) {
            self.inner.relocked(env.env.id.clone(), "the console that unlocked it is gone");
        }
    }

    /// What a user may do here; `None`: not even look.
    pub fn role(&self, uid: u32) -> Option<Role> {
        self.inner.shared.access.role(uid)
    }

    /// Somebody without a role knocked and was refused.
    pub fn knocked(&self, who: Who) {
        let inner = Arc::clone(&self.inner);
        self.inner.tasks.spawn(async move { inner.log_stranger(&who).await });
    }

    /// Asks a question.
    ///
    /// # Errors
    /// What the store says when it cannot read.
    pub async fn ask(&self, query: Query) -> Result<Answer, StoreError> {
        match query {
            Query::Preview { plan, sweep, text, tables, numbers } => {
                let text = text.as_deref().map(|text| (text, tables.as_slice()));
                let params = StartParams { sweep, numbers, ..StartParams::default() };
                Ok(Answer::Preview(self.inner.preview(&plan, &params, text).await))
            }
            Query::Reach(number) => Ok(Answer::Reach(Box::pin(self.inner.reach(&number)).await)),
            query => answers::answer(&self.inner.shared, query).await,
        }
    }

    /// The present state, and everything after it.
    pub fn watch(&self) -> Watch {
        self.watching(None)
    }

    /// The same for a console: as long as it watches, this person is there to mend what stops a run.
    pub fn watch_at_console(&self, who: Who) -> Watch {
        self.watching(Some(who))
    }

    fn watching(&self, console: Option<Who>) -> Watch {
        let watch = self.inner.shared.ledger.watch(console);
        self.inner.tasks.stirred.notify_one();
        watch
    }

    /// Takes no new order and no new bill; calls in flight end within the limit, or become unknown at the next
    /// start. Runs at work are left interrupted, durably. Does not end the engine: questions are still answered.
    pub async fn drain(&self, limit: Duration) -> Left {
        let shared = &self.inner.shared;
        self.inner.closing.store(true, Ordering::SeqCst);
        let busy = || {
            let tasks = lock(&shared.tasks);
            for task in tasks.values() {
                task.control.send_replace(RunControl::Drain);
            }
            tasks.values().any(|task| !task.handle.is_finished())
        };
        let end = shared.clock.mono() + limit;
        while busy() && shared.clock.mono() < end {
            tokio::time::sleep(DRAIN_LOOK).await;
        }
        let in_flight = shared.envs.iter().map(|d| d.in_flight()).sum();
        for task in lock(&shared.tasks).values() {
            task.handle.abort();
        }
        let mut left = Left { in_flight, ..Left::default() };
        forecasts::keep_last(shared).await;
        shared.ledger.live(|live| {
            for run in live.open().filter(|r| r.row.state != RunState::AwaitingApproval) {
                left.runs.push(run.row.head.id);
                left.waiting += run.tally().waiting;
                left.unknown += run.tally().unknown;
            }
        });
        left
    }

    /// Drains within the longest limit of its environments, then ends every task.
    pub async fn shutdown(self) -> Left {
        let limit = self.inner.shared.envs.iter().map(|d| d.limits().drain).max().unwrap_or_default();
        let left = self.drain(limit).await;
        self.inner.tasks.abort_all();
        left
    }
}
