//! The data directory and what stands around it: pipes and links in place of files, masks, limits, long and relative paths.
#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

#[path = "support/place.rs"]
mod place;
#[path = "support/pty.rs"]
mod pty;

use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

use place::{PROGRAM, Place, until};

fn said(out: &Output) -> String {
    format!("{}{}", String::from_utf8_lossy(&out.stdout), String::from_utf8_lossy(&out.stderr))
}

/// Runs to the end; a program that waits for ever is ended and told of.
fn ended(mut command: Command) -> Output {
    let child = command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let pid = rustix::process::Pid::from_child(&child);
    let (done, waiting) = std::sync::mpsc::channel();
    std::thread::spawn(move || done.send(child.wait_with_output().unwrap()));
    waiting.recv_timeout(Duration::from_secs(60)).unwrap_or_else(|_| {
        let _ = rustix::process::kill_process(pid, rustix::process::Signal::KILL);
        panic!("{command:?} does not end");
    })
}

fn files(dir: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        found.push(path.clone());
        if path.is_dir() {
            found.extend(files(&path));
        }
    }
    found
}

fn verb_under(shell: &str, place: &Place, verb: &[&str]) -> Output {
    let mut command = Command::new("sh");
    command.arg("-c").arg(format!("{shell}; exec \"$0\" \"$@\"")).arg(PROGRAM).args(verb).args(place.options());
    ended(command)
}

fn serve(place: &Place, from: &Path) -> Child {
    let mut command = Command::new(PROGRAM);
    command.arg("serve").args(place.options()).current_dir(from).stdin(Stdio::null()).stderr(Stdio::null());
    command.spawn().unwrap()
}

fn end(mut child: Child) {
    let pid = rustix::process::Pid::from_child(&child);
    rustix::process::kill_process(pid, rustix::process::Signal::TERM).unwrap();
    child.wait().unwrap();
}

#[test]
fn a_pipe_or_a_link_in_place_of_a_file_is_an_error_and_never_a_wait() {
    let place = Place::new(3);
    place::ended_as_it_says(&place.verb(&["run", "sal_outstock_audit", "--yes", "--json"]));
    for name in ["actions.log", "version", "owner.lock", "journal/00000001.log"] {
        let (file, aside) = (place.data().join(name), place.dir.path().join("aside"));
        std::fs::rename(&file, &aside).unwrap();
        for what in ["a pipe", "a symbolic link"] {
            match what {
                "a pipe" => assert!(Command::new("mkfifo").arg(&file).status().unwrap().success()),
                _ => std::os::unix::fs::symlink(&aside, &file).unwrap(),
            }
            for verb in [&["history"][..], &["doctor"], &["log", "verify"], &["run", "sal_outstock_audit", "--yes"]] {
                // Of the journal and the log alone `log verify` reads.
                let reads = verb != ["log", "verify"] || !matches!(name, "version" | "owner.lock");
                let mut command = Command::new(PROGRAM);
                command.args(verb).args(place.options());
                let out = ended(command);
                if reads {
                    assert!(!out.status.success() && out.status.code().is_some(), "{name}, {verb:?}: {}", said(&out));
                    assert!(said(&out).contains("not a file: move it away"), "{name}, {verb:?}: {}", said(&out));
                }
            }
            std::fs::remove_file(&file).unwrap();
        }
        std::fs::rename(&aside, &file).unwrap();
    }
    assert!(place.verb(&["log", "verify"]).status.success());
}

#[test]
fn files_have_our_modes_whatever_the_mask() {
    for mask in ["000", "077", "0277", "0777"] {
        let place = Place::new(3);
        let verb = ["run", "sal_outstock_audit", "--yes", "--json"];
        place::ended_as_it_says(&verb_under(&format!("umask {mask}"), &place, &verb));
        // The index's own library knows no mode: its files are made ours when it is opened.
        let out = verb_under(&format!("umask {mask}"), &place, &["history"]);
        assert!(out.status.success(), "umask {mask}: {}", said(&out));
        for path in files(&place.data()) {
            let meta = std::fs::symlink_metadata(&path).unwrap();
            let (mode, is_index) = (meta.mode() & 0o777, path.starts_with(place.data().join("sled")));
            let ours = if meta.is_dir() { 0o700 } else { 0o600 };
            if is_index {
                assert_eq!(mode & 0o600, 0o600, "umask {mask}: {}", path.display());
            } else {
                assert_eq!(mode, ours, "umask {mask}: {}", path.display());
            }
        }
    }
}

#[test]
fn a_limit_on_file_sizes_ends_nothing_silently() {
    let place = Place::new(40);
    place::ended_as_it_says(&place.verb(&["run", "sal_outstock_audit", "--yes", "--json"]));
    for blocks in [8, 24, 64] {
        let out =
            verb_under(&format!("ulimit -f {blocks}"), &place, &["run", "sal_outstock_audit", "--sweep", "--yes"]);
        // By a code of ours, not by a signal.
        assert!(out.status.code().is_some_and(|code| code < 100), "{blocks}: {:?} {}", out.status, said(&out));
        assert!(out.status.success() || !said(&out).trim().is_empty(), "{blocks}: not a word");
    }
    // Without the limit it goes on.
    let out = place.verb(&["log", "verify"]);
    assert!(out.status.success(), "{}", said(&out));
}

#[test]
fn a_path_longer_than_a_sockets_is_served_and_attached_to() {
    let place = Place::new(3);
    let deep = place.dir.path().join("d".repeat(90)).join("e".repeat(60));
    std::fs::create_dir_all(&deep).unwrap();
    let data = deep.join("data");
    let config = place.dir.path().join("config.toml");
    let options = ["--config".into(), config.into_os_string(), "--data".into(), data.clone().into_os_string()];
    let owner =
        Command::new(PROGRAM).arg("serve").args(&options).stdin(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    until("the socket", || data.join("owner.sock").exists());
    let mut health = Command::new(PROGRAM);
    health.args(["health", "--json"]).args(&options);
    let out = ended(health);
    assert!(out.status.success() && said(&out).contains("\"owner\":true"), "{}", said(&out));
    end(owner);
    assert!(!data.join("owner.sock").exists());
}

#[test]
fn the_engine_leaves_where_it_was_started_and_relative_paths_hold() {
    let place = Place::new(3);
    let from = place.dir.path().join("elsewhere");
    std::fs::create_dir(&from).unwrap();
    let owner = serve(&place, &from);
    until("the socket", || place.data().join("owner.sock").exists());
    let link = Path::new("/proc").join(owner.id().to_string()).join("cwd");
    let until_left = Instant::now() + Duration::from_secs(20);
    while std::fs::read_link(&link).unwrap() != Path::new("/") {
        assert!(Instant::now() < until_left, "it still works in {}", std::fs::read_link(&link).unwrap().display());
        std::thread::sleep(Duration::from_millis(5));
    }
    end(owner);
    // Named from where the program was started.
    let mut command = Command::new(PROGRAM);
    command.args(["serve", "--config", "../config.toml", "--data", "../data2"]).current_dir(&from);
    let owner = command.stdin(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    until("the other socket", || place.dir.path().join("data2/owner.sock").exists());
    let mut run = Command::new(PROGRAM);
    run.args(["run", "sal_outstock_audit", "--yes", "--json", "--config", "config.toml", "--data", "data2"]);
    run.current_dir(place.dir.path());
    place::ended_as_it_says(&ended(run));
    end(owner);

    let mut demo = Command::new(PROGRAM);
    demo.args([
        "demo",
        "--headless",
        "--bills",
        "6",
        "--faults",
        "none",
        "--per-minute",
        "6000",
        "--data",
        "here/demo",
    ]);
    demo.args(["--lang", "en", "--json"]).current_dir(place.dir.path());
    place::ended_as_it_says(&ended(demo));
    assert!(place.dir.path().join("here/demo/data/version").exists());
    assert!(!place.dir.path().join("here/demo/here").exists());
}

#[test]
fn a_configuration_or_plans_that_others_can_change_are_named() {
    let place = Place::new(3);
    let named = |path: &Path, mode: u32| {
        let before = std::fs::metadata(path).unwrap().permissions();
        std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).unwrap();
        let out = place.verb(&["run", "sal_outstock_audit", "--sweep", "--yes"]);
        std::fs::set_permissions(path, before).unwrap();
        String::from_utf8_lossy(&out.stderr).contains(&format!("others can change {} ", path.display()))
    };
    let (config, plans) = (place.dir.path().join("config.toml"), place.dir.path().join("plans"));
    let plan = plans.join("sal_outstock_audit.json");
    for (path, loose, tight) in
        [(&config, 0o646, 0o644), (&config, 0o664, 0o600), (&plans, 0o777, 0o755), (&plan, 0o666, 0o444)]
    {
        assert!(named(path, loose), "{}", path.display());
        assert!(!named(path, tight), "{}", path.display());
    }
}
