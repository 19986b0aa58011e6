//! Random hostile histories through the whole client: the real engine, the real Kingdee client and the simulator in one
//! process, on a virtual clock. What the network may do to a call happens at the client's own transport seam, what the
//! server may do comes from the simulator's fault switches, what other people may do from its admin calls.
//!
//! The oracle is the simulator's own record of applied audits. One seed is one history and is printed on failure.
//! `SKYDECK_HISTORIES=2000` runs more, `SKYDECK_SEED=7` runs one.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::print_stderr,
    missing_docs
)]

mod engine_support;

use std::collections::{BTreeMap, HashMap};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use engine_support::*;
use fastrand::Rng;
use serde_json::{Value, json};
use skydeck::domain::bill::Outcome;
use skydeck::domain::command::{Command, Receipt, StartParams};
use skydeck::domain::ids::{EnvId, Fid, FormId, OpId, PlanId, RecordKey, RunId, WorkKey};
use skydeck::domain::plan::Column;
use skydeck::domain::run::{Revision, RunState};
use skydeck::domain::time::Clock;
use skydeck::erp::config::{ClientConfig, SignIn};
use skydeck::erp::transport::{CallKind, HttpReply, Transport, TransportFault};
use skydeck::erp::{Erp, KingdeeErp};
use skydeck::sim::{self, RequestParts, WorldConfig, demo_credentials};
use skydeck::store::Store;

/// Histories in an ordinary test run.
const HISTORIES: u64 = 60;
/// Quiet days at the end, in which everything that can be done must get done.
const QUIET_DAYS: u32 = 8;
/// The driver's time at the beginning, Unix milliseconds; the engine's wall clock may be stepped, this one never is.
const BEGAN: i64 = 1_790_000_000_000;
/// Answers larger than this are given up (the client's own limit, smaller here to save time).
const LARGE: usize = 4 << 20;

/// What the client sent, and whether a whole answer came back.
struct Sent {
    body: String,
    kind: CallKind,
    answered: bool,
}

/// The network between client and simulator: passes calls on, loses some.
struct Wire {
    world: Mutex<sim::World>,
    clock: Arc<TokioClock>,
    rng: Mutex<Rng>,
    /// Calls in a hundred that the network spoils.
    trouble: AtomicU64,
    sent: Mutex<Vec<Sent>>,
}

impl Wire {
    fn now(&self) -> i64 {
        BEGAN + self.clock.start_elapsed().as_millis() as i64
    }

    fn with<T>(&self, f: impl FnOnce(&mut sim::World, i64) -> T) -> T {
        let now = self.now();
        f(&mut self.world.lock().unwrap(), now)
    }

    fn admin(&self, path: &str, body: &Value) -> Value {
        let method = if body.is_null() { "GET" } else { "POST" };
        let body = if body.is_null() { String::new() } else { body.to_string() };
        let request =
            RequestParts { method: method.into(), path: format!("/admin/{path}"), headers: vec![], body: body.into() };
        let reply = self.with(|world, now| world.handle(request, now));
        let answer: Value = serde_json::from_slice(&reply.body).unwrap();
        assert_eq!(reply.status, 200, "{path}: {answer}");
        answer
    }

    /// Status of a bill; `-` when it is gone.
    fn status(&self, id: u64) -> String {
        let list = self.admin(&format!("bills?form={FORM}&after={}&limit=1", id - 1), &Value::Null);
        let bill = &list["bills"][0];
        if bill["id"] == id { bill["status"].as_str().unwrap().to_owned() } else { "-".to_owned() }
    }

    /// What the network does to this call: nothing, lose the request, lose the answer.
    fn mishap(&self) -> u32 {
        let mut rng = self.rng.lock().unwrap();
        if rng.u64(0..100) < self.trouble.load(Ordering::SeqCst) { rng.u32(1..5) } else { 0 }
    }

    async fn answer(&self, request: RequestParts) -> Result<HttpReply, TransportFault> {
        let broken = || Err(TransportFault::Broken("connection reset".to_owned()));
        let mishap = self.mishap();
        match mishap {
            1 => return Err(TransportFault::NotSent("connection refused".to_owned())),
            2 => return broken(),
            _ => {}
        }
        let mut reply = self.with(|world, now| world.handle(request, now));
        while let sim::Transport::Parked { ticket, due_ms } = reply.transport {
            let wait = u64::try_from(due_ms - self.now()).unwrap_or(0).max(1);
            tokio::time::sleep(Duration::from_millis(wait)).await;
            reply = self.with(|world, now| world.resume(ticket, now));
        }
        tokio::time::sleep(Duration::from_millis(reply.wait_ms)).await;
        match mishap {
            3 => return broken(),
            // No answer: the client's own limit ends the wait.
            4 => std::future::pending::<()>().await,
            _ => {}
        }
        match reply.transport {
            sim::Transport::Reset | sim::Transport::Truncated(_) | sim::Transport::Parked { .. } => return broken(),
            sim::Transport::Slow { bytes, every_ms } => {
                let pieces = reply.body.len() as u64 / (bytes as u64).max(1);
                tokio::time::sleep(Duration::from_millis(pieces * every_ms)).await;
            }
            sim::Transport::Whole | sim::Transport::NoLength | sim::Transport::Twice => {}
        }
        if (300..400).contains(&reply.status) {
            let to = reply.header("location").unwrap_or_default().to_owned();
            return Err(TransportFault::Redirected { status: reply.status, to });
        }
        if reply.header("content-encoding").is_some() || reply.body.len() > LARGE {
            return Err(TransportFault::TooLarge { limit: LARGE });
        }
        Ok(HttpReply { status: reply.status, headers: reply.headers.clone(), body: reply.body.to_vec() })
    }
}

#[async_trait]
impl Transport for Wire {
    async fn post(
        &self,
        path: &str,
        headers: Vec<(String, String)>,
        body: Vec<u8>,
        kind: CallKind,
    ) -> Result<HttpReply, TransportFault> {
        let at = {
            let mut sent = self.sent.lock().unwrap();
            sent.push(Sent { body: String::from_utf8_lossy(&body).into_owned(), kind, answered: false });
            sent.len() - 1
        };
        let path = if path.starts_with('/') { path.to_owned() } else { format!("/{path}") };
        let request = RequestParts { method: "POST".to_owned(), path, headers, body: body.into() };
        let answer = self.answer(request).await;
        self.sent.lock().unwrap()[at].answered = answer.is_ok();
        if matches!(answer, Err(TransportFault::NotSent(_))) {
            self.sent.lock().unwrap()[at].body.clear();
        }
        answer
    }
}

struct Story {
    rng: Rng,
    bench: Bench,
    wire: Arc<Wire>,
    /// Bills of the simulator: those that exist, those that do not yet.
    ids: Vec<u64>,
    coming: Vec<u64>,
    crashes: u64,
    said: Vec<String>,
}

#[derive(Default)]
struct Sums {
    calls: u64,
    audits: u64,
    crashes: u64,
    operator: u64,
    bills: u64,
}

/// A new client, as a new process has it.
fn client(wire: &Arc<Wire>) -> Arc<dyn Erp> {
    let c = demo_credentials();
    let sign_in = SignIn::Signed { app_id: c.app_id.clone(), app_secret: c.app_secret.clone().into() };
    let config = ClientConfig::new(EnvId::new("test"), "http://127.0.0.1:9/k3cloud/", c.account, c.user, sign_in);
    let clock = Arc::clone(&wire.clock) as Arc<dyn Clock>;
    let transport = Arc::clone(wire) as Arc<dyn Transport>;
    Arc::new(KingdeeErp::over(config, Arc::new(causes()), clock, transport).unwrap())
}

fn key(id: u64) -> WorkKey {
    RecordKey { env: EnvId::new("test"), form: FormId::new(FORM), fid: Fid::new(id.to_string()) }
        .under(&OpId::default())
}

impl Story {
    fn say(&mut self, what: impl Into<String>) {
        let at = self.bench.clock.start_elapsed();
        self.said.push(format!("{:>8.1} s  {}", at.as_secs_f64(), what.into()));
    }

    /// Server-local time (China), `seconds` ago.
    fn server_time(&self, seconds: i64) -> String {
        let at = self.wire.now() / 1000 - seconds + 8 * 3600;
        chrono::DateTime::from_timestamp(at, 0).unwrap().format("%Y-%m-%dT%H:%M:%S").to_string()
    }

    /// One thing somebody else does.
    fn world_step(&mut self) {
        let what = self.rng.u32(0..12);
        if what <= 3 && !self.coming.is_empty() {
            let id = self.coming.swap_remove(self.rng.usize(..self.coming.len()));
            let late = if self.rng.bool() { 0 } else { self.rng.i64(0..110) };
            let status = ["B", "B", "B", "A", "Z"][self.rng.usize(0..5)];
            let entered = self.server_time(late);
            self.wire.admin("bill", &json!({"id": id, "entered": entered, "status": status}));
            self.ids.push(id);
            self.say(format!("bill {id} is entered as {status}, committed {late} s after its creation"));
            return;
        }
        if self.ids.is_empty() {
            return;
        }
        let id = self.ids[self.rng.usize(..self.ids.len())];
        let before = self.wire.status(id);
        let change = match (what, before.as_str()) {
            (4 | 5, "Z" | "A" | "D") => json!({"id": id, "status": "B"}),
            (6, "B") => json!({"id": id, "status": "C"}),
            (7, "C") => json!({"id": id, "status": "D"}),
            (8, "B" | "A" | "D") => json!({"id": id, "note": format!("edited {}", self.rng.u32(..))}),
            (9, "A" | "Z" | "D" | "B") if self.rng.u32(0..4) == 0 => json!({"id": id, "delete": true}),
            (10, _) => {
                let skew = self.rng.i64(-3_600_000..3_600_000);
                self.wire.admin("clock", &json!({"skew_ms": skew}));
                self.say(format!("the server's clock stands {skew} ms off"));
                return;
            }
            _ => return,
        };
        self.wire.admin("bill", &change);
        self.say(format!("others: {change} (it was {before})"));
    }

    /// What goes wrong for a while: the network, and the simulator's own faults.
    fn weather(&mut self) {
        let network = if self.rng.bool() { 0 } else { self.rng.u64(1..40) };
        self.wire.trouble.store(network, Ordering::SeqCst);
        match self.rng.u32(0..3) {
            0 => self.wire.admin("faults", &json!({"replace": true})),
            _ => self.wire.admin("faults", &json!({"replace": true, "preset": "storm"})),
        };
        self.say(format!("weather: {network} % of calls spoilt by the network, the server's faults changed"));
    }

    async fn crash(&mut self) {
        self.say("the process dies");
        self.crashes += 1;
        self.bench.crash().await;
        if self.rng.bool() {
            let rest = self.rng.u64(0..400);
            tokio::time::sleep(Duration::from_secs(rest)).await;
        }
        self.bench.erp = Some(client(&self.wire));
        self.bench.try_start().await.unwrap();
        self.say("and starts again");
    }

    async fn run_step(&mut self) {
        let command = match self.rng.u32(0..8) {
            0 => Command::Retry { selection: Bench::all_matching(), revision: Revision::Newest },
            1 => Command::Verify { selection: Bench::all_matching() },
            _ => {
                let sweep = self.rng.u32(0..10) == 0;
                Command::Start { plan: PlanId::new("p"), params: StartParams { sweep, ..StartParams::default() } }
            }
        };
        let verb = command.verb();
        let receipt = self.bench.order(command).await;
        self.say(format!("{verb}: {receipt:?}"));
        let run = match receipt {
            Receipt::Accepted { run: Some(run), .. } => run,
            _ => match self.bench.store.open_runs().unwrap().first() {
                Some(row) => row.head.id,
                None => return,
            },
        };
        self.rest(run).await;
        for _ in 0..self.rng.u32(0..3) {
            self.world_step();
        }
        let order = match self.bench.run(run).state {
            RunState::AwaitingApproval if self.rng.u32(0..10) == 0 => Command::Decline { run },
            RunState::AwaitingApproval => self.bench.approval(run),
            RunState::Paused(_) | RunState::Interrupted if self.rng.u32(0..6) == 0 => Command::Cancel { run },
            RunState::Paused(_) | RunState::Interrupted => Command::Resume { run },
            _ => return,
        };
        let verb = order.verb();
        let receipt = self.bench.order(order).await;
        self.say(format!("{verb}: {receipt:?}"));
        for _ in 0..self.rng.u32(0..4) {
            let wait = self.rng.u64(0..3000);
            tokio::time::sleep(Duration::from_millis(wait)).await;
            match self.rng.u32(0..6) {
                0 => self.crash().await,
                1 => self.world_step(),
                2 => drop(self.bench.order(Command::Pause { run }).await),
                3 => drop(self.bench.order(Command::Resume { run }).await),
                _ => {}
            }
            self.bench.check();
        }
        self.rest(run).await;
    }

    async fn rest(&mut self, run: RunId) {
        // A settling run may be left to itself; the next steps then happen beside it.
        for _ in 0..self.rng.u32(20..2000) {
            let row = self.bench.run(run);
            assert!(row.tally.closes(), "{:?}", row.tally);
            if !matches!(row.state, RunState::Collecting | RunState::Working | RunState::Settling) {
                return;
            }
            tokio::time::sleep(Duration::from_millis(500)).await;
        }
    }

    async fn quiet_day(&mut self) {
        self.wire.trouble.store(0, Ordering::SeqCst);
        self.wire.admin("faults", &json!({"replace": true}));
        tokio::time::sleep(Duration::from_secs(25 * 3600)).await;
        for _ in 0..6 {
            let Some(row) = self.bench.store.open_runs().unwrap().into_iter().next() else { break };
            let run = row.head.id;
            let order = match row.state {
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
        let row = self.bench.whole_run().await;
        self.say(format!("quiet run: {:?} {:?}", row.state, row.tally));
    }

    /// No bill is called a second time after an answer that did not come whole, unless its status was read in between.
    fn no_blind_repeat(&self) -> Result<(), String> {
        let sent = self.wire.sent.lock().unwrap();
        let mut open: HashMap<u64, usize> = HashMap::new();
        for (n, call) in sent.iter().enumerate() {
            for id in self.ids.iter().copied().filter(|id| call.body.contains(&id.to_string())) {
                match call.kind {
                    CallKind::Write => {
                        if let Some(before) = open.get(&id) {
                            return Err(format!(
                                "call {n} repeats bill {id} blindly after call {before}: {}",
                                call.body
                            ));
                        }
                        if !call.answered {
                            open.insert(id, n);
                        }
                    }
                    CallKind::Status | CallKind::Read if call.answered => drop(open.remove(&id)),
                    _ => {}
                }
            }
        }
        Ok(())
    }

    /// What must be true at the end.
    fn judge(&self) -> Result<Sums, String> {
        self.no_blind_repeat()?;
        let user = demo_credentials().user;
        let lines = self.wire.with(|world, _| world.record().after(0, usize::MAX).to_vec());
        let mut applied: BTreeMap<u64, u64> = BTreeMap::new();
        let mut changed: HashMap<u64, i64> = HashMap::new();
        for line in &lines {
            let id = u64::from(line.id);
            if line.verb == "Outside" {
                changed.insert(id, line.at_ms);
            }
            if line.verb != "Audit" || *line.user != *user {
                continue;
            }
            if line.before != 'B' && changed.get(&id).is_none_or(|at| line.at_ms - at > 130_000) {
                return Err(format!("bill {id} was called in status {}: {line:?}", line.before));
            }
            if line.refused.is_none() {
                *applied.entry(id).or_default() += 1;
            }
        }
        let mut sums = Sums { bills: self.ids.len() as u64, crashes: self.crashes, ..Sums::default() };
        sums.audits = applied.values().sum();
        sums.calls = self.wire.sent.lock().unwrap().len() as u64;
        for id in self.ids.iter().copied() {
            let entry = self.bench.store.ledger_entry(&key(id)).unwrap();
            let outcome = entry.as_ref().and_then(|e| e.row.state.outcome());
            let waits_for_operator = entry.as_ref().is_some_and(|e| e.deaths >= 3)
                || matches!(outcome, Some(Outcome::Unknown(u)) if u.why.needs_operator())
                || matches!(outcome, Some(Outcome::Failed(_)));
            sums.operator += u64::from(waits_for_operator);
            let status = self.wire.status(id);
            if status == "B" && !waits_for_operator {
                return Err(format!("bill {id} was missed: ledger {entry:?}"));
            }
            let row = self.bench.store.bill(&key(id)).unwrap();
            if let Some(Outcome::Done { .. }) = row.as_ref().and_then(|r| r.state.outcome())
                && !applied.contains_key(&id)
            {
                return Err(format!("bill {id} is said to be audited by us, and was not: {row:?}"));
            }
        }
        self.bench.check();
        Ok(sums)
    }
}

async fn history(seed: u64, said: &Mutex<Vec<String>>) -> Result<Sums, String> {
    fastrand::seed(seed);
    let mut rng = Rng::with_seed(seed);
    let mut bench = Bench::new();
    bench.env.limits.concurrency = rng.u32(1..4);
    bench.env.limits.per_minute = if rng.bool() { 60 } else { 6000 };
    bench.env.limits.breaker_unknown = if rng.bool() { 3 } else { 0 };
    bench.env.user = demo_credentials().user;
    bench.policy(|p| {
        p.submit = rng.u32(0..4) == 0;
        p.batch = if rng.u32(0..4) == 0 { 4 } else { 1 };
        p.page_size = rng.u32(2..12);
    });
    bench.plans.0.lock().unwrap()[0].source.columns =
        vec![Column { key: "FBillTypeID".into(), path: "FBillTypeID.FNumber".into(), label: "type".into() }];
    let config = WorldConfig { seed, bills: 40, delay_ms: rng.u64(0..3) * 40, ..WorldConfig::default() };
    let wire = Arc::new(Wire {
        world: Mutex::new(sim::World::new(config, BEGAN)),
        clock: Arc::clone(&bench.clock),
        rng: Mutex::new(rng.fork()),
        trouble: AtomicU64::new(0),
        sent: Mutex::default(),
    });
    let bills = wire.admin(&format!("bills?form={FORM}"), &Value::Null);
    let all: Vec<u64> = bills["bills"].as_array().unwrap().iter().map(|b| b["id"].as_u64().unwrap()).collect();
    let (mut ids, mut coming) = (Vec::new(), Vec::new());
    for id in all {
        if rng.bool() {
            ids.push(id);
        } else {
            wire.admin("bill", &json!({"id": id, "delete": true}));
            coming.push(id);
        }
    }
    bench.erp = Some(client(&wire));
    bench.try_start().await?;
    let mut story = Story { rng, bench, wire, ids, coming, crashes: 0, said: Vec::new() };
    for _ in 0..story.rng.u32(12..30) {
        match story.rng.u32(0..7) {
            0 | 1 => story.run_step().await,
            2 => {
                let wait = story.rng.u64(1..900);
                tokio::time::sleep(Duration::from_secs(wait)).await;
            }
            3 => story.weather(),
            _ => story.world_step(),
        }
        said.lock().unwrap().clone_from(&story.said);
        story.bench.check();
    }
    for _ in 0..QUIET_DAYS {
        story.quiet_day().await;
        said.lock().unwrap().clone_from(&story.said);
    }
    story.judge()
}

fn run_one(seed: u64) -> Sums {
    let said = Mutex::new(Vec::new());
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().start_paused(true).build().unwrap();
    let ended = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| runtime.block_on(history(seed, &said))));
    let wrong = match ended {
        Ok(Ok(sums)) => return sums,
        Ok(Err(wrong)) => wrong,
        Err(panic) => panic
            .downcast_ref::<String>()
            .cloned()
            .or_else(|| panic.downcast_ref::<&str>().map(|s| (*s).to_owned()))
            .unwrap_or_else(|| "panicked".to_owned()),
    };
    let said = said.lock().map(|s| s.join("\n")).unwrap_or_default();
    panic!("SKYDECK_SEED={seed}\n{said}\n{wrong}");
}

fn number(name: &str) -> Option<u64> {
    std::env::var(name).ok().and_then(|text| text.parse().ok())
}

#[test]
fn the_simulators_record_agrees_after_random_hostile_histories() {
    if let Some(seed) = number("SKYDECK_SEED") {
        run_one(seed);
        return;
    }
    let histories = number("SKYDECK_HISTORIES").unwrap_or(HISTORIES);
    let next = AtomicU64::new(0);
    let threads = std::thread::available_parallelism().map_or(2, usize::from);
    let total = Mutex::new(Sums::default());
    std::thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| {
                loop {
                    let seed = next.fetch_add(1, Ordering::SeqCst);
                    if seed >= histories {
                        return;
                    }
                    let sums = run_one(seed);
                    let mut total = total.lock().unwrap();
                    total.calls += sums.calls;
                    total.audits += sums.audits;
                    total.crashes += sums.crashes;
                    total.operator += sums.operator;
                    total.bills += sums.bills;
                }
            });
        }
    });
    let t = total.into_inner().unwrap();
    eprintln!(
        "{histories} histories: {} bills, {} calls, {} audits, {} crashes, {} left to the operator; 0 missed, 0 blind repeats",
        t.bills, t.calls, t.audits, t.crashes, t.operator
    );
    assert!(t.audits > histories && t.crashes * 2 > histories, "the histories do too little to prove anything");
}
