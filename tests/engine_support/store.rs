//! A store in memory that fails when told to, and tells a witness what it took.

use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use skydeck::domain::bill::{Found, Slot};
use skydeck::domain::event::{Event, Fact};
use skydeck::domain::filter::Filter;
use skydeck::domain::ids::{EnvId, Fid, PlanId, RecordKey, RunId, WorkKey};
use skydeck::domain::run::{RunRow, StoppedRun};
use skydeck::domain::time::{Clock, Ts};
use skydeck::store::memory::MemoryStore;
use skydeck::store::{Appended, Store, StoreError};

use super::clock::TokioClock;

/// A store that fails when told to.
pub struct FlakyStore {
    pub inner: MemoryStore,
    pub appends: AtomicU32,
    /// Fail the n-th append; and from then on; and whether the facts are stored all the same.
    pub fail: Mutex<Option<(u32, bool, bool)>>,
    /// How long an append takes.
    pub slow: Mutex<std::time::Duration>,
    /// Told of facts as soon as they are stored.
    pub witness: Mutex<Option<Witness>>,
}

/// Hears of facts.
pub type Witness = Box<dyn FnMut(&[Fact]) + Send>;

impl FlakyStore {
    pub fn new(clock: &Arc<TokioClock>) -> Arc<Self> {
        let clock: Arc<dyn Clock> = Arc::clone(clock) as Arc<dyn Clock>;
        Arc::new(Self {
            inner: MemoryStore::new(clock),
            appends: AtomicU32::new(0),
            fail: Mutex::new(None),
            slow: Mutex::default(),
            witness: Mutex::new(None),
        })
    }
}

macro_rules! pass {
    ($($name:ident($($arg:ident: $ty:ty),*) -> $out:ty;)*) => {
        $(fn $name(&self, $($arg: $ty),*) -> $out { self.inner.$name($($arg),*) })*
    };
}

#[async_trait]
impl Store for FlakyStore {
    async fn append(&self, events: Vec<Event>) -> Result<Appended, StoreError> {
        let slow = *self.slow.lock().unwrap();
        if !slow.is_zero() {
            tokio::time::sleep(slow).await;
        }
        let n = self.appends.fetch_add(1, Ordering::SeqCst) + 1;
        let fail = *self.fail.lock().unwrap();
        if let Some((at, from_then, stored)) = fail
            && (n == at || (from_then && n > at))
        {
            if stored {
                self.inner.append(events).await?;
            }
            return Err(StoreError::Write(format!("append {n} failed")));
        }
        let appended = self.inner.append(events).await?;
        if let Some(witness) = &mut *self.witness.lock().unwrap() {
            witness(&appended.facts);
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
