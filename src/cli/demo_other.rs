//! The other system of a demo: a JSON system beside the simulated ERP, where the plan sends records there or reads them from it.
//!
//! Invariant: it is signed in to as any system would be, with a token that is fetched; its secret stands in a file of its own.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use super::args::DemoArgs;
use crate::boot::{EXAMPLES, TABLES};
use crate::config::{Connection, EnvironmentConfig, SecretSource, SignInKind};
use crate::domain::env::{Environment, Limits, System};
use crate::domain::ids::PlanId;
use crate::domain::plan::Plan;
use crate::domain::sending::{Check, Is, Place, Request};
use crate::domain::step::Verb;
use crate::domain::system_words;
use crate::erp::config::server;
use crate::exit::{Exit, Stop};
use crate::http::auth::{AppToken, Auth, Proof};
use crate::sim::json::{JsonCredentials, JsonWorld};
use crate::sim::{self, SimArgs, SimHandle};

/// Records of the other system at most: more customers than these orders have the simulated ERP does not know.
const ORDERS: usize = 200;
/// What the demo's records are bound to there.
const ADDRESS: &str = "http://other-system.invalid/api/";
const ACCOUNT: &str = "demo-orders";

/// The environments of a plan over two systems, by the names that it gives them.
pub(super) struct Sides {
    /// The ERP's.
    pub erp: String,
    /// The other one's.
    pub other: String,
}

impl Sides {
    /// Those of an example; `None`: it knows no other system.
    pub fn of(plan: &str) -> Option<Self> {
        let plan = example(plan)?;
        let (env, target_env) = (plan.env?.to_string(), plan.target_env?.to_string());
        match (plan.source.origin.feed(), &plan.target.verb) {
            (Some(_), _) => Some(Self { erp: target_env, other: env }),
            (None, Verb::Send) => Some(Self { erp: env, other: target_env }),
            (None, _) => None,
        }
    }
}

/// The other system.
pub struct Other {
    /// It.
    pub sim: SimHandle<JsonWorld>,
    name: String,
}

impl Other {
    /// Starts it on a free loopback port, where the plan names one.
    pub(super) async fn start(args: &DemoArgs, record: PathBuf) -> Result<Option<Self>, Stop> {
        let Some(sides) = Sides::of(&args.plan) else { return Ok(None) };
        let config = SimArgs {
            kind: sim::SimKind::Json,
            port: 0,
            bills: args.bills.min(ORDERS),
            seed: args.seed,
            faults: args.faults.clone(),
            settings: None,
            auth: sim::AuthMode::Any,
            delay: args.delay,
            bind: std::net::Ipv4Addr::LOCALHOST.into(),
            record: Some(record),
            hostile: args.hostile,
            gateway: false,
        };
        let config = config.json_config().map_err(not_started)?;
        let (bind, record) = (config.bind, config.record.clone());
        let started = sim::start_as(config).await;
        let sim = started.map_err(|e| not_started(sim::NotStarted::at(bind, record.as_deref(), &e)))?;
        Ok(Some(Self { sim, name: sides.other }))
    }

    /// Its environment, but for what every environment of the demo has; `secret` keeps a text in a file of its own.
    pub(super) fn environment(
        &self,
        args: &DemoArgs,
        usual: impl Fn(&str) -> Environment,
        secret: impl Fn(&str) -> Result<PathBuf, Stop>,
    ) -> Result<EnvironmentConfig, Stop> {
        let known = JsonCredentials::default();
        let secret = secret(&known.app_secret)?;
        let url = self.sim.url();
        let environment = Environment {
            // The port is another one each time; the system goes on with the same records.
            server: server(ADDRESS, ACCOUNT),
            address: url.clone(),
            system: System::Http,
            account_set: ACCOUNT.to_owned(),
            user: known.user.clone(),
            production: args.production,
            read_only: args.production,
            allow_operations: allowed(&args.plan),
            limits: limits(args),
            ..usual(&self.name)
        };
        Ok(EnvironmentConfig {
            environment,
            url,
            sign_in: SignInKind::Signed,
            app_id: Some(known.app_key.clone()),
            secret: Some(SecretSource::File(secret)),
            connection: Connection::default(),
            http: Some(Auth {
                app_id: known.app_key,
                user: known.user,
                proof: Proof::Token(Box::new(token())),
                sign: None,
            }),
        })
    }

    /// How often each record of a kind was made, by its id there.
    pub(super) fn made(&self) -> BTreeMap<String, u32> {
        self.sim.with_world(|world| {
            let mut made = BTreeMap::new();
            for line in world.record().after(0, usize::MAX) {
                if line.verb == "create" && line.refused.is_none() {
                    *made.entry(line.id.to_string()).or_default() += 1;
                }
            }
            made
        })
    }
}

/// How a token is fetched there, as docs/connect-another-system.md shows it.
fn token() -> AppToken {
    let is = |code: &str| Check { path: "$.code".to_owned(), is: Is::In, values: vec![code.to_owned()] };
    AppToken {
        request: Request {
            method: "POST".to_owned(),
            path: "/token".to_owned(),
            body: Some(r#"{"app_key":"{{app}}","app_secret":"{{secret}}"}"#.to_owned()),
            ..Request::default()
        },
        ok: vec![is("0")],
        at: "$.data.access_token".to_owned(),
        expires: Some("$.data.expires_in".to_owned()),
        keeps: Duration::from_secs(3600),
        place: Place::Header("Authorization".to_owned()),
        prefix: "Bearer ".to_owned(),
        lost: vec![is("40100")],
        signed: false,
        renewal: None,
    }
}

/// The pace of a demo's systems.
pub(super) fn limits(args: &DemoArgs) -> Limits {
    Limits {
        per_minute: args.per_minute,
        concurrency: args.concurrency,
        call_timeout: Duration::from_secs(5),
        settle: args.settle.unwrap_or(Duration::from_secs(6)),
        drain: Duration::from_secs(10),
        breaker_unknown: if args.faults == "storm" { 0 } else { 5 },
        breaker_failed_percent: 0,
        breaker_ceiling: false,
        canary: 0,
    }
}

/// The mapping tables of shipped plans.
pub fn tables() -> Vec<(String, String)> {
    TABLES.iter().map(|(file, table)| ((*file).to_owned(), (*table).to_owned())).collect()
}

/// An example as it is read.
pub(super) fn example(plan: &str) -> Option<Plan> {
    let text = EXAMPLES.iter().find(|(name, _)| *name == plan).map(|(_, text)| *text)?;
    let file = crate::plan::read_beside(PlanId::new(plan), text, &tables().as_slice()).ok()?;
    file.runnable().ok().cloned()
}

/// What an example calls beside Submit and Audit: a demo is there to show it.
pub(super) fn allowed(plan: &str) -> Vec<String> {
    example(plan).and_then(|plan| plan.target.verb.allowed_by().map(str::to_owned)).into_iter().collect()
}

/// A simulator that does not start, as an end of a verb.
pub(super) fn not_started(fault: sim::NotStarted) -> Stop {
    let sim::NotStarted { en, zh, why } = fault;
    let (of, zu) =
        why.map_or_else(Default::default, |why| (format!(": {why}"), format!("：{}", system_words::chinese(&why))));
    Stop::both(Exit::Usage, format!("the simulator did not start: {en}{of}"), format!("模拟器未启动：{zh}{zu}"))
}
