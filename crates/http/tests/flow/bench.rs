//! Two systems, and an engine between them that works by a plan.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use secrecy::SecretString;
use serde_json::Value;
use skydeck_core::domain::access::Role;
use skydeck_core::domain::bill::{Outcome, Slot};
use skydeck_core::domain::cause::{BUILT_IN, CauseTable};
use skydeck_core::domain::command::{Command, Order, Receipt, StartParams};
use skydeck_core::domain::env::{Environment, Limits, System};
use skydeck_core::domain::event::Event;
use skydeck_core::domain::ids::{CommandId, EnvId, Fid, PlanId, RunId};
use skydeck_core::domain::plan::Plan;
use skydeck_core::domain::query::PlanProblem;
use skydeck_core::domain::time::{Clock, ErpDate, Ts};
use skydeck_core::domain::who::Who;
use skydeck_engine::api::Notice;
use skydeck_engine::{Engine, Found, Parts, PlanSource};
use skydeck_http::HttpErp;
use skydeck_http::auth::{Auth, Proof};
use skydeck_http::config::HttpConfig;
use skydeck_kingdee::KingdeeErp;
use skydeck_kingdee::config::{ClientConfig, Reach, SignIn, server};
use skydeck_sim::faults::FaultPlan;
use skydeck_sim::json::settings::JsonSettings;
use skydeck_sim::json::{JsonConfig, JsonWorld};
use skydeck_sim::{RequestParts, SimConfig, SimHandle, WorldConfig, demo_credentials};
use skydeck_store::actions::MemoryLog;
use skydeck_store::memory::MemoryStore;
use ulid::Ulid;

const PLAN: &str = include_str!("../../../../plans/outstock_to_order.json");
/// Who works here.
const ME: u32 = 1000;
/// Longest that a run may take.
const PATIENCE: Duration = Duration::from_secs(120);

/// The machine's clock, with a start of its own.
struct ThisClock(Instant);

impl Clock for ThisClock {
    fn now(&self) -> Ts {
        Ts::of(SystemTime::now())
    }
    fn mono(&self) -> Duration {
        self.0.elapsed()
    }
    fn boot(&self) -> Option<(String, u64)> {
        Some(("this".to_owned(), u64::try_from(self.0.elapsed().as_millis()).unwrap()))
    }
}

struct One(Plan);

impl PlanSource for One {
    fn load(&self) -> Result<Vec<Found>, PlanProblem> {
        Ok(vec![Found::Read(Box::new((Ok(self.0.clone()), 0)))])
    }
}

/// What the JSON system decides, and how we sign in there.
pub struct Settings {
    pub json: String,
    pub auth: Auth,
    pub secret: Option<SecretString>,
    pub token: Option<SecretString>,
    pub settle: Duration,
    /// How long an answer is waited for.
    pub timeout: Duration,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            json: "auth = \"none\"\n".into(),
            auth: open(),
            secret: None,
            token: None,
            settle: Duration::from_secs(1),
            timeout: Duration::from_secs(3),
        }
    }
}

/// Nobody asks who we are.
pub fn open() -> Auth {
    Auth { app_id: "demo-app".into(), user: "demo".into(), proof: Proof::Open, sign: None }
}

/// What became of a run.
#[derive(Debug, Default)]
pub struct End {
    pub found: u64,
    pub done: usize,
    pub already: usize,
    pub skipped: usize,
    pub failed: usize,
    pub unknown: usize,
    /// What it asked for.
    pub filter: String,
    /// The newest date it saw, where the mark moves.
    pub seen: Option<ErpDate>,
    /// How it ended, or why it stopped.
    pub how: String,
    /// The last outcome of each record, by its number.
    pub outcomes: BTreeMap<String, Outcome>,
}

pub struct Bench {
    pub erp: SimHandle,
    pub wms: SimHandle<JsonWorld>,
    pub engine: Engine,
    pub client: Arc<HttpErp>,
    /// Every fact of its runs, as it is stored.
    pub facts: std::sync::Mutex<Vec<String>>,
}

fn environment(id: &str, url: &str, account: &str, system: System, settle: Duration) -> Environment {
    Environment {
        id: EnvId::new(id),
        address: url.to_owned(),
        server: server(url, account),
        system,
        account_set: account.to_owned(),
        user: "demo".to_owned(),
        production: false,
        read_only: false,
        always_read_only: false,
        second_person: false,
        server_zone: "Asia/Shanghai".to_owned(),
        allow_operations: vec!["Send".to_owned(), "Save".to_owned()],
        limits: Limits {
            per_minute: 60_000,
            concurrency: 2,
            call_timeout: Duration::from_secs(3),
            settle,
            breaker_unknown: 0,
            ..Limits::default()
        },
    }
}

impl Bench {
    /// The systems and the engine. `change`: what is another in the plan.
    pub async fn start(settings: Settings, change: impl Fn(&mut Value)) -> Self {
        Self::start_of(PLAN, settings, change).await
    }

    /// The same with another plan.
    pub async fn start_of(plan: &str, settings: Settings, change: impl Fn(&mut Value)) -> Self {
        let world = WorldConfig { bills: 40, ..WorldConfig::default() };
        let erp = skydeck_sim::start(SimConfig { world, ..SimConfig::default() }).await.unwrap();
        let json = JsonConfig {
            orders: 30,
            settings: JsonSettings::from_toml(&settings.json).unwrap(),
            ..JsonConfig::default()
        };
        let at = ([127, 0, 0, 1], 0).into();
        let config = SimConfig { bind: at, world: json, record: None };
        let wms: SimHandle<JsonWorld> = skydeck_sim::start_as(config).await.unwrap();
        let mut plan: Value = serde_json::from_str(plan).unwrap();
        change(&mut plan);
        let file = skydeck_plan::read(PlanId::new("p"), &plan.to_string());
        let plan = file.unwrap_or_else(|error| panic!("{error}")).plan;
        let clock: Arc<dyn Clock> = Arc::new(ThisClock(Instant::now()));
        let causes: Arc<CauseTable> = Arc::new(toml::from_str(BUILT_IN).unwrap());
        let known = demo_credentials();
        let sign_in = SignIn::Signed { app_id: known.app_id, app_secret: known.app_secret.into() };
        let config = ClientConfig::new(EnvId::new("erp"), erp.url(), known.account.clone(), known.user, sign_in);
        let kingdee = KingdeeErp::new(config, Arc::clone(&causes), Arc::clone(&clock)).unwrap();
        let client = Arc::new(client(&wms.url(), &settings, &causes, &clock));
        let here = environment("erp", &erp.url(), &known.account, System::Kingdee, settings.settle);
        let there = environment("wms", &wms.url(), "wms-1", System::Http, settings.settle);
        let parts = Parts {
            store: Arc::new(MemoryStore::new(Arc::clone(&clock))),
            clock: Arc::clone(&clock),
            causes,
            envs: vec![(here, Arc::new(kingdee)), (there, client.clone())],
            plans: Arc::new(One(plan)),
            access: Arc::new(|_: u32| Some(Role::Approver)),
            actions: Arc::new(MemoryLog::new(clock)),
            owner: ME,
        };
        let engine = Engine::start(parts).await.unwrap();
        Self { erp, wms, engine, client, facts: std::sync::Mutex::default() }
    }

    pub fn faults(&self, text: &str) {
        let plan: FaultPlan = toml::from_str(text).unwrap();
        self.wms.with_world(|world| world.add_faults(plan));
    }

    pub async fn order(&self, command: Command) -> Result<Option<RunId>, String> {
        let by = Who::of_person(ME, "me", None);
        let order = Order { id: CommandId(Ulid::generate()), by, session: None, headless: true, command };
        match self.engine.submit(order).await {
            Receipt::Accepted { run, .. } => Ok(run),
            Receipt::Refused(refusal) => Err(refusal.to_string()),
        }
    }

    /// A full run, approved, to its end or to where it stops.
    pub async fn run(&self) -> End {
        let params = StartParams { sweep: true, ..StartParams::default() };
        self.run_as(Command::Start { plan: PlanId::new("p"), params }).await
    }

    /// The run of an order, approved, to its end or to where it stops.
    pub async fn run_as(&self, command: Command) -> End {
        tokio::time::timeout(PATIENCE, self.run_on(command, false)).await.expect("a run ends")
    }

    /// A full run that a person cancels as soon as the answer to a call is lost.
    pub async fn run_cancelled(&self) -> End {
        let params = StartParams { sweep: true, ..StartParams::default() };
        let start = Command::Start { plan: PlanId::new("p"), params };
        tokio::time::timeout(PATIENCE, self.run_on(start, true)).await.expect("a run ends")
    }

    async fn run_on(&self, command: Command, cancels: bool) -> End {
        let mut watch = self.engine.watch();
        let run = self.order(command).await.unwrap().unwrap();
        let mut end = End::default();
        let mut numbers: BTreeMap<Fid, (String, Outcome)> = BTreeMap::new();
        while let Some(notice) = watch.notices.recv().await {
            let Notice::Facts(facts) = notice else { continue };
            self.facts.lock().unwrap().extend(facts.iter().map(|fact| serde_json::to_string(&fact.event).unwrap()));
            for fact in facts.iter().filter(|fact| fact.event.run() == Some(run)) {
                match &fact.event {
                    Event::RunOpened(head) => end.filter.clone_from(&head.filter),
                    Event::RunCollected { collected, .. } => {
                        end.seen = collected.seen.clone();
                        end.found = collected.by_status.iter().map(|(_, n)| n).sum();
                        let (hash, typed) = (collected.hash.clone(), Some(collected.callable.to_string()));
                        let approve = Command::Approve { run, hash, typed, flags: Vec::new(), reason: None };
                        self.order(approve).await.unwrap();
                    }
                    Event::BillSettled { fid, no, outcome, .. } => {
                        numbers.insert(fid.clone(), (no.clone(), outcome.clone()));
                        if cancels && outcome.slot() == Slot::Unknown {
                            // It may be cancelled already.
                            let _again = self.order(Command::Cancel { run }).await;
                        }
                    }
                    Event::BillDeferred { fid, .. } => drop(numbers.remove(fid)),
                    Event::RunPaused { why, .. } => return end.with(numbers, format!("{why:?}")),
                    Event::RunClosed { end: how, .. } => return end.with(numbers, format!("{how:?}")),
                    _ => {}
                }
            }
        }
        panic!("the engine ended")
    }

    /// What the ERP answers at its back door.
    fn erp_admin(&self, method: &str, path: &str, body: String) -> Value {
        let (method, path) = (method.to_owned(), format!("/admin/{path}"));
        let request = RequestParts { method, path, headers: Vec::new(), body: body.into() };
        serde_json::from_slice(&self.erp.ask(request).body).unwrap()
    }

    /// The bills that are to be sent.
    fn to_send(&self) -> Vec<Value> {
        let mut all = self.erp_admin("GET", "bills?form=SAL_OUTSTOCK", String::new());
        let mut bills = std::mem::take(all["bills"].as_array_mut().unwrap());
        bills.retain(|bill| bill["status"] == "C");
        bills
    }

    /// Their numbers.
    pub fn records(&self) -> Vec<String> {
        self.to_send().iter().map(|bill| bill["number"].as_str().unwrap().to_owned()).collect()
    }

    /// Somebody changes each of them in the ERP.
    pub fn change_records(&self, change: &Value) {
        for bill in self.to_send() {
            let mut body = change.clone();
            body["id"] = bill["id"].clone();
            self.erp_admin("POST", "bill", body.to_string());
        }
    }

    /// How often a record was made for each bill of the ERP that was to be sent.
    pub fn made(&self) -> BTreeMap<String, u32> {
        // What is late is carried out when the next request comes.
        let path = "/admin/stats".to_owned();
        let poke = RequestParts { method: "GET".to_owned(), path, headers: Vec::new(), body: Vec::new().into() };
        drop(self.wms.ask(poke));
        let mut made = BTreeMap::new();
        for n in 0..=40 {
            let no = format!("XSCKD{n:06}");
            let changed = self.wms.with_world(|world| world.key_counts("orders", &no).changed);
            if changed > 0 {
                made.insert(no, changed);
            }
        }
        made
    }

    /// So many creations as calls arrived there.
    pub fn calls(&self) -> u32 {
        (0..=40).map(|n| self.wms.with_world(|w| w.key_counts("orders", &format!("XSCKD{n:06}")).calls)).sum()
    }

    /// No record was made twice, and what is said to be done was made.
    pub fn agrees(&self, end: &End) {
        let made = self.made();
        assert!(made.values().all(|n| *n == 1), "{made:?} {end:?}");
        for (no, outcome) in &end.outcomes {
            match outcome.slot() {
                Slot::Done | Slot::Already => assert!(made.contains_key(no), "{no} was not made: {outcome:?}"),
                Slot::Failed => assert!(!made.contains_key(no), "{no} was made: {outcome:?}"),
                Slot::Skipped | Slot::Unknown | Slot::Waiting | Slot::NotReached => {}
            }
        }
    }
}

impl End {
    fn with(mut self, numbers: BTreeMap<Fid, (String, Outcome)>, how: String) -> Self {
        self.how = how;
        for (no, outcome) in numbers.into_values() {
            match outcome.slot() {
                Slot::Done => self.done += 1,
                Slot::Already => self.already += 1,
                Slot::Skipped => self.skipped += 1,
                Slot::Failed => self.failed += 1,
                Slot::Unknown => self.unknown += 1,
                Slot::Waiting | Slot::NotReached => {}
            }
            self.outcomes.insert(no, outcome);
        }
        self
    }
}

pub fn client(url: &str, settings: &Settings, causes: &Arc<CauseTable>, clock: &Arc<dyn Clock>) -> HttpErp {
    let reach = Reach {
        base_url: url.to_owned(),
        timeout: settings.timeout,
        connect_timeout: Duration::from_secs(1),
        ca_file: None,
        ca_only: false,
        pinned_certificate: None,
        client_certificate: None,
        proxy: None,
        allow_plain_http: false,
    };
    let config = HttpConfig {
        env: EnvId::new("wms"),
        reach,
        auth: settings.auth.clone(),
        secret: settings.secret.clone(),
        token: settings.token.clone(),
        max_body: 4 << 20,
    };
    HttpErp::new(config, Arc::clone(causes), Arc::clone(clock)).unwrap()
}
