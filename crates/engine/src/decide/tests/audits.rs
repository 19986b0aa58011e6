//! Looks at bills that are audited, or submitted and then audited: as 0.1.0 judged them, and whose doing it is.

use super::*;

/// The three tables of 0.1.0, as they stood: what they said of Audit and of Submit then Audit stays said.
mod before {
    use super::*;

    pub fn on_read(seen: Option<&Found>, approved: &Rev, submit: bool, open: Option<&OpenCall>) -> Judgement {
        let Some(seen) = seen else { return Judgement::Skip(Skip::Gone) };
        match &seen.rev.status {
            Status::Audited => {
                let ours = open.is_some_and(|call| call.step == Step::Audit) && by_us(seen);
                if ours { Judgement::Done { verified: true } } else { already(seen) }
            }
            Status::Submitted if seen.rev == *approved => Judgement::Call(usize::from(submit)),
            Status::Draft | Status::Created | Status::Reaudit if !submit => {
                Judgement::Skip(Skip::of_status(&seen.rev.status))
            }
            Status::Draft | Status::Created | Status::Reaudit if seen.rev == *approved => Judgement::Call(0),
            Status::Submitted | Status::Draft | Status::Created | Status::Reaudit => Judgement::Skip(Skip::Changed),
            Status::Other(_) => Judgement::Skip(Skip::of_status(&seen.rev.status)),
        }
    }

    pub fn on_already(seen: Option<&Found>, said: Failure, earlier: bool) -> Judgement {
        // 0.1.0 told it as gone, and lost the words of the refusal.
        let Some(seen) = seen else { return Judgement::Fail(said) };
        match &seen.rev.status {
            Status::Audited => {
                // 0.1.0 went by the name alone. Where no earlier call of ours was lost, none of ours can have done it.
                let ours = earlier && (seen.approver.is_none() || by_us(seen));
                if ours { Judgement::Done { verified: true } } else { already(seen) }
            }
            Status::Draft | Status::Created | Status::Submitted | Status::Reaudit | Status::Other(_) => {
                Judgement::Fail(said)
            }
        }
    }

    pub fn on_settle(seen: Option<&Found>, call: &OpenCall, repeats: u32, writes: bool, deaths: u32) -> Judgement {
        let Some(seen) = seen else { return Judgement::Operator(UnknownWhy::GoneSince) };
        match &seen.rev.status {
            Status::Audited => {
                let ours = call.step == Step::Audit && by_us(seen);
                if ours { Judgement::Done { verified: true } } else { already(seen) }
            }
            status @ (Status::Draft | Status::Created | Status::Submitted | Status::Reaudit) => {
                if seen.rev == call.rev {
                    return if deaths >= QUARANTINE {
                        Judgement::Skip(Skip::Quarantined)
                    } else if writes && repeats == 0 {
                        Judgement::Repeat
                    } else {
                        Judgement::Fail(Failure {
                            cause: Cause::new(known::NOT_APPLIED),
                            msg_code: None,
                            field: None,
                            message: String::new(),
                        })
                    };
                }
                let took =
                    call.step == Step::Submit && *status == Status::Submitted && seen.rev.modified == call.rev.modified;
                if took && writes {
                    Judgement::Continue(1, seen.rev.clone())
                } else {
                    Judgement::Operator(UnknownWhy::ChangedSince(status.clone()))
                }
            }
            Status::Other(_) => Judgement::Operator(UnknownWhy::ChangedSince(seen.rev.status.clone())),
        }
    }

    fn by_us(seen: &Found) -> bool {
        seen.approver.as_deref().is_some_and(|name| name.trim().eq_ignore_ascii_case(US))
    }

    fn already(seen: &Found) -> Judgement {
        Judgement::Already(seen.approver.clone(), seen.approved.clone())
    }
}

fn looks() -> Vec<Option<Found>> {
    let mut all = vec![None];
    for code in CODES {
        for second in [1, 2] {
            all.extend([None, Some(US), Some("ME "), Some("zhang")].map(|name| Some(found(code, second, name))));
        }
    }
    all
}

#[test]
fn audit_and_submit_then_audit_are_judged_as_0_1_0_judged_them() {
    let mut rows = 0;
    for submit in [false, true] {
        let op = audits(submit);
        // Without a submit of its own a plan has no open Submit call.
        let steps: &[Step] = if submit { &[Step::Submit, Step::Audit] } else { &[Step::Audit] };
        let mut calls = vec![None];
        for step in steps {
            let revs = CODES.into_iter().filter(|code| !matches!(*code, "C" | "X"));
            calls.extend(revs.map(|code| Some(call(*step, rev(code, 1)))));
        }
        for seen in looks() {
            for open in &calls {
                let base = Case { open: open.as_ref(), ..case(&op, Seen::of(seen.as_ref()), Moment::Before) };
                for code in CODES {
                    let approved = rev(code, 1);
                    let now = judge(&Case { approved: Some(&approved), ..base });
                    assert_eq!(
                        now,
                        before::on_read(seen.as_ref(), &approved, submit, open.as_ref()),
                        "{seen:?} {open:?}"
                    );
                    rows += 1;
                }
                for (repeats, deaths, may_write) in
                    [(0, 0, true), (1, 0, true), (0, 0, false), (0, 3, true), (1, 3, false), (0, 2, true)]
                {
                    let words = said("already_audited");
                    let earlier = repeats > 0 || open.is_some();
                    let refused = Case { repeats, deaths, may_write, earlier, moment: Moment::Refused(&words), ..base };
                    assert_eq!(judge(&refused), before::on_already(seen.as_ref(), words.clone(), earlier));
                    if let Some(open) = open {
                        let settling = Case { repeats, deaths, may_write, moment: Moment::Settling, ..base };
                        let want = before::on_settle(seen.as_ref(), open, repeats, may_write, deaths);
                        assert_eq!(judge(&settling), want, "{seen:?} {open:?} {repeats} {deaths} {may_write}");
                    }
                    rows += 2;
                }
            }
        }
    }
    assert!(rows > 10_000, "{rows}");
}

/// An audit that was refused, and yet the bill is audited and names nobody: our call took, unless the words may tell of
/// somebody who had done it before.
#[test]
fn an_audit_that_was_refused_and_took_is_ours_unless_the_words_tell_of_another() {
    let (nameless, ours, theirs) = (found("C", 1, None), found("C", 1, Some(US)), found("C", 1, Some("they")));
    let (audit, submit) = (call(Step::Audit, rev("B", 1)), call(Step::Submit, rev("A", 1)));
    let done = Judgement::Done { verified: true };
    let failed = |cause: &str, message: &str| Failure { message: message.into(), ..said(cause) };
    let stock = || failed("stock", "更新库存时库存不足");
    for (op, seen, refused, words, is_ours) in [
        (audits(false), &nameless, Some(&audit), stock(), true),
        (audits(true), &nameless, Some(&audit), stock(), true),
        (audits(true), &nameless, Some(&submit), stock(), false),
        (audits(false), &nameless, None, stock(), false),
        (submits(), &nameless, Some(&submit), stock(), false),
        (audits(false), &nameless, Some(&audit), failed("already_audited", "m"), false),
        (audits(false), &nameless, Some(&audit), failed("other", "单据已审核，不能重复"), false),
        (audits(false), &nameless, Some(&audit), failed("other", "the bill has been approved"), false),
        (audits(false), &ours, None, stock(), true),
        (audits(false), &theirs, Some(&audit), stock(), false),
    ] {
        let case = Case { refused, ..case(&op, Seen::One(seen), Moment::Refused(&words)) };
        let judged = judge(&case);
        assert_eq!(judged == done, is_ours, "{words:?} {refused:?}: {judged:?}");
        assert!(is_ours || matches!(judged, Judgement::Already(_, _)), "{judged:?}");
        // What another run has to tell is not told here.
        assert!(matches!(judge(&Case { anothers: true, ..case }), Judgement::Already(_, _)));
    }
}

/// The ERP looked before our call did anything: what it found done is ours only where an earlier call of ours was lost, and the
/// record does not name another one.
#[test]
fn what_had_been_done_before_our_first_call_is_never_ours_whatever_name_it_bears() {
    let words = |message: &str, cause: &str| Failure { message: message.into(), ..said(cause) };
    let (mine, audited) = (Some("FCloserId.FName"), "already_audited");
    let mut rows = 0;
    for name in [US, " ME", "they", "", "  "] {
        let named = Some(name).filter(|name| !name.is_empty());
        let (c, close) = (found("C", 1, named), closed("C", 1, "B", name));
        for (op, seen, step, says) in [
            (audits(false), &c, Step::Audit, words("单据已审核", audited)),
            (audits(true), &c, Step::Audit, words("操作失败：单据已经审核！", audited)),
            (audits(true), &c, Step::Submit, words("The bill has already been audited.", audited)),
            (closes(mine), &close, Step::Operate, words("单据编号为“X”的采购订单，单据已经关闭！", "unclassified")),
            (closes(mine), &close, Step::Operate, words("The order is already closed.", "wrong_status")),
            (closes(None), &close, Step::Operate, words("单据已关闭", "unclassified")),
            (submits(), &c, Step::Submit, words("单据已审核", audited)),
        ] {
            let unnamed = op.steps.last().unwrap().effect.mine.is_none() || name.trim().is_empty();
            let called = call(step, rev("B", 1));
            for earlier in [false, true] {
                let ours = earlier && (unnamed || by_us(name, US));
                let base = Case { refused: Some(&called), ..case(&op, Seen::One(seen), Moment::Refused(&says)) };
                let judged = judge(&Case { earlier, ..base });
                assert_eq!(
                    judged == Judgement::Done { verified: true },
                    ours,
                    "{name:?} {says:?} {earlier}: {judged:?}"
                );
                assert!(ours || matches!(judged, Judgement::Already(..)), "{judged:?}");
                rows += 1;
            }
            // It could not be read at once: the same holds whenever it can.
            for (moment, open) in [(Moment::Before, None), (Moment::Settling, Some(&called))] {
                let base = Case { open, refused: Some(&called), ..case(&op, Seen::One(seen), moment) };
                let judged = judge(&Case { forestalled: true, ..base });
                assert!(matches!(judged, Judgement::Already(..)), "{name:?} {moment:?}: {judged:?}");
            }
        }
    }
    assert_eq!(rows, 70);
}

/// Words that tell of something that failed after the audit say nothing of who did it.
#[test]
fn a_refusal_that_tells_what_failed_after_the_audit_leaves_it_ours() {
    let (op, seen, called) = (audits(false), found("C", 1, Some(US)), call(Step::Audit, rev("B", 1)));
    for (message, cause, is_ours) in [
        ("单据已审核，生成凭证失败", "already_audited", true),
        ("The bill has been audited, but the voucher failed", "already_audited", true),
        ("单据已审核，不能重复审核", "already_audited", false),
        ("审核失败：单据已审核", "already_audited", false),
        ("更新库存时库存不足", "stock", true),
    ] {
        let words = Failure { message: message.into(), ..said(cause) };
        let judged = judge(&Case { refused: Some(&called), ..case(&op, Seen::One(&seen), Moment::Refused(&words)) });
        assert_eq!(judged == Judgement::Done { verified: true }, is_ours, "{message}: {judged:?}");
    }
}

/// A look before a call, after one that was refused: an operation is ours where the record names us, and only then.
#[test]
fn what_stands_done_after_a_refused_call_is_ours_where_the_record_names_us() {
    let refused = call(Step::Operate, rev("C", 1));
    for (mine, closer, refused, is_ours) in [
        (Some("FCloserId.FName"), US, Some(&refused), true),
        (Some("FCloserId.FName"), US, None, false),
        (Some("FCloserId.FName"), "they", Some(&refused), false),
        (None, US, Some(&refused), false),
    ] {
        let (op, seen) = (closes(mine), closed("C", 2, "B", closer));
        let judged = judge(&Case { refused, ..case(&op, Seen::One(&seen), Moment::Before) });
        assert_eq!(judged == Judgement::Done { verified: true }, is_ours, "{mine:?} {closer} {refused:?}: {judged:?}");
    }
}

/// A code that is no status means a person, one that is empty tells nothing.
#[test]
fn a_settling_look_at_a_status_nobody_knows_is_for_a_person() {
    for (code, is_persons) in [("X", true), ("", false)] {
        let open = call(Step::Audit, rev(code, 1));
        let (op, seen) = (audits(false), found(code, 1, None));
        let judged = judge(&Case { open: Some(&open), ..case(&op, Seen::One(&seen), Moment::Settling) });
        let changed = Judgement::Operator(UnknownWhy::ChangedSince(Status::from(code.to_owned())));
        assert_eq!(judged == changed, is_persons, "{code}: {judged:?}");
    }
}

#[test]
fn a_name_is_ours_whatever_blanks_or_case_it_stands_in_and_no_name_is_nobodys() {
    for (name, user, ours) in [
        ("me", "me", true),
        (" me ", "me", true),
        ("me", " me ", true),
        ("ME", "me", true),
        ("\u{738b}", "\u{738b}", true),
        ("li", "me", false),
        ("", "", false),
        (" ", "", false),
    ] {
        assert_eq!(by_us(name, user), ours, "{name:?} {user:?}");
    }
    let op = audits(false);
    let audit = op.steps.last().unwrap();
    let Judgement::Already(by, _) = already(&audit.effect, &found("C", 1, Some("  "))) else {
        panic!("another judgement")
    };
    assert_eq!(by, None, "blanks are no name");
}
