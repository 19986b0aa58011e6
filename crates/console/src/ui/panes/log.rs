//! Log: who ordered what, when, why, and what came of it.

use ratatui::layout::Rect;

use crate::ui::cells::{Cell, Pen};
use crate::ui::config::Lang;
use crate::ui::format;
use crate::ui::layout::Parts;
use crate::ui::model::Model;
use crate::ui::skin::Role;
use crate::ui::words;
use skydeck_core::domain::action_words;
use skydeck_core::domain::cause::Cause;
use skydeck_core::domain::event::ActionEntry;
use skydeck_core::domain::ids::Seq;

use super::{heading, nothing};

pub(crate) fn draw(model: &Model, pen: &mut Pen<'_>, parts: &Parts) -> Option<u64> {
    let t = model.t();
    let area = parts.list;
    let who = if area.width >= 100 { 22 } else { 14 };
    let cell = |w, text| Cell::new(w, Role::Dim, text);
    let zone = format::zone(model.zone);
    let titles = [
        Cell::new(14, Role::Dim, zone),
        cell(who, t.col_by),
        cell(10, t.col_what),
        cell(6, t.bills).right(),
        cell(0, t.col_result),
    ];
    pen.row(area, area.y, false, &titles);
    let body = Rect { y: area.y + 1, height: area.height.saturating_sub(1), ..area };
    if nothing(model, pen, body, &model.log, &[t.log_none]) {
        return None;
    }
    for (i, (here, (_, at, entry))) in model.log.visible().enumerate().take(usize::from(body.height)) {
        let taken = entry.result.starts_with("accepted");
        let result = result(model, entry);
        let about = entry
            .reason
            .as_deref()
            .or(entry.plan.as_ref().map(skydeck_core::domain::ids::PlanId::as_str))
            .map(words::shown);
        let text = about.map_or(result.clone(), |about| format!("{result} {} {about}", pen.glyphs.dot));
        let bills = if entry.bills > 0 { format::count(entry.bills) } else { String::new() };
        let cells = [
            Cell::new(14, Role::Dim, format::local(*at, model.zone, "%m-%d %H:%M:%S")).key(),
            Cell::new(who, Role::Text, words::shown(&entry.by.to_string())),
            Cell::new(
                10,
                Role::Accent,
                model.lang.verb(&entry.verb).map_or_else(|| words::shown(&entry.verb), str::to_owned),
            )
            .key(),
            Cell::new(6, Role::Text, bills).right(),
            Cell::new(0, if taken { Role::Text } else { Role::Failed }, text),
        ];
        pen.row(body, body.y + i as u16, here, &cells);
    }
    if let Some((seq, _, entry)) = model.log.current() {
        preview(model, pen, parts.detail, *seq, entry);
    }
    Some(model.log.first())
}

/// What came of an order, in the operator's language where it was taken.
fn result(model: &Model, entry: &ActionEntry) -> String {
    let t = model.t();
    if model.lang == Lang::Zh {
        let label = |cause: &Cause| words::cause(&model.causes, model.lang, cause);
        return words::shown(&action_words::zh(entry, &label));
    }
    match entry.result.strip_prefix("accepted").map(|rest| rest.trim_start_matches("; ")) {
        Some("") => t.accepted.to_owned(),
        Some(rest) => format!("{} {} {}", t.accepted, model.glyphs.dot, words::shown(rest)),
        None => words::shown(&entry.result),
    }
}

/// The whole line under the cursor: the list has no room for a long reason or result.
fn preview(model: &Model, pen: &mut Pen<'_>, area: Rect, seq: Seq, entry: &ActionEntry) {
    if area.height < 2 {
        return;
    }
    let t = model.t();
    let verb = model.lang.verb(&entry.verb).map_or_else(|| words::shown(&entry.verb), str::to_owned);
    heading(pen, area, &format!("{verb} {} {}", pen.glyphs.dot, words::shown(&entry.by.to_string())));
    let mut facts = vec![result(model, entry)];
    facts.extend(entry.reason.as_ref().map(|reason| format!("{} {}", t.reason, words::shown(reason))));
    facts.extend(entry.plan.as_ref().map(|plan| format!("{} {}", t.plan, words::shown(plan.as_str()))));
    facts.extend(entry.run.map(|run| format!("{} {run}", t.run)));
    let place = entry.line.as_ref().map_or(seq.0, |line| line.seq);
    facts.push(format!("{} {place}", t.log_line));
    let (x, w) = (area.x + 1, area.width.saturating_sub(2));
    let lines = pen.glyphs.flow(&facts, usize::from(w), usize::from(area.height - 1));
    for (i, line) in lines.iter().enumerate() {
        pen.text(x, area.y + 1 + i as u16, w, Role::Text, line);
    }
}
