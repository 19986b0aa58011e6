//! What lists have in common: a cursor that moves, and on the screen why one is empty, its position, the rule above a preview.

use ratatui::layout::Rect;

use super::cells::Pen;
use super::format::{self, fill};
use super::msg::Ticket;
use super::shared::Shared;
use super::skin::Role;
use super::window::{Record, Window};
use super::words;

/// A list of rows of any kind, read page by page.
pub(crate) trait List {
    /// Rows the screen has for it.
    fn set_height(&mut self, height: usize);
    /// Moves the cursor.
    fn step(&mut self, by: i64);
    /// To the first or the last row.
    fn go_to_end(&mut self, last: bool);
    /// To row number `n` from 1.
    fn go_to(&mut self, n: u64);
    /// Puts the cursor on a row of the screen; whether it stood there already, `None` where there is none.
    fn click(&mut self, row: usize) -> Option<bool>;
    /// Stops what goes on by itself; tells whether anything did.
    fn halt_if_busy(&mut self) -> bool;
    /// It is read again when somebody looks.
    fn spoil(&mut self);
    /// Whether it was read, and has to be read again.
    fn waits(&self) -> bool;
    /// Whether it waits for the answer to this question.
    fn is_asked(&self, ticket: Ticket) -> bool;
    /// Counts new beginnings.
    fn epoch(&self) -> u64;
    /// `12/345`.
    fn position(&self) -> String;
}

impl<T: Record> List for Window<T> {
    fn set_height(&mut self, height: usize) {
        self.set_height(height);
    }

    fn step(&mut self, by: i64) {
        self.step(by);
    }

    fn go_to_end(&mut self, last: bool) {
        self.go_to_end(last);
    }

    fn go_to(&mut self, n: u64) {
        self.go_to(n);
    }

    fn click(&mut self, row: usize) -> Option<bool> {
        self.click(row)
    }

    fn halt_if_busy(&mut self) -> bool {
        self.halt_if_busy()
    }

    fn spoil(&mut self) {
        self.spoil();
    }

    fn waits(&self) -> bool {
        self.waits()
    }

    fn is_asked(&self, ticket: Ticket) -> bool {
        self.is_asked(ticket)
    }

    fn epoch(&self) -> u64 {
        self.epoch
    }

    fn position(&self) -> String {
        position(self)
    }
}

/// `12/345` of a window.
pub(crate) fn position<T: Record>(window: &Window<T>) -> String {
    let at = window.position().map(format::count);
    match (at, window.total()) {
        _ if window.is_empty() => String::new(),
        (Some(at), None) if window.scanned() > 1000 => format!("{at}+ ({})", format::count(window.scanned())),
        (Some(at), Some(all)) => format!("{at}/{}", format::count(all)),
        (Some(at), None) => format!("{at}+"),
        (None, _) => String::new(),
    }
}

/// The same of a list that is in memory as a whole.
pub(crate) fn place(at: usize, len: usize) -> String {
    if len == 0 { String::new() } else { format!("{}/{len}", at + 1) }
}

/// Says in an empty list why it is empty and what to do.
pub(crate) fn empty(pen: &mut Pen<'_>, area: Rect, lines: &[&str]) {
    let y = area.y + area.height / 3;
    for (i, line) in lines.iter().enumerate() {
        let y = y + i as u16;
        if y >= area.bottom() {
            return;
        }
        let w = (pen.glyphs.width(line) as u16).min(area.width);
        let role = if i == 0 { Role::Title } else { Role::Dim };
        pen.text(area.x + (area.width - w) / 2, y, w, role, line);
    }
}

/// Says what a window without rows is doing.
pub(crate) fn nothing<T: Record>(
    shared: &Shared,
    pen: &mut Pen<'_>,
    area: Rect,
    window: &Window<T>,
    lines: &[&str],
) -> bool {
    if !window.is_empty() {
        return false;
    }
    let t = shared.t();
    if let Some(error) = window.error() {
        empty(pen, area, &[t.cannot_read, &words::shown(error)]);
    } else if window.is_scanning() {
        empty(pen, area, &[&fill(t.scanning, &[&format::count(window.scanned())])]);
    } else if window.is_halted() {
        empty(pen, area, &[&fill(t.scan_stopped, &[&format::count(window.scanned())])]);
    } else if window.is_loaded() {
        empty(pen, area, lines);
    } else {
        empty(pen, area, &[t.reading]);
    }
    true
}

/// A title rule above a preview.
pub(crate) fn heading(pen: &mut Pen<'_>, area: Rect, title: &str) {
    pen.rule(area.x, area.y, area.width, Role::Border, false);
    pen.text(area.x + 1, area.y, area.width.saturating_sub(2), Role::Title, &format!(" {title} "));
}
