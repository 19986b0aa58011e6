//! The real binary with bad input: each says what, where and what to do next, with the right exit code, and loses nothing.
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Command, Output, Stdio};

const CONFIG: &str = r#"
[environment.test]
url = "http://127.0.0.1:9/k3cloud/"
account_set = "60aa0000000000"
user = "demo"
sign_in = "password"
secret = { file = "secret" }
"#;

struct Place {
    dir: tempfile::TempDir,
}

impl Place {
    fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        fs::create_dir(dir.path().join("plans")).unwrap();
        fs::write(dir.path().join("config.toml"), CONFIG).unwrap();
        let secret = dir.path().join("secret");
        fs::write(&secret, "canary-secret").unwrap();
        fs::set_permissions(&secret, fs::Permissions::from_mode(0o600)).unwrap();
        fs::copy(
            Path::new(env!("CARGO_MANIFEST_DIR")).join("plans/sal_outstock_audit.json"),
            dir.path().join("plans/seed.json"),
        )
        .unwrap();
        Self { dir }
    }

    fn path(&self, name: &str) -> std::path::PathBuf {
        self.dir.path().join(name)
    }

    fn run(&self, args: &[&str]) -> Output {
        Command::new(env!("CARGO_BIN_EXE_skydeck"))
            .args(["--lang", "en", "--config"])
            .arg(self.path("config.toml"))
            .arg("--data")
            .arg(self.path("data"))
            .args(args)
            .stdin(Stdio::null())
            .env_remove("CREDENTIALS_DIRECTORY")
            .output()
            .unwrap()
    }

    fn check(&self, args: &[&str], code: i32, words: &[&str]) {
        let output = self.run(args);
        let (out, err) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
        assert_eq!(output.status.code(), Some(code), "{args:?}\nstdout: {out}\nstderr: {err}");
        for word in words {
            assert!(
                err.contains(word) || out.contains(word),
                "{args:?} should say `{word}`\nstdout: {out}\nstderr: {err}"
            );
        }
        assert!(!err.contains("canary-secret") && !out.contains("canary-secret"), "{args:?} tells the secret");
        assert!(!err.contains("panicked"), "{args:?}\n{err}");
        assert!(!out.contains('\u{1b}') && !err.contains('\u{1b}'), "{args:?} sends escapes to a pipe");
    }
}

#[test]
fn bad_plans_are_named_with_their_place() {
    let place = Place::new();
    place.check(&["run", "nothing"], 2, &["no plan nothing", "seed"]);
    place.check(&["run", "gone.json"], 2, &["gone.json", "no such plan file"]);
    let seed = fs::read_to_string(place.path("plans/seed.json")).unwrap();
    for (name, text, words) in [
        ("cut", seed[..seed.len() / 2].to_owned(), vec!["cut.json", "line"]),
        ("empty", String::new(), vec!["empty.json"]),
        ("variable", seed.replace("LAST_SYNC_TIME", "LAST_SINK_TIME"), vec!["variable.json", "LAST_SINK_TIME", "line"]),
        ("form", seed.replace("SAL_OUTSTOCK", ""), vec!["form.json", "FormId"]),
    ] {
        fs::write(place.path(&format!("plans/{name}.json")), text).unwrap();
        place.check(&["run", name, "--yes"], 2, &words);
        assert!(!place.path("data").exists(), "{name}: nothing is opened for a plan that cannot run");
    }
}

#[test]
fn bad_configuration_names_its_line() {
    let place = Place::new();
    for (from, to, words) in [
        ("user =", "usr =", vec!["config.toml:5", "usr"]),
        ("secret = { file = \"secret\" }", "secret = \"canary-secret\"", vec!["config.toml:7", "must not stand"]),
        ("http://127.0.0.1:9/k3cloud/", "http://203.0.113.5/k3cloud/", vec!["203.0.113.5", "https"]),
        ("http://127.0.0.1:9/k3cloud/", "not a url", vec!["not a URL"]),
        ("http://127.0.0.1:9/k3cloud/", "http://demo:canary-secret@127.0.0.1:9/", vec![]),
    ] {
        fs::write(place.path("config.toml"), CONFIG.replace(from, to)).unwrap();
        place.check(&["env", "check"], 2, &words);
    }
    fs::write(place.path("config.toml"), "").unwrap();
    place.check(&[], 5, &["terminal"]);
    place.check(&["env", "check", "prod"], 2, &["no environment is configured: write"]);
}

#[test]
fn a_server_that_is_not_there_is_said() {
    let place = Place::new();
    place.check(&["env", "check"], 1, &["test", "127.0.0.1:9"]);
    place.check(&["run", "seed", "--yes"], 6, &["nothing was written", "mark did not move"]);
    place.check(&["history"], 0, &["query failed", "cannot be reached"]);
    place.check(&["ledger"], 0, &["empty"]);
}

#[test]
fn a_data_directory_that_cannot_be_used_is_said() {
    let place = Place::new();
    fs::write(place.path("data"), "a file").unwrap();
    place.check(&["history"], 2, &["data"]);
    fs::remove_file(place.path("data")).unwrap();
    fs::create_dir(place.path("data")).unwrap();
    fs::set_permissions(place.path("data"), fs::Permissions::from_mode(0o755)).unwrap();
    place.check(&["history"], 2, &["700"]);
}

#[test]
fn no_terminal_is_one_line_and_no_escape() {
    let place = Place::new();
    place.check(&[], 5, &["not a terminal"]);
    place.check(&["demo"], 5, &["not a terminal", "--headless"]);
    place.check(&["bogus"], 2, &["bogus"]);
    // A directory that was named and is not there comes before whatever else is wrong.
    place.check(&["ledger", "cause:"], 2, &["no such data directory"]);
    fs::create_dir(place.dir.path().join("data")).unwrap();
    fs::set_permissions(place.dir.path().join("data"), fs::Permissions::from_mode(0o700)).unwrap();
    place.check(&["ledger", "cause:"], 2, &["cause", "needs a value"]);
    place.check(&["bill", "NOPE"], 2, &["no bill NOPE"]);
    place.check(&["history", "01ZZ"], 2, &["no run"]);
}
