//! A call that makes bills, or goes on with bills that were made: what it carries, and whom its answer is about.
//!
//! Invariant: records are known by the ids of the plan's source; ids of made bills go out and come back here alone.

use std::collections::HashMap;

use crate::ports::WriteReply;
use skydeck_core::domain::ids::Fid;
use skydeck_core::domain::step::{Intent, Left, Made, Step, Verdict};
use skydeck_store::StoreError;

use super::glance::Answered;
use super::known::Candidate;
use super::run_context::RunContext;

/// What stands beside the intent of one bill: of one that is to be made, its key and the hash of its body.
pub(super) fn intent(run: &RunContext, step: Step, bill: &Candidate, left: Option<Left>) -> Intent {
    match bill.body.as_ref().filter(|_| run.makes(step)) {
        Some(body) => Intent { key_value: Some(body.key.clone()), body: Some(body.hash.clone()), left },
        None => Intent { left, ..Intent::default() },
    }
}

/// What is to be made of these bills, as it was frozen.
pub(super) async fn bodies(
    run: &RunContext,
    step: Step,
    bills: &[Candidate],
) -> Result<HashMap<Fid, String>, StoreError> {
    let mut bodies = HashMap::with_capacity(bills.len());
    for bill in bills.iter().filter(|_| run.makes(step)) {
        let body = run.shared.store.body(run.head.id, &bill.fid).await?;
        bodies.extend(body.map(|body| (bill.fid.clone(), body)));
    }
    Ok(bodies)
}

/// Id and number under which a bill is called: its own, or those of the bill that was made of it. One that is to be made is
/// known by the key it will have.
pub(super) fn addressed(run: &RunContext, step: Step, bill: &Candidate) -> (Fid, String) {
    match &bill.made {
        Some((id, no)) => (id.clone(), no.clone()),
        None if run.makes(step) => {
            (bill.fid.clone(), bill.body.as_ref().map(|body| body.key.clone()).unwrap_or_default())
        }
        // Another column than the form's own number is nothing that an answer could name.
        None if run.plan.source.has_own_number() => (bill.fid.clone(), bill.no.clone()),
        None => (bill.fid.clone(), String::new()),
    }
}

/// An answer about bills that were made, as one about the records they were made of.
pub(super) fn of_records(reply: WriteReply, bills: &[Candidate], makes: bool) -> WriteReply {
    if makes || bills.iter().all(|bill| bill.made.is_none()) {
        return reply;
    }
    let of = |id: &Fid| bills.iter().find(|bill| bill.made.as_ref().is_some_and(|(made, _)| made == id));
    let verdicts = reply.verdicts.into_iter();
    let verdicts = verdicts.filter_map(|(id, verdict)| of(&id).map(|bill| (bill.fid.clone(), verdict))).collect();
    WriteReply { verdicts, ..reply }
}

/// What a call made of a bill, as its answer names it.
pub(super) fn made_of(call: &Answered<'_>, bill: &Candidate) -> Option<Made> {
    let (_, id, no) = call.reply.made.iter().find(|(fid, ..)| call.run.makes(call.step) && *fid == bill.fid)?;
    Some(Made { id: id.clone(), no: no.clone(), form: call.run.plan.target.form.clone() })
}

/// The number that the form gave a bill in the place of the one we sent.
pub(super) fn not_honoured(call: &Answered<'_>, bill: &Candidate, verdict: &Verdict) -> Option<String> {
    call.run.plan.target.make.as_deref().filter(|make| *verdict == Verdict::Done && make.is_own_number())?;
    // An answer that names no number says nothing of it: a look does.
    let made = made_of(call, bill).filter(|made| !made.no.trim().is_empty())?;
    let sent = bill.body.as_ref()?.key.trim();
    if made.no.trim().eq_ignore_ascii_case(sent) {
        call.run.kept_number();
    }
    (!made.no.trim().eq_ignore_ascii_case(sent)).then_some(made.no)
}
