//! The program as it is handed out: on the kernel of CentOS 7, and raising directories of 0.1.0 while it is killed at every point.
//!
//! `SKYDECK_PROGRAM` names the program of a package, which then raises every golden directory; else it is the one of this build,
//! and raises some. What a death leaves to the store itself is in `tests/upgrade/`; what 0.1.0 says afterwards, in
//! `tests/golden/data-0.1.0/refuses.sh`, which needs its program.
#![allow(
    missing_docs,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    reason = "a test that fails says where"
)]

use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::time::{SystemTime, UNIX_EPOCH};

use skydeck::store::fault;

/// Directories that this build's own program raises: an intent without an answer, a sealed segment.
const SOME: [&str; 2] = ["killed", "sealed"];

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn packaged() -> Option<PathBuf> {
    std::env::var_os("SKYDECK_PROGRAM").map(PathBuf::from)
}

fn program() -> PathBuf {
    packaged().unwrap_or_else(|| env!("CARGO_BIN_EXE_skydeck").into())
}

/// Names of the golden directories to raise.
fn names() -> Vec<String> {
    if packaged().is_none() {
        return SOME.map(str::to_owned).to_vec();
    }
    let entries = std::fs::read_dir(root().join("tests/golden/data-0.1.0")).unwrap();
    let names = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap());
    let mut names: Vec<String> = names.filter_map(|name| Some(name.strip_suffix(".tar.gz")?.to_owned())).collect();
    names.sort();
    assert!(names.len() > 15, "{names:?}");
    names
}

/// A copy of a golden directory.
struct Copy {
    dir: tempfile::TempDir,
    /// When it was made, ms since 1970.
    made: u128,
}

impl Copy {
    fn of(name: &str) -> Self {
        let made = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_millis();
        let copy = Self { dir: tempfile::tempdir().unwrap(), made };
        std::fs::create_dir(copy.data()).unwrap();
        std::fs::set_permissions(copy.data(), std::os::unix::fs::PermissionsExt::from_mode(0o700)).unwrap();
        std::fs::write(copy.dir.path().join("config.toml"), "").unwrap();
        let packed = root().join(format!("tests/golden/data-0.1.0/{name}.tar.gz"));
        let tar =
            Command::new("tar").arg("-xzf").arg(packed).arg("-C").arg(copy.data()).arg("--no-same-owner").status();
        assert!(tar.unwrap().success(), "{name}");
        copy
    }

    fn data(&self) -> PathBuf {
        self.dir.path().join("data")
    }

    fn verb(&self, verb: &[&str], fault: Option<&str>) -> Output {
        let mut command = Command::new(program());
        command.args(verb).args(["--json", "--lang", "zh", "--data"]).arg(self.data());
        command
            .arg("--config")
            .arg(self.dir.path().join("config.toml"))
            .stdin(Stdio::null())
            .env_remove("SKYDECK_FAULT");
        if let Some(fault) = fault {
            command.env("SKYDECK_FAULT", fault);
        }
        command.output().unwrap()
    }

    fn version(&self) -> String {
        std::fs::read_to_string(self.data().join("version")).unwrap()
    }

    fn backups(&self) -> usize {
        let entries = std::fs::read_dir(self.dir.path()).unwrap().map(|entry| entry.unwrap().file_name());
        entries.filter(|name| name != "data" && name != "config.toml").count()
    }

    /// What the raised directory says of its runs and bills, and that it is sound.
    fn says(&self, at: &str) -> Vec<String> {
        let doctor = self.verb(&["doctor"], None);
        let sound = String::from_utf8_lossy(&doctor.stdout).into_owned();
        assert!(sound.contains("\"sound\":true"), "{at}: {sound}{}", String::from_utf8_lossy(&doctor.stderr));
        let verbs: [&[&str]; 3] = [&["history", "-n", "1000"], &["ledger", "-n", "1000"], &["log", "-n", "1000"]];
        verbs.map(|verb| untimed(&String::from_utf8(self.verb(verb, None).stdout).unwrap(), self.made)).to_vec()
    }
}

/// Without the moments of the looking itself: what recovery settles bears the time at which it was settled.
fn untimed(text: &str, since: u128) -> String {
    let mut out = String::new();
    let mut rest = text;
    while let Some(at) = rest.find(|c: char| c.is_ascii_digit()) {
        let (before, digits) = rest.split_at(at);
        let (number, after) = digits.split_at(digits.find(|c: char| !c.is_ascii_digit()).unwrap_or(digits.len()));
        let is_now = number.len() == 13 && number.parse::<u128>().is_ok_and(|ms| ms >= since);
        out.extend([before, if is_now { "now" } else { number }]);
        rest = after;
    }
    out + rest
}

#[test]
fn a_death_at_every_point_of_an_upgrade_loses_nothing_and_leaves_one_backup() {
    let mut deaths = 0;
    for name in names() {
        let whole = Copy::of(&name);
        let raised = whole.verb(&["upgrade"], None);
        assert!(raised.status.success(), "{name}: {}", String::from_utf8_lossy(&raised.stderr));
        let (version, expected) = (whole.version(), whole.says(&name));
        assert_eq!(whole.backups(), 1, "{name}");
        for point in fault::UPGRADE {
            let (copy, at) = (Copy::of(&name), format!("{name} {point}"));
            let before = copy.version();
            let died = copy.verb(&["upgrade"], Some(point));
            // A directory without an index, or without a fact, does not pass every point.
            if died.status.code().is_none() {
                deaths += 1;
                assert!([&before, &version].contains(&&copy.version()), "{at}");
            }
            let gone_on = copy.verb(&["upgrade"], None);
            assert!(gone_on.status.success(), "{at}: {}", String::from_utf8_lossy(&gone_on.stderr));
            assert_eq!((copy.version(), copy.backups()), (version.clone(), 1), "{at}");
            assert_eq!(copy.says(&at), expected, "{at}");
        }
    }
    println!("killed {deaths} times in {} directories", names().len());
    assert!(deaths >= names().len() * 6, "killed {deaths} times alone");
}

#[test]
fn on_the_kernel_of_centos_7_the_demo_audits_its_bills() {
    let home = tempfile::tempdir().unwrap();
    let mut python = Command::new("python3");
    python.arg(root().join("tests/support/old_kernel.py")).arg(program());
    python.args(["demo", "--headless", "--bills", "40", "--faults", "none", "--lang", "zh", "--fresh"]);
    let ran = python.env("HOME", home.path()).env_remove("XDG_STATE_HOME").stdin(Stdio::null()).output();
    let Ok(out) = ran else {
        println!("skipped: there is no python3");
        return;
    };
    if out.status.code() == Some(99) {
        println!("skipped: this machine takes no filter of calls");
        return;
    }
    let said = String::from_utf8_lossy(&out.stdout).into_owned() + &String::from_utf8_lossy(&out.stderr);
    assert_eq!(out.status.code(), Some(0), "{said}");
    assert!(said.contains("与模拟器逐张一致"), "{said}");
}
