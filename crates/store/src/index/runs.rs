//! The part of the fold that changes runs: their heads, states, ends, and what is remembered of those that ended by
//! themselves.
//!
//! Invariant: a closed run never changes.

use super::entries::{bill_key, known_key, live_key, plan_key, run_id_key, run_key, sort_key, stopped_key};
use super::key::{self, Dict, DictNo, Key, RunNo};
use super::kv::Kv;
use super::ledger;
use super::names::{dict, family, next};
use super::refuse;
use super::row::{BillRec, KnownRec, RunLiveRec, RunRec};
use super::run_span;
use super::write_batch::WriteBatch;
use crate::StoreError;
use skydeck_core::domain::bill::{Outcome, Skip};
use skydeck_core::domain::ids::RunId;
use skydeck_core::domain::operation::Operation;
use skydeck_core::domain::plan::Plan;
use skydeck_core::domain::run::{RunEnd, RunHead, RunKind, RunState, Tally};
use skydeck_core::domain::time::Ts;

/// A run begins.
pub(super) fn open_run<K: Kv + ?Sized>(s: &mut WriteBatch<'_, K>, head: &RunHead, seq: u64) -> Result<(), StoreError> {
    let id = run_id_key(head.id);
    if s.raw(&id)?.is_some() {
        return refuse(format!("run {} was opened before", head.id));
    }
    let no = next(s, b"runs")?;
    let plan = dict(s, Dict::Plan, head.plan.as_str())?;
    // A head of 0.1.0 names no operation: its plan does, where it was kept.
    let op = match (&head.text, head.op.is_audit()) {
        (_, false) => Some(head.op.clone()),
        (Some(plan), true) => Some(Operation::id_of(&plan.target)),
        (None, true) => s.get::<Plan>(&plan_key(&head.rev))?.map(|p| Operation::id_of(&p.target)),
    };
    // This version opens no run without either, so a head without both is one of 0.1.0 that came before plans were kept.
    let op_unknown = op.is_none();
    let op = op.unwrap_or_default();
    let family = family(s, &head.env.0, &head.form.0, &op)?;
    s.put_raw(id, no.to_be_bytes().to_vec());
    if let Some(plan) = &head.text {
        s.put(plan_key(&head.rev), plan)?;
    }
    let head_as_read = RunHead { op, ..head.without_text() };
    let o = run_span::opened(s, no, (seq, head.opened))?;
    let rec = RunRec { h: head_as_read, c: None, f: Vec::new(), k: None, g: None, b: Vec::new(), o, u: op_unknown };
    s.put(run_key(no), &rec)?;
    let verify = head.kind == RunKind::Verify;
    put_live(s, no, &RunLiveRec { s: RunState::Collecting, t: [0; 8], x: None, a: verify, p: plan, f: family })?;
    s.put_raw(Key::new(key::OPEN).u32(no).done(), Vec::new());
    s.put_raw(Key::new(key::RUN_OF_PLAN).u16(plan).u32(no).done(), Vec::new());
    if head.is_attended() {
        s.delete(stopped_key(plan));
    }
    Ok(())
}

/// A run that ended by itself is remembered until a later one of its plan goes through, or a person starts one; and so is
/// one that could not read its bills, where nobody at a console saw that. With it: since when, and how many by now.
fn note_end<K: Kv + ?Sized>(
    s: &mut WriteBatch<'_, K>,
    no: RunNo,
    live: &RunLiveRec,
    end: &RunEnd,
    at: Ts,
) -> Result<(), StoreError> {
    let rec = s.get::<RunRec>(&run_key(no))?;
    match end {
        RunEnd::CollectFailed(_) if rec.as_ref().is_none_or(|rec| rec.h.is_attended()) => {}
        // It only reads: what kept the plan from writing before is still what somebody has to see.
        RunEnd::CollectFailed(_)
            if rec.as_ref().is_some_and(|rec| rec.h.kind == RunKind::Verify)
                && s.raw(&stopped_key(live.p))?.is_some() => {}
        RunEnd::Stopped(_) | RunEnd::CollectFailed(_) => {
            let before = s.raw(&stopped_key(live.p))?.and_then(|bytes| StoppedRec::read(&bytes));
            let (since, times) = before.and_then(|rec| rec.since).unwrap_or((at, 0));
            let rec = StoppedRec { no, since: Some((since, times.saturating_add(1))) };
            s.put_raw(stopped_key(live.p), rec.written());
        }
        RunEnd::Empty if leaves_unreached(s, live.p)? => {}
        RunEnd::Completed | RunEnd::Empty | RunEnd::Collected => {
            // A run that only reads says nothing about whether the plan can write again.
            if rec.is_some_and(|rec| rec.h.kind != RunKind::Verify) {
                s.delete(stopped_key(live.p));
            }
        }
        RunEnd::Cancelled | RunEnd::Declined => {}
    }
    Ok(())
}

/// Whether bills of a plan wait unreached behind a run that ended by itself: a run that finds nothing else to do has called
/// nothing, and does not show that the plan can write again.
fn leaves_unreached<K: Kv + ?Sized>(s: &mut WriteBatch<'_, K>, plan: DictNo) -> Result<bool, StoreError> {
    let Some(stopped) = s.raw(&stopped_key(plan))?.and_then(|bytes| StoppedRec::read(&bytes)) else { return Ok(false) };
    let state = s.get::<RunLiveRec>(&live_key(stopped.no))?.map(|live| live.s);
    let by_itself = matches!(state, Some(RunState::Closed(RunEnd::Stopped(_))));
    Ok(by_itself && s.count(&ledger::count_key(plan, &Outcome::Skipped(Skip::NotReached)))? > 0)
}

/// An open run takes a state.
pub(super) fn enter<K: Kv + ?Sized>(
    s: &mut WriteBatch<'_, K>,
    run: RunId,
    to: RunState,
    approves: bool,
    at: Ts,
) -> Result<(), StoreError> {
    let (no, mut live) = open_run_of(s, run)?;
    match &to {
        RunState::Collecting
        | RunState::AwaitingApproval
        | RunState::Working
        | RunState::Settling
        | RunState::Paused(_) => {}
        RunState::Interrupted => interrupted(s, no, &live)?,
        RunState::Closed(end) => {
            note_end(s, no, &live, end, at)?;
            let waiting = live.tally().waiting;
            // Nothing is told of the bills of a run that nobody approved: they stay as they were found.
            if waiting > 0 && live.a {
                return refuse(format!("run {run} cannot close while {waiting} of its bills have no outcome"));
            }
            live.x = Some(at);
            s.delete(Key::new(key::OPEN).u32(no).done());
        }
    }
    live.a |= approves;
    live.s = to;
    if live.s.is_closed()
        && let Some(rec) = s.get::<RunRec>(&run_key(no))?
    {
        s.put_raw(sort_key(no, rec, &live), Vec::new());
    }
    put_live(s, no, &live)
}

/// Bills of a closed run are kept no longer.
pub(super) fn gone<K: Kv + ?Sized>(s: &mut WriteBatch<'_, K>, run: RunId, gone: &Tally) -> Result<(), StoreError> {
    let no = s.raw(&run_id_key(run))?.and_then(|b| key::u32_at(&b, 0));
    let Some(no) = no else { return refuse(format!("run {run} was never opened")) };
    let live = s.get::<RunLiveRec>(&live_key(no))?.filter(|live| live.s.is_closed() && gone.closes());
    let (Some(live), Some(mut rec)) = (live, s.get::<RunRec>(&run_key(no))?) else {
        return refuse(format!("run {run} is not closed, or the sum of what is gone does not close"));
    };
    s.delete(sort_key(no, rec.clone(), &live));
    rec.g.get_or_insert_default().add(gone);
    s.put(run_key(no), &rec)?;
    s.put_raw(sort_key(no, rec, &live), Vec::new());
    // As it was: who keeps runs in rows has the sort in the row of the state.
    put_live(s, no, &live)
}

/// Calls that were in flight when the process died count as a death of their bills, once each.
fn interrupted<K: Kv + ?Sized>(s: &mut WriteBatch<'_, K>, no: RunNo, live: &RunLiveRec) -> Result<(), StoreError> {
    let prefix = Key::new(key::TRYING).u32(no).done();
    for at in s.keys(&prefix)? {
        let Some(fid) = at.get(prefix.len()..).and_then(key::read_fid) else { continue };
        let Some(mut rec) = s.get::<BillRec>(&bill_key(no, &fid))? else { continue };
        if rec.d {
            continue;
        }
        rec.d = true;
        s.put(bill_key(no, &fid), &rec)?;
        let known_key = known_key(live.f, &fid);
        if let Some(mut known) = s.get::<KnownRec>(&known_key)? {
            known.d = known.d.saturating_add(1);
            s.put(known_key, &known)?;
        }
    }
    Ok(())
}

pub(super) fn open_run_of<K: Kv + ?Sized>(s: &WriteBatch<'_, K>, id: RunId) -> Result<(RunNo, RunLiveRec), StoreError> {
    let no = s.raw(&run_id_key(id))?.and_then(|b| key::u32_at(&b, 0));
    let Some(no) = no else { return refuse(format!("run {id} was never opened")) };
    let Some(live) = s.get::<RunLiveRec>(&live_key(no))? else {
        return Err(StoreError::Read(format!("run {id} has no state in the index")));
    };
    if live.s.is_closed() {
        return refuse(format!("run {id} is closed; a closed run never changes"));
    }
    Ok((no, live))
}

pub(super) fn put_live<K: Kv + ?Sized>(
    s: &mut WriteBatch<'_, K>,
    no: RunNo,
    live: &RunLiveRec,
) -> Result<(), StoreError> {
    s.put(live_key(no), live)
}

pub(super) fn change_rec<K: Kv + ?Sized>(
    s: &mut WriteBatch<'_, K>,
    no: RunNo,
    change: impl FnOnce(&mut RunRec),
) -> Result<(), StoreError> {
    let at = run_key(no);
    let Some(mut rec) = s.get::<RunRec>(&at)? else {
        return Err(StoreError::Read("a run has no head in the index".to_owned()));
    };
    change(&mut rec);
    s.put(at, &rec)
}

/// The run of a plan that ended by itself.
pub(super) struct StoppedRec {
    /// The latest one.
    pub no: RunNo,
    /// When the first one in a row ended, and how many there were; not known where an earlier program wrote it.
    pub since: Option<(Ts, u32)>,
}

impl StoppedRec {
    pub fn read(bytes: &[u8]) -> Option<Self> {
        let since = key::u64_at(bytes, 4).zip(key::u32_at(bytes, 12));
        let since = since.map(|(at, times)| (Ts(at.cast_signed()), times));
        Some(Self { no: key::u32_at(bytes, 0)?, since })
    }

    fn written(&self) -> Vec<u8> {
        let mut bytes = self.no.to_be_bytes().to_vec();
        if let Some((at, times)) = self.since {
            bytes.extend(at.0.to_be_bytes());
            bytes.extend(times.to_be_bytes());
        }
        bytes
    }
}
