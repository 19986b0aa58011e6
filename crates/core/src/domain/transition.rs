//! What a fact changes: which bill leaves which column for which, and which state a run or a bill takes.
//!
//! Invariant: this is the one place where facts are read for columns and states. The index, the live state and every other
//! fold turn a [`Change`] into writes of their own, so that no two of them can ever disagree.

use super::bill::{BillState, Failure, Found, Outcome, Rev, Slot};
use super::cause::Cause;
use super::event::{Event, Later};
use super::ids::{Fid, RunId, WorkKey};
use super::run::{RunHead, RunState, Tally};
use super::step::{Made, Step, Verdict};
use super::time::Ts;
use super::who::Who;

/// What one fact changes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Change<'a> {
    /// No column and no state; what the fact carries may still be worth keeping.
    Nothing,
    /// A run begins, collecting, without bills.
    Opened(&'a RunHead),
    /// Bills come into a run; they wait.
    Found {
        /// Run.
        run: RunId,
        /// The bills.
        bills: &'a [Found],
    },
    /// A run takes a state.
    Run {
        /// Run.
        run: RunId,
        /// State.
        to: RunState,
        /// The frozen set was approved with it: what becomes of its bills concerns the ledger from here on.
        approves: bool,
    },
    /// Something happened to a bill of a run.
    Bill {
        /// Run.
        run: RunId,
        /// Bill.
        fid: &'a Fid,
        /// What.
        change: BillChange<'a>,
    },
    /// Bills of a closed run are kept no longer; they stay in its sum.
    Gone {
        /// Run.
        run: RunId,
        /// What they were in it.
        gone: &'a Tally,
    },
    /// A person closed an entry of the ledger.
    Resolved {
        /// Bill and operation.
        key: &'a WorkKey,
        /// Who.
        by: &'a Who,
        /// Why.
        reason: &'a str,
    },
    /// A person put an entry of the ledger back.
    Reopened {
        /// Bill and operation.
        key: &'a WorkKey,
        /// Since when it has been unresolved.
        since: Ts,
    },
    /// A fact of a newer program that may move anything of its run.
    NotUnderstood(&'a Later),
}

/// What happened to a bill of a run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum BillChange<'a> {
    /// A call is about to leave. The bill stays in its column.
    Tried {
        /// Bill number.
        no: &'a str,
        /// Step.
        step: Step,
        /// Attempt.
        attempt: u32,
        /// Revision read just before.
        rev: &'a Rev,
    },
    /// The call ended. Neither column nor state.
    Answered {
        /// Step.
        step: Step,
        /// What the answer said.
        verdict: &'a Verdict,
        /// What the call made.
        made: Option<&'a Made>,
        /// Milliseconds it took.
        ms: u32,
    },
    /// Its status was read. Neither column nor state.
    Read {
        /// What was read; `None` when it is gone.
        rev: Option<&'a Rev>,
        /// The bill that stands for it.
        made: Option<&'a Made>,
    },
    /// It waits to be tried again.
    Deferred {
        /// Bill number.
        no: &'a str,
        /// Column it leaves.
        was: Slot,
        /// When it is due.
        until: Ts,
        /// Why.
        cause: &'a Cause,
        /// The refusal, where the ERP refused.
        failure: Option<&'a Failure>,
    },
    /// It has an outcome.
    Settled {
        /// Bill number.
        no: &'a str,
        /// Column it leaves.
        was: Slot,
        /// Outcome.
        outcome: &'a Outcome,
    },
}

impl BillChange<'_> {
    /// The column it leaves and the one it comes into; `None` where it stays.
    pub fn moves(&self) -> Option<(Slot, Slot)> {
        let (from, to) = match self {
            Self::Tried { .. } | Self::Answered { .. } | Self::Read { .. } => return None,
            Self::Deferred { was, .. } => (*was, Slot::Waiting),
            Self::Settled { was, outcome, .. } => (*was, outcome.slot()),
        };
        (from != to).then_some((from, to))
    }

    /// The state it is in afterwards, of a fact of this moment; `None` where it stays as it is.
    pub fn state(&self, at: Ts) -> Option<BillState> {
        match self {
            Self::Tried { step, attempt, .. } => Some(BillState::Trying { step: *step, attempt: *attempt, since: at }),
            Self::Answered { .. } | Self::Read { .. } => None,
            Self::Deferred { until, cause, failure, .. } => Some(BillState::RetryAt {
                at: *until,
                cause: (*cause).clone(),
                failure: failure.map(|failure| Box::new(failure.clone())),
            }),
            Self::Settled { outcome, .. } => Some(BillState::Settled((*outcome).clone())),
        }
    }
}

/// Reads one event.
pub fn transition(event: &Event) -> Change<'_> {
    let run_is = |run: RunId, to: RunState| Change::Run { run, to, approves: false };
    match event {
        Event::RunOpened(head) => Change::Opened(head),
        Event::BillsFound { run, bills } => Change::Found { run: *run, bills },
        Event::RunCollected { run, .. } => run_is(*run, RunState::AwaitingApproval),
        Event::RunApproved { run, .. } => Change::Run { run: *run, to: RunState::Working, approves: true },
        Event::RunPaused { run, why, .. } => run_is(*run, RunState::Paused(why.clone())),
        Event::RunResumed { run, .. } => run_is(*run, RunState::Working),
        Event::RunSettling { run } => run_is(*run, RunState::Settling),
        Event::RunInterrupted { run } => run_is(*run, RunState::Interrupted),
        Event::RunClosed { run, end } => run_is(*run, RunState::Closed(end.clone())),
        Event::StepTried { run, fid, no, step, attempt, rev, .. } => {
            bill(*run, fid, BillChange::Tried { no, step: *step, attempt: *attempt, rev })
        }
        Event::StepAnswered { run, fid, step, verdict, ms, made, .. } => {
            let made = made.as_deref();
            bill(*run, fid, BillChange::Answered { step: *step, verdict, made, ms: *ms })
        }
        Event::BillRead { run, fid, rev, made, .. } => {
            bill(*run, fid, BillChange::Read { rev: rev.as_ref(), made: made.as_deref() })
        }
        Event::BillDeferred { run, fid, no, until, cause, was, failure } => {
            let failure = failure.as_deref();
            bill(*run, fid, BillChange::Deferred { no, was: *was, until: *until, cause, failure })
        }
        Event::BillSettled { run, fid, no, was, outcome } => {
            bill(*run, fid, BillChange::Settled { no, was: *was, outcome })
        }
        Event::RunPruned { run, gone } => Change::Gone { run: *run, gone },
        Event::LedgerResolved { key, by, reason } => Change::Resolved { key, by, reason },
        Event::LedgerReopened { key, since, .. } => Change::Reopened { key, since: *since },
        Event::Later(later) if !later.neutral => Change::NotUnderstood(later),
        Event::Later(_)
        | Event::RunConsented { .. }
        | Event::MarkMoved { .. }
        | Event::ServerBound(_)
        | Event::Pruned(_)
        | Event::ActionTaken(_)
        | Event::LogWitnessed(_)
        | Event::HandedIn(_)
        | Event::AlarmDenied { .. }
        | Event::Forgotten => Change::Nothing,
    }
}

fn bill<'a>(run: RunId, fid: &'a Fid, change: BillChange<'a>) -> Change<'a> {
    Change::Bill { run, fid, change }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::bill::{Unknown, UnknownWhy};
    use crate::domain::step::Blob;

    fn run() -> RunId {
        RunId(ulid::Ulid::nil())
    }

    fn of_bill(event: &Event) -> (Option<(Slot, Slot)>, Option<BillState>) {
        let Change::Bill { change, .. } = transition(event) else { return (None, None) };
        (change.moves(), change.state(Ts(7)))
    }

    #[test]
    fn a_success_taken_back_leaves_its_column_and_an_unknown_told_again_does_not() {
        let unknown = Unknown { why: UnknownWhy::Contradicted, sent: Ts(3), detail: String::new() };
        let outcome = Outcome::Unknown(unknown);
        let settled =
            |was| Event::BillSettled { run: run(), fid: Fid::new("4"), no: "N4".into(), was, outcome: outcome.clone() };
        let state = Some(BillState::Settled(outcome.clone()));
        assert_eq!(of_bill(&settled(Slot::Done)), (Some((Slot::Done, Slot::Unknown)), state.clone()));
        assert_eq!(of_bill(&settled(Slot::Unknown)), (None, state));
    }

    #[test]
    fn a_read_moves_nothing_and_a_neutral_fact_of_a_newer_program_neither() {
        let read = Event::BillRead {
            run: run(),
            fid: Fid::new("4"),
            rev: None,
            approver: None,
            fields: Vec::new(),
            made: None,
        };
        assert_eq!(of_bill(&read), (None, None));
        let later = |tag: &str, neutral| {
            Event::Later(Box::new(Later { tag: tag.into(), run: None, neutral, raw: Blob(Vec::new()) }))
        };
        assert_eq!(transition(&later("~x", true)), Change::Nothing);
        assert!(matches!(transition(&later("x", false)), Change::NotUnderstood(later) if later.tag == "x"));
    }

    #[test]
    fn only_an_approval_approves() {
        let resumed = Event::RunResumed {
            run: run(),
            by: serde_json::from_str(r#"{"uid":1,"login":"op"}"#).unwrap(),
            boot: None,
        };
        let working = Change::Run { run: run(), to: RunState::Working, approves: false };
        assert_eq!(transition(&resumed), working);
    }
}
