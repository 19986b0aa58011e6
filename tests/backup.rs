//! Backups made in the middle of a run, restored and looked at; spoiled ones refused.
#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

#[path = "support/place.rs"]
mod place;
#[path = "support/pty.rs"]
mod pty;

use std::path::Path;
use std::process::{Command, Output, Stdio};

use place::{PROGRAM, Place, until};

fn said(out: &Output) -> String {
    format!("{}{}", String::from_utf8_lossy(&out.stdout), String::from_utf8_lossy(&out.stderr))
}

fn first_run(out: &Output) -> serde_json::Value {
    let text = String::from_utf8_lossy(&out.stdout);
    let line = text.lines().next().unwrap_or_else(|| panic!("no run: {}", said(out)));
    serde_json::from_str(line).unwrap()
}

/// A verb with another data directory.
fn at(place: &Place, data: &Path, verb: &[&str]) -> Output {
    let config = place.dir.path().join("config.toml");
    let mut command = Command::new(PROGRAM);
    command.args(verb).arg("--config").arg(config).arg("--data").arg(data).args(["--lang", "en"]);
    command.stdin(Stdio::null()).output().unwrap()
}

/// A verb that looks at a backup.
fn looking(backup: &Path, verb: &[&str]) -> Output {
    let mut command = Command::new(PROGRAM);
    command.args(verb).arg("--snapshot").arg(backup).args(["--lang", "en"]).stdin(Stdio::null()).output().unwrap()
}

#[test]
fn a_backup_in_the_middle_of_a_run_is_whole_and_a_restored_one_forgets_and_doubles_nothing() {
    let place = Place::new(80);
    let mut run = Command::new(PROGRAM)
        .args(["run", "sal_outstock_audit", "--yes"])
        .args(place.options())
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    until("some audits", || place.audits().len() >= 5);
    let backup = place.dir.path().join("backup");
    let name = backup.display().to_string();
    let out = place.verb(&["backup", &name]);
    assert!(out.status.success(), "{}", said(&out));
    let audited_then = place.audits().len();
    run.wait().unwrap();
    place.agree();
    let audits = place.audits();
    assert!(audits.len() > audited_then, "the run went on after the backup");

    // Looked at: the run as it was, and not one order is taken.
    let seen = first_run(&looking(&backup, &["history", "--json"]));
    assert_eq!(seen["sum_closes"], true, "{seen}");
    assert!(seen["audited"].as_u64().unwrap() <= audits.len() as u64, "{seen}");
    let out = looking(&backup, &["resolve", "--reason", "because"]);
    assert_eq!(out.status.code(), Some(4), "{}", said(&out));
    let before = std::fs::read_dir(&backup).unwrap().count();
    assert_eq!(before, 4, "looking leaves the backup as it is: journal, log, version, manifest");

    // Restored and gone on with: what was audited after the backup is read back, never audited again.
    let restored = place.dir.path().join("restored");
    let out = at(&place, &restored, &["restore", &name]);
    assert!(out.status.success(), "{}", said(&out));
    place::ended_as_it_says(&at(&place, &restored, &["resume", "--json"]));
    assert_eq!(place.audits(), audits, "nothing was called twice");
    let end = first_run(&at(&place, &restored, &["history", "--json"]));
    assert_eq!((&end["unknown"], &end["waiting"]), (&0.into(), &0.into()), "{end}");
    let sum = end["audited"].as_u64().unwrap() + end["already_audited"].as_u64().unwrap();
    assert_eq!(sum as usize, audits.len(), "every one of them is accounted for: {end}");
    let out = at(&place, &restored, &["log", "verify"]);
    assert!(out.status.success(), "{}", said(&out));
    let out = at(&place, &restored, &["doctor"]);
    assert!(out.status.success(), "{}", said(&out));
}

#[test]
fn a_spoiled_unfinished_or_misplaced_backup_is_refused() {
    let place = Place::new(5);
    place::ended_as_it_says(&place.verb(&["run", "sal_outstock_audit", "--yes", "--json"]));
    let backup = place.dir.path().join("backup");
    let name = backup.display().to_string();
    assert!(place.verb(&["backup", &name]).status.success());
    let out = place.verb(&["backup", &name]);
    assert_eq!(out.status.code(), Some(2), "it never writes over one: {}", said(&out));
    let out = at(&place, &place.data(), &["restore", &name]);
    assert!(!out.status.success() && said(&out).contains("not empty"), "{}", said(&out));

    let journal = backup.join("journal/00000001.log");
    let whole = std::fs::read(&journal).unwrap();
    let manifest = std::fs::read_to_string(backup.join("backup.json")).unwrap();
    let mut n = 0;
    let mut refused = |words: &str| {
        n += 1;
        let to = place.dir.path().join(format!("restored{n}"));
        for out in [at(&place, &to, &["restore", &name]), looking(&backup, &["history"])] {
            assert!(!out.status.success() && said(&out).contains(words), "{words}: {}", said(&out));
        }
    };
    let mut flipped = whole.clone();
    flipped[whole.len() / 2] ^= 1;
    std::fs::write(&journal, &flipped).unwrap();
    refused("another hash");
    std::fs::write(&journal, &whole[..whole.len() - 1]).unwrap();
    refused("another hash");
    std::fs::write(&journal, &whole).unwrap();
    std::fs::write(backup.join("backup.json"), manifest.replace("journal/", "../journal/")).unwrap();
    refused("is no name of a file");
    std::fs::remove_file(backup.join("backup.json")).unwrap();
    refused("never finished");
}
