//! What readers make of the facts by themselves and want to find again: a key space of its own, with its own form and place.
//!
//! Invariant: it is behind the facts or up with them, never ahead; all of it is of one place, and nothing else rests on it.

use std::collections::BTreeSet;

use super::Index;
use super::key::{self, Key, u32_at, u64_at};
use super::kv::{Batch, Kv, Walk};
use crate::{Kept, StoreError};
use skydeck_core::domain::ids::Seq;

/// Key under which form and place are kept.
fn place_key() -> Vec<u8> {
    Key::new(key::META).raw(b"forecast").done()
}

fn row_key(name: &str) -> Vec<u8> {
    Key::new(key::FORECAST).text(name).done()
}

/// Whether an entry of the index is one of theirs: no fold of the journal makes it.
pub(crate) fn is_of_forecast(key: &[u8]) -> bool {
    key.first() == Some(&key::FORECAST) || key == place_key()
}

impl<K: Kv> Index<K> {
    /// What was kept, of whatever form.
    pub fn kept(&self) -> Result<Option<Kept>, StoreError> {
        let Some(bytes) = self.kv.get(&place_key())? else { return Ok(None) };
        let (Some(form), Some(place)) = (u32_at(&bytes, 0), u64_at(&bytes, 4)) else { return Ok(None) };
        let damaged = || StoreError::Read("a kept state in the index cannot be read".to_owned());
        let mut rows = Vec::new();
        for entry in Walk::prefix(&self.kv, Key::new(key::FORECAST).done(), false) {
            let (key, value) = entry?;
            let (name, _) = key::read_text(key.get(1..).unwrap_or_default()).ok_or_else(damaged)?;
            rows.push((name, value));
        }
        Ok(Some(Kept { form, place: Seq(place), rows, whole: true }))
    }

    /// Keeps a state in the place of the one before, or of those rows of it that changed.
    pub fn keep(&self, kept: &Kept) -> Result<(), StoreError> {
        let mut batch = Batch::new();
        if kept.whole {
            let names: BTreeSet<Vec<u8>> = kept.rows.iter().map(|(name, _)| row_key(name)).collect();
            for entry in Walk::prefix(&self.kv, Key::new(key::FORECAST).done(), false) {
                let (key, _) = entry?;
                if !names.contains(&key) {
                    batch.insert(key, None);
                }
            }
        }
        for (name, value) in &kept.rows {
            batch.insert(row_key(name), Some(value.clone()));
        }
        batch.insert(place_key(), Some(Key::default().u32(kept.form).u64(kept.place.0).done()));
        self.kv.apply(batch)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::index::kv::MemKv;

    fn row(name: &str, value: &[u8]) -> (String, Vec<u8>) {
        (name.to_owned(), value.to_vec())
    }

    #[test]
    fn what_is_kept_is_found_again_part_by_part_and_goes_as_a_whole() {
        let index = Index::new(MemKv::default());
        assert_eq!(index.kept().unwrap(), None);
        let first = Kept { form: 3, place: Seq(7), rows: vec![row("+a", b"1"), row("+b", &[0; 9000])], whole: true };
        index.keep(&first).unwrap();
        assert_eq!(index.kept().unwrap(), Some(first));
        index.keep(&Kept { form: 3, place: Seq(9), rows: vec![row("+a", b"2")], whole: false }).unwrap();
        let kept = index.kept().unwrap().unwrap();
        assert_eq!((kept.place, kept.rows), (Seq(9), vec![row("+a", b"2"), row("+b", &[0; 9000])]));
        index.keep(&Kept { form: 4, place: Seq(2), rows: vec![row("+c", b"")], whole: true }).unwrap();
        let kept = index.kept().unwrap().unwrap();
        assert_eq!((kept.form, kept.place, kept.rows), (4, Seq(2), vec![row("+c", b"")]));
        for (key, _) in index.kv.scan(crate::index::kv::Stretch::all(false).at_most(99)).unwrap() {
            assert!(is_of_forecast(&key), "nothing else of the index is touched");
        }
    }
}
