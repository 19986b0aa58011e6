//! The part of the fold that changes bills: what one fact does to a bill's row, its lists and its run's sum line.
//!
//! Invariant: a bill moves only from the column it stands in, and an outcome is final in its run unless it was unknown.

use super::changing::{Changing, InRun, Moment, note};
use super::entries::{
    bill_key, history_key, history_slot_key, history_value, known_key, made_key, number_key, slot_key, trying_key,
};
use super::hours::rec_of;
use super::key::MADE;
use super::kv::Kv;
use super::ledger;
use super::refuse;
use super::row::{BillRec, KnownRec};
use super::runs::{open_run_of, put_live};
use super::write_batch::WriteBatch;
use crate::StoreError;
use skydeck_core::domain::bill::{BillState, Found, Outcome, Slot, Status, UnknownWhy};
use skydeck_core::domain::erp_status::Heard;
use skydeck_core::domain::ids::{Fid, RunId};
use skydeck_core::domain::step::{LastMade, Made, Step, Verdict};
use skydeck_core::domain::transition::BillChange;

/// Bills come into a run.
pub(super) fn found<K: Kv + ?Sized>(
    s: &mut WriteBatch<'_, K>,
    run: RunId,
    bills: &[Found],
    Moment { seq, at }: Moment,
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

/// A call made a bill: the row names it, and the next run of whatever plan can prove by it that its looks find bills.
fn made<K: Kv + ?Sized>(s: &mut WriteBatch<'_, K>, of: &mut InRun, made: &Made) -> Result<(), StoreError> {
    if let (Some(rec), Some(frozen)) = (rec_of(s, of.run)?, &of.bill.rec.r) {
        let last = LastMade { key: frozen.0.key.clone(), id: made.id.clone(), no: made.no.clone() };
        s.put(made_key(&rec.h.env, &made.form), &last)?;
    }
    name(s, of, made);
    Ok(())
}

/// The row names the bill that was made of it, and is found by that number, too.
fn name<K: Kv + ?Sized>(s: &mut WriteBatch<'_, K>, InRun { live, bill, .. }: &mut InRun, made: &Made) {
    if !made.no.is_empty() && !made.no.eq_ignore_ascii_case(&bill.rec.n) {
        s.put_raw(number_key(&made.no, live.f, &bill.fid), MADE.to_vec());
    }
    bill.rec.g = Some(Box::new(made.clone()));
}

/// Something happened to a bill of an open run.
pub(super) fn on_bill<K: Kv + ?Sized>(
    s: &mut WriteBatch<'_, K>,
    (run, fid): (RunId, &Fid),
    change: &BillChange<'_>,
    now: Moment,
) -> Result<(), StoreError> {
    let Moment { seq, at } = now;
    let (no, live) = open_run_of(s, run)?;
    let Some(rec) = s.get::<BillRec>(&bill_key(no, fid))? else {
        return refuse(format!("bill {fid} was never found in run {run}"));
    };
    let before = rec.s.clone();
    let mut of = InRun { run, live, bill: Changing { no, fid: fid.clone(), rec } };
    let mut state = change.state(at);
    match change {
        BillChange::Tried { step, rev, no: number, .. } => {
            let writes = step.writes();
            if before.slot() == Slot::Waiting {
                of.bill.rec.d = false;
            } else if writes {
                return refuse(format!("bill {number} stands in {} and cannot be tried", before.slot().word()));
            } else {
                state = None;
            }
            if writes {
                of.bill.rec.l = None;
                of.bill.rec.a = of.bill.rec.a.saturating_add(1);
                of.bill.rec.take_rev(rev);
            }
        }
        BillChange::Answered { step: Step::Submit, verdict: Verdict::Done, .. } => {
            of.bill.rec.w = true;
            of.bill.rec.l = Some(Heard { at, status: Some(Status::Submitted), answer: true });
        }
        BillChange::Answered { made, .. } => {
            if let Some(made) = made {
                self::made(s, &mut of, made)?;
            }
        }
        BillChange::Read { rev, made } => {
            of.bill.rec.hear(*rev, at);
            if let Some(made) = made {
                name(s, &mut of, made);
            }
            if let Some(rev) = rev {
                of.bill.rec.take_rev(rev);
            }
        }
        BillChange::Deferred { was, no: number, .. } => {
            leaves(number, *was, &before)?;
            shift(s, &mut of, change)?;
            if *was == Slot::Unknown {
                ledger::read_back(s, &of)?;
            }
        }
        BillChange::Settled { was, outcome, no: number } => {
            if !is_taken_back(*was, &before, outcome) {
                leaves(number, *was, &before)?;
            }
            shift(s, &mut of, change)?;
            ledger::settled(s, &of, outcome, at)?;
        }
    }
    if let Some(state) = state {
        change_state(s, &mut of, state, now)?;
    }
    note(s, &mut of.bill, seq)?;
    s.put(bill_key(no, fid), &of.bill.rec)
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
    s: &mut WriteBatch<'_, K>,
    InRun { live, bill, .. }: &mut InRun,
    change: &BillChange<'_>,
) -> Result<(), StoreError> {
    let Some((from, to)) = change.moves() else { return Ok(()) };
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
    s: &mut WriteBatch<'_, K>,
    InRun { live, bill, .. }: &mut InRun,
    state: BillState,
    now: Moment,
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
    let place = (now.seq, 0);
    s.put_raw(history_key(place), history_value(bill.no, &bill.fid));
    if listed(to.slot()) {
        s.put_raw(history_slot_key(to.slot(), place), history_value(bill.no, &bill.fid));
    }
    bill.rec.h = place;
    bill.rec.s = state;
    bill.rec.t = now.at;
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
