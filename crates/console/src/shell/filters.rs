//! Named filters in the state file.
//!
//! Invariant: the file is replaced as a whole or not at all.

use std::fs;
use std::io::Write as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;

use serde::{Deserialize, Serialize};

#[derive(Default, Serialize, Deserialize)]
struct Kept {
    #[serde(default)]
    filter: Vec<Named>,
}

#[derive(Serialize, Deserialize)]
struct Named {
    name: String,
    text: String,
}

/// The filters kept; none when there is no file yet.
///
/// # Errors
/// When the file cannot be read or understood: the path and the reason.
pub fn load(path: &Path) -> Result<Vec<(String, String)>, String> {
    let text = match fs::read_to_string(path) {
        Ok(text) => text,
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(e) => return Err(format!("{}: {e}", path.display())),
    };
    let kept: Kept = toml::from_str(&text).map_err(|e| format!("{}: {}", path.display(), e.message()))?;
    Ok(kept.filter.into_iter().map(|f| (f.name, f.text)).collect())
}

/// Keeps these filters in place of those before.
///
/// # Errors
/// When the file cannot be written: the path and the reason.
pub fn save(path: &Path, named: &[(String, String)]) -> Result<(), String> {
    let filter = named.iter().map(|(name, text)| Named { name: name.clone(), text: text.clone() }).collect();
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
        let named =
            vec![("月末".to_owned(), "cause:stock ~\"关 账\"".to_owned()), ("b".to_owned(), "-org:100".to_owned())];
        save(&path, &named).unwrap();
        assert_eq!(load(&path).unwrap(), named);
        save(&path, &[]).unwrap();
        assert_eq!(load(&path).unwrap(), []);
        fs::write(&path, "filter = 3").unwrap();
        assert!(load(&path).unwrap_err().contains("filters.toml"));
    }
}
