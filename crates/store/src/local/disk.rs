//! The few disk operations on which durability hangs, as a port, so that tests can make the n-th one fail.
//!
//! Invariant: the real one adds nothing of its own.

use std::fs::File;
use std::io::{self, Write};
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};

/// What is done to the disk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Op {
    /// Frames are written to the journal.
    Write,
    /// The journal is made durable.
    Sync,
    /// A batch goes to the index.
    Index,
    /// The index is made durable.
    IndexSync,
    /// Bytes of the backup that goes before an upgrade.
    Copy,
    /// The file `version`.
    Version,
    /// A batch goes to an index that is built anew beside the old one.
    Build,
    /// That index is made durable.
    BuildSync,
    /// That index takes the old one's place.
    Swap,
}

/// The disk.
pub trait Disk: Send + Sync {
    /// Writes all bytes at the end of a journal segment.
    fn write(&self, file: &mut File, bytes: &[u8]) -> io::Result<()> {
        self.before(Op::Write)?;
        file.write_all(bytes)
    }

    /// Makes a segment's bytes durable.
    fn sync(&self, file: &File) -> io::Result<()> {
        self.before(Op::Sync)?;
        file.sync_data()
    }

    /// Asked before each operation; an error stands for the operation's own.
    fn before(&self, op: Op) -> io::Result<()>;

    /// Bytes free for us where a path lies.
    fn free(&self, path: &Path) -> io::Result<u64> {
        let stat = rustix::fs::statvfs(path)?;
        Ok(stat.f_bavail.saturating_mul(stat.f_frsize))
    }
}

/// The real disk.
#[derive(Clone, Copy, Debug, Default)]
pub struct RealDisk;

impl Disk for RealDisk {
    fn before(&self, _: Op) -> io::Result<()> {
        Ok(())
    }
}

/// A disk that fails by plan.
#[derive(Debug)]
pub struct FailingDisk {
    /// Operations seen so far, of all kinds.
    pub seen: AtomicU64,
    /// Which one fails, from 1.
    pub nth: u64,
    /// Whether all after it fail too.
    pub from_then_on: bool,
    /// The error.
    pub errno: i32,
    /// For a failing write: how many of its bytes still reach the disk.
    pub partial: usize,
}

impl FailingDisk {
    /// Fails the n-th operation with an error number of the system.
    pub fn new(nth: u64, from_then_on: bool, errno: rustix::io::Errno) -> Self {
        Self { seen: AtomicU64::new(0), nth, from_then_on, errno: errno.raw_os_error(), partial: 0 }
    }
}

impl Disk for FailingDisk {
    fn write(&self, file: &mut File, bytes: &[u8]) -> io::Result<()> {
        match self.before(Op::Write) {
            Ok(()) => file.write_all(bytes),
            Err(e) => {
                file.write_all(bytes.get(..self.partial.min(bytes.len())).unwrap_or_default())?;
                Err(e)
            }
        }
    }

    fn before(&self, _: Op) -> io::Result<()> {
        let now = self.seen.fetch_add(1, Ordering::SeqCst) + 1;
        if now == self.nth || (self.from_then_on && now > self.nth) {
            return Err(io::Error::from_raw_os_error(self.errno));
        }
        Ok(())
    }
}
