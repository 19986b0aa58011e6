//! What a terminal can say to a program that reads keys.

/// One thing that was done at the terminal.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// A key was pressed, or repeats.
    Key(Key),
    /// A text was pasted as a whole (bracketed paste).
    Paste(String),
    /// A paste that did not come whole: none of it may be used.
    PasteRefused(PasteFault),
    /// A button or the wheel.
    Mouse(Mouse),
}

/// Why a paste is not used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PasteFault {
    /// It is longer than the parser was told to take.
    TooLong,
    /// Its end never came.
    Cut,
}

/// A key with its modifiers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Key {
    /// Which.
    pub code: Code,
    /// Control was held. Letters are lower case then.
    pub ctrl: bool,
    /// Alt, Meta or Super was held, or ESC came before it.
    pub alt: bool,
    /// Shift was held, where the terminal says so; of characters it does not, they come as they are.
    pub shift: bool,
}

/// Which key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "they say what they are")]
pub enum Code {
    Char(char),
    Enter,
    Esc,
    Tab,
    BackTab,
    Backspace,
    Delete,
    Insert,
    Left,
    Right,
    Up,
    Down,
    Home,
    End,
    PageUp,
    PageDown,
    F(u8),
}

/// What the mouse did; cells count from 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mouse {
    /// The left button went down at a cell.
    Down {
        /// Column.
        x: u16,
        /// Row.
        y: u16,
    },
    /// A notch of the wheel away from the person.
    WheelUp,
    /// A notch towards the person.
    WheelDown,
}

impl Key {
    /// A key alone.
    pub fn plain(code: Code) -> Self {
        Self { code, ctrl: false, alt: false, shift: false }
    }

    /// Control with a character.
    pub fn ctrl(c: char) -> Self {
        Self { ctrl: true, ..Self::plain(Code::Char(c)) }
    }
}
