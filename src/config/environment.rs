//! `[environment.…]` → [`EnvironmentConfig`]: one server, its user, its limits, and where its secret is kept.
//!
//! Invariant: what is written in the wrong place is refused without being repeated: it may be a secret.

use std::path::PathBuf;

use serde::Deserialize;

use super::Span;
use crate::domain::env::{Environment, Limits};
use crate::domain::ids::EnvId;
use crate::domain::zone::Zone;

/// One environment: what the engine may know, and how to sign in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EnvironmentConfig {
    /// What everybody may see.
    pub environment: Environment,
    /// Server address.
    pub url: String,
    /// How to sign in.
    pub sign_in: SignInKind,
    /// Third-party app id, for `signed` and `app_secret`.
    pub app_id: Option<String>,
    /// Where the secret is.
    pub secret: SecretSource,
    /// Language of server messages (`lcid`): 2052 zh-CN.
    pub lcid: u32,
    /// Organisation number for signed headers.
    pub org: u32,
    /// Extra certificate authority (PEM).
    pub ca_file: Option<PathBuf>,
}

/// Ways of signing in (kingdee-webapi.md §2, §3).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SignInKind {
    /// Signed headers, as the official SDK does.
    Signed,
    /// `LoginByAppSecret`.
    AppSecret,
    /// `ValidateUser`.
    Password,
}

/// Where a secret is kept. Never the secret.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SecretSource {
    /// A file of the user's own with mode 0600; relative to the configuration file.
    File(PathBuf),
    /// A program whose first output line is the secret.
    Command(Vec<String>),
    /// Asked for at the terminal.
    Prompt,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawEnvironment {
    url: String,
    account_set: String,
    user: String,
    sign_in: SignInKind,
    app_id: Option<String>,
    secret: SecretSource,
    #[serde(default)]
    production: bool,
    read_only: Option<ReadOnly>,
    second_person: Option<bool>,
    server_zone: Option<String>,
    #[serde(default = "zh_cn")]
    lcid: u32,
    #[serde(default)]
    org: u32,
    ca_file: Option<PathBuf>,
    #[serde(default)]
    allow_operations: Vec<String>,
    #[serde(default)]
    limits: RawLimits,
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
                f.write_str("true, false or \"always\"")
            }
            fn visit_bool<E>(self, locked: bool) -> Result<ReadOnly, E> {
                Ok(if locked { ReadOnly::Locked } else { ReadOnly::No })
            }
            fn visit_str<E: serde::de::Error>(self, word: &str) -> Result<ReadOnly, E> {
                match word {
                    "always" => Ok(ReadOnly::Always),
                    _ => Err(E::custom("read_only is true, false or \"always\"")),
                }
            }
        }
        d.deserialize_any(V)
    }
}

fn zh_cn() -> u32 {
    2052
}

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct RawLimits {
    per_minute: Option<u32>,
    concurrency: Option<u32>,
    call_timeout: Option<Span>,
    settle: Option<Span>,
    drain: Option<Span>,
    breaker_unknown: Option<u32>,
    breaker_failed_percent: Option<u32>,
    canary: Option<u32>,
}

impl<'de> Deserialize<'de> for SecretSource {
    /// Written by hand so that a secret put here by mistake is refused without being repeated.
    fn deserialize<D: serde::Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        struct V;
        impl<'de> serde::de::Visitor<'de> for V {
            type Value = SecretSource;
            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("{ file = \"…\" }, { command = [\"…\"] } or { prompt = true }")
            }
            fn visit_str<E: serde::de::Error>(self, _: &str) -> Result<SecretSource, E> {
                Err(E::custom(
                    "a secret must not stand in this file; put it into a file of its own with mode 0600 and write secret = { file = \"…\" }",
                ))
            }
            fn visit_map<A: serde::de::MapAccess<'de>>(self, mut map: A) -> Result<SecretSource, A::Error> {
                use serde::de::Error;
                let wrong = || A::Error::custom("write { file = \"…\" }, { command = [\"…\"] } or { prompt = true }");
                let Some(key) = map.next_key::<String>()? else { return Err(wrong()) };
                let source = match key.as_str() {
                    "file" => SecretSource::File(map.next_value()?),
                    "command" => SecretSource::Command(map.next_value()?),
                    "prompt" if map.next_value::<bool>()? => SecretSource::Prompt,
                    _ => return Err(wrong()),
                };
                if map.next_key::<String>()?.is_some() {
                    return Err(A::Error::custom("a secret has one source, not several"));
                }
                match &source {
                    SecretSource::Command(argv) if argv.is_empty() => Err(A::Error::custom("the command is empty")),
                    _ => Ok(source),
                }
            }
        }
        d.deserialize_any(V)
    }
}

impl RawEnvironment {
    /// Fills in what is not said. `approvers`: the file names some.
    pub(super) fn build(self, id: &str, approvers: bool) -> Result<EnvironmentConfig, String> {
        if self.sign_in != SignInKind::Password && self.app_id.is_none() {
            return Err("sign_in by app needs app_id".to_owned());
        }
        let zone = self.server_zone.unwrap_or_else(|| "Asia/Shanghai".to_owned());
        zone.parse::<Zone>().map_err(|_| format!("server_zone `{zone}` is no time zone name"))?;
        let d = Limits::default();
        let l = self.limits;
        let canary = if self.production { 5 } else { d.canary };
        let failed = if self.production { 20 } else { d.breaker_failed_percent };
        let limits = Limits {
            per_minute: l.per_minute.unwrap_or(d.per_minute),
            concurrency: l.concurrency.unwrap_or(d.concurrency),
            call_timeout: l.call_timeout.map_or(d.call_timeout, |s| s.0),
            settle: l.settle.map_or(d.settle, |s| s.0),
            drain: l.drain.map_or(d.drain, |s| s.0),
            breaker_unknown: l.breaker_unknown.unwrap_or(d.breaker_unknown),
            breaker_failed_percent: l.breaker_failed_percent.unwrap_or(failed),
            breaker_ceiling: l.breaker_failed_percent.is_some(),
            canary: l.canary.unwrap_or(canary),
        };
        if limits.per_minute == 0 || limits.concurrency == 0 {
            return Err("limits.per_minute and limits.concurrency must be at least 1".to_owned());
        }
        let read_only = self.read_only.unwrap_or(if self.production { ReadOnly::Locked } else { ReadOnly::No });
        let environment = Environment {
            id: EnvId::new(id),
            server: crate::erp::config::server(&self.url, &self.account_set),
            address: self.url.clone(),
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
            sign_in: self.sign_in,
            app_id: self.app_id,
            secret: self.secret,
            lcid: self.lcid,
            org: self.org,
            ca_file: self.ca_file,
        })
    }
}
