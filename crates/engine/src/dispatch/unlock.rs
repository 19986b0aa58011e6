//! Whether writing is allowed: leave for one verb, and unlocks that end.

use std::time::Duration;

use super::Dispatch;
use crate::permit::{self, Standing};
use crate::ports::WriteToken;
use skydeck_core::domain::command::Refusal;
use skydeck_core::domain::ids::SessionId;
use skydeck_core::domain::reason::Reason;
use skydeck_core::domain::step::Verb;
use skydeck_core::domain::time::{Clock, Ts};
use skydeck_core::domain::who::Who;

/// How often an unlock is looked after.
const UNLOCK_LOOK: Duration = Duration::from_secs(1);
/// A longer silence of the process ends an unlock (docs/design/access.md#write-tokens).
const GAP: Duration = Duration::from_secs(5);

/// Writing is allowed in a read-only environment, for now.
pub(super) struct Unlock {
    /// Which one.
    turn: u64,
    /// Its end, monotonic and wall.
    end: (Duration, Ts),
    /// The console that asked for it.
    by: Option<SessionId>,
    /// Who sits there.
    who: Who,
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

impl Dispatch {
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
    pub fn unlock(&self, by: Option<SessionId>, who: Who) -> u64 {
        let seen = (self.clock.mono(), self.clock.now());
        let end = (seen.0 + permit::UNLOCK, seen.1.plus(permit::UNLOCK));
        let mut state = self.lock();
        state.unlocks += 1;
        let turn = state.unlocks;
        state.unlocked = Some(Unlock { turn, end, by, who, seen });
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
        self.unlocked().map(|(until, _)| until)
    }

    /// The same, and who unlocked it.
    pub fn unlocked(&self) -> Option<(Ts, Who)> {
        // Not taken away here: its guard says why it ended.
        let state = self.lock();
        let unlock = state.unlocked.as_ref().filter(|unlock| unlock.over(&*self.clock).is_none())?;
        Some((unlock.end.1, unlock.who.clone()))
    }
}
