//! Hourly counts of what happened, a key space of their own: folded with the facts, but read and made anew by themselves, so that
//! a change of them never makes the index anew (docs/design/storage.md#hourly-counts).
//!
//! Invariant: an hour is the sum of the facts up to the place that stands beside the counts, whatever batches they came in.

use std::ops::{Bound, Range};

use super::Index;
use super::entries::{dict_key, plan_key, run_id_key, run_key};
use super::hour_rows::{FORM, Place, Row, kind_of, place_key, unpack};
use super::key::{self, Dict, Key, RunNo, u16_at, u32_at, u64_at};
use super::kv::{Batch, Kv, Walk};
use super::row::RunRec;
use super::write_batch::{BATCH_KEYS, WriteBatch};
use crate::StoreError;
use skydeck_core::domain::hours::{Hour, LedgerPlace, Phase};
use skydeck_core::domain::ids::{PlanId, RunId, Seq};
use skydeck_core::domain::plan::Plan;
use skydeck_core::domain::run::RunHead;
use skydeck_core::domain::time::Ts;
use skydeck_core::domain::transition::Change;

/// Hours of a plan in one answer, at most.
pub const HOURS_AT_ONCE: usize = 10_000;

/// Counts what a fact changed; the fact is folded.
pub(super) fn count<K: Kv + ?Sized>(s: &mut WriteBatch<'_, K>, change: &Change<'_>, at: Ts) -> Result<(), StoreError> {
    let (place, at) = match change {
        Change::Nothing
        | Change::Run { .. }
        | Change::Resolved { .. }
        | Change::Reopened { .. }
        | Change::NotUnderstood(_) => return Ok(()),
        Change::Opened(head) => {
            let place = place_of_head(s, head)?;
            if let Some(place) = place {
                s.hours.runs.insert(head.id, place);
            }
            (place, at)
        }
        Change::Found { run, .. } | Change::Bill { run, .. } => (place_of(s, *run)?, at),
        // When each of them was told is known no more: they stand in the hour in which their run began.
        Change::Gone { run, .. } => {
            let opened = rec_of(s, *run)?.map(|rec| rec.h.opened);
            (place_of(s, *run)?, opened.unwrap_or(at))
        }
    };
    let Some(place) = place else { return Ok(()) };
    let row = look_up(s, place.at(at))?;
    s.hours.trial.entry(row).or_default().take(change);
    Ok(())
}

/// Counts that an entry of the ledger came, went, or holds another outcome: `was` and `is` with the runs that gave them.
pub(super) fn count_move<K: Kv + ?Sized>(
    s: &mut WriteBatch<'_, K>,
    was: Option<(RunNo, LedgerPlace<'_>)>,
    is: Option<(RunNo, LedgerPlace<'_>)>,
    at: Ts,
) -> Result<(), StoreError> {
    let place = |s: &mut WriteBatch<'_, K>, no: RunNo| -> Result<Option<Place>, StoreError> {
        let rec: Option<RunRec> = s.get(&run_key(no))?;
        rec.map_or(Ok(None), |rec| place_of(s, rec.h.id))
    };
    let was_at = was.map_or(Ok(None), |(no, group)| Ok::<_, StoreError>(place(s, no)?.map(|place| (place, group))))?;
    let is_at = is.map_or(Ok(None), |(no, group)| Ok::<_, StoreError>(place(s, no)?.map(|place| (place, group))))?;
    let same_plan = was_at.zip(is_at).is_some_and(|((was, _), (is, _))| was.plan == is.plan);
    if same_plan && was_at.map(|(_, group)| group) == is_at.map(|(_, group)| group) {
        return Ok(());
    }
    if let Some((place, group)) = was_at {
        let row = look_up(s, place.at(at))?;
        s.hours.trial.entry(row).or_default().leaves(group);
    }
    if let Some((place, group)) = is_at {
        let row = look_up(s, place.at(at))?;
        s.hours.trial.entry(row).or_default().enters(group);
    }
    // In the row of each, so that either sum stays true by itself.
    if same_plan {
        for place in [was_at, is_at].into_iter().flatten().map(|(place, _)| place) {
            s.hours.trial.entry(place.at(at)).or_default().regrouped += 1;
        }
    }
    Ok(())
}

/// Reads a row once, before something is counted in it.
fn look_up<K: Kv + ?Sized>(s: &mut WriteBatch<'_, K>, row: Row) -> Result<Row, StoreError> {
    if !s.hours.rows.contains_key(&row) {
        let counts = s.base().get(&row.key())?.as_deref().map(unpack).transpose()?.unwrap_or_default();
        s.hours.rows.insert(row, counts);
    }
    Ok(row)
}

fn place_of<K: Kv + ?Sized>(s: &mut WriteBatch<'_, K>, run: RunId) -> Result<Option<Place>, StoreError> {
    if let Some(place) = s.hours.runs.get(&run).copied().or_else(|| s.known().get(run)) {
        return Ok(Some(place));
    }
    let Some(rec) = rec_of(s, run)? else { return Ok(None) };
    let place = place_of_head(s, &rec.h)?;
    if let Some(place) = place {
        s.hours.runs.insert(run, place);
    }
    Ok(place)
}

/// The record of a run.
pub(super) fn rec_of<K: Kv + ?Sized>(s: &WriteBatch<'_, K>, run: RunId) -> Result<Option<RunRec>, StoreError> {
    let no = s.raw(&run_id_key(run))?.and_then(|b| u32_at(&b, 0));
    no.map_or(Ok(None), |no| s.get(&run_key(no)))
}

fn place_of_head<K: Kv + ?Sized>(s: &WriteBatch<'_, K>, head: &RunHead) -> Result<Option<Place>, StoreError> {
    let plan = s.raw(&dict_key(Dict::Plan, head.plan.as_str()))?.and_then(|b| u16_at(&b, 0));
    let Some(plan) = plan else { return Ok(None) };
    let zone = |plan: &Plan| plan.policy.schedule.as_ref().and_then(|schedule| schedule.zone.parse().ok());
    let zone = match &head.text {
        Some(text) => zone(text),
        None => s.get::<Plan>(&plan_key(&head.rev))?.as_ref().and_then(zone),
    };
    let phase = zone.map(|zone| Phase::of(&zone, head.opened)).unwrap_or_default();
    Ok(Some(Place { plan, phase, kind: head.kind }))
}

impl<K: Kv> Index<K> {
    /// Hours of a plan's runs that began in a span of time, oldest first; of many the first ones.
    pub fn hourly(&self, plan: &PlanId, hours: &Range<Ts>) -> Result<Vec<Hour>, StoreError> {
        let mut found: Vec<Hour> = Vec::new();
        let Some(plan) = self.dict(Dict::Plan, plan.as_str())? else { return Ok(found) };
        let edge = |at: Ts| Key::new(key::HOUR).u16(plan).ts(at).done();
        let (low, high) = (Bound::Included(edge(hours.start)), Bound::Excluded(edge(hours.end)));
        let mut different = 0;
        for entry in Walk::new(&self.kv, low, high, false) {
            let (at, value) = entry?;
            let begins = u64_at(&at, 3).map(key::ts_of);
            let Some((begins, kind)) = begins.zip(at.get(11).copied().and_then(kind_of)) else { continue };
            if found.last().is_none_or(|last| last.begins != begins) {
                different += 1;
            }
            if different > HOURS_AT_ONCE {
                break;
            }
            found.push(Hour { begins, kind, counts: unpack(&value)? });
        }
        Ok(found)
    }

    /// Up to which place the hours are counted, in the form of this program; zero where they are to be counted anew.
    pub(crate) fn hours_counted(&self) -> Result<Seq, StoreError> {
        let bytes = self.kv.get(&place_key())?;
        let place = bytes.filter(|b| u32_at(b, 0) == Some(FORM)).and_then(|b| u64_at(&b, 4));
        Ok(Seq(place.unwrap_or(0)))
    }

    /// Throws the hours away: what follows counts them from the first fact.
    pub(crate) fn forget_hours<E: From<StoreError>>(
        &self,
        apply: &mut dyn FnMut(Batch) -> Result<(), E>,
    ) -> Result<(), E> {
        apply(Batch::from([(place_key(), None)]))?;
        loop {
            let piece = Walk::prefix(&self.kv, Key::new(key::HOUR).done(), false).take(BATCH_KEYS);
            let piece: Batch = piece.map(|entry| entry.map(|(key, _)| (key, None))).collect::<Result<_, _>>()?;
            if piece.is_empty() {
                return Ok(());
            }
            apply(piece)?;
        }
    }
}
