//! The owner's socket: every console and verb of this user talks to the one engine through it.
//!
//! Invariant: who gives an order is what the kernel says of the peer; a slow or hostile client costs the engine
//! nothing: its queues are bounded, and what it does not read becomes one resync.

use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::unix::OwnedWriteHalf;
use tokio::net::{UnixListener, UnixStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc, watch};
use tokio::task::{JoinHandle, JoinSet};
use ulid::Ulid;

use super::frame::{self, PATIENCE, REQUEST_MAX, Reply, Request, VERSION};
use super::peer::Address;
use super::slots::{OF_ONE_USER, Slot, Slots};
use super::version::refusal;
use skydeck_core::domain::command::Order;
use skydeck_core::domain::ids::SessionId;
use skydeck_core::domain::query::Query;
use skydeck_core::domain::who::Who;
use skydeck_engine::Engine;
use skydeck_engine::api::{Notice, Watch};

/// Connections at a door at a time; a console has two.
const CONNECTIONS: usize = 64;
/// Frames waiting for one client to read them.
const QUEUE: usize = 32;
/// Questions of one client at the engine at a time.
const AT_A_TIME: usize = 8;
/// Least time between two frames of facts to one client, so that a fast run wakes a console twenty times a second and not
/// with every flush; the first after a pause goes at once.
const GATHER: Duration = Duration::from_millis(50);
/// Facts of one such frame, at most, unless they came together.
const TOGETHER: usize = 2_000;
/// Longest login or address taken from a hello, characters.
const HINT: usize = 64;

/// Where clients come in.
#[derive(Clone, Debug)]
pub struct ListenerSpec {
    path: PathBuf,
    mode: u32,
    group: Option<u32>,
}

impl ListenerSpec {
    /// In the data directory, for the owner's own user: mode 0600.
    pub fn own(path: &Path) -> Self {
        Self { path: path.to_path_buf(), mode: 0o600, group: None }
    }

    /// For a group: mode 0660. Who may do what is the engine's to say, by user id.
    pub fn of_group(path: &Path, gid: u32) -> Self {
        Self { path: path.to_path_buf(), mode: 0o660, group: Some(gid) }
    }

    /// Binds it. A socket that stands here and is answered is another owner's; one that is not is a dead one's.
    fn open(&self) -> std::io::Result<UnixListener> {
        use std::os::unix::fs::FileTypeExt;
        match std::fs::symlink_metadata(&self.path) {
            Ok(meta) if !meta.file_type().is_socket() => {
                return Err(std::io::Error::new(std::io::ErrorKind::AlreadyExists, "something else stands there"));
            }
            Ok(_) if self.group.is_some() && is_answered(&self.path) => {
                return Err(std::io::Error::new(std::io::ErrorKind::AddrInUse, "another owner serves it"));
            }
            Ok(_) => std::fs::remove_file(&self.path)?,
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => {}
            Err(e) => return Err(e),
        }
        // Made beside its place and moved there: a socket that can be seen is answered, and has its mode.
        let mut name = self.path.file_name().unwrap_or_default().to_os_string();
        name.push(".new");
        let made = self.path.with_file_name(name);
        if let Err(e) = std::fs::remove_file(&made)
            && e.kind() != std::io::ErrorKind::NotFound
        {
            return Err(e);
        }
        let listener = UnixListener::bind(Address::of(&made)?.path())?;
        let placed = self.place(&made);
        if placed.is_err() {
            let _ = std::fs::remove_file(&made);
        }
        placed?;
        Ok(listener)
    }

    /// Gives a socket its group and mode, and puts it where clients look.
    fn place(&self, made: &Path) -> std::io::Result<()> {
        if let Some(gid) = self.group {
            std::os::unix::fs::chown(made, None, Some(gid))?;
        }
        std::fs::set_permissions(made, std::fs::Permissions::from_mode(self.mode))?;
        std::fs::rename(made, &self.path)
    }
}

/// Sockets that are served. Ends when dropped, and takes the sockets away.
pub struct Server {
    paths: Vec<PathBuf>,
    hall: Hall,
    accepting: Vec<JoinHandle<()>>,
}

/// What every connection knows.
#[derive(Clone)]
struct Hall {
    engine: Engine,
    /// This owner's name towards clients.
    instance: Ulid,
    /// Connections now.
    slots: Slots,
    /// By which signal the owner ends on purpose.
    bye: watch::Sender<Option<String>>,
}

impl Server {
    /// Opens the doors. Only the holder of the owner lock may call this. The first one must open; another one that
    /// cannot is said in the log, and the owner serves without it.
    pub fn bind(doors: &[ListenerSpec], engine: Engine) -> std::io::Result<Self> {
        let hall = Hall { engine, instance: Ulid::generate(), slots: Slots::new(), bye: watch::Sender::new(None) };
        let mut server = Self { paths: Vec::new(), hall, accepting: Vec::new() };
        for door in doors {
            match door.open() {
                Ok(listener) => {
                    server.paths.push(door.path.clone());
                    server.accepting.push(tokio::spawn(accept(listener, server.hall.clone())));
                }
                Err(error) if server.paths.is_empty() => return Err(error),
                Err(error) => tracing::error!(socket = %door.path.display(), %error, "others cannot attach here"),
            }
        }
        Ok(server)
    }

    /// How many connections there are, as it changes.
    pub fn clients(&self) -> watch::Receiver<usize> {
        self.hall.slots.all.subscribe()
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
        self.accepting.iter().for_each(JoinHandle::abort);
        for path in &self.paths {
            let _ = std::fs::remove_file(path);
        }
    }
}

fn is_answered(path: &Path) -> bool {
    Address::of(path).and_then(|at| std::os::unix::net::UnixStream::connect(at.path())).is_ok()
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
        let Ok(peer) = stream.peer_cred() else { continue };
        match hall.admit(peer.uid(), tasks.len()) {
            Ok(slot) => drop(tasks.spawn(client(stream, hall.clone(), slot))),
            Err(why) => turn_away(stream, why),
        }
    }
}

impl Hall {
    /// A place for one more connection of a user, or why there is none. Who has no role gets none.
    fn admit(&self, uid: u32, at_this_door: usize) -> Result<Slot, String> {
        if self.engine.role(uid).is_none() {
            self.engine.knocked(person(uid, String::new(), None));
            return Err(format!(
                "user id {uid} may not attach here: [access] in the owner's configuration names who may"
            ));
        }
        if at_this_door >= CONNECTIONS {
            return Err("too many consoles are attached".to_owned());
        }
        let most = if uid == rustix::process::geteuid().as_raw() { CONNECTIONS } else { OF_ONE_USER };
        self.slots
            .take(uid, most)
            .ok_or_else(|| format!("user id {uid} has {most} connections already: close a console first"))
    }
}

/// Says why and closes at once: whoever is refused holds nothing here.
fn turn_away(stream: UnixStream, why: String) {
    use std::io::Write;
    let words = frame::encode(&Reply::Refused(why));
    if let (Ok(mut stream), Ok(words)) = (stream.into_std(), words) {
        // It takes as much as an empty socket takes; nobody waits for more.
        let _ = stream.write(&words);
    }
}

async fn refuse(mut stream: UnixStream, why: &str) {
    let _ = tokio::time::timeout(PATIENCE, async {
        frame::write(&mut stream, &Reply::Refused(why.to_owned())).await.ok()?;
        stream.shutdown().await.ok()?;
        // A socket closed over words it did not read takes back its own: what is under way is read first.
        tokio::io::copy(&mut stream.take(u64::from(REQUEST_MAX)), &mut tokio::io::sink()).await.ok()
    })
    .await;
}

/// Shakes hands: gives who is there, by the kernel's word, and whether it is a console.
async fn hello(stream: &mut UnixStream, uid: u32) -> Result<(Who, bool), String> {
    let read = tokio::time::timeout(PATIENCE, frame::read::<Request>(stream, REQUEST_MAX)).await;
    match read.map_err(|_| "no hello came".to_owned())?.map_err(|e| e.to_string())? {
        Request::Hello { version: VERSION, login, from, console } => {
            Ok((person(uid, hint(&login), from.map(|from| hint(&from))), console))
        }
        Request::Hello { version, .. } => Err(refusal(version)),
        _ => Err("the first word must be a hello".to_owned()),
    }
}

/// Somebody at the door, with the name the system knows by the user id; whom it does not know is named by the id itself,
/// so that a claimed login never stands alone.
pub fn person(uid: u32, login: String, from: Option<String>) -> Who {
    let known = nix::unistd::User::from_uid(nix::unistd::Uid::from_raw(uid)).ok().flatten();
    let name = known.map_or_else(|| uid.to_string(), |user| user.name);
    Who { name: Some(name), ..Who::of_person(uid, login, from) }
}

fn hint(text: &str) -> String {
    text.chars().filter(|c| !c.is_control()).take(HINT).collect()
}

async fn client(mut stream: UnixStream, hall: Hall, slot: Slot) {
    let engine = hall.engine;
    let mut bye = hall.bye.subscribe();
    let (who, console) = match hello(&mut stream, slot.uid).await {
        Ok(hello) => hello,
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
                tasks.spawn(answer(engine.clone(), who.uid, id, query, (out.clone(), turn)));
            }
            Ok(Request::Watch) if !watched => {
                watched = true;
                let watch = if console { engine.watch_at_console(who.clone()) } else { engine.watch() };
                tasks.spawn(forward(watch, out.clone()));
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

/// Answers one question and gives its place to the next.
async fn answer(
    engine: Engine,
    uid: u32,
    id: u64,
    query: Query,
    (out, _turn): (mpsc::Sender<Reply>, OwnedSemaphorePermit),
) {
    let others_plan =
        matches!(query, Query::Preview { text: Some(_), .. }) && uid != rustix::process::getuid().as_raw();
    let answer = if others_plan {
        // A query of somebody else's making would run under the owner's ERP user.
        Err("a plan file is previewed by the owner of this engine alone: put it into the plan directory".to_owned())
    } else {
        engine.ask(query).await.map_err(|e| e.to_string())
    };
    let _ = out.send(Reply::Answer(id, answer)).await;
}

async fn submit(
    engine: Engine,
    mut waiting: mpsc::Receiver<(u64, Order)>,
    out: mpsc::Sender<Reply>,
    session: SessionId,
) {
    let mut reading = JoinSet::new();
    while let Some((id, order)) = waiting.recv().await {
        let (engine, out) = (engine.clone(), out.clone());
        let reads = order.command.reads_plans();
        let carried_out = async move {
            let receipt = engine.submit(order).await;
            // A client that is gone needs no receipt; its next order is carried out all the same.
            let _ = out.send(Reply::Receipt(id, receipt)).await;
        };
        if !reads {
            carried_out.await;
            continue;
        }
        while reading.try_join_next().is_some() {}
        // Each ends within seconds; somebody who sends so many waits for his own.
        if reading.len() >= QUEUE {
            let _ = reading.join_next().await;
        }
        reading.spawn(carried_out);
    }
    engine.left(session);
    reading.detach_all();
}

/// While the client does not read, this waits, the engine's own bounded channel fills, and the engine resyncs it.
async fn forward(mut watch: Watch, out: mpsc::Sender<Reply>) {
    if out.send(Reply::State(Box::new(watch.live))).await.is_err() {
        return;
    }
    let mut pause = Box::pin(tokio::time::sleep(Duration::ZERO));
    while let Some(notice) = watch.notices.recv().await {
        let mut next = None;
        let first = match notice {
            Notice::Facts(facts) => {
                let mut facts = facts.to_vec();
                while facts.len() < TOGETHER && next.is_none() {
                    tokio::select! {
                        biased;
                        () = &mut pause => break,
                        more = watch.notices.recv() => match more {
                            Some(Notice::Facts(more)) => facts.extend_from_slice(&more),
                            Some(other) => next = Some(other),
                            None => break,
                        },
                    }
                }
                pause = Box::pin(tokio::time::sleep(GATHER));
                Reply::Facts(facts)
            }
            other => reply(other),
        };
        for reply in std::iter::once(first).chain(next.map(reply)) {
            if out.send(reply).await.is_err() {
                return;
            }
        }
    }
}

fn reply(notice: Notice) -> Reply {
    match notice {
        Notice::Facts(facts) => Reply::Facts(facts.to_vec()),
        Notice::Pulse(pulse) => Reply::Pulse(pulse),
        Notice::PlansReloaded => Reply::PlansReloaded,
        Notice::Unusual => Reply::Unusual,
        Notice::Resync(live) => Reply::State(live),
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

#[cfg(test)]
mod tests {
    use super::*;

    /// Whoever waits for the socket may connect as soon as he sees it.
    #[tokio::test]
    async fn a_socket_that_can_be_seen_is_answered_and_has_its_mode() {
        let dir = tempfile::tempdir().unwrap();
        for nth in 0..500 {
            let path = dir.path().join(format!("{nth}.sock"));
            let seen = path.clone();
            let client = std::thread::spawn(move || {
                let meta = loop {
                    if let Ok(meta) = std::fs::symlink_metadata(&seen) {
                        break meta;
                    }
                    std::hint::spin_loop();
                };
                (std::os::unix::net::UnixStream::connect(&seen).map(drop), meta.permissions().mode() & 0o777)
            });
            let _listener = ListenerSpec::own(&path).open().unwrap();
            let (connected, mode) = client.join().unwrap();
            assert!(connected.is_ok() && mode == 0o600, "{nth}: {connected:?} {mode:o}");
        }
        let left = std::fs::read_dir(dir.path())
            .unwrap()
            .filter(|e| e.as_ref().unwrap().path().extension().unwrap() != "sock");
        assert_eq!(left.count(), 0);
    }
}
