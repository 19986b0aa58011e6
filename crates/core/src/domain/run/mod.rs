//! A run: one execution of one revision of a plan, and its sum line.
//!
//! Invariant: `found = done + already + skipped + failed + unknown + not reached + waiting`, always.

mod collected;
mod rows;
mod tally;

pub use collected::{Collected, Consent, Probe, Unchanged};
pub use rows::{BillRow, RunRow, StoppedRun};
pub use tally::{Tally, TallyError};

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::erp_clock::ErpClock;
use super::ids::{EnvId, FormId, OpId, PlanId, PlanRev, RunId, Seq};
use super::plan::Plan;
use super::range::Range;
use super::reason::Reason;
use super::server::Server;
use super::time::{ErpDate, Ts};
use super::who::{Origin, Who};

/// Why a run exists.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RunKind {
    /// The plan's own query.
    Fresh,
    /// Unresolved bills of the ledger, tried again.
    Retry,
    /// Unknown bills of the ledger, read back; no writing call is made.
    Verify,
}

/// Under which revision of its plan a retry runs.
///
/// The newest is the default: a plan is corrected because of what failed, and the newest is what lint, preview and the
/// reviewers of its file have seen. The original is the operator's word, where the correction must not touch these bills.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Revision {
    /// The plan as it is now.
    #[default]
    Newest,
    /// The plan as it was in the run that left the bills unresolved.
    Original,
}

impl Revision {
    /// The default, which is not written down: heads and orders of older versions are read as they were meant.
    pub fn is_newest(&self) -> bool {
        *self == Self::Newest
    }

    /// The other one.
    #[must_use]
    pub fn other(self) -> Self {
        match self {
            Self::Newest => Self::Original,
            Self::Original => Self::Newest,
        }
    }
}

/// What a run is, fixed when it opens.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RunHead {
    /// Id; sorts by time.
    pub id: RunId,
    /// Why.
    pub kind: RunKind,
    /// Plan.
    pub plan: PlanId,
    /// Plan's label.
    pub name: String,
    /// Revision of the plan.
    pub rev: PlanRev,
    /// Environment.
    pub env: EnvId,
    /// Whether that environment is marked production.
    pub production: bool,
    /// Business object.
    pub form: FormId,
    /// Names of the plan's columns, in the order of [`super::bill::Found::columns`].
    pub columns: Vec<String>,
    /// Who started it.
    pub by: Who,
    /// When.
    pub opened: Ts,
    /// The run it points back to, for a retry of one run.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub of: Option<RunId>,
    /// The filter as it was sent to the server (rendered), for people; empty for retries.
    #[serde(default)]
    pub filter: String,
    /// For a retry: which revision of the plan was chosen.
    #[serde(default, skip_serializing_if = "Revision::is_newest")]
    pub revision: Revision,
    /// The operation, as it stands in keys. Heads of 0.1.0 have none: it is read from their plan, where that was kept.
    #[serde(default, skip_serializing_if = "OpId::is_audit")]
    pub op: OpId,
    /// The server its bills were read from. Heads of 0.1.0 have none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub server: Option<Server>,
    /// What a person cut of the plan's query. Heads of 0.1.0 do not tell.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub range: Option<Range>,
    /// A verb opened it, not a console.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub headless: bool,
    /// The due time that started it, where the clock did: of several machines that share a store one starts it.
    #[serde(rename = "due", default, skip_serializing_if = "Option::is_none")]
    pub due: Option<DueTime>,
    /// The plan itself, in the fact that opens the first run of a revision. Readers get a head without it: the index
    /// keeps it under the revision.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub text: Option<Box<Plan>>,
}

/// A due time of a plan's clock.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DueTime {
    /// When.
    #[serde(rename = "t")]
    pub at: Ts,
    /// Of the plan's compensation query.
    #[serde(rename = "r", default, skip_serializing_if = "std::ops::Not::not")]
    pub remedy: bool,
}

impl RunHead {
    /// Whether somebody at a console started it: a person knows of it.
    pub fn is_attended(&self) -> bool {
        match self.by.origin() {
            Origin::Person => !self.headless,
            Origin::Schedule | Origin::Engine => false,
        }
    }

    /// The head as readers get it.
    #[must_use]
    pub fn without_text(&self) -> Self {
        Self { text: None, ..self.clone() }
    }
}

/// Where a run stands.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RunState {
    /// Reading the pages of the query, or the ledger.
    Collecting,
    /// Collected; waiting for an operator to approve the frozen set. Nothing was written.
    AwaitingApproval,
    /// Writing.
    Working,
    /// All bills tried; unknown ones wait out the server's limit and are read back.
    Settling,
    /// Stopped for now; resumes on command.
    Paused(PauseWhy),
    /// The process ended in the middle; found at start. Resumes on command.
    Interrupted,
    /// Ended. Immutable.
    Closed(RunEnd),
}

impl RunState {
    /// Whether somebody works on it: it is read, written, or waits to be read back.
    pub fn is_at_work(&self) -> bool {
        matches!(self, Self::Collecting | Self::Working | Self::Settling)
    }

    /// Whether the run is over.
    pub fn is_closed(&self) -> bool {
        matches!(self, Self::Closed(_))
    }
}

/// Why a run paused.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PauseWhy {
    /// An operator asked.
    Operator,
    /// A breaker opened.
    Breaker(Reason),
    /// The server cannot be reached.
    Unreachable(Reason),
    /// Credentials refused, or another cause that stops the plan.
    Stopped(Reason),
    /// The store refused a write; no call leaves until it is reopened.
    Store(Reason),
    /// The first calls of the run did not go clean.
    Canary(Reason),
}

impl PauseWhy {
    /// The reason; `None` when a person asked.
    pub fn reason(&self) -> Option<&Reason> {
        match self {
            Self::Operator => None,
            Self::Breaker(why) | Self::Unreachable(why) | Self::Stopped(why) | Self::Store(why) | Self::Canary(why) => {
                Some(why)
            }
        }
    }
}

/// How a run ended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RunEnd {
    /// Every bill was brought to an outcome.
    Completed,
    /// Nothing was found.
    Empty,
    /// A plan that calls nothing read its records and keeps them: nobody has to approve anything.
    Collected,
    /// Cancelled by an operator.
    Cancelled,
    /// The collected set was declined; nothing was written and the mark did not move.
    Declined,
    /// The query failed; nothing was written and the mark did not move.
    CollectFailed(Reason),
    /// It could not go on, nobody was there to mend that, and so it ended by itself; what was not reached is unresolved.
    Stopped(Reason),
}

impl RunEnd {
    /// Why it ended early by itself, if it did.
    pub fn reason(&self) -> Option<&Reason> {
        match self {
            Self::Completed | Self::Empty | Self::Collected | Self::Cancelled | Self::Declined => None,
            Self::CollectFailed(why) | Self::Stopped(why) => Some(why),
        }
    }

    /// The word used in JSON and metrics.
    pub fn word(&self) -> &'static str {
        match self {
            Self::Completed => "completed",
            Self::Empty => "empty",
            Self::Collected => "collected",
            Self::Cancelled => "cancelled",
            Self::Declined => "declined",
            Self::CollectFailed(_) => "collect_failed",
            Self::Stopped(_) => "stopped",
        }
    }
}

/// How far the plan's query has read, in the server's own time (docs/design/reliability.md#the-mark).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Mark {
    /// Largest date seen in the filter's own date column; never from our clock.
    pub seen: ErpDate,
    /// Run that moved it.
    pub run: RunId,
    /// When the last full sweep (without the mark) ended, our time.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub swept: Option<Ts>,
    /// The ERP's clock when that query began. Marks of 0.1.0 do not tell it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub clock: Option<ErpClock>,
    /// Of records that are handed in: the place of the last one that a run has taken up.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub upto: Option<Seq>,
}

/// Where the query of the next run begins: no bill may get a date before it that the last run did not see. `is`: the ERP's
/// clock now, where it is known; `overlap`: the plan's own.
pub fn begin(mark: &Mark, is: Option<&ErpClock>, overlap: Duration) -> ErpDate {
    let Some(was) = &mark.clock else { return mark.seen.minus(overlap) };
    // A bill dated ahead of the clock moves the mark past bills that are changed meanwhile.
    let seen = mark.seen.clone().min(was.shows.clone());
    let back = is.map_or(Duration::ZERO, |is| is.back_since(was));
    seen.minus(overlap.saturating_add(back))
}

/// An ERP rule the operator chose to wave through, for one run only.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Flag(pub String);
