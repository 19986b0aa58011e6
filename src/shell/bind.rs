//! The console's own model behind the loop's [`App`].

use std::time::Duration;

use ratatui::buffer::Buffer;

use super::app::App;
use crate::ui::msg::{Drawn, Effect, Msg};
use crate::ui::{self, Model};

impl App for Model {
    fn update(&mut self, msg: Msg) -> Vec<Effect> {
        ui::update(self, msg)
    }

    fn view(&self, picture: &mut Buffer) -> Drawn {
        ui::view(self, picture)
    }

    fn wants_tick(&self) -> Option<Duration> {
        Model::wants_tick(self)
    }

    fn take_dirty(&mut self) -> bool {
        let dirty = self.needs_draw();
        self.drawn();
        dirty
    }
}
