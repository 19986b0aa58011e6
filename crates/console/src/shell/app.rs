//! What the loop needs of a console: the model's four entrances, so that tests can drive the loop with a toy.

use std::time::Duration;

use ratatui::buffer::Buffer;

use crate::ui::Model;
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

/// The real one.
impl App for Model {
    fn update(&mut self, msg: Msg) -> Vec<Effect> {
        crate::ui::update(self, msg)
    }

    fn view(&self, picture: &mut Buffer) -> Drawn {
        crate::ui::view(self, picture)
    }

    fn wants_tick(&self) -> Option<Duration> {
        Self::wants_tick(self)
    }

    fn take_dirty(&mut self) -> bool {
        let dirty = self.needs_draw();
        self.drawn();
        dirty
    }
}
