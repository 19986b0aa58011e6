//! What follows an answer: one thing after each verdict, and a look only where something is left open.

use super::*;

#[test]
fn a_verdict_leads_to_one_thing_after_it() {
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
    let failed = |cause: &str| After::Settle(Outcome::Failed(said(cause)));
    let audit = Asked { last: true, looks: false, sent: Ts(7), repeats: 0, max: 2, sank_together: false };
    let close = Asked { looks: true, ..audit };
    let rejected = |cause: &str| Verdict::Rejected(said(cause));
    for (verdict, asked, want) in [
        (Verdict::Done, audit, After::Settle(Outcome::Done { verified: false })),
        (Verdict::Done, close, After::Settle(Outcome::Done { verified: false })),
        (Verdict::Done, Asked { last: false, ..audit }, After::NextStep),
        (Verdict::NotSent("x".into()), audit, After::Unsent("x".into())),
        (Verdict::Unknown(UnknownWhy::TimedOut, "t".into()), audit, unknown(UnknownWhy::TimedOut, "t")),
        (
            Verdict::Unknown(UnknownWhy::NotNamed, "n".into()),
            audit,
            After::Prove(Unknown { why: UnknownWhy::NotNamed, sent: Ts(7), detail: "n".into() }),
        ),
        (rejected("already_audited"), audit, After::ReadBack(said("already_audited"))),
        (rejected("fine"), audit, After::ReadBack(said("fine"))),
        (rejected("permission"), audit, After::LookAndStop(said("permission"))),
        (rejected("database"), audit, unknown(UnknownWhy::ServerFault, "m")),
        (rejected("session"), audit, unknown(UnknownWhy::SessionLost, "m")),
        (rejected("lock"), audit, After::Defer(said("lock"))),
        (rejected("lock"), close, After::Defer(said("lock"))),
        (rejected("lock"), Asked { repeats: 2, ..audit }, failed("lock")),
        (rejected("lock"), Asked { repeats: 2, ..close }, After::ReadBack(said("lock"))),
        (rejected("stock"), audit, failed("stock")),
        (rejected("stock"), close, After::ReadBack(said("stock"))),
        (rejected("together"), audit, failed("together")),
        (rejected("stock"), Asked { sank_together: true, ..audit }, After::Singly(said("stock"))),
        (rejected("stock"), Asked { sank_together: true, ..close }, After::Singly(said("stock"))),
        (rejected("permission"), Asked { sank_together: true, ..close }, After::LookAndStop(said("permission"))),
    ] {
        assert_eq!(on_verdict(&verdict, repeat, asked), want, "{verdict:?} {asked:?}");
    }
}

#[test]
fn a_refused_submit_goes_on_where_somebody_else_submitted_the_approved_content() {
    let both = audits(true);
    let called = rev("A", 1);
    for (op, at, seen, want) in [
        (&both, 0, found("B", 1, None), Some(Refused::Next)),
        (&both, 0, found("B", 2, None), Some(Refused::Changed)),
        (&both, 0, found("A", 1, None), None),
        (&both, 0, found("C", 1, Some("zhang")), None),
        // The last step has none after it, whatever the look shows.
        (&both, 1, found("B", 1, None), None),
        (&submits(), 0, found("B", 1, None), None),
        (&audits(false), 0, found("B", 1, None), None),
    ] {
        assert_eq!(after_refused_step(op, at, &called, &seen), want, "{at} {seen:?}");
    }
}

#[test]
fn nothing_is_called_in_a_content_that_nobody_approved() {
    let (op, seen) = (audits(false), found("B", 1, None));
    let (same, later) = (rev("B", 1), rev("B", 2));
    for (approved, judged) in [
        (Some(&same), Judgement::Call(0)),
        (Some(&later), Judgement::Skip(Skip::Changed)),
        (None, Judgement::Skip(Skip::Changed)),
    ] {
        assert_eq!(judge(&Case { approved, ..case(&op, Seen::One(&seen), Moment::Before) }), judged, "{approved:?}");
    }
}

#[test]
fn a_refused_submit_of_a_bill_that_is_audited_leads_to_no_audit() {
    let op = audits(true);
    assert_eq!(after_refused_step(&op, 0, &rev("A", 1), &found("B", 1, None)), Some(Refused::Next));
    assert_eq!(after_refused_step(&op, 0, &rev("A", 1), &found("C", 1, None)), None);
}

#[test]
fn a_look_follows_only_an_answer_that_leaves_something_open() {
    let unknown = Unknown { why: UnknownWhy::NotNamed, sent: Ts(1), detail: String::new() };
    for (after, looks) in [
        (After::LookAndStop(said("x")), true),
        (After::ReadBack(said("x")), true),
        (After::Prove(unknown), true),
        (After::Settle(Outcome::Failed(said("x"))), false),
        (After::NextStep, false),
        (After::Defer(said("x")), false),
        (After::Singly(said("x")), false),
        (After::Unsent("x".into()), false),
    ] {
        assert_eq!(after.looks(), looks, "{after:?}");
    }
}
