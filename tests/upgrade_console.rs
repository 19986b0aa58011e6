//! What people and services meet when a directory is of version 1: the console asks before anything is changed, verbs and
//! services make the backup themselves or refuse with the command, whoever only looks raises nothing, and an owner of
//! 0.1.0 is asked to end in order.
#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

#[path = "support/earlier.rs"]
mod earlier;
#[path = "support/place.rs"]
mod place;
#[path = "support/pty.rs"]
mod pty;
mod store_kit;

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};

use earlier::{Earlier, tree, version};
use place::{PROGRAM, Place, until};
use pty::{Pty, Start};
use rustix::process::{Pid, Signal, kill_process};
use skydeck::store::backup;

/// Set where this program is its own child: the directory to hold as 0.1.0 does.
const OLD_OWNER: &str = "SKYDECK_OLD_OWNER";

/// A place whose data directory is of version 1.
fn earlier_place() -> Place {
    let place = Place::new(5);
    earlier::make(&place.data());
    place
}

type Tree = std::collections::BTreeMap<PathBuf, Vec<u8>>;

fn own((path, bytes): (&PathBuf, &Vec<u8>)) -> (PathBuf, Vec<u8>) {
    (path.clone(), bytes.clone())
}

fn backups(place: &Place) -> Vec<PathBuf> {
    let all = std::fs::read_dir(place.dir.path()).unwrap().map(|entry| entry.unwrap().path());
    all.filter(|path| path.file_name().unwrap().to_string_lossy().starts_with("data.backup-0.1.0-")).collect()
}

fn said(out: &Output) -> String {
    format!("{}{}", String::from_utf8_lossy(&out.stdout), String::from_utf8_lossy(&out.stderr))
}

fn console(place: &Place, lang: &str) -> Pty {
    let mut options = place.options();
    lang.clone_into(options.last_mut().unwrap());
    let args: Vec<&str> = options.iter().map(String::as_str).collect();
    Pty::start(&Start { program: PROGRAM, args: &args, env: &[("LANG", "zh_CN.UTF-8")], size: (150, 40) })
}

#[test]
fn a_console_asks_in_its_language_and_a_no_changes_not_one_byte() {
    let place = earlier_place();
    let before = tree(&place.data());
    for (lang, words) in [
        (
            "en",
            ["was written by Skydeck 0.1.0", "backup:", "free:", "Skydeck 0.1.0 refuses", "[q] quit, change nothing"],
        ),
        ("zh", ["由 Skydeck 0.1.0 写成", "备份：", "可用：", "Skydeck 0.1.0 将拒绝", "[q] 退出，不作任何更改"]),
    ] {
        for answer in [&b"q\n"[..], b"\x04"] {
            let mut console = console(&place, lang);
            for word in words {
                console.wait_text(word);
            }
            console.send(answer);
            let (code, _) = console.wait_end();
            assert_eq!(code, 4, "{}", console.text());
            let last = if lang == "en" { "nothing was changed" } else { "未作任何更改" };
            assert!(console.text().contains(last), "{}", console.text());
            assert!(!console.screen(vt100::Screen::alternate_screen));
        }
    }
    assert_eq!(tree(&place.data()), before);
    assert!(backups(&place).is_empty() && !place.is_owned());
}

#[test]
fn a_console_that_is_told_to_go_on_raises_the_directory_with_the_backup_or_without() {
    for (answer, kept) in [(&b"\n"[..], 1), (b"x\nb\n", 1), (b"w\n", 0)] {
        let place = earlier_place();
        let mut console = place.console();
        console.wait_text("[q] quit, change nothing");
        console.send(answer);
        console.wait_text("销售出库单");
        until("the directory is raised", || version(&place.data()) == "skydeck store 2\n");
        until("it is owned", || place.is_owned());
        let backups = backups(&place);
        assert_eq!(backups.len(), kept, "{answer:?}");
        assert!(backups.iter().all(|at| backup::manifest(at).is_ok_and(|made| made.facts > 100)));
        // The second console finds nothing to ask.
        place.console().wait_text("销售出库单");
    }
}

#[test]
fn a_verb_makes_the_backup_by_itself_and_says_where() {
    let place = earlier_place();
    let out = place.verb(&["run", "sal_outstock_audit", "--yes", "--json"]);
    place::ended_as_it_says(&out);
    let kept = backups(&place);
    assert_eq!(kept.len(), 1);
    let words = String::from_utf8_lossy(&out.stderr);
    assert!(words.contains(&kept[0].display().to_string()), "{words}");
    assert!(
        words.contains("upgrading the index from layout 1 to 5") && words.contains("0.1.0 refuses it now"),
        "{words}"
    );
    assert_eq!(version(&place.data()), "skydeck store 2\n");
    let log = std::fs::read_to_string(place.data().join("skydeck.log")).unwrap();
    assert!(log.contains("raised to this program's version") && log.contains("backup-0.1.0-"), "{log}");
    // What was made is whole: looked at, and restored.
    let name = kept[0].display().to_string();
    let looking = ["history", "--snapshot", &name, "--lang", "en", "--json"];
    let look = Command::new(PROGRAM).args(looking).stdin(Stdio::null()).output().unwrap();
    assert!(look.status.success(), "{}", said(&look));
    assert_eq!(version(&kept[0]), "skydeck store 1\n", "looking raises nothing");
    assert_eq!(std::fs::read_dir(&kept[0]).unwrap().count(), 3, "journal, version, manifest");
}

#[test]
fn a_service_makes_the_backup_by_itself_and_says_where() {
    let place = earlier_place();
    let log = place.dir.path().join("service.log");
    let file = std::fs::File::create(&log).unwrap();
    let mut service = Command::new(PROGRAM).arg("serve").args(place.options()).stderr(file).spawn().unwrap();
    until("it serves", || std::fs::read_to_string(&log).unwrap().contains("serving"));
    let words = std::fs::read_to_string(&log).unwrap();
    let kept = backups(&place);
    assert!(kept.len() == 1 && words.contains(&kept[0].display().to_string()), "{words}");
    kill_process(Pid::from_child(&service), Signal::TERM).unwrap();
    assert!(service.wait().unwrap().success());
}

#[test]
fn whoever_only_looks_raises_nothing() {
    let place = earlier_place();
    let backup = place.dir.path().join("copy").display().to_string();
    let mut before = tree(&place.data());
    // What is left over from before is said: failed and unknown bills, and a run that was interrupted.
    for (code, verb) in [
        (0, &["history", "--json"][..]),
        (3, &["ledger", "--groups"]),
        (0, &["bill", "XSCKD000005"]),
        (0, &["log"]),
        (0, &["log", "verify"]),
        (1, &["health"]),
        (3, &["doctor"]),
        (0, &["doctor", "--export", &place.dir.path().join("facts.jsonl").display().to_string()]),
        (0, &["export", "--all", &place.dir.path().join("all.csv").display().to_string()]),
        (0, &["backup", &backup]),
    ] {
        let out = place.verb(verb);
        assert_eq!(out.status.code(), Some(code), "{verb:?}: {}", said(&out));
        let after = tree(&place.data());
        if verb == ["doctor"] {
            // As ever it takes the lock, and sled writes its own snapshot anew; what the index holds stays.
            let is_kept =
                |path: &PathBuf| !path.starts_with(place.data().join("sled")) && !path.ends_with("owner.lock");
            let kept = |tree: &Tree| tree.iter().filter(|(path, _)| is_kept(path)).map(own).collect::<Tree>();
            assert_eq!(kept(&after), kept(&before), "{verb:?}");
        } else {
            assert!(after == before, "{verb:?} changed something");
        }
        assert_eq!(version(&place.data()), "skydeck store 1\n", "{verb:?}");
        before = after;
    }
    let out = place.verb(&["history", "--json"]);
    let runs = String::from_utf8_lossy(&out.stdout).lines().count();
    assert_eq!(runs, 5, "a look answers as always: {}", said(&out));
    assert!(said(&out).contains("`skydeck upgrade --data"), "{}", said(&out));
    assert!(backup::manifest(Path::new(&backup)).unwrap().damaged.is_none());
    assert_eq!(version(Path::new(&backup)), "skydeck store 1\n");
}

#[test]
fn what_must_not_be_done_to_a_directory_of_before_is_refused_with_the_command() {
    let place = Place::with(5, "", "[retention]\naudited = \"1d\"\n");
    earlier::make(&place.data());
    for verb in [&["prune"][..], &["prune", "--yes"], &["doctor", "--rebuild"]] {
        let out = place.verb(verb);
        assert_eq!(out.status.code(), Some(2), "{verb:?}: {}", said(&out));
        let command = format!("`skydeck upgrade --data {}`", place.data().display());
        assert!(said(&out).contains(&command), "{verb:?}: {}", said(&out));
        assert_eq!(version(&place.data()), "skydeck store 1\n", "{verb:?}");
    }
    let out = place.verb(&["doctor", "--compact", "--json"]);
    let report: serde_json::Value = serde_json::from_slice(&out.stdout).unwrap();
    assert_eq!((&report["sound"], &report["version"], &report["index_layout"]), (&true.into(), &1.into(), &1.into()));

    let to = place.dir.path().join("elsewhere");
    let out = place.verb(&["upgrade", "--json", "--backup", &to.display().to_string()]);
    assert!(out.status.success(), "{}", said(&out));
    let line: serde_json::Value = serde_json::from_slice(&out.stdout).unwrap();
    assert_eq!((&line["from"], &line["to"], &line["backup"]), (&1.into(), &2.into(), &to.display().to_string().into()));
    assert!(backups(&place).is_empty() && backup::manifest(&to).is_ok());
    let out = place.verb(&["upgrade"]);
    assert!(out.status.success() && said(&out).contains("is of version 2"), "{}", said(&out));
    let out = place.verb(&["prune", "--yes"]);
    assert!(out.status.success(), "{}", said(&out));
    assert_eq!(version(&place.data()), "skydeck store 2\n");
}

#[test]
fn pruning_keeps_the_backup_that_had_to_go_into_the_directory() {
    let place = Place::with(5, "", "[retention]\naudited = \"1d\"\n");
    earlier::make(&place.data());
    let inside = place.data().join("backup-0.1.0-20261125T000000000");
    let out = place.verb(&["upgrade", "--backup", &inside.display().to_string()]);
    assert!(out.status.success(), "{}", said(&out));
    let out = place.verb(&["prune", "--yes"]);
    assert!(out.status.success(), "{}", said(&out));
    assert!(backup::manifest(&inside).is_ok());
    let names: Vec<_> = std::fs::read_dir(place.dir.path()).unwrap().map(|e| e.unwrap().file_name()).collect();
    assert!(!names.iter().any(|name| name.to_string_lossy().contains("pruning")), "{names:?}");
}

#[test]
fn a_directory_of_a_later_program_is_refused_by_everybody_and_left_alone() {
    let place = earlier_place();
    std::fs::write(place.data().join("version"), "skydeck store 3\n").unwrap();
    let before = tree(&place.data());
    for verb in [&["history"][..], &["run", "sal_outstock_audit"], &["upgrade"], &["doctor"], &["serve"], &["prune"]] {
        let out = place.verb(verb);
        assert_eq!(out.status.code(), Some(2), "{verb:?}: {}", said(&out));
        assert!(verb == ["prune"] || said(&out).contains("use the newer program"), "{verb:?}: {}", said(&out));
    }
    let mut console = place.console();
    let (code, _) = console.wait_end();
    assert_eq!(code, 2, "{}", console.text());
    let after = tree(&place.data());
    let lock = place.data().join("owner.lock");
    let is_other = |path: &PathBuf| *path != lock && !path.ends_with("owner.log");
    let others = |tree: &Tree| tree.iter().filter(|(path, _)| is_other(path)).map(own).collect::<Tree>();
    assert_eq!(others(&after), others(&before));
}

#[test]
fn a_demo_asks_nobody_and_keeps_nothing_of_before() {
    let dir = tempfile::tempdir().unwrap();
    let demo = || {
        let mut command = Command::new(PROGRAM);
        command.args([
            "demo",
            "--headless",
            "--json",
            "--lang",
            "zh",
            "--bills",
            "20",
            "--faults",
            "none",
            "--per-minute",
            "6000",
        ]);
        command.args(["--settle", "300ms", "--data"]).arg(dir.path()).stdin(Stdio::null()).output().unwrap()
    };
    place::ended_as_it_says(&demo());
    earlier::set_back(&dir.path().join("data"));
    let out = demo();
    place::ended_as_it_says(&out);
    assert!(said(&out).contains("数据目录已从版本 1 升级到版本 2"), "{}", said(&out));
    assert_eq!(version(&dir.path().join("data")), "skydeck store 2\n");
    let names: Vec<_> = std::fs::read_dir(dir.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert!(!names.iter().any(|name| name.to_string_lossy().contains("backup")), "{names:?}");
}

/// The child: holds a directory and answers its socket as 0.1.0 does, until it is told to end.
#[test]
fn an_owner_of_before() {
    let Ok(dir) = std::env::var(OLD_OWNER) else { return };
    let dir = PathBuf::from(dir);
    let mut lock = std::fs::File::options().write(true).open(dir.join("owner.lock")).unwrap();
    lock.try_lock().unwrap();
    let pid = std::process::id();
    lock.set_len(0).unwrap();
    lock.write_all(format!("pid {pid}\nwho op\nsince 2026-11-01 08:00:00\n").as_bytes()).unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let listener = tokio::net::UnixListener::bind(dir.join("owner.sock")).unwrap();
        loop {
            let (mut stream, _) = listener.accept().await.unwrap();
            let _ = skydeck::link::frame::read::<skydeck::link::frame::Request>(&mut stream, 1 << 20).await;
            let why = format!(
                "the owner (process {pid}) speaks version 4 of the protocol, this program 5: end the owner, then start again"
            );
            let _ = skydeck::link::frame::write(&mut stream, &skydeck::link::frame::Reply::Refused(why)).await;
        }
    });
}

struct OldOwner(Child);

impl OldOwner {
    fn start(place: &Place) -> Self {
        let child = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "an_owner_of_before"])
            .env(OLD_OWNER, place.data())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        until("the old owner serves", || place.data().join("owner.sock").exists() && place.is_owned());
        Self(child)
    }
}

impl Drop for OldOwner {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[test]
fn an_owner_of_before_is_said_with_the_command_and_ended_in_order_when_a_person_says_so() {
    let place = earlier_place();
    let mut old = OldOwner::start(&place);
    let command = format!("`skydeck serve --end --data {}`", place.data().display());
    for verb in [&["history"][..], &["run", "sal_outstock_audit", "--yes"], &["serve"], &["upgrade"]] {
        let out = place.verb(verb);
        assert_eq!(out.status.code(), Some(4), "{verb:?}: {}", said(&out));
        assert!(said(&out).contains(&command), "{verb:?}: {}", said(&out));
    }
    let mut first = place.console();
    first.wait_text("speaks version 4 of the protocol");
    first.wait_text("[e] end it in order");
    first.send(b"q\n");
    assert_eq!(first.wait_end().0, 4);
    assert!(old.0.try_wait().unwrap().is_none(), "no is no");

    let mut chinese = console(&place, "zh");
    chinese.wait_text("使用协议版本 4");
    chinese.send(b"e\n");
    chinese.wait_text("[b] 先备份再升级");
    assert!(!old.0.wait().unwrap().success(), "it was told to end");
    assert_eq!(version(&place.data()), "skydeck store 1\n");
    chinese.send(b"b\n");
    chinese.wait_text("销售出库单");
    until("the directory is raised", || version(&place.data()) == "skydeck store 2\n");
    assert_eq!(backups(&place).len(), 1);
    until("it is owned by this program", || place.is_owned());
}

#[test]
fn env_check_leaves_an_earlier_directory_byte_for_byte() {
    let place = Place::new(3);
    for earlier in Earlier::all() {
        let before = tree(&earlier.dir);
        let mut options = place.options();
        options[3] = earlier.dir.display().to_string();
        let out = Command::new(PROGRAM).args(["env", "check"]).args(&options).output().unwrap();
        let (said, err) = (String::from_utf8_lossy(&out.stdout), String::from_utf8_lossy(&out.stderr));
        assert!(said.contains("Audit: not refused"), "{}: {said}{err}", earlier.name);
        assert_eq!(tree(&earlier.dir), before, "{}", earlier.name);
        assert!(earlier.beside().is_empty(), "{}", earlier.name);
    }
}
