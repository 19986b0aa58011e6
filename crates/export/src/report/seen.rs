//! What the last reports looked like, so that the next one of the same says what changed since.
//!
//! Invariant: the file holds the newest [`KEPT`] of them, whatever is reported; it is replaced as a whole or not at all. One
//! that is gone or damaged costs the comparison, never a report.

use std::collections::BTreeMap;
use std::io;
use std::path::Path;

use serde::{Deserialize, Serialize};
use skydeck_core::domain::time::Ts;

use super::gather::Gathered;

/// Reports that are remembered.
const KEPT: usize = 64;

/// One report.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Seen {
    /// When it was made.
    pub at: Ts,
    /// Bills, by outcome and cause.
    pub groups: BTreeMap<String, u64>,
}

/// All that are remembered, by name.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Kept(BTreeMap<String, Seen>);

impl Seen {
    pub(super) fn of(gathered: &Gathered, at: Ts) -> Self {
        let mut groups = BTreeMap::new();
        for group in &gathered.groups {
            *groups.entry(group.code()).or_default() += group.count;
        }
        Self { at, groups }
    }
}

impl Kept {
    /// Reads them; none where there is no file, or none that can be read.
    pub fn load(path: &Path) -> Self {
        std::fs::read(path).ok().and_then(|bytes| serde_json::from_slice(&bytes).ok()).unwrap_or_default()
    }

    /// The last report of this name.
    pub fn last(&self, name: &str) -> Option<&Seen> {
        self.0.get(name)
    }

    /// Remembers a report in the place of the last one of its name.
    ///
    /// # Errors
    /// The file cannot be written.
    pub fn keep(path: &Path, name: &str, seen: Seen) -> io::Result<()> {
        let Some(dir) = path.parent() else { return Ok(()) };
        let mut all = Self::load(path);
        all.0.insert(name.to_owned(), seen);
        while all.0.len() > KEPT {
            let oldest = all.0.iter().min_by_key(|(_, seen)| seen.at).map(|(name, _)| name.clone());
            oldest.and_then(|name| all.0.remove(&name));
        }
        let mut part = tempfile::NamedTempFile::new_in(dir)?;
        serde_json::to_writer(&mut part, &all)?;
        part.as_file().sync_all()?;
        part.persist(path).map(drop).map_err(|failed| failed.error)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_newest_are_kept_and_damage_costs_the_comparison_alone() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("reports.json");
        for n in 0..100 {
            let seen = Seen { at: Ts(n), groups: BTreeMap::from([("failed/stock".to_owned(), n.unsigned_abs())]) };
            Kept::keep(&path, &format!("ledger {n}"), seen).unwrap();
        }
        let kept = Kept::load(&path);
        assert_eq!(kept.0.len(), KEPT);
        assert_eq!(kept.last("ledger 99").map(|seen| seen.at), Some(Ts(99)));
        assert_eq!(kept.last("ledger 35"), None);
        std::fs::write(&path, b"{\"ledger 99\": ").unwrap();
        assert_eq!(Kept::load(&path), Kept::default());
        Kept::keep(&path, "ledger", Seen::default()).unwrap();
        assert!(Kept::load(&path).last("ledger").is_some());
        assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 1);
    }
}
