//! What a filter asks of a row's text, looked for in the stored bytes: most rows are turned away without being decoded.
//!
//! Invariant: a row the filter would let pass is never turned away; one that is let through here is still decoded and
//! asked in full.

use skydeck_core::domain::filter::{Filter, Key, Moment, Test};

/// The letters that come from no other than themselves and their capitals, but for two: the Kelvin sign becomes a `k`,
/// the capital I with a dot an `i`. A row that holds one of them is let through.
const ODD: [&[u8]; 2] = ["\u{212a}".as_bytes(), "\u{130}".as_bytes()];

/// All of them must be found, of each any.
#[derive(Debug, Default)]
pub struct Prefilter(Vec<Vec<Needle>>);

/// A text as it stands in the stored bytes, capitals aside.
#[derive(Debug)]
struct Needle {
    lower: Vec<u8>,
    /// Whether a letter of it may come from a sign of two or three bytes.
    odd: bool,
}

impl Prefilter {
    /// What of a filter can be looked for in bytes: texts of a number, a message or a column.
    pub fn of(filter: &Filter) -> Self {
        let mut all = Vec::new();
        for term in filter.terms.iter().filter(|term| !term.not) {
            let any: Option<Vec<Needle>> = match &term.test {
                Test::Message(text) | Test::Text(text) => Needle::new(text).map(|needle| vec![needle]),
                Test::Is(Key::No | Key::Made | Key::Org | Key::Customer, words) => {
                    words.iter().map(|word| Needle::new(word.trim_matches('*'))).collect()
                }
                Test::Column(_, words) => words.iter().map(|word| Needle::new(&word.text()?)).collect(),
                Test::When(Moment::Bill, spans) => {
                    spans.iter().map(|span| span.beginning().as_deref().and_then(Needle::new)).collect()
                }
                _ => None,
            };
            all.extend(any);
        }
        Self(all)
    }

    /// Whether the filter may let this row pass.
    pub fn may_match(&self, stored: &[u8]) -> bool {
        self.0.iter().all(|any| any.iter().any(|needle| needle.is_in(stored)))
    }
}

impl Needle {
    /// `None` for a text whose letters have other capitals than those of ASCII: such a one is not looked for here.
    fn new(text: &str) -> Option<Self> {
        let plain = |c: char| c.is_ascii() || matches!(c, '\u{2e80}'..='\u{9fff}' | '\u{ac00}'..='\u{d7a3}');
        if text.is_empty() || !text.chars().all(plain) {
            return None;
        }
        let lower = text.to_ascii_lowercase().into_bytes();
        let odd = lower.iter().any(|b| matches!(b, b'k' | b'i'));
        Some(Self { lower, odd })
    }

    fn is_in(&self, stored: &[u8]) -> bool {
        let Some((first, rest)) = self.lower.split_first() else { return true };
        let upper = first.to_ascii_uppercase();
        let mut from = stored;
        while let Some(place) = from.iter().position(|b| b == first || *b == upper) {
            from = from.get(place + 1..).unwrap_or_default();
            if from.get(..rest.len()).is_some_and(|there| there.eq_ignore_ascii_case(rest)) {
                return true;
            }
        }
        self.odd && ODD.iter().any(|odd| stored.windows(odd.len()).any(|there| there == *odd))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_may_pass_is_let_through_and_little_else() {
        for (filter, stored, want) in [
            ("~库存", "更新库存时出现异常", true),
            ("~库存", "会计期间已结账", false),
            ("xsckd12", "\u{1}XSCKD12\u{2}", true),
            ("xsckd13", "\u{1}XSCKD12\u{2}", false),
            ("\"lock\" ~张", "LOC\u{212a} 张", true),
            ("\"lock\"", "LOC 张", false),
            ("no:*77* org:100,101", "XSCKD0077 org 101", true),
            ("no:*77* org:100,101", "XSCKD0077 org 102", false),
            ("供应商:100* 日期:2026-11,2026-12-01", "S100-7 2026-12-01T00:00:00", true),
            ("供应商:100* 日期:2026-11,2026-12-01", "S100-7 2026-12-02T00:00:00", false),
            ("供应商:200* 日期:2026", "S100-7 2026-12-02T00:00:00", false),
            // A number by its size, and a date of a month, in a column.
            ("金额:>1000", "66274.62", true),
            ("业务日期:2026-11", "2026-11-30 00:00:00", true),
            ("业务日期:2026-11", "2026-12-30 00:00:00", false),
            ("业务日期:上周,2026-11", "2026-10-30 00:00:00", true),
            // A stretch begins with no one text.
            ("date:>=2026-11-01,2026-12", "2031-01-01T00:00:00", true),
            // Excluded texts and keys that are no text of the row turn nobody away.
            ("-~库存 age:>2d status:failed", "", true),
            // Letters with capitals outside ASCII are left to the filter.
            ("~größe", "GRÖSSE", true),
            ("~aab", "aaab", true),
        ] {
            assert_eq!(
                Prefilter::of(&Filter::parse(filter).unwrap()).may_match(stored.as_bytes()),
                want,
                "{filter} {stored}"
            );
        }
    }
}
