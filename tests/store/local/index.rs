//! The index: a damaged or an old one is built anew, and none answers wrongly.

use super::{events, fill_at, in_memory, open, open_telling, place};
use crate::store_kit::*;
use skydeck::store::local::Progress;
use skydeck::store::{Store, StoreError, doctor};

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
    let upgrading = |p: &Progress| matches!(p, Progress::Upgrading { from: 0, to: 2, done, of } if done == of);
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
