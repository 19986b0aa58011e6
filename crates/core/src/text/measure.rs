//! Width of shown text in terminal cells, and cutting and filling to a width.
//!
//! Invariant: widths are sums over grapheme clusters, exactly what a row of cells will take; nothing is cut without a mark.

use std::borrow::Cow;

use unicode_segmentation::UnicodeSegmentation;
use unicode_width::UnicodeWidthStr;

use super::ambiguous::ambiguous;

/// How many cells a terminal gives to characters of ambiguous width: ①, ±, ×, °, “ ”, …, Greek, Cyrillic, lines and boxes.
///
/// Unicode leaves it to the context (UAX #11), terminals to a setting; nothing but the operator's configuration says it,
/// because asking the terminal would cost a round trip at every start.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Measure {
    /// One: all terminals out of the box.
    #[default]
    Narrow,
    /// Two: terminals set up for old East Asian fonts.
    Wide,
}

impl Measure {
    /// Cells one cluster takes.
    pub fn cluster(self, cluster: &str) -> usize {
        match (self, cluster.width()) {
            (Self::Wide, 1) if cluster.chars().next().is_some_and(ambiguous) => 2,
            (_, width) => width,
        }
    }

    /// What stands, in one cell, for a cluster that may not be painted.
    pub fn stand_in(self) -> &'static str {
        match self {
            Self::Narrow => "\u{fffd}",
            // That one is ambiguous itself.
            Self::Wide => "?",
        }
    }
}

/// Cells the text takes.
pub fn width(text: &str) -> usize {
    if text.is_ascii() { text.len() } else { text.graphemes(true).map(UnicodeWidthStr::width).sum() }
}

/// The text, or its beginning and `…` when it is wider than `cells`. Never wider than `cells`.
pub fn clip(text: &str, cells: usize) -> Cow<'_, str> {
    if fits(text, cells) {
        return Cow::Borrowed(text);
    }
    let Some(room) = cells.checked_sub(1) else { return Cow::Borrowed("") };
    let mut out = String::with_capacity(text.len().min(cells * 3) + 3);
    let mut used = 0;
    for cluster in text.graphemes(true) {
        used += cluster.width();
        if used > room {
            break;
        }
        out.push_str(cluster);
    }
    out.push('…');
    Cow::Owned(out)
}

/// The text, or `…` and its end when it is wider than `cells`: for paths and ids whose end tells them apart.
pub fn clip_start(text: &str, cells: usize) -> Cow<'_, str> {
    if fits(text, cells) {
        return Cow::Borrowed(text);
    }
    let Some(room) = cells.checked_sub(1) else { return Cow::Borrowed("") };
    let mut from = text.len();
    let mut used = 0;
    for (at, cluster) in text.grapheme_indices(true).rev() {
        used += cluster.width();
        if used > room {
            break;
        }
        from = at;
    }
    Cow::Owned(format!("…{}", text.get(from..).unwrap_or_default()))
}

/// The text in exactly `cells` cells: cut with `…`, or filled with blanks on the right.
pub fn pad(text: &str, cells: usize) -> String {
    let text = clip(text, cells);
    let blanks = cells.saturating_sub(width(&text));
    let mut out = text.into_owned();
    out.extend(std::iter::repeat_n(' ', blanks));
    out
}

/// As [`pad`] with the blanks on the left: for numbers.
pub fn pad_start(text: &str, cells: usize) -> String {
    let text = clip(text, cells);
    let mut out = " ".repeat(cells.saturating_sub(width(&text)));
    out.push_str(&text);
    out
}

/// Whether a text fits, without measuring all of a long one.
fn fits(text: &str, cells: usize) -> bool {
    if text.is_ascii() {
        return text.len() <= cells;
    }
    let mut used = 0;
    text.graphemes(true).all(|cluster| {
        used += cluster.width();
        used <= cells
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_are_cut_and_filled_by_cells() {
        for (text, cells, cut, filled, from_end) in [
            ("", 0, "", "", ""),
            ("abc", 0, "", "", ""),
            ("abc", 1, "…", "…", "…"),
            ("abc", 3, "abc", "abc", "abc"),
            ("abcd", 3, "ab…", "ab…", "…cd"),
            ("ab", 4, "ab", "ab  ", "ab"),
            ("单据编号", 8, "单据编号", "单据编号", "单据编号"),
            ("单据编号", 7, "单据编…", "单据编…", "…据编号"),
            ("单据编号", 6, "单据…", "单据… ", "…编号"),
            ("e\u{301}单", 2, "e\u{301}…", "e\u{301}…", "…"),
            ("ab", 1, "…", "…", "…"),
            // A letter and the vowel sign that takes a cell beside it are one.
            ("aक\u{903}x", 3, "a…", "a… ", "…x"),
        ] {
            assert_eq!(clip(text, cells), cut, "{text:?} {cells}");
            assert_eq!(pad(text, cells), filled, "{text:?} {cells}");
            assert_eq!(clip_start(text, cells), from_end, "{text:?} {cells}");
        }
        assert_eq!(pad_start("12", 4), "  12");
    }

    #[test]
    fn a_terminal_set_up_for_old_fonts_gives_two_cells_to_what_is_ambiguous_and_to_nothing_else() {
        let (narrow, wide) = (Measure::Narrow, Measure::Wide);
        assert_eq!(Measure::default(), narrow);
        for (cluster, cells, there) in [
            ("a", 1, 1),
            ("①", 1, 2),
            ("─", 1, 2),
            ("…", 1, 2),
            ("Ω", 1, 2),
            ("α\u{301}", 1, 2),
            ("é", 1, 2),
            ("ë", 1, 1),
            ("单", 2, 2),
            ("👍", 2, 2),
            ("", 0, 0),
        ] {
            assert_eq!((narrow.cluster(cluster), wide.cluster(cluster)), (cells, there), "{cluster}");
        }
        for (measure, stand_in) in [(narrow, "\u{fffd}"), (wide, "?")] {
            assert_eq!((measure.stand_in(), measure.cluster(stand_in)), (stand_in, 1));
        }
    }
}
