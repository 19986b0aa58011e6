//! The lines that orders about environments, servers and the ledger leave, whole.

use std::time::Duration;

use super::{Trail, bench, closed, env};
use crate::engine_support::*;
use skydeck::domain::command::{Command, Receipt, Selection};
use skydeck::domain::ids::{EnvId, SessionId};
use skydeck::domain::run::Revision;

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
    r#"refused verify order=3 by=wang/1000 n=0 code=busy args={"run":"R1","plan":"p"}: plan p has an unfinished run R1: resume or stop it first"#,
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
    "5 verify by=wang/1000 n=0: plan p has an unfinished run R1: resume or stop it first",
    "6 adopt_server by=wang/1000 n=0: not confirmed: adopt_server needs a written reason",
    "7 adopt_server order=5 by=wang/1000 n=0 reason=a new address: accepted; http://erp.invalid:80/k3cloud (0) → http://erp2.invalid:80/k3cloud (0)",
    "9 cancel order=6 by=u1000/1000 plan=p run=R1 n=1: accepted",
    "12 verify order=7 by=wang/1000 plan=p run=R2 n=1: accepted; left out: 1 neither unknown nor failed",
    "15 verify by=wang/1000 n=0: nothing to do: no unresolved bill matches; left out: 1 neither unknown nor failed",
];
