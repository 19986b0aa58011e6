//! A store in memory, for tests and for looking around without a data directory. Same contract, same fold.
//!
//! Invariant: nothing survives it; it refuses exactly what the durable one refuses.

use std::sync::{Arc, Mutex, PoisonError, RwLock};

use super::batch::Stored;
use super::index::Index;
use super::index::fold::fold;
use super::index::kv::{Kv, MemKv};
use super::index::unmoved::unmoved;
use super::index::write_batch::WriteBatch;
use super::reads::{Embedded, Inside, Pace};
use super::{AppendError, Appended, Batch, StoreError, limited};
use skydeck_core::domain::event::Fact;
use skydeck_core::domain::ids::Seq;
use skydeck_core::domain::time::Clock;

/// What it holds.
pub struct Held {
    facts: RwLock<Vec<Fact>>,
    index: Index<MemKv>,
}

/// The store.
pub struct MemoryStore {
    clock: Arc<dyn Clock>,
    held: Arc<Held>,
    stored: Mutex<Stored>,
    refusing: Mutex<Option<String>>,
}

impl MemoryStore {
    /// An empty store.
    pub fn new(clock: Arc<dyn Clock>) -> Self {
        Self {
            clock,
            held: Arc::new(Held { facts: RwLock::default(), index: Index::new(MemKv::default()) }),
            stored: Mutex::default(),
            refusing: Mutex::new(None),
        }
    }

    /// Refuses every append from now on, as a store does whose disk failed; `None` takes them again.
    pub fn refuse_writes(&self, why: Option<&str>) {
        *self.refusing.lock().unwrap_or_else(PoisonError::into_inner) = why.map(str::to_owned);
    }

    /// The index.
    pub fn index(&self) -> &Index<MemKv> {
        &self.held.index
    }

    /// Appends, without the pretence of waiting.
    pub fn append_now(&self, batch: &Batch) -> Result<Appended, AppendError> {
        let refusing = self.refusing.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(why) = refusing.as_ref() {
            return Err(AppendError::Write(why.clone()));
        }
        let mut stored = self.stored.lock().unwrap_or_else(PoisonError::into_inner);
        let mut facts = self.held.facts.write().unwrap_or_else(PoisonError::into_inner);
        if let Some((before, n)) = stored.find(batch.id) {
            return Ok(Appended { facts: after(&facts, before, n).into() });
        }
        let (before, at) = (facts.len() as u64, self.clock.now());
        let stamp = |(seq, event)| Fact { seq: Seq(seq), at, event: limited(event) };
        let new: Arc<[Fact]> = (before + 1..).zip(batch.events.iter()).map(stamp).collect();
        let mut writes = WriteBatch::new(&self.held.index);
        unmoved(&writes, &batch.unmoved)?;
        for fact in new.iter() {
            fold(fact, &mut writes)?;
        }
        if let Some(last) = new.last() {
            writes.accept(last.seq);
        }
        for batch in writes.finish() {
            self.held.index.kv.apply(batch)?;
        }
        facts.extend(new.iter().cloned());
        stored.note(batch.id, Seq(before), new.len());
        Ok(Appended { facts: new })
    }
}

fn after(facts: &[Fact], after: Seq, limit: usize) -> Vec<Fact> {
    facts.iter().skip(usize::try_from(after.0).unwrap_or(usize::MAX)).take(limit).cloned().collect()
}

impl Inside for Held {
    type Kv = MemKv;

    fn index(&self) -> &Index<MemKv> {
        &self.index
    }

    fn last_seq(&self) -> Result<Seq, StoreError> {
        Ok(Seq(self.facts.read().unwrap_or_else(PoisonError::into_inner).len() as u64))
    }

    fn facts_after(&self, after: Seq, limit: usize) -> Result<Vec<Fact>, StoreError> {
        Ok(self::after(&self.facts.read().unwrap_or_else(PoisonError::into_inner), after, limit))
    }

    fn facts_at(&self, places: &[Seq]) -> Result<Vec<Fact>, StoreError> {
        let facts = self.facts.read().unwrap_or_else(PoisonError::into_inner);
        let one = |seq: &Seq| facts.get(usize::try_from(seq.0.saturating_sub(1)).unwrap_or(usize::MAX)).cloned();
        Ok(places.iter().filter_map(one).collect())
    }
}

impl Embedded for MemoryStore {
    type Inside = Held;

    fn inside(&self) -> &Arc<Held> {
        &self.held
    }

    fn pace(&self) -> Option<&Pace> {
        None
    }

    async fn store(&self, batch: Batch) -> Result<Appended, AppendError> {
        self.append_now(&batch)
    }
}
