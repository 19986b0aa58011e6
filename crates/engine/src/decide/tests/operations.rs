//! Looks at what other operations do: submit, operations that declare an effect, records that a call makes.

use super::*;

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
    let field = "FBillNo".to_owned();
    let number = |unique| Key::Number { field: field.clone(), unique };
    let token = Key::Token { field: "F".into(), place: "header".into(), keeps_secs: 60 };
    [
        (Key::Identity, 0, true),
        (number(true), 0, true),
        (number(false), 0, false),
        (Key::Source { field: field.clone() }, 0, false),
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
fn what_was_there_once_is_not_made_again_because_a_look_does_not_show_it() {
    for (key, ..) in key_rows().into_iter().filter(|(key, ..)| key.makes()) {
        let op = Operation { key: key.clone(), ..submits() };
        let before = case(&op, Seen::Absent, Moment::Before);
        for (made, was_there) in [(true, false), (false, true), (true, true)] {
            let again = Case { made, was_there, ..before };
            assert_eq!(judge(&again), Judgement::Skip(Skip::Missing), "{key:?}");
            assert_eq!(judge(&Case { by_person: true, ..again }), Judgement::Call(0), "{key:?}");
        }
        assert_eq!(judge(&before), Judgement::Call(0), "{key:?}");
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

/// What a record is made of.
fn rendered(key: &str, hash: &str) -> Rendered {
    Rendered { key: key.into(), hash: hash.into(), ..Rendered::default() }
}

#[test]
fn a_lost_call_is_repeated_alone_only_as_the_system_would_know_it() {
    let field = "F".to_owned();
    let number = Key::Number { field: field.clone(), unique: true };
    let token = Key::Token { field, place: "header".into(), keeps_secs: 60 };
    for (key, now, same) in [
        (&number, rendered("K", "a"), true),
        // The number lets no second one stand, whatever it holds.
        (&number, rendered("K", "b"), true),
        (&number, rendered("L", "a"), false),
        (&token, rendered("K", "a"), true),
        (&token, rendered("K", "b"), false),
        (&token, rendered("L", "a"), false),
    ] {
        let op = Operation { key: key.clone(), ..submits() };
        let open = OpenCall { carried: Carried::of(Some(&rendered("K", "a"))), ..call(Step::Submit, rev("Z", 1)) };
        let want = if same { Judgement::Repeat } else { Judgement::Operator(UnknownWhy::Absent) };
        for moment in [Moment::Before, Moment::Settling] {
            let case = Case { open: Some(&open), body: Some(&now), ..case(&op, Seen::Absent, moment) };
            assert_eq!(judge(&case), want, "{key:?} {now:?}");
            let by_person = Case { by_person: true, ..case };
            let told = if moment == Moment::Before && !same { Judgement::Call(0) } else { want.clone() };
            assert_eq!(judge(&by_person), told, "{key:?} {now:?}");
        }
    }
}
