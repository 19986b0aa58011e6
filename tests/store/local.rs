//! What only a store on disk must do: survive reopening, crashes, damage, a full or failing disk, and a second owner.
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex};

use crate::store_kit::*;
use skydeck::domain::bill::Slot;
use skydeck::domain::ids::Seq;
use skydeck::domain::step::{Step, Verdict};
use skydeck::store::journal::tail;
use skydeck::store::local::disk::{Disk, FailingDisk, Op, RealDisk};
use skydeck::store::local::{LocalStore, Options, Progress};
use skydeck::store::memory::MemoryStore;
use skydeck::store::{AppendError, Store, StoreError, doctor};

struct Place {
    _temp: tempfile::TempDir,
    dir: PathBuf,
}

fn place() -> Place {
    let temp = tempfile::tempdir().unwrap();
    let dir = temp.path().join("data");
    Place { _temp: temp, dir }
}

fn open(dir: &Path) -> Result<LocalStore, StoreError> {
    LocalStore::open(dir, TestClock::new(), "op", &|_| {})
}

fn open_small(dir: &Path, rotate: u64, disk: Arc<dyn Disk>) -> Result<LocalStore, StoreError> {
    LocalStore::open_with(dir, TestClock::new(), "op", &|_| {}, Options { disk, rotate })
}

fn open_telling(dir: &Path) -> (Result<LocalStore, StoreError>, Vec<Progress>) {
    let told = Mutex::new(Vec::new());
    let store = LocalStore::open(dir, TestClock::new(), "op", &|p| told.lock().unwrap().push(p));
    (store, told.into_inner().unwrap())
}

fn fill(store: &dyn Store) {
    for events in history() {
        block(store.append(events.into())).unwrap();
    }
}

fn in_memory() -> MemoryStore {
    let store = MemoryStore::new(TestClock::new());
    fill(&store);
    store
}

/// The facts of two stores, without their times (each clock has its own).
fn events(store: &dyn Store) -> Vec<skydeck::domain::event::Event> {
    block(store.facts_after(Seq(0), usize::MAX)).unwrap().into_iter().map(|f| f.event).collect()
}

fn fill_at(dir: &Path) {
    let store = open(dir).unwrap();
    fill(&store);
    store.close().unwrap();
}

#[test]
fn a_reopened_store_answers_as_before_and_goes_on() {
    let p = place();
    let store = open(&p.dir).unwrap();
    fill(&store);
    let before = everything(&store);
    store.close().unwrap();
    assert_eq!(everything(&store), before, "reads go on after closing");
    assert!(matches!(block(store.append(vec![action("late")].into())), Err(AppendError::Write(_))));
    drop(store);
    let (store, told) = open_telling(&p.dir);
    let store = store.unwrap();
    assert_eq!(told, [Progress::OpeningIndex, Progress::ReadingJournal, Progress::Ready]);
    assert_eq!(everything(&store), before);
    block(store.append(vec![action("next")].into())).unwrap();
    assert!(store.trouble().is_none());
}

#[test]
fn a_plan_is_kept_by_its_revision_through_reopening_and_a_lost_index() {
    use skydeck::domain::event::Event;
    use skydeck::domain::ids::PlanRev;
    use skydeck::domain::run::RunKind;
    let p = place();
    let store = open(&p.dir).unwrap();
    let text = include_str!("../../plans/sal_outstock_audit.json");
    let plan = skydeck::plan::read(skydeck::domain::ids::PlanId::new("sales"), text).unwrap().plan;
    let mut head = head(1, "sales", RunKind::Fresh);
    head.rev = plan.rev.clone();
    head.text = Some(Box::new(plan.clone()));
    block(store.append(vec![Event::RunOpened(Box::new(head.clone()))].into())).unwrap();
    let check = |store: &LocalStore| {
        assert_eq!(block(store.plan_of(&plan.rev)).unwrap().as_ref(), Some(&plan));
        assert_eq!(block(store.plan_of(&PlanRev::new("another"))).unwrap(), None);
        assert_eq!(
            block(store.run(run_id(1))).unwrap().unwrap().head,
            head.without_text(),
            "a row is not heavier for it"
        );
    };
    check(&store);
    store.close().unwrap();
    drop(store);
    check(&open(&p.dir).unwrap());
    std::fs::remove_dir_all(p.dir.join("sled")).unwrap();
    check(&open(&p.dir).unwrap());
}

#[test]
fn a_store_dropped_without_closing_loses_nothing_it_answered_for() {
    let p = place();
    {
        let store = open(&p.dir).unwrap();
        fill(&store);
    }
    assert_eq!(events(&open(&p.dir).unwrap()), events(&in_memory()));
}

#[test]
fn a_second_owner_is_told_who_has_it() {
    let p = place();
    let first = open(&p.dir).unwrap();
    match open(&p.dir).err().unwrap() {
        StoreError::Held { pid, who, since, .. } => {
            assert_eq!((pid, who.as_str()), (std::process::id(), "op"));
            assert!(since.len() == 19, "{since}");
        }
        other => panic!("{other}"),
    }
    assert!(matches!(doctor::check(&p.dir, TestClock::new().as_ref(), &|_| {}), Err(StoreError::Held { .. })));
    drop(first);
    open(&p.dir).unwrap();
}

#[test]
fn a_directory_that_others_could_use_is_refused_untouched() {
    let p = place();
    std::fs::create_dir(&p.dir).unwrap();
    for mode in [0o755, 0o770, 0o701, 0o704] {
        std::fs::set_permissions(&p.dir, std::fs::Permissions::from_mode(mode)).unwrap();
        let e = open(&p.dir).err().unwrap();
        assert!(matches!(&e, StoreError::Directory(what) if what.contains("chmod 700")), "{mode:o}: {e}");
    }
    std::fs::set_permissions(&p.dir, std::fs::Permissions::from_mode(0o700)).unwrap();
    let link = p.dir.with_extension("link");
    std::os::unix::fs::symlink(&p.dir, &link).unwrap();
    assert!(open(&link).err().unwrap().to_string().contains("symbolic link"));
    let file = p.dir.with_extension("file");
    std::fs::write(&file, "x").unwrap();
    assert!(open(&file).err().unwrap().to_string().contains("no directory"));
    assert_eq!(std::fs::read_dir(&p.dir).unwrap().count(), 0, "nothing was written");
    let store = open(&p.dir.join("deeper/still")).unwrap();
    drop(store);
    let mode = std::fs::metadata(p.dir.join("deeper/still")).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o700);
}

#[test]
fn a_newer_version_is_refused_and_left_alone() {
    let p = place();
    fill_at(&p.dir);
    std::fs::write(p.dir.join("version"), "skydeck store 3\n").unwrap();
    assert!(matches!(open(&p.dir), Err(StoreError::TooNew { found: 3, known: 2, .. })));
    for senseless in ["something else\n", "skydeck store 0\n", ""] {
        std::fs::write(p.dir.join("version"), senseless).unwrap();
        let refused = open(&p.dir).err().unwrap();
        assert!(
            matches!(&refused, StoreError::NoVersion { said: Some(said), .. } if said == senseless.trim()),
            "{refused}"
        );
    }
    // Without one a journal is nobody knows whose: it is no new directory.
    std::fs::remove_file(p.dir.join("version")).unwrap();
    assert!(matches!(open(&p.dir), Err(StoreError::NoVersion { said: None, .. })));
    assert!(!p.dir.join("version").exists());
    std::fs::write(p.dir.join("version"), "skydeck store 2\n").unwrap();
    assert_eq!(events(&open(&p.dir).unwrap()), events(&in_memory()));
}

#[test]
fn many_callers_share_a_flush_and_the_places_have_no_holes() {
    struct Counting(std::sync::atomic::AtomicU64);
    impl Disk for Counting {
        fn before(&self, op: Op) -> std::io::Result<()> {
            if op == Op::Sync {
                self.0.fetch_add(1, Ordering::SeqCst);
            }
            Ok(())
        }
    }
    let p = place();
    let disk = Arc::new(Counting(0.into()));
    let store = Arc::new(open_small(&p.dir, u64::MAX, Arc::clone(&disk) as Arc<dyn Disk>).unwrap());
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).build().unwrap();
    let mut seqs: Vec<u64> = runtime.block_on(async {
        let tasks: Vec<_> = (0..64)
            .map(|i| {
                let store = Arc::clone(&store);
                tokio::spawn(async move {
                    let mut seqs = Vec::new();
                    for j in 0..10 {
                        let done =
                            store.append(vec![action(&format!("{i}-{j}")), action("second")].into()).await.unwrap();
                        assert_eq!(done.facts[1].seq.0, done.facts[0].seq.0 + 1);
                        seqs.extend(done.facts.iter().map(|f| f.seq.0));
                    }
                    seqs
                })
            })
            .collect();
        let mut all = Vec::new();
        for task in tasks {
            all.extend(task.await.unwrap());
        }
        all
    });
    seqs.sort_unstable();
    assert_eq!(seqs, (1..=1280).collect::<Vec<u64>>());
    let flushes = disk.0.load(Ordering::SeqCst);
    assert!(flushes < 320, "{flushes} flushes for 640 appends of 64 callers");
}

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

#[test]
fn bodies_are_kept_up_to_their_limit_and_known_beyond() {
    use skydeck::domain::event::Event;
    let p = place();
    let store = open(&p.dir).unwrap();
    block(store.append(begun(1, "p", &[1]).into())).unwrap();
    let mut event = answered(1, 1, Step::Audit, Verdict::Done);
    if let Event::StepAnswered { evidence: Some(e), .. } = &mut event {
        let body = e.response.as_mut().unwrap();
        body.bytes.0 = (0..skydeck::store::BODY_LIMIT + 9).map(|i| (i % 251) as u8).collect();
        body.len = body.bytes.0.len() as u64;
    }
    let done = block(store.append(vec![event].into())).unwrap();
    let (facts, _) = block(store.facts_of(&key(1), 9)).unwrap();
    assert_eq!(facts.last(), done.facts.last());
    let Event::StepAnswered { evidence: Some(e), .. } = &facts.last().unwrap().event else { panic!() };
    let body = e.response.as_ref().unwrap();
    assert_eq!((body.bytes.0.len(), body.len), (skydeck::store::BODY_LIMIT, skydeck::store::BODY_LIMIT as u64 + 9));
    assert_eq!(body.sha256.as_ref().unwrap().len(), 64);
}
