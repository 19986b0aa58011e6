//! Which server an environment's records are on: bound once, compared before anything is read for a run or written.
//!
//! Invariant: no run reads or writes on another server than the one its bills were found on. The same account set at
//! another address is adopted by a person, another account set never.

use std::sync::Arc;

use skydeck_core::domain::bill::Slot;
use skydeck_core::domain::command::Refusal;
use skydeck_core::domain::event::Event;
use skydeck_core::domain::filter::{Filter, Key, Term, Test};
use skydeck_core::domain::ids::EnvId;
use skydeck_core::domain::reason::Reason;
use skydeck_core::domain::server::{Same, Server, ServerBound};
use skydeck_core::domain::time::Ts;
use skydeck_core::domain::who::Who;
use skydeck_store::{Store, StoreError};

use super::Inner;
use super::command_outcome::{About, CommandOutcome, OnCommit, written};
use super::control::Shared;
use super::dispatch::Dispatch;
use super::recover;
use super::select::Matching;

impl Shared {
    /// Brings to mind which servers the environments were bound to.
    pub(super) async fn remember_servers(&self) -> Result<(), StoreError> {
        for env in &self.envs {
            let id = env.env.id.clone();
            if let Some(bound) = self.store.server_of(&id).await? {
                env.bind(bound.server);
            }
            if let Some(why) = env.astray() {
                tracing::warn!(env = %env.env.id, %why, "nothing is read or written there for runs");
            }
            if let Some(other) = env.twin() {
                let why = Reason::SameServer { env: env.env.id.clone(), other };
                tracing::warn!(env = %env.env.id, %why, "nothing is written there");
            }
        }
        Ok(())
    }

    /// Refuses to open a run in an environment that is on another server than its records; or, where nobody ever said, one
    /// of which something is still open. A free one is bound by the run.
    pub(super) async fn may_open(&self, env: &Dispatch) -> Result<(), Refusal> {
        match self.held(env).await? {
            Some(why) => Err(Refusal::Denied(why)),
            None => Ok(()),
        }
    }

    /// Why the server that answers now is not known to be the one the environment's records are on.
    pub(super) async fn held(&self, env: &Dispatch) -> Result<Option<Reason>, StoreError> {
        if env.home().is_some() {
            return Ok(env.astray());
        }
        let (id, now) = (env.env.id.clone(), self.clock.now());
        let open = is_open(self.store.as_ref(), &id, now).await?;
        Ok(open.then(|| Reason::ServerUnknown { env: env.env.id.clone(), is: env.server() }))
    }

    /// The fact that the engine bound an environment by itself.
    pub(super) fn bound(&self, env: &Dispatch, server: &Server, was: Option<Server>) -> Event {
        let by = Who::engine(self.owner);
        let bound = ServerBound { env: env.env.id.clone(), server: server.clone(), was, by, reason: None };
        Event::ServerBound(Box::new(bound))
    }

    /// The first sign-in that tells a data centre adds it to what the environment is bound to.
    pub(super) async fn learn_centre(&self, env: &Dispatch) -> Result<(), StoreError> {
        let (Some(home), Some(centre)) = (env.home(), env.erp.centre()) else { return Ok(()) };
        if home.centre.is_some() {
            return Ok(());
        }
        let server = Server { centre: Some(centre), ..home.clone() };
        self.ledger.append(vec![self.bound(env, &server, Some(home))]).await?;
        env.bind(server);
        Ok(())
    }
}

/// The environments among these that nobody has bound yet, and what they are configured with.
pub(super) fn unbound<'a>(envs: impl Iterator<Item = &'a Arc<Dispatch>>) -> Vec<(Arc<Dispatch>, Server)> {
    let mut free: Vec<(Arc<Dispatch>, Server)> = Vec::new();
    for env in envs.filter(|env| env.home().is_none()) {
        if free.iter().all(|(known, _)| known.env.id != env.env.id) {
            free.push((Arc::clone(env), env.server()));
        }
    }
    free
}

/// Whether a run of an environment is open, or a bill of it unknown.
async fn is_open(store: &dyn Store, env: &EnvId, now: Ts) -> Result<bool, StoreError> {
    if store.open_runs().await?.iter().any(|row| row.head.env == *env) {
        return Ok(true);
    }
    let unknown = Test::Is(Key::Status, vec![Slot::Unknown.word().to_owned()]);
    let filter = Filter { terms: vec![Term { not: false, test: unknown }] };
    let mut unknown = Matching::new(store, &filter, now);
    while let Some(rows) = unknown.next().await? {
        if rows.iter().any(|row| row.record().env == *env) {
            return Ok(true);
        }
    }
    Ok(false)
}

impl Inner {
    /// A person says that an environment's records are on the server it is configured with now.
    pub(super) fn adopt_server(&self, env: &EnvId, reason: &str, by: &Who) -> Result<CommandOutcome, Refusal> {
        let dispatch = self.env(env)?;
        let reason = written(reason, "adopt_server")?;
        let (is, was) = (dispatch.server(), dispatch.home());
        match was.as_ref().map(|was| was.same(&is)) {
            Some(Same::Yes) => return Err(Refusal::Nothing(Reason::ServerKnown { env: env.clone(), is })),
            Some(Same::Other) => {
                let was = was.unwrap_or_default();
                return Err(Refusal::Denied(Reason::OtherAccountSet { env: env.clone(), was, is }));
            }
            Some(Same::Moved) | None => {}
        }
        // What was known of the data centre stays known where the new address has not told it yet.
        let centre = is.centre.clone().or_else(|| was.as_ref().and_then(|was| was.centre.clone()));
        let server = Server { centre, ..is };
        let note = match &was {
            Some(was) => format!("{was} → {server}"),
            None => server.to_string(),
        };
        let bound =
            ServerBound { env: env.clone(), server: server.clone(), was, by: by.clone(), reason: Some(reason.clone()) };
        let on_commit: OnCommit = Box::new(move |inner| {
            dispatch.bind(server);
            inner.tasks.stirred.notify_one();
            let (shared, owner) = (Arc::clone(&inner.shared), Arc::downgrade(inner));
            inner.tasks.spawn(async move {
                let Some(inner) = owner.upgrade() else { return };
                if let Err(error) = recover::read_on_in(&shared, &inner.tasks, &dispatch.env.id).await {
                    tracing::error!(env = %dispatch.env.id, %error, "what is unknown there could not be taken up");
                }
            });
        });
        let about = About { env: Some(env.clone()), ..About::default() };
        let events = vec![Event::ServerBound(Box::new(bound))];
        Ok(CommandOutcome {
            events,
            note,
            reason: Some(reason),
            on_commit: Some(on_commit),
            about,
            ..CommandOutcome::default()
        })
    }
}
