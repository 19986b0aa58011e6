//! The engine behind the owner's socket, as a [`Link`].
//!
//! Invariant: watching has a connection of its own, so a reader that does not keep up delays no receipt; what the
//! owner did not answer is an error, never a guess.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use tokio::net::UnixStream;
use tokio::net::unix::{OwnedReadHalf, OwnedWriteHalf};
use tokio::sync::{mpsc, oneshot};
use ulid::Ulid;

use super::ended;
use super::frame::{self, REPLY_MAX, Reply, Request, VERSION};
use super::peer::{Address, mistrusted};
use super::version::understood;
use skydeck_core::domain::command::{Order, Receipt};
use skydeck_core::domain::query::{Answer, Query};
use skydeck_core::domain::who::Who;
use skydeck_engine::api::{Gone, Link, LinkError, Notice, Watch};

/// How long an owner may take to say welcome.
const WELCOME: Duration = Duration::from_secs(5);
/// How long an owner may take to answer.
const ANSWER: Duration = Duration::from_secs(60);
/// How long a look at the ERP may take: it reads every page.
const LOOK: Duration = Duration::from_secs(15 * 60);
/// Notices waiting for the reader; behind them the socket fills, and the owner resyncs.
const NOTICES: usize = 64;

/// Starts an owner where none is.
#[async_trait]
pub trait Starter: Send + Sync {
    /// Starts one and waits until it serves its socket (or somebody else's does).
    async fn start(&self) -> Result<(), String>;
    /// What the one that starts is doing, in words.
    fn progress(&self) -> tokio::sync::watch::Receiver<String>;
}

/// A link to the owner of a data directory.
pub struct RemoteLink {
    shared: Arc<Shared>,
    talk: tokio::sync::Mutex<Option<Arc<Talk>>>,
}

/// What the link and its readers share.
struct Shared {
    path: PathBuf,
    who: Who,
    /// A console talks through it, not a verb.
    console: bool,
    /// The user who is expected there, where one was named.
    expected: Option<u32>,
    starter: Option<Arc<dyn Starter>>,
    /// One start at a time: the console watches and asks at once.
    starting: tokio::sync::Mutex<()>,
    /// How the owner was ended on purpose; none is started until one is there again.
    ended: Mutex<Option<Gone>>,
    /// Process of the owner that we were connected to last; 0 before there was one.
    owner: AtomicU32,
}

/// A connection that was welcomed, and by whom.
struct Line {
    reader: OwnedReadHalf,
    writer: OwnedWriteHalf,
    owner: Ulid,
}

impl Shared {
    /// The owner is there and does not answer.
    fn silent(&self) -> LinkError {
        let pid = ended::read(&self.path).0.map_or_else(|| "?".to_owned(), |pid| pid.to_string());
        LinkError::Gone(Gone::Silent(format!("process {pid}")))
    }

    /// How the owner that we were connected to was ended on purpose, if it was: as it said, or as it wrote down, because
    /// its word may still be unread on another connection, or never have come.
    fn ended_on_purpose(&self) -> Option<Gone> {
        let mut ended = self.ended();
        if ended.is_none()
            && let (Some(pid), Some(by)) = ended::read(&self.path)
            && pid == self.owner.load(Ordering::SeqCst)
        {
            *ended = Some(Gone::Ended { pid, by });
        }
        ended.clone()
    }

    fn ended(&self) -> std::sync::MutexGuard<'_, Option<Gone>> {
        self.ended.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn connect(&self) -> Result<Line, LinkError> {
        if let Some(line) = self.try_connect().await? {
            return Ok(line);
        }
        let absent = || LinkError::Gone(Gone::Absent(self.path.display().to_string()));
        let Some(starter) = &self.starter else { return Err(absent()) };
        let _turn = self.starting.lock().await;
        // Somebody else's turn may have brought one.
        if let Some(line) = self.try_connect().await? {
            return Ok(line);
        }
        if let Some(ended) = self.ended_on_purpose() {
            return Err(LinkError::Gone(ended));
        }
        starter.start().await.map_err(other)?;
        self.try_connect().await?.ok_or_else(absent)
    }

    /// `None` where nobody listens.
    async fn try_connect(&self) -> Result<Option<Line>, LinkError> {
        let address = match Address::of(&self.path) {
            Ok(address) => address,
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => return Ok(None),
            Err(e) => return Err(other(format!("{}: {e}", self.path.display()))),
        };
        match UnixStream::connect(address.path()).await {
            Ok(stream) => {
                let peer = stream.peer_cred().map_err(|e| other(format!("{}: {e}", self.path.display())))?;
                if let Some(why) = mistrusted(peer.uid(), &self.path, self.expected) {
                    return Err(other(why));
                }
                // By the kernel's word, also of one that ends before it says welcome.
                if let Some(pid) = peer.pid() {
                    self.owner.store(pid.unsigned_abs(), Ordering::SeqCst);
                }
                self.greet(stream).await.map(Some)
            }
            Err(e) if matches!(e.kind(), std::io::ErrorKind::NotFound | std::io::ErrorKind::ConnectionRefused) => {
                Ok(None)
            }
            Err(e) => Err(other(format!("{}: {e}", self.path.display()))),
        }
    }

    async fn greet(&self, stream: UnixStream) -> Result<Line, LinkError> {
        let (mut reader, mut writer) = stream.into_split();
        let hello = Request::Hello {
            version: VERSION,
            login: self.who.login.clone(),
            from: self.who.from.clone(),
            console: self.console,
        };
        let greeting = async {
            // Whoever is refused at the door finds it closed, and the reason behind it.
            let said = frame::write(&mut writer, &hello).await;
            let reply = frame::read::<Reply>(&mut reader, REPLY_MAX).await;
            if matches!(reply, Err(frame::FrameError::Closed | frame::FrameError::Broken(_))) {
                said?;
            }
            reply
        };
        match tokio::time::timeout(WELCOME, greeting).await {
            Ok(Ok(Reply::Welcome { pid, instance })) => {
                self.owner.store(pid, Ordering::SeqCst);
                *self.ended() = None;
                Ok(Line { reader, writer, owner: instance })
            }
            Ok(reply) => Err(self.instead(reply)),
            Err(_) => Err(self.silent()),
        }
    }

    /// What came instead of what was waited for.
    fn instead(&self, reply: Result<Reply, frame::FrameError>) -> LinkError {
        match reply {
            Ok(Reply::Bye { pid, by }) => {
                let ended = Gone::Ended { pid, by };
                *self.ended() = Some(ended.clone());
                LinkError::Gone(ended)
            }
            Ok(Reply::Refused(why)) => match understood(&why, &self.path) {
                Some(version) => LinkError::Gone(Gone::Version(version)),
                None => other(why),
            },
            Ok(_) => other("the owner said something else than was asked".to_owned()),
            Err(frame::FrameError::Closed | frame::FrameError::Broken(_)) => LinkError::Gone(Gone::Lost),
            Err(e) => other(e.to_string()),
        }
    }
}

fn other(why: String) -> LinkError {
    LinkError::Gone(Gone::Other(why))
}

/// Why there is no answer.
enum NoAnswer {
    /// The connection ended before the answer came: the request may have been heard or not.
    Lost(LinkError),
    /// Anything else.
    Failed(LinkError),
}

impl From<NoAnswer> for LinkError {
    fn from(why: NoAnswer) -> Self {
        match why {
            NoAnswer::Lost(error) | NoAnswer::Failed(error) => error,
        }
    }
}

impl RemoteLink {
    /// A link to the socket; connects when it is first used.
    pub fn new(path: &Path, who: Who, starter: Option<Arc<dyn Starter>>) -> Self {
        Self::to(path, who, false, starter)
    }

    /// The same for a console.
    pub fn of_console(path: &Path, who: Who, starter: Option<Arc<dyn Starter>>) -> Self {
        Self::to(path, who, true, starter)
    }

    fn to(path: &Path, who: Who, console: bool, starter: Option<Arc<dyn Starter>>) -> Self {
        let (starting, ended, owner) = (tokio::sync::Mutex::default(), Mutex::default(), AtomicU32::new(0));
        let path = path.to_path_buf();
        let shared = Arc::new(Shared { path, who, console, expected: None, starter, starting, ended, owner });
        Self { shared, talk: tokio::sync::Mutex::new(None) }
    }

    /// Believes only this user to be the owner.
    #[must_use]
    pub fn expecting(mut self, owner: Option<u32>) -> Self {
        if let Some(shared) = Arc::get_mut(&mut self.shared) {
            shared.expected = owner;
        }
        self
    }

    /// Whether an owner is there: `Ok(false)` where nobody listens, an error where somebody does and does not answer.
    pub async fn is_owned(&self) -> Result<bool, LinkError> {
        Ok(self.shared.try_connect().await?.is_some())
    }

    async fn talk(&self) -> Result<Arc<Talk>, LinkError> {
        let mut talk = self.talk.lock().await;
        if let Some(talk) = talk.as_ref().filter(|talk| !talk.ended.load(Ordering::SeqCst)) {
            return Ok(Arc::clone(talk));
        }
        let line = self.shared.connect().await?;
        let new = Arc::new(Talk::new(line.writer, line.owner));
        tokio::spawn(hear(line.reader, Arc::downgrade(&new), Arc::clone(&self.shared)));
        Ok(Arc::clone(talk.insert(new)))
    }

    async fn call(&self, talk: &Talk, request: impl FnOnce(u64) -> Request) -> Result<Reply, NoAnswer> {
        self.call_within(ANSWER, talk, request).await
    }

    async fn call_within(
        &self,
        limit: Duration,
        talk: &Talk,
        request: impl FnOnce(u64) -> Request,
    ) -> Result<Reply, NoAnswer> {
        let id = talk.next.fetch_add(1, Ordering::SeqCst);
        let (answer, waiting) = oneshot::channel();
        talk.waiting().insert(id, answer);
        // Looked at after the place was taken: whoever ends the talk empties the places.
        let sent = if talk.ended.load(Ordering::SeqCst) {
            Err(frame::FrameError::Closed)
        } else {
            frame::write(&mut *talk.writer.lock().await, &request(id)).await
        };
        let reply = match sent {
            Ok(()) => tokio::time::timeout(limit, waiting).await,
            Err(e) => {
                talk.end();
                return Err(NoAnswer::Lost(self.shared.instead(Err(e))));
            }
        };
        talk.waiting().remove(&id);
        match reply {
            Ok(Ok(reply)) => Ok(reply),
            Ok(Err(_)) => Err(NoAnswer::Lost(LinkError::Gone(Gone::Lost))),
            Err(_) => Err(NoAnswer::Failed(self.shared.silent())),
        }
    }
}

/// One connection with its open questions.
struct Talk {
    writer: tokio::sync::Mutex<OwnedWriteHalf>,
    /// The owner that said welcome.
    owner: Ulid,
    waiting: Mutex<HashMap<u64, oneshot::Sender<Reply>>>,
    next: AtomicU64,
    ended: AtomicBool,
}

impl Talk {
    fn new(writer: OwnedWriteHalf, owner: Ulid) -> Self {
        Self {
            writer: tokio::sync::Mutex::new(writer),
            owner,
            waiting: Mutex::default(),
            next: AtomicU64::new(1),
            ended: AtomicBool::new(false),
        }
    }

    fn waiting(&self) -> std::sync::MutexGuard<'_, HashMap<u64, oneshot::Sender<Reply>>> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn end(&self) {
        self.ended.store(true, Ordering::SeqCst);
        self.waiting().clear();
    }
}

async fn hear(mut reader: OwnedReadHalf, talk: std::sync::Weak<Talk>, shared: Arc<Shared>) {
    while let Ok(reply) = frame::read::<Reply>(&mut reader, REPLY_MAX).await {
        let (Reply::Receipt(id, _) | Reply::Answer(id, _)) = &reply else {
            let _ = shared.instead(Ok(reply));
            break;
        };
        let Some(talk) = talk.upgrade() else { return };
        let answer = talk.waiting().remove(id);
        if let Some(answer) = answer {
            let _ = answer.send(reply);
        }
    }
    if let Some(talk) = talk.upgrade() {
        talk.end();
    }
}

#[async_trait]
impl Link for RemoteLink {
    async fn submit(&self, order: Order) -> Result<Receipt, LinkError> {
        let talk = self.talk().await?;
        let reply = match self.call(&talk, |id| Request::Submit(id, order.clone())).await {
            // The same engine knows the order by its id: said twice, it is done once. Another engine does not.
            Err(NoAnswer::Lost(lost)) => {
                let again = self.talk().await.map_err(|_| lost.clone())?;
                if again.owner != talk.owner {
                    return Err(lost);
                }
                self.call(&again, |id| Request::Submit(id, order)).await?
            }
            reply => reply?,
        };
        match reply {
            Reply::Receipt(_, receipt) => Ok(receipt),
            reply => Err(self.shared.instead(Ok(reply))),
        }
    }

    async fn ask(&self, query: Query) -> Result<Answer, LinkError> {
        let talk = self.talk().await?;
        let limit = if matches!(query, Query::Preview { .. } | Query::Reach(_)) { LOOK } else { ANSWER };
        let reply = match self.call_within(limit, &talk, |id| Request::Ask(id, query.clone())).await {
            Err(NoAnswer::Lost(_)) => {
                self.call_within(limit, &*self.talk().await?, |id| Request::Ask(id, query)).await?
            }
            reply => reply?,
        };
        match reply {
            Reply::Answer(_, answer) => answer.map_err(other),
            reply => Err(self.shared.instead(Ok(reply))),
        }
    }

    async fn watch(&self) -> Result<Watch, LinkError> {
        let Line { mut reader, mut writer, .. } = self.shared.connect().await?;
        frame::write(&mut writer, &Request::Watch).await.map_err(|e| self.shared.instead(Err(e)))?;
        let first = tokio::time::timeout(ANSWER, frame::read::<Reply>(&mut reader, REPLY_MAX)).await;
        let live = match first.map_err(|_| self.shared.silent())? {
            Ok(Reply::State(live)) => *live,
            reply => return Err(self.shared.instead(reply)),
        };
        let (notices, receiver) = mpsc::channel(NOTICES);
        let shared = Arc::clone(&self.shared);
        tokio::spawn(async move {
            // Held open as long as somebody watches.
            let _writer = writer;
            loop {
                let reply = tokio::select! {
                    reply = frame::read::<Reply>(&mut reader, REPLY_MAX) => reply,
                    () = notices.closed() => return,
                };
                let notice = match reply {
                    Ok(Reply::State(live)) => Notice::Resync(live),
                    Ok(Reply::Facts(facts)) => Notice::Facts(facts.into()),
                    Ok(Reply::Pulse(pulse)) => Notice::Pulse(pulse),
                    Ok(Reply::PlansReloaded) => Notice::PlansReloaded,
                    Ok(Reply::Unusual) => Notice::Unusual,
                    reply => {
                        let _ = shared.instead(reply);
                        return;
                    }
                };
                if notices.send(notice).await.is_err() {
                    return;
                }
            }
        });
        Ok(Watch { live, notices: receiver })
    }

    fn progress(&self) -> Option<tokio::sync::watch::Receiver<String>> {
        self.shared.starter.as_ref().map(|starter| starter.progress())
    }
}
