//! Changes being worked out: an append is tried against the index and everything accepted before it, and
//! is taken whole or dropped whole.
//!
//! Invariant: nothing reaches the index from here before the journal holds the facts it came from.

use std::collections::BTreeMap;

use serde::Serialize;
use serde::de::DeserializeOwned;

use super::Index;
use super::hour_rows::{Known, Pending, place_key, place_value};
use super::key::{Key, META};
use super::kv::{Batch, Kv, Walk};
use crate::{StoreError, codec};
use skydeck_core::domain::ids::Seq;

/// Changes of one index batch: a long append is cut, so that what goes below in one piece stays small.
pub(super) const BATCH_KEYS: usize = 400;

/// Key under which the place applied is kept.
pub fn applied_key() -> Vec<u8> {
    Key::new(META).raw(b"applied").done()
}

/// Changes not yet in the index.
pub struct WriteBatch<'k, K: Kv + ?Sized> {
    base: &'k K,
    known: &'k Known,
    /// Whether only hours are counted: the facts are folded already.
    only_hours: bool,
    /// What was taken, in order; the last batch still grows.
    accepted: Vec<Batch>,
    /// The append being tried, in the same way.
    trial: Vec<Batch>,
    /// The last fact of what was taken.
    seq: Seq,
    /// What is counted of both.
    pub(super) hours: Pending,
}

impl<'k, K: Kv> WriteBatch<'k, K> {
    /// Nothing changed yet.
    pub fn new(index: &'k Index<K>) -> Self {
        let (accepted, trial, hours) = (Vec::new(), Vec::new(), Pending::default());
        Self { base: &index.kv, known: &index.known, only_hours: false, accepted, trial, seq: Seq(0), hours }
    }

    /// Nothing counted yet of facts that are folded.
    pub fn of_hours(index: &'k Index<K>) -> Self {
        Self { only_hours: true, ..Self::new(index) }
    }
}

impl<K: Kv + ?Sized> WriteBatch<'_, K> {
    /// What lies below every change.
    pub(super) fn base(&self) -> &K {
        self.base
    }

    /// Where the facts of runs are counted.
    pub(super) fn known(&self) -> &Known {
        self.known
    }

    /// Notes up to which fact everything is in a batch.
    fn stamp(only_hours: bool, batch: &mut Batch, seq: Seq) {
        batch.insert(place_key(), Some(place_value(seq)));
        if !only_hours {
            batch.insert(applied_key(), Some(seq.0.to_be_bytes().to_vec()));
        }
    }

    /// What a key was changed to, if it was.
    fn changed(&self, key: &[u8]) -> Option<&Option<Vec<u8>>> {
        self.accepted.iter().chain(&self.trial).rev().find_map(|batch| batch.get(key))
    }

    /// A value as it will be.
    pub fn get<T: DeserializeOwned>(&self, key: &[u8]) -> Result<Option<T>, StoreError> {
        match self.changed(key) {
            Some(value) => value.as_deref().map(codec::unpack).transpose(),
            None => self.base.get(key)?.as_deref().map(codec::unpack).transpose(),
        }
    }

    /// Bytes as they will be.
    pub fn raw(&self, key: &[u8]) -> Result<Option<Vec<u8>>, StoreError> {
        match self.changed(key) {
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
        self.change(key, Some(bytes));
    }

    /// Deletes.
    pub fn delete(&mut self, key: Vec<u8>) {
        self.change(key, None);
    }

    fn change(&mut self, key: Vec<u8>, value: Option<Vec<u8>>) {
        if self.trial.is_empty() {
            self.trial.push(Batch::new());
        }
        if let Some(batch) = self.trial.last_mut() {
            batch.insert(key, value);
        }
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
        for (key, value) in self.accepted.iter().chain(&self.trial).flatten().filter(|(k, _)| k.starts_with(prefix)) {
            found.insert(key.clone(), value.is_some());
        }
        Ok(found.into_iter().filter_map(|(key, there)| there.then_some(key)).collect())
    }

    /// One fact of the append being tried is in; a long append is cut between facts.
    pub fn end_of_fact(&mut self, seq: Seq) {
        if let Some(batch) = self.trial.last_mut().filter(|batch| batch.len() >= BATCH_KEYS) {
            Self::stamp(self.only_hours, batch, seq);
            self.hours.write_trial(batch);
            self.trial.push(Batch::new());
        }
    }

    /// Takes the append that was tried.
    pub fn accept(&mut self, seq: Seq) {
        let fits = |last: &Batch, first: &Batch| last.len() + first.len() <= BATCH_KEYS;
        if self.trial.len() > 1 || self.accepted.last().zip(self.trial.first()).is_some_and(|(a, b)| !fits(a, b)) {
            self.close();
        }
        self.hours.accept(self.known);
        for batch in self.trial.drain(..) {
            match self.accepted.last_mut() {
                Some(last) if last.len() + batch.len() <= BATCH_KEYS => last.extend(batch),
                _ => self.accepted.push(batch),
            }
        }
        if self.accepted.is_empty() {
            self.accepted.push(Batch::new());
        }
        self.seq = seq;
    }

    /// Puts into the last batch what belongs to all of them: up to which fact they go, and what was counted.
    fn close(&mut self) {
        if let Some(last) = self.accepted.last_mut() {
            Self::stamp(self.only_hours, last, self.seq);
            self.hours.write(last);
        }
    }

    /// Drops the append that was tried.
    pub fn reject(&mut self) {
        self.hours.reject();
        self.trial.clear();
    }

    /// What was accepted so far, once it is a full batch: to be applied at once by a long replay, and forgotten here.
    pub fn take_full(&mut self) -> Vec<Batch> {
        if self.accepted.iter().map(Batch::len).sum::<usize>() + self.hours.unwritten() < BATCH_KEYS {
            return Vec::new();
        }
        self.close();
        self.hours.forget();
        std::mem::take(&mut self.accepted)
    }

    /// Everything accepted, in order.
    pub fn finish(mut self) -> Vec<Batch> {
        self.close();
        self.accepted
    }
}
