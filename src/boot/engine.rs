//! The engine of a data directory, in this process or behind the socket of the one that holds it.
//!
//! Invariant: nothing at all is changed before the owner lock is held; whoever holds it serves everybody else.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::watch;
use tokio::task::JoinHandle;

use super::database::{self, Closing, Database};
use super::log::Logging;
use super::opening::told;
use super::plan_files::PlanFiles;
use super::stops::store_stop;
use super::tellers::tellers;
use super::who::who;
use crate::config::Rules;
use crate::domain::action_log::LogWitness;
use crate::domain::cause::CauseTable;
use crate::domain::env::Environment;
use crate::domain::event::Event;
use crate::domain::ids::EnvId;
use crate::domain::language::Language;
use crate::domain::query::{Answer, Query};
use crate::domain::reason::Reason;
use crate::domain::server::Server as ErpServer;
use crate::domain::time::Clock;
use crate::engine::api::Link;
use crate::engine::ports::Erp;
use crate::engine::{Calendar, Engine, Left, Parts};
use crate::erp::config::is_in_clear;
use crate::exit::{Exit, Stop};
use crate::host::alerts::Alerts;
use crate::host::metrics::Metrics;
use crate::host::schedule;
use crate::link::local::LocalLink;
use crate::link::remote::RemoteLink;
use crate::link::serve::{ListenerSpec, Server};
use crate::store::actions::{ActionLog, FileLog, MemoryLog};
use crate::store::local::place::Place;
use crate::store::local::{LocalStore, Options, Outlook, Progress, Raise};
use crate::store::{Store, StoreError};

/// What an engine is booted with.
pub struct Setup {
    /// Data directory.
    pub data: PathBuf,
    /// The database that holds the facts, where it is not the data directory.
    pub database: Option<Database>,
    /// Environments with their clients; the first is the default.
    pub envs: Vec<(Environment, Arc<dyn Erp>)>,
    /// Plans.
    pub plans: PlanFiles,
    /// Causes.
    pub causes: Arc<CauseTable>,
    /// Clock.
    pub clock: Arc<dyn Clock>,
    /// The calendar of the office, and the false alarms that are borne a plan and 30 days.
    pub ahead: (Calendar, f64),
    /// Whether this process starts plans by their schedules: one that stays does, a verb does not.
    pub schedules: bool,
    /// Who beside the owner may attach.
    pub access: Rules,
    /// What this process writes down about itself.
    pub logging: Logging,
    /// Who is told when nobody watches; only a process that stays tells.
    pub alerts: Option<Alerts>,
    /// Where figures go; only a process that stays gives any.
    pub metrics: Metrics,
    /// What becomes of a data directory of an earlier version.
    pub raise: Raise,
    /// Language of what opening says.
    pub lang: Language,
}

/// How long the last alerts may take at the end.
const LAST_WORDS: Duration = Duration::from_secs(10);

/// The socket of a data directory's owner.
pub const SOCKET: &str = "owner.sock";

/// The engine of a data directory: in this process, or in the one that holds the directory.
pub struct Booted {
    /// How everybody talks to it.
    pub link: Arc<dyn Link>,
    /// How a console does.
    console: Arc<dyn Link>,
    own: Option<Own>,
}

/// What is closed at the end.
enum Keeps {
    /// A data directory.
    Directory(Arc<LocalStore>),
    /// A database, and the lock of the data directory.
    Database(Closing),
}

impl Keeps {
    fn close(self) -> Result<(), StoreError> {
        match self {
            Self::Directory(store) => store.close(),
            Self::Database(closing) => {
                closing.close();
                Ok(())
            }
        }
    }
}

/// A store that was opened.
struct Opened {
    store: Arc<dyn Store>,
    keeps: Keeps,
    /// How the directory was raised, if it was.
    raised: Option<Progress>,
    looks: Option<database::Looks>,
}

/// What is to be ended in order when the engine lives here.
struct Own {
    data: PathBuf,
    engine: Engine,
    store: Arc<dyn Store>,
    keeps: Keeps,
    actions: Option<Arc<FileLog>>,
    /// Another machine writes to the store: here is looked.
    looks: bool,
    /// Other consoles of this user; `None` where no socket can be made.
    server: Option<Server>,
    /// Starts plans by the clock.
    schedules: Option<JoinHandle<()>>,
    /// Tells people elsewhere.
    alerts: Option<JoinHandle<()>>,
    /// Gives figures.
    metrics: Option<JoinHandle<()>>,
    /// Makes both end.
    leaving: watch::Sender<bool>,
    /// Whether a plan has a schedule that is on.
    scheduled: watch::Receiver<bool>,
}

impl Booted {
    /// Opens the store, recovers, starts the engine and serves other consoles; or attaches to the process that holds
    /// the directory already.
    pub async fn start(setup: Setup, progress: impl Fn(&str) + Send + 'static) -> Result<Self, Stop> {
        let socket = setup.data.join(SOCKET);
        let Opened { store, keeps, raised, looks } = match open(&setup, progress).await? {
            Err(held @ StoreError::Held { .. }) => return Self::attach(&socket, held).await,
            Err(error) => return Err(store_stop(error)),
            Ok(opened) => opened,
        };
        // Only now: whoever does not hold the directory writes nothing into it.
        setup.logging.start(&setup.data);
        if let Some(Progress::Raised { from, to, backup }) = raised {
            tracing::info!(from, to, ?backup, "the data directory was raised to this program's version");
        }
        for (env, _) in setup.envs.iter().filter(|(env, _)| is_in_clear(&env.address)) {
            tracing::warn!(env = %env.id, "http:// to another machine: credentials and bills cross the network in clear");
        }
        let clock = Arc::clone(&setup.clock);
        let mut doors = vec![ListenerSpec::own(&socket)];
        doors.extend(setup.access.door.iter().map(|(path, gid)| ListenerSpec::of_group(path, *gid)));
        let only_looks = looks.is_some();
        let actions = if only_looks { None } else { Some(action_log(&setup.data, &clock, &*store, &keeps).await?) };
        let log = actions.as_ref().map(|actions| Arc::clone(actions) as Arc<dyn ActionLog>);
        let parts = Parts {
            store: Arc::clone(&store),
            clock: setup.clock,
            causes: setup.causes,
            envs: setup.envs,
            plans: Arc::new(setup.plans),
            access: Arc::new(setup.access),
            actions: log.unwrap_or_else(|| Arc::new(MemoryLog::new(Arc::clone(&clock)))),
            owner: who().uid,
        };
        let only_looks = looks.is_some();
        let engine = begin(parts, looks).await?;
        engine.look_ahead(setup.ahead.0, setup.ahead.1);
        // A directory whose path is too long for a socket, or a file system without them: one console, as before.
        let server = Server::bind(&doors, engine.clone())
            .inspect_err(|error| tracing::warn!(%error, "no other console can attach"))
            .ok();
        let link: Arc<dyn Link> = Arc::new(LocalLink::new(engine.clone()));
        let console: Arc<dyn Link> = Arc::new(LocalLink::of_console(engine.clone(), who()));
        let leaving = watch::Sender::new(false);
        // Who writes tells, and starts what is due.
        let alerts = setup.alerts.filter(|_| !only_looks).map(|alerts| {
            let alerts = Alerts { tellers: tellers(&store, alerts.times.quiet), ..alerts };
            tokio::spawn(alerts.run(Arc::clone(&link), Arc::clone(&clock), leaving.subscribe()))
        });
        let wanted = setup.metrics.is_wanted();
        let metrics = wanted.then(|| tokio::spawn(setup.metrics.run(Arc::clone(&link), leaving.subscribe())));
        let (any, scheduled) = watch::channel(false);
        let schedules = (setup.schedules && !only_looks)
            .then(|| tokio::spawn(schedule::run(Arc::clone(&link), clock, who().uid, any)));
        Ok(Self {
            link,
            console,
            own: Some(Own {
                data: setup.data,
                engine,
                store,
                keeps,
                actions,
                looks: only_looks,
                server,
                schedules,
                alerts,
                metrics,
                leaving,
                scheduled,
            }),
        })
    }

    /// A link to the process that holds the directory. `held` says which, where it does not answer.
    async fn attach(socket: &Path, held: StoreError) -> Result<Self, Stop> {
        let link = RemoteLink::new(socket, who(), None);
        let until = Instant::now() + Duration::from_secs(5);
        loop {
            match link.is_owned().await {
                Ok(true) => return Ok(Self::elsewhere(socket, link, None)),
                // The owner may be starting (or recovering), and binds its socket last.
                Ok(false) if Instant::now() < until => tokio::time::sleep(Duration::from_millis(50)).await,
                Ok(false) => return Err(silent(held)),
                Err(error) => {
                    let (en, zh) = (format!("{held}; {error}"), format!("{}；{}", held.zh(), error.zh()));
                    return Err(Stop::both(Exit::Refused, en, zh));
                }
            }
        }
    }

    /// A link to the owner behind a socket, wherever its data directory is. `owner`: the user who is expected there.
    pub async fn at(socket: &Path, owner: Option<u32>) -> Result<Self, Stop> {
        let link = RemoteLink::new(socket, who(), None).expecting(owner);
        match link.is_owned().await {
            Ok(true) => Ok(Self::elsewhere(socket, link, owner)),
            Ok(false) => Err(Stop::both(
                Exit::Refused,
                format!("no engine at {}", socket.display()),
                format!("{} 上没有引擎", socket.display()),
            )),
            Err(error) => Err(Stop::from(error)),
        }
    }

    fn elsewhere(socket: &Path, link: RemoteLink, owner: Option<u32>) -> Self {
        let console = RemoteLink::of_console(socket, who(), None).expecting(owner);
        Self { link: Arc::new(link), console: Arc::new(console), own: None }
    }

    /// The engine for a console: as long as it watches, somebody is there.
    pub fn console(&self) -> Arc<dyn Link> {
        Arc::clone(&self.console)
    }

    /// Whether the engine lives in another process.
    pub fn is_attached(&self) -> bool {
        self.own.is_none()
    }

    /// Whether another machine writes to the store, and this one only looks.
    pub fn only_looks(&self) -> bool {
        self.own.as_ref().is_some_and(|own| own.looks)
    }

    /// How many connections there are, as it changes; `None` where nobody can attach.
    pub fn clients(&self) -> Option<watch::Receiver<usize>> {
        self.own.as_ref()?.server.as_ref().map(Server::clients)
    }

    /// Whether a plan is started by the clock, as it changes; `None` where the engine lives elsewhere.
    pub fn scheduled(&self) -> Option<watch::Receiver<bool>> {
        self.own.as_ref().map(|own| own.scheduled.clone())
    }

    /// Takes no new bill, lets calls in flight end within the drain limit, closes the store. `by`: the signal
    /// that ends it, told to those who are attached so that they start no other; without it, the first of them does.
    pub async fn end(self, by: Option<String>) -> Result<(), Stop> {
        let Some(Own { data, engine, store, keeps, actions, server, schedules, alerts, metrics, leaving, .. }) =
            self.own
        else {
            return Ok(());
        };
        if let Some(schedules) = schedules {
            schedules.abort();
        }
        // Served while it drains: what becomes of the calls in flight is seen everywhere.
        let Left { in_flight, .. } = engine.shutdown().await;
        if in_flight > 0 {
            tracing::warn!(
                in_flight,
                "calls did not end within the drain limit; their bills are verified at the next start"
            );
        }
        leaving.send_replace(true);
        // Runs that were left in the middle are told before the process goes.
        for last in alerts.into_iter().chain(metrics) {
            let _ = tokio::time::timeout(LAST_WORDS, last).await;
        }
        if let (Some(server), Some(by)) = (&server, by) {
            // Whoever does not hear the word any more, because he is on his way in or his connection goes first, reads it.
            if let Err(error) = crate::link::ended::note(&data, &by) {
                tracing::warn!(%error, "that this engine was told to end is written down nowhere");
            }
            server.bye(by).await;
        }
        drop(server);
        if let Some(actions) = actions {
            match actions.close(&*store).await {
                Ok(None) => {}
                Ok(Some(last)) => witness(&*store, last).await,
                Err(error) => tracing::warn!(%error, "the action log could not be compared at the end"),
            }
        }
        drop(store);
        tokio::task::spawn_blocking(move || keeps.close())
            .await
            .map_err(|e| Stop::system(Exit::Refused, "closing the store", "关闭存储", &e))?
            .map_err(store_stop)
    }

    /// Runs that are not closed.
    pub async fn open_runs(&self) -> Result<usize, Stop> {
        let Some(own) = &self.own else { return Ok(0) };
        own.store.open_runs().await.map(|runs| runs.len()).map_err(store_stop)
    }
}

/// The action log's file of this machine, compared with the journal. Beside a database each machine has one, by a name of its own.
async fn action_log(
    data: &Path,
    clock: &Arc<dyn Clock>,
    store: &dyn Store,
    keeps: &Keeps,
) -> Result<Arc<FileLog>, Stop> {
    let name = match keeps {
        Keeps::Directory(_) => None,
        Keeps::Database(_) => Some(Place::new(data).name().map_err(store_stop)?),
    };
    let actions = FileLog::open_named(data, Arc::clone(clock), store, name).await.map_err(store_stop)?;
    let actions = Arc::new(actions);
    if let Some(adopted) = actions.adopted.clone() {
        witness(store, adopted).await;
    }
    Ok(actions)
}

/// The engine: at work, or looking at what another machine does.
async fn begin(parts: Parts, looks: Option<database::Looks>) -> Result<Engine, Stop> {
    let started = match looks {
        Some((far, why)) => Box::pin(Engine::look(parts, far, why)).await,
        None => Box::pin(Engine::start(parts)).await,
    };
    started.map_err(|e| Stop::both(Exit::Refused, e.to_string(), e.zh()))
}

/// Stores how far the action log reached. A store that takes nothing any more leaves it as a crash would.
async fn witness(store: &dyn Store, witness: LogWitness) {
    if let Err(error) = store.append(vec![Event::LogWitnessed(Box::new(witness))].into()).await {
        tracing::warn!(%error, "how far the action log reached could not be stored");
    }
}

/// What is known of the server an environment's records are on.
#[derive(Default)]
pub struct Home {
    /// The server, once that was said.
    pub home: Option<ErpServer>,
    /// Why nothing is written there, as a running engine says.
    pub held: Option<Reason>,
}

/// Where an environment's records are: from the engine behind a socket, or of the process that holds the data directory,
/// or from the directory itself. Where there is none yet, nothing was ever said.
pub async fn home_of(
    data: &Path,
    attach: Option<(&Path, Option<u32>)>,
    clock: Arc<dyn Clock>,
    env: &EnvId,
) -> Result<Home, Stop> {
    let booted = match attach {
        Some((socket, owner)) => Booted::at(socket, owner).await?,
        None if !data.join("version").exists() => return Ok(Home::default()),
        None => {
            let (dir, id, by) = (data.to_path_buf(), env.clone(), who().to_string());
            let read = move || {
                // One of an earlier version says nowhere where it was, and a look raises nothing.
                if Outlook::of(&dir, clock.now())?.is_some() {
                    return Ok(None);
                }
                let store = LocalStore::open_with(&dir, clock, &by, &|_| {}, Options::raising(Raise::Never))?;
                let bound = store.index().server_of(&id)?;
                store.close()?;
                Ok(bound)
            };
            let read = tokio::task::spawn_blocking(read).await;
            match read.map_err(|e| opening(&e))? {
                Err(held @ StoreError::Held { .. }) => Booted::attach(&data.join(SOCKET), held).await?,
                bound => {
                    let home = bound.map_err(store_stop)?.map(|bound| bound.server);
                    return Ok(Home { home, held: None });
                }
            }
        }
    };
    let rows = match booted.link.ask(Query::Environments).await? {
        Answer::Environments(rows) => rows,
        _ => Vec::new(),
    };
    let row = rows.into_iter().find(|row| row.env.id == *env);
    Ok(row.map(|row| Home { home: row.home, held: row.held }).unwrap_or_default())
}

/// Opens the store on a thread that may wait. Gives with it how the directory was raised, if it was.
async fn open(setup: &Setup, say: impl Fn(&str) + Send + 'static) -> Result<Result<Opened, StoreError>, Stop> {
    let (data, clock, by) = (setup.data.clone(), setup.clock.clone(), who().to_string());
    if let Some(database) = &setup.database {
        let opened = database.open(&data, clock, by).await?;
        return Ok(opened.map(|database::Opened { store, closing, looks }| Opened {
            store,
            keeps: Keeps::Database(closing),
            raised: None,
            looks,
        }));
    }
    let (raise, lang) = (setup.raise.clone(), setup.lang);
    let work = move || {
        let raised = Mutex::new(None);
        let progress = |progress: Progress| {
            told(&progress, lang, &say);
            if matches!(progress, Progress::Raised { .. }) {
                *raised.lock().unwrap_or_else(PoisonError::into_inner) = Some(progress);
            }
        };
        let store = LocalStore::open_with(&data, clock, &by, &progress, Options::raising(raise))?;
        let (store, raised) = (Arc::new(store), raised.into_inner().unwrap_or_else(PoisonError::into_inner));
        Ok(Opened { store: Arc::clone(&store) as Arc<dyn Store>, keeps: Keeps::Directory(store), raised, looks: None })
    };
    let opened = tokio::task::spawn_blocking(work).await;
    opened.map_err(|e| opening(&e))
}

/// The thread that opened the store ended before it had.
fn opening(why: &tokio::task::JoinError) -> Stop {
    Stop::system(Exit::Refused, "opening the store", "打开存储", why)
}

/// That whoever holds the directory answers nobody. It may be making its index anew, and binds its socket last.
fn silent(held: StoreError) -> Stop {
    let (en, zh) = (held.to_string(), held.zh());
    // A `doctor` says of itself that it ends.
    if !matches!(&held, StoreError::Held { who, .. } if who != "doctor") {
        return store_stop(held);
    }
    Stop {
        message: format!("{en}; it does not answer yet: where it is still opening its records, wait and ask again"),
        zh: Some(format!("{zh}；它尚未响应：若仍在打开记录（升级、重建索引），请稍候再试")),
        ..store_stop(held)
    }
}
