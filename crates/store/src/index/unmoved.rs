//! Whether a record is as it was known: the condition under which a batch is taken.
//!
//! Invariant: it is asked of the index with everything in it that is stored before the batch, so that nothing comes between
//! the question and the append.

use super::entries::{bill_key, dict_key, known_key};
use super::key::{self, Dict, DictNo, Key, u16_at};
use super::kv::Kv;
use super::names::{OPERATIONS, family_of, operation_of};
use super::row::{BillRec, KnownRec, places};
use super::write_batch::WriteBatch;
use crate::{AppendError, StoreError};
use skydeck_core::domain::ids::{OpId, RecordKey, Seq};

/// Refuses where facts were added about one of the records.
pub fn unmoved<K: Kv + ?Sized>(s: &WriteBatch<'_, K>, known: &[(RecordKey, Seq)]) -> Result<(), AppendError> {
    let mut moved = Vec::new();
    for (record, newest) in known {
        if newest_of(s, record)? != *newest {
            moved.push(record.clone());
        }
    }
    if moved.is_empty() { Ok(()) } else { Err(AppendError::Moved(moved)) }
}

/// Place of the newest fact about a record, whatever was done to it.
fn newest_of<K: Kv + ?Sized>(s: &WriteBatch<'_, K>, record: &RecordKey) -> Result<Seq, StoreError> {
    let mut newest = Seq(0);
    for family in families_of(s, record)? {
        let mut next = s.get::<KnownRec>(&known_key(family, &record.fid))?.map(|known| known.r);
        // An earlier run may still be at work on the record, so each of them is asked.
        while let Some(no) = next {
            let Some(rec) = s.get::<BillRec>(&bill_key(no, &record.fid))? else { break };
            newest = newest.max(Seq(places(&rec.f).max().unwrap_or(0)));
            next = rec.p;
        }
    }
    Ok(newest)
}

/// Families of the bills of a record's form: one for each operation.
fn families_of<K: Kv + ?Sized>(s: &WriteBatch<'_, K>, record: &RecordKey) -> Result<Vec<DictNo>, StoreError> {
    if s.raw(&Key::new(key::META).raw(OPERATIONS).done())?.is_none() {
        return Ok(family_of(s, &record.under(&OpId::default()))?.into_iter().collect());
    }
    let prefix = dict_key(Dict::Family, "");
    let mut families = Vec::new();
    for at in s.keys(&prefix)? {
        let text = String::from_utf8_lossy(at.get(prefix.len()..).unwrap_or_default()).into_owned();
        if operation_of(&text, record).is_some()
            && let Some(no) = s.raw(&at)?.and_then(|bytes| u16_at(&bytes, 0))
        {
            families.push(no);
        }
    }
    Ok(families)
}
