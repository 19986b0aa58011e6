//! What a store may answer to an append that is neither yes nor its end: a record that went on, no answer, nobody there.

use std::time::Duration;

use crate::engine_support::*;
use skydeck::domain::event::Event;
use skydeck::domain::run::{PauseWhy, RunEnd, RunState};

/// Intents in the journal, by bill.
fn intents(bench: &Bench, n: u64) -> usize {
    let of = |event: &Event| matches!(event, Event::StepTried { fid: tried, .. } if *tried == fid(n));
    bench.facts().iter().filter(|fact| of(&fact.event)).count()
}

#[tokio::test(start_paused = true)]
async fn a_batch_without_an_answer_is_sent_again_and_stored_once() {
    for stored in [true, false] {
        let mut bench = Bench::started().await;
        bench.world.submitted(1..=3);
        let run = bench.start_plan().await;
        bench.awaiting(run).await;
        // Of the next appends: three get no answer, among them the approval.
        *bench.store.silent.lock().unwrap() = [stored, !stored, stored].into();
        let approve = bench.approval(run);
        bench.accepted(approve).await;
        assert_eq!(bench.closed(run).await.state, RunState::Closed(RunEnd::Completed));
        assert!(bench.store.silent.lock().unwrap().is_empty());
        assert_eq!(bench.world.with(|s| s.posts.len()), 3, "each bill is called once");
        for n in 1..=3 {
            assert_eq!((intents(&bench, n), bench.word(run, n).as_str()), (1, "audited"), "bill {n}, stored {stored}");
        }
        let live = bench.engine.as_ref().unwrap().watch().live;
        assert_eq!(live.runs[&run].row, bench.run(run), "what is shown is what is stored");
        bench.check();
    }
}

#[tokio::test(start_paused = true)]
async fn no_call_leaves_while_the_store_is_away_and_a_store_that_stays_away_counts_as_failed() {
    let mut bench = Bench::started().await;
    bench.world.submitted(1..=2);
    let run = bench.start_plan().await;
    bench.awaiting(run).await;
    let approve = bench.approval(run);
    bench.accepted(approve).await;
    *bench.store.silent.lock().unwrap() = std::iter::repeat_n(false, 10_000).collect();
    let posts = bench.world.with(|s| s.posts.len());
    let engine = bench.engine.as_ref().unwrap();
    let paused = |state: &RunState| matches!(state, RunState::Paused(PauseWhy::Store(_)));
    for _ in 0..400 {
        tokio::time::sleep(Duration::from_secs(1)).await;
        // A call whose intent was stored before may still have left.
        assert!(bench.world.with(|s| s.posts.len()) <= posts + 1);
        if paused(&engine.watch().live.runs[&run].row.state) {
            break;
        }
    }
    assert!(paused(&engine.watch().live.runs[&run].row.state), "it is said that the store failed");
    bench.store.silent.lock().unwrap().clear();
    tokio::time::sleep(Duration::from_secs(400)).await;
    assert!(bench.world.with(|s| s.posts.len()) <= posts + 1, "only a new start goes on");
}

#[tokio::test(start_paused = true)]
async fn a_store_that_several_machines_write_to_is_waited_for_and_the_run_goes_on_by_itself() {
    let mut bench = Bench::new();
    bench.store.together.set(store::Together::default()).ok();
    bench.try_start().await.unwrap();
    bench.world.submitted(1..=6);
    let run = bench.start_plan().await;
    bench.awaiting(run).await;
    let approve = bench.approval(run);
    bench.accepted(approve).await;
    *bench.store.silent.lock().unwrap() = std::iter::repeat_n(false, 10_000).collect();
    let posts = bench.world.with(|s| s.posts.len());
    tokio::time::sleep(Duration::from_secs(600)).await;
    // A call whose intent was stored before may still have left.
    assert!(bench.world.with(|s| s.posts.len()) <= posts + 1);
    bench.store.silent.lock().unwrap().clear();
    assert_eq!(bench.closed(run).await.state, RunState::Closed(RunEnd::Completed));
    for n in 1..=6 {
        // One whose intent waited all that time is not sent under it: it is intended anew.
        assert_eq!((bench.world.posts_of(n), bench.word(run, n).as_str()), (1, "audited"), "bill {n}");
    }
    bench.check();
}

#[tokio::test(start_paused = true)]
async fn a_bill_that_another_program_tells_of_meanwhile_is_read_anew_before_it_is_called() {
    let mut bench = Bench::started().await;
    bench.policy(|policy| policy.batch = 3);
    bench.world.submitted(1..=12);
    let run = bench.start_plan().await;
    bench.awaiting(run).await;
    let elsewhere = |n: u64| Event::bill_read(run, fid(n), None);
    *bench.store.elsewhere.lock().unwrap() = [1, 2, 9, 10, 11, 12].map(elsewhere).into();
    let approve = bench.approval(run);
    bench.accepted(approve).await;
    bench.closed(run).await;
    assert!(bench.store.elsewhere.lock().unwrap().is_empty());
    let mut moved: Vec<_> = bench.store.moved.lock().unwrap().iter().map(|record| record.fid.clone()).collect();
    moved.dedup();
    assert!(moved.contains(&fid(1)), "the store refused what rested on an older reading: {moved:?}");
    let facts = bench.facts();
    for n in 1..=12 {
        assert_eq!((intents(&bench, n), bench.word(run, n).as_str()), (1, "audited"), "bill {n}");
    }
    for told in moved {
        let reads = |event: &Event| matches!(event, Event::BillRead { fid, rev: None, .. } if *fid == told);
        let tries = |event: &Event| matches!(event, Event::StepTried { fid, .. } if *fid == told);
        let read = facts.iter().rposition(|fact| reads(&fact.event)).unwrap();
        assert!(
            facts.iter().position(|fact| tries(&fact.event)).unwrap() > read,
            "{told} was called after what is new"
        );
    }
    assert_eq!(bench.world.with(|s| s.audits.len()), 12);
    bench.check();
}
