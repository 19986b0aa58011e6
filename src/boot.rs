//! Composition root: the only file that sees all layers. Paths, clock, store, clients, plans → an engine behind a link.
//!
//! Invariant: nothing is created or changed outside the data directory, and nothing at all before the owner lock is held.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::Context;
use async_trait::async_trait;

use crate::cli::args::{Global, Language};
use crate::cli::exit::{Exit, Stop};
use crate::config::{Config, ConfigError, EnvironmentConfig, SignInKind};
use crate::domain::bill::Found;
use crate::domain::cause::{BUILT_IN, CauseTable};
use crate::domain::env::Environment;
use crate::domain::ids::{Fid, FormId, PlanId};
use crate::domain::plan::Plan;
use crate::domain::query::PlanProblem;
use crate::domain::step::{Evidence, Verdict};
use crate::domain::time::{Clock, Ts};
use crate::domain::who::Who;
use crate::engine::{Engine, Left, Parts, PlanSource};
use crate::erp::KingdeeErp;
use crate::erp::config::{ClientConfig, SignIn};
use crate::erp::{Erp, Fault, FaultKind, FoundPage, Greeting, PageQuery, WriteCall, WriteReply, WriteToken};
use crate::link::Link;
use crate::link::local::LocalLink;
use crate::link::remote::RemoteLink;
use crate::link::serve::Server;
use crate::secret;
use crate::store::local::{LocalStore, Progress};
use crate::store::{Store, StoreError};

/// Plans shipped inside the program, for the demo and as examples: (name, JSON).
pub const SHIPPED: &[(&str, &str)] = &[
    ("sal_outstock_audit", include_str!("../plans/sal_outstock_audit.json")),
    ("stk_instock_submit_audit", include_str!("../plans/stk_instock_submit_audit.json")),
];

/// Where things are.
#[derive(Clone, Debug)]
pub struct Paths {
    /// Configuration file; may not exist.
    pub config: PathBuf,
    /// Data directory.
    pub data: PathBuf,
}

impl Paths {
    /// From options, then XDG variables, then the home directory.
    pub fn find(global: &Global) -> Result<Self, Stop> {
        Ok(Self {
            config: match &global.config {
                Some(file) => file.clone(),
                None => base("XDG_CONFIG_HOME", ".config")?.join("skydeck/config.toml"),
            },
            data: match &global.data {
                Some(dir) => dir.clone(),
                None => base("XDG_STATE_HOME", ".local/state")?.join("skydeck"),
            },
        })
    }

    /// Directory the configuration's relative paths start from.
    pub fn config_dir(&self) -> PathBuf {
        self.config.parent().map_or_else(PathBuf::new, Path::to_path_buf)
    }
}

/// `$variable`, or `suffix` below the home directory.
pub fn base(variable: &str, suffix: &str) -> Result<PathBuf, Stop> {
    if let Some(dir) = std::env::var_os(variable).filter(|dir| !dir.is_empty()) {
        return Ok(PathBuf::from(dir));
    }
    let home = std::env::var_os("HOME").filter(|home| !home.is_empty());
    home.map(|home| PathBuf::from(home).join(suffix))
        .ok_or_else(|| Stop::usage(format!("neither {variable} nor HOME is set; give --config and --data")))
}

/// The machine's clock.
#[derive(Debug)]
pub struct SystemClock {
    start: Instant,
}

impl Default for SystemClock {
    fn default() -> Self {
        Self { start: Instant::now() }
    }
}

impl Clock for SystemClock {
    fn now(&self) -> Ts {
        Ts(chrono::Utc::now().timestamp_millis())
    }

    fn mono(&self) -> Duration {
        self.start.elapsed()
    }
}

/// Who runs this process.
pub fn who() -> Who {
    let login = ["LOGNAME", "USER"].iter().find_map(|v| std::env::var(v).ok()).filter(|l| !l.is_empty());
    let uid = rustix::process::getuid().as_raw();
    let from = std::env::var("SSH_CONNECTION").ok().and_then(|c| c.split(' ').next().map(str::to_owned));
    Who { uid, login: login.unwrap_or_else(|| uid.to_string()), from: from.filter(|f| !f.is_empty()) }
}

/// Reads the configuration; a missing file is an empty configuration only when it was not named.
pub fn config(paths: &Paths, named: bool) -> Result<Config, Stop> {
    match std::fs::read_to_string(&paths.config) {
        Ok(text) => Config::parse(&paths.config, &text).map_err(|e: ConfigError| Stop::usage(e.to_string())),
        Err(e) if e.kind() == std::io::ErrorKind::NotFound && !named => Ok(Config::default()),
        Err(e) => Err(Stop::usage(format!("{}: cannot be read: {e}", paths.config.display()))),
    }
}

/// The cause table with the operator's file on top.
pub fn causes(config: &Config, base: &Path) -> Result<CauseTable, Stop> {
    let built_in: CauseTable =
        toml::from_str(BUILT_IN).map_err(|e| Stop::usage(format!("built-in causes: {}", e.message())))?;
    let Some(file) = config.causes.as_ref().map(|file| base.join(file)) else { return Ok(built_in) };
    let text =
        std::fs::read_to_string(&file).map_err(|e| Stop::usage(format!("{}: cannot be read: {e}", file.display())))?;
    let theirs: CauseTable = toml::from_str(&text).map_err(|e| {
        let line = e.span().map_or(0, |span| text.bytes().take(span.start).filter(|b| *b == b'\n').count() + 1);
        Stop::usage(format!("{}:{line}: {}", file.display(), e.message()))
    })?;
    Ok(built_in.overridden_by(theirs))
}

/// Plans from a directory, and single files named on the command line.
pub struct PlanFiles {
    /// Directory of `*.json`.
    pub dir: PathBuf,
    /// Further files.
    pub extra: Vec<PathBuf>,
}

impl PlanFiles {
    fn files(&self) -> Vec<PathBuf> {
        let mut files: Vec<PathBuf> = std::fs::read_dir(&self.dir)
            .map(|entries| entries.filter_map(Result::ok).map(|e| e.path()).collect())
            .unwrap_or_default();
        files.retain(|path| path.extension().is_some_and(|e| e == "json"));
        files.sort();
        files.extend(self.extra.iter().cloned());
        files
    }
}

/// A plan's name: its file name without `.json`.
pub fn plan_id(path: &Path) -> PlanId {
    PlanId::new(path.file_stem().map(|stem| stem.to_string_lossy().into_owned()).unwrap_or_default())
}

/// Reads one plan file, with the hazards lint found.
pub fn read_plan(path: &Path) -> Result<(crate::plan::PlanFile, Vec<crate::plan::lint::Hazard>), PlanProblem> {
    let id = plan_id(path);
    let problem = |message: String| PlanProblem { id: id.clone(), message: format!("{}: {message}", path.display()) };
    let text = std::fs::read_to_string(path).map_err(|e| problem(format!("cannot be read: {e}")))?;
    let file = crate::plan::read(id.clone(), &text).map_err(|e| problem(e.to_string()))?;
    let hazards = crate::plan::lint(&file);
    Ok((file, hazards))
}

impl PlanSource for PlanFiles {
    fn load(&self) -> Vec<(Result<Plan, PlanProblem>, u32)> {
        let read = |path: PathBuf| match read_plan(&path) {
            Ok((file, hazards)) => (Ok(file.plan), u32::try_from(hazards.len()).unwrap_or(u32::MAX)),
            Err(problem) => (Err(problem), 0),
        };
        self.files().into_iter().map(read).collect()
    }
}

/// A client for one environment.
pub fn client(
    config: &EnvironmentConfig,
    base: &Path,
    causes: &Arc<CauseTable>,
    clock: &Arc<dyn Clock>,
) -> Result<Arc<dyn Erp>, Stop> {
    let env = config.environment.id.as_str();
    let secret = secret::fetch(env, &config.secret, base).map_err(|e| Stop::usage(e.to_string()))?;
    let app_id = config.app_id.clone().unwrap_or_default();
    let sign_in = match config.sign_in {
        SignInKind::Signed => SignIn::Signed { app_id, app_secret: secret },
        SignInKind::AppSecret => SignIn::AppSecret { app_id, app_secret: secret },
        SignInKind::Password => SignIn::Password { password: secret },
    };
    let mut client = ClientConfig::new(
        config.environment.id.clone(),
        &config.url,
        &config.environment.account_set,
        &config.environment.user,
        sign_in,
    );
    client.lcid = config.lcid;
    client.org = i64::from(config.org);
    client.timeout = config.environment.limits.call_timeout;
    client.connect_timeout = client.connect_timeout.min(client.timeout / 2);
    client.ca_file = config.ca_file.as_ref().map(|file| base.join(file));
    let erp = KingdeeErp::new(client, causes.clone(), clock.clone())
        .map_err(|e| Stop::usage(format!("environment {env}: {e}")))?;
    Ok(Arc::new(erp))
}

/// What an engine is booted with.
pub struct Setup {
    /// Data directory.
    pub data: PathBuf,
    /// Environments with their clients; the first is the default.
    pub envs: Vec<(Environment, Arc<dyn Erp>)>,
    /// Plans.
    pub plans: PlanFiles,
    /// Causes.
    pub causes: Arc<CauseTable>,
    /// Clock.
    pub clock: Arc<dyn Clock>,
}

/// The socket of a data directory's owner.
pub const SOCKET: &str = "owner.sock";

/// The engine of a data directory: in this process, or in the one that holds the directory.
pub struct Booted {
    /// How everybody talks to it.
    pub link: Arc<dyn Link>,
    own: Option<Own>,
}

/// What is to be ended in order when the engine lives here.
struct Own {
    engine: Engine,
    store: Arc<LocalStore>,
    /// Other consoles of this user; `None` where no socket can be made.
    server: Option<Server>,
}

impl Booted {
    /// Opens the store, recovers, starts the engine and serves other consoles; or attaches to the process that holds
    /// the directory already.
    pub async fn start(setup: Setup, progress: impl Fn(&str) + Send + 'static) -> Result<Self, Stop> {
        let (data, clock, by) = (setup.data.clone(), setup.clock.clone(), who().to_string());
        let socket = setup.data.join(SOCKET);
        let opened = tokio::task::spawn_blocking(move || LocalStore::open(&data, clock, &by, &|p| told(&p, &progress)));
        let store =
            opened.await.context("opening the store").map_err(|e| Stop::new(Exit::Refused, format!("{e:#}")))?;
        let store = match store {
            Err(held @ StoreError::Held { .. }) => return Self::attach(&socket, held).await,
            store => Arc::new(store.map_err(store_stop)?),
        };
        let parts = Parts {
            store: store.clone(),
            clock: setup.clock,
            causes: setup.causes,
            envs: setup.envs,
            plans: Arc::new(setup.plans),
        };
        let engine = Engine::start(parts).await.map_err(|e| Stop::new(Exit::Refused, e.to_string()))?;
        // A directory whose path is too long for a socket, or a file system without them: one console, as before.
        let server = Server::bind(&socket, engine.clone())
            .inspect_err(|error| tracing::warn!(%error, "no other console can attach"))
            .ok();
        Ok(Self { link: Arc::new(LocalLink::new(engine.clone())), own: Some(Own { engine, store, server }) })
    }

    /// A link to the process that holds the directory. `held` says which, where it does not answer.
    async fn attach(socket: &Path, held: StoreError) -> Result<Self, Stop> {
        let link = RemoteLink::new(socket, who(), None);
        let until = Instant::now() + Duration::from_secs(5);
        loop {
            match link.is_owned().await {
                Ok(true) => return Ok(Self { link: Arc::new(link), own: None }),
                // The owner may be starting (or recovering), and binds its socket last.
                Ok(false) if Instant::now() < until => tokio::time::sleep(Duration::from_millis(50)).await,
                Ok(false) => return Err(store_stop(held)),
                Err(error) => return Err(Stop::new(Exit::Refused, format!("{held}; {error}"))),
            }
        }
    }

    /// Whether the engine lives in another process.
    pub fn is_attached(&self) -> bool {
        self.own.is_none()
    }

    /// Takes no new bill, lets calls in flight end within the drain limit, closes the store.
    pub async fn end(self) -> Result<(), Stop> {
        let Some(Own { engine, store, server }) = self.own else { return Ok(()) };
        // Nobody new; those who are attached are told by the end of their connection.
        drop(server);
        let Left { in_flight, .. } = engine.shutdown().await;
        if in_flight > 0 {
            tracing::warn!(
                in_flight,
                "calls did not end within the drain limit; their bills are verified at the next start"
            );
        }
        tokio::task::spawn_blocking(move || store.close())
            .await
            .map_err(|e| Stop::new(Exit::Refused, e.to_string()))?
            .map_err(store_stop)
    }

    /// Runs that are not closed.
    pub fn open_runs(&self) -> Result<usize, Stop> {
        self.own.as_ref().map_or(Ok(0), |own| own.store.open_runs().map(|runs| runs.len()).map_err(store_stop))
    }
}

/// Says what opening does, where it is worth saying: a clean start is silent.
pub fn told(progress: &Progress, say: &impl Fn(&str)) {
    match progress {
        Progress::TornTail(torn) => say(&format!("the journal's end was torn by a crash and was cut: {torn:?}")),
        Progress::IndexDamaged { kept, why } => {
            say(&format!(
                "the index was damaged ({why}); it is kept at {} and rebuilt from the journal",
                kept.display()
            ));
        }
        Progress::Folding { done, of } if done == of || done % 10_000 == 0 => {
            say(&format!("rebuilding the index: {done} of {of} facts"))
        }
        Progress::NoBallast => say("no space could be set aside for a full disk: free some space"),
        Progress::Folding { .. } | Progress::OpeningIndex | Progress::ReadingJournal | Progress::Ready => {}
    }
}

/// A store that cannot be used, with its exit code.
#[expect(clippy::needless_pass_by_value, reason = "stands in map_err")]
pub fn store_stop(error: StoreError) -> Stop {
    let exit = match &error {
        StoreError::Directory(_) | StoreError::TooNew { .. } => Exit::Usage,
        _ => Exit::Refused,
    };
    Stop::new(exit, error.to_string())
}

/// The client of a verb that only reads the history: every call is refused, none leaves.
pub struct Offline(pub crate::domain::ids::EnvId);

impl Offline {
    fn fault(&self) -> Fault {
        Fault {
            kind: FaultKind::Config,
            message: format!("environment {} is not connected in this verb", self.0),
            retry_after: None,
            evidence: None,
        }
    }
}

#[async_trait]
impl Erp for Offline {
    async fn sign_in(&self) -> Result<Greeting, Fault> {
        Err(self.fault())
    }

    async fn fetch_page(&self, _: &PageQuery) -> Result<FoundPage, Fault> {
        Err(self.fault())
    }

    async fn read_bills(&self, _: &FormId, _: &str, _: &str, _: &[Fid]) -> Result<Vec<Found>, Fault> {
        Err(self.fault())
    }

    async fn write(&self, _: &WriteToken, call: &WriteCall) -> WriteReply {
        let not_sent = |(fid, _): &(Fid, String)| (fid.clone(), Verdict::NotSent(self.fault().message));
        WriteReply {
            verdicts: call.bills.iter().map(not_sent).collect(),
            evidence: Evidence::default(),
            took: Duration::ZERO,
            side: Vec::new(),
            alarm: None,
        }
    }

    fn session(&self) -> String {
        "not connected".to_owned()
    }
}

/// The machine's time zone by name; UTC where it has none.
pub fn zone() -> chrono_tz::Tz {
    iana_time_zone::get_timezone().ok().and_then(|name| name.parse().ok()).unwrap_or(chrono_tz::UTC)
}

/// Language of people's text: the option, the configuration, the locale.
pub fn language(option: Option<Language>, configured: Option<&str>) -> Language {
    let named = |name: &str| if name.to_lowercase().starts_with("zh") { Language::Zh } else { Language::En };
    option.unwrap_or_else(|| {
        let locale =
            ["LC_ALL", "LC_MESSAGES", "LANG"].iter().find_map(|v| std::env::var(v).ok().filter(|l| !l.is_empty()));
        configured.map(named).or_else(|| locale.as_deref().map(named)).unwrap_or(Language::En)
    })
}
