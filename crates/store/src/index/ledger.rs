//! The ledger's part of the fold: which bills are unresolved, since when, and in which group.
//!
//! Invariant: an unknown outcome leaves the ledger only through knowledge (an answer, a read-back, a person's
//! written reason), never because a later run did not get to the bill.

use super::changing::{Changing, InRun, note};
use super::entries::{bill_key, cured_key, known_key};
use super::hours;
use super::key::{self, DictNo, Key};
use super::kv::Kv;
use super::ledger_rule::{Entry, Move, on_outcome};
use super::names::family_of;
use super::refuse;
use super::row::{BillRec, KnownRec, OpenRec};
use super::write_batch::WriteBatch;
use crate::StoreError;
use skydeck_core::domain::bill::Outcome;
use skydeck_core::domain::ids::{Fid, WorkKey};
use skydeck_core::domain::story::Closing;
use skydeck_core::domain::time::Ts;

/// A bill got an outcome.
pub(super) fn settled<K: Kv + ?Sized>(
    s: &mut WriteBatch<'_, K>,
    InRun { live, bill, .. }: &InRun,
    outcome: &Outcome,
    at: Ts,
) -> Result<(), StoreError> {
    // What was found by a run nobody approved says nothing about the bill.
    if !live.a {
        return Ok(());
    }
    let at_key = known_key(live.f, &bill.fid);
    let Some(mut known) = s.get::<KnownRec>(&at_key)? else {
        return refuse(format!("bill {} was never found", bill.fid));
    };
    let entry = known.l.as_ref().map(|open| Entry { slot: open.o.slot(), read_back: open.v });
    match on_outcome(entry, outcome) {
        Move::Stays => return Ok(()),
        Move::Leaves => {
            let closed = known.z.take();
            let Some(open) = known.l.take() else {
                if known.d > 0 || closed.is_some() {
                    known.d = 0;
                    s.put(at_key, &known)?;
                }
                return Ok(());
            };
            leave(s, &open, live.f, &bill.fid)?;
            count_move(s, Some(&open), None, at)?;
            if matches!(outcome, Outcome::Done { .. }) {
                note_cure(s, &open, bill, at)?;
            }
            known.d = 0;
        }
        Move::Enters => {
            let (was, closed) = (known.l.take(), known.z.take());
            let since = was.as_ref().map_or(at, |open| open.s);
            if let Some(was) = &was {
                leave(s, was, live.f, &bill.fid)?;
            }
            let closing = was.as_ref().or(closed.as_ref()).and_then(|entry| entry.c.clone());
            let open = OpenRec { s: since, r: bill.no, p: live.p, o: outcome.clone(), t: at, v: false, c: closing };
            enter(s, &open, live.f, &bill.fid)?;
            count_move(s, was.as_ref(), Some(&open), at)?;
            known.l = Some(open);
        }
    }
    s.put(at_key, &known)
}

/// Counts a change of the ledger in the hours of the runs whose outcomes the entries hold.
fn count_move<K: Kv + ?Sized>(
    s: &mut WriteBatch<'_, K>,
    was: Option<&OpenRec>,
    is: Option<&OpenRec>,
    at: Ts,
) -> Result<(), StoreError> {
    let groups = [was, is].map(|entry| entry.and_then(|entry| entry.o.group()).unwrap_or_default());
    let [was_in, is_in] = &groups;
    let was = was.map(|entry| (entry.r, (entry.o.slot(), was_in.as_str())));
    let is = is.map(|entry| (entry.r, (entry.o.slot(), is_in.as_str())));
    hours::count_move(s, was, is, at)
}

/// A bill that was refused went through as it was: what had kept it back is gone.
fn note_cure<K: Kv + ?Sized>(
    s: &mut WriteBatch<'_, K>,
    open: &OpenRec,
    bill: &Changing,
    at: Ts,
) -> Result<(), StoreError> {
    let Outcome::Failed(failure) = &open.o else { return Ok(()) };
    let refused: Option<BillRec> = s.get(&bill_key(open.r, &bill.fid))?;
    let found = bill.rec.o.as_ref().unwrap_or(&bill.rec.v);
    if refused.is_some_and(|refused| refused.v == *found) {
        s.put(cured_key(open.p, &failure.cause), &at)?;
    }
    Ok(())
}

/// An unknown bill was read back and waits to be repeated: whatever comes next may replace the entry.
pub(super) fn read_back<K: Kv + ?Sized>(
    s: &mut WriteBatch<'_, K>,
    InRun { live, bill, .. }: &InRun,
) -> Result<(), StoreError> {
    let at_key = known_key(live.f, &bill.fid);
    if let Some(mut known) = s.get::<KnownRec>(&at_key)?
        && let Some(open) = &mut known.l
        && !open.v
    {
        open.v = true;
        s.put(at_key, &known)?;
    }
    Ok(())
}

/// An operator closed the entry with a written reason. Nothing happens when there is none: two consoles may
/// close the same one.
pub(super) fn resolved<K: Kv + ?Sized>(
    s: &mut WriteBatch<'_, K>,
    work: &WorkKey,
    closing: Closing,
    seq: u64,
) -> Result<(), StoreError> {
    let (family, mut known) = noted(s, work, seq)?;
    if let Some(open) = known.l.take() {
        leave(s, &open, family, &work.record.fid)?;
        count_move(s, Some(&open), None, closing.at)?;
        known.d = 0;
        known.z = Some(OpenRec { c: Some(Box::new(closing)), ..open });
        s.put(known_key(family, &work.record.fid), &known)?;
    }
    Ok(())
}

/// An operator put an entry back that had been closed with a reason. Nothing happens when an outcome came meanwhile, or when
/// it is back already.
pub(super) fn reopened<K: Kv + ?Sized>(
    s: &mut WriteBatch<'_, K>,
    work: &WorkKey,
    (since, at): (Ts, Ts),
    seq: u64,
) -> Result<(), StoreError> {
    let (family, mut known) = noted(s, work, seq)?;
    // An entry is open or closed, never both.
    if let Some(closed) = known.z.take() {
        let open = OpenRec { s: since, c: None, ..closed };
        enter(s, &open, family, &work.record.fid)?;
        count_move(s, None, Some(&open), at)?;
        known.l = Some(open);
        s.put(known_key(family, &work.record.fid), &known)?;
    }
    Ok(())
}

/// Notes a fact about a bill with the run that changed it last; gives its family and its record over all runs.
fn noted<K: Kv + ?Sized>(
    s: &mut WriteBatch<'_, K>,
    work: &WorkKey,
    seq: u64,
) -> Result<(DictNo, KnownRec), StoreError> {
    let fid = &work.record.fid;
    let never = || refuse(format!("bill {fid} of {} was never found", work.record.form));
    let Some(family) = family_of(s, work)? else { return never() };
    let Some(known) = s.get::<KnownRec>(&known_key(family, fid))? else { return never() };
    let row_key = bill_key(known.c, fid);
    let Some(rec) = s.get(&row_key)? else { return never() };
    let mut changing = Changing { no: known.c, fid: fid.clone(), rec };
    note(s, &mut changing, seq)?;
    s.put(row_key, &changing.rec)?;
    Ok((family, known))
}

fn enter<K: Kv + ?Sized>(
    s: &mut WriteBatch<'_, K>,
    open: &OpenRec,
    family: DictNo,
    fid: &Fid,
) -> Result<(), StoreError> {
    s.put_raw(entry_key(open.s, family, fid), Vec::new());
    for plan in [0, open.p] {
        s.put_raw(group_key(plan, &open.o).ts(open.s).u16(family).fid(fid).done(), Vec::new());
        s.shift(count_key(plan, &open.o), true)?;
        s.shift(unresolved_key(plan), true)?;
    }
    Ok(())
}

fn leave<K: Kv + ?Sized>(
    s: &mut WriteBatch<'_, K>,
    open: &OpenRec,
    family: DictNo,
    fid: &Fid,
) -> Result<(), StoreError> {
    s.delete(entry_key(open.s, family, fid));
    for plan in [0, open.p] {
        s.delete(group_key(plan, &open.o).ts(open.s).u16(family).fid(fid).done());
        s.shift(count_key(plan, &open.o), false)?;
        s.shift(unresolved_key(plan), false)?;
    }
    Ok(())
}

fn entry_key(since: Ts, family: DictNo, fid: &Fid) -> Vec<u8> {
    Key::new(key::LEDGER).ts(since).u16(family).fid(fid).done()
}

fn group_key(plan: DictNo, outcome: &Outcome) -> Key {
    Key::new(key::GROUP).u16(plan).slot(outcome.slot()).text(&outcome.group().unwrap_or_default())
}

pub(super) fn count_key(plan: DictNo, outcome: &Outcome) -> Vec<u8> {
    let group = outcome.group().unwrap_or_default();
    Key::new(key::GROUP_COUNT).u16(plan).slot(outcome.slot()).raw(group.as_bytes()).done()
}

/// Key of the number of unresolved bills of a plan (0 = all).
pub fn unresolved_key(plan: DictNo) -> Vec<u8> {
    Key::new(key::UNRESOLVED).u16(plan).done()
}
