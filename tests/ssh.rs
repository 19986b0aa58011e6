//! The line drops: a real sshd on loopback, a run started in one session, the connection killed, and a second session that
//! sees the run's end. Skipped, and said so, where there is no sshd (Debian: `openssh-server` and `openssh-client`).
#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

#[path = "support/place.rs"]
mod place;
#[path = "support/pty.rs"]
mod pty;

use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use place::{PROGRAM, Place, until};
use pty::{Pty, Start};
use rustix::process::{Pid, Signal, kill_process};

const SSHD: &str = "/usr/sbin/sshd";

/// A server for this test alone: own keys, own port, loopback.
struct Sshd {
    child: Child,
    port: u16,
}

impl Sshd {
    fn start(dir: &Path) -> Self {
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        for key in ["host", "user"] {
            let made = Command::new("ssh-keygen")
                .args(["-q", "-t", "ed25519", "-N", "", "-f"])
                .arg(dir.join(key))
                .status()
                .unwrap();
            assert!(made.success());
        }
        std::fs::copy(dir.join("user.pub"), dir.join("authorized_keys")).unwrap();
        let text = format!(
            "Port {port}\nListenAddress 127.0.0.1\nHostKey {0}/host\nPidFile {0}/pid\nAuthorizedKeysFile {0}/authorized_keys\n\
             StrictModes no\nUsePAM no\nPasswordAuthentication no\nPermitRootLogin yes\nPrintMotd no\n",
            dir.display()
        );
        std::fs::write(dir.join("sshd_config"), text).unwrap();
        if rustix::process::geteuid().is_root() {
            // Where Debian's sshd drops its rights to; made at boot by the service, which does not run here.
            std::fs::create_dir_all("/run/sshd").unwrap();
        }
        let child = Command::new(SSHD)
            .args(["-D", "-e", "-f"])
            .arg(dir.join("sshd_config"))
            .stdin(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        until("sshd", || TcpStream::connect(("127.0.0.1", port)).is_ok());
        Self { child, port }
    }

    fn console(&self, dir: &Path, place: &Place) -> Pty {
        let command = format!("LANG=C.UTF-8 TERM=xterm-256color {PROGRAM} {}", place.options().join(" "));
        let (key, port, user) = (dir.join("user").display().to_string(), self.port.to_string(), login());
        let args = [
            "-tt",
            "-F",
            "none",
            "-p",
            &port,
            "-i",
            &key,
            "-o",
            "IdentitiesOnly=yes",
            "-o",
            "StrictHostKeyChecking=no",
            "-o",
            "UserKnownHostsFile=/dev/null",
            "-o",
            "LogLevel=ERROR",
            &format!("{user}@127.0.0.1"),
            &command,
        ];
        Pty::start(&Start { program: "ssh", args: &args, env: &[], size: (110, 30) })
    }
}

impl Drop for Sshd {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn login() -> String {
    let out = Command::new("id").arg("-un").output().unwrap();
    String::from_utf8(out.stdout).unwrap().trim().to_owned()
}

#[test]
fn a_run_started_over_ssh_goes_on_when_the_connection_is_killed_and_the_next_session_sees_its_end() {
    if !Path::new(SSHD).exists() || Command::new("ssh").arg("-V").stderr(Stdio::null()).status().is_err() {
        eprintln!("SKIPPED: no sshd here (Debian: apt-get install openssh-server openssh-client)");
        return;
    }
    let place = Place::new(60);
    let dir = tempfile::tempdir().unwrap();
    let sshd = Sshd::start(dir.path());
    let mut first = sshd.console(dir.path(), &place);
    first.wait_text("Nothing needs you");
    first.send(b"r");
    first.wait_text("y approve");
    std::thread::sleep(Duration::from_millis(600));
    first.send(b"y");
    until("the first audits", || place.audits().len() >= 3);
    let before = place.audits().len();
    // The client dies as a laptop's lid closes: no word to the server, and its side of the line with it.
    first.signal(Signal::KILL);
    let session = children_of(sshd.child.id());
    for pid in session {
        let _ = kill_process(pid, Signal::KILL);
    }
    first.wait_end();

    let second = sshd.console(dir.path(), &place);
    second.wait_for("the run's end", |text| text.contains("100%") && text.contains("unknown 0"));
    until("the run's end in the history", || ended(&place));
    drop(second);
    assert!(place.audits().len() > before, "it went on without anybody");
    place.agree();
    let run = place.run();
    assert!(run["by"].to_string().contains("127.0.0.1"), "who started it, and from where: {run}");
}

fn ended(place: &Place) -> bool {
    place.run()["state"] == "completed"
}

fn children_of(parent: u32) -> Vec<Pid> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir("/proc").unwrap().flatten() {
        let Some(pid) = entry.file_name().to_str().and_then(|name| name.parse::<i32>().ok()) else { continue };
        let stat = std::fs::read_to_string(entry.path().join("stat")).unwrap_or_default();
        let ppid = stat.rsplit_once(')').and_then(|(_, rest)| rest.split_whitespace().nth(1)?.parse::<u32>().ok());
        if ppid == Some(parent) {
            found.extend(Pid::from_raw(pid));
        }
    }
    found
}
