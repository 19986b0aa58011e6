//! The HTTP/1.1 server around a simulated system: carries requests in, answers out, and does to the wire what an answer asks for.
//!
//! Invariant: nothing is awaited while the world is locked; a parked call is executed even when its client is gone.

mod stream;

use std::io::{self, Read as _, Write as _};
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use bytes::Bytes;
use flate2::Compression;
use flate2::read::GzDecoder;
use flate2::write::GzEncoder;
use http_body_util::combinators::BoxBody;
use http_body_util::{BodyExt as _, Full, Limited, StreamBody};
use hyper::body::{Frame, Incoming};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{HeaderMap, Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Semaphore, watch};
use tokio::task::{JoinHandle, JoinSet};

use self::stream::{Raw, Wire, WireStream};
use super::backend::Backend;
use super::config::WorldConfig;
use super::reply::{Reply, RequestParts, Transport};
use super::restore;
use super::world::World;

/// Connections open at the same time; more wait to be accepted.
const MAX_CONNECTIONS: usize = 1024;
/// A request body above this is refused with 413.
const MAX_BODY: usize = 64 << 20;
/// Bodies below this are not worth packing.
const GZIP_ABOVE: usize = 1_400;

/// Where to listen and what to serve.
#[derive(Clone, Debug)]
pub struct SimConfig<C = WorldConfig> {
    /// Address; port 0 takes a free one.
    pub bind: SocketAddr,
    /// What the simulated system is made from.
    pub world: C,
    /// Appends every line of the record to this file, as JSON lines.
    pub record: Option<PathBuf>,
}

impl Default for SimConfig {
    fn default() -> Self {
        Self { bind: SocketAddr::from(([127, 0, 0, 1], 0)), world: WorldConfig::default(), record: None }
    }
}

/// A running simulator. Dropping it stops it.
#[derive(Debug)]
pub struct SimHandle<W = World> {
    addr: SocketAddr,
    shared: Arc<Shared<W>>,
    stop: watch::Sender<bool>,
    task: Option<JoinHandle<()>>,
}

impl<W: Backend> SimHandle<W> {
    /// Where it listens.
    pub fn addr(&self) -> SocketAddr {
        self.addr
    }

    /// The address for a client: `http://127.0.0.1:<port>/k3cloud/`.
    pub fn url(&self) -> String {
        format!("http://{}/{}", self.addr, W::HOME)
    }

    /// Counts, as `/admin/stats` gives them.
    pub fn stats(&self) -> W::Stats {
        self.shared.lock().counts()
    }

    /// Looks at or changes the world directly. The closure must be quick: every call waits for it.
    pub fn with_world<T>(&self, act: impl FnOnce(&mut W) -> T) -> T {
        act(&mut self.shared.lock())
    }

    /// Answers a request as if it had come over a connection, without one; a late answer is not waited for.
    pub fn ask(&self, request: RequestParts) -> Reply {
        self.shared.core(|world, now_ms| world.answer(request, now_ms))
    }

    /// Stops accepting, drops all connections and waits for the server's end.
    pub async fn shutdown(mut self) {
        let _ = self.stop.send(true);
        if let Some(task) = self.task.take() {
            let _ = task.await;
        }
    }
}

#[derive(Debug)]
struct Shared<W> {
    world: Mutex<W>,
    record: Option<Mutex<RecordFile>>,
}

#[derive(Debug)]
struct RecordFile {
    file: std::fs::File,
    written: u64,
}

impl<W: Backend> Shared<W> {
    fn lock(&self) -> MutexGuard<'_, W> {
        self.world.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Runs the core and then brings the record file up to date. Lock order: file, then world.
    fn core(&self, act: impl FnOnce(&mut W, i64) -> Reply) -> Reply {
        let reply = act(&mut self.lock(), now_ms());
        if let Some(record) = &self.record {
            let mut record = record.lock().unwrap_or_else(PoisonError::into_inner);
            let lines = self.lock().lines_after(record.written);
            let lines: Vec<String> = lines.iter().map(|line| format!("{line}\n")).collect();
            if record.file.write_all(lines.concat().as_bytes()).is_ok() {
                record.written += lines.len() as u64;
            }
        }
        reply
    }
}

fn now_ms() -> i64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |d| i64::try_from(d.as_millis()).unwrap_or(i64::MAX))
}

/// Starts a Kingdee simulator on the current tokio runtime.
///
/// # Errors
/// The address cannot be bound, or the record file cannot be opened.
pub async fn start(config: SimConfig) -> io::Result<SimHandle> {
    start_as(config).await
}

/// The same for any simulated system.
///
/// # Errors
/// The address cannot be bound, or the record file cannot be opened.
pub async fn start_as<W: Backend>(config: SimConfig<W::Config>) -> io::Result<SimHandle<W>> {
    let listener = TcpListener::bind(config.bind).await?;
    let addr = listener.local_addr()?;
    let (world, record) = world::<W>(&config).map_err(|e| io::Error::new(e.kind(), OfRecord(e)))?;
    let shared = Arc::new(Shared { world: Mutex::new(world), record: record.map(Mutex::new) });
    let (stop, stopped) = watch::channel(false);
    let task = tokio::spawn(accept(listener, Arc::clone(&shared), stopped));
    Ok(SimHandle { addr, shared, stop, task: Some(task) })
}

/// What went wrong was the record file, not the address.
#[derive(Debug)]
pub(crate) struct OfRecord(pub io::Error);

impl std::fmt::Display for OfRecord {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "the record file: {}", self.0)
    }
}

impl std::error::Error for OfRecord {}

/// A new world, or the one its record file tells of; the file then goes on.
fn world<W: Backend>(config: &SimConfig<W::Config>) -> io::Result<(W, Option<RecordFile>)> {
    let Some(path) = &config.record else { return Ok((W::begin(&config.world, now_ms()), None)) };
    let told = match std::fs::File::open(path) {
        Ok(file) => restore::from(file, &config.world)?,
        Err(e) if e.kind() == io::ErrorKind::NotFound => None,
        Err(e) => return Err(e),
    };
    let restored = told.unwrap_or_else(|| {
        let began_ms = now_ms();
        restore::Restored { world: W::begin(&config.world, began_ms), began_ms }
    });
    let mut text = restore::header::<W>(&config.world, restored.began_ms);
    text.extend(restored.world.lines_after(0).iter().map(|line| format!("{line}\n")));
    // Written beside and renamed: a kill in between leaves the old file, and no cut line stays in the middle.
    let part = path.with_extension("part");
    std::fs::write(&part, text)?;
    std::fs::rename(&part, path)?;
    let file = std::fs::OpenOptions::new().append(true).open(path)?;
    let written = restored.world.recorded();
    Ok((restored.world, Some(RecordFile { file, written })))
}

async fn accept<W: Backend>(listener: TcpListener, shared: Arc<Shared<W>>, mut stopped: watch::Receiver<bool>) {
    let slots = Arc::new(Semaphore::new(MAX_CONNECTIONS));
    let mut connections = JoinSet::new();
    loop {
        let slot = Arc::clone(&slots).acquire_owned();
        let accepted = tokio::select! {
            // Either told to stop, or the handle was dropped.
            _ = stopped.changed() => return,
            Some(_) = connections.join_next() => continue,
            accepted = async { (slot.await, listener.accept().await) } => accepted,
        };
        if let (Ok(slot), Ok((socket, peer))) = accepted {
            let shared = Arc::clone(&shared);
            connections.spawn(async move {
                serve(socket, peer, shared).await;
                drop(slot);
            });
        }
    }
}

async fn serve<W: Backend>(socket: TcpStream, peer: SocketAddr, shared: Arc<Shared<W>>) {
    let _ = socket.set_nodelay(true);
    let wire = Wire::default();
    let stream = WireStream::new(socket, wire.clone());
    let service = service_fn(move |request| {
        let (shared, wire) = (Arc::clone(&shared), wire.clone());
        async move { answer(request, peer, shared, wire).await }
    });
    // An error here is the client's hang-up or a fault of ours: nobody is left to tell.
    let _ = http1::Builder::new().serve_connection(TokioIo::new(stream), service).await;
}

type Body = BoxBody<Bytes, io::Error>;

async fn answer<W: Backend>(
    request: Request<Incoming>,
    peer: SocketAddr,
    shared: Arc<Shared<W>>,
    wire: Wire,
) -> io::Result<Response<Body>> {
    let path = request.uri().path_and_query().map_or_else(|| "/".to_owned(), ToString::to_string);
    if path.starts_with("/admin") && !peer.ip().is_loopback() {
        return Ok(plain(StatusCode::FORBIDDEN, "/admin answers on this machine only"));
    }
    let packs = accepts_gzip(request.headers());
    let (head, body) = request.into_parts();
    let Ok(body) = Limited::new(body, MAX_BODY).collect().await else {
        return Ok(plain(StatusCode::PAYLOAD_TOO_LARGE, "request body too large or cut off"));
    };
    let Some(body) = unpacked(&head.headers, body.to_bytes()) else {
        return Ok(plain(StatusCode::BAD_REQUEST, "request body is no gzip"));
    };
    let headers = head
        .headers
        .iter()
        .map(|(name, value)| (name.to_string(), String::from_utf8_lossy(value.as_bytes()).into_owned()))
        .collect();
    let parts = RequestParts { method: head.method.to_string(), path, headers, body };
    let mut reply = shared.core(|world, now_ms| world.answer(parts, now_ms));
    if matches!(reply.transport, Transport::Parked { .. }) {
        // On its own task: hyper drops this future when the client hangs up, and the server goes on all the same.
        reply = tokio::spawn(wait_parked(reply, shared)).await.map_err(io::Error::other)?;
    }
    if reply.wait_ms > 0 {
        tokio::time::sleep(Duration::from_millis(reply.wait_ms)).await;
    }
    deliver(reply, packs, &wire)
}

async fn wait_parked<W: Backend>(mut reply: Reply, shared: Arc<Shared<W>>) -> Reply {
    while let Transport::Parked { ticket, due_ms } = reply.transport {
        let left = u64::try_from(due_ms - now_ms()).unwrap_or(0);
        tokio::time::sleep(Duration::from_millis(left)).await;
        reply = shared.core(|world, now_ms| world.answer_parked(ticket, now_ms));
    }
    reply
}

fn deliver(mut reply: Reply, packs: bool, wire: &Wire) -> io::Result<Response<Body>> {
    match reply.transport {
        Transport::Whole | Transport::Parked { .. } => {
            if packs && reply.body.len() > GZIP_ABOVE && reply.header("content-encoding").is_none() {
                reply.body = packed(&reply.body);
                reply.headers.push(("Content-Encoding".to_owned(), "gzip".to_owned()));
            }
            let body = Full::new(reply.body.clone()).map_err(|never| match never {}).boxed();
            Ok(response(&reply, body))
        }
        Transport::Slow { bytes, every_ms } => {
            let body = drops(reply.body.clone(), bytes, Duration::from_millis(every_ms));
            let length = reply.body.len().to_string();
            Ok(response(&reply.with("Content-Length", length), body))
        }
        Transport::Reset => {
            wire.set(Raw::Reset);
            Err(io::Error::from(io::ErrorKind::ConnectionReset))
        }
        Transport::Truncated(at) => {
            let mut bytes = head(&reply, true);
            bytes.extend_from_slice(reply.body.get(..at).unwrap_or(&reply.body));
            wire.set(Raw::Bytes { bytes, close: true });
            Ok(plain(StatusCode::OK, ""))
        }
        Transport::NoLength => {
            let mut bytes = head(&reply, false);
            bytes.extend_from_slice(&reply.body);
            wire.set(Raw::Bytes { bytes, close: true });
            Ok(plain(StatusCode::OK, ""))
        }
        Transport::Twice => {
            let mut bytes = head(&reply, true);
            bytes.extend_from_slice(&reply.body);
            wire.set(Raw::Bytes { bytes: bytes.repeat(2), close: false });
            Ok(plain(StatusCode::OK, ""))
        }
    }
}

/// The head of an answer written by hand, for answers that no HTTP library would send.
fn head(reply: &Reply, with_length: bool) -> Vec<u8> {
    let mut lines = vec![format!("HTTP/1.1 {} OK", reply.status)];
    lines.extend(reply.headers.iter().map(|(name, value)| format!("{name}: {value}")));
    lines.push(if with_length {
        format!("Content-Length: {}", reply.body.len())
    } else {
        "Connection: close".to_owned()
    });
    lines.push("\r\n".to_owned());
    lines.join("\r\n").into_bytes()
}

fn response(reply: &Reply, body: Body) -> Response<Body> {
    let mut response = Response::builder().status(reply.status);
    for (name, value) in &reply.headers {
        response = response.header(name.as_str(), value.as_str());
    }
    // The core makes only valid statuses and headers; a fault rule may ask for an impossible status.
    response.body(body).unwrap_or_else(|_| plain(StatusCode::INTERNAL_SERVER_ERROR, "impossible status"))
}

fn plain(status: StatusCode, text: &'static str) -> Response<Body> {
    let mut response = Response::new(Full::new(Bytes::from(text)).map_err(|never| match never {}).boxed());
    *response.status_mut() = status;
    response
}

fn drops(body: Bytes, bytes: usize, every: Duration) -> Body {
    let stream = futures_util::stream::unfold(body, move |mut left| async move {
        if left.is_empty() {
            return None;
        }
        tokio::time::sleep(every).await;
        let piece = left.split_to(bytes.min(left.len()));
        Some((Ok(Frame::data(piece)), left))
    });
    StreamBody::new(stream).boxed()
}

fn accepts_gzip(headers: &HeaderMap) -> bool {
    headers
        .get("accept-encoding")
        .and_then(|v| v.to_str().ok())
        .is_some_and(|v| v.to_ascii_lowercase().contains("gzip"))
}

fn packed(body: &[u8]) -> Bytes {
    let mut gzip = GzEncoder::new(Vec::with_capacity(body.len() / 4), Compression::fast());
    // Writing to memory does not fail.
    let _ = gzip.write_all(body);
    gzip.finish().unwrap_or_default().into()
}

fn unpacked(headers: &HeaderMap, body: Bytes) -> Option<Bytes> {
    if headers.get("content-encoding").and_then(|v| v.to_str().ok()).is_none_or(|v| !v.eq_ignore_ascii_case("gzip")) {
        return Some(body);
    }
    let mut out = Vec::new();
    GzDecoder::new(&*body).take(MAX_BODY as u64).read_to_end(&mut out).ok()?;
    Some(out.into())
}
