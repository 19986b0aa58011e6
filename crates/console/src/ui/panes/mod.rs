//! The panes. Each is one file that owns its state, its keys, its questions to the store and its picture; all the rest of
//! the console knows of it is [`Pane`].
//!
//! Invariant: only [`Panes::default`] names the panes. One leads to another by [`Goto`], never by touching it.

use super::keymap::{Action, Scope};

mod bill;
mod bill_lines;
mod bill_page;
mod history;
mod history_rows;
mod ledger;
mod ledger_groups;
mod ledger_narrowed;
mod log;
mod pane;
mod plan_detail;
mod plans;
mod queue;
mod queue_health;
mod results;
mod today;
mod today_chart;
mod today_lines;
mod today_rows;
mod today_span;

pub(crate) use pane::{Asking, Click, Done, Goto, Pane, Subject};

/// The panes, in the order of the tabs. The first is where the console begins.
pub(crate) struct Panes {
    home: Box<dyn Pane>,
    others: Vec<Box<dyn Pane>>,
}

impl Default for Panes {
    fn default() -> Self {
        Self {
            home: Box::<today::Today>::default(),
            others: vec![
                Box::<plans::Plans>::default(),
                Box::<queue::Queue>::default(),
                Box::<results::Results>::default(),
                Box::<ledger::Ledger>::default(),
                Box::<history::History>::default(),
                Box::<bill::Bill>::default(),
                Box::<log::Log>::default(),
            ],
        }
    }
}

impl Panes {
    /// All, in the order of the tabs.
    pub fn all(&self) -> impl Iterator<Item = &dyn Pane> {
        std::iter::once(&self.home).chain(&self.others).map(|pane| &**pane)
    }

    /// All, to be changed.
    pub fn all_mut(&mut self) -> impl Iterator<Item = &mut (dyn Pane + 'static)> {
        std::iter::once(&mut self.home).chain(&mut self.others).map(|pane| &mut **pane)
    }

    /// The pane at a place of the key table; the first one where no pane has that place.
    pub fn at(&self, place: Scope) -> &dyn Pane {
        &**self.others.iter().find(|pane| pane.scope() == place).unwrap_or(&self.home)
    }

    /// The same, to be changed.
    pub fn at_mut(&mut self, place: Scope) -> &mut dyn Pane {
        &mut **self.others.iter_mut().find(|pane| pane.scope() == place).unwrap_or(&mut self.home)
    }

    /// The pane that an action shows.
    pub fn shown_by(&self, action: Action) -> Option<Scope> {
        self.all().find(|pane| pane.shown_by() == action).map(Pane::scope)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ui::keymap::PANES;

    #[test]
    fn the_panes_stand_in_the_order_of_the_key_table_and_each_is_shown_by_an_action_of_its_own() {
        let panes = Panes::default();
        assert_eq!(panes.all().map(Pane::scope).collect::<Vec<_>>(), PANES);
        for place in PANES {
            assert_eq!(panes.at(place).scope(), place);
            assert_eq!(panes.shown_by(panes.at(place).shown_by()), Some(place));
        }
    }
}
