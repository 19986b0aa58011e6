//! The command palette: every action that is possible now, found by a few letters.

use nucleo_matcher::pattern::{CaseMatching, Normalization, Pattern};
use nucleo_matcher::{Config, Matcher, Utf32Str};
use tui_input::Input;

use crate::ui::act;
use crate::ui::cells::Pen;
use crate::ui::keymap::{Action, Row};
use crate::ui::model::Model;
use crate::ui::msg::{Code, Effect, Key};
use crate::ui::skin::Role;

use super::{Overlay, draw_input, edit, middle};

/// The palette; what matches is found when the text changes.
pub(crate) struct Palette {
    pub input: Input,
    pub hits: Vec<Action>,
    pub at: usize,
}

impl Palette {
    pub fn new(model: &Model) -> Self {
        let mut palette = Self { input: Input::default(), hits: Vec::new(), at: 0 };
        palette.search(model);
        palette
    }

    fn search(&mut self, model: &Model) {
        let pattern = Pattern::parse(self.input.value(), CaseMatching::Ignore, Normalization::Smart);
        let mut matcher = Matcher::new(Config::DEFAULT);
        let mut buf = Vec::new();
        // Equal scores in the footer's order: before anything is typed, what is done here stands first, moves stand last.
        let rank = |row: &Row| if row.footer == 0 { u8::MAX } else { row.footer };
        let mut hits: Vec<(u32, u8, Action)> = act::commands(model)
            .filter(|(row, possible)| *possible && row.action != Action::Palette)
            .filter_map(|(row, _)| {
                let (short, long) = model.lang.action(row.action);
                let text = format!("{short} {long} {}", row.name);
                pattern.score(Utf32Str::new(&text, &mut buf), &mut matcher).map(|score| (score, rank(row), row.action))
            })
            .collect();
        hits.sort_by_key(|(score, rank, _)| (std::cmp::Reverse(*score), *rank));
        self.hits = hits.into_iter().map(|(.., action)| action).collect();
        self.at = 0;
    }
}

/// Finds anew after a paste.
pub(crate) fn refresh(model: &mut Model) {
    if let Some(Overlay::Palette(mut palette)) = model.overlay.take() {
        palette.search(model);
        model.overlay = Some(Overlay::Palette(palette));
    }
}

pub(crate) fn key(model: &mut Model, mut palette: Palette, key: Key, effects: &mut Vec<Effect>) -> Option<Overlay> {
    let last = palette.hits.len().saturating_sub(1);
    match (key.code, key.ctrl) {
        (Code::Esc, _) | (Code::Char('c'), true) => return None,
        (Code::Enter, _) => {
            if let Some(action) = palette.hits.get(palette.at) {
                act::perform(model, *action, effects);
            }
            return None;
        }
        (Code::Down | Code::Tab, _) | (Code::Char('n'), true) => palette.at = (palette.at + 1).min(last),
        (Code::Up | Code::BackTab, _) | (Code::Char('p'), true) => palette.at = palette.at.saturating_sub(1),
        _ => {
            if edit(&mut palette.input, key) {
                palette.search(model);
            }
        }
    }
    Some(Overlay::Palette(palette))
}

pub(crate) fn draw(model: &Model, pen: &mut Pen<'_>, palette: &Palette) -> Option<(u16, u16)> {
    let w = model.size.0.saturating_sub(6).min(70);
    let h = model.size.1.saturating_sub(4).min(18);
    let area = middle(pen, w, h);
    let inside = pen.window(area, Role::Accent, model.t().palette_title);
    if inside.height < 3 {
        return None;
    }
    let used = pen.text(inside.x, inside.y, inside.width, Role::Accent, ": ");
    let caret = draw_input(pen, inside.x + used, inside.y, inside.width.saturating_sub(used), &palette.input);
    let rows = usize::from(inside.height - 2);
    let top = palette.at.saturating_sub(rows.saturating_sub(1));
    if palette.hits.is_empty() {
        pen.text(inside.x, inside.y + 2, inside.width, Role::Dim, model.t().palette_none);
    }
    let widest =
        palette.hits.iter().map(|a| pen.glyphs.width(model.lang.action(*a).0)).max().unwrap_or(0).min(24) as u16;
    for (i, action) in palette.hits.iter().enumerate().skip(top).take(rows) {
        let y = inside.y + 2 + (i - top) as u16;
        let here = i == palette.at;
        if here {
            pen.text(inside.x - 1, y, 1, Role::Marker, pen.glyphs.marker);
        }
        let (short, long) = model.lang.action(*action);
        let role = if here { Role::Accent } else { Role::Text };
        pen.text(inside.x, y, widest, role, short);
        let key = model.keymap.key(*action);
        let right = pen.text_right(inside.x + widest, inside.right(), y, Role::Key, &key);
        let x = inside.x + widest + 2;
        pen.text(x, y, right.saturating_sub(x + 1), Role::Dim, long);
    }
    caret
}
