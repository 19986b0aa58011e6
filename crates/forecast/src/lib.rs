//! What is usual for a plan, learned from its facts, and what stands out from it.
//!
//! Folds over [`Change`]: pure, without a clock of their own, as large after ten years as after ten weeks. A forecast is made
//! before what it is about is seen, and scored by it; one that is no better than its baseline on this site's own facts is
//! silent. Invariant: nothing here touches an outcome; what was said up to a moment depends on no fact after it.

#![cfg_attr(test, allow(missing_docs))]

mod bars;
mod baseline;
mod calendar;
mod drain;
mod kept;
mod ledger;
mod periods;
mod plan;
mod rates;
mod record;
mod run;
mod say;
mod spans;
mod spread;
mod volume;
mod watch;

use std::collections::{BTreeMap, BTreeSet, HashMap};

use chrono::NaiveDate;
use serde::{Deserialize, Serialize};

use skydeck_core::domain::event::{Event, Fact};
use skydeck_core::domain::forecast::{Finding, Forecaster, Named};
use skydeck_core::domain::ids::{EnvId, FormId, PlanId, RunId};
use skydeck_core::domain::plan::Plan as PlanText;
use skydeck_core::domain::run::{RunEnd, RunHead, RunKind, RunState};
use skydeck_core::domain::time::Ts;
use skydeck_core::domain::transition::{BillChange, Change, transition};
use skydeck_core::domain::zone::Zone;

pub use self::calendar::{Calendar, CalendarError};
pub use self::drain::{Done, Scored};
pub use self::ledger::Moved;
pub use self::periods::{Periods, Place};
use self::plan::Judged;
pub use self::plan::Plan;
pub use self::run::Run;
pub use self::spread::{Spread, normal_score};

/// Number of what is folded, and how. Whoever folds otherwise raises it: states of another number are folded anew.
pub const FORM: u32 = 4;
/// Runs that are open at once, at most; of more the oldest are let go.
const OPEN: usize = 512;
/// Days of a ledger that are looked back over after a plan lay still, at most.
const LEDGER_DAYS: usize = 14;

/// What is known of all plans.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct State {
    /// By plan.
    pub plans: BTreeMap<PlanId, Plan>,
    /// Runs that are open.
    pub open: BTreeMap<RunId, Run>,
    /// Periods that were refused as closed.
    pub closed: Periods,
}

/// Something begins that somebody should know.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Alarm {
    /// Of which plan.
    pub plan: PlanId,
    /// Who says it.
    pub by: Forecaster,
    /// What.
    pub finding: Finding,
    /// When.
    pub at: Ts,
}

/// What a prediction was and what came: for tables.
#[derive(Clone, Debug, PartialEq)]
pub struct Score {
    /// Of which plan.
    pub plan: PlanId,
    /// When.
    pub at: Ts,
    /// What came.
    pub what: Scoring,
}

/// See [`Score`].
#[derive(Clone, Debug, PartialEq)]
pub enum Scoring {
    /// A run found so many, of the mean that was expected; whether that lay in the range, and by how many nats it was better than
    /// the baseline.
    Found {
        /// Bills.
        found: u64,
        /// Expected.
        mean: f64,
        /// In the range of 90 %.
        inside: bool,
        /// Nats.
        gain: f64,
    },
    /// The calls of a run came to their end.
    Done(Scored),
}

/// Folds facts into a state, with what does not change: the calendar, and what is borne.
#[derive(Debug)]
pub struct Folder {
    calendar: Calendar,
    /// False alarms borne, a plan and 30 days.
    budget: f64,
    zones: HashMap<String, Zone>,
    /// The state.
    pub state: State,
    /// Plans of which something changed since they were kept.
    changed: BTreeSet<PlanId>,
    /// Scores since they were taken last, where they are wanted.
    scores: Option<Vec<Score>>,
}

impl Folder {
    /// Goes on from a state. `budget`: false alarms that are borne, a plan and 30 days.
    pub fn new(calendar: Calendar, budget: f64, state: State) -> Self {
        let budget = if budget.is_finite() { budget.clamp(0.05, 30.0) } else { 1.0 };
        Self { calendar, budget, zones: HashMap::new(), state, changed: BTreeSet::new(), scores: None }
    }

    /// Keeps scores from here on.
    #[must_use]
    pub fn scoring(mut self) -> Self {
        self.scores = Some(Vec::new());
        self
    }

    /// The scores since they were taken last.
    pub fn take_scores(&mut self) -> Vec<Score> {
        self.scores.as_mut().map(std::mem::take).unwrap_or_default()
    }

    /// The calendar.
    pub fn calendar(&self) -> &Calendar {
        &self.calendar
    }

    /// False alarms borne, a plan and 30 days.
    pub fn budget(&self) -> f64 {
        self.budget
    }

    pub(crate) fn zone(&self, plan: &Plan) -> Zone {
        let name = plan.zone.as_deref();
        name.and_then(|name| self.zones.get(name).cloned().or_else(|| name.parse().ok())).unwrap_or_else(Zone::utc)
    }

    fn zone_kept(&mut self, plan: &PlanId) -> Zone {
        self.changed.insert(plan.clone());
        let name = self.state.plans.get(plan).and_then(|plan| plan.zone.clone());
        let Some(name) = name else { return Zone::utc() };
        let zone = self.zones.entry(name).or_insert_with_key(|name| name.parse().unwrap_or_else(|_| Zone::utc()));
        zone.clone()
    }

    /// Takes one stored fact in; gives what begins with it.
    pub fn take(&mut self, fact: &Fact) -> Vec<Alarm> {
        match &fact.event {
            Event::Forgotten => self.forgotten(),
            Event::AlarmDenied { alarm, .. } => {
                self.deny(alarm, fact.at);
            }
            _ => {}
        }
        self.fold(&transition(&fact.event), fact.at)
    }

    /// Takes what one fact changes; gives what begins with it.
    pub fn fold(&mut self, change: &Change<'_>, at: Ts) -> Vec<Alarm> {
        match change {
            Change::Opened(head) => {
                self.opened(head);
                Vec::new()
            }
            Change::Found { run, bills } => {
                if let Some(run) = self.state.open.get_mut(run) {
                    run.found(bills);
                }
                Vec::new()
            }
            Change::Run { run, to, approves } => self.run_is(*run, to, *approves, at),
            Change::Bill { run, change, .. } => {
                self.bill(*run, change, at);
                Vec::new()
            }
            Change::Nothing
            | Change::Gone { .. }
            | Change::Resolved { .. }
            | Change::Reopened { .. }
            | Change::NotUnderstood(_) => Vec::new(),
        }
    }

    /// A bill of a day was refused as dated in a closed period, or went through.
    pub fn dated(&mut self, place: Place, day: NaiveDate, refused: bool) {
        self.state.closed.take(place, day, refused);
    }

    /// Whether any period counts as closed.
    pub fn any_closed(&self) -> bool {
        !self.state.closed.is_empty()
    }

    /// Organisations of a form in an environment whose periods are closed, each with the last day that is.
    pub fn closed_periods(&self, env: &EnvId, form: &FormId) -> Vec<(String, NaiveDate)> {
        self.state.closed.of(env, form)
    }

    /// A fact stood here that is kept no longer: of the runs that are open at it, nothing is learned.
    pub fn forgotten(&mut self) {
        self.state.open.values_mut().for_each(Run::has_gap);
    }

    fn opened(&mut self, head: &RunHead) {
        self.changed.insert(head.plan.clone());
        let plan = self.state.plans.entry(head.plan.clone()).or_default();
        if let Some(text) = &head.text {
            plan.zone = zone_of(text).or_else(|| plan.zone.take());
        }
        // Whoever left runs open for ever is not waited for.
        while self.state.open.len() >= OPEN {
            self.state.open.pop_first();
        }
        self.state.open.insert(head.id, Run::new(head));
    }

    fn run_is(&mut self, run: RunId, to: &RunState, approves: bool, at: Ts) -> Vec<Alarm> {
        let Some(open) = self.state.open.get_mut(&run) else { return Vec::new() };
        if approves {
            open.begins(at);
        }
        match to {
            RunState::AwaitingApproval => self.collected(run, at),
            RunState::Closed(end) => {
                let mut alarms = match end {
                    RunEnd::Empty | RunEnd::Collected => self.collected(run, at),
                    _ => Vec::new(),
                };
                alarms.extend(self.closed(run, end, at));
                alarms
            }
            RunState::Interrupted => {
                open.is_broken();
                Vec::new()
            }
            RunState::Collecting | RunState::Working | RunState::Settling | RunState::Paused(_) => Vec::new(),
        }
    }

    /// All pages of a run's query are in.
    fn collected(&mut self, run: RunId, at: Ts) -> Vec<Alarm> {
        let Some(open) = self.state.open.get_mut(&run) else { return Vec::new() };
        if open.kind != RunKind::Fresh || open.ranged || std::mem::replace(&mut open.judged, true) {
            return Vec::new();
        }
        let (id, opened, found, gap) = (open.plan.clone(), open.opened, open.count(), open.gap);
        let zone = self.zone_kept(&id);
        let Some(plan) = self.state.plans.get_mut(&id) else { return Vec::new() };
        if gap {
            plan.passed_over(opened);
            return Vec::new();
        }
        let Judged { alarms, score } = plan.collected(&self.calendar, &zone, self.budget, (opened, found));
        if let Some((scores, what)) = self.scores.as_mut().zip(score) {
            scores.push(Score { plan: id.clone(), at, what });
        }
        alarms.into_iter().map(|(by, finding)| Alarm { plan: id.clone(), by, finding, at }).collect()
    }

    fn bill(&mut self, run: RunId, change: &BillChange<'_>, at: Ts) {
        let Some(open) = self.state.open.get_mut(&run) else { return };
        let Some(plan) = self.state.plans.get(&open.plan) else { return };
        open.bill(change, at, &plan.drain);
    }

    fn closed(&mut self, run: RunId, end: &RunEnd, at: Ts) -> Vec<Alarm> {
        let Some(open) = self.state.open.remove(&run) else { return Vec::new() };
        let id = open.plan.clone();
        let zone = self.zone_kept(&id);
        let Some(plan) = self.state.plans.get_mut(&id) else { return Vec::new() };
        let (alarms, scored) = plan.closed(&zone, self.budget, &open, end, at);
        if let Some(scores) = &mut self.scores {
            scores.extend(scored.into_iter().map(|s| Score { plan: id.clone(), at, what: Scoring::Done(s) }));
        }
        alarms.into_iter().map(|(by, finding)| Alarm { plan: id.clone(), by, finding, at }).collect()
    }

    /// Days of a plan's ledger that are over at a moment and were not judged yet, each from its beginning to its end; of many the
    /// last ones. They count as judged from here on: who asks brings what came and left.
    pub fn ledger_days(&mut self, id: &PlanId, at: Ts) -> Vec<std::ops::Range<Ts>> {
        let zone = self.zone_kept(id);
        let Some(plan) = self.state.plans.get_mut(id) else { return Vec::new() };
        let (_, over) = spans::local(&zone, at);
        let today = Ts(at.0 - over);
        let Some(last) = plan.judged.replace(today) else { return Vec::new() };
        let (mut days, mut end) = (Vec::new(), today);
        while end > last && days.len() < LEDGER_DAYS {
            // Noon of the day before lies in it, whatever the clocks did.
            let noon = Ts(end.0 - spans::DAY / 2);
            let begins = Ts(noon.0 - spans::local(&zone, noon).1);
            days.push(begins..end);
            end = begins;
        }
        days.reverse();
        days
    }

    /// Takes what came into a plan's ledger on a day that is over, and what left it.
    pub fn ledger_day(&mut self, id: &PlanId, ended: Ts, moved: &[Moved]) -> Vec<Alarm> {
        let zone = self.zone_kept(id);
        let Some(plan) = self.state.plans.get_mut(id) else { return Vec::new() };
        let alarms = plan.ledger_day(&zone, self.budget, ended, moved);
        alarms.into_iter().map(|(by, finding)| Alarm { plan: id.clone(), by, finding, at: ended }).collect()
    }

    /// A person said that what stands out of a plan is no alarm; gives whether it stood.
    pub fn deny(&mut self, alarm: &Named, at: Ts) -> bool {
        let zone = self.zone_kept(&alarm.plan);
        self.state.plans.get_mut(&alarm.plan).is_some_and(|plan| plan.deny(&zone, alarm, at))
    }
}

fn zone_of(text: &PlanText) -> Option<String> {
    text.policy.schedule.as_ref().map(|schedule| schedule.zone.clone())
}
