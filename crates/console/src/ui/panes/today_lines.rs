//! The lines of Today: what needs somebody first, then what is unresolved by cause, the plans, the environments.

use ratatui::layout::Rect;

use crate::ui::cells::{Cell, Pen};
use crate::ui::format::{self, fill};
use crate::ui::keymap::Scope;
use crate::ui::list::heading;
use crate::ui::run_words;
use crate::ui::shared::Shared;
use crate::ui::skin::Role;
use crate::ui::words;
use skydeck_core::domain::bill::Slot;
use skydeck_core::domain::filter::{Filter, Key, Term, Test};
use skydeck_core::domain::hours::Counts;
use skydeck_core::domain::ids::{EnvId, PlanId, RunId};
use skydeck_core::domain::query::EnvRow;
use skydeck_core::domain::run::RunState;
use skydeck_core::domain::time::Ts;
use skydeck_core::domain::today::{PlanDay, Silent, Today};

use super::ledger_groups;
use super::pane::{Goto, Subject};

/// One line: a row the cursor can stand on, or the title of a section.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Line {
    /// A plan that did not run, by its place in the answer.
    Silent(usize),
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
    const ALL: [Self; 7] =
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

    fn of(self, plan: &PlanDay) -> u64 {
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

    fn role(self) -> Role {
        match self {
            Self::Runs => Role::Text,
            Self::Done | Self::Solved => Role::Ok,
            Self::Failed | Self::Gained | Self::Open => Role::Failed,
            Self::Unknown => Role::Unknown,
        }
    }

    fn title(self, shared: &Shared) -> &'static str {
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

    const fn width(self) -> u16 {
        match self {
            Self::Runs | Self::Unknown => 4,
            Self::Failed | Self::Gained | Self::Solved => 5,
            Self::Done | Self::Open => 6,
        }
    }
}

impl Line {
    /// What it is about; `None` where the cursor cannot stand.
    pub fn place(&self, day: &Today) -> Option<Place> {
        let plan = |i: &usize| day.plans.get(*i).map(|plan| plan.plan.clone());
        match self {
            Self::Silent(i) | Self::Broken(i) => plan(i).map(Place::Alarm),
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

/// Open runs that wait for a person, oldest first.
fn waiting(shared: &Shared) -> impl Iterator<Item = RunId> {
    let waits =
        |state: &RunState| matches!(state, RunState::AwaitingApproval | RunState::Paused(_) | RunState::Interrupted);
    let runs = shared.present.live().runs.values();
    runs.filter(move |run| waits(&run.row.state)).map(|run| run.row.head.id)
}

/// What is wrong with an environment, if anything.
fn trouble(shared: &Shared, env: &EnvRow) -> Option<String> {
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

/// Where Enter leads from a row. `since`: the first moment of the span.
pub(super) fn target(day: &Today, line: &Line, number: Option<Number>, _since: Ts) -> Option<Goto> {
    let to = |pane, what| Some(Goto { pane, what });
    match line {
        Line::Silent(_) | Line::Broken(_) | Line::Env(_) | Line::Trouble(_) => to(Scope::Plans, Subject::AsItIs),
        Line::Stopped(i) => {
            let stopped = day.stopped.get(*i)?;
            to(Scope::Results, Subject::Run(Box::new(stopped.row.clone())))
        }
        Line::Waiting(run) => to(Scope::Queue, Subject::Open(*run)),
        Line::Group(i) => {
            let group = &day.groups.get(*i)?.group;
            to(Scope::Ledger, Subject::Group(group.slot, group.group.clone()))
        }
        Line::Plan(i) => plan_target(day.plans.get(*i)?, number),
        Line::Quiet | Line::GroupTitles | Line::PlanTitles | Line::EnvTitles => None,
    }
}

/// The rows behind a number of a plan; without one those that call for somebody, else the plan itself.
fn plan_target(plan: &PlanDay, number: Option<Number>) -> Option<Goto> {
    let of = |slots: &[Slot]| {
        let mut terms = vec![is(Key::Plan, vec![plan.plan.as_str().to_owned()])];
        if !slots.is_empty() {
            terms.push(is(Key::Status, slots.iter().map(|slot| slot.word().to_owned()).collect()));
        }
        Subject::Filtered(Filter { terms })
    };
    let (pane, what) = match number {
        Some(Number::Runs) => (Scope::History, Subject::RunsOf(plan.plan.clone())),
        Some(Number::Done) => (Scope::History, of(&[Slot::Done])),
        Some(Number::Failed) => (Scope::History, of(&[Slot::Failed])),
        Some(Number::Unknown) => (Scope::History, of(&[Slot::Unknown])),
        Some(Number::Solved) => (Scope::History, of(&[Slot::Done, Slot::Already])),
        Some(Number::Gained | Number::Open) => (Scope::Ledger, of(&[])),
        None if plan.unresolved > 0 => (Scope::Ledger, of(&[])),
        None => (Scope::Plans, Subject::AsItIs),
    };
    Some(Goto { pane, what })
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
        Line::Plan(i) | Line::Silent(i) => {
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
        Line::Silent(i) | Line::Broken(i) | Line::Plan(i) => plan(i),
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

/// The first line: from when on, and the sums over all plans.
pub(super) fn title(shared: &Shared, pen: &mut Pen<'_>, area: Rect, day: &Today, since: &str) {
    let t = shared.t();
    let mut all = Counts::default();
    day.plans.iter().for_each(|plan| all.add(&plan.span));
    let mut pieces = vec![(Role::Title, since.to_owned())];
    let mut put = |role, name: &str, n: u64| {
        pieces.push((Role::Dim, format!("  {name} ")));
        pieces.push((if n == 0 { Role::Dim } else { role }, format::count(n)));
    };
    put(Role::Text, t.col_runs, all.runs);
    for slot in [Slot::Done, Slot::Already, Slot::Skipped, Slot::Failed, Slot::Unknown, Slot::NotReached] {
        let n = u64::try_from(all.of(slot)).unwrap_or(0);
        if n > 0 || matches!(slot, Slot::Done | Slot::Failed) {
            put(words::role(slot), words::general(shared.lang, slot), n);
        }
    }
    pieces.push((Role::Dim, format!("  {} ", t.col_open_short)));
    pieces.push((Role::Failed, format!("+{} ", format::count(all.gained()))));
    pieces.push((Role::Ok, format!("-{}", format::count(all.solved()))));
    pen.pieces(area.x + 1, area.y, area.width.saturating_sub(2), &pieces);
}

/// Draws a line. `here`: the cursor stands on it, and on which number.
pub(super) fn draw(
    shared: &Shared,
    pen: &mut Pen<'_>,
    line: Rect,
    day: &Today,
    what: &Line,
    here: (bool, Option<Number>),
) {
    let cells = match what {
        Line::Silent(_) | Line::Broken(_) | Line::Stopped(_) | Line::Waiting(_) | Line::Trouble(_) => {
            alarm(shared, day, what)
        }
        Line::Quiet => Some(vec![Cell::new(0, Role::Ok, shared.t().today_quiet)]),
        Line::GroupTitles | Line::PlanTitles | Line::EnvTitles => Some(titles(shared, line.width, what)),
        Line::Group(i) => group(shared, line.width, day, *i),
        Line::Plan(i) => day.plans.get(*i).map(|plan| plan_row(shared, pen, line.width, plan, here.1)),
        Line::Env(id) => env_row(shared, id),
    };
    if let Some(cells) = cells {
        pen.row(line, line.y, here.0, &cells);
    }
}

/// What a row says, in full: title and text; of rows that say all of it themselves there is nothing more.
pub(super) fn in_full(shared: &Shared, day: &Today, line: &Line) -> Option<(String, String)> {
    if let Line::Group(i) = line {
        let group = &day.groups.get(*i)?.group;
        let (advice, who) = words::advice(shared, group.slot, &group.group);
        let label = words::group(&shared.setup.causes, shared.lang, group.slot, &group.group);
        return Some((label, format!("{advice} [{who}]")));
    }
    let cells = alarm(shared, day, line)?;
    let [_, kind, of, why, since] = cells.as_slice() else { return None };
    Some((format!("{} {}", of.text, kind.text), format!("{} {}", since.text, why.text).trim().to_owned()))
}

/// Draws it where the chart stands else.
pub(super) fn preview(pen: &mut Pen<'_>, area: Rect, title: &str, text: &str) {
    if area.height < 2 {
        return;
    }
    heading(pen, area, title);
    let w = area.width.saturating_sub(2);
    for (i, line) in pen.glyphs.wrap(text, usize::from(w), usize::from(area.height - 1)).iter().enumerate() {
        pen.text(area.x + 1, area.y + 1 + i as u16, w, Role::Text, line);
    }
}

fn kind_width(shared: &Shared) -> u16 {
    if shared.lang == crate::ui::Lang::Zh { 10 } else { 13 }
}

/// What needs somebody: what it is, of which plan or environment, why, since when.
fn alarm(shared: &Shared, day: &Today, what: &Line) -> Option<Vec<Cell<'static>>> {
    let t = shared.t();
    let name = |plan: &PlanDay| words::plan_name(shared, &plan.plan, &plan.name);
    let (role, kind, of, why, since) = match what {
        Line::Silent(i) => {
            let plan = day.plans.get(*i)?;
            let Silent { since, times } = plan.silent?;
            (Role::Failed, t.today_silent, name(plan), fill(t.today_silent_why, &[&times.to_string()]), Some(since))
        }
        Line::Broken(i) => {
            let plan = day.plans.get(*i)?;
            let said = plan.problem.as_ref()?.said(shared.lang == crate::ui::Lang::Zh);
            (Role::Failed, t.plan_broken, words::shown(plan.plan.as_str()), words::shown(said), None)
        }
        Line::Stopped(i) => {
            let stopped = day.stopped.get(*i)?;
            let (_, word, role, why) = run_words::run_state(shared, &stopped.row.state, &stopped.row.tally);
            let times = if stopped.times > 1 { format!(" ×{}", stopped.times) } else { String::new() };
            let of = words::plan_name(shared, &stopped.row.head.plan, &stopped.row.head.name);
            (role, word, of, format!("{why}{times}"), Some(stopped.since))
        }
        Line::Waiting(run) => {
            let row = &shared.present.live().runs.get(run)?.row;
            let (_, word, role, why) = run_words::run_state(shared, &row.state, &row.tally);
            let sum = fill(t.n_bills, &[&format::count(row.tally.found)]);
            let why = if why.is_empty() { sum } else { why };
            (role, word, words::plan_name(shared, &row.head.plan, &row.head.name), why, Some(row.head.opened))
        }
        Line::Trouble(id) => {
            let env = shared.envs.iter().find(|env| env.env.id == *id)?;
            (Role::Failed, t.environment, words::shown(id.as_str()), trouble(shared, env)?, None)
        }
        Line::Quiet | Line::GroupTitles | Line::Group(_) | Line::PlanTitles | Line::Plan(_) => return None,
        Line::EnvTitles | Line::Env(_) => return None,
    };
    Some(vec![
        Cell::new(1, role, "!"),
        Cell::new(kind_width(shared), role, kind),
        Cell::new(20, Role::Text, of).key(),
        Cell::new(0, Role::Text, why),
        Cell::new(11, Role::Dim, since.map(|at| moment(shared, at)).unwrap_or_default()).right(),
    ])
}

/// A moment: today the time, else the date with it.
fn moment(shared: &Shared, at: Ts) -> String {
    let zone = shared.setup.zone;
    let day = |at| format::local(at, zone, "%Y-%m-%d");
    format::local(at, zone, if day(at) == day(shared.now) { "%H:%M" } else { "%m-%d %H:%M" })
}

/// The same in five cells.
fn moment_short(shared: &Shared, at: Option<Ts>) -> String {
    let zone = shared.setup.zone;
    let day = |at| format::local(at, zone, "%Y-%m-%d");
    let fmt = |at| if day(at) == day(shared.now) { "%H:%M" } else { "%m-%d" };
    at.map(|at| format::local(at, zone, fmt(at))).unwrap_or_default()
}

fn label_width(width: u16) -> u16 {
    if width >= 100 { 24 } else { 18 }
}

fn titles(shared: &Shared, width: u16, what: &Line) -> Vec<Cell<'static>> {
    let t = shared.t();
    let cell = |w, text| Cell::new(w, Role::Dim, text);
    match what {
        Line::GroupTitles => vec![
            cell(7, t.col_open_short).right(),
            cell(label_width(width), t.col_reason),
            cell(6, t.col_gained).right(),
            cell(6, t.col_solved).right(),
            cell(13, t.col_who),
            cell(0, t.col_advice),
            cell(6, t.col_oldest).right(),
        ],
        Line::PlanTitles => {
            let mut cells = vec![cell(0, t.col_plan)];
            cells.extend(Number::ALL.map(|number| cell(number.width(), number.title(shared)).right()));
            cells.extend([cell(4, t.col_stuck).right(), cell(5, t.col_next_short).right()]);
            if width >= 96 {
                cells.push(cell(9, t.col_went_through).right());
            }
            cells
        }
        _ => vec![cell(20, t.environment), cell(8, ""), cell(14, t.pace), cell(0, t.session)],
    }
}

/// Unresolved bills of one cause.
fn group(shared: &Shared, width: u16, day: &Today, i: usize) -> Option<Vec<Cell<'static>>> {
    let row = day.groups.get(i)?;
    let group = &row.group;
    let (advice, who) = words::advice(shared, group.slot, &group.group);
    let change = |n: u64, sign: &str| if n == 0 { String::new() } else { format!("{sign}{}", format::count(n)) };
    let oldest = group.oldest.map(|at| format::age(shared.now.since(at))).unwrap_or_default();
    let role = words::role(group.slot);
    Some(vec![
        Cell::new(7, role, format::count(group.count)).right().key(),
        Cell::new(label_width(width), role, words::group(&shared.setup.causes, shared.lang, group.slot, &group.group))
            .key(),
        Cell::new(6, Role::Failed, change(row.entered, "+")).right(),
        Cell::new(6, Role::Ok, change(row.left, "-")).right(),
        Cell::new(13, Role::Accent, who),
        Cell::new(0, Role::Text, advice),
        Cell::new(6, Role::Dim, oldest).right(),
    ])
}

/// A plan: what happened, what is unresolved and since when, when it is due next and when it last went through.
fn plan_row(shared: &Shared, pen: &Pen<'_>, width: u16, plan: &PlanDay, at: Option<Number>) -> Vec<Cell<'static>> {
    let mut cells = vec![Cell::new(0, Role::Text, words::plan_name(shared, &plan.plan, &plan.name)).key()];
    cells.extend(Number::ALL.map(|number| {
        let n = number.of(plan);
        let mark = if at == Some(number) { pen.glyphs.folded } else { "" };
        let text = if n == 0 && mark.is_empty() { String::new() } else { format!("{mark}{}", format::count(n)) };
        let role = if mark.is_empty() { number.role() } else { Role::Accent };
        Cell::new(number.width(), role, text).right()
    }));
    let stuck = plan.stuck.map(|at| format::age(shared.now.since(at))).unwrap_or_default();
    cells.push(Cell::new(4, Role::Dim, stuck).right());
    cells.push(Cell::new(5, Role::Dim, moment_short(shared, plan.next)).right());
    if width >= 96 {
        cells.push(Cell::new(9, Role::Dim, moment_short(shared, plan.went_through)).right());
    }
    cells
}

/// An environment in which all is well: whether it may be written to, its pace, its session.
fn env_row(shared: &Shared, id: &EnvId) -> Option<Vec<Cell<'static>>> {
    let t = shared.t();
    let env = &shared.envs.iter().find(|env| env.env.id == *id)?.env;
    let unlocked = shared.unlocked_for(id);
    let (role, lock) = match unlocked {
        Some(left) => (Role::Warning, format!("{} {}", t.write, format::clock(left))),
        None if env.read_only || env.always_read_only => (Role::Ok, t.read_only.to_owned()),
        None => (Role::Warning, t.write.to_owned()),
    };
    let pulse = shared.pulse_of(id);
    let pace = pulse.map(|pulse| format!("{}{} x{}", pulse.per_minute, t.per_min, pulse.concurrency));
    let session = pulse.map(|pulse| words::shown(&shared.lang.session(&pulse.session)));
    let slowed = pulse.is_some_and(|pulse| pulse.slowed.is_some());
    Some(vec![
        Cell::new(20, if env.production { Role::Production } else { Role::Text }, words::shown(id.as_str())).key(),
        Cell::new(8, role, lock),
        Cell::new(14, if slowed { Role::Warning } else { Role::Dim }, pace.unwrap_or_default()),
        Cell::new(0, Role::Dim, session.unwrap_or_default()),
    ])
}
