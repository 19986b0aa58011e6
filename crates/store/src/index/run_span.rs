//! Where in the history the bills of certain runs stand: from the place at which the first of these runs was opened to one at
//! which none of them was open any more.
//!
//! Invariant: a row of one of these runs never lies outside. A closed run never changes, so nothing of it comes later; and
//! the clock may have been set back by however much.

use super::Index;
use super::entries::{live_key, run_key};
use super::key::{self, RunNo};
use super::kv::Kv;
use super::row::{OpenedRec, RunLiveRec, RunRec};
use super::write_batch::WriteBatch;
use crate::StoreError;
use skydeck_core::domain::filter::Filter;
use skydeck_core::domain::time::Ts;

/// Runs of a filter, and the stretch of the history in which their bills stand.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct RunSpan {
    /// The runs: from this number on.
    pub first: RunNo,
    /// Up to this one.
    pub last: RunNo,
    /// No row of them lies before this place of the journal.
    pub from: u64,
    /// None lies at this place or behind it; `None` where one of them may still change.
    pub to: Option<u64>,
}

/// Where a run is opened: at a place of the journal, at a time.
pub(super) fn opened<K: Kv + ?Sized>(
    s: &WriteBatch<'_, K>,
    no: RunNo,
    (place, at): (u64, Ts),
) -> Result<Option<OpenedRec>, StoreError> {
    let Some(before) = no.checked_sub(1).filter(|before| *before > 0) else {
        return Ok(Some(OpenedRec { p: place, n: at, b: 0, o: no }));
    };
    let Some(before) = s.get::<RunRec>(&run_key(before))?.and_then(|rec| rec.o) else { return Ok(None) };
    let newest = before.n.max(at);
    // Runs close once and for all: each is passed over once, by the first run that is opened after it was closed.
    let mut oldest = before.o;
    while oldest < no && s.get::<RunLiveRec>(&live_key(oldest))?.is_none_or(|live| live.s.is_closed()) {
        oldest += 1;
    }
    let back = before.b.max(newest.0.saturating_sub(at.0));
    Ok(Some(OpenedRec { p: place, n: newest, b: back, o: oldest }))
}

impl<K: Kv> Index<K> {
    /// The newest run's number; 0 where there is none.
    fn newest_run(&self) -> Result<RunNo, StoreError> {
        Ok(self.run_numbers(&[key::RUN], None, true).next().transpose()?.unwrap_or_default())
    }

    fn opened_rec(&self, no: RunNo) -> Result<Option<OpenedRec>, StoreError> {
        Ok(self.run_rec(no)?.and_then(|rec| rec.o))
    }

    /// The first run up to the newest one of which something holds that also holds of every later one; the number behind the
    /// newest where there is none.
    fn first_run(&self, newest: RunNo, holds: impl Fn(&OpenedRec) -> bool) -> Result<RunNo, StoreError> {
        let (mut low, mut high) = (1, newest.saturating_add(1));
        while low < high {
            let middle = low + (high - low) / 2;
            if self.opened_rec(middle)?.is_some_and(|rec| holds(&rec)) { high = middle } else { low = middle + 1 }
        }
        Ok(low)
    }

    /// Numbers between which all runs lie that were opened between two moments, each `None` where that is open.
    pub(super) fn runs_opened(&self, (from, to): (Option<Ts>, Option<Ts>)) -> Result<(RunNo, RunNo), StoreError> {
        let newest = self.newest_run()?;
        // Where the newest one does not tell its place, the earlier ones need not, either.
        let Some(set_back) = self.opened_rec(newest)?.map(|rec| rec.b) else { return Ok((0, newest)) };
        let first = from.map(|from| self.first_run(newest, |rec| rec.n >= from)).transpose()?;
        let behind = to.map(|to| self.first_run(newest, |rec| rec.n.0 > to.0.saturating_add(set_back))).transpose()?;
        Ok((first.unwrap_or_default(), behind.map_or(newest, |behind| behind - 1)))
    }

    /// The runs that a filter names or between whose times they lie, with the stretch of their bills; `None` where it asks for
    /// neither.
    pub(super) fn run_span(&self, filter: &Filter, now: Ts) -> Result<Option<RunSpan>, StoreError> {
        let between = filter.runs_between(now);
        let named = self.runs_named(filter)?;
        if between == (None, None) && named.is_none() {
            return Ok(None);
        }
        let (mut first, mut last) = self.runs_opened(between)?;
        if let Some(named) = named {
            // None is called so: an empty stretch.
            first = first.max(named.first().copied().unwrap_or(RunNo::MAX));
            last = last.min(named.last().copied().unwrap_or_default());
        }
        if first > last {
            return Ok(Some(RunSpan { first, last, from: 0, to: Some(0) }));
        }
        let from = self.opened_rec(first)?.map_or(0, |rec| rec.p);
        Ok(Some(RunSpan { first, last, from, to: self.closed_before(last)? }))
    }

    /// A place of the journal at which none of the runs up to a number was open; `None` where there is none yet.
    fn closed_before(&self, last: RunNo) -> Result<Option<u64>, StoreError> {
        let newest = self.newest_run()?;
        if self.opened_rec(newest)?.is_none_or(|rec| rec.o <= last) {
            return Ok(None);
        }
        let behind = self.first_run(newest, |rec| rec.o > last)?;
        Ok(self.opened_rec(behind)?.map(|rec| rec.p))
    }
}
