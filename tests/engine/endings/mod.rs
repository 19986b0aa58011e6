//! How runs end that cannot go on: by themselves where nobody is there, paused where somebody is; and what is told of runs
//! that nobody approved.

mod clock;
mod left;
mod verbs;

use std::time::Duration;

use crate::engine_support::*;
use skydeck::domain::command::{Command, Order, Receipt, StartParams};
use skydeck::domain::ids::{CommandId, PlanId, RunId};
use skydeck::domain::plan::{Approver, Missed, Schedule};
use skydeck::domain::reason::Reason;
use skydeck::domain::run::{RunEnd, RunRow, RunState};
use skydeck::domain::who::Who;
use skydeck::engine::api::Watch;

/// Who puts a run to work.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Sender {
    Console,
    Verb,
    Clock,
}

async fn give(bench: &mut Bench, sender: Sender, command: Command) -> Receipt {
    bench.orders += 1;
    let id = CommandId(ulid::Ulid::from_parts(3, bench.orders));
    let by = if sender == Sender::Clock { Who::schedule(1000) } else { Who::of_person(1000, "wang", None) };
    let order = Order { id, by, session: None, headless: sender == Sender::Verb, command };
    bench.engine.as_ref().unwrap().submit(order).await
}

async fn start(bench: &mut Bench, sender: Sender) -> RunId {
    let command = Command::Start { plan: PlanId::new("p"), params: StartParams::default() };
    match give(bench, sender, command).await {
        Receipt::Accepted { run: Some(run), .. } => run,
        other => panic!("{other:?}"),
    }
}

/// Starts and approves.
async fn put_to_work(bench: &mut Bench, sender: Sender) -> RunId {
    let run = start(bench, sender).await;
    bench.awaiting(run).await;
    let approve = bench.approval(run);
    assert!(matches!(give(bench, sender, approve).await, Receipt::Accepted { .. }));
    run
}

/// A console of a user that watches as long as this is held.
fn console(bench: &Bench, uid: u32) -> Watch {
    bench.engine.as_ref().unwrap().watch_at_console(Who::of_person(uid, "li", None))
}

fn scheduled() -> Schedule {
    Schedule {
        cron: "0 * * * *".into(),
        zone: "UTC".into(),
        missed: Missed::Skip,
        approve: Approver::Schedule,
        production: false,
    }
}

async fn bench(breaker: u32, bills: u64) -> Bench {
    let mut bench = Bench::new();
    bench.env.limits.concurrency = 1;
    bench.env.limits.breaker_unknown = breaker;
    bench.policy(|policy| policy.schedule = Some(scheduled()));
    bench.try_start().await.unwrap();
    bench.world.submitted(1..=bills);
    bench
}

/// The first answers are lost, and the calls have no effect.
fn lose(bench: &Bench, n: usize) {
    bench.world.with(|s| s.trouble.extend(std::iter::repeat_n(Trouble::LostBefore, n)));
}

fn why(row: &RunRow) -> Reason {
    match &row.state {
        RunState::Closed(RunEnd::Stopped(why)) => why.clone(),
        other => panic!("not stopped by itself: {other:?}"),
    }
}

fn stopped_runs(bench: &Bench) -> Vec<RunId> {
    bench.store.stopped_runs().unwrap().into_iter().map(|stopped| stopped.row.head.id).collect()
}

async fn minutes(n: u64) {
    tokio::time::sleep(Duration::from_secs(n * 60)).await;
}
