//! Orders and questions on their way: what each was for, until its receipt or answer comes.

use std::collections::BTreeMap;
use std::time::Duration;

use skydeck_core::domain::command::Command;
use skydeck_core::domain::ids::{OpId, RunId};
use skydeck_core::domain::query::Query;
use skydeck_core::domain::time::Ts;

use crate::ui::keymap::Action;
use crate::ui::msg::{Effect, Ticket};

/// How often lists that facts made stale are read again while something runs.
pub(crate) const REFRESH: Duration = Duration::from_secs(1);

/// What an order was for, until its receipt comes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Sent {
    /// It opens a run that this console wants to approve.
    Opens,
    /// A set was approved: calls of this operation begin.
    Calls(OpId),
    /// Anything else, in words with a place for the number of bills.
    Of(&'static str),
    /// Anything else, in words.
    Said(&'static str),
    /// The same with a place for the key of the next step.
    Next(&'static str, Action),
    /// The same after the number of bills.
    NextOf(&'static str, Action),
}

/// What a question was for, until its answer comes. Panes keep the tickets of their own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Asked {
    Plans,
    Environments,
    /// The machines that write to the store.
    Machines,
    Groups,
    Run,
    Counting,
    /// The step that a retry begins with, of the first bills that match.
    Begins,
    Revisions,
    CompareOld,
    CompareNew,
    /// Names that a filter may hold.
    FilterNames,
    /// Values of the column that is being typed.
    FilterColumn,
    /// Bills by number.
    Find,
    /// What plans say of a number.
    Reach,
    /// What is to be made.
    Bodies,
    /// What is usual for a plan.
    Forecast,
}

impl Asked {
    /// Questions of what lies over a pane.
    pub const OF_OVERLAYS: [Self; 11] = [
        Self::Counting,
        Self::Begins,
        Self::Revisions,
        Self::CompareOld,
        Self::CompareNew,
        Self::FilterNames,
        Self::FilterColumn,
        Self::Find,
        Self::Reach,
        Self::Bodies,
        Self::Forecast,
    ];
}

/// What waits for an answer.
pub(crate) struct Outbox {
    tickets: u64,
    orders: BTreeMap<Ticket, Sent>,
    questions: BTreeMap<Ticket, Asked>,
    /// The run that was last looked up.
    looked_up: Option<RunId>,
    /// When something was last read again because of facts.
    refreshed: Ts,
}

impl Outbox {
    /// Nothing waits.
    pub fn new(now: Ts) -> Self {
        Self { tickets: 0, orders: BTreeMap::new(), questions: BTreeMap::new(), looked_up: None, refreshed: now }
    }

    /// A ticket nobody has.
    pub fn ticket(&mut self) -> Ticket {
        self.tickets += 1;
        Ticket(self.tickets)
    }

    /// An order on its way.
    pub fn submit(&mut self, command: Command, sent: Sent) -> Effect {
        let ticket = self.ticket();
        self.orders.insert(ticket, sent);
        Effect::Submit(ticket, command)
    }

    /// What the order of a receipt was for.
    pub fn receipt(&mut self, ticket: Ticket) -> Option<Sent> {
        self.orders.remove(&ticket)
    }

    /// A question on its way; one of the same kind that still waits is given up.
    pub fn ask(&mut self, query: Query, what: Asked) -> Effect {
        self.give_up(&[what]);
        let ticket = self.ticket();
        self.questions.insert(ticket, what);
        Effect::Ask(ticket, query)
    }

    /// Answers to questions of these kinds are of no use any more.
    pub fn give_up(&mut self, kinds: &[Asked]) {
        self.questions.retain(|_, what| !kinds.contains(what));
    }

    /// What the question of an answer was for.
    pub fn answered(&mut self, ticket: Ticket) -> Option<Asked> {
        self.questions.remove(&ticket)
    }

    /// Looks a run up, unless that was done: where there is no such run, or it cannot be read, asking again at once would
    /// go on for ever.
    pub fn look_up(&mut self, run: RunId) -> Option<Effect> {
        let new = self.looked_up != Some(run);
        self.looked_up = Some(run);
        new.then(|| self.ask(Query::Run(run), Asked::Run))
    }

    /// Whether what was read again last is long enough ago.
    pub fn is_rested(&self, now: Ts) -> bool {
        now.since(self.refreshed) >= REFRESH
    }

    /// Something was read again now.
    pub fn refreshed(&mut self, now: Ts) {
        self.refreshed = now;
    }

    /// What is stale may be read again at once, and what was not found may be there by now.
    pub fn hurry(&mut self) {
        self.refreshed = Ts(0);
        self.looked_up = None;
    }
}
