//! Lengths of time in the configuration: `90s`, `10m`, `2h`.

use std::time::Duration;

use serde::Deserialize;

use super::said::Said;
use crate::domain::time::parse_span;

/// A length of time, as it is written.
pub(super) struct Span(pub Duration);

impl<'de> Deserialize<'de> for Span {
    fn deserialize<D: serde::Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        let text = String::deserialize(d)?;
        parse_span(&text).map(Self).map_err(|en| {
            let zh = format!("`{text}` 不是时长，或超过 36500d：请写 500ms、90s、10m、2h 或 1d");
            serde::de::Error::custom(Said::new(en, zh))
        })
    }
}
