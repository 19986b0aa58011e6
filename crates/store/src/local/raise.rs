//! A directory of an earlier version becomes one of this program's: what that takes, the backup that goes before it,
//! and the words where it is not done.
//!
//! Invariant: as long as the file `version` names the earlier one, nothing in the directory has changed that the earlier
//! program would notice; a backup that was begun and not finished is removed again.

use std::path::{Path, PathBuf};

use super::Progress;
use super::disk::{Disk, RealDisk};
use super::open::Opening;
use super::place::{Place, VERSION, bytes_for_people, stamp};
use super::writer::LOW;
use crate::journal::segment::HEADER;
use crate::{StoreError, actions, backup, fault, file};
use skydeck_core::domain::time::Ts;

/// Room that is left free when a backup is made: the new index and the next outcomes need some.
const RESERVE: u64 = 16 * 1024 * 1024;
/// Who wrote directories of version 1; part of a backup's name.
const WRITER: &str = "0.1.0";

/// What becomes of a directory of an earlier version when it is opened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Raise {
    /// It is raised after a backup: in this directory, or in one beside it.
    Backup(Option<PathBuf>),
    /// It is raised without a backup: a person said so, or there is nothing to lose.
    Plain,
    /// It is not opened.
    Never,
}

/// What raising a directory would do.
#[derive(Clone, Debug)]
pub struct Outlook {
    /// The directory.
    pub dir: PathBuf,
    /// Its version.
    pub from: u32,
    /// Where the backup would go.
    pub backup: PathBuf,
    /// Bytes of the backup.
    pub bytes: u64,
    /// Bytes free where it would go.
    pub free: u64,
}

impl Outlook {
    /// Looks at a directory and changes nothing; `None` where nothing is to be raised.
    pub fn of(dir: &Path, now: Ts) -> Result<Option<Self>, StoreError> {
        let place = Place::new(dir);
        match place.version()? {
            Some(from) if from < VERSION => look(&place, from, beside(dir, now), &RealDisk).map(Some),
            _ => Ok(None),
        }
    }

    /// Whether the backup has room.
    pub fn has_room(&self) -> bool {
        self.free >= self.bytes.saturating_add(RESERVE)
    }
}

fn look(place: &Place, from: u32, backup: PathBuf, disk: &dyn Disk) -> Result<Outlook, StoreError> {
    let log = std::fs::metadata(place.dir.join(actions::FILE)).map_or(0, |meta| meta.len());
    let bytes = file::size_of(&place.journal()) + log;
    let room = nearest(&backup);
    let free = disk.free(&room).map_err(|e| place.refused(&room.display().to_string(), &e))?;
    Ok(Outlook { dir: place.dir.clone(), from, backup, bytes, free })
}

/// The nearest directory above a path that is there.
fn nearest(path: &Path) -> PathBuf {
    let above =
        |path: &Path| path.parent().map(|up| if up.as_os_str().is_empty() { ".".into() } else { up.to_owned() });
    let mut at = above(path);
    while let Some(dir) = at.as_ref().filter(|dir| !dir.exists()) {
        at = above(dir);
    }
    at.unwrap_or_else(|| PathBuf::from("/"))
}

/// How the backups of a directory begin: beside it, and in it where nothing can be made beside it.
fn beginnings(dir: &Path) -> (Option<PathBuf>, PathBuf) {
    let name = dir.file_name().map(|name| name.to_string_lossy().into_owned());
    let beside = name.map(|name| dir.with_file_name(format!("{name}.backup-{WRITER}-")));
    (beside, dir.join(format!("backup-{WRITER}-")))
}

/// Where a backup goes that nobody gave a place: a service may own its directory and nothing beside it.
fn beside(dir: &Path, now: Ts) -> PathBuf {
    use rustix::fs::{Access, access};
    let (beside, inside) = beginnings(dir);
    let may = |path: &PathBuf| access(nearest(path), Access::WRITE_OK | Access::EXEC_OK).is_ok();
    let mut path = beside.filter(may).unwrap_or(inside).into_os_string();
    path.push(stamp(now));
    path.into()
}

/// Makes the backup that is wanted before a directory is raised. Gives where it is.
pub(super) fn back_up(opening: &Opening<'_>) -> Result<Option<PathBuf>, StoreError> {
    let &Opening { place, version: from, options, now, progress } = opening;
    let disk = options.disk.as_ref();
    fault::point("upgrade_begun");
    if options.raise == Raise::Never {
        return Err(place.say(&unraised(place, from)));
    }
    // Even opening the old index writes to it, and on a full disk that can spoil it.
    if let Some(free) = disk.free(&place.dir).ok().filter(|free| *free < LOW) {
        return Err(place.say(&nearly_full(from, free)));
    }
    let to = match &options.raise {
        Raise::Plain | Raise::Never => return Ok(None),
        Raise::Backup(Some(to)) => to.clone(),
        Raise::Backup(None) => match earlier(place) {
            Some(earlier) => earlier,
            None => beside(&place.dir, now),
        },
    };
    if backup::manifest(&to).is_ok_and(|made| fits(&made, place)) {
        return Ok(Some(to));
    }
    let outlook = look(place, from, to.clone(), disk)?;
    if !outlook.has_room() {
        return Err(place.say(&no_room(place, &outlook)));
    }
    progress(Progress::BackingUp { to: to.clone(), bytes: outlook.bytes });
    let was_there = to.exists();
    let told = |facts| progress(Progress::BackupRead { facts });
    let accept = backup::Accept::Disagreement;
    let made = backup::copy_all(disk, &backup::Wanted { data: &place.dir, to: &to, now, accept, progress: &told });
    if let Err(e) = made {
        // Half of a backup is none, and takes the room that is missing.
        if !was_there {
            let _ = std::fs::remove_dir_all(&to);
        }
        return Err(match e {
            StoreError::Unverified { damage, .. } => {
                let what = damage.journal.first().cloned().unwrap_or_else(|| damage.en());
                StoreError::Damaged(format!("{what}; nothing was changed"))
            }
            e => place.say(&format!("the backup before the upgrade could not be made: {e}; {}", ways(place))),
        });
    }
    fault::point("upgrade_copied");
    Ok(Some(to))
}

/// Why a directory of an earlier version is not opened by what may not raise it.
fn unraised(place: &Place, from: u32) -> String {
    let command = place.command("upgrade");
    format!("it is of version {from}, and this needs version {VERSION}: `{command}` raises it, after a backup")
}

fn nearly_full(from: u32, free: u64) -> String {
    format!(
        "it is of version {from}, and only {} are free on its disk; raising it to version {VERSION} needs at least {}: free \
         some space. Nothing was changed",
        bytes_for_people(free),
        bytes_for_people(LOW)
    )
}

fn no_room(place: &Place, outlook: &Outlook) -> String {
    format!(
        "it is of version {}; before it is raised to version {VERSION} a backup is made, which needs {} at {}, where {} \
         are free; {}",
        outlook.from,
        bytes_for_people(outlook.bytes + RESERVE),
        outlook.backup.display(),
        bytes_for_people(outlook.free),
        ways(place)
    )
}

/// What a person can do.
fn ways(place: &Place) -> String {
    format!(
        "nothing was changed. Free some space, or have the backup made on another disk with `{}`, or go on without one \
         with `{}`",
        place.command("upgrade --backup DIR"),
        place.command("upgrade --no-backup")
    )
}

/// A finished backup that an earlier attempt left and that still holds all there is. Unfinished ones are removed.
fn earlier(place: &Place) -> Option<PathBuf> {
    let (beside, inside) = beginnings(&place.dir);
    let mut found = None;
    for beginning in beside.into_iter().chain([inside]) {
        let Some(name) = beginning.file_name().map(|name| name.to_string_lossy().into_owned()) else { continue };
        for entry in std::fs::read_dir(nearest(&beginning)).into_iter().flatten().flatten() {
            let its = entry.file_name().to_string_lossy().into_owned();
            // Only what this program named itself.
            let is_ours =
                its.strip_prefix(&name).is_some_and(|rest| rest.chars().all(|c| c.is_ascii_digit() || c == 'T'));
            if !is_ours || !entry.file_type().is_ok_and(|kind| kind.is_dir()) {
                continue;
            }
            let path = entry.path();
            if !path.join(backup::MANIFEST).exists() {
                let _ = std::fs::remove_dir_all(&path);
            } else if backup::manifest(&path).is_ok_and(|made| fits(&made, place)) {
                found = Some(path);
            }
        }
    }
    found
}

/// Whether a backup holds all that the directory holds: both files only ever grow, so equal lengths are equal contents.
fn fits(made: &backup::Manifest, place: &Place) -> bool {
    let length = |path: &Path| std::fs::metadata(path).ok().map(|meta| meta.len());
    let kept: Vec<&str> = made.files.iter().map(|file| file.name.as_str()).collect();
    let same = made.files.iter().all(|file| length(&place.dir.join(&file.name)) == Some(file.bytes));
    let segments = std::fs::read_dir(place.journal()).into_iter().flatten().flatten();
    // A segment that was begun by an earlier attempt at opening holds no fact yet.
    let all = segments.map(|entry| entry.path()).all(|path| {
        let name = path.file_name().map(|name| format!("journal/{}", name.to_string_lossy())).unwrap_or_default();
        let counts = path.extension().is_some_and(|end| end == "log" || end == "seal");
        !counts || kept.contains(&name.as_str()) || length(&path).is_some_and(|bytes| bytes <= HEADER as u64)
    });
    let log = !place.dir.join(actions::FILE).exists() || kept.contains(&actions::FILE);
    same && all && log
}
