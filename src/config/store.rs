//! `[store]`: the database that holds the facts, where they are in none of this machine's directories.

use std::ops::RangeInclusive;
use std::path::PathBuf;
use std::time::Duration;

use serde::Deserialize;

use super::environment::SecretSource;
use super::said::Said;
use super::span::Span;

/// `[store]`. Paths are relative to the configuration file.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct StoreConfig {
    /// `postgresql://ROLE@HOST,HOST/DATABASE`, without a password.
    #[serde(deserialize_with = "without_password")]
    pub url: String,
    /// Where the role's password is.
    pub password: Option<SecretSource>,
    /// Certificate authorities trusted instead of the system's (PEM).
    pub ca_file: Option<PathBuf>,
    /// Our certificate (PEM).
    pub certificate: Option<PathBuf>,
    /// Where its key is.
    pub key: Option<SecretSource>,
    /// How this machine is called there, for people; absent: its own name.
    pub host: Option<String>,
    /// Who writes: one machine, and another one when its turn is over; or several at once, each with runs of its own.
    #[serde(default)]
    pub writers: Writers,
    /// For how long a machine counts after a sign of life, where several write; absent: 15 s.
    #[serde(default, deserialize_with = "span")]
    pub lease: Option<Duration>,
}

/// How many machines write to a store at once.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Writers {
    /// One; the others look.
    #[default]
    One,
    /// Several.
    Several,
}

/// Shortest and longest lease.
const LEASES: RangeInclusive<Duration> = Duration::from_secs(1)..=Duration::from_secs(600);

fn span<'de, D: serde::Deserializer<'de>>(d: D) -> Result<Option<Duration>, D::Error> {
    Span::deserialize(d).map(|span| Some(span.0))
}

impl StoreConfig {
    /// Refuses half a certificate.
    pub(super) fn check(&self) -> Result<(), Said> {
        match (&self.certificate, &self.key) {
            (Some(_), None) => Err(Said::new("store: certificate needs key", "store：certificate 需要同时写 key")),
            (None, Some(_)) => Err(Said::new("store: key needs certificate", "store：key 需要同时写 certificate")),
            (Some(_), Some(_)) | (None, None) => self.check_lease(),
        }
    }

    /// Refuses a lease that nobody can keep, or that nobody asks for.
    fn check_lease(&self) -> Result<(), Said> {
        match (self.lease, self.writers) {
            (None, _) => Ok(()),
            (Some(_), Writers::One) => Err(Said::new(
                "store: lease belongs to writers = \"several\"",
                "store：lease 只与 writers = \"several\" 同用",
            )),
            (Some(lease), Writers::Several) if LEASES.contains(&lease) && lease.subsec_nanos() == 0 => Ok(()),
            (Some(_), Writers::Several) => {
                Err(Said::new("store: lease is whole seconds, 1s to 600s", "store：lease 应为整秒，1s 到 600s"))
            }
        }
    }
}

/// An address as text; one with a password in it is refused without being repeated.
fn without_password<'de, D: serde::Deserializer<'de>>(d: D) -> Result<String, D::Error> {
    let url = String::deserialize(d)?;
    let login = url.split_once("://").and_then(|(_, rest)| rest.split(['/', '?']).next()?.rsplit_once('@'));
    if login.is_some_and(|(login, _)| login.contains(':')) || url.contains("password=") {
        return Err(serde::de::Error::custom(Said::new(
            "a password must not stand in this file: take it out of url and write password = { file = \"…\" }",
            "密码不能写在此文件中：请从 url 中去掉，并写 password = { file = \"…\" }",
        )));
    }
    Ok(url)
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::super::Config;

    #[test]
    fn a_store_has_an_address_and_never_a_password_in_this_file() {
        let parse = |text: &str| Config::parse(Path::new("config.toml"), text);
        let good = "[store]\nurl = \"postgresql://skydeck_host@pg1,pg2/skydeck\"\npassword = { file = \"credentials.d/store\" }";
        let store = parse(good).unwrap().store.unwrap();
        assert_eq!(store.url, "postgresql://skydeck_host@pg1,pg2/skydeck");
        assert!(parse("").unwrap().store.is_none());
        for (text, words) in [
            ("[store]", "url"),
            ("[store]\nurl = \"postgresql://r:hunter2@h/d\"", "must not stand in this file"),
            ("[store]\nurl = \"host=h user=r password=hunter2\"", "must not stand in this file"),
            ("[store]\nurl = \"postgresql://r@h/d\"\npassword = \"hunter2\"", "must not stand in this file"),
            ("[store]\nurl = \"postgresql://r@h/d\"\ncertificate = \"c.pem\"", "certificate needs key"),
            ("[store]\nurl = \"postgresql://r@h/d\"\nkey = { file = \"k\" }", "key needs certificate"),
            ("[store]\nurl = \"postgresql://r@h/d\"\nlease = \"15s\"", "belongs to writers"),
            ("[store]\nurl = \"postgresql://r@h/d\"\nwriters = \"several\"\nlease = \"100ms\"", "whole seconds"),
            ("[store]\nurl = \"postgresql://r@h/d\"\nwriters = \"many\"", "expected `one` or `several`"),
            ("[store]\nurl = \"postgresql://r@h/d\"\nnode = \"x\"", "unknown field `node`"),
        ] {
            let error = parse(text).unwrap_err();
            assert!(error.said.en.contains(words), "{text}: {error}");
            assert!(!error.to_string().contains("hunter2") && !error.in_chinese().contains("hunter2"), "{error}");
        }
    }
}
