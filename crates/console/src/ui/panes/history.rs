//! History: runs by day; with a filter, bills over all runs.

use ratatui::layout::Rect;

use crate::ui::cells::{Cell, Pen};
use crate::ui::format;
use crate::ui::layout::Parts;
use crate::ui::model::Model;
use crate::ui::skin::Role;
use crate::ui::words;
use skydeck_core::domain::run::{Revision, RunRow};
use skydeck_core::domain::time::Ts;

use super::{bills, heading, nothing};

pub(crate) fn draw(model: &Model, pen: &mut Pen<'_>, parts: &Parts) -> Option<u64> {
    let t = model.t();
    let area = parts.list;
    let body = Rect { y: area.y + 1, height: area.height.saturating_sub(1), ..area };
    if !model.history_filter.is_empty() {
        let state = bills::state_width(model, &model.found);
        bills::titles(model, pen, area, state);
        if nothing(model, pen, body, &model.found, &[t.filter_empty, t.filter_empty_2]) {
            return None;
        }
        let shown = bills::Rows { focus: true, all: model.all_marked, skip: 0, state };
        bills::rows(model, pen, body, &model.found, shown);
        bills::preview(model, pen, parts.detail, model.found.current());
        return Some(model.found.first());
    }
    let cell = |w, text| Cell::new(w, Role::Dim, text);
    let zh = model.lang == crate::ui::Lang::Zh;
    let (state, kind) = if zh { (10, 4) } else { (14, 6) };
    let who = if area.width >= 100 { 18 } else { 0 };
    let mut titles = vec![
        cell(5, t.col_day),
        Cell::new(5, Role::Dim, format_zone(model)),
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
    if nothing(model, pen, body, &model.history, &[t.history_none, t.history_none_2]) {
        return None;
    }
    let day = |at: Ts| at.0.saturating_add(i64::from(model.zone) * 60_000).div_euclid(86_400_000);
    let mut before = model.history.above().map(|r| day(r.head.opened));
    for (i, (here, row)) in model.history.visible().enumerate().take(usize::from(body.height)) {
        let (glyph, word, role, _) = words::run_state(model, &row.state, &row.tally);
        let today = day(row.head.opened);
        // The day stands where it changes, and in the first row of the screen.
        let show = i == 0 || before != Some(today);
        before = Some(today);
        let date = if show { format::local(row.head.opened, model.zone, "%m-%d") } else { String::new() };
        let number = |n: u64, r| {
            let text = if n == 0 { String::new() } else { format::count(n) };
            Cell::new(6, r, text).right()
        };
        let took = row.closed.map(|c| format::age(c.since(row.head.opened))).unwrap_or_default();
        let mut cells = vec![
            Cell::new(5, Role::Title, date),
            Cell::new(5, Role::Dim, format::local(row.head.opened, model.zone, "%H:%M")).key(),
            Cell::new(state, role, format!("{glyph} {word}")),
            Cell::new(kind, Role::Dim, words::kind_of(model.lang, &row.head)),
            Cell::new(0, Role::Text, words::plan_name(model, &row.head.plan, &row.head.name)),
            Cell::new(7, Role::Text, format::count(row.tally.found)).right(),
            number(row.tally.failed, Role::Failed),
            number(row.tally.unknown, Role::Unknown),
            Cell::new(6, Role::Dim, took).right(),
        ];
        if who > 0 {
            cells.push(Cell::new(who, Role::Dim, words::shown(&row.head.by.to_string())));
        }
        pen.row(body, body.y + i as u16, here, &cells);
    }
    if let Some(row) = model.history.current().filter(|_| parts.detail.height >= 2) {
        let area = parts.detail;
        heading(pen, area, &words::plan_name(model, &row.head.plan, &row.head.name));
        let (x, w) = (area.x + 1, area.width.saturating_sub(2));
        // What calls for nobody is plain here: every colour that changes from run to run is sent with every move.
        let mut sum = words::sum_of(model, row, w);
        for (role, _) in &mut sum {
            if matches!(role, Role::Ok | Role::Already | Role::Skipped) {
                *role = Role::Text;
            }
        }
        pen.pieces(x, area.y + 1, w, &sum);
        let operation = if row.head.op.is_audit() { String::new() } else { words::operation(&row.head.op) };
        let mut more = vec![
            (t.operation, operation),
            (t.range_of, words::range(model.lang, &row.head)),
            (t.carried_over, words::carried_over(model.lang, row).unwrap_or_default()),
            ("", row.collected.as_ref().and_then(|c| words::probes(&model.causes, model.lang, c)).unwrap_or_default()),
            (t.environment, words::shown(row.head.env.as_str())),
            (t.revision, revision_of(model, row)),
            (t.run, row.head.id.to_string()),
            (t.filter_label, words::shown(&row.head.filter)),
        ];
        if let Some(reason) = Some(words::run_state(model, &row.state, &row.tally).3).filter(|s| !s.is_empty()) {
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
    Some(model.history.first())
}

/// The run's revision; that it was not the plan's newest is said.
fn revision_of(model: &Model, row: &RunRow) -> String {
    let rev = row.head.rev.short();
    match row.head.revision {
        Revision::Newest => rev.to_owned(),
        Revision::Original => format!("{rev} ({})", words::revision(model.lang, Revision::Original)),
    }
}

fn format_zone(model: &Model) -> String {
    // `+08` fits where the time stands.
    let minutes = model.zone;
    let sign = if minutes < 0 { '-' } else { '+' };
    format!(
        "{sign}{:02}{}",
        minutes.abs() / 60,
        if minutes % 60 == 0 { String::new() } else { format!("{:02}", minutes.abs() % 60) }
    )
}
