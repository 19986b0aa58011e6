//! Every look judged: the tables of 0.1.0 for Audit and for Submit then Audit, and the rows that are new.

use super::*;
use skydeck_core::domain::ids::{Fid, FormId, OpId, PlanId, PlanRev, RunId};
use skydeck_core::domain::plan::{Plan, Policy, Source, Target, WriteOptions};
use skydeck_core::domain::run::Flag;
use skydeck_core::domain::step::Verb;
use skydeck_core::domain::time::ErpDate;

const CODES: [&str; 6] = ["Z", "A", "B", "C", "D", "X"];
const US: &str = "me";

fn rev(code: &str, second: u32) -> Rev {
    Rev::new(Status::from(code.to_owned()), ErpDate::parse(&format!("2026-01-01T00:00:{second:02}")))
}

fn found(code: &str, second: u32, approver: Option<&str>) -> Found {
    Found {
        probe: None,
        absent: false,
        outside: false,
        fid: Fid::from(1),
        no: "N1".into(),
        rev: rev(code, second),
        approver: approver.map(str::to_owned),
        approved: (code == "C").then(|| ErpDate::parse("2026-01-02").unwrap()),
        marked: None,
        columns: Vec::new(),
        fields: Vec::new(),
    }
}

fn plan(verb: Verb, policy: Policy) -> Plan {
    let form = FormId::new("SAL_OUTSTOCK");
    Plan {
        id: PlanId::new("p"),
        name: "p".into(),
        rev: PlanRev::new("r"),
        env: None,
        target_env: None,
        source: Source {
            form: form.clone(),
            columns: Vec::new(),
            filter: String::new(),
            mark_column: None,
            id_path: "FID".into(),
            number_path: "FBillNo".into(),
            top_rows: 0,
            condition: Vec::new(),
        },
        target: Target { verb, form, options: WriteOptions::default(), stripped_flags: Vec::<Flag>::new() },
        policy,
    }
}

fn audits(submit: bool) -> Operation {
    Operation::of(&plan(Verb::Audit, Policy { submit, ..Policy::default() }))
}

fn submits() -> Operation {
    Operation::of(&plan(Verb::Submit, Policy::default()))
}

fn closes(mine: Option<&str>) -> Operation {
    let done = vec![Test::In("FCloseStatus".into(), vec!["B".into()])];
    let policy = Policy { done, mine: mine.map(str::to_owned), ..Policy::default() };
    Operation::of(&plan(Verb::Operation("BillClose".into()), policy))
}

/// A bill with the fields a close looks at, as the client gives it.
fn closed(code: &str, second: u32, close: &str, closer: &str) -> Found {
    let fields = vec![("FCloseStatus".to_owned(), close.to_owned()), ("FCloserId.FName".to_owned(), closer.to_owned())];
    closes(None).with_state(Found { fields, ..found(code, second, None) })
}

fn call(step: Step, rev: Rev) -> OpenCall {
    OpenCall { run: RunId(ulid::Ulid::nil()), step, rev, sent: Ts(5), left: None }
}

fn said(cause: &str) -> Failure {
    Failure { cause: Cause::new(cause), msg_code: None, field: None, message: "m".into() }
}

fn case<'a>(op: &'a Operation, seen: Seen<'a>, moment: Moment<'a>) -> Case<'a> {
    Case {
        op,
        seen,
        approved: None,
        open: None,
        refused: None,
        earlier: false,
        forestalled: false,
        anothers: false,
        moment,
        user: US,
        repeats: 0,
        deaths: 0,
        may_write: true,
        canary_look: true,
        age_secs: 0,
    }
}

#[test]
fn a_bill_whose_id_no_list_can_carry_fails_before_a_call_and_is_named() {
    let (op, odd) = (audits(true), ["o'x", "a b", "7,8", "编号", "x\u{200b}"]);
    for (id, callable) in odd.map(|id| (id, false)).into_iter().chain([("7", true), ("a-1_B", true)]) {
        let seen = Found { fid: Fid::new(id), ..found("B", 1, None) };
        let got = judge(&Case { approved: Some(&seen.rev), ..case(&op, Seen::One(&seen), Moment::Before) });
        match got {
            Judgement::Call(_) => assert!(callable, "{id}"),
            Judgement::Fail(said) => assert!(!callable && said.cause.as_str() == "odd_id" && said.message == id),
            other => panic!("{id}: {other:?}"),
        }
        // What was done by somebody else is told as such, whatever the id.
        let seen = Found { fid: Fid::new(id), ..found("C", 1, None) };
        let got = judge(&Case { approved: Some(&seen.rev), ..case(&op, Seen::One(&seen), Moment::Before) });
        assert!(matches!(got, Judgement::Already(..)), "{id}: {got:?}");
    }
}

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

#[test]
fn submit_alone_is_done_once_the_bill_is_submitted_or_further() {
    let op = submits();
    let already = Judgement::Already(None, None);
    let verified = Judgement::Done { verified: true };
    let skip = |why: Skip| Judgement::Skip(why);
    for (code, before, after_refusal, settled) in [
        ("Z", Judgement::Call(0), Judgement::Fail(said("x")), Judgement::Repeat),
        ("A", Judgement::Call(0), Judgement::Fail(said("x")), Judgement::Repeat),
        ("D", Judgement::Call(0), Judgement::Fail(said("x")), Judgement::Repeat),
        ("B", already.clone(), already.clone(), verified.clone()),
        ("C", already.clone(), already.clone(), verified.clone()),
        ("X", skip(Skip::OtherStatus("X".into())), Judgement::Fail(said("x")), {
            Judgement::Operator(UnknownWhy::ChangedSince(Status::Other("X".into())))
        }),
    ] {
        let (seen, approved, words) = (found(code, 1, Some("zhang")), rev(code, 1), said("x"));
        let base = Case { approved: Some(&approved), ..case(&op, Seen::One(&seen), Moment::Before) };
        assert_eq!(judge(&base), before, "{code}");
        assert_eq!(judge(&Case { moment: Moment::Refused(&words), ..base }), after_refusal, "{code}");
        let open = call(Step::Submit, rev(code, 1));
        let lost = Case { open: Some(&open), earlier: true, ..base };
        assert_eq!(judge(&Case { moment: Moment::Settling, ..lost }), settled, "{code}");
        if matches!(code, "B" | "C") {
            assert_eq!(judge(&lost), verified, "a call of ours is behind it");
            assert_eq!(judge(&Case { moment: Moment::Refused(&words), ..lost }), verified, "and may have come late");
        }
        let edited = rev(code, 2);
        let changed = Case { approved: Some(&edited), ..base };
        let want = if matches!(code, "Z" | "A" | "D") { skip(Skip::Changed) } else { before };
        assert_eq!(judge(&changed), want, "{code}");
    }
    let (seen, open) = (found("A", 2, None), call(Step::Submit, rev("A", 1)));
    let settling = Case { open: Some(&open), ..case(&op, Seen::One(&seen), Moment::Settling) };
    assert_eq!(judge(&settling), Judgement::Operator(UnknownWhy::ChangedSince(Status::Created)));
}

#[test]
fn an_operation_is_judged_by_the_field_it_declares_and_not_by_the_status() {
    let mine = Some("FCloserId.FName");
    for code in ["Z", "A", "B", "C", "D", "X", ""] {
        let (open_bill, done_bill) = (closed(code, 1, "A", ""), closed(code, 1, "B", "zhang"));
        let by_us = closed(code, 1, "b ", "ME");
        for (op, who) in [(closes(None), false), (closes(mine), true)] {
            let by = who.then(|| "zhang".to_owned());
            let approved = open_bill.rev.clone();
            let look = |seen: &'static str| match seen {
                "open" => &open_bill,
                "ours" => &by_us,
                _ => &done_bill,
            };
            let base = |seen| Case { approved: Some(&approved), ..case(&op, Seen::One(look(seen)), Moment::Before) };
            assert_eq!(judge(&base("open")), Judgement::Call(0), "{code}: status says nothing about a close");
            assert_eq!(judge(&base("done")), Judgement::Already(by.clone(), None), "{code}");
            let open = call(Step::Operate, open_bill.rev.clone());
            let lost = |seen, moment| Case { open: Some(&open), earlier: true, moment, ..base(seen) };
            let verified = Judgement::Done { verified: true };
            let not_ours = if who { Judgement::Already(by.clone(), None) } else { verified.clone() };
            for moment in [Moment::Before, Moment::Settling] {
                assert_eq!(judge(&lost("done", moment)), not_ours, "{code} {moment:?}");
                assert_eq!(judge(&lost("ours", moment)), verified, "{code} {moment:?}");
            }
            assert_eq!(
                judge(&lost("open", Moment::Settling)),
                if code == "X" { judge_x(&op, &open_bill, &open) } else { Judgement::Repeat }
            );
            let words = said("unclassified");
            assert_eq!(judge(&lost("open", Moment::Refused(&words))), Judgement::Fail(words.clone()));
            assert_eq!(judge(&lost("done", Moment::Refused(&words))), not_ours);
            // 0.1.0 wrote the call of an operation as `audit`.
            let old = call(Step::Audit, open_bill.rev.clone());
            assert_eq!(judge(&Case { open: Some(&old), ..lost("ours", Moment::Settling) }), verified);
        }
    }
    // Somebody edited the bill, or opened it again: the fields looked at are part of what was approved.
    let (op, now) = (closes(None), closed("C", 1, "A", "li"));
    let approved = closed("C", 1, "A", "");
    assert_ne!(now.rev, approved.rev);
    let changed = Case { approved: Some(&approved.rev), ..case(&op, Seen::One(&now), Moment::Before) };
    assert_eq!(judge(&changed), Judgement::Skip(Skip::Changed));
    let open = call(Step::Operate, approved.rev.clone());
    let settling = Case { open: Some(&open), ..case(&op, Seen::One(&now), Moment::Settling) };
    assert_eq!(judge(&settling), Judgement::Operator(UnknownWhy::ChangedSince(Status::Audited)));
}

#[test]
fn an_effect_that_is_another_runs_to_tell_is_never_told_as_done() {
    let (mine, words) = (Some("FCloserId.FName"), said("already_audited"));
    let (audited, closed) = (found("C", 1, Some(US)), closed("C", 1, "B", US));
    let on = audited.approved.clone();
    for (op, seen, step, by, on) in [
        (audits(false), &audited, Step::Audit, Some(US), on.clone()),
        (audits(true), &audited, Step::Audit, Some(US), on),
        (submits(), &audited, Step::Submit, None, None),
        (closes(mine), &closed, Step::Operate, Some(US), None),
        (closes(None), &closed, Step::Operate, None, None),
    ] {
        let open = call(step, rev("B", 1));
        for moment in [Moment::Before, Moment::Refused(&words), Moment::Settling] {
            let base = Case { open: Some(&open), earlier: true, ..case(&op, Seen::One(seen), moment) };
            assert_eq!(judge(&base), Judgement::Done { verified: true }, "{moment:?}");
            let already = Judgement::Already(by.map(str::to_owned), on.clone());
            assert_eq!(judge(&Case { anothers: true, repeats: 1, ..base }), already, "{moment:?}");
        }
    }
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

/// An operation that is not judged by status repeats whatever the status says.
fn judge_x(op: &Operation, seen: &Found, open: &OpenCall) -> Judgement {
    let settling = Case { open: Some(open), ..case(op, Seen::One(seen), Moment::Settling) };
    assert_eq!(judge(&settling), Judgement::Repeat);
    Judgement::Repeat
}

#[test]
fn an_operation_without_an_effect_is_never_done() {
    let op = Operation::of(&plan(Verb::Operation("BillClose".into()), Policy::default()));
    assert_eq!(op.blind(), Some("BillClose"));
    assert_eq!(
        (audits(false).blind(), audits(true).blind(), submits().blind(), closes(None).blind()),
        (None, None, None, None)
    );
    let seen = found("C", 1, Some(US));
    let open = call(Step::Operate, seen.rev.clone());
    for moment in [Moment::Before, Moment::Settling] {
        let got = judge(&Case { open: Some(&open), approved: Some(&seen.rev), ..case(&op, Seen::One(&seen), moment) });
        assert!(matches!(got, Judgement::Call(0) | Judgement::Repeat), "{got:?}");
    }
}

fn key_rows() -> [(Key, u32, bool); 7] {
    let (field, value) = ("FBillNo".to_owned(), "{{no}}".to_owned());
    let number = |unique| Key::Number { field: field.clone(), value: value.clone(), unique };
    let token = Key::Token { place: "header".into(), keeps_secs: 60 };
    [
        (Key::Identity, 0, true),
        (number(true), 0, true),
        (number(false), 0, false),
        (Key::Source { field: field.clone(), value: value.clone() }, 0, false),
        (Key::Link { form: "f".into(), source_no: "s".into(), rule: "r".into() }, 0, false),
        (token.clone(), 59, true),
        (token, 60, false),
    ]
}

#[test]
fn what_is_to_be_made_is_repeated_only_where_nothing_can_double_it() {
    for (key, age_secs, alone) in key_rows() {
        assert_eq!(key.repeats_alone(age_secs), alone, "{key:?}");
        let identity = key == Key::Identity;
        let op = Operation { key: key.clone(), ..submits() };
        let (open, words) = (call(Step::Submit, rev("Z", 1)), said("x"));
        let absent = |moment| Case { age_secs, ..case(&op, Seen::Absent, moment) };
        let lost = |moment| Case { open: Some(&open), ..absent(moment) };
        if identity {
            assert_eq!(judge(&absent(Moment::Before)), Judgement::Skip(Skip::Gone));
            let first = Case { canary_look: false, ..absent(Moment::Before) };
            assert_eq!(judge(&first), Judgement::Skip(Skip::Missing), "one look proves nothing");
            assert_eq!(judge(&lost(Moment::Refused(&words))), Judgement::Fail(words.clone()));
            assert_eq!(judge(&lost(Moment::Settling)), Judgement::Operator(UnknownWhy::GoneSince));
            continue;
        }
        assert_eq!(judge(&absent(Moment::Before)), Judgement::Call(0), "{key:?}");
        assert_eq!(judge(&lost(Moment::Refused(&words))), Judgement::Fail(words.clone()), "{key:?}");
        let settled = if alone { Judgement::Repeat } else { Judgement::Operator(UnknownWhy::Absent) };
        for moment in [Moment::Before, Moment::Settling] {
            assert_eq!(judge(&lost(moment)), settled, "{key:?} {moment:?}");
            // An empty look of somebody who may not see proves nothing.
            assert_eq!(judge(&Case { canary_look: false, ..lost(moment) }), Judgement::Look, "{key:?}");
            let spent = Case { repeats: 1, ..lost(moment) };
            let reads = Case { may_write: false, ..lost(moment) };
            for case in [spent, reads] {
                let got = judge(&case);
                if alone {
                    assert!(
                        matches!(&got, Judgement::Fail(f) if f.cause.as_str() == known::NOT_APPLIED),
                        "{key:?} {got:?}"
                    );
                } else {
                    assert_eq!(got, Judgement::Operator(UnknownWhy::Absent));
                }
            }
        }
        assert_eq!(judge(&Case { canary_look: false, ..absent(Moment::Before) }), Judgement::Look);
    }
}

#[test]
fn several_records_are_for_a_person_and_a_failed_look_tells_nothing() {
    let words = said("x");
    let many = [found("B", 1, None), found("C", 1, None)];
    for (key, ..) in key_rows() {
        for op in [audits(false), audits(true), submits(), closes(None)] {
            let op = Operation { key: key.clone(), ..op };
            for moment in [Moment::Before, Moment::Refused(&words), Moment::Settling] {
                assert_eq!(judge(&case(&op, Seen::Many(&many), moment)), Judgement::Operator(UnknownWhy::Many));
                assert_eq!(judge(&case(&op, Seen::Unreadable, moment)), Judgement::Look);
            }
        }
    }
}

#[test]
fn a_settling_look_without_a_call_on_record_proposes_none() {
    let seen = found("B", 1, None);
    let got = judge(&case(&audits(false), Seen::One(&seen), Moment::Settling));
    assert_eq!(got, Judgement::Operator(UnknownWhy::ChangedSince(Status::Submitted)));
}

#[test]
fn operations_have_the_names_and_places_their_keys_rest_on() {
    let rows = [
        (audits(false), "", vec![Step::Audit]),
        (audits(true), "", vec![Step::Submit, Step::Audit]),
        (submits(), "Submit", vec![Step::Submit]),
        (closes(None), "BillClose", vec![Step::Operate]),
    ];
    for (op, id, steps) in rows {
        assert_eq!(op.id, OpId::new(id));
        assert_eq!(op.steps.iter().map(|s| s.step).collect::<Vec<_>>(), steps);
        assert!(op.steps.iter().all(|s| s.step.writes()));
        assert_eq!(op.place_of(Step::Audit), op.steps.len() - 1, "{id}: 0.1.0 called every last step `audit`");
    }
    assert_eq!(audits(true).place_of(Step::Submit), 0);
    assert_eq!(audits(true).looked_at(), Vec::<String>::new(), "what is read for Audit stays what it was");
    assert_eq!(closes(Some("FCloserId.FName")).looked_at(), ["FCloseStatus", "FCloserId.FName"]);
    assert!(!Step::Fetch.writes() && !Step::Verify.writes());
}

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

#[test]
fn a_refused_submit_of_a_bill_that_is_audited_leads_to_no_audit() {
    let op = audits(true);
    assert_eq!(after_refused_step(&op, 0, &rev("A", 1), &found("B", 1, None)), Some(Refused::Next));
    assert_eq!(after_refused_step(&op, 0, &rev("A", 1), &found("C", 1, None)), None);
}

#[test]
fn an_effect_that_asks_for_the_status_among_other_things_leaves_a_strange_status_to_a_person() {
    let ready = Test::In("FDocumentStatus".into(), vec!["C".into()]);
    let of = |ready: Vec<Test>| {
        let mut op = closes(None);
        op.steps.last_mut().unwrap().effect.ready = ready;
        op
    };
    let seen = closed("X", 1, "A", "");
    let open = call(Step::Operate, seen.rev.clone());
    for (op, judged) in [
        (of(vec![ready]), Judgement::Operator(UnknownWhy::ChangedSince(Status::Other("X".into())))),
        (of(Vec::new()), Judgement::Repeat),
    ] {
        let settling = Case { open: Some(&open), ..case(&op, Seen::One(&seen), Moment::Settling) };
        assert_eq!(judge(&settling), judged);
    }
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
