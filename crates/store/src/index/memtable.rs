//! The memtable: changes that are in the journal already and not yet in what lies below, seen by every read.
//!
//! An append changes some ten entries in as many blocks, and most of them change again with the next append. Put below
//! one append at a time each block is written over and over, and every append waits for it. Held back, the changes of
//! some hundred bills go below in one batch.
//!
//! Invariant: what is held goes below whole, in one batch with the place applied, or not at all: after a crash the
//! journal is folded in from that place. A reader sees each change from the moment [`Kv::apply`] returned.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError, RwLock};

use super::kv::{Batch, Entry, Kv, ReadCache, Stretch};
use crate::StoreError;

/// Entries held, at most, before they go below; one batch more may be in it for a moment. sled's own memory grows with
/// the size of a batch (docs/design/storage.md#what-sled-costs).
const ENTRIES: usize = 2048;
/// Bytes held, at most.
const BYTES: usize = 512 * 1024;
/// Single entries kept as they were read below: what the engine reads about a bill is read again with each of its facts.
const READ: usize = 4096;

/// Ordered bytes with the latest changes held in memory.
#[derive(Debug, Default)]
pub struct Memtable<K> {
    below: K,
    held: RwLock<Held>,
    // Filled only while `held` is locked for reading, so that no change can pass a reader on its way here.
    read: Mutex<HashMap<Vec<u8>, Option<Vec<u8>>>>,
    // Changes come one at a time.
    writing: Mutex<()>,
}

#[derive(Debug, Default)]
struct Held {
    changes: Batch,
    bytes: usize,
}

impl<K: Kv> Memtable<K> {
    /// Holds back what goes to `below`.
    pub fn new(below: K) -> Self {
        Self { below, held: RwLock::default(), read: Mutex::default(), writing: Mutex::default() }
    }

    /// What lies below; what is held is not in it.
    pub fn below(&self) -> &K {
        &self.below
    }

    /// Whether nothing is held.
    pub fn is_spilled(&self) -> bool {
        self.held.read().unwrap_or_else(PoisonError::into_inner).changes.is_empty()
    }

    /// An entry below that is not held; the caller has `held` locked.
    fn get_below(&self, key: &[u8]) -> Result<Option<Vec<u8>>, StoreError> {
        if let Some(value) = self.read.lock().unwrap_or_else(PoisonError::into_inner).get(key) {
            return Ok(value.clone());
        }
        let value = self.below.get(key)?;
        let mut read = self.read.lock().unwrap_or_else(PoisonError::into_inner);
        if read.len() >= READ {
            read.clear();
        }
        read.insert(key.to_vec(), value.clone());
        Ok(value)
    }

    /// Puts everything held below. `Err` leaves it held.
    pub fn spill(&self) -> Result<(), StoreError> {
        let alone = self.writing.lock().unwrap_or_else(PoisonError::into_inner);
        self.spill_alone(&alone)
    }

    fn spill_alone(&self, _alone: &MutexGuard<'_, ()>) -> Result<(), StoreError> {
        // A copy goes below, so that readers need not wait for it: what is held says the same until it is let go.
        let changes = self.held.read().unwrap_or_else(PoisonError::into_inner).changes.clone();
        if changes.is_empty() {
            return Ok(());
        }
        self.below.apply(changes)?;
        *self.held.write().unwrap_or_else(PoisonError::into_inner) = Held::default();
        Ok(())
    }
}

/// What is held of a range, in the direction it is walked.
type Changes<'h> = Box<dyn Iterator<Item = (&'h Vec<u8>, &'h Option<Vec<u8>>)> + 'h>;

impl Held {
    fn is_full(&self) -> bool {
        self.changes.len() >= ENTRIES || self.bytes >= BYTES
    }

    fn put(&mut self, key: Vec<u8>, value: Option<Vec<u8>>) {
        let size = |value: &Option<Vec<u8>>| value.as_ref().map_or(0, Vec::len);
        let (key_size, new) = (key.len(), size(&value));
        // An entry that changes again and again, as an hour does with each bill, is held once.
        match self.changes.insert(key, value) {
            Some(old) => self.bytes = (self.bytes + new).saturating_sub(size(&old)),
            None => self.bytes += key_size + new,
        }
    }
}

impl<K: Kv> Kv for Memtable<K> {
    fn get(&self, key: &[u8]) -> Result<Option<Vec<u8>>, StoreError> {
        let held = self.held.read().unwrap_or_else(PoisonError::into_inner);
        match held.changes.get(key) {
            Some(value) => Ok(value.clone()),
            None => self.get_below(key),
        }
    }

    fn scan(&self, stretch: Stretch<'_>) -> Result<Vec<Entry>, StoreError> {
        let mut out = Vec::new();
        if stretch.is_empty() {
            return Ok(out);
        }
        let Stretch { low, high, back, max } = stretch;
        let held = self.held.read().unwrap_or_else(PoisonError::into_inner);
        let range = held.changes.range::<[u8], _>((low, high));
        let mut changes: Changes<'_> = if back { Box::new(range.rev()) } else { Box::new(range) };
        let mut change = changes.next();
        let mut edge: Option<Vec<u8>> = None;
        loop {
            let asked = max - out.len();
            let rest = edge.as_ref().map_or(stretch, |seen| stretch.behind(seen));
            let found = self.below.scan(rest.at_most(asked))?;
            let done = found.len() < asked;
            edge = found.last().map(|(key, _)| key.clone());
            for (key, value) in found {
                let mut theirs = Some(value);
                while let Some((at, held)) = change
                    && (if back { at.as_slice() >= key.as_slice() } else { at.as_slice() <= key.as_slice() })
                {
                    if *at == key {
                        theirs = None;
                    }
                    if let Some(value) = held {
                        out.push((at.clone(), value.clone()));
                    }
                    change = changes.next();
                }
                if let Some(value) = theirs {
                    out.push((key, value));
                }
                if out.len() >= max {
                    out.truncate(max);
                    return Ok(out);
                }
            }
            if done {
                while out.len() < max
                    && let Some((at, held)) = change
                {
                    if let Some(value) = held {
                        out.push((at.clone(), value.clone()));
                    }
                    change = changes.next();
                }
                return Ok(out);
            }
        }
    }

    fn apply(&self, batch: Batch) -> Result<(), StoreError> {
        let alone = self.writing.lock().unwrap_or_else(PoisonError::into_inner);
        let full = {
            let mut held = self.held.write().unwrap_or_else(PoisonError::into_inner);
            let mut read = self.read.lock().unwrap_or_else(PoisonError::into_inner);
            for (key, value) in batch {
                read.remove(&key);
                held.put(key, value);
            }
            held.is_full()
        };
        if full { self.spill_alone(&alone) } else { Ok(()) }
    }

    fn get_cached<'n>(&self, key: &[u8], cache: &'n mut ReadCache) -> Result<Option<&'n [u8]>, StoreError> {
        let held = self.held.read().unwrap_or_else(PoisonError::into_inner);
        match held.changes.get(key) {
            Some(value) => {
                cache.value.clone_from(value);
                Ok(cache.value.as_deref())
            }
            None => self.below.get_cached(key, cache),
        }
    }
}
