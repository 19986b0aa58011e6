//! How a bill ended: done, done before, skipped, refused, or unknown; and why.

use serde::{Deserialize, Serialize};

use super::Status;
use super::slot::Slot;
use crate::domain::bounds;
use crate::domain::cause::{Cause, says_done_before};
use crate::domain::step::Step;
use crate::domain::time::{ErpDate, Ts};

/// What became of a bill: these five, and no others. The words people read come from the operation of the run.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Outcome {
    /// Our call was answered with this bill among the successes, or a read after our call showed its effect.
    #[serde(rename = "au")]
    Done {
        /// True when the answer was lost and a read-back proved it.
        #[serde(rename = "v")]
        verified: bool,
    },
    /// The effect was read before any call of ours in this run, or is the work of somebody else.
    #[serde(rename = "al")]
    Already {
        /// Who did it, as the ERP says.
        #[serde(rename = "b", default, skip_serializing_if = "Option::is_none")]
        by: Option<String>,
        /// When, in server time.
        #[serde(rename = "o", default, skip_serializing_if = "Option::is_none")]
        on: Option<ErpDate>,
    },
    /// Not to be called as the plan stands; no call was made.
    #[serde(rename = "sk")]
    Skipped(Skip),
    /// The ERP said no.
    #[serde(rename = "fa")]
    Failed(Failure),
    /// A request was sent and no usable answer came.
    #[serde(rename = "un")]
    Unknown(Unknown),
}

/// Why a bill was skipped.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Skip {
    /// Status Z and the plan does not submit.
    Draft,
    /// Status A and the plan does not submit.
    Created,
    /// Status D: a person took it back; never automatic.
    Reaudit,
    /// A status code this version does not know.
    OtherStatus(String),
    /// The bill changed after the operator approved it.
    Changed,
    /// The bill is no longer there: the query of a later run and two more reads did not find it either.
    Gone,
    /// The look before the call did not find it. One look proves nothing, so that the ledger keeps it.
    Missing,
    /// Held by a rule the operator or the plan set; the rule's name.
    Held(String),
    /// Unresolved since an earlier run, it would be called, but the plan's filter leaves it out as it is now.
    Outside,
    /// Taken out by the operator.
    Excluded,
    /// The run was cancelled or stopped before this bill's turn.
    NotReached,
    /// The process died on this bill three times.
    Quarantined,
    /// Another run left it unknown; it must be verified first.
    UnknownElsewhere,
    /// What is to be made is there with other content.
    Differs,
    /// A part of the quantity that is to be made is there.
    Partly,
}

impl Skip {
    /// The skip a status leads to when the plan cannot bring the bill to submitted.
    pub fn of_status(status: &Status) -> Self {
        match status {
            Status::Draft => Self::Draft,
            Status::Created => Self::Created,
            Status::Reaudit => Self::Reaudit,
            other => Self::OtherStatus(other.code().to_owned()),
        }
    }

    /// The word used in filters, JSON and exports.
    pub fn word(&self) -> &'static str {
        match self {
            Self::Draft => "draft",
            Self::Created => "created",
            Self::Reaudit => "reaudit",
            Self::OtherStatus(_) => "other_status",
            Self::Changed => "changed",
            Self::Gone => "gone",
            Self::Missing => "missing",
            Self::Held(_) => "held",
            Self::Outside => "outside_filter",
            Self::Excluded => "excluded",
            Self::NotReached => "not_reached",
            Self::Quarantined => "quarantined",
            Self::UnknownElsewhere => "unknown_elsewhere",
            Self::Differs => "differs",
            Self::Partly => "partly",
        }
    }
}

/// The ERP's refusal, kept word for word, with our reading of it beside.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Failure {
    /// Our class.
    #[serde(rename = "c")]
    pub cause: Cause,
    /// `MsgCode` of the answer (docs/design/wire.md#msgcode).
    #[serde(rename = "k", default, skip_serializing_if = "Option::is_none")]
    pub msg_code: Option<i64>,
    /// `FieldName` of the error.
    #[serde(rename = "f", default, skip_serializing_if = "Option::is_none")]
    pub field: Option<String>,
    /// The server's message, raw: it becomes `Shown` before it reaches a screen.
    #[serde(rename = "m")]
    pub message: String,
}

impl Failure {
    /// Whether it says that what a step asks for had been done before the call.
    pub fn says_already(&self, step: Step) -> bool {
        says_done_before(step, &self.cause, &self.message)
    }

    /// With its words cut.
    #[must_use]
    pub fn bounded(self) -> Self {
        Self { message: bounds::words(self.message), field: self.field.map(bounds::words), ..self }
    }
}

/// A call without a usable answer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Unknown {
    /// What happened to the call.
    #[serde(rename = "w")]
    pub why: UnknownWhy,
    /// When the request left; settling counts from here.
    #[serde(rename = "s")]
    pub sent: Ts,
    /// The transport's or our own words.
    #[serde(rename = "d", default, skip_serializing_if = "String::is_empty")]
    pub detail: String,
}

/// Ways to end without knowing.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum UnknownWhy {
    /// The limit passed without an answer.
    TimedOut,
    /// The connection broke after sending.
    Broken,
    /// An HTTP status that says nothing about the bill.
    HttpStatus(u16),
    /// A body that is no strict, complete answer: HTML, empty, cut, wrong shape.
    Unreadable,
    /// A body over the limit.
    TooLarge,
    /// A redirect: not followed.
    Redirected,
    /// The answer does not name this bill.
    NotNamed,
    /// The answer names bills that were not asked.
    WrongIds,
    /// The session was lost on a write.
    SessionLost,
    /// The server said something that leaves the effect open (database exception).
    ServerFault,
    /// Our process died, or our task did, after the intent.
    ProcessDied,
    /// The answer came but could not be stored.
    StoreFailed,
    /// Read back: changed while unknown; the status now. Only the operator can decide.
    ChangedSince(Status),
    /// Read back: no longer there. Only the operator can decide.
    GoneSince,
    /// Two reads contradict the success that was answered.
    Contradicted,
    /// What was made has another key than the one sent.
    KeyNotHonoured,
    /// Read back: several records have the key. By id there is never more than one.
    Many,
    /// Read back: nothing is there, and nothing would stop a second one.
    Absent,
}

impl UnknownWhy {
    /// Whether reading back was done and cannot settle it: only the operator can.
    pub fn needs_operator(&self) -> bool {
        match self {
            Self::ChangedSince(_) | Self::GoneSince | Self::KeyNotHonoured | Self::Many | Self::Absent => true,
            Self::TimedOut
            | Self::Broken
            | Self::HttpStatus(_)
            | Self::Unreadable
            | Self::TooLarge
            | Self::Redirected
            | Self::NotNamed
            | Self::WrongIds
            | Self::SessionLost
            | Self::ServerFault
            | Self::ProcessDied
            | Self::StoreFailed
            | Self::Contradicted => false,
        }
    }

    /// The word used in filters, JSON and exports.
    pub fn word(&self) -> &'static str {
        match self {
            Self::TimedOut => "timed_out",
            Self::Broken => "broken",
            Self::HttpStatus(_) => "http_status",
            Self::Unreadable => "unreadable",
            Self::TooLarge => "too_large",
            Self::Redirected => "redirected",
            Self::NotNamed => "not_named",
            Self::WrongIds => "wrong_ids",
            Self::SessionLost => "session_lost",
            Self::ServerFault => "server_fault",
            Self::ProcessDied => "process_died",
            Self::StoreFailed => "store_failed",
            Self::ChangedSince(_) => "changed_since",
            Self::GoneSince => "gone_since",
            Self::Contradicted => "contradicted",
            Self::KeyNotHonoured => "key_not_honoured",
            Self::Many => "many",
            Self::Absent => "absent",
        }
    }
}

impl Outcome {
    /// Column of the sum line.
    pub fn slot(&self) -> Slot {
        match self {
            Self::Done { .. } => Slot::Done,
            Self::Already { .. } => Slot::Already,
            // Of 0.1.0, too: it stood in the column of the skipped there.
            Self::Skipped(Skip::NotReached) => Slot::NotReached,
            Self::Skipped(_) => Slot::Skipped,
            Self::Failed(_) => Slot::Failed,
            Self::Unknown(_) => Slot::Unknown,
        }
    }

    /// Whether nothing is left to do for this bill: it stays out of the ledger.
    pub fn is_resolved(&self) -> bool {
        match self {
            Self::Done { .. } | Self::Already { .. } | Self::Skipped(Skip::Gone | Skip::Excluded) => true,
            Self::Skipped(_) | Self::Failed(_) | Self::Unknown(_) => false,
        }
    }

    /// What the ledger groups by: the cause of a failure, the reason of a skip, the way of not knowing.
    pub fn group(&self) -> Option<String> {
        match self {
            Self::Done { .. } | Self::Already { .. } => None,
            Self::Skipped(why) => Some(why.word().to_owned()),
            Self::Failed(failure) => Some(failure.cause.as_str().to_owned()),
            Self::Unknown(unknown) => Some(unknown.why.word().to_owned()),
        }
    }
}

impl Outcome {
    /// With its words cut: a store of before kept them whole.
    #[must_use]
    pub fn bounded(self) -> Self {
        match self {
            Self::Failed(failure) => Self::Failed(failure.bounded()),
            Self::Unknown(unknown) => {
                let detail = bounds::words(unknown.detail);
                Self::Unknown(Unknown { detail, ..unknown })
            }
            Self::Done { .. } | Self::Already { .. } | Self::Skipped(_) => self,
        }
    }
}
