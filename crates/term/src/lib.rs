//! What a terminal's bytes mean: keys, pastes, clicks. A room of its own: nothing of the product stands in it.
//!
//! Invariants: nothing inside a string of the terminal (OSC, DCS, APC, PM, SOS) is ever a key, however it is cut or
//! ended; Ctrl-C is heard in every state; no state outlasts a silence; memory is bounded whatever comes.

mod event;
mod keys;
mod parser;
mod paste;
mod read;

pub use event::{Code, Event, Key, Mouse, PasteFault};
pub use parser::{Parser, Waits};
pub use read::{Input, read};
