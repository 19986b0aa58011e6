//! How a server is reached: where it is, whom TLS believes, what stands between.
//!
//! Invariant: `Debug` shows no secret and no address that holds one; what is only for one kind of system is not here.

use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

use reqwest::Url;
use secrecy::SecretString;

use super::address::{Address, ConfigError, is_here};

/// A certificate of ours.
#[derive(Clone, Debug)]
pub struct ClientCertificate {
    /// PEM file with the certificate, and those that vouch for it.
    pub file: PathBuf,
    /// Its private key, PEM.
    pub key: SecretString,
}

/// A proxy of the site.
#[derive(Clone, Debug)]
pub struct Proxy {
    /// `http://` or `https://` address without credentials.
    pub url: String,
    /// User name and password, where the proxy asks for them.
    pub login: Option<(String, SecretString)>,
}

/// How a server is reached: where it is, whom TLS believes, what stands between.
#[derive(Clone)]
pub struct Reach {
    /// Address without credentials.
    pub base_url: String,
    /// Limit of one call, sending and reading included.
    pub timeout: Duration,
    /// Limit of connecting, TLS included; below `timeout`, because only a failed connect proves "not sent".
    pub connect_timeout: Duration,
    /// PEM file with certificates trusted in addition to the system's.
    pub ca_file: Option<PathBuf>,
    /// Trust the certificates of `ca_file` alone.
    pub ca_only: bool,
    /// PEM file with the server's own certificate: that one is trusted, whoever signed it and whatever name it bears, and
    /// no other.
    pub pinned_certificate: Option<PathBuf>,
    /// What proves to the server who we are.
    pub client_certificate: Option<ClientCertificate>,
    /// The proxy that every call goes through; the environment's variables are never looked at.
    pub proxy: Option<Proxy>,
    /// Allow `http://` to another machine.
    pub allow_plain_http: bool,
}

impl fmt::Debug for Reach {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // The address is shown only once it is known to hold no credentials.
        let address = self.address().map_or_else(|_| "(not usable)".to_owned(), |address| address.shown());
        f.debug_struct("Reach").field("base_url", &address).finish_non_exhaustive()
    }
}

impl Reach {
    /// A server by its address alone: 60 s a call, 10 s to connect, the system's authorities, no proxy.
    pub fn new(base_url: impl Into<String>) -> Self {
        Self {
            base_url: base_url.into(),
            timeout: Duration::from_secs(60),
            connect_timeout: Duration::from_secs(10),
            ca_file: None,
            ca_only: false,
            pinned_certificate: None,
            client_certificate: None,
            proxy: None,
            allow_plain_http: false,
        }
    }

    /// The address, checked.
    ///
    /// # Errors
    /// A setting that cannot be used.
    pub fn address(&self) -> Result<Address, ConfigError> {
        if self.connect_timeout >= self.timeout {
            return Err(ConfigError::Timeouts { connect: self.connect_timeout, call: self.timeout });
        }
        let address = Address::parse(&self.base_url, self.allow_plain_http)?;
        if let Some(proxy) = self.proxy_address()?
            && address.is_plain()
            && !self.allow_plain_http
            && !(address.is_here() && is_here(&proxy))
        {
            // Whoever the name leads to is found by the proxy, not by us.
            return Err(ConfigError::PlainHttp(address.shown()));
        }
        Ok(address)
    }

    /// The secrets that it has.
    pub fn secrets(&self) -> impl Iterator<Item = &SecretString> {
        let key = self.client_certificate.as_ref().map(|ours| &ours.key);
        let login = self.proxy.as_ref().and_then(|proxy| proxy.login.as_ref()).map(|(_, password)| password);
        key.into_iter().chain(login)
    }

    /// The proxy's address, checked.
    pub(super) fn proxy_address(&self) -> Result<Option<Url>, ConfigError> {
        let Some(proxy) = &self.proxy else { return Ok(None) };
        let url = Url::parse(proxy.url.trim()).map_err(|e| ConfigError::Proxy(e.to_string()))?;
        if !url.username().is_empty() || url.password().is_some() {
            return Err(ConfigError::Proxy(
                "it holds a user name or password; write proxy_user and proxy_secret".into(),
            ));
        }
        match url.scheme() {
            "http" | "https" if url.host_str().is_some_and(|host| !host.is_empty()) => Ok(Some(url)),
            "http" | "https" => Err(ConfigError::Proxy("no host".to_owned())),
            other => Err(ConfigError::Proxy(format!("it begins with {other}:; only http:// and https:// can be used"))),
        }
    }
}
