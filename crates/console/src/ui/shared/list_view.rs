//! How lists of bills are shown: the order of each, and which of the plan's columns stand in it where. Kept for each list, and
//! where a list is of one plan for that plan.
//!
//! Invariant: a column that no plan has any more is in no view; that it was taken out is said.

use std::collections::{BTreeMap, BTreeSet};

use skydeck_core::domain::filter::Filter;
use skydeck_core::domain::ids::PlanId;
use skydeck_core::domain::query::{PageRequest, PlanRow, Query, Scope as ListScope};
use skydeck_core::domain::sort::{By, Sort};

use crate::ui::keymap::Scope;
use crate::ui::lists::{KeptList, ListView};

/// Those of all panes.
#[derive(Clone, Debug, Default)]
pub(crate) struct ListViews {
    /// By list and plan; without a plan where a list is of several.
    views: BTreeMap<(String, String), ListView>,
    /// The list that is on the screen.
    here: (String, String),
    /// Something is to be kept.
    changed: bool,
}

/// A list's name in the state file.
fn list_name(pane: Scope) -> String {
    format!("{pane:?}").to_lowercase()
}

impl ListViews {
    /// As they were kept.
    pub fn kept(lists: Vec<KeptList>) -> Self {
        let views = lists.into_iter().map(|kept| ((kept.list, kept.plan), kept.view)).collect();
        Self { views, ..Self::default() }
    }

    /// The list of this pane, and of this plan where it is of one, is on the screen.
    pub fn look_at(&mut self, pane: Scope, plan: Option<&PlanId>) {
        self.here = (list_name(pane), plan.map(|plan| plan.as_str().to_owned()).unwrap_or_default());
    }

    /// How the list on the screen is shown.
    pub fn here(&self) -> ListView {
        self.views.get(&self.here).cloned().unwrap_or_default()
    }

    /// The same, to be changed and kept.
    pub fn here_mut(&mut self) -> &mut ListView {
        self.changed = true;
        self.views.entry(self.here.clone()).or_default()
    }

    /// What is to be kept, where that changed.
    pub fn changed(&mut self) -> Option<Vec<KeptList>> {
        if !std::mem::take(&mut self.changed) {
            return None;
        }
        self.views.retain(|_, view| *view != ListView::default());
        let kept = |((list, plan), view): (&(String, String), &ListView)| KeptList {
            list: list.clone(),
            plan: plan.clone(),
            view: view.clone(),
        };
        Some(self.views.iter().map(kept).collect())
    }

    /// Whether a pane's list is sorted, of whichever plan.
    pub fn is_sorted(&self, pane: Scope) -> bool {
        let name = list_name(pane);
        self.views.iter().any(|((list, _), view)| *list == name && view.sort.is_some())
    }

    /// Asks for a page of the list on the screen, in its order.
    pub fn query(&self, scope: ListScope, filter: Filter, page: PageRequest) -> Query {
        match self.here().sort {
            Some(sort) => Query::Sorted { scope, filter, sort, page },
            None => Query::Bills { scope, filter, page },
        }
    }

    /// Takes out columns that the plans have no more: which, each with its plan. Of a plan that cannot be read nothing is known.
    pub fn settle(&mut self, plans: &[PlanRow]) -> Vec<(String, String)> {
        // As the list's titles show them.
        let shown = |text: &str| skydeck_core::text::show(text, 1024).as_str().to_owned();
        let usable = || plans.iter().filter_map(|row| row.plan.as_ref().ok());
        let mut gone = Vec::new();
        for ((_, of), view) in &mut self.views {
            let mut plans = usable().filter(|plan| of.is_empty() || plan.id.as_str() == of).peekable();
            if plans.peek().is_none() {
                continue;
            }
            let columns = plans.flat_map(|plan| &plan.source.columns);
            let names: BTreeSet<String> =
                columns.flat_map(|column| [shown(&column.label), shown(&column.key), column.key.clone()]).collect();
            let mut drop = |label: &String| {
                let lost = !names.contains(label);
                if lost && !gone.contains(&(label.clone(), of.clone())) {
                    gone.push((label.clone(), of.clone()));
                }
                !lost
            };
            view.order.retain(&mut drop);
            view.hidden.retain(&mut drop);
            if let Some(Sort { by: By::Column(sorted), .. }) = &view.sort
                && !sorted.iter().any(|name| names.contains(name))
            {
                for name in sorted {
                    drop(name);
                }
                view.sort = None;
            }
        }
        self.changed |= !gone.is_empty();
        gone
    }
}
