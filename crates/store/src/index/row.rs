//! What the index keeps of a run and of a bill. Short names: there is one of these for every bill ever touched.
//!
//! Invariant: nothing here is more than a fold of the journal.

use serde::{Deserialize, Serialize};

use super::key::{DictNo, RunNo};
use skydeck_core::domain::bill::Rendered;
use skydeck_core::domain::bill::{BillState, Found, Outcome, Rev, Will};
use skydeck_core::domain::erp_status::Heard;
use skydeck_core::domain::ids::{Fid, RecordKey};
use skydeck_core::domain::run::{BillRow, Collected, Consent, Flag, RunHead, RunRow, RunState, Tally};
use skydeck_core::domain::step::Made;
use skydeck_core::domain::story::Closing;
use skydeck_core::domain::time::{ErpDate, Ts};

/// What rarely changes in a run.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct RunRec {
    /// Head.
    pub h: RunHead,
    /// Frozen set.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub c: Option<Collected>,
    /// Flags waved through.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub f: Vec<Flag>,
    /// First of two approvals.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub k: Option<Consent>,
    /// What is kept no longer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub g: Option<Tally>,
    /// The machine's starts under which processes worked on it, each from a place of the journal on.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub b: Vec<(u64, String)>,
    /// Where it was opened, among the runs before it; `None` where the run before it was folded without.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub o: Option<OpenedRec>,
    /// Neither the head nor a kept plan says which operation it is.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub u: bool,
}

/// Where a run was opened. Each of these numbers only grows from run to run, so that they are searched by halves.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct OpenedRec {
    /// Place of the fact.
    pub p: u64,
    /// The newest time at which it or a run before it was opened.
    pub n: Ts,
    /// By how much, at most, a run up to this one was opened before that time: how far the clock was ever set back, in
    /// milliseconds.
    #[serde(default, skip_serializing_if = "is_nothing")]
    pub b: i64,
    /// The oldest run that was still open then.
    pub o: RunNo,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde gives a reference")]
fn is_nothing(n: &i64) -> bool {
    *n == 0
}

/// What changes with every bill of a run.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct RunLiveRec {
    /// State.
    pub s: RunState,
    /// Sum line: found, done, already, skipped, failed, unknown, waiting, not reached.
    pub t: [u64; 8],
    /// Closed when.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub x: Option<Ts>,
    /// Whether its outcomes count for the ledger: approved, or a verify run.
    #[serde(default)]
    pub a: bool,
    /// Plan's number.
    pub p: DictNo,
    /// Family's number.
    pub f: DictNo,
}

impl RunLiveRec {
    /// The sum line.
    pub fn tally(&self) -> Tally {
        let [found, audited, already, skipped, failed, unknown, waiting, not_reached] = self.t;
        Tally { found, audited, already, skipped, failed, unknown, waiting, not_reached }
    }

    /// Whether it closed without anybody approving it: nothing is told of its bills.
    pub fn is_untold(&self) -> bool {
        self.s.is_closed() && !self.a
    }

    /// Sets the sum line.
    pub fn set_tally(&mut self, t: &Tally) {
        self.t = [t.found, t.audited, t.already, t.skipped, t.failed, t.unknown, t.waiting, t.not_reached];
    }
}

/// Both together as readers see it.
pub fn run_row(rec: RunRec, live: &RunLiveRec) -> RunRow {
    let mut tally = live.tally();
    let pruned = rec.g.map_or(0, |gone| gone.found);
    if let Some(gone) = &rec.g {
        tally.add(gone);
    }
    RunRow {
        head: rec.h,
        state: live.s.clone(),
        tally,
        pruned,
        collected: rec.c,
        closed: live.x,
        flags: rec.f,
        consent: rec.k,
        op_unknown: rec.u,
        labels: Vec::new(),
    }
}

/// A bill in a run.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct BillRec {
    /// Number.
    pub n: String,
    /// State.
    pub s: BillState,
    /// Revision when found, or after our own submit.
    pub v: Rev,
    /// Revision when found, when `v` is another one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub o: Option<Rev>,
    /// Writing calls.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub a: u32,
    /// Last change.
    pub t: Ts,
    /// Place of the last change in the history: seq and place in its event.
    pub h: (u64, u16),
    /// Columns.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub c: Vec<String>,
    /// Places of the facts about it: the first, then distances.
    pub f: Vec<u64>,
    /// Chunks of older places.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub z: u32,
    /// The run before this one that found the bill.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub p: Option<RunNo>,
    /// Our submit was answered as done and no revision was taken over since.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub w: bool,
    /// The death of the process during this call was counted.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub d: bool,
    /// The run that took it up did not find it.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub x: bool,
    /// The run took it up from the ledger, and the plan's filter left it out.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub y: bool,
    /// Why it will be refused, as far as that was certain when it was found.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub wl: Option<Box<Will>>,
    /// Approver when found.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub b: Option<String>,
    /// Approved when, when found.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub e: Option<ErpDate>,
    /// Date of the mark's column, when it is not the text of one of the columns.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub k: Option<ErpDate>,
    /// Place of the column that holds the mark's date.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub m: Option<u16>,
    /// What the ERP said of its status since the last call left.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub l: Option<Heard>,
    /// What is to be made of it, without the body, and the fact that has it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub r: Option<Box<(Rendered, u64)>>,
    /// What a call made of it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub g: Option<Box<Made>>,
    /// The fact that has all its rows, where they are kept.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub q: Option<u64>,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde gives a reference")]
fn is_zero(n: &u32) -> bool {
    *n == 0
}

/// Places of facts a bill keeps in its own row before a chunk is put aside.
pub const FACTS_IN_ROW: usize = 64;

impl BillRec {
    /// A bill as it was found.
    pub fn found(found: &Found, at: Ts, place: (u64, u16), before: Option<RunNo>) -> Self {
        let date = found.marked.as_ref();
        let column = date.and_then(|d| found.columns.iter().position(|c| ErpDate::parse(c).as_ref() == Some(d)));
        let column = column.and_then(|i| u16::try_from(i).ok());
        Self {
            n: found.no.clone(),
            s: BillState::Waiting,
            v: found.rev.clone(),
            o: None,
            a: 0,
            t: at,
            h: place,
            c: found.columns.clone(),
            f: vec![place.0],
            z: 0,
            p: before,
            w: false,
            d: false,
            b: found.approver.clone(),
            e: found.approved.clone(),
            x: found.absent,
            y: found.outside,
            wl: found.will.clone(),
            k: if column.is_none() { found.marked.clone() } else { None },
            m: column,
            l: None,
            r: found.body.as_ref().map(|body| Box::new((Rendered { body: None, ..body.as_ref().clone() }, place.0))),
            g: None,
            q: (!found.lines.is_empty()).then_some(place.0),
        }
    }

    /// What the query said.
    pub fn as_found(&self, fid: Fid) -> Found {
        let marked = self.m.and_then(|i| self.c.get(usize::from(i))).and_then(|c| ErpDate::parse(c));
        Found {
            probe: None,
            absent: self.x,
            outside: self.y,
            will: self.wl.clone(),
            body: self.r.as_ref().map(|frozen| Box::new(frozen.0.clone())),
            looked: None,
            lines: Vec::new(),
            fid,
            no: self.n.clone(),
            rev: self.o.clone().unwrap_or_else(|| self.v.clone()),
            approver: self.b.clone(),
            approved: self.e.clone(),
            marked: marked.or_else(|| self.k.clone()),
            columns: self.c.clone(),
            fields: Vec::new(),
        }
    }

    /// The row readers see. `untold`: its run closed without anybody approving it.
    pub fn row(self, head: &RunHead, fid: Fid, untold: bool) -> BillRow {
        let will = self.wl.filter(|_| self.s.outcome().is_none());
        BillRow {
            run: head.id,
            plan: head.plan.clone(),
            key: RecordKey { env: head.env.clone(), form: head.form.clone(), fid }.under(&head.op),
            no: self.n,
            state: match self.s {
                BillState::Settled(outcome) => BillState::Settled(outcome.bounded()),
                state @ (BillState::Waiting | BillState::Trying { .. } | BillState::RetryAt { .. }) => state,
            },
            rev: self.v,
            found: self.o,
            heard: self.l,
            made: self.g,
            attempts: self.a,
            at: self.t,
            columns: self.c,
            open_since: None,
            untold,
            resolved_before: None,
            will,
        }
    }

    /// Notes one more fact; gives back a chunk to put aside when there are many.
    pub fn note(&mut self, seq: u64) -> Option<(u32, Vec<u64>)> {
        let last: u64 = self.f.iter().sum();
        if self.f.len() < FACTS_IN_ROW {
            self.f.push(if self.f.is_empty() { seq } else { seq.saturating_sub(last) });
            return None;
        }
        let chunk = self.z;
        self.z = self.z.saturating_add(1);
        Some((chunk, std::mem::replace(&mut self.f, vec![seq])))
    }

    /// Notes a status that was read; `None`: the bill is no longer there.
    pub fn hear(&mut self, rev: Option<&Rev>, at: Ts) {
        self.l = Some(Heard { at, status: rev.map(|rev| rev.status.clone()), answer: false });
    }

    /// Takes a revision over after our own submit.
    pub fn take_rev(&mut self, rev: &Rev) {
        if self.w {
            self.w = false;
            if self.v != *rev {
                let was = std::mem::replace(&mut self.v, rev.clone());
                self.o.get_or_insert(was);
            }
        }
    }
}

/// Places from first and distances.
pub fn places(list: &[u64]) -> impl Iterator<Item = u64> + '_ {
    list.iter().scan(0_u64, |at, d| {
        *at = at.saturating_add(*d);
        Some(*at)
    })
}

/// A bill over all runs.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct KnownRec {
    /// The run that found it last.
    pub r: RunNo,
    /// The run that changed it last.
    pub c: RunNo,
    /// Deaths of the process while a call for it was in flight.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub d: u32,
    /// Its ledger entry.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub l: Option<OpenRec>,
    /// The entry that a person closed, for as long as no outcome came after it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub z: Option<OpenRec>,
}

/// A ledger entry.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct OpenRec {
    /// Unresolved since.
    pub s: Ts,
    /// Run of the last outcome.
    pub r: RunNo,
    /// Plan of that run.
    pub p: DictNo,
    /// The last outcome.
    pub o: Outcome,
    /// When.
    pub t: Ts,
    /// The unknown outcome was read back and the bill waits to be repeated.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub v: bool,
    /// Who closed it last, where that did not last: the bill changed. Of a closed entry: who closed it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub c: Option<Box<Closing>>,
}
