//! kill -9 on the real binary, again and again, in the middle of runs; then everything is compared with the
//! simulator's own record: no audit applied twice, none said that was not applied, none applied that is not said,
//! every sum closed, nothing unknown left.
//!
//! `SKYDECK_KILLS=200 cargo test --release --test crash -- --nocapture` is the long form.
#![allow(
    missing_docs,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::print_stdout
)]

use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;

/// Longest a demo may take to end by itself.
const LIMIT: Duration = Duration::from_secs(120);

fn demo(dir: &Path, fault: Option<&str>) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_skydeck"));
    command
        .args(["demo", "--headless", "--json", "--lang", "en", "--bills", "400", "--faults", "none"])
        .args(["--per-minute", "6000", "--concurrency", "8", "--settle", "300ms", "--data"])
        .arg(dir)
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .stdin(Stdio::null());
    if let Some(fault) = fault {
        command.env("SKYDECK_FAULT", fault);
    }
    command
}

/// Waits for a child without losing its output; kills it at the limit.
fn finish(mut child: Child, limit: Duration) -> (Option<i32>, String, String) {
    let (out, err) = (child.stdout.take().unwrap(), child.stderr.take().unwrap());
    let read = |mut from: Box<dyn std::io::Read + Send>| {
        std::thread::spawn(move || {
            let mut text = String::new();
            let _ = from.read_to_string(&mut text);
            text
        })
    };
    let (out, err) = (read(Box::new(out)), read(Box::new(err)));
    let began = Instant::now();
    let status = loop {
        if let Some(status) = child.try_wait().unwrap() {
            break status;
        }
        if began.elapsed() >= limit {
            child.kill().unwrap();
            break child.wait().unwrap();
        }
        std::thread::sleep(Duration::from_millis(2));
    };
    (status.code(), out.join().unwrap(), err.join().unwrap())
}

fn lines(text: &str, kind: &str) -> Vec<Value> {
    text.lines().filter_map(|l| serde_json::from_str::<Value>(l).ok()).filter(|v| v["type"] == kind).collect()
}

/// Runs the demo to its end and checks what it says against the simulator.
fn settle_all(dir: &Path, at: &str) {
    let (code, out, err) = finish(demo(dir, None).spawn().unwrap(), LIMIT);
    let verdict =
        lines(&out, "simulator").pop().unwrap_or_else(|| panic!("{at}: no verdict; exit {code:?}\n{err}\n{out}"));
    assert_eq!(verdict["agrees"], true, "{at}: {verdict}");
    let run = lines(&out, "run").pop().unwrap_or_else(|| panic!("{at}: no sum\n{err}"));
    assert_eq!(run["sum_closes"], true, "{at}: {run}");
    assert_eq!(run["unknown"], 0, "{at}: {run}");
    assert_eq!(run["waiting"], 0, "{at}: {run}");
    assert_eq!(code, Some(i32::from(run["failed"] != 0)), "{at}: {run}\n{err}");
}

#[test]
fn nothing_is_lost_or_doubled_by_kill_nine() {
    let kills: u32 = std::env::var("SKYDECK_KILLS").ok().and_then(|n| n.parse().ok()).unwrap_or(6);
    let mut landed = 0;
    let mut round = 0;
    let mut seed = 0x9e37_79b9_u64;
    while landed < kills {
        let dir = tempfile::tempdir().unwrap();
        round += 1;
        // Several kills on one history, until the run comes through; then a new one.
        for _ in 0..12 {
            seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            let after = Duration::from_millis(40 + (seed >> 33) % 900);
            let (code, out, _) = finish(demo(dir.path(), None).spawn().unwrap(), after);
            if code.is_none() {
                landed += 1;
            } else if !lines(&out, "simulator").is_empty() {
                break;
            }
            if landed >= kills {
                break;
            }
        }
        settle_all(dir.path(), &format!("round {round} after {landed} kills"));
    }
    println!("{landed} kills in {round} histories: 0 lost, 0 doubled");
}

#[test]
fn death_at_every_numbered_point_is_recovered() {
    for point in skydeck::store::fault::CALL {
        let dir = tempfile::tempdir().unwrap();
        let (code, _, _) = finish(demo(dir.path(), Some(&format!("{point}:3"))).spawn().unwrap(), LIMIT);
        // Settling points are passed only where something is unknown; then the process lives, and that is right.
        if !point.contains("settle") {
            assert_eq!(code, None, "{point} must end the process");
        }
        settle_all(dir.path(), point);
    }
}

/// An operator puts an old copy of the data directory back. What was audited in between is
/// unknown to that copy, so only reading before each call keeps it from being audited again.
#[test]
fn an_old_copy_put_back_audits_nothing_twice() {
    let dir = tempfile::tempdir().unwrap();
    let (data, old) = (dir.path().join("data"), dir.path().join("old"));
    let (code, _, err) = finish(demo(dir.path(), Some("after_outcome:40")).spawn().unwrap(), LIMIT);
    assert_eq!(code, None, "the fault point must end the process: {err}");
    copy(&data, &old);
    settle_all(dir.path(), "the first life");
    std::fs::remove_dir_all(&data).unwrap();
    std::fs::rename(&old, &data).unwrap();
    std::fs::write(dir.path().join("skydeck-demo"), "running\n").unwrap();

    let (code, out, err) = finish(demo(dir.path(), None).spawn().unwrap(), LIMIT);
    let verdict = lines(&out, "simulator").pop().unwrap_or_else(|| panic!("no verdict; exit {code:?}\n{err}\n{out}"));
    assert_eq!(verdict["applied_twice"], serde_json::json!([]), "{verdict}");
    assert_eq!(verdict["said_but_not_applied"], serde_json::json!([]), "{verdict}");
    assert_ne!(verdict["applied_but_not_said"], serde_json::json!([]), "the copy cannot know: {verdict}");
    let run = lines(&out, "run").pop().unwrap_or_else(|| panic!("no sum\n{err}"));
    assert_eq!(run["sum_closes"], true, "{run}");
    assert!(run["already_audited"].as_u64().is_some_and(|n| n > 0), "{run}");
}

fn copy(from: &Path, to: &Path) {
    std::fs::create_dir(to).unwrap();
    std::fs::set_permissions(to, std::fs::metadata(from).unwrap().permissions()).unwrap();
    for entry in std::fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let target = to.join(entry.file_name());
        if entry.file_type().unwrap().is_dir() {
            copy(&entry.path(), &target);
        } else if entry.file_type().unwrap().is_file() {
            std::fs::copy(entry.path(), target).unwrap();
        }
    }
}
