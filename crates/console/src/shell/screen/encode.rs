//! From the picture on the terminal to the next one, in few bytes.
//!
//! Invariant: bytes written for (old, new) turn a terminal that shows `old` into one that shows `new`, whatever the
//! widths on the way; a cell half of which is overwritten is drawn again.

use std::io::Write as _;

use ratatui::buffer::Cell;
use unicode_width::UnicodeWidthStr;

use super::ascii::ascii;
use super::go::{At, Cursor};
use super::order::{Kind, Need, Piece, order};
use super::paint::{Look, Pen};
use super::same_cell;
use crate::shell::caps::Caps;
use skydeck_core::text::Measure;

/// Cells of a gap that are rather sent again than jumped over: a jump takes three bytes or more.
const GAP: usize = 4;
/// Dirty cells at the end of a row from which on erasing to the end is shorter.
const ERASE: usize = 4;
/// Blanks in the middle of a row from which on erasing them and jumping over them is shorter.
const BLANKS: usize = 12;

/// Writes differences of pictures.
#[derive(Debug)]
pub struct Encoder {
    caps: Caps,
    columns: usize,
    cursor: Cursor,
    out: Vec<u8>,
    pen: Pen,
    /// Where the terminal's cursor stands; `None` = not known, the next move is absolute.
    at: Option<At>,
}

/// What stands at a column: 1 or 2 = a character of that width begins; 0 = covered by the one before.
const COVERED: u8 = 0;

/// Rows as they are and as they shall be, with the width of what stands at each column.
struct Row<'r> {
    y: usize,
    old: &'r [Cell],
    new: &'r [Cell],
    old_spans: &'r [u8],
    new_spans: &'r [u8],
}

impl Encoder {
    /// Begins a frame: the terminal is in `pen`'s look, its cursor anywhere.
    pub fn new(caps: Caps, columns: u16, pen: Pen) -> Self {
        let cursor = Cursor { columns: caps.xterm };
        Self { caps, columns: usize::from(columns), cursor, out: Vec::with_capacity(1024), pen, at: None }
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
        // What comes in is erased in the look of now: a plain ground is all that it may take from it.
        let look = Need::Blank(Look::PLAIN).look(self.pen.look());
        self.pen.turn(look, &mut self.out);
        let (count, way) = (rows.unsigned_abs(), if rows > 0 { 'S' } else { 'T' });
        let count = if count == 1 { String::new() } else { count.to_string() };
        let _ = write!(self.out, "\x1b[{};{bottom}r\x1b[{count}{way}\x1b[r", top + 1);
        self.at = Some((0, 0));
    }

    /// Puts the cursor at a cell.
    pub fn go(&mut self, x: usize, y: usize) {
        if self.at != Some((x, y)) {
            self.cursor.bytes(self.at, (x, y), &mut self.out);
            self.at = Some((x, y));
        }
    }

    /// Draws what differs between two pictures, in the rows named.
    pub fn draw(&mut self, old: &[Cell], new: &[Cell], changed: &[bool]) {
        let columns = self.columns.max(1);
        let (mut old_spans, mut new_spans) = (Vec::with_capacity(columns), Vec::with_capacity(columns));
        let mut pieces = Vec::new();
        for (y, ((old, new), changed)) in old.chunks(columns).zip(new.chunks(columns)).zip(changed).enumerate() {
            if !changed {
                continue;
            }
            measure(old, self.caps.measure, &mut old_spans);
            measure(new, self.caps.measure, &mut new_spans);
            let row = Row { y, old, new, old_spans: &old_spans, new_spans: &new_spans };
            self.pieces(&row, &mut pieces);
        }
        for i in order(&pieces, self.at, self.pen.look(), self.cursor) {
            if let Some(piece) = pieces.get(i)
                && let Some(row) = new.get(piece.y * columns..)
            {
                self.write(piece, row.get(..columns).unwrap_or(row));
            }
        }
    }

    /// Cuts what must be written of a row into pieces of one look each.
    fn pieces(&self, row: &Row<'_>, pieces: &mut Vec<Piece>) {
        let dirty = self.dirty(row);
        let text_end = self.text_end(row.new, row.new_spans);
        let erase = dirty.iter().filter(|x| **x >= text_end).count() >= ERASE;
        let mut from = pieces.len();
        let mut rest = dirty.as_slice();
        while let Some((&x, further)) = rest.split_first() {
            let (Some(cell), Some(span)) = (row.new.get(x), row.new_spans.get(x).copied()) else { return };
            let need = self.need(cell);
            let piece = |to, need, kind, known| Piece { y: row.y, from: x, to, need, kind, known };
            if erase && x >= text_end {
                pieces.push(Piece { from: text_end, ..piece(self.columns, need, Kind::Rest, true) });
                return;
            }
            let blanks = self.blanks(rest, row.new);
            if blanks >= BLANKS {
                pieces.push(piece(x + blanks, need, Kind::Blanks, true));
                rest = rest.get(blanks..).unwrap_or_default();
                from = pieces.len();
                continue;
            }
            rest = further;
            let to = x + usize::from(span);
            // In the last column terminals wait with the wrap; where the cursor is then differs, so it counts as unknown.
            let known = to < self.columns && self.trusts(cell.symbol());
            match pieces.get_mut(from..).and_then(<[Piece]>::last_mut) {
                Some(last) if let Some(need) = self.joined(last, x, need, row.new) => {
                    (last.to, last.need, last.known) = (to, need, known);
                }
                _ => pieces.push(piece(to, need, Kind::Text, known)),
            }
        }
    }

    /// The need of a piece that goes on up to column `x`, whatever stands between written once more; `None` when it
    /// cannot or a jump is shorter.
    fn joined(&self, piece: &Piece, x: usize, need: Need, row: &[Cell]) -> Option<Need> {
        let gap = row.get(piece.to..x)?;
        let jump = if gap.len() == 1 { 3 } else { GAP };
        if gap.len() > jump || (!gap.is_empty() && !piece.known) {
            return None;
        }
        let mut joined = piece.need;
        for cell in gap {
            if cell.symbol().len() != 1 {
                return None;
            }
            joined = joined.join(self.need(cell))?;
        }
        joined.join(need)
    }

    fn need(&self, cell: &Cell) -> Need {
        let look = Look::of(cell, self.caps.colors);
        if cell.symbol() == " " { Need::Blank(look) } else { Need::Exact(look) }
    }

    /// How many blanks on a plain ground stand at the beginning of these columns, side by side.
    fn blanks(&self, columns: &[usize], row: &[Cell]) -> usize {
        let Some(first) = columns.first().filter(|_| self.caps.xterm) else { return 0 };
        let blank = |(i, x): (usize, &usize)| *x == first + i && row.get(*x).is_some_and(|cell| self.plain(cell));
        columns.iter().enumerate().take_while(|(i, x)| blank((*i, x))).count()
    }

    fn plain(&self, cell: &Cell) -> bool {
        cell.symbol() == " " && Look::of(cell, self.caps.colors).same_blank(Look::PLAIN)
    }

    /// Columns at which a character must be written, in order.
    fn dirty(&self, row: &Row<'_>) -> Vec<usize> {
        let mut dirty = Vec::new();
        // Columns below this one lost their content: half of a wide character there was overwritten.
        let mut torn_until = 0;
        for (x, (cell, span)) in row.new.iter().zip(row.new_spans).enumerate() {
            if *span == COVERED {
                continue;
            }
            let width = usize::from(*span);
            let was = row.old_spans.get(x).copied().unwrap_or(COVERED);
            let same = was == *span && row.old.get(x).is_some_and(|o| self.same(o, cell));
            if same && x >= torn_until && (width == 1 || x + 1 >= torn_until) {
                continue;
            }
            dirty.push(x);
            let last = x + width - 1;
            if row.old_spans.get(last).copied() == Some(2) {
                torn_until = torn_until.max(last + 2);
            }
        }
        dirty
    }

    /// Whether two cells look the same on this terminal.
    fn same(&self, a: &Cell, b: &Cell) -> bool {
        if same_cell(a, b) {
            return true;
        }
        if a.symbol() != b.symbol() {
            return false;
        }
        let (a_look, b_look) = (Look::of(a, self.caps.colors), Look::of(b, self.caps.colors));
        a_look == b_look || (a.symbol() == " " && a_look.same_blank(b_look))
    }

    /// Column after which the row is blank and plain.
    fn text_end(&self, row: &[Cell], spans: &[u8]) -> usize {
        let last = row.iter().zip(spans).rposition(|(cell, span)| *span != COVERED && !self.plain(cell));
        last.map_or(0, |x| x + spans.get(x).map_or(1, |s| usize::from(*s)))
    }

    fn write(&mut self, piece: &Piece, row: &[Cell]) {
        self.go(piece.from, piece.y);
        let look = piece.need.look(self.pen.look());
        self.pen.turn(look, &mut self.out);
        match piece.kind {
            Kind::Rest => self.out.extend(b"\x1b[K"),
            Kind::Blanks => drop(write!(self.out, "\x1b[{}X", piece.to - piece.from)),
            Kind::Text => {
                let mut x = piece.from;
                while let Some(cell) = row.get(x).filter(|_| x < piece.to) {
                    self.go(x, piece.y);
                    x += self.put(x, piece.y, cell);
                }
            }
        }
    }

    /// Writes the character at column `x` in the look of now; the cursor is there. Gives its width.
    fn put(&mut self, x: usize, y: usize, cell: &Cell) -> usize {
        let mut symbol = cell.symbol();
        let mut span = 1;
        if symbol.len() > 1 && self.caps.measure.cluster(symbol) == 2 {
            // A wide character without room is a blank.
            if x + 1 < self.columns { span = 2 } else { symbol = " " }
        }
        // A terminal said to make it wide may not: both cells are blank before, and the cursor is placed anew after.
        if span == 2 && self.doubts(symbol) {
            self.out.extend(b"  ");
            self.at = None;
            self.go(x, y);
        }
        if self.caps.unicode || symbol.is_ascii() {
            self.out.extend(symbol.as_bytes());
        } else {
            let stand_in = ascii(symbol, span);
            self.out.extend(stand_in.as_bytes());
            self.out.extend(std::iter::repeat_n(b' ', usize::from(span).saturating_sub(stand_in.len())));
        }
        let next = x + usize::from(span);
        let known = next < self.columns && self.trusts(symbol);
        self.at = known.then_some((next, y));
        usize::from(span)
    }

    /// Whether the cursor is known to stand behind a character once it was written.
    fn trusts(&self, symbol: &str) -> bool {
        !self.caps.unicode || symbol.is_ascii() || (trusted_width(symbol) && !self.doubts(symbol))
    }

    /// Whether the operator's word alone says that a character is wide.
    fn doubts(&self, symbol: &str) -> bool {
        self.caps.unicode && self.caps.measure == Measure::Wide && symbol.width() == 1 && !symbol.is_ascii()
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
