//! What the store's tests share: a clock, valid histories, and a second, naive reading of what they mean.
#![allow(dead_code)]

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use skydeck::domain::bill::{BillState, Failure, Found, Outcome, Rev, Skip, Slot, Status, Unknown, UnknownWhy};
use skydeck::domain::cause::Cause;
use skydeck::domain::event::{ActionEntry, Event};
use skydeck::domain::ids::{CallId, EnvId, Fid, FormId, OpId, PlanId, PlanRev, RecordKey, RunId, SetHash, WorkKey};
use skydeck::domain::run::{Collected, Mark, Revision, RunEnd, RunHead, RunKind};
use skydeck::domain::step::{Blob, Body, Evidence, Step, Verdict};
use skydeck::domain::time::{Clock, ErpDate, Ts};
use skydeck::domain::who::Who;
use ulid::Ulid;

pub const T0: i64 = 1_760_000_000_000;

/// A clock that goes on by one second with every question.
pub struct TestClock(AtomicI64);

impl TestClock {
    pub fn new() -> Arc<Self> {
        Arc::new(Self(AtomicI64::new(T0)))
    }
    pub fn at(ms: i64) -> Arc<Self> {
        Arc::new(Self(AtomicI64::new(ms)))
    }
    pub fn seen(&self) -> i64 {
        self.0.load(Ordering::SeqCst)
    }
}

impl Clock for TestClock {
    fn now(&self) -> Ts {
        Ts(self.0.fetch_add(1000, Ordering::SeqCst))
    }
    fn mono(&self) -> Duration {
        Duration::from_millis((self.0.load(Ordering::SeqCst) - T0) as u64)
    }
}

pub fn run_id(n: u64) -> RunId {
    RunId(Ulid::from_parts(T0 as u64 + n, u128::from(n)))
}

pub fn who() -> Who {
    Who { uid: 1000, login: "op".into(), from: None, name: None, origin: None, person: None }
}

pub fn head(n: u64, plan: &str, kind: RunKind) -> RunHead {
    RunHead {
        id: run_id(n),
        kind,
        plan: PlanId::new(plan),
        name: format!("Plan {plan}"),
        rev: PlanRev::new("0f".repeat(32)),
        env: EnvId::new("demo"),
        production: false,
        form: FormId::new("SAL_OUTSTOCK"),
        columns: ["FBillNo", "FDate", "FSaleOrgId_FNumber", "FCustomerID_FName"].map(String::from).to_vec(),
        by: who(),
        opened: Ts(T0),
        of: None,
        filter: "FDocumentStatus<>'C'".into(),
        revision: Revision::Newest,
        text: None,
        op: skydeck::domain::ids::OpId::default(),
        server: None,
        range: None,
        headless: false,
    }
}

pub fn opened(n: u64, plan: &str) -> Event {
    Event::RunOpened(Box::new(head(n, plan, RunKind::Fresh)))
}

pub fn number(fid: u64) -> String {
    format!("XSCKD{fid:06}")
}

pub fn rev(status: Status) -> Rev {
    Rev { status, modified: ErpDate::parse("2025-11-02T10:20:30.123"), state: None }
}

pub fn found_bill(fid: u64) -> Found {
    Found {
        probe: None,
        absent: false,
        outside: false,
        fid: Fid::from(fid),
        no: number(fid),
        rev: rev(Status::Submitted),
        approver: None,
        approved: None,
        marked: ErpDate::parse("2025-11-01"),
        columns: vec![number(fid), "2025-11-01T00:00:00".into(), format!("10{}", fid % 3), format!("客户{}", fid % 7)],
        fields: Vec::new(),
    }
}

pub fn found(n: u64, fids: &[u64]) -> Event {
    Event::BillsFound { run: run_id(n), bills: fids.iter().map(|f| found_bill(*f)).collect() }
}

pub fn collected(n: u64) -> Event {
    let collected = Collected {
        unchanged: None,
        probes: Vec::new(),
        hash: SetHash::new("ab".repeat(32)),
        by_status: vec![(Status::Submitted, 1)],
        callable: 1,
        pages: 1,
        seen: ErpDate::parse("2025-11-01"),
        sweep: false,
        carried: 0,
        absent: 0,
        absent_first: Vec::new(),
        unknown: 0,
        clock: None,
    };
    Event::RunCollected { run: run_id(n), collected }
}

pub fn approved(n: u64) -> Event {
    Event::RunApproved {
        run: run_id(n),
        by: who(),
        hash: SetHash::new("ab".repeat(32)),
        flags: vec![],
        reason: None,
        boot: None,
    }
}

/// Opened, found, collected, approved.
pub fn begun(n: u64, plan: &str, fids: &[u64]) -> Vec<Event> {
    vec![opened(n, plan), found(n, fids), collected(n), approved(n)]
}

pub fn tried(n: u64, fid: u64, step: Step, attempt: u32) -> Event {
    Event::StepTried {
        run: run_id(n),
        fid: Fid::from(fid),
        no: number(fid),
        step,
        attempt,
        call: CallId(Ulid::from_parts(T0 as u64, u128::from(n * 1_000_000 + fid * 10 + u64::from(attempt)))),
        rev: rev(Status::Submitted),
        intent: skydeck::domain::step::Intent::default(),
    }
}

pub fn answered(n: u64, fid: u64, step: Step, verdict: Verdict) -> Event {
    let request = format!("{{\"formid\":\"SAL_OUTSTOCK\",\"data\":{{\"Ids\":\"{fid}\",\"NetworkCtrl\":\"\"}}}}");
    let body = |text: &str| Body { bytes: Blob(text.as_bytes().to_vec()), len: text.len() as u64, sha256: None };
    let answer = format!(
        "{{\"Result\":{{\"ResponseStatus\":{{\"IsSuccess\":true,\"Errors\":[],\"SuccessEntitys\":[{{\"Id\":{fid},\"Number\":\"{}\",\"DIndex\":0}}],\"SuccessMessages\":[],\"MsgCode\":0}}}}}}",
        number(fid)
    );
    Event::StepAnswered {
        run: run_id(n),
        fid: Fid::from(fid),
        step,
        attempt: 1,
        call: CallId(Ulid::from_parts(T0 as u64, u128::from(n * 1_000_000 + fid * 10 + 1))),
        ms: 42,
        verdict,
        side: vec![],
        evidence: Some(Box::new(Evidence {
            request: body(&request),
            http: Some(200),
            response: Some(body(&answer)),
            error: None,
        })),
        made: None,
    }
}

pub fn settled(n: u64, fid: u64, was: Slot, outcome: Outcome) -> Event {
    Event::BillSettled { run: run_id(n), fid: Fid::from(fid), no: number(fid), was, outcome }
}

pub fn deferred(n: u64, fid: u64, was: Slot) -> Event {
    Event::BillDeferred {
        run: run_id(n),
        fid: Fid::from(fid),
        no: number(fid),
        until: Ts(T0 + 60_000),
        cause: Cause::new("lock"),
        was,
        failure: None,
    }
}

pub fn closed(n: u64) -> Event {
    Event::RunClosed { run: run_id(n), end: RunEnd::Completed }
}

pub fn audited() -> Outcome {
    Outcome::Done { verified: false }
}

pub fn failed(cause: &str) -> Outcome {
    Outcome::Failed(Failure {
        cause: Cause::new(cause),
        msg_code: Some(11),
        field: None,
        message: format!("更新库存时出现可以忽略的异常数据 {cause}"),
    })
}

pub fn unknown(why: UnknownWhy) -> Outcome {
    Outcome::Unknown(Unknown { why, sent: Ts(T0), detail: "no answer".into() })
}

pub fn skipped(why: Skip) -> Outcome {
    Outcome::Skipped(why)
}

pub fn key(fid: u64) -> WorkKey {
    RecordKey { env: EnvId::new("demo"), form: FormId::new("SAL_OUTSTOCK"), fid: Fid::from(fid) }
        .under(&OpId::default())
}

pub fn action(verb: &str) -> Event {
    Event::ActionTaken(Box::new(ActionEntry {
        order: None,
        by: who(),
        verb: verb.into(),
        run: None,
        plan: None,
        bills: 1,
        reason: None,
        result: "accepted".into(),
        line: None,
        why: None,
    }))
}

pub fn mark_moved(n: u64, plan: &str, to: &str) -> Event {
    Event::MarkMoved {
        plan: PlanId::new(plan),
        env: EnvId::new("demo"),
        to: Mark { seen: ErpDate::parse(to).unwrap(), run: run_id(n), swept: None, clock: None },
    }
}

pub fn resolved(fid: u64) -> Event {
    Event::LedgerResolved { key: key(fid), by: who(), reason: "dealt with by hand".into() }
}

pub fn read(n: u64, fid: u64, status: Status, modified: &str) -> Event {
    Event::BillRead {
        run: run_id(n),
        fid: Fid::from(fid),
        rev: Some(Rev { status, modified: ErpDate::parse(modified), state: None }),
        approver: None,
        fields: Vec::new(),
    }
}

pub fn is_waiting(state: &BillState) -> bool {
    state.slot() == Slot::Waiting
}

/// A small history that touches every kind of fact: five runs of two plans.
pub fn history() -> Vec<Vec<Event>> {
    let mut all = Vec::new();
    for n in 1..=5_u64 {
        let plan = if n % 2 == 0 { "even" } else { "odd" };
        let fids: Vec<u64> = (0..6).map(|i| n * 3 + i).collect();
        all.push(vec![action("start"), opened(n, plan)]);
        all.push(vec![found(n, &fids), collected(n)]);
        all.push(vec![approved(n), mark_moved(n, plan, &format!("2025-11-{:02}", n + 1))]);
        for (i, fid) in fids.iter().copied().enumerate() {
            match (i as u64 + n) % 6 {
                0 => {
                    all.push(vec![tried(n, fid, Step::Audit, 1)]);
                    all.push(vec![
                        answered(n, fid, Step::Audit, Verdict::Done),
                        settled(n, fid, Slot::Waiting, audited()),
                    ]);
                }
                1 => {
                    all.push(vec![tried(n, fid, Step::Audit, 1)]);
                    all.push(vec![Event::RunInterrupted { run: run_id(n) }]);
                    all.push(vec![settled(n, fid, Slot::Waiting, unknown(UnknownWhy::ProcessDied))]);
                }
                2 => all.push(vec![settled(n, fid, Slot::Waiting, failed("stock"))]),
                3 => {
                    all.push(vec![tried(n, fid, Step::Submit, 1), answered(n, fid, Step::Submit, Verdict::Done)]);
                    all.push(vec![read(n, fid, Status::Submitted, "2025-11-20"), deferred(n, fid, Slot::Waiting)]);
                    all.push(vec![settled(n, fid, Slot::Waiting, failed("period"))]);
                }
                4 => all.push(vec![settled(n, fid, Slot::Waiting, skipped(Skip::Draft))]),
                _ => all.push(vec![settled(n, fid, Slot::Waiting, unknown(UnknownWhy::TimedOut))]),
            }
        }
        if n < 5 {
            all.push(vec![Event::RunSettling { run: run_id(n) }, closed(n)]);
        }
        if n == 3 {
            all.push(vec![resolved(fids[0])]);
        }
    }
    all
}

/// Everything a store answers, as text, so that two stores or two openings can be compared.
pub fn everything(store: &dyn skydeck::store::Store) -> Vec<String> {
    use skydeck::domain::filter::Filter;
    use skydeck::domain::ids::Seq;
    use skydeck::domain::query::{PageRequest, Scope};
    let mut out = Vec::new();
    let page = PageRequest::first(1000);
    let mut say = |what: String| out.push(what);
    say(format!("{:?} {:?}", block(store.last_seq()).unwrap(), block(store.facts_after(Seq(0), usize::MAX)).unwrap()));
    let runs = block(store.runs(None, &page)).unwrap();
    say(format!("{runs:?}"));
    for plan in ["odd", "even", "none"].map(PlanId::new) {
        say(format!("{:?}", block(store.runs(Some(&plan), &page)).unwrap()));
        say(format!(
            "{:?} {:?}",
            block(store.ledger_groups(Some(&plan))).unwrap(),
            block(store.unresolved(Some(&plan))).unwrap()
        ));
        say(format!("{:?}", block(store.mark(&plan, &EnvId::new("demo"))).unwrap()));
    }
    say(format!("{:?} {:?}", block(store.ledger_groups(None)).unwrap(), block(store.unresolved(None)).unwrap()));
    say(format!("{:?} {:?}", block(store.open_runs()).unwrap(), block(store.actions(&page)).unwrap()));
    let mut scopes = vec![Scope::Ledger, Scope::History];
    for (_, run) in &runs.rows {
        let id = run.head.id;
        scopes.push(Scope::Run(id));
        say(format!("{:?}", block(store.in_flight(id)).unwrap()));
        for slot in Slot::ALL {
            say(format!("{slot:?} {:?}", block(store.bills_in(id, slot, None, 100)).unwrap()));
        }
        for fid in 1..30 {
            say(format!("{:?}", block(store.found(id, &Fid::from(fid))).unwrap()));
        }
    }
    for scope in scopes {
        for filter in ["", "status:failed", "cause:stock,timed_out", "no:XSCKD00001*", "客户3", "plan:odd -cause:stock"]
        {
            let filter = Filter::parse(filter).unwrap();
            say(format!("{scope:?} {filter} {:?}", block(store.bills(scope, &filter, &page, Ts(T0))).unwrap()));
        }
    }
    for fid in 1..30 {
        let key = key(fid);
        say(format!("{:?} {:?}", block(store.bill(&key)).unwrap(), block(store.ledger_entry(&key)).unwrap()));
        say(format!("{:?}", block(store.facts_of(&key, 7)).unwrap()));
        say(format!(
            "{:?} {:?}",
            block(store.deeds_of(&key, 7)).unwrap(),
            block(store.newest_of(&key.record)).unwrap()
        ));
        say(format!("{:?}", block(store.find_number(&number(fid), 5)).unwrap()));
    }
    out
}

thread_local! {
    static RUNTIME: tokio::runtime::Runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
}

pub fn block<F: Future>(f: F) -> F::Output {
    RUNTIME.with(|runtime| runtime.block_on(f))
}

pub fn copy_dir(from: &std::path::Path, to: &std::path::Path) {
    use std::os::unix::fs::PermissionsExt;
    std::fs::create_dir_all(to).unwrap();
    std::fs::set_permissions(to, std::fs::Permissions::from_mode(0o700)).unwrap();
    for entry in std::fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let to = to.join(entry.file_name());
        if entry.file_type().unwrap().is_dir() {
            copy_dir(&entry.path(), &to);
        } else {
            std::fs::copy(entry.path(), to).unwrap();
        }
    }
}
