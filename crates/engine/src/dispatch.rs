//! One environment as all runs share it: whose turn it is, how fast, whether writing is allowed, who is signed in.
//!
//! Invariant: calls in flight never exceed the limit, and one bill is in the hands of one run at a time.

use std::collections::{HashMap, HashSet, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError, Weak};
use std::time::Duration;

use tokio::sync::Notify;

use crate::ports::{Erp, Fault, WriteToken};
use skydeck_core::domain::command::Refusal;
use skydeck_core::domain::env::{Environment, Limits};
use skydeck_core::domain::erp_clock::ErpClock;
use skydeck_core::domain::ids::{EnvId, Fid, FormId, SessionId};
use skydeck_core::domain::live::{EnvPulse, SlowWhy, Slowed};
use skydeck_core::domain::reason::Reason;
use skydeck_core::domain::server::{Same, Server};
use skydeck_core::domain::step::Verb;
use skydeck_core::domain::time::{Clock, Ts};

use super::breaker::{Breaker, Ended};
use super::permit::{self, Standing};
use super::rate_limiter::Bucket;

/// Session losses within [`LOSS_WINDOW`], without a call done between them, after which signing in again is given up.
const LOSSES: usize = 3;
/// See [`LOSSES`].
const LOSS_WINDOW: Duration = Duration::from_secs(600);

/// How often an unlock is looked after.
const UNLOCK_LOOK: Duration = Duration::from_secs(1);
/// A longer silence of the process ends an unlock (docs/design/access.md#write-tokens).
const GAP: Duration = Duration::from_secs(5);

/// How often limits that have passed are forgotten.
const SWEEP: Duration = Duration::from_secs(1);

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

/// Writing is allowed in a read-only environment, for now.
struct Unlock {
    /// Which one.
    turn: u64,
    /// Its end, monotonic and wall.
    end: (Duration, Ts),
    /// The console that asked for it.
    by: Option<SessionId>,
    /// When this process was last seen to run, monotonic and wall.
    seen: (Duration, Ts),
}

impl Unlock {
    /// Why it is over, if it is: run out, or the process (or the machine) stood still and nobody knows who sits there now.
    fn over(&self, clock: &dyn Clock) -> Option<&'static str> {
        let (mono, wall) = (clock.mono(), clock.now());
        if mono >= self.end.0 {
            Some("its 15 minutes are over")
        } else if mono.saturating_sub(self.seen.0) > GAP || wall.since(self.seen.1) > GAP {
            Some("the process stood still for more than 5 s")
        } else {
            None
        }
    }
}

/// Leave to make one call now; gives its place back when dropped.
pub struct CallPermit {
    dispatch: Arc<Dispatch>,
}

impl CallPermit {
    /// The call was not made: its token goes back too.
    pub fn unused(self) {
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

/// What signing in again led to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Session {
    /// Signed in (by us, or by somebody while we waited for the lock).
    Back,
    /// Lost too often, or signing in failed.
    Lost(Reason),
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

    /// The server it is configured with, with the data centre its sign-in told.
    pub fn server(&self) -> Server {
        Server { centre: self.erp.centre(), ..self.env.server.clone() }
    }

    /// The server that its records are on, once that was said.
    pub fn home(&self) -> Option<Server> {
        self.lock().home.clone()
    }

    /// Its records are on this server: sign-ins must tell its data centre.
    pub fn bind(&self, home: Server) {
        if let Some(centre) = &home.centre {
            self.erp.expect(centre);
        }
        self.lock().home = Some(home);
    }

    /// Why what the server says now is not said of this environment's records, if it is not.
    pub fn astray(&self) -> Option<Reason> {
        let (is, env) = (self.server(), self.env.id.clone());
        let was = self.home()?;
        match was.same(&is) {
            Same::Yes => None,
            Same::Moved => Some(Reason::WrongServer { env, was, is }),
            Same::Other => Some(Reason::OtherAccountSet { env, was, is }),
        }
    }

    /// The server with its data centre: as a sign-in of this process told it, or one of an earlier process.
    fn database(&self) -> Server {
        let is = self.server();
        let known = || self.home().filter(|home| home.same(&is) == Same::Yes).and_then(|home| home.centre);
        let centre = is.centre.clone().or_else(known);
        Server { centre, ..is }
    }

    /// Another environment that writes to the same server and account set.
    pub fn twin(&self) -> Option<EnvId> {
        let others = self.others.get()?.iter().filter_map(Weak::upgrade);
        let is = self.database();
        let twin = |other: &Arc<Self>| self.env.may_write_beside(&other.env) && is.shares_database(&other.database());
        others.into_iter().find(twin).map(|other| other.env.id.clone())
    }

    /// Limits.
    pub fn limits(&self) -> &Limits {
        &self.env.limits
    }

    /// The clock of its ERP at a moment of ours, once an answer told it.
    pub fn erp_clock(&self, now: Ts) -> Option<ErpClock> {
        Some(ErpClock::at(now, self.erp.ahead()?, &self.env.server_zone.parse().ok()?))
    }

    /// The same beside an earlier one: as long as no answer told how far it is ahead, it is as far as it was.
    pub fn erp_clock_beside(&self, now: Ts, was: Option<&ErpClock>) -> Option<ErpClock> {
        let ahead = self.erp.ahead().or(was.map(|was| was.ahead))?;
        Some(ErpClock::at(now, ahead, &self.env.server_zone.parse().ok()?))
    }

    /// Waits for a place and a token. Dropping the future takes nothing.
    pub async fn turn(self: &Arc<Self>) -> CallPermit {
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
                            return CallPermit { dispatch: Arc::clone(self) };
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

    /// Leave to send one verb now.
    pub fn permit(&self, verb: &Verb) -> Result<WriteToken, Refusal> {
        let strayed = match self.home() {
            Some(_) => self.astray(),
            None => Some(Reason::ServerUnknown { env: self.env.id.clone(), is: self.server() }),
        };
        let standing = Standing { unlocked: self.unlocked_until().is_some(), strayed, twin: self.twin() };
        permit::allow(&self.env, standing, verb)
    }

    /// Allows writing in a read-only environment for a while, or until the console that asked for it is gone. Gives the
    /// unlock's number for [`Self::guard_unlock`].
    pub fn unlock(&self, by: Option<SessionId>) -> u64 {
        let seen = (self.clock.mono(), self.clock.now());
        let end = (seen.0 + permit::UNLOCK, seen.1.plus(permit::UNLOCK));
        let mut state = self.lock();
        state.unlocks += 1;
        let turn = state.unlocks;
        state.unlocked = Some(Unlock { turn, end, by, seen });
        turn
    }

    /// Looks after an unlock until it ends; why, where it ended by itself.
    pub async fn guard_unlock(&self, turn: u64) -> Option<&'static str> {
        loop {
            tokio::time::sleep(UNLOCK_LOOK).await;
            let mut state = self.lock();
            let unlock = state.unlocked.as_mut().filter(|unlock| unlock.turn == turn)?;
            if let Some(why) = unlock.over(&*self.clock) {
                state.unlocked = None;
                return Some(why);
            }
            unlock.seen = (self.clock.mono(), self.clock.now());
        }
    }

    /// A console is gone: what it unlocked is read-only again. Whether anything was.
    pub fn left(&self, session: SessionId) -> bool {
        let mut state = self.lock();
        let theirs = state.unlocked.as_ref().is_some_and(|unlock| unlock.by == Some(session));
        if theirs {
            state.unlocked = None;
        }
        theirs
    }

    /// Back to read-only at once.
    pub fn relock(&self) {
        self.lock().unlocked = None;
    }

    /// Until when writing is unlocked, if it is now.
    pub fn unlocked_until(&self) -> Option<Ts> {
        // Not taken away here: its guard says why it ended.
        self.lock().unlocked.as_ref().filter(|unlock| unlock.over(&*self.clock).is_none()).map(|unlock| unlock.end.1)
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
        self.changed.notify_waiters();
    }

    /// No call of any run leaves for so long: an answer of this server is in doubt.
    pub fn quiet(&self, span: Duration) {
        let end = self.clock.mono() + span;
        let mut state = self.lock();
        state.quiet = state.quiet.max(end);
    }

    /// Says that the configured pace is back, once.
    fn note_recovery(&self, state: &mut State) {
        if state.slowed.is_some() && !state.bucket.is_slowed(self.clock.mono()) {
            state.slowed = None;
            tracing::info!(env = %self.env.id, configured = state.bucket.configured(), "the configured pace is back");
        }
    }

    /// Takes note of an ended call; the breaker may open.
    pub fn note(&self, ended: Ended) {
        self.lock().breaker.note(ended, &self.env.limits);
    }

    /// Opens the breaker.
    pub fn trip(&self, why: Reason) {
        self.lock().breaker.open(why);
    }

    /// Why the breaker is open, if it is.
    pub fn breaker(&self) -> Option<Reason> {
        self.lock().breaker.why().cloned()
    }

    /// An operator lets writing go on.
    pub fn close_breaker(&self) {
        self.lock().breaker.close();
    }

    /// Which sign-in is in force; to be read before a call and given to [`Self::session_lost`] after it.
    pub fn signed_in(&self) -> u64 {
        self.lock().signed_in
    }

    /// Signs in once for all who found the session lost under the same sign-in.
    pub async fn session_lost(&self, under: u64) -> Result<Session, Fault> {
        let _one = self.signing.lock().await;
        let too_often = {
            let mut state = self.lock();
            if state.signed_in != under {
                return Ok(Session::Back);
            }
            let now = self.clock.mono();
            while state.losses.front().is_some_and(|at| now.saturating_sub(*at) > LOSS_WINDOW) {
                state.losses.pop_front();
            }
            state.losses.push_back(now);
            state.losses.len() >= LOSSES
        };
        // Refused here, or its user from another environment: signing in again is a person's order.
        if self.erp.refused() {
            return Ok(Session::Lost(Reason::SignInRefused { said: self.erp.session() }));
        }
        if too_often {
            return Ok(Session::Lost(Reason::SessionLost {
                times: LOSSES as u32,
                minutes: (LOSS_WINDOW.as_secs() / 60) as u32,
            }));
        }
        self.erp.sign_in().await?;
        self.lock().signed_in += 1;
        Ok(Session::Back)
    }

    /// A call was answered as done under the present sign-in: losses before it were cured.
    pub fn session_holds(&self) {
        self.lock().losses.clear();
    }

    /// Somebody orders work after the server had refused us (a password was mended, a licence freed): one sign-in, on
    /// purpose. Another refusal is said by the first call of the work.
    pub async fn knock(&self) {
        let _one = self.signing.lock().await;
        if self.erp.refused()
            && let Err(fault) = self.erp.sign_in().await
        {
            tracing::warn!(env = %self.env.id, %fault, "signing in again was refused");
        }
    }

    /// The environment as the screen shows it.
    pub fn pulse(&self) -> EnvPulse {
        let unlocked_until = self.unlocked_until();
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
            ahead: self.erp.ahead(),
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
