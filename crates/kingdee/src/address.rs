//! Which addresses may be talked to, and what is wrong with a setting that cannot be used.
//!
//! Invariant: an address with credentials in it, or one that would carry them in clear over a network without that being allowed
//! by name, is refused before anything is sent; no message repeats it.

use std::net::IpAddr;
use std::time::Duration;

use reqwest::Url;

use skydeck_core::domain::server::{Server, canonical};

use super::pem_fault::PemFault;

/// A setting that cannot be used: what, and what would be right.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ConfigError {
    /// Not a URL.
    #[error("the address is not a URL ({0}): write it like https://erp.example.invalid/k3cloud/")]
    NotUrl(String),
    /// Not http or https.
    #[error("the address begins with {0}://: only https:// and http:// can be used")]
    Scheme(String),
    /// User or password inside the address.
    #[error("the address holds a user name or password: remove it; secrets have their own source, never the address")]
    Userinfo,
    /// Query or fragment.
    #[error("the address holds `?` or `#`: it must end with the server's path, like /k3cloud/")]
    Query,
    /// Plain HTTP to another machine.
    #[error(
        "http:// to {0} would carry the credentials and bills in clear over the network: use https://, \
         or set allow_plain_http = true in this environment"
    )]
    PlainHttp(String),
    /// The proxy's address.
    #[error("proxy: {0}; write it like http://proxy.example.invalid:3128")]
    Proxy(String),
    /// The connect limit does not fit into the call's.
    #[error(
        "limits.connect_timeout ({connect:?}) must be below limits.call_timeout ({call:?}): only a failed connect proves \
         that nothing was sent"
    )]
    Timeouts {
        /// Limit of connecting.
        connect: Duration,
        /// Limit of the call.
        call: Duration,
    },
    /// A certificate file cannot be used.
    #[error("{key} {path}: {reason}")]
    Pem {
        /// The setting that names it.
        key: &'static str,
        /// The file.
        path: String,
        /// Why not.
        reason: PemFault,
    },
    /// The second password is not one.
    #[error(
        "second_password: its first 24 characters take part in the signature and must be ASCII; it has fewer, or others"
    )]
    SecondPassword,
    /// The HTTP client cannot be made.
    #[error("the HTTP client cannot be made: {0}")]
    Client(String),
}

/// A checked server address.
#[derive(Clone, PartialEq, Eq)]
pub struct Address {
    /// As typed, with a trailing `/`: what signatures are made over.
    text: String,
    url: Url,
}

/// The server a configuration names. An address that cannot be used is compared as it is written, without a user name or
/// password that may stand in it: nothing is sent there.
pub fn server(address: &str, account_set: &str) -> Server {
    let written = || address.trim().rsplit('@').next().unwrap_or_default().to_owned();
    let canonical = Address::parse(address, true).map_or_else(|_| written(), |a| a.canonical());
    Server { address: canonical, account_set: account_set.trim().to_ascii_lowercase(), centre: None }
}

/// Whether what is sent to an address can be read on the network: plain HTTP to another machine.
pub fn is_in_clear(address: &str) -> bool {
    Address::parse(address, true).is_ok_and(|address| address.is_plain() && !address.is_here())
}

impl Address {
    /// The address in the one form in which two are compared, the port always written.
    pub fn canonical(&self) -> String {
        let host = self.url.host_str().unwrap_or_default();
        let port = self.url.port_or_known_default().unwrap_or_default();
        canonical(&format!("{}://{host}:{port}{}", self.url.scheme(), self.url.path()))
    }

    /// Checks an address. A name in an `http://` address is checked again when it is resolved (see [`Address::guards_names`]).
    pub fn parse(text: &str, allow_plain_http: bool) -> Result<Self, ConfigError> {
        let mut text = text.trim().to_owned();
        if !text.ends_with('/') && !text.contains(['?', '#']) {
            text.push('/');
        }
        // The parser's error does not echo its input.
        let url = Url::parse(&text).map_err(|e| ConfigError::NotUrl(e.to_string()))?;
        if !url.username().is_empty() || url.password().is_some() {
            return Err(ConfigError::Userinfo);
        }
        if url.query().is_some() || url.fragment().is_some() {
            return Err(ConfigError::Query);
        }
        match url.scheme() {
            "https" => {}
            "http" => {
                if let Some(ip) = literal(&url)
                    && !allow_plain_http
                    && !is_loopback(ip)
                {
                    return Err(ConfigError::PlainHttp(ip.to_string()));
                }
            }
            other => return Err(ConfigError::Scheme(other.to_owned())),
        }
        if url.host_str().is_none_or(str::is_empty) {
            return Err(ConfigError::NotUrl("no host".to_owned()));
        }
        Ok(Self { text, url })
    }

    /// The address for people.
    pub fn shown(&self) -> String {
        self.url.to_string()
    }

    /// The full URL of a service, as signatures see it.
    pub fn service_url(&self, service: &str) -> String {
        format!("{}{service}.common.kdsvc", self.text)
    }

    /// The path of a service as it goes on the request line.
    pub fn service_path(&self, service: &str) -> String {
        format!("{}{service}.common.kdsvc", self.url.path())
    }

    /// The URL a path of this server has.
    pub fn join(&self, path: &str) -> Result<Url, ConfigError> {
        self.url.join(path).map_err(|e| ConfigError::NotUrl(e.to_string()))
    }

    /// Whether the call is not encrypted.
    pub fn is_plain(&self) -> bool {
        self.url.scheme() == "http"
    }

    /// Whether it names this machine by number, or as `localhost`.
    pub fn is_here(&self) -> bool {
        is_here(&self.url)
    }

    /// Whether what its name resolves to must be this machine: plain HTTP that was not allowed by name.
    pub(super) fn guards_names(&self, allow_plain_http: bool) -> bool {
        self.is_plain() && !allow_plain_http && literal(&self.url).is_none()
    }
}

pub(super) fn is_here(url: &Url) -> bool {
    literal(url).map_or_else(|| url.host_str() == Some("localhost"), is_loopback)
}

fn literal(url: &Url) -> Option<IpAddr> {
    url.host_str().and_then(|host| host.trim_matches(['[', ']']).parse().ok())
}

/// Whether nothing that is sent there leaves this machine.
pub fn is_loopback(ip: IpAddr) -> bool {
    match ip {
        IpAddr::V4(ip) => ip.is_loopback(),
        IpAddr::V6(ip) => ip.to_ipv4_mapped().map_or_else(|| ip.is_loopback(), |mapped| mapped.is_loopback()),
    }
}
