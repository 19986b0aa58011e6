//! The ledger's part of the fold: which bills are unresolved, since when, and in which group.
//!
//! Invariant: an unknown outcome leaves the ledger only through knowledge (an answer, a read-back, a person's
//! written reason), never because a later run did not get to the bill.

use super::fold::{Changing, family_of, known_key, note, refuse};
use super::key::{self, DictNo, Key};
use super::kv::Kv;
use super::row::{KnownRec, OpenRec, RunLiveRec};
use super::scratch::Scratch;
use crate::domain::bill::{Outcome, Skip};
use crate::domain::cause::known;
use crate::domain::ids::{BillKey, Fid};
use crate::domain::time::Ts;
use crate::store::StoreError;

/// A bill got an outcome.
pub(super) fn settled<K: Kv + ?Sized>(
    s: &mut Scratch<'_, K>,
    live: &RunLiveRec,
    bill: &Changing,
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
    if let Some(open) = &known.l
        && matches!(open.o, Outcome::Unknown(_))
        && !open.v
        && !tells(outcome)
    {
        return Ok(());
    }
    if outcome.is_resolved() {
        let Some(open) = known.l.take() else {
            if known.d > 0 {
                known.d = 0;
                s.put(at_key, &known)?;
            }
            return Ok(());
        };
        leave(s, &open, live.f, &bill.fid)?;
        known.d = 0;
    } else {
        let since = known.l.as_ref().map_or(at, |open| open.s);
        if let Some(open) = known.l.take() {
            leave(s, &open, live.f, &bill.fid)?;
        }
        let open = OpenRec { s: since, r: bill.no, p: live.p, o: outcome.clone(), t: at, v: false };
        enter(s, &open, live.f, &bill.fid)?;
        known.l = Some(open);
    }
    s.put(at_key, &known)
}

/// Whether an outcome says something about the bill's state in the ERP.
fn tells(outcome: &Outcome) -> bool {
    match outcome {
        Outcome::Audited { .. } | Outcome::AlreadyAudited { .. } | Outcome::Unknown(_) => true,
        Outcome::Skipped(why) => !matches!(
            why,
            Skip::NotReached | Skip::UnknownElsewhere | Skip::Held(_) | Skip::Excluded | Skip::Quarantined
        ),
        Outcome::Failed(f) => !matches!(f.cause.as_str(), known::NOT_CONNECTED | known::SESSION | known::CREDENTIALS),
    }
}

/// An unknown bill was read back and waits to be repeated: whatever comes next may replace the entry.
pub(super) fn read_back<K: Kv + ?Sized>(
    s: &mut Scratch<'_, K>,
    live: &RunLiveRec,
    bill: &Changing,
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
pub(super) fn resolved<K: Kv + ?Sized>(s: &mut Scratch<'_, K>, bill: &BillKey, seq: u64) -> Result<(), StoreError> {
    let never = || refuse(format!("bill {} of {} was never found", bill.fid, bill.form));
    let Some(family) = family_of(s, bill)? else { return never() };
    let at_key = known_key(family, &bill.fid);
    let Some(mut known) = s.get::<KnownRec>(&at_key)? else { return never() };
    let row_key = super::fold::bill_key(known.c, &bill.fid);
    let Some(rec) = s.get(&row_key)? else { return never() };
    let mut changing = Changing { no: known.c, fid: bill.fid.clone(), rec };
    note(s, &mut changing, seq)?;
    s.put(row_key, &changing.rec)?;
    if let Some(open) = known.l.take() {
        leave(s, &open, family, &bill.fid)?;
        known.d = 0;
        s.put(at_key, &known)?;
    }
    Ok(())
}

fn enter<K: Kv + ?Sized>(s: &mut Scratch<'_, K>, open: &OpenRec, family: DictNo, fid: &Fid) -> Result<(), StoreError> {
    s.put_raw(entry_key(open.s, family, fid), Vec::new());
    for plan in [0, open.p] {
        s.put_raw(group_key(plan, &open.o).ts(open.s).u16(family).fid(fid).done(), Vec::new());
        s.shift(count_key(plan, &open.o), true)?;
        s.shift(unresolved_key(plan), true)?;
    }
    Ok(())
}

fn leave<K: Kv + ?Sized>(s: &mut Scratch<'_, K>, open: &OpenRec, family: DictNo, fid: &Fid) -> Result<(), StoreError> {
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

fn count_key(plan: DictNo, outcome: &Outcome) -> Vec<u8> {
    let group = outcome.group().unwrap_or_default();
    Key::new(key::GROUP_COUNT).u16(plan).slot(outcome.slot()).raw(group.as_bytes()).done()
}

/// Key of the number of unresolved bills of a plan (0 = all).
pub fn unresolved_key(plan: DictNo) -> Vec<u8> {
    Key::new(key::UNRESOLVED).u16(plan).done()
}
