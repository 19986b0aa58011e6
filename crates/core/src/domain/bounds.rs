//! How much of a text from outside is kept, and how long texts and lists of an order may be, in one place.
//!
//! Invariant: what is cut says so, with the length of the rest and the hash of the whole; the whole answer of a writing call
//! is kept as evidence up to `store::BODY_LIMIT`.

use std::fmt::Write as _;

use sha2::Digest as _;

/// Words of a server in one fact: a refusal, a reason, a remark, bytes.
pub const WORDS: usize = 8 * 1024;
/// Of a server's words, so many bytes are looked through for causes and bill numbers: time grows with both.
pub const JUDGED: usize = 16 * 1024;
/// A value of a plan's column, bytes.
pub const CELL: usize = 1024;
/// An id or a number of a bill, characters. Kingdee's own are 80 at most.
pub const NUMBER: usize = 256;
/// Texts of one kind beside one answer: remarks of the server.
pub const TEXTS: usize = 32;
/// Rows of one page of a list, bytes as they are stored. One row is always given.
pub const PAGE: usize = 4 << 20;
/// Bodies that are sent along with one bill's facts, bytes; of more the oldest go without.
pub const BODIES: usize = 8 << 20;

/// Longest text: a name, a number, a reason, what was typed. Characters.
pub const TEXT: usize = NUMBER;
/// Longest list: bill numbers, entries, flags. As many as one run takes.
pub const LIST: usize = 50_000;
/// Longest text that the engine adds from elsewhere (the ERP, the reader of plans) to a line of the action log, bytes.
pub const SAID: usize = 4096;

/// The beginning of a text, no more than `max` bytes.
pub fn head(text: &str, max: usize) -> &str {
    text.get(..text.floor_char_boundary(max)).unwrap_or(text)
}

/// A text of at most `max` bytes: one that is longer ends in what was left out. Cutting it again changes nothing.
pub fn cut(text: &str, max: usize) -> Option<String> {
    if text.len() <= max {
        return None;
    }
    let hash = beginning_of_hash(text);
    let tail = |rest: usize| format!("…⟨+{rest} bytes, sha256 {hash}⟩");
    // The longest that the tail can be, so that the whole never is longer than asked.
    let kept = text.floor_char_boundary(max.saturating_sub(tail(text.len()).len()));
    Some(text.get(..kept).unwrap_or_default().to_owned() + &tail(text.len() - kept))
}

/// The first 16 digits of a text's SHA-256.
fn beginning_of_hash(text: &str) -> String {
    sha2::Sha256::digest(text).iter().take(8).fold(String::new(), |mut digits, byte| {
        // Writing to a String cannot fail.
        let _ = write!(digits, "{byte:02x}");
        digits
    })
}

/// A server's words, cut.
pub fn words(text: String) -> String {
    cut(&text, WORDS).unwrap_or(text)
}

/// A column's value, cut.
pub fn cell(text: &str) -> String {
    cut(text, CELL).unwrap_or_else(|| text.to_owned())
}

/// A text of somebody else, cut to [`SAID`].
pub fn said(mut text: String) -> String {
    if text.len() > SAID {
        text.truncate(text.floor_char_boundary(SAID));
        text.push('…');
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_cut_says_so_fits_and_is_cut_once() {
        let long = "库存不足。".repeat(2000);
        let once = cut(&long, WORDS).unwrap();
        assert!(once.len() <= WORDS && once.starts_with("库存不足。"), "{}", once.len());
        let (kept, said) = once.split_once('…').unwrap();
        let hash = sha2::Sha256::digest(&long).iter().fold(String::new(), |hex, byte| format!("{hex}{byte:02x}"));
        assert_eq!(said, format!("⟨+{} bytes, sha256 {}⟩", long.len() - kept.len(), &hash[..16]));
        assert_eq!((cut(&once, WORDS), words(once.clone())), (None, once));
        assert_eq!((cut("审核", 6), cell("短")), (None, "短".to_owned()));
        assert!(cell(&"x".repeat(CELL + 1)).len() <= CELL);
    }

    #[test]
    fn a_text_of_somebody_else_is_cut() {
        assert!(said("据".repeat(SAID)).len() <= SAID + 3 && said("x".into()) == "x");
    }
}
