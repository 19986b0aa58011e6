//! What is said of runs as it happens, wherever somebody looks: that one ended, stopped calling by itself, or wants a second
//! person. Each ends with the next step.

use skydeck_core::domain::ids::RunId;
use skydeck_core::domain::run::{RunRow, RunState};

use super::config::Lang;
use super::format::{self, fill};
use super::keymap::Action;
use super::msg::Effect;
use super::run_words::{self, consent};
use super::shared::Shared;
use super::words;

/// The closing summary of a run, and the bell when it was ours.
pub(super) fn closed(shared: &mut Shared, run: RunId, effects: &mut Vec<Effect>) {
    let Some(live) = shared.present.live().runs.get(&run).filter(|_| shared.own.runs.contains(&run)) else { return };
    let tally = live.row.tally;
    let bad = tally.failed + tally.unknown + tally.not_reached > 0;
    let text = closing_words(shared, &live.row);
    let next = if bad { (shared.t().then_ledger, Action::Ledger) } else { (shared.t().then_results, Action::Results) };
    let next = fill(next.0, &[&shared.setup.keymap.key(next.1)]);
    shared.note_then(bad, text, next);
    if shared.setup.bell {
        effects.push(Effect::Bell);
    }
}

/// A run took a state: one that paused by itself is told once, and again when it paused anew.
pub(super) fn state(shared: &mut Shared, run: RunId, to: &RunState) {
    match to {
        RunState::Paused(why) if why.reason().is_some() => paused(shared, run),
        _ => {
            shared.own.goes_on(run);
        }
    }
}

/// Runs that paused by themselves before anybody looked here.
pub(super) fn standing(shared: &mut Shared) {
    let open = shared.present.live().open().filter(|run| match &run.row.state {
        RunState::Paused(why) => why.reason().is_some(),
        _ => false,
    });
    let paused_ones: Vec<RunId> = open.map(|run| run.row.head.id).collect();
    for run in paused_ones {
        paused(shared, run);
    }
    let waits = shared.present.live().open().filter(|run| consent(&run.row, shared.now).is_some());
    let waiting: Vec<RunId> = waits.map(|run| run.row.head.id).collect();
    for run in waiting {
        consented(shared, run);
    }
}

fn paused(shared: &mut Shared, run: RunId) {
    if !shared.own.is_news(run) {
        return;
    }
    let Some(row) = shared.present.live().runs.get(&run).map(|live| &live.row) else { return };
    let (name, (.., why)) = (name(shared, row), run_words::run_state(shared, &row.state, &row.tally));
    let [go_on, stop] = [Action::Pause, Action::Stop].map(|action| shared.setup.keymap.key(action));
    let next = fill(shared.t().then_pause, &[&go_on, &stop]);
    let text = fill(shared.t().paused_by_itself, &[&name, &why]);
    shared.note_then(true, text, next);
}

/// The first of two approved: whoever may be the second sees it at once.
pub(super) fn consented(shared: &mut Shared, run: RunId) {
    let Some(row) = shared.present.live().runs.get(&run).map(|live| &live.row) else { return };
    let Some(first) = consent(row, shared.now) else { return };
    let left = format::age_words(shared.lang, first.time_left(shared.now));
    let (name, key) = (name(shared, row), shared.setup.keymap.key(Action::Today));
    let who = words::who(shared, &first.by);
    let text = fill(shared.t().wants_second, &[&name, &who, &left]);
    let next = fill(shared.t().then_today, &[&key]);
    shared.note_then(false, text, next);
}

fn name(shared: &Shared, row: &RunRow) -> String {
    words::plan_name(shared, &row.head.plan, &row.head.name)
}

fn closing_words(shared: &Shared, row: &RunRow) -> String {
    let name = words::plan_name(shared, &row.head.plan, &row.head.name);
    let sum: String = run_words::sum_of(shared, row, u16::MAX).into_iter().map(|(_, text)| text).collect();
    let colon = if shared.lang == Lang::Zh { "：" } else { ": " };
    let text = match run_words::run_state(shared, &row.state, &row.tally) {
        (_, word, _, why) if !why.is_empty() => format!("{name}{colon}{word}{colon}{why}  {sum}"),
        _ => format!("{name}{colon}{sum}"),
    };
    match run_words::carried_over(shared.lang, row) {
        // Nothing but zeros would be in the way of the one thing there is to say.
        Some(carried) if row.tally.found == 0 => format!("{name}{colon}{carried}"),
        Some(carried) => format!("{text}  {carried}"),
        None => text,
    }
}
