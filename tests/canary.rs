//! A secret that is like no other word: whatever the program writes, says or shows to other processes, it is not in it.
#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

#[path = "support/place.rs"]
mod place;
#[path = "support/pty.rs"]
mod pty;

use base64::Engine as _;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use place::{PROGRAM, Place, until};
use pty::{Pty, Start};

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
        console.wait_text("sal_outstock_audit");
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
    let out = Command::new(PROGRAM).args(["verify"]).args(place.options()).stdin(Stdio::null()).output().unwrap();
    let mut search = Search::default();
    search.output("verify", &out);
    search.bytes("a child's view", &std::fs::read(&seen).unwrap());
    assert_eq!(search.found, Vec::<String>::new());
}
