//! All the console knows. Changed by `update` alone; `view` reads it.
//!
//! Invariant: bounded by what is open and what is on the screen, never by the history.

use skydeck_core::domain::query::Query;

use super::config::UiConfig;
use super::desk::Desk;
use super::msg::Effect;
use super::overlays::Overlays;
use super::shared::outbox::Asked;

/// The console's state: shared state and panes, and what lies over them.
pub struct Model {
    pub(crate) desk: Desk,
    pub(crate) overlays: Overlays,
}

impl Model {
    /// A console at its start, and the first questions.
    pub fn new(config: UiConfig) -> (Self, Vec<Effect>) {
        let mut model = Self { desk: Desk::new(config), overlays: Overlays::default() };
        let mut effects = Vec::new();
        model.desk.shared.ask(Query::Environments, Asked::Environments, &mut effects);
        super::update::notice_runs(&mut model.desk);
        super::update::finish(&mut model, None, &mut effects);
        (model, effects)
    }

    /// Whether the screen would look different now.
    pub fn needs_draw(&self) -> bool {
        self.desk.shared.dirty
    }

    /// The shell has drawn.
    pub fn drawn(&mut self) {
        self.desk.shared.dirty = false;
    }
}
