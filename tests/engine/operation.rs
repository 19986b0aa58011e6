//! Operations whose effect nothing shows, and plans that do something else than they did: what the engine refuses to order.

use crate::engine_support::*;
use skydeck::domain::bill::Outcome;
use skydeck::domain::command::{Command, Receipt, Refusal, StartParams};
use skydeck::domain::event::Event;
use skydeck::domain::ids::{OpId, PlanId, PlanRev, RunId};
use skydeck::domain::operation::Test;
use skydeck::domain::plan::Plan;
use skydeck::domain::reason::Reason;
use skydeck::domain::run::{Revision, RunState};
use skydeck::domain::step::Verb;

const OLD: &str = "0123456789abcdef";
const NEW: &str = "fedcba9876543210";

fn start() -> Command {
    Command::Start { plan: PlanId::new("p"), params: StartParams::default() }
}

fn retry(revision: Revision) -> Command {
    Command::Retry { selection: Bench::all_matching(), revision }
}

fn verify() -> Command {
    Command::Verify { selection: Bench::all_matching() }
}

/// Changes the plan and has it read anew.
async fn change(bench: &mut Bench, change: impl FnOnce(&mut Plan)) {
    change(&mut bench.plans.0.lock().unwrap()[0]);
    bench.accepted(Command::ReloadPlans).await;
}

fn executes(plan: &mut Plan) {
    plan.target.verb = Verb::Operation("Close".into());
}

fn declares(plan: &mut Plan) {
    plan.policy.done = vec![Test::In("FDocumentStatus".into(), vec!["C".into()])];
}

/// An engine with a plan that closes, and says what shows it.
async fn closing() -> Bench {
    let mut bench = Bench::new();
    bench.env.allow_operations = vec!["Close".into()];
    bench.try_start().await.unwrap();
    change(&mut bench, |plan| {
        executes(plan);
        declares(plan);
    })
    .await;
    bench
}

fn no_effect(rev: Option<&str>) -> Refusal {
    let rev = rev.map(PlanRev::new);
    Refusal::BadPlan(Reason::NoEffect { plan: PlanId::new("p"), operation: "Close".into(), rev })
}

async fn refused(bench: &mut Bench, command: Command) -> Refusal {
    match bench.order(command.clone()).await {
        Receipt::Refused(why) => why,
        Receipt::Accepted { .. } => panic!("{command:?} was accepted"),
    }
}

/// A run with one bill unknown and one failed, both left to the ledger.
async fn left(bench: &mut Bench) -> RunId {
    bench.world.submitted(1..=2);
    bench.world.with(|s| {
        s.trouble_of.insert(fid(1), [Trouble::LostAfter].into());
        s.trouble_of.insert(fid(2), [Trouble::Refused(11, "期间已关账")].into());
    });
    let run = bench.start_plan().await;
    bench.awaiting(run).await;
    let approve = bench.approval(run);
    bench.accepted(approve).await;
    bench.until(run, "settling", |s| *s == RunState::Settling).await;
    bench.world.with(|s| s.reads_down = true);
    let row = bench.closed(run).await;
    bench.world.with(|s| s.reads_down = false);
    assert_eq!((row.tally.unknown, row.tally.failed), (1, 1), "{:?}", row.tally);
    run
}

#[tokio::test(start_paused = true)]
async fn nothing_is_ordered_of_an_operation_whose_effect_nothing_shows() {
    let mut bench = closing().await;
    left(&mut bench).await;
    change(&mut bench, |plan| plan.policy.done.clear()).await;
    let before = bench.facts().len();
    for command in [start(), retry(Revision::Newest), retry(Revision::Original), verify()] {
        let why = refused(&mut bench, command.clone()).await;
        assert_eq!(why, no_effect(None), "{command:?}");
        assert!(why.to_string().contains("\"done\": [[\"FIELD\", \"in\", \"VALUE\"]]"), "{why}");
    }
    assert_eq!(bench.world.posts_of(1) + bench.world.posts_of(2), 2, "as before");
    let opened = bench.facts().into_iter().skip(before).any(|f| matches!(f.event, Event::RunOpened(_)));
    assert!(!opened, "no run was opened");
    bench.check();
}

#[tokio::test(start_paused = true)]
async fn a_set_that_waits_is_not_approved_and_a_run_that_paused_does_not_go_on() {
    let mut bench = closing().await;
    bench.world.submitted(1..=3);
    let run = bench.start_plan().await;
    bench.awaiting(run).await;
    change(&mut bench, |plan| plan.policy.done.clear()).await;
    let approve = bench.approval(run);
    assert_eq!(refused(&mut bench, approve.clone()).await, no_effect(None));
    assert_eq!(bench.world.with(|s| s.posts.len()), 0);
    // With the effect back it is the set that was seen.
    change(&mut bench, declares).await;
    bench.world.with(|s| s.trouble_of.insert(fid(1), [Trouble::Slow(std::time::Duration::from_secs(3))].into()));
    bench.accepted(approve).await;
    bench.accepted(Command::Pause { run }).await;
    bench.paused(run).await;
    let called = bench.world.with(|s| s.posts.len());
    assert!(called < 3, "{called}");
    change(&mut bench, |plan| plan.policy.done.clear()).await;
    assert_eq!(refused(&mut bench, Command::Resume { run }).await, no_effect(None));
    assert_eq!(bench.world.with(|s| s.posts.len()), called);
    change(&mut bench, declares).await;
    bench.accepted(Command::Resume { run }).await;
    let row = bench.closed(run).await;
    assert_eq!((row.tally.audited, bench.world.with(|s| s.posts.len())), (3, 3));
    bench.check();
}

/// The facts of a bench as a program told them that knew of no effects: the plan kept with them declares none.
async fn as_before(from: &Bench, to: &Bench) {
    for fact in from.facts() {
        let event = match fact.event {
            Event::RunOpened(mut head) => {
                if let Some(plan) = &mut head.text {
                    plan.policy.done.clear();
                }
                head.op = OpId::default();
                Event::RunOpened(head)
            }
            other => other,
        };
        to.store.append_inside(vec![event].into()).await.unwrap();
    }
}

#[tokio::test(start_paused = true)]
async fn an_older_revision_without_an_effect_is_refused_by_name_and_the_newest_settles_its_bills() {
    let mut old = closing().await;
    let run = left(&mut old).await;
    let mut bench = Bench { orders: old.orders, ..Bench::new() };
    as_before(&old, &bench).await;
    bench.world = std::sync::Arc::clone(&old.world);
    bench.env.allow_operations = vec!["Close".into()];
    {
        let plan = &mut bench.plans.0.lock().unwrap()[0];
        executes(plan);
        declares(plan);
        plan.rev = PlanRev::new(NEW);
    }
    bench.try_start().await.unwrap();
    let why = refused(&mut bench, retry(Revision::Original)).await;
    assert_eq!(why, no_effect(Some(OLD)));
    assert!(why.to_string().contains("01234567") && why.to_string().contains("newest"), "{why}");
    let verify = bench.accepted(verify()).await.unwrap();
    let row = bench.closed(verify).await;
    // The other one was refused: it is looked at too, and stays what it was told.
    assert_eq!((row.tally.found, row.tally.audited, row.tally.failed), (2, 1, 1), "{:?}", row.tally);
    assert_eq!(bench.word(verify, 1), "audited:verified");
    assert_eq!(bench.world.posts_of(1), 1, "verify writes nothing");
    assert_ne!(verify, run);
}

#[tokio::test(start_paused = true)]
async fn bills_that_were_to_be_audited_are_not_closed_because_the_plan_says_so_now() {
    let mut bench = Bench::new();
    bench.env.allow_operations = vec!["Close".into()];
    bench.try_start().await.unwrap();
    left(&mut bench).await;
    change(&mut bench, |plan| {
        executes(plan);
        declares(plan);
        plan.rev = PlanRev::new(NEW);
    })
    .await;
    let other = Reason::OtherOperation { plan: PlanId::new("p"), was: OpId::default(), is: OpId::new("Close") };
    for command in [retry(Revision::Newest), verify()] {
        assert_eq!(refused(&mut bench, command.clone()).await, Refusal::BadPlan(other.clone()), "{command:?}");
    }
    assert!(other.en().contains("Audit") && other.zh().contains("Audit"));
    // A fresh run does not carry over what was to be audited: it calls what its own query finds.
    bench.world.with(|s| s.docs.retain(|id, _| *id == fid(1)));
    let row = bench.whole_run().await;
    assert_eq!(row.tally.found, 0, "{:?}", row.tally);
    // Under the revision they were tried under they can be taken up.
    bench.world.add(2, "B");
    let run = bench.accepted(retry(Revision::Original)).await.unwrap();
    let row = bench.awaiting(run).await;
    assert_eq!((row.head.rev.as_str(), row.head.op.clone()), (OLD, OpId::default()));
    let approve = bench.approval(run);
    bench.accepted(approve).await;
    bench.closed(run).await;
    assert!(bench.world.with(|s| s.posts.iter().all(|p| p.verb == Verb::Audit)), "nothing was closed");
}

#[tokio::test(start_paused = true)]
async fn after_a_crash_a_run_is_settled_by_what_it_did_and_not_by_what_its_plan_does_now() {
    let mut bench = Bench::new();
    bench.env.allow_operations = vec!["Close".into()];
    bench.try_start().await.unwrap();
    bench.world.submitted(1..=1);
    bench.world.with(|s| s.trouble_of.insert(fid(1), [Trouble::LostAfter].into()));
    let run = bench.start_plan().await;
    bench.awaiting(run).await;
    let approve = bench.approval(run);
    bench.accepted(approve).await;
    bench.until(run, "settling", |s| *s == RunState::Settling).await;
    bench.crash().await;
    {
        let plan = &mut bench.plans.0.lock().unwrap()[0];
        executes(plan);
        // By this the audited bill would be read as not closed.
        plan.policy.done = vec![Test::In("FDocumentStatus".into(), vec!["Z".into()])];
        plan.rev = PlanRev::new(NEW);
    }
    bench.try_start().await.unwrap();
    let row = bench.closed(run).await;
    assert_eq!(row.tally.audited, 1, "{:?}", row.tally);
    assert_eq!(bench.word(run, 1), "audited:verified");
    assert_eq!(bench.world.posts_of(1), 1);
}

/// The entry stays the one of the refusal: no call of ours is open, whatever a run told that did not get to the bill.
#[tokio::test(start_paused = true)]
async fn what_somebody_closed_after_our_call_was_refused_is_not_ours_though_a_stopped_run_came_between() {
    for did_it in [true, false] {
        let mut bench = closing().await;
        bench.world.submitted(1..=3);
        bench.world.with(|s| s.trouble.extend([const { Trouble::Refused(11, "单据正在被引用") }; 3]));
        bench.whole_run().await;
        let run = bench.accepted(retry(Revision::Newest)).await.unwrap();
        bench.awaiting(run).await;
        bench.world.with(|s| s.trouble.extend([const { Trouble::Slow(std::time::Duration::from_secs(30)) }; 3]));
        let approve = bench.approval(run);
        bench.accepted(approve).await;
        bench.accepted(Command::Cancel { run }).await;
        let row = bench.closed(run).await;
        let left: Vec<u64> = (1..=3).filter(|n| bench.word(run, *n).ends_with("not_reached")).collect();
        assert!(!left.is_empty(), "{:?}", row.tally);
        let words: Vec<String> = left.iter().map(|n| bench.word(run, *n)).collect();
        if did_it {
            for n in &left {
                bench.world.change(*n, |doc| doc.status = "C".to_owned().into());
            }
        }
        let looked = bench.accepted(verify()).await.unwrap();
        bench.closed(looked).await;
        for n in left {
            let word = if did_it { "already_audited" } else { "failed:validation" };
            assert_eq!(bench.word(looked, n), word, "{words:?}");
        }
        bench.check();
    }
}

#[tokio::test(start_paused = true)]
async fn a_refusal_that_a_person_resolved_and_put_back_is_verified_as_the_refusal_it_is() {
    let mut bench = closing().await;
    bench.world.submitted(1..=2);
    bench.world.with(|s| s.trouble.extend([const { Trouble::Refused(11, "单据正在被引用") }; 2]));
    bench.whole_run().await;
    bench.accepted(Command::Resolve { selection: Bench::all_matching(), reason: "by hand".into() }).await;
    let keys = bench.facts().into_iter().filter_map(|fact| match fact.event {
        Event::LedgerResolved { key, .. } => Some(key),
        _ => None,
    });
    bench.accepted(Command::Reopen { keys: keys.collect(), reason: "another one".into() }).await;
    bench.world.change(2, |doc| doc.status = "C".to_owned().into());
    let looked = bench.accepted(verify()).await.unwrap();
    let row = bench.closed(looked).await;
    let said = bench.facts().into_iter().rev().find_map(|fact| match fact.event {
        Event::BillSettled { run, fid: of, outcome: Outcome::Failed(said), .. } if run == looked && of == fid(1) => {
            Some(said.message)
        }
        _ => None,
    });
    assert_eq!(said.as_deref(), Some("单据正在被引用"), "{:?}", row.tally);
    assert_eq!(bench.word(looked, 2), "already_audited", "nothing of ours was open");
    bench.check();
}
