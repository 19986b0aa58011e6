//! Collecting: every page, one row a bill, one hash a set; the mark moves with the approval and never before.

use std::time::Duration;

use crate::engine_support::*;
use skydeck::domain::bill::Status;
use skydeck::domain::command::Command;
use skydeck::domain::ids::{EnvId, PlanId};
use skydeck::domain::run::{RunEnd, RunState};
use skydeck::engine::ports::FaultKind;

#[tokio::test(start_paused = true)]
async fn a_run_collects_every_page_then_audits_what_is_submitted() {
    let mut bench = Bench::started().await;
    for n in 1..=25 {
        bench.world.add(n, "B");
    }
    for (n, status) in [(30, "Z"), (31, "A"), (32, "D"), (33, "C")] {
        bench.world.add(n, status);
    }
    let run = bench.start_plan().await;
    let row = bench.awaiting(run).await;
    let collected = row.collected.unwrap();
    assert_eq!((collected.callable, row.tally.found, collected.sweep), (25, 28, true));
    assert!(bench.world.with(|s| s.posts.is_empty()), "nothing is written before the approval");
    let approve = bench.approval(run);
    bench.accepted(approve).await;
    let row = bench.closed(run).await;
    assert_eq!(row.state, RunState::Closed(RunEnd::Completed));
    assert_eq!((row.tally.audited, row.tally.skipped, row.tally.found), (25, 3, 28));
    assert_eq!(bench.word(run, 1), "audited");
    assert_eq!(bench.word(run, 30), "skipped:draft");
    assert_eq!(bench.word(run, 31), "skipped:created");
    assert_eq!(bench.word(run, 32), "skipped:reaudit");
    assert_eq!(bench.world.with(|s| s.audits.len()), 25);
    assert!(bench.world.with(|s| s.most_in_flight) <= 2);
    bench.check();
}

#[tokio::test(start_paused = true)]
async fn the_mark_moves_with_the_approval_and_unresolved_bills_are_carried_over() {
    let mut bench = Bench::started().await;
    bench.world.add(1, "B");
    bench.world.add(2, "A");
    let run = bench.start_plan().await;
    bench.awaiting(run).await;
    assert!(bench.store.mark(&PlanId::new("p"), &EnvId::new("test")).unwrap().is_none());
    bench.accepted(Command::Decline { run }).await;
    let row = bench.closed(run).await;
    assert_eq!(row.state, RunState::Closed(RunEnd::Declined));
    assert!(bench.store.mark(&PlanId::new("p"), &EnvId::new("test")).unwrap().is_none());
    assert_eq!(bench.store.unresolved(None).unwrap(), 0, "a declined set is not the ledger's");
    bench.whole_run().await;
    let mark = bench.store.mark(&PlanId::new("p"), &EnvId::new("test")).unwrap().unwrap();
    assert!(mark.swept.is_some());
    // An hour later bill 2 is far below the mark's floor; the ledger brings it back.
    tokio::time::sleep(Duration::from_secs(3600)).await;
    bench.world.add(3, "B");
    bench.whole_run().await;
    tokio::time::sleep(Duration::from_secs(3600)).await;
    bench.world.change(2, |d| d.status = Status::Submitted);
    bench.world.add(4, "B");
    let run = bench.start_plan().await;
    let row = bench.awaiting(run).await;
    let collected = row.collected.unwrap();
    assert_eq!((collected.sweep, collected.carried, row.tally.found), (false, 1, 2));
    let approve = bench.approval(run);
    bench.accepted(approve).await;
    bench.closed(run).await;
    assert_eq!(bench.word(run, 2), "audited");
    assert_eq!(bench.store.unresolved(None).unwrap(), 0);
    bench.check();
}

#[tokio::test(start_paused = true)]
async fn the_hash_says_which_set_it_is_and_one_row_a_bill_whatever_moves_between_pages() {
    let mut bench = Bench::started().await;
    bench.world.submitted(1..=30);
    bench.world.with(|s| {
        s.between = Some(Box::new(|s, page| {
            // Rows leave the filter while it is read.
            if let Some(doc) = s.docs.get_mut(&fid(u64::from(page) * 3)) {
                doc.status = Status::Audited;
            }
        }));
    });
    let run = bench.start_plan().await;
    let row = bench.awaiting(run).await;
    assert_eq!(row.tally.found, 30, "what was read stays in the set; it is read again before its call");
    let approve = bench.approval(run);
    bench.accepted(approve).await;
    let row = bench.closed(run).await;
    assert_eq!(row.tally.audited + row.tally.already, 30);
    bench.check();
}

#[tokio::test(start_paused = true)]
async fn a_failed_page_writes_nothing_and_moves_no_mark() {
    let mut bench = Bench::started().await;
    bench.world.submitted(1..=30);
    bench.world.with(|s| s.between = Some(Box::new(|s, page| s.reads_down = page >= 2)));
    let run = bench.start_plan().await;
    let row = bench.closed(run).await;
    assert!(matches!(row.state, RunState::Closed(RunEnd::CollectFailed(_))), "{:?}", row.state);
    assert_eq!((bench.world.with(|s| s.posts.len()), bench.store.unresolved(None).unwrap()), (0, 0));
    assert!(bench.store.mark(&PlanId::new("p"), &EnvId::new("test")).unwrap().is_none());
    bench.world.with(|s| (s.reads_down, s.between) = (false, None));
    // A page that fails once is asked again.
    bench.world.with(|s| s.read_faults.push_back(FaultKind::NoAnswer));
    assert_eq!(bench.whole_run().await.tally.audited, 30);
    bench.check();
}

#[tokio::test(start_paused = true)]
async fn nothing_found_closes_the_run_as_empty() {
    let mut bench = Bench::started().await;
    let row = bench.whole_run().await;
    assert_eq!(row.state, RunState::Closed(RunEnd::Empty));
}
