//! A process that holds a secret leaves no core file, whatever limit it was started with.
#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

#[path = "support/place.rs"]
mod place;
#[path = "support/pty.rs"]
mod pty;

use std::os::unix::process::{CommandExt as _, ExitStatusExt as _};
use std::process::{Command, Stdio};

use place::{PROGRAM, Place, until};
use rustix::process::{Pid, Signal, kill_process};

#[test]
fn an_engine_that_holds_a_secret_dumps_no_core() {
    let place = Place::new(5);
    let options = place.options().join(" ");
    // As generous as this machine allows.
    let line = format!("ulimit -c unlimited 2>/dev/null; exec {PROGRAM} serve {options}");
    let mut engine = Command::new("/bin/sh")
        .args(["-c", &line])
        .current_dir(place.dir.path())
        .stdin(Stdio::null())
        .stderr(Stdio::null())
        .process_group(0)
        .spawn()
        .unwrap();
    until("it serves", || place.data().join("owner.sock").exists());
    let limits = std::fs::read_to_string(format!("/proc/{}/limits", engine.id())).unwrap();
    let core = limits.lines().find(|line| line.starts_with("Max core file size")).unwrap();
    let numbers: Vec<&str> = core.trim_start_matches("Max core file size").split_whitespace().take(2).collect();
    assert_eq!(numbers, ["0", "0"], "{core}");
    kill_process(Pid::from_child(&engine), Signal::ABORT).unwrap();
    let status = engine.wait().unwrap();
    assert_eq!(status.signal(), Some(Signal::ABORT.as_raw()), "it died of what dumps a core");
    assert!(!status.core_dumped(), "{status}");
}
