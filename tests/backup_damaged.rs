//! A directory that does not verify never becomes one that does by being copied, restored, pruned or exported.
#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

#[path = "support/place.rs"]
mod place;
#[path = "support/pty.rs"]
mod pty;

use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use place::{PROGRAM, Place};
use serde_json::Value;

const SEGMENT: &str = "journal/00000001.log";

fn said(out: &Output) -> String {
    format!("{}{}", String::from_utf8_lossy(&out.stdout), String::from_utf8_lossy(&out.stderr))
}

fn copy(from: &Path, to: &Path) {
    for dir in [to.to_path_buf(), to.join("journal")] {
        std::fs::create_dir(&dir).unwrap();
        std::fs::set_permissions(&dir, PermissionsExt::from_mode(0o700)).unwrap();
    }
    for name in [SEGMENT, "journal/known", "actions.log", "version"] {
        std::fs::copy(from.join(name), to.join(name)).unwrap();
    }
}

/// One directory at two moments: after a first run, and after a second one.
struct Site {
    place: Place,
    early: PathBuf,
    late: PathBuf,
}

impl Site {
    fn new() -> Self {
        let place = Place::with(6, "", "[retention]\naudited = \"1d\"\n");
        let (early, late) = (place.dir.path().join("early"), place.dir.path().join("late"));
        for (sweep, to) in [(false, &early), (true, &late)] {
            let verb = ["run", "sal_outstock_audit", "--yes", "--json", "--sweep"];
            place::ended_as_it_says(&place.verb(&verb[..if sweep { 5 } else { 4 }]));
            copy(&place.data(), to);
        }
        Self { place, early, late }
    }

    fn at(&self, name: &str) -> PathBuf {
        self.place.dir.path().join(name)
    }

    fn verb_in(&self, lang: &str, data: &Path, verb: &[&str]) -> Output {
        let mut command = Command::new(PROGRAM);
        command.args(verb).arg("--config").arg(self.at("config.toml")).arg("--data").arg(data).args(["--lang", lang]);
        command.stdin(Stdio::null()).output().unwrap()
    }

    fn verb(&self, data: &Path, verb: &[&str]) -> Output {
        self.verb_in("en", data, verb)
    }

    /// A verb that ends with this code, and whose words have these in them.
    fn ends(&self, data: &Path, verb: &[&str], code: i32, words: &[&str]) -> String {
        let out = self.verb(data, verb);
        let text = said(&out);
        assert_eq!(out.status.code(), Some(code), "{verb:?} in {}: {text}", data.display());
        assert!(words.iter().all(|word| text.contains(word)), "{verb:?}: no {words:?} in {text}");
        text
    }
}

type Harm = fn(&Site, &Path);

fn lines(dir: &Path) -> Vec<String> {
    std::fs::read_to_string(dir.join("actions.log")).unwrap().lines().map(str::to_owned).collect()
}

fn put(dir: &Path, lines: &[String]) {
    std::fs::write(dir.join("actions.log"), lines.join("\n") + "\n").unwrap();
}

fn forget(dir: &Path) {
    std::fs::remove_file(dir.join("journal/known")).unwrap();
}

/// What can happen to a directory, whether its journal still reads, and what is named.
const HARMS: [(&str, Harm, bool, &str); 10] = [
    (
        "the journal cut in the middle of a write, its note of the last fact gone",
        |site, dir| {
            let early = std::fs::metadata(site.early.join(SEGMENT)).unwrap().len();
            let file = std::fs::File::options().write(true).open(dir.join(SEGMENT)).unwrap();
            file.set_len(early + 7).unwrap();
            forget(dir);
        },
        true,
        "the journal is older than actions.log",
    ),
    (
        "an older journal",
        |site, dir| {
            std::fs::copy(site.early.join(SEGMENT), dir.join(SEGMENT)).unwrap();
            forget(dir);
        },
        true,
        "the journal is older than actions.log",
    ),
    (
        "an older journal and log beside a later note",
        |site, dir| {
            for name in [SEGMENT, "actions.log"] {
                std::fs::copy(site.early.join(name), dir.join(name)).unwrap();
            }
        },
        false,
        "were stored",
    ),
    (
        "a changed byte in the middle of the journal",
        |_, dir| {
            let mut bytes = std::fs::read(dir.join(SEGMENT)).unwrap();
            let at = bytes.len() / 2;
            bytes[at] ^= 1;
            std::fs::write(dir.join(SEGMENT), bytes).unwrap();
            forget(dir);
        },
        false,
        "00000001",
    ),
    (
        "an emptied journal",
        |_, dir| {
            std::fs::remove_file(dir.join(SEGMENT)).unwrap();
            forget(dir);
        },
        true,
        "the journal is empty",
    ),
    ("no journal", |_, dir| std::fs::remove_dir_all(dir.join("journal")).unwrap(), true, "the journal is empty"),
    (
        "a log cut at its end",
        |_, dir| {
            let lines = lines(dir);
            put(dir, &lines[..lines.len() - 3]);
        },
        true,
        "actions.log ends at line",
    ),
    (
        "a log with a changed word",
        |_, dir| {
            let mut lines = lines(dir);
            lines[1] = lines[1].replace("accepted", "declined");
            put(dir, &lines);
        },
        true,
        "its hash does not fit",
    ),
    (
        "the log of another time",
        |site, dir| {
            std::fs::copy(site.early.join("actions.log"), dir.join("actions.log")).unwrap();
        },
        true,
        "actions.log ends at line",
    ),
    ("no log", |_, dir| std::fs::remove_file(dir.join("actions.log")).unwrap(), true, "actions.log is not there"),
];

#[test]
fn what_does_not_verify_stays_so_through_every_copy_until_a_person_accepts_it() {
    let site = Site::new();
    let audits = site.place.audits();
    for (n, (name, harm, reads, words)) in HARMS.iter().enumerate() {
        let dir = site.at(&format!("harmed{n}"));
        copy(&site.late, &dir);
        harm(&site, &dir);
        let (copied, restored) = (site.at(&format!("copy{n}")), site.at(&format!("restored{n}")));
        let (to, back) = (copied.display().to_string(), restored.display().to_string());
        eprintln!("{name}");
        site.ends(&dir, &["backup", &to], 8, &[words, "No backup was made", "--damaged REASON"]);
        assert!(!copied.exists(), "{name}: half a copy is left");
        let zh = site.verb_in("zh", &dir, &["backup", &to]);
        assert!(said(&zh).contains("未作备份") && zh.status.code() == Some(8), "{}", said(&zh));
        for nothing in ["", " \u{200b}\u{3000}", "\u{202e}"] {
            site.ends(&dir, &["backup", &to, "--damaged", nothing], 2, &["a reason that can be read"]);
        }
        site.ends(&dir, &["backup", &to, "--damaged", "for the auditor"], 8, &[words, "no backup", "for the auditor"]);
        let manifest: Value = serde_json::from_slice(&std::fs::read(copied.join("backup.json")).unwrap()).unwrap();
        assert_eq!(manifest["damaged"]["reason"], "for the auditor", "{name}");
        site.ends(&restored, &["restore", &to], 8, &[words, "Nothing was restored"]);
        assert!(!restored.exists(), "{name}");
        let json = site.verb(&restored, &["restore", &to, "--damaged", "--json"]);
        let line: Value = serde_json::from_slice(&json.stdout).unwrap_or_else(|_| panic!("{name}: {}", said(&json)));
        assert!(json.status.code() == Some(8) && line["damaged"].is_object(), "{name}: {line}");

        // As unwell as it was, whoever asks; nothing is called.
        site.ends(&restored, &["log", "verify"], 8, &[]);
        let export = restored.with_extension("jsonl").display().to_string();
        let exported = if restored.join("actions.log").exists() { 8 } else { 2 };
        site.ends(&restored, &["log", "export", &export], exported, &[]);
        site.ends(&restored, &["doctor"], 8, &["next: "]);
        assert!(!site.verb(&restored, &["health"]).status.success(), "{name}");
        let run = site.verb(&restored, &["run", "sal_outstock_audit", "--yes"]);
        assert!(matches!(run.status.code(), Some(4 | 8)), "{name}: {}", said(&run));
        site.ends(&restored, &["prune", "--yes"], 8, &[if *reads { "`skydeck log verify --data" } else { "damaged" }]);
        site.ends(&restored, &["backup", &format!("{back}.again")], 8, &["No backup was made"]);
        assert_eq!(site.place.audits(), audits, "{name}: something was called");
        // A person accepts what is beside a journal that reads; damage of the journal itself nobody can accept.
        if *reads {
            let accept = ["log", "accept", "--reason", "the disk was replaced"];
            assert!(site.verb(&restored, &accept).status.success(), "{name}");
            site.ends(&restored, &["health"], 0, &[]);
            site.ends(&restored, &["backup", &format!("{back}.whole")], 0, &[]);
        }
    }
    let left = std::fs::read_dir(site.place.dir.path()).unwrap().map(|entry| entry.unwrap().file_name());
    assert_eq!(left.filter(|name| name.to_string_lossy().contains("restoring")).count(), 0);
}

#[test]
fn an_index_that_holds_more_than_its_journal_is_never_replaced_by_one_that_hides_it() {
    let site = Site::new();
    let dir = site.place.data();
    // Everything but the index as it was before the second run: each of them fits the others.
    for name in [SEGMENT, "journal/known", "actions.log"] {
        std::fs::copy(site.early.join(name), dir.join(name)).unwrap();
    }
    for _ in 0..2 {
        site.ends(&dir, &["doctor", "--rebuild"], 8, &["were stored"]);
        site.ends(&dir, &["doctor"], 8, &["DAMAGED", "were stored", "next: "]);
        site.ends(&dir, &["health"], 8, &["were stored"]);
    }
    // An index that is as old as they are is built anew.
    std::fs::remove_dir_all(dir.join("sled")).unwrap();
    site.ends(&dir, &["history"], 0, &[]);
    let out = site.verb(&dir, &["doctor", "--rebuild"]);
    assert!(matches!(out.status.code(), Some(0 | 3)), "{}", said(&out));
}

fn sha256(bytes: &[u8]) -> String {
    skydeck::store::actions::line_hash(std::str::from_utf8(bytes).unwrap())
}

/// A backup as 0.1.0 makes one of a directory in use: its log goes on behind its journal.
fn of_the_first_program(site: &Site, name: &str, made: &str) -> PathBuf {
    let to = site.at(name);
    assert!(site.verb(&site.early, &["backup", &to.display().to_string()]).status.success());
    let log = std::fs::read(site.late.join("actions.log")).unwrap();
    std::fs::write(to.join("actions.log"), &log).unwrap();
    let mut manifest: Value = serde_json::from_slice(&std::fs::read(to.join("backup.json")).unwrap()).unwrap();
    manifest["version"] = 1.into();
    manifest["made"] = made.into();
    manifest["actions"] = lines(&site.late).len().into();
    let files = manifest["files"].as_array_mut().unwrap();
    let file = files.iter_mut().find(|file| file["name"] == "actions.log").unwrap();
    file["bytes"] = log.len().into();
    file["sha256"] = sha256(&log).into();
    std::fs::write(to.join("backup.json"), manifest.to_string()).unwrap();
    to
}

#[test]
fn lines_that_came_while_an_earlier_program_copied_are_left_out_and_told_and_older_ones_are_not() {
    let site = Site::new();
    let (early, late) = (lines(&site.early), lines(&site.late));
    let first_later: Value = serde_json::from_str(&late[early.len()]).unwrap();
    let begun = format!("{}Z", &first_later["ts"].as_str().unwrap()[..19]);
    let restored = site.at("restored");
    let in_use = of_the_first_program(&site, "in-use", &begun).display().to_string();
    let left_out = format!("{} lines of the action log", late.len() - early.len());
    site.ends(&restored, &["restore", &in_use], 0, &[&left_out]);
    assert_eq!(lines(&restored), early);
    site.ends(&restored, &["log", "verify"], 0, &[]);
    // The same lines, written long before the copy was begun: the journal was cut.
    let cut = of_the_first_program(&site, "cut", "2999-01-01T00:00:00Z").display().to_string();
    let target = site.at("target");
    site.ends(&target, &["restore", &cut], 8, &["the journal is older than actions.log"]);
    assert!(!target.exists());
    site.ends(&target, &["restore", &cut, "--damaged"], 8, &["the journal is older than actions.log"]);
    assert_eq!(lines(&target), late, "no line is lost");
    site.ends(&target, &["health"], 1, &[]);
    // A form that is not known yet.
    let path = site.at("cut").join("backup.json");
    let text = std::fs::read_to_string(&path).unwrap().replace("\"version\":1", "\"version\":3");
    std::fs::write(&path, text).unwrap();
    site.ends(&site.at("none"), &["restore", &cut, "--damaged"], 2, &["use the newer program"]);
}
