//! A store, in memory or on disk, that fails when told to, and tells a witness what it took.

use std::collections::VecDeque;
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::{Arc, Mutex, OnceLock};
use std::time::Duration;

use async_trait::async_trait;
use skydeck::domain::access::Role;
use skydeck::domain::bill::{Found, Slot};
use skydeck::domain::command::{Order, Receipt};
use skydeck::domain::event::{ActionEntry, Event, Fact};
use skydeck::domain::filter::Filter;
use skydeck::domain::ids::{CommandId, EnvId, Fid, PlanId, PlanRev, RecordKey, RunId, Seq, WorkKey};
use skydeck::domain::plan::Plan;
use skydeck::domain::query::{BillsAsked, FilterValues, LedgerGroup, Page, PageRequest, RunColumn, Scope};
use skydeck::domain::run::{BillRow, DueTime, Mark, RunRow, StoppedRun};
use skydeck::domain::server::ServerBound;
use skydeck::domain::time::{Clock, Ts};
use skydeck::store::hosts::{CallTurn, Forwarded, FromAfar, Host, Hosts, Pace, Teller};
use skydeck::store::local::LocalStore;
use skydeck::store::memory::MemoryStore;
use skydeck::store::{AppendError, Appended, Batch, Embedded, Inside, LedgerEntry, Reads, Store, StoreError};

use tokio::sync::watch;

use super::clock::TokioClock;

/// A store that fails when told to.
pub struct FlakyStore {
    inner: Inner,
    /// What a store with a thread of its own goes by.
    carried: Option<CarriedClock>,
    pub appends: AtomicU32,
    /// Fail the n-th append; and from then on; and whether the facts are stored all the same.
    pub fail: Mutex<Option<(u32, bool, bool)>>,
    /// The disk is nearly full: nothing that leads to a call is taken.
    pub full: AtomicBool,
    /// The next append that this is true of is refused as contradicting the facts before it.
    pub contradicts: Mutex<Option<Picks>>,
    /// How long an append takes.
    pub slow: Mutex<std::time::Duration>,
    /// The next appends get no answer; whether each is stored all the same.
    pub silent: Mutex<VecDeque<bool>>,
    /// Another program stores these just before an append that holds an intent, once each.
    pub elsewhere: Mutex<VecDeque<Event>>,
    /// Records of appends that were refused because they had gone on.
    pub moved: Mutex<Vec<RecordKey>>,
    /// Told of facts as soon as they are stored.
    pub witness: Mutex<Option<Witness>>,
    /// Other machines may write to it, where set.
    pub together: OnceLock<Together>,
}

/// One of several machines, of which the others do nothing.
pub struct Together {
    far: watch::Sender<Seq>,
    /// Orders that others gave.
    pub orders: Mutex<VecDeque<FromAfar>>,
    /// What they were told.
    pub answers: Mutex<Vec<Receipt>>,
}

impl Default for Together {
    fn default() -> Self {
        Self { far: watch::channel(Seq(0)).0, orders: Mutex::default(), answers: Mutex::default() }
    }
}

/// A place where nobody else calls.
struct Alone;

impl skydeck::store::hosts::Place for Alone {
    fn unused(self: Box<Self>) {}
}

#[async_trait]
impl Hosts for Together {
    fn may_send_for(&self) -> Duration {
        Duration::from_secs(15)
    }

    fn looks_every(&self) -> Duration {
        Duration::from_secs(5)
    }

    fn follow(&self) -> watch::Receiver<Seq> {
        self.far.subscribe()
    }

    async fn elsewhere(&self) -> Result<Vec<(RunId, String)>, StoreError> {
        Ok(Vec::new())
    }

    fn name(&self) -> &'static str {
        "bastion1"
    }

    async fn person(&self, _: u32) -> Result<Option<u32>, StoreError> {
        Ok(None)
    }

    async fn forward(&self, _: RunId, _: &Order, _: Role) -> Result<Forwarded, StoreError> {
        Ok(Forwarded::Nobody)
    }

    async fn orders(&self) -> Result<Vec<FromAfar>, StoreError> {
        loop {
            if let Some(order) = self.orders.lock().unwrap().pop_front() {
                return Ok(vec![order]);
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    }

    async fn answer(&self, _: CommandId, receipt: &Receipt) -> Result<(), StoreError> {
        self.answers.lock().unwrap().push(receipt.clone());
        Ok(())
    }

    async fn call_turn(&self, _: &EnvId, _: Pace) -> Result<CallTurn, StoreError> {
        Ok(CallTurn::Now(Box::new(Alone)))
    }

    fn pause_calls(&self, _: &EnvId, _: Duration) {}

    fn hold_calls(&self, _: &EnvId, _: String) {}

    async fn held_calls(&self, _: &EnvId) -> Result<Option<String>, StoreError> {
        Ok(None)
    }

    async fn let_calls(&self, _: &EnvId) -> Result<(), StoreError> {
        Ok(())
    }

    async fn claim_alerts(&self, keys: &[String], _: Duration) -> Result<Vec<Teller>, StoreError> {
        Ok(vec![Teller::This; keys.len()])
    }

    async fn sent_alerts(&self, _: &[String]) -> Result<(), StoreError> {
        Ok(())
    }

    fn number(&self) -> i32 {
        1
    }

    async fn machines(&self) -> Result<Vec<Host>, StoreError> {
        Ok(Vec::new())
    }

    async fn evict(&self, _: i32) -> Result<(), StoreError> {
        Ok(())
    }

    async fn take_over(&self, _: &[EnvId]) -> Result<Vec<RunId>, StoreError> {
        Ok(Vec::new())
    }

    async fn is_started(&self, _: &PlanId, _: DueTime) -> Result<bool, StoreError> {
        Ok(false)
    }
}

/// The virtual time as it was at the last append: it does not reach threads that are none of tokio's.
struct CarriedClock {
    from: Arc<TokioClock>,
    at: Arc<Mutex<(Ts, Duration)>>,
}

struct LastSeen(Arc<Mutex<(Ts, Duration)>>);

impl Clock for LastSeen {
    fn now(&self) -> Ts {
        self.0.lock().unwrap().0
    }
    fn mono(&self) -> Duration {
        self.0.lock().unwrap().1
    }
}

/// Picks an append by its facts.
pub type Picks = Box<dyn Fn(&[Event]) -> bool + Send>;

/// Hears of facts.
pub type Witness = Box<dyn FnMut(&[Fact]) + Send>;

impl FlakyStore {
    pub fn new(clock: &Arc<TokioClock>) -> Arc<Self> {
        Self::over(Inner::Memory(MemoryStore::new(Arc::clone(clock) as Arc<dyn Clock>)), None)
    }

    /// A journal and an index in a directory, as the program has them.
    pub fn on_disk(clock: &Arc<TokioClock>, dir: &Path) -> Arc<Self> {
        let at = Arc::new(Mutex::new((clock.now(), clock.mono())));
        let seen = Arc::new(LastSeen(Arc::clone(&at)));
        let store = LocalStore::open(dir, seen, "test", &|_| {}).unwrap();
        Self::over(Inner::Disk(store), Some(CarriedClock { from: Arc::clone(clock), at }))
    }

    fn over(inner: Inner, carried: Option<CarriedClock>) -> Arc<Self> {
        Arc::new(Self {
            inner,
            carried,
            appends: AtomicU32::new(0),
            fail: Mutex::new(None),
            full: AtomicBool::new(false),
            contradicts: Mutex::default(),
            slow: Mutex::default(),
            silent: Mutex::default(),
            elsewhere: Mutex::default(),
            moved: Mutex::default(),
            witness: Mutex::new(None),
            together: OnceLock::new(),
        })
    }
}

impl FlakyStore {
    /// An append that nothing goes wrong with. Virtual time stands still while a thread of the store's own is at work.
    pub async fn append_inside(&self, batch: Batch) -> Result<Appended, AppendError> {
        let Some(carried) = &self.carried else { return self.inner().append(batch).await };
        *carried.at.lock().unwrap() = (carried.from.now(), carried.from.mono());
        let (ended, end) = std::sync::mpsc::channel::<()>();
        // As long as a blocking task is there, the clock of the test waits.
        let waits = tokio::task::spawn_blocking(move || end.recv().is_err());
        let appended = self.inner().append(batch).await;
        drop(ended);
        waits.await.unwrap();
        appended
    }
}

/// Where the facts are.
enum Inner {
    Memory(MemoryStore),
    Disk(LocalStore),
}

/// Each read as tests ask it: of the index itself, in their own thread, whatever holds it. The engine asks [`Reads`].
macro_rules! of_index {
    ($($name:ident($($arg:ident: $ty:ty),*) -> $out:ty;)*) => {
        impl FlakyStore {
            $(pub fn $name(&self, $($arg: $ty),*) -> Result<$out, StoreError> {
                match &self.inner {
                    Inner::Memory(store) => store.index().$name($($arg),*),
                    Inner::Disk(store) => store.index().$name($($arg),*),
                }
            })*
        }
    };
}

of_index! {
    run(id: RunId) -> Option<RunRow>;
    open_runs() -> Vec<RunRow>;
    runs(plan: Option<&PlanId>, page: &PageRequest) -> Page<RunRow>;
    bill_of_run(run: RunId, fid: &Fid) -> Option<BillRow>;
    found(run: RunId, fid: &Fid) -> Option<Found>;
    bills_in(of: RunColumn, after: Option<&Fid>, limit: usize) -> Vec<BillRow>;
    in_flight(run: RunId) -> Vec<BillRow>;
    bills(asked: BillsAsked<'_>) -> Page<BillRow>;
    ledger_entry(key: &WorkKey) -> Option<LedgerEntry>;
    ledger_groups(plan: Option<&PlanId>) -> Vec<LedgerGroup>;
    unresolved(plan: Option<&PlanId>) -> u64;
    bill(key: &WorkKey) -> Option<BillRow>;
    newest_of(key: &RecordKey) -> Seq;
    stopped_runs() -> Vec<StoppedRun>;
    resolved_entry(key: &WorkKey) -> Option<LedgerEntry>;
    server_of(env: &EnvId) -> Option<ServerBound>;
    mark(plan: &PlanId, env: &EnvId) -> Option<Mark>;
    plan_of(rev: &PlanRev) -> Option<Plan>;
    actions(page: &PageRequest) -> Page<(Seq, Ts, ActionEntry)>;
}

impl FlakyStore {
    pub fn facts_after(&self, after: Seq, limit: usize) -> Result<Vec<Fact>, StoreError> {
        match &self.inner {
            Inner::Memory(store) => store.inside().facts_after(after, limit),
            Inner::Disk(store) => store.inside().facts_after(after, limit),
        }
    }

    pub fn facts_of(&self, key: &WorkKey, limit: usize) -> Result<(Vec<Fact>, bool), StoreError> {
        match &self.inner {
            Inner::Memory(store) => store.inside().facts_of(key, limit),
            Inner::Disk(store) => store.inside().facts_of(key, limit),
        }
    }

    fn inner(&self) -> &dyn Store {
        match &self.inner {
            Inner::Memory(store) => store,
            Inner::Disk(store) => store,
        }
    }
}

#[async_trait]
impl Store for FlakyStore {
    async fn append(&self, batch: Batch) -> Result<Appended, AppendError> {
        let slow = *self.slow.lock().unwrap();
        if !slow.is_zero() {
            tokio::time::sleep(slow).await;
        }
        let n = self.appends.fetch_add(1, Ordering::SeqCst) + 1;
        let begins = batch.events.iter().any(|event| matches!(event, Event::StepTried { .. }));
        if begins && self.full.load(Ordering::SeqCst) {
            return Err(AppendError::Full("no space left for new work".into()));
        }
        if self.contradicts.lock().unwrap().take_if(|picks| picks(&batch.events)).is_some() {
            return Err(AppendError::Contradiction("it says so".into()));
        }
        let elsewhere = if begins { self.elsewhere.lock().unwrap().pop_front() } else { None };
        if let Some(event) = elsewhere {
            self.append_inside(vec![event].into()).await?;
        }
        let fail = *self.fail.lock().unwrap();
        if let Some((at, from_then, stored)) = fail
            && (n == at || (from_then && n > at))
        {
            if stored {
                self.append_inside(batch).await?;
            }
            return Err(AppendError::Write(format!("append {n} failed")));
        }
        let (id, silent) = (batch.id, self.silent.lock().unwrap().pop_front());
        if silent == Some(false) {
            return Err(AppendError::Away("nobody answers".into()));
        }
        let appended = self.append_inside(batch).await.inspect_err(|error| {
            if let AppendError::Moved(records) = error {
                self.moved.lock().unwrap().extend(records.iter().cloned());
            }
        })?;
        if let Some(witness) = &mut *self.witness.lock().unwrap() {
            witness(&appended.facts);
        }
        if silent.is_some() {
            return Err(AppendError::Unsure(id));
        }
        Ok(appended)
    }

    fn reads(&self) -> &(dyn Reads + 'static) {
        self.inner().reads()
    }

    fn hosts(&self) -> Option<&dyn Hosts> {
        self.together.get().map(|together| together as _)
    }
}
