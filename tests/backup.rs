//! Backups made in the middle of a run, restored and looked at; spoiled ones refused.
#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

#[path = "support/place.rs"]
mod place;
#[path = "support/pty.rs"]
mod pty;

use std::path::{Path, PathBuf};
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
    let out = looking(&backup, &["resolve", "--all", "--reason", "because"]);
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
    let link = place.dir.path().join("elsewhere");
    std::os::unix::fs::symlink(place.data(), &link).unwrap();
    for within in [place.data().join("nightly"), place.data().join("a/b"), link.join("nightly"), place.data()] {
        let out = place.verb(&["backup", &within.display().to_string()]);
        assert!(out.status.code() == Some(2) && said(&out).contains("in the data directory itself"), "{}", said(&out));
        assert!(within == place.data() || !within.exists(), "nothing is begun");
    }
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

fn sha256(bytes: &[u8]) -> String {
    use sha2::Digest;
    let mut text = String::new();
    for byte in sha2::Sha256::digest(bytes) {
        std::fmt::Write::write_fmt(&mut text, format_args!("{byte:02x}")).unwrap();
    }
    text
}

type Spoil = fn(&Spoilt);

/// A backup that is spoiled.
struct Spoilt {
    dir: PathBuf,
}

impl Spoilt {
    fn of(place: &Place, good: &Path, n: usize) -> Self {
        let dir = place.dir.path().join(format!("spoilt{n}"));
        std::fs::create_dir_all(dir.join("journal")).unwrap();
        for name in ["backup.json", "actions.log", "version", "journal/00000001.log"] {
            std::fs::copy(good.join(name), dir.join(name)).unwrap();
        }
        Self { dir }
    }

    fn at(&self, name: &str) -> PathBuf {
        self.dir.join(name)
    }

    fn manifest(&self, change: impl FnOnce(&mut serde_json::Value)) {
        let mut manifest = serde_json::from_slice(&std::fs::read(self.at("backup.json")).unwrap()).unwrap();
        change(&mut manifest);
        std::fs::write(self.at("backup.json"), manifest.to_string()).unwrap();
    }

    /// Writes a file, with length and hash made right in the manifest.
    fn vouched(&self, name: &str, bytes: &[u8]) {
        std::fs::write(self.at(name), bytes).unwrap();
        let hash = sha256(bytes);
        self.manifest(|manifest| {
            let files = manifest["files"].as_array_mut().unwrap();
            files.retain(|file| file["name"] != name);
            files.push(serde_json::json!({"name": name, "bytes": bytes.len(), "sha256": hash}));
        });
    }

    fn instead(&self, name: &str, make: impl FnOnce(&Path)) {
        std::fs::rename(self.at(name), self.dir.with_extension("real")).unwrap();
        make(&self.at(name));
    }
}

fn pipe(at: &Path) {
    let made = Command::new("mkfifo").arg(at).status().unwrap();
    assert!(made.success());
}

#[test]
fn a_backup_that_lies_or_holds_anything_else_is_refused_and_nothing_half_restored_is_left() {
    let place = Place::new(5);
    place::ended_as_it_says(&place.verb(&["run", "sal_outstock_audit", "--yes", "--json"]));
    let good = place.dir.path().join("good");
    assert!(place.verb(&["backup", &good.display().to_string()]).status.success());
    let link = |of: &Path, at: &Path| std::os::unix::fs::symlink(of, at).unwrap();
    let spoils: [(&str, Spoil, &str); 15] = [
        (
            "a link to a log",
            |s| s.instead("actions.log", |at| std::os::unix::fs::symlink("/dev/null", at).unwrap()),
            "link",
        ),
        ("a pipe as a segment", |s| s.instead("journal/00000001.log", pipe), "pipe"),
        ("a pipe as the manifest", |s| s.instead("backup.json", pipe), "pipe"),
        ("a file that is none of ours", |s| s.vouched("owner.lock", b"pid 1"), "no name of a file"),
        ("an index", |s| s.vouched("journal/known", b"durable up to fact 1"), "no name of a file"),
        ("a way out", |s| s.manifest(|m| m["files"][0]["name"] = "journal/../../x.log".into()), "no name of a file"),
        (
            "a file named twice",
            |s| {
                s.manifest(|m| {
                    let again = m["files"][0].clone();
                    m["files"].as_array_mut().unwrap().push(again);
                });
            },
            "twice",
        ),
        ("more facts than there are", |s| s.manifest(|m| m["facts"] = 99_999.into()), "tells of 99999 facts"),
        ("fewer facts than there are", |s| s.manifest(|m| m["facts"] = 1.into()), "tells of 1 facts"),
        ("a later last fact", |s| s.manifest(|m| m["last"] = 99_999.into()), "99999"),
        ("more lines than there are", |s| s.manifest(|m| m["actions"] = 77.into()), "77 lines"),
        (
            "a vouched log without its end",
            |s| {
                let log = std::fs::read_to_string(s.at("actions.log")).unwrap();
                let cut = log.lines().next().unwrap().to_owned() + "\n";
                s.vouched("actions.log", cut.as_bytes());
            },
            "lines of the action log",
        ),
        (
            "a vouched segment with a changed byte",
            |s| {
                let mut bytes = std::fs::read(s.at("journal/00000001.log")).unwrap();
                let middle = bytes.len() / 2;
                bytes[middle] ^= 1;
                s.vouched("journal/00000001.log", &bytes);
            },
            "00000001",
        ),
        ("a version of tomorrow", |s| s.vouched("version", b"skydeck store 99\n"), "version 99"),
        (
            "no version",
            |s| {
                s.manifest(|m| m["files"].as_array_mut().unwrap().retain(|file| file["name"] != "version"));
            },
            "no version",
        ),
    ];
    for (n, (name, spoil, words)) in spoils.iter().enumerate() {
        let spoilt = Spoilt::of(&place, &good, n);
        spoil(&spoilt);
        let target = place.dir.path().join(format!("target{n}"));
        for out in
            [at(&place, &target, &["restore", &spoilt.dir.display().to_string()]), looking(&spoilt.dir, &["history"])]
        {
            assert!(!out.status.success() && said(&out).contains(words), "{name}: {}", said(&out));
        }
        assert!(!target.exists(), "{name}");
    }
    // The journal's directory is somebody else's.
    let spoilt = Spoilt::of(&place, &good, 99);
    spoilt.instead("journal", |to| link(&good.join("journal"), to));
    let target = place.dir.path().join("target");
    let out = at(&place, &target, &["restore", &spoilt.dir.display().to_string()]);
    assert!(!out.status.success() && said(&out).contains("no directory") && !target.exists(), "{}", said(&out));
    let left = std::fs::read_dir(place.dir.path()).unwrap().map(|entry| entry.unwrap().file_name());
    let left: Vec<_> = left.filter(|name| name.to_string_lossy().contains("restoring")).collect();
    assert_eq!(left, [""; 0]);
    // The good one still restores, into an empty directory that is there, too.
    let made = std::process::Command::new("mkdir").args(["-m", "700"]).arg(&target).status().unwrap();
    assert!(made.success());
    let out = at(&place, &target, &["restore", &good.display().to_string()]);
    assert!(out.status.success(), "{}", said(&out));
    assert!(at(&place, &target, &["log", "verify"]).status.success());
}
