//! A look at bills whose call was just answered: what it shows decides where the answer does not.
//!
//! Invariant: an answer that proves nothing is not told before the bill was read, where it can be read.

use std::collections::HashMap;

use crate::ports::WriteReply;
use skydeck_core::domain::bill::{Failure, Found, Outcome, Unknown, UnknownWhy};
use skydeck_core::domain::cause::{Repeat, hints_at_done};
use skydeck_core::domain::event::Event;
use skydeck_core::domain::ids::{CallId, Fid};
use skydeck_core::domain::operation::Seen;
use skydeck_core::domain::step::Step;
use skydeck_core::domain::time::Ts;

use super::decide::{Carried, Case, Judgement, Moment, OpenCall, judge};
use super::known::Candidate;
use super::run_context::RunContext;
use super::status_reads;

/// A call that was answered, for whatever is decided about its bills.
pub(super) struct Answered<'a> {
    pub run: &'a RunContext,
    pub reply: &'a WriteReply,
    /// The step that was called.
    pub step: Step,
    /// It was the operation's last.
    pub last: bool,
    pub id: CallId,
    /// When it left.
    pub sent: Ts,
}

/// Whether the words of a refusal prove by themselves that the call changed nothing.
pub(super) fn is_proof(run: &RunContext, failure: &Failure) -> bool {
    run.shared.causes.proves_untouched(&failure.cause) && !hints_at_done(&failure.message)
}

/// Bills as they are now, after an answer about them; those that are gone are left out. `None`: they could not be read.
pub(super) async fn look(run: &RunContext, fids: &[Fid]) -> Option<HashMap<Fid, Found>> {
    if fids.is_empty() {
        return None;
    }
    for n in 0..3 {
        match run.read(fids).await {
            Ok(seen) => return Some(seen),
            Err(fault) => {
                if status_reads::on_fault(&fault, &run.shared.causes) != status_reads::ReadFault::Again {
                    return None;
                }
                tokio::time::sleep(status_reads::pause_before(&fault, n)).await;
            }
        }
    }
    None
}

/// The same after a call of a step. Where what a call makes is shown only a while later, a look that does not show one of `told`
/// is made once more when that time is over: nothing is told on a look that came too early to see it.
pub(super) async fn look_when_shown(
    run: &RunContext,
    step: Step,
    fids: &[Fid],
    told: &[Fid],
) -> Option<HashMap<Fid, Found>> {
    let seen = look(run, fids).await?;
    let lag = run.unseen_for(step);
    if lag.is_zero() || told.iter().all(|fid| seen.contains_key(fid)) {
        return Some(seen);
    }
    tokio::time::sleep(lag).await;
    look(run, fids).await
}

/// What a look showed of a bill: nothing, that it is gone, or how it is.
pub(super) type Glance<'a> = Option<Option<&'a Found>>;

/// What a look after a refusal tells. Unreadable leaves the bill unknown, to be settled later.
pub(super) fn after_refusal(call: &Answered<'_>, bill: &Candidate, said: &Failure, glance: Glance<'_>) -> Outcome {
    let (run, sent) = (call.run, call.sent);
    let seen = glance.map_or(Seen::Unreadable, Seen::of);
    let called = own_call(call, bill);
    let earlier = bill.past.may_have_taken(called.step);
    let case = Case {
        open: bill.past.open.as_ref(),
        refused: Some(&called),
        earlier,
        ..looked_at(run, bill, seen, Moment::Refused(said))
    };
    let unknown = |why: UnknownWhy, detail: &str| Outcome::Unknown(Unknown { why, sent, detail: detail.to_owned() });
    match judge(&case) {
        Judgement::Done { verified } => {
            tracing::warn!(run = %run.head.id, bill = %bill.no, said = %said.message, "the ERP refused a call that took");
            Outcome::Done { verified }
        }
        Judgement::Already(by, on) => Outcome::Already { by, on },
        Judgement::Skip(why) => Outcome::Skipped(why),
        Judgement::Fail(failure) => Outcome::Failed(undone(run, failure)),
        Judgement::Operator(why) => unknown(why, &said.message),
        // After a refusal a look proposes no call; should it, or should it fail, the bill is settled later.
        Judgement::Look | Judgement::Repeat | Judgement::Call(_) | Judgement::Continue(_, _) => {
            unknown(UnknownWhy::ServerFault, &said.message)
        }
    }
}

/// A refusal that stands after a look: that there is nothing to do is contradicted by it.
fn undone(run: &RunContext, failure: Failure) -> Failure {
    let causes = &run.shared.causes;
    if causes.repeat(&failure.cause) != Repeat::Done {
        return failure;
    }
    Failure { cause: causes.classify_undone(failure.msg_code, failure.field.as_deref(), &failure.message), ..failure }
}

/// An answer came that does not say of this bill whether it is done: a look that shows the effect does. Any other leaves it
/// unknown until the server's limit has passed.
pub(super) fn prove(
    call: &Answered<'_>,
    bill: &Candidate,
    unknown: Unknown,
    glance: Glance<'_>,
) -> (Option<Event>, Outcome) {
    let seen = glance.map_or(Seen::Unreadable, Seen::of);
    let own = own_call(call, bill);
    let case = Case { open: Some(&own), ..looked_at(call.run, bill, seen, Moment::Settling) };
    let outcome = match judge(&case) {
        Judgement::Done { verified } => Outcome::Done { verified },
        Judgement::Already(by, on) => Outcome::Already { by, on },
        Judgement::Skip(_)
        | Judgement::Fail(_)
        | Judgement::Operator(_)
        | Judgement::Look
        | Judgement::Repeat
        | Judgement::Call(_)
        | Judgement::Continue(_, _) => Outcome::Unknown(unknown),
    };
    (glance.map(|found| read_event(call.run, bill, found)), outcome)
}

fn own_call(call: &Answered<'_>, bill: &Candidate) -> OpenCall {
    OpenCall {
        run: call.run.head.id,
        step: call.step,
        rev: bill.rev.clone(),
        sent: call.sent,
        left: None,
        carried: Carried::of(bill.body.as_deref()),
    }
}

/// What a look at a bill that was just called is judged by.
fn looked_at<'a>(run: &'a RunContext, bill: &'a Candidate, seen: Seen<'a>, moment: Moment<'a>) -> Case<'a> {
    Case {
        op: &run.op,
        seen,
        approved: None,
        open: None,
        refused: None,
        earlier: false,
        // What was answered before this call says nothing of it.
        forestalled: false,
        anothers: bill.past.is_anothers(),
        moment,
        user: &run.env.env.user,
        repeats: bill.past.auto_repeats,
        deaths: bill.past.deaths,
        may_write: true,
        canary_look: run.op.key.makes(),
        age_secs: 0,
        body: bill.body.as_deref(),
        made: bill.past.made.is_some(),
        was_there: bill.past.was_there,
        honoured: false,
        by_person: false,
    }
}

pub(super) fn read_event(run: &RunContext, bill: &Candidate, found: Option<&Found>) -> Event {
    Event::bill_read(run.head.id, bill.fid.clone(), found)
}
