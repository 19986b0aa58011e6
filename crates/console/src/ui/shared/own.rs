//! What this console did that it can undo, or that ends with it: its unlock, and what it took off the ledger last.
//!
//! Invariant: bounded: of a larger order no keys are kept, and that is said where it matters.

use std::collections::BTreeSet;

use skydeck_core::domain::ids::{EnvId, RunId, WorkKey};
use skydeck_core::domain::live::EnvPulse;
use skydeck_core::domain::time::Ts;

/// Most bills of one order that can be put back from here.
const KEPT: usize = 10_000;

/// What is this console's own.
#[derive(Clone, Debug, Default)]
pub(crate) struct Own {
    /// Runs opened by it.
    pub runs: BTreeSet<RunId>,
    /// It asked for this environment; the end of the unlock that stood before.
    asked: Option<(EnvId, Option<Ts>)>,
    /// What it unlocked, and until when.
    unlock: Option<(EnvId, Ts)>,
    /// The reason it gave when it closed entries of the ledger last.
    reason: Option<String>,
    /// The bills that were closed with it.
    resolved: BTreeSet<WorkKey>,
    /// They were more than are kept.
    many: bool,
    /// Runs that paused by themselves, and were told of.
    told: BTreeSet<RunId>,
}

impl Own {
    /// It asks to unlock; `stands`: until when another unlock stands now.
    pub fn asks_unlock(&mut self, env: EnvId, stands: Option<Ts>) {
        self.asked = Some((env, stands));
    }

    /// That was refused.
    pub fn not_unlocked(&mut self) {
        self.asked = None;
    }

    /// How environments stand now.
    pub fn pulse(&mut self, envs: &[EnvPulse]) {
        for pulse in envs {
            let Some(until) = pulse.unlocked_until else { continue };
            if self.asked.as_ref().is_some_and(|(env, before)| *env == pulse.env && *before != Some(until)) {
                self.unlock = Some((pulse.env.clone(), until));
                self.asked = None;
            }
        }
    }

    /// Whether the unlock with this end is this console's.
    pub fn is_unlock(&self, env: &EnvId, until: Option<Ts>) -> bool {
        self.unlock.as_ref().is_some_and(|(own, end)| own == env && Some(*end) == until)
    }

    /// Whether it was not told yet that a run paused by itself; it is now.
    pub fn is_news(&mut self, run: RunId) -> bool {
        self.told.insert(run)
    }

    /// A run is not paused by itself any more.
    pub fn goes_on(&mut self, run: RunId) {
        self.told.remove(&run);
    }

    /// It closes entries with this reason.
    pub fn resolves(&mut self, reason: &str) {
        (self.reason, self.many) = (Some(reason.to_owned()), false);
        self.resolved.clear();
    }

    /// An entry was closed with a reason: by this console where it is the one it gave.
    pub fn resolved(&mut self, key: &WorkKey, reason: &str) {
        if self.reason.as_deref() != Some(reason) {
            return;
        }
        self.many |= self.resolved.len() >= KEPT;
        if !self.many {
            self.resolved.insert(key.clone());
        }
    }

    /// An entry was put back.
    pub fn reopened(&mut self, key: &WorkKey) {
        self.resolved.remove(key);
    }

    /// The bills that it closed last, and can put back; none where they are too many.
    pub fn to_reopen(&self) -> Vec<WorkKey> {
        if self.many { Vec::new() } else { self.resolved.iter().cloned().collect() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pulse(env: &str, until: Option<Ts>) -> EnvPulse {
        EnvPulse {
            env: EnvId::new(env),
            per_minute: 60,
            slowed: None,
            concurrency: 1,
            breaker: None,
            session: String::new(),
            unlocked_until: until,
            unlocked_by: None,
            ahead: None,
        }
    }

    #[test]
    fn an_unlock_is_own_only_when_it_came_after_it_was_asked_for_here() {
        let (env, first, second) = (EnvId::new("prod"), Some(Ts(100)), Some(Ts(900)));
        let mut own = Own::default();
        own.pulse(&[pulse("prod", first)]);
        assert!(!own.is_unlock(&env, first), "somebody else's");
        own.asks_unlock(env.clone(), first);
        own.pulse(&[pulse("prod", first), pulse("test", second)]);
        assert!(!own.is_unlock(&env, first), "still the one before");
        own.pulse(&[pulse("prod", second)]);
        assert!(own.is_unlock(&env, second) && !own.is_unlock(&env, Some(Ts(901))));
        own.asks_unlock(env.clone(), second);
        own.not_unlocked();
        own.pulse(&[pulse("prod", Some(Ts(950)))]);
        assert!(!own.is_unlock(&env, Some(Ts(950))), "ours was refused");
    }
}
