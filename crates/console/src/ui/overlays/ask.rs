//! Questions with Yes and No: quit while a run is at work, stop a run, resume an interrupted one.

use crate::ui::cells::Pen;
use crate::ui::format::fill;
use crate::ui::keymap::Action;
use crate::ui::model::{Model, Sent};
use crate::ui::msg::{Code, Effect, Key};
use crate::ui::skin::Role;
use crate::ui::update::{at_work, submit};
use crate::ui::words;
use skydeck_core::domain::command::Command;
use skydeck_core::domain::ids::RunId;
use skydeck_core::domain::run::RunState;
use skydeck_core::domain::time::Ts;

use super::{Overlay, answer, dialog};

/// What is asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum What {
    Quit,
    Stop(RunId),
    Resume(RunId),
}

/// A question.
pub(crate) struct Ask {
    pub what: What,
    pub opened: Ts,
}

impl Ask {
    pub fn new(what: What, now: Ts) -> Self {
        Self { what, opened: now }
    }
}

pub(crate) fn key(model: &mut Model, ask: Ask, key: Key, effects: &mut Vec<Effect>) -> Option<Overlay> {
    // Ctrl-C twice quits.
    let insists = ask.what == What::Quit && key == Key::ctrl('c');
    match answer(model, ask.opened, key) {
        Some(Action::Yes) => {}
        Some(Action::No) => return None,
        _ if insists => {}
        _ if key.code == Code::Enter && model.now.since(ask.opened) >= super::UNREAD => return None,
        _ => return Some(Overlay::Ask(ask)),
    }
    let t = model.t();
    match ask.what {
        What::Quit => effects.push(Effect::Quit),
        What::Stop(run) => {
            let state = model.live.runs.get(&run).map(|r| r.row.state.clone());
            let (command, said) = match state {
                Some(RunState::AwaitingApproval) => (Command::Decline { run }, t.declined),
                _ => (Command::Cancel { run }, t.stopping),
            };
            submit(model, command, Sent::Said(said.to_owned()), effects);
        }
        What::Resume(run) => {
            submit(model, Command::Resume { run }, Sent::Said(t.resuming.to_owned()), effects);
        }
    }
    None
}

pub(crate) fn draw(model: &Model, pen: &mut Pen<'_>, ask: &Ask) {
    let t = model.t();
    let run = match ask.what {
        What::Stop(run) | What::Resume(run) => model.live.runs.get(&run),
        What::Quit => None,
    };
    let text = |s: &str| vec![(Role::Text, s.to_owned())];
    let mut lines = Vec::new();
    if let Some(run) = run {
        lines.push(vec![(Role::Title, words::plan_name(model, &run.row.head.plan, &run.row.head.name))]);
        lines.push(words::sum(model, &run.row, model.size.0.saturating_sub(8)));
        lines.push(Vec::new());
    }
    let title = match ask.what {
        What::Quit => {
            // The question is moot once the run has ended.
            if at_work(model) {
                lines.extend([text(t.quit_busy), text(t.quit_busy_2)]);
            } else {
                lines.push(text(t.quit_idle));
            }
            t.quit_title
        }
        What::Stop(_) => {
            let in_flight = run.map_or(0, |r| r.in_flight.len());
            if run.is_some_and(|r| r.row.state == RunState::AwaitingApproval) {
                lines.push(text(t.decline_what));
            } else {
                lines.push(text(&fill(t.stop_what, &[&in_flight.to_string()])));
                lines.push(text(t.stop_what_2));
            }
            t.stop_title
        }
        What::Resume(_) => {
            lines.extend([text(t.resume_what), text(t.resume_what_2)]);
            t.resume_title
        }
    };
    lines.push(Vec::new());
    let keys = [
        (model.keymap.key(Action::Yes), model.lang.action(Action::Yes).0),
        (model.keymap.all_keys(Action::No), t.no_default),
    ];
    dialog(model, pen, Role::Warning, title, &lines, &keys, 0);
}
