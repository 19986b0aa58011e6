//! History: runs by day; with a filter, bills over all runs.

use std::time::Duration;

use ratatui::layout::Rect;

use crate::ui::bill_rows::{self, Heads, Rows};
use crate::ui::cells::{Cell, Pen};
use crate::ui::format;
use crate::ui::keymap::{Action, Scope};
use crate::ui::layout::{self, Parts};
use crate::ui::list::{List, heading, nothing};
use crate::ui::msg::Ticket;
use crate::ui::run_words;
use crate::ui::shared::Shared;
use crate::ui::skin::Role;
use crate::ui::window::{Seek, Window};
use crate::ui::words;
use skydeck_core::domain::event::Fact;
use skydeck_core::domain::filter::Filter;
use skydeck_core::domain::query::{Answer, Query, Scope as ListScope};
use skydeck_core::domain::run::{BillRow, Revision, RunRow, RunState};
use skydeck_core::domain::time::Ts;
use skydeck_core::domain::transition::Change;

use super::pane::{Asking, Done, Goto, Pane, Subject, numbers, open_bill};

/// The pane: runs, or with a filter the bills that it finds. Both lists keep their place.
#[derive(Default)]
pub(super) struct History {
    runs: Window<RunRow>,
    /// The date that is looked for: the first run at or before it.
    goal: Option<Ts>,
    found: Window<BillRow>,
    filter: Filter,
}

impl History {
    /// Bills are listed, not runs.
    fn searches(&self) -> bool {
        !self.filter.is_empty()
    }

    /// Goes on towards the date that is looked for, page by page.
    fn seek(&mut self, shared: &mut Shared) {
        let Some(until) = self.goal else { return };
        match self.runs.seek(|run| run.head.opened <= until) {
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
        let (t, area, body) = (shared.t(), parts.list, parts.body());
        let cell = |w, text| Cell::new(w, Role::Dim, text);
        let zh = shared.lang == crate::ui::Lang::Zh;
        let (state, kind) = if zh { (10, 4) } else { (14, 6) };
        let who = if area.width >= 100 { 18 } else { 0 };
        let mut titles = vec![
            cell(5, t.col_day),
            Cell::new(5, Role::Dim, format_zone(shared)),
            cell(state, t.col_state),
            cell(kind, t.col_kind),
            cell(0, t.col_plan),
            cell(7, t.found).right(),
            cell(6, t.failed_short).right(),
            cell(6, t.unknown_short).right(),
            cell(6, t.col_took).right(),
        ];
        if who > 0 {
            titles.push(cell(who, t.col_by));
        }
        pen.row(area, area.y, false, &titles);
        if nothing(shared, pen, body, &self.runs, &[t.history_none, t.history_none_2]) {
            return None;
        }
        let day = |at: Ts| at.0.saturating_add(i64::from(shared.setup.zone) * 60_000).div_euclid(86_400_000);
        let mut before = self.runs.above().map(|r| day(r.head.opened));
        for (i, (here, row)) in self.runs.visible().enumerate().take(usize::from(body.height)) {
            let (glyph, word, role, _) = run_words::run_state(shared, &row.state, &row.tally);
            let today = day(row.head.opened);
            // The day stands where it changes, and in the first row of the screen.
            let show = i == 0 || before != Some(today);
            before = Some(today);
            let date = if show { format::local(row.head.opened, shared.setup.zone, "%m-%d") } else { String::new() };
            let number = |n: u64, r| {
                let text = if n == 0 { String::new() } else { format::count(n) };
                Cell::new(6, r, text).right()
            };
            let took = row.closed.map(|c| format::age(c.since(row.head.opened))).unwrap_or_default();
            let mut cells = vec![
                Cell::new(5, Role::Title, date),
                Cell::new(5, Role::Dim, format::local(row.head.opened, shared.setup.zone, "%H:%M")).key(),
                Cell::new(state, role, format!("{glyph} {word}")),
                Cell::new(kind, Role::Dim, run_words::kind_of(shared.lang, &row.head)),
                Cell::new(0, Role::Text, words::plan_name(shared, &row.head.plan, &row.head.name)),
                Cell::new(7, Role::Text, format::count(row.tally.found)).right(),
                number(row.tally.failed, Role::Failed),
                number(row.tally.unknown, Role::Unknown),
                Cell::new(6, Role::Dim, took).right(),
            ];
            if who > 0 {
                cells.push(Cell::new(who, Role::Dim, words::who(shared, &row.head.by)));
            }
            pen.row(body, body.y + i as u16, here, &cells);
        }
        if let Some(row) = self.runs.current() {
            preview(shared, pen, parts.detail, row);
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
        self.runs.set_height(parts.rows());
        self.found.set_height(parts.rows());
    }

    fn draw(&self, shared: &Shared, pen: &mut Pen<'_>, parts: &Parts) -> Option<u64> {
        if self.searches() { self.draw_found(shared, pen, parts) } else { self.draw_runs(shared, pen, parts) }
    }

    fn lists(&self, _shared: &Shared) -> Option<ListScope> {
        Some(ListScope::History)
    }

    fn filter(&self) -> Option<&Filter> {
        Some(&self.filter)
    }

    fn set_filter(&mut self, filter: Filter) {
        self.filter = filter;
        self.found.reset();
    }

    fn bill_row(&self) -> Option<&BillRow> {
        self.found.current().filter(|_| self.searches())
    }

    fn run(&self) -> Option<&RunRow> {
        self.runs.current().filter(|_| !self.searches())
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
        Box::new(self.runs.rows())
    }

    fn possible(&self, _shared: &Shared, action: Action) -> bool {
        match action {
            Action::Open if self.searches() => self.found.current().is_some(),
            Action::Open => self.runs.current().is_some(),
            Action::Compare | Action::JumpDate => self.run().is_some(),
            Action::Fold => false,
            _ => true,
        }
    }

    fn perform(&mut self, shared: &mut Shared, action: Action) -> Done {
        match action {
            Action::Open if self.searches() => open_bill(self.bill(shared)),
            Action::Open => self.run().map_or(Done::Here, |row| {
                Done::Go(Goto { pane: Scope::Results, what: Subject::Run(Box::new(row.clone())) })
            }),
            Action::Fold => Done::Here,
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
            return asking.page(&mut self.runs).map(|(ticket, page)| (ticket, Query::Runs(page)));
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
            Ok(Answer::Runs(page)) => Ok(page),
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

/// What there is to know about the run under the cursor.
fn preview(shared: &Shared, pen: &mut Pen<'_>, area: Rect, row: &RunRow) {
    if area.height < 2 {
        return;
    }
    let t = shared.t();
    heading(pen, area, &words::plan_name(shared, &row.head.plan, &row.head.name));
    let (x, w) = (area.x + 1, area.width.saturating_sub(2));
    // What calls for nobody is plain here: every colour that changes from run to run is sent with every move.
    let mut sum = run_words::sum_of(shared, row, w);
    for (role, _) in &mut sum {
        if matches!(role, Role::Ok | Role::Already | Role::Skipped) {
            *role = Role::Text;
        }
    }
    pen.pieces(x, area.y + 1, w, &sum);
    let operation = if row.head.op.is_audit() { String::new() } else { words::operation(&row.head.op) };
    let mut more = vec![
        (t.operation, operation),
        (t.range_of, run_words::range(shared.lang, &row.head)),
        (t.carried_over, run_words::carried_over(shared.lang, row).unwrap_or_default()),
        (
            "",
            row.collected
                .as_ref()
                .and_then(|c| run_words::probes(&shared.setup.causes, shared.lang, c))
                .unwrap_or_default(),
        ),
        (t.environment, words::shown(row.head.env.as_str())),
        (t.revision, revision_of(shared, row)),
        (t.run, row.head.id.to_string()),
        (t.filter_label, words::shown(&row.head.filter)),
    ];
    if let Some(reason) = Some(run_words::run_state(shared, &row.state, &row.tally).3).filter(|s| !s.is_empty()) {
        more.insert(0, (t.col_reason, reason));
    }
    let text: Vec<String> = more
        .into_iter()
        .filter(|(_, v)| !v.is_empty())
        .map(|(l, v)| format!("{l} {v}").trim_start().to_owned())
        .collect();
    let lines = usize::from(area.height.saturating_sub(2));
    for (i, line) in pen.glyphs.flow(&text, usize::from(w), lines).iter().enumerate() {
        pen.text(x, area.y + 2 + i as u16, w, Role::Dim, line);
    }
}

/// The run's revision; that it was not the plan's newest is said.
fn revision_of(shared: &Shared, row: &RunRow) -> String {
    let rev = row.head.rev.short();
    match row.head.revision {
        Revision::Newest => rev.to_owned(),
        Revision::Original => format!("{rev} ({})", run_words::revision(shared.lang, Revision::Original)),
    }
}

fn format_zone(shared: &Shared) -> String {
    // `+08` fits where the time stands.
    let minutes = shared.setup.zone;
    let sign = if minutes < 0 { '-' } else { '+' };
    format!(
        "{sign}{:02}{}",
        minutes.abs() / 60,
        if minutes % 60 == 0 { String::new() } else { format!("{:02}", minutes.abs() % 60) }
    )
}
