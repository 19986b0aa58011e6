//! A copy that somebody looks at: of a backup, or of a data directory of an earlier version.

use std::fs::File;
use std::path::{Path, PathBuf};

use super::restore::restore;
use super::{Damage, Kept, copy, io, made, make, take_journal};
use crate::file::create;
use crate::local::disk::RealDisk;
use crate::local::place::Place;
use crate::{StoreError, actions};
use skydeck_core::domain::time::Ts;

/// How the name of a picture of a data directory begins.
const LOOK: &str = "look-";
/// The file in it that is locked while somebody looks.
const LIVE: &str = "live";

/// A copy to look at, in a directory that goes with this value. What it was copied from is only read.
pub struct SnapshotDir {
    dir: tempfile::TempDir,
    /// Held while somebody looks, so that nobody sweeps the copy away.
    _live: Option<File>,
    /// What it is a copy of.
    pub of: PathBuf,
    /// When the backup was made, or the picture taken, UTC.
    pub made: String,
    /// What does not verify in it.
    pub damage: Option<Damage>,
}

impl SnapshotDir {
    /// Copies a backup below a directory for temporary files.
    pub fn open(from: &Path) -> Result<Self, StoreError> {
        let dir = tempfile::Builder::new().prefix("skydeck-snapshot-").tempdir();
        let dir =
            dir.map_err(|e| StoreError::Directory(format!("a copy of {} cannot be made: {e}", from.display())))?;
        let snapshot = Self { _live: None, of: from.to_path_buf(), made: String::new(), damage: None, dir };
        // A copy of a damaged directory is looked at as far as it reaches.
        let manifest = restore(from, &snapshot.data(), true, &|_| {})?.manifest;
        let copy = Place::new(&snapshot.data());
        copy.note_durable(manifest.last).map_err(io(from))?;
        // The copy is nobody's but ours: nothing is asked and nothing kept before it is opened.
        copy.known_version().and_then(|_| copy.write_version(&RealDisk))?;
        Ok(Self { made: manifest.made, damage: manifest.damaged, ..snapshot })
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
        let snapshot = Self { dir, _live: Some(live), of: data.to_path_buf(), made: made(now), damage: None };
        let copy_of = Place::new(&snapshot.data());
        make(&copy_of.dir)?;
        make(&copy_of.journal())?;
        take_journal(&place.journal(), &copy_of.journal(), &|from, to, name, is_last| {
            let linked = !is_last && std::fs::hard_link(from, to).is_ok();
            if linked {
                Ok(Kept { name, bytes: 0, sha256: String::new() })
            } else {
                copy(&RealDisk, from, to).map(|copied| copied.named(name))
            }
        })?;
        let log = data.join(actions::FILE);
        if log.exists() {
            copy(&RealDisk, &log, &copy_of.dir.join(actions::FILE)).map_err(io(&log))?;
        }
        copy_of.note_durable(place.known_durable()).map_err(failed)?;
        copy_of.write_version(&RealDisk)?;
        Ok(snapshot)
    }

    /// The data directory.
    pub fn data(&self) -> PathBuf {
        self.dir.path().join("data")
    }
}

/// Removes pictures whose lookers were ended before they could.
pub(crate) fn sweep(data: &Path) {
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
