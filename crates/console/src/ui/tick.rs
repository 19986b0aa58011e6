//! How often the clock has to be told: what on the screen changes although nobody says anything.
//!
//! Invariant: what waits to be read again is read within [`REFRESH`], whether or not another fact comes.

use std::time::Duration;

use skydeck_core::domain::bill::{BillState, Slot};
use skydeck_core::domain::run::{BillRow, RunState};

use super::model::{Model, Pane};
use super::update::REFRESH;
use super::window::Window;

const SECOND: Duration = Duration::from_secs(1);
/// Ages of a minute and more are told in minutes at the finest.
const MINUTE: Duration = Duration::from_secs(60);

impl Model {
    /// How often [`super::msg::Msg::Now`] is wanted: `None` while nothing on the screen changes with time.
    pub fn wants_tick(&self) -> Option<Duration> {
        let moving = self.live.open().any(|r| match r.row.state {
            RunState::Working | RunState::Settling | RunState::Collecting => true,
            // The time that a second person has is counted down.
            RunState::AwaitingApproval => r.row.consent.as_ref().is_some_and(|first| first.stands_at(self.now)),
            RunState::Paused(_) | RunState::Interrupted | RunState::Closed(_) => !r.in_flight.is_empty(),
        });
        let unlocked = self.env().is_some_and(|e| self.unlocked_for(&e.id).is_some());
        let ages = self.ages();
        [(moving || unlocked).then_some(SECOND), self.waits().then_some(REFRESH), ages].into_iter().flatten().min()
    }

    /// Whether facts made something stale that is on the screen, and it was read too recently to be read again at once.
    fn waits(&self) -> bool {
        let shown = match self.pane {
            Pane::Results => self.frozen.is_none() && self.results.waits(),
            Pane::Ledger => self.ledger.unfolded.values().any(Window::waits),
            Pane::History if self.history_filter.is_empty() => self.history.waits(),
            Pane::History => self.found.waits(),
            Pane::Log => self.log.waits(),
            Pane::Plans | Pane::Queue | Pane::Bill => false,
        };
        // The tabs' counts are on every pane.
        shown || self.plans_stale || self.ledger.stale || self.bill.waits()
    }

    /// The finest step in which an age on the screen grows.
    fn ages(&self) -> Option<Duration> {
        let oldest = |slot: Option<Slot>| {
            let groups = self.ledger.groups.iter().filter(move |g| slot.is_none_or(|slot| g.slot == slot));
            let ages = groups.filter_map(|g| g.oldest).map(|at| self.now.since(at));
            ages.map(|age| if age < MINUTE { SECOND } else { MINUTE }).min()
        };
        match self.pane {
            Pane::Ledger => oldest(None).into_iter().chain(self.ledger.unfolded.values().filter_map(rows_step)).min(),
            Pane::Results => rows_step(&self.results),
            Pane::History if !self.history_filter.is_empty() => rows_step(&self.found),
            // How long the oldest unknown bill has waited is said on every pane.
            Pane::Plans | Pane::Queue | Pane::History | Pane::Bill | Pane::Log => None,
        }
        .or_else(|| oldest(Some(Slot::Unknown)).map(|_| MINUTE))
    }
}

/// Rows tell their age in minutes, and count down to their next attempt in seconds.
fn rows_step(window: &Window<BillRow>) -> Option<Duration> {
    let step = |row: &BillRow| if matches!(row.state, BillState::RetryAt { .. }) { SECOND } else { MINUTE };
    window.visible().map(|(_, row)| step(row)).min()
}
