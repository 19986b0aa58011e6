//! Too little room, and a disk that fills up: said in words, and the directory is of one version or of the other.

use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use crate::directory::{PROGRAM, answers, assert_as_left, assert_tidy, facts, has_index, raised, undisturbed};
use crate::earlier::{Earlier, tree, version};
use crate::store_kit::*;
use skydeck::store::local::Raise;
use skydeck::store::local::disk::{Disk, FailingDisk, Op, RealDisk};
use skydeck::store::{Store, StoreError, backup};

/// Set where this program is its own child: the directory to open on a small disk.
const CHILD: &str = "SKYDECK_UPGRADE_CHILD";

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
            .args(["--exact", "room::on_a_small_disk_the_old_index_goes_first_and_a_death_after_that_loses_nothing"])
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
                let hit = disk.seen.load(Ordering::SeqCst) >= nth;
                assert!(hit || opened.is_ok(), "{at}: nothing failed");
                match opened {
                    // A disk that is full once is made room on by giving up the old index; and what is written behind the
                    // opening, or when the directory is let go, may be what failed.
                    Ok(store) => {
                        assert_eq!(everything(&store), expected, "{at}");
                        let closed = store.close();
                        drop(store);
                        if disk.seen.load(Ordering::SeqCst) < nth {
                            closed.unwrap();
                            break;
                        }
                    }
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
