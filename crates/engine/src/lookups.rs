//! What the look-ups of a plan find: the records that other plans collected, as the store keeps them.
//!
//! Invariant: a look-up rests on a full read and all that was read since, or nothing is made: a record that is not there was
//! not found by the other plan's query.

use std::collections::HashSet;
use std::sync::Arc;

use skydeck_core::domain::command::Refusal;
use skydeck_core::domain::filter::Filter;
use skydeck_core::domain::ids::{Fid, PlanId};
use skydeck_core::domain::plan::Plan;
use skydeck_core::domain::query::{PageRequest, Scope};
use skydeck_core::domain::reason::Reason;
use skydeck_core::domain::run::{RunKind, RunRow};
use skydeck_plan::make::{Lookups, Record, looks_in, unresolved};
use skydeck_store::{Store, StoreError};

use super::control::Shared;
use super::pages::Failed;
use super::runner::Runner;

/// Records of one plan that are looked in, at most.
const MOST: usize = 100_000;
/// Runs of one plan that are read, at most.
const RUNS: usize = 1_000;
/// Records read at a time.
const PAGE: u32 = 500;

impl Shared {
    /// Refuses a plan whose look-ups cannot be made, before anything is read for it.
    pub(super) async fn resolves(&self, plan: &Plan) -> Result<(), Refusal> {
        let looks = looks_in(plan);
        if looks.is_empty() {
            return Ok(());
        }
        let known = self.plans();
        let others: Vec<(PlanId, Option<&Plan>)> = known
            .iter()
            .map(|(entry, _)| match entry {
                Ok(plan) => (plan.id.clone(), Some(plan.as_ref())),
                Err(problem) => (problem.id.clone(), None),
            })
            .collect();
        if let Some(why) = unresolved(plan, &others) {
            return Err(Refusal::BadPlan(why));
        }
        for other in looks {
            if whole(self.store.as_ref(), &other).await?.is_none() {
                return Err(Refusal::WrongState(Reason::LookupNotRead { plan: plan.id.clone(), other }));
            }
        }
        Ok(())
    }
}

/// The runs that together have all records of a plan that only collects: the last full read and those after it, newest first.
async fn whole(store: &dyn Store, plan: &PlanId) -> Result<Option<Vec<RunRow>>, StoreError> {
    let (mut runs, mut page): (Vec<RunRow>, _) = (Vec::new(), PageRequest::first(50));
    loop {
        let got = store.runs(Some(plan), &page).await?;
        let last = got.rows.last().map(|(cursor, _)| cursor.clone());
        for (_, row) in got.rows {
            let Some(collected) = row.collected.as_ref().filter(|_| row.head.op.collects()) else { continue };
            let is_other = runs.first().is_some_and(|newest: &RunRow| newest.head.env != row.head.env);
            if row.head.kind != RunKind::Fresh || is_other {
                continue;
            }
            // Of what is no longer kept nothing can be told.
            if row.pruned > 0 || runs.len() >= RUNS {
                return Ok(None);
            }
            let is_full = collected.sweep;
            runs.push(row);
            if is_full {
                return Ok(Some(runs));
            }
        }
        match (got.stopped_at.or(last), got.more) {
            (Some(cursor), true) => page = PageRequest { cursor: Some(cursor), ..page },
            _ => return Ok(None),
        }
    }
}

impl Runner {
    /// Reads what the look-ups of the plan find, once: every record of the set is made of the same rows.
    pub(super) async fn look_up(&mut self) -> Result<(), Failed> {
        let plan = Arc::clone(&self.run.plan);
        let Some(make) = plan.target.make.as_deref() else { return Ok(()) };
        let mut lookups = Lookups::of(make, &plan.source);
        for (other, columns) in lookups.plans().clone() {
            match self.records_of(&other, &columns).await {
                Ok(records) => lookups.fill(&other, &records),
                // What was sent is kept: it is read back whatever other plans have.
                Err(Failed::Erp(_)) if self.run.head.kind == RunKind::Verify => {}
                Err(failed) => return Err(failed),
            }
        }
        self.lookups = Arc::new(lookups);
        Ok(())
    }

    /// The records of a plan that only collects, each with these columns of all its rows.
    async fn records_of(&self, other: &PlanId, columns: &[String]) -> Result<Vec<Record>, Failed> {
        let store = Arc::clone(&self.run.shared.store);
        let plan = self.run.plan.id.clone();
        let Some(runs) = whole(store.as_ref(), other).await? else {
            return Err(Failed::Erp(Reason::LookupNotRead { plan, other: other.clone() }));
        };
        let (filter, now) = (Filter::default(), self.run.shared.clock.now());
        let (mut seen, mut records): (HashSet<Fid>, Vec<Record>) = (HashSet::new(), Vec::new());
        for run in runs {
            let mut places = Vec::with_capacity(columns.len());
            for column in columns {
                let is = |name: &String| name == column || *name == column.replace('.', "_");
                let Some(at) = run.head.columns.iter().position(is) else {
                    let (other, column) = (other.clone(), column.clone());
                    return Err(Failed::Erp(Reason::LookupColumn { plan, other, column }));
                };
                places.push(at);
            }
            let mut page = PageRequest::first(PAGE);
            loop {
                self.check_collecting()?;
                let got = store.bills(Scope::Run(run.head.id).asked(&filter, &page, now)).await?;
                let last = got.rows.last().map(|(cursor, _)| cursor.clone());
                for (_, row) in got.rows {
                    // A later run has read it anew.
                    if !seen.insert(row.fid().clone()) {
                        continue;
                    }
                    let lines = store.lines(run.head.id, row.fid()).await?;
                    let lines = if lines.is_empty() { vec![row.columns] } else { lines };
                    let cell = |line: &Vec<String>, at: usize| line.get(at).cloned().unwrap_or_default();
                    let of = |line: &Vec<String>| places.iter().map(|at| cell(line, *at)).collect();
                    records.push(lines.iter().map(of).collect());
                }
                if records.len() > MOST {
                    let (other, most) = (other.clone(), MOST as u64);
                    return Err(Failed::Erp(Reason::LookupTooMany { plan, other, most }));
                }
                match (got.stopped_at.or(last), got.more) {
                    (Some(cursor), true) => page = PageRequest { cursor: Some(cursor), ..page },
                    _ => break,
                }
            }
        }
        Ok(records)
    }
}
