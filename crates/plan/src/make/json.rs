//! JSON as it is sent: keys in the order of the plan, numbers digit by digit.
//!
//! Invariant: no number is read into a float on its way from a column to the body.

use std::fmt;

use serde::Deserialize;
use serde::de::{Deserializer, MapAccess, Visitor};
use serde_json::value::RawValue;

/// A value of a body.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Json {
    /// A text.
    Text(String),
    /// A number, a truth or JSON of the source: checked, and written as it stands.
    Raw(String),
    /// An object, its keys in order.
    Object(Vec<(String, Self)>),
    /// A list.
    List(Vec<Self>),
}

impl Json {
    /// Writes it without blanks.
    pub fn write(&self, out: &mut String) {
        match self {
            // A text is always JSON.
            Self::Text(text) => out.push_str(&serde_json::to_string(text).unwrap_or_default()),
            Self::Raw(raw) => out.push_str(raw),
            Self::Object(fields) => {
                out.push('{');
                for (n, (name, value)) in fields.iter().enumerate() {
                    if n > 0 {
                        out.push(',');
                    }
                    out.push_str(&serde_json::to_string(name).unwrap_or_default());
                    out.push(':');
                    value.write(out);
                }
                out.push('}');
            }
            Self::List(items) => {
                out.push('[');
                for (n, item) in items.iter().enumerate() {
                    if n > 0 {
                        out.push(',');
                    }
                    item.write(out);
                }
                out.push(']');
            }
        }
    }
}

/// The members of a JSON object in their order, their values as they stand.
struct Members(Vec<(String, Box<RawValue>)>);

impl<'de> Deserialize<'de> for Members {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct InOrder;
        impl<'de> Visitor<'de> for InOrder {
            type Value = Members;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Members, A::Error> {
                let mut all = Vec::new();
                while let Some(member) = map.next_entry()? {
                    all.push(member);
                }
                Ok(Members(all))
            }
        }
        deserializer.deserialize_map(InOrder)
    }
}

/// The members of a JSON object as a list of keys and values. A key of digits is a number: such keys are languages. `None`: the
/// text is no JSON object.
pub fn pairs(text: &str) -> Option<Json> {
    // The vendor takes line breaks out first, inside texts too, where JSON allows none.
    let text: String = text.chars().filter(|c| !matches!(c, '\r' | '\n')).collect();
    let Members(all) = serde_json::from_str(&text).ok()?;
    let key = |name: String| match name.parse::<u32>() {
        Ok(n) if n.to_string() == name => Json::Raw(name),
        _ => Json::Text(name),
    };
    let pair = |(name, value): (String, Box<RawValue>)| {
        Json::Object(vec![("Key".to_owned(), key(name)), ("Value".to_owned(), Json::Raw(value.get().to_owned()))])
    };
    Some(Json::List(all.into_iter().map(pair).collect()))
}
