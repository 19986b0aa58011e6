//! Copies of a data directory: made while it is in use, checked, restored, or opened for looking.
//!
//! Invariants: a backup holds only the truth (journal and action log), each file with its hash, and is not one before its
//! manifest is written; a copy that does not verify is made only where a person wants it, and its manifest says so; nothing
//! here ever writes into the directory that is copied from.

mod damage;
mod restore;
mod snapshot_dir;

use std::io::{Read, Write};
use std::path::Path;

use serde::{Deserialize, Serialize};
use sha2::Digest;

pub use self::damage::Damage;
pub use self::restore::{Restored, restore};
pub use self::snapshot_dir::SnapshotDir;
pub(super) use self::snapshot_dir::sweep;
use super::account::{self, Told, read};
use super::file::create;
use super::journal::walk::{JournalReport, walk};
use super::journal::{sealed, segment, sync_dir, tail};
use super::local::disk::{Disk, Op, RealDisk};
use super::local::place::Place;
use super::{StoreError, actions, fault, file, hex};
use skydeck_core::domain::bounds;
use skydeck_core::domain::ids::Seq;
use skydeck_core::domain::spelled::spelled;
use skydeck_core::domain::time::Ts;

/// Name of the manifest.
pub const MANIFEST: &str = "backup.json";
/// Version of its form: journal and log were compared before it was written. In one of version 1 the log may hold lines
/// that came while the journal was copied.
const FORM: u32 = 2;
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
    /// What does not verify. Unset in a backup; what carries it is a copy of a damaged directory.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub damaged: Option<Damage>,
}

/// What may be wrong with a directory that is copied.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Accept<'a> {
    /// Nothing: the copy is a backup, or there is none.
    Nothing,
    /// A log that disagrees with the journal: the directory is raised, and stays as unwell as it is.
    Disagreement,
    /// Anything: a person wants the copy, and says why.
    Damage {
        /// Why.
        reason: &'a str,
        /// Who.
        by: &'a str,
    },
}

/// The copy that is wanted of a data directory.
#[derive(Clone, Copy)]
pub struct Wanted<'a> {
    /// The directory, in use or not.
    pub data: &'a Path,
    /// Where the copy goes.
    pub to: &'a Path,
    /// The moment, for the manifest.
    pub now: Ts,
    /// What may be wrong with the directory.
    pub accept: Accept<'a>,
    /// Told of the facts read.
    pub progress: &'a dyn Fn(u64),
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

/// What was copied of a file: its length and hash.
#[derive(PartialEq, Eq)]
struct Copied {
    bytes: u64,
    sha256: String,
}

impl Copied {
    /// The file under the name it has in the backup.
    fn named(self, name: String) -> Kept {
        Kept { name, bytes: self.bytes, sha256: self.sha256 }
    }
}

/// Copies one file durably, for its owner alone, as far as it reaches now.
fn copy(disk: &dyn Disk, from: &Path, to: &Path) -> std::io::Result<Copied> {
    copy_up_to(u64::MAX, disk, from, to)
}

fn copy_up_to(most: u64, disk: &dyn Disk, from: &Path, to: &Path) -> std::io::Result<Copied> {
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
    Ok(Copied { bytes, sha256: hex(&hash.finalize()) })
}

/// How one segment comes into a copy: from, to, its name in the copy, whether it is the last one.
type Taking<'a> = &'a dyn Fn(&Path, &Path, String, bool) -> std::io::Result<Kept>;

/// Takes the journal's segments as they stand now, in order; the last one may grow meanwhile and ends where it was.
fn take_journal(from: &Path, to: &Path, take: Taking<'_>) -> Result<Vec<Kept>, StoreError> {
    let mut kept = Vec::new();
    // A journal that is gone holds no fact, which the log beside it tells.
    let is_gone = std::fs::symlink_metadata(from).is_err_and(|e| e.kind() == std::io::ErrorKind::NotFound);
    let listed: Vec<u32> = if is_gone { Vec::new() } else { tail::files(from)?.into_keys().collect() };
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

/// Copies a data directory, in use or not, into a new one, reads the copy's whole chain and compares it with its log.
///
/// # Errors
/// [`StoreError::Unverified`] where the directory does not verify and that is not accepted; then nothing of the copy is left.
pub fn backup(wanted: &Wanted<'_>) -> Result<Manifest, StoreError> {
    let was_there = wanted.to.exists();
    copy_all(&RealDisk, wanted).inspect_err(|error| {
        if matches!(error, StoreError::Unverified { .. }) {
            remove_parts(wanted.to, was_there);
        }
    })
}

/// Removes what was copied: a copy without a manifest is none, and takes its room.
fn remove_parts(to: &Path, was_there: bool) {
    let _ = std::fs::remove_dir_all(to.join("journal"));
    let _ = std::fs::remove_file(to.join(actions::FILE));
    if !was_there {
        let _ = std::fs::remove_dir(to);
    }
}

/// As [`backup`], onto a disk of one's own; what was copied stays where it fails.
pub(super) fn copy_all(disk: &dyn Disk, wanted: &Wanted<'_>) -> Result<Manifest, StoreError> {
    let &Wanted { data, to, now, accept, progress } = wanted;
    let place = Place::new(data);
    place.check()?;
    place.known_version()?;
    // What had been durable before the copy was begun must be in it.
    let durable = place.known_durable();
    make(to)?;
    let journal = to.join("journal");
    make(&journal)?;
    let copied = |from: &Path, to: &Path, name: String, _: bool| {
        copy(disk, from, to).map(|copied| copied.named(name)).inspect(|_| fault::point("upgrade_copying"))
    };
    let log = data.join(actions::FILE);
    let at_first = std::fs::symlink_metadata(&log).map_or(0, |meta| meta.len());
    let mut files = take_journal(&place.journal(), &journal, &copied)?;
    let (report, told) = read_journal(&journal, Seq(durable), progress)?;
    let target = to.join(actions::FILE);
    if log.exists() {
        // After the journal: every action it tells of has its line in this copy, and none that came later.
        let most = beginning_of(&log, &told, at_first).map_err(io(&log))?;
        let copied = copy_up_to(most, disk, &log, &target).map_err(io(&target))?;
        files.push(copied.named(actions::FILE.to_owned()));
    }
    let (lines, mut damage) = verified(&target, &report, &told)?;
    let damaged = match accept {
        _ if damage.is_none() => None,
        Accept::Disagreement if damage.journal.is_empty() => Some((None, None)),
        Accept::Damage { reason, by } => Some((Some(reason.to_owned()), Some(by.to_owned()))),
        Accept::Nothing | Accept::Disagreement => {
            return Err(StoreError::Unverified { dir: data.display().to_string(), damage: Box::new(damage) });
        }
    };
    let damaged = damaged.map(|(reason, by)| {
        (damage.durable, damage.reason, damage.by) = (durable.max(report.last.0), reason, by);
        damage
    });
    let version = place.version_file();
    let copied = copy(disk, &version, &to.join("version")).map_err(io(&version))?;
    files.push(copied.named("version".to_owned()));
    let (facts, last) = (report.facts, report.last.0);
    let manifest = Manifest { version: FORM, made: made(now), facts, last, actions: lines, files, damaged };
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

/// Walks a journal's chain. `witness`: the last place that must be in it.
fn read_journal(journal: &Path, witness: Seq, progress: &dyn Fn(u64)) -> Result<(JournalReport, Told), StoreError> {
    let mut told = Told::default();
    let report = walk(journal, witness, &mut |fact| {
        told.note(&fact);
        if fact.seq.0.is_multiple_of(50_000) {
            progress(fact.seq.0);
        }
        Ok(())
    })?;
    Ok((report, told))
}

/// Lines of the log, and what does not verify. Behind damage of the journal nothing can be compared.
fn verified(log: &Path, report: &JournalReport, told: &Told) -> Result<(u64, Damage), StoreError> {
    let found = read::read(log, told.accepted(), |_, _| Ok(())).map_err(io(log))?;
    let log = if report.damage.is_empty() { account::compare(&found, told).faults } else { Vec::new() };
    Ok((found.rows.len() as u64, Damage { journal: report.damage.clone(), log, ..Damage::default() }))
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
    if manifest.version > FORM {
        let newer = format!("it is of form {}, and this program knows up to {FORM}", manifest.version);
        return Err(refused(&format!("{newer}: use the newer program")));
    }
    let mut names = std::collections::BTreeSet::new();
    for file in &manifest.files {
        let name = spelled(bounds::head(&file.name, bounds::NUMBER));
        // A manifest is a file like any other: it names what a backup holds, and nothing else.
        if !is_ours(&file.name) {
            return Err(refused(&format!("`{name}` is no name of a file in a backup")));
        }
        if !names.insert(file.name.as_str()) {
            return Err(refused(&format!("it names `{name}` twice")));
        }
    }
    let has_journal = manifest.damaged.is_some() || names.iter().any(|name| name.starts_with("journal/"));
    if !names.contains("version") || !has_journal {
        return Err(refused("it names no version and no journal: this is no backup"));
    }
    Ok(manifest)
}
