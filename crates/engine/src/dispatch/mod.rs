//! One environment as all runs share it: whose turn it is, how fast, whether writing is allowed, who is signed in.
//!
//! Invariant: calls in flight never exceed the limit, and one bill is in the hands of one run at a time.

mod call_permits;
mod home;
mod sessions;
mod shared;
mod unknown_fields;
mod unlock;

pub use call_permits::{CallPermit, Claim};
pub use sessions::Session;

use std::collections::{HashMap, HashSet, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError, Weak};
use std::time::Duration;

use tokio::sync::Notify;

use crate::breaker::{Breaker, Ended};
use crate::ports::Erp;
use crate::rate_limiter::Bucket;
use skydeck_core::domain::env::{Environment, Limits};
use skydeck_core::domain::ids::{Fid, FormId};
use skydeck_core::domain::live::{EnvPulse, Slowed};
use skydeck_core::domain::reason::Reason;
use skydeck_core::domain::server::Server;
use skydeck_core::domain::time::Clock;
use skydeck_store::Store;
use unlock::Unlock;

/// One environment.
pub struct Dispatch {
    /// What it is.
    pub env: Environment,
    /// Its client.
    pub erp: Arc<dyn Erp>,
    clock: Arc<dyn Clock>,
    state: Mutex<State>,
    changed: Notify,
    signing: tokio::sync::Mutex<()>,
    /// The other environments of this engine.
    others: OnceLock<Vec<Weak<Dispatch>>>,
    unknown_fields: unknown_fields::UnknownFields,
    /// The store of several machines.
    store: OnceLock<Arc<dyn Store>>,
}

struct State {
    /// The server that its records are on, once that was said.
    home: Option<Server>,
    bucket: Bucket,
    /// What the server asked for that is still felt.
    slowed: Option<Slowed>,
    breaker: Breaker,
    concurrency: u32,
    in_flight: u32,
    unlocked: Option<Unlock>,
    /// Unlocks so far.
    unlocks: u64,
    claims: HashSet<(FormId, Fid)>,
    /// Until when the server may still be at work on a request of this process that was not carried out for all we know, monotonic.
    at_work: HashMap<(FormId, Fid), Duration>,
    /// No call leaves before this, monotonic.
    quiet: Duration,
    /// When the limits that have passed were last taken out of it, monotonic.
    swept: Duration,
    losses: VecDeque<Duration>,
    signed_in: u64,
}

impl Dispatch {
    /// An environment with its client, at its configured pace.
    pub fn new(env: Environment, erp: Arc<dyn Erp>, clock: Arc<dyn Clock>) -> Arc<Self> {
        let state = State {
            home: None,
            bucket: Bucket::new(env.limits.per_minute, clock.mono()),
            slowed: None,
            breaker: Breaker::default(),
            concurrency: env.limits.concurrency.max(1),
            in_flight: 0,
            unlocked: None,
            unlocks: 0,
            claims: HashSet::new(),
            at_work: HashMap::new(),
            quiet: Duration::ZERO,
            swept: clock.mono(),
            losses: VecDeque::new(),
            signed_in: 0,
        };
        Arc::new(Self {
            env,
            erp,
            clock,
            state: Mutex::new(state),
            changed: Notify::new(),
            signing: tokio::sync::Mutex::new(()),
            others: OnceLock::new(),
            unknown_fields: unknown_fields::UnknownFields::default(),
            store: OnceLock::new(),
        })
    }

    /// Makes the environments of one engine known to each other.
    pub fn introduce(all: &[Arc<Self>]) {
        for one in all {
            let others = all.iter().filter(|other| other.env.id != one.env.id).map(Arc::downgrade);
            // Said once, by the engine that starts.
            let _ = one.others.set(others.collect());
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Limits.
    pub fn limits(&self) -> &Limits {
        &self.env.limits
    }

    /// Takes note of what came of a bill; the breaker may open.
    pub fn note(&self, ended: Ended) {
        let mut state = self.lock();
        let was_open = state.breaker.why().is_some();
        state.breaker.note(ended, &self.env.limits);
        let opened = state.breaker.why().filter(|_| !was_open).cloned();
        drop(state);
        if let Some(why) = opened {
            self.hold_all(&why);
        }
    }

    /// Opens the breaker.
    pub fn trip(&self, why: Reason) {
        self.hold_all(&why);
        self.lock().breaker.open(why);
    }

    /// Why the breaker is open, if it is.
    pub fn breaker(&self) -> Option<Reason> {
        self.lock().breaker.why().cloned()
    }

    /// The environment as the screen shows it.
    pub fn pulse(&self) -> EnvPulse {
        let (unlocked_until, unlocked_by) = self.unlocked().unzip();
        let mut state = self.lock();
        self.note_recovery(&mut state);
        EnvPulse {
            env: self.env.id.clone(),
            per_minute: state.bucket.allowed(),
            slowed: state.slowed.clone(),
            concurrency: state.concurrency,
            breaker: state.breaker.why().cloned(),
            session: self.erp.session(),
            unlocked_until,
            unlocked_by,
            ahead: self.erp.ahead(),
        }
    }
}
