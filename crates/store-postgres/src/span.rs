//! A stretch of the index's keys as a question to a table: bounds of keys become conditions on columns.
//!
//! Invariant: the rows of a stretch, in the order that is asked for, are those whose keys lie in it.

use std::fmt::Write as _;
use std::ops::Bound;

use skydeck_store::StoreError;
use skydeck_store::index::key::{u16_at, u32_at, u64_at};

use crate::io::Value;

/// A stretch of keys behind a prefix: what follows the prefix lies between two edges.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Span<'a> {
    /// What all keys begin with, the space among it.
    pub prefix: &'a [u8],
    from: Option<(&'a [u8], &'static str)>,
    to: Option<(&'a [u8], &'static str)>,
}

fn odd() -> StoreError {
    StoreError::Read("a stretch of the index that no table answers".to_owned())
}

impl<'a> Span<'a> {
    /// Cuts bounds behind a prefix of `n` bytes.
    pub fn cut(low: Bound<&'a [u8]>, high: Bound<&'a [u8]>, n: usize) -> Result<Self, StoreError> {
        let (at, from_sign) = match low {
            Bound::Included(at) => (at, ">="),
            Bound::Excluded(at) => (at, ">"),
            Bound::Unbounded => return Err(odd()),
        };
        let (prefix, from) = at.split_at_checked(n).ok_or_else(odd)?;
        let to = match high {
            Bound::Included(at) => at.strip_prefix(prefix).map(|rest| (rest, "<=")),
            Bound::Excluded(at) => at.strip_prefix(prefix).map(|rest| (rest, "<")),
            Bound::Unbounded => None,
        };
        Ok(Self { prefix, from: (!from.is_empty()).then_some((from, from_sign)), to })
    }

    /// The edges, with their signs.
    pub fn edges(&self) -> impl Iterator<Item = (&'a [u8], &'static str)> {
        [self.from, self.to].into_iter().flatten()
    }

    /// Whether what follows the prefix lies between the edges.
    pub fn has(&self, rest: &[u8]) -> bool {
        self.edges().all(|(edge, sign)| match sign {
            ">=" => rest >= edge,
            ">" => rest > edge,
            "<=" => rest <= edge,
            _ => rest < edge,
        })
    }
}

/// A question that is put together.
pub struct Question {
    sql: String,
    values: Vec<Value>,
    conditions: usize,
}

impl Question {
    /// Columns and tables.
    pub fn new(select: &str) -> Self {
        Self { sql: select.to_owned(), values: Vec::new(), conditions: 0 }
    }

    fn place(&mut self, value: Value) -> usize {
        self.values.push(value);
        self.values.len()
    }

    fn and(&mut self, condition: &str) {
        self.sql.push_str(if self.conditions == 0 { " where " } else { " and " });
        self.sql.push_str(condition);
        self.conditions += 1;
    }

    /// A condition as it is.
    pub fn only(mut self, condition: &str) -> Self {
        self.and(condition);
        self
    }

    /// A column holds a value.
    pub fn is(mut self, column: &str, value: Value) -> Self {
        let n = self.place(value);
        self.and(&format!("{column} = ${n}"));
        self
    }

    /// Columns, taken together, lie beyond an edge.
    pub fn edge(mut self, columns: &[&str], sign: &str, values: Vec<Value>) -> Self {
        let places: Vec<String> = values.into_iter().map(|value| format!("${}", self.place(value))).collect();
        self.and(&format!("({}) {sign} ({})", columns.join(", "), places.join(", ")));
        self
    }

    /// In an order, at most so many.
    pub fn in_order(mut self, columns: &[&str], back: bool, max: usize) -> (String, Vec<Value>) {
        let down = if back { " desc" } else { "" };
        let order: Vec<String> = columns.iter().map(|column| format!("{column}{down}")).collect();
        let n = self.place(Box::new(i64::try_from(max).unwrap_or(i64::MAX)));
        // Writing to a String cannot fail.
        let _ = write!(self.sql, " order by {} limit ${n}", order.join(", "));
        (self.sql, self.values)
    }
}

/// A number of two bytes as the tables hold it.
pub fn small(bytes: &[u8], at: usize) -> Result<i32, StoreError> {
    u16_at(bytes, at).map(i32::from).ok_or_else(odd)
}

/// A number of four bytes as the tables hold it.
pub fn number(bytes: &[u8], at: usize) -> Result<i32, StoreError> {
    u32_at(bytes, at).and_then(|n| i32::try_from(n).ok()).ok_or_else(odd)
}

/// A place of the journal as the tables hold it; one behind all of them is as good as the last.
pub fn place(bytes: &[u8], at: usize) -> Result<i64, StoreError> {
    u64_at(bytes, at).map(|n| i64::try_from(n).unwrap_or(i64::MAX)).ok_or_else(odd)
}

/// A moment as the tables hold it.
pub fn moment(bytes: &[u8], at: usize) -> Result<i64, StoreError> {
    u64_at(bytes, at).map(|bits| skydeck_store::index::key::ts_of(bits).0).ok_or_else(odd)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bounds_become_conditions_behind_their_prefix() {
        let low = [b'B', 0, 0, 0, 7, 3];
        let high = [b'B', 0, 0, 0, 8];
        let span = Span::cut(Bound::Excluded(&low), Bound::Excluded(&high), 5).unwrap();
        assert_eq!(span.prefix, &low[..5]);
        assert_eq!(span.edges().collect::<Vec<_>>(), [(&low[5..], ">")]);
        assert!(span.has(&[4]) && !span.has(&[3]) && span.has(&[3, 0]));
        let span = Span::cut(Bound::Included(&low[..5]), Bound::Excluded(&low), 5).unwrap();
        assert_eq!(span.edges().collect::<Vec<_>>(), [(&low[5..], "<")]);
        assert!(Span::cut(Bound::Unbounded, Bound::Unbounded, 1).is_err());
        assert!(Span::cut(Bound::Included(&low[..2]), Bound::Unbounded, 5).is_err());
        let (sql, values) = Question::new("select 1 from t")
            .is("run", Box::new(7_i32))
            .edge(&["a", "b"], ">", vec![Box::new(1_i64), Box::new(2_i32)])
            .in_order(&["a", "b"], true, 5);
        assert_eq!(sql, "select 1 from t where run = $1 and (a, b) > ($2, $3) order by a desc, b desc limit $4");
        assert_eq!(values.len(), 4);
    }
}
