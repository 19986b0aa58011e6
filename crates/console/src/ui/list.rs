//! What lists have in common on the screen: why one is empty, its position, the rule above a preview.

use ratatui::layout::Rect;

use super::cells::Pen;
use super::format::{self, fill};
use super::shared::Shared;
use super::skin::Role;
use super::window::{Record, Window};
use super::words;

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
