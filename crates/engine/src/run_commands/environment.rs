//! Orders about an environment: its pace, its unlock, and read-only again.

use std::sync::Arc;

use crate::Inner;
use crate::command_outcome::{About, CommandOutcome, OnCommit, written};
use crate::dispatch::Dispatch;
use skydeck_core::domain::access::Role;
use skydeck_core::domain::command::{Order, Refusal};
use skydeck_core::domain::env::Limits;
use skydeck_core::domain::ids::EnvId;
use skydeck_core::domain::reason::Reason;
use skydeck_core::domain::who::Who;

impl Inner {
    pub(crate) fn env(&self, env: &EnvId) -> Result<Arc<Dispatch>, Refusal> {
        let none = || Refusal::NotFound(Reason::NoEnvironment { env: env.clone() });
        self.shared.env(Some(env)).cloned().ok_or_else(none)
    }

    pub(crate) fn set_pace(
        &self,
        env: &EnvId,
        per_minute: Option<u32>,
        concurrency: Option<u32>,
        by: &Who,
    ) -> Result<CommandOutcome, Refusal> {
        let dispatch = self.env(env)?;
        if per_minute == Some(0) || concurrency == Some(0) {
            return Err(Refusal::WrongState(Reason::PaceZero {}));
        }
        if !Limits::is_pace(per_minute, concurrency) {
            let (per_minute, concurrency) = (Limits::MOST_PER_MINUTE, Limits::MOST_CONCURRENCY);
            return Err(Refusal::WrongState(Reason::PaceBeyond { per_minute, concurrency }));
        }
        let (limits, role) = (dispatch.limits(), self.shared.access.role(by.uid).unwrap_or(Role::Viewer));
        // Who answers for the environment wrote its limits down: going beyond them is that person's to say.
        let beyond =
            per_minute.is_some_and(|n| n > limits.per_minute) || concurrency.is_some_and(|n| n > limits.concurrency);
        if beyond && role < Role::Approver {
            let verb = "pace".to_owned();
            return Err(Refusal::Denied(Reason::NotAllowed { verb, role, needed: Role::Approver }));
        }
        let pace = [per_minute.map(|n| format!("{n} a minute")), concurrency.map(|n| format!("{n} at a time"))];
        let note = format!("{env}: {}", pace.into_iter().flatten().collect::<Vec<_>>().join(", "));
        let on_commit: OnCommit = Box::new(move |inner| {
            dispatch.set_pace(per_minute, concurrency);
            inner.tasks.stirred.notify_one();
        });
        let about = About { env: Some(env.clone()), ..About::default() };
        Ok(CommandOutcome { note, on_commit: Some(on_commit), about, ..CommandOutcome::default() })
    }

    /// Unlocks one environment for one console: what the same console had unlocked before is read-only again.
    pub(crate) fn unlock(&self, env: &EnvId, reason: &str, order: &Order) -> Result<CommandOutcome, Refusal> {
        let dispatch = self.env(env)?;
        if dispatch.env.always_read_only {
            return Err(Refusal::Denied(Reason::AlwaysReadOnly { env: env.clone() }));
        }
        let (reason, who, session) = (written(reason, "unlock")?, order.by.clone(), order.session);
        let on_commit: OnCommit = Box::new(move |inner| {
            for other in inner.shared.envs.iter().filter(|other| other.env.id != dispatch.env.id) {
                if session.is_some_and(|session| other.left(session)) {
                    inner.relocked(other.env.id.clone(), "the same console unlocked another environment");
                }
            }
            let turn = dispatch.unlock(session, who);
            inner.tasks.stirred.notify_one();
            // Weak: an unlock must not keep an engine alive.
            let owner = Arc::downgrade(inner);
            inner.tasks.spawn(async move {
                let why = dispatch.guard_unlock(turn).await;
                if let (Some(why), Some(inner)) = (why, owner.upgrade()) {
                    inner.relocked(dispatch.env.id.clone(), why);
                }
            });
        });
        let about = About { env: Some(env.clone()), ..About::default() };
        Ok(CommandOutcome {
            reason: Some(reason),
            note: env.to_string(),
            on_commit: Some(on_commit),
            about,
            ..CommandOutcome::default()
        })
    }

    /// An unlock ended by itself: said to everybody, and logged.
    pub(crate) fn relocked(self: &Arc<Self>, env: EnvId, why: &'static str) {
        tracing::warn!(%env, why, "writing is locked again");
        self.tasks.stirred.notify_one();
        self.tasks.spawn(Arc::clone(self).log_own("lock", env, why.to_owned()));
    }

    pub(crate) fn relock(&self, env: &EnvId) -> Result<CommandOutcome, Refusal> {
        let dispatch = self.env(env)?;
        let on_commit: OnCommit = Box::new(move |inner| {
            dispatch.relock();
            inner.tasks.stirred.notify_one();
        });
        let about = About { env: Some(env.clone()), ..About::default() };
        Ok(CommandOutcome { note: env.to_string(), on_commit: Some(on_commit), about, ..CommandOutcome::default() })
    }
}
