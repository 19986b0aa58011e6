//! The day in one answer, over the real engine on a virtual clock: what happened, and what was due and did not.

use std::time::Duration;

use crate::engine_support::Bench;
use crate::schedule::{Clockwork, hourly, minutes};
use skydeck::domain::bill::Slot;
use skydeck::domain::plan::{Approver, Missed};
use skydeck::domain::query::{Answer, Query};
use skydeck::domain::time::{Clock as _, Ts};
use skydeck::domain::today::{PlanDay, Span, Today};

async fn today(work: &Clockwork, since: Ts, days: Vec<Ts>) -> Today {
    let span = Span { since, until: None, days };
    match work.bench.engine.as_ref().unwrap().ask(Query::Today(span)).await.unwrap() {
        Answer::Today(day) => *day,
        other => panic!("{other:?}"),
    }
}

async fn first(work: &Clockwork, since: Ts) -> PlanDay {
    today(work, since, vec![Ts(0), since]).await.plans.remove(0)
}

#[tokio::test(start_paused = true)]
async fn a_plan_that_was_due_and_did_not_run_is_silent_until_it_runs_by_whatever_hand() {
    let mut work = Clockwork::started(hourly(Missed::Skip, Approver::Schedule), |_| {}).await;
    let begin = work.bench.clock.now();
    work.bench.world.submitted(1..=5);
    let fresh = first(&work, begin).await;
    assert_eq!((fresh.silent, fresh.span.runs, fresh.went_through), (None, 0, None), "nothing was due yet");
    minutes(48).await;
    let ran = first(&work, begin).await;
    assert_eq!((ran.silent, ran.span.runs, ran.span.of(Slot::Done), ran.unresolved), (None, 1, 5, 0));
    assert!(ran.went_through.is_some() && ran.next.is_some_and(|next| next > work.bench.clock.now()), "{ran:?}");
    let days: Vec<(u64, u64)> = ran.days.iter().map(|day| (day.told, day.bad)).collect();
    assert_eq!(days.iter().map(|(told, _)| told).sum::<u64>(), 5, "{days:?}");
    minutes(5).await;
    // Nobody is there for five due times, the last of them is not late yet; nothing is caught up, as the plan says.
    work.down(5).await;
    let down = first(&work, begin).await;
    let silent = down.silent.unwrap();
    assert_eq!(silent.times, 4, "{silent:?}");
    assert_eq!((silent.since.0 - begin.0) / 60_000, 46 + 60, "since the first one it missed: 16:00");
    // Started by hand it is silent no more.
    work.bench.start_plan().await;
    tokio::time::sleep(Duration::from_secs(5)).await;
    assert_eq!(first(&work, begin).await.silent, None);
}

#[tokio::test(start_paused = true)]
async fn a_run_that_nobody_starts_is_told_ten_minutes_after_it_was_due_and_not_before() {
    let mut bench = Bench::new();
    bench.plans.0.lock().unwrap()[0].policy.schedule = Some(hourly(Missed::Skip, Approver::Schedule));
    bench.try_start().await.unwrap();
    let asked = async |bench: &Bench| {
        let span = Span { since: Ts(0), until: None, days: Vec::new() };
        match bench.engine.as_ref().unwrap().ask(Query::Today(span)).await.unwrap() {
            Answer::Today(day) => day.plans[0].silent,
            other => panic!("{other:?}"),
        }
    };
    let begin = bench.clock.now();
    // 46 minutes and 40 seconds to the hour, and ten minutes after it.
    tokio::time::sleep(Duration::from_millis((56 * 60 + 40) * 1000 - 1)).await;
    assert_eq!(asked(&bench).await, None, "it may still come");
    tokio::time::sleep(Duration::from_millis(1)).await;
    let silent = asked(&bench).await.unwrap();
    assert_eq!((silent.since.0 - begin.0, silent.times), (46 * 60_000 + 40_000, 1));
}
