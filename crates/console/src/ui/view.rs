//! The picture: frame, tabs, sum line, pane, status, keys, and what lies over them. Reads the model, changes nothing.
//!
//! Invariant: only rows on the screen are built.

use ratatui::buffer::Buffer;

use skydeck_core::domain::run::RunState;

use super::act;
use super::cells::Pen;
use super::format::{self, fill};
use super::keymap::{Action, COUNTED, Row};
use super::layout::{self, Parts};
use super::model::{Model, Pane};
use super::msg::{Code, Drawn, Key, ListHint};
use super::overlays::{self, Overlay};
use super::panes;
use super::skin::Role;
use super::words;

/// Paints the screen.
pub fn view(model: &Model, buf: &mut Buffer) -> Drawn {
    let mut pen = Pen::new(buf, &model.skin, model.glyphs);
    let Some(parts) =
        layout::parts(model).filter(|_| pen.area().width >= model.size.0 && pen.area().height >= model.size.1)
    else {
        pen.text(0, 0, u16::MAX, Role::Warning, model.t().too_small);
        return Drawn::default();
    };
    head(model, &mut pen, &parts);
    tabs(model, &mut pen, &parts);
    sum(model, &mut pen, &parts);
    let list = panes::draw(model, &mut pen, &parts);
    status(model, &mut pen, &parts);
    let mut caret = None;
    if matches!(model.overlay, Some(Overlay::Filter(_))) {
        caret = overlays::filter::draw(model, &mut pen, &parts);
    } else if model.overlay.is_none() {
        // A dialog names its own keys; those of the pane do nothing then.
        foot(model, &mut pen, &parts);
    }
    // What went wrong while a dialog or line is open is said at once, a paste that was refused most of all.
    if model.overlay.is_some() && model.notes.front().is_some_and(|note| note.bad) {
        last_note(model, &mut pen, &parts);
    }
    caret = overlays::draw(model, &mut pen).or(caret);
    let list = list.filter(|_| model.overlay.is_none()).map(|first| ListHint {
        id: panes::list_id(model),
        top: parts.list.y + 1,
        bottom: parts.list.bottom(),
        first,
    });
    Drawn { caret, list }
}

/// The upper frame: product, environment, permission, who.
fn head(model: &Model, pen: &mut Pen<'_>, parts: &Parts) {
    let t = model.t();
    let (y, w) = (parts.head.y, parts.head.width);
    let env = model.env();
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
        if model.env_row().is_some_and(|row| row.held.is_some()) {
            put(pen, Role::Error, &format!(" {} ", t.held));
        } else if env.always_read_only {
            put(pen, Role::Ok, &format!(" {} ", t.always_read_only));
        } else if !env.read_only {
            put(pen, Role::Warning, &format!(" {} ", t.write));
        } else if let Some(left) = model.unlocked_for(&env.id) {
            put(pen, Role::Warning, &format!(" {} {} ", t.write, format::clock(left)));
        } else {
            put(pen, Role::Ok, &format!(" {} ", t.read_only));
        }
    }
    if model.frozen.is_some() {
        put(pen, Role::Warning, &format!(" {} ", t.frozen));
    }
    if let Some(why) = &model.gone {
        put(pen, Role::Error, &format!(" {} ", fill(t.engine_gone, &[&words::shown(why)])));
    } else if let Some(doing) = &model.opening {
        put(pen, Role::Warning, &format!(" {} ", words::shown(doing)));
    }
    let mut who = words::shown(&model.user);
    if !model.label.is_empty() {
        who = format!("{} {} {who}", model.label, pen.glyphs.dot);
    }
    let need = pen.glyphs.width(&who) as u16 + 4;
    if x + need < w && !who.is_empty() {
        pen.text_right(x, w - 2, y, Role::Dim, &format!(" {who} "));
    }
}

fn tab_text(model: &Model, pane: Pane) -> (String, String, Option<(Role, String)>) {
    let badge = match pane {
        Pane::Ledger if model.unresolved() > 0 => {
            Some((Role::Failed, format!(" {}", format::count(model.unresolved()))))
        }
        Pane::Queue => {
            let flying: usize = model.live.open().map(|r| r.in_flight.len()).sum();
            (flying > 0).then(|| (Role::Accent, format!(" {flying}")))
        }
        _ => None,
    };
    (tab_key(model, pane), model.lang.scope(pane.scope()).to_owned(), badge)
}

/// What shows a pane.
fn pane_action(pane: Pane) -> Action {
    match pane {
        Pane::Plans => Action::Plans,
        Pane::Queue => Action::Queue,
        Pane::Results => Action::Results,
        Pane::Ledger => Action::Ledger,
        Pane::History => Action::History,
        Pane::Bill => Action::Bill,
        Pane::Log => Action::Log,
    }
}

/// From this width on a tab has room for a key with its modifier.
const ROOMY: u16 = 110;

/// The key in force that shows a pane; where there is no room for more, of a digit with Alt the digit alone.
fn tab_key(model: &Model, pane: Pane) -> String {
    match model.keymap.keys(pane_action(pane)).first() {
        Some(Key { code: Code::Char(c), ctrl: false, alt: true }) if model.size.0 < ROOMY => c.to_string(),
        _ => model.keymap.key(pane_action(pane)),
    }
}

fn tab_gap(model: &Model) -> u16 {
    let all: usize = Pane::ALL
        .iter()
        .map(|pane| {
            let (key, name, badge) = tab_text(model, *pane);
            key.len() + 1 + model.glyphs.width(&name) + badge.map_or(0, |(_, b)| b.len())
        })
        .sum();
    (usize::from(model.size.0).saturating_sub(all + 2) / 7).clamp(1, 4) as u16
}

/// The pane whose tab stands at column `x`.
pub(crate) fn tab_at(model: &Model, x: u16) -> Option<Pane> {
    let (mut at, gap) = (1, tab_gap(model));
    for pane in Pane::ALL {
        let (key, name, badge) = tab_text(model, pane);
        let w = (key.len() + 1 + model.glyphs.width(&name) + badge.map_or(0, |(_, b)| b.len())) as u16;
        if (at..at + w).contains(&x) {
            return Some(pane);
        }
        at += w + gap;
    }
    None
}

fn tabs(model: &Model, pen: &mut Pen<'_>, parts: &Parts) {
    if parts.tabs.height == 0 {
        return;
    }
    let (y, w, gap) = (parts.tabs.y, parts.tabs.width, tab_gap(model));
    let mut x = 1;
    for pane in Pane::ALL {
        let (key, name, badge) = tab_text(model, pane);
        let here = pane == model.pane;
        // Only what is the whole key looks like one.
        let whole = model.keymap.key(pane_action(pane)) == key;
        if here {
            pen.text(x - 1, y, 1, Role::Marker, pen.glyphs.marker);
        }
        x += pen.text(
            x,
            y,
            w.saturating_sub(x),
            match (here, whole) {
                (true, _) => Role::Accent,
                (_, true) => Role::Key,
                _ => Role::Dim,
            },
            &key,
        ) + 1;
        x += pen.text(x, y, w.saturating_sub(x), if here { Role::Accent } else { Role::Dim }, &name);
        if let Some((role, text)) = badge {
            x += pen.text(x, y, w.saturating_sub(x), role, &text);
        }
        x += gap;
    }
}

/// The sum line and the progress line: always in view.
fn sum(model: &Model, pen: &mut Pen<'_>, parts: &Parts) {
    let t = model.t();
    let (y, w) = (parts.sum.y, parts.sum.width);
    let Some(row) = model.run_row() else {
        let words = if model.known_runs().is_empty() { t.no_run } else { t.no_run_of_plan };
        pen.text(1, y, w.saturating_sub(1), Role::Dim, words);
        return;
    };
    let live = !row.state.is_closed();
    pen.pieces(1, y, w.saturating_sub(1), &words::sum_of(model, row, w.saturating_sub(2)));
    if parts.sum.height < 2 {
        return;
    }
    let y = y + 1;
    let (glyph, word, role, why) = words::run_state(model, &row.state, &row.tally);
    let mut x = 1;
    let state = format!("{glyph} {word} ");
    x += pen.text(x, y, w - x, role, &state);
    let width = (w / 4).clamp(10, 40);
    x += pen.pieces(x, y, w.saturating_sub(x), &words::bar(&row.tally, width, model.glyphs)) + 1;
    let done = row.tally.found.saturating_sub(row.tally.waiting + row.tally.not_reached);
    let percent = (done * 100).checked_div(row.tally.found).unwrap_or(0);
    x += pen.text(x, y, w.saturating_sub(x), Role::Title, &format!("{percent}% ")) + 1;
    if let Some(fault) = model.live.faults.first() {
        pen.text(x, y, w.saturating_sub(x), Role::Error, &words::shown(fault));
        return;
    }
    if let Some(run) = model.run_live().filter(|_| live) {
        let speed = run.per_second(model.now, 30);
        match row.state {
            RunState::Working => {
                let mut text = words::rate(model.lang, speed);
                if let Some(left) = words::eta(row.to_call(), speed) {
                    text = format!("{text}  {} {}", t.eta, format::age(left));
                }
                x += pen.text(x, y, w.saturating_sub(x), Role::Text, &text) + 2;
            }
            RunState::AwaitingApproval => {
                let key = model.keymap.key(Action::Approve);
                let hint = match overlays::confirm::consent(&run.row, model.now) {
                    Some(first) => {
                        let left = format::clock(first.time_left(model.now));
                        fill(t.second_hint, &[&key, &words::shown(&first.by.to_string()), &left])
                    }
                    None => fill(t.approve_hint, &[&key]),
                };
                x += pen.text(x, y, w.saturating_sub(x), Role::Warning, &hint) + 2;
            }
            _ => {}
        }
        if let Some(pulse) = model.pulse_of(&row.head.env)
            && let Some(breaker) = &pulse.breaker
        {
            let text = fill(t.breaker_open, &[&words::reason_words(model, breaker)]);
            x += pen.text(x, y, w.saturating_sub(x), Role::Failed, &text) + 2;
        }
    }
    if !why.is_empty() {
        x += pen.text(x, y, w.saturating_sub(x), role, &why) + 2;
    }
    let when = format::local(row.head.opened, model.zone, "%m-%d %H:%M");
    let kind = match (row.head.kind, &row.head.range) {
        (skydeck_core::domain::run::RunKind::Fresh, None) => String::new(),
        _ => format!(" {}", words::kind_of(model.lang, &row.head)),
    };
    let plan = words::plan_name(model, &row.head.plan, &row.head.name);
    // Many plans are named after what they call.
    let op = Some(words::operation(&row.head.op)).filter(|op| !row.head.op.is_audit() && !plan.contains(op.as_str()));
    let op = op.map_or_else(String::new, |op| format!(" {op}"));
    let name = format!("{plan}{op}{kind} {when}");
    let room = w.saturating_sub(x + 1);
    if room >= 12 {
        pen.text_right(x, w - 1, y, Role::Dim, &pen.glyphs.clip(&name, usize::from(room)));
    }
}

/// The lower frame: marks, filter, position.
fn status(model: &Model, pen: &mut Pen<'_>, parts: &Parts) {
    let t = model.t();
    let (y, w) = (parts.status.y, parts.status.width);
    let border = if model.env().is_some_and(|e| e.production) { Role::Production } else { Role::Border };
    pen.rule(0, y, w, border, true);
    let position = panes::position(model);
    let right =
        if position.is_empty() { w - 1 } else { pen.text_right(2, w - 2, y, Role::Dim, &format!(" {position} ")) };
    let mut x = 2;
    let room = |x: u16| right.saturating_sub(x + 1);
    // On every pane: nothing is more pressing than a bill nobody can say anything about.
    if let Some((n, age)) = model.stale_unknown() {
        let (ledger, verify) = (model.keymap.key(Action::Ledger), model.keymap.key(Action::Verify));
        let text = fill(t.unknown_old, &[&format::count(n), &format::age(age), &ledger, &verify]);
        x += pen.text(x, y, room(x), Role::Warning, &format!(" ? {text} ")) + 1;
    }
    if let Some(count) = model.count {
        let digits = if count == 0 { String::new() } else { count.to_string() };
        x += pen.text(x, y, room(x), Role::Accent, &format!(" {} {digits}_ ", t.count)) + 1;
    }
    if model.all_marked {
        x += pen.text(x, y, room(x), Role::Marked, &format!(" {} {} ", model.glyphs.marked, t.all_marked)) + 1;
    } else if !model.marks.is_empty() {
        let text = format!(" {} {} ", model.glyphs.marked, fill(t.n_marked, &[&model.marks.len().to_string()]));
        x += pen.text(x, y, room(x), Role::Marked, &text) + 1;
    }
    if let Some(filter) = model.filter().filter(|f| !f.is_empty()) {
        pen.text(x, y, room(x), Role::Input, &format!(" /{} ", words::shown(&filter.to_string())));
    }
}

/// What just happened, until the next key; `false` where nothing did.
fn last_note(model: &Model, pen: &mut Pen<'_>, parts: &Parts) -> bool {
    let Some(note) = model.notes.front().filter(|_| model.note_shown) else { return false };
    let (y, w) = (parts.foot.y, parts.foot.width);
    let (role, sign) = if note.bad { (Role::Error, "! ") } else { (Role::Notice, "") };
    for x in 0..w {
        pen.text(x, y, 1, Role::Text, " ");
    }
    pen.pieces(1, y, w.saturating_sub(2), &[(role, format!("{sign}{}", note.text))]);
    true
}

/// The keys that do something now, or the last notice.
fn foot(model: &Model, pen: &mut Pen<'_>, parts: &Parts) {
    let (y, w) = (parts.foot.y, parts.foot.width);
    if last_note(model, pen, parts) {
        return;
    }
    // While a count is typed: what it can stand before.
    let rank = |row: &Row| match model.count {
        Some(_) => COUNTED.iter().position(|action| *action == row.action).map(|at| at as u8),
        None => Some(row.footer).filter(|rank| *rank > 0),
    };
    let possible = act::commands(model).filter(|(_, possible)| *possible);
    let mut rows: Vec<_> = possible.filter_map(|(row, _)| Some((rank(row)?, row))).collect();
    rows.sort_by_key(|(rank, _)| *rank);
    // Help and quit always fit: their room is kept.
    let tail: Vec<(String, &str)> =
        [Action::Help, Action::Quit].map(|a| (model.keymap.key(a), model.lang.action(a).0)).into_iter().collect();
    let tail_width: usize = tail.iter().map(|(k, s)| pen.glyphs.width(k) + pen.glyphs.width(s) + 3).sum();
    let mut keys: Vec<(String, &str)> = Vec::new();
    let mut used = tail_width + 1;
    for (_, row) in rows {
        let (key, text) = (model.keymap.key(row.action), super::act_label(model, row.action));
        let need = pen.glyphs.width(&key) + pen.glyphs.width(text) + 3;
        if used + need > usize::from(w) {
            continue;
        }
        used += need;
        keys.push((key, text));
    }
    keys.extend(tail);
    overlays::draw_keys(pen, 1, y, w.saturating_sub(1), &keys);
}
