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

#[cfg(test)]
mod tests {
    use chrono::{DateTime, Datelike, Days, NaiveDate, Utc, Weekday};
    use skydeck_core::domain::ids::{FormId, OpId, PlanRev, RunId};
    use skydeck_core::domain::run::{Revision, RunHead, RunKind, Tally};
    use skydeck_core::domain::who::Who;
    use skydeck_forecast::Calendar;

    use super::*;

    const MINUTE: i64 = 60_000;

    /// A run that is over after a minute, or is not.
    fn run(by: Who, opened: Ts, over: bool) -> RunRow {
        let head = RunHead {
            id: RunId(ulid::Ulid::from_parts(opened.0 as u64, 1)),
            kind: RunKind::Fresh,
            plan: PlanId::new("p"),
            name: String::new(),
            rev: PlanRev::default(),
            env: EnvId::new("demo"),
            production: false,
            form: FormId::default(),
            columns: Vec::new(),
            by,
            opened,
            of: None,
            filter: String::new(),
            revision: Revision::Newest,
            op: OpId::default(),
            server: None,
            range: None,
            headless: false,
            due: None,
            text: None,
        };
        let (state, closed) = if over {
            (RunState::Closed(RunEnd::Empty), Some(Ts(opened.0 + MINUTE)))
        } else {
            (RunState::AwaitingApproval, None)
        };
        let (tally, flags) = (Tally::default(), Vec::new());
        RunRow {
            head,
            state,
            tally,
            collected: None,
            closed,
            flags,
            consent: None,
            pruned: 0,
            op_unknown: false,
            labels: Vec::new(),
        }
    }

    fn by_schedule(opened: Ts) -> RunRow {
        run(Who::schedule(1), opened, true)
    }

    fn weekdays_at_nine() -> Schedule {
        Schedule { cron: "0 9 * * MON-FRI".into(), zone: "Asia/Shanghai".into(), ..Schedule::default() }
    }

    /// Nine o'clock in Shanghai.
    fn nine(day: NaiveDate) -> Ts {
        Ts(day.and_hms_opt(1, 0, 0).unwrap().and_utc().timestamp_millis())
    }

    fn days_of_2026() -> impl Iterator<Item = NaiveDate> {
        let first = NaiveDate::from_ymd_opt(2026, 1, 1).unwrap();
        (0..365).map(move |n| first + Days::new(n))
    }

    fn is_weekday(day: NaiveDate) -> bool {
        !matches!(day.weekday(), Weekday::Sat | Weekday::Sun)
    }

    /// What is told on the days of a year, looked at ten minutes after nine and late in the evening, of a plan that runs on some
    /// of them: each thing once, with the last count that was said.
    fn told_in_a_year(runs_on: &dyn Fn(NaiveDate) -> bool, by: &Who) -> Vec<(String, u32)> {
        let schedule = weekdays_at_nine();
        let (mut told, mut last, mut stands): (Vec<(String, u32)>, Option<RunRow>, Option<Ts>) =
            (Vec::new(), None, None);
        for day in days_of_2026() {
            if runs_on(day) {
                last = Some(run(by.clone(), Ts(nine(day).0 + 9 * MINUTE), true));
                stands = None;
            }
            for now in [Ts(nine(day).0 + 10 * MINUTE), Ts(nine(day).0 + 14 * 60 * MINUTE)] {
                let Some(silent) = silent(&schedule, last.as_ref(), AWAKE, now) else { continue };
                if stands != Some(silent.since) {
                    let since = DateTime::<Utc>::from_timestamp_millis(silent.since.0).unwrap();
                    told.push((since.format("%m-%d").to_string(), 0));
                    stands = Some(silent.since);
                }
                told.last_mut().unwrap().1 = silent.times;
            }
        }
        told
    }

    /// The engine is there since the evening before the year.
    const AWAKE: Ts = Ts(1_767_182_400_000);

    #[test]
    fn a_chinese_year_of_a_plan_on_weekdays_tells_what_its_cron_says_and_guesses_no_holiday() {
        let china = Calendar::china();
        let (clock, person) = (Who::schedule(1), Who::of_person(7, "lina", None));
        assert_eq!(told_in_a_year(&is_weekday, &clock), [], "it runs when it is due, on holidays too");
        // The weekend days that are worked in exchange are none of its cron: not due, and not told.
        let moved: Vec<NaiveDate> = days_of_2026().filter(|day| china.is_moved(*day)).collect();
        assert!(moved.len() >= 6 && moved.iter().all(|day| !is_weekday(*day)), "{moved:?}");
        // Somebody starts it by hand on those as well: nothing is told, and nothing of the days after is forgiven.
        let also_moved = |day: NaiveDate| is_weekday(day) || china.is_moved(day);
        assert_eq!(told_in_a_year(&also_moved, &person), []);
        // Nobody is there on holidays, as where a machine is switched off: each stretch is told once, since its first due time.
        let on_working_days = |day: NaiveDate| is_weekday(day) && china.is_working(day);
        let stretches =
            [("01-01", 2), ("02-16", 6), ("04-06", 1), ("05-01", 3), ("06-19", 1), ("09-25", 1), ("10-01", 5)];
        let want: Vec<(String, u32)> = stretches.iter().map(|(since, times)| ((*since).to_owned(), *times)).collect();
        assert_eq!(told_in_a_year(&on_working_days, &clock), want);
    }

    #[test]
    fn late_within_the_grace_by_hand_and_still_at_work_are_not_missed() {
        let schedule = weekdays_at_nine();
        let day = NaiveDate::from_ymd_opt(2026, 3, 3).unwrap();
        let (yesterday, due) = (nine(day.pred_opt().unwrap()), nine(day));
        let after = |ms: i64| Ts(due.0 + ms);
        let tells = |last: &RunRow, now: Ts| silent(&schedule, Some(last), AWAKE, now);
        let before = by_schedule(yesterday);
        assert_eq!(tells(&before, after(10 * MINUTE - 1)), None, "it may still come");
        let missed = Some(Silent { since: due, times: 1 });
        assert_eq!(tells(&before, after(10 * MINUTE)), missed, "told ten minutes after it was due");
        assert_eq!(tells(&by_schedule(after(9 * MINUTE)), after(20 * MINUTE)), None, "it came late");
        assert_eq!(
            tells(&run(Who::of_person(7, "lina", None), after(3 * 60 * MINUTE), true), after(4 * 60 * MINUTE)),
            None,
            "by hand"
        );
        let early = by_schedule(after(-2 * MINUTE));
        assert_eq!(tells(&early, after(10 * MINUTE)), missed, "what was over before is no run of this one");
        let long = run(Who::schedule(1), after(-2 * MINUTE), false);
        assert_eq!(tells(&long, after(30 * MINUTE)), None, "one is still at work");
    }
}
