//! How the lines of Today are drawn.

use ratatui::layout::Rect;

use crate::ui::cells::{Cell, Pen};
use crate::ui::format::{self, fill};
use crate::ui::keymap::Action;
use crate::ui::list::heading;
use crate::ui::run_words::{self, consent};
use crate::ui::shared::Shared;
use crate::ui::skin::Role;
use crate::ui::usual::{self, moment};
use crate::ui::words;
use skydeck_core::domain::bill::Slot;
use skydeck_core::domain::forecast_words;
use skydeck_core::domain::hours::Counts;
use skydeck_core::domain::ids::EnvId;
use skydeck_core::domain::time::Ts;
use skydeck_core::domain::today::{PlanDay, Silent, Today};

use super::today_lines::{Line, Number, findings, trouble};

/// The first line: from when on, and the sums over all plans.
pub(super) fn title(shared: &Shared, pen: &mut Pen<'_>, area: Rect, day: &Today, since: &str) {
    let t = shared.t();
    let mut all = Counts::default();
    day.plans.iter().for_each(|plan| all.add(&plan.span));
    let mut pieces = vec![
        (Role::Title, since.to_owned()),
        (Role::Dim, format!("  {} ", t.col_open_short)),
        (Role::Failed, format!("+{} ", format::count(all.gained()))),
        (Role::Ok, format!("-{}", format::count(all.solved()))),
    ];
    let mut put = |role, name: &str, n: u64| {
        pieces.push((Role::Dim, format!("  {name} ")));
        pieces.push((if n == 0 { Role::Dim } else { role }, format::count(n)));
    };
    put(Role::Text, t.col_runs, all.runs);
    // What calls for somebody first: a narrow screen cuts the rest.
    for slot in [Slot::Done, Slot::Failed, Slot::Unknown, Slot::NotReached, Slot::Already, Slot::Skipped] {
        let n = u64::try_from(all.of(slot)).unwrap_or(0);
        if n > 0 || matches!(slot, Slot::Done | Slot::Failed) {
            put(words::role(slot), words::general(shared.lang, slot), n);
        }
    }
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
        Line::Unusual(i, n) => unusual(shared, day, (*i, *n)),
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
    if let Line::Unusual(i, n) = line {
        let plan = day.plans.get(*i)?;
        let found = findings(plan).get(*n)?;
        return Some((words::plan_name(shared, &plan.plan, &plan.name), usual::finding(shared, found, true)));
    }
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
            (
                Role::Failed,
                t.today_silent,
                name(plan),
                fill(t.today_silent_why, &[&shared.lang.language().times(times)]),
                Some(since),
            )
        }
        Line::Broken(i) => {
            let plan = day.plans.get(*i)?;
            let said = plan.problem.as_ref()?.said(shared.lang == crate::ui::Lang::Zh);
            // Which file it is, the plan's id says; its path would hide the reason.
            let file = format!("{}.json", plan.plan.as_str());
            let said = said.split_once(&file).map_or(said, |(_, rest)| rest.trim_start_matches([':', '：', ' ']));
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
            let sum = words::bills(shared.lang, &format::count(row.tally.found));
            let why = match consent(row, shared.now) {
                Some(first) => {
                    let left = format::clock(first.time_left(shared.now));
                    let key = shared.setup.keymap.key(Action::Approve);
                    fill(t.second_hint, &[&key, &words::who(shared, &first.by), &left])
                }
                None if why.is_empty() => sum,
                None => why,
            };
            (role, word, words::plan_name(shared, &row.head.plan, &row.head.name), why, Some(row.head.opened))
        }
        Line::Trouble(id) => {
            let env = shared.envs.iter().find(|env| env.env.id == *id)?;
            (Role::Failed, t.environment, words::shown(id.as_str()), trouble(shared, env)?, None)
        }
        Line::Quiet
        | Line::GroupTitles
        | Line::Group(_)
        | Line::PlanTitles
        | Line::Plan(_)
        | Line::Unusual(..)
        | Line::EnvTitles
        | Line::Env(_) => return None,
    };
    Some(vec![
        Cell::new(1, role, "!"),
        Cell::new(kind_width(shared), role, kind),
        Cell::new(20, Role::Text, of).key().named(),
        Cell::new(0, Role::Text, why),
        Cell::new(11, Role::Dim, since.map(|at| moment(shared, at)).unwrap_or_default()).right(),
    ])
}

/// What stands out of a plan from what is usual: dim, as all that is only likely.
fn unusual(shared: &Shared, day: &Today, (i, n): (usize, usize)) -> Option<Vec<Cell<'static>>> {
    let plan = day.plans.get(i)?;
    let found = findings(plan).get(n)?;
    let lang = shared.lang.language();
    Some(vec![
        Cell::new(1, Role::Dim, "?"),
        Cell::new(kind_width(shared), Role::Dim, forecast_words::alert(lang, &found.finding)),
        Cell::new(20, Role::Text, words::plan_name(shared, &plan.plan, &plan.name)).key().named(),
        Cell::new(0, Role::Dim, usual::finding(shared, found, false)),
        Cell::new(11, Role::Dim, moment(shared, found.finding.since())).right(),
    ])
}

/// A moment in five cells.
fn moment_short(shared: &Shared, at: Option<Ts>) -> String {
    let zone = shared.setup.zone;
    let day = |at| format::local(at, zone, "%Y-%m-%d");
    let said = |at: Ts| match () {
        () if day(at) == day(shared.now) => format::local(at, zone, "%H:%M"),
        // Of another year a date of five cells would be read as one of this year.
        () if format::is_far(at, shared.now) => format::age(shared.now.since(at)),
        () => format::local(at, zone, "%m-%d"),
    };
    at.map(said).unwrap_or_default()
}

fn label_width(width: u16) -> u16 {
    if width >= 100 { 24 } else { 18 }
}

/// Cells of a plan's name: all that its numbers leave, but no further from them than the eye follows a row.
fn name_width(width: u16) -> u16 {
    if width >= 120 { 44 } else { 0 }
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
            let mut cells = vec![cell(name_width(width), t.col_plan)];
            cells.extend(Number::ALL.map(|number| cell(number.width(), number.title(shared)).right()));
            cells.extend([cell(4, t.col_stuck).right(), cell(5, t.col_next_short).right()]);
            if width >= 96 {
                cells.push(cell(9, t.col_went_through).right());
            }
            cells
        }
        _ => vec![cell(20, t.environment), cell(12, ""), cell(14, t.pace), cell(0, t.session)],
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
    let name = words::plan_name(shared, &plan.plan, &plan.name);
    let mut cells = vec![Cell::new(name_width(width), Role::Text, name).key().named()];
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
        Cell::new(12, role, lock),
        Cell::new(14, if slowed { Role::Warning } else { Role::Dim }, pace.unwrap_or_default()),
        Cell::new(0, Role::Dim, session.unwrap_or_default()),
    ])
}
