//! What an append promises: places without holes, contradictions refused, a batch stored once and only under its conditions.

use skydeck_core::domain::bill::{Skip, Slot, UnknownWhy};
use skydeck_core::domain::ids::Seq;
use skydeck_core::domain::step::Step;
use skydeck_store::{AppendError, Batch};

use crate::facts::{
    action, audited, begun, closed, deferred, executing, failed, found, key, opened, resolved, run_id, settled,
    skipped, tried, unknown,
};
use crate::{Bench, block};

pub(super) fn facts_are_stamped_without_holes_and_read_back_in_order(b: &Bench) {
    assert_eq!(b.append(begun(1, "p", &[5, 6])).unwrap(), [1, 2, 3, 4].map(Seq), "{}", b.name);
    assert_eq!(b.append(vec![action("start")]).unwrap(), [Seq(5)]);
    assert_eq!(b.append(vec![]).unwrap(), []);
    assert_eq!(block(b.store.last_seq()).unwrap(), Seq(5));
    let facts = block(b.store.facts_after(Seq(1), 3)).unwrap();
    assert_eq!(facts.iter().map(|f| f.seq.0).collect::<Vec<_>>(), [2, 3, 4]);
    assert_eq!(facts[0].event, found(1, &[5, 6]));
    assert!(block(b.store.facts_after(Seq(5), 10)).unwrap().is_empty());
    assert_eq!(block(b.store.facts_after(Seq(0), usize::MAX)).unwrap().len(), 5);
}

pub(super) fn contradictions_are_refused_and_leave_nothing(b: &Bench) {
    b.ok(begun(1, "p", &[1, 2]));
    b.refuses("a second opening", vec![opened(1, "p")]);
    b.refuses("a bill found twice", vec![found(1, &[2])]);
    b.refuses("a bill found twice in one event", vec![found(1, &[7, 7])]);
    b.refuses("a bill that was never found", vec![settled(1, 9, Slot::Waiting, audited())]);
    b.refuses("an intent for a bill never found", vec![tried(1, 9, Step::Audit, 1)]);
    b.refuses("a run never opened", vec![found(2, &[1])]);
    b.refuses("the wrong column", vec![settled(1, 1, Slot::Unknown, audited())]);
    b.refuses("closing with bills waiting", vec![closed(1)]);
    b.refuses("good facts before a bad one", vec![settled(1, 1, Slot::Waiting, audited()), closed(1)]);
    b.ok(vec![settled(1, 1, Slot::Waiting, audited())]);
    b.refuses("a second outcome", vec![settled(1, 1, Slot::Done, failed("stock"))]);
    b.refuses("a call for an audited bill", vec![tried(1, 1, Step::Audit, 2)]);
    b.refuses("an audited bill deferred", vec![deferred(1, 1, Slot::Done)]);
    b.ok(vec![settled(1, 2, Slot::Waiting, skipped(Skip::Draft)), closed(1)]);
    b.refuses("a change of a closed run", vec![found(1, &[3])]);
    b.refuses("a second closing", vec![closed(1)]);
    b.refuses("resolving a bill nobody knows", vec![resolved(77)]);
    let row = block(b.store.run(run_id(1))).unwrap().unwrap();
    assert!(row.state.is_closed() && row.closed.is_some());
    assert!(block(b.store.open_runs()).unwrap().is_empty());
}

pub(super) fn a_batch_is_taken_only_where_nothing_was_added_to_what_is_known_of_its_records(b: &Bench) {
    b.ok(begun(1, "p", &[1, 2]));
    let newest = |fid: u64| block(b.store.newest_of(&key(fid).record)).unwrap();
    let (one, two) = (newest(1), newest(2));
    assert_eq!((one, two, newest(9)), (Seq(2), Seq(2), Seq(0)), "{}", b.name);
    b.ok(vec![tried(1, 1, Step::Audit, 1)]);
    let known = vec![(key(1).record, one), (key(2).record, two), (key(9).record, Seq(0))];
    let intents = vec![tried(1, 2, Step::Audit, 1), tried(1, 1, Step::Audit, 2)];
    let moved = |batch: Batch| match block(b.store.append(batch)) {
        Err(AppendError::Moved(records)) => records,
        other => panic!("{}: {other:?}", b.name),
    };
    let refused = moved(Batch::new(intents).if_unmoved(known));
    assert_eq!(refused, [key(1).record], "{}: what went on is named, and nothing else", b.name);
    assert_eq!((block(b.store.last_seq()).unwrap(), newest(2)), (Seq(5), two), "{}: nothing is stored", b.name);
    // What rests on it is left out, and the rest goes.
    let rest = Batch::new(vec![tried(1, 2, Step::Audit, 1)]).if_unmoved(vec![(key(2).record, two)]);
    assert_eq!(block(b.store.append(rest.clone())).unwrap().facts[0].seq, Seq(6));
    // A fact of another run about it, and a person's, are facts about it.
    b.ok(begun(2, "q", &[2]));
    let at = newest(2);
    assert_eq!(at, Seq(8));
    b.ok(vec![settled(1, 2, Slot::Waiting, unknown(UnknownWhy::TimedOut))]);
    assert_eq!(moved(Batch::new(vec![tried(2, 2, Step::Audit, 1)]).if_unmoved(vec![(key(2).record, at)])).len(), 1);
    let at = newest(2);
    b.ok(vec![resolved(2)]);
    assert_eq!(moved(Batch::new(vec![tried(2, 2, Step::Audit, 1)]).if_unmoved(vec![(key(2).record, at)])).len(), 1);
    // Another operation's run says something about the record, too.
    let at = newest(2);
    b.ok(vec![executing(3, "c", "BillClose"), found(3, &[2])]);
    assert_eq!(moved(Batch::new(vec![tried(2, 2, Step::Audit, 1)]).if_unmoved(vec![(key(2).record, at)])).len(), 1);
}

pub(super) fn the_same_batch_twice_is_stored_once(b: &Bench) {
    b.ok(begun(1, "p", &[1]));
    let batch = Batch::new(vec![tried(1, 1, Step::Audit, 1), action("pause")]);
    let first = block(b.store.append(batch.clone())).unwrap().facts;
    b.ok(vec![action("resume")]);
    let again = block(b.store.append(batch.clone())).unwrap().facts;
    assert_eq!((first[..].to_vec(), block(b.store.last_seq()).unwrap()), (again[..].to_vec(), Seq(7)), "{}", b.name);
    // Its condition held when it was stored; that it holds no more changes nothing.
    let batch = batch.if_unmoved(vec![(key(1).record, Seq(0))]);
    assert_eq!(block(b.store.append(batch)).unwrap().facts.len(), 2, "{}", b.name);
    // The same events under another name are others.
    let other = Batch::new(vec![action("pause")]);
    assert_eq!(block(b.store.append(other)).unwrap().facts[0].seq, Seq(8), "{}", b.name);
    // One that was refused was not stored: it may come again.
    let refused = Batch::new(vec![settled(1, 1, Slot::Failed, audited())]);
    for _ in 0..2 {
        assert!(matches!(block(b.store.append(refused.clone())), Err(AppendError::Contradiction(_))), "{}", b.name);
    }
}

pub(super) fn the_same_batch_twice_at_the_same_time_is_stored_once(b: &Bench) {
    b.ok(begun(1, "p", &[1]));
    let batch = Batch::new(vec![tried(1, 1, Step::Audit, 1), action("pause")]);
    let both =
        block(async { futures_util::future::join(b.store.append(batch.clone()), b.store.append(batch.clone())).await });
    let (one, two) = (both.0.unwrap().facts, both.1.unwrap().facts);
    assert_eq!((&one, block(b.store.last_seq()).unwrap()), (&two, Seq(6)), "{}", b.name);
}

pub(super) fn a_condition_sees_what_is_stored_before_it_in_the_same_flush(b: &Bench) {
    b.ok(begun(1, "p", &[1]));
    let intent =
        |attempt| Batch::new(vec![tried(1, 1, Step::Audit, attempt)]).if_unmoved(vec![(key(1).record, Seq(2))]);
    let both = block(async { futures_util::future::join(b.store.append(intent(1)), b.store.append(intent(2))).await });
    let stored = [&both.0, &both.1].into_iter().filter(|answer| answer.is_ok()).count();
    assert_eq!(stored, 1, "{}: {both:?}", b.name);
    assert_eq!(block(b.store.last_seq()).unwrap(), Seq(5), "{}", b.name);
}
