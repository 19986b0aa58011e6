//! What the Kingdee client needs to know of one environment, and which addresses it may talk to.
//!
//! Invariant: `Debug` shows no secret; an address with credentials in it, or one that would carry them in clear over a
//! network without that being allowed by name, is refused before anything is sent.

use std::fmt;

use secrecy::{ExposeSecret as _, SecretString};

use skydeck_core::domain::ids::EnvId;
use skydeck_core::text::Redactor;

pub use super::address::{Address, ConfigError, is_in_clear, is_loopback, server};
pub use super::pem_fault::PemFault;
pub use super::reach::{ClientCertificate, Proxy, Reach};

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

/// Settings of one client.
#[derive(Clone)]
pub struct ClientConfig {
    /// Environment the client belongs to; a [`skydeck_engine::ports::WriteToken`] for another one is refused.
    pub env: EnvId,
    /// How the server is reached, at an address including `/k3cloud/`.
    pub reach: Reach,
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
    /// Most bytes read from the answer to a write or a login, after decompression.
    pub max_body: usize,
    /// Most bytes read from the answer to a query, after decompression.
    pub max_query_body: usize,
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
            reach: Reach::new(base_url),
            account_set: account_set.into(),
            user: user.into(),
            lcid: 2052,
            org: "0".to_owned(),
            second_password: None,
            sign_in,
            max_body: 16 << 20,
            max_query_body: 64 << 20,
            zone_minutes: 480,
        }
    }

    /// What takes our secrets out of answers.
    pub(super) fn redactor(&self) -> Redactor {
        let ours = [Some(self.sign_in.secret()), self.second_password.as_ref()];
        let mut redactor = Redactor::default();
        ours.into_iter().flatten().chain(self.reach.secrets()).for_each(|secret| redactor.add(secret.expose_secret()));
        redactor
    }

    /// The address, checked.
    pub fn address(&self) -> Result<Address, ConfigError> {
        self.reach.address()
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
        config.reach.base_url = "https://h.invalid/k3cloud".to_owned();
        assert!(format!("{config:?}").contains("https://h.invalid/k3cloud/"));
    }
}
