//! All there is to say of one plan: last run, open bills, call, policy, watermark, next run, hazards, filter.

use ratatui::layout::Rect;

use crate::ui::cells::Pen;
use crate::ui::format::{self, fill};
use crate::ui::list::heading;
use crate::ui::run_words;
use crate::ui::shared::Shared;
use crate::ui::skin::Role;
use crate::ui::usual;
use crate::ui::words;
use skydeck_core::domain::forecast_words;
use skydeck_core::domain::ids::OpId;
use skydeck_core::domain::operation::Operation;
use skydeck_core::domain::plan::{Origin, Plan};
use skydeck_core::domain::query::PlanRow;
use skydeck_core::domain::run::{Mark, RunRow};
use skydeck_core::domain::step::Verb;

/// Whose time a mark is in, with how far the ERP's clock was from ours when it was taken.
fn server_time(shared: &Shared, mark: &Mark) -> String {
    let t = shared.t();
    match &mark.clock {
        Some(clock) => {
            let zone = format!("UTC{}", format::zone(clock.zone / 60).trim_start_matches("UTC"));
            fill(t.server_time_ahead, &[&zone, &format!("{:+}", clock.ahead)])
        }
        None => t.server_time.to_owned(),
    }
}

pub(super) fn draw(shared: &Shared, pen: &mut Pen<'_>, area: Rect, row: &PlanRow, beside: bool) {
    if area.height < 3 {
        return;
    }
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
                &words::shown(problem.said(shared.lang == crate::ui::Lang::Zh)),
                usize::from(w),
                usize::from(area.height - 1),
            );
            for (i, line) in lines.iter().enumerate() {
                pen.text(x, area.y + 1 + i as u16, w, Role::Error, line);
            }
            return;
        }
    };
    heading(pen, area, &words::plan_name(shared, &plan.id, &plan.name));
    let label = if shared.lang == crate::ui::Lang::Zh { 10 } else { 12 };
    let room = w.saturating_sub(label);
    for (y, (name, pieces)) in (area.y + 1..area.bottom()).zip(facts(shared, row, plan, room)) {
        pen.text(x, y, label, Role::Dim, name);
        pen.pieces(x + label, y, room, &pieces);
    }
}

/// A line: its name and what it says.
type Line = (&'static str, Vec<(Role, String)>);

/// All there is to say, in lines of at most `w` cells besides the name.
fn facts(shared: &Shared, row: &PlanRow, plan: &Plan, w: u16) -> Vec<Line> {
    let texts = shared.t();
    let mut lines: Vec<Line> = Vec::new();
    let mut line = |name, pieces| lines.push((name, pieces));
    let last =
        shared.present.live().runs.values().rev().map(|r| &r.row).find(|r| r.head.plan == plan.id).or(row.last.first());
    if let Some(run) = last {
        line(texts.last_run, last_run(shared, run));
        line(texts.sum, run_words::sum_of(shared, run, w));
        if let Some(carried) = run_words::carried_over(shared.lang, run) {
            line(texts.carried_over, vec![(Role::Text, carried)]);
        }
    }
    if row.unresolved > 0 {
        let text = fill(texts.unresolved_n, &[&format::count(row.unresolved)]);
        line(texts.open, vec![(Role::Failed, text)]);
    }
    let verb = match &plan.target.verb {
        _ if plan.target.collects => texts.collects.to_owned(),
        Verb::Submit => "Submit".to_owned(),
        Verb::Audit => "Audit".to_owned(),
        Verb::Operation(name) => words::shown(name),
        Verb::Save | Verb::Push | Verb::Send => {
            let steps = Operation::of(plan).steps;
            let steps: Vec<String> =
                steps.iter().map(|spec| words::step(shared.lang, &OpId::default(), spec.step)).collect();
            format!("{} {}", words::shown(plan.target.form.as_str()), steps.join(" · "))
        }
    };
    let call = format!("{} {} {verb}", words::shown(plan.source.form.as_str()), shared.setup.glyphs.arrow);
    line(texts.call, vec![(Role::Text, call)]);
    line(texts.policy, vec![(Role::Text, policy(shared, plan))]);
    let mark = match &row.mark {
        Some(mark) => vec![
            (Role::Text, words::shown(&mark.seen.as_str().replace('T', " "))),
            (Role::Dim, format!("  {}", server_time(shared, mark))),
        ],
        None => vec![(Role::Dim, texts.mark_none.to_owned())],
    };
    line(texts.mark, mark);
    for (name, pieces) in ahead(shared, row, plan, w) {
        line(name, pieces);
    }
    if row.hazards > 0 {
        let text = format!(
            "{} {}",
            shared.setup.glyphs.hazard,
            fill(texts.hazards_n, &[&row.hazards.to_string(), plan.id.as_str()])
        );
        line(texts.hazards, vec![(Role::Warning, text)]);
    }
    for flag in plan.target.stripped_flags.iter().take(2) {
        line("", vec![(Role::Warning, fill(texts.flag_stripped, &[&words::shown(&flag.0)]))]);
    }
    let listed = plan.source.origin.feed().map(|feed| feed.request.shown());
    let filter = words::shown(listed.as_ref().unwrap_or(&plan.source.filter));
    for (i, text) in shared.setup.glyphs.wrap(&filter, usize::from(w), 4).iter().enumerate() {
        line(if i == 0 { texts.filter_label } else { "" }, vec![(Role::Dim, text.clone())]);
    }
    lines
}

/// When it runs next, what that usually finds, and what stands out; in lines of at most `w` cells besides the name.
fn ahead(shared: &Shared, row: &PlanRow, plan: &Plan, w: u16) -> Vec<Line> {
    let (texts, lang) = (shared.t(), shared.lang.language());
    let next = match (row.next, &plan.policy.schedule) {
        (Some(at), Some(schedule)) => format!(
            "{} {}  {}",
            format::when(at, shared.now, shared.setup.zone),
            format::zone(shared.setup.zone),
            words::shown(&schedule.cron)
        ),
        (_, Some(plan)) => words::shown(&plan.cron),
        (Some(at), None) => format::when(at, shared.now, shared.setup.zone),
        (None, None) => texts.next_none.to_owned(),
    };
    let said = row.forecast.as_ref();
    let usual = said.and_then(|said| said.next.as_ref());
    let usual = usual.map(|(_, usual)| format!("  {}", forecast_words::usual(lang, usual)));
    let mut lines = vec![(texts.next, vec![(Role::Text, next), (Role::Dim, usual.unwrap_or_default())])];
    for found in said.map_or(&[][..], |said| &said.found) {
        let alert = forecast_words::alert(lang, &found.finding);
        let text = format!("{alert}{}{}", texts.colon, usual::finding(shared, found, true));
        for (i, text) in shared.setup.glyphs.wrap(&text, usize::from(w), 3).into_iter().enumerate() {
            lines.push((if i == 0 { texts.likely } else { "" }, vec![(Role::Dim, text)]));
        }
    }
    lines
}

fn last_run(shared: &Shared, run: &RunRow) -> Vec<(Role, String)> {
    let (glyph, word, role, why) = run_words::run_state(shared, &run.state, &run.tally);
    let when = format::when(run.head.opened, shared.now, shared.setup.zone);
    let mut out = vec![(role, format!("{glyph} {word} ")), (Role::Text, when)];
    out.push((Role::Dim, format!("  {}  ", words::who(shared, &run.head.by))));
    if !why.is_empty() {
        out.push((role, why));
    }
    out
}

fn policy(shared: &Shared, plan: &Plan) -> String {
    let t = shared.t();
    let p = &plan.policy;
    let mut out = vec![fill(t.policy_batch, &[&p.batch.to_string()])];
    // The steps of a plan that makes bills stand with its call.
    if plan.target.make.is_none() && !plan.target.collects {
        out.push(if p.submit { t.policy_submit } else { t.policy_no_submit }.to_owned());
    }
    // Of records that are handed in none is passed over: nothing is read again.
    let asks = plan.source.origin != Origin::HandedIn;
    if asks {
        out.push(fill(t.policy_overlap, &[&format::age_words(shared.lang, p.overlap)]));
    }
    if p.sweep_hours > 0 && asks {
        out.push(fill(t.policy_sweep, &[&p.sweep_hours.to_string()]));
    }
    out.join("  ")
}
