//! Which bills of which runs a retention rule no longer keeps.
//!
//! Invariants: a bill that is unresolved loses nothing at all; of a bill's runs only the oldest ones are forgotten, so
//! that what is known of it last is never an older outcome than before.

use super::Index;
use super::key::RunNo;
use super::kv::Kv;
use crate::StoreError;
use skydeck_core::domain::bill::Slot;
use skydeck_core::domain::handed_in::HandedIn;
use skydeck_core::domain::ids::{Fid, RecordKey, RunId, Seq, WorkKey};
use skydeck_core::domain::query::Retention;
use skydeck_core::domain::run::RunState;
use skydeck_core::domain::time::Ts;

/// Runs of one bill looked at; one with more is kept.
const DEEP: usize = 64;

/// A retention rule at a moment, asked about what an index holds.
pub struct Forgetting<'a, K: Kv> {
    /// The index of what is there.
    pub index: &'a Index<K>,
    /// How long what is kept.
    pub rule: &'a Retention,
    /// The moment.
    pub now: Ts,
}

impl<K: Kv> Forgetting<'_, K> {
    /// The column a bill of a run stood in, if it is to be forgotten.
    pub fn bill(&self, run: RunId, fid: &Fid) -> Result<Option<Slot>, StoreError> {
        match self.index.run_no(run)? {
            Some(no) => self.bill_in(no, fid, DEEP),
            None => Ok(None),
        }
    }

    fn bill_in(&self, no: RunNo, fid: &Fid, deep: usize) -> Result<Option<Slot>, StoreError> {
        let (index, rule) = (self.index, self.rule);
        let (Some(run), Some(rec), Some(deep)) = (index.run_by_no(no)?, index.bill_rec(no, fid)?, deep.checked_sub(1))
        else {
            return Ok(None);
        };
        let slot = rec.s.slot();
        // Nothing was done about the bills of a run that nobody approved: they go when the skipped ones go.
        let kept = if index.is_untold(no)? { rule.skipped } else { rule.of(slot) };
        let Some(kept) = kept else { return Ok(None) };
        if !matches!(run.state, RunState::Closed(_)) || self.now.since(rec.t) <= kept {
            return Ok(None);
        }
        let op = run.head.op.clone();
        let key = RecordKey { env: run.head.env, form: run.head.form, fid: fid.clone() }.under(&op);
        if index.ledger_entry(&key)?.is_some() {
            return Ok(None);
        }
        match rec.p {
            Some(before) if index.bill_rec(before, fid)?.is_some() => {
                Ok(self.bill_in(before, fid, deep)?.map(|_| slot))
            }
            _ => Ok(Some(slot)),
        }
    }

    /// Whether what was sent of a bill is kept no longer, while the bill is. Of one that is unresolved it always is: a retry
    /// compares with it.
    pub fn body(&self, run: RunId, fid: &Fid) -> Result<bool, StoreError> {
        let (Some(kept), Some(no)) = (self.rule.bodies, self.index.run_no(run)?) else { return Ok(false) };
        let (Some(run), Some(rec)) = (self.index.run_by_no(no)?, self.index.bill_rec(no, fid)?) else {
            return Ok(false);
        };
        if !matches!(run.state, RunState::Closed(_)) || self.now.since(rec.t) <= kept {
            return Ok(false);
        }
        let op = run.head.op.clone();
        let key = RecordKey { env: run.head.env, form: run.head.form, fid: fid.clone() }.under(&op);
        Ok(self.index.ledger_entry(&key)?.is_none())
    }

    /// Whether a body that was handed in is kept no longer: it was taken up, nothing of its record is unresolved, and no run of
    /// its plan is open that may yet leave something.
    pub fn handed_in(&self, record: &HandedIn, (seq, at): (Seq, Ts)) -> Result<bool, StoreError> {
        if self.rule.bodies.is_none_or(|kept| self.now.since(at) <= kept) {
            return Ok(false);
        }
        let upto = self.index.mark(&record.plan, &record.key.env)?.and_then(|mark| mark.upto);
        let newest = self.index.handed_in_place(&record.plan, &record.key)?;
        // An older body is of no use to anybody once there is a newer one.
        let is_taken_up = upto.is_some_and(|upto| seq <= upto) || newest.is_some_and(|newest| seq < newest);
        if !is_taken_up || self.index.open_runs()?.iter().any(|run| run.head.plan == record.plan) {
            return Ok(false);
        }
        for op in self.index.operations_of(&record.key)? {
            if self.index.ledger_entry(&record.key.under(&op))?.is_some() {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// Whether a person's resolution of a bill goes with the run it was noted in: then it closed nothing that is kept.
    pub fn resolution(&self, work: &WorkKey, fact: Seq) -> Result<bool, StoreError> {
        let mut next = self.index.newest_run_of(work)?;
        for _ in 0..DEEP {
            let Some(no) = next else { break };
            let Some(rec) = self.index.bill_rec(no, &work.record.fid)? else { break };
            if self.index.facts_in(no, &work.record.fid, &rec)?.contains(&fact.0) {
                return Ok(self.bill_in(no, &work.record.fid, DEEP)?.is_some());
            }
            next = rec.p;
        }
        Ok(false)
    }
}
