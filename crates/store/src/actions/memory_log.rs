//! The action log of a store that is in memory.

use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;

use super::line::Tip;
use super::{ActionLog, Deed};
use crate::StoreError;
use skydeck_core::domain::action_log::LogPlace;
use skydeck_core::domain::time::Clock;

/// The log of a store that is in memory.
pub struct MemoryLog {
    clock: Arc<dyn Clock>,
    state: Mutex<(Vec<String>, Tip)>,
}

impl MemoryLog {
    /// An empty one.
    pub fn new(clock: Arc<dyn Clock>) -> Self {
        Self { clock, state: Mutex::default() }
    }

    /// Its lines.
    pub fn lines(&self) -> Vec<String> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner).0.clone()
    }
}

#[async_trait]
impl ActionLog for MemoryLog {
    async fn write(&self, deed: Deed) -> Result<LogPlace, StoreError> {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let (text, next) = state.1.next(deed, self.clock.now(), "memory")?;
        state.0.push(text);
        state.1 = next;
        Ok(state.1.place())
    }
}
