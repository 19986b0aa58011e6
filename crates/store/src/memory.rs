//! A store in memory, for tests and for looking around without a data directory. Same contract, same fold.
//!
//! Invariant: nothing survives it; it refuses exactly what the durable one refuses.

use std::sync::{Arc, Mutex, PoisonError, RwLock};

use async_trait::async_trait;

use super::index::Index;
use super::index::fold::fold;
use super::index::kv::{Kv, MemKv};
use super::index::scratch::Scratch;
use super::{Appended, Store, StoreError, limit_evidence, trim_to_bill};
use skydeck_core::domain::event::{Event, Fact};
use skydeck_core::domain::ids::{Seq, WorkKey};
use skydeck_core::domain::time::Clock;

/// The store.
pub struct MemoryStore {
    clock: Arc<dyn Clock>,
    facts: RwLock<Vec<Fact>>,
    pub(super) index: Index<MemKv>,
    refusing: Mutex<Option<String>>,
}

impl MemoryStore {
    /// An empty store.
    pub fn new(clock: Arc<dyn Clock>) -> Self {
        Self { clock, facts: RwLock::default(), index: Index::new(MemKv::default()), refusing: Mutex::new(None) }
    }

    /// Refuses every append from now on, as a store does whose disk failed; `None` takes them again.
    pub fn refuse_writes(&self, why: Option<&str>) {
        *self.refusing.lock().unwrap_or_else(PoisonError::into_inner) = why.map(str::to_owned);
    }

    /// Appends, without the pretence of waiting.
    pub fn append_now(&self, mut events: Vec<Event>) -> Result<Appended, StoreError> {
        let refusing = self.refusing.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(why) = refusing.as_ref() {
            return Err(StoreError::Write(why.clone()));
        }
        let mut facts = self.facts.write().unwrap_or_else(PoisonError::into_inner);
        let at = self.clock.now();
        let first = facts.len() as u64 + 1;
        events.iter_mut().for_each(limit_evidence);
        let new: Arc<[Fact]> = (first..).zip(events).map(|(seq, event)| Fact { seq: Seq(seq), at, event }).collect();
        let mut scratch = Scratch::new(&self.index.kv);
        for fact in new.iter() {
            fold(fact, &mut scratch)?;
        }
        if let Some(last) = new.last() {
            scratch.accept(last.seq);
        }
        for batch in scratch.finish() {
            self.index.kv.apply(batch)?;
        }
        facts.extend(new.iter().cloned());
        Ok(Appended { facts: new })
    }
}

#[async_trait]
impl Store for MemoryStore {
    async fn append(&self, events: Vec<Event>) -> Result<Appended, StoreError> {
        self.append_now(events)
    }

    fn last_seq(&self) -> Seq {
        Seq(self.facts.read().unwrap_or_else(PoisonError::into_inner).len() as u64)
    }

    fn facts_after(&self, after: Seq, limit: usize) -> Result<Vec<Fact>, StoreError> {
        let facts = self.facts.read().unwrap_or_else(PoisonError::into_inner);
        Ok(facts.iter().skip(usize::try_from(after.0).unwrap_or(usize::MAX)).take(limit).cloned().collect())
    }

    fn facts_of(&self, key: &WorkKey, limit: usize) -> Result<(Vec<Fact>, bool), StoreError> {
        let places = self.index.places_of(key, limit)?;
        let facts = self.facts.read().unwrap_or_else(PoisonError::into_inner);
        let one = |seq: &Seq| facts.get(usize::try_from(seq.0.saturating_sub(1)).unwrap_or(usize::MAX)).cloned();
        let all = places.all.iter().filter_map(one).map(|fact| trim_to_bill(fact, &key.record.fid)).collect();
        Ok((all, places.cut))
    }

    super::index_reads!(self => self.index);
}
