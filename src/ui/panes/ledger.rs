//! Ledger: what is unresolved over all runs, grouped by cause with advice and who acts; a group unfolds into its bills.

use ratatui::layout::Rect;

use crate::ui::cells::{Cell, Pen};
use crate::ui::format::{self, fill};
use crate::ui::layout::{self, Parts};
use crate::ui::model::Model;
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
    let height =
        if ledger.open { layout::group_rows(ledger.groups.len(), area.height) } else { area.height.saturating_sub(1) };
    let at = ledger.index();
    for (i, group) in ledger.groups.iter().enumerate().skip(ledger.top).take(usize::from(height)) {
        let (advice, who) = words::advice(model, group.slot, &group.group);
        let role = words::role(group.slot);
        let sign = if ledger.open && i == at { pen.glyphs.unfolded } else { pen.glyphs.folded };
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
        pen.row(area, area.y + 1 + (i - ledger.top) as u16, i == at && !ledger.in_entries, &cells);
    }
    if !ledger.open {
        if let Some(group) = ledger.group() {
            group_preview(model, pen, parts.detail, group);
        }
        return None;
    }
    let y = area.y + 1 + height;
    let rest = Rect { y, height: area.bottom().saturating_sub(y), ..area };
    if rest.height < 2 {
        return None;
    }
    let name = ledger.group().map(|g| words::group(&model.causes, model.lang, g.slot, &g.group)).unwrap_or_default();
    heading(pen, rest, &fill(t.group_entries, &[&name]));
    let rest = Rect { y: rest.y + 1, height: rest.height - 1, ..rest };
    let lines: &[&str] =
        if model.ledger_filter.is_empty() { &[t.group_empty] } else { &[t.filter_empty, t.filter_empty_2] };
    if !nothing(model, pen, rest, &ledger.entries, lines) {
        bills::rows(model, pen, rest, &ledger.entries, ledger.in_entries);
        bills::preview(model, pen, parts.detail, ledger.entries.current());
    }
    None
}

fn group_preview(model: &Model, pen: &mut Pen<'_>, area: Rect, group: &crate::domain::query::LedgerGroup) {
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
