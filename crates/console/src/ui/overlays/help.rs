//! Help for the present pane, straight from the key table.

use crate::ui::cells::Pen;
use crate::ui::desk::Desk;
use crate::ui::keymap::{Scope, TABLE, reaches};
use crate::ui::layout::Parts;
use crate::ui::msg::{Code, Effect, Key};
use crate::ui::possible::possible;
use crate::ui::skin::Role;
use crate::ui::words;
use skydeck_core::domain::ids::OpId;

use super::dialog::middle;
use super::overlay::{Next, Overlay};

/// The page; `top` is its first line on the screen.
#[derive(Default)]
pub(super) struct Help {
    top: usize,
}

/// Moves over a page of text; any other key closes it.
pub(super) fn turn(top: &mut usize, key: Key) -> Next {
    *top = match key.code {
        Code::Char('j') | Code::Down => *top + 1,
        Code::Char('k') | Code::Up => top.saturating_sub(1),
        Code::Char(' ') | Code::PageDown => *top + 10,
        Code::PageUp => top.saturating_sub(10),
        Code::Char('g') | Code::Home => 0,
        _ => return Next::Close,
    };
    Next::Stay
}

/// The wheel over such a page.
pub(super) fn roll(top: &mut usize, rows: i64) {
    *top = usize::try_from(*top as i64 + rows).unwrap_or(0);
}

impl Overlay for Help {
    fn key(&mut self, _desk: &mut Desk, key: Key, _effects: &mut Vec<Effect>) -> Next {
        turn(&mut self.top, key)
    }

    fn scroll(&mut self, rows: i64) {
        roll(&mut self.top, rows);
    }

    fn draw(&self, desk: &Desk, pen: &mut Pen<'_>, _parts: &Parts) -> Option<(u16, u16)> {
        let (shared, lines) = (&desk.shared, lines(desk));
        let w = shared.size.0.saturating_sub(4).min(84);
        let h = shared.size.1.saturating_sub(2).min(lines.len() as u16 + 3);
        let title =
            format!("{} {} {}", shared.t().help_title, shared.setup.glyphs.dot, shared.lang.scope(shared.nav.here()));
        let area = middle(pen, w, h);
        let inside = pen.window(area, Role::Accent, &title);
        let rows = usize::from(inside.height.saturating_sub(1));
        let top = self.top.min(lines.len().saturating_sub(rows));
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
            let text = if more { shared.t().help_more } else { shared.t().help_close };
            pen.text(inside.x, inside.bottom() - 1, inside.width, Role::Dim, text);
        }
        None
    }
}

/// A line of help: keys, meaning, possible now; or a heading.
enum Line {
    Head(&'static str),
    Row(String, &'static str, bool),
    Text(String),
}

fn lines(desk: &Desk) -> Vec<Line> {
    let place = desk.shared.nav.here();
    let shared = &desk.shared;
    let mut out = Vec::new();
    let mut group = |title: &'static str, test: &dyn Fn(Scope) -> bool| {
        let rows: Vec<_> = TABLE
            .iter()
            .filter(|row| row.scopes.iter().any(|s| test(*s)) && reaches(row, place))
            .map(|row| {
                let long = shared.lang.action(row.action).1;
                Line::Row(shared.setup.keymap.all_keys(row.action), long, possible(desk, row.action))
            })
            .collect();
        if !rows.is_empty() {
            out.push(Line::Head(title));
            out.extend(rows);
        }
    };
    group(shared.lang.scope(place), &|s| s == place);
    group(shared.lang.scope(Scope::List), &|s| s == Scope::List);
    group(shared.lang.scope(Scope::Global), &|s| s == Scope::Global);
    let t = shared.t();
    if place == Scope::History {
        out.push(Line::Head(t.help_runs));
        out.extend([t.help_runs_1, t.help_runs_2, t.help_runs_3].map(|text| Line::Text(text.to_owned())));
    }
    out.push(Line::Head(t.help_filter));
    for text in [t.help_filter_1, t.help_filter_2] {
        out.push(Line::Text(text.to_owned()));
    }
    out.push(Line::Head(t.help_outcomes));
    let op = shared.run_row().map_or_else(OpId::default, |row| row.head.op.clone());
    let skipped = if op.is_audit() { t.help_outcome_3 } else { t.help_outcome_3_other };
    let more = [skipped, t.help_outcome_4, t.help_outcome_5, t.help_outcome_6].map(str::to_owned);
    out.extend(words::help_outcomes(shared.lang, &op).into_iter().chain(more).map(Line::Text));
    out.push(Line::Text(t.help_prefix.to_owned()));
    out.push(Line::Text(format!("Skydeck {}", shared.setup.version)));
    out
}
