//! Entries as the writer last saw them: what it wrote, and what it had to ask for.
//!
//! Invariant: what is held here is what the tables said at the place of the chain that the writer knows; whenever others wrote
//! since, or that is in doubt, all of it is thrown away.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use skydeck_store::StoreError;
use skydeck_store::index::key;
use skydeck_store::index::kv::{Batch, Entry, Kv, Stretch};

use crate::effects::LookUp;
use crate::tables::Tables;

/// Entries of one generation; two are held.
const ENTRIES: usize = 32_768;

type Entries = HashMap<Vec<u8>, Option<Vec<u8>>>;

/// The tables behind what is held of them.
pub(crate) struct Cache {
    tables: Arc<Tables>,
    held: Mutex<(Entries, Entries)>,
}

impl Cache {
    pub fn new(tables: Arc<Tables>) -> Self {
        Self { tables, held: Mutex::default() }
    }

    /// Throws everything away.
    pub fn clear(&self) {
        *self.held.lock().unwrap_or_else(PoisonError::into_inner) = Default::default();
    }

    /// Whether an entry is held.
    pub fn has(&self, key: &[u8]) -> bool {
        let held = self.held.lock().unwrap_or_else(PoisonError::into_inner);
        held.0.contains_key(key) || held.1.contains_key(key)
    }

    /// Holds an entry.
    pub fn hold(&self, key: Vec<u8>, value: Option<Vec<u8>>) {
        let mut held = self.held.lock().unwrap_or_else(PoisonError::into_inner);
        if held.0.len() >= ENTRIES {
            held.1 = std::mem::take(&mut held.0);
        }
        held.0.insert(key, value);
    }
}

/// Whether an entry is one of a list, which its table answers.
fn is_of_list(at: &[u8]) -> bool {
    let lists = [
        key::OPEN,
        key::RUN_OF_PLAN,
        key::RUN_SORT,
        key::SLOT,
        key::TRYING,
        key::HISTORY,
        key::HISTORY_SLOT,
        key::LEDGER,
        key::GROUP,
        key::NUMBER,
        key::HANDED_IN_ORDER,
    ];
    at.first().is_some_and(|space| lists.contains(space))
}

impl Kv for Cache {
    fn get(&self, key: &[u8]) -> Result<Option<Vec<u8>>, StoreError> {
        {
            let mut held = self.held.lock().unwrap_or_else(PoisonError::into_inner);
            if let Some(value) = held.0.get(key) {
                return Ok(value.clone());
            }
            if let Some(value) = held.1.remove(key) {
                held.0.insert(key.to_vec(), value.clone());
                return Ok(value);
            }
        }
        // On this thread no question begins by itself: what came along for an earlier one is of before what was written since.
        Tables::begin();
        let value = self.tables.get(key)?;
        self.hold(key.to_vec(), value.clone());
        Ok(value)
    }

    fn scan(&self, stretch: Stretch<'_>) -> Result<Vec<Entry>, StoreError> {
        Tables::begin();
        self.tables.scan(stretch)
    }

    /// What became durable.
    fn apply(&self, batch: Batch) -> Result<(), StoreError> {
        for (key, value) in batch {
            if !is_of_list(&key) {
                self.hold(key, value);
            }
        }
        Ok(())
    }
}

impl LookUp for Cache {
    fn entry(&self, key: &[u8]) -> Result<Option<Vec<u8>>, StoreError> {
        self.get(key)
    }
}
