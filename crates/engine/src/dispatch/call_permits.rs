//! Whose turn it is and how fast: leave to make a call, bills in the hands of one run, and the pace the server bears.

use std::sync::Arc;
use std::time::Duration;

use super::{Dispatch, State};
use skydeck_core::domain::ids::{Fid, FormId};
use skydeck_core::domain::live::{SlowWhy, Slowed};
use skydeck_store::hosts::Place;

/// How often limits that have passed are forgotten.
const SWEEP: Duration = Duration::from_secs(1);

/// Leave to make one call now; gives its place back when dropped.
pub struct CallPermit {
    dispatch: Arc<Dispatch>,
    /// Its place among the calls of all machines, where there are others.
    place: Option<Box<dyn Place>>,
}

impl CallPermit {
    /// The call was not made: its token goes back too.
    pub fn unused(mut self) {
        if let Some(place) = self.place.take() {
            place.unused();
        }
        self.dispatch.lock().bucket.give_back();
    }
}

impl Drop for CallPermit {
    fn drop(&mut self) {
        let mut state = self.dispatch.lock();
        state.in_flight = state.in_flight.saturating_sub(1);
        drop(state);
        self.dispatch.changed.notify_waiters();
    }
}

/// A bill in the hands of one run.
pub struct Claim {
    dispatch: Arc<Dispatch>,
    key: (FormId, Fid),
}

impl Drop for Claim {
    fn drop(&mut self) {
        self.dispatch.lock().claims.remove(&self.key);
    }
}

impl Dispatch {
    /// Waits for a place and a token, here and among all machines. Dropping the future takes nothing. `None`: nobody calls, the breaker
    /// is open now.
    pub async fn turn(self: &Arc<Self>) -> Option<CallPermit> {
        let mut permit = self.turn_here().await;
        if let Ok(place) = self.turn_of_all().await {
            permit.place = place;
            return Some(permit);
        }
        permit.unused();
        None
    }

    async fn turn_here(self: &Arc<Self>) -> CallPermit {
        loop {
            let changed = self.changed.notified();
            tokio::pin!(changed);
            changed.as_mut().enable();
            let wait = {
                let mut state = self.lock();
                self.note_recovery(&mut state);
                let now = self.clock.mono();
                if state.in_flight >= state.concurrency {
                    None
                } else if let Some(quiet) = state.quiet.checked_sub(now).filter(|left| !left.is_zero()) {
                    Some(quiet)
                } else {
                    match state.bucket.take(now) {
                        Ok(()) => {
                            state.in_flight += 1;
                            return CallPermit { dispatch: Arc::clone(self), place: None };
                        }
                        Err(wait) => Some(wait),
                    }
                }
            };
            match wait {
                Some(wait) => {
                    let _ = tokio::time::timeout(wait, changed).await;
                }
                None => changed.await,
            }
        }
    }

    /// Takes a bill into one run's hands, unless another has it.
    pub fn claim(self: &Arc<Self>, form: &FormId, fid: &Fid) -> Option<Claim> {
        let key = (form.clone(), fid.clone());
        self.lock().claims.insert(key.clone()).then(|| Claim { dispatch: Arc::clone(self), key })
    }

    /// A request leaves now: until its limit has passed the server may still apply it, whatever the wall clock says.
    pub fn leaves<'a>(&self, form: &FormId, fids: impl Iterator<Item = &'a Fid>) {
        let now = self.clock.mono();
        let mut state = self.lock();
        // Not at every call: what is left in it was not answered as carried out.
        if now.saturating_sub(state.swept) >= SWEEP {
            state.swept = now;
            state.at_work.retain(|_, end| *end > now);
        }
        let end = now + self.env.limits.settle;
        state.at_work.extend(fids.map(|fid| ((form.clone(), fid.clone()), end)));
    }

    /// A request was answered as carried out for these bills: the server is no longer at work on them.
    pub fn done_with<'a>(&self, form: &FormId, fids: impl Iterator<Item = &'a Fid>) {
        let mut state = self.lock();
        for fid in fids {
            state.at_work.remove(&(form.clone(), fid.clone()));
        }
    }

    /// When the limit of the last request of this process for a bill ends, if it has not yet.
    pub fn limit_of(&self, form: &FormId, fid: &Fid) -> Option<Duration> {
        self.lock().at_work.get(&(form.clone(), fid.clone())).copied()
    }

    /// Changes the pace.
    pub fn set_pace(&self, per_minute: Option<u32>, concurrency: Option<u32>) {
        let mut state = self.lock();
        if let Some(n) = per_minute {
            state.bucket.set(n, self.clock.mono());
        }
        if let Some(n) = concurrency {
            state.concurrency = n.max(1);
        }
        drop(state);
        self.changed.notify_waiters();
    }

    /// A call that left at `left`, monotonic, was answered, and the server did not ask to slow down.
    pub fn answered(&self, left: Duration) {
        let now = self.clock.mono();
        self.lock().bucket.answered(left, now);
    }

    /// The server asked to slow down, in the answer to a call that left at `left`, monotonic.
    pub fn slow_down(&self, wish: Option<Duration>, why: SlowWhy, left: Duration) {
        let (now, wall) = (self.clock.mono(), self.clock.now());
        let mut state = self.lock();
        let halved = state.bucket.slow_down(wish, left, now);
        let (held, full) = state.bucket.ends();
        let at = |end: Duration| wall.plus(end.saturating_sub(now));
        let slowed = Slowed { why, configured: state.bucket.configured(), held: at(held), full: at(full) };
        if halved {
            let (allowed, configured) = (state.bucket.allowed(), slowed.configured);
            let (pause, full) = (held.saturating_sub(now).as_secs(), full.saturating_sub(now).as_secs());
            let words = "the ERP asked to slow down: seconds without a call, and until the configured pace is back";
            tracing::warn!(env = %self.env.id, ?why, allowed, configured, pause, full, "{words}");
        }
        state.slowed = Some(slowed);
        drop(state);
        self.pause_all(held.saturating_sub(now));
        self.changed.notify_waiters();
    }

    /// No call of any run leaves for so long: an answer of this server is in doubt.
    pub fn quiet(&self, span: Duration) {
        let end = self.clock.mono() + span;
        let mut state = self.lock();
        state.quiet = state.quiet.max(end);
    }

    /// Says that the configured pace is back, once.
    pub(super) fn note_recovery(&self, state: &mut State) {
        if state.slowed.is_some() && !state.bucket.is_slowed(self.clock.mono()) {
            state.slowed = None;
            tracing::info!(env = %self.env.id, configured = state.bucket.configured(), "the configured pace is back");
        }
    }

    /// Calls in flight, at most.
    pub fn concurrency(&self) -> u32 {
        self.lock().concurrency
    }

    /// Calls in flight.
    pub fn in_flight(&self) -> u32 {
        self.lock().in_flight
    }
}
