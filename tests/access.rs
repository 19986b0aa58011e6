//! Other users of the machine at the owner's door: real processes under another user id where this test may change it.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::print_stdout,
    clippy::print_stderr,
    missing_docs
)]

#[path = "support/place.rs"]
mod place;
#[path = "support/pty.rs"]
mod pty;

use std::io::{BufRead, BufReader};
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::Instant;

use place::{PROGRAM, Place, until};
use skydeck::domain::command::{Command as Ask, Order, Receipt, Refusal, Selection, StartParams};
use skydeck::domain::ids::{CommandId, PlanId, SessionId};
use skydeck::domain::reason::Reason;
use skydeck::domain::who::{Origin, Who};
use skydeck::link::frame::{self, REPLY_MAX, Reply, Request, VERSION};
use tokio::net::{UnixListener, UnixStream};

/// A user id nobody else has here.
const OTHER: u32 = 70_001;
/// Another one.
const THIRD: u32 = 70_002;

/// The program where every user can run it, and a place for the socket where every user can reach it.
struct Open {
    dir: tempfile::TempDir,
}

/// A copy of a program that can be started at once. Another process writes it: a file that is open for writing here is open, until they
/// run their own program, in the children that other tests start at this moment, and the kernel starts no program somebody may still write.
fn runnable_copy(from: &Path, to: &Path) {
    assert!(
        Command::new("cp").arg("--preserve=mode").args([from, to]).status().unwrap().success(),
        "{} was not copied",
        to.display()
    );
}

impl Open {
    fn new() -> Self {
        let dir = tempfile::Builder::new().prefix("skydeck-access").tempdir_in("/tmp").unwrap();
        std::fs::set_permissions(dir.path(), std::fs::Permissions::from_mode(0o755)).unwrap();
        runnable_copy(Path::new(PROGRAM), &dir.path().join("skydeck"));
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
    if !is_root() {
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
    let out = place.verb(&["approve", "--yes", "--json"]);
    place::ended_as_it_says(&out);
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
    let out = place.verb(&["run", "sal_outstock_audit", "--yes", "--json"]);
    place::ended_as_it_says(&out);
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

/// Names to this program which part it plays, and where.
const PART: &str = "SKYDECK_TEST_PART";
const AT: &str = "SKYDECK_TEST_AT";
/// Someone who has no role anywhere.
const STRANGER: u32 = 70_003;
/// Connections that one user who is not the owner may have, and all that the owner may have.
const OF_ONE_USER: usize = 16;
const OF_THE_OWNER: usize = 64;
/// Orders of a flood, and signs in each reason.
const FLOOD: u128 = 40;
const LONG: usize = 300_000;

impl Open {
    /// This program, as another user, playing a part at a socket. It runs until its input is closed, or by itself.
    fn part(&self, uid: u32, gid: u32, part: &str, at: &Path) -> Child {
        let copy = self.dir.path().join("part");
        if !copy.exists() {
            runnable_copy(&std::env::current_exe().unwrap(), &copy);
        }
        Command::new(copy)
            .args(["--exact", "a_part_of_another_user", "--ignored", "--nocapture", "--test-threads", "1"])
            .env_clear()
            .env(PART, part)
            .env(AT, at)
            .current_dir("/")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .gid(gid)
            .uid(uid)
            .spawn()
            .unwrap()
    }

    /// A part that ends by itself.
    fn played(&self, uid: u32, gid: u32, part: &str) {
        let out = self.part(uid, gid, part, &self.socket()).wait_with_output().unwrap();
        assert!(out.status.success(), "{part}: {}", said(&out));
        assert!(said(&out).contains("1 passed"), "{part} was never played: {}", said(&out));
    }
}

/// An owner whose second door is open to everybody's group, with one viewer and one approver.
fn owner_of(open: &Open) -> (Place, Child) {
    let tables = format!(
        "[access]\nsocket = \"{}\"\ngroup = \"daemon\"\nviewer = [{OTHER}]\napprover = [{THIRD}]\n",
        open.socket().display()
    );
    let place = Place::with(6, "read_only = false", &tables);
    let owner = serve(&place);
    until("the group's door", || open.socket().exists());
    (place, owner)
}

fn is_root() -> bool {
    let root = rustix::process::geteuid().is_root();
    if !root {
        eprintln!("SKIPPED: only root can run a process under another user id");
    }
    root
}

async fn attached(at: &Path) -> Result<UnixStream, String> {
    let mut stream = UnixStream::connect(at).await.unwrap();
    let hello = Request::Hello {
        version: VERSION,
        login: "root\u{202e}".to_owned(),
        from: Some("10.9.9.9\u{9b}".to_owned()),
        console: false,
    };
    // Whoever is turned away may find the door shut while he speaks; the answer is there all the same.
    let _ = frame::write(&mut stream, &hello).await;
    match frame::read::<Reply>(&mut stream, REPLY_MAX).await.map_err(|e| e.to_string())? {
        Reply::Welcome { .. } => Ok(stream),
        Reply::Refused(why) => {
            let end = frame::read::<Reply>(&mut stream, REPLY_MAX).await;
            assert!(end.is_err(), "refused, and still served: {end:?}");
            Err(why)
        }
        other => panic!("{other:?}"),
    }
}

/// What the owner answers to an order whose sender claims to be the engine of root.
async fn forged(stream: &mut UnixStream, n: u128, command: Ask) -> Receipt {
    let name = Some("root".to_owned());
    let by = Who {
        uid: 0,
        login: "root".into(),
        from: None,
        name,
        origin: Some(Origin::Engine),
        person: Some(1),
        host: None,
    };
    let session = Some(SessionId(ulid::Ulid::from_parts(1, 1)));
    let id = CommandId(ulid::Ulid::from_parts(5, n));
    let order = Order { id, by, session, headless: true, command };
    frame::write(stream, &Request::Submit(7, order)).await.unwrap();
    match frame::read::<Reply>(stream, REPLY_MAX).await.unwrap() {
        Reply::Receipt(7, receipt) => receipt,
        other => panic!("{other:?}"),
    }
}

fn start_of(plan: &str) -> Ask {
    Ask::Start { plan: PlanId::new(plan), params: StartParams::default() }
}

/// Counts what each connection says, and answers none.
async fn listens(at: &Path) {
    use tokio::io::AsyncReadExt;
    let listener = UnixListener::bind(at).unwrap();
    std::fs::set_permissions(at, std::fs::Permissions::from_mode(0o777)).unwrap();
    loop {
        let (mut stream, _) = listener.accept().await.unwrap();
        let mut words = vec![0; 4096];
        println!("heard {}", stream.read(&mut words).await.unwrap());
    }
}

#[test]
#[ignore = "the other tests start it, as another user"]
fn a_part_of_another_user() {
    let (Ok(part), Some(at)) = (std::env::var(PART), std::env::var_os(AT)) else { return };
    let at = PathBuf::from(at);
    let denied = |receipt: &Receipt| matches!(receipt, Receipt::Refused(Refusal::Denied(Reason::NotAllowed { .. })));
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        match part.as_str() {
            "flood" => {
                let mut stream = attached(&at).await.unwrap();
                for n in 0..FLOOD {
                    let selection = Selection::Bills(Vec::new());
                    let receipt = forged(&mut stream, n, Ask::Resolve { selection, reason: "x".repeat(LONG) }).await;
                    assert!(denied(&receipt), "{receipt:?}");
                }
            }
            "forge" => {
                let mut stream = attached(&at).await.unwrap();
                let receipt = forged(&mut stream, 900, start_of("nope")).await;
                assert!(matches!(receipt, Receipt::Refused(Refusal::NotFound(Reason::NoPlan { .. }))), "{receipt:?}");
            }
            "knock" => {
                for _ in 0..200 {
                    let why = attached(&at).await.unwrap_err();
                    assert!(why.contains("user id 70003 may not attach"), "{why}");
                }
            }
            "hold" => {
                let mut held = Vec::new();
                for _ in 0..OF_ONE_USER {
                    held.push(attached(&at).await.unwrap());
                }
                let why = attached(&at).await.unwrap_err();
                assert!(why.contains("has 16 connections already"), "{why}");
                println!("held {}", held.len());
                std::io::stdin().read_line(&mut String::new()).unwrap();
            }
            "listen" => listens(&at).await,
            other => panic!("no part {other}"),
        }
    });
}

/// Waits for a line of a part, which libtest may have begun with words of its own.
fn line_of(lines: &mut impl Iterator<Item = std::io::Result<String>>, word: &str) -> usize {
    loop {
        let line = lines.next().unwrap_or_else(|| panic!("it ended and never said {word}")).unwrap();
        if let Some((_, n)) = line.split_once(word) {
            return n.trim().parse().unwrap();
        }
    }
}

#[test]
fn a_flood_and_a_forged_name_leave_short_lines_under_the_kernels_user_id() {
    if !is_root() {
        return;
    }
    let open = Open::new();
    let daemon = gid_of_daemon();
    let (place, owner) = owner_of(&open);
    let began = Instant::now();
    open.played(OTHER, daemon, "flood");
    open.played(THIRD, daemon, "forge");
    open.played(STRANGER, daemon, "knock");
    let minutes = began.elapsed().as_secs() / 60;
    let text = std::fs::read_to_string(place.data().join("actions.log")).unwrap();
    let lines: Vec<serde_json::Value> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let of = |uid: u32| lines.iter().filter(|line| line["by"]["uid"] == uid).collect::<Vec<_>>();
    assert_eq!(of(0).len(), 0, "nobody was root: {text}");
    assert_eq!(of(OTHER).len() as u128, FLOOD, "a line each: {}", lines.len());
    assert!(text.lines().all(|line| line.len() < 1024), "whatever an order holds, its line is short");
    assert!((of(STRANGER).len() as u64) <= minutes + 1, "one line a minute: {text}");
    assert_eq!(of(THIRD).len(), 1, "{text}");
    let by = serde_json::json!({
        "uid": THIRD, "login": "root\u{202e}", "from": "10.9.9.9", "name": "70002", "origin": "person",
    });
    assert_eq!((&of(THIRD)[0]["by"], &of(THIRD)[0]["code"]), (&by, &"no_plan".into()));
    assert!(!text.chars().any(|c| c != '\n' && skydeck::text::hostile(c)), "{text}");
    let out = place.verb(&["log", "verify"]);
    assert!(out.status.success(), "{}", said(&out));
    end(owner);
}

#[test]
fn one_user_takes_no_place_of_another_at_either_door() {
    if !is_root() {
        return;
    }
    let open = Open::new();
    let daemon = gid_of_daemon();
    let (place, owner) = owner_of(&open);
    // A viewer holds all that is his.
    let mut viewer = open.part(OTHER, daemon, "hold", &open.socket());
    let mut lines = BufReader::new(viewer.stdout.take().unwrap()).lines();
    assert_eq!(line_of(&mut lines, "held "), OF_ONE_USER);
    let out = open.run_as(OTHER, daemon, &["history"]);
    assert!(!out.status.success() && said(&out).contains("has 16 connections already"), "{}", said(&out));
    let out = open.run_as(THIRD, daemon, &["history"]);
    assert!(out.status.success(), "another one of the group: {}", said(&out));
    // The owner's own user comes in by both doors, and both count.
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let (own, group) = (place.data().join("owner.sock"), open.socket());
        let mut held = Vec::new();
        for n in 0..OF_THE_OWNER {
            held.push(attached(if n % 3 == 0 { &group } else { &own }).await.unwrap());
        }
        for door in [&own, &group] {
            let why = attached(door).await.unwrap_err();
            assert!(why.contains("has 64 connections already"), "{why}");
        }
        let out = open.run_as(THIRD, daemon, &["history"]);
        assert!(out.status.success(), "the owner's own places are his: {}", said(&out));
    });
    // Closed, they are free again.
    drop(viewer.stdin.take());
    assert!(viewer.wait().unwrap().success());
    until("a place is free", || open.run_as(OTHER, daemon, &["history"]).status.success());
    until("a place is free", || place.verb(&["history"]).status.success());
    end(owner);
}

#[test]
fn a_fake_owner_hears_not_one_byte() {
    if !is_root() {
        return;
    }
    let open = Open::new();
    // A directory where everybody may make files, as /tmp is, and one of his own.
    let (shared, his) = (open.dir.path().join("shared"), open.dir.path().join("his"));
    for (dir, mode) in [(&shared, 0o1777), (&his, 0o755)] {
        std::fs::create_dir(dir).unwrap();
        std::fs::set_permissions(dir, std::fs::Permissions::from_mode(mode)).unwrap();
    }
    std::os::unix::fs::chown(&his, Some(OTHER), Some(OTHER)).unwrap();
    for (dir, wrong_owners) in [(&shared, &[None, Some(THIRD), Some(0)][..]), (&his, &[Some(THIRD), Some(0)])] {
        let socket = dir.join("owner.sock");
        let mut fake = open.part(OTHER, OTHER, "listen", &socket);
        let mut lines = BufReader::new(fake.stdout.take().unwrap()).lines();
        until("the fake owner", || std::fs::metadata(&socket).is_ok_and(|meta| meta.mode() & 0o777 == 0o777));
        let verb = |uid: u32, owner: Option<u32>| {
            let mut command = Command::new(open.dir.path().join("skydeck"));
            command.args(["--lang", "en", "--attach"]).arg(&socket).env_clear().env("HOME", "/nonexistent");
            if let Some(owner) = owner {
                command.args(["--owner", &owner.to_string()]);
            }
            command.arg("history").current_dir("/").stdin(Stdio::null()).gid(uid).uid(uid).output().unwrap()
        };
        let mut tried = 0;
        for owner in wrong_owners {
            for uid in [0, THIRD] {
                let out = verb(uid, *owner);
                assert!(!out.status.success() && said(&out).contains("nothing was said to it"), "{}", said(&out));
                tried += 1;
            }
        }
        for _ in 0..tried {
            assert_eq!(line_of(&mut lines, "heard "), 0);
        }
        // Whoever is named as the owner is spoken to: the ears were open.
        let out = verb(THIRD, Some(OTHER));
        assert!(!out.status.success(), "{}", said(&out));
        while line_of(&mut lines, "heard ") == 0 {}
        fake.kill().unwrap();
        fake.wait().unwrap();
    }
}
