//! All the console knows. Changed by `update` alone; `view` reads it.
//!
//! Invariant: bounded by what is open and what is on the screen, never by the history.

use super::desk::Desk;
use super::overlays::Overlays;

/// The console's state: shared state and panes, and what lies over them.
pub struct Model {
    pub(crate) desk: Desk,
    pub(crate) overlays: Overlays,
}

impl Model {
    /// Whether the screen would look different now.
    pub fn needs_draw(&self) -> bool {
        self.desk.shared.dirty
    }

    /// The shell has drawn.
    pub fn drawn(&mut self) {
        self.desk.shared.dirty = false;
    }
}
