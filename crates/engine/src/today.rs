//! The day in one answer: hourly counts, the ledger, the schedules and the runs that stopped, put together.
//!
//! Invariant: costs as much as there are plans and hours in the span, whatever the history.

use std::time::Duration;

use skydeck_core::domain::ids::{EnvId, PlanId};
use skydeck_core::domain::plan::{Plan, Schedule};
use skydeck_core::domain::query::PageRequest;
use skydeck_core::domain::run::{RunEnd, RunRow, RunState, StoppedRun};
use skydeck_core::domain::time::Ts;
use skydeck_core::domain::today::{GroupDay, MOST_DAYS, PlanDay, Silent, Span, Today};
use skydeck_plan::schedule;
use skydeck_store::{Store, StoreError};

use super::control::PlanEntry;
use super::watched::Watched;

/// A run that began this long after its due time is late; a plan without one is silent.
const LATE: Duration = Duration::from_secs(10 * 60);
/// Due times that are counted of a silent plan.
const MOST_DUE: u32 = 1000;
/// Runs of a plan that are looked through for the last one that went through.
const LAST_RUNS: u32 = 12;
/// Longest span that is summed up.
const LONGEST: Duration = Duration::from_secs(400 * 24 * 60 * 60);

/// What the answer is made of besides the store.
pub(super) struct Known<'a> {
    pub plans: &'a [PlanEntry],
    /// Environments and which of them are production.
    pub envs: &'a [(EnvId, bool)],
    pub stopped: Vec<StoppedRun>,
    /// What is said of what is usual.
    pub watched: &'a Watched,
    /// Since when there has been anybody to start what is due.
    pub awake: Ts,
    pub now: Ts,
}

/// Answers.
pub(super) async fn today(store: &dyn Store, known: Known<'_>, span: Span) -> Result<Today, StoreError> {
    let span = bounded(span, known.now);
    let mut plans = Vec::with_capacity(known.plans.len());
    for (plan, _) in known.plans {
        plans.push(match plan {
            Ok(plan) => plan_day(store, plan, &known, &span).await?,
            Err(problem) => {
                let mut day = counted(store, &problem.id, known.now, &span).await?;
                day.problem = Some(problem.clone());
                day
            }
        });
    }
    let groups = GroupDay::of(store.ledger_groups(None).await?, &plans);
    Ok(Today { at: known.now, plans, groups, stopped: known.stopped })
}

/// A span that can be summed up: days in order, and none of it too long ago.
fn bounded(span: Span, now: Ts) -> Span {
    let earliest = now.minus(LONGEST);
    let Span { since, until, mut days } = span;
    days.truncate(MOST_DAYS);
    days.sort_unstable();
    days.retain(|day| *day >= earliest);
    Span { since: since.max(earliest), until, days }
}

/// What the store counted of a plan.
async fn counted(store: &dyn Store, plan: &PlanId, now: Ts, span: &Span) -> Result<PlanDay, StoreError> {
    let hours = store.hourly(plan, span.hours(now)).await?;
    let (sum, present, days) = span.sort(&hours, now);
    let stuck = store.ledger_groups(Some(plan)).await?.iter().filter_map(|group| group.oldest).min();
    Ok(PlanDay {
        plan: plan.clone(),
        name: String::new(),
        problem: None,
        span: sum,
        present,
        days,
        unresolved: store.unresolved(Some(plan)).await?,
        stuck,
        next: None,
        went_through: None,
        silent: None,
        forecast: None,
    })
}

/// Whether a plan was due and did not run ([`silent`]), as its last run tells.
pub(super) async fn silent_now(
    store: &dyn Store,
    plan: &Plan,
    schedule: &Schedule,
    (awake, now): (Ts, Ts),
) -> Result<Option<Silent>, StoreError> {
    let last = store.runs(Some(&plan.id), &PageRequest::first(1)).await?;
    Ok(silent(schedule, last.rows.first().map(|(_, row)| row), awake, now))
}

async fn plan_day(store: &dyn Store, plan: &Plan, known: &Known<'_>, span: &Span) -> Result<PlanDay, StoreError> {
    let day = counted(store, &plan.id, known.now, span).await?;
    let last: Vec<RunRow> = store
        .runs(Some(&plan.id), &PageRequest::first(LAST_RUNS))
        .await?
        .rows
        .into_iter()
        .map(|(_, row)| row)
        .collect();
    let schedule = in_force(plan, known.envs);
    let next = schedule.and_then(|schedule| next_run(schedule, known.now));
    Ok(PlanDay {
        name: plan.name.clone(),
        next,
        forecast: known.watched.say(&plan.id, next).map(Box::new),
        went_through: last.iter().find(|row| went_through(row)).and_then(|row| row.closed),
        silent: schedule.and_then(|schedule| silent(schedule, last.first(), known.awake, known.now)),
        ..day
    })
}

/// Whether a run of the plan's query brought every bill to an outcome, and none failed.
fn went_through(row: &RunRow) -> bool {
    let ended = matches!(row.state, RunState::Closed(RunEnd::Completed | RunEnd::Empty | RunEnd::Collected));
    ended && row.tally.failed + row.tally.unknown + row.tally.not_reached == 0
}

/// The schedule of a plan, where it is in force: in production only where the plan says so.
pub(super) fn in_force<'a>(plan: &'a Plan, envs: &[(EnvId, bool)]) -> Option<&'a Schedule> {
    let env = plan.target_env.as_ref().or(plan.env.as_ref()).or(envs.first().map(|(env, _)| env));
    let production = envs.iter().any(|(id, production)| *production && Some(id) == env);
    plan.policy.schedule.as_ref().filter(|schedule| schedule.production || !production)
}

/// When a schedule is due next; a schedule that cannot be read was named by lint and has no next time.
pub(super) fn next_run(schedule: &Schedule, now: Ts) -> Option<Ts> {
    let next = schedule::next(schedule, utc(now)?).ok().flatten()?;
    Some(Ts(next.timestamp_millis()))
}

/// Whether a plan was due and did not run: neither by its schedule nor by hand, and none of its runs was in the way. Of a plan
/// that never ran only what was due while somebody could have started it counts.
fn silent(schedule: &Schedule, last: Option<&RunRow>, awake: Ts, now: Ts) -> Option<Silent> {
    let after = match last {
        Some(run) if run.closed.is_none() => return None,
        Some(run) => run.closed.unwrap_or(run.head.opened),
        None => awake,
    };
    let (first, times) = schedule::missed(schedule, utc(after)?, utc(now.minus(LATE))?, MOST_DUE).ok().flatten()?;
    Some(Silent { since: Ts(first.timestamp_millis()), times })
}

fn utc(at: Ts) -> Option<chrono::DateTime<chrono::Utc>> {
    chrono::DateTime::from_timestamp_millis(at.0)
}
