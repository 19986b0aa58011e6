//! [`Expr`] over a row → true, false, or unknown (null was compared).
//!
//! Invariant: `and`/`or`/`not` follow SQL's three-valued truth tables.

use std::cmp::Ordering;

use super::{Expr, Op, Operand, Test};
use crate::value::{Mismatch, Value, compare};

impl<F> Expr<F> {
    /// Whether the row given by `value` satisfies the expression: `None` is SQL's unknown, which selects nothing.
    pub fn matches<'r>(&self, value: &impl Fn(&F) -> Value<'r>) -> Result<Option<bool>, Mismatch> {
        match self {
            Self::Or(parts) => fold(parts, value, true),
            Self::And(parts) => fold(parts, value, false),
            Self::Not(inner) => Ok(inner.matches(value)?.map(|hit| !hit)),
            Self::Test(test) => test.matches(value),
        }
    }
}

/// `decisive` is the answer that settles the whole: true for `or`, false for `and`.
fn fold<'r, F>(parts: &[Expr<F>], value: &impl Fn(&F) -> Value<'r>, decisive: bool) -> Result<Option<bool>, Mismatch> {
    let mut unknown = false;
    for part in parts {
        match part.matches(value)? {
            Some(hit) if hit == decisive => return Ok(Some(decisive)),
            Some(_) => {}
            None => unknown = true,
        }
    }
    Ok(if unknown { None } else { Some(!decisive) })
}

impl<F> Test<F> {
    fn matches<'r>(&self, value: &impl Fn(&F) -> Value<'r>) -> Result<Option<bool>, Mismatch> {
        match self {
            Self::Compare(left, op, right) => {
                let (left, right) = (read(left, value), read(right, value));
                Ok(compare(&left, &right)?.map(|order| op.holds(order)))
            }
            Self::In(left, not, list) => {
                let left = read(left, value);
                let mut unknown = false;
                for literal in list {
                    match compare(&left, &literal.value())? {
                        Some(Ordering::Equal) => return Ok(Some(!not)),
                        Some(_) => {}
                        None => unknown = true,
                    }
                }
                Ok(if unknown { None } else { Some(*not) })
            }
            Self::Like(left, not, pattern) => Ok(match read(left, value) {
                Value::Null => None,
                Value::Text(text) => Some(like(&text, pattern) != *not),
                other => {
                    let mut shown = Vec::new();
                    other.write_json(&mut shown);
                    Some(like(String::from_utf8_lossy(&shown).trim_matches('"'), pattern) != *not)
                }
            }),
            Self::IsNull(left, not) => Ok(Some(matches!(read(left, value), Value::Null) != *not)),
            Self::Between(left, not, low, high) => {
                let left = read(left, value);
                let above = compare(&left, &low.value())?.map(|o| o != Ordering::Less);
                let below = compare(&left, &high.value())?.map(|o| o != Ordering::Greater);
                let inside = match (above, below) {
                    (Some(false), _) | (_, Some(false)) => Some(false),
                    (Some(true), Some(true)) => Some(true),
                    _ => None,
                };
                Ok(inside.map(|hit| hit != *not))
            }
        }
    }
}

fn read<'v, 'r: 'v, F>(operand: &'v Operand<F>, value: &impl Fn(&F) -> Value<'r>) -> Value<'v> {
    match operand {
        Operand::Field(field) => value(field),
        Operand::Literal(literal) => literal.value(),
    }
}

impl Op {
    /// Whether the operator holds for this order of its sides.
    pub fn holds(self, order: Ordering) -> bool {
        match self {
            Self::Eq => order == Ordering::Equal,
            Self::Ne => order != Ordering::Equal,
            Self::Lt => order == Ordering::Less,
            Self::Le => order != Ordering::Greater,
            Self::Gt => order == Ordering::Greater,
            Self::Ge => order != Ordering::Less,
        }
    }
}

/// SQL `like`: `%` any text, `_` one character, case does not count. Linear in practice: one backtrack point.
fn like(text: &str, pattern: &str) -> bool {
    let text: Vec<char> = text.chars().flat_map(char::to_lowercase).collect();
    let pattern: Vec<char> = pattern.chars().flat_map(char::to_lowercase).collect();
    let (mut t, mut p) = (0, 0);
    let mut star: Option<(usize, usize)> = None;
    while t < text.len() {
        match pattern.get(p) {
            Some('%') => {
                star = Some((p, t));
                p += 1;
            }
            Some('_') => {
                t += 1;
                p += 1;
            }
            Some(c) if text.get(t) == Some(c) => {
                t += 1;
                p += 1;
            }
            _ => match star {
                Some((at, from)) => {
                    star = Some((at, from + 1));
                    t = from + 1;
                    p = at + 1;
                }
                None => return false,
            },
        }
    }
    pattern.get(p..).is_some_and(|rest| rest.iter().all(|c| *c == '%'))
}
