//! A data directory of version 1 becomes one of version 2: at every place where the process can die, on every write that
//! can meet a full disk, and with too little room; the facts and the answers of the index stay what they were, and as
//! long as the directory is of version 1 the program that wrote it finds everything as it left it.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    missing_docs,
    clippy::print_stdout
)]

#[path = "support/earlier.rs"]
mod earlier;
mod store_kit;

use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::process::{Command, Output, Stdio};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use earlier::{Earlier, set_back, tree, version};
use skydeck::store::index::kv::Kv;
use skydeck::store::index::{LAYOUT, UNNUMBERED, layout_key};
use skydeck::store::local::disk::{Disk, FailingDisk, Op, RealDisk};
use skydeck::store::local::{LocalStore, Options, Progress, Raise, SledKv};
use skydeck::store::{Store, StoreError, backup, doctor, fault};
use store_kit::*;

const PROGRAM: &str = env!("CARGO_BIN_EXE_skydeck");
/// Set where this program is its own child: the directory to open on a small disk.
const CHILD: &str = "SKYDECK_UPGRADE_CHILD";

#[expect(clippy::needless_pass_by_value, reason = "each caller makes its own")]
fn raised(dir: &Path, raise: &Raise, disk: Arc<dyn Disk>) -> Result<LocalStore, StoreError> {
    // A child that another test starts holds copies of this process's open files, the lock among them, until it is itself.
    let until = std::time::Instant::now() + std::time::Duration::from_secs(10);
    loop {
        let options = Options { disk: Arc::clone(&disk), rotate: 1 << 20 };
        match LocalStore::open_raising(dir, TestClock::new(), "op", &|_| {}, options, raise) {
            Err(StoreError::Held { .. }) if std::time::Instant::now() < until => std::thread::yield_now(),
            opened => return opened,
        }
    }
}

fn telling(dir: &Path, raise: &Raise) -> (Result<LocalStore, StoreError>, Vec<Progress>) {
    let told = Mutex::new(Vec::new());
    let say = |progress| told.lock().unwrap().push(progress);
    let store = LocalStore::open_raising(dir, TestClock::new(), "op", &say, Options::default(), raise);
    (store, told.into_inner().unwrap())
}

/// All that a store says, and then lets go of its directory.
fn answers(store: LocalStore) -> Vec<String> {
    let all = everything(&store);
    store.close().unwrap();
    drop(store);
    all
}

/// What a directory says when it is raised and nothing goes wrong.
fn undisturbed(from: &Earlier) -> Vec<String> {
    answers(raised(&from.copy().dir, &Raise::Plain, Arc::new(RealDisk)).unwrap())
}

fn facts(dir: &Path) -> Vec<u8> {
    let mut lines = Vec::new();
    doctor::export(dir, &mut lines).unwrap();
    lines
}

fn layout(dir: &Path) -> Option<u64> {
    let index = SledKv::open(&dir.join("sled")).unwrap();
    let bytes = index.get(&layout_key()).unwrap()?;
    Some(u64::from_be_bytes(bytes.try_into().unwrap()))
}

fn index_entries(dir: &Path) -> usize {
    let index = SledKv::open(&dir.join("sled")).unwrap();
    skydeck::store::index::kv::Walk::new(&index, std::ops::Bound::Unbounded, std::ops::Bound::Unbounded, false).count()
}

/// Whether there is an index with something in it: one that a kill left empty, or none, is built and not upgraded.
fn has_index(dir: &Path) -> bool {
    dir.join("sled").exists() && index_entries(dir) > 0
}

/// As long as a directory is of version 1: its program finds the journal and, where there is one, its own index.
fn assert_as_left(dir: &Path, before: &[u8], at: &str) {
    assert_eq!(facts(dir), before, "{at}");
    if version(dir) == "skydeck store 1\n" && dir.join("sled").exists() {
        assert_eq!(layout(dir), None, "{at}: an index of another layout stands in a directory of version 1");
    }
}

/// Nothing of an upgrade is left but the backup.
fn assert_tidy(earlier: &Earlier, backups: usize, at: &str) {
    for entry in std::fs::read_dir(&earlier.dir).unwrap() {
        let name = entry.unwrap().file_name().to_string_lossy().into_owned();
        assert!(!name.starts_with("sled.") && !name.starts_with("look-") && name != "version.new", "{at}: {name}");
    }
    let beside = earlier.beside();
    assert_eq!(beside.len(), backups, "{at}: {beside:?}");
    assert!(beside.iter().all(|path| backup::manifest(path).is_ok()), "{at}: {beside:?}");
}

fn upgrade(dir: &Path, fault: Option<&str>, options: &[&str]) -> Output {
    let mut command = Command::new(PROGRAM);
    command.arg("upgrade").args(options).args(["--lang", "en", "--data"]).arg(dir).stdin(Stdio::null());
    command.env_remove("SKYDECK_FAULT");
    if let Some(fault) = fault {
        command.env("SKYDECK_FAULT", fault);
    }
    command.output().unwrap()
}

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

fn raised_plainly(dir: &Path) -> LocalStore {
    raised(dir, &Raise::Plain, Arc::new(RealDisk)).unwrap()
}

#[test]
fn a_death_at_every_point_is_gone_on_from() {
    for earlier in Earlier::all() {
        let (before, expected) = (facts(&earlier.dir), undisturbed(&earlier));
        for point in fault::POINTS.into_iter().filter(|point| *point != "upgrade_made_room") {
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

/// A disk with so many bytes free, which are not counted down.
struct Small(u64);

impl Disk for Small {
    fn before(&self, _: Op) -> std::io::Result<()> {
        Ok(())
    }

    fn free(&self, _: &Path) -> std::io::Result<u64> {
        Ok(self.0)
    }
}

#[test]
fn on_a_small_disk_the_old_index_goes_first_and_a_death_after_that_loses_nothing() {
    if let Ok(dir) = std::env::var(CHILD) {
        drop(raised(Path::new(&dir), &Raise::Plain, Arc::new(Small(8 << 20))));
        return;
    }
    for earlier in Earlier::all().into_iter().filter(|earlier| has_index(&earlier.dir)) {
        let at = &earlier.name;
        let (before, expected) = (facts(&earlier.dir), undisturbed(&earlier));
        let copy = earlier.copy();
        let died = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "on_a_small_disk_the_old_index_goes_first_and_a_death_after_that_loses_nothing"])
            .env(CHILD, &copy.dir)
            .env("SKYDECK_FAULT", "upgrade_made_room")
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .status()
            .unwrap();
        assert_eq!(died.signal(), Some(6), "{at}");
        assert!(!copy.dir.join("sled").exists() && version(&copy.dir) == "skydeck store 1\n", "{at}");
        assert_as_left(&copy.dir, &before, at);
        for dir in [&copy, &earlier] {
            assert_eq!(answers(raised(&dir.dir, &Raise::Plain, Arc::new(Small(8 << 20))).unwrap()), expected, "{at}");
            assert_tidy(dir, 0, at);
        }
    }
}

#[test]
fn without_room_for_the_backup_nothing_is_changed_and_the_way_on_is_said() {
    let earlier = Earlier::made();
    let before = tree(&earlier.dir);
    let refused = raised(&earlier.dir, &Raise::Backup(None), Arc::new(Small(12 << 20))).err().unwrap();
    let StoreError::Directory(words) = &refused else { panic!("{refused:?}") };
    for word in ["needs", "12.0 MiB are free", "skydeck upgrade --backup DIR", "skydeck upgrade --no-backup", "data"] {
        assert!(words.contains(word), "{word}: {words}");
    }
    let mut after = tree(&earlier.dir);
    after.insert(earlier.dir.join("owner.lock"), before[&earlier.dir.join("owner.lock")].clone());
    assert_eq!(after, before, "nothing but the lock");
    assert!(earlier.beside().is_empty());
    raised(&earlier.dir, &Raise::Plain, Arc::new(Small(12 << 20))).unwrap();
    assert!(earlier.beside().is_empty());
}

#[test]
fn a_disk_that_fills_up_at_any_write_is_said_and_leaves_a_directory_that_is_one_or_the_other() {
    use rustix::io::Errno;
    let all = [(Errno::NOSPC, true), (Errno::NOSPC, false), (Errno::IO, true)];
    let mut cases = vec![(Earlier::made(), Raise::Plain, &all[..]), (Earlier::made(), Raise::Backup(None), &all[..])];
    // Directories of 0.1.0 itself are many: the disk that stays full is enough.
    let others = Earlier::all().into_iter().filter(|earlier| earlier.name != "made");
    cases.extend(others.map(|earlier| (earlier, Raise::Backup(None), &all[..1])));
    for (earlier, raise, faults) in cases {
        let (before, expected) = (facts(&earlier.dir), undisturbed(&earlier));
        for (errno, forever) in faults.iter().copied() {
            let mut nth = 1;
            loop {
                let at = format!("{} {raise:?} {errno:?} {forever} {nth}", earlier.name);
                let copy = earlier.copy();
                let disk = Arc::new(FailingDisk::new(nth, forever, errno));
                let opened = raised(&copy.dir, &raise, Arc::clone(&disk) as Arc<dyn Disk>);
                if disk.seen.load(Ordering::SeqCst) < nth {
                    assert_eq!(answers(opened.unwrap()), expected, "{at}");
                    break;
                }
                match opened {
                    // A disk that is full once is made room on by giving up the old index.
                    Ok(store) => assert_eq!(answers(store), expected, "{at}"),
                    Err(StoreError::Directory(words)) if errno == Errno::NOSPC => {
                        assert!(
                            words.contains("free some space") || words.contains("Free some space"),
                            "{at}: {words}"
                        );
                    }
                    Err(StoreError::Directory(_) | StoreError::Write(_)) if errno == Errno::IO => {}
                    Err(e) => panic!("{at}: {e:?}"),
                }
                assert_as_left(&copy.dir, &before, &at);
                assert!(copy.beside().iter().all(|path| backup::manifest(path).is_ok()), "{at}: half a backup");
                let backups = usize::from(raise != Raise::Plain);
                assert_eq!(answers(raised(&copy.dir, &raise, Arc::new(RealDisk)).unwrap()), expected, "{at}");
                assert_tidy(&copy, backups, &at);
                nth += 1;
            }
            assert!(nth > 4, "{}: {nth} writes", earlier.name);
        }
    }
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

/// Fails all from the first write on whose kind is this one.
struct Against(Op, AtomicU64);

impl Disk for Against {
    fn before(&self, op: Op) -> std::io::Result<()> {
        if op == self.0 {
            self.1.fetch_add(1, Ordering::SeqCst);
            return Err(std::io::Error::from(std::io::ErrorKind::StorageFull));
        }
        Ok(())
    }
}

#[test]
fn a_disk_that_stays_full_stops_before_the_version_or_after_it_and_never_between() {
    for op in [Op::Copy, Op::Build, Op::BuildSync, Op::Version, Op::Swap] {
        let earlier = Earlier::made();
        let expected = undisturbed(&earlier);
        let disk = Arc::new(Against(op, AtomicU64::new(0)));
        let refused = raised(&earlier.dir, &Raise::Backup(None), Arc::clone(&disk) as Arc<dyn Disk>).err().unwrap();
        assert!(disk.1.load(Ordering::SeqCst) > 0 && matches!(refused, StoreError::Directory(_)), "{op:?}: {refused}");
        let is_raised = version(&earlier.dir) == "skydeck store 2\n";
        assert_eq!(is_raised, op == Op::Swap, "{op:?}: {refused}");
        let gone_on = raised(&earlier.dir, &Raise::Backup(None), Arc::new(RealDisk)).unwrap();
        assert_eq!(answers(gone_on), expected, "{op:?}");
        assert_tidy(&earlier, 1, &format!("{op:?}"));
    }
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

/// Fills a small file system of its own up to so many KiB, raises the directory on it, makes room and raises it again.
/// Exit codes and words of both; `None` (said aloud) where this machine gives no file system.
fn on_a_real_disk(earlier: &Earlier, free: u32) -> Option<[(i32, String); 2]> {
    let script = r#"
set -u
mount -t tmpfs -o size=48m,mode=0700 none "$D/disk" || exit 77
cp -a "$D/data" "$D/disk/data" && rm -f "$D/disk/data/ballast"
dd if=/dev/zero of="$D/disk/fill" bs=1k status=none 2>/dev/null
truncate -s "-${FREE}K" "$D/disk/fill"
"$SKYDECK" upgrade --no-backup --lang en --data "$D/disk/data" >/dev/null 2>"$D/first.err" </dev/null; echo $? >"$D/first.code"
cat "$D/disk/data/version" >"$D/first.version"
rm "$D/disk/fill"
"$SKYDECK" upgrade --no-backup --lang en --data "$D/disk/data" >/dev/null 2>"$D/second.err" </dev/null; echo $? >"$D/second.code"
cp -a "$D/disk/data" "$D/after"
"#;
    std::fs::create_dir(earlier.temp.path().join("disk")).unwrap();
    let read = |name: &str| std::fs::read_to_string(earlier.temp.path().join(name)).unwrap();
    for flags in ["-m", "-rm"] {
        let status = Command::new("unshare")
            .args([flags, "sh", "-c", script])
            .env("D", earlier.temp.path())
            .env("FREE", free.to_string())
            .env("SKYDECK", PROGRAM)
            .stderr(Stdio::null())
            .status();
        if status.is_ok_and(|status| status.code() == Some(0)) {
            return Some(
                ["first", "second"]
                    .map(|life| (read(&format!("{life}.code")).trim().parse().unwrap(), read(&format!("{life}.err")))),
            );
        }
    }
    println!("SKIPPED: no mount namespace here (unshare -m, unshare -rm)");
    None
}

#[test]
fn a_real_disk_that_is_full_is_said_in_words_and_room_is_all_it_needs() {
    let small = Earlier::made();
    // More than fits into what is free, and no old index that could make room.
    let large = Earlier::made();
    {
        std::fs::write(large.dir.join("version"), "skydeck store 2\n").unwrap();
        let store = raised(&large.dir, &Raise::Never, Arc::new(RealDisk)).unwrap();
        let fids: Vec<u64> = (1..=20_000).collect();
        block(store.append(vec![opened(9, "odd")].into())).unwrap();
        for some in fids.chunks(500) {
            block(store.append(vec![found(9, some)].into())).unwrap();
        }
        store.close().unwrap();
        drop(store);
        std::fs::remove_dir_all(large.dir.join("sled")).unwrap();
        std::fs::write(large.dir.join("version"), "skydeck store 1\n").unwrap();
    }
    for (of, free, code, words) in [
        (&small, 0, 2, "only 0.0 MiB are free"),
        (&small, 3_000, 2, "needs at least 4.0 MiB: free some space"),
        (&small, 6_000, 0, "raised from version 1 to 2"),
        (&large, 4_200, 2, "the disk is full while the index is built anew"),
    ] {
        let (before, expected) = (facts(&of.dir), undisturbed(of));
        let earlier = of.copy();
        let Some([first, second]) = on_a_real_disk(&earlier, free) else { return };
        assert_eq!(first.0, code, "{free} KiB: {}", first.1);
        assert!(first.1.contains(words) && !first.1.contains("panicked"), "{free} KiB: {}", first.1);
        let marked = std::fs::read_to_string(earlier.temp.path().join("first.version")).unwrap();
        assert_eq!(marked == "skydeck store 1\n", code != 0, "{free} KiB");
        assert_eq!(second.0, 0, "{free} KiB: {}", second.1);
        assert!(!second.1.contains("damaged"), "{free} KiB: {}", second.1);
        let after = earlier.temp.path().join("after");
        assert_eq!(facts(&after), before, "{free} KiB");
        assert_eq!(answers(raised(&after, &Raise::Never, Arc::new(RealDisk)).unwrap()), expected, "{free} KiB");
    }
}
