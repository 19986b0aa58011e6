//! What an operator is told to do when something is wrong: it is named, and it works.
#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

#[path = "support/place.rs"]
mod place;
#[path = "support/pty.rs"]
mod pty;

use std::process::{Command, Output, Stdio};

use place::{PROGRAM, Place, until};
use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;

const PLAN: &str = "sal_outstock_audit";

fn said(out: &Output) -> String {
    format!("{}{}", String::from_utf8_lossy(&out.stdout), String::from_utf8_lossy(&out.stderr))
}

fn in_chinese(place: &Place, verb: &[&str]) -> Output {
    let mut options = place.options();
    "zh".clone_into(options.last_mut().unwrap());
    Command::new(PROGRAM).args(verb).args(options).stdin(Stdio::null()).output().unwrap()
}

/// A command as it stands between backticks in what was said, run as it is.
fn follow(text: &str, verb: &str) -> Output {
    let command = text.split('`').find(|part| part.starts_with(&format!("skydeck {verb}")));
    let command = command.unwrap_or_else(|| panic!("no `skydeck {verb} …` in {text}"));
    let words: Vec<&str> = command.split(' ').skip(1).collect();
    Command::new(PROGRAM).args(words).stdin(Stdio::null()).output().unwrap()
}

fn serve(place: &Place) -> std::process::Child {
    let mut command = Command::new(PROGRAM);
    let child = command.arg("serve").args(place.options()).stdin(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    until("the owner", || place.data().join("owner.sock").exists());
    child
}

fn done(place: &Place) {
    place::ended_as_it_says(&place.verb(&["run", PLAN, "--yes", "--json"]));
}

#[test]
fn doctor_says_where_a_journal_is_damaged_how_far_it_reads_and_what_to_do() {
    let place = Place::new(5);
    done(&place);
    let good: Value = serde_json::from_slice(&place.verb(&["doctor", "--json"]).stdout).unwrap();
    assert_eq!((&good["compared"], &good["next"]), (&true.into(), &serde_json::json!([])), "{good}");
    assert_eq!(good["whole_up_to"], good["last_seq"]);
    let segment = place.data().join("journal/00000001.log");
    let mut bytes = std::fs::read(&segment).unwrap();
    let at = bytes.len() - bytes.len() / 3;
    bytes[at] ^= 0x20;
    std::fs::write(&segment, bytes).unwrap();
    let out = place.verb(&["doctor", "--json"]);
    let told: Value = serde_json::from_slice(&out.stdout).unwrap();
    assert_eq!((out.status.code(), &told["sound"], &told["compared"]), (Some(8), &false.into(), &false.into()));
    let whole = told["whole_up_to"].as_u64().unwrap();
    assert!(whole > 0 && whole < good["last_seq"].as_u64().unwrap(), "{told}");
    for uncounted in ["runs", "bills", "unresolved", "unknown", "log_lines", "index_entries", "index_wrong"] {
        assert_eq!(told[uncounted], Value::Null, "{uncounted}: what was not counted is no zero");
    }
    let text = said(&place.verb(&["doctor"]));
    let words = ["DAMAGED", "segment 00000001, offset", &format!("whole up to fact {whole};"), "not compared"];
    assert!(words.iter().all(|word| text.contains(word)) && !text.contains("agrees"), "{text}");
    let zh = said(&in_chinese(&place, &["doctor"]));
    assert!(zh.contains("下一步：") && zh.contains(&format!("到第 {whole} 条记录为止完整")), "{zh}");
    // Each command that is named does what it says.
    let facts = place.dir.path().join("facts.jsonl");
    let out = follow(&text.replace("FACTS.jsonl", &facts.display().to_string()), "doctor --export");
    assert!(out.status.code() == Some(8) && said(&out).contains("00000001"), "{}", said(&out));
    assert_eq!(std::fs::read_to_string(&facts).unwrap().lines().count() as u64, told["facts"].as_u64().unwrap());
    let copy = place.dir.path().join("copy").display().to_string();
    let out = follow(&text.replace("COPY", &copy).replace("REASON", "evidence"), "backup");
    assert!(out.status.code() == Some(8) && said(&out).contains("marked as damaged"), "{}", said(&out));
}

#[test]
fn doctor_names_the_command_that_ends_the_engine_and_it_does() {
    let place = Place::new(3);
    done(&place);
    let mut owner = serve(&place);
    for verb in [&["doctor"][..], &["doctor", "--rebuild"], &["doctor", "--compact"], &["upgrade"]] {
        let out = place.verb(verb);
        let text = said(&out);
        assert_eq!(out.status.code(), Some(4), "{verb:?}: {text}");
        assert!(text.contains("`skydeck serve --end --data "), "{verb:?}: {text}");
        assert!(said(&in_chinese(&place, verb)).contains("让它按序结束"), "{verb:?}");
    }
    let out = follow(&said(&place.verb(&["doctor"])), "serve --end");
    assert!(out.status.success(), "{}", said(&out));
    assert!(owner.wait().unwrap().success());
    assert!(matches!(place.verb(&["doctor"]).status.code(), Some(0 | 3)));
}

#[test]
fn a_version_that_is_newer_unreadable_or_gone_is_said_with_what_to_do_and_nothing_is_changed() {
    let place = Place::new(3);
    done(&place);
    let version = place.data().join("version");
    let verbs = [
        &["doctor"][..],
        &["health"],
        &["history"],
        &["log", "verify"],
        &["log", "head"],
        &["upgrade"],
        &["backup", "/nowhere/at-all"],
        &["run", PLAN, "--yes"],
        &["prune"],
    ];
    for (text, en, zh) in [
        (Some("skydeck store 99\n"), "version 99; this program knows up to 2: use the newer program", "存储版本 99"),
        (Some("skydeck store two\n"), "says `skydeck store two`", "内容为 `skydeck store two`"),
        (Some("99"), "says `99`", "内容为 `99`"),
        (Some("skydeck store 0"), "says `skydeck store 0`", "内容为 `skydeck store 0`"),
        (Some("\u{1b}[2J\u{202e}"), "says `␛[2J⟨202E⟩`", "内容为 `␛[2J⟨202E⟩`"),
        (Some(""), "says ``", "内容为 ``"),
        (None, "is not there, and a journal is", "不存在，但有流水"),
    ] {
        match text {
            Some(text) => std::fs::write(&version, text).unwrap(),
            None => std::fs::remove_file(&version).unwrap(),
        }
        for verb in verbs {
            if verb == ["prune"] && text.is_some() {
                continue;
            }
            let (out, chinese) = (place.verb(verb), in_chinese(&place, verb));
            let found = said(&out);
            assert!(out.status.code() == Some(2) && chinese.status.code() == Some(2), "{verb:?} of {text:?}: {found}");
            if verb != ["prune"] {
                assert!(found.contains(en) && found.contains("backup"), "{verb:?} of {text:?}: {found}");
                assert!(said(&chinese).contains(zh), "{verb:?} of {text:?}: {}", said(&chinese));
            }
        }
        assert_eq!(std::fs::read_to_string(&version).ok().as_deref(), text, "nobody wrote over it");
    }
    std::fs::write(&version, "skydeck store 2\n").unwrap();
    assert!(place.verb(&["log", "verify"]).status.success());
}

#[test]
fn after_the_engine_was_killed_the_command_that_is_named_goes_on_with_the_run() {
    let place = Place::new(60);
    let mut owner = serve(&place);
    let mut run = Command::new(PROGRAM);
    run.args(["run", PLAN, "--yes"]).args(place.options()).stdin(Stdio::null());
    let run = run.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    until("some audits", || place.audits().len() >= 3);
    kill_process(Pid::from_child(&owner), Signal::KILL).unwrap();
    owner.wait().unwrap();
    let out = run.wait_with_output().unwrap();
    let text = said(&out);
    assert_eq!(out.status.code(), Some(3), "{text}");
    let command = text.split('`').find(|part| part.starts_with("skydeck resume ")).unwrap_or_else(|| panic!("{text}"));
    let id = command.rsplit(' ').next().unwrap();
    place::ended_as_it_says(&place.verb(&["resume", id, "--json"]));
    place.agree();
}

#[test]
fn a_simulator_whose_port_is_taken_says_so() {
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let at = taken.local_addr().unwrap();
    for (lang, words) in [("en", "did not start"), ("zh", "模拟器未启动")] {
        let port = at.port().to_string();
        let out = Command::new(PROGRAM).args(["sim", "--port", &port, "--lang", lang]).output().unwrap();
        let text = said(&out);
        assert_eq!(out.status.code(), Some(2), "{text}");
        assert!([words, &at.to_string(), "--port"].iter().all(|word| text.contains(word)), "{text}");
    }
}
