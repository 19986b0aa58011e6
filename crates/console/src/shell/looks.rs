//! When a user last looked at Today, kept between consoles.
//!
//! Invariant: the file is replaced as a whole or not at all; one that cannot be read means that nobody looked yet.

use std::fs;
use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::io::Write as _;
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use rustix::fs::OFlags;

use crate::ui::looked::Looked;

/// Longest file that is read.
const MOST: u64 = 4 * 1024 * 1024;

/// Where a user's look at this data directory is kept: in it where it is the user's own, else in the user's state directory.
pub fn place(data: &Path, uid: u32) -> Option<PathBuf> {
    let ours = match fs::metadata(data) {
        Ok(dir) => dir.uid() == uid,
        // It is about to be made, by this user.
        Err(error) => error.kind() == std::io::ErrorKind::NotFound,
    };
    if ours {
        return Some(data.join("looked.json"));
    }
    let home = || std::env::var_os("HOME").map(|home| PathBuf::from(home).join(".local/state"));
    let state = std::env::var_os("XDG_STATE_HOME").map(PathBuf::from).filter(|dir| dir.is_absolute()).or_else(home)?;
    let mut hasher = DefaultHasher::new();
    fs::canonicalize(data).unwrap_or_else(|_| data.to_owned()).hash(&mut hasher);
    Some(state.join("skydeck").join(format!("looked-{:016x}.json", hasher.finish())))
}

/// The last look, where there was one.
pub fn load(path: &Path) -> Option<Looked> {
    let file = fs::OpenOptions::new()
        .read(true)
        .custom_flags((OFlags::NOFOLLOW | OFlags::NONBLOCK).bits().cast_signed())
        .open(path)
        .ok()?;
    let meta = file.metadata().ok().filter(|meta| meta.is_file() && meta.len() <= MOST)?;
    let reader = std::io::Read::take(file, meta.len());
    serde_json::from_reader(reader).ok()
}

/// Keeps a look in place of the one before.
///
/// # Errors
/// When the file cannot be written: the path and the reason.
pub fn save(path: &Path, look: &Looked) -> Result<(), String> {
    let at = |e: std::io::Error| format!("{}: {e}", path.display());
    let text = serde_json::to_vec(look).map_err(|e| e.to_string())?;
    if let Some(dir) = path.parent() {
        fs::create_dir_all(dir).map_err(at)?;
    }
    let part = path.with_extension("part");
    let mut options = fs::OpenOptions::new();
    options.write(true).create(true).truncate(true).mode(0o600).custom_flags(OFlags::NOFOLLOW.bits().cast_signed());
    let mut file = options.open(&part).map_err(at)?;
    file.write_all(&text).map_err(at)?;
    fs::rename(&part, path).map_err(at)
}

#[cfg(test)]
mod tests {
    use super::*;
    use skydeck_core::domain::hours::Counts;
    use skydeck_core::domain::ids::PlanId;
    use skydeck_core::domain::time::Ts;

    #[test]
    fn a_look_comes_back_and_what_is_no_look_is_none() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("state").join("looked.json");
        assert_eq!(load(&path), None);
        let hour = [(PlanId::new("审核"), Counts { runs: 3, ..Counts::default() })].into();
        let look = Looked { at: Ts(17), hour };
        save(&path, &look).unwrap();
        assert_eq!(load(&path), Some(look));
        fs::write(&path, "{\"at\":").unwrap();
        assert_eq!(load(&path), None);
        fs::remove_file(&path).unwrap();
        std::os::unix::fs::symlink("/dev/zero", &path).unwrap();
        assert_eq!(load(&path), None);
        let uid = fs::metadata(dir.path()).unwrap().uid();
        assert_eq!(place(dir.path(), uid), Some(dir.path().join("looked.json")));
        assert_ne!(place(dir.path(), uid + 1), place(dir.path(), uid));
        let new = dir.path().join("new");
        assert_eq!(place(&new, uid), Some(new.join("looked.json")), "nothing is left elsewhere");
    }
}
