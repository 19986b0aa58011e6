//! What is appended: a clock, facts as an engine would give them, and a small valid history.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use skydeck_core::domain::bill::{Failure, Found, Outcome, Rev, Skip, Slot, Status, Unknown, UnknownWhy};
use skydeck_core::domain::cause::Cause;
use skydeck_core::domain::event::{ActionEntry, Event};
use skydeck_core::domain::ids::{
    CallId, EnvId, Fid, FormId, OpId, PlanId, PlanRev, RecordKey, RunId, SetHash, WorkKey,
};
use skydeck_core::domain::plan::{Plan, Policy, Schedule, Source, Target, WriteOptions};
use skydeck_core::domain::run::{Collected, Mark, Revision, RunEnd, RunHead, RunKind};
use skydeck_core::domain::step::{Blob, Body, Evidence, Step, Verb, Verdict};
use skydeck_core::domain::time::{Clock, ErpDate, Ts};
use skydeck_core::domain::who::Who;
use ulid::Ulid;

/// The first moment of [`TestClock`].
pub const T0: i64 = 1_760_000_000_000;

/// A clock that goes on by one second with every question.
pub struct TestClock(AtomicI64);

impl TestClock {
    /// From [`T0`] on.
    pub fn new() -> Arc<Self> {
        Arc::new(Self(AtomicI64::new(T0)))
    }
    /// From a moment on.
    pub fn at(ms: i64) -> Arc<Self> {
        Arc::new(Self(AtomicI64::new(ms)))
    }
    /// Lets time pass.
    pub fn go_on(&self, ms: i64) {
        self.0.fetch_add(ms, Ordering::SeqCst);
    }
    /// The moment it says next.
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

/// The run with this number.
pub fn run_id(n: u64) -> RunId {
    RunId(Ulid::from_parts(T0 as u64 + n, u128::from(n)))
}

/// Who gives the orders.
pub fn who() -> Who {
    Who { uid: 1000, login: "op".into(), from: None, name: None, origin: None, person: None, host: None }
}

/// Head of a run.
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
        op: skydeck_core::domain::ids::OpId::default(),
        server: None,
        range: None,
        headless: false,
        due: None,
    }
}

/// A plan that runs by a schedule in a zone.
pub fn plan(id: &str, rev: &str, zone: &str) -> Plan {
    let form = FormId::new("SAL_OUTSTOCK");
    let schedule = Schedule { cron: "0 8 * * *".into(), zone: zone.into(), ..Schedule::default() };
    Plan {
        id: PlanId::new(id),
        name: format!("Plan {id}"),
        rev: PlanRev::new(rev),
        env: None,
        target_env: None,
        source: Source {
            form: form.clone(),
            columns: Vec::new(),
            filter: "FDocumentStatus<>'C'".into(),
            mark_column: None,
            id_path: "FID".into(),
            number_path: "FBillNo".into(),
            top_rows: 0,
            origin: skydeck_core::domain::plan::Origin::Query,
            condition: Vec::new(),
        },
        target: Target {
            verb: Verb::Audit,
            form,
            options: WriteOptions::default(),
            stripped_flags: Vec::new(),
            make: None,
            collects: false,
        },
        policy: Policy { schedule: Some(schedule), ..Policy::default() },
    }
}

/// A run begins.
pub fn opened(n: u64, plan: &str) -> Event {
    Event::RunOpened(Box::new(head(n, plan, RunKind::Fresh)))
}

/// Number of a bill.
pub fn number(fid: u64) -> String {
    format!("XSCKD{fid:06}")
}

/// A revision.
pub fn rev(status: Status) -> Rev {
    Rev { status, modified: ErpDate::parse("2025-11-02T10:20:30.123"), state: None }
}

/// A bill as a query found it.
pub fn found_bill(fid: u64) -> Found {
    Found {
        probe: None,
        absent: false,
        outside: false,
        will: None,
        body: None,
        looked: None,
        lines: Vec::new(),
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

/// Bills come into a run.
pub fn found(n: u64, fids: &[u64]) -> Event {
    Event::BillsFound { run: run_id(n), bills: fids.iter().map(|f| found_bill(*f)).collect() }
}

/// The set is frozen.
pub fn collected(n: u64) -> Event {
    let collected = Collected {
        unchanged: None,
        probes: Vec::new(),
        sights: Vec::new(),
        unmade: 0,
        doubles: Vec::new(),
        not_compared: Vec::new(),
        listed: None,
        upto: None,
        will: Vec::new(),
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

/// The set is approved.
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

/// A run under another operation than Audit begins.
pub fn executing(n: u64, plan: &str, op: &str) -> Event {
    Event::RunOpened(Box::new(RunHead { op: OpId::new(op), ..head(n, plan, RunKind::Fresh) }))
}

/// Opened, found, collected, approved.
pub fn begun(n: u64, plan: &str, fids: &[u64]) -> Vec<Event> {
    vec![opened(n, plan), found(n, fids), collected(n), approved(n)]
}

/// A call leaves.
pub fn tried(n: u64, fid: u64, step: Step, attempt: u32) -> Event {
    Event::StepTried {
        run: run_id(n),
        fid: Fid::from(fid),
        no: number(fid),
        step,
        attempt,
        call: CallId(Ulid::from_parts(T0 as u64, u128::from(n * 1_000_000 + fid * 10 + u64::from(attempt)))),
        rev: rev(Status::Submitted),
        intent: skydeck_core::domain::step::Intent::default(),
    }
}

/// It is answered.
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

/// A bill has an outcome.
pub fn settled(n: u64, fid: u64, was: Slot, outcome: Outcome) -> Event {
    Event::BillSettled { run: run_id(n), fid: Fid::from(fid), no: number(fid), was, outcome }
}

/// A bill waits to be tried again.
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

/// A run is complete.
pub fn closed(n: u64) -> Event {
    Event::RunClosed { run: run_id(n), end: RunEnd::Completed }
}

/// It went through.
pub fn audited() -> Outcome {
    Outcome::Done { verified: false }
}

/// It was refused for a cause.
pub fn failed(cause: &str) -> Outcome {
    Outcome::Failed(Failure {
        cause: Cause::new(cause),
        msg_code: Some(11),
        field: None,
        message: format!("更新库存时出现可以忽略的异常数据 {cause}"),
    })
}

/// It is not known.
pub fn unknown(why: UnknownWhy) -> Outcome {
    Outcome::Unknown(Unknown { why, sent: Ts(T0), detail: "no answer".into() })
}

/// It was left alone.
pub fn skipped(why: Skip) -> Outcome {
    Outcome::Skipped(why)
}

/// A bill, under Audit.
pub fn key(fid: u64) -> WorkKey {
    RecordKey { env: EnvId::new("demo"), form: FormId::new("SAL_OUTSTOCK"), fid: Fid::from(fid) }
        .under(&OpId::default())
}

/// An entry of the action log.
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

/// A plan's mark moves.
pub fn mark_moved(n: u64, plan: &str, to: &str) -> Event {
    Event::MarkMoved {
        plan: PlanId::new(plan),
        env: EnvId::new("demo"),
        to: Mark { seen: ErpDate::parse(to).unwrap(), run: run_id(n), swept: None, clock: None, upto: None },
    }
}

/// A person closes an entry of the ledger.
pub fn resolved(fid: u64) -> Event {
    Event::LedgerResolved { key: key(fid), by: who(), reason: "dealt with by hand".into() }
}

/// It was put back.
pub fn reopened(fid: u64, since: i64) -> Event {
    Event::LedgerReopened { key: key(fid), since: Ts(since), by: who(), reason: "it was not dealt with".into() }
}

/// A status was read.
pub fn read(n: u64, fid: u64, status: Status, modified: &str) -> Event {
    Event::BillRead {
        run: run_id(n),
        fid: Fid::from(fid),
        rev: Some(Rev { status, modified: ErpDate::parse(modified), state: None }),
        approver: None,
        fields: Vec::new(),
        made: None,
    }
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
