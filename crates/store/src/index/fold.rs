//! One fact becomes changes of the index. Memory and disk, live and replay, all fold here.
//!
//! Invariant: a fact that contradicts what is stored is refused before the journal sees it.

use super::key::{self, Dict, DictNo, Key, RunNo};
use super::kv::Kv;
use super::ledger;
use super::row::{BillRec, KnownRec, RunLiveRec, RunRec};
use super::scratch::Scratch;
use crate::StoreError;
use skydeck_core::domain::action_log::LogWitness;
use skydeck_core::domain::bill::{BillState, Found, Outcome, Skip, Slot, Status, UnknownWhy};
use skydeck_core::domain::cause::Cause;
use skydeck_core::domain::erp_status::Heard;
use skydeck_core::domain::event::{Event, Fact, Later};
use skydeck_core::domain::ids::{Fid, OpId, PlanRev, RunId, WorkKey};
use skydeck_core::domain::live::state_after;
use skydeck_core::domain::operation::Operation;
use skydeck_core::domain::plan::Plan;
use skydeck_core::domain::run::{RunEnd, RunHead, RunKind, RunState};
use skydeck_core::domain::step::{Step, Verdict};
use skydeck_core::domain::story::Closing;
use skydeck_core::domain::time::Ts;

/// Says what contradicts.
pub fn refuse<T>(what: String) -> Result<T, StoreError> {
    Err(StoreError::Contradiction(what))
}

/// Folds one fact into the changes.
pub fn fold<K: Kv + ?Sized>(fact: &Fact, s: &mut Scratch<'_, K>) -> Result<(), StoreError> {
    let (seq, at) = (fact.seq.0, fact.at);
    if let Some(run) = fact.event.run()
        && s.raw(&Key::new(key::META).raw(LATER).done())?.is_some()
        && s.raw(&later_key(run))?.is_some()
    {
        // A run with a fact that is not understood is shown as it stood before: what came after may rest on that fact.
        s.end_of_fact(fact.seq);
        return Ok(());
    }
    match &fact.event {
        Event::RunOpened(head) => open_run(s, head)?,
        Event::BillsFound { run, bills } => found(s, *run, bills, at, seq)?,
        Event::RunCollected { run, collected } => {
            let (no, mut live) = open_run_of(s, *run)?;
            live.s = RunState::AwaitingApproval;
            put_live(s, no, &live)?;
            change_rec(s, no, |rec| rec.c = Some(collected.clone()))?;
        }
        Event::RunApproved { run, flags, boot, .. } => {
            let (no, mut live) = open_run_of(s, *run)?;
            live.s = RunState::Working;
            live.a = true;
            put_live(s, no, &live)?;
            if !flags.is_empty() || boot.is_some() {
                change_rec(s, no, |rec| {
                    rec.f.clone_from(flags);
                    rec.b.extend(boot.iter().map(|boot| (seq, boot.clone())));
                })?;
            }
        }
        Event::RunConsented { run, consent } => {
            let (no, live) = open_run_of(s, *run)?;
            if live.s != RunState::AwaitingApproval {
                return refuse(format!("run {run} does not wait for an approval"));
            }
            change_rec(s, no, |rec| rec.k = Some(consent.clone()))?;
        }
        Event::MarkMoved { plan, env, to } => {
            let plan = dict(s, Dict::Plan, plan.as_str())?;
            let env = dict(s, Dict::Env, env.as_str())?;
            s.put(Key::new(key::MARK).u16(plan).u16(env).done(), to)?;
        }
        Event::RunPaused { run, why, .. } => set_state(s, *run, RunState::Paused(why.clone()))?,
        Event::RunResumed { run, boot, .. } => {
            set_state(s, *run, RunState::Working)?;
            if let Some(boot) = boot {
                let (no, _) = open_run_of(s, *run)?;
                change_rec(s, no, |rec| rec.b.push((seq, boot.clone())))?;
            }
        }
        Event::RunSettling { run } => set_state(s, *run, RunState::Settling)?,
        Event::RunInterrupted { run } => interrupted(s, *run)?,
        Event::RunClosed { run, end } => {
            let (no, mut live) = open_run_of(s, *run)?;
            note_end(s, no, &live, end, at)?;
            let waiting = live.tally().waiting;
            // Nothing is told of the bills of a run that nobody approved: they stay as they were found.
            if waiting > 0 && live.a {
                return refuse(format!("run {run} cannot close while {waiting} of its bills have no outcome"));
            }
            live.s = RunState::Closed(end.clone());
            live.x = Some(at);
            put_live(s, no, &live)?;
            s.delete(Key::new(key::OPEN).u32(no).done());
        }
        Event::RunPruned { run, gone } => {
            let no = s.raw(&Key::new(key::RUN_ID).run_id(*run).done())?.and_then(|b| key::u32_at(&b, 0));
            let Some(no) = no else { return refuse(format!("run {run} was never opened")) };
            if !s.get::<RunLiveRec>(&live_key(no))?.is_some_and(|live| live.s.is_closed()) || !gone.closes() {
                return refuse(format!("run {run} is not closed, or the sum of what is gone does not close"));
            }
            change_rec(s, no, |rec| rec.g.get_or_insert_default().add(gone))?;
        }
        Event::StepTried { .. }
        | Event::StepAnswered { .. }
        | Event::BillRead { .. }
        | Event::BillDeferred { .. }
        | Event::BillSettled { .. } => on_bill(s, &fact.event, at, seq)?,
        Event::LedgerResolved { key, by, reason } => {
            let closing = Closing { by: by.clone(), reason: reason.clone(), at };
            ledger::resolved(s, key, closing, seq)?;
        }
        Event::LedgerReopened { key, since, .. } => ledger::reopened(s, key, *since, seq)?,
        Event::ServerBound(bound) => {
            let env = dict(s, Dict::Env, bound.env.as_str())?;
            s.put(Key::new(key::SERVER).u16(env).done(), bound)?;
        }
        Event::Pruned(_) | Event::Forgotten => {}
        Event::LogWitnessed(witness) => witnessed(s, witness, seq)?,
        Event::Later(later) => not_understood(s, later, seq)?,
        Event::ActionTaken(entry) => s.put(Key::new(key::ACTION).u64(seq).done(), &(at, entry))?,
    }
    s.end_of_fact(fact.seq);
    Ok(())
}

/// Names in [`key::META`] of the newest witness of the action log's file, and of the newest by which a person accepted it.
pub const WITNESS: &[u8] = b"log";
/// See [`WITNESS`].
pub const ACCEPTED: &[u8] = b"log+";

fn witnessed<K: Kv + ?Sized>(s: &mut Scratch<'_, K>, witness: &LogWitness, seq: u64) -> Result<(), StoreError> {
    s.put(Key::new(key::META).raw(WITNESS).done(), &(seq, witness))?;
    if witness.accepted.is_some() {
        s.put(Key::new(key::META).raw(ACCEPTED).done(), &(seq, witness))?;
    }
    Ok(())
}

/// Name in [`key::META`] of the first fact that is not understood.
pub const LATER: &[u8] = b"later";

fn later_key(run: RunId) -> Vec<u8> {
    Key::new(key::META).raw(LATER).run_id(run).done()
}

/// A fact of a newer program. One that moves nothing is passed over; any other stops what it belongs to.
fn not_understood<K: Kv + ?Sized>(s: &mut Scratch<'_, K>, later: &Later, seq: u64) -> Result<(), StoreError> {
    if later.neutral {
        return Ok(());
    }
    let first = Key::new(key::META).raw(LATER).done();
    if s.raw(&first)?.is_none() {
        s.put(first, &(seq, &later.tag))?;
    }
    if let Some(run) = later.run {
        s.put_raw(later_key(run), Vec::new());
    }
    Ok(())
}

fn open_run<K: Kv + ?Sized>(s: &mut Scratch<'_, K>, head: &RunHead) -> Result<(), StoreError> {
    let id = Key::new(key::RUN_ID).run_id(head.id).done();
    if s.raw(&id)?.is_some() {
        return refuse(format!("run {} was opened before", head.id));
    }
    let no = next(s, b"runs")?;
    let plan = dict(s, Dict::Plan, head.plan.as_str())?;
    // A head of 0.1.0 names no operation: its plan does, where it was kept.
    let op = match (&head.text, head.op.is_audit()) {
        (_, false) => Some(head.op.clone()),
        (Some(plan), true) => Some(Operation::id_of(&plan.target.verb)),
        (None, true) => s.get::<Plan>(&plan_key(&head.rev))?.map(|p| Operation::id_of(&p.target.verb)),
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
    let rec = RunRec { h: head_as_read, c: None, f: Vec::new(), k: None, g: None, b: Vec::new(), u: op_unknown };
    s.put(Key::new(key::RUN).u32(no).done(), &rec)?;
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
    s: &mut Scratch<'_, K>,
    no: RunNo,
    live: &RunLiveRec,
    end: &RunEnd,
    at: Ts,
) -> Result<(), StoreError> {
    let rec = s.get::<RunRec>(&Key::new(key::RUN).u32(no).done())?;
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
        RunEnd::Completed | RunEnd::Empty => {
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
fn leaves_unreached<K: Kv + ?Sized>(s: &mut Scratch<'_, K>, plan: DictNo) -> Result<bool, StoreError> {
    let Some(stopped) = s.raw(&stopped_key(plan))?.and_then(|bytes| StoppedRec::read(&bytes)) else { return Ok(false) };
    let state = s.get::<RunLiveRec>(&live_key(stopped.no))?.map(|live| live.s);
    let by_itself = matches!(state, Some(RunState::Closed(RunEnd::Stopped(_))));
    Ok(by_itself && s.count(&ledger::count_key(plan, &Outcome::Skipped(Skip::NotReached)))? > 0)
}

fn found<K: Kv + ?Sized>(
    s: &mut Scratch<'_, K>,
    run: RunId,
    bills: &[Found],
    at: Ts,
    seq: u64,
) -> Result<(), StoreError> {
    let (no, mut live) = open_run_of(s, run)?;
    let mut tally = live.tally();
    tally.add_found(bills.len() as u64);
    live.set_tally(&tally);
    put_live(s, no, &live)?;
    for (place, bill) in bills.iter().enumerate() {
        let Ok(place) = u16::try_from(place) else {
            return refuse(format!("one event finds {} bills; at most 100 are asked for", bills.len()));
        };
        let at_key = bill_key(no, &bill.fid);
        if s.raw(&at_key)?.is_some() {
            return refuse(format!("bill {} ({}) was found before in run {run}", bill.no, bill.fid));
        }
        let known_key = known_key(live.f, &bill.fid);
        let known: Option<KnownRec> = s.get(&known_key)?;
        let before = known.as_ref().map(|k| k.r);
        // An older number of the bill stays in the index: the rows of older runs carry it.
        s.put_raw(number_key(&bill.no, live.f, &bill.fid), Vec::new());
        s.put(at_key, &BillRec::found(bill, at, (seq, place), before))?;
        s.put_raw(slot_key(no, Slot::Waiting, &bill.fid), Vec::new());
        s.put_raw(history_key((seq, place)), history_value(no, &bill.fid));
        let known = known.map_or(KnownRec { r: no, c: no, d: 0, l: None, z: None }, |k| KnownRec { r: no, c: no, ..k });
        s.put(known_key, &known)?;
    }
    Ok(())
}

/// A bill being changed: where it was, where it is.
pub(super) struct Changing {
    pub no: RunNo,
    pub fid: Fid,
    pub rec: BillRec,
}

fn on_bill<K: Kv + ?Sized>(s: &mut Scratch<'_, K>, event: &Event, at: Ts, seq: u64) -> Result<(), StoreError> {
    let (Some(run), Some(fid)) = (event.run(), fid_of(event)) else { return Ok(()) };
    let (no, mut live) = open_run_of(s, run)?;
    let Some(rec) = s.get::<BillRec>(&bill_key(no, fid))? else {
        return refuse(format!("bill {fid} was never found in run {run}"));
    };
    let before = rec.s.clone();
    let mut bill = Changing { no, fid: fid.clone(), rec };
    let mut state = state_after(event, at);
    match event {
        Event::StepTried { step, rev, no: number, .. } => {
            let writes = step.writes();
            if before.slot() == Slot::Waiting {
                bill.rec.d = false;
            } else if writes {
                return refuse(format!("bill {number} stands in {} and cannot be tried", before.slot().word()));
            } else {
                state = None;
            }
            if writes {
                bill.rec.l = None;
                bill.rec.a = bill.rec.a.saturating_add(1);
                bill.rec.take_rev(rev);
            }
        }
        Event::StepAnswered { step: Step::Submit, verdict: Verdict::Done, .. } => {
            bill.rec.w = true;
            bill.rec.l = Some(Heard { at, status: Some(Status::Submitted), answer: true });
        }
        Event::BillRead { rev, .. } => {
            bill.rec.hear(rev.as_ref(), at);
            if let Some(rev) = rev {
                bill.rec.take_rev(rev);
            }
        }
        Event::BillDeferred { was, no: number, .. } => {
            leaves(number, *was, &before)?;
            shift(s, &mut live, &bill, *was, Slot::Waiting)?;
            if *was == Slot::Unknown {
                ledger::read_back(s, &live, &bill)?;
            }
        }
        Event::BillSettled { was, outcome, no: number, .. } => {
            if !is_taken_back(*was, &before, outcome) {
                leaves(number, *was, &before)?;
            }
            shift(s, &mut live, &bill, *was, outcome.slot())?;
            ledger::settled(s, &live, &bill, outcome, at)?;
        }
        _ => {}
    }
    if let Some(state) = state {
        change_state(s, &live, &mut bill, state, at, seq)?;
    }
    note(s, &mut bill, seq)?;
    s.put(bill_key(no, fid), &bill.rec)
}

/// A success that reads contradict is taken back: nothing else takes an outcome back.
fn is_taken_back(was: Slot, before: &BillState, outcome: &Outcome) -> bool {
    let contradicted = matches!(outcome, Outcome::Unknown(unknown) if unknown.why == UnknownWhy::Contradicted);
    contradicted && was == Slot::Done && before.slot() == Slot::Done
}

/// Only waiting and unknown bills move on; every other outcome is final in its run.
fn leaves(number: &str, was: Slot, before: &BillState) -> Result<(), StoreError> {
    let is = before.slot();
    if was != is {
        return refuse(format!("bill {number} stands in {}, not in {}", is.word(), was.word()));
    }
    if !matches!(is, Slot::Waiting | Slot::Unknown) {
        return refuse(format!("bill {number} is settled as {} in this run; that is final", is.word()));
    }
    Ok(())
}

fn shift<K: Kv + ?Sized>(
    s: &mut Scratch<'_, K>,
    live: &mut RunLiveRec,
    bill: &Changing,
    from: Slot,
    to: Slot,
) -> Result<(), StoreError> {
    if from == to {
        return Ok(());
    }
    let mut tally = live.tally();
    tally.shift(from, to).map_err(|e| StoreError::Contradiction(e.to_string()))?;
    if !tally.closes() {
        return refuse(format!("the sum of a run would not close: {tally:?}"));
    }
    live.set_tally(&tally);
    s.delete(slot_key(bill.no, from, &bill.fid));
    s.put_raw(slot_key(bill.no, to, &bill.fid), Vec::new());
    put_live(s, bill.no, live)
}

fn change_state<K: Kv + ?Sized>(
    s: &mut Scratch<'_, K>,
    live: &RunLiveRec,
    bill: &mut Changing,
    state: BillState,
    at: Ts,
    seq: u64,
) -> Result<(), StoreError> {
    let trying = |state: &BillState| matches!(state, BillState::Trying { .. });
    let (from, to) = (&bill.rec.s, &state);
    match (trying(from), trying(to)) {
        (false, true) => s.put_raw(trying_key(bill.no, &bill.fid), Vec::new()),
        (true, false) => s.delete(trying_key(bill.no, &bill.fid)),
        _ => {}
    }
    s.delete(history_key(bill.rec.h));
    if listed(from.slot()) {
        s.delete(history_slot_key(from.slot(), bill.rec.h));
    }
    let place = (seq, 0);
    s.put_raw(history_key(place), history_value(bill.no, &bill.fid));
    if listed(to.slot()) {
        s.put_raw(history_slot_key(to.slot(), place), history_value(bill.no, &bill.fid));
    }
    bill.rec.h = place;
    bill.rec.s = state;
    bill.rec.t = at;
    let known_key = known_key(live.f, &bill.fid);
    if let Some(mut known) = s.get::<KnownRec>(&known_key)?
        && known.c != bill.no
    {
        known.c = bill.no;
        s.put(known_key, &known)?;
    }
    Ok(())
}

/// Slots that have a list of their own in the history; the plain ones are most of it anyway.
pub(super) fn listed(slot: Slot) -> bool {
    match slot {
        Slot::Already | Slot::Skipped | Slot::Failed | Slot::Unknown | Slot::NotReached => true,
        Slot::Waiting | Slot::Done => false,
    }
}

/// Notes a fact with its bill.
pub(super) fn note<K: Kv + ?Sized>(s: &mut Scratch<'_, K>, bill: &mut Changing, seq: u64) -> Result<(), StoreError> {
    if let Some((chunk, list)) = bill.rec.note(seq) {
        s.put(Key::new(key::FACTS).u32(bill.no).fid(&bill.fid).u32(chunk).done(), &list)?;
    }
    Ok(())
}

fn interrupted<K: Kv + ?Sized>(s: &mut Scratch<'_, K>, run: RunId) -> Result<(), StoreError> {
    let (no, live) = open_run_of(s, run)?;
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
    set_state(s, run, RunState::Interrupted)
}

fn set_state<K: Kv + ?Sized>(s: &mut Scratch<'_, K>, run: RunId, state: RunState) -> Result<(), StoreError> {
    let (no, mut live) = open_run_of(s, run)?;
    live.s = state;
    put_live(s, no, &live)
}

fn fid_of(event: &Event) -> Option<&Fid> {
    match event {
        Event::StepTried { fid, .. }
        | Event::StepAnswered { fid, .. }
        | Event::BillRead { fid, .. }
        | Event::BillDeferred { fid, .. }
        | Event::BillSettled { fid, .. } => Some(fid),
        _ => None,
    }
}

fn open_run_of<K: Kv + ?Sized>(s: &Scratch<'_, K>, id: RunId) -> Result<(RunNo, RunLiveRec), StoreError> {
    let no = s.raw(&Key::new(key::RUN_ID).run_id(id).done())?.and_then(|b| key::u32_at(&b, 0));
    let Some(no) = no else { return refuse(format!("run {id} was never opened")) };
    let Some(live) = s.get::<RunLiveRec>(&live_key(no))? else {
        return Err(StoreError::Read(format!("run {id} has no state in the index")));
    };
    if live.s.is_closed() {
        return refuse(format!("run {id} is closed; a closed run never changes"));
    }
    Ok((no, live))
}

fn put_live<K: Kv + ?Sized>(s: &mut Scratch<'_, K>, no: RunNo, live: &RunLiveRec) -> Result<(), StoreError> {
    s.put(live_key(no), live)
}

fn change_rec<K: Kv + ?Sized>(
    s: &mut Scratch<'_, K>,
    no: RunNo,
    change: impl FnOnce(&mut RunRec),
) -> Result<(), StoreError> {
    let at = Key::new(key::RUN).u32(no).done();
    let Some(mut rec) = s.get::<RunRec>(&at)? else {
        return Err(StoreError::Read("a run has no head in the index".to_owned()));
    };
    change(&mut rec);
    s.put(at, &rec)
}

fn next<K: Kv + ?Sized>(s: &mut Scratch<'_, K>, what: &[u8]) -> Result<u32, StoreError> {
    let at = Key::new(key::META).raw(what).done();
    let no = s.raw(&at)?.and_then(|b| key::u32_at(&b, 0)).unwrap_or(0);
    let Some(no) = no.checked_add(1) else { return refuse("the store has no number left".to_owned()) };
    s.put_raw(at, no.to_be_bytes().to_vec());
    Ok(no)
}

fn dict<K: Kv + ?Sized>(s: &mut Scratch<'_, K>, kind: Dict, text: &str) -> Result<DictNo, StoreError> {
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

fn family<K: Kv + ?Sized>(s: &mut Scratch<'_, K>, env: &str, form: &str, op: &OpId) -> Result<DictNo, StoreError> {
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
pub(super) fn family_of<K: Kv + ?Sized>(s: &Scratch<'_, K>, key: &WorkKey) -> Result<Option<DictNo>, StoreError> {
    let at = dict_key(Dict::Family, &family_text(&key.record.env.0, &key.record.form.0, &key.op));
    Ok(s.raw(&at)?.and_then(|b| key::u16_at(&b, 0)))
}

/// Key of a dictionary entry.
pub fn dict_key(kind: Dict, text: &str) -> Vec<u8> {
    Key::new(key::DICT).byte(kind as u8).raw(text.as_bytes()).done()
}

/// Key of a plan's revision.
pub fn plan_key(rev: &PlanRev) -> Vec<u8> {
    Key::new(key::PLAN).raw(rev.as_str().as_bytes()).done()
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

/// Key of the run of a plan that ended by itself.
pub fn stopped_key(plan: DictNo) -> Vec<u8> {
    Key::new(key::STOPPED).u16(plan).done()
}

/// Key of the last cure of a cause in a plan.
pub fn cured_key(plan: DictNo, cause: &Cause) -> Vec<u8> {
    Key::new(key::CURED).u16(plan).raw(cause.as_str().as_bytes()).done()
}

/// Key of a run's state.
pub fn live_key(no: RunNo) -> Vec<u8> {
    Key::new(key::RUN_LIVE).u32(no).done()
}

/// Key of a bill in a run.
pub fn bill_key(no: RunNo, fid: &Fid) -> Vec<u8> {
    Key::new(key::BILL).u32(no).fid(fid).done()
}

/// Key of a bill over all runs.
pub fn known_key(family: DictNo, fid: &Fid) -> Vec<u8> {
    Key::new(key::KNOWN).u16(family).fid(fid).done()
}

/// Key of a bill in its column of the sum line.
pub fn slot_key(no: RunNo, slot: Slot, fid: &Fid) -> Vec<u8> {
    Key::new(key::SLOT).u32(no).slot(slot).fid(fid).done()
}

/// Key of an unanswered intent.
pub fn trying_key(no: RunNo, fid: &Fid) -> Vec<u8> {
    Key::new(key::TRYING).u32(no).fid(fid).done()
}

/// Key of a bill by number.
pub fn number_key(number: &str, family: DictNo, fid: &Fid) -> Vec<u8> {
    Key::new(key::NUMBER).text(&number.to_lowercase()).u16(family).fid(fid).done()
}

/// Key of a change in the history.
pub fn history_key(place: (u64, u16)) -> Vec<u8> {
    Key::new(key::HISTORY).u64(place.0).u16(place.1).done()
}

/// Key of a change in the history of one slot.
pub fn history_slot_key(slot: Slot, place: (u64, u16)) -> Vec<u8> {
    Key::new(key::HISTORY_SLOT).slot(slot).u64(place.0).u16(place.1).done()
}

/// Which bill of which run a history entry means.
pub fn history_value(no: RunNo, fid: &Fid) -> Vec<u8> {
    Key::default().u32(no).fid(fid).done()
}
