//! A program on a real pseudo-terminal: its screen read back from its bytes, its signals, its end.
//!
//! Every wait has a deadline and a condition; nothing sleeps to synchronise. The child is killed when the driver goes.
#![allow(dead_code)]

use std::io::{Read, Write};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use portable_pty::{Child, CommandBuilder, MasterPty, PtySize, native_pty_system};
use rustix::process::{Pid, Signal};

/// How long anything may take; only a fault reaches it.
pub const PATIENCE: Duration = Duration::from_secs(40);

/// What the program wrote so far.
pub struct Seen {
    /// Its picture.
    pub parser: vt100::Parser,
    /// Its bytes.
    pub bytes: Vec<u8>,
    closed: bool,
    paused: bool,
    /// Close our side of the terminal at the next bytes.
    hang_up: bool,
}

/// A program on a terminal.
pub struct Pty {
    seen: Arc<(Mutex<Seen>, Condvar)>,
    master: Option<Box<dyn MasterPty + Send>>,
    input: Option<Box<dyn Write + Send>>,
    child: Box<dyn Child + Send + Sync>,
    modes_before: String,
}

/// How to start.
pub struct Start<'a> {
    /// Program.
    pub program: &'a str,
    /// Arguments.
    pub args: &'a [&'a str],
    /// Variables on top of a plain environment.
    pub env: &'a [(&'a str, &'a str)],
    /// Columns and rows.
    pub size: (u16, u16),
}

impl Pty {
    /// Starts a program on a terminal of its own, as the leader of its session.
    pub fn start(start: &Start<'_>) -> Self {
        let pair = native_pty_system().openpty(size(start.size)).unwrap();
        let modes_before = modes(pair.master.as_ref());
        let mut command = CommandBuilder::new(start.program);
        command.args(start.args);
        for name in ["NO_COLOR", "COLORTERM", "LC_ALL", "LC_CTYPE", "TMUX", "STY", "SSH_CONNECTION"] {
            command.env_remove(name);
        }
        command.env("TERM", "xterm-256color");
        command.env("COLORTERM", "truecolor");
        command.env("LANG", "C.UTF-8");
        for (name, value) in start.env {
            if value.is_empty() {
                command.env_remove(name);
            } else {
                command.env(name, value);
            }
        }
        command.cwd(std::env::temp_dir());
        let child = pair.slave.spawn_command(command).unwrap();
        drop(pair.slave);
        let (columns, rows) = start.size;
        let seen = Seen {
            parser: vt100::Parser::new(rows.max(1), columns.max(1), 0),
            bytes: Vec::new(),
            closed: false,
            paused: false,
            hang_up: false,
        };
        let seen = Arc::new((Mutex::new(seen), Condvar::new()));
        let reader = pair.master.try_clone_reader().unwrap();
        let shared = Arc::clone(&seen);
        std::thread::spawn(move || read(reader, &shared));
        let input = pair.master.take_writer().unwrap();
        Self { seen, master: Some(pair.master), input: Some(input), child, modes_before }
    }

    /// Types.
    pub fn send(&mut self, keys: &[u8]) {
        let input = self.input.as_mut().unwrap();
        input.write_all(keys).unwrap();
        input.flush().unwrap();
    }

    /// Types, where anybody is there to read it.
    pub fn try_send(&mut self, keys: &[u8]) {
        let input = self.input.as_mut().unwrap();
        let _ = input.write_all(keys).and_then(|()| input.flush());
    }

    /// Whether the program is gone.
    pub fn has_ended(&mut self) -> bool {
        self.child.try_wait().unwrap().is_some()
    }

    fn look(&self) -> MutexGuard<'_, Seen> {
        look(&self.seen.0)
    }

    /// The program's process.
    pub fn process_id(&self) -> u32 {
        self.child.process_id().unwrap()
    }

    /// Sends a signal to the program.
    pub fn signal(&self, signal: Signal) {
        let pid = Pid::from_raw(i32::try_from(self.process_id()).unwrap()).unwrap();
        rustix::process::kill_process(pid, signal).unwrap();
    }

    /// Gives the terminal another size.
    pub fn resize(&self, columns: u16, rows: u16) {
        self.look().parser.screen_mut().set_size(rows.max(1), columns.max(1));
        self.resize_unseen(columns, rows);
    }

    /// As [`Pty::resize`], but the picture read back keeps its size.
    pub fn resize_unseen(&self, columns: u16, rows: u16) {
        self.master.as_ref().unwrap().resize(size((columns, rows))).unwrap();
    }

    /// Stops or goes on reading what the program writes.
    pub fn pause_reading(&self, paused: bool) {
        self.look().paused = paused;
        self.seen.1.notify_all();
    }

    /// Closes the terminal as a lost connection does. `poke`: keys that make the program write once more, because
    /// the reading side notices only then.
    pub fn hang_up(&mut self, poke: &[u8]) {
        self.look().hang_up = true;
        self.send(poke);
        let (lock, told) = &*self.seen;
        let seen = look(lock);
        let (seen, _) =
            told.wait_timeout_while(seen, PATIENCE, |seen| !seen.closed).unwrap_or_else(PoisonError::into_inner);
        assert!(seen.closed, "the program wrote nothing after the poke");
        drop(seen);
        self.input = None;
        self.master = None;
    }

    /// Waits until the screen's text satisfies `test`; panics with the screen when it does not in time.
    pub fn wait_for(&self, what: &str, test: impl Fn(&str) -> bool) -> String {
        self.wait_seen(what, |seen| test(&seen.parser.screen().contents()));
        self.text()
    }

    /// Waits until the screen holds a text.
    pub fn wait_text(&self, text: &str) -> String {
        self.wait_for(text, |screen| screen.contains(text))
    }

    /// Waits until what was seen satisfies `test`.
    pub fn wait_seen(&self, what: &str, test: impl Fn(&Seen) -> bool) {
        let (lock, told) = &*self.seen;
        let seen = look(lock);
        let (seen, timeout) =
            told.wait_timeout_while(seen, PATIENCE, |seen| !test(seen)).unwrap_or_else(PoisonError::into_inner);
        assert!(!timeout.timed_out(), "waited for {what}; the screen:\n{}\n", seen.parser.screen().contents());
    }

    /// The screen's text.
    pub fn text(&self) -> String {
        self.look().parser.screen().contents()
    }

    /// All bytes so far.
    pub fn bytes(&self) -> Vec<u8> {
        self.look().bytes.clone()
    }

    /// Number of bytes so far.
    pub fn written(&self) -> usize {
        self.look().bytes.len()
    }

    /// Asks the screen.
    pub fn screen<T>(&self, ask: impl FnOnce(&vt100::Screen) -> T) -> T {
        ask(self.look().parser.screen())
    }

    /// Waits for the end: the exit code (128 + signal when killed), and how long it took.
    pub fn wait_end(&mut self) -> (u32, Duration) {
        let began = Instant::now();
        let until = began + PATIENCE;
        loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                // All it wrote is read before anybody looks at the screen.
                if self.master.is_some() {
                    self.wait_seen("the end of output", |seen| seen.closed);
                }
                return (status.exit_code(), began.elapsed());
            }
            assert!(Instant::now() < until, "the program did not end; the screen:\n{}", self.text());
            std::thread::sleep(Duration::from_millis(2));
        }
    }

    /// Whether the terminal is as it was: modes, main screen, cursor, no paste or mouse mode left.
    pub fn assert_restored(&self) {
        assert_eq!(modes(self.master.as_ref().unwrap().as_ref()), self.modes_before, "terminal modes");
        self.screen(|screen| {
            assert!(!screen.alternate_screen(), "alternate screen left on");
            assert!(!screen.hide_cursor(), "cursor left hidden");
            assert!(!screen.bracketed_paste(), "bracketed paste left on");
            assert_eq!(screen.mouse_protocol_mode(), vt100::MouseProtocolMode::None, "mouse left on");
        });
    }

    /// The terminal's modes now, to compare.
    pub fn modes(&self) -> String {
        modes(self.master.as_ref().unwrap().as_ref())
    }

    /// The terminal's modes at the start.
    pub fn modes_before(&self) -> &str {
        &self.modes_before
    }
}

impl Drop for Pty {
    fn drop(&mut self) {
        let _ = self.child.kill();
        self.pause_reading(false);
    }
}

/// A test that failed elsewhere must not hide its own words behind a poisoned lock.
fn look(lock: &Mutex<Seen>) -> MutexGuard<'_, Seen> {
    lock.lock().unwrap_or_else(PoisonError::into_inner)
}

fn read(mut reader: Box<dyn Read + Send>, shared: &(Mutex<Seen>, Condvar)) {
    let (lock, told) = shared;
    let mut chunk = [0; 4096];
    loop {
        let n = reader.read(&mut chunk).unwrap_or(0);
        let mut seen = look(lock);
        if n == 0 || seen.hang_up {
            drop(reader);
            seen.closed = true;
            told.notify_all();
            return;
        }
        seen.parser.process(&chunk[..n]);
        seen.bytes.extend(&chunk[..n]);
        told.notify_all();
        drop(told.wait_while(seen, |seen| seen.paused).unwrap_or_else(PoisonError::into_inner));
    }
}

fn size((cols, rows): (u16, u16)) -> PtySize {
    PtySize { rows, cols, pixel_width: 0, pixel_height: 0 }
}

fn modes(master: &(dyn MasterPty + Send)) -> String {
    format!("{:?}", master.get_termios().unwrap())
}
