//! The owner's socket: every console and verb of this user talks to the one engine through it.
//!
//! Invariant: who gives an order is what the kernel says of the peer; a slow or hostile client costs the engine
//! nothing: its queues are bounded, and what it does not read becomes one resync.

use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use tokio::io::AsyncWriteExt;
use tokio::net::unix::OwnedWriteHalf;
use tokio::net::{UnixListener, UnixStream};
use tokio::sync::{Semaphore, mpsc, watch};
use tokio::task::{JoinHandle, JoinSet};
use ulid::Ulid;

use super::frame::{self, PATIENCE, REQUEST_MAX, Reply, Request, VERSION};
use super::{Notice, Watch};
use crate::domain::command::Order;
use crate::domain::ids::SessionId;
use crate::domain::who::Who;
use crate::engine::Engine;

/// Connections at a time; a console has two.
const CONNECTIONS: usize = 64;
/// Frames waiting for one client to read them.
const QUEUE: usize = 32;
/// Questions of one client at the engine at a time.
const AT_A_TIME: usize = 8;
/// Longest login or address taken from a hello, characters.
const HINT: usize = 64;

/// A socket that is served. Ends when dropped, and takes the socket away.
pub struct Server {
    path: PathBuf,
    hall: Hall,
    accepting: JoinHandle<()>,
}

/// What every connection knows.
#[derive(Clone)]
struct Hall {
    engine: Engine,
    /// This owner's name towards clients.
    instance: Ulid,
    /// Connections now.
    clients: watch::Sender<usize>,
    /// By which signal the owner ends on purpose.
    bye: watch::Sender<Option<String>>,
}

impl Server {
    /// Binds the socket, mode 0600. Only the holder of the owner lock may call this: a socket that stands there is a
    /// dead owner's, and is replaced.
    pub fn bind(path: &Path, engine: Engine) -> std::io::Result<Self> {
        match std::fs::remove_file(path) {
            Err(e) if e.kind() != std::io::ErrorKind::NotFound => return Err(e),
            _ => {}
        }
        let listener = UnixListener::bind(path)?;
        std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o600))?;
        let hall =
            Hall { engine, instance: Ulid::generate(), clients: watch::Sender::new(0), bye: watch::Sender::new(None) };
        let accepting = tokio::spawn(accept(listener, hall.clone()));
        Ok(Self { path: path.to_path_buf(), hall, accepting })
    }

    /// How many connections there are, as it changes.
    pub fn clients(&self) -> watch::Receiver<usize> {
        self.hall.clients.subscribe()
    }

    /// Tells every client which signal ends this owner, and waits (a second at most) until they have gone.
    pub async fn bye(&self, by: String) {
        self.hall.bye.send_replace(Some(by));
        let mut clients = self.clients();
        // One who does not read is not waited for.
        let _ = tokio::time::timeout(Duration::from_secs(1), clients.wait_for(|n| *n == 0)).await;
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.accepting.abort();
        let _ = std::fs::remove_file(&self.path);
    }
}

async fn accept(listener: UnixListener, hall: Hall) {
    // Dropped with this task: every client's task ends with the server.
    let mut tasks = JoinSet::new();
    loop {
        let Ok((stream, _)) = listener.accept().await else {
            tokio::time::sleep(Duration::from_millis(100)).await;
            continue;
        };
        while tasks.try_join_next().is_some() {}
        let hall = hall.clone();
        let full = tasks.len() >= CONNECTIONS;
        tasks.spawn(async move {
            hall.clients.send_modify(|n| *n += 1);
            let _count = Count(hall.clients.clone());
            if full {
                refuse(stream, "too many consoles are attached").await;
            } else {
                client(stream, hall).await;
            }
        });
    }
}

struct Count(watch::Sender<usize>);

impl Drop for Count {
    fn drop(&mut self) {
        self.0.send_modify(|n| *n = n.saturating_sub(1));
    }
}

async fn refuse(mut stream: UnixStream, why: &str) {
    let _ = tokio::time::timeout(PATIENCE, frame::write(&mut stream, &Reply::Refused(why.to_owned()))).await;
}

/// Shakes hands: gives who is there, by the kernel's word.
async fn hello(stream: &mut UnixStream) -> Result<Who, String> {
    let uid = stream.peer_cred().map_err(|e| format!("who you are cannot be told: {e}"))?.uid();
    if uid != rustix::process::geteuid().as_raw() {
        return Err(format!("user id {uid} may not attach here"));
    }
    let read = tokio::time::timeout(PATIENCE, frame::read::<Request>(stream, REQUEST_MAX)).await;
    match read.map_err(|_| "no hello came".to_owned())?.map_err(|e| e.to_string())? {
        Request::Hello { version: VERSION, login, from } => {
            Ok(Who { uid, login: hint(&login), from: from.map(|from| hint(&from)) })
        }
        Request::Hello { version, .. } => Err(format!(
            "the owner (process {}) speaks version {VERSION} of the protocol, this program {version}: end the owner, then start again",
            std::process::id()
        )),
        _ => Err("the first word must be a hello".to_owned()),
    }
}

fn hint(text: &str) -> String {
    text.chars().filter(|c| !c.is_control()).take(HINT).collect()
}

async fn client(mut stream: UnixStream, hall: Hall) {
    let engine = hall.engine;
    let mut bye = hall.bye.subscribe();
    let who = match hello(&mut stream).await {
        Ok(who) => who,
        Err(why) => return refuse(stream, &why).await,
    };
    let session = SessionId(Ulid::generate());
    let (mut reader, writer) = stream.into_split();
    let (out, queue) = mpsc::channel(QUEUE);
    let writing = tokio::spawn(write_out(writer, queue));
    let _ = out.send(Reply::Welcome { pid: std::process::id(), instance: hall.instance }).await;
    // One order after the other. Not aborted with the client: an order that came is carried out.
    let (orders, waiting) = mpsc::channel(QUEUE);
    tokio::spawn(submit(engine.clone(), waiting, out.clone(), session));
    let turn = Arc::new(Semaphore::new(AT_A_TIME));
    let mut tasks = JoinSet::new();
    let mut watched = false;
    let why = loop {
        let request = tokio::select! {
            read = frame::read::<Request>(&mut reader, REQUEST_MAX) => read,
            () = out.closed() => break None,
            why = bye.wait_for(Option::is_some) => {
                break why.ok().and_then(|by| by.clone()).map(|by| Reply::Bye { pid: std::process::id(), by });
            },
        };
        while tasks.try_join_next().is_some() {}
        match request {
            Ok(Request::Submit(id, order)) => {
                let order = Order { by: who.clone(), session: Some(session), ..order };
                if orders.send((id, order)).await.is_err() {
                    break None;
                }
            }
            Ok(Request::Ask(id, query)) => {
                let Ok(turn) = Arc::clone(&turn).acquire_owned().await else { break None };
                let (engine, out) = (engine.clone(), out.clone());
                tasks.spawn(async move {
                    let answer = engine.ask(query).await.map_err(|e| e.to_string());
                    let _ = out.send(Reply::Answer(id, answer)).await;
                    drop(turn);
                });
            }
            Ok(Request::Watch) if !watched => {
                watched = true;
                tasks.spawn(forward(engine.watch(), out.clone()));
            }
            Ok(Request::Watch | Request::Hello { .. }) => {
                break Some(Reply::Refused("said twice what is said once".to_owned()));
            }
            Err(frame::FrameError::Closed | frame::FrameError::Broken(_)) => break None,
            Err(e) => break Some(Reply::Refused(e.to_string())),
        }
    };
    drop(tasks);
    if let Some(why) = why {
        let _ = tokio::time::timeout(PATIENCE, out.send(why)).await;
    }
    drop((out, orders));
    let abort = writing.abort_handle();
    if tokio::time::timeout(PATIENCE, writing).await.is_err() {
        abort.abort();
    }
}

async fn submit(
    engine: Engine,
    mut waiting: mpsc::Receiver<(u64, Order)>,
    out: mpsc::Sender<Reply>,
    session: SessionId,
) {
    while let Some((id, order)) = waiting.recv().await {
        let receipt = engine.submit(order).await;
        // A client that is gone needs no receipt; its next order is carried out all the same.
        let _ = out.send(Reply::Receipt(id, receipt)).await;
    }
    engine.left(session);
}

/// While the client does not read, this waits, the engine's own bounded channel fills, and the engine resyncs it.
async fn forward(mut watch: Watch, out: mpsc::Sender<Reply>) {
    if out.send(Reply::State(Box::new(watch.live))).await.is_err() {
        return;
    }
    while let Some(notice) = watch.notices.recv().await {
        let reply = match notice {
            Notice::Facts(facts) => Reply::Facts(facts.to_vec()),
            Notice::Pulse(pulse) => Reply::Pulse(pulse),
            Notice::PlansReloaded => Reply::PlansReloaded,
            Notice::Resync(live) => Reply::State(live),
        };
        if out.send(reply).await.is_err() {
            return;
        }
    }
}

async fn write_out(mut writer: OwnedWriteHalf, mut queue: mpsc::Receiver<Reply>) {
    while let Some(reply) = queue.recv().await {
        let bytes = match (frame::encode(&reply), &reply) {
            (Ok(bytes), _) => Ok(bytes),
            (Err(e), Reply::Answer(id, _)) => frame::encode(&Reply::Answer(*id, Err(e.to_string()))),
            (Err(e), _) => frame::encode(&Reply::Refused(e.to_string())),
        };
        let Ok(bytes) = bytes else { return };
        if writer.write_all(&bytes).await.is_err() {
            return;
        }
    }
}
