//! How runs end that cannot go on: by themselves where nobody is there, paused where somebody is; and what is told of runs
//! that nobody approved.

use std::time::Duration;

use crate::engine_support::*;
use skydeck::domain::bill::{Outcome, Slot};
use skydeck::domain::command::{Command, Order, Receipt, StartParams};
use skydeck::domain::event::Event;
use skydeck::domain::filter::Filter;
use skydeck::domain::ids::{CommandId, PlanId, RunId};
use skydeck::domain::plan::{Approver, Missed, Schedule};
use skydeck::domain::query::{Answer, Look, PageRequest, PlanProblem, Query, Scope};
use skydeck::domain::reason::Reason;
use skydeck::domain::run::{BillRow, PauseWhy, RunEnd, RunRow, RunState};
use skydeck::domain::time::Clock;
use skydeck::domain::who::Who;
use skydeck::engine::api::Watch;
use skydeck::engine::ports::FaultKind;
use skydeck::store::Store;
use skydeck::store::actions::Line;

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
    assert!(bench.clock.mono().saturating_sub(begun) >= bench.env.limits.settle, "the server's limit was waited out");
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

#[tokio::test(start_paused = true)]
async fn an_end_by_itself_is_remembered_until_a_later_run_goes_through_or_a_person_starts_one() {
    let mut bench = bench(3, 6).await;
    lose(&bench, 3);
    let first = put_to_work(&mut bench, Sender::Clock).await;
    bench.closed(first).await;
    assert_eq!(stopped_runs(&bench), [first]);
    // A query that fails takes its place; a set that is declined, a verb that begins: none of them mends it.
    bench.world.with(|s| s.read_faults.push_back(FaultKind::TooLarge));
    let failed = start(&mut bench, Sender::Clock).await;
    assert!(matches!(bench.closed(failed).await.state, RunState::Closed(RunEnd::CollectFailed(_))));
    let declined = start(&mut bench, Sender::Verb).await;
    bench.awaiting(declined).await;
    give(&mut bench, Sender::Verb, Command::Decline { run: declined }).await;
    bench.closed(declined).await;
    assert_eq!(stopped_runs(&bench), [failed]);
    bench.crash().await;
    bench.try_start().await.unwrap();
    assert_eq!(stopped_runs(&bench), [failed], "over a restart, too");
    let stands = &bench.store.stopped_runs().unwrap()[0];
    assert_eq!((stands.since, stands.times), (bench.run(first).closed.unwrap(), 2), "since the first of the row");
    let through = put_to_work(&mut bench, Sender::Verb).await;
    assert_eq!(bench.closed(through).await.state, RunState::Closed(RunEnd::Completed));
    assert!(stopped_runs(&bench).is_empty());
    // And by a person at a console, as soon as one starts.
    bench.world.submitted(10..=13);
    lose(&bench, 3);
    let again = put_to_work(&mut bench, Sender::Clock).await;
    bench.closed(again).await;
    assert_eq!(stopped_runs(&bench), [again]);
    start(&mut bench, Sender::Console).await;
    assert!(stopped_runs(&bench).is_empty());
}

/// A refusal that concerns the whole plan stops it after one call; the others were never called.
async fn stopped_by(cause: i64, words: &'static str, sender: Sender) -> (Bench, RunId) {
    let mut bench = bench(0, 5).await;
    bench.world.with(|s| s.trouble.push_back(Trouble::Refused(cause, words)));
    let run = put_to_work(&mut bench, sender).await;
    let row = bench.closed(run).await;
    assert!(matches!(row.state, RunState::Closed(RunEnd::Stopped(Reason::PlanWide { .. }))), "{:?}", row.state);
    assert_eq!((row.tally.failed, row.tally.not_reached), (1, 4));
    (bench, run)
}

#[tokio::test(start_paused = true)]
async fn what_was_not_reached_is_taken_up_by_the_next_run() {
    for sender in [Sender::Verb, Sender::Clock] {
        let (mut bench, stopped) = stopped_by(8, "参数错误", sender).await;
        assert_eq!(stopped_runs(&bench), [stopped]);
        let next = put_to_work(&mut bench, sender).await;
        let row = bench.closed(next).await;
        assert_eq!((row.tally.found, row.tally.audited), (4, 4), "{sender:?}: {row:?}");
        assert!(stopped_runs(&bench).is_empty());
        bench.check();
    }
}

#[tokio::test(start_paused = true)]
async fn what_a_missing_permission_kept_from_being_called_waits_for_its_probe_and_is_not_told_as_well() {
    let denied = "没有该功能的操作权限";
    let (mut bench, stopped) = stopped_by(11, denied, Sender::Clock).await;
    let empty = start(&mut bench, Sender::Clock).await;
    assert_eq!(bench.closed(empty).await.state, RunState::Closed(RunEnd::Empty), "asked today");
    assert_eq!(stopped_runs(&bench), [stopped], "it called nothing and shows nothing");
    // The next day one bill asks; then the others follow.
    minutes(24 * 60).await;
    for (found, left) in [(1, 1), (4, 0)] {
        let run = put_to_work(&mut bench, Sender::Clock).await;
        let row = bench.closed(run).await;
        assert_eq!((row.tally.found, row.tally.audited), (found, found), "{row:?}");
        assert!(stopped_runs(&bench).len() <= left);
    }
    // Somebody who starts the plan says that it can be done now.
    let (mut bench, _) = stopped_by(11, denied, Sender::Clock).await;
    let run = put_to_work(&mut bench, Sender::Verb).await;
    assert_eq!(bench.closed(run).await.tally.audited, 4);
    assert!(stopped_runs(&bench).is_empty());
    bench.check();
}

fn rows(bench: &Bench, scope: Scope, filter: &str) -> Vec<BillRow> {
    let filter = Filter::parse(filter).unwrap();
    let page = bench.store.bills(scope, &filter, &PageRequest::first(500), bench.clock.now()).unwrap();
    assert!(page.total.is_none_or(|total| total == page.rows.len() as u64), "{scope:?} {filter}: {:?}", page.total);
    page.rows.into_iter().map(|(_, row)| row).collect()
}

#[tokio::test(start_paused = true)]
async fn nothing_is_told_of_the_bills_of_a_run_that_nobody_approved() {
    let mut bench = bench(0, 3).await;
    bench.world.with(|s| s.trouble.push_back(Trouble::Refused(11, "库存不足")));
    let first = put_to_work(&mut bench, Sender::Console).await;
    bench.closed(first).await;
    bench.world.submitted(10..=14);
    let before = (rows(&bench, Scope::History, ""), rows(&bench, Scope::Ledger, ""));
    for end in ["declined", "cancelled", "collect_failed"] {
        if end == "collect_failed" {
            bench.world.with(|s| {
                s.between = Some(Box::new(|s, _| s.read_faults.push_back(FaultKind::TooLarge)));
            });
        }
        let run = start(&mut bench, Sender::Console).await;
        match end {
            "declined" => {
                bench.awaiting(run).await;
                bench.accepted(Command::Decline { run }).await;
            }
            "cancelled" => {
                bench.awaiting(run).await;
                bench.accepted(Command::Cancel { run }).await;
            }
            _ => {}
        }
        let row = bench.closed(run).await;
        let RunState::Closed(how) = &row.state else { panic!() };
        assert_eq!(how.word(), end);
        assert!(row.is_untold() && row.tally.waiting == row.tally.found && row.tally.found > 0, "{row:?}");
        let told = (rows(&bench, Scope::History, ""), rows(&bench, Scope::Ledger, ""));
        assert_eq!(told, before, "{end}: the history and the ledger are as they were");
        assert!(rows(&bench, Scope::History, "status:waiting").is_empty(), "{end}");
        let of_run = rows(&bench, Scope::Run(run), "");
        assert!(of_run.len() as u64 == row.tally.found && of_run.iter().all(|row| row.untold), "{end}: {of_run:?}");
        assert!(rows(&bench, Scope::Run(run), "status:waiting").is_empty(), "{end}: they wait for nothing");
        // The bill that failed before is what it was, and a bill nobody ever did anything about says so.
        let failed = bench.store.bill_of_run(first, &fid(1)).unwrap().unwrap();
        assert_eq!(bench.store.bill(&failed.key).unwrap(), Some(failed.clone()));
        assert_eq!(bench.store.find_number(&failed.no, 9).await.unwrap()[0], failed);
        let never = bench.store.bill_of_run(run, &fid(10)).unwrap().unwrap();
        assert!(bench.store.bill(&never.key).unwrap().unwrap().untold);
        bench.world.with(|s| s.between = None);
    }
    let end = bench.actions.lines().iter().rev().find(|l| l.contains("collect_failed")).cloned().unwrap();
    let line: Line = serde_json::from_str(&end).unwrap();
    assert!(line.deed.result.starts_with("the query failed, nothing was written: "), "{}", line.deed.result);
    assert!(!line.deed.result.contains("waiting") && !line.deed.result.contains("not reached"), "{}", line.deed.result);
    bench.check();
}

#[tokio::test(start_paused = true)]
async fn a_panic_while_collecting_leaves_nothing_that_could_be_resumed_unapproved() {
    let mut bench = bench(0, 3).await;
    bench.world.with(|s| s.between = Some(Box::new(|_, _| panic!("a poison page"))));
    let run = start(&mut bench, Sender::Console).await;
    let row = bench.closed(run).await;
    assert_eq!(row.state, RunState::Closed(RunEnd::CollectFailed(Reason::TaskDied { said: None })));
    assert_eq!(bench.world.state.lock().map_or_else(|e| e.into_inner().posts.len(), |s| s.posts.len()), 0);
}

#[tokio::test(start_paused = true)]
async fn a_preview_opens_no_run_and_says_what_a_run_would_find() {
    let mut bench = bench(0, 25).await;
    bench.world.add(30, "A");
    let before = (bench.facts(), bench.actions.lines());
    let query = Query::Preview { plan: PlanId::new("p"), sweep: false, text: None };
    let look = |bench: &Bench| {
        let engine = bench.engine.clone().unwrap();
        let query = query.clone();
        async move {
            let Answer::Preview(look) = engine.ask(query).await.unwrap() else { panic!("another answer") };
            look
        }
    };
    let Look::Found(seen) = look(&bench).await else { panic!("nothing found") };
    assert_eq!((seen.found, seen.collected.callable, seen.env.as_str()), (26, 25, "test"));
    assert_eq!((bench.facts(), bench.actions.lines()), before, "no fact, no line in the action log");
    let run = start(&mut bench, Sender::Console).await;
    let row = bench.awaiting(run).await;
    assert_eq!(row.collected.as_ref().unwrap().hash, seen.collected.hash, "the set it would have frozen");
    assert_eq!(row.head.filter, seen.filter);
    // Beside an open run of the plan, too: it is in nobody's way.
    assert!(matches!(look(&bench).await, Look::Found(_)));
    bench.world.with(|s| s.read_faults.push_back(FaultKind::Credentials));
    assert!(matches!(look(&bench).await, Look::Failed(Reason::SignInRefused { .. })));
    let Answer::Preview(look) = bench
        .engine
        .clone()
        .unwrap()
        .ask(Query::Preview { plan: PlanId::new("nope"), sweep: false, text: None })
        .await
        .unwrap()
    else {
        panic!("another answer")
    };
    assert!(matches!(look, Look::Refused(_)), "{look:?}");
    assert!(bench.world.with(|s| s.posts.is_empty()));
}

#[tokio::test(start_paused = true)]
async fn refusals_and_ends_stand_in_the_action_log_as_words_for_programs_too() {
    let mut bench = bench(3, 6).await;
    lose(&bench, 3);
    let run = put_to_work(&mut bench, Sender::Verb).await;
    bench.closed(run).await;
    let refused = give(&mut bench, Sender::Verb, Command::Resume { run }).await;
    assert!(matches!(refused, Receipt::Refused(_)));
    let lines: Vec<Line> = bench.actions.lines().iter().map(|l| serde_json::from_str(l).unwrap()).collect();
    let end = lines.iter().find(|l| l.deed.action == "run").unwrap();
    let args = end.deed.args.clone().unwrap();
    assert_eq!(end.deed.code.as_deref(), Some("stopped"));
    assert_eq!((&args["reason"], &args["reason_args"]["n"]), (&"breaker_unknown".into(), &3.into()));
    assert_eq!((&args["sum"]["not_reached"], &args["sum"]["failed"]), (&3.into(), &3.into()));
    assert_eq!(
        end.deed.result,
        "stopped by itself: 3 calls in a row without a usable answer; found 6 = audited 0 + already 0 + skipped 0 + \
         failed 3 + unknown 0 + not reached 3"
    );
    let refusal = &lines.last().unwrap().deed;
    assert_eq!(
        (refusal.code.as_deref(), refusal.args.as_ref().unwrap()["run"].as_str()),
        (Some("closed"), Some(run.to_string().as_str()))
    );
    assert!(refusal.result.contains("is closed"), "{}", refusal.result);
}

#[tokio::test(start_paused = true)]
async fn a_run_that_ended_by_itself_is_told_for_a_week_where_its_plan_is_gone_and_for_ever_where_it_is_not() {
    let mut bench = Bench::started().await;
    bench.plans.0.lock().unwrap().push(plan("other"));
    let unread = |bench: &Bench| bench.world.with(|s| s.read_faults.push_back(FaultKind::TooLarge));
    unread(&bench);
    let run = start(&mut bench, Sender::Clock).await;
    bench.closed(run).await;
    let day = Duration::from_secs(24 * 60 * 60);
    let told = async |bench: &Bench| match bench.engine.as_ref().unwrap().ask(Query::Stopped).await.unwrap() {
        Answer::Stopped(runs) => runs.into_iter().map(|run| (run.row.head.id, run.until)).collect::<Vec<_>>(),
        other => panic!("{other:?}"),
    };
    bench.accepted(Command::ReloadPlans).await;
    tokio::time::sleep(30 * day).await;
    assert_eq!(told(&bench).await, [(run, None)]);
    // The first run of another plan, whose file goes.
    unread(&bench);
    let command = Command::Start { plan: PlanId::new("other"), params: StartParams::default() };
    let Receipt::Accepted { run: Some(other), .. } = give(&mut bench, Sender::Clock, command).await else { panic!() };
    let closed = bench.closed(other).await.closed.unwrap();
    bench.plans.0.lock().unwrap().retain(|plan| plan.id.as_str() == "p");
    bench.accepted(Command::ReloadPlans).await;
    let until = Some(closed.plus(7 * day));
    assert_eq!(told(&bench).await.into_iter().find(|(id, _)| *id == other), Some((other, until)));
    tokio::time::sleep(Duration::from_secs(7 * 24 * 60 * 60 - 60)).await;
    assert!(told(&bench).await.iter().any(|(id, _)| *id == other));
    tokio::time::sleep(Duration::from_secs(60)).await;
    assert_eq!(told(&bench).await, [(run, None)]);
    // A file that is there and cannot be read is not gone, and where none can be read nothing is known.
    *bench.plans.1.lock().unwrap() = vec![PlanProblem::new(PlanId::new("other"), "no JSON".to_owned())];
    bench.accepted(Command::ReloadPlans).await;
    assert_eq!(told(&bench).await.len(), 2);
    bench.plans.0.lock().unwrap().clear();
    bench.plans.1.lock().unwrap().clear();
    bench.accepted(Command::ReloadPlans).await;
    assert_eq!(told(&bench).await.len(), 2);
    assert!(told(&bench).await.iter().all(|(_, until)| until.is_none()));
}
