//! What lies over a pane: dialogs, forms, help, palette, and the filter line. Each is one file that keeps its state to
//! itself; all the rest of the console knows of it is [`Overlay`].
//!
//! Invariant: the default of every dialog is No, and nothing pasted or typed ahead can say Yes.

use std::collections::BTreeSet;

use skydeck_core::domain::event::Event;
use skydeck_core::domain::ids::RunId;
use skydeck_core::domain::query::Answer;
use skydeck_core::domain::run::RunState;

use super::desk::Desk;
use super::format::fill;
use super::keymap::Action;
use super::msg::{Effect, Key, PASTE, Unpasted};
use super::possible::awaiting;
use super::shared::Shared;
use super::shared::outbox::Asked;
use super::words;

mod ask;
mod bodies;
mod class;
mod columns;
mod compare;
mod confirm;
mod confirm_lines;
pub mod dialog;
pub mod filter;
mod filter_offers;
mod find;
mod forecast;
mod form;
mod forms;
mod handover;
mod help;
mod line;
mod notices;
mod overlay;
mod palette;
mod retry;

pub(crate) use overlay::{Next, Overlay};

/// What is open, and what was opened by itself already.
#[derive(Default)]
pub(crate) struct Overlays {
    open: Option<Box<dyn Overlay>>,
    /// Sets about which the operator was asked.
    asked_approve: BTreeSet<RunId>,
    /// Interrupted runs about which the operator was asked.
    asked_resume: BTreeSet<RunId>,
}

/// Makes what an action opens; `None` where nothing is there to be asked.
type Opener = fn(&mut Desk, Action, &mut Vec<Effect>) -> Option<Box<dyn Overlay>>;

/// How an action opens something; `None` where it opens nothing.
fn opener(action: Action) -> Option<Opener> {
    Some(match action {
        Action::Help => |_, _, _| Some(Box::new(help::Help::default())),
        Action::Notices => |_, _, _| Some(Box::new(notices::Notices::default())),
        Action::Palette => |desk, _, _| Some(Box::new(palette::Palette::new(desk))),
        Action::Find => |_, _, _| Some(Box::new(find::Find::default())),
        Action::Filter => |desk, _, _| Some(Box::new(filter::Line::new(desk))),
        Action::Approve => |desk, _, _| Some(Box::new(confirm::Confirm::new(&desk.shared, awaiting(desk)?)?)),
        Action::Columns => |desk, _, _| Some(Box::new(columns::Chooser::open(desk)?)),
        Action::Forecast => |desk, _, _| Some(Box::new(forecast::Forecast::open(desk)?)),
        Action::Compare => |desk, _, _| Some(Box::new(compare::Compare::open(desk)?)),
        Action::Stop => |desk, _, _| Some(Box::new(ask::Ask::new(ask::What::Stop(desk.shared.run?), desk.shared.now))),
        Action::Quit => |desk, _, _| Some(Box::new(ask::Ask::new(ask::What::Quit, desk.shared.now))),
        Action::Retry | Action::Verify => {
            |desk, action, effects| Some(Box::new(retry::Retry::open(desk, action == Action::Verify, effects)?))
        }
        Action::RunWith
        | Action::Pace
        | Action::Resolve
        | Action::Reopen
        | Action::Unlock
        | Action::JumpDate
        | Action::Export
        | Action::Handover => |desk, action, _| Some(Box::new(forms::of(desk, action)?)),
        _ => return None,
    })
}

/// A paste that is not used is said: half a reason or a filter cut short would mean something else.
pub(crate) fn not_pasted(shared: &mut Shared, why: Unpasted) {
    let words = match why {
        Unpasted::TooLong => fill(shared.t().paste_too_long, &[&PASTE.to_string()]),
        Unpasted::Cut => shared.t().paste_cut.to_owned(),
    };
    shared.note(true, words);
}

impl Overlays {
    /// What is open.
    pub fn open(&self) -> Option<&dyn Overlay> {
        self.open.as_deref()
    }

    /// Whether anything is open.
    pub fn is_open(&self) -> bool {
        self.open.is_some()
    }

    /// Opens what an action asks for; `false` where it asks for nothing.
    pub fn open_for(&mut self, desk: &mut Desk, action: Action, effects: &mut Vec<Effect>) -> bool {
        let Some(opens) = opener(action) else { return false };
        // What the one before asked is not about this one.
        desk.shared.outbox.give_up(&Asked::OF_OVERLAYS);
        self.open = opens(desk, action, effects);
        true
    }

    /// Whether what is typed now is text.
    pub fn takes_text(&self, shared: &Shared) -> bool {
        self.open.as_ref().is_some_and(|open| open.takes_text(shared))
    }

    /// Paste goes to an open line of text; dialogs that ask for a confirmation ignore it.
    pub fn paste(&mut self, desk: &mut Desk, text: &str) {
        if self.takes_text(&desk.shared) && text.chars().nth(PASTE).is_some() {
            return not_pasted(&mut desk.shared, Unpasted::TooLong);
        }
        if self.open.as_mut().is_some_and(|open| open.paste(desk, text)) {
            desk.shared.touch();
        }
    }

    /// A key while something is open; gives what is to be done once it has closed.
    pub fn key(&mut self, desk: &mut Desk, key: Key, effects: &mut Vec<Effect>) -> Option<Action> {
        match key {
            k if k == Key::ctrl('l') => effects.push(Effect::Redraw),
            k if k == Key::ctrl('z') => effects.push(Effect::Suspend),
            key => {
                let open = self.open.as_mut()?;
                let closes = key == Key::ctrl('c') && !open.takes_interrupt();
                let key = if closes { Key::plain(super::msg::Code::Esc) } else { key };
                match open.key(desk, key, effects) {
                    Next::Stay => {}
                    Next::Close => self.open = None,
                    Next::Open(other) => self.open = Some(other),
                    Next::Do(action) => {
                        self.open = None;
                        return Some(action);
                    }
                }
            }
        }
        None
    }

    /// A click on a row of it; the key that it is the same as, if any.
    pub fn pick(&mut self, row: usize) -> Option<Key> {
        self.open.as_mut().and_then(|open| open.pick(row))
    }

    /// A key that was pressed before there was anything for it, once there is.
    pub fn late(&mut self) -> Option<Key> {
        self.open.as_mut().and_then(|open| open.late())
    }

    /// The wheel over an overlay.
    pub fn scroll(&mut self, rows: i64) {
        if let Some(open) = &mut self.open {
            open.scroll(rows);
        }
    }

    /// Dialogs that open by themselves: a set of ours to approve, an interrupted run.
    pub fn open_waiting(&mut self, desk: &mut Desk) {
        if self.is_open() {
            return;
        }
        let shared = &desk.shared;
        let open = || shared.present.live().open().map(|run| (run.row.head.id, &run.row.state));
        let approve = open().find(|(id, state)| {
            **state == RunState::AwaitingApproval && shared.own.runs.contains(id) && !self.asked_approve.contains(id)
        });
        let resume = || open().find(|(id, s)| **s == RunState::Interrupted && !self.asked_resume.contains(id));
        if let Some((run, _)) = approve {
            self.asked_approve.insert(run);
            desk.select_run(Some(run));
            let started = desk.shared.t().collecting_started;
            desk.shared.notes.is_over(started);
            self.open =
                confirm::Confirm::new(&desk.shared, run).map(|confirm| -> Box<dyn Overlay> { Box::new(confirm) });
        } else if let Some((run, _)) = resume() {
            self.asked_resume.insert(run);
            desk.select_run(Some(run));
            self.open = Some(Box::new(ask::Ask::new(ask::What::Resume(run), desk.shared.now)));
        } else {
            return;
        }
        desk.shared.touch();
    }

    /// Closes a dialog about a run that is past what it asks; tells whether it did.
    pub fn close_moot(&mut self, shared: &Shared, run: RunId) -> bool {
        let about = self.open.as_ref().filter(|open| open.run() == Some(run));
        let state = shared.present.live().runs.get(&run).map(|run| &run.row.state);
        let moot = about.zip(state).is_some_and(|(open, state)| !open.stands(state));
        if moot {
            self.open = None;
        }
        moot
    }

    /// Closes a dialog about a run that somebody else has dealt with meanwhile, and says who.
    pub fn outlived(&mut self, shared: &mut Shared, event: &Event) {
        if !event.run().is_some_and(|run| self.close_moot(shared, run)) {
            return;
        }
        if let Event::RunApproved { by, .. } | Event::RunResumed { by, .. } = event {
            let words = fill(shared.t().quicker, &[&words::who(shared, by)]);
            shared.note(false, words);
        }
    }

    /// What is open may show what is not so any more.
    pub fn spoil(&mut self) {
        if let Some(open) = &mut self.open {
            open.spoil();
        }
    }

    /// What is open asks for what it needs.
    pub fn questions(&mut self, shared: &mut Shared, effects: &mut Vec<Effect>) {
        if let Some(open) = &mut self.open {
            open.questions(shared, effects);
        }
    }

    /// An answer for what is open.
    pub fn answer(&mut self, shared: &mut Shared, what: Asked, answer: Result<Answer, String>) {
        let taken = self.open.as_mut().is_none_or(|open| open.answer(shared, what, answer));
        if !taken {
            let text = shared.t().odd_answer;
            shared.note(true, text);
        }
    }
}
