//! Plans: state, last run's sum, trend, mark, next run, hazards; and all of it for the plan under the cursor.

use ratatui::layout::Rect;

use crate::ui::cells::{Cell, Pen};
use crate::ui::format::{self, fill};
use crate::ui::layout::Parts;
use crate::ui::model::Model;
use crate::ui::skin::Role;
use crate::ui::words;
use skydeck_core::domain::plan::Plan;
use skydeck_core::domain::query::PlanRow;
use skydeck_core::domain::run::Mark;
use skydeck_core::domain::run::RunRow;
use skydeck_core::domain::step::Verb;

use super::{empty, heading};

pub(crate) fn draw(model: &Model, pen: &mut Pen<'_>, parts: &Parts) -> Option<u64> {
    let t = model.t();
    let area = parts.list;
    let (state, trend) = (if model.lang == crate::ui::Lang::Zh { 10 } else { 14 }, 12);
    let cell = |w, text| Cell::new(w, Role::Dim, text);
    let wide = area.width >= 90;
    let mut titles = vec![cell(state, t.col_state), cell(0, t.col_plan), cell(trend, t.col_trend)];
    titles.push(cell(6, t.col_open).right());
    titles.push(cell(2, ""));
    if wide || area.width >= 70 {
        titles.push(cell(11, t.col_next));
    }
    pen.row(area, area.y, false, &titles);
    if model.plans.is_empty() {
        let lines: &[&str] = if model.plans_loaded { &[t.plans_none, t.plans_none_2] } else { &[t.reading] };
        empty(pen, area, lines);
        return None;
    }
    let at = model.plan_index();
    for (i, row) in model.plans.iter().enumerate().skip(model.plan_top).take(usize::from(area.height.saturating_sub(1)))
    {
        let y = area.y + 1 + (i - model.plan_top) as u16;
        let (glyph, word, role) = state_of(model, row);
        let name = match &row.plan {
            Ok(plan) => words::plan_name(model, &plan.id, &plan.name),
            Err(problem) => words::shown(problem.id.as_str()),
        };
        let open = if row.unresolved > 0 { format::count(row.unresolved) } else { String::new() };
        let hazard = if row.hazards > 0 { pen.glyphs.hazard } else { "" };
        let mut cells = vec![
            Cell::new(state, role, format!("{glyph} {word}")),
            Cell::new(0, Role::Text, name).key(),
            Cell::new(trend, Role::Text, ""),
            Cell::new(6, Role::Failed, open).right(),
            Cell::new(2, Role::Warning, hazard),
        ];
        if wide || area.width >= 70 {
            let next = row.next.map(|at| format::local(at, model.zone, "%m-%d %H:%M")).unwrap_or_default();
            cells.push(Cell::new(11, Role::Dim, next));
        }
        pen.row(area, y, i == at, &cells);
        // The trend is painted run by run, oldest first, each in its own role.
        let tail: u16 = cells.iter().skip(3).map(|c| c.width + 1).sum();
        let mut x = area.right().saturating_sub(tail + trend + 1) + (trend - row.last.len().min(12) as u16);
        for run in row.last.iter().take(12).rev() {
            let (sign, _, role, _) = words::run_state(model, &run.state, &run.tally);
            x += pen.text(x, y, 1, role, sign);
        }
    }
    if let Some(row) = model.plans.get(at) {
        detail(model, pen, parts.detail, row, parts.detail.x > 0);
    }
    None
}

/// Whose time a mark is in, with how far the ERP's clock was from ours when it was taken.
fn server_time(model: &Model, mark: &Mark) -> String {
    let t = model.t();
    match &mark.clock {
        Some(clock) => {
            let zone = format!("UTC{}", format::zone(clock.zone / 60).trim_start_matches("UTC"));
            fill(t.server_time_ahead, &[&zone, &format!("{:+}", clock.ahead)])
        }
        None => t.server_time.to_owned(),
    }
}

/// State of a plan: its open run's, else its last run's, else never run; or a file that cannot be used.
fn state_of(model: &Model, row: &PlanRow) -> (&'static str, &'static str, Role) {
    let t = model.t();
    let Ok(plan) = &row.plan else { return ("!", t.plan_broken, Role::Error) };
    if let Some(run) = model.live.open_run_of(&plan.id) {
        let (glyph, word, role, _) = words::run_state(model, &run.row.state, &run.row.tally);
        return (glyph, word, role);
    }
    let last = model.live.runs.values().rev().map(|r| &r.row).find(|r| r.head.plan == plan.id).or(row.last.first());
    match last {
        Some(run) => {
            let (glyph, word, role, _) = words::run_state(model, &run.state, &run.tally);
            (glyph, word, role)
        }
        None => (if model.glyphs.ascii { "." } else { "·" }, t.plan_never, Role::Dim),
    }
}

fn detail(model: &Model, pen: &mut Pen<'_>, area: Rect, row: &PlanRow, beside: bool) {
    if area.height < 3 {
        return;
    }
    let texts = model.t();
    let area = if beside {
        pen.bar(area.x, area.y, area.height, Role::Border);
        Rect { x: area.x + 1, width: area.width - 1, ..area }
    } else {
        area
    };
    let (x, w) = (area.x + 1, area.width.saturating_sub(2));
    let plan = match &row.plan {
        Ok(plan) => plan,
        Err(problem) => {
            heading(pen, area, &words::shown(problem.id.as_str()));
            let lines = pen.glyphs.wrap(
                &words::shown(problem.said(model.lang == crate::ui::Lang::Zh)),
                usize::from(w),
                usize::from(area.height - 1),
            );
            for (i, line) in lines.iter().enumerate() {
                pen.text(x, area.y + 1 + i as u16, w, Role::Error, line);
            }
            return;
        }
    };
    heading(pen, area, &words::plan_name(model, &plan.id, &plan.name));
    let label = if model.lang == crate::ui::Lang::Zh { 10 } else { 12 };
    let mut y = area.y + 1;
    let mut line = |pen: &mut Pen<'_>, name: &str, pieces: &[(Role, String)]| {
        if y < area.bottom() {
            pen.text(x, y, label, Role::Dim, name);
            pen.pieces(x + label, y, w.saturating_sub(label), pieces);
            y += 1;
        }
    };
    let last = model.live.runs.values().rev().map(|r| &r.row).find(|r| r.head.plan == plan.id).or(row.last.first());
    if let Some(run) = last {
        line(pen, texts.last_run, &last_run(model, run));
        line(pen, texts.sum, &words::sum_of(model, run, w.saturating_sub(label)));
        if let Some(carried) = words::carried_over(model.lang, run) {
            line(pen, texts.carried_over, &[(Role::Text, carried)]);
        }
    }
    if row.unresolved > 0 {
        let text = fill(texts.unresolved_n, &[&format::count(row.unresolved)]);
        line(pen, texts.open, &[(Role::Failed, text)]);
    }
    let verb = match &plan.target.verb {
        Verb::Submit => "Submit".to_owned(),
        Verb::Audit => "Audit".to_owned(),
        Verb::Operation(name) => words::shown(name),
    };
    let call = format!("{} {} {verb}", words::shown(plan.source.form.as_str()), pen.glyphs.arrow);
    line(pen, texts.call, &[(Role::Text, call)]);
    line(pen, texts.policy, &[(Role::Text, policy(model, plan))]);
    let mark = match &row.mark {
        Some(mark) => vec![
            (Role::Text, words::shown(&mark.seen.as_str().replace('T', " "))),
            (Role::Dim, format!("  {}", server_time(model, mark))),
        ],
        None => vec![(Role::Dim, texts.mark_none.to_owned())],
    };
    line(pen, texts.mark, &mark);
    let next = match (row.next, &plan.policy.schedule) {
        (Some(at), Some(schedule)) => format!(
            "{} {}  {}",
            format::local(at, model.zone, "%m-%d %H:%M"),
            format::zone(model.zone),
            words::shown(&schedule.cron)
        ),
        (_, Some(plan)) => words::shown(&plan.cron),
        (Some(at), None) => format::local(at, model.zone, "%m-%d %H:%M"),
        (None, None) => texts.next_none.to_owned(),
    };
    line(pen, texts.next, &[(Role::Text, next)]);
    if row.hazards > 0 {
        let text =
            format!("{} {}", pen.glyphs.hazard, fill(texts.hazards_n, &[&row.hazards.to_string(), plan.id.as_str()]));
        line(pen, texts.hazards, &[(Role::Warning, text)]);
    }
    for flag in plan.target.stripped_flags.iter().take(2) {
        line(pen, "", &[(Role::Warning, fill(texts.flag_stripped, &[&words::shown(&flag.0)]))]);
    }
    let filter = words::shown(&plan.source.filter);
    for (i, text) in pen.glyphs.wrap(&filter, usize::from(w.saturating_sub(label)), 4).iter().enumerate() {
        line(pen, if i == 0 { texts.filter_label } else { "" }, &[(Role::Dim, text.clone())]);
    }
}

fn last_run(model: &Model, run: &RunRow) -> Vec<(Role, String)> {
    let (glyph, word, role, why) = words::run_state(model, &run.state, &run.tally);
    let when = format::local(run.head.opened, model.zone, "%m-%d %H:%M");
    let mut out = vec![(role, format!("{glyph} {word} ")), (Role::Text, when)];
    out.push((Role::Dim, format!("  {}  ", words::shown(&run.head.by.to_string()))));
    if !why.is_empty() {
        out.push((role, why));
    }
    out
}

fn policy(model: &Model, plan: &Plan) -> String {
    let t = model.t();
    let p = &plan.policy;
    let mut out = vec![fill(t.policy_batch, &[&p.batch.to_string()])];
    out.push(if p.submit { t.policy_submit } else { t.policy_no_submit }.to_owned());
    out.push(fill(t.policy_overlap, &[&format::age(p.overlap)]));
    if p.sweep_hours > 0 {
        out.push(fill(t.policy_sweep, &[&p.sweep_hours.to_string()]));
    }
    out.join("  ")
}
