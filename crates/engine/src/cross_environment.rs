//! Collecting for a plan that queries one environment and calls another: the source gives bill numbers, the target its own bills.
//!
//! Invariant: ids never cross; a number the target does not hold exactly once is named, and keeps the mark where it is.

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::sync::Arc;

use crate::ports::PageQuery;
use skydeck_core::domain::bill::Found;
use skydeck_core::domain::command::StartParams;
use skydeck_core::domain::ids::Fid;
use skydeck_core::domain::listed::known_as;
use skydeck_core::domain::reason::Reason;
use skydeck_core::domain::time::ErpDate;
use skydeck_plan::problem::RenderFault;
use skydeck_plan::{condition, render};

use super::collect::Floor;
use super::control::MOST;
use super::dispatch::Dispatch;
use super::pages::Failed;
use super::pages::Pages;
use super::run_set::Set;
use super::runner::Runner;

/// Numbers one lookup in the target asks for.
const LOOKUP: usize = 100;
/// Rows a page of a lookup: the most a Kingdee server gives.
const LOOKUP_ROWS: u32 = 2000;

/// What the source gave.
#[derive(Default)]
struct Numbers {
    all: BTreeSet<String>,
    pages: u32,
    /// The newest date of the mark's column.
    seen: Option<ErpDate>,
    /// The plan's own limit of rows ended the query.
    cut: bool,
}

/// What the target holds of some numbers.
#[derive(Default)]
struct Counterparts {
    bills: BTreeMap<Fid, Found>,
    /// Numbers that it does not hold exactly once.
    misses: Vec<String>,
    pages: u32,
}

impl Runner {
    /// The source's numbers, then the target's bills of these numbers and what the ledger carries over.
    pub(super) async fn query_across(
        &mut self,
        source: &Arc<Dispatch>,
        floor: &Floor,
        params: &StartParams,
    ) -> Result<(Set, bool), Failed> {
        let mut set = Set::of(source);
        let (mut carry, carried) = self.carry(params, floor.scope(source), floor.until.is_some()).await?;
        let Numbers { all: numbers, pages, seen, cut } = self.numbers(source, floor, params).await?;
        if !params.numbers.is_empty() {
            let found = numbers.iter().map(|no| known_as(no)).collect();
            set.listed = Some(self.listed(source, params, &found).await?);
        }
        let held = self.counterparts(&numbers).await?;
        (set.pages, set.seen, set.cut) = (pages + held.pages, seen, cut);
        held.misses.iter().for_each(|no| set.misses(no));
        let mut bills = held.bills;
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
        let changed = self.changed(carry, bills, &from_ledger).await?;
        set.take(&changed, |bill| self.may_call(bill));
        self.keep(changed.taken).await?;
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
    ) -> Result<Numbers, Failed> {
        let plan = Arc::clone(&self.run.plan);
        let filters = match params.numbers.as_slice() {
            [] => vec![self.run.head.filter.clone()],
            listed => listed.chunks(LOOKUP).map(|chunk| self.narrowed(chunk)).collect::<Result<_, _>>()?,
        };
        let listed: HashSet<String> = params.numbers.iter().map(|number| known_as(number)).collect();
        let (mut found, mut read_rows) = (Numbers::default(), 0_u64);
        for filter in filters {
            let (mut query, mut pages) = (PageQuery { filter, ..self.page_query() }, Pages::default());
            loop {
                let page = self.fetch(source, &query).await?;
                found.pages += 1;
                let Some(page) = pages.next(page, &mut query)? else { break };
                for row in page {
                    if plan.source.top_rows > 0 && read_rows >= plan.source.top_rows {
                        found.cut = true;
                        return Ok(found);
                    }
                    read_rows += 1;
                    found.seen = found.seen.take().max(row.marked.clone());
                    let is_meant = listed.is_empty() || listed.contains(&known_as(&row.no));
                    if is_meant && floor.reaches(&row) && condition::passes(&plan.source, &row.columns) {
                        found.all.insert(row.no);
                    }
                }
                if found.all.len() > MOST {
                    return Err(Failed::Erp(Reason::TooManyAcross { most: MOST as u64 }));
                }
            }
        }
        Ok(found)
    }

    /// The target's bills of these numbers.
    async fn counterparts(&mut self, numbers: &BTreeSet<String>) -> Result<Counterparts, Failed> {
        let (target, plan) = (Arc::clone(&self.run.env), Arc::clone(&self.run.plan));
        let all: Vec<&String> = numbers.iter().collect();
        let mut counterparts = Counterparts::default();
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
                counterparts.pages += 1;
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
                        counterparts.bills.insert(found.fid.clone(), found);
                    }
                    _ => counterparts.misses.push(no.to_owned()),
                }
            }
        }
        Ok(counterparts)
    }
}
