//! The hash an approval is bound to: SHA-256 over the (FID, revision) pairs in FID order
//! (docs/design/reliability.md#approval).
//!
//! Invariant: it changes exactly when a FID or a revision of the set does; built while streaming, never from a list.

use std::fmt::Write as _;

use sha2::{Digest, Sha256};

use skydeck_core::domain::bill::Rev;
use skydeck_core::domain::ids::{Fid, SetHash};

/// Builds the hash bill by bill, in ascending FID order.
#[derive(Clone, Default)]
pub struct SetHasher(Sha256);

impl SetHasher {
    /// Adds one bill. Fields are length-prefixed, so that no two sets share a text.
    pub fn add(&mut self, fid: &Fid, rev: &Rev) {
        let modified = rev.modified.as_ref().map_or("", |d| d.as_str());
        for part in [fid.as_str(), rev.status.code(), modified] {
            self.0.update((part.len() as u64).to_be_bytes());
            self.0.update(part.as_bytes());
        }
        // Only where an operation looks at other fields than the status: every other set keeps the hash it had.
        if let Some(state) = rev.state {
            self.0.update(state.to_be_bytes());
        }
    }

    /// Adds the body of a bill that is to be made, by its hash. Only where one is: every other set keeps the hash it had.
    pub fn add_body(&mut self, hash: &str) {
        self.0.update((hash.len() as u64).to_be_bytes());
        self.0.update(hash.as_bytes());
    }

    /// The hash of what was added.
    pub fn finish(self) -> SetHash {
        let mut hex = String::with_capacity(64);
        for byte in self.0.finalize() {
            let _ = write!(hex, "{byte:02x}");
        }
        SetHash::new(hex)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use skydeck_core::domain::bill::Status;
    use skydeck_core::domain::time::ErpDate;

    fn hash(set: &[(u64, &str, Option<&str>)]) -> SetHash {
        let mut hasher = SetHasher::default();
        for (fid, status, modified) in set {
            let rev = Rev {
                status: Status::from((*status).to_owned()),
                modified: modified.and_then(ErpDate::parse),
                state: None,
            };
            hasher.add(&Fid::from(*fid), &rev);
        }
        hasher.finish()
    }

    #[test]
    fn any_change_of_the_set_changes_the_hash() {
        let base = [(1, "B", Some("2026-01-01")), (12, "B", None)];
        assert_eq!(hash(&base), hash(&base));
        for other in [
            vec![(1, "B", Some("2026-01-01"))],
            vec![(1, "B", Some("2026-01-02")), (12, "B", None)],
            vec![(1, "A", Some("2026-01-01")), (12, "B", None)],
            vec![(11, "B", Some("2026-01-01")), (2, "B", None)],
            vec![],
        ] {
            assert_ne!(hash(&base), hash(&other), "{other:?}");
        }
        assert_eq!(hash(&base).as_str().len(), 64);
    }
}
