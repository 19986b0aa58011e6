//! Copies of a data directory: made while it is in use, checked, restored, or opened for looking.
//!
//! Invariant: a backup holds only the truth (journal and action log), each file with its hash, and is not one before its
//! manifest is written; nothing here ever writes into the directory that is copied from.

use std::fs::{DirBuilder, File};
use std::io::{Read, Write};
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use sha2::Digest;

use super::doctor::walk;
use super::journal::{create, sealed, segment, sync_dir, tail};
use super::local::disk::{Disk, Op, RealDisk};
use super::local::place::Place;
use super::{StoreError, actions, fault, hex};
use crate::domain::ids::Seq;
use crate::domain::time::Ts;

/// Name of the manifest.
pub const MANIFEST: &str = "backup.json";
/// How the name of a picture of a data directory begins.
const LOOK: &str = "look-";
/// The file in it that is locked while somebody looks.
const LIVE: &str = "live";
/// Times a segment is looked for again when it was sealed under our hands.
const LOOKS: u32 = 5;

/// What a backup holds.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Manifest {
    /// Version of this form.
    pub version: u32,
    /// When it was made, UTC.
    pub made: String,
    /// Facts in the journal.
    pub facts: u64,
    /// Place of the last one.
    pub last: u64,
    /// Lines of the action log.
    pub actions: u64,
    /// Files.
    pub files: Vec<Kept>,
}

/// One file of a backup.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Kept {
    /// Path inside the backup.
    pub name: String,
    /// Length.
    pub bytes: u64,
    /// SHA-256 as hex digits.
    pub sha256: String,
}

fn io(path: &Path) -> impl Fn(std::io::Error) -> StoreError + '_ {
    move |e| StoreError::Directory(format!("{}: {e}", path.display()))
}

/// Makes a directory of our own; one that is there must be empty.
fn make(dir: &Path) -> Result<(), StoreError> {
    match DirBuilder::new().mode(0o700).create(dir) {
        Ok(()) => Ok(()),
        Err(e) if e.kind() == std::io::ErrorKind::AlreadyExists => {
            let mut inside = std::fs::read_dir(dir).map_err(io(dir))?;
            if inside.next().is_some() {
                return Err(StoreError::Directory(format!(
                    "{} is there and not empty: name one that is not there yet",
                    dir.display()
                )));
            }
            Place::new(dir).check()
        }
        Err(e) => Err(io(dir)(e)),
    }
}

/// Copies one file durably, for its owner alone. Gives its length and hash.
fn copy(disk: &dyn Disk, from: &Path, to: &Path, name: String) -> std::io::Result<Kept> {
    let mut source = File::open(from)?;
    let mut target = create(to)?;
    let (mut hash, mut bytes) = (sha2::Sha256::new(), 0_u64);
    let mut buffer = vec![0_u8; 1 << 16];
    // Up to where it reached when it was opened: the end may be growing.
    let mut left = source.metadata()?.len();
    while left > 0 {
        let want = usize::try_from(left).unwrap_or(usize::MAX).min(buffer.len());
        let Some(room) = buffer.get_mut(..want) else { break };
        let n = source.read(room)?;
        let Some(part) = buffer.get(..n).filter(|part| !part.is_empty()) else { break };
        hash.update(part);
        disk.before(Op::Copy)?;
        target.write_all(part)?;
        bytes += n as u64;
        left -= n as u64;
    }
    disk.before(Op::Copy)?;
    target.sync_all()?;
    Ok(Kept { name, bytes, sha256: hex(&hash.finalize()) })
}

/// How one segment comes into a copy: from, to, its name in the copy, whether it is the last one.
type Taking<'a> = &'a dyn Fn(&Path, &Path, String, bool) -> std::io::Result<Kept>;

/// Takes the journal's segments as they stand now, in order; the last one may grow meanwhile and ends where it was.
fn take_journal(from: &Path, to: &Path, take: Taking<'_>) -> Result<Vec<Kept>, StoreError> {
    let mut kept = Vec::new();
    let listed: Vec<u32> = tail::files(from)?.into_keys().collect();
    let last = listed.last().copied();
    for no in listed {
        let mut looks = 0;
        loop {
            let forms = [sealed::sealed_path(from, no), segment::plain_path(from, no)];
            let Some(path) = forms.iter().find(|path| path.exists()) else {
                return Err(segment::damaged(no, 0, Seq(0), "the segment is missing"));
            };
            let name = path.file_name().map(|n| n.to_string_lossy().into_owned()).unwrap_or_default();
            match take(path, &to.join(&name), format!("journal/{name}"), Some(no) == last) {
                Ok(file) => {
                    kept.push(file);
                    break;
                }
                // Sealed between the look and the copy.
                Err(e) if e.kind() == std::io::ErrorKind::NotFound && looks < LOOKS => looks += 1,
                Err(e) => return Err(io(path)(e)),
            }
        }
    }
    Ok(kept)
}

/// Copies a data directory, in use or not, into a new one, and reads the copy's whole chain. `progress`: facts read.
pub fn backup(data: &Path, to: &Path, now: Ts, progress: &dyn Fn(u64)) -> Result<Manifest, StoreError> {
    copy_all(&RealDisk, data, to, now, progress).map_err(|e| match e {
        StoreError::Damaged(what) => StoreError::Damaged(format!("{what}; the copy in {} is no backup", to.display())),
        e => e,
    })
}

/// As [`backup`], onto a disk of one's own.
pub(super) fn copy_all(
    disk: &dyn Disk,
    data: &Path,
    to: &Path,
    now: Ts,
    progress: &dyn Fn(u64),
) -> Result<Manifest, StoreError> {
    let place = Place::new(data);
    place.check()?;
    place.known_version()?;
    make(to)?;
    let journal = to.join("journal");
    make(&journal)?;
    let copied = |from: &Path, to: &Path, name: String, _: bool| {
        copy(disk, from, to, name).inspect(|_| fault::point("upgrade_copying"))
    };
    let mut files = take_journal(&place.journal(), &journal, &copied)?;
    // After the journal: every action it tells of has its line in this copy.
    let log = data.join(actions::FILE);
    let mut lines = 0;
    if log.exists() {
        let target = to.join(actions::FILE);
        files.push(copy(disk, &log, &target, actions::FILE.to_owned()).map_err(io(&target))?);
        lines = actions::verify(&target, |_, _| Ok(())).map_err(io(&target))?.lines;
    }
    let version = place.version_file();
    files.push(copy(disk, &version, &to.join("version"), "version".to_owned()).map_err(io(&version))?);
    let report = walk(&journal, Seq(0), &mut |fact| {
        if fact.seq.0.is_multiple_of(50_000) {
            progress(fact.seq.0);
        }
        Ok(())
    })?;
    if let Some(damage) = report.damage.first() {
        return Err(StoreError::Damaged(damage.clone()));
    }
    let manifest =
        Manifest { version: 1, made: made(now), facts: report.facts, last: report.last.0, actions: lines, files };
    sync_dir(&journal)?;
    let text = serde_json::to_string_pretty(&manifest).map_err(|e| StoreError::Write(e.to_string()))?;
    let path = to.join(MANIFEST);
    let written = disk.before(Op::Copy).and_then(|()| create(&path)).and_then(|mut file| {
        file.write_all(text.as_bytes())?;
        file.sync_all()
    });
    written.map_err(io(&path))?;
    sync_dir(to)?;
    Ok(manifest)
}

fn made(now: Ts) -> String {
    let at = chrono::DateTime::from_timestamp_millis(now.0).unwrap_or_default();
    at.to_rfc3339_opts(chrono::SecondsFormat::Secs, true)
}

/// Reads a backup's manifest.
pub fn manifest(from: &Path) -> Result<Manifest, StoreError> {
    let path = from.join(MANIFEST);
    let text = std::fs::read_to_string(&path).map_err(|e| {
        StoreError::Directory(format!("{}: {e}; this is no backup, or one that was never finished", path.display()))
    })?;
    let manifest: Manifest =
        serde_json::from_str(&text).map_err(|e| StoreError::Directory(format!("{}: {e}", path.display())))?;
    for file in &manifest.files {
        // A manifest is a file like any other: it may not lead out of the directory.
        let inside = Path::new(&file.name).components().all(|c| matches!(c, std::path::Component::Normal(_)));
        if !inside || file.name.is_empty() {
            return Err(StoreError::Directory(format!("{}: `{}` is no name of a file", path.display(), file.name)));
        }
    }
    Ok(manifest)
}

/// Copies a backup into a new data directory, after comparing every file with its hash. The index is built at the next
/// opening.
pub fn restore(from: &Path, data: &Path) -> Result<Manifest, StoreError> {
    let manifest = manifest(from)?;
    make(data)?;
    let journal = data.join("journal");
    make(&journal)?;
    for file in &manifest.files {
        let (source, target) = (from.join(&file.name), data.join(&file.name));
        let copied = copy(&RealDisk, &source, &target, file.name.clone()).map_err(io(&source))?;
        if copied != *file {
            return Err(StoreError::Damaged(format!(
                "{}: {} bytes with another hash than when the backup was made; {} is not to be used",
                source.display(),
                copied.bytes,
                data.display()
            )));
        }
    }
    sync_dir(&journal)?;
    sync_dir(data)?;
    // What the backup was read to hold may not go missing unnoticed.
    Place::new(data).note_durable(manifest.last).map_err(io(data))?;
    Ok(manifest)
}

/// A copy to look at, in a directory that goes with this value. What it was copied from is only read.
pub struct Looking {
    dir: tempfile::TempDir,
    /// Held while somebody looks, so that nobody sweeps the copy away.
    _live: Option<File>,
    /// What it is a copy of.
    pub of: PathBuf,
    /// When the backup was made, or the picture taken, UTC.
    pub made: String,
}

impl Looking {
    /// Copies a backup below a directory for temporary files.
    pub fn open(from: &Path) -> Result<Self, StoreError> {
        let dir = tempfile::Builder::new().prefix("skydeck-snapshot-").tempdir();
        let dir =
            dir.map_err(|e| StoreError::Directory(format!("a copy of {} cannot be made: {e}", from.display())))?;
        let looking = Self { _live: None, of: from.to_path_buf(), made: String::new(), dir };
        let made = restore(from, &looking.data())?.made;
        let copy = Place::new(&looking.data());
        // The copy is nobody's but ours: nothing is asked and nothing kept before it is opened.
        copy.known_version().and_then(|_| copy.write_version(&RealDisk))?;
        Ok(Self { made, ..looking })
    }

    /// Takes a picture of a data directory of an earlier version, which a look must not raise: its closed segments under
    /// second names, its last one copied. It lies in the directory itself, where its index will have room.
    pub fn beside(data: &Path, now: Ts) -> Result<Self, StoreError> {
        let place = Place::new(data);
        place.check()?;
        place.known_version()?;
        sweep(data);
        let failed = |e: std::io::Error| place.refused("a picture of it to look at cannot be made", &e);
        let dir = tempfile::Builder::new().prefix(LOOK).tempdir_in(data).map_err(failed)?;
        let live = create(&dir.path().join(LIVE)).map_err(failed)?;
        live.try_lock().map_err(|e| failed(e.into()))?;
        let looking = Self { dir, _live: Some(live), of: data.to_path_buf(), made: made(now) };
        let copy_of = Place::new(&looking.data());
        make(&copy_of.dir)?;
        make(&copy_of.journal())?;
        take_journal(&place.journal(), &copy_of.journal(), &|from, to, name, is_last| {
            let linked = !is_last && std::fs::hard_link(from, to).is_ok();
            if linked { Ok(Kept { name, bytes: 0, sha256: String::new() }) } else { copy(&RealDisk, from, to, name) }
        })?;
        let log = data.join(actions::FILE);
        if log.exists() {
            copy(&RealDisk, &log, &copy_of.dir.join(actions::FILE), String::new()).map_err(io(&log))?;
        }
        copy_of.note_durable(place.known_durable()).map_err(failed)?;
        copy_of.write_version(&RealDisk)?;
        Ok(looking)
    }

    /// The data directory.
    pub fn data(&self) -> PathBuf {
        self.dir.path().join("data")
    }
}

/// Removes pictures whose lookers were ended before they could.
pub(super) fn sweep(data: &Path) {
    for entry in std::fs::read_dir(data).into_iter().flatten().flatten() {
        let path = entry.path();
        if !entry.file_name().to_string_lossy().starts_with(LOOK) {
            continue;
        }
        match File::open(path.join(LIVE)) {
            Ok(live) if live.try_lock().is_ok() => drop(std::fs::remove_dir_all(&path)),
            Ok(_) => {}
            // Only just begun, by somebody living or dead: an empty one is nobody's loss.
            Err(_) => drop(std::fs::remove_dir(&path)),
        }
    }
}
