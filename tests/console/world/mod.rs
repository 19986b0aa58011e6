//! A small fixed world for screens: environments, plans, a run half done, a ledger, a history; it answers like a store.

mod answers;
pub mod day;
mod facts;
mod records;
mod terminal;

pub use facts::*;
pub use records::*;
pub use terminal::*;

use std::time::Duration;

use skydeck::domain::bill::*;
use skydeck::domain::cause::Cause;
use skydeck::domain::env::{Environment, Limits};
use skydeck::domain::event::{ActionEntry, Event, Fact};
use skydeck::domain::ids::*;
use skydeck::domain::plan::*;
use skydeck::domain::query::*;
use skydeck::domain::run::*;
use skydeck::domain::step::*;
use skydeck::domain::time::{ErpDate, Ts};
use skydeck::domain::who::Who;

/// 2026-11-23 21:52:00 in UTC+08:00.
pub const NOW: Ts = Ts(1_795_441_920_000);

pub fn who() -> Who {
    Who {
        uid: 1000,
        login: "li.wei".into(),
        from: Some("10.0.0.7".into()),
        name: None,
        origin: None,
        person: None,
        host: None,
    }
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
    /// The year whose holidays are in no calendar.
    pub unknown_year: Option<i32>,
    /// How many plans there are besides, in Today alone.
    pub others: u64,
    /// Runs that ended by themselves.
    pub ended: Vec<StoppedRun>,
    /// The first plan has been quiet, and unresolved bills of the second become more.
    pub quiet: bool,
    /// Some of what is collected was refused before.
    pub refused: bool,
    /// Nothing of what is collected can be audited.
    pub barren: bool,
    /// The set is of a plan that makes bills.
    pub makes: bool,
    /// Revisions the bills to retry were last tried under.
    pub revisions: Vec<RevisionRow>,
    /// What run 9 does to its bills.
    pub op: OpId,
    /// Run 9 was stopped before all its bills had their turn.
    pub stopped: bool,
    /// The machines that write to its store.
    pub machines: Option<Machines>,
}

impl World {
    pub fn new(production: bool) -> Self {
        let env = if production { "k3-prod" } else { "demo" };
        let environment = Environment {
            id: EnvId::new(env),
            address: "https://k3.example.invalid/k3cloud/".into(),
            system: skydeck::domain::env::System::default(),
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
                labels: vec![],
            });
        }
        let mut first = plan("sal-outstock-audit", "销售出库单审核");
        first.env = Some(EnvId::new(env));
        let plans = vec![
            PlanRow {
                plan: Ok(first),
                hazards: 2,
                last: runs.clone(),
                mark: Some(Mark { seen: ErpDate::parse("2026-11-23 20:58:03").unwrap(), run: run_id(3), swept: None, clock: None, upto: None }),
                next: Some(NOW.plus(Duration::from_secs(480))),
                unresolved: 13,
                forecast: None,
            },
            PlanRow {
                plan: Ok(Plan { policy: Policy::default(), ..plan("pur-instock-audit", "采购入库单审核") }),
                hazards: 0,
                last: vec![],
                mark: None,
                next: None,
                unresolved: 0,
                forecast: None,
            },
            PlanRow {
                plan: Err(PlanProblem::new(PlanId::new("broken"), "broken.json:12:7: target.request[3].value: unknown variable {{LAST_TIME}}; there are LAST_SYNC_TIME, CURRENT_TIME".into())),
                hazards: 0,
                last: vec![],
                mark: None,
                next: None,
                unresolved: 0,
                forecast: None,
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
            envs: vec![EnvRow { env: environment, unlocked_until: until, unlocked_by: None, home: None, held: None }],
            plans,
            runs,
            bills,
            groups,
            facts: life(env),
            actions: log(),
            empty: false,
            others: 0,
            quiet: false,
            unknown_year: None,
            refused: false,
            ended: vec![],
            barren: false,
            makes: false,
            revisions: vec![older("9f2c01d4aa", true, 9)],
            op: OpId::default(),
            stopped: false,
            machines: None,
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

    /// The same world after a night in which two plans ran by the clock and mostly found nothing.
    pub fn after_a_night(mut self) -> Self {
        let env = self.env().to_owned();
        let mut night: Vec<RunRow> = Vec::new();
        for n in 0..40_u64 {
            let (plan, name) = if n % 3 == 0 {
                ("pur-instock-audit", "采购入库单审核")
            } else {
                ("sal-outstock-audit", "销售出库单审核")
            };
            let mut row = self.runs[2].clone();
            row.head = RunHead { plan: PlanId::new(plan), name: name.into(), ..head(n + 20, &env, self.production) };
            row.head.opened = before(i64::try_from(39 - n).unwrap() * 1800);
            row.head.by = Who::schedule(1000);
            row.closed = Some(row.head.opened.plus(Duration::from_secs(4)));
            if n % 17 != 5 {
                (row.state, row.tally) = (RunState::Closed(RunEnd::Empty), Tally::default());
            }
            if n == 30 {
                row.head.by = who();
                let numbers =
                    skydeck::domain::range::Range { field: None, since: None, until: None, numbers: 3, remedy: false };
                row.head.range = Some(numbers);
            }
            night.push(row);
        }
        night.reverse();
        night.append(&mut self.runs);
        self.runs = night;
        self
    }

    pub fn env(&self) -> &str {
        if self.production { "k3-prod" } else { "demo" }
    }
}
