//! An environment is bound to its server by its first run; another address is adopted by a person, another account set never.

use std::sync::Arc;
use std::time::Duration;

use super::{
    HOME, NEW_HOME, adopt, back, bound, calls, denied, died_with_one_unknown, moved, retry, rows, start, verify,
};
use crate::engine_support::*;
use skydeck::domain::access::Role;
use skydeck::domain::command::{Command, Receipt, Refusal};
use skydeck::domain::event::Event;
use skydeck::domain::ids::EnvId;
use skydeck::domain::reason::Reason;
use skydeck::domain::run::{PauseWhy, RunEnd, RunState};
use skydeck::domain::who::Origin;
use skydeck::engine::ports::Erp;

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
