//! The index in sled: opened with care, because a hard stop can leave a database that will not open.
//!
//! Invariant: a full disk or a missing permission is never taken for damage, and a panic inside sled never
//! leaves this module.

use std::fs::File;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::sync::atomic::{AtomicU32, Ordering};

use crate::index::blocks::Blocks;
use crate::index::kv::{Batch, Entry, Kv, ReadCache, Stretch};
use crate::index::memtable::Memtable;
use crate::index::write_batch::applied_key;
use crate::{StoreError, file};

/// Cache asked of sled; it takes two to three times as much (docs/design/storage.md#what-sled-costs). The system
/// keeps the file's pages besides.
const CACHE: u64 = 8 * 1024 * 1024;

/// Reads after which what sled has put aside is freed: a scan of a million rows otherwise keeps tens of megabytes of
/// pages that left the cache.
const TIDY: u32 = 64;

/// How often, and how long each time, a lock of our own past is waited for: three seconds in all.
const LOCK_TRIES: u32 = 150;
const LOCK_PAUSE: std::time::Duration = std::time::Duration::from_millis(20);

/// An index in sled, in blocks, the latest changes in memory.
pub struct SledKv {
    table: Memtable<Blocks<Tree>>,
    file: File,
}

/// sled's one tree, as it is, and the reads since it was last tidied.
struct Tree(sled::Db, AtomicU32);

impl Tree {
    fn tidy(&self) {
        if self.1.fetch_add(1, Ordering::Relaxed).is_multiple_of(TIDY) {
            crossbeam_epoch::pin().flush();
        }
    }
}

/// Why an index did not open.
#[derive(Debug)]
pub enum OpenFault {
    /// The disk or the system said no: nothing is wrong with the index.
    Disk(std::io::Error),
    /// It is damaged; it can be rebuilt.
    Damaged(String),
    /// It is whole, and laid out as before there were blocks: only its journal can be read.
    Unblocked,
}

impl SledKv {
    /// Opens or creates an index. The caller holds the owner's lock, so whoever holds sled's own lock is a
    /// thread of an index this process closed a moment ago: it is waited for.
    pub fn open(dir: &Path) -> Result<Self, OpenFault> {
        for _ in 0..LOCK_TRIES {
            match Self::open_once(dir) {
                // sled says only "could not acquire lock" and prints the system's error behind it: that is what is left of it.
                Err(OpenFault::Disk(e)) if e.kind() == std::io::ErrorKind::WouldBlock => {
                    std::thread::park_timeout(LOCK_PAUSE);
                }
                other => return other,
            }
        }
        Self::open_once(dir)
    }

    fn open_once(dir: &Path) -> Result<Self, OpenFault> {
        let path = dir.to_path_buf();
        // On a thread of its own, whose end by panic is an answer.
        let opened = std::thread::Builder::new()
            .name("skydeck-index".to_owned())
            .spawn(move || sled::Config::new().path(path).flush_every_ms(None).cache_capacity(CACHE).open());
        let opened = opened.map_err(OpenFault::Disk)?.join();
        let db = match opened {
            Ok(Ok(db)) => db,
            Ok(Err(e)) => return Err(fault(e)),
            Err(panic) => {
                let words = words(panic.as_ref());
                let full = words.contains("StorageFull") || words.contains("No space left");
                return Err(if full {
                    OpenFault::Disk(std::io::Error::from(std::io::ErrorKind::StorageFull))
                } else {
                    OpenFault::Damaged(words)
                });
            }
        };
        let file = File::open(dir.join("db")).map_err(OpenFault::Disk)?;
        file::keep_private(dir).map_err(OpenFault::Disk)?;
        if is_unblocked(&db) {
            return Err(OpenFault::Unblocked);
        }
        match Blocks::new(Tree(db, AtomicU32::new(0))) {
            Ok(Some(blocks)) => Ok(Self { table: Memtable::new(blocks), file }),
            Ok(None) => Err(OpenFault::Damaged("it holds something else than an index".to_owned())),
            Err(e) => Err(OpenFault::Damaged(e.to_string())),
        }
    }

    /// Whether nothing is held that is not below yet.
    pub fn is_spilled(&self) -> bool {
        self.table.is_spilled()
    }

    /// Makes everything applied so far durable: sled's own flush leaves it to the kernel.
    pub fn sync(&self) -> std::io::Result<()> {
        self.table.spill().map_err(|e| of_system(std::io::Error::other(e)))?;
        let flushed = caught(|| self.table.below().below().0.flush()).map_err(std::io::Error::other)?;
        flushed.map_err(|e| match e {
            sled::Error::Io(e) => of_system(e),
            other => std::io::Error::other(other.to_string()),
        })?;
        self.file.sync_data()
    }
}

/// Whether the entries stand by themselves: then the place applied is eight bytes, the first of which is 0 as long as
/// there are fewer than 2^56 facts. A block under the same key begins with its version.
fn is_unblocked(db: &sled::Db) -> bool {
    let applied = read(|| db.get(applied_key()));
    matches!(applied, Ok(Some(bytes)) if bytes.len() == 8 && bytes.first() == Some(&0))
}

fn fault(e: sled::Error) -> OpenFault {
    use std::io::ErrorKind as Kind;
    match e {
        // A short or senseless file is damage; what the system refused is not.
        sled::Error::Io(e) if matches!(e.kind(), Kind::UnexpectedEof | Kind::InvalidData | Kind::InvalidInput) => {
            OpenFault::Damaged(e.to_string())
        }
        sled::Error::Io(e) => OpenFault::Disk(of_system(e)),
        other => OpenFault::Damaged(other.to_string()),
    }
}

/// What the system said. sled hands on copies of its errors, whose text is the print of a struct and no sentence.
fn of_system(e: std::io::Error) -> std::io::Error {
    let text = e.to_string();
    // Our own words may stand around it: the last number is the system's.
    let number = |before: &str| {
        let (_, rest) = text.rsplit_once(before)?;
        rest.split([',', ')', ' ']).next()?.parse::<i32>().ok()
    };
    match (e.raw_os_error(), number("Os { code: ").or_else(|| number("(os error "))) {
        (None, Some(number)) => std::io::Error::from_raw_os_error(number),
        (Some(_), _) | (None, None) => e,
    }
}

/// An error of sled's as people read it.
fn said(e: sled::Error) -> String {
    match e {
        sled::Error::Io(e) => of_system(e).to_string(),
        other => other.to_string(),
    }
}

fn words(panic: &(dyn std::any::Any + Send)) -> String {
    let text = panic.downcast_ref::<String>().map(String::as_str);
    text.or_else(|| panic.downcast_ref::<&str>().copied()).unwrap_or("it panicked").to_owned()
}

fn caught<T>(work: impl FnOnce() -> T) -> Result<T, String> {
    catch_unwind(AssertUnwindSafe(work)).map_err(|panic| words(panic.as_ref()))
}

fn read<T>(work: impl FnOnce() -> Result<T, sled::Error>) -> Result<T, StoreError> {
    let failed = |e: String| StoreError::Read(format!("the index: {e}; reopen to have it rebuilt"));
    caught(work).map_err(failed)?.map_err(|e| failed(said(e)))
}

impl Kv for SledKv {
    fn get(&self, key: &[u8]) -> Result<Option<Vec<u8>>, StoreError> {
        self.table.get(key)
    }

    fn scan(&self, stretch: Stretch<'_>) -> Result<Vec<Entry>, StoreError> {
        self.table.scan(stretch)
    }

    fn apply(&self, batch: Batch) -> Result<(), StoreError> {
        self.table.apply(batch)
    }

    fn get_cached<'n>(&self, key: &[u8], cache: &'n mut ReadCache) -> Result<Option<&'n [u8]>, StoreError> {
        self.table.get_cached(key, cache)
    }
}

impl Kv for Tree {
    fn get(&self, key: &[u8]) -> Result<Option<Vec<u8>>, StoreError> {
        self.tidy();
        read(|| self.0.get(key)).map(|value| value.map(|v| v.to_vec()))
    }

    fn scan(&self, stretch: Stretch<'_>) -> Result<Vec<Entry>, StoreError> {
        if stretch.is_empty() {
            return Ok(Vec::new());
        }
        let Stretch { low, high, back, max } = stretch;
        self.tidy();
        read(|| {
            let range = self.0.range::<&[u8], _>((low, high)).map(|e| e.map(|(k, v)| (k.to_vec(), v.to_vec())));
            if back { range.rev().take(max).collect() } else { range.take(max).collect() }
        })
    }

    fn apply(&self, batch: Batch) -> Result<(), StoreError> {
        let mut changes = sled::Batch::default();
        for (key, value) in batch {
            match value {
                Some(value) => changes.insert(key, value),
                None => changes.remove(key),
            }
        }
        let failed = |e: String| StoreError::Write(format!("the index: {e}"));
        caught(|| self.0.apply_batch(changes)).map_err(failed)?.map_err(|e| failed(said(e)))?;
        // Or the collector that sled uses holds on to every old page (docs/design/storage.md#what-sled-costs).
        crossbeam_epoch::pin().flush();
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_of_the_system_is_said_as_the_system_says_it_whoever_hands_it_on() {
        let full = std::io::Error::from_raw_os_error(28);
        let copied = std::io::Error::new(full.kind(), format!("{full:?}"));
        let within = std::io::Error::other(format!("the index: {full}; reopen to have it rebuilt"));
        for e in [copied, within, std::io::Error::from_raw_os_error(28)] {
            let plain = of_system(e);
            assert_eq!(plain.kind(), std::io::ErrorKind::StorageFull);
            assert_eq!(plain.to_string(), full.to_string());
        }
        assert_eq!(said(sled::Error::Io(std::io::Error::new(full.kind(), format!("{full:?}")))), full.to_string());
        let ours = of_system(std::io::Error::other("a block does not read"));
        assert_eq!(ours.to_string(), "a block does not read");
    }
    #[test]
    fn an_index_that_a_thread_of_before_still_holds_is_waited_for() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("index");
        drop(SledKv::open(&path).unwrap());
        let held = File::open(path.join("db")).unwrap();
        held.lock().unwrap();
        let (opens, opened) = std::sync::mpsc::channel();
        std::thread::scope(|scope| {
            scope.spawn(|| opens.send(SledKv::open(&path).map(drop)));
            // Long enough for it to have been refused the lock, whenever it began.
            std::thread::sleep(LOCK_PAUSE * 10);
            held.unlock().unwrap();
            opened.recv().unwrap().unwrap();
        });
    }
}
