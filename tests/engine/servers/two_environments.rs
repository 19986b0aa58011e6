//! Two environments of one engine: what they owe each other, and that each is asked about itself.

use std::sync::Arc;
use std::time::Duration;

use super::{HOME, calls, denied, rows, start};
use crate::engine_support::*;
use skydeck::domain::access::Role;
use skydeck::domain::command::{Command, Receipt, Refusal};
use skydeck::domain::env::Environment;
use skydeck::domain::ids::{EnvId, RunId, SessionId};
use skydeck::domain::reason::Reason;
use skydeck::engine::ports::Erp;

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
