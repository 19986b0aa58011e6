//! The signals a console lives with, as one stream.
//!
//! Invariant: from [`Signals::new`] on none of them kills the process with the terminal in raw mode.

use tokio::signal::unix::{Signal, SignalKind, signal};

/// What a signal means here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Said {
    /// Come to an end; the signal's number.
    End(i32),
    /// Stop, as by Ctrl-Z.
    Stop,
    /// We were stopped and go on: the terminal may be in anybody's mode.
    Continued,
    /// The terminal's size changed.
    Resized,
}

/// The streams.
#[derive(Debug)]
pub struct Signals {
    ends: [(i32, Signal); 4],
    stop: Signal,
    go_on: Signal,
    resized: Signal,
}

const TERM: i32 = rustix::process::Signal::TERM.as_raw();
const HUP: i32 = rustix::process::Signal::HUP.as_raw();
const INT: i32 = rustix::process::Signal::INT.as_raw();
const QUIT: i32 = rustix::process::Signal::QUIT.as_raw();
const TSTP: i32 = rustix::process::Signal::TSTP.as_raw();
const CONT: i32 = rustix::process::Signal::CONT.as_raw();

impl Signals {
    /// Takes the signals over.
    ///
    /// # Errors
    /// When a handler cannot be installed.
    pub fn new() -> std::io::Result<Self> {
        let of = |number: i32| signal(SignalKind::from_raw(number));
        Ok(Self {
            ends: [(TERM, of(TERM)?), (HUP, of(HUP)?), (INT, of(INT)?), (QUIT, of(QUIT)?)],
            stop: of(TSTP)?,
            go_on: of(CONT)?,
            resized: signal(SignalKind::window_change())?,
        })
    }

    /// The next one. Several of one kind that came together are one.
    pub async fn next(&mut self) -> Said {
        let [(term, a), (hup, b), (int, c), (quit, d)] = &mut self.ends;
        tokio::select! {
            biased;
            _ = a.recv() => Said::End(*term),
            _ = b.recv() => Said::End(*hup),
            _ = c.recv() => Said::End(*int),
            _ = d.recv() => Said::End(*quit),
            _ = self.go_on.recv() => Said::Continued,
            _ = self.stop.recv() => Said::Stop,
            _ = self.resized.recv() => Said::Resized,
        }
    }
}

/// Stops this process and those it was started with, as the terminal's own Ctrl-Z would. Returns at once; the stop comes when it comes, and SIGCONT ends it.
///
/// # Errors
/// When no shell is there that could let us go on: we lead the session, as under `ssh -t host skydeck`.
pub fn stop_here() -> Result<(), &'static str> {
    let (session, group) = (rustix::process::getsid(None), rustix::process::getpgrp());
    if session.is_ok_and(|session| session == group) {
        return Err("no job control");
    }
    // SIGSTOP, because our own handler keeps SIGTSTP; the whole group, because that is what the shell waits for.
    rustix::process::kill_current_process_group(rustix::process::Signal::STOP).map_err(|_| "not allowed")
}
