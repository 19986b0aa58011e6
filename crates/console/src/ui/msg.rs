//! What may change the model ([`Msg`]), what the model asks of the shell ([`Effect`]), and keys as `ui` knows them.

use std::sync::Arc;

use skydeck_core::domain::command::{Command, Receipt};
use skydeck_core::domain::event::Fact;
use skydeck_core::domain::live::{Live, Pulse};
use skydeck_core::domain::query::{Answer, Query};
use skydeck_core::domain::time::Ts;
pub use skydeck_export::handover::{Form as HandoverForm, Wanted as HandoverWanted};
pub use skydeck_export::report::{Form as ReportForm, Report};
pub use skydeck_export::{Export, Format as ExportFormat};

use super::views::View;

/// Most characters of a paste.
pub const PASTE: usize = 100_000;

/// Why a paste is not used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unpasted {
    /// Longer than [`PASTE`].
    TooLong,
    /// Its end never came.
    Cut,
}

/// Ties an answer to its question; answers to older tickets of the same asker are dropped.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Ticket(pub u64);

/// Anything that may change the model.
#[derive(Clone, Debug)]
pub enum Msg {
    /// A key was pressed.
    Key(Key),
    /// Text was pasted (bracketed): goes to an open input line, is ignored everywhere else.
    Paste(String),
    /// A paste that did not come whole; nothing of it is used.
    Unpasted(Unpasted),
    /// A click at a cell, only with `--mouse`.
    Click {
        /// Column.
        x: u16,
        /// Row.
        y: u16,
    },
    /// Wheel, only with `--mouse`: rows, negative is up.
    Wheel(i16),
    /// The terminal has this size now.
    Resize(u16, u16),
    /// The wall time now; sent before other messages of a batch, and alone only while [`super::Model::wants_tick`].
    Now(Ts),
    /// Facts in order.
    Facts(Arc<[Fact]>),
    /// Pace, session, breaker.
    Pulse(Pulse),
    /// The present state, replacing what was known.
    Resync(Box<Live>),
    /// The plan directory was read again.
    PlansReloaded,
    /// What stands out of plans from what is usual changed.
    Unusual,
    /// An answer.
    Answered(Ticket, Result<Answer, String>),
    /// A receipt for an order.
    Receipt(Ticket, Result<Receipt, String>),
    /// Something the shell did (export written, text copied) or could not do.
    Done(Result<String, String>),
    /// The engine is gone; `None` when it is back.
    EngineGone(Option<String>),
    /// The engine is being opened: what it is doing.
    Opening(String),
}

/// What the shell must do. Effects are done in order; none blocks the model.
#[derive(Clone, Debug, PartialEq)]
pub enum Effect {
    /// Give an order.
    Submit(Ticket, Command),
    /// Ask a question.
    Ask(Ticket, Query),
    /// Put text into the terminal's clipboard (OSC 52). Already shown text.
    Copy(String),
    /// Write an export file of what a list shows; answered by [`Msg::Done`].
    Export(Export),
    /// Write a report of what a list shows; answered by [`Msg::Done`].
    Report(Report),
    /// Write a hand-over; answered by [`Msg::Done`].
    Handover(HandoverWanted),
    /// Set the window title. Already shown text.
    Title(String),
    /// Ring the bell.
    Bell,
    /// Suspend to the shell (Ctrl-Z).
    Suspend,
    /// Draw everything anew (Ctrl-L).
    Redraw,
    /// Keep the saved views in the state file.
    SaveFilters(Vec<View>),
    /// Keep how lists are shown.
    SaveLists(Vec<super::lists::KeptList>),
    /// Keep when this operator last looked at Today.
    SaveLook(Box<super::looked::Looked>),
    /// End the console.
    Quit,
}

/// A key with its modifiers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Key {
    /// Which.
    pub code: Code,
    /// Control was held.
    pub ctrl: bool,
    /// Alt was held.
    pub alt: bool,
}

/// Keys the console knows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[expect(missing_docs, reason = "they say what they are")]
pub enum Code {
    Char(char),
    Enter,
    Esc,
    Tab,
    BackTab,
    Backspace,
    Delete,
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

impl Key {
    /// A plain key.
    pub fn plain(code: Code) -> Self {
        Self { code, ctrl: false, alt: false }
    }

    /// A character.
    pub fn char(c: char) -> Self {
        Self::plain(Code::Char(c))
    }

    /// Control with a character.
    pub fn ctrl(c: char) -> Self {
        Self { code: Code::Char(c), ctrl: true, alt: false }
    }

    /// The key of the keyboard that an input method made this of: `ｒ` is `r`, `？` is `?`, `、` is `/`.
    #[must_use]
    pub fn half_width(self) -> Self {
        let Code::Char(c) = self.code else { return self };
        let c = match c {
            '\u{ff01}'..='\u{ff5e}' => char::from_u32(u32::from(c) - 0xfee0).unwrap_or(c),
            '\u{3000}' => ' ',
            '、' => '/',
            '。' => '.',
            '《' => '<',
            '》' => '>',
            '【' | '「' => '[',
            '】' | '」' => ']',
            '“' | '”' => '"',
            '‘' | '’' => '\'',
            '￥' => '$',
            c => c,
        };
        Self { code: Code::Char(c), ..self }
    }
}

/// What a frame tells the shell besides its cells.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Drawn {
    /// Where the caret stands (an input line is open), so that input methods appear there.
    pub caret: Option<(u16, u16)>,
    /// A list that fills whole screen rows, so that a move of it can become a terminal scroll.
    pub list: Option<ListHint>,
}

/// A list on the screen: rows `top..bottom` show its entries from `first` on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ListHint {
    /// Which list; a scroll makes sense only between frames of the same one.
    pub id: u64,
    /// First screen row.
    pub top: u16,
    /// Screen row after the last.
    pub bottom: u16,
    /// Position in the list of the entry in the first row.
    pub first: u64,
}
