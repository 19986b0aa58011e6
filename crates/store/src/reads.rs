//! Reads of a store whose index stands in this process: on which thread they are made.
//!
//! Invariant: no read holds up the runtime. What may be long runs on a thread of its own. A look-up of one entry runs where it
//! is asked, because the change of threads costs more than it does; once the disk is slow, look-ups move over, too.

use skydeck_core::domain::step::LastMade;
use std::future::Future;
use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use async_trait::async_trait;

use super::hosts::Hosts;
use super::index::Index;
use super::index::kv::Kv;
use super::{
    AppendError, Appended, Batch, HandedIn, Kept, LedgerEntry, Reads, Snapshot, Store, StoreError, trim_to_bill,
};
use skydeck_core::domain::action_log::LogWitness;
use skydeck_core::domain::bill::Found;
use skydeck_core::domain::cause::Cause;
use skydeck_core::domain::event::{ActionEntry, Event, Fact};
use skydeck_core::domain::handed_in::Taken;
use skydeck_core::domain::hours::Hour;
use skydeck_core::domain::ids::{EnvId, Fid, FormId, OpId, PlanId, PlanRev, RecordKey, RunId, Seq, WorkKey};
use skydeck_core::domain::plan::Plan;
use skydeck_core::domain::query::{BillsAsked, FilterValues, LedgerGroup, Page, PageRequest, RunColumn};
use skydeck_core::domain::run::{BillRow, Mark, RunRow, StoppedRun};
use skydeck_core::domain::run_list::{RunLine, RunsAsked};
use skydeck_core::domain::server::ServerBound;
use skydeck_core::domain::time::Ts;
use skydeck_core::domain::transition::{Change, transition};

/// A look-up that takes longer says that the disk is slow.
const SLOW: Duration = Duration::from_millis(5);
/// Look-ups that run on another thread after a slow one.
const CAREFUL: u32 = 256;

/// What is in this process: an index, and the facts beside it. All of it may wait for the disk.
pub trait Inside: Send + Sync + 'static {
    /// What holds the index.
    type Kv: Kv + 'static;

    /// The index.
    fn index(&self) -> &Index<Self::Kv>;
    /// Last durable place.
    fn last_seq(&self) -> Result<Seq, StoreError>;
    /// Facts after a place, at most `limit`.
    fn facts_after(&self, after: Seq, limit: usize) -> Result<Vec<Fact>, StoreError>;
    /// Facts at these places.
    fn facts_at(&self, places: &[Seq]) -> Result<Vec<Fact>, StoreError>;

    /// See [`Reads::snapshot`].
    fn snapshot(&self, newest: u32) -> Result<Snapshot, StoreError> {
        self.index().snapshot(newest)
    }

    /// See [`Reads::facts_of`].
    fn facts_of(&self, key: &WorkKey, limit: usize) -> Result<(Vec<Fact>, bool), StoreError> {
        let places = self.index().places_of(key, limit)?;
        let facts = self.facts_at(&places.all)?;
        Ok((facts.into_iter().map(|fact| trim_to_bill(fact, &key.record.fid)).collect(), places.cut))
    }

    /// See [`Reads::lines`].
    fn lines(&self, run: RunId, fid: &Fid) -> Result<Vec<Vec<String>>, StoreError> {
        let Some(at) = self.index().lines_place(run, fid)? else { return Ok(Vec::new()) };
        for fact in self.facts_at(&[at])? {
            if let Change::Found { bills, .. } = transition(&fact.event) {
                let found = bills.iter().find(|bill| bill.fid == *fid);
                return Ok(found.map(|bill| bill.lines.clone()).unwrap_or_default());
            }
        }
        Ok(Vec::new())
    }

    /// See [`Reads::body`].
    fn body(&self, run: RunId, fid: &Fid) -> Result<Option<String>, StoreError> {
        let Some(at) = self.index().body_place(run, fid)? else { return Ok(None) };
        for fact in self.facts_at(&[at])? {
            if let Change::Found { bills, .. } = transition(&fact.event) {
                let found = bills.iter().find(|bill| bill.fid == *fid);
                return Ok(found.and_then(|bill| bill.body.as_ref()).and_then(|made| made.body.clone()));
            }
        }
        Ok(None)
    }

    /// See [`Reads::handed_in`].
    fn handed_in(&self, of: &HandedIn, after: Seq, limit: usize) -> Result<Vec<Taken>, StoreError> {
        let places = self.index().handed_in_after(of, after, limit)?;
        Ok(self.facts_at(&places)?.into_iter().filter_map(taken).collect())
    }

    /// See [`Reads::handed_in_of`].
    fn handed_in_of(&self, plan: &PlanId, key: &RecordKey) -> Result<Option<Taken>, StoreError> {
        let Some(at) = self.index().handed_in_place(plan, key)? else { return Ok(None) };
        Ok(self.facts_at(&[at])?.into_iter().find_map(taken))
    }

    /// See [`Reads::deeds_of`].
    fn deeds_of(&self, key: &WorkKey, limit: usize) -> Result<(Vec<Fact>, Seq), StoreError> {
        let places = self.index().places_of(key, limit)?;
        let last = places.all.last().copied().unwrap_or_default();
        let done: Vec<Seq> = places.all.into_iter().filter(|seq| !places.found.contains(seq)).collect();
        Ok((self.facts_at(&done)?, last))
    }
}

/// A record that was handed in, out of its fact.
fn taken(fact: Fact) -> Option<Taken> {
    match fact.event {
        Event::HandedIn(record) => Some(Taken { seq: fact.seq, at: fact.at, record: *record }),
        _ => None,
    }
}

/// How look-ups went of late.
#[derive(Debug, Default)]
pub struct Pace {
    careful: AtomicU32,
    /// What is asked is on another machine: no look-up ever runs where it is asked.
    far: bool,
}

impl Pace {
    /// Of a store whose entries are on another machine.
    pub fn far() -> Self {
        Self { far: true, ..Self::default() }
    }

    /// Whether the next look-up is to run on another thread.
    fn is_slow(&self) -> bool {
        self.far || self.careful.try_update(Ordering::Relaxed, Ordering::Relaxed, |left| left.checked_sub(1)).is_ok()
    }

    fn note(&self, took: Duration) {
        if took > SLOW {
            self.careful.store(CAREFUL, Ordering::Relaxed);
        }
    }
}

/// A store whose index stands in this process: a [`Store`] by that alone.
pub trait Embedded: Send + Sync + 'static {
    /// What is in this process.
    type Inside: Inside;

    /// What is in this process.
    fn inside(&self) -> &Arc<Self::Inside>;
    /// How its disk does; `None` where it has none, and nothing ever waits.
    fn pace(&self) -> Option<&Pace>;
    /// See [`Store::hosts`].
    fn hosts(&self) -> Option<&dyn Hosts> {
        None
    }
    /// See [`Store::append`].
    fn store(&self, batch: Batch) -> impl Future<Output = Result<Appended, AppendError>> + Send;
}

/// A read that may be long.
async fn long<S: Embedded, T: Send + 'static>(
    store: &S,
    ask: impl FnOnce(&S::Inside) -> Result<T, StoreError> + Send + 'static,
) -> Result<T, StoreError> {
    if store.pace().is_none() {
        return ask(store.inside());
    }
    let inside = Arc::clone(store.inside());
    match tokio::task::spawn_blocking(move || ask(&inside)).await {
        Ok(answer) => answer,
        // A panic there is a read error.
        Err(error) => Err(StoreError::Read(format!("the reading task ended: {error}"))),
    }
}

/// A look-up of one entry, or of a few.
async fn short<S: Embedded, T: Send + 'static>(
    store: &S,
    ask: impl FnOnce(&S::Inside) -> Result<T, StoreError> + Send + 'static,
) -> Result<T, StoreError> {
    let Some(pace) = store.pace() else { return ask(store.inside()) };
    // Many in a row let others have their turn.
    tokio::task::coop::consume_budget().await;
    if pace.is_slow() {
        return long(store, ask).await;
    }
    let since = Instant::now();
    let answer = ask(store.inside());
    pace.note(since.elapsed());
    answer
}

#[async_trait]
impl<S: Embedded> Store for S {
    async fn append(&self, batch: Batch) -> Result<Appended, AppendError> {
        self.store(batch).await
    }

    fn reads(&self) -> &(dyn Reads + 'static) {
        self
    }

    fn hosts(&self) -> Option<&dyn Hosts> {
        Embedded::hosts(self)
    }
}

#[async_trait]
impl<S: Embedded> Reads for S {
    async fn last_seq(&self) -> Result<Seq, StoreError> {
        short(self, Inside::last_seq).await
    }

    async fn facts_after(&self, after: Seq, limit: usize) -> Result<Vec<Fact>, StoreError> {
        long(self, move |s| s.facts_after(after, limit)).await
    }

    async fn snapshot(&self, newest: u32) -> Result<Snapshot, StoreError> {
        long(self, move |s| s.snapshot(newest)).await
    }

    async fn run(&self, id: RunId) -> Result<Option<RunRow>, StoreError> {
        short(self, move |s| s.index().run(id)).await
    }

    async fn open_runs(&self) -> Result<Vec<RunRow>, StoreError> {
        long(self, |s| s.index().open_runs()).await
    }

    async fn stopped_runs(&self) -> Result<Vec<StoppedRun>, StoreError> {
        long(self, |s| s.index().stopped_runs()).await
    }

    async fn runs(&self, plan: Option<&PlanId>, page: &PageRequest) -> Result<Page<RunRow>, StoreError> {
        let (plan, page) = (plan.cloned(), page.clone());
        long(self, move |s| s.index().runs(plan.as_ref(), &page)).await
    }

    async fn run_lines(&self, asked: &RunsAsked, page: &PageRequest, now: Ts) -> Result<Page<RunLine>, StoreError> {
        let (asked, page) = (asked.clone(), page.clone());
        long(self, move |s| s.index().run_lines(&asked, &page, now)).await
    }

    async fn bill_of_run(&self, run: RunId, fid: &Fid) -> Result<Option<BillRow>, StoreError> {
        let fid = fid.clone();
        short(self, move |s| s.index().bill_of_run(run, &fid)).await
    }

    async fn found(&self, run: RunId, fid: &Fid) -> Result<Option<Found>, StoreError> {
        let fid = fid.clone();
        short(self, move |s| s.index().found(run, &fid)).await
    }

    async fn body(&self, run: RunId, fid: &Fid) -> Result<Option<String>, StoreError> {
        let fid = fid.clone();
        short(self, move |s| s.body(run, &fid)).await
    }

    async fn lines(&self, run: RunId, fid: &Fid) -> Result<Vec<Vec<String>>, StoreError> {
        let fid = fid.clone();
        short(self, move |s| s.lines(run, &fid)).await
    }

    async fn last_made(&self, env: &EnvId, form: &FormId) -> Result<Option<LastMade>, StoreError> {
        let (env, form) = (env.clone(), form.clone());
        short(self, move |s| s.index().last_made(&env, &form)).await
    }

    async fn bills_in(&self, of: RunColumn, after: Option<&Fid>, limit: usize) -> Result<Vec<BillRow>, StoreError> {
        let after = after.cloned();
        long(self, move |s| s.index().bills_in(of, after.as_ref(), limit)).await
    }

    async fn in_flight(&self, run: RunId) -> Result<Vec<BillRow>, StoreError> {
        long(self, move |s| s.index().in_flight(run)).await
    }

    async fn bills(&self, asked: BillsAsked<'_>) -> Result<Page<BillRow>, StoreError> {
        let BillsAsked { scope, now, .. } = asked;
        let (filter, page) = (asked.filter.clone(), asked.page.clone());
        long(self, move |s| s.index().bills(scope.asked(&filter, &page, now))).await
    }

    async fn resolved_entry(&self, key: &WorkKey) -> Result<Option<LedgerEntry>, StoreError> {
        let key = key.clone();
        short(self, move |s| s.index().resolved_entry(&key)).await
    }

    async fn cured(&self, plan: &PlanId, cause: &Cause) -> Result<Option<Ts>, StoreError> {
        let (plan, cause) = (plan.clone(), cause.clone());
        short(self, move |s| s.index().cured(&plan, &cause)).await
    }

    async fn ledger_entry(&self, key: &WorkKey) -> Result<Option<LedgerEntry>, StoreError> {
        let key = key.clone();
        short(self, move |s| s.index().ledger_entry(&key)).await
    }

    async fn ledger_groups(&self, plan: Option<&PlanId>) -> Result<Vec<LedgerGroup>, StoreError> {
        let plan = plan.cloned();
        long(self, move |s| s.index().ledger_groups(plan.as_ref())).await
    }

    async fn filter_values(&self, column: Option<&str>) -> Result<FilterValues, StoreError> {
        let column = column.map(str::to_owned);
        long(self, move |s| s.index().filter_values(column.as_deref())).await
    }

    async fn unresolved(&self, plan: Option<&PlanId>) -> Result<u64, StoreError> {
        let plan = plan.cloned();
        short(self, move |s| s.index().unresolved(plan.as_ref())).await
    }

    async fn bill(&self, key: &WorkKey) -> Result<Option<BillRow>, StoreError> {
        let key = key.clone();
        short(self, move |s| s.index().bill(&key)).await
    }

    async fn find_number(&self, beginning: &str, limit: usize) -> Result<Vec<BillRow>, StoreError> {
        let beginning = beginning.to_owned();
        long(self, move |s| s.index().find_number(&beginning, limit)).await
    }

    async fn facts_of(&self, key: &WorkKey, limit: usize) -> Result<(Vec<Fact>, bool), StoreError> {
        let key = key.clone();
        long(self, move |s| s.facts_of(&key, limit)).await
    }

    async fn deeds_of(&self, key: &WorkKey, limit: usize) -> Result<(Vec<Fact>, Seq), StoreError> {
        let key = key.clone();
        long(self, move |s| s.deeds_of(&key, limit)).await
    }

    async fn operations_of(&self, key: &RecordKey) -> Result<Vec<OpId>, StoreError> {
        let key = key.clone();
        short(self, move |s| s.index().operations_of(&key)).await
    }

    async fn newest_of(&self, key: &RecordKey) -> Result<Seq, StoreError> {
        let key = key.clone();
        short(self, move |s| s.index().newest_of(&key)).await
    }

    async fn boot_of(&self, run: RunId, at: Seq) -> Result<Option<String>, StoreError> {
        short(self, move |s| s.index().boot_of(run, at)).await
    }

    async fn server_of(&self, env: &EnvId) -> Result<Option<ServerBound>, StoreError> {
        let env = env.clone();
        short(self, move |s| s.index().server_of(&env)).await
    }

    async fn mark(&self, plan: &PlanId, env: &EnvId) -> Result<Option<Mark>, StoreError> {
        let (plan, env) = (plan.clone(), env.clone());
        short(self, move |s| s.index().mark(&plan, &env)).await
    }

    async fn handed_in(&self, of: &HandedIn, after: Seq, limit: usize) -> Result<Vec<Taken>, StoreError> {
        let of = of.clone();
        long(self, move |s| s.handed_in(&of, after, limit)).await
    }

    async fn handed_in_of(&self, plan: &PlanId, key: &RecordKey) -> Result<Option<Taken>, StoreError> {
        let (plan, key) = (plan.clone(), key.clone());
        short(self, move |s| s.handed_in_of(&plan, &key)).await
    }

    async fn hourly(&self, plan: &PlanId, hours: Range<Ts>) -> Result<Vec<Hour>, StoreError> {
        let plan = plan.clone();
        long(self, move |s| s.index().hourly(&plan, &hours)).await
    }

    async fn kept(&self, form: u32) -> Result<Option<Kept>, StoreError> {
        long(self, move |s| Ok(s.index().kept()?.filter(|kept| kept.form == form))).await
    }

    async fn keep(&self, kept: Kept) -> Result<(), StoreError> {
        long(self, move |s| s.index().keep(&kept)).await
    }

    async fn plan_of(&self, rev: &PlanRev) -> Result<Option<Plan>, StoreError> {
        let rev = rev.clone();
        short(self, move |s| s.index().plan_of(&rev)).await
    }

    async fn log_witnesses(&self, file: Option<&str>) -> Result<Vec<(Seq, LogWitness)>, StoreError> {
        let file = file.map(str::to_owned);
        short(self, move |s| s.index().log_witnesses(file.as_deref())).await
    }

    async fn actions(&self, page: &PageRequest) -> Result<Page<(Seq, Ts, ActionEntry)>, StoreError> {
        let page = page.clone();
        long(self, move |s| s.index().actions(&page)).await
    }
}
