//! What a run found out stands, whatever the append of the facts that belong to it ends with.

use crate::engine_support::*;
use skydeck::domain::bill::{Outcome, UnknownWhy};
use skydeck::domain::command::Command;
use skydeck::domain::event::Event;
use skydeck::domain::ids::RunId;
use skydeck::domain::run::{PauseWhy, RunState};
use skydeck::engine::ports::FaultKind;
use std::time::Duration;

/// Whether facts tell an outcome of a bill.
fn tells(events: &[Event], n: u64) -> bool {
    events.iter().any(|event| matches!(event, Event::BillSettled { fid: bill, .. } if *bill == fid(n)))
}

/// How often a run told that nobody knows what came of a bill.
fn told_unknown(bench: &Bench, of: RunId, n: u64) -> usize {
    let unknown = |event: &Event| matches!(event, Event::BillSettled { run, fid: bill, outcome: Outcome::Unknown(_), .. } if *run == of && *bill == fid(n));
    bench.facts().iter().filter(|fact| unknown(&fact.event)).count()
}

fn stopped_by_the_store(state: &RunState) -> bool {
    matches!(state, RunState::Paused(PauseWhy::Store(_)))
}

#[tokio::test(start_paused = true)]
async fn a_read_that_failed_for_the_last_time_counts_though_its_outcome_was_not_taken() {
    let mut bench = Bench::started().await;
    bench.world.submitted(1..=1);
    bench.world.with(|s| s.trouble.push_back(Trouble::LostBefore));
    let run = bench.start_plan().await;
    bench.awaiting(run).await;
    let approve = bench.approval(run);
    bench.accepted(approve).await;
    bench.until(run, "settling", |s| *s == RunState::Settling).await;
    bench.world.with(|s| s.reads_down = true);
    bench.closed(run).await;
    bench.world.with(|s| {
        s.reads_down = false;
        // The look with which the run begins is answered; the read-backs are not.
        s.faults_after = s.calls + 1;
        s.read_faults.extend(std::iter::repeat_n(FaultKind::NoAnswer, 20));
    });
    let asked = bench.world.with(|s| s.calls) + 1;
    *bench.store.contradicts.lock().unwrap() = Some(Box::new(|events| tells(events, 1)));
    let verify = bench.accepted(Command::Verify { selection: Bench::all_matching() }).await.unwrap();
    bench.until(verify, "stopped by the store", stopped_by_the_store).await;
    tokio::time::sleep(Duration::from_secs(3600)).await;
    assert!(bench.store.contradicts.lock().unwrap().is_none(), "it was refused once");
    assert_eq!(bench.world.with(|s| s.calls) - asked, 5, "five tries, and none after the store's refusal");
    bench.check();
}

#[tokio::test(start_paused = true)]
async fn bills_that_were_read_for_good_are_not_read_again_though_the_next_group_was_not_taken() {
    let mut bench = Bench::new();
    bench.policy(|policy| policy.confirm_every = 60);
    bench.env.limits.concurrency = 1;
    bench.try_start().await.unwrap();
    bench.world.submitted(1..=65);
    // The first five are read back one by one; the others are answered as done together, and nothing came of them.
    bench.world.with(|s| (6..=65).for_each(|n| drop(s.trouble_of.insert(fid(n), [Trouble::Hollow].into()))));
    let run = bench.start_plan().await;
    bench.awaiting(run).await;
    let approve = bench.approval(run);
    bench.accepted(approve).await;
    let row = bench.paused(run).await;
    assert_eq!((row.tally.audited, row.tally.unknown), (5, 60), "{row:?}");
    assert!(matches!(bench.outcome(run, 65), Outcome::Unknown(unknown) if unknown.why == UnknownWhy::Contradicted));
    // After another start nothing proves how much of the server's limit has passed, so that all are due at once. Read back then they
    // show the same; what is told of the last group is not taken.
    bench.crash().await;
    bench.clock.forget_boot();
    bench.try_start().await.unwrap();
    bench.accepted(Command::Resume { run }).await;
    *bench.store.contradicts.lock().unwrap() = Some(Box::new(|events| tells(events, 65)));
    bench.until(run, "stopped by the store", stopped_by_the_store).await;
    tokio::time::sleep(Duration::from_secs(3600)).await;
    assert!(bench.store.contradicts.lock().unwrap().is_none(), "it was refused once");
    for n in 6..=65 {
        assert_eq!(told_unknown(&bench, run, n), 2, "{n}: by the contradiction, and by one look after the limit");
    }
    bench.check();
}
