//! A run: one execution of one revision of a plan, and its sum line.
//!
//! Invariant: `found = done + already + skipped + failed + unknown + not reached + waiting`, always.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::bill::{BillState, Rev, Slot, Status};
use super::cause::Cause;
use super::erp_clock::ErpClock;
use super::erp_status::Heard;
use super::ids::{EnvId, Fid, FormId, OpId, PlanId, PlanRev, RecordKey, RunId, SetHash, WorkKey};
use super::plan::Plan;
use super::range::Range;
use super::reason::Reason;
use super::server::Server;
use super::story::Closing;
use super::time::{Clock, ErpDate, Ts};
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
    /// The plan itself, in the fact that opens the first run of a revision. Readers get a head without it: the index
    /// keeps it under the revision.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub text: Option<Box<Plan>>,
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
            Self::Completed | Self::Empty | Self::Cancelled | Self::Declined => None,
            Self::CollectFailed(why) | Self::Stopped(why) => Some(why),
        }
    }

    /// The word used in JSON and metrics.
    pub fn word(&self) -> &'static str {
        match self {
            Self::Completed => "completed",
            Self::Empty => "empty",
            Self::Cancelled => "cancelled",
            Self::Declined => "declined",
            Self::CollectFailed(_) => "collect_failed",
            Self::Stopped(_) => "stopped",
        }
    }
}

/// The sum line. Its fields keep the names they have on disk and in JSON since 0.1.0, whatever the operation.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tally {
    /// Bills found.
    pub found: u64,
    /// Done by our call (answered or verified).
    pub audited: u64,
    /// Found done before any call of ours.
    pub already: u64,
    /// Skipped.
    pub skipped: u64,
    /// Refused by the ERP.
    pub failed: u64,
    /// Sent, no usable answer.
    pub unknown: u64,
    /// Not settled yet.
    pub waiting: u64,
    /// The approved run ended before their turn.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub not_reached: u64,
}

impl Tally {
    /// Adds newly found bills; they wait.
    pub fn add_found(&mut self, n: u64) {
        self.found = self.found.saturating_add(n);
        self.waiting = self.waiting.saturating_add(n);
    }

    /// Moves one bill between columns. `Err` when the column it should leave is empty: the caller's
    /// history is broken and must be said, not papered over.
    pub fn shift(&mut self, from: Slot, to: Slot) -> Result<(), TallyError> {
        let cell = self.slot_mut(from);
        *cell = cell.checked_sub(1).ok_or(TallyError { from, to })?;
        let cell = self.slot_mut(to);
        *cell = cell.saturating_add(1);
        Ok(())
    }

    /// Count in one column.
    pub fn get(&self, slot: Slot) -> u64 {
        match slot {
            Slot::Waiting => self.waiting,
            Slot::Done => self.audited,
            Slot::Already => self.already,
            Slot::Skipped => self.skipped,
            Slot::Failed => self.failed,
            Slot::Unknown => self.unknown,
            Slot::NotReached => self.not_reached,
        }
    }

    fn slot_mut(&mut self, slot: Slot) -> &mut u64 {
        match slot {
            Slot::Waiting => &mut self.waiting,
            Slot::Done => &mut self.audited,
            Slot::Already => &mut self.already,
            Slot::Skipped => &mut self.skipped,
            Slot::Failed => &mut self.failed,
            Slot::Unknown => &mut self.unknown,
            Slot::NotReached => &mut self.not_reached,
        }
    }

    /// Adds another sum, column by column.
    pub fn add(&mut self, other: &Self) {
        self.found = self.found.saturating_add(other.found);
        for slot in Slot::ALL {
            let cell = self.slot_mut(slot);
            *cell = cell.saturating_add(other.get(slot));
        }
    }

    /// Counts one bill that ended in a column.
    pub fn count(&mut self, slot: Slot) {
        self.found = self.found.saturating_add(1);
        let cell = self.slot_mut(slot);
        *cell = cell.saturating_add(1);
    }

    /// Whether the sum closes.
    pub fn closes(&self) -> bool {
        let sum: u64 = Slot::ALL.iter().map(|slot| self.get(*slot)).sum();
        sum == self.found
    }
}

/// A tally was asked to take a bill from an empty column.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the sum line cannot move a bill from {from:?} to {to:?}: none is there")]
pub struct TallyError {
    /// Column it should leave.
    pub from: Slot,
    /// Column it should enter.
    pub to: Slot,
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
}

/// An ERP rule the operator chose to wave through, for one run only.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Flag(pub String);

/// The frozen set an operator approves.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Collected {
    /// Hash over the sorted (FID, revision) pairs.
    pub hash: SetHash,
    /// How many bills stand in which status.
    pub by_status: Vec<(Status, u64)>,
    /// Bills that a call would be made for, as the plan stands.
    pub callable: u64,
    /// Pages read.
    pub pages: u32,
    /// Largest date seen in the mark's column.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub seen: Option<ErpDate>,
    /// Whether this was a sweep: the mark was not used.
    pub sweep: bool,
    /// Bills that came from the ledger, not from the query.
    pub carried: u64,
    /// Bill numbers of the source that the target environment does not hold exactly once: no call is made for them and
    /// the mark stays, so that the next run asks again.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub absent: u64,
    /// The first of them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub absent_first: Vec<String>,
    /// Bills whose last outcome was unknown: trying them again is the operator's own decision.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub unknown: u64,
    /// The clock of the ERP that was queried, when the run was opened; `None` where its answers do not tell the time.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub clock: Option<ErpClock>,
    /// Bills that were found again as they were: not part of the set, no call is made for them, and nothing new is told.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unchanged: Option<Unchanged>,
    /// Bills that are tried although nothing about them changed, to see whether what keeps their like back is gone.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub probes: Vec<Probe>,
}

/// A bill that is tried unchanged.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Probe {
    /// Its number.
    #[serde(rename = "n")]
    pub no: String,
    /// The cause that keeps it and its like back.
    #[serde(rename = "c")]
    pub cause: Cause,
}

/// Bills that a run leaves as they are, because nothing changed since they were refused or closed by a person.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Unchanged {
    /// How many.
    #[serde(rename = "n")]
    pub bills: u64,
    /// Hash over their sorted (FID, revision) pairs.
    #[serde(rename = "h")]
    pub hash: SetHash,
}

/// The first approval of a set that two persons must approve.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Consent {
    /// Who.
    pub by: Who,
    /// The set that was seen.
    pub hash: SetHash,
    /// Rule-changing flags; the second person approves the same ones.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub flags: Vec<Flag>,
    /// Why.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// When.
    pub at: Ts,
    /// The same by the machine's own clock, which nobody sets: which start of it, and milliseconds since then.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub left: Option<(String, u64)>,
}

impl Consent {
    /// How long it stands (docs/design/access.md#approvals).
    pub const STANDS: Duration = Duration::from_secs(600);

    /// How long a second person has to approve the same set, by the wall clock, for a screen.
    pub fn time_left(&self, now: Ts) -> Duration {
        Self::STANDS.saturating_sub(now.since(self.at))
    }

    /// Whether it still stands. The wall clock is asked only where the machine was started anew since, and one that shows an
    /// earlier time than then proves nothing.
    pub fn stands(&self, clock: &dyn Clock) -> bool {
        match (&self.left, clock.boot()) {
            (Some((then, began)), Some((now, ms))) if *then == now => {
                Duration::from_millis(ms.saturating_sub(*began)) <= Self::STANDS
            }
            (Some(_) | None, Some(_) | None) => self.stands_at(clock.now()),
        }
    }

    /// The same by the wall clock alone, for a screen.
    pub fn stands_at(&self, now: Ts) -> bool {
        now >= self.at && now.since(self.at) <= Self::STANDS
    }
}

/// One row of Results, Ledger and History: a bill in a run, as it stands now.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct BillRow {
    /// Run.
    #[serde(rename = "r")]
    pub run: RunId,
    /// Plan of the run.
    #[serde(rename = "p")]
    pub plan: PlanId,
    /// The bill and the operation of the run.
    #[serde(rename = "k")]
    pub key: WorkKey,
    /// `FBillNo`.
    #[serde(rename = "n")]
    pub no: String,
    /// Where it stands.
    #[serde(rename = "s")]
    pub state: BillState,
    /// Revision when found (or after our own submit): as the bill stood before what was done. What it is after that,
    /// [`super::erp_status::After`] says.
    #[serde(rename = "v")]
    pub rev: Rev,
    /// Revision when found, where our own submit led to another one since.
    #[serde(rename = "w", default, skip_serializing_if = "Option::is_none")]
    pub found: Option<Rev>,
    /// What the ERP said of its status since the last call left.
    #[serde(rename = "h", default, skip_serializing_if = "Option::is_none")]
    pub heard: Option<Heard>,
    /// Writing calls made for it in this run.
    #[serde(rename = "a")]
    pub attempts: u32,
    /// Last change.
    #[serde(rename = "t")]
    pub at: Ts,
    /// The plan's columns as text; names in the run's head.
    #[serde(rename = "c", default, skip_serializing_if = "Vec::is_empty")]
    pub columns: Vec<String>,
    /// Since when it has been unresolved, over all runs (ledger rows).
    #[serde(rename = "o", default, skip_serializing_if = "Option::is_none")]
    pub open_since: Option<Ts>,
    /// Its run closed without anybody approving it: nothing was done about the bill, and nothing is told of it.
    #[serde(rename = "u", default, skip_serializing_if = "std::ops::Not::not")]
    pub untold: bool,
    /// A person had resolved it before it changed and became an entry again (ledger rows).
    #[serde(rename = "z", default, skip_serializing_if = "Option::is_none")]
    pub resolved_before: Option<Box<Closing>>,
}

impl BillRow {
    /// The bill's FID.
    pub fn fid(&self) -> &Fid {
        &self.key.record.fid
    }

    /// The revision before anything was done.
    pub fn before(&self) -> &Rev {
        self.found.as_ref().unwrap_or(&self.rev)
    }

    /// The bill, whatever is done to it.
    pub fn record(&self) -> &RecordKey {
        &self.key.record
    }
}

/// One row of the list of runs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RunRow {
    /// What it is.
    pub head: RunHead,
    /// Where it stands.
    pub state: RunState,
    /// Its sum line.
    pub tally: Tally,
    /// The set it was approved for, once collected.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub collected: Option<Collected>,
    /// When it closed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub closed: Option<Ts>,
    /// Flags waved through in this run.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub flags: Vec<Flag>,
    /// The first approval, where two were asked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub consent: Option<Consent>,
    /// Bills of the sum that are kept no longer, by the retention rule.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub pruned: u64,
    /// Its head is of 0.1.0 and its plan was not kept: which operation it was is not known, and 0.1.0 called all of them
    /// Audit.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub op_unknown: bool,
}

/// A run that nobody at a console saw end by itself, or fail to read its bills, and after which none of its plan went
/// through yet: the latest of a row of them.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct StoppedRun {
    /// The latest.
    pub row: RunRow,
    /// When the first one in the row ended.
    pub since: Ts,
    /// How many there are in the row.
    pub times: u32,
    /// Its plan or environment is there no more, so no later run can go through: until when it is told all the same.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub until: Option<Ts>,
}

impl RunRow {
    /// Bills that are still to be called, for an estimate: what is settled without a call takes no time.
    pub fn to_call(&self) -> u64 {
        let called = self.tally.audited + self.tally.failed + self.tally.unknown;
        let left = self.collected.as_ref().map_or(u64::MAX, |set| set.callable.saturating_sub(called));
        self.tally.waiting.min(left)
    }

    /// Whether it speaks for all bills that its plan finds: the plan's query found some, somebody approved them, and nothing
    /// was cut. Runs over entries of the ledger (retry, verify) speak for those alone.
    pub fn is_whole(&self) -> bool {
        self.head.kind == RunKind::Fresh && self.head.range.is_none() && self.tally.found > 0 && !self.is_untold()
    }

    /// Whether it was to read bills back and could not begin: a sum of zeros would say that there are none.
    pub fn has_read_nothing(&self) -> bool {
        let failed = matches!(self.state, RunState::Closed(RunEnd::CollectFailed(_)));
        self.head.kind == RunKind::Verify && failed && self.tally.found == 0
    }

    /// Whether it closed without anybody approving it: it tells how many bills it found, and nothing of them.
    pub fn is_untold(&self) -> bool {
        let RunState::Closed(end) = &self.state else { return false };
        match end {
            RunEnd::Declined | RunEnd::CollectFailed(_) => self.head.kind != RunKind::Verify,
            // One that was approved has an outcome for every bill.
            RunEnd::Cancelled => self.tally.waiting > 0,
            RunEnd::Completed | RunEnd::Empty | RunEnd::Stopped(_) => false,
        }
    }
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde gives a reference")]
fn is_zero(n: &u64) -> bool {
    *n == 0
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A wall clock somebody sets, and a machine that goes on.
    struct Set(Ts, Option<(String, u64)>);

    impl Clock for Set {
        fn now(&self) -> Ts {
            self.0
        }
        fn mono(&self) -> Duration {
            Duration::ZERO
        }
        fn boot(&self) -> Option<(String, u64)> {
            self.1.clone()
        }
    }

    #[test]
    fn a_first_approval_stands_ten_minutes_of_the_machine_whatever_the_wall_clock_is_set_to() {
        let (began, boot) = (Ts(1_000_000_000), |name: &str, ms| Some((name.to_owned(), ms)));
        let by = Who::of_person(7, "wang", None);
        let hash = SetHash::new("3fa9");
        let consent = Consent { by, hash, flags: Vec::new(), reason: None, at: began, left: boot("one", 5_000) };
        let minutes = |n: i64| n * 60_000;
        for (wall, machine, stands) in [
            (minutes(9), boot("one", 5_000 + 540_000), true),
            // Set back, and set forward.
            (minutes(-600), boot("one", 5_000 + 660_000), false),
            (minutes(600), boot("one", 5_000 + 60_000), true),
            // The machine was started anew: the wall clock is all there is, and one that went back proves nothing.
            (minutes(9), boot("two", 100), true),
            (minutes(11), boot("two", 100), false),
            (minutes(-1), boot("two", 100), false),
            (minutes(-1), None, false),
        ] {
            assert_eq!(consent.stands(&Set(Ts(began.0 + wall), machine.clone())), stands, "{wall} {machine:?}");
        }
    }
}
