//! `config.toml` → [`Config`]: environments, language, looks. Holds no secret, only where each one is kept.
//!
//! Invariant: an unknown key, a wrong value or a secret written in plain is an error that names its line and
//! never repeats the value.

pub mod access;
pub mod alerts;
mod environment;
pub mod forecast;
mod http_environment;
mod said;
mod secret_source;
mod span;
mod store;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde::Deserialize;

pub use self::access::{AccessConfig, Rules};
use self::alerts::AlertsConfig;
use self::environment::RawEnvironment;
pub use self::environment::{Connection, EnvironmentConfig, ProxyConfig, SecretSource, SignInKind};
use self::forecast::ForecastConfig;
pub use self::said::Said;
use self::span::Span;
pub use self::store::{StoreConfig, Writers};
use crate::domain::ids::EnvId;
use crate::domain::query::Retention;
use crate::ui::{Digits, Start};

/// A configuration that cannot be used: file, line, what, and what to do.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{file}{}: {}", .line.map(|l| format!(":{l}")).unwrap_or_default(), .said.en)]
pub struct ConfigError {
    /// File.
    pub file: String,
    /// Line, from 1, where it is known.
    pub line: Option<usize>,
    /// What is wrong and what would be right.
    pub said: Said,
}

impl ConfigError {
    /// The whole in Chinese.
    pub fn in_chinese(&self) -> String {
        let line = self.line.map(|line| format!(" 第 {line} 行")).unwrap_or_default();
        format!("{}{line}：{}", self.file, self.said.zh)
    }
}

/// Everything the file says, with defaults filled in.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Config {
    /// Environments by name, the default one first.
    pub environments: Vec<EnvironmentConfig>,
    /// Plan directory; `None` = `plans` beside the configuration file.
    pub plans: Option<PathBuf>,
    /// Rules and descriptions of causes on top of the built-in ones.
    pub causes: Option<PathBuf>,
    /// How the console looks and speaks.
    pub console: ConsoleConfig,
    /// Who beside the owner may attach.
    pub access: AccessConfig,
    /// Who is told when nobody watches.
    pub alerts: AlertsConfig,
    /// What is usual, and what is borne of false alarms.
    pub forecast: ForecastConfig,
    /// Figures for a monitoring system.
    pub metrics: MetricsConfig,
    /// What the process writes down about itself.
    pub log: LogConfig,
    /// How long settled bills are kept; absent: for ever.
    pub retention: Retention,
    /// The database that holds the facts; absent: the data directory does.
    pub store: Option<StoreConfig>,
    /// Key overrides: action → keys.
    pub keys: BTreeMap<String, Vec<String>>,
}

/// `[console]`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ConsoleConfig {
    /// `zh`, `en`, or absent: from `LC_ALL`, `LC_MESSAGES`, `LANG`.
    pub language: Option<String>,
    /// Theme name or path of a theme file.
    pub theme: Option<String>,
    /// ASCII borders and glyphs; absent: from the locale's encoding.
    pub ascii: Option<bool>,
    /// Cells of a character of ambiguous width: 1 or 2.
    #[serde(default, deserialize_with = "one_or_two")]
    pub ambiguous_width: Option<u8>,
    /// What plain digits are: `panes` or `counts`.
    #[serde(default)]
    pub digits: Digits,
    /// The pane it begins with: `today` or `plans`.
    #[serde(default)]
    pub start: Start,
    /// Take clicks and the wheel; text is then selected with Shift.
    #[serde(default)]
    pub mouse: bool,
    /// Set the window title.
    #[serde(default)]
    pub title: bool,
    /// Ring the bell when a run ends.
    #[serde(default)]
    pub bell: bool,
    /// Send a desktop notification (OSC 9) when a run ends, instead of the bell.
    #[serde(default)]
    pub notification: bool,
}

fn one_or_two<'de, D: serde::Deserializer<'de>>(d: D) -> Result<Option<u8>, D::Error> {
    match u8::deserialize(d)? {
        cells @ (1 | 2) => Ok(Some(cells)),
        other => Err(serde::de::Error::custom(Said::new(
            format!("ambiguous_width is 1 or 2, not {other}"),
            format!("ambiguous_width 应为 1 或 2，不能是 {other}"),
        ))),
    }
}

/// `[metrics]`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MetricsConfig {
    /// Address and port of the page; on loopback.
    pub listen: Option<Loopback>,
    /// File for a collector of text files; relative to the configuration file.
    pub textfile: Option<PathBuf>,
}

/// An address that only this machine reaches.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Loopback(pub std::net::SocketAddr);

impl<'de> Deserialize<'de> for Loopback {
    fn deserialize<D: serde::Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        let text = String::deserialize(d)?;
        let wrong = || {
            serde::de::Error::custom(Said::new(
                "write an address of this machine alone, e.g. \"127.0.0.1:9464\": figures are not for the network",
                "请写仅本机可达的地址，如 \"127.0.0.1:9464\"：指标不对网络开放",
            ))
        };
        let at: std::net::SocketAddr = text.parse().map_err(|_| wrong())?;
        if at.ip().is_loopback() { Ok(Self(at)) } else { Err(wrong()) }
    }
}

/// `[log]`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LogConfig {
    /// Least grave that is written.
    #[serde(default)]
    pub level: LogLevel,
    /// Lines for people, or JSON lines.
    #[serde(default)]
    pub format: LogFormat,
}

/// How grave.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LogLevel {
    /// Something failed.
    Error,
    /// Something is to be looked at.
    Warn,
    /// What happened.
    #[default]
    Info,
    /// Everything.
    Debug,
}

/// Form of a line.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LogFormat {
    /// For people.
    #[default]
    Text,
    /// JSON lines.
    Json,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawConfig {
    default_environment: Option<String>,
    plans: Option<PathBuf>,
    causes: Option<PathBuf>,
    #[serde(default)]
    console: ConsoleConfig,
    #[serde(default)]
    access: AccessConfig,
    #[serde(default)]
    alerts: alerts::RawAlerts,
    #[serde(default)]
    forecast: ForecastConfig,
    #[serde(default)]
    metrics: MetricsConfig,
    #[serde(default)]
    log: LogConfig,
    #[serde(default)]
    retention: RawRetention,
    store: Option<StoreConfig>,
    #[serde(default)]
    keys: BTreeMap<String, Vec<String>>,
    #[serde(default)]
    environment: BTreeMap<String, toml::Spanned<RawEnvironment>>,
}

/// `[retention]`: how long a bill's outcome is kept after it was reached.
#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct RawRetention {
    audited: Option<Span>,
    already_audited: Option<Span>,
    skipped: Option<Span>,
    failed: Option<Span>,
    unknown: Option<Span>,
    bodies: Option<Span>,
}

impl RawRetention {
    fn build(self) -> Retention {
        let span = |span: Option<Span>| span.map(|span| span.0);
        Retention {
            audited: span(self.audited),
            already: span(self.already_audited),
            skipped: span(self.skipped),
            failed: span(self.failed),
            unknown: span(self.unknown),
            bodies: span(self.bodies),
        }
    }
}

impl Config {
    /// Reads the text of a configuration file; `file` is its name for messages.
    pub fn parse(file: &Path, text: &str) -> Result<Self, ConfigError> {
        let name = file.display().to_string();
        let mut raw: RawConfig = toml::from_str(text).map_err(|e| ConfigError {
            file: name.clone(),
            line: e.span().map(|span| line_of(text, span.start)),
            said: Said::of_parser(e.message()),
        })?;
        let mut environments = Vec::with_capacity(raw.environment.len());
        for (id, spanned) in std::mem::take(&mut raw.environment) {
            let line = Some(line_of(text, spanned.span().start));
            let environment =
                spanned.into_inner().build(&id, raw.access.has_approvers()).map_err(|Said { en, zh }| {
                    let said = Said::new(format!("environment `{id}`: {en}"), format!("环境 `{id}`：{zh}"));
                    ConfigError { file: name.clone(), line, said }
                })?;
            environments.push(environment);
        }
        if let Some(first) = &raw.default_environment {
            let at =
                environments.iter().position(|e| e.environment.id.as_str() == first).ok_or_else(|| ConfigError {
                    file: name.clone(),
                    line: text.lines().position(|l| l.trim_start().starts_with("default_environment")).map(|l| l + 1),
                    said: Said::new(
                        format!("default_environment names `{first}`, but there is no [environment.{first}]"),
                        format!("default_environment 写的是 `{first}`，但没有 [environment.{first}]"),
                    ),
                })?;
            let chosen = environments.remove(at);
            environments.insert(0, chosen);
        }
        let RawConfig {
            plans, causes, console, access, alerts, forecast, metrics, log, retention, store, keys, ..
        } = raw;
        let alerts = alerts.build().map_err(|said| ConfigError {
            file: name.clone(),
            line: text.lines().position(|l| l.contains("alerts")).map(|l| l + 1),
            said,
        })?;
        let retention = retention.build();
        store.as_ref().map_or(Ok(()), StoreConfig::check).map_err(|said| ConfigError {
            file: name.clone(),
            line: text.lines().position(|l| l.trim_start().starts_with("[store]")).map(|l| l + 1),
            said,
        })?;
        Ok(Self {
            environments,
            plans,
            causes,
            console,
            access,
            alerts,
            forecast,
            metrics,
            log,
            retention,
            store,
            keys,
        })
    }

    /// Pairs of environments that write to one server and account set: neither will, until one of the two is gone or is
    /// read-only for good.
    pub fn twins(&self) -> Vec<(&EnvId, &EnvId)> {
        let all: Vec<_> = self.environments.iter().map(|e| &e.environment).collect();
        let mut pairs = Vec::new();
        for (at, one) in all.iter().enumerate() {
            pairs.extend(all.iter().skip(at + 1).filter(|other| one.writes_with(other)).map(|o| (&one.id, &o.id)));
        }
        pairs
    }
}

fn line_of(text: &str, offset: usize) -> usize {
    text.bytes().take(offset).filter(|b| *b == b'\n').count() + 1
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    const GOOD: &str = r#"
default_environment = "test"
[console]
language = "zh"
theme = "light"
[keys]
retry = ["R", "F5"]
[environment.prod]
url = "https://k3.example.invalid/k3cloud/"
account_set = "60aa0000000000"
user = "integration"
sign_in = "signed"
app_id = "123456_x"
secret = { file = "credentials.d/prod" }
production = true
[environment.test]
url = "http://127.0.0.1:9/k3cloud/"
account_set = "60aa0000000001"
user = "demo"
sign_in = "password"
secret = { prompt = true }
[environment.test.limits]
per_minute = 600
settle = "5s"
"#;

    #[test]
    fn environments_come_with_cautious_defaults() {
        let config = Config::parse(Path::new("config.toml"), GOOD).unwrap();
        let [test, prod] = config.environments.as_slice() else { panic!("two") };
        assert_eq!(test.environment.id.as_str(), "test");
        assert_eq!(test.environment.limits.settle, Duration::from_secs(5));
        assert!(!test.environment.read_only);
        assert!(prod.environment.read_only, "production is read-only unless said otherwise");
        assert_eq!(prod.environment.limits.canary, 5);
        assert_eq!(prod.environment.limits.per_minute, 60);
    }

    #[test]
    fn read_only_has_three_words() {
        let with = |line: &str| {
            let text = GOOD.replacen("production = true", &format!("production = true\n{line}"), 1);
            Config::parse(Path::new("config.toml"), &text)
        };
        for (line, want) in [
            ("", (true, false)),
            ("read_only = false", (false, false)),
            ("read_only = true", (true, false)),
            ("read_only = \"always\"", (true, true)),
        ] {
            let config = with(line).unwrap();
            let prod = &config.environments[1].environment;
            assert_eq!((prod.read_only, prod.always_read_only), want, "{line}");
        }
        for line in ["read_only = \"hunter2\"", "read_only = 4711"] {
            let error = with(line).unwrap_err();
            assert_eq!(error.line, Some(16), "{error}");
            let said = error.to_string();
            assert!(said.contains("true, false or \"always\""), "{said}");
            assert!(!said.contains("hunter2") && !said.contains("4711"), "{said}");
        }
    }

    #[test]
    fn two_environments_that_write_to_one_account_set_load_and_are_named() {
        let with = |address: &str, set: &str, more: &str| {
            let text = GOOD
                .replacen("http://127.0.0.1:9/k3cloud/", address, 1)
                .replacen("60aa0000000001", set, 1)
                .replacen("user = \"demo\"", &format!("user = \"demo\"\n{more}"), 1);
            let config = Config::parse(Path::new("config.toml"), &text).unwrap();
            config.twins().into_iter().map(|(one, other)| format!("{one} {other}")).collect::<Vec<_>>()
        };
        let (same, none) = (["test prod"], Vec::<String>::new());
        assert_eq!(with("https://k3.example.invalid/k3cloud/", "60aa0000000000", ""), same);
        assert_eq!(with("HTTPS://K3.example.invalid:443/K3Cloud", " 60AA0000000000", ""), same);
        assert_eq!(with("https://k3.example.invalid/k3cloud/", "60aa0000000000", "read_only = true"), same);
        assert_eq!(with("https://k3.example.invalid/k3cloud/", "60aa0000000000", "read_only = \"always\""), none);
        assert_eq!(with("https://k3.example.invalid/k3cloud/", "60aa0000000001", ""), none);
        assert_eq!(with("https://k4.example.invalid/k3cloud/", "60aa0000000000", ""), none);
    }

    #[test]
    fn faults_name_their_line_and_never_the_value() {
        for (from, to, line, words) in [
            ("production = true", "produktion = true", 15, "unknown field `produktion`"),
            ("secret = { prompt = true }", "secret = \"hunter2\"", 21, "must not stand in this file"),
            ("secret = { prompt = true }", "password = \"hunter2\"", 21, "unknown field `password`"),
            ("per_minute = 600", "per_minute = \"hunter2\"", 23, "wrong type"),
            ("settle = \"5s\"", "settle = \"soon\"", 24, "no span"),
            ("per_minute = 600", "per_minute = 600001", 16, "per_minute must be at least 1 and at most 600000"),
            ("per_minute = 600", "concurrency = 4294967295", 16, "concurrency must be at least 1 and at most 1000"),
            ("per_minute = 600", "concurrency = 0", 16, "concurrency must be at least 1 and at most 1000"),
            ("per_minute = 600", "canary = 1000001", 16, "canary must be at least 0 and at most 1000000"),
            ("per_minute = 600", "breaker_unknown = 4294967295", 16, "breaker_unknown must be"),
            (
                "per_minute = 600",
                "breaker_failed_percent = 101",
                16,
                "breaker_failed_percent must be at least 0 and at most 100",
            ),
            ("settle = \"5s\"", "settle = \"25h\"", 16, "settle is longer than a day"),
            ("settle = \"5s\"", "drain = \"9999d\"", 16, "drain is longer than a day"),
            ("settle = \"5s\"", "call_timeout = \"0s\"", 16, "call_timeout must be above 0"),
            ("settle = \"5s\"", "settle = \"36501d\"", 24, "for ever"),
            ("app_id = \"123456_x\"", "", 8, "needs app_id"),
            ("default_environment = \"test\"", "default_environment = \"live\"", 2, "no [environment.live]"),
            ("user = \"demo\"", "user = demo hunter2", 19, ""),
            (
                "sign_in = \"password\"",
                "sign_in = \"hunter2\"",
                20,
                "expected one of `signed`, `app_secret`, `app_sign`, `password`",
            ),
        ] {
            let text = GOOD.replacen(from, to, 1);
            let error = Config::parse(Path::new("config.toml"), &text).unwrap_err();
            assert_eq!(error.line, Some(line), "{to}: {error}");
            assert!(error.said.en.contains(words), "{to}: {error}");
            assert!(!error.to_string().contains("hunter2"), "{error}");
            let zh = error.in_chinese();
            assert!(zh.starts_with(&format!("config.toml 第 {line} 行：")) && !zh.contains("hunter2"), "{zh}");
            assert!(zh.chars().skip(20).any(|c| ('\u{4e00}'..='\u{9fff}').contains(&c)), "{zh}");
        }
    }
}
