//! Decimal numbers as the database keeps them: ten places behind the point, no binary dust.
//!
//! Invariant: what was written with up to ten places is read back digit for digit.

use std::cmp::Ordering;

/// A number in units of 10⁻¹⁰.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Default)]
pub struct Dec(i128);

const PLACES: usize = 10;
const ONE: i128 = 10_000_000_000;
/// Digits before the point that a column takes.
const WHOLE: usize = 18;

impl Dec {
    /// Nothing.
    pub const ZERO: Self = Self(0);

    /// Reads a plain decimal, also with an exponent as JSON has them; further places are rounded away from zero at the half.
    /// `None` for anything else, and for a number that no column holds.
    pub fn parse(text: &str) -> Option<Self> {
        let text = text.trim();
        let (text, exponent) = match text.split_once(['e', 'E']) {
            Some((number, exponent)) => (number, exponent.parse::<i32>().ok().filter(|e| e.abs() <= 60)?),
            None => (text, 0),
        };
        let (negative, digits) = match text.strip_prefix(['-', '+']) {
            Some(rest) => (text.starts_with('-'), rest),
            None => (false, text),
        };
        let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
        let all = format!("{whole}{fraction}");
        if all.is_empty() || all.len() > 200 || !all.bytes().all(|b| b.is_ascii_digit()) {
            return None;
        }
        // Where the point stands in `all`, counted from the left.
        let point = whole.len() as i64 + i64::from(exponent);
        let significant = all.trim_start_matches('0');
        let skipped = (all.len() - significant.len()) as i64;
        if point - skipped > WHOLE as i64 && !significant.is_empty() {
            return None;
        }
        let wanted = point + PLACES as i64;
        let mut value: i128 = 0;
        for place in 0..wanted.max(0) {
            let digit = usize::try_from(place).ok().and_then(|i| all.as_bytes().get(i)).map_or(0, |b| b - b'0');
            value = value.checked_mul(10)?.checked_add(i128::from(digit))?;
        }
        let next = usize::try_from(wanted).ok().and_then(|i| all.as_bytes().get(i)).map_or(0, |b| b - b'0');
        if next >= 5 {
            value += 1;
        }
        Some(Self(if negative { -value } else { value }))
    }

    /// A number of the generated bills, which have at most two places.
    pub fn of(number: f64) -> Self {
        Self::parse(&number.to_string()).unwrap_or_default()
    }

    /// As text, with at least one place: `10.0`, `0.25`.
    pub fn text(self) -> String {
        let (whole, fraction) =
            (self.0.unsigned_abs() / ONE.unsigned_abs(), self.0.unsigned_abs() % ONE.unsigned_abs());
        let fraction = format!("{fraction:0PLACES$}");
        let fraction = fraction.trim_end_matches('0');
        let sign = if self.0 < 0 { "-" } else { "" };
        format!("{sign}{whole}.{}", if fraction.is_empty() { "0" } else { fraction })
    }

    /// The sum; a sum that overflows stays at the bound.
    #[must_use]
    pub fn plus(self, other: Self) -> Self {
        Self(self.0.saturating_add(other.0))
    }

    /// The difference.
    #[must_use]
    pub fn minus(self, other: Self) -> Self {
        Self(self.0.saturating_sub(other.0))
    }

    /// The product, rounded to two places as amounts are.
    pub fn amount(self, other: Self) -> Option<Self> {
        let cents = ONE / 100;
        let product = self.0.checked_mul(other.0 / 100_000)?.checked_div(ONE / 100_000)?;
        let half = if product < 0 { -cents / 2 } else { cents / 2 };
        Some(Self((product + half) / cents * cents))
    }

    /// A share of it, in hundredths, rounded down to whole units where it is whole.
    #[must_use]
    pub fn share(self, percent: u32) -> Self {
        let part = self.0 / 100 * i128::from(percent.min(100));
        Self(if self.0 % ONE == 0 && part >= ONE { part / ONE * ONE } else { part })
    }

    /// As a float, to be compared with one.
    pub fn float(self) -> f64 {
        self.0 as f64 / ONE as f64
    }

    /// Compared with a whole number.
    pub fn cmp_int(self, other: i64) -> Ordering {
        self.0.cmp(&(i128::from(other) * ONE))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_read_and_written() {
        for (from, to) in [
            ("10", "10.0"),
            ("0.25", "0.25"),
            ("-1.10", "-1.1"),
            ("1e3", "1000.0"),
            ("1.5E-3", "0.0015"),
            ("123456789012345678.1234567891", "123456789012345678.1234567891"),
            ("0.00000000005", "0.0000000001"),
            ("0.00000000004", "0.0"),
            ("000012", "12.0"),
            (".5", "0.5"),
            ("0e50", "0.0"),
        ] {
            assert_eq!(Dec::parse(from).map(Dec::text).as_deref(), Some(to), "{from}");
        }
        for bad in ["", "-", "1,5", "abc", "1234567890123456789012345678901234567890", "1e40", "NaN", "1e999", "१"] {
            assert_eq!(Dec::parse(bad), None, "{bad}");
        }
        let (a, b) = (Dec::parse("3.333").unwrap(), Dec::parse("2.5").unwrap());
        assert_eq!(a.amount(b).unwrap().text(), "8.33");
        assert_eq!((a.plus(b).text(), a.minus(b).text()), ("5.833".to_owned(), "0.833".to_owned()));
        assert_eq!(Dec::parse("7").unwrap().share(50).text(), "3.0");
        assert_eq!(Dec::parse("2.5").unwrap().cmp_int(3), Ordering::Less);
    }
}
