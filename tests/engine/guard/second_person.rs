//! What asks for a second person: a first run in production, a large set, a revision that has written nothing yet.

use std::time::Duration;

use super::{collected, production, session};
use crate::engine_support::*;
use skydeck::domain::command::{Command, Receipt, Refusal};
use skydeck::domain::reason::Reason;
use skydeck::domain::run::{Flag, Revision, RunEnd, RunState};

#[tokio::test(start_paused = true)]
async fn the_first_run_of_a_revision_in_production_waits_for_another_user() {
    let mut bench = production(3).await;
    let run = collected(&mut bench).await;
    let approve = bench.approval(run);
    let waits =
        |receipt: Receipt| assert!(matches!(receipt, Receipt::Refused(Refusal::SecondPerson { .. })), "{receipt:?}");
    waits(bench.order_of(2, None, approve.clone()).await);
    // The same user again, from wherever, is not a second person.
    waits(bench.order_of(2, Some(session(1)), approve.clone()).await);
    assert_eq!(bench.run(run).state, RunState::AwaitingApproval);
    assert_eq!(bench.run(run).consent.unwrap().by.uid, 2);
    assert_eq!(bench.world.with(|s| s.posts.len()), 0, "nothing is written on one word");
    // After a crash the first word still stands.
    bench.crash().await;
    bench.try_start().await.unwrap();
    assert!(matches!(bench.order_of(3, None, approve).await, Receipt::Accepted { .. }));
    assert_eq!(bench.closed(run).await.tally.audited, 3);
    // The revision has written here now: one person is enough.
    bench.world.submitted(4..=5);
    let run = collected(&mut bench).await;
    let approve = bench.approval(run);
    assert!(matches!(bench.order_of(2, None, approve).await, Receipt::Accepted { .. }));
    assert_eq!(bench.closed(run).await.state, RunState::Closed(RunEnd::Completed));
}

#[tokio::test(start_paused = true)]
async fn a_first_word_is_about_one_set_and_its_flags_and_runs_out() {
    let mut bench = production(3).await;
    let run = collected(&mut bench).await;
    let Command::Approve { hash, .. } = bench.approval(run) else { panic!() };
    let flags = vec![Flag("STK_InvCheckResult".into())];
    let approve = |flags: &[Flag]| Command::Approve {
        run,
        hash: hash.clone(),
        typed: Some("test".into()),
        flags: flags.to_vec(),
        reason: Some("stock is counted tomorrow".into()),
    };
    assert!(matches!(bench.order_of(2, None, approve(&flags)).await, Receipt::Refused(Refusal::SecondPerson { .. })));
    let other = bench.order_of(3, None, approve(&[])).await;
    assert!(
        matches!(&other, Receipt::Refused(Refusal::NotConfirmed(why)) if why.en().contains("other flags")),
        "{other:?}"
    );
    tokio::time::sleep(Duration::from_secs(601)).await;
    // Too late: the second one's word is a first word now.
    assert!(matches!(bench.order_of(3, None, approve(&flags)).await, Receipt::Refused(Refusal::SecondPerson { .. })));
    assert_eq!(bench.run(run).consent.unwrap().by.uid, 3);
    assert!(matches!(bench.order_of(2, None, approve(&flags)).await, Receipt::Accepted { .. }));
    let row = bench.closed(run).await;
    assert_eq!((row.flags, row.tally.audited), (flags, 3));
}

#[tokio::test(start_paused = true)]
async fn more_than_a_thousand_bills_ask_for_two() {
    let mut bench = production(2).await;
    bench.env.second_person = false;
    bench.crash().await;
    bench.try_start().await.unwrap();
    assert_eq!(bench.whole_run().await.tally.audited, 2);
    bench.crash().await;
    bench.env.second_person = true;
    bench.try_start().await.unwrap();
    bench.world.submitted(3..=1003);
    let run = collected(&mut bench).await;
    let Command::Approve { hash, flags, reason, .. } = bench.approval(run) else { panic!() };
    let approve = Command::Approve { run, hash, typed: Some("test".into()), flags, reason };
    assert!(matches!(bench.order_of(2, None, approve).await, Receipt::Refused(Refusal::SecondPerson { .. })));
}

#[tokio::test(start_paused = true)]
async fn only_a_run_that_was_approved_and_called_makes_a_revision_one_that_has_written() {
    let mut bench = production(0).await;
    // Two runs of the revision that call nothing: one is cancelled while it waits, one skips all it found.
    bench.world.add(1, "Z");
    let run = collected(&mut bench).await;
    assert!(matches!(bench.order_of(2, None, Command::Cancel { run }).await, Receipt::Accepted { .. }));
    bench.closed(run).await;
    let run = collected(&mut bench).await;
    let approve = bench.approval(run);
    assert!(matches!(bench.order_of(2, None, approve).await, Receipt::Accepted { .. }));
    let row = bench.closed(run).await;
    assert_eq!((row.state, row.tally.skipped), (RunState::Closed(RunEnd::Completed), 1));
    bench.world.submitted(2..=4);
    let run = collected(&mut bench).await;
    let approve = bench.approval(run);
    let receipt = bench.order_of(2, None, approve).await;
    assert!(matches!(receipt, Receipt::Refused(Refusal::SecondPerson { .. })), "{receipt:?}");
    let approve = bench.approval(run);
    assert!(matches!(bench.order_of(4, None, approve).await, Receipt::Accepted { .. }));
    assert_eq!(bench.closed(run).await.tally.audited, 3);
    bench.world.submitted(5..=6);
    let run = collected(&mut bench).await;
    let approve = bench.approval(run);
    assert!(matches!(bench.order_of(2, None, approve).await, Receipt::Accepted { .. }), "now it has written");
}

/// What the only earlier run of a revision came to, whose bill is out of the query since.
async fn after_a_run(outcome: &str) -> Bench {
    let mut bench = Bench::new();
    bench.env.production = true;
    bench.policy(|policy| policy.carry_over = false);
    bench.plans.0.lock().unwrap().push(plan("q"));
    bench.try_start().await.unwrap();
    bench.world.submitted(1..=1);
    let trouble = match outcome {
        "failed" => Trouble::Refused(11, "库存不足"),
        "unknown" => Trouble::LostAfter,
        _ => Trouble::None,
    };
    bench.world.with(|s| s.trouble.push_back(trouble));
    let plan = if outcome == "another plan" { "q" } else { "p" };
    let run = bench.start_of(plan).await;
    bench.awaiting(run).await;
    let order = if outcome == "declined" { Command::Decline { run } } else { bench.approval(run) };
    bench.accepted(order).await;
    if outcome == "unknown" {
        bench.until(run, "settling", |s| *s == RunState::Settling).await;
        bench.world.with(|s| s.reads_down = true);
    }
    let tally = bench.closed(run).await.tally;
    let told = [("audited", tally.audited), ("failed", tally.failed), ("unknown", tally.unknown)];
    assert!(told.iter().all(|(word, n)| (*word == outcome) == (*n == 1) || outcome.contains(' ')), "{tally:?}");
    bench.world.with(|s| s.reads_down = false);
    bench.world.change(1, |doc| doc.status = "C".to_owned().into());
    bench.crash().await;
    bench
}

/// Whether a second person is asked for the next set of plan p, in an environment that wants two.
async fn asks_for_two(bench: &mut Bench) -> bool {
    bench.try_start().await.unwrap();
    bench.world.submitted(2..=2);
    let run = collected(bench).await;
    let approve = bench.approval(run);
    match bench.order_of(2, None, approve).await {
        Receipt::Accepted { .. } => false,
        Receipt::Refused(Refusal::SecondPerson(Reason::SecondPerson { run: of, .. })) if of == run => true,
        other @ Receipt::Refused(_) => panic!("{other:?}"),
    }
}

#[tokio::test(start_paused = true)]
async fn one_bill_that_was_called_makes_a_revision_known_and_nothing_else_does() {
    for (outcome, two) in [
        ("audited", false),
        ("failed", false),
        ("unknown", false),
        ("declined", true),
        ("another plan", true),
        ("another revision", true),
        ("another environment", true),
    ] {
        let mut bench = after_a_run(outcome).await;
        bench.env.second_person = true;
        if outcome == "another revision" {
            bench.plans.0.lock().unwrap()[0].rev = skydeck::domain::ids::PlanRev::new("77777777");
        }
        if outcome == "another environment" {
            // The plan names none: it is of the one that is first now, its text and its revision being the same.
            let mut live = other_environment("live");
            (live.production, live.second_person) = (true, true);
            let world = World::of(&bench.clock, "live");
            world.submitted(2..=2);
            bench.before.push((live, world as std::sync::Arc<dyn skydeck::engine::ports::Erp>));
        }
        assert_eq!(asks_for_two(&mut bench).await, two, "{outcome}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_run_that_only_read_makes_no_revision_known() {
    let mut bench = after_a_run("unknown").await;
    let rev = skydeck::domain::ids::PlanRev::new("77777777");
    bench.plans.0.lock().unwrap()[0].rev = rev;
    bench.env.second_person = true;
    bench.try_start().await.unwrap();
    let verify = bench.order_of(2, None, Command::Verify { selection: Bench::all_matching() }).await;
    let Receipt::Accepted { run: Some(verify), .. } = verify else { panic!("{verify:?}") };
    assert_eq!(bench.closed(verify).await.tally.audited, 1);
    assert!(asks_for_two(&mut bench).await);
}

#[tokio::test(start_paused = true)]
async fn one_unknown_bill_tried_again_asks_for_two() {
    let mut bench = after_a_run("unknown").await;
    bench.world.change(1, |doc| doc.status = "B".to_owned().into());
    bench.env.second_person = true;
    bench.try_start().await.unwrap();
    let retry = Command::Retry { selection: Bench::all_matching(), revision: Revision::Newest };
    let Receipt::Accepted { run: Some(run), .. } = bench.order_of(2, None, retry).await else { panic!("not taken") };
    let row = bench.awaiting(run).await;
    assert_eq!(row.collected.map(|c| (c.callable, c.unknown)), Some((1, 1)));
    let Command::Approve { hash, flags, reason, .. } = bench.approval(run) else { panic!() };
    let approve = Command::Approve { run, hash, typed: Some("test".into()), flags, reason };
    let receipt = bench.order_of(2, None, approve).await;
    assert!(matches!(receipt, Receipt::Refused(Refusal::SecondPerson(_))), "{receipt:?}");
}

#[tokio::test(start_paused = true)]
async fn who_typed_the_number_called_or_the_number_found_has_seen_the_set() {
    for (typed, refused) in [(Some("22"), false), (Some("21"), false), (Some("20"), true), (None, true)] {
        let mut bench = Bench::new();
        bench.env.production = true;
        bench.try_start().await.unwrap();
        bench.world.submitted(1..=21);
        bench.world.add(22, "Z");
        let run = collected(&mut bench).await;
        let Command::Approve { hash, flags, reason, .. } = bench.approval(run) else { panic!() };
        let approve = Command::Approve { run, hash, typed: typed.map(str::to_owned), flags, reason };
        let receipt = bench.order_of(2, None, approve).await;
        let count = Receipt::Refused(Refusal::NotConfirmed(Reason::TypeCount { n: 21 }));
        assert_eq!(receipt == count, refused, "{typed:?}: {receipt:?}");
        assert_eq!(matches!(receipt, Receipt::Accepted { .. }), !refused, "{typed:?}: {receipt:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn an_environment_that_becomes_productive_while_a_set_waits_asks_for_what_production_asks() {
    let mut bench = Bench::new();
    bench.env.second_person = true;
    bench.try_start().await.unwrap();
    bench.world.submitted(1..=30);
    let run = collected(&mut bench).await;
    bench.crash().await;
    bench.env.production = true;
    bench.try_start().await.unwrap();
    let approve = bench.approval(run);
    let count = Receipt::Refused(Refusal::NotConfirmed(Reason::TypeCount { n: 30 }));
    assert_eq!(bench.order_of(2, None, approve.clone()).await, count);
    // One that was collected in production keeps to it, whatever the environment becomes.
    bench.order_of(2, None, Command::Cancel { run }).await;
    bench.closed(run).await;
    let run = collected(&mut bench).await;
    bench.crash().await;
    bench.env.production = false;
    bench.try_start().await.unwrap();
    let approve = bench.approval(run);
    assert_eq!(bench.order_of(2, None, approve).await, count);
}
