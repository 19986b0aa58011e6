//! Figures for a monitoring system: a page on loopback, a text file, and one word whether all is well.
//!
//! Invariants: it only reads; nobody but this machine is answered; while nothing changes nothing is written.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use http_body_util::Full;
use hyper::body::{Bytes, Incoming};
use hyper::service::service_fn;
use hyper::{Method, Request, Response, StatusCode};
use hyper_util::rt::{TokioIo, TokioTimer};
use prometheus_client::encoding::text::encode;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::Registry;
use tokio::net::TcpListener;
use tokio::sync::{Notify, Semaphore, watch};

pub use super::health::{Halted, Health, judge, log_faults, standing};
use super::missed;
use crate::domain::bill::Slot;
use crate::domain::event::Fact;
use crate::domain::forecast::Forecasts;
use crate::domain::ids::EnvId;
use crate::domain::live::{EnvPulse, Live};
use crate::domain::operation_words;
use crate::domain::query::{Answer, LedgerGroup, Query};
use crate::domain::reason::Reason;
use crate::domain::run::{RunEnd, RunHead, RunRow, RunState, StoppedRun};
use crate::domain::time::Ts;
use crate::domain::transition::{BillChange, Change, transition};
use crate::engine::api::{Link, Notice, Watch};

/// Connections at a time.
const CONNECTIONS: usize = 16;
/// How long a client may take for its request's head.
const PATIENCE: Duration = Duration::from_secs(5);
/// Shortest time between two writings of the text file.
const TEXTFILE: Duration = Duration::from_secs(15);

/// Where figures go.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Metrics {
    /// Address of the page; on loopback.
    pub listen: Option<SocketAddr>,
    /// File for a collector of text files (`.prom`).
    pub textfile: Option<PathBuf>,
}

type Labels = Vec<(&'static str, String)>;

/// The figures.
struct Book {
    registry: Registry,
    bills: Family<Labels, Counter>,
    runs: Family<Labels, Counter>,
    calls: Family<Labels, Histogram>,
    last_end: Family<Labels, Gauge>,
    open_runs: Family<Labels, Gauge>,
    stopped_runs: Family<Labels, Gauge>,
    in_flight: Family<Labels, Gauge>,
    unresolved: Family<Labels, Gauge>,
    per_minute: Family<Labels, Gauge>,
    breaker: Family<Labels, Gauge>,
    unlocked: Family<Labels, Gauge>,
    expected: Family<Labels, Gauge>,
    anomaly: Family<Labels, Gauge>,
    missed: Family<Labels, Gauge>,
}

impl Book {
    fn new() -> Self {
        let times: fn() -> Histogram =
            || Histogram::new([0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 120.0]);
        let mut book = Self {
            registry: Registry::default(),
            bills: Family::default(),
            runs: Family::default(),
            calls: Family::new_with_constructor(times),
            last_end: Family::default(),
            open_runs: Family::default(),
            stopped_runs: Family::default(),
            in_flight: Family::default(),
            unresolved: Family::default(),
            per_minute: Family::default(),
            breaker: Family::default(),
            unlocked: Family::default(),
            expected: Family::default(),
            anomaly: Family::default(),
            missed: Family::default(),
        };
        let version = Family::<Labels, Gauge>::default();
        version.get_or_create(&vec![("version", env!("CARGO_PKG_VERSION").to_owned())]).set(1);
        let r = &mut book.registry;
        r.register("skydeck_build", "The program's version", version);
        r.register("skydeck_bills", "Bills that got an outcome since the engine started", book.bills.clone());
        r.register("skydeck_runs", "Runs that ended since the engine started", book.runs.clone());
        r.register("skydeck_call_seconds", "Time of a writing call, from intent to answer", book.calls.clone());
        r.register(
            "skydeck_last_run_end_seconds",
            "When a run of the plan last ended, Unix time",
            book.last_end.clone(),
        );
        r.register("skydeck_open_runs", "Runs that are not closed, by state", book.open_runs.clone());
        r.register(
            "skydeck_stopped_runs",
            "1 for a plan whose latest run ended by itself or could not read its bills, until a later one goes through",
            book.stopped_runs.clone(),
        );
        r.register("skydeck_calls_in_flight", "Writing calls in flight", book.in_flight.clone());
        r.register("skydeck_unresolved_bills", "The ledger, by outcome and cause", book.unresolved.clone());
        r.register("skydeck_allowed_calls_per_minute", "Pace after back-pressure", book.per_minute.clone());
        r.register("skydeck_breaker_open", "1 while the environment's breaker is open", book.breaker.clone());
        r.register("skydeck_write_unlocked", "1 while a read-only environment is unlocked", book.unlocked.clone());
        r.register(
            "skydeck_expected_found",
            "What the plan's next run usually finds: bound, mean",
            book.expected.clone(),
        );
        r.register("skydeck_anomaly", "1 while this stands out of the plan from what is usual", book.anomaly.clone());
        r.register("skydeck_missed_runs", "How often the plan was due and did not run since", book.missed.clone());
        book
    }

    /// Counts a fact; `live` is the state before it.
    fn fact(&self, live: &Live, fact: &Fact) {
        let Some(run) = fact.event.run().and_then(|id| live.runs.get(&id)) else { return };
        let head = &run.row.head;
        match transition(&fact.event) {
            Change::Bill { change: BillChange::Settled { outcome, .. }, .. } => self.settled(head, outcome.slot(), 1),
            Change::Bill { change: BillChange::Answered { step, ms, .. }, .. } => {
                let labels = vec![("env", head.env.to_string()), ("step", step.word().to_owned())];
                self.calls.get_or_create(&labels).observe(f64::from(ms) / 1000.0);
            }
            Change::Run { to: RunState::Closed(end), .. } => self.closed(head, &end, fact.at),
            _ => {}
        }
    }

    fn settled(&self, head: &RunHead, slot: Slot, n: u64) {
        let outcome = operation_words::code(&head.op, slot);
        let mut labels =
            vec![("env", head.env.to_string()), ("plan", head.plan.to_string()), ("outcome", outcome.to_owned())];
        // The series of Audit keep the labels they have.
        if !head.op.is_audit() {
            labels.push(("operation", operation_words::name(&head.op).to_owned()));
        }
        self.bills.get_or_create(&labels).inc_by(n);
    }

    fn closed(&self, head: &RunHead, end: &RunEnd, at: Ts) {
        let (env, plan) = (("env", head.env.to_string()), ("plan", head.plan.to_string()));
        self.runs.get_or_create(&vec![env.clone(), plan.clone(), ("end", end.word().to_owned())]).inc();
        self.last_end.get_or_create(&vec![env, plan]).set(at.0 / 1000);
    }

    /// Counts what happened between two states whose facts were not told; `ended`: runs that are no longer in the later one.
    /// How long calls took cannot be had any more.
    fn catch_up(&self, before: &Live, now: &Live, ended: &[RunRow]) {
        for row in now.runs.values().map(|run| &run.row).chain(ended) {
            let was = before.runs.get(&row.head.id).map(|run| &run.row);
            let slots = Slot::ALL.into_iter().filter(|slot| *slot != Slot::Waiting);
            for slot in slots.filter(|_| !row.is_untold()) {
                let n = row.tally.get(slot).saturating_sub(was.map_or(0, |row| row.tally.get(slot)));
                if n > 0 {
                    self.settled(&row.head, slot, n);
                }
            }
            if let (RunState::Closed(end), false) = (&row.state, was.is_some_and(|row| row.state.is_closed())) {
                self.closed(&row.head, end, row.closed.unwrap_or_default());
            }
        }
    }

    /// The page, with what stands now.
    fn page(
        &self,
        now: &Now,
        ended: &[StoppedRun],
        groups: &[LedgerGroup],
        ahead: &Forecasts,
    ) -> Result<String, std::fmt::Error> {
        for family in [
            &self.open_runs,
            &self.stopped_runs,
            &self.in_flight,
            &self.unresolved,
            &self.per_minute,
            &self.breaker,
            &self.unlocked,
            &self.expected,
            &self.anomaly,
            &self.missed,
        ] {
            family.clear();
        }
        self.ahead(ahead);
        for run in now.live.open() {
            let env = ("env", run.row.head.env.to_string());
            self.open_runs.get_or_create(&vec![env.clone(), ("state", state(&run.row.state).to_owned())]).inc();
            self.in_flight.get_or_create(&vec![env]).inc_by(i64::try_from(run.in_flight.len()).unwrap_or(i64::MAX));
        }
        for StoppedRun { row, .. } in ended {
            let head = &row.head;
            let why = if let RunState::Closed(end) = &row.state { end.reason().map(Reason::code) } else { None };
            let labels = vec![("env", head.env.to_string()), ("plan", head.plan.to_string())];
            let labels = labels.into_iter().chain(why.map(|why| ("reason", why))).collect();
            self.stopped_runs.get_or_create(&labels).set(1);
        }
        for group in groups {
            let labels = vec![("outcome", group.slot.word().to_owned()), ("cause", group.group.clone())];
            self.unresolved.get_or_create(&labels).set(i64::try_from(group.count).unwrap_or(i64::MAX));
        }
        for env in &now.envs {
            let labels = vec![("env", env.env.to_string())];
            self.per_minute.get_or_create(&labels).set(i64::from(env.per_minute));
            self.breaker.get_or_create(&labels).set(i64::from(env.breaker.is_some()));
            self.unlocked.get_or_create(&labels).set(i64::from(env.unlocked_until.is_some()));
        }
        let mut text = String::new();
        encode(&mut text, &self.registry)?;
        Ok(text)
    }

    /// What is usual, and what stands out from it.
    fn ahead(&self, ahead: &Forecasts) {
        for said in &ahead.plans {
            let plan = || ("plan", said.plan.to_string());
            if let Some((_, usual)) = &said.next {
                for (bound, bills) in [("low", usual.low), ("mean", usual.mean), ("high", usual.high)] {
                    let labels = vec![plan(), ("bound", bound.to_owned())];
                    self.expected.get_or_create(&labels).set(i64::try_from(bills).unwrap_or(i64::MAX));
                }
            }
            for found in &said.found {
                let labels = vec![plan(), ("kind", found.finding.what().word().to_owned())];
                self.anomaly.get_or_create(&labels).set(1);
            }
            if let Some(missed) = said.missed {
                self.missed.get_or_create(&vec![plan()]).set(i64::from(missed.times));
            }
        }
    }
}

fn state(state: &RunState) -> &'static str {
    match state {
        RunState::Collecting => "collecting",
        RunState::AwaitingApproval => "awaiting_approval",
        RunState::Working => "working",
        RunState::Settling => "settling",
        RunState::Paused(_) => "paused",
        RunState::Interrupted => "interrupted",
        RunState::Closed(_) => "closed",
    }
}

/// What stands now, as far as facts and pulses told.
#[derive(Default)]
struct Now {
    live: Live,
    envs: Vec<EnvPulse>,
}

/// Everything together.
struct Desk {
    book: Mutex<Book>,
    now: Mutex<Now>,
    link: Arc<dyn Link>,
    changed: Notify,
}

impl Desk {
    async fn page(&self) -> Result<String, String> {
        let (ended, groups) = standing(&*self.link).await.map_err(|e| e.to_string())?;
        let ahead = match self.link.ask(Query::Forecast(None)).await.map_err(|e| e.to_string())? {
            Answer::Forecast(ahead) => *ahead,
            _ => Forecasts::default(),
        };
        let now = self.now.lock().unwrap_or_else(PoisonError::into_inner);
        let book = self.book.lock().unwrap_or_else(PoisonError::into_inner);
        book.page(&now, &ended, &groups, &ahead).map_err(|e| e.to_string())
    }

    async fn health(&self) -> Result<Health, String> {
        let (ended, groups) = standing(&*self.link).await.map_err(|e| e.to_string())?;
        let log = log_faults(&*self.link).await.map_err(|e| e.to_string())?;
        let now = self.now.lock().unwrap_or_else(PoisonError::into_inner);
        let breakers: Vec<EnvId> =
            now.envs.iter().filter(|env| env.breaker.is_some()).map(|env| env.env.clone()).collect();
        Ok(judge(&now.live, &ended, &breakers, &groups, log))
    }

    async fn answer(&self, request: Request<Incoming>) -> Response<Full<Bytes>> {
        let reply = |status: StatusCode, kind: &'static str, body: String| {
            let mut response = Response::new(Full::new(Bytes::from(body)));
            *response.status_mut() = status;
            response.headers_mut().insert(hyper::header::CONTENT_TYPE, hyper::header::HeaderValue::from_static(kind));
            response
        };
        let plain = "text/plain; charset=utf-8";
        if request.method() != Method::GET {
            return reply(StatusCode::METHOD_NOT_ALLOWED, plain, "GET only\n".to_owned());
        }
        match request.uri().path() {
            "/metrics" => match self.page().await {
                Ok(page) => reply(StatusCode::OK, "application/openmetrics-text; version=1.0.0; charset=utf-8", page),
                Err(why) => reply(StatusCode::SERVICE_UNAVAILABLE, plain, why),
            },
            "/health" => match self.health().await {
                Ok(health) => {
                    let status = if health.ok { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
                    reply(status, "application/json", serde_json::to_string(&health).unwrap_or_default())
                }
                Err(why) => reply(StatusCode::SERVICE_UNAVAILABLE, plain, why),
            },
            _ => reply(StatusCode::NOT_FOUND, plain, "there are /metrics and /health\n".to_owned()),
        }
    }
}

impl Metrics {
    /// Whether there is anything to do.
    pub fn is_wanted(&self) -> bool {
        self.listen.is_some() || self.textfile.is_some()
    }

    /// Reads until the link ends or `end` says so.
    pub async fn run(self, link: Arc<dyn Link>, mut end: watch::Receiver<bool>) {
        let Ok(Watch { live, mut notices }) = link.watch().await else { return };
        let desk = Arc::new(Desk {
            book: Mutex::new(Book::new()),
            now: Mutex::new(Now { live, envs: Vec::new() }),
            link,
            changed: Notify::new(),
        });
        let mut tasks = tokio::task::JoinSet::new();
        if let Some(listen) = self.listen {
            match TcpListener::bind(listen).await {
                Ok(listener) => {
                    tasks.spawn(serve(listener, Arc::clone(&desk)));
                }
                Err(error) => tracing::error!(%listen, %error, "metrics cannot be served"),
            }
        }
        if let Some(path) = self.textfile {
            tasks.spawn(textfile(path, Arc::clone(&desk)));
        }
        loop {
            let notice = tokio::select! {
                _ = end.wait_for(|end| *end) => return,
                notice = notices.recv() => notice,
            };
            let Some(notice) = notice else { return };
            let ended = match &notice {
                Notice::Resync(live) => {
                    let before = desk.now.lock().unwrap_or_else(PoisonError::into_inner).live.clone();
                    missed::ended(&*desk.link, &before, live).await
                }
                Notice::Facts(_) | Notice::Pulse(_) | Notice::PlansReloaded | Notice::Unusual => Vec::new(),
            };
            let mut now = desk.now.lock().unwrap_or_else(PoisonError::into_inner);
            match notice {
                Notice::Facts(facts) => {
                    let book = desk.book.lock().unwrap_or_else(PoisonError::into_inner);
                    for fact in facts.iter() {
                        book.fact(&now.live, fact);
                        now.live.apply(fact);
                    }
                }
                Notice::Pulse(pulse) => now.envs = pulse.envs,
                Notice::Resync(live) => {
                    let book = desk.book.lock().unwrap_or_else(PoisonError::into_inner);
                    book.catch_up(&now.live, &live, &ended);
                    now.live = *live;
                }
                Notice::Unusual => {}
                Notice::PlansReloaded => continue,
            }
            drop(now);
            desk.changed.notify_one();
        }
    }
}

async fn serve(listener: TcpListener, desk: Arc<Desk>) {
    let places = Arc::new(Semaphore::new(CONNECTIONS));
    loop {
        let Ok(place) = Arc::clone(&places).acquire_owned().await else { return };
        let Ok((stream, from)) = listener.accept().await else {
            tokio::time::sleep(Duration::from_millis(100)).await;
            continue;
        };
        if !from.ip().is_loopback() {
            continue;
        }
        let desk = Arc::clone(&desk);
        tokio::spawn(async move {
            let service = service_fn(move |request| {
                let desk = Arc::clone(&desk);
                async move { Ok::<_, std::convert::Infallible>(desk.answer(request).await) }
            });
            let mut http = hyper::server::conn::http1::Builder::new();
            http.timer(TokioTimer::new()).header_read_timeout(PATIENCE).keep_alive(false);
            let _ = http.serve_connection(TokioIo::new(stream), service).await;
            drop(place);
        });
    }
}

async fn textfile(path: PathBuf, desk: Arc<Desk>) {
    let mut last = String::new();
    loop {
        match desk.page().await {
            Ok(page) if page != last => {
                if let Err(error) = write(&path, &page) {
                    tracing::error!(path = %path.display(), %error, "metrics cannot be written");
                }
                last = page;
            }
            Ok(_) => {}
            Err(why) => tracing::error!(%why, "metrics cannot be read"),
        }
        desk.changed.notified().await;
        tokio::time::sleep(TEXTFILE).await;
    }
}

/// A collector never sees half a file.
fn write(path: &Path, page: &str) -> std::io::Result<()> {
    let new = path.with_extension("new");
    std::fs::write(&new, page)?;
    std::fs::rename(&new, path)
}
