//! Users that a server refused, known to every client of that server.
//!
//! Invariant: after a refusal no client tries this user there again by itself. Several environments often share one
//! integration user, and too many failed sign-ins lock it: the second environment must not repeat what the first was told.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use skydeck_engine::ports::Fault;

/// The server's address and the user. Not the account set: the same person with the same secret is usually behind the name
/// in all of them, and a lock that comes too late costs more than a sign-in that a person has to order.
type User = (String, String);

/// Refusals that stand, shared by the clients of one process.
#[derive(Default)]
pub struct Refusals {
    users: Mutex<HashMap<User, Fault>>,
}

impl Refusals {
    fn users(&self) -> MutexGuard<'_, HashMap<User, Fault>> {
        self.users.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// How the server refused this user, unless it has taken it since.
    pub(super) fn of(&self, address: &str, user: &str) -> Option<Fault> {
        self.users().get(&key(address, user)).cloned()
    }

    /// The server refuses this user.
    pub(super) fn refuse(&self, address: &str, user: &str, fault: &Fault) {
        let fault = Fault { evidence: None, ..fault.clone() };
        self.users().insert(key(address, user), fault);
    }

    /// The server took this user.
    pub(super) fn took(&self, address: &str, user: &str) {
        self.users().remove(&key(address, user));
    }
}

fn key(address: &str, user: &str) -> User {
    (address.to_owned(), user.trim().to_lowercase())
}
