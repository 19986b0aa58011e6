//! Records that come as JSON: read one by one from a text, and taken apart into a plan's columns.
//!
//! Invariant: no number passes through a float and no text is changed on its way from a record to a column; where a path could
//! mean two things, the record is refused.

mod cells;
mod date;
mod text;

pub use cells::{Unfit, cell, rows};
pub use date::date;
pub use text::{Bad, Read, Whole, compact, read, whole};

/// Bytes of one record, at most: what fits one order to the engine several times over.
pub const MOST_BYTES: usize = 256 << 10;

/// Characters of a record's id or number, at most.
pub const MOST_ID: usize = skydeck_core::domain::bounds::NUMBER;

/// Bytes of everything that is read at once, at most.
pub const MOST_TEXT: usize = 256 << 20;
