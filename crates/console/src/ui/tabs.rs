//! The tab line: the panes with their keys and counts.

use super::cells::Pen;
use super::desk::Desk;
use super::keymap::{Action, Scope};
use super::layout::Parts;
use super::msg::{Code, Key};
use super::panes::Pane;
use super::skin::Role;

/// From this width on a tab has room for a key with its modifier.
const ROOMY: u16 = 110;

/// A tab: key, name, count.
struct Tab {
    pane: Scope,
    key: String,
    /// The key is all that has to be pressed.
    whole: bool,
    name: &'static str,
    badge: Option<(Role, String)>,
}

impl Tab {
    fn of(desk: &Desk, pane: &dyn Pane) -> Self {
        let (shared, whole) = (&desk.shared, desk.shared.setup.keymap.key(pane.shown_by()));
        let key = key(desk, pane.shown_by());
        Self {
            pane: pane.scope(),
            whole: whole == key,
            key,
            name: shared.lang.scope(pane.scope()),
            badge: pane.badge(shared),
        }
    }

    fn width(&self, desk: &Desk) -> usize {
        let badge = self.badge.as_ref().map_or(0, |(_, badge)| badge.len());
        self.key.len() + 1 + desk.shared.setup.glyphs.width(self.name) + badge
    }
}

/// The key in force that shows a pane; where there is no room for more, of a digit with Alt the digit alone.
fn key(desk: &Desk, shows: Action) -> String {
    let keymap = &desk.shared.setup.keymap;
    match keymap.keys(shows).first() {
        Some(Key { code: Code::Char(c), ctrl: false, alt: true }) if desk.shared.size.0 < ROOMY => c.to_string(),
        _ => keymap.key(shows),
    }
}

/// All tabs, and the room between two.
fn all(desk: &Desk) -> (Vec<Tab>, u16) {
    let tabs: Vec<Tab> = desk.panes.all().map(|pane| Tab::of(desk, pane)).collect();
    let all: usize = tabs.iter().map(|tab| tab.width(desk)).sum();
    let gap = (usize::from(desk.shared.size.0).saturating_sub(all + 2) / tabs.len().max(1)).clamp(1, 4);
    (tabs, gap as u16)
}

/// The pane whose tab stands at column `x`.
pub(crate) fn tab_at(desk: &Desk, x: u16) -> Option<Scope> {
    let (tabs, gap) = all(desk);
    let mut at = 1;
    for tab in tabs {
        let w = tab.width(desk) as u16;
        if (at..at + w).contains(&x) {
            return Some(tab.pane);
        }
        at += w + gap;
    }
    None
}

/// Draws the line.
pub(crate) fn draw(desk: &Desk, pen: &mut Pen<'_>, parts: &Parts) {
    if parts.tabs.height == 0 {
        return;
    }
    let (y, w) = (parts.tabs.y, parts.tabs.width);
    let (tabs, gap) = all(desk);
    let mut x = 1;
    for tab in tabs {
        let here = tab.pane == desk.shared.nav.here();
        if here {
            pen.text(x - 1, y, 1, Role::Marker, pen.glyphs.marker);
        }
        // Only what is the whole key looks like one.
        let role = match (here, tab.whole) {
            (true, _) => Role::Accent,
            (_, true) => Role::Key,
            _ => Role::Dim,
        };
        x += pen.text(x, y, w.saturating_sub(x), role, &tab.key) + 1;
        x += pen.text(x, y, w.saturating_sub(x), if here { Role::Accent } else { Role::Dim }, tab.name);
        if let Some((role, text)) = tab.badge {
            x += pen.text(x, y, w.saturating_sub(x), role, &text);
        }
        x += gap;
    }
}
