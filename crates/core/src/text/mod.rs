//! The one choke point between bytes from outside and anything a person sees: [`Shown`].
//!
//! Invariant: a `Shown` holds no control character, no escape, no bidi or zero-width trick, and only clusters whose
//! width every terminal agrees on; nothing is dropped silently. Evidence keeps its bytes; only what is *shown* passes here.

mod ambiguous;
mod bytes;
mod clusters;
mod hostile;
mod measure;
mod outlets;
mod redact;
mod redactor;
mod show;

pub use bytes::{hex, hexdump, show_bytes};
pub use clusters::{Clusters, clusters};
pub use hostile::{hostile, mixed_script, readable};
pub use measure::{Measure, clip, clip_start, pad, pad_start, width};
pub use outlets::{COPY_LIMIT, TooLong, csv_safe, html_safe, json_safe, markdown_safe, osc52};
pub use redact::without_secrets;
pub use redactor::{REDACTED, Redactor, SHORTEST_SECRET};
pub use show::{Shown, show, show_lines};

/// Bytes read of a text for a detail pane.
pub const DETAIL: usize = 64 * 1024;

/// Bytes read of a text for one cell of a table.
pub const TABLE: usize = 1024;
