//! The engine outlives the consoles: real consoles on real terminals, a real owner process, the simulator's own record
//! as the judge.
#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

#[path = "support/pty.rs"]
mod pty;

use std::collections::BTreeMap;
use std::io::BufRead;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::time::{Duration, Instant};

use pty::{PATIENCE, Pty, Start};
use rustix::process::{Pid, Signal, kill_process};
use skydeck::sim::{self, AuthMode, SimArgs, SimHandle};

const PROGRAM: &str = env!("CARGO_BIN_EXE_skydeck");

/// A simulator, a configuration, a data directory, and whoever owns it.
struct Place {
    dir: tempfile::TempDir,
    runtime: tokio::runtime::Runtime,
    sim: Option<SimHandle>,
}

impl Place {
    fn new(bills: usize) -> Self {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
        let args = SimArgs {
            port: 0,
            bills,
            seed: 1,
            faults: "none".to_owned(),
            auth: AuthMode::Any,
            delay: 10,
            bind: std::net::Ipv4Addr::LOCALHOST.into(),
            record: None,
            hostile: false,
            gateway: false,
        };
        let sim = runtime.block_on(sim::start(args.config().unwrap())).unwrap();
        let dir = tempfile::tempdir().unwrap();
        let credentials = sim::demo_credentials();
        let secret = dir.path().join("secret");
        std::fs::write(&secret, &credentials.app_secret).unwrap();
        std::fs::set_permissions(&secret, std::os::unix::fs::PermissionsExt::from_mode(0o600)).unwrap();
        let config = format!(
            "[environment.test]\nurl = \"{}\"\naccount_set = \"{}\"\nuser = \"{}\"\nsign_in = \"signed\"\napp_id = \"{}\"\n\
             secret = {{ file = \"secret\" }}\nserver_zone = \"Asia/Shanghai\"\n\
             [environment.test.limits]\nper_minute = 900\nsettle = \"1s\"\ncall_timeout = \"5s\"\n",
            sim.url(),
            credentials.account,
            credentials.user,
            credentials.app_id
        );
        std::fs::write(dir.path().join("config.toml"), config).unwrap();
        std::fs::create_dir(dir.path().join("plans")).unwrap();
        let plan = Path::new(env!("CARGO_MANIFEST_DIR")).join("plans/sal_outstock_audit.json");
        std::fs::copy(plan, dir.path().join("plans/sal_outstock_audit.json")).unwrap();
        Self { dir, runtime, sim: Some(sim) }
    }

    fn data(&self) -> PathBuf {
        self.dir.path().join("data")
    }

    fn options(&self) -> Vec<String> {
        let (config, data) = (self.dir.path().join("config.toml"), self.data());
        ["--config", &config.display().to_string(), "--data", &data.display().to_string(), "--lang", "en"]
            .map(str::to_owned)
            .to_vec()
    }

    fn console(&self) -> Pty {
        let options = self.options();
        let args: Vec<&str> = options.iter().map(String::as_str).collect();
        Pty::start(&Start { program: PROGRAM, args: &args, env: &[("LANG", "en_US.UTF-8")], size: (110, 30) })
    }

    fn verb(&self, verb: &[&str]) -> Output {
        Command::new(PROGRAM).args(verb).args(self.options()).stdin(Stdio::null()).output().unwrap()
    }

    fn owner(&self) -> Pid {
        let text = std::fs::read_to_string(self.data().join("owner.lock")).unwrap();
        let pid = text.lines().find_map(|line| line.strip_prefix("pid ")).expect("a process id").parse().unwrap();
        Pid::from_raw(pid).unwrap()
    }

    fn is_owned(&self) -> bool {
        std::fs::File::open(self.data().join("owner.lock")).is_ok_and(|file| file.try_lock().is_err())
    }

    /// Each bill the simulator audited, and how often.
    fn audits(&self) -> BTreeMap<String, u32> {
        self.sim.as_ref().unwrap().with_world(|world| {
            let mut audits = BTreeMap::new();
            for line in world.record().after(0, usize::MAX) {
                if line.verb == "Audit" && line.refused.is_none() {
                    *audits.entry(line.id.to_string()).or_default() += 1;
                }
            }
            audits
        })
    }

    /// What the newest run says of itself.
    fn run(&self) -> serde_json::Value {
        let out = self.verb(&["history", "--json"]);
        let text = String::from_utf8(out.stdout).unwrap();
        let line = text.lines().next().unwrap_or_else(|| panic!("{}", String::from_utf8_lossy(&out.stderr)));
        serde_json::from_str(line).unwrap()
    }

    /// Says what was audited, and the simulator agrees: each once.
    fn agree(&self) {
        let audits = self.audits();
        assert!(audits.values().all(|n| *n == 1), "audited twice: {audits:?}");
        let run = self.run();
        assert_eq!(run["audited"], audits.len(), "{run}");
        assert_eq!(
            (&run["unknown"], &run["waiting"], &run["sum_closes"]),
            (&0.into(), &0.into(), &true.into()),
            "{run}"
        );
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        if self.is_owned() {
            let owner = self.owner();
            let _ = kill_process(owner, Signal::CONT);
            let _ = kill_process(owner, Signal::KILL);
        }
        if let Some(sim) = self.sim.take() {
            self.runtime.block_on(sim.shutdown());
        }
    }
}

fn until(what: &str, test: impl Fn() -> bool) {
    let limit = Instant::now() + PATIENCE;
    while !test() {
        assert!(Instant::now() < limit, "waited for {what}");
        std::thread::sleep(Duration::from_millis(5));
    }
}

/// Starts and approves the run, and waits until some bills are audited.
fn at_work(place: &Place, console: &mut Pty) {
    console.wait_text("never run");
    console.send(b"r");
    console.wait_text("Approve this set?");
    console.wait_text("y approve");
    std::thread::sleep(Duration::from_millis(600));
    console.send(b"y");
    until("the first audits", || place.audits().len() >= 3);
}

#[test]
fn a_run_goes_on_when_the_line_drops_and_another_console_sees_its_end() {
    let place = Place::new(120);
    let mut first = place.console();
    at_work(&place, &mut first);
    let owner = place.owner();
    let before = place.audits().len();
    first.hang_up(b"?");
    first.wait_end();
    let second = place.console();
    second.wait_text("sal_outstock_audit");
    second.wait_text("100%");
    assert_eq!(place.owner(), owner, "the same engine all the time");
    assert!(place.audits().len() > before, "it went on without a console");
    place.agree();
}

#[test]
fn an_owner_that_is_killed_is_started_again_by_a_console_and_nothing_is_lost_or_doubled() {
    let place = Place::new(120);
    let (mut first, second) = (place.console(), place.console());
    at_work(&place, &mut first);
    let owner = place.owner();
    kill_process(owner, Signal::KILL).unwrap();
    first.wait_text("A run was interrupted");
    second.wait_text("A run was interrupted");
    assert_ne!(place.owner(), owner);
    std::thread::sleep(Duration::from_millis(600));
    first.send(b"y");
    second.wait_for("the other console sees the end", |text| text.contains("100%"));
    first.wait_text("100%");
    place.agree();
}

#[test]
fn an_owner_that_is_stopped_is_not_stolen_from() {
    let place = Place::new(30);
    let console = place.console();
    console.wait_text("never run");
    let owner = place.owner();
    kill_process(owner, Signal::STOP).unwrap();
    let verb = place.verb(&["history"]);
    let said = String::from_utf8(verb.stderr).unwrap();
    assert_eq!(verb.status.code(), Some(4), "{said}");
    assert!(said.contains("does not answer") && said.contains(&owner.to_string()), "{said}");
    kill_process(owner, Signal::CONT).unwrap();
    assert_eq!(place.verb(&["history"]).status.code(), Some(0));
    assert_eq!(place.owner(), owner);
}

#[test]
fn an_owner_that_is_told_to_end_says_so_and_no_console_starts_another() {
    let place = Place::new(30);
    let console = place.console();
    console.wait_text("never run");
    let ended = place.verb(&["serve", "--end"]);
    assert_eq!(ended.status.code(), Some(0), "{}", String::from_utf8_lossy(&ended.stderr));
    console.wait_text("ended by SIGTERM");
    assert!(!place.is_owned());
    assert!(!place.data().join("owner.sock").exists(), "the socket goes with its owner");
    // Somebody starts it: the console is back by itself.
    let mut served = Command::new(PROGRAM).arg("serve").args(place.options()).stderr(Stdio::null()).spawn().unwrap();
    console.wait_for("the console is attached again", |text| !text.contains("engine gone"));
    kill_process(Pid::from_child(&served), Signal::TERM).unwrap();
    assert_eq!(served.wait().unwrap().code(), Some(0), "an end in order");
    console.wait_text("ended by SIGTERM");
}

#[test]
fn consoles_that_start_at_once_share_one_owner() {
    let place = Place::new(30);
    let consoles = [place.console(), place.console(), place.console()];
    for console in &consoles {
        console.wait_text("never run");
    }
    let owner = place.owner();
    // Every console holds two connections: they are the owner's own sockets.
    until("all are attached to it", || sockets(owner) >= 2 * consoles.len());
    let log = std::fs::read_to_string(place.data().join("owner.log")).unwrap();
    assert!(!log.contains("panicked"), "{log}");
}

/// Sockets a process has open.
fn sockets(process: Pid) -> usize {
    let files = std::fs::read_dir(format!("/proc/{process}/fd")).into_iter().flatten().filter_map(Result::ok);
    files
        .filter(|file| std::fs::read_link(file.path()).is_ok_and(|to| to.to_string_lossy().starts_with("socket:")))
        .count()
}

#[test]
fn a_detached_owner_leaves_when_nobody_needs_it_and_a_dead_ones_socket_is_replaced() {
    let place = Place::new(30);
    // A dead owner's socket stands in the way.
    std::fs::create_dir(place.data()).unwrap();
    std::fs::set_permissions(place.data(), std::os::unix::fs::PermissionsExt::from_mode(0o700)).unwrap();
    drop(std::os::unix::net::UnixListener::bind(place.data().join("owner.sock")).unwrap());
    let mut owner = Command::new(PROGRAM)
        .args(["serve", "--detached", "--idle", "1s"])
        .args(place.options())
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let mut first = String::new();
    std::io::BufReader::new(owner.stdout.take().unwrap()).read_line(&mut first).unwrap();
    assert_eq!(first, "ready\n");
    assert_eq!(place.owner(), Pid::from_child(&owner));
    assert_eq!(place.verb(&["history"]).status.code(), Some(0));
    assert_eq!(owner.wait().unwrap().code(), Some(0));
    assert!(!place.is_owned());
}

#[test]
fn a_first_start_that_fails_ends_the_console_with_the_reason() {
    let place = Place::new(30);
    std::fs::remove_file(place.dir.path().join("secret")).unwrap();
    let mut console = place.console();
    let (code, _) = console.wait_end();
    assert_eq!(code, 2, "{}", console.text());
    assert!(console.text().contains("secret of environment test"), "{}", console.text());
    console.assert_restored();
}
