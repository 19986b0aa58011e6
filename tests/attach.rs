//! Several consoles on one engine, through the owner's socket: the same facts, the same guards, and nobody who can hurt it.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, missing_docs)]

mod engine_support;

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Command as Process, Stdio};
use std::time::Duration;

use engine_support::*;
use skydeck::domain::command::{Command, Order, Receipt, Refusal, StartParams};
use skydeck::domain::ids::{CommandId, EnvId, PlanId, RunId};
use skydeck::domain::live::Live;
use skydeck::domain::query::{Answer, Query};
use skydeck::domain::run::RunState;
use skydeck::domain::time::Clock;
use skydeck::domain::who::{Origin, Who};
use skydeck::engine::api::{Link, Notice, Watch};
use skydeck::link::remote::RemoteLink;
use skydeck::link::serve::{ListenerSpec, Server};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::UnixStream;

fn console(socket: &Path, login: &str) -> RemoteLink {
    RemoteLink::new(
        socket,
        Who {
            uid: 4_000_000,
            login: login.into(),
            from: Some("10.0.3.7".into()),
            name: None,
            origin: None,
            person: None,
            host: None,
        },
        None,
    )
}

fn order(n: u128, command: Command) -> Order {
    let id = CommandId(ulid::Ulid::from_parts(5, n));
    Order {
        id,
        by: Who {
            uid: 4_000_000,
            login: "liar".into(),
            from: None,
            name: None,
            origin: None,
            person: None,
            host: None,
        },
        session: None,
        headless: false,
        command,
    }
}

/// Folds what a watcher is told until the run is in a state.
async fn until(watch: &mut Watch, run: RunId, is: impl Fn(&RunState) -> bool) -> Live {
    let mut live = watch.live.clone();
    let limit = tokio::time::Instant::now() + Duration::from_secs(30);
    while !live.runs.get(&run).is_some_and(|r| is(&r.row.state)) {
        match tokio::time::timeout_at(limit, watch.notices.recv()).await.expect("in time") {
            Some(Notice::Facts(facts)) => facts.iter().for_each(|fact| live.apply(fact)),
            Some(Notice::Resync(now)) => live = *now,
            Some(_) => {}
            None => panic!("the owner is gone"),
        }
    }
    watch.live = live.clone();
    live
}

#[tokio::test]
async fn two_consoles_see_one_run_and_one_approval_counts() {
    let dir = tempfile::tempdir().unwrap();
    let socket = dir.path().join("owner.sock");
    let bench = Bench::started().await;
    bench.world.submitted(1..=20);
    let server = Server::bind(&[ListenerSpec::own(&socket)], bench.engine.clone().unwrap()).unwrap();
    let (li, wang) = (console(&socket, "li"), console(&socket, "wang"));
    assert!(li.is_owned().await.unwrap());
    let (mut seen_by_li, mut seen_by_wang) = (li.watch().await.unwrap(), wang.watch().await.unwrap());

    let start = order(1, Command::Start { plan: PlanId::new("p"), params: StartParams::default() });
    let receipt = li.submit(start.clone()).await.unwrap();
    let Receipt::Accepted { run: Some(run), .. } = receipt else { panic!("{receipt:?}") };
    assert_eq!(li.submit(start).await.unwrap(), receipt, "a repeated send does nothing twice");

    let live = until(&mut seen_by_wang, run, |s| *s == RunState::AwaitingApproval).await;
    let uid = rustix::process::geteuid().as_raw();
    let by = &live.runs[&run].row.head.by;
    assert_eq!((by.uid, by.login.as_str()), (uid, "li"), "the kernel's word on the uid, the hello's on the name");

    let Command::Approve { hash, .. } = bench.approval(run) else { panic!("no approval") };
    let approve = |n| {
        let hash = hash.clone();
        order(n, Command::Approve { run, hash, typed: None, flags: Vec::new(), reason: None })
    };
    let (a, b) = tokio::join!(li.submit(approve(2)), wang.submit(approve(3)));
    let accepted = [a.unwrap(), b.unwrap()].iter().filter(|r| matches!(r, Receipt::Accepted { .. })).count();
    assert_eq!(accepted, 1, "two operators confirm, one run starts");

    let (one, other) = (
        until(&mut seen_by_li, run, RunState::is_closed).await,
        until(&mut seen_by_wang, run, RunState::is_closed).await,
    );
    assert_eq!(one.runs[&run].row, other.runs[&run].row);
    assert_eq!(one.runs[&run].row.tally.audited, 20);
    let Answer::Run(Some(row)) = wang.ask(Query::Run(run)).await.unwrap() else { panic!("no row") };
    assert!(row.tally.closes());
    bench.check();
    drop(server);
    assert!(!socket.exists(), "the socket goes with its owner");
}

#[tokio::test]
async fn whoever_says_to_be_the_schedule_is_a_person_all_the_same() {
    let dir = tempfile::tempdir().unwrap();
    let socket = dir.path().join("owner.sock");
    let mut bench = Bench::new();
    bench.env.production = true;
    bench.try_start().await.unwrap();
    bench.world.submitted(1..=2);
    let server = Server::bind(&[ListenerSpec::own(&socket)], bench.engine.clone().unwrap()).unwrap();
    // Off by the clock in production, and not off for people.
    let claims = console(&socket, "schedule");
    let mut seen = claims.watch().await.unwrap();
    let by = Who { login: "schedule".into(), ..Who::schedule(4_000_000) };
    let start = Command::Start { plan: PlanId::new("p"), params: StartParams::default() };
    let start = Order { by, ..order(1, start) };
    let Receipt::Accepted { run: Some(run), .. } = claims.submit(start).await.unwrap() else { panic!("not taken") };
    until(&mut seen, run, |s| *s == RunState::AwaitingApproval).await;
    let by = bench.run(run).head.by;
    let uid = rustix::process::geteuid().as_raw();
    let name = skydeck::link::serve::person(uid, String::new(), None).name.unwrap();
    assert_eq!((by.origin, by.uid, by.login.as_str()), (Some(Origin::Person), uid, "schedule"));
    assert_eq!(by.name.as_deref(), Some(name.as_str()));
    assert_eq!(by.to_string(), format!("{name} (says schedule)@10.0.3.7"), "and shown with the name the system knows");
    // The approval of a schedule is refused in production; this one is a person's.
    let Command::Approve { hash, .. } = bench.approval(run) else { panic!("no approval") };
    let approve = Command::Approve { run, hash, typed: Some("test".into()), flags: Vec::new(), reason: None };
    let receipt = claims.submit(order(2, approve)).await.unwrap();
    assert!(matches!(receipt, Receipt::Accepted { .. }), "{receipt:?}");
    until(&mut seen, run, RunState::is_closed).await;
    let line = bench.actions.lines().pop().unwrap();
    assert!(line.contains(r#""login":"schedule""#) && line.contains(&format!(r#""name":"{name}""#)), "{line}");
    drop(server);
}

#[tokio::test]
async fn what_a_console_unlocked_ends_with_its_connection() {
    let dir = tempfile::tempdir().unwrap();
    let socket = dir.path().join("owner.sock");
    let mut bench = Bench::new();
    bench.env.read_only = true;
    bench.try_start().await.unwrap();
    bench.world.submitted(1..=3);
    let _server = Server::bind(&[ListenerSpec::own(&socket)], bench.engine.clone().unwrap()).unwrap();
    let (li, wang) = (console(&socket, "li"), console(&socket, "wang"));
    let unlock = Command::Unlock { env: EnvId::new("test"), reason: "month end".into() };
    assert!(matches!(li.submit(order(1, unlock)).await.unwrap(), Receipt::Accepted { .. }));
    let unlocked = || async {
        let Answer::Environments(rows) = wang.ask(Query::Environments).await.unwrap() else { panic!("no rows") };
        rows[0].unlocked_until.is_some()
    };
    assert!(unlocked().await);
    drop(li);
    let limit = tokio::time::Instant::now() + Duration::from_secs(10);
    while unlocked().await {
        assert!(tokio::time::Instant::now() < limit, "still unlocked after its console has gone");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    let start = order(2, Command::Start { plan: PlanId::new("p"), params: StartParams::default() });
    let Receipt::Accepted { run: Some(run), .. } = wang.submit(start).await.unwrap() else { panic!("not taken") };
    bench.awaiting(run).await;
    let refused = wang.submit(order(3, bench.approval(run))).await.unwrap();
    assert!(matches!(refused, Receipt::Refused(Refusal::Denied(_))), "{refused:?}");
}

#[tokio::test]
async fn a_hostile_client_is_closed_and_the_others_go_on() {
    let dir = tempfile::tempdir().unwrap();
    let socket = dir.path().join("owner.sock");
    let bench = Bench::started().await;
    let _server = Server::bind(&[ListenerSpec::own(&socket)], bench.engine.clone().unwrap()).unwrap();
    for bytes in [&[0x40, 0, 0, 0][..], &[0, 0, 0, 4, 0xc1, 0xc1, 0xc1, 0xc1], b"GET / HTTP/1.1\r\n\r\n"] {
        let mut stream = UnixStream::connect(&socket).await.unwrap();
        stream.write_all(bytes).await.unwrap();
        let mut answer = Vec::new();
        let read = tokio::time::timeout(Duration::from_secs(8), stream.read_to_end(&mut answer)).await;
        assert!(read.is_ok(), "{bytes:?} keeps its connection");
    }
    // Half a frame, then silence: held by nobody but itself.
    let mut half = UnixStream::connect(&socket).await.unwrap();
    half.write_all(&[0, 0, 0, 50, 1]).await.unwrap();
    assert!(matches!(console(&socket, "li").ask(Query::Environments).await.unwrap(), Answer::Environments(_)));
}

/// The real program twice: a demo at work, and a verb beside it.
#[test]
fn a_verb_attaches_to_the_process_that_holds_the_directory() {
    let dir = tempfile::tempdir().unwrap();
    let mut demo = Process::new(env!("CARGO_BIN_EXE_skydeck"))
        .args([
            "demo",
            "--headless",
            "--json",
            "--lang",
            "en",
            "--bills",
            "300",
            "--faults",
            "none",
            "--per-minute",
            "600",
        ])
        .arg("--data")
        .arg(dir.path())
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    // Its first line says that the run is open.
    let mut lines = BufReader::new(demo.stdout.take().unwrap()).lines();
    let first = lines.next().unwrap().unwrap();
    let beside = Process::new(env!("CARGO_BIN_EXE_skydeck"))
        .args(["history", "--json", "--data"])
        .arg(dir.path().join("data"))
        .stdin(Stdio::null())
        .output()
        .unwrap();
    demo.kill().unwrap();
    demo.wait().unwrap();
    let (out, err) = (String::from_utf8_lossy(&beside.stdout), String::from_utf8_lossy(&beside.stderr));
    assert!(beside.status.success(), "after {first}: {err}");
    assert!(out.contains("sal_outstock_audit"), "after {first}: {out}{err}");
}

/// A peer's raw words.
async fn raw(socket: &Path, request: &skydeck::link::frame::Request) -> skydeck::link::frame::Reply {
    let mut stream = UnixStream::connect(socket).await.unwrap();
    skydeck::link::frame::write(&mut stream, request).await.unwrap();
    skydeck::link::frame::read(&mut stream, skydeck::link::frame::REPLY_MAX).await.unwrap()
}

#[tokio::test]
async fn another_version_of_the_protocol_is_refused_with_both_versions_and_what_to_do() {
    use skydeck::link::frame::{Reply, Request, VERSION};
    let dir = tempfile::tempdir().unwrap();
    let socket = dir.path().join("owner.sock");
    let bench = Bench::started().await;
    let _server = Server::bind(&[ListenerSpec::own(&socket)], bench.engine.clone().unwrap()).unwrap();
    let hello = |version| Request::Hello { version, login: "li".into(), from: None, console: false };
    assert!(matches!(raw(&socket, &hello(VERSION)).await, Reply::Welcome { .. }));
    for version in [0, VERSION - 1, VERSION + 1, u32::MAX] {
        let Reply::Refused(why) = raw(&socket, &hello(version)).await else { panic!("{version} was let in") };
        assert!(why.contains(&format!("speaks version {VERSION}")) && why.contains(&version.to_string()), "{why}");
        assert!(why.contains("end the owner"), "what to do: {why}");
    }
    let Reply::Refused(why) = raw(&socket, &Request::Watch).await else { panic!("let in without a hello") };
    assert!(why.contains("hello"), "{why}");
}

#[tokio::test]
async fn an_owner_of_another_version_is_said_by_the_console() {
    use skydeck::link::frame::{self, Reply};
    let dir = tempfile::tempdir().unwrap();
    let socket = dir.path().join("owner.sock");
    let listener = tokio::net::UnixListener::bind(&socket).unwrap();
    let owner = tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        let why =
            "the owner (process 7) speaks version 99 of the protocol, this program 3: end the owner, then start again";
        frame::write(&mut stream, &Reply::Refused(why.into())).await.unwrap();
        let mut rest = Vec::new();
        let _ = stream.read_to_end(&mut rest).await;
    });
    let error = console(&socket, "li").is_owned().await.unwrap_err().to_string();
    assert!(error.contains("version 99"), "{error}");
    owner.abort();
}

#[tokio::test]
async fn two_consoles_hear_the_same_facts_in_the_same_order() {
    let dir = tempfile::tempdir().unwrap();
    let socket = dir.path().join("owner.sock");
    let bench = Bench::started().await;
    bench.world.submitted(1..=100);
    let _server = Server::bind(&[ListenerSpec::own(&socket)], bench.engine.clone().unwrap()).unwrap();
    let (li, wang) = (console(&socket, "li"), console(&socket, "wang"));
    let hear = |mut watch: Watch, clock: std::sync::Arc<TokioClock>| async move {
        let (mut facts, mut behind, mut closed) = (Vec::new(), Vec::new(), false);
        while !closed {
            let next = tokio::time::timeout(Duration::from_secs(60), watch.notices.recv()).await.expect("in time");
            if let Some(Notice::Facts(some)) = next {
                behind.extend(some.iter().map(|fact| clock.now().0 - fact.at.0));
                closed = some.iter().any(|fact| matches!(fact.event, skydeck::domain::event::Event::RunClosed { .. }));
                facts.extend(some.iter().map(|fact| fact.seq));
            }
        }
        (facts, behind)
    };
    let listening = [li.watch().await.unwrap(), wang.watch().await.unwrap()]
        .map(|watch| tokio::spawn(hear(watch, bench.clock.clone())));
    let start = order(1, Command::Start { plan: PlanId::new("p"), params: StartParams::default() });
    let Receipt::Accepted { run: Some(run), .. } = li.submit(start).await.unwrap() else { panic!("not taken") };
    bench.awaiting(run).await;
    assert!(matches!(li.submit(order(2, bench.approval(run))).await.unwrap(), Receipt::Accepted { .. }));
    let (mut heard, mut behind) = (Vec::new(), Vec::new());
    for console in listening {
        let (facts, late) = console.await.unwrap();
        heard.push(facts);
        behind.extend(late);
    }
    let [first, second] = heard.as_slice() else { panic!("two") };
    assert_eq!(first, second);
    assert!(first.windows(2).all(|pair| pair[0].0 + 1 == pair[1].0), "without holes");
    behind.sort_unstable();
    let at = |share: usize| behind[(behind.len() - 1) * share / 100];
    eprintln!("{} facts; behind by {} ms at p50, {} ms at p99, {} ms at most", behind.len(), at(50), at(99), at(100));
}
