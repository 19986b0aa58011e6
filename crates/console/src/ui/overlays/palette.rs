//! The command palette: every action that is possible now, found by a few letters.

use nucleo_matcher::pattern::{CaseMatching, Normalization, Pattern};
use nucleo_matcher::{Config, Matcher, Utf32Str};
use ratatui::layout::Rect;
use tui_input::Input;

use crate::ui::cells::Pen;
use crate::ui::desk::Desk;
use crate::ui::keymap::{Action, Row};
use crate::ui::layout::Parts;
use crate::ui::msg::{Code, Effect, Key};
use crate::ui::possible::commands;
use crate::ui::shared::Shared;
use crate::ui::skin::Role;
use crate::ui::targets::Target;

use super::dialog::middle;
use super::line::{draw_input, edit, insert};
use super::overlay::{Next, Overlay, picked};

/// The palette; what matches is found when the text changes.
pub(super) struct Palette {
    input: Input,
    hits: Vec<Action>,
    at: usize,
}

impl Palette {
    pub fn new(desk: &Desk) -> Self {
        let mut palette = Self { input: Input::default(), hits: Vec::new(), at: 0 };
        palette.search(desk);
        palette
    }

    fn search(&mut self, desk: &Desk) {
        let pattern = Pattern::parse(self.input.value(), CaseMatching::Ignore, Normalization::Smart);
        let mut matcher = Matcher::new(Config::DEFAULT);
        let mut buf = Vec::new();
        // Equal scores in the footer's order: before anything is typed, what is done here stands first, moves stand last.
        let rank = |row: &Row| if row.footer == 0 { u8::MAX } else { row.footer };
        let mut hits: Vec<(u32, u8, Action)> = commands(desk)
            .filter(|(row, possible)| *possible && row.action != Action::Palette)
            .filter_map(|(row, _)| {
                let (short, long) = desk.shared.lang.action(row.action);
                let text = format!("{short} {long} {}", row.name);
                pattern.score(Utf32Str::new(&text, &mut buf), &mut matcher).map(|score| (score, rank(row), row.action))
            })
            .collect();
        hits.sort_by_key(|(score, rank, _)| (std::cmp::Reverse(*score), *rank));
        self.hits = hits.into_iter().map(|(.., action)| action).collect();
        self.at = 0;
    }
}

impl Overlay for Palette {
    fn key(&mut self, desk: &mut Desk, key: Key, _effects: &mut Vec<Effect>) -> Next {
        let last = self.hits.len().saturating_sub(1);
        match (key.code, key.ctrl) {
            (Code::Esc, _) | (Code::Char('c'), true) => return Next::Close,
            (Code::Enter, _) => return self.hits.get(self.at).map_or(Next::Close, |action| Next::Do(*action)),
            (Code::Down | Code::Tab, _) | (Code::Char('n'), true) => self.at = (self.at + 1).min(last),
            (Code::Up | Code::BackTab, _) | (Code::Char('p'), true) => self.at = self.at.saturating_sub(1),
            _ => {
                if edit(&mut self.input, key) {
                    self.search(desk);
                }
            }
        }
        Next::Stay
    }

    fn takes_text(&self, _shared: &Shared) -> bool {
        true
    }

    fn paste(&mut self, desk: &Desk, text: &str) -> bool {
        insert(&mut self.input, text);
        self.search(desk);
        true
    }

    fn pick(&mut self, row: usize) -> Option<Key> {
        picked(&mut self.at, row)
    }

    fn draw(&self, desk: &Desk, pen: &mut Pen<'_>, _parts: &Parts) -> Option<(u16, u16)> {
        let shared = &desk.shared;
        let w = shared.size.0.saturating_sub(6).min(70);
        let h = shared.size.1.saturating_sub(4).min(18);
        let area = middle(pen, w, h);
        let inside = pen.window(area, Role::Accent, shared.t().palette_title);
        if inside.height < 3 {
            return None;
        }
        let used = pen.text(inside.x, inside.y, inside.width, Role::Accent, ": ");
        let caret = draw_input(pen, inside.x + used, inside.y, inside.width.saturating_sub(used), &self.input);
        let rows = usize::from(inside.height - 2);
        let top = self.at.saturating_sub(rows.saturating_sub(1));
        if self.hits.is_empty() {
            pen.text(inside.x, inside.y + 2, inside.width, Role::Dim, shared.t().palette_none);
        }
        let widest =
            self.hits.iter().map(|a| pen.glyphs.width(shared.lang.action(*a).0)).max().unwrap_or(0).min(24) as u16;
        for (i, action) in self.hits.iter().enumerate().skip(top).take(rows) {
            let y = inside.y + 2 + (i - top) as u16;
            let here = i == self.at;
            if here {
                pen.text(inside.x - 1, y, 1, Role::Marker, pen.glyphs.marker);
            }
            pen.targets.offer(Rect { y, height: 1, ..inside }, &Target::Row(i));
            let (short, long) = shared.lang.action(*action);
            let role = if here { Role::Accent } else { Role::Text };
            pen.text(inside.x, y, widest, role, short);
            let key = shared.setup.keymap.key(*action);
            let right = pen.text_right(inside.x + widest, inside.right(), y, Role::Key, &key);
            let x = inside.x + widest + 2;
            pen.text(x, y, right.saturating_sub(x + 1), Role::Dim, long);
        }
        caret
    }
}
