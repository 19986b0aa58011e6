//! Calls: the intent before, the answer after, and what follows from each answer, trouble and read-back.

use std::time::Duration;

use crate::engine_support::*;
use skydeck::domain::bill::Status;
use skydeck::domain::command::Command;
use skydeck::domain::event::Event;
use skydeck::domain::ids::{EnvId, PlanId};
use skydeck::domain::reason::Reason;
use skydeck::domain::run::{PauseWhy, Revision, RunEnd, RunState};

#[tokio::test(start_paused = true)]
async fn every_intent_is_durable_before_its_call_and_answered_after_it() {
    let mut bench = Bench::started().await;
    bench.world.submitted(1..=5);
    bench.whole_run().await;
    for n in 1..=5 {
        let events: Vec<_> = bench.facts().into_iter().map(|f| f.event).collect();
        let at = |is: &dyn Fn(&Event) -> bool| events.iter().position(is).unwrap();
        let tried = at(&|e| matches!(e, Event::StepTried { fid: f, .. } if *f == fid(n)));
        let answered = at(&|e| matches!(e, Event::StepAnswered { fid: f, .. } if *f == fid(n)));
        let settled = at(&|e| matches!(e, Event::BillSettled { fid: f, .. } if *f == fid(n)));
        assert!(tried < answered && answered < settled);
    }
}

#[tokio::test(start_paused = true)]
async fn each_trouble_of_a_call_ends_as_the_table_says() {
    for (trouble, want, posts, applied) in [
        (Trouble::None, "audited", 1, 1),
        (Trouble::LostAfter, "audited:verified", 1, 1),
        (Trouble::LostBefore, "audited", 2, 1),
        (Trouble::Late(Duration::from_secs(100)), "audited:verified", 1, 1),
        (Trouble::NotNamed, "audited:verified", 1, 1),
        (Trouble::SessionLost, "audited", 2, 1),
        (Trouble::Overtaken, "already_audited:zhang", 1, 0),
        (Trouble::Refused(11, "库存不足"), "failed:stock", 1, 0),
        (Trouble::Refused(11, "期间已关账"), "failed:period", 1, 0),
        (Trouble::Refused(13, "网控"), "audited", 2, 1),
        (Trouble::Refused(6, "deadlock"), "audited", 2, 1),
        (Trouble::SlowDown, "audited", 2, 1),
        (Trouble::NotSent, "audited", 1, 1),
        (Trouble::Slow(Duration::from_secs(40)), "audited", 1, 1),
    ] {
        let mut bench = Bench::started().await;
        bench.world.add(1, "B");
        bench.world.with(|s| s.trouble.push_back(trouble.clone()));
        let row = bench.whole_run().await;
        assert_eq!(bench.word(row.head.id, 1), want, "{trouble:?}");
        assert_eq!(bench.world.posts_of(1), posts, "{trouble:?}");
        assert_eq!(bench.world.with(|s| s.audits.len()), applied, "{trouble:?}");
        bench.check();
    }
}

#[tokio::test(start_paused = true)]
async fn the_automatic_repeat_happens_once_and_then_the_operator_decides() {
    let mut bench = Bench::started().await;
    bench.world.add(1, "B");
    bench.world.with(|s| s.trouble.extend([Trouble::LostBefore, Trouble::LostBefore]));
    let row = bench.whole_run().await;
    assert_eq!(bench.word(row.head.id, 1), "failed:not_applied");
    assert_eq!(bench.world.posts_of(1), 2);
    // An operator's retry is one more try, and no automatic one beside it.
    bench.world.with(|s| s.trouble.push_back(Trouble::LostBefore));
    let run =
        bench.accepted(Command::Retry { selection: Bench::all_matching(), revision: Revision::Newest }).await.unwrap();
    bench.awaiting(run).await;
    let approve = bench.approval(run);
    bench.accepted(approve).await;
    bench.closed(run).await;
    assert_eq!((bench.word(run, 1).as_str(), bench.world.posts_of(1)), ("failed:not_applied", 3));
    bench.check();
}

#[tokio::test(start_paused = true)]
async fn a_passing_refusal_is_repeated_as_often_as_the_plan_says() {
    let mut bench = Bench::started().await;
    bench.world.add(1, "B");
    bench.world.with(|s| s.trouble.extend((0..9).map(|_| Trouble::Refused(13, "网控"))));
    let row = bench.whole_run().await;
    assert_eq!(bench.word(row.head.id, 1), "failed:lock");
    assert_eq!(bench.world.posts_of(1), 4, "one try and three repeats");
    bench.check();
}

#[tokio::test(start_paused = true)]
async fn a_cause_that_stops_the_plan_pauses_the_run_and_leaves_the_rest_waiting() {
    let mut bench = Bench::started().await;
    bench.env.limits.concurrency = 1;
    bench.try_start().await.unwrap();
    bench.world.submitted(1..=9);
    bench.world.with(|s| s.trouble.extend([Trouble::None, Trouble::Refused(2, "您没有该功能的操作权限")]));
    let run = bench.start_plan().await;
    bench.awaiting(run).await;
    let approve = bench.approval(run);
    bench.accepted(approve).await;
    let row = bench.paused(run).await;
    assert!(
        matches!(&row.state, RunState::Paused(PauseWhy::Stopped(why)) if why.en().contains("权限")),
        "{:?}",
        row.state
    );
    assert_eq!((row.tally.audited, row.tally.failed, row.tally.waiting), (1, 1, 7));
    assert_eq!(bench.store.mark(&PlanId::new("p"), &EnvId::new("test")).unwrap().unwrap().swept, None);
    bench.accepted(Command::Resume { run }).await;
    let row = bench.closed(run).await;
    assert_eq!((row.tally.audited, row.tally.failed), (8, 1));
    bench.check();
}

#[tokio::test(start_paused = true)]
async fn what_changed_went_or_was_audited_after_the_approval_is_not_called() {
    let mut bench = Bench::started().await;
    bench.world.submitted(1..=4);
    let run = bench.start_plan().await;
    bench.awaiting(run).await;
    bench.world.change(1, |_| {});
    bench.world.change(2, |d| d.gone = true);
    bench.world.change(3, |d| (d.status, d.approver) = (Status::Audited, Some("zhang".into())));
    let approve = bench.approval(run);
    bench.accepted(approve).await;
    bench.closed(run).await;
    let words: Vec<String> = (1..=4).map(|n| bench.word(run, n)).collect();
    assert_eq!(words, ["skipped:changed", "skipped:missing", "already_audited:zhang", "audited"]);
    assert_eq!(bench.world.with(|s| s.posts.len()), 1);
    bench.check();
}

#[tokio::test(start_paused = true)]
async fn a_read_back_that_cannot_decide_leaves_it_to_the_operator() {
    for (change, want) in
        [("edit", "unknown:changed_since"), ("gone", "unknown:gone_since"), ("other", "already_audited:li")]
    {
        let mut bench = Bench::started().await;
        bench.world.add(1, "B");
        bench.world.with(|s| s.trouble.push_back(Trouble::LostBefore));
        let run = bench.start_plan().await;
        bench.awaiting(run).await;
        let approve = bench.approval(run);
        bench.accepted(approve).await;
        bench.until(run, "settling", |s| *s == RunState::Settling).await;
        bench.world.change(1, |d| match change {
            "gone" => d.gone = true,
            "other" => (d.status, d.approver) = (Status::Audited, Some("li".into())),
            _ => {}
        });
        let row = bench.closed(run).await;
        assert_eq!(row.state, RunState::Closed(RunEnd::Completed));
        assert_eq!(bench.word(run, 1), want, "{change}");
        bench.check();
    }
}

#[tokio::test(start_paused = true)]
async fn unknown_bills_that_cannot_be_read_stay_unknown_and_verify_settles_them_later() {
    let mut bench = Bench::started().await;
    bench.world.submitted(1..=2);
    bench.world.with(|s| {
        s.trouble_of.insert(fid(1), [Trouble::LostAfter].into());
        s.trouble_of.insert(fid(2), [Trouble::LostBefore].into());
    });
    let run = bench.start_plan().await;
    bench.awaiting(run).await;
    let approve = bench.approval(run);
    bench.accepted(approve).await;
    bench.until(run, "settling", |s| *s == RunState::Settling).await;
    bench.world.with(|s| s.reads_down = true);
    let row = bench.closed(run).await;
    assert_eq!((row.state, row.tally.unknown), (RunState::Closed(RunEnd::Completed), 2));
    bench.world.with(|s| s.reads_down = false);
    let verify = bench.accepted(Command::Verify { selection: Bench::all_matching() }).await.unwrap();
    let row = bench.closed(verify).await;
    assert_eq!((row.tally.found, row.tally.audited, row.tally.failed), (2, 1, 1));
    assert_eq!(bench.word(verify, 1), "audited:verified");
    assert_eq!(bench.word(verify, 2), "failed:not_applied");
    assert_eq!(bench.world.with(|s| s.posts.len()), 2, "verify writes nothing");
    bench.check();
}

#[tokio::test(start_paused = true)]
async fn a_plan_that_submits_submits_adopts_the_revision_and_audits() {
    let mut bench = Bench::started().await;
    bench.policy(|p| p.submit = true);
    bench.try_start().await.unwrap();
    for (n, status) in [(1, "Z"), (2, "A"), (3, "D"), (4, "B")] {
        bench.world.add(n, status);
    }
    let row = bench.whole_run().await;
    assert_eq!(row.tally.audited, 4);
    assert_eq!(bench.world.with(|s| s.posts.len()), 7);
    assert_eq!((1..=4).map(|n| bench.world.status(n)).collect::<String>(), "CCCC");
    bench.check();
}

#[tokio::test(start_paused = true)]
async fn a_retry_of_a_bill_that_failed_at_audit_starts_at_audit() {
    let mut bench = Bench::started().await;
    bench.policy(|p| p.submit = true);
    bench.try_start().await.unwrap();
    bench.world.add(1, "A");
    bench.world.with(|s| s.trouble.extend([Trouble::None, Trouble::Refused(11, "库存不足")]));
    let row = bench.whole_run().await;
    assert_eq!(bench.word(row.head.id, 1), "failed:stock");
    let run =
        bench.accepted(Command::Retry { selection: Bench::all_matching(), revision: Revision::Newest }).await.unwrap();
    let row = bench.awaiting(run).await;
    assert_eq!(row.head.of, Some(bench.facts().iter().find_map(|f| f.event.run()).unwrap()));
    let approve = bench.approval(run);
    bench.accepted(approve).await;
    bench.closed(run).await;
    assert_eq!(bench.word(run, 1), "audited");
    let verbs: Vec<String> = bench.world.with(|s| s.posts.iter().map(|p| format!("{:?}", p.verb)).collect());
    assert_eq!(verbs, ["Submit", "Audit", "Audit"]);
    bench.check();
}

#[tokio::test(start_paused = true)]
async fn batches_begin_after_clean_singles_tell_the_truth_per_bill_and_fall_back() {
    let mut bench = Bench::started().await;
    bench.policy(|p| p.batch = 5);
    bench.env.limits.concurrency = 1;
    bench.try_start().await.unwrap();
    bench.world.submitted(1..=25);
    bench.world.with(|s| {
        s.trouble_of.insert(fid(8), (0..3).map(|_| Trouble::Refused(11, "库存不足")).collect());
    });
    let row = bench.whole_run().await;
    assert_eq!((row.tally.audited, row.tally.failed), (24, 1));
    let sizes: Vec<usize> = bench.world.with(|s| s.posts.iter().map(|p| p.batch).collect());
    assert!(sizes[..5].iter().all(|n| *n == 1) && sizes.contains(&5), "{sizes:?}");
    bench.check();

    let mut bench = Bench::started().await;
    bench.policy(|p| p.batch = 5);
    bench.env.limits.concurrency = 1;
    bench.try_start().await.unwrap();
    bench.world.submitted(1..=25);
    bench.world.with(|s| {
        s.sink_batches = true;
        s.trouble_of.insert(fid(8), (0..3).map(|_| Trouble::Refused(11, "库存不足")).collect());
    });
    let row = bench.whole_run().await;
    assert_eq!((row.tally.audited, row.tally.failed), (24, 1), "one bad bill does not take its batch with it");
    assert_eq!(bench.word(row.head.id, 8), "failed:stock");
    bench.check();
}

#[tokio::test(start_paused = true)]
async fn a_lost_batch_makes_each_member_unknown_and_each_is_settled() {
    let mut bench = Bench::started().await;
    bench.policy(|p| p.batch = 10);
    bench.env.limits.concurrency = 1;
    bench.try_start().await.unwrap();
    bench.world.submitted(1..=15);
    bench.world.with(|s| {
        s.trouble.extend([
            Trouble::None,
            Trouble::None,
            Trouble::None,
            Trouble::None,
            Trouble::None,
            Trouble::LostAfter,
        ]);
    });
    let row = bench.whole_run().await;
    assert_eq!(row.tally.audited, 15);
    assert_eq!(bench.world.with(|s| s.audits.len()), 15);
    let run = row.head.id;
    assert_eq!((6..=15).filter(|n| bench.word(run, *n) == "audited:verified").count(), 10);
    bench.check();
}

#[tokio::test(start_paused = true)]
async fn the_session_is_found_again_once_and_given_up_when_it_is_lost_again_and_again() {
    let mut bench = Bench::started().await;
    bench.env.limits.concurrency = 1;
    bench.try_start().await.unwrap();
    bench.world.submitted(1..=9);
    bench.world.with(|s| s.trouble.extend([Trouble::SessionLost, Trouble::SessionLost, Trouble::SessionLost]));
    let run = bench.start_plan().await;
    bench.awaiting(run).await;
    let approve = bench.approval(run);
    bench.accepted(approve).await;
    let row = bench.paused(run).await;
    assert_eq!((bench.world.with(|s| s.sign_ins), row.tally.unknown, row.tally.waiting), (2, 3, 6));
    // Unknown bills are read back while the run is paused; writing waits for the operator.
    tokio::time::sleep(Duration::from_secs(200)).await;
    assert_eq!((bench.run(run).tally.unknown, bench.world.with(|s| s.posts.len())), (0, 3));
    bench.accepted(Command::Resume { run }).await;
    assert_eq!(bench.closed(run).await.tally.audited, 9);
    bench.check();
}

#[tokio::test(start_paused = true)]
async fn credentials_wrong_ids_unreachable_canary_and_breaker_pause_the_run() {
    let unknown3 = vec![Trouble::LostBefore, Trouble::LostBefore, Trouble::LostBefore];
    for (name, trouble, limits) in [
        ("credentials", vec![Trouble::Credentials], (0, 0, 0)),
        ("wrong ids", vec![Trouble::WrongIds], (0, 0, 0)),
        ("unreachable", (0..5).map(|_| Trouble::NotSent).collect(), (0, 0, 0)),
        ("canary", vec![Trouble::LostBefore], (0, 0, 5)),
        ("canary", vec![Trouble::Refused(11, "库存不足"), Trouble::None, Trouble::Refused(11, "库存不足")], (0, 0, 5)),
        ("breaker", unknown3, (3, 0, 0)),
        (
            "breaker",
            (0..20).map(|i| if i < 10 { Trouble::None } else { Trouble::Refused(11, "库存不足") }).collect(),
            (0, 50, 0),
        ),
    ] {
        let mut bench = Bench::started().await;
        bench.env.limits.concurrency = 1;
        (bench.env.limits.breaker_unknown, bench.env.limits.breaker_failed_percent, bench.env.limits.canary) = limits;
        bench.try_start().await.unwrap();
        bench.world.submitted(1..=40);
        bench.world.with(|s| s.trouble.extend(trouble));
        let run = bench.start_plan().await;
        bench.awaiting(run).await;
        let approve = bench.approval(run);
        bench.accepted(approve).await;
        let row = bench.paused(run).await;
        let RunState::Paused(why) = &row.state else { panic!() };
        let right = match name {
            "credentials" => matches!(why, PauseWhy::Stopped(Reason::SignInRefused { said }) if said == "wrong secret"),
            "unreachable" => matches!(why, PauseWhy::Unreachable(_)) && row.tally.waiting == 40,
            "canary" => matches!(why, PauseWhy::Canary(_)),
            _ => matches!(why, PauseWhy::Breaker(_)),
        };
        assert!(right, "{name}: {why:?}");
        assert!(row.tally.waiting >= 19, "{name}: {:?}", row.tally);
        bench.accepted(Command::Resume { run }).await;
        let row = bench.closed(run).await;
        assert_eq!(row.tally.audited + row.tally.failed, 40, "{name}");
        bench.check();
    }
}

#[tokio::test(start_paused = true)]
async fn a_panic_in_a_bills_task_leaves_that_bill_unknown_and_the_engine_alive() {
    let mut bench = Bench::started().await;
    bench.world.submitted(1..=6);
    bench.world.with(|s| s.trouble_of.insert(fid(3), [Trouble::Panic].into()));
    let run = bench.start_plan().await;
    bench.awaiting(run).await;
    let approve = bench.approval(run);
    bench.accepted(approve).await;
    let row = bench.paused(run).await;
    assert!(matches!(row.state, RunState::Paused(PauseWhy::Stopped(_))));
    assert_eq!(bench.word(run, 3), "unknown:process_died");
    bench.accepted(Command::Resume { run }).await;
    assert_eq!(bench.closed(run).await.tally.audited, 6);
    bench.check();
}
