//! Two plans on one bill, and an operation that is judged by a field of its own: closing beside auditing, with lost answers,
//! late effects, refusals of what is done, and calls of the one that are open while the other is at work.

use std::time::Duration;

use crate::engine_support::*;
use skydeck::domain::bill::Slot;
use skydeck::domain::command::{Command, Receipt};
use skydeck::domain::event::Event;
use skydeck::domain::ids::{EnvId, FormId, OpId, RecordKey, RunId, WorkKey};
use skydeck::domain::plan::RetryUnchanged;
use skydeck::domain::run::RunState;

fn key(n: u64, op: &str) -> WorkKey {
    RecordKey { env: EnvId::new("test"), form: FormId::new(FORM), fid: fid(n) }.under(&OpId::new(op))
}

/// An engine with a plan that audits and one that closes.
async fn bench(mine: bool) -> Bench {
    let mut bench = Bench::new();
    bench.env.allow_operations = vec![CLOSE.into()];
    *bench.plans.0.lock().unwrap() = vec![plan("p"), close_plan("close", mine)];
    bench.try_start().await.unwrap();
    bench
}

/// A run of a plan, approved.
async fn approved(bench: &mut Bench, plan: &str) -> RunId {
    let run = bench.start_of(plan).await;
    bench.awaiting(run).await;
    let approve = bench.approval(run);
    bench.accepted(approve).await;
    run
}

fn trouble(bench: &Bench, n: u64, trouble: Trouble) {
    bench.world.with(|s| s.trouble_of.entry(fid(n)).or_default().push_back(trouble));
}

/// What the ledger says of a work.
fn entry(bench: &Bench, n: u64, op: &str) -> Option<String> {
    let entry = bench.store.ledger_entry(&key(n, op)).unwrap()?;
    entry.row.state.outcome().and_then(skydeck::domain::bill::Outcome::group)
}

#[tokio::test(start_paused = true)]
async fn each_trouble_of_a_closing_ends_by_its_field_whatever_the_status() {
    let refused = |words| Trouble::Refused(11, words);
    for (trouble_of_it, with_mine, without, calls) in [
        (Trouble::None, "audited", "audited", 1),
        (Trouble::LostAfter, "audited:verified", "audited:verified", 1),
        (Trouble::NotNamed, "audited:verified", "audited:verified", 1),
        (Trouble::Late(Duration::from_secs(119)), "audited:verified", "audited:verified", 1),
        (Trouble::LostBefore, "audited", "audited", 2),
        (Trouble::Overtaken, "already_audited:zhang", "already_audited", 1),
        // Applied, and refused all the same: by whom tells whose it was.
        (Trouble::RefusedAfter(11, "关闭后服务失败"), "audited:verified", "already_audited", 1),
        (refused("关闭前校验不通过"), "failed:validation", "failed:validation", 1),
    ] {
        for (mine, word) in [(true, with_mine), (false, without)] {
            let mut bench = bench(mine).await;
            bench.world.submitted(1..=1);
            trouble(&bench, 1, trouble_of_it.clone());
            let run = approved(&mut bench, "close").await;
            bench.closed(run).await;
            assert_eq!(bench.word(run, 1), word, "{trouble_of_it:?}, mine: {mine}");
            assert_eq!(bench.world.posts_of(1), calls, "{trouble_of_it:?}");
            assert_eq!(bench.world.closed(1), !word.starts_with("failed"), "{trouble_of_it:?}");
            assert_eq!(bench.world.status(1), "B", "closing leaves the status");
            assert_eq!(bench.store.bill(&key(1, AUDIT)).unwrap(), None, "nothing was said of an audit");
            bench.check();
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_bill_that_was_audited_is_not_closed_by_that_and_a_closed_one_not_audited() {
    let mut bench = bench(true).await;
    bench.world.submitted(1..=2);
    bench.world.change(1, |d| (d.status, d.approver) = ("C".to_owned().into(), Some("zhang".into())));
    let run = approved(&mut bench, "close").await;
    bench.closed(run).await;
    assert_eq!([bench.word(run, 1), bench.word(run, 2)], ["audited", "audited"]);
    let run = approved(&mut bench, "p").await;
    bench.closed(run).await;
    assert_eq!(bench.run(run).tally.found, 1);
    assert_eq!(bench.word(run, 2), "audited");
    assert!(bench.world.closed(1) && bench.world.closed(2));
    assert_eq!([bench.world.status(1), bench.world.status(2)], ["C", "C"]);
    // Closed by others meanwhile: known by the field, with who it was.
    bench.world.add(3, "B");
    let run = bench.start_of("close").await;
    bench.awaiting(run).await;
    bench.world.change(3, |d| (d.closed, d.closer) = (true, Some("li".into())));
    let approve = bench.approval(run);
    bench.accepted(approve).await;
    bench.closed(run).await;
    assert_eq!(bench.word(run, 3), "already_audited:li");
    bench.check();
}

#[tokio::test(start_paused = true)]
async fn what_one_plan_did_takes_nothing_of_the_other_out_of_the_ledger() {
    let mut bench = bench(true).await;
    bench.world.submitted(1..=2);
    trouble(&bench, 1, Trouble::Refused(11, "库存不足"));
    let run = approved(&mut bench, "p").await;
    bench.closed(run).await;
    assert_eq!((entry(&bench, 1, AUDIT).as_deref(), entry(&bench, 2, AUDIT)), (Some("stock"), None));
    trouble(&bench, 2, Trouble::Refused(11, "关闭前校验不通过"));
    let run = approved(&mut bench, "close").await;
    bench.closed(run).await;
    assert_eq!(bench.word(run, 1), "audited");
    // Bill 1 is closed and not audited, bill 2 is audited and not closed.
    assert_eq!((entry(&bench, 1, AUDIT).as_deref(), entry(&bench, 2, AUDIT)), (Some("stock"), None));
    assert_eq!((entry(&bench, 1, CLOSE), entry(&bench, 2, CLOSE).as_deref()), (None, Some("validation")));
    assert_eq!(bench.store.unresolved(None).unwrap(), 2);
    bench.plans.0.lock().unwrap().iter_mut().for_each(|plan| plan.policy.retry_unchanged = RetryUnchanged::Always);
    bench.accepted(Command::ReloadPlans).await;
    for (plan, other) in [("p", CLOSE), ("close", AUDIT)] {
        let before = bench.store.ledger_entry(&key(if other == CLOSE { 2 } else { 1 }, other)).unwrap();
        let run = approved(&mut bench, plan).await;
        bench.closed(run).await;
        let after = bench.store.ledger_entry(&key(if other == CLOSE { 2 } else { 1 }, other)).unwrap();
        assert_eq!(before, after, "a run of {plan}");
    }
    assert_eq!(bench.store.unresolved(None).unwrap(), 0);
    bench.check();
}

#[tokio::test(start_paused = true)]
async fn while_a_closing_is_open_the_bill_is_not_audited_and_after_its_limit_it_is_left_until_that_is_settled() {
    let mut bench = bench(true).await;
    bench.world.submitted(1..=2);
    trouble(&bench, 1, Trouble::Late(Duration::from_secs(60)));
    let close = approved(&mut bench, "close").await;
    bench.until(close, "settling", |s| *s == RunState::Settling).await;
    let sent = bench.world.with(|s| s.posts[0].at);
    // It is given up before it could be read back: the call stays unknown.
    bench.accepted(Command::Cancel { run: close }).await;
    bench.closed(close).await;
    assert_eq!(entry(&bench, 1, CLOSE).as_deref(), Some("broken"));
    let audit = approved(&mut bench, "p").await;
    let row = bench.closed(audit).await;
    assert!(bench.clock.start_elapsed() >= sent + Duration::from_secs(130), "{row:?}");
    assert_eq!([bench.word(audit, 1), bench.word(audit, 2)], ["skipped:unknown_elsewhere", "audited"]);
    assert_eq!(bench.world.with(|s| s.posts.iter().filter(|p| p.fid == fid(1)).count()), 1, "only the closing");
    // Read back, it is settled, and the audit goes on.
    let verify = Command::Verify { selection: Bench::all_matching() };
    let verify = bench.accepted(verify).await.unwrap();
    bench.closed(verify).await;
    assert_eq!(bench.word(verify, 1), "audited:verified");
    let audit = approved(&mut bench, "p").await;
    bench.closed(audit).await;
    assert_eq!(bench.word(audit, 1), "audited");
    bench.check();
}

#[tokio::test(start_paused = true)]
async fn the_call_of_a_process_that_died_keeps_the_other_plan_from_the_bill_too() {
    for reboot in [false, true] {
        let mut bench = bench(true).await;
        bench.world.submitted(1..=1);
        trouble(&bench, 1, Trouble::Late(Duration::from_secs(115)));
        let close = approved(&mut bench, "close").await;
        bench.until(close, "settling", |s| *s == RunState::Settling).await;
        let sent = bench.world.with(|s| s.posts[0].at);
        bench.crash().await;
        if reboot {
            bench.clock.reboot(5_000_000);
        }
        // The wall clock proves nothing.
        bench.clock.step.store(3_600_000, std::sync::atomic::Ordering::SeqCst);
        bench.try_start().await.unwrap();
        let started = bench.clock.start_elapsed();
        let audit = approved(&mut bench, "p").await;
        bench.closed(audit).await;
        let least = if reboot { started } else { sent };
        assert!(bench.clock.start_elapsed() >= least + Duration::from_secs(130), "reboot: {reboot}");
        let word = bench.word(audit, 1);
        assert!(word == "audited" || word == "skipped:unknown_elsewhere" || word == "skipped:changed", "{word}");
        let row = bench.until(close, "settled", |s| !matches!(s, RunState::Settling | RunState::Working)).await;
        assert_eq!((row.tally.unknown, bench.word(close, 1).as_str()), (0, "audited:verified"), "reboot: {reboot}");
        bench.check();
    }
}

/// The machine's own clock since its start proves how much of that call's limit has passed, too.
#[tokio::test(start_paused = true)]
async fn after_a_restart_the_other_plan_waits_for_the_rest_of_the_limit_where_the_machine_proves_it() {
    for reboot in [false, true] {
        let mut bench = bench(true).await;
        bench.world.submitted(1..=1);
        trouble(&bench, 1, Trouble::LostBefore);
        let close = approved(&mut bench, "close").await;
        bench.until(close, "settling", |s| *s == RunState::Settling).await;
        tokio::time::sleep(Duration::from_secs(60)).await;
        bench.crash().await;
        if reboot {
            bench.clock.reboot(5_000_000);
        }
        bench.try_start().await.unwrap();
        let (started, limit) = (bench.clock.start_elapsed(), bench.env.limits.settle);
        let audit = approved(&mut bench, "p").await;
        bench.closed(audit).await;
        let took = bench.clock.start_elapsed().saturating_sub(started);
        assert_eq!(took >= limit, reboot, "{took:?} of {limit:?}");
        let word = bench.word(audit, 1);
        assert!(word == "audited" || word == "skipped:unknown_elsewhere", "{word}");
        bench.check();
    }
}

#[tokio::test(start_paused = true)]
async fn two_runs_beside_each_other_never_call_one_bill_at_a_time() {
    for slow in [60, 6000] {
        for concurrency in [1, 3] {
            let mut bench = bench(false).await;
            bench.env.limits.per_minute = slow;
            bench.env.limits.concurrency = concurrency;
            bench.try_start().await.unwrap();
            bench.world.submitted(1..=20);
            bench.world.with(|s| {
                let lost = [Trouble::LostBefore, Trouble::None, Trouble::Late(Duration::from_secs(90)), Trouble::None];
                s.trouble.extend(lost.into_iter().cycle().take(16));
            });
            let runs = [approved(&mut bench, "p").await, approved(&mut bench, "close").await];
            for run in runs {
                bench.closed(run).await;
            }
            bench.check();
            // What the one changed, or had open, the other leaves for its next run.
            for plan in ["p", "close", "p"] {
                bench.whole_run_of(plan).await;
            }
            let open = (1..=20).filter(|n| !bench.world.closed(*n) || bench.world.status(*n) != "C").count();
            assert_eq!(
                (open, bench.store.unresolved(None).unwrap()),
                (0, 0),
                "{slow} a minute, {concurrency} at a time"
            );
            bench.check();
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_plan_that_only_submits_is_done_by_b_and_by_what_a_workflow_makes_of_it() {
    let mut bench = Bench::new();
    *bench.plans.0.lock().unwrap() = vec![submit_plan("submit")];
    bench.try_start().await.unwrap();
    for (n, status) in [(1, "Z"), (2, "A"), (3, "D"), (4, "A"), (5, "A")] {
        bench.world.add(n, status);
    }
    trouble(&bench, 2, Trouble::LostAfter);
    trouble(&bench, 4, Trouble::Overtaken);
    trouble(&bench, 5, Trouble::LostBefore);
    let run = approved(&mut bench, "submit").await;
    bench.closed(run).await;
    let words: Vec<String> = (1..=5).map(|n| bench.word(run, n)).collect();
    assert_eq!(words, ["audited", "audited:verified", "audited", "already_audited", "audited"]);
    assert_eq!((1..=5).map(|n| bench.world.status(n)).collect::<String>(), "BBBCB");
    assert_eq!(bench.run(run).tally.get(Slot::Failed), 0);
    let receipt = bench
        .order(Command::Retry { selection: Bench::all_matching(), revision: skydeck::domain::run::Revision::default() })
        .await;
    assert!(matches!(receipt, Receipt::Refused(_)), "nothing is left: {receipt:?}");
    bench.check();
}

#[tokio::test(start_paused = true)]
async fn one_effect_is_told_by_one_run_whichever_reads_it_first() {
    for late in [Trouble::LostAfter, Trouble::Late(Duration::from_secs(60))] {
        for caller_reads_first in [true, false] {
            let mut bench = Bench::new();
            *bench.plans.0.lock().unwrap() = vec![plan("p"), plan("q")];
            bench.try_start().await.unwrap();
            bench.world.submitted(1..=2);
            trouble(&bench, 1, late.clone());
            if !caller_reads_first {
                // Its next call keeps the run from reading bill 1 back until long after the server's limit.
                trouble(&bench, 2, Trouble::Slow(Duration::from_secs(400)));
            }
            let caller = bench.start_of("p").await;
            let reader = bench.start_of("q").await;
            bench.awaiting(caller).await;
            bench.awaiting(reader).await;
            let approve = bench.approval(caller);
            bench.accepted(approve).await;
            while bench.world.with(|s| s.posts.len()) < 2 {
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
            let approve = bench.approval(reader);
            bench.accepted(approve).await;
            for run in [caller, reader] {
                bench.closed(run).await;
            }
            let words = [bench.word(caller, 1), bench.word(reader, 1)];
            assert_eq!(
                words,
                ["audited:verified", "already_audited:integration"],
                "{late:?}, caller first: {caller_reads_first}"
            );
            assert_eq!(bench.world.posts_of(1), 1);
            bench.check();
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_refusal_told_at_the_end_of_a_run_does_not_cover_what_another_run_did_since() {
    for between in [false, true] {
        let mut bench = Bench::new();
        *bench.plans.0.lock().unwrap() = vec![plan("p"), plan("q")];
        bench.try_start().await.unwrap();
        bench.world.submitted(1..=1);
        trouble(&bench, 1, Trouble::Refused(13, "网控"));
        let refused = bench.start_of("p").await;
        let other = bench.start_of("q").await;
        bench.awaiting(refused).await;
        bench.awaiting(other).await;
        let approve = bench.approval(refused);
        bench.accepted(approve).await;
        while bench.world.with(|s| s.posts.is_empty()) {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        // It is put off for a while; before its turn comes again the run is given up.
        bench.accepted(Command::Pause { run: refused }).await;
        bench.paused(refused).await;
        if between {
            let approve = bench.approval(other);
            bench.accepted(approve).await;
            bench.closed(other).await;
            assert_eq!(bench.word(other, 1), "audited");
        }
        bench.accepted(Command::Cancel { run: refused }).await;
        bench.closed(refused).await;
        let (word, left) = if between { ("already_audited", None) } else { ("failed:lock", Some("lock")) };
        assert_eq!((bench.word(refused, 1).as_str(), entry(&bench, 1, AUDIT).as_deref()), (word, left));
        bench.check();
    }
}

/// A run of plan p whose call of bill 1 is lost without effect, and which a call of bill 2 keeps from reading it back; and a
/// run of plan q that found both bills after something happened to the first.
async fn kept_from_reading_back(then: Trouble, meanwhile: impl FnOnce(&Bench)) -> (Bench, RunId, RunId) {
    let mut bench = Bench::new();
    *bench.plans.0.lock().unwrap() = vec![plan("p"), plan("q")];
    bench.try_start().await.unwrap();
    bench.world.submitted(1..=2);
    trouble(&bench, 1, Trouble::LostBefore);
    trouble(&bench, 1, then);
    trouble(&bench, 2, Trouble::Slow(Duration::from_secs(400)));
    let caller = approved(&mut bench, "p").await;
    while bench.world.with(|s| s.posts.len()) < 2 {
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    meanwhile(&bench);
    let other = approved(&mut bench, "q").await;
    while bench.world.posts_of(1) < 2 {
        tokio::time::sleep(Duration::from_secs(1)).await;
    }
    (bench, caller, other)
}

/// What another run was told since is the answer to a call of its own.
#[tokio::test(start_paused = true)]
async fn a_lost_call_is_not_taken_for_refused_because_another_run_was_refused_since() {
    let (bench, caller, other) = kept_from_reading_back(Trouble::Refused(11, "库存不足"), |_| {}).await;
    for run in [caller, other] {
        bench.closed(run).await;
    }
    assert_eq!([bench.word(caller, 1), bench.word(other, 1)], ["audited", "failed:stock"]);
    assert_eq!(bench.world.posts_of(1), 3, "read back as it was called, it is called once more");
    let put_off = bench.facts().into_iter().find_map(|fact| match fact.event {
        Event::BillDeferred { run, was: Slot::Unknown, failure, .. } if run == caller => failure,
        _ => None,
    });
    assert_eq!(put_off.map(|failure| failure.message).as_deref(), Some("no answer"), "in the words of its own call");
    bench.check();
}

/// The record is in the revision of the other run's call, which tells nothing of this one.
#[tokio::test(start_paused = true)]
async fn a_run_judges_what_it_reads_back_by_its_own_call_though_another_run_called_since() {
    let change = |bench: &Bench| bench.world.change(1, |_| {});
    let (mut bench, caller, other) = kept_from_reading_back(Trouble::LostBefore, change).await;
    bench.until(other, "without an answer", |_| bench.run(other).tally.unknown == 1).await;
    bench.accepted(Command::Cancel { run: other }).await;
    bench.closed(other).await;
    bench.closed(caller).await;
    assert_eq!([bench.word(caller, 1), bench.word(other, 1)], ["unknown:changed_since", "unknown:broken"]);
    assert_eq!(bench.world.posts_of(1), 2);
    bench.check();
}
