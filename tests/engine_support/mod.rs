//! A world with bills in it that answers as the ERP does, a clock on tokio's time, and short ways to drive an engine.

#![allow(dead_code)]

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::sync::atomic::{AtomicI64, AtomicU32, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use skydeck::domain::access::Role;
use skydeck::domain::bill::{Failure, Found, Outcome, Rev, Slot, Status, UnknownWhy};
use skydeck::domain::cause::{BUILT_IN, Cause, CauseTable};
use skydeck::domain::command::{Command, Order, Receipt, Selection, StartParams};
use skydeck::domain::env::{Environment, Limits};
use skydeck::domain::event::{Event, Fact};
use skydeck::domain::filter::Filter;
use skydeck::domain::ids::{
    CommandId, EnvId, Fid, FormId, PlanId, PlanRev, RecordKey, RunId, SessionId, SetHash, WorkKey,
};
use skydeck::domain::plan::{Column, Plan, Policy, Source, Target, WriteOptions};
use skydeck::domain::query::PlanProblem;
use skydeck::domain::run::{Flag, RunRow, RunState};
use skydeck::domain::server::Server;
use skydeck::domain::step::{Evidence, Verb, Verdict};
use skydeck::domain::time::{Clock, ErpDate, Ts};
use skydeck::domain::who::Who;
use skydeck::engine::{Engine, Parts, PlanSource};
use skydeck::erp::{
    Alarm, Erp, Fault, FaultKind, FoundPage, Greeting, Look, PageQuery, WriteCall, WriteReply, WriteToken,
};
use skydeck::store::actions::{ActionLog, MemoryLog};
use skydeck::store::memory::MemoryStore;
use skydeck::store::{Appended, Store, StoreError};
use tokio::time::Instant;

pub const US: &str = "integration";
pub const FORM: &str = "SAL_OUTSTOCK";

/// Tokio's (paused) time, with a wall clock that can be stepped.
pub struct TokioClock {
    start: Instant,
    base: i64,
    pub step: AtomicI64,
}

impl TokioClock {
    pub fn new() -> Arc<Self> {
        Arc::new(Self { start: Instant::now(), base: 1_790_000_000_000, step: AtomicI64::new(0) })
    }

    pub fn start_elapsed(&self) -> Duration {
        self.start.elapsed()
    }
}

impl Clock for TokioClock {
    fn now(&self) -> Ts {
        Ts(self.base + self.start.elapsed().as_millis() as i64 + self.step.load(Ordering::SeqCst))
    }
    fn mono(&self) -> Duration {
        self.start.elapsed()
    }
}

#[derive(Clone, Debug)]
pub struct Doc {
    pub status: Status,
    /// Server seconds; any change of the bill sets it anew.
    pub modified: i64,
    pub created: i64,
    pub approver: Option<String>,
    /// Server seconds before which nobody else sees it (a transaction that commits late).
    pub visible: i64,
    pub gone: bool,
    pub version: u64,
}

/// What happens to one writing call.
#[derive(Clone, Debug)]
pub enum Trouble {
    None,
    NotSent,
    /// The answer is lost, the call was not applied.
    LostBefore,
    /// The answer is lost, the call was applied.
    LostAfter,
    /// The answer is lost now, the call is applied after a while.
    Late(Duration),
    /// Refused with this message code and text.
    Refused(i64, &'static str),
    /// Answered only after a while.
    Slow(Duration),
    SessionLost,
    SlowDown,
    Credentials,
    WrongIds,
    /// The answer does not name the bill, though it was applied.
    NotNamed,
    /// Another person audits just before our call arrives.
    Overtaken,
    Panic,
}

#[derive(Clone, Debug)]
pub struct Post {
    pub fid: Fid,
    pub verb: Verb,
    pub at: Duration,
    /// Status the bill had when the request arrived.
    pub status: Status,
    pub version: u64,
    /// The client got a usable answer.
    pub answered: bool,
    /// When the server is done with it.
    pub done: Duration,
    pub batch: usize,
}

/// Something that happens after a page, given its number.
pub type Between = Box<dyn FnMut(&mut State, u32) + Send>;

#[derive(Default)]
pub struct State {
    pub docs: BTreeMap<Fid, Doc>,
    pub posts: Vec<Post>,
    /// Applied audits: bill, version it was applied to, by whom.
    pub audits: Vec<(Fid, u64, String)>,
    pub trouble: VecDeque<Trouble>,
    pub trouble_of: HashMap<Fid, VecDeque<Trouble>>,
    /// Faults of the next reading calls.
    pub read_faults: VecDeque<FaultKind>,
    pub reads_down: bool,
    pub late: Vec<(Duration, Fid, u64)>,
    /// Last status read of a bill by the client.
    pub reads: HashMap<Fid, (Duration, Option<Rev>)>,
    pub skew: i64,
    pub sign_ins: u32,
    /// The data centre that sign-ins and reads are told to be in.
    pub centre: Option<String>,
    pub pages: u32,
    pub broken_rules: Vec<String>,
    /// Called after each page, with its number; changes between pages.
    pub between: Option<Between>,
    /// Refuse a whole batch when one member is refused.
    pub sink_batches: bool,
    pub fail_call: Option<(u32, bool)>,
    pub calls: u32,
    pub in_flight: u32,
    pub most_in_flight: u32,
    pub versions: u64,
}

/// The server.
pub struct World {
    pub clock: Arc<TokioClock>,
    /// The environment it is called from.
    pub env: EnvId,
    pub state: Mutex<State>,
    pub settle: Duration,
    pub server_limit: Duration,
}

pub fn fid(n: u64) -> Fid {
    Fid::from(n)
}

fn date(seconds: i64) -> ErpDate {
    ErpDate::from_naive(chrono::DateTime::from_timestamp(1_790_000_000 + seconds, 0).unwrap().naive_utc())
}

impl World {
    pub fn new(clock: &Arc<TokioClock>) -> Arc<Self> {
        Self::of(clock, "test")
    }

    pub fn of(clock: &Arc<TokioClock>, env: &str) -> Arc<Self> {
        Arc::new(Self {
            clock: Arc::clone(clock),
            env: EnvId::new(env),
            state: Mutex::default(),
            settle: Duration::from_secs(130),
            server_limit: Duration::from_secs(120),
        })
    }

    pub fn with<T>(&self, f: impl FnOnce(&mut State) -> T) -> T {
        f(&mut self.state.lock().unwrap())
    }

    pub fn server_now(&self) -> i64 {
        let skew = self.with(|s| s.skew);
        self.clock.mono().as_secs() as i64 + skew
    }

    pub fn add(&self, n: u64, status: &str) {
        self.add_late(n, status, 0);
    }

    /// Adds submitted bills.
    pub fn submitted(&self, bills: impl Iterator<Item = u64>) {
        for n in bills {
            self.add(n, "B");
        }
    }

    pub fn add_late(&self, n: u64, status: &str, commit: i64) {
        let now = self.server_now();
        let real = self.clock.mono().as_secs() as i64;
        self.with(|s| {
            s.versions += 1;
            let doc = Doc {
                status: Status::from(status.to_owned()),
                modified: now,
                created: now,
                approver: None,
                visible: real + commit,
                gone: false,
                version: s.versions,
            };
            s.docs.insert(fid(n), doc);
        });
    }

    pub fn change(&self, n: u64, f: impl FnOnce(&mut Doc)) {
        let now = self.server_now();
        self.with(|s| {
            s.versions += 1;
            let version = s.versions;
            if let Some(doc) = s.docs.get_mut(&fid(n)) {
                f(doc);
                doc.modified = now.max(doc.modified + 1);
                doc.version = version;
            }
        });
    }

    pub fn status(&self, n: u64) -> String {
        self.with(|s| s.docs[&fid(n)].status.code().to_owned())
    }

    pub fn posts_of(&self, n: u64) -> usize {
        self.with(|s| s.posts.iter().filter(|p| p.fid == fid(n)).count())
    }

    /// Lets late effects happen whose time has come.
    pub fn catch_up(&self) {
        let now = self.clock.mono();
        let due: Vec<_> = self.with(|s| {
            let (due, rest) = s.late.drain(..).partition(|(at, ..)| *at <= now);
            s.late = rest;
            due
        });
        for (_, fid, version) in due {
            let at = self.server_now();
            self.with(|s| {
                if s.docs.get(&fid).is_some_and(|d| d.status == Status::Submitted && d.version == version && !d.gone) {
                    apply(s, &fid, &Verb::Audit, at);
                }
            });
        }
    }

    fn read_fault(&self) -> Option<Fault> {
        self.with(|s| {
            s.calls += 1;
            let nth = s.fail_call.is_some_and(|(n, from_then)| s.calls == n || (from_then && s.calls > n));
            let kind = if s.reads_down || nth { Some(FaultKind::NoAnswer) } else { s.read_faults.pop_front() };
            kind.map(|kind| Fault { kind, message: "the read failed".into(), retry_after: None, evidence: None })
        })
    }

    fn found(fid: &Fid, doc: &Doc) -> Found {
        Found {
            fid: fid.clone(),
            no: format!("XSCKD{fid}"),
            rev: Rev { status: doc.status.clone(), modified: Some(date(doc.modified)), state: None },
            approver: doc.approver.clone(),
            approved: None,
            marked: Some(date(doc.created)),
            columns: vec!["100".into()],
            fields: Vec::new(),
        }
    }
}

fn apply(s: &mut State, fid: &Fid, verb: &Verb, at: i64) {
    s.versions += 1;
    let version = s.versions;
    let Some(doc) = s.docs.get_mut(fid) else { return };
    if *verb == Verb::Submit {
        doc.status = Status::Submitted;
    } else {
        s.audits.push((fid.clone(), doc.version, US.into()));
        doc.status = Status::Audited;
        doc.approver = Some(US.into());
    }
    doc.modified = at.max(doc.modified + 1);
    doc.version = version;
}

#[async_trait]
impl Erp for World {
    async fn sign_in(&self) -> Result<Greeting, Fault> {
        self.with(|s| s.sign_ins += 1);
        Ok(Greeting::default())
    }

    async fn fetch_page(&self, query: &PageQuery) -> Result<FoundPage, Fault> {
        tokio::time::sleep(Duration::from_millis(20)).await;
        self.catch_up();
        if let Some(fault) = self.read_fault() {
            return Err(fault);
        }
        let real = self.clock.mono().as_secs() as i64;
        let floor = query.filter.split('\'').nth(1).and_then(ErpDate::parse);
        Ok(self.with(|s| {
            let rows = s.docs.iter().filter(|(fid, doc)| {
                !doc.gone
                    && doc.visible <= real
                    && doc.status != Status::Audited
                    && floor.as_ref().is_none_or(|f| date(doc.created) >= *f)
                    && query.after.as_ref().is_none_or(|after| *fid > after)
            });
            let bills: Vec<Found> = rows.take(query.limit as usize).map(|(f, d)| World::found(f, d)).collect();
            s.pages += 1;
            if let Some(mut between) = s.between.take() {
                let n = s.pages;
                between(s, n);
                s.between = Some(between);
            }
            FoundPage { raw_rows: bills.len() as u32, bills }
        }))
    }

    async fn read_bills(&self, _: &Look<'_>, fids: &[Fid]) -> Result<Vec<Found>, Fault> {
        assert!(fids.len() <= 200, "a read asks for {} bills", fids.len());
        tokio::time::sleep(Duration::from_millis(20)).await;
        self.catch_up();
        if let Some(fault) = self.read_fault() {
            return Err(fault);
        }
        let now = self.clock.mono();
        Ok(self.with(|s| {
            let mut rows = Vec::new();
            for fid in fids {
                let doc = s.docs.get(fid).filter(|d| !d.gone);
                let found = doc.map(|d| World::found(fid, d));
                s.reads.insert(fid.clone(), (now, found.as_ref().map(|f| f.rev.clone())));
                rows.extend(found.map(|f| Found { columns: Vec::new(), ..f }));
            }
            rows
        }))
    }

    async fn write(&self, token: &WriteToken, call: &WriteCall) -> WriteReply {
        assert_eq!(token.env(), &self.env);
        self.catch_up();
        let started = self.clock.mono();
        let trouble = self.with(|s| {
            s.in_flight += 1;
            s.most_in_flight = s.most_in_flight.max(s.in_flight);
            s.calls += 1;
            let nth = s.fail_call.is_some_and(|(n, from_then)| s.calls == n || (from_then && s.calls > n));
            let first = &call.bills[0].0;
            let own = s.trouble_of.get_mut(first).and_then(VecDeque::pop_front);
            if nth { Trouble::LostBefore } else { own.or_else(|| s.trouble.pop_front()).unwrap_or(Trouble::None) }
        });
        let arrive = if let Trouble::Slow(d) = &trouble { *d } else { Duration::from_millis(50) };
        if matches!(trouble, Trouble::Panic) {
            self.note(call, &trouble, started);
            self.with(|s| s.in_flight -= 1);
            panic!("a poison answer");
        }
        if matches!(trouble, Trouble::NotSent) {
            self.with(|s| s.in_flight -= 1);
            return reply(call, started, started, |_| Verdict::NotSent("connection refused".into()), None);
        }
        self.note(call, &trouble, started);
        tokio::time::sleep(arrive).await;
        let verdicts = self.serve(call, &trouble);
        let now = self.clock.mono();
        self.with(|s| s.in_flight -= 1);
        let lost = |why: UnknownWhy| move |_: &Fid| Verdict::Unknown(why.clone(), "no answer".into());
        match trouble {
            Trouble::LostBefore | Trouble::LostAfter | Trouble::Late(_) => {
                reply(call, started, now, lost(UnknownWhy::Broken), None)
            }
            Trouble::NotNamed => reply(call, started, now, lost(UnknownWhy::NotNamed), None),
            Trouble::WrongIds => reply(call, started, now, lost(UnknownWhy::WrongIds), Some(Alarm::WrongIds)),
            Trouble::SessionLost => reply(call, started, now, lost(UnknownWhy::SessionLost), Some(Alarm::SessionLost)),
            Trouble::Credentials => {
                let words = "wrong secret".to_owned();
                reply(call, started, now, lost(UnknownWhy::SessionLost), Some(Alarm::Credentials(words)))
            }
            Trouble::SlowDown => {
                let alarm = Some(Alarm::SlowDown(Some(Duration::from_secs(20))));
                reply(call, started, now, |_| rejected(14, "too many calls"), alarm)
            }
            _ => reply(call, started, now, |fid| verdicts[fid].clone(), None),
        }
    }

    fn session(&self) -> String {
        "signed headers".into()
    }

    fn centre(&self) -> Option<String> {
        self.with(|s| s.centre.clone())
    }
}

fn rejected(code: i64, message: &str) -> Verdict {
    let cause = causes().classify(Some(code), None, message);
    Verdict::Rejected(Failure { cause, msg_code: Some(code), field: None, message: message.into() })
}

fn reply(
    call: &WriteCall,
    started: Duration,
    now: Duration,
    verdict: impl Fn(&Fid) -> Verdict,
    alarm: Option<Alarm>,
) -> WriteReply {
    WriteReply {
        verdicts: call.bills.iter().map(|(fid, _)| (fid.clone(), verdict(fid))).collect(),
        evidence: Evidence::default(),
        took: now.saturating_sub(started),
        side: Vec::new(),
        alarm,
    }
}

impl World {
    /// Notes a request and holds it against the rules of the product.
    fn note(&self, call: &WriteCall, trouble: &Trouble, at: Duration) {
        let (settle, fresh) = (self.settle, Duration::from_secs(30));
        let answered = !matches!(
            trouble,
            Trouble::LostBefore
                | Trouble::LostAfter
                | Trouble::Late(_)
                | Trouble::NotNamed
                | Trouble::WrongIds
                | Trouble::SessionLost
                | Trouble::Credentials
                | Trouble::Panic
        );
        self.with(|s| {
            for (fid, _) in &call.bills {
                let doc = s.docs[fid].clone();
                let read = s.reads.get(fid).cloned();
                let wanted: &[&str] = if call.verb == Verb::Submit { &["Z", "A", "D"] } else { &["B"] };
                match &read {
                    None => s.broken_rules.push(format!("{fid}: called without a read")),
                    Some((when, rev)) => {
                        if at.saturating_sub(*when) > fresh + Duration::from_secs(1) {
                            s.broken_rules.push(format!("{fid}: called {:?} after its read", at.saturating_sub(*when)));
                        }
                        if !rev.as_ref().is_some_and(|r| wanted.contains(&r.status.code())) {
                            s.broken_rules.push(format!("{fid}: {:?} called though it was read as {rev:?}", call.verb));
                        }
                    }
                }
                if let Some(before) = s.posts.iter().rev().find(|p| p.fid == *fid) {
                    let read_at = read.map_or(Duration::ZERO, |(when, _)| when);
                    if !before.answered && read_at < before.at + settle && before.verb == call.verb {
                        s.broken_rules.push(format!("{fid}: blind repeat at {at:?} of the call at {:?}", before.at));
                    }
                    if before.done > at {
                        s.broken_rules.push(format!("{fid}: overlapping calls at {:?} and {at:?}", before.at));
                    }
                }
                let done = at + if let Trouble::Late(d) | Trouble::Slow(d) = trouble { *d } else { Duration::ZERO };
                s.posts.push(Post {
                    fid: fid.clone(),
                    verb: call.verb.clone(),
                    at,
                    status: doc.status,
                    version: doc.version,
                    answered,
                    done,
                    batch: call.bills.len(),
                });
            }
        });
    }

    fn serve(&self, call: &WriteCall, trouble: &Trouble) -> HashMap<Fid, Verdict> {
        let at = self.server_now();
        let now = self.clock.mono();
        self.with(|s| {
            let mut verdicts = HashMap::new();
            for (fid, _) in &call.bills {
                if matches!(trouble, Trouble::Overtaken) {
                    let doc = s.docs.get_mut(fid).unwrap();
                    doc.status = Status::Audited;
                    doc.approver = Some("zhang".into());
                }
                let doc = s.docs[fid].clone();
                let wanted: &[&str] = if call.verb == Verb::Submit { &["Z", "A", "D"] } else { &["B"] };
                let own =
                    (call.bills.len() > 1).then(|| s.trouble_of.get(fid).and_then(|q| q.front().cloned())).flatten();
                let verdict = match (trouble, own.as_ref()) {
                    (Trouble::Refused(code, words), _) | (_, Some(Trouble::Refused(code, words))) => {
                        rejected(*code, words)
                    }
                    (Trouble::LostBefore | Trouble::SessionLost | Trouble::SlowDown | Trouble::Credentials, _) => {
                        Verdict::Unknown(UnknownWhy::Broken, String::new())
                    }
                    (Trouble::Late(after), _) => {
                        s.late.push((now + *after, fid.clone(), doc.version));
                        Verdict::Unknown(UnknownWhy::Broken, String::new())
                    }
                    _ if doc.gone => rejected(10, "内码值[1]不存在"),
                    _ if doc.status == Status::Audited && call.verb != Verb::Submit => rejected(11, "单据已审核"),
                    _ if !wanted.contains(&doc.status.code()) => rejected(11, "请先提交审核"),
                    _ => Verdict::Done,
                };
                verdicts.insert(fid.clone(), verdict);
            }
            let bad = verdicts.values().find(|v| matches!(v, Verdict::Rejected(_))).cloned();
            if let (true, true, Some(bad)) = (s.sink_batches, call.bills.len() > 1, bad) {
                for verdict in verdicts.values_mut() {
                    *verdict = bad.clone();
                }
            }
            for (fid, _) in &call.bills {
                if verdicts[fid] == Verdict::Done {
                    apply(s, fid, &call.verb, at);
                }
            }
            verdicts
        })
    }
}

pub fn causes() -> CauseTable {
    toml::from_str(BUILT_IN).unwrap()
}

pub struct Plans(pub Mutex<Vec<Plan>>);

impl PlanSource for Plans {
    fn load(&self) -> Vec<(Result<Plan, PlanProblem>, u32)> {
        self.0.lock().unwrap().iter().map(|p| (Ok(p.clone()), 0)).collect()
    }
}

pub fn plan(id: &str) -> Plan {
    let form = FormId::new(FORM);
    Plan {
        id: PlanId::new(id),
        name: id.into(),
        rev: PlanRev::new("0123456789abcdef"),
        env: None,
        target_env: None,
        source: Source {
            form: form.clone(),
            columns: vec![Column { key: "FOrg".into(), path: "FOrg".into(), label: "org".into() }],
            filter: "FCreateDate>='{{LAST_SYNC_TIME|dateTime}}' and FDocumentStatus<>'C'".into(),
            mark_column: Some("FCreateDate".into()),
            id_path: "FID".into(),
            number_path: "FBillNo".into(),
            top_rows: 0,
            condition: Vec::new(),
        },
        target: Target { verb: Verb::Audit, form, options: WriteOptions::default(), stripped_flags: Vec::new() },
        policy: Policy { page_size: 10, ..Policy::default() },
    }
}

/// Tests' users: 3000 looks, 2000 works, everybody else answers for it.
pub fn role(uid: u32) -> Option<Role> {
    match uid {
        4000 => None,
        3000 => Some(Role::Viewer),
        2000 => Some(Role::Operator),
        _ => Some(Role::Approver),
    }
}

pub fn environment() -> Environment {
    Environment {
        id: EnvId::new("test"),
        address: "http://erp.invalid/k3cloud".into(),
        account_set: "0".into(),
        user: US.into(),
        production: false,
        read_only: false,
        always_read_only: false,
        second_person: false,
        server_zone: "Asia/Shanghai".into(),
        allow_operations: Vec::new(),
        limits: Limits { per_minute: 6000, concurrency: 2, breaker_unknown: 0, ..Limits::default() },
        server: server("http://erp.invalid/k3cloud", "0"),
    }
}

pub fn server(address: &str, account_set: &str) -> Server {
    skydeck::erp::config::server(address, account_set)
}

/// An environment of another name, on a server of its own.
pub fn other_environment(name: &str) -> Environment {
    let address = format!("http://{name}.invalid/k3cloud");
    Environment { id: EnvId::new(name), server: server(&address, "0"), address, ..environment() }
}

/// A store that fails when told to.
pub struct FlakyStore {
    pub inner: MemoryStore,
    pub appends: AtomicU32,
    /// Fail the n-th append; and from then on; and whether the facts are stored all the same.
    pub fail: Mutex<Option<(u32, bool, bool)>>,
}

impl FlakyStore {
    pub fn new(clock: &Arc<TokioClock>) -> Arc<Self> {
        let clock: Arc<dyn Clock> = Arc::clone(clock) as Arc<dyn Clock>;
        Arc::new(Self { inner: MemoryStore::new(clock), appends: AtomicU32::new(0), fail: Mutex::new(None) })
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
        self.inner.append(events).await
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
        resolved_since(key: &WorkKey) -> Result<Option<Ts>, StoreError>;
        operations_of(key: &RecordKey) -> Result<Vec<skydeck::domain::ids::OpId>, StoreError>;
        boot_of(run: RunId, at: skydeck::domain::ids::Seq) -> Result<Option<String>, StoreError>;
        server_of(env: &EnvId) -> Result<Option<skydeck::domain::server::ServerBound>, StoreError>;
        mark(plan: &PlanId, env: &EnvId) -> Result<Option<skydeck::domain::run::Mark>, StoreError>;
        plan_of(rev: &skydeck::domain::ids::PlanRev) -> Result<Option<skydeck::domain::plan::Plan>, StoreError>;
        actions(page: &skydeck::domain::query::PageRequest)
            -> Result<skydeck::domain::query::Page<(skydeck::domain::ids::Seq, Ts, skydeck::domain::event::ActionEntry)>, StoreError>;
    }
}

/// A world, a store and an engine over them.
pub struct Bench {
    pub clock: Arc<TokioClock>,
    pub world: Arc<World>,
    /// Stands in the world's place where set.
    pub erp: Option<Arc<dyn Erp>>,
    pub store: Arc<FlakyStore>,
    pub plans: Arc<Plans>,
    pub env: Environment,
    /// Environments before it, and behind it.
    pub before: Vec<(Environment, Arc<dyn Erp>)>,
    pub behind: Vec<(Environment, Arc<dyn Erp>)>,
    pub engine: Option<Engine>,
    pub actions: Arc<MemoryLog>,
    pub orders: u128,
}

impl Bench {
    /// Without an engine yet.
    pub fn new() -> Self {
        let clock = TokioClock::new();
        Self {
            world: World::new(&clock),
            erp: None,
            store: FlakyStore::new(&clock),
            plans: Arc::new(Plans(Mutex::new(vec![plan("p")]))),
            env: environment(),
            before: Vec::new(),
            behind: Vec::new(),
            engine: None,
            actions: Arc::new(MemoryLog::new(Arc::clone(&clock) as Arc<dyn Clock>)),
            clock,
            orders: 0,
        }
    }

    pub fn policy(&self, change: impl FnOnce(&mut Policy)) {
        change(&mut self.plans.0.lock().unwrap()[0].policy);
    }

    pub async fn try_start(&mut self) -> Result<(), String> {
        let own = (self.env.clone(), self.erp.clone().unwrap_or_else(|| Arc::clone(&self.world) as Arc<dyn Erp>));
        let parts = Parts {
            store: Arc::clone(&self.store) as Arc<dyn Store>,
            clock: Arc::clone(&self.clock) as Arc<dyn Clock>,
            causes: Arc::new(causes()),
            envs: self.before.iter().cloned().chain([own]).chain(self.behind.iter().cloned()).collect(),
            plans: Arc::clone(&self.plans) as Arc<dyn PlanSource>,
            access: Arc::new(role),
            actions: Arc::clone(&self.actions) as Arc<dyn ActionLog>,
            owner: 1000,
        };
        self.engine = Some(Engine::start(parts).await.map_err(|e| e.to_string())?);
        Ok(())
    }

    pub async fn started() -> Self {
        let mut bench = Self::new();
        bench.try_start().await.unwrap();
        bench
    }

    /// The process dies: every task ends where it stands.
    pub async fn crash(&mut self) {
        self.engine = None;
        for _ in 0..50 {
            tokio::task::yield_now().await;
        }
        let mut unanswered = Vec::new();
        for run in self.store.open_runs().unwrap() {
            unanswered.extend(self.store.in_flight(run.head.id).unwrap());
        }
        self.world.with(|s| {
            s.in_flight = 0;
            // An answer that was not durable when the process died is no answer.
            for row in unanswered {
                if let Some(post) = s.posts.iter_mut().rev().find(|p| p.fid == *row.fid()) {
                    post.answered = false;
                }
            }
        });
    }

    pub async fn order(&mut self, command: Command) -> Receipt {
        self.orders += 1;
        let id = CommandId(ulid::Ulid::from_parts(1, self.orders));
        let order = Order { id, by: who("wang"), session: None, command };
        self.engine.as_ref().unwrap().submit(order).await
    }

    /// An order of a user, from a console.
    pub async fn order_of(&mut self, uid: u32, session: Option<SessionId>, command: Command) -> Receipt {
        self.orders += 1;
        let id = CommandId(ulid::Ulid::from_parts(1, self.orders));
        let by = Who { uid, login: format!("u{uid}"), from: None, name: None, origin: None, person: None };
        self.engine.as_ref().unwrap().submit(Order { id, by, session, command }).await
    }

    pub async fn accepted(&mut self, command: Command) -> Option<RunId> {
        match self.order(command.clone()).await {
            Receipt::Accepted { run, .. } => run,
            Receipt::Refused(why) => panic!("{command:?} was refused: {why}"),
        }
    }

    pub async fn start_plan(&mut self) -> RunId {
        self.accepted(Command::Start { plan: PlanId::new("p"), params: StartParams::default() }).await.unwrap()
    }

    pub fn run(&self, run: RunId) -> RunRow {
        self.store.run(run).unwrap().unwrap()
    }

    /// Waits (in virtual time) until the run is in a state.
    pub async fn until(&self, run: RunId, what: &str, is: impl Fn(&RunState) -> bool) -> RunRow {
        for _ in 0..40_000 {
            let row = self.run(run);
            assert!(row.tally.closes(), "{:?}", row.tally);
            if is(&row.state) {
                return row;
            }
            tokio::time::sleep(Duration::from_millis(500)).await;
        }
        panic!("run never became {what}: {:?}", self.run(run));
    }

    pub async fn awaiting(&self, run: RunId) -> RunRow {
        self.until(run, "awaiting approval", |s| *s == RunState::AwaitingApproval).await
    }

    pub async fn closed(&self, run: RunId) -> RunRow {
        self.until(run, "closed", RunState::is_closed).await
    }

    pub async fn paused(&self, run: RunId) -> RunRow {
        self.until(run, "paused", |s| matches!(s, RunState::Paused(_))).await
    }

    pub fn approval(&self, run: RunId) -> Command {
        let hash = self.run(run).collected.map_or_else(|| SetHash::new(""), |c| c.hash);
        Command::Approve { run, hash, typed: None, flags: Vec::new(), reason: None }
    }

    /// Start, approve, to the end.
    pub async fn whole_run(&mut self) -> RunRow {
        let run = self.start_plan().await;
        let row = self.until(run, "collected", |s| *s == RunState::AwaitingApproval || s.is_closed()).await;
        if row.state.is_closed() {
            return row;
        }
        let approve = self.approval(run);
        self.accepted(approve).await;
        self.closed(run).await
    }

    pub fn outcome(&self, run: RunId, n: u64) -> Outcome {
        let row = self.store.bill_of_run(run, &fid(n)).unwrap().unwrap();
        row.state.outcome().cloned().unwrap_or_else(|| panic!("bill {n} has no outcome: {:?}", row.state))
    }

    pub fn word(&self, run: RunId, n: u64) -> String {
        let outcome = self.outcome(run, n);
        let slot = outcome.slot().code();
        match (&outcome, outcome.group()) {
            (Outcome::Done { verified: true }, _) => format!("{slot}:verified"),
            (Outcome::Already { by: Some(by), .. }, _) => format!("{slot}:{by}"),
            (_, Some(group)) => format!("{slot}:{group}"),
            _ => slot.to_owned(),
        }
    }

    pub fn facts(&self) -> Vec<Fact> {
        self.store.facts_after(skydeck::domain::ids::Seq(0), usize::MAX).unwrap()
    }

    /// Everything that must always hold.
    pub fn check(&self) {
        let broken = self.world.with(|s| s.broken_rules.clone());
        assert!(broken.is_empty(), "{broken:#?}");
        let runs = self.store.runs(None, &skydeck::domain::query::PageRequest::first(1000)).unwrap();
        for (_, row) in runs.rows {
            assert!(row.tally.closes(), "{row:?}");
        }
        if let Some(engine) = &self.engine {
            assert_eq!(engine.watch().live.faults, Vec::<String>::new());
        }
    }

    pub fn all_matching() -> Selection {
        Selection::Matching { plan: None, run: None, filter: Filter::default() }
    }
}

pub fn who(login: &str) -> Who {
    Who { uid: 1000, login: login.into(), from: None, name: None, origin: None, person: None }
}

pub fn cause(text: &str) -> Cause {
    Cause::new(text)
}

pub fn flag(text: &str) -> Flag {
    Flag(text.into())
}
