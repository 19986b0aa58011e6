//! The picture: frame, tabs, sum line, pane, status, keys, and what lies over them. Reads the model, changes nothing.
//!
//! Invariant: only rows on the screen are built.

use std::hash::{DefaultHasher, Hash as _, Hasher as _};

use ratatui::buffer::Buffer;

use super::cells::Pen;
use super::desk::Desk;
use super::format::{self, fill};
use super::keymap::{Action, COUNTED, Row};
use super::layout::Parts;
use super::model::Model;
use super::msg::{Drawn, ListHint};
use super::overlays::dialog::draw_keys;
use super::possible::{commands, label};
use super::shared::Shared;
use super::skin::Role;
use super::{sum_line, tabs, words};

/// Paints the screen.
pub fn view(model: &Model, buf: &mut Buffer) -> Drawn {
    let (desk, shared) = (&model.desk, &model.desk.shared);
    let mut pen = Pen::new(buf, &shared.setup.skin, shared.setup.glyphs);
    let fits = pen.area().width >= shared.size.0 && pen.area().height >= shared.size.1;
    let Some(parts) = desk.parts().filter(|_| fits) else {
        pen.text(0, 0, u16::MAX, Role::Warning, shared.t().too_small);
        return Drawn::default();
    };
    head(desk, &mut pen, &parts);
    tabs::draw(desk, &mut pen, &parts);
    sum_line::draw(desk, &mut pen, &parts);
    let list = desk.pane().draw(shared, &mut pen, &parts);
    status(desk, &mut pen, &parts);
    let Some(overlay) = model.overlays.open() else {
        foot(desk, &mut pen, &parts);
        let hint = |first| ListHint { id: list_id(desk), top: parts.list.y + 1, bottom: parts.list.bottom(), first };
        return Drawn { caret: None, list: list.map(hint) };
    };
    // A dialog names its own keys; those of the pane do nothing then. What went wrong while it is open is said at once, a
    // paste that was refused most of all: over a line in the lower rows, under a box.
    let bad = shared.notes.newest().is_some_and(|note| note.bad);
    let below = overlay.is_line().then(|| overlay.draw(desk, &mut pen, &parts));
    if bad {
        last_note(shared, &mut pen, &parts);
    }
    let caret = below.unwrap_or_else(|| overlay.draw(desk, &mut pen, &parts));
    Drawn { caret, list: None }
}

/// Names the list on the screen; another list, another name.
fn list_id(desk: &Desk) -> u64 {
    let (shared, pane) = (&desk.shared, desk.pane());
    let mut hasher = DefaultHasher::new();
    let place = (pane.scope(), shared.size, shared.nav.zoom);
    (place, shared.run, pane.epoch(), pane.filter()).hash(&mut hasher);
    hasher.finish()
}

/// The upper frame: product, environment, permission, who.
fn head(desk: &Desk, pen: &mut Pen<'_>, parts: &Parts) {
    let (shared, t) = (&desk.shared, desk.shared.t());
    let (y, w) = (parts.head.y, parts.head.width);
    let env = desk.env();
    let production = env.is_some_and(|e| e.production);
    let border = if production { Role::Production } else { Role::Border };
    pen.rule(0, y, w, border, true);
    let mut x = 2;
    let mut put = |pen: &mut Pen<'_>, role, text: &str| x += pen.text(x, y, w.saturating_sub(x + 1), role, text);
    put(pen, Role::Title, " Skydeck ");
    if let Some(env) = env {
        put(pen, border, if pen.glyphs.ascii { "=" } else { "━" });
        let name = format!(" {} ", words::shown(env.id.as_str()));
        put(pen, if production { Role::Production } else { Role::Accent }, &name);
        if production {
            put(pen, Role::Production, &format!("{} ", t.production));
        }
        let set = words::shown(&env.account_set);
        if !set.is_empty() && w >= 70 {
            put(pen, Role::Dim, &format!("{} ", pen.glyphs.clip(&set, 24)));
        }
        put(pen, border, if pen.glyphs.ascii { "=" } else { "━" });
        if desk.env_row().is_some_and(|row| row.held.is_some()) {
            put(pen, Role::Error, &format!(" {} ", t.held));
        } else if env.always_read_only {
            put(pen, Role::Ok, &format!(" {} ", t.always_read_only));
        } else if !env.read_only {
            put(pen, Role::Warning, &format!(" {} ", t.write));
        } else if let Some(left) = shared.unlocked_for(&env.id) {
            put(pen, Role::Warning, &format!(" {} {} ", t.write, format::clock(left)));
        } else {
            put(pen, Role::Ok, &format!(" {} ", t.read_only));
        }
    }
    if shared.present.is_frozen() {
        put(pen, Role::Warning, &format!(" {} ", t.frozen));
    }
    if let Some(why) = shared.connection.gone() {
        put(pen, Role::Error, &format!(" {} ", fill(t.engine_gone, &[&words::shown(why)])));
    } else if let Some(doing) = shared.connection.opening() {
        put(pen, Role::Warning, &format!(" {} ", words::shown(doing)));
    }
    let mut who = words::shown(&shared.setup.user);
    if !shared.setup.label.is_empty() {
        who = format!("{} {} {who}", shared.setup.label, pen.glyphs.dot);
    }
    let need = pen.glyphs.width(&who) as u16 + 4;
    if x + need < w && !who.is_empty() {
        pen.text_right(x, w - 2, y, Role::Dim, &format!(" {who} "));
    }
}

/// The lower frame: marks, filter, position.
fn status(desk: &Desk, pen: &mut Pen<'_>, parts: &Parts) {
    let (shared, t) = (&desk.shared, desk.shared.t());
    let (y, w) = (parts.status.y, parts.status.width);
    let border = if desk.env().is_some_and(|e| e.production) { Role::Production } else { Role::Border };
    pen.rule(0, y, w, border, true);
    let position = desk.pane().position(shared);
    let right =
        if position.is_empty() { w - 1 } else { pen.text_right(2, w - 2, y, Role::Dim, &format!(" {position} ")) };
    let mut x = 2;
    let room = |x: u16| right.saturating_sub(x + 1);
    // On every pane: nothing is more pressing than a bill nobody can say anything about.
    if let Some((n, age)) = shared.stale_unknown() {
        let (ledger, verify) = (shared.setup.keymap.key(Action::Ledger), shared.setup.keymap.key(Action::Verify));
        let text = fill(t.unknown_old, &[&format::count(n), &format::age_words(shared.lang, age), &ledger, &verify]);
        x += pen.text(x, y, room(x), Role::Warning, &format!(" ? {text} ")) + 1;
    }
    if let Some(count) = shared.count {
        let digits = if count == 0 { String::new() } else { count.to_string() };
        x += pen.text(x, y, room(x), Role::Accent, &format!(" {} {digits}_ ", t.count)) + 1;
    }
    if shared.selection.is_all() {
        x += pen.text(x, y, room(x), Role::Marked, &format!(" {} {} ", shared.setup.glyphs.marked, t.all_marked)) + 1;
    } else if let Some(bills) = shared.selection.bills() {
        let text = format!(" {} {} ", shared.setup.glyphs.marked, fill(t.n_marked, &[&bills.len().to_string()]));
        x += pen.text(x, y, room(x), Role::Marked, &text) + 1;
    }
    if let Some(filter) = desk.pane().filter().filter(|f| !f.is_empty()) {
        x += pen.text(x, y, room(x), Role::Input, &format!(" /{} ", words::shown(&shared.said(filter))));
        if let Some(n) = desk.pane().matched(shared) {
            pen.text(x, y, room(x), Role::Dim, &format!(" {} ", words::bills(shared.lang, &n)));
        }
    }
}

/// What just happened, until the next key; `false` where nothing did.
fn last_note(shared: &Shared, pen: &mut Pen<'_>, parts: &Parts) -> bool {
    let Some(note) = shared.notes.unseen() else { return false };
    let (y, w) = (parts.foot.y, parts.foot.width);
    let (role, sign) = if note.bad { (Role::Error, "! ") } else { (Role::Notice, "") };
    for x in 0..w {
        pen.text(x, y, 1, Role::Text, " ");
    }
    pen.pieces(1, y, w.saturating_sub(2), &[(role, format!("{sign}{}", note.text))]);
    true
}

/// The keys that do something now, or the last notice.
fn foot(desk: &Desk, pen: &mut Pen<'_>, parts: &Parts) {
    let shared = &desk.shared;
    let (y, w) = (parts.foot.y, parts.foot.width);
    if last_note(shared, pen, parts) {
        return;
    }
    // While a count is typed: what it can stand before.
    let rank = |row: &Row| match shared.count {
        Some(_) => COUNTED.iter().position(|action| *action == row.action).map(|at| at as u8),
        None => Some(row.footer).filter(|rank| *rank > 0),
    };
    let possible = commands(desk).filter(|(_, possible)| *possible);
    let mut rows: Vec<_> = possible.filter_map(|(row, _)| Some((rank(row)?, row))).collect();
    rows.sort_by_key(|(rank, _)| *rank);
    // Help and quit always fit: their room is kept.
    let tail: Vec<(String, &str)> = [Action::Help, Action::Quit]
        .map(|a| (shared.setup.keymap.key(a), shared.lang.action(a).0))
        .into_iter()
        .collect();
    let tail_width: usize = tail.iter().map(|(k, s)| pen.glyphs.width(k) + pen.glyphs.width(s) + 3).sum();
    let mut keys: Vec<(String, &str)> = Vec::new();
    let mut used = tail_width + 1;
    for (_, row) in rows {
        let (key, text) = (shared.setup.keymap.key(row.action), label(desk, row.action));
        let need = pen.glyphs.width(&key) + pen.glyphs.width(text) + 3;
        if used + need > usize::from(w) {
            continue;
        }
        used += need;
        keys.push((key, text));
    }
    keys.extend(tail);
    draw_keys(pen, 1, y, w.saturating_sub(1), &keys);
}
