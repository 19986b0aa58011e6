//! A refused sign-in is repeated by nobody but a person, and a sign-in to a copy reads and writes nothing.

use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use super::{HOME, NEW_HOME, bound, denied, start};
use crate::engine_support::*;
use async_trait::async_trait;
use skydeck::domain::command::{Command, Order, Receipt};
use skydeck::domain::env::Environment;
use skydeck::domain::ids::{CommandId, EnvId, RunId};
use skydeck::domain::reason::Reason;
use skydeck::domain::run::{PauseWhy, RunEnd, RunState};
use skydeck::domain::who::Who;
use skydeck::engine::ports::Erp;
use skydeck::erp::KingdeeErp;
use skydeck::erp::config::{ClientConfig, SignIn};
use skydeck::erp::refusals::Refusals;
use skydeck::erp::transport::{HttpReply, Post, Transport, TransportFault};

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
    async fn post(&self, Post { path, body, .. }: Post<'_>) -> Result<HttpReply, TransportFault> {
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
    config.reach.allow_plain_http = true;
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
