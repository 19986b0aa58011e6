//! The ledger's groups under a filter: counted by the store on the rows that the filter leaves, a stretch a question.
//!
//! Invariant: what is shown as a number without a sign behind it is the number that an order of the same filter means.

use crate::ui::counter::Counter;
use crate::ui::format;
use crate::ui::msg::Ticket;
use skydeck_core::domain::command::Selection;
use skydeck_core::domain::filter::Filter;
use skydeck_core::domain::query::{Answer, LedgerGroup, Query};

use super::pane::Asking;

/// Groups that hold a bill the filter leaves.
#[derive(Debug, Default)]
pub(super) struct Narrowed {
    /// As they were counted last, or so far.
    groups: Vec<LedgerGroup>,
    exact: bool,
    counter: Option<Counter>,
    ticket: Option<Ticket>,
    /// Facts may have changed them.
    stale: bool,
}

impl Narrowed {
    pub fn groups(&self) -> &[LedgerGroup] {
        &self.groups
    }

    /// Whether all of the ledger was counted.
    pub fn is_exact(&self) -> bool {
        self.exact
    }

    /// All bills, as people read it.
    pub fn total(&self) -> Option<String> {
        let more = if self.exact { "" } else { "+" };
        let n: u64 = self.groups.iter().map(|group| group.count).sum();
        (self.exact || n > 0).then(|| format!("{}{more}", format::count(n)))
    }

    pub fn spoil(&mut self) {
        self.stale = true;
    }

    /// Whether it waits to be counted anew.
    pub fn waits(&self) -> bool {
        self.stale && self.counter.is_none()
    }

    pub fn is_asked(&self, ticket: Ticket) -> bool {
        self.ticket == Some(ticket)
    }

    /// The next stretch, where one is wanted.
    pub fn question(&mut self, filter: &Filter, asking: &mut Asking<'_>) -> Option<(Ticket, Query)> {
        let anew = !self.exact || (self.stale && asking.quiet);
        if self.counter.is_none() && anew {
            self.stale = false;
            let selection = Selection::Matching { plan: None, run: None, filter: filter.clone() };
            self.counter = Some(Counter::new(selection));
        }
        let query = self.counter.as_mut()?.query()?;
        let ticket = (asking.ticket)();
        self.ticket = Some(ticket);
        Some((ticket, query))
    }

    /// Takes a stretch. What was counted before stands until all is counted anew.
    pub fn answer(&mut self, answer: Result<Answer, String>) -> Result<(), String> {
        self.ticket = None;
        let more = match answer {
            Ok(Answer::LedgerCounts(more)) => more,
            Ok(_) => return Ok(()),
            Err(error) => {
                self.counter = None;
                self.exact = true;
                return Err(error);
            }
        };
        let Some(counter) = &mut self.counter else { return Ok(()) };
        counter.take(more);
        let done = counter.is_done();
        if done || !self.exact {
            self.groups = counter.groups();
            self.exact = done;
        }
        if done {
            self.counter = None;
        }
        Ok(())
    }
}
