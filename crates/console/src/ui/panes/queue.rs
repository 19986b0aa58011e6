//! Queue: what is in flight, what waits to be repeated, what was settled last; pace, session, latency.
//!
//! Invariant: the cursor is bound to a bill, not to a row.

use ratatui::layout::Rect;

use crate::ui::Lang;
use crate::ui::cells::{Cell, Pen};
use crate::ui::format::{self, fill};
use crate::ui::layout::Parts;
use crate::ui::model::Model;
use crate::ui::skin::Role;
use crate::ui::words;
use skydeck_core::domain::ids::{Fid, OpId};
use skydeck_core::domain::live::{Deferred, EnvPulse, InFlight, Recent, RunLive};
use skydeck_core::domain::run::{RunKind, RunState};

use super::{empty, heading};

/// Seconds that the ERP's clock may be from ours before it is said.
const CLOCKS_APART: u64 = 60;

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

fn shown_run(model: &Model) -> Option<&RunLive> {
    model.run.and_then(|id| model.shown_live().runs.get(&id))
}

/// The bill with this id, if it is in the queue.
pub(crate) fn at(run: &RunLive, fid: &Fid) -> Option<(Fid, String)> {
    rows(run).find(|r| r.fid() == fid).map(|r| (fid.clone(), r.no().to_owned()))
}

/// Place of the cursor.
pub(crate) fn index(model: &Model) -> Option<usize> {
    let fid = model.queue_at.as_ref()?;
    rows(shown_run(model)?).position(|r| r.fid() == fid)
}

/// Moves the cursor; the first move takes the first row.
pub(crate) fn step(model: &mut Model, by: i64) {
    let Some(run) = shown_run(model) else { return };
    let fids: Vec<Fid> = rows(run).map(|r| r.fid().clone()).collect();
    let last = fids.len() as i64 - 1;
    let to = match index(model) {
        Some(at) => (at as i64).saturating_add(by).clamp(0, last.max(0)),
        None if by > 1 => by.clamp(0, last.max(0)),
        None => 0,
    };
    model.queue_at = fids.get(to as usize).cloned();
}

pub(crate) fn draw(model: &Model, pen: &mut Pen<'_>, parts: &Parts) -> Option<u64> {
    let t = model.t();
    let Some(run) = shown_run(model) else {
        empty(pen, parts.list, &[t.queue_none, t.queue_none_2]);
        return None;
    };
    let above = health_rows(parts);
    if above > 0 {
        health_above(model, pen, parts.list, run);
    } else if parts.detail.height > 0 {
        health(model, pen, parts.detail, run);
    }
    let area = Rect { y: parts.list.y + above, height: parts.list.height - above, ..parts.list };
    let cell = |w, text| Cell::new(w, Role::Dim, text);
    let (state, no) = (words::state_width_of(model.lang, &run.row), 14);
    let titles = [
        cell(1, ""),
        cell(state, t.col_state),
        cell(no, t.col_no),
        cell(0, t.col_reason),
        cell(7, t.col_took).right(),
        cell(8, t.col_when).right(),
    ];
    pen.row(area, area.y, false, &titles);
    let body = Rect { y: area.y + 1, height: area.height.saturating_sub(1), ..area };
    let (mut any, height) = (false, usize::from(body.height));
    let top = model.queue_top;
    for (i, row) in rows(run).enumerate().skip(top).take(height) {
        any = true;
        let here = model.queue_at.as_ref() == Some(row.fid());
        let key = skydeck_core::domain::ids::RecordKey {
            env: run.row.head.env.clone(),
            form: run.row.head.form.clone(),
            fid: row.fid().clone(),
        }
        .under(&run.row.head.op);
        let mark = if model.marks.contains_key(&key) { pen.glyphs.marked } else { "" };
        let (glyph, word, role, reason, took, when) = particulars(model, &run.row.head.op, &row);
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

/// Sign, word, role, reason, duration and time of a row.
fn particulars(model: &Model, op: &OpId, row: &Row<'_>) -> (&'static str, &'static str, Role, String, String, String) {
    use skydeck_core::domain::bill::BillState;
    let reason = |state: &BillState| words::reason(&model.causes, model.lang, op, state);
    let clock = |at| format::local(at, model.zone, "%H:%M:%S");
    match row {
        Row::Flying(_, flying) => {
            let state = BillState::Trying { step: flying.step, attempt: flying.attempt, since: flying.since };
            let (glyph, word, role) = words::state(model, op, &state);
            (glyph, word, role, reason(&state), format::age(model.now.since(flying.since)), String::new())
        }
        Row::Due(_, due) => {
            let state = BillState::RetryAt { at: due.until, cause: due.cause.clone(), failure: None };
            let (glyph, word, role) = words::state(model, op, &state);
            let left = format!("{} {}", model.t().due_in, format::clock(due.until.since(model.now)));
            (glyph, word, role, format!("{}  {left}", reason(&state)), String::new(), clock(due.until))
        }
        Row::Settled(recent) => {
            let state = BillState::Settled(recent.outcome.clone());
            let (glyph, word, role) = words::state(model, op, &state);
            let message = words::message(&state);
            let mut text = reason(&state);
            if !message.is_empty() {
                text = format!("{text}  {}", words::shown(message));
            }
            (glyph, word, role, text, recent.ms.map(format::millis).unwrap_or_default(), clock(recent.at))
        }
    }
}

/// Lines of health above the list: two where there is no room beside it.
pub(crate) fn health_rows(parts: &Parts) -> u16 {
    if parts.detail.height > 0 || parts.list.height < 8 { 0 } else { 2 }
}

fn health_above(model: &Model, pen: &mut Pen<'_>, area: Rect, run: &RunLive) {
    let (x, w) = (area.x + 1, area.width.saturating_sub(2));
    let mut line = counts(model, run);
    let pulse = model.pulse_of(&run.row.head.env);
    line.extend(pace(model, pulse));
    line.push((Role::Text, "  ".to_owned()));
    line.extend(guards(model, pulse));
    pen.pieces(x, area.y, w, &line);
    pen.pieces(x, area.y + 1, w, &latency(model, run, 24));
}

fn counts(model: &Model, run: &RunLive) -> Vec<(Role, String)> {
    let t = model.t();
    let oldest = run.in_flight.values().map(|f| f.since).min().map(|s| format::age(model.now.since(s)));
    let mut out = vec![(Role::Accent, fill(t.n_flying, &[&run.in_flight.len().to_string()]))];
    if let Some(age) = oldest {
        out.push((Role::Dim, format!(" {}", fill(t.oldest, &[&age]))));
    }
    if !run.deferred.is_empty() {
        out.push((Role::Warning, format!("  {}", fill(t.n_due, &[&run.deferred.len().to_string()]))));
    }
    out.push((Role::Text, "  ".to_owned()));
    out
}

fn pace(model: &Model, pulse: Option<&EnvPulse>) -> Vec<(Role, String)> {
    let t = model.t();
    let Some(pulse) = pulse else { return Vec::new() };
    let mut out = vec![
        (Role::Dim, format!("{} ", t.pace)),
        (Role::Text, format!("{}{} x{}", pulse.per_minute, t.per_min, pulse.concurrency)),
    ];
    if let Some(slowed) = &pulse.slowed {
        let why = match model.lang {
            Lang::En => slowed.why.en(),
            Lang::Zh => slowed.why.zh(),
        };
        let at = |at| format::local(at, model.zone, "%H:%M:%S");
        let mut words = fill(t.slowed, &[&why, &slowed.configured.to_string(), &at(slowed.full)]);
        if slowed.held > model.now {
            words += &fill(t.slowed_held, &[&at(slowed.held)]);
        }
        out.push((Role::Warning, format!("  {words}")));
    }
    out
}

/// Session and breaker.
fn guards(model: &Model, pulse: Option<&EnvPulse>) -> Vec<(Role, String)> {
    let t = model.t();
    let Some(pulse) = pulse else { return Vec::new() };
    let mut out = vec![
        (Role::Dim, format!("{} ", t.session)),
        (Role::Text, words::shown(&model.lang.session(&pulse.session))),
        (Role::Dim, format!("  {} ", t.breaker)),
        match &pulse.breaker {
            Some(why) => (Role::Failed, format!("{} {}", t.breaker_on, words::reason_words(model, why))),
            None => (Role::Ok, t.breaker_off.to_owned()),
        },
    ];
    // A clock of the ERP that is far from ours is said where one looks for what is wrong.
    if let Some(ahead) = pulse.ahead.filter(|ahead| ahead.unsigned_abs() >= CLOCKS_APART) {
        out.push((Role::Warning, format!("  {}", fill(t.erp_clock, &[&format!("{ahead:+}")]))));
    }
    out
}

fn latency(model: &Model, run: &RunLive, cells: usize) -> Vec<(Role, String)> {
    let t = model.t();
    if run.row.head.kind == RunKind::Verify {
        return vec![(Role::Dim, t.latency_reads.to_owned())];
    }
    let mut sorted: Vec<u32> = run.latencies.iter().copied().collect();
    sorted.sort_unstable();
    let at = |q: usize| sorted.get((sorted.len().saturating_sub(1)) * q / 100).copied();
    let (Some(mid), Some(high)) = (at(50), at(95)) else { return vec![(Role::Dim, t.latency_none.to_owned())] };
    vec![
        (Role::Dim, format!("{} ", t.latency)),
        (Role::Accent, format::spark(run.latencies.iter(), cells, model.glyphs)),
        (Role::Text, format!("  p50 {}  p95 {}", format::millis(mid), format::millis(high))),
    ]
}

/// The health of the run and its environment under the list, and beside it what failed lately.
fn health(model: &Model, pen: &mut Pen<'_>, area: Rect, run: &RunLive) {
    let t = model.t();
    heading(pen, area, t.health);
    let (x, w) = (area.x + 1, area.width.saturating_sub(2));
    let left = w * 3 / 5;
    let pulse = model.pulse_of(&run.row.head.env);
    let (_, word, role, why) = words::run_state(model, &run.row.state, &run.row.tally);
    let lines = [
        counts(model, run),
        pace(model, pulse),
        guards(model, pulse),
        latency(model, run, usize::from(left).saturating_sub(32).clamp(8, 60)),
        vec![(Role::Dim, format!("{} ", t.col_state)), (role, format!("{word} {why}"))],
    ];
    let rows = area.y + 1..area.bottom();
    for (y, line) in rows.clone().zip(lines) {
        pen.pieces(x, y, left.saturating_sub(1), &line);
    }
    let causes = failures(model, run);
    if causes.is_empty() {
        return;
    }
    pen.bar(x + left, area.y + 1, area.height.saturating_sub(1), Role::Border);
    let (x, w) = (x + left + 2, w.saturating_sub(left + 2));
    pen.text(x, area.y + 1, w, Role::Title, t.recent_failures);
    for (y, (n, role, label)) in rows.skip(1).zip(causes) {
        pen.pieces(x, y, w, &[(role, format!("{n:>5}  {label}"))]);
    }
}

/// What went wrong lately, by reason.
fn failures(model: &Model, run: &RunLive) -> Vec<(u32, Role, String)> {
    let mut by: std::collections::BTreeMap<String, (u32, Role)> = std::collections::BTreeMap::new();
    for r in run.recent.iter().filter(|r| !r.outcome.is_resolved()) {
        let label = words::outcome_reason(&model.causes, model.lang, &run.row.head.op, &r.outcome);
        by.entry(label).or_insert((0, words::role(r.outcome.slot()))).0 += 1;
    }
    let mut out: Vec<_> = by.into_iter().map(|(label, (n, role))| (n, role, label)).collect();
    out.sort_by_key(|(n, ..)| std::cmp::Reverse(*n));
    out
}
