//! Collecting over a list of bill numbers: these bills alone are asked for, under the plan's own filter, and the numbers of
//! which none is found are looked for without it.
//!
//! Invariant: a number of the list is in the set, or is told as one that the form does not hold or that the filter leaves out.

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::sync::Arc;

use crate::ports::PageQuery;
use skydeck_core::domain::bill::Found;
use skydeck_core::domain::command::StartParams;
use skydeck_core::domain::ids::Fid;
use skydeck_core::domain::listed::{Listed, known_as};
use skydeck_core::domain::reason::Reason;
use skydeck_plan::condition;
use skydeck_plan::render::{self, RenderContext, RenderError};

use super::collect::Floor;
use super::dispatch::Dispatch;
use super::pages::{Failed, Pages};
use super::run_set::Set;
use super::runner::Runner;

/// Numbers one query asks for.
const CHUNK: usize = 100;

fn unasked(error: &RenderError) -> Failed {
    Failed::Erp(Reason::BadNumber { said: error.to_string(), zh: Some(error.in_chinese()) })
}

impl Runner {
    /// The bills of a list, and what the ledger has of them.
    pub(super) async fn query_list(&mut self, floor: &Floor, params: &StartParams) -> Result<(Set, bool), Failed> {
        let env = self.run.source().map_err(Failed::Erp)?;
        let mut set = Set::of(&env);
        let (mut carry, carried) = self.carry(params, floor.scope(&env), floor.until.is_some()).await?;
        let plan = Arc::clone(&self.run.plan);
        // Whatever the server makes of the filter: nobody asked for another bill.
        let asked: HashSet<String> = params.numbers.iter().map(|number| known_as(number)).collect();
        let mut rows: BTreeMap<Fid, Found> = BTreeMap::new();
        for chunk in params.numbers.chunks(CHUNK) {
            let filter = self.narrowed(chunk)?;
            let (read, pages) = self.all_of(&env, filter, floor.scopes.first()).await?;
            set.pages += pages;
            for row in read {
                let is_meant = asked.contains(&known_as(&row.no)) && floor.reaches(&row);
                if is_meant && condition::passes(&plan.source, &row.columns) {
                    rows.entry(row.fid.clone()).or_insert(row);
                }
            }
        }
        let mut from_ledger = BTreeSet::new();
        for (fid, row) in carried {
            rows.entry(fid).or_insert_with_key(|fid| {
                from_ledger.insert(fid.clone());
                row
            });
        }
        let found: HashSet<String> = rows.values().map(|row| known_as(&row.no)).collect();
        set.listed = Some(self.listed(&env, params, &found).await?);
        carry.shows = true;
        let changed = self.changed(carry, rows, &from_ledger).await?;
        set.take(&changed, |bill| self.may_call(bill));
        self.keep(changed.taken).await?;
        Ok((set, false))
    }

    /// The plan's filter for bills of these numbers alone. It goes into brackets, so that an `or` in it lets no other through.
    pub(super) fn narrowed(&self, numbers: &[String]) -> Result<String, Failed> {
        let wanted = render::by_number(&self.run.plan, numbers).map_err(|e| unasked(&e))?;
        let own = self.run.head.filter.trim();
        Ok(if own.is_empty() { wanted } else { format!("({own}) and {wanted}") })
    }

    /// Which numbers of a list nothing was found of, and which of these the form holds all the same.
    pub(super) async fn listed(
        &mut self,
        from: &Dispatch,
        params: &StartParams,
        found: &HashSet<String>,
    ) -> Result<Listed, Failed> {
        let missing: Vec<String> =
            params.numbers.iter().filter(|number| !found.contains(&known_as(number))).cloned().collect();
        let mut listed = Listed { asked: params.numbers.len() as u64, ..Listed::default() };
        for chunk in missing.chunks(CHUNK) {
            let filter = render::by_number(&self.run.plan, chunk).map_err(|e| unasked(&e))?;
            let (there, _) = self.all_of(from, filter, None).await?;
            let there: HashSet<String> = there.iter().map(|row| known_as(&row.no)).collect();
            for number in chunk {
                listed.misses(number, there.contains(&known_as(number)));
            }
        }
        Ok(listed)
    }

    /// Every bill that a filter finds, and how many pages were read; with what is to be made of it where `context` says how.
    async fn all_of(
        &mut self,
        from: &Dispatch,
        filter: String,
        context: Option<&RenderContext>,
    ) -> Result<(Vec<Found>, u32), Failed> {
        let (mut query, mut pages) = (PageQuery { filter, ..self.page_query() }, Pages::default());
        let (mut rows, mut read) = (Vec::new(), 0);
        loop {
            let page = self.fetch(from, &query).await?;
            let page = if context.is_some() { self.made_of(page, context).await? } else { page };
            read += 1;
            let Some(page) = pages.next(page, &mut query)? else { return Ok((rows, read)) };
            rows.extend(page);
        }
    }
}
