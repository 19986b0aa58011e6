//! Where a secret is kept.
//!
//! Invariant: what is written in its place by mistake is refused without being repeated: it may be the secret.

use std::path::PathBuf;

use serde::Deserialize;

use super::said::Said;

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

impl<'de> Deserialize<'de> for SecretSource {
    /// Written by hand so that a secret put here by mistake is refused without being repeated.
    fn deserialize<D: serde::Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        struct V;
        impl<'de> serde::de::Visitor<'de> for V {
            type Value = SecretSource;
            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                write!(
                    f,
                    "{}",
                    Said::new(
                        "{ file = \"…\" }, { command = [\"…\"] } or { prompt = true }",
                        "{ file = \"…\" }、{ command = [\"…\"] } 或 { prompt = true }",
                    )
                )
            }
            fn visit_str<E: serde::de::Error>(self, _: &str) -> Result<SecretSource, E> {
                Err(E::custom(Said::new(
                    "a secret must not stand in this file; put it into a file of its own with mode 0600 and write secret = { file = \"…\" }",
                    "密钥不能写在此文件中：请放入单独的文件（权限 0600），并写 secret = { file = \"…\" }",
                )))
            }
            fn visit_map<A: serde::de::MapAccess<'de>>(self, mut map: A) -> Result<SecretSource, A::Error> {
                use serde::de::Error;
                let wrong = || {
                    A::Error::custom(Said::new(
                        "write { file = \"…\" }, { command = [\"…\"] } or { prompt = true }",
                        "请写 { file = \"…\" }、{ command = [\"…\"] } 或 { prompt = true }",
                    ))
                };
                let Some(key) = map.next_key::<String>()? else { return Err(wrong()) };
                let source = match key.as_str() {
                    "file" => SecretSource::File(map.next_value()?),
                    "command" => SecretSource::Command(map.next_value()?),
                    "prompt" if map.next_value::<bool>()? => SecretSource::Prompt,
                    _ => return Err(wrong()),
                };
                if map.next_key::<String>()?.is_some() {
                    return Err(A::Error::custom(Said::new(
                        "a secret has one source, not several",
                        "密钥只能有一个来源",
                    )));
                }
                match &source {
                    SecretSource::Command(argv) if argv.is_empty() => {
                        Err(A::Error::custom(Said::new("the command is empty", "command 为空：请写程序及其参数")))
                    }
                    _ => Ok(source),
                }
            }
        }
        d.deserialize_any(V)
    }
}
