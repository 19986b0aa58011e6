//! Numbers for names: plans, environments and families of bills stand in the index by a number each.
//!
//! Invariant: a number is given once and never again, in order of first appearance.

use super::entries::dict_key;
use super::key::{self, Dict, DictNo, Key};
use super::kv::Kv;
use super::refuse;
use super::write_batch::WriteBatch;
use crate::StoreError;
use skydeck_core::domain::ids::{OpId, RecordKey, WorkKey};

pub(super) fn next<K: Kv + ?Sized>(s: &mut WriteBatch<'_, K>, what: &[u8]) -> Result<u32, StoreError> {
    let at = Key::new(key::META).raw(what).done();
    let no = s.raw(&at)?.and_then(|b| key::u32_at(&b, 0)).unwrap_or(0);
    let Some(no) = no.checked_add(1) else { return refuse("the store has no number left".to_owned()) };
    s.put_raw(at, no.to_be_bytes().to_vec());
    Ok(no)
}

pub(super) fn dict<K: Kv + ?Sized>(s: &mut WriteBatch<'_, K>, kind: Dict, text: &str) -> Result<DictNo, StoreError> {
    let at = dict_key(kind, text);
    if let Some(no) = s.raw(&at)?.and_then(|b| key::u16_at(&b, 0)) {
        return Ok(no);
    }
    let Ok(no) = u16::try_from(next(s, &[kind as u8])?) else {
        return refuse(format!("more than {} different plans, environments or forms", u16::MAX));
    };
    s.put_raw(at, no.to_be_bytes().to_vec());
    Ok(no)
}

pub(super) fn family<K: Kv + ?Sized>(
    s: &mut WriteBatch<'_, K>,
    env: &str,
    form: &str,
    op: &OpId,
) -> Result<DictNo, StoreError> {
    let several = Key::new(key::META).raw(OPERATIONS).done();
    if !op.is_audit() && s.raw(&several)?.is_none() {
        s.put_raw(several, Vec::new());
    }
    dict(s, Dict::Family, &family_text(env, form, op))
}

/// Name in [`key::META`] that says that there are operations beside Audit.
pub const OPERATIONS: &[u8] = b"operations";

/// Text of a family in the dictionary: the records of one form in one environment, under one operation.
pub fn family_text(env: &str, form: &str, op: &OpId) -> String {
    if op.is_audit() { format!("{env}\u{0}{form}") } else { format!("{env}\u{0}{form}\u{0}{op}") }
}

/// Family of a bill, if any run ever had it.
pub(super) fn family_of<K: Kv + ?Sized>(s: &WriteBatch<'_, K>, key: &WorkKey) -> Result<Option<DictNo>, StoreError> {
    let at = dict_key(Dict::Family, &family_text(&key.record.env.0, &key.record.form.0, &key.op));
    Ok(s.raw(&at)?.and_then(|b| key::u16_at(&b, 0)))
}

/// The operation of a family, where it is one of a record's form.
pub(super) fn operation_of(family: &str, record: &RecordKey) -> Option<OpId> {
    let plain = family_text(&record.env.0, &record.form.0, &OpId::default());
    match family.strip_prefix(&plain)? {
        "" => Some(OpId::default()),
        rest => rest.strip_prefix('\u{0}').map(OpId::new),
    }
}
