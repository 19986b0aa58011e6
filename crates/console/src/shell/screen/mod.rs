//! The picture on the terminal and the way to the next one: one buffer shown, one being drawn, one write a frame.
//!
//! Invariant: `shown` is what the terminal shows once everything handed out was written; frames are handed out only
//! when the one before is on its way completely, so none queues behind a slow reader.

mod ascii;
mod encode;
mod go;
mod order;
mod paint;
mod sweep;

use ratatui::buffer::{Buffer, Cell};
use ratatui::layout::Rect;

use self::encode::Encoder;
use self::paint::Pen;
pub use self::sweep::sweep;
use self::sweep::sweep_row;
use super::caps::Caps;
use crate::ui::msg::{Drawn, ListHint};

/// Frames shorter than this arrive in one piece anyway, in one packet too; the brackets of a synchronized update would
/// only add to them.
const BRACKETED: usize = 512;

/// The terminal's picture.
#[derive(Debug)]
pub struct Screen {
    caps: Caps,
    shown: Buffer,
    next: Buffer,
    /// Rows in which the two differ.
    changed: Vec<bool>,
    /// False when the terminal's content is not known: the next frame clears and draws all of it.
    known: bool,
    pen: Pen,
    list: Option<ListHint>,
    caret: Option<(u16, u16)>,
    hostile: usize,
}

impl Screen {
    /// A terminal of this size, its content not known, its cursor hidden.
    pub fn new(caps: Caps, columns: u16, rows: u16) -> Self {
        let area = Rect::new(0, 0, columns, rows);
        Self {
            caps,
            shown: Buffer::empty(area),
            next: Buffer::empty(area),
            changed: Vec::new(),
            known: false,
            pen: Pen::default(),
            list: None,
            caret: None,
            hostile: 0,
        }
    }

    /// Columns and rows.
    pub fn size(&self) -> (u16, u16) {
        (self.shown.area.width, self.shown.area.height)
    }

    /// The terminal has another size (or the same: then only a full frame follows).
    pub fn resize(&mut self, columns: u16, rows: u16) {
        let hostile = self.hostile;
        *self = Self::new(self.caps, columns, rows);
        self.hostile = hostile;
    }

    /// The terminal's content is not known any more: Ctrl-L, back from suspension.
    pub fn forget(&mut self) {
        let (columns, rows) = self.size();
        self.resize(columns, rows);
    }

    /// Cells the sweep had to replace so far; more than none is a fault of ours.
    pub fn hostile_cells(&self) -> usize {
        self.hostile
    }

    /// Draws the next picture with `draw` and returns the bytes that bring the terminal there; none when nothing
    /// changed.
    pub fn frame(&mut self, draw: impl FnOnce(&mut Buffer) -> Drawn) -> Vec<u8> {
        self.next.reset();
        let drawn = draw(&mut self.next);
        self.compare();
        let (body, pen) = self.body(drawn.list);
        let mut end = Encoder::new(self.caps, self.shown.area.width, pen);
        let frame = self.close(body, drawn.caret, &mut end);
        std::mem::swap(&mut self.shown, &mut self.next);
        self.pen = end.finish().1;
        self.list = drawn.list;
        self.known = true;
        frame
    }

    /// Finds the rows that changed and sweeps them; what is shown already was swept before.
    fn compare(&mut self) {
        let columns = usize::from(self.shown.area.width).max(1);
        let rows = self.shown.content.chunks(columns).zip(self.next.content.chunks_mut(columns));
        self.changed.clear();
        for (shown, next) in rows {
            let changed = !self.known || !same_row(shown, next);
            if changed {
                self.hostile += sweep_row(next, self.caps.measure);
            }
            self.changed.push(changed);
        }
    }

    /// The shortest way to the next picture that we know: row by row, or with a move of the list first.
    fn body(&mut self, list: Option<ListHint>) -> (Vec<u8>, Pen) {
        let columns = self.shown.area.width;
        if !self.known {
            self.shown.reset();
            let mut whole = Encoder::new(self.caps, columns, Pen::default());
            // Whatever look the terminal is in, it is plain from here on.
            let mut out = b"\x1b[m".to_vec();
            whole.clear();
            whole.draw(&self.shown.content, &self.next.content, &self.changed);
            let (bytes, pen) = whole.finish();
            out.extend(bytes);
            return (out, pen);
        }
        let mut encoder = Encoder::new(self.caps, columns, self.pen);
        if let Some((hint, moved)) = self.moved(list).filter(|(hint, moved)| self.worth_scrolling(*hint, *moved)) {
            shift(&mut self.shown, hint, moved);
            encoder.scroll(hint.top, hint.bottom, moved);
            self.compare();
        }
        encoder.draw(&self.shown.content, &self.next.content, &self.changed);
        encoder.finish()
    }

    /// Whether more rows of the list are what they shall be after the move than without it.
    fn worth_scrolling(&self, hint: ListHint, moved: i64) -> bool {
        let columns = usize::from(self.shown.area.width);
        let inside = i64::from(hint.top)..i64::from(hint.bottom);
        let same = |by: i64| {
            let stays = |y: &i64| {
                inside.contains(&(y + by))
                    && row(&self.shown, y + by, columns)
                        .zip(row(&self.next, *y, columns))
                        .is_some_and(|(was, is)| same_row(was, is))
            };
            inside.clone().filter(stays).count()
        };
        same(moved) > same(0)
    }

    /// By how many rows the list of the shown picture moved, when it is the same list in the same place and not so
    /// far that hardly a row stays. Positive = its content moves up.
    fn moved(&self, list: Option<ListHint>) -> Option<(ListHint, i64)> {
        let (was, is) = (self.list?, list?);
        let rows = i64::from(is.bottom.checked_sub(is.top)?);
        let moved = i64::try_from(is.first).ok()? - i64::try_from(was.first).ok()?;
        let same = (was.id, was.top, was.bottom) == (is.id, is.top, is.bottom) && is.bottom <= self.shown.area.height;
        (same && moved != 0 && moved.abs() <= rows / 2 + 1 && moved.abs() < rows).then_some((is, moved))
    }

    /// Puts the caret and the brackets around a frame.
    fn close(&mut self, body: Vec<u8>, caret: Option<(u16, u16)>, end: &mut Encoder) -> Vec<u8> {
        let (columns, rows) = self.size();
        let caret = caret.filter(|(x, y)| *x < columns && *y < rows);
        if body.is_empty() && caret == self.caret {
            return body;
        }
        let mut frame = Vec::with_capacity(body.len() + 32);
        let bracketed = self.caps.xterm && body.len() > BRACKETED;
        if bracketed {
            frame.extend(b"\x1b[?2026h");
        }
        frame.extend(body);
        if let Some((x, y)) = caret {
            end.go(usize::from(x), usize::from(y));
            frame.extend(end.taken());
            if self.caret.is_none() {
                frame.extend(b"\x1b[?25h");
            }
        } else if self.caret.is_some() {
            frame.extend(b"\x1b[?25l");
        }
        if bracketed {
            frame.extend(b"\x1b[?2026l");
        }
        self.caret = caret;
        frame
    }
}

/// Whether two rows show the same.
fn same_row(a: &[Cell], b: &[Cell]) -> bool {
    a.len() == b.len() && a.iter().zip(b).all(|(a, b)| same_cell(a, b))
}

/// Whether two cells show the same. The busiest comparison of the screen: some thousands for every key, nearly all of one
/// byte each.
fn same_cell(a: &Cell, b: &Cell) -> bool {
    let same_symbol = match (a.symbol().as_bytes(), b.symbol().as_bytes()) {
        ([a], [b]) => a == b,
        (a, b) => a == b,
    };
    same_symbol && (a.fg, a.bg, a.underline_color, a.modifier) == (b.fg, b.bg, b.underline_color, b.modifier)
}

/// A row's cells.
fn row(picture: &Buffer, y: i64, columns: usize) -> Option<&[Cell]> {
    let from = usize::try_from(y).ok()? * columns;
    picture.content.get(from..from + columns)
}

/// Does to our copy what the scroll does to the terminal.
fn shift(picture: &mut Buffer, hint: ListHint, moved: i64) {
    let columns = usize::from(picture.area.width);
    let rows = usize::from(hint.top) * columns..usize::from(hint.bottom) * columns;
    let Some(region) = picture.content.get_mut(rows) else { return };
    let cells = (moved.unsigned_abs() as usize).saturating_mul(columns).min(region.len());
    let blank = if moved > 0 {
        region.rotate_left(cells);
        let kept = region.len() - cells;
        region.get_mut(kept..)
    } else {
        region.rotate_right(cells);
        region.get_mut(..cells)
    };
    blank.into_iter().flatten().for_each(Cell::reset);
}
