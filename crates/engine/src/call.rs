//! One writing call: durable intent, request, durable outcome, for one bill or an opted-in batch.
//!
//! Invariant: the request leaves only after its intent is durable; what the answer does not prove stays open.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use crate::ports::{Alarm, WriteCall, WriteReply};
use skydeck_core::domain::event::Event;
use skydeck_core::domain::ids::{CallId, Fid};
use skydeck_core::domain::live::SlowWhy;
use skydeck_core::domain::reason::Reason;
use skydeck_core::domain::run::PauseWhy;
use skydeck_core::domain::step::{Left, Step, Verdict};
use skydeck_store::AppendError;
use skydeck_store::fault;

use super::answer::{Follows, follows};
use super::call_end::CallEnd;
use super::dispatch::{CallPermit, Claim, Session};
use super::glance::{Answered, look, read_event};
use super::known::Candidate;
use super::making::{addressed, bodies, intent, of_records};
use super::run_context::RunContext;
use super::status_reads;

/// Makes one call for bills that share a step. Holds the claims until the outcome is durable, and the turn too, unless
/// the answer is all good: then the next call's intent shares the flush of this one's outcome. After any other answer
/// the next call waits until the run has taken note.
pub async fn call(run: Arc<RunContext>, bills: Vec<Candidate>, turn: CallPermit, claims: Vec<Claim>) -> CallEnd {
    let fids = bills.iter().map(|b| b.fid.clone()).collect();
    let end = attempt(&run, bills, turn).await;
    drop(claims);
    CallEnd { fids, ..end }
}

async fn attempt(run: &RunContext, bills: Vec<Candidate>, turn: CallPermit) -> CallEnd {
    let shared = &run.shared;
    let Some((at, spec)) = bills.first().and_then(|b| Some((b.at, run.op.steps.get(b.at)?))) else {
        return CallEnd::default();
    };
    let (step, verb) = (spec.step, spec.verb.clone());
    let last = at + 1 == run.op.steps.len();
    let token = match run.env.permit(&verb) {
        Ok(token) => token,
        Err(refusal) => return CallEnd::stopped(PauseWhy::Stopped(refusal.reason().clone())),
    };
    let id = shared.call_id();
    let left = shared.clock.boot().map(|(_, ms)| Left::Boot(ms));
    fault::point("before_intent");
    let (bodies, bills, put_off) = match prepare(run, bills, (step, id), left).await {
        Ok(prepared) => prepared,
        Err(end) => return end,
    };
    if bills.is_empty() {
        turn.unused();
        return CallEnd { unmade: true, ..put_off };
    }
    fault::point("after_intent");
    let request = WriteCall {
        verb,
        form: run.called_form(step).clone(),
        bills: bills.iter().map(|bill| addressed(run, step, bill)).collect(),
        options: run.plan.target.options.clone(),
        flags: run.flags.clone(),
        bodies: bills.iter().filter_map(|bill| bodies.get(&bill.fid).cloned()).collect(),
        sending: run.plan.target.make.as_ref().and_then(|make| make.send.clone()),
    };
    let (session, began) = (run.env.signed_in(), shared.clock.mono());
    let sent = shared.clock.now();
    run.env.leaves(&run.head.form, bills.iter().map(|b| &b.fid));
    fault::point("before_send");
    let reply = match held_back(run, &request, left) {
        Some(why) => WriteReply::not_sent(&request, why),
        None => run.env.erp.write(&token, &request).await,
    };
    let reply = of_records(reply, &bills, run.makes(step));
    fault::point("after_send");
    // A refusal proves less: some of them say that the server does not know either.
    let done = reply.verdicts.iter().filter(|(_, verdict)| *verdict == Verdict::Done);
    let done: Vec<&Fid> = done.map(|(fid, _)| fid).collect();
    if !done.is_empty() {
        run.env.session_holds();
    }
    run.env.done_with(&run.head.form, done.into_iter());
    let call = Answered { run, reply: &reply, step, last, id, sent };
    let Follows { events, end } = follows(&call, &bills).await;
    let end = put_off.and(end);
    // Whether bills may go in batches is decided by the calls that have ended.
    let batches = run.plan.policy.batch > 1;
    let turn = (batches || !is_plain(&reply, last, &bills)).then_some(turn);
    fault::point("before_outcome");
    let stored = match turn {
        Some(_) => shared.ledger.append(events).await,
        None => shared.ledger.append_with_the_next(events).await,
    };
    if let Err(error) = stored {
        return end.and(CallEnd::unstored(error));
    }
    fault::point("after_outcome");
    let end = end.and(alarms(run, &reply, (session, began)).await.map(CallEnd::stopped).unwrap_or_default());
    let end = if last || end.stop.is_some() { end } else { end.and(adopt(run, bills, &reply).await) };
    drop(turn);
    end
}

/// What a call carries beside its bills: the body of each that is to be made; the bills whose intents are durable; and what is
/// known of the others.
type Prepared = (HashMap<Fid, String>, Vec<Candidate>, CallEnd);

/// Makes the intents durable. `Err`: the store failed.
async fn prepare(
    run: &RunContext,
    bills: Vec<Candidate>,
    (step, id): (Step, CallId),
    left: Option<Left>,
) -> Result<Prepared, CallEnd> {
    let bodies = bodies(run, step, &bills).await.map_err(CallEnd::unstored)?;
    let (bills, put_off) = intend(run, bills, (step, id), left).await;
    if put_off.store.is_some() { Err(put_off) } else { Ok((bodies, bills, put_off)) }
}

/// Makes the intents durable; leaves out, for a later pass, bills whose past went on since it was read. Judged by what was
/// known before, an effect of another run's call would be told by this one a second time.
async fn intend(
    run: &RunContext,
    mut bills: Vec<Candidate>,
    (step, call): (Step, CallId),
    left: Option<Left>,
) -> (Vec<Candidate>, CallEnd) {
    let tried = |bill: &Candidate| Event::StepTried {
        run: run.head.id,
        fid: bill.fid.clone(),
        no: bill.no.clone(),
        step,
        attempt: bill.past.next_attempt(step),
        call,
        rev: bill.rev.clone(),
        intent: intent(run, step, bill, left),
    };
    let mut end = CallEnd::default();
    // The rest is sent once; where more of them go on meanwhile, all of it waits.
    for is_last in [false, true] {
        let unmoved = bills.iter().map(|bill| (run.key(&bill.fid), bill.past.last)).collect();
        match run.shared.ledger.append_if_unmoved(bills.iter().map(tried).collect(), unmoved).await {
            Ok(()) => break,
            Err(AppendError::Moved(records)) => {
                let went_on = |bill: &Candidate| is_last || records.iter().any(|record| record.fid == bill.fid);
                let now = run.shared.clock.mono();
                end.due.extend(bills.extract_if(.., |bill| went_on(bill)).map(|bill| (bill.fid, now)));
            }
            Err(error) => return (bills, end.and(CallEnd::unstored(error.into()))),
        }
        if bills.is_empty() {
            break;
        }
    }
    (bills, end)
}

/// Time between an intent's moment and its request that a restart may not count as the server's.
const STALL: Duration = Duration::from_secs(5);

/// How long the process stood still since the intent's moment, where that is too long: after a restart the server's limit
/// is counted from that moment, and a request that left much later would still be at work when it is over.
fn stood_still(run: &RunContext, left: Option<Left>) -> Option<u128> {
    let (Some(Left::Boot(then)), Some((_, now))) = (left, run.shared.clock.boot()) else { return None };
    let still = Duration::from_millis(now.saturating_sub(then));
    (still > STALL).then_some(still.as_millis())
}

/// Why a request whose intent is durable does not leave.
fn held_back(run: &RunContext, request: &WriteCall, left: Option<Left>) -> Option<String> {
    if request.verb.makes() && request.bodies.len() != request.bills.len() {
        return Some("not sent: what is to be made is kept no longer".to_owned());
    }
    // Others may have the run by now, and read back what this call did before it arrives.
    if run.shared.store.hosts().is_some_and(|hosts| hosts.may_send_for().is_zero()) {
        return Some("not sent: the store did not hear of this machine for too long".to_owned());
    }
    stood_still(run, left).map(|ms| format!("not sent: the process stood still for {ms} ms"))
}

/// Whether an answer leaves nothing to be looked at before the next call.
fn is_plain(reply: &WriteReply, last: bool, bills: &[Candidate]) -> bool {
    let done = |bill: &Candidate| reply.verdicts.iter().any(|(fid, v)| *fid == bill.fid && *v == Verdict::Done);
    last && reply.alarm.is_none() && bills.iter().all(done)
}

/// After our own submit: the new revision is read and becomes the approved one; the audit follows at once.
async fn adopt(run: &RunContext, bills: Vec<Candidate>, reply: &WriteReply) -> CallEnd {
    let mut end = CallEnd::default();
    let done = |bill: &&Candidate| reply.verdicts.iter().any(|(fid, v)| *fid == bill.fid && *v == Verdict::Done);
    let fids: Vec<Fid> = bills.iter().filter(done).map(|bill| bill.fid.clone()).collect();
    let seen = if fids.is_empty() { None } else { look(run, &fids).await };
    for bill in bills {
        let Some(found) = seen.as_ref().and_then(|seen| seen.get(&bill.fid)) else { continue };
        if let Err(error) = run.shared.ledger.append(vec![read_event(run, &bill, Some(found))]).await {
            return end.and(CallEnd::unstored(error));
        }
        end.submitted.push(bill.fid);
    }
    end
}

/// Whether the server answered at all.
fn is_answered(reply: &WriteReply) -> bool {
    reply.verdicts.iter().any(|(_, verdict)| matches!(verdict, Verdict::Done | Verdict::Rejected(_)))
}

/// How the server asked to slow down.
fn slow_why(reply: &WriteReply) -> SlowWhy {
    match reply.evidence.http {
        Some(code) if !(200..300).contains(&code) => SlowWhy::Http(code),
        Some(_) | None => SlowWhy::CallLimit,
    }
}

/// Acts on what concerns more than one bill; gives why the run must stop, if it must. `under`: the sign-in it was called under;
/// `left`: when the request left, monotonic.
async fn alarms(run: &RunContext, reply: &WriteReply, (under, left): (u64, Duration)) -> Option<PauseWhy> {
    match &reply.alarm {
        None if is_answered(reply) => run.env.answered(left),
        None => {}
        Some(Alarm::SlowDown(wish)) => run.env.slow_down(*wish, slow_why(reply), left),
        Some(Alarm::WrongIds) => run.env.trip(Reason::WrongIds {}),
        Some(Alarm::Credentials(words)) => {
            return Some(PauseWhy::Stopped(Reason::SignInRefused { said: words.clone() }));
        }
        Some(Alarm::SessionLost) => match run.env.session_lost(under).await {
            Ok(Session::Back) => {}
            Ok(Session::Lost(why)) => return Some(PauseWhy::Stopped(why)),
            Err(fault) => {
                return Some(match status_reads::on_fault(&fault, &run.shared.causes) {
                    status_reads::ReadFault::Again => {
                        PauseWhy::Unreachable(Reason::Unreachable { said: fault.message })
                    }
                    status_reads::ReadFault::Stop(why) => why,
                });
            }
        },
    }
    None
}
