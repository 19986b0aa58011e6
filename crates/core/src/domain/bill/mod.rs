//! A bill: its status in the ERP, its revision, and what became of it in a run.

mod body;
mod laid_out;
mod outcome;
mod slot;
mod will;

pub use body::{Rendered, Sight};
pub use laid_out::laid_out;
pub use outcome::{Failure, Outcome, Skip, Unknown, UnknownWhy};
pub use slot::Slot;
pub use will::Will;

use serde::{Deserialize, Serialize};

use super::cause::Cause;
use super::ids::{Fid, FormId};
use super::language::Language;
use super::step::Made;
use super::time::{ErpDate, Ts};

/// Kingdee's path of a bill's status.
pub const STATUS_PATH: &str = "FDocumentStatus";
/// Kingdee's path of who audited a bill.
pub const APPROVER_PATH: &str = "FApproverId.FName";

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

    /// What the ERP calls it.
    pub fn word(&self, lang: Language) -> &'static str {
        match self {
            Self::Draft => lang.t("draft", "暂存"),
            Self::Created => lang.t("created", "创建"),
            Self::Submitted => lang.t("submitted", "审核中"),
            Self::Audited => lang.t("audited", "已审核"),
            Self::Reaudit => lang.t("to re-audit", "重新审核"),
            Self::Other(_) => lang.t("other", "其他"),
        }
    }

    /// Word and code, `audited C`; of a record whose system tells none, that there is none. Raw: the code may be anybody's.
    pub fn told(&self, lang: Language) -> String {
        if self.code().is_empty() {
            return lang.t("no status", "没有状态").to_owned();
        }
        format!("{} {}", self.word(lang), self.code())
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
    /// Why it will be refused, where that is certain.
    #[serde(rename = "w", default, skip_serializing_if = "Option::is_none")]
    pub will: Option<Box<Will>>,
    /// What is to be made of it, where the plan makes bills.
    #[serde(rename = "b", default, skip_serializing_if = "Option::is_none")]
    pub body: Option<Box<Rendered>>,
    /// All its rows, each with the plan's columns, where there are several and the plan keeps them.
    #[serde(rename = "l", default, skip_serializing_if = "Vec::is_empty")]
    pub lines: Vec<Vec<String>>,
    /// The bill that a look found in the place of what is to be made. Of the moment.
    #[serde(skip)]
    pub looked: Option<Box<Looked>>,
    /// Path and value of the fields an operation looks at, where those are others than status and approver. Of the moment:
    /// the revision keeps their hash.
    #[serde(skip)]
    pub fields: Vec<(String, String)>,
}

/// A bill that was found under the key of what is to be made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Looked {
    /// Its internal id.
    pub id: Fid,
    /// Its number.
    pub no: String,
    /// Its form.
    pub form: FormId,
    /// How many have the key.
    pub count: u32,
    /// Fields that hold something else than would be sent.
    pub differs: Vec<Difference>,
    /// What differs is that it holds less than the record's quantity.
    pub partly: bool,
}

impl Looked {
    /// The bill that stands for the record: the only one with the key, and with the content that would be sent.
    pub fn as_made(&self) -> Option<Made> {
        let is_it = self.count == 1 && self.differs.is_empty();
        is_it.then(|| Made { id: self.id.clone(), no: self.no.clone(), form: self.form.clone() })
    }
}

/// A field that holds something else than would be sent.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Difference {
    /// Its path.
    pub path: String,
    /// What would be sent.
    pub sent: String,
    /// What is there.
    pub is: String,
}

impl Found {
    /// The value of a field that was looked at; empty for one that was not.
    pub fn field(&self, path: &str) -> &str {
        if path.eq_ignore_ascii_case(STATUS_PATH) {
            return self.rev.status.code();
        }
        if path.eq_ignore_ascii_case(APPROVER_PATH) {
            return self.approver.as_deref().unwrap_or_default();
        }
        self.fields.iter().find(|(known, _)| known.eq_ignore_ascii_case(path)).map_or("", |(_, value)| value)
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

    /// Why it failed, or is to be tried again.
    pub fn failure(&self) -> Option<&Failure> {
        match self {
            Self::RetryAt { failure, .. } => failure.as_deref(),
            Self::Settled(Outcome::Failed(failure)) => Some(failure),
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
