//! A store in memory, for tests and for looking around without a data directory. Same contract, same fold.
//!
//! Invariant: nothing survives it; it refuses exactly what the durable one refuses.

use std::sync::{Arc, Mutex, PoisonError, RwLock};

use async_trait::async_trait;

use super::batch::Stored;
use super::index::Index;
use super::index::fold::fold;
use super::index::kv::{Kv, MemKv};
use super::index::scratch::Scratch;
use super::index::unmoved::unmoved;
use super::{AppendError, Appended, Batch, Store, StoreError, limited, trim_to_bill};
use skydeck_core::domain::event::Fact;
use skydeck_core::domain::ids::{Seq, WorkKey};
use skydeck_core::domain::time::Clock;

/// The store.
pub struct MemoryStore {
    clock: Arc<dyn Clock>,
    facts: RwLock<Vec<Fact>>,
    pub(super) index: Index<MemKv>,
    stored: Mutex<Stored>,
    refusing: Mutex<Option<String>>,
}

impl MemoryStore {
    /// An empty store.
    pub fn new(clock: Arc<dyn Clock>) -> Self {
        Self {
            clock,
            facts: RwLock::default(),
            index: Index::new(MemKv::default()),
            stored: Mutex::default(),
            refusing: Mutex::new(None),
        }
    }

    /// Refuses every append from now on, as a store does whose disk failed; `None` takes them again.
    pub fn refuse_writes(&self, why: Option<&str>) {
        *self.refusing.lock().unwrap_or_else(PoisonError::into_inner) = why.map(str::to_owned);
    }

    /// Appends, without the pretence of waiting.
    pub fn append_now(&self, batch: &Batch) -> Result<Appended, AppendError> {
        let refusing = self.refusing.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(why) = refusing.as_ref() {
            return Err(AppendError::Write(why.clone()));
        }
        let mut stored = self.stored.lock().unwrap_or_else(PoisonError::into_inner);
        let mut facts = self.facts.write().unwrap_or_else(PoisonError::into_inner);
        if let Some((before, n)) = stored.find(batch.id) {
            return Ok(Appended { facts: after(&facts, before, n).into() });
        }
        let (before, at) = (facts.len() as u64, self.clock.now());
        let stamp = |(seq, event)| Fact { seq: Seq(seq), at, event: limited(event) };
        let new: Arc<[Fact]> = (before + 1..).zip(batch.events.iter()).map(stamp).collect();
        let mut scratch = Scratch::new(&self.index.kv);
        unmoved(&scratch, &batch.unmoved)?;
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
        stored.note(batch.id, Seq(before), new.len());
        Ok(Appended { facts: new })
    }
}

fn after(facts: &[Fact], after: Seq, limit: usize) -> Vec<Fact> {
    facts.iter().skip(usize::try_from(after.0).unwrap_or(usize::MAX)).take(limit).cloned().collect()
}

#[async_trait]
impl Store for MemoryStore {
    async fn append(&self, batch: Batch) -> Result<Appended, AppendError> {
        self.append_now(&batch)
    }

    fn last_seq(&self) -> Seq {
        Seq(self.facts.read().unwrap_or_else(PoisonError::into_inner).len() as u64)
    }

    fn facts_after(&self, after: Seq, limit: usize) -> Result<Vec<Fact>, StoreError> {
        Ok(self::after(&self.facts.read().unwrap_or_else(PoisonError::into_inner), after, limit))
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
