//! The console's pure part: messages in, effects out, a buffer painted. No I/O, no clock.
//!
//! `update(&mut Model, Msg) -> Vec<Effect>` and `view(&Model, &mut Buffer) -> Drawn` are the whole interface to the shell.

pub mod msg;
