//! Counting the hours anew, from the first fact: the index below is as it is after the last one, so what the ledger held at
//! each moment is followed here.
//!
//! Invariant: no larger than the ledger was at its largest, and the entries that persons closed.

use std::collections::{HashMap, HashSet};

use super::entries::{live_key, run_id_key};
use super::hours;
use super::key::{DictNo, RunNo, u32_at};
use super::kv::Kv;
use super::ledger_rule::{Entry, Move, on_outcome};
use super::names::family_of;
use super::row::RunLiveRec;
use super::write_batch::WriteBatch;
use crate::StoreError;
use skydeck_core::domain::bill::{Outcome, Slot};
use skydeck_core::domain::event::Fact;
use skydeck_core::domain::hours::LedgerPlace;
use skydeck_core::domain::ids::{Fid, RunId, WorkKey};
use skydeck_core::domain::run::RunKind;
use skydeck_core::domain::time::Ts;
use skydeck_core::domain::transition::{BillChange, Change, transition};

/// A bill and what is to be done with it.
type Work = (DictNo, Fid);

/// An entry as it stood.
struct Open {
    run: RunNo,
    slot: Slot,
    group: String,
    read_back: bool,
}

impl Open {
    fn place(&self) -> (RunNo, LedgerPlace<'_>) {
        (self.run, (self.slot, &self.group))
    }
}

/// What is known at a moment of the facts.
#[derive(Default)]
pub(crate) struct Recount {
    /// Runs that are shown as they stood before a fact that is not understood.
    stopped: HashSet<RunId>,
    /// Runs whose outcomes count for the ledger.
    approved: HashSet<RunId>,
    /// The ledger.
    open: HashMap<Work, Open>,
    /// Entries that persons closed, until an outcome came after that.
    closed: HashMap<Work, Open>,
}

/// Counts a fact that is folded already.
pub(crate) fn count_again<K: Kv>(
    s: &mut WriteBatch<'_, K>,
    fact: &Fact,
    recount: &mut Recount,
) -> Result<(), StoreError> {
    let change = transition(&fact.event);
    if recount.follows(fact, &change) {
        recount.take(s, &change, fact.at)?;
        hours::count(s, &change, fact.at)?;
    }
    s.accept(fact.seq);
    Ok(())
}

impl Recount {
    /// Whether a fact was folded into the index.
    pub fn follows(&mut self, fact: &Fact, change: &Change<'_>) -> bool {
        if fact.event.run().is_some_and(|run| self.stopped.contains(&run)) {
            return false;
        }
        if let Change::NotUnderstood(later) = change {
            self.stopped.extend(later.run);
        }
        true
    }

    /// Counts what a fact changes in the ledger.
    pub fn take<K: Kv>(&mut self, s: &mut WriteBatch<'_, K>, change: &Change<'_>, at: Ts) -> Result<(), StoreError> {
        match change {
            Change::Opened(head) if head.kind == RunKind::Verify => {
                self.approved.insert(head.id);
                Ok(())
            }
            Change::Run { run, approves: true, .. } => {
                self.approved.insert(*run);
                Ok(())
            }
            Change::Bill { run, fid, change: BillChange::Settled { outcome, .. } } if self.approved.contains(run) => {
                self.settled(s, *run, fid, outcome, at)
            }
            Change::Bill { run, fid, change: BillChange::Deferred { was: Slot::Unknown, .. } } => {
                if let Some((_, family)) = run_of(s, *run)?
                    && let Some(open) = self.open.get_mut(&(family, (*fid).clone()))
                {
                    open.read_back = true;
                }
                Ok(())
            }
            Change::Resolved { key, .. } => self.resolved(s, key, at),
            Change::Reopened { key, .. } => self.reopened(s, key, at),
            Change::Nothing
            | Change::Opened(_)
            | Change::Found { .. }
            | Change::Run { .. }
            | Change::Bill { .. }
            | Change::Gone { .. }
            | Change::NotUnderstood(_) => Ok(()),
        }
    }

    fn settled<K: Kv>(
        &mut self,
        s: &mut WriteBatch<'_, K>,
        run: RunId,
        fid: &Fid,
        outcome: &Outcome,
        at: Ts,
    ) -> Result<(), StoreError> {
        let Some((run, family)) = run_of(s, run)? else { return Ok(()) };
        let work = (family, fid.clone());
        let entry = self.open.get(&work).map(|open| Entry { slot: open.slot, read_back: open.read_back });
        let is = match on_outcome(entry, outcome) {
            Move::Stays => return Ok(()),
            Move::Leaves => None,
            Move::Enters => {
                let group = outcome.group().unwrap_or_default();
                Some(Open { run, slot: outcome.slot(), group, read_back: false })
            }
        };
        self.closed.remove(&work);
        let was = self.open.remove(&work);
        count(s, was.as_ref(), is.as_ref(), at)?;
        if let Some(is) = is {
            self.open.insert(work, is);
        }
        Ok(())
    }

    fn resolved<K: Kv>(&mut self, s: &mut WriteBatch<'_, K>, key: &WorkKey, at: Ts) -> Result<(), StoreError> {
        let Some(work) = work_of(s, key)? else { return Ok(()) };
        let Some(open) = self.open.remove(&work) else { return Ok(()) };
        count(s, Some(&open), None, at)?;
        self.closed.insert(work, open);
        Ok(())
    }

    fn reopened<K: Kv>(&mut self, s: &mut WriteBatch<'_, K>, key: &WorkKey, at: Ts) -> Result<(), StoreError> {
        let Some(work) = work_of(s, key)? else { return Ok(()) };
        let Some(open) = self.closed.remove(&work) else { return Ok(()) };
        count(s, None, Some(&open), at)?;
        self.open.insert(work, open);
        Ok(())
    }
}

fn count<K: Kv>(s: &mut WriteBatch<'_, K>, was: Option<&Open>, is: Option<&Open>, at: Ts) -> Result<(), StoreError> {
    hours::count_move(s, was.map(Open::place), is.map(Open::place), at)
}

/// A run's number and the family of its bills.
fn run_of<K: Kv>(s: &WriteBatch<'_, K>, run: RunId) -> Result<Option<(RunNo, DictNo)>, StoreError> {
    let Some(no) = s.raw(&run_id_key(run))?.and_then(|b| u32_at(&b, 0)) else { return Ok(None) };
    let live: Option<RunLiveRec> = s.get(&live_key(no))?;
    Ok(live.map(|live| (no, live.f)))
}

fn work_of<K: Kv>(s: &WriteBatch<'_, K>, key: &WorkKey) -> Result<Option<Work>, StoreError> {
    Ok(family_of(s, key)?.map(|family| (family, key.record.fid.clone())))
}
