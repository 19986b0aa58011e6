//! From bytes to events, one byte at a time; the VT500 table of `anstyle-parse` says where sequences begin and end.
//!
//! Invariants: see the room's. The clock is the caller's: [`Parser::deadline`] says when a silence means something, and
//! [`Parser::silence`] is told that it came. Bytes that have come go before a deadline that has passed.

use std::time::{Duration, Instant};

use anstyle_parse::state::{Action, State, state_change};

use super::event::{Code, Event, Key};
use super::keys::{self, Meaning, Tail};
use super::paste::{self, Paste};

const ESC: u8 = 0x1b;
const BEL: u8 = 0x07;
const CTRL_C: u8 = 0x03;
/// The end of a string in one byte.
const ST: u8 = 0x9c;
/// Longest control sequence that is understood; longer ones mean nothing.
const LONGEST: usize = 64;
/// Text that ends with BEL in one read is the rest of a string whose beginning was lost, from this length on.
const REST: usize = 4;

/// How long what has begun may stay silent.
#[derive(Clone, Copy, Debug)]
pub struct Waits {
    /// A lone ESC: then it was the key.
    pub esc: Duration,
    /// A sequence or string: then it was cut.
    pub sequence: Duration,
    /// A paste: then its end was lost.
    pub paste: Duration,
}

impl Waits {
    /// For a terminal on this machine.
    pub const LOCAL: Self =
        Self { esc: Duration::from_millis(25), sequence: Duration::from_secs(1), paste: Duration::from_secs(2) };
    /// For one at the other end of a network, where one write may come in two pieces.
    pub const REMOTE: Self = Self { esc: Duration::from_millis(80), ..Self::LOCAL };
}

/// The state between two bytes.
#[derive(Debug)]
pub struct Parser {
    waits: Waits,
    paste_limit: usize,
    state: State,
    /// The string we are in, also while an ESC in it waits for its second byte.
    string: Option<State>,
    /// That string began with one byte, and one byte ends it.
    eight_bit: bool,
    /// ESC came before the character that is being put together.
    alt: bool,
    /// What stands between the introducer and the last byte of a sequence; one byte more than is understood at most.
    raw: Vec<u8>,
    /// A character that is not whole, and how many bytes it has.
    character: Vec<u8>,
    whole: usize,
    /// A byte that begins no character came: the next one belongs to it.
    garbled: bool,
    tail: Option<Tail>,
    paste: Option<Paste>,
    heard: Option<Instant>,
}

impl Parser {
    /// At rest. `paste_limit`: bytes of a paste that are taken.
    pub fn new(waits: Waits, paste_limit: usize) -> Self {
        Self {
            waits,
            paste_limit,
            state: State::Ground,
            string: None,
            eight_bit: false,
            alt: false,
            raw: Vec::with_capacity(LONGEST + 1),
            character: Vec::with_capacity(4),
            whole: 0,
            garbled: false,
            tail: None,
            paste: None,
            heard: None,
        }
    }

    /// Whether nothing has begun.
    pub fn is_at_rest(&self) -> bool {
        self.state == State::Ground
            && self.string.is_none()
            && self.tail.is_none()
            && self.paste.is_none()
            && self.character.is_empty()
            && !self.garbled
    }

    /// When what has begun has been silent too long.
    pub fn deadline(&self) -> Option<Instant> {
        let short = self.garbled || matches!(self.state, State::Escape | State::EscapeIntermediate);
        let wait = match () {
            () if self.is_at_rest() => return None,
            () if self.paste.is_some() => self.waits.paste,
            () if short && self.string.is_none() => self.waits.esc,
            () => self.waits.sequence,
        };
        self.heard.map(|at| at + wait)
    }

    /// Takes what one read gave.
    pub fn feed(&mut self, bytes: &[u8], now: Instant, out: &mut impl FnMut(Event)) {
        let bytes = if self.is_at_rest() { without_rest(bytes) } else { bytes };
        for byte in bytes {
            self.byte(*byte, out);
        }
        self.heard = Some(now);
    }

    /// The deadline passed and nothing came.
    pub fn silence(&mut self, out: &mut impl FnMut(Event)) {
        let event = match (self.paste.take(), self.state, self.raw.as_slice()) {
            (Some(paste), ..) => paste.cut(),
            (None, State::Escape, _) if self.string.is_none() => Some(Event::Key(Key::plain(Code::Esc))),
            (None, State::EscapeIntermediate, [byte]) => Some(alt(Key::plain(Code::Char(char::from(*byte))))),
            _ => None,
        };
        self.rest();
        event.into_iter().for_each(out);
    }

    fn rest(&mut self) {
        self.state = State::Ground;
        self.string = None;
        self.eight_bit = false;
        self.alt = false;
        self.raw.clear();
        self.character.clear();
        self.garbled = false;
        self.tail = None;
    }

    fn byte(&mut self, byte: u8, out: &mut impl FnMut(Event)) {
        if byte == CTRL_C {
            return self.interrupted(out);
        }
        if let Some(paste) = &mut self.paste {
            if paste.take(byte, self.paste_limit) {
                self.paste.take().and_then(Paste::whole).into_iter().for_each(out);
            }
            return;
        }
        if self.takes_tail(byte, out) || self.takes_garbled(byte) {
            return;
        }
        match self.state {
            State::Ground => self.ground(byte, out),
            State::Utf8 => self.continued(byte, out),
            State::Escape => self.escaped(byte, out),
            State::OscString
            | State::SosPmApcString
            | State::DcsEntry
            | State::DcsParam
            | State::DcsIntermediate
            | State::DcsPassthrough
            | State::DcsIgnore => self.in_string(byte),
            State::CsiEntry
            | State::CsiParam
            | State::CsiIntermediate
            | State::CsiIgnore
            | State::EscapeIntermediate
            | State::Anywhere => self.in_sequence(byte, out),
        }
    }

    /// Ctrl-C means itself everywhere. Pastes and strings go on: what follows still belongs to them.
    fn interrupted(&mut self, out: &mut impl FnMut(Event)) {
        match &mut self.paste {
            Some(paste) => paste.give_up(),
            None if self.string.is_some() => {}
            None => self.rest(),
        }
        out(Event::Key(Key::ctrl('c')));
    }

    fn ground(&mut self, byte: u8, out: &mut impl FnMut(Event)) {
        match byte {
            ESC => self.state = State::Escape,
            0x20..=0x7e => self.press(Key::plain(Code::Char(char::from(byte))), out),
            0..=0x1f | 0x7f => self.press(keys::control(byte), out),
            0xc2..=0xf4 => {
                self.whole = match byte {
                    0xc2..=0xdf => 2,
                    0xe0..=0xef => 3,
                    _ => 4,
                };
                self.character.push(byte);
                self.state = State::Utf8;
            }
            // No UTF-8 begins like this. Where it is another encoding, the next byte is its second half.
            _ if self.begins_by_one(byte) => {}
            _ => {
                self.garbled = true;
                self.alt = false;
            }
        }
    }

    /// A key outside of sequences, with the ESC that came before it.
    fn press(&mut self, key: Key, out: &mut impl FnMut(Event)) {
        let escaped = std::mem::take(&mut self.alt);
        out(if escaped { alt(key) } else { Event::Key(key) });
    }

    fn continued(&mut self, byte: u8, out: &mut impl FnMut(Event)) {
        let goes_on = (0x80..=0xbf).contains(&byte);
        if goes_on {
            self.character.push(byte);
            if self.character.len() < self.whole {
                return;
            }
        }
        self.state = State::Ground;
        let bytes = std::mem::take(&mut self.character);
        if let [0xc2, byte] = bytes.as_slice()
            && self.begins_by_one(*byte)
        {
            return;
        }
        let c = std::str::from_utf8(&bytes).ok().and_then(|text| text.chars().next()).filter(|c| !c.is_control());
        match c.filter(|_| goes_on) {
            Some(c) => self.press(Key::plain(Code::Char(c)), out),
            None => self.alt = false,
        }
        // A byte that breaks a character off belongs to it (another encoding's second half), a control key does not.
        if !goes_on && (byte < 0x20 || byte == 0x7f) {
            self.ground(byte, out);
        }
    }

    /// Sequences and strings may begin with one byte of C1 in the place of ESC and a letter; they are read alike. Whether the byte
    /// began one.
    fn begins_by_one(&mut self, byte: u8) -> bool {
        let letter = match byte {
            0x90 => b'P',
            0x98 => b'X',
            0x9b => b'[',
            0x9d => b']',
            0x9e => b'^',
            0x9f => b'_',
            _ => return false,
        };
        self.alt = false;
        let (next, _) = state_change(State::Escape, letter);
        self.begin(next, letter);
        self.eight_bit = self.string.is_some();
        true
    }

    fn takes_garbled(&mut self, byte: u8) -> bool {
        // Second halves of GBK begin at 0x40, those of GB 18030's four bytes at 0x30.
        std::mem::take(&mut self.garbled) && byte >= 0x30
    }

    fn in_string(&mut self, byte: u8) {
        match byte {
            ESC => self.state = State::Escape,
            BEL if self.state == State::OscString => self.rest(),
            ST if self.eight_bit => self.rest(),
            _ => {}
        }
    }

    fn escaped(&mut self, byte: u8, out: &mut impl FnMut(Event)) {
        let (next, _) = state_change(State::Escape, byte);
        if let Some(string) = self.string.take() {
            match byte {
                // Its end.
                b'\\' => self.state = State::Ground,
                // Its end was lost: another sequence begins, or the key is pressed again and again.
                ESC | b'[' | b']' | b'O' | b'P' | b'X' | b'^' | b'_' => self.begin(next, byte),
                _ => {
                    self.state = string;
                    self.string = Some(string);
                }
            }
            return;
        }
        match byte {
            // The first one was the key.
            ESC => out(Event::Key(Key::plain(Code::Esc))),
            b'O' | b'[' | b']' | b'P' | b'X' | b'^' | b'_' | 0x20..=0x2f => self.begin(next, byte),
            // The end of a string that is not there.
            b'\\' => self.state = State::Ground,
            _ => {
                self.state = State::Ground;
                self.alt = true;
                self.ground(byte, out);
            }
        }
    }

    /// Begins what stands behind an ESC.
    fn begin(&mut self, next: State, byte: u8) {
        self.raw.clear();
        self.state = next;
        match next {
            State::OscString | State::SosPmApcString | State::DcsEntry => self.string = Some(next),
            State::EscapeIntermediate => self.raw.push(byte),
            // It ends by its form, and its letter is still to come.
            State::Ground => self.tail = Some(Tail::Ss3(None)),
            _ => {}
        }
    }

    fn in_sequence(&mut self, byte: u8, out: &mut impl FnMut(Event)) {
        // rxvt ends a key with `$`; in an answer more numbers stand before it.
        let ends = byte == b'$' && self.state == State::CsiParam && self.raw.iter().all(u8::is_ascii_digit);
        let (next, _) = if ends { (State::Ground, Action::CsiDispatch) } else { state_change(self.state, byte) };
        match next {
            State::Anywhere if !(0x20..=0x7e).contains(&byte) => {}
            State::Escape => self.begin(next, byte),
            // CAN and SUB break it off.
            State::Ground if byte < 0x20 => self.rest(),
            State::Ground => {
                let is_csi = matches!(self.state, State::CsiEntry | State::CsiParam | State::CsiIntermediate);
                let is_known = is_csi && self.raw.len() <= LONGEST;
                let meaning = if is_known { keys::csi(&self.raw, byte) } else { Meaning::Nothing };
                self.rest();
                self.mean(meaning, out);
            }
            _ => {
                if next != State::Anywhere {
                    self.state = next;
                }
                if self.raw.len() <= LONGEST {
                    self.raw.push(byte);
                }
            }
        }
    }

    fn mean(&mut self, meaning: Meaning, out: &mut impl FnMut(Event)) {
        match meaning {
            Meaning::Nothing => {}
            Meaning::Event(event) => out(event),
            Meaning::Paste => self.paste = Some(Paste::default()),
            Meaning::Tail(tail) => self.tail = Some(tail),
        }
    }

    /// Bytes that belong to a sequence beyond its form. A control character never does.
    fn takes_tail(&mut self, byte: u8, out: &mut impl FnMut(Event)) -> bool {
        let Some(tail) = self.tail.take() else { return false };
        self.state = State::Ground;
        if byte < 0x20 || byte == 0x7f {
            return false;
        }
        let meaning = match tail {
            Tail::Ss3(None) if byte.is_ascii_digit() => Meaning::Tail(Tail::Ss3(Some(byte))),
            Tail::Ss3(modifier) => keys::ss3(modifier, byte),
            Tail::Linux => keys::linux(byte),
            Tail::Keypad if byte.is_ascii_alphabetic() => Meaning::Nothing,
            Tail::Keypad => return false,
            Tail::Mouse(mut bytes, n) => {
                if let Some(place) = bytes.get_mut(n) {
                    *place = byte;
                }
                if n < 2 { Meaning::Tail(Tail::Mouse(bytes, n + 1)) } else { keys::old_mouse(bytes) }
            }
            Tail::Skip(0 | 1) => Meaning::Nothing,
            Tail::Skip(n) => Meaning::Tail(Tail::Skip(n - 1)),
        };
        self.mean(meaning, out);
        true
    }
}

fn alt(key: Key) -> Event {
    Event::Key(Key { alt: true, ..key })
}

/// A read without the rest of a string or paste whose beginning was lost: it was given up after a silence, or another
/// program read it. Nobody types text and the end of a string within one read.
fn without_rest(bytes: &[u8]) -> &[u8] {
    let find = |what: &[u8]| bytes.windows(what.len()).position(|window| window == what);
    let pasted = find(paste::END).filter(|end| find(paste::START).is_none_or(|start| start > *end));
    let text = bytes.iter().take_while(|b| **b >= 0x20 && **b != 0x7f).count();
    let ends = match (pasted, bytes.get(text..)) {
        (Some(end), _) => end + paste::END.len(),
        (None, Some([ESC, b'\\', ..])) if text > 0 => text + 2,
        (None, Some([BEL, ..])) if text >= REST => text + 1,
        _ => 0,
    };
    let (rest, after) = bytes.split_at_checked(ends).unwrap_or((&[], bytes));
    if rest.contains(&CTRL_C) { bytes } else { after }
}
