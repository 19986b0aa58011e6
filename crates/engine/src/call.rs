//! One writing call: durable intent, request, durable outcome, for one bill or an opted-in batch.
//!
//! Invariant: the request leaves only after its intent is durable; what the answer does not prove stays open.

use std::sync::Arc;
use std::time::Duration;

use crate::ports::{Alarm, WriteCall, WriteReply};
use skydeck_core::domain::bill::{Failure, Outcome, Skip, Slot, UnknownWhy};
use skydeck_core::domain::cause::{Cause, known};
use skydeck_core::domain::event::Event;
use skydeck_core::domain::ids::{CallId, Fid};
use skydeck_core::domain::live::SlowWhy;
use skydeck_core::domain::reason::Reason;
use skydeck_core::domain::run::PauseWhy;
use skydeck_core::domain::step::{Intent, Left, Step, Verdict};
use skydeck_core::domain::time::Ts;
use skydeck_store::fault;
use skydeck_store::{AppendError, StoreError};

use super::breaker::Ended;
use super::control::back_off;
use super::decide::{self, After, Asked};
use super::dispatch::{CallPermit, Claim, Session};
use super::glance::{Glance, after_refusal, is_proof, look, prove, read_event};
use super::known::Candidate;
use super::run_context::RunContext;
use super::status_reads;
use super::unconfirmed::Success;

/// First wait after a passing refusal.
const DEFER_BASE: Duration = Duration::from_secs(2);
/// Longest wait after a passing refusal.
const DEFER_CAP: Duration = Duration::from_secs(300);

/// How a call ended, for the run that made it.
#[derive(Debug, Default)]
pub struct CallEnd {
    /// Bills of the call, in the order asked.
    pub fids: Vec<Fid>,
    /// Why the run must stop, if it must.
    pub stop: Option<PauseWhy>,
    /// The store failed.
    pub store: Option<StoreError>,
    /// Bills due again, with monotonic time.
    pub due: Vec<(Fid, Duration)>,
    /// Bills left unknown.
    pub unknown: Vec<Fid>,
    /// Bills that must go alone from now on.
    pub singly: Vec<Fid>,
    /// Bills we submitted, their new revision adopted: ready for their audit.
    pub submitted: Vec<Fid>,
    /// Bills whose operation was answered as done: not read back yet.
    pub succeeded: Vec<Success>,
    /// No call was made: facts were added about each of its bills since they were read.
    pub unmade: bool,
    /// Nothing was sent.
    pub unsent: Option<String>,
    /// Causes of refusals.
    pub refused: Vec<Cause>,
    /// Bills done as hoped.
    pub done: u32,
}

/// Makes one call for bills that share a step. Holds the claims until the outcome is durable, and the turn too, unless
/// the answer is all good: then the next call's intent shares the flush of this one's outcome. After any other answer
/// the next call waits until the run has taken note.
pub async fn call(run: Arc<RunContext>, bills: Vec<Candidate>, turn: CallPermit, claims: Vec<Claim>) -> CallEnd {
    let mut end = CallEnd { fids: bills.iter().map(|b| b.fid.clone()).collect(), ..CallEnd::default() };
    if let Err(error) = attempt(&run, bills, turn, &mut end).await {
        end.store = Some(error);
    }
    drop(claims);
    end
}

async fn attempt(
    run: &RunContext,
    bills: Vec<Candidate>,
    turn: CallPermit,
    end: &mut CallEnd,
) -> Result<(), StoreError> {
    let shared = &run.shared;
    let Some((at, spec)) = bills.first().and_then(|b| Some((b.at, run.op.steps.get(b.at)?))) else {
        return Ok(());
    };
    let (step, verb) = (spec.step, spec.verb.clone());
    let last = at + 1 == run.op.steps.len();
    let token = match run.env.permit(&verb) {
        Ok(token) => token,
        Err(refusal) => {
            end.stop = Some(PauseWhy::Stopped(refusal.reason().clone()));
            return Ok(());
        }
    };
    let id = shared.call_id();
    let intent = Intent { left: shared.clock.boot().map(|(_, ms)| Left::Boot(ms)), ..Intent::default() };
    fault::point("before_intent");
    let bills = intend(run, bills, (step, id), &intent, end).await?;
    if bills.is_empty() {
        turn.unused();
        end.unmade = true;
        return Ok(());
    }
    fault::point("after_intent");
    // Another column than the form's own number is nothing that an answer could name.
    let own_number = run.plan.source.has_own_number();
    let number = |bill: &Candidate| if own_number { bill.no.clone() } else { String::new() };
    let request = WriteCall {
        verb,
        form: run.plan.target.form.clone(),
        bills: bills.iter().map(|b| (b.fid.clone(), number(b))).collect(),
        options: run.plan.target.options.clone(),
        flags: run.flags.clone(),
    };
    let (session, left) = (run.env.signed_in(), shared.clock.mono());
    let sent = shared.clock.now();
    run.env.leaves(&request.form, bills.iter().map(|b| &b.fid));
    fault::point("before_send");
    let reply = match stood_still(run, &intent) {
        Some(ms) => WriteReply::not_sent(&request, format!("not sent: the process stood still for {ms} ms")),
        None => run.env.erp.write(&token, &request).await,
    };
    fault::point("after_send");
    // A refusal proves less: some of them say that the server does not know either.
    let done = reply.verdicts.iter().filter(|(_, verdict)| *verdict == Verdict::Done);
    let done: Vec<&Fid> = done.map(|(fid, _)| fid).collect();
    if !done.is_empty() {
        run.env.session_holds();
    }
    run.env.done_with(&request.form, done.into_iter());
    let events = outcome(run, &bills, &reply, (step, last), id, sent, end).await;
    // Whether bills may go in batches is decided by the calls that have ended.
    let batches = run.plan.policy.batch > 1;
    let turn = (batches || !is_plain(&reply, last, &bills)).then_some(turn);
    fault::point("before_outcome");
    match turn {
        Some(_) => shared.ledger.append(events).await?,
        None => shared.ledger.append_with_the_next(events).await?,
    }
    fault::point("after_outcome");
    alarms(run, &reply, (session, left), end).await;
    let adopted = adopt(run, bills, last, &reply, end).await;
    drop(turn);
    adopted
}

/// Makes the intents durable; leaves out, for a later pass, bills whose past went on since it was read. Judged by what was
/// known before, an effect of another run's call would be told by this one a second time.
async fn intend(
    run: &RunContext,
    mut bills: Vec<Candidate>,
    (step, call): (Step, CallId),
    intent: &Intent,
    end: &mut CallEnd,
) -> Result<Vec<Candidate>, StoreError> {
    let tried = |bill: &Candidate| Event::StepTried {
        run: run.head.id,
        fid: bill.fid.clone(),
        no: bill.no.clone(),
        step,
        attempt: bill.past.next_attempt(step),
        call,
        rev: bill.rev.clone(),
        intent: intent.clone(),
    };
    // The rest is sent once; where more of them go on meanwhile, all of it waits.
    for is_last in [false, true] {
        let unmoved = bills.iter().map(|bill| (run.key(&bill.fid), bill.past.last)).collect();
        match run.shared.ledger.append_if_unmoved(bills.iter().map(tried).collect(), unmoved).await {
            Ok(()) => return Ok(bills),
            Err(AppendError::Moved(records)) => {
                let went_on = |bill: &Candidate| is_last || records.iter().any(|record| record.fid == bill.fid);
                let now = run.shared.clock.mono();
                end.due.extend(bills.extract_if(.., |bill| went_on(bill)).map(|bill| (bill.fid, now)));
            }
            Err(error) => return Err(error.into()),
        }
        if bills.is_empty() {
            break;
        }
    }
    Ok(bills)
}

/// Time between an intent's moment and its request that a restart may not count as the server's.
const STALL: Duration = Duration::from_secs(5);

/// How long the process stood still since the intent's moment, where that is too long: after a restart the server's limit
/// is counted from that moment, and a request that left much later would still be at work when it is over.
fn stood_still(run: &RunContext, intent: &Intent) -> Option<u128> {
    let (Some(Left::Boot(then)), Some((_, now))) = (intent.left, run.shared.clock.boot()) else { return None };
    let still = Duration::from_millis(now.saturating_sub(then));
    (still > STALL).then_some(still.as_millis())
}

/// Whether an answer leaves nothing to be looked at before the next call.
fn is_plain(reply: &WriteReply, last: bool, bills: &[Candidate]) -> bool {
    let done = |bill: &Candidate| reply.verdicts.iter().any(|(fid, v)| *fid == bill.fid && *v == Verdict::Done);
    last && reply.alarm.is_none() && bills.iter().all(done)
}

/// The facts that follow an answer; also notes in `end` what the run must know.
async fn outcome(
    run: &RunContext,
    bills: &[Candidate],
    reply: &WriteReply,
    (step, last): (Step, bool),
    id: CallId,
    sent: Ts,
    end: &mut CallEnd,
) -> Vec<Event> {
    // A client that leaves a bill out of its verdicts has not told us anything about it.
    let silent = Verdict::Unknown(UnknownWhy::NotNamed, String::new());
    let answered =
        |bill: &Candidate| reply.verdicts.iter().find(|(fid, _)| *fid == bill.fid).map_or(&silent, |(_, v)| v);
    let together = sank_together(reply, bills.len());
    let afters: Vec<After> = bills.iter().map(|bill| after(run, bill, answered(bill), last, sent, together)).collect();
    let doubtful = bills.iter().zip(&afters).filter(|(_, after)| after.looks()).map(|(bill, _)| bill.fid.clone());
    // One look for all bills of the call.
    let looked = look(run, &doubtful.collect::<Vec<_>>()).await;
    let seen_of = |bill: &Candidate| looked.as_ref().map(|seen| seen.get(&bill.fid));
    let mut events = Vec::with_capacity(bills.len() * 2);
    for (n, (bill, after)) in bills.iter().zip(afters).enumerate() {
        // What came with the answer to the call as a whole is kept once.
        events.push(step_answered(run, bill, answered(bill), (step, id), reply, n == 0));
        match after {
            After::Settle(outcome) => {
                if outcome == (Outcome::Done { verified: false }) {
                    let (fid, no, rev) = (bill.fid.clone(), bill.no.clone(), bill.rev.clone());
                    end.succeeded.push(Success { fid, no, step, rev, sent });
                }
                events.push(settled(run, bill, outcome, end));
            }
            After::LookAndStop(failure) => {
                end.stop.get_or_insert(PauseWhy::Stopped(Reason::PlanWide { failure: failure.clone() }));
                read_back(run, bill, failure, (seen_of(bill), sent), &mut events, end);
            }
            After::ReadBack(failure) => read_back(run, bill, failure, (seen_of(bill), sent), &mut events, end),
            After::Prove(unknown) => {
                let (read, outcome) = prove(run, bill, step, unknown, seen_of(bill));
                events.extend(read);
                events.push(settled(run, bill, outcome, end));
            }
            After::NextStep => {
                run.env.note(Ended::Clean);
                end.done += 1;
                let why = Why::Cause(Cause::new(known::SUBMITTED));
                events.push(deferred(run, bill, why, Duration::ZERO, end));
            }
            After::Defer(failure) => {
                run.env.note(Ended::Clean);
                end.refused.push(failure.cause.clone());
                let wait = back_off(DEFER_BASE, bill.past.repeats, DEFER_CAP);
                events.push(deferred(run, bill, Why::Refused(failure), wait, end));
            }
            After::Singly(failure) => {
                end.singly.push(bill.fid.clone());
                events.push(deferred(run, bill, Why::Refused(failure), Duration::ZERO, end));
            }
            After::Unsent(words) => {
                end.unsent = Some(words);
                let why = Why::Cause(Cause::new(known::NOT_CONNECTED));
                events.push(deferred(run, bill, why, Duration::ZERO, end));
            }
        }
    }
    events
}

/// The fact of an answer about one bill; `whole`: with what came for the call as a whole.
fn step_answered(
    run: &RunContext,
    bill: &Candidate,
    verdict: &Verdict,
    (step, call): (Step, CallId),
    reply: &WriteReply,
    whole: bool,
) -> Event {
    let whole = whole.then_some(reply);
    Event::StepAnswered {
        run: run.head.id,
        fid: bill.fid.clone(),
        step,
        attempt: bill.past.next_attempt(step),
        call,
        ms: u32::try_from(reply.took.as_millis()).unwrap_or(u32::MAX),
        verdict: verdict.clone(),
        side: whole.map(|reply| reply.side.clone()).unwrap_or_default(),
        evidence: whole.map(|reply| Box::new(reply.evidence.clone())),
        made: None,
    }
}

/// What follows the answer about one bill.
fn after(run: &RunContext, bill: &Candidate, verdict: &Verdict, last: bool, sent: Ts, together: bool) -> After {
    let causes = &run.shared.causes;
    // Of a submit, too, the refusal may mean that somebody submitted the bill before us.
    let believed = |failure: &Failure| run.op.id.is_audit() && last && is_proof(run, failure);
    let asked = Asked {
        last,
        looks: !matches!(verdict, Verdict::Rejected(failure) if believed(failure)),
        sent,
        repeats: bill.past.repeats,
        max: run.plan.policy.max_attempts,
        sank_together: together,
    };
    decide::on_verdict(verdict, |cause| causes.repeat(cause), asked)
}

/// A batch whose members were all refused with the same words has sunk together
/// (docs/design/failures.md#what-may-follow).
fn sank_together(reply: &WriteReply, asked: usize) -> bool {
    let mut words = reply.verdicts.iter().map(|(_, verdict)| match verdict {
        Verdict::Rejected(failure) => Some(&failure.message),
        Verdict::Done | Verdict::NotSent(_) | Verdict::Unknown(..) => None,
    });
    let first = words.next().flatten();
    asked > 1 && first.is_some() && words.all(|w| w == first)
}

fn settled(run: &RunContext, bill: &Candidate, outcome: Outcome, end: &mut CallEnd) -> Event {
    match &outcome {
        Outcome::Done { .. } | Outcome::Already { .. } | Outcome::Skipped(_) => {
            run.env.note(Ended::Clean);
            end.done += 1;
        }
        Outcome::Failed(Failure { cause, .. }) => {
            run.env.note(Ended::Refused(cause.clone()));
            end.refused.push(cause.clone());
        }
        Outcome::Unknown(_) => {
            run.env.note(Ended::Unknown);
            end.unknown.push(bill.fid.clone());
        }
    }
    Event::BillSettled { run: run.head.id, fid: bill.fid.clone(), no: bill.no.clone(), was: Slot::Waiting, outcome }
}

/// Why a bill waits to be tried again.
enum Why {
    /// The ERP refused it; the words are said when its turn does not come again.
    Refused(Failure),
    /// Something else.
    Cause(Cause),
}

fn deferred(run: &RunContext, bill: &Candidate, why: Why, wait: Duration, end: &mut CallEnd) -> Event {
    let (cause, failure) = match why {
        Why::Refused(failure) => (failure.cause.clone(), Some(Box::new(failure))),
        Why::Cause(cause) => (cause, None),
    };
    end.due.push((bill.fid.clone(), run.shared.clock.mono() + wait));
    Event::BillDeferred {
        run: run.head.id,
        fid: bill.fid.clone(),
        no: bill.no.clone(),
        until: run.shared.clock.now().plus(wait),
        cause,
        was: Slot::Waiting,
        failure,
    }
}

/// The ERP refused a call with words that do not prove that nothing was done: what a look shows decides. Its facts go to
/// `events`.
fn read_back(
    run: &RunContext,
    bill: &Candidate,
    said: Failure,
    (glance, sent): (Glance<'_>, Ts),
    events: &mut Vec<Event>,
    end: &mut CallEnd,
) {
    events.extend(glance.map(|found| read_event(run, bill, found)));
    let found = glance.flatten();
    let outcome = match found.and_then(|found| decide::after_refused_step(&run.op, bill.at, &bill.rev, found)) {
        Some(decide::Refused::Next) => {
            run.env.note(Ended::Clean);
            events.push(deferred(run, bill, Why::Cause(Cause::new(known::SUBMITTED)), Duration::ZERO, end));
            return end.submitted.push(bill.fid.clone());
        }
        Some(decide::Refused::Changed) => Outcome::Skipped(Skip::Changed),
        // The words prove enough where nothing can be read: a user who may not audit may often not read either.
        None if glance.is_none() && is_proof(run, &said) && run.op.id.is_audit() => Outcome::Failed(said),
        None => after_refusal(run, bill, &said, glance, sent),
    };
    events.push(settled(run, bill, outcome, end));
}

/// After our own submit: the new revision is read and becomes the approved one; the audit follows at once.
async fn adopt(
    run: &RunContext,
    bills: Vec<Candidate>,
    last: bool,
    reply: &WriteReply,
    end: &mut CallEnd,
) -> Result<(), StoreError> {
    if last || end.stop.is_some() {
        return Ok(());
    }
    for bill in bills {
        let done = reply.verdicts.iter().any(|(fid, v)| *fid == bill.fid && *v == Verdict::Done);
        let seen = if done { look(run, std::slice::from_ref(&bill.fid)).await } else { None };
        let Some(found) = seen.as_ref().and_then(|seen| seen.get(&bill.fid)) else { continue };
        run.shared.ledger.append(vec![read_event(run, &bill, Some(found))]).await?;
        end.submitted.push(bill.fid);
    }
    Ok(())
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

/// Acts on what concerns more than one bill. `under`: the sign-in it was called under; `left`: when the request left, monotonic.
async fn alarms(run: &RunContext, reply: &WriteReply, (under, left): (u64, Duration), end: &mut CallEnd) {
    match &reply.alarm {
        None if is_answered(reply) => run.env.answered(left),
        None => {}
        Some(Alarm::SlowDown(wish)) => run.env.slow_down(*wish, slow_why(reply), left),
        Some(Alarm::WrongIds) => run.env.trip(Reason::WrongIds {}),
        Some(Alarm::Credentials(words)) => {
            end.stop.get_or_insert(PauseWhy::Stopped(Reason::SignInRefused { said: words.clone() }));
        }
        Some(Alarm::SessionLost) => match run.env.session_lost(under).await {
            Ok(Session::Back) => {}
            Ok(Session::Lost(why)) => {
                end.stop.get_or_insert(PauseWhy::Stopped(why));
            }
            Err(fault) => {
                let why = match status_reads::on_fault(&fault, &run.shared.causes) {
                    status_reads::ReadFault::Again => {
                        PauseWhy::Unreachable(Reason::Unreachable { said: fault.message })
                    }
                    status_reads::ReadFault::Stop(why) => why,
                };
                end.stop.get_or_insert(why);
            }
        },
    }
}
