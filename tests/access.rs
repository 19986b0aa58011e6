//! Other users of the machine at the owner's door: real processes under another user id where this test may change it.
#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

#[path = "support/place.rs"]
mod place;
#[path = "support/pty.rs"]
mod pty;

use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::{Command, Output, Stdio};

use place::{PROGRAM, Place, until};

/// A user id nobody else has here.
const OTHER: u32 = 70_001;
/// Another one.
const THIRD: u32 = 70_002;

/// The program where every user can run it, and a place for the socket where every user can reach it.
struct Open {
    dir: tempfile::TempDir,
}

impl Open {
    fn new() -> Self {
        let dir = tempfile::Builder::new().prefix("skydeck-access").tempdir_in("/tmp").unwrap();
        std::fs::set_permissions(dir.path(), std::fs::Permissions::from_mode(0o755)).unwrap();
        std::fs::copy(PROGRAM, dir.path().join("skydeck")).unwrap();
        Self { dir }
    }

    fn socket(&self) -> PathBuf {
        self.dir.path().join("owner.sock")
    }

    fn run_as(&self, uid: u32, gid: u32, args: &[&str]) -> Output {
        Command::new(self.dir.path().join("skydeck"))
            .args(["--lang", "en", "--attach"])
            .arg(self.socket())
            .args(args)
            .env_clear()
            .env("HOME", "/nonexistent")
            .current_dir("/")
            .stdin(Stdio::null())
            .gid(gid)
            .uid(uid)
            .output()
            .unwrap()
    }
}

fn serve(place: &Place) -> std::process::Child {
    let child = Command::new(PROGRAM)
        .arg("serve")
        .args(place.options())
        .stdin(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    until("the owner", || place.data().join("owner.sock").exists());
    child
}

fn end(mut child: std::process::Child) {
    let pid = rustix::process::Pid::from_child(&child);
    rustix::process::kill_process(pid, rustix::process::Signal::TERM).unwrap();
    child.wait().unwrap();
}

fn said(out: &Output) -> String {
    format!("{}{}", String::from_utf8_lossy(&out.stdout), String::from_utf8_lossy(&out.stderr))
}

#[test]
fn another_user_has_the_role_the_configuration_gives_and_a_stranger_none() {
    if !rustix::process::geteuid().is_root() {
        eprintln!("SKIPPED: only root can run a process under another user id");
        return;
    }
    let open = Open::new();
    let tables = format!(
        "[access]\nsocket = \"{}\"\ngroup = \"daemon\"\nviewer = [{OTHER}]\napprover = [{THIRD}]\n",
        open.socket().display()
    );
    let place = Place::with(20, "production = true\nread_only = false", &tables);
    let owner = serve(&place);
    until("the group's door", || open.socket().exists());
    let meta = std::fs::metadata(open.socket()).unwrap();
    let daemon = gid_of_daemon();
    assert_eq!((meta.mode() & 0o777, meta.gid()), (0o660, daemon));

    // Not of the group: the kernel keeps the door shut. Of the group and not named: the owner does.
    let out = open.run_as(OTHER, OTHER, &["history"]);
    assert!(!out.status.success(), "{}", said(&out));
    for _ in 0..3 {
        let out = open.run_as(70_003, daemon, &["history"]);
        assert!(!out.status.success() && said(&out).contains("user id 70003 may not attach"), "{}", said(&out));
    }

    // A viewer looks and orders nothing.
    let out = open.run_as(OTHER, daemon, &["history"]);
    assert!(out.status.success(), "{}", said(&out));
    let out = open.run_as(OTHER, daemon, &["run", "sal_outstock_audit", "--yes"]);
    assert_eq!(out.status.code(), Some(4), "{}", said(&out));
    assert!(said(&out).contains("needs the role operator, yours is viewer"), "{}", said(&out));

    // The first word in production is the approver's; the owner's own is the second.
    let out = open.run_as(THIRD, daemon, &["run", "sal_outstock_audit", "--yes"]);
    assert_eq!(out.status.code(), Some(4), "{}", said(&out));
    assert!(said(&out).contains("waits for a second approver"), "{}", said(&out));
    assert!(place.audits().is_empty());
    let out = place.verb(&["resume"]);
    assert!(!out.status.success(), "a set that waits for a word is not resumed: {}", said(&out));
    let out = place.verb(&["approve", "--yes"]);
    assert!(matches!(out.status.code(), Some(0 | 1)), "{}", said(&out));
    place.agree();
    assert!(!place.audits().is_empty());

    // Who was who, in the log: by the kernel's word.
    let out = place.verb(&["log", "verify"]);
    assert!(out.status.success(), "{}", said(&out));
    let lines = std::fs::read_to_string(place.data().join("actions.log")).unwrap();
    assert_eq!(lines.matches("\"uid\":70003,").count(), 1, "three knocks, one line: {lines}");
    for uid in [OTHER, THIRD, 0] {
        assert!(lines.contains(&format!("\"uid\":{uid},")), "{uid}: {lines}");
    }
    end(owner);
    assert!(!open.socket().exists(), "the door is gone with its owner");
}

fn gid_of_daemon() -> u32 {
    let groups = std::fs::read_to_string("/etc/group").unwrap();
    groups.lines().find_map(|line| line.strip_prefix("daemon:")?.split(':').nth(1)?.parse().ok()).unwrap()
}

#[test]
fn a_log_that_was_changed_is_named_and_what_is_good_is_exported() {
    let place = Place::new(5);
    let out = place.verb(&["run", "sal_outstock_audit", "--yes"]);
    assert!(matches!(out.status.code(), Some(0 | 1)), "{}", said(&out));
    let file = place.data().join("actions.log");
    let out = place.verb(&["log", "verify", "--json"]);
    let told: serde_json::Value = serde_json::from_slice(&out.stdout).unwrap();
    assert_eq!((&told["sound"], &told["journal_entries"]), (&true.into(), &2.into()), "{told}");
    assert_eq!(told["lines"], 5, "before and after of start and approve, and the run's end: {told}");
    assert_eq!(std::fs::metadata(&file).unwrap().mode() & 0o777, 0o600);

    let copy = place.dir.path().join("log.csv");
    let out = place.verb(&["log", "export", "--csv", &copy.display().to_string()]);
    assert!(out.status.success(), "{}", said(&out));
    let sheet = std::fs::read_to_string(&copy).unwrap();
    assert!(sheet.starts_with('\u{feff}') && sheet.lines().count() == 6, "{sheet}");

    // The last line is gone: the file is whole in itself, and the journal knows better.
    let whole = std::fs::read_to_string(&file).unwrap();
    let lines: Vec<&str> = whole.lines().collect();
    let change = |text: &str| std::fs::write(&file, text).unwrap();
    change(&(lines[..2].join("\n") + "\n"));
    let out = place.verb(&["log", "verify"]);
    assert_eq!(out.status.code(), Some(8));
    assert!(said(&out).contains("ends at line 2, and the journal tells of line 5"), "{}", said(&out));
    change(&whole.replace("\"n\":", "\"n\": "));
    let out = place.verb(&["log", "verify"]);
    assert!(said(&out).contains("actions.log:1"), "{}", said(&out));
    assert_eq!(out.status.code(), Some(8));
    let out = place.verb(&["run", "sal_outstock_audit", "--yes"]);
    assert_eq!(out.status.code(), Some(4), "{}", said(&out));
    let kept = std::fs::read_to_string(&file).unwrap();
    assert!(kept.starts_with(&whole.replace("\"n\":", "\"n\": ")), "it is kept, not lost");
}
