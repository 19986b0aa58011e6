//! How often the clock has to be told: what on the screen changes although nobody says anything.
//!
//! Invariant: what waits to be read again is read within [`REFRESH`], whether or not another fact comes.

use std::time::Duration;

use skydeck_core::domain::bill::Slot;
use skydeck_core::domain::run::RunState;

use super::bill_rows::{MINUTE, SECOND};
use super::model::Model;
use super::shared::outbox::REFRESH;

impl Model {
    /// How often [`super::msg::Msg::Now`] is wanted: `None` while nothing on the screen changes with time.
    pub fn wants_tick(&self) -> Option<Duration> {
        let shared = &self.desk.shared;
        let moving = shared.present.live().open().any(|r| match r.row.state {
            RunState::Working | RunState::Settling | RunState::Collecting => true,
            // The time that a second person has is counted down.
            RunState::AwaitingApproval => r.row.consent.as_ref().is_some_and(|first| first.stands_at(shared.now)),
            RunState::Paused(_) | RunState::Interrupted | RunState::Closed(_) => !r.in_flight.is_empty(),
        });
        let unlocked = self.desk.env().is_some_and(|e| shared.unlocked_for(&e.id).is_some());
        let second = (moving || unlocked).then_some(SECOND);
        [second, self.waits().then_some(REFRESH), self.ages()].into_iter().flatten().min()
    }

    /// Whether facts made something stale that is on the screen, and it was read too recently to be read again at once.
    fn waits(&self) -> bool {
        let (shared, here) = (&self.desk.shared, self.desk.shared.nav.here());
        let listed = self.desk.panes.all().any(|pane| pane.waits(shared, pane.scope() == here));
        // The tabs' counts are on every pane.
        listed || shared.plans.is_stale() || shared.groups.is_stale()
    }

    /// The finest step in which an age on the screen grows.
    fn ages(&self) -> Option<Duration> {
        let shared = &self.desk.shared;
        // How long the oldest unknown bill has waited is said on every pane.
        let unknown = || shared.groups.rows().iter().any(|group| group.slot == Slot::Unknown && group.oldest.is_some());
        self.desk.pane().ages(shared).or_else(|| unknown().then_some(MINUTE))
    }
}
