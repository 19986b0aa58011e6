//! The decision tables: what a look means, and what an answer means. Pure.
//!
//! Invariant: every input leads to exactly one result, by matches that a new variant breaks; a call is proposed only for a
//! bill read in the very revision that was approved, and an unknown call is forgotten only after a look.

use skydeck_core::domain::bill::{
    APPROVER_PATH, Failure, Found, Outcome, Rendered, Rev, STATUS_PATH, Skip, Status, Unknown, UnknownWhy,
};
use skydeck_core::domain::cause::{Cause, Repeat, hints_at_done, known};
use skydeck_core::domain::ids::RunId;
use skydeck_core::domain::operation::{Effect, Key, Operation, Seen, StepSpec, Test};
use skydeck_core::domain::step::{Left, Step, Verdict};
use skydeck_core::domain::time::Ts;

/// Deaths of our process on one bill after which it is left alone.
pub const QUARANTINE: u32 = 3;

/// An earlier call of ours whose effect is not known.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OpenCall {
    /// The run that called.
    pub run: RunId,
    /// Step that was called.
    pub step: Step,
    /// Revision read just before it.
    pub rev: Rev,
    /// When it left, our wall time; for people.
    pub sent: Ts,
    /// When it left, by a clock that outlives the process, with the machine's start it counts from.
    pub left: Option<(String, Left)>,
    /// What it carried, where it makes something.
    pub carried: Carried,
}

/// What a call that makes something carries.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Carried {
    /// The value that what is made is found by.
    pub key: Option<String>,
    /// Hash of the body.
    pub body: Option<String>,
}

impl Carried {
    /// What is sent for a record.
    pub fn of(body: Option<&Rendered>) -> Self {
        Self { key: body.map(|body| body.key.clone()), body: body.map(|body| body.hash.clone()) }
    }
}

/// Why a look was made: the same row means another thing before a call, after a refusal and when settling.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Moment<'a> {
    /// Nothing was called since the approval, or what was called is past the server's limit.
    Before,
    /// The ERP just refused our call with words that say it may be done already.
    Refused(&'a Failure),
    /// The answer to our call is lost and the server's limit has passed.
    Settling,
}

/// Everything a look is judged by.
#[derive(Clone, Copy, Debug)]
pub struct Case<'a> {
    /// What is to be done.
    pub op: &'a Operation,
    /// What the look showed.
    pub seen: Seen<'a>,
    /// The revision the operator approved, or the one our own first step led to.
    pub approved: Option<&'a Rev>,
    /// An earlier call of ours whose effect is not known.
    pub open: Option<&'a OpenCall>,
    /// The last call of ours, which the ERP refused, where nobody looked at the record since: it may have taken all the same.
    pub refused: Option<&'a OpenCall>,
    /// An earlier call of the step that was just refused may have taken: its answer was lost.
    pub earlier: bool,
    /// The last call was refused because it had been done before, and no earlier call of ours can have done it.
    pub forestalled: bool,
    /// The effect of a call is another run's to tell: it told it already, or the open call is its own and it is open still.
    /// Told by two runs, one effect would count in two sums.
    pub anothers: bool,
    /// Why the look was made.
    pub moment: Moment<'a>,
    /// Our user in the ERP.
    pub user: &'a str,
    /// Automatic repeats spent on this revision over all runs.
    pub repeats: u32,
    /// Processes that died on the record.
    pub deaths: u32,
    /// The run may write; a verify run may not.
    pub may_write: bool,
    /// An empty look means "not there", and not "not allowed to see" or "not read yet": reads that showed other records did
    /// not show this one either, in an earlier run and in this one.
    pub canary_look: bool,
    /// Seconds since the open call left.
    pub age_secs: u32,
    /// What would be sent now, where something is made.
    pub body: Option<&'a Rendered>,
    /// A call of ours made the bill: it is not made again because somebody took it away.
    pub made: bool,
    /// An earlier look showed that it is there, whoever made it: a look that does not show it proves that it is hidden or taken
    /// away, and not that it was never made.
    pub was_there: bool,
    /// The form is known to keep the keys we send: only then a key that is not there proves that nothing was made.
    pub honoured: bool,
    /// A person asked for this very record to be called again.
    pub by_person: bool,
}

/// What a look means.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Judgement {
    /// Call this step.
    Call(usize),
    /// Done by our call; `verified` by this look.
    Done {
        /// The answer was lost, and this look proves it.
        verified: bool,
    },
    /// Done, and not provably by us.
    Already(Option<String>, Option<skydeck_core::domain::time::ErpDate>),
    /// Not to be called.
    Skip(Skip),
    /// The ERP's refusal stands.
    Fail(Failure),
    /// Our call took although its answer was lost: go on at this step with this revision.
    Continue(usize, Rev),
    /// Not applied: the one automatic repeat.
    Repeat,
    /// Nobody but a person can tell.
    Operator(UnknownWhy),
    /// Nothing was seen: nothing is told; look again.
    Look,
}

/// Judges a look.
pub fn judge(case: &Case<'_>) -> Judgement {
    match case.seen {
        Seen::Unreadable => Judgement::Look,
        Seen::Many(_) => Judgement::Operator(UnknownWhy::Many),
        Seen::Absent => absent(case),
        Seen::One(found) => match case.moment {
            Moment::Before => before(case, found),
            Moment::Refused(said) => refused(case, found, said),
            Moment::Settling => settling(case, found),
        },
    }
}

/// Nothing is there: gone, where we act on a record by its id; not made yet, where our call makes it.
fn absent(case: &Case<'_>) -> Judgement {
    match (&case.op.key, case.moment) {
        // One look may be a stale or an empty answer: gone is what the reads of two runs did not find.
        (Key::Identity, Moment::Before) if case.canary_look => Judgement::Skip(Skip::Gone),
        (Key::Identity, Moment::Before) => Judgement::Skip(Skip::Missing),
        (Key::Identity, Moment::Refused(said)) => Judgement::Fail(said.clone()),
        (Key::Identity, Moment::Settling) => Judgement::Operator(UnknownWhy::GoneSince),
        (
            Key::Number { field: _, unique: _ }
            | Key::Source { field: _ }
            | Key::Link { form: _, source_no: _, rule: _ }
            | Key::Token { field: _, place: _, keeps_secs: _ },
            moment,
        ) => not_there(case, moment),
    }
}

/// What is to be made is not there.
fn not_there(case: &Case<'_>, moment: Moment<'_>) -> Judgement {
    if !case.canary_look {
        return Judgement::Look;
    }
    match (moment, case.open) {
        (Moment::Refused(said), None | Some(_)) => Judgement::Fail(said.clone()),
        // It was there once: whoever took it away did not ask for another one.
        (Moment::Before, None) if (case.made || case.was_there) && !case.by_person => Judgement::Skip(Skip::Missing),
        (Moment::Before, None) => Judgement::Call(0),
        (Moment::Before | Moment::Settling, Some(open)) if case.op.place_of(open.step) > 0 => {
            Judgement::Operator(UnknownWhy::GoneSince)
        }
        (Moment::Before | Moment::Settling, None | Some(_)) if repeats_alone(case) => not_applied(case),
        // A person has looked, and says that nothing was made.
        (Moment::Before, Some(_)) if case.by_person => Judgement::Call(0),
        (Moment::Before | Moment::Settling, None | Some(_)) => Judgement::Operator(UnknownWhy::Absent),
    }
}

/// Whether a call that left no trace may be repeated without a person: one that acts on a record that is there is refused
/// where the first took after all; one that makes a record is, where the form keeps the number we send and lets it stand once.
fn repeats_alone(case: &Case<'_>) -> bool {
    let later_step = case.open.is_some_and(|open| case.op.key.makes() && case.op.place_of(open.step) > 0);
    let by_key = case.op.key.repeats_alone(case.age_secs) && !carries_another(case);
    later_step || (by_key && (case.honoured || !case.op.key.makes()))
}

/// Whether another call than the one that was lost would be made now, which the system could not know it by: a look by another
/// key shows nothing of it, and a token is of one body.
fn carries_another(case: &Case<'_>) -> bool {
    let Some(open) = case.open.filter(|_| case.op.key.makes()) else { return false };
    let now = Carried::of(case.body);
    match case.op.key {
        Key::Token { .. } => open.carried != now,
        Key::Number { .. } | Key::Source { .. } | Key::Link { .. } => open.carried.key != now.key,
        Key::Identity => false,
    }
}

/// What is there holds something else than would be sent.
fn has_other_content(found: &Found) -> bool {
    found.looked.as_ref().is_some_and(|looked| !looked.differs.is_empty())
}

/// Why what is there is left as it is. `made`: by a call of ours.
fn left_as_it_is(found: &Found, made: bool) -> Skip {
    match found.looked.as_ref().is_some_and(|looked| looked.partly) {
        true => Skip::Partly,
        false if made => Skip::Changed,
        false => Skip::Differs,
    }
}

/// A look before a call (docs/design/reliability.md#before-a-call).
fn before(case: &Case<'_>, found: &Found) -> Judgement {
    if has_other_content(found) {
        return Judgement::Skip(left_as_it_is(found, case.made));
    }
    if let Some(last) = case.op.steps.last().filter(|last| last.effect.is_done(found)) {
        return done(case, last, found);
    }
    let approved = case.approved.is_some_and(|rev| *rev == found.rev);
    match case.op.steps.iter().position(|spec| spec.effect.is_ready(found)) {
        // Nobody has called it: no later look can mean that it was.
        Some(_) if approved && case.op.key == Key::Identity && !found.fid.is_callable() => {
            let (cause, message) = (Cause::new(known::ODD_ID), found.fid.to_string());
            Judgement::Fail(Failure { cause, msg_code: None, field: None, message })
        }
        Some(at) if approved => Judgement::Call(at),
        Some(_) => Judgement::Skip(Skip::Changed),
        None => Judgement::Skip(Skip::of_status(&found.rev.status)),
    }
}

/// The effect is there. Ours, where the last step was called and nothing is known yet of that call, and the record does not
/// name another one; where that call was refused in words, the record must name us.
fn done(case: &Case<'_>, last: &StepSpec, found: &Found) -> Judgement {
    let is_last = |call: &OpenCall| is_last(case.op, call.step);
    let called = case.open.is_some_and(is_last);
    let ours = !case.anothers
        && !case.forestalled
        && match &last.effect.mine {
            Some(path) => (called || case.refused.is_some_and(is_last)) && by_us(found.field(path), case.user),
            None => called,
        };
    if ours { Judgement::Done { verified: true } } else { already(&last.effect, found) }
}

/// A look after a refusal: the words may mean "done already", and a call may take although what follows it fails. The ERP
/// that contradicts itself is taken at its word.
fn refused(case: &Case<'_>, found: &Found, said: &Failure) -> Judgement {
    if has_other_content(found) && !case.made {
        return Judgement::Skip(left_as_it_is(found, false));
    }
    let Some(last) = case.op.steps.last().filter(|last| last.effect.is_done(found)) else {
        return Judgement::Fail(said.clone());
    };
    let name = last.effect.mine.as_deref().map(|path| found.field(path).trim()).filter(|name| !name.is_empty());
    let step = case.refused.map_or(last.step, |call| call.step);
    let ours = !case.anothers
        && if said.says_already(step) {
            // The ERP looked before it did anything, so that only an earlier call of ours can be behind it. A name proves
            // nothing: another installation may sign in as the same user.
            case.earlier && name.is_none_or(|name| by_us(name, case.user))
        } else {
            // Our call took although what follows it failed; or it had been done before, where the words may mean that.
            let called = case.op.id.is_audit() && case.refused.is_some_and(|call| is_last(case.op, call.step));
            let earlier = case.earlier || (called && !hints_at_done(&said.message));
            name.map_or(earlier, |name| by_us(name, case.user))
        };
    if ours { Judgement::Done { verified: true } } else { already(&last.effect, found) }
}

/// What a look means after the ERP refused a step that is not the last: somebody else did it before us.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refused {
    /// In the content that was approved: the next step may be called.
    Next,
    /// And changed the record, too: it goes back to the operator.
    Changed,
}

/// Judges a look after a refused step that is not the last. `called`: the revision it was called in. `None`: the step was
/// not done by anybody else, or the whole operation is.
pub fn after_refused_step(op: &Operation, at: usize, called: &Rev, found: &Found) -> Option<Refused> {
    let (spec, _next) = (op.steps.get(at)?, op.steps.get(at + 1)?);
    if !spec.effect.is_done(found) || op.steps.last().is_some_and(|last| last.effect.is_done(found)) {
        return None;
    }
    // What was approved of a bill that is made is its body, and not a date at which it stood still.
    let kept = if op.key.makes() { !has_other_content(found) } else { found.rev.modified == called.modified };
    Some(if kept { Refused::Next } else { Refused::Changed })
}

/// A look after the server's limit (docs/design/reliability.md#settling).
fn settling(case: &Case<'_>, found: &Found) -> Judgement {
    if has_other_content(found) {
        return Judgement::Skip(left_as_it_is(found, case.made));
    }
    if let Some(last) = case.op.steps.last().filter(|last| last.effect.is_done(found)) {
        return done(case, last, found);
    }
    let status = found.rev.status.clone();
    let Some(open) = case.open else { return Judgement::Operator(UnknownWhy::ChangedSince(status)) };
    if let Status::Other(code) = &status
        && !code.is_empty()
        && case.op.steps.iter().any(|spec| asks_for_status(&spec.effect))
    {
        return Judgement::Operator(UnknownWhy::ChangedSince(status));
    }
    let at = case.op.place_of(open.step);
    if at == 0 && case.op.key.makes() {
        // It is there with the content that was sent, and more steps follow.
        let next = Judgement::Continue(1, found.rev.clone());
        return if case.may_write { next } else { Judgement::Operator(UnknownWhy::ChangedSince(status)) };
    }
    if found.rev == open.rev {
        return not_applied(case);
    }
    // The last step's effect is not there, so that this step is none but an earlier one. A bill that was made holds what was
    // approved, its body: it was compared. Of any other its date tells.
    let kept = case.op.key.makes() || found.rev.modified == open.rev.modified;
    let took = case.op.steps.get(at).is_some_and(|spec| spec.effect.is_done(found)) && kept;
    if took && case.may_write {
        Judgement::Continue(at + 1, found.rev.clone())
    } else {
        Judgement::Operator(UnknownWhy::ChangedSince(status))
    }
}

/// Our call left no trace, and the server's limit has passed.
fn not_applied(case: &Case<'_>) -> Judgement {
    if case.deaths >= QUARANTINE {
        Judgement::Skip(Skip::Quarantined)
    } else if case.may_write && case.repeats == 0 && repeats_alone(case) {
        Judgement::Repeat
    } else {
        let cause = Cause::new(known::NOT_APPLIED);
        Judgement::Fail(Failure { cause, msg_code: None, field: None, message: String::new() })
    }
}

fn is_last(op: &Operation, step: Step) -> bool {
    op.place_of(step) + 1 == op.steps.len()
}

fn asks_for_status(effect: &Effect) -> bool {
    effect.done.iter().chain(&effect.ready).filter_map(Test::path).any(|path| path.eq_ignore_ascii_case(STATUS_PATH))
}

/// Whether the one named is our own user. Who is not told is not us: a call without an answer may have been lost, and
/// after a crash and the wait for the server's limit a colleague had time enough
/// (docs/design/reliability.md#settling; the server's dates are not compared with our clock).
fn by_us(name: &str, user: &str) -> bool {
    let (name, user) = (name.trim(), user.trim());
    !name.is_empty() && name.eq_ignore_ascii_case(user)
}

fn already(effect: &Effect, found: &Found) -> Judgement {
    let Some(path) = &effect.mine else { return Judgement::Already(None, None) };
    let by = Some(found.field(path)).filter(|name| !name.trim().is_empty()).map(str::to_owned);
    // The only date a look brings is that of the audit.
    let on = found.approved.clone().filter(|_| path.eq_ignore_ascii_case(APPROVER_PATH));
    Judgement::Already(by, on)
}

/// What follows an answer about one bill.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum After {
    /// It has this outcome.
    Settle(Outcome),
    /// Refused, and every other bill of the plan would be, too: stop, with these words, and look whether the call took.
    LookAndStop(Failure),
    /// A step that is not the last took: read the new revision, then the next step.
    NextStep,
    /// It may be done, whatever the ERP says: look.
    ReadBack(Failure),
    /// An answer came that does not tell whether it is done: look, and believe only that it is.
    Prove(Unknown),
    /// A passing refusal: repeat after a while.
    Defer(Failure),
    /// Repeat at once, alone: the batch sank together.
    Singly(Failure),
    /// Nothing was sent: repeat when the server can be reached.
    Unsent(String),
}

impl After {
    /// Whether the bill is looked at before its outcome is told.
    pub fn looks(&self) -> bool {
        match self {
            Self::LookAndStop(_) | Self::ReadBack(_) | Self::Prove(_) => true,
            Self::Settle(_) | Self::NextStep | Self::Defer(_) | Self::Singly(_) | Self::Unsent(_) => false,
        }
    }

    /// Whether that look decides, also where it shows nothing.
    pub fn is_told_by_a_look(&self) -> bool {
        match self {
            Self::LookAndStop(_) | Self::ReadBack(_) => true,
            Self::Prove(_) | Self::Settle(_) | Self::NextStep | Self::Defer(_) | Self::Singly(_) | Self::Unsent(_) => {
                false
            }
        }
    }
}

/// What an answer was about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Asked {
    /// It was the operation's last step.
    pub last: bool,
    /// A refusal is looked at before it is believed: its words do not prove that nothing was done.
    pub looks: bool,
    /// When the request left.
    pub sent: Ts,
    /// Passing refusals that were repeated already in this run.
    pub repeats: u32,
    /// How many of them the plan allows.
    pub max: u32,
    /// The bill shared its call with others, all of which were refused alike.
    pub sank_together: bool,
}

/// What a verdict means (docs/design/failures.md#what-may-follow). `repeat`: policy of the failure's class.
pub fn on_verdict(verdict: &Verdict, repeat: impl Fn(&Cause) -> Repeat, asked: Asked) -> After {
    let open =
        |why: UnknownWhy, detail: String| After::Settle(Outcome::Unknown(Unknown { why, sent: asked.sent, detail }));
    match verdict {
        Verdict::Done if asked.last => After::Settle(Outcome::Done { verified: false }),
        Verdict::Done => After::NextStep,
        Verdict::NotSent(words) => After::Unsent(words.clone()),
        Verdict::Unknown(why @ UnknownWhy::NotNamed, detail) => {
            After::Prove(Unknown { why: why.clone(), sent: asked.sent, detail: detail.clone() })
        }
        Verdict::Unknown(why, detail) => open(why.clone(), detail.clone()),
        Verdict::Rejected(failure) => match (failure.cause.as_str(), repeat(&failure.cause)) {
            (known::ALREADY_AUDITED, _) | (_, Repeat::Done) => After::ReadBack(failure.clone()),
            (_, Repeat::StopPlan) => After::LookAndStop(failure.clone()),
            (known::SESSION, Repeat::VerifyFirst) => open(UnknownWhy::SessionLost, failure.message.clone()),
            (_, Repeat::VerifyFirst) => open(UnknownWhy::ServerFault, failure.message.clone()),
            (_, Repeat::Delayed) if asked.repeats < asked.max => After::Defer(failure.clone()),
            (_, Repeat::Delayed | Repeat::AfterFix | Repeat::Singly) if asked.sank_together => {
                After::Singly(failure.clone())
            }
            (_, Repeat::Delayed | Repeat::AfterFix | Repeat::Singly) if asked.looks => After::ReadBack(failure.clone()),
            (_, Repeat::Delayed | Repeat::AfterFix | Repeat::Singly) => After::Settle(Outcome::Failed(failure.clone())),
        },
    }
}

#[cfg(test)]
mod tests;
