//! The engine outlives the consoles: real consoles on real terminals, a real owner process, the simulator's own record
//! as the judge.
#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

#[path = "support/place.rs"]
mod place;
#[path = "support/pty.rs"]
mod pty;

use std::io::BufRead;
use std::process::{Command, Stdio};
use std::time::Duration;

use place::{PROGRAM, Place, until};
use pty::Pty;
use rustix::process::{Pid, Signal, kill_process};

/// Starts and approves the run, and waits until some bills are audited.
fn at_work(place: &Place, console: &mut Pty) {
    console.wait_text("Nothing needs you");
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
    second.wait_text("销售出库单");
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
    console.wait_text("Nothing needs you");
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
    console.wait_text("Nothing needs you");
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
        console.wait_text("Nothing needs you");
    }
    // Every console holds two connections: they are the owner's own sockets.
    until("all are attached to it", || connections(&place) >= 2 * consoles.len());
    let log = std::fs::read_to_string(place.data().join("owner.log")).unwrap();
    assert!(!log.contains("panicked"), "{log}");
}

/// Connections to the owner's socket: each stands beside the socket itself in the kernel's list, by the name under which it
/// was made.
fn connections(place: &Place) -> usize {
    let path = place.data().join("owner.sock.new").display().to_string();
    let list = std::fs::read_to_string("/proc/net/unix").unwrap();
    list.lines().filter(|line| line.ends_with(&path)).count().saturating_sub(1)
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

#[test]
fn a_service_manager_is_told_when_it_serves_that_it_lives_and_that_it_ends() {
    use std::os::unix::net::UnixDatagram;
    let place = Place::new(5);
    let socket = place.dir.path().join("notify");
    let manager = UnixDatagram::bind(&socket).unwrap();
    manager.set_read_timeout(Some(pty::PATIENCE)).unwrap();
    let mut owner = Command::new(PROGRAM)
        .arg("serve")
        .args(place.options())
        .env("NOTIFY_SOCKET", &socket)
        .env("WATCHDOG_USEC", "300000")
        .stdin(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let hear = |word: &str| {
        let mut buffer = [0_u8; 512];
        loop {
            let n = manager.recv(&mut buffer).unwrap_or_else(|e| panic!("{word} was never said: {e}"));
            if String::from_utf8_lossy(&buffer[..n]).lines().any(|line| line == word) {
                return;
            }
        }
    };
    hear("READY=1");
    assert!(place.is_owned(), "ready means that it can be attached to");
    hear("WATCHDOG=1");
    hear("WATCHDOG=1");
    kill_process(Pid::from_child(&owner), Signal::TERM).unwrap();
    hear("STOPPING=1");
    assert!(owner.wait().unwrap().success());
}
