//! What does not verify in a data directory or in a copy of one, and how a copy of it is marked.

use crate::words;
use serde::{Deserialize, Serialize};

use skydeck_core::domain::action_log::LogFault;

/// Faults named one by one; the rest is counted.
const NAMED: usize = 5;

/// What does not verify. In a manifest: the copy is no backup, and is never taken for one.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Damage {
    /// Damage of the journal, each with segment, offset, fact and what it is.
    #[serde(default)]
    pub journal: Vec<String>,
    /// Where the action log and the journal disagree; not compared where the journal is damaged.
    #[serde(default)]
    pub log: Vec<LogFault>,
    /// The last fact that had once been durable, which the journal may not reach any more.
    #[serde(default)]
    pub durable: u64,
    /// Why a person wanted the copy all the same; unset where the program made it before it raised the directory.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// Who that was.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub by: Option<String>,
}

impl Damage {
    /// Whether everything verifies.
    pub fn is_none(&self) -> bool {
        self.journal.is_empty() && self.log.is_empty()
    }

    /// What is wrong, in English.
    pub fn en(&self) -> String {
        let journal = self.journal.iter().map(|what| format!("the journal is damaged: {what}"));
        listed(journal.chain(self.log.iter().map(LogFault::en)), "; ", "more")
    }

    /// What is wrong, in Chinese.
    pub fn zh(&self) -> String {
        let journal = self.journal.iter().map(|what| format!("流水已损坏：{}", words::chinese(what)));
        listed(journal.chain(self.log.iter().map(LogFault::zh)), "；", "处")
    }
}

fn listed(all: impl Iterator<Item = String>, between: &str, more: &str) -> String {
    let mut all: Vec<String> = all.collect();
    let rest = all.len().saturating_sub(NAMED);
    all.truncate(NAMED);
    let mut text = all.join(between);
    if rest > 0 {
        text = format!("{text}{between}… {rest} {more}");
    }
    text
}
