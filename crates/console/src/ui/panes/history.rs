//! History: runs by day, those of a plan that found nothing in one line; with a filter that asks about bills, bills over all runs.
//!
//! Invariant: pages of lines are all that is read; what a line sums up is counted where the runs are.

use std::time::Duration;

use ratatui::layout::Rect;

use crate::ui::bill_rows::{self, Heads, Rows};
use crate::ui::cells::Pen;
use crate::ui::keymap::{Action, Scope};
use crate::ui::layout::{self, Parts};
use crate::ui::list::{List, nothing};
use crate::ui::msg::Ticket;
use crate::ui::obstacle::Obstacle;
use crate::ui::shared::Shared;
use crate::ui::window::{LineId, Seek, Window};
use skydeck_core::domain::event::Fact;
use skydeck_core::domain::filter::Filter;
use skydeck_core::domain::ids::RunId;
use skydeck_core::domain::query::{Answer, Query, Scope as ListScope};
use skydeck_core::domain::run::{BillRow, RunRow, RunState};
use skydeck_core::domain::run_list::{Folding, MOST_OPEN, RunLine, RunsAsked};
use skydeck_core::domain::time::Ts;
use skydeck_core::domain::transition::Change;

use super::history_rows::Draws;
use super::pane::{Asking, Click, Done, Goto, Pane, Subject, numbers, open_bill};

/// The pane: runs, or with a filter about bills those that it finds. Both lists keep their place.
#[derive(Default)]
pub(super) struct History {
    runs: Window<RunLine>,
    /// Lines of empty runs that are opened, by the oldest run of each.
    open: Vec<RunId>,
    /// The cursor was moved up last: a day's line is passed over that way.
    upwards: bool,
    /// The date that is looked for: the first run at or before it.
    goal: Option<Ts>,
    found: Window<BillRow>,
    filter: Filter,
}

impl History {
    /// Bills are listed, not runs.
    fn searches(&self) -> bool {
        !self.filter.asks_runs()
    }

    /// Goes on towards the date that is looked for, page by page.
    fn seek(&mut self, shared: &mut Shared) {
        let Some(until) = self.goal else { return };
        match self.runs.seek(|line| line.opened() <= until) {
            Seek::Waiting => return,
            Seek::Found => {}
            Seek::End => {
                let text = shared.t().jump_oldest;
                shared.note(false, text);
            }
        }
        self.goal = None;
        shared.touch();
    }

    /// The cursor does not stay on the line of a day: there is nothing to be done with it.
    fn pass_over_days(&mut self) {
        let on_day = |runs: &Window<RunLine>| matches!(runs.current(), Some(RunLine::Day(_)));
        if self.goal.is_some() || !on_day(&self.runs) {
            return;
        }
        self.runs.step(if self.upwards { -1 } else { 1 });
        if on_day(&self.runs) {
            self.runs.step(1);
        }
    }

    /// The line that was opened to show the run under the cursor.
    fn opened_here(&self) -> Option<RunId> {
        match self.runs.current() {
            Some(RunLine::Run { fold, .. }) if !self.searches() => *fold,
            Some(RunLine::Run { .. } | RunLine::Nothing(_) | RunLine::Day(_)) | None => None,
        }
    }

    /// Shows the runs of a line one by one.
    fn unfold(&mut self, oldest: RunId) {
        if self.open.len() >= MOST_OPEN {
            self.open.remove(0);
        }
        self.open.push(oldest);
        self.runs.spoil();
    }

    /// Makes one line of them again; the cursor goes to it.
    fn fold(&mut self) {
        let Some(oldest) = self.opened_here() else { return };
        self.open.retain(|open| *open != oldest);
        let of_it = |line: &RunLine| matches!(line, RunLine::Run { fold: Some(fold), .. } if *fold == oldest);
        self.runs.regroup(of_it, LineId::Nothing(oldest));
    }

    /// Draws the bills that a filter finds over all runs.
    fn draw_found(&self, shared: &Shared, pen: &mut Pen<'_>, parts: &Parts) -> Option<u64> {
        let (t, body) = (shared.t(), parts.body());
        let state = bill_rows::state_width(shared, &self.found);
        let heads = &Heads::of(shared, &self.found, parts.list.width, state);
        bill_rows::titles(shared, pen, parts.list, heads);
        if nothing(shared, pen, body, &self.found, &[t.filter_empty, t.filter_empty_2]) {
            return None;
        }
        let shown = Rows { focus: true, all: shared.selection.is_all(), skip: 0, heads };
        bill_rows::rows(shared, pen, body, &self.found, shown);
        bill_rows::preview(shared, pen, parts.detail, self.found.current());
        Some(self.found.first())
    }

    /// Draws the runs.
    fn draw_runs(&self, shared: &Shared, pen: &mut Pen<'_>, parts: &Parts) -> Option<u64> {
        let t = shared.t();
        Draws { shared, pen }.titles(parts.list);
        let none = if self.filter.is_empty() {
            [t.history_none, t.history_none_2]
        } else {
            [t.history_no_match, t.filter_empty_2]
        };
        if nothing(shared, pen, parts.body(), &self.runs, &none) {
            return None;
        }
        let mut draws = Draws { shared, pen };
        draws.rows(parts.body(), &self.runs);
        if let Some(line) = self.runs.current() {
            draws.preview(parts.detail, line);
        }
        Some(self.runs.first())
    }
}

impl Pane for History {
    fn scope(&self) -> Scope {
        Scope::History
    }

    fn shown_by(&self) -> Action {
        Action::History
    }

    fn list(&self) -> Option<&dyn List> {
        Some(if self.searches() { &self.found } else { &self.runs })
    }

    fn list_mut(&mut self) -> Option<&mut dyn List> {
        Some(if self.searches() { &mut self.found } else { &mut self.runs })
    }

    fn split(&self, _shared: &Shared, body: Rect) -> (Rect, Rect) {
        layout::preview_below(body)
    }

    fn arrange(&mut self, _shared: &Shared, parts: &Parts) {
        self.pass_over_days();
        self.runs.set_height(parts.rows());
        self.found.set_height(parts.rows());
    }

    fn draw(&self, shared: &Shared, pen: &mut Pen<'_>, parts: &Parts) -> Option<u64> {
        if self.searches() { self.draw_found(shared, pen, parts) } else { self.draw_runs(shared, pen, parts) }
    }

    fn step(&mut self, _shared: &mut Shared, by: i64) {
        self.upwards = by < 0;
        if let Some(list) = self.list_mut() {
            list.step(by);
        }
    }

    fn click(&mut self, _shared: &mut Shared, row: usize, _parts: &Parts) -> Click {
        let is_day = |line: Option<(bool, &RunLine)>| matches!(line, Some((_, RunLine::Day(_))));
        if !self.searches() && is_day(self.runs.visible().nth(row)) {
            return Click::Missed;
        }
        Click::of(self.list_mut().and_then(|list| list.click(row)))
    }

    fn lists(&self, _shared: &Shared) -> Option<ListScope> {
        Some(ListScope::History)
    }

    fn filter(&self) -> Option<&Filter> {
        Some(&self.filter)
    }

    fn set_filter(&mut self, filter: Filter) {
        self.filter = filter;
        self.runs.reset();
        self.found.reset();
    }

    fn bill_row(&self) -> Option<&BillRow> {
        self.found.current().filter(|_| self.searches())
    }

    fn run(&self) -> Option<&RunRow> {
        match self.runs.current().filter(|_| !self.searches())? {
            RunLine::Run { row, .. } => Some(row),
            RunLine::Nothing(_) | RunLine::Day(_) => None,
        }
    }

    fn copy(&self, shared: &Shared) -> Option<String> {
        if self.searches() {
            return numbers(shared, self.bill(shared));
        }
        self.run().map(|row| row.head.id.to_string())
    }

    fn bills(&self) -> Box<dyn Iterator<Item = &BillRow> + '_> {
        Box::new(self.found.rows())
    }

    fn runs(&self) -> Box<dyn Iterator<Item = &RunRow> + '_> {
        Box::new(self.runs.rows().filter_map(|line| match line {
            RunLine::Run { row, .. } => Some(&**row),
            RunLine::Nothing(empty) => Some(&empty.newest),
            RunLine::Day(_) => None,
        }))
    }

    fn possible(&self, _shared: &Shared, action: Action) -> bool {
        match action {
            Action::Open if self.searches() => self.found.current().is_some(),
            Action::Open => self.runs.current().is_some(),
            Action::Compare => self.run().is_some(),
            Action::JumpDate => !self.searches() && !self.runs.is_empty(),
            Action::Fold => self.opened_here().is_some(),
            _ => true,
        }
    }

    fn obstacle(&self, _shared: &Shared, action: Action) -> Obstacle {
        match action {
            Action::Compare | Action::JumpDate if self.searches() || !self.runs.is_empty() => Obstacle::NoRunHere,
            Action::Fold => Obstacle::NothingUnfolded,
            _ => Obstacle::NothingHere,
        }
    }

    fn perform(&mut self, shared: &mut Shared, action: Action) -> Done {
        match action {
            Action::Open if self.searches() => open_bill(self.bill(shared)),
            Action::Open => match self.runs.current() {
                Some(RunLine::Nothing(empty)) => {
                    let oldest = empty.oldest;
                    self.unfold(oldest);
                    Done::Here
                }
                Some(RunLine::Run { row, .. }) => {
                    Done::Go(Goto { pane: Scope::Results, what: Subject::Run(row.clone()) })
                }
                Some(RunLine::Day(_)) | None => Done::Here,
            },
            Action::Fold => {
                self.fold();
                Done::Here
            }
            _ => Done::NotMine,
        }
    }

    fn halt(&mut self) -> bool {
        self.goal.take().is_some() || self.list_mut().is_some_and(List::halt_if_busy)
    }

    fn show(&mut self, what: &Subject) {
        if let Subject::Date(until) = what {
            self.goal = Some(*until);
        }
    }

    fn question(&mut self, shared: &mut Shared, mut asking: Asking<'_>) -> Option<(Ticket, Query)> {
        if asking.shown {
            self.seek(shared);
        }
        if !self.searches() {
            let (ticket, page) = asking.page(&mut self.runs)?;
            let folded = Folding { zone: shared.setup.zone, open: self.open.clone() };
            let asked = RunsAsked { filter: shared.asked(&self.filter), folded: Some(folded) };
            return Some((ticket, Query::RunLines { asked, page }));
        }
        let (ticket, page) = asking.page(&mut self.found)?;
        Some((ticket, shared.nav.views.query(ListScope::History, shared.asked(&self.filter), page)))
    }

    fn is_asked(&self, ticket: Ticket) -> bool {
        self.runs.is_asked(ticket) || self.found.is_asked(ticket)
    }

    fn answer(&mut self, _shared: &mut Shared, ticket: Ticket, answer: Result<Answer, String>) {
        if self.found.is_asked(ticket) {
            return self.found.answer_bills(ticket, answer);
        }
        let page = match answer {
            Ok(Answer::RunLines(page)) => Ok(page),
            Ok(_) => return,
            Err(error) => Err(error),
        };
        self.runs.answer(ticket, page);
    }

    fn fact(&mut self, _shared: &Shared, _fact: &Fact, change: &Change<'_>) {
        if matches!(change, Change::Opened(_) | Change::Run { to: RunState::Closed(_), .. }) {
            self.runs.spoil();
        }
    }

    fn spoil(&mut self) {
        self.runs.spoil();
        self.found.spoil();
    }

    fn ages(&self, _shared: &Shared) -> Option<Duration> {
        bill_rows::finest_age(&self.found).filter(|_| self.searches())
    }
}
