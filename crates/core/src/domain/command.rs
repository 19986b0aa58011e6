//! Orders to the engine, and what the engine answers at once. The rest comes as facts.

use serde::{Deserialize, Serialize};

use super::access::Role;
use super::bounds;
use super::filter::Filter;
use super::forecast::Named;
use super::handed_in::{MOST_ORDER, MOST_RECORDS};
use super::ids::{CommandId, EnvId, PlanId, RunId, SessionId, SetHash, WorkKey};
use super::plan::Plan;
use super::range::Range;
use super::reason::Reason;
use super::run::{Flag, Revision};
use super::time::Ts;
use super::who::Who;

/// An order with its sender. The same id twice does nothing twice.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Order {
    /// Id chosen by the sender.
    pub id: CommandId,
    /// Who gives it; overwritten by the link with what the kernel says.
    pub by: Who,
    /// The console or verb that gives it, where the link knows; overwritten by the link like `by`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub session: Option<SessionId>,
    /// A verb gives it, and nobody sits there who could go on after a pause: a run it puts to work ends by itself where it
    /// cannot go on. Absent: a console.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub headless: bool,
    /// What.
    pub command: Command,
}

/// What can be ordered.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Command {
    /// Collect a plan's bills. Writes nothing; ends in [`super::run::RunState::AwaitingApproval`].
    Start {
        /// Plan.
        plan: PlanId,
        /// Parameters for this run only.
        params: StartParams,
    },
    /// Collect unresolved bills from the ledger for another try; ends in `AwaitingApproval`.
    Retry {
        /// Which.
        selection: Selection,
        /// Under which revision of their plan.
        #[serde(default, skip_serializing_if = "Revision::is_newest")]
        revision: Revision,
    },
    /// Read unknown bills back now (after the server's limit). No writing call.
    Verify {
        /// Which.
        selection: Selection,
    },
    /// Approve the frozen set of a collected run: writing begins.
    Approve {
        /// Run.
        run: RunId,
        /// The set that was seen.
        hash: SetHash,
        /// What the operator typed where the confirm ladder asks for typing.
        typed: Option<String>,
        /// Rule-changing flags for this run only.
        flags: Vec<Flag>,
        /// Why, when flags were chosen.
        reason: Option<String>,
    },
    /// Decline the frozen set: the run closes, nothing was written.
    Decline {
        /// Run.
        run: RunId,
    },
    /// Take no new bill; calls in flight end.
    Pause {
        /// Run.
        run: RunId,
    },
    /// Go on with a paused or interrupted run.
    Resume {
        /// Run.
        run: RunId,
    },
    /// Stop after the calls in flight; the rest is skipped(not_reached).
    Cancel {
        /// Run.
        run: RunId,
    },
    /// Change pace while running.
    SetPace {
        /// Environment.
        env: EnvId,
        /// Calls a minute.
        per_minute: Option<u32>,
        /// Calls in flight.
        concurrency: Option<u32>,
    },
    /// Close ledger entries with a written reason.
    Resolve {
        /// Which.
        selection: Selection,
        /// Why.
        reason: String,
    },
    /// Put ledger entries back that a person had closed.
    Reopen {
        /// Which.
        keys: Vec<WorkKey>,
        /// Why.
        reason: String,
    },
    /// Say that an environment's records are on the server it is configured with now.
    AdoptServer {
        /// Environment.
        env: EnvId,
        /// Why.
        reason: String,
    },
    /// Accept the action log as it is now, where it and the journal disagree.
    AcceptLog {
        /// Why.
        reason: String,
    },
    /// Allow writing in a read-only environment for a while.
    Unlock {
        /// Environment.
        env: EnvId,
        /// Why.
        reason: String,
    },
    /// Back to read-only.
    Lock {
        /// Environment.
        env: EnvId,
    },
    /// Show a machine out of a store that several write to: its runs are taken over at once.
    Evict {
        /// Its number; of one start of its program.
        host: i32,
        /// Why.
        reason: String,
    },
    /// Read the plan directory again.
    ReloadPlans,
    /// What stands out of a plan is no alarm; who told it tells it later next time.
    Deny {
        /// What stands out.
        alarm: Named,
    },
    /// Keep records that somebody hands in for a plan; its next run takes them up. All of them or none.
    Take {
        /// Plan.
        plan: PlanId,
        /// The records, each as JSON.
        records: Vec<String>,
        /// Which record of what was handed in the first of these is, from 1.
        first: u64,
    },
}

impl Command {
    /// Whether it may have to wait for a plan's file, which may lie on a server that does not answer. Orders that come
    /// after it need not wait with it: whatever it starts has no name before its receipt.
    pub fn reads_plans(&self) -> bool {
        match self {
            Self::Start { .. } | Self::Retry { .. } | Self::Take { .. } | Self::ReloadPlans => true,
            Self::Verify { .. }
            | Self::Approve { .. }
            | Self::Decline { .. }
            | Self::Pause { .. }
            | Self::Resume { .. }
            | Self::Cancel { .. }
            | Self::SetPace { .. }
            | Self::Resolve { .. }
            | Self::Reopen { .. }
            | Self::AdoptServer { .. }
            | Self::Unlock { .. }
            | Self::Lock { .. }
            | Self::Deny { .. }
            | Self::Evict { .. }
            | Self::AcceptLog { .. } => false,
        }
    }

    /// The verb of the action log.
    pub fn verb(&self) -> &'static str {
        match self {
            Self::Start { .. } => "start",
            Self::Retry { .. } => "retry",
            Self::Verify { .. } => "verify",
            Self::Approve { .. } => "approve",
            Self::Decline { .. } => "decline",
            Self::Pause { .. } => "pause",
            Self::Resume { .. } => "resume",
            Self::Cancel { .. } => "cancel",
            Self::SetPace { .. } => "set_pace",
            Self::Resolve { .. } => "resolve",
            Self::Reopen { .. } => "reopen",
            Self::AdoptServer { .. } => "adopt_server",
            Self::AcceptLog { .. } => "accept_log",
            Self::Evict { .. } => "evict",
            Self::Unlock { .. } => "unlock",
            Self::Lock { .. } => "lock",
            Self::ReloadPlans => "reload_plans",
            Self::Take { .. } => "take",
            Self::Deny { .. } => "deny",
        }
    }
}

/// Parameters of one start.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct StartParams {
    /// Read without the mark.
    pub sweep: bool,
    /// Only these bill numbers, when given.
    pub numbers: Vec<String>,
    /// Replaces LAST_SYNC_TIME for this run (server time, `YYYY-MM-DD[ HH:MM:SS]`).
    pub since: Option<String>,
    /// Only bills up to this date of the mark's column (server time; a bare date is that whole day). Moves no mark and
    /// carries nothing over from the ledger.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub until: Option<String>,
    /// The plan's compensation query (`omissionRemedy`) in place of its own; moves no mark.
    #[serde(default)]
    pub remedy: bool,
    /// The due time that starts it, where the clock does.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub due: Option<Ts>,
}

impl StartParams {
    /// What differs from a plain run, for the action log; empty when nothing does.
    pub fn words(&self) -> String {
        let mut words = Vec::new();
        words.extend(self.since.as_ref().map(|since| format!("since {since}")));
        words.extend(self.until.as_ref().map(|until| format!("until {until}")));
        if !self.numbers.is_empty() {
            words.push(format!("{} numbers", self.numbers.len()));
        }
        words.extend(self.sweep.then(|| "sweep".to_owned()));
        words.extend(self.remedy.then(|| "omissionRemedy".to_owned()));
        words.join(", ")
    }
}

/// Which ledger entries. Resolved from the store's index, never from a screen.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Selection {
    /// These bills.
    Bills(Vec<WorkKey>),
    /// All unresolved bills that match, in one environment and plan where given.
    Matching {
        /// Plan, or all.
        plan: Option<PlanId>,
        /// Run whose unresolved bills are meant, or all.
        run: Option<RunId>,
        /// Filter.
        filter: Filter,
    },
}

/// The engine's immediate answer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Receipt {
    /// Taken.
    Accepted {
        /// The run that was opened or concerned.
        run: Option<RunId>,
        /// Further runs that were opened: one for each plan the bills belong to.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        more: Vec<RunId>,
        /// Bills concerned, where known at once.
        bills: u64,
    },
    /// Not taken: why, and what to do. Exit code 4 in the headless verbs unless said otherwise.
    Refused(Refusal),
}

/// Why an order was refused: its class, which decides the exit code, and the reason.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[serde(rename_all = "snake_case")]
pub enum Refusal {
    /// No such plan, run or environment.
    #[error("{0}")]
    NotFound(Reason),
    /// The sender, or the environment, does not allow it.
    #[error("{0}")]
    Denied(Reason),
    /// Approved by the first of two persons.
    #[error("{0}")]
    SecondPerson(Reason),
    /// This plan has an open run already.
    #[error("{0}")]
    Busy(Reason),
    /// The set changed, or the typed words were not the ones asked for.
    #[error("not confirmed: {0}")]
    NotConfirmed(Reason),
    /// The run's state does not allow it.
    #[error("{0}")]
    WrongState(Reason),
    /// The plan cannot run: what and where.
    #[error("{0}")]
    BadPlan(Reason),
    /// The store takes no writes.
    #[error("the store takes no writes: {0}")]
    Store(Reason),
    /// Nothing matched.
    #[error("nothing to do: {0}")]
    Nothing(Reason),
}

impl Refusal {
    /// The reason.
    pub fn reason(&self) -> &Reason {
        match self {
            Self::NotFound(why)
            | Self::Denied(why)
            | Self::SecondPerson(why)
            | Self::Busy(why)
            | Self::NotConfirmed(why)
            | Self::WrongState(why)
            | Self::BadPlan(why)
            | Self::Store(why)
            | Self::Nothing(why) => why,
        }
    }
}

/// The role an order asks for. `production`: it concerns a production environment.
pub fn needed(command: &Command, production: bool) -> Role {
    match command {
        // Whose records these are decides about everything that is still open.
        // Nor is what is accepted in the log asked about again.
        // One that is alive stops in the middle of its work.
        Command::AdoptServer { .. } | Command::AcceptLog { .. } | Command::Evict { .. } => Role::Approver,
        Command::Approve { .. } | Command::Unlock { .. } if production => Role::Approver,
        Command::Start { .. }
        | Command::Retry { .. }
        | Command::Verify { .. }
        | Command::Approve { .. }
        | Command::Decline { .. }
        | Command::Pause { .. }
        | Command::Resume { .. }
        | Command::Cancel { .. }
        | Command::SetPace { .. }
        | Command::Resolve { .. }
        | Command::Reopen { .. }
        | Command::Unlock { .. }
        | Command::Lock { .. }
        | Command::Take { .. }
        | Command::Deny { .. }
        | Command::ReloadPlans => Role::Operator,
    }
}

/// Refuses an order that holds a text or a list beyond its bound.
pub fn check_bounds(command: &Command) -> Result<(), Reason> {
    if let Command::Take { plan, records, .. } = command {
        let bytes = records.iter().map(String::len).sum::<usize>();
        if records.len() > MOST_RECORDS || bytes > MOST_ORDER {
            return Err(Reason::HandedInTooMuch { records: MOST_RECORDS as u64, bytes: MOST_ORDER as u64 });
        }
        // Their own bounds are those of records.
        return check_bounds(&Command::Start { plan: plan.clone(), params: StartParams::default() });
    }
    // Every text of an order, whatever field it stands in, also of orders that come later.
    let all = serde_json::to_value(command).map_err(|_| Reason::TextTooLong { most: bounds::TEXT as u64 })?;
    within(&all)
}

fn within(value: &serde_json::Value) -> Result<(), Reason> {
    use serde_json::Value;
    match value {
        Value::String(text) if text.chars().nth(bounds::TEXT).is_some() => {
            Err(Reason::TextTooLong { most: bounds::TEXT as u64 })
        }
        Value::Array(all) if all.len() > bounds::LIST => {
            Err(Reason::ListTooLong { most: bounds::LIST as u64, n: all.len() as u64 })
        }
        Value::Array(all) => all.iter().try_for_each(within),
        Value::Object(all) => all.values().try_for_each(within),
        Value::String(_) | Value::Null | Value::Bool(_) | Value::Number(_) => Ok(()),
    }
}

impl Range {
    /// What these parameters cut of a plan's query, if anything.
    pub fn of(params: &StartParams, plan: &Plan) -> Option<Self> {
        let StartParams { sweep: _, numbers, since, until, remedy, due: _ } = params;
        let cut = !numbers.is_empty() || since.is_some() || until.is_some() || *remedy;
        cut.then(|| Self {
            field: plan.source.mark_column.clone(),
            since: since.clone(),
            until: until.clone(),
            numbers: numbers.len() as u64,
            remedy: *remedy,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::bounds::{LIST, TEXT};
    use crate::domain::forecast::What;

    #[test]
    fn every_order_asks_for_its_role_here_and_in_production() {
        let (env, run, none) = (|| EnvId::new("e"), RunId(ulid::Ulid::nil()), || Selection::Bills(Vec::new()));
        let reason = || "r".to_owned();
        let approve = Command::Approve { run, hash: SetHash::new("h"), typed: None, flags: Vec::new(), reason: None };
        let (operator, approver) = (Role::Operator, Role::Approver);
        for (command, usual, production) in [
            (Command::Start { plan: PlanId::new("p"), params: StartParams::default() }, operator, operator),
            (Command::Retry { selection: none(), revision: Revision::Newest }, operator, operator),
            (Command::Verify { selection: none() }, operator, operator),
            (approve, operator, approver),
            (Command::Decline { run }, operator, operator),
            (Command::Pause { run }, operator, operator),
            (Command::Resume { run }, operator, operator),
            (Command::Cancel { run }, operator, operator),
            (Command::SetPace { env: env(), per_minute: Some(1), concurrency: None }, operator, operator),
            (Command::Resolve { selection: none(), reason: reason() }, operator, operator),
            (Command::Reopen { keys: Vec::new(), reason: reason() }, operator, operator),
            (Command::Unlock { env: env(), reason: reason() }, operator, approver),
            (Command::Lock { env: env() }, operator, operator),
            (Command::ReloadPlans, operator, operator),
            (Command::Take { plan: PlanId::new("p"), records: Vec::new(), first: 1 }, operator, operator),
            (
                Command::Deny { alarm: Named { plan: PlanId::new("p"), what: What::Quiet, group: None } },
                operator,
                operator,
            ),
            (Command::AdoptServer { env: env(), reason: reason() }, approver, approver),
            (Command::AcceptLog { reason: reason() }, approver, approver),
            (Command::Evict { host: 1, reason: reason() }, approver, approver),
        ] {
            assert_eq!((needed(&command, false), needed(&command, true)), (usual, production), "{command:?}");
        }
    }

    fn start(plan: &str, numbers: Vec<String>) -> Command {
        Command::Start { plan: PlanId::new(plan), params: StartParams { numbers, ..StartParams::default() } }
    }

    #[test]
    fn a_text_of_256_characters_passes_and_one_more_does_not_wherever_it_stands() {
        for (n, passes) in [(TEXT, true), (TEXT + 1, false)] {
            // Characters, not bytes.
            let text = "据".repeat(n);
            let approve = Command::Approve {
                run: RunId(ulid::Ulid::nil()),
                hash: SetHash::new("h"),
                typed: Some(text.clone()),
                flags: Vec::new(),
                reason: None,
            };
            let plan = Some(PlanId::new(text.clone()));
            let all = [
                start(&text, Vec::new()),
                start("p", vec!["1".into(), text.clone()]),
                approve,
                Command::Unlock { env: EnvId::new("e"), reason: text.clone() },
                Command::Lock { env: EnvId::new(text.clone()) },
                Command::AcceptLog { reason: text.clone() },
                Command::Evict { host: 1, reason: text.clone() },
                Command::Verify { selection: Selection::Matching { plan, run: None, filter: Filter::default() } },
            ];
            for command in all {
                assert_eq!(check_bounds(&command).is_ok(), passes, "{}", command.verb());
            }
        }
        assert!(check_bounds(&start("p", vec![String::new(); LIST])).is_ok());
        assert!(check_bounds(&start("p", vec![String::new(); LIST + 1])).is_err());
    }
}
