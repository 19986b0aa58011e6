//! A call that makes bills, or goes on with bills that were made: what it carries, and whom its answer is about.
//!
//! Invariant: records are known by the ids of the plan's source; ids of made bills go out and come back here alone.

use std::collections::HashMap;

use crate::ports::WriteReply;
use skydeck_core::domain::bill::UnknownWhy;
use skydeck_core::domain::filter::Filter;
use skydeck_core::domain::ids::Fid;
use skydeck_core::domain::query::{PageRequest, Scope};
use skydeck_core::domain::run::BillRow;
use skydeck_core::domain::step::{Intent, Left, Made, Step, Verdict};
use skydeck_store::StoreError;

use super::glance::{Answered, Glance};
use super::known::Candidate;
use super::run_context::RunContext;

/// Bills that are read at once when a number is looked for among those of a run.
const PAGE: u32 = 1000;

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

/// What a call made of a bill, as its answer names it; `None` where it names another bill than the one sent.
pub(super) fn made_of(call: &Answered<'_>, bill: &Candidate, named: &Named) -> Option<Made> {
    let (_, id, no) = call.reply.made.iter().find(|(fid, ..)| call.run.makes(call.step) && *fid == bill.fid)?;
    let made = Made { id: id.clone(), no: no.clone(), form: call.run.plan.target.form.clone() };
    matches!(named, Named::Sent | Named::Replaced(_)).then_some(made)
}

/// Which bill an answer to a call that makes one names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Named {
    /// The one that was sent, or none: a look tells then.
    Sent,
    /// One under another number, and under ours nothing is there: a rule of the form replaced the number.
    Replaced(String),
    /// Some other bill: the answer says nothing of the one that was sent.
    Anothers,
    /// One under another number, and nothing could be read: whose it is cannot be told.
    Untold,
}

/// What an answer names that is not the number sent.
pub(super) fn other_number(call: &Answered<'_>, bill: &Candidate, verdict: &Verdict) -> Option<String> {
    call.run.plan.target.make.as_deref().filter(|make| call.run.makes(call.step) && make.is_own_number())?;
    let named = match verdict {
        Verdict::Unknown(UnknownWhy::KeyNotHonoured, said) => return Some(said.clone()),
        Verdict::Done => call.reply.made.iter().find(|(fid, ..)| *fid == bill.fid).map(|(_, _, no)| no.trim())?,
        Verdict::Rejected(_) | Verdict::NotSent(_) | Verdict::Unknown(..) => return None,
    };
    let sent = bill.body.as_ref()?.key.trim();
    // An answer that names no number says nothing of it: a look does.
    if named.is_empty() {
        return None;
    }
    if named.eq_ignore_ascii_case(sent) {
        call.run.kept_number();
        return None;
    }
    Some(named.to_owned())
}

/// Whether an answer that names another number than the one sent is about another bill altogether: ours is there under its own
/// number, or the number is that of a bill that is known to have been made of another record.
pub(super) async fn named(call: &Answered<'_>, bill: &Candidate, other: Option<String>, glance: Glance<'_>) -> Named {
    let Some(other) = other else { return Named::Sent };
    match glance {
        None => Named::Untold,
        Some(Some(_)) => Named::Anothers,
        // Where the store cannot tell, nothing more is made.
        Some(None) if is_anothers(call, bill, &other).await.unwrap_or(false) => Named::Anothers,
        Some(None) => Named::Replaced(other),
    }
}

/// Bills whose number begins as one that was answered, at most so many are looked at; the number itself stands first.
const NAMESAKES: usize = 32;

/// Whether a bill with a number is known to have been made of another record: the last one of the form, one of this run, or
/// one of any run before.
async fn is_anothers(call: &Answered<'_>, bill: &Candidate, number: &str) -> Result<bool, StoreError> {
    let (store, run) = (&call.run.shared.store, call.run);
    let form = &run.plan.target.form;
    let has = |no: &str| no.trim().eq_ignore_ascii_case(number);
    if store.last_made(&run.env.env.id, form).await?.is_some_and(|made| has(&made.no)) {
        return Ok(true);
    }
    let made_of_another = |row: &BillRow| {
        let is_it = row.made.as_ref().is_some_and(|made| made.form == *form && has(&made.no));
        is_it && row.key.record.fid != bill.fid
    };
    if store.find_number(number, NAMESAKES).await?.iter().any(made_of_another) {
        return Ok(true);
    }
    let (filter, now) = (Filter::default(), run.shared.clock.now());
    let mut page = PageRequest::first(PAGE);
    loop {
        let got = store.bills(Scope::Run(run.head.id).asked(&filter, &page, now)).await?;
        if got.rows.iter().any(|(_, row)| row.made.as_ref().is_some_and(|made| has(&made.no))) {
            return Ok(true);
        }
        let last = got.rows.last().map(|(cursor, _)| cursor.clone());
        let (Some(cursor), true) = (got.stopped_at.or(last), got.more) else { return Ok(false) };
        page = PageRequest { cursor: Some(cursor), ..page };
    }
}
