//! When a user last looked at Today, and how lists are shown, kept between consoles.
//!
//! Invariant: a file is replaced as a whole or not at all; one that cannot be read is as good as none, and that of the lists is named.

use std::fs;
use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::io::Write as _;
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use rustix::fs::OFlags;
use serde::Serialize;

use crate::ui::lists::KeptList;
use crate::ui::looked::Looked;

/// Longest file that is read.
const MOST: u64 = 4 * 1024 * 1024;

/// Where a user's look at this data directory is kept: in it where it is the user's own, else in the user's state directory.
pub fn place(data: &Path, uid: u32) -> Option<PathBuf> {
    place_of("looked", data, uid)
}

/// Where it is kept how this user's lists are shown, by the same rule.
pub fn lists_place(data: &Path, uid: u32) -> Option<PathBuf> {
    place_of("lists", data, uid)
}

fn place_of(what: &str, data: &Path, uid: u32) -> Option<PathBuf> {
    let ours = match fs::metadata(data) {
        Ok(dir) => dir.uid() == uid,
        // It is about to be made, by this user.
        Err(error) => error.kind() == std::io::ErrorKind::NotFound,
    };
    if ours {
        return Some(data.join(format!("{what}.json")));
    }
    let home = || std::env::var_os("HOME").map(|home| PathBuf::from(home).join(".local/state"));
    let state = std::env::var_os("XDG_STATE_HOME").map(PathBuf::from).filter(|dir| dir.is_absolute()).or_else(home)?;
    let mut hasher = DefaultHasher::new();
    fs::canonicalize(data).unwrap_or_else(|_| data.to_owned()).hash(&mut hasher);
    Some(state.join("skydeck").join(format!("{what}-{:016x}.json", hasher.finish())))
}

/// The last look, where there was one.
pub fn load(path: &Path) -> Option<Looked> {
    serde_json::from_reader(read(path).ok()??).ok()
}

/// How lists are shown; as they come where that was not kept yet.
///
/// # Errors
/// When the file cannot be read or understood: the path and the reason.
pub fn load_lists(path: &Path) -> Result<Vec<KeptList>, String> {
    let at = |why: &dyn std::fmt::Display| format!("{}: {why}", path.display());
    let Some(file) = read(path).map_err(|e| at(&e))? else { return Ok(Vec::new()) };
    serde_json::from_reader(file).map_err(|e| at(&e))
}

/// A file of the console's own, where there is one.
fn read(path: &Path) -> std::io::Result<Option<impl std::io::Read>> {
    let flags = (OFlags::NOFOLLOW | OFlags::NONBLOCK).bits().cast_signed();
    let file = match fs::OpenOptions::new().read(true).custom_flags(flags).open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error),
    };
    let meta = file.metadata()?;
    if !meta.is_file() || meta.len() > MOST {
        return Err(std::io::Error::other("not a file of this program"));
    }
    Ok(Some(std::io::Read::take(file, meta.len())))
}

/// Keeps a look, or how lists are shown, in place of what was kept before.
///
/// # Errors
/// When the file cannot be written: the path and the reason.
pub fn save(path: &Path, what: &impl Serialize) -> Result<(), String> {
    let at = |e: std::io::Error| format!("{}: {e}", path.display());
    let text = serde_json::to_vec(what).map_err(|e| e.to_string())?;
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

    #[test]
    fn how_lists_are_shown_comes_back_and_a_broken_file_is_named() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("lists.json");
        assert_eq!(load_lists(&path), Ok(Vec::new()));
        let mut list = KeptList { list: "results".into(), plan: "审核".into(), ..KeptList::default() };
        list.view.order = vec!["日期".into(), "客户".into()];
        list.view.hidden.insert("销售组织".into());
        save(&path, &vec![list.clone()]).unwrap();
        assert_eq!(load_lists(&path), Ok(vec![list]));
        for broken in ["[{\"list\":", "{}", "[{\"list\":\"results\",\"order\":7}]", "\u{0}"] {
            fs::write(&path, broken).unwrap();
            let why = load_lists(&path).unwrap_err();
            assert!(why.contains("lists.json: "), "{why}");
        }
        fs::remove_file(&path).unwrap();
        std::os::unix::fs::symlink("/dev/zero", &path).unwrap();
        assert!(load_lists(&path).is_err());
    }
}
