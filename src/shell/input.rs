//! Keys, pastes and clicks from the terminal, and the watch for its going away.
//!
//! Two threads, never joined: a blocked read cannot be called back, and the process ends without them.
//! Invariant: whatever the terminal does, [`Input::Gone`] comes within the moment it hangs up.

use std::io::PipeWriter;
use std::sync::OnceLock;

use crossterm::event::{Event, KeyCode, KeyEvent, KeyEventKind, KeyModifiers, MouseButton, MouseEvent, MouseEventKind};
use rustix::event::{PollFd, PollFlags};
use tokio::sync::mpsc;

use crate::ui::msg::{Code, Key, Msg};

/// Inputs waiting for the loop; a paste is one. When full, the reader waits, and the terminal after it.
const WAITING: usize = 1024;
/// Rows a notch of the wheel moves.
const WHEEL_ROWS: i16 = 3;

/// What the terminal said.
#[derive(Debug)]
#[expect(clippy::large_enum_variant, reason = "nearly every input is the large one")]
pub enum Input {
    /// A key, paste, click or wheel.
    Msg(Msg),
    /// It went away.
    Gone,
}

/// Starts reading and watching.
///
/// # Errors
/// When a thread cannot be started.
pub fn listen() -> std::io::Result<mpsc::Receiver<Input>> {
    let (sender, receiver) = mpsc::channel(WAITING);
    let watch = sender.clone();
    std::thread::Builder::new().name("input".to_owned()).spawn(move || read(&sender))?;
    std::thread::Builder::new()
        .name("hang-up".to_owned())
        .stack_size(64 * 1024)
        .spawn(move || watch_for_hang_up(&watch))?;
    Ok(receiver)
}

fn read(sender: &mpsc::Sender<Input>) {
    loop {
        let input = match crossterm::event::read() {
            Ok(event) => match message(event) {
                Some(msg) => Input::Msg(msg),
                None => continue,
            },
            Err(_) => Input::Gone,
        };
        let last = matches!(input, Input::Gone);
        if sender.blocking_send(input).is_err() || last {
            return;
        }
    }
}

/// crossterm reads a hung-up terminal over and over without returning (its issue 793), so nobody would learn of the
/// end. `poll` without interest tells exactly that. Then a pipe that stays silent takes standard input's place, which
/// ends the spinning while the engine finishes its calls.
fn watch_for_hang_up(sender: &mpsc::Sender<Input>) {
    let stdin = rustix::stdio::stdin();
    loop {
        let mut polled = [PollFd::new(&stdin, PollFlags::empty())];
        match rustix::event::poll(&mut polled, None) {
            Ok(_) => {
                let [polled] = polled;
                if polled.revents().intersects(PollFlags::HUP | PollFlags::ERR | PollFlags::NVAL) {
                    break;
                }
            }
            Err(rustix::io::Errno::INTR) => {}
            Err(_) => break,
        }
    }
    silence_stdin();
    let _ = sender.blocking_send(Input::Gone);
}

/// The writing end must stay open, or the pipe would end instead of being silent.
static SILENCE: OnceLock<PipeWriter> = OnceLock::new();

fn silence_stdin() {
    if let Ok((reader, writer)) = std::io::pipe()
        && SILENCE.set(writer).is_ok()
    {
        let _ = rustix::stdio::dup2_stdin(&reader);
    }
}

fn message(event: Event) -> Option<Msg> {
    match event {
        Event::Key(key) if key.kind != KeyEventKind::Release => key_of(key).map(Msg::Key),
        Event::Paste(text) => Some(Msg::Paste(text)),
        Event::Mouse(MouseEvent { kind, column, row, .. }) => match kind {
            MouseEventKind::Down(MouseButton::Left) => Some(Msg::Click { x: column, y: row }),
            MouseEventKind::ScrollUp => Some(Msg::Wheel(-WHEEL_ROWS)),
            MouseEventKind::ScrollDown => Some(Msg::Wheel(WHEEL_ROWS)),
            _ => None,
        },
        // Sizes come from SIGWINCH and are read when they are used.
        Event::Key(_) | Event::Resize(..) | Event::FocusGained | Event::FocusLost => None,
    }
}

fn key_of(key: KeyEvent) -> Option<Key> {
    let code = match key.code {
        KeyCode::Char(c) => Code::Char(c),
        KeyCode::Enter => Code::Enter,
        KeyCode::Esc => Code::Esc,
        KeyCode::Tab => Code::Tab,
        KeyCode::BackTab => Code::BackTab,
        KeyCode::Backspace => Code::Backspace,
        KeyCode::Delete => Code::Delete,
        KeyCode::Left => Code::Left,
        KeyCode::Right => Code::Right,
        KeyCode::Up => Code::Up,
        KeyCode::Down => Code::Down,
        KeyCode::Home => Code::Home,
        KeyCode::End => Code::End,
        KeyCode::PageUp => Code::PageUp,
        KeyCode::PageDown => Code::PageDown,
        KeyCode::F(n) => Code::F(n),
        _ => return None,
    };
    let ctrl = key.modifiers.contains(KeyModifiers::CONTROL);
    // Ctrl with a letter is one key whatever the shift says.
    let code = match code {
        Code::Char(c) if ctrl => Code::Char(c.to_ascii_lowercase()),
        code => code,
    };
    Some(Key { code, ctrl, alt: key.modifiers.contains(KeyModifiers::ALT) })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_the_models_keys() {
        for (code, modifiers, want) in [
            (KeyCode::Char('j'), KeyModifiers::NONE, Some(Key::char('j'))),
            (KeyCode::Char('G'), KeyModifiers::SHIFT, Some(Key::char('G'))),
            (KeyCode::Char('C'), KeyModifiers::CONTROL, Some(Key::ctrl('c'))),
            (KeyCode::F(5), KeyModifiers::NONE, Some(Key::plain(Code::F(5)))),
            (KeyCode::Enter, KeyModifiers::ALT, Some(Key { code: Code::Enter, ctrl: false, alt: true })),
            (KeyCode::CapsLock, KeyModifiers::NONE, None),
        ] {
            assert_eq!(key_of(KeyEvent::new(code, modifiers)), want, "{code:?}");
        }
    }
}
