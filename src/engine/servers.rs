//! Which server an environment's records are on: bound once, compared before anything is written.
//!
//! Invariant: no write leaves for another server than the one a run was read from; the same account set at another address
//! is adopted by a person, another account set never.

use crate::domain::command::Refusal;
use crate::domain::event::Event;
use crate::domain::ids::EnvId;
use crate::domain::reason::Reason;
use crate::domain::server::{Same, ServerBound};
use crate::domain::who::Who;

use super::Inner;
use super::control::read;
use super::guard::About;
use super::orders::Taken;
use super::steer::written;

impl Inner {
    /// A person says that an environment's records are on the server it is configured with now.
    pub(super) async fn adopt_server(&self, env: &EnvId, reason: &str, by: &Who) -> Result<Taken, Refusal> {
        let dispatch = self.env(env)?;
        let reason = written(reason, "adopt_server")?;
        let (is, asked) = (dispatch.server(), env.clone());
        let was = read(&self.shared.store, move |s| s.server_of(&asked)).await?.map(|bound| bound.server);
        match was.as_ref().map(|was| was.same(&is)) {
            Some(Same::Yes) => return Err(Refusal::Nothing(Reason::ServerKnown { env: env.clone(), is })),
            Some(Same::Other) => {
                let was = was.unwrap_or_default();
                return Err(Refusal::Denied(Reason::OtherAccountSet { env: env.clone(), was, is }));
            }
            Some(Same::Moved) | None => {}
        }
        let note = is.to_string();
        let bound = ServerBound { env: env.clone(), server: is, was, by: by.clone(), reason: Some(reason.clone()) };
        let about = About { env: Some(env.clone()), ..About::default() };
        let events = vec![Event::ServerBound(Box::new(bound))];
        Ok(Taken { events, note, reason: Some(reason), about, ..Taken::default() })
    }
}
