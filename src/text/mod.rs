//! The one choke point between bytes from outside and anything a person sees: [`Shown`].
//!
//! Invariant: a `Shown` holds no control character, no escape, no bidi or zero-width trick; nothing is dropped silently.

/// Text that may reach a cell, a title, stderr, a clipboard or a spreadsheet.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Shown {
    text: String,
    changed: bool,
}

impl Shown {
    /// The text.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// Whether it differs from what was received.
    pub fn changed(&self) -> bool {
        self.changed
    }
}

/// Makes text from outside safe to show; at most `max` bytes of it are read.
pub fn show(raw: &str, max: usize) -> Shown {
    let mut end = raw.len().min(max);
    while !raw.is_char_boundary(end) {
        end -= 1;
    }
    let kept = raw.get(..end).unwrap_or_default();
    let text: String = kept.chars().map(|c| if c.is_control() { '\u{fffd}' } else { c }).collect();
    let changed = text != raw;
    Shown { text, changed }
}
