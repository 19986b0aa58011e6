//! One cell of a row: what a filter compares and what an answer prints.
//!
//! Invariant: a value prints as the compact JSON the real server sends (dates as `YYYY-MM-DDTHH:mm:ss` in the server's own time).

use std::borrow::Cow;
use std::cmp::Ordering;

use super::dec::Dec;
use chrono::{DateTime, NaiveDate, NaiveDateTime};

/// A value of a column.
#[derive(Clone, Debug, PartialEq)]
pub enum Value<'a> {
    /// Empty date, empty base-data property.
    Null,
    /// Ids and sequence numbers.
    Int(i64),
    /// Quantities and amounts of generated bills.
    Num(f64),
    /// Quantities and amounts of saved ones.
    Dec(Dec),
    /// Yes or no.
    Flag(bool),
    /// Codes, numbers, names, notes.
    Text(Cow<'a, str>),
    /// Server-local seconds since 1970-01-01T00:00:00.
    Time(i64),
}

/// Two values that SQL would refuse to compare (a date with `'abc'`, a number with `'x'`).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mismatch(
    /// The text that could not be converted.
    pub String,
);

impl<'a> Value<'a> {
    /// Text that lives as long as the row.
    pub fn text(text: &'a str) -> Self {
        Self::Text(Cow::Borrowed(text))
    }

    /// Appends this value as JSON.
    pub fn write_json(&self, out: &mut Vec<u8>) {
        match self {
            Self::Null => out.extend_from_slice(b"null"),
            Self::Int(n) => out.extend_from_slice(n.to_string().as_bytes()),
            Self::Num(n) => {
                // Newtonsoft prints a decimal with its point: `10.0`, never `10`.
                let text = if n.fract() == 0.0 { format!("{n:.1}") } else { n.to_string() };
                out.extend_from_slice(text.as_bytes());
            }
            Self::Dec(n) => out.extend_from_slice(n.text().as_bytes()),
            Self::Flag(flag) => out.extend_from_slice(if *flag { b"true" } else { b"false" }),
            Self::Text(text) => write_string(text, out),
            Self::Time(seconds) => {
                out.push(b'"');
                out.extend_from_slice(time_text(*seconds).as_bytes());
                out.push(b'"');
            }
        }
    }
}

/// Appends a JSON string: what must be escaped is, everything else stays as it is.
pub fn write_string(text: &str, out: &mut Vec<u8>) {
    out.push(b'"');
    for c in text.chars() {
        match c {
            '"' => out.extend_from_slice(b"\\\""),
            '\\' => out.extend_from_slice(b"\\\\"),
            '\n' => out.extend_from_slice(b"\\n"),
            '\r' => out.extend_from_slice(b"\\r"),
            '\t' => out.extend_from_slice(b"\\t"),
            c if u32::from(c) < 0x20 => out.extend_from_slice(format!("\\u{:04x}", u32::from(c)).as_bytes()),
            c => out.extend_from_slice(c.encode_utf8(&mut [0; 4]).as_bytes()),
        }
    }
    out.push(b'"');
}

/// `YYYY-MM-DDTHH:mm:ss`, the form of every date in an answer (docs/design/wire.md#rows-and-dates).
pub fn time_text(seconds: i64) -> String {
    DateTime::from_timestamp(seconds, 0)
        .map_or_else(|| "0001-01-01T00:00:00".to_owned(), |t| t.naive_utc().format("%Y-%m-%dT%H:%M:%S").to_string())
}

/// Reads `YYYY-MM-DD`, with an optional time after a blank or `T`, with `-` or `/`. `None` when it is no date.
pub fn parse_time(text: &str) -> Option<i64> {
    let text = text.trim();
    let (day, time) = match text.split_once([' ', 'T']) {
        Some((day, time)) => (day, time.trim()),
        None => (text, ""),
    };
    let mut parts = day.split(['-', '/']);
    let (year, month, day) = (parts.next()?, parts.next()?, parts.next()?);
    if parts.next().is_some() || year.len() != 4 {
        return None;
    }
    let date = NaiveDate::from_ymd_opt(year.parse().ok()?, month.parse().ok()?, day.parse().ok()?)?;
    let mut clock = [0u32; 3];
    if !time.is_empty() {
        let (whole, fraction) = time.split_once('.').unwrap_or((time, "0"));
        if fraction.is_empty() || !fraction.bytes().all(|b| b.is_ascii_digit()) {
            return None;
        }
        let mut fields = whole.split(':');
        for slot in &mut clock {
            if let Some(field) = fields.next() {
                *slot = field.parse().ok()?;
            }
        }
        if fields.next().is_some() {
            return None;
        }
    }
    let [hour, minute, second] = clock;
    let at: NaiveDateTime = date.and_hms_opt(hour, minute, second)?;
    Some(at.and_utc().timestamp())
}

/// Text order of the database: case does not count, trailing blanks do not count (so `''` equals `' '`).
pub fn collate(a: &str, b: &str) -> Ordering {
    let (a, b) = (a.trim_end_matches(' '), b.trim_end_matches(' '));
    if a.is_ascii() && b.is_ascii() {
        return a.bytes().map(|c| c.to_ascii_lowercase()).cmp(b.bytes().map(|c| c.to_ascii_lowercase()));
    }
    a.chars().flat_map(char::to_lowercase).cmp(b.chars().flat_map(char::to_lowercase))
}

/// SQL order of two values: `None` when either is null.
pub fn compare(a: &Value<'_>, b: &Value<'_>) -> Result<Option<Ordering>, Mismatch> {
    Ok(match (a, b) {
        (Value::Null, _) | (_, Value::Null) => None,
        (Value::Flag(flag), other) => return compare(&as_number(*flag, other), other),
        (other, Value::Flag(flag)) => return compare(other, &as_number(*flag, other)),
        (Value::Dec(a), Value::Dec(b)) => Some(a.cmp(b)),
        (Value::Dec(a), Value::Int(b)) => Some(a.cmp_int(*b)),
        (Value::Int(a), Value::Dec(b)) => Some(b.cmp_int(*a).reverse()),
        (Value::Dec(a), Value::Num(b)) => a.float().partial_cmp(b),
        (Value::Num(a), Value::Dec(b)) => a.partial_cmp(&b.float()),
        (Value::Dec(a), Value::Text(b)) => Some(a.cmp(&decimal(b)?)),
        (Value::Text(a), Value::Dec(b)) => Some(decimal(a)?.cmp(b)),
        (Value::Int(a), Value::Int(b)) | (Value::Time(a), Value::Time(b)) => Some(a.cmp(b)),
        (Value::Int(a), Value::Num(b)) => (*a as f64).partial_cmp(b),
        (Value::Num(a), Value::Int(b)) => a.partial_cmp(&(*b as f64)),
        (Value::Num(a), Value::Num(b)) => a.partial_cmp(b),
        (Value::Text(a), Value::Text(b)) => Some(collate(a, b)),
        (Value::Time(a), Value::Text(b)) => Some(a.cmp(&parse_time(b).ok_or_else(|| Mismatch(b.to_string()))?)),
        (Value::Text(a), Value::Time(b)) => Some(parse_time(a).ok_or_else(|| Mismatch(a.to_string()))?.cmp(b)),
        (Value::Int(a), Value::Text(b)) => match b.trim().parse::<i64>() {
            Ok(b) => Some(a.cmp(&b)),
            Err(_) => (*a as f64).partial_cmp(&number(b)?),
        },
        (Value::Text(a), Value::Int(b)) => match a.trim().parse::<i64>() {
            Ok(a) => Some(a.cmp(b)),
            Err(_) => number(a)?.partial_cmp(&(*b as f64)),
        },
        (Value::Num(a), Value::Text(b)) => a.partial_cmp(&number(b)?),
        (Value::Text(a), Value::Num(b)) => number(a)?.partial_cmp(b),
        (Value::Time(t), Value::Int(_) | Value::Num(_) | Value::Dec(_))
        | (Value::Int(_) | Value::Num(_) | Value::Dec(_), Value::Time(t)) => {
            return Err(Mismatch(time_text(*t)));
        }
    })
}

/// A checkbox is a column of `0` and `1`, and may be asked for as `true` too.
fn as_number<'a>(flag: bool, other: &Value<'_>) -> Value<'a> {
    match other {
        Value::Text(text) if text.eq_ignore_ascii_case("true") || text.eq_ignore_ascii_case("false") => {
            Value::Text(Cow::Borrowed(if flag { "true" } else { "false" }))
        }
        _ => Value::Int(i64::from(flag)),
    }
}

fn decimal(text: &str) -> Result<Dec, Mismatch> {
    Dec::parse(text).ok_or_else(|| Mismatch(text.to_owned()))
}

fn number(text: &str) -> Result<f64, Mismatch> {
    let trimmed = text.trim();
    // Rust reads `inf`, `nan` and `1e5` as numbers; a SQL conversion of such a text fails or is no decimal.
    if trimmed.bytes().all(|b| b.is_ascii_digit() || matches!(b, b'-' | b'+' | b'.'))
        && let Ok(n) = trimmed.parse()
    {
        return Ok(n);
    }
    Err(Mismatch(text.to_owned()))
}
