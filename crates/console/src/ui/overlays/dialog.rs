//! What dialogs have in common: a box in the middle, their keys in its bottom line, and what may say Yes.

use std::time::Duration;

use ratatui::layout::Rect;

use crate::ui::cells::Pen;
use crate::ui::keymap::{Action, Scope, pressed};
use crate::ui::msg::Key;
use crate::ui::shared::Shared;
use crate::ui::skin::Role;
use crate::ui::targets::Target;
use skydeck_core::domain::time::Ts;

/// How long a dialog must stand before it hears a Yes: keys queued before it opened are not meant for it.
pub(crate) const UNREAD: Duration = Duration::from_millis(400);

/// Lines that one line of a dialog may become.
const FOLDED: usize = 3;

/// Whether a key says Yes or No to a dialog, and whether it may be heard yet.
pub(crate) fn answer(shared: &Shared, opened: Ts, key: Key) -> Option<Action> {
    let action = shared.setup.keymap.action(Scope::Dialog, key)?;
    if action != Action::No && shared.now.since(opened) < UNREAD {
        return None;
    }
    Some(action)
}

/// A box of this size in the middle of the screen.
pub(crate) fn middle(pen: &Pen<'_>, w: u16, h: u16) -> Rect {
    let area = pen.area();
    let (w, h) = (w.min(area.width), h.min(area.height));
    Rect::new(area.x + (area.width - w) / 2, area.y + (area.height - h) / 2, w, h)
}

/// A line of a dialog: its pieces.
type Line = Vec<(Role, String)>;

/// Sentences that are wider than the screen on two or three lines; `None` where all fit, or where there is no room for more. A
/// line of several pieces, as a label and its value, stays one.
fn folded(shared: &Shared, pen: &Pen<'_>, lines: &[Line], extra: u16) -> Option<Vec<Line>> {
    let (w, h) = shared.size;
    let max = usize::from(w.saturating_sub(6));
    let mut all = Vec::with_capacity(lines.len() + 1);
    for line in lines {
        match line.as_slice() {
            [(role, text)] if pen.glyphs.width(text) > max => {
                all.extend(pen.glyphs.wrap(text, max, FOLDED).into_iter().map(|text| vec![(*role, text)]));
            }
            _ => all.push(line.clone()),
        }
    }
    if all.len() == lines.len() {
        return None;
    }
    (all.len() + usize::from(extra) + 4 <= usize::from(h)).then_some(all)
}

/// Lines of a dialog, then its keys in the bottom line; gives the inside.
pub(crate) fn dialog(
    shared: &Shared,
    pen: &mut Pen<'_>,
    role: Role,
    title: &str,
    lines: &[Line],
    keys: &[(String, &str)],
    extra: u16,
) -> Rect {
    let folded = folded(shared, pen, lines, extra);
    let lines = folded.as_deref().unwrap_or(lines);
    let width = |line: &Line| line.iter().map(|(_, t)| pen.glyphs.width(t)).sum::<usize>();
    let keys_width: usize = keys.iter().map(|(k, t)| pen.glyphs.width(k) + pen.glyphs.width(t) + 3).sum();
    let widest = lines.iter().map(width).chain([pen.glyphs.width(title) + 6, keys_width, 44]).max().unwrap_or(44);
    let w = (widest as u16).saturating_add(4).min(shared.size.0.saturating_sub(2)).max(24);
    let h = lines.len() as u16 + extra + 4;
    let inside = {
        let area = middle(pen, w, h.min(shared.size.1));
        pen.window(area, role, title)
    };
    for (i, line) in lines.iter().enumerate().take(usize::from(inside.height.saturating_sub(1 + extra))) {
        pen.pieces(inside.x, inside.y + i as u16, inside.width, line);
    }
    if inside.height > 0 {
        draw_keys(pen, inside.x, inside.bottom() - 1, inside.width, keys);
    }
    inside
}

/// `y Yes  n No`.
pub(crate) fn draw_keys(pen: &mut Pen<'_>, x: u16, y: u16, w: u16, keys: &[(String, &str)]) {
    let mut used = 0;
    for (key, text) in keys {
        let need = (pen.glyphs.width(key) + pen.glyphs.width(text) + 1) as u16;
        if used + need > w {
            break;
        }
        // A click on it is the first of its keys.
        if let Some(first) = key.split([' ', '/']).find_map(pressed) {
            pen.targets.offer(Rect::new(x + used, y, need, 1), &Target::Key(first));
        }
        used += pen.text(x + used, y, w - used, Role::Key, key) + 1;
        used += pen.text(x + used, y, w - used, Role::Text, text) + 2;
    }
}
