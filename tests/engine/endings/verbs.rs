//! A run of a verb ends by itself, after its unknown bills were read back; a run of a person waits for its person.

use std::time::Duration;

use super::{Sender, bench, console, give, lose, minutes, put_to_work, start, stopped_runs, why};
use crate::engine_support::*;
use skydeck::domain::bill::{Outcome, Slot};
use skydeck::domain::command::{Command, Receipt};
use skydeck::domain::event::Event;
use skydeck::domain::reason::Reason;
use skydeck::domain::run::{PauseWhy, RunEnd, RunState};
use skydeck::domain::time::Clock;
use skydeck::engine::ports::FaultKind;

#[tokio::test(start_paused = true)]
async fn a_run_of_a_verb_ends_by_itself_whoever_looks_on_and_reads_unknown_bills_back_before() {
    let mut bench = bench(3, 6).await;
    lose(&bench, 3);
    let _looks_on = console(&bench, 1000);
    let run = put_to_work(&mut bench, Sender::Verb).await;
    let begun = bench.clock.mono();
    let row = bench.closed(run).await;
    assert_eq!(why(&row), Reason::BreakerUnknown { n: 3 });
    assert!(row.head.headless);
    let (took, limit) = (bench.clock.mono().saturating_sub(begun), bench.env.limits.settle);
    assert!(took >= limit, "the server's limit was waited out");
    assert!(took < limit + Duration::from_secs(60), "and no longer: {took:?}");
    assert_eq!((row.tally.failed, row.tally.not_reached, row.tally.unknown), (3, 3, 0), "{:?}", row.tally);
    for n in 1..=6 {
        // Called, and read back as not applied: that is not the same as never called.
        let word = if n <= 3 { "failed:not_applied" } else { "not_reached:not_reached" };
        assert_eq!(bench.word(run, n), word);
        assert_eq!(bench.world.posts_of(n), usize::from(n <= 3), "nothing is repeated once it stopped");
    }
    let facts = bench.facts();
    assert!(!facts.iter().any(|f| matches!(f.event, Event::RunPaused { .. })), "it never paused");
    let end = facts.iter().position(|f| matches!(f.event, Event::RunClosed { .. })).unwrap();
    assert!(facts[end..].iter().all(|f| !matches!(f.event, Event::BillSettled { .. })));
    assert_eq!(stopped_runs(&bench), [run]);
    bench.check();
}

#[tokio::test(start_paused = true)]
async fn what_took_effect_all_the_same_is_told_as_done() {
    let mut bench = bench(2, 4).await;
    bench.world.with(|s| s.trouble.extend([Trouble::LostAfter, Trouble::LostAfter]));
    let run = put_to_work(&mut bench, Sender::Verb).await;
    let row = bench.closed(run).await;
    assert_eq!(why(&row), Reason::BreakerUnknown { n: 2 });
    assert_eq!((row.tally.audited, row.tally.not_reached), (2, 2));
    assert_eq!(bench.word(run, 1), "audited:verified");
    bench.check();
}

#[tokio::test(start_paused = true)]
async fn a_run_of_a_console_pauses_and_waits_for_its_person() {
    let mut bench = bench(3, 6).await;
    lose(&bench, 3);
    let run = put_to_work(&mut bench, Sender::Console).await;
    let row = bench.paused(run).await;
    assert_eq!(row.state, RunState::Paused(PauseWhy::Breaker(Reason::BreakerUnknown { n: 3 })));
    minutes(600).await;
    let row = bench.run(run);
    assert!(matches!(row.state, RunState::Paused(_)), "with its console gone it waits, too: {:?}", row.state);
    assert_eq!((row.tally.unknown, row.tally.waiting), (0, 6), "read back meanwhile");
    // Gone on with by a verb, it is that verb's.
    lose(&bench, 9);
    assert!(matches!(give(&mut bench, Sender::Verb, Command::Resume { run }).await, Receipt::Accepted { .. }));
    assert!(matches!(why(&bench.closed(run).await), Reason::BreakerUnknown { .. }));
    bench.check();
}

#[tokio::test(start_paused = true)]
async fn the_last_order_that_put_it_to_work_says_whether_somebody_is_there() {
    let mut bench = bench(3, 6).await;
    lose(&bench, 3);
    let run = start(&mut bench, Sender::Verb).await;
    bench.awaiting(run).await;
    // The second person approves at a console.
    let approve = bench.approval(run);
    assert!(matches!(give(&mut bench, Sender::Console, approve).await, Receipt::Accepted { .. }));
    bench.paused(run).await;
    bench.check();
}

#[tokio::test(start_paused = true)]
async fn a_person_who_pauses_or_cancels_is_obeyed_in_a_run_of_a_verb_too() {
    let mut bench = bench(0, 30).await;
    bench.world.with(|s| s.trouble.extend(std::iter::repeat_n(Trouble::Slow(Duration::from_secs(5)), 30)));
    let run = put_to_work(&mut bench, Sender::Verb).await;
    tokio::time::sleep(Duration::from_secs(12)).await;
    bench.accepted(Command::Pause { run }).await;
    let row = bench.paused(run).await;
    assert_eq!(row.state, RunState::Paused(PauseWhy::Operator));
    minutes(600).await;
    assert!(matches!(bench.run(run).state, RunState::Paused(PauseWhy::Operator)), "a pause of a person stays one");
    assert!(stopped_runs(&bench).is_empty());
    bench.accepted(Command::Cancel { run }).await;
    let row = bench.closed(run).await;
    assert_eq!(row.state, RunState::Closed(RunEnd::Cancelled));
    assert!(row.tally.not_reached > 0 && stopped_runs(&bench).is_empty());
    bench.check();
}

#[tokio::test(start_paused = true)]
async fn a_cancel_while_unknown_bills_are_waited_for_is_the_persons_end() {
    let mut bench = bench(3, 6).await;
    lose(&bench, 3);
    let run = put_to_work(&mut bench, Sender::Verb).await;
    bench.until(run, "settling", |s| *s == RunState::Settling).await;
    bench.accepted(Command::Cancel { run }).await;
    let row = bench.closed(run).await;
    assert_eq!(row.state, RunState::Closed(RunEnd::Cancelled));
    assert_eq!((row.tally.unknown, row.tally.not_reached), (3, 3));
    bench.check();
}

#[tokio::test(start_paused = true)]
async fn a_server_that_refuses_us_is_not_waited_for() {
    let mut bench = bench(0, 5).await;
    bench.world.with(|s| s.trouble.push_back(Trouble::Credentials));
    let run = start(&mut bench, Sender::Verb).await;
    bench.awaiting(run).await;
    let approve = bench.approval(run);
    // From the refusal on every read is refused, too.
    let world = std::sync::Arc::clone(&bench.world);
    tokio::spawn(async move {
        while world.with(|s| s.posts.is_empty()) {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        world.with(|s| s.read_faults.extend(std::iter::repeat_n(FaultKind::Credentials, 50)));
    });
    let begun = bench.clock.mono();
    assert!(matches!(give(&mut bench, Sender::Verb, approve).await, Receipt::Accepted { .. }));
    let row = bench.closed(run).await;
    assert_eq!(why(&row), Reason::SignInRefused { said: "wrong secret".into() });
    assert!(bench.clock.mono().saturating_sub(begun) < Duration::from_secs(10), "nothing is left to wait for");
    assert_eq!((row.tally.unknown, row.tally.not_reached), (1, 4));
    let groups = bench.store.ledger_groups(None).unwrap();
    let of = |slot: Slot| groups.iter().filter(|g| g.slot == slot).map(|g| g.count).sum::<u64>();
    assert_eq!((of(Slot::Unknown), of(Slot::NotReached)), (1, 4), "nothing is forgotten");
    bench.check();
}

#[tokio::test(start_paused = true)]
async fn a_server_that_is_gone_after_collecting_ends_the_run_with_nothing_reached() {
    let mut bench = bench(0, 5).await;
    let run = start(&mut bench, Sender::Verb).await;
    bench.awaiting(run).await;
    bench.world.with(|s| s.reads_down = true);
    let approve = bench.approval(run);
    assert!(matches!(give(&mut bench, Sender::Verb, approve).await, Receipt::Accepted { .. }));
    let row = bench.closed(run).await;
    assert_eq!(why(&row).code(), "unreachable");
    assert_eq!((row.tally.not_reached, row.tally.found), (5, 5));
    let waits = bench.facts().iter().any(|fact| matches!(fact.event, Event::RunSettling { .. }));
    assert!(!waits, "nothing is unknown, so that nothing is waited for");
    bench.check();
}

#[tokio::test(start_paused = true)]
async fn a_server_that_stays_silent_holds_the_end_only_so_long() {
    let mut bench = bench(2, 4).await;
    lose(&bench, 2);
    let run = put_to_work(&mut bench, Sender::Verb).await;
    bench.until(run, "settling", |s| *s == RunState::Settling).await;
    // It answered when it was asked whether waiting is of any use, and never again.
    tokio::time::sleep(Duration::from_secs(5)).await;
    bench.world.with(|s| s.reads_down = true);
    let begun = bench.clock.mono();
    let row = bench.closed(run).await;
    assert!(bench.clock.mono().saturating_sub(begun) <= bench.env.limits.settle + Duration::from_secs(300));
    assert_eq!((row.tally.unknown, row.tally.not_reached), (2, 2));
    assert_eq!(why(&row), Reason::BreakerUnknown { n: 2 });
    bench.check();
}

#[tokio::test(start_paused = true)]
async fn a_server_that_asks_for_a_long_wait_holds_the_end_no_longer() {
    let mut bench = bench(2, 4).await;
    lose(&bench, 2);
    let run = put_to_work(&mut bench, Sender::Verb).await;
    bench.until(run, "settling", |s| *s == RunState::Settling).await;
    tokio::time::sleep(Duration::from_secs(5)).await;
    bench.world.with(|s| (s.reads_down, s.asks_to_wait) = (true, Some(Duration::from_secs(600))));
    let begun = bench.clock.mono();
    let row = bench.closed(run).await;
    let took = bench.clock.mono().saturating_sub(begun);
    assert!(took <= bench.env.limits.settle + Duration::from_secs(130), "{took:?}");
    assert_eq!((row.tally.unknown, row.tally.not_reached), (2, 2));
    bench.check();
}

/// What is due to be read back when the run stops is read before it ends.
#[tokio::test(start_paused = true)]
async fn a_run_that_stops_reads_back_first_what_it_lost_long_before() {
    let mut bench = bench(0, 3).await;
    bench.world.with(|s| {
        s.trouble.push_back(Trouble::LostAfter);
        s.trouble.push_back(Trouble::Slow(Duration::from_secs(400)));
    });
    let run = put_to_work(&mut bench, Sender::Verb).await;
    while bench.world.with(|s| s.posts.len()) < 2 {
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    tokio::time::sleep(bench.env.limits.settle).await;
    // The call in flight is answered in words that stop the plan.
    bench.world.with(|s| s.trouble_of.insert(fid(3), [Trouble::Refused(2, "您没有该功能的操作权限")].into()));
    let row = bench.closed(run).await;
    assert_eq!(why(&row).code(), "plan_wide");
    assert_eq!((bench.word(run, 1).as_str(), row.tally.unknown), ("audited:verified", 0));
    bench.check();
}

#[tokio::test(start_paused = true)]
async fn a_refused_bill_whose_turn_does_not_come_again_is_failed_with_the_erps_words() {
    let mut bench = bench(2, 5).await;
    let words = "“demo”使用业务单据：“销售订单”业务操作冲突，请稍候再使用。";
    bench.world.with(|s| {
        s.trouble.push_back(Trouble::Refused(0, words));
        s.trouble.extend([Trouble::LostBefore, Trouble::LostBefore]);
    });
    let run = put_to_work(&mut bench, Sender::Verb).await;
    let row = bench.closed(run).await;
    assert_eq!(why(&row), Reason::BreakerUnknown { n: 2 });
    assert_eq!((row.tally.failed, row.tally.not_reached), (3, 2), "{:?}", row.tally);
    let Outcome::Failed(failure) = bench.outcome(run, 1) else { panic!("{:?}", bench.outcome(run, 1)) };
    assert_eq!((failure.cause.as_str(), failure.message.as_str()), ("lock", words));
    bench.check();
}

#[tokio::test(start_paused = true)]
async fn every_way_of_not_going_on_ends_a_run_of_a_verb() {
    for (trouble, code) in [
        (vec![Trouble::Panic], "task_died"),
        (vec![Trouble::WrongIds], "wrong_ids"),
        (vec![Trouble::NotSent; 5], "unreachable"),
        (vec![Trouble::Refused(2, "您没有该功能的操作权限")], "plan_wide"),
        (vec![Trouble::SessionLost; 3], "session_lost"),
    ] {
        let mut bench = bench(0, 8).await;
        bench.world.with(|s| s.trouble.extend(trouble.clone()));
        let run = put_to_work(&mut bench, Sender::Verb).await;
        let row = bench.closed(run).await;
        assert!(matches!(row.state, RunState::Closed(RunEnd::Stopped(_))), "{trouble:?}: {:?}", row.state);
        assert_eq!(why(&row).code(), code, "{trouble:?}: {:?}", row.state);
        assert!(row.tally.not_reached > 0 && row.tally.waiting == 0, "{trouble:?}: {:?}", row.tally);
    }
    // The canary, and a read that cannot be cured.
    let mut canary = bench(0, 8).await;
    canary.crash().await;
    canary.env.limits.canary = 5;
    canary.try_start().await.unwrap();
    canary.world.with(|s| s.trouble.extend(vec![Trouble::Refused(11, "库存不足"); 2]));
    let run = put_to_work(&mut canary, Sender::Verb).await;
    let row = canary.closed(run).await;
    assert_eq!((why(&row).code().as_str(), row.tally.failed, row.tally.not_reached), ("canary", 2, 6));
    let mut spoilt = bench(0, 8).await;
    let run = start(&mut spoilt, Sender::Verb).await;
    spoilt.awaiting(run).await;
    spoilt.world.with(|s| s.read_faults.push_back(FaultKind::TooLarge));
    let approve = spoilt.approval(run);
    assert!(matches!(give(&mut spoilt, Sender::Verb, approve).await, Receipt::Accepted { .. }));
    assert_eq!(why(&spoilt.closed(run).await).code(), "read_failed");
}
