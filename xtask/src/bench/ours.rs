//! The same bills through the product: plan, engine, client, durable store, from the order to the closed run.
//!
//! Invariant: nothing of the product is switched off but its pace; what is measured is seen from outside, through the
//! link and around the client.

use std::collections::HashMap;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use async_trait::async_trait;
use ulid::Ulid;

use super::flow::{Cell, PLAN};
use super::probe::{self, Times};
use super::server::{ENV, Server, client};
use skydeck::boot::{self, Booted, PlanFiles, Setup};
use skydeck::domain::bill::Found;
use skydeck::domain::cause::CauseTable;
use skydeck::domain::command::{Command, Order, Receipt, StartParams};
use skydeck::domain::env::{Environment, Limits};
use skydeck::domain::event::Event;
use skydeck::domain::ids::{CommandId, EnvId, Fid, PlanId, RunId};
use skydeck::domain::run::RunState;
use skydeck::domain::time::Clock;
use skydeck::engine::api::{Link, Notice};
use skydeck::engine::ports::{Erp, Fault, FoundPage, Greeting, Look, PageQuery, WriteCall, WriteReply, WriteToken};
use skydeck::erp::KingdeeErp;
use skydeck::exit::Stop;

/// What a run took.
#[derive(Clone, Debug, Default)]
pub struct Ours {
    /// From the order to the closed run.
    pub wall: Duration,
    /// From the approval to the last outcome.
    pub writing: Duration,
    /// Processor time of this process.
    pub cpu: Duration,
    /// Processor time of the simulator.
    pub sim_cpu: Duration,
    /// Highest resident memory.
    pub peak: u64,
    /// Journal on disk.
    pub journal: u64,
    /// Index on disk.
    pub index: u64,
    /// Pages of the query.
    pub page: Times,
    /// Status reads.
    pub read: Times,
    /// Writing calls, signing and judging included.
    pub call: Times,
    /// From durable intent to durable outcome.
    pub life: Times,
    /// Bills a second over the first and over the last tenth of the outcomes.
    pub tenths: (f64, f64),
}

/// Runs the cell's plan in a data directory.
pub async fn run(
    cell: &Cell,
    (room, plans): (&Path, &Path),
    database: Option<boot::Database>,
    causes: &Arc<CauseTable>,
    clock: &Arc<dyn Clock>,
) -> Result<Ours, Stop> {
    let server = Server::start(cell.sim_bills(), cell.delay).await?;
    let erp = Arc::new(Timed { inner: client(&server.url, causes, clock)?, kept: Mutex::default() });
    let data = room.join("data");
    let setup = Setup {
        database,
        data: data.clone(),
        envs: vec![(environment(cell, &server.url), erp.clone() as Arc<dyn Erp>)],
        plans: PlanFiles::new(plans.to_path_buf(), Vec::new()),
        causes: causes.clone(),
        clock: clock.clone(),
        schedules: false,
        access: skydeck::config::Rules::default(),
        alerts: None,
        metrics: skydeck::host::metrics::Metrics::default(),
        logging: boot::Logging::off(),
        raise: skydeck::store::local::Raise::Plain,
        lang: skydeck::domain::language::Language::En,
        ahead: (skydeck::engine::Calendar::china().clone(), skydeck::config::forecast::FALSE_ALARMS),
    };
    let booted = Booted::start(setup, |_| {}).await?;
    probe::forget_peak();
    let (cpu, sim_cpu) = (probe::cpu(None), probe::cpu(server.pid()));
    let mut took = follow(&*booted.link, cell.bills).await?;
    took.cpu = probe::cpu(None).saturating_sub(cpu);
    took.sim_cpu = probe::cpu(server.pid()).saturating_sub(sim_cpu);
    took.peak = probe::memory("VmHWM");
    booted.end(None).await?;
    let kept = std::mem::take(&mut *erp.kept.lock().unwrap_or_else(PoisonError::into_inner));
    (took.page, took.read, took.call) = (kept.page, kept.read, kept.call);
    took.journal = probe::bytes_below(&data.join("journal"));
    took.index = probe::bytes_below(&data.join("sled"));
    let (audited, most) = server.end().await?;
    if audited != cell.bills as u64 || most > 1 {
        return Err(Stop::usage(format!(
            "the simulator audited {audited} of {} bills, one of them {most} times",
            cell.bills
        )));
    }
    Ok(took)
}

/// Orders the run, approves it, and looks on until it is closed.
async fn follow(link: &dyn Link, bills: usize) -> Result<Ours, Stop> {
    let mut took = Ours::default();
    let mut watch = link.watch().await?;
    let since = Instant::now();
    let start = Command::Start { plan: PlanId::new(PLAN), params: StartParams::default() };
    let run = order(link, start).await?.ok_or_else(|| Stop::usage("no run was opened"))?;
    let mut tried: HashMap<Fid, Instant> = HashMap::new();
    let (mut settled, mut approved, tenth) = (0, since, bills.div_ceil(10));
    let (mut first, mut last) = (None, None);
    loop {
        let facts = match watch.notices.recv().await {
            Some(Notice::Facts(facts)) => facts,
            Some(Notice::Resync(live)) => {
                // This reader fell behind: the times of some bills are lost, the run is not.
                tried.clear();
                match live.runs.get(&run).map(|r| &r.row.state) {
                    Some(state) if state.is_closed() => break,
                    Some(RunState::Paused(why)) => return Err(Stop::usage(format!("the run paused: {why:?}"))),
                    _ => continue,
                }
            }
            Some(_) => continue,
            None => return Err(Stop::usage("the engine ended")),
        };
        let now = Instant::now();
        for fact in facts.iter() {
            match &fact.event {
                Event::RunCollected { collected, .. } => {
                    let typed = Some(collected.callable.to_string());
                    let hash = collected.hash.clone();
                    approved = Instant::now();
                    order(link, Command::Approve { run, hash, typed, flags: Vec::new(), reason: None }).await?;
                }
                Event::StepTried { fid, .. } => drop(tried.insert(fid.clone(), now)),
                Event::BillSettled { fid, .. } => {
                    settled += 1;
                    if let Some(at) = tried.remove(fid) {
                        took.life.note(now - at);
                    }
                    if settled == tenth {
                        first = Some(now);
                    }
                    if settled == bills - tenth {
                        last = Some(now);
                    }
                    took.writing = now - approved;
                }
                Event::RunPaused { why, .. } => return Err(Stop::usage(format!("the run paused: {why:?}"))),
                _ => {}
            }
        }
        if facts.iter().any(|fact| matches!(&fact.event, Event::RunClosed { .. })) {
            break;
        }
    }
    took.wall = since.elapsed();
    let speed = |span: Duration| tenth as f64 / span.as_secs_f64().max(1e-9);
    let from_first = first.map_or(f64::NAN, |at| speed(at - approved));
    let to_last = last.map_or(f64::NAN, |at| speed((approved + took.writing).saturating_duration_since(at)));
    took.tenths = (from_first, to_last);
    Ok(took)
}

async fn order(link: &dyn Link, command: Command) -> Result<Option<RunId>, Stop> {
    let order = Order { id: CommandId(Ulid::generate()), by: boot::who(), session: None, headless: false, command };
    match link.submit(order).await? {
        Receipt::Accepted { run, .. } => Ok(run),
        Receipt::Refused(refusal) => Err(Stop::usage(refusal.to_string())),
    }
}

fn environment(cell: &Cell, url: &str) -> Environment {
    Environment {
        id: EnvId::new(ENV),
        address: url.to_owned(),
        server: skydeck::erp::config::server(url, "bench"),
        system: skydeck::domain::env::System::default(),
        account_set: "bench".to_owned(),
        user: skydeck::sim::demo_credentials().user,
        production: false,
        read_only: false,
        always_read_only: false,
        second_person: false,
        server_zone: "Asia/Shanghai".to_owned(),
        allow_operations: Vec::new(),
        // The pace is lifted; every other limit is the default one.
        limits: Limits { per_minute: u32::MAX, concurrency: cell.concurrency, ..Limits::default() },
    }
}

#[derive(Default)]
struct Kept {
    page: Times,
    read: Times,
    call: Times,
}

/// The client with a watch in its hand.
struct Timed {
    inner: KingdeeErp,
    kept: Mutex<Kept>,
}

impl Timed {
    fn note(&self, note: impl FnOnce(&mut Kept)) {
        note(&mut self.kept.lock().unwrap_or_else(PoisonError::into_inner));
    }
}

#[async_trait]
impl Erp for Timed {
    async fn sign_in(&self) -> Result<Greeting, Fault> {
        self.inner.sign_in().await
    }

    async fn fetch_page(&self, query: &PageQuery) -> Result<FoundPage, Fault> {
        let since = Instant::now();
        let page = self.inner.fetch_page(query).await;
        self.note(|kept| kept.page.note(since.elapsed()));
        page
    }

    async fn read_bills(&self, look: &Look<'_>, fids: &[Fid]) -> Result<Vec<Found>, Fault> {
        let since = Instant::now();
        let rows = self.inner.read_bills(look, fids).await;
        self.note(|kept| kept.read.note(since.elapsed()));
        rows
    }

    async fn write(&self, token: &WriteToken, call: &WriteCall) -> WriteReply {
        let since = Instant::now();
        let reply = self.inner.write(token, call).await;
        self.note(|kept| kept.call.note(since.elapsed()));
        reply
    }

    fn session(&self) -> String {
        self.inner.session()
    }

    fn refused(&self) -> bool {
        self.inner.refused()
    }
}
