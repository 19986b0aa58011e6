//! A bracketed paste while it comes in.
//!
//! Invariant: it is used as a whole or not at all, and never holds more than its limit.

use super::event::{Event, PasteFault};

/// How a paste begins.
pub const START: &[u8] = b"\x1b[200~";
/// How it ends.
pub const END: &[u8] = b"\x1b[201~";

/// A paste that has begun.
#[derive(Debug, Default)]
pub struct Paste {
    bytes: Vec<u8>,
    too_long: bool,
    /// Ctrl-C was pressed meanwhile: nothing is said of it any more.
    dropped: bool,
}

impl Paste {
    /// Takes a byte; `true` when it was the last.
    pub fn take(&mut self, byte: u8, limit: usize) -> bool {
        self.bytes.push(byte);
        if self.bytes.ends_with(END) {
            self.bytes.truncate(self.bytes.len() - END.len());
            self.too_long |= self.bytes.len() > limit;
            return true;
        }
        if self.bytes.len() > limit + END.len() {
            self.too_long = true;
            // Its end is still to be found, so as many bytes as that has are kept.
            self.bytes.drain(..self.bytes.len() - END.len());
        }
        false
    }

    /// None of it counts any more.
    pub fn give_up(&mut self) {
        self.dropped = true;
    }

    /// What it was, at its end.
    pub fn whole(self) -> Option<Event> {
        match self {
            Self { dropped: true, .. } => None,
            Self { too_long: true, .. } => Some(Event::PasteRefused(PasteFault::TooLong)),
            Self { bytes, .. } => Some(Event::Paste(String::from_utf8_lossy(&bytes).into_owned())),
        }
    }

    /// What it was when its end did not come.
    pub fn cut(self) -> Option<Event> {
        let fault = if self.too_long { PasteFault::TooLong } else { PasteFault::Cut };
        (!self.dropped).then_some(Event::PasteRefused(fault))
    }
}
