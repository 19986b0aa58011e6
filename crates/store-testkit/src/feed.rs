//! What a reader follows a store by that others write to: a snapshot of one place, and the facts from there on.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use skydeck_core::domain::bill::{Slot, UnknownWhy};
use skydeck_core::domain::event::Fact;
use skydeck_core::domain::ids::{RunId, Seq};
use skydeck_core::domain::live::Live;
use skydeck_core::domain::run::RunRow;
use skydeck_store::{Snapshot, Store};

use crate::facts::{action, audited, begun, closed, deferred, failed, history, settled, unknown};
use crate::{Bench, block};

/// Runs asked for beside the open ones; a fold of facts keeps as many closed ones.
const NEWEST: u32 = 8;

/// That a run's operation is not known is said of runs of earlier programs alone, and by the store alone.
fn snapshot(store: &dyn Store) -> Snapshot {
    let mut snapshot = block(store.snapshot(NEWEST)).unwrap();
    snapshot.runs.iter_mut().for_each(|row| row.op_unknown = false);
    snapshot
}

/// Facts after a place, asked for a few at a time: each has the place after the one before it.
fn facts_from(store: &dyn Store, after: Seq) -> Vec<Fact> {
    let mut facts: Vec<Fact> = Vec::new();
    loop {
        let next = block(store.facts_after(Seq(after.0 + facts.len() as u64), 7)).unwrap();
        for fact in &next {
            assert_eq!(fact.seq.0, after.0 + facts.len() as u64 + 1, "a place is left out, or comes twice");
            facts.push(fact.clone());
        }
        if next.is_empty() {
            return facts;
        }
    }
}

fn folded(live: Live, facts: &[Fact]) -> BTreeMap<RunId, RunRow> {
    let live = facts.iter().fold(live, |mut live, fact| {
        live.apply(fact);
        live
    });
    assert_eq!(live.faults, [""; 0]);
    live.runs.into_iter().map(|(run, live)| (run, live.row)).collect()
}

/// Compares a snapshot with what the facts up to its place come to.
fn is_of_its_place(name: &str, snapshot: &Snapshot, facts: &[Fact]) {
    let until = facts.iter().filter(|fact| fact.seq <= snapshot.at).cloned().collect::<Vec<_>>();
    assert_eq!(until.len() as u64, snapshot.at.0, "{name}: a place that has no fact");
    let folded = folded(Live::default(), &until);
    for row in &snapshot.runs {
        assert_eq!(Some(row), folded.get(&row.head.id), "{name}: at {}", snapshot.at);
    }
    let newest = folded.keys().rev().take(NEWEST as usize);
    let open = folded.values().filter(|row| !row.state.is_closed()).map(|row| &row.head.id);
    let there = |run: &RunId| snapshot.runs.iter().any(|row| row.head.id == *run);
    assert!(newest.chain(open).all(there), "{name}: a run is missing at {}", snapshot.at);
}

pub(super) fn a_snapshot_is_what_folding_the_facts_up_to_its_place_gives(b: &Bench) {
    let empty = snapshot(&*b.store);
    assert_eq!((empty.at, empty.runs.len()), (Seq(0), 0), "{}", b.name);
    // The last run of the history stays open, and others come behind it until it is none of the newest.
    let others =
        (11..=20).flat_map(|n| [begun(n, "p", &[n]), vec![settled(n, n, Slot::Waiting, audited()), closed(n)]]);
    for events in history().into_iter().chain(others) {
        b.ok(events);
        let now = snapshot(&*b.store);
        assert_eq!(now.at, block(b.store.last_seq()).unwrap(), "{}", b.name);
        is_of_its_place(b.name, &now, &facts_from(&*b.store, Seq(0)));
    }
}

pub(super) fn the_facts_after_a_snapshot_bring_it_to_the_present(b: &Bench) {
    b.ok(begun(1, "p", &[1, 2, 3]));
    b.ok(vec![settled(1, 1, Slot::Waiting, unknown(UnknownWhy::TimedOut))]);
    let then = snapshot(&*b.store);
    assert!(facts_from(&*b.store, then.at).is_empty(), "{}: nothing was added", b.name);
    b.ok(vec![deferred(1, 1, Slot::Unknown), settled(1, 2, Slot::Waiting, failed("stock"))]);
    b.ok(begun(2, "q", &(10..=30).collect::<Vec<_>>()));
    b.ok(vec![settled(1, 3, Slot::Waiting, audited()), action("look")]);
    let facts = facts_from(&*b.store, then.at);
    let now = snapshot(&*b.store);
    assert_eq!(facts.last().map(|fact| fact.seq), Some(now.at), "{}", b.name);
    let rows: BTreeMap<RunId, RunRow> = now.runs.iter().map(|row| (row.head.id, row.clone())).collect();
    assert_eq!(folded(then.live(), &facts), rows, "{}", b.name);
}

pub(super) fn a_snapshot_is_of_one_place_while_facts_are_added(b: &Bench) {
    let fids: Vec<u64> = (1..=100).collect();
    // Two runs change together, so that rows of two moments would not fit.
    for n in 1..=4 {
        b.ok(begun(n, &format!("p{n}"), &fids));
    }
    let (store, done) = (Arc::clone(&b.store), Arc::new(AtomicBool::new(false)));
    let adds = std::thread::spawn({
        let done = Arc::clone(&done);
        move || {
            for fid in fids {
                let events = (1..=4).map(|n| settled(n, fid, Slot::Waiting, audited())).collect::<Vec<_>>();
                block(store.append(events.into())).unwrap();
            }
            done.store(true, Ordering::SeqCst);
        }
    });
    let mut taken = vec![snapshot(&*b.store)];
    while !done.load(Ordering::SeqCst) {
        taken.push(snapshot(&*b.store));
    }
    adds.join().unwrap();
    let facts = facts_from(&*b.store, Seq(0));
    for snapshot in &taken {
        is_of_its_place(b.name, snapshot, &facts);
    }
    assert!(taken.is_sorted_by_key(|snapshot| snapshot.at), "{}: it went back", b.name);
}
