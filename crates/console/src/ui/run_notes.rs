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

impl Shared {
    /// The closing summary of a run, and the bell when it was ours.
    pub(super) fn run_closed(&mut self, run: RunId, effects: &mut Vec<Effect>) {
        let Some(live) = self.present.live().runs.get(&run).filter(|_| self.own.runs.contains(&run)) else { return };
        let tally = live.row.tally;
        let bad = tally.failed + tally.unknown + tally.not_reached > 0;
        let text = closing_words(self, &live.row);
        let next = if bad { (self.t().then_ledger, Action::Ledger) } else { (self.t().then_results, Action::Results) };
        let next = fill(next.0, &[&self.setup.keymap.key(next.1)]);
        self.note_then(bad, text, next);
        if self.setup.bell {
            effects.push(Effect::Bell);
        }
    }

    /// A run took a state: one that paused by itself is told once, and again when it paused anew.
    pub(super) fn run_takes(&mut self, run: RunId, to: &RunState) {
        match to {
            RunState::Paused(why) if why.reason().is_some() => self.run_paused(run),
            _ => {
                self.own.goes_on(run);
            }
        }
    }

    /// Runs that paused by themselves before anybody looked here.
    pub(super) fn runs_standing(&mut self) {
        let open = self.present.live().open().filter(|run| match &run.row.state {
            RunState::Paused(why) => why.reason().is_some(),
            _ => false,
        });
        let paused_ones: Vec<RunId> = open.map(|run| run.row.head.id).collect();
        for run in paused_ones {
            self.run_paused(run);
        }
        let waits = self.present.live().open().filter(|run| consent(&run.row, self.now).is_some());
        let waiting: Vec<RunId> = waits.map(|run| run.row.head.id).collect();
        for run in waiting {
            self.run_consented(run);
        }
    }

    fn run_paused(&mut self, run: RunId) {
        if !self.own.is_news(run) {
            return;
        }
        let Some(row) = self.present.live().runs.get(&run).map(|live| &live.row) else { return };
        let (name, (.., why)) = (name(self, row), run_words::run_state(self, &row.state, &row.tally));
        let [go_on, stop] = [Action::Pause, Action::Stop].map(|action| self.setup.keymap.key(action));
        let next = fill(self.t().then_pause, &[&go_on, &stop]);
        let text = fill(self.t().paused_by_itself, &[&name, &why]);
        self.note_then(true, text, next);
    }

    /// The first of two approved: whoever may be the second sees it at once.
    pub(super) fn run_consented(&mut self, run: RunId) {
        let Some(row) = self.present.live().runs.get(&run).map(|live| &live.row) else { return };
        let Some(first) = consent(row, self.now) else { return };
        let left = format::age_words(self.lang, first.time_left(self.now));
        let (name, key) = (name(self, row), self.setup.keymap.key(Action::Today));
        let who = words::who(self, &first.by);
        let text = fill(self.t().wants_second, &[&name, &who, &left]);
        let next = fill(self.t().then_today, &[&key]);
        self.note_then(false, text, next);
    }
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
