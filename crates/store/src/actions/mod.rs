//! The action log: who ordered what, when, why, and what came of it, as hash-chained JSON lines beside the journal.
//!
//! Invariant: a line is durable before the action it tells of begins; a line is never changed or taken away. The newest
//! line's place and hash also stand in the journal, so that neither can be rewritten without the other.

mod file_log;
mod line;
mod memory_log;

use async_trait::async_trait;
use serde::{Deserialize, Serialize};

use super::StoreError;
pub use file_log::FileLog;
pub use line::{Line, VERSION, line_hash};
pub use memory_log::MemoryLog;
use skydeck_core::domain::action_log::{LogFault, LogPlace, LogWitness};
use skydeck_core::domain::who::Who;

/// Name of the file in the data directory.
pub const FILE: &str = "actions.log";
/// Most ids written out in one line; the set's hash covers them all.
pub const IDS: usize = 1000;

/// At which moment of an action a line was written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Phase {
    /// It was found good and begins now.
    Before,
    /// It was refused; nothing was done.
    Refused,
    /// It was carried out (or could not be): the immediate result.
    After,
    /// The run it led to has ended.
    End,
}

/// What is written of one moment of an action.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Deed {
    /// The moment.
    pub phase: Phase,
    /// The order's id; absent at a run's end.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub order: Option<String>,
    /// Who. The user id is a fact of the kernel, login and address are hints.
    pub by: Who,
    /// Verb.
    pub action: String,
    /// Environment.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub env: Option<String>,
    /// Plan.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub plan: Option<String>,
    /// Revision of the plan.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub plan_rev: Option<String>,
    /// Run.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub run: Option<String>,
    /// Hash of the frozen set.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub set_hash: Option<String>,
    /// Bills concerned.
    pub n: u64,
    /// Their FIDs, the first [`IDS`].
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub ids: Vec<String>,
    /// Reason given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// Why it was refused, or how the run ended: a word for programs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub code: Option<String>,
    /// What stands beside the word.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub args: Option<serde_json::Value>,
    /// What came of it, in English.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub result: String,
}

/// Where action lines go.
#[async_trait]
pub trait ActionLog: Send + Sync {
    /// Writes one line; durable on return.
    async fn write(&self, deed: Deed) -> Result<LogPlace, StoreError>;

    /// Where the log and the journal disagreed when it was opened, until a person accepted that.
    fn faults(&self) -> Vec<LogFault> {
        Vec::new()
    }

    /// What must be durable in the journal before the first line of this process is written; `None` once there is one.
    fn begins(&self) -> Option<LogWitness> {
        None
    }

    /// What a person accepts: the log as it is now. Reads the file.
    fn acceptable(&self) -> Result<Option<LogWitness>, StoreError> {
        Ok(None)
    }

    /// The journal holds that a person accepted it.
    fn accepted(&self) {}
}
