//! Rows of lists: a bill in a run, a run, a run that ended by itself.

use serde::{Deserialize, Serialize};

use super::collected::{Collected, Consent};
use super::tally::{Tally, is_zero};
use super::{Flag, RunEnd, RunHead, RunKind, RunState};
use crate::domain::bill::{BillState, Rev, Will};
use crate::domain::erp_status::Heard;
use crate::domain::ids::{Fid, PlanId, RecordKey, RunId, WorkKey};
use crate::domain::step::Made;
use crate::domain::story::Closing;
use crate::domain::time::Ts;

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
    /// The bill that a call of this run made of it.
    #[serde(rename = "m", default, skip_serializing_if = "Option::is_none")]
    pub made: Option<Box<Made>>,
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
    /// Why it will be refused, as long as it waits and where that is certain.
    #[serde(rename = "wl", default, skip_serializing_if = "Option::is_none")]
    pub will: Option<Box<Will>>,
}

impl BillRow {
    /// The bill's FID.
    pub fn fid(&self) -> &Fid {
        &self.key.record.fid
    }

    /// Number of the bill that was made of it.
    pub fn made_no(&self) -> Option<&str> {
        self.made.as_ref().map(|made| made.no.as_str())
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
    /// What the plan of its revision calls each column of its head; empty where that plan is not kept, and in lists of runs:
    /// only the answer about one run says it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub labels: Vec<String>,
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
            RunEnd::Collected => true,
            // One that was approved has an outcome for every bill.
            RunEnd::Cancelled => self.tally.waiting > 0,
            RunEnd::Completed | RunEnd::Empty | RunEnd::Stopped(_) => false,
        }
    }
}
