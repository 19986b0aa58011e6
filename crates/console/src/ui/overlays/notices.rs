//! The last messages to the operator.

use crate::ui::cells::Pen;
use crate::ui::desk::Desk;
use crate::ui::format;
use crate::ui::layout::Parts;
use crate::ui::msg::{Effect, Key};
use crate::ui::skin::Role;

use super::dialog::middle;
use super::help::{roll, turn};
use super::overlay::{Next, Overlay};

/// The page; `top` is its first message on the screen.
#[derive(Default)]
pub(super) struct Notices {
    top: usize,
}

impl Overlay for Notices {
    fn key(&mut self, _desk: &mut Desk, key: Key, _effects: &mut Vec<Effect>) -> Next {
        turn(&mut self.top, key)
    }

    fn scroll(&mut self, rows: i64) {
        roll(&mut self.top, rows);
    }

    fn draw(&self, desk: &Desk, pen: &mut Pen<'_>, _parts: &Parts) -> Option<(u16, u16)> {
        let (shared, notes) = (&desk.shared, desk.shared.notes.all());
        let w = shared.size.0.saturating_sub(4).min(110);
        let h = shared.size.1.saturating_sub(4);
        let area = middle(pen, w, h);
        let inside = pen.window(area, Role::Accent, shared.t().notices_title);
        if notes.is_empty() {
            pen.text(inside.x, inside.y, inside.width, Role::Dim, shared.t().notices_none);
        }
        let mut y = inside.y;
        for note in notes.iter().skip(self.top.min(notes.len().saturating_sub(1))) {
            let at = format::local(note.at, shared.setup.zone, "%H:%M:%S ");
            let text = format!("{}  {}", note.text, note.next);
            for (i, line) in
                pen.glyphs.wrap(text.trim_end(), usize::from(inside.width.saturating_sub(9)), 4).iter().enumerate()
            {
                if y >= inside.bottom() {
                    return None;
                }
                if i == 0 {
                    pen.text(inside.x, y, 9, Role::Dim, &at);
                }
                let role = if note.bad { Role::Error } else { Role::Notice };
                pen.text(inside.x + 9, y, inside.width.saturating_sub(9), role, line);
                y += 1;
            }
        }
        None
    }
}
