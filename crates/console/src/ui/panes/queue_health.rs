//! How the shown run and its environment are: calls in flight, pace, session, breaker, latency, what failed lately.

use std::cmp::Reverse;
use std::collections::BTreeMap;

use ratatui::layout::Rect;

use crate::ui::Lang;
use crate::ui::cells::Pen;
use crate::ui::format::{self, fill};
use crate::ui::layout::Parts;
use crate::ui::list::heading;
use crate::ui::run_words;
use crate::ui::shared::Shared;
use crate::ui::skin::Role;
use crate::ui::words;
use skydeck_core::domain::live::{EnvPulse, RunLive};
use skydeck_core::domain::run::RunKind;

/// Seconds that the ERP's clock may be from ours before it is said.
const CLOCKS_APART: u64 = 60;

/// Lines of health above the list: two where there is no room beside it.
pub(super) fn rows_above(parts: &Parts) -> u16 {
    if parts.detail.height > 0 || parts.list.height < 8 { 0 } else { 2 }
}

pub(super) fn above(shared: &Shared, pen: &mut Pen<'_>, area: Rect, run: &RunLive) {
    let (x, w) = (area.x + 1, area.width.saturating_sub(2));
    let mut line = counts(shared, run);
    let pulse = shared.pulse_of(&run.row.head.env);
    line.extend(pace(shared, pulse));
    line.push((Role::Text, "  ".to_owned()));
    line.extend(guards(shared, pulse));
    pen.pieces(x, area.y, w, &line);
    pen.pieces(x, area.y + 1, w, &latency(shared, run, 24));
}

fn counts(shared: &Shared, run: &RunLive) -> Vec<(Role, String)> {
    let t = shared.t();
    let oldest = run.in_flight.values().map(|f| f.since).min().map(|s| format::age(shared.now.since(s)));
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

fn pace(shared: &Shared, pulse: Option<&EnvPulse>) -> Vec<(Role, String)> {
    let t = shared.t();
    let Some(pulse) = pulse else { return Vec::new() };
    let mut out = vec![
        (Role::Dim, format!("{} ", t.pace)),
        (Role::Text, format!("{}{} x{}", pulse.per_minute, t.per_min, pulse.concurrency)),
    ];
    if let Some(slowed) = &pulse.slowed {
        let why = match shared.lang {
            Lang::En => slowed.why.en(),
            Lang::Zh => slowed.why.zh(),
        };
        let at = |at| format::local(at, shared.setup.zone, "%H:%M:%S");
        let mut words = fill(t.slowed, &[&why, &slowed.configured.to_string(), &at(slowed.full)]);
        if slowed.held > shared.now {
            words += &fill(t.slowed_held, &[&at(slowed.held)]);
        }
        out.push((Role::Warning, format!("  {words}")));
    }
    out
}

/// Session and breaker.
fn guards(shared: &Shared, pulse: Option<&EnvPulse>) -> Vec<(Role, String)> {
    let t = shared.t();
    let Some(pulse) = pulse else { return Vec::new() };
    let mut out = vec![
        (Role::Dim, format!("{} ", t.session)),
        (Role::Text, words::shown(&shared.lang.session(&pulse.session))),
        (Role::Dim, format!("  {} ", t.breaker)),
        match &pulse.breaker {
            Some(why) => (Role::Failed, format!("{} {}", t.breaker_on, words::reason_words(shared, why))),
            None => (Role::Ok, t.breaker_off.to_owned()),
        },
    ];
    // A clock of the ERP that is far from ours is said where one looks for what is wrong.
    if let Some(ahead) = pulse.ahead.filter(|ahead| ahead.unsigned_abs() >= CLOCKS_APART) {
        out.push((Role::Warning, format!("  {}", fill(t.erp_clock, &[&format!("{ahead:+}")]))));
    }
    out
}

fn latency(shared: &Shared, run: &RunLive, cells: usize) -> Vec<(Role, String)> {
    let t = shared.t();
    if run.row.head.kind == RunKind::Verify {
        return vec![(Role::Dim, t.latency_reads.to_owned())];
    }
    let mut sorted: Vec<u32> = run.latencies.iter().copied().collect();
    sorted.sort_unstable();
    let at = |q: usize| sorted.get((sorted.len().saturating_sub(1)) * q / 100).copied();
    let (Some(mid), Some(high)) = (at(50), at(95)) else { return vec![(Role::Dim, t.latency_none.to_owned())] };
    vec![
        (Role::Dim, format!("{} ", t.latency)),
        (Role::Accent, format::spark(run.latencies.iter(), cells, shared.setup.glyphs)),
        (Role::Text, format!("  p50 {}  p95 {}", format::millis(mid), format::millis(high))),
    ]
}

/// The health of the run and its environment under the list, and beside it what failed lately.
pub(super) fn below(shared: &Shared, pen: &mut Pen<'_>, area: Rect, run: &RunLive) {
    let t = shared.t();
    heading(pen, area, t.health);
    let (x, w) = (area.x + 1, area.width.saturating_sub(2));
    let left = w * 3 / 5;
    let pulse = shared.pulse_of(&run.row.head.env);
    let (_, word, role, why) = run_words::run_state(shared, &run.row.state, &run.row.tally);
    let lines = [
        counts(shared, run),
        pace(shared, pulse),
        guards(shared, pulse),
        latency(shared, run, usize::from(left).saturating_sub(32).clamp(8, 60)),
        vec![(Role::Dim, format!("{} ", t.col_state)), (role, format!("{word} {why}"))],
    ];
    let rows = area.y + 1..area.bottom();
    for (y, line) in rows.clone().zip(lines) {
        pen.pieces(x, y, left.saturating_sub(1), &line);
    }
    let causes = failures(shared, run);
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
fn failures(shared: &Shared, run: &RunLive) -> Vec<(u32, Role, String)> {
    let mut by: BTreeMap<String, (u32, Role)> = BTreeMap::new();
    for r in run.recent.iter().filter(|r| !r.outcome.is_resolved()) {
        let label = words::outcome_reason(&shared.setup.causes, shared.lang, &run.row.head.op, &r.outcome);
        by.entry(label).or_insert((0, words::role(r.outcome.slot()))).0 += 1;
    }
    let mut out: Vec<_> = by.into_iter().map(|(label, (n, role))| (n, role, label)).collect();
    out.sort_by_key(|(n, ..)| Reverse(*n));
    out
}
