//! A store, in memory or on disk, that fails when told to, and tells a witness what it took.

use std::collections::VecDeque;
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use skydeck::domain::bill::{Found, Slot};
use skydeck::domain::event::{Event, Fact};
use skydeck::domain::filter::Filter;
use skydeck::domain::ids::{EnvId, Fid, PlanId, RecordKey, RunId, WorkKey};
use skydeck::domain::run::{RunRow, StoppedRun};
use skydeck::domain::time::{Clock, Ts};
use skydeck::store::local::LocalStore;
use skydeck::store::memory::MemoryStore;
use skydeck::store::{AppendError, Appended, Batch, Store, StoreError};

use super::clock::TokioClock;

/// A store that fails when told to.
pub struct FlakyStore {
    pub inner: Arc<dyn Store>,
    /// What a store with a thread of its own goes by.
    carried: Option<CarriedClock>,
    pub appends: AtomicU32,
    /// Fail the n-th append; and from then on; and whether the facts are stored all the same.
    pub fail: Mutex<Option<(u32, bool, bool)>>,
    /// The disk is nearly full: nothing that leads to a call is taken.
    pub full: AtomicBool,
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

/// Hears of facts.
pub type Witness = Box<dyn FnMut(&[Fact]) + Send>;

impl FlakyStore {
    pub fn new(clock: &Arc<TokioClock>) -> Arc<Self> {
        Self::over(Arc::new(MemoryStore::new(Arc::clone(clock) as Arc<dyn Clock>)), None)
    }

    /// A journal and an index in a directory, as the program has them.
    pub fn on_disk(clock: &Arc<TokioClock>, dir: &Path) -> Arc<Self> {
        let at = Arc::new(Mutex::new((clock.now(), clock.mono())));
        let seen = Arc::new(LastSeen(Arc::clone(&at)));
        let store = LocalStore::open(dir, seen, "test", &|_| {}).unwrap();
        Self::over(Arc::new(store), Some(CarriedClock { from: Arc::clone(clock), at }))
    }

    fn over(inner: Arc<dyn Store>, carried: Option<CarriedClock>) -> Arc<Self> {
        Arc::new(Self {
            inner,
            carried,
            appends: AtomicU32::new(0),
            fail: Mutex::new(None),
            full: AtomicBool::new(false),
            slow: Mutex::default(),
            silent: Mutex::default(),
            elsewhere: Mutex::default(),
            moved: Mutex::default(),
            witness: Mutex::new(None),
        })
    }
}

impl FlakyStore {
    /// Virtual time stands still while a thread of the store's own is at work.
    async fn append_inside(&self, batch: Batch) -> Result<Appended, AppendError> {
        let Some(carried) = &self.carried else { return self.inner.append(batch).await };
        *carried.at.lock().unwrap() = (carried.from.now(), carried.from.mono());
        let (inner, here) = (Arc::clone(&self.inner), tokio::runtime::Handle::current());
        tokio::task::spawn_blocking(move || here.block_on(inner.append(batch))).await.unwrap()
    }
}

macro_rules! pass {
    ($($name:ident($($arg:ident: $ty:ty),*) -> $out:ty;)*) => {
        $(fn $name(&self, $($arg: $ty),*) -> $out { self.inner.$name($($arg),*) })*
    };
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

    pass! {
        last_seq() -> skydeck::domain::ids::Seq;
        facts_after(after: skydeck::domain::ids::Seq, limit: usize) -> Result<Vec<Fact>, StoreError>;
        run(id: RunId) -> Result<Option<RunRow>, StoreError>;
        open_runs() -> Result<Vec<RunRow>, StoreError>;
        runs(plan: Option<&PlanId>, page: &skydeck::domain::query::PageRequest)
            -> Result<skydeck::domain::query::Page<RunRow>, StoreError>;
        bill_of_run(run: RunId, fid: &Fid) -> Result<Option<skydeck::domain::run::BillRow>, StoreError>;
        found(run: RunId, fid: &Fid) -> Result<Option<Found>, StoreError>;
        bills_in(run: RunId, slot: Slot, after: Option<&Fid>, limit: usize)
            -> Result<Vec<skydeck::domain::run::BillRow>, StoreError>;
        in_flight(run: RunId) -> Result<Vec<skydeck::domain::run::BillRow>, StoreError>;
        bills(scope: skydeck::domain::query::Scope, filter: &Filter, page: &skydeck::domain::query::PageRequest, now: Ts)
            -> Result<skydeck::domain::query::Page<skydeck::domain::run::BillRow>, StoreError>;
        ledger_entry(key: &WorkKey) -> Result<Option<skydeck::store::LedgerEntry>, StoreError>;
        ledger_groups(plan: Option<&PlanId>) -> Result<Vec<skydeck::domain::query::LedgerGroup>, StoreError>;
        unresolved(plan: Option<&PlanId>) -> Result<u64, StoreError>;
        bill(key: &WorkKey) -> Result<Option<skydeck::domain::run::BillRow>, StoreError>;
        find_number(beginning: &str, limit: usize) -> Result<Vec<skydeck::domain::run::BillRow>, StoreError>;
        facts_of(key: &WorkKey, limit: usize) -> Result<(Vec<Fact>, bool), StoreError>;
        deeds_of(key: &WorkKey, limit: usize) -> Result<(Vec<Fact>, skydeck::domain::ids::Seq), StoreError>;
        newest_of(key: &RecordKey) -> Result<skydeck::domain::ids::Seq, StoreError>;
        stopped_runs() -> Result<Vec<StoppedRun>, StoreError>;
        resolved_entry(key: &WorkKey) -> Result<Option<skydeck::store::LedgerEntry>, StoreError>;
        cured(plan: &PlanId, cause: &skydeck::domain::cause::Cause) -> Result<Option<Ts>, StoreError>;
        operations_of(key: &RecordKey) -> Result<Vec<skydeck::domain::ids::OpId>, StoreError>;
        boot_of(run: RunId, at: skydeck::domain::ids::Seq) -> Result<Option<String>, StoreError>;
        server_of(env: &EnvId) -> Result<Option<skydeck::domain::server::ServerBound>, StoreError>;
        mark(plan: &PlanId, env: &EnvId) -> Result<Option<skydeck::domain::run::Mark>, StoreError>;
        plan_of(rev: &skydeck::domain::ids::PlanRev) -> Result<Option<skydeck::domain::plan::Plan>, StoreError>;
        actions(page: &skydeck::domain::query::PageRequest)
            -> Result<skydeck::domain::query::Page<(skydeck::domain::ids::Seq, Ts, skydeck::domain::event::ActionEntry)>, StoreError>;
    }
}
