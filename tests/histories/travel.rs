//! An environment whose server is another one for a while: the same at another address, which a person adopts, or a copy.

use std::sync::Arc;

use skydeck::domain::command::{Command, Receipt};
use skydeck::domain::server::Server;
use skydeck::engine::ports::Erp;

use super::{Around, Story};
use crate::engine_support::server;

/// Where the environment's server is.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Place {
    Home,
    /// The same at another address, which nobody has adopted yet.
    Unadopted,
    /// Another one.
    Elsewhere,
}

impl<A: Around> Story<A> {
    /// The environment is on another server at the next start, or on its own again.
    pub(super) fn travel(&mut self) {
        let bound = || self.bench.store.server_of(&self.around.moving()).unwrap();
        match (self.place, bound()) {
            (Place::Home, Some(home)) if self.mix.moves && self.rng.u32(0..3) == 0 => {
                self.happened.moves += 1;
                self.addresses += 1;
                let there = format!("http://erp{}.invalid/k3cloud", self.addresses);
                let (address, set, copy) = match self.rng.u32(0..3) {
                    0 => (home.server.address.clone(), "1", true),
                    1 => (there, home.server.account_set.as_str(), true),
                    _ => (there, home.server.account_set.as_str(), false),
                };
                self.place = if copy { Place::Elsewhere } else { Place::Unadopted };
                let elsewhere = copy.then(|| self.around.client_elsewhere());
                self.is_at(server(&address, set), elsewhere);
                let words = if copy { "a copy of the bills" } else { "the same bills" };
                self.say(format!("the environment is on {address} ({set}) now: {words}"));
            }
            (Place::Elsewhere, Some(_)) if self.rng.bool() => self.go_home(),
            _ => {}
        }
    }

    /// Whether it is an environment beside the bench's own that moves.
    pub(super) fn moves_beside(&self) -> bool {
        self.around.moving() != self.bench.env.id
    }

    /// The environment that moves is here from the next start on; `elsewhere`: its client, on another server.
    fn is_at(&mut self, server: Server, elsewhere: Option<Arc<dyn Erp>>) {
        if self.moves_beside() {
            self.beside_at = Some((server, elsewhere));
            return;
        }
        self.bench.env.server = server;
        if elsewhere.is_some() {
            self.bench.erp = elsewhere;
        }
    }

    pub(super) fn go_home(&mut self) {
        if let Some(home) = self.bench.store.server_of(&self.around.moving()).unwrap() {
            self.is_at(home.server, None);
            self.place = Place::Home;
            self.say("the environment is on its own server again");
        }
    }

    /// A person says that the new address is right; only where it is.
    pub(super) async fn adopt(&mut self) {
        if self.place == Place::Unadopted {
            let (env, reason) = (self.around.moving(), "it has moved".to_owned());
            let receipt = self.order(Command::AdoptServer { env, reason }).await;
            assert!(matches!(receipt, Receipt::Accepted { .. }), "{receipt:?}");
            self.place = Place::Home;
        }
    }

    /// An environment beside the bench's own is where it was moved to.
    pub(super) fn move_beside(&mut self) {
        let moving = self.around.moving();
        if let Some((server, elsewhere)) = &self.beside_at
            && let Some((env, erp)) = self.bench.behind.iter_mut().find(|(env, _)| env.id == moving)
        {
            env.server = server.clone();
            if let Some(there) = elsewhere {
                *erp = Arc::clone(there);
            }
        }
    }
}
