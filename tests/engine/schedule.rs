//! Plans that start by the clock, over the real engine on a virtual clock: on time, missed, busy, set back, in production.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use crate::engine_support::*;
use skydeck::domain::command::{Command, Receipt, StartParams};
use skydeck::domain::ids::PlanId;
use skydeck::domain::plan::{Approver, Missed, Remedy, Schedule};
use skydeck::domain::query::{Answer, PageRequest, Query};
use skydeck::domain::run::{RunEnd, RunRow, RunState};
use skydeck::engine::api::Link;
use skydeck::host::schedule;
use skydeck::link::local::LocalLink;
use tokio::sync::watch;
use tokio::task::JoinHandle;

/// Every hour on the hour; the bench's clock begins at 2026-09-21 14:13:20 UTC, 47 minutes before one.
pub(crate) fn hourly(missed: Missed, approve: Approver) -> Schedule {
    Schedule { cron: "0 * * * *".into(), zone: "UTC".into(), missed, approve, production: false }
}

pub(crate) struct Clockwork {
    pub(crate) bench: Bench,
    task: Option<JoinHandle<()>>,
    any: watch::Receiver<bool>,
}

impl Clockwork {
    pub(crate) async fn started(schedule: Schedule, change: impl FnOnce(&mut Bench)) -> Self {
        let mut bench = Bench::new();
        bench.plans.0.lock().unwrap()[0].policy.schedule = Some(schedule);
        change(&mut bench);
        bench.try_start().await.unwrap();
        let mut work = Self { bench, task: None, any: watch::channel(false).1 };
        work.wind().await;
        work
    }

    /// Starts the scheduler as the owner does.
    async fn wind(&mut self) {
        let link: Arc<dyn Link> = Arc::new(LocalLink::new(self.bench.engine.clone().unwrap()));
        let (any, seen) = watch::channel(false);
        self.any = seen;
        self.task = Some(tokio::spawn(schedule::run(link, self.bench.clock.clone(), 1000, any)));
        tokio::time::sleep(Duration::from_millis(1)).await;
    }

    /// Everything ends, as by kill -9, and is down for a while.
    pub(crate) async fn down(&mut self, hours: u64) {
        self.task.take().unwrap().abort();
        self.bench.crash().await;
        tokio::time::sleep(Duration::from_secs(hours * 3600)).await;
        self.bench.try_start().await.unwrap();
        self.wind().await;
    }

    fn runs(&self) -> Vec<RunRow> {
        let rows = self.bench.store.runs(None, &PageRequest::first(100)).unwrap().rows;
        rows.into_iter().map(|(_, row)| row).rev().collect()
    }
}

pub(crate) async fn minutes(n: u64) {
    tokio::time::sleep(Duration::from_secs(n * 60)).await;
}

#[tokio::test(start_paused = true)]
async fn a_due_plan_runs_once_an_hour_and_approves_itself_where_it_may() {
    let work = Clockwork::started(hourly(Missed::Skip, Approver::Schedule), |_| {}).await;
    work.bench.world.submitted(1..=5);
    assert!(*work.any.borrow(), "the owner is told that it has to stay");
    minutes(46).await;
    assert!(work.runs().is_empty(), "not before it is due");
    minutes(2).await;
    let runs = work.runs();
    assert_eq!(runs.len(), 1);
    assert_eq!((runs[0].state.clone(), runs[0].tally.audited), (RunState::Closed(RunEnd::Completed), 5));
    assert!(runs[0].head.by.is_schedule());
    minutes(60 * 5).await;
    assert_eq!(work.runs().len(), 6, "one an hour");
    work.bench.check();
}

#[tokio::test(start_paused = true)]
async fn a_person_approves_by_default_and_a_busy_plan_is_never_started_twice() {
    let work = Clockwork::started(hourly(Missed::Skip, Approver::Person), |_| {}).await;
    work.bench.world.submitted(1..=5);
    minutes(60 * 3 + 48).await;
    let runs = work.runs();
    assert_eq!(runs.len(), 1, "the run that waits is the plan's only one");
    assert_eq!(runs[0].state, RunState::AwaitingApproval);
    assert!(work.bench.world.with(|s| s.posts.is_empty()), "nothing was called");
    let engine = work.bench.engine.clone().unwrap();
    let Answer::Actions(actions) = engine.ask(Query::Actions(PageRequest::first(50))).await.unwrap() else { panic!() };
    let refused = actions.rows.iter().filter(|(_, (_, _, a))| a.by.is_schedule() && a.result != "accepted").count();
    assert_eq!(refused, 1, "one line says that the run in the way is why nothing starts");
}

#[tokio::test(start_paused = true)]
async fn what_was_missed_is_skipped_caught_up_once_or_caught_up_all() {
    for (missed, expected) in [(Missed::Skip, 1), (Missed::Once, 2), (Missed::All, 6)] {
        let mut work = Clockwork::started(hourly(missed, Approver::Schedule), |_| {}).await;
        work.bench.world.submitted(1..=5);
        minutes(50).await;
        assert_eq!(work.runs().len(), 1);
        work.down(5).await;
        minutes(20).await;
        let runs = work.runs();
        assert_eq!(runs.len(), expected, "{missed:?}");
        let ended = |run: &RunRow| matches!(run.state, RunState::Closed(RunEnd::Completed | RunEnd::Empty));
        assert!(runs.iter().all(ended), "{missed:?}: {runs:?}");
        assert!(runs.windows(2).all(|two| two[0].closed <= Some(two[1].head.opened)), "never two at once: {runs:?}");
        work.bench.check();
    }
}

#[tokio::test(start_paused = true)]
async fn a_clock_set_back_starts_nothing_twice_and_one_set_forward_misses() {
    let work = Clockwork::started(hourly(Missed::Skip, Approver::Schedule), |_| {}).await;
    minutes(48).await;
    assert_eq!(work.runs().len(), 1);
    work.bench.clock.step.fetch_sub(2 * 3_600_000, Ordering::SeqCst);
    minutes(115).await;
    assert_eq!(work.runs().len(), 1, "the hours that come again were served");
    minutes(70).await;
    assert_eq!(work.runs().len(), 2);
    work.bench.clock.step.fetch_add(10 * 3_600_000 + 1_800_000, Ordering::SeqCst);
    minutes(20).await;
    assert_eq!(work.runs().len(), 2, "missed, and skipped");
}

#[tokio::test(start_paused = true)]
async fn production_needs_its_own_word_and_a_person() {
    let off = Clockwork::started(hourly(Missed::Skip, Approver::Schedule), |bench| bench.env.production = true).await;
    minutes(120).await;
    assert!(off.runs().is_empty() && !*off.any.borrow(), "off by default");
    let on = Schedule { production: true, ..hourly(Missed::Skip, Approver::Schedule) };
    let work = Clockwork::started(on, |bench| bench.env.production = true).await;
    work.bench.world.submitted(1..=3);
    minutes(60).await;
    let runs = work.runs();
    assert_eq!(runs.len(), 1);
    assert_eq!(runs[0].state, RunState::AwaitingApproval, "the schedule never approves in production");
    assert!(work.bench.world.with(|s| s.posts.is_empty()));
}

#[tokio::test(start_paused = true)]
async fn a_scheduled_run_that_died_goes_on_under_its_own_approval() {
    let mut work = Clockwork::started(hourly(Missed::Skip, Approver::Schedule), |bench| {
        bench.env.limits.per_minute = 60;
    })
    .await;
    work.bench.world.submitted(1..=30);
    minutes(46).await;
    while work.bench.world.with(|s| s.audits.len()) < 3 {
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    work.down(0).await;
    minutes(20).await;
    let runs = work.runs();
    assert_eq!((runs.len(), runs[0].state.clone()), (1, RunState::Closed(RunEnd::Completed)));
    assert_eq!(work.bench.world.with(|s| s.audits.len()), 30);
    work.bench.check();
}

#[tokio::test(start_paused = true)]
async fn the_compensation_query_runs_by_its_own_cron_and_moves_no_mark() {
    let schedule = hourly(Missed::Skip, Approver::Schedule);
    let work = Clockwork::started(schedule, |bench| {
        bench.plans.0.lock().unwrap()[0].policy.remedy =
            Some(Remedy { cron: "30 * * * *".into(), filter: Some("FCreateDate>='{{DAYS_AGO_2|dateTime}}'".into()) });
    })
    .await;
    work.bench.world.submitted(1..=2);
    minutes(48).await;
    let engine = work.bench.engine.clone().unwrap();
    let mark = || async {
        let Answer::Plans(rows) = engine.ask(Query::Plans).await.unwrap() else { panic!() };
        rows[0].mark.clone()
    };
    let before = mark().await;
    minutes(30).await;
    let runs = work.runs();
    assert_eq!(runs.len(), 3, "14:30, 15:00, 15:30");
    for n in [0, 2] {
        assert!(runs[n].head.filter.contains("FCreateDate>='2026-09-19"), "{}", runs[n].head.filter);
    }
    assert_eq!(mark().await, before, "a window of its own proves nothing about the rest");
}

#[tokio::test(start_paused = true)]
async fn a_plan_without_the_query_refuses_it() {
    let mut bench = Bench::started().await;
    let params = StartParams { remedy: true, ..StartParams::default() };
    let receipt = bench.order(Command::Start { plan: PlanId::new("p"), params }).await;
    let Receipt::Refused(why) = receipt else { panic!("{receipt:?}") };
    assert!(why.to_string().contains("omissionRemedy"), "{why}");
}
