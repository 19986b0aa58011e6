//! Changes being worked out: an append is tried against the index and everything accepted before it, and
//! is taken whole or dropped whole.
//!
//! Invariant: nothing reaches the index from here before the journal holds the facts it came from.

use std::collections::{BTreeMap, HashMap};

use serde::Serialize;
use serde::de::DeserializeOwned;

use super::key::{Key, META};
use super::kv::{Batch, Kv, Walk};
use crate::domain::ids::Seq;
use crate::store::{StoreError, codec};

/// Changes of one index batch: more make sled hold memory (reference/storage.md §1.3).
const BATCH_KEYS: usize = 400;

/// Key under which the place applied is kept.
pub fn applied_key() -> Vec<u8> {
    Key::new(META).raw(b"applied").done()
}

/// Changes not yet in the index.
pub struct Scratch<'k, K: Kv + ?Sized> {
    base: &'k K,
    accepted: HashMap<Vec<u8>, Option<Vec<u8>>>,
    trial: HashMap<Vec<u8>, Option<Vec<u8>>>,
    batch: Batch,
    trial_batch: Batch,
    trial_batches: Vec<Batch>,
    batches: Vec<Batch>,
}

impl<'k, K: Kv + ?Sized> Scratch<'k, K> {
    /// Nothing changed yet.
    pub fn new(base: &'k K) -> Self {
        Self {
            base,
            accepted: HashMap::new(),
            trial: HashMap::new(),
            batch: Batch::new(),
            trial_batch: Batch::new(),
            trial_batches: Vec::new(),
            batches: Vec::new(),
        }
    }

    /// A value as it will be.
    pub fn get<T: DeserializeOwned>(&self, key: &[u8]) -> Result<Option<T>, StoreError> {
        self.raw(key)?.map(|bytes| codec::unpack(&bytes)).transpose()
    }

    /// Bytes as they will be.
    pub fn raw(&self, key: &[u8]) -> Result<Option<Vec<u8>>, StoreError> {
        match self.trial.get(key).or_else(|| self.accepted.get(key)) {
            Some(value) => Ok(value.clone()),
            None => self.base.get(key),
        }
    }

    /// Sets a value.
    pub fn put<T: Serialize>(&mut self, key: Vec<u8>, value: &T) -> Result<(), StoreError> {
        let bytes = codec::pack(value)?;
        self.put_raw(key, bytes);
        Ok(())
    }

    /// Sets bytes.
    pub fn put_raw(&mut self, key: Vec<u8>, bytes: Vec<u8>) {
        self.trial_batch.insert(key.clone(), Some(bytes.clone()));
        self.trial.insert(key, Some(bytes));
    }

    /// Deletes.
    pub fn delete(&mut self, key: Vec<u8>) {
        self.trial_batch.insert(key.clone(), None);
        self.trial.insert(key, None);
    }

    /// A counter.
    pub fn count(&self, key: &[u8]) -> Result<u64, StoreError> {
        Ok(self.raw(key)?.and_then(|b| super::key::u64_at(&b, 0)).unwrap_or(0))
    }

    /// Moves a counter; a counter at zero is not kept. `Err` when it would fall below zero.
    pub fn shift(&mut self, key: Vec<u8>, up: bool) -> Result<(), StoreError> {
        let now = self.count(&key)?;
        let next = if up { now.checked_add(1) } else { now.checked_sub(1) };
        match next {
            Some(0) => self.delete(key),
            Some(n) => self.put_raw(key, n.to_be_bytes().to_vec()),
            None => return Err(StoreError::Contradiction("a counter of the ledger would fall below zero".to_owned())),
        }
        Ok(())
    }

    /// Keys with a prefix as they will be; for short lists only.
    pub fn keys(&self, prefix: &[u8]) -> Result<Vec<Vec<u8>>, StoreError> {
        let mut found: BTreeMap<Vec<u8>, bool> = BTreeMap::new();
        for entry in Walk::prefix(self.base, prefix.to_vec(), false) {
            found.insert(entry?.0, true);
        }
        for (key, value) in self.accepted.iter().chain(&self.trial).filter(|(k, _)| k.starts_with(prefix)) {
            found.insert(key.clone(), value.is_some());
        }
        Ok(found.into_iter().filter_map(|(key, there)| there.then_some(key)).collect())
    }

    /// One fact of the append being tried is in; a long append is cut between facts.
    pub fn end_of_fact(&mut self, seq: Seq) {
        if self.trial_batch.len() >= BATCH_KEYS {
            let mut batch = std::mem::take(&mut self.trial_batch);
            batch.insert(applied_key(), Some(seq.0.to_be_bytes().to_vec()));
            self.trial_batches.push(batch);
        }
    }

    /// Takes the append that was tried.
    pub fn accept(&mut self, seq: Seq) {
        if !self.trial_batches.is_empty() {
            let held = std::mem::take(&mut self.batch);
            if !held.is_empty() {
                self.batches.push(held);
            }
            self.batches.append(&mut self.trial_batches);
        }
        self.batch.append(&mut self.trial_batch);
        self.batch.insert(applied_key(), Some(seq.0.to_be_bytes().to_vec()));
        self.accepted.extend(self.trial.drain());
        if self.batch.len() >= BATCH_KEYS {
            self.batches.push(std::mem::take(&mut self.batch));
        }
    }

    /// Drops the append that was tried.
    pub fn reject(&mut self) {
        self.trial.clear();
        self.trial_batch.clear();
        self.trial_batches.clear();
    }

    /// Full batches so far, to be applied at once by a long replay. Once they are cut nothing else is held, so
    /// what was worked out is forgotten with them.
    pub fn take_full(&mut self) -> Vec<Batch> {
        if !self.batches.is_empty() && self.batch.is_empty() {
            self.accepted.clear();
        }
        if self.batch.is_empty() { std::mem::take(&mut self.batches) } else { Vec::new() }
    }

    /// Everything accepted, in order.
    pub fn finish(mut self) -> Vec<Batch> {
        if !self.batch.is_empty() {
            self.batches.push(self.batch);
        }
        self.batches
    }
}
