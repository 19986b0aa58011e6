//! How lists of bills are shown: the order of each, and the plan's columns that are left out of it.

use std::collections::{BTreeMap, BTreeSet};

use skydeck_core::domain::filter::Filter;
use skydeck_core::domain::query::{PageRequest, Query, Scope as ListScope};
use skydeck_core::domain::sort::{By, Sort};

use crate::ui::keymap::Scope;

/// How one list is shown.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct ListView {
    /// `None`: its own order.
    pub sort: Option<Sort>,
    /// Labels of plan columns that are not shown.
    pub hidden: BTreeSet<String>,
}

impl ListView {
    /// By this column, then the other way round, then in the list's own order again.
    pub fn turn(&mut self, by: &By) {
        self.sort = match self.sort.take().filter(|sort| sort.by == *by) {
            None => Some(Sort { by: by.clone(), descending: false }),
            Some(Sort { descending: false, by }) => Some(Sort { by, descending: true }),
            Some(_) => None,
        };
    }
}

/// Those of all panes.
#[derive(Clone, Debug, Default)]
pub(crate) struct ListViews(BTreeMap<Scope, ListView>);

impl ListViews {
    /// How the list of a pane is shown.
    pub fn of(&self, pane: Scope) -> ListView {
        self.0.get(&pane).cloned().unwrap_or_default()
    }

    /// The same, to be changed.
    pub fn of_mut(&mut self, pane: Scope) -> &mut ListView {
        self.0.entry(pane).or_default()
    }

    /// Asks for a page of a pane's list in its order.
    pub fn query(&self, pane: Scope, scope: ListScope, filter: Filter, page: PageRequest) -> Query {
        match self.0.get(&pane).and_then(|view| view.sort.clone()) {
            Some(sort) => Query::Sorted { scope, filter, sort, page },
            None => Query::Bills { scope, filter, page },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_column_turns_from_rising_to_falling_to_none_and_another_one_begins_anew() {
        let mut view = ListView::default();
        let mut said = Vec::new();
        for by in [By::Number, By::Number, By::Number, By::Age, By::Number] {
            view.turn(&by);
            said.push(view.sort.as_ref().map(|sort| (sort.by.clone(), sort.descending)));
        }
        let is = |by, descending| Some((by, descending));
        let expected = [is(By::Number, false), is(By::Number, true), None, is(By::Age, false), is(By::Number, false)];
        assert_eq!(said, expected);
    }
}
