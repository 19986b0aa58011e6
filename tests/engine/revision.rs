//! A retry under the newest or the original revision of its plan: the choice is the operator's, the plan is the very one.

use crate::engine_support::*;
use skydeck::domain::command::{Command, Receipt, Refusal, Selection};
use skydeck::domain::event::Event;
use skydeck::domain::ids::{PlanId, PlanRev, RunId};
use skydeck::domain::plan::Column;
use skydeck::domain::query::{Answer, Query, RevisionRow};
use skydeck::domain::run::Revision;

const OLD: &str = "0123456789abcdef";
const NEW: &str = "fedcba9876543210";

fn retry(revision: Revision) -> Command {
    Command::Retry { selection: Bench::all_matching(), revision }
}

/// A bill nobody submitted was skipped; then the plan learned to submit.
async fn changed(bench: &mut Bench) -> RunId {
    bench.world.add(1, "A");
    let first = bench.whole_run().await.head.id;
    assert_eq!(bench.word(first, 1), "skipped:created");
    learn(bench, NEW, true).await;
    first
}

async fn learn(bench: &mut Bench, rev: &str, submit: bool) {
    bench.plans.0.lock().unwrap()[0].rev = PlanRev::new(rev);
    bench.policy(|policy| policy.submit = submit);
    bench.accepted(Command::ReloadPlans).await;
}

async fn choices(bench: &Bench) -> Vec<RevisionRow> {
    let query = Query::Revisions(Bench::all_matching());
    match bench.engine.as_ref().unwrap().ask(query).await.unwrap() {
        Answer::Revisions(rows) => rows,
        other => panic!("{other:?}"),
    }
}

fn choice(original: &str, newest: &str, kept: bool, bills: u64) -> RevisionRow {
    RevisionRow {
        plan: PlanId::new("p"),
        original: PlanRev::new(original),
        newest: Some(PlanRev::new(newest)),
        kept,
        bills,
    }
}

#[tokio::test(start_paused = true)]
async fn the_newest_is_the_default_and_the_original_is_the_plan_as_it_was() {
    for (revision, rev, word, posts) in
        [(Revision::Newest, NEW, "audited", 2), (Revision::Original, OLD, "skipped:created", 0)]
    {
        let mut bench = Bench::started().await;
        changed(&mut bench).await;
        assert_eq!(choices(&bench).await, [choice(OLD, NEW, true, 1)]);
        let run = bench.accepted(retry(revision)).await.unwrap();
        let head = bench.awaiting(run).await.head;
        assert_eq!((head.revision, head.rev.as_str()), (revision, rev));
        assert_eq!(head.text, None, "readers get heads without the plan");
        let approve = bench.approval(run);
        bench.accepted(approve).await;
        bench.closed(run).await;
        assert_eq!((bench.word(run, 1).as_str(), bench.world.posts_of(1)), (word, posts), "{revision:?}");
        let said = match revision {
            Revision::Newest => "accepted",
            Revision::Original => "accepted; p under its original revision 01234567",
        };
        assert_eq!(bench.last_said("retry"), said);
        bench.check();
    }
}

#[tokio::test(start_paused = true)]
async fn an_original_run_goes_on_under_its_plan_after_a_crash_and_another_change() {
    let mut bench = Bench::started().await;
    changed(&mut bench).await;
    let run = bench.accepted(retry(Revision::Original)).await.unwrap();
    bench.awaiting(run).await;
    bench.crash().await;
    bench.plans.0.lock().unwrap()[0].rev = PlanRev::new("7777777777777777");
    bench.try_start().await.unwrap();
    let approve = bench.approval(run);
    bench.accepted(approve).await;
    bench.closed(run).await;
    assert_eq!((bench.word(run, 1).as_str(), bench.world.posts_of(1)), ("skipped:created", 0));
    // A run of the newest revision still wants the plan it was collected with.
    let run = bench.accepted(retry(Revision::Newest)).await.unwrap();
    bench.awaiting(run).await;
    learn(&mut bench, NEW, true).await;
    let approve = bench.approval(run);
    assert!(matches!(bench.order(approve).await, Receipt::Refused(Refusal::NotConfirmed(_))));
}

#[tokio::test(start_paused = true)]
async fn each_revision_is_kept_once_and_two_of_one_plan_are_retried_one_after_the_other() {
    let mut bench = Bench::started().await;
    bench.policy(|policy| policy.carry_over = false);
    bench.accepted(Command::ReloadPlans).await;
    bench.world.add(1, "A");
    bench.whole_run().await;
    bench.whole_run().await;
    learn(&mut bench, NEW, false).await;
    for n in 2..=3 {
        bench.world.add(n, "A");
    }
    let filter = skydeck::domain::filter::Filter::parse("fid:1").unwrap();
    bench.whole_run().await;
    let texts = bench.facts().iter().filter(|f| matches!(&f.event, Event::RunOpened(h) if h.text.is_some())).count();
    assert_eq!(texts, 2, "one a revision");
    // Bill 1 was found again by the newest run; tried under the old revision alone it stays the old one's.
    let rows = choices(&bench).await;
    assert_eq!(rows.iter().map(|r| r.bills).sum::<u64>(), 3);
    let selection = Selection::Matching { plan: None, run: None, filter };
    learn(&mut bench, OLD, false).await;
    let under_old = bench.accepted(Command::Retry { selection, revision: Revision::Newest }).await.unwrap();
    bench.awaiting(under_old).await;
    let approve = bench.approval(under_old);
    bench.accepted(approve).await;
    bench.closed(under_old).await;
    assert_eq!(choices(&bench).await, [choice(NEW, OLD, true, 2), choice(OLD, OLD, true, 1)]);
    let run = bench.accepted(retry(Revision::Original)).await.unwrap();
    let row = bench.awaiting(run).await;
    assert_eq!((row.head.rev.as_str(), row.tally.found), (NEW, 2), "most bills first");
    let said = "accepted; p under its original revision fedcba98; \
                left out: 1 of another revision of the same plan: retry them after this run";
    assert_eq!(bench.last_said("retry"), said);
    bench.check();
}

#[tokio::test(start_paused = true)]
async fn a_revision_that_is_not_kept_is_said_and_nothing_is_opened() {
    let mut old = Bench::started().await;
    old.world.add(1, "A");
    old.whole_run().await;
    let mut bench = Bench { orders: old.orders, ..Bench::new() };
    // A journal of a program that did not keep plans yet.
    for fact in old.facts() {
        let event = match fact.event {
            Event::RunOpened(head) => Event::RunOpened(Box::new(head.without_text())),
            other => other,
        };
        bench.store.append_inside(vec![event].into()).await.unwrap();
    }
    bench.try_start().await.unwrap();
    // The plan as it is can still be had, and is kept from now on.
    assert_eq!(choices(&bench).await, [choice(OLD, OLD, true, 1)]);
    learn(&mut bench, NEW, false).await;
    assert_eq!(choices(&bench).await, [choice(OLD, NEW, false, 1)]);
    let runs = bench.store.open_runs().unwrap().len();
    match bench.order(retry(Revision::Original)).await {
        Receipt::Refused(Refusal::BadPlan(why)) => {
            assert!(why.en().contains("01234567") && why.en().contains("fedcba98"), "{why}")
        }
        other => panic!("{other:?}"),
    }
    assert_eq!(bench.store.open_runs().unwrap().len(), runs);
    assert!(bench.accepted(retry(Revision::Newest)).await.is_some());
}

#[tokio::test(start_paused = true)]
async fn values_of_a_bill_that_is_retried_stand_under_their_own_columns_whatever_the_plan_reads_by_now() {
    let column = |key: &str| Column { key: key.into(), path: key.into(), label: key.into() };
    let mut bench = Bench::started().await;
    bench.world.add(1, "A");
    let first = bench.whole_run().await.head.id;
    assert_eq!(bench.word(first, 1), "skipped:created");
    // A plan that got a column before the old one, one that reads them the other way round, and one that lost the old one.
    for (rev, names, want) in [
        ("1111111111111111", vec!["FCust", "FOrg"], vec!["", "100"]),
        ("2222222222222222", vec!["FOrg", "FCust"], vec!["100", ""]),
        ("3333333333333333", vec!["FOrg"], vec!["100"]),
        ("4444444444444444", vec!["FCust"], vec![""]),
    ] {
        bench.plans.0.lock().unwrap()[0].source.columns = names.iter().map(|name| column(name)).collect();
        learn(&mut bench, rev, false).await;
        let run = bench.accepted(retry(Revision::Newest)).await.unwrap();
        bench.awaiting(run).await;
        let approve = bench.approval(run);
        bench.accepted(approve).await;
        assert_eq!(bench.closed(run).await.head.columns, names);
        let row = bench.store.bill_of_run(run, &fid(1)).unwrap().unwrap();
        assert_eq!(row.columns, want, "{names:?}");
    }
}
