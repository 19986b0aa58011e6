//! Settling by the hundred, read-backs that are refused or not answered, and orders given meanwhile.

use std::time::Duration;

use crate::engine_support::*;
use skydeck::domain::bill::{Outcome, Slot};
use skydeck::domain::command::Command;
use skydeck::domain::event::Event;
use skydeck::domain::ids::RunId;
use skydeck::domain::run::{PauseWhy, RunEnd, RunKind, RunState};
use skydeck::domain::time::Clock as _;
use skydeck::engine::ports::FaultKind;

/// A run whose calls are all lost, waiting for the server's limit; those of odd number took effect.
async fn settling(bills: u64) -> (Bench, RunId) {
    let mut bench = Bench::started().await;
    bench.world.submitted(1..=bills);
    bench.world.with(|s| {
        for n in 1..=bills {
            let trouble = if n % 2 == 1 { Trouble::LostAfter } else { Trouble::LostBefore };
            s.trouble_of.insert(fid(n), [trouble].into());
        }
    });
    let run = bench.start_plan().await;
    bench.awaiting(run).await;
    let approve = bench.approval(run);
    bench.accepted(approve).await;
    bench.until(run, "settling", |s| *s == RunState::Settling).await;
    (bench, run)
}

async fn verify(bench: &mut Bench) -> RunId {
    bench.accepted(Command::Verify { selection: Bench::all_matching() }).await.unwrap()
}

#[tokio::test(start_paused = true)]
async fn more_unknown_bills_than_one_read_takes_are_all_settled() {
    let (bench, run) = settling(230).await;
    let row = bench.closed(run).await;
    assert_eq!((row.state, row.tally.found, row.tally.audited), (RunState::Closed(RunEnd::Completed), 230, 230));
    for n in 1..=230 {
        let (word, calls) = if n % 2 == 1 { ("audited:verified", 1) } else { ("audited", 2) };
        assert_eq!((bench.word(run, n).as_str(), bench.world.posts_of(n)), (word, calls), "{n}");
    }
    bench.check();
}

#[tokio::test(start_paused = true)]
async fn bills_for_a_person_keep_no_later_bill_from_being_read() {
    let (bench, run) = settling(430).await;
    for n in 1..=210 {
        bench.world.change(n, |doc| doc.gone = true);
    }
    let row = bench.closed(run).await;
    assert_eq!((row.tally.unknown, row.tally.audited), (210, 220));
    for n in 1..=430 {
        let word = match n {
            1..=210 => "unknown:gone_since",
            _ if n % 2 == 1 => "audited:verified",
            _ => "audited",
        };
        assert_eq!(bench.word(run, n), word, "{n}");
    }
    bench.check();
}

#[tokio::test(start_paused = true)]
async fn each_bill_is_read_when_its_own_limit_has_passed() {
    let mut bench = Bench::new();
    bench.env.limits.per_minute = 1;
    bench.env.limits.concurrency = 1;
    bench.try_start().await.unwrap();
    bench.world.submitted(1..=3);
    bench.world.with(|s| s.trouble.extend([Trouble::LostAfter, Trouble::LostAfter, Trouble::LostAfter]));
    let run = bench.start_plan().await;
    bench.awaiting(run).await;
    let approve = bench.approval(run);
    bench.accepted(approve).await;
    bench.until(run, "settling", |s| *s == RunState::Settling).await;
    let limit = bench.env.limits.settle;
    let mut read = Vec::new();
    while read.len() < 3 {
        tokio::time::sleep(Duration::from_secs(1)).await;
        let n = read.len() as u64 + 1;
        if bench.word(run, n) == "audited:verified" {
            read.push(bench.clock.mono());
        }
    }
    let sent: Vec<Duration> = bench.world.with(|s| s.posts.iter().map(|post| post.at).collect());
    for pair in read.windows(2) {
        assert!(
            pair[1].saturating_sub(pair[0]) >= Duration::from_secs(30),
            "each in its turn: {read:?}, sent {sent:?}"
        );
    }
    assert!(read[0] >= limit, "{read:?}");
    bench.closed(run).await;
    bench.check();
}

#[tokio::test(start_paused = true)]
async fn a_verify_run_whose_reads_are_refused_or_not_answered_leaves_its_bills_unknown_and_ends() {
    // A refused read is not asked again; one without an answer is, a few times, with pauses.
    for (kind, faults, pauses) in [(FaultKind::TooLarge, 1, false), (FaultKind::NoAnswer, 100, true)] {
        let (mut bench, run) = settling(3).await;
        bench.world.with(|s| s.reads_down = true);
        let row = bench.closed(run).await;
        assert_eq!((row.state, row.tally.unknown), (RunState::Closed(RunEnd::Completed), 3));
        bench.world.with(|s| {
            s.reads_down = false;
            // The look with which the run begins is answered; the read-backs are not.
            s.faults_after = s.calls + 1;
            s.read_faults.extend(std::iter::repeat_n(kind.clone(), faults));
        });
        let (calls, begun) = (bench.world.with(|s| s.calls), bench.clock.mono());
        let id = verify(&mut bench).await;
        let row = bench.closed(id).await;
        assert_eq!(row.head.kind, RunKind::Verify);
        assert_eq!(
            (row.state, row.tally.found, row.tally.unknown),
            (RunState::Closed(RunEnd::Completed), 3, 3),
            "{kind:?}"
        );
        let tried = bench.world.with(|s| s.calls - calls - 1);
        assert_eq!((tried >= 5, tried == 1), (pauses, !pauses), "{kind:?}: {tried}");
        let took = bench.clock.mono().saturating_sub(begun);
        assert_eq!(took >= Duration::from_secs(10), pauses, "{kind:?}: {took:?}");
        bench.world.with(|s| s.read_faults.clear());
        // The server answers again: the next one settles them, and writes nothing.
        let id = verify(&mut bench).await;
        let row = bench.closed(id).await;
        assert_eq!((row.tally.found, row.tally.audited, row.tally.failed, row.tally.unknown), (3, 2, 1, 0), "{kind:?}");
        assert_eq!(bench.world.with(|s| s.posts.len()), 3, "{kind:?}");
        bench.check();
    }
}

#[tokio::test(start_paused = true)]
async fn a_bill_whose_reads_are_not_answered_is_read_five_times_a_run() {
    let (mut bench, run) = settling(1).await;
    let asked = bench.world.with(|s| s.calls);
    bench.world.with(|s| s.reads_down = true);
    bench.closed(run).await;
    assert_eq!(bench.world.with(|s| s.calls) - asked, 5, "in its own run");
    assert_eq!(told(&bench, run, 1).len(), 1, "it was unknown, and stays so");
    bench.world.with(|s| {
        s.reads_down = false;
        s.faults_after = s.calls + 1;
        s.read_faults.extend(std::iter::repeat_n(FaultKind::NoAnswer, 20));
    });
    let asked = bench.world.with(|s| s.calls) + 1;
    let id = verify(&mut bench).await;
    bench.closed(id).await;
    assert_eq!(bench.world.with(|s| s.calls) - asked, 5, "in a run that verifies");
    assert_eq!(told(&bench, id, 1), told(&bench, run, 1), "as it was, with the words of its call");
    bench.check();
}

#[tokio::test(start_paused = true)]
async fn a_pause_is_obeyed_while_unknown_bills_wait_for_the_servers_limit() {
    let (mut bench, run) = settling(3).await;
    let (calls, begun) = (bench.world.with(|s| s.calls), bench.clock.mono());
    bench.accepted(Command::Pause { run }).await;
    let row = bench.paused(run).await;
    assert_eq!((row.state, row.tally.unknown), (RunState::Paused(PauseWhy::Operator), 3));
    assert!(bench.clock.mono().saturating_sub(begun) < bench.env.limits.settle, "not only after it");
    assert_eq!(bench.world.with(|s| s.calls), calls, "nothing was read");
    bench.accepted(Command::Resume { run }).await;
    let row = bench.closed(run).await;
    assert_eq!((row.state, row.tally.audited), (RunState::Closed(RunEnd::Completed), 3));
    bench.check();
}

/// The machine's own clock since its start proves how much of the server's limit has passed; another start proves nothing.
#[tokio::test(start_paused = true)]
async fn what_passed_of_the_limit_before_a_restart_counts_where_the_machine_proves_it() {
    for reboot in [false, true] {
        let (mut bench, run) = settling(1).await;
        tokio::time::sleep(Duration::from_secs(60)).await;
        bench.crash().await;
        if reboot {
            bench.clock.reboot(5_000_000);
        }
        bench.try_start().await.unwrap();
        let started = bench.clock.start_elapsed();
        while bench.word(run, 1) != "audited:verified" {
            assert!(bench.clock.start_elapsed() < started + Duration::from_secs(600), "{}", bench.word(run, 1));
            tokio::time::sleep(Duration::from_secs(1)).await;
        }
        let (took, limit) = (bench.clock.start_elapsed().saturating_sub(started), bench.env.limits.settle);
        assert_eq!(took >= limit, reboot, "{took:?} of {limit:?}");
        assert!(took + Duration::from_secs(90) >= limit, "{took:?} of {limit:?}: not before it has passed");
    }
}

/// The words of a refusal that leaves the effect open go with the bill that is called again.
#[tokio::test(start_paused = true)]
async fn a_call_that_is_made_again_keeps_what_the_server_said_of_the_first() {
    const SAID: &str = "数据库异常：事务（进程 ID 71）与另一个进程被死锁在锁资源上";
    for (trouble, words) in [(Trouble::Refused(11, SAID), Some(SAID)), (Trouble::LostBefore, Some("no answer"))] {
        let mut bench = Bench::started().await;
        bench.world.submitted(1..=1);
        bench.world.with(|s| s.trouble.push_back(trouble));
        let row = bench.whole_run().await;
        assert_eq!((row.tally.audited, bench.world.posts_of(1)), (1, 2), "{words:?}");
        let put_off = bench.facts().into_iter().find_map(|fact| match fact.event {
            Event::BillDeferred { was: Slot::Unknown, failure, .. } => Some(failure),
            _ => None,
        });
        let kept = put_off.expect("it was put off once").map(|failure| failure.message);
        assert_eq!(kept.as_deref(), words);
        bench.check();
    }
}

#[tokio::test(start_paused = true)]
async fn unknown_bills_are_not_read_back_on_another_data_centre() {
    let mut bench = Bench::new();
    bench.world.with(|s| s.centre = Some("c-1".into()));
    bench.try_start().await.unwrap();
    bench.world.submitted(1..=2);
    bench.world.with(|s| s.trouble.extend([Trouble::LostAfter, Trouble::LostAfter]));
    let run = bench.start_plan().await;
    bench.awaiting(run).await;
    let approve = bench.approval(run);
    bench.accepted(approve).await;
    bench.until(run, "settling", |s| *s == RunState::Settling).await;
    bench.world.with(|s| s.centre = Some("c-2".into()));
    let row = bench.paused(run).await;
    let RunState::Paused(PauseWhy::Stopped(why)) = &row.state else { panic!("{:?}", row.state) };
    assert_eq!((why.code(), row.tally.unknown), ("other_account_set".to_owned(), 2));
    bench.check();
}

/// Called, and read back as it was called: that is what is told of a bill whose repeat does not come.
#[tokio::test(start_paused = true)]
async fn a_bill_that_was_read_back_as_not_applied_is_failed_where_the_run_ends_before_its_repeat() {
    let (mut bench, run) = settling(3).await;
    bench.accepted(Command::Pause { run }).await;
    bench.paused(run).await;
    // What is unknown is read back while the run is paused, and nothing is called.
    tokio::time::sleep(bench.env.limits.settle + Duration::from_secs(60)).await;
    let row = bench.run(run);
    assert_eq!((row.tally.audited, row.tally.waiting, row.tally.unknown), (2, 1, 0));
    bench.accepted(Command::Cancel { run }).await;
    let row = bench.closed(run).await;
    assert_eq!((row.tally.failed, row.tally.not_reached), (1, 0), "{:?}", row.tally);
    assert_eq!((bench.word(run, 2).as_str(), bench.world.posts_of(2)), ("failed:not_applied", 1));
    bench.check();
}

#[tokio::test(start_paused = true)]
async fn a_run_that_lost_no_answer_has_nothing_to_settle() {
    let mut bench = Bench::started().await;
    bench.world.submitted(1..=3);
    bench.world.with(|s| s.trouble_of.insert(fid(2), [Trouble::Refused(11, "期间已关账")].into()));
    let row = bench.whole_run().await;
    assert_eq!((row.tally.audited, row.tally.failed), (2, 1));
    let settling = bench.facts().iter().filter(|fact| matches!(fact.event, Event::RunSettling { .. })).count();
    assert_eq!(settling, 0, "history would tell of a wait that was none");
    bench.check();
}

/// What came of a lost call is told with the words of that call, and in the run that read it back.
#[tokio::test(start_paused = true)]
async fn the_words_of_a_lost_call_stand_until_a_read_tells_more() {
    let (mut bench, run) = settling(2).await;
    bench.world.with(|s| s.reads_down = true);
    bench.closed(run).await;
    bench.world.with(|s| s.reads_down = false);
    let before: Vec<String> = [1, 2].map(|n| said_of(&bench, run, n)).into();
    assert!(before.iter().all(|words| !words.is_empty()), "{before:?}");
    let id = verify(&mut bench).await;
    bench.closed(id).await;
    // The one that took is done; of the other the words of its call are what there is to be told.
    assert_eq!(bench.word(id, 1), "audited:verified");
    assert_eq!((bench.word(id, 2).as_str(), said_of(&bench, id, 2)), ("failed:not_applied", before[1].clone()));
    bench.check();
}

/// What was told of a bill in a run, first to last.
fn told(bench: &Bench, of: RunId, n: u64) -> Vec<Outcome> {
    let said = bench.facts().into_iter().filter_map(|fact| match fact.event {
        Event::BillSettled { run, fid: bill, outcome, .. } if run == of && bill == fid(n) => Some(outcome),
        _ => None,
    });
    said.collect()
}

/// The words of what was told last of a bill in a run.
fn said_of(bench: &Bench, of: RunId, n: u64) -> String {
    match told(bench, of, n).pop().unwrap() {
        Outcome::Unknown(unknown) => unknown.detail,
        Outcome::Failed(failure) => failure.message,
        other => panic!("{other:?}"),
    }
}

/// A run that was given up with its calls lost, the server's limit long past.
async fn given_up(bills: u64) -> (Bench, RunId) {
    let (mut bench, run) = settling(bills).await;
    bench.accepted(Command::Cancel { run }).await;
    assert_eq!(bench.closed(run).await.tally.unknown, bills);
    tokio::time::sleep(bench.env.limits.settle).await;
    (bench, run)
}

#[tokio::test(start_paused = true)]
async fn one_read_asks_for_as_many_bills_as_it_takes() {
    let (mut bench, _) = given_up(230).await;
    let asked = bench.world.with(|s| s.calls);
    let id = verify(&mut bench).await;
    let row = bench.closed(id).await;
    assert_eq!((row.tally.found, row.tally.audited, row.tally.failed), (230, 115, 115));
    assert_eq!(bench.world.with(|s| s.calls) - asked, 4, "two when they are found, and two when they are read back");
    bench.check();
}

#[tokio::test(start_paused = true)]
async fn a_verify_run_goes_by_the_call_that_was_lost_and_not_by_what_the_bill_is_now() {
    let (mut bench, _) = given_up(4).await;
    for n in [1, 2] {
        bench.world.change(n, |_| {});
    }
    bench.world.change(4, |doc| doc.gone = true);
    let id = verify(&mut bench).await;
    bench.closed(id).await;
    let words: Vec<String> = (1..=4).map(|n| bench.word(id, n)).collect();
    // Somebody changed the second since: whether our call came before that nobody can tell.
    assert_eq!(words, ["audited:verified", "unknown:changed_since", "audited:verified", "unknown:gone_since"]);
    bench.check();
}

/// A person closed what is unknown and put it back: of the call no more is known than what the ledger says of it.
#[tokio::test(start_paused = true)]
async fn an_unknown_bill_that_was_resolved_and_put_back_is_still_read_back_as_called() {
    let (mut bench, run) = given_up(4).await;
    bench.accepted(Command::Resolve { selection: Bench::all_matching(), reason: "by hand".into() }).await;
    let keys = bench.facts().into_iter().filter_map(|fact| match fact.event {
        Event::LedgerResolved { key, .. } => Some(key),
        _ => None,
    });
    bench.accepted(Command::Reopen { keys: keys.collect(), reason: "not so".into() }).await;
    bench.world.with(|s| {
        s.faults_after = s.calls + 1;
        s.read_faults.push_back(FaultKind::TooLarge);
    });
    let unread = verify(&mut bench).await;
    bench.closed(unread).await;
    assert_eq!(told(&bench, unread, 1), told(&bench, run, 1), "nothing was learnt");
    bench.world.change(4, |doc| doc.gone = true);
    let id = verify(&mut bench).await;
    bench.closed(id).await;
    let words: Vec<String> = (1..=4).map(|n| bench.word(id, n)).collect();
    assert_eq!(words, ["audited:verified", "failed:not_applied", "audited:verified", "unknown:gone_since"]);
    assert_eq!(said_of(&bench, id, 2), "no answer", "in the words of its call");
    bench.check();
}

#[tokio::test(start_paused = true)]
async fn what_was_refused_stays_so_in_a_verify_run_that_cannot_read() {
    let mut bench = Bench::started().await;
    bench.world.submitted(1..=2);
    bench.world.with(|s| {
        s.trouble_of.insert(fid(1), [Trouble::Refused(11, "库存不足")].into());
        s.trouble_of.insert(fid(2), [Trouble::LostBefore].into());
    });
    let run = bench.start_plan().await;
    bench.awaiting(run).await;
    let approve = bench.approval(run);
    bench.accepted(approve).await;
    bench.until(run, "settling", |s| *s == RunState::Settling).await;
    bench.accepted(Command::Cancel { run }).await;
    bench.closed(run).await;
    bench.world.with(|s| {
        s.faults_after = s.calls + 1;
        s.read_faults.extend([const { FaultKind::TooLarge }; 2]);
    });
    let id = verify(&mut bench).await;
    bench.closed(id).await;
    for n in [1, 2] {
        assert_eq!(told(&bench, id, n), told(&bench, run, n), "nothing was learnt: {n}");
    }
    assert_eq!((bench.word(id, 1).as_str(), said_of(&bench, id, 1).as_str()), ("failed:stock", "库存不足"));
    bench.check();
}

/// What another server says of these ids is about other bills: nothing is told of them, not even that they stay unknown.
#[tokio::test(start_paused = true)]
async fn a_verify_run_that_reads_another_data_centre_tells_nothing_of_its_bills() {
    let mut bench = Bench::new();
    bench.world.with(|s| s.centre = Some("c-1".into()));
    bench.try_start().await.unwrap();
    bench.world.submitted(1..=2);
    bench.world.with(|s| s.trouble.extend([Trouble::LostAfter, Trouble::LostBefore]));
    let run = bench.start_plan().await;
    bench.awaiting(run).await;
    let approve = bench.approval(run);
    bench.accepted(approve).await;
    bench.until(run, "settling", |s| *s == RunState::Settling).await;
    bench.accepted(Command::Cancel { run }).await;
    bench.closed(run).await;
    tokio::time::sleep(bench.env.limits.settle).await;
    bench.world.with(|s| s.slow_looks = Duration::from_secs(30));
    let id = verify(&mut bench).await;
    bench.until(id, "reading", |s| *s == RunState::Settling).await;
    bench.world.with(|s| s.centre = Some("c-2".into()));
    let row = bench.paused(id).await;
    let RunState::Paused(PauseWhy::Stopped(why)) = &row.state else { panic!("{:?}", row.state) };
    assert_eq!((why.code(), row.tally.waiting, row.tally.unknown), ("other_account_set".to_owned(), 2, 0));
    bench.check();
}

#[tokio::test(start_paused = true)]
async fn a_verify_run_is_cancelled_while_the_server_does_not_answer_its_read() {
    let (mut bench, _) = given_up(3).await;
    bench.world.with(|s| s.slow_looks = Duration::from_secs(3600));
    let id = verify(&mut bench).await;
    bench.until(id, "reading", |s| *s == RunState::Settling).await;
    let begun = bench.clock.mono();
    bench.accepted(Command::Cancel { run: id }).await;
    let row = bench.closed(id).await;
    assert_eq!((row.state, row.tally.not_reached), (RunState::Closed(RunEnd::Cancelled), 3));
    assert!(bench.clock.mono().saturating_sub(begun) < Duration::from_secs(60), "not only when the server answers");
    bench.check();
}

#[tokio::test(start_paused = true)]
async fn a_pause_is_obeyed_between_two_reads_of_what_is_unknown() {
    let (mut bench, run) = settling(230).await;
    bench.crash().await;
    // Long enough that all of them are due at once.
    tokio::time::sleep(bench.env.limits.settle).await;
    bench.try_start().await.unwrap();
    bench.world.with(|s| s.slow_looks = Duration::from_secs(100));
    bench.accepted(Command::Resume { run }).await;
    tokio::time::sleep(Duration::from_secs(1)).await;
    bench.accepted(Command::Pause { run }).await;
    let row = bench.until(run, "paused", |s| matches!(s, RunState::Paused(_))).await;
    assert_eq!(row.tally.unknown, 30, "the read that was asked is the last");
    bench.check();
}

/// Reads that failed before the bill was called again are not counted against the second call.
#[tokio::test(start_paused = true)]
async fn a_bill_that_was_called_again_is_read_back_with_all_its_tries() {
    let (bench, run) = settling(2).await;
    let fail = |s: &mut world::State| s.read_faults.extend([const { FaultKind::NoAnswer }; 4]);
    bench.world.with(|s| s.trouble_of.insert(fid(2), [Trouble::LostBefore].into()));
    for calls in [1, 2] {
        bench.until(run, "settling", |s| *s == RunState::Settling && bench.world.posts_of(2) == calls).await;
        bench.until(run, "waiting", |_| bench.run(run).tally.waiting == 0).await;
        bench.world.with(fail);
        while bench.world.with(|s| !s.read_faults.is_empty()) {
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
    }
    let row = bench.closed(run).await;
    assert_eq!((row.tally.unknown, row.tally.audited, row.tally.failed), (0, 1, 1), "{:?}", row.tally);
    assert_eq!((bench.word(run, 2).as_str(), bench.world.posts_of(2)), ("failed:not_applied", 2));
    bench.check();
}

/// The one before the last of an operation: what took is told as that, and not as a call that did nothing.
#[tokio::test(start_paused = true)]
async fn a_lost_submit_that_took_is_told_as_the_step_that_took_and_one_that_did_not_as_a_call_without_effect() {
    for (trouble, told, submits) in [(Trouble::LostAfter, "submitted", 1), (Trouble::LostBefore, "not_applied", 2)] {
        let mut bench = Bench::started().await;
        bench.policy(|p| p.submit = true);
        bench.try_start().await.unwrap();
        bench.world.with(|s| {
            s.submit_keeps_date = true;
            s.trouble_of.insert(fid(1), [trouble].into());
        });
        bench.world.add(1, "A");
        let row = bench.whole_run().await;
        assert_eq!(bench.word(row.head.id, 1), "audited", "{told}");
        let put_off = bench.facts().into_iter().find_map(|fact| match fact.event {
            Event::BillDeferred { cause, was: Slot::Unknown, .. } => Some(cause),
            _ => None,
        });
        assert_eq!(put_off, Some(cause(told)));
        assert_eq!(bench.world.posts_of(1), submits + 1, "{told}: the audit after it");
        bench.check();
    }
}
