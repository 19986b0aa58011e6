//! Results: the bills of the run in view.

use std::time::Duration;

use ratatui::layout::Rect;

use crate::ui::bill_rows::{self, Heads, Rows};
use crate::ui::cells::Pen;
use crate::ui::format::{self, fill};
use crate::ui::keymap::{Action, Scope};
use crate::ui::layout::{self, Parts};
use crate::ui::list::{List, empty, nothing};
use crate::ui::msg::Ticket;
use crate::ui::shared::Shared;
use crate::ui::window::Window;
use crate::ui::words;
use skydeck_core::domain::bill::BillState;
use skydeck_core::domain::event::Fact;
use skydeck_core::domain::filter::Filter;
use skydeck_core::domain::ids::{Fid, RunId};
use skydeck_core::domain::query::{Answer, Query, Scope as ListScope};
use skydeck_core::domain::run::{BillRow, RunState};
use skydeck_core::domain::time::Ts;
use skydeck_core::domain::transition::{BillChange, Change};

use super::pane::{Asking, Pane};

/// The pane.
#[derive(Default)]
pub(super) struct Results {
    window: Window<BillRow>,
    filter: Filter,
}

impl Results {
    /// A bill of the run changed: its row changes in place.
    fn patch(&mut self, at: Ts, fid: &Fid, what: &BillChange<'_>) {
        let Some(state) = what.state(at) else { return };
        let Some(row) = self.window.rows_mut().find(|row| row.fid() == fid) else { return };
        change(row, state, at);
        if !self.filter.is_empty() {
            self.window.spoil();
        }
    }
}

fn change(row: &mut BillRow, state: BillState, at: Ts) {
    if let BillState::Trying { step, .. } = &state
        && step.writes()
    {
        row.attempts = row.attempts.saturating_add(1);
    }
    row.state = state;
    row.at = at;
}

impl Pane for Results {
    fn scope(&self) -> Scope {
        Scope::Results
    }

    fn shown_by(&self) -> Action {
        Action::Results
    }

    fn list(&self) -> Option<&dyn List> {
        Some(&self.window)
    }

    fn list_mut(&mut self) -> Option<&mut dyn List> {
        Some(&mut self.window)
    }

    fn split(&self, _shared: &Shared, body: Rect) -> (Rect, Rect) {
        layout::preview_below(body)
    }

    fn draw(&self, shared: &Shared, pen: &mut Pen<'_>, parts: &Parts) -> Option<u64> {
        let t = shared.t();
        if shared.run.is_none() {
            let opening = shared.connection.opening().is_some();
            let words: &[&str] = if opening { &[t.reading] } else { &[t.results_none, t.results_none_2] };
            empty(pen, parts.list, words);
            return None;
        }
        let row = shared.run_row();
        let state = row.map_or_else(
            || words::state_width(shared.lang, false, false),
            |row| words::state_width_of(shared.lang, row),
        );
        let heads = &Heads::of(shared, &self.window, parts.list.width, state);
        bill_rows::titles(shared, pen, parts.list, heads);
        let area = parts.body();
        let pruned = row.map_or(0, |row| row.pruned);
        let told = fill(t.results_pruned, &[&format::count(pruned)]);
        let lines: &[&str] = match (self.filter.is_empty(), pruned) {
            (true, 0) => &[t.results_empty],
            (true, _) => &[&told],
            (false, _) => &[t.filter_empty, t.filter_empty_2],
        };
        if nothing(shared, pen, area, &self.window, lines) {
            return None;
        }
        let shown = Rows { focus: true, all: shared.selection.is_all(), skip: 0, heads };
        bill_rows::rows(shared, pen, area, &self.window, shown);
        bill_rows::preview(shared, pen, parts.detail, self.window.current());
        Some(self.window.first())
    }

    fn lists(&self, shared: &Shared) -> Option<ListScope> {
        shared.run.map(ListScope::Run)
    }

    fn filter(&self) -> Option<&Filter> {
        Some(&self.filter)
    }

    fn set_filter(&mut self, filter: Filter) {
        self.filter = filter;
        self.window.reset();
    }

    fn bill_row(&self) -> Option<&BillRow> {
        self.window.current()
    }

    fn bills(&self) -> Box<dyn Iterator<Item = &BillRow> + '_> {
        Box::new(self.window.rows())
    }

    /// A plan that never ran shows none; the newest of the others is nearer than an empty page.
    fn run_on_arrival(&self, shared: &Shared, newest: Option<RunId>) -> Option<RunId> {
        shared.run.or(newest)
    }

    fn run_changed(&mut self) {
        self.window.reset();
    }

    fn question(&mut self, shared: &mut Shared, mut asking: Asking<'_>) -> Option<(Ticket, Query)> {
        let scope = shared.run.filter(|_| !shared.present.is_frozen()).map(ListScope::Run)?;
        let (ticket, page) = asking.page(&mut self.window)?;
        Some((ticket, shared.nav.views.query(scope, shared.asked(&self.filter), page)))
    }

    fn answer(&mut self, _shared: &mut Shared, ticket: Ticket, answer: Result<Answer, String>) {
        self.window.answer_bills(ticket, answer);
    }

    fn fact(&mut self, shared: &Shared, fact: &Fact, change: &Change<'_>) {
        match change {
            Change::Found { run, .. } | Change::Run { run, to: RunState::Closed(_), .. }
                if Some(*run) == shared.run =>
            {
                self.window.spoil();
            }
            Change::Bill { run, fid, change } if Some(*run) == shared.run && !shared.present.is_frozen() => {
                self.patch(fact.at, fid, change);
                if shared.nav.views.is_sorted(self.scope()) {
                    self.window.spoil();
                }
            }
            _ => {}
        }
    }

    fn thawed(&mut self) {
        self.window.spoil();
    }

    fn waits(&self, shared: &Shared, shown: bool) -> bool {
        shown && !shared.present.is_frozen() && self.window.waits()
    }

    fn ages(&self, _shared: &Shared) -> Option<Duration> {
        bill_rows::finest_age(&self.window)
    }
}
