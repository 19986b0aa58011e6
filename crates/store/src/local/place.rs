//! The data directory: who may use it, who holds it, which version wrote it.
//!
//! Invariant: a directory that others could read, or that another process holds, is refused before anything in
//! it is touched.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{Read, Seek, SeekFrom, Write};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use chrono::TimeZone;
use ulid::Ulid;

use super::disk::{Disk, Op, RealDisk};
use crate::file::{self, create};
use crate::journal::{sync_dir, tail};
use crate::{StoreError, fault};
use skydeck_core::domain::time::Ts;
use skydeck_core::text::show;

/// Version of the whole directory. 0.1.0 refuses what is newer than its own, and changes nothing but `owner.lock`.
pub const VERSION: u32 = 2;
/// The version of 0.1.0.
pub const FIRST: u32 = 1;
/// Bytes set aside so that outcomes can still be written on a full disk.
pub const BALLAST: u64 = 16 * 1024 * 1024;

/// Longest of the small files, bytes.
const SMALL: u64 = 4096;

/// Names where the facts of a directory went on.
const MOVED: &str = "MOVED";
/// Names the directory itself, where several machines share a store.
const NAME: &str = "name";

/// Paths of a data directory.
#[derive(Clone, Debug)]
pub struct Place {
    /// The directory.
    pub dir: PathBuf,
}

impl Place {
    /// Names the parts of a directory.
    pub fn new(dir: &Path) -> Self {
        Self { dir: dir.to_path_buf() }
    }

    /// The journal's directory.
    pub fn journal(&self) -> PathBuf {
        self.dir.join("journal")
    }

    /// The index's directory.
    pub fn index(&self) -> PathBuf {
        self.dir.join("sled")
    }

    /// The file set aside for a full disk.
    pub fn ballast(&self) -> PathBuf {
        self.dir.join("ballast")
    }

    fn lock(&self) -> PathBuf {
        self.dir.join("owner.lock")
    }

    /// The index that is built beside the old one while the directory, or only its index, is upgraded.
    pub fn new_index(&self) -> PathBuf {
        self.dir.join("sled.upgrade")
    }

    /// The file that says which version the directory is of.
    pub fn version_file(&self) -> PathBuf {
        self.dir.join("version")
    }

    fn known(&self) -> PathBuf {
        self.dir.join("journal").join("known")
    }

    /// Why this directory is not used.
    pub fn say(&self, what: &str) -> StoreError {
        StoreError::Directory(format!("data directory {}: {what}", self.dir.display()))
    }

    /// An input or output error at opening, said with what to do.
    pub fn refused(&self, what: &str, e: &std::io::Error) -> StoreError {
        use std::io::ErrorKind as Kind;
        let said = e.to_string();
        // What we say ourselves of a file says what to do.
        if e.kind() == Kind::Other && !said.contains("(os error ") {
            return self.say(&format!("{what}: {said}; nothing was changed"));
        }
        let advice = match e.kind() {
            Kind::StorageFull | Kind::QuotaExceeded => "the disk is full: free some space, nothing was changed",
            Kind::PermissionDenied => {
                "check the owner and mode (`skydeck self check` tells what else denies it), nothing was changed"
            }
            Kind::FileTooLarge => {
                "a limit on the size of files (`ulimit -f`) is in the way: raise it, nothing was changed"
            }
            Kind::ReadOnlyFilesystem | Kind::NotADirectory | Kind::InvalidFilename => {
                "name a directory that can be written (`--data DIR`, or XDG_STATE_HOME), nothing was changed"
            }
            _ => "the disk does not answer as it should (`dmesg` tells more), nothing was changed",
        };
        self.say(&format!("{what}: {said}: {advice}"))
    }

    /// Creates the directory for its owner alone, or checks that it is so. True when it was created.
    pub fn prepare(&self) -> Result<bool, StoreError> {
        let fresh = match std::fs::symlink_metadata(&self.dir) {
            Ok(_) => false,
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => {
                file::make_dirs(&self.dir).map_err(|e| self.refused("cannot be created", &e))?;
                true
            }
            Err(e) => return Err(self.refused("cannot be looked at", &e)),
        };
        self.check()?;
        Ok(fresh)
    }

    /// Refuses what others could read or swap.
    pub fn check(&self) -> Result<(), StoreError> {
        let meta = std::fs::symlink_metadata(&self.dir).map_err(|e| self.refused("cannot be looked at", &e))?;
        if meta.file_type().is_symlink() {
            return Err(self.say("it is a symbolic link; name the directory itself"));
        }
        if !meta.is_dir() {
            return Err(self.say("it is no directory"));
        }
        let me = rustix::process::geteuid().as_raw();
        if meta.uid() != me {
            return Err(self.say(&format!("it belongs to user id {}, not to {me}; use your own", meta.uid())));
        }
        let mode = meta.mode() & 0o777;
        if mode & 0o077 != 0 {
            let path = self.dir.display();
            return Err(self.say(&format!("others may use it (mode {mode:04o}); say `chmod 700 {path}`")));
        }
        if let Ok(stat) = rustix::fs::statfs(&self.dir) {
            // NFS, SMB, CIFS, SMB2: locks there are not to be trusted.
            if [0x6969, 0x517b, 0xff53_4d42, 0xfe53_4d42].contains(&(stat.f_type as u64 & 0xffff_ffff)) {
                return Err(
                    self.say("it lies on a network file system, where locks cannot be trusted; use a local disk")
                );
            }
        }
        Ok(())
    }

    /// Takes the owner's lock for the life of the file.
    pub fn take(&self, now: Ts, who: &str) -> Result<File, StoreError> {
        let path = self.lock();
        let opened = file::ours(OpenOptions::new().read(true).write(true).create(true).truncate(false), &path);
        let mut file = opened.map_err(|e| self.refused("owner.lock", &e))?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Err(self.held(&mut file)),
            Err(TryLockError::Error(e)) => return Err(self.refused("owner.lock", &e)),
        }
        let text = format!("pid {}\nwho {who}\nsince {}\n", std::process::id(), local_time(now));
        let written = file.set_len(0).and_then(|()| file.seek(SeekFrom::Start(0))).and_then(|_| {
            file.write_all(text.as_bytes())?;
            file.sync_all()
        });
        written.map_err(|e| self.refused("owner.lock", &e))?;
        Ok(file)
    }

    fn held(&self, file: &mut File) -> StoreError {
        let mut text = String::new();
        let _ = file.read_to_string(&mut text);
        let line = |name: &str| text.lines().find_map(|l| l.strip_prefix(name)).unwrap_or("?").trim().to_owned();
        StoreError::Held {
            dir: self.dir.display().to_string(),
            pid: line("pid").parse().unwrap_or(0),
            who: line("who"),
            since: line("since"),
        }
    }

    /// Where the facts went on, as a copy into a database noted.
    pub fn moved(&self) -> Result<Option<String>, StoreError> {
        match file::read_text(&self.dir.join(MOVED), SMALL) {
            Ok(text) => Ok(Some(text.trim().to_owned())),
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => Ok(None),
            Err(e) => Err(self.refused(MOVED, &e)),
        }
    }

    /// A name of this directory that no other one has, made when it is first asked for: several machines that share a store each
    /// have a directory.
    pub fn name(&self) -> Result<String, StoreError> {
        let path = self.dir.join(NAME);
        match file::read_text(&path, SMALL) {
            Ok(text) if !text.trim().is_empty() => return Ok(text.trim().to_owned()),
            Ok(_) => {}
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => {}
            Err(e) => return Err(self.refused(NAME, &e)),
        }
        let name = Ulid::generate().to_string();
        let opened = file::ours(OpenOptions::new().write(true).create(true).truncate(true), &path);
        let written = opened.and_then(|mut file| {
            file.write_all(format!("{name}\n").as_bytes())?;
            file.sync_all()
        });
        written.map_err(|e| self.refused(NAME, &e))?;
        sync_dir(&self.dir)?;
        Ok(name)
    }

    /// Notes durably where the facts go on.
    pub fn mark_moved(&self, where_to: &str) -> Result<(), StoreError> {
        let path = self.dir.join(MOVED);
        let opened = file::ours(OpenOptions::new().write(true).create(true).truncate(true), &path);
        let written = opened.and_then(|mut file| {
            file.write_all(format!("{where_to}\n").as_bytes())?;
            file.sync_all()
        });
        written.map_err(|e| self.refused(MOVED, &e))?;
        self.sync_all()
    }

    /// The version written in the directory, `None` where none is; refuses a newer one. Writes nothing.
    pub fn version(&self) -> Result<Option<u32>, StoreError> {
        let text = match file::read_text(&self.version_file(), SMALL) {
            Ok(text) => text,
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => return Ok(None),
            Err(e) => return Err(self.refused("version", &e)),
        };
        match text.trim().strip_prefix("skydeck store ").and_then(|v| v.parse::<u32>().ok()) {
            Some(found) if found > VERSION => {
                Err(StoreError::TooNew { dir: self.dir.display().to_string(), found, known: VERSION })
            }
            Some(found) if found >= FIRST => Ok(Some(found)),
            _ => {
                let said = show(text.trim(), 80).into_string();
                Err(StoreError::NoVersion { dir: self.dir.display().to_string(), said: Some(said) })
            }
        }
    }

    /// Writes this program's version in the place of an older one, or of none: the old file or the new one stands
    /// there, never half of one.
    pub fn write_version(&self, disk: &dyn Disk) -> Result<(), StoreError> {
        let path = self.version_file();
        let new = path.with_extension("new");
        let written = disk.before(Op::Version).and_then(|()| create(&new)).and_then(|mut file| {
            file.write_all(format!("skydeck store {VERSION}\n").as_bytes())?;
            file.sync_all()
        });
        let renamed = written.and_then(|()| {
            fault::point("upgrade_marking");
            disk.before(Op::Version)?;
            std::fs::rename(&new, &path)
        });
        if let Err(e) = renamed {
            let _ = std::fs::remove_file(&new);
            return Err(self.refused("version", &e));
        }
        sync_dir(&self.dir)
    }

    /// The version of the directory; a new one gets this program's. Refuses a newer one, and a journal of nobody knows which;
    /// raises none.
    pub fn settle_version(&self) -> Result<u32, StoreError> {
        if let Some(found) = self.version()? {
            return Ok(found);
        }
        self.no_journal()?;
        self.write_version(&RealDisk)?;
        Ok(VERSION)
    }

    /// The version of a directory that is there. Refuses what is no store, or one of a newer version; writes nothing.
    pub fn known_version(&self) -> Result<u32, StoreError> {
        if let Some(found) = self.version()? {
            return Ok(found);
        }
        self.no_journal()?;
        Err(self.say("there is no store here"))
    }

    /// Refuses a journal without a file `version` beside it: taken for a new directory, one of an earlier version would be
    /// raised without a backup.
    fn no_journal(&self) -> Result<(), StoreError> {
        let is_there = tail::files(&self.journal()).is_ok_and(|files| !files.is_empty());
        if is_there { Err(StoreError::NoVersion { dir: self.dir.display().to_string(), said: None }) } else { Ok(()) }
    }

    /// A command that is meant for this directory, as it is typed.
    pub fn command(&self, verb: &str) -> String {
        command(verb, &self.dir)
    }

    /// Creates a directory of the store.
    pub fn make(&self, path: &Path) -> Result<(), StoreError> {
        match file::make_dir(path) {
            Ok(()) => sync_dir(&self.dir),
            Err(e) if e.kind() == std::io::ErrorKind::AlreadyExists => {
                let is_dir = std::fs::symlink_metadata(path).is_ok_and(|meta| meta.is_dir());
                if is_dir { Ok(()) } else { Err(self.say(&format!("{} is no directory", path.display()))) }
            }
            Err(e) => Err(self.refused(&path.display().to_string(), &e)),
        }
    }

    /// Last place a clean close noted, 0 when none.
    pub fn known_durable(&self) -> u64 {
        let text = file::read_text(&self.known(), SMALL).unwrap_or_default();
        text.trim().strip_prefix("durable up to fact ").and_then(|n| n.parse().ok()).unwrap_or(0)
    }

    /// Notes at a clean close how far everything is durable.
    pub fn note_durable(&self, seq: u64) -> std::io::Result<()> {
        let path = self.known();
        let new = path.with_extension("new");
        let mut file = create(&new)?;
        file.write_all(format!("durable up to fact {seq}\n").as_bytes())?;
        file.sync_all()?;
        std::fs::rename(&new, &path)?;
        File::open(self.journal())?.sync_all()
    }

    /// Whether space is set aside: a whole file of ours, and no link to one elsewhere.
    pub fn has_ballast(&self) -> bool {
        std::fs::symlink_metadata(self.ballast()).is_ok_and(|m| m.is_file() && m.len() == BALLAST)
    }

    /// Sets space aside; false when there is none to spare.
    pub fn fill_ballast(&self) -> bool {
        if self.has_ballast() {
            return true;
        }
        let path = self.ballast();
        let filled = create(&path).and_then(|mut file| {
            if rustix::fs::fallocate(&file, rustix::fs::FallocateFlags::empty(), 0, BALLAST).is_err() {
                let zeros = vec![0_u8; 64 * 1024];
                for _ in 0..BALLAST / zeros.len() as u64 {
                    file.write_all(&zeros)?;
                }
            }
            file.sync_all()
        });
        if filled.is_err() {
            let _ = std::fs::remove_file(&path);
        }
        filled.is_ok()
    }

    /// Gives the space back; true when there was some.
    pub fn drop_ballast(&self) -> bool {
        std::fs::remove_file(self.ballast()).is_ok()
    }

    /// Makes every file and directory of the store durable, once after creation.
    pub fn sync_all(&self) -> Result<(), StoreError> {
        for dir in [self.index(), self.journal(), self.dir.clone()] {
            let io = |e: std::io::Error| self.refused(&dir.display().to_string(), &e);
            for entry in std::fs::read_dir(&dir).map_err(io)? {
                let entry = entry.map_err(io)?;
                if entry.file_type().map_err(io)?.is_file() {
                    File::open(entry.path()).and_then(|f| f.sync_all()).map_err(io)?;
                }
            }
            sync_dir(&dir)?;
        }
        Ok(())
    }
}

/// A command that is meant for a data directory, as it is typed.
pub fn command(verb: &str, dir: &Path) -> String {
    format!("skydeck {verb} --data {}", quoted(dir))
}

/// A path as a shell takes it.
pub fn quoted(path: &Path) -> String {
    let text = path.display().to_string();
    let plain = |c: char| c.is_alphanumeric() || "/._-+:@".contains(c);
    if !text.is_empty() && text.chars().all(plain) { text } else { format!("'{}'", text.replace('\'', r"'\''")) }
}

/// A number of bytes for people.
pub fn bytes_for_people(bytes: u64) -> String {
    let mib = bytes as f64 / (1024.0 * 1024.0);
    if mib >= 1024.0 { format!("{:.1} GiB", mib / 1024.0) } else { format!("{mib:.1} MiB") }
}

/// A time for people, in the zone of this machine.
pub fn local_time(at: Ts) -> String {
    match chrono::Local.timestamp_millis_opt(at.0).single() {
        Some(at) => at.format("%Y-%m-%d %H:%M:%S").to_string(),
        None => at.0.to_string(),
    }
}

/// A time as part of a file name.
pub fn stamp(at: Ts) -> String {
    match chrono::Utc.timestamp_millis_opt(at.0).single() {
        Some(at) => at.format("%Y%m%dT%H%M%S%3f").to_string(),
        None => at.0.to_string(),
    }
}
