//! The picture: frame, tabs, sum line, pane, status, keys, and what lies over them. Reads the model, changes nothing.
//!
//! Invariant: only rows on the screen are built.

use std::hash::{DefaultHasher, Hash as _, Hasher as _};

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

use super::cells::Pen;
use super::desk::Desk;
use super::format::{self, fill};
use super::keymap::{Action, COUNTED, Row};
use super::layout::Parts;
use super::model::Model;
use super::msg::{Drawn, ListHint};
use super::overlays::dialog::draw_keys;
use super::possible::{commands, label};
use super::run_words::consent;
use super::shared::Shared;
use super::skin::Role;
use super::targets::{Target, Targets};
use super::{sum_line, tabs, words};

/// Paints the screen.
pub fn view(model: &Model, buf: &mut Buffer) -> Drawn {
    let shared = &model.desk.shared;
    let mut pen = Pen::new(buf, &shared.setup.skin, shared.setup.glyphs);
    paint(model, &mut pen)
}

/// What a cell of the picture means to who clicks it.
pub(crate) fn target_at(model: &Model, x: u16, y: u16) -> Option<Target> {
    let (desk, shared) = (&model.desk, &model.desk.shared);
    let mut buf = Buffer::empty(Rect::new(0, 0, shared.size.0, shared.size.1));
    let mut pen = Pen::new(&mut buf, &shared.setup.skin, shared.setup.glyphs);
    pen.targets = Targets::wanted();
    match model.overlays.open() {
        Some(overlay) => {
            overlay.draw(desk, &mut pen, &desk.parts()?);
        }
        None => {
            paint(model, &mut pen);
        }
    }
    pen.targets.at(x, y)
}

fn paint(model: &Model, pen: &mut Pen<'_>) -> Drawn {
    let (desk, shared) = (&model.desk, &model.desk.shared);
    let fits = pen.area().width >= shared.size.0 && pen.area().height >= shared.size.1;
    let Some(parts) = desk.parts().filter(|_| fits) else {
        pen.text(0, 0, u16::MAX, Role::Warning, shared.t().too_small);
        return Drawn::default();
    };
    head(desk, pen, &parts);
    tabs::draw(desk, pen, &parts);
    sum_line::draw(desk, pen, &parts);
    let list = desk.pane().draw(shared, pen, &parts);
    status(desk, pen, &parts);
    let Some(overlay) = model.overlays.open() else {
        foot(desk, pen, &parts);
        let hint = |first| ListHint { id: list_id(desk), top: parts.list.y + 1, bottom: parts.list.bottom(), first };
        return Drawn { caret: None, list: list.map(hint) };
    };
    // A dialog names its own keys; those of the pane do nothing then. What went wrong while it is open is said at once, a
    // paste that was refused most of all: over a line in the lower rows, under a box.
    let bad = shared.notes.unseen().is_some_and(|(note, _)| note.bad);
    let below = overlay.is_line().then(|| overlay.draw(desk, pen, &parts));
    if bad {
        note_below(shared, pen, &parts);
    }
    let caret = below.unwrap_or_else(|| overlay.draw(desk, pen, &parts));
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
            if let Some(by) = shared.unlocked_by_another(&env.id) {
                put(pen, Role::Warning, &format!("{} ", fill(t.shared_unlock, &[&words::who(shared, by)])));
            }
        } else {
            put(pen, Role::Ok, &format!(" {} ", t.read_only));
        }
    }
    let second = shared.present.live().open().filter_map(|run| consent(&run.row, shared.now));
    if let Some(first) = second.min_by_key(|first| first.at) {
        let left = format::clock(first.time_left(shared.now));
        put(pen, Role::Warning, &format!(" {} ", fill(t.head_second, &[&left])));
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
    if let Some(machines) = &shared.present.machines {
        let (dot, own) = (pen.glyphs.dot, words::shown(&machines.own));
        let machines = format!("{own} {dot} {}", words::machines(shared.lang, machines.count));
        let whole = format!("{who} {dot} {machines}");
        // Where there is room for one of them, it is what another console would show otherwise.
        who = if x + pen.glyphs.width(&whole) as u16 + 4 < w { whole } else { machines };
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
    if let Some(used) = note(shared, pen, (x, y), room(x)) {
        x += used + 1;
    }
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

/// What just happened, until the next key, from column `x` on; gives the cells used.
fn note(shared: &Shared, pen: &mut Pen<'_>, (x, y): (u16, u16), room: u16) -> Option<u16> {
    let (note, others) = shared.notes.unseen()?;
    let (role, sign) = if note.bad { (Role::Error, "! ") } else { (Role::Notice, "") };
    let width = |text: &str| pen.glyphs.width(text) as u16;
    let (text, t) = (format!(" {sign}{}", note.text), shared.t());
    let next = if note.next.is_empty() { " ".to_owned() } else { format!("  {} ", note.next) };
    let key = shared.setup.keymap.key(Action::Notices);
    let tail = if others > 0 {
        format!("{next}+{others} ({key}) ")
    } else if width(&text) + width(&next) > room {
        format!("{next}({}) ", fill(t.note_more, &[&key]))
    } else {
        next
    };
    // What leads on is never cut: of a long notice its middle is.
    let left = room.saturating_sub(width(&tail));
    let used = pen.text(x, y, left, role, &text);
    Some(used + pen.text(x + used, y, room.saturating_sub(used), role, &tail))
}

/// The same where something lies over the pane: over its keys, which do nothing then.
fn note_below(shared: &Shared, pen: &mut Pen<'_>, parts: &Parts) {
    let (y, w) = (parts.foot.y, parts.foot.width);
    if shared.notes.unseen().is_some() {
        for x in 0..w {
            pen.text(x, y, 1, Role::Text, " ");
        }
        note(shared, pen, (0, y), w);
    }
}

/// The keys that do something now.
fn foot(desk: &Desk, pen: &mut Pen<'_>, parts: &Parts) {
    let shared = &desk.shared;
    let (y, w) = (parts.foot.y, parts.foot.width);
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
