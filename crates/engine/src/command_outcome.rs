//! What an order leads to: facts, runs, a line in the action log, and what follows once that line is durable.
//!
//! Invariant: an order that is refused leads to nothing of this.

use std::sync::Arc;

use skydeck_core::domain::command::{Command, Refusal, Selection};
use skydeck_core::domain::event::Event;
use skydeck_core::domain::ids::{EnvId, PlanId, RunId};
use skydeck_core::domain::query::PlanProblem;
use skydeck_core::domain::reason::Reason;
use skydeck_core::text::readable;

use super::Inner;

/// What follows once the order's line is durable.
pub(super) type OnCommit = Box<dyn FnOnce(&Arc<Inner>) + Send>;

/// An order that was found good.
#[derive(Default)]
pub(super) struct CommandOutcome {
    /// Facts stored together with the action's line.
    pub events: Vec<Event>,
    /// Further facts, too many for one append.
    pub more: Vec<Vec<Event>>,
    pub run: Option<RunId>,
    /// Further runs that are opened.
    pub also: Vec<RunId>,
    pub plan: Option<PlanId>,
    pub bills: u64,
    pub reason: Option<String>,
    /// Added to `accepted` in the action log.
    pub note: String,
    pub on_commit: Option<OnCommit>,
    pub about: About,
    /// Said in place of `accepted`, where what was asked for needs more than this order.
    pub instead: Option<Refusal>,
}

/// What an action is about, beside run and plan.
#[derive(Clone, Debug, Default)]
pub(super) struct About {
    pub env: Option<EnvId>,
    pub rev: Option<String>,
    pub hash: Option<String>,
    pub ids: Vec<String>,
}

/// The run and the plan that an order concerns, as far as its words tell.
pub(super) fn concerned(command: &Command) -> (Option<RunId>, Option<PlanId>) {
    match command {
        Command::Start { plan, .. } | Command::Take { plan, .. } => (None, Some(plan.clone())),
        Command::Deny { alarm } => (None, Some(alarm.plan.clone())),
        Command::Approve { run, .. }
        | Command::Decline { run }
        | Command::Pause { run }
        | Command::Resume { run }
        | Command::Cancel { run } => (Some(*run), None),
        Command::Retry { selection, .. } | Command::Verify { selection } | Command::Resolve { selection, .. } => {
            match selection {
                Selection::Matching { plan, .. } => (None, plan.clone()),
                Selection::Bills(_) => (None, None),
            }
        }
        Command::SetPace { .. }
        | Command::Unlock { .. }
        | Command::Lock { .. }
        | Command::Reopen { .. }
        | Command::AdoptServer { .. }
        | Command::AcceptLog { .. }
        | Command::Evict { .. }
        | Command::ReloadPlans => (None, None),
    }
}

/// What the reader of plans says.
pub(super) fn bad_plan(problem: PlanProblem) -> Refusal {
    let PlanProblem { message, zh, .. } = problem;
    Refusal::BadPlan(Reason::PlanProblem { said: message, zh })
}

/// A reason as it was written; nothing but blanks is none.
pub(super) fn written(reason: &str, verb: &str) -> Result<String, Refusal> {
    let needs = || Refusal::NotConfirmed(Reason::NeedsReason { verb: verb.to_owned() });
    readable(reason).map(str::to_owned).ok_or_else(needs)
}
