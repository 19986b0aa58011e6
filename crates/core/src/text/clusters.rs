//! A text's grapheme clusters, the usual ones found without looking them up.
//!
//! Invariant: exactly the clusters of `graphemes(true)`, in order.

use unicode_segmentation::UnicodeSegmentation;

/// The extended grapheme clusters of a text. Most of a screen is letters, ideographs and lines, and between two of those
/// there is always a boundary (UAX #29, GB999).
pub fn clusters(text: &str) -> Clusters<'_> {
    Clusters { rest: text }
}

/// Iterator of [`clusters`].
#[derive(Clone, Debug)]
pub struct Clusters<'t> {
    rest: &'t str,
}

impl<'t> Iterator for Clusters<'t> {
    type Item = &'t str;

    fn next(&mut self) -> Option<&'t str> {
        let mut scalars = self.rest.chars();
        let first = scalars.next()?;
        let alone = stands_alone(first) && scalars.next().is_none_or(stands_alone);
        let len = if alone { first.len_utf8() } else { self.rest.graphemes(true).next()?.len() };
        let (cluster, rest) = self.rest.split_at_checked(len)?;
        self.rest = rest;
        Some(cluster)
    }
}

/// Characters that join nothing before or after them.
fn stands_alone(c: char) -> bool {
    matches!(c, ' '..='~' | '\u{b7}' | '\u{2010}'..='\u{2027}' | '\u{2500}'..='\u{257f}' | '\u{3001}'..='\u{3029}'
        | '\u{3400}'..='\u{4dbf}' | '\u{4e00}'..='\u{9fff}' | '\u{ff01}'..='\u{ff60}')
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn the_short_way_finds_the_same_clusters(parts in prop::collection::vec(prop::sample::select(vec![
            "a", " ", "单", "据", "─", "…", "·", "\u{301}", "\u{200d}", "👍", "🏽", "🇨", "🇳", "\r", "\n", "가", "\u{1100}", "\u{fe0f}", "\u{302a}",
            "\u{e0020}", "，", "\u{94d}", "क", "\u{600}", "①",
        ]), 0..12), any in any::<String>()) {
            for text in [parts.concat(), any] {
                let (ours, theirs): (Vec<_>, Vec<_>) = (clusters(&text).collect(), text.graphemes(true).collect());
                prop_assert_eq!(ours, theirs);
            }
        }
    }
}
