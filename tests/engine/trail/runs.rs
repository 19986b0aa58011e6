//! The lines that orders about a run leave, whole.

use std::time::Duration;

use super::{Trail, bench, closed};
use crate::engine_support::*;
use skydeck::domain::command::{Command, Receipt, Refusal, StartParams};
use skydeck::domain::event::Event;
use skydeck::domain::ids::PlanId;
use skydeck::domain::reason::Reason;
use skydeck::domain::run::Revision;

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
