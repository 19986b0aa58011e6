//! Scalars as Kingdee prints them: numbers that come as text, booleans that come as text, ids that fit no float.

use serde::de::{Deserialize, Deserializer, Error as _, Visitor};
use serde_json::value::RawValue;

use skydeck_core::domain::time::ErpDate;

/// A code that may come as `1`, `"1"`, `""`, `null` or not at all. A boolean is not a code.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Code(pub Option<i64>);

impl<'de> Deserialize<'de> for Code {
    fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        struct V;
        impl Visitor<'_> for V {
            type Value = Code;
            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("a code")
            }
            fn visit_bool<E>(self, _: bool) -> Result<Code, E> {
                Ok(Code(None))
            }
            fn visit_i64<E>(self, v: i64) -> Result<Code, E> {
                Ok(Code(Some(v)))
            }
            fn visit_u64<E>(self, v: u64) -> Result<Code, E> {
                Ok(Code(i64::try_from(v).ok()))
            }
            fn visit_f64<E>(self, _: f64) -> Result<Code, E> {
                Ok(Code(None))
            }
            fn visit_str<E>(self, v: &str) -> Result<Code, E> {
                Ok(Code(v.trim().parse().ok()))
            }
            fn visit_unit<E>(self) -> Result<Code, E> {
                Ok(Code(None))
            }
        }
        d.deserialize_any(V)
    }
}

/// A truth that may come as `true`, `"true"` or `"True"`. Anything that is neither true nor false is an error:
/// nothing is taken for a success by default.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Truth(pub bool);

impl<'de> Deserialize<'de> for Truth {
    fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        struct V;
        impl Visitor<'_> for V {
            type Value = Truth;
            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("true or false")
            }
            fn visit_bool<E>(self, v: bool) -> Result<Truth, E> {
                Ok(Truth(v))
            }
            fn visit_str<E: serde::de::Error>(self, v: &str) -> Result<Truth, E> {
                match v.trim().to_ascii_lowercase().as_str() {
                    "true" => Ok(Truth(true)),
                    "false" => Ok(Truth(false)),
                    _ => Err(E::custom("neither true nor false")),
                }
            }
        }
        d.deserialize_any(V)
    }
}

/// Text that may come as text, a number (kept as printed) or `null`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Loose(pub Option<String>);

impl<'de> Deserialize<'de> for Loose {
    fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        let raw = <&RawValue>::deserialize(d)?;
        match raw.get().as_bytes().first() {
            Some(b'{' | b'[') => Err(D::Error::custom("a scalar expected")),
            Some(b'n') => Ok(Self(None)),
            _ => Ok(Self(cell_text(raw))),
        }
    }
}

/// A list that may come as `null`.
pub fn list_or_null<'de, D, T>(d: D) -> Result<Vec<T>, D::Error>
where
    D: Deserializer<'de>,
    T: Deserialize<'de>,
{
    Ok(Option::<Vec<T>>::deserialize(d)?.unwrap_or_default())
}

/// A scalar cell as text: `null` is empty, a number stays as printed, text is unescaped. `None` for an object or a list.
pub fn cell_text(raw: &RawValue) -> Option<String> {
    let text = raw.get();
    match text.as_bytes().first() {
        Some(b'"') => serde_json::from_str(text).ok(),
        Some(b'{' | b'[') | None => None,
        Some(b'n') => Some(String::new()),
        Some(_) => Some(text.to_owned()),
    }
}

/// A date cell in any of the three printed forms (docs/design/wire.md#rows-and-dates). `/Date(ms)/` counts from 1970
/// UTC and is brought to the server's zone, `zone_minutes` ahead of UTC unless it names its own.
pub fn date_of(text: &str, zone_minutes: i32) -> Option<ErpDate> {
    if let Some(date) = ErpDate::parse(text) {
        return Some(date);
    }
    let inner = text.trim().strip_prefix("/Date(")?.strip_suffix(")/")?;
    let sign_at = inner.char_indices().skip(1).find(|(_, c)| matches!(c, '+' | '-')).map(|(at, _)| at);
    let (millis, minutes) = match sign_at {
        Some(at) => {
            let (millis, offset) = inner.split_at(at);
            let digits = offset.get(1..5)?;
            let minutes = digits.get(..2)?.parse::<i32>().ok()? * 60 + digits.get(2..)?.parse::<i32>().ok()?;
            (millis, if offset.starts_with('-') { -minutes } else { minutes })
        }
        None => (inner, zone_minutes),
    };
    let utc = chrono::DateTime::from_timestamp_millis(millis.parse().ok()?)?.naive_utc();
    Some(ErpDate::from_naive(utc.checked_add_signed(chrono::Duration::minutes(i64::from(minutes)))?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_are_normalised_and_a_boolean_is_none() {
        for (json, code) in
            [("1", Some(1)), ("\"1\"", Some(1)), ("\"\"", None), ("null", None), ("true", None), ("1.5", None)]
        {
            assert_eq!(serde_json::from_str::<Code>(json).unwrap().0, code, "{json}");
        }
    }

    #[test]
    fn truths_come_as_text_too_and_nothing_else_is_true() {
        for (json, truth) in
            [("true", true), ("\"true\"", true), ("\"True\"", true), ("\"false\"", false), ("false", false)]
        {
            assert_eq!(serde_json::from_str::<Truth>(json).unwrap().0, truth, "{json}");
        }
        for json in ["1", "\"\"", "null", "\"yes\"", "[]"] {
            assert!(serde_json::from_str::<Truth>(json).is_err(), "{json}");
        }
    }

    #[test]
    fn cells_keep_their_digits() {
        for (json, text) in [
            ("9007199254740993", Some("9007199254740993")),
            ("12345678901234567890.12", Some("12345678901234567890.12")),
            ("\" \"", Some(" ")),
            ("null", Some("")),
            ("\"\\u5ba2\"", Some("客")),
            ("[1]", None),
        ] {
            let raw: Box<RawValue> = serde_json::from_str(json).unwrap();
            assert_eq!(cell_text(&raw).as_deref(), text, "{json}");
        }
    }

    #[test]
    fn the_three_date_forms_are_read() {
        for (text, date) in [
            ("2025-01-02T00:00:00", Some("2025-01-02T00:00:00")),
            ("2025-01-02 03:04:05.120", Some("2025-01-02T03:04:05.120")),
            ("/Date(1735747200000)/", Some("2025-01-02T00:00:00")),
            ("/Date(1735747200000+0900)/", Some("2025-01-02T01:00:00")),
            ("/Date(1735747200000-0100)/", Some("2025-01-01T15:00:00")),
            ("/Date()/", None),
            ("/Date(1+é)/", None),
            ("", None),
        ] {
            assert_eq!(date_of(text, 480).as_ref().map(ErpDate::as_str), date, "{text}");
        }
    }
}
