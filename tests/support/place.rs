//! A simulator, a configuration and a data directory for the real binary, with the simulator's own record as the judge.

#![allow(dead_code)]

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};
use skydeck::sim::{self, AuthMode, SimArgs, SimHandle};

use crate::pty::{PATIENCE, Pty, Start};

pub const PROGRAM: &str = env!("CARGO_BIN_EXE_skydeck");

/// A verb with `--json` that brought its run to an end: the exit is the one its sum leads to, the last that was printed.
pub fn ended_as_it_says(out: &Output) {
    let said = String::from_utf8_lossy(&out.stdout);
    let lines = said.lines().rev().filter_map(|line| serde_json::from_str::<serde_json::Value>(line).ok());
    let sum = lines.into_iter().find(|line| line.get("sum_closes").is_some());
    let sum = sum.unwrap_or_else(|| panic!("no sum: {said}{}", String::from_utf8_lossy(&out.stderr)));
    let n = |name: &str| sum[name].as_u64().unwrap_or_else(|| panic!("no {name}: {sum}"));
    let expected = if n("unknown") > 0 { 3 } else { i32::from(n("failed") > 0) };
    let ended = if n("found") > 0 { "completed" } else { "empty" };
    assert_eq!((sum["state"].as_str(), n("not_reached")), (Some(ended), 0), "{sum}");
    assert_eq!(out.status.code(), Some(expected), "{sum} {}", String::from_utf8_lossy(&out.stderr));
}

/// A simulator, a configuration, a data directory, and whoever owns it.
pub struct Place {
    pub dir: tempfile::TempDir,
    pub runtime: tokio::runtime::Runtime,
    pub sim: Option<SimHandle>,
}

impl Place {
    pub fn new(bills: usize) -> Self {
        Self::with(bills, "", "")
    }

    /// With further lines in the environment's table, and further tables.
    pub fn with(bills: usize, environment: &str, tables: &str) -> Self {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
        let args = SimArgs {
            kind: skydeck::sim::SimKind::Kingdee,
            port: 0,
            bills,
            seed: 1,
            faults: "none".to_owned(),
            settings: None,
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
             secret = {{ file = \"secret\" }}\nserver_zone = \"Asia/Shanghai\"\n{environment}\n\
             [environment.test.limits]\nper_minute = 900\nsettle = \"1s\"\ncall_timeout = \"5s\"\n{tables}\n",
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

    pub fn data(&self) -> PathBuf {
        self.dir.path().join("data")
    }

    /// The data directory, in which nothing was ever done.
    pub fn empty_data(&self) {
        use std::os::unix::fs::DirBuilderExt as _;
        std::fs::DirBuilder::new().mode(0o700).create(self.data()).unwrap();
    }

    pub fn options(&self) -> Vec<String> {
        let (config, data) = (self.dir.path().join("config.toml"), self.data());
        ["--config", &config.display().to_string(), "--data", &data.display().to_string(), "--lang", "en"]
            .map(str::to_owned)
            .to_vec()
    }

    pub fn console(&self) -> Pty {
        let options = self.options();
        let args: Vec<&str> = options.iter().map(String::as_str).collect();
        Pty::start(&Start { program: PROGRAM, args: &args, env: &[("LANG", "en_US.UTF-8")], size: (110, 30) })
    }

    pub fn verb(&self, verb: &[&str]) -> Output {
        Command::new(PROGRAM).args(verb).args(self.options()).stdin(Stdio::null()).output().unwrap()
    }

    pub fn owner(&self) -> Pid {
        let text = std::fs::read_to_string(self.data().join("owner.lock")).unwrap();
        let pid = text.lines().find_map(|line| line.strip_prefix("pid ")).expect("a process id").parse().unwrap();
        Pid::from_raw(pid).unwrap()
    }

    pub fn is_owned(&self) -> bool {
        std::fs::File::open(self.data().join("owner.lock")).is_ok_and(|file| file.try_lock().is_err())
    }

    /// Each bill the simulator audited, and how often.
    pub fn audits(&self) -> BTreeMap<String, u32> {
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

    /// How often each bill was asked to be audited, whatever came of it.
    pub fn calls(&self) -> BTreeMap<String, u32> {
        self.sim.as_ref().unwrap().with_world(|world| {
            let mut calls = BTreeMap::new();
            for line in world.record().after(0, usize::MAX).iter().filter(|line| line.verb == "Audit") {
                *calls.entry(line.id.to_string()).or_default() += 1;
            }
            calls
        })
    }

    /// What the newest run says of itself.
    pub fn run(&self) -> serde_json::Value {
        let out = self.verb(&["history", "--json"]);
        let text = String::from_utf8(out.stdout).unwrap();
        let line = text.lines().next().unwrap_or_else(|| panic!("{}", String::from_utf8_lossy(&out.stderr)));
        serde_json::from_str(line).unwrap()
    }

    /// Says what was audited, and the simulator agrees: each once.
    pub fn agree(&self) {
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

pub fn until(what: &str, test: impl Fn() -> bool) {
    let limit = Instant::now() + PATIENCE;
    while !test() {
        assert!(Instant::now() < limit, "waited for {what}");
        std::thread::sleep(Duration::from_millis(5));
    }
}
