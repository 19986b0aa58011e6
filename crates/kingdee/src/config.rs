//! What the Kingdee client needs to know of one environment, and which addresses it may talk to.
//!
//! Invariant: `Debug` shows no secret; an address with credentials in it, or one that would carry them in clear over a
//! network without that being allowed by name, is refused before anything is sent.

use std::fmt;
use std::net::IpAddr;
use std::path::PathBuf;
use std::time::Duration;

use reqwest::Url;
use secrecy::{ExposeSecret as _, SecretString};

use skydeck_core::domain::ids::EnvId;
use skydeck_core::domain::server::{Server, canonical};
use skydeck_core::text::Redactor;

pub use super::pem_fault::PemFault;

/// How calls are authenticated (docs/design/wire.md#signing-in).
#[derive(Clone, Debug)]
pub enum SignIn {
    /// Signature headers on every call, as the official SDKs do; no login call.
    Signed {
        /// `<client id>_<32 base64 signs>`.
        app_id: String,
        /// Key of `X-Kd-Signature`.
        app_secret: SecretString,
    },
    /// `LoginByAppSecret`, then a session.
    AppSecret {
        /// Third-party application.
        app_id: String,
        /// Its secret.
        app_secret: SecretString,
    },
    /// `LoginBySign`, then a session; the secret itself does not cross the wire.
    AppSign {
        /// Third-party application.
        app_id: String,
        /// Its secret.
        app_secret: SecretString,
    },
    /// `ValidateUser`, then a session.
    Password {
        /// The ERP user's password.
        password: SecretString,
    },
}

impl SignIn {
    /// In words.
    pub fn how(&self) -> &'static str {
        match self {
            Self::Signed { .. } => "signed headers",
            Self::AppSecret { .. } => "app secret",
            Self::AppSign { .. } => "app signature",
            Self::Password { .. } => "password",
        }
    }

    /// Whether every call is signed, so that "session lost" can only mean wrong credentials.
    pub fn is_signed(&self) -> bool {
        matches!(self, Self::Signed { .. })
    }

    /// The secret, for the one place that sends it and the one that takes it out of answers.
    pub(super) fn secret(&self) -> &SecretString {
        match self {
            Self::Signed { app_secret, .. } | Self::AppSecret { app_secret, .. } | Self::AppSign { app_secret, .. } => {
                app_secret
            }
            Self::Password { password } => password,
        }
    }
}

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

/// Settings of one client.
#[derive(Clone)]
pub struct ClientConfig {
    /// Environment the client belongs to; a [`skydeck_engine::ports::WriteToken`] for another one is refused.
    pub env: EnvId,
    /// Server address including `/k3cloud/`, without credentials.
    pub base_url: String,
    /// Account set id (账套).
    pub account_set: String,
    /// ERP user.
    pub user: String,
    /// Language id: 2052 zh-CN, 1033 en, 3076 zh-TW.
    pub lcid: u32,
    /// Organisation code of signed headers, a text such as `101.2`; `0` is the user's own.
    pub org: String,
    /// The second password of the official SDKs, which takes part in the signature of every call where it is set.
    pub second_password: Option<SecretString>,
    /// How to sign in.
    pub sign_in: SignIn,
    /// Limit of one call, sending and reading included.
    pub timeout: Duration,
    /// Limit of connecting, TLS included; below `timeout`, because only a failed connect proves "not sent".
    pub connect_timeout: Duration,
    /// Most bytes read from the answer to a write or a login, after decompression.
    pub max_body: usize,
    /// Most bytes read from the answer to a query, after decompression.
    pub max_query_body: usize,
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
    /// Minutes the server's zone is ahead of UTC, for dates printed as `/Date(ms)/`.
    pub zone_minutes: i32,
}

impl ClientConfig {
    /// Settings with the defaults: 60 s a call, 10 s to connect, answers of at most 16 MiB, of a query 64 MiB.
    pub fn new(
        env: EnvId,
        base_url: impl Into<String>,
        account_set: impl Into<String>,
        user: impl Into<String>,
        sign_in: SignIn,
    ) -> Self {
        Self {
            env,
            base_url: base_url.into(),
            account_set: account_set.into(),
            user: user.into(),
            lcid: 2052,
            org: "0".to_owned(),
            second_password: None,
            sign_in,
            timeout: Duration::from_secs(60),
            connect_timeout: Duration::from_secs(10),
            max_body: 16 << 20,
            max_query_body: 64 << 20,
            ca_file: None,
            ca_only: false,
            pinned_certificate: None,
            client_certificate: None,
            proxy: None,
            allow_plain_http: false,
            zone_minutes: 480,
        }
    }

    /// What takes our secrets out of answers.
    pub(super) fn redactor(&self) -> Redactor {
        let ours = [
            Some(self.sign_in.secret()),
            self.second_password.as_ref(),
            self.client_certificate.as_ref().map(|ours| &ours.key),
            self.proxy.as_ref().and_then(|proxy| proxy.login.as_ref()).map(|(_, password)| password),
        ];
        let mut redactor = Redactor::default();
        ours.into_iter().flatten().for_each(|secret| redactor.add(secret.expose_secret()));
        redactor
    }

    /// The address, checked.
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

impl fmt::Debug for ClientConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // The address is shown only once it is known to hold no credentials.
        let address = self.address().map_or_else(|_| "(not usable)".to_owned(), |address| address.shown());
        f.debug_struct("ClientConfig")
            .field("env", &self.env)
            .field("base_url", &address)
            .field("account_set", &self.account_set)
            .field("user", &self.user)
            .field("sign_in", &self.sign_in)
            .finish_non_exhaustive()
    }
}

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
    pub(super) fn join(&self, path: &str) -> Result<Url, ConfigError> {
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

fn is_here(url: &Url) -> bool {
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_that_may_be_used() {
        for (text, shown) in [
            ("https://erp.example.invalid/k3cloud", "https://erp.example.invalid/k3cloud/"),
            ("http://127.0.0.1:8000/K3Cloud/", "http://127.0.0.1:8000/K3Cloud/"),
            ("http://[::1]:80/k3cloud/", "http://[::1]/k3cloud/"),
            ("http://[::ffff:127.0.0.9]/k3cloud/", "http://[::ffff:7f00:9]/k3cloud/"),
            ("http://erp.example.invalid/k3cloud/", "http://erp.example.invalid/k3cloud/"),
        ] {
            assert_eq!(Address::parse(text, false).map(|a| a.shown()), Ok(shown.to_owned()), "{text}");
        }
    }

    #[test]
    fn one_server_has_one_name_however_it_is_written() {
        let named = |address: &str| server(address, " 60AA ");
        let one = named("https://erp.example.invalid/k3cloud/");
        assert_eq!(
            (one.address.as_str(), one.account_set.as_str()),
            ("https://erp.example.invalid:443/k3cloud", "60aa")
        );
        for same in [
            "https://ERP.example.invalid:443/k3cloud",
            " https://erp.example.invalid./K3Cloud/ ",
            "https://erp.example.invalid/k3cloud//",
            "https://erp.example.invalid//k3cl%6fud/",
            "https://erp.example.invalid/x/%2e%2e/%4B3cloud/",
        ] {
            assert_eq!(named(same), one, "{same}");
        }
        for other in [
            "http://erp.example.invalid/k3cloud/",
            "https://erp.example.invalid:8443/k3cloud/",
            "https://erp2.example.invalid/k3cloud/",
            "https://erp.example.invalid/other/",
        ] {
            assert_ne!(named(other), one, "{other}");
        }
        let odd = named("https://demo:hunter2@erp.example.invalid/k3cloud/");
        assert!(!odd.address.contains("hunter2"), "{odd}");
    }

    #[test]
    fn addresses_that_are_refused_say_what_would_be_right() {
        for (text, part) in [
            ("erp.example.invalid", "not a URL"),
            ("ftp://erp.example.invalid/", "only https:// and http://"),
            ("https://demo:hunter2@erp.example.invalid/k3cloud/", "secrets have their own source"),
            ("https://erp.example.invalid/k3cloud/?a=1", "must end with the server's path"),
            ("http://203.0.113.7/k3cloud/", "http:// to 203.0.113.7 would carry the credentials and bills"),
            ("http://[2001:db8::1]/k3cloud/", "set allow_plain_http = true"),
            ("http://3405803783/k3cloud/", "http:// to 203.0.113.7"),
            ("http://192.168.1.9/k3cloud/", "set allow_plain_http = true"),
            ("http://10.1/k3cloud/", "http:// to 10.0.0.1"),
            ("http://[fd00::1]/k3cloud/", "set allow_plain_http = true"),
        ] {
            let said = Address::parse(text, false).map(|a| a.shown()).unwrap_err().to_string();
            assert!(said.contains(part), "{text}: {said}");
            assert!(!said.contains("hunter2"), "{said}");
        }
        assert!(Address::parse("http://203.0.113.7/k3cloud/", true).is_ok());
    }

    #[test]
    fn names_of_plain_addresses_are_guarded() {
        let guards = |text: &str, allow| Address::parse(text, allow).unwrap().guards_names(allow);
        assert!(guards("http://erp.example.invalid/", false));
        assert!(!guards("http://erp.example.invalid/", true));
        assert!(!guards("https://erp.example.invalid/", false));
        assert!(guards("http://erp.local/", false));
        assert!(guards("http://localhost/", false), "a name of this machine is looked at as any other");
        assert!(!guards("http://127.0.0.1/", false));
    }

    #[test]
    fn debug_shows_no_secret() {
        let sign_in = SignIn::Password { password: "canary-4711".into() };
        let mut config = ClientConfig::new(EnvId::new("t"), "https://u:canary-4711@h.invalid/", "set", "demo", sign_in);
        assert!(!format!("{config:?}").contains("canary"));
        config.base_url = "https://h.invalid/k3cloud".to_owned();
        assert!(format!("{config:?}").contains("https://h.invalid/k3cloud/"));
    }
}
