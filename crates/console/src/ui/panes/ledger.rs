//! Ledger: what is unresolved over all runs, grouped by cause with advice and who acts; groups unfold into their bills.

use std::collections::BTreeMap;
use std::time::Duration;

use ratatui::layout::Rect;

use crate::ui::bill_rows::{self, Heads, MINUTE, Rows, SECOND};
use crate::ui::cells::Pen;
use crate::ui::format::{self, fill};
use crate::ui::keymap::{Action, Scope};
use crate::ui::layout::{self, Parts};
use crate::ui::list::{self, empty, nothing};
use crate::ui::msg::Ticket;
use crate::ui::scroll::{Scroll, moved};
use crate::ui::shared::{Shared, changes_ledger};
use crate::ui::skin::Role;
use crate::ui::window::Window;
use crate::ui::words;
use skydeck_core::domain::event::Fact;
use skydeck_core::domain::filter::Filter;
use skydeck_core::domain::query::{Answer, LedgerGroup, Query, Scope as ListScope};
use skydeck_core::domain::run::BillRow;
use skydeck_core::domain::transition::Change;

use super::ledger_groups::{self, GroupId, Line, TITLES, group_id};
use super::ledger_narrowed::Narrowed;
use super::pane::{Asking, Click, Done, FAR, Pane, Subject, open_bill};

/// Lines that are walked one by one, out of entries and into others; further moves go from group to group.
const NEAR: u64 = 100;

/// The pane: a cursor in the groups, and the entries of the unfolded ones under them.
#[derive(Default)]
pub(super) struct Ledger {
    /// The group under the cursor, or in whose entries the cursor is.
    at: Option<GroupId>,
    /// The place of that group among the others: the cursor stays there when the group is no more.
    row: usize,
    scroll: Scroll,
    in_entries: bool,
    /// Entries of each unfolded group.
    unfolded: BTreeMap<GroupId, Window<BillRow>>,
    filter: Filter,
    /// Groups and counts under the filter.
    narrowed: Narrowed,
}

impl Ledger {
    /// The groups that are listed: with a filter those that hold a bill it leaves, and so many.
    fn groups<'a>(&'a self, shared: &'a Shared) -> &'a [LedgerGroup] {
        if self.filter.is_empty() { shared.groups.rows() } else { self.narrowed.groups() }
    }

    /// They were read, or counted to the end.
    fn is_known(&self, shared: &Shared) -> bool {
        if self.filter.is_empty() { shared.groups.is_loaded() } else { self.narrowed.is_exact() }
    }

    /// Entries of the group under the cursor, when it is unfolded.
    fn entries(&self) -> Option<&Window<BillRow>> {
        self.unfolded.get(self.at.as_ref()?)
    }

    /// The same, to be moved in.
    fn entries_mut(&mut self) -> Option<&mut Window<BillRow>> {
        self.unfolded.get_mut(self.at.as_ref()?)
    }

    /// The entries the cursor is in, to be moved in.
    fn inside(&mut self) -> Option<&mut Window<BillRow>> {
        if self.entered().is_some() { self.entries_mut() } else { None }
    }

    /// Entries the cursor is in; none where there is none of them: it stands on their group then.
    fn entered(&self) -> Option<&Window<BillRow>> {
        self.entries().filter(|window| self.in_entries && !window.is_empty())
    }

    /// Lines under each group, on a list of so many lines: titles, and entries.
    fn lines(&self, groups: &[LedgerGroup], height: usize) -> Vec<usize> {
        let want = |group: &LedgerGroup| {
            let window = self.unfolded.get(&group_id(group))?;
            let all = window.total().unwrap_or(group.count);
            Some(usize::try_from(all).unwrap_or(usize::MAX).max(1).saturating_add(TITLES))
        };
        ledger_groups::shares(&groups.iter().map(want).collect::<Vec<_>>(), self.index(groups), height)
    }

    /// The line the cursor is on.
    fn line(&self, groups: &[LedgerGroup], lines: &[usize]) -> usize {
        let above: usize = lines.iter().take(self.index(groups)).map(|n| n + 1).sum();
        let within = self.entered().and_then(|w| w.visible().position(|(here, _)| here));
        above + within.map_or(0, |row| row + 1 + TITLES)
    }

    /// One line down or up, through the entries of what is unfolded.
    fn walk(&mut self, groups: &[LedgerGroup], down: bool) {
        let here = self.entered();
        let edge =
            here.map(|w| if down { w.total().is_some() && w.position() == w.total() } else { w.position() == Some(1) });
        let by = if down { 1 } else { -1 };
        let other = groups.get(self.index(groups).wrapping_add_signed(by)).map(group_id);
        match (edge, down) {
            // In the middle of the entries.
            (Some(false), _) => self.entries_mut().into_iter().for_each(|window| window.step(by as i64)),
            // Out of them: to the group's own line above, or to the next group.
            (Some(true), false) => self.in_entries = false,
            (None, true) if self.entries().is_some_and(|w| !w.is_empty()) => {
                self.in_entries = true;
                self.entries_mut().into_iter().for_each(Window::home);
            }
            (Some(true) | None, _) => {
                let Some(other) = other else { return };
                self.at = Some(other);
                self.in_entries = !down && self.entries().is_some_and(|w| !w.is_empty());
                if self.in_entries {
                    self.entries_mut().into_iter().for_each(Window::end);
                }
            }
        }
    }

    /// Place of the group under the cursor.
    fn index(&self, groups: &[LedgerGroup]) -> usize {
        groups.iter().position(|g| Some(group_id(g)) == self.at).unwrap_or(0)
    }

    /// The group under the cursor.
    fn group_here<'a>(&self, groups: &'a [LedgerGroup]) -> Option<&'a LedgerGroup> {
        groups.get(self.index(groups))
    }

    /// The filter narrowed to one group.
    fn group_filter(&self, (slot, group): &GroupId) -> Filter {
        let mut filter = self.filter.clone();
        filter.terms.extend(ledger_groups::filter(slot, group).terms);
        filter
    }

    /// Folds the group under the cursor; when it is folded already, all others.
    fn fold(&mut self, shared: &mut Shared) {
        let at = self.at.clone();
        if at.is_none_or(|at| self.unfolded.remove(&at).is_none()) {
            self.unfolded.clear();
        }
        self.in_entries = false;
        shared.selection.not_all();
    }

    /// Unfolds the group under the cursor, then goes into its entries, then to the bill there.
    fn open(&mut self, shared: &Shared) -> Done {
        if self.entries().is_none() {
            if let Some(id) = self.group_here(self.groups(shared)).map(group_id) {
                self.unfolded.insert(id.clone(), Window::default());
                (self.at, self.in_entries) = (Some(id), true);
            }
        } else if !self.in_entries {
            self.in_entries = true;
        } else {
            return open_bill(self.bill(shared));
        }
        Done::Here
    }

    /// How many bills of a group the filter leaves; with a sign behind it while they are still being counted.
    fn counted(&self, group: &LedgerGroup) -> String {
        let more = if self.filter.is_empty() || self.narrowed.is_exact() { "" } else { "+" };
        format!("{}{more}", format::count(group.count))
    }

    /// The cursor stays on its group where that is there; what is gone is folded.
    fn keep_place(&mut self, row: usize, groups: &[GroupId]) {
        self.unfolded.retain(|id, _| groups.contains(id));
        // As long as nobody moved the cursor it stands on the first one, whichever that is.
        if self.at.as_ref().is_some_and(|at| !groups.contains(at)) {
            self.at = groups.get(row.min(groups.len().saturating_sub(1))).cloned();
            self.in_entries = false;
        }
    }

    /// A cursor that came for a group which is not on the list stands on the list all the same.
    fn keep_on_the_list(&mut self, shared: &Shared) {
        let ids: Vec<GroupId> = self.groups(shared).iter().map(group_id).collect();
        if self.is_known(shared) {
            self.keep_place(self.row, &ids);
        }
        self.row = ids.iter().position(|id| Some(id) == self.at.as_ref()).unwrap_or(self.row);
    }

    /// The entries of an unfolded group, on the lines from and to, as far as they are on the screen.
    fn draw_entries(
        &self,
        shared: &Shared,
        pen: &mut Pen<'_>,
        area: Rect,
        group: &LedgerGroup,
        (from, to): (usize, usize),
    ) {
        const INDENT: u16 = 2;
        let id = group_id(group);
        let Some(window) = self.unfolded.get(&id) else { return };
        let (top, bottom) = (self.scroll.top(), self.scroll.top() + usize::from(area.height));
        let (first, last) = (from.max(top), to.min(bottom));
        if first >= last || area.width <= INDENT {
            return;
        }
        let y = area.y + (first - top) as u16;
        let room = Rect { x: area.x + INDENT, y, width: area.width - INDENT, height: (last - first) as u16 };
        let t = shared.t();
        let lines: &[&str] =
            if self.filter.is_empty() { &[t.group_empty] } else { &[t.filter_empty, t.filter_empty_2] };
        if nothing(shared, pen, room, window, lines) {
            return;
        }
        let here = self.at.as_ref() == Some(&id);
        let all = shared.selection.is_all() && (here || self.entries().is_none());
        let heads = &Heads::of(shared, window, room.width, ledger_groups::state_width(shared));
        let titles = TITLES.saturating_sub(first - from).min(usize::from(room.height)) as u16;
        if titles > 0 {
            bill_rows::titles(shared, pen, room, heads);
        }
        let room = Rect { y: room.y + titles, height: room.height - titles, ..room };
        let (focus, skip) = (here && self.in_entries, (first - from).saturating_sub(TITLES));
        bill_rows::rows(shared, pen, room, window, Rows { focus, all, skip, heads });
    }
}

impl Pane for Ledger {
    fn scope(&self) -> Scope {
        Scope::Ledger
    }

    fn shown_by(&self) -> Action {
        Action::Ledger
    }

    fn badge(&self, shared: &Shared) -> Option<(Role, String)> {
        let n = shared.unresolved();
        (n > 0).then(|| (Role::Failed, format!(" {}", format::count(n))))
    }

    fn split(&self, _shared: &Shared, body: Rect) -> (Rect, Rect) {
        layout::preview_below(body)
    }

    fn arrange(&mut self, shared: &Shared, parts: &Parts) {
        self.keep_on_the_list(shared);
        let (groups, rows) = (&self.groups(shared).to_vec(), parts.rows());
        let lines = self.lines(groups, rows);
        for (group, height) in groups.iter().zip(&lines) {
            if let Some(window) = self.unfolded.get_mut(&group_id(group)) {
                window.set_height(height.saturating_sub(TITLES));
            }
        }
        let line = self.line(groups, &lines);
        self.scroll.set_height(rows);
        self.scroll.fill(lines.iter().map(|n| n + 1).sum());
        self.scroll.follow(line);
    }

    fn draw(&self, shared: &Shared, pen: &mut Pen<'_>, parts: &Parts) -> Option<u64> {
        let t = shared.t();
        let area = parts.list;
        let groups = self.groups(shared);
        if groups.is_empty() {
            empty(pen, area, &ledger_groups::why_empty(t, self.filter.is_empty(), self.is_known(shared)));
            return None;
        }
        ledger_groups::titles(shared, pen, area);
        let area = parts.body();
        let lines = self.lines(groups, usize::from(area.height));
        let mut y = 0_usize;
        for (i, (group, entries)) in groups.iter().zip(&lines).enumerate() {
            if let Some(at) = y.checked_sub(self.scroll.top()).filter(|at| *at < usize::from(area.height)) {
                let here = i == self.index(groups) && self.entered().is_none();
                let line = Rect { y: area.y + at as u16, height: 1, ..area };
                let count = self.counted(group);
                ledger_groups::row(shared, pen, line, group, Line { count, here, unfolded: *entries > 0 });
            }
            let (from, to) = (y + 1, y + 1 + entries);
            self.draw_entries(shared, pen, area, group, (from, to));
            y = to;
        }
        match self.entered() {
            Some(window) => bill_rows::preview(shared, pen, parts.detail, window.current()),
            None => {
                if let Some(group) = self.group_here(groups) {
                    ledger_groups::preview(shared, pen, parts.detail, group, &self.counted(group));
                }
            }
        }
        None
    }

    fn position(&self, shared: &Shared) -> String {
        let groups = self.groups(shared);
        self.entered().map_or_else(|| list::place(self.index(groups), groups.len()), list::position)
    }

    fn step(&mut self, shared: &mut Shared, by: i64) {
        let groups = &self.groups(shared).to_vec();
        let before = self.at.clone();
        if let Some(window) = self.inside().filter(|window| window.holds(by)) {
            window.step(by);
        } else if by.unsigned_abs() <= NEAR {
            (0..by.unsigned_abs()).for_each(|_| self.walk(groups, by > 0));
        } else {
            self.at = groups.get(moved(self.index(groups), by, groups.len())).map(group_id);
        }
        if self.at != before {
            shared.selection.not_all();
        }
    }

    fn ends(&mut self, shared: &mut Shared, last: bool) {
        match self.inside() {
            Some(window) => window.go_to_end(last),
            None => self.step(shared, if last { FAR } else { -FAR }),
        }
    }

    fn go_to(&mut self, shared: &mut Shared, n: u64) {
        if let Some(window) = self.inside() {
            return window.go_to(n);
        }
        let (groups, at) = (self.groups(shared), usize::try_from(n.saturating_sub(1)).unwrap_or(usize::MAX));
        self.at = groups.get(at.min(groups.len().saturating_sub(1))).map(group_id);
    }

    fn click(&mut self, shared: &mut Shared, row: usize, parts: &Parts) -> Click {
        let groups = &self.groups(shared).to_vec();
        let lines = self.lines(groups, parts.rows());
        let Some((group, entry)) = ledger_groups::on_line(&lines, self.scroll.top() + row) else {
            return Click::Missed;
        };
        let Some(id) = groups.get(group).map(group_id) else { return Click::Missed };
        let same = self.group_here(groups).is_some_and(|here| group_id(here) == id);
        let (on_group, within) = (same && self.entered().is_none(), same && self.entered().is_some());
        // The titles of an unfolded group are no row of it.
        let row = match entry {
            None => None,
            Some(line) if line < TITLES => return Click::Missed,
            Some(line) => Some(line - TITLES),
        };
        if !same {
            shared.selection.not_all();
        }
        self.at = Some(id);
        let hit = row.map(|row| self.entries_mut().and_then(|window| window.click(row)));
        match hit {
            Some(None) => return Click::Missed,
            Some(Some(_)) => self.in_entries = true,
            None => self.in_entries = false,
        }
        Click::of(Some(hit.flatten().map_or(on_group, |stood| stood && within)))
    }

    fn lists(&self, _shared: &Shared) -> Option<ListScope> {
        Some(ListScope::Ledger)
    }

    fn filter(&self) -> Option<&Filter> {
        Some(&self.filter)
    }

    fn set_filter(&mut self, filter: Filter) {
        self.filter = filter;
        self.narrowed = Narrowed::default();
        self.unfolded.values_mut().for_each(Window::reset);
    }

    fn matched(&self, _shared: &Shared) -> Option<String> {
        self.narrowed.total().filter(|_| !self.filter.is_empty())
    }

    fn matching(&self) -> Option<Filter> {
        let unfolded = self.at.as_ref().filter(|_| self.entries().is_some());
        Some(unfolded.map_or_else(|| self.filter.clone(), |at| self.group_filter(at)))
    }

    fn bill_row(&self) -> Option<&BillRow> {
        self.entered().and_then(Window::current)
    }

    fn group(&self, shared: &Shared) -> Option<(Filter, String)> {
        let group = self.group_here(self.groups(shared)).filter(|_| self.entered().is_none())?;
        let label = words::group(&shared.setup.causes, shared.lang, group.slot, &group.group);
        Some((self.group_filter(&group_id(group)), fill(shared.t().group_of, &[&label])))
    }

    fn bills(&self) -> Box<dyn Iterator<Item = &BillRow> + '_> {
        Box::new(self.unfolded.values().flat_map(Window::rows))
    }

    fn possible(&self, shared: &Shared, action: Action) -> bool {
        match action {
            Action::Open => {
                let hollow = |window: &Window<BillRow>| self.in_entries && window.is_loaded() && window.is_empty();
                !self.groups(shared).is_empty() && !self.entries().is_some_and(hollow)
            }
            Action::Fold => !self.unfolded.is_empty(),
            _ => true,
        }
    }

    fn perform(&mut self, shared: &mut Shared, action: Action) -> Done {
        match action {
            Action::Open => return self.open(shared),
            Action::Fold => self.fold(shared),
            _ => return Done::NotMine,
        }
        Done::Here
    }

    fn show(&mut self, what: &Subject) {
        if let Subject::Group(slot, group) = what {
            // All bills of the cause are meant, whatever was looked for before.
            if !self.filter.is_empty() {
                self.set_filter(Filter::default());
            }
            let id = (slot.word().to_owned(), group.clone());
            self.unfolded.entry(id.clone()).or_default();
            (self.at, self.in_entries) = (Some(id), true);
        }
    }

    fn halt(&mut self) -> bool {
        self.unfolded.values_mut().any(Window::halt_if_busy)
    }

    fn fold_back(&mut self, shared: &mut Shared) -> bool {
        let unfolded = !self.unfolded.is_empty();
        if unfolded {
            self.fold(shared);
        }
        unfolded
    }

    fn question(&mut self, shared: &mut Shared, mut asking: Asking<'_>) -> Option<(Ticket, Query)> {
        if !self.filter.is_empty() && asking.shown {
            let filter = shared.asked(&self.filter);
            if let Some(asked) = self.narrowed.question(&filter, &mut asking) {
                return Some(asked);
            }
        }
        let asked = self.unfolded.iter_mut().find_map(|(id, window)| Some((id.clone(), asking.page(window)?)));
        let (id, (ticket, page)) = asked?;
        let filter = shared.asked(&self.group_filter(&id));
        Some((ticket, shared.nav.views.query(ListScope::Ledger, filter, page)))
    }

    fn is_asked(&self, ticket: Ticket) -> bool {
        self.narrowed.is_asked(ticket) || self.unfolded.values().any(|window| window.is_asked(ticket))
    }

    fn answer(&mut self, shared: &mut Shared, ticket: Ticket, answer: Result<Answer, String>) {
        if self.narrowed.is_asked(ticket) {
            let row = self.index(self.groups(shared));
            if let Err(error) = self.narrowed.answer(answer) {
                shared.note(true, error);
            }
            let ids: Vec<GroupId> = self.groups(shared).iter().map(group_id).collect();
            return self.keep_place(row, &ids);
        }
        if let Some(window) = self.unfolded.values_mut().find(|window| window.is_asked(ticket)) {
            window.answer_bills(ticket, answer);
        }
    }

    fn groups_changed(&mut self, shared: &Shared, was: &[LedgerGroup]) {
        if self.filter.is_empty() {
            let ids: Vec<GroupId> = shared.groups.rows().iter().map(group_id).collect();
            self.keep_place(self.index(was), &ids);
        }
    }

    fn fact(&mut self, _shared: &Shared, _fact: &Fact, change: &Change<'_>) {
        if changes_ledger(change) {
            self.spoil();
        }
    }

    fn spoil(&mut self) {
        self.narrowed.spoil();
        self.unfolded.values_mut().for_each(Window::spoil);
    }

    fn waits(&self, _shared: &Shared, shown: bool) -> bool {
        let counts = !self.filter.is_empty() && self.narrowed.waits();
        shown && (counts || self.unfolded.values().any(Window::waits))
    }

    fn ages(&self, shared: &Shared) -> Option<Duration> {
        let ages = self.groups(shared).iter().filter_map(|group| group.oldest).map(|at| shared.now.since(at));
        let groups = ages.map(|age| if age < MINUTE { SECOND } else { MINUTE });
        groups.chain(self.unfolded.values().filter_map(bill_rows::finest_age)).min()
    }
}
