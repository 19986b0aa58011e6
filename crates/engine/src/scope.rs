//! Whether bills that a run takes up from the ledger are still among those that the plan's filter finds.
//!
//! Invariant: a bill that the query did not find is called only where the plan's own filter, without its mark, finds it.

use std::collections::BTreeSet;
use std::sync::Arc;

use crate::ports::PageQuery;
use skydeck_core::domain::bill::{Found, Outcome, Skip};
use skydeck_core::domain::ids::{Fid, RecordKey};
use skydeck_core::domain::operation::Seen;
use skydeck_core::domain::plan::Origin;
use skydeck_plan::condition;
use skydeck_plan::render::{self, RenderContext};

use super::bill_history::BillHistory;
use super::decide::{Case, Judgement, Moment, judge};
use super::dispatch::Dispatch;
use super::pages::Failed;
use super::pages::Pages;
use super::runner::Runner;

/// Numbers one query asks for.
const LOOKUP: usize = 100;

/// Where the plan's query is asked, and what its filter is rendered in.
pub(super) struct Scope {
    /// The environment that the plan queries.
    pub from: Arc<Dispatch>,
    /// One of them finds the bill: it is in the filter.
    pub contexts: Vec<RenderContext>,
}

/// The plan's filter without its mark: as it is now, and with periods that move with the clock left open. A bill that is
/// refused for longer than such a period is the plan's still.
pub(super) fn of(context: &RenderContext) -> Vec<RenderContext> {
    let whole = RenderContext { last_sync: None, open: false, ..context.clone() };
    vec![whole.clone(), RenderContext { open: true, ..whole }]
}

impl Runner {
    /// Marks the bills of the ledger that would be called and that the plan's filter leaves out. The second list has those of
    /// them of which the ledger tells just that, in the revision they have now.
    pub(super) async fn outside(
        &mut self,
        scope: &Scope,
        taken: Vec<Found>,
        from_ledger: &BTreeSet<Fid>,
    ) -> Result<(Vec<Found>, Vec<Found>), Failed> {
        // Nothing is asked of records that were handed in, and those of a list are asked for one by one: no filter leaves any out.
        if self.run.plan.source.origin != Origin::Query {
            return Ok((taken, Vec::new()));
        }
        let asked = |found: &Found| from_ledger.contains(&found.fid) && !found.absent && self.may_call(found);
        let mut missed: BTreeSet<String> = taken.iter().filter(|f| asked(f)).map(|f| f.no.clone()).collect();
        let of_ledger: BTreeSet<Fid> = taken.iter().filter(|f| asked(f)).map(|f| f.fid.clone()).collect();
        let mut filters: Vec<String> = Vec::new();
        for context in &scope.contexts {
            let numbers: Vec<String> = missed.iter().cloned().collect();
            for chunk in numbers.chunks(LOOKUP) {
                // A number that cannot stand in a filter cannot be asked for: its bill is taken as the ledger has it.
                let askable: Vec<String> =
                    chunk.iter().filter(|no| render::quote(no.trim()).is_ok()).cloned().collect();
                chunk.iter().filter(|no| !askable.contains(no)).for_each(|no| {
                    missed.remove(no);
                });
                let Ok(filter) = render::filter_with(&self.run.plan, context, &askable) else { continue };
                if askable.is_empty() || filters.contains(&filter) {
                    continue;
                }
                for number in self.numbers_in(&scope.from, filter.clone()).await? {
                    missed.remove(&number);
                }
                filters.push(filter);
            }
        }
        let (env, form, op) = (self.run.head.env.clone(), self.run.head.form.clone(), self.run.op.id.clone());
        let is_outside = move |found: &Found| of_ledger.contains(&found.fid) && missed.contains(&found.no);
        let (mut all, mut told) = (Vec::new(), Vec::new());
        for found in taken {
            if !is_outside(&found) {
                all.push(found);
                continue;
            }
            let key = RecordKey { env: env.clone(), form: form.clone(), fid: found.fid.clone() }.under(&op);
            let entry = self.run.shared.store.ledger_entry(&key).await?.filter(|entry| entry.row.rev == found.rev);
            match entry.as_ref().and_then(|entry| entry.row.state.outcome()) {
                Some(Outcome::Skipped(Skip::Outside)) => told.push(found),
                _ => all.push(Found { outside: true, ..found }),
            }
        }
        Ok((all, told))
    }

    /// Whether a bill would be called as it is, for all that the bill itself shows.
    pub(super) fn may_call(&self, found: &Found) -> bool {
        if self.run.op.steps.is_empty() {
            return false;
        }
        // What is to be made was looked for when it was rendered.
        if let Some(body) = found.body.as_ref().filter(|_| self.run.op.key.makes()) {
            return body.calls;
        }
        let untouched = BillHistory::default();
        let case = Case { approved: Some(&found.rev), ..self.run.case(Seen::One(found), &untouched, Moment::Before) };
        match judge(&case) {
            Judgement::Call(_) => true,
            Judgement::Done { .. }
            | Judgement::Already(..)
            | Judgement::Skip(_)
            | Judgement::Fail(_)
            | Judgement::Continue(..)
            | Judgement::Repeat
            | Judgement::Operator(_)
            | Judgement::Look => false,
        }
    }

    /// The numbers that a filter finds and the plan's conditions let pass.
    async fn numbers_in(&mut self, from: &Dispatch, filter: String) -> Result<BTreeSet<String>, Failed> {
        let plan = Arc::clone(&self.run.plan);
        let mut query = PageQuery { filter, ..self.page_query() };
        let (mut numbers, mut pages) = (BTreeSet::new(), Pages::default());
        while let Some(page) = pages.next(self.fetch(from, &query).await?, &mut query)? {
            let passes = page.into_iter().filter(|row| condition::passes(&plan.source, &row.columns));
            numbers.extend(passes.map(|row| row.no));
        }
        Ok(numbers)
    }
}
