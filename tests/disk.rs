//! A disk that fills up, turns read-only or fails a flush under the real binary: nothing is sent after the failed
//! write, the screen says why, and once the disk is well again every bill is settled and audited once
//! (docs/design/storage.md#a-full-disk).
//!
//! Needs `unshare` with a mount namespace (and `strace` for the failing flush); says so where it cannot run.
#![allow(
    missing_docs,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::print_stderr
)]

use std::path::Path;
use std::process::{Command, Stdio};

use serde_json::Value;
use skydeck::sim::faults::{FaultPlan, Kind, Rule, When};

#[path = "support/place.rs"]
mod place;
#[path = "support/pty.rs"]
mod pty;

/// What each script begins with: a small file system of its own under the data directory, the demo, a wait until the
/// run is at work, and the second life that has to settle everything.
const PRELUDE: &str = r#"
set -u
mkdir -p "$D/data"
mount -t tmpfs -o size=48m,mode=0700 none "$D/data" || exit 77
life() {
    exec "$SKYDECK" demo --headless --json --lang en --bills 400 --faults none --per-minute 6000 --concurrency 8 \
        --settle 300ms --data "$D" >"$D/$1.out" 2>"$D/$1.err" </dev/null
}
demo() { ( life "$1" ); }
at_work() {
    n=0
    while [ "$(cat "$D"/data/journal/* 2>/dev/null | wc -c)" -lt 120000 ]; do
        n=$((n + 1)); [ $n -lt 600 ] || exit 78
        sleep 0.05
    done
}
"#;

/// The directory must look like a demo's before the mount can be made inside it.
fn ground(dir: &Path) {
    std::fs::write(dir.join("skydeck-demo"), "running\n").unwrap();
}

/// Runs a script in a mount namespace; `None` (said aloud) where this machine gives none.
fn script(dir: &Path, body: &str) -> Option<i32> {
    for flags in ["-m", "-rm"] {
        let status = Command::new("unshare")
            .args([flags, "sh", "-c", &format!("{PRELUDE}\n{body}")])
            .env("D", dir)
            .env("SKYDECK", env!("CARGO_BIN_EXE_skydeck"))
            .stdin(Stdio::null())
            .stderr(Stdio::null())
            .status();
        match status.ok().and_then(|s| s.code()) {
            Some(77 | 1 | 127) | None => {}
            code => return code,
        }
    }
    eprintln!("SKIPPED: no mount namespace here (unshare -m, unshare -rm)");
    None
}

fn line(dir: &Path, life: &str, kind: &str) -> Option<Value> {
    let text = std::fs::read_to_string(dir.join(format!("{life}.out"))).unwrap();
    text.lines().filter_map(|l| serde_json::from_str::<Value>(l).ok()).rfind(|v| v["type"] == kind)
}

fn said(dir: &Path, life: &str) -> String {
    std::fs::read_to_string(dir.join(format!("{life}.err"))).unwrap()
}

/// The first life: its last line tells of every bill, and no call whose outcome could not be stored waits in it.
fn stopped_by_the_store(dir: &Path) {
    let run = line(dir, "first", "run").unwrap_or_else(|| panic!("no last line: {}", said(dir, "first")));
    assert_eq!((&run["state"], &run["sum_closes"]), (&Value::from("paused"), &Value::from(true)), "{run}");
    assert!(run["waiting"].as_u64().unwrap() > 0, "{run}");
    let lost = run["unknown"].as_u64().unwrap();
    let code = std::fs::read_to_string(dir.join("first.code")).unwrap();
    assert_eq!(code.trim(), if lost > 0 { "3" } else { "6" }, "{run} {}", said(dir, "first"));
    assert_eq!(run["exit"].to_string(), code.trim(), "{run}");
}

/// The second life: everything settled, the simulator agrees bill by bill.
fn settled(dir: &Path) {
    let verdict = line(dir, "second", "simulator").unwrap_or_else(|| panic!("no verdict: {}", said(dir, "second")));
    assert_eq!(verdict["agrees"], true, "{verdict}");
    let run = line(dir, "second", "run").unwrap();
    assert_eq!(run["sum_closes"], true, "{run}");
    assert_eq!((&run["unknown"], &run["waiting"]), (&Value::from(0), &Value::from(0)), "{run}");
}

#[test]
fn a_full_disk_stops_the_writes_and_loses_nothing() {
    let dir = tempfile::tempdir().unwrap();
    ground(dir.path());
    let body = r#"
life first & pid=$!
at_work
dd if=/dev/zero of="$D/data/fill" bs=4k status=none 2>/dev/null
wait $pid; echo "$?" >"$D/first.code"
rm "$D/data/fill"
demo second; echo "$?" >"$D/second.code"
"#;
    let Some(code) = script(dir.path(), body) else { return };
    assert_eq!(code, 0, "the script itself");
    stopped_by_the_store(dir.path());
    assert!(said(dir.path(), "first").contains("space"), "{}", said(dir.path(), "first"));
    settled(dir.path());
}

#[test]
fn a_disk_that_turns_read_only_stops_the_writes_and_loses_nothing() {
    let dir = tempfile::tempdir().unwrap();
    ground(dir.path());
    // A file system with files open for writing cannot be made read-only, so the first life ends before.
    let body = r#"
life first & pid=$!
at_work
kill -KILL $pid; wait $pid
mount -o remount,ro "$D/data" || exit 79
demo ro; echo "$?" >"$D/ro.code"
mount -o remount,rw "$D/data" || exit 79
demo second; echo "$?" >"$D/second.code"
"#;
    let Some(code) = script(dir.path(), body) else { return };
    assert_eq!(code, 0, "the script itself");
    let code = std::fs::read_to_string(dir.path().join("ro.code")).unwrap();
    assert!(matches!(code.trim(), "2" | "4"), "{code}: {}", said(dir.path(), "ro"));
    assert!(said(dir.path(), "ro").to_lowercase().contains("read-only"), "{}", said(dir.path(), "ro"));
    assert!(line(dir.path(), "ro", "run").is_none(), "nothing may run on a store that takes no writes");
    settled(dir.path());
}

#[test]
fn a_failed_flush_stops_the_writes_and_loses_nothing() {
    if Command::new("strace").arg("-V").stdout(Stdio::null()).stderr(Stdio::null()).status().is_err() {
        eprintln!("SKIPPED: strace is not installed");
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    ground(dir.path());
    // From the 60th flush on, every one fails as a dying disk does.
    let body = r#"
strace -f -qq -o /dev/null -e trace=fdatasync -e inject=fdatasync:error=EIO:when=60+ \
    "$SKYDECK" demo --headless --json --lang en --bills 400 --faults none --per-minute 6000 --concurrency 8 \
    --settle 300ms --data "$D" >"$D/first.out" 2>"$D/first.err" </dev/null
echo "$?" >"$D/first.code"
demo second; echo "$?" >"$D/second.code"
"#;
    let Some(code) = script(dir.path(), body) else { return };
    assert_eq!(code, 0, "the script itself");
    stopped_by_the_store(dir.path());
    settled(dir.path());
}

/// A run whose pages come slowly, on a disk that fills up while they come; whether room was set aside before, or none.
fn filled_while_collecting(size: &str, signal: &str) {
    let place = place::Place::new(900);
    let plan = place.dir.path().join("plans/sal_outstock_audit.json");
    let mut text: Value = serde_json::from_str(&std::fs::read_to_string(&plan).unwrap()).unwrap();
    text["skydeck"]["page_size"] = 5.into();
    std::fs::write(&plan, text.to_string()).unwrap();
    let slow = Rule::new(Kind::Delay, When::Before).on(&["ExecuteBillQuery"]).ms(500);
    place.sim.as_ref().unwrap().with_world(|world| world.add_faults(FaultPlan { rules: vec![slow] }));
    // Ends by itself, or at one signal; three minutes are longer than any of it takes.
    let body = r#"
umount "$D/data"; mount -t tmpfs -o size=SIZE,mode=0700 none "$D/data" || exit 77
"$SKYDECK" --config "$D/config.toml" --data "$D/data" --lang en run sal_outstock_audit --yes --json \
    >"$D/first.out" 2>"$D/first.err" </dev/null & pid=$!
n=0
until grep -q . "$D/first.out" 2>/dev/null || grep -rqs sal_outstock "$D/data/journal"; do
    n=$((n + 1)); [ $n -lt 1200 ] || exit 78
    sleep 0.05
done
dd if=/dev/zero of="$D/data/fill" bs=4k status=none 2>/dev/null
SIGNAL
n=0
while kill -0 $pid 2>/dev/null && [ "$(cut -d' ' -f3 /proc/$pid/stat)" != Z ]; do
    n=$((n + 1)); [ $n -lt 1800 ] || { kill -KILL $pid; wait $pid; exit 80; }
    sleep 0.1
done
wait $pid; echo "$?" >"$D/first.code"
rm "$D/data/fill"
"#;
    let body = body.replace("SIZE", size).replace("SIGNAL", signal);
    let dir = place.dir.path();
    let Some(code) = script(dir, &body) else { return };
    assert_eq!(code, 0, "80: it did not end; {} {}", said(dir, "first"), log(dir));
    let code = std::fs::read_to_string(dir.join("first.code")).unwrap();
    assert_eq!(code.trim(), "6", "{}", said(dir, "first"));
    if signal.is_empty() {
        assert!(said(dir, "first").to_lowercase().contains("space"), "{}", said(dir, "first"));
    }
    assert_eq!(place.audits().len(), 0, "nothing was approved");
}

fn log(dir: &Path) -> String {
    std::fs::read_to_string(dir.join("data/skydeck.log")).unwrap_or_default()
}

#[test]
fn a_disk_that_fills_while_a_run_collects_ends_the_verb() {
    filled_while_collecting("48m", "");
    filled_while_collecting("24m", "");
}

#[test]
fn one_signal_ends_a_verb_whose_disk_filled_while_it_collected() {
    filled_while_collecting("48m", "kill -TERM $pid");
}
