//! All the console knows. Changed by `update` alone; `view` reads it.
//!
//! Invariant: bounded by what is open and what is on the screen, never by the history.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::time::Duration;

use skydeck_core::domain::bill::Slot;
use skydeck_core::domain::env::Environment;
use skydeck_core::domain::event::{ActionEntry, Fact};
use skydeck_core::domain::filter::Filter;
use skydeck_core::domain::ids::{EnvId, Fid, PlanId, RecordKey, RunId, Seq, WorkKey};
use skydeck_core::domain::live::{EnvPulse, Live, Pulse, RunLive};
use skydeck_core::domain::plan::Plan;
use skydeck_core::domain::query::{EnvRow, PlanRow, Query, Scope};
use skydeck_core::domain::run::{BillRow, RunRow};
use skydeck_core::domain::time::Ts;

use super::cells::Glyphs;
use super::config::{Lang, UiConfig};
use super::keymap::{self, Keymap};
use super::lang::Texts;
use super::msg::{Effect, Ticket};
use super::overlays::Overlay;
use super::panes::bill::BillPane;
use super::panes::ledger::LedgerPane;
use super::skin::Skin;
use super::window::Window;

/// The panes, in the order of the tab line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "each is named after what it shows")]
pub enum Pane {
    Plans,
    Queue,
    Results,
    Ledger,
    History,
    Bill,
    Log,
}

impl Pane {
    /// All.
    pub const ALL: [Self; 7] =
        [Self::Plans, Self::Queue, Self::Results, Self::Ledger, Self::History, Self::Bill, Self::Log];

    /// Its place in the key table.
    pub fn scope(self) -> keymap::Scope {
        match self {
            Self::Plans => keymap::Scope::Plans,
            Self::Queue => keymap::Scope::Queue,
            Self::Results => keymap::Scope::Results,
            Self::Ledger => keymap::Scope::Ledger,
            Self::History => keymap::Scope::History,
            Self::Bill => keymap::Scope::Bill,
            Self::Log => keymap::Scope::Log,
        }
    }
}

/// A message to the operator.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Note {
    pub at: Ts,
    pub bad: bool,
    pub text: String,
}

/// What an order was for, until its receipt comes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Sent {
    /// It opens a run that this console wants to approve.
    Opens,
    /// Anything else: its name in words.
    Said(String),
}

/// What a question was for, until its answer comes. Windows keep their own tickets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Asked {
    Plans,
    Environments,
    Groups,
    Bill,
    Run,
    Counting,
    Revisions,
    CompareOld,
    CompareNew,
}

/// The console's state.
pub struct Model {
    pub(crate) lang: Lang,
    pub(crate) skin: Skin,
    pub(crate) unicode: bool,
    pub(crate) glyphs: &'static Glyphs,
    pub(crate) keymap: Keymap,
    pub(crate) causes: skydeck_core::domain::cause::CauseTable,
    pub(crate) zone: i32,
    pub(crate) version: String,
    pub(crate) user: String,
    pub(crate) label: String,
    pub(crate) detachable: bool,
    pub(crate) bell: bool,
    pub(crate) now: Ts,
    pub(crate) size: (u16, u16),
    pub(crate) pane: Pane,
    pub(crate) came_from: Vec<Pane>,
    pub(crate) zoom: bool,
    dirty: bool,
    tickets: u64,
    pub(crate) live: Live,
    pub(crate) frozen: Option<Box<Live>>,
    pub(crate) pulse: Pulse,
    pub(crate) plans: Vec<PlanRow>,
    pub(crate) plans_loaded: bool,
    pub(crate) plans_stale: bool,
    pub(crate) plan: Option<PlanId>,
    pub(crate) plan_top: usize,
    pub(crate) envs: Vec<EnvRow>,
    /// The run whose sum line is shown.
    pub(crate) run: Option<RunId>,
    /// Its row when it is not among the live ones.
    pub(crate) stored: Option<Box<RunRow>>,
    /// Runs opened by this console.
    pub(crate) mine: BTreeSet<RunId>,
    /// Interrupted runs about which the operator was asked already.
    pub(crate) asked_resume: BTreeSet<RunId>,
    /// Sets about which the operator was asked already.
    pub(crate) asked_approve: BTreeSet<RunId>,
    pub(crate) queue_at: Option<Fid>,
    pub(crate) queue_top: usize,
    pub(crate) results: Window<BillRow>,
    pub(crate) results_run: Option<RunId>,
    pub(crate) results_filter: Filter,
    pub(crate) ledger: LedgerPane,
    pub(crate) ledger_filter: Filter,
    pub(crate) history: Window<RunRow>,
    /// The date History looks for: the first run at or before it.
    pub(crate) history_goal: Option<Ts>,
    pub(crate) found: Window<BillRow>,
    pub(crate) history_filter: Filter,
    pub(crate) bill: BillPane,
    pub(crate) log: Window<(Seq, Ts, ActionEntry)>,
    pub(crate) marks: BTreeMap<WorkKey, String>,
    /// `*`: everything that matches is meant, whatever is on the screen.
    pub(crate) all_marked: bool,
    pub(crate) overlay: Option<Overlay>,
    pub(crate) orders: BTreeMap<Ticket, Sent>,
    pub(crate) asks: BTreeMap<Ticket, Asked>,
    pub(crate) notes: VecDeque<Note>,
    /// The last note is on the status line until a key is pressed.
    pub(crate) note_shown: bool,
    /// The count being typed; 0 = begun, no digit yet.
    pub(crate) count: Option<u64>,
    /// What the engine does while it is being opened.
    pub(crate) opening: Option<String>,
    pub(crate) gone: Option<String>,
    pub(crate) filters: Vec<(String, String)>,
    /// The window title as it was last set.
    pub(crate) titled: String,
    /// When something was last read again because of facts.
    pub(crate) refreshed: Ts,
}

/// Notes kept.
const NOTES: usize = 50;
/// From this age on an unknown bill is said on every pane: any settling has long had its chance.
const UNKNOWN_TOO_LONG: Duration = Duration::from_secs(10 * 60);

impl Model {
    /// A console at its start, and the first questions.
    pub fn new(config: UiConfig) -> (Self, Vec<Effect>) {
        let (keymap, fault) = match Keymap::with(config.digits, &config.keys) {
            Ok(keymap) => (keymap, None),
            Err(fault) => (Keymap::standard(), Some(fault.to_string())),
        };
        let mut model = Self {
            lang: config.lang,
            skin: config.skin,
            unicode: config.unicode,
            glyphs: Glyphs::of(config.ascii, config.measure),
            keymap,
            causes: config.causes,
            zone: config.zone_minutes,
            version: config.version,
            user: config.user,
            label: config.label,
            detachable: config.detachable,
            bell: config.bell,
            now: config.now,
            size: config.size,
            pane: Pane::Plans,
            came_from: Vec::new(),
            zoom: false,
            dirty: true,
            tickets: 0,
            live: config.live,
            frozen: None,
            pulse: Pulse::default(),
            plans: Vec::new(),
            plans_loaded: false,
            plans_stale: true,
            plan: config.select,
            plan_top: 0,
            envs: Vec::new(),
            run: None,
            stored: None,
            mine: BTreeSet::new(),
            asked_resume: BTreeSet::new(),
            asked_approve: BTreeSet::new(),
            queue_at: None,
            queue_top: 0,
            results: Window::default(),
            results_run: None,
            results_filter: Filter::default(),
            ledger: LedgerPane { stale: true, ..LedgerPane::default() },
            ledger_filter: Filter::default(),
            history: Window::default(),
            history_goal: None,
            found: Window::default(),
            history_filter: Filter::default(),
            bill: BillPane::default(),
            log: Window::default(),
            marks: BTreeMap::new(),
            all_marked: false,
            overlay: None,
            orders: BTreeMap::new(),
            asks: BTreeMap::new(),
            notes: VecDeque::new(),
            note_shown: false,
            count: None,
            gone: None,
            opening: None,
            filters: config.filters,
            titled: String::new(),
            refreshed: config.now,
        };
        for text in config.warnings.into_iter().chain(fault) {
            model.note(true, text);
        }
        let mut effects = Vec::new();
        model.ask(Query::Environments, Asked::Environments, &mut effects);
        super::update::notice_runs(&mut model);
        super::update::finish(&mut model, &mut effects);
        (model, effects)
    }

    /// Whether the screen would look different now.
    pub fn needs_draw(&self) -> bool {
        self.dirty
    }

    /// The shell has drawn.
    pub fn drawn(&mut self) {
        self.dirty = false;
    }

    pub(crate) fn touch(&mut self) {
        self.dirty = true;
    }

    /// All texts of the present language.
    pub(crate) fn t(&self) -> &'static Texts {
        self.lang.texts()
    }

    pub(crate) fn ticket(&mut self) -> Ticket {
        self.tickets += 1;
        Ticket(self.tickets)
    }

    /// Asks; a question of the same kind that still waits is given up.
    pub(crate) fn ask(&mut self, query: Query, what: Asked, effects: &mut Vec<Effect>) {
        self.asks.retain(|_, w| *w != what);
        let ticket = self.ticket();
        self.asks.insert(ticket, what);
        effects.push(Effect::Ask(ticket, query));
    }

    pub(crate) fn note(&mut self, bad: bool, text: impl Into<String>) {
        self.notes.push_front(Note { at: self.now, bad, text: text.into() });
        self.notes.truncate(NOTES);
        self.note_shown = true;
        self.touch();
    }

    /// The live state to show: the frozen one while frozen.
    pub(crate) fn shown_live(&self) -> &Live {
        self.frozen.as_deref().unwrap_or(&self.live)
    }

    /// Runs that are known here, oldest first: the live ones, the last of each plan, those that History has read.
    pub(crate) fn known_runs(&self) -> BTreeSet<RunId> {
        let of_plans = self.plans.iter().flat_map(|plan| &plan.last);
        let stored = of_plans.chain(self.history.rows()).map(|row| row.head.id);
        self.live.runs.keys().copied().chain(stored).collect()
    }

    /// The run whose sum line is shown, when it is live.
    pub(crate) fn run_live(&self) -> Option<&RunLive> {
        self.run.and_then(|id| self.live.runs.get(&id))
    }

    /// The row of the run whose sum line is shown.
    pub(crate) fn run_row(&self) -> Option<&RunRow> {
        let id = self.run?;
        self.live
            .runs
            .get(&id)
            .map(|r| &r.row)
            .or_else(|| self.stored.as_deref().filter(|r| r.head.id == id))
            .or_else(|| self.plans.iter().flat_map(|p| &p.last).chain(self.history.rows()).find(|r| r.head.id == id))
    }

    /// Place of the plan under the cursor.
    pub(crate) fn plan_index(&self) -> usize {
        self.plans.iter().position(|p| Some(plan_id(p)) == self.plan.as_ref()).unwrap_or(0)
    }

    /// The plan under the cursor.
    pub(crate) fn plan_row(&self) -> Option<&PlanRow> {
        self.plans.get(self.plan_index())
    }

    /// The environment that the screen is about: the shown run's, else the plan's, else the only one.
    pub(crate) fn env(&self) -> Option<&Environment> {
        self.env_row().map(|row| &row.env)
    }

    /// The same, with how it stands.
    pub(crate) fn env_row(&self) -> Option<&EnvRow> {
        let of_plan = || match self.plan_row().map(|p| &p.plan) {
            Some(Ok(Plan { env: Some(env), .. })) => Some(env.clone()),
            _ => None,
        };
        let of_run = || self.run_row().map(|r| r.head.env.clone());
        let id = if self.pane == Pane::Plans { of_plan().or_else(of_run) } else { of_run().or_else(of_plan) };
        match id {
            Some(id) => self.envs.iter().find(|row| row.env.id == id),
            None => self.envs.first(),
        }
    }

    /// What pace and session are in an environment.
    pub(crate) fn pulse_of(&self, env: &EnvId) -> Option<&EnvPulse> {
        self.pulse.envs.iter().find(|p| p.env == *env)
    }

    /// How long writing stays unlocked in a read-only environment.
    pub(crate) fn unlocked_for(&self, env: &EnvId) -> Option<Duration> {
        let row = || self.envs.iter().find(|r| r.env.id == *env).and_then(|r| r.unlocked_until);
        let until = self.pulse_of(env).map_or_else(row, |p| p.unlocked_until)?;
        Some(until.since(self.now)).filter(|d| !d.is_zero())
    }

    /// Unresolved bills over everything.
    pub(crate) fn unresolved(&self) -> u64 {
        self.ledger.groups.iter().map(|g| g.count).sum()
    }

    /// Unknown bills that nothing has read back for too long: how many, and for how long the oldest has waited.
    pub(crate) fn stale_unknown(&self) -> Option<(u64, Duration)> {
        let unknown = || self.ledger.groups.iter().filter(|g| g.slot == Slot::Unknown);
        let age = self.now.since(unknown().filter_map(|g| g.oldest).min()?);
        (age >= UNKNOWN_TOO_LONG).then(|| (unknown().map(|g| g.count).sum(), age))
    }

    /// The filter of the present pane, where it has one.
    pub(crate) fn filter(&self) -> Option<&Filter> {
        match self.pane {
            Pane::Results => Some(&self.results_filter),
            Pane::Ledger => Some(&self.ledger_filter),
            Pane::History => Some(&self.history_filter),
            _ => None,
        }
    }

    /// What the bills on the screen belong to.
    pub(crate) fn list_scope(&self) -> Option<Scope> {
        match self.pane {
            Pane::Results => self.results_run.map(Scope::Run),
            Pane::Ledger => Some(Scope::Ledger),
            Pane::History => Some(Scope::History),
            _ => None,
        }
    }

    /// The bill under the cursor.
    pub(crate) fn bill_row(&self) -> Option<&BillRow> {
        match self.pane {
            Pane::Results => self.results.current(),
            Pane::Ledger => self.ledger.entered().and_then(Window::current),
            Pane::History if !self.history_filter.is_empty() => self.found.current(),
            Pane::Bill => self.bill.row.as_deref(),
            _ => None,
        }
    }

    /// Key and number of the bill under the cursor, in the queue too.
    pub(crate) fn bill_here(&self) -> Option<(WorkKey, String)> {
        if self.pane == Pane::Queue {
            let run = self.shown_live().runs.get(&self.run?)?;
            let (fid, no) = super::panes::queue::at(run, self.queue_at.as_ref()?)?;
            let key = RecordKey { env: run.row.head.env.clone(), form: run.row.head.form.clone(), fid };
            let key = key.under(&run.row.head.op);
            return Some((key, no));
        }
        self.bill_row().map(|row| (row.key.clone(), row.no.clone()))
    }

    /// The window title.
    pub(crate) fn title(&self) -> String {
        match self.env() {
            Some(env) => format!("Skydeck {}", skydeck_core::text::show(env.id.as_str(), 64).as_str()),
            None => "Skydeck".to_owned(),
        }
    }

    /// Facts of the present batch that the open bill is about.
    pub(crate) fn concerns_bill(&self, fact: &Fact) -> bool {
        use skydeck_core::domain::event::Event;
        let Some(key) = &self.bill.key else { return false };
        match &fact.event {
            Event::StepAnswered { fid, .. } | Event::BillSettled { fid, .. } | Event::BillDeferred { fid, .. } => {
                *fid == key.record.fid
            }
            Event::LedgerResolved { key: k, .. } | Event::LedgerReopened { key: k, .. } => k == key,
            _ => false,
        }
    }
}

/// A plan's id, usable or not.
pub(crate) fn plan_id(row: &PlanRow) -> &PlanId {
    match &row.plan {
        Ok(plan) => &plan.id,
        Err(problem) => &problem.id,
    }
}
