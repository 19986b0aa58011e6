//! What is done at the terminal, as the model's messages, read by a thread of its own.
//!
//! The thread is never joined: a blocked read cannot be called back, and the process ends without it.

use tokio::sync::mpsc;

use crate::ui::msg::{Code, Key, Msg, PASTE, Unpasted};
use skydeck_term::{self as term, Event, Mouse, Parser, PasteFault, Waits};

/// Inputs waiting for the loop; a paste is one. When full, the reader waits, and the terminal after it.
const WAITING: usize = 1024;
/// Rows a notch of the wheel moves.
const WHEEL_ROWS: i16 = 3;
/// Bytes of a paste that are kept: as many characters as the model takes, of four bytes each.
const PASTE_BYTES: usize = 4 * PASTE;

/// What the terminal said.
#[derive(Debug)]
#[expect(clippy::large_enum_variant, reason = "nearly every input is the large one")]
pub enum Input {
    /// A key, paste, click or wheel.
    Msg(Msg),
    /// It went away.
    Gone,
}

/// Starts reading standard input.
///
/// # Errors
/// When the thread cannot be started.
pub fn listen() -> std::io::Result<mpsc::Receiver<Input>> {
    let (sender, receiver) = mpsc::channel(WAITING);
    // At the other end of a network a key's sequence may come in pieces.
    let remote = std::env::var_os("SSH_CONNECTION").is_some_and(|value| !value.is_empty());
    let parser = Parser::new(if remote { Waits::REMOTE } else { Waits::LOCAL }, PASTE_BYTES);
    std::thread::Builder::new().name("input".to_owned()).spawn(move || {
        term::read(rustix::stdio::stdin(), parser, |input| match input {
            term::Input::Event(event) => message(event).is_none_or(|msg| sender.blocking_send(Input::Msg(msg)).is_ok()),
            term::Input::Gone => sender.blocking_send(Input::Gone).is_ok(),
        });
    })?;
    Ok(receiver)
}

fn message(event: Event) -> Option<Msg> {
    match event {
        Event::Key(key) => key_of(key).map(Msg::Key),
        Event::Paste(text) => Some(Msg::Paste(text)),
        Event::PasteRefused(PasteFault::TooLong) => Some(Msg::Unpasted(Unpasted::TooLong)),
        Event::PasteRefused(PasteFault::Cut) => Some(Msg::Unpasted(Unpasted::Cut)),
        Event::Mouse(Mouse::Down { x, y }) => Some(Msg::Click { x, y }),
        Event::Mouse(Mouse::WheelUp) => Some(Msg::Wheel(-WHEEL_ROWS)),
        Event::Mouse(Mouse::WheelDown) => Some(Msg::Wheel(WHEEL_ROWS)),
    }
}

fn key_of(key: term::Key) -> Option<Key> {
    let code = match key.code {
        term::Code::Char(c) => Code::Char(c),
        term::Code::Enter => Code::Enter,
        term::Code::Esc => Code::Esc,
        term::Code::Tab => Code::Tab,
        term::Code::BackTab => Code::BackTab,
        term::Code::Backspace => Code::Backspace,
        term::Code::Delete => Code::Delete,
        term::Code::Left => Code::Left,
        term::Code::Right => Code::Right,
        term::Code::Up => Code::Up,
        term::Code::Down => Code::Down,
        term::Code::Home => Code::Home,
        term::Code::End => Code::End,
        term::Code::PageUp => Code::PageUp,
        term::Code::PageDown => Code::PageDown,
        term::Code::F(n) => Code::F(n),
        term::Code::Insert => return None,
    };
    Some(Key { code, ctrl: key.ctrl, alt: key.alt })
}
