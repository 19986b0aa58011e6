//! Ledger: what is unresolved over all runs, grouped by cause with advice and who acts; groups unfold into their bills.

use std::collections::{BTreeMap, BTreeSet};

use ratatui::layout::Rect;

use crate::ui::cells::{Cell, Pen};
use crate::ui::format;
use crate::ui::layout::Parts;
use crate::ui::model::Model;
use crate::ui::skin::Role;
use crate::ui::window::Window;
use crate::ui::words;
use skydeck_core::domain::bill::Slot;
use skydeck_core::domain::ids::OpId;
use skydeck_core::domain::query::LedgerGroup;
use skydeck_core::domain::run::BillRow;

use super::{bills, empty, heading, nothing};

/// What a group of the ledger is bound by: its column of the sum line, and its cause.
pub(crate) type GroupId = (String, String);

/// The ledger: groups, and the entries of the unfolded ones under them.
#[derive(Default)]
pub(crate) struct LedgerPane {
    pub groups: Vec<LedgerGroup>,
    /// The group under the cursor, or in whose entries the cursor is.
    pub at: Option<GroupId>,
    /// The first line on the screen.
    pub top: usize,
    pub in_entries: bool,
    /// Entries of each unfolded group.
    pub unfolded: BTreeMap<GroupId, Window<BillRow>>,
    pub stale: bool,
    pub loaded: bool,
}

impl LedgerPane {
    /// What a group is bound by.
    pub fn group_id(group: &LedgerGroup) -> GroupId {
        (group.slot.word().to_owned(), group.group.clone())
    }

    /// Entries of the group under the cursor, when it is unfolded.
    pub fn entries(&self) -> Option<&Window<BillRow>> {
        self.unfolded.get(self.at.as_ref()?)
    }

    /// The same, to be moved in.
    pub fn entries_mut(&mut self) -> Option<&mut Window<BillRow>> {
        self.unfolded.get_mut(self.at.as_ref()?)
    }

    /// Entries of a group that a filter leaves, as far as they were counted: of a folded group nobody has.
    fn shown(&self, group: &LedgerGroup, filtered: bool) -> Option<u64> {
        if !filtered {
            return Some(group.count);
        }
        self.unfolded.get(&Self::group_id(group)).and_then(Window::total)
    }

    /// Entries the cursor is in.
    pub fn entered(&self) -> Option<&Window<BillRow>> {
        self.entries().filter(|_| self.in_entries)
    }

    /// Entries in memory, of all unfolded groups.
    pub fn rows(&self) -> impl Iterator<Item = &BillRow> {
        self.unfolded.values().flat_map(Window::rows)
    }

    /// The entries are read again when somebody looks.
    pub fn spoil(&mut self) {
        self.unfolded.values_mut().for_each(Window::spoil);
    }

    /// Other entries from now on, as by another filter.
    pub fn reset(&mut self) {
        self.unfolded.values_mut().for_each(Window::reset);
    }

    /// Takes the groups as they are now; what is gone is folded.
    pub fn take(&mut self, groups: Vec<LedgerGroup>) {
        let was = self.index();
        self.groups = groups;
        self.groups.retain(|g| g.count > 0);
        LedgerGroup::sort(&mut self.groups);
        self.loaded = true;
        let ids: BTreeSet<GroupId> = self.groups.iter().map(Self::group_id).collect();
        self.unfolded.retain(|id, _| ids.contains(id));
        if !self.at.as_ref().is_some_and(|at| ids.contains(at)) {
            let last = self.groups.len().saturating_sub(1);
            self.at = self.groups.get(was.min(last)).map(Self::group_id);
            self.in_entries = false;
        }
    }

    /// Lines of entries under each group, on a list of so many lines. The group under the cursor takes what the
    /// others leave; each has a few at least, so that a long list scrolls instead of hiding one.
    pub fn lines(&self, height: usize) -> Vec<usize> {
        const FEW: usize = 4;
        let want = |group: &LedgerGroup| {
            let window = self.unfolded.get(&Self::group_id(group))?;
            let all = window.total().unwrap_or(group.count);
            Some(usize::try_from(all).unwrap_or(usize::MAX).max(1))
        };
        let spare = height.saturating_sub(self.groups.len());
        let fair = (spare / self.unfolded.len().max(1)).max(FEW);
        let mut lines: Vec<usize> = self.groups.iter().map(|g| want(g).map_or(0, |n| n.min(fair))).collect();
        let at = self.index();
        let others: usize = lines.iter().enumerate().filter(|(i, _)| *i != at).map(|(_, n)| n).sum();
        if let (Some(own), Some(n)) = (lines.get_mut(at), self.group().and_then(want)) {
            *own = n.min(spare.saturating_sub(others).max(fair));
        }
        lines
    }

    /// The line the cursor is on.
    pub fn line(&self, lines: &[usize]) -> usize {
        let above: usize = lines.iter().take(self.index()).map(|n| n + 1).sum();
        let within = self.entered().and_then(|w| w.visible().position(|(here, _)| here));
        above + within.map_or(0, |row| row + 1)
    }

    /// What is on a line: a group's place, and the row of its entries.
    pub fn on_line(lines: &[usize], line: usize) -> Option<(usize, Option<usize>)> {
        let mut at = 0;
        for (i, entries) in lines.iter().enumerate() {
            if line <= at + entries {
                return Some((i, (line - at).checked_sub(1)));
            }
            at += entries + 1;
        }
        None
    }

    /// One line down or up, through the entries of what is unfolded.
    pub fn walk(&mut self, down: bool) {
        let here = self.entered();
        let edge =
            here.map(|w| if down { w.total().is_some() && w.position() == w.total() } else { w.position() == Some(1) });
        let next = if down { self.index() + 1 } else { self.index().wrapping_sub(1) };
        let other = self.groups.get(next).map(Self::group_id);
        match (edge, down) {
            // In the middle of the entries.
            (Some(false), _) => {
                if let Some(window) = self.entries_mut() {
                    window.step(if down { 1 } else { -1 });
                }
            }
            // Out of them: to the group's own line above, or to the next group.
            (Some(true), false) => self.in_entries = false,
            (None, true) if self.entries().is_some_and(|w| !w.is_empty()) => {
                self.in_entries = true;
                if let Some(window) = self.entries_mut() {
                    window.home();
                }
            }
            (Some(true) | None, _) => {
                let Some(other) = other else { return };
                self.at = Some(other);
                self.in_entries = !down && self.entries().is_some_and(|w| !w.is_empty());
                if self.in_entries
                    && let Some(window) = self.entries_mut()
                {
                    window.end();
                }
            }
        }
    }

    /// Place of the group under the cursor.
    pub fn index(&self) -> usize {
        self.groups.iter().position(|g| Some(Self::group_id(g)) == self.at).unwrap_or(0)
    }

    /// The group under the cursor.
    pub fn group(&self) -> Option<&LedgerGroup> {
        self.groups.get(self.index())
    }
}

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
    let state = state_width(model);
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
            let word = format!(
                "{} {}",
                words::glyph(group.slot, model.glyphs),
                words::slot(model.lang, &OpId::default(), group.slot)
            );
            let cells = [
                Cell::new(1, Role::Dim, sign),
                Cell::new(6, role, counted(model, group)).right().key(),
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

/// How many bills of a group the filter leaves; a dash where that was not counted.
fn counted(model: &Model, group: &LedgerGroup) -> String {
    let shown = model.ledger.shown(group, !model.ledger_filter.is_empty());
    shown.map_or_else(|| "-".to_owned(), format::count)
}

/// Unresolved bills have one word each, whatever the operation.
fn state_width(model: &Model) -> u16 {
    words::state_width(model.lang, false, model.ledger.groups.iter().any(|g| g.slot == Slot::NotReached))
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
    let (focus, skip) = (here && ledger.in_entries, first - from);
    bills::rows(model, pen, room, window, bills::Rows { focus, all, skip, state: state_width(model) });
}

fn group_preview(model: &Model, pen: &mut Pen<'_>, area: Rect, group: &LedgerGroup) {
    if area.height < 2 {
        return;
    }
    let t = model.t();
    let (advice, who) = words::advice(model, group.slot, &group.group);
    let label = words::group(&model.causes, model.lang, group.slot, &group.group);
    let dot = pen.glyphs.dot;
    heading(pen, area, &format!("{label} {dot} {} {}", counted(model, group), t.bills));
    let w = usize::from(area.width.saturating_sub(2));
    let text = format!("{} {advice} [{who}]", pen.glyphs.arrow);
    let lines = pen.glyphs.wrap(&text, w, usize::from(area.height - 1));
    for (i, line) in lines.iter().enumerate() {
        pen.text(area.x + 1, area.y + 1 + i as u16, w as u16, Role::Text, line);
    }
}
