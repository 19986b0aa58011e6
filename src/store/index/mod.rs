//! The index: everything that answers a question quickly, folded from the journal's facts.
//!
//! Invariant: it is a function of the journal alone; losing it loses time, never truth.

mod asked;
pub mod blocks;
pub mod fold;
mod forget;
pub mod key;
pub mod kv;
mod ledger;
pub mod memtable;
mod page;
mod read;
pub mod row;
pub mod scratch;
mod sieve;

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use self::key::RunNo;
use self::kv::Kv;
use crate::domain::ids::Seq;
use crate::domain::run::RunHead;
use crate::store::StoreError;

/// Heads kept at hand; they never change, so none is ever wrong.
const HEADS: usize = 256;

/// Reads of the index, over whatever holds it.
pub struct Index<K: Kv> {
    /// What holds it.
    pub kv: K,
    heads: Mutex<HashMap<RunNo, Arc<RunHead>>>,
}

impl<K: Kv> Index<K> {
    /// Reads from what holds it.
    pub fn new(kv: K) -> Self {
        Self { kv, heads: Mutex::default() }
    }

    /// Place of the last fact folded in.
    pub fn applied(&self) -> Result<Seq, StoreError> {
        let bytes = self.kv.get(&scratch::applied_key())?;
        Ok(Seq(bytes.and_then(|b| key::u64_at(&b, 0)).unwrap_or(0)))
    }

    fn head(&self, no: RunNo) -> Result<Arc<RunHead>, StoreError> {
        let cached = self.heads.lock().unwrap_or_else(PoisonError::into_inner).get(&no).cloned();
        if let Some(head) = cached {
            return Ok(head);
        }
        let rec = self.run_rec(no)?.ok_or_else(|| StoreError::Read(format!("run number {no} has no head")))?;
        let head = Arc::new(rec.h);
        let mut heads = self.heads.lock().unwrap_or_else(PoisonError::into_inner);
        if heads.len() >= HEADS {
            heads.clear();
        }
        heads.insert(no, Arc::clone(&head));
        Ok(head)
    }
}
