//! The terminal as a device: raw mode and alternate screen on, everything back as it was, writes that never wait.
//!
//! Invariant: what [`enter`] changed is recorded before it is changed, and [`restore`] undoes it once, from wherever
//! it is called: the guard's drop, the panic hook, a signal's end.

use std::io::{self, Write as _};
use std::os::fd::{AsFd as _, OwnedFd};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use crossterm::cursor::{Hide, Show};
use crossterm::queue;
use crossterm::terminal::{EnterAlternateScreen, LeaveAlternateScreen};
use rustix::event::{PollFd, PollFlags, Timespec};
use rustix::fs::{Mode, OFlags};
use rustix::io::Errno;
use rustix::termios::{OptionalActions, Termios};
use tokio::sync::oneshot;

/// How long a terminal that takes nothing may hold up the way out.
const LAST_WORDS: Duration = Duration::from_millis(300);

/// What must be undone.
struct Entered {
    out: Arc<OwnedFd>,
    termios: Termios,
    mouse: bool,
    title: bool,
    /// Whether a frame may have been cut in the middle of a sequence.
    torn: bool,
}

static ENTERED: Mutex<Option<Entered>> = Mutex::new(None);

fn entered() -> std::sync::MutexGuard<'static, Option<Entered>> {
    // A panic elsewhere must not keep us from restoring.
    ENTERED.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Whether the terminal is in our hands now.
pub fn is_ours() -> bool {
    entered().is_some()
}

/// The terminal in our hands; dropping it gives it back.
#[derive(Debug)]
pub struct Tty {
    out: Arc<OwnedFd>,
    mouse: bool,
    title: bool,
    pending: Vec<u8>,
    sent: usize,
    /// Says when a terminal that took no more takes more again.
    stalled: Option<oneshot::Receiver<()>>,
}

impl Tty {
    /// Takes the terminal: raw mode, alternate screen, bracketed paste, cursor hidden; mouse and title when asked.
    ///
    /// # Errors
    /// When the terminal's modes cannot be read or set.
    pub fn enter(mouse: bool, title: bool) -> io::Result<Self> {
        let out = Arc::new(own_description()?);
        let mut tty = Self { out, mouse, title, pending: Vec::new(), sent: 0, stalled: None };
        tty.take()?;
        Ok(tty)
    }

    fn take(&mut self) -> io::Result<()> {
        let termios = rustix::termios::tcgetattr(rustix::stdio::stdin())?;
        let mut raw = termios.clone();
        raw.make_raw();
        let mut held = entered();
        if held.is_none() {
            *held = Some(Entered {
                out: Arc::clone(&self.out),
                termios,
                mouse: self.mouse,
                title: self.title,
                torn: false,
            });
        }
        drop(held);
        rustix::termios::tcsetattr(rustix::stdio::stdin(), OptionalActions::Now, &raw)?;
        let mut hello = Vec::with_capacity(64);
        if self.title {
            hello.extend(b"\x1b[22;0t");
        }
        queue!(hello, EnterAlternateScreen, Hide)?;
        hello.extend(b"\x1b[?2004h");
        if self.mouse {
            hello.extend(b"\x1b[?1000h\x1b[?1006h");
        }
        self.send(&hello)
    }

    /// Gives the terminal back for a while (suspension).
    pub fn leave(&mut self) {
        self.mark_torn();
        self.pending.clear();
        self.sent = 0;
        self.stalled = None;
        restore();
    }

    /// Takes it again after [`Tty::leave`], or after somebody else changed its modes while we were stopped.
    pub fn again(&mut self) -> io::Result<()> {
        self.pending.clear();
        self.sent = 0;
        self.stalled = None;
        self.take()
    }

    /// Columns and rows as the terminal says; 0 when it does not.
    pub fn size() -> (u16, u16) {
        rustix::termios::tcgetwinsize(rustix::stdio::stdout()).map_or((0, 0), |size| (size.ws_col, size.ws_row))
    }

    /// Writes what the terminal takes now and keeps the rest for [`Tty::writable`].
    pub fn send(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.pending.extend(bytes);
        self.flush()
    }

    /// Whether everything handed over was taken: only then may a next frame be made.
    pub fn is_idle(&self) -> bool {
        self.pending.is_empty()
    }

    /// Waits until the terminal takes more; then [`Tty::flush`]. Never ends while nothing is pending.
    pub async fn writable(&mut self) {
        match &mut self.stalled {
            Some(stalled) => {
                let _ = stalled.await;
                self.stalled = None;
            }
            None => std::future::pending().await,
        }
    }

    /// Goes on writing what is pending.
    pub fn flush(&mut self) -> io::Result<()> {
        while let Some(rest) = self.pending.get(self.sent..).filter(|rest| !rest.is_empty()) {
            match rustix::io::write(&self.out, rest) {
                Ok(n) => self.sent += n,
                Err(Errno::INTR) => {}
                Err(Errno::AGAIN) => {
                    if self.stalled.is_none() {
                        self.stalled = Some(tell_when_writable(&self.out)?);
                    }
                    return Ok(());
                }
                Err(e) => return Err(e.into()),
            }
        }
        self.pending.clear();
        self.sent = 0;
        self.stalled = None;
        Ok(())
    }

    fn mark_torn(&self) {
        if self.sent > 0
            && let Some(held) = entered().as_mut()
        {
            held.torn = true;
        }
    }
}

impl Drop for Tty {
    fn drop(&mut self) {
        self.mark_torn();
        restore();
    }
}

/// Gives the terminal back as it was. Does nothing when it is not ours. Never waits longer than [`LAST_WORDS`].
pub fn restore() {
    let Some(held) = entered().take() else { return };
    let mut bye = Vec::with_capacity(96);
    if held.torn {
        // Ends a string sequence that was cut in the middle.
        bye.extend(b"\x1b\\");
    }
    bye.extend(b"\x1b[?2026l\x1b[r\x1b[m");
    if held.mouse {
        bye.extend(b"\x1b[?1006l\x1b[?1000l");
    }
    bye.extend(b"\x1b[?2004l");
    // Writing to a Vec cannot fail.
    let _ = queue!(bye, LeaveAlternateScreen, Show);
    if held.title {
        bye.extend(b"\x1b[23;0t");
    }
    say(&held.out, &bye, LAST_WORDS);
    let _ = rustix::termios::tcsetattr(rustix::stdio::stdin(), OptionalActions::Now, &held.termios);
}

/// Prints to standard error, after the terminal was restored; raw text must have been shown before.
pub fn complain(text: &str) {
    let _ = io::stderr().lock().write_all(text.as_bytes());
}

/// A thread that waits for the terminal to take more. It is needed only while a reader is slower than we are, and it
/// gives up when nobody listens any more.
fn tell_when_writable(out: &Arc<OwnedFd>) -> io::Result<oneshot::Receiver<()>> {
    let (sender, receiver) = oneshot::channel();
    let out = Arc::clone(out);
    std::thread::Builder::new().name("slow terminal".to_owned()).stack_size(64 * 1024).spawn(move || {
        let second = Timespec { tv_sec: 1, tv_nsec: 0 };
        loop {
            let mut polled = [PollFd::new(&out, PollFlags::OUT)];
            match rustix::event::poll(&mut polled, Some(&second)) {
                Ok(0) | Err(Errno::INTR) if !sender.is_closed() => {}
                _ => break,
            }
        }
        let _ = sender.send(());
    })?;
    Ok(receiver)
}

/// Writes as much as the terminal takes within a time.
fn say(out: &OwnedFd, mut bytes: &[u8], within: Duration) {
    let until = Instant::now() + within;
    while !bytes.is_empty() {
        match rustix::io::write(out, bytes) {
            Ok(n) => bytes = bytes.get(n..).unwrap_or_default(),
            Err(Errno::INTR) => {}
            Err(Errno::AGAIN) => {
                let left = until.saturating_duration_since(Instant::now());
                let limit = Timespec { tv_sec: 0, tv_nsec: i64::from(left.subsec_nanos()) };
                let mut polled = [PollFd::new(out, PollFlags::OUT)];
                if left.is_zero() || !matches!(rustix::event::poll(&mut polled, Some(&limit)), Ok(1..)) {
                    return;
                }
            }
            Err(_) => return,
        }
    }
}

/// The terminal opened once more, so that not waiting is our own affair: the descriptor we inherited is shared with
/// the shell that started us, and must go on waiting for it.
fn own_description() -> io::Result<OwnedFd> {
    let flags = OFlags::RDWR | OFlags::NONBLOCK | OFlags::NOCTTY | OFlags::CLOEXEC;
    let stdout = rustix::stdio::stdout();
    let by_name =
        rustix::termios::ttyname(stdout, Vec::new()).and_then(|name| rustix::fs::open(name, flags, Mode::empty()));
    // After `su` the device may belong to somebody else; /dev/tty is the controlling terminal for everyone.
    by_name
        .or_else(|_| rustix::fs::open("/dev/tty", flags, Mode::empty()))
        .or_else(|_| rustix::io::fcntl_dupfd_cloexec(stdout.as_fd(), 3))
        .map_err(Into::into)
}
