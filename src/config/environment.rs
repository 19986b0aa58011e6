//! `[environment.…]` → [`EnvironmentConfig`]: one server, its user, its limits, and where its secret is kept.
//!
//! Invariant: what is written in the wrong place is refused without being repeated: it may be a secret.

use std::path::PathBuf;
use std::time::Duration;

use serde::Deserialize;

use super::http_environment::{self, RawSign, RawToken, Way};
use super::said::Said;
pub use super::secret_source::SecretSource;
use super::span::Span;
use crate::domain::env::{Environment, Limits, System};
use crate::domain::ids::EnvId;
use crate::domain::zone::Zone;
use crate::http::auth::Auth;

/// One environment: what the engine may know, and how to sign in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EnvironmentConfig {
    /// What everybody may see.
    pub environment: Environment,
    /// Server address.
    pub url: String,
    /// How to sign in.
    pub sign_in: SignInKind,
    /// Third-party app id, for every way but `password`.
    pub app_id: Option<String>,
    /// Where the secret is; a system that asks for none has none.
    pub secret: Option<SecretSource>,
    /// How the server is reached.
    pub connection: Connection,
    /// Of kind `http`: how requests say who we are, without the secret.
    pub http: Option<Auth>,
}

/// How a server is reached, and what a sign-in says beside the secret. Paths are relative to the configuration file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Connection {
    /// Language of the account and of the server's messages (`lcid`): 2052 zh-CN, 1033 en, 3076 zh-TW.
    pub lcid: u32,
    /// Organisation code of signed headers; `0` is the user's own.
    pub org: String,
    /// Where the second password of signed headers is.
    pub second_password: Option<SecretSource>,
    /// Of kind `http`: where a token is that was given for good beside the secret.
    pub access_token: Option<SecretSource>,
    /// Certificate authorities trusted beside the system's (PEM).
    pub ca_file: Option<PathBuf>,
    /// The server's own certificate, which is then trusted alone (PEM).
    pub pinned_certificate: Option<PathBuf>,
    /// Our certificate (PEM) and where its key is.
    pub client_certificate: Option<(PathBuf, SecretSource)>,
    /// The proxy.
    pub proxy: Option<ProxyConfig>,
    /// `http://` to another machine was allowed by name.
    pub allow_plain_http: bool,
    /// Limit of connecting; absent: 10 s, or half of a call's limit where that is shorter.
    pub connect_timeout: Option<Duration>,
}

impl Default for Connection {
    fn default() -> Self {
        Self {
            lcid: ZH_CN,
            org: OWN_ORG.to_owned(),
            second_password: None,
            access_token: None,
            ca_file: None,
            pinned_certificate: None,
            client_certificate: None,
            proxy: None,
            allow_plain_http: false,
            connect_timeout: None,
        }
    }
}

/// A proxy of the site.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProxyConfig {
    /// Its address, without credentials.
    pub url: String,
    /// Its user and where the password is.
    pub login: Option<(String, SecretSource)>,
}

/// `lcid` of simplified Chinese.
const ZH_CN: u32 = 2052;

/// The organisation that means: the user's own.
const OWN_ORG: &str = "0";

impl EnvironmentConfig {
    /// Whether a secret of it is typed at the terminal.
    pub fn is_typed(&self) -> bool {
        let Connection { second_password, access_token, proxy, .. } = &self.connection;
        let proxy = proxy.as_ref().and_then(|proxy| proxy.login.as_ref()).map(|(_, secret)| secret);
        [self.secret.as_ref(), second_password.as_ref(), access_token.as_ref(), proxy]
            .into_iter()
            .flatten()
            .any(|s| *s == SecretSource::Prompt)
    }
}

/// Ways of signing in (docs/design/wire.md#signing-in).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SignInKind {
    /// Signed headers, as the official SDK does.
    Signed,
    /// `LoginByAppSecret`.
    AppSecret,
    /// `LoginBySign`: the secret itself does not cross the wire.
    AppSign,
    /// `ValidateUser`.
    Password,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawEnvironment {
    #[serde(default)]
    kind: System,
    url: String,
    #[serde(alias = "system")]
    account_set: String,
    user: String,
    sign_in: RawSignIn,
    app_id: Option<String>,
    secret: Option<SecretSource>,
    token: Option<RawToken>,
    sign: Option<RawSign>,
    #[serde(default)]
    production: bool,
    read_only: Option<ReadOnly>,
    second_person: Option<bool>,
    server_zone: Option<String>,
    lcid: Option<u32>,
    org: Option<Org>,
    second_password: Option<SecretSource>,
    access_token: Option<SecretSource>,
    ca_file: Option<PathBuf>,
    pinned_certificate: Option<PathBuf>,
    client_certificate: Option<PathBuf>,
    client_key: Option<SecretSource>,
    proxy: Option<String>,
    proxy_user: Option<String>,
    proxy_secret: Option<SecretSource>,
    #[serde(default)]
    allow_plain_http: bool,
    #[serde(default)]
    allow_operations: Vec<String>,
    #[serde(default)]
    limits: RawLimits,
}

/// `sign_in`, of either kind.
#[derive(Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
enum RawSignIn {
    Signed,
    AppSecret,
    AppSign,
    Password,
    None,
    Bearer,
    Basic,
    Token,
}

impl RawSignIn {
    fn of_kingdee(self) -> Result<SignInKind, Said> {
        match self {
            Self::Signed => Ok(SignInKind::Signed),
            Self::AppSecret => Ok(SignInKind::AppSecret),
            Self::AppSign => Ok(SignInKind::AppSign),
            Self::Password => Ok(SignInKind::Password),
            Self::None | Self::Bearer | Self::Basic | Self::Token => Err(Said::new(
                "this sign_in is one of kind = \"http\"; Kingdee's are signed, app_secret, app_sign and password",
                "此登录方式（sign_in）用于 kind = \"http\"；金蝶环境用 signed、app_secret、app_sign 或 password",
            )),
        }
    }

    fn of_http(self) -> Result<Way, Said> {
        match self {
            Self::None | Self::Signed => Ok(Way::Open),
            Self::Bearer => Ok(Way::Bearer),
            Self::Basic => Ok(Way::Basic),
            Self::Token => Ok(Way::Token),
            Self::AppSecret | Self::AppSign | Self::Password => Err(Said::new(
                "this sign_in is one of Kingdee's; those of kind = \"http\" are none, bearer, basic, token and signed",
                "此登录方式（sign_in）用于金蝶；kind = \"http\" 用 none、bearer、basic、token 或 signed",
            )),
        }
    }
}

/// `read_only`: who can open the environment for writing.
#[derive(Clone, Copy, PartialEq, Eq)]
enum ReadOnly {
    /// It is open.
    No,
    /// An unlock opens it for a while.
    Locked,
    /// Nobody.
    Always,
}

impl<'de> Deserialize<'de> for ReadOnly {
    fn deserialize<D: serde::Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        struct V;
        impl serde::de::Visitor<'_> for V {
            type Value = ReadOnly;
            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                write!(f, "{}", Said::new("true, false or \"always\"", "true、false 或 \"always\""))
            }
            fn visit_bool<E>(self, locked: bool) -> Result<ReadOnly, E> {
                Ok(if locked { ReadOnly::Locked } else { ReadOnly::No })
            }
            fn visit_str<E: serde::de::Error>(self, word: &str) -> Result<ReadOnly, E> {
                match word {
                    "always" => Ok(ReadOnly::Always),
                    _ => Err(E::custom(Said::new(
                        "read_only is true, false or \"always\"",
                        "read_only 应为 true、false 或 \"always\"",
                    ))),
                }
            }
        }
        d.deserialize_any(V)
    }
}

/// An organisation: a code in quotes, or a whole number.
struct Org(String);

impl<'de> Deserialize<'de> for Org {
    fn deserialize<D: serde::Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        fn wrong() -> Said {
            Said::new(
                "org is a code like \"101.2\", without commas, blanks at its ends and control characters",
                "org 应为 \"101.2\" 这样的组织编码，不含逗号、首尾空格和控制字符",
            )
        }
        struct V;
        impl serde::de::Visitor<'_> for V {
            type Value = Org;
            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                write!(f, "{}", Said::new("a code in quotes, or a whole number", "加引号的编码或整数"))
            }
            fn visit_i64<E: serde::de::Error>(self, number: i64) -> Result<Org, E> {
                u32::try_from(number).map(|n| Org(n.to_string())).map_err(|_| E::custom(wrong()))
            }
            fn visit_str<E: serde::de::Error>(self, code: &str) -> Result<Org, E> {
                // The signed identity is a list with commas.
                let odd = code.is_empty() || code.trim() != code || code.contains(|c: char| c == ',' || c.is_control());
                if odd { Err(E::custom(wrong())) } else { Ok(Org(code.to_owned())) }
            }
        }
        d.deserialize_any(V)
    }
}

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct RawLimits {
    per_minute: Option<u32>,
    concurrency: Option<u32>,
    call_timeout: Option<Span>,
    connect_timeout: Option<Span>,
    settle: Option<Span>,
    drain: Option<Span>,
    breaker_unknown: Option<u32>,
    breaker_failed_percent: Option<u32>,
    canary: Option<u32>,
}

impl RawEnvironment {
    /// What only Kingdee's environments have, checked.
    fn of_kingdee(&self) -> Result<SignInKind, Said> {
        let sign_in = self.sign_in.of_kingdee()?;
        if sign_in != SignInKind::Password && self.app_id.is_none() {
            return Err(Said::new("sign_in by app needs app_id", "此登录方式（sign_in）需要 app_id"));
        }
        if self.secret.is_none() {
            return Err(Said::new("missing field `secret`", "缺少 `secret`"));
        }
        if self.token.is_some() || self.sign.is_some() || self.access_token.is_some() {
            return Err(Said::new(
                "token, sign and access_token belong to kind = \"http\": take them out",
                "token、sign 和 access_token 只用于 kind = \"http\"：请去掉",
            ));
        }
        Ok(sign_in)
    }

    /// What only environments of kind `http` have, checked.
    fn of_http(&mut self) -> Result<Auth, Said> {
        let way = self.sign_in.of_http()?;
        let only_kingdee = [
            ("lcid", self.lcid.is_some()),
            ("org", self.org.is_some()),
            ("second_password", self.second_password.is_some()),
        ];
        if let Some((key, _)) = only_kingdee.iter().find(|(_, given)| *given) {
            return Err(Said::new(
                format!("{key} is one of Kingdee's: take it out, or kind = \"http\""),
                format!("{key} 用于金蝶：请去掉它，或去掉 kind = \"http\""),
            ));
        }
        let needs = self.sign_in != RawSignIn::None;
        if needs && self.secret.is_none() {
            return Err(Said::new("missing field `secret`", "缺少 `secret`"));
        }
        if (self.sign_in == RawSignIn::Signed) && self.sign.is_none() {
            return Err(Said::new(
                "sign_in = \"signed\" needs [environment.NAME.sign], with a preset or the rules",
                "sign_in = \"signed\" 时须写 [environment.名称.sign]：预设（preset）或规则",
            ));
        }
        if self.access_token.is_some() && (self.sign_in != RawSignIn::Signed) {
            return Err(Said::new(
                "access_token belongs to sign_in = \"signed\", whose parameters have a hole {{token}} for it: take it out",
                "access_token 只用于 sign_in = \"signed\"，其参数以 {{token}} 填入：请去掉",
            ));
        }
        let (token, sign) = (self.token.take(), self.sign.take());
        http_environment::auth(way, (&self.user, self.app_id.as_deref()), (token, sign))
    }

    /// Fills in what is not said. `approvers`: the file names some.
    pub(super) fn build(mut self, id: &str, approvers: bool) -> Result<EnvironmentConfig, Said> {
        let (sign_in, http) = match self.kind {
            System::Kingdee => (self.of_kingdee()?, None),
            System::Http => (SignInKind::Signed, Some(self.of_http()?)),
        };
        let zone = self.server_zone.unwrap_or_else(|| "Asia/Shanghai".to_owned());
        zone.parse::<Zone>().map_err(|_| {
            Said::new(
                format!("server_zone `{zone}` is no time zone name"),
                format!("server_zone `{zone}` 不是时区名称：请写 Asia/Shanghai 这样的名称"),
            )
        })?;
        let limits = self.limits.filled(self.production);
        bounded(&limits)?;
        let connection = Connection {
            lcid: self.lcid.unwrap_or(ZH_CN),
            org: self.org.map_or_else(|| OWN_ORG.to_owned(), |org| org.0),
            second_password: second_password(self.second_password, sign_in)?,
            access_token: self.access_token,
            client_certificate: client_certificate(self.client_certificate, self.client_key)?,
            proxy: proxy(self.proxy, self.proxy_user, self.proxy_secret)?,
            ca_file: self.ca_file,
            pinned_certificate: self.pinned_certificate,
            allow_plain_http: self.allow_plain_http,
            connect_timeout: self.limits.connect_timeout.map(|s| s.0),
        };
        if connection.ca_file.is_some() && connection.pinned_certificate.is_some() {
            return Err(Said::new(
                "pinned_certificate is trusted alone: take ca_file out, or pinned_certificate",
                "pinned_certificate 只信任该证书：请去掉 ca_file 或 pinned_certificate",
            ));
        }
        if connection.connect_timeout.is_some_and(|limit| limit.is_zero() || limit >= limits.call_timeout) {
            return Err(Said::new(
                "limits.connect_timeout must be above 0 and below limits.call_timeout",
                "limits.connect_timeout 应大于 0 且小于 limits.call_timeout",
            ));
        }
        let read_only = self.read_only.unwrap_or(if self.production { ReadOnly::Locked } else { ReadOnly::No });
        let environment = Environment {
            id: EnvId::new(id),
            server: crate::erp::config::server(&self.url, &self.account_set),
            address: self.url.clone(),
            system: self.kind,
            account_set: self.account_set,
            user: self.user,
            production: self.production,
            read_only: read_only != ReadOnly::No,
            always_read_only: read_only == ReadOnly::Always,
            second_person: self.second_person.unwrap_or(self.production && approvers),
            server_zone: zone,
            allow_operations: self.allow_operations,
            limits,
        };
        Ok(EnvironmentConfig {
            environment,
            url: self.url,
            sign_in,
            app_id: self.app_id,
            secret: self.secret,
            connection,
            http,
        })
    }
}

impl RawLimits {
    /// With what is not said; production is more careful.
    fn filled(&self, production: bool) -> Limits {
        let d = Limits::default();
        let canary = if production { 5 } else { d.canary };
        let failed = if production { 20 } else { d.breaker_failed_percent };
        Limits {
            per_minute: self.per_minute.unwrap_or(d.per_minute),
            concurrency: self.concurrency.unwrap_or(d.concurrency),
            call_timeout: self.call_timeout.as_ref().map_or(d.call_timeout, |s| s.0),
            settle: self.settle.as_ref().map_or(d.settle, |s| s.0),
            drain: self.drain.as_ref().map_or(d.drain, |s| s.0),
            breaker_unknown: self.breaker_unknown.unwrap_or(d.breaker_unknown),
            breaker_failed_percent: self.breaker_failed_percent.unwrap_or(failed),
            breaker_ceiling: self.breaker_failed_percent.is_some(),
            canary: self.canary.unwrap_or(canary),
        }
    }
}

/// Refuses what no site means, by the key and its bounds.
fn bounded(limits: &Limits) -> Result<(), Said> {
    for (key, n, least, most) in [
        ("per_minute", limits.per_minute, 1, Limits::MOST_PER_MINUTE),
        ("concurrency", limits.concurrency, 1, Limits::MOST_CONCURRENCY),
        ("breaker_unknown", limits.breaker_unknown, 0, Limits::MOST_BILLS),
        ("breaker_failed_percent", limits.breaker_failed_percent, 0, 100),
        ("canary", limits.canary, 0, Limits::MOST_BILLS),
    ] {
        if !(least..=most).contains(&n) {
            return Err(Said::new(
                format!("limits.{key} must be at least {least} and at most {most}"),
                format!("limits.{key} 应在 {least} 到 {most} 之间"),
            ));
        }
    }
    for (key, span) in [("call_timeout", limits.call_timeout), ("settle", limits.settle), ("drain", limits.drain)] {
        if span > Limits::LONGEST {
            return Err(Said::new(
                format!("limits.{key} is longer than a day: write 24h at most"),
                format!("limits.{key} 超过一天：最多写 24h"),
            ));
        }
    }
    if limits.call_timeout.is_zero() {
        return Err(Said::new("limits.call_timeout must be above 0", "limits.call_timeout 应大于 0"));
    }
    Ok(())
}

fn second_password(source: Option<SecretSource>, sign_in: SignInKind) -> Result<Option<SecretSource>, Said> {
    if source.is_some() && sign_in != SignInKind::Signed {
        return Err(Said::new(
            "second_password belongs to sign_in = \"signed\" alone: take it out",
            "second_password 只用于 sign_in = \"signed\"：请去掉",
        ));
    }
    Ok(source)
}

fn client_certificate(
    file: Option<PathBuf>,
    key: Option<SecretSource>,
) -> Result<Option<(PathBuf, SecretSource)>, Said> {
    match (file, key) {
        (_, Some(SecretSource::Prompt)) => Err(Said::new(
            "client_key is a PEM of several lines and cannot be typed: use a file or a command",
            "client_key 是多行 PEM，不能手工输入：请用 file 或 command",
        )),
        (Some(file), Some(key)) => Ok(Some((file, key))),
        (None, None) => Ok(None),
        (Some(_), None) => Err(Said::new(
            "client_certificate needs client_key = { file = \"…\" }",
            "有 client_certificate 时须写 client_key = { file = \"…\" }",
        )),
        (None, Some(_)) => Err(Said::new(
            "client_key needs client_certificate = \"…\"",
            "有 client_key 时须写 client_certificate = \"…\"",
        )),
    }
}

fn proxy(url: Option<String>, user: Option<String>, secret: Option<SecretSource>) -> Result<Option<ProxyConfig>, Said> {
    match (url, user, secret) {
        (Some(url), Some(user), Some(secret)) => Ok(Some(ProxyConfig { url, login: Some((user, secret)) })),
        (Some(url), None, None) => Ok(Some(ProxyConfig { url, login: None })),
        (None, None, None) => Ok(None),
        (None, _, _) => Err(Said::new(
            "proxy_user and proxy_secret need proxy = \"http://…\"",
            "有 proxy_user 和 proxy_secret 时须写 proxy = \"http://…\"",
        )),
        (Some(_), _, _) => {
            Err(Said::new("proxy_user and proxy_secret go together", "proxy_user 和 proxy_secret 须同时写"))
        }
    }
}
