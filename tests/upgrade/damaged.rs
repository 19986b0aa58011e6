//! A damaged or missing index is no hindrance; a damaged journal is not raised.

use std::sync::Arc;

use crate::directory::{
    answers, assert_as_left, assert_tidy, facts, layout, raised, raised_plainly, telling, undisturbed, upgrade,
};
use crate::earlier::{Earlier, set_back, version};
use crate::store_kit::*;
use skydeck::store::index::kv::Kv;
use skydeck::store::index::{UNNUMBERED, layout_key};
use skydeck::store::local::disk::RealDisk;
use skydeck::store::local::{Progress, Raise, SledKv};
use skydeck::store::{StoreError, doctor};

#[test]
fn an_index_of_another_layout_is_built_anew_in_a_directory_of_this_version_too() {
    let earlier = Earlier::made();
    let expected = undisturbed(&earlier);
    drop(raised_plainly(&earlier.dir));
    for layout in [UNNUMBERED, 77] {
        set_back(&earlier.dir);
        std::fs::write(earlier.dir.join("version"), "skydeck store 2\n").unwrap();
        if layout != UNNUMBERED {
            let index = SledKv::open(&earlier.dir.join("sled")).unwrap();
            index.apply([(layout_key(), Some(u64::from(layout).to_be_bytes().to_vec()))].into()).unwrap();
            index.sync().unwrap();
        }
        let report = doctor::check(&earlier.dir, &*TestClock::new(), &|_| {}).unwrap();
        assert_eq!((report.is_sound(), report.index.layout), (true, Some(layout)), "{report:?}");
        let (store, told) = telling(&earlier.dir, &Raise::Never);
        assert_eq!(answers(store.unwrap()), expected);
        assert!(told.iter().any(|p| matches!(p, Progress::Upgrading { from, .. } if *from == layout)), "{told:?}");
        assert_tidy(&earlier, 0, "a layout alone needs no backup");
    }
}

#[test]
fn a_damaged_index_and_a_missing_one_are_no_hindrance_and_the_damaged_one_is_kept() {
    for is_there in [true, false] {
        let earlier = Earlier::made();
        let expected = undisturbed(&earlier);
        let before = facts(&earlier.dir);
        if is_there {
            let db = earlier.dir.join("sled/db");
            let len = std::fs::metadata(&db).unwrap().len() as usize;
            std::fs::write(&db, vec![0xa5; len]).unwrap();
            std::fs::write(earlier.dir.join("sled/conf"), b"nonsense").unwrap();
        } else {
            std::fs::remove_dir_all(earlier.dir.join("sled")).unwrap();
        }
        for point in ["upgrade_folding", "upgrade_folded", "upgrade_marked"] {
            let died = upgrade(&earlier.dir, Some(point), &["--no-backup"]);
            assert_eq!(died.status.code(), None, "{point}");
            assert!(!earlier.dir.join("sled").exists(), "{point}: nothing half built under its name");
            assert_as_left(&earlier.dir, &before, point);
        }
        assert_eq!(answers(raised(&earlier.dir, &Raise::Never, Arc::new(RealDisk)).unwrap()), expected);
        let kept = doctor::check(&earlier.dir, &*TestClock::new(), &|_| {}).unwrap().kept;
        assert_eq!(kept.len(), usize::from(is_there), "{kept:?}");
    }
}

#[test]
fn a_damaged_journal_is_not_raised_and_says_so() {
    let earlier = Earlier::made();
    let segment = earlier.dir.join("journal/00000001.seal");
    let segment = if segment.exists() { segment } else { earlier.dir.join("journal/00000001.log") };
    let mut bytes = std::fs::read(&segment).unwrap();
    let at = bytes.len() / 2;
    bytes[at] ^= 1;
    std::fs::write(&segment, &bytes).unwrap();
    for raise in [Raise::Backup(None), Raise::Plain] {
        let refused = raised(&earlier.dir, &raise, Arc::new(RealDisk)).err().unwrap();
        assert!(matches!(&refused, StoreError::Damaged(what) if what.contains("00000001")), "{refused}");
        assert_eq!(version(&earlier.dir), "skydeck store 1\n");
        assert_eq!(layout(&earlier.dir), None);
        assert!(earlier.beside().is_empty(), "a copy that is damaged is no backup");
    }
}
