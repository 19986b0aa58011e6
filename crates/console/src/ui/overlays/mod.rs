//! What lies over a pane: dialogs, forms, help, palette, and the filter line.
//!
//! Invariant: the default of every dialog is No, and nothing pasted or typed ahead can say Yes.

use std::time::Duration;

use ratatui::layout::Rect;
use tui_input::{Input, InputRequest};

use skydeck_core::domain::event::Event;
use skydeck_core::domain::run::RunState;

use super::cells::Pen;
use super::format::fill;
use super::keymap::{Action, Scope};
use super::model::Model;
use super::msg::{Code, Effect, Key, PASTE, Unpasted};
use super::skin::Role;

pub mod ask;
pub mod compare;
pub mod confirm;
pub mod filter;
pub mod form;
pub mod help;
pub mod palette;
pub mod retry;

/// How long a dialog must stand before it hears a Yes: keys queued before it opened are not meant for it.
pub(crate) const UNREAD: Duration = Duration::from_millis(400);

/// What is open.
pub(crate) enum Overlay {
    Help(usize),
    Notices(usize),
    Ask(ask::Ask),
    Confirm(confirm::Confirm),
    Form(form::Form),
    Filter(filter::Line),
    Palette(palette::Palette),
    Retry(retry::Retry),
    Compare(compare::Compare),
}

/// Edits a line; `true` when the key was for it.
pub(crate) fn edit(input: &mut Input, key: Key) -> bool {
    let request = match (key.code, key.ctrl, key.alt) {
        (Code::Char('a'), true, _) | (Code::Home, ..) => InputRequest::GoToStart,
        (Code::Char('e'), true, _) | (Code::End, ..) => InputRequest::GoToEnd,
        (Code::Char('u'), true, _) => InputRequest::DeleteLine,
        (Code::Char('w'), true, _) => InputRequest::DeletePrevWord,
        (Code::Char('k'), true, _) => InputRequest::DeleteTillEnd,
        (Code::Char('h'), true, _) | (Code::Backspace, ..) => InputRequest::DeletePrevChar,
        (Code::Delete, ..) => InputRequest::DeleteNextChar,
        (Code::Left, true, _) => InputRequest::GoToPrevWord,
        (Code::Right, true, _) => InputRequest::GoToNextWord,
        (Code::Left, ..) => InputRequest::GoToPrevChar,
        (Code::Right, ..) => InputRequest::GoToNextChar,
        (Code::Char(c), false, false) => InputRequest::InsertChar(c),
        _ => return false,
    };
    input.handle(request);
    true
}

/// Pasted text as one line, without control characters.
fn insert(input: &mut Input, text: &str) {
    for c in text.chars() {
        let c = if c.is_whitespace() { ' ' } else { c };
        if !c.is_control() {
            input.handle(InputRequest::InsertChar(c));
        }
    }
}

/// Whether what is typed now is text.
pub(crate) fn takes_text(model: &Model) -> bool {
    match &model.overlay {
        Some(Overlay::Filter(_) | Overlay::Palette(_)) => true,
        Some(Overlay::Form(form)) => form.takes_text(),
        Some(Overlay::Confirm(confirm)) => confirm.takes_text(model),
        Some(Overlay::Help(_) | Overlay::Notices(_) | Overlay::Ask(_) | Overlay::Retry(_) | Overlay::Compare(_))
        | None => false,
    }
}

/// A paste that is not used is said: half a reason or a filter cut short would mean something else.
pub(crate) fn not_pasted(model: &mut Model, why: Unpasted) {
    let words = match why {
        Unpasted::TooLong => fill(model.t().paste_too_long, &[&PASTE.to_string()]),
        Unpasted::Cut => model.t().paste_cut.to_owned(),
    };
    model.note(true, words);
}

/// Paste goes to an open line of text; dialogs that ask for a confirmation ignore it.
pub(crate) fn paste(model: &mut Model, text: &str) {
    if takes_text(model) && text.chars().nth(PASTE).is_some() {
        return not_pasted(model, Unpasted::TooLong);
    }
    match &mut model.overlay {
        Some(Overlay::Filter(line)) => {
            insert(&mut line.input, text);
            line.check();
        }
        Some(Overlay::Form(form)) => form.paste(text),
        Some(Overlay::Palette(palette)) => {
            insert(&mut palette.input, text);
            palette::refresh(model);
        }
        _ => return,
    }
    model.touch();
}

/// A key while something is open.
pub(crate) fn key(model: &mut Model, key: Key, effects: &mut Vec<Effect>) {
    match key {
        k if k == Key::ctrl('l') => return effects.push(Effect::Redraw),
        k if k == Key::ctrl('z') => return effects.push(Effect::Suspend),
        _ => {}
    }
    let Some(overlay) = model.overlay.take() else { return };
    let quitting = matches!(&overlay, Overlay::Ask(ask) if ask.what == ask::What::Quit);
    let key = if key == Key::ctrl('c') && !quitting { Key::plain(Code::Esc) } else { key };
    let back = match overlay {
        Overlay::Help(top) => help::scrolled(top, key).map(Overlay::Help),
        Overlay::Notices(top) => help::scrolled(top, key).map(Overlay::Notices),
        Overlay::Ask(ask) => ask::key(model, ask, key, effects),
        Overlay::Confirm(confirm) => confirm::key(model, confirm, key, effects),
        Overlay::Form(form) => form::key(model, form, key, effects),
        Overlay::Filter(line) => filter::key(model, line, key, effects),
        Overlay::Palette(palette) => palette::key(model, palette, key, effects),
        Overlay::Retry(retry) => retry::key(model, retry, key, effects),
        Overlay::Compare(compare) => compare::key(model, compare, key),
    };
    // What a key opened stays; otherwise what was there comes back.
    if model.overlay.is_none() {
        model.overlay = back;
    }
}

/// The wheel over an overlay.
pub(crate) fn scroll(model: &mut Model, rows: i64) {
    if let Some(Overlay::Help(top) | Overlay::Notices(top)) = &mut model.overlay {
        *top = usize::try_from(*top as i64 + rows).unwrap_or(0);
    }
}

/// Whether a key says Yes or No to a dialog, and whether it may be heard yet.
pub(crate) fn answer(model: &Model, opened: skydeck_core::domain::time::Ts, key: Key) -> Option<Action> {
    let action = model.keymap.action(Scope::Dialog, key)?;
    if action != Action::No && model.now.since(opened) < UNREAD {
        return None;
    }
    Some(action)
}

/// Opens what an action asks for.
pub(crate) fn open(model: &mut Model, action: Action, effects: &mut Vec<Effect>) {
    model.overlay = match action {
        Action::Help => Some(Overlay::Help(0)),
        Action::Notices => Some(Overlay::Notices(0)),
        Action::Palette => Some(Overlay::Palette(palette::Palette::new(model))),
        Action::Filter => Some(Overlay::Filter(filter::Line::new(model))),
        Action::Approve => model.run.and_then(|run| confirm::Confirm::new(model, run)).map(Overlay::Confirm),
        Action::Compare => compare::open(model).map(Overlay::Compare),
        Action::Stop => model.run.map(|run| Overlay::Ask(ask::Ask::new(ask::What::Stop(run), model.now))),
        Action::Retry | Action::Verify => retry::open(model, action == Action::Verify, effects).map(Overlay::Retry),
        _ => form::Form::new(model, action).map(Overlay::Form),
    };
}

/// Dialogs that open by themselves: a set of ours to approve, an interrupted run.
pub(crate) fn open_waiting(model: &mut Model) {
    if model.overlay.is_some() {
        return;
    }
    let waiting = model.live.open().find(|r| {
        let id = r.row.head.id;
        r.row.state == RunState::AwaitingApproval && model.mine.contains(&id) && !model.asked_approve.contains(&id)
    });
    if let Some(run) = waiting.map(|r| r.row.head.id) {
        model.asked_approve.insert(run);
        super::update::select_run(model, Some(run));
        model.overlay = confirm::Confirm::new(model, run).map(Overlay::Confirm);
        model.touch();
        return;
    }
    let broken = model
        .live
        .open()
        .find(|r| r.row.state == RunState::Interrupted && !model.asked_resume.contains(&r.row.head.id));
    if let Some(run) = broken.map(|r| r.row.head.id) {
        model.asked_resume.insert(run);
        super::update::select_run(model, Some(run));
        model.overlay = Some(Overlay::Ask(ask::Ask::new(ask::What::Resume(run), model.now)));
        model.touch();
    }
}

/// Closes a dialog about a run that somebody else has dealt with meanwhile, and says who.
pub(crate) fn outlived(model: &mut Model, event: &Event) {
    let run = match &model.overlay {
        Some(Overlay::Confirm(confirm)) => confirm.run,
        Some(Overlay::Ask(ask::Ask { what: ask::What::Stop(run) | ask::What::Resume(run), .. })) => *run,
        _ => return,
    };
    if event.run() != Some(run) {
        return;
    }
    let Some(state) = model.live.runs.get(&run).map(|r| &r.row.state) else { return };
    let stands = match &model.overlay {
        Some(Overlay::Confirm(_)) => *state == RunState::AwaitingApproval,
        Some(Overlay::Ask(ask::Ask { what: ask::What::Resume(_), .. })) => {
            matches!(state, RunState::Interrupted | RunState::Paused(_))
        }
        _ => !state.is_closed(),
    };
    if stands {
        return;
    }
    model.overlay = None;
    if let Event::RunApproved { by, .. } | Event::RunResumed { by, .. } = event {
        let words = crate::ui::format::fill(model.t().quicker, &[&crate::ui::words::shown(&by.to_string())]);
        model.note(false, words);
    }
}

/// Draws what is open; gives where the caret stands.
pub(crate) fn draw(model: &Model, pen: &mut Pen<'_>) -> Option<(u16, u16)> {
    match model.overlay.as_ref()? {
        Overlay::Help(top) => help::draw(model, pen, *top),
        Overlay::Notices(top) => help::draw_notices(model, pen, *top),
        Overlay::Ask(ask) => ask::draw(model, pen, ask),
        Overlay::Confirm(confirm) => return confirm::draw(model, pen, confirm),
        Overlay::Form(form) => return form::draw(model, pen, form),
        Overlay::Filter(_) => return None,
        Overlay::Palette(palette) => return palette::draw(model, pen, palette),
        Overlay::Retry(retry) => retry::draw(model, pen, retry),
        Overlay::Compare(compare) => compare::draw(model, pen, compare),
    }
    None
}

/// A box of this size in the middle of the screen.
pub(crate) fn middle(pen: &Pen<'_>, w: u16, h: u16) -> Rect {
    let area = pen.area();
    let (w, h) = (w.min(area.width), h.min(area.height));
    Rect::new(area.x + (area.width - w) / 2, area.y + (area.height - h) / 2, w, h)
}

/// A line of text being edited, scrolled so that the caret is in view; gives the caret.
pub(crate) fn draw_input(pen: &mut Pen<'_>, x: u16, y: u16, w: u16, input: &Input) -> Option<(u16, u16)> {
    if w < 2 {
        return None;
    }
    let shown = skydeck_core::text::show(input.value(), 10_000);
    // Where the caret stands, in this terminal's cells.
    let before: String = input.value().chars().take(input.cursor()).collect();
    let caret = pen.glyphs.width(&before);
    let skip = caret.saturating_sub(usize::from(w) - 1);
    let mut text = String::new();
    let mut at = 0;
    for g in unicode_segmentation::UnicodeSegmentation::graphemes(shown.as_str(), true) {
        if at >= skip {
            text.push_str(g);
        }
        at += pen.glyphs.width(g);
    }
    let text = pen.glyphs.head(&text, usize::from(w));
    let used = pen.text(x, y, w, Role::Input, &text);
    for i in used..w {
        pen.text(x + i, y, 1, Role::Input, " ");
    }
    Some((x + (caret - skip) as u16, y))
}

/// Lines of a dialog, then its keys in the bottom line; gives the inside.
pub(crate) fn dialog(
    model: &Model,
    pen: &mut Pen<'_>,
    role: Role,
    title: &str,
    lines: &[Vec<(Role, String)>],
    keys: &[(String, &str)],
    extra: u16,
) -> Rect {
    let width = |line: &Vec<(Role, String)>| line.iter().map(|(_, t)| pen.glyphs.width(t)).sum::<usize>();
    let keys_width: usize = keys.iter().map(|(k, t)| pen.glyphs.width(k) + pen.glyphs.width(t) + 3).sum();
    let widest = lines.iter().map(width).chain([pen.glyphs.width(title) + 6, keys_width, 44]).max().unwrap_or(44);
    let w = (widest as u16).saturating_add(4).min(model.size.0.saturating_sub(2)).max(24);
    let h = lines.len() as u16 + extra + 4;
    let inside = {
        let area = middle(pen, w, h.min(model.size.1));
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
        used += pen.text(x + used, y, w - used, Role::Key, key) + 1;
        used += pen.text(x + used, y, w - used, Role::Text, text) + 2;
    }
}
