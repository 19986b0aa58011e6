//! The last look at the picture before it is written: the net under [`crate::text::show`].
//!
//! Invariant: after [`sweep`] every cell holds one printable cluster of at most 32 bytes that fits where it stands.

use ratatui::buffer::Buffer;
use unicode_width::UnicodeWidthStr;

use crate::text::hostile;

/// Longest cluster a cell may hold; [`crate::text::show`] lets at most 16 bytes through.
const LONGEST: usize = 32;

/// Replaces every cell that holds a control or format character, an overlong or overwide cluster or nothing at all
/// with `U+FFFD`, and a wide character without room with a blank. Returns how many were hostile: more than none is
/// a fault of ours, a text that went past `show`.
pub fn sweep(picture: &mut Buffer) -> usize {
    let mut hostile_cells = 0;
    let columns = usize::from(picture.area.width).max(1);
    for (i, cell) in picture.content.iter_mut().enumerate() {
        let symbol = cell.symbol();
        if let [b] = symbol.as_bytes() {
            if *b < b' ' || *b == 0x7f {
                cell.set_symbol("\u{fffd}");
                hostile_cells += 1;
            }
            continue;
        }
        if is_ideograph(symbol) {
            if i % columns == columns - 1 {
                cell.set_symbol(" ");
            }
            continue;
        }
        let width = symbol.width();
        if symbol.len() > LONGEST || !matches!(width, 1 | 2) || symbol.chars().any(hostile) {
            cell.set_symbol("\u{fffd}");
            hostile_cells += 1;
        } else if width == 2 && i % columns == columns - 1 {
            cell.set_symbol(" ");
        }
    }
    hostile_cells
}

/// One common ideograph: the case worth a short way, most cells of a Chinese screen.
fn is_ideograph(symbol: &str) -> bool {
    let mut scalars = symbol.chars();
    matches!((scalars.next(), scalars.next()), (Some('\u{4e00}'..='\u{9fff}'), None))
}

#[cfg(test)]
mod tests {
    use ratatui::layout::Rect;

    use super::*;

    #[test]
    fn nothing_hostile_passes() {
        for (symbol, want, count) in [
            ("a", "a", 0),
            ("单", "单", 0),
            ("e\u{301}", "e\u{301}", 0),
            ("\x1b[2J", "\u{fffd}", 1),
            ("\x07", "\u{fffd}", 1),
            ("\u{9b}", "\u{fffd}", 1),
            ("\u{202e}", "\u{fffd}", 1),
            ("\u{301}", "\u{fffd}", 1),
        ] {
            let mut picture = Buffer::empty(Rect::new(0, 0, 3, 1));
            picture[(0, 0)].set_symbol(symbol);
            assert_eq!(sweep(&mut picture), count, "{symbol:?}");
            assert_eq!(picture[(0, 0)].symbol(), want, "{symbol:?}");
        }
        let mut picture = Buffer::empty(Rect::new(0, 0, 3, 1));
        picture[(0, 0)].set_symbol(&"\u{1100}".repeat(32_769));
        picture[(2, 0)].set_symbol("单");
        assert_eq!(sweep(&mut picture), 1);
        assert_eq!(picture[(2, 0)].symbol(), " ");
    }
}
