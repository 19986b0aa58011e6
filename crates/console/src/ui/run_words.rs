//! A run in words: its kind, where it stands and why, what it was cut to, what it left, how fast it goes.

use std::time::Duration;

use skydeck_core::domain::bill::Slot;
use skydeck_core::domain::cause::CauseTable;
use skydeck_core::domain::forecast::Due;
use skydeck_core::domain::reason::Reason;
use skydeck_core::domain::run::{
    Collected, Consent, PauseWhy, Probe, Revision, RunEnd, RunHead, RunKind, RunRow, RunState, Tally,
};
use skydeck_core::domain::time::Ts;

use super::config::Lang;
use super::format::{self, fill};
use super::shared::Shared;
use super::skin::Role;
use super::sum::sum;
use super::words::{failed, glyph, reason_words, shown};

/// Which revision of a plan, in a word.
pub(crate) fn revision(lang: Lang, revision: Revision) -> &'static str {
    match revision {
        Revision::Newest => lang.texts().revision_newest,
        Revision::Original => lang.texts().revision_original,
    }
}

/// Kind of a run.
pub(crate) fn kind(lang: Lang, kind: RunKind) -> &'static str {
    let t = lang.texts();
    match kind {
        RunKind::Fresh => t.kind_fresh,
        RunKind::Retry => t.kind_retry,
        RunKind::Verify => t.kind_verify,
    }
}

/// Kind of a run; of one that a person cut, that it is a range.
pub(crate) fn kind_of(lang: Lang, head: &RunHead) -> &'static str {
    match (head.kind, &head.range) {
        (RunKind::Fresh, Some(_)) => lang.texts().kind_range,
        (kind, _) => self::kind(lang, kind),
    }
}

/// What a run was cut to, safe to show; empty where nothing was cut.
pub(crate) fn range(lang: Lang, head: &RunHead) -> String {
    let said = head.range.as_ref().map(|range| match lang {
        Lang::Zh => range.zh(),
        Lang::En => range.en(),
    });
    shown(&said.unwrap_or_default())
}

/// The first of two approvals, while it stands for the set that is shown and the second one is waited for.
pub(crate) fn consent(row: &RunRow, now: Ts) -> Option<&Consent> {
    if row.state != RunState::AwaitingApproval {
        return None;
    }
    let hash = &row.collected.as_ref()?.hash;
    row.consent.as_ref().filter(|c| c.hash == *hash && c.stands_at(now))
}

/// A run's state in a word. It speaks of that run alone: what other runs left is not in its sum.
pub fn run_word(lang: Lang, state: &RunState, tally: &Tally) -> &'static str {
    let t = lang.texts();
    match state {
        RunState::Collecting => t.run_collecting,
        RunState::AwaitingApproval => t.run_awaiting,
        RunState::Working => t.run_working,
        RunState::Settling => t.run_settling,
        RunState::Paused(_) => t.run_paused,
        RunState::Interrupted => t.run_interrupted,
        RunState::Closed(RunEnd::Completed) if tally.unknown > 0 => t.run_unknown,
        RunState::Closed(RunEnd::Completed) if tally.failed > 0 => t.run_failed,
        RunState::Closed(RunEnd::Completed) if tally.skipped > 0 && tally.skipped == tally.found => t.run_skipped,
        RunState::Closed(RunEnd::Completed) if tally.skipped > 0 => t.run_some_skipped,
        RunState::Closed(RunEnd::Completed) => t.run_clean,
        RunState::Closed(RunEnd::Empty) => t.run_empty,
        RunState::Closed(RunEnd::Collected) => t.run_collected,
        RunState::Closed(RunEnd::Cancelled) => t.run_cancelled,
        RunState::Closed(RunEnd::Declined) => t.run_declined,
        RunState::Closed(RunEnd::Stopped(_)) => t.run_stopped,
        RunState::Closed(RunEnd::CollectFailed(_)) => t.run_collect_failed,
    }
}

/// A run's state: sign, word, role, and the reason in full where there is one.
pub(crate) fn run_state(
    shared: &Shared,
    state: &RunState,
    tally: &Tally,
) -> (&'static str, &'static str, Role, String) {
    let a = shared.setup.glyphs.ascii;
    let (sign, role) = match state {
        RunState::Collecting | RunState::Working => (if a { ">" } else { "▸" }, Role::Accent),
        RunState::AwaitingApproval | RunState::Paused(_) | RunState::Interrupted => ("!", Role::Warning),
        RunState::Settling => (if a { "~" } else { "↻" }, Role::Unknown),
        RunState::Closed(RunEnd::Completed) if tally.unknown > 0 => ("?", Role::Unknown),
        RunState::Closed(RunEnd::Completed) if tally.failed > 0 => {
            (glyph(Slot::Failed, shared.setup.glyphs), Role::Failed)
        }
        // Bills that were skipped are not done: no tick for that.
        RunState::Closed(RunEnd::Completed) if tally.skipped > 0 => {
            (glyph(Slot::Skipped, shared.setup.glyphs), Role::Skipped)
        }
        RunState::Closed(RunEnd::Completed | RunEnd::Collected) => (glyph(Slot::Done, shared.setup.glyphs), Role::Ok),
        RunState::Closed(RunEnd::Empty) => (if a { "." } else { "·" }, Role::Dim),
        RunState::Closed(RunEnd::Cancelled | RunEnd::Declined) => ("-", Role::Skipped),
        RunState::Closed(RunEnd::Stopped(_)) => ("!", Role::Failed),
        RunState::Closed(RunEnd::CollectFailed(_)) => (glyph(Slot::Failed, shared.setup.glyphs), Role::Failed),
    };
    let why = match state {
        RunState::Paused(why) => pause(shared, why),
        RunState::Closed(end) => end.reason().map(|why| reason_words(shared, why)).unwrap_or_default(),
        RunState::Collecting
        | RunState::AwaitingApproval
        | RunState::Working
        | RunState::Settling
        | RunState::Interrupted => String::new(),
    };
    (sign, run_word(shared.lang, state, tally), role, why)
}

/// Why a run paused.
pub(crate) fn pause(shared: &Shared, why: &PauseWhy) -> String {
    let t = shared.t();
    let said = why.reason().map(|why| reason_words(shared, why)).unwrap_or_default();
    match why {
        PauseWhy::Operator => t.pause_operator.to_owned(),
        PauseWhy::Breaker(_) => fill(t.pause_breaker, &[&said]),
        PauseWhy::Stopped(_) => fill(t.pause_stopped, &[&said]),
        // What 0.1.0 wrote does not say of itself what it is about.
        PauseWhy::Unreachable(Reason::Legacy { .. }) => fill(t.pause_unreachable, &[&said]),
        PauseWhy::Store(Reason::Legacy { .. }) => fill(t.pause_store, &[&said]),
        PauseWhy::Canary(Reason::Legacy { .. }) => fill(t.pause_canary, &[&said]),
        PauseWhy::Unreachable(_) | PauseWhy::Store(_) | PauseWhy::Canary(_) => said,
    }
}

/// How many unresolved bills a run left as they are because nothing about them changed, and what calls them.
pub fn carried_over(lang: Lang, row: &RunRow) -> Option<String> {
    let left = row.collected.as_ref()?.unchanged.as_ref()?;
    Some(fill(lang.texts().unchanged, &[&format::count(left.bills)]))
}

/// Bills of a run that are called although nothing about them changed, and why.
pub fn probes(causes: &CauseTable, lang: Lang, collected: &Collected) -> Option<String> {
    let one = |probe: &Probe| format!("{} ({})", shown(&probe.no), failed(causes, lang, &probe.cause));
    let all: Vec<String> = collected.probes.iter().map(one).collect();
    (!all.is_empty()).then(|| fill(lang.texts().probes, &[&all.join(", ")]))
}

/// The sum line of a run. Nothing is told of the bills of one that closed without anybody approving it.
pub(crate) fn sum_of(shared: &Shared, row: &RunRow, max: u16) -> Vec<(Role, String)> {
    if row.is_untold() && row.tally.found > 0 {
        let t = shared.t();
        let found = format!("{} {}", t.found, format::count(row.tally.found));
        let words = shared.setup.glyphs.clip(
            if row.state == RunState::Closed(RunEnd::Collected) { t.collected_sum } else { t.untold_sum },
            usize::from(max).saturating_sub(shared.setup.glyphs.width(&found) + 2),
        );
        return vec![(Role::Title, found), (Role::Dim, format!("  {words}"))];
    }
    if row.has_read_nothing() {
        return vec![(Role::Dim, shared.setup.glyphs.clip(shared.t().nothing_read, usize::from(max)))];
    }
    sum(shared, row, max)
}

/// A rate: `0.8/s` or `48/min`.
pub(crate) fn rate(lang: Lang, per_second: f64) -> String {
    let t = lang.texts();
    if per_second >= 10.0 {
        format!("{per_second:.0}{}", t.per_s)
    } else {
        format!("{:.0}{}", per_second * 60.0, t.per_min)
    }
}

/// When calls are done, on the clock of the screen: `done 14:05–14:20`, or not before when.
pub(crate) fn due(shared: &Shared, due: &Due) -> String {
    let t = shared.t();
    let clock = |at: Ts| {
        let (day, today) =
            (format::local(at, shared.setup.zone, "%m-%d "), format::local(shared.now, shared.setup.zone, "%m-%d "));
        let clock = format::local(at, shared.setup.zone, "%H:%M");
        if day == today { clock } else { format!("{day}{clock}") }
    };
    match due.to {
        None => fill(t.not_before, &[&clock(due.from)]),
        Some(to) if clock(to) == clock(due.from) => fill(t.done_at, &[&clock(to)]),
        Some(to) => fill(t.done_at, &[&format!("{}–{}", clock(due.from), clock(to))]),
    }
}

/// How long the bills that are still to be called will take at this rate.
pub(crate) fn eta(to_call: u64, per_second: f64) -> Option<Duration> {
    (per_second > 0.0 && to_call > 0)
        .then(|| Duration::from_secs((to_call as f64 / per_second).min(8_640_000.0) as u64))
}
