//! What the index needs of whatever holds it: ordered bytes, and batches that apply together.
//!
//! Invariant: a batch is seen whole or not at all by a reader that starts after it.

use std::collections::{BTreeMap, VecDeque};
use std::ops::{Bound, RangeBounds};
use std::sync::{PoisonError, RwLock};

use crate::StoreError;

/// Changes that apply together: a value, or `None` to delete.
pub type Batch = BTreeMap<Vec<u8>, Option<Vec<u8>>>;
/// A key with its value.
pub type Entry = (Vec<u8>, Vec<u8>);

/// A stretch of keys to read: at most `max` entries between two bounds, from the low end, or from the high end when `back`.
#[derive(Clone, Copy, Debug)]
pub struct Stretch<'k> {
    /// Where it begins.
    pub low: Bound<&'k [u8]>,
    /// Where it ends.
    pub high: Bound<&'k [u8]>,
    /// Whether it is walked from its high end.
    pub back: bool,
    /// Entries at most.
    pub max: usize,
}

impl<'k> Stretch<'k> {
    /// Every entry there is.
    pub fn all(back: bool) -> Self {
        Self { low: Bound::Unbounded, high: Bound::Unbounded, back, max: usize::MAX }
    }

    /// The first entry between two bounds.
    pub fn first(low: Bound<&'k [u8]>, high: Bound<&'k [u8]>) -> Self {
        Self { low, high, back: false, max: 1 }
    }

    /// The last entry that lies before a bound.
    pub fn last_before(high: Bound<&'k [u8]>) -> Self {
        Self { low: Bound::Unbounded, high, back: true, max: 1 }
    }

    /// The stretch without what was read of it up to a key, its last entry so far.
    #[must_use]
    pub fn behind(self, key: &'k [u8]) -> Self {
        let edge = Bound::Excluded(key);
        if self.back { Self { high: edge, ..self } } else { Self { low: edge, ..self } }
    }

    /// The same with another number of entries at most.
    #[must_use]
    pub fn at_most(self, max: usize) -> Self {
        Self { max, ..self }
    }

    /// Whether nothing can lie in it, or nothing is wanted of it (such ranges make ordered maps panic).
    pub fn is_empty(&self) -> bool {
        let nothing_between = match (self.low, self.high) {
            (Bound::Included(l), Bound::Included(h)) => l > h,
            (Bound::Included(l) | Bound::Excluded(l), Bound::Excluded(h))
            | (Bound::Excluded(l), Bound::Included(h)) => l >= h,
            _ => false,
        };
        nothing_between || self.max == 0
    }

    /// Whether a key lies between its bounds.
    pub fn holds(&self, key: &[u8]) -> bool {
        RangeBounds::<[u8]>::contains(&(self.low, self.high), key)
    }
}

/// Ordered bytes.
pub trait Kv: Send + Sync {
    /// One value.
    fn get(&self, key: &[u8]) -> Result<Option<Vec<u8>>, StoreError>;
    /// The entries of a stretch, in the direction it is walked.
    fn scan(&self, stretch: Stretch<'_>) -> Result<Vec<Entry>, StoreError>;
    /// Applies changes together.
    fn apply(&self, batch: Batch) -> Result<(), StoreError>;
    /// One value, for a reader that asks for many keys near each other: `cache` keeps what was read for the last ones.
    fn get_cached<'n>(&self, key: &[u8], cache: &'n mut ReadCache) -> Result<Option<&'n [u8]>, StoreError> {
        cache.value = self.get(key)?;
        cache.loads += 1;
        Ok(cache.value.as_deref())
    }
}

impl<K: Kv + ?Sized> Kv for std::sync::Arc<K> {
    fn get(&self, key: &[u8]) -> Result<Option<Vec<u8>>, StoreError> {
        (**self).get(key)
    }

    fn scan(&self, stretch: Stretch<'_>) -> Result<Vec<Entry>, StoreError> {
        (**self).scan(stretch)
    }

    fn apply(&self, batch: Batch) -> Result<(), StoreError> {
        (**self).apply(batch)
    }

    fn get_cached<'n>(&self, key: &[u8], cache: &'n mut ReadCache) -> Result<Option<&'n [u8]>, StoreError> {
        (**self).get_cached(key, cache)
    }
}

/// What a reader of many keys keeps between them.
#[derive(Debug, Default)]
pub struct ReadCache {
    /// The last value, where values are read one by one.
    pub(super) value: Option<Vec<u8>>,
    /// Where many come together: those read last.
    pub(super) blocks: Held,
    /// Times something had to be read for it.
    pub(super) loads: u64,
}

impl ReadCache {
    /// Keeps one value, in the place of the one before.
    pub fn keep(&mut self, value: Option<Vec<u8>>) {
        self.value = value;
    }

    /// The value kept last.
    pub fn kept(&self) -> Option<&[u8]> {
        self.value.as_deref()
    }
}

/// The blocks a reader saw last, the newest first.
#[derive(Debug, Default)]
pub(super) struct Held {
    /// Changes made before they were read.
    pub(super) changes: u64,
    pub(super) blocks: VecDeque<Known>,
}

/// A block with the keys it reaches from and to.
#[derive(Debug)]
pub(super) struct Known {
    pub from: Vec<u8>,
    pub to: Vec<u8>,
    pub bytes: Vec<u8>,
}

/// An index in memory.
#[derive(Debug, Default)]
pub struct MemKv(RwLock<BTreeMap<Vec<u8>, Vec<u8>>>);

impl Kv for MemKv {
    fn get(&self, key: &[u8]) -> Result<Option<Vec<u8>>, StoreError> {
        Ok(self.0.read().unwrap_or_else(PoisonError::into_inner).get(key).cloned())
    }

    fn scan(&self, stretch: Stretch<'_>) -> Result<Vec<Entry>, StoreError> {
        if stretch.is_empty() {
            return Ok(Vec::new());
        }
        let Stretch { low, high, back, max } = stretch;
        let map = self.0.read().unwrap_or_else(PoisonError::into_inner);
        let range = map.range::<[u8], _>((low, high)).map(|(k, v)| (k.clone(), v.clone()));
        Ok(if back { range.rev().take(max).collect() } else { range.take(max).collect() })
    }

    fn apply(&self, batch: Batch) -> Result<(), StoreError> {
        let mut map = self.0.write().unwrap_or_else(PoisonError::into_inner);
        for (key, value) in batch {
            match value {
                Some(value) => map.insert(key, value),
                None => map.remove(&key),
            };
        }
        Ok(())
    }
}

/// Walks a range in pieces, so that a page never holds more than it needs.
pub struct Walk<'k, K: Kv + ?Sized> {
    kv: &'k K,
    low: Bound<Vec<u8>>,
    high: Bound<Vec<u8>>,
    back: bool,
    piece: usize,
    held: std::vec::IntoIter<Entry>,
    done: bool,
}

impl<'k, K: Kv + ?Sized> Walk<'k, K> {
    /// Walks from `low` to `high`, or from `high` to `low` when `back`.
    pub fn new(kv: &'k K, low: Bound<Vec<u8>>, high: Bound<Vec<u8>>, back: bool) -> Self {
        Self { kv, low, high, back, piece: 32, held: Vec::new().into_iter(), done: false }
    }

    /// The same, for one of many walks of which only the first entries are wanted.
    #[must_use]
    pub fn few(self) -> Self {
        Self { piece: 2, ..self }
    }

    /// Walks everything that begins with a prefix.
    pub fn prefix(kv: &'k K, prefix: Vec<u8>, back: bool) -> Self {
        let high = super::key::after_prefix(&prefix).map_or(Bound::Unbounded, Bound::Excluded);
        Self::new(kv, Bound::Included(prefix), high, back)
    }

    fn fetch(&mut self) -> Result<(), StoreError> {
        let (low, high) = (bound(&self.low), bound(&self.high));
        let got = self.kv.scan(Stretch { low, high, back: self.back, max: self.piece })?;
        self.done = got.len() < self.piece;
        if let Some((last, _)) = got.last() {
            let edge = Bound::Excluded(last.clone());
            if self.back {
                self.high = edge;
            } else {
                self.low = edge;
            }
        }
        self.piece = (self.piece * 4).min(1024);
        self.held = got.into_iter();
        Ok(())
    }
}

impl<K: Kv + ?Sized> Iterator for Walk<'_, K> {
    type Item = Result<Entry, StoreError>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            if let Some(entry) = self.held.next() {
                return Some(Ok(entry));
            }
            if self.done {
                return None;
            }
            if let Err(e) = self.fetch() {
                self.done = true;
                return Some(Err(e));
            }
        }
    }
}

fn bound(b: &Bound<Vec<u8>>) -> Bound<&[u8]> {
    match b {
        Bound::Included(k) => Bound::Included(k.as_slice()),
        Bound::Excluded(k) => Bound::Excluded(k.as_slice()),
        Bound::Unbounded => Bound::Unbounded,
    }
}
