//! What the facts of a bill add up to, as one run sees it.

use super::*;
use skydeck_core::domain::bill::Failure;
use skydeck_core::domain::cause::Cause;
use skydeck_core::domain::ids::{CallId, EnvId, Fid, FormId, OpId, RecordKey};
use skydeck_core::domain::time::ErpDate;
use skydeck_core::domain::who::Who;
use ulid::Ulid;

mod made;
mod rows;

fn run(n: u128) -> RunId {
    RunId(Ulid::from_parts(1, n))
}

fn rev(code: &str, second: u32) -> Rev {
    Rev {
        status: Status::from(code.to_owned()),
        modified: ErpDate::parse(&format!("2026-01-01T00:00:{second:02}")),
        state: None,
    }
}

fn tried(r: u128, step: Step, rev: Rev) -> Event {
    let call = CallId(Ulid::from_parts(1, 1));
    Event::StepTried {
        run: run(r),
        fid: Fid::from(1),
        no: "n".into(),
        step,
        attempt: 1,
        call,
        rev,
        intent: skydeck_core::domain::step::Intent::default(),
    }
}

fn answered(r: u128, step: Step, verdict: Verdict) -> Event {
    let call = CallId(Ulid::from_parts(1, 1));
    Event::StepAnswered {
        run: run(r),
        fid: Fid::from(1),
        step,
        attempt: 1,
        call,
        ms: 1,
        verdict,
        side: Vec::new(),
        evidence: None,
        made: None,
    }
}

fn settled(r: u128, outcome: Outcome) -> Event {
    Event::BillSettled { run: run(r), fid: Fid::from(1), no: "n".into(), was: Slot::Waiting, outcome }
}

fn deferred(r: u128, was: Slot) -> Event {
    let cause = Cause::new("lock");
    Event::BillDeferred { run: run(r), fid: Fid::from(1), no: "n".into(), until: Ts(0), cause, was, failure: None }
}

fn died() -> Outcome {
    Outcome::Unknown(Unknown { why: UnknownWhy::ProcessDied, sent: Ts(1), detail: String::new() })
}

fn fold(events: Vec<Event>) -> BillHistory {
    let facts: Vec<Fact> = events
        .into_iter()
        .enumerate()
        .map(|(i, event)| Fact { seq: Seq(i as u64 + 1), at: Ts(i as i64 + 1), event })
        .collect();
    BillHistory::fold(&facts, run(2))
}

#[test]
fn an_open_call_of_another_run_stays_open_until_something_says_what_came_of_it() {
    let b = rev("B", 1);
    let call = tried(1, Step::Audit, b.clone());
    let past = fold(vec![call.clone(), settled(1, died()), settled(2, Outcome::Skipped(Skip::NotReached))]);
    assert_eq!(
        past.open,
        Some(OpenCall {
            run: run(1),
            step: Step::Audit,
            rev: b.clone(),
            sent: Ts(1),
            left: None,
            carried: Carried::default()
        })
    );
    assert_eq!((past.deaths, past.calls), (1, 0));
    for closing in [
        settled(1, Outcome::Done { verified: true }),
        answered(1, Step::Audit, Verdict::Done),
        answered(1, Step::Audit, Verdict::NotSent(String::new())),
        deferred(1, Slot::Unknown),
    ] {
        assert_eq!(fold(vec![call.clone(), closing.clone()]).open, None, "{closing:?}");
    }
}

#[test]
fn a_refusal_that_another_run_does_not_believe_leaves_its_call_open() {
    let refused = Verdict::Rejected(refusal());
    let facts = |r: u128, outcome: Outcome| {
        vec![tried(r, Step::Send, rev("", 1)), answered(r, Step::Send, refused.clone()), settled(r, outcome)]
    };
    let doubted = Outcome::Unknown(unknown(UnknownWhy::ServerFault));
    let past = fold(facts(1, doubted.clone()));
    assert_eq!((past.open, past.refused_call), (Some(call(1, Step::Send, &rev("", 1), 1)), None));
    // What the other run finds out ends it; a refusal that was believed never was open, nor is it in the run itself.
    let found = [facts(1, doubted.clone()), vec![settled(1, Outcome::Already { by: None, on: None })]].concat();
    for ended in [found, facts(1, Outcome::Failed(refusal())), facts(2, doubted)] {
        assert_eq!(fold(ended).open, None);
    }
}

#[test]
fn repeats_are_counted_where_they_are_bounded() {
    let refused = Verdict::Rejected(refusal());
    let b = rev("B", 1);
    let past = fold(vec![
        tried(2, Step::Audit, b.clone()),
        answered(2, Step::Audit, refused),
        deferred(2, Slot::Waiting),
        tried(2, Step::Audit, b.clone()),
        answered(2, Step::Audit, Verdict::NotSent(String::new())),
        deferred(2, Slot::Waiting),
    ]);
    assert_eq!((past.repeats, past.calls, past.next_attempt(Step::Audit)), (1, 1, 2));
    let past = fold(vec![tried(1, Step::Audit, b.clone()), settled(1, died()), deferred(1, Slot::Unknown)]);
    assert_eq!(past.auto_repeats, 1);
    let again = vec![tried(1, Step::Audit, b), deferred(1, Slot::Unknown), tried(1, Step::Audit, rev("B", 9))];
    assert_eq!(fold(again).auto_repeats, 0, "another revision is another call");
}

#[test]
fn the_revision_after_our_own_submit_is_adopted_and_no_other() {
    let (a, b) = (rev("A", 1), rev("B", 5));
    let read = read(2, &b);
    let submit = vec![tried(2, Step::Submit, a.clone()), answered(2, Step::Submit, Verdict::Done)];
    assert_eq!(fold(submit.clone()).approved(&a), rev("B", 1), "content unchanged, status moved");
    let mut events = submit;
    events.push(read.clone());
    assert_eq!(fold(events).approved(&a), b);
    assert_eq!(fold(vec![read]).approved(&a), a, "a read without our submit adopts nothing");
}

#[test]
fn a_submit_that_somebody_else_forestalled_adopts_what_was_read() {
    let (a, b) = (rev("A", 1), rev("B", 1));
    let failure = Failure { cause: Cause::new("wrong_status"), msg_code: None, field: None, message: String::new() };
    let read = read(2, &b);
    let waits = |cause: &str| {
        let (run, fid, cause) = (run(2), Fid::from(1), Cause::new(cause));
        Event::BillDeferred { run, fid, no: "n".into(), until: Ts(0), cause, was: Slot::Waiting, failure: None }
    };
    let refused = [tried(2, Step::Submit, a.clone()), answered(2, Step::Submit, Verdict::Rejected(failure)), read];
    let goes_on = fold([&refused[..], &[waits("submitted")]].concat());
    assert_eq!((goes_on.approved(&a), goes_on.repeats), (b, 0));
    let repeats = fold([&refused[..], &[waits("lock")]].concat());
    assert_eq!((repeats.approved(&a), repeats.repeats), (a, 1), "a passing refusal adopts nothing");
}

fn read(r: u128, rev: &Rev) -> Event {
    Event::BillRead {
        run: run(r),
        fid: Fid::from(1),
        rev: Some(rev.clone()),
        approver: None,
        fields: Vec::new(),
        made: None,
    }
}

fn refusal() -> Failure {
    Failure { cause: Cause::new("lock"), msg_code: None, field: None, message: String::new() }
}

fn unknown(why: UnknownWhy) -> Unknown {
    Unknown { why, sent: Ts(1), detail: String::new() }
}

fn call(r: u128, step: Step, rev: &Rev, sent: i64) -> OpenCall {
    OpenCall { run: run(r), step, rev: rev.clone(), sent: Ts(sent), left: None, carried: Carried::default() }
}

fn resolved() -> Event {
    let record = RecordKey { env: EnvId::new("e"), form: FormId::new("f"), fid: Fid::from(1) };
    Event::LedgerResolved { key: record.under(&OpId::new("")), by: Who::engine(7), reason: "seen".into() }
}

/// A fact, and what it changes of what is known of the bill.
type Row = (Event, fn(&mut BillHistory));

/// Folds each fact onto the past that is expected before it, and compares the whole.
fn follow(rows: Vec<Row>) {
    let (mut events, mut want) = (Vec::new(), BillHistory::default());
    for (event, change) in rows {
        events.push(event);
        want.last = Seq(events.len() as u64);
        change(&mut want);
        assert_eq!(fold(events.clone()), want, "after {:?}", events.last());
    }
}

/// Two runs call, and their processes die.
fn calls_that_are_lost() -> Vec<Row> {
    let b = rev("B", 1);
    vec![
        (tried(1, Step::Audit, b.clone()), |past| {
            past.open = Some(call(1, Step::Audit, &rev("B", 1), 1));
            past.called = Some(rev("B", 1));
        }),
        (settled(1, died()), |past| {
            past.prior = Some(died());
            past.since = Some(Told { at: Seq(2), run: run(1), outcome: died() });
            past.unknown = Some(unknown(UnknownWhy::ProcessDied));
            past.deaths = 1;
        }),
        (tried(2, Step::Audit, b.clone()), |past| {
            past.lost = vec![Step::Audit];
            past.open = Some(call(2, Step::Audit, &rev("B", 1), 3));
            past.own.clone_from(&past.open);
            past.since = None;
            past.unknown = None;
            past.calls = 1;
        }),
        (settled(2, died()), |past| {
            past.unknown = Some(unknown(UnknownWhy::ProcessDied));
            past.deaths = 2;
        }),
    ]
}

/// Another run calls while this one has not told what came of its own call.
fn a_call_of_another_run() -> Vec<Row> {
    let b = rev("B", 1);
    vec![
        // The first run's place in what was told stays.
        (settled(3, Outcome::Skipped(Skip::NotReached)), |past| {
            past.prior = Some(Outcome::Skipped(Skip::NotReached));
            past.since = Some(Told { at: Seq(5), run: run(3), outcome: Outcome::Skipped(Skip::NotReached) });
        }),
        (tried(3, Step::Audit, b.clone()), |past| {
            past.lost.push(Step::Audit);
            past.open = Some(call(3, Step::Audit, &rev("B", 1), 6));
            past.unknown = None;
        }),
        (answered(3, Step::Audit, Verdict::Unknown(UnknownWhy::TimedOut, String::new())), |past| past.deaths = 0),
        (settled(3, died()), |past| {
            past.prior = Some(died());
            past.since = Some(Told { at: Seq(8), run: run(3), outcome: died() });
            past.unknown = Some(unknown(UnknownWhy::ProcessDied));
            past.deaths = 1;
        }),
        (deferred(2, Slot::Unknown), |past| {
            past.lost.push(Step::Audit);
            (past.open, past.own, past.unknown, past.auto_repeats) = (None, None, None, 1);
        }),
    ]
}

/// It calls anew, is refused, and both runs read the bill.
fn a_refusal_and_reads() -> Vec<Row> {
    let (b, c) = (rev("B", 1), rev("C", 9));
    vec![
        (tried(2, Step::Audit, b.clone()), |past| {
            past.open = Some(call(2, Step::Audit, &rev("B", 1), 10));
            past.own.clone_from(&past.open);
            past.since = None;
            past.calls = 2;
        }),
        (answered(2, Step::Audit, Verdict::Rejected(refusal())), |past| {
            past.refused_call = past.open.take();
            past.own = None;
            past.deaths = 0;
            past.refused = true;
        }),
        (read(3, &b), |past| (past.refused_call, past.was_there) = (None, true)),
        (read(2, &c), |past| past.read = Some(rev("C", 9))),
        (deferred(3, Slot::Waiting), |past| past.refused = false),
        (deferred(2, Slot::Waiting), |_| {}),
    ]
}

/// The other run succeeds, and a person resolves what this one loses then.
fn a_success_elsewhere_and_a_call_after_it() -> Vec<Row> {
    let c = rev("C", 9);
    vec![
        (settled(3, Outcome::Done { verified: true }), |past| {
            past.prior = Some(Outcome::Done { verified: true });
            past.since = Some(Told { at: Seq(16), run: run(3), outcome: Outcome::Done { verified: true } });
            past.auto_repeats = 0;
            past.lost.clear();
        }),
        (tried(2, Step::Audit, c.clone()), |past| {
            past.open = Some(call(2, Step::Audit, &rev("C", 9), 17));
            past.own.clone_from(&past.open);
            past.called = Some(rev("C", 9));
            past.since = None;
            past.calls = 3;
        }),
        (settled(2, died()), |past| {
            past.unknown = Some(unknown(UnknownWhy::ProcessDied));
            past.deaths = 1;
        }),
        // Of another bill: nothing but the place in the journal.
        (resolved(), |past| {
            (past.open, past.own, past.unknown, past.prior, past.deaths) = (None, None, None, None, 0);
            past.was_there = false;
        }),
    ]
}

#[test]
fn calls_of_two_runs_answers_and_reads_add_up_fact_by_fact() {
    let parts = [
        calls_that_are_lost(),
        a_call_of_another_run(),
        a_refusal_and_reads(),
        a_success_elsewhere_and_a_call_after_it(),
    ];
    follow(parts.into_iter().flatten().collect());
}

#[test]
fn a_submit_that_was_answered_and_is_contradicted_is_open_again() {
    let (a, b) = (rev("A", 1), rev("B", 1));
    let contradicted = || Outcome::Unknown(unknown(UnknownWhy::Contradicted));
    follow(vec![
        (tried(2, Step::Submit, a.clone()), |past| {
            past.open = Some(call(2, Step::Submit, &rev("A", 1), 1));
            past.own.clone_from(&past.open);
            past.called = Some(rev("A", 1));
            past.submits = 1;
        }),
        (answered(2, Step::Submit, Verdict::Done), |past| {
            past.answered = past.open.take();
            past.own = None;
            past.submitted = true;
            assert_eq!(past.stepped_in(), Some((Step::Submit, &rev("A", 1), Ts(1))));
        }),
        // Not submitted yet, as this read shows it: nothing is adopted, and the answer still stands.
        (read(2, &a), |past| (past.read, past.was_there) = (Some(rev("A", 1)), true)),
        (settled(2, contradicted()), |past| {
            past.submitted = false;
            past.open = past.answered.take();
            past.own.clone_from(&past.open);
            past.unknown = Some(unknown(UnknownWhy::Contradicted));
            assert!(past.is_contradicted() && past.stepped_in().is_none());
        }),
        (read(2, &b), |past| past.read = Some(rev("B", 1))),
        (deferred(2, Slot::Unknown), |past| {
            past.lost = vec![Step::Submit];
            (past.open, past.own, past.unknown, past.auto_repeats) = (None, None, None, 1);
            past.adopted = Some(rev("B", 1));
        }),
    ]);
    let open = |r, step, read_as: &Rev| {
        fold(vec![tried(r, step, a.clone()), read(2, read_as), deferred(r, Slot::Unknown)]).adopted
    };
    assert_eq!(open(2, Step::Submit, &b), Some(b.clone()));
    assert_eq!([open(2, Step::Submit, &a), open(2, Step::Audit, &b), open(1, Step::Submit, &b)], [None, None, None]);
}

#[test]
fn a_success_of_another_run_that_is_contradicted_is_that_runs_open_call() {
    let b = rev("B", 1);
    let contradicted = || Outcome::Unknown(unknown(UnknownWhy::Contradicted));
    let told = [tried(1, Step::Audit, b.clone()), answered(1, Step::Audit, Verdict::Done), settled(1, contradicted())];
    let past = fold(told.to_vec());
    assert_eq!((past.open, past.own, past.answered), (Some(call(1, Step::Audit, &b, 1)), None, None));
    // A call that is open already is not replaced by the one before it.
    let again = [tried(1, Step::Audit, b.clone()), settled(1, contradicted())];
    assert_eq!(fold([&told[..], &again].concat()).open, Some(call(1, Step::Audit, &b, 4)));
}

#[test]
fn a_call_that_was_not_sent_is_no_attempt_of_the_run_that_made_it_alone() {
    let b = rev("B", 1);
    let unsent = |r, step| answered(r, step, Verdict::NotSent(String::new()));
    let counts = |events: Vec<Event>| {
        let past = fold(events);
        (past.submits, past.calls, past.next_attempt(Step::Submit), past.next_attempt(Step::Operate))
    };
    let own = |step| tried(2, step, b.clone());
    assert_eq!(counts(vec![own(Step::Submit), own(Step::Audit), own(Step::Operate)]), (1, 2, 2, 3));
    assert_eq!(counts(vec![own(Step::Submit), unsent(2, Step::Submit)]), (0, 0, 1, 1));
    assert_eq!(counts(vec![own(Step::Audit), tried(1, Step::Audit, b.clone()), unsent(1, Step::Audit)]), (0, 1, 1, 2));
    assert_eq!(counts(vec![unsent(2, Step::Audit)]), (0, 0, 1, 1));
}

#[test]
fn what_is_told_of_a_bill_closes_its_open_call_or_says_nothing_about_it() {
    let b = rev("B", 1);
    let skip = Outcome::Skipped;
    for (outcome, closes, forgets) in [
        (Outcome::Done { verified: false }, true, true),
        (already(), true, true),
        (Outcome::Failed(refusal()), true, false),
        (skip(Skip::Draft), true, false),
        (skip(Skip::Created), true, false),
        (skip(Skip::Reaudit), true, false),
        (skip(Skip::OtherStatus("D".into())), true, false),
        (skip(Skip::Changed), true, false),
        (skip(Skip::Gone), true, false),
        (skip(Skip::Quarantined), true, false),
        (skip(Skip::Differs), true, false),
        (skip(Skip::Partly), true, false),
        (skip(Skip::Held("held".into())), false, false),
        (skip(Skip::Excluded), false, false),
        (skip(Skip::NotReached), false, false),
        (skip(Skip::UnknownElsewhere), false, false),
        (Outcome::Unknown(unknown(UnknownWhy::TimedOut)), false, false),
    ] {
        for r in [1, 2] {
            let past = fold(vec![
                tried(1, Step::Audit, b.clone()),
                deferred(1, Slot::Unknown),
                tried(1, Step::Audit, b.clone()),
                settled(1, died()),
                settled(r, outcome.clone()),
            ]);
            assert_eq!((past.open.is_none(), past.unknown.is_none()), (closes, closes), "{outcome:?}");
            assert_eq!((past.auto_repeats, past.deaths), if forgets { (0, 0) } else { (1, 1) }, "{outcome:?}");
            assert_eq!(past.prior == Some(outcome.clone()), r == 1, "{outcome:?}");
            assert_eq!(past.is_anothers(), forgets && r == 1 && outcome != already(), "{outcome:?}");
        }
    }
}

fn already() -> Outcome {
    Outcome::Already { by: None, on: None }
}

#[test]
fn a_person_is_needed_for_an_open_call_alone() {
    let b = rev("B", 1);
    let told =
        |why: UnknownWhy| fold(vec![tried(1, Step::Audit, b.clone()), settled(1, Outcome::Unknown(unknown(why)))]);
    let says = |past: &BillHistory| (past.needs_operator(), past.is_contradicted());
    assert_eq!(says(&told(UnknownWhy::Many)), (true, false));
    assert_eq!(says(&told(UnknownWhy::Contradicted)), (false, true));
    assert_eq!(says(&told(UnknownWhy::TimedOut)), (false, false));
    for why in [UnknownWhy::Many, UnknownWhy::Contradicted] {
        assert_eq!(says(&BillHistory { open: None, ..told(why) }), (false, false));
    }
    assert_eq!(says(&BillHistory { unknown: None, ..told(UnknownWhy::Many) }), (false, false));
}

/// Refused because it had been done before: by nobody but us, where an earlier call of ours was lost.
#[test]
fn a_refusal_of_a_first_call_as_done_before_is_known_to_be_anothers_doing() {
    let says = |cause: &str, message: &str| {
        let cause = Cause::new(cause);
        Verdict::Rejected(Failure { cause, msg_code: None, field: None, message: message.into() })
    };
    let already = || says("already_audited", "单据已审核");
    let b = || rev("B", 1);
    let (audit, submit) = (Step::Audit, Step::Submit);
    let lost = |step| vec![tried(1, step, b()), settled(1, died())];
    let refused = |step, verdict| vec![tried(2, step, b()), answered(2, step, verdict)];
    for (facts, forestalled) in [
        (vec![refused(audit, already())], true),
        (vec![refused(Step::Operate, says("unclassified", "单据已经关闭！"))], true),
        (vec![refused(audit, says("stock", "库存不足"))], false),
        // Taken for a call of its own whatever became of the one before: a person's, or the one automatic repeat.
        (vec![lost(audit), refused(audit, already())], false),
        (vec![lost(audit), vec![deferred(1, Slot::Unknown)], refused(audit, already())], false),
        (vec![lost(audit), refused(audit, says("lock", "m")), refused(audit, already())], false),
        // A lost submit audits nothing.
        (vec![lost(submit), vec![deferred(1, Slot::Unknown)], refused(audit, already())], true),
        // Proven not sent, or refused and answered: neither can come late.
        (vec![refused(audit, Verdict::NotSent(String::new())), refused(audit, already())], true),
        (vec![refused(audit, says("lock", "m")), refused(audit, already())], true),
        // What came of the lost one was told, or decided by a person.
        (vec![lost(audit), vec![settled(1, Outcome::Already { by: None, on: None })], refused(audit, already())], true),
        // Told of the last call alone.
        (vec![refused(audit, already()), vec![tried(2, audit, b())]], false),
        (vec![refused(audit, already()), vec![settled(2, Outcome::Already { by: None, on: None })]], false),
    ] {
        assert_eq!(fold(facts.concat()).forestalled, forestalled, "{facts:?}");
    }
}
