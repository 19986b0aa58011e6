//! What whole control sequences mean, as xterm, VT220 and later, rxvt, the Linux console, PuTTY, screen, tmux and the
//! keyboard protocols of kitty and xterm's `modifyOtherKeys` send them.
//!
//! Invariant: an answer of the terminal means nothing here, also one that looks like a key (a cursor position is never
//! F3).

use super::event::{Code, Event, Key, Mouse};

/// What a sequence means.
#[derive(Debug, PartialEq, Eq)]
pub enum Meaning {
    /// Nothing a program of keys needs: an answer, a report, a key it has no name for.
    Nothing,
    /// This happened.
    Event(Event),
    /// A paste begins.
    Paste,
    /// More bytes belong to it than its form says.
    Tail(Tail),
}

/// What stands behind a sequence that has ended by its form.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tail {
    /// The letter of `ESC O`, with a digit for modifiers before it on some terminals.
    Ss3(Option<u8>),
    /// The letter of the Linux console's `ESC [ [`.
    Linux,
    /// Where `ESC [ O` is no loss of focus but a key of the keypad, its letter.
    Keypad,
    /// The three bytes of the oldest mouse report, as far as they are there.
    Mouse([u8; 3], usize),
    /// Bytes of another old report that means nothing.
    Skip(u8),
}

/// Modifiers as the terminals number them: 1 + the sum of shift 1, alt 2, control 4, super 8, hyper 16, meta 32.
#[derive(Clone, Copy, Debug, Default)]
struct Modifiers {
    shift: bool,
    alt: bool,
    ctrl: bool,
}

impl Modifiers {
    fn of(number: u32) -> Self {
        let bits = number.saturating_sub(1);
        // A key with super, hyper or meta is not the plain key.
        Self { shift: bits & 1 != 0, alt: bits & (2 | 8 | 16 | 32) != 0, ctrl: bits & 4 != 0 }
    }

    fn key(self, code: Code) -> Meaning {
        let code = match code {
            Code::Char(c) if self.ctrl => Code::Char(c.to_ascii_lowercase()),
            Code::Char(c) if self.shift => Code::Char(c.to_ascii_uppercase()),
            Code::Tab if self.shift => Code::BackTab,
            code => code,
        };
        Meaning::Event(Event::Key(Key { code, ctrl: self.ctrl, alt: self.alt, shift: self.shift }))
    }
}

/// One parameter: its number, and the number behind its colon.
#[derive(Clone, Copy, Debug, Default)]
struct Param(Option<u32>, Option<u32>);

impl Param {
    fn read(text: &[u8]) -> Self {
        let mut parts = text.split(|b| *b == b':').map(|part| {
            let digits = std::str::from_utf8(part).ok()?;
            digits.parse().ok()
        });
        Self(parts.next().flatten(), parts.next().flatten())
    }
}

/// A control sequence: `raw` is what stands between `ESC [` and the last byte.
pub fn csi(raw: &[u8], last: u8) -> Meaning {
    if raw.is_empty() {
        match last {
            b'[' => return Meaning::Tail(Tail::Linux),
            b'O' => return Meaning::Tail(Tail::Keypad),
            b'M' => return Meaning::Tail(Tail::Mouse([0; 3], 0)),
            b't' => return Meaning::Tail(Tail::Skip(2)),
            b'T' => return Meaning::Tail(Tail::Skip(6)),
            b'a'..=b'd' => {
                return Modifiers { shift: true, ..Modifiers::default() }.key(arrow(last.to_ascii_uppercase()));
            }
            _ => {}
        }
    }
    if let Some(rest) = raw.strip_prefix(b"<") {
        return if matches!(last, b'M' | b'm') { mouse(rest, last == b'm', 0) } else { Meaning::Nothing };
    }
    if raw.iter().any(|b| !matches!(b, b'0'..=b'9' | b';' | b':')) {
        return Meaning::Nothing;
    }
    let mut params = raw.split(|b| *b == b';').map(Param::read);
    let (first, second, third) =
        (params.next().unwrap_or_default(), params.next().unwrap_or_default(), params.next().unwrap_or_default());
    // A key that is let go is no key.
    if second.1 == Some(3) && last != b'M' {
        return Meaning::Nothing;
    }
    let modifiers = Modifiers::of(second.0.unwrap_or(1));
    match last {
        // Old terminals write the modifier alone.
        b'A'..=b'D' | b'H' | b'F' | b'P' | b'Q' | b'S' if second.0.is_none() => {
            Modifiers::of(first.0.unwrap_or(1)).key(arrow(last))
        }
        b'A'..=b'D' | b'H' | b'F' | b'P' | b'Q' | b'S' => modifiers.key(arrow(last)),
        b'Z' => Modifiers { shift: true, ..modifiers }.key(Code::BackTab),
        b'u' => code_point(first, modifiers),
        b'~' => match (first.0, second.0) {
            (Some(200), None) => Meaning::Paste,
            (Some(27), Some(_)) => code_point(third, modifiers),
            (Some(number), _) => numbered(number).map_or(Meaning::Nothing, |code| modifiers.key(code)),
            (None, _) => Meaning::Nothing,
        },
        // rxvt tells modifiers by the last byte.
        b'^' | b'$' | b'@' => {
            let held = Modifiers { shift: last != b'^', ctrl: last != b'$', alt: false };
            first.0.and_then(numbered).map_or(Meaning::Nothing, |code| held.key(code))
        }
        b'M' => mouse(raw, false, 32),
        _ => Meaning::Nothing,
    }
}

/// The letter behind `ESC O`.
pub fn ss3(modifier: Option<u8>, last: u8) -> Meaning {
    let modifiers = Modifiers::of(modifier.map_or(1, |digit| u32::from(digit.saturating_sub(b'0'))));
    let code = match last {
        b'A'..=b'D' | b'H' | b'F' | b'P'..=b'S' => arrow(last),
        b'a'..=b'd' => return Modifiers { ctrl: true, ..modifiers }.key(arrow(last.to_ascii_uppercase())),
        b'M' => Code::Enter,
        b'I' => Code::Tab,
        b' ' => Code::Char(' '),
        b'X' => Code::Char('='),
        // The keypad in application mode: `*` is `j` and so on, 0 to 9 are `p` to `y`.
        b'j'..=b'o' | b'p'..=b'y' => Code::Char(char::from(last - b'@')),
        _ => return Meaning::Nothing,
    };
    modifiers.key(code)
}

/// The letter behind `ESC [ [`.
pub fn linux(last: u8) -> Meaning {
    match last {
        b'A'..=b'E' => Modifiers::default().key(Code::F(last - b'A' + 1)),
        _ => Meaning::Nothing,
    }
}

/// The oldest mouse report.
pub fn old_mouse([button, x, y]: [u8; 3]) -> Meaning {
    let at = |byte: u8| u16::from(byte).checked_sub(33);
    clicked(u32::from(button).checked_sub(32), at(x), at(y), false)
}

/// A byte below 32, or 127, as a key; ESC is none.
pub fn control(byte: u8) -> Key {
    let c = |from: u8, first: u8| Key::ctrl(char::from(byte - from + first));
    match byte {
        b'\r' | b'\n' => Key::plain(Code::Enter),
        b'\t' => Key::plain(Code::Tab),
        0x7f => Key::plain(Code::Backspace),
        0x1b => Key::plain(Code::Esc),
        0 => Key::ctrl(' '),
        1..=0x1a => c(1, b'a'),
        _ => c(0x1c, b'4'),
    }
}

/// Letters that mean the same after `ESC [` and `ESC O`.
fn arrow(last: u8) -> Code {
    match last {
        b'A' => Code::Up,
        b'B' => Code::Down,
        b'C' => Code::Right,
        b'D' => Code::Left,
        b'H' => Code::Home,
        b'F' => Code::End,
        _ => Code::F(last.saturating_sub(b'O')),
    }
}

/// Numbers before `~`.
fn numbered(number: u32) -> Option<Code> {
    let f = |minus: u32| u8::try_from(number - minus).ok().map(Code::F);
    match number {
        1 | 7 => Some(Code::Home),
        2 => Some(Code::Insert),
        3 => Some(Code::Delete),
        4 | 8 => Some(Code::End),
        5 => Some(Code::PageUp),
        6 => Some(Code::PageDown),
        11..=15 => f(10),
        17..=21 => f(11),
        23..=26 => f(12),
        28..=29 => f(15),
        31..=34 => f(17),
        _ => None,
    }
}

/// A key by its code point; kitty keeps those of keys without a character in a private area of Unicode.
fn code_point(param: Param, modifiers: Modifiers) -> Meaning {
    let Some(number) = param.0 else { return Meaning::Nothing };
    let code = match number {
        27 => Code::Esc,
        10 | 13 | 57414 => Code::Enter,
        9 => Code::Tab,
        8 | 127 => Code::Backspace,
        57376..=57398 => match u8::try_from(number - 57376) {
            Ok(n) => Code::F(n + 13),
            Err(_) => return Meaning::Nothing,
        },
        57399..=57408 => Code::Char(char::from_digit(number - 57399, 10).unwrap_or('0')),
        57409 => Code::Char('.'),
        57410 => Code::Char('/'),
        57411 => Code::Char('*'),
        57412 => Code::Char('-'),
        57413 => Code::Char('+'),
        57415 => Code::Char('='),
        57416 => Code::Char(','),
        57417 => Code::Left,
        57418 => Code::Right,
        57419 => Code::Up,
        57420 => Code::Down,
        57421 => Code::PageUp,
        57422 => Code::PageDown,
        57423 => Code::Home,
        57424 => Code::End,
        57425 => Code::Insert,
        57426 => Code::Delete,
        // The rest of that area: locks, media keys, modifiers alone.
        0xe000..=0xf8ff => return Meaning::Nothing,
        _ => match char::from_u32(number).filter(|c| !c.is_control()) {
            // What the keyboard gives with shift, where the terminal tells it.
            Some(c) if modifiers.shift => Code::Char(param.1.and_then(char::from_u32).unwrap_or(c)),
            Some(c) => Code::Char(c),
            None => return Meaning::Nothing,
        },
    };
    modifiers.key(code)
}

/// A mouse report in numbers: `button;x;y`. `offset`: what rxvt adds to the button.
fn mouse(raw: &[u8], released: bool, offset: u32) -> Meaning {
    let mut params = raw.split(|b| *b == b';').map(|part| Param::read(part).0);
    let mut next = || params.next().flatten();
    let (button, x, y) = (next(), next(), next());
    let at = |place: Option<u32>| place.and_then(|n| u16::try_from(n).ok()?.checked_sub(1));
    clicked(button.and_then(|n| n.checked_sub(offset)), at(x), at(y), released)
}

fn clicked(button: Option<u32>, x: Option<u16>, y: Option<u16>, released: bool) -> Meaning {
    let (Some(button), Some(x), Some(y)) = (button, x, y) else { return Meaning::Nothing };
    // 4, 8 and 16 are shift, alt and control; 32 is a move.
    match button & !(4 | 8 | 16) {
        0 if !released => Meaning::Event(Event::Mouse(Mouse::Down { x, y })),
        64 => Meaning::Event(Event::Mouse(Mouse::WheelUp)),
        65 => Meaning::Event(Event::Mouse(Mouse::WheelDown)),
        _ => Meaning::Nothing,
    }
}
