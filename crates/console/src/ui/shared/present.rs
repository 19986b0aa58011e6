//! The present as facts make it, and the picture of it that the operator froze.

use skydeck_core::domain::event::Fact;
use skydeck_core::domain::live::Live;
use skydeck_core::domain::query::Machines;

/// What is going on, and what is shown of it.
pub(crate) struct Present {
    live: Live,
    frozen: Option<Box<Live>>,
    /// The machines that write to the store, where there may be several.
    pub machines: Option<Machines>,
}

impl Present {
    /// Nothing is frozen.
    pub fn new(live: Live) -> Self {
        Self { live, frozen: None, machines: None }
    }

    /// What is going on.
    pub fn live(&self) -> &Live {
        &self.live
    }

    /// What is shown of it: the frozen state while one is.
    pub fn shown(&self) -> &Live {
        self.frozen.as_deref().unwrap_or(&self.live)
    }

    /// Whether the picture stands still.
    pub fn is_frozen(&self) -> bool {
        self.frozen.is_some()
    }

    /// Freezes the picture, or lets it go on; tells whether it stands still now.
    pub fn toggle(&mut self) -> bool {
        self.frozen = if self.is_frozen() { None } else { Some(Box::new(self.live.clone())) };
        self.is_frozen()
    }

    /// A fact.
    pub fn apply(&mut self, fact: &Fact) {
        self.live.apply(fact);
    }

    /// The state anew, in place of what was known.
    pub fn replace(&mut self, live: Live) {
        self.live = live;
    }
}
