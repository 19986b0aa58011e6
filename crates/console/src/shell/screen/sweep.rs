//! The last look at the picture before it is written: the net under [`skydeck_core::text::show`].
//!
//! Invariant: after [`sweep`] every cell holds one printable cluster of at most 32 bytes that fits where it stands.

use ratatui::buffer::{Buffer, Cell};

use skydeck_core::text::{Measure, hostile};

/// Longest cluster a cell may hold; [`skydeck_core::text::show`] lets at most 16 bytes through.
const LONGEST: usize = 32;

/// Replaces every cell that holds a control or format character, an overlong or overwide cluster or nothing at all
/// with `U+FFFD` (or `?` where that is wide), and a wide character without room with a blank. Returns how many were hostile: more than none is
/// a fault of ours, a text that went past `show`.
pub fn sweep(picture: &mut Buffer, measure: Measure) -> usize {
    let columns = usize::from(picture.area.width).max(1);
    picture.content.chunks_mut(columns).map(|row| sweep_row(row, measure)).sum()
}

/// The same for one row.
pub fn sweep_row(row: &mut [Cell], measure: Measure) -> usize {
    let mut hostile_cells = 0;
    let columns = row.len();
    for (x, cell) in row.iter_mut().enumerate() {
        let symbol = cell.symbol();
        if let [b] = symbol.as_bytes() {
            if *b < b' ' || *b == 0x7f {
                cell.set_symbol(measure.stand_in());
                hostile_cells += 1;
            }
            continue;
        }
        if is_ideograph(symbol) {
            if x + 1 == columns {
                cell.set_symbol(" ");
            }
            continue;
        }
        let width = measure.cluster(symbol);
        if symbol.len() > LONGEST || !matches!(width, 1 | 2) || symbol.chars().any(hostile) {
            cell.set_symbol(measure.stand_in());
            hostile_cells += 1;
        } else if width == 2 && x + 1 == columns {
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
            assert_eq!(sweep(&mut picture, Measure::Narrow), count, "{symbol:?}");
            assert_eq!(picture[(0, 0)].symbol(), want, "{symbol:?}");
        }
        let mut picture = Buffer::empty(Rect::new(0, 0, 3, 1));
        picture[(0, 0)].set_symbol(&"\u{1100}".repeat(32_769));
        picture[(2, 0)].set_symbol("单");
        assert_eq!(sweep(&mut picture, Measure::Narrow), 1);
        assert_eq!(picture[(2, 0)].symbol(), " ");
        // Half of it would hang over the edge.
        let mut picture = Buffer::empty(Rect::new(0, 0, 2, 1));
        picture[(0, 0)].set_symbol("\x07");
        picture[(1, 0)].set_symbol("①");
        assert_eq!(sweep(&mut picture, Measure::Wide), 1);
        assert_eq!([picture[(0, 0)].symbol(), picture[(1, 0)].symbol()], ["?", " "]);
    }
}
