//! Copies of a data directory: made while it is in use, checked, restored, or opened for looking.
//!
//! Invariant: a backup holds only the truth (journal and action log), each file with its hash, and is not one before its
//! manifest is written; nothing here ever writes into the directory that is copied from.

use std::fs::File;
use std::io::{Read, Write};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use sha2::Digest;

use super::account::{self, Told, read};
use super::doctor::walk;
use super::file::create;
use super::journal::{sealed, segment, sync_dir, tail};
use super::local::disk::{Disk, Op, RealDisk};
use super::local::place::Place;
use super::{StoreError, actions, fault, file, hex};
use crate::domain::action_log::LogFault;
use crate::domain::bounds;
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
    match file::make_dir(dir) {
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

/// Copies one file durably, for its owner alone, as far as it reaches now. Gives its length and hash.
fn copy(disk: &dyn Disk, from: &Path, to: &Path, name: String) -> std::io::Result<Kept> {
    copy_up_to(u64::MAX, disk, from, to, name)
}

fn copy_up_to(most: u64, disk: &dyn Disk, from: &Path, to: &Path, name: String) -> std::io::Result<Kept> {
    let mut source = file::open(from)?;
    let mut target = create(to)?;
    let (mut hash, mut bytes) = (sha2::Sha256::new(), 0_u64);
    let mut buffer = vec![0_u8; 1 << 16];
    // Up to where it reached when it was opened: the end may be growing.
    let mut left = source.metadata()?.len().min(most);
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
    let log = data.join(actions::FILE);
    let at_first = std::fs::symlink_metadata(&log).map_or(0, |meta| meta.len());
    let mut files = take_journal(&place.journal(), &journal, &copied)?;
    let mut told = Told::default();
    let report = walk(&journal, Seq(0), &mut |fact| {
        told.note(&fact);
        if fact.seq.0.is_multiple_of(50_000) {
            progress(fact.seq.0);
        }
        Ok(())
    })?;
    if let Some(damage) = report.damage.first() {
        return Err(StoreError::Damaged(damage.clone()));
    }
    let mut lines = 0;
    if log.exists() {
        // After the journal: every action it tells of has its line in this copy, and none that came later.
        let most = beginning_of(&log, &told, at_first).map_err(io(&log))?;
        let target = to.join(actions::FILE);
        files.push(copy_up_to(most, disk, &log, &target, actions::FILE.to_owned()).map_err(io(&target))?);
        lines = lines_of(&target, &told)?;
    }
    let version = place.version_file();
    files.push(copy(disk, &version, &to.join("version"), "version".to_owned()).map_err(io(&version))?);
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

/// How much of the log belongs to a journal that was copied: what stood in it before that was begun, and every line that the
/// copy tells of. A log that is not whole is taken as it is.
fn beginning_of(log: &Path, told: &Told, at_first: u64) -> std::io::Result<u64> {
    let newest = told.newest_line().seq;
    let (mut at, mut keep) = (0_u64, 0_u64);
    let found = read::read(log, told.accepted(), |text, line| {
        at += text.len() as u64 + 1;
        if at <= at_first || line.seq <= newest {
            keep = at;
        }
        Ok(())
    })?;
    Ok(if found.fault.is_none() && at == found.whole { keep } else { u64::MAX })
}

fn lines_of(log: &Path, told: &Told) -> Result<u64, StoreError> {
    read::read(log, told.accepted(), |_, _| Ok(())).map(|found| found.rows.len() as u64).map_err(io(log))
}

fn made(now: Ts) -> String {
    let at = chrono::DateTime::from_timestamp_millis(now.0).unwrap_or_default();
    at.to_rfc3339_opts(chrono::SecondsFormat::Secs, true)
}

/// Longest manifest that is read, bytes.
const MANIFEST_MAX: u64 = 64 << 20;

/// Whether a file of a backup may have this name: a segment, the action log, the version.
fn is_ours(name: &str) -> bool {
    let segment = |name: &str| {
        let (no, ending) = name.split_once('.').unwrap_or_default();
        no.len() >= 8 && no.bytes().all(|b| b.is_ascii_digit()) && matches!(ending, "log" | "seal")
    };
    matches!(name, "version" | actions::FILE) || name.strip_prefix("journal/").is_some_and(segment)
}

/// Reads a backup's manifest.
pub fn manifest(from: &Path) -> Result<Manifest, StoreError> {
    let path = from.join(MANIFEST);
    let refused = |what: &str| StoreError::Directory(format!("{}: {what}", path.display()));
    let text = file::read_text(&path, MANIFEST_MAX)
        .map_err(|e| refused(&format!("{e}; this is no backup, or one that was never finished")))?;
    let manifest: Manifest = serde_json::from_str(&text).map_err(|e| refused(&e.to_string()))?;
    let mut names = std::collections::BTreeSet::new();
    for file in &manifest.files {
        let name = bounds::head(&file.name, bounds::NUMBER).escape_debug();
        // A manifest is a file like any other: it names what a backup holds, and nothing else.
        if !is_ours(&file.name) {
            return Err(refused(&format!("`{name}` is no name of a file in a backup")));
        }
        if !names.insert(file.name.as_str()) {
            return Err(refused(&format!("it names `{name}` twice")));
        }
    }
    if !names.contains("version") || !names.iter().any(|name| name.starts_with("journal/")) {
        return Err(refused("it names no version and no journal: this is no backup"));
    }
    Ok(manifest)
}

/// Copies a backup into a new data directory: every file compared with its hash, then the chain walked, and facts and lines
/// counted. Only then does the directory get its name; whatever fails leaves nothing behind. The index is built at the next
/// opening. `progress`: facts read.
pub fn restore(from: &Path, data: &Path, progress: &dyn Fn(u64)) -> Result<Manifest, StoreError> {
    let manifest = manifest(from)?;
    let had_one = is_empty_directory(data)?;
    let building = building_place(data, had_one)?;
    let restored = fill(from, &manifest, &building, progress).and_then(|()| put_in_place(&building, data));
    if restored.is_err() {
        let _ = std::fs::remove_dir_all(&building);
    }
    restored.map(|()| manifest)
}

/// Whether the directory is there and empty; one that holds something is refused.
fn is_empty_directory(data: &Path) -> Result<bool, StoreError> {
    if std::fs::symlink_metadata(data).is_err() {
        return Ok(false);
    }
    Place::new(data).check()?;
    if std::fs::read_dir(data).map_err(io(data))?.next().is_some() {
        return Err(StoreError::Directory(format!(
            "{} is there and not empty: name one that is not there yet",
            data.display()
        )));
    }
    Ok(true)
}

/// A directory beside the one that is restored; in it, where nothing can be made beside one that is there.
fn building_place(data: &Path, had_one: bool) -> Result<PathBuf, StoreError> {
    let name = data.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    let name = format!("{name}.restoring-{}", std::process::id());
    let beside = data.with_file_name(&name);
    if let Some(above) = data.parent().filter(|above| !above.as_os_str().is_empty() && !above.exists()) {
        file::make_dirs(above).map_err(io(above))?;
    }
    match file::make_dir(&beside) {
        Ok(()) => Ok(beside),
        Err(_) if had_one => {
            let inside = data.join(name);
            file::make_dir(&inside).map_err(io(&inside))?;
            Ok(inside)
        }
        Err(e) => Err(io(&beside)(e)),
    }
}

fn fill(from: &Path, manifest: &Manifest, to: &Path, progress: &dyn Fn(u64)) -> Result<(), StoreError> {
    let (source, journal) = (from.join("journal"), to.join("journal"));
    let kind = std::fs::symlink_metadata(&source).map_err(io(&source))?;
    if !kind.is_dir() {
        return Err(StoreError::Directory(format!("{} is no directory: this is no backup", source.display())));
    }
    make(&journal)?;
    for kept in &manifest.files {
        let (source, target) = (from.join(&kept.name), to.join(&kept.name));
        let other = |bytes: u64| {
            StoreError::Damaged(format!(
                "{}: {bytes} bytes with another hash than when the backup was made; nothing was restored",
                source.display()
            ))
        };
        let length = std::fs::symlink_metadata(&source).map_err(io(&source))?.len();
        let copied = copy_up_to(kept.bytes, &RealDisk, &source, &target, kept.name.clone()).map_err(io(&source))?;
        if copied != *kept || length != kept.bytes {
            return Err(other(length));
        }
    }
    let place = Place::new(to);
    place.known_version()?;
    let mut told = Told::default();
    let report = walk(&journal, Seq(manifest.last), &mut |fact| {
        told.note(&fact);
        if fact.seq.0.is_multiple_of(50_000) {
            progress(fact.seq.0);
        }
        Ok(())
    })?;
    if let Some(damage) = report.damage.first() {
        return Err(StoreError::Damaged(format!("{damage}; nothing was restored")));
    }
    let log = to.join(actions::FILE);
    let lines = lines_of(&log, &told)?;
    if (report.facts, report.last.0, lines) != (manifest.facts, manifest.last, manifest.actions) {
        return Err(StoreError::Damaged(format!(
            "{} tells of {} facts up to {} and {} lines of the action log, and the backup holds {} up to {} and {lines};              nothing was restored",
            from.join(MANIFEST).display(),
            manifest.facts,
            manifest.last,
            manifest.actions,
            report.facts,
            report.last
        )));
    }
    cut_to_journal(&log, &told)?;
    sync_dir(&journal)?;
    sync_dir(to)?;
    // What the backup was read to hold may not go missing unnoticed.
    place.note_durable(manifest.last).map_err(io(to))
}

/// A backup of an earlier program, made while the directory was in use, holds lines of actions that came after its journal:
/// they are no part of what is restored.
fn cut_to_journal(log: &Path, told: &Told) -> Result<(), StoreError> {
    let mut ends: Vec<(u64, u64)> = Vec::new();
    let mut at = 0;
    let found = read::read(log, told.accepted(), |text, line| {
        at += text.len() as u64 + 1;
        ends.push((line.seq, at));
        Ok(())
    });
    let faults = account::compare(&found.map_err(io(log))?, told).faults;
    if let [LogFault::JournalOlder { line, .. }] = faults.as_slice() {
        let end = ends.iter().take_while(|(seq, _)| seq < line).last().map_or(0, |(_, end)| *end);
        let file = file::regular(std::fs::OpenOptions::new().write(true), log);
        file.and_then(|file| {
            file.set_len(end)?;
            file.sync_all()
        })
        .map_err(io(log))?;
    }
    Ok(())
}

/// Gives the finished directory its name; what stood under it was empty.
fn put_in_place(building: &Path, data: &Path) -> Result<(), StoreError> {
    if building.parent() != Some(data) {
        std::fs::rename(building, data).map_err(io(data))?;
        return data.parent().filter(|above| !above.as_os_str().is_empty()).map_or(Ok(()), sync_dir);
    }
    // The journal last: without it the store would be empty beside a full log, which is named.
    for name in [actions::FILE, "version", "journal"] {
        let (part, target) = (building.join(name), data.join(name));
        if part.exists() {
            std::fs::rename(&part, &target).map_err(io(&target))?;
        }
    }
    std::fs::remove_dir(building).map_err(io(building))?;
    sync_dir(data)
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
        let made = restore(from, &looking.data(), &|_| {})?.made;
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
