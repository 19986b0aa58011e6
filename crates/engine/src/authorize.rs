//! Before and after an order: whether its sender may give it, and its lines in the action log's file.
//!
//! Invariant: nothing is done of which no line was durable before; a refusal leaves a line too.

use std::sync::Arc;

use serde_json::Value;

use skydeck_core::domain::access::Role;
use skydeck_core::domain::bill::Slot;
use skydeck_core::domain::bounds;
use skydeck_core::domain::command::{self, Command, Order, Refusal};
use skydeck_core::domain::event::{ActionEntry, Event};
use skydeck_core::domain::ids::{EnvId, RunId};
use skydeck_core::domain::operation_words;
use skydeck_core::domain::query::RunColumn;
use skydeck_core::domain::reason::Reason;
use skydeck_core::domain::run::{BillRow, RunEnd, RunRow};
use skydeck_core::domain::who::Who;
use skydeck_store::StoreError;
use skydeck_store::actions::{Deed, IDS, Phase};

use super::Inner;
use super::command_outcome::{About, CommandOutcome, concerned};
use super::control::Shared;

/// Where an order was given, and its sender's role was looked at.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Given {
    /// On this machine.
    Here,
    /// On another one, where its sender has this role.
    Elsewhere(Role),
}

/// The FIDs of the first rows.
pub(super) fn ids(rows: &[BillRow]) -> Vec<String> {
    rows.iter().take(IDS).map(|row| row.fid().to_string()).collect()
}

impl Inner {
    /// Refuses who may not give this order.
    pub(super) async fn allowed(&self, order: &Order, from: Given) -> Result<(), Refusal> {
        let production = self
            .env_of(&order.command)
            .await
            .is_some_and(|env| self.shared.env(Some(&env)).is_some_and(|dispatch| dispatch.env.production));
        self.has_role(order, from, command::needed(&order.command, production))
    }

    /// The environment an order concerns, where it names one or a run.
    async fn env_of(&self, command: &Command) -> Option<EnvId> {
        match command {
            Command::SetPace { env, .. }
            | Command::Unlock { env, .. }
            | Command::Lock { env }
            | Command::AdoptServer { env, .. } => Some(env.clone()),
            Command::Approve { run, .. }
            | Command::Decline { run }
            | Command::Pause { run }
            | Command::Resume { run }
            | Command::Cancel { run } => self.shared.open_run(*run).await.ok().map(|row| row.head.env),
            Command::Start { plan, .. } | Command::Take { plan, .. } => {
                self.shared.usable(plan).ok().map(|(_, env)| env.env.id.clone())
            }
            Command::Retry { .. }
            | Command::Verify { .. }
            | Command::Resolve { .. }
            | Command::Reopen { .. }
            | Command::Deny { .. }
            | Command::AcceptLog { .. }
            | Command::Evict { .. }
            | Command::ReloadPlans => None,
        }
    }

    /// Refuses who may not give such an order anywhere, and what is beyond every bound: nothing was read for it yet, and the
    /// line it leaves is a short one.
    pub(super) fn acceptable(&self, order: &Order, from: Given) -> Result<(), Refusal> {
        let needed = command::needed(&order.command, false);
        self.has_role(order, from, needed)?;
        command::check_bounds(&order.command).map_err(Refusal::NotConfirmed)
    }

    fn has_role(&self, order: &Order, from: Given, needed: Role) -> Result<(), Refusal> {
        let role = match from {
            Given::Here => self.shared.access.role(order.by.uid),
            Given::Elsewhere(role) => Some(role),
        };
        match role {
            Some(role) if role >= needed => Ok(()),
            role => Err(Refusal::Denied(Reason::NotAllowed {
                verb: order.command.verb().to_owned(),
                role: role.unwrap_or(Role::Viewer),
                needed,
            })),
        }
    }

    /// The line of the immediate result. What was done is done: where the file takes it no more, that is said.
    pub(super) async fn log_after(&self, deed: Deed) {
        if let Err(error) = self.shared.log(deed).await {
            tracing::error!(%error, "an action's result could not be logged");
        }
    }

    /// The line of a refusal, in the file and in the journal. Refused because they take nothing: then there is none.
    pub(super) async fn log_refused(&self, order: &Order, refusal: &Refusal) {
        let hosts = self.shared.store.hosts();
        let is_of_here = order.by.host.as_deref().is_none_or(|host| hosts.is_some_and(|hosts| hosts.name() == host));
        if is_of_here && self.shared.access.role(order.by.uid).is_none() {
            return self.log_stranger(&order.by).await;
        }
        // What is too long stands in no line.
        let is_bounded = command::check_bounds(&order.command).is_ok();
        let (id, by, command) = (order.id, order.by.clone(), Command::ReloadPlans);
        let reasonless = Order { id, by, session: None, headless: order.headless, command };
        let (verb, named) = (order.command.verb(), if is_bounded { order } else { &reasonless });
        let (run, plan) = concerned(&named.command);
        let taken = CommandOutcome {
            run,
            plan: plan.clone(),
            about: About { env: self.env_of(&named.command).await, ..About::default() },
            ..CommandOutcome::default()
        };
        let line = audit_record(named, Phase::Refused, &taken, bounds::said(refusal.to_string()));
        let line = with_reason(Deed { action: verb.to_owned(), ..line }, refusal.reason());
        drop(taken);
        let written = self.shared.log(line).await;
        let entry = ActionEntry {
            order: None,
            by: order.by.clone(),
            verb: order.command.verb().to_owned(),
            run,
            plan,
            bills: 0,
            reason: None,
            result: bounds::said(refusal.to_string()),
            line: written.ok(),
            why: Some(refusal.reason().clone()).filter(is_short),
        };
        let _ = self.shared.ledger.append(vec![Event::ActionTaken(Box::new(entry))]).await;
    }

    /// Something the engine did by itself to an environment's permission, as an action of its own.
    pub(super) async fn log_own(self: Arc<Self>, verb: &'static str, env: EnvId, why: String) {
        let by = Who::engine(self.shared.owner);
        let deed = Deed {
            phase: Phase::After,
            order: None,
            by: by.clone(),
            action: verb.to_owned(),
            env: Some(env.to_string()),
            plan: None,
            plan_rev: None,
            run: None,
            set_hash: None,
            n: 0,
            ids: Vec::new(),
            reason: Some(why.clone()),
            code: None,
            args: None,
            result: "accepted".to_owned(),
        };
        let line = self.shared.log(deed).await.ok();
        let result = format!("accepted; {env}");
        let entry = ActionEntry {
            order: None,
            by,
            verb: verb.to_owned(),
            run: None,
            plan: None,
            bills: 0,
            reason: Some(why),
            result,
            line,
            why: None,
        };
        let _ = self.shared.ledger.append(vec![Event::ActionTaken(Box::new(entry))]).await;
    }
}

impl Shared {
    /// Closes a run, with what is told together with its end; that is the last line of the action that opened it.
    pub(super) async fn close_run(&self, run: RunId, mut told: Vec<Event>, end: RunEnd) -> Result<(), StoreError> {
        told.push(Event::RunClosed { run, end: end.clone() });
        self.ledger.append(told).await?;
        let Some(row) = self.store.run(run).await? else { return Ok(()) };
        if let RunEnd::CollectFailed(why @ Reason::SignInRefused { .. }) = &end
            && let Some(env) = self.env(Some(&row.head.env)).filter(|env| env.erp.refused())
        {
            env.hold_all(why);
        }
        let result = format!("{}; {}", bounds::said(how_it_ended(&end)), sum(&row));
        let n = row.tally.found;
        let args = serde_json::json!({
            "reason": end.reason().map(Reason::code), "reason_args": end.reason().map(Reason::args), "sum": row.tally,
        });
        let deed = Deed {
            phase: Phase::End,
            order: None,
            by: row.head.by,
            action: "run".to_owned(),
            env: Some(row.head.env.to_string()),
            plan: Some(row.head.plan.to_string()),
            plan_rev: Some(row.head.rev.to_string()),
            run: Some(run.to_string()),
            set_hash: row.collected.map(|c| c.hash.to_string()),
            n,
            ids: Vec::new(),
            reason: None,
            code: Some(end.word().to_owned()),
            args: Some(short(args)),
            result,
        };
        if let Err(error) = self.log(deed).await {
            tracing::error!(%run, %error, "a run's end could not be logged");
        }
        Ok(())
    }

    /// The FIDs of a run's bills that wait.
    pub(super) async fn waiting_ids(&self, run: RunId) -> Result<Vec<String>, StoreError> {
        Ok(ids(&self.store.bills_in(RunColumn { run, slot: Slot::Waiting }, None, IDS).await?))
    }
}

/// How a run ended, in English.
fn how_it_ended(end: &RunEnd) -> String {
    match end {
        RunEnd::Completed => "completed".to_owned(),
        RunEnd::Empty => "nothing was found".to_owned(),
        RunEnd::Collected => "collected; nothing was called".to_owned(),
        RunEnd::Cancelled => "cancelled".to_owned(),
        RunEnd::Declined => "declined; nothing was written".to_owned(),
        RunEnd::CollectFailed(why) => format!("the query failed, nothing was written: {why}"),
        RunEnd::Stopped(why) => format!("stopped by itself: {why}"),
    }
}

/// The sum of a run, in English; of one that nobody approved, only how many bills it found.
fn sum(row: &RunRow) -> String {
    let t = &row.tally;
    if row.is_untold() {
        return format!("found {}", t.found);
    }
    operation_words::sum_en(&row.head.op, t)
}

/// A line with the reason as programs read it.
pub(super) fn with_reason(deed: Deed, why: &Reason) -> Deed {
    Deed { code: Some(why.code()), args: Some(short(why.args())), ..deed }
}

/// Whether a reason is no longer than what an entry of the log takes.
fn is_short(why: &Reason) -> bool {
    serde_json::to_string(why).is_ok_and(|text| text.len() <= bounds::CELL)
}

/// Arguments whose texts are cut to what a line takes.
fn short(args: Value) -> Value {
    match args {
        Value::String(text) => Value::String(bounds::said(text)),
        Value::Array(all) => all.into_iter().map(short).collect(),
        Value::Object(all) => Value::Object(all.into_iter().map(|(name, value)| (name, short(value))).collect()),
        plain @ (Value::Null | Value::Bool(_) | Value::Number(_)) => plain,
    }
}

/// What one line says of an order.
pub(super) fn audit_record(order: &Order, phase: Phase, taken: &CommandOutcome, result: String) -> Deed {
    let reason = taken.reason.clone().or_else(|| match &order.command {
        Command::Unlock { reason, .. }
        | Command::Resolve { reason, .. }
        | Command::Reopen { reason, .. }
        | Command::AdoptServer { reason, .. }
        | Command::AcceptLog { reason }
        | Command::Evict { reason, .. } => Some(reason.clone()),
        Command::Approve { reason, .. } => reason.clone(),
        _ => None,
    });
    Deed {
        phase,
        order: Some(order.id.to_string()),
        by: order.by.clone(),
        action: order.command.verb().to_owned(),
        env: taken.about.env.as_ref().map(ToString::to_string),
        plan: taken.plan.as_ref().map(ToString::to_string),
        plan_rev: taken.about.rev.clone(),
        run: taken.run.map(|run| run.to_string()),
        set_hash: taken.about.hash.clone(),
        n: taken.bills,
        ids: if phase == Phase::Before { taken.about.ids.clone() } else { Vec::new() },
        reason,
        code: None,
        args: None,
        result,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn arguments_keep_their_form_and_only_their_texts_are_cut() {
        let long = "x".repeat(5000);
        let cut = format!("{}…", "x".repeat(4096));
        let args = json!({"a": [long, {"b": long, "n": 7}], "yes": true, "none": null, "short": "s"});
        assert_eq!(short(args), json!({"a": [cut, {"b": cut, "n": 7}], "yes": true, "none": null, "short": "s"}));
    }

    #[test]
    fn every_end_of_a_run_has_words_of_its_own_in_the_log() {
        let why = || Reason::BreakerUnknown { n: 3 };
        for (end, words) in [
            (RunEnd::Completed, "completed".to_owned()),
            (RunEnd::Empty, "nothing was found".to_owned()),
            (RunEnd::Cancelled, "cancelled".to_owned()),
            (RunEnd::Declined, "declined; nothing was written".to_owned()),
            (RunEnd::CollectFailed(why()), format!("the query failed, nothing was written: {}", why())),
            (RunEnd::Stopped(why()), format!("stopped by itself: {}", why())),
        ] {
            assert_eq!(how_it_ended(&end), words);
        }
    }
}
