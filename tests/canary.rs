//! A secret that is like no other word: whatever the program writes, says or shows to other processes, it is not in it.
#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

#[path = "support/place.rs"]
mod place;
#[path = "support/pty.rs"]
mod pty;
#[path = "support/stub.rs"]
#[allow(dead_code)]
mod stub;

use base64::Engine as _;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use place::{PROGRAM, Place, until};
use pty::{Pty, Start};
use skydeck::sim;

const CANARY: &str = "Kanarie-7f3e91c2-vogel";

/// Where the canary must not be found, and is looked for.
#[derive(Default)]
struct Search {
    looked: u64,
    found: Vec<String>,
}

impl Search {
    fn bytes(&mut self, what: &str, bytes: &[u8]) {
        self.looked += bytes.len() as u64;
        // Also as it stands in a JSON text, in base64 and in hex.
        let hex: Vec<String> = CANARY.bytes().map(|b| format!("{b:02x}")).collect();
        let mut forms = vec![CANARY.to_owned(), hex.concat()];
        // Its first signs, wholly escaped and wholly percent-encoded.
        let first = || CANARY.bytes().take(8);
        forms.push(first().map(|b| format!("%{b:02x}")).collect::<Vec<_>>().concat());
        forms.push(first().map(|b| format!("\\u{b:04x}")).collect::<Vec<_>>().concat());
        forms.push(first().map(|b| format!("\\\\u{b:04x}")).collect::<Vec<_>>().concat());
        for lead in ["", "x", "xx"] {
            let text = base64::engine::general_purpose::STANDARD.encode(format!("{lead}{CANARY}"));
            forms.push(text[4..text.len() - 4].to_owned());
        }
        let text = String::from_utf8_lossy(bytes).to_ascii_lowercase();
        for form in forms {
            if text.contains(&form.to_ascii_lowercase()) {
                self.found.push(format!("{what}: {form}"));
            }
        }
    }

    fn output(&mut self, what: &str, out: &Output) {
        self.bytes(&format!("{what}, standard output"), &out.stdout);
        self.bytes(&format!("{what}, standard error"), &out.stderr);
    }

    fn tree(&mut self, dir: &Path, but: &Path) {
        for entry in std::fs::read_dir(dir).unwrap().flatten() {
            let path = entry.path();
            match entry.file_type().unwrap() {
                kind if kind.is_dir() => self.tree(&path, but),
                kind if kind.is_file() && path != but => {
                    self.bytes(&path.display().to_string(), &std::fs::read(&path).unwrap());
                }
                _ => {}
            }
        }
    }

    /// What any process of this user can see of another.
    fn process(&mut self, pid: u32) {
        for view in ["cmdline", "environ", "comm", "status", "maps", "mountinfo"] {
            let path = PathBuf::from(format!("/proc/{pid}/{view}"));
            if let Ok(bytes) = std::fs::read(&path) {
                self.bytes(&path.display().to_string(), &bytes);
            }
        }
    }
}

/// A place whose secret is the canary. The simulator takes any secret; with `wrong` it takes none.
fn place(sign_in: &str) -> (Place, PathBuf) {
    let place = Place::with(20, "", "[log]\nlevel = \"debug\"\nformat = \"json\"\n");
    let secret = place.dir.path().join("secret");
    std::fs::write(&secret, CANARY).unwrap();
    std::fs::set_permissions(&secret, std::fs::Permissions::from_mode(0o600)).unwrap();
    let config = place.dir.path().join("config.toml");
    let text = std::fs::read_to_string(&config).unwrap().replace("\"signed\"", &format!("\"{sign_in}\""));
    std::fs::write(&config, text).unwrap();
    (place, secret)
}

#[test]
fn the_secret_is_in_no_log_error_history_export_report_or_view_of_a_process() {
    let mut search = Search::default();
    for sign_in in ["signed", "app_secret", "password"] {
        let (place, secret) = place(sign_in);
        let home = place.dir.path().display().to_string();
        let verbs: [&[&str]; 12] = [
            &["env", "check"],
            &["env", "list"],
            &["run", "sal_outstock_audit", "--yes", "--json"],
            &["retry", "--yes"],
            &["verify"],
            &["ledger"],
            &["history", "--json"],
            &["bill", "XSCKD", "--evidence"],
            &["log", "--json"],
            &["plan", "preview", "sal_outstock_audit"],
            &["doctor"],
            &["export", "--all", &format!("{home}/all.html")],
        ];
        for verb in verbs {
            search.output(&format!("{sign_in}: {}", verb.join(" ")), &place.verb(verb));
        }
        for (file, format) in [("all.csv", "csv"), ("all.jsonl", "jsonl"), ("all.md", "md")] {
            let out = place.verb(&["export", "--all", "--format", format, &format!("{home}/{file}")]);
            search.output(file, &out);
        }
        // Compressed segments too: every fact in plain.
        search.output("facts", &place.verb(&["doctor", "--export", &format!("{home}/facts.jsonl")]));
        search.output("backup", &place.verb(&["backup", &format!("{home}/backup")]));
        // A console with an owner of its own, looked at from outside while it works.
        let options = place.options();
        let args: Vec<&str> = options.iter().map(String::as_str).collect();
        let mut console =
            Pty::start(&Start { program: PROGRAM, args: &args, env: &[("LANG", "en_US.UTF-8")], size: (110, 30) });
        console.wait_text("销售出库单");
        until("the owner", || place.is_owned());
        search.process(console.process_id());
        search.process(u32::try_from(place.owner().as_raw_nonzero().get()).unwrap());
        console.send(b"r");
        console.wait_for("the run", |text| text.contains("found") || text.contains("Nothing"));
        search.bytes("the screen's bytes", &console.bytes());
        drop(console);
        search.tree(place.dir.path(), &secret);
        let log = std::fs::read_to_string(place.data().join("skydeck.log")).unwrap();
        assert!(log.lines().count() > 5, "the log was looked at and has something to look at: {log}");
        for line in log.lines() {
            let _: serde_json::Value = serde_json::from_str(line).unwrap_or_else(|e| panic!("{e}: {line}"));
        }
    }
    assert_eq!(search.found, Vec::<String>::new());
    assert!(search.looked > 500_000, "only {} bytes were looked at", search.looked);
}

#[test]
fn the_secret_is_in_no_message_when_signing_in_fails_or_the_secret_is_in_the_wrong_place() {
    let mut search = Search::default();
    let (mut place, secret) = place("password");
    // Nobody answers any more: connection errors.
    let sim = place.sim.take().unwrap();
    place.runtime.block_on(sim.shutdown());
    for verb in
        [&["env", "check"][..], &["run", "sal_outstock_audit", "--yes"], &["plan", "preview", "sal_outstock_audit"]]
    {
        let out = place.verb(verb);
        assert!(!out.status.success());
        search.output(&verb.join(" "), &out);
    }
    let config = place.dir.path().join("config.toml");
    let good = std::fs::read_to_string(&config).unwrap();
    for (from, to) in [
        ("secret = { file = \"secret\" }".to_owned(), format!("secret = \"{CANARY}\"")),
        ("secret = { file = \"secret\" }".to_owned(), format!("password = \"{CANARY}\"")),
        ("secret = { file = \"secret\" }".to_owned(), format!("secret = {{ file = \"secret\" }}\nlcid = \"{CANARY}\"")),
        (
            "secret = { file = \"secret\" }".to_owned(),
            format!("secret = {{ command = [\"sh\", \"-c\", \"echo {CANARY}; exit 3\"] }}"),
        ),
        ("sign_in = \"password\"".to_owned(), format!("sign_in = \"{CANARY}\"")),
    ] {
        std::fs::write(&config, good.replace(&from, &to)).unwrap();
        let out = place.verb(&["env", "check"]);
        assert_eq!(out.status.code(), Some(2), "{to}");
        search.output(&to.replace(CANARY, "…"), &out);
    }
    std::fs::write(&config, &good).unwrap();
    std::fs::set_permissions(&secret, std::fs::Permissions::from_mode(0o644)).unwrap();
    search.output("a secret others may read", &place.verb(&["env", "check"]));
    search.tree(&place.data(), &secret);
    assert_eq!(search.found, Vec::<String>::new());
}

#[test]
fn a_command_that_shows_the_environment_shows_no_secret() {
    // The secret is never handed on: a child of ours (a secret command here) sees it neither in its words nor in its
    // environment.
    let (place, _) = place("signed");
    let seen = place.dir.path().join("seen");
    let config = place.dir.path().join("config.toml");
    let text = std::fs::read_to_string(&config).unwrap();
    let second = format!(
        "[environment.second]\nurl = \"http://127.0.0.1:9/k3cloud/\"\naccount_set = \"x\"\nuser = \"u\"\nsign_in = \"password\"\n\
         secret = {{ command = [\"sh\", \"-c\", \"env > {0}; cat /proc/$PPID/environ /proc/$PPID/cmdline >> {0}; echo other\"] }}\n",
        seen.display()
    );
    std::fs::write(&config, text + &second).unwrap();
    place.empty_data();
    let out = Command::new(PROGRAM).args(["verify"]).args(place.options()).stdin(Stdio::null()).output().unwrap();
    let mut search = Search::default();
    search.output("verify", &out);
    search.bytes("a child's view", &std::fs::read(&seen).unwrap());
    assert_eq!(search.found, Vec::<String>::new());
}

/// A secret that looks another way in every encoding.
fn quoted_canary() -> String {
    format!("{CANARY}\"x\\w/é&<z% ").trim_end().to_owned()
}

fn percent(text: &str) -> String {
    text.bytes().map(|b| format!("%{b:02X}")).collect::<Vec<_>>().concat()
}

/// A secret as a server may write it into a text of a JSON answer.
fn forms(secret: &str) -> Vec<String> {
    let json = |text: &str| serde_json::to_string(text).unwrap().trim_matches('"').to_owned();
    let inner = serde_json::to_string(secret).unwrap();
    let inner = inner[1..inner.len() - 1].to_owned();
    let utf16 = secret.encode_utf16().map(|unit| format!("\\u{unit:04x}")).collect::<Vec<_>>().concat();
    let percent = percent(secret);
    let html = secret.replace('&', "&amp;").replace('"', "&quot;").replace('<', "&lt;");
    vec![
        inner.clone(),
        inner.replace('/', "\\/"),
        json(&inner),
        utf16.clone(),
        utf16.replace('\\', "\\\\"),
        percent.replace('%', "%25"),
        percent,
        json(&html),
    ]
}

/// What an echoing server answers to a call, with the words in every text of it.
fn echo(seen: &stub::Seen, words: &str, how: &str) -> stub::Answer {
    let body = |text: String| stub::Answer { body: Some(text), ..stub::Answer::default() };
    let refused = format!(
        r#"{{"Result":{{"ResponseStatus":{{"IsSuccess":false,"MsgCode":11,"Errors":[{{"FieldName":"{words}","Message":"密码 {words}","DIndex":0}}],"SuccessEntitys":[]}}}}}}"#
    );
    let request = String::from_utf8_lossy(&seen.body).into_owned();
    match (seen.service.as_str(), how) {
        (login, "sign-in refused") if stub::is_login(login) => {
            let said = serde_json::to_string(&format!("echo {request}")).unwrap();
            body(format!(r#"{{"LoginResultType":0,"Message":{said},"MessageCode":"{words}","IsSuccessByAPI":false}}"#))
        }
        (login, "sign-in broken") if stub::is_login(login) => {
            stub::Answer { status: Some(500), ..body(format!("<html>{request} {words}</html>")) }
        }
        (login, "sign-in elsewhere") if stub::is_login(login) => {
            let headers = vec![(
                "Location".to_owned(),
                format!("http://other.invalid/{}/{}", "x".repeat(170), percent(&quoted_canary())),
            )];
            stub::Answer { status: Some(302), headers, ..body(String::new()) }
        }
        (login, _) if stub::is_login(login) => body(format!(
            r#"{{"LoginResultType":1,"Message":"{words}","MessageCode":"{words}","IsSuccessByAPI":true,"KDSVCSessionId":"0f1e2d3c-4b5a","Context":{{"DBid":"60aa0000000000","UserName":"{words}","DataCenterName":"{words}","DisplayVersion":"{words}"}}}}"#
        )),
        ("ExecuteBillQuery", "query refused") => body(format!("[[{refused}]]")),
        ("ExecuteBillQuery", "query broken") => body(format!("response_error: {words} {request}")),
        ("ExecuteBillQuery", "id") => body(stub::good(seen).replace("\"XSCKD000123\"", &format!("\"XS {words}\""))),
        ("ExecuteBillQuery", _) if request.contains("FID > ") => body("[]".to_owned()),
        ("ExecuteBillQuery", _) => {
            // The first empty cell is the approver's name; where a date was asked for, words are no answer at all.
            body(stub::good(seen).replacen("null", &format!("\"{words}\""), 1))
        }
        (_, "write broken") => body(format!("<html>{words}</html>")),
        _ => body(refused),
    }
}

#[test]
fn a_server_that_echoes_the_secret_in_any_form_in_any_answer_is_not_repeated() {
    let mut search = Search::default();
    let secret = quoted_canary();
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
    let all = [
        "good",
        "sign-in refused",
        "sign-in broken",
        "sign-in elsewhere",
        "query refused",
        "query broken",
        "id",
        "write broken",
    ];
    for how in all {
        let words = forms(&secret).join(" ");
        let server = runtime.block_on(stub::Stub::start(std::sync::Arc::new(move |seen, _| echo(seen, &words, how))));
        let (mut place, file) = place("password");
        let sim = place.sim.take().unwrap();
        let config = place.dir.path().join("config.toml");
        let text = std::fs::read_to_string(&config).unwrap();
        let account = sim::demo_credentials().account;
        std::fs::write(&config, text.replace(&sim.url(), &server.url()).replace(&account, "60aa0000000000")).unwrap();
        place.runtime.block_on(sim.shutdown());
        std::fs::write(&file, &secret).unwrap();
        let home = place.dir.path().display().to_string();
        let verbs: [&[&str]; 9] = [
            &["env", "check"],
            &["plan", "preview", "sal_outstock_audit"],
            &["run", "sal_outstock_audit", "--yes", "--json"],
            &["ledger", "--json"],
            &["bill", "XSCKD000123", "--evidence"],
            &["history", "--json"],
            &["log", "--json"],
            &["export", "--all", "--format", "csv", &format!("{home}/all.csv")],
            &["doctor", "--export", &format!("{home}/facts.jsonl")],
        ];
        for verb in verbs {
            let out = place.verb(verb);
            search.output(&format!("{how}: {}", verb.join(" ")), &out);
            if (how, verb[0]) == ("good", "bill") {
                let said = String::from_utf8_lossy(&out.stdout).into_owned();
                assert!(said.contains("密码 [REDACTED]"), "the refusal is kept, but for the secret: {said}");
            }
        }
        assert!(server.count(stub::is_login) > 0, "{how}");
        // The trial call of a check names no bill.
        let wrote =
            |seen: &&stub::Seen| seen.service == "Audit" && String::from_utf8_lossy(&seen.body).contains("100123");
        let wrote = server.seen().iter().filter(wrote).count();
        assert_eq!(wrote > 0, matches!(how, "good" | "write broken"), "{how}: {wrote}");
        search.tree(place.dir.path(), &file);
    }
    assert_eq!(search.found, Vec::<String>::new());
}
