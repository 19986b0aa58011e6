//! Which server an environment's records are on: bound once, adopted by a person, never another account set; and what two
//! environments of one engine owe each other.
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use crate::engine_support::*;
use async_trait::async_trait;
use skydeck::domain::access::Role;
use skydeck::domain::bill::Slot;
use skydeck::domain::command::{Command, Order, Receipt, Refusal, Selection, StartParams};
use skydeck::domain::env::Environment;
use skydeck::domain::event::Event;
use skydeck::domain::ids::{CommandId, EnvId, PlanId, RunId, SessionId};
use skydeck::domain::query::{Answer, EnvRow, Query};
use skydeck::domain::reason::Reason;
use skydeck::domain::run::{PauseWhy, Revision, RunEnd, RunHead, RunState};
use skydeck::domain::server::{Server, ServerBound};
use skydeck::domain::who::{Origin, Who};
use skydeck::engine::ports::Erp;
use skydeck::erp::KingdeeErp;
use skydeck::erp::config::{ClientConfig, SignIn};
use skydeck::erp::refusals::Refusals;
use skydeck::erp::transport::{CallKind, HttpReply, Transport, TransportFault};

const HOME: &str = "http://erp.invalid/k3cloud";
const NEW_HOME: &str = "http://erp2.invalid/k3cloud";

fn start(plan: &str) -> Command {
    Command::Start { plan: PlanId::new(plan), params: StartParams::default() }
}

fn retry() -> Command {
    Command::Retry { selection: Bench::all_matching(), revision: Revision::Newest }
}

fn verify() -> Command {
    Command::Verify { selection: Bench::all_matching() }
}

fn adopt(reason: &str) -> Command {
    Command::AdoptServer { env: EnvId::new("test"), reason: reason.into() }
}

/// The reason of a denied order.
fn denied(receipt: Receipt) -> Reason {
    match receipt {
        Receipt::Refused(Refusal::Denied(why)) => why,
        other => panic!("{other:?}"),
    }
}

/// The process ends, and starts again with the environment on another server: another world, with other bills.
async fn moved(bench: &mut Bench, address: &str, account_set: &str) -> Arc<World> {
    bench.crash().await;
    let other = World::new(&bench.clock);
    bench.erp = Some(Arc::clone(&other) as Arc<dyn Erp>);
    bench.env.server = server(address, account_set);
    bench.try_start().await.unwrap();
    other
}

/// The process ends, and starts again with everything as it was.
async fn back(bench: &mut Bench) {
    bench.crash().await;
    (bench.env.server, bench.erp) = (server(HOME, "0"), None);
    bench.try_start().await.unwrap();
}

fn bound(bench: &Bench) -> Vec<ServerBound> {
    let bound = |event| if let Event::ServerBound(bound) = event { Some(*bound) } else { None };
    bench.facts().into_iter().filter_map(|fact| bound(fact.event)).collect()
}

async fn rows(bench: &Bench) -> Vec<EnvRow> {
    match bench.engine.as_ref().unwrap().ask(Query::Environments).await.unwrap() {
        Answer::Environments(rows) => rows,
        other => panic!("{other:?}"),
    }
}

fn calls(world: &World) -> u32 {
    world.with(|s| s.calls + s.pages)
}

/// A run with one bill whose answer was lost, and the process at its end before it was read back.
async fn died_with_one_unknown(bench: &mut Bench) -> RunId {
    bench.env.limits.concurrency = 1;
    bench.env.limits.per_minute = 60;
    bench.try_start().await.unwrap();
    bench.world.submitted(1..=20);
    bench.world.with(|s| {
        s.trouble_of.insert(fid(1), [Trouble::LostAfter].into());
    });
    let run = bench.start_plan().await;
    bench.awaiting(run).await;
    let approve = bench.approval(run);
    bench.accepted(approve).await;
    while bench.run(run).tally.unknown == 0 {
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    // In order, so that no other call is open.
    bench.engine.as_ref().unwrap().drain(Duration::from_secs(30)).await;
    run
}

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
async fn the_first_run_binds_its_environment_and_every_run_says_where_it_was() {
    let mut bench = Bench::started().await;
    bench.world.submitted(1..=2);
    assert_eq!(rows(&bench).await[0].home, None);
    let run = bench.whole_run().await;
    let home = server(HOME, "0");
    assert_eq!(run.head.server.as_ref(), Some(&home));
    let told = bound(&bench);
    let [only] = told.as_slice() else { panic!("{told:?}") };
    assert_eq!((&only.env, &only.server, &only.was, &only.reason), (&EnvId::new("test"), &home, &None, &None));
    assert_eq!((only.by.origin(), only.by.uid), (Origin::Engine, 1000));
    let place = |is: &dyn Fn(&Event) -> bool| bench.facts().iter().position(|fact| is(&fact.event)).unwrap();
    let before = place(&|e| matches!(e, Event::ServerBound(_)));
    assert_eq!(before + 1, place(&|e| matches!(e, Event::RunOpened(_))), "bound no later than the run");
    assert_eq!(rows(&bench).await[0].home, Some(home));
    bench.world.submitted(3..=3);
    bench.whole_run().await;
    bench.crash().await;
    bench.try_start().await.unwrap();
    bench.world.submitted(4..=4);
    bench.whole_run().await;
    assert_eq!(bound(&bench).len(), 1, "said once");
    bench.check();
}

#[tokio::test(start_paused = true)]
async fn a_set_is_never_audited_on_another_account_set() {
    let mut bench = Bench::started().await;
    bench.world.submitted(1..=3);
    let run = bench.start_plan().await;
    bench.awaiting(run).await;
    let other = moved(&mut bench, HOME, "1").await;
    other.submitted(1..=3);
    let (was, is) = (server(HOME, "0"), server(HOME, "1"));
    let wrong = Reason::OtherAccountSet { env: EnvId::new("test"), was, is };
    let approve = bench.approval(run);
    assert_eq!(denied(bench.order(approve).await), wrong);
    assert_eq!(
        denied(bench.order(adopt("it is the same, really")).await),
        wrong,
        "another account set is never adopted"
    );
    assert_eq!(rows(&bench).await[0].held, Some(wrong.clone()));
    bench.accepted(Command::Decline { run }).await;
    bench.closed(run).await;
    assert_eq!(denied(bench.order(start("p")).await), wrong, "nor is a new set read for it");
    tokio::time::sleep(Duration::from_secs(600)).await;
    assert_eq!(calls(&other), 0, "nothing was asked there, nothing was sent");
    assert_eq!(bench.world.with(|s| s.posts.len()), 0);
    assert_eq!(bound(&bench).len(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_moved_server_is_adopted_by_an_approver_with_a_reason() {
    let mut bench = Bench::started().await;
    bench.world.submitted(1..=3);
    let run = bench.start_plan().await;
    bench.awaiting(run).await;
    let other = moved(&mut bench, NEW_HOME, "0").await;
    other.submitted(1..=3);
    let (was, is) = (server(HOME, "0"), server(NEW_HOME, "0"));
    let wrong = Reason::WrongServer { env: EnvId::new("test"), was: was.clone(), is: is.clone() };
    let approve = bench.approval(run);
    assert_eq!(denied(bench.order(approve.clone()).await), wrong);
    let by_operator = denied(bench.order_of(2000, None, adopt("moved")).await);
    assert!(matches!(by_operator, Reason::NotAllowed { needed: Role::Approver, .. }), "{by_operator:?}");
    let unsaid = bench.order(adopt("  ")).await;
    assert!(matches!(&unsaid, Receipt::Refused(Refusal::NotConfirmed(Reason::NeedsReason { .. }))), "{unsaid:?}");
    assert_eq!(denied(bench.order(approve.clone()).await), wrong, "nothing was adopted yet");
    bench.accepted(adopt("the data centre was moved to the new host")).await;
    let again = bench.order(adopt("twice")).await;
    assert!(matches!(&again, Receipt::Refused(Refusal::Nothing(Reason::ServerKnown { .. }))), "{again:?}");
    let told = bound(&bench).pop().unwrap();
    assert_eq!((told.server, told.was), (is, Some(was)));
    assert_eq!(told.reason.as_deref(), Some("the data centre was moved to the new host"));
    assert_eq!(told.by.login, "wang");
    let line = bench.actions.lines().into_iter().find(|line| line.contains("→")).unwrap();
    for part in
        ["erp2.invalid:80/k3cloud (0)", "moved to the new host", r#""env":"test""#, r#""action":"adopt_server""#]
    {
        assert!(line.contains(part), "{part}: {line}");
    }
    let entry = bench.facts().into_iter().rev().find_map(|fact| match fact.event {
        Event::ActionTaken(entry) if entry.result.starts_with("accepted") => Some(entry),
        _ => None,
    });
    assert_eq!(entry.unwrap().reason.as_deref(), Some("the data centre was moved to the new host"));
    bench.accepted(approve).await;
    assert_eq!(bench.closed(run).await.tally.audited, 3);
    assert_eq!((other.with(|s| s.posts.len()), bench.world.with(|s| s.posts.len())), (3, 0));
    assert_eq!(rows(&bench).await[0].held, None);
    // What was adopted is remembered.
    bench.crash().await;
    bench.try_start().await.unwrap();
    other.submitted(4..=4);
    assert_eq!(bench.whole_run().await.tally.audited, 1);
}

#[tokio::test(start_paused = true)]
async fn nothing_of_an_interrupted_run_is_believed_from_another_server() {
    let mut bench = Bench::started().await;
    let run = died_with_one_unknown(&mut bench).await;
    // There the same ids are audited, by somebody else.
    let other = moved(&mut bench, NEW_HOME, "0").await;
    for n in 1..=20 {
        other.add(n, "C");
    }
    let (was, is) = (server(HOME, "0"), server(NEW_HOME, "0"));
    let wrong = Reason::WrongServer { env: EnvId::new("test"), was, is };
    assert_eq!(bench.run(run).state, RunState::Paused(PauseWhy::Stopped(wrong.clone())));
    tokio::time::sleep(Duration::from_secs(600)).await;
    assert_eq!(bench.run(run).tally.unknown, 1, "what is unknown stays unknown");
    assert_eq!(denied(bench.order(Command::Resume { run }).await), wrong);
    assert_eq!(calls(&other), 0);
    // A second start tells nothing new.
    let facts = bench.facts().len();
    bench.crash().await;
    bench.try_start().await.unwrap();
    assert_eq!(bench.facts().len(), facts);
    // The old address is put back: the bill is read back by itself, and the run goes on when it is told to.
    bench.crash().await;
    bench.env.server = server(HOME, "0");
    bench.erp = None;
    bench.try_start().await.unwrap();
    tokio::time::sleep(Duration::from_secs(300)).await;
    assert_eq!((bench.run(run).tally.unknown, bench.word(run, 1)), (0, "audited:verified".into()));
    bench.accepted(Command::Resume { run }).await;
    assert_eq!(bench.closed(run).await.tally.audited, 20);
    bench.check();
}

#[tokio::test(start_paused = true)]
async fn adopting_takes_up_what_is_unknown() {
    let mut bench = Bench::started().await;
    let run = died_with_one_unknown(&mut bench).await;
    bench.crash().await;
    bench.env.server = server(NEW_HOME, "0");
    bench.try_start().await.unwrap();
    tokio::time::sleep(Duration::from_secs(300)).await;
    assert_eq!(bench.run(run).tally.unknown, 1);
    bench.accepted(adopt("a new name for the same machine")).await;
    tokio::time::sleep(Duration::from_secs(300)).await;
    assert_eq!((bench.run(run).tally.unknown, bench.word(run, 1)), (0, "audited:verified".into()));
    bench.accepted(Command::Resume { run }).await;
    assert_eq!(bench.closed(run).await.tally.audited, 20);
}

#[tokio::test(start_paused = true)]
async fn unresolved_bills_are_neither_retried_nor_verified_on_another_server() {
    let mut bench = Bench::started().await;
    bench.world.submitted(1..=2);
    bench.world.with(|s| {
        s.trouble_of.insert(fid(1), [Trouble::LostBefore].into());
        s.trouble_of.insert(fid(2), [Trouble::Refused(11, "库存不足")].into());
        s.reads_down = false;
    });
    let run = bench.start_plan().await;
    bench.awaiting(run).await;
    let approve = bench.approval(run);
    bench.accepted(approve).await;
    while bench.run(run).tally.unknown == 0 {
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    bench.world.with(|s| s.reads_down = true);
    bench.accepted(Command::Cancel { run }).await;
    let row = bench.closed(run).await;
    assert_eq!((row.tally.unknown, row.tally.waiting), (1, 0));
    let other = moved(&mut bench, NEW_HOME, "0").await;
    for n in 1..=2 {
        other.add(n, "C");
    }
    let (was, is) = (server(HOME, "0"), server(NEW_HOME, "0"));
    let wrong = Reason::WrongServer { env: EnvId::new("test"), was, is };
    for order in [retry(), verify(), start("p")] {
        assert_eq!(denied(bench.order(order.clone()).await), wrong, "{order:?}");
    }
    back(&mut bench).await;
    // A verify run is at work when the process dies.
    let Receipt::Accepted { run: Some(checks), .. } = bench.order(verify()).await else { panic!("not taken") };
    bench.world.with(|s| s.reads_down = false);
    bench.until(checks, "settling", |s| *s == RunState::Settling).await;
    bench.crash().await;
    bench.env.server = server(NEW_HOME, "0");
    bench.erp = Some(Arc::clone(&other) as Arc<dyn Erp>);
    bench.try_start().await.unwrap();
    assert_eq!(bench.run(checks).state, RunState::Paused(PauseWhy::Stopped(wrong.clone())));
    tokio::time::sleep(Duration::from_secs(600)).await;
    assert_eq!(bench.run(checks).state, RunState::Paused(PauseWhy::Stopped(wrong)));
    let only_reads = Refusal::WrongState(Reason::OnlyReads { run: checks });
    assert_eq!(bench.order(Command::Resume { run: checks }).await, Receipt::Refused(only_reads));
    assert_eq!(calls(&other), 0);
    // Where the old address is put back, it goes on by itself: the bill was not audited, and waits to be tried again.
    back(&mut bench).await;
    assert_eq!(bench.closed(checks).await.state, RunState::Closed(RunEnd::Completed));
    assert_eq!(bench.store.unresolved(None).unwrap(), 2);
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
        bench.store.bills_in(run, Slot::Unknown, None, 10).unwrap().into_iter().map(|row| row.key).collect(),
    );
    bench.accepted(Command::Resolve { selection, reason: "looked at by hand".into() }).await;
    assert_eq!(rows(&bench).await[0].held, None);
    assert_eq!(bench.whole_run().await.head.server, Some(server(HOME, "0")));
    assert_eq!(bound(&bench).len(), 1, "nothing is open: it is bound by itself");
}

#[tokio::test(start_paused = true)]
async fn the_first_sign_in_that_tells_a_data_centre_adds_it() {
    let mut bench = Bench::started().await;
    bench.world.submitted(1..=2);
    bench.whole_run().await;
    bench.world.with(|s| s.centre = Some("c-1".into()));
    bench.world.submitted(3..=4);
    let run = bench.start_plan().await;
    bench.awaiting(run).await;
    let told = bound(&bench).pop().unwrap();
    assert_eq!(told.server.centre.as_deref(), Some("c-1"));
    assert_eq!(told.was, Some(server(HOME, "0")));
    assert_eq!(rows(&bench).await[0].home.as_ref().unwrap().centre.as_deref(), Some("c-1"));
    // Before the approval a sign-in tells another one, of this process or of the next: a copy of the database.
    let posts = bench.world.with(|s| s.posts.len());
    let approve = bench.approval(run);
    bench.world.with(|s| s.centre = Some("c-2".into()));
    assert!(matches!(denied(bench.order(approve.clone()).await), Reason::OtherAccountSet { .. }));
    bench.crash().await;
    bench.try_start().await.unwrap();
    let is = Server { centre: Some("c-2".into()), ..server(HOME, "0") };
    let wrong = Reason::OtherAccountSet { env: EnvId::new("test"), was: told.server, is };
    assert_eq!(denied(bench.order(approve.clone()).await), wrong);
    assert_eq!(denied(bench.order(adopt("a copy")).await), wrong);
    assert_eq!(bench.world.with(|s| s.posts.len()), posts);
    // Signed calls are told none: that decides nothing.
    bench.crash().await;
    bench.world.with(|s| s.centre = None);
    bench.try_start().await.unwrap();
    bench.accepted(approve).await;
    assert_eq!(bench.closed(run).await.tally.audited, 2);
    bench.world.with(|s| s.centre = Some("c-1".into()));
    bench.world.submitted(5..=5);
    bench.whole_run().await;
    assert_eq!(bound(&bench).len(), 2, "told once");
    // A new address is adopted before it has told any: what is known of the data centre stays known.
    let other = moved(&mut bench, NEW_HOME, "0").await;
    bench.accepted(adopt("a new host")).await;
    assert_eq!(bound(&bench)[2].server, Server { centre: Some("c-1".into()), ..server(NEW_HOME, "0") });
    other.with(|s| s.centre = Some("c-2".into()));
    assert!(matches!(denied(bench.order(start("p")).await), Reason::OtherAccountSet { .. }));
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

#[tokio::test(start_paused = true)]
async fn a_run_at_work_stops_when_a_sign_in_tells_another_data_centre() {
    let mut bench = Bench::new();
    bench.env.limits.concurrency = 1;
    bench.env.limits.per_minute = 60;
    bench.world.with(|s| s.centre = Some("c-1".into()));
    bench.try_start().await.unwrap();
    bench.world.submitted(1..=20);
    let run = bench.start_plan().await;
    bench.awaiting(run).await;
    let approve = bench.approval(run);
    bench.accepted(approve).await;
    tokio::time::sleep(Duration::from_secs(5)).await;
    bench.world.with(|s| s.centre = Some("c-2".into()));
    let row = bench.paused(run).await;
    let RunState::Paused(PauseWhy::Stopped(Reason::OtherAccountSet { was, is, .. })) = row.state else {
        panic!("{:?}", row.state)
    };
    assert_eq!((was.centre.as_deref(), is.centre.as_deref()), (Some("c-1"), Some("c-2")));
    let (posts, done) = bench.world.with(|s| (s.posts.len(), s.audits.len()));
    assert!((1..19).contains(&posts) && posts == done, "{posts}");
    for n in 1..=20 {
        bench.world.change(n, |doc| doc.approver = Some("zhang".into()));
    }
    tokio::time::sleep(Duration::from_secs(600)).await;
    let row = bench.run(run);
    assert_eq!((row.tally.audited as usize, row.tally.already), (posts, 0), "nothing read there is believed");
    assert_eq!(bench.world.with(|s| s.posts.len()), posts);
    let fresh = denied(bench.order(Command::Resume { run }).await);
    assert!(matches!(fresh, Reason::OtherAccountSet { .. }));
    bench.accepted(Command::Cancel { run }).await;
    bench.closed(run).await;
    // Where the first sign-in of a run tells it, no set comes of it.
    bench.crash().await;
    bench.world.with(|s| s.centre = None);
    bench.try_start().await.unwrap();
    bench.world.with(|s| s.between = Some(Box::new(|s, _| s.centre = Some("c-2".into()))));
    let run = bench.start_plan().await;
    let row = bench.closed(run).await;
    assert!(
        matches!(&row.state, RunState::Closed(RunEnd::CollectFailed(Reason::OtherAccountSet { .. }))),
        "{:?}",
        row.state
    );
}

/// Two environments: `test` and `second`, with a plan `q` for the second.
async fn two(change: impl FnOnce(&mut Environment, &mut Environment)) -> (Bench, Arc<World>) {
    let mut bench = Bench::new();
    let world = World::of(&bench.clock, "second");
    let mut second = other_environment("second");
    change(&mut bench.env, &mut second);
    bench.behind.push((second, Arc::clone(&world) as Arc<dyn Erp>));
    let mut q = plan("q");
    q.env = Some(EnvId::new("second"));
    let mut p = plan("p");
    p.env = Some(EnvId::new("test"));
    *bench.plans.0.lock().unwrap() = vec![p, q];
    bench.try_start().await.unwrap();
    bench.world.submitted(1..=2);
    world.submitted(1..=2);
    (bench, world)
}

async fn collected(bench: &mut Bench, plan: &str) -> RunId {
    let run = bench.accepted(start(plan)).await.unwrap();
    bench.awaiting(run).await;
    run
}

#[tokio::test(start_paused = true)]
async fn two_environments_on_one_account_set_do_not_write_until_one_is_read_only_for_good() {
    let same = |test: &mut Environment, second: &mut Environment| {
        second.server = server("HTTP://ERP.invalid:80/K3Cloud/", "0");
        test.read_only = true;
    };
    let (mut bench, world) = two(same).await;
    let (first, second) = (EnvId::new("test"), EnvId::new("second"));
    bench.accepted(Command::Unlock { env: first.clone(), reason: "unlocked is not enough".into() }).await;
    for (plan, env, other) in [("p", &first, &second), ("q", &second, &first)] {
        let run = collected(&mut bench, plan).await;
        let approve = bench.approval(run);
        let why = Reason::SameServer { env: env.clone(), other: other.clone() };
        assert_eq!(denied(bench.order(approve).await), why);
        assert!(rows(&bench).await.iter().any(|row| row.held.as_ref() == Some(&why)));
        bench.accepted(Command::Decline { run }).await;
        bench.closed(run).await;
    }
    assert_eq!((bench.world.with(|s| s.posts.len()), world.with(|s| s.posts.len())), (0, 0));
    bench.crash().await;
    bench.env.read_only = true;
    bench.env.always_read_only = true;
    bench.try_start().await.unwrap();
    assert!(rows(&bench).await.iter().all(|row| row.held.is_none()));
    let run = collected(&mut bench, "q").await;
    let approve = bench.approval(run);
    bench.accepted(approve).await;
    assert_eq!(bench.closed(run).await.tally.audited, 2);
    assert_eq!((bench.world.with(|s| s.posts.len()), world.with(|s| s.posts.len())), (0, 2));
}

#[tokio::test(start_paused = true)]
async fn one_database_under_two_names_is_found_at_the_sign_in_before_the_first_call() {
    let named =
        |_: &mut Environment, second: &mut Environment| second.server = server("http://alias.invalid/k3cloud", "0");
    let (mut bench, world) = two(named).await;
    let of = |n: &str| Some(n.to_owned());
    bench.world.with(|s| s.centre = of("c-1"));
    world.with(|s| s.centre = of("c-1"));
    let (first, second) = (EnvId::new("test"), EnvId::new("second"));
    for (plan, env, other) in [("p", &first, &second), ("q", &second, &first)] {
        let run = collected(&mut bench, plan).await;
        let approve = bench.approval(run);
        let why = Reason::SameServer { env: env.clone(), other: other.clone() };
        assert_eq!(denied(bench.order(approve).await), why);
        assert!(rows(&bench).await.iter().any(|row| row.held.as_ref() == Some(&why)), "named as any other");
        bench.accepted(Command::Decline { run }).await;
        bench.closed(run).await;
    }
    assert_eq!((bench.world.with(|s| s.posts.len()), world.with(|s| s.posts.len())), (0, 0));
    // The next process knows it before anybody signs in there.
    bench.crash().await;
    world.with(|s| s.centre = None);
    bench.try_start().await.unwrap();
    assert!(rows(&bench).await.iter().all(|row| row.held.is_some()), "{:?}", rows(&bench).await);
    bench.crash().await;
    bench.env.read_only = true;
    bench.env.always_read_only = true;
    bench.try_start().await.unwrap();
    let run = collected(&mut bench, "q").await;
    let approve = bench.approval(run);
    bench.accepted(approve).await;
    assert_eq!(bench.closed(run).await.tally.audited, 2);
}

#[tokio::test(start_paused = true)]
async fn another_data_centre_behind_one_address_is_another_server() {
    let (mut bench, world) = two(|_, second| second.server = server(HOME, "0")).await;
    bench.world.with(|s| s.centre = Some("c-1".into()));
    world.with(|s| s.centre = Some("c-2".into()));
    let run = collected(&mut bench, "q").await;
    let approve = bench.approval(run);
    bench.accepted(approve.clone()).await;
    assert_eq!(bench.closed(run).await.tally.audited, 2);
}

#[tokio::test(start_paused = true)]
async fn an_environment_that_is_read_only_for_good_has_no_key() {
    let mut bench = Bench::new();
    bench.env.read_only = true;
    bench.env.always_read_only = true;
    bench.try_start().await.unwrap();
    bench.world.submitted(1..=2);
    let always = Reason::AlwaysReadOnly { env: EnvId::new("test") };
    let unlock = Command::Unlock { env: EnvId::new("test"), reason: "please".into() };
    assert_eq!(denied(bench.order_of(1, Some(SessionId(ulid::Ulid::from_parts(9, 1))), unlock).await), always);
    assert_eq!(rows(&bench).await[0].unlocked_until, None);
    let run = bench.start_plan().await;
    bench.awaiting(run).await;
    let approve = bench.approval(run);
    assert_eq!(denied(bench.order(approve).await), always);
    tokio::time::sleep(Duration::from_secs(60)).await;
    assert_eq!(bench.world.with(|s| s.posts.len()), 0);
}

#[tokio::test(start_paused = true)]
async fn what_a_crash_left_unknown_is_read_back_where_it_was_called() {
    let (mut bench, world) = two(|_, second| second.limits.concurrency = 1).await;
    world.with(|s| s.trouble_of.insert(fid(1), [Trouble::LostAfter].into()));
    let run = collected(&mut bench, "q").await;
    let approve = bench.approval(run);
    bench.accepted(approve).await;
    while bench.run(run).tally.unknown == 0 {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    let elsewhere = calls(&bench.world);
    bench.crash().await;
    bench.try_start().await.unwrap();
    tokio::time::sleep(Duration::from_secs(600)).await;
    assert_eq!(bench.run(run).tally.unknown, 0);
    assert_eq!(bench.word(run, 1), "audited:verified");
    assert_eq!(calls(&bench.world), elsewhere);
}

#[tokio::test(start_paused = true)]
async fn the_role_is_asked_for_the_environment_that_is_ordered_about() {
    let (mut bench, world) = two(|_, second| second.production = true).await;
    let run = bench.order_of(2000, None, start("q")).await;
    let Receipt::Accepted { run: Some(run), .. } = run else { panic!("{run:?}") };
    bench.awaiting(run).await;
    let not_allowed = |why: Reason| match why {
        Reason::NotAllowed { role, needed, .. } => (role, needed),
        other => panic!("{other:?}"),
    };
    let approve = bench.approval(run);
    let refused = denied(bench.order_of(2000, None, approve.clone()).await);
    assert_eq!(not_allowed(refused), (Role::Operator, Role::Approver), "production is the second environment");
    let unlock = Command::Unlock { env: EnvId::new("second"), reason: "month end".into() };
    assert_eq!(not_allowed(denied(bench.order_of(2000, None, unlock).await)), (Role::Operator, Role::Approver));
    assert_eq!(world.with(|s| s.posts.len()), 0);
    // In the first one an operator is enough.
    let receipt = bench.order_of(2000, None, start("p")).await;
    let Receipt::Accepted { run: Some(test), .. } = receipt else { panic!("{receipt:?}") };
    bench.awaiting(test).await;
    let in_test = bench.approval(test);
    assert!(matches!(bench.order_of(2000, None, in_test).await, Receipt::Accepted { .. }));
    bench.closed(test).await;
    assert!(matches!(bench.order_of(1, None, approve).await, Receipt::Accepted { .. }));
    assert_eq!(bench.closed(run).await.tally.audited, 2);
}

#[tokio::test(start_paused = true)]
async fn a_set_is_not_called_in_an_environment_that_became_the_default_since() {
    let mut bench = Bench::started().await;
    bench.world.submitted(1..=3);
    let run = bench.start_plan().await;
    bench.awaiting(run).await;
    // The plan names no environment: now it means another one, its text and its revision being the same.
    bench.crash().await;
    let world = World::of(&bench.clock, "second");
    world.submitted(1..=3);
    bench.before.push((other_environment("second"), Arc::clone(&world) as Arc<dyn Erp>));
    bench.try_start().await.unwrap();
    let approve = bench.approval(run);
    let receipt = bench.order(approve).await;
    assert!(matches!(&receipt, Receipt::Refused(Refusal::NotConfirmed(Reason::PlanChanged { .. }))), "{receipt:?}");
    tokio::time::sleep(Duration::from_secs(60)).await;
    assert_eq!((world.with(|s| s.posts.len()), bench.world.with(|s| s.posts.len())), (0, 0));
}

#[tokio::test(start_paused = true)]
async fn a_console_holds_one_key_and_gives_it_back_at_once() {
    let locked = |test: &mut Environment, second: &mut Environment| {
        test.read_only = true;
        second.read_only = true;
    };
    let (mut bench, world) = two(locked).await;
    let (first, second) = (EnvId::new("test"), EnvId::new("second"));
    let session = |n| Some(SessionId(ulid::Ulid::from_parts(9, n)));
    let unlock = |env: &EnvId| Command::Unlock { env: env.clone(), reason: "month end".into() };
    let open =
        async |bench: &Bench| rows(bench).await.into_iter().map(|row| row.unlocked_until.is_some()).collect::<Vec<_>>();
    let taken = |receipt: Receipt| assert!(matches!(receipt, Receipt::Accepted { .. }), "{receipt:?}");
    taken(bench.order_of(1, session(1), unlock(&first)).await);
    assert_eq!(open(&bench).await, [true, false]);
    taken(bench.order_of(1, session(1), unlock(&second)).await);
    assert_eq!(open(&bench).await, [false, true], "the same console: the first is read-only again");
    tokio::time::sleep(Duration::from_secs(1)).await;
    let told =
        |bench: &Bench| bench.actions.lines().iter().filter(|l| l.contains("unlocked another environment")).count();
    assert_eq!(told(&bench), 1);
    taken(bench.order_of(1, session(2), unlock(&first)).await);
    assert_eq!(open(&bench).await, [true, true], "another console has a key of its own");
    taken(bench.order_of(1, None, unlock(&first)).await);
    assert_eq!(open(&bench).await, [true, true], "a verb has none to give back");
    tokio::time::sleep(Duration::from_secs(1)).await;
    assert_eq!(told(&bench), 1);
    // Locked by order: nothing is written from then on.
    let run = collected(&mut bench, "q").await;
    taken(bench.order_of(1, session(1), Command::Lock { env: second.clone() }).await);
    assert_eq!(open(&bench).await, [true, false]);
    let approve = bench.approval(run);
    assert_eq!(denied(bench.order(approve).await), Reason::ReadOnly { env: second });
    assert_eq!(world.with(|s| s.posts.len()), 0);
}

/// A server that counts sign-ins and other calls, and refuses sign-ins for as long as it is told to.
#[derive(Default)]
struct Door {
    sign_ins: AtomicU32,
    calls: AtomicU32,
    closed: AtomicBool,
    /// The data centre that sign-ins are told.
    centre: Mutex<&'static str>,
}

impl Door {
    fn knocks(&self) -> u32 {
        self.sign_ins.load(Ordering::SeqCst)
    }
}

#[async_trait]
impl Transport for Door {
    async fn post(
        &self,
        path: &str,
        _: Vec<(String, String)>,
        body: Vec<u8>,
        _: CallKind,
    ) -> Result<HttpReply, TransportFault> {
        let login = path.contains("ValidateUser");
        self.sign_ins.fetch_add(u32::from(login), Ordering::SeqCst);
        self.calls.fetch_add(u32::from(!login), Ordering::SeqCst);
        let centre = *self.centre.lock().unwrap();
        let body = match (login, self.closed.load(Ordering::SeqCst)) {
            (false, _) if centre.is_empty() => "[]".to_owned(),
            (false, _) => {
                let service = path.split('.').rev().nth(2).unwrap_or_default().to_owned();
                let asks_for_more = String::from_utf8_lossy(&body).contains("FID > ");
                let seen = crate::stub::Seen { service, head: String::new(), body, connection: 0 };
                if asks_for_more { "[]".to_owned() } else { crate::stub::good(&seen) }
            }
            (true, true) => r#"{"Message":"用户名或密码错误","LoginResultType":0,"IsSuccessByAPI":false}"#.to_owned(),
            (true, false) => format!(
                r#"{{"LoginResultType":1,"Context":{{"GDCID":"{centre}"}},"KDSVCSessionId":"0f1e","IsSuccessByAPI":true}}"#
            ),
        };
        Ok(HttpReply { status: 200, headers: Vec::new(), body: body.into_bytes() })
    }
}

fn user_of(env: &str, address: &str, user: &str, refusals: &Arc<Refusals>, bench: &Bench) -> (Arc<Door>, Arc<dyn Erp>) {
    let door = Arc::new(Door::default());
    let sign_in = SignIn::Password { password: "a secret".into() };
    let mut config = ClientConfig::new(EnvId::new(env), address, env, user, sign_in);
    config.allow_plain_http = true;
    let clock = Arc::clone(&bench.clock) as Arc<dyn skydeck::domain::time::Clock>;
    let erp = KingdeeErp::over(config, Arc::new(causes()), clock, Arc::clone(&door) as Arc<dyn Transport>).unwrap();
    (door, Arc::new(erp.sharing(refusals)))
}

async fn of_clock(bench: &mut Bench, command: Command) -> RunId {
    bench.orders += 1;
    let id = CommandId(ulid::Ulid::from_parts(1, bench.orders));
    let order = Order { id, by: Who::schedule(1000), session: None, command, headless: false };
    match bench.engine.as_ref().unwrap().submit(order).await {
        Receipt::Accepted { run: Some(run), .. } => run,
        other => panic!("{other:?}"),
    }
}

async fn by_clock(bench: &mut Bench, plan: &str) -> RunId {
    of_clock(bench, start(plan)).await
}

#[tokio::test(start_paused = true)]
async fn the_clock_never_knocks_and_a_person_does_once_an_order() {
    let mut bench = Bench::started().await;
    bench.world.submitted(1..=2);
    let run = by_clock(&mut bench, "p").await;
    bench.awaiting(run).await;
    // Refused meanwhile, from another environment; what a refused client is asked fails.
    bench.world.with(|s| {
        s.refused = true;
        s.reads_down = true;
    });
    let approve = bench.approval(run);
    of_clock(&mut bench, approve).await;
    bench.closed(run).await;
    let run = by_clock(&mut bench, "p").await;
    bench.closed(run).await;
    assert_eq!(bench.world.with(|s| s.sign_ins), 0);
    let run = bench.start_plan().await;
    bench.closed(run).await;
    assert_eq!(bench.world.with(|s| s.sign_ins), 1);
    bench.world.with(|s| s.reads_down = false);
    let run = bench.start_plan().await;
    bench.awaiting(run).await;
    let approve = bench.approval(run);
    bench.accepted(approve).await;
    bench.closed(run).await;
    assert_eq!(bench.world.with(|s| s.sign_ins), 3, "one to read, one to write");
}

#[tokio::test(start_paused = true)]
async fn who_resumes_a_run_signs_in_anew_and_the_clock_does_not() {
    let mut bench = Bench::new();
    bench.env.limits.concurrency = 1;
    bench.try_start().await.unwrap();
    bench.world.submitted(1..=3);
    bench.world.with(|s| s.trouble.extend([const { Trouble::Slow(Duration::from_secs(5)) }; 3]));
    let run = bench.start_plan().await;
    bench.awaiting(run).await;
    let approve = bench.approval(run);
    bench.accepted(approve).await;
    for clock in [true, false] {
        bench.until(run, "at work", |s| *s == RunState::Working).await;
        bench.accepted(Command::Pause { run }).await;
        bench.paused(run).await;
        bench.world.with(|s| s.refused = true);
        let resume = Command::Resume { run };
        let receipt = if clock { bench.order_of_clock(resume).await } else { bench.order(resume).await };
        assert!(matches!(receipt, Receipt::Accepted { .. }), "{receipt:?}");
        tokio::time::sleep(Duration::from_secs(1)).await;
        assert_eq!(bench.world.with(|s| s.sign_ins), u32::from(!clock), "by the clock: {clock}");
    }
    assert_eq!(bench.closed(run).await.tally.audited, 3);
}

#[tokio::test(start_paused = true)]
async fn a_lost_session_of_a_refused_user_is_not_renewed() {
    let mut bench = Bench::started().await;
    bench.world.submitted(1..=3);
    let run = bench.start_plan().await;
    bench.awaiting(run).await;
    bench.world.with(|s| s.trouble.push_back(Trouble::SessionLost));
    let approve = bench.approval(run);
    bench.accepted(approve).await;
    // Between the order and the lost session another environment is refused.
    while bench.world.with(|s| s.posts.is_empty()) {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    bench.world.with(|s| s.refused = true);
    let row = bench.paused(run).await;
    assert!(matches!(&row.state, RunState::Paused(PauseWhy::Stopped(Reason::SignInRefused { .. }))), "{:?}", row.state);
    assert_eq!(bench.world.with(|s| s.sign_ins), 0);
}

#[tokio::test(start_paused = true)]
async fn a_sign_in_to_a_copy_of_the_database_reads_and_writes_nothing() {
    let mut bench = Bench::new();
    let connect = |bench: &mut Bench, centre: &'static str| {
        let (door, erp) = user_of("test", HOME, "demo", &Arc::default(), bench);
        *door.centre.lock().unwrap() = centre;
        bench.erp = Some(erp);
        bench.env.server = server(HOME, "test");
        door
    };
    connect(&mut bench, "c-1");
    bench.try_start().await.unwrap();
    let run = bench.start_plan().await;
    bench.awaiting(run).await;
    assert_eq!(bound(&bench).pop().unwrap().server.centre.as_deref(), Some("c-1"));
    // Nothing at all shows in the configuration: only the sign-in tells.
    bench.crash().await;
    let copy = connect(&mut bench, "c-2");
    bench.try_start().await.unwrap();
    let approve = bench.approval(run);
    bench.accepted(approve).await;
    let row = bench.paused(run).await;
    let other = |why: &Reason| match why {
        Reason::OtherAccountSet { was, is, .. } => {
            (was.centre.as_deref(), is.centre.as_deref()) == (Some("c-1"), Some("c-2"))
        }
        _ => false,
    };
    assert!(matches!(&row.state, RunState::Paused(PauseWhy::Stopped(why)) if other(why)), "{:?}", row.state);
    bench.accepted(Command::Cancel { run }).await;
    bench.closed(run).await;
    assert!(other(&denied(bench.order(start("p")).await)));
    bench.crash().await;
    let again = connect(&mut bench, "c-2");
    bench.try_start().await.unwrap();
    let run = bench.start_plan().await;
    let row = bench.closed(run).await;
    assert!(matches!(&row.state, RunState::Closed(RunEnd::CollectFailed(why)) if other(why)), "{:?}", row.state);
    tokio::time::sleep(Duration::from_secs(600)).await;
    assert_eq!((copy.calls.load(Ordering::SeqCst), again.calls.load(Ordering::SeqCst)), (0, 0));
    // The right one again.
    bench.crash().await;
    let door = connect(&mut bench, "c-1");
    bench.try_start().await.unwrap();
    let run = bench.start_plan().await;
    bench.awaiting(run).await;
    assert!(door.calls.load(Ordering::SeqCst) > 0);
}

#[tokio::test(start_paused = true)]
async fn a_refused_user_is_tried_by_no_environment_of_the_server_until_a_person_orders_it() {
    let mut bench = Bench::new();
    let refusals = Arc::new(Refusals::default());
    let (first, erp) = user_of("test", HOME, "Demo", &refusals, &bench);
    bench.erp = Some(erp);
    bench.env.server = server(HOME, "test");
    let mut plans = vec![plan("p")];
    let mut doors = Vec::new();
    // The same user in another account set there, another user, the same user on another server.
    for (name, address, user) in [("second", HOME, "demo"), ("third", HOME, "robot"), ("fourth", NEW_HOME, "demo")] {
        let (door, erp) = user_of(name, address, user, &refusals, &bench);
        let env = Environment { server: server(address, name), ..other_environment(name) };
        bench.behind.push((env, erp));
        plans.push(skydeck::domain::plan::Plan { env: Some(EnvId::new(name)), ..plan(name) });
        doors.push(door);
    }
    *bench.plans.0.lock().unwrap() = plans;
    bench.try_start().await.unwrap();
    first.closed.store(true, Ordering::SeqCst);
    let refused = |bench: &Bench, run: RunId| match bench.run(run).state {
        RunState::Closed(RunEnd::CollectFailed(Reason::SignInRefused { said })) => said,
        other => panic!("{other:?}"),
    };
    let run = by_clock(&mut bench, "p").await;
    bench.closed(run).await;
    refused(&bench, run);
    assert_eq!(first.knocks(), 1);
    for _ in 0..3 {
        let run = by_clock(&mut bench, "second").await;
        bench.closed(run).await;
        assert!(refused(&bench, run).contains("from another environment"));
    }
    assert_eq!(doors[0].knocks(), 0, "the user is refused: the clock does not try it again elsewhere");
    for (plan, door) in [("third", &doors[1]), ("fourth", &doors[2])] {
        let run = by_clock(&mut bench, plan).await;
        assert_eq!(bench.closed(run).await.state, RunState::Closed(RunEnd::Empty), "{plan} is somebody else");
        assert_eq!(door.knocks(), 1);
    }
    // A person knocks once; refused again, it stays refused everywhere.
    doors[0].closed.store(true, Ordering::SeqCst);
    let run = bench.accepted(start("second")).await.unwrap();
    bench.closed(run).await;
    refused(&bench, run);
    assert_eq!((first.knocks(), doors[0].knocks()), (1, 1));
    // Taken at last, the user is good in this environment; the first one asks its own person.
    doors[0].closed.store(false, Ordering::SeqCst);
    let run = bench.accepted(start("second")).await.unwrap();
    assert_eq!(bench.closed(run).await.state, RunState::Closed(RunEnd::Empty));
    let run = by_clock(&mut bench, "p").await;
    bench.closed(run).await;
    refused(&bench, run);
    assert_eq!((first.knocks(), doors[0].knocks()), (1, 2));
}
