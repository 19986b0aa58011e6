//! Text from outside inside a sentence of ours: its control characters as signs that can be read.
//!
//! Invariant: every other character stays what it is. A quotation mark or a letter is no secret code, and programs read the
//! sentence as a text in which nothing was escaped.

use std::fmt::Write as _;

/// The text with a picture (`␉`, `␊`) in the place of each control character of ASCII, and `⟨85⟩` for any other.
pub fn spelled(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        let picture = match u32::from(c) {
            n @ 0..=0x1f => char::from_u32(0x2400 + n),
            0x7f => Some('\u{2421}'),
            _ => None,
        };
        match picture {
            Some(picture) => out.push(picture),
            None if c.is_control() => {
                // Writing to a String cannot fail.
                let _ = write!(out, "⟨{:02X}⟩", u32::from(c));
            }
            None => out.push(c),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_cannot_be_seen_is_spelled() {
        for (text, want) in [
            ("库存\"组织\"", "库存\"组织\""),
            ("a\tb\nc\u{7f}", "a␉b␊c␡"),
            ("e\u{301} \u{85}", "e\u{301} ⟨85⟩"),
            ("back\\slash", "back\\slash"),
        ] {
            assert_eq!(spelled(text), want);
        }
    }
}
