//! What every order leaves: each line of the action log whole, and the journal's entry beside it.
use std::sync::{Arc, Mutex};
use std::time::Duration;

use crate::engine_support::*;
use async_trait::async_trait;
use skydeck::domain::action_log::{AcceptedFile, LogFault, LogWitness};
use skydeck::domain::command::{Command, Receipt, Refusal, Selection, StartParams};
use skydeck::domain::event::{ActionEntry, Event, LogPlace};
use skydeck::domain::ids::{EnvId, PlanId, RunId, SessionId};
use skydeck::domain::query::PlanProblem;
use skydeck::domain::reason::Reason;
use skydeck::domain::run::{Revision, RunRow};
use skydeck::domain::who::{Origin, Who};
use skydeck::engine::ports::Erp;
use skydeck::store::StoreError;
use skydeck::store::actions::{ActionLog, Deed, Line, MemoryLog};

/// Number of an order, in the bench's own count.
fn nth(order: &str) -> u128 {
    ulid::Ulid::from_string(order).unwrap().random()
}

fn told_by(by: &Who) -> String {
    let Who { uid, login, from, name, origin, person } = by;
    assert_eq!((from, name, person), (&None, &None, &None));
    let origin = match origin {
        None => "",
        Some(Origin::Person) => " person",
        Some(Origin::Schedule) => " clock",
        Some(Origin::Engine) => " engine",
    };
    format!("{login}/{uid}{origin}")
}

fn field(name: &str, value: Option<&impl std::fmt::Display>) -> String {
    value.map(|value| format!(" {name}={value}")).unwrap_or_default()
}

/// All that a line says.
fn of_line(deed: &Deed) -> String {
    let Deed { phase, order, by, action, env, plan, plan_rev, run, set_hash, n, ids, reason, code, args, result } =
        deed;
    let phase = serde_json::to_value(phase).unwrap();
    [
        format!("{} {action}", phase.as_str().unwrap()),
        field("order", order.as_deref().map(nth).as_ref()),
        format!(" by={}", told_by(by)),
        field("env", env.as_ref()),
        field("plan", plan.as_ref()),
        field("rev", plan_rev.as_ref()),
        field("run", run.as_ref()),
        field("set", set_hash.as_ref()),
        format!(" n={n}"),
        if ids.is_empty() { String::new() } else { format!(" ids={}", ids.join("+")) },
        field("reason", reason.as_ref()),
        field("code", code.as_ref()),
        field("args", args.as_ref()),
        if result.is_empty() { String::new() } else { format!(": {result}") },
    ]
    .concat()
}

/// All that an entry of the journal says.
fn of_entry(entry: &ActionEntry) -> String {
    let ActionEntry { by, verb, order, run, plan, bills, reason, result, line, why: _ } = entry;
    [
        format!("{} {verb}", line.as_ref().map_or(0, |line| line.seq)),
        field("order", order.map(|order| order.0.random()).as_ref()),
        format!(" by={}", told_by(by)),
        field("plan", plan.as_ref()),
        field("run", run.as_ref()),
        format!(" n={bills}"),
        field("reason", reason.as_ref()),
        format!(": {result}"),
    ]
    .concat()
}

/// The trail of a bench, with short names for runs and their sets.
struct Trail<'a>(&'a Bench, Vec<RunId>);

impl Trail<'_> {
    fn named(&self, mut text: String) -> String {
        for (at, run) in self.1.iter().enumerate() {
            text = text.replace(&run.to_string(), &format!("R{}", at + 1));
            if let Some(collected) = self.0.run(*run).collected {
                text = text.replace(&collected.hash.to_string(), &format!("S{}", at + 1));
                text = text.replace(collected.hash.short(), &format!("s{}", at + 1));
            }
        }
        text
    }

    fn lines(&self) -> Vec<String> {
        let lines = self.0.actions.lines();
        let read = lines.iter().map(|line| serde_json::from_str::<Line>(line).unwrap());
        read.map(|line| self.named(of_line(&line.deed))).collect()
    }

    fn entries(&self) -> Vec<String> {
        let taken = self.0.facts().into_iter().filter_map(|fact| match fact.event {
            Event::ActionTaken(entry) => Some(of_entry(&entry)),
            _ => None,
        });
        taken.map(|entry| self.named(entry)).collect()
    }
}

fn env() -> EnvId {
    EnvId::new("test")
}

/// An environment that is not the first one, in production, with two persons for what is grave.
async fn bench() -> Bench {
    let mut bench = Bench::new();
    let other = World::of(&bench.clock, "first");
    bench.before.push((other_environment("first"), other as Arc<dyn Erp>));
    bench.plans.0.lock().unwrap()[0].env = Some(env());
    bench.env.production = true;
    bench.env.second_person = true;
    bench.try_start().await.unwrap();
    bench
}

/// The run is closed, and the line of its end is written.
async fn closed(bench: &Bench, run: RunId) -> RunRow {
    let row = bench.closed(run).await;
    tokio::time::sleep(Duration::from_millis(10)).await;
    row
}

#[tokio::test(start_paused = true)]
async fn every_order_about_a_run_leaves_its_whole_lines() {
    let mut bench = bench().await;
    bench.world.submitted(1..=3);
    let refused = Trouble::Refused(11, "库存不足");
    bench.world.with(|s| s.trouble_of.insert(fid(2), [refused].into()));
    let declined = bench.start_plan().await;
    bench.awaiting(declined).await;
    bench.accepted(Command::Decline { run: declined }).await;
    closed(&bench, declined).await;
    let run = bench.start_plan().await;
    bench.awaiting(run).await;
    let Command::Approve { hash, .. } = bench.approval(run) else { panic!() };
    let approve = Command::Approve {
        run,
        hash,
        typed: Some("test".into()),
        flags: vec![flag("STK_InvCheckResult")],
        reason: Some(" counted tomorrow ".into()),
    };
    assert!(matches!(bench.order_of(2, None, approve.clone()).await, Receipt::Refused(Refusal::SecondPerson { .. })));
    assert!(matches!(bench.order_of(3, None, approve.clone()).await, Receipt::Accepted { .. }));
    closed(&bench, run).await;
    assert!(matches!(bench.order_of(3, None, approve).await, Receipt::Refused(_)));
    bench.refused(Command::Pause { run }).await;
    bench.refused(Command::Start { plan: PlanId::new("nope"), params: StartParams::default() }).await;
    let retry = bench.accepted(Command::Retry { selection: Bench::all_matching(), revision: Revision::Newest }).await;
    let retry = retry.unwrap();
    bench.awaiting(retry).await;
    bench.accepted(Command::Cancel { run: retry }).await;
    closed(&bench, retry).await;
    let trail = Trail(&bench, vec![declined, run, retry]);
    assert_eq!(trail.lines(), LINES_OF_RUNS);
    assert_eq!(trail.entries(), ENTRIES_OF_RUNS);
}

const LINES_OF_RUNS: [&str; 20] = [
    "before start order=1 by=wang/1000 env=test plan=p rev=0123456789abcdef run=R1 n=0",
    "after start order=1 by=wang/1000 env=test plan=p rev=0123456789abcdef run=R1 n=0: accepted",
    "before decline order=2 by=wang/1000 env=test plan=p rev=0123456789abcdef run=R1 set=S1 n=3",
    "after decline order=2 by=wang/1000 env=test plan=p rev=0123456789abcdef run=R1 set=S1 n=3: accepted",
    r#"end run by=wang/1000 env=test plan=p rev=0123456789abcdef run=R1 set=S1 n=3 code=declined args={"reason":null,"reason_args":null,"sum":{"found":3,"audited":0,"already":0,"skipped":0,"failed":0,"unknown":0,"waiting":3}}: declined; nothing was written; found 3"#,
    "before start order=3 by=wang/1000 env=test plan=p rev=0123456789abcdef run=R2 n=0",
    "after start order=3 by=wang/1000 env=test plan=p rev=0123456789abcdef run=R2 n=0: accepted",
    "before approve order=4 by=u2/2 env=test plan=p rev=0123456789abcdef run=R2 set=S1 n=3 ids=1+2+3 reason=counted tomorrow",
    r#"after approve order=4 by=u2/2 env=test plan=p rev=0123456789abcdef run=R2 set=S1 n=3 reason=counted tomorrow code=second_person args={"hash":"s1","run":"R2"}: accepted; waits for a second person"#,
    "before approve order=5 by=u3/3 env=test plan=p rev=0123456789abcdef run=R2 set=S1 n=3 ids=1+2+3 reason=counted tomorrow",
    "after approve order=5 by=u3/3 env=test plan=p rev=0123456789abcdef run=R2 set=S1 n=3 reason=counted tomorrow: accepted",
    r#"end run by=wang/1000 env=test plan=p rev=0123456789abcdef run=R2 set=S1 n=3 code=completed args={"reason":null,"reason_args":null,"sum":{"found":3,"audited":2,"already":0,"skipped":0,"failed":1,"unknown":0,"waiting":0}}: completed; found 3 = audited 2 + already 0 + skipped 0 + failed 1 + unknown 0"#,
    r#"refused approve order=6 by=u3/3 run=R2 n=0 reason= counted tomorrow  code=closed args={"run":"R2"}: run R2 is closed; a closed run never changes"#,
    r#"refused pause order=7 by=wang/1000 run=R2 n=0 code=closed args={"run":"R2"}: run R2 is closed; a closed run never changes"#,
    r#"refused start order=8 by=wang/1000 plan=nope n=0 code=no_plan args={"plan":"nope"}: there is no plan `nope`"#,
    "before retry order=9 by=wang/1000 env=test plan=p rev=0123456789abcdef run=R3 n=1 ids=2",
    "after retry order=9 by=wang/1000 env=test plan=p rev=0123456789abcdef run=R3 n=1: accepted",
    "before cancel order=10 by=wang/1000 env=test plan=p rev=0123456789abcdef run=R3 set=S3 n=1",
    "after cancel order=10 by=wang/1000 env=test plan=p rev=0123456789abcdef run=R3 set=S3 n=1: accepted",
    r#"end run by=wang/1000 env=test plan=p rev=0123456789abcdef run=R3 set=S3 n=1 code=cancelled args={"reason":null,"reason_args":null,"sum":{"found":1,"audited":0,"already":0,"skipped":0,"failed":0,"unknown":0,"waiting":1}}: cancelled; found 1"#,
];
const ENTRIES_OF_RUNS: [&str; 10] = [
    "1 start order=1 by=wang/1000 plan=p run=R1 n=0: accepted",
    "3 decline order=2 by=wang/1000 plan=p run=R1 n=3: accepted",
    "6 start order=3 by=wang/1000 plan=p run=R2 n=0: accepted",
    "8 approve by=u2/2 plan=p run=R2 n=3 reason=counted tomorrow: accepted; waits for a second person",
    "10 approve order=5 by=u3/3 plan=p run=R2 n=3 reason=counted tomorrow: accepted",
    "13 approve by=u3/3 run=R2 n=0: run R2 is closed; a closed run never changes",
    "14 pause by=wang/1000 run=R2 n=0: run R2 is closed; a closed run never changes",
    "15 start by=wang/1000 plan=nope n=0: there is no plan `nope`",
    "16 retry order=9 by=wang/1000 plan=p run=R3 n=1: accepted",
    "18 cancel order=10 by=wang/1000 plan=p run=R3 n=1: accepted",
];

#[tokio::test(start_paused = true)]
async fn pausing_and_going_on_leave_their_lines_while_a_call_is_open() {
    let mut bench = Bench::new();
    bench.env.limits.concurrency = 1;
    bench.try_start().await.unwrap();
    bench.world.submitted(1..=3);
    let slow = || Trouble::Slow(Duration::from_secs(20));
    bench.world.with(|s| s.trouble.extend([slow(), slow(), slow()]));
    let run = bench.start_plan().await;
    bench.awaiting(run).await;
    let approve = bench.approval(run);
    bench.accepted(approve).await;
    let second = Duration::from_secs(1);
    tokio::time::sleep(second).await;
    assert_eq!(bench.refused(Command::Resume { run }).await, Refusal::WrongState(Reason::NotPaused { run }));
    bench.accepted(Command::Pause { run }).await;
    tokio::time::sleep(second).await;
    // Taken back before the call in flight was answered: no pause comes of it.
    bench.accepted(Command::Resume { run }).await;
    tokio::time::sleep(Duration::from_secs(22)).await;
    assert_eq!(bench.world.with(|s| s.posts.len()), 2, "it went on");
    bench.accepted(Command::Pause { run }).await;
    bench.paused(run).await;
    bench.accepted(Command::Resume { run }).await;
    tokio::time::sleep(second).await;
    bench.accepted(Command::Cancel { run }).await;
    let row = closed(&bench, run).await;
    assert_eq!((row.tally.audited, row.tally.not_reached), (3, 0), "the bill in flight is told as called");
    let paused = |fact: &skydeck::domain::event::Fact| matches!(fact.event, Event::RunPaused { .. });
    assert_eq!(bench.facts().iter().filter(|fact| paused(fact)).count(), 1);
    let trail = Trail(&bench, vec![run]);
    assert_eq!(trail.lines(), LINES_OF_PAUSES);
    bench.check();
}

const LINES_OF_PAUSES: [&str; 16] = [
    "before start order=1 by=wang/1000 env=test plan=p rev=0123456789abcdef run=R1 n=0",
    "after start order=1 by=wang/1000 env=test plan=p rev=0123456789abcdef run=R1 n=0: accepted",
    "before approve order=2 by=wang/1000 env=test plan=p rev=0123456789abcdef run=R1 set=S1 n=3 ids=1+2+3",
    "after approve order=2 by=wang/1000 env=test plan=p rev=0123456789abcdef run=R1 set=S1 n=3: accepted",
    r#"refused resume order=3 by=wang/1000 env=test run=R1 n=0 code=not_paused args={"run":"R1"}: run R1 is not paused"#,
    "before pause order=4 by=wang/1000 env=test plan=p rev=0123456789abcdef run=R1 set=S1 n=3",
    "after pause order=4 by=wang/1000 env=test plan=p rev=0123456789abcdef run=R1 set=S1 n=3: accepted",
    "before resume order=5 by=wang/1000 env=test plan=p rev=0123456789abcdef run=R1 set=S1 n=3",
    "after resume order=5 by=wang/1000 env=test plan=p rev=0123456789abcdef run=R1 set=S1 n=3: accepted",
    "before pause order=6 by=wang/1000 env=test plan=p rev=0123456789abcdef run=R1 set=S1 n=2",
    "after pause order=6 by=wang/1000 env=test plan=p rev=0123456789abcdef run=R1 set=S1 n=2: accepted",
    "before resume order=7 by=wang/1000 env=test plan=p rev=0123456789abcdef run=R1 set=S1 n=1",
    "after resume order=7 by=wang/1000 env=test plan=p rev=0123456789abcdef run=R1 set=S1 n=1: accepted",
    "before cancel order=8 by=wang/1000 env=test plan=p rev=0123456789abcdef run=R1 set=S1 n=1",
    "after cancel order=8 by=wang/1000 env=test plan=p rev=0123456789abcdef run=R1 set=S1 n=1: accepted",
    r#"end run by=wang/1000 env=test plan=p rev=0123456789abcdef run=R1 set=S1 n=3 code=cancelled args={"reason":null,"reason_args":null,"sum":{"found":3,"audited":3,"already":0,"skipped":0,"failed":0,"unknown":0,"waiting":0}}: cancelled; found 3 = audited 3 + already 0 + skipped 0 + failed 0 + unknown 0"#,
];

#[tokio::test(start_paused = true)]
async fn every_order_about_an_environment_or_the_ledger_leaves_its_whole_lines() {
    let mut bench = bench().await;
    bench.env.second_person = false;
    bench.try_start().await.unwrap();
    bench.world.submitted(1..=2);
    let refused = || Trouble::Refused(11, "库存不足");
    bench.world.with(|s| s.trouble.extend([refused(), refused()]));
    let run = bench.whole_run().await.head.id;
    closed(&bench, run).await;
    let before = bench.actions.lines().len();
    let key = |n| bench.store.bill_of_run(run, &fid(n)).unwrap().unwrap().key;
    let (one, two) = (key(1), key(2));
    let session = |n| Some(SessionId(ulid::Ulid::from_parts(9, n)));
    let unlock = |env: EnvId| Command::Unlock { env, reason: " month end ".into() };
    let reason = || " sent back ".to_owned();
    bench.accepted(Command::SetPace { env: env(), per_minute: Some(30), concurrency: None }).await;
    bench.refused(Command::SetPace { env: env(), per_minute: Some(0), concurrency: None }).await;
    bench.order_of(1, session(1), unlock(env())).await;
    bench.order_of(1, session(1), unlock(EnvId::new("first"))).await;
    tokio::time::sleep(Duration::from_millis(10)).await;
    bench.accepted(Command::Lock { env: EnvId::new("first") }).await;
    let both = Selection::Bills(vec![one.clone(), two.clone()]);
    bench.accepted(Command::Resolve { selection: both.clone(), reason: reason() }).await;
    bench.refused(Command::Resolve { selection: both, reason: reason() }).await;
    bench.accepted(Command::Reopen { keys: vec![two.clone()], reason: reason() }).await;
    bench.refused(Command::Reopen { keys: vec![two], reason: reason() }).await;
    bench.refused(Command::AdoptServer { env: env(), reason: reason() }).await;
    bench.accepted(Command::ReloadPlans).await;
    bench.refused(Command::Retry { selection: Selection::Bills(vec![one]), revision: Revision::Newest }).await;
    let trail = Trail(&bench, vec![run]);
    assert_eq!(trail.lines()[before..], LINES_OF_ENVIRONMENTS);
    let entries = trail.entries();
    assert_eq!(entries[2..], ENTRIES_OF_ENVIRONMENTS);
}

const LINES_OF_ENVIRONMENTS: [&str; 20] = [
    "before set_pace order=3 by=wang/1000 env=test n=0",
    "after set_pace order=3 by=wang/1000 env=test n=0: accepted; test: 30 a minute",
    "refused set_pace order=4 by=wang/1000 env=test n=0 code=pace_zero args={}: a pace of 0 would wait for ever: pause the run instead",
    "before unlock order=5 by=u1/1 env=test n=0 reason=month end",
    "after unlock order=5 by=u1/1 env=test n=0 reason=month end: accepted; test",
    "before unlock order=6 by=u1/1 env=first n=0 reason=month end",
    "after unlock order=6 by=u1/1 env=first n=0 reason=month end: accepted; first",
    "after lock by=skydeck/1000 engine env=test n=0 reason=the same console unlocked another environment: accepted",
    "before lock order=7 by=wang/1000 env=first n=0",
    "after lock order=7 by=wang/1000 env=first n=0: accepted; first",
    "before resolve order=8 by=wang/1000 n=2 ids=1+2 reason=sent back",
    "after resolve order=8 by=wang/1000 n=2 reason=sent back: accepted",
    r#"refused resolve order=9 by=wang/1000 n=0 reason= sent back  code=nothing_matches args={"left_out":[["resolved_meanwhile",2]]}: nothing to do: no unresolved bill matches; left out: 2 resolved meanwhile"#,
    "before reopen order=10 by=wang/1000 n=1 ids=2 reason=sent back",
    "after reopen order=10 by=wang/1000 n=1 reason=sent back: accepted",
    "refused reopen order=11 by=wang/1000 n=0 reason= sent back  code=not_resolved args={}: nothing to do: none of these bills is resolved: there is no entry to put back",
    r#"refused adopt_server order=12 by=wang/1000 env=test n=0 reason= sent back  code=server_known args={"is":{"a":"http://erp.invalid:80/k3cloud","s":"0"},"env":"test"}: nothing to do: environment test is bound to http://erp.invalid:80/k3cloud (0) already"#,
    "before reload_plans order=13 by=wang/1000 n=0",
    "after reload_plans order=13 by=wang/1000 n=0: accepted",
    r#"refused retry order=14 by=wang/1000 n=0 code=nothing_matches args={"left_out":[["resolved_meanwhile",1]]}: nothing to do: no unresolved bill matches; left out: 1 resolved meanwhile"#,
];
const ENTRIES_OF_ENVIRONMENTS: [&str; 13] = [
    "6 set_pace order=3 by=wang/1000 n=0: accepted; test: 30 a minute",
    "8 set_pace by=wang/1000 n=0: a pace of 0 would wait for ever: pause the run instead",
    "9 unlock order=5 by=u1/1 n=0 reason=month end: accepted; test",
    "11 unlock order=6 by=u1/1 n=0 reason=month end: accepted; first",
    "13 lock by=skydeck/1000 engine n=0 reason=the same console unlocked another environment: accepted; test",
    "14 lock order=7 by=wang/1000 n=0: accepted; first",
    "16 resolve order=8 by=wang/1000 n=2 reason=sent back: accepted",
    "18 resolve by=wang/1000 n=0: nothing to do: no unresolved bill matches; left out: 2 resolved meanwhile",
    "19 reopen order=10 by=wang/1000 n=1 reason=sent back: accepted",
    "21 reopen by=wang/1000 n=0: nothing to do: none of these bills is resolved: there is no entry to put back",
    "22 adopt_server by=wang/1000 n=0: nothing to do: environment test is bound to http://erp.invalid:80/k3cloud (0) already",
    "23 reload_plans order=13 by=wang/1000 n=0: accepted",
    "25 retry by=wang/1000 n=0: nothing to do: no unresolved bill matches; left out: 1 resolved meanwhile",
];

/// Trailed so far: lines and entries.
fn so_far(bench: &Bench) -> (usize, usize) {
    let trail = Trail(bench, Vec::new());
    (trail.lines().len(), trail.entries().len())
}

#[tokio::test(start_paused = true)]
async fn reading_back_and_adopting_a_server_leave_their_whole_lines() {
    let mut bench = Bench::new();
    (bench.env.limits.concurrency, bench.env.limits.per_minute) = (1, 60);
    bench.try_start().await.unwrap();
    bench.world.submitted(1..=3);
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
    bench.engine.as_ref().unwrap().drain(Duration::from_secs(30)).await;
    bench.crash().await;
    bench.env.server = server("http://erp2.invalid/k3cloud", "0");
    bench.try_start().await.unwrap();
    let (lines, entries) = so_far(&bench);
    let verify = || Command::Verify { selection: Bench::all_matching() };
    bench.refused(verify()).await;
    bench.refused(Command::AdoptServer { env: env(), reason: "\u{200b} \u{3000}".into() }).await;
    bench.accepted(Command::AdoptServer { env: env(), reason: " a new address ".into() }).await;
    let cancelled = bench.order_of(1000, None, Command::Cancel { run }).await;
    assert!(matches!(cancelled, Receipt::Accepted { .. }), "{cancelled:?}");
    closed(&bench, run).await;
    let read_back = bench.accepted(verify()).await.unwrap();
    closed(&bench, read_back).await;
    bench.refused(verify()).await;
    let trail = Trail(&bench, vec![run, read_back]);
    assert_eq!(trail.lines()[lines..], LINES_OF_SERVERS);
    assert_eq!(trail.entries()[entries..], ENTRIES_OF_SERVERS);
}

const LINES_OF_SERVERS: [&str; 11] = [
    r#"refused verify order=3 by=wang/1000 n=0 code=busy args={"run":"R1","plan":"p"}: plan p already has an open run R1: finish, resume or cancel it first"#,
    "refused adopt_server order=4 by=wang/1000 env=test n=0 reason=\u{200b} \u{3000} code=needs_reason args={\"verb\":\"adopt_server\"}: not confirmed: adopt_server needs a written reason",
    "before adopt_server order=5 by=wang/1000 env=test n=0 reason=a new address",
    "after adopt_server order=5 by=wang/1000 env=test n=0 reason=a new address: accepted; http://erp.invalid:80/k3cloud (0) → http://erp2.invalid:80/k3cloud (0)",
    "before cancel order=6 by=u1000/1000 env=test plan=p rev=0123456789abcdef run=R1 set=S1 n=1",
    "after cancel order=6 by=u1000/1000 env=test plan=p rev=0123456789abcdef run=R1 set=S1 n=1: accepted",
    r#"end run by=wang/1000 env=test plan=p rev=0123456789abcdef run=R1 set=S1 n=3 code=cancelled args={"reason":null,"reason_args":null,"sum":{"found":3,"audited":1,"already":0,"skipped":0,"failed":0,"unknown":1,"waiting":0,"not_reached":1}}: cancelled; found 3 = audited 1 + already 0 + skipped 0 + failed 0 + unknown 1 + not reached 1"#,
    "before verify order=7 by=wang/1000 env=test plan=p rev=0123456789abcdef run=R2 n=1 ids=1",
    "after verify order=7 by=wang/1000 env=test plan=p rev=0123456789abcdef run=R2 n=1: accepted; left out: 1 neither unknown nor failed",
    r#"end run by=wang/1000 env=test plan=p rev=0123456789abcdef run=R2 set=S2 n=1 code=completed args={"reason":null,"reason_args":null,"sum":{"found":1,"audited":1,"already":0,"skipped":0,"failed":0,"unknown":0,"waiting":0}}: completed; found 1 = audited 1 + already 0 + skipped 0 + failed 0 + unknown 0"#,
    r#"refused verify order=8 by=wang/1000 n=0 code=nothing_matches args={"left_out":[["not_unknown",1]]}: nothing to do: no unresolved bill matches; left out: 1 neither unknown nor failed"#,
];
const ENTRIES_OF_SERVERS: [&str; 6] = [
    "5 verify by=wang/1000 n=0: plan p already has an open run R1: finish, resume or cancel it first",
    "6 adopt_server by=wang/1000 n=0: not confirmed: adopt_server needs a written reason",
    "7 adopt_server order=5 by=wang/1000 n=0 reason=a new address: accepted; http://erp.invalid:80/k3cloud (0) → http://erp2.invalid:80/k3cloud (0)",
    "9 cancel order=6 by=u1000/1000 plan=p run=R1 n=1: accepted",
    "12 verify order=7 by=wang/1000 plan=p run=R2 n=1: accepted; left out: 1 neither unknown nor failed",
    "15 verify by=wang/1000 n=0: nothing to do: no unresolved bill matches; left out: 1 neither unknown nor failed",
];

/// A log that does not agree with the journal until somebody accepts it.
struct Disagreeing {
    log: Arc<MemoryLog>,
    faults: Mutex<Vec<LogFault>>,
}

#[async_trait]
impl ActionLog for Disagreeing {
    async fn write(&self, deed: Deed) -> Result<LogPlace, StoreError> {
        self.log.write(deed).await
    }

    fn faults(&self) -> Vec<LogFault> {
        self.faults.lock().unwrap().clone()
    }

    fn acceptable(&self) -> Result<Option<LogWitness>, StoreError> {
        let accepted = Some(AcceptedFile { bytes: 7, sha256: "ab".into() });
        let at = LogPlace { seq: 40, hash: "cd".into() };
        let witness = LogWitness { at, open: true, loose: Vec::new(), accepted };
        Ok((!self.faults().is_empty()).then_some(witness))
    }

    fn accepted(&self) {
        self.faults.lock().unwrap().clear();
    }
}

#[tokio::test(start_paused = true)]
async fn accepting_the_log_leaves_its_whole_lines_and_what_was_wrong() {
    let mut bench = Bench::new();
    let faults = vec![LogFault::Cut { last: 4, told: 9 }, LogFault::Replaced { line: 2 }];
    let log = Disagreeing { log: Arc::clone(&bench.actions), faults: Mutex::new(faults) };
    bench.log = Some(Arc::new(log));
    bench.try_start().await.unwrap();
    let start = || Command::Start { plan: PlanId::new("p"), params: StartParams::default() };
    let accept = |reason: &str| Command::AcceptLog { reason: reason.into() };
    bench.refused(start()).await;
    bench.refused(accept(" \u{feff}\t")).await;
    bench.accepted(accept(" the disk was replaced ")).await;
    tokio::time::sleep(Duration::from_millis(10)).await;
    bench.refused(accept("again")).await;
    let trail = Trail(&bench, Vec::new());
    assert_eq!(trail.lines(), LINES_OF_THE_LOG);
    assert_eq!(trail.entries(), ENTRIES_OF_THE_LOG);
    let run = bench.accepted(start()).await.unwrap();
    bench.closed(run).await;
}

const LINES_OF_THE_LOG: [&str; 5] = [
    r#"refused start order=1 by=wang/1000 env=test plan=p n=0 code=log_disagrees args={"more":1,"fault":{"k":"cut","last":4,"told":9}}: actions.log ends at line 4, and the journal tells of line 9, and 1 more: no run starts before a person has looked (`skydeck log verify`) and accepted it (`skydeck log accept --reason …`)"#,
    "refused accept_log order=2 by=wang/1000 n=0 reason= \u{feff}\t code=needs_reason args={\"verb\":\"accept_log\"}: not confirmed: accept_log needs a written reason",
    "before accept_log order=3 by=wang/1000 n=0 reason=the disk was replaced",
    "after accept_log order=3 by=wang/1000 n=0 reason=the disk was replaced: accepted; actions.log ends at line 4, and the journal tells of line 9; line 2 of actions.log is not the one the journal tells of",
    "refused accept_log order=4 by=wang/1000 n=0 reason=again code=log_agrees args={}: nothing to do: the action log and the journal agree",
];
const ENTRIES_OF_THE_LOG: [&str; 4] = [
    "1 start by=wang/1000 plan=p n=0: actions.log ends at line 4, and the journal tells of line 9, and 1 more: no run starts before a person has looked (`skydeck log verify`) and accepted it (`skydeck log accept --reason …`)",
    "2 accept_log by=wang/1000 n=0: not confirmed: accept_log needs a written reason",
    "3 accept_log order=3 by=wang/1000 n=0 reason=the disk was replaced: accepted; actions.log ends at line 4, and the journal tells of line 9; line 2 of actions.log is not the one the journal tells of",
    "5 accept_log by=wang/1000 n=0: nothing to do: the action log and the journal agree",
];

#[tokio::test(start_paused = true)]
async fn a_reason_that_nobody_can_see_is_none_wherever_one_is_asked_for() {
    let mut bench = bench().await;
    bench.world.submitted(1..=2);
    let run = bench.start_plan().await;
    bench.awaiting(run).await;
    let key = bench.store.bill_of_run(run, &fid(1)).unwrap().unwrap().key;
    let hash = bench.run(run).collected.unwrap().hash;
    for unseen in ["", " ", "\u{3000}\u{a0}", "\u{200b}\u{200d}", "\u{202e}\u{2066}", "\u{feff}\n", "\u{2800}\u{ad}"] {
        let reason = || unseen.to_owned();
        for command in [
            Command::Unlock { env: env(), reason: reason() },
            Command::Resolve { selection: Bench::all_matching(), reason: reason() },
            Command::Reopen { keys: vec![key.clone()], reason: reason() },
            Command::AdoptServer { env: env(), reason: reason() },
            Command::AcceptLog { reason: reason() },
        ] {
            let verb = command.verb().to_owned();
            let refusal = bench.refused(command).await;
            assert_eq!(refusal, Refusal::NotConfirmed(Reason::NeedsReason { verb }), "{unseen:?}");
        }
        let flags = vec![flag("STK_InvCheckResult")];
        let typed = Some("test".to_owned());
        let approve = Command::Approve { run, hash: hash.clone(), typed, flags, reason: Some(reason()) };
        assert_eq!(bench.refused(approve).await, Refusal::NotConfirmed(Reason::FlagsNeedReason {}), "{unseen:?}");
    }
    let accepted = bench.facts().into_iter().filter_map(|fact| match fact.event {
        Event::ActionTaken(entry) if entry.result.starts_with("accepted") => Some(entry.verb),
        _ => None,
    });
    assert_eq!(accepted.collect::<Vec<_>>(), ["start"]);
}

#[tokio::test(start_paused = true)]
async fn long_words_of_somebody_else_are_cut_to_what_a_line_takes() {
    let mut bench = Bench::started().await;
    for (signs, kept) in [(4096, None), (4097, Some(4096)), (9000, Some(4096))] {
        let said = "x".repeat(signs);
        let problem = PlanProblem { id: PlanId::new("bad"), message: said.clone(), zh: None, reason: None };
        *bench.plans.1.lock().unwrap() = vec![problem];
        bench.accepted(Command::ReloadPlans).await;
        let start = Command::Start { plan: PlanId::new("bad"), params: StartParams::default() };
        let refusal = bench.refused(start).await;
        assert_eq!(
            refusal,
            Refusal::BadPlan(Reason::PlanProblem { said: said.clone(), zh: None }),
            "told whole to who ordered"
        );
        let line: Line = serde_json::from_str(bench.actions.lines().last().unwrap()).unwrap();
        let cut = kept.map_or_else(|| said.clone(), |kept| format!("{}…", "x".repeat(kept)));
        assert_eq!(line.deed.args, Some(serde_json::json!({"said": cut})), "{signs}");
        let words = refusal.to_string();
        let words = if words.len() > 4096 { format!("{}…", &words[..4096]) } else { words };
        assert_eq!(line.deed.result, words, "{signs}");
        let good = Command::Start { plan: PlanId::new("p"), params: StartParams::default() };
        let run = bench.accepted(good).await.unwrap();
        bench.closed(run).await;
    }
}
