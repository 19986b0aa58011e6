//! What the loop needs of a console: the model's four entrances, so that tests can drive the loop with a toy.

use std::time::Duration;

use ratatui::buffer::Buffer;

use crate::ui::msg::{Drawn, Effect, Msg};

/// A model with its view.
pub trait App {
    /// Takes a message in; answers with what must be done.
    fn update(&mut self, msg: Msg) -> Vec<Effect>;

    /// Paints the picture; the buffer is blank.
    fn view(&self, picture: &mut Buffer) -> Drawn;

    /// How often time must be told while nothing else happens; `None` = not at all, the console sleeps.
    fn wants_tick(&self) -> Option<Duration>;

    /// Whether the picture may have changed since this was last asked.
    fn take_dirty(&mut self) -> bool;
}
