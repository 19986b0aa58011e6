//! The order of a list of bills by one of its columns.
//!
//! Invariants: a total order, the same wherever it is asked for; numbers sort as numbers, dates as dates, what has no value
//! comes last in both directions; equal values stand by the id of their bill.

use std::cmp::Ordering;

use serde::{Deserialize, Serialize};

use super::bill::Outcome;
use super::ids::{RunId, WorkKey};
use super::run::BillRow;
use super::time::ErpDate;

/// Rows that are sorted at most: of a longer list the first ones, in its own order.
pub const SORTED_AT_MOST: u64 = 10_000;

/// What a list is sorted by.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum By {
    /// Bill number.
    Number,
    /// Column of the sum line.
    Outcome,
    /// Cause, reason or way of not knowing.
    Cause,
    /// Calls made.
    Tries,
    /// How long it has been unresolved, or since it changed last.
    Age,
    /// A column of the plan, by the names that plans have for it.
    Column(Vec<String>),
}

/// An order.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sort {
    /// What by.
    pub by: By,
    /// Largest first.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub descending: bool,
}

/// A value as it is compared.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Value {
    /// In millionths.
    Number(i64),
    /// Digits that are too many for that: how many, and which.
    Long(usize, String),
    /// A date.
    Date(ErpDate),
    /// Anything else.
    Text(String),
    /// No value.
    Empty,
}

impl Value {
    /// Reads a text as it stands in a column.
    pub fn of(text: &str) -> Self {
        let text = text.trim();
        if text.is_empty() {
            return Self::Empty;
        }
        if let Some(number) = millionths(text) {
            return Self::Number(number);
        }
        if text.bytes().all(|b| b.is_ascii_digit()) {
            let digits = text.trim_start_matches('0');
            return Self::Long(digits.len(), digits.to_owned());
        }
        match ErpDate::parse(text) {
            Some(date) => Self::Date(date),
            None => Self::Text(text.to_owned()),
        }
    }
}

/// A plain number of at most twelve digits before the point and six behind it.
fn millionths(text: &str) -> Option<i64> {
    let (negative, digits) = text.strip_prefix('-').map_or((false, text), |rest| (true, rest));
    let (whole, part) = digits.split_once('.').unwrap_or((digits, ""));
    let is_plain = |text: &str, most: usize| text.len() <= most && text.bytes().all(|b| b.is_ascii_digit());
    if whole.is_empty() || !is_plain(whole, 12) || !is_plain(part.trim_end_matches('0'), 6) {
        return None;
    }
    if !part.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    let part = part.get(..part.len().min(6)).unwrap_or(part);
    let part: i64 = format!("{part:0<6}").parse().ok()?;
    let all = whole.parse::<i64>().ok()?.checked_mul(1_000_000)?.checked_add(part)?;
    Some(if negative { -all } else { all })
}

/// Where a row stands in a sorted list.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Place {
    /// What it has in the column.
    pub value: Value,
    /// The bill, and the run the row is of.
    pub key: WorkKey,
    /// See [`Place::key`].
    pub run: RunId,
}

impl Sort {
    /// Where a row stands. `names`: those of its run's columns.
    pub fn place(&self, row: &BillRow, names: &[String]) -> Place {
        let number = |n: i64| Value::Number(n);
        let value = match &self.by {
            By::Number => Value::of(&row.no),
            By::Outcome => Value::Text(row.state.slot().word().to_owned()),
            By::Cause => {
                let group = row.state.outcome().and_then(Outcome::group);
                group.map_or(Value::Empty, Value::Text)
            }
            By::Tries => number(i64::from(row.attempts)),
            // The older, the longer.
            By::Age => number(-row.open_since.unwrap_or(row.at).0),
            By::Column(wanted) => {
                let at = names.iter().position(|name| wanted.contains(name));
                at.and_then(|at| row.columns.get(at)).map_or(Value::Empty, |text| Value::of(text))
            }
        };
        Place { value, key: row.key.clone(), run: row.run }
    }

    /// Which of two rows comes first.
    pub fn compare(&self, one: &Place, other: &Place) -> Ordering {
        let values = match (&one.value, &other.value) {
            (Value::Empty, Value::Empty) => Ordering::Equal,
            (Value::Empty, _) => Ordering::Greater,
            (_, Value::Empty) => Ordering::Less,
            (one, other) if self.descending => other.cmp(one),
            (one, other) => one.cmp(other),
        };
        values.then_with(|| one.key.cmp(&other.key)).then_with(|| one.run.cmp(&other.run))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_sort_as_numbers_dates_as_dates_and_nothing_comes_last() {
        let sorted = ["-3", "-0.5", "2", "9.99", "10", "0010.5", "123456789012.5", "1234567890123", "99999999999999"];
        let dates = ["2025-12-31T23:59:59", "2026-01-01", "2026-01-01 08:00:00"];
        let texts = ["10x", "CUST0002", "客户"];
        let all: Vec<Value> =
            sorted.iter().chain(&dates).chain(&texts).chain(&["", " "]).map(|text| Value::of(text)).collect();
        assert!(all.is_sorted(), "{all:?}");
        assert_eq!(Value::of("10.50"), Value::of("10.5"));
        assert_eq!(Value::of("10"), Value::of("010.000000"));
        assert!(matches!(Value::of("1.2345678"), Value::Text(_)) && matches!(Value::of("1.2x"), Value::Text(_)));
        assert!(matches!(Value::of("-"), Value::Text(_)) && matches!(Value::of("."), Value::Text(_)));
    }
}
