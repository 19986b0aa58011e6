//! How the lines of History are drawn: days, runs, runs that found nothing.

use ratatui::layout::Rect;

use crate::ui::cells::{Cell, Pen};
use crate::ui::format::{self, fill};
use crate::ui::list::heading;
use crate::ui::run_words;
use crate::ui::shared::Shared;
use crate::ui::skin::Role;
use crate::ui::window::Window;
use crate::ui::words;
use skydeck_core::domain::bill::Slot;
use skydeck_core::domain::run::{Revision, RunHead, RunRow};
use skydeck_core::domain::run_list::{DayOfRuns, EmptyRuns, RunLine};
use skydeck_core::domain::time::Ts;

/// From this width on the list says who started a run.
const WIDE: u16 = 100;

/// Widths of state and kind, by the words of the language.
fn widths(shared: &Shared) -> (u16, u16) {
    if shared.lang == crate::ui::Lang::Zh { (10, 4) } else { (14, 6) }
}

fn who_width(area: Rect) -> u16 {
    if area.width >= WIDE { 18 } else { 0 }
}

fn time(shared: &Shared, at: Ts) -> String {
    format::local(at, shared.setup.zone, "%H:%M")
}

/// What draws them.
pub(super) struct Draws<'a, 'p> {
    pub shared: &'a Shared,
    pub pen: &'a mut Pen<'p>,
}

impl Draws<'_, '_> {
    /// The titles of the columns.
    pub(super) fn titles(&mut self, area: Rect) {
        let t = self.shared.t();
        let cell = |w, text| Cell::new(w, Role::Dim, text);
        let (state, kind) = widths(self.shared);
        let mut titles = vec![
            cell(5, t.col_day),
            Cell::new(5, Role::Dim, format_zone(self.shared)),
            cell(state, t.col_state),
            cell(1, ""),
            cell(kind, t.col_kind),
            cell(0, t.col_plan),
            cell(7, t.found).right(),
            cell(6, t.failed_short).right(),
            cell(6, t.unknown_short).right(),
            cell(6, t.col_took).right(),
        ];
        let who = who_width(area);
        if who > 0 {
            titles.push(cell(who, t.col_by));
        }
        self.pen.row(area, area.y, false, &titles);
    }

    /// The lines on the screen.
    pub(super) fn rows(&mut self, body: Rect, lines: &Window<RunLine>) {
        for (i, (here, line)) in lines.visible().enumerate().take(usize::from(body.height)) {
            let y = body.y + i as u16;
            // Where the line of its day is above the screen, the first run says which day it is.
            let date =
                if i == 0 { format::local(line.opened(), self.shared.setup.zone, "%m-%d") } else { String::new() };
            match line {
                RunLine::Day(day) => {
                    self.pen.pieces(body.x + 1, y, body.width.saturating_sub(2), &day_pieces(self.shared, day));
                }
                RunLine::Run { row, fold } => {
                    self.run_row(Rect { y, height: 1, ..body }, row, (here, fold.is_some(), date))
                }
                RunLine::Nothing(empty) => {
                    let said = format!("{} {}", self.pen.glyphs.folded, nothing_found(self.shared, empty));
                    let cells = [
                        Cell::new(5, Role::Title, date),
                        Cell::new(5, Role::Dim, time(self.shared, empty.newest.head.opened)).key(),
                        Cell::new(0, Role::Dim, said),
                    ];
                    self.pen.row(Rect { y, height: 1, ..body }, y, here, &cells);
                }
            }
        }
    }

    /// A run. `here`: the cursor stands there; then whether it was folded, and the date to be said.
    fn run_row(&mut self, line: Rect, row: &RunRow, (here, unfolded, date): (bool, bool, String)) {
        let (glyph, word, role, _) = run_words::run_state(self.shared, &row.state, &row.tally);
        let (state, kind) = widths(self.shared);
        let number = |n: u64, r| {
            let text = if n == 0 { String::new() } else { format::count(n) };
            Cell::new(6, r, text).right()
        };
        let took = row.closed.map(|c| format::age(c.since(row.head.opened))).unwrap_or_default();
        let date = if date.is_empty() && unfolded { format!("  {}", self.pen.glyphs.dot) } else { date };
        let mut cells = vec![
            Cell::new(5, Role::Title, date),
            Cell::new(5, Role::Dim, time(self.shared, row.head.opened)).key(),
            Cell::new(state, role, format!("{glyph} {word}")),
            Cell::new(1, Role::Accent, sign(&row.head)),
            Cell::new(kind, Role::Dim, run_words::kind_of(self.shared.lang, &row.head)),
            Cell::new(0, Role::Text, words::plan_name(self.shared, &row.head.plan, &row.head.name)).named(),
            Cell::new(7, Role::Text, format::count(row.tally.found)).right(),
            number(row.tally.failed, Role::Failed),
            number(row.tally.unknown, Role::Unknown),
            Cell::new(6, Role::Dim, took).right(),
        ];
        let who = who_width(line);
        if who > 0 {
            cells.push(Cell::new(who, Role::Dim, words::who(self.shared, &row.head.by)));
        }
        self.pen.row(line, line.y, here, &cells);
    }

    /// What there is to know about the line under the cursor.
    pub(super) fn preview(&mut self, area: Rect, line: &RunLine) {
        if area.height < 2 {
            return;
        }
        match line {
            RunLine::Run { row, .. } => self.preview_run(area, row, ""),
            RunLine::Nothing(empty) => self.preview_run(area, &empty.newest, self.shared.t().runs_empty_newest),
            RunLine::Day(_) => {}
        }
    }

    /// What there is to know about the run under the cursor.
    fn preview_run(&mut self, area: Rect, row: &RunRow, note: &str) {
        let t = self.shared.t();
        heading(self.pen, area, &words::plan_name(self.shared, &row.head.plan, &row.head.name));
        let (x, w) = (area.x + 1, area.width.saturating_sub(2));
        // What calls for nobody is plain here: every colour that changes from run to run is sent with every move.
        let mut sum = run_words::sum_of(self.shared, row, w);
        for (role, _) in &mut sum {
            if matches!(role, Role::Ok | Role::Already | Role::Skipped) {
                *role = Role::Text;
            }
        }
        self.pen.pieces(x, area.y + 1, w, &sum);
        let operation = if row.head.op.is_audit() { String::new() } else { words::operation(&row.head.op) };
        let mut more = vec![
            (t.operation, operation),
            (t.range_of, run_words::range(self.shared.lang, &row.head)),
            (t.carried_over, run_words::carried_over(self.shared.lang, row).unwrap_or_default()),
            (
                "",
                row.collected
                    .as_ref()
                    .and_then(|c| run_words::probes(&self.shared.setup.causes, self.shared.lang, c))
                    .unwrap_or_default(),
            ),
            (t.environment, words::shown(row.head.env.as_str())),
            (t.revision, revision_of(self.shared, row)),
            (t.run, row.head.id.to_string()),
            (t.filter_label, words::shown(&row.head.filter)),
        ];
        if area.width < WIDE {
            more.insert(0, (t.col_by, words::who(self.shared, &row.head.by)));
        }
        if !note.is_empty() {
            more.insert(0, ("", note.to_owned()));
        }
        if let Some(reason) =
            Some(run_words::run_state(self.shared, &row.state, &row.tally).3).filter(|s| !s.is_empty())
        {
            more.insert(0, (t.col_reason, reason));
        }
        let text: Vec<String> = more
            .into_iter()
            .filter(|(_, v)| !v.is_empty())
            .map(|(l, v)| format!("{l} {v}").trim_start().to_owned())
            .collect();
        let lines = usize::from(area.height.saturating_sub(2));
        for (i, line) in self.pen.glyphs.flow(&text, usize::from(w), lines).iter().enumerate() {
            self.pen.text(x, area.y + 2 + i as u16, w, Role::Dim, line);
        }
    }
}

/// A day, and what its runs came to.
fn day_pieces(shared: &Shared, day: &DayOfRuns) -> Vec<(Role, String)> {
    let t = shared.t();
    let more = if day.more { "+" } else { "" };
    let mut pieces = vec![(Role::Title, format::local(day.begins, shared.setup.zone, "%Y-%m-%d"))];
    let mut put = |role, name: &str, n: u64| {
        pieces.push((Role::Dim, format!("  {name} ")));
        pieces.push((if n == 0 { Role::Dim } else { role }, format!("{}{more}", format::count(n))));
    };
    put(Role::Text, t.col_runs, day.runs);
    for slot in [Slot::Done, Slot::Failed, Slot::Unknown] {
        put(words::role(slot), words::general(shared.lang, slot), day.sum.get(slot));
    }
    pieces
}

/// Runs of a plan that found nothing, in a sentence.
fn nothing_found(shared: &Shared, empty: &EmptyRuns) -> String {
    let plan = words::plan_name(shared, &empty.newest.head.plan, &empty.newest.head.name);
    let more = if empty.more { "+" } else { "" };
    let n = format!("{}{more}", format::count(empty.runs));
    fill(shared.t().runs_empty, &[&n, &plan, &time(shared, empty.since), &time(shared, empty.newest.head.opened)])
}

/// The sign of a run that the clock started, or that was limited by whoever started it; the help says what they mean.
fn sign(head: &RunHead) -> &'static str {
    match (&head.range, head.by.is_schedule()) {
        (Some(_), _) => "[",
        (None, true) => "@",
        (None, false) => "",
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
