//! `[store]`: the database that holds the facts, where they are in none of this machine's directories.

use std::path::PathBuf;

use serde::Deserialize;

use super::environment::SecretSource;
use super::said::Said;

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
}

impl StoreConfig {
    /// Refuses half a certificate.
    pub(super) fn check(&self) -> Result<(), Said> {
        match (&self.certificate, &self.key) {
            (Some(_), None) => Err(Said::new("store: certificate needs key", "store：certificate 需要同时写 key")),
            (None, Some(_)) => Err(Said::new("store: key needs certificate", "store：key 需要同时写 certificate")),
            (Some(_), Some(_)) | (None, None) => Ok(()),
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
            ("[store]\nurl = \"postgresql://r@h/d\"\nlease = \"15s\"", "unknown field `lease`"),
        ] {
            let error = parse(text).unwrap_err();
            assert!(error.said.en.contains(words), "{text}: {error}");
            assert!(!error.to_string().contains("hunter2") && !error.in_chinese().contains("hunter2"), "{error}");
        }
    }
}
