//! `demo`: the built-in simulator, a data directory of its own, the shipped plans, and a console or a headless run.
//!
//! Invariant: a demo that was killed is found again and goes on where it stopped; only a directory this program
//! made for a demo is ever emptied.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use ulid::Ulid;

use super::args::DemoArgs;
use super::demo_other::{Other, Sides, allowed, limits, not_started};
use super::demo_past::{self, Past};
use super::out::Out;
use crate::boot::{self, Booted, EXAMPLES, Logging, PlanFiles, SHIPPED, Setup, SystemClock, TABLES};
use crate::config::forecast::FALSE_ALARMS;
use crate::config::{Connection, EnvironmentConfig, LogConfig, SecretSource, SignInKind};
use crate::domain::cause::CauseTable;
use crate::domain::command::{Command, Order, Receipt};
use crate::domain::env::{Environment, Limits};
use crate::domain::ids::{CommandId, EnvId, PlanId};
use crate::domain::language::Language;
use crate::domain::time::Clock;
use crate::engine::Calendar;
use crate::exit::{Exit, Stop};
use crate::secret::Known;
use crate::sim::{self, SimArgs};
use crate::store::file;
use crate::store::local::Raise;

/// Marks a directory as a demo's; stands there while the demo has not ended in order.
const MARKER: &str = "skydeck-demo";

/// A demo's directory: `data`, `plans`, the simulator's record.
pub struct DemoDir {
    dir: PathBuf,
    /// Whether an earlier demo was cut off here.
    pub interrupted: bool,
}

impl DemoDir {
    /// Finds or makes the directory. `named`: the one given by `--data`.
    pub fn prepare(out: &Out, named: Option<&Path>, fresh: bool) -> Result<Self, Stop> {
        let dir = match named {
            Some(dir) => dir.to_path_buf(),
            None => free_directory(boot::base("XDG_STATE_HOME", ".local/state")?.join("skydeck-demo")),
        };
        let dir = std::path::absolute(&dir).map_err(|e| Stop::system(Exit::Usage, dir.display(), dir.display(), &e))?;
        if is_held(&dir) {
            let (at, data) = (dir.display(), dir.join("data"));
            let data = data.display();
            let en = format!("a demo runs in {at} already: look at it with `--data {data}`, or end it first");
            let zh = format!("{at} 中已有演示在运行：用 `--data {data}` 查看，或先结束它");
            return Err(Stop::new(Exit::Refused, out.t(&en, &zh)));
        }
        let ours = dir.join(MARKER);
        let occupied = dir.is_dir() && dir.read_dir().is_ok_and(|mut entries| entries.next().is_some());
        if occupied && !ours.exists() {
            let words =
                out.t(" holds something else than a demo; name another directory", " 中不是演示数据：请换一个目录");
            return Err(Stop::usage(format!("{}{words}", dir.display())));
        }
        let interrupted = std::fs::read_to_string(&ours).is_ok_and(|state| state.trim() == "running");
        let ended = occupied && !interrupted && named.is_none();
        if occupied && (fresh || ended) {
            std::fs::remove_dir_all(&dir).map_err(|e| denied(&dir, "cannot be emptied", "无法清空", &e))?;
        }
        let place = Self { dir, interrupted: interrupted && !fresh };
        std::fs::create_dir_all(place.plans()).map_err(|e| denied(&place.dir, "cannot be made", "无法创建", &e))?;
        for (name, text) in SHIPPED {
            place.give(name, text)?;
        }
        place.mark("running")?;
        Ok(place)
    }

    /// Writes a shipped plan and the tables it looks in, each unless it is there.
    fn give(&self, name: &str, text: &str) -> Result<(), Stop> {
        self.put(&format!("{name}.json"), text)?;
        TABLES.iter().filter(|(file, _)| text.contains(file)).try_for_each(|(file, table)| self.put(file, table))
    }

    fn put(&self, name: &str, text: &str) -> Result<(), Stop> {
        let file = self.plans().join(name);
        if file.exists() {
            return Ok(());
        }
        let written = file.parent().map_or(Ok(()), std::fs::create_dir_all).and_then(|()| std::fs::write(&file, text));
        written.map_err(|e| denied(&file, "cannot be written", "无法写入", &e))
    }

    /// The engine's data directory.
    pub fn data(&self) -> PathBuf {
        self.dir.join("data")
    }

    /// The plan directory.
    pub fn plans(&self) -> PathBuf {
        self.dir.join("plans")
    }

    /// Bills of a made-up past, for the simulator.
    pub fn bills(&self) -> PathBuf {
        self.dir.join("past-bills.jsonl")
    }

    fn record(&self) -> PathBuf {
        self.dir.join("simulator.jsonl")
    }

    /// The record of the other system.
    pub fn other_record(&self) -> PathBuf {
        self.dir.join("other-system.jsonl")
    }

    /// A file of its own that nobody else reads.
    pub fn secret(&self, name: &str, text: &str) -> Result<PathBuf, Stop> {
        let file = self.dir.join(name);
        write_private(&file, text)?;
        Ok(file)
    }

    fn mark(&self, state: &str) -> Result<(), Stop> {
        std::fs::write(self.dir.join(MARKER), format!("{state}\n"))
            .map_err(|e| denied(&self.dir, "cannot be written", "无法写入", &e))
    }

    /// Says that the demo ended in order.
    pub fn ended(&self, open_runs: usize) -> Result<(), Stop> {
        self.mark(if open_runs == 0 { "ended" } else { "running" })
    }
}

/// What the host does not let a demo do in its directory, with the way out.
fn denied(at: &Path, en: &str, zh: &str, e: &std::io::Error) -> Stop {
    let at = at.display();
    Stop::system(Exit::Usage, format!("{at}: {en}"), format!("{at}：{zh}"), e).advising(
        "name another directory: `--data DIR`, or XDG_STATE_HOME (`skydeck self check` tells what this host lacks)",
        "请指定其他目录：`--data 目录`，或 XDG_STATE_HOME（本机缺少什么，见 `skydeck self check`）",
    )
}

/// The plan a demo is about, by its name.
///
/// # Errors
/// No plan of that name is shipped.
pub fn shipped(out: &Out, name: &str) -> Result<(&'static str, &'static str), Stop> {
    let all = || SHIPPED.iter().chain(EXAMPLES);
    let found = all().find(|(known, _)| *known == name).copied();
    found.ok_or_else(|| {
        let names: Vec<&str> = all().map(|(known, _)| *known).collect();
        let en = format!("--plan {name}: no such plan is shipped; there are {}", names.join(", "));
        let zh = format!("--plan {name}：没有此内置方案；可用：{}", names.join("、"));
        Stop::usage(out.t(&en, &zh))
    })
}

fn is_held(dir: &Path) -> bool {
    file::open(&dir.join("data/owner.lock")).is_ok_and(|file| file.try_lock().is_err())
}

/// The directory, or one beside it when another demo is using it.
fn free_directory(wish: PathBuf) -> PathBuf {
    if is_held(&wish) { wish.with_file_name(format!("skydeck-demo-{}", std::process::id())) } else { wish }
}

/// What the demo's bills are bound to.
const SIMULATOR: &str = "http://simulator.invalid/k3cloud/";

/// A demo that runs: simulator and engine.
pub struct Demo {
    /// The simulator.
    pub sim: sim::SimHandle,
    /// The other system, where the plan names one.
    pub other: Option<Other>,
    /// The engine.
    pub booted: Booted,
    /// Where it lives.
    pub place: DemoDir,
    /// The plan it is about.
    pub plan: PlanId,
}

impl Demo {
    /// Starts the simulator on a free loopback port and the engine against it.
    pub async fn start(
        args: &DemoArgs,
        place: DemoDir,
        causes: Arc<CauseTable>,
        lang: Language,
        note: impl Fn(&str) + Send + 'static,
    ) -> Result<Self, Stop> {
        let config = SimArgs {
            kind: sim::SimKind::Kingdee,
            port: 0,
            bills: args.bills,
            seed: args.seed,
            faults: args.faults.clone(),
            settings: None,
            auth: sim::AuthMode::Any,
            delay: args.delay,
            bind: std::net::Ipv4Addr::LOCALHOST.into(),
            record: Some(place.record()),
            hostile: args.hostile,
            gateway: false,
        };
        let mut config = config.config().map_err(not_started)?;
        if let Some((name, text)) = EXAMPLES.iter().find(|(name, _)| *name == args.plan) {
            place.give(name, text)?;
        }
        let (data, plans, bills) = (place.data(), place.plans(), place.bills());
        let house = Environment { production: args.production, ..account_set(&env_id(args)) };
        demo_past::write(Past::asked(args), (&data, &plans, &bills), &house, lang, &note).await?;
        config.world.adopted = demo_past::bills(&bills)?;
        let other = Other::start(args, place.other_record()).await?;
        let (bind, record) = (config.bind, config.record.clone());
        let started = sim::start(config).await;
        let sim = started.map_err(|e| not_started(sim::NotStarted::at(bind, record.as_deref(), &e)))?;
        let clock: Arc<dyn Clock> = Arc::new(SystemClock::default());
        let known = Arc::new(Known::default());
        let config = environment(args, &sim, &place)?;
        let mut envs = Vec::new();
        let secret = |text: &str| place.secret("other-system-secret", text);
        let other_one = other.as_ref().map(|other| other.environment(args, account_set, secret)).transpose()?;
        for config in [Some(config), other_one].into_iter().flatten() {
            let erp = boot::client(&config, &place.dir, &causes, &clock, &known, &Arc::default())?;
            envs.push((config.environment, erp));
        }
        let setup = Setup {
            database: None,
            data: place.data(),
            envs,
            plans: PlanFiles::new(place.plans(), Vec::new()),
            causes,
            clock,
            ahead: (Calendar::china().clone(), FALSE_ALARMS),
            schedules: true,
            access: crate::config::Rules::default(),
            alerts: None,
            metrics: crate::host::metrics::Metrics::default(),
            logging: Logging::new(LogConfig::default(), known),
            // A demo has nothing that would be missed.
            raise: Raise::Plain,
            lang,
        };
        let booted = Booted::start(setup, note).await?;
        hand_in(&booted, &args.plan, lang).await?;
        Ok(Self { sim, other, booted, place, plan: PlanId::new(args.plan.clone()) })
    }

    /// Ends engine and simulator in order.
    pub async fn end(self) -> Result<(), Stop> {
        let open = self.booted.open_runs().await?;
        self.booted.end(None).await?;
        self.sim.shutdown().await;
        if let Some(other) = self.other {
            other.sim.shutdown().await;
        }
        self.place.ended(open)
    }
}

/// Hands in the records that an example is about. The same ones again, after a demo that was cut off, are kept once.
async fn hand_in(booted: &Booted, plan: &str, lang: Language) -> Result<(), Stop> {
    let Some((_, text)) = boot::HANDED_IN.iter().find(|(name, _)| *name == plan) else { return Ok(()) };
    let records = crate::plan::record::read(text.as_bytes()).unwrap_or_default();
    let records = records.into_iter().map(|record| record.text).collect();
    let command = Command::Take { plan: PlanId::new(plan), records, first: 1 };
    let id = CommandId(Ulid::generate());
    let order = Order { id, by: boot::who(), session: None, headless: true, command };
    match booted.link.submit(order).await? {
        Receipt::Accepted { .. } => Ok(()),
        Receipt::Refused(refusal) => {
            let why = refusal.reason();
            Err(Stop::new(Exit::of_refusal(&refusal), lang.t(why.en(), why.zh())))
        }
    }
}

/// The environment of the simulated ERP, by the name that the plan gives it.
fn env_id(args: &DemoArgs) -> String {
    let usual = if args.production { "demo-prod" } else { "demo" };
    Sides::of(&args.plan).map_or_else(|| usual.to_owned(), |sides| sides.erp)
}

fn environment(args: &DemoArgs, sim: &sim::SimHandle, place: &DemoDir) -> Result<EnvironmentConfig, Stop> {
    let credentials = sim::demo_credentials();
    let secret = place.dir.join("secret");
    write_private(&secret, &credentials.app_secret)?;
    let url = sim.url();
    let id = env_id(args);
    let id = id.as_str();
    let (address, user) = (url.clone(), credentials.user);
    let production = args.production;
    Ok(EnvironmentConfig {
        environment: Environment {
            address,
            user,
            production,
            read_only: production,
            allow_operations: allowed(&args.plan),
            limits: limits(args),
            ..account_set(id)
        },
        url,
        sign_in: SignInKind::Signed,
        app_id: Some(credentials.app_id),
        secret: Some(SecretSource::File(secret)),
        connection: Connection::default(),
        http: None,
    })
}

/// The environment of the simulator's account set, before it is known where it answers.
pub fn account_set(id: &str) -> Environment {
    let account = sim::demo_credentials().account;
    Environment {
        id: EnvId::new(id),
        // The port is another one each time; the simulator goes on with the same bills.
        server: crate::erp::config::server(SIMULATOR, &account),
        address: String::new(),
        system: crate::domain::env::System::default(),
        account_set: account,
        user: String::new(),
        production: false,
        read_only: false,
        always_read_only: false,
        second_person: false,
        server_zone: "Asia/Shanghai".to_owned(),
        allow_operations: Vec::new(),
        limits: Limits::default(),
    }
}

fn write_private(path: &Path, text: &str) -> Result<(), Stop> {
    use std::io::Write;
    use std::os::unix::fs::OpenOptionsExt;
    let mut options = std::fs::OpenOptions::new();
    let file = options.write(true).create(true).truncate(true).mode(0o600).open(path);
    file.and_then(|mut file| file.write_all(text.as_bytes()))
        .map_err(|e| Stop::system(Exit::Usage, path.display(), path.display(), &e))
}
