//! The index: a damaged or an old one is built anew, and none answers wrongly.

use super::{events, fill_at, in_memory, open, open_telling, place};
use crate::store_kit::*;
use skydeck::store::local::Progress;
use skydeck::store::{Reads, Store, StoreError, doctor};

#[test]
fn a_damaged_index_is_put_aside_and_rebuilt() {
    let p = place();
    fill_at(&p.dir);
    let before = everything(&open(&p.dir).unwrap());
    // The whole log of sled is nonsense.
    let db = p.dir.join("sled/db");
    let len = std::fs::metadata(&db).unwrap().len() as usize;
    std::fs::write(&db, vec![0xa5; len]).unwrap();
    std::fs::write(p.dir.join("sled/conf"), b"nonsense").unwrap();
    let (store, told) = open_telling(&p.dir);
    let store = store.unwrap();
    assert!(told.iter().any(|p| matches!(p, Progress::IndexDamaged { kept, .. } if kept.exists())), "{told:?}");
    assert!(told.iter().any(|p| matches!(p, Progress::Folding { done, of } if done == of && *of > 0)), "{told:?}");
    assert_eq!(everything(&store), before);
    drop(store);
    let report = doctor::check(&p.dir, TestClock::new().as_ref(), &|_| {}).unwrap();
    assert!(report.is_sound() && report.kept.len() == 1, "{report:?}");
}

#[test]
fn hours_that_an_earlier_program_did_not_count_are_counted_and_the_index_is_kept() {
    use skydeck::store::index::kv::{Batch, Kv, Walk};
    use skydeck::store::local::SledKv;
    let p = place();
    let kv = || SledKv::open(&p.dir.join("sled")).unwrap();
    let hours = |kv: &SledKv| -> Batch {
        let entries = Walk::prefix(kv, b"h".to_vec(), false).chain(Walk::prefix(kv, b"Mhours".to_vec(), false));
        entries.map(|entry| entry.map(|(key, value)| (key, Some(value))).unwrap()).collect()
    };
    let (mut all, store) = (history(), open(&p.dir).unwrap());
    let rest = all.split_off(all.len() / 2);
    for events in all {
        block(store.append(events.into())).unwrap();
    }
    drop(store);
    let half = hours(&kv());
    let store = open(&p.dir).unwrap();
    for events in rest {
        block(store.append(events.into())).unwrap();
    }
    let before = everything(&store);
    drop(store);
    let other_form: Batch = [(b"Mhours".to_vec(), Some([vec![0, 0, 0, 9], vec![0xff; 8]].concat()))].into();
    // None of them; those of an earlier program's facts missing; of another form, whatever that may hold.
    for (left, name) in [(Batch::new(), "none"), (half, "behind"), (other_form, "other")] {
        let index = kv();
        let mut changes: Batch = hours(&index).into_keys().map(|key| (key, None)).collect();
        assert!(changes.len() > 2, "{name}");
        changes.extend(left);
        index.apply(changes).unwrap();
        index.sync().unwrap();
        drop(index);
        let report = doctor::check(&p.dir, TestClock::new().as_ref(), &|_| {}).unwrap();
        assert!(report.is_sound(), "{name}: {report:?}");
        let (store, told) = open_telling(&p.dir);
        assert!(told.iter().any(|p| matches!(p, Progress::Folding { done, of } if done == of && *of > 0)), "{told:?}");
        let anew = |p: &Progress| matches!(p, Progress::IndexDamaged { .. } | Progress::Upgrading { .. });
        assert!(!told.iter().any(anew), "{name}: {told:?}");
        assert_eq!(everything(&store.unwrap()), before, "{name}");
        let report = doctor::check(&p.dir, TestClock::new().as_ref(), &|_| {}).unwrap();
        assert!(report.is_sound(), "{name}: {report:?}");
        assert!(!open_telling(&p.dir).1.iter().any(|p| matches!(p, Progress::Folding { .. })), "{name}: counted once");
    }
}

#[test]
fn an_index_of_the_earliest_layout_is_upgraded() {
    let p = place();
    fill_at(&p.dir);
    let before = everything(&open(&p.dir).unwrap());
    // Entries by themselves, as before there were blocks.
    std::fs::remove_dir_all(p.dir.join("sled")).unwrap();
    let db = sled::open(p.dir.join("sled")).unwrap();
    db.insert(b"Mapplied", &9_u64.to_be_bytes()).unwrap();
    db.flush().unwrap();
    drop(db);
    let report = doctor::check(&p.dir, TestClock::new().as_ref(), &|_| {}).unwrap();
    assert!(report.is_sound() && report.index.layout == Some(0), "{report:?}");
    let (store, told) = open_telling(&p.dir);
    let upgrading = |p: &Progress| matches!(p, Progress::Upgrading { from: 0, to: 5, done, of } if done == of);
    assert!(told.iter().any(upgrading), "{told:?}");
    assert!(!told.iter().any(|p| matches!(p, Progress::IndexDamaged { .. })), "{told:?}");
    assert_eq!(everything(&store.unwrap()), before);
}

#[test]
fn an_index_flipped_anywhere_never_answers_wrongly_after_opening_unless_doctor_says_so() {
    let p = place();
    fill_at(&p.dir);
    let before = everything(&open(&p.dir).unwrap());
    let copy = p.dir.with_extension("copy");
    let mut random = fastrand::Rng::with_seed(7);
    let (mut right, mut found_by_doctor) = (0, 0);
    for case in 0..24 {
        let _ = std::fs::remove_dir_all(&copy);
        copy_dir(&p.dir, &copy);
        let db = copy.join("sled/db");
        let mut bytes = std::fs::read(&db).unwrap();
        let used = bytes.iter().rposition(|b| *b != 0).unwrap();
        match case % 3 {
            0 => {
                let at = random.usize(..used);
                bytes[at] ^= 1 << random.u8(..8);
            }
            1 => bytes.truncate(random.usize(..used)),
            _ => {
                let at = random.usize(..used) & !511;
                let end = (at + 512).min(bytes.len());
                bytes[at..end].fill(0);
            }
        }
        std::fs::write(&db, &bytes).unwrap();
        let store = match open(&copy) {
            Ok(store) => store,
            Err(e) => panic!("case {case}: {e}"),
        };
        let same =
            std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| everything(&store) == before)).unwrap_or(false);
        drop(store);
        if same {
            right += 1;
        } else {
            let report = doctor::check(&copy, TestClock::new().as_ref(), &|_| {}).unwrap();
            assert!(!report.is_sound(), "case {case}: wrong, and doctor sees nothing");
            doctor::rebuild(&copy, TestClock::new().as_ref(), &|_| {}).unwrap();
            assert_eq!(everything(&open(&copy).unwrap()), before);
            found_by_doctor += 1;
        }
    }
    println!("{right} right after opening, {found_by_doctor} found by doctor");
    assert!(right >= 12);
}

#[test]
fn doctor_checks_rebuilds_compacts_and_exports() {
    let p = place();
    let clock = TestClock::new();
    assert!(matches!(doctor::check(&p.dir, clock.as_ref(), &|_| {}), Err(StoreError::Directory(_))));
    fill_at(&p.dir);
    let before = everything(&open(&p.dir).unwrap());
    let report = doctor::check(&p.dir, clock.as_ref(), &|_| {}).unwrap();
    let memory = in_memory();
    assert!(report.is_sound(), "{report:?}");
    assert_eq!((report.runs, report.open_runs, report.bills), (5, 1, 30));
    assert_eq!(report.unresolved, block(memory.unresolved(None)).unwrap());
    assert!(report.ballast && report.unknown > 0 && report.free > 0 && report.index.entries > 100);
    assert_eq!(report.journal.facts, block(memory.last_seq()).unwrap().0);
    let bytes = std::fs::read(p.dir.join("journal/00000001.log")).unwrap();
    assert_eq!(doctor::rebuild(&p.dir, clock.as_ref(), &|_| {}).unwrap(), block(memory.last_seq()).unwrap().0);
    assert_eq!(everything(&open(&p.dir).unwrap()), before);
    doctor::compact(&p.dir, clock.as_ref()).unwrap();
    assert_eq!(everything(&open(&p.dir).unwrap()), before);
    let mut out = Vec::new();
    doctor::export(&p.dir, &mut out).unwrap();
    let lines: Vec<skydeck::domain::event::Fact> =
        String::from_utf8(out).unwrap().lines().map(|l| serde_json::from_str(l).unwrap()).collect();
    assert_eq!(lines.into_iter().map(|f| f.event).collect::<Vec<_>>(), events(&memory));
    assert_eq!(std::fs::read(p.dir.join("journal/00000001.log")).unwrap(), bytes, "the journal was not touched");
}
