//! Which characters never reach a screen as themselves, and which bill numbers mix look-alike alphabets.
//!
//! Invariant: everything here is decided by the scalar value alone; no table of a library version decides what is safe.

use unicode_width::UnicodeWidthChar;

/// Whether a scalar may never be shown as itself: controls, format characters, bidi and zero-width tricks, fillers,
/// variation selectors, tags, private use and non-characters.
pub fn hostile(c: char) -> bool {
    let u = u32::from(c);
    c.is_control() || is_invisible(u) || is_unassigned_by_design(u)
}

/// Characters that draw nothing, or draw by reordering or hiding others.
fn is_invisible(u: u32) -> bool {
    matches!(u,
        // soft hyphen, combining grapheme joiner, Arabic letter mark, number signs that span what follows
        0xAD | 0x34F | 0x600..=0x605 | 0x61C | 0x6DD | 0x70F | 0x890 | 0x891 | 0x8E2
        // fillers and Mongolian selectors: blank glyphs that pass as "nothing" or as a space
        | 0x115F | 0x1160 | 0x17B4 | 0x17B5 | 0x180B..=0x180F | 0x2800 | 0x3164 | 0xFFA0
        // zero-width characters, line and paragraph separators, bidi embeddings, overrides and isolates
        | 0x200B..=0x200F | 0x2028..=0x202E | 0x2060..=0x206F | 0xFEFF
        // variation selectors (emoji width disputes, hidden payloads), annotation and reserved specials
        | 0xFE00..=0xFE0F | 0xFFF0..=0xFFFB
        // format controls of hieroglyphs, shorthand and music
        | 0x110BD | 0x110CD | 0x13430..=0x1345F | 0x1BCA0..=0x1BCA3 | 0x1D173..=0x1D17A
        // tags and supplementary variation selectors
        | 0xE0000..=0xE0FFF)
}

/// Private use (a font may draw anything) and non-characters.
fn is_unassigned_by_design(u: u32) -> bool {
    matches!(u, 0xE000..=0xF8FF | 0xFDD0..=0xFDEF | 0xF0000..=0x10_FFFF) || u & 0xFFFE == 0xFFFE
}

/// A text that a person wrote, without the blanks at its ends; `None` where nothing in it can be seen: blanks, zero-width
/// characters, direction marks, fillers, marks without a letter.
pub fn readable(raw: &str) -> Option<&str> {
    let is_seen = |c: char| !c.is_whitespace() && !hostile(c) && c.width() > Some(0);
    raw.contains(is_seen).then(|| raw.trim())
}

/// Whether a bill number mixes ASCII letters or digits with letters of another alphabet that look like them
/// (Cyrillic `А` for Latin `A`, fullwidth or mathematical forms). Such a number gets a mark beside it, because two
/// bills can then look the same; the FID tells them apart.
pub fn mixed_script(raw: &str) -> bool {
    raw.bytes().any(|b| b.is_ascii_alphanumeric()) && raw.chars().any(|c| looks_like_latin(u32::from(c)))
}

fn looks_like_latin(u: u32) -> bool {
    matches!(u,
        0x0370..=0x03FF | 0x1F00..=0x1FFF // Greek
        | 0x0400..=0x052F | 0x1C80..=0x1C8F | 0xA640..=0xA69F // Cyrillic
        | 0x0530..=0x058F | 0x13A0..=0x13FF | 0xAB70..=0xABBF // Armenian, Cherokee
        | 0x2160..=0x2188 | 0x2100..=0x214F // Roman numerals, letter-like signs
        | 0xFF10..=0xFF19 | 0xFF21..=0xFF3A | 0xFF41..=0xFF5A // fullwidth digits and letters
        | 0x1D400..=0x1D7FF) // mathematical alphabets
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The spans of scalars for which it is true.
    fn spans(is: impl Fn(char) -> bool) -> Vec<(u32, u32)> {
        let mut spans: Vec<(u32, u32)> = Vec::new();
        for u in (0..=0x10_FFFF).filter(|u| char::from_u32(*u).is_some_and(&is)) {
            match spans.last_mut() {
                Some((_, last)) if *last + 1 == u => *last = u,
                _ => spans.push((u, u)),
            }
        }
        spans
    }

    #[test]
    fn these_characters_are_never_shown_as_themselves_and_no_others() {
        let mut expected = vec![
            // Controls, and the format characters of the standard (Cf), those that only sit between two lines with them.
            (0x00, 0x1F),
            (0x7F, 0x9F),
            (0xAD, 0xAD),
            (0x600, 0x605),
            (0x61C, 0x61C),
            (0x6DD, 0x6DD),
            (0x70F, 0x70F),
            (0x890, 0x891),
            (0x8E2, 0x8E2),
            (0x200B, 0x200F),
            (0x2028, 0x202E),
            (0x2060, 0x206F),
            (0xFEFF, 0xFEFF),
            (0x110BD, 0x110BD),
            (0x110CD, 0x110CD),
            (0x13430, 0x1345F),
            (0x1BCA0, 0x1BCA3),
            (0x1D173, 0x1D17A),
            // What draws nothing although it is a letter or a mark; the Braille cell without a dot.
            (0x34F, 0x34F),
            (0x115F, 0x1160),
            (0x17B4, 0x17B5),
            (0x180B, 0x180F),
            (0x2800, 0x2800),
            (0x3164, 0x3164),
            (0xFE00, 0xFE0F),
            (0xFFA0, 0xFFA0),
            (0xFFF0, 0xFFFB),
            // Private use, and what is no character; tags, and selectors of variants.
            (0xE000, 0xF8FF),
            (0xFDD0, 0xFDEF),
            (0xDFFFE, 0xE0FFF),
            (0xEFFFE, 0x10_FFFF),
        ];
        expected.extend((0..0xD).map(|plane| (plane << 16 | 0xFFFE, plane << 16 | 0xFFFF)));
        expected.sort_unstable();
        assert_eq!(spans(hostile), expected);
    }

    #[test]
    fn look_alikes_are_the_letters_of_these_blocks_and_no_others() {
        let expected = [
            (0x370, 0x58F),     // Greek, Cyrillic, Armenian
            (0x13A0, 0x13FF),   // Cherokee
            (0x1C80, 0x1C8F),   // Cyrillic
            (0x1F00, 0x1FFF),   // Greek
            (0x2100, 0x214F),   // letter-like signs
            (0x2160, 0x2188),   // Roman numerals
            (0xA640, 0xA69F),   // Cyrillic
            (0xAB70, 0xABBF),   // Cherokee
            (0xFF10, 0xFF19),   // fullwidth digits
            (0xFF21, 0xFF3A),   // and letters
            (0xFF41, 0xFF5A),   // and small ones
            (0x1D400, 0x1D7FF), // mathematical alphabets
        ];
        assert_eq!(spans(|c| looks_like_latin(u32::from(c))), expected);
        let beside = |text: &str| spans(|c| mixed_script(&format!("{text}{c}")));
        assert_eq!(beside("A"), expected);
        assert_eq!(beside("单-"), [], "nothing of ours that they could be taken for");
    }

    #[test]
    fn what_nobody_can_see_is_not_written() {
        for nothing in [
            "",
            " ",
            "\t\r\n",
            "\u{3000}\u{a0}",
            "\u{200b}",
            "\u{feff}",
            " \u{202e}\u{2066} ",
            "\u{ad}",
            "\u{2800}\u{3164}",
            "\u{115f}",
            "\u{301}",
            "\u{e0041}\u{fe0f}",
            "\u{85}\0",
            "\u{200d}\u{2060}\u{180e}",
            "\u{e000}",
        ] {
            assert_eq!(readable(nothing), None, "{nothing:?}");
        }
        for (written, kept) in [
            (" sent back ", "sent back"),
            ("\u{3000}退回\u{3000}", "退回"),
            ("\u{200b}x", "\u{200b}x"),
            ("cafe\u{301}", "cafe\u{301}"),
            (".", "."),
        ] {
            assert_eq!(readable(written), Some(kept));
        }
    }

    #[test]
    fn a_look_alike_in_a_number_is_seen() {
        for (number, mixed) in [
            ("XSCKD000123", false),
            ("销售出库XSCKD-01", false),
            ("XSCKD\u{410}01", true),
            ("ХЅ01", true),
            ("ＸSCKD01", true),
            ("单据", false),
        ] {
            assert_eq!(mixed_script(number), mixed, "{number}");
        }
    }
}
