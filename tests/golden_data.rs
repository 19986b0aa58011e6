//! Data directories that 0.1.0 left behind, in every state, are opened by the program of today and mean what 0.1.0 itself
//! said of them; then everything in them that was open or unresolved is brought to an end.
//!
//! `tests/golden/data-0.1.0/README.md` says what they hold and how they were made.
//! A binary of its own, because it starts programs ([`open_again`]).
#![allow(
    missing_docs,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test that fails says where"
)]

#[path = "store_kit/mod.rs"]
mod store_kit;

use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use crate::store_kit::{block, open_again};
use serde_json::{Value, json};
use skydeck::domain::filter::Filter;
use skydeck::domain::ids::{EnvId, PlanId, PlanRev};
use skydeck::domain::query::{PageRequest, Scope};
use skydeck::domain::run::{BillRow, RunRow};
use skydeck::domain::time::Ts;
use skydeck::plan;
use skydeck::store::local::LocalStore;
use skydeck::store::{Reads, Store};
use skydeck_store_testkit::hours;

/// Longest a program may take for one thing.
const LIMIT: Duration = Duration::from_secs(120);
/// More rows than any of the directories holds.
const ALL: u32 = 10_000;

fn golden(file: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden/data-0.1.0").join(file)
}

fn told(name: &str) -> Value {
    serde_json::from_slice(&std::fs::read(golden(&format!("{name}.json"))).unwrap()).unwrap()
}

/// Runs a program to its end: its code, standard output and standard error.
fn run(mut command: Command, scratch: &Path) -> (i32, String, String) {
    let (out, err) = (scratch.join("out"), scratch.join("err"));
    command.stdin(Stdio::null()).stdout(File::create(&out).unwrap()).stderr(File::create(&err).unwrap());
    let mut child = command.spawn().unwrap();
    let until = Instant::now() + LIMIT;
    let status = loop {
        if let Some(status) = child.try_wait().unwrap() {
            break status;
        }
        if Instant::now() > until {
            child.kill().unwrap();
            child.wait().unwrap();
            panic!("{command:?} did not end");
        }
        std::thread::sleep(Duration::from_millis(2));
    };
    let read = |path| std::fs::read_to_string(path).unwrap();
    (status.code().unwrap_or(-1), read(&out), read(&err))
}

/// A copy of one of the directories.
struct Copy {
    dir: tempfile::TempDir,
}

impl Copy {
    fn of(name: &str) -> Self {
        let copy = Self { dir: tempfile::tempdir().unwrap() };
        std::fs::create_dir(copy.data()).unwrap();
        std::fs::set_permissions(copy.data(), std::os::unix::fs::PermissionsExt::from_mode(0o700)).unwrap();
        std::fs::write(copy.dir.path().join("config.toml"), "").unwrap();
        let mut tar = Command::new("tar");
        tar.arg("-xzf").arg(golden(&format!("{name}.tar.gz"))).arg("-C").arg(copy.data()).arg("--no-same-owner");
        let (code, _, err) = run(tar, copy.dir.path());
        assert_eq!(code, 0, "{name}: {err}");
        copy
    }

    fn data(&self) -> PathBuf {
        self.dir.path().join("data")
    }

    /// The one place that opens: whatever an upgrade needs stands here.
    fn open(&self) -> LocalStore {
        open_again(&self.data())
    }

    /// A verb under a configuration without environments: nothing can be called, nothing is read back.
    fn verb(&self, verb: &[&str]) -> (i32, Vec<Value>, String) {
        let mut command = Command::new(env!("CARGO_BIN_EXE_skydeck"));
        command.args(verb).args(["--json", "--lang", "en", "--config"]).arg(self.dir.path().join("config.toml"));
        command.arg("--data").arg(self.data());
        let (code, out, err) = run(command, self.dir.path());
        (code, out.lines().filter_map(|line| serde_json::from_str(line).ok()).collect(), err)
    }

    /// A verb that must end as its own lines say: well, or with a word about what is left.
    fn lines(&self, verb: &[&str]) -> Vec<Value> {
        let (code, lines, err) = self.verb(verb);
        let is_unknown = |line: &Value| line["unknown"] != 0;
        let is_left = |line: &Value| line["outcome"] == "unknown";
        let expected = match (verb[0], lines.as_slice()) {
            ("ledger", []) => 0,
            ("ledger", left) => {
                if left.iter().any(is_left) {
                    3
                } else {
                    1
                }
            }
            ("health", [health, ..]) if health["ok"] != true => 1,
            ("health" | "doctor", [report, ..]) if is_unknown(report) => 3,
            _ => 0,
        };
        assert_eq!(code, expected, "{verb:?}: {lines:?} {err}");
        lines
    }

    fn export(&self) -> Value {
        let file = self.dir.path().join("export.jsonl");
        self.lines(&["export", "--all", &file.display().to_string()]);
        std::fs::read_to_string(file)
            .unwrap()
            .lines()
            .map(|line| serde_json::from_str::<Value>(line).unwrap())
            .collect()
    }
}

type Map = serde_json::Map<String, Value>;

/// What stands under another name now: bills that were not reached have a column of their own, and bills of another operation
/// than Audit are told by it. What must be equal, then and now.
fn renamed(then: &Map, now: &Map, key: &str) -> Option<(Value, Value)> {
    let not_reached = ["why", "cause", "group"].iter().any(|k| then.get(*k).is_some_and(|v| v == "not_reached"));
    match (key, then[key].as_str()) {
        ("skipped", None) if then.contains_key("found") => {
            let both = now["skipped"].as_u64()? + now.get("not_reached").and_then(Value::as_u64).unwrap_or(0);
            Some((then[key].clone(), both.into()))
        }
        ("outcome" | "slot", Some("skipped" | "s")) if not_reached => {
            let is = if key == "slot" { "n" } else { "not_reached" };
            Some((is.into(), now[key].clone()))
        }
        ("outcome", Some(told @ ("audited" | "already_audited"))) => {
            let other = now.get("operation").and_then(Value::as_str).is_some_and(|op| !matches!(op, "" | "Audit"));
            let is = match (other, told) {
                (false, told) => told,
                (true, "audited") => "done",
                (true, _) => "already",
            };
            Some((is.into(), now[key].clone()))
        }
        // 0.1.0 told the status that was read before the call under this name.
        ("erp_status", Some(_)) => Some((then[key].clone(), now["erp_status_before"].clone())),
        _ => None,
    }
}

/// What was told is still said: fields may have come, none may have gone or changed.
fn holds(then: &Value, now: &Value, at: &str) {
    match (then, now) {
        (Value::Object(then), Value::Object(now)) => {
            for (key, value) in then {
                let found = now.get(key).unwrap_or_else(|| panic!("{at}.{key} is gone; it was {value}"));
                match renamed(then, now, key) {
                    Some((value, found)) => assert_eq!(value, found, "{at}.{key}"),
                    None => holds(value, found, &format!("{at}.{key}")),
                }
            }
        }
        (Value::Array(then), Value::Array(now)) => {
            assert_eq!(then.len(), now.len(), "{at}: as many");
            for (i, (then, now)) in then.iter().zip(now).enumerate() {
                holds(then, now, &format!("{at}[{i}]"));
            }
        }
        _ => assert_eq!(then, now, "{at}"),
    }
}

/// Unresolved bills: where 0.1.0 told only that a run did not reach one, the ledger now keeps what it was refused for before.
/// Gives how many those are.
fn holds_of_ledger(then: &Value, now: &Value) -> usize {
    let (then, now) = (then.as_array().unwrap(), now.as_array().unwrap());
    assert_eq!(then.len(), now.len(), "as many unresolved bills");
    let mut recalled = 0;
    for (i, (then, now)) in then.iter().zip(now).enumerate() {
        let says = |row: &Value, word: &str| row["why"] == word || row["s"]["s"]["sk"] == word;
        if says(then, "not_reached") && !says(now, "not_reached") {
            recalled += 1;
            let of = |row: &Value, short: &str, long: &str| row.get(short).or(row.get(long)).unwrap().clone();
            assert_eq!(of(then, "n", "no"), of(now, "n", "no"), "ledger[{i}]");
            assert!(of(now, "t", "at_ms").as_i64() < of(then, "t", "at_ms").as_i64(), "told before: {now}");
            assert!(now["outcome"] == "failed" || now["s"]["s"].get("fa").is_some(), "refused before: {now}");
        } else {
            holds(then, now, &format!("ledger[{i}]"));
        }
    }
    recalled
}

/// The newest come first: what was told is still at the end, whatever came since.
fn ends_with(then: &Value, now: &Value, at: &str) {
    let (then, now) = (then.as_array().unwrap(), now.as_array().unwrap());
    assert!(then.len() <= now.len(), "{at}: {} of {} are left", now.len(), then.len());
    holds(&json!(then), &json!(now[now.len() - then.len()..]), at);
}

fn bills(store: &dyn Store, scope: Scope) -> Vec<BillRow> {
    let page = block(store.bills(scope.asked(&Filter::default(), &PageRequest::first(ALL), Ts(0)))).unwrap();
    page.rows.into_iter().map(|(_, row)| row).collect()
}

fn runs(store: &dyn Store) -> Vec<RunRow> {
    block(store.runs(None, &PageRequest::first(ALL))).unwrap().rows.into_iter().map(|(_, row)| row).collect()
}

/// The store, before an engine looks after it.
fn check_store(store: &dyn Store, told: &Value) {
    assert!(block(store.last_seq()).unwrap().0 >= told["facts"].as_u64().unwrap(), "facts are gone");
    let runs = runs(store);
    holds(&told["runs"], &json!(runs), "runs");
    let mut rows = Vec::new();
    for run in &runs {
        let of_run = bills(store, Scope::Run(run.head.id));
        let mut count: BTreeMap<&str, u64> = BTreeMap::new();
        for row in &of_run {
            *count.entry(row.state.slot().word()).or_default() += 1;
        }
        assert!(run.tally.closes());
        assert_eq!(of_run.len() as u64 + run.pruned, run.tally.found, "bills of {}", run.head.id);
        if run.pruned == 0 {
            let sum = skydeck::domain::bill::Slot::ALL.map(|slot| (slot.word(), run.tally.get(slot)));
            assert_eq!(count, sum.into_iter().filter(|(_, n)| *n > 0).collect(), "columns of {}", run.head.id);
        }
        rows.extend(of_run);
    }
    holds(&told["bills"], &json!(rows), "bills");
    // Nothing is told of the bills of a run that nobody approved.
    let untold: BTreeSet<String> =
        runs.iter().filter(|run| run.is_untold()).map(|run| run.head.id.to_string()).collect();
    let history = told["history"].as_array().unwrap().iter();
    let history: Vec<&Value> = history.filter(|row| !untold.contains(row["r"].as_str().unwrap())).collect();
    holds(&json!(history), &json!(bills(store, Scope::History)), "history");
    let ledger = bills(store, Scope::Ledger);
    let recalled = holds_of_ledger(&told["ledger"], &json!(ledger));
    let entry = |row: &BillRow| {
        let entry = block(store.ledger_entry(&row.key)).unwrap().unwrap();
        json!({"key": row.key, "since": entry.since, "deaths": entry.deaths})
    };
    holds(&told["entries"], &ledger.iter().map(entry).collect(), "entries");
    let groups = json!(block(store.ledger_groups(None)).unwrap());
    if recalled == 0 {
        holds(&told["groups"], &groups, "groups");
    } else {
        let all = |groups: &Value| groups.as_array().unwrap().iter().map(|g| g["count"].as_u64().unwrap()).sum::<u64>();
        assert_eq!(all(&told["groups"]), all(&groups), "groups");
    }
    for mark in told["marks"].as_array().unwrap() {
        let text = |key: &str| mark[key].as_str().unwrap();
        let now = block(store.mark(&PlanId::new(text("plan")), &EnvId::new(text("env")))).unwrap();
        holds(&mark["mark"], &json!(now), &format!("the mark of {}", text("plan")));
    }
    for kept in told["plans"].as_array().unwrap() {
        let rev = PlanRev(kept["rev"].as_str().unwrap().to_owned());
        let plan = block(store.plan_of(&rev)).unwrap();
        assert_eq!(plan.is_some(), kept["kept"].as_bool().unwrap(), "the plan of {rev}");
        if let Some(plan) = plan {
            assert_eq!(plan::rev::of(&plan), rev, "the stored plan has its revision still");
        }
    }
    let actions: Value =
        block(store.actions(&PageRequest::first(ALL))).unwrap().rows.into_iter().map(|(_, row)| json!(row)).collect();
    ends_with(&told["actions"], &actions, "actions");
}

fn check_sound(copy: &Copy) -> Value {
    let (code, doctor, err) = copy.verb(&["doctor"]);
    assert!(matches!(code, 0 | 3) && doctor[0]["sound"] == true, "doctor ended with {code}: {doctor:?} {err}");
    let (code, verify, err) = copy.verb(&["log", "verify"]);
    assert!(code == 0 && verify[0]["sound"] == true, "log verify ended with {code}: {verify:?} {err}");
    json!([doctor[0], verify[0]])
}

/// The run of a line of the history, where it ended without anybody approving it.
fn untold(run: &Value) -> Option<String> {
    let ended = run["state"].as_str().is_some_and(|state| matches!(state, "declined" | "collect_failed" | "empty"));
    ended.then(|| run["run"].as_str().unwrap().to_owned())
}

/// What the verbs of 0.1.0 said, after they had looked after what a crash left.
fn check_verbs(copy: &Copy, told: &Value) {
    // Before anything that looks after it.
    let doctor = &copy.lines(&["doctor"])[0];
    for key in ["sound", "damage", "torn", "runs", "open_runs", "bills", "unresolved", "unknown", "in_flight"] {
        holds(&told["verb_doctor"][key], &doctor[key], &format!("doctor {key}"));
    }
    assert_eq!(doctor["kept"], json!([]), "nothing of a sound directory is put aside");
    holds(&told["verb_history"], &json!(copy.lines(&["history", "-n", "1000"])), "history");
    let bills = |lines: &[Value]| -> Value { lines.iter().filter(|line| line["type"] == "bill").cloned().collect() };
    let (then, now) = (told["verb_ledger"].as_array().unwrap(), copy.lines(&["ledger", "-n", "1000"]));
    if holds_of_ledger(&bills(then), &bills(&now)) == 0 {
        holds(&told["verb_ledger"], &json!(now), "ledger");
    }
    // Nothing is told of the bills of a run that nobody approved.
    let untold: BTreeSet<String> = told["verb_history"].as_array().unwrap().iter().filter_map(untold).collect();
    let export = told["verb_export"].as_array().unwrap().iter();
    let export: Vec<&Value> = export.filter(|row| !untold.contains(row["run"].as_str().unwrap())).collect();
    holds(&json!(export), &copy.export(), "export");
    holds(&told["verb_health"], &copy.lines(&["health"])[0], "health");
    ends_with(&told["verb_log"], &json!(copy.lines(&["log", "-n", "1000"])), "log");
    let (then, verify) = (&told["verb_verify"], &check_sound(copy)[1]);
    assert!(verify["lines"].as_u64() >= then["lines"].as_u64(), "lines of the action log are gone");
    let unfinished = |of: &Value| of["unfinished"].as_array().unwrap().clone();
    assert!(unfinished(verify).starts_with(&unfinished(then)), "cut short: {verify}");
}

/// Ends every open run, closes every unresolved entry; the old directory takes it and is whole afterwards.
fn end_all(copy: &Copy) {
    // More than once, and whatever the code: the verb of 0.1.0 leaves before a run that waited is closed, and says 4.
    for _ in 0..5 {
        for run in copy.lines(&["history", "-n", "1000"]).iter().filter(|run| run["closed_ms"].is_null()) {
            copy.verb(&["cancel", run["run"].as_str().unwrap()]);
        }
    }
    let left = copy.lines(&["ledger", "--groups"]);
    if !left.is_empty() {
        copy.lines(&["resolve", "--all", "--reason", "the directory is old"]);
    }
    assert_eq!(copy.lines(&["ledger"]), [Value::Null; 0], "nothing is left over");
    for run in copy.lines(&["history", "-n", "1000"]) {
        // A run that nobody approved closes with its bills as they were found.
        let told = ["audited", "already_audited", "skipped", "failed", "unknown", "not_reached"];
        let is_told = told.iter().any(|column| run[*column] != 0);
        assert!(run["sum_closes"] == true && (run["waiting"] == 0 || !is_told), "{run}");
        assert!(!run["closed_ms"].is_null(), "{run}");
    }
    check_sound(copy);
}

fn means_what_it_said(name: &str) {
    let (copy, told) = (Copy::of(name), told(name));
    let store = copy.open();
    // Its history is counted, hour by hour.
    assert_eq!(hours::told(&store), hours::counted(&store));
    check_store(&store, &told);
    store.close().unwrap();
    drop(store);
    check_verbs(&copy, &told);
    end_all(&copy);
    // A second opening finds the same.
    let (store, again) = (copy.open(), Copy::of(name));
    assert_eq!(runs(&store).len(), told["runs"].as_array().unwrap().len());
    assert_eq!(block(store.unresolved(None)).unwrap(), 0);
    // Without its index it is the same, too.
    if again.data().join("sled").exists() {
        std::fs::remove_dir_all(again.data().join("sled")).unwrap();
    }
    check_store(&again.open(), &told);
}

macro_rules! directories {
    ($($test:ident $name:literal)*) => {
        const NAMES: &[&str] = &[$($name),*];
        $(
            #[test]
            fn $test() {
                means_what_it_said($name);
            }
        )*
    };
}

directories! {
    a_plan_across_two_environments_means_what_it_said "across"
    a_set_that_waits_for_approval_means_what_it_said "awaiting"
    every_way_to_close_means_what_it_said "closed"
    the_first_of_two_consents_means_what_it_said "consent"
    three_deaths_on_one_bill_mean_what_they_said "deaths"
    a_set_that_is_half_cancelled_means_what_it_said "half-cancelled"
    an_interrupted_run_means_what_it_said "interrupted"
    a_killed_process_means_what_it_said "killed"
    a_log_ahead_of_the_journal_means_what_it_said "log-ahead"
    a_directory_without_runs_means_what_it_said "new"
    an_operation_means_what_it_said "operation"
    paused_runs_mean_what_they_said "paused"
    a_pruned_directory_means_what_it_said "pruned"
    a_restored_directory_means_what_it_said "restored"
    a_restored_directory_in_use_means_what_it_said "restored-used"
    a_scheduled_run_means_what_it_said "scheduled"
    a_sealed_segment_means_what_it_said "sealed"
    unknown_bills_mean_what_they_said "unknown"
}

#[test]
fn every_directory_is_tested_and_together_they_hold_every_state() {
    let files: BTreeSet<String> =
        std::fs::read_dir(golden("")).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    let wanted: BTreeSet<&str> = files.iter().filter_map(|file| file.strip_suffix(".tar.gz")).collect();
    assert_eq!(wanted, NAMES.iter().copied().collect());
    let mut seen = BTreeSet::new();
    // The one key of an externally tagged value, or the value itself.
    let tag = |value: &Value| match value {
        Value::Object(map) => map.keys().next().unwrap().clone(),
        other => other.as_str().unwrap().to_owned(),
    };
    for name in NAMES {
        let told = told(name);
        let list = |key: &str| told[key].as_array().unwrap().clone();
        for run in list("runs") {
            let (state, inner) = (tag(&run["state"]), &run["state"]);
            match state.as_str() {
                "closed" | "paused" => seen.insert(format!("{state} {}", tag(&inner[&state]))),
                _ => seen.insert(state),
            };
            seen.insert(format!("kind {}", run["head"]["kind"].as_str().unwrap()));
            for key in ["consent", "flags", "pruned"] {
                seen.extend((!run[key].is_null()).then(|| key.to_owned()));
            }
            seen.extend((!run["collected"]["absent"].is_null()).then(|| "absent".to_owned()));
        }
        for bill in list("bills") {
            let state = tag(&bill["s"]);
            seen.extend((state != "s").then(|| format!("bill {state}")));
            if let Some(outcome) = bill["s"].get("s") {
                let outcome = outcome.as_object().unwrap().iter().next().unwrap();
                seen.insert(match outcome {
                    (key, skip) if key == "sk" => format!("skipped {}", tag(skip)),
                    (key, unknown) if key == "un" => format!("unknown {}", tag(&unknown["w"])),
                    (key, failure) if key == "fa" => format!("failed {}", failure["c"].as_str().unwrap()),
                    (key, inner) if key == "au" => format!("audited {}", inner["v"]),
                    (key, _) => key.clone(),
                });
            }
        }
        seen.extend(list("verb_log").iter().map(|line| format!("order {}", line["verb"].as_str().unwrap())));
        seen.extend(list("plans").iter().map(|plan| format!("plan {}", plan["plan"].as_str().unwrap())));
    }
    let all = [
        "collecting",
        "awaiting_approval",
        "working",
        "settling",
        "interrupted",
        "paused operator",
        "paused stopped",
        "closed completed",
        "closed empty",
        "closed cancelled",
        "closed declined",
        "closed collect_failed",
        "consent",
        "flags",
        "pruned",
        "absent",
        "kind fresh",
        "kind retry",
        "kind verify",
        "bill w",
        "bill t",
        "bill r",
        "audited true",
        "audited false",
        "al",
        "skipped created",
        "skipped reaudit",
        "skipped changed",
        "skipped gone",
        "skipped not_reached",
        "skipped quarantined",
        "failed stock",
        "failed validation",
        "failed permission",
        "unknown changed_since",
        "unknown broken",
        "unknown timed_out",
        "unknown unreadable",
        "unknown http_status",
        "unknown server_fault",
        "unknown process_died",
        "order resolve",
        "order retry",
        "order unlock",
        "order pause",
        "plan sal_order_close",
    ];
    let missing: Vec<&str> = all.into_iter().filter(|state| !seen.contains(*state)).collect();
    assert_eq!(missing, [""; 0], "of {seen:?}");
}
