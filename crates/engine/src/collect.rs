//! Collecting: every page of the query (or the chosen ledger entries) is in the run before anything is written.
//!
//! Invariant: one row a FID; when any page fails nothing was written and the mark does not move.

use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use skydeck_core::domain::bill::{Found, Slot};
use skydeck_core::domain::command::StartParams;
use skydeck_core::domain::erp_clock::ErpClock;
use skydeck_core::domain::event::Event;
use skydeck_core::domain::ids::Fid;
use skydeck_core::domain::plan::{Origin, Plan};
use skydeck_core::domain::query::{Look, Preview};
use skydeck_core::domain::reason::Reason;
use skydeck_core::domain::run::{self, BillRow, Mark, RunEnd, RunHead, RunKind};
use skydeck_core::domain::time::{ErpDate, Ts};
use skydeck_plan::condition;
use skydeck_plan::render::RenderContext;

use super::control::Stop;
use super::dispatch::Dispatch;
use super::pages::{Failed, Pages};
use super::realigned::Realigned;
use super::run_set::Set;
use super::runner::Runner;
use super::scope::Scope;
use super::status_reads::READ_BATCH;

/// Bills in one `BillsFound`, at most.
const FOUND_GROUP: usize = 100;

/// Rows of a record that weigh as much as a record does.
const ROWS_GROUP: usize = 20;

/// Where the query begins to read, and whether this run reads everything (docs/design/reliability.md#the-mark).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Floor {
    /// LAST_SYNC_TIME; `None` reads without it.
    pub since: Option<ErpDate>,
    /// The mark was not used and nothing else cut the query.
    pub sweep: bool,
    /// The mark may move after this run: the query was the plan's own.
    pub moves_mark: bool,
    /// Bills after this date of the mark's column are left to another run.
    pub until: Option<ErpDate>,
    /// What the plan's filter is rendered in for the bills that the run takes up from the ledger.
    pub scopes: Vec<RenderContext>,
}

impl Floor {
    /// Where the plan's filter finds its bills, mark aside.
    pub(super) fn scope(&self, from: &Arc<Dispatch>) -> Scope {
        Scope { from: Arc::clone(from), contexts: self.scopes.clone() }
    }

    /// Whether a row of the query is in the range; one without a date is in none.
    pub fn reaches(&self, row: &Found) -> bool {
        self.until.as_ref().is_none_or(|until| row.marked.as_ref().is_some_and(|at| at <= until))
    }
}

/// Decides the floor of a run. `clock`: the ERP's, where it is known.
pub fn floor(
    plan: &Plan,
    mark: Option<&Mark>,
    params: &StartParams,
    now: Ts,
    clock: Option<&ErpClock>,
) -> Result<Floor, Reason> {
    // The compensation query reads a window of its own and proves nothing about the rest.
    let no_date = |text: &str| Reason::NoDate { given: text.to_owned() };
    let until = params.until.as_ref().map(|until| ErpDate::parse_end(until).ok_or_else(|| no_date(until)));
    let until = until.transpose()?;
    if until.is_some() && plan.source.mark_column.is_none() {
        return Err(Reason::NothingToEndBy { plan: plan.id.clone() });
    }
    let whole = params.numbers.is_empty() && !params.remedy && until.is_none();
    if let Some(since) = &params.since {
        let since = ErpDate::parse(since).ok_or_else(|| no_date(since))?;
        if until.as_ref().is_some_and(|until| *until < since) {
            return Err(Reason::RangeEndsFirst {});
        }
        return Ok(Floor { since: Some(since), sweep: false, moves_mark: false, until, scopes: Vec::new() });
    }
    // Who names bills means them however old they are.
    if !params.numbers.is_empty() && !params.remedy {
        return Ok(Floor { since: None, sweep: false, moves_mark: false, until, scopes: Vec::new() });
    }
    let hours = Duration::from_secs(u64::from(plan.policy.sweep_hours) * 3600);
    let due = mark.and_then(|m| m.swept).is_none_or(|swept| swept > now || now.since(swept) >= hours);
    match mark {
        Some(mark) if !due && !params.sweep => Ok(Floor {
            since: Some(run::begin(mark, clock, plan.policy.overlap)),
            sweep: false,
            moves_mark: whole,
            until,
            scopes: Vec::new(),
        }),
        _ => Ok(Floor { since: None, sweep: whole, moves_mark: whole, until, scopes: Vec::new() }),
    }
}

/// What is collected.
pub enum What {
    /// The plan's own query; of another environment, where the plan's source is not its target.
    Query(Box<Floor>, StartParams, Option<Arc<Dispatch>>),
    /// Ledger entries.
    Entries(Vec<BillRow>),
}

/// What came of freezing.
enum Frozen {
    /// A set that waits for its approval, or whose bills are read back.
    Set,
    /// There is nothing to do; the facts that are stored with the end.
    Nothing(Vec<Event>),
    /// Its records are kept, and that is all the plan is for.
    Kept(Vec<Event>),
}

impl Runner {
    /// Collects; ends in `AwaitingApproval`, or closed when there is nothing or a page failed. A verify run goes straight on.
    pub async fn collect(mut self, what: What) {
        if self.run.knock {
            self.run.env.knock().await;
            if let What::Query(_, _, Some(source)) = &what {
                source.knock().await;
            }
        }
        let frozen = match self.gather(what).await {
            Ok((set, sweep)) => match self.compare_clocks(set.clock(&self.run.head), sweep).await {
                Ok(()) => self.freeze(set, sweep).await,
                Err(stop) => Err(Failed::Stop(stop)),
            },
            Err(failed) => Err(failed),
        };
        let run = self.run.head.id;
        let stored = match frozen {
            Ok(Frozen::Set) if self.run.head.kind == RunKind::Verify => return self.work().await,
            Ok(Frozen::Set) => Ok(()),
            Ok(Frozen::Kept(told)) => self.run.shared.close_run(run, told, RunEnd::Collected).await,
            Ok(Frozen::Nothing(told)) => self.run.shared.close_run(run, told, RunEnd::Empty).await,
            // What another server says of these bills is no answer of ours.
            Err(Failed::Erp(why)) => self.abandon(RunEnd::CollectFailed(self.run.env.astray().unwrap_or(why))).await,
            Err(Failed::Stop(Stop::Cancel)) => self.cancelled().await,
            // Nothing was approved: there is nothing to go on with, and room is kept for an end.
            Err(Failed::Stop(Stop::Store(error))) => self.abandon(RunEnd::CollectFailed(error.reason())).await,
            Err(Failed::Stop(Stop::Pause(..) | Stop::Drain)) => {
                self.abandon(RunEnd::CollectFailed(Reason::Interrupted {})).await
            }
        };
        if let Err(error) = stored {
            self.run.shared.ledger.show_unstored(run, &error);
        }
    }

    /// Reads and judges what [`Self::collect`] would freeze, without a trace.
    pub async fn look(mut self, what: What) -> Look {
        self.looks = true;
        match self.gather(what).await {
            Ok((mut set, sweep)) => {
                let (found, samples) = (set.found, set.samples());
                let RunHead { plan, env, filter, .. } = self.run.head.clone();
                Look::Found(Box::new(Preview {
                    plan,
                    env,
                    filter,
                    found,
                    collected: set.frozen(&self.run.head, sweep),
                    samples,
                }))
            }
            Err(Failed::Erp(why)) => Look::Failed(self.run.env.astray().unwrap_or(why)),
            Err(Failed::Stop(Stop::Store(error))) => Look::Refused(error.into()),
            Err(Failed::Stop(Stop::Pause(..) | Stop::Cancel | Stop::Drain)) => Look::Failed(Reason::Interrupted {}),
        }
    }

    /// Reads every page; gives the set, and whether it was a sweep.
    async fn gather(&mut self, what: What) -> Result<(Set, bool), Failed> {
        self.look_up().await?;
        self.prove_looks().await?;
        let (mut set, sweep) = match what {
            What::Query(floor, params, _) if self.run.plan.source.origin == Origin::HandedIn => {
                self.query_handed_in(&floor, &params).await
            }
            What::Query(floor, params, _) if self.run.plan.source.origin.feed().is_some() => {
                self.query_listed(&floor, &params).await
            }
            What::Query(floor, params, None) if !params.numbers.is_empty() => self.query_list(&floor, &params).await,
            What::Query(floor, params, None) => self.query(&floor, &params).await,
            What::Query(floor, params, Some(source)) if self.run.op.key.makes() => {
                if let Some(why) = source.astray() {
                    return Err(Failed::Erp(why));
                }
                if params.numbers.is_empty() {
                    self.query(&floor, &params).await
                } else {
                    self.query_list(&floor, &params).await
                }
            }
            What::Query(floor, params, Some(source)) => self.query_across(&source, &floor, &params).await,
            What::Entries(rows) => self.entries(rows).await,
        }?;
        set.leaves_uncompared(self.run.looking().not_compared());
        Ok((set, sweep))
    }

    async fn query(&mut self, floor: &Floor, params: &StartParams) -> Result<(Set, bool), Failed> {
        let env = self.run.source().map_err(Failed::Erp)?;
        let mut set = Set::of(&env);
        let (mut carry, mut carried) = self.carry(params, floor.scope(&env), floor.until.is_some()).await?;
        let plan = Arc::clone(&self.run.plan);
        let source = &plan.source;
        let (mut query, mut pages) = (self.page_query(), Pages::default());
        let mut read_rows = 0_u64;
        loop {
            let page = self.fetch(&env, &query).await?;
            let page = self.made_of(page, floor.scopes.first()).await?;
            set.pages += 1;
            let Some(page) = pages.next(page, &mut query)? else { break };
            let mut rows: BTreeMap<Fid, Found> = BTreeMap::new();
            for row in page {
                if source.top_rows > 0 && read_rows >= source.top_rows {
                    set.cut = true;
                    break;
                }
                read_rows += 1;
                set.seen = set.seen.max(row.marked.clone());
                if floor.reaches(&row) && condition::passes(source, &row.columns) {
                    rows.entry(row.fid.clone()).or_insert(row);
                }
            }
            let mut from_ledger = BTreeSet::new();
            for (fid, row) in pages.take_passed(&mut carried) {
                if let Entry::Vacant(place) = rows.entry(fid) {
                    from_ledger.insert(place.key().clone());
                    place.insert(row);
                }
            }
            carry.shows = true;
            let changed = self.changed(carry, rows, &from_ledger).await?;
            set.take(&changed, |bill| self.may_call(bill));
            self.keep(changed.taken).await?;
            carry = changed.carry;
            if set.cut {
                break;
            }
        }
        let from_ledger = carried.keys().cloned().collect();
        let changed = self.changed(carry, carried, &from_ledger).await?;
        set.take(&changed, |bill| self.may_call(bill));
        self.keep(changed.taken).await?;
        let moves = floor.moves_mark && !set.cut;
        set.seen = set.seen.filter(|_| moves);
        Ok((set, floor.sweep && moves))
    }

    async fn entries(&mut self, rows: Vec<BillRow>) -> Result<(Set, bool), Failed> {
        let unknown = rows.iter().filter(|row| row.state.slot() == Slot::Unknown).count() as u64;
        let mut set = Set::of_entries(unknown);
        // All are read before any is stored: when the server cannot be reached, the ledger stays as it was.
        let (mut read, gone) = self.read_rows(rows).await?;
        if read.len() > gone.len() {
            read.values_mut().filter(|found| gone.contains(&found.fid)).for_each(|found| found.absent = true);
        }
        set.carried = read.len() as u64;
        let mut taken: Vec<Found> = read.into_values().collect();
        if self.run.head.kind == RunKind::Retry {
            self.foretell(&mut taken).await?;
        }
        set.count(&taken, |bill| self.may_call(bill));
        self.keep(taken).await?;
        Ok((set, false))
    }

    /// Ledger rows with the status they have now; one that is not there keeps what was known of it, and is named.
    pub(super) async fn read_rows(
        &mut self,
        rows: Vec<BillRow>,
    ) -> Result<(BTreeMap<Fid, Found>, BTreeSet<Fid>), Failed> {
        let (mut all, mut gone) = (BTreeMap::new(), BTreeSet::new());
        if let Some(make) = self.run.plan.target.make.clone() {
            let read = self.read_made(&make, &rows).await?;
            gone.extend(read.iter().filter(|found| found.absent).map(|found| found.fid.clone()));
            all.extend(read.into_iter().map(|found| (found.fid.clone(), Found { absent: false, ..found })));
            return Ok((all, gone));
        }
        let run = Arc::clone(&self.run);
        let mut realigned = Realigned::new(run.shared.store.as_ref(), &run.head);
        for chunk in rows.chunks(READ_BATCH) {
            let fids: Vec<Fid> = chunk.iter().map(|r| r.fid().clone()).collect();
            let mut n = 0;
            let mut seen = loop {
                match self.run.read(&fids).await {
                    Ok(seen) => break seen,
                    Err(fault) => self.again(&fault, n, all.is_empty()).await?,
                }
                n += 1;
            };
            for row in chunk {
                let fid = row.fid().clone();
                let mut found = seen.remove(&fid).unwrap_or_else(|| {
                    gone.insert(fid.clone());
                    Found {
                        probe: None,
                        absent: false,
                        outside: false,
                        will: None,
                        body: None,
                        looked: None,
                        lines: Vec::new(),
                        fid: fid.clone(),
                        no: row.no.clone(),
                        rev: row.rev.clone(),
                        approver: None,
                        approved: None,
                        marked: None,
                        columns: Vec::new(),
                        fields: Vec::new(),
                    }
                });
                found.columns = realigned.values(row.run, &row.columns).await?;
                found.marked = None;
                if found.no.is_empty() {
                    found.no.clone_from(&row.no);
                }
                all.insert(fid, found);
            }
        }
        Ok((all, gone))
    }

    /// Makes bills of the set durable, unless the run only looks.
    pub(super) async fn keep(&self, bills: Vec<Found>) -> Result<(), Failed> {
        if self.looks {
            return Ok(());
        }
        let run = self.run.head.id;
        // Facts of records with many rows are as large as those of many records.
        let weight = |bill: &Found| 1 + bill.lines.len() / ROWS_GROUP;
        let (mut events, mut group, mut heavy) = (Vec::new(), Vec::new(), 0);
        for bill in bills {
            heavy += weight(&bill);
            if !group.is_empty() && heavy > FOUND_GROUP {
                heavy = weight(&bill);
                events.push(Event::BillsFound { run, bills: std::mem::take(&mut group) });
            }
            group.push(bill);
        }
        if !group.is_empty() {
            events.push(Event::BillsFound { run, bills: group });
        }
        Ok(self.run.append(events).await?)
    }

    /// Freezes the set, where there is anything in it.
    async fn freeze(&mut self, set: Set, sweep: bool) -> Result<Frozen, Failed> {
        self.check_collecting()?;
        self.run.shared.learn_centre(&self.run.env).await?;
        let run = self.run.head.id;
        if self.run.plan.target.collects {
            // An empty read tells, too, what is there: nothing is left of what an earlier one kept.
            let collected = set.frozen(&self.run.head, sweep);
            let mark = self.run.shared.mark_after(&self.run.head, &collected).await?;
            return Ok(Frozen::Kept([Event::RunCollected { run, collected }].into_iter().chain(mark).collect()));
        }
        if set.found == 0 && set.left == 0 && set.listed.is_none() {
            return Ok(Frozen::Nothing(Vec::new()));
        }
        if set.found == 0 {
            let collected = set.frozen(&self.run.head, sweep);
            // Every bill that was read is in the ledger, or was closed by a person: the sweep counts, though nobody approves.
            let mark = if sweep { self.run.shared.mark_after(&self.run.head, &collected).await? } else { None };
            let told = [Event::RunCollected { run, collected }].into_iter().chain(mark).collect();
            return Ok(Frozen::Nothing(told));
        }
        let mut events = vec![Event::RunCollected { run, collected: set.frozen(&self.run.head, sweep) }];
        if self.run.head.kind == RunKind::Verify {
            events.push(Event::RunSettling { run });
        }
        self.run.append(events).await?;
        Ok(Frozen::Set)
    }
}

#[cfg(test)]
mod tests;
