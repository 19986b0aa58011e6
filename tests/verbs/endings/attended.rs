//! Runs with a person about: a console attached, a set left unconfirmed, a pause, several plans of one order.

use std::time::Duration;

use super::{Heard, PATIENCE, Place, check, ended, row, until};
use crate::erp::{Erp, PLAN, Said, answer};
use serde_json::Value;
use skydeck::domain::command::{self, Order, Receipt, StartParams};
use skydeck::domain::ids::{CommandId, PlanId, RunId};
use skydeck::domain::run::RunState;
use skydeck::domain::who::Who;
use skydeck::engine::api::{Link, Notice, Watch};
use skydeck::link::remote::RemoteLink;

#[test]
fn a_set_that_is_not_confirmed_is_declined_and_one_that_may_not_be_written_waits() {
    let place = Place::new(Erp::start(6, |_, _, _| Said::Good), "1s", "", "");
    let want = "declined | - | found 6 waiting 6 | exit 4 | json 4 | health 0";
    check(&place, &["run", "p"], want, &["not confirmed: add --yes", "not approved; nothing was written"]);
    assert!(place.verb(&["history"]).out.contains("found 6; not approved, nothing was done"));
    // Typed wrong is not confirmed.
    let place = Place::new(Erp::start(30, |_, _, _| Said::Good), "1s", "production = true\nread_only = false", "");
    let want = "declined | - | found 30 waiting 30 | exit 4 | json 4 | health 0";
    check(&place, &["run", "p", "--confirm", "31"], want, &["type the number of bills, 30"]);
    let want = "completed | - | found 30 audited 30 | exit 0 | json 0 | health 0";
    check(&place, &["run", "p", "--confirm", "30"], want, &[]);
    // Read-only: what this verb read is in nobody's way; what somebody else read waits, and is approved once it may be.
    let place = Place::new(Erp::start(3, |_, _, _| Said::Good), "1s", "read_only = true", "");
    let want = "declined | - | found 3 waiting 3 | exit 4 | json 4 | health 0";
    check(&place, &["run", "p", "--yes"], want, &["read-only", "not approved; nothing was written"]);
    {
        let _owner = place.serve();
        let mut person = Person::attach(&place);
        let run = person.order(command::Command::Start { plan: PlanId::new("p"), params: StartParams::default() });
        person.until(run, "collected", |state| *state == RunState::AwaitingApproval);
    }
    let left = place.verb(&["--json", "approve"]);
    assert_eq!((left.code, &left.last()["state"]), (4, &"awaiting_approval".into()), "left as it was: {}", left.err);
    let done = place.verb(&["--json", "approve", "--yes", "--unlock", "--reason", "month end"]);
    assert_eq!((done.code, &done.last()["state"]), (0, &"completed".into()), "{}", done.err);
    // With no engine in the way of the next.
    assert_eq!(place.verb(&["run", "p"]).code, 0, "nothing is left to find");
}

/// Somebody at a console, as the program's own console attaches.
struct Person {
    runtime: tokio::runtime::Runtime,
    link: RemoteLink,
    watch: Option<Watch>,
    orders: u128,
}

impl Person {
    fn attach(place: &Place) -> Self {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let link = RemoteLink::of_console(&place.socket(), Who::of_person(0, "li", None), None);
        let watch = Some(runtime.block_on(link.watch()).unwrap());
        Self { runtime, link, watch, orders: 0 }
    }

    fn order(&mut self, command: command::Command) -> Option<RunId> {
        self.orders += 1;
        let id = CommandId(ulid::Ulid::from_parts(77, self.orders));
        let order = Order { id, by: Who::of_person(0, "li", None), session: None, headless: false, command };
        match self.runtime.block_on(self.link.submit(order)).unwrap() {
            Receipt::Accepted { run, .. } => run,
            Receipt::Refused(why) => panic!("{why}"),
        }
    }

    /// Waits for a state of a run; of the newest one where none is named.
    fn until(&mut self, run: Option<RunId>, what: &str, is: impl Fn(&RunState) -> bool) -> RunId {
        let watch = self.watch.as_mut().unwrap();
        self.runtime.block_on(async {
            let limit = tokio::time::Instant::now() + PATIENCE;
            loop {
                let mut runs = watch.live.runs.iter().rev().filter(|(id, _)| run.is_none_or(|run| run == **id));
                if let Some((id, _)) = runs.next().filter(|(_, run)| is(&run.row.state)) {
                    return *id;
                }
                match tokio::time::timeout_at(limit, watch.notices.recv()).await.unwrap_or_else(|_| panic!("{what}")) {
                    Some(Notice::Facts(facts)) => facts.iter().for_each(|fact| watch.live.apply(fact)),
                    Some(Notice::Resync(now)) => watch.live = *now,
                    Some(_) => {}
                    None => panic!("the owner is gone: {what}"),
                }
            }
        })
    }
}

/// What a GET on loopback says: its status line and its body.
fn get(port: u16, path: &str) -> (String, String) {
    use std::io::{Read, Write};
    let mut text = String::new();
    until("the page", || std::net::TcpStream::connect(("127.0.0.1", port)).is_ok());
    let mut stream = std::net::TcpStream::connect(("127.0.0.1", port)).unwrap();
    write!(stream, "GET {path} HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n").unwrap();
    stream.read_to_string(&mut text).unwrap();
    let (head, body) = text.split_once("\r\n\r\n").unwrap();
    (head.lines().next().unwrap().to_owned(), body.to_owned())
}

fn bad_gateway(service: &str, _: &Value, _: usize) -> Said {
    match service {
        "Audit" => Said::Http(502, "<html>bad gateway</html>".into()),
        _ => Said::Good,
    }
}

#[test]
fn with_a_console_attached_a_run_of_a_verb_ends_and_a_run_of_the_console_pauses() {
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let place = Place::new(Erp::start(6, bad_gateway), "1s", "", &format!("[metrics]\nlisten = \"127.0.0.1:{port}\""));
    let _owner = place.serve();
    let mut person = Person::attach(&place);
    assert!(get(port, "/health").0.contains("200"));
    let run = place.verb(&["--json", "run", "p", "--yes"]);
    let want = "stopped | breaker_unknown | found 6 failed 3 not_reached 3 | exit 6 | json 6 | health 1";
    assert_eq!(row(&run.last(), run.code, place.verb(&["health"]).code), want, "{}", run.err);
    let (status, health) = get(port, "/health");
    let health: Value = serde_json::from_str(&health).unwrap();
    assert!(status.contains("503") && health["runs"][0]["reason"] == "breaker_unknown", "{status} {health}");
    let page = get(port, "/metrics").1;
    let figure = "skydeck_stopped_runs{env=\"demo\",plan=\"p\",reason=\"breaker_unknown\"} 1";
    assert!(page.contains(figure) && page.contains("end=\"stopped\""), "{page}");
    // The person starts one of his own: the stop is known to somebody, and his run waits for him.
    let run = person.order(command::Command::Start { plan: PlanId::new("p"), params: StartParams::default() });
    let run = person.until(run, "collected", |s| *s == RunState::AwaitingApproval);
    assert_eq!(place.verb(&["health"]).code, 0);
    let hash = person.watch.as_ref().unwrap().live.runs[&run].row.collected.clone().unwrap().hash;
    person.order(command::Command::Approve { run, hash, typed: None, flags: Vec::new(), reason: None });
    person.until(Some(run), "paused", |s| matches!(s, RunState::Paused(_)));
    assert_eq!(place.verb(&["health"]).code, 1);
    // A verb that goes on with it takes it over, and says how it ended: three bills were called twice without effect, three once.
    let resumed = place.verb(&["--json", "resume"]);
    let want = "stopped | breaker_unknown | found 6 failed 6 | exit 6 | json 6 | health 1";
    assert_eq!(row(&resumed.last(), resumed.code, place.verb(&["health"]).code), want, "{}", resumed.err);
}

#[test]
fn a_verb_whose_run_a_person_pauses_ends_with_6_and_the_pause_stays() {
    let slow = |service: &str, _: &Value, _: usize| match service {
        "Audit" => Said::Slow(Duration::from_millis(300)),
        _ => Said::Good,
    };
    let place = Place::new(Erp::start(12, slow), "1s", "", "");
    let _owner = place.serve();
    let mut person = Person::attach(&place);
    let child = place.start(&["--json", "run", "p", "--yes"]);
    until("an audit", || place.erp.audited() >= 2);
    let run = person.until(None, "at work", |s| *s == RunState::Working);
    person.order(command::Command::Pause { run });
    let said = Heard::of(ended(child));
    let last = said.last();
    assert_eq!((said.code, &last["state"], &last["exit"]), (6, &"paused".into(), &6.into()), "{}", said.err);
    assert!(said.err.contains("paused by an operator"), "{}", said.err);
    assert!(last["waiting"].as_u64().unwrap() > 0, "{last}");
    assert_eq!(place.verb(&["health"]).code, 0, "a person did it");
    person.order(command::Command::Resume { run });
    person.until(Some(run), "closed", RunState::is_closed);
    assert_eq!(place.erp.audited(), 12);
}

#[test]
fn several_plans_of_one_order_are_followed_to_their_ends() {
    let erp = Erp::start(6, |service, data, _| match service {
        "Audit" if data["Ids"].as_str() != Some("100003") => {
            Said::Http(200, answer(false, &["更新库存时库存不足"], &[], 11))
        }
        _ => Said::Good,
    });
    let place = Place::new(erp, "1s", "", "breaker_failed_percent = 0");
    let numbers = |from: u64, to: u64| (from..=to).map(|n| format!("XSCKD{n:06}")).collect::<Vec<_>>().join(",");
    std::fs::write(place.dir.path().join("plans/q.json"), PLAN).unwrap();
    assert_eq!(place.verb(&["run", "p", "--numbers", &numbers(0, 2), "--yes"]).code, 1);
    assert_eq!(place.verb(&["run", "q", "--numbers", &numbers(3, 5), "--yes"]).code, 1);
    place.erp.answer_with(|_, _, _| Said::Good);
    let retry = place.verb(&["--json", "retry", "--yes"]);
    let runs: Vec<Value> = retry.out.lines().map(|l| serde_json::from_str(l).unwrap()).collect();
    let runs: Vec<&Value> = runs.iter().filter(|v| v["type"] == "run").collect();
    assert_eq!((retry.code, runs.len()), (0, 2), "{}\n{}", retry.out, retry.err);
    assert!(runs.iter().all(|run| run["state"] == "completed" && run["exit"] == 0));
    assert!(place.verb(&["ledger"]).out.contains("empty"), "none was left waiting");
}
