//! The one session a client has: its id, whether it lives, and whether the server refused us.
//!
//! Invariants: a loss told about an older session never drops a newer one; after a refusal nothing is tried until
//! somebody signs in on purpose; a login to another data centre than the one expected is none; ids never appear in `Debug`.

use std::sync::{Mutex, MutexGuard, PoisonError};

use super::transport::HttpReply;
use skydeck_engine::ports::Fault;

/// Which login a call was made under.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Generation(u64);

/// Session state, shared by all calls.
#[derive(Default)]
pub(super) struct Session {
    state: Mutex<State>,
    /// Held while a login is under way: one at a time.
    pub(super) login: tokio::sync::Mutex<()>,
}

#[derive(Default)]
struct State {
    id: Option<String>,
    /// The web server's own id, which some servers want back beside ours.
    asp: Option<String>,
    live: bool,
    generation: Generation,
    /// Why the server refuses us; answered to every call until somebody signs in on purpose.
    refused: Option<Fault>,
    /// Logins that ended, and how the last failed one did: those who waited for it share its end.
    ended: u64,
    last_fault: Option<Fault>,
    /// The data centre that sign-ins must tell, and the one the last of them told.
    expected: Option<String>,
    told: Option<String>,
}

impl Session {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The login that holds now.
    pub(super) fn live(&self) -> Option<Generation> {
        let state = self.state();
        state.live.then_some(state.generation)
    }

    /// The current generation, alive or not.
    pub(super) fn generation(&self) -> Generation {
        self.state().generation
    }

    /// Why nothing is tried.
    pub(super) fn refusal(&self) -> Option<Fault> {
        self.state().refused.clone()
    }

    /// How many logins have ended.
    pub(super) fn ended(&self) -> u64 {
        self.state().ended
    }

    /// How the login ended that somebody waited for since `seen`.
    pub(super) fn fault_since(&self, seen: u64) -> Option<Fault> {
        let state = self.state();
        (state.ended > seen).then(|| state.last_fault.clone()).flatten()
    }

    /// The data centre that the last login told.
    pub(super) fn centre(&self) -> Option<String> {
        self.state().told.clone()
    }

    /// Logins must tell this data centre.
    pub(super) fn expect(&self, centre: &str) {
        self.state().expected = Some(centre.to_owned());
    }

    /// Takes note of the data centre that a login tells; gives the one that was expected, where it is another one. The
    /// first one told is expected from then on.
    pub(super) fn other_than(&self, told: &str) -> Option<String> {
        let mut state = self.state();
        state.told = Some(told.to_owned());
        let expected = state.expected.get_or_insert_with(|| told.to_owned());
        (*expected != *told).then(|| expected.clone())
    }

    /// A login succeeded.
    pub(super) fn begin(&self, id: Option<String>) -> Generation {
        let mut state = self.state();
        state.generation.0 += 1;
        state.ended += 1;
        state.live = true;
        state.refused = None;
        state.last_fault = None;
        if let Some(id) = id.filter(|id| is_token(id)) {
            state.id = Some(id);
        }
        state.generation
    }

    /// A login failed for a reason that may pass.
    pub(super) fn failed(&self, fault: &Fault) {
        let mut state = self.state();
        state.ended += 1;
        state.last_fault = Some(fault.clone());
    }

    /// The server refuses us; nothing is tried any more.
    pub(super) fn refuse(&self, fault: &Fault) {
        let mut state = self.state();
        state.ended += 1;
        state.live = false;
        state.id = None;
        state.refused = Some(Fault { evidence: None, ..fault.clone() });
    }

    /// Somebody signs in on purpose: refusals and ids are forgotten, so that credentials are really looked at.
    pub(super) fn forget(&self) {
        let mut state = self.state();
        state.live = false;
        state.id = None;
        state.asp = None;
        state.refused = None;
        state.last_fault = None;
    }

    /// The session of `generation` is lost.
    pub(super) fn lost(&self, generation: Generation) {
        let mut state = self.state();
        if state.generation == generation {
            state.live = false;
            state.id = None;
        }
    }

    /// Takes over the ids a reply sets, unless a newer login has its own.
    pub(super) fn refresh(&self, generation: Generation, reply: &HttpReply) {
        let mut state = self.state();
        if state.generation != generation {
            return;
        }
        if let Some(id) = set_cookie(reply, "kdservice-sessionid") {
            state.id = Some(id);
        }
        if let Some(asp) = set_cookie(reply, "ASP.NET_SessionId") {
            state.asp = Some(asp);
        }
    }

    /// The headers that carry the session.
    pub(super) fn headers(&self) -> Vec<(String, String)> {
        let state = self.state();
        let Some(id) = &state.id else { return Vec::new() };
        let mut cookie = format!("kdservice-sessionid={id}");
        if let Some(asp) = &state.asp {
            cookie = format!("ASP.NET_SessionId={asp}; {cookie}");
        }
        vec![("kdservice-sessionid".to_owned(), id.clone()), ("Cookie".to_owned(), cookie)]
    }
}

/// A cookie's value from any `Set-Cookie`, also where several were merged into one header.
pub(super) fn set_cookie(reply: &HttpReply, name: &str) -> Option<String> {
    reply
        .headers
        .iter()
        .filter(|(header, _)| header.eq_ignore_ascii_case("set-cookie"))
        .flat_map(|(_, value)| value.split([';', ',']))
        .filter_map(|part| part.trim().split_once('='))
        .find(|(key, value)| key.trim().eq_ignore_ascii_case(name) && is_token(value))
        .map(|(_, value)| value.to_owned())
}

/// Whether a session id may stand in a header.
fn is_token(id: &str) -> bool {
    (1..=200).contains(&id.len()) && id.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_.{}+/=".contains(&b))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reply(cookies: &[&str]) -> HttpReply {
        let headers = cookies.iter().map(|c| ("Set-Cookie".to_owned(), (*c).to_owned())).collect();
        HttpReply { status: 200, headers, body: Vec::new() }
    }

    #[test]
    fn cookies_are_found_however_they_are_printed() {
        let merged =
            "kdservice-sessionid=0f1e-2d; expires=Thu, 28-Aug-2036 01:02:03 GMT; path=/, ASP.NET_SessionId=abc; path=/";
        for cookies in [vec!["kdservice-sessionid=0f1e-2d; path=/", "ASP.NET_SessionId=abc; HttpOnly"], vec![merged]] {
            let reply = reply(&cookies);
            assert_eq!(set_cookie(&reply, "kdservice-sessionid").as_deref(), Some("0f1e-2d"));
            assert_eq!(set_cookie(&reply, "asp.net_sessionid").as_deref(), Some("abc"));
        }
        assert_eq!(set_cookie(&reply(&["kdservice-sessionid=a b"]), "kdservice-sessionid"), None);
        assert_eq!(set_cookie(&reply(&["kdservice-sessionid="]), "kdservice-sessionid"), None);
    }

    #[test]
    fn a_late_loss_does_not_drop_a_newer_login() {
        let session = Session::default();
        let old = session.begin(Some("a".to_owned()));
        let new = session.begin(Some("b".to_owned()));
        session.lost(old);
        assert_eq!(session.live(), Some(new));
        session.refresh(old, &reply(&["kdservice-sessionid=stale"]));
        assert!(session.headers().contains(&("kdservice-sessionid".to_owned(), "b".to_owned())));
        session.lost(new);
        assert_eq!(session.live(), None);
        assert!(session.headers().is_empty());
    }
}
