//! What is told of one bill: its revision, its status, and its life over all runs.

use skydeck_core::domain::bill::{Skip, Slot, Status, UnknownWhy};
use skydeck_core::domain::erp_status::{After, Ground};
use skydeck_core::domain::event::Event;
use skydeck_core::domain::ids::{Fid, Seq};
use skydeck_core::domain::step::{Step, Verdict};

use crate::facts::{
    answered, audited, begun, closed, deferred, found, found_bill, key, number, read, run_id, settled, skipped, tried,
    unknown,
};
use crate::{Bench, block};

pub(super) fn our_own_submit_moves_the_revision_and_nothing_else_does(b: &Bench) {
    b.ok(begun(1, "p", &[1, 2]));
    let modified = |fid: u64| {
        block(b.store.bill_of_run(run_id(1), &Fid::from(fid)))
            .unwrap()
            .unwrap()
            .rev
            .modified
            .unwrap()
            .as_str()
            .to_owned()
    };
    b.ok(vec![read(1, 1, Status::Submitted, "2025-11-09T09:00:00")]);
    assert_eq!(modified(1), "2025-11-02T10:20:30.123", "{}", b.name);
    b.ok(vec![tried(1, 1, Step::Submit, 1), answered(1, 1, Step::Submit, Verdict::Done)]);
    b.ok(vec![read(1, 1, Status::Submitted, "2025-11-09T09:30:00")]);
    assert_eq!(modified(1), "2025-11-09T09:30:00");
    b.ok(vec![read(1, 1, Status::Submitted, "2025-11-09T10:00:00")]);
    assert_eq!(modified(1), "2025-11-09T09:30:00", "a second read is somebody else's edit");
    assert_eq!(block(b.store.found(run_id(1), &Fid::from(1))).unwrap().unwrap(), found_bill(1));
}

pub(super) fn a_bill_is_found_by_number_and_tells_its_whole_life(b: &Bench) {
    b.ok(begun(1, "p", &[1, 2]));
    b.ok(vec![tried(1, 1, Step::Audit, 1)]);
    b.ok(vec![
        answered(1, 1, Step::Audit, Verdict::Unknown(UnknownWhy::Broken, String::new())),
        settled(1, 1, Slot::Waiting, unknown(UnknownWhy::Broken)),
    ]);
    b.ok(vec![settled(1, 2, Slot::Waiting, audited()), closed(1)]);
    b.ok(begun(2, "p", &[1]));
    b.ok(vec![settled(2, 1, Slot::Waiting, audited()), closed(2)]);
    let numbers = |text: &str, n| {
        block(b.store.find_number(text, n)).unwrap().iter().map(|r| (r.no.clone(), r.run)).collect::<Vec<_>>()
    };
    assert_eq!(numbers("xsckd00", 9), [(number(1), run_id(2)), (number(2), run_id(1))], "{}", b.name);
    assert_eq!(numbers("XSCKD000001", 9).len(), 1);
    assert_eq!(numbers("XSCKD", 1).len(), 1);
    assert!(numbers("nothing", 9).is_empty());
    let (facts, cut) = block(b.store.facts_of(&key(1), 100)).unwrap();
    assert!(!cut);
    assert_eq!(facts.iter().map(|f| f.seq.0).collect::<Vec<_>>(), [2, 5, 6, 7, 11, 14]);
    assert_eq!(facts[0].event, found(1, &[1]), "only this bill of those found together");
    assert!(matches!(&facts[2].event, Event::StepAnswered { evidence: Some(e), .. } if e.response.is_some()));
    let (facts, cut) = block(b.store.facts_of(&key(1), 2)).unwrap();
    assert!(cut);
    assert_eq!(facts.iter().map(|f| f.seq.0).collect::<Vec<_>>(), [11, 14]);
    assert_eq!(block(b.store.facts_of(&key(99), 2)).unwrap(), (vec![], false));
}

pub(super) fn a_bill_with_very_many_facts_keeps_them_all(b: &Bench) {
    b.ok(begun(1, "p", &[1]));
    for i in 0..300_u32 {
        b.ok(vec![read(1, 1, Status::Submitted, &format!("2025-11-09T09:{:02}:{:02}", i / 60, i % 60))]);
    }
    let (facts, cut) = block(b.store.facts_of(&key(1), 1000)).unwrap();
    assert_eq!((facts.len(), cut), (301, false), "{}", b.name);
    assert!(facts.windows(2).all(|w| w[0].seq < w[1].seq));
    let (facts, cut) = block(b.store.facts_of(&key(1), 10)).unwrap();
    assert_eq!((facts.len(), cut, facts[9].seq), (10, true, Seq(304)));
}

/// What the ERP said of a bill's status is kept from the last call on: a read before a call is void when the call leaves.
pub(super) fn a_call_that_leaves_makes_void_what_was_read_of_the_status_before(b: &Bench) {
    b.ok(begun(1, "p", &[1, 2, 3]));
    let stands = |fid: u64| {
        let row = block(b.store.bill(&key(fid))).unwrap().unwrap();
        let after = After::of(&row);
        (after.code().to_owned(), after.ground)
    };
    // Submitted by us and read back, then audited: what is known is the answer to the audit.
    b.ok(vec![tried(1, 1, Step::Submit, 1), answered(1, 1, Step::Submit, Verdict::Done)]);
    assert_eq!(stands(1).1, Ground::Open, "{}: the bill's next step is open", b.name);
    b.ok(vec![read(1, 1, Status::Submitted, "2025-11-20"), deferred(1, 1, Slot::Waiting)]);
    assert_eq!(stands(1), ("B".to_owned(), Ground::Read), "{}", b.name);
    b.ok(vec![tried(1, 1, Step::Audit, 1)]);
    assert_eq!(stands(1), (String::new(), Ground::Open), "{}", b.name);
    b.ok(vec![answered(1, 1, Step::Audit, Verdict::Done), settled(1, 1, Slot::Waiting, audited())]);
    assert_eq!(stands(1), ("C".to_owned(), Ground::Answer), "{}", b.name);
    // Read as taken back, and left alone.
    b.ok(vec![read(1, 2, Status::Reaudit, "2025-11-20"), settled(1, 2, Slot::Waiting, skipped(Skip::Changed))]);
    assert_eq!(stands(2), ("D".to_owned(), Ground::Read), "{}", b.name);
    // A call without an answer, and then a read that finds it changed.
    b.ok(vec![tried(1, 3, Step::Audit, 1), settled(1, 3, Slot::Waiting, unknown(UnknownWhy::TimedOut))]);
    assert_eq!(stands(3), (String::new(), Ground::Open), "{}", b.name);
    b.ok(vec![
        read(1, 3, Status::Reaudit, "2025-11-21"),
        settled(1, 3, Slot::Unknown, unknown(UnknownWhy::ChangedSince(Status::Reaudit))),
    ]);
    assert_eq!(stands(3), ("D".to_owned(), Ground::Read), "{}", b.name);
}
