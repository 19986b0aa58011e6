//! A disk that fails or is full: nothing acknowledged is lost, and outcomes still have their room.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use super::{events, in_memory, open, open_small, place};
use crate::store_kit::*;
use skydeck::domain::bill::Slot;
use skydeck::domain::ids::Seq;
use skydeck::domain::step::{Step, Verdict};
use skydeck::store::local::disk::{Disk, FailingDisk};
use skydeck::store::{AppendError, Reads, Store, doctor};

#[test]
fn every_failing_operation_stops_writing_and_loses_nothing_acknowledged() {
    use rustix::io::Errno;
    let whole = events(&in_memory());
    for (errno, forever) in [(Errno::IO, false), (Errno::IO, true), (Errno::NOSPC, true)] {
        let mut nth = 1;
        loop {
            let p = place();
            let mut disk = FailingDisk::new(nth, forever, errno);
            disk.partial = (nth as usize * 7) % 60;
            let disk = Arc::new(disk);
            let opened = open_small(&p.dir, 3000, Arc::clone(&disk) as Arc<dyn Disk>);
            let mut acknowledged = 0;
            let mut failed = false;
            if let Ok(store) = &opened {
                for events in history() {
                    match block(store.append(events.into())) {
                        Ok(done) => {
                            assert!(!failed, "{errno:?} {nth}: something was written after a failure");
                            acknowledged = done.facts.last().unwrap().seq.0;
                        }
                        Err(AppendError::Write(_) | AppendError::Full(_)) => failed = true,
                        // What builds on a refused append is refused too.
                        Err(AppendError::Contradiction(_)) if failed => {}
                        Err(e) => panic!("{errno:?} {nth}: {e}"),
                    }
                    assert!(block(store.last_seq()).unwrap().0 >= acknowledged);
                    if failed {
                        assert!(store.trouble().is_some());
                        block(store.facts_after(Seq(0), 3)).unwrap();
                    }
                }
            }
            drop(opened);
            let hit = disk.seen.load(Ordering::SeqCst) >= nth;
            let store = open(&p.dir).unwrap_or_else(|e| panic!("{errno:?} {nth}: reopening: {e}"));
            let now = events(&store);
            assert!(now.len() as u64 >= acknowledged, "{errno:?} {nth}: lost");
            assert_eq!(now[..], whole[..now.len()], "{errno:?} {nth}");
            drop(store);
            if nth % 10 == 1 {
                let report = doctor::check(&p.dir, TestClock::new().as_ref(), &|_| {}).unwrap();
                assert!(report.is_sound(), "{errno:?} {nth}: {report:?}");
            }
            if !hit {
                assert_eq!(now.len(), whole.len());
                break;
            }
            nth += if nth < 20 { 1 } else { 13 };
        }
        assert!(nth > 20);
    }
}

#[test]
fn on_a_full_disk_outcomes_are_still_stored_and_new_work_is_not() {
    let p = place();
    // Once the ballast is gone there is room again: only one write fails.
    let probe = open(&p.dir).unwrap();
    block(probe.append(begun(1, "p", &[1, 2, 3]).into())).unwrap();
    block(probe.append(vec![tried(1, 1, Step::Audit, 1)].into())).unwrap();
    probe.close().unwrap();
    drop(probe);
    assert!(p.dir.join("ballast").exists());
    let disk = Arc::new(FailingDisk::new(1, false, rustix::io::Errno::NOSPC));
    let store = open_small(&p.dir, u64::MAX, disk).unwrap();
    let refused = block(store.append(vec![tried(1, 2, Step::Audit, 1)].into()));
    assert!(matches!(refused, Err(AppendError::Full(_))), "{refused:?}");
    assert!(!p.dir.join("ballast").exists());
    assert_eq!(block(store.last_seq()).unwrap(), Seq(5), "the intent that met the full disk is not stored");
    block(
        store.append(vec![answered(1, 1, Step::Audit, Verdict::Done), settled(1, 1, Slot::Waiting, audited())].into()),
    )
    .unwrap();
    assert!(matches!(block(store.append(begun(2, "p", &[1]).into())), Err(AppendError::Full(_))));
    assert!(store.trouble().unwrap().contains("outcomes"));
    store.close().unwrap();
    drop(store);
    let store = open(&p.dir).unwrap();
    assert!(p.dir.join("ballast").exists() && store.trouble().is_none());
    block(store.append(vec![tried(1, 2, Step::Audit, 1)].into())).unwrap();
}

#[test]
fn only_a_whole_file_of_ours_is_space_set_aside() {
    let p = place();
    open(&p.dir).unwrap().close().unwrap();
    let said = || doctor::check(&p.dir, TestClock::new().as_ref(), &|_| {}).unwrap().ballast;
    assert!(said());
    let (ballast, aside) = (p.dir.join("ballast"), p.dir.join("aside"));
    std::fs::rename(&ballast, &aside).unwrap();
    assert!(!said(), "none at all");
    std::os::unix::fs::symlink(&aside, &ballast).unwrap();
    assert!(!said(), "a link to one elsewhere");
    std::fs::remove_file(&ballast).unwrap();
    std::fs::write(&ballast, b"short").unwrap();
    assert!(!said(), "a short one");
    std::fs::remove_file(&ballast).unwrap();
    std::fs::create_dir(&ballast).unwrap();
    assert!(!said(), "a directory");
}
