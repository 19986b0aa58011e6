//! A bill's status in the ERP after what was done, and what that is known by.
//!
//! Invariant: a status that was read before a call is never told as the one after it.

use serde::{Deserialize, Serialize};

use super::bill::{BillState, Outcome, Skip, Status, Unknown, UnknownWhy};
use super::ids::OpId;
use super::operation_words::made_form;
use super::run::BillRow;
use super::time::{ErpDate, Ts};

/// What the ERP last said of a bill's status. A call that leaves makes it void: what was said before it may no longer hold.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Heard {
    /// When, by our clock.
    #[serde(rename = "t")]
    pub at: Ts,
    /// The status; `None` when the bill is no longer there.
    #[serde(rename = "s", default, skip_serializing_if = "Option::is_none")]
    pub status: Option<Status>,
    /// It follows from the answer to a call of ours; else it was read.
    #[serde(rename = "a", default, skip_serializing_if = "std::ops::Not::not")]
    pub answer: bool,
}

/// What a status is known by.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Ground {
    /// The query found it so, and no call was made since.
    Found,
    /// It was read before the call; the call did not change it for all the ERP said, and it was not read after.
    Before,
    /// It follows from the ERP's answer to our call.
    Answer,
    /// It was read after the last call.
    Read,
    /// A read showed that the bill is no longer there.
    Gone,
    /// A call left whose effect is not known: the status is unknown since.
    Open,
    /// Of a bill that is made: none is there yet, or it was not read. What was read before is its source.
    Unread,
}

impl Ground {
    /// The word used in JSON and exports.
    pub fn word(self) -> &'static str {
        match self {
            Self::Found => "found",
            Self::Before => "before_call",
            Self::Answer => "answer",
            Self::Read => "read",
            Self::Gone => "gone",
            Self::Open => "unknown_since",
            Self::Unread => "not_read",
        }
    }

    /// The same in Chinese.
    pub fn zh(self) -> &'static str {
        match self {
            Self::Found => "查询所见",
            Self::Before => "调用前所读",
            Self::Answer => "按响应",
            Self::Read => "读取",
            Self::Gone => "已被删除",
            Self::Open => "起不明",
            Self::Unread => "未读取",
        }
    }
}

/// The status after what was done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct After {
    /// The status, where it is known.
    pub status: Option<Status>,
    /// What it is known by.
    pub ground: Ground,
    /// Since when that is known, by our clock; of [`Ground::Open`] since when it is not. `None`: as old as the query.
    pub at: Option<Ts>,
    /// When the bill was audited, by the ERP's clock, where it was read.
    pub audited: Option<ErpDate>,
}

/// The status an operation leads to, where its name alone tells.
fn leads_to(op: &OpId) -> Option<Status> {
    match op {
        op if op.is_audit() => Some(Status::Audited),
        op if op.as_str() == "Submit" => Some(Status::Submitted),
        _ => None,
    }
}

impl After {
    /// What a row says of its bill.
    pub fn of(row: &BillRow) -> Self {
        let read = |status: Option<Status>, ground| Self { status, ground, at: Some(row.at), audited: None };
        let before = |ground| Self { status: Some(row.rev.status.clone()), ground, at: None, audited: None };
        let unread = Self { status: None, ground: Ground::Unread, at: None, audited: None };
        // The row's revision is the source's until that of the made bill is taken over.
        let is_source = made_form(&row.key.op).is_some() && row.found.is_none();
        if row.untold {
            return if is_source { unread } else { before(Ground::Found) };
        }
        let said = row.heard.as_ref().map(|heard| match (&heard.status, heard.answer) {
            (None, _) => Self { at: Some(heard.at), ..read(None, Ground::Gone) },
            (Some(status), true) => Self { at: Some(heard.at), ..read(Some(status.clone()), Ground::Answer) },
            (Some(status), false) => Self { at: Some(heard.at), ..read(Some(status.clone()), Ground::Read) },
        });
        // Whether a call was made or not, nothing says that the status is another one.
        let stood = || {
            if is_source {
                unread.clone()
            } else {
                before(if row.attempts == 0 { Ground::Found } else { Ground::Before })
            }
        };
        let open = |since| Self { status: None, ground: Ground::Open, at: Some(since), audited: None };
        match &row.state {
            BillState::Trying { step, since, .. } if step.writes() => open(*since),
            BillState::Settled(outcome) => match Self::settled(&row.key.op, outcome, row.at) {
                // What was read stands above what follows.
                Some(follows) => said.map_or(follows.clone(), |said| Self { audited: follows.audited, ..said }),
                None => said.unwrap_or_else(|| match outcome {
                    Outcome::Unknown(unknown) => open(unknown.sent),
                    Outcome::Done { .. } | Outcome::Already { .. } | Outcome::Skipped(_) | Outcome::Failed(_) => {
                        stood()
                    }
                }),
            },
            BillState::Waiting | BillState::Trying { .. } | BillState::RetryAt { .. } => said.unwrap_or_else(stood),
        }
    }

    /// What follows from an outcome by itself; `None` where nothing does.
    pub fn settled(op: &OpId, outcome: &Outcome, at: Ts) -> Option<Self> {
        let known = |status, ground| Self { status: Some(status), ground, at: Some(at), audited: None };
        match outcome {
            Outcome::Done { verified: false } => leads_to(op).map(|status| known(status, Ground::Answer)),
            // A bill that was submitted may be found audited by then.
            Outcome::Done { verified: true } if op.is_audit() => Some(known(Status::Audited, Ground::Read)),
            Outcome::Already { on, .. } if op.is_audit() => {
                Some(Self { audited: on.clone(), ..known(Status::Audited, Ground::Read) })
            }
            Outcome::Skipped(Skip::Draft) => Some(known(Status::Draft, Ground::Read)),
            Outcome::Skipped(Skip::Created) => Some(known(Status::Created, Ground::Read)),
            Outcome::Skipped(Skip::Reaudit) => Some(known(Status::Reaudit, Ground::Read)),
            Outcome::Skipped(Skip::OtherStatus(code)) => Some(known(Status::from(code.clone()), Ground::Read)),
            Outcome::Unknown(Unknown { why: UnknownWhy::ChangedSince(status), .. }) => {
                Some(known(status.clone(), Ground::Read))
            }
            Outcome::Skipped(Skip::Gone | Skip::Missing)
            | Outcome::Unknown(Unknown { why: UnknownWhy::GoneSince, .. }) => {
                Some(Self { status: None, ground: Ground::Gone, at: Some(at), audited: None })
            }
            Outcome::Done { .. }
            | Outcome::Already { .. }
            | Outcome::Skipped(_)
            | Outcome::Failed(_)
            | Outcome::Unknown(_) => None,
        }
    }

    /// The code of the status; empty where it is not known.
    pub fn code(&self) -> &str {
        self.status.as_ref().map_or("", Status::code)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::bill::{Failure, Rev};
    use crate::domain::cause::Cause;
    use crate::domain::ids::{EnvId, Fid, FormId, PlanId, RecordKey, RunId};
    use crate::domain::step::Step;

    fn row(op: &str, state: BillState, attempts: u32, heard: Option<Heard>) -> BillRow {
        let record = RecordKey { env: EnvId::new("e"), form: FormId::new("f"), fid: Fid::from(7) };
        BillRow {
            run: RunId(ulid::Ulid::from_parts(1, 1)),
            plan: PlanId::new("p"),
            key: record.under(&OpId::new(op)),
            no: "XSCKD000007".to_owned(),
            state,
            rev: Rev::new(Status::Submitted, None),
            found: None,
            heard,
            attempts,
            at: Ts(50),
            columns: Vec::new(),
            open_since: None,
            made: None,
            untold: false,
            resolved_before: None,
            will: None,
        }
    }

    fn said(
        op: &str,
        outcome: Outcome,
        attempts: u32,
        heard: Option<(i64, Option<Status>, bool)>,
    ) -> (String, Ground, Option<i64>) {
        let heard = heard.map(|(at, status, answer)| Heard { at: Ts(at), status, answer });
        let after = After::of(&row(op, BillState::Settled(outcome), attempts, heard));
        (after.code().to_owned(), after.ground, after.at.map(|at| at.0))
    }

    fn failed() -> Outcome {
        let cause = Cause::new("stock");
        Outcome::Failed(Failure { cause, msg_code: None, field: None, message: String::new() })
    }

    fn unknown(why: UnknownWhy) -> Outcome {
        Outcome::Unknown(Unknown { why, sent: Ts(40), detail: String::new() })
    }

    #[test]
    fn a_status_read_before_a_call_is_never_told_as_the_one_after() {
        let done = || Outcome::Done { verified: false };
        for (op, outcome, attempts, heard, want) in [
            ("", done(), 1, None, ("C", Ground::Answer, Some(50))),
            ("Submit", done(), 1, None, ("B", Ground::Answer, Some(50))),
            // What a close does to the status nothing says; what a read said of it stands.
            ("BillClose", done(), 1, None, ("B", Ground::Before, None)),
            ("BillClose", done(), 1, Some((60, Some(Status::Audited), false)), ("C", Ground::Read, Some(60))),
            // A read after an answer outranks it, and may contradict it.
            ("", done(), 1, Some((60, Some(Status::Submitted), false)), ("B", Ground::Read, Some(60))),
            ("", Outcome::Done { verified: true }, 1, None, ("C", Ground::Read, Some(50))),
            ("Submit", Outcome::Done { verified: true }, 1, None, ("B", Ground::Before, None)),
            ("", Outcome::Already { by: None, on: None }, 0, None, ("C", Ground::Read, Some(50))),
            (
                "Submit",
                Outcome::Already { by: None, on: None },
                0,
                Some((49, Some(Status::Audited), false)),
                ("C", Ground::Read, Some(49)),
            ),
            ("", failed(), 1, None, ("B", Ground::Before, None)),
            ("", failed(), 0, None, ("B", Ground::Found, None)),
            ("", failed(), 2, Some((45, Some(Status::Reaudit), false)), ("D", Ground::Read, Some(45))),
            // The first of two steps was answered; the second was never called.
            ("", failed(), 1, Some((45, Some(Status::Submitted), true)), ("B", Ground::Answer, Some(45))),
            ("", unknown(UnknownWhy::TimedOut), 1, None, ("", Ground::Open, Some(40))),
            ("", unknown(UnknownWhy::ChangedSince(Status::Reaudit)), 1, None, ("D", Ground::Read, Some(50))),
            ("", unknown(UnknownWhy::GoneSince), 1, Some((48, None, false)), ("", Ground::Gone, Some(48))),
            ("", Outcome::Skipped(Skip::Gone), 0, None, ("", Ground::Gone, Some(50))),
            ("", Outcome::Skipped(Skip::Missing), 0, None, ("", Ground::Gone, Some(50))),
            (
                "",
                Outcome::Skipped(Skip::Changed),
                0,
                Some((50, Some(Status::Created), false)),
                ("A", Ground::Read, Some(50)),
            ),
            ("", Outcome::Skipped(Skip::NotReached), 0, None, ("B", Ground::Found, None)),
        ] {
            let told = said(op, outcome.clone(), attempts, heard);
            assert_eq!((told.0.as_str(), told.1, told.2), want, "{op} {outcome:?}");
        }
    }

    #[test]
    fn a_call_in_flight_leaves_the_status_unknown_and_a_bill_that_waits_keeps_it() {
        let trying = BillState::Trying { step: Step::Audit, attempt: 1, since: Ts(30) };
        let after = After::of(&row("", trying, 1, None));
        assert_eq!((after.ground, after.at, after.status), (Ground::Open, Some(Ts(30)), None));
        let after = After::of(&row("", BillState::Waiting, 0, None));
        assert_eq!((after.ground, after.code()), (Ground::Found, "B"));
        let again = BillState::RetryAt { at: Ts(90), cause: Cause::new("lock"), failure: None };
        assert_eq!(After::of(&row("", again, 1, None)).ground, Ground::Before);
        let untold = BillRow { made: None, untold: true, ..row("", BillState::Settled(failed()), 1, None) };
        assert_eq!(After::of(&untold).ground, Ground::Found);
    }
}
