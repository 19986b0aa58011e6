//! What a plan's column is asked for: a text, a number by its size, a date.
//!
//! Invariant: a sign of comparison is never looked for as text: what stands behind it is a number or a date, or a fault.

use crate::domain::language::Language;
use crate::domain::sort::Value;
use crate::domain::time::{ErpDate, Ts};

use super::when::{Moment, Span, half_width};
use super::{FilterFault, like};

/// One value that a column may have.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Wanted {
    /// This text: case ignored, `*` at either end as a wildcard.
    Text(String),
    /// A number of this size, digits as they are written.
    Number(Size),
    /// A date within it.
    Date(Span),
}

/// How large a number is. Ends are decimals of any length.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[expect(missing_docs, reason = "each is named after its sign")]
pub enum Size {
    Over(String),
    AtLeast(String),
    Under(String),
    AtMost(String),
    Between(String, String),
}

impl Wanted {
    pub(super) fn parse(written: &str) -> Result<Self, FilterFault> {
        let text = half_width(written);
        let text = text.trim();
        if let Some(size) = Size::parse(text)? {
            return Ok(Self::Number(size));
        }
        let compares = text.starts_with(['>', '<']);
        match Span::parse(text, Moment::Bill) {
            // A year alone may be any number.
            Ok(span) if compares || text.contains("..") || !text.bytes().all(|b| b.is_ascii_digit()) => {
                Ok(Self::Date(span))
            }
            Err(fault @ (FilterFault::Reversed(_) | FilterFault::NoYear(_) | FilterFault::NoDay { .. }))
                if compares || text.contains("..") =>
            {
                Err(fault)
            }
            Err(_) if compares => Err(FilterFault::NoBound(text.to_owned())),
            Ok(_) | Err(_) => Ok(Self::Text(written.to_owned())),
        }
    }

    pub(super) fn holds(&self, value: &str, now: Ts) -> bool {
        match self {
            Self::Text(text) => like(value, text),
            Self::Number(size) => size.holds(value),
            // A column may hold the same words without being of dates.
            Self::Date(span) => match ErpDate::written(value.trim()) {
                Some(date) => span.holds_date(date, now),
                None => like(value, &span.said(Language::En)) || like(value, &span.said(Language::Zh)),
            },
        }
    }

    /// A part of every value that passes; `None` where there is no one such text.
    pub fn text(&self) -> Option<String> {
        match self {
            Self::Text(text) => Some(text.trim_matches('*').to_owned()),
            Self::Number(_) => None,
            Self::Date(span) => span.beginning(),
        }
    }

    pub(super) fn said(&self, lang: Language) -> String {
        match self {
            Self::Text(text) => text.clone(),
            Self::Number(size) => size.said(),
            Self::Date(span) => span.said(lang),
        }
    }
}

/// A plain decimal.
fn number(text: &str) -> Option<Value> {
    match Value::of(text) {
        value @ (Value::Number(_) | Value::Long(..)) => Some(value),
        Value::Date(_) | Value::Text(_) | Value::Empty => None,
    }
}

impl Size {
    /// `None` for what is no number with a sign.
    fn parse(text: &str) -> Result<Option<Self>, FilterFault> {
        let signs =
            [(">=", Self::AtLeast as fn(String) -> Self), ("<=", Self::AtMost), (">", Self::Over), ("<", Self::Under)];
        if let Some((rest, size)) = signs.iter().find_map(|(sign, size)| Some((text.strip_prefix(sign)?.trim(), size)))
        {
            return Ok(number(rest).map(|_| size(rest.to_owned())));
        }
        let Some((from, to)) = text.split_once("..") else { return Ok(None) };
        let (from, to) = (from.trim(), to.trim());
        Ok(match (number(from), number(to)) {
            (Some(low), Some(high)) if high < low => return Err(FilterFault::LargerFirst(text.to_owned())),
            (Some(_), Some(_)) => Some(Self::Between(from.to_owned(), to.to_owned())),
            (Some(_), None) if to.is_empty() => Some(Self::AtLeast(from.to_owned())),
            (None, Some(_)) if from.is_empty() => Some(Self::AtMost(to.to_owned())),
            _ => None,
        })
    }

    fn holds(&self, value: &str) -> bool {
        let Some(value) = number(value) else { return false };
        let is =
            |text: &String, wanted: fn(&Value, &Value) -> bool| number(text).is_some_and(|end| wanted(&value, &end));
        match self {
            Self::Over(end) => is(end, Value::gt),
            Self::AtLeast(end) => is(end, Value::ge),
            Self::Under(end) => is(end, Value::lt),
            Self::AtMost(end) => is(end, Value::le),
            Self::Between(low, high) => is(low, Value::ge) && is(high, Value::le),
        }
    }

    fn said(&self) -> String {
        match self {
            Self::Over(end) => format!(">{end}"),
            Self::AtLeast(end) => format!(">={end}"),
            Self::Under(end) => format!("<{end}"),
            Self::AtMost(end) => format!("<={end}"),
            Self::Between(low, high) => format!("{low}..{high}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn holds(wanted: &str, value: &str) -> bool {
        // 2026-11-27 15:30 in universal time.
        Wanted::parse(wanted).unwrap().holds(value, Ts(1_795_793_400_000))
    }

    #[test]
    fn a_column_is_asked_by_the_size_of_its_number_by_its_date_or_by_its_text() {
        for (wanted, values, others) in [
            (
                ">1000",
                &["1000.01", "66274.62", "99999999999999999999"][..],
                &["1000", "1000.00", "-2000", "", "千"][..],
            ),
            ("＞＝1000", &["1000", "1000.000000"], &["999.999999", "1e9"]),
            ("<-1.5", &["-2", "-1.500001"], &["-1.5", "0", "2026-11-01 00:00:00"]),
            ("<=0", &["0.00", "-7"], &["0.000001"]),
            ("10..20", &["10", "15.5", "20.00"], &["9.99", "20.01", "10..20"]),
            ("..5", &["5", "-9"], &["6"]),
            ("5..", &["5", "12345678901234567890"], &["4.9"]),
            (">12345678901234567890", &["12345678901234567891"], &["12345678901234567890", "5"]),
            (">=2026-11-20", &["2026-11-20 00:00:00", "2026-12-01T08:00:00"], &["2026-11-19 23:59:59", "2026"]),
            ("2026-11", &["2026-11-30 00:00:00", "2026-11"], &["2026-12-01 00:00:00"]),
            ("上周", &["2026-11-16 00:00:00", "2026-11-22", "上周"], &["2026-11-23 00:00:00"]),
            ("yesterday", &["2026-11-26 12:00:00"], &["2026-11-27"]),
            ("2026", &["2026"], &["2026-11-20"]),
            ("*博世通*", &["厦门博世通机械有限公司"], &["博世"]),
            ("A..B", &["a..b"], &["a"]),
            ("v1..v2", &["V1..V2"], &[]),
        ] {
            for value in values {
                assert!(holds(wanted, value), "{wanted} {value}");
            }
            for value in others {
                assert!(!holds(wanted, value), "{wanted} {value}");
            }
        }
    }

    #[test]
    fn what_stands_behind_a_sign_is_a_number_or_a_date_or_a_fault() {
        for (text, fault) in [
            (">西", FilterFault::NoBound(">西".into())),
            (">", FilterFault::NoBound(">".into())),
            ("<=1,000", FilterFault::NoBound("<=1,000".into())),
            (">>5", FilterFault::NoBound(">>5".into())),
            ("20..10", FilterFault::LargerFirst("20..10".into())),
            ("2026-12..2026-11", FilterFault::Reversed("2026-12..2026-11".into())),
            (">=1890-01-01", FilterFault::NoYear("1890-01-01".into())),
            ("2026-11..9999-12", FilterFault::NoYear("9999-12".into())),
            (">=2026-02-30", FilterFault::NoDay { date: "2026-02-30".into(), days: 28 }),
        ] {
            assert_eq!(Wanted::parse(text), Err(fault), "{text}");
        }
    }
}
