//! The real binary in a Chinese and in an English locale: what it says at standard error is in that language.
#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Command, Stdio};

const CONFIG: &str = r#"
[environment.north]
url = "http://127.0.0.1:9/k3cloud/"
account_set = "60bb0000000000"
user = "clerk"
sign_in = "password"
secret = { file = "secret" }
"#;

/// What a configuration is spoilt by, each once.
const SPOILT: [(&str, &str); 22] = [
    ("user = \"clerk\"", "usr = \"clerk\""),
    ("user = \"clerk\"\n", ""),
    ("user = \"clerk\"", "user = 7"),
    ("user = \"clerk\"", "user = clerk"),
    ("user = \"clerk\"", "user = \"a\"\nuser = \"b\""),
    ("sign_in = \"password\"", "sign_in = \"magic\""),
    ("sign_in = \"password\"", "sign_in = \"signed\""),
    ("secret = { file = \"secret\" }", "secret = \"opensesame\""),
    ("secret = { file = \"secret\" }", "secret = { command = [] }"),
    ("secret = { file = \"secret\" }", "secret = { vault = \"x\" }"),
    ("secret = { file", "read_only = \"sometimes\"\nsecret = { file"),
    ("secret = { file", "server_zone = \"Asia/Peking\"\nsecret = { file"),
    ("secret = { file", "org = \"1,2\"\nsecret = { file"),
    ("secret = { file", "proxy_user = \"p\"\nsecret = { file"),
    ("secret = { file", "client_certificate = \"c.pem\"\nsecret = { file"),
    ("[environment.north]", "default_environment = \"south\"\n[environment.north]"),
    ("[environment.north]", "[console]\nambiguous_width = 3\n[environment.north]"),
    ("[environment.north]", "[metrics]\nlisten = \"0.0.0.0:9464\"\n[environment.north]"),
    ("[environment.north]", "[retention]\naudited = \"soon\"\n[environment.north]"),
    ("[environment.north]", "[[alerts.to]]\nname = \"a\"\nkind = \"webhook\"\n[environment.north]"),
    ("[environment.north]", "[[alerts.to]]\nname = \"a\"\nkind = \"dingtalk\"\n[environment.north]"),
    ("[environment.north]", "[log]\nlevel = \"loud\"\n[environment.north]"),
];

/// Orders that come to nothing, each in another way.
const ORDERS: [&[&str]; 53] = [
    &["fly"],
    &["rnu", "x"],
    &["run"],
    &["run", "--quick", "x"],
    &["run", "nowhere"],
    &["run", "absent.json"],
    &["run", "good", "--remedy", "--sweep"],
    &["run", "bad"],
    &["run", "worse"],
    &["run", "good", "--since", "yesterday"],
    &["run", "good", "--until", "2026-13-01"],
    &["run", "good", "--since", "2026-11-02", "--until", "2026-11-01"],
    &["run", "good", "--numbers", "a;b"],
    &["run", "good", "--numbers", "a--b", "--yes"],
    &["retry"],
    &["retry", "cuase:stock"],
    &["retry", "--plan", "nowhere"],
    &["retry", "--revision", "old"],
    &["verify", "age:>soon"],
    &["verify", "--run", "01ZZ"],
    &["approve"],
    &["resume"],
    &["cancel", "01ZZ"],
    &["resolve", "cause:stock"],
    &["resolve", "--reason", "x", "colour:red"],
    &["reopen", "--reason", "x"],
    &["reopen", "XSCKD1", "--reason", "x"],
    &["history", "01ZZ"],
    &["history", "-n", "many"],
    &["bill"],
    &["bill", "XSCKD404"],
    &["export", "--format", "pdf", "x.pdf"],
    &["export", "--run", "a", "--all", "x.csv"],
    &["log", "export", "--since", "today", "-"],
    &["log", "accept"],
    &["log", "accept", "--reason", "x"],
    &["plan", "show", "nowhere"],
    &["plan", "lint", "worse"],
    &["plan", "lint", "absent.json"],
    &["plan", "render", "bad"],
    &["plan", "render", "good", "--since", "noon"],
    &["plan", "import", "absent.txt"],
    &["plan", "import", "prose.txt"],
    &["plan", "new", "--form", "SAL_OUTSTOCK", "--operation", "UnAudit"],
    &["plan", "new", "--form", "a b"],
    &["plan", "fly"],
    &["env", "check", "south"],
    &["env", "check"],
    &["--config", "absent.toml", "env", "list"],
    &["demo", "--headless", "--data", "plans"],
    &["plan", "new", "--form", "STK_InStock", "--submit", "--operation", "BillClose"],
    &["prune"],
    &["serve", "--end", "--detached"],
];

fn han(text: &str) -> bool {
    text.chars().any(|c| ('\u{4e00}'..='\u{9fff}').contains(&c))
}

struct Place(tempfile::TempDir);

impl Place {
    fn new(config: &str) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let write = |name: &str, text: &str| fs::write(dir.path().join(name), text).unwrap();
        fs::create_dir(dir.path().join("plans")).unwrap();
        write("config.toml", config);
        write("secret", "opensesame");
        fs::set_permissions(dir.path().join("secret"), fs::Permissions::from_mode(0o600)).unwrap();
        let good =
            fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("plans/sal_outstock_audit.json")).unwrap();
        write("plans/good.json", &good);
        write("plans/bad.json", "{\"source\": {\"api\": \"View\"}, \"target\": {\"api\": \"UnAudit\"}}");
        write("plans/worse.json", "{\"source\": ");
        write("prose.txt", "no plan at all");
        Self(dir)
    }

    /// The lines at standard error, and whether it ended well.
    fn said(&self, locale: &str, args: &[&str]) -> (Vec<String>, Option<i32>) {
        let output = Command::new(env!("CARGO_BIN_EXE_skydeck"))
            .arg("--config")
            .arg(self.0.path().join("config.toml"))
            .arg("--data")
            .arg(self.0.path().join("data"))
            .args(args)
            .current_dir(self.0.path())
            .stdin(Stdio::null())
            .env_remove("LC_MESSAGES")
            .env("LC_ALL", locale)
            .env("LANG", locale)
            .env_remove("CREDENTIALS_DIRECTORY")
            .output()
            .unwrap();
        let err = String::from_utf8_lossy(&output.stderr);
        (err.lines().filter(|line| !line.trim().is_empty()).map(str::to_owned).collect(), output.status.code())
    }

    fn check(&self, args: &[&str]) -> Vec<String> {
        let mut faults = Vec::new();
        let (zh, code) = self.said("zh_CN.UTF-8", args);
        if zh.is_empty() {
            faults.push(format!("{args:?}: says nothing and ends {code:?}"));
        }
        faults.extend(zh.iter().filter(|line| !han(line)).map(|line| format!("{args:?} zh: {line}")));
        let (en, same) = self.said("C", args);
        if code != same {
            faults.push(format!("{args:?}: {code:?} and {same:?}"));
        }
        faults.extend(en.iter().filter(|line| han(line)).map(|line| format!("{args:?} en: {line}")));
        faults
    }
}

#[test]
fn every_order_that_comes_to_nothing_says_so_in_the_language_of_the_locale() {
    let place = Place::new(CONFIG);
    let faults: Vec<String> = ORDERS.iter().flat_map(|args| place.check(args)).collect();
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}

#[test]
fn a_configuration_that_cannot_be_used_names_its_line_in_the_language_of_the_locale() {
    for (from, to) in SPOILT {
        assert!(CONFIG.contains(from), "{from}");
        let place = Place::new(&CONFIG.replacen(from, to, 1));
        let faults = place.check(&["env", "list"]);
        assert!(faults.is_empty(), "{to}: {}", faults.join("\n"));
        let (zh, code) = place.said("zh_CN.UTF-8", &["env", "list"]);
        assert_eq!(code, Some(2), "{to}: {zh:?}");
        assert!(zh.concat().contains(" 行：") && !zh.concat().contains("opensesame"), "{zh:?}");
    }
}
