//! The action log and the journal of a real directory, forged and rolled back in more than forty ways: each is named, and no
//! run starts; what crashes, prunes, backups and restores leave behind is not.
#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

#[path = "support/place.rs"]
mod place;
#[path = "support/pty.rs"]
mod pty;

use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::sync::Arc;

use place::{PROGRAM, Place, until};
use serde_json::Value;
use skydeck::boot::SystemClock;
use skydeck::domain::action_log::LogFault;
use skydeck::store::account::{self, Head};
use skydeck::store::actions::line_hash;
use skydeck::store::actions::{ActionLog, FileLog};
use skydeck::store::local::LocalStore;

/// Copies of one directory as time went on, each without its index, as a careful forger leaves it.
struct Site {
    place: Place,
    /// A first run ended, in order.
    first: PathBuf,
    /// A second one and some orders, in order.
    second: PathBuf,
    /// The owner was killed at work.
    killed: PathBuf,
    /// Another directory altogether.
    other: PathBuf,
}

fn said(out: &Output) -> String {
    format!("{}{}", String::from_utf8_lossy(&out.stdout), String::from_utf8_lossy(&out.stderr))
}

/// The truth of a directory: journal, log, version.
fn copy(from: &Path, to: &Path) {
    std::fs::create_dir(to).unwrap();
    std::fs::create_dir(to.join("journal")).unwrap();
    for dir in [to.to_path_buf(), to.join("journal")] {
        std::fs::set_permissions(dir, std::os::unix::fs::PermissionsExt::from_mode(0o700)).unwrap();
    }
    for file in std::fs::read_dir(from.join("journal")).unwrap() {
        let file = file.unwrap();
        std::fs::copy(file.path(), to.join("journal").join(file.file_name())).unwrap();
    }
    for name in ["actions.log", "version"] {
        std::fs::copy(from.join(name), to.join(name)).unwrap();
    }
}

impl Site {
    fn new() -> Self {
        let place = Place::new(12);
        let at = |name: &str| place.dir.path().join(name);
        place::ended_as_it_says(&place.verb(&["run", "sal_outstock_audit", "--yes", "--json"]));
        let (first, second, killed, other) = (at("first"), at("second"), at("killed"), at("other"));
        copy(&place.data(), &first);
        place::ended_as_it_says(&place.verb(&["run", "sal_outstock_audit", "--sweep", "--yes", "--json"]));
        let known = place.verb(&["env", "adopt", "test", "--reason", "moved"]);
        assert!(said(&known).contains("already"), "{}", said(&known));
        copy(&place.data(), &second);
        let mut owner = Command::new(PROGRAM)
            .arg("serve")
            .args(place.options())
            .stdin(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        until("the owner", || place.data().join("owner.sock").exists());
        place::ended_as_it_says(&place.verb(&["run", "sal_outstock_audit", "--sweep", "--yes", "--json"]));
        owner.kill().unwrap();
        owner.wait().unwrap();
        copy(&place.data(), &killed);
        let elsewhere = Place::new(3);
        place::ended_as_it_says(&elsewhere.verb(&["run", "sal_outstock_audit", "--yes", "--json"]));
        copy(&elsewhere.data(), &other);
        Self { place, first, second, killed, other }
    }

    fn copy_of(&self, from: &Path, n: usize) -> PathBuf {
        let to = self.place.dir.path().join(format!("copy{n}"));
        copy(from, &to);
        to
    }

    fn verb(&self, data: &Path, verb: &[&str]) -> Output {
        let config = self.place.dir.path().join("config.toml");
        let mut command = Command::new(PROGRAM);
        command.args(verb).arg("--config").arg(config).arg("--data").arg(data).args(["--lang", "en"]);
        command.stdin(Stdio::null()).output().unwrap()
    }
}

/// A directory that is being forged.
struct Forge<'a> {
    dir: PathBuf,
    site: &'a Site,
}

impl Forge<'_> {
    fn log(&self) -> PathBuf {
        self.dir.join("actions.log")
    }

    fn lines(&self) -> Vec<String> {
        std::fs::read_to_string(self.log()).unwrap().lines().map(str::to_owned).collect()
    }

    fn put(&self, lines: &[String]) {
        let text = lines.join("\n");
        std::fs::write(self.log(), if text.is_empty() { text } else { text + "\n" }).unwrap();
    }

    fn edit(&self, change: impl FnOnce(&mut Vec<String>)) {
        let mut lines = self.lines();
        change(&mut lines);
        self.put(&lines);
    }

    /// The same, with every place and hash made right again.
    fn edit_in_chain(&self, change: impl FnOnce(&mut Vec<String>)) {
        let mut lines = self.lines();
        change(&mut lines);
        let (mut before, mut made) = (String::new(), Vec::new());
        for (i, line) in lines.iter().enumerate() {
            let mut value: Value = serde_json::from_str(line).unwrap();
            value["seq"] = (i as u64 + 1).into();
            value["prev"] = before.clone().into();
            let (line, hash) = signed(value);
            before = hash;
            made.push(line);
        }
        self.put(&made);
    }

    fn segment(&self) -> PathBuf {
        self.dir.join("journal/00000001.log")
    }

    /// Where the frames of the journal end.
    fn frames(&self) -> Vec<usize> {
        let bytes = std::fs::read(self.segment()).unwrap();
        let (mut at, mut ends) = (40, vec![40]);
        while at < bytes.len() {
            assert_eq!(&bytes[at..at + 4], b"SkyF");
            at += 36 + u32::from_be_bytes(bytes[at + 4..at + 8].try_into().unwrap()) as usize;
            ends.push(at);
        }
        ends
    }

    /// Cuts the journal after so many of its frames.
    fn cut_journal(&self, frames: usize) {
        let bytes = std::fs::read(self.segment()).unwrap();
        std::fs::write(self.segment(), &bytes[..self.frames()[frames]]).unwrap();
        let _ = std::fs::remove_file(self.dir.join("journal/known"));
    }

    fn journal_of(&self, other: &Path) {
        std::fs::remove_dir_all(self.dir.join("journal")).unwrap();
        std::fs::create_dir(self.dir.join("journal")).unwrap();
        for file in std::fs::read_dir(other.join("journal")).unwrap() {
            let file = file.unwrap();
            std::fs::copy(file.path(), self.dir.join("journal").join(file.file_name())).unwrap();
        }
        let _ = std::fs::remove_file(self.dir.join("journal/known"));
    }

    fn log_of(&self, other: &Path) {
        std::fs::copy(other.join("actions.log"), self.log()).unwrap();
    }
}

/// A line with its hash made right, as it is written: its own hash last.
fn signed(mut value: Value) -> (String, String) {
    let object = value.as_object_mut().unwrap();
    object.remove("h");
    // The order of the fields does not matter to a reader.
    let mut body = serde_json::to_string(&value).unwrap();
    body.pop();
    let hash = line_hash(&body);
    (format!("{body},\"h\":\"{hash}\"}}"), hash)
}

/// A line like another one, about something else.
fn like(line: &str, change: impl FnOnce(&mut Value)) -> String {
    let mut value: Value = serde_json::from_str(line).unwrap();
    change(&mut value);
    signed(value).0
}

fn of_phase(lines: &[String], phase: &str) -> String {
    let is = |line: &&String| line.contains(&format!("\"phase\":\"{phase}\""));
    lines.iter().rev().find(is).unwrap_or_else(|| panic!("no line of {phase}")).clone()
}

const ORDER: &str = "01J00000000000000000000000";

fn forged_before(lines: &[String]) -> String {
    like(&of_phase(lines, "before"), |line| line["order"] = ORDER.into())
}

fn forged_after(lines: &[String]) -> String {
    like(&of_phase(lines, "after"), |line| line["order"] = ORDER.into())
}

fn forged_own(lines: &[String], action: &str) -> String {
    like(&of_phase(lines, "after"), |line| {
        line["action"] = action.into();
        line.as_object_mut().unwrap().remove("order");
    })
}

type Forgery = (&'static str, Start, fn(&Forge<'_>));

#[derive(Clone, Copy, PartialEq)]
enum Start {
    Second,
    Killed,
}

use Start::{Killed, Second};

const FORGERIES: &[Forgery] = &[
    ("the log is deleted", Second, |f| std::fs::remove_file(f.log()).unwrap()),
    ("the log is emptied", Second, |f| std::fs::write(f.log(), "").unwrap()),
    ("the last line is cut", Second, |f| f.edit(|lines| drop(lines.pop()))),
    ("two lines are cut", Second, |f| f.edit(|lines| lines.truncate(lines.len() - 2))),
    ("half of it is cut", Second, |f| f.edit(|lines| lines.truncate(lines.len() / 2))),
    ("only the first line is left", Second, |f| f.edit(|lines| lines.truncate(1))),
    ("the last line is torn", Second, |f| {
        let bytes = std::fs::read(f.log()).unwrap();
        std::fs::write(f.log(), &bytes[..bytes.len() - 20]).unwrap();
    }),
    ("a word is changed", Second, |f| f.edit(|lines| lines[1] = lines[1].replace("accepted", "declined"))),
    ("a word is changed, with its line's hash", Second, |f| {
        f.edit(|lines| lines[1] = like(&lines[1], |line| line["result"] = "declined".into()));
    }),
    ("a word is changed, with all hashes", Second, |f| {
        f.edit_in_chain(|lines| lines[1] = like(&lines[1], |line| line["result"] = "declined".into()));
    }),
    ("the last line is changed, with its hash", Second, |f| {
        f.edit_in_chain(|lines| {
            let last = lines.pop().unwrap();
            lines.push(like(&last, |line| line["result"] = "nothing happened".into()));
        });
    }),
    ("a user is changed, with all hashes", Second, |f| {
        f.edit_in_chain(|lines| lines[0] = like(&lines[0], |line| line["by"]["uid"] = 4711.into()));
    }),
    ("the times are changed, with all hashes", Second, |f| {
        f.edit_in_chain(|lines| {
            for line in lines {
                *line = like(line, |line| line["ts"] = "2026-01-01T00:00:00.000Z".into());
            }
        });
    }),
    ("a line is taken out", Second, |f| f.edit(|lines| drop(lines.remove(2)))),
    ("a line is taken out, with all hashes", Second, |f| f.edit_in_chain(|lines| drop(lines.remove(2)))),
    ("a result is taken out, with all hashes", Second, |f| f.edit_in_chain(|lines| drop(lines.remove(1)))),
    ("the first line is taken out", Second, |f| f.edit(|lines| drop(lines.remove(0)))),
    ("the first line is taken out, with all hashes", Second, |f| f.edit_in_chain(|lines| drop(lines.remove(0)))),
    ("two lines are swapped", Second, |f| f.edit(|lines| lines.swap(1, 2))),
    ("two lines are swapped, with all hashes", Second, |f| f.edit_in_chain(|lines| lines.swap(1, 2))),
    ("the end of a run is told twice", Second, |f| {
        f.edit_in_chain(|lines| {
            let end = of_phase(lines, "end");
            lines.push(end);
        });
    }),
    ("the end of a run nobody opened is told", Second, |f| {
        f.edit_in_chain(|lines| {
            let end = like(&of_phase(lines, "end"), |line| line["run"] = ORDER.into());
            lines.push(end);
        });
    }),
    ("an order is added", Second, |f| {
        f.edit_in_chain(|lines| {
            let line = forged_before(lines);
            lines.push(line);
        });
    }),
    ("an order with its result is added", Second, |f| {
        f.edit_in_chain(|lines| {
            let two = [forged_before(lines), forged_after(lines)];
            lines.extend(two);
        });
    }),
    ("a refusal is added", Second, |f| {
        f.edit_in_chain(|lines| {
            let line = like(&of_phase(lines, "refused"), |line| line["order"] = ORDER.into());
            lines.push(line);
        });
    }),
    ("something of the engine's own is added", Second, |f| {
        f.edit_in_chain(|lines| {
            let line = forged_own(lines, "lock");
            lines.push(line);
        });
    }),
    ("a refusal is put into the middle", Second, |f| {
        f.edit_in_chain(|lines| {
            let line = like(&of_phase(lines, "refused"), |line| line["order"] = ORDER.into());
            lines.insert(3, line);
        });
    }),
    ("all lines are told twice", Second, |f| {
        f.edit_in_chain(|lines| {
            let again = lines.clone();
            lines.extend(again);
        });
    }),
    ("a line that is none is added", Second, |f| f.edit(|lines| lines.push("accepted".into()))),
    ("the hashes are taken out", Second, |f| {
        f.edit(|lines| {
            for line in lines {
                *line = line.split(",\"h\":").next().unwrap().to_owned() + "}";
            }
        });
    }),
    ("the log is put back to an older one", Second, |f| f.log_of(&f.site.first)),
    ("the log is another directory's", Second, |f| f.log_of(&f.site.other)),
    ("the journal is put back to an older one", Second, |f| f.journal_of(&f.site.first)),
    ("the journal is another directory's", Second, |f| f.journal_of(&f.site.other)),
    ("the journal is cut before its last order", Second, |f| f.cut_journal(f.frames().len() - 4)),
    ("the journal is cut by half", Second, |f| f.cut_journal(f.frames().len() / 2)),
    ("the journal is empty", Second, |f| f.cut_journal(0)),
    ("the journal's files are gone", Second, |f| {
        std::fs::remove_dir_all(f.dir.join("journal")).unwrap();
        std::fs::create_dir(f.dir.join("journal")).unwrap();
    }),
    ("the journal and the version are gone", Second, |f| {
        std::fs::remove_dir_all(f.dir.join("journal")).unwrap();
        std::fs::remove_file(f.dir.join("version")).unwrap();
    }),
    ("after a kill: an order with its result is added", Killed, |f| {
        f.edit_in_chain(|lines| {
            let two = [forged_before(lines), forged_after(lines)];
            lines.extend(two);
        });
    }),
    ("after a kill: two orders are added", Killed, |f| {
        f.edit_in_chain(|lines| {
            let second = like(&forged_before(lines), |line| line["order"] = "01J00000000000000000000001".into());
            let two = [forged_before(lines), second];
            lines.extend(two);
        });
    }),
    ("after a kill: a result without an order is added", Killed, |f| {
        f.edit_in_chain(|lines| {
            let line = forged_after(lines);
            lines.push(line);
        });
    }),
    ("after a kill: a prune is added", Killed, |f| {
        f.edit_in_chain(|lines| {
            let line = forged_own(lines, "prune");
            lines.push(line);
        });
    }),
    ("after a kill: the end of a run is told twice", Killed, |f| {
        f.edit_in_chain(|lines| {
            let end = of_phase(lines, "end");
            lines.push(end);
        });
    }),
    ("after a kill: told lines are cut", Killed, |f| f.edit(|lines| lines.truncate(lines.len() - 4))),
    ("after a kill: the journal is put back", Killed, |f| f.journal_of(&f.site.second)),
    ("after a kill: the log is put back", Killed, |f| f.log_of(&f.site.second)),
    ("after a kill: a refusal is put where it was witnessed", Killed, |f| {
        f.edit_in_chain(|lines| {
            let line = like(&of_phase(lines, "refused"), |line| line["order"] = ORDER.into());
            lines.insert(3, line);
        });
    }),
];

/// What verifying says, without opening anything.
fn verified(dir: &Path) -> Result<Vec<LogFault>, String> {
    account::of_directory(dir, None).map(|found| found.account.faults).map_err(|e| e.to_string())
}

/// What opening says, and so what keeps runs from starting.
fn opened(dir: &Path) -> Result<Vec<LogFault>, String> {
    let clock = Arc::new(SystemClock::default());
    let store = LocalStore::open(dir, clock.clone(), "li", &|_| {}).map_err(|e| e.to_string())?;
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let faults = runtime.block_on(FileLog::open(dir, clock, &store)).map(|log| log.faults()).map_err(|e| e.to_string());
    store.close().unwrap();
    faults
}

/// Whether something was found, or the directory refused.
fn is_named(found: &Result<Vec<LogFault>, String>) -> bool {
    found.as_ref().map_or(true, |faults| !faults.is_empty())
}

#[test]
fn every_forgery_and_roll_back_is_named_and_nothing_else_is() {
    let site = Site::new();
    let mut missed = Vec::new();
    for (n, (name, start, forge)) in FORGERIES.iter().enumerate() {
        let dir = site.copy_of(if *start == Second { &site.second } else { &site.killed }, n);
        forge(&Forge { dir: dir.clone(), site: &site });
        let (looked, begun) = (verified(&dir), opened(&dir));
        for (how, found) in [("verify", &looked), ("start", &begun)] {
            if !is_named(found) {
                missed.push(format!("{name}: {how} says {found:?}"));
            }
        }
        std::fs::remove_dir_all(&dir).unwrap();
    }
    assert!(FORGERIES.len() >= 40, "{}", FORGERIES.len());
    assert_eq!(missed, [""; 0]);

    // Not forged, none is named; neither before a start, nor by it, nor after it.
    for (n, from) in [&site.first, &site.second, &site.killed, &site.other].into_iter().enumerate() {
        let dir = site.copy_of(from, 1000 + n);
        for _ in 0..2 {
            assert_eq!((verified(&dir), opened(&dir)), (Ok(vec![]), Ok(vec![])), "{}", from.display());
        }
        let (copy, back) = (dir.with_extension("copy"), dir.with_extension("back"));
        for (at, verb) in [(&dir, "backup"), (&back, "restore")] {
            let out = site.verb(at, &[verb, &copy.display().to_string()]);
            assert_eq!(out.status.code(), Some(0), "{verb}: {}", said(&out));
        }
        assert_eq!((verified(&back), opened(&back)), (Ok(vec![]), Ok(vec![])), "restored: {}", from.display());
    }
    a_forged_directory_is_held_until_a_person_accepts(&site);
    a_head_that_was_kept_finds_what_both_files_hide(&site);
}

fn a_forged_directory_is_held_until_a_person_accepts(site: &Site) {
    let dir = site.copy_of(&site.second, 2000);
    let forge = Forge { dir: dir.clone(), site };
    forge.edit_in_chain(|lines| drop(lines.remove(2)));
    let audits = site.place.audits();
    let out = site.verb(&dir, &["log", "verify"]);
    assert_eq!(out.status.code(), Some(8), "{}", said(&out));
    assert!(said(&out).contains("not the one the journal tells of"), "{}", said(&out));
    assert_eq!(site.verb(&dir, &["doctor"]).status.code(), Some(8));
    let out = site.verb(&dir, &["health"]);
    assert_eq!(out.status.code(), Some(1), "{}", said(&out));
    for _ in 0..2 {
        let out = site.verb(&dir, &["run", "sal_outstock_audit", "--sweep", "--yes"]);
        assert_eq!(out.status.code(), Some(4), "{}", said(&out));
        assert!(said(&out).contains("skydeck log accept"), "{}", said(&out));
    }
    assert_eq!(site.place.audits(), audits, "nothing was called");
    let out = site.verb(&dir, &["log", "accept", "--reason", " "]);
    assert_eq!(out.status.code(), Some(4), "{}", said(&out));
    let out = site.verb(&dir, &["log", "accept", "--reason", "the disk was replaced"]);
    assert!(out.status.success(), "{}", said(&out));
    for verb in [&["log", "verify"][..], &["health"]] {
        let out = site.verb(&dir, verb);
        assert!(out.status.success(), "{verb:?}: {}", said(&out));
    }
    assert_eq!(site.verb(&dir, &["doctor"]).status.code(), Some(0));
    place::ended_as_it_says(&site.verb(&dir, &["run", "sal_outstock_audit", "--sweep", "--yes", "--json"]));
    assert!(site.verb(&dir, &["log", "verify"]).status.success());
    let text = std::fs::read_to_string(forge.log()).unwrap();
    assert!(text.contains("accept_log") && text.contains("the disk was replaced"), "{text}");
    let out = site.verb(&dir, &["log", "accept", "--reason", "again"]);
    assert!(said(&out).contains("the action log and the journal agree"), "{}", said(&out));
    // What was accepted is not free to be changed again.
    forge.edit(|lines| lines[1] = like(&lines[1], |line| line["result"] = "declined".into()));
    assert!(matches!(verified(&dir).unwrap()[..], [LogFault::AcceptedPart { .. }]));
    assert!(is_named(&opened(&dir)));
}

fn a_head_that_was_kept_finds_what_both_files_hide(site: &Site) {
    let dir = site.copy_of(&site.second, 3000);
    let head = |dir: &Path| {
        let out = site.verb(dir, &["log", "head"]);
        assert!(out.status.success(), "{}", said(&out));
        String::from_utf8(out.stdout).unwrap().trim().to_owned()
    };
    let (kept, older) = (head(&dir), head(&site.first));
    assert_eq!(kept.parse::<Head>().unwrap().to_string(), kept);
    for head in [&kept, &older] {
        let out = site.verb(&dir, &["log", "verify", "--head", head]);
        assert!(out.status.success(), "{}", said(&out));
    }
    // Both were put back together: in themselves they are whole.
    let out = site.verb(&site.first, &["log", "verify"]);
    assert!(out.status.success(), "{}", said(&out));
    for dir in [&site.first, &site.other] {
        let out = site.verb(dir, &["log", "verify", "--head", &kept]);
        assert_eq!(out.status.code(), Some(8), "{}", said(&out));
    }
    let out = site.verb(&dir, &["log", "verify", "--head", "nonsense"]);
    assert_eq!(out.status.code(), Some(2), "{}", said(&out));
}
