//! Plans from their owners' hands, run by the real binary against the simulator: pasted, written from scratch, over two environments.

use std::io::{BufRead as _, BufReader, Write as _};
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};

const BIN: &str = env!("CARGO_BIN_EXE_skydeck");

/// A simulator of its own process; killed by process id when dropped.
struct Sim {
    child: Child,
    url: String,
}

impl Sim {
    fn start(dir: &Path, name: &str, bills: u32, seed: u32) -> Self {
        let mut child = Command::new(BIN)
            .args(["sim", "--port", "0", "--faults", "none", "--lang", "en"])
            .args(["--bills", &bills.to_string(), "--seed", &seed.to_string(), "--data"])
            .arg(dir.join(name))
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let mut first = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut first).unwrap();
        let url = first.trim().to_owned();
        assert!(url.starts_with("http://127.0.0.1:"), "{first}");
        Self { child, url }
    }

    /// What the server counted.
    fn stats(&self) -> serde_json::Value {
        let address = self.url.trim_start_matches("http://").split('/').next().unwrap();
        let mut stream = std::net::TcpStream::connect(address).unwrap();
        write!(stream, "GET /admin/stats HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n").unwrap();
        let mut text = String::new();
        std::io::Read::read_to_string(&mut stream, &mut text).unwrap();
        let (from, to) = (text.find('{').unwrap(), text.rfind('}').unwrap());
        serde_json::from_str(&text[from..=to]).unwrap()
    }

    fn environment(&self, name: &str, secret: &Path) -> String {
        format!(
            "[environment.{name}]\nurl = \"{}\"\naccount_set = \"60aa0000000000\"\nuser = \"demo\"\nsign_in = \"signed\"\n\
             app_id = \"123456_dGVzdC1zZWNyZXQtMjQtYnl0ZXMtYWJj\"\nsecret = {{ file = \"{}\" }}\n\
             server_zone = \"Asia/Shanghai\"\n[environment.{name}.limits]\nper_minute = 60000\n\n",
            self.url,
            secret.display()
        )
    }
}

impl Drop for Sim {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

struct Place {
    dir: tempfile::TempDir,
}

impl Place {
    fn new(sims: impl FnOnce(&Path) -> Vec<(&'static str, Sim)>) -> (Self, Vec<(&'static str, Sim)>) {
        let dir = tempfile::tempdir().unwrap();
        let secret = dir.path().join("secret");
        std::fs::write(&secret, "0123456789abcdef0123456789abcdef\n").unwrap();
        std::fs::set_permissions(&secret, std::fs::Permissions::from_mode(0o600)).unwrap();
        std::fs::create_dir(dir.path().join("plans")).unwrap();
        let sims = sims(dir.path());
        let config: String = sims.iter().map(|(name, sim)| sim.environment(name, &secret)).collect();
        std::fs::write(dir.path().join("config.toml"), config).unwrap();
        (Self { dir }, sims)
    }

    fn verb(&self, args: &[&str], stdin: &str) -> Output {
        let mut child = Command::new(BIN)
            .args(["--lang", "en", "--config", "config.toml", "--data", "data"])
            .args(args)
            .current_dir(self.dir.path())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        child.stdin.take().unwrap().write_all(stdin.as_bytes()).unwrap();
        child.wait_with_output().unwrap()
    }

    /// Runs a verb that has to end well; what it said on both channels.
    fn good(&self, args: &[&str], stdin: &str) -> String {
        let out = self.verb(args, stdin);
        let text = format!("{}{}", String::from_utf8_lossy(&out.stdout), String::from_utf8_lossy(&out.stderr));
        assert_eq!(out.status.code(), Some(0), "{args:?}: {text}");
        text
    }

    fn plan(&self, name: &str, text: &str) {
        std::fs::write(self.dir.path().join("plans").join(name), text).unwrap();
    }
}

/// The numbers of a sum line: found, audited, already audited, skipped, failed, unknown.
fn sum(text: &str) -> Vec<u64> {
    let line = text.lines().rev().find(|l| l.contains("found ") && l.contains(" = audited ")).expect(text);
    let line = &line[line.find("found ").unwrap()..];
    line.split(|c: char| !c.is_ascii_digit()).filter_map(|n| n.parse().ok()).collect()
}

#[test]
fn a_pasted_page_and_a_plan_from_scratch_become_plans_that_run() {
    let (place, sims) = Place::new(|dir| vec![("test", Sim::start(dir, "sim", 120, 7))]);
    let page = include_str!("../golden/plans/import/seed_page.md");
    let guesses = place.good(&["plan", "import", "-", "-o", "plans/pasted.json"], page);
    assert!(guesses.contains("{{LAST_SYNC_TIME|dateTime}}"), "the mended pipe is told: {guesses}");
    place.good(&["plan", "preview", "pasted"], "");
    assert!(sims[0].1.stats()["applied"].as_object().unwrap().is_empty(), "a preview touches nothing");
    let run = place.good(&["run", "pasted", "--yes"], "");
    let sums = sum(&run);
    assert_eq!(sums[0], sums[1..].iter().sum::<u64>(), "{run}");
    assert!(sums[1] > 0 && sums[4] + sums[5] == 0, "{run}");
    assert_eq!(sims[0].1.stats()["applied"]["Audit"], sums[1]);

    let scratch = place.verb(&["plan", "new", "STK_InStock", "--submit"], "");
    assert_eq!(scratch.status.code(), Some(0));
    place.plan("receipts.json", &String::from_utf8(scratch.stdout).unwrap());
    let receipts = sum(&place.good(&["run", "receipts", "--yes"], ""));
    assert!(
        receipts[0] > 0 && receipts[0] == receipts[1],
        "all are submitted where needed, then audited: {receipts:?}"
    );
    assert_eq!(sims[0].1.stats()["max_audits_per_bill"], 1);
}

#[test]
fn a_plan_over_two_environments_calls_the_target_alone_and_names_what_it_lacks() {
    let (place, sims) =
        Place::new(|dir| vec![("source", Sim::start(dir, "a", 120, 7)), ("target", Sim::start(dir, "b", 100, 8))]);
    let mut plan: serde_json::Value =
        serde_json::from_str(include_str!("../../plans/sal_outstock_audit.json")).unwrap();
    plan["skydeck"]["env"] = "source".into();
    plan["skydeck"]["target_env"] = "target".into();
    place.plan("across.json", &plan.to_string());

    let preview: serde_json::Value = {
        let text = place.verb(&["--json", "plan", "preview", "across"], "");
        let text = String::from_utf8(text.stdout).unwrap();
        serde_json::from_str(text.lines().find(|l| l.contains("preview")).expect(&text)).unwrap()
    };
    assert_eq!(preview["env"], "target");
    let absent = preview["absent"].as_u64().unwrap();
    assert!(absent > 0, "the target has fewer bills: {preview}");

    let run = place.good(&["run", "across", "--yes"], "");
    assert!(run.contains("not in the target exactly once") && run.contains("XSCKD"), "{run}");
    let sums = sum(&run);
    assert_eq!(sums[0], sums[1..].iter().sum::<u64>(), "{run}");
    assert!(sums[1] > 0, "{run}");
    let (source, target) = (sims[0].1.stats(), sims[1].1.stats());
    assert!(source["applied"].as_object().unwrap().is_empty(), "the source is only read: {source}");
    assert_eq!(target["applied"]["Audit"], sums[1], "{target}");
    let found_again = sum(&place.good(&["run", "across", "--yes"], ""));
    assert_eq!(found_again[1], 0, "nothing is audited twice");
    assert_eq!(found_again[2], sums[1] + sums[2], "the mark stayed: what the target lacks is asked for again");
    assert_eq!(sims[1].1.stats()["max_audits_per_bill"], 1);
}

#[test]
fn a_retry_runs_under_the_newest_revision_or_the_one_the_bills_were_tried_under() {
    let (place, sims) = Place::new(|dir| vec![("test", Sim::start(dir, "sim", 60, 7))]);
    let plain: serde_json::Value = serde_json::from_str(include_str!("../../plans/sal_outstock_audit.json")).unwrap();
    place.plan("sales.json", &plain.to_string());
    let first = sum(&place.good(&["run", "sales", "--yes"], ""));
    assert!(first[3] > 0, "nobody submitted these: {first:?}");
    let mut submits = plain;
    submits["skydeck"]["submit"] = true.into();
    place.plan("sales.json", &submits.to_string());

    let retry = |choice: &str| place.verb(&["--json", "retry", "status:skipped", "--revision", choice, "--yes"], "");
    let closed = |out: Output| -> serde_json::Value {
        let text = String::from_utf8(out.stdout).unwrap();
        serde_json::from_str(text.lines().rev().find(|l| l.contains("\"type\":\"run\"")).expect(&text)).unwrap()
    };
    let calls = |name: &str| sims[0].1.stats()["applied"][name].as_u64().unwrap_or(0);
    let original = closed(retry("original"));
    assert_eq!((original["chosen_revision"].as_str(), calls("Submit")), (Some("original"), 0), "{original}");
    assert_eq!(original["skipped"], first[3]);
    let newest = closed(retry("newest"));
    assert_eq!(newest["chosen_revision"], "newest");
    assert_ne!(newest["revision"], original["revision"]);
    assert!(calls("Submit") > 0 && newest["audited"].as_u64().unwrap() > 0, "{newest}");
    let log = place.good(&["log"], "");
    assert!(log.contains("sales under its original revision"), "{log}");
    let wrong = place.verb(&["retry", "--revision", "older"], "");
    assert_eq!(wrong.status.code(), Some(2));
    assert_eq!(sims[0].1.stats()["max_audits_per_bill"], 1);
}

#[test]
fn a_run_can_be_ended_by_a_date_and_the_rest_is_found_by_the_next() {
    let (place, _sims) = Place::new(|dir| vec![("test", Sim::start(dir, "sim", 60, 7))]);
    place.plan("sales.json", include_str!("../../plans/sal_outstock_audit.json"));
    let preview = place.good(&["plan", "preview", "sales"], "");
    let past = place.good(&["run", "sales", "--until", "2001-01-01", "--yes"], "");
    assert_eq!(sum(&past)[0], 0, "nothing is that old: {past}");
    let wrong = place.verb(&["run", "sales", "--until", "tomorrow", "--yes"], "");
    assert!(String::from_utf8_lossy(&wrong.stderr).contains("is not a date"));
    let rest = sum(&place.good(&["run", "sales", "--yes"], ""));
    assert!(rest[0] > 0 && preview.contains(&format!("found {},", rest[0])), "the mark did not move: {preview}");
}

#[test]
fn a_plan_that_submits_alone_is_told_as_submitting() {
    let (place, sims) = Place::new(|dir| vec![("test", Sim::start(dir, "sim", 60, 7))]);
    let mut plan: serde_json::Value =
        serde_json::from_str(include_str!("../../plans/sal_outstock_audit.json")).unwrap();
    plan["target"]["api"] = "Submit".into();
    place.plan("submit.json", &plan.to_string());
    let out = place.verb(&["--json", "run", "submit", "--yes"], "");
    let text = String::from_utf8(out.stdout).unwrap();
    let lines: Vec<serde_json::Value> = text.lines().map(|l| serde_json::from_str(l).unwrap()).collect();
    let run = lines.iter().rev().find(|l| l["type"] == "run").expect(&text);
    assert_eq!((&run["operation"], &run["done"], run.get("said_by")), (&"Submit".into(), &run["audited"], None));
    assert!(run["done"].as_u64().unwrap() > 0, "{run}");
    assert_eq!(run["done"], sims[0].1.stats()["applied"]["Submit"]);
    let bills: Vec<_> = lines.iter().filter(|l| l["type"] == "bill").collect();
    assert!(!bills.is_empty() && bills.iter().all(|b| b["operation"] == "Submit"), "{text}");
    let done: Vec<_> = bills.iter().filter(|b| b["outcome"] == "done").collect();
    assert_eq!(done.len() as u64, run["done"].as_u64().unwrap());
    assert!(done.iter().all(|b| b["word"] == "submitted") && !text.contains("\"outcome\":\"audited\""), "{text}");

    let history = place.good(&["history"], "");
    assert!(history.contains("Submit: found ") && history.contains(" = done ") && !history.contains("audited"));
    let id = run["run"].as_str().unwrap();
    let listed = place.good(&["history", id, "--filter", "status:submitted", "-n", "500"], "");
    let last = listed.lines().last().unwrap();
    assert!(last.starts_with("Submit: found ") && last.contains(" + already done "), "{listed}");
    assert_eq!(listed.lines().filter(|l| l.contains(" submitted ")).count(), done.len(), "{listed}");
    let bill = place.good(&["bill", done[0]["no"].as_str().unwrap()], "");
    assert!(bill.lines().next().unwrap().contains("SAL_OUTSTOCK test Submit  submitted"), "{bill}");
    assert!(
        bill.contains("sending submit, try 1") && bill.contains("= submitted") && !bill.contains("audit"),
        "{bill}"
    );

    place.good(&["export", "--all", "bills.csv"], "");
    let csv = std::fs::read_to_string(place.dir.path().join("bills.csv")).unwrap();
    assert!(csv.lines().next().unwrap().trim_end().ends_with(",operation,outcome_code,cause_code"), "{csv}");
    assert!(csv.lines().any(|l| l.contains(",submitted,") && l.trim_end().ends_with(",Submit,done,")), "{csv}");
    place.good(&["export", "--all", "--codes", "codes.csv"], "");
    let csv = std::fs::read_to_string(place.dir.path().join("codes.csv")).unwrap();
    assert!(csv.lines().next().unwrap().trim_end().ends_with(",operation"), "{csv}");
    assert!(csv.lines().any(|l| l.contains(",done,") && l.trim_end().ends_with(",Submit")), "{csv}");
}
