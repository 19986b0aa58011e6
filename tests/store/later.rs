//! Facts of a newer program in the journal: shown up to there, passed over where they move nothing, written beside never.
use std::collections::BTreeMap;

use crate::store_kit::*;
use serde::Serialize;
use skydeck::domain::bill::Slot;
use skydeck::domain::event::{Event, Later};
use skydeck::domain::ids::{RunId, Seq};
use skydeck::domain::step::{Blob, Step, Verdict};
use skydeck::store::local::LocalStore;
use skydeck::store::{AppendError, Reads, Store, doctor};

#[derive(Serialize)]
struct Content {
    r: RunId,
    future: u32,
}

fn later(tag: &str, run: u64) -> Event {
    let raw = rmp_serde::to_vec_named(&BTreeMap::from([(tag, Content { r: run_id(run), future: 7 })])).unwrap();
    let neutral = tag.starts_with('~');
    Event::Later(Box::new(Later { tag: tag.into(), run: Some(run_id(run)), neutral, raw: Blob(raw) }))
}

fn work(run: u64, fid: u64) -> Vec<Event> {
    vec![
        tried(run, fid, Step::Audit, 1),
        answered(run, fid, Step::Audit, Verdict::Done),
        settled(run, fid, Slot::Waiting, audited()),
    ]
}

fn begun(run: u64, plan: &str) -> Vec<Event> {
    vec![opened(run, plan), found(run, &[1, 2]), collected(run), approved(run)]
}

#[test]
fn a_fact_that_moves_something_stops_its_run_and_all_writing() {
    let temp = tempfile::tempdir().unwrap();
    let dir = temp.path().join("data");
    let open = || LocalStore::open(&dir, TestClock::new(), "op", &|_| {}).unwrap();
    let store = open();
    for events in [begun(1, "odd"), work(1, 1), begun(2, "even")] {
        block(store.append(events.into())).unwrap();
    }
    // What follows of run 1 rests on what only the newer program understands.
    block(store.append(vec![later("zz", 1), found(1, &[3])].into())).unwrap();
    block(store.append(work(2, 2).into())).unwrap();
    let before = everything(&store);
    drop(store);
    for rebuilt in [false, true] {
        if rebuilt {
            std::fs::remove_dir_all(dir.join("sled")).unwrap();
        }
        let store = open();
        assert!(store.trouble().unwrap().contains("newer program (`zz`)"), "{:?}", store.trouble());
        let refused = block(store.append(vec![action("look")].into()));
        assert!(matches!(&refused, Err(AppendError::Write(why)) if why.contains("newer program")), "{refused:?}");
        assert_eq!(everything(&store), before);
        let (one, two) = (block(store.run(run_id(1))).unwrap().unwrap(), block(store.run(run_id(2))).unwrap().unwrap());
        assert_eq!((one.tally.found, one.tally.audited, one.tally.waiting), (2, 1, 1), "as it stood before that fact");
        assert_eq!((two.tally.audited, two.tally.waiting), (1, 1), "other runs are told whole");
        let facts = block(store.facts_after(Seq(0), 100)).unwrap();
        assert!(facts.iter().any(|fact| fact.event == later("zz", 1)), "with its bytes as they were");
        drop(store);
        assert!(doctor::check(&dir, TestClock::new().as_ref(), &|_| {}).unwrap().is_sound());
    }
}

#[test]
fn a_fact_that_moves_nothing_is_passed_over() {
    let temp = tempfile::tempdir().unwrap();
    let dir = temp.path().join("data");
    let open = || LocalStore::open(&dir, TestClock::new(), "op", &|_| {}).unwrap();
    let store = open();
    block(store.append(begun(1, "odd").into())).unwrap();
    block(store.append(vec![later("~zz", 1)].into())).unwrap();
    drop(store);
    let store = open();
    assert_eq!(store.trouble(), None);
    block(store.append(work(1, 1).into())).unwrap();
    assert_eq!(block(store.run(run_id(1))).unwrap().unwrap().tally.audited, 1);
}
