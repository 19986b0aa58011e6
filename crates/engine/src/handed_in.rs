//! Collecting the records that were handed in for a plan: those that came since the last run that was approved, and what the
//! ledger has of earlier ones.
//!
//! Invariant: every record up to the place that the mark takes is in the set of a run, in its newest body; a record that comes
//! while a run collects belongs to the next.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use skydeck_core::domain::bill::Found;
use skydeck_core::domain::command::StartParams;
use skydeck_core::domain::handed_in::Taken;
use skydeck_core::domain::ids::{Fid, RecordKey, Seq};
use skydeck_core::domain::listed::Listed;
use skydeck_core::domain::time::ErpDate;
use skydeck_plan::condition;
use skydeck_plan::record::rows;
use skydeck_plan::render::RenderContext;
use skydeck_store::HandedIn;

use super::carry::Carry;
use super::collect::Floor;
use super::pages::Failed;
use super::records::JsonRecord;
use super::run_set::Set;
use super::runner::Runner;
use super::server_time::server_time;

/// Records read at once.
const PAGE: usize = 100;

/// A run that collects, so far: its set, what the ledger tells, and the ledger's bills of which no record was found yet.
struct Collecting<'a> {
    set: Set,
    carry: Carry,
    carried: BTreeMap<Fid, Found>,
    floor: &'a Floor,
}

impl Runner {
    /// The records that were handed in since the mark; with numbers, those of these ids.
    pub(super) async fn query_handed_in(&mut self, floor: &Floor, params: &StartParams) -> Result<(Set, bool), Failed> {
        let env = Arc::clone(&self.run.env);
        let (carry, carried) = self.carry(params, floor.scope(&env), false).await?;
        // No clock but ours dates these records.
        let mut so_far = Collecting { set: Set::default(), carry, carried, floor };
        if params.numbers.is_empty() {
            let from_the_start = params.sweep || params.since.is_some();
            so_far = self.since_the_mark(so_far, from_the_start).await?;
        } else {
            let mut listed = Listed { asked: params.numbers.len() as u64, ..Listed::default() };
            for numbers in params.numbers.chunks(PAGE) {
                let mut page = Vec::new();
                for number in numbers {
                    match self.handed_in_as(&Fid::new(number.trim())).await? {
                        Some(taken) => page.push(taken),
                        None => listed.misses(number, false),
                    }
                }
                so_far = self.take_page(so_far, page).await?;
            }
            so_far.set.listed = Some(listed);
        }
        let Collecting { mut set, carry, carried, .. } = so_far;
        let from_ledger: BTreeSet<Fid> = carried.keys().cloned().collect();
        let changed = self.changed(carry, carried, &from_ledger).await?;
        set.take(&changed, |bill| self.may_call(bill));
        self.keep(changed.taken).await?;
        if !floor.moves_mark {
            set.seen = None;
        }
        Ok((set, false))
    }

    async fn since_the_mark<'a>(
        &mut self,
        mut so_far: Collecting<'a>,
        from_the_start: bool,
    ) -> Result<Collecting<'a>, Failed> {
        let (head, store) = (&self.run.head, Arc::clone(&self.run.shared.store));
        let of = HandedIn { plan: head.plan.clone(), env: head.env.clone(), form: head.form.clone() };
        let mark = store.mark(&of.plan, &of.env).await?.and_then(|mark| mark.upto);
        let mut after = mark.filter(|_| !from_the_start).unwrap_or(Seq(0));
        loop {
            self.check_collecting()?;
            let page = store.handed_in(&of, after, PAGE).await?;
            let Some(last) = page.last() else { return Ok(so_far) };
            after = last.seq;
            so_far.set.upto = Some(after);
            so_far.set.seen = so_far.set.seen.take().max(self.day_of(last)?);
            so_far = self.take_page(so_far, page).await?;
        }
    }

    /// Takes records into the set.
    async fn take_page<'a>(&mut self, so_far: Collecting<'a>, page: Vec<Taken>) -> Result<Collecting<'a>, Failed> {
        let Collecting { mut set, mut carry, mut carried, floor } = so_far;
        let plan = Arc::clone(&self.run.plan);
        let mut taken = Vec::with_capacity(page.len());
        for record in page {
            let day = self.day_of(&record)?;
            if floor.since.as_ref().is_none_or(|since| day.as_ref().is_some_and(|day| day >= since)) {
                taken.push(record);
            }
        }
        set.pages += 1;
        let page = self.as_found(self.cut(taken), floor.scopes.first()).await?;
        let mut rows: BTreeMap<Fid, Found> = BTreeMap::new();
        for row in page.into_iter().filter(|row| condition::passes(&plan.source, &row.columns)) {
            carried.remove(&row.fid);
            rows.entry(row.fid.clone()).or_insert(row);
        }
        carry.shows = true;
        let changed = self.changed(carry, rows, &BTreeSet::new()).await?;
        set.take(&changed, |bill| self.may_call(bill));
        self.keep(changed.taken).await?;
        Ok(Collecting { set, carry: changed.carry, carried, floor })
    }

    /// Records of the ledger in the body they have now.
    pub(super) async fn read_handed_in(
        &mut self,
        wanted: &[Found],
        context: &RenderContext,
    ) -> Result<HashMap<Fid, Found>, Failed> {
        let mut read = HashMap::with_capacity(wanted.len());
        for chunk in wanted.chunks(PAGE) {
            let mut page = Vec::with_capacity(chunk.len());
            for found in chunk {
                page.extend(self.handed_in_as(&found.fid).await?);
            }
            let page = self.as_found(self.cut(page), Some(context)).await?;
            read.extend(page.into_iter().map(|found| (found.fid.clone(), found)));
        }
        Ok(read)
    }

    /// The newest body of a record.
    async fn handed_in_as(&self, fid: &Fid) -> Result<Option<Taken>, Failed> {
        let head = &self.run.head;
        let key = RecordKey { env: head.env.clone(), form: head.form.clone(), fid: fid.clone() };
        Ok(self.run.shared.store.handed_in_of(&head.plan, &key).await?)
    }

    /// When a record was handed in, as the environment's server writes dates.
    fn day_of(&self, taken: &Taken) -> Result<Option<ErpDate>, Failed> {
        match server_time(&self.run.env, taken.at) {
            Ok((local, _)) => Ok(Some(ErpDate::from_naive(local))),
            Err(refusal) => Err(Failed::Erp(refusal.reason().clone())),
        }
    }

    /// Records cut into the plan's columns.
    fn cut(&self, page: Vec<Taken>) -> Vec<JsonRecord> {
        let paths: Vec<&str> = self.run.plan.source.columns.iter().map(|column| column.path.as_str()).collect();
        let cut = |taken: Taken| {
            let record = &taken.record;
            let state = record.hash.get(..16).and_then(|digits| u64::from_str_radix(digits, 16).ok());
            JsonRecord { fid: record.key.fid.clone(), state, marked: None, rows: rows(&record.body, &paths) }
        };
        page.into_iter().map(cut).collect()
    }
}
