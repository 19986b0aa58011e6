//! Today: what happened since the operator last looked, what did not, what is stuck, and what comes next, in one look.
//!
//! Invariant: one answer of the store makes the picture, read again when facts changed it; the cursor stays on its row, and on the
//! first one as long as nobody moved it.

use std::time::Duration;

use ratatui::layout::Rect;

use crate::ui::bill_rows::MINUTE;
use crate::ui::cells::Pen;
use crate::ui::format;
use crate::ui::keymap::{Action, Scope};
use crate::ui::layout::{self, Parts};
use crate::ui::list::{self, empty};
use crate::ui::looked::Looked;
use crate::ui::msg::Ticket;
use crate::ui::obstacle::Obstacle;
use crate::ui::scroll::{Scroll, moved};
use crate::ui::shared::Shared;
use crate::ui::shared::outbox::Sent;
use crate::ui::words;
use skydeck_core::domain::command::{Command, StartParams};
use skydeck_core::domain::event::{Event, Fact};
use skydeck_core::domain::filter::Filter;
use skydeck_core::domain::forecast::Named;
use skydeck_core::domain::ids::{PlanId, RunId};
use skydeck_core::domain::query::{Answer, Query};
use skydeck_core::domain::run::RunState;
use skydeck_core::domain::time::Ts;
use skydeck_core::domain::today::Today as Day;
use skydeck_core::domain::transition::{BillChange, Change};

use super::pane::{Asking, Click, Done, Goto, Pane, Subject};
use super::today_chart;
use super::today_lines::{self, Line, Number, Place};
use super::today_rows;
use super::today_span::Range;

/// A picture older than this is made again while somebody looks: what is due and did not run shows by time alone.
const OLD: Duration = Duration::from_secs(5 * 60);
/// Who comes back within this time is still at the same look.
const SAME_LOOK: Duration = Duration::from_secs(30 * 60);

/// The pane.
#[derive(Default)]
pub(super) struct Today {
    day: Option<Box<Day>>,
    asked: Option<Ticket>,
    /// When it was last asked: where no answer comes the picture stays old, and is asked for no sooner for it.
    tried: Ts,
    /// What the answer that is waited for is about.
    asked_range: Option<Range>,
    /// Whether facts came after the answer.
    stale: bool,
    error: Option<String>,
    /// The last look before this one; its counts are taken away from the hour it fell into.
    looked: Option<Looked>,
    /// When the pane was left, while it is not shown.
    left: Option<Looked>,
    range: Option<Range>,
    at: Option<Place>,
    /// Which of the rows that was: the cursor stays there when what it stood on is gone.
    row: usize,
    /// Where it stands before anybody moved it.
    begins_at: Option<Place>,
    /// The number under the cursor, where it was moved to one.
    number: Option<Number>,
    scroll: Scroll,
}

impl Today {
    /// The span in force: since the last look, where there was one; else since the evening before.
    fn range(&self) -> Range {
        self.range.unwrap_or(if self.looked.is_some() { Range::Looked } else { Range::Evening })
    }

    /// The lines, each with what it is about where the cursor can stand on it.
    fn lines(&self, shared: &Shared) -> Vec<(Line, Option<Place>)> {
        let Some(day) = &self.day else { return Vec::new() };
        let lines = today_lines::lines(shared, day).into_iter();
        lines.map(|line| (line.place(day), line)).map(|(place, line)| (line, place)).collect()
    }

    /// The line under the cursor.
    fn index(&self, lines: &[(Line, Option<Place>)]) -> usize {
        let same = lines.iter().position(|(_, place)| place.is_some() && *place == self.at);
        let first = lines.iter().position(|(_, place)| place.is_some());
        // The plan that the console began with is where one stands only while nothing else calls for anybody.
        let calm = first.and_then(|at| lines.get(at)).is_some_and(|(line, _)| matches!(line, Line::Plan(_)));
        let began = || lines.iter().position(|(_, place)| calm && place.is_some() && *place == self.begins_at);
        let mut rows = lines.iter().enumerate().filter(|(_, (_, place))| place.is_some()).map(|(i, _)| i);
        let near = self.at.as_ref().and_then(|_| rows.by_ref().take(self.row + 1).last());
        same.or(near).or_else(began).or(first).unwrap_or(0)
    }

    fn line_here(&self, shared: &Shared) -> Option<Line> {
        let lines = self.lines(shared);
        let at = self.index(&lines);
        lines.into_iter().nth(at).and_then(|(line, place)| place.is_some().then_some(line))
    }

    /// Puts the cursor on a line; the plan of it is the one that other panes show.
    fn stand_on(&mut self, shared: &mut Shared, place: &Place) {
        if let Place::Alarm(plan) | Place::Plan(plan) | Place::Unusual(plan, _) = place {
            shared.plan = Some(plan.clone());
        }
        self.at = Some(place.clone());
    }

    /// Where Enter leads from here.
    fn target(&self, shared: &Shared) -> Option<Goto> {
        let day = self.day.as_ref()?;
        let line = self.line_here(shared)?;
        let since = self.range().since(shared, self.looked.as_ref());
        today_lines::target(day, &line, self.number, format::local_time(since, shared.setup.zone))
    }

    /// The plan that a row is about, where it can be run.
    fn plan_here(&self, shared: &Shared) -> Option<PlanId> {
        let day = self.day.as_ref()?;
        let id = match self.line_here(shared)? {
            Line::Plan(i) | Line::Silent(i) | Line::Unusual(i, _) => &day.plans.get(i)?.plan,
            Line::Stopped(i) => &day.stopped.get(i)?.row.head.plan,
            _ => return None,
        };
        day.plans.iter().find(|plan| plan.plan == *id && plan.problem.is_none()).map(|plan| plan.plan.clone())
    }

    /// What stands out, where that is the row's.
    fn alarm_here(&self, shared: &Shared) -> Option<Named> {
        let Line::Unusual(i, n) = self.line_here(shared)? else { return None };
        let plan = self.day.as_ref()?.plans.get(i)?;
        today_lines::findings(plan).get(n).map(|found| Named::of(&plan.plan, &found.finding))
    }

    /// Moves among the numbers of a plan's row.
    fn beside(&mut self, shared: &Shared, right: bool) {
        if matches!(self.line_here(shared), Some(Line::Plan(_))) {
            self.number = Number::beside(self.number, right);
        }
    }

    /// What was on the screen last, to be taken away next time.
    fn seen(&self) -> Option<Looked> {
        self.day.as_ref().map(|day| Looked::of(day))
    }
}

impl Pane for Today {
    fn scope(&self) -> Scope {
        Scope::Today
    }

    fn shown_by(&self) -> Action {
        Action::Today
    }

    fn split(&self, _shared: &Shared, body: Rect) -> (Rect, Rect) {
        match body.height {
            30.. => layout::below(body, 9),
            14.. => layout::below(body, 4),
            _ => layout::whole(body),
        }
    }

    fn arrange(&mut self, shared: &Shared, parts: &Parts) {
        let lines = self.lines(shared);
        self.scroll.set_height(parts.rows());
        self.scroll.fill(lines.len());
        // Nobody moved: everything is shown from its beginning.
        let at = if self.at.is_some() { self.index(&lines) } else { 0 };
        self.scroll.follow(at);
        if self.at.is_some()
            && let Some(place) = lines.get(at).and_then(|(_, place)| place.clone())
        {
            self.row = lines.iter().take(at).filter(|(_, place)| place.is_some()).count();
            self.at = Some(place);
        }
        // The title of its section is seen with the first row of it.
        if at > 0 && at == self.scroll.top() && lines.get(at - 1).is_some_and(|(_, place)| place.is_none()) {
            self.scroll.set_top(at - 1);
        }
    }

    fn draw(&self, shared: &Shared, pen: &mut Pen<'_>, parts: &Parts) -> Option<u64> {
        let t = shared.t();
        let Some(day) = &self.day else {
            match &self.error {
                Some(error) => empty(pen, parts.list, &[t.cannot_read, &words::shown(error)]),
                None => empty(pen, parts.list, &[t.reading]),
            }
            return None;
        };
        let lines = self.lines(shared);
        let at = self.index(&lines);
        let since = self.range().said(shared, self.looked.as_ref());
        today_rows::title(shared, pen, parts.list, day, &since);
        let body = parts.body();
        let shown = lines.iter().enumerate().skip(self.scroll.top()).take(usize::from(body.height));
        for (i, (line, place)) in shown {
            let y = body.y + (i - self.scroll.top()) as u16;
            let here = i == at && place.is_some();
            let number = self.number.filter(|_| here);
            today_rows::draw(shared, pen, Rect { y, height: 1, ..body }, day, line, (here, number));
        }
        let plan = match lines.get(at) {
            Some((Line::Plan(i), _)) if self.at.is_some() => day.plans.get(*i),
            _ => None,
        };
        let said =
            lines.get(at).filter(|_| self.at.is_some()).and_then(|(line, _)| today_rows::in_full(shared, day, line));
        match said {
            Some((title, text)) => today_rows::preview(pen, parts.detail, &title, &text),
            None => today_chart::draw(shared, pen, parts.detail, day, plan),
        }
        None
    }

    fn position(&self, shared: &Shared) -> String {
        let lines = self.lines(shared);
        let at = self.index(&lines);
        let rows = |lines: &[(Line, Option<Place>)]| lines.iter().filter(|(_, place)| place.is_some()).count();
        list::place(rows(lines.get(..at).unwrap_or_default()), rows(&lines))
    }

    fn step(&mut self, shared: &mut Shared, by: i64) {
        let lines = self.lines(shared);
        let here = lines.get(self.index(&lines)).and_then(|(_, place)| place.clone());
        let rows: Vec<Place> = lines.into_iter().filter_map(|(_, place)| place).collect();
        let at = rows.iter().position(|place| Some(place) == here.as_ref()).unwrap_or(0);
        if let Some(place) = rows.get(moved(at, by, rows.len())) {
            self.stand_on(shared, place);
        }
    }

    fn go_to(&mut self, shared: &mut Shared, n: u64) {
        self.step(shared, -super::pane::FAR);
        self.step(shared, i64::try_from(n.saturating_sub(1)).unwrap_or(super::pane::FAR));
    }

    fn click(&mut self, shared: &mut Shared, row: usize, _parts: &Parts) -> Click {
        let lines = self.lines(shared);
        let Some(place) = lines.get(self.scroll.top() + row).and_then(|(_, place)| place.as_ref()) else {
            return Click::Missed;
        };
        let again = Some(place) == self.at.as_ref();
        self.stand_on(shared, place);
        if again { Click::Again } else { Click::Moved }
    }

    fn is_about_plan(&self) -> bool {
        true
    }

    fn copy(&self, shared: &Shared) -> Option<String> {
        let day = self.day.as_ref()?;
        self.line_here(shared).map(|line| today_lines::copied(shared, day, &line))
    }

    /// Of a cause its unresolved bills, of a plan all of its.
    fn group(&self, shared: &Shared) -> Option<(Filter, String)> {
        let day = self.day.as_ref()?;
        today_lines::unresolved(shared, day, &self.line_here(shared)?)
    }

    fn possible(&self, shared: &Shared, action: Action) -> bool {
        match action {
            Action::Run => {
                let free = |plan: &PlanId| shared.present.live().open_run_of(plan).is_none();
                self.plan_here(shared).is_some_and(|plan| free(&plan))
            }
            Action::Open => self.target(shared).is_some(),
            Action::NumberLeft | Action::NumberRight => matches!(self.line_here(shared), Some(Line::Plan(_))),
            Action::Deny => self.alarm_here(shared).is_some(),
            _ => true,
        }
    }

    fn obstacle(&self, shared: &Shared, action: Action) -> Obstacle {
        match action {
            Action::Run if self.plan_here(shared).is_some() => Obstacle::PlanRuns,
            Action::Run => Obstacle::NoPlan,
            Action::NumberLeft | Action::NumberRight => Obstacle::NotAPlan,
            Action::Deny => Obstacle::NoAlarmHere,
            _ => Obstacle::NothingHere,
        }
    }

    fn perform(&mut self, shared: &mut Shared, action: Action) -> Done {
        match action {
            Action::Open => return self.target(shared).map_or(Done::Here, Done::Go),
            Action::Run => {
                let start = |plan| Done::Order(Command::Start { plan, params: StartParams::default() }, Sent::Opens);
                return self.plan_here(shared).map_or(Done::Here, start);
            }
            Action::Deny => {
                let said = Sent::Said(shared.t().denied);
                let order = |alarm| Done::Order(Command::Deny { alarm }, said);
                return self.alarm_here(shared).map_or(Done::Here, order);
            }
            Action::NumberLeft => self.beside(shared, false),
            Action::NumberRight => self.beside(shared, true),
            Action::Span => {
                self.range = Some(self.range().next(self.looked.is_some()));
                self.stale = true;
                self.asked = None;
                shared.outbox.hurry();
            }
            _ => return Done::NotMine,
        }
        Done::Here
    }

    fn fold_back(&mut self, _shared: &mut Shared) -> bool {
        self.number.take().is_some()
    }

    fn show(&mut self, what: &Subject) {
        if let Subject::Date(from) = what {
            self.range = Some(Range::From(*from));
            self.stale = true;
            self.asked = None;
        }
    }

    /// The open run under the cursor: what is approved, paused or stopped here is that one.
    fn run_followed(&self, shared: &Shared) -> Option<RunId> {
        match &self.at {
            Some(Place::Run(run)) if shared.present.live().runs.contains_key(run) => Some(*run),
            _ => shared.run,
        }
    }

    fn begins(&mut self, looked: Option<Looked>, plan: Option<&PlanId>) {
        self.looked = looked;
        self.begins_at = plan.cloned().map(Place::Plan);
    }

    fn leaves(&mut self, _shared: &Shared) -> Option<Looked> {
        self.left = self.seen();
        self.left.clone()
    }

    fn question(&mut self, shared: &mut Shared, asking: Asking<'_>) -> Option<(Ticket, Query)> {
        if !asking.shown {
            return None;
        }
        // Who was away for long begins another look.
        if let Some(left) = self.left.take().filter(|left| shared.now.since(left.at) >= SAME_LOOK) {
            self.looked = Some(left);
            self.stale = true;
        }
        let old = self.day.as_ref().is_none_or(|day| shared.now.since(day.at.max(self.tried)) >= OLD);
        let wanted = self.day.is_none() || (self.stale && asking.quiet) || old;
        if !wanted || self.asked.is_some() || (self.day.is_none() && self.error.is_some() && !self.stale) {
            return None;
        }
        let range = self.range();
        let ticket = (asking.ticket)();
        (self.stale, self.asked, self.asked_range, self.tried) = (false, Some(ticket), Some(range), shared.now);
        Some((ticket, Query::Today(range.span(shared, self.looked.as_ref()))))
    }

    fn is_asked(&self, ticket: Ticket) -> bool {
        self.asked == Some(ticket)
    }

    fn answer(&mut self, _shared: &mut Shared, _ticket: Ticket, answer: Result<Answer, String>) {
        self.asked = None;
        match answer {
            Ok(Answer::Today(mut day)) => {
                if let (Some(Range::Looked), Some(looked)) = (self.asked_range, &self.looked) {
                    looked.take_from(&mut day);
                }
                (self.day, self.error) = (Some(day), None);
            }
            Ok(_) => {}
            Err(error) => self.error = Some(error),
        }
    }

    fn fact(&mut self, _shared: &Shared, fact: &Fact, change: &Change<'_>) {
        self.stale |= matches!(fact.event, Event::AlarmDenied { .. });
        // Calls and reads change no number here.
        self.stale |= matches!(
            change,
            Change::Opened(_)
                | Change::Run { .. }
                | Change::Bill { change: BillChange::Settled { .. }, .. }
                | Change::Resolved { .. }
                | Change::Reopened { .. }
        );
    }

    fn spoil(&mut self) {
        (self.stale, self.asked) = (true, None);
    }

    fn waits(&self, _shared: &Shared, shown: bool) -> bool {
        shown && self.day.is_some() && self.stale && self.asked.is_none()
    }

    fn ages(&self, _shared: &Shared) -> Option<Duration> {
        self.day.is_some().then_some(MINUTE)
    }

    /// What waits for a person is counted on the tab, wherever one is.
    fn badge(&self, shared: &Shared) -> Option<(crate::ui::skin::Role, String)> {
        let waiting = shared
            .present
            .live()
            .open()
            .filter(|run| {
                matches!(run.row.state, RunState::AwaitingApproval | RunState::Paused(_) | RunState::Interrupted)
            })
            .count();
        let alarms = self.day.as_ref().map_or(0, |day| today_lines::alarms(day));
        let n = waiting + alarms;
        (n > 0).then(|| (crate::ui::skin::Role::Warning, format!(" !{n}")))
    }
}
