//! The columns of the sum line: each bill of a run stands in one.

use serde::{Deserialize, Serialize};

/// The columns of the sum line. Every bill of a run stands in exactly one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Slot {
    /// Not settled yet: waiting, in flight, or due to be repeated.
    #[serde(rename = "w")]
    Waiting,
    /// Done by our call.
    #[serde(rename = "a")]
    Done,
    /// Done before any call of ours.
    #[serde(rename = "l")]
    Already,
    /// Skipped.
    #[serde(rename = "s")]
    Skipped,
    /// Failed.
    #[serde(rename = "f")]
    Failed,
    /// Unknown.
    #[serde(rename = "u")]
    Unknown,
    /// The approved run ended before its turn.
    #[serde(rename = "n")]
    NotReached,
}

impl Slot {
    /// All, in the order of the sum line.
    pub const ALL: [Self; 7] =
        [Self::Done, Self::Already, Self::Skipped, Self::Failed, Self::Unknown, Self::NotReached, Self::Waiting];

    /// The word scripts know from 0.1.0 on, whatever the operation.
    pub fn code(self) -> &'static str {
        match self {
            Self::Done => "audited",
            Self::Already => "already_audited",
            Self::Waiting | Self::Skipped | Self::Failed | Self::Unknown | Self::NotReached => self.word(),
        }
    }

    /// The word used in filters.
    pub fn word(self) -> &'static str {
        match self {
            Self::Waiting => "waiting",
            Self::Done => "done",
            Self::Already => "already",
            Self::Skipped => "skipped",
            Self::Failed => "failed",
            Self::Unknown => "unknown",
            Self::NotReached => "not_reached",
        }
    }
}
