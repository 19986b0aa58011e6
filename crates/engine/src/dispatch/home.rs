//! Which server the records are on, and who else writes there.

use std::sync::{Arc, Weak};

use super::Dispatch;
use skydeck_core::domain::command::Refusal;
use skydeck_core::domain::erp_clock::ErpClock;
use skydeck_core::domain::ids::EnvId;
use skydeck_core::domain::reason::Reason;
use skydeck_core::domain::run::RunHead;
use skydeck_core::domain::server::{Same, Server};
use skydeck_core::domain::time::Ts;

impl Dispatch {
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

    /// Refuses to go on with a run whose bills are on another server than the one that answers now.
    pub fn check_home(&self, head: &RunHead) -> Result<(), Refusal> {
        let (id, is) = (self.env.id.clone(), self.server());
        if self.home().is_none() {
            return Err(Refusal::Denied(Reason::ServerUnknown { env: id, is }));
        }
        if let Some(why) = self.astray() {
            return Err(Refusal::Denied(why));
        }
        match &head.server {
            // An address that a person adopted since is another one than the run's, and right.
            Some(was) if was.same(&is) == Same::Other => {
                Err(Refusal::Denied(Reason::OtherAccountSet { env: id, was: was.clone(), is }))
            }
            Some(_) | None => Ok(()),
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

    /// The clock of its ERP at a moment of ours, once an answer told it.
    pub fn erp_clock(&self, now: Ts) -> Option<ErpClock> {
        Some(ErpClock::at(now, self.erp.ahead()?, &self.env.server_zone.parse().ok()?))
    }

    /// The same beside an earlier one: as long as no answer told how far it is ahead, it is as far as it was.
    pub fn erp_clock_beside(&self, now: Ts, was: Option<&ErpClock>) -> Option<ErpClock> {
        let ahead = self.erp.ahead().or(was.map(|was| was.ahead))?;
        Some(ErpClock::at(now, ahead, &self.env.server_zone.parse().ok()?))
    }
}
