//! Shapes of the JSON lines. Stable: programs read them; fields are only added.

use serde_json::{Value, json};

use crate::domain::bill::{BillState, Outcome, Slot, Status};
use crate::domain::erp_status::After;
use crate::domain::event::{Event, Fact};
use crate::domain::ids::OpId;
use crate::domain::listed::Listed;
use crate::domain::operation_words::{code, name, words};
use crate::domain::query::LedgerGroup;
use crate::domain::range::Range;
use crate::domain::reach::{PlanReach, Reach};
use crate::domain::reached::reached;
use crate::domain::reason::Reason;
use crate::domain::run::{BillRow, Probe, RunHead, RunRow, RunState, Tally};
use crate::domain::time::Ts;
use crate::domain::who::Who;
use crate::exit::Exit;

/// The sum line.
pub fn tally(tally: &Tally) -> Value {
    json!({
        "found": tally.found, "audited": tally.audited, "already_audited": tally.already, "skipped": tally.skipped,
        "failed": tally.failed, "unknown": tally.unknown, "waiting": tally.waiting, "done": tally.audited,
        "already": tally.already, "not_reached": tally.not_reached,
    })
}

/// An outcome under an operation. `word` stands where the operation has another one than the column.
pub fn outcome(op: &OpId, outcome: &Outcome) -> Value {
    let slot = outcome.slot();
    let word = code(op, slot);
    let mut value = match outcome {
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
    };
    if !op.is_audit() && matches!(slot, Slot::Done | Slot::Already) {
        merge(&mut value, json!({"word": words(op).script_of(slot)}));
    }
    value
}

/// Where a bill stands.
fn state(op: &OpId, state: &BillState) -> Value {
    match state {
        BillState::Waiting => json!({"outcome": "waiting"}),
        BillState::Trying { step, attempt, since } => {
            json!({"outcome": "waiting", "trying": step.word(), "attempt": attempt, "since_ms": since.0})
        }
        BillState::RetryAt { at, cause, .. } => json!({"outcome": "waiting", "retry_at_ms": at.0, "cause": cause}),
        BillState::Settled(settled) => outcome(op, settled),
    }
}

/// The status after what was done, with what it is known by and since when: by our clock, and where the bill was audited by
/// the ERP's.
fn after(after: Option<&After>) -> Value {
    json!({
        "status_after": after.and_then(|after| after.status.as_ref()).map(Status::code),
        "status_after_by": after.map(|after| after.ground.word()),
        "status_after_at_ms": after.and_then(|after| after.at).map(|at| at.0),
        "audit_erp_time": after.and_then(|after| after.audited.as_ref()),
    })
}

/// A bill in a run.
pub fn bill(row: &BillRow, columns: &[String]) -> Value {
    let mut value = json!({
        "type": "bill", "run": row.run, "plan": row.plan, "env": row.record().env, "form": row.record().form,
        "fid": row.fid(), "operation": name(&row.key.op),
        "no": row.no, "status_when_read": row.rev.status.code(), "attempts": row.attempts, "at_ms": row.at.0,
        "status_found": row.before().status.code(), "modified_found_erp_time": row.before().modified,
    });
    merge(&mut value, after(Some(&After::of(row))));
    merge(&mut value, made(row));
    let stands = if row.untold { json!({"outcome": "not_approved"}) } else { state(&row.key.op, &row.state) };
    merge(&mut value, stands);
    if let Some(before) = &row.resolved_before {
        merge(&mut value, json!({"resolved_before": closing(&before.by, &before.reason, before.at)}));
    }
    if !columns.is_empty() {
        let named = columns.iter().cloned().zip(row.columns.iter().cloned().map(Value::from));
        merge(&mut value, json!({"columns": named.collect::<serde_json::Map<_, _>>()}));
    }
    value
}

/// The bill that was made of it, and the steps that took.
fn made(row: &BillRow) -> Value {
    let Some(made) = &row.made else { return json!({}) };
    let steps: Vec<&str> = reached(row).iter().map(|step| step.word()).collect();
    json!({"made": {"form": made.form, "fid": made.id, "no": made.no}, "steps_reached": steps})
}

/// That a person resolved a bill.
pub fn closing(by: &Who, reason: &str, at: Ts) -> Value {
    json!({"by": by.to_string(), "reason": reason, "at_ms": at.0})
}

/// A settled bill, from the fact that settled it; `head` is its run's.
pub fn settled(head: &RunHead, fact: &Fact) -> Option<Value> {
    let Event::BillSettled { run, fid, no, outcome: settled, .. } = &fact.event else { return None };
    let mut value = json!({
        "type": "bill", "run": run, "fid": fid, "operation": name(&head.op), "no": no, "at_ms": fact.at.0,
        "seq": fact.seq,
    });
    merge(&mut value, outcome(&head.op, settled));
    merge(&mut value, after(After::settled(&head.op, settled, fact.at).as_ref()));
    Some(value)
}

/// The same from the store's row of it, for a reader that fell behind the facts: it has no place in the journal.
pub fn settled_row(row: &BillRow) -> Value {
    let mut value = json!({
        "type": "bill", "run": row.run, "fid": row.fid(), "operation": name(&row.key.op), "no": row.no,
        "at_ms": row.at.0, "seq": null,
    });
    merge(&mut value, made(row));
    merge(&mut value, state(&row.key.op, &row.state));
    merge(&mut value, after(Some(&After::of(row))));
    value
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
        "operation": (!row.op_unknown).then(|| name(&head.op)), "of": head.of,
        "chosen_revision": head.revision, "range": head.range.as_ref().map(range),
        "exit": Exit::of_run(row).map(Exit::code),
        "set_hash": row.collected.as_ref().map(|c| &c.hash), "sum_closes": row.tally.closes(), "pruned": row.pruned,
    });
    merge(&mut value, tally(&row.tally));
    if let Some(left) = row.collected.as_ref().and_then(|collected| collected.unchanged.as_ref()) {
        merge(&mut value, json!({"unchanged": left.bills, "unchanged_hash": left.hash}));
    }
    if let Some(collected) = row.collected.as_ref().filter(|collected| !collected.probes.is_empty()) {
        let probe = |probe: &Probe| json!({"no": probe.no, "cause": probe.cause});
        let probes: Vec<Value> = collected.probes.iter().map(probe).collect();
        merge(&mut value, json!({"probes": probes}));
    }
    if let Some(list) = row.collected.as_ref().and_then(|collected| collected.listed.as_ref()) {
        merge(&mut value, json!({"listed": listed(list)}));
    }
    if row.op_unknown {
        merge(&mut value, json!({"said_by": "0.1.0"}));
    }
    value
}

/// What became of a list of bill numbers.
pub fn listed(list: &Listed) -> Value {
    json!({
        "asked": list.asked, "unknown": list.unknown, "unknown_first": list.unknown_first,
        "outside": list.outside, "outside_first": list.outside_first,
    })
}

/// What a run was cut to by hand: by which column, in the ERP's time.
fn range(range: &Range) -> Value {
    json!({
        "field": range.field, "since": range.since, "until": range.until, "numbers": range.numbers,
        "remedy": range.remedy,
    })
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

/// Puts the members of one object into another.
pub fn merge(into: &mut Value, from: Value) {
    if let (Value::Object(into), Value::Object(from)) = (into, from) {
        into.extend(from);
    }
}

/// What a plan says of a number that no run has read.
pub fn reach(number: &str, row: &PlanReach) -> Value {
    let (answer, more) = match &row.reach {
        Reach::Finds => ("finds", json!({})),
        Reach::LeavesOut { filter, status } => {
            ("leaves_out", json!({"filter": filter, "status": status.as_ref().map(Status::code)}))
        }
        Reach::NotThere => ("not_there", json!({})),
        Reach::Failed(why) => ("failed", json!({"reason": why.code(), "reason_args": why.args(), "detail": why.en()})),
        Reach::Refused(refusal) => {
            let why = refusal.reason();
            ("refused", json!({"reason": why.code(), "reason_args": why.args(), "detail": refusal.to_string()}))
        }
    };
    let mut value = json!({
        "type": "reach", "number": number, "plan": row.plan, "name": row.name, "env": row.env, "answer": answer,
    });
    merge(&mut value, more);
    value
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::bill::Skip;

    #[test]
    fn outcomes_keep_their_names_for_audit_and_are_told_by_column_and_word_for_the_rest() {
        let (audit, close, other) = (OpId::default(), OpId::new("BillClose"), OpId::new("Foo"));
        let done = Outcome::Done { verified: true };
        let already = Outcome::Already { by: None, on: None };
        for (op, told, want) in [
            (&audit, &done, json!({"outcome": "audited", "verified": true})),
            (&audit, &already, json!({"outcome": "already_audited", "by": null, "on": null})),
            (&close, &done, json!({"outcome": "done", "verified": true, "word": "closed"})),
            (&close, &already, json!({"outcome": "already", "by": null, "on": null, "word": "already_closed"})),
            (&other, &done, json!({"outcome": "done", "verified": true, "word": "done"})),
            (&close, &Outcome::Skipped(Skip::NotReached), json!({"outcome": "not_reached", "why": "not_reached"})),
        ] {
            assert_eq!(outcome(op, told), want);
        }
    }

    #[test]
    fn a_sum_has_the_names_of_0_1_0_and_the_general_ones() {
        let sum = tally(&Tally { found: 9, audited: 3, already: 2, not_reached: 4, ..Tally::default() });
        assert_eq!((&sum["audited"], &sum["already_audited"]), (&sum["done"], &sum["already"]));
        assert_eq!((&sum["done"], &sum["already"], &sum["not_reached"]), (&json!(3), &json!(2), &json!(4)));
    }
}
