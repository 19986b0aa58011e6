//! A world with bills in it that answers as the ERP does, a clock on tokio's time, and short ways to drive an engine.

#![allow(dead_code, unused_imports)]

mod answers;
pub mod clock;
pub mod rules;
pub mod store;
pub mod world;

use std::sync::{Arc, Mutex};
use std::time::Duration;

use skydeck::domain::access::Role;
use skydeck::domain::bill::{BillState, Outcome};
use skydeck::domain::cause::{BUILT_IN, Cause, CauseTable};
use skydeck::domain::command::{Command, Order, Receipt, Refusal, Selection, StartParams};
use skydeck::domain::env::{Environment, Limits};
use skydeck::domain::event::{Event, Fact};
use skydeck::domain::filter::Filter;
use skydeck::domain::ids::{CommandId, EnvId, FormId, PlanId, PlanRev, RunId, SessionId, SetHash};
use skydeck::domain::operation::Test;
use skydeck::domain::plan::{Column, Plan, Policy, Source, Target, WriteOptions};
use skydeck::domain::query::PlanProblem;
use skydeck::domain::run::{BillRow, Flag, RunRow, RunState};
use skydeck::domain::server::Server;
use skydeck::domain::step::{Step, Verb};
use skydeck::domain::time::Clock;
use skydeck::domain::who::Who;
use skydeck::engine::ports::Erp;
use skydeck::engine::{Engine, Found, Parts, PlanSource};
use skydeck::store::Store;
use skydeck::store::actions::{ActionLog, MemoryLog};

pub use clock::TokioClock;
pub use rules::{AUDIT, CLOSE, PUSH, SAVE, SEND, SUBMIT};
pub use store::FlakyStore;
pub use world::{Trouble, World, fid};

pub const US: &str = "integration";
pub const FORM: &str = "SAL_OUTSTOCK";

pub fn causes() -> CauseTable {
    toml::from_str(BUILT_IN).unwrap()
}

pub struct Plans(pub Mutex<Vec<Plan>>, pub Mutex<Vec<PlanProblem>>);

impl PlanSource for Plans {
    fn load(&self) -> Result<Vec<Found>, PlanProblem> {
        let good = self.0.lock().unwrap().clone().into_iter().map(Ok);
        let bad = self.1.lock().unwrap().clone().into_iter().map(Err);
        Ok(good.chain(bad).map(|plan| Found::Read(Box::new((plan, 0)))).collect())
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
            origin: skydeck::domain::plan::Origin::Query,
            condition: Vec::new(),
        },
        target: Target {
            verb: Verb::Audit,
            form,
            options: WriteOptions::default(),
            stripped_flags: Vec::new(),
            collects: false,
            make: None,
        },
        policy: Policy { page_size: 10, ..Policy::default() },
    }
}

/// A plan that closes what is not closed, judged by that field alone; with `mine`, by who closed it, too.
pub fn close_plan(id: &str, mine: bool) -> Plan {
    let base = plan(id);
    Plan {
        rev: PlanRev::new(if mine { "c105ec105ec105e1" } else { "c105ec105ec105e0" }),
        source: Source {
            filter: "FCreateDate>='{{LAST_SYNC_TIME|dateTime}}' and FCloseStatus='A'".into(),
            ..base.source
        },
        target: Target { verb: Verb::Operation(CLOSE.into()), ..base.target },
        policy: Policy {
            done: vec![Test::In("FCloseStatus".into(), vec!["B".into()])],
            mine: mine.then(|| "FCloserId.FName".to_owned()),
            ..base.policy
        },
        ..base
    }
}

/// A plan that submits, and does nothing else.
pub fn submit_plan(id: &str) -> Plan {
    let base = plan(id);
    let filter = "FCreateDate>='{{LAST_SYNC_TIME|dateTime}}' and FDocumentStatus in ('Z','A','D')".into();
    Plan {
        rev: PlanRev::new("5b175b175b175b17"),
        source: Source { filter, ..base.source },
        target: Target { verb: Verb::Submit, ..base.target },
        ..base
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
        system: skydeck::domain::env::System::default(),
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

/// The call that a bill in flight waits for.
pub fn called(row: &BillRow) -> Verb {
    match &row.state {
        BillState::Trying { step: Step::Submit, .. } => Verb::Submit,
        BillState::Trying { step: Step::Audit, .. } => Verb::Audit,
        _ => Verb::Operation(row.key.op.to_string()),
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
    /// Stands before that log where set.
    pub log: Option<Arc<dyn ActionLog>>,
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
            plans: Arc::new(Plans(Mutex::new(vec![plan("p")]), Mutex::default())),
            env: environment(),
            before: Vec::new(),
            behind: Vec::new(),
            engine: None,
            actions: Arc::new(MemoryLog::new(Arc::clone(&clock) as Arc<dyn Clock>)),
            log: None,
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
            actions: self.log.clone().unwrap_or_else(|| Arc::clone(&self.actions) as Arc<dyn ActionLog>),
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

    /// The process dies: every task ends where it stands. Gives the bills whose call was not answered durably.
    pub async fn crash(&mut self) -> Vec<BillRow> {
        self.engine = None;
        for _ in 0..50 {
            tokio::task::yield_now().await;
        }
        self.clock.new_process();
        let mut unanswered = Vec::new();
        for run in self.store.open_runs().unwrap() {
            unanswered.extend(self.store.in_flight(run.head.id).unwrap());
        }
        self.world.with(|s| {
            s.in_flight = 0;
            // An answer that was not durable when the process died is no answer.
            for row in &unanswered {
                let verb = called(row);
                if let Some(post) = s.posts.iter_mut().rev().find(|p| p.fid == *row.fid() && p.verb == verb) {
                    (post.answered, post.heard) = (false, false);
                }
            }
        });
        unanswered
    }

    pub async fn order(&mut self, command: Command) -> Receipt {
        self.orders += 1;
        let id = CommandId(ulid::Ulid::from_parts(1, self.orders));
        let order = Order { id, by: who("wang"), session: None, headless: false, command };
        self.engine.as_ref().unwrap().submit(order).await
    }

    /// An order that is refused, and why.
    pub async fn refused(&mut self, command: Command) -> Refusal {
        match self.order(command.clone()).await {
            Receipt::Refused(why) => why,
            Receipt::Accepted { .. } => panic!("{command:?} was taken"),
        }
    }

    /// An order of the clock.
    pub async fn order_of_clock(&mut self, command: Command) -> Receipt {
        self.orders += 1;
        let id = CommandId(ulid::Ulid::from_parts(1, self.orders));
        let order = Order { id, by: Who::schedule(1000), session: None, headless: false, command };
        self.engine.as_ref().unwrap().submit(order).await
    }

    /// An order of a user, from a console.
    pub async fn order_of(&mut self, uid: u32, session: Option<SessionId>, command: Command) -> Receipt {
        self.orders += 1;
        let id = CommandId(ulid::Ulid::from_parts(1, self.orders));
        let by = Who { uid, login: format!("u{uid}"), from: None, name: None, origin: None, person: None, host: None };
        self.engine.as_ref().unwrap().submit(Order { id, by, session, headless: false, command }).await
    }

    pub async fn accepted(&mut self, command: Command) -> Option<RunId> {
        match self.order(command.clone()).await {
            Receipt::Accepted { run, .. } => run,
            Receipt::Refused(why) => panic!("{command:?} was refused: {why}"),
        }
    }

    pub async fn start_plan(&mut self) -> RunId {
        self.start_of("p").await
    }

    pub async fn start_of(&mut self, plan: &str) -> RunId {
        self.accepted(Command::Start { plan: PlanId::new(plan), params: StartParams::default() }).await.unwrap()
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
        self.whole_run_of("p").await
    }

    pub async fn whole_run_of(&mut self, plan: &str) -> RunRow {
        let run = self.start_of(plan).await;
        let row = self.until(run, "collected", |s| *s == RunState::AwaitingApproval || s.is_closed()).await;
        if row.state.is_closed() {
            return row;
        }
        let approve = self.approval(run);
        self.accepted(approve).await;
        self.closed(run).await
    }

    /// A run in which these bills are refused.
    pub async fn refused_in(&mut self, plan: &str, bills: &[u64]) -> RunRow {
        for n in bills {
            let refused = Trouble::Refused(11, "库存不足");
            self.world.with(|s| s.trouble_of.entry(fid(*n)).or_default().push_back(refused));
        }
        self.whole_run_of(plan).await
    }

    /// What the journal says came of the last order of a verb.
    pub fn last_said(&self, verb: &str) -> String {
        let said = self.facts().into_iter().rev().find_map(|fact| match fact.event {
            Event::ActionTaken(entry) if entry.verb == verb => Some(entry.result),
            _ => None,
        });
        said.unwrap()
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
    Who { uid: 1000, login: login.into(), from: None, name: None, origin: None, person: None, host: None }
}

pub fn cause(text: &str) -> Cause {
    Cause::new(text)
}

pub fn flag(text: &str) -> Flag {
    Flag(text.into())
}
