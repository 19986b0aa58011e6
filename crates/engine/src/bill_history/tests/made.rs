//! What a record was made of: known by the answer to our call, or by a look after the answer was lost.

use super::*;

fn made() -> Made {
    Made { id: Fid::from(300_112), no: "AR00000012".to_owned(), form: FormId::new("AR_receivable") }
}

/// A look of a run, which shows what was made, or something that is not what would be made.
fn shown(r: u128, made: Option<Made>) -> Event {
    let fields = Vec::new();
    Event::BillRead {
        run: run(r),
        fid: Fid::from(1),
        rev: Some(rev("A", 3)),
        approver: None,
        fields,
        made: made.map(Box::new),
    }
}

#[test]
fn what_a_lost_call_made_is_ours_once_a_look_shows_it_and_was_there_from_then_on() {
    let absent = Event::bill_read(run(2), Fid::from(1), None);
    for step in [Step::Save, Step::Push] {
        let lost = vec![tried(2, step, rev("", 1)), settled(2, died()), shown(2, Some(made()))];
        let goes_on = [lost.clone(), vec![deferred(2, Slot::Unknown), absent.clone()]].concat();
        let is_done = [lost, vec![settled(2, Outcome::Done { verified: true }), absent.clone()]].concat();
        for facts in [goes_on, is_done] {
            let past = fold(facts.clone());
            assert_eq!((past.made, past.was_there), (Some(made()), true), "{facts:?}");
        }
    }
}

#[test]
fn what_somebody_else_made_was_there_and_is_not_ours() {
    let already = settled(1, Outcome::Already { by: None, on: None });
    let past = fold(vec![shown(1, Some(made())), already]);
    assert_eq!((past.made, past.was_there), (None, true));
    let many = Unknown { why: UnknownWhy::Many, sent: Ts(1), detail: String::new() };
    assert!(fold(vec![shown(1, None), settled(1, Outcome::Unknown(many))]).was_there);
}

#[test]
fn what_holds_something_else_is_not_what_is_to_be_made_and_a_person_may_have_it_made_anew() {
    for why in [Skip::Differs, Skip::Partly] {
        assert!(!fold(vec![shown(1, None), settled(1, Outcome::Skipped(why))]).was_there);
    }
    let past = fold(vec![shown(1, Some(made())), resolved()]);
    assert_eq!((past.made, past.was_there), (None, false));
}
