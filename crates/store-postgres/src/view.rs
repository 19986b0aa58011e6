//! The tables as the index sees them: ordered bytes, which nobody writes here.

use std::ops::Bound;

use skydeck_store::StoreError;
use skydeck_store::index::kv::{Batch, Entry, Kv, ReadCache, is_empty};

use crate::lists;
use crate::tables::Tables;

impl Kv for Tables {
    fn get(&self, key: &[u8]) -> Result<Option<Vec<u8>>, StoreError> {
        match Tables::brought(key) {
            Some(along) => Ok(along.0),
            None => self.ask(key),
        }
    }

    fn scan(&self, low: Bound<&[u8]>, high: Bound<&[u8]>, back: bool, max: usize) -> Result<Vec<Entry>, StoreError> {
        if is_empty(low, high) || max == 0 {
            return Ok(Vec::new());
        }
        lists::scan(self, low, high, back, max)
    }

    fn apply(&self, _: Batch) -> Result<(), StoreError> {
        Err(StoreError::Write("the tables are written with their facts, and by nothing else".to_owned()))
    }

    fn get_cached<'n>(&self, key: &[u8], cache: &'n mut ReadCache) -> Result<Option<&'n [u8]>, StoreError> {
        let along = Tables::brought(key);
        cache.keep(match along {
            Some(along) => along.0,
            None => self.ask(key)?,
        });
        Ok(cache.kept())
    }
}
