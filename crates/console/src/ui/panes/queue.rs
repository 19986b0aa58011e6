//! Queue: what is in flight, what waits to be repeated, what was settled last.
//!
//! Invariant: a cursor that was moved is bound to a bill, not to a row; where there are rows it stands on one.

use ratatui::layout::Rect;

use crate::ui::cells::{Cell, Pen};
use crate::ui::format;
use crate::ui::keymap::{Action, Scope};
use crate::ui::layout::{self, Parts};
use crate::ui::list::empty;
use crate::ui::scroll::{Scroll, moved};
use crate::ui::shared::Shared;
use crate::ui::skin::Role;
use crate::ui::words;
use skydeck_core::domain::ids::{Fid, OpId, RecordKey, RunId, WorkKey};
use skydeck_core::domain::live::{Deferred, InFlight, Recent, RunLive};
use skydeck_core::domain::run::RunState;

use super::pane::{Click, Pane};
use super::queue_health;

/// One row of the queue.
enum Row<'a> {
    Flying(&'a Fid, &'a InFlight),
    Due(&'a Fid, &'a Deferred),
    Settled(&'a Recent),
}

impl Row<'_> {
    fn fid(&self) -> &Fid {
        match self {
            Self::Flying(fid, _) | Self::Due(fid, _) => fid,
            Self::Settled(r) => &r.fid,
        }
    }

    fn no(&self) -> &str {
        match self {
            Self::Flying(_, f) => &f.no,
            Self::Due(_, d) => &d.no,
            Self::Settled(r) => &r.no,
        }
    }
}

fn rows(run: &RunLive) -> impl Iterator<Item = Row<'_>> {
    let flying = run.in_flight.iter().map(|(fid, f)| Row::Flying(fid, f));
    let mut due: Vec<_> = run.deferred.iter().collect();
    due.sort_by_key(|(_, d)| d.until);
    let due = due.into_iter().map(|(fid, d)| Row::Due(fid, d));
    flying.chain(due).chain(run.recent.iter().map(Row::Settled))
}

fn shown_run(shared: &Shared) -> Option<&RunLive> {
    shared.run.and_then(|id| shared.present.shown().runs.get(&id))
}

/// The key of a bill of a run.
fn key_of(run: &RunLive, fid: &Fid) -> WorkKey {
    let head = &run.row.head;
    RecordKey { env: head.env.clone(), form: head.form.clone(), fid: fid.clone() }.under(&head.op)
}

/// The pane.
#[derive(Default)]
pub(super) struct Queue {
    /// The bill under the cursor. As long as nobody moved it the cursor stands on the first row, whichever that is.
    at: Option<Fid>,
    /// The row it was last seen in: the cursor stays there when the bill is shown no more.
    row: usize,
    scroll: Scroll,
}

impl Queue {
    /// Place of the cursor; `None` where there is no row.
    fn index(&self, shared: &Shared) -> Option<usize> {
        let run = shown_run(shared)?;
        let last = rows(run).count().checked_sub(1)?;
        let Some(fid) = &self.at else { return Some(0) };
        Some(rows(run).position(|row| row.fid() == fid).unwrap_or(self.row.min(last)))
    }

    /// Puts the cursor on a row.
    fn stand_on(&mut self, shared: &Shared, to: usize) {
        if let Some(row) = shown_run(shared).and_then(|run| rows(run).nth(to)) {
            (self.at, self.row) = (Some(row.fid().clone()), to);
        }
    }
}

impl Pane for Queue {
    fn scope(&self) -> Scope {
        Scope::Queue
    }

    fn shown_by(&self) -> Action {
        Action::Queue
    }

    fn badge(&self, shared: &Shared) -> Option<(Role, String)> {
        let flying: usize = shared.present.live().open().map(|run| run.in_flight.len()).sum();
        (flying > 0).then(|| (Role::Accent, format!(" {flying}")))
    }

    fn split(&self, _shared: &Shared, body: Rect) -> (Rect, Rect) {
        // The reasons need the whole width; health goes under the list.
        if body.width >= layout::WIDE && body.height >= 20 { layout::below(body, 7) } else { layout::whole(body) }
    }

    fn arrange(&mut self, shared: &Shared, parts: &Parts) {
        self.scroll.set_height(parts.rows().saturating_sub(usize::from(queue_health::rows_above(parts))));
        match (self.index(shared), self.at.is_some()) {
            (Some(at), true) => {
                self.stand_on(shared, at);
                self.scroll.follow(at);
            }
            (Some(_), false) | (None, _) => self.scroll.set_top(0),
        }
    }

    fn position(&self, _shared: &Shared) -> String {
        String::new()
    }

    fn step(&mut self, shared: &mut Shared, by: i64) {
        let Some(run) = shown_run(shared) else { return };
        let to = moved(self.index(shared).unwrap_or(0), by, rows(run).count());
        self.stand_on(shared, to);
    }

    fn go_to(&mut self, shared: &mut Shared, n: u64) {
        let by = i64::try_from(n).unwrap_or(i64::MAX).saturating_sub(1 + self.index(shared).unwrap_or(0) as i64);
        self.step(shared, by);
    }

    fn click(&mut self, shared: &mut Shared, row: usize, parts: &Parts) -> Click {
        let Some(row) = row.checked_sub(usize::from(queue_health::rows_above(parts))) else { return Click::Missed };
        let (to, was) = (self.scroll.top() + row, self.index(shared));
        let there = shown_run(shared).is_some_and(|run| rows(run).nth(to).is_some());
        if there {
            self.stand_on(shared, to);
        }
        Click::of(there.then_some(was == Some(to)))
    }

    fn bill(&self, shared: &Shared) -> Option<(WorkKey, String)> {
        let (run, at) = (shown_run(shared)?, self.index(shared)?);
        let row = rows(run).nth(at)?;
        Some((key_of(run, row.fid()), row.no().to_owned()))
    }

    fn run_on_arrival(&self, shared: &Shared, _newest: Option<RunId>) -> Option<RunId> {
        if shared.run_live().is_some_and(|run| !run.row.state.is_closed()) {
            return shared.run;
        }
        shared.present.live().open().next().map(|run| run.row.head.id).or(shared.run)
    }

    fn run_changed(&mut self) {
        (self.at, self.row) = (None, 0);
        self.scroll.set_top(0);
    }

    fn draw(&self, shared: &Shared, pen: &mut Pen<'_>, parts: &Parts) -> Option<u64> {
        let t = shared.t();
        let Some(run) = shown_run(shared) else {
            // As long as the store is being opened nobody knows whether a run is unfinished.
            let opening = shared.connection.opening().is_some();
            let words: &[&str] = if opening { &[t.reading] } else { &[t.queue_none, t.queue_none_2] };
            empty(pen, parts.list, words);
            return None;
        };
        let above = queue_health::rows_above(parts);
        if above > 0 {
            queue_health::above(shared, pen, parts.list, run);
        } else if parts.detail.height > 0 {
            queue_health::below(shared, pen, parts.detail, run);
        }
        let area = Rect { y: parts.list.y + above, height: parts.list.height - above, ..parts.list };
        let cell = |w, text| Cell::new(w, Role::Dim, text);
        let (state, no) = (words::state_width_of(shared.lang, &run.row), 14);
        let titles = [
            cell(1, ""),
            cell(state, t.col_outcome),
            cell(no, t.col_no),
            cell(0, t.col_reason),
            cell(7, t.col_took).right(),
            cell(8, t.col_when).right(),
        ];
        pen.row(area, area.y, false, &titles);
        let body = Rect { y: area.y + 1, height: area.height.saturating_sub(1), ..area };
        let (mut any, height) = (false, usize::from(body.height));
        let (top, at) = (self.scroll.top(), self.index(shared));
        for (i, row) in rows(run).enumerate().skip(top).take(height) {
            any = true;
            let here = at == Some(i);
            let mark = if shared.selection.holds(&key_of(run, row.fid())) { pen.glyphs.marked } else { "" };
            let (glyph, word, role, reason, took, when) = particulars(shared, &run.row.head.op, &row);
            let cells = [
                Cell::new(1, Role::Marked, mark),
                Cell::new(state, role, format!("{glyph} {word}")),
                Cell::new(no, Role::Text, words::shown(row.no())).key(),
                Cell::new(0, role, reason),
                Cell::new(7, Role::Dim, took).right(),
                Cell::new(8, Role::Dim, when).right(),
            ];
            pen.row(body, body.y + (i - top) as u16, here, &cells);
        }
        if !any {
            let text = match run.row.state {
                RunState::Collecting => t.queue_collecting,
                RunState::AwaitingApproval => t.queue_awaiting,
                _ => t.queue_nothing,
            };
            empty(pen, body, &[text]);
        }
        None
    }
}

/// Sign, word, role, reason, duration and time of a row.
fn particulars(
    shared: &Shared,
    op: &OpId,
    row: &Row<'_>,
) -> (&'static str, &'static str, Role, String, String, String) {
    use skydeck_core::domain::bill::BillState;
    let reason = |state: &BillState| words::reason(&shared.setup.causes, shared.lang, op, state);
    let clock = |at| format::local(at, shared.setup.zone, "%H:%M:%S");
    match row {
        Row::Flying(_, flying) => {
            let state = BillState::Trying { step: flying.step, attempt: flying.attempt, since: flying.since };
            let (glyph, word, role) = words::state(shared, op, &state);
            (glyph, word, role, reason(&state), format::age(shared.now.since(flying.since)), String::new())
        }
        Row::Due(_, due) => {
            let state = BillState::RetryAt { at: due.until, cause: due.cause.clone(), failure: None };
            let (glyph, word, role) = words::state(shared, op, &state);
            let left = match due.until {
                until if until <= shared.now => shared.t().due.to_owned(),
                until => format!("{} {}", shared.t().due_in, format::clock(until.since(shared.now))),
            };
            (glyph, word, role, format!("{}  {left}", reason(&state)), String::new(), clock(due.until))
        }
        Row::Settled(recent) => {
            let state = BillState::Settled(recent.outcome.clone());
            let (glyph, word, role) = words::state(shared, op, &state);
            let message = words::message_said(shared, &state);
            let mut text = reason(&state);
            if !message.is_empty() {
                text = format!("{text}  {message}");
            }
            (glyph, word, role, text, recent.ms.map(format::millis).unwrap_or_default(), clock(recent.at))
        }
    }
}
