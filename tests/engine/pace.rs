//! The pace of an environment: how often a server's wish to slow down counts, and what is said about it; what the breaker
//! takes for usual.
use std::time::Duration;

use crate::engine_support::*;
use skydeck::domain::command::Command;
use skydeck::domain::live::{EnvPulse, SlowWhy};
use skydeck::domain::run::{PauseWhy, RunState};
use skydeck::engine::api::{Notice, Watch};

/// Environments as the next pulses tell them, until one is as wished; at most so many pulses.
async fn pulse(watch: &mut Watch, most: u32, is: impl Fn(&EnvPulse) -> bool) -> EnvPulse {
    let mut seen = 0;
    while seen < most {
        if let Notice::Pulse(pulse) = watch.notices.recv().await.unwrap() {
            seen += 1;
            if is(&pulse.envs[0]) {
                return pulse.envs[0].clone();
            }
        }
    }
    panic!("no such pulse among {most}");
}

#[tokio::test(start_paused = true)]
async fn eight_calls_in_flight_that_are_told_to_slow_down_halve_the_pace_once_and_it_is_said() {
    let mut bench = Bench::new();
    bench.env.limits.concurrency = 8;
    bench.env.limits.per_minute = 600;
    bench.try_start().await.unwrap();
    bench.world.submitted(1..=100);
    // Not the first: those that left with it find the server busy, too.
    bench.world.with(|s| s.trouble.extend((0..8).map(|_| Trouble::SlowDown)));
    let run = bench.start_plan().await;
    bench.awaiting(run).await;
    let began = bench.world.now();
    let mut watch = bench.engine.as_ref().unwrap().watch();
    let approve = bench.approval(run);
    bench.accepted(approve).await;
    let env = pulse(&mut watch, 400, |env| env.slowed.is_some()).await;
    let slowed = env.slowed.unwrap();
    assert_eq!((slowed.why, slowed.configured), (SlowWhy::CallLimit, 600));
    // Twenty seconds without a call, and half a minute until the half has become the whole again.
    let all = slowed.full.since(slowed.held);
    assert_eq!(all, Duration::from_secs(30));
    let row = bench.closed(run).await;
    assert_eq!(row.tally.audited, 100);
    let took = bench.world.now().saturating_sub(began);
    assert!(took < Duration::from_secs(120), "{took:?}: eight wishes at once were taken for eight in a row");
    bench.check();
}

#[tokio::test(start_paused = true)]
async fn calls_that_leave_after_a_slow_down_and_find_no_good_answer_count_again_and_the_pace_comes_back() {
    let mut bench = Bench::new();
    bench.env.limits.concurrency = 1;
    bench.env.limits.per_minute = 600;
    bench.try_start().await.unwrap();
    bench.world.submitted(1..=150);
    bench.world.with(|s| s.trouble.extend((0..5).map(|_| Trouble::SlowDown)));
    let run = bench.start_plan().await;
    bench.awaiting(run).await;
    let mut watch = bench.engine.as_ref().unwrap().watch();
    let approve = bench.approval(run);
    bench.accepted(approve).await;
    pulse(&mut watch, 400, |env| env.per_minute == 300 && env.slowed.is_some()).await;
    let twice = pulse(&mut watch, 400, |env| env.per_minute == 150).await;
    assert!(twice.slowed.is_some_and(|slowed| slowed.full.since(slowed.held) == Duration::from_secs(60)));
    assert_eq!(bench.closed(run).await.tally.audited, 150);
    tokio::time::sleep(Duration::from_secs(1800)).await;
    let mut watch = bench.engine.as_ref().unwrap().watch();
    let back = pulse(&mut watch, 1, |_| true).await;
    assert_eq!((back.slowed, back.per_minute), (None, 600));
    bench.check();
}

#[tokio::test(start_paused = true)]
async fn a_hundred_bills_on_a_server_that_turns_away_a_third_of_the_calls_take_minutes() {
    let mut bench = Bench::new();
    bench.env.limits.per_minute = 60;
    bench.policy(|p| p.max_attempts = 20);
    bench.try_start().await.unwrap();
    bench.world.submitted(1..=100);
    let mut rng = fastrand::Rng::with_seed(31);
    bench.world.with(|s| {
        s.plain_slow_down = true;
        s.trouble.extend((0..400).map(|_| if rng.u32(0..100) < 37 { Trouble::SlowDown } else { Trouble::None }));
    });
    let run = bench.start_plan().await;
    bench.awaiting(run).await;
    let (approve, began) = (bench.approval(run), bench.world.now());
    bench.accepted(approve).await;
    let row = bench.closed(run).await;
    assert_eq!(row.tally.audited, 100);
    let took = bench.world.now().saturating_sub(began);
    assert!(took < Duration::from_secs(600), "{took:?}");
    bench.check();
}

#[tokio::test(start_paused = true)]
async fn a_usual_share_of_refusals_stops_a_long_run_a_few_times_at_most() {
    let mut bench = Bench::new();
    bench.env.limits.breaker_failed_percent = 20;
    bench.try_start().await.unwrap();
    bench.world.submitted(1..=600);
    let mut rng = fastrand::Rng::with_seed(7);
    bench.world.with(|s| {
        for n in 1..=600 {
            if rng.f64() < 0.22 {
                s.trouble_of.entry(fid(n)).or_default().push_back(Trouble::Refused(11, "库存不足"));
            }
        }
    });
    let run = bench.start_plan().await;
    bench.awaiting(run).await;
    let approve = bench.approval(run);
    bench.accepted(approve).await;
    let mut stops = 0;
    let row = loop {
        let rests = |state: &RunState| state.is_closed() || matches!(state, RunState::Paused(_));
        let row = bench.until(run, "at rest", rests).await;
        let RunState::Paused(why) = &row.state else { break row };
        assert!(matches!(why, PauseWhy::Breaker(_)), "{why:?}");
        stops += 1;
        bench.accepted(Command::Resume { run }).await;
    };
    assert!(row.tally.failed > 100, "{:?}", row.tally);
    assert!(stops <= 5, "{stops} stops");
    bench.check();
}
