//! The tables as the index sees them: ordered bytes, which nobody writes here.

use skydeck_store::StoreError;
use skydeck_store::index::kv::{Batch, Entry, Kv, ReadCache, Stretch};

use crate::lists;
use crate::tables::Tables;

impl Kv for Tables {
    fn get(&self, key: &[u8]) -> Result<Option<Vec<u8>>, StoreError> {
        match Tables::brought(key) {
            Some(along) => Ok(along.0),
            None => self.ask(key),
        }
    }

    fn scan(&self, stretch: Stretch<'_>) -> Result<Vec<Entry>, StoreError> {
        if stretch.is_empty() {
            return Ok(Vec::new());
        }
        lists::scan(self, stretch)
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
