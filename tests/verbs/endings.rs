//! How runs end, through the real program: exit code, last line of JSON, health, history and words, for each ending, by
//! what is left, headless and with a console attached.
use std::path::PathBuf;
use std::process::{Child, Output, Stdio};
use std::time::{Duration, Instant};

use crate::erp::{Erp, PLAN, Said, Site, answer};
use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;
use skydeck::domain::command::{self, Order, Receipt, StartParams};
use skydeck::domain::ids::{CommandId, PlanId, RunId};
use skydeck::domain::run::RunState;
use skydeck::domain::who::Who;
use skydeck::engine::api::{Link, Notice, Watch};
use skydeck::link::remote::RemoteLink;

/// How long anything may take; only a fault reaches it.
const PATIENCE: Duration = Duration::from_secs(90);
/// A limit of the server that nobody waits out here.
const NEVER: &str = "900s";

/// A site, and verbs that are heard to their end.
struct Place {
    site: Site,
}

impl std::ops::Deref for Place {
    type Target = Site;
    fn deref(&self) -> &Site {
        &self.site
    }
}

impl Place {
    fn new(erp: Erp, settle: &str, env: &str, limits: &str) -> Self {
        Self { site: Site::new(erp, settle, env, limits) }
    }

    fn start(&self, args: &[&str]) -> Child {
        self.command("en", args).spawn().unwrap()
    }

    fn verb(&self, args: &[&str]) -> Heard {
        Heard::of(ended(self.start(args)))
    }

    fn zh(&self, args: &[&str]) -> Heard {
        Heard::of(ended(self.command("zh", args).spawn().unwrap()))
    }

    /// The engine in a process of its own.
    fn serve(&self) -> Owner {
        let mut child = self.command("en", &["serve"]);
        let child = child.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        until("the owner", || self.data().join("owner.sock").exists());
        Owner { child }
    }

    fn socket(&self) -> PathBuf {
        self.data().join("owner.sock")
    }
}

struct Owner {
    child: Child,
}

impl Drop for Owner {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// What a verb said, and its code.
struct Heard {
    code: i32,
    out: String,
    err: String,
}

impl Heard {
    fn of(out: Output) -> Self {
        let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
        Self { code: out.status.code().unwrap(), out: text(out.stdout), err: text(out.stderr) }
    }

    /// The last line of JSON.
    fn last(&self) -> Value {
        let line = self.out.lines().last().unwrap_or_else(|| panic!("no line; stderr: {}", self.err));
        serde_json::from_str(line).unwrap_or_else(|e| panic!("{e}: {line}"))
    }
}

fn ended(child: Child) -> Output {
    let pid = Pid::from_child(&child);
    let (done, waits) = std::sync::mpsc::channel::<()>();
    let guard = std::thread::spawn(move || {
        if waits.recv_timeout(PATIENCE).is_err() {
            let _ = kill_process(pid, Signal::KILL);
        }
    });
    let out = child.wait_with_output().unwrap();
    let _ = done.send(());
    guard.join().unwrap();
    assert!(out.status.code().is_some(), "it did not end: {}", String::from_utf8_lossy(&out.stderr));
    out
}

fn until(what: &str, test: impl Fn() -> bool) {
    let limit = Instant::now() + PATIENCE;
    while !test() {
        assert!(Instant::now() < limit, "waited for {what}");
        std::thread::sleep(Duration::from_millis(5));
    }
}

/// One row of the table: how it ended, what is left, the codes.
fn row(last: &Value, code: i32, health: i32) -> String {
    let sum: Vec<String> = ["found", "audited", "failed", "unknown", "not_reached", "waiting"]
        .iter()
        .filter(|name| **name == "found" || last[**name] != 0)
        .map(|name| format!("{name} {}", last[*name]))
        .collect();
    let reason = last["reason"].as_str().unwrap_or("-");
    let state = last["state"].as_str().unwrap();
    format!("{state} | {reason} | {} | exit {code} | json {} | health {health}", sum.join(" "), last["exit"])
}

/// Runs the plan headless and compares: the row, words of standard error, words of history and health in both languages.
fn check(place: &Place, args: &[&str], want: &str, words: &[&str]) -> Value {
    let run = place.verb(&[&["--json"], args].concat());
    let last = run.last();
    let health = place.verb(&["health"]);
    assert_eq!(row(&last, run.code, health.code), want, "{args:?}\n{}\n{}", run.out, run.err);
    assert_eq!(last["sum_closes"], true);
    assert_eq!(last["detail"].is_string(), last["reason"].is_string(), "the sentence stands beside its code: {last}");
    let history = place.verb(&["history"]).out;
    for word in words {
        assert!(run.err.contains(word) || history.contains(word), "`{word}`: {}\n{history}", run.err);
    }
    let stopped = last["state"] == "stopped";
    assert_eq!(history.contains("stopped by itself: "), stopped, "{history}");
    assert_eq!(health.out.contains("stopped by itself: "), stopped, "{}", health.out);
    assert!(!history.contains("cancelled") || last["state"] == "cancelled", "{history}");
    let (zh, zh_health) = (place.zh(&["history"]).out, place.zh(&["health"]).out);
    assert_eq!((zh.contains("自行停止"), zh_health.contains("自行停止")), (stopped, stopped), "{zh}\n{zh_health}");
    // What stands in the history is what the verb said.
    let told: Value = serde_json::from_str(place.verb(&["--json", "history"]).out.lines().next().unwrap()).unwrap();
    for key in ["run", "state", "exit", "reason", "reason_args", "not_reached", "unknown", "waiting"] {
        assert_eq!(told[key], last[key], "{key}");
    }
    last
}

fn refuses(service: &str, data: &Value, id: u64) -> bool {
    service == "Audit" && data["Ids"].as_str().is_some_and(|ids| ids == id.to_string())
}

#[test]
fn a_run_that_goes_through() {
    let place = Place::new(Erp::start(6, |_, _, _| Said::Good), "1s", "", "");
    check(
        &place,
        &["run", "p", "--yes"],
        "completed | - | found 6 audited 6 | exit 0 | json 0 | health 0",
        &["complete"],
    );
    assert_eq!(place.erp.audited(), 6);
    check(&place, &["run", "p", "--yes"], "empty | - | found 0 | exit 0 | json 0 | health 0", &["nothing found"]);
}

#[test]
fn successes_that_change_nothing() {
    let erp = Erp::start(30, |service, data, nth| match service {
        "Audit" if nth >= 12 => {
            let id: u64 = data["Ids"].as_str().unwrap().parse().unwrap();
            let done = serde_json::json!({"Id": id, "Number": format!("XSCKD{:06}", id - 100_000), "DIndex": 0});
            Said::Http(200, answer(true, &[], &[done], 0))
        }
        _ => Said::Good,
    });
    let place = Place::new(erp, "1s", "", "");
    let want = "stopped | success_without_effect | found 30 audited 12 unknown 18 | exit 3 | json 3 | health 1";
    check(&place, &["run", "p", "--yes"], want, &["said success"]);
    assert_eq!((place.erp.audited(), place.erp.count("Audit")), (12, 30));
    // The next run calls none of them by itself.
    place.verb(&["run", "p", "--yes"]);
    assert_eq!(place.erp.count("Audit"), 30);
}

#[test]
fn some_failed_some_unknown() {
    let erp = Erp::start(6, |service, data, _| match service {
        _ if refuses(service, data, 100_001) => Said::Http(200, answer(false, &["更新库存时库存不足"], &[], 11)),
        _ => Said::Good,
    });
    let place = Place::new(erp, "1s", "", "");
    let want = "completed | - | found 6 audited 5 failed 1 | exit 1 | json 1 | health 0";
    check(&place, &["run", "p", "--yes"], want, &["some failed"]);
    // A cause is found by its name, and by the words that are shown for it; what finds nothing says so.
    for filter in ["cause:stock", "原因:库存不足"] {
        assert!(place.zh(&["ledger", filter]).out.contains("XSCKD000001"), "{filter}");
    }
    for filter in ["cause:period", "原因:校验不通过"] {
        let none = place.verb(&["ledger", filter]);
        assert!(none.out.contains("no unresolved bill matches"), "{filter}: {}", none.out);
        let none = place.verb(&["--json", "retry", filter, "--yes"]);
        assert_eq!(none.code, 0);
        assert!(none.out.contains(r#""type":"nothing""#) && none.out.contains(r#""unresolved":1"#), "{}", none.out);
        assert!(none.err.contains(filter) && none.err.contains("the ledger holds 1"), "{}", none.err);
    }
    // What is no value of its key is a slip of the pen, whatever is asked for by it.
    for (args, said) in [
        (&["ledger", "cause:stok"][..], "did you mean `stock`?"),
        (&["ledger", "status:faild"], "did you mean `failed`?"),
        (&["retry", "原因:瞎写", "--yes"], "no cause is called `瞎写`"),
        (&["verify", "age:>1h -cause:bogus"], "no cause is called `bogus`"),
        (&["resolve", "outcome:nothing", "--reason", "x"], "no status is called `nothing`"),
        (&["ledger", "plan:q"], "no plan is called `q`"),
        (&["retry", "--plan", "nosuch", "--yes"], "no plan is called `nosuch`"),
        (&["export", "--filter", "cause:bogus*", "x.csv"], "no cause is called `bogus*`"),
    ] {
        let slip = place.verb(args);
        assert_eq!((slip.code, slip.err.contains(said)), (2, true), "{args:?}: {}", slip.err);
    }
    assert!(place.zh(&["ledger", "cause:stok"]).err.contains("是不是 `stock`"));
    let counted = place.verb(&["ledger", "--groups", "cause:stock"]);
    assert_eq!(counted.code, 2, "{}", counted.out);
    assert_eq!(place.zh(&["retry", "原因:库存不足", "--yes"]).code, 1, "it is called, and refused again");
    // No usable answer for one, and no read-back ever works: unknown is left.
    let erp = Erp::start(3, |service, data, _| match service {
        _ if refuses(service, data, 100_001) => Said::Http(502, "<html>bad gateway</html>".into()),
        "ExecuteBillQuery"
            if data["FilterString"].as_str().is_some_and(|f| !f.contains("100000") && f.contains("100001")) =>
        {
            Said::Http(200, answer(false, &["没有该功能的操作权限"], &[], 2))
        }
        _ => Said::Good,
    });
    let place = Place::new(erp, "1s", "", "");
    let want = "completed | - | found 3 audited 2 unknown 1 | exit 3 | json 3 | health 3";
    check(&place, &["run", "p", "--yes"], want, &["unknown left"]);
}

#[test]
fn every_audit_answers_502() {
    let erp = Erp::start(6, |service, _, _| match service {
        "Audit" => Said::Http(502, "<html><head><title>502 Bad Gateway</title></head></html>".into()),
        _ => Said::Good,
    });
    let place = Place::new(erp, "1s", "", "");
    let want = "stopped | breaker_unknown | found 6 failed 3 not_reached 3 | exit 6 | json 6 | health 1";
    check(&place, &["run", "p", "--yes"], want, &["3 calls in a row without a usable answer"]);
    let health: Value = place.verb(&["--json", "health"]).last();
    assert_eq!((&health["ok"], &health["runs"][0]["state"]), (&false.into(), &"stopped".into()), "{health}");
    assert_eq!(health["runs"][0]["reason_args"]["n"], 3, "{health}");
    // It stays so over a run that is not gone on with, and is well again once one went through.
    place.verb(&["run", "p"]);
    assert_eq!(place.verb(&["health"]).code, 1);
    place.erp.answer_with(|_, _, _| Said::Good);
    let again = place.verb(&["--json", "run", "p", "--yes"]);
    assert_eq!((again.code, &again.last()["audited"]), (0, &6.into()), "what was not reached is taken up again");
    assert_eq!(place.verb(&["health"]).code, 0);
    assert_eq!(place.erp.audited(), 6);
}

#[test]
fn every_call_is_answered_401() {
    // From the first Audit on; the server's limit is not waited out, because it tells nothing any more.
    let from = std::sync::Arc::new(std::sync::atomic::AtomicBool::new(false));
    let erp = Erp::start(6, move |service, _, _| {
        let now = from.fetch_or(service == "Audit", std::sync::atomic::Ordering::SeqCst) || service == "Audit";
        if now { Said::Http(401, "unauthorized".into()) } else { Said::Good }
    });
    let place = Place::new(erp, NEVER, "", "");
    let want = "stopped | sign_in_refused | found 6 unknown 1 not_reached 5 | exit 3 | json 3 | health 1";
    check(&place, &["run", "p", "--yes"], want, &["the sign-in was refused"]);
    // From the beginning: nothing can be collected.
    let place = Place::new(Erp::start(6, |_, _, _| Said::Http(401, "unauthorized".into())), NEVER, "", "");
    let want = "collect_failed | sign_in_refused | found 0 | exit 6 | json 6 | health 1";
    check(&place, &["run", "p", "--yes"], want, &["the mark did not move", "query failed"]);
}

#[test]
fn the_erp_is_gone_after_collecting() {
    let erp = Erp::start(6, |service, data, _| match service {
        "ExecuteBillQuery" if data["FilterString"].as_str().is_some_and(|f| f.contains("100000")) => Said::Gone,
        _ => Said::Good,
    });
    let place = Place::new(erp, NEVER, "", "");
    let want = "stopped | unreachable | found 6 not_reached 6 | exit 6 | json 6 | health 1";
    check(&place, &["run", "p", "--yes"], want, &["the server cannot be reached"]);
    // And before.
    let want = "collect_failed | unreachable | found 0 | exit 6 | json 6 | health 1";
    let run = place.verb(&["--json", "run", "p", "--yes"]);
    assert_eq!(row(&run.last(), run.code, place.verb(&["health"]).code), want, "{}", run.err);
    // What stands is told with since when, and how often it came to nothing in a row.
    let health = place.verb(&["--json", "health"]).last();
    let stands = &health["runs"][0];
    assert_eq!((&stands["state"], &stands["times"]), (&"collect_failed".into(), &2.into()), "{health}");
    let ends: Vec<Value> = place
        .verb(&["--json", "history"])
        .out
        .lines()
        .map(|line| serde_json::from_str::<Value>(line).unwrap()["closed_ms"].clone())
        .collect();
    assert!(
        ends.len() == 2 && ends.iter().min_by_key(|ms| ms.as_i64()) == Some(&stands["since_ms"]),
        "{ends:?} {health}"
    );
    assert!(place.verb(&["health"]).out.contains("2 runs in a row came to nothing, since 20"));
}

#[test]
fn the_query_is_refused_as_a_fault_of_the_plan() {
    let refused = |code, words: &'static str| {
        let said = Value::from(vec![vec![serde_json::from_str::<Value>(&answer(false, &[words], &[], code)).unwrap()]]);
        Place::new(Erp::start(3, move |_, _, _| Said::Http(200, said.to_string())), "1s", "", "")
    };
    let place = refused(9, "元数据中标识为FNoSuch的字段不存在");
    let want = "collect_failed | query_refused | found 0 | exit 2 | json 2 | health 1";
    let last = check(&place, &["run", "p", "--yes"], want, &["FNoSuch"]);
    assert_eq!(last["reason_args"]["failure"]["k"], 9, "{last}");
    let preview = place.verb(&["plan", "preview", "p"]);
    assert_eq!(preview.code, 2, "{}", preview.err);
    let place = refused(2, "没有该功能的操作权限");
    let want = "collect_failed | query_refused | found 0 | exit 6 | json 6 | health 1";
    check(&place, &["run", "p", "--yes"], want, &["没有该功能的操作权限"]);
}

#[test]
fn a_set_that_is_not_confirmed_is_declined_and_one_that_may_not_be_written_waits() {
    let place = Place::new(Erp::start(6, |_, _, _| Said::Good), "1s", "", "");
    let want = "declined | - | found 6 waiting 6 | exit 4 | json 4 | health 0";
    check(&place, &["run", "p"], want, &["not confirmed; add --yes", "not approved; nothing was written"]);
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

#[test]
fn a_first_ctrl_c_stops_and_what_was_not_reached_says_so() {
    let slow = |service: &str, _: &Value, _: usize| match service {
        "Audit" => Said::Slow(Duration::from_millis(400)),
        _ => Said::Good,
    };
    let place = Place::new(Erp::start(12, slow), "1s", "", "");
    let child = place.start(&["--json", "run", "p", "--yes"]);
    until("an audit", || place.erp.audited() >= 2);
    kill_process(Pid::from_child(&child), Signal::INT).unwrap();
    let run = Heard::of(ended(child));
    let last = run.last();
    assert_eq!((run.code, &last["state"], &last["exit"]), (6, &"cancelled".into(), &6.into()), "{}", run.err);
    assert_eq!(last["audited"], place.erp.audited());
    assert!(last["not_reached"].as_u64().unwrap() > 0 && last["unknown"] == 0, "{last}");
    assert_eq!(place.verb(&["health"]).code, 0, "a person stopped it");
    // Before the approval: everything waits, nothing is told of it.
    let reads = |service: &str, _: &Value, nth: usize| match service {
        "ExecuteBillQuery" if nth > 0 => Said::Slow(Duration::from_secs(3)),
        _ => Said::Good,
    };
    let place = Place::new(Erp::start(12, reads), "1s", "", "");
    let child = place.start(&["--json", "run", "p", "--yes"]);
    until("the second page", || place.erp.count("ExecuteBillQuery") >= 2);
    kill_process(Pid::from_child(&child), Signal::INT).unwrap();
    let run = Heard::of(ended(child));
    let last = run.last();
    assert_eq!((run.code, &last["state"], &last["not_reached"]), (6, &"cancelled".into(), &0.into()), "{}", run.err);
    assert!(place.verb(&["ledger"]).out.contains("empty"));
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

#[test]
fn a_preview_leaves_no_trace() {
    let place = Place::new(Erp::start(6, |_, _, _| Said::Good), "1s", "", "");
    let preview = place.verb(&["--json", "plan", "preview", "p"]);
    let seen = preview.last();
    assert_eq!((preview.code, &seen["found"], &seen["callable"]), (0, &6.into(), &6.into()), "{}", preview.err);
    assert_eq!(seen["by_status"]["B"], 6);
    assert!(place.verb(&["history"]).out.contains("no runs yet"));
    assert!(!place.data().exists(), "not even a data directory");
    let run = place.verb(&["--json", "run", "p", "--yes"]);
    assert_eq!(run.last()["set_hash"], seen["set_hash"], "the set it would have frozen");
    let last_run = run.last()["run"].as_str().unwrap().to_owned();
    // Nor in a directory that is there: no fact about a run, no line in the action log.
    let traces = || {
        let facts = place.dir.path().join("facts.jsonl");
        place.verb(&["doctor", "--export", &facts.display().to_string()]);
        let facts = std::fs::read_to_string(&facts).unwrap();
        std::fs::remove_file(place.dir.path().join("facts.jsonl")).unwrap();
        let runs = facts.matches(last_run.as_str()).count();
        assert!(runs > 0, "{facts}");
        (runs, std::fs::read_to_string(place.data().join("actions.log")).unwrap())
    };
    let before = traces();
    assert_eq!(place.verb(&["plan", "preview", "p"]).code, 0);
    assert_eq!(traces(), before);
}
