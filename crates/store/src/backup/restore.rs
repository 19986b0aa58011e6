//! A backup becomes a data directory again.
//!
//! Invariants: what does not verify is never taken for whole; nothing half-restored is left.

use std::path::{Path, PathBuf};

use super::{Damage, Manifest, copy_up_to, io, make, manifest, read_journal, verified};
use crate::account::{Told, read};
use crate::journal::sync_dir;
use crate::local::disk::RealDisk;
use crate::local::place::Place;
use crate::{StoreError, actions, file};
use skydeck_core::domain::action_log::LogFault;
use skydeck_core::domain::ids::Seq;
use skydeck_core::domain::time::Ts;

/// What was restored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Restored {
    /// The backup's manifest; `damaged` says what is wrong with what was restored, whether it was marked or not.
    pub manifest: Manifest,
    /// Lines of the action log that came after the backup was begun, and are no part of it.
    pub left_out: u64,
}

/// Copies a backup into a new data directory: every file compared with its hash, then the chain walked, facts and lines
/// counted, journal and log compared. Only then does the directory get its name; whatever fails leaves nothing behind. The
/// index is built at the next opening. `damaged`: whether a copy that does not verify is wanted; what is restored of it is as
/// unwell as what was copied. `progress`: facts read.
///
/// # Errors
/// [`StoreError::Unverified`] where the copy is marked as damaged, or does not verify, and that was not wanted.
pub fn restore(from: &Path, data: &Path, damaged: bool, progress: &dyn Fn(u64)) -> Result<Restored, StoreError> {
    let mut manifest = manifest(from)?;
    if let Some(damage) = manifest.damaged.as_ref().filter(|_| !damaged) {
        return Err(unverified(from, damage.clone()));
    }
    let had_one = is_empty_directory(data)?;
    let building = building_place(data, had_one)?;
    let restored = fill(from, &manifest, &building, damaged, progress)
        .and_then(|restored| put_in_place(&building, data).map(|()| restored));
    if restored.is_err() {
        let _ = std::fs::remove_dir_all(&building);
    }
    let (left_out, found) = restored?;
    manifest.damaged = manifest.damaged.or(found);
    Ok(Restored { manifest, left_out })
}

fn unverified(from: &Path, damage: Damage) -> StoreError {
    StoreError::Unverified { dir: from.display().to_string(), damage: Box::new(damage) }
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

/// Fills a directory that nobody sees yet. Gives how many lines of the log were left out, and what does not verify.
fn fill(
    from: &Path,
    manifest: &Manifest,
    to: &Path,
    damaged: bool,
    progress: &dyn Fn(u64),
) -> Result<(u64, Option<Damage>), StoreError> {
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
        let copied = copy_up_to(kept.bytes, &RealDisk, &source, &target).map_err(io(&source))?;
        if (copied.bytes, &copied.sha256) != (kept.bytes, &kept.sha256) || length != kept.bytes {
            return Err(other(length));
        }
    }
    let place = Place::new(to);
    place.known_version()?;
    let (report, told) = read_journal(&journal, Seq(manifest.last), progress)?;
    let log = to.join(actions::FILE);
    let (lines, damage) = verified(&log, &report, &told)?;
    if let Some(what) = damage.journal.first().filter(|_| manifest.damaged.is_none()) {
        return Err(StoreError::Damaged(format!("{what}; nothing was restored")));
    }
    if (report.facts, report.last.0, lines) != (manifest.facts, manifest.last, manifest.actions) {
        return Err(StoreError::Damaged(format!(
            "{} tells of {} facts up to {} and {} lines of the action log, and the backup holds {} up to {} and {lines}; \
             nothing was restored",
            from.join(super::MANIFEST).display(),
            manifest.facts,
            manifest.last,
            manifest.actions,
            report.facts,
            report.last
        )));
    }
    let (mut left_out, mut found) = (0, None);
    if let (false, None) = (damage.is_none(), &manifest.damaged) {
        match came_later(&log, &told, manifest, &damage)? {
            Some((end, lines)) => {
                cut(&log, end)?;
                left_out = lines;
            }
            None if damaged => found = Some(damage),
            None => return Err(unverified(from, damage)),
        }
    }
    sync_dir(&journal)?;
    sync_dir(to)?;
    // What the backup was read to hold may not go missing unnoticed; nor what a damaged one has lost already.
    let durable = manifest.damaged.as_ref().map_or(0, |damage| damage.durable);
    place.note_durable(manifest.last.max(durable)).map_err(io(to))?;
    Ok((left_out, found))
}

/// A backup of 0.1.0, made while the directory was in use, holds lines of actions that came after its journal: they are no
/// part of what is restored. They were written after it was begun; where one of them is older, the journal was cut. Gives
/// where in the file they begin, and how many there are.
fn came_later(log: &Path, told: &Told, manifest: &Manifest, damage: &Damage) -> Result<Option<(u64, u64)>, StoreError> {
    let ([LogFault::JournalOlder { line: first, .. }], 1) = (damage.log.as_slice(), manifest.version) else {
        return Ok(None);
    };
    let at = |text: &str| chrono::DateTime::parse_from_rfc3339(text).ok().map(|at| Ts(at.timestamp_millis()));
    let Some(begun) = at(&manifest.made) else { return Ok(None) };
    let (mut end, mut later, mut all_later) = (0, 0, true);
    read::read(log, told.accepted(), |text, line| {
        if line.seq < *first {
            end += text.len() as u64 + 1;
        } else {
            later += 1;
            all_later &= at(&line.ts).is_some_and(|at| at >= begun);
        }
        Ok(())
    })
    .map_err(io(log))?;
    Ok(all_later.then_some((end, later)))
}

fn cut(log: &Path, end: u64) -> Result<(), StoreError> {
    let file = file::regular(std::fs::OpenOptions::new().write(true), log);
    file.and_then(|file| {
        file.set_len(end)?;
        file.sync_all()
    })
    .map_err(io(log))
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
