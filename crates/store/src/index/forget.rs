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

impl<K: Kv> Index<K> {
    /// The column a bill of a run stood in, if it is to be forgotten.
    pub fn forgets(&self, rule: &Retention, now: Ts, run: RunId, fid: &Fid) -> Result<Option<Slot>, StoreError> {
        match self.run_no(run)? {
            Some(no) => self.forgets_in(rule, now, no, fid, DEEP),
            None => Ok(None),
        }
    }

    fn forgets_in(
        &self,
        rule: &Retention,
        now: Ts,
        no: RunNo,
        fid: &Fid,
        deep: usize,
    ) -> Result<Option<Slot>, StoreError> {
        let (Some(run), Some(rec), Some(deep)) = (self.run_by_no(no)?, self.bill_rec(no, fid)?, deep.checked_sub(1))
        else {
            return Ok(None);
        };
        let slot = rec.s.slot();
        // Nothing was done about the bills of a run that nobody approved: they go when the skipped ones go.
        let kept = if self.is_untold(no)? { rule.skipped } else { rule.of(slot) };
        let Some(kept) = kept else { return Ok(None) };
        if !matches!(run.state, RunState::Closed(_)) || now.since(rec.t) <= kept {
            return Ok(None);
        }
        let op = run.head.op.clone();
        let key = RecordKey { env: run.head.env, form: run.head.form, fid: fid.clone() }.under(&op);
        if self.ledger_entry(&key)?.is_some() {
            return Ok(None);
        }
        match rec.p {
            Some(before) if self.bill_rec(before, fid)?.is_some() => {
                Ok(self.forgets_in(rule, now, before, fid, deep)?.map(|_| slot))
            }
            _ => Ok(Some(slot)),
        }
    }

    /// Whether what was sent of a bill is kept no longer, while the bill is. Of one that is unresolved it always is: a retry
    /// compares with it.
    pub fn drops_body(&self, rule: &Retention, now: Ts, run: RunId, fid: &Fid) -> Result<bool, StoreError> {
        let (Some(kept), Some(no)) = (rule.bodies, self.run_no(run)?) else { return Ok(false) };
        let (Some(run), Some(rec)) = (self.run_by_no(no)?, self.bill_rec(no, fid)?) else { return Ok(false) };
        if !matches!(run.state, RunState::Closed(_)) || now.since(rec.t) <= kept {
            return Ok(false);
        }
        let op = run.head.op.clone();
        let key = RecordKey { env: run.head.env, form: run.head.form, fid: fid.clone() }.under(&op);
        Ok(self.ledger_entry(&key)?.is_none())
    }

    /// Whether a body that was handed in is kept no longer: it was taken up, nothing of its record is unresolved, and no run of
    /// its plan is open that may yet leave something.
    pub fn forgets_handed_in(
        &self,
        rule: &Retention,
        now: Ts,
        record: &HandedIn,
        (seq, at): (Seq, Ts),
    ) -> Result<bool, StoreError> {
        if rule.bodies.is_none_or(|kept| now.since(at) <= kept) {
            return Ok(false);
        }
        let upto = self.mark(&record.plan, &record.key.env)?.and_then(|mark| mark.upto);
        let newest = self.handed_in_place(&record.plan, &record.key)?;
        // An older body is of no use to anybody once there is a newer one.
        let is_taken_up = upto.is_some_and(|upto| seq <= upto) || newest.is_some_and(|newest| seq < newest);
        if !is_taken_up || self.open_runs()?.iter().any(|run| run.head.plan == record.plan) {
            return Ok(false);
        }
        for op in self.operations_of(&record.key)? {
            if self.ledger_entry(&record.key.under(&op))?.is_some() {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// Whether a person's resolution of a bill goes with the run it was noted in: then it closed nothing that is kept.
    pub fn forgets_resolution(&self, rule: &Retention, now: Ts, work: &WorkKey, fact: Seq) -> Result<bool, StoreError> {
        let mut next = self.newest_run_of(work)?;
        for _ in 0..DEEP {
            let Some(no) = next else { break };
            let Some(rec) = self.bill_rec(no, &work.record.fid)? else { break };
            if self.facts_in(no, &work.record.fid, &rec)?.contains(&fact.0) {
                return Ok(self.forgets_in(rule, now, no, &work.record.fid, DEEP)?.is_some());
            }
            next = rec.p;
        }
        Ok(false)
    }
}
