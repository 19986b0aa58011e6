//! A small fixed world for screens: environments, plans, a run half done, a ledger, a history; it answers like a store.

use std::sync::Arc;
use std::time::Duration;

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use skydeck::domain::bill::*;
use skydeck::domain::cause::{BUILT_IN, Cause, CauseTable};
use skydeck::domain::command::Command;
use skydeck::domain::env::{Environment, Limits};
use skydeck::domain::event::{ActionEntry, Event, Fact};
use skydeck::domain::ids::*;
use skydeck::domain::live::{EnvPulse, Live, Pulse};
use skydeck::domain::plan::*;
use skydeck::domain::query::*;
use skydeck::domain::run::*;
use skydeck::domain::step::*;
use skydeck::domain::time::{ErpDate, Ts};
use skydeck::domain::who::Who;
use skydeck::text::Measure;
use skydeck::ui::msg::{Code, Drawn, Effect, Key, Msg};
use skydeck::ui::skin::Role;
use skydeck::ui::{Lang, Model, Skin, UiConfig, update, view};

/// 2026-11-23 21:52:00 in UTC+08:00.
pub const NOW: Ts = Ts(1_795_441_920_000);

pub fn who() -> Who {
    Who { uid: 1000, login: "li.wei".into(), from: Some("10.0.0.7".into()), name: None, origin: None, person: None }
}

pub fn run_id(n: u64) -> RunId {
    RunId(ulid::Ulid::from_parts(1_795_000_000_000 + n, u128::from(n)))
}

pub fn before(seconds: i64) -> Ts {
    Ts(NOW.0 - seconds * 1000)
}

pub struct World {
    pub production: bool,
    pub envs: Vec<EnvRow>,
    pub plans: Vec<PlanRow>,
    pub runs: Vec<RunRow>,
    pub bills: Vec<BillRow>,
    pub groups: Vec<LedgerGroup>,
    pub facts: Vec<Fact>,
    pub actions: Vec<(Seq, Ts, ActionEntry)>,
    pub empty: bool,
    /// Nothing of what is collected can be audited.
    pub barren: bool,
    /// Revisions the bills to retry were last tried under.
    pub revisions: Vec<RevisionRow>,
    /// What run 9 does to its bills.
    pub op: OpId,
    /// Run 9 was stopped before all its bills had their turn.
    pub stopped: bool,
}

/// Bills last tried under another revision of the plan than the present one.
pub fn older(rev: &str, kept: bool, bills: u64) -> RevisionRow {
    RevisionRow {
        plan: PlanId::new("sal-outstock-audit"),
        original: PlanRev::new(rev),
        newest: Some(PlanRev::new("9f2c01d4aa")),
        kept,
        bills,
    }
}

pub fn plan(id: &str, name: &str) -> Plan {
    Plan {
        id: PlanId::new(id),
        name: name.into(),
        rev: PlanRev::new("9f2c01d4aa"),
        env: Some(EnvId::new("demo")),
        target_env: None,
        source: Source {
            form: FormId::new("SAL_OUTSTOCK"),
            columns: [("FSaleOrgId_FNumber", "销售组织"), ("FCustomerID_FNumber", "客户"), ("FDate", "日期")]
                .map(|(key, label)| Column { key: key.into(), path: key.replace('_', "."), label: label.into() })
                .to_vec(),
            filter: "FCreateDate>='{{LAST_SYNC_TIME|dateTime}}' and FDocumentStatus<>'C'".into(),
            mark_column: Some("FCreateDate".into()),
            id_path: "FID".into(),
            number_path: "FBillNo".into(),
            top_rows: 0,
            condition: vec![],
        },
        target: Target {
            verb: Verb::Audit,
            form: FormId::new("SAL_OUTSTOCK"),
            options: WriteOptions::default(),
            stripped_flags: vec![Flag("STK_InvCheckResult".into())],
        },
        policy: Policy {
            schedule: Some(Schedule {
                cron: "0 */2 * * *".into(),
                zone: "Asia/Shanghai".into(),
                ..Schedule::default()
            }),
            ..Policy::default()
        },
    }
}

pub fn head(n: u64, env: &str, production: bool) -> RunHead {
    RunHead {
        id: run_id(n),
        kind: if n == 3 { RunKind::Retry } else { RunKind::Fresh },
        plan: PlanId::new("sal-outstock-audit"),
        name: "销售出库单审核".into(),
        rev: PlanRev::new("9f2c01d4aa"),
        env: EnvId::new(env),
        production,
        form: FormId::new("SAL_OUTSTOCK"),
        columns: vec!["FSaleOrgId_FNumber".into(), "FCustomerID_FNumber".into(), "FDate".into()],
        by: who(),
        opened: before(86_400 * (10 - n as i64)),
        of: None,
        filter: "FCreateDate>='2026-11-20 00:00:00' and FDocumentStatus<>'C'".into(),
        revision: Revision::Newest,
        text: None,
        op: OpId::default(),
        server: None,
        range: None,
        headless: false,
    }
}

fn failed(cause: &str, code: i64, message: &str) -> Outcome {
    Outcome::Failed(Failure { cause: Cause::new(cause), msg_code: Some(code), field: None, message: message.into() })
}

pub fn outcomes() -> Vec<Outcome> {
    vec![
        Outcome::Done { verified: false },
        failed(
            "stock",
            11,
            "更新库存时出现可以忽略的异常数据，物料“CH4441 螺栓 M8×40”在仓库“成品仓”的可用量不足：需要 120，现有 35，是否继续？",
        ),
        Outcome::Done { verified: true },
        Outcome::Already { by: Some("王芳".into()), on: ErpDate::parse("2026-11-23 09:12:00") },
        failed("period", 11, "单据日期所在期间已关账，不允许审核。"),
        Outcome::Skipped(Skip::Created),
        Outcome::Unknown(Unknown {
            why: UnknownWhy::TimedOut,
            sent: before(70),
            detail: "no answer within 60 s".into(),
        }),
        failed("permission", 5, "没有“销售出库单”的审核权限，请联系管理员。"),
        Outcome::Skipped(Skip::Draft),
        Outcome::Done { verified: false },
    ]
}

pub fn key_of(env: &str, n: u64) -> WorkKey {
    RecordKey { env: EnvId::new(env), form: FormId::new("SAL_OUTSTOCK"), fid: Fid::from(100_000 + n) }
        .under(&OpId::default())
}

fn row(run: RunId, env: &str, n: u64, state: BillState) -> BillRow {
    BillRow {
        run,
        plan: PlanId::new("sal-outstock-audit"),
        key: key_of(env, n),
        no: format!("XSCKD{n:06}"),
        attempts: u32::from(!matches!(state, BillState::Waiting)),
        state,
        rev: Rev { status: Status::Submitted, modified: ErpDate::parse("2026-11-22 17:03:11"), state: None },
        at: before(40 + n as i64 * 7),
        columns: vec!["100".into(), "CUST0042".into(), "2026-11-22T00:00:00".into()],
        found: None,
        heard: None,
        open_since: None,
        untold: false,
        resolved_before: None,
    }
}

pub fn fact(seq: u64, at: Ts, event: Event) -> Fact {
    Fact { seq: Seq(seq), at, event }
}

impl World {
    pub fn new(production: bool) -> Self {
        let env = if production { "k3-prod" } else { "demo" };
        let environment = Environment {
            id: EnvId::new(env),
            address: "https://k3.example.invalid/k3cloud/".into(),
            account_set: "演示账套 2026".into(),
            user: "skydeck".into(),
            production,
            read_only: true,
            always_read_only: false,
            second_person: false,
            server_zone: "Asia/Shanghai".into(),
            allow_operations: vec![],
            limits: Limits::default(),
            server: skydeck::domain::server::Server::default(),
        };
        let until = if production { None } else { Some(NOW.plus(Duration::from_secs(760))) };
        let mut runs = Vec::new();
        for n in (1..=3).rev() {
            let failures = if n == 2 { 12 } else { 0 };
            let tally = Tally {
                found: 312,
                audited: 290 - failures,
                already: 10,
                skipped: 12,
                failed: failures,
                unknown: u64::from(n == 3),
                waiting: 0,
                not_reached: 0,
            };
            let tally = Tally { found: tally.audited + 10 + 12 + failures + tally.unknown, ..tally };
            runs.push(RunRow {
                head: head(n, env, production),
                state: RunState::Closed(RunEnd::Completed),
                tally,
                collected: None,
                closed: Some(head(n, env, production).opened.plus(Duration::from_secs(400))),
                flags: vec![],
                consent: None,
                pruned: 0,
                op_unknown: false,
            });
        }
        let mut first = plan("sal-outstock-audit", "销售出库单审核");
        first.env = Some(EnvId::new(env));
        let plans = vec![
            PlanRow {
                plan: Ok(first),
                hazards: 2,
                last: runs.clone(),
                mark: Some(Mark { seen: ErpDate::parse("2026-11-23 20:58:03").unwrap(), run: run_id(3), swept: None, clock: None }),
                next: Some(NOW.plus(Duration::from_secs(480))),
                unresolved: 13,
            },
            PlanRow {
                plan: Ok(Plan { policy: Policy::default(), ..plan("pur-instock-audit", "采购入库单审核") }),
                hazards: 0,
                last: vec![],
                mark: None,
                next: None,
                unresolved: 0,
            },
            PlanRow {
                plan: Err(PlanProblem::new(PlanId::new("broken"), "broken.json:12:7: target.request[3].value: unknown variable {{LAST_TIME}}; there are LAST_SYNC_TIME, CURRENT_TIME".into())),
                hazards: 0,
                last: vec![],
                mark: None,
                next: None,
                unresolved: 0,
            },
        ];
        let all = outcomes();
        let mut bills: Vec<BillRow> = (0..40)
            .map(|n| {
                let outcome = all[n as usize % all.len()].clone();
                row(run_id(9), env, n + 1, BillState::Settled(outcome))
            })
            .collect();
        bills[11].state = BillState::Trying { step: Step::Audit, attempt: 1, since: before(3) };
        bills[12].state =
            BillState::RetryAt { at: NOW.plus(Duration::from_secs(20)), cause: Cause::new("lock"), failure: None };
        for bill in bills.iter_mut().skip(25) {
            bill.state = BillState::Waiting;
            bill.attempts = 0;
        }
        let group =
            |slot, group: &str, count, age| LedgerGroup { slot, group: group.into(), count, oldest: Some(before(age)) };
        let groups = vec![
            group(Slot::Unknown, "timed_out", 1, 70),
            group(Slot::Failed, "stock", 9, 86_400 * 3),
            group(Slot::Failed, "period", 2, 86_400 * 5),
            group(Slot::Skipped, "created", 1, 7200),
        ];
        Self {
            production,
            envs: vec![EnvRow { env: environment, unlocked_until: until, home: None, held: None }],
            plans,
            runs,
            bills,
            groups,
            facts: life(env),
            actions: log(),
            empty: false,
            barren: false,
            revisions: vec![older("9f2c01d4aa", true, 9)],
            op: OpId::default(),
            stopped: false,
        }
    }

    /// The same world, with a plan that executes another operation; of the older runs one is of Audit, and of one nothing
    /// says what it was.
    pub fn executing(op: &str) -> Self {
        let mut world = Self::new(false);
        world.op = OpId::new(op);
        let verb = if op == "Submit" { Verb::Submit } else { Verb::Operation(op.into()) };
        let name = "销售出库单";
        if let Ok(plan) = &mut world.plans[0].plan {
            (plan.target.verb, plan.name) = (verb, name.into());
        }
        for row in &mut world.runs {
            row.head.name = name.into();
        }
        world.runs[0].head.op = world.op.clone();
        world.runs[2].op_unknown = true;
        world.plans[0].last.clone_from(&world.runs);
        for bill in &mut world.bills {
            bill.key.op = world.op.clone();
            if let BillState::Settled(Outcome::Already { by, .. }) = &mut bill.state {
                *by = None;
            }
            if let BillState::Trying { step, .. } = &mut bill.state {
                *step = Step::Operate;
            }
        }
        for fact in &mut world.facts {
            match &mut fact.event {
                Event::StepTried { step, .. } | Event::StepAnswered { step, .. } => *step = Step::Operate,
                _ => {}
            }
        }
        let key = world.bills[1].key.clone();
        let (fid, no) = (key.record.fid.clone(), world.bills[1].no.clone());
        let reopened =
            Event::LedgerReopened { key, since: before(9000), by: who(), reason: "退货，仍需处理".into() };
        let outcome = Outcome::Done { verified: true };
        let done = Event::BillSettled { run: run_id(9), fid, no, was: Slot::Unknown, outcome };
        world.facts.extend([fact(16, before(45), reopened), fact(17, before(20), done)]);
        world
    }

    /// The same world after run 9 was stopped.
    pub fn stopped(mut self) -> Self {
        for bill in &mut self.bills {
            if bill.state.outcome().is_none() {
                bill.state = BillState::Settled(Outcome::Skipped(Skip::NotReached));
            }
        }
        self.stopped = true;
        self
    }

    pub fn env(&self) -> &str {
        if self.production { "k3-prod" } else { "demo" }
    }

    /// The facts of run 9, up to where it works.
    pub fn run_facts(&self) -> Vec<Fact> {
        let run = run_id(9);
        let mut head = head(9, self.env(), self.production);
        head.opened = before(120);
        head.op = self.op.clone();
        if !self.op.is_audit() {
            head.name = "销售出库单".into();
        }
        let found = |b: &BillRow| Found {
            probe: None,
            absent: false,
            outside: false,
            fid: b.key.record.fid.clone(),
            no: b.no.clone(),
            rev: b.rev.clone(),
            approver: None,
            approved: None,
            marked: None,
            columns: b.columns.clone(),
            fields: Vec::new(),
        };
        let bills: Vec<Found> = self.bills.iter().map(found).collect();
        let mut facts = vec![
            fact(1, before(120), Event::RunOpened(Box::new(head))),
            fact(2, before(118), Event::BillsFound { run, bills }),
            fact(3, before(110), Event::RunCollected { run, collected: self.collected() }),
        ];
        let call = if self.op.is_audit() { Step::Audit } else { Step::Operate };
        let mut seq = 3;
        let mut push = |at, event| {
            seq += 1;
            facts.push(fact(seq, at, event));
        };
        let hash = SetHash::new("3fa9c1d27b00");
        push(before(100), Event::RunApproved { run, by: who(), hash, flags: vec![], reason: None, boot: None });
        for (i, b) in self.bills.iter().enumerate() {
            let (fid, no) = (b.key.record.fid.clone(), b.no.clone());
            let at = before(90 - i as i64 * 3);
            let id = CallId(ulid::Ulid::from_parts(1, i as u128));
            let tried = Event::StepTried {
                run,
                fid: fid.clone(),
                no: no.clone(),
                step: call,
                attempt: 1,
                call: id,
                rev: b.rev.clone(),
                intent: skydeck::domain::step::Intent::default(),
            };
            match &b.state {
                BillState::Waiting => {}
                BillState::Trying { since, .. } => push(*since, tried),
                BillState::RetryAt { at: until, cause, .. } => push(
                    at,
                    Event::BillDeferred {
                        run,
                        fid,
                        no,
                        until: *until,
                        cause: cause.clone(),
                        was: Slot::Waiting,
                        failure: None,
                    },
                ),
                BillState::Settled(outcome) => {
                    if !matches!(outcome, Outcome::Skipped(_) | Outcome::Already { .. }) {
                        push(at, tried);
                        let ms = 300 + (i as u32 * 137) % 900;
                        push(
                            at.plus(Duration::from_millis(u64::from(ms))),
                            Event::StepAnswered {
                                run,
                                fid: fid.clone(),
                                step: call,
                                attempt: 1,
                                call: id,
                                ms,
                                verdict: Verdict::Done,
                                side: vec![],
                                evidence: None,
                                made: None,
                            },
                        );
                    }
                    push(
                        at.plus(Duration::from_millis(900)),
                        Event::BillSettled { run, fid, no, was: Slot::Waiting, outcome: outcome.clone() },
                    );
                }
            }
        }
        if self.stopped {
            push(before(1), Event::RunClosed { run, end: RunEnd::Cancelled });
        }
        facts
    }

    pub fn collected(&self) -> Collected {
        Collected {
            unchanged: None,
            probes: Vec::new(),
            hash: SetHash::new("3fa9c1d27b00"),
            by_status: if self.barren {
                vec![(Status::Created, 36), (Status::Audited, 4)]
            } else {
                vec![(Status::Submitted, 31), (Status::Created, 5), (Status::Audited, 4)]
            },
            callable: if self.barren {
                0
            } else if self.production {
                31
            } else {
                12
            },
            pages: 1,
            seen: None,
            sweep: false,
            carried: 3,
            absent: 0,
            absent_first: Vec::new(),
            unknown: 0,
            clock: None,
        }
    }

    pub fn pulse(&self) -> Pulse {
        let envs = vec![EnvPulse {
            env: EnvId::new(self.env()),
            per_minute: 60,
            slowed: None,
            concurrency: 1,
            breaker: None,
            session: "signed headers".into(),
            unlocked_until: self.envs[0].unlocked_until,
            ahead: None,
        }];
        Pulse { envs, at: NOW }
    }

    pub fn answer(&self, query: &Query) -> Answer {
        let names = vec!["FSaleOrgId_FNumber".to_owned(), "FCustomerID_FNumber".to_owned(), "FDate".to_owned()];
        match query {
            Query::Plans => Answer::Plans(if self.empty { vec![] } else { self.plans.clone() }),
            Query::Runs(_) => Answer::Runs(page(if self.empty { vec![] } else { self.runs.clone() })),
            Query::Run(id) => Answer::Run(self.runs.iter().find(|r| r.head.id == *id).cloned().map(Box::new)),
            Query::Bills { scope, filter, .. } => {
                let mut bills = self.bills.clone();
                if *scope == Scope::History && !self.op.is_audit() {
                    // Every other bill is of a plan that audits.
                    for bill in bills.iter_mut().step_by(2) {
                        bill.key.op = OpId::default();
                    }
                }
                if *scope == Scope::Run(run_id(2)) {
                    // An older run, with other outcomes.
                    for (i, bill) in bills.iter_mut().enumerate() {
                        bill.state = self.bills[(i + 3) % self.bills.len()].state.clone();
                    }
                }
                let rows = bills.iter().filter(|b| filter.matches(b, &names, NOW));
                let rows =
                    rows.filter(|b| *scope != Scope::Ledger || b.state.outcome().is_some_and(|o| !o.is_resolved()));
                Answer::Bills(page(if self.empty { vec![] } else { rows.cloned().collect() }))
            }
            Query::FindBill { .. } => Answer::Bills(page(vec![])),
            Query::LedgerGroups { .. } => Answer::LedgerGroups(if self.empty { vec![] } else { self.groups.clone() }),
            Query::Bill(key) => Answer::Bill {
                row: self.bills.iter().find(|b| b.key == *key).cloned().map(Box::new),
                facts: self.facts.clone(),
                cut: false,
            },
            Query::Actions(_) => Answer::Actions(page(if self.empty { vec![] } else { self.actions.clone() })),
            Query::Revisions(_) => Answer::Revisions(self.revisions.clone()),
            Query::Environments => Answer::Environments(self.envs.clone()),
            Query::Stopped | Query::LogFaults | Query::Preview { .. } => unreachable!("no screen asks {query:?}"),
        }
    }
}

fn page<T>(rows: Vec<T>) -> Page<T> {
    let rows = rows.into_iter().enumerate().map(|(i, r)| (Cursor(format!("{i:06}")), r)).collect();
    Page { rows, ..Page::default() }
}

/// The life of bill 2: found, tried, refused; in a later run unknown, read back.
fn life(env: &str) -> Vec<Fact> {
    let (run, fid, no) = (run_id(2), Fid::from(100_002), "XSCKD000002".to_owned());
    let rev = Rev { status: Status::Submitted, modified: ErpDate::parse("2026-11-22 17:03:11"), state: None };
    let call = CallId(ulid::Ulid::from_parts(1, 1));
    let found = Found {
        probe: None,
        absent: false,
        outside: false,
        fid: fid.clone(),
        no: no.clone(),
        rev: rev.clone(),
        approver: None,
        approved: None,
        marked: None,
        columns: vec![],
        fields: Vec::new(),
    };
    let Outcome::Failed(failure) = outcomes().remove(1) else { unreachable!() };
    let body = |text: &str| Body { bytes: Blob(text.as_bytes().to_vec()), len: text.len() as u64, sha256: None };
    let evidence = Evidence {
        request: body(
            r#"{"formid":"SAL_OUTSTOCK","data":{"Ids":"100002","NetworkCtrl":"","IgnoreInterationFlag":""}}"#,
        ),
        http: Some(200),
        response: Some(body(
            r#"{"Result":{"ResponseStatus":{"ErrorCode":500,"IsSuccess":false,"Errors":[{"FieldName":"AbstractInteractionResult","Message":"更新库存时出现可以忽略的异常数据","DIndex":0}],"SuccessEntitys":[],"MsgCode":11}}}"#,
        )),
        error: None,
    };
    let at = |s: i64| before(86_400 * 2 - s);
    vec![
        fact(10, at(0), Event::BillsFound { run, bills: vec![found] }),
        fact(
            11,
            at(20),
            Event::BillRead { run, fid: fid.clone(), rev: Some(rev.clone()), approver: None, fields: Vec::new() },
        ),
        fact(
            12,
            at(21),
            Event::StepTried {
                run,
                fid: fid.clone(),
                no: no.clone(),
                step: Step::Audit,
                attempt: 1,
                call,
                rev,
                intent: skydeck::domain::step::Intent::default(),
            },
        ),
        fact(
            13,
            at(22),
            Event::StepAnswered {
                run,
                fid: fid.clone(),
                step: Step::Audit,
                attempt: 1,
                call,
                ms: 812,
                verdict: Verdict::Rejected(failure.clone()),
                side: vec![],
                evidence: Some(Box::new(evidence)),
                made: None,
            },
        ),
        fact(14, at(22), Event::BillSettled { run, fid, no, was: Slot::Waiting, outcome: Outcome::Failed(failure) }),
        fact(
            15,
            before(50),
            Event::LedgerResolved {
                key: key_of(env, 2), by: who(), reason: "仓库已盘点，转下月处理".into()
            },
        ),
    ]
}

fn log() -> Vec<(Seq, Ts, ActionEntry)> {
    let entry = |verb: &str, bills, reason: Option<&str>, result: &str| ActionEntry {
        order: None,
        by: who(),
        verb: verb.into(),
        run: Some(run_id(9)),
        plan: Some(PlanId::new("sal-outstock-audit")),
        bills,
        reason: reason.map(str::to_owned),
        result: result.into(),
        line: None,
        why: None,
    };
    vec![
        (Seq(44), before(100), entry("approve", 40, None, "accepted")),
        (Seq(40), before(120), entry("start", 0, None, "accepted")),
        (
            Seq(38),
            before(400),
            entry("start", 0, None, "environment demo is read-only: unlock it first, with a reason"),
        ),
        (Seq(37), before(900), entry("unlock", 0, Some("月末集中审核"), "accepted")),
    ]
}

/// A console in the world, driven by keys.
pub struct Console {
    pub world: World,
    pub model: Model,
    pub orders: Vec<Command>,
    pub effects: Vec<Effect>,
    pub now: Ts,
    size: (u16, u16),
}

impl Console {
    pub fn new(world: World, lang: Lang, size: (u16, u16)) -> Self {
        Self::with(world, UiConfig { lang, size, ..UiConfig::default() })
    }

    pub fn with(world: World, config: UiConfig) -> Self {
        let size = config.size;
        let (model, effects) = Model::new(UiConfig {
            skin: Skin::of_roles(),
            now: NOW,
            zone_minutes: 480,
            version: "0.2.0".into(),
            user: "li.wei@10.0.0.7".into(),
            causes: toml::from_str::<CauseTable>(BUILT_IN).unwrap(),
            ..config
        });
        let mut console = Self { world, model, orders: vec![], effects: vec![], now: NOW, size };
        console.pump(effects);
        console.send(Msg::Pulse(console.world.pulse()));
        console
    }

    /// With run 9 at work.
    pub fn working(mut self) -> Self {
        let mut facts = self.world.run_facts();
        // More than were called by now.
        if let Some(Event::RunCollected { collected, .. }) = facts.get_mut(2).map(|fact| &mut fact.event) {
            collected.callable = collected.callable.max(31);
        }
        self.send(Msg::Facts(Arc::from(facts)));
        self
    }

    /// With run 9 collected by this console, waiting for approval.
    pub fn collected(mut self) -> Self {
        let facts: Vec<Fact> = self.world.run_facts().into_iter().take(3).collect();
        self.keys("r");
        let ticket = self.effects.iter().rev().find_map(|e| match e {
            Effect::Submit(t, _) => Some(*t),
            _ => None,
        });
        let run = Some(run_id(9));
        let receipt = skydeck::domain::command::Receipt::Accepted { run, more: Vec::new(), bills: 0 };
        self.send(Msg::Receipt(ticket.unwrap(), Ok(receipt)));
        self.send(Msg::Facts(Arc::from(facts)));
        self
    }

    pub fn send(&mut self, msg: Msg) {
        let effects = update(&mut self.model, msg);
        self.pump(effects);
    }

    pub fn wait(&mut self, ms: i64) {
        self.now = Ts(self.now.0 + ms);
        self.send(Msg::Now(self.now));
    }

    fn pump(&mut self, effects: Vec<Effect>) {
        for effect in effects {
            match &effect {
                Effect::Ask(ticket, query) => {
                    let answer = self.world.answer(query);
                    self.send(Msg::Answered(*ticket, Ok(answer)));
                }
                Effect::Submit(_, command) => self.orders.push(command.clone()),
                _ => {}
            }
            self.effects.push(effect);
        }
    }

    /// Plain characters, and names in angle brackets: `<Enter>`, `<C-d>`.
    pub fn keys(&mut self, text: &str) -> &mut Self {
        let mut rest = text;
        while let Some(c) = rest.chars().next() {
            let key = if let Some((name, after)) = rest.strip_prefix('<').and_then(|r| r.split_once('>')) {
                rest = after;
                named(name)
            } else {
                rest = &rest[c.len_utf8()..];
                Key::char(c)
            };
            self.send(Msg::Key(key));
        }
        self
    }

    pub fn draw(&self) -> (Buffer, Drawn) {
        let mut buf = Buffer::empty(Rect::new(0, 0, self.size.0, self.size.1));
        let drawn = view(&self.model, &mut buf);
        (buf, drawn)
    }
}

fn named(name: &str) -> Key {
    if let Some(c) = name.strip_prefix("C-") {
        return Key::ctrl(c.chars().next().unwrap());
    }
    Key::plain(match name {
        "Enter" => Code::Enter,
        "Esc" => Code::Esc,
        "Tab" => Code::Tab,
        "BackTab" => Code::BackTab,
        "Down" => Code::Down,
        "Space" => Code::Char(' '),
        "Backspace" => Code::Backspace,
        other => panic!("{other}"),
    })
}

/// The picture as text, and as role letters: stepped by cell width, blanks at the ends cut.
pub fn dump(buf: &Buffer, measure: Measure) -> (String, String) {
    let (mut text, mut roles) = (String::new(), String::new());
    for y in 0..buf.area.height {
        let (mut line, mut letters) = (String::new(), String::new());
        let mut x = 0;
        while x < buf.area.width {
            let cell = buf.cell((x, y)).unwrap();
            line.push_str(cell.symbol());
            let blank = cell.symbol() == " ";
            let letter = Skin::role_of(cell.style()).map_or(' ', Role::letter);
            let width = measure.cluster(cell.symbol()).max(1) as u16;
            for _ in 0..width {
                letters.push(if blank { ' ' } else { letter });
            }
            x += width;
        }
        text.push_str(line.trim_end());
        text.push('\n');
        roles.push_str(letters.trim_end());
        roles.push('\n');
    }
    (text, roles)
}

/// A live state that knows of an interrupted run.
pub fn interrupted(world: &World) -> Live {
    let mut live = Live::default();
    for fact in world.run_facts() {
        live.apply(&fact);
    }
    live.apply(&fact(9999, before(10), Event::RunInterrupted { run: run_id(9) }));
    live
}
