//! Facts: the whole interface between the engine and every reader, and the whole content of the journal.
//!
//! Invariant: a fact is durable before anybody sees it. Fields are only ever added, with defaults; golden
//! journals of older versions must keep replaying.

use serde::{Deserialize, Serialize};

use super::action_log::{LogPlace, LogWitness};
use super::bill::Failure;
use super::bill::{Found, Outcome, Rev, Slot};
use super::cause::Cause;
use super::forecast::Named;
use super::handed_in::HandedIn;
use super::ids::{CallId, CommandId, EnvId, Fid, PlanId, RunId, Seq, SetHash, WorkKey};
use super::reason::Reason;
use super::run::{Collected, Consent, Flag, Mark, PauseWhy, RunEnd, RunHead, Tally};
use super::server::ServerBound;
use super::step::{Blob, Evidence, Intent, Made, Step, Verdict};
use super::time::Ts;
use super::who::Who;

/// An event with its place in the journal.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Fact {
    /// Place; stamped by the store.
    #[serde(rename = "q")]
    pub seq: Seq,
    /// Wall time, for people.
    #[serde(rename = "t")]
    pub at: Ts,
    /// What happened.
    #[serde(rename = "e")]
    pub event: Event,
}

/// What can happen.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Event {
    /// A run began to collect.
    #[serde(rename = "ro")]
    RunOpened(Box<RunHead>),
    /// Bills of one page (at most 100 an event). A bill is found once in a run.
    #[serde(rename = "bf")]
    BillsFound {
        /// Run.
        #[serde(rename = "r")]
        run: RunId,
        /// The bills, ascending by FID within the event.
        #[serde(rename = "b")]
        bills: Vec<Found>,
    },
    /// All pages are in.
    #[serde(rename = "rc")]
    RunCollected {
        /// Run.
        #[serde(rename = "r")]
        run: RunId,
        /// The frozen set.
        #[serde(rename = "c")]
        collected: Collected,
    },
    /// An operator (or the schedule) approved the frozen set. The mark moves in the same append.
    #[serde(rename = "ra")]
    RunApproved {
        /// Run.
        #[serde(rename = "r")]
        run: RunId,
        /// Who.
        #[serde(rename = "w")]
        by: Who,
        /// The set that was approved.
        #[serde(rename = "h")]
        hash: SetHash,
        /// Rule-changing flags chosen for this run.
        #[serde(rename = "f", default, skip_serializing_if = "Vec::is_empty")]
        flags: Vec<Flag>,
        /// Why the flags were chosen.
        #[serde(rename = "y", default, skip_serializing_if = "Option::is_none")]
        reason: Option<String>,
        /// The start of the machine under which the process that goes to work counts its moments.
        #[serde(rename = "b", default, skip_serializing_if = "Option::is_none")]
        boot: Option<String>,
    },
    /// The first of two persons approved the frozen set; the run waits for another one.
    #[serde(rename = "rk")]
    RunConsented {
        /// Run.
        #[serde(rename = "r")]
        run: RunId,
        /// What was approved, by whom.
        #[serde(rename = "c")]
        consent: Consent,
    },
    /// The mark of a plan in an environment moved.
    #[serde(rename = "mm")]
    MarkMoved {
        /// Plan.
        #[serde(rename = "p")]
        plan: PlanId,
        /// Environment.
        #[serde(rename = "e")]
        env: EnvId,
        /// Where to.
        #[serde(rename = "m")]
        to: Mark,
    },
    /// Intent: durable before the request leaves.
    #[serde(rename = "st")]
    StepTried {
        /// Run.
        #[serde(rename = "r")]
        run: RunId,
        /// Bill.
        #[serde(rename = "i")]
        fid: Fid,
        /// Bill number, so that readers need no look-up.
        #[serde(rename = "n")]
        no: String,
        /// Step.
        #[serde(rename = "s")]
        step: Step,
        /// Attempt at this step in this run, from 1.
        #[serde(rename = "a")]
        attempt: u32,
        /// The call; shared by the members of a batch.
        #[serde(rename = "c")]
        call: CallId,
        /// Revision read just before.
        #[serde(rename = "v")]
        rev: Rev,
        /// What else is known before the call.
        #[serde(rename = "k", default, skip_serializing_if = "Intent::is_empty")]
        intent: Intent,
    },
    /// The call ended for this bill.
    #[serde(rename = "sa")]
    StepAnswered {
        /// Run.
        #[serde(rename = "r")]
        run: RunId,
        /// Bill.
        #[serde(rename = "i")]
        fid: Fid,
        /// Step.
        #[serde(rename = "s")]
        step: Step,
        /// Attempt.
        #[serde(rename = "a")]
        attempt: u32,
        /// The call.
        #[serde(rename = "c")]
        call: CallId,
        /// Milliseconds from sending to the end.
        #[serde(rename = "m")]
        ms: u32,
        /// What it said about this bill.
        #[serde(rename = "d")]
        verdict: Verdict,
        /// What the ERP did beside (e.g. created a receivable), word for word.
        #[serde(rename = "w", default, skip_serializing_if = "Vec::is_empty")]
        side: Vec<String>,
        /// Request and answer; for a batch on its first bill only, the others share the call.
        #[serde(rename = "x", default, skip_serializing_if = "Option::is_none")]
        evidence: Option<Box<Evidence>>,
        /// The bill that the call made.
        #[serde(rename = "z", default, skip_serializing_if = "Option::is_none")]
        made: Option<Box<Made>>,
    },
    /// A status was read for one bill (before a call that then was not made, or to verify).
    #[serde(rename = "br")]
    BillRead {
        /// Run.
        #[serde(rename = "r")]
        run: RunId,
        /// Bill.
        #[serde(rename = "i")]
        fid: Fid,
        /// What was read; `None` when it is gone.
        #[serde(rename = "v")]
        rev: Option<Rev>,
        /// Approver as read.
        #[serde(rename = "a", default, skip_serializing_if = "Option::is_none")]
        approver: Option<String>,
        /// Path and value of the fields that show the operation's effect, where those are others than the status.
        #[serde(rename = "f", default, skip_serializing_if = "Vec::is_empty")]
        fields: Vec<(String, String)>,
        /// The bill that stands for it in another form, where the plan makes bills and what it would send is there.
        #[serde(rename = "m", default, skip_serializing_if = "Option::is_none")]
        made: Option<Box<Made>>,
    },
    /// The bill waits to be tried again.
    #[serde(rename = "bd")]
    BillDeferred {
        /// Run.
        #[serde(rename = "r")]
        run: RunId,
        /// Bill.
        #[serde(rename = "i")]
        fid: Fid,
        /// Bill number.
        #[serde(rename = "n")]
        no: String,
        /// When it is due.
        #[serde(rename = "u")]
        until: Ts,
        /// Why.
        #[serde(rename = "c")]
        cause: Cause,
        /// Column of the sum line it stood in (unknown → waiting, after a verify that found B unchanged).
        #[serde(rename = "f")]
        was: Slot,
        /// The refusal, where the ERP refused.
        #[serde(rename = "x", default, skip_serializing_if = "Option::is_none")]
        failure: Option<Box<Failure>>,
    },
    /// The bill has an outcome. `Unknown` may be followed by another one.
    #[serde(rename = "bs")]
    BillSettled {
        /// Run.
        #[serde(rename = "r")]
        run: RunId,
        /// Bill.
        #[serde(rename = "i")]
        fid: Fid,
        /// Bill number.
        #[serde(rename = "n")]
        no: String,
        /// Column of the sum line it stood in.
        #[serde(rename = "f")]
        was: Slot,
        /// Outcome.
        #[serde(rename = "o")]
        outcome: Outcome,
    },
    /// Writing stopped for now.
    #[serde(rename = "rp")]
    RunPaused {
        /// Run.
        #[serde(rename = "r")]
        run: RunId,
        /// Why.
        #[serde(rename = "y")]
        why: PauseWhy,
        /// Who asked, when a person did.
        #[serde(rename = "w", default, skip_serializing_if = "Option::is_none")]
        by: Option<Who>,
    },
    /// Writing goes on.
    #[serde(rename = "ru")]
    RunResumed {
        /// Run.
        #[serde(rename = "r")]
        run: RunId,
        /// Who asked.
        #[serde(rename = "w")]
        by: Who,
        /// As in [`Event::RunApproved`].
        #[serde(rename = "b", default, skip_serializing_if = "Option::is_none")]
        boot: Option<String>,
    },
    /// All bills tried; unknown ones are being settled.
    #[serde(rename = "rs")]
    RunSettling {
        /// Run.
        #[serde(rename = "r")]
        run: RunId,
    },
    /// Found open at start: the process had ended in the middle.
    #[serde(rename = "ri")]
    RunInterrupted {
        /// Run.
        #[serde(rename = "r")]
        run: RunId,
    },
    /// The run is over. In a run that was approved every bill still waiting was settled before; in one that was not, they
    /// stay as they are, because nothing is told of a bill that nothing was done about.
    #[serde(rename = "rx")]
    RunClosed {
        /// Run.
        #[serde(rename = "r")]
        run: RunId,
        /// How it ended.
        #[serde(rename = "x")]
        end: RunEnd,
    },
    /// An operator closed a ledger entry with a written reason.
    #[serde(rename = "lr")]
    LedgerResolved {
        /// Bill and operation.
        #[serde(rename = "k")]
        key: WorkKey,
        /// Who.
        #[serde(rename = "w")]
        by: Who,
        /// Why.
        #[serde(rename = "y")]
        reason: String,
    },
    /// An operator put a ledger entry back that had been closed with a reason.
    #[serde(rename = "lo")]
    LedgerReopened {
        /// Bill and operation.
        #[serde(rename = "k")]
        key: WorkKey,
        /// Since when it has been unresolved, as the entry said before.
        #[serde(rename = "s")]
        since: Ts,
        /// Who.
        #[serde(rename = "w")]
        by: Who,
        /// Why.
        #[serde(rename = "y")]
        reason: String,
    },
    /// An environment was bound to a server.
    #[serde(rename = "sv")]
    ServerBound(Box<ServerBound>),
    /// Facts before this one are kept no longer: [`Event::Forgotten`] stands in their places.
    #[serde(rename = "pn")]
    Pruned(Box<Pruned>),
    /// A fact of a newer program, with its bytes as they were.
    #[serde(rename = "later")]
    Later(Box<Later>),
    /// Bills of a closed run are kept no longer; its sum is. Written when a journal is pruned, in their place.
    #[serde(rename = "rg")]
    RunPruned {
        /// Run.
        #[serde(rename = "r")]
        run: RunId,
        /// What they were in its sum.
        #[serde(rename = "g")]
        gone: Tally,
    },
    /// An order was taken or refused: the action log.
    #[serde(rename = "at")]
    ActionTaken(Box<ActionEntry>),
    /// How far the action log's file reached. Moves nothing.
    #[serde(rename = "~lw")]
    LogWitnessed(Box<LogWitness>),
    /// A record was handed in for a plan. Moves nothing: the plan's next run takes it up.
    #[serde(rename = "~hi")]
    HandedIn(Box<HandedIn>),
    /// A person said that what stands out of a plan is no alarm. Moves nothing: whoever follows what is usual learns from it.
    #[serde(rename = "~na")]
    AlarmDenied {
        /// What stood out.
        #[serde(rename = "a")]
        alarm: Named,
        /// Who said it.
        #[serde(rename = "w")]
        by: Who,
    },
    /// The place of a fact that is kept no longer, so that every other fact keeps its own. Moves nothing.
    #[serde(rename = "~f")]
    Forgotten,
}

/// What a prune left out: the facts up to a place are those of before without what the rule forgets.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Pruned {
    /// Head of the chain before, as hex digits.
    #[serde(rename = "h")]
    pub old_head: String,
    /// Last place before.
    #[serde(rename = "l")]
    pub old_last: Seq,
    /// By which rule.
    #[serde(rename = "r")]
    pub rule: String,
    /// Who.
    #[serde(rename = "w")]
    pub by: Who,
}

/// An element of the journal that this program does not understand: an unknown kind of fact, or a known one with
/// something unknown inside.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Later {
    /// Its name.
    pub tag: String,
    /// The run it belongs to, where it says so the way all facts do.
    pub run: Option<RunId>,
    /// Its name begins with `~`: no column, state or ledger entry moves by it, so it may be passed over. Any other makes
    /// its run one to look at only, and the store takes no writes.
    pub neutral: bool,
    /// As it was written.
    pub raw: Blob,
}

/// One line of the action log.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ActionEntry {
    /// Who.
    pub by: Who,
    /// The verb: `start`, `approve`, `retry`, `resolve`, …
    pub verb: String,
    /// Id of the order that was carried out. Absent in what 0.1.0 wrote, in refusals, and in what the engine did by itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub order: Option<CommandId>,
    /// Run it concerns.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub run: Option<RunId>,
    /// Plan it concerns.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub plan: Option<PlanId>,
    /// Number of bills it concerns.
    #[serde(default)]
    pub bills: u64,
    /// Reason given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// `accepted`, or why it was refused.
    pub result: String,
    /// The line of the action log's file that was written before.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub line: Option<LogPlace>,
    /// Why it was refused, for words in another language. Absent where it was not, in what earlier programs wrote, and where it
    /// is longer than a line takes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub why: Option<Reason>,
}

impl Event {
    /// What one read showed of a bill; `None`: nothing.
    pub fn bill_read(run: RunId, fid: Fid, found: Option<&Found>) -> Self {
        Self::BillRead {
            run,
            fid,
            rev: found.map(|found| found.rev.clone()),
            approver: found.and_then(|found| found.approver.clone()),
            fields: found.map(|found| found.fields.clone()).unwrap_or_default(),
            made: found.and_then(|found| found.looked.as_ref()).and_then(|looked| looked.as_made()).map(Box::new),
        }
    }

    /// The run an event belongs to, if any.
    pub fn run(&self) -> Option<RunId> {
        match self {
            Self::RunOpened(head) => Some(head.id),
            Self::BillsFound { run, .. }
            | Self::RunCollected { run, .. }
            | Self::RunApproved { run, .. }
            | Self::RunConsented { run, .. }
            | Self::StepTried { run, .. }
            | Self::StepAnswered { run, .. }
            | Self::BillRead { run, .. }
            | Self::BillDeferred { run, .. }
            | Self::BillSettled { run, .. }
            | Self::RunPaused { run, .. }
            | Self::RunResumed { run, .. }
            | Self::RunSettling { run }
            | Self::RunInterrupted { run }
            | Self::RunClosed { run, .. }
            | Self::RunPruned { run, .. } => Some(*run),
            Self::MarkMoved { to, .. } => Some(to.run),
            Self::LedgerResolved { .. }
            | Self::LedgerReopened { .. }
            | Self::ServerBound(_)
            | Self::Pruned(_)
            | Self::LogWitnessed(_)
            | Self::HandedIn(_)
            | Self::AlarmDenied { .. }
            | Self::Forgotten => None,
            Self::Later(later) => later.run,
            Self::ActionTaken(entry) => entry.run,
        }
    }
}
