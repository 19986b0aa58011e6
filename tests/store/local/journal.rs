//! The journal: segments are sealed, a torn end is cut, and every other damage is found and named.

use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::{fill, open, open_small, open_telling, place};
use crate::store_kit::*;
use skydeck::domain::bill::Slot;
use skydeck::domain::ids::Seq;
use skydeck::domain::step::{Step, Verdict};
use skydeck::store::journal::tail;
use skydeck::store::local::Progress;
use skydeck::store::local::disk::RealDisk;
use skydeck::store::{Reads, Store, StoreError, doctor};

#[test]
fn segments_are_sealed_and_read_as_before() {
    let p = place();
    let store = open_small(&p.dir, 4096, Arc::new(RealDisk)).unwrap();
    fill(&store);
    let before = everything(&store);
    store.close().unwrap();
    drop(store);
    // Opening goes on sealing where the close interrupted it.
    let store = open_small(&p.dir, 4096, Arc::new(RealDisk)).unwrap();
    let journal = p.dir.join("journal");
    let plain = || {
        std::fs::read_dir(&journal)
            .unwrap()
            .flatten()
            .filter(|e| e.path().extension().is_some_and(|x| x == "log"))
            .count()
    };
    let deadline = std::time::Instant::now() + std::time::Duration::from_secs(30);
    while plain() > 1 && std::time::Instant::now() < deadline {
        std::thread::yield_now();
    }
    assert_eq!(plain(), 1);
    assert_eq!(everything(&store), before);
    drop(store);
    let report = doctor::check(&p.dir, TestClock::new().as_ref(), &|_| {}).unwrap();
    assert!(report.is_sound() && report.journal.sealed >= 3, "{report:?}");
    // With the index gone everything is folded anew out of the sealed segments.
    std::fs::remove_dir_all(p.dir.join("sled")).unwrap();
    assert_eq!(everything(&open(&p.dir).unwrap()), before);
}

fn journal_only(from: &Path, to: &Path) {
    let _ = std::fs::remove_dir_all(to);
    copy_dir(&from.join("journal"), &to.join("journal"));
    std::fs::copy(from.join("version"), to.join("version")).unwrap();
    std::fs::set_permissions(to, std::fs::Permissions::from_mode(0o700)).unwrap();
    std::fs::remove_file(to.join("journal/known")).unwrap();
}

#[test]
fn a_torn_end_is_cut_at_every_length_and_kept_aside() {
    let p = place();
    let store = open(&p.dir).unwrap();
    block(store.append(begun(1, "p", &[1, 2]).into())).unwrap();
    let segment = p.dir.join("journal/00000001.log");
    let whole = std::fs::metadata(&segment).unwrap().len();
    block(store.append(vec![tried(1, 1, Step::Audit, 1)].into())).unwrap();
    store.close().unwrap();
    drop(store);
    let bytes = std::fs::read(&segment).unwrap();
    let copy = p.dir.with_extension("copy");
    for len in whole..bytes.len() as u64 {
        journal_only(&p.dir, &copy);
        let torn = copy.join("journal/00000001.log");
        std::fs::write(&torn, &bytes[..len as usize]).unwrap();
        let opened = tail::open(&copy.join("journal"), Arc::new(RealDisk), u64::MAX, Seq(0), "t");
        let (journal, _, cut) = opened.unwrap();
        assert_eq!(journal.last(), Seq(4), "{len}");
        assert_eq!(std::fs::metadata(&torn).unwrap().len(), whole);
        match cut {
            None => assert_eq!(len, whole),
            Some(cut) => {
                assert_eq!((cut.offset, cut.bytes), (whole, len - whole));
                assert_eq!(std::fs::read(cut.kept).unwrap(), &bytes[whole as usize..len as usize]);
            }
        }
        // Where somebody knows that it was whole once, it is damage and is not touched.
        std::fs::write(&torn, &bytes[..len as usize]).unwrap();
        let opened = tail::open(&copy.join("journal"), Arc::new(RealDisk), u64::MAX, Seq(5), "t");
        assert!(matches!(opened, Err(StoreError::Damaged(_))), "{len}");
        assert_eq!(std::fs::metadata(&torn).unwrap().len(), len);
    }
    // Through the whole store once: said, and usable.
    journal_only(&p.dir, &copy);
    std::fs::write(copy.join("journal/00000001.log"), &bytes[..bytes.len() - 3]).unwrap();
    let (store, told) = open_telling(&copy);
    let store = store.unwrap();
    assert!(told.iter().any(|p| matches!(p, Progress::TornTail(_))), "{told:?}");
    block(store.append(vec![tried(1, 1, Step::Audit, 1)].into())).unwrap();
    assert_eq!(block(store.last_seq()).unwrap(), Seq(5));
}

#[test]
fn every_flipped_byte_is_found_and_named() {
    let p = place();
    let store = open_small(&p.dir, 2500, Arc::new(RealDisk)).unwrap();
    block(store.append(begun(1, "p", &[1, 2, 3]).into())).unwrap();
    for fid in 1..=3 {
        block(store.append(vec![tried(1, fid, Step::Audit, 1)].into())).unwrap();
        block(store.append(
            vec![answered(1, fid, Step::Audit, Verdict::Done), settled(1, fid, Slot::Waiting, audited())].into(),
        ))
        .unwrap();
    }
    block(store.append(vec![action("last")].into())).unwrap();
    let last = block(store.last_seq()).unwrap();
    let deadline = std::time::Instant::now() + std::time::Duration::from_secs(30);
    let sealed = p.dir.join("journal/00000001.seal");
    let plain = p.dir.join("journal/00000001.log");
    while plain.exists() && std::time::Instant::now() < deadline {
        std::thread::yield_now();
    }
    store.close().unwrap();
    drop(store);
    let journal = p.dir.join("journal");
    let growing = journal.join("00000002.log");
    assert!(sealed.exists() && growing.exists());
    let mut tested = 0;
    for path in [&growing, &sealed] {
        let good = std::fs::read(path).unwrap();
        let name = path.file_stem().unwrap().to_str().unwrap();
        for at in 0..good.len() {
            for mask in [0x01, 0x80] {
                let mut bad = good.clone();
                bad[at] ^= mask;
                std::fs::write(path, &bad).unwrap();
                let report = doctor::export(&p.dir, &mut std::io::sink()).unwrap();
                let named = report.damage.iter().any(|d| d.contains(&format!("segment {name}")));
                assert!(named, "{name} byte {at} mask {mask:02x}: {report:?}");
                if path == &growing {
                    let opened = tail::open(&journal, Arc::new(RealDisk), u64::MAX, last, "t");
                    assert!(matches!(opened, Err(StoreError::Damaged(_))), "{name} byte {at} mask {mask:02x}");
                    assert_eq!(std::fs::read(path).unwrap(), bad, "nothing was changed");
                }
                tested += 1;
            }
        }
        std::fs::write(path, &good).unwrap();
    }
    assert!(tested > 2000, "{tested}");
    // Through the whole store once: refused, named, and the rest can be exported.
    let mut bad = std::fs::read(&growing).unwrap();
    let at = bad.len() - 5;
    bad[at] ^= 4;
    std::fs::write(&growing, &bad).unwrap();
    match open(&p.dir).err().unwrap() {
        StoreError::Damaged(what) => {
            assert!(what.contains("segment 00000002, offset") && what.contains("fact"), "{what}")
        }
        other => panic!("{other}"),
    }
    let mut out = Vec::new();
    let report = doctor::export(&p.dir, &mut out).unwrap();
    assert_eq!(String::from_utf8(out).unwrap().lines().count() as u64, report.facts);
    assert_eq!(report.facts, last.0 - 1);
}

#[test]
fn a_missing_or_swapped_segment_is_named() {
    let p = place();
    let store = open_small(&p.dir, 2000, Arc::new(RealDisk)).unwrap();
    fill(&store);
    store.close().unwrap();
    drop(store);
    let journal = p.dir.join("journal");
    let mut files: Vec<PathBuf> = std::fs::read_dir(&journal).unwrap().map(|e| e.unwrap().path()).collect();
    files.retain(|f| f.file_stem().is_some_and(|s| s.len() == 8));
    files.sort();
    for file in &files {
        let kept = file.with_extension("gone");
        std::fs::rename(file, &kept).unwrap();
        assert!(matches!(open(&p.dir), Err(StoreError::Damaged(_))), "{}", file.display());
        let new: Vec<PathBuf> = std::fs::read_dir(&journal).unwrap().map(|e| e.unwrap().path()).collect();
        assert!(!new.contains(file), "nothing was put in its place");
        std::fs::rename(&kept, file).unwrap();
    }
    open(&p.dir).unwrap();
}
