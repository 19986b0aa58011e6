//! A process that dies at any place of an upgrade is gone on from, and what an earlier attempt left is of use or goes.

use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::sync::Arc;

use crate::directory::{
    answers, assert_as_left, assert_tidy, facts, has_index, layout, raised, raised_plainly, telling, undisturbed,
    upgrade,
};
use crate::earlier::{Earlier, set_back, version};
use crate::store_kit::*;
use skydeck::store::index::{LAYOUT, UNNUMBERED};
use skydeck::store::local::disk::RealDisk;
use skydeck::store::local::{LocalStore, Progress, Raise};
use skydeck::store::{Store, backup, doctor, fault};

#[test]
fn a_directory_is_raised_once_after_a_backup_and_its_facts_and_answers_stay() {
    for earlier in Earlier::all() {
        let at = &earlier.name;
        let (before, expected) = (facts(&earlier.dir), undisturbed(&earlier));
        let has_index = has_index(&earlier.dir);
        let (store, told) = telling(&earlier.dir, &Raise::Backup(None));
        assert_eq!(answers(store.unwrap()), expected, "{at}");
        assert_eq!(version(&earlier.dir), "skydeck store 2\n", "{at}");
        assert_eq!(layout(&earlier.dir), Some(u64::from(LAYOUT)), "{at}");
        assert_tidy(&earlier, 1, at);
        assert_eq!(facts(&earlier.dir), before, "{at}");
        let kept = earlier.beside().remove(0);
        assert!(kept.display().to_string().contains("data.backup-0.1.0-"), "{at}: {}", kept.display());
        let raised = |p: &Progress| matches!(p, Progress::Raised { from: 1, to: 2, backup: Some(at) } if *at == kept);
        assert!(told.iter().any(raised), "{at}: {told:?}");
        let (from, to) = (UNNUMBERED, LAYOUT);
        let upgrading =
            |p: &Progress| matches!(p, Progress::Upgrading { from: f, to: t, .. } if (*f, *t) == (from, to));
        assert_eq!(told.iter().any(upgrading), has_index, "{at}: {told:?}");
        assert!(!told.iter().any(|p| matches!(p, Progress::IndexDamaged { .. })), "{at}: an upgrade is no damage");

        // Once: the next opening says nothing of it.
        let (store, told) = telling(&earlier.dir, &Raise::Never);
        assert_eq!(answers(store.unwrap()), expected, "{at}");
        assert_eq!(told, [Progress::OpeningIndex, Progress::ReadingJournal, Progress::Ready], "{at}");
        assert!(doctor::check(&earlier.dir, &*TestClock::new(), &|_| {}).unwrap().is_sound(), "{at}");

        // The backup is of version 1, and is raised when it is opened again.
        let again = earlier.temp.path().join("again");
        backup::restore(&kept, &again, false, &|_| {}).unwrap();
        assert_eq!(version(&again), "skydeck store 1\n", "{at}");
        assert_eq!(facts(&again), before, "{at}");
        assert_eq!(answers(raised_plainly(&again)), expected, "{at}");
    }
}

#[test]
fn a_death_at_every_point_is_gone_on_from() {
    for earlier in Earlier::all() {
        let (before, expected) = (facts(&earlier.dir), undisturbed(&earlier));
        for point in fault::UPGRADE.into_iter().filter(|point| *point != "upgrade_made_room") {
            for passing in if point == "upgrade_copying" { 1..=2 } else { 1..=1 } {
                let copy = earlier.copy();
                let fault = format!("{point}:{passing}");
                let at = format!("{} {fault}", earlier.name);
                let died = upgrade(&copy.dir, Some(&fault), &[]);
                // A directory without an index, or without a fact, does not pass every point; the one made here does.
                if died.status.code() == Some(0) && (passing > 1 || earlier.name != "made") {
                    continue;
                }
                assert_eq!(died.status.signal(), Some(6), "{at}: {}", String::from_utf8_lossy(&died.stderr));
                assert_as_left(&copy.dir, &before, &at);
                let is_marked = ["upgrade_marked", "upgrade_swapped", "upgrade_done"].contains(&point);
                assert_eq!(version(&copy.dir) == "skydeck store 2\n", is_marked, "{at}");
                let gone_on = upgrade(&copy.dir, None, &[]);
                assert!(gone_on.status.success(), "{at}: {}", String::from_utf8_lossy(&gone_on.stderr));
                assert_tidy(&copy, 1, &at);
                assert_eq!(facts(&copy.dir), before, "{at}");
                assert_eq!(answers(raised(&copy.dir, &Raise::Never, Arc::new(RealDisk)).unwrap()), expected, "{at}");
                assert!(doctor::check(&copy.dir, &*TestClock::new(), &|_| {}).unwrap().is_sound(), "{at}");
            }
        }
    }
}

#[test]
fn many_deaths_in_one_upgrade_leave_one_backup_and_the_same_answers() {
    let earlier = Earlier::made();
    let (before, expected) = (facts(&earlier.dir), undisturbed(&earlier));
    for point in ["upgrade_copying", "upgrade_copied", "upgrade_folding", "upgrade_folded", "upgrade_marking"] {
        let died = upgrade(&earlier.dir, Some(point), &[]);
        assert_eq!(died.status.code(), None, "{point}: {}", String::from_utf8_lossy(&died.stderr));
        assert_as_left(&earlier.dir, &before, point);
        assert_eq!(version(&earlier.dir), "skydeck store 1\n", "{point}");
    }
    assert_eq!(answers(raised(&earlier.dir, &Raise::Backup(None), Arc::new(RealDisk)).unwrap()), expected);
    assert_tidy(&earlier, 1, "after five deaths");
}

#[test]
fn what_an_earlier_attempt_left_is_of_use_or_goes() {
    let earlier = Earlier::made();
    let expected = undisturbed(&earlier);
    let half = earlier.dir.join("sled.upgrade");
    let open = |dir: &Path| answers(raised(dir, &Raise::Plain, Arc::new(RealDisk)).unwrap());
    // Nonsense, an index of another layout, one that is ahead of the journal, and one of another history.
    for case in 0..4 {
        let copy = earlier.copy();
        let left = copy.dir.join("sled.upgrade");
        match case {
            0 => {
                copy_dir(&copy.dir.join("sled"), &left);
                let db = left.join("db");
                let len = std::fs::metadata(&db).unwrap().len() as usize;
                std::fs::write(db, vec![0xa5; len]).unwrap();
                std::fs::write(left.join("conf"), "nonsense").unwrap();
            }
            1 => copy_dir(&copy.dir.join("sled"), &left),
            _ => {
                let other = tempfile::tempdir().unwrap();
                let store = LocalStore::open(&other.path().join("data"), TestClock::new(), "op", &|_| {}).unwrap();
                let events = if case == 2 { history() } else { vec![begun(7, "p", &[1, 2])] };
                for events in events {
                    block(store.append(events.into())).unwrap();
                }
                if case == 2 {
                    block(store.append(vec![action("one more")].into())).unwrap();
                }
                store.close().unwrap();
                drop(store);
                copy_dir(&other.path().join("data/sled"), &left);
            }
        }
        assert_eq!(open(&copy.dir), expected, "case {case}");
        assert_tidy(&copy, 0, &format!("case {case}"));
    }
    // A directory that is raised already and has a whole new index beside a whole current one.
    drop(open(&earlier.dir));
    copy_dir(&earlier.dir.join("sled"), &half);
    assert_eq!(open(&earlier.dir), expected);
    assert!(!half.exists());
    // Only the new one: it was about to take its place.
    std::fs::rename(earlier.dir.join("sled"), &half).unwrap();
    assert_eq!(open(&earlier.dir), expected);
    assert_tidy(&earlier, 0, "at the end");
}

#[test]
fn a_backup_from_before_the_old_program_went_on_is_kept_and_another_one_made() {
    let earlier = Earlier::made();
    assert_eq!(upgrade(&earlier.dir, Some("upgrade_copied"), &[]).status.code(), None);
    let first = earlier.beside();
    assert_eq!(first.len(), 1);
    // As 0.1.0 would: the directory is used, and is of version 1 afterwards.
    std::fs::write(earlier.dir.join("version"), "skydeck store 2\n").unwrap();
    let store = raised(&earlier.dir, &Raise::Never, Arc::new(RealDisk)).unwrap();
    block(store.append(vec![action("later")].into())).unwrap();
    store.close().unwrap();
    drop(store);
    set_back(&earlier.dir);
    drop(raised(&earlier.dir, &Raise::Backup(None), Arc::new(RealDisk)).unwrap());
    let kept = earlier.beside();
    assert!(kept.len() == 2 && kept.contains(&first[0]), "{kept:?}");
    let told: Vec<u64> = kept.iter().map(|at| backup::manifest(at).unwrap().facts).collect();
    assert_eq!(told.iter().max().unwrap() - told.iter().min().unwrap(), 1, "{told:?}");
}
