//! Several machines that write to one store in a database, as processes: what one of them leaves when it is killed, another one
//! takes over; two that order the same at once get one run; each bill is called once, as the simulator's own record says.

#![cfg(feature = "postgres")]
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::print_stderr,
    missing_docs
)]

#[path = "../crates/store-postgres/tests/kit/mod.rs"]
mod kit;
#[path = "support/place.rs"]
mod place;
#[path = "support/pty.rs"]
mod pty;

use std::path::PathBuf;
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

use kit::Server;
use place::{PROGRAM, Place, until};
use rustix::process::{Pid, Signal, kill_process};

const PLAN: &str = "sal_outstock_audit";
const LEASE: Duration = Duration::from_secs(1);

/// A machine: a configuration that differs by its name alone, a data directory and an engine of its own.
struct Host<'a> {
    place: &'a Place,
    name: &'static str,
    engine: Option<Child>,
}

/// An ERP with some bills, and a store in a database.
fn place(server: &Server, bills: usize) -> Place {
    place_with(server, bills, "").0
}

/// The same with words about the environment; and how an administrator gets into the store.
fn place_with(server: &Server, bills: usize, environment: &str) -> (Place, String) {
    let database = server.database();
    let url = |role: &str| format!("host={} user={role} dbname={database}", server.dir().display());
    let (host, lease) = (url("skydeck_host"), LEASE.as_secs());
    let store = format!("[store]\nurl = \"{host}\"\nwriters = \"several\"\nlease = \"{lease}s\"\nhost = \"NAME\"\n");
    (Place::with(bills, environment, &store), url("admin"))
}

impl<'a> Host<'a> {
    fn new(place: &'a Place, name: &'static str) -> Self {
        let config = std::fs::read_to_string(place.dir.path().join("config.toml")).unwrap();
        let host = Self { place, name, engine: None };
        std::fs::write(host.config(), config.replace("NAME", name)).unwrap();
        host
    }

    /// The same, with its engine at work.
    fn serves(place: &'a Place, name: &'static str) -> Self {
        let mut host = Self::new(place, name);
        host.start();
        host
    }

    fn start(&mut self) {
        let mut serve = self.command(&["serve"]);
        let engine = serve.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        let held = format!("pid {}", engine.id());
        self.engine = Some(engine);
        let (lock, socket) = (self.data().join("owner.lock"), self.data().join("owner.sock"));
        until("the engine holds the directory, and answers", || {
            std::fs::read_to_string(&lock).is_ok_and(|text| text.contains(&held)) && socket.exists()
        });
    }

    fn data(&self) -> PathBuf {
        self.place.dir.path().join(self.name)
    }

    fn config(&self) -> PathBuf {
        self.place.dir.path().join(format!("{}.toml", self.name))
    }

    fn command(&self, verb: &[&str]) -> Command {
        let mut command = Command::new(PROGRAM);
        command.args(verb).arg("--config").arg(self.config()).arg("--data").arg(self.data());
        command.args(["--lang", "en"]).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        command
    }

    fn verb(&self, verb: &[&str]) -> Output {
        self.command(verb).output().unwrap()
    }

    fn signal(&self, signal: Signal) {
        let pid = i32::try_from(self.engine.as_ref().unwrap().id()).unwrap();
        kill_process(Pid::from_raw(pid).unwrap(), signal).unwrap();
    }

    fn kill(&mut self) {
        let mut engine = self.engine.take().unwrap();
        engine.kill().unwrap();
        engine.wait().unwrap();
    }

    /// The newest run; null where there is none.
    fn run(&self) -> serde_json::Value {
        let out = self.verb(&["history", "--json"]);
        assert!(out.status.success(), "{}", said(&out));
        let text = String::from_utf8(out.stdout).unwrap();
        text.lines().next().map_or(serde_json::Value::Null, |line| serde_json::from_str(line).unwrap())
    }
}

impl Drop for Host<'_> {
    fn drop(&mut self) {
        if let Some(engine) = &mut self.engine {
            // One that stands still ends, too.
            let _ = engine.kill();
            let _ = engine.wait();
        }
    }
}

fn said(out: &Output) -> String {
    format!("{}{}", String::from_utf8_lossy(&out.stdout), String::from_utf8_lossy(&out.stderr))
}

#[test]
fn what_a_killed_machine_was_at_is_taken_over_settled_and_gone_on_with_by_another() {
    let Some(server) = Server::own() else { return };
    let place = place(&server, 400);
    let (mut one, two) = (Host::serves(&place, "bastion1"), Host::serves(&place, "bastion2"));
    let mut run = one.command(&["run", PLAN, "--yes"]).spawn().unwrap();
    until("some bills are audited", || place.audits().len() >= 5);
    let id = two.run()["run"].as_str().unwrap().to_owned();
    one.kill();
    let since = Instant::now();
    let _ = run.wait();
    until("it was taken over", || two.run()["state"] != "working");
    let after = since.elapsed();
    eprintln!("taken over after {after:?}");
    assert!(after >= LEASE, "no earlier than it may have stopped sending: {after:?}");
    until("what was in flight is settled", || two.run()["unknown"] == 0);
    let resumed = two.verb(&["resume", &id, "--json"]);
    place::ended_as_it_says(&resumed);
    let audits = place.audits();
    assert!(audits.values().all(|n| *n == 1), "audited twice: {audits:?}");
    let last = two.run();
    assert_eq!((&last["audited"], &last["sum_closes"]), (&audits.len().into(), &true.into()), "{last}");
    // It comes back as another one, and goes on with nothing.
    one.start();
    assert_eq!(one.run(), last);
    let hosts = two.verb(&["store", "hosts"]);
    assert!(said(&hosts).contains("bastion1") && said(&hosts).contains("bastion2"), "{}", said(&hosts));
}

/// How often a machine is killed: `SKYDECK_KILLS=100` for more.
fn kills() -> u64 {
    std::env::var("SKYDECK_KILLS").ok().and_then(|text| text.parse().ok()).unwrap_or(2)
}

#[test]
fn machines_that_are_killed_in_turn_at_any_moment_lose_nothing_and_audit_nothing_twice() {
    let Some(server) = Server::own() else { return };
    let place = place(&server, 30 * usize::try_from(kills()).unwrap() + 60);
    let (one, two) = (Host::serves(&place, "bastion1"), Host::serves(&place, "bastion2"));
    let (mut works, mut waits) = (one, two);
    let mut rng = fastrand::Rng::with_seed(kills());
    let mut gaps = Vec::new();
    for round in 0..kills() {
        let before = place.calls().len();
        let mut run = works.command(&["run", PLAN, "--sweep", "--yes"]).spawn().unwrap();
        // Somewhere from the order on, or in the middle of its calls.
        if rng.u32(0..3) == 0 {
            std::thread::sleep(Duration::from_millis(rng.u64(0..2500)));
        } else {
            let some = before + rng.usize(1..20);
            while place.calls().len() < some && run.try_wait().unwrap().is_none() {
                std::thread::sleep(Duration::from_millis(10));
            }
        }
        works.kill();
        let since = Instant::now();
        let _ = run.wait();
        let open = |host: &Host<'_>| host.run()["closed_ms"].is_null() && host.run()["run"].is_string();
        if open(&waits) && waits.run()["state"] != "awaiting_approval" {
            until("it was taken over", || {
                !["working", "settling", "collecting"].contains(&waits.run()["state"].as_str().unwrap())
            });
            gaps.push(since.elapsed());
            until("what was in flight is settled", || waits.run()["unknown"] == 0);
        }
        let id = waits.run()["run"].as_str().map(str::to_owned);
        if let Some(id) = id.filter(|_| open(&waits)) {
            // What nobody approved is cancelled; what was approved goes on at the end, so that there is something to do until then.
            let goes_on = waits.run()["state"] != "awaiting_approval" && round + 1 == kills();
            let verb = if goes_on { "resume" } else { "cancel" };
            let since = Instant::now();
            loop {
                let out = waits.verb(&[verb, &id]);
                // It may have come to its end meanwhile.
                if out.status.code().is_some_and(|code| code <= 1) || !open(&waits) {
                    break;
                }
                assert!(since.elapsed() < LEASE * 30, "round {round}: {verb} {id}: {}\n{}", said(&out), waits.run());
            }
        }
        let audits = place.audits();
        assert!(audits.values().all(|n| *n == 1), "round {round}: audited twice: {audits:?}");
        eprintln!("round {round}: {} bills called before, {} after", before, place.calls().len());
        works.start();
        std::mem::swap(&mut works, &mut waits);
    }
    place::ended_as_it_says(&works.verb(&["run", PLAN, "--sweep", "--yes", "--json"]));
    // Whoever is asked tells the same, and each success is told once.
    let told: u64 = said(&works.verb(&["history", "--json", "--limit", "1000"]))
        .lines()
        .filter_map(|line| serde_json::from_str::<serde_json::Value>(line).ok())
        .map(|run| run["audited"].as_u64().unwrap_or_default())
        .sum();
    assert_eq!(told, place.audits().len() as u64, "as many are told as were audited");
    gaps.sort();
    eprintln!("{} kills, {} runs taken over, gaps {gaps:?}", kills(), gaps.len());
}

#[test]
fn a_machine_that_stood_still_and_wakes_sends_nothing_more_of_what_was_taken() {
    let Some(server) = Server::own() else { return };
    let place = place(&server, 300);
    let (one, two) = (Host::serves(&place, "bastion1"), Host::serves(&place, "bastion2"));
    let mut run = one.command(&["run", PLAN, "--yes"]).spawn().unwrap();
    until("some bills are audited", || place.audits().len() >= 5);
    let id = two.run()["run"].as_str().unwrap().to_owned();
    one.signal(Signal::STOP);
    until("it was taken over", || two.run()["state"] != "working");
    until("what was in flight is settled", || two.run()["unknown"] == 0);
    let resumed = two.command(&["resume", &id, "--json"]).spawn().unwrap();
    until("the other one is at it", || place.audits().len() >= 20);
    // It wakes in the middle of that: what it was about to say, and to call, is over.
    one.signal(Signal::CONT);
    place::ended_as_it_says(&resumed.wait_with_output().unwrap());
    let _ = run.wait();
    let audits = place.audits();
    assert!(audits.values().all(|n| *n == 1), "audited twice: {audits:?}");
    let calls = place.calls();
    assert!(calls.values().all(|n| *n <= 2), "called again: {calls:?}");
    let last = two.run();
    assert_eq!((&last["audited"], &last["sum_closes"]), (&audits.len().into(), &true.into()), "{last}");
    // Awake, it counts again, and works on what is ordered there.
    place::ended_as_it_says(&one.verb(&["run", PLAN, "--sweep", "--yes", "--json"]));
    assert!(place.audits().values().all(|n| *n == 1));
}

#[test]
fn two_machines_that_order_the_same_at_once_get_one_run() {
    let Some(server) = Server::own() else { return };
    let place = place(&server, 12);
    let (one, two) = (Host::serves(&place, "bastion1"), Host::serves(&place, "bastion2"));
    for round in 0..10 {
        let runs: Vec<Child> =
            [&one, &two].map(|host| host.command(&["run", PLAN, "--sweep", "--yes", "--json"]).spawn().unwrap()).into();
        let out: Vec<Output> = runs.into_iter().map(|run| run.wait_with_output().unwrap()).collect();
        let whole = out.iter().filter(|out| said(out).contains("\"sum_closes\"")).count();
        assert!(whole >= 1, "round {round}: {}\n{}", said(&out[0]), said(&out[1]));
        let audits = place.audits();
        assert!(audits.values().all(|n| *n == 1), "round {round}: audited twice: {audits:?}");
    }
    // What both say of the past is the same.
    assert_eq!(said(&one.verb(&["history", "--json"])), said(&two.verb(&["history", "--json"])));
}

/// A machine's action log is the one that the journal tells of.
fn verifies(host: &Host<'_>) {
    let log = host.verb(&["log", "verify"]);
    assert!(log.status.success(), "{}: {}", host.name, said(&log));
}

/// Our user on a machine is this person.
fn is_person(by: &Host<'_>, name: &str, host: &str, admin: &str) {
    let login = format!("{host}:{}", rustix::process::getuid().as_raw());
    let out = by.verb(&["store", "person", name, "--login", &login, "--admin-url", admin]);
    assert!(out.status.success() && said(&out).contains(name), "{}", said(&out));
}

#[test]
fn an_order_about_a_run_is_carried_out_by_the_machine_that_has_it() {
    let Some(server) = Server::own() else { return };
    let (place, admin) = place_with(&server, 200, "second_person = true");
    let (mut one, two) = (Host::serves(&place, "bastion1"), Host::serves(&place, "bastion2"));
    is_person(&one, "wang", "bastion1", &admin);
    is_person(&one, "li", "bastion2", &admin);
    let first = one.verb(&["run", PLAN, "--yes"]);
    assert_eq!(first.status.code(), Some(4), "{}", said(&first));
    let id = two.run()["run"].as_str().unwrap().to_owned();
    // Approved from the other machine, it is the first one that works.
    let mut approved = two.command(&["approve", &id, "--yes"]).spawn().unwrap();
    until("some bills are audited", || place.audits().len() >= 5);
    let hosts = said(&two.verb(&["store", "hosts", "--json"]));
    let has: Vec<serde_json::Value> = hosts.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(
        (&has[0]["name"], &has[0]["runs"], &has[1]["runs"]),
        (&"bastion1".into(), &1.into(), &0.into()),
        "{hosts}"
    );
    let stopped = two.verb(&["cancel", &id]);
    assert!(stopped.status.success() || stopped.status.code() == Some(6), "{}", said(&stopped));
    until("it is over", || !two.run()["closed_ms"].is_null());
    let _ = approved.wait();
    let last = one.run();
    assert_eq!((&last["state"], &last["sum_closes"]), (&"cancelled".into(), &true.into()), "{last}");
    assert_eq!(last["audited"], place.audits().len(), "{last}");
    // Both say who ordered it and where, and each log agrees with the journal.
    let log = said(&one.verb(&["log"]));
    assert!(log.contains("on bastion2") && log.contains("handed to bastion1"), "{log}");
    verifies(&one);
    verifies(&two);
    // Over is over, wherever it is said.
    let again = two.verb(&["cancel", &id]);
    assert_eq!(again.status.code(), Some(4), "{}", said(&again));
    // One that stands still takes nothing: what was ordered is taken back.
    let before = place.audits().len();
    let mut run = one.command(&["run", PLAN, "--sweep", "--yes"]).spawn().unwrap();
    until("the next one works", || place.audits().len() > before + 3);
    let id = two.run()["run"].as_str().unwrap().to_owned();
    one.signal(Signal::STOP);
    let refused = two.verb(&["cancel", &id]);
    let words = said(&refused);
    assert_eq!(refused.status.code(), Some(4), "{words}");
    assert!(words.contains("nothing is done") || words.contains("another machine's hands"), "{words}");
    one.kill();
    let _ = run.wait();
    until("somebody has it", || [Some(0), Some(6)].contains(&two.verb(&["cancel", &id]).status.code()));
    assert!(!two.run()["closed_ms"].is_null(), "{}", two.run());
}

#[test]
fn two_approvers_on_two_machines_are_persons_and_not_numbers() {
    let Some(server) = Server::own() else { return };
    let (place, admin) = place_with(&server, 30, "second_person = true");
    let (one, two) = (Host::serves(&place, "bastion1"), Host::serves(&place, "bastion2"));
    let first = one.verb(&["run", PLAN, "--yes"]);
    assert_eq!(first.status.code(), Some(4), "{}", said(&first));
    let id = two.run()["run"].as_str().unwrap().to_owned();
    let unknown = two.verb(&["approve", &id, "--yes"]);
    assert!(said(&unknown).contains("skydeck store person") && place.calls().is_empty(), "{}", said(&unknown));
    let named = |name: &str, host: &str| is_person(&one, name, host, &admin);
    // One person, two users: he says it twice, and that is once.
    named("wang", "bastion1");
    named("wang", "bastion2");
    for host in [&one, &two] {
        let again = host.verb(&["approve", &id, "--yes"]);
        assert_eq!((again.status.code(), place.calls().len()), (Some(4), 0), "{}", said(&again));
    }
    // Two persons, one number.
    named("li", "bastion2");
    let second = two.verb(&["approve", &id, "--yes", "--json"]);
    place::ended_as_it_says(&second);
    assert!(place.audits().values().all(|n| *n == 1) && !place.audits().is_empty());
}

#[test]
fn what_keeps_one_machine_from_calling_keeps_the_others_too_until_a_person_says_so() {
    let Some(server) = Server::own() else { return };
    let (place, admin) = place_with(&server, 60, "");
    let told = place.dir.path().join("told");
    let config = place.dir.path().join("config.toml");
    let command = format!("[\"sh\", \"-c\", \"cat >> {}; echo >> {}\"]", told.display(), told.display());
    let alerts = format!(
        "[alerts]\nlanguage = \"en\"\nmerge = \"1s\"\n[[alerts.to]]\nname = \"us\"\nkind = \"command\"\ncommand = {command}\n"
    );
    std::fs::write(&config, std::fs::read_to_string(&config).unwrap() + &alerts).unwrap();
    let (one, two) = (Host::serves(&place, "bastion1"), Host::serves(&place, "bastion2"));
    let database = admin.rsplit_once("dbname=").unwrap().1;
    // What the first machine says when its breaker opens.
    let why = r#"{"k":"breaker_unknown","n":3}"#;
    server.sql(database, &format!("select skydeck.calls_held_v1('test', '{why}')"));
    // A person approves: that is a person's word, and calls are made; held again in the middle of it, they end on both.
    let mut approved = two.command(&["run", PLAN, "--yes"]).spawn().unwrap();
    until("some bills are audited", || place.audits().len() >= 3);
    server.sql(database, &format!("select skydeck.calls_held_v1('test', '{why}')"));
    let _ = approved.wait();
    let stopped = one.run();
    let audits = place.audits().len();
    assert!(audits < 60 && stopped["state"] != "completed", "{stopped}");
    // Both would tell people elsewhere; one does.
    until("people are told", || told.exists());
    std::thread::sleep(Duration::from_secs(3));
    let messages = std::fs::read_to_string(&told).unwrap();
    assert_eq!(messages.lines().filter(|line| line.contains("\"stopped\"")).count(), 1, "{messages}");
    let rest = one.verb(&["run", PLAN, "--sweep", "--yes", "--json"]);
    place::ended_as_it_says(&rest);
    assert_eq!(place.audits().len(), one.run()["audited"].as_u64().unwrap() as usize + audits, "{}", said(&rest));
    assert!(place.audits().values().all(|n| *n == 1));
}
