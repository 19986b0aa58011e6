//! The confirm ladder: the frozen set, and what must be given to let it be written.
//!
//! Invariant: the hash approved is the hash shown; `Enter` alone never approves.

use tui_input::Input;

use crate::ui::cells::Pen;
use crate::ui::desk::Desk;
use crate::ui::format::{self, fill};
use crate::ui::keymap::{Action, Scope};
use crate::ui::layout::Parts;
use crate::ui::msg::{Code, Effect, Key};
use crate::ui::run_words;
use crate::ui::shared::outbox::{Asked, Sent};
use crate::ui::shared::{Shared, plan_id};
use crate::ui::skin::Role;
use crate::ui::words;
use skydeck_core::domain::command::Command;
use skydeck_core::domain::confirm::{ConfirmationLevel, confirmation_level};
use skydeck_core::domain::ids::{RunId, SetHash};
use skydeck_core::domain::query::Query;
use skydeck_core::domain::run::{Collected, Flag, RunKind, RunRow, RunState};
use skydeck_core::domain::time::Ts;
use skydeck_core::text::readable;

use super::bodies::Bodies;
use super::confirm_lines;
use super::dialog::{UNREAD, answer, dialog};
use super::form::{Field, Form, Purpose, Values};
use super::line::{draw_input, edit};
use super::overlay::{Next, Overlay};

/// The dialog.
#[derive(Clone)]
pub(super) struct Confirm {
    run: RunId,
    hash: SetHash,
    input: Input,
    opened: Ts,
    /// Rules the operator chose to wave through, and why.
    flags: Vec<Flag>,
    reason: String,
    wrong: bool,
}

impl Confirm {
    /// For a run that waits for approval.
    pub fn new(shared: &Shared, run: RunId) -> Option<Self> {
        let live = shared.present.live().runs.get(&run).filter(|r| r.row.state == RunState::AwaitingApproval)?;
        let first = run_words::consent(&live.row, shared.now);
        Some(Self {
            run,
            hash: live.row.collected.as_ref()?.hash.clone(),
            input: Input::default(),
            opened: shared.now,
            flags: first.map(|c| c.flags.clone()).unwrap_or_default(),
            reason: first.and_then(|c| c.reason.clone()).unwrap_or_default(),
            wrong: false,
        })
    }

    /// The same with other rules waved through, to be read anew.
    pub fn waving(mut self, flags: Vec<Flag>, reason: String, now: Ts) -> Self {
        (self.flags, self.reason, self.opened) = (flags, reason, now);
        self
    }

    /// Rules that are waved through.
    pub fn flags(&self) -> &[Flag] {
        &self.flags
    }

    /// Why they are.
    pub fn reason(&self) -> &str {
        &self.reason
    }

    /// Whether its plan makes bills: what would be sent for them can be looked at.
    fn makes(&self, shared: &Shared) -> bool {
        let set = shared.present.live().runs.get(&self.run).and_then(|run| run.row.collected.as_ref());
        set.is_some_and(|set| !set.sights.is_empty() || set.unmade > 0)
    }

    /// Rules that this run's plan names and that were stripped.
    pub fn offered(&self, shared: &Shared) -> Vec<Flag> {
        let run = shared.present.live().runs.get(&self.run);
        let Some(plan) = run.map(|run| &run.row.head.plan) else { return Vec::new() };
        let row = shared.plans.rows().iter().find(|row| plan_id(row) == plan);
        row.and_then(|row| row.plan.as_ref().ok()).map(|plan| plan.target.stripped_flags.clone()).unwrap_or_default()
    }

    /// What must be given.
    fn confirmation_level(&self, shared: &Shared) -> ConfirmationLevel {
        let Some(run) = shared.present.live().runs.get(&self.run) else { return ConfirmationLevel::Yes };
        let head = &run.row.head;
        let callable = run.row.collected.as_ref().map_or(0, |c| c.callable);
        confirmation_level(callable, head.production, head.env.as_str(), !self.flags.is_empty())
    }

    fn approve(&mut self, desk: &mut Desk, typed: Option<String>, effects: &mut Vec<Effect>) -> Next {
        let shared = &mut desk.shared;
        let reason = Some(self.reason.clone()).filter(|r| readable(r).is_some());
        let (run, hash, flags) = (self.run, self.hash.clone(), self.flags.clone());
        let row = shared.present.live().runs.get(&run).map(|live| &live.row);
        let writes = row.filter(|row| row.head.kind != RunKind::Verify);
        let writes = writes.filter(|row| row.collected.as_ref().is_some_and(|set| set.callable > 0));
        let said = match writes {
            Some(row) => Sent::Calls(row.head.op.clone()),
            None => Sent::Said(shared.t().approved_reading),
        };
        let command = Command::Approve { run, hash, typed, flags, reason };
        shared.submit(command, said, effects);
        desk.show(Scope::Queue);
        Next::Close
    }

    fn leave(shared: &mut Shared) -> Next {
        let text = fill(shared.t().left_waiting, &[&shared.setup.keymap.key(Action::Approve)]);
        shared.note(false, text);
        Next::Close
    }

    /// The question in the last line, and its keys.
    fn question(&self, shared: &Shared, row: &RunRow, set: &Collected) -> (String, Vec<(String, &'static str)>) {
        let (t, keymap, op) = (shared.t(), &shared.setup.keymap, &row.head.op);
        let reads = row.head.kind == RunKind::Verify;
        let (found, callable) = (format::count(row.tally.found), format::count(set.callable));
        let (yes, no) = (keymap.key(Action::Yes), keymap.key(Action::No));
        let level = self.confirmation_level(shared);
        let question = match &level {
            ConfirmationLevel::Yes if reads => fill(t.confirm_read, &[&found, &yes]),
            ConfirmationLevel::Yes if set.callable == 0 => {
                fill(t.confirm_nothing, &[&words::none_of(shared.lang, op, &found), &yes])
            }
            ConfirmationLevel::Yes => fill(t.confirm_yes, &[&words::deed(shared.lang, op, &callable), &yes]),
            ConfirmationLevel::TypeCount(n) => fill(t.confirm_count, &[&n.to_string()]),
            ConfirmationLevel::TypeEnvironment(name) => fill(t.confirm_env, &[&words::shown(name)]),
        };
        let does = match (reads, set.callable) {
            (true, _) => t.verify_do,
            (_, 0) => t.confirm_record,
            _ => t.confirm_do,
        };
        let typing = level != ConfirmationLevel::Yes;
        let mut keys = if typing {
            vec![("Enter".to_owned(), t.confirm_do), ("Esc".to_owned(), t.no_later)]
        } else {
            vec![(yes, does), (no, t.no_decline), ("Esc/Enter".to_owned(), t.no_later)]
        };
        if self.makes(shared) {
            keys.push(("↓".to_owned(), t.bodies));
        }
        if !self.offered(shared).is_empty() {
            keys.push((if typing { "Tab".to_owned() } else { keymap.key(Action::Flags) }, t.flags_short));
        }
        (question, keys)
    }
}

impl Overlay for Confirm {
    fn key(&mut self, desk: &mut Desk, key: Key, effects: &mut Vec<Effect>) -> Next {
        let shared = &mut desk.shared;
        let unread = shared.now.since(self.opened) < UNREAD;
        let level = self.confirmation_level(shared);
        let typing = level != ConfirmationLevel::Yes;
        let plain = matches!(key.code, Code::Char(_)) && !key.ctrl && !key.alt;
        if typing && plain {
            if !unread {
                edit(&mut self.input, key);
                self.wrong = false;
            }
            return Next::Stay;
        }
        if !unread && self.makes(shared) && matches!(key.code, Code::Down | Code::PageDown) {
            shared.ask(Query::Bodies(self.run), Asked::Bodies, effects);
            return Next::Open(Box::new(Bodies::new(self.run, Box::new(self.clone()))));
        }
        let offers = !self.offered(shared).is_empty();
        if key.code == Code::Tab && !unread && offers {
            return Next::Open(Box::new(flags_form(shared, self.clone())));
        }
        match answer(shared, self.opened, key) {
            Some(Action::Flags) if !typing && offers => {
                return Next::Open(Box::new(flags_form(shared, self.clone())));
            }
            Some(Action::Yes) if !typing => return self.approve(desk, None, effects),
            Some(Action::No) if key.code == Code::Esc => return Self::leave(shared),
            Some(Action::No) if !typing => {
                let said = Sent::Said(shared.t().declined);
                shared.submit(Command::Decline { run: self.run }, said, effects);
                return Next::Close;
            }
            _ => {}
        }
        if key.code == Code::Enter && !unread {
            if !typing {
                return Self::leave(shared);
            }
            let typed = self.input.value().to_owned();
            if level.satisfied_by(Some(&typed)) {
                return self.approve(desk, Some(typed), effects);
            }
            self.wrong = true;
        } else if typing && edit(&mut self.input, key) {
            self.wrong = false;
        }
        Next::Stay
    }

    fn takes_text(&self, shared: &Shared) -> bool {
        self.confirmation_level(shared) != ConfirmationLevel::Yes
    }

    fn run(&self) -> Option<RunId> {
        Some(self.run)
    }

    fn back(&mut self, now: Ts) {
        self.opened = now;
    }

    fn stands(&self, state: &RunState) -> bool {
        *state == RunState::AwaitingApproval
    }

    fn draw(&self, desk: &Desk, pen: &mut Pen<'_>, _parts: &Parts) -> Option<(u16, u16)> {
        let (shared, t) = (&desk.shared, desk.shared.t());
        let row = &shared.present.live().runs.get(&self.run)?.row;
        let (head, set) = (&row.head, row.collected.as_ref()?);
        let mut lines = confirm_lines::of(shared, row, set, &self.hash);
        for flag in &self.flags {
            lines.push(vec![(Role::Warning, fill(t.waved, &[&words::shown(&flag.0)]))]);
        }
        lines.extend(confirm_lines::locked(shared, pen, row, set));
        let key = if self.takes_text(shared) { "Tab".to_owned() } else { shared.setup.keymap.key(Action::Flags) };
        if set.callable > 0 && head.kind != RunKind::Verify {
            lines.push(confirm_lines::ignorable(shared, &self.offered(shared), &key));
        }
        lines.push(Vec::new());
        let (question, keys) = self.question(shared, row, set);
        lines.push(vec![(if self.wrong { Role::Error } else { Role::Warning }, question)]);
        let typing = self.takes_text(shared);
        let title = fill(t.confirm_title, &[run_words::kind_of(shared.lang, head)]);
        let border = if head.production { Role::Production } else { Role::Warning };
        let inside = dialog(shared, pen, border, &title, &lines, &keys, if typing { 2 } else { 1 });
        if typing && inside.height > 2 {
            return draw_input(pen, inside.x, inside.bottom() - 3, inside.width.min(32), &self.input);
        }
        None
    }
}

/// Prompts that are ignored for the set of an approval, which comes back.
struct Flags(Confirm);

/// The prompts a plan names, to be chosen for one run, with a reason.
fn flags_form(shared: &Shared, confirm: Confirm) -> Form {
    let t = shared.t();
    let toggle = |flag: &Flag| Field::toggle(&words::shown(&flag.0), t.flag_hint, confirm.flags().contains(flag));
    let mut fields: Vec<Field> = confirm.offered(shared).iter().map(toggle).collect();
    fields.push(Field::text(t.reason, t.reason_hint, confirm.reason()));
    Form::new(Flags(confirm), (t.flags_title, t.flags_what.to_owned()), fields, 0, shared.now)
}

impl Purpose for Flags {
    fn warns(&self) -> bool {
        true
    }

    fn done(&mut self, desk: &mut Desk, values: &Values<'_>, _effects: &mut Vec<Effect>) -> Result<Next, String> {
        let shared = &desk.shared;
        let on = values.on();
        let mut flags = self.0.offered(shared);
        flags.retain(|flag| on.contains(&words::shown(&flag.0).as_str()));
        let why = values.text(values.len().saturating_sub(1));
        if !flags.is_empty() && readable(&why).is_none() {
            return Err(shared.t().reason_wanted.to_owned());
        }
        Ok(Next::Open(Box::new(self.0.clone().waving(flags, why, shared.now))))
    }

    fn left(&mut self) -> Next {
        Next::Open(Box::new(self.0.clone()))
    }
}
