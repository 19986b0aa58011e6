//! Shapes of the JSON lines. Stable: programs read them; fields are only added.

use serde_json::{Value, json};

use super::exit::Exit;
use crate::domain::bill::{BillState, Outcome};
use crate::domain::event::{Event, Fact};
use crate::domain::query::LedgerGroup;
use crate::domain::reason::Reason;
use crate::domain::run::{BillRow, RunRow, RunState, Tally};

/// The sum line.
pub fn tally(tally: &Tally) -> Value {
    json!({
        "found": tally.found, "audited": tally.audited, "already_audited": tally.already, "skipped": tally.skipped,
        "failed": tally.failed, "unknown": tally.unknown, "waiting": tally.waiting, "done": tally.audited,
        "already": tally.already, "not_reached": tally.not_reached,
    })
}

/// An outcome.
pub fn outcome(outcome: &Outcome) -> Value {
    let word = outcome.slot().code();
    match outcome {
        Outcome::Done { verified } => json!({"outcome": word, "verified": verified}),
        Outcome::Already { by, on } => json!({"outcome": word, "by": by, "on": on}),
        Outcome::Skipped(skip) => json!({"outcome": word, "why": skip.word()}),
        Outcome::Failed(failure) => json!({
            "outcome": word, "cause": failure.cause, "msg_code": failure.msg_code, "field": failure.field,
            "message": failure.message,
        }),
        Outcome::Unknown(unknown) => json!({
            "outcome": word, "why": unknown.why.word(), "sent_ms": unknown.sent.0, "detail": unknown.detail,
        }),
    }
}

/// Where a bill stands.
pub fn state(state: &BillState) -> Value {
    match state {
        BillState::Waiting => json!({"outcome": "waiting"}),
        BillState::Trying { step, attempt, since } => {
            json!({"outcome": "waiting", "trying": step.word(), "attempt": attempt, "since_ms": since.0})
        }
        BillState::RetryAt { at, cause, .. } => json!({"outcome": "waiting", "retry_at_ms": at.0, "cause": cause}),
        BillState::Settled(settled) => outcome(settled),
    }
}

/// A bill in a run.
pub fn bill(row: &BillRow, columns: &[String]) -> Value {
    let mut value = json!({
        "type": "bill", "run": row.run, "plan": row.plan, "env": row.record().env, "form": row.record().form,
        "fid": row.fid(), "operation": row.key.op,
        "no": row.no, "status_when_read": row.rev.status.code(), "attempts": row.attempts, "at_ms": row.at.0,
    });
    merge(&mut value, if row.untold { json!({"outcome": "not_approved"}) } else { state(&row.state) });
    if !columns.is_empty() {
        let named = columns.iter().cloned().zip(row.columns.iter().cloned().map(Value::from));
        merge(&mut value, json!({"columns": named.collect::<serde_json::Map<_, _>>()}));
    }
    value
}

/// A settled bill, from the fact that settled it.
pub fn settled(fact: &Fact) -> Option<Value> {
    let Event::BillSettled { run, fid, no, outcome: settled, .. } = &fact.event else { return None };
    let mut value = json!({"type": "bill", "run": run, "fid": fid, "no": no, "at_ms": fact.at.0, "seq": fact.seq});
    merge(&mut value, outcome(settled));
    Some(value)
}

/// A run with its sum.
pub fn run(row: &RunRow) -> Value {
    let head = &row.head;
    let (state, detail) = run_state(&row.state);
    let mut value = json!({
        "type": "run", "run": head.id, "kind": head.kind, "plan": head.plan, "revision": head.rev, "env": head.env,
        "production": head.production, "form": head.form, "by": head.by.to_string(), "opened_ms": head.opened.0,
        "closed_ms": row.closed.map(|at| at.0), "state": state, "detail": detail.as_ref().map(Reason::en),
        "reason": detail.as_ref().map(Reason::code), "reason_args": detail.as_ref().map(Reason::args),
        "operation": head.op, "of": head.of,
        "chosen_revision": head.revision,
        "exit": Exit::of_run(row).map(Exit::code),
        "set_hash": row.collected.as_ref().map(|c| &c.hash), "sum_closes": row.tally.closes(), "pruned": row.pruned,
    });
    merge(&mut value, tally(&row.tally));
    value
}

/// A run's state as a word, and what it says beside.
pub fn run_state(state: &RunState) -> (&'static str, Option<Reason>) {
    match state {
        RunState::Collecting => ("collecting", None),
        RunState::AwaitingApproval => ("awaiting_approval", None),
        RunState::Working => ("working", None),
        RunState::Settling => ("settling", None),
        RunState::Paused(why) => ("paused", why.reason().cloned()),
        RunState::Interrupted => ("interrupted", None),
        RunState::Closed(end) => (end.word(), end.reason().cloned()),
    }
}

/// A group of the ledger.
pub fn group(group: &LedgerGroup) -> Value {
    json!({
        "type": "group", "outcome": group.slot.code(), "group": group.group, "count": group.count,
        "oldest_ms": group.oldest.map(|at| at.0),
    })
}

fn merge(into: &mut Value, from: Value) {
    if let (Value::Object(into), Value::Object(from)) = (into, from) {
        into.extend(from);
    }
}
