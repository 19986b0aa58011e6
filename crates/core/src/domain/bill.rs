//! A bill: its status in the ERP, its revision, and what became of it in a run.

use serde::{Deserialize, Serialize};

use super::cause::{Cause, says_done_before};
use super::ids::Fid;
use super::step::Step;
use super::time::{ErpDate, Ts};

/// `FDocumentStatus` (docs/design/wire.md#document-status).
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(from = "String", into = "String")]
pub enum Status {
    /// `Z` 暂存.
    Draft,
    /// `A` 创建.
    Created,
    /// `B` 审核中: submitted, waiting for audit. The only one that can be audited.
    Submitted,
    /// `C` 已审核.
    Audited,
    /// `D` 重新审核: un-audited or withdrawn by a person.
    Reaudit,
    /// A code this version does not know.
    Other(String),
}

impl Status {
    /// The one-letter code.
    pub fn code(&self) -> &str {
        match self {
            Self::Draft => "Z",
            Self::Created => "A",
            Self::Submitted => "B",
            Self::Audited => "C",
            Self::Reaudit => "D",
            Self::Other(code) => code,
        }
    }
}

impl From<String> for Status {
    fn from(code: String) -> Self {
        match code.trim() {
            "Z" => Self::Draft,
            "A" => Self::Created,
            "B" => Self::Submitted,
            "C" => Self::Audited,
            "D" => Self::Reaudit,
            _ => Self::Other(code),
        }
    }
}

impl From<Status> for String {
    fn from(status: Status) -> Self {
        status.code().to_owned()
    }
}

/// What an approval is about: the bill as it stood when it was read. Any later edit gives another revision.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Rev {
    /// Status at that moment.
    #[serde(rename = "s")]
    pub status: Status,
    /// `FModifyDate` at that moment, where the form has it.
    #[serde(rename = "m", default, skip_serializing_if = "Option::is_none")]
    pub modified: Option<ErpDate>,
    /// Hash of the fields an operation looks at, where those are others than the status.
    #[serde(rename = "h", default, skip_serializing_if = "Option::is_none")]
    pub state: Option<u64>,
}

impl Rev {
    /// A revision that is told by status and modification date alone.
    pub fn new(status: Status, modified: Option<ErpDate>) -> Self {
        Self { status, modified, state: None }
    }
}

/// A bill as one query row told it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Found {
    /// `FID`.
    #[serde(rename = "i")]
    pub fid: Fid,
    /// `FBillNo`, what people call it.
    #[serde(rename = "n")]
    pub no: String,
    /// Status and modification date.
    #[serde(rename = "r")]
    pub rev: Rev,
    /// Who audited it, where the form says.
    #[serde(rename = "a", default, skip_serializing_if = "Option::is_none")]
    pub approver: Option<String>,
    /// When it was audited, in server time.
    #[serde(rename = "d", default, skip_serializing_if = "Option::is_none")]
    pub approved: Option<ErpDate>,
    /// Value of the filter's own date column, from which the mark is taken.
    #[serde(rename = "k", default, skip_serializing_if = "Option::is_none")]
    pub marked: Option<ErpDate>,
    /// The plan's columns in order, as text; names stand in [`super::run::RunHead::columns`].
    #[serde(rename = "c", default, skip_serializing_if = "Vec::is_empty")]
    pub columns: Vec<String>,
    /// It is tried although nothing about it changed: once a day one of the bills that this cause keeps back, to see whether it
    /// is gone.
    #[serde(rename = "p", default, skip_serializing_if = "Option::is_none")]
    pub probe: Option<Cause>,
    /// The run did not find it: all of this is what an earlier run read. Only where the same reads showed other bills.
    #[serde(rename = "x", default, skip_serializing_if = "std::ops::Not::not")]
    pub absent: bool,
    /// The run took it up from the ledger, and the plan's filter leaves it out as it is now.
    #[serde(rename = "o", default, skip_serializing_if = "std::ops::Not::not")]
    pub outside: bool,
    /// Path and value of the fields an operation looks at, where those are others than status and approver. Of the moment:
    /// the revision keeps their hash.
    #[serde(skip)]
    pub fields: Vec<(String, String)>,
}

impl Found {
    /// The value of a field that was looked at; empty for one that was not.
    pub fn field(&self, path: &str) -> &str {
        use super::operation::{APPROVER_PATH, STATUS_PATH};
        if path.eq_ignore_ascii_case(STATUS_PATH) {
            return self.rev.status.code();
        }
        if path.eq_ignore_ascii_case(APPROVER_PATH) {
            return self.approver.as_deref().unwrap_or_default();
        }
        self.fields.iter().find(|(known, _)| known.eq_ignore_ascii_case(path)).map_or("", |(_, value)| value)
    }
}

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
    /// What is to be made is there with other content. Nothing writes it yet: it comes with Save.
    Differs,
    /// A part of what is to be made is there. Nothing writes it yet: it comes with Push.
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
    /// What was made has another key than the one sent. Nothing writes it yet: it comes with Save.
    KeyNotHonoured,
    /// Read back: several records have the key. Nothing writes it yet: by id there is never more than one.
    Many,
    /// Read back: nothing is there, and nothing would stop a second one. Nothing writes it yet: it comes with Save.
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

/// Where a bill stands in its run.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum BillState {
    /// Found, not started.
    #[serde(rename = "w")]
    Waiting,
    /// A call is in flight (its intent is durable).
    #[serde(rename = "t")]
    Trying {
        /// Which step.
        #[serde(rename = "s")]
        step: super::step::Step,
        /// Which attempt at that step, from 1.
        #[serde(rename = "n")]
        attempt: u32,
        /// Since when.
        #[serde(rename = "a")]
        since: Ts,
    },
    /// A passing refusal (edit lock, call limit) or an unsent call; due again later.
    #[serde(rename = "r")]
    RetryAt {
        /// When.
        #[serde(rename = "a")]
        at: Ts,
        /// Why.
        #[serde(rename = "c")]
        cause: Cause,
        /// The refusal, where the ERP refused: what is said when its turn does not come again.
        #[serde(rename = "x", default, skip_serializing_if = "Option::is_none")]
        failure: Option<Box<Failure>>,
    },
    /// Ended, or unknown.
    #[serde(rename = "s")]
    Settled(Outcome),
}

impl BillState {
    /// Column of the sum line.
    pub fn slot(&self) -> Slot {
        match self {
            Self::Waiting | Self::Trying { .. } | Self::RetryAt { .. } => Slot::Waiting,
            Self::Settled(outcome) => outcome.slot(),
        }
    }

    /// The outcome, once there is one.
    pub fn outcome(&self) -> Option<&Outcome> {
        match self {
            Self::Settled(outcome) => Some(outcome),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn status(code: &str) -> Status {
        Status::from(code.to_owned())
    }

    #[test]
    fn a_status_is_skipped_under_its_own_name() {
        for (code, skip) in [
            ("Z", Skip::Draft),
            ("A", Skip::Created),
            ("B", Skip::OtherStatus("B".into())),
            ("C", Skip::OtherStatus("C".into())),
            ("D", Skip::Reaudit),
            ("X", Skip::OtherStatus("X".into())),
        ] {
            assert_eq!(Skip::of_status(&status(code)), skip);
            assert_eq!(Skip::of_status(&status(&format!(" {code} "))).word(), skip.word());
        }
    }

    #[test]
    fn every_outcome_has_its_column_its_group_and_stays_in_the_ledger_or_not() {
        let unknown = |why| Outcome::Unknown(Unknown { why, sent: Ts(1), detail: String::new() });
        let failed = Failure { cause: Cause::new("stock"), msg_code: None, field: None, message: "m".into() };
        for (outcome, slot, resolved, group) in [
            (Outcome::Done { verified: false }, Slot::Done, true, None),
            (Outcome::Already { by: None, on: None }, Slot::Already, true, None),
            (Outcome::Skipped(Skip::NotReached), Slot::NotReached, false, Some("not_reached")),
            (Outcome::Skipped(Skip::Gone), Slot::Skipped, true, Some("gone")),
            (Outcome::Skipped(Skip::Missing), Slot::Skipped, false, Some("missing")),
            (Outcome::Skipped(Skip::Excluded), Slot::Skipped, true, Some("excluded")),
            (Outcome::Skipped(Skip::Changed), Slot::Skipped, false, Some("changed")),
            (Outcome::Failed(failed), Slot::Failed, false, Some("stock")),
            (unknown(UnknownWhy::TimedOut), Slot::Unknown, false, Some("timed_out")),
        ] {
            assert_eq!((outcome.slot(), outcome.is_resolved(), outcome.group().as_deref()), (slot, resolved, group));
            let state = BillState::Settled(outcome.clone());
            assert_eq!((state.slot(), state.outcome()), (slot, Some(&outcome)));
        }
        assert_eq!((BillState::Waiting.slot(), BillState::Waiting.outcome()), (Slot::Waiting, None));
    }

    #[test]
    fn only_what_no_read_can_tell_needs_a_person() {
        for (why, needs) in [
            (UnknownWhy::ChangedSince(Status::Draft), true),
            (UnknownWhy::GoneSince, true),
            (UnknownWhy::KeyNotHonoured, true),
            (UnknownWhy::Many, true),
            (UnknownWhy::Absent, true),
            (UnknownWhy::TimedOut, false),
            (UnknownWhy::ProcessDied, false),
            (UnknownWhy::StoreFailed, false),
            (UnknownWhy::Contradicted, false),
        ] {
            assert_eq!(why.needs_operator(), needs, "{why:?}");
        }
    }
}
