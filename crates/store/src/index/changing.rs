//! A bill while a fact changes it.

use super::key::{self, Key, RunNo};
use super::kv::Kv;
use super::row::{BillRec, RunLiveRec};
use super::write_batch::WriteBatch;
use crate::StoreError;
use skydeck_core::domain::event::Fact;
use skydeck_core::domain::ids::{Fid, RunId};
use skydeck_core::domain::time::Ts;

/// Where a fact stands that is folded, and when it happened.
#[derive(Clone, Copy)]
pub(super) struct Moment {
    pub seq: u64,
    pub at: Ts,
}

impl Moment {
    pub fn of(fact: &Fact) -> Self {
        Self { seq: fact.seq.0, at: fact.at }
    }
}

/// A bill being changed: where it was, where it is.
pub(super) struct Changing {
    pub no: RunNo,
    pub fid: Fid,
    pub rec: BillRec,
}

/// A bill of an open run while a fact changes it, and with it where its run stands.
pub(super) struct InRun {
    pub run: RunId,
    pub live: RunLiveRec,
    pub bill: Changing,
}

/// Notes a fact with its bill.
pub(super) fn note<K: Kv + ?Sized>(s: &mut WriteBatch<'_, K>, bill: &mut Changing, seq: u64) -> Result<(), StoreError> {
    if let Some((chunk, list)) = bill.rec.note(seq) {
        s.put(Key::new(key::FACTS).u32(bill.no).fid(&bill.fid).u32(chunk).done(), &list)?;
    }
    Ok(())
}
