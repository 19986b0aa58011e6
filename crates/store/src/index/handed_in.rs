//! Records that were handed in for plans: the newest body of each, by its id and in the order in which they came.
//!
//! Invariant: of each record one place stands here, that of its newest fact; the bodies are read from the journal.

use std::ops::Bound;

use super::Index;
use super::key::{self, Dict, Key};
use super::kv::{Kv, Walk};
use super::names::dict;
use super::write_batch::WriteBatch;
use crate::{HandedIn as Records, StoreError};
use skydeck_core::domain::handed_in::HandedIn;
use skydeck_core::domain::ids::{EnvId, FormId, PlanId, RecordKey, Seq};

/// A plan's records of one name in one environment.
fn of(space: u8, plan: u16, env: u16, form: &FormId) -> Key {
    Key::new(space).u16(plan).u16(env).text(form.as_str())
}

/// Keeps the place of a record's newest body.
pub(super) fn keep<K: Kv + ?Sized>(s: &mut WriteBatch<'_, K>, record: &HandedIn, seq: u64) -> Result<(), StoreError> {
    let HandedIn { plan, key: RecordKey { env, form, fid }, .. } = record;
    let plan = dict(s, Dict::Plan, plan.as_str())?;
    let env = dict(s, Dict::Env, env.as_str())?;
    let by_id = of(key::HANDED_IN, plan, env, form).fid(fid).done();
    if let Some(before) = s.raw(&by_id)?.and_then(|bytes| key::u64_at(&bytes, 0)) {
        s.delete(of(key::HANDED_IN_ORDER, plan, env, form).u64(before).done());
    }
    s.put_raw(by_id, seq.to_be_bytes().to_vec());
    s.put_raw(of(key::HANDED_IN_ORDER, plan, env, form).u64(seq).done(), Vec::new());
    Ok(())
}

impl<K: Kv> Index<K> {
    fn numbers(&self, plan: &PlanId, env: &EnvId) -> Result<Option<(u16, u16)>, StoreError> {
        Ok(self.dict(Dict::Plan, plan.as_str())?.zip(self.dict(Dict::Env, env.as_str())?))
    }

    /// The place of the newest body of a record.
    pub fn handed_in_place(&self, plan: &PlanId, key: &RecordKey) -> Result<Option<Seq>, StoreError> {
        let Some((plan, env)) = self.numbers(plan, &key.env)? else { return Ok(None) };
        let at = of(key::HANDED_IN, plan, env, &key.form).fid(&key.fid).done();
        Ok(self.kv.get(&at)?.and_then(|bytes| key::u64_at(&bytes, 0)).map(Seq))
    }

    /// Places of the newest bodies of a plan's records, in the order in which they came, after a place.
    pub fn handed_in_after(&self, asked: &Records, after: Seq, limit: usize) -> Result<Vec<Seq>, StoreError> {
        let Some((plan, env)) = self.numbers(&asked.plan, &asked.env)? else { return Ok(Vec::new()) };
        let prefix = of(key::HANDED_IN_ORDER, plan, env, &asked.form).done();
        let from = Bound::Excluded(Key::default().raw(&prefix).u64(after.0).done());
        let to = key::after_prefix(&prefix).map_or(Bound::Unbounded, Bound::Excluded);
        let at = prefix.len();
        let walk = Walk::new(&self.kv, from, to, false).take(limit);
        walk.map(|entry| entry.map(|(key, _)| Seq(key::u64_at(&key, at).unwrap_or_default()))).collect()
    }
}
