//! The lines of Today: what needs somebody first, then what is unresolved by cause, the plans, the environments.

use chrono::NaiveDateTime;

use crate::ui::format::fill;
use crate::ui::keymap::Scope;
use crate::ui::shared::Shared;
use crate::ui::skin::Role;
use crate::ui::words;
use skydeck_core::domain::bill::Slot;
use skydeck_core::domain::filter::{Filter, Key, Moment, Point, Span, Term, Test};
use skydeck_core::domain::forecast::Found;
use skydeck_core::domain::ids::{EnvId, PlanId, RunId};
use skydeck_core::domain::query::EnvRow;
use skydeck_core::domain::run::RunState;
use skydeck_core::domain::today::{PlanDay, Today};

use super::ledger_groups;
use super::pane::{Goto, Subject};

/// One line: a row the cursor can stand on, or the title of a section.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Line {
    /// A plan that did not run, by its place in the answer.
    Silent(usize),
    /// What stands out of a plan from what is usual: the plan, and which of its findings.
    Unusual(usize, usize),
    /// A plan whose file cannot be used.
    Broken(usize),
    /// A run that ended by itself.
    Stopped(usize),
    /// An open run that waits for a person.
    Waiting(RunId),
    /// An environment that needs somebody.
    Trouble(EnvId),
    /// There is nothing of all that.
    Quiet,
    GroupTitles,
    Group(usize),
    PlanTitles,
    Plan(usize),
    EnvTitles,
    Env(EnvId),
}

/// What a row is about, whatever stands above it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Place {
    Alarm(PlanId),
    Unusual(PlanId, usize),
    Run(RunId),
    Group(Slot, String),
    Plan(PlanId),
    Env(EnvId),
}

/// A number of a plan's row, from left to right.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Number {
    Runs,
    Done,
    Failed,
    Unknown,
    Gained,
    Solved,
    Open,
}

impl Number {
    pub const ALL: [Self; 7] =
        [Self::Runs, Self::Done, Self::Failed, Self::Unknown, Self::Gained, Self::Solved, Self::Open];

    /// The one beside it; none left of the first one.
    pub fn beside(number: Option<Self>, right: bool) -> Option<Self> {
        let at = number.and_then(|number| Self::ALL.iter().position(|other| *other == number));
        let to = match (at, right) {
            (None, true) => 0,
            (None, false) => return None,
            (Some(at), true) => (at + 1).min(Self::ALL.len() - 1),
            (Some(at), false) => at.checked_sub(1)?,
        };
        Self::ALL.get(to).copied()
    }

    pub fn of(self, plan: &PlanDay) -> u64 {
        let told = |slot| u64::try_from(plan.span.of(slot)).unwrap_or(0);
        match self {
            Self::Runs => plan.span.runs,
            Self::Done => told(Slot::Done),
            Self::Failed => told(Slot::Failed),
            Self::Unknown => told(Slot::Unknown),
            Self::Gained => plan.span.gained(),
            Self::Solved => plan.span.solved(),
            Self::Open => plan.unresolved,
        }
    }

    pub fn role(self) -> Role {
        match self {
            Self::Runs => Role::Text,
            Self::Done | Self::Solved => Role::Ok,
            Self::Failed | Self::Gained | Self::Open => Role::Failed,
            Self::Unknown => Role::Unknown,
        }
    }

    pub fn title(self, shared: &Shared) -> &'static str {
        let t = shared.t();
        match self {
            Self::Runs => t.col_runs,
            Self::Done => t.col_done,
            Self::Failed => t.failed_short,
            Self::Unknown => t.unknown_short,
            Self::Gained => t.col_gained,
            Self::Solved => t.col_solved,
            Self::Open => t.col_open_short,
        }
    }

    pub const fn width(self) -> u16 {
        match self {
            Self::Runs | Self::Unknown => 4,
            Self::Failed | Self::Gained => 5,
            Self::Done | Self::Solved | Self::Open => 6,
        }
    }
}

impl Line {
    /// What it is about; `None` where the cursor cannot stand.
    pub fn place(&self, day: &Today) -> Option<Place> {
        let plan = |i: &usize| day.plans.get(*i).map(|plan| plan.plan.clone());
        match self {
            Self::Silent(i) | Self::Broken(i) => plan(i).map(Place::Alarm),
            Self::Unusual(i, n) => plan(i).map(|plan| Place::Unusual(plan, *n)),
            Self::Stopped(i) => day.stopped.get(*i).map(|stopped| Place::Run(stopped.row.head.id)),
            Self::Waiting(run) => Some(Place::Run(*run)),
            Self::Trouble(env) | Self::Env(env) => Some(Place::Env(env.clone())),
            Self::Group(i) => day.groups.get(*i).map(|day| Place::Group(day.group.slot, day.group.group.clone())),
            Self::Plan(i) => plan(i).map(Place::Plan),
            Self::Quiet | Self::GroupTitles | Self::PlanTitles | Self::EnvTitles => None,
        }
    }
}

/// Plans that did not run or cannot, and runs that stopped by themselves.
pub(super) fn alarms(day: &Today) -> usize {
    day.plans.iter().filter(|plan| plan.silent.is_some() || plan.problem.is_some()).count() + day.stopped.len()
}

/// All lines, the most pressing first.
pub(super) fn lines(shared: &Shared, day: &Today) -> Vec<Line> {
    let plans = || day.plans.iter().enumerate();
    let mut lines: Vec<Line> = Vec::new();
    lines.extend(plans().filter(|(_, plan)| plan.silent.is_some()).map(|(i, _)| Line::Silent(i)));
    lines.extend((0..day.stopped.len()).map(Line::Stopped));
    lines.extend(plans().filter(|(_, plan)| plan.problem.is_some()).map(|(i, _)| Line::Broken(i)));
    lines.extend(waiting(shared).map(Line::Waiting));
    // Likely, not certain: after all that is.
    lines.extend(plans().flat_map(|(i, plan)| (0..findings(plan).len()).map(move |n| Line::Unusual(i, n))));
    lines.extend(
        shared.envs.iter().filter(|env| trouble(shared, env).is_some()).map(|env| Line::Trouble(env.env.id.clone())),
    );
    if lines.is_empty() && day.groups.is_empty() {
        lines.push(Line::Quiet);
    }
    if !day.groups.is_empty() {
        lines.push(Line::GroupTitles);
        lines.extend((0..day.groups.len()).map(Line::Group));
    }
    if !day.plans.is_empty() {
        lines.push(Line::PlanTitles);
        let mut order: Vec<usize> = (0..day.plans.len()).collect();
        order.sort_by_key(|i| day.plans.get(*i).map(|plan| (plan.unresolved == 0, plan.span.runs == 0)));
        lines.extend(order.into_iter().map(Line::Plan));
    }
    let calm = shared.envs.iter().filter(|env| trouble(shared, env).is_none());
    let calm: Vec<Line> = calm.map(|env| Line::Env(env.env.id.clone())).collect();
    if !calm.is_empty() {
        lines.push(Line::EnvTitles);
        lines.extend(calm);
    }
    lines
}

/// What stands out of a plan from what is usual.
pub(super) fn findings(plan: &PlanDay) -> &[Found] {
    plan.forecast.as_ref().map_or(&[], |forecast| &forecast.found)
}

/// Open runs that wait for a person, oldest first.
fn waiting(shared: &Shared) -> impl Iterator<Item = RunId> {
    let waits =
        |state: &RunState| matches!(state, RunState::AwaitingApproval | RunState::Paused(_) | RunState::Interrupted);
    let runs = shared.present.live().runs.values();
    runs.filter(move |run| waits(&run.row.state)).map(|run| run.row.head.id)
}

/// What is wrong with an environment, if anything.
pub(super) fn trouble(shared: &Shared, env: &EnvRow) -> Option<String> {
    let t = shared.t();
    let pulse = shared.pulse_of(&env.env.id);
    let held = env.held.as_ref().map(|why| words::reason_words(shared, why));
    let breaker = || {
        let why = pulse?.breaker.as_ref()?;
        Some(fill(t.breaker_open, &[&words::reason_words(shared, why)]))
    };
    let session = || {
        let said = pulse.map(|pulse| pulse.session.as_str()).filter(|said| said.contains(": refused: "))?;
        Some(format!("{} {}", t.session, words::shown(&shared.lang.session(said))))
    };
    held.or_else(breaker).or_else(session)
}

/// Where Enter leads from a row. `since`: the first moment of the span, on the clock of the screen.
pub(super) fn target(day: &Today, line: &Line, number: Option<Number>, since: NaiveDateTime) -> Option<Goto> {
    let to = |pane, what| Some(Goto { pane, what });
    match line {
        Line::Silent(_) | Line::Unusual(..) | Line::Broken(_) | Line::Env(_) | Line::Trouble(_) => {
            to(Scope::Plans, Subject::AsItIs)
        }
        Line::Stopped(i) => {
            let stopped = day.stopped.get(*i)?;
            to(Scope::Results, Subject::Run(Box::new(stopped.row.clone())))
        }
        Line::Waiting(run) => to(Scope::Queue, Subject::Open(*run)),
        Line::Group(i) => {
            let group = &day.groups.get(*i)?.group;
            to(Scope::Ledger, Subject::Group(group.slot, group.group.clone()))
        }
        Line::Plan(i) => Some(plan_target(day.plans.get(*i)?, number, since)),
        Line::Quiet | Line::GroupTitles | Line::PlanTitles | Line::EnvTitles => None,
    }
}

/// The rows behind a number of a plan; without one those that call for somebody, else the plan itself.
fn plan_target(plan: &PlanDay, number: Option<Number>, since: NaiveDateTime) -> Goto {
    let of = |slots: &[Slot], when: Option<Moment>| {
        let mut terms = vec![is(Key::Plan, vec![plan.plan.as_str().to_owned()])];
        if !slots.is_empty() {
            terms.push(is(Key::Status, slots.iter().map(|slot| slot.word().to_owned()).collect()));
        }
        let from = |when| Term { not: false, test: Test::When(when, vec![Span::From(Point::Minute(since))]) };
        terms.extend(when.map(from));
        Subject::Filtered(Filter { terms })
    };
    let (pane, what) = match number {
        // A filter that asks nothing of bills lists runs.
        Some(Number::Runs) => (Scope::History, of(&[], Some(Moment::Run))),
        Some(Number::Done) => (Scope::History, of(&[Slot::Done], Some(Moment::Run))),
        Some(Number::Failed) => (Scope::History, of(&[Slot::Failed], Some(Moment::Run))),
        Some(Number::Unknown) => (Scope::History, of(&[Slot::Unknown], Some(Moment::Run))),
        Some(Number::Solved) => (Scope::History, of(&[Slot::Done, Slot::Already], Some(Moment::Run))),
        Some(Number::Gained) => (Scope::Ledger, of(&[], Some(Moment::Since))),
        Some(Number::Open) => (Scope::Ledger, of(&[], None)),
        None if plan.unresolved > 0 => (Scope::Ledger, of(&[], None)),
        None => (Scope::Plans, Subject::AsItIs),
    };
    Goto { pane, what }
}

fn is(key: Key, words: Vec<String>) -> Term {
    Term { not: false, test: Test::Is(key, words) }
}

/// The unresolved bills that a row is about, and how that is said.
pub(super) fn unresolved(shared: &Shared, day: &Today, line: &Line) -> Option<(Filter, String)> {
    match line {
        Line::Group(i) => {
            let group = &day.groups.get(*i)?.group;
            let label = words::group(&shared.setup.causes, shared.lang, group.slot, &group.group);
            Some((ledger_groups::filter(group.slot.word(), &group.group), fill(shared.t().group_of, &[&label])))
        }
        Line::Plan(i) | Line::Silent(i) | Line::Unusual(i, _) => {
            let plan = day.plans.get(*i).filter(|plan| plan.unresolved > 0)?;
            let filter = Filter { terms: vec![is(Key::Plan, vec![plan.plan.to_string()])] };
            Some((filter, fill(shared.t().unresolved_of, &[&words::plan_name(shared, &plan.plan, &plan.name)])))
        }
        _ => None,
    }
}

/// What is copied of a row.
pub(super) fn copied(shared: &Shared, day: &Today, line: &Line) -> String {
    let plan = |i: &usize| day.plans.get(*i).map(|plan| plan.plan.to_string()).unwrap_or_default();
    match line {
        Line::Silent(i) | Line::Unusual(i, _) | Line::Broken(i) | Line::Plan(i) => plan(i),
        Line::Stopped(i) => day.stopped.get(*i).map(|stopped| stopped.row.head.id.to_string()).unwrap_or_default(),
        Line::Waiting(run) => run.to_string(),
        Line::Trouble(env) | Line::Env(env) => env.to_string(),
        Line::Group(i) => day
            .groups
            .get(*i)
            .map(|day| words::group(&shared.setup.causes, shared.lang, day.group.slot, &day.group.group))
            .unwrap_or_default(),
        Line::Quiet | Line::GroupTitles | Line::PlanTitles | Line::EnvTitles => String::new(),
    }
}
