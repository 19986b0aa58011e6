//! How a console or a headless verb talks to the engine: submit an order, ask a question, watch what happens.
//! The same three methods whether the engine lives in this process or behind a socket.
//!
//! Invariant: a reader that lags is told so and starts again from a snapshot; it never slows the engine.

use std::sync::Arc;

use async_trait::async_trait;
use tokio::sync::mpsc;

use skydeck_core::domain::command::{Order, Receipt};
use skydeck_core::domain::event::Fact;
use skydeck_core::domain::live::{Live, Pulse};
use skydeck_core::domain::query::{Answer, Query};
use skydeck_store::StoreError;

/// What a watcher receives.
#[derive(Clone, Debug)]
pub enum Notice {
    /// Facts in order, without holes.
    Facts(Arc<[Fact]>),
    /// Pace, session, breaker; only while something runs or changes.
    Pulse(Pulse),
    /// The plan directory was read again.
    PlansReloaded,
    /// What stands out of plans from what is usual is other than before: whoever shows it asks again.
    Unusual,
    /// This watcher fell behind (or the owner changed): here is the present state; facts go on after it.
    Resync(Box<Live>),
}

/// A subscription: the state now, and everything after it.
pub struct Watch {
    /// State at the moment of subscribing.
    pub live: Live,
    /// What follows. Bounded; the link resyncs a reader that lets it fill up.
    pub notices: mpsc::Receiver<Notice>,
}

/// Why there is no engine at the other end.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Gone {
    /// Somebody ended it, and nobody is to start another one by himself.
    #[error("ended by {by} (process {pid}); start `skydeck` again")]
    Ended {
        /// The owner's process id.
        pid: u32,
        /// The signal.
        by: String,
    },
    /// It is there and says nothing: stopped, or its machine is overloaded.
    #[error("its process is there and does not answer ({0})")]
    Silent(String),
    /// The connection ended.
    #[error("the connection ended")]
    Lost,
    /// Nobody serves this socket.
    #[error("no engine at {0}")]
    Absent(String),
    /// It was started by a program of another version.
    #[error("{0}")]
    Version(OtherVersion),
    /// Anything else, in words.
    #[error("{0}")]
    Other(String),
}

/// What can go wrong between a reader and the engine.
#[derive(Clone, Debug, thiserror::Error)]
pub enum LinkError {
    /// The engine is gone.
    #[error("{0}")]
    Gone(Gone),
    /// The store could not answer a question.
    #[error("{0}")]
    Store(#[from] StoreError),
}

impl Gone {
    /// In Chinese.
    pub fn zh(&self) -> String {
        match self {
            Self::Ended { pid, by } => format!("进程 {pid} 已被 {by} 结束；请重新启动 skydeck"),
            Self::Silent(process) => format!("引擎进程还在，但无响应（{process}）"),
            Self::Lost => "与引擎的连接已断".to_owned(),
            Self::Absent(socket) => format!("{socket} 上没有引擎"),
            Self::Version(version) => version.zh(),
            Self::Other(words) => words.clone(),
        }
    }
}

impl LinkError {
    /// In Chinese.
    pub fn zh(&self) -> String {
        match self {
            Self::Gone(why) => why.zh(),
            Self::Store(error) => error.zh(),
        }
    }
}

/// The three methods.
#[async_trait]
pub trait Link: Send + Sync {
    /// Gives an order.
    async fn submit(&self, order: Order) -> Result<Receipt, LinkError>;
    /// Asks a question.
    async fn ask(&self, query: Query) -> Result<Answer, LinkError>;
    /// Watches.
    async fn watch(&self) -> Result<Watch, LinkError>;
    /// What opening the engine does, in words, where it is being opened; changes as it goes on.
    fn progress(&self) -> Option<tokio::sync::watch::Receiver<String>> {
        None
    }
}

/// An owner that speaks another version of the protocol.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OtherVersion {
    /// The owner's process id.
    pub pid: u32,
    /// What it speaks.
    pub theirs: u32,
    /// What this program speaks.
    pub ours: u32,
    /// The command that ends it in order; `None` where it is another user's.
    pub end: Option<String>,
}

impl OtherVersion {
    /// Whether the owner is the older of the two.
    pub fn is_older(&self) -> bool {
        self.theirs < self.ours
    }

    /// In Chinese what its `Display` says in English.
    pub fn zh(&self) -> String {
        let Self { pid, theirs, ours, end } = self;
        let found = format!("引擎（进程 {pid}）使用协议版本 {theirs}，本程序使用版本 {ours}");
        if !self.is_older() {
            return format!("{found}：请使用较新的程序");
        }
        let advice = match end {
            Some(command) => format!("请先执行 `{command}` 让它按序结束，再重新启动"),
            None => "需由其用户执行 `skydeck serve --end`，并启动较新的程序".to_owned(),
        };
        format!("{found}：{advice}；在途调用会等其完成，正在执行的运行之后可以恢复")
    }
}

impl std::fmt::Display for OtherVersion {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { pid, theirs, ours, end } = self;
        write!(f, "the engine (process {pid}) speaks version {theirs} of the protocol, this program {ours}: ")?;
        if !self.is_older() {
            return f.write_str("use the newer program");
        }
        match end {
            Some(command) => write!(f, "end it in order with `{command}`, then start again")?,
            None => f.write_str("its user has to end it with `skydeck serve --end` and start the newer program")?,
        }
        f.write_str("; calls in flight finish first, and a run that was working can be resumed")
    }
}
