//! What verbs write, through the real program: a reader that goes away or is slow, a full disk, a closed terminal, another
//! encoding, and a server whose every word is hostile.
use std::collections::HashSet;
use std::fs::OpenOptions;
use std::io::{BufRead, BufReader, Read};
use std::process::{Command, Output, Stdio};
use std::sync::Arc;
use std::time::Duration;

use crate::erp::{Erp, Said, Site, answer};
use rustix::process::{Pid, Signal, kill_process};
use serde_json::{Value, json};
use skydeck::text::hostile;

/// A limit of the server that nobody waits out here.
const NEVER: &str = "900s";

fn site(bills: u64, script: impl Fn(&str, &Value, usize) -> Said + Send + Sync + 'static) -> Site {
    Site::new(Erp::start(bills, script), NEVER, "", "")
}

/// As [`site`], with a first answer late enough for a test to do something before the run has got far.
fn slow_site(bills: u64) -> Site {
    site(bills, |service, _, nth| match (service, nth) {
        ("Audit", 3..=20) => Said::Slow(Duration::from_millis(60)),
        _ => Said::Good,
    })
}

fn bills(text: &str) -> Vec<Value> {
    let lines = text.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
    lines.filter(|line| line["type"] == "bill").collect()
}

#[test]
fn a_reader_that_goes_away_ends_the_output_and_not_the_run() {
    let site = slow_site(30);
    let mut child = site.command("en", &["--json", "run", "p", "--yes"]).spawn().unwrap();
    let mut reader = BufReader::new(child.stdout.take().unwrap());
    let mut first = String::new();
    reader.read_line(&mut first).unwrap();
    assert!(first.contains("\"audited\""), "{first}");
    drop(reader);
    let out = child.wait_with_output().unwrap();
    let err = String::from_utf8(out.stderr).unwrap();
    assert_eq!(site.erp.audited(), 30, "{err}");
    assert_eq!(out.status.code(), Some(7), "{err}");
    assert!(err.contains("output could not be written") && err.contains("own exit code is 0"), "{err}");
}

#[test]
fn a_failed_run_keeps_its_exit_code_when_its_output_is_lost() {
    let site = site(4, |service, _, nth| match (service, nth) {
        ("Audit", 1) => Said::Http(200, answer(false, &["信用额度不足"], &[], 0)),
        _ => Said::Good,
    });
    let full = OpenOptions::new().write(true).open("/dev/full").unwrap();
    let out = site.command("zh", &["run", "p", "--yes"]).stdout(full).output().unwrap();
    let err = String::from_utf8(out.stderr).unwrap();
    assert_eq!((site.erp.audited(), out.status.code()), (3, Some(1)), "{err}");
    assert!(err.contains("退出码为 1"), "{err}");
}

#[test]
fn a_terminal_that_is_closed_does_not_end_a_run() {
    let site = slow_site(30);
    let child = site.command("en", &["--json", "run", "p", "--yes"]).spawn().unwrap();
    while site.erp.count("Audit") < 5 {
        std::thread::sleep(Duration::from_millis(5));
    }
    kill_process(Pid::from_child(&child), Signal::HUP).unwrap();
    let out = child.wait_with_output().unwrap();
    assert_eq!((site.erp.audited(), out.status.code()), (30, Some(0)), "{}", String::from_utf8_lossy(&out.stderr));
}

#[test]
fn an_order_to_end_lets_the_calls_in_flight_end() {
    let site = slow_site(400);
    let child = site.command("en", &["--json", "run", "p", "--yes"]).spawn().unwrap();
    while site.erp.count("Audit") < 5 {
        std::thread::sleep(Duration::from_millis(5));
    }
    kill_process(Pid::from_child(&child), Signal::TERM).unwrap();
    let out = child.wait_with_output().unwrap();
    let text = String::from_utf8(out.stdout).unwrap();
    let last: Value = serde_json::from_str(text.lines().last().unwrap()).unwrap();
    assert_eq!((out.status.code(), last["state"].as_str()), (Some(6), Some("cancelled")), "{last}");
    assert_eq!(
        (last["unknown"].as_u64(), last["audited"].as_u64()),
        (Some(0), Some(site.erp.audited() as u64)),
        "{last}"
    );
}

#[test]
fn a_slow_reader_gets_one_line_for_every_settled_bill() {
    const BILLS: usize = 3000;
    let site = site(BILLS as u64, |_, _, _| Said::Good);
    let config = site.dir.path().join("config.toml");
    let fast = std::fs::read_to_string(&config).unwrap().replace("per_minute = 6000", "per_minute = 600000");
    std::fs::write(&config, fast).unwrap();
    let mut child = site.command("en", &["--json", "run", "p", "--confirm", &BILLS.to_string()]).spawn().unwrap();
    let mut pipe = child.stdout.take().unwrap();
    // Nothing is read until the server has done everything: pipe and queue are full long before.
    while site.erp.audited() < BILLS {
        std::thread::sleep(Duration::from_millis(20));
    }
    let mut text = String::new();
    pipe.read_to_string(&mut text).unwrap();
    let out = child.wait_with_output().unwrap();
    assert_eq!(out.status.code(), Some(0), "{}", String::from_utf8_lossy(&out.stderr));
    let lines = bills(&text);
    let different: HashSet<&str> = lines.iter().map(|line| line["fid"].as_str().unwrap()).collect();
    assert_eq!((different.len(), lines.len()), (BILLS, BILLS));
    assert!(lines.iter().any(|line| line["seq"].is_null()), "the reader never fell behind: nothing was proven");
    assert!(lines.iter().all(|line| line["outcome"] == "audited" && line["status_after"] == "C"));
}

/// A verb whose standard output, or error, is closed before it begins.
fn closed(site: &Site, lang: &str, args: &[&str], which: &str) -> Output {
    let inner = site.command(lang, args);
    let mut command = Command::new("sh");
    command.arg("-c").arg(format!("exec \"$0\" \"$@\" {which}>&-")).arg(inner.get_program()).args(inner.get_args());
    command.stdin(Stdio::null()).output().unwrap()
}

#[test]
fn every_verb_says_when_its_output_cannot_be_written() {
    let site = site(2, |_, _, _| Said::Good);
    assert!(site.command("en", &["run", "p", "--yes"]).output().unwrap().status.success());
    for args in [
        &["completions", "bash"][..],
        &["man"],
        &["keys"],
        &["--help"],
        &["run", "--help"],
        &["--version"],
        &["history"],
        &["ledger"],
        &["--json", "history"],
        &["log"],
        &["log", "verify"],
        &["log", "head"],
        &["log", "export", "-"],
        &["log", "export", "-", "--csv"],
        &["plan", "list"],
        &["plan", "show", "p"],
        &["plan", "schema"],
        &["plan", "preview", "p"],
        &["env", "list"],
        &["health"],
        &["--json", "health"],
        &["forecast"],
        &["--json", "forecast", "p"],
        &["forecast", "backtest"],
        &["doctor"],
        &["--json", "doctor"],
        &["bill", "XSCKD000001"],
        &["serve", "--end"],
    ] {
        let full = OpenOptions::new().write(true).open("/dev/full").unwrap();
        for out in [site.command("en", args).stdout(full).output().unwrap(), closed(&site, "en", args, "1")] {
            let err = String::from_utf8(out.stderr).unwrap();
            assert_eq!(out.status.code(), Some(7), "{args:?}: {err}");
            assert!(err.contains("output could not be written"), "{args:?}: {err}");
        }
        // What nobody hears keeps no verb from its end.
        let out = closed(&site, "en", args, "2");
        assert!(out.status.success() && !out.stdout.is_empty(), "{args:?}: {:?}", out.status);
    }
    let zh = closed(&site, "zh", &["history"], "1");
    assert!(String::from_utf8(zh.stderr).unwrap().contains("输出无法写出"));
    // `/dev/null` is no loss: somebody asked for it.
    let null = OpenOptions::new().read(true).write(true).open("/dev/null").unwrap();
    assert_eq!(site.command("en", &["history"]).stdout(null).output().unwrap().status.code(), Some(0));
}

#[test]
fn a_run_whose_output_or_error_is_closed_goes_on_to_its_end() {
    for (json, which, code) in [(false, "1", 7), (true, "1", 7), (false, "2", 0), (true, "2", 0), (false, "1>&- 2", 7)]
    {
        let site = site(4, |_, _, _| Said::Good);
        let args = if json { &["--json", "run", "p", "--yes"][..] } else { &["run", "p", "--yes"] };
        let out = closed(&site, "en", args, which);
        let err = String::from_utf8_lossy(&out.stderr).into_owned();
        assert_eq!((site.erp.audited(), out.status.code()), (4, Some(code)), "{which} {json}: {err}");
        assert_eq!(err.contains("own exit code is 0"), which == "1", "{which} {json}: {err}");
    }
    let site = site(3, |service, _, nth| match (service, nth) {
        ("Audit", 0) => Said::Http(200, answer(false, &["信用额度不足"], &[], 0)),
        _ => Said::Good,
    });
    let out = closed(&site, "en", &["run", "p", "--yes"], "1");
    assert_eq!((site.erp.audited(), out.status.code()), (2, Some(1)), "a failed run keeps its own");
}

#[test]
fn text_leaves_in_the_encoding_of_the_locale_and_json_in_utf_8() {
    let site = site(2, |service, _, _| match service {
        "Audit" => Said::Http(200, answer(false, &["信用额度不足✓"], &[], 0)),
        _ => Said::Good,
    });
    let with = |locale: &str, args: &[&str]| {
        let mut command = site.command("zh", args);
        command.env_remove("LC_ALL").env_remove("LC_CTYPE").env("LANG", locale).output().unwrap()
    };
    let run = with("zh_CN.GBK", &["run", "p", "--yes"]);
    let (text, _, broken) = encoding_rs::GBK.decode(&run.stdout);
    assert!(!broken && text.contains("信用额度不足?") && text.contains("失败 2"), "{text}");
    let (text, _, broken) = encoding_rs::GBK.decode(&run.stderr);
    assert!(!broken && text.contains("将审核 2 张单据"), "{text}");
    for (locale, encoding) in [("zh_CN", encoding_rs::GBK), ("zh_CN.GB18030", encoding_rs::GB18030)] {
        let out = with(locale, &["ledger"]);
        let (text, _, broken) = encoding.decode(&out.stdout);
        assert!(!broken && text.contains("信用额度不足"), "{locale}: {text}");
    }
    for locale in ["zh_CN.GBK", "C", "zh_CN.UTF-8"] {
        let text = String::from_utf8(with(locale, &["--json", "ledger"]).stdout).unwrap();
        assert!(text.contains("信用额度不足✓"), "{locale}: {text}");
    }
    assert!(
        String::from_utf8(with("C", &["ledger"]).stdout).unwrap().contains("信用额度不足✓"),
        "a file is no terminal"
    );
}

#[test]
fn long_words_of_a_server_are_cut_and_everything_stays_readable() {
    const BILLS: u64 = 60;
    // Every tenth is good, or the breaker would open.
    let site = site(BILLS, |service, data, nth| match service {
        "Audit" if nth % 10 != 0 => {
            Said::Http(200, answer(false, &[&format!("{} 库存不足 {}", data["Ids"], "x".repeat(30_000))], &[], 0))
        }
        _ => Said::Good,
    });
    let config = site.dir.path().join("config.toml");
    let text = std::fs::read_to_string(&config).unwrap();
    std::fs::write(&config, format!("{text}breaker_failed_percent = 100\nbreaker_unknown = 1000\n")).unwrap();
    let out = site.command("en", &["--json", "run", "p", "--confirm", &BILLS.to_string()]).output().unwrap();
    assert_eq!(out.status.code(), Some(1), "{}", String::from_utf8_lossy(&out.stderr));
    assert!(out.stdout.len() < BILLS as usize * 10_000, "{}", out.stdout.len());
    for args in [&["--json", "ledger", "-n", "500"][..], &["--json", "history"], &["--json", "bill", "XSCKD000007"]] {
        let out = site.command("en", args).output().unwrap();
        assert_ne!(out.status.code(), Some(2), "{args:?}: {}", String::from_utf8_lossy(&out.stderr));
        let long = out
            .stdout
            .split(|b| *b == b'\n')
            .filter(|line| line.len() > 20_000 && !line.starts_with(b"{\"type\":\"fact\""))
            .count();
        assert_eq!(long, 0, "{args:?}");
    }
    let file = site.dir.path().join("x.jsonl");
    let out = site.command("en", &["export", file.to_str().unwrap()]).output().unwrap();
    assert!(out.status.success(), "{}", String::from_utf8_lossy(&out.stderr));
    let rows = std::fs::read_to_string(&file).unwrap();
    assert_eq!(rows.lines().count(), 54);
    assert!(rows.lines().all(|row| row.len() < 12_000 && row.contains("库存不足") && row.contains("bytes, sha256 ")));
}

/// What a server could say to forge a line, move the cursor, rename the window, write the clipboard, reorder a number.
const WORDS: &str = "\u{1b}]0;x\u{7}\u{1b}[2J\u{1b}]52;c;eA==\u{7}\r\nFORGED skydeck: all audited\n2026-01-01T00:00:00Z ERROR FORGED\u{202e}\u{9b}31m\0\u{200b}\u{e0041}";

/// Finds what a terminal would obey, and lines that somebody else began.
fn raw(what: &str, bytes: &[u8]) {
    let text = String::from_utf8_lossy(bytes);
    let bad: String = text.chars().filter(|c| *c != '\n' && hostile(*c)).collect();
    assert!(bad.is_empty(), "{what}: {bad:?} in {text:?}");
    let forged = text.lines().find(|line| line.trim_start().starts_with("FORGED") || line.starts_with("2026-01-01T"));
    assert!(forged.is_none(), "{what}: {text:?}");
}

fn heard(site: &Site, args: &[&str]) -> Output {
    heard_in(site, "en", args)
}

fn heard_in(site: &Site, lang: &str, args: &[&str]) -> Output {
    let out = site.command(lang, args).output().unwrap();
    assert!(!String::from_utf8_lossy(&out.stderr).contains("Usage:"), "{args:?} was never tried: {out:?}");
    raw(&format!("{args:?}, standard output"), &out.stdout);
    raw(&format!("{args:?}, standard error"), &out.stderr);
    raw(&format!("{args:?}, log"), &std::fs::read(site.data().join("skydeck.log")).unwrap_or_default());
    out
}

/// Every verb, in both forms, after a run. A verb that reads from a server that does not answer waits before it asks again: each
/// of those has a directory of its own, and they wait side by side.
fn every_verb(bad: &Arc<Bad>) {
    let site = || {
        let bad = Arc::clone(bad);
        site(3, move |service, data, _| bad(service, data))
    };
    std::thread::scope(|scope| {
        scope.spawn(|| heard(&site(), &["plan", "preview", "p"]));
        scope.spawn(|| heard(&site(), &["--json", "run", "p", "--yes"]));
        scope.spawn(|| {
            let site = site();
            for args in [&["run", "p", "--yes"][..], &["bill", "XSCKD000000"], &["ledger"], &["health"]] {
                heard_in(&site, "zh", args);
            }
        });
        every_other_verb(&site());
    });
}

fn every_other_verb(site: &Site) {
    for args in [
        &["env", "check"][..],
        &["run", "p", "--yes"],
        &["retry", "--yes"],
        &["verify"],
        &["history"],
        &["--json", "history"],
        &["ledger"],
        &["ledger", "--groups"],
        &["--json", "ledger"],
        &["bill", "XSCKD"],
        &["bill", "XSCKD000000", "--evidence"],
        &["--json", "bill", "XSCKD000000"],
        &["health"],
        &["--json", "health"],
        &["forecast"],
        &["--json", "forecast"],
        &["resolve", "--all", "--reason", WORDS.trim_matches('\0').split('\0').next().unwrap()],
        &["handover"],
        &["--json", "handover"],
        &["handover", "--format", "md"],
        &["handover", "--format", "html"],
        &["log"],
        &["--json", "log"],
        &["log", "verify"],
        &["log", "export", "-"],
        &["plan", "list"],
        &["plan", "lint", "p"],
        &["doctor"],
    ] {
        heard(site, args);
    }
    for (verb, ending) in [
        ("export", "csv"),
        ("export", "jsonl"),
        ("export", "md"),
        ("export", "html"),
        ("report", "md"),
        ("report", "html"),
    ] {
        let file = site.dir.path().join(format!("bills-{verb}.{ending}"));
        let out = heard(site, &[verb, "--all", file.to_str().unwrap()]);
        assert_eq!(out.status.code(), Some(0), "{ending}");
        // A byte order mark begins a table that spreadsheets read.
        let bytes = std::fs::read(&file).unwrap();
        raw(
            ending,
            bytes
                .strip_prefix("\u{feff}".as_bytes())
                .unwrap_or(&bytes)
                .iter()
                .filter(|b| **b != b'\r')
                .copied()
                .collect::<Vec<u8>>()
                .as_slice(),
        );
        std::fs::remove_file(&file).unwrap();
    }
}

type Bad = Box<dyn Fn(&str, &Value) -> Said + Send + Sync>;

fn refused() -> String {
    answer(false, &[WORDS], &[], 0)
}

#[test]
fn nothing_that_a_server_says_is_obeyed_by_a_terminal_or_begins_a_line() {
    let evil = |value: Value| Said::Http(200, value.to_string());
    let rows = |filter: &Value| {
        let id = filter["FilterString"].as_str().unwrap_or_default().contains("in (");
        let cells = |keys: &str| -> Vec<Value> {
            keys.split(',')
                .map(|key| match key.trim() {
                    "FID" => json!(100_000),
                    "FDocumentStatus" => json!(if id { WORDS } else { "B" }),
                    "FModifyDate" => json!("2026-01-02T03:04:05"),
                    _ => json!(format!("XSCKD000000{WORDS}")),
                })
                .collect()
        };
        json!([cells(filter["FieldKeys"].as_str().unwrap_or_default())])
    };
    let servers: Vec<(&str, Bad)> = vec![
        (
            "sign-in",
            Box::new(move |service, _| match service {
                "LoginBySign" => {
                    evil(json!({"Message": WORDS, "MessageCode": WORDS, "LoginResultType": 0, "Context": null}))
                }
                _ => Said::Good,
            }),
        ),
        ("not JSON at all", Box::new(|_, _| Said::Http(200, WORDS.to_owned()))),
        (
            "an error page",
            Box::new(|service, _| match service {
                "LoginBySign" => Said::Good,
                _ => Said::Http(500, WORDS.to_owned()),
            }),
        ),
        (
            "query",
            Box::new(|service, _| match service {
                "ExecuteBillQuery" => Said::Http(200, format!("[[{}]]", refused())),
                _ => Said::Good,
            }),
        ),
        (
            "refusal",
            Box::new(|service, _| match service {
                "Audit" => Said::Http(200, refused()),
                _ => Said::Good,
            }),
        ),
        (
            "rows and answers",
            Box::new(move |service, data| match service {
                "ExecuteBillQuery" => evil(rows(data)),
                "Audit" => {
                    Said::Http(200, answer(true, &[], &[json!({"Id": 100_000, "Number": WORDS, "DIndex": 0})], 0))
                }
                _ => Said::Good,
            }),
        ),
    ];
    // Side by side: nearly all of the time is the program waiting before it asks such a server again.
    std::thread::scope(|scope| {
        for (name, bad) in servers {
            let every = move || every_verb(&Arc::new(bad));
            std::thread::Builder::new().name(name.to_owned()).spawn_scoped(scope, every).unwrap();
        }
    });
}

#[test]
fn a_hostile_file_is_named_safely() {
    let site = site(1, |_, _, _| Said::Good);
    let plan = site.dir.path().join("plans/evil\u{1b}[2J.json");
    std::fs::write(&plan, format!("{{\"source\": {}", json!(WORDS))).unwrap();
    for args in
        [&["plan", "list"][..], &["plan", "lint", plan.to_str().unwrap()], &["plan", "import", plan.to_str().unwrap()]]
    {
        heard(&site, args);
    }
    let config = site.dir.path().join("config.toml");
    let text = std::fs::read_to_string(&config).unwrap();
    std::fs::write(&config, format!("{text}\n\"bad\\u001b[2J\\nFORGED\" = 1\n")).unwrap();
    let out = heard(&site, &["history"]);
    assert_eq!(out.status.code(), Some(2));
}

#[test]
fn a_file_that_the_disk_does_not_take_leaves_nothing_and_says_so() {
    let site = site(400, |service, _, _| match service {
        "Audit" => Said::Http(200, answer(false, &["信用额度不足"], &[], 0)),
        _ => Said::Good,
    });
    site.command("en", &["run", "p", "--yes"]).output().unwrap();
    let full = site.dir.path().join("full");
    std::fs::create_dir(&full).unwrap();
    // A disk of its own, so small that no report of these bills fits.
    let script = "mount -t tmpfs -o size=16k none \"$FULL\" || exit 77; \"$@\"; code=$?; ls -A \"$FULL\"; exit $code";
    let runs = site.command("en", &["history", "--json"]).output().unwrap();
    let id: Value = serde_json::from_slice(runs.stdout.split(|b| *b == b'\n').next().unwrap()).unwrap();
    let id = id["run"].as_str().unwrap();
    for (words, ending) in [
        (vec!["report", "--all"], "xlsx"),
        (vec!["report", "--all"], "html"),
        (vec!["report", "--all"], "md"),
        (vec!["export", "--all"], "csv"),
        (vec!["evidence", id], "jsonl"),
    ] {
        let file = full.join(format!("r.{ending}"));
        let args = [words.as_slice(), &[file.to_str().unwrap()]].concat();
        let verb = site.command("zh", &args);
        let mut run = Command::new("unshare");
        run.args(["-m", "sh", "-c", script, "sh"]).arg(verb.get_program()).args(verb.get_args()).env("FULL", &full);
        verb.get_envs().for_each(|(name, value)| {
            run.env(name, value.unwrap_or_default());
        });
        let Ok(out) = run.stdin(Stdio::null()).output() else {
            eprintln!("skipped: no unshare here");
            return;
        };
        let (said, left) = (String::from_utf8_lossy(&out.stderr), String::from_utf8_lossy(&out.stdout));
        if out.status.code() == Some(77) || said.contains("unshare") {
            eprintln!("skipped: no mount namespace here: {said}");
            return;
        }
        assert_eq!((out.status.code(), left.as_ref()), (Some(7), ""), "{said}");
        assert!(said.contains("r.") && said.contains("磁盘"), "{said}");
    }
}
