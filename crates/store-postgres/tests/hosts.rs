//! Several machines that write to one store at once: each place is given once, a run is in one machine's hands, and what a machine
//! leaves is taken by one other, no earlier than it stops sending.
#![allow(missing_docs, clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, clippy::print_stderr)]

mod kit;

use std::sync::Arc;
use std::time::{Duration, Instant};

use kit::Server;
use skydeck_core::domain::access::Role;
use skydeck_core::domain::bill::Slot;
use skydeck_core::domain::command::{Command, Order, Receipt};
use skydeck_core::domain::event::Event;
use skydeck_core::domain::ids::{CommandId, EnvId, PlanId, Seq};
use skydeck_core::domain::run::{DueTime, RunHead, RunKind};
use skydeck_core::domain::step::Step;
use skydeck_core::domain::time::Ts;
use skydeck_store::hosts::{CallTurn, Forwarded, Hosts, Pace, Place, Teller};
use skydeck_store::{AppendError, Batch, Reads, Store, StoreError};
use skydeck_store_postgres::check::{Finding, Grade, check};
use skydeck_store_postgres::{PgStore, Settings, Turn};
use skydeck_store_testkit::block;
use skydeck_store_testkit::facts::{TestClock, action, audited, begun, closed, head, key, run_id, settled, tried};

const LEASE: Duration = Duration::from_secs(1);

fn settings(server: &Server, database: &str, host: &str) -> Settings {
    Settings { host: host.into(), lease: LEASE, ..server.settings(database, "skydeck_host") }
}

fn join(server: &Server, database: &str, host: &str) -> PgStore {
    match PgStore::join(settings(server, database, host), TestClock::new()).unwrap() {
        Turn::Ours(store) => store,
        Turn::Theirs(fault) => panic!("{fault}"),
    }
}

fn env() -> EnvId {
    key(1).record.env
}

fn hosts(store: &PgStore) -> &dyn Hosts {
    Store::hosts(store).unwrap()
}

/// Looks until something was taken; how long that took.
fn take_over(store: &PgStore) -> (Vec<skydeck_core::domain::ids::RunId>, Duration) {
    let since = Instant::now();
    loop {
        let taken = block(hosts(store).take_over(&[env()])).unwrap();
        if !taken.is_empty() || since.elapsed() > LEASE * 10 {
            return (taken, since.elapsed());
        }
        std::thread::sleep(LEASE / 10);
    }
}

fn worst(found: &[Finding]) -> Grade {
    found.iter().map(|finding| finding.grade).max().unwrap()
}

/// A machine that gives no sign of life any more, as one that stands still.
fn silence(server: &Server, database: &str, host: &str) {
    server.sql(database, &format!("create or replace function skydeck.stay_v1(p_host int4, p_fence int8, p_lease int4) returns boolean \
        language plpgsql security definer set search_path = skydeck, pg_temp as $$ begin \
          if (select name from host where no = p_host) = '{host}' then perform pg_sleep(60); end if; \
          update host set until = clock_timestamp() + make_interval(secs => p_lease) where no = p_host and gone is null; \
          return found; end $$"));
}

#[test]
fn machines_that_write_at_once_get_every_place_once_and_lose_nothing() {
    let Some(server) = Server::get() else { return };
    let database = server.database();
    let (writers, each) = (4_u64, 60_u64);
    let stores: Vec<Arc<PgStore>> =
        (0..writers).map(|n| Arc::new(join(&server, &database, &format!("bastion{n}")))).collect();
    let work = |(n, store): (u64, Arc<PgStore>)| {
        std::thread::spawn(move || {
            let run = n + 1;
            let fids: Vec<u64> = (1..=each).map(|fid| run * 1000 + fid).collect();
            block(store.append(begun(run, &format!("p{run}"), &fids).into())).unwrap();
            for fid in fids {
                let batch =
                    Batch::new(vec![tried(run, fid, Step::Audit, 1), settled(run, fid, Slot::Waiting, audited())]);
                while let Err(error) = block(store.append(batch.clone())) {
                    assert!(matches!(error, AppendError::Away(_)), "{error:?}");
                }
            }
        })
    };
    let threads: Vec<_> = (0..).zip(stores.iter().cloned()).map(work).collect();
    for thread in threads {
        thread.join().unwrap();
    }
    let facts = block(stores[0].facts_after(Seq(0), usize::MAX)).unwrap();
    assert_eq!(facts.len() as u64, writers * (4 + 2 * each));
    for store in &stores {
        let rows = block(store.snapshot(10)).unwrap().runs;
        assert_eq!(rows.len() as u64, writers);
        assert!(rows.iter().all(|row| row.tally.closes() && row.tally.audited == each), "{rows:?}");
    }
    let found = check(&server.settings(&database, "skydeck_host"), None);
    assert!(worst(&found) <= Grade::Look, "{found:?}");
}

#[test]
fn two_that_decide_on_one_record_at_once_do_not_both_begin_a_call() {
    let Some(server) = Server::get() else { return };
    let database = server.database();
    let (one, two) = (join(&server, &database, "bastion1"), join(&server, &database, "bastion2"));
    block(one.append(begun(1, "p", &[1]).into())).unwrap();
    let opened = block(two.append(begun(2, "q", &[1]).into())).unwrap();
    let known = opened.facts.iter().map(|fact| fact.seq).nth(1).unwrap();
    let of = |run| Batch::new(vec![tried(run, 1, Step::Audit, 1)]).if_unmoved(vec![(key(1).record, known)]);
    block(one.append(of(1))).unwrap();
    let second = block(two.append(of(2)));
    assert!(matches!(second, Err(AppendError::Moved(_))), "{second:?}");
}

#[test]
fn a_plan_has_one_open_run_whichever_machine_opened_it() {
    let Some(server) = Server::get() else { return };
    let database = server.database();
    let (one, two) = (join(&server, &database, "bastion1"), join(&server, &database, "bastion2"));
    block(one.append(begun(1, "p", &[1]).into())).unwrap();
    let second = block(two.append(begun(2, "p", &[2]).into()));
    assert_eq!(second.unwrap_err(), AppendError::Fenced(vec![run_id(1)]));
    block(one.append(vec![settled(1, 1, Slot::Waiting, audited()), closed(1)].into())).unwrap();
    block(two.append(begun(2, "p", &[2]).into())).unwrap();
}

#[test]
fn what_is_due_is_started_by_one_machine_however_soon_its_run_is_over() {
    let Some(server) = Server::get() else { return };
    let database = server.database();
    let (one, two) = (join(&server, &database, "bastion1"), join(&server, &database, "bastion2"));
    let due = |at: i64, remedy: bool| DueTime { at: Ts(at), remedy };
    let of =
        |n: u64, due: DueTime| Event::RunOpened(Box::new(RunHead { due: Some(due), ..head(n, "p", RunKind::Fresh) }));
    let is_started = |store: &PgStore, due| block(hosts(store).is_started(&PlanId::new("p"), due)).unwrap();
    assert!(!is_started(&two, due(1, false)));
    block(one.append(vec![of(1, due(1, false)), closed(1)].into())).unwrap();
    assert!(is_started(&two, due(1, false)) && !is_started(&two, due(2, false)) && !is_started(&two, due(1, true)));
    let again = block(two.append(vec![of(2, due(1, false))].into()));
    assert_eq!(again.unwrap_err(), AppendError::Fenced(vec![run_id(1)]), "also where nobody asked before");
    for (n, next) in [(3, due(2, false)), (4, due(1, true))] {
        block(two.append(vec![of(n, next), closed(n)].into())).unwrap();
    }
}

#[test]
fn a_run_is_gone_on_with_by_the_machine_that_has_it_and_by_no_other() {
    let Some(server) = Server::get() else { return };
    let database = server.database();
    let (one, two) = (join(&server, &database, "bastion1"), join(&server, &database, "bastion2"));
    block(one.append(begun(1, "p", &[1, 2]).into())).unwrap();
    let of_one = || vec![tried(1, 1, Step::Audit, 1)];
    let refused = block(two.append(of_one().into()));
    assert_eq!(refused.unwrap_err(), AppendError::Fenced(vec![run_id(1)]));
    assert_eq!(block(two.last_seq()).unwrap(), Seq(4), "nothing of it was stored");
    // What is not about the run's bills may be said by anybody.
    block(two.append(vec![action("looked")].into())).unwrap();
    assert_eq!(block(hosts(&two).elsewhere()).unwrap(), [(run_id(1), "bastion1".to_owned())]);
    assert_eq!(block(hosts(&one).elsewhere()).unwrap(), []);
    assert_eq!(block(hosts(&two).take_over(&[env()])).unwrap(), [], "its machine is heard of");
    let list = block(two.machines()).unwrap();
    let found = check(&server.settings(&database, "skydeck_host"), None);
    let said = |words: &str| found.iter().any(|finding| finding.en.contains(words) || finding.zh.contains(words));
    assert!(said("written by bastion1, bastion2") && said("由 bastion1、bastion2 共同写入"), "{found:?}");
    let names: Vec<_> = list.iter().map(|host| (host.name.as_str(), host.runs)).collect();
    assert_eq!(names, [("bastion1", 1), ("bastion2", 0)]);
    block(one.append(of_one().into())).unwrap();
    // It leaves in order: nobody waits.
    one.close();
    let elsewhere = block(hosts(&two).take_over(&[EnvId::new("another")])).unwrap();
    assert_eq!(elsewhere, [], "a machine that has not its environment");
    assert_eq!(block(hosts(&two).take_over(&[env()])).unwrap(), [run_id(1)]);
    block(two.append(vec![settled(1, 1, Slot::Waiting, audited())].into())).unwrap();
    let after = block(one.append(vec![tried(1, 2, Step::Audit, 1)].into()));
    assert!(matches!(after, Err(AppendError::Write(_))), "{after:?}");
}

#[test]
fn what_a_silent_machine_has_is_taken_by_one_other_and_not_before_it_stops_sending() {
    let Some(server) = Server::own() else { return };
    let database = server.database();
    let (one, two, three) = (
        join(&server, &database, "bastion1"),
        join(&server, &database, "bastion2"),
        join(&server, &database, "bastion3"),
    );
    block(one.append(begun(1, "p", &[1, 2]).into())).unwrap();
    assert!(hosts(&one).may_send_for() > Duration::ZERO);
    silence(&server, &database, "bastion1");
    let since = Instant::now();
    let mut sent_last = Duration::ZERO;
    let (mut taken, mut by) = (Vec::new(), Vec::new());
    while taken.is_empty() && since.elapsed() < LEASE * 10 {
        if hosts(&one).may_send_for() > Duration::ZERO {
            sent_last = since.elapsed();
        }
        for (name, store) in [("bastion2", &two), ("bastion3", &three)] {
            let runs = block(hosts(store).take_over(&[env()])).unwrap();
            if !runs.is_empty() {
                by.push(name);
            }
            taken.extend(runs);
        }
        std::thread::sleep(LEASE / 20);
    }
    assert_eq!((taken, by.len()), (vec![run_id(1)], 1), "{by:?}");
    let after = since.elapsed();
    assert!(
        sent_last < after && hosts(&one).may_send_for().is_zero(),
        "sent until {sent_last:?}, taken after {after:?}"
    );
    assert!(after >= LEASE, "taken after {after:?}");
    let (mine, other) = if by[0] == "bastion2" { (&two, &three) } else { (&three, &two) };
    // The one it was taken from stores nothing of it, however late; nor does the one that came too late.
    for store in [&one, other] {
        let refused = block(store.append(vec![tried(1, 1, Step::Audit, 1)].into()));
        assert_eq!(refused.unwrap_err(), AppendError::Fenced(vec![run_id(1)]));
    }
    block(mine.append(vec![Event::RunInterrupted { run: run_id(1) }].into())).unwrap();
}

#[test]
fn after_an_outage_of_the_database_the_machines_come_back_and_nobody_takes_their_runs() {
    let Some(server) = Server::own() else { return };
    let database = server.database();
    let (one, two) = (join(&server, &database, "bastion1"), join(&server, &database, "bastion2"));
    block(one.append(begun(1, "p", &[1, 2]).into())).unwrap();
    server.kill();
    std::thread::sleep(LEASE * 3);
    assert!(hosts(&one).may_send_for().is_zero(), "whoever is not heard of does not send");
    server.up();
    let since = Instant::now();
    while since.elapsed() < LEASE * 4 {
        // The database may still be on its way up.
        assert_eq!(block(hosts(&two).take_over(&[env()])).unwrap_or_default(), []);
        std::thread::sleep(LEASE / 10);
    }
    assert!(hosts(&one).may_send_for() > Duration::ZERO);
    block(one.append(vec![tried(1, 1, Step::Audit, 1)].into())).unwrap();
}

#[test]
fn one_that_writes_alone_and_those_that_write_together_keep_each_other_out() {
    let Some(server) = Server::get() else { return };
    let database = server.database();
    let alone = || PgStore::open(settings(&server, &database, "alone"), TestClock::new());
    let together = join(&server, &database, "bastion1");
    let error = alone().err().unwrap();
    assert!(matches!(&error, StoreError::Taken { host, .. } if host == "bastion1"), "{error}");
    drop(together);
    let single = alone().unwrap();
    block(single.append(begun(1, "p", &[1]).into())).unwrap();
    let theirs = PgStore::join(settings(&server, &database, "bastion2"), TestClock::new()).unwrap();
    assert!(matches!(theirs, Turn::Theirs(_)));
    drop(single);
    // What the one had alone is nobody's, and is taken at once.
    let again = join(&server, &database, "bastion2");
    assert_eq!(take_over(&again).0, [run_id(1)]);
    block(again.append(vec![tried(1, 1, Step::Audit, 1)].into())).unwrap();
}

#[test]
fn a_machine_that_was_shown_out_stores_nothing_more() {
    let Some(server) = Server::get() else { return };
    let database = server.database();
    let (one, two) = (join(&server, &database, "bastion1"), join(&server, &database, "bastion2"));
    block(one.append(begun(1, "p", &[1, 2]).into())).unwrap();
    let no = block(one.machines()).unwrap().iter().find(|host| host.name == "bastion1").unwrap().no;
    server.sql(&database, &format!("select skydeck.evict_v1({no})"));
    let refused = block(one.append(vec![action("x")].into()));
    assert!(matches!(refused, Err(AppendError::Write(_))), "{refused:?}");
    assert_eq!(take_over(&two).0, [run_id(1)]);
}

fn order(run: u64) -> Order {
    let (id, by) = (CommandId(ulid::Ulid::generate()), skydeck_store_testkit::facts::who());
    Order { id, by, session: None, headless: false, command: Command::Cancel { run: run_id(run) } }
}

#[test]
fn an_order_is_taken_by_the_machine_that_has_the_run_once_or_it_is_taken_back() {
    let Some(server) = Server::get() else { return };
    let database = server.database();
    let (one, two) = (Arc::new(join(&server, &database, "bastion1")), join(&server, &database, "bastion2"));
    block(one.append(begun(1, "p", &[1]).into())).unwrap();
    let _far = hosts(&one).follow();
    // Nobody has this one.
    assert_eq!(block(hosts(&two).forward(run_id(9), &order(9), Role::Operator)).unwrap(), Forwarded::Nobody);
    // It is taken by the one that has it, which is told where it comes from, whatever stands in it.
    let holder = {
        let one = Arc::clone(&one);
        std::thread::spawn(move || {
            let taken = block(hosts(&one).orders()).unwrap();
            let receipt = Receipt::Accepted { run: Some(run_id(1)), more: Vec::new(), bills: 7 };
            block(hosts(&one).answer(taken[0].id, &receipt)).unwrap();
            taken
        })
    };
    let mut given = order(1);
    given.by.host = Some("elsewhere".into());
    let said = block(hosts(&two).forward(run_id(1), &given, Role::Operator)).unwrap();
    let taken = holder.join().unwrap();
    assert_eq!((taken.len(), taken[0].id), (1, given.id));
    assert_eq!(taken[0].order.as_ref().unwrap().0.by.host.as_deref(), Some("bastion2"));
    assert_eq!(taken[0].order.as_ref().unwrap().1, Role::Operator);
    let Forwarded::Answered { host, receipt: Receipt::Accepted { bills: 7, .. } } = &said else { panic!("{said:?}") };
    assert_eq!(host, "bastion1");
    // The same one again is the same one.
    assert_eq!(block(hosts(&two).forward(run_id(1), &given, Role::Operator)).unwrap(), said);
    // One that nobody takes is taken back, and never taken afterwards.
    let late = order(1);
    assert_eq!(
        block(hosts(&two).forward(run_id(1), &late, Role::Operator)).unwrap(),
        Forwarded::NotTaken { host: "bastion1".into() }
    );
    let waits = "select count(*) from skydeck.take_orders_v1((select no from skydeck.host where name = 'bastion1'))";
    assert_eq!(server.asks(&database, "admin", waits).unwrap(), ["0"]);
    // One that is on its way while it is taken back is not given any more.
    let id = order(1).id;
    server.sql(
        &database,
        &format!(
            "select skydeck.withdraw_order_v1(2, '{id}'); select skydeck.forward_v1(2, '{id}', '{}', '')",
            run_id(1)
        ),
    );
    assert_eq!(server.asks(&database, "admin", waits).unwrap(), ["0"]);
    // The machines' role names no persons.
    let names = "select skydeck.add_person_v1('wang', array['bastion1'], array[1::int8])";
    assert_eq!(server.asks(&database, "skydeck_host", names), Err("42501".to_owned()));
}

/// The next turn to call.
fn turn(store: &PgStore, pace: Pace) -> CallTurn {
    block(hosts(store).call_turn(&env(), pace)).unwrap()
}

fn now(turn: CallTurn) -> Box<dyn Place> {
    match turn {
        CallTurn::Now(place) => place,
        CallTurn::Wait(span) => panic!("{span:?}"),
        CallTurn::Held(why) => panic!("{why}"),
    }
}

fn wait(turn: &CallTurn) -> Duration {
    match turn {
        CallTurn::Wait(span) => *span,
        CallTurn::Now(_) => Duration::ZERO,
        CallTurn::Held(why) => panic!("{why}"),
    }
}

/// Asks until there is a turn.
fn soon(store: &PgStore, pace: Pace) -> Box<dyn Place> {
    let since = Instant::now();
    loop {
        match turn(store, pace) {
            CallTurn::Now(place) => return place,
            CallTurn::Wait(span) => std::thread::sleep(span.min(Duration::from_millis(20))),
            CallTurn::Held(why) => panic!("{why}"),
        }
        assert!(since.elapsed() < Duration::from_secs(20), "there is never a turn");
    }
}

#[test]
fn the_calls_of_all_machines_are_as_many_as_one_may_make() {
    let Some(server) = Server::get() else { return };
    let database = server.database();
    let (one, two) = (join(&server, &database, "bastion1"), join(&server, &database, "bastion2"));
    let fast = Pace { per_minute: 6e6, burst: 1e5, concurrency: 2, settle: Duration::from_secs(60) };
    // Two in flight, whoever makes them; one that is over makes room on the other machine.
    let (first, second) = (now(turn(&one, fast)), now(turn(&two, fast)));
    assert!(!wait(&turn(&one, fast)).is_zero() && !wait(&turn(&two, fast)).is_zero());
    drop(first);
    let third = soon(&two, fast);
    assert!(!wait(&turn(&one, fast)).is_zero());
    third.unused();
    // One that makes fewer at once holds the other one to that, for a while.
    let single = Pace { concurrency: 1, ..fast };
    assert!(!wait(&turn(&one, single)).is_zero() && !wait(&turn(&two, fast)).is_zero());
    // A place of which nothing more is heard is free after the server's limit, and no earlier.
    drop(second);
    let brief = Pace { settle: Duration::from_millis(600), ..single };
    let since = Instant::now();
    std::mem::forget(soon(&one, brief));
    let _place = soon(&two, brief);
    assert!(since.elapsed() >= brief.settle, "{:?}", since.elapsed());
}

#[test]
fn the_pace_of_all_machines_is_that_of_one_and_what_one_is_told_counts_for_all() {
    let Some(server) = Server::get() else { return };
    let database = server.database();
    let (one, two) = (join(&server, &database, "bastion1"), join(&server, &database, "bastion2"));
    let pace = Pace { per_minute: 600.0, burst: 5.0, concurrency: 100, settle: Duration::from_secs(60) };
    let since = Instant::now();
    let mut places = Vec::new();
    while since.elapsed() < Duration::from_secs(2) {
        for store in [&one, &two] {
            if let CallTurn::Now(place) = turn(store, pace) {
                places.push(place);
            }
        }
    }
    let most = 5 + (since.elapsed().as_secs_f64() * 10.0).ceil() as usize;
    assert!(places.len() <= most && places.len() >= 5, "{} of {most}", places.len());
    // One that is slower slows the other down.
    places.clear();
    let slow = Pace { per_minute: 6.0, burst: 1.0, ..pace };
    server.sql(&database, "update skydeck.env_turns set tokens = 0, at = clock_timestamp()");
    assert!(!wait(&turn(&two, slow)).is_zero());
    assert!(wait(&turn(&one, pace)) > Duration::from_secs(1));
    // What was not made counts for nothing.
    server.sql(
        &database,
        "update skydeck.env_turns set tokens = 1, per_minute = 6, paced = clock_timestamp(), at = clock_timestamp()",
    );
    now(turn(&one, slow)).unused();
    let _place = soon(&two, slow);
    // A pause that the server asked for, and a breaker, are everybody's.
    server.sql(&database, "update skydeck.env_turns set tokens = 5");
    hosts(&one).pause_calls(&env(), Duration::from_secs(30));
    let is_paused = || wait(&turn(&two, pace)) > Duration::from_secs(20);
    let since = Instant::now();
    while !is_paused() {
        assert!(since.elapsed() < Duration::from_secs(10));
    }
    hosts(&two).hold_calls(&env(), "why".into());
    let held = || matches!(turn(&one, pace), CallTurn::Held(why) if why == "why");
    let since = Instant::now();
    while !held() {
        assert!(since.elapsed() < Duration::from_secs(10));
    }
    // The first reason stays until a person lets calls be made.
    hosts(&one).hold_calls(&env(), "another".into());
    std::thread::sleep(Duration::from_millis(200));
    assert_eq!(block(hosts(&two).held_calls(&env())).unwrap().as_deref(), Some("why"));
    block(hosts(&two).let_calls(&env())).unwrap();
    assert!(is_paused() && block(hosts(&one).held_calls(&env())).unwrap().is_none());
}

#[test]
fn two_machines_of_one_name_and_a_clock_that_is_off_are_said() {
    let Some(server) = Server::get() else { return };
    let database = server.database();
    let look = |words: &str| {
        let found = check(&server.settings(&database, "skydeck_host"), None);
        assert!(worst(&found) <= Grade::Look, "{found:?}");
        found.iter().any(|finding| finding.grade == Grade::Look && finding.en.contains(words))
    };
    let _one = join(&server, &database, "bastion1");
    assert!(!look("two machines are called") && !look("clock is"));
    let _two = join(&server, &database, "bastion1");
    assert!(look("two machines are called bastion1"));
    // A database whose clock is ten minutes ahead: its function is found before the system's.
    let ahead = "create schema ahead; grant usage on schema ahead to skydeck_host; \
                 create function ahead.clock_timestamp() returns timestamptz language sql as \
                 'select pg_catalog.clock_timestamp() + interval ''10 minutes'''; \
                 alter role skydeck_host in database DATABASE set search_path = ahead, pg_catalog";
    server.sql(&database, &ahead.replace("DATABASE", &database));
    assert!(look("s behind the database's"));
}

#[test]
fn what_all_machines_would_tell_is_told_by_one() {
    let Some(server) = Server::get() else { return };
    let database = server.database();
    let (one, two) = (join(&server, &database, "bastion1"), join(&server, &database, "bastion2"));
    let fresh = Duration::from_secs(60);
    let keys = |all: &[&str]| all.iter().map(|key| (*key).to_owned()).collect::<Vec<_>>();
    let whose = |store: &PgStore, all: &[&str]| block(hosts(store).claim_alerts(&keys(all), fresh)).unwrap();
    assert_eq!(whose(&one, &["a", "b"]), [Teller::This, Teller::This]);
    assert_eq!(whose(&two, &["b", "c"]), [Teller::Another, Teller::This]);
    block(hosts(&one).sent_alerts(&keys(&["a"]))).unwrap();
    // Nobody says of another's that it was told.
    block(hosts(&two).sent_alerts(&keys(&["b"]))).unwrap();
    assert_eq!(whose(&two, &["a", "b"]), [Teller::Told, Teller::Another]);
    // The first machine died over it; and what was told long ago is told again.
    server.sql(
        &database,
        "update skydeck.alert set at = at - interval '61 seconds', sent = sent - interval '61 seconds'",
    );
    assert_eq!(whose(&two, &["b", "a"]), [Teller::This, Teller::This]);
    assert_eq!(whose(&one, &["b"]), [Teller::Another]);
}
