//! From the picture on the terminal to the next one, in few bytes.
//!
//! Invariant: bytes written for (old, new) turn a terminal that shows `old` into one that shows `new`, whatever the
//! widths on the way; a cell half of which is overwritten is drawn again.

use std::io::Write as _;

use ratatui::buffer::Cell;
use unicode_width::UnicodeWidthStr;

use super::ascii::ascii;
use super::paint::{Look, Pen};
use crate::shell::caps::Caps;
use crate::text::Measure;

/// Cells of a gap that are rather sent again than jumped over: a jump takes three bytes or more.
const GAP: usize = 4;
/// Dirty cells at the end of a row from which on erasing to the end is shorter.
const ERASE: usize = 4;

/// Writes differences of rows.
#[derive(Debug)]
pub struct Encoder {
    caps: Caps,
    columns: usize,
    out: Vec<u8>,
    pen: Pen,
    /// Where the terminal's cursor stands; `None` = not known, the next move is absolute.
    at: Option<(usize, usize)>,
    spans: (Vec<u8>, Vec<u8>),
}

/// What stands at a column: 1 or 2 = a character of that width begins; 0 = covered by the one before.
const COVERED: u8 = 0;

impl Encoder {
    /// Begins a frame: the terminal is in `pen`'s look, its cursor anywhere.
    pub fn new(caps: Caps, columns: u16, pen: Pen) -> Self {
        let out = Vec::with_capacity(4096);
        Self { caps, columns: usize::from(columns), out, pen, at: None, spans: (Vec::new(), Vec::new()) }
    }

    /// Bytes so far and the look the terminal is left in.
    pub fn finish(self) -> (Vec<u8>, Pen) {
        (self.out, self.pen)
    }

    /// Bytes so far, taken out; the look and the cursor stay known.
    pub fn taken(&mut self) -> Vec<u8> {
        std::mem::take(&mut self.out)
    }

    /// Clears the screen; what was on it is blank and plain now.
    pub fn clear(&mut self) {
        self.pen.turn(Look::PLAIN, &mut self.out);
        self.out.extend(b"\x1b[H\x1b[2J");
        self.at = Some((0, 0));
    }

    /// Moves rows `top..bottom` by `rows` (up when positive) and leaves blank rows behind.
    pub fn scroll(&mut self, top: u16, bottom: u16, rows: i64) {
        self.pen.turn(Look::PLAIN, &mut self.out);
        let (count, way) = (rows.unsigned_abs(), if rows > 0 { 'S' } else { 'T' });
        let _ = write!(self.out, "\x1b[{};{bottom}r\x1b[{count}{way}\x1b[r", top + 1);
        self.at = Some((0, 0));
    }

    /// Puts the cursor at a cell.
    pub fn go(&mut self, x: usize, y: usize) {
        let Some((cx, cy)) = self.at.filter(|at| *at != (x, y)) else {
            if self.at.is_none() {
                self.absolute(x, y);
            }
            return;
        };
        if cy == y && cx < x {
            match x - cx {
                1 => self.out.extend(b"\x1b[C"),
                n => drop(write!(self.out, "\x1b[{n}C")),
            }
        } else if cy == y && cx - x <= 3 {
            self.out.extend(std::iter::repeat_n(b'\x08', cx - x));
        } else if x == 0 && cy == y {
            self.out.push(b'\r');
        } else if x == 0 && cy + 1 == y {
            self.out.extend(b"\r\n");
        } else {
            self.absolute(x, y);
        }
        self.at = Some((x, y));
    }

    fn absolute(&mut self, x: usize, y: usize) {
        let _ = match (x, y) {
            (0, 0) => self.out.write_all(b"\x1b[H"),
            (0, y) => write!(self.out, "\x1b[{}H", y + 1),
            (x, y) => write!(self.out, "\x1b[{};{}H", y + 1, x + 1),
        };
        self.at = Some((x, y));
    }

    /// Draws what differs between two states of row `y`.
    pub fn row(&mut self, y: usize, old: &[Cell], new: &[Cell]) {
        if old == new {
            return;
        }
        let mut spans = std::mem::take(&mut self.spans);
        measure(old, self.caps.measure, &mut spans.0);
        measure(new, self.caps.measure, &mut spans.1);
        let dirty = self.dirty(old, new, &spans);
        let text_end = self.text_end(new, &spans.1);
        let erase = dirty.iter().filter(|x| **x >= text_end).count() >= ERASE;
        let mut last: Option<usize> = None;
        for x in dirty {
            if erase && x >= text_end {
                self.approach(x.min(text_end), y, new, &spans.1, last);
                self.pen.turn(Look::PLAIN, &mut self.out);
                self.out.extend(b"\x1b[K");
                break;
            }
            self.approach(x, y, new, &spans.1, last);
            self.put(x, y, new, &spans.1);
            last = Some(x);
        }
        self.spans = spans;
    }

    /// Columns at which a character must be written, in order.
    fn dirty(&self, old: &[Cell], new: &[Cell], (old_spans, new_spans): &(Vec<u8>, Vec<u8>)) -> Vec<usize> {
        let mut dirty = Vec::new();
        // Columns below this one lost their content: half of a wide character there was overwritten.
        let mut torn_until = 0;
        for (x, (cell, span)) in new.iter().zip(new_spans).enumerate() {
            if *span == COVERED {
                continue;
            }
            let width = usize::from(*span);
            let was = old_spans.get(x).copied().unwrap_or(COVERED);
            let same = was == *span && old.get(x).is_some_and(|o| self.same(o, cell));
            if same && x >= torn_until && (width == 1 || x + 1 >= torn_until) {
                continue;
            }
            dirty.push(x);
            let last = x + width - 1;
            if old_spans.get(last).copied() == Some(2) {
                torn_until = torn_until.max(last + 2);
            }
        }
        dirty
    }

    /// Whether two cells look the same on this terminal.
    fn same(&self, a: &Cell, b: &Cell) -> bool {
        if a.symbol() != b.symbol() {
            return false;
        }
        let (a_look, b_look) = (Look::of(a, self.caps.colors), Look::of(b, self.caps.colors));
        a_look == b_look || (a.symbol() == " " && a_look.same_blank(b_look))
    }

    /// Column after which the row is blank and plain.
    fn text_end(&self, row: &[Cell], spans: &[u8]) -> usize {
        let plain = |cell: &Cell| cell.symbol() == " " && Look::of(cell, self.caps.colors).same_blank(Look::PLAIN);
        let last = row.iter().zip(spans).rposition(|(cell, span)| *span != COVERED && !plain(cell));
        last.map_or(0, |x| x + spans.get(x).map_or(1, |s| usize::from(*s)))
    }

    /// Brings the cursor to column `x`, by sending a short gap again where that is shorter than a jump.
    fn approach(&mut self, x: usize, y: usize, row: &[Cell], spans: &[u8], last: Option<usize>) {
        if let (Some((cx, cy)), Some(_)) = (self.at, last)
            && cy == y
            && cx < x
            && x - cx <= GAP
            && self.gap_is_cheap(cx, x, row)
        {
            for gap in cx..x {
                self.put(gap, y, row, spans);
            }
        }
        self.go(x, y);
    }

    fn gap_is_cheap(&self, from: usize, to: usize, row: &[Cell]) -> bool {
        let jump = if to - from == 1 { 3 } else { 4 };
        let Some(gap) = row.get(from..to) else { return false };
        gap.len() <= jump
            && gap.iter().all(|cell| {
                let look = Look::of(cell, self.caps.colors);
                cell.symbol().len() == 1
                    && (look == self.pen.look() || (cell.symbol() == " " && look.same_blank(self.pen.look())))
            })
    }

    /// Writes the character at column `x`; the cursor is there.
    fn put(&mut self, x: usize, y: usize, row: &[Cell], spans: &[u8]) {
        let (Some(cell), Some(span)) = (row.get(x), spans.get(x).copied()) else { return };
        let symbol = if span == 1 && self.caps.measure.cluster(cell.symbol()) == 2 { " " } else { cell.symbol() };
        let look = Look::of(cell, self.caps.colors);
        if symbol != " " || !look.same_blank(self.pen.look()) {
            self.pen.turn(look, &mut self.out);
        }
        // A terminal said to make it wide may not: both cells are blank before, and the cursor is placed anew after.
        let doubtful = self.caps.unicode && span == 2 && symbol.width() == 1;
        if doubtful {
            self.out.extend(b"  ");
            self.absolute(x, y);
        }
        let trusted = self.caps.unicode && !doubtful && trusted_width(symbol);
        if self.caps.unicode || symbol.is_ascii() {
            self.out.extend(symbol.as_bytes());
        } else {
            let stand_in = ascii(symbol, span);
            self.out.extend(stand_in.as_bytes());
            self.out.extend(std::iter::repeat_n(b' ', usize::from(span).saturating_sub(stand_in.len())));
        }
        let next = x + usize::from(span);
        // In the last column terminals wait with the wrap; where the cursor is then differs, so it counts as unknown.
        let known = next < self.columns && (trusted || symbol.is_ascii() || !self.caps.unicode);
        self.at = known.then_some((next, y));
    }
}

/// Width of each column's character as the terminal will take it.
fn measure(row: &[Cell], measure: Measure, spans: &mut Vec<u8>) {
    spans.clear();
    while let Some(cell) = row.get(spans.len()) {
        let symbol = cell.symbol();
        let wide = symbol.len() > 1 && measure.cluster(symbol) == 2 && spans.len() + 1 < row.len();
        spans.push(if wide { 2 } else { 1 });
        if wide {
            spans.push(COVERED);
        }
    }
}

/// Whether all terminals agree on this cluster's width, so that the cursor need not be placed anew after it.
fn trusted_width(cluster: &str) -> bool {
    let mut scalars = cluster.chars();
    let (Some(c), None) = (scalars.next(), scalars.next()) else { return false };
    matches!(u32::from(c),
        0x20..=0x7E | 0xA1..=0x24F | 0x391..=0x3C9 | 0x410..=0x44F
        | 0x2010..=0x2027 | 0x2030..=0x203A | 0x2190..=0x2193 | 0x2400..=0x2421 | 0x2500..=0x259F
        | 0x25A0..=0x25A1 | 0x25B2..=0x25B3 | 0x25BC..=0x25BD | 0x25CB | 0x25CF | 0x27E8 | 0x27E9
        | 0x3001..=0x3029 | 0x3041..=0x3096 | 0x30A1..=0x30FE | 0x3400..=0x4DBF | 0x4E00..=0x9FFF
        | 0xAC00..=0xD7A3 | 0xFF01..=0xFF60)
}
