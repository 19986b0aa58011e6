//! Reading a terminal until it is gone.
//!
//! Invariant: whatever the terminal does, its end is told once, at once; a thread that reads here never spins.

use std::os::fd::AsFd;
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec};
use rustix::io::Errno;

use super::event::Event;
use super::parser::Parser;

/// Bytes of one read.
const CHUNK: usize = 4096;

/// What came.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Input {
    /// Something was done at the terminal.
    Event(Event),
    /// It went away.
    Gone,
}

/// Reads until the terminal goes away or `take` wants no more (says `false`). Blocks: it wants a thread of its own.
pub fn read(terminal: impl AsFd, mut parser: Parser, mut take: impl FnMut(Input) -> bool) {
    let mut chunk = [0; CHUNK];
    loop {
        let mut wanted = true;
        let mut hand = |event| wanted = wanted && take(Input::Event(event));
        match next(&terminal, &parser, &mut chunk) {
            Ok(Next::Bytes(n)) => {
                parser.feed(chunk.get(..n).unwrap_or_default(), Instant::now(), &mut hand);
            }
            Ok(Next::Silence) => parser.silence(&mut hand),
            Ok(Next::Again) => {}
            Ok(Next::Gone) | Err(_) => {
                take(Input::Gone);
                return;
            }
        }
        if !wanted {
            return;
        }
    }
}

enum Next {
    Bytes(usize),
    Silence,
    Again,
    Gone,
}

fn next(terminal: &impl AsFd, parser: &Parser, chunk: &mut [u8]) -> Result<Next, Errno> {
    let deadline = parser.deadline().map(|at| at.saturating_duration_since(Instant::now()));
    let mut polled = [PollFd::new(terminal, PollFlags::IN)];
    match rustix::event::poll(&mut polled, deadline.map(timespec).as_ref()) {
        Ok(0) => return Ok(Next::Silence),
        Ok(_) => {}
        Err(Errno::INTR) => return Ok(Next::Again),
        Err(e) => return Err(e),
    }
    let [polled] = &polled;
    if !polled.revents().contains(PollFlags::IN) {
        return Ok(Next::Gone);
    }
    match rustix::io::read(terminal, chunk) {
        Ok(0) => Ok(Next::Gone),
        Ok(n) => Ok(Next::Bytes(n)),
        Err(Errno::INTR | Errno::AGAIN) => Ok(Next::Again),
        Err(e) => Err(e),
    }
}

/// Rounded up, or a deadline a moment away would be polled for over and over.
fn timespec(wait: Duration) -> Timespec {
    let wait = wait + Duration::from_millis(1);
    Timespec { tv_sec: i64::try_from(wait.as_secs()).unwrap_or(i64::MAX), tv_nsec: i64::from(wait.subsec_nanos()) }
}
