//! A clock that follows tokio's, so that paused time is paused for the client too.

use std::time::Duration;

use skydeck::domain::time::{Clock, Ts};

/// Wall time starts at a fixed second in January 2025.
pub struct TokioClock(tokio::time::Instant);

impl TokioClock {
    pub fn start() -> Self {
        Self(tokio::time::Instant::now())
    }
}

impl Clock for TokioClock {
    fn now(&self) -> Ts {
        Ts(1_735_787_045_000).plus(self.mono())
    }

    fn mono(&self) -> Duration {
        self.0.elapsed()
    }
}
