//! Crashes, failed stores and failed calls: at every place, once and from then on, also while recovering.

use std::time::Duration;

use crate::engine_support::*;
use skydeck::domain::command::{Command, Order, Receipt, Refusal, StartParams};
use skydeck::domain::ids::{CommandId, RunId};
use skydeck::domain::query::{Answer, PageRequest, Query};
use skydeck::domain::reason::{LeftOut, Reason};
use skydeck::domain::run::{PauseWhy, Revision, RunEnd, RunState};
use skydeck::domain::run_list::{RunLine, RunsAsked};

/// Brings whatever is open to an end, as an operator would.
async fn finish(bench: &mut Bench) {
    for _ in 0..20 {
        let open = bench.store.open_runs().unwrap();
        let Some(row) = open.first() else { return };
        let run = row.head.id;
        let order = match &row.state {
            RunState::AwaitingApproval => Some(bench.approval(run)),
            RunState::Paused(_) | RunState::Interrupted => Some(Command::Resume { run }),
            RunState::Collecting | RunState::Working | RunState::Settling | RunState::Closed(_) => None,
        };
        if let Some(order) = order
            && let Receipt::Refused(why) = bench.order(order).await
        {
            assert!(matches!(why, Refusal::Store(_)), "{why:?}");
            return;
        }
        for _ in 0..2000 {
            let state = bench.run(run).state;
            if !matches!(state, RunState::Collecting | RunState::Working | RunState::Settling) {
                break;
            }
            // With a failed store the pause is shown, not stored; a run stored by the failing append is not shown.
            let live = bench.engine.as_ref().unwrap().watch().live;
            match live.runs.get(&run).map(|r| &r.row.state) {
                None | Some(RunState::Paused(_)) => return,
                Some(_) => {}
            }
            tokio::time::sleep(Duration::from_millis(500)).await;
        }
    }
    panic!("the runs do not come to an end: {:?}", bench.store.open_runs().unwrap());
}

/// The runs that answers tell of as being at work, when nothing can be written any more.
async fn told_at_work(bench: &Bench) -> Vec<(&'static str, RunState)> {
    let engine = bench.engine.as_ref().unwrap();
    let page = PageRequest::first(50);
    let mut told: Vec<(&'static str, RunState)> =
        engine.watch().live.open().map(|run| ("live", run.row.state.clone())).collect();
    let lines = Query::RunLines { asked: RunsAsked::default(), page: page.clone() };
    for query in [Query::Runs(page), lines, Query::Plans] {
        match engine.ask(query).await.unwrap() {
            Answer::Runs(rows) => told.extend(rows.rows.into_iter().map(|(_, row)| ("runs", row.state))),
            Answer::RunLines(rows) => told.extend(rows.rows.into_iter().filter_map(|(_, line)| match line {
                RunLine::Run { row, .. } => Some(("lines", row.state)),
                RunLine::Day(_) | RunLine::Nothing(_) => None,
            })),
            Answer::Plans(plans) => {
                told.extend(plans.into_iter().flat_map(|plan| plan.last).map(|row| ("plans", row.state)));
            }
            other => panic!("{other:?}"),
        }
    }
    for row in bench.store.open_runs().unwrap() {
        match engine.ask(Query::Run(row.head.id)).await.unwrap() {
            Answer::Run(Some(row)) => told.push(("run", row.state)),
            other => panic!("{other:?}"),
        }
        let bills = bench.store.in_flight(row.head.id).unwrap();
        for bill in bills {
            let Answer::Bill { runs, .. } = engine.ask(Query::Bill(bill.key.clone())).await.unwrap() else { panic!() };
            told.extend(runs.into_iter().map(|run| ("bill", run.row.state)));
        }
    }
    told.retain(|(_, state)| matches!(state, RunState::Collecting | RunState::Working | RunState::Settling));
    told
}

#[tokio::test(start_paused = true)]
async fn a_run_whose_process_died_is_nowhere_told_as_writing_on_a_disk_that_is_still_full() {
    let mut bench = died_at_work().await;
    let before = bench.store.appends.load(std::sync::atomic::Ordering::SeqCst);
    *bench.store.fail.lock().unwrap() = Some((before + 1, true, false));
    bench.try_start().await.unwrap();
    let open = bench.store.open_runs().unwrap();
    assert!(
        matches!(open.as_slice(), [row] if row.state == RunState::Working),
        "the store does not know yet: {open:?}"
    );
    assert_eq!(Box::pin(told_at_work(&bench)).await, []);
    let Answer::Run(Some(row)) = bench.engine.as_ref().unwrap().ask(Query::Run(open[0].head.id)).await.unwrap() else {
        panic!("the run is gone")
    };
    assert!(matches!(&row.state, RunState::Paused(PauseWhy::Store(Reason::Disk { .. }))), "{:?}", row.state);
    assert!(row.tally.unknown > 0 && row.tally.closes(), "a call without an answer is unknown: {:?}", row.tally);
    // With room again it is what it was.
    bench.crash().await;
    *bench.store.fail.lock().unwrap() = None;
    bench.try_start().await.unwrap();
    assert_eq!(bench.run(open[0].head.id).state, RunState::Interrupted);
}

async fn until_all_audited(bench: &mut Bench, bills: u64) {
    for _ in 0..6 {
        finish(bench).await;
        if (1..=bills).all(|n| bench.world.status(n) == "C") {
            return;
        }
        bench.start_plan().await;
    }
    panic!("bills were forgotten");
}

#[tokio::test(start_paused = true)]
async fn a_crash_at_any_moment_loses_nothing_and_repeats_nothing_blindly() {
    for millis in (10..3000).step_by(37) {
        let mut bench = Bench::started().await;
        bench.env.limits.per_minute = 600;
        bench.try_start().await.unwrap();
        bench.world.submitted(1..=9);
        bench.world.with(|s| {
            s.trouble_of.insert(fid(2), [Trouble::LostAfter].into());
            s.trouble_of.insert(fid(4), [Trouble::LostBefore].into());
        });
        let run = bench.start_plan().await;
        if millis > 200 {
            bench.awaiting(run).await;
            let approve = bench.approval(run);
            bench.accepted(approve).await;
        }
        tokio::time::sleep(Duration::from_millis(millis)).await;
        bench.crash().await;
        bench.try_start().await.unwrap();
        bench.check();
        let row = bench.run(run);
        match row.state {
            RunState::Closed(RunEnd::CollectFailed(_)) | RunState::AwaitingApproval => assert!(millis <= 200),
            RunState::Interrupted | RunState::Closed(RunEnd::Completed) => {}
            other => panic!("{other:?} after a crash at {millis}"),
        }
        assert!(bench.store.in_flight(run).unwrap().is_empty(), "an intent without an answer is unknown");
        let posts = bench.world.with(|s| s.posts.len());
        tokio::time::sleep(Duration::from_secs(300)).await;
        assert_eq!(bench.world.with(|s| s.posts.len()), posts, "nothing is called before the operator resumes");
        assert_eq!(bench.run(run).tally.unknown, 0, "unknown bills are settled without being asked");
        until_all_audited(&mut bench, 9).await;
        assert_eq!(bench.world.with(|s| s.audits.len()), 9);
        bench.check();
    }
}

#[tokio::test(start_paused = true)]
async fn a_bill_the_process_dies_on_three_times_is_left_alone() {
    let mut bench = Bench::started().await;
    bench.world.add(1, "B");
    bench.world.with(|s| {
        s.trouble_of.insert(fid(1), (0..9).map(|_| Trouble::LostBefore).collect());
    });
    for death in 1..=3 {
        let run = bench.start_plan().await;
        bench.awaiting(run).await;
        let approve = bench.approval(run);
        bench.accepted(approve).await;
        let posts = bench.world.with(|s| s.posts.len());
        while bench.world.with(|s| s.posts.len()) == posts {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        bench.crash().await;
        bench.try_start().await.unwrap();
        tokio::time::sleep(Duration::from_secs(200)).await;
        let row = bench.run(run);
        if row.state == RunState::Interrupted {
            bench.accepted(Command::Cancel { run }).await;
            bench.closed(run).await;
        }
        if death == 3 {
            assert_eq!(bench.word(run, 1), "skipped:quarantined");
        }
    }
    let posts = bench.world.with(|s| s.posts.len());
    assert_eq!(posts, 3);
    let row = bench.whole_run().await;
    let unchanged = row.collected.and_then(|collected| collected.unchanged).map(|left| left.bills);
    assert_eq!((row.tally.found, unchanged), (0, Some(1)), "it was said, and waits for a person");
    assert_eq!(bench.world.with(|s| s.posts.len()), 3);
    // No retry takes it by the way; a person closes it, with a reason.
    let left_out = |why| Refusal::Nothing(Reason::NothingMatches { left_out: vec![(why, 1)] });
    let retry = Command::Retry { selection: Bench::all_matching(), revision: Revision::Newest };
    assert_eq!(bench.refused(retry).await, left_out(LeftOut::Quarantined));
    let verify = bench.accepted(Command::Verify { selection: Bench::all_matching() }).await.unwrap();
    assert_eq!(bench.closed(verify).await.tally.found, 1, "reading takes it");
    bench.accepted(Command::Resolve { selection: Bench::all_matching(), reason: "done by hand".into() }).await;
    assert_eq!(bench.store.unresolved(None).unwrap(), 0);
    bench.check();
}

#[tokio::test(start_paused = true)]
async fn every_append_may_fail_once_or_for_good_stored_or_not() {
    for (from_then, stored) in [(false, false), (true, false), (false, true)] {
        let mut n = 1;
        loop {
            let mut bench = Bench::started().await;
            bench.world.submitted(1..=4);
            bench.world.with(|s| drop(s.trouble_of.insert(fid(2), [Trouble::LostAfter].into())));
            *bench.store.fail.lock().unwrap() = Some((n, from_then, stored));
            let start = Command::Start { plan: skydeck::domain::ids::PlanId::new("p"), params: StartParams::default() };
            bench.order(start).await;
            finish(&mut bench).await;
            let failed = bench.engine.as_ref().unwrap().watch();
            let reached = bench.store.appends.load(std::sync::atomic::Ordering::SeqCst) >= n;
            if reached {
                // Nothing leaves after the failure.
                let posts = bench.world.with(|s| s.posts.len());
                tokio::time::sleep(Duration::from_secs(400)).await;
                assert_eq!(bench.world.with(|s| s.posts.len()), posts, "append {n}");
                for run in failed.live.open() {
                    let state = &run.row.state;
                    let shown = matches!(state, RunState::Paused(PauseWhy::Store(_)) | RunState::AwaitingApproval);
                    assert!(shown || state.is_closed(), "append {n}: {state:?}");
                }
                if from_then {
                    assert_eq!(Box::pin(told_at_work(&bench)).await, [], "append {n}");
                }
            }
            drop(failed);
            bench.crash().await;
            *bench.store.fail.lock().unwrap() = None;
            bench.try_start().await.unwrap();
            tokio::time::sleep(Duration::from_secs(200)).await;
            until_all_audited(&mut bench, 4).await;
            assert_eq!(bench.world.with(|s| s.audits.len()), 4, "append {n} {from_then} {stored}");
            bench.check();
            if !reached {
                break;
            }
            n += 1;
        }
        assert!(n > 10, "the loop reached only {n} appends");
    }
}

/// A run of six bills, one of them with its answer lost, whose process died between intent and outcome.
async fn died_at_work() -> Bench {
    let mut bench = Bench::started().await;
    bench.world.submitted(1..=6);
    bench.world.with(|s| drop(s.trouble_of.insert(fid(2), [Trouble::LostAfter].into())));
    let run = bench.start_plan().await;
    bench.awaiting(run).await;
    let approve = bench.approval(run);
    bench.accepted(approve).await;
    tokio::time::sleep(Duration::from_millis(120)).await;
    bench.crash().await;
    bench
}

#[tokio::test(start_paused = true)]
async fn every_append_of_a_recovery_may_fail_too() {
    for (from_then, stored) in [(false, false), (true, false), (false, true)] {
        let mut n = 1;
        loop {
            let mut bench = died_at_work().await;
            let before = bench.store.appends.load(std::sync::atomic::Ordering::SeqCst);
            *bench.store.fail.lock().unwrap() = Some((before + n, from_then, stored));
            if bench.try_start().await.is_ok() {
                tokio::time::sleep(Duration::from_secs(200)).await;
                finish(&mut bench).await;
            }
            let reached = bench.store.appends.load(std::sync::atomic::Ordering::SeqCst) >= before + n;
            bench.crash().await;
            *bench.store.fail.lock().unwrap() = None;
            bench.try_start().await.unwrap();
            tokio::time::sleep(Duration::from_secs(200)).await;
            until_all_audited(&mut bench, 6).await;
            assert_eq!(bench.world.with(|s| s.audits.len()), 6, "append {n} {from_then} {stored}");
            bench.check();
            if !reached {
                break;
            }
            n += 1;
        }
        assert!(n > 6, "a recovery reached only {n} appends");
    }
}

#[tokio::test(start_paused = true)]
async fn every_call_of_a_recovery_may_fail_once_or_for_good() {
    for from_then in [false, true] {
        let mut n = 1;
        loop {
            let mut bench = died_at_work().await;
            let before = bench.world.with(|s| s.calls);
            bench.world.with(|s| s.fail_call = Some((before + n, from_then)));
            bench.try_start().await.unwrap();
            tokio::time::sleep(Duration::from_secs(200)).await;
            bench.check();
            let row = bench.store.open_runs().unwrap().into_iter().next().expect("the run is still open");
            if row.state == RunState::Interrupted {
                // What was in flight is never called again on a guess, however its reading back went.
                bench.order(Command::Resume { run: row.head.id }).await;
                tokio::time::sleep(Duration::from_secs(200)).await;
            }
            bench.check();
            let reached = bench.world.with(|s| s.calls) >= before + n;
            // The ERP is there again, and this process too dies once more before it may notice.
            bench.crash().await;
            bench.world.with(|s| s.fail_call = None);
            bench.try_start().await.unwrap();
            tokio::time::sleep(Duration::from_secs(200)).await;
            until_all_audited(&mut bench, 6).await;
            assert_eq!(bench.world.with(|s| s.audits.len()), 6, "call {n} {from_then}");
            bench.check();
            if !reached {
                break;
            }
            n += 1;
        }
        assert!(n > 4, "a recovery reached only {n} calls");
    }
}

#[tokio::test(start_paused = true)]
async fn every_call_may_fail_once_or_for_good() {
    for from_then in [false, true] {
        let mut n = 1;
        loop {
            let mut bench = Bench::started().await;
            bench.world.submitted(1..=4);
            bench.world.with(|s| s.fail_call = Some((n, from_then)));
            bench.start_plan().await;
            for _ in 0..3 {
                let open = bench.store.open_runs().unwrap();
                let Some(row) = open.first() else { break };
                let run = row.head.id;
                let row = bench
                    .until(run, "at rest", |s| {
                        !matches!(s, RunState::Collecting | RunState::Working | RunState::Settling)
                    })
                    .await;
                match row.state {
                    RunState::AwaitingApproval => {
                        let approve = bench.approval(run);
                        bench.accepted(approve).await;
                    }
                    RunState::Paused(_) => {
                        bench.accepted(Command::Resume { run }).await;
                    }
                    _ => {}
                }
            }
            bench.check();
            let reached = bench.world.with(|s| s.calls) >= n;
            bench.world.with(|s| s.fail_call = None);
            tokio::time::sleep(Duration::from_secs(200)).await;
            until_all_audited(&mut bench, 4).await;
            assert_eq!(bench.world.with(|s| s.audits.len()), 4, "call {n}");
            bench.check();
            if !reached {
                break;
            }
            n += 1;
        }
        assert!(n > 6, "the loop reached only {n} calls");
    }
}

#[tokio::test(start_paused = true)]
async fn an_approved_run_resumes_under_the_same_plan_only() {
    let mut bench = Bench::started().await;
    bench.env.limits.per_minute = 60;
    bench.try_start().await.unwrap();
    bench.world.submitted(1..=9);
    let run = bench.start_plan().await;
    bench.awaiting(run).await;
    let approve = bench.approval(run);
    bench.accepted(approve).await;
    tokio::time::sleep(Duration::from_secs(1)).await;
    bench.crash().await;
    bench.plans.0.lock().unwrap()[0].rev = skydeck::domain::ids::PlanRev::new("changed");
    bench.try_start().await.unwrap();
    tokio::time::sleep(Duration::from_secs(200)).await;
    assert!(matches!(bench.order(Command::Resume { run }).await, Receipt::Refused(_)));
    bench.accepted(Command::Cancel { run }).await;
    assert_eq!(bench.closed(run).await.state, RunState::Closed(RunEnd::Cancelled));
    until_all_audited(&mut bench, 9).await;
    bench.check();
}

/// A run with two calls in flight and four bills that wait.
async fn two_in_flight(bench: &mut Bench, headless: bool) -> RunId {
    bench.world.submitted(1..=6);
    bench.world.with(|s| {
        for n in 1..=2 {
            s.trouble_of.insert(fid(n), [Trouble::Slow(Duration::from_secs(30))].into());
        }
    });
    let run = bench.start_plan().await;
    bench.awaiting(run).await;
    let approve = bench.approval(run);
    bench.orders += 1;
    let id = CommandId(ulid::Ulid::from_parts(1, bench.orders));
    let order = Order { id, by: who("wang"), session: None, headless, command: approve };
    let receipt = bench.engine.as_ref().unwrap().submit(order).await;
    assert!(matches!(receipt, Receipt::Accepted { .. }), "{receipt:?}");
    while bench.world.with(|s| s.in_flight) < 2 {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    run
}

#[tokio::test(start_paused = true)]
async fn what_comes_of_calls_in_flight_is_unknown_at_once_where_the_store_takes_nothing_more() {
    let mut bench = Bench::started().await;
    let run = two_in_flight(&mut bench, false).await;
    let next = bench.store.appends.load(std::sync::atomic::Ordering::SeqCst) + 1;
    *bench.store.fail.lock().unwrap() = Some((next, true, false));
    let shown = loop {
        let live = bench.engine.as_ref().unwrap().watch().live;
        let row = live.runs[&run].row.clone();
        if matches!(row.state, RunState::Paused(PauseWhy::Store(_))) {
            break row;
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    };
    assert!(shown.tally.closes(), "{:?}", shown.tally);
    assert_eq!((shown.tally.unknown, shown.tally.waiting, shown.tally.audited), (2, 4, 0));
    // The disk is well again: both are read back, and none is called twice.
    *bench.store.fail.lock().unwrap() = None;
    bench.crash().await;
    bench.try_start().await.unwrap();
    bench.accepted(Command::Resume { run }).await;
    let row = bench.closed(run).await;
    assert_eq!((row.tally.audited, bench.world.with(|s| s.posts.len())), (6, 6));
    bench.check();
}

#[tokio::test(start_paused = true)]
async fn a_store_that_is_nearly_full_takes_the_outcomes_of_calls_in_flight_and_lets_none_leave() {
    for headless in [false, true] {
        let mut bench = Bench::started().await;
        let run = two_in_flight(&mut bench, headless).await;
        bench.store.full.store(true, std::sync::atomic::Ordering::SeqCst);
        let row = bench.paused(run).await;
        assert!(matches!(row.state, RunState::Paused(PauseWhy::Store(_))), "{:?}", row.state);
        assert_eq!((row.tally.audited, row.tally.unknown, row.tally.waiting), (2, 0, 4));
        assert_eq!(bench.world.with(|s| s.posts.len()), 2, "nothing more left");
        let refused = bench.refused(Command::Resume { run }).await;
        assert!(refused.to_string().contains("no space"), "{refused}");
        bench.store.full.store(false, std::sync::atomic::Ordering::SeqCst);
        bench.crash().await;
        bench.try_start().await.unwrap();
        bench.accepted(Command::Resume { run }).await;
        let row = bench.closed(run).await;
        assert_eq!((row.tally.audited, bench.world.with(|s| s.posts.len())), (6, 6));
        bench.check();
    }
}
