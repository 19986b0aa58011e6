//! What no single pane owns: how the console was set up, the present, what the store told of the whole, what is selected.
//!
//! Invariant: bounded by what is open and what is on the screen, never by the history. Panes and overlays read and change
//! it; it knows none of them.

use std::time::Duration;

use skydeck_core::domain::bill::Slot;
use skydeck_core::domain::command::Command;
use skydeck_core::domain::filter::{Filter, Key as FilterKey};
use skydeck_core::domain::ids::{EnvId, PlanId, RunId};
use skydeck_core::domain::live::{EnvPulse, Pulse, RunLive};
use skydeck_core::domain::operation_words;
use skydeck_core::domain::query::{EnvRow, LedgerGroup, PlanRow, Query};
use skydeck_core::domain::run::{RunRow, RunState};
use skydeck_core::domain::time::Ts;
use skydeck_core::domain::transition::{BillChange, Change};
use skydeck_core::domain::who::Who;

use super::config::{Lang, UiConfig};
use super::format::fill;
use super::keymap::Keymap;
use super::lang::Texts;
use super::msg::Effect;
use super::views::View;

pub mod connection;
pub mod fetched;
pub mod list_view;
pub mod navigation;
pub mod notes;
pub mod outbox;
pub mod own;
pub mod present;
pub mod row_selection;
pub mod setup;

use connection::Connection;
use fetched::Fetched;
use navigation::Navigation;
use notes::{Note, Notes};
use outbox::{Asked, Outbox, Sent};
use own::Own;
use present::Present;
use row_selection::RowSelection;
use setup::Setup;

/// From this age on an unknown bill is said on every pane: any settling has long had its chance.
const UNKNOWN_TOO_LONG: Duration = Duration::from_secs(10 * 60);

/// The state that panes and overlays share.
pub(crate) struct Shared {
    /// What stays as it was at the start.
    pub setup: Setup,
    pub lang: Lang,
    pub now: Ts,
    /// Columns and rows.
    pub size: (u16, u16),
    pub nav: Navigation,
    /// The count being typed; 0 = begun, no digit yet.
    pub count: Option<u64>,
    pub present: Present,
    pub pulse: Pulse,
    pub plans: Fetched<PlanRow>,
    pub envs: Vec<EnvRow>,
    /// Unresolved bills over everything, by cause.
    pub groups: Fetched<LedgerGroup>,
    /// The plan under the cursor.
    pub plan: Option<PlanId>,
    /// The run whose sum line is shown.
    pub run: Option<RunId>,
    /// Its row when it is not among the live ones.
    pub stored: Option<Box<RunRow>>,
    pub selection: RowSelection,
    /// What this console unlocked, and what it took off the ledger last.
    pub own: Own,
    /// Saved views.
    pub filters: Vec<View>,
    pub notes: Notes,
    pub outbox: Outbox,
    pub connection: Connection,
    /// The screen would look different now.
    pub dirty: bool,
}

impl Shared {
    /// As it is at the start; what of the configuration could not be used is noted.
    pub fn new(config: UiConfig) -> Self {
        let (keymap, fault) = match Keymap::with(config.digits, &config.keys) {
            Ok(keymap) => (keymap, None),
            Err(fault) => (Keymap::standard(), Some(fault.to_string())),
        };
        let mut shared = Self {
            lang: config.lang,
            now: config.now,
            size: config.size,
            nav: Navigation::begin(config.start, config.lists),
            count: None,
            present: Present::new(config.live),
            pulse: Pulse::default(),
            plans: Fetched::default(),
            envs: Vec::new(),
            groups: Fetched::default(),
            plan: config.select,
            run: None,
            stored: None,
            selection: RowSelection::default(),
            own: Own::default(),
            filters: config.filters,
            notes: Notes::default(),
            outbox: Outbox::new(config.now),
            connection: Connection::default(),
            dirty: true,
            setup: Setup {
                skin: config.skin,
                unicode: config.unicode,
                glyphs: super::cells::Glyphs::of(config.ascii, config.measure),
                keymap,
                causes: config.causes,
                zone: config.zone_minutes,
                site: config.site,
                version: config.version,
                user: config.user,
                label: config.label,
                detachable: config.detachable,
                bell: config.bell,
            },
        };
        for text in config.warnings.into_iter().chain(fault) {
            shared.note(true, text);
        }
        shared
    }

    /// The screen has to be drawn anew.
    pub fn touch(&mut self) {
        self.dirty = true;
    }

    /// All texts of the present language.
    pub fn t(&self) -> &'static Texts {
        self.lang.texts()
    }

    /// Says something to the operator.
    pub fn note(&mut self, bad: bool, text: impl Into<String>) {
        self.note_then(bad, text, String::new());
    }

    /// Says something, and what leads on.
    pub fn note_then(&mut self, bad: bool, text: impl Into<String>, next: String) {
        self.notes.say(Note { at: self.now, bad, text: text.into(), next });
        self.touch();
    }

    /// Asks; a question of the same kind that still waits is given up.
    pub fn ask(&mut self, query: Query, what: Asked, effects: &mut Vec<Effect>) {
        effects.push(self.outbox.ask(query, what));
    }

    /// A filter as the store is asked: with days where words of the calendar stand.
    pub fn asked(&self, filter: &Filter) -> Filter {
        filter.resolved(&self.setup.site, self.now)
    }

    /// A filter as people read it: keys, causes, outcomes and words of the calendar in their language.
    pub fn said(&self, filter: &Filter) -> String {
        let lang = self.lang.language();
        filter.said(lang, |key, name| match key {
            FilterKey::Status => lang.t(None, operation_words::column_zh(name)).map(str::to_owned),
            _ => super::filter_words::cause_said(&self.setup.causes, lang, name),
        })
    }

    /// Gives an order.
    pub fn submit(&mut self, command: Command, sent: Sent, effects: &mut Vec<Effect>) {
        if let Some(why) = self.connection.gone() {
            let text = fill(self.t().engine_gone, &[skydeck_core::text::show(why, 200).as_str()]);
            self.note(true, text);
            return;
        }
        effects.push(self.outbox.submit(command, sent));
    }

    /// The run whose sum line is shown, when it is live.
    pub fn run_live(&self) -> Option<&RunLive> {
        self.run.and_then(|id| self.present.live().runs.get(&id))
    }

    /// The row of the run whose sum line is shown.
    pub fn run_row(&self) -> Option<&RunRow> {
        self.row_of(self.run?)
    }

    /// The row of a run that is live, was looked up, or is one of the last of its plan.
    pub fn row_of(&self, id: RunId) -> Option<&RunRow> {
        let live = self.present.live().runs.get(&id).map(|run| &run.row);
        live.or_else(|| self.stored.as_deref().filter(|row| row.head.id == id))
            .or_else(|| self.plans.rows().iter().flat_map(|plan| &plan.last).find(|row| row.head.id == id))
    }

    /// Place of the plan under the cursor.
    pub fn plan_index(&self) -> usize {
        self.plans.rows().iter().position(|row| Some(plan_id(row)) == self.plan.as_ref()).unwrap_or(0)
    }

    /// The plan under the cursor.
    pub fn plan_row(&self) -> Option<&PlanRow> {
        self.plans.rows().get(self.plan_index())
    }

    /// What pace and session are in an environment.
    pub fn pulse_of(&self, env: &EnvId) -> Option<&EnvPulse> {
        self.pulse.envs.iter().find(|pulse| pulse.env == *env)
    }

    /// The machine that has an open run, where that is another one.
    pub fn host_of(&self, run: RunId) -> Option<&str> {
        let elsewhere = &self.present.machines.as_ref()?.elsewhere;
        elsewhere.iter().find(|(other, host)| *other == run && !host.is_empty()).map(|(_, host)| host.as_str())
    }

    /// How long writing stays unlocked in a read-only environment.
    pub fn unlocked_for(&self, env: &EnvId) -> Option<Duration> {
        let row = || self.envs.iter().find(|row| row.env.id == *env).and_then(|row| row.unlocked_until);
        let until = self.pulse_of(env).map_or_else(row, |pulse| pulse.unlocked_until)?;
        Some(until.since(self.now)).filter(|left| !left.is_zero())
    }

    /// Who unlocked writing in an environment, where that was another console than this one.
    pub fn unlocked_by_another(&self, env: &EnvId) -> Option<&Who> {
        let row = || self.envs.iter().find(|row| row.env.id == *env);
        let (until, by) = match self.pulse_of(env) {
            Some(pulse) => (pulse.unlocked_until, pulse.unlocked_by.as_ref()),
            None => (row()?.unlocked_until, row()?.unlocked_by.as_ref()),
        };
        by.filter(|_| !self.own.is_unlock(env, until))
    }

    /// Unresolved bills over everything.
    pub fn unresolved(&self) -> u64 {
        self.groups.rows().iter().map(|group| group.count).sum()
    }

    /// Unknown bills that nothing has read back for too long: how many, and for how long the oldest has waited.
    pub fn stale_unknown(&self) -> Option<(u64, Duration)> {
        let unknown = || self.groups.rows().iter().filter(|group| group.slot == Slot::Unknown);
        let age = self.now.since(unknown().filter_map(|group| group.oldest).min()?);
        (age >= UNKNOWN_TOO_LONG).then(|| (unknown().map(|group| group.count).sum(), age))
    }

    /// Whether a run is being written by this process now.
    pub fn at_work(&self) -> bool {
        self.present.live().open().any(|run| {
            matches!(run.row.state, RunState::Collecting | RunState::Working | RunState::Settling)
                || !run.in_flight.is_empty()
        })
    }
}

/// Whether a change is one of which bills are unresolved.
pub(crate) fn changes_ledger(change: &Change<'_>) -> bool {
    match change {
        Change::Bill { change: BillChange::Settled { outcome, was, .. }, .. } => {
            !outcome.is_resolved() || *was == Slot::Unknown
        }
        Change::Run { to: RunState::Closed(_), .. } | Change::Resolved { .. } | Change::Reopened { .. } => true,
        _ => false,
    }
}

/// A plan's id, usable or not.
pub(crate) fn plan_id(row: &PlanRow) -> &PlanId {
    match &row.plan {
        Ok(plan) => &plan.id,
        Err(problem) => &problem.id,
    }
}
