//! The engine behind the owner's socket, as a [`Link`].
//!
//! Invariant: watching has a connection of its own, so a reader that does not keep up delays no receipt; what the
//! owner did not answer is an error, never a guess.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use tokio::net::UnixStream;
use tokio::net::unix::{OwnedReadHalf, OwnedWriteHalf};
use tokio::sync::{mpsc, oneshot};

use super::frame::{self, REPLY_MAX, Reply, Request, VERSION};
use super::{Link, LinkError, Notice, Watch};
use crate::domain::command::{Order, Receipt};
use crate::domain::query::{Answer, Query};
use crate::domain::who::Who;

/// How long an owner may take to say welcome.
const WELCOME: Duration = Duration::from_secs(5);
/// How long an owner may take to answer.
const ANSWER: Duration = Duration::from_secs(60);
/// Notices waiting for the reader; behind them the socket fills, and the owner resyncs.
const NOTICES: usize = 64;

/// Starts an owner and gives when it was started (not when it is ready).
pub type Spawn = Arc<dyn Fn() -> Result<(), String> + Send + Sync>;

/// A link to the owner of a data directory.
pub struct RemoteLink {
    path: PathBuf,
    who: Who,
    /// Starts an owner where none is.
    spawn: Option<Spawn>,
    talk: tokio::sync::Mutex<Option<Arc<Talk>>>,
}

impl RemoteLink {
    /// A link to the socket; connects when it is first used.
    pub fn new(path: &Path, who: Who, spawn: Option<Spawn>) -> Self {
        Self { path: path.to_path_buf(), who, spawn, talk: tokio::sync::Mutex::new(None) }
    }

    /// Whether an owner is there: `Ok(false)` where nobody listens, an error where somebody does and does not answer.
    pub async fn is_owned(&self) -> Result<bool, LinkError> {
        match UnixStream::connect(&self.path).await {
            Ok(stream) => self.greet(stream).await.map(|_| true),
            Err(e) if absent(&e) => Ok(false),
            Err(e) => Err(self.gone(&e.to_string())),
        }
    }

    fn gone(&self, why: &str) -> LinkError {
        LinkError::Gone(format!("{}: {why}", self.path.display()))
    }

    async fn connect(&self) -> Result<(OwnedReadHalf, OwnedWriteHalf), LinkError> {
        match UnixStream::connect(&self.path).await {
            Ok(stream) => return self.greet(stream).await,
            Err(e) if absent(&e) && self.spawn.is_some() => {}
            Err(e) => return Err(self.gone(&e.to_string())),
        }
        if let Some(spawn) = &self.spawn {
            spawn().map_err(|e| self.gone(&e))?;
        }
        let mut last = String::new();
        for _ in 0..100 {
            tokio::time::sleep(Duration::from_millis(50)).await;
            match UnixStream::connect(&self.path).await {
                Ok(stream) => return self.greet(stream).await,
                Err(e) => last = e.to_string(),
            }
        }
        Err(self.gone(&format!("an owner was started and is not ready yet ({last}); see owner.log beside it")))
    }

    async fn greet(&self, stream: UnixStream) -> Result<(OwnedReadHalf, OwnedWriteHalf), LinkError> {
        let (mut reader, mut writer) = stream.into_split();
        let hello = Request::Hello { version: VERSION, login: self.who.login.clone(), from: self.who.from.clone() };
        let greeting = async {
            frame::write(&mut writer, &hello).await?;
            frame::read::<Reply>(&mut reader, REPLY_MAX).await
        };
        match tokio::time::timeout(WELCOME, greeting).await {
            Ok(Ok(Reply::Welcome { .. })) => Ok((reader, writer)),
            Ok(Ok(Reply::Refused(why))) => Err(self.gone(&why)),
            Ok(Ok(_)) => Err(self.gone("no welcome came")),
            Ok(Err(e)) => Err(self.gone(&e.to_string())),
            Err(_) => Err(self.gone(&format!(
                "the owner is there and is not answering (its process id is in owner.lock); nothing came for {} s",
                WELCOME.as_secs()
            ))),
        }
    }

    async fn talk(&self) -> Result<Arc<Talk>, LinkError> {
        let mut talk = self.talk.lock().await;
        if let Some(talk) = talk.as_ref().filter(|talk| !talk.ended.load(Ordering::SeqCst)) {
            return Ok(Arc::clone(talk));
        }
        let (reader, writer) = self.connect().await?;
        let new = Arc::new(Talk::new(writer));
        tokio::spawn(hear(reader, Arc::downgrade(&new)));
        Ok(Arc::clone(talk.insert(new)))
    }

    async fn call(&self, request: impl FnOnce(u64) -> Request) -> Result<Reply, LinkError> {
        let talk = self.talk().await?;
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
            Ok(()) => tokio::time::timeout(ANSWER, waiting).await,
            Err(e) => {
                talk.end();
                return Err(self.gone(&e.to_string()));
            }
        };
        talk.waiting().remove(&id);
        match reply {
            Ok(Ok(reply)) => Ok(reply),
            Ok(Err(_)) => Err(self.gone("the owner ended before it answered")),
            Err(_) => Err(self.gone("the owner is not answering")),
        }
    }
}

fn absent(e: &std::io::Error) -> bool {
    matches!(e.kind(), std::io::ErrorKind::NotFound | std::io::ErrorKind::ConnectionRefused)
}

/// One connection with its open questions.
struct Talk {
    writer: tokio::sync::Mutex<OwnedWriteHalf>,
    waiting: Mutex<HashMap<u64, oneshot::Sender<Reply>>>,
    next: AtomicU64,
    ended: AtomicBool,
}

impl Talk {
    fn new(writer: OwnedWriteHalf) -> Self {
        Self {
            writer: tokio::sync::Mutex::new(writer),
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

async fn hear(mut reader: OwnedReadHalf, talk: std::sync::Weak<Talk>) {
    while let Ok(reply) = frame::read::<Reply>(&mut reader, REPLY_MAX).await {
        let (Reply::Receipt(id, _) | Reply::Answer(id, _)) = &reply else { break };
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
        match self.call(|id| Request::Submit(id, order)).await? {
            Reply::Receipt(_, receipt) => Ok(receipt),
            _ => Err(self.gone("no receipt came")),
        }
    }

    async fn ask(&self, query: Query) -> Result<Answer, LinkError> {
        match self.call(|id| Request::Ask(id, query)).await? {
            Reply::Answer(_, answer) => answer.map_err(LinkError::Gone),
            _ => Err(self.gone("no answer came")),
        }
    }

    async fn watch(&self) -> Result<Watch, LinkError> {
        let (mut reader, mut writer) = self.connect().await?;
        frame::write(&mut writer, &Request::Watch).await.map_err(|e| self.gone(&e.to_string()))?;
        let first = tokio::time::timeout(ANSWER, frame::read::<Reply>(&mut reader, REPLY_MAX)).await;
        let live = match first.map_err(|_| self.gone("the owner is not answering"))? {
            Ok(Reply::State(live)) => *live,
            Ok(Reply::Refused(why)) => return Err(self.gone(&why)),
            Ok(_) => return Err(self.gone("no state came")),
            Err(e) => return Err(self.gone(&e.to_string())),
        };
        let (notices, receiver) = mpsc::channel(NOTICES);
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
                    Ok(_) | Err(_) => return,
                };
                if notices.send(notice).await.is_err() {
                    return;
                }
            }
        });
        Ok(Watch { live, notices: receiver })
    }
}
