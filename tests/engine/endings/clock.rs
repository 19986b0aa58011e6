//! A run of the clock ends at once where nobody is there, and waits for who is.

use std::time::Duration;

use super::{Sender, bench, console, lose, minutes, put_to_work, why};
use crate::engine_support::*;
use skydeck::domain::command::Command;
use skydeck::domain::event::Event;
use skydeck::domain::reason::Reason;
use skydeck::domain::run::{PauseWhy, RunEnd, RunState};

#[tokio::test(start_paused = true)]
async fn a_run_of_the_clock_ends_at_once_where_nobody_is_there() {
    let mut bench = bench(3, 6).await;
    lose(&bench, 3);
    // Somebody who only looks, and a verb: nobody who could go on with it.
    let _viewer = console(&bench, 3000);
    let _verb = bench.engine.as_ref().unwrap().watch();
    let run = put_to_work(&mut bench, Sender::Clock).await;
    let row = bench.closed(run).await;
    assert_eq!(why(&row), Reason::BreakerUnknown { n: 3 });
    assert!(!bench.facts().iter().any(|f| matches!(f.event, Event::RunPaused { .. })));
    bench.check();
}

#[tokio::test(start_paused = true)]
async fn a_run_of_the_clock_waits_for_who_is_there_and_closes_half_an_hour_after_he_left() {
    let mut bench = bench(3, 6).await;
    lose(&bench, 3);
    let here = console(&bench, 2000);
    let run = put_to_work(&mut bench, Sender::Clock).await;
    bench.paused(run).await;
    minutes(90).await;
    assert!(matches!(bench.run(run).state, RunState::Paused(_)), "he is there");
    drop(here);
    minutes(20).await;
    let back = console(&bench, 2000);
    minutes(20).await;
    drop(back);
    minutes(29).await;
    assert!(matches!(bench.run(run).state, RunState::Paused(_)), "counted anew from his leaving");
    minutes(2).await;
    let row = bench.run(run);
    let expected = Reason::Unattended { minutes: 30, why: Some(Box::new(Reason::BreakerUnknown { n: 3 })) };
    assert_eq!(row.state, RunState::Closed(RunEnd::Stopped(expected)));
    assert_eq!((row.tally.failed, row.tally.not_reached, row.tally.unknown), (3, 3, 0));
    bench.check();
}

#[tokio::test(start_paused = true)]
async fn a_paused_run_of_the_clock_closes_after_a_restart_too_and_one_a_person_paused_does_not() {
    let mut bench = bench(3, 6).await;
    lose(&bench, 3);
    let here = console(&bench, 2000);
    let run = put_to_work(&mut bench, Sender::Clock).await;
    bench.paused(run).await;
    drop(here);
    bench.crash().await;
    bench.try_start().await.unwrap();
    minutes(35).await;
    assert!(matches!(why(&bench.run(run)), Reason::Unattended { .. }));
    bench.world.with(|s| s.trouble.extend(std::iter::repeat_n(Trouble::Slow(Duration::from_secs(20)), 9)));
    let run = put_to_work(&mut bench, Sender::Clock).await;
    tokio::time::sleep(Duration::from_secs(5)).await;
    bench.accepted(Command::Pause { run }).await;
    bench.paused(run).await;
    minutes(300).await;
    assert_eq!(bench.run(run).state, RunState::Paused(PauseWhy::Operator));
    bench.check();
}
