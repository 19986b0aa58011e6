//! The run engine over a world in memory: start, approve, work, settle, close; and every order's guards.

use std::time::Duration;

use crate::engine_support::*;
use skydeck::domain::bill::Status;
use skydeck::domain::command::{Command, Receipt, Refusal, Selection, StartParams};
use skydeck::domain::event::Event;
use skydeck::domain::filter::Filter;
use skydeck::domain::ids::{EnvId, Fid, PlanId, PlanRev, SetHash};
use skydeck::domain::plan::Schedule;
use skydeck::domain::query::{Answer, PageRequest, Query};
use skydeck::domain::reason::Reason;
use skydeck::domain::run::{PauseWhy, Revision, RunEnd, RunState};
use skydeck::domain::time::Clock;
use skydeck::engine::api::Notice;
use skydeck::engine::ports::FaultKind;

fn started(bench: &Bench, n: u64) -> Command {
    let _ = (bench, n);
    Command::Start { plan: PlanId::new("p"), params: StartParams::default() }
}

fn refusal(receipt: Receipt) -> Refusal {
    match receipt {
        Receipt::Refused(why) => why,
        Receipt::Accepted { .. } => panic!("it was accepted"),
    }
}

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

#[tokio::test(start_paused = true)]
async fn pause_resume_and_cancel_act_after_the_calls_in_flight() {
    let mut bench = Bench::started().await;
    bench.env.limits.concurrency = 1;
    bench.env.limits.per_minute = 60;
    bench.try_start().await.unwrap();
    bench.world.submitted(1..=40);
    let run = bench.start_plan().await;
    bench.awaiting(run).await;
    let approve = bench.approval(run);
    bench.accepted(approve).await;
    tokio::time::sleep(Duration::from_secs(10)).await;
    bench.accepted(Command::Pause { run }).await;
    let row = bench.paused(run).await;
    assert_eq!(row.state, RunState::Paused(PauseWhy::Operator));
    let posts = bench.world.with(|s| s.posts.len());
    assert!((5..40).contains(&posts) && row.tally.audited == posts as u64, "{posts} {:?}", row.tally);
    tokio::time::sleep(Duration::from_secs(300)).await;
    assert_eq!(bench.world.with(|s| s.posts.len()), posts, "nothing leaves while paused");
    bench.accepted(Command::Resume { run }).await;
    tokio::time::sleep(Duration::from_secs(5)).await;
    bench.accepted(Command::Cancel { run }).await;
    let row = bench.closed(run).await;
    assert_eq!(row.state, RunState::Closed(RunEnd::Cancelled));
    assert!(row.tally.waiting == 0 && row.tally.skipped == 0 && row.tally.not_reached > 0);
    assert_eq!(bench.word(run, 40), "not_reached:not_reached");
    bench.check();
}

#[tokio::test(start_paused = true)]
async fn approval_is_bound_to_hash_plan_permission_and_the_confirm_ladder() {
    let mut bench = Bench::started().await;
    bench.env.production = true;
    bench.env.read_only = true;
    bench.try_start().await.unwrap();
    bench.world.submitted(1..=30);
    let run = bench.start_plan().await;
    let hash = bench.awaiting(run).await.collected.unwrap().hash;
    let approve = |hash: &SetHash, typed: Option<&str>, flags: &[&str], reason: Option<&str>| Command::Approve {
        run,
        hash: hash.clone(),
        typed: typed.map(str::to_owned),
        flags: flags.iter().map(|f| flag(f)).collect(),
        reason: reason.map(str::to_owned),
    };
    let wrong = SetHash::new("00");
    let not_confirmed = |r: Refusal| assert!(matches!(r, Refusal::NotConfirmed(_)), "{r:?}");
    not_confirmed(refusal(bench.order(approve(&wrong, Some("30"), &[], None)).await));
    not_confirmed(refusal(bench.order(approve(&hash, None, &[], None)).await));
    not_confirmed(refusal(bench.order(approve(&hash, Some("29"), &[], None)).await));
    not_confirmed(refusal(bench.order(approve(&hash, Some("test"), &["NegativeStock"], Some(" "))).await));
    not_confirmed(refusal(bench.order(approve(&hash, Some("30"), &["NegativeStock"], Some("why"))).await));
    assert_eq!(
        refusal(bench.order(approve(&hash, Some("30"), &[], None)).await),
        Refusal::Denied(Reason::ReadOnly { env: EnvId::new("test") })
    );
    not_confirmed(refusal(bench.order(Command::Unlock { env: EnvId::new("test"), reason: "  ".into() }).await));
    bench.accepted(Command::Unlock { env: EnvId::new("test"), reason: "month end".into() }).await;
    bench.plans.0.lock().unwrap()[0].rev = PlanRev::new("another");
    bench.accepted(Command::ReloadPlans).await;
    not_confirmed(refusal(bench.order(approve(&hash, Some("30"), &[], None)).await));
    bench.plans.0.lock().unwrap()[0].rev = plan("p").rev;
    bench.accepted(Command::ReloadPlans).await;
    assert!(bench.world.with(|s| s.posts.is_empty()));
    bench.accepted(approve(&hash, Some("30"), &[], None)).await;
    assert_eq!(bench.closed(run).await.tally.audited, 30);
    let Answer::Actions(log) =
        bench.engine.as_ref().unwrap().ask(Query::Actions(PageRequest::first(100))).await.unwrap()
    else {
        panic!("no log")
    };
    assert_eq!(log.rows.iter().filter(|(_, (_, _, e))| e.verb == "approve").count(), 8, "refused ones are logged too");
    bench.check();
}

#[tokio::test(start_paused = true)]
async fn an_unlock_runs_out_and_the_run_pauses() {
    let mut bench = Bench::started().await;
    bench.env.read_only = true;
    bench.env.limits.per_minute = 6;
    bench.env.limits.concurrency = 1;
    bench.try_start().await.unwrap();
    bench.world.submitted(1..=200);
    bench.accepted(Command::Unlock { env: EnvId::new("test"), reason: "test".into() }).await;
    let run = bench.start_plan().await;
    bench.awaiting(run).await;
    let approve = bench.approval(run);
    bench.accepted(approve).await;
    let row = bench.paused(run).await;
    assert!(row.tally.audited >= 80 && row.tally.audited < 100, "{:?}", row.tally);
    assert!(matches!(refusal(bench.order(Command::Resume { run }).await), Refusal::Denied(Reason::ReadOnly { .. })));
    bench.check();
}

#[tokio::test(start_paused = true)]
async fn what_a_console_unlocked_is_read_only_again_when_it_has_gone() {
    use skydeck::domain::ids::{CommandId, SessionId};
    let mut bench = Bench::new();
    bench.env.read_only = true;
    bench.try_start().await.unwrap();
    bench.world.submitted(1..=3);
    let engine = bench.engine.clone().unwrap();
    let session = |n| SessionId(ulid::Ulid::from_parts(7, n));
    let command = Command::Unlock { env: EnvId::new("test"), reason: "month end".into() };
    let id = CommandId(ulid::Ulid::from_parts(9, 1));
    let unlock =
        skydeck::domain::command::Order { id, by: who("li"), session: Some(session(1)), headless: false, command };
    assert!(matches!(engine.submit(unlock).await, Receipt::Accepted { .. }));
    let run = bench.start_plan().await;
    bench.awaiting(run).await;
    engine.left(session(2));
    let approve = bench.approval(run);
    engine.left(session(1));
    assert!(matches!(refusal(bench.order(approve).await), Refusal::Denied(Reason::ReadOnly { .. })));
    assert_eq!(bench.world.with(|s| s.posts.len()), 0);
}

#[tokio::test(start_paused = true)]
async fn orders_are_refused_with_a_reason_and_never_done_twice() {
    let mut bench = Bench::started().await;
    bench.world.add(1, "B");
    let unknown = Command::Start { plan: PlanId::new("nope"), params: StartParams::default() };
    assert!(matches!(refusal(bench.order(unknown).await), Refusal::NotFound(_)));
    let run = bench.start_plan().await;
    assert!(
        matches!(refusal(bench.order(started(&bench, 1)).await), Refusal::Busy(Reason::Busy { run: r, .. }) if r == run)
    );
    bench.awaiting(run).await;
    assert!(matches!(refusal(bench.order(Command::Resume { run }).await), Refusal::WrongState(_)));
    assert!(matches!(refusal(bench.order(Command::Pause { run }).await), Refusal::WrongState(_)));
    bench.accepted(Command::Cancel { run }).await;
    assert_eq!(bench.closed(run).await.state, RunState::Closed(RunEnd::Cancelled));
    assert!(matches!(refusal(bench.order(Command::Cancel { run }).await), Refusal::WrongState(_)));
    let nothing = Command::Retry { selection: Bench::all_matching(), revision: Revision::Newest };
    assert!(matches!(refusal(bench.order(nothing).await), Refusal::Nothing(_)));
    // The same id again: the same receipt, one run.
    let order = skydeck::domain::command::Order {
        session: None,
        headless: false,
        id: skydeck::domain::ids::CommandId(ulid::Ulid::from_parts(9, 9)),
        by: who("li"),
        command: started(&bench, 1),
    };
    let engine = bench.engine.clone().unwrap();
    let (a, b) = tokio::join!(engine.submit(order.clone()), engine.submit(order.clone()));
    assert_eq!(a, b);
    assert!(matches!(a, Receipt::Accepted { run: Some(_), .. }));
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

#[tokio::test(start_paused = true)]
async fn retry_takes_its_list_from_the_ledger_and_says_what_it_left_out() {
    let mut bench = Bench::started().await;
    bench.world.submitted(1..=6);
    bench.world.with(|s| {
        for n in 1..=4 {
            s.trouble_of.insert(fid(n), [Trouble::Refused(11, "库存不足")].into());
        }
    });
    let first = bench.whole_run().await.head.id;
    let key = |n| bench.store.bill_of_run(first, &fid(n)).unwrap().unwrap().key;
    let (one, two, six) = (key(1), key(2), key(6));
    let resolve = |reason: &str, key: &skydeck::domain::ids::WorkKey| Command::Resolve {
        selection: Selection::Bills(vec![key.clone()]),
        reason: reason.into(),
    };
    assert!(matches!(refusal(bench.order(resolve(" ", &one)).await), Refusal::NotConfirmed(_)));
    bench.accepted(resolve("written off", &one)).await;
    assert_eq!(bench.store.unresolved(None).unwrap(), 3);
    let selection = Selection::Bills(vec![one, six, two]);
    let run = bench.accepted(Command::Retry { selection, revision: Revision::Newest }).await.unwrap();
    assert_eq!(bench.awaiting(run).await.tally.found, 1);
    let said = bench.facts().into_iter().rev().find_map(|f| match f.event {
        Event::ActionTaken(entry) if entry.verb == "retry" => Some(entry.result),
        _ => None,
    });
    assert_eq!(said.unwrap(), "accepted; left out: 2 resolved meanwhile");
    bench.accepted(Command::Decline { run }).await;
    bench.closed(run).await;
    assert_eq!(bench.store.unresolved(None).unwrap(), 3, "a declined retry leaves the ledger as it was");
    let filter = Filter::parse("cause:stock -fid:3").unwrap();
    let selection = Selection::Matching { plan: Some(PlanId::new("p")), run: Some(first), filter };
    let run = bench.accepted(Command::Retry { selection, revision: Revision::Newest }).await.unwrap();
    bench.awaiting(run).await;
    let approve = bench.approval(run);
    bench.accepted(approve).await;
    assert_eq!(bench.closed(run).await.tally.audited, 2);
    assert_eq!(bench.store.unresolved(None).unwrap(), 1);
    bench.check();
}

#[tokio::test(start_paused = true)]
async fn two_plans_over_the_same_bills_never_call_one_twice() {
    let mut bench = Bench::started().await;
    bench.plans.0.lock().unwrap().push(plan("q"));
    bench.env.limits.concurrency = 8;
    bench.try_start().await.unwrap();
    bench.world.submitted(1..=30);
    bench.world.with(|s| {
        for n in 1..=30 {
            let trouble = match n % 3 {
                0 => Trouble::LostBefore,
                1 => Trouble::LostAfter,
                _ => Trouble::Slow(Duration::from_secs(5)),
            };
            s.trouble_of.insert(fid(n), [trouble].into());
        }
    });
    let p = bench.start_plan().await;
    let start = Command::Start { plan: PlanId::new("q"), params: StartParams::default() };
    let q = bench.accepted(start).await.unwrap();
    for run in [p, q] {
        bench.awaiting(run).await;
    }
    for run in [p, q] {
        let approve = bench.approval(run);
        bench.accepted(approve).await;
    }
    for run in [p, q] {
        bench.closed(run).await;
    }
    assert_eq!(bench.world.with(|s| s.audits.len()), 30);
    bench.check();
}

#[tokio::test(start_paused = true)]
async fn a_watcher_gets_every_fact_in_order_and_is_told_to_start_again_when_it_lags() {
    let mut bench = Bench::started().await;
    bench.world.submitted(1..=400);
    let mut watch = bench.engine.as_ref().unwrap().watch();
    let mut lazy = bench.engine.as_ref().unwrap().watch();
    let reader = tokio::spawn(async move {
        let mut live = std::mem::take(&mut watch.live);
        while let Some(notice) = watch.notices.recv().await {
            match notice {
                Notice::Facts(facts) => {
                    for fact in facts.iter() {
                        assert_eq!(fact.seq.0, live.seq.0 + 1, "no holes");
                        live.apply(fact);
                    }
                }
                Notice::Resync(_) => panic!("this reader keeps up"),
                Notice::Pulse(_) | Notice::PlansReloaded => {}
            }
            let done = live.runs.values().any(|r| r.row.state.is_closed());
            if done {
                break;
            }
        }
        live
    });
    let row = bench.whole_run().await;
    let live = reader.await.unwrap();
    assert_eq!(live.runs[&row.head.id].row.tally, row.tally);
    assert_eq!(live.faults, Vec::<String>::new());
    let mut resynced = false;
    while let Ok(Some(notice)) = tokio::time::timeout(Duration::from_secs(5), lazy.notices.recv()).await {
        if let Notice::Resync(live) = notice {
            resynced = true;
            assert_eq!(live.runs[&row.head.id].row.tally, row.tally);
        }
    }
    assert!(resynced, "a reader that let its queue fill up gets the state instead");
}

#[tokio::test(start_paused = true)]
async fn drain_lets_calls_in_flight_end_and_leaves_the_rest_for_the_next_start() {
    let mut bench = Bench::started().await;
    bench.env.limits.concurrency = 1;
    bench.env.limits.per_minute = 60;
    bench.try_start().await.unwrap();
    bench.world.submitted(1..=40);
    bench.world.with(|s| s.trouble.extend((0..40).map(|_| Trouble::Slow(Duration::from_secs(3)))));
    let run = bench.start_plan().await;
    bench.awaiting(run).await;
    let approve = bench.approval(run);
    bench.accepted(approve).await;
    tokio::time::sleep(Duration::from_secs(10)).await;
    let left = bench.engine.as_ref().unwrap().drain(Duration::from_secs(30)).await;
    assert_eq!((left.in_flight, left.unknown, left.runs.as_slice()), (0, 0, &[run][..]));
    assert!(matches!(refusal(bench.order(started(&bench, 1)).await), Refusal::WrongState(_)));
    assert_eq!(bench.run(run).state, RunState::Interrupted);
    bench.crash().await;
    bench.try_start().await.unwrap();
    bench.accepted(Command::Resume { run }).await;
    assert_eq!(bench.closed(run).await.tally.audited, 40);
    bench.check();
}

#[tokio::test(start_paused = true)]
async fn pace_is_kept_and_can_be_changed_while_running() {
    let mut bench = Bench::started().await;
    bench.env.limits.per_minute = 60;
    bench.env.limits.concurrency = 1;
    bench.try_start().await.unwrap();
    bench.world.submitted(1..=200);
    let run = bench.start_plan().await;
    bench.awaiting(run).await;
    let approve = bench.approval(run);
    bench.accepted(approve).await;
    tokio::time::sleep(Duration::from_secs(60)).await;
    let posts = bench.world.with(|s| s.posts.len());
    assert!((55..=66).contains(&posts), "{posts} in the first minute");
    let env = EnvId::new("test");
    bench.accepted(Command::SetPace { env, per_minute: Some(6000), concurrency: Some(4) }).await;
    tokio::time::sleep(Duration::from_secs(10)).await;
    assert_eq!(bench.closed(run).await.tally.audited, 200);
    assert!(bench.world.with(|s| s.most_in_flight) > 1);
    bench.check();
}

#[tokio::test(start_paused = true)]
async fn plans_and_environments_are_answered() {
    let mut bench = Bench::new();
    bench.policy(|p| {
        let (cron, zone) = ("0 3 * * *".to_owned(), "Asia/Shanghai".to_owned());
        p.schedule = Some(Schedule { cron, zone, ..Schedule::default() });
    });
    bench.try_start().await.unwrap();
    bench.world.add(1, "A");
    bench.whole_run().await;
    let engine = bench.engine.as_ref().unwrap();
    let Answer::Plans(plans) = engine.ask(Query::Plans).await.unwrap() else { panic!() };
    assert_eq!((plans.len(), plans[0].last.len(), plans[0].unresolved), (1, 1, 1));
    assert!(plans[0].mark.is_some());
    let next = plans[0].next.unwrap().0;
    assert_eq!(next % 86_400_000, 19 * 3_600_000, "three o'clock in Shanghai");
    assert!(next > bench.clock.now().0);
    let Answer::Environments(envs) = engine.ask(Query::Environments).await.unwrap() else { panic!() };
    assert_eq!(envs[0].unlocked_until, None);
    let Answer::Bills(page) = engine.ask(Query::FindBill { number: "XSCKD1".into(), limit: 5 }).await.unwrap() else {
        panic!()
    };
    assert_eq!(page.rows[0].1.fid(), &Fid::from(1));
}
