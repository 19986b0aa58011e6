//! Plans: state, trend, unresolved bills, next run, hazards; and more of the plan under the cursor.

use ratatui::layout::Rect;

use crate::ui::cells::{Cell, Pen};
use crate::ui::format;
use crate::ui::keymap::{Action, Scope};
use crate::ui::layout::{self, Parts};
use crate::ui::list::{self, empty};
use crate::ui::obstacle::Obstacle;
use crate::ui::run_words;
use crate::ui::scroll::{Scroll, moved};
use crate::ui::shared::outbox::Sent;
use crate::ui::shared::{Shared, plan_id};
use crate::ui::skin::Role;
use crate::ui::words;
use skydeck_core::domain::command::{Command, StartParams};
use skydeck_core::domain::ids::RunId;
use skydeck_core::domain::query::PlanRow;

use super::pane::{Click, Done, Goto, Pane, Subject, run_obstacle};
use super::plan_detail;

/// The pane. The plan under its cursor is shared: it says what is started and which run is in view.
#[derive(Default)]
pub(super) struct Plans {
    scroll: Scroll,
}

impl Pane for Plans {
    fn scope(&self) -> Scope {
        Scope::Plans
    }

    fn shown_by(&self) -> Action {
        Action::Plans
    }

    fn split(&self, shared: &Shared, body: Rect) -> (Rect, Rect) {
        if body.width >= layout::WIDE {
            return layout::beside(body, body.width * 11 / 20);
        }
        let need = (shared.plans.rows().len() as u16).saturating_add(2).max(4);
        layout::below(body, body.height.saturating_sub(need).max(6))
    }

    fn arrange(&mut self, shared: &Shared, parts: &Parts) {
        self.scroll.set_height(parts.rows());
        self.scroll.follow(shared.plan_index());
    }

    fn position(&self, shared: &Shared) -> String {
        list::place(shared.plan_index(), shared.plans.rows().len())
    }

    fn step(&mut self, shared: &mut Shared, by: i64) {
        let plans = shared.plans.rows();
        let to = plans.get(moved(shared.plan_index(), by, plans.len()));
        if let Some(id) = to.map(|row| plan_id(row).clone()) {
            shared.plan = Some(id);
        }
    }

    fn go_to(&mut self, shared: &mut Shared, n: u64) {
        let by = n as i64 - 1 - shared.plan_index() as i64;
        self.step(shared, by);
    }

    fn click(&mut self, shared: &mut Shared, row: usize, _parts: &Parts) -> Click {
        let (to, was) = (self.scroll.top() + row, shared.plan_index());
        let Some(row) = shared.plans.rows().get(to) else { return Click::Missed };
        shared.plan = Some(plan_id(row).clone());
        Click::of(Some(to == was))
    }

    fn is_about_plan(&self) -> bool {
        true
    }

    fn copy(&self, shared: &Shared) -> Option<String> {
        shared.plan.as_ref().map(|plan| plan.as_str().to_owned())
    }

    fn possible(&self, shared: &Shared, action: Action) -> bool {
        match action {
            Action::Run | Action::RunWith => {
                shared.plan_row().is_some_and(|row| row.plan.is_ok())
                    && shared.plan.as_ref().is_some_and(|plan| shared.present.live().open_run_of(plan).is_none())
            }
            Action::Open => shared.run.is_some(),
            Action::Fold => false,
            _ => true,
        }
    }

    fn obstacle(&self, shared: &Shared, action: Action) -> Obstacle {
        match action {
            Action::Open if shared.plans.rows().is_empty() => Obstacle::NoPlan,
            Action::Open => Obstacle::PlanNeverRan,
            Action::Fold => Obstacle::NothingUnfolded,
            _ => run_obstacle(shared),
        }
    }

    fn perform(&mut self, shared: &mut Shared, action: Action) -> Done {
        match action {
            Action::Run => shared.plan.clone().map_or(Done::Here, |plan| {
                Done::Order(Command::Start { plan, params: StartParams::default() }, Sent::Opens)
            }),
            Action::Open => {
                let busy = shared.run_live().is_some_and(|run| !run.row.state.is_closed());
                let pane = if busy { Scope::Queue } else { Scope::Results };
                Done::Go(Goto { pane, what: Subject::AsItIs })
            }
            Action::Fold => Done::Here,
            _ => Done::NotMine,
        }
    }

    /// That of the plan under the cursor: the open one, else the last; where it never ran, the newest that is open.
    fn run_followed(&self, shared: &Shared) -> Option<RunId> {
        let Some(row) = shared.plan_row() else { return shared.run };
        let (id, live) = (plan_id(row), shared.present.live());
        let open = live.open_run_of(id).map(|run| run.row.head.id);
        let last = || live.runs.values().rev().find(|run| run.row.head.plan == *id).map(|run| run.row.head.id);
        let newest = || live.open().next().map(|run| run.row.head.id);
        open.or_else(|| last().max(row.last.first().map(|row| row.head.id))).or_else(newest)
    }

    fn draw(&self, shared: &Shared, pen: &mut Pen<'_>, parts: &Parts) -> Option<u64> {
        let t = shared.t();
        let area = parts.list;
        let (state, trend) = (if shared.lang == crate::ui::Lang::Zh { 10 } else { 14 }, 12);
        let cell = |w, text| Cell::new(w, Role::Dim, text);
        let wide = area.width >= 90;
        let mut titles = vec![cell(state, t.col_state), cell(0, t.col_plan), cell(trend, t.col_trend)];
        let unresolved = (pen.glyphs.width(t.col_open) as u16).max(6);
        titles.push(cell(unresolved, t.col_open).right());
        titles.push(cell(2, ""));
        if wide || area.width >= 70 {
            titles.push(cell(11, t.col_next));
        }
        pen.row(area, area.y, false, &titles);
        if shared.plans.rows().is_empty() {
            let lines: &[&str] = if shared.plans.is_loaded() { &[t.plans_none, t.plans_none_2] } else { &[t.reading] };
            empty(pen, area, lines);
            return None;
        }
        let at = shared.plan_index();
        let top = self.scroll.top();
        for (i, row) in shared.plans.rows().iter().enumerate().skip(top).take(parts.rows()) {
            let y = area.y + 1 + (i - top) as u16;
            let (glyph, word, role) = state_of(shared, row);
            let name = match &row.plan {
                Ok(plan) => words::plan_name(shared, &plan.id, &plan.name),
                Err(problem) => words::shown(problem.id.as_str()),
            };
            let open = if row.unresolved > 0 { format::count(row.unresolved) } else { String::new() };
            // Certain first, then what is only likely.
            let likely = row.forecast.as_ref().is_some_and(|said| !said.found.is_empty());
            let hazard = if row.hazards > 0 { pen.glyphs.hazard } else { "" };
            let mark_role = if row.hazards > 0 { Role::Warning } else { Role::Dim };
            let marks = format!("{hazard}{}", if likely { "?" } else { "" });
            let mut cells = vec![
                Cell::new(state, role, format!("{glyph} {word}")),
                Cell::new(0, Role::Text, name).key().named(),
                Cell::new(trend, Role::Text, ""),
                Cell::new(unresolved, Role::Failed, open).right(),
                Cell::new(2, mark_role, marks),
            ];
            if wide || area.width >= 70 {
                let next = row.next.map(|at| format::when(at, shared.now, shared.setup.zone)).unwrap_or_default();
                cells.push(Cell::new(11, Role::Dim, next));
            }
            pen.row(area, y, i == at, &cells);
            // The trend is painted run by run, oldest first, each in its own role.
            let tail: u16 = cells.iter().skip(3).map(|c| c.width + 1).sum();
            let mut x = area.right().saturating_sub(tail + trend + 1) + (trend - row.last.len().min(12) as u16);
            for run in row.last.iter().take(12).rev() {
                let (sign, _, role, _) = run_words::run_state(shared, &run.state, &run.tally);
                x += pen.text(x, y, 1, role, sign);
            }
        }
        if let Some(row) = shared.plans.rows().get(at) {
            plan_detail::draw(shared, pen, parts.detail, row, parts.detail.x > 0);
        }
        None
    }
}

/// State of a plan: its open run's, else its last run's, else never run; or a file that cannot be used.
fn state_of(shared: &Shared, row: &PlanRow) -> (&'static str, &'static str, Role) {
    let t = shared.t();
    let Ok(plan) = &row.plan else { return ("!", t.plan_broken, Role::Error) };
    if let Some(run) = shared.present.live().open_run_of(&plan.id) {
        let (glyph, word, role, _) = run_words::run_state(shared, &run.row.state, &run.row.tally);
        return (glyph, word, role);
    }
    let last =
        shared.present.live().runs.values().rev().map(|r| &r.row).find(|r| r.head.plan == plan.id).or(row.last.first());
    match last {
        Some(run) => {
            let (glyph, word, role, _) = run_words::run_state(shared, &run.state, &run.tally);
            (glyph, word, role)
        }
        None => (if shared.setup.glyphs.ascii { "." } else { "·" }, t.plan_never, Role::Dim),
    }
}
