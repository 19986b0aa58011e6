//! How runs end, through the real program: exit code, last line of JSON, health, history and words, for each ending, by
//! what is left, headless and with a console attached.

mod attended;
mod headless;

use std::path::PathBuf;
use std::process::{Child, Output, Stdio};
use std::time::{Duration, Instant};

use crate::erp::{Erp, Site};
use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;

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
    assert_eq!((zh.contains("已自动停止"), zh_health.contains("已自动停止")), (stopped, stopped), "{zh}\n{zh_health}");
    // What stands in the history is what the verb said.
    let told: Value = serde_json::from_str(place.verb(&["--json", "history"]).out.lines().next().unwrap()).unwrap();
    for key in ["run", "state", "exit", "reason", "reason_args", "not_reached", "unknown", "waiting"] {
        assert_eq!(told[key], last[key], "{key}");
    }
    last
}
