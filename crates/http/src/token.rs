//! The token of an application: fetched once for all who need it, kept in memory, and fetched anew when it is out of date.
//!
//! Invariant: one fetch at a time; a token that the system did not know is fetched anew once, and never in a circle; it stands
//! in no debug print, no evidence and no file.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use secrecy::SecretString;

/// A token as it was given.
#[derive(Clone)]
pub(super) struct Held {
    /// Which fetch gave it.
    pub generation: u64,
    pub value: SecretString,
    /// Until when it is used, monotonic.
    until: Duration,
}

/// What a request is made with.
#[derive(Clone, Default)]
pub(super) struct Access {
    pub token: Option<Held>,
}

/// Keeps it.
#[derive(Default)]
pub(super) struct Keeper {
    held: Mutex<Option<Held>>,
    /// What the last one is renewed by, good once.
    renewing: Mutex<Option<SecretString>>,
    fetches: Mutex<u64>,
    /// One fetch at a time.
    pub fetching: tokio::sync::Mutex<()>,
}

/// A token is not used in its last part: what leaves now arrives later.
const LAST_PART: Duration = Duration::from_secs(30);

impl Keeper {
    /// The token, if it is good at this moment.
    pub fn live(&self, now: Duration) -> Option<Held> {
        let held = self.held.lock().unwrap_or_else(PoisonError::into_inner);
        held.as_ref().filter(|held| now < held.until).cloned()
    }

    /// What renews the last one; it is given once.
    pub fn renewal(&self) -> Option<SecretString> {
        self.renewing.lock().unwrap_or_else(PoisonError::into_inner).take()
    }

    /// Takes one that was given at this moment and is good for so long, with what renews it.
    pub fn take(&self, value: SecretString, renewing: Option<SecretString>, now: Duration, keeps: Duration) -> Held {
        *self.renewing.lock().unwrap_or_else(PoisonError::into_inner) = renewing;
        let mut fetches = self.fetches.lock().unwrap_or_else(PoisonError::into_inner);
        *fetches += 1;
        // One that is good for a moment only is good for half of it.
        let usable = keeps.saturating_sub(LAST_PART).max(keeps / 2);
        let held = Held { generation: *fetches, value, until: now.saturating_add(usable) };
        *self.held.lock().unwrap_or_else(PoisonError::into_inner) = Some(held.clone());
        held
    }

    /// The system does not know this one any more.
    pub fn lost(&self, generation: u64) {
        let mut held = self.held.lock().unwrap_or_else(PoisonError::into_inner);
        if held.as_ref().is_some_and(|held| held.generation == generation) {
            *held = None;
        }
    }
}
