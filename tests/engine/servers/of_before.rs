//! Facts that name no server, as 0.1.0 left them: nothing is done about them until somebody says where they are.

use std::time::Duration;

use super::{HOME, adopt, bound, denied, died_with_one_unknown, retry, rows, start, verify};
use crate::engine_support::*;
use skydeck::domain::bill::Slot;
use skydeck::domain::command::{Command, Selection};
use skydeck::domain::event::Event;
use skydeck::domain::ids::EnvId;
use skydeck::domain::query::RunColumn;
use skydeck::domain::reason::Reason;
use skydeck::domain::run::{PauseWhy, RunHead, RunState};

/// Starts again over the same facts, as they would be after a change.
async fn with_facts(bench: &mut Bench, change: impl Fn(Event) -> Option<Event>) {
    bench.crash().await;
    let facts = bench.facts();
    bench.store = FlakyStore::new(&bench.clock);
    for event in facts.into_iter().filter_map(|fact| change(fact.event)) {
        bench.store.append_inside(vec![event].into()).await.unwrap();
    }
    bench.try_start().await.unwrap();
}

/// What 0.1.0 would have left behind: the same facts, of which none tells of a server.
async fn of_before(bench: &mut Bench) {
    with_facts(bench, |event| match event {
        Event::ServerBound(_) => None,
        Event::RunOpened(head) => Some(Event::RunOpened(Box::new(RunHead { server: None, ..*head }))),
        other => Some(other),
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn work_of_before_waits_for_somebody_to_say_where_it_is() {
    let mut bench = Bench::started().await;
    bench.world.submitted(1..=3);
    let run = bench.start_plan().await;
    bench.awaiting(run).await;
    of_before(&mut bench).await;
    let unknown = Reason::ServerUnknown { env: EnvId::new("test"), is: server(HOME, "0") };
    assert_eq!(rows(&bench).await[0].held, Some(unknown.clone()));
    let approve = bench.approval(run);
    assert_eq!(denied(bench.order(approve.clone()).await), unknown);
    bench.accepted(adopt("there is but one server")).await;
    assert_eq!(bound(&bench)[0].was, None);
    bench.accepted(approve).await;
    assert_eq!(bench.closed(run).await.tally.audited, 3);
}

#[tokio::test(start_paused = true)]
async fn unknown_bills_of_before_wait_too_and_what_is_settled_binds_by_itself() {
    let mut bench = Bench::started().await;
    let run = died_with_one_unknown(&mut bench).await;
    of_before(&mut bench).await;
    let unknown = Reason::ServerUnknown { env: EnvId::new("test"), is: server(HOME, "0") };
    assert_eq!(bench.run(run).state, RunState::Paused(PauseWhy::Stopped(unknown.clone())));
    tokio::time::sleep(Duration::from_secs(600)).await;
    assert_eq!(bench.run(run).tally.unknown, 1, "not read back before anybody said where");
    assert_eq!(denied(bench.order(Command::Resume { run }).await), unknown);
    bench.accepted(Command::Cancel { run }).await;
    bench.closed(run).await;
    for order in [start("p"), retry(), verify()] {
        assert_eq!(denied(bench.order(order.clone()).await), unknown, "{order:?}: one bill is unknown");
    }
    assert!(bound(&bench).is_empty());
    let selection = Selection::Bills(
        bench
            .store
            .bills_in(RunColumn { run, slot: Slot::Unknown }, None, 10)
            .unwrap()
            .into_iter()
            .map(|row| row.key)
            .collect(),
    );
    bench.accepted(Command::Resolve { selection, reason: "looked at by hand".into() }).await;
    assert_eq!(rows(&bench).await[0].held, None);
    assert_eq!(bench.whole_run().await.head.server, Some(server(HOME, "0")));
    assert_eq!(bound(&bench).len(), 1, "nothing is open: it is bound by itself");
}

#[tokio::test(start_paused = true)]
async fn a_run_of_another_account_set_than_its_environment_is_not_gone_on_with() {
    let mut bench = Bench::started().await;
    bench.world.submitted(1..=2);
    let run = bench.start_plan().await;
    bench.awaiting(run).await;
    // As it would be where a fact of the binding went missing.
    with_facts(&mut bench, |event| match event {
        Event::RunOpened(head) => {
            Some(Event::RunOpened(Box::new(RunHead { server: Some(server(HOME, "9")), ..*head })))
        }
        other => Some(other),
    })
    .await;
    let approve = bench.approval(run);
    let (was, is) = (server(HOME, "9"), server(HOME, "0"));
    let wrong = Reason::OtherAccountSet { env: EnvId::new("test"), was, is };
    assert_eq!(denied(bench.order(approve).await), wrong);
    assert_eq!(bench.world.with(|s| s.posts.len()), 0);
}

#[tokio::test(start_paused = true)]
async fn one_order_that_opens_several_runs_binds_once() {
    let mut bench = Bench::new();
    bench.plans.0.lock().unwrap().push(plan("q"));
    bench.try_start().await.unwrap();
    for (n, id) in [(1, "p"), (2, "q")] {
        bench.world.submitted(n..=n);
        bench.world.with(|s| {
            s.trouble_of.insert(fid(n), [Trouble::Refused(11, "库存不足")].into());
        });
        let run = bench.accepted(start(id)).await.unwrap();
        bench.awaiting(run).await;
        let approve = bench.approval(run);
        bench.accepted(approve).await;
        bench.closed(run).await;
        bench.world.change(n, |doc| doc.gone = true);
    }
    of_before(&mut bench).await;
    assert!(bound(&bench).is_empty());
    bench.accepted(retry()).await;
    assert_eq!(bench.store.open_runs().unwrap().len(), 2);
    assert_eq!(bound(&bench).len(), 1);
}
