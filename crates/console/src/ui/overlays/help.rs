//! Help for the present pane, straight from the key table; and the notices.

use crate::ui::act;
use crate::ui::cells::Pen;
use crate::ui::format;
use crate::ui::keymap::{Scope, TABLE, reaches};
use crate::ui::model::Model;
use crate::ui::msg::{Code, Key};
use crate::ui::skin::Role;
use crate::ui::words;
use skydeck_core::domain::ids::OpId;

use super::middle;

/// Where the scroll stands after a key; `None` closes.
pub(crate) fn scrolled(top: usize, key: Key) -> Option<usize> {
    match key.code {
        Code::Char('j') | Code::Down => Some(top + 1),
        Code::Char('k') | Code::Up => Some(top.saturating_sub(1)),
        Code::Char(' ') | Code::PageDown => Some(top + 10),
        Code::PageUp => Some(top.saturating_sub(10)),
        Code::Char('g') | Code::Home => Some(0),
        _ => None,
    }
}

/// A line of help: keys, meaning, possible now; or a heading.
enum Line {
    Head(&'static str),
    Row(String, &'static str, bool),
    Text(String),
}

fn lines(model: &Model) -> Vec<Line> {
    let place = model.pane.scope();
    let mut out = Vec::new();
    let mut group = |title: &'static str, test: &dyn Fn(Scope) -> bool| {
        let rows: Vec<_> = TABLE
            .iter()
            .filter(|row| row.scopes.iter().any(|s| test(*s)) && reaches(row, place))
            .map(|row| {
                let long = model.lang.action(row.action).1;
                Line::Row(model.keymap.all_keys(row.action), long, act::possible(model, row.action))
            })
            .collect();
        if !rows.is_empty() {
            out.push(Line::Head(title));
            out.extend(rows);
        }
    };
    group(model.lang.scope(place), &|s| s == place);
    group(model.lang.scope(Scope::List), &|s| s == Scope::List);
    group(model.lang.scope(Scope::Global), &|s| s == Scope::Global);
    let t = model.t();
    out.push(Line::Head(t.help_filter));
    for text in [t.help_filter_1, t.help_filter_2] {
        out.push(Line::Text(text.to_owned()));
    }
    out.push(Line::Head(t.help_outcomes));
    let op = model.run_row().map_or_else(OpId::default, |row| row.head.op.clone());
    let skipped = if op.is_audit() { t.help_outcome_3 } else { t.help_outcome_3_other };
    let more = [skipped, t.help_outcome_4, t.help_outcome_5, t.help_outcome_6].map(str::to_owned);
    out.extend(words::help_outcomes(model.lang, &op).into_iter().chain(more).map(Line::Text));
    out.push(Line::Text(t.help_prefix.to_owned()));
    out.push(Line::Text(format!("Skydeck {}", model.version)));
    out
}

pub(crate) fn draw(model: &Model, pen: &mut Pen<'_>, top: usize) {
    let lines = lines(model);
    let w = model.size.0.saturating_sub(4).min(84);
    let h = model.size.1.saturating_sub(2).min(lines.len() as u16 + 3);
    let title = format!("{} {} {}", model.t().help_title, model.glyphs.dot, model.lang.scope(model.pane.scope()));
    let area = middle(pen, w, h);
    let inside = pen.window(area, Role::Accent, &title);
    let rows = usize::from(inside.height.saturating_sub(1));
    let top = top.min(lines.len().saturating_sub(rows));
    for (i, line) in lines.iter().skip(top).take(rows).enumerate() {
        let y = inside.y + i as u16;
        match line {
            Line::Head(text) => {
                pen.text(inside.x, y, inside.width, Role::Title, text);
            }
            Line::Row(keys, text, possible) => {
                let (key, role) = if *possible { (Role::Key, Role::Text) } else { (Role::Dim, Role::Dim) };
                pen.text(inside.x + 1, y, 15, key, keys);
                pen.text(inside.x + 17, y, inside.width.saturating_sub(17), role, text);
            }
            Line::Text(text) => {
                pen.text(inside.x + 1, y, inside.width.saturating_sub(1), Role::Dim, text);
            }
        }
    }
    if inside.height > 0 {
        let more = top + rows < lines.len();
        let text = if more { model.t().help_more } else { model.t().help_close };
        pen.text(inside.x, inside.bottom() - 1, inside.width, Role::Dim, text);
    }
}

pub(crate) fn draw_notices(model: &Model, pen: &mut Pen<'_>, top: usize) {
    let w = model.size.0.saturating_sub(4).min(110);
    let h = model.size.1.saturating_sub(4);
    let area = middle(pen, w, h);
    let inside = pen.window(area, Role::Accent, model.t().notices_title);
    if model.notes.is_empty() {
        pen.text(inside.x, inside.y, inside.width, Role::Dim, model.t().notices_none);
    }
    let mut y = inside.y;
    for note in model.notes.iter().skip(top.min(model.notes.len().saturating_sub(1))) {
        let at = format::local(note.at, model.zone, "%H:%M:%S ");
        for (i, line) in pen.glyphs.wrap(&note.text, usize::from(inside.width.saturating_sub(9)), 4).iter().enumerate()
        {
            if y >= inside.bottom() {
                return;
            }
            if i == 0 {
                pen.text(inside.x, y, 9, Role::Dim, &at);
            }
            let role = if note.bad { Role::Error } else { Role::Notice };
            pen.text(inside.x + 9, y, inside.width.saturating_sub(9), role, line);
            y += 1;
        }
    }
}
