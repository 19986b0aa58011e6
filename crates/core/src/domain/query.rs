//! Questions a console or a headless verb may ask, and their answers. Pages are keyset pages by opaque cursor.
//!
//! Invariant: no answer grows with the history; totals come from tallies, never from counting.

use serde::{Deserialize, Serialize};

use super::action_log::LogFault;
use super::bill::{Rendered, Slot};
use super::command::{Refusal, Selection};
use super::env::Environment;
use super::event::{ActionEntry, Fact};
use super::filter::Filter;
use super::forecast::{Forecasts, PlanForecast};
use super::ids::{EnvId, PlanId, PlanRev, RunId, Seq, WorkKey};
use super::plan::Plan;
use super::reach::PlanReach;
use super::reason::Reason;
use super::run::{BillRow, Collected, Mark, RunRow, StoppedRun};
use super::run_list::{RunLine, RunsAsked};
use super::server::Server;
use super::story::RunOfBill;
use super::time::Ts;
use super::today::{Span, Today};
use super::who::Who;

pub use super::cursor::Cursor;
pub use super::filter::values::FilterValues;
pub use super::ledger_group::{LedgerCounts, LedgerGroup};
pub use super::plan_problem::PlanProblem;

/// A question.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Query {
    /// All plans with their state.
    Plans,
    /// Runs, newest first.
    Runs(PageRequest),
    /// Runs as people read them: those that a filter lets pass, by days.
    RunLines {
        /// Which, and how.
        asked: RunsAsked,
        /// Page.
        page: PageRequest,
    },
    /// Runs that ended by themselves or could not read their bills, the latest of their plan, where none went through since.
    Stopped,
    /// Where the action log and the journal disagree, and nobody accepted it yet.
    LogFaults,
    /// One run.
    Run(RunId),
    /// Bills.
    Bills {
        /// Of what.
        scope: Scope,
        /// Which.
        filter: Filter,
        /// Page.
        page: PageRequest,
    },
    /// The same by one of its columns: of a list that is longer than [`super::sort::SORTED_AT_MOST`], those first rows of it.
    Sorted {
        /// Of what.
        scope: Scope,
        /// Which.
        filter: Filter,
        /// In which order.
        sort: super::sort::Sort,
        /// Page.
        page: PageRequest,
    },
    /// The ledger's groups with counts.
    LedgerGroups {
        /// Plan, or all.
        plan: Option<PlanId>,
    },
    /// How many of the ledger's bills a selection means, by group: of a bounded stretch of it.
    LedgerCounts {
        /// Which; the same that an order would be given.
        selection: Selection,
        /// Where to go on.
        after: Option<Cursor>,
    },
    /// What the keys of a filter may be asked for: names that the index holds, and values of a column.
    FilterValues {
        /// The column whose values are meant, by its label or its name as filters compare it.
        column: Option<String>,
    },
    /// One bill's whole life over runs and plans.
    Bill(WorkKey),
    /// What is to be made of the first bills of a run, as it was frozen.
    Bodies(RunId),
    /// Bills whose number begins with this text.
    FindBill {
        /// Beginning of the number.
        number: String,
        /// At most so many.
        limit: u32,
    },
    /// Bills by their whole numbers, at most [`MOST_NUMBERS`].
    FindBills(Vec<String>),
    /// What each plan says of a number, asked of the ERP: for a bill that no run has read. Leaves no trace.
    Reach(String),
    /// The action log, newest first.
    Actions(PageRequest),
    /// Environments, write permission, pace.
    Environments,
    /// The machines that write to the store.
    Machines,
    /// What happened since a moment, what is stuck, and what did not run.
    Today(Span),
    /// What is usual, what stands out from it, and what did not run: of one plan, or of all.
    Forecast(Option<PlanId>),
    /// What a run of a plan would collect now. Reads the ERP, and leaves no trace.
    Preview {
        /// Plan.
        plan: PlanId,
        /// Read without the mark.
        sweep: bool,
        /// The plan itself, of a file that the engine does not read by itself; absent: the one it knows by the name.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        text: Option<String>,
        /// The mapping tables of that file, by the names it gives them.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        tables: Vec<(String, String)>,
        /// Only these bill numbers, as `run --numbers` reads them; empty: those of the plan's query.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        numbers: Vec<String>,
    },
    /// Under which revisions of their plans unresolved bills could be tried again.
    Revisions(Selection),
}

/// Numbers of one [`Query::FindBills`], at most.
pub const MOST_NUMBERS: usize = 1000;

/// Of what bills are listed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Scope {
    /// One run's bills, by FID.
    Run(RunId),
    /// Unresolved bills over all runs, oldest first.
    Ledger,
    /// All bills of all runs, newest change first.
    History,
}

impl Scope {
    /// The question for a page of this list.
    pub fn asked<'a>(self, filter: &'a Filter, page: &'a PageRequest, now: Ts) -> BillsAsked<'a> {
        BillsAsked { scope: self, filter, page, now }
    }
}

/// A question for a page of bills.
#[derive(Clone, Copy, Debug)]
pub struct BillsAsked<'a> {
    /// Of which list.
    pub scope: Scope,
    /// Which of them.
    pub filter: &'a Filter,
    /// Which page.
    pub page: &'a PageRequest,
    /// The moment, for ages in the filter.
    pub now: Ts,
}

/// The bills of a run that stand in one column of its sum.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RunColumn {
    /// The run.
    pub run: RunId,
    /// The column.
    pub slot: Slot,
}

/// How long a settled bill is kept after it got its outcome; `None`: for ever. An unresolved one always is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Retention {
    /// Done by our call.
    pub audited: Option<std::time::Duration>,
    /// Done before any call of ours.
    pub already: Option<std::time::Duration>,
    /// Skipped.
    pub skipped: Option<std::time::Duration>,
    /// Failed, and dealt with since.
    pub failed: Option<std::time::Duration>,
    /// Unknown, and dealt with since.
    pub unknown: Option<std::time::Duration>,
    /// What was sent to make a bill, once it is dealt with: the customer's data. Its hash is always kept.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bodies: Option<std::time::Duration>,
}

impl Retention {
    /// How long an outcome is kept.
    pub fn of(&self, slot: super::bill::Slot) -> Option<std::time::Duration> {
        use super::bill::Slot;
        match slot {
            Slot::Waiting => None,
            Slot::Done => self.audited,
            Slot::Already => self.already,
            // Unresolved where it was not reached: kept as long as it is.
            Slot::Skipped | Slot::NotReached => self.skipped,
            Slot::Failed => self.failed,
            Slot::Unknown => self.unknown,
        }
    }
}

/// Which page.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct PageRequest {
    /// Where to go on; `None` = from the beginning (or the end, for `back`).
    pub cursor: Option<Cursor>,
    /// Toward the beginning instead.
    pub back: bool,
    /// At most so many rows.
    pub limit: u32,
}

impl PageRequest {
    /// The first page.
    pub fn first(limit: u32) -> Self {
        Self { cursor: None, back: false, limit }
    }
}

/// One page.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Page<T> {
    /// Rows in list order, each with its own cursor (so any row can anchor a page).
    pub rows: Vec<(Cursor, T)>,
    /// Whether there is more in the asked direction.
    pub more: bool,
    /// Rows looked at; for filters without an index this may be many with few matches.
    pub scanned: u64,
    /// Where the scan stopped when it ran into its bound before filling the page.
    pub stopped_at: Option<Cursor>,
    /// Rows of the whole list, with the first page and the last, where the sum lines tell them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub total: Option<u64>,
}

impl<T> Default for Page<T> {
    /// The page of an empty list.
    fn default() -> Self {
        Self { rows: Vec::new(), more: false, scanned: 0, stopped_at: None, total: None }
    }
}

/// A plan with what the screen shows of it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PlanRow {
    /// The plan, or why its file cannot be used.
    pub plan: Result<Plan, PlanProblem>,
    /// Hazards lint found: count.
    pub hazards: u32,
    /// Its last runs, newest first, at most 12.
    pub last: Vec<RunRow>,
    /// Mark.
    pub mark: Option<Mark>,
    /// Next scheduled run.
    pub next: Option<Ts>,
    /// Unresolved bills of this plan.
    pub unresolved: u64,
    /// What is usual for it, and what stands out; absent where nothing is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub forecast: Option<Box<PlanForecast>>,
}

/// The machines that write to one store.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Machines {
    /// What this one is called.
    pub own: String,
    /// How many count, this one included.
    pub count: u32,
    /// Open runs that others have, each with the name of its machine; an empty one: nobody has it.
    pub elsewhere: Vec<(RunId, String)>,
}

impl PlanRow {
    /// The plan's id, usable or not.
    pub fn plan_id(&self) -> &PlanId {
        match &self.plan {
            Ok(plan) => &plan.id,
            Err(problem) => &problem.id,
        }
    }
}

/// An environment with its present permission and pace.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct EnvRow {
    /// What it is.
    pub env: Environment,
    /// Until when writing is unlocked, for a read-only environment.
    pub unlocked_until: Option<Ts>,
    /// Who unlocked it: the unlock counts for every console, and ends with the one that asked for it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unlocked_by: Option<Who>,
    /// The server that its records are on, once that was said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub home: Option<Server>,
    /// Why nothing is written for its runs, whatever is unlocked: it is configured with another server now, nobody said
    /// where its open bills are, or another environment writes to the same account set.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub held: Option<Reason>,
}

/// An answer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Answer {
    /// To [`Query::Plans`].
    Plans(Vec<PlanRow>),
    /// To [`Query::Runs`].
    Runs(Page<RunRow>),
    /// To [`Query::RunLines`].
    RunLines(Page<RunLine>),
    /// To [`Query::Stopped`].
    Stopped(Vec<StoppedRun>),
    /// To [`Query::LogFaults`].
    LogFaults(Vec<LogFault>),
    /// To [`Query::Run`].
    Run(Option<Box<RunRow>>),
    /// To [`Query::Bills`] and [`Query::FindBill`].
    Bills(Page<BillRow>),
    /// To [`Query::LedgerGroups`].
    LedgerGroups(Vec<LedgerGroup>),
    /// To [`Query::LedgerCounts`].
    LedgerCounts(LedgerCounts),
    /// To [`Query::FilterValues`].
    FilterValues(FilterValues),
    /// To [`Query::FindBills`].
    Found {
        /// Latest rows, in the order of the numbers.
        rows: Vec<BillRow>,
        /// Numbers no run has read.
        missing: Vec<String>,
    },
    /// To [`Query::Reach`].
    Reach(Vec<PlanReach>),
    /// To [`Query::Bill`]: its facts, oldest first, at most 500; and its latest row.
    Bill {
        /// Latest row, if the bill was ever found.
        row: Option<Box<BillRow>>,
        /// Facts about it.
        facts: Vec<Fact>,
        /// Whether older ones were left out.
        cut: bool,
        /// The newest runs that these facts are of.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        runs: Vec<RunOfBill>,
    },
    /// To [`Query::Bodies`]: at most [`BODIES`], each body of at most [`BODY_SHOWN`] bytes.
    Bodies(Vec<Sample>),
    /// To [`Query::Actions`].
    Actions(Page<(Seq, Ts, ActionEntry)>),
    /// To [`Query::Today`].
    Today(Box<Today>),
    /// To [`Query::Forecast`].
    Forecast(Box<Forecasts>),
    /// To [`Query::Environments`].
    Environments(Vec<EnvRow>),
    /// To [`Query::Machines`]; none where one writes alone.
    Machines(Option<Machines>),
    /// To [`Query::Preview`].
    Preview(Look),
    /// To [`Query::Revisions`]: one row for each revision, the one with most bills first.
    Revisions(Vec<RevisionRow>),
}

/// What came of a look at what a run would collect.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Look {
    /// It would find this.
    Found(Box<Preview>),
    /// The query failed.
    Failed(Reason),
    /// The run would not be opened.
    Refused(Refusal),
}

/// What a run would collect.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Preview {
    /// Plan.
    pub plan: PlanId,
    /// Environment its bills are in.
    pub env: EnvId,
    /// The query's filter as it was sent.
    pub filter: String,
    /// Bills found.
    pub found: u64,
    /// The set as it would be frozen.
    pub collected: Collected,
    /// Of a plan that makes bills: what would be sent for the first records, and what is there already.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub samples: Vec<Sample>,
}

/// Records whose bodies are shown before an approval.
pub const BODIES: u32 = 20;
/// Bytes of a body that are shown there: a longer one is cut.
pub const BODY_SHOWN: usize = 32 << 10;

/// What would be made of one record.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sample {
    /// Its number.
    pub no: String,
    /// What is to be made of it: the body as it would be sent, or why none can be made.
    pub made: Rendered,
}

/// Unresolved bills that were last tried under one revision of a plan.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RevisionRow {
    /// Plan.
    pub plan: PlanId,
    /// The revision they were tried under.
    pub original: PlanRev,
    /// The plan's revision now; `None` when it cannot be used.
    pub newest: Option<PlanRev>,
    /// Whether the original one can be had: it is the newest, or the store keeps it.
    pub kept: bool,
    /// Bills.
    pub bills: u64,
}

impl RevisionRow {
    /// Whether there is something to choose.
    pub fn differs(&self) -> bool {
        self.newest.as_ref().is_some_and(|newest| *newest != self.original)
    }
}
