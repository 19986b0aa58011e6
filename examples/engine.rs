//! The engine as a library: no console, no configuration, no directory. A simulator stands for the ERP, the facts stay in memory, and
//! what the engine says of the shipped plan is compared with what the simulator saw.
//!
//! `cargo run --example engine`
#![allow(clippy::print_stdout, reason = "an example says what it does")]

use std::collections::BTreeMap;
use std::error::Error;
use std::sync::Arc;

use skydeck::boot::SystemClock;
use skydeck::config::Rules;
use skydeck::domain::cause::{BUILT_IN, CauseTable};
use skydeck::domain::command::{Command, Order, Receipt, StartParams};
use skydeck::domain::env::{Environment, Limits};
use skydeck::domain::event::Event;
use skydeck::domain::ids::{CommandId, EnvId, PlanId, RunId};
use skydeck::domain::query::PlanProblem;
use skydeck::domain::time::Clock;
use skydeck::domain::who::Who;
use skydeck::engine::api::Notice;
use skydeck::engine::{Engine, Found, Parts, PlanSource};
use skydeck::erp::KingdeeErp;
use skydeck::erp::config::{ClientConfig, SignIn, server};
use skydeck::plan;
use skydeck::sim::{self, WorldConfig};
use skydeck::store::actions::MemoryLog;
use skydeck::store::memory::MemoryStore;
use ulid::Ulid;

const PLAN: &str = include_str!("../plans/sal_outstock_audit.json");

/// One plan, that of the repository.
struct Shipped;

impl PlanSource for Shipped {
    fn load(&self) -> Result<Vec<Found>, PlanProblem> {
        let id = PlanId::new("sal_outstock_audit");
        let file = plan::read(id.clone(), PLAN).map_err(|e| PlanProblem::new(id, e.to_string()))?;
        let hazards = u32::try_from(plan::lint(&file).len()).unwrap_or(u32::MAX);
        Ok(vec![Found::Read(Box::new((Ok(file.plan), hazards)))])
    }
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let erp = sim::start(sim::SimConfig {
        world: WorldConfig { bills: 60, ..WorldConfig::default() },
        ..sim::SimConfig::default()
    })
    .await?;
    let engine = Engine::start(parts(&erp.url())?).await?;
    let mut watch = engine.watch();
    let start = Command::Start { plan: PlanId::new("sal_outstock_audit"), params: StartParams::default() };
    let run = order(&engine, start).await?.ok_or("no run was opened")?;
    let mut sum = BTreeMap::new();
    // Everything that happens comes as facts: what was collected, each call and its answer, the end.
    while let Some(notice) = watch.notices.recv().await {
        let Notice::Facts(facts) = notice else { continue };
        for fact in facts.iter() {
            match &fact.event {
                Event::RunCollected { collected, .. } => {
                    println!(
                        "collected, {} bills can be called; approving set {}",
                        collected.callable,
                        collected.hash.short()
                    );
                    let typed = Some(collected.callable.to_string());
                    let hash = collected.hash.clone();
                    order(&engine, Command::Approve { run, hash, typed, flags: Vec::new(), reason: None }).await?;
                }
                Event::BillSettled { outcome, .. } => *sum.entry(outcome.slot()).or_insert(0_u64) += 1,
                Event::RunClosed { end, .. } => {
                    println!("{end:?}: {sum:?}");
                    let seen = erp.stats();
                    println!("the simulator: {:?}, at most {} of a bill", seen.applied, seen.max_audits_per_bill);
                    engine.shutdown().await;
                    erp.shutdown().await;
                    return Ok(());
                }
                _ => {}
            }
        }
    }
    Err("the engine ended".into())
}

fn parts(url: &str) -> Result<Parts, Box<dyn Error>> {
    let clock: Arc<dyn Clock> = Arc::new(SystemClock::default());
    let causes: Arc<CauseTable> = Arc::new(toml::from_str(BUILT_IN)?);
    let known = sim::demo_credentials();
    let sign_in = SignIn::Signed { app_id: known.app_id, app_secret: known.app_secret.into() };
    let config = ClientConfig::new(EnvId::new("demo"), url, known.account.clone(), known.user.clone(), sign_in);
    let client = KingdeeErp::new(config, Arc::clone(&causes), Arc::clone(&clock))?;
    let environment = Environment {
        id: EnvId::new("demo"),
        address: url.to_owned(),
        server: server(url, &known.account),
        system: skydeck::domain::env::System::default(),
        account_set: known.account,
        user: known.user,
        production: false,
        read_only: false,
        always_read_only: false,
        second_person: false,
        server_zone: "Asia/Shanghai".to_owned(),
        allow_operations: Vec::new(),
        limits: Limits::default(),
    };
    Ok(Parts {
        store: Arc::new(MemoryStore::new(Arc::clone(&clock))),
        clock: Arc::clone(&clock),
        causes,
        envs: vec![(environment, Arc::new(client))],
        plans: Arc::new(Shipped),
        access: Arc::new(Rules::default()),
        actions: Arc::new(MemoryLog::new(clock)),
        owner: me().uid,
    })
}

/// Whoever runs the example gives its orders.
fn me() -> Who {
    skydeck::boot::who()
}

async fn order(engine: &Engine, command: Command) -> Result<Option<RunId>, Box<dyn Error>> {
    let order = Order { id: CommandId(Ulid::generate()), by: me(), session: None, headless: false, command };
    match engine.submit(order).await {
        Receipt::Accepted { run, .. } => Ok(run),
        Receipt::Refused(refusal) => Err(refusal.to_string().into()),
    }
}
