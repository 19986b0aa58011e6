//! Orders about a run: what each does, what refuses it, and that none is done twice.

use std::time::Duration;

use super::{refusal, started};
use crate::engine_support::*;
use skydeck::domain::command::{Command, Receipt, Refusal, Selection, StartParams};
use skydeck::domain::event::Event;
use skydeck::domain::filter::Filter;
use skydeck::domain::ids::{EnvId, PlanId, PlanRev, SetHash};
use skydeck::domain::query::{Answer, PageRequest, Query};
use skydeck::domain::reason::Reason;
use skydeck::domain::run::{PauseWhy, Revision, RunEnd, RunState};

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
