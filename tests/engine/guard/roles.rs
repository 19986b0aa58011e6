//! Roles, unlocks and bounds: each order is asked for, each refusal leaves its line, and nothing is done twice.

use std::sync::atomic::Ordering;
use std::time::Duration;

use super::{lines, production, session, start, unlock, unlocked};
use crate::engine_support::*;
use skydeck::domain::access::Role;
use skydeck::domain::action_log::LogPlace;
use skydeck::domain::command::{Command, Order, Receipt, Refusal, Selection, StartParams};
use skydeck::domain::event::Event;
use skydeck::domain::filter::Filter;
use skydeck::domain::ids::{CommandId, EnvId, PlanId, RunId, Seq};
use skydeck::domain::query::{PageRequest, Query};
use skydeck::domain::reason::Reason;
use skydeck::domain::run::Revision;
use skydeck::domain::who::Who;
use skydeck::link::frame::Reply;
use skydeck::store::Store as _;
use skydeck::store::actions::Line;
use skydeck::store::hosts::FromAfar;

#[tokio::test(start_paused = true)]
async fn a_role_is_asked_for_each_order_and_a_refusal_leaves_its_line() {
    let mut bench = production(3).await;
    bench.crash().await;
    bench.env.second_person = false;
    bench.env.read_only = true;
    bench.try_start().await.unwrap();
    let not_allowed = |receipt: Receipt| match receipt {
        Receipt::Refused(Refusal::Denied(Reason::NotAllowed { role, needed, .. })) => (role, needed),
        other => panic!("{other:?}"),
    };
    let matching = Selection::Matching { plan: None, run: None, filter: Filter::default() };
    for command in [
        start(),
        Command::Retry { selection: matching.clone(), revision: Revision::Newest },
        Command::Resolve { selection: matching, reason: "because".into() },
        Command::SetPace { env: EnvId::new("test"), per_minute: Some(1), concurrency: None },
        unlock(),
        Command::ReloadPlans,
    ] {
        let (role, needed) = not_allowed(bench.order_of(3000, None, command.clone()).await);
        assert_eq!(role, Role::Viewer, "{command:?}");
        assert!(needed >= Role::Operator, "{command:?}");
    }
    assert_eq!(bench.engine.as_ref().unwrap().role(4000), None, "a stranger is not let in at all");
    not_allowed(bench.order_of(4000, None, start()).await);
    // An operator works, and does not open production.
    assert_eq!(not_allowed(bench.order_of(2000, None, unlock()).await), (Role::Operator, Role::Approver));
    let Receipt::Accepted { run: Some(run), .. } = bench.order_of(2000, None, start()).await else { panic!("taken") };
    bench.awaiting(run).await;
    assert!(matches!(bench.order_of(1, None, unlock()).await, Receipt::Accepted { .. }));
    let approve = bench.approval(run);
    assert_eq!(not_allowed(bench.order_of(2000, None, approve.clone()).await), (Role::Operator, Role::Approver));
    assert!(matches!(bench.order_of(1, None, approve).await, Receipt::Accepted { .. }));
    assert_eq!(bench.closed(run).await.tally.audited, 3);
    let refused = lines(&bench).iter().filter(|l| l.deed.result.contains("not allowed")).count();
    assert_eq!(refused, 8, "each refusal of somebody with a role has its line");
    let knocks: Vec<Line> = lines(&bench).into_iter().filter(|l| l.deed.action == "attach").collect();
    assert_eq!((knocks.len(), knocks[0].deed.by.uid, knocks[0].deed.n), (1, 4000, 1));
    assert_eq!(knocks[0].deed.code.as_deref(), Some("no_role"));
}

fn store_entry(bench: &Bench) -> Event {
    let facts = bench.store.facts_after(Seq(0), 1000).unwrap();
    facts.into_iter().map(|fact| fact.event).find(|event| matches!(event, Event::ActionTaken(_))).unwrap()
}

#[tokio::test(start_paused = true)]
async fn a_flood_of_refused_orders_costs_a_short_line_each_and_of_a_stranger_one_a_minute() {
    let mut bench = Bench::started().await;
    let long = || "据".repeat(200_000);
    let start = |plan: String| Command::Start { plan: PlanId::new(plan), params: StartParams::default() };
    for _ in 0..20 {
        let refused = bench.order_of(3000, None, start(long())).await;
        assert!(matches!(refused, Receipt::Refused(Refusal::Denied(Reason::NotAllowed { .. }))), "{refused:?}");
        bench.order_of(4000, None, start(long())).await;
    }
    for command in [
        start(long()),
        Command::Unlock { env: EnvId::new("test"), reason: long() },
        Command::Lock { env: EnvId::new(long()) },
        Command::AcceptLog { reason: long() },
    ] {
        let refused = bench.order_of(1, None, command).await;
        assert!(
            matches!(refused, Receipt::Refused(Refusal::NotConfirmed(Reason::TextTooLong { most: 256 }))),
            "{refused:?}"
        );
    }
    let all = bench.actions.lines();
    assert_eq!(all.len(), 20 + 4 + 1, "the stranger has one line");
    for line in &all {
        assert!(line.len() < 1500 && !line.contains("据据"), "{} bytes: {line}", line.len());
    }
    let actions: Vec<String> = lines(&bench).into_iter().map(|line| line.deed.action).collect();
    for action in ["start", "unlock", "lock", "accept_log", "attach"] {
        assert!(actions.iter().any(|a| a == action), "{action}: {actions:?}");
    }
    for fact in bench.store.facts_after(Seq(0), 1000).unwrap() {
        let text = serde_json::to_string(&fact).unwrap();
        assert!(text.len() < 2000, "{} bytes", text.len());
    }
    // What an earlier program stored unbounded is shown, bounded.
    let Event::ActionTaken(mut entry) = store_entry(&bench) else { panic!("no entry") };
    entry.result = "x".repeat(30 << 20);
    bench.store.append(vec![Event::ActionTaken(entry)].into()).await.unwrap();
    let page = bench.engine.as_ref().unwrap().ask(Query::Actions(PageRequest::first(500))).await.unwrap();
    assert!(skydeck::link::frame::encode(&Reply::Answer(1, Ok(page))).unwrap().len() < 1 << 20);
    tokio::time::sleep(std::time::Duration::from_secs(61)).await;
    bench.order_of(4000, None, start(long())).await;
    let last = lines(&bench).pop().unwrap().deed;
    assert_eq!((last.action.as_str(), last.n), ("attach", 20), "what was not told is counted");
}

#[tokio::test(start_paused = true)]
async fn an_unlock_ends_when_the_machine_slept() {
    let mut bench = Bench::new();
    bench.env.read_only = true;
    bench.try_start().await.unwrap();
    assert!(matches!(bench.order_of(1, Some(session(1)), unlock()).await, Receipt::Accepted { .. }));
    tokio::time::sleep(Duration::from_secs(60)).await;
    assert!(unlocked(&bench).await, "time that passes while we run ends nothing");
    // The wall clock is an hour further than the process has lived through: a closed lid, a stopped machine.
    bench.clock.step.fetch_add(3_600_000, Ordering::SeqCst);
    assert!(!unlocked(&bench).await, "nothing may be written before anybody has looked");
    tokio::time::sleep(Duration::from_secs(2)).await;
    assert!(!unlocked(&bench).await);
    let ended = lines(&bench).into_iter().find(|line| line.deed.action == "lock").unwrap();
    assert!(ended.deed.reason.unwrap().contains("stood still"));
    let told = bench.facts().into_iter().any(
        |fact| matches!(&fact.event, Event::ActionTaken(entry) if entry.verb == "lock" && entry.by.login == "skydeck"),
    );
    assert!(told, "the log pane tells of it too");
}

#[tokio::test(start_paused = true)]
async fn every_order_has_its_lines_and_the_journal_knows_their_hashes() {
    let mut bench = Bench::started().await;
    bench.world.submitted(1..=3);
    let run = bench.whole_run().await.head.id;
    bench.order(Command::Pause { run }).await;
    let lines = lines(&bench);
    let told: Vec<_> = lines
        .iter()
        .map(|line| (serde_json::to_value(line.deed.phase).unwrap(), line.deed.action.clone(), line.deed.n))
        .map(|(phase, action, n)| format!("{} {action} {n}", phase.as_str().unwrap()))
        .collect();
    assert_eq!(
        told,
        ["before start 0", "after start 0", "before approve 3", "after approve 3", "end run 3", "refused pause 0"]
    );
    assert_eq!(lines[2].deed.ids.len(), 3);
    assert_eq!(lines[2].deed.set_hash.as_deref().map(str::len), Some(64));
    assert!(lines[4].deed.result.contains("found 3 = audited 3"), "{}", lines[4].deed.result);
    // Each line carries the hash of the one before, and the journal carries the line written before each action.
    let texts = bench.actions.lines();
    let hash = |text: &str| text.rsplit_once(",\"h\":\"").unwrap().1.trim_end_matches("\"}").to_owned();
    for (line, before) in lines.iter().skip(1).zip(&texts) {
        assert_eq!(line.prev, hash(before));
    }
    let places: Vec<LogPlace> = bench
        .facts()
        .into_iter()
        .filter_map(|fact| match fact.event {
            Event::ActionTaken(entry) => entry.line,
            _ => None,
        })
        .collect();
    assert_eq!(places.iter().map(|p| p.seq).collect::<Vec<_>>(), [1, 3, 6]);
    assert!(places.iter().all(|p| p.hash == hash(&texts[p.seq as usize - 1])));
}

#[tokio::test(start_paused = true)]
async fn no_pace_is_zero() {
    let mut bench = Bench::started().await;
    let limits = bench.env.limits.clone();
    let pace = |per_minute, concurrency| Command::SetPace { env: EnvId::new("test"), per_minute, concurrency };
    for order in [pace(Some(0), None), pace(None, Some(0)), pace(Some(0), Some(1)), pace(Some(1), Some(0))] {
        assert_eq!(bench.refused(order.clone()).await, Refusal::WrongState(Reason::PaceZero {}), "{order:?}");
    }
    for order in [pace(Some(600_001), None), pace(Some(1), Some(1001)), pace(None, Some(u32::MAX))] {
        let beyond = Reason::PaceBeyond { per_minute: 600_000, concurrency: 1000 };
        assert_eq!(bench.refused(order.clone()).await, Refusal::WrongState(beyond), "{order:?}");
    }
    for order in [pace(Some(1), None), pace(None, Some(1)), pace(None, Some(limits.concurrency)), pace(None, None)] {
        let receipt = bench.order_of(2000, None, order.clone()).await;
        assert!(matches!(receipt, Receipt::Accepted { .. }), "an operator's: {order:?} {receipt:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn what_is_not_there_is_said_to_an_operator_too() {
    let mut bench = Bench::new();
    bench.env.production = true;
    bench.try_start().await.unwrap();
    let run = RunId(ulid::Ulid::from_parts(1, 1));
    let approve = Command::Approve {
        run,
        hash: skydeck::domain::ids::SetHash::new(""),
        typed: None,
        flags: Vec::new(),
        reason: None,
    };
    let nope = || EnvId::new("nope");
    let unlock = Command::Unlock { env: nope(), reason: "x".into() };
    for (order, why) in [(approve, Reason::NoRun { run }), (unlock, Reason::NoEnvironment { env: nope() })] {
        let receipt = bench.order_of(2000, None, order).await;
        assert_eq!(receipt, Receipt::Refused(Refusal::NotFound(why)));
    }
}

#[tokio::test(start_paused = true)]
async fn a_pace_beyond_the_configured_one_is_an_approvers_to_order() {
    let mut bench = Bench::started().await;
    let limits = bench.env.limits.clone();
    let env = || EnvId::new("test");
    for (per_minute, concurrency) in [(Some(limits.per_minute + 1), None), (Some(1), Some(limits.concurrency + 1))] {
        let faster = Command::SetPace { env: env(), per_minute, concurrency };
        let refused = bench.order_of(2000, None, faster.clone()).await;
        let needs =
            Refusal::Denied(Reason::NotAllowed { verb: "pace".into(), role: Role::Operator, needed: Role::Approver });
        assert_eq!(refused, Receipt::Refused(needs));
        assert!(matches!(bench.order_of(1, None, faster).await, Receipt::Accepted { .. }));
    }
    let back =
        Command::SetPace { env: env(), per_minute: Some(limits.per_minute), concurrency: Some(limits.concurrency) };
    assert!(matches!(bench.order_of(2000, None, back).await, Receipt::Accepted { .. }), "an operator may go back");
}

#[tokio::test(start_paused = true)]
async fn an_order_that_comes_again_after_a_restart_opens_nothing_twice() {
    let mut bench = Bench::started().await;
    bench.world.submitted(1..=2);
    let order = Order {
        id: CommandId(ulid::Ulid::from_parts(7, 7)),
        by: who("wang"),
        session: None,
        headless: false,
        command: start(),
    };
    let first = bench.engine.as_ref().unwrap().submit(order.clone()).await;
    let Receipt::Accepted { run: Some(run), .. } = first else { panic!("{first:?}") };
    bench.awaiting(run).await;
    let decline = bench.order(Command::Decline { run }).await;
    assert!(matches!(decline, Receipt::Accepted { .. }));
    bench.closed(run).await;
    bench.crash().await;
    bench.try_start().await.unwrap();
    assert_eq!(bench.engine.as_ref().unwrap().submit(order).await, first);
    let runs = bench.store.runs(None, &skydeck::domain::query::PageRequest::first(10)).unwrap().rows;
    assert_eq!(runs.len(), 1);
}

#[tokio::test(start_paused = true)]
async fn an_order_of_another_machine_is_asked_for_by_what_the_environment_is_here() {
    let mut bench = production(3).await;
    bench.crash().await;
    bench.env.second_person = false;
    bench.store.together.set(store::Together::default()).ok();
    bench.try_start().await.unwrap();
    let Receipt::Accepted { run: Some(run), .. } = bench.order_of(1, None, start()).await else { panic!("taken") };
    bench.awaiting(run).await;
    assert!(matches!(bench.order_of(1, None, unlock()).await, Receipt::Accepted { .. }));
    let approve = bench.approval(run);
    let mut said = Vec::new();
    // Where that is no production, or none at all, an operator may.
    for role in [Role::Viewer, Role::Operator, Role::Approver] {
        let by = Who { host: Some("bastion2".into()), ..who("wang") };
        let id = CommandId(ulid::Ulid::generate());
        let order = Order { id, by, session: None, headless: false, command: approve.clone() };
        let together = bench.store.together.get().unwrap();
        together.orders.lock().unwrap().push_back(FromAfar { id, order: Some((order, role)) });
        while together.answers.lock().unwrap().len() <= said.len() {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        said.push(together.answers.lock().unwrap().last().unwrap().clone());
    }
    for (receipt, role) in said.iter().zip([Role::Viewer, Role::Operator]) {
        let Receipt::Refused(Refusal::Denied(Reason::NotAllowed { role: is, .. })) = receipt else {
            panic!("{said:?}")
        };
        assert_eq!(*is, role);
    }
    assert!(matches!(said[2], Receipt::Accepted { .. }), "{said:?}");
    assert_eq!(bench.closed(run).await.tally.audited, 3);
    // One that nobody here can read is answered too.
    let together = bench.store.together.get().unwrap();
    together.orders.lock().unwrap().push_back(FromAfar { id: CommandId(ulid::Ulid::generate()), order: None });
    tokio::time::sleep(Duration::from_secs(1)).await;
    let last = together.answers.lock().unwrap().last().unwrap().clone();
    assert!(matches!(last, Receipt::Refused(Refusal::WrongState(Reason::OlderProgram { .. }))), "{last:?}");
}
