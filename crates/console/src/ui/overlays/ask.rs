//! Questions with Yes and No: quit while a run is at work, stop a run, resume an interrupted one.

use crate::ui::cells::Pen;
use crate::ui::desk::Desk;
use crate::ui::format::fill;
use crate::ui::keymap::Action;
use crate::ui::layout::Parts;
use crate::ui::msg::{Code, Effect, Key};
use crate::ui::shared::outbox::Sent;
use crate::ui::skin::Role;
use crate::ui::sum;
use crate::ui::words;
use skydeck_core::domain::command::Command;
use skydeck_core::domain::ids::RunId;
use skydeck_core::domain::run::RunState;
use skydeck_core::domain::time::Ts;

use super::dialog::{UNREAD, answer, dialog};
use super::overlay::{Next, Overlay};

/// What is asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum What {
    Quit,
    Stop(RunId),
    Resume(RunId),
}

/// A question.
pub(super) struct Ask {
    what: What,
    opened: Ts,
}

impl Ask {
    pub fn new(what: What, now: Ts) -> Self {
        Self { what, opened: now }
    }
}

impl Overlay for Ask {
    fn key(&mut self, desk: &mut Desk, key: Key, effects: &mut Vec<Effect>) -> Next {
        let shared = &mut desk.shared;
        // Ctrl-C twice quits.
        let insists = self.takes_interrupt() && key == Key::ctrl('c');
        match answer(shared, self.opened, key) {
            Some(Action::Yes) => {}
            Some(Action::No) => return Next::Close,
            _ if insists => {}
            _ if key.code == Code::Enter && shared.now.since(self.opened) >= UNREAD => return Next::Close,
            _ => return Next::Stay,
        }
        let t = shared.t();
        let (command, said) = match self.what {
            What::Quit => {
                effects.push(Effect::Quit);
                return Next::Close;
            }
            What::Stop(run) => match shared.present.live().runs.get(&run).map(|run| &run.row.state) {
                Some(RunState::AwaitingApproval) => (Command::Decline { run }, Sent::Said(t.declined)),
                _ => (Command::Cancel { run }, Sent::Said(t.stopping)),
            },
            What::Resume(run) => (Command::Resume { run }, Sent::Of(t.resuming)),
        };
        shared.submit(command, said, effects);
        Next::Close
    }

    fn takes_interrupt(&self) -> bool {
        self.what == What::Quit
    }

    fn run(&self) -> Option<RunId> {
        match self.what {
            What::Stop(run) | What::Resume(run) => Some(run),
            What::Quit => None,
        }
    }

    fn stands(&self, state: &RunState) -> bool {
        match self.what {
            What::Resume(_) => matches!(state, RunState::Interrupted | RunState::Paused(_)),
            What::Stop(_) | What::Quit => !state.is_closed(),
        }
    }

    fn draw(&self, desk: &Desk, pen: &mut Pen<'_>, _parts: &Parts) -> Option<(u16, u16)> {
        let (shared, t) = (&desk.shared, desk.shared.t());
        let run = match self.what {
            What::Stop(run) | What::Resume(run) => shared.present.live().runs.get(&run),
            What::Quit => None,
        };
        let text = |s: &str| vec![(Role::Text, s.to_owned())];
        let mut lines = Vec::new();
        if let Some(run) = run {
            lines.push(vec![(Role::Title, words::plan_name(shared, &run.row.head.plan, &run.row.head.name))]);
            lines.push(sum::sum(shared, &run.row, shared.size.0.saturating_sub(8)));
            lines.push(Vec::new());
        }
        let title = match self.what {
            What::Quit => {
                // The question is moot once the run has ended.
                if shared.at_work() {
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
            (shared.setup.keymap.key(Action::Yes), shared.lang.action(Action::Yes).0),
            (shared.setup.keymap.all_keys(Action::No), t.no_default),
        ];
        dialog(shared, pen, Role::Warning, title, &lines, &keys, 0);
        None
    }
}
