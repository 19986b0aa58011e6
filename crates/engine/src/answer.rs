//! What follows an answer: the facts about each bill of the call, and what its run must know.
//!
//! Invariant: each bill gets exactly one fact that ends or puts off its attempt, and every bill whose answer does not prove what
//! became of it is looked at before, all in one look.

use std::time::Duration;

use crate::ports::WriteReply;
use skydeck_core::domain::bill::{Failure, Outcome, Skip, Slot, Unknown, UnknownWhy};
use skydeck_core::domain::cause::{Cause, known};
use skydeck_core::domain::event::Event;
use skydeck_core::domain::ids::Fid;
use skydeck_core::domain::reason::Reason;
use skydeck_core::domain::run::PauseWhy;
use skydeck_core::domain::step::{Made, Verdict};

use super::breaker::Ended;
use super::call_end::CallEnd;
use super::control::back_off;
use super::decide::{self, After, Asked};
use super::glance::{Answered, Glance, after_refusal, is_proof, look_when_shown, prove, read_event};
use super::known::Candidate;
use super::making::{Named, made_of, named, other_number};
use super::run_context::RunContext;
use super::unconfirmed::Success;

/// First wait after a passing refusal.
const DEFER_BASE: Duration = Duration::from_secs(2);
/// Longest wait after a passing refusal.
const DEFER_CAP: Duration = Duration::from_secs(300);

/// What follows an answer, or a part of it.
#[derive(Default)]
pub(super) struct Follows {
    /// Facts, in their order.
    pub events: Vec<Event>,
    /// What the run must know.
    pub end: CallEnd,
}

impl Follows {
    fn of(event: Event, end: CallEnd) -> Self {
        Self { events: vec![event], end }
    }

    fn and(mut self, later: Self) -> Self {
        self.events.extend(later.events);
        Self { events: self.events, end: self.end.and(later.end) }
    }
}

/// What an answer says of one bill.
struct Said {
    verdict: Verdict,
    /// What it made.
    made: Option<Made>,
}

/// Why a bill waits to be tried again.
enum Why {
    /// The ERP refused it; the words are said when its turn does not come again.
    Refused(Failure),
    /// Something else.
    Cause(&'static str),
}

/// What follows the answer about all bills of a call.
pub(super) async fn follows(call: &Answered<'_>, bills: &[Candidate]) -> Follows {
    // A client that leaves a bill out of its verdicts has not told us anything about it.
    let silent = Verdict::Unknown(UnknownWhy::NotNamed, String::new());
    let answered =
        |bill: &Candidate| call.reply.verdicts.iter().find(|(fid, _)| *fid == bill.fid).map_or(&silent, |(_, v)| v);
    let together = sank_together(call.reply, bills.len());
    let afters: Vec<After> = bills.iter().map(|bill| after(call, bill, answered(bill), together)).collect();
    let others: Vec<Option<String>> = bills.iter().map(|bill| other_number(call, bill, answered(bill))).collect();
    let of = |is: &dyn Fn(usize) -> bool| -> Vec<Fid> {
        bills.iter().enumerate().filter(|(at, _)| is(*at)).map(|(_, bill)| bill.fid.clone()).collect()
    };
    let another = |at: usize| others.get(at).is_some_and(Option::is_some);
    let doubtful = of(&|at| another(at) || afters.get(at).is_some_and(After::looks));
    // What only the answer's words are unclear about is settled later, where this look does not show it.
    let now_or_never = of(&|at| another(at) || afters.get(at).is_some_and(After::is_told_by_a_look));
    // One look for all bills of the call.
    let looked = look_when_shown(call.run, call.step, &doubtful, &now_or_never).await;
    let mut all = Follows::default();
    for (n, ((bill, after), other)) in bills.iter().zip(afters).zip(others).enumerate() {
        // What came with the answer to the call as a whole is kept once.
        let whole = (n == 0).then_some(call.reply);
        let glance = looked.as_ref().map(|seen| seen.get(&bill.fid));
        let named = named(call, bill, other.clone(), glance).await;
        let made = made_of(call, bill, &named);
        let (verdict, what) = match named {
            Named::Sent => (answered(bill).clone(), of_bill(call, bill, after, glance)),
            Named::Replaced(got) => (answered(bill).clone(), under_another_key(call, bill, got)),
            Named::Anothers | Named::Untold => {
                let (why, detail) = (UnknownWhy::WrongIds, other.unwrap_or_default());
                let unknown = Unknown { why: why.clone(), sent: call.sent, detail: detail.clone() };
                let what = of_bill(call, bill, After::Prove(unknown), glance);
                // The next bill might be given another number, too: not before it is known whose this one is.
                let waits = named == Named::Untold && call.run.is_unproven();
                let stop = waits.then(|| CallEnd::stopped(PauseWhy::Canary(Reason::CanaryUnknown {})));
                let stop = Follows { events: Vec::new(), end: stop.unwrap_or_default() };
                (Verdict::Unknown(why, detail), stop.and(what))
            }
        };
        let answer = Follows::of(step_answered(call, bill, Said { verdict, made }, whole), CallEnd::default());
        all = all.and(answer).and(what);
    }
    all
}

/// What follows for one bill.
fn of_bill(call: &Answered<'_>, bill: &Candidate, after: After, glance: Glance<'_>) -> Follows {
    let run = call.run;
    match after {
        After::Settle(outcome) => {
            let mut follows = settled(call, bill, outcome.clone());
            if outcome == (Outcome::Done { verified: false }) {
                let (fid, no, rev) = (bill.fid.clone(), bill.no.clone(), bill.rev.clone());
                follows.end.succeeded.push(Success { fid, no, step: call.step, rev, sent: call.sent });
            }
            follows
        }
        After::LookAndStop(failure) => {
            let stop = CallEnd::stopped(PauseWhy::Stopped(Reason::PlanWide { failure: failure.clone() }));
            Follows { events: Vec::new(), end: stop }.and(read_back(call, bill, failure, glance))
        }
        After::ReadBack(failure) => read_back(call, bill, failure, glance),
        After::Prove(unknown) => {
            let (read, outcome) = prove(call, bill, unknown, glance);
            let read = Follows { events: read.into_iter().collect(), end: CallEnd::default() };
            read.and(settled(call, bill, outcome))
        }
        After::NextStep => {
            run.env.note(Ended::Clean);
            deferred(run, bill, Why::Cause(run.taken(call.step)), Duration::ZERO)
        }
        After::Defer(failure) => {
            run.env.note(Ended::Clean);
            // Called again only where a look could show that the refused call took.
            let wait = back_off(DEFER_BASE, bill.past.repeats, DEFER_CAP).max(run.unseen_for(call.step));
            let cause = failure.cause.clone();
            let mut follows = deferred(run, bill, Why::Refused(failure), wait);
            follows.end.refused.push(cause);
            follows
        }
        After::Singly(failure) => {
            let mut follows = deferred(run, bill, Why::Refused(failure), Duration::ZERO);
            follows.end.singly.push(bill.fid.clone());
            follows
        }
        After::Unsent(words) => {
            let mut follows = deferred(run, bill, Why::Cause(known::NOT_CONNECTED), Duration::ZERO);
            follows.end.unsent = Some(words);
            follows
        }
    }
}

/// The fact of an answer about one bill; `whole`: with what came for the call as a whole.
fn step_answered(call: &Answered<'_>, bill: &Candidate, said: Said, whole: Option<&WriteReply>) -> Event {
    Event::StepAnswered {
        run: call.run.head.id,
        fid: bill.fid.clone(),
        step: call.step,
        attempt: bill.past.next_attempt(call.step),
        call: call.id,
        ms: u32::try_from(call.reply.took.as_millis()).unwrap_or(u32::MAX),
        verdict: said.verdict,
        side: whole.map(|reply| reply.side.clone()).unwrap_or_default(),
        evidence: whole.map(|reply| Box::new(reply.evidence.clone())),
        made: said.made.map(Box::new),
    }
}

/// A numbering rule replaced the number: the bill is there, and no look by our number will ever find it. The plan stops.
fn under_another_key(call: &Answered<'_>, bill: &Candidate, got: String) -> Follows {
    let wanted = bill.body.as_ref().map(|body| body.key.clone()).unwrap_or_default();
    let why = Reason::KeyNotHonoured { sent: wanted, got: got.clone() };
    let unknown = Unknown { why: UnknownWhy::KeyNotHonoured, sent: call.sent, detail: got };
    let stop = Follows { events: Vec::new(), end: CallEnd::stopped(PauseWhy::Stopped(why)) };
    stop.and(settled(call, bill, Outcome::Unknown(unknown)))
}

/// What the answer about one bill means.
fn after(call: &Answered<'_>, bill: &Candidate, verdict: &Verdict, together: bool) -> After {
    let (run, last) = (call.run, call.last);
    let causes = &run.shared.causes;
    // Of a submit, too, the refusal may mean that somebody submitted the bill before us.
    let believed = |failure: &Failure| run.op.id.is_audit() && last && is_proof(run, failure);
    let asked = Asked {
        last,
        looks: !matches!(verdict, Verdict::Rejected(failure) if believed(failure)),
        sent: call.sent,
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

fn settled(call: &Answered<'_>, bill: &Candidate, outcome: Outcome) -> Follows {
    let run = call.run;
    let mut end = CallEnd::default();
    match &outcome {
        Outcome::Done { .. } | Outcome::Already { .. } | Outcome::Skipped(_) => run.env.note(Ended::Clean),
        Outcome::Failed(Failure { cause, .. }) => {
            run.env.note(Ended::Refused(cause.clone()));
            end.refused.push(cause.clone());
        }
        Outcome::Unknown(_) => {
            run.env.note(Ended::Unknown(call.id));
            end.unknown.push(bill.fid.clone());
        }
    }
    let (fid, no) = (bill.fid.clone(), bill.no.clone());
    Follows::of(Event::BillSettled { run: run.head.id, fid, no, was: Slot::Waiting, outcome }, end)
}

fn deferred(run: &RunContext, bill: &Candidate, why: Why, wait: Duration) -> Follows {
    let (cause, failure) = match why {
        Why::Refused(failure) => (failure.cause.clone(), Some(Box::new(failure))),
        Why::Cause(cause) => (Cause::new(cause), None),
    };
    let due = vec![(bill.fid.clone(), run.shared.clock.mono() + wait)];
    let event = Event::BillDeferred {
        run: run.head.id,
        fid: bill.fid.clone(),
        no: bill.no.clone(),
        until: run.shared.clock.now().plus(wait),
        cause,
        was: Slot::Waiting,
        failure,
    };
    Follows::of(event, CallEnd { due, ..CallEnd::default() })
}

/// The ERP refused a call with words that do not prove that nothing was done: what a look shows decides.
fn read_back(call: &Answered<'_>, bill: &Candidate, said: Failure, glance: Glance<'_>) -> Follows {
    let run = call.run;
    let read = glance.map(|found| read_event(run, bill, found));
    let read = Follows { events: read.into_iter().collect(), end: CallEnd::default() };
    let found = glance.flatten();
    let outcome = match found.and_then(|found| decide::after_refused_step(&run.op, bill.at, &bill.rev, found)) {
        Some(decide::Refused::Next) => {
            run.env.note(Ended::Clean);
            let mut again = deferred(run, bill, Why::Cause(run.taken(call.step)), Duration::ZERO);
            again.end.submitted.push(bill.fid.clone());
            return read.and(again);
        }
        Some(decide::Refused::Changed) if run.makes(call.step) => Outcome::Skipped(Skip::Differs),
        Some(decide::Refused::Changed) => Outcome::Skipped(Skip::Changed),
        // The words prove enough where nothing can be read: a user who may not audit may often not read either.
        None if glance.is_none() && is_proof(run, &said) && run.op.id.is_audit() => Outcome::Failed(said),
        None => after_refusal(call, bill, &said, glance),
    };
    read.and(settled(call, bill, outcome))
}
