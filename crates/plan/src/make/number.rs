//! Numbers as texts: how they are written, compared and summed.
//!
//! Invariant: nothing here passes through a float.

use rust_decimal::{Decimal, RoundingStrategy};

/// Decimals that the ERP keeps of a number.
const KEPT_DECIMALS: u32 = 10;

/// A number with the decimals that the ERP keeps.
pub(super) fn kept(n: Decimal) -> Decimal {
    n.round_dp_with_strategy(KEPT_DECIMALS, RoundingStrategy::MidpointAwayFromZero)
}

/// `-12.50`, and nothing else that a float would take.
pub(super) fn is_decimal(text: &str) -> bool {
    let digits = text.strip_prefix('-').unwrap_or(text);
    let (whole, fraction) = digits.split_once('.').unwrap_or((digits, "0"));
    let all = |part: &str| !part.is_empty() && part.bytes().all(|b| b.is_ascii_digit());
    all(whole) && all(fraction)
}

/// A number as JSON writes it: without zeros in front.
pub(super) fn number(text: &str) -> String {
    let (sign, digits) = text.strip_prefix('-').map_or(("", text), |digits| ("-", digits));
    let whole = digits.split('.').next().unwrap_or_default();
    let zeros = whole.len() - whole.trim_start_matches('0').len();
    let cut = zeros.min(whole.len().saturating_sub(1));
    format!("{sign}{}", digits.get(cut..).unwrap_or(digits))
}

/// A number without zeros that say nothing.
pub(super) fn plain_number(text: &str) -> String {
    let text = number(text);
    let text = if text.contains('.') { text.trim_end_matches('0').trim_end_matches('.') } else { text.as_str() };
    if text == "-0" { "0".to_owned() } else { text.to_owned() }
}

/// How much of a quantity is held.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Held {
    /// Less than all of it.
    Partly,
    /// All of it.
    Whole,
    /// More.
    More,
}

/// How much of a quantity these lines hold together, and the sum. What is no number, and a sum beyond any field of the ERP, holds
/// something else than the whole.
pub fn held_of<'a>(quantity: &str, lines: impl Iterator<Item = &'a String>) -> (Held, String) {
    let read = |text: &str| Decimal::from_str_exact(text.trim()).ok();
    let mut sum = Decimal::ZERO;
    for line in lines.map(String::as_str).filter(|line| !line.trim().is_empty()) {
        match read(line).and_then(|held| sum.checked_add(held)) {
            Some(more) => sum = more,
            None => return (Held::More, line.to_owned()),
        }
    }
    let held = match read(quantity).map(|whole| kept(sum).cmp(&kept(whole))) {
        Some(std::cmp::Ordering::Less) => Held::Partly,
        Some(std::cmp::Ordering::Equal) => Held::Whole,
        Some(std::cmp::Ordering::Greater) | None => Held::More,
    };
    (held, plain_number(&sum.to_string()))
}

/// The sum of the values of a column; `Err` with the one that is no number.
pub(super) fn total<'a>(values: impl Iterator<Item = &'a str>) -> Result<String, String> {
    let mut sum = Decimal::ZERO;
    for value in values.map(str::trim).filter(|value| !value.is_empty()) {
        let more = Decimal::from_str_exact(value).ok().and_then(|more| sum.checked_add(more));
        sum = more.ok_or_else(|| value.to_owned())?;
    }
    Ok(plain_number(&sum.to_string()))
}
