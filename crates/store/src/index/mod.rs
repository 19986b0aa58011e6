//! The index: everything that answers a question quickly, folded from the journal's facts.
//!
//! Invariant: it is a function of the journal alone; losing it loses time, never truth.

mod asked;
mod bills;
pub mod blocks;
mod changing;
pub mod entries;
pub mod fold;
mod forecast;
pub mod forget;
mod handed_in;
pub mod hour_rows;
pub mod hours;
pub mod key;
pub mod kv;
mod ledger;
pub mod ledger_rule;
mod list;
pub mod memtable;
pub mod names;
mod page;
mod prefilter;
mod read;
pub(crate) mod recount;
pub mod row;
mod run_gate;
mod run_list;
mod run_sorts;
mod run_span;
mod runs;
pub mod unmoved;
mod values;
pub mod write_batch;

pub(crate) use forecast::is_of_forecast;
pub(crate) use hour_rows::is_of_hours;

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use self::key::RunNo;
use self::kv::{Batch, Kv};
use crate::StoreError;
use skydeck_core::domain::filter::fold_label;
use skydeck_core::domain::ids::{PlanRev, Seq};
use skydeck_core::domain::run::RunHead;

/// Number of the layout of the index's entries. Whoever writes an entry in another way, or reads one that was not
/// written before, raises it: an index of another number is built anew from the journal when the store is opened.
pub const LAYOUT: u32 = 5;
/// Layout of an index that names none: 0.1.0 wrote it.
pub const UNNUMBERED: u32 = 1;

/// Says what contradicts.
fn refuse<T>(what: String) -> Result<T, StoreError> {
    Err(StoreError::Contradiction(what))
}

/// Key under which the layout's number is kept.
pub fn layout_key() -> Vec<u8> {
    key::Key::new(key::META).raw(b"layout").done()
}

/// Heads kept at hand; they never change, so none is ever wrong.
const HEADS: usize = 256;

/// Reads of the index, over whatever holds it.
pub struct Index<K: Kv> {
    /// What holds it.
    pub kv: K,
    heads: Mutex<HashMap<RunNo, Arc<RunHead>>>,
    labels: Mutex<HashMap<PlanRev, Arc<[String]>>>,
    known: hour_rows::Known,
}

impl<K: Kv> Index<K> {
    /// Reads from what holds it.
    pub fn new(kv: K) -> Self {
        Self { kv, heads: Mutex::default(), labels: Mutex::default(), known: hour_rows::Known::default() }
    }

    /// Place of the last fact folded in.
    pub fn applied(&self) -> Result<Seq, StoreError> {
        let bytes = self.kv.get(&write_batch::applied_key())?;
        Ok(Seq(bytes.and_then(|b| key::u64_at(&b, 0)).unwrap_or(0)))
    }

    /// Number of the layout its entries have; `None` where nothing was ever put in.
    pub fn layout(&self) -> Result<Option<u32>, StoreError> {
        if let Some(bytes) = self.kv.get(&layout_key())? {
            let number = key::u64_at(&bytes, 0).and_then(|n| u32::try_from(n).ok());
            return number.map(Some).ok_or_else(|| StoreError::Read("the index's layout is no number".to_owned()));
        }
        let is_empty = self.kv.scan(kv::Stretch::all(false).at_most(1))?.is_empty();
        Ok((!is_empty).then_some(UNNUMBERED))
    }

    /// Marks an empty index as one of this layout, so that whatever comes into it later says which it is.
    pub fn begin(&self) -> Result<(), StoreError> {
        self.kv.apply(Batch::from([(layout_key(), Some(u64::from(LAYOUT).to_be_bytes().to_vec()))]))
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
    /// Labels of a run's columns, in their order, as filters compare them; none where its plan was not kept.
    fn labels(&self, head: &RunHead) -> Result<Arc<[String]>, StoreError> {
        let cached = self.labels.lock().unwrap_or_else(PoisonError::into_inner).get(&head.rev).cloned();
        if let Some(labels) = cached {
            return Ok(labels);
        }
        let plan = self.plan_of(&head.rev)?;
        let columns = plan.map(|plan| plan.source.columns).unwrap_or_default();
        let label = |name: &String| columns.iter().find(|column| column.key == *name).map(|column| &column.label);
        let labels: Arc<[String]> = if columns.is_empty() {
            Arc::default()
        } else {
            head.columns.iter().map(|name| label(name).map(|label| fold_label(label)).unwrap_or_default()).collect()
        };
        let mut all = self.labels.lock().unwrap_or_else(PoisonError::into_inner);
        if all.len() >= HEADS {
            all.clear();
        }
        all.insert(head.rev.clone(), Arc::clone(&labels));
        Ok(labels)
    }
}
