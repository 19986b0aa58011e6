//! The sum line and the progress line: where the bills of the run in view stand, how fast it goes, which run it is.

use super::cells::Pen;
use super::desk::Desk;
use super::format::{self, fill};
use super::keymap::Action;
use super::layout::Parts;
use super::run_words::{self, consent};
use super::shared::Shared;
use super::skin::Role;
use super::sum;
use super::words;
use skydeck_core::domain::live::RunLive;
use skydeck_core::domain::run::{RunEnd, RunKind, RunRow, RunState};

/// Draws both: always in view.
pub(crate) fn draw(desk: &Desk, pen: &mut Pen<'_>, parts: &Parts) {
    let (shared, t) = (&desk.shared, desk.shared.t());
    let (y, w) = (parts.sum.y, parts.sum.width);
    let Some(row) = shared.run_row() else {
        let words = match desk.known_runs().is_empty() {
            // As long as the store is being opened, or has not answered, nobody knows which runs there are.
            _ if shared.connection.opening().is_some() => t.reading,
            true if !shared.plans.is_loaded() => t.reading,
            true => t.no_run,
            // None was chosen yet: that is not to say that there was none.
            false if shared.plan_row().is_some_and(|plan| !plan.last.is_empty()) => t.no_run_in_view,
            false => t.no_run_of_plan,
        };
        pen.text(1, y, w.saturating_sub(1), Role::Dim, words);
        return;
    };
    let live = !row.state.is_closed();
    pen.pieces(1, y, w.saturating_sub(1), &run_words::sum_of(shared, row, w.saturating_sub(2)));
    if parts.sum.height < 2 {
        return;
    }
    let y = y + 1;
    let (glyph, word, role, why) = run_words::run_state(shared, &row.state, &row.tally);
    let mut x = 1;
    let state = format!("{glyph} {word} ");
    x += pen.text(x, y, w - x, role, &state);
    // Of what is only read nothing waits.
    if row.state != RunState::Closed(RunEnd::Collected) {
        let width = (w / 4).clamp(10, 40);
        x += pen.pieces(x, y, w.saturating_sub(x), &sum::bar(&row.tally, width, shared.setup.glyphs)) + 1;
        let done = row.tally.found.saturating_sub(row.tally.waiting + row.tally.not_reached);
        let percent = (done * 100).checked_div(row.tally.found).unwrap_or(0);
        x += pen.text(x, y, w.saturating_sub(x), Role::Title, &format!("{percent}% ")) + 1;
    }
    if let Some(fault) = shared.present.live().faults.first() {
        pen.text(x, y, w.saturating_sub(x), Role::Error, &words::shown(fault));
        return;
    }
    if let Some(run) = shared.run_live().filter(|_| live) {
        for (role, text) in going(shared, run) {
            x += pen.text(x, y, w.saturating_sub(x), role, &text) + 2;
        }
    }
    if !why.is_empty() {
        x += pen.text(x, y, w.saturating_sub(x), role, &why) + 2;
    }
    let room = w.saturating_sub(x + 1);
    if room >= 12 {
        pen.text_right(x, w - 1, y, Role::Dim, &pen.glyphs.clip(&name(shared, row), usize::from(room)));
    }
}

/// What is said of a run that is not closed: how fast it goes, what it waits for, what stopped its calls.
fn going(shared: &Shared, run: &RunLive) -> Vec<(Role, String)> {
    let (t, row) = (shared.t(), &run.row);
    let mut said = Vec::new();
    match row.state {
        RunState::Working => {
            let speed = run.per_second(shared.now, 30);
            let mut text = run_words::rate(shared.lang, speed);
            // What this plan's past runs say is a range; before there are enough of them the rate of late is all there is.
            let due = shared.pulse.due.iter().find(|due| due.run == row.head.id);
            if let Some(left) = run_words::eta(row.to_call(), speed).filter(|_| due.is_none()) {
                text = format!("{text}  {} {}", t.eta, format::age(left));
            }
            said.push((Role::Text, text));
            said.extend(due.map(|due| (Role::Dim, run_words::due(shared, due))));
        }
        RunState::AwaitingApproval => {
            let key = shared.setup.keymap.key(Action::Approve);
            let hint = match consent(row, shared.now) {
                Some(first) => {
                    let left = format::clock(first.time_left(shared.now));
                    fill(t.second_hint, &[&key, &words::who(shared, &first.by), &left])
                }
                None => fill(t.approve_hint, &[&key]),
            };
            said.push((Role::Warning, hint));
        }
        RunState::Collecting
        | RunState::Settling
        | RunState::Paused(_)
        | RunState::Interrupted
        | RunState::Closed(_) => {}
    }
    if let Some(breaker) = shared.pulse_of(&row.head.env).and_then(|pulse| pulse.breaker.as_ref()) {
        said.push((Role::Failed, fill(t.breaker_open, &[&words::reason_words(shared, breaker)])));
    }
    said
}

/// Plan, operation, kind and beginning of a run.
fn name(shared: &Shared, row: &RunRow) -> String {
    let when = format::when(row.head.opened, shared.now, shared.setup.zone);
    let kind = match (row.head.kind, &row.head.range) {
        (RunKind::Fresh, None) => String::new(),
        _ => format!(" {}", run_words::kind_of(shared.lang, &row.head)),
    };
    let plan = words::plan_name(shared, &row.head.plan, &row.head.name);
    // Many plans are named after what they call.
    let op = Some(words::operation(&row.head.op)).filter(|op| !row.head.op.is_audit() && !plan.contains(op.as_str()));
    let op = op.map_or_else(String::new, |op| format!(" {op}"));
    let host = shared
        .host_of(row.head.id)
        .map_or_else(String::new, |host| format!("{} {} ", words::shown(host), shared.setup.glyphs.dot));
    format!("{host}{plan}{op}{kind} {when}")
}
