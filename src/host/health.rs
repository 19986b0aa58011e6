//! One word whether all is well, and why not: runs that stopped, breakers that are open, a log that disagrees.

use serde::Serialize;

use crate::domain::action_log::LogFault;
use crate::domain::ids::EnvId;
use crate::domain::live::Live;
use crate::domain::query::{Answer, LedgerGroup, Query};
use crate::domain::reason::Reason;
use crate::domain::run::{RunEnd, RunRow, RunState, StoppedRun};
use crate::domain::time::Ts;
use crate::engine::api::{Link, LinkError};

/// One word whether all is well, and why not.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Health {
    /// Nothing keeps the engine from its work.
    pub ok: bool,
    /// Version of the program.
    pub version: &'static str,
    /// Runs that are not closed.
    pub open_runs: u64,
    /// Runs that stopped by themselves, with the reason.
    pub stopped: Vec<(String, String)>,
    /// The same with all that is known of them.
    pub runs: Vec<Halted>,
    /// Environments whose breaker is open.
    pub breakers: Vec<String>,
    /// Unresolved bills.
    pub unresolved: u64,
    /// Unknown ones among them.
    pub unknown: u64,
    /// Where the action log and the journal disagree: no run starts.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub log: Vec<LogFault>,
}

/// A run that stopped by itself.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Halted {
    /// Which.
    pub run: String,
    /// Its plan.
    pub plan: String,
    /// Its environment.
    pub env: String,
    /// `paused` and `interrupted` can go on; `stopped` has ended and `collect_failed` could not read its bills, and no later
    /// run of its plan went through.
    pub state: &'static str,
    /// Why, for programs.
    pub reason: Option<String>,
    /// What stands beside it.
    pub reason_args: Option<serde_json::Value>,
    /// Why, in English.
    pub detail: String,
    /// Since when it has been so: the end of the first run in a row, Unix milliseconds. Open runs: unset.
    #[serde(rename = "since_ms", skip_serializing_if = "Option::is_none")]
    pub since: Option<Ts>,
    /// How many runs in a row.
    pub times: u32,
    /// Its plan or environment is there no more: until when it counts, Unix milliseconds.
    #[serde(rename = "until_ms", skip_serializing_if = "Option::is_none")]
    pub until: Option<Ts>,
    /// The run itself, for words in another language.
    #[serde(skip)]
    pub row: RunRow,
}

/// What no fact and no pulse tells: runs that ended by themselves, and the ledger.
pub async fn standing(link: &dyn Link) -> Result<(Vec<StoppedRun>, Vec<LedgerGroup>), LinkError> {
    let ended = match link.ask(Query::Stopped).await? {
        Answer::Stopped(runs) => runs,
        _ => Vec::new(),
    };
    let groups = match link.ask(Query::LedgerGroups { plan: None }).await? {
        Answer::LedgerGroups(groups) => groups,
        _ => Vec::new(),
    };
    Ok((ended, groups))
}

/// Where the action log and the journal disagree.
pub async fn log_faults(link: &dyn Link) -> Result<Vec<LogFault>, LinkError> {
    Ok(match link.ask(Query::LogFaults).await? {
        Answer::LogFaults(faults) => faults,
        _ => Vec::new(),
    })
}

/// Whether all is well. `ended`: runs that ended by themselves, the latest of their plan.
pub fn judge(
    live: &Live,
    ended: &[StoppedRun],
    breakers: &[EnvId],
    groups: &[LedgerGroup],
    log: Vec<LogFault>,
) -> Health {
    let open = live.open().filter_map(|run| Halted::of(&run.row, None));
    let ended = ended.iter().filter_map(|run| {
        let halted = Halted::of(&run.row, Some((run.since, run.times)))?;
        Some(Halted { until: run.until, ..halted })
    });
    let runs: Vec<Halted> = open.chain(ended).collect();
    let unknown = groups.iter().filter(|g| g.slot == crate::domain::bill::Slot::Unknown).map(|g| g.count).sum();
    Health {
        ok: runs.is_empty() && breakers.is_empty() && log.is_empty(),
        version: env!("CARGO_PKG_VERSION"),
        open_runs: live.open().count() as u64,
        stopped: runs.iter().map(|run| (run.run.clone(), run.detail.clone())).collect(),
        runs,
        breakers: breakers.iter().map(ToString::to_string).collect(),
        unresolved: groups.iter().map(|g| g.count).sum(),
        unknown,
        log,
    }
}

impl Halted {
    /// What keeps a run from its end, or kept it from reaching all of its bills.
    fn of(row: &RunRow, row_of_them: Option<(Ts, u32)>) -> Option<Self> {
        let (state, why) = match &row.state {
            RunState::Paused(why) => ("paused", Some(why.reason()?.clone())),
            RunState::Interrupted => ("interrupted", None),
            RunState::Closed(RunEnd::Stopped(why)) => ("stopped", Some(why.clone())),
            RunState::Closed(RunEnd::CollectFailed(why)) => ("collect_failed", Some(why.clone())),
            RunState::Collecting
            | RunState::AwaitingApproval
            | RunState::Working
            | RunState::Settling
            | RunState::Closed(_) => return None,
        };
        Some(Self {
            run: row.head.id.to_string(),
            plan: row.head.plan.to_string(),
            env: row.head.env.to_string(),
            state,
            reason: why.as_ref().map(Reason::code),
            reason_args: why.as_ref().map(Reason::args),
            detail: why.as_ref().map_or_else(|| state.to_owned(), Reason::en),
            since: row_of_them.map(|(since, _)| since),
            times: row_of_them.map_or(1, |(_, times)| times),
            until: None,
            row: row.clone(),
        })
    }
}
