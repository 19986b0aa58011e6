//! Raw text → [`Shown`]: hostile characters become visible signs, clusters of odd width are taken apart.
//!
//! Invariant: `show(show(x)) == show(x)`, because every kept cluster stands for itself beside any sign and every sign
//! ends where it began.

use std::fmt::{self, Write as _};

use unicode_segmentation::UnicodeSegmentation;
use unicode_width::{UnicodeWidthChar, UnicodeWidthStr};

use super::hostile::hostile;

/// Scalars a kept cluster may have: a base and three marks.
const CLUSTER: usize = 4;
/// Scalars of a broken cluster that are spelled out; the rest is counted.
const SPELLED: usize = 12;

/// Text that may reach a cell, a title, stderr, a clipboard or a spreadsheet.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Shown {
    text: String,
    changed: bool,
    cut: usize,
}

impl Shown {
    /// The text.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// Whether it differs from what was received: the row gets a mark, the detail pane offers hex.
    pub fn changed(&self) -> bool {
        self.changed
    }

    /// Bytes of the raw text that were not read; the text ends in `…⟨+n bytes⟩` when this is not 0.
    pub fn cut(&self) -> usize {
        self.cut
    }

    /// The text, taken out.
    pub fn into_string(self) -> String {
        self.text
    }

    pub(super) fn assemble(text: String, changed: bool, cut: usize) -> Self {
        Self { text, changed, cut }
    }
}

impl AsRef<str> for Shown {
    fn as_ref(&self) -> &str {
        &self.text
    }
}

impl fmt::Display for Shown {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.text)
    }
}

/// Makes text from outside safe to show; at most `max` bytes of it are read ([`super::DETAIL`], [`super::TABLE`]).
///
/// A line stays a line: a newline becomes `⏎`. For text that is drawn in lines use [`show_lines`].
/// C0 controls become their pictures (`␛`, `⇥`), other hostile characters `⟨202E⟩`, the rest of a cut text `…⟨+n bytes⟩`.
pub fn show(raw: &str, max: usize) -> Shown {
    let kept = head(raw, max);
    let cut = raw.len() - kept.len();
    let mut out = String::with_capacity(kept.len() + 16);
    let mut changed = cut > 0;
    if kept.is_ascii() {
        for c in kept.chars() {
            if c == ' ' || c.is_ascii_graphic() {
                out.push(c);
            } else {
                sign(&mut out, c);
                changed = true;
            }
        }
    } else {
        for cluster in kept.graphemes(true) {
            if keeps(cluster) {
                out.push_str(cluster);
            } else {
                changed = true;
                take_apart(&mut out, cluster);
            }
        }
    }
    if cut > 0 {
        // Writing to a String cannot fail.
        let _ = write!(out, "…⟨+{cut} bytes⟩");
    }
    Shown { text: out, changed, cut }
}

/// As [`show`], one `Shown` a line; `\n` and `\r\n` end a line. At most `max` bytes over all lines are read.
pub fn show_lines(raw: &str, max: usize) -> Vec<Shown> {
    let kept = head(raw, max);
    let cut = raw.len() - kept.len();
    let mut lines: Vec<Shown> = kept.lines().map(|line| show(line, line.len())).collect();
    if cut > 0 {
        lines.push(Shown { text: format!("…⟨+{cut} bytes⟩"), changed: true, cut });
    }
    lines
}

/// The beginning of a text, at most `max` bytes, not splitting a scalar.
pub(super) fn head(raw: &str, max: usize) -> &str {
    raw.get(..raw.floor_char_boundary(max)).unwrap_or(raw)
}

/// Whether a cluster may stand as it is.
fn keeps(cluster: &str) -> bool {
    if let [b] = cluster.as_bytes() {
        return *b == b' ' || b.is_ascii_graphic();
    }
    let mut scalars = cluster.chars();
    let Some(base) = scalars.next() else { return false };
    let rest = scalars.as_str();
    if rest.is_empty() && is_plain_cjk(base) {
        return true;
    }
    let Some(wide @ (1 | 2)) = base.width() else { return false };
    cluster.chars().count() <= CLUSTER
        && !cluster.chars().any(hostile)
        && rest.chars().all(|c| c.width() == Some(0))
        && cluster.width() == wide
        && stands_alone(cluster)
}

/// Ideographs, kana, CJK punctuation and fullwidth forms: width 2, fuse with nothing. The greater part of our text.
fn is_plain_cjk(c: char) -> bool {
    matches!(u32::from(c), 0x3001..=0x3029 | 0x3041..=0x3096 | 0x30A1..=0x30FA | 0x3400..=0x4DBF | 0x4E00..=0x9FFF | 0xFF01..=0xFF60)
}

/// Whether a cluster keeps its borders between two signs. What fuses to the left (a mark without base) or to the
/// right (a prepended letter) would change the cluster beside it.
fn stands_alone(cluster: &str) -> bool {
    format!("⟩{cluster}⟨").graphemes(true).nth(1) == Some(cluster)
}

/// Writes a cluster scalar by scalar: harmless ones as themselves, the others as signs.
fn take_apart(out: &mut String, cluster: &str) {
    for (i, c) in cluster.chars().enumerate() {
        if i == SPELLED {
            let _ = write!(out, "…⟨+{}⟩", cluster.chars().count() - SPELLED);
            return;
        }
        let mut buf = [0; 4];
        let alone: &str = c.encode_utf8(&mut buf);
        if keeps(alone) && !fuses_with_itself(c) {
            out.push(c);
        } else {
            sign(out, c);
        }
    }
}

/// Hangul jamo and regional indicators: harmless alone, but two of them in a row make one cluster again.
fn fuses_with_itself(c: char) -> bool {
    !c.is_ascii() && format!("{c}{c}").graphemes(true).count() == 1
}

/// The visible sign of one character.
pub(super) fn sign(out: &mut String, c: char) {
    match c {
        '\n' => out.push('⏎'),
        '\t' => out.push('⇥'),
        '\u{7f}' => out.push('␡'),
        c @ '\0'..='\u{1f}' => out.push(char::from_u32(0x2400 + u32::from(c)).unwrap_or('␦')),
        c => {
            let _ = write!(out, "⟨{:X}⟩", u32::from(c));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_control_character_has_a_sign_of_its_own() {
        for u in 0..0x20 {
            let c = char::from(u);
            let picture = match c {
                '\n' => '⏎',
                '\r' => '␍',
                '\t' => '⇥',
                _ => char::from_u32(0x2400 + u32::from(u)).unwrap(),
            };
            assert_eq!(show(&c.to_string(), 9).as_str(), picture.to_string(), "{u:x}");
        }
        assert_eq!(show("\u{7f} ~", 9).as_str(), "␡ ~");
        for u in 0x80..=0x9f_u32 {
            assert_eq!(show(&char::from_u32(u).unwrap().to_string(), 9).as_str(), format!("⟨{u:X}⟩"));
        }
    }

    #[test]
    fn a_base_keeps_three_marks_and_a_longer_cluster_is_spelled_up_to_twelve() {
        let marked = |n: usize| format!("e{}", "\u{301}".repeat(n));
        for n in 0..=3 {
            let shown = show(&marked(n), 99);
            assert_eq!((shown.as_str(), shown.changed()), (marked(n).as_str(), false));
        }
        let spelled = |n: usize| format!("e{}", "⟨301⟩".repeat(n));
        assert_eq!(show(&marked(4), 99).as_str(), spelled(4));
        assert_eq!(show(&marked(11), 99).as_str(), spelled(11));
        assert_eq!(show(&marked(12), 99).as_str(), format!("{}…⟨+1⟩", spelled(11)));
        assert_eq!(show(&marked(30), 99).as_str(), format!("{}…⟨+19⟩", spelled(11)));
    }

    #[test]
    fn what_is_cut_is_counted_in_bytes_and_splits_no_character() {
        for (raw, max, text, cut) in [
            ("abc", 3, "abc", 0),
            ("abc", 2, "ab…⟨+1 bytes⟩", 1),
            ("审核", 6, "审核", 0),
            ("审核", 5, "审…⟨+3 bytes⟩", 3),
            ("审核", 2, "…⟨+6 bytes⟩", 6),
            ("", 0, "", 0),
        ] {
            let shown = show(raw, max);
            assert_eq!((shown.as_str(), shown.cut(), shown.changed()), (text, cut, cut > 0), "{raw} {max}");
            assert_eq!((shown.as_ref(), shown.to_string().as_str()), (text, text));
        }
        assert_eq!(format!("{:>4}|{:<3}|", show("ab", 9), show("c", 9)), "  ab|c  |");
        let lines = show_lines("a\r\nb\n", 9);
        assert_eq!(lines.iter().map(Shown::as_str).collect::<Vec<_>>(), ["a", "b"]);
        assert!(lines.iter().all(|line| !line.changed()));
        let lines = show_lines("a\nbc", 3);
        let told: Vec<_> = lines.iter().map(|line| (line.as_str(), line.changed(), line.cut())).collect();
        assert_eq!(told, [("a", false, 0), ("b", false, 0), ("…⟨+1 bytes⟩", true, 1)]);
    }
}
