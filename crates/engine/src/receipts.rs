//! Receipts of the last orders, so that one that comes again does nothing twice.
//!
//! Invariant: at most so many are kept as are read back at the start; the oldest goes first.

use std::collections::{HashMap, VecDeque};

use skydeck_core::domain::command::Receipt;
use skydeck_core::domain::ids::CommandId;
use skydeck_core::domain::query::PageRequest;
use skydeck_store::{Store, StoreError};

/// Receipts kept for orders that come twice.
const RECEIPTS: usize = 1024;

/// Receipts of the last orders.
#[derive(Default)]
pub struct Receipts {
    by_id: HashMap<CommandId, Receipt>,
    order: VecDeque<CommandId>,
}

impl Receipts {
    pub(super) fn get(&self, id: CommandId) -> Option<Receipt> {
        self.by_id.get(&id).cloned()
    }

    /// The orders that were carried out last, as the journal tells of them: one that comes again after a restart does
    /// nothing twice.
    pub(super) async fn remembered(store: &dyn Store) -> Result<Self, StoreError> {
        let mut newest = store.actions(&PageRequest::first(RECEIPTS as u32)).await?.rows;
        newest.reverse();
        let mut receipts = Self::default();
        for (_, (_, _, entry)) in newest {
            if let Some(id) = entry.order {
                receipts.put(id, Receipt::Accepted { run: entry.run, more: Vec::new(), bills: entry.bills });
            }
        }
        Ok(receipts)
    }

    pub(super) fn put(&mut self, id: CommandId, receipt: Receipt) {
        self.by_id.insert(id, receipt);
        self.order.push_back(id);
        if self.order.len() > RECEIPTS
            && let Some(old) = self.order.pop_front()
        {
            self.by_id.remove(&old);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_receipts_are_kept_and_the_oldest_goes_first() {
        let id = |n: usize| CommandId(ulid::Ulid::from_parts(1, n as u128));
        let receipt = |bills: usize| Receipt::Accepted { run: None, more: Vec::new(), bills: bills as u64 };
        let mut receipts = Receipts::default();
        for n in 0..RECEIPTS {
            receipts.put(id(n), receipt(n));
        }
        assert_eq!(receipts.get(id(0)), Some(receipt(0)));
        receipts.put(id(RECEIPTS), receipt(RECEIPTS));
        assert_eq!([0, 1, RECEIPTS].map(|n| receipts.get(id(n))), [None, Some(receipt(1)), Some(receipt(RECEIPTS))]);
        assert_eq!((receipts.by_id.len(), receipts.order.len()), (RECEIPTS, RECEIPTS));
    }
}
