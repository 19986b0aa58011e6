//! Each fact on a past of which everything is known: what it changes, and that it changes nothing else.

use super::*;
use skydeck_core::domain::step::Left;

/// A past of which everything is known, as run 2 sees it: a call of its own is open, one of before was answered as done.
fn full() -> BillHistory {
    BillHistory {
        last: Seq(9),
        open: Some(call(2, Step::Submit, &rev("A", 1), 5)),
        refused_call: Some(call(2, Step::Audit, &rev("B", 1), 3)),
        own: Some(call(2, Step::Submit, &rev("A", 1), 5)),
        since: Some(Told { at: Seq(4), run: run(1), outcome: died() }),
        others_call: false,
        unknown: Some(unknown(UnknownWhy::TimedOut)),
        auto_repeats: 4,
        lost: Vec::new(),
        forestalled: true,
        deaths: 2,
        prior: Some(died()),
        elsewhere: None,
        submits: 5,
        saves: 0,
        calls: 6,
        repeats: 7,
        submitted: true,
        saved: false,
        submitted_from: None,
        made: None,
        was_there: true,
        sighted: None,
        adopted: Some(rev("B", 7)),
        answered: Some(call(1, Step::Audit, &rev("B", 2), 2)),
        left: Some((run(2), Seq(8), Left::Boot(11))),
        called: Some(rev("A", 1)),
        read: Some(rev("B", 8)),
        refused: true,
    }
}

fn absent(r: u128) -> Event {
    Event::bill_read(run(r), Fid::from(1), None)
}

fn waits(r: u128, was: Slot, cause: &str) -> Event {
    let cause = Cause::new(cause);
    Event::BillDeferred { run: run(r), fid: Fid::from(1), no: "n".into(), until: Ts(0), cause, was, failure: None }
}

fn timed_out() -> Outcome {
    Outcome::Unknown(unknown(UnknownWhy::TimedOut))
}

fn nothing(_: &mut BillHistory) {}

/// What was known, a fact, and what is known after it.
type Case = (fn(&mut BillHistory), Event, fn(&mut BillHistory));

fn hold(cases: Vec<Case>) {
    for (known, event, change) in cases {
        let mut past = full();
        known(&mut past);
        let mut want = past.clone();
        want.last = Seq(10);
        change(&mut want);
        past.take(&Fact { seq: Seq(10), at: Ts(10), event: event.clone() }, run(2));
        assert_eq!(past, want, "after {event:?}");
    }
}

#[test]
fn a_call_makes_void_what_was_known_of_the_one_before() {
    hold(vec![
        (nothing, tried(2, Step::Audit, rev("B", 3)), |past| {
            past.auto_repeats = 0;
            past.called = Some(rev("B", 3));
            past.since = None;
            past.open = Some(call(2, Step::Audit, &rev("B", 3), 10));
            past.own.clone_from(&past.open);
            past.lost = vec![Step::Submit];
            past.refused_call = None;
            past.forestalled = false;
            past.answered = None;
            past.left = None;
            past.unknown = None;
            past.calls = 7;
        }),
        (nothing, tried(1, Step::Submit, rev("A", 1)), |past| {
            past.open = Some(call(1, Step::Submit, &rev("A", 1), 10));
            past.lost = vec![Step::Submit];
            past.refused_call = None;
            past.forestalled = false;
            past.answered = None;
            past.left = None;
            past.unknown = None;
        }),
        (
            |past| past.own = None,
            tried(1, Step::Submit, rev("A", 1)),
            |past| {
                past.since = None;
                past.open = Some(call(1, Step::Submit, &rev("A", 1), 10));
                past.lost = vec![Step::Submit];
                past.refused_call = None;
                past.forestalled = false;
                past.answered = None;
                past.left = None;
                past.unknown = None;
            },
        ),
    ]);
}

#[test]
fn an_answer_closes_the_call_of_the_run_that_made_it() {
    hold(vec![
        (
            |past| past.submitted = false,
            answered(2, Step::Submit, Verdict::Done),
            |past| {
                past.refused = false;
                past.own = None;
                past.answered = past.open.take();
                past.deaths = 0;
                past.submitted = true;
            },
        ),
        (
            |past| past.submitted = false,
            answered(2, Step::Audit, Verdict::Done),
            |past| {
                past.refused = false;
                past.own = None;
                past.answered = past.open.take();
                past.deaths = 0;
            },
        ),
        (
            |past| past.submitted = false,
            answered(1, Step::Submit, Verdict::Done),
            |past| {
                past.refused = false;
                past.answered = past.open.take();
                past.deaths = 0;
            },
        ),
        (
            |past| past.refused = false,
            answered(2, Step::Submit, Verdict::Rejected(refusal())),
            |past| {
                past.refused = true;
                past.own = None;
                past.refused_call = past.open.take();
                past.forestalled = false;
                past.deaths = 0;
            },
        ),
        (nothing, answered(2, Step::Submit, Verdict::Unknown(UnknownWhy::TimedOut, String::new())), |past| {
            past.refused = false;
            past.deaths = 0;
        }),
        (nothing, answered(2, Step::Submit, Verdict::NotSent(String::new())), |past| {
            past.refused = false;
            past.own = None;
            past.open = None;
            past.submits = 4;
        }),
        (nothing, answered(1, Step::Submit, Verdict::NotSent(String::new())), |past| {
            past.refused = false;
            past.open = None;
        }),
    ]);
}

#[test]
fn a_read_adopts_what_our_own_submit_led_to_and_only_that() {
    hold(vec![
        (nothing, read(2, &rev("B", 9)), |past| {
            past.refused_call = None;
            past.read = Some(rev("B", 9));
            past.adopted = Some(rev("B", 9));
            past.submitted = false;
        }),
        (nothing, read(2, &rev("C", 9)), |past| {
            past.refused_call = None;
            past.read = Some(rev("C", 9));
        }),
        (
            |past| past.submitted = false,
            read(2, &rev("B", 9)),
            |past| {
                past.refused_call = None;
                past.read = Some(rev("B", 9));
            },
        ),
        (nothing, absent(2), |past| {
            past.refused_call = None;
            past.read = None;
        }),
        (nothing, read(1, &rev("B", 9)), |past| past.refused_call = None),
    ]);
}

#[test]
fn what_is_put_off_is_a_repeat_of_what_it_was() {
    hold(vec![
        (nothing, deferred(2, Slot::Unknown), |past| {
            past.own = None;
            past.open = None;
            past.lost = vec![Step::Submit];
            past.adopted = Some(rev("B", 8));
            past.unknown = None;
            past.auto_repeats = 5;
            past.refused = false;
        }),
        (
            |past| past.read = None,
            deferred(2, Slot::Unknown),
            |past| {
                past.own = None;
                past.open = None;
                past.lost = vec![Step::Submit];
                past.unknown = None;
                past.auto_repeats = 5;
                past.refused = false;
            },
        ),
        (
            |past| past.open = None,
            deferred(2, Slot::Unknown),
            |past| {
                past.own = None;
                past.unknown = None;
                past.auto_repeats = 5;
                past.refused = false;
            },
        ),
        (nothing, deferred(1, Slot::Unknown), |past| {
            past.open = None;
            past.lost = vec![Step::Submit];
            past.unknown = None;
            past.auto_repeats = 5;
            past.refused = false;
        }),
        (nothing, waits(2, Slot::Waiting, "lock"), |past| {
            past.repeats = 8;
            past.refused = false;
        }),
        (nothing, waits(2, Slot::Waiting, known::SUBMITTED), |past| {
            past.adopted = Some(rev("B", 8));
            past.refused = false;
        }),
        (|past| past.refused = false, waits(2, Slot::Waiting, known::SUBMITTED), nothing),
        (|past| past.refused = false, waits(2, Slot::Waiting, "lock"), nothing),
        (nothing, waits(1, Slot::Waiting, known::SUBMITTED), |past| past.refused = false),
    ]);
}

#[test]
fn what_is_told_by_this_run_ends_its_own_call_and_what_another_tells_does_not() {
    hold(vec![
        (nothing, settled(2, Outcome::Failed(refusal())), |past| {
            past.own = None;
            past.open = None;
            past.unknown = None;
        }),
        (
            |past| past.lost = vec![Step::Audit],
            settled(2, Outcome::Failed(refusal())),
            |past| {
                past.own = None;
                past.open = None;
                past.lost.clear();
                past.unknown = None;
            },
        ),
        (nothing, settled(2, timed_out()), |past| past.unknown = Some(unknown(UnknownWhy::TimedOut))),
        (
            |past| past.open = None,
            settled(1, timed_out()),
            |past| {
                past.prior = Some(timed_out());
                past.since = Some(Told { at: Seq(10), run: run(1), outcome: timed_out() });
            },
        ),
        (
            |past| past.lost = vec![Step::Audit],
            resolved(),
            |past| {
                past.open = None;
                past.lost.clear();
                past.refused_call = None;
                past.forestalled = false;
                past.own = None;
                past.unknown = None;
                past.was_there = false;
                past.deaths = 0;
                past.prior = None;
            },
        ),
    ]);
}

#[test]
fn a_submit_that_was_answered_is_told_until_its_revision_is_known() {
    let submit = call(2, Step::Submit, &rev("A", 1), 5);
    let of = |answered: Option<OpenCall>, submitted| BillHistory { submitted, answered, ..full() };
    let (a, sent) = (rev("A", 1), Ts(5));
    assert_eq!(of(Some(submit.clone()), true).stepped_in(), Some((Step::Submit, &a, sent)));
    assert_eq!(of(Some(submit), false).stepped_in(), None);
    assert_eq!(full().stepped_in(), None, "an audit that was answered is no submit");
}

#[test]
fn an_earlier_call_of_a_step_may_have_taken_where_it_is_open_or_was_lost() {
    let of = |open: Option<Step>, lost: &[Step]| BillHistory {
        open: open.map(|step| call(2, step, &rev("A", 1), 5)),
        lost: lost.to_vec(),
        ..BillHistory::default()
    };
    for (past, submit, audit) in [
        (of(None, &[]), false, false),
        (of(Some(Step::Submit), &[]), true, false),
        (of(Some(Step::Audit), &[]), false, true),
        (of(None, &[Step::Submit]), true, false),
        (of(None, &[Step::Audit, Step::Submit]), true, true),
        (of(Some(Step::Audit), &[Step::Submit]), true, true),
    ] {
        assert_eq!((past.may_have_taken(Step::Submit), past.may_have_taken(Step::Audit)), (submit, audit), "{past:?}");
    }
}
