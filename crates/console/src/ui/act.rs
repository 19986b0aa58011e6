//! From keys to what the operator meant, and doing it.

use skydeck_core::domain::command::Command;
use skydeck_core::domain::filter::Filter;
use skydeck_core::domain::reason::Reason;
use skydeck_core::domain::run::RunState;

use super::columns::Columns;
use super::config::Lang;
use super::desk::Desk;
use super::format::fill;
use super::keymap::{Action, COUNTED, Scope, key_name};
use super::model::Model;
use super::msg::{Code, Effect, Key};
use super::overlays;
use super::panes::{Click, Done, Goto, Pane, Subject};
use super::possible::{obstacle, possible};
use super::shared::Shared;
use super::shared::outbox::Sent;
use super::targets::Target;
use super::view::target_at;
use super::words;

/// Largest count; as many bills as the history is made for.
const MOST_COUNT: u64 = 9_999_999;

/// Whether a character means itself: in a text, or because the operator gave it a meaning. Elsewhere what an input
/// method wrote is the key it was made of.
pub(crate) fn means_itself(model: &Model, key: Key) -> bool {
    let shared = &model.desk.shared;
    let scope = if model.overlays.is_open() { Scope::Dialog } else { shared.nav.here() };
    model.overlays.takes_text(shared) || shared.setup.keymap.action(scope, key).is_some()
}

/// A key was pressed.
pub(crate) fn key(model: &mut Model, key: Key, effects: &mut Vec<Effect>) {
    if model.overlays.is_open() {
        model.desk.shared.count = None;
        if let Some(action) = model.overlays.key(&mut model.desk, key, effects) {
            perform(model, action, effects);
        }
        return;
    }
    let shared = &mut model.desk.shared;
    if counting(shared, key) {
        return;
    }
    match shared.setup.keymap.action(shared.nav.here(), key).map(meant) {
        Some(Action::Count) => begin_count(shared, key),
        // Half a count before a key that does something else is a slip of the hand: nothing is done.
        Some(action) if shared.count.is_some() && !COUNTED.contains(&action) => {
            say_not(shared, shared.t().count_none, action);
        }
        Some(action) => match obstacle(&model.desk, action) {
            None => {
                perform(model, action, effects);
            }
            Some(why) => model.desk.shared.say_why(why, action),
        },
        None => {
            model.desk.shared.count = None;
            if let Code::Char(letter) = key.code
                && key.alt
                && overlays::filter::show_view(&mut model.desk, letter)
            {
                return;
            }
            known_elsewhere(&mut model.desk.shared, key);
        }
    }
}

/// What is done for an action that has a name of its own only because of its keys.
fn meant(action: Action) -> Action {
    if action == Action::Into { Action::Open } else { action }
}

/// Says why an action is not done.
fn say_not(shared: &mut Shared, why: &str, action: Action) {
    let help = shared.setup.keymap.key(Action::Help);
    let text = fill(why, &[shared.lang.action(action).0, &help]);
    shared.note(false, text);
    shared.count = None;
}

/// Says of a key that means something in other panes alone where that is.
fn known_elsewhere(shared: &mut Shared, key: Key) {
    let Some((action, panes)) = shared.setup.keymap.elsewhere(shared.nav.here(), key) else {
        let help = shared.setup.keymap.key(Action::Help);
        let text = fill(shared.t().no_such_key, &[&key_name(key), &help]);
        return shared.note(false, text);
    };
    let panes: Vec<&str> = panes.into_iter().map(|pane| shared.lang.scope(pane)).collect();
    let between = if shared.lang == Lang::Zh { "、" } else { ", " };
    let text = fill(shared.t().not_here, &[shared.lang.action(action).0, &panes.join(between)]);
    shared.note(false, text);
}

/// A count begins; the digit it was begun with is its first.
fn begin_count(shared: &mut Shared, key: Key) {
    shared.count = Some(0);
    counting(shared, key);
}

/// Takes a key into the count that is being typed; `false` when it is not for it.
fn counting(shared: &mut Shared, key: Key) -> bool {
    let Some(n) = shared.count else { return false };
    shared.count = match key.code {
        Code::Char(c) if !key.ctrl && c.is_ascii_digit() => {
            let digit = u64::from(c as u32 - '0' as u32);
            Some(n.saturating_mul(10).saturating_add(digit).min(MOST_COUNT))
        }
        Code::Backspace if n > 0 => Some(n / 10),
        Code::Backspace | Code::Esc => None,
        _ => return false,
    };
    true
}

/// Does it. What is not of the console as a whole is the pane's; `false` where nobody knows the action.
pub(crate) fn perform(model: &mut Model, action: Action, effects: &mut Vec<Effect>) -> bool {
    let action = meant(action);
    let count = model.desk.shared.count.take().filter(|n| *n > 0);
    if let Some(pane) = model.desk.panes.shown_by(action) {
        let desk = &mut model.desk;
        let here = desk.pane().bill(&desk.shared);
        let what = here.map_or(Subject::AsItIs, |(key, _)| Subject::Bill(key));
        desk.go(Goto { pane, what });
        return true;
    }
    if move_cursor(&mut model.desk, action, count) || select_rows(&mut model.desk, action, count) {
        return true;
    }
    match action {
        Action::Count => model.desk.shared.count = Some(0),
        Action::NextPane => turn(&mut model.desk, true),
        Action::PrevPane => turn(&mut model.desk, false),
        Action::Back => back(&mut model.desk),
        Action::NextRun | Action::PrevRun => other_run(&mut model.desk, action == Action::NextRun, count.unwrap_or(1)),
        Action::Zoom => model.desk.shared.nav.zoom = !model.desk.shared.nav.zoom,
        Action::Freeze => {
            if !model.desk.shared.present.toggle() {
                model.desk.panes.all_mut().for_each(Pane::thawed);
            }
        }
        Action::ColumnsLeft | Action::ColumnsRight => sideways(&mut model.desk, action == Action::ColumnsRight),
        Action::Language => other_language(&mut model.desk),
        Action::Redraw => effects.push(Effect::Redraw),
        Action::Suspend => effects.push(Effect::Suspend),
        Action::Quit if !model.desk.shared.at_work() || model.desk.shared.setup.detachable => {
            effects.push(Effect::Quit);
        }
        Action::ClearFilter => overlays::filter::set(&mut model.desk, Filter::default()),
        Action::Copy => {
            let text = model.desk.pane().copy(&model.desk.shared);
            effects.extend(text.map(|raw| Effect::Copy(skydeck_core::text::show(&raw, 100_000).as_str().to_owned())));
        }
        Action::Pause => pause(&mut model.desk.shared, effects),
        Action::Reload => {
            let said = model.desk.shared.t().reloading;
            model.desk.shared.submit(Command::ReloadPlans, Sent::Said(said), effects);
        }
        Action::Unlock => unlock(model, effects),
        action if model.overlays.open_for(&mut model.desk, action, effects) => {}
        action => {
            let (pane, shared) = model.desk.pane_mut();
            match pane.perform(shared, action) {
                Done::NotMine => return false,
                Done::Here => {}
                Done::Go(to) => model.desk.go(to),
                Done::Order(command, sent) => shared.submit(command, sent, effects),
            }
        }
    }
    true
}

/// Moves of the cursor, as often as was counted; `false` for any other action.
fn move_cursor(desk: &mut Desk, action: Action, count: Option<u64>) -> bool {
    let n = count.unwrap_or(1).min(MOST_COUNT) as i64;
    let page = || desk.parts().map_or(1, |parts| parts.rows().max(1) as i64);
    let by = match action {
        Action::Down => n,
        Action::Up => -n,
        Action::HalfDown => n * (page() / 2).max(1),
        Action::HalfUp => -n * (page() / 2).max(1),
        Action::PageDown => n * page(),
        Action::PageUp => -n * page(),
        Action::First | Action::Last => {
            let (pane, shared) = desk.pane_mut();
            match count {
                Some(n) => pane.go_to(shared, n),
                None => pane.ends(shared, action == Action::Last),
            }
            shared.touch();
            return true;
        }
        _ => return false,
    };
    desk.step(by);
    true
}

/// Selecting rows; `false` for any other action.
fn select_rows(desk: &mut Desk, action: Action, count: Option<u64>) -> bool {
    match (action, count) {
        (Action::Mark, Some(n)) => select_many(desk, n),
        (Action::Mark, None) => {
            if let Some((key, no)) = desk.pane().bill(&desk.shared) {
                desk.shared.selection.add(key, no, true);
                desk.step(1);
            }
        }
        (Action::MarkAll, _) => desk.shared.selection.all(),
        (Action::Unmark, _) => desk.shared.selection.clear(),
        _ => return false,
    }
    true
}

/// Selects as many rows as were counted, from the cursor on; where the list in memory ends earlier, that is said.
fn select_many(desk: &mut Desk, n: u64) {
    desk.shared.selection.not_all();
    let mut selected = 0;
    while let Some((key, no)) = desk.pane().bill(&desk.shared) {
        let here = key.clone();
        desk.shared.selection.add(key, no, false);
        selected += 1;
        desk.step(1);
        if selected == n {
            return;
        }
        if desk.pane().bill(&desk.shared).is_none_or(|(key, _)| key == here) {
            break;
        }
    }
    let text = fill(desk.shared.t().marked_fewer, &[&selected.to_string(), &n.to_string()]);
    desk.shared.note(false, text);
}

/// The plan's columns further left or right, as far as there are any.
fn sideways(desk: &mut Desk, right: bool) {
    let rows: Vec<_> = desk.pane().bills().collect();
    let most = Columns::count(&desk.shared, &rows);
    let nav = &mut desk.shared.nav;
    let before = nav.shift;
    nav.shift = if right { (nav.shift + 1).min(most) } else { nav.shift.min(most).saturating_sub(1) };
    if right && nav.shift <= before {
        let text = fill(desk.shared.t().last_columns, &[&desk.shared.setup.keymap.key(Action::ColumnsLeft)]);
        desk.shared.note(false, text);
    }
}

fn other_language(desk: &mut Desk) {
    let shared = &mut desk.shared;
    shared.lang = match shared.lang {
        Lang::Zh => Lang::En,
        Lang::En => Lang::Zh,
    };
    desk.panes.all_mut().for_each(|pane| pane.reword(shared));
}

fn unlock(model: &mut Model, effects: &mut Vec<Effect>) {
    let Some(env) = model.desk.env().cloned() else { return };
    let shared = &mut model.desk.shared;
    if env.always_read_only {
        let why = Reason::AlwaysReadOnly { env: env.id };
        let text = words::reason_words(shared, &why);
        shared.note(true, text);
    } else if shared.unlocked_for(&env.id).is_some() {
        let said = shared.t().locked;
        shared.submit(Command::Lock { env: env.id }, Sent::Said(said), effects);
    } else {
        model.overlays.open_for(&mut model.desk, Action::Unlock, effects);
    }
}

fn pause(shared: &mut Shared, effects: &mut Vec<Effect>) {
    let Some((run, state)) = shared.run_live().map(|r| (r.row.head.id, r.row.state.clone())) else { return };
    let (command, said) = match state {
        RunState::Paused(_) | RunState::Interrupted => (Command::Resume { run }, Sent::Of(shared.t().resuming)),
        _ => (Command::Pause { run }, Sent::Next(shared.t().pausing, Action::Pause)),
    };
    shared.submit(command, said, effects);
}

fn turn(desk: &mut Desk, forward: bool) {
    let pane = desk.shared.nav.turned(forward);
    desk.show(pane);
    desk.shared.nav.forget();
}

/// One step back: what goes on by itself, what is unfolded, what is selected, zoom, then the pane before. Never quits.
fn back(desk: &mut Desk) {
    let (pane, shared) = desk.pane_mut();
    if pane.halt() || pane.fold_back(shared) {
        return;
    }
    if !shared.selection.is_empty() {
        shared.selection.clear();
    } else if shared.nav.zoom {
        shared.nav.zoom = false;
    } else if !shared.nav.back() {
        let text = fill(shared.t().no_way_back, &[&shared.setup.keymap.key(Action::Quit)]);
        shared.note(false, text);
    }
}

fn other_run(desk: &mut Desk, newer: bool, n: u64) {
    // A turn around the runs changes nothing.
    for _ in 0..n.min(desk.known_runs().len() as u64) {
        if !desk.select_next_run(newer) {
            let text = desk.shared.t().no_run_further;
            desk.shared.note(false, text);
        }
    }
}

/// A click: on the tab line it changes the pane, on a key's name it is that key, on a column's head it sorts; a list row takes
/// the cursor, a second click on it opens it.
pub(crate) fn click(model: &mut Model, (x, y): (u16, u16), effects: &mut Vec<Effect>) {
    match target_at(model, x, y) {
        Some(Target::Key(pressed)) => return key(model, pressed, effects),
        Some(Target::Row(row)) => {
            if let Some(pressed) = model.overlays.pick(row) {
                key(model, pressed, effects);
            }
            return;
        }
        Some(Target::Sort(by)) => {
            model.desk.shared.nav.views.here_mut().turn(&by);
            return model.desk.read_anew();
        }
        None => {}
    }
    let Some(parts) = model.desk.parts().filter(|_| !model.overlays.is_open()) else { return };
    if y == parts.tabs.y && parts.tabs.height > 0 {
        if let Some(pane) = super::tabs::tab_at(&model.desk, x) {
            model.desk.show(pane);
        }
        return;
    }
    if y == parts.list.y {
        let shared = &mut model.desk.shared;
        let text = fill(shared.t().sorts_nothing, &[&shared.setup.keymap.key(Action::Columns)]);
        return shared.note(false, text);
    }
    if y < parts.list.y || y >= parts.list.bottom() || x >= parts.list.right() {
        return;
    }
    let row = usize::from(y - parts.list.y - 1);
    let (pane, shared) = model.desk.pane_mut();
    let hit = pane.click(shared, row, &parts);
    if hit == Click::Again && possible(&model.desk, Action::Open) {
        perform(model, Action::Open, effects);
    }
}

/// The wheel moves the cursor, or the open overlay.
pub(crate) fn wheel(model: &mut Model, rows: i16) {
    if model.overlays.is_open() {
        model.overlays.scroll(i64::from(rows));
    } else {
        model.desk.step(i64::from(rows));
    }
    model.desk.shared.touch();
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ui::config::UiConfig;
    use crate::ui::keymap::{PANES, TABLE, reaches};

    #[test]
    fn whatever_the_key_table_offers_in_a_pane_is_known_to_the_console_or_to_the_pane() {
        for place in PANES {
            for row in TABLE.iter().filter(|row| reaches(row, place)) {
                let (mut model, mut effects) = Model::new(UiConfig::default());
                model.desk.show(place);
                assert!(perform(&mut model, row.action, &mut effects), "{} in {place:?}", row.name);
            }
        }
    }
}
