//! What is known of what is usual, between whoever follows the facts and whoever asks.
//!
//! Invariant: held for a moment only, never over a wait.

use std::sync::{Mutex, MutexGuard, PoisonError};

use skydeck_core::domain::forecast::PlanForecast;
use skydeck_core::domain::ids::{PlanId, Seq};
use skydeck_core::domain::time::Ts;
use skydeck_forecast::Folder;
use skydeck_store::{Store, StoreError};

/// What is followed; nothing before somebody began to follow.
#[derive(Default)]
pub struct Watched {
    at: Mutex<Option<Following>>,
}

/// What was made of the facts so far.
pub struct Following {
    /// The forecasters.
    pub folder: Folder,
    /// The last fact in it.
    pub place: Seq,
    /// How far the past is read, as long as it is not.
    pub behind: Option<(u64, u64)>,
    /// Begun without what was kept: that goes when this is kept.
    pub anew: bool,
}

impl Watched {
    fn at(&self) -> MutexGuard<'_, Option<Following>> {
        self.at.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Begins.
    pub fn begin(&self, following: Following) {
        *self.at() = Some(following);
    }

    /// What is said of plans, as far as anything is.
    pub fn say(&self, plan: &PlanId, next: Option<Ts>) -> Option<PlanForecast> {
        let at = self.at();
        let following = at.as_ref().filter(|following| following.behind.is_none())?;
        following.folder.say(plan, next)
    }

    /// How far the past is read; `None` where all of it is.
    pub async fn behind(&self, store: &dyn Store) -> Result<Option<(u64, u64)>, StoreError> {
        match self.with(|following| following.behind) {
            Some(behind) => Ok(behind),
            None => Ok(Some((0, store.last_seq().await?.0))),
        }
    }

    /// Looks at it, or changes it; `None` where nothing is followed.
    pub fn with<T>(&self, look: impl FnOnce(&mut Following) -> T) -> Option<T> {
        self.at().as_mut().map(look)
    }
}
