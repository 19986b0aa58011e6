//! The seven panes: each draws its list into `parts.list` and a preview into `parts.detail`.

use std::hash::{DefaultHasher, Hash, Hasher};

use ratatui::layout::Rect;

use super::cells::Pen;
use super::format::{self, fill};
use super::layout::Parts;
use super::model::{Model, Pane};
use super::skin::Role;
use super::window::{Record, Window};
use super::words;

pub mod bill;
pub mod bills;
pub mod history;
pub mod ledger;
pub mod log;
pub mod plans;
pub mod queue;

/// Draws the present pane; gives the position of the list's first row when its rows fill whole screen rows.
pub(crate) fn draw(model: &Model, pen: &mut Pen<'_>, parts: &Parts) -> Option<u64> {
    match model.pane {
        Pane::Plans => plans::draw(model, pen, parts),
        Pane::Queue => queue::draw(model, pen, parts),
        Pane::Results => bills::draw(model, pen, parts),
        Pane::Ledger => ledger::draw(model, pen, parts),
        Pane::History => history::draw(model, pen, parts),
        Pane::Bill => bill::draw(model, pen, parts),
        Pane::Log => log::draw(model, pen, parts),
    }
}

/// Names the list on the screen; another list, another name.
pub(crate) fn list_id(model: &Model) -> u64 {
    let mut hasher = DefaultHasher::new();
    let epoch = match model.pane {
        Pane::Results => model.results.epoch,
        Pane::History if model.history_filter.is_empty() => model.history.epoch,
        Pane::History => model.found.epoch,
        Pane::Log => model.log.epoch,
        _ => 0,
    };
    (model.pane as u8, model.run, epoch, model.size, model.zoom, model.filter()).hash(&mut hasher);
    hasher.finish()
}

/// `12/345` for the lower frame.
pub(crate) fn position(model: &Model) -> String {
    fn of<T: Record>(window: &Window<T>) -> String {
        let at = window.position().map(format::count);
        match (at, window.total()) {
            _ if window.is_empty() => String::new(),
            (Some(at), None) if window.scanned() > 1000 => format!("{at}+ ({})", format::count(window.scanned())),
            (Some(at), Some(all)) => format!("{at}/{}", format::count(all)),
            (Some(at), None) => format!("{at}+"),
            (None, _) => String::new(),
        }
    }
    let simple = |at: usize, n: usize| if n == 0 { String::new() } else { format!("{}/{n}", at + 1) };
    match model.pane {
        Pane::Plans => simple(model.plan_index(), model.plans.len()),
        Pane::Queue => String::new(),
        Pane::Results => of(&model.results),
        Pane::Ledger => match model.ledger.entered() {
            Some(window) => of(window),
            None => simple(model.ledger.index(), model.ledger.groups.len()),
        },
        Pane::History if model.history_filter.is_empty() => of(&model.history),
        Pane::History => of(&model.found),
        Pane::Bill => simple(model.bill.at(), model.bill.len()),
        Pane::Log => of(&model.log),
    }
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
    model: &Model,
    pen: &mut Pen<'_>,
    area: Rect,
    window: &Window<T>,
    lines: &[&str],
) -> bool {
    if !window.is_empty() {
        return false;
    }
    let t = model.t();
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
