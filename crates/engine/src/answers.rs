//! Answers to questions: from the store's indexes, the plans as last read, and the environments as they stand.
//!
//! Invariant: asking changes nothing and never waits for the writer.

use std::sync::Arc;
use std::time::Duration;

use skydeck_core::domain::bill::Rendered;
use skydeck_core::domain::bounds;
use skydeck_core::domain::event::{ActionEntry, Event, Fact};
use skydeck_core::domain::filter::Filter;
use skydeck_core::domain::ids::{EnvId, PlanId, RunId, Seq, WorkKey};
use skydeck_core::domain::plan::Plan;
use skydeck_core::domain::query::{
    Answer, BODIES, BODY_SHOWN, Cursor, EnvRow, MOST_NUMBERS, Page, PageRequest, PlanRow, Query, Sample, Scope,
};
use skydeck_core::domain::reason::Reason;
use skydeck_core::domain::run::{RunHead, RunRow, StoppedRun};
use skydeck_core::domain::step::Blob;
use skydeck_core::domain::story::RunOfBill;
use skydeck_core::domain::time::Ts;
use skydeck_store::{Store, StoreError};

use super::control::{PlanEntry, Shared};
use super::today::{Known, in_force, next_run, today};
use super::watched::Watched;
use super::{forecasts, revision, select, unstored};

/// Runs shown with a plan (`PlanRow::last`).
const LAST_RUNS: u32 = 12;
/// How long a run that ended by itself is told where its plan or environment is there no more.
const GONE: Duration = Duration::from_secs(7 * 24 * 60 * 60);
/// Rows that are looked through for one whole number: longer numbers that begin with it come after it.
const OF_ONE_NUMBER: usize = 8;
/// Facts of one bill told at once (`Answer::Bill`).
const BILL_FACTS: usize = 500;
/// Runs told with a bill.
const RUNS_OF_BILL: usize = 8;
/// Facts after the one that found a bill among which the approval of its run is looked for.
const NEAR: usize = 256;

/// Answers one question.
pub async fn answer(shared: &Arc<Shared>, query: Query) -> Result<Answer, StoreError> {
    Ok(unstored::as_they_stand(shared, from_store(shared, query).await?))
}

/// What is asked of the engine itself.
async fn beside_store(shared: &Arc<Shared>, query: &Query) -> Result<Option<Answer>, StoreError> {
    if *query == Query::LogFaults {
        return Ok(Some(Answer::LogFaults(shared.actions.faults())));
    }
    if *query == Query::Environments {
        if shared.store.hosts().is_some() {
            // Other machines note on which server records are, too.
            shared.remember_servers().await?;
        }
        let mut rows = Vec::with_capacity(shared.envs.len());
        for d in &shared.envs {
            let twin = || d.twin().map(|other| Reason::SameServer { env: d.env.id.clone(), other });
            let (unlocked_until, unlocked_by) = d.unlocked().unzip();
            let held = shared.log_disagrees().or(shared.held(d).await?).or_else(twin);
            rows.push(EnvRow { env: d.env.clone(), unlocked_until, unlocked_by, home: d.home(), held });
        }
        return Ok(Some(Answer::Environments(rows)));
    }
    if *query == Query::Machines {
        return Ok(Some(Answer::Machines(shared.machines().await?)));
    }
    Ok(None)
}

async fn from_store(shared: &Arc<Shared>, query: Query) -> Result<Answer, StoreError> {
    if let Some(answer) = beside_store(shared, &query).await? {
        return Ok(answer);
    }
    let (plans, now) = (shared.plans(), shared.clock.now());
    let envs: Vec<(EnvId, bool)> = shared.envs.iter().map(|d| (d.env.id.clone(), d.env.production)).collect();
    let store = shared.store.as_ref();
    match query {
        Query::Plans => {
            let mut rows = Vec::with_capacity(plans.len());
            for entry in plans.iter() {
                rows.push(plan_row((store, &shared.watched), entry, &envs, now).await?);
            }
            Ok(Answer::Plans(rows))
        }
        Query::Runs(page) => Ok(Answer::Runs(store.runs(None, &page).await?)),
        Query::RunLines { asked, page } => Ok(Answer::RunLines(store.run_lines(&asked, &page, now).await?)),
        Query::Stopped => Ok(Answer::Stopped(still_stopped(store.stopped_runs().await?, &plans, &envs, now))),
        Query::Run(id) => Ok(Answer::Run(labelled(store, id).await?)),
        Query::Bills { scope, filter, page } => Ok(Answer::Bills(store.bills(scope.asked(&filter, &page, now)).await?)),
        Query::Sorted { scope, filter, sort, page } => {
            Ok(Answer::Bills(skydeck_store::sorted::page(store, scope.asked(&filter, &page, now), &sort).await?))
        }
        Query::Today(span) => {
            let stopped = still_stopped(store.stopped_runs().await?, &plans, &envs, now);
            let watched = &shared.watched;
            let known = Known { plans: &plans, envs: &envs, stopped, watched, awake: shared.awake, now };
            Ok(Answer::Today(Box::new(today(store, known, span).await?)))
        }
        Query::Forecast(plan) => {
            let said = forecasts::answer(shared, &plans, &envs, plan.as_ref()).await?;
            Ok(Answer::Forecast(Box::new(said)))
        }
        Query::LedgerGroups { plan } => Ok(Answer::LedgerGroups(store.ledger_groups(plan.as_ref()).await?)),
        Query::LedgerCounts { selection, after } => {
            Ok(Answer::LedgerCounts(select::count(store, &selection, after, now).await?))
        }
        Query::FilterValues { column } => Ok(Answer::FilterValues(store.filter_values(column.as_deref()).await?)),
        Query::Bill(key) => bill(store, &key).await,
        Query::Bodies(run) => Ok(Answer::Bodies(bodies(store, run, now).await?)),
        Query::FindBill { number, limit } => {
            let rows = store.find_number(&number, limit as usize).await?;
            let scanned = rows.len() as u64;
            let rows = rows.into_iter().enumerate().map(|(i, row)| (Cursor(format!("{i:08x}")), row)).collect();
            Ok(Answer::Bills(Page { rows, scanned, ..Page::default() }))
        }
        Query::FindBills(numbers) => find_bills(store, numbers).await,
        Query::Actions(page) => Ok(Answer::Actions(actions(store, &page).await?)),
        Query::Revisions(selection) => {
            let selected = select::select(store, &selection, false, now).await?;
            Ok(Answer::Revisions(revision::choices(store, &plans, &selected.rows).await?))
        }
        // Answered before: these are not in the store.
        Query::Environments | Query::Machines | Query::LogFaults | Query::Preview { .. } | Query::Reach(_) => {
            Ok(Answer::Environments(Vec::new()))
        }
    }
}

/// What is to be made of the first bills of a run.
async fn bodies(store: &dyn Store, run: RunId, now: Ts) -> Result<Vec<Sample>, StoreError> {
    let page = store.bills(Scope::Run(run).asked(&Filter::default(), &PageRequest::first(BODIES), now)).await?;
    let mut samples = Vec::with_capacity(page.rows.len());
    for (_, row) in page.rows {
        let found = store.found(run, row.fid()).await?;
        let Some(made) = found.and_then(|found| found.body) else { continue };
        let body = store.body(run, row.fid()).await?;
        let body = body.map(|body| bounds::cut(&body, BODY_SHOWN).unwrap_or(body));
        samples.push(Sample { no: row.no, made: Rendered { body, ..*made } });
    }
    Ok(samples)
}

/// One bill's whole life.
async fn bill(store: &dyn Store, key: &WorkKey) -> Result<Answer, StoreError> {
    let row = store.bill(key).await?.map(Box::new);
    let (mut facts, cut) = store.facts_of(key, BILL_FACTS).await?;
    lighten(&mut facts);
    let runs = runs_of(store, &facts).await?;
    Ok(Answer::Bill { row, facts, cut, runs })
}

/// The newest runs that facts are of, and who approved each: that is told soon after the run found its bills.
async fn runs_of(store: &dyn Store, facts: &[Fact]) -> Result<Vec<RunOfBill>, StoreError> {
    let mut ids: Vec<RunId> = facts.iter().filter_map(|fact| fact.event.run()).collect();
    ids.sort_unstable();
    ids.dedup();
    let mut runs = Vec::new();
    for id in ids.into_iter().rev().take(RUNS_OF_BILL) {
        let Some(row) = store.run(id).await? else { continue };
        let found = facts.iter().find(|fact| fact.event.run() == Some(id)).map(|fact| fact.seq);
        let near = store.facts_after(found.unwrap_or_default(), NEAR).await?;
        let approved = near.into_iter().find_map(|fact| match fact.event {
            Event::RunApproved { run, by, .. } if run == id => Some((by, fact.at)),
            _ => None,
        });
        runs.push(RunOfBill { row, approved });
    }
    Ok(runs)
}

/// Bills by their whole numbers: one of each record and operation that bears it.
async fn find_bills(store: &dyn Store, mut numbers: Vec<String>) -> Result<Answer, StoreError> {
    numbers.truncate(MOST_NUMBERS);
    let (mut rows, mut missing) = (Vec::new(), Vec::new());
    for number in numbers {
        let mut found = store.find_number(&number, OF_ONE_NUMBER).await?;
        let whole = number.to_lowercase();
        let is_it = |no: &str| no.to_lowercase() == whole;
        found.retain(|row| is_it(&row.no) || row.made_no().is_some_and(is_it));
        if found.is_empty() {
            missing.push(number);
        }
        rows.append(&mut found);
    }
    Ok(Answer::Found { rows, missing })
}

/// Runs that ended by themselves and that somebody can still mend. One of a plan or environment that is there no more is
/// told for [`GONE`] after its end: then it stands in the history alone.
fn still_stopped(runs: Vec<StoppedRun>, plans: &[PlanEntry], envs: &[(EnvId, bool)], now: Ts) -> Vec<StoppedRun> {
    let is_known = |head: &RunHead| {
        let plan = plans.iter().any(|(plan, _)| match plan {
            Ok(plan) => plan.id == head.plan,
            Err(problem) => problem.id == head.plan,
        });
        plan && envs.iter().any(|(env, _)| *env == head.env)
    };
    // Where no plan can be read, none is known to be gone.
    let can_tell = plans.iter().any(|(plan, _)| plan.is_ok());
    let told = runs.into_iter().map(|run| {
        let end = run.row.closed.unwrap_or(run.row.head.opened);
        let until = (can_tell && !is_known(&run.row.head)).then(|| end.plus(GONE));
        StoppedRun { until, ..run }
    });
    told.filter(|run| run.until.is_none_or(|until| now < until)).collect()
}

/// Leaves the bodies of the newest facts, as many as one answer holds; of older ones their length and hash.
fn lighten(facts: &mut [Fact]) {
    let mut left = bounds::BODIES;
    for fact in facts.iter_mut().rev() {
        let Event::StepAnswered { evidence: Some(evidence), .. } = &mut fact.event else { continue };
        for body in [Some(&mut evidence.request), evidence.response.as_mut()].into_iter().flatten() {
            match left.checked_sub(body.bytes.0.len()) {
                Some(rest) => left = rest,
                None => body.bytes = Blob::default(),
            }
        }
    }
}

/// A page of the action log. What earlier programs stored unbounded is bounded here, so that a page always fits a frame.
async fn actions(store: &dyn Store, page: &PageRequest) -> Result<Page<(Seq, Ts, ActionEntry)>, StoreError> {
    let mut found = store.actions(page).await?;
    for (_, (_, _, entry)) in &mut found.rows {
        entry.result = bounds::said(std::mem::take(&mut entry.result));
        entry.reason = entry.reason.take().map(bounds::said);
        entry.plan = entry.plan.take().map(|plan| PlanId::new(bounds::said(plan.to_string())));
    }
    Ok(found)
}

/// A plan as readers get it: the rows of its mapping tables are for the bodies alone, and there may be many.
fn without_rows(plan: &Plan) -> Plan {
    let mut plan = plan.clone();
    for table in plan.target.make.iter_mut().flat_map(|make| &mut make.mapping.tables) {
        table.rows.clear();
    }
    plan
}

/// A run with what its plan called its columns then: a plan that lost one since names it no more.
async fn labelled(store: &dyn Store, run: RunId) -> Result<Option<Box<RunRow>>, StoreError> {
    let Some(row) = store.run(run).await? else { return Ok(None) };
    let Some(plan) = store.plan_of(&row.head.rev).await? else { return Ok(Some(Box::new(row))) };
    let label = |name: &String| {
        let column = plan.source.columns.iter().find(|column| column.key == *name);
        column.map(|column| column.label.clone()).unwrap_or_default()
    };
    Ok(Some(Box::new(RunRow { labels: row.head.columns.iter().map(label).collect(), ..row })))
}

async fn plan_row(
    (store, watched): (&dyn Store, &Watched),
    (plan, hazards): &PlanEntry,
    envs: &[(EnvId, bool)],
    now: Ts,
) -> Result<PlanRow, StoreError> {
    let plan = match plan {
        Ok(plan) => plan,
        Err(problem) => {
            let plan = Err(problem.clone());
            let (last, forecast) = (Vec::new(), None);
            return Ok(PlanRow { plan, hazards: *hazards, last, mark: None, next: None, unresolved: 0, forecast });
        }
    };
    let last = store.runs(Some(&plan.id), &PageRequest::first(LAST_RUNS)).await?;
    let env = plan.target_env.as_ref().or(plan.env.as_ref()).or(envs.first().map(|(env, _)| env));
    let mark = match env {
        Some(env) => store.mark(&plan.id, env).await?,
        None => None,
    };
    let next = in_force(plan, envs).and_then(|schedule| next_run(schedule, now));
    Ok(PlanRow {
        plan: Ok(without_rows(plan)),
        hazards: *hazards,
        last: last.rows.into_iter().map(|(_, row)| row).collect(),
        mark,
        next,
        forecast: watched.say(&plan.id, next).map(Box::new),
        unresolved: store.unresolved(Some(&plan.id)).await?,
    })
}
