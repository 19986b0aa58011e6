//! The server a run's records live on.
//!
//! Invariant: never part of a key. An address that changes would hide calls that are still open; so it is data of the run
//! and of [`ServerBound`], compared before anything is written.

use std::net::IpAddr;

use serde::{Deserialize, Serialize};

use super::ids::EnvId;
use super::who::Who;

/// One database of one ERP server, as the configuration and the sign-in name it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Server {
    /// `scheme://host:port/path`, as [`canonical`] writes it; one of an earlier version may be written otherwise.
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
        } else if canonical(&self.address) == canonical(&other.address) {
            Same::Yes
        } else {
            Same::Moved
        }
    }
}

impl Server {
    /// Whether what is written there is written to one database: the same server, or another name of it, where both
    /// sign-ins tell the same data centre.
    pub fn shares_database(&self, other: &Self) -> bool {
        let one_centre = self.centre.is_some() && self.centre == other.centre;
        self.same(other) == Same::Yes || (one_centre && self.account_set == other.account_set)
    }

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

/// What every name and address of this machine is compared as.
const HERE: &str = "127.0.0.1";

/// An address in the one form in which two are compared: letters in lower case, because the server is an IIS, which does not
/// tell `K3Cloud` from `k3cloud`; an IPv4 address the same when it is written as one of IPv6; this machine by one name; of the
/// path no escape that stands for a plain sign, and no empty part.
pub fn canonical(address: &str) -> String {
    let Some((scheme, rest)) = address.split_once("://") else { return address.to_owned() };
    let (authority, path) = rest.split_once('/').unwrap_or((rest, ""));
    let (host, port) = match authority.rsplit_once(':') {
        Some((host, port)) if !port.ends_with(']') => (host, format!(":{port}")),
        Some(_) | None => (authority, String::new()),
    };
    let parts = unescaped(path).to_ascii_lowercase();
    let parts: Vec<&str> = parts.split('/').filter(|part| !part.is_empty()).collect();
    let path = if parts.is_empty() { String::new() } else { format!("/{}", parts.join("/")) };
    format!("{}://{}{port}{path}", scheme.to_ascii_lowercase(), canonical_host(host))
}

fn canonical_host(host: &str) -> String {
    let host = host.trim_end_matches('.').to_ascii_lowercase();
    match host.trim_matches(['[', ']']).parse::<IpAddr>().map(|ip| ip.to_canonical()) {
        Ok(ip) if ip.is_loopback() => HERE.to_owned(),
        Ok(IpAddr::V4(ip)) => ip.to_string(),
        Ok(IpAddr::V6(ip)) => format!("[{ip}]"),
        Err(_) if is_name_of_here(&host) => HERE.to_owned(),
        Err(_) => host,
    }
}

/// Names that systems give to this machine by themselves.
fn is_name_of_here(host: &str) -> bool {
    let known = ["localhost", "localhost.localdomain", "localhost4", "localhost6", "ip6-localhost", "ip6-loopback"];
    known.contains(&host) || host.ends_with(".localhost")
}

/// A path without escapes of letters, digits and `-._~`: they say the same as the signs themselves.
fn unescaped(path: &str) -> String {
    let mut out = String::with_capacity(path.len());
    let mut rest = path;
    while let Some((before, after)) = rest.split_once('%') {
        out.push_str(before);
        let sign = after.get(..2).and_then(|hex| u8::from_str_radix(hex, 16).ok()).map(char::from);
        if let Some(sign) = sign.filter(|sign| sign.is_ascii_alphanumeric() || "-._~".contains(*sign)) {
            out.push(sign);
            rest = after.get(2..).unwrap_or_default();
        } else {
            out.push('%');
            rest = after;
        }
    }
    out.push_str(rest);
    out
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
    fn one_address_has_one_form_also_where_an_earlier_version_wrote_another() {
        for (one, other) in [
            ("http://127.0.0.1:80/k3cloud", "http://[::ffff:127.0.0.1]:80/k3cloud"),
            ("http://127.0.0.1:80/k3cloud", "http://[::ffff:7f00:1]:80/k3cloud"),
            ("http://127.0.0.1:80/k3cloud", "http://[::1]:80/k3cloud"),
            ("http://127.0.0.1:80/k3cloud", "http://localhost:80/k3cloud"),
            ("http://127.0.0.1:80/k3cloud", "http://LocalHost.:80/k3cloud"),
            ("http://127.0.0.1:80/k3cloud", "http://erp.localhost:80/k3cloud"),
            ("http://203.0.113.7:80/k3cloud", "http://[::ffff:203.0.113.7]:80/k3cloud"),
            ("https://[2001:db8::1]:443/k3cloud", "https://[2001:0DB8:0::1]:443/K3Cloud"),
            ("http://a.invalid:80/k3cloud", "http://a.invalid:80//k3cl%6Fud/"),
            ("http://a.invalid:80/k3cloud/web", "http://a.invalid:80/%4b3cloud//web"),
            ("http://a.invalid:80", "http://a.invalid:80//"),
        ] {
            assert_eq!(server(one, "60aa", None).same(&server(other, "60aa", None)), Same::Yes, "{other}");
            assert_eq!(canonical(other), one);
            assert_eq!(canonical(one), one, "it is its own form");
        }
        for (one, other) in [
            ("http://a.invalid:80/k3cloud", "http://a.invalid:80/k3%2Fcloud"),
            ("http://a.invalid:80/k3%2Fcloud", "http://a.invalid:80/k3/cloud"),
            ("http://a.invalid:80/k3cl%6", "http://a.invalid:80/k3clo"),
            ("http://127.0.0.1:80/k3cloud", "http://127.0.0.1:81/k3cloud"),
            ("http://localhost.invalid:80/k3cloud", "http://localhost:80/k3cloud"),
            ("http://[2001:db8::1]:80/k3cloud", "http://[2001:db8::2]:80/k3cloud"),
        ] {
            assert_ne!(canonical(one), canonical(other), "{other}");
        }
        assert_eq!(canonical("written by hand"), "written by hand");
    }

    #[test]
    fn a_data_centre_tells_one_database_by_whatever_name() {
        let of = |address: &str, set: &str, centre: Option<&str>| server(address, set, centre);
        let base = of("https://a.invalid:443/k3cloud", "60aa", Some("1"));
        for (other, shares) in [
            (of("https://b.invalid:443/k3cloud", "60aa", Some("1")), true),
            (of("https://b.invalid:443/k3cloud", "60aa", Some("2")), false),
            (of("https://b.invalid:443/k3cloud", "60ab", Some("1")), false),
            (of("https://b.invalid:443/k3cloud", "60aa", None), false),
            (of("https://a.invalid:443/K3cloud", "60aa", None), true),
            (of("https://a.invalid:443/k3cloud", "60aa", Some("2")), false),
        ] {
            assert_eq!((base.shares_database(&other), other.shares_database(&base)), (shares, shares), "{other:?}");
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
