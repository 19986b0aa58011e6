//! What an environment shares with the other machines of a store: turns to call, a server's wish for a pause, and why none are made.
//!
//! Invariant: where several machines write, no call leaves without a turn among the calls of all of them.

use std::sync::Arc;
use std::time::Duration;

use skydeck_core::domain::reason::Reason;
use skydeck_store::hosts::{CallTurn, Hosts, Pace, Place};
use skydeck_store::{Store, StoreError};

use super::Dispatch;

/// Until a store that did not answer is asked for a turn again.
const AGAIN: Duration = Duration::from_secs(1);

/// A reason as it is kept; what a later program said is kept as it came.
fn reason_of(text: &str) -> Reason {
    serde_json::from_str(text).unwrap_or_else(|_| Reason::Legacy { said: text.to_owned() })
}

impl Dispatch {
    /// Several machines call this environment's server: the store says who may.
    pub fn share(&self, store: &Arc<dyn Store>) {
        if store.hosts().is_some() {
            // Said once, by the engine that starts.
            let _ = self.store.set(Arc::clone(store));
        }
    }

    fn machines(&self) -> Option<&dyn Hosts> {
        self.store.get()?.hosts()
    }

    /// Waits for a turn among the calls of all machines. `Err`: nobody calls; the breaker is open now.
    pub(super) async fn turn_of_all(&self) -> Result<Option<Box<dyn Place>>, ()> {
        let Some(hosts) = self.machines() else { return Ok(None) };
        loop {
            let now = self.clock.mono();
            let pace = {
                let mut state = self.lock();
                let (per_minute, burst) = state.bucket.pace(now);
                Pace { per_minute, burst, concurrency: state.concurrency, settle: self.env.limits.settle }
            };
            match hosts.call_turn(&self.env.id, pace).await {
                Ok(CallTurn::Now(place)) => return Ok(Some(place)),
                Ok(CallTurn::Wait(span)) => tokio::time::sleep(span).await,
                Ok(CallTurn::Held(why)) => {
                    self.lock().breaker.open(reason_of(&why));
                    return Err(());
                }
                Err(error) => {
                    tracing::warn!(env = %self.env.id, %error, "the store gives no turn to call");
                    tokio::time::sleep(AGAIN).await;
                }
            }
        }
    }

    /// Nobody else calls either, before a person says so.
    pub fn hold_all(&self, why: &Reason) {
        if let (Some(hosts), Ok(text)) = (self.machines(), serde_json::to_string(why)) {
            hosts.hold_calls(&self.env.id, text);
        }
    }

    /// The server asked for a pause: it is every machine's.
    pub(super) fn pause_all(&self, span: Duration) {
        if let Some(hosts) = self.machines() {
            hosts.pause_calls(&self.env.id, span);
        }
    }

    /// Why nobody calls, here or on another machine.
    pub async fn why_held(&self) -> Result<Option<Reason>, StoreError> {
        if let Some(why) = self.breaker() {
            return Ok(Some(why));
        }
        let Some(hosts) = self.machines() else { return Ok(None) };
        Ok(hosts.held_calls(&self.env.id).await?.map(|why| reason_of(&why)))
    }

    /// An operator lets writing go on, on every machine.
    pub async fn let_all(&self) -> Result<(), StoreError> {
        if let Some(hosts) = self.machines() {
            hosts.let_calls(&self.env.id).await?;
        }
        self.lock().breaker.close();
        Ok(())
    }
}
