//! Single answers of the index: a run, a bill, the ledger's counts.
//!
//! Invariant: no answer here grows with the history but by its own limit.

use skydeck_core::domain::step::{LastMade, Made};
use std::collections::BTreeMap;

use super::Index;
use super::entries::{bill_key, cured_key, dict_key, known_key, live_key, made_key, number_key, plan_key};
use super::fold::{ACCEPTED, LATER, WITNESS, witness_key};
use super::key::{self, Dict, DictNo, Key, RunNo, read_fid, u16_at, u32_at, u64_at};
use super::kv::{Kv, Walk};
use super::names::{OPERATIONS, family_text, operation_of};
use super::row::{BillRec, KnownRec, OpenRec, RunLiveRec, RunRec, places, run_row};
use super::runs::StoppedRec;
use crate::{LedgerEntry, Snapshot, StoreError, codec};
use skydeck_core::domain::action_log::LogWitness;
use skydeck_core::domain::bill::{BillState, Found};
use skydeck_core::domain::cause::Cause;
use skydeck_core::domain::ids::{EnvId, Fid, FormId, OpId, PlanId, PlanRev, RecordKey, RunId, Seq, WorkKey};
use skydeck_core::domain::plan::Plan;
use skydeck_core::domain::query::{LedgerGroup, PageRequest, RunColumn};
use skydeck_core::domain::run::{BillRow, Mark, RunRow, StoppedRun};
use skydeck_core::domain::server::ServerBound;
use skydeck_core::domain::time::Ts;

/// Looks for a moment at which nothing was added between the first row and the last: each takes less than a write does.
const LOOKS: u32 = 1_000;
/// Runs looked through for the facts of one bill.
const RUNS_OF_A_BILL: usize = 10_000;

impl<K: Kv> Index<K> {
    pub(super) fn value<T: serde::de::DeserializeOwned>(&self, key: &[u8]) -> Result<Option<T>, StoreError> {
        self.kv.get(key)?.map(|bytes| codec::unpack(&bytes)).transpose()
    }

    pub(super) fn run_no(&self, id: RunId) -> Result<Option<RunNo>, StoreError> {
        Ok(self.kv.get(&Key::new(key::RUN_ID).run_id(id).done())?.and_then(|b| u32_at(&b, 0)))
    }

    pub(super) fn run_rec(&self, no: RunNo) -> Result<Option<RunRec>, StoreError> {
        self.value(&Key::new(key::RUN).u32(no).done())
    }

    pub(super) fn run_by_no(&self, no: RunNo) -> Result<Option<RunRow>, StoreError> {
        let (Some(rec), Some(live)) = (self.run_rec(no)?, self.value::<RunLiveRec>(&live_key(no))?) else {
            return Ok(None);
        };
        Ok(Some(run_row(rec, &live)))
    }

    /// One run.
    pub fn run(&self, id: RunId) -> Result<Option<RunRow>, StoreError> {
        self.run_no(id)?.map_or(Ok(None), |no| self.run_by_no(no))
    }

    /// The runs that are open and the `newest` ones, all as they were at one place. A batch is seen
    /// whole and holds its place: rows between two looks at the same place are of that place.
    pub fn snapshot(&self, newest: u32) -> Result<Snapshot, StoreError> {
        for _ in 0..LOOKS {
            let at = self.applied()?;
            let newest = self.runs(None, &PageRequest::first(newest))?.rows.into_iter().map(|(_, row)| row);
            let runs: BTreeMap<RunId, RunRow> = newest.chain(self.open_runs()?).map(|row| (row.head.id, row)).collect();
            if self.applied()? == at {
                return Ok(Snapshot { at, runs: runs.into_values().collect() });
            }
        }
        Err(StoreError::Read("facts were added faster than the runs could be read: ask again".to_owned()))
    }

    /// Runs that are not closed, in order of opening.
    pub fn open_runs(&self) -> Result<Vec<RunRow>, StoreError> {
        let mut rows = Vec::new();
        for entry in Walk::prefix(&self.kv, vec![key::OPEN], false) {
            if let Some(no) = u32_at(&entry?.0, 1) {
                rows.extend(self.run_by_no(no)?);
            }
        }
        Ok(rows)
    }

    pub(super) fn bill_rec(&self, no: RunNo, fid: &Fid) -> Result<Option<BillRec>, StoreError> {
        self.value(&bill_key(no, fid))
    }

    /// Whether a run closed without anybody approving it.
    pub(super) fn is_untold(&self, no: RunNo) -> Result<bool, StoreError> {
        Ok(self.value::<RunLiveRec>(&live_key(no))?.is_some_and(|live| live.is_untold()))
    }

    pub(super) fn row(&self, no: RunNo, fid: Fid) -> Result<Option<BillRow>, StoreError> {
        self.row_of(no, fid, self.is_untold(no)?)
    }

    fn row_of(&self, no: RunNo, fid: Fid, untold: bool) -> Result<Option<BillRow>, StoreError> {
        let Some(rec) = self.bill_rec(no, &fid)? else { return Ok(None) };
        Ok(Some(rec.row(self.head(no)?.as_ref(), fid, untold)))
    }

    /// The row of a bill in this run, or in the newest one before that tells of it; in this one where none does.
    fn told_row(&self, no: RunNo, fid: &Fid) -> Result<Option<BillRow>, StoreError> {
        let mut next = Some(no);
        for _ in 0..RUNS_OF_A_BILL {
            let Some(at) = next else { break };
            if !self.is_untold(at)? {
                return self.row(at, fid.clone());
            }
            next = self.bill_rec(at, fid)?.and_then(|rec| rec.p);
        }
        self.row(no, fid.clone())
    }

    /// Runs that ended by themselves where none of their plan went on since.
    pub fn stopped_runs(&self) -> Result<Vec<StoppedRun>, StoreError> {
        let mut all = Vec::new();
        for entry in Walk::prefix(&self.kv, vec![key::STOPPED], false) {
            let Some(rec) = StoppedRec::read(&entry?.1) else { continue };
            if let Some(row) = self.run_by_no(rec.no)? {
                let (since, times) = rec.since.unwrap_or((row.closed.unwrap_or(row.head.opened), 1));
                all.push(StoppedRun { row, since, times, until: None });
            }
        }
        Ok(all)
    }

    /// One bill of a run.
    pub fn bill_of_run(&self, run: RunId, fid: &Fid) -> Result<Option<BillRow>, StoreError> {
        self.run_no(run)?.map_or(Ok(None), |no| self.row(no, fid.clone()))
    }

    /// What a run's query said about a bill.
    pub fn found(&self, run: RunId, fid: &Fid) -> Result<Option<Found>, StoreError> {
        let Some(no) = self.run_no(run)? else { return Ok(None) };
        Ok(self.bill_rec(no, fid)?.map(|rec| rec.as_found(fid.clone())))
    }

    /// The place of the fact that has what is to be made of a bill.
    pub fn body_place(&self, run: RunId, fid: &Fid) -> Result<Option<Seq>, StoreError> {
        let Some(no) = self.run_no(run)? else { return Ok(None) };
        Ok(self.bill_rec(no, fid)?.and_then(|rec| rec.r).map(|frozen| Seq(frozen.1)))
    }

    /// The place of the fact that has all rows of a bill.
    pub fn lines_place(&self, run: RunId, fid: &Fid) -> Result<Option<Seq>, StoreError> {
        let Some(no) = self.run_no(run)? else { return Ok(None) };
        Ok(self.bill_rec(no, fid)?.and_then(|rec| rec.q).map(Seq))
    }

    /// What was made last of a form.
    pub fn last_made(&self, env: &EnvId, form: &FormId) -> Result<Option<LastMade>, StoreError> {
        self.value(&made_key(env, form))
    }

    /// Bills of a run in one column, by FID.
    pub fn bills_in(&self, of: RunColumn, after: Option<&Fid>, limit: usize) -> Result<Vec<BillRow>, StoreError> {
        let Some(no) = self.run_no(of.run)? else { return Ok(Vec::new()) };
        self.listed_bills(&Key::new(key::SLOT).u32(no).slot(of.slot).done(), after, limit)
    }

    /// Bills of a run whose intent is unanswered, by FID.
    pub fn in_flight(&self, run: RunId) -> Result<Vec<BillRow>, StoreError> {
        let Some(no) = self.run_no(run)? else { return Ok(Vec::new()) };
        self.listed_bills(&Key::new(key::TRYING).u32(no).done(), None, usize::MAX)
    }

    /// Bills of a list of one run: the space of its key is followed by the run's number.
    fn listed_bills(&self, prefix: &[u8], after: Option<&Fid>, limit: usize) -> Result<Vec<BillRow>, StoreError> {
        use std::ops::Bound;
        let Some(no) = u32_at(prefix, 1) else { return Ok(Vec::new()) };
        let low = match after {
            Some(fid) => Bound::Excluded(Key::default().raw(prefix).fid(fid).done()),
            None => Bound::Included(prefix.to_vec()),
        };
        let high = key::after_prefix(prefix).map_or(Bound::Unbounded, Bound::Excluded);
        let untold = self.is_untold(no)?;
        let mut rows = Vec::new();
        for entry in Walk::new(&self.kv, low, high, false) {
            if rows.len() >= limit {
                break;
            }
            if let Some(fid) = entry?.0.get(prefix.len()..).and_then(read_fid) {
                rows.extend(self.row_of(no, fid, untold)?);
            }
        }
        Ok(rows)
    }

    pub(super) fn dict(&self, kind: Dict, text: &str) -> Result<Option<DictNo>, StoreError> {
        Ok(self.kv.get(&dict_key(kind, text))?.and_then(|b| u16_at(&b, 0)))
    }

    pub(super) fn dict_all(&self, kind: Dict) -> Result<Vec<(String, DictNo)>, StoreError> {
        let prefix = dict_key(kind, "");
        let mut all = Vec::new();
        for entry in Walk::prefix(&self.kv, prefix.clone(), false) {
            let (at, value) = entry?;
            let text = at.get(prefix.len()..).unwrap_or_default();
            if let Some(no) = u16_at(&value, 0) {
                all.push((String::from_utf8_lossy(text).into_owned(), no));
            }
        }
        Ok(all)
    }

    pub(super) fn known(&self, family: DictNo, fid: &Fid) -> Result<Option<KnownRec>, StoreError> {
        self.value(&known_key(family, fid))
    }

    fn known_of(&self, work: &WorkKey) -> Result<Option<KnownRec>, StoreError> {
        let record = &work.record;
        match self.dict(Dict::Family, &family_text(&record.env.0, &record.form.0, &work.op))? {
            Some(family) => self.known(family, &record.fid),
            None => Ok(None),
        }
    }

    pub(super) fn newest_run_of(&self, bill: &WorkKey) -> Result<Option<RunNo>, StoreError> {
        Ok(self.known_of(bill)?.map(|known| known.r))
    }

    pub(super) fn open_row(&self, open: OpenRec, fid: Fid) -> Result<Option<BillRow>, StoreError> {
        Ok(self.row(open.r, fid)?.map(|row| BillRow {
            state: BillState::Settled(open.o.bounded()),
            at: open.t,
            open_since: Some(open.s),
            resolved_before: open.c,
            ..row
        }))
    }

    /// The ledger's entry for a bill: the row of its last outcome.
    pub fn ledger_entry(&self, bill: &WorkKey) -> Result<Option<LedgerEntry>, StoreError> {
        let Some(KnownRec { d, l: Some(open), .. }) = self.known_of(bill)? else { return Ok(None) };
        let since = open.s;
        let row = self.open_row(open, bill.record.fid.clone())?;
        Ok(row.map(|row| LedgerEntry { row, since, deaths: d }))
    }

    /// The entry that a person closed, where no outcome came after that.
    pub fn resolved_entry(&self, work: &WorkKey) -> Result<Option<LedgerEntry>, StoreError> {
        let Some(KnownRec { d, z: Some(closed), .. }) = self.known_of(work)? else { return Ok(None) };
        let since = closed.s;
        let row = self.open_row(closed, work.record.fid.clone())?;
        Ok(row.map(|row| LedgerEntry { row, since, deaths: d }))
    }

    /// When a refused bill of a plan last went through in the revision it had been refused in.
    pub fn cured(&self, plan: &PlanId, cause: &Cause) -> Result<Option<Ts>, StoreError> {
        let Some(plan) = self.dict(Dict::Plan, plan.as_str())? else { return Ok(None) };
        self.value(&cured_key(plan, cause))
    }

    fn plan_no(&self, plan: Option<&PlanId>) -> Result<Option<DictNo>, StoreError> {
        plan.map_or(Ok(Some(0)), |plan| self.dict(Dict::Plan, plan.as_str()))
    }

    /// Groups of the ledger, biggest first, then oldest, then by name.
    pub fn ledger_groups(&self, plan: Option<&PlanId>) -> Result<Vec<LedgerGroup>, StoreError> {
        let Some(plan) = self.plan_no(plan)? else { return Ok(Vec::new()) };
        let prefix = Key::new(key::GROUP_COUNT).u16(plan).done();
        let mut groups = Vec::new();
        for entry in Walk::prefix(&self.kv, prefix.clone(), false) {
            let (at, value) = entry?;
            let Some((slot, group)) = at.get(prefix.len()..).and_then(|rest| rest.split_first()) else { continue };
            let (Some(slot), Some(count)) = (key::slot_of(*slot), u64_at(&value, 0)) else { continue };
            let group = String::from_utf8_lossy(group).into_owned();
            let list = Key::new(key::GROUP).u16(plan).slot(slot).text(&group).done();
            let first = Walk::prefix(&self.kv, list.clone(), false).next().transpose()?;
            let oldest = first.and_then(|(at, _)| u64_at(&at, list.len())).map(key::ts_of);
            groups.push(LedgerGroup { slot, group, count, oldest });
        }
        groups.sort_by(|a, b| b.count.cmp(&a.count).then(a.oldest.cmp(&b.oldest)).then_with(|| a.group.cmp(&b.group)));
        Ok(groups)
    }

    /// Number of unresolved bills.
    pub fn unresolved(&self, plan: Option<&PlanId>) -> Result<u64, StoreError> {
        let Some(plan) = self.plan_no(plan)? else { return Ok(0) };
        Ok(self.kv.get(&super::ledger::unresolved_key(plan))?.and_then(|b| u64_at(&b, 0)).unwrap_or(0))
    }

    /// The row of a bill that changed last, over all runs that tell of it.
    pub fn bill(&self, bill: &WorkKey) -> Result<Option<BillRow>, StoreError> {
        match self.known_of(bill)? {
            Some(known) => self.told_row(known.c, &bill.record.fid),
            None => Ok(None),
        }
    }

    /// Rows of bills whose number, or that of the bill made of them, begins with a text, case ignored, by number.
    pub fn find_number(&self, beginning: &str, limit: usize) -> Result<Vec<BillRow>, StoreError> {
        let prefix = Key::new(key::NUMBER).text_prefix(&beginning.to_lowercase()).done();
        let mut rows = Vec::new();
        for entry in Walk::prefix(&self.kv, prefix, false) {
            if rows.len() >= limit {
                break;
            }
            let (at, of) = entry?;
            let Some((family, fid)) = after_number(&at) else { continue };
            let Some(known) = self.known(family, &fid)? else { continue };
            let Some(mut row) = self.told_row(known.c, &fid)? else { continue };
            if of == key::MADE {
                row.made = self.made_under(&at, known.c, (family, &fid))?;
            } else if number_key(&row.no, family, &fid) != at {
                // A bill that was renumbered keeps its old number in the index, for old runs; here only the last counts.
                continue;
            }
            // Both its numbers may begin so.
            if !rows.iter().any(|there: &BillRow| there.key == row.key) {
                rows.push(row);
            }
        }
        Ok(rows)
    }

    /// What was made of a record under a number, by the newest of its runs that tells it.
    fn made_under(
        &self,
        number: &[u8],
        newest: RunNo,
        (family, fid): (DictNo, &Fid),
    ) -> Result<Option<Box<Made>>, StoreError> {
        let mut next = Some(newest);
        for _ in 0..RUNS_OF_A_BILL {
            let Some(rec) = next.map(|no| self.bill_rec(no, fid)).transpose()?.flatten() else { break };
            if let Some(made) = rec.g.filter(|made| number_key(&made.no, family, fid) == number) {
                return Ok(Some(made));
            }
            next = rec.p;
        }
        Ok(None)
    }

    /// Places of the facts about a bill in one run.
    pub(super) fn facts_in(&self, no: RunNo, fid: &Fid, rec: &BillRec) -> Result<Vec<u64>, StoreError> {
        let mut all: Vec<u64> = places(&rec.f).collect();
        for chunk in 0..rec.z {
            let at = Key::new(key::FACTS).u32(no).fid(fid).u32(chunk).done();
            if let Some(list) = self.value::<Vec<u64>>(&at)? {
                all.extend(places(&list));
            }
        }
        Ok(all)
    }

    /// Places of the facts about a bill, at most the `limit` newest.
    pub fn places_of(&self, bill: &WorkKey, limit: usize) -> Result<Places, StoreError> {
        let (mut all, mut found): (Vec<u64>, Vec<Seq>) = (Vec::new(), Vec::new());
        let mut next = self.known_of(bill)?.map(|known| known.r);
        for _ in 0..RUNS_OF_A_BILL {
            let Some(no) = next else { break };
            let Some(rec) = self.bill_rec(no, &bill.record.fid)? else { break };
            let from = all.len();
            all.extend(self.facts_in(no, &bill.record.fid, &rec)?);
            // A run knows a bill from the fact that found it on.
            found.extend(all.get(from..).unwrap_or_default().iter().min().copied().map(Seq));
            next = rec.p;
        }
        all.sort_unstable();
        all.dedup();
        let cut = all.len().saturating_sub(limit);
        Ok(Places { all: all.into_iter().skip(cut).map(Seq).collect(), found, cut: cut > 0 })
    }

    /// Whether any run was opened under another operation than Audit.
    pub(super) fn knows_operations(&self) -> Result<bool, StoreError> {
        Ok(self.kv.get(&Key::new(key::META).raw(OPERATIONS).done())?.is_some())
    }

    /// Operations that runs were opened under for the records of a form.
    pub fn operations_of(&self, record: &RecordKey) -> Result<Vec<OpId>, StoreError> {
        if !self.knows_operations()? {
            return Ok(vec![OpId::default()]);
        }
        let families = self.dict_all(Dict::Family)?.into_iter();
        Ok(families.filter_map(|(text, _)| operation_of(&text, record)).collect())
    }

    /// Place of the newest fact about a record, whatever was done to it.
    pub fn newest_of(&self, record: &RecordKey) -> Result<Seq, StoreError> {
        let mut newest = Seq(0);
        for op in self.operations_of(record)? {
            newest = newest.max(self.places_of(&record.under(&op), 1)?.all.last().copied().unwrap_or_default());
        }
        Ok(newest)
    }

    /// The start of the machine under which a run worked at a place of the journal.
    pub fn boot_of(&self, run: RunId, at: Seq) -> Result<Option<String>, StoreError> {
        let Some(no) = self.run_no(run)? else { return Ok(None) };
        let boots = self.run_rec(no)?.map(|rec| rec.b).unwrap_or_default();
        Ok(boots.into_iter().rev().find(|(from, _)| *from <= at.0).map(|(_, boot)| boot))
    }

    /// The server an environment is bound to.
    pub fn server_of(&self, env: &EnvId) -> Result<Option<ServerBound>, StoreError> {
        match self.dict(Dict::Env, env.as_str())? {
            Some(env) => self.value(&Key::new(key::SERVER).u16(env).done()),
            None => Ok(None),
        }
    }

    /// The newest witness of the action log's file, and the newest one by which a person accepted it, with their places.
    pub fn log_witnesses(&self, file: Option<&str>) -> Result<Vec<(Seq, LogWitness)>, StoreError> {
        let at = |name: &[u8]| self.value::<(Seq, LogWitness)>(&witness_key(name, file));
        let mut found: Vec<(Seq, LogWitness)> = at(ACCEPTED)?.into_iter().chain(at(WITNESS)?).collect();
        found.dedup();
        Ok(found)
    }

    /// The first fact that this program does not understand, with its name.
    pub fn later(&self) -> Result<Option<(Seq, String)>, StoreError> {
        self.value(&Key::new(key::META).raw(LATER).done())
    }

    /// The mark of a plan in an environment.
    pub fn mark(&self, plan: &PlanId, env: &EnvId) -> Result<Option<Mark>, StoreError> {
        let (Some(plan), Some(env)) = (self.dict(Dict::Plan, plan.as_str())?, self.dict(Dict::Env, env.as_str())?)
        else {
            return Ok(None);
        };
        self.value(&Key::new(key::MARK).u16(plan).u16(env).done())
    }

    /// The plan of a revision.
    pub fn plan_of(&self, rev: &PlanRev) -> Result<Option<Plan>, StoreError> {
        self.value(&plan_key(rev))
    }
}

/// Where the facts about a bill stand.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Places {
    /// Oldest first.
    pub all: Vec<Seq>,
    /// Those by which a query found it.
    pub found: Vec<Seq>,
    /// Whether older ones are left out.
    pub cut: bool,
}

/// Family and FID at the end of a key of the number space.
pub(super) fn after_number(key: &[u8]) -> Option<(DictNo, Fid)> {
    let (_, rest) = split_number(key)?;
    Some((u16_at(rest, 0)?, read_fid(rest.get(2..)?)?))
}

/// The escaped number of a key of the number space, and what follows it.
fn split_number(key: &[u8]) -> Option<(&[u8], &[u8])> {
    let text = key.get(1..)?;
    let mut at = 0;
    loop {
        match (text.get(at)?, text.get(at + 1)) {
            (0, Some(0)) => return Some((text.get(..at)?, text.get(at + 2..)?)),
            (0, Some(0xff)) => at += 2,
            _ => at += 1,
        }
    }
}
