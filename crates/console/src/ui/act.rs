//! From keys to what the operator meant, and doing it.
//!
//! Invariant: one function, [`possible`], says what can be done now; footer, help, palette and keys all ask it.

use skydeck_core::domain::command::{Command, Selection, StartParams};
use skydeck_core::domain::filter::{Filter, Key as FilterKey, Term, Test};
use skydeck_core::domain::query::Scope;
use skydeck_core::domain::reason::Reason;
use skydeck_core::domain::run::RunState;

use super::format::fill;
use super::keymap::{self, Action, COUNTED, TABLE};
use super::layout;
use super::model::{Model, Pane, Sent};
use super::msg::{Code, Effect, Key};
use super::overlays::{self, Overlay};
use super::panes::ledger::{GroupId, LedgerPane};
use super::update::{at_work, select_run, submit};
use super::words;

/// Largest count; as many bills as the history is made for.
const MOST_COUNT: u64 = 9_999_999;

/// Whether a character means itself: in a text, or because the operator gave it a meaning. Elsewhere what an input
/// method wrote is the key it was made of.
pub(crate) fn means_itself(model: &Model, key: Key) -> bool {
    let scope = if model.overlay.is_some() { keymap::Scope::Dialog } else { model.pane.scope() };
    overlays::takes_text(model) || model.keymap.action(scope, key).is_some()
}

/// A key was pressed.
pub(crate) fn key(model: &mut Model, key: Key, effects: &mut Vec<Effect>) {
    if model.overlay.is_some() {
        model.count = None;
        return overlays::key(model, key, effects);
    }
    if counting(model, key) {
        return;
    }
    match model.keymap.action(model.pane.scope(), key) {
        Some(Action::Count) => begin_count(model, key),
        // Half a count before a key that does something else is a slip of the hand: nothing is done.
        Some(action) if model.count.is_some() && !COUNTED.contains(&action) => {
            let text = fill(model.t().count_none, &[model.lang.action(action).0]);
            model.note(false, text);
            model.count = None;
        }
        Some(action) if possible(model, action) => perform(model, action, effects),
        Some(action) => {
            let text = fill(model.t().not_now, &[model.lang.action(action).0]);
            model.note(false, text);
            model.count = None;
        }
        None => {
            model.count = None;
            known_elsewhere(model, key);
        }
    }
}

/// Says of a key that means something in other panes alone where that is.
fn known_elsewhere(model: &mut Model, key: Key) {
    let Some((action, panes)) = model.keymap.elsewhere(model.pane.scope(), key) else { return };
    let panes: Vec<&str> = panes.into_iter().map(|pane| model.lang.scope(pane)).collect();
    let between = if model.lang == super::config::Lang::Zh { "、" } else { ", " };
    let text = fill(model.t().not_here, &[model.lang.action(action).0, &panes.join(between)]);
    model.note(false, text);
}

/// A count begins; the digit it was begun with is its first.
fn begin_count(model: &mut Model, key: Key) {
    model.count = Some(0);
    counting(model, key);
}

/// Takes a key into the count that is being typed; `false` when it is not for it.
fn counting(model: &mut Model, key: Key) -> bool {
    let Some(n) = model.count else { return false };
    model.count = match key.code {
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

/// Whether an action can be done now.
pub(crate) fn possible(model: &Model, action: Action) -> bool {
    let run = model.run_live();
    let state = run.map(|r| &r.row.state);
    let selected = || model.all_marked || !model.marks.is_empty() || model.bill_here().is_some() || on_group(model);
    match action {
        Action::Run | Action::RunWith => {
            model.plan_row().is_some_and(|p| p.plan.is_ok())
                && model.plan.as_ref().is_some_and(|p| model.live.open_run_of(p).is_none())
        }
        Action::Approve => matches!(state, Some(RunState::AwaitingApproval)),
        Action::Pause => {
            matches!(state, Some(RunState::Working | RunState::Settling | RunState::Paused(_) | RunState::Interrupted))
        }
        Action::Stop => state.is_some_and(|s| !s.is_closed()),
        Action::Pace => model.env().is_some(),
        Action::Unlock => model.env().is_some_and(|env| env.read_only),
        Action::Retry | Action::Verify | Action::Resolve => selected(),
        Action::Mark => model.bill_here().is_some(),
        Action::MarkAll => model.list_scope().is_some() && !model.all_marked,
        Action::Unmark => model.all_marked || !model.marks.is_empty(),
        Action::ClearFilter => model.filter().is_some_and(|f| !f.is_empty()),
        Action::Open => match model.pane {
            Pane::Plans => model.run.is_some(),
            Pane::Queue | Pane::Results => model.bill_here().is_some(),
            Pane::Ledger => !model.ledger.groups.is_empty(),
            Pane::History => model.history.current().is_some() || model.found.current().is_some(),
            Pane::Bill => true,
            Pane::Log => false,
        },
        Action::Export => model.list_scope().is_some(),
        Action::Compare | Action::JumpDate => model.history_filter.is_empty() && model.history.current().is_some(),
        Action::Copy => copy_text(model).is_some(),
        Action::Count => copy_text(model).is_some() || on_group(model),
        Action::NextRun | Action::PrevRun => model.known_runs().iter().any(|run| Some(*run) != model.run),
        Action::Fold => match model.pane {
            Pane::Ledger => !model.ledger.unfolded.is_empty(),
            Pane::Bill => true,
            Pane::Plans | Pane::Queue | Pane::Results | Pane::History | Pane::Log => false,
        },
        Action::Raw => model.bill.key.is_some(),
        Action::Freeze => run.is_some() || model.frozen.is_some(),
        _ => true,
    }
}

fn on_group(model: &Model) -> bool {
    model.pane == Pane::Ledger && !model.ledger.in_entries && model.ledger.group().is_some()
}

/// Does it.
pub(crate) fn perform(model: &mut Model, action: Action, effects: &mut Vec<Effect>) {
    let count = model.count.take().filter(|n| *n > 0);
    let n = count.unwrap_or(1).min(MOST_COUNT) as i64;
    match action {
        Action::Down => step(model, n),
        Action::Up => step(model, -n),
        Action::HalfDown => step(model, n * (page(model) / 2).max(1)),
        Action::HalfUp => step(model, -n * (page(model) / 2).max(1)),
        Action::PageDown => step(model, n * page(model)),
        Action::PageUp => step(model, -n * page(model)),
        Action::First | Action::Last => match count {
            Some(n) => to_row(model, n),
            None => ends(model, action == Action::Last),
        },
        Action::Count => model.count = Some(0),
        Action::Open => open(model),
        Action::Fold => fold(model),
        Action::Plans => go(model, Pane::Plans),
        Action::Queue => go(model, Pane::Queue),
        Action::Results => go(model, Pane::Results),
        Action::Ledger => go(model, Pane::Ledger),
        Action::History => go(model, Pane::History),
        Action::Bill => {
            if let Some((key, _)) = model.bill_here() {
                model.bill.open(key);
            }
            go(model, Pane::Bill)
        }
        Action::Log => go(model, Pane::Log),
        Action::NextPane => turn(model, 1),
        Action::PrevPane => turn(model, Pane::ALL.len() - 1),
        Action::Back => back(model),
        Action::NextRun | Action::PrevRun => {
            // A turn around the runs changes nothing.
            for _ in 0..n.min(model.known_runs().len() as i64) {
                other_run(model, action == Action::NextRun);
            }
        }
        Action::Zoom => model.zoom = !model.zoom,
        Action::Freeze => {
            model.frozen = if model.frozen.is_some() { None } else { Some(Box::new(model.live.clone())) };
            if model.frozen.is_none() {
                model.results.spoil();
            }
        }
        Action::Language => {
            model.lang = match model.lang {
                super::config::Lang::Zh => super::config::Lang::En,
                super::config::Lang::En => super::config::Lang::Zh,
            };
            let words = super::panes::bill::Words { lang: model.lang, causes: &model.causes, zone: model.zone };
            model.bill.reword(&words);
        }
        Action::Redraw => effects.push(Effect::Redraw),
        Action::Suspend => effects.push(Effect::Suspend),
        Action::Quit => {
            if at_work(model) && !model.detachable {
                model.overlay = Some(Overlay::Ask(overlays::ask::Ask::new(overlays::ask::What::Quit, model.now)));
            } else {
                effects.push(Effect::Quit);
            }
        }
        Action::Mark => match count {
            Some(n) => mark_many(model, n),
            None => mark(model),
        },
        Action::MarkAll => {
            model.all_marked = true;
            model.marks.clear();
        }
        Action::Unmark => {
            model.all_marked = false;
            model.marks.clear();
        }
        Action::ClearFilter => overlays::filter::set(model, Filter::default()),
        Action::Copy => {
            if let Some(text) = copy_text(model) {
                effects.push(Effect::Copy(text));
            }
        }
        Action::Run => {
            if let Some(plan) = model.plan.clone() {
                submit(model, Command::Start { plan, params: StartParams::default() }, Sent::Opens, effects);
            }
        }
        Action::Pause => pause(model, effects),
        Action::Reload => submit(model, Command::ReloadPlans, Sent::Said(model.t().reloading.to_owned()), effects),
        Action::Raw => {
            let words = super::panes::bill::Words { lang: model.lang, causes: &model.causes, zone: model.zone };
            model.bill.toggle_all(&words);
        }
        Action::Unlock => unlock(model, effects),
        Action::Help
        | Action::Palette
        | Action::Notices
        | Action::Filter
        | Action::Export
        | Action::Compare
        | Action::JumpDate
        | Action::RunWith
        | Action::Approve
        | Action::Stop
        | Action::Pace
        | Action::Retry
        | Action::Verify
        | Action::Resolve => overlays::open(model, action, effects),
        Action::Yes | Action::No | Action::Flags | Action::Revision => {}
    }
}

fn unlock(model: &mut Model, effects: &mut Vec<Effect>) {
    let Some(env) = model.env().cloned() else { return };
    if env.always_read_only {
        let why = Reason::AlwaysReadOnly { env: env.id };
        model.note(true, words::reason_words(model, &why));
    } else if !env.read_only {
        model.note(false, fill(model.t().not_read_only, &[env.id.as_str()]));
    } else if model.unlocked_for(&env.id).is_some() {
        submit(model, Command::Lock { env: env.id }, Sent::Said(model.t().locked.to_owned()), effects);
    } else {
        overlays::open(model, Action::Unlock, effects);
    }
}

fn pause(model: &mut Model, effects: &mut Vec<Effect>) {
    let Some((run, state)) = model.run_live().map(|r| (r.row.head.id, r.row.state.clone())) else { return };
    let (command, said) = match state {
        RunState::Paused(_) | RunState::Interrupted => (Command::Resume { run }, model.t().resuming),
        _ => (Command::Pause { run }, model.t().pausing),
    };
    submit(model, command, Sent::Said(said.to_owned()), effects);
}

/// Shows another pane.
pub(crate) fn go(model: &mut Model, pane: Pane) {
    if model.pane != pane {
        model.came_from.retain(|p| *p != pane);
        model.came_from.push(model.pane);
        model.pane = pane;
        model.touch();
    }
    if pane == Pane::Queue && model.run_live().is_none_or(|r| r.row.state.is_closed()) {
        let open = model.live.open().next().map(|r| r.row.head.id);
        select_run(model, open.or(model.run));
    }
    if pane == Pane::Results {
        // A plan that never ran shows none; the newest of the others is nearer than an empty page.
        let run = model.run.or_else(|| model.known_runs().last().copied());
        select_run(model, run);
    }
}

fn turn(model: &mut Model, by: usize) {
    let at = Pane::ALL.iter().position(|p| *p == model.pane).unwrap_or(0);
    if let Some(pane) = Pane::ALL.get((at + by) % Pane::ALL.len()) {
        go(model, *pane);
        model.came_from.clear();
    }
}

/// One step back: unfold, marks, zoom, then the pane before. Never quits.
fn back(model: &mut Model) {
    if model.history_goal.take().is_some() {
        return;
    }
    let window = match model.pane {
        Pane::Results => Some(&mut model.results),
        Pane::Ledger => model.ledger.unfolded.values_mut().find(|w| w.is_busy()),
        Pane::History if model.history_filter.is_empty() => {
            return if model.history.is_busy() { model.history.halt() } else { back_further(model) };
        }
        Pane::History => Some(&mut model.found),
        _ => None,
    };
    if let Some(window) = window.filter(|w| w.is_busy()) {
        return window.halt();
    }
    back_further(model);
}

fn back_further(model: &mut Model) {
    if model.pane == Pane::Ledger && !model.ledger.unfolded.is_empty() {
        return fold(model);
    }
    if model.all_marked || !model.marks.is_empty() {
        model.all_marked = false;
        model.marks.clear();
    } else if model.zoom {
        model.zoom = false;
    } else if let Some(pane) = model.came_from.pop() {
        model.pane = pane;
    }
}

fn other_run(model: &mut Model, newer: bool) {
    let ids = model.known_runs();
    let from = model.run;
    let to = if newer {
        ids.iter().find(|id| from.is_some_and(|from| **id > from))
    } else {
        ids.iter().rev().find(|id| from.is_none_or(|from| **id < from))
    };
    match to.copied() {
        Some(run) => select_run(model, Some(run)),
        None => model.note(false, model.t().no_run_further),
    }
}

fn page(model: &Model) -> i64 {
    match model.pane {
        Pane::Results => model.results.page(),
        Pane::History => model.history.page(),
        Pane::Log => model.log.page(),
        _ => layout::parts(model).map_or(1, |p| i64::from(p.list.height.saturating_sub(1)).max(1)),
    }
}

fn moved<T: Clone>(items: &[T], at: usize, by: i64) -> Option<T> {
    let last = items.len() as i64 - 1;
    items.get((at as i64).saturating_add(by).clamp(0, last.max(0)) as usize).cloned()
}

/// Moves the cursor of the present list.
pub(crate) fn step(model: &mut Model, by: i64) {
    match model.pane {
        Pane::Plans => {
            let ids: Vec<_> = model.plans.iter().map(|p| super::model::plan_id(p).clone()).collect();
            model.plan = moved(&ids, model.plan_index(), by).or_else(|| model.plan.take());
        }
        Pane::Queue => super::panes::queue::step(model, by),
        Pane::Results => model.results.step(by),
        Pane::Ledger => {
            let before = model.ledger.at.clone();
            if by.abs() == 1 {
                model.ledger.walk(by > 0);
            } else if model.ledger.in_entries {
                if let Some(window) = model.ledger.entries_mut() {
                    window.step(by);
                }
            } else {
                let ids: Vec<_> = model.ledger.groups.iter().map(LedgerPane::group_id).collect();
                model.ledger.at = moved(&ids, model.ledger.index(), by);
            }
            model.all_marked &= before == model.ledger.at;
        }
        Pane::History if model.history_filter.is_empty() => model.history.step(by),
        Pane::History => model.found.step(by),
        Pane::Bill => model.bill.step(by),
        Pane::Log => model.log.step(by),
    }
    model.touch();
}

fn ends(model: &mut Model, last: bool) {
    let far = if last { i64::from(i32::MAX) } else { -i64::from(i32::MAX) };
    match (model.pane, last) {
        (Pane::Results, true) => model.results.end(),
        (Pane::Results, false) => model.results.home(),
        (Pane::Ledger, _) if model.ledger.in_entries => {
            if let Some(window) = model.ledger.entries_mut() {
                if last { window.end() } else { window.home() }
            }
        }
        (Pane::History, true) if model.history_filter.is_empty() => model.history.end(),
        (Pane::History, false) if model.history_filter.is_empty() => model.history.home(),
        (Pane::History, true) => model.found.end(),
        (Pane::History, false) => model.found.home(),
        (Pane::Log, true) => model.log.end(),
        (Pane::Log, false) => model.log.home(),
        _ => step(model, far),
    }
}

fn open(model: &mut Model) {
    match model.pane {
        Pane::Plans => {
            let busy = model.run_live().is_some_and(|r| !r.row.state.is_closed());
            go(model, if busy { Pane::Queue } else { Pane::Results });
        }
        Pane::Ledger if model.ledger.entries().is_none() => {
            if let Some(id) = model.ledger.group().map(LedgerPane::group_id) {
                model.ledger.unfolded.insert(id.clone(), super::window::Window::default());
                model.ledger.at = Some(id);
                model.ledger.in_entries = true;
            }
        }
        Pane::Ledger if !model.ledger.in_entries => model.ledger.in_entries = true,
        Pane::History if model.history_filter.is_empty() => {
            if let Some(row) = model.history.current().cloned() {
                let id = row.head.id;
                model.stored = Some(Box::new(row));
                select_run(model, Some(id));
                go(model, Pane::Results);
            }
        }
        Pane::Bill => {
            let words = super::panes::bill::Words { lang: model.lang, causes: &model.causes, zone: model.zone };
            model.bill.toggle(&words);
        }
        _ => {
            if let Some((key, _)) = model.bill_here() {
                model.bill.open(key);
                go(model, Pane::Bill);
            }
        }
    }
}

fn fold(model: &mut Model) {
    match model.pane {
        Pane::Ledger => {
            // The group under the cursor; when it is folded already, all others.
            let at = model.ledger.at.clone();
            if at.is_none_or(|at| model.ledger.unfolded.remove(&at).is_none()) {
                model.ledger.unfolded.clear();
            }
            model.ledger.in_entries = false;
            model.all_marked = false;
        }
        Pane::Bill => {
            let words = super::panes::bill::Words { lang: model.lang, causes: &model.causes, zone: model.zone };
            model.bill.fold(&words);
        }
        _ => {}
    }
}

fn mark(model: &mut Model) {
    let Some((key, no)) = model.bill_here() else { return };
    model.all_marked = false;
    if model.marks.remove(&key).is_none() {
        model.marks.insert(key, no);
    }
    step(model, 1);
}

/// Marks as many rows as were counted, from the cursor on; where the list in memory ends earlier, that is said.
fn mark_many(model: &mut Model, n: u64) {
    model.all_marked = false;
    let mut marked = 0;
    while let Some((key, no)) = model.bill_here() {
        let here = key.clone();
        model.marks.insert(key, no);
        marked += 1;
        if marked == n {
            step(model, 1);
            return;
        }
        step(model, 1);
        if model.bill_here().is_none_or(|(key, _)| key == here) {
            break;
        }
    }
    let text = fill(model.t().marked_fewer, &[&marked.to_string(), &n.to_string()]);
    model.note(false, text);
}

/// Goes to the row with this number, from 1; to the last one where there are fewer.
fn to_row(model: &mut Model, n: u64) {
    let from_here = |at: usize| n as i64 - 1 - at as i64;
    match model.pane {
        Pane::Plans => step(model, from_here(model.plan_index())),
        Pane::Queue => {
            ends(model, false);
            let at = super::panes::queue::index(model).unwrap_or(0);
            if from_here(at) != 0 {
                step(model, from_here(at));
            }
        }
        Pane::Results => model.results.go(n),
        Pane::Ledger if model.ledger.in_entries => {
            if let Some(window) = model.ledger.entries_mut() {
                window.go(n);
            }
        }
        Pane::Ledger => {
            let ids: Vec<_> = model.ledger.groups.iter().map(LedgerPane::group_id).collect();
            model.ledger.at = moved(&ids, model.ledger.index(), from_here(model.ledger.index()));
        }
        Pane::History if model.history_filter.is_empty() => model.history.go(n),
        Pane::History => model.found.go(n),
        Pane::Bill => {
            model.bill.step(-i64::from(i32::MAX));
            model.bill.step(n as i64 - 1);
        }
        Pane::Log => model.log.go(n),
    }
    model.touch();
}

/// The ledger's filter narrowed to one group.
pub(crate) fn group_filter(model: &Model, (slot, group): &GroupId) -> Filter {
    let mut filter = model.ledger_filter.clone();
    let is = |key, word: &str| Term { not: false, test: Test::Is(key, vec![word.to_owned()]) };
    filter.terms.push(is(FilterKey::Status, slot));
    filter.terms.push(is(FilterKey::Cause, group));
    filter
}

/// Which bills an order is about, and how that is said: all that match, the marked ones, the group, the one under
/// the cursor.
pub(crate) fn selection(model: &Model) -> Option<(Selection, String)> {
    let t = model.t();
    let matching = |run, filter: Filter| Selection::Matching { plan: None, run, filter };
    let run = match model.list_scope() {
        Some(Scope::Run(run)) => Some(run),
        _ => None,
    };
    if model.all_marked {
        let filter = match &model.ledger.at {
            Some(at) if model.pane == Pane::Ledger && model.ledger.entries().is_some() => group_filter(model, at),
            _ => model.filter()?.clone(),
        };
        let said = if filter.is_empty() { t.all_unresolved.to_owned() } else { filter.to_string() };
        return Some((matching(run, filter), said));
    }
    if !model.marks.is_empty() {
        let keys: Vec<_> = model.marks.keys().cloned().collect();
        let said = fill(t.n_marked, &[&keys.len().to_string()]);
        return Some((Selection::Bills(keys), said));
    }
    if on_group(model) {
        let group = model.ledger.group()?;
        let label = super::words::group(&model.causes, model.lang, group.slot, &group.group);
        return Some((matching(None, group_filter(model, &LedgerPane::group_id(group))), fill(t.group_of, &[&label])));
    }
    model
        .bill_here()
        .map(|(key, no)| (Selection::Bills(vec![key]), skydeck_core::text::show(&no, 200).as_str().to_owned()))
}

/// What `y` copies: the number of the bill, or of what is under the cursor.
fn copy_text(model: &Model) -> Option<String> {
    let raw = match model.pane {
        Pane::Plans => model.plan.as_ref()?.as_str().to_owned(),
        Pane::Log => model.log.current().map(|(_, _, e)| e.result.clone())?,
        Pane::History if model.history_filter.is_empty() => model.history.current()?.head.id.to_string(),
        Pane::Bill => model.bill.copy()?,
        _ if !model.marks.is_empty() => model.marks.values().cloned().collect::<Vec<_>>().join(" "),
        _ => model.bill_here()?.1,
    };
    Some(skydeck_core::text::show(&raw, 100_000).as_str().to_owned())
}

/// A click: the tab line changes the pane, a list row takes the cursor, a second click on it opens it.
pub(crate) fn click(model: &mut Model, x: u16, y: u16, effects: &mut Vec<Effect>) {
    if model.overlay.is_some() {
        return;
    }
    let Some(parts) = layout::parts(model) else { return };
    if y == parts.tabs.y && parts.tabs.height > 0 {
        if let Some(pane) = super::view::tab_at(model, x) {
            go(model, pane);
        }
        return;
    }
    let row = usize::from(y.saturating_sub(parts.list.y + 1));
    if y <= parts.list.y || y >= parts.list.bottom() {
        return;
    }
    let before = model.results.position();
    let hit = match model.pane {
        Pane::Results => model.results.click(row),
        Pane::History if model.history_filter.is_empty() => model.history.click(row),
        Pane::History => model.found.click(row),
        Pane::Log => model.log.click(row),
        Pane::Ledger => {
            let lines = model.ledger.lines(usize::from(parts.list.height.saturating_sub(1)));
            LedgerPane::on_line(&lines, model.ledger.top + row).is_some_and(|(group, entry)| {
                model.ledger.at = model.ledger.groups.get(group).map(LedgerPane::group_id);
                model.ledger.in_entries = entry.is_some();
                model.all_marked = false;
                entry.is_none_or(|row| model.ledger.entries_mut().is_some_and(|w| w.click(row)))
            })
        }
        Pane::Plans => {
            let id = model.plans.get(model.plan_top + row).map(|p| super::model::plan_id(p).clone());
            id.is_some_and(|id| {
                model.plan = Some(id);
                true
            })
        }
        _ => false,
    };
    if hit {
        model.touch();
        if model.pane == Pane::Results && before == model.results.position() {
            perform(model, Action::Open, effects);
        }
    }
}

/// The wheel moves the cursor, or the open overlay.
pub(crate) fn wheel(model: &mut Model, rows: i16) {
    if model.overlay.is_some() {
        overlays::scroll(model, i64::from(rows));
    } else {
        step(model, i64::from(rows));
    }
    model.touch();
}

/// Rows of the table for a place, with whether they are possible now.
pub(crate) fn commands(model: &Model) -> impl Iterator<Item = (&'static super::keymap::Row, bool)> {
    let place = model.pane.scope();
    TABLE.iter().filter(move |row| super::keymap::reaches(row, place)).map(|row| (row, possible(model, row.action)))
}
