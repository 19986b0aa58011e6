//! What lies under the overlays: the shared state and the panes, and the ways between panes.

use std::collections::BTreeSet;

use skydeck_core::domain::env::Environment;
use skydeck_core::domain::ids::RunId;
use skydeck_core::domain::plan::Plan;
use skydeck_core::domain::query::{EnvRow, Scope as ListScope};
use skydeck_core::domain::run::RunRow;

use super::config::UiConfig;
use super::keymap::Scope;
use super::layout::{self, Parts};
use super::panes::{Goto, Pane, Panes, Subject};
use super::shared::Shared;

/// Shared state and panes.
pub(crate) struct Desk {
    pub shared: Shared,
    pub panes: Panes,
}

impl Desk {
    /// As they are at the start.
    pub fn new(config: UiConfig) -> Self {
        let mut panes = Panes::default();
        panes.all_mut().for_each(|pane| pane.begins(config.looked.clone(), config.select.as_ref()));
        Self { shared: Shared::new(config), panes }
    }

    /// The pane that is shown.
    pub fn pane(&self) -> &dyn Pane {
        self.panes.at(self.shared.nav.here())
    }

    /// The same to be changed, and what it may change besides itself.
    pub fn pane_mut(&mut self) -> (&mut dyn Pane, &mut Shared) {
        (self.panes.at_mut(self.shared.nav.here()), &mut self.shared)
    }

    /// Where things stand on the screen; `None` when it is too small.
    pub fn parts(&self) -> Option<Parts> {
        let split = |body| self.pane().split(&self.shared, body);
        layout::parts(self.shared.size, self.shared.nav.zoom, split)
    }

    /// Moves the cursor of the pane that is shown.
    pub fn step(&mut self, by: i64) {
        let (pane, shared) = self.pane_mut();
        pane.step(shared, by);
        shared.touch();
    }

    /// Shows another pane as it is.
    pub fn show(&mut self, pane: Scope) {
        self.go(Goto { pane, what: Subject::AsItIs });
    }

    /// Goes where an action leads.
    pub fn go(&mut self, Goto { pane, what }: Goto) {
        if let Subject::Run(row) = &what {
            let id = row.head.id;
            self.shared.stored = Some(row.clone());
            self.select_run(Some(id));
        }
        if let Subject::Open(run) = &what {
            self.select_run(Some(*run));
        }
        if let Subject::Filtered(filter) = &what {
            self.shared.selection.not_all();
            self.panes.at_mut(pane).set_filter(filter.clone());
        }
        self.panes.at_mut(pane).show(&what);
        if self.shared.nav.go(pane) {
            self.shared.touch();
        }
        let newest = self.known_runs().last().copied();
        let run = self.panes.at(pane).run_on_arrival(&self.shared, newest);
        self.look_up(run);
        self.select_run(run);
    }

    /// Brings a run into view: its sum line, its queue, its results.
    pub fn select_run(&mut self, run: Option<RunId>) {
        if self.shared.run == run {
            return;
        }
        self.shared.run = run;
        self.shared.selection.not_all();
        self.shared.touch();
        self.panes.all_mut().for_each(Pane::run_changed);
    }

    /// Brings the next newer or older run into view; `false` where there is none.
    pub fn select_next_run(&mut self, newer: bool) -> bool {
        let (ids, from) = (self.known_runs(), self.shared.run);
        let to = if newer {
            ids.iter().find(|id| from.is_some_and(|from| **id > from))
        } else {
            ids.iter().rev().find(|id| from.is_none_or(|from| **id < from))
        };
        let to = to.copied();
        if to.is_some() {
            self.look_up(to);
            self.select_run(to);
        }
        to.is_some()
    }

    /// Which list is on the screen: of one plan where it is that of a run.
    pub fn look_at_list(&mut self) {
        let plan = match self.pane().lists(&self.shared) {
            Some(ListScope::Run(run)) => self.shared.row_of(run).map(|row| row.head.plan.clone()),
            Some(ListScope::Ledger | ListScope::History) | None => None,
        };
        let here = self.shared.nav.here();
        self.shared.nav.views.look_at(here, plan.as_ref());
    }

    /// The list that is shown begins anew: in another order.
    pub fn read_anew(&mut self) {
        let (pane, _) = self.pane_mut();
        if let Some(filter) = pane.filter().cloned() {
            pane.set_filter(filter);
        }
        self.shared.touch();
    }

    /// Keeps the row of a run that only a pane has: it is told in the sum line as long as the run is in view.
    fn look_up(&mut self, run: Option<RunId>) {
        let Some(id) = run.filter(|id| self.shared.row_of(*id).is_none()) else { return };
        let listed = self.listed_runs().find(|row| row.head.id == id).cloned();
        if let Some(row) = listed {
            self.shared.stored = Some(Box::new(row));
        }
    }

    /// Rows of runs that panes have in memory.
    pub fn listed_runs(&self) -> impl Iterator<Item = &RunRow> {
        self.panes.all().flat_map(Pane::runs)
    }

    /// Runs that are known here, oldest first: the live ones, the last of each plan, those that a pane has read.
    pub fn known_runs(&self) -> BTreeSet<RunId> {
        let of_plans = self.shared.plans.rows().iter().flat_map(|plan| &plan.last);
        let stored = of_plans.chain(self.listed_runs()).map(|row| row.head.id);
        self.shared.present.live().runs.keys().copied().chain(stored).collect()
    }

    /// The environment that the screen is about: the shown run's, else the plan's, else the only one.
    pub fn env(&self) -> Option<&Environment> {
        self.env_row().map(|row| &row.env)
    }

    /// The same, with how it stands.
    pub fn env_row(&self) -> Option<&EnvRow> {
        let shared = &self.shared;
        let of_plan = || match shared.plan_row().map(|row| &row.plan) {
            Some(Ok(Plan { env: Some(env), .. })) => Some(env.clone()),
            _ => None,
        };
        let of_run = || shared.run_row().map(|row| row.head.env.clone());
        let id = if self.pane().is_about_plan() { of_plan().or_else(of_run) } else { of_run().or_else(of_plan) };
        match id {
            Some(id) => shared.envs.iter().find(|row| row.env.id == id),
            None => shared.envs.first(),
        }
    }

    /// The window title.
    pub fn title(&self) -> String {
        match self.env() {
            Some(env) => format!("Skydeck {}", skydeck_core::text::show(env.id.as_str(), 64).as_str()),
            None => "Skydeck".to_owned(),
        }
    }
}
