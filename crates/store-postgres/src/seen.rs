//! The batches stored last with their facts, for one that comes twice. The database remembers the others.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;

use skydeck_core::domain::event::Fact;
use skydeck_store::BatchId;

/// Batches remembered here.
const REMEMBERED: usize = 256;

#[derive(Default)]
pub(crate) struct Seen {
    order: VecDeque<BatchId>,
    facts: HashMap<BatchId, Arc<[Fact]>>,
}

impl Seen {
    /// The facts of a batch that was stored.
    pub fn find(&self, id: BatchId) -> Option<Arc<[Fact]>> {
        self.facts.get(&id).map(Arc::clone)
    }

    /// Remembers a batch.
    pub fn note(&mut self, id: BatchId, facts: Arc<[Fact]>) {
        if self.order.len() >= REMEMBERED
            && let Some(oldest) = self.order.pop_front()
        {
            self.facts.remove(&oldest);
        }
        if self.facts.insert(id, facts).is_none() {
            self.order.push_back(id);
        }
    }
}
