//! How a group of unresolved bills is drawn: how many, where they stand, why, who acts and what to do.

use ratatui::layout::Rect;

use crate::ui::cells::{Cell, Pen};
use crate::ui::format;
use crate::ui::lang::Texts;
use crate::ui::list::heading;
use crate::ui::shared::Shared;
use crate::ui::skin::Role;
use crate::ui::words;
use skydeck_core::domain::bill::Slot;
use skydeck_core::domain::filter::{Filter, Key, Term, Test};
use skydeck_core::domain::ids::OpId;
use skydeck_core::domain::query::LedgerGroup;

/// What a group of the ledger is bound by: its column of the sum line, and its cause.
pub(super) type GroupId = (String, String);

/// Lines that the titles of an unfolded group take.
pub(super) const TITLES: usize = 1;

pub(super) fn group_id(group: &LedgerGroup) -> GroupId {
    (group.slot.word().to_owned(), group.group.clone())
}

/// Lines under each group, of as many as each wants: the group under the cursor takes what the others leave; each has a few
/// at least, so that a long list scrolls instead of hiding one.
pub(super) fn shares(wants: &[Option<usize>], at: usize, height: usize) -> Vec<usize> {
    const FEW: usize = 4 + TITLES;
    let spare = height.saturating_sub(wants.len());
    let unfolded = wants.iter().flatten().count();
    let fair = (spare / unfolded.max(1)).max(FEW);
    let mut lines: Vec<usize> = wants.iter().map(|want| want.map_or(0, |n| n.min(fair))).collect();
    let others: usize = lines.iter().enumerate().filter(|(i, _)| *i != at).map(|(_, n)| n).sum();
    if let (Some(own), Some(Some(n))) = (lines.get_mut(at), wants.get(at)) {
        *own = (*n).min(spare.saturating_sub(others).max(fair));
    }
    lines
}

/// What narrows a list to one group.
pub(super) fn filter(slot: &str, group: &str) -> Filter {
    let is = |key, word: &str| Term { not: false, test: Test::Is(key, vec![word.to_owned()]) };
    Filter { terms: vec![is(Key::Status, slot), is(Key::Cause, group)] }
}

/// Unresolved bills have one word each, whatever the operation.
pub(super) fn state_width(shared: &Shared) -> u16 {
    words::state_width(shared.lang, false, shared.groups.rows().iter().any(|g| g.slot == Slot::NotReached))
}

fn label_width(area: Rect) -> u16 {
    if area.width >= 100 { 24 } else { 16 }
}

/// Why no group is listed.
pub(super) fn why_empty(t: &Texts, whole: bool, known: bool) -> Vec<&'static str> {
    match (known, whole) {
        (false, _) => vec![t.reading],
        (true, true) => vec![t.ledger_none, t.ledger_none_2],
        (true, false) => vec![t.filter_empty, t.filter_empty_2],
    }
}

/// Column titles in the first line of the list.
pub(super) fn titles(shared: &Shared, pen: &mut Pen<'_>, area: Rect) {
    let t = shared.t();
    let cell = |w, text| Cell::new(w, Role::Dim, text);
    let titles = [
        cell(1, ""),
        cell(6, t.col_count).right(),
        cell(state_width(shared), t.col_outcome),
        cell(label_width(area), t.col_reason),
        cell(13, t.col_who),
        cell(0, t.col_advice),
        cell(6, t.col_oldest).right(),
    ];
    pen.row(area, area.y, false, &titles);
}

/// What the line of a group shows besides the group.
pub(super) struct Line {
    /// How many bills of it there are.
    pub count: String,
    /// The cursor is on it.
    pub here: bool,
    pub unfolded: bool,
}

/// The line of a group.
pub(super) fn row(shared: &Shared, pen: &mut Pen<'_>, line: Rect, group: &LedgerGroup, shown: Line) {
    let (advice, who) = words::advice(shared, group.slot, &group.group);
    let role = words::role(group.slot);
    let sign = if shown.unfolded { pen.glyphs.unfolded } else { pen.glyphs.folded };
    let oldest = group.oldest.map(|at| format::age(shared.now.since(at))).unwrap_or_default();
    let glyph = words::glyph(group.slot, shared.setup.glyphs);
    let word = format!("{glyph} {}", words::slot(shared.lang, &OpId::default(), group.slot));
    let label = words::group(&shared.setup.causes, shared.lang, group.slot, &group.group);
    let cells = [
        Cell::new(1, Role::Dim, sign),
        Cell::new(6, role, shown.count).right().key(),
        Cell::new(state_width(shared), role, word),
        Cell::new(label_width(line), role, label).key(),
        Cell::new(13, Role::Accent, who),
        Cell::new(0, Role::Text, advice),
        Cell::new(6, Role::Dim, oldest).right(),
    ];
    pen.row(line, line.y, shown.here, &cells);
}

/// The group under the cursor, with its advice in full.
pub(super) fn preview(shared: &Shared, pen: &mut Pen<'_>, area: Rect, group: &LedgerGroup, count: &str) {
    if area.height < 2 {
        return;
    }
    let (advice, who) = words::advice(shared, group.slot, &group.group);
    let label = words::group(&shared.setup.causes, shared.lang, group.slot, &group.group);
    heading(pen, area, &format!("{label} {} {count} {}", pen.glyphs.dot, shared.t().bills));
    let w = usize::from(area.width.saturating_sub(2));
    let text = format!("{} {advice} [{who}]", pen.glyphs.arrow);
    let lines = pen.glyphs.wrap(&text, w, usize::from(area.height - 1));
    for (i, line) in lines.iter().enumerate() {
        pen.text(area.x + 1, area.y + 1 + i as u16, w as u16, Role::Text, line);
    }
}

/// What is on a line: a group's place, and the row of its entries.
pub(super) fn on_line(lines: &[usize], line: usize) -> Option<(usize, Option<usize>)> {
    let mut at = 0;
    for (i, entries) in lines.iter().enumerate() {
        if line <= at + entries {
            return Some((i, (line - at).checked_sub(1)));
        }
        at += entries + 1;
    }
    None
}
