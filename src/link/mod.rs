//! How a console or a headless verb talks to the engine: submit an order, ask a question, watch what happens.
//! The same three methods whether the engine lives in this process or behind a socket.
//!
//! Invariant: a reader that lags is told so and starts again from a snapshot; it never slows the engine.

use std::sync::Arc;

use async_trait::async_trait;
use tokio::sync::mpsc;

use crate::domain::command::{Order, Receipt};
use crate::domain::event::Fact;
use crate::domain::live::{Live, Pulse};
use crate::domain::query::{Answer, Query};

pub mod ended;
pub mod frame;
pub mod local;
pub mod peer;
pub mod pending;
pub mod remote;
pub mod serve;
pub mod version;

/// What a watcher receives.
#[derive(Clone, Debug)]
pub enum Notice {
    /// Facts in order, without holes.
    Facts(Arc<[Fact]>),
    /// Pace, session, breaker; only while something runs or changes.
    Pulse(Pulse),
    /// The plan directory was read again.
    PlansReloaded,
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
    #[error("ended by {by} (process {pid}); start `skydeck` again to go on")]
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
    #[error("nobody serves {0}")]
    Absent(String),
    /// It was started by a program of another version.
    #[error("{0}")]
    Version(version::OtherVersion),
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
    Store(#[from] crate::store::StoreError),
}

impl Gone {
    /// In Chinese.
    pub fn zh(&self) -> String {
        match self {
            Self::Ended { pid, by } => format!("进程 {pid} 已被 {by} 结束；请重新启动 skydeck"),
            Self::Silent(process) => format!("进程仍在，但没有应答（{process}）"),
            Self::Lost => "连接已断开".to_owned(),
            Self::Absent(socket) => format!("{socket} 无人服务"),
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
