//! The decision tables: what a status read means, what an answer means, what a read-back means. Pure.
//!
//! Invariant: every input leads to exactly one result (exhaustive matches); a call is proposed only for a bill
//! read in the very revision that was approved, and an unknown call is forgotten only after a read.

use crate::domain::bill::{Failure, Found, Outcome, Rev, Skip, Status, Unknown, UnknownWhy};
use crate::domain::cause::{Cause, Repeat, known};
use crate::domain::step::{Step, Verdict};
use crate::domain::time::Ts;

/// What to do with a bill after its status was read (reliability.md §7.1 step 2).
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Next {
    /// Make this call.
    Call(Step),
    /// No call: this is its outcome.
    Settle(Outcome),
}

/// An earlier call of ours whose effect is not known.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OpenCall {
    /// Step that was called.
    pub step: Step,
    /// Revision read just before it.
    pub rev: Rev,
    /// When it left, our wall time.
    pub sent: Ts,
}

/// What a read before a call means. `approved`: the revision the operator approved (or the one adopted after our
/// own submit); `submit`: the plan submits; `open`: an earlier call of ours, already past the server's limit.
pub fn on_read(seen: Option<&Found>, approved: &Rev, submit: bool, open: Option<&OpenCall>, user: &str) -> Next {
    let Some(seen) = seen else { return Next::Settle(Outcome::Skipped(Skip::Gone)) };
    match &seen.rev.status {
        Status::Audited => {
            let ours = open.is_some_and(|call| call.step == Step::Audit) && by_us(seen, user);
            Next::Settle(if ours { Outcome::Audited { verified: true } } else { already(seen) })
        }
        Status::Submitted if seen.rev == *approved => Next::Call(Step::Audit),
        Status::Draft | Status::Created | Status::Reaudit if !submit => {
            Next::Settle(Outcome::Skipped(Skip::of_status(&seen.rev.status)))
        }
        Status::Draft | Status::Created | Status::Reaudit if seen.rev == *approved => Next::Call(Step::Submit),
        Status::Submitted | Status::Draft | Status::Created | Status::Reaudit => {
            Next::Settle(Outcome::Skipped(Skip::Changed))
        }
        Status::Other(_) => Next::Settle(Outcome::Skipped(Skip::of_status(&seen.rev.status))),
    }
}

/// What follows an answer about one bill.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum After {
    /// It is done with this outcome.
    Settle(Outcome),
    /// Failed, and every other bill of the plan would fail too: stop, with these words.
    FailAndStop(Failure),
    /// Our submit took: read the new revision, then audit.
    Submitted,
    /// The ERP says it is audited already: read it back to say by whom.
    ReadBack(Failure),
    /// A passing refusal: repeat after a while.
    Defer(Cause),
    /// Repeat at once, alone: the batch sank together.
    Singly(Cause),
    /// Nothing was sent: repeat when the server can be reached.
    Unsent(String),
}

/// What an answer was about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Asked {
    /// Step.
    pub step: Step,
    /// When the request left.
    pub sent: Ts,
    /// Passing refusals that were repeated already in this run.
    pub repeats: u32,
    /// How many of them the plan allows.
    pub max: u32,
    /// The bill shared its call with others, all of which were refused alike.
    pub sank_together: bool,
}

/// What a verdict means (failures.md). `repeat`: policy of the failure's class.
pub fn on_verdict(verdict: &Verdict, repeat: impl Fn(&Cause) -> Repeat, asked: Asked) -> After {
    let open =
        |why: UnknownWhy, detail: String| After::Settle(Outcome::Unknown(Unknown { why, sent: asked.sent, detail }));
    match verdict {
        Verdict::Done => match asked.step {
            Step::Submit => After::Submitted,
            Step::Audit => After::Settle(Outcome::Audited { verified: false }),
            // Reads have no verdict; should one come, it proves nothing.
            Step::Fetch | Step::Verify => open(UnknownWhy::Unreadable, String::new()),
        },
        Verdict::NotSent(words) => After::Unsent(words.clone()),
        Verdict::Unknown(why, detail) => open(why.clone(), detail.clone()),
        Verdict::Rejected(failure) => match (failure.cause.as_str(), repeat(&failure.cause)) {
            (known::ALREADY_AUDITED, _) | (_, Repeat::Done) => After::ReadBack(failure.clone()),
            (_, Repeat::StopPlan) => After::FailAndStop(failure.clone()),
            (known::SESSION, Repeat::VerifyFirst) => open(UnknownWhy::SessionLost, failure.message.clone()),
            (_, Repeat::VerifyFirst) => open(UnknownWhy::ServerFault, failure.message.clone()),
            (_, Repeat::Delayed) if asked.repeats < asked.max => After::Defer(failure.cause.clone()),
            (_, _) if asked.sank_together => After::Singly(failure.cause.clone()),
            (_, Repeat::Delayed | Repeat::AfterFix | Repeat::Singly) => After::Settle(Outcome::Failed(failure.clone())),
        },
    }
}

/// What a read-back after a refusal as "already audited" means. `earlier`: a call of ours was repeated before,
/// so that the audit may be its late effect.
pub fn on_already(seen: Option<&Found>, said: Failure, earlier: bool, user: &str) -> Outcome {
    let Some(seen) = seen else { return Outcome::Skipped(Skip::Gone) };
    match &seen.rev.status {
        Status::Audited => {
            let ours = match &seen.approver {
                Some(name) => same_user(name, user),
                None => earlier,
            };
            if ours { Outcome::Audited { verified: true } } else { already(seen) }
        }
        // The ERP contradicts itself: its refusal stands, word for word.
        Status::Draft | Status::Created | Status::Submitted | Status::Reaudit | Status::Other(_) => {
            Outcome::Failed(said)
        }
    }
}

/// What a read-back of an unknown bill means.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Settled {
    /// Known now (or known to be the operator's): this is its outcome.
    As(Outcome),
    /// Not applied: back to waiting for the one automatic repeat.
    Repeat,
    /// Our submit took although its answer was lost: go on with this revision.
    Submitted(Rev),
}

/// What a read after the server's limit says about an unknown call (reliability.md §7.1 `settle`). `repeats`: automatic
/// repeats already spent on this revision over all runs; `writes`: the run may write (a verify run may not);
/// `deaths`: processes that died on it.
pub fn on_settle(
    seen: Option<&Found>,
    call: &OpenCall,
    unknown: &Unknown,
    repeats: u32,
    writes: bool,
    deaths: u32,
    user: &str,
) -> Settled {
    let operator = |why: UnknownWhy| {
        Settled::As(Outcome::Unknown(Unknown { why, sent: unknown.sent, detail: unknown.detail.clone() }))
    };
    let Some(seen) = seen else { return operator(UnknownWhy::GoneSince) };
    match &seen.rev.status {
        Status::Audited => {
            let ours = call.step == Step::Audit && by_us(seen, user);
            Settled::As(if ours { Outcome::Audited { verified: true } } else { already(seen) })
        }
        status @ (Status::Draft | Status::Created | Status::Submitted | Status::Reaudit) => {
            if seen.rev == call.rev {
                return not_applied(repeats, writes, deaths);
            }
            let took =
                call.step == Step::Submit && *status == Status::Submitted && seen.rev.modified == call.rev.modified;
            if took && writes {
                Settled::Submitted(seen.rev.clone())
            } else {
                operator(UnknownWhy::ChangedSince(status.clone()))
            }
        }
        Status::Other(_) => operator(UnknownWhy::ChangedSince(seen.rev.status.clone())),
    }
}

/// Deaths of our process on one bill after which it is left alone.
pub const QUARANTINE: u32 = 3;

fn not_applied(repeats: u32, writes: bool, deaths: u32) -> Settled {
    if deaths >= QUARANTINE {
        Settled::As(Outcome::Skipped(Skip::Quarantined))
    } else if writes && repeats == 0 {
        Settled::Repeat
    } else {
        Settled::As(Outcome::Failed(Failure {
            cause: Cause::new(known::NOT_APPLIED),
            msg_code: None,
            field: None,
            message: String::new(),
        }))
    }
}

/// Whether the approver is our own user. An approver that is not told is not us: a call without an answer may have been
/// lost, and after a crash and the wait for the server's limit a colleague had time enough (reliability.md §7.1; the
/// server's dates are not compared with our clock).
pub fn by_us(seen: &Found, user: &str) -> bool {
    seen.approver.as_deref().is_some_and(|name| same_user(name, user))
}

fn same_user(name: &str, user: &str) -> bool {
    let (name, user) = (name.trim(), user.trim());
    name == user || name.eq_ignore_ascii_case(user)
}

fn already(seen: &Found) -> Outcome {
    Outcome::AlreadyAudited { by: seen.approver.clone(), on: seen.approved.clone() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::ids::Fid;
    use crate::domain::time::ErpDate;

    fn rev(code: &str, second: u32) -> Rev {
        Rev {
            status: Status::from(code.to_owned()),
            modified: ErpDate::parse(&format!("2026-01-01T00:00:{second:02}")),
        }
    }

    fn found(code: &str, second: u32, approver: Option<&str>) -> Found {
        Found {
            fid: Fid::from(1),
            no: "N1".into(),
            rev: rev(code, second),
            approver: approver.map(str::to_owned),
            approved: None,
            marked: None,
            columns: Vec::new(),
        }
    }

    type Row<'a> = (Option<Found>, Rev, bool, Option<&'a OpenCall>, Next);

    #[test]
    fn a_read_before_the_call_leads_to_one_next_thing() {
        let audit = OpenCall { step: Step::Audit, rev: rev("B", 1), sent: Ts(0) };
        let skip = |s: Skip| Next::Settle(Outcome::Skipped(s));
        let already = |by: Option<&str>| Next::Settle(Outcome::AlreadyAudited { by: by.map(str::to_owned), on: None });
        let verified = Next::Settle(Outcome::Audited { verified: true });
        let rows: Vec<Row<'_>> = vec![
            (None, rev("B", 1), false, None, skip(Skip::Gone)),
            (Some(found("C", 2, Some("zhang"))), rev("B", 1), false, None, already(Some("zhang"))),
            (Some(found("C", 2, Some("me"))), rev("B", 1), false, None, already(Some("me"))),
            (Some(found("C", 2, Some("ME "))), rev("B", 1), false, Some(&audit), verified),
            (Some(found("C", 2, None)), rev("B", 1), false, Some(&audit), already(None)),
            (Some(found("C", 2, Some("zhang"))), rev("B", 1), false, Some(&audit), already(Some("zhang"))),
            (Some(found("B", 1, None)), rev("B", 1), false, None, Next::Call(Step::Audit)),
            (Some(found("B", 2, None)), rev("B", 1), true, None, skip(Skip::Changed)),
            (Some(found("B", 1, None)), rev("A", 1), false, None, skip(Skip::Changed)),
            (Some(found("Z", 1, None)), rev("Z", 1), false, None, skip(Skip::Draft)),
            (Some(found("A", 1, None)), rev("B", 1), false, None, skip(Skip::Created)),
            (Some(found("D", 1, None)), rev("D", 1), false, None, skip(Skip::Reaudit)),
            (Some(found("Z", 1, None)), rev("Z", 1), true, None, Next::Call(Step::Submit)),
            (Some(found("A", 1, None)), rev("A", 1), true, None, Next::Call(Step::Submit)),
            (Some(found("D", 1, None)), rev("D", 1), true, None, Next::Call(Step::Submit)),
            (Some(found("D", 2, None)), rev("B", 1), true, None, skip(Skip::Changed)),
            (Some(found("X", 1, None)), rev("X", 1), true, None, skip(Skip::OtherStatus("X".into()))),
        ];
        for (seen, approved, submit, open, want) in rows {
            assert_eq!(on_read(seen.as_ref(), &approved, submit, open, "me"), want, "{seen:?} {approved:?} {submit}");
        }
    }

    #[test]
    fn a_verdict_leads_to_one_thing_after_it() {
        let failure =
            |cause: &str| Failure { cause: Cause::new(cause), msg_code: None, field: None, message: "m".into() };
        let repeat = |cause: &Cause| match cause.as_str() {
            "lock" => Repeat::Delayed,
            "permission" => Repeat::StopPlan,
            "database" | "session" => Repeat::VerifyFirst,
            "together" => Repeat::Singly,
            "fine" => Repeat::Done,
            _ => Repeat::AfterFix,
        };
        let unknown = |why: UnknownWhy, detail: &str| {
            After::Settle(Outcome::Unknown(Unknown { why, sent: Ts(7), detail: detail.into() }))
        };
        let failed = |cause: &str| After::Settle(Outcome::Failed(failure(cause)));
        let audit = Asked { step: Step::Audit, sent: Ts(7), repeats: 0, max: 2, sank_together: false };
        let rejected = |cause: &str| Verdict::Rejected(failure(cause));
        for (verdict, asked, want) in [
            (Verdict::Done, audit, After::Settle(Outcome::Audited { verified: false })),
            (Verdict::Done, Asked { step: Step::Submit, ..audit }, After::Submitted),
            (Verdict::Done, Asked { step: Step::Verify, ..audit }, unknown(UnknownWhy::Unreadable, "")),
            (Verdict::NotSent("x".into()), audit, After::Unsent("x".into())),
            (Verdict::Unknown(UnknownWhy::TimedOut, "t".into()), audit, unknown(UnknownWhy::TimedOut, "t")),
            (rejected("already_audited"), audit, After::ReadBack(failure("already_audited"))),
            (rejected("fine"), audit, After::ReadBack(failure("fine"))),
            (rejected("permission"), audit, After::FailAndStop(failure("permission"))),
            (rejected("database"), audit, unknown(UnknownWhy::ServerFault, "m")),
            (rejected("session"), audit, unknown(UnknownWhy::SessionLost, "m")),
            (rejected("lock"), audit, After::Defer(Cause::new("lock"))),
            (rejected("lock"), Asked { repeats: 2, ..audit }, failed("lock")),
            (rejected("stock"), audit, failed("stock")),
            (rejected("together"), audit, failed("together")),
            (rejected("stock"), Asked { sank_together: true, ..audit }, After::Singly(Cause::new("stock"))),
            (rejected("permission"), Asked { sank_together: true, ..audit }, After::FailAndStop(failure("permission"))),
        ] {
            assert_eq!(on_verdict(&verdict, repeat, asked), want, "{verdict:?} {asked:?}");
        }
    }

    #[test]
    fn a_read_back_leads_to_one_outcome() {
        let unknown = Unknown { why: UnknownWhy::TimedOut, sent: Ts(5), detail: "d".into() };
        let operator = |why: UnknownWhy| Settled::As(Outcome::Unknown(Unknown { why, ..unknown.clone() }));
        let not_applied =
            |s: &Settled| matches!(s, Settled::As(Outcome::Failed(f)) if f.cause.as_str() == "not_applied");
        let audit = OpenCall { step: Step::Audit, rev: rev("B", 1), sent: Ts(5) };
        let submit = OpenCall { step: Step::Submit, rev: rev("A", 1), sent: Ts(5) };
        let go = |seen: Option<Found>, call: &OpenCall, repeats, writes, deaths| {
            on_settle(seen.as_ref(), call, &unknown, repeats, writes, deaths, "me")
        };
        let verified = Settled::As(Outcome::Audited { verified: true });
        assert_eq!(go(Some(found("C", 2, Some("me"))), &audit, 0, true, 0), verified);
        let others =
            [(found("C", 2, Some("li")), &audit), (found("C", 2, None), &audit), (found("C", 2, Some("me")), &submit)];
        for (seen, call) in others {
            let by = seen.approver.clone();
            assert_eq!(go(Some(seen), call, 0, true, 0), Settled::As(Outcome::AlreadyAudited { by, on: None }));
        }
        assert_eq!(go(None, &audit, 0, true, 0), operator(UnknownWhy::GoneSince));
        assert_eq!(go(Some(found("B", 1, None)), &audit, 0, true, 0), Settled::Repeat);
        assert!(not_applied(&go(Some(found("B", 1, None)), &audit, 1, true, 0)));
        assert!(not_applied(&go(Some(found("B", 1, None)), &audit, 0, false, 0)));
        assert_eq!(go(Some(found("B", 1, None)), &audit, 0, true, 3), Settled::As(Outcome::Skipped(Skip::Quarantined)));
        assert_eq!(
            go(Some(found("B", 2, None)), &audit, 0, true, 0),
            operator(UnknownWhy::ChangedSince(Status::Submitted))
        );
        assert_eq!(
            go(Some(found("D", 2, None)), &audit, 0, true, 0),
            operator(UnknownWhy::ChangedSince(Status::Reaudit))
        );
        assert_eq!(
            go(Some(found("X", 1, None)), &audit, 0, true, 0),
            operator(UnknownWhy::ChangedSince(Status::Other("X".into())))
        );
        assert_eq!(go(Some(found("A", 1, None)), &submit, 0, true, 0), Settled::Repeat);
        assert_eq!(go(Some(found("B", 1, None)), &submit, 0, true, 0), Settled::Submitted(rev("B", 1)));
        assert_eq!(
            go(Some(found("B", 2, None)), &submit, 0, true, 0),
            operator(UnknownWhy::ChangedSince(Status::Submitted))
        );
        assert_eq!(
            go(Some(found("B", 1, None)), &submit, 0, false, 0),
            operator(UnknownWhy::ChangedSince(Status::Submitted))
        );
    }

    #[test]
    fn refused_as_already_audited_is_never_a_plain_failure_when_it_is_true() {
        let said = Failure { cause: Cause::new("already_audited"), msg_code: None, field: None, message: "m".into() };
        let verified = Outcome::Audited { verified: true };
        let by = |by: Option<&str>| Outcome::AlreadyAudited { by: by.map(str::to_owned), on: None };
        for (seen, earlier, want) in [
            (Some(found("C", 1, Some("me"))), false, verified.clone()),
            (Some(found("C", 1, Some("li"))), true, by(Some("li"))),
            (Some(found("C", 1, None)), true, verified),
            (Some(found("C", 1, None)), false, by(None)),
            (Some(found("B", 1, None)), false, Outcome::Failed(said.clone())),
            (None, false, Outcome::Skipped(Skip::Gone)),
        ] {
            assert_eq!(on_already(seen.as_ref(), said.clone(), earlier, "me"), want, "{seen:?}");
        }
    }
}
