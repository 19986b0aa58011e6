//! The vendor's `condition`: applied to rows after reading (docs/design/plan-format.md#conditions).
//!
//! Invariant: outer or, inner and; a row is let through only when every comparison of one group holds. An empty value
//! is neither above nor below anything.

use std::cmp::Ordering;

use skydeck_core::domain::plan::{Condition, Logic, Source};
use skydeck_core::domain::time::ErpDate;

/// Whether a row passes the plan's `condition` (outer OR, inner AND; no condition passes everything).
/// `columns`: values in the order of [`Source::columns`].
pub fn passes(source: &Source, columns: &[String]) -> bool {
    source.condition.is_empty()
        || source.condition.iter().any(|group| group.iter().all(|condition| holds(source, condition, columns)))
}

/// One comparison. A column that is not there counts as empty.
fn holds(source: &Source, condition: &Condition, columns: &[String]) -> bool {
    let at = source.columns.iter().position(|c| c.key == condition.field);
    let value = at.and_then(|at| columns.get(at)).map_or("", String::as_str);
    let empty = value.trim().is_empty();
    let first = condition.value.first().map_or("", String::as_str);
    let order = |wanted: &str| if empty { None } else { compare(value, wanted) };
    match condition.logic {
        Logic::IsNull => empty,
        Logic::NotNull => !empty,
        Logic::Eq => same(value, first),
        Logic::Neq => !same(value, first),
        Logic::Gt => order(first) == Some(Ordering::Greater),
        Logic::Egt => matches!(order(first), Some(Ordering::Greater | Ordering::Equal)),
        Logic::Lt => order(first) == Some(Ordering::Less),
        Logic::Elt => matches!(order(first), Some(Ordering::Less | Ordering::Equal)),
        Logic::Between => {
            let last = condition.value.get(1).map_or("", String::as_str);
            matches!(order(first), Some(Ordering::Greater | Ordering::Equal))
                && matches!(order(last), Some(Ordering::Less | Ordering::Equal))
        }
        Logic::Like => like(value, first),
        Logic::NotLike => !like(value, first),
    }
}

fn same(value: &str, wanted: &str) -> bool {
    value == wanted || compare(value, wanted) == Some(Ordering::Equal)
}

/// Order of two values: as numbers when both are, as dates when both are, as text otherwise. A number with leading
/// zeros is a code and compares as text. After `timestamp:` only dates compare.
fn compare(value: &str, wanted: &str) -> Option<Ordering> {
    if let Some(moment) = wanted.strip_prefix("timestamp:") {
        return Some(ErpDate::parse(value)?.cmp(&ErpDate::parse(moment)?));
    }
    if let (Some(a), Some(b)) = (Decimal::read(value), Decimal::read(wanted)) {
        return Some(a.order(&b));
    }
    if let (Some(a), Some(b)) = (ErpDate::parse(value), ErpDate::parse(wanted)) {
        return Some(a.cmp(&b));
    }
    Some(value.cmp(wanted))
}

/// `%` stands for any run of signs where the pattern has one; without it the pattern may stand anywhere.
fn like(value: &str, pattern: &str) -> bool {
    if !pattern.contains('%') {
        return value.contains(pattern);
    }
    let mut parts = pattern.split('%');
    let Some(mut rest) = parts.next().and_then(|head| value.strip_prefix(head)) else { return false };
    let mut parts: Vec<&str> = parts.collect();
    let tail = parts.pop().unwrap_or_default();
    for part in parts {
        match rest.find(part) {
            Some(at) => rest = rest.get(at + part.len()..).unwrap_or_default(),
            None => return false,
        }
    }
    rest.ends_with(tail)
}

/// A decimal number of any length, compared digit by digit: no float loses an id's last digits.
#[derive(Debug, PartialEq, Eq)]
struct Decimal<'a> {
    negative: bool,
    whole: &'a str,
    fraction: &'a str,
}

impl<'a> Decimal<'a> {
    fn read(text: &'a str) -> Option<Self> {
        let text = text.trim();
        let (negative, digits) = match text.strip_prefix('-') {
            Some(rest) => (true, rest),
            None => (false, text),
        };
        let (whole, fraction) = digits.split_once('.').unwrap_or((digits, "0"));
        let plain = |part: &str| !part.is_empty() && part.bytes().all(|b| b.is_ascii_digit());
        if !plain(whole) || !plain(fraction) || (whole.len() > 1 && whole.starts_with('0')) {
            return None;
        }
        let fraction = fraction.trim_end_matches('0');
        let zero = whole == "0" && fraction.is_empty();
        Some(Self { negative: negative && !zero, whole, fraction })
    }

    fn order(&self, other: &Self) -> Ordering {
        let size = |a: &Self, b: &Self| {
            // Fractions compare as text because both begin at the tenths.
            a.whole
                .len()
                .cmp(&b.whole.len())
                .then_with(|| a.whole.cmp(b.whole))
                .then_with(|| a.fraction.cmp(b.fraction))
        };
        match (self.negative, other.negative) {
            (false, false) => size(self, other),
            (true, true) => size(other, self),
            (true, false) => Ordering::Less,
            (false, true) => Ordering::Greater,
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use skydeck_core::domain::ids::FormId;
    use skydeck_core::domain::plan::Column;

    fn source(condition: Vec<Vec<Condition>>) -> Source {
        Source {
            form: FormId::new("F"),
            columns: ["A", "B"].map(|k| Column { key: k.into(), path: k.into(), label: k.into() }).to_vec(),
            filter: String::new(),
            mark_column: None,
            id_path: "FID".into(),
            number_path: "FBillNo".into(),
            top_rows: 0,
            origin: skydeck_core::domain::plan::Origin::Query,
            condition,
        }
    }

    fn is(field: &str, logic: Logic, value: &[&str]) -> Condition {
        Condition { field: field.into(), logic, value: value.iter().map(|v| (*v).to_owned()).collect() }
    }

    #[test]
    fn each_operator_does_what_its_name_says() {
        use Logic::{Between, Egt, Elt, Eq, Gt, IsNull, Like, Lt, Neq, NotLike, NotNull};
        for (value, logic, wanted, want) in [
            ("816403", Eq, vec!["816403"], true),
            ("10.00", Eq, vec!["10"], true),
            ("007", Eq, vec!["7"], false),
            ("2025-01-02T00:00:00", Eq, vec!["2025-01-02"], true),
            ("a", Neq, vec!["A"], true),
            ("", Neq, vec!["a"], true),
            ("9007199254740993", Gt, vec!["9007199254740992"], true),
            ("-2", Gt, vec!["-10"], true),
            ("0.5", Gt, vec!["0.45"], true),
            ("", Gt, vec!["0"], false),
            ("", Lt, vec!["0"], false),
            ("10", Egt, vec!["9"], true),
            ("10", Egt, vec!["10.0"], true),
            ("9", Lt, vec!["10"], true),
            ("10", Elt, vec!["10"], true),
            ("2025-03-01T08:00:00", Gt, vec!["2025-03-01"], true),
            ("2025-03-01T08:00:00", Gt, vec!["timestamp:2025-03-01 07:59:59"], true),
            ("not a date", Gt, vec!["timestamp:2025-03-01"], false),
            ("销售活动单", Like, vec!["活动"], true),
            ("销售活动单", Like, vec!["%活动"], false),
            ("销售活动单", Like, vec!["销售%单"], true),
            ("aXbXc", Like, vec!["a%X%c"], true),
            ("aa", Like, vec!["a%a%a"], false),
            ("销售单", NotLike, vec!["活动"], true),
            ("", NotLike, vec!["a"], true),
            ("5", Between, vec!["1", "5"], true),
            ("6", Between, vec!["1", "5"], false),
            ("", Between, vec!["", "5"], false),
            (" ", IsNull, vec![], true),
            ("0", IsNull, vec![], false),
            ("0", NotNull, vec![], true),
            ("", NotNull, vec![], false),
        ] {
            let source = source(vec![vec![is("A", logic, &wanted)]]);
            assert_eq!(passes(&source, &[value.to_owned(), String::new()]), want, "{value} {logic:?} {wanted:?}");
        }
        assert!(passes(&source(vec![]), &[]), "no condition lets everything through");
        assert!(!passes(&source(vec![vec![is("A", Eq, &["x"])]]), &[]), "a missing column is empty");
    }

    /// The rules once more, in the most naive way: numbers only, row by row.
    fn naive(groups: &[Vec<(usize, Logic, i64, i64)>], row: [Option<i64>; 2]) -> bool {
        let mut any = groups.is_empty();
        for group in groups {
            let mut all = true;
            for (column, logic, x, y) in group {
                let v = row[*column];
                all &= match logic {
                    Logic::Eq => v == Some(*x),
                    Logic::Neq => v != Some(*x),
                    Logic::Gt => v.is_some_and(|v| v > *x),
                    Logic::Egt => v.is_some_and(|v| v >= *x),
                    Logic::Lt => v.is_some_and(|v| v < *x),
                    Logic::Elt => v.is_some_and(|v| v <= *x),
                    Logic::Between => v.is_some_and(|v| v >= *x && v <= *y),
                    Logic::Like => v.is_some_and(|v| v.to_string().contains(&x.to_string())),
                    Logic::NotLike => !v.is_some_and(|v| v.to_string().contains(&x.to_string())),
                    Logic::NotNull => v.is_some(),
                    Logic::IsNull => v.is_none(),
                };
            }
            any |= all;
        }
        any
    }

    fn logic() -> impl Strategy<Value = Logic> {
        use Logic::{Between, Egt, Elt, Eq, Gt, IsNull, Like, Lt, Neq, NotLike, NotNull};
        proptest::sample::select(vec![Eq, Neq, Gt, Egt, Lt, Elt, Like, NotLike, Between, NotNull, IsNull])
    }

    proptest! {
        #[test]
        fn it_agrees_with_a_naive_evaluator(
            groups in proptest::collection::vec(
                proptest::collection::vec((0usize..2, logic(), -12i64..12, -12i64..12), 1..4), 0..4),
            row in [proptest::option::of(-12i64..12), proptest::option::of(-12i64..12)],
        ) {
            let condition = groups.iter().map(|g| g.iter().map(|(column, logic, x, y)| {
                let value = match logic {
                    Logic::NotNull | Logic::IsNull => vec![],
                    Logic::Between => vec![x.to_string(), y.to_string()],
                    _ => vec![x.to_string()],
                };
                Condition { field: ["A", "B"][*column].into(), logic: *logic, value }
            }).collect()).collect();
            let texts: Vec<String> = row.iter().map(|v| v.map_or(String::new(), |v| v.to_string())).collect();
            prop_assert_eq!(passes(&source(condition), &texts), naive(&groups, row));
        }

        #[test]
        fn decimals_order_as_numbers_do(a in -100_000i64..100_000, b in -100_000i64..100_000) {
            let text = |n: i64| format!("{}{}.{:03}", if n < 0 { "-" } else { "" }, n.abs() / 1000, n.abs() % 1000);
            prop_assert_eq!(compare(&text(a), &text(b)), Some(a.cmp(&b)));
        }
    }
}
