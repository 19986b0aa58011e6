//! A bill while a fact changes it.

use super::key::{self, Key, RunNo};
use super::kv::Kv;
use super::row::BillRec;
use super::write_batch::WriteBatch;
use crate::StoreError;
use skydeck_core::domain::ids::Fid;

/// A bill being changed: where it was, where it is.
pub(super) struct Changing {
    pub no: RunNo,
    pub fid: Fid,
    pub rec: BillRec,
}

/// Notes a fact with its bill.
pub(super) fn note<K: Kv + ?Sized>(s: &mut WriteBatch<'_, K>, bill: &mut Changing, seq: u64) -> Result<(), StoreError> {
    if let Some((chunk, list)) = bill.rec.note(seq) {
        s.put(Key::new(key::FACTS).u32(bill.no).fid(&bill.fid).u32(chunk).done(), &list)?;
    }
    Ok(())
}
