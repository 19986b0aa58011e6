//! Ledger: what is unresolved over all runs, grouped by cause with advice and who acts; groups unfold into their bills.

use ratatui::layout::Rect;

use crate::domain::query::LedgerGroup;
use crate::ui::cells::{Cell, Pen};
use crate::ui::format;
use crate::ui::layout::Parts;
use crate::ui::model::{LedgerPane, Model};
use crate::ui::skin::Role;
use crate::ui::words;

use super::{bills, empty, heading, nothing};

pub(crate) fn draw(model: &Model, pen: &mut Pen<'_>, parts: &Parts) -> Option<u64> {
    let t = model.t();
    let area = parts.list;
    let ledger = &model.ledger;
    if ledger.groups.is_empty() {
        let lines: &[&str] = if ledger.loaded { &[t.ledger_none, t.ledger_none_2] } else { &[t.reading] };
        empty(pen, area, lines);
        return None;
    }
    let cell = |w, text| Cell::new(w, Role::Dim, text);
    let state = if model.lang == crate::ui::Lang::Zh { 8 } else { 10 };
    let label = if area.width >= 100 { 24 } else { 16 };
    let titles = [
        cell(1, ""),
        cell(6, t.col_count).right(),
        cell(state, t.col_state),
        cell(label, t.col_reason),
        cell(13, t.col_who),
        cell(0, t.col_advice),
        cell(6, t.col_oldest).right(),
    ];
    pen.row(area, area.y, false, &titles);
    let area = Rect { y: area.y + 1, height: area.height.saturating_sub(1), ..area };
    let lines = ledger.lines(usize::from(area.height));
    let mut y = 0_usize;
    for (i, (group, entries)) in ledger.groups.iter().zip(&lines).enumerate() {
        if let Some(at) = y.checked_sub(ledger.top).filter(|at| *at < usize::from(area.height)) {
            let (advice, who) = words::advice(model, group.slot, &group.group);
            let role = words::role(group.slot);
            let sign = if *entries > 0 { pen.glyphs.unfolded } else { pen.glyphs.folded };
            let oldest = group.oldest.map(|o| format::age(model.now.since(o))).unwrap_or_default();
            let word = format!("{} {}", words::glyph(group.slot, model.glyphs), words::slot(model.lang, group.slot));
            let cells = [
                Cell::new(1, Role::Dim, sign),
                Cell::new(6, role, format::count(group.count)).right().key(),
                Cell::new(state, role, word),
                Cell::new(label, role, words::group(&model.causes, model.lang, group.slot, &group.group)).key(),
                Cell::new(13, Role::Accent, who),
                Cell::new(0, Role::Text, advice),
                Cell::new(6, Role::Dim, oldest).right(),
            ];
            pen.row(area, area.y + at as u16, i == ledger.index() && !ledger.in_entries, &cells);
        }
        let (from, to) = (y + 1, y + 1 + entries);
        entries_of(model, pen, area, group, (from, to));
        y = to;
    }
    match ledger.entered() {
        Some(window) => bills::preview(model, pen, parts.detail, window.current()),
        None => {
            if let Some(group) = ledger.group() {
                group_preview(model, pen, parts.detail, group);
            }
        }
    }
    None
}

/// The entries of an unfolded group, on the lines from and to, as far as they are on the screen.
fn entries_of(model: &Model, pen: &mut Pen<'_>, area: Rect, group: &LedgerGroup, (from, to): (usize, usize)) {
    const INDENT: u16 = 2;
    let ledger = &model.ledger;
    let id = LedgerPane::group_id(group);
    let Some(window) = ledger.unfolded.get(&id) else { return };
    let (top, bottom) = (ledger.top, ledger.top + usize::from(area.height));
    let (first, last) = (from.max(top), to.min(bottom));
    if first >= last || area.width <= INDENT {
        return;
    }
    let y = area.y + (first - top) as u16;
    let room = Rect { x: area.x + INDENT, y, width: area.width - INDENT, height: (last - first) as u16 };
    let t = model.t();
    let lines: &[&str] =
        if model.ledger_filter.is_empty() { &[t.group_empty] } else { &[t.filter_empty, t.filter_empty_2] };
    if nothing(model, pen, room, window, lines) {
        return;
    }
    let here = ledger.at.as_ref() == Some(&id);
    let all = model.all_marked && (here || ledger.entries().is_none());
    bills::rows(model, pen, room, window, bills::Rows { focus: here && ledger.in_entries, all, skip: first - from });
}

fn group_preview(model: &Model, pen: &mut Pen<'_>, area: Rect, group: &LedgerGroup) {
    if area.height < 2 {
        return;
    }
    let t = model.t();
    let (advice, who) = words::advice(model, group.slot, &group.group);
    let label = words::group(&model.causes, model.lang, group.slot, &group.group);
    let dot = pen.glyphs.dot;
    heading(pen, area, &format!("{label} {dot} {} {}", format::count(group.count), t.bills));
    let w = usize::from(area.width.saturating_sub(2));
    let text = format!("{} {advice} [{who}]", pen.glyphs.arrow);
    let lines = crate::ui::cells::wrap(&text, w, usize::from(area.height - 1), pen.glyphs.cut);
    for (i, line) in lines.iter().enumerate() {
        pen.text(area.x + 1, area.y + 1 + i as u16, w as u16, Role::Text, line);
    }
}
