//! Saved views in the state file.
//!
//! Invariant: the file is replaced as a whole or not at all.

use std::fs;
use std::io::Write as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;

use serde::{Deserialize, Serialize};

use crate::ui::View;

#[derive(Default, Serialize, Deserialize)]
struct Kept {
    #[serde(default)]
    filter: Vec<Named>,
}

#[derive(Serialize, Deserialize)]
struct Named {
    name: String,
    text: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    key: Option<char>,
}

/// The views kept; none when there is no file yet.
///
/// # Errors
/// When the file cannot be read or understood: the path and the reason.
pub fn load(path: &Path) -> Result<Vec<View>, String> {
    let text = match fs::read_to_string(path) {
        Ok(text) => text,
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(e) => return Err(format!("{}: {e}", path.display())),
    };
    let kept: Kept = toml::from_str(&text).map_err(|e| format!("{}: {}", path.display(), e.message()))?;
    Ok(kept.filter.into_iter().map(|f| View { name: f.name, key: f.key, text: f.text }).collect())
}

/// Keeps these views in place of those before.
///
/// # Errors
/// When the file cannot be written: the path and the reason.
pub fn save(path: &Path, named: &[View]) -> Result<(), String> {
    let filter =
        named.iter().map(|view| Named { name: view.name.clone(), text: view.text.clone(), key: view.key }).collect();
    let text = toml::to_string(&Kept { filter }).map_err(|e| e.to_string())?;
    let at = |e: std::io::Error| format!("{}: {e}", path.display());
    if let Some(dir) = path.parent() {
        fs::create_dir_all(dir).map_err(at)?;
    }
    let part = path.with_extension("part");
    let mut file =
        fs::OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&part).map_err(at)?;
    file.write_all(text.as_bytes()).and_then(|()| file.sync_all()).map_err(at)?;
    fs::rename(&part, path).map_err(at)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn filters_come_back() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("state").join("filters.toml");
        assert_eq!(load(&path).unwrap(), []);
        let view = |name: &str, key, text: &str| View { name: name.to_owned(), key, text: text.to_owned() };
        let named = vec![view("月末", Some('m'), "cause:stock ~\"关 账\""), view("b", None, "-org:100")];
        save(&path, &named).unwrap();
        assert_eq!(load(&path).unwrap(), named);
        save(&path, &[]).unwrap();
        assert_eq!(load(&path).unwrap(), []);
        // Files of before have no keys.
        fs::write(&path, "[[filter]]\nname = \"b\"\ntext = \"-org:100\"\n").unwrap();
        assert_eq!(load(&path).unwrap(), [view("b", None, "-org:100")]);
        fs::write(&path, "filter = 3").unwrap();
        assert!(load(&path).unwrap_err().contains("filters.toml"));
    }
}
