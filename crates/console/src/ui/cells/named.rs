//! Names that are cut: others begin alike, and what tells one from them often stands at its end.

use super::Glyphs;
use skydeck_core::text::clusters;

/// Cells of a name below which it is cut at its end: either part would be too short to be known again.
const NAMED: usize = 8;

impl Glyphs {
    /// The end of a text that fits into `max` cells.
    fn tail(&self, text: &str, max: usize) -> String {
        let all: Vec<&str> = clusters(text).collect();
        let mut used = 0;
        let fitting = all.iter().rev().take_while(|g| {
            used += self.cell_width(g);
            used <= max
        });
        let from = all.len() - fitting.count();
        all.get(from..).unwrap_or_default().concat()
    }

    /// A name cut to `max` cells in its middle: its beginning, and the end, by which it differs from others that begin alike.
    pub fn clip_name(&self, text: &str, max: usize) -> String {
        match max.checked_sub(1) {
            Some(room) if room >= NAMED && self.width(text) > max => {
                let tail = self.tail(text, room.div_ceil(2));
                let tail = tail.trim_start();
                let head = self.head(text, room - self.width(tail));
                head.trim_end().to_owned() + self.cut + tail
            }
            _ => self.clip(text, max),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::{UNICODE, WIDE};

    #[test]
    fn names_that_begin_alike_stay_apart_when_they_are_cut() {
        for (text, max, want) in [
            ("销售出库单审核（华东）", 22, "销售出库单审核（华东）"),
            ("销售出库单审核（华东）", 16, "销售出…（华东）"),
            ("销售出库单审核（华南）", 16, "销售出…（华南）"),
            ("outstock audit east 7", 14, "outstoc…east 7"),
            ("outstock audit east 7", 8, "outstoc…"),
        ] {
            let cut = UNICODE.clip_name(text, max);
            assert_eq!(cut, want, "{text} {max}");
            assert!(UNICODE.width(&cut) <= max);
        }
        assert_eq!(WIDE.clip_name("销售出库单审核（华东）", 16), "销售出~（华东）");
    }
}
