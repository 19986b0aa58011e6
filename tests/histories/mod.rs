//! Random hostile histories of an engine at work: one or several plans on the same bills, orders that come at any time,
//! restarts under a clock that was stepped or of a machine that was started anew, and a server that is another one for a while.

#![allow(dead_code)]

pub mod harness;
pub mod json_wire;
pub mod oracle;
pub mod records;
pub mod road;
mod travel;
pub mod wire;

use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use fastrand::Rng;
use skydeck::domain::bill::{Outcome, UnknownWhy};
use skydeck::domain::command::{Command, Receipt, Selection, StartParams};
use skydeck::domain::env::Environment;
use skydeck::domain::filter::Filter;
use skydeck::domain::ids::{EnvId, Fid, PlanId, PlanRev, RunId, WorkKey};
use skydeck::domain::operation::Operation;
use skydeck::domain::plan::{Plan, Policy};
use skydeck::domain::reason::Reason;
use skydeck::domain::run::{BillRow, Revision, RunEnd, RunState};
use skydeck::domain::server::Server;
use skydeck::domain::time::Clock;
use skydeck::engine::ports::Erp;

use crate::engine_support::rules::{OPS, op_of};
use crate::engine_support::{Bench, CLOSE, close_plan, plan, submit_plan};
use travel::Place;

/// Quiet days at the end, in which everything that can be done must get done.
const QUIET_DAYS: u32 = 8;

/// An engine whose limits are as the dice fall.
pub fn any_bench(rng: &mut Rng) -> Bench {
    let mut bench = Bench::new();
    bench.env.limits.concurrency = rng.u32(1..4);
    bench.env.limits.per_minute = if rng.bool() { 60 } else { 6000 };
    bench.env.limits.breaker_unknown = if rng.bool() { 3 } else { 0 };
    bench.env.limits.canary = if rng.u32(0..4) == 0 { 5 } else { 0 };
    bench
}

/// What a history is about.
#[derive(Clone, Debug)]
pub struct Mix {
    pub plans: Vec<Plan>,
    pub crashes: bool,
    /// No sweep, no steps of the server's clock, nothing undone: overlap, carry-over and the server's mark must do alone.
    pub ordinary: bool,
    /// The environment may be on another server for a while.
    pub moves: bool,
    /// A person may order that what is unresolved is tried again.
    pub retries: bool,
}

impl Mix {
    /// A third audits alone, a third audits and closes, the rest closes alone, submits alone, audits by two plans, or does
    /// all three.
    pub fn of(seed: u64, rng: &mut Rng, ordinary: bool, crashes: bool) -> Self {
        let audit = |submit: bool| {
            let base = plan("audit");
            Plan { policy: Policy { submit, ..base.policy }, ..base }
        };
        let submits = rng.u32(0..4) == 0;
        let mine = rng.bool();
        let mut close = close_plan("close", mine);
        // What becomes closable later is found by a sweep, or by a query that had it found before.
        if !ordinary && rng.bool() {
            close.source.filter += " and FDocumentStatus in ('B','C')";
        }
        let mut plans = match seed % 3 {
            0 => vec![audit(submits)],
            1 => vec![audit(submits), close],
            _ => match rng.u32(0..4) {
                0 => vec![close],
                1 => vec![submit_plan("submit")],
                2 => vec![
                    audit(submits),
                    Plan { id: PlanId::new("again"), rev: PlanRev::new("a9a1a9a1a9a1a9a1"), ..audit(submits) },
                ],
                _ => vec![submit_plan("submit"), audit(false), close],
            },
        };
        for plan in &mut plans {
            plan.policy.batch = if rng.u32(0..4) == 0 { 4 } else { 1 };
            plan.policy.page_size = rng.u32(2..12);
            if ordinary {
                plan.policy.sweep_hours = 1_000_000;
            }
        }
        Self { plans, crashes, ordinary, moves: crashes && rng.u32(0..3) == 0, retries: true }
    }

    /// The operations of its plans, as they stand in keys.
    pub fn ops(&self) -> Vec<&'static str> {
        let has = |op: &&str| self.plans.iter().any(|plan| op_of(&plan.target.verb) == *op);
        OPS.into_iter().filter(has).collect()
    }

    /// The query of the first plan of an operation.
    pub fn filter(&self, op: &str) -> &str {
        let plan = self.plans.iter().find(|plan| op_of(&plan.target.verb) == op);
        &plan.unwrap().source.filter
    }

    pub fn has(&self, op: &str) -> bool {
        self.ops().contains(&op)
    }

    /// Whether the audit's own plan submits first.
    pub fn submits_first(&self) -> bool {
        self.plans.iter().any(|plan| plan.policy.submit)
    }
}

/// The server and the people around it.
pub trait Around {
    /// One thing somebody else does, in words.
    fn others(&mut self, rng: &mut Rng, mix: &Mix) -> Option<String>;
    /// What goes wrong from now on, in words.
    fn trouble(&mut self, rng: &mut Rng, mix: &Mix) -> Vec<String>;
    /// Nothing goes wrong any more.
    fn calm(&mut self);
    /// The client of a new process; `None`: the bench's own world.
    fn client(&mut self) -> Option<Arc<dyn Erp>>;
    /// Environments beside the bench's own, each with the client of a new process.
    fn beside(&mut self) -> Vec<(Environment, Arc<dyn Erp>)> {
        Vec::new()
    }
    /// The environment that may be found on another server at the next start: the bench's own, or one beside it.
    fn moving(&self) -> EnvId {
        EnvId::new("test")
    }
    /// The client of another server, on which a copy of what is there stands.
    fn client_elsewhere(&mut self) -> Arc<dyn Erp>;
    /// The answers for these bills were not durable when the process died.
    fn unanswered(&mut self, _: &[BillRow]) {}
    /// The bills there are.
    fn bills(&self) -> Vec<Fid>;
}

#[derive(Clone, Copy, Default)]
pub struct Happened {
    pub crashes: u64,
    pub reboots: u64,
    pub steps: u64,
    pub moves: u64,
}

pub struct Story<A> {
    pub rng: Rng,
    pub bench: Bench,
    pub around: A,
    pub mix: Mix,
    pub said: Vec<String>,
    pub happened: Happened,
    place: Place,
    addresses: u32,
    /// Where an environment beside the bench's own is now, where that is not where it began, and its client on another server.
    beside_at: Option<(Server, Option<Arc<dyn Erp>>)>,
}

impl<A: Around> Story<A> {
    pub async fn begin(rng: Rng, mut bench: Bench, mix: Mix, mut around: A) -> Result<Self, String> {
        bench.plans.0.lock().unwrap().clone_from(&mix.plans);
        bench.erp = around.client();
        bench.behind = around.beside();
        bench.env.allow_operations = vec![CLOSE.into(), "Save".into(), "Push".into()];
        bench.try_start().await?;
        let (said, happened) = (Vec::new(), Happened::default());
        Ok(Self { rng, bench, around, mix, said, happened, place: Place::Home, addresses: 0, beside_at: None })
    }

    pub fn say(&mut self, what: impl Into<String>) {
        let at = self.bench.clock.start_elapsed();
        self.said.push(format!("{:>8.1} s  {}", at.as_secs_f64(), what.into()));
    }

    pub fn others(&mut self) {
        if self.rng.u32(0..14) == 0 {
            return self.step_clock();
        }
        if let Some(what) = self.around.others(&mut self.rng, &self.mix) {
            self.say(what);
        }
    }

    pub fn trouble(&mut self) {
        for what in self.around.trouble(&mut self.rng, &self.mix) {
            self.say(what);
        }
    }

    /// Somebody sets our clock, forward or back.
    fn step_clock(&mut self) {
        let step = self.rng.i64(-3_600_000..3_600_000);
        self.bench.clock.step.store(step, Ordering::SeqCst);
        self.happened.steps += 1;
        self.say(format!("our clock stands {step} ms off"));
    }

    async fn order(&mut self, command: Command) -> Receipt {
        let verb = command.verb();
        let receipt = self.bench.order(command).await;
        self.say(format!("{verb}: {receipt:?}"));
        receipt
    }

    async fn crash(&mut self) {
        self.say("the process dies");
        self.happened.crashes += 1;
        let rows = self.bench.crash().await;
        self.around.unanswered(&rows);
        if self.rng.bool() {
            let rest = self.rng.u64(0..400);
            tokio::time::sleep(Duration::from_secs(rest)).await;
        }
        match self.rng.u32(0..6) {
            0 => self.machine(0..100_000),
            // A directory that was taken to another machine.
            1 => self.machine(100_000..10_000_000_000),
            2 if self.rng.u32(0..4) == 0 => {
                self.bench.clock.forget_boot();
                self.say("the machine tells nothing of its start");
            }
            _ => {}
        }
        if self.rng.bool() {
            self.step_clock();
        }
        self.travel();
        self.start().await;
    }

    fn machine(&mut self, ran: std::ops::Range<u64>) {
        let ran = self.rng.u64(ran);
        self.bench.clock.reboot(ran);
        self.happened.reboots += 1;
        self.say(format!("another start of a machine, which has run for {ran} ms"));
    }

    async fn start(&mut self) {
        if self.place != Place::Elsewhere || self.moves_beside() {
            self.bench.erp = self.around.client();
        }
        self.bench.behind = self.around.beside();
        self.move_beside();
        self.bench.try_start().await.unwrap();
        let boot = self.bench.clock.boot();
        self.say(format!("and starts again ({boot:?})"));
    }

    fn selection(&mut self) -> Selection {
        if self.rng.bool() {
            return Bench::all_matching();
        }
        let plan = self.rng.choice(&self.mix.plans).map(|plan| plan.id.clone());
        Selection::Matching { plan, run: None, filter: Filter::default() }
    }

    /// What an operator orders to begin with.
    fn beginning(&mut self, plan: PlanId) -> Command {
        match self.rng.u32(0..8) {
            0 if self.mix.retries => Command::Retry { selection: self.selection(), revision: Revision::Newest },
            1 => Command::Verify { selection: self.selection() },
            _ => {
                let sweep = !self.mix.ordinary && self.rng.u32(0..10) == 0;
                Command::Start { plan, params: StartParams { sweep, ..StartParams::default() } }
            }
        }
    }

    fn open_runs(&self) -> Vec<RunId> {
        self.bench.store.open_runs().unwrap().iter().map(|row| row.head.id).collect()
    }

    /// One run, or one of each plan beside each other, with whatever comes in their way.
    pub async fn run_step(&mut self) {
        self.trouble();
        if self.rng.bool() {
            self.adopt().await;
        }
        let mut plans: Vec<PlanId> = self.mix.plans.iter().map(|plan| plan.id.clone()).collect();
        self.rng.shuffle(&mut plans);
        if self.rng.u32(0..3) == 0 {
            plans.truncate(1);
        }
        for plan in plans {
            let command = self.beginning(plan);
            self.order(command).await;
        }
        let runs = self.open_runs();
        if self.mix.crashes && self.rng.u32(0..8) == 0 {
            tokio::time::sleep(Duration::from_millis(self.rng.u64(0..200))).await;
            self.crash().await;
        }
        self.rest(&runs).await;
        for _ in 0..self.rng.u32(0..3) {
            self.others();
        }
        for run in self.open_runs() {
            let order = match self.bench.run(run).state {
                RunState::AwaitingApproval if self.rng.u32(0..10) == 0 => Command::Decline { run },
                RunState::AwaitingApproval => self.bench.approval(run),
                RunState::Paused(_) | RunState::Interrupted if self.rng.u32(0..6) == 0 => Command::Cancel { run },
                RunState::Paused(_) | RunState::Interrupted => Command::Resume { run },
                _ => continue,
            };
            self.order(order).await;
        }
        for _ in 0..self.rng.u32(0..4) {
            let most = self.rng.u64(1..3000);
            let wait = self.rng.u64(0..most);
            tokio::time::sleep(Duration::from_millis(wait)).await;
            self.meanwhile(&runs).await;
            self.check();
        }
        self.rest(&runs).await;
    }

    async fn meanwhile(&mut self, runs: &[RunId]) {
        let Some(run) = self.rng.choice(runs.iter().copied()) else { return };
        match self.rng.u32(0..9) {
            0 if self.mix.crashes => self.crash().await,
            1 => drop(self.order(Command::Pause { run }).await),
            2 => drop(self.order(Command::Resume { run }).await),
            3 if self.rng.bool() => drop(self.order(Command::Cancel { run }).await),
            4 => self.others(),
            _ => {}
        }
    }

    async fn rest(&mut self, runs: &[RunId]) {
        // A settling run may be left to itself; the next steps then happen beside it.
        let patience = self.rng.u32(20..2000);
        for _ in 0..patience {
            let rows = runs.iter().map(|run| self.bench.run(*run));
            let at_work = |row: &skydeck::domain::run::RunRow| {
                assert!(row.tally.closes(), "{:?}", row.tally);
                matches!(row.state, RunState::Collecting | RunState::Working | RunState::Settling)
            };
            if !rows.into_iter().any(|row| at_work(&row)) {
                return;
            }
            tokio::time::sleep(Duration::from_millis(500)).await;
        }
    }

    /// Orders, waits, trouble and other people's deeds as the dice fall, then quiet days. What happens is written down as it does.
    pub async fn hostile_days(&mut self, steps: std::ops::Range<u32>, said: &Mutex<Vec<String>>) {
        for _ in 0..self.rng.u32(steps) {
            match self.rng.u32(0..7) {
                0 | 1 => self.run_step().await,
                2 => {
                    let wait = self.rng.u64(1..900);
                    tokio::time::sleep(Duration::from_secs(wait)).await;
                }
                3 => self.trouble(),
                _ => self.others(),
            }
            said.lock().unwrap().clone_from(&self.said);
            self.check();
        }
        self.quiet_days().await;
    }

    /// What must hold at any time, whatever else is found wrong at the end.
    pub fn check(&self) {
        for (_, row) in self.bench.store.runs(None, &skydeck::domain::query::PageRequest::first(1000)).unwrap().rows {
            assert!(row.tally.closes(), "{row:?}");
        }
        if let Some(engine) = &self.bench.engine {
            assert_eq!(engine.watch().live.faults, Vec::<String>::new());
        }
    }

    /// The days after, on which nothing goes wrong and nobody else does anything.
    pub async fn quiet_days(&mut self) {
        if self.place == Place::Elsewhere {
            self.bench.crash().await;
            self.go_home();
            self.start().await;
        }
        self.adopt().await;
        for _ in 0..QUIET_DAYS {
            self.around.calm();
            tokio::time::sleep(Duration::from_secs(25 * 3600)).await;
            self.close_what_is_open().await;
            for plan in self.mix.plans.clone() {
                self.quiet_run(plan.id.as_str()).await;
            }
        }
    }

    /// A whole run; where refusals pause it, it is resumed.
    async fn quiet_run(&mut self, plan: &str) {
        let run = self.bench.start_of(plan).await;
        let rests =
            |state: &RunState| state.is_closed() || matches!(state, RunState::AwaitingApproval | RunState::Paused(_));
        for _ in 0..12 {
            let row = self.bench.until(run, "at rest", rests).await;
            self.say(format!("quiet run of {plan}: {:?} {:?}", row.state, row.tally));
            let order = match row.state {
                RunState::AwaitingApproval => self.bench.approval(run),
                RunState::Paused(_) => Command::Resume { run },
                RunState::Closed(RunEnd::CollectFailed(Reason::KeyNotHonoured { .. })) => {
                    return self.look_at_the_keys().await;
                }
                _ => return,
            };
            self.bench.accepted(order).await;
        }
        panic!("run {run} never became closed");
    }

    /// A bill was numbered otherwise than it was asked for, or an answer named another one: nothing more is made until a person has
    /// looked at it, and closes its entry.
    async fn look_at_the_keys(&mut self) {
        let ops: Vec<_> = self.mix.plans.iter().map(|plan| Operation::of(plan).id).collect();
        let keys =
            self.around.bills().into_iter().flat_map(|fid| ops.iter().map(move |op| oracle::record(&fid).under(op)));
        let asks = |key: &WorkKey| {
            let entry = self.bench.store.ledger_entry(key).unwrap();
            let outcome = entry.as_ref().and_then(|entry| entry.row.state.outcome());
            matches!(outcome, Some(Outcome::Unknown(unknown)) if unknown.why == UnknownWhy::KeyNotHonoured)
        };
        let keys: Vec<WorkKey> = keys.filter(asks).collect();
        let (selection, reason) = (Selection::Bills(keys), "looked at it in the ERP".to_owned());
        self.order(Command::Resolve { selection, reason }).await;
    }

    async fn close_what_is_open(&mut self) {
        for _ in 0..6 {
            let Some(run) = self.open_runs().first().copied() else { break };
            let order = match self.bench.run(run).state {
                RunState::AwaitingApproval => Command::Decline { run },
                RunState::Paused(_) | RunState::Interrupted => Command::Resume { run },
                _ => Command::ReloadPlans,
            };
            self.bench.order(order).await;
            for _ in 0..4000 {
                let state = self.bench.run(run).state;
                if !matches!(state, RunState::Working | RunState::Settling | RunState::AwaitingApproval) {
                    break;
                }
                tokio::time::sleep(Duration::from_millis(500)).await;
            }
        }
    }
}
