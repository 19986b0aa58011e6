//! The server a run's records live on.
//!
//! Invariant: never part of a key. An address that changes would hide calls that are still open; so it is data of the run
//! and of [`ServerBound`], compared before anything is written.

use serde::{Deserialize, Serialize};

use super::ids::EnvId;
use super::who::Who;

/// One database of one ERP server, as the configuration and the sign-in name it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Server {
    /// `scheme://host:port/path`, host in lower case, the port always written, no blank and no `/` at the end.
    #[serde(rename = "a")]
    pub address: String,
    /// Account set id (账套).
    #[serde(rename = "s")]
    pub account_set: String,
    /// Data centre's id, where the sign-in tells it; calls with signed headers are told none.
    #[serde(rename = "c", default, skip_serializing_if = "Option::is_none")]
    pub centre: Option<String>,
}

/// How a server relates to another one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Same {
    /// It is the same.
    Yes,
    /// The same account set answers at another address: a person may adopt it, with a reason.
    Moved,
    /// Another account set: its records have nothing to do with ours. It needs an environment of its own.
    Other,
}

impl Server {
    /// Compares two servers. A centre that one of the two was not told decides nothing.
    pub fn same(&self, other: &Self) -> Same {
        let centre = match (&self.centre, &other.centre) {
            (Some(ours), Some(theirs)) => ours == theirs,
            (None, None | Some(_)) | (Some(_), None) => true,
        };
        if self.account_set != other.account_set || !centre {
            Same::Other
        } else if self.address == other.address {
            Same::Yes
        } else {
            Same::Moved
        }
    }
}

impl Server {
    /// Its name, with the data centre where nothing else tells it from the other one.
    pub fn beside(&self, other: &Self) -> String {
        match &self.centre {
            Some(centre) if self.to_string() == other.to_string() => {
                format!("{} ({}, {centre})", self.address, self.account_set)
            }
            Some(_) | None => self.to_string(),
        }
    }
}

impl std::fmt::Display for Server {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} ({})", self.address, self.account_set)
    }
}

/// An environment was bound to a server: by the engine where nothing was open, else by a person.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ServerBound {
    /// Environment.
    #[serde(rename = "e")]
    pub env: EnvId,
    /// The server it is from now on.
    #[serde(rename = "s")]
    pub server: Server,
    /// The one it was before.
    #[serde(rename = "o", default, skip_serializing_if = "Option::is_none")]
    pub was: Option<Server>,
    /// Who.
    #[serde(rename = "w")]
    pub by: Who,
    /// Why, when a person did it.
    #[serde(rename = "y", default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn server(address: &str, account_set: &str, centre: Option<&str>) -> Server {
        Server { address: address.into(), account_set: account_set.into(), centre: centre.map(str::to_owned) }
    }

    #[test]
    fn an_address_may_move_and_an_account_set_may_not() {
        let base = server("https://a.invalid:443/k3cloud", "60aa", Some("1"));
        for (other, want) in [
            (base.clone(), Same::Yes),
            (server("https://a.invalid:443/k3cloud", "60aa", None), Same::Yes),
            (server("https://b.invalid:443/k3cloud", "60aa", Some("1")), Same::Moved),
            (server("https://b.invalid:443/k3cloud", "60aa", None), Same::Moved),
            (server("https://a.invalid:443/k3cloud", "60ab", Some("1")), Same::Other),
            (server("https://a.invalid:443/k3cloud", "60aa", Some("2")), Same::Other),
            (server("https://b.invalid:443/k3cloud", "60ab", None), Same::Other),
        ] {
            assert_eq!(base.same(&other), want, "{other}");
            assert_eq!(other.same(&base), want, "{other}");
        }
    }

    #[test]
    fn two_servers_are_never_told_by_one_name() {
        let one = server("https://a.invalid:443/k3cloud", "60aa", Some("1"));
        let copy = Server { centre: Some("2".into()), ..one.clone() };
        assert_eq!(one.beside(&copy), "https://a.invalid:443/k3cloud (60aa, 1)");
        assert_eq!(copy.beside(&one), "https://a.invalid:443/k3cloud (60aa, 2)");
        let other = Server { account_set: "60ab".into(), ..copy };
        assert_eq!(one.beside(&other), "https://a.invalid:443/k3cloud (60aa)");
    }
}
