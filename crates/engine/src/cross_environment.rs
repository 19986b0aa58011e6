//! Collecting for a plan that queries one environment and calls another: the source gives bill numbers, the target its own bills.
//!
//! Invariant: ids never cross; a number the target does not hold exactly once is named, and keeps the mark where it is.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use crate::ports::PageQuery;
use skydeck_core::domain::bill::Found;
use skydeck_core::domain::command::StartParams;
use skydeck_core::domain::ids::Fid;
use skydeck_core::domain::reason::Reason;
use skydeck_plan::problem::RenderFault;
use skydeck_plan::{condition, render};

use super::collect::{Floor, Set};
use super::control::MOST;
use super::dispatch::Dispatch;
use super::pages::Failed;
use super::pages::Pages;
use super::runner::Runner;

/// Numbers one lookup in the target asks for.
const LOOKUP: usize = 100;
/// Rows a page of a lookup: the most a Kingdee server gives.
const LOOKUP_ROWS: u32 = 2000;

impl Runner {
    /// The source's numbers, then the target's bills of these numbers and what the ledger carries over.
    pub(super) async fn query_across(
        &mut self,
        source: &Arc<Dispatch>,
        floor: &Floor,
        params: &StartParams,
    ) -> Result<(Set, bool), Failed> {
        let mut set = Set::default();
        let (mut carry, carried) = self.carry(floor, params, source).await?;
        let numbers = self.numbers(source, floor, params, &mut set).await?;
        let mut bills = self.counterparts(&numbers, &mut set).await?;
        carry.shows |= !bills.is_empty();
        let from_ledger: BTreeSet<Fid> = carried.keys().filter(|fid| !bills.contains_key(fid)).cloned().collect();
        for (fid, found) in carried {
            bills.entry(fid).or_insert(found);
        }
        if bills.is_empty() && set.absent > 0 {
            return Err(Failed::Erp(Reason::NoCounterpart {
                source: source.env.id.clone(),
                target: self.run.env.env.id.clone(),
                found: numbers.len() as u64,
                first: set.absent_first,
            }));
        }
        self.take_changed(carry, bills, &from_ledger, &mut set).await?;
        // What the target does not hold yet must be found again by the next run.
        let moves = floor.moves_mark && !set.cut && set.absent == 0;
        set.seen = set.seen.filter(|_| moves);
        Ok((set, floor.sweep && moves))
    }

    /// The numbers of the bills the plan's query finds in its source.
    async fn numbers(
        &mut self,
        source: &Arc<Dispatch>,
        floor: &Floor,
        params: &StartParams,
        set: &mut Set,
    ) -> Result<BTreeSet<String>, Failed> {
        let plan = Arc::clone(&self.run.plan);
        let mut query = self.page_query();
        let (mut numbers, mut read_rows, mut pages) = (BTreeSet::new(), 0_u64, Pages::default());
        loop {
            let page = self.fetch(source, &query).await?;
            set.pages += 1;
            let Some(page) = pages.next(page, &mut query)? else { break };
            for row in page {
                if plan.source.top_rows > 0 && read_rows >= plan.source.top_rows {
                    set.cut = true;
                    return Ok(numbers);
                }
                read_rows += 1;
                set.seen = set.seen.take().max(row.marked.clone());
                let asked = params.numbers.is_empty() || params.numbers.contains(&row.no);
                if asked && floor.reaches(&row) && condition::passes(&plan.source, &row.columns) {
                    numbers.insert(row.no);
                }
            }
            if numbers.len() > MOST {
                return Err(Failed::Erp(Reason::TooManyAcross { most: MOST as u64 }));
            }
        }
        Ok(numbers)
    }

    /// The target's bills of these numbers; what is not there exactly once is noted in the set.
    async fn counterparts(
        &mut self,
        numbers: &BTreeSet<String>,
        set: &mut Set,
    ) -> Result<BTreeMap<Fid, Found>, Failed> {
        let (target, plan) = (Arc::clone(&self.run.env), Arc::clone(&self.run.plan));
        let all: Vec<&String> = numbers.iter().collect();
        let mut bills = BTreeMap::new();
        for chunk in all.chunks(LOOKUP) {
            let mut held: BTreeMap<&str, Vec<Found>> = chunk.iter().map(|no| (no.as_str(), Vec::new())).collect();
            let quoted: Result<Vec<String>, _> =
                chunk.iter().map(|no| render::quote(no).map(|no| format!("'{no}'"))).collect();
            let quoted = quoted.map_err(|why: RenderFault| {
                Failed::Erp(Reason::BadNumber { said: why.to_string(), zh: Some(why.said(true)) })
            })?;
            let filter = format!("{} in ({})", plan.source.number_path, quoted.join(","));
            let mut query = PageQuery {
                form: plan.target.form.clone(),
                mark_column: None,
                filter,
                limit: LOOKUP_ROWS,
                ..self.page_query()
            };
            let mut pages = Pages::default();
            loop {
                let page = self.fetch(&target, &query).await?;
                set.pages += 1;
                let Some(page) = pages.next(page, &mut query)? else { break };
                for found in page {
                    if let Some(of) = held.get_mut(found.no.as_str())
                        && of.iter().all(|other| other.fid != found.fid)
                    {
                        of.push(found);
                    }
                }
            }
            for (no, mut of) in held {
                match (of.pop(), of.is_empty()) {
                    (Some(found), true) => {
                        bills.insert(found.fid.clone(), found);
                    }
                    _ => set.misses(no),
                }
            }
        }
        Ok(bills)
    }
}
