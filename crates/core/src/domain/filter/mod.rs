//! The filter language of lists: `cause:stock -客户:K1 date:>=2026-11-01 ran:yesterday age:>2d no:XSCKD07* ~关账 "text"`.
//!
//! Terms are joined by AND; several values of one key separated by `,` are OR; `-` in front excludes.
//! Invariant: `parse(filter.to_string())` is the filter again.

mod keys;
mod of_runs;
mod parse;
pub mod runs;
pub mod values;
mod wanted;
mod when;

use std::fmt;
use std::time::Duration;

use serde::{Deserialize, Serialize};

pub use keys::{Ask, Key, NAMED, Named, day_and_org, fold_label, key_called, labels_of};
use values::Stray;
pub use wanted::{Size, Wanted};
pub use when::{Moment, Point, Span, Word};

use super::bill::{Outcome, Will};
use super::ids::OpId;
use super::language::Language;
use super::operation_words;
use super::run::{BillRow, RunHead, RunState, Tally};
use super::time::Ts;
use super::who::Who;
use super::zone::Zone;

/// A parsed filter; empty matches everything.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Filter {
    /// All must hold.
    pub terms: Vec<Term>,
}

/// One condition.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Term {
    /// `-` stood in front.
    pub not: bool,
    /// What is asked.
    pub test: Test,
}

/// What a term asks.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Test {
    /// `key:value[,value]`, case ignored, `*` at either end as a wildcard.
    Is(Key, Vec<String>),
    /// `label:value[,value]`, `label:>1000`, `label:2026-11`: a column by the label that its plan gives it, or by its own name.
    Column(String, Vec<Wanted>),
    /// `date:2026-11`, `ran:>=yesterday`, `since:2026-11-01..2026-11-10`: any of them.
    When(Moment, Vec<Span>),
    /// `age:>2d`, `age:<30m`.
    Age {
        /// True for `>`.
        over: bool,
        /// Limit.
        than: Duration,
    },
    /// `attempts:>1`, `attempts:3`.
    Attempts(Ordering, u32),
    /// `~text`: the server's message contains it.
    Message(String),
    /// A bare word or `"text"`: number, made number, message or any column contains it.
    Text(String),
}

/// What the run of a row says about its rows.
#[derive(Clone, Copy, Debug)]
pub struct About<'a> {
    /// Names of the row's columns.
    pub names: &'a [String],
    /// Their labels in the plan, folded as [`fold_label`] does; none where the plan was not kept.
    pub labels: &'a [String],
    /// When the run was opened.
    pub opened: Ts,
    /// Who started it.
    pub by: Option<&'a Who>,
    /// Its head.
    pub head: Option<&'a RunHead>,
    /// Where it stands, and its sum; read only where a filter asks for that.
    pub state: Option<(&'a RunState, &'a Tally)>,
}

impl<'a> About<'a> {
    /// Of columns alone.
    pub fn columns(names: &'a [String], labels: &'a [String]) -> Self {
        Self { names, labels, opened: Ts(0), by: None, head: None, state: None }
    }

    /// Of a run, with the labels of its plan.
    pub fn run(head: &'a RunHead, labels: &'a [String]) -> Self {
        Self { names: &head.columns, labels, opened: head.opened, by: Some(&head.by), head: Some(head), state: None }
    }
}

/// Comparison of a number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[expect(missing_docs, reason = "they say what they are")]
pub enum Ordering {
    Less,
    Equal,
    Greater,
}

/// The first moment of a date or of a word of the calendar, as filters take them: `2026-11-23T18:00`, `yesterday`.
///
/// # Errors
/// When it is neither.
pub fn first_moment(text: &str, zone: &Zone, now: Ts) -> Result<Ts, FilterError> {
    let no_date = || FilterError { at: 0, fault: FilterFault::NoDate(text.trim().to_owned()) };
    let asked = Filter::parse(&format!("ran:>={}", text.trim().replace(' ', "T"))).map_err(|_| no_date())?;
    match asked.resolved(zone, now).terms.as_slice() {
        [Term { not: false, test: Test::When(_, spans) }] => {
            spans.first().and_then(|span| span.instants(now).0).ok_or_else(no_date)
        }
        _ => Err(no_date()),
    }
}

/// A filter that does not parse.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[error("{fault} (at character {at})")]
pub struct FilterError {
    /// Character offset of the fault.
    pub at: usize,
    /// What is wrong.
    pub fault: FilterFault,
}

/// What is wrong with a filter, and what would be right; the console says it in the operator's language.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
pub enum FilterFault {
    /// A quote without an end.
    #[error("this quote is not closed")]
    OpenQuote,
    /// `~` alone.
    #[error("`~` needs a text of the ERP message after it")]
    NoText,
    /// A key without a value.
    #[error("`{0}:` needs a value")]
    NoValue(String),
    /// No age.
    #[error("`{0}` is not an age; expected >2d, <30m, >1h")]
    NoAge(String),
    /// No number.
    #[error("`{0}` is not a number; expected 3, >1, <5")]
    NoNumber(String),
    /// No date.
    #[error(
        "`{0}` is not a date; expected 2026-11-23, 2026-11, >=2026-11-01, 2026-11-01..2026-11-10, yesterday, last-week"
    )]
    NoDate(String),
    /// A day that its month does not have.
    #[error("there is no {date}: that month has {days} days")]
    NoDay {
        /// As it was written.
        date: String,
        /// Days that the month has.
        days: u32,
    },
    /// A date of a year that no bill has. Without a month, or with fewer digits, it is no date but any number.
    #[error("`{0}` is out of range: years from 1900 to 2999 can be asked for")]
    NoYear(String),
    /// Behind a sign of comparison, neither a number nor a date.
    #[error(
        "`{0}` compares with neither a number nor a date; expected >1000, 100..200, >=2026-11-01, or the text itself"
    )]
    NoBound(String),
    /// Two numbers, the larger one first.
    #[error("`{0}` holds no number; write the smaller one first")]
    LargerFirst(String),
    /// A stretch that ends before it begins.
    #[error("`{0}` ends before it begins; write the earlier date first")]
    Reversed(String),
    /// No key of the language, and no column of any plan.
    #[error("no key and no column of a plan is called `{key}`; {}", values::keys_en(near.as_deref()))]
    NoKey {
        /// As it was written.
        key: String,
        /// The one that may be meant.
        near: Option<String>,
    },
    /// A word that is no value of its key, where all of them are known.
    #[error("{0}")]
    NoValueOf(Stray),
}

impl Filter {
    /// Whether it lets everything through.
    pub fn is_empty(&self) -> bool {
        self.terms.is_empty()
    }

    /// Reads a filter.
    pub fn parse(text: &str) -> Result<Self, FilterError> {
        parse::parse(text)
    }

    /// Puts names of causes in the place of words that people read for them. `names_of`: the names, where it is such a word.
    #[must_use]
    pub fn naming_causes(mut self, names_of: impl Fn(&str) -> Vec<String>) -> Self {
        for term in &mut self.terms {
            if let Test::Is(key @ (Key::Cause | Key::Likely), words) = &mut term.test {
                let own = |word: &str| *key == Key::Likely && Will::NAMES.iter().any(|name| like(name, word));
                let read = std::mem::take(words);
                *words = read
                    .into_iter()
                    .flat_map(|word| {
                        let names = if own(&word) { Vec::new() } else { names_of(&word) };
                        if names.is_empty() { vec![word] } else { names }
                    })
                    .collect();
            }
        }
        self
    }

    /// Whether a row passes. `now`: for ages, and for words of the calendar that nobody put days in the place of.
    pub fn matches(&self, row: &BillRow, about: &About<'_>, now: Ts) -> bool {
        self.terms.iter().all(|t| t.test.holds(row, about, now) != t.not)
    }

    /// The same with the days of a place and a moment where words of the calendar stand, and with instants where the time of a
    /// run or of an entry is meant. What is shown and saved keeps its words.
    #[must_use]
    pub fn resolved(&self, zone: &Zone, now: Ts) -> Self {
        let mut resolved = self.clone();
        for term in &mut resolved.terms {
            match &mut term.test {
                Test::When(of, spans) => spans.iter_mut().for_each(|span| *span = span.resolved(*of, zone, now)),
                Test::Column(_, words) => words.iter_mut().for_each(|word| {
                    if let Wanted::Date(span) = word {
                        *span = span.resolved(Moment::Bill, zone, now);
                    }
                }),
                Test::Is(..) | Test::Age { .. } | Test::Attempts(..) | Test::Message(_) | Test::Text(_) => {}
            }
        }
        resolved
    }

    /// Whether the plan's labels of columns are needed to tell what passes.
    pub fn asks_labels(&self) -> bool {
        let asks = |test: &Test| match test {
            Test::Column(..) | Test::When(Moment::Bill, _) => true,
            Test::Is(key, _) => matches!(key, Key::Org | Key::Customer),
            Test::When(Moment::Run | Moment::Since, _)
            | Test::Age { .. }
            | Test::Attempts(..)
            | Test::Message(_)
            | Test::Text(_) => false,
        };
        self.terms.iter().any(|term| asks(&term.test))
    }

    /// Words that a column of a plan must be, from beginning to end.
    pub fn whole_words(&self) -> impl Iterator<Item = &str> {
        let of_columns = self.terms.iter().filter(|term| !term.not).flat_map(|term| match &term.test {
            Test::Is(Key::Customer | Key::Org, words) => words.iter().map(String::as_str).collect(),
            Test::Column(_, words) => words
                .iter()
                .filter_map(|word| if let Wanted::Text(text) = word { Some(text.as_str()) } else { None })
                .collect(),
            Test::Is(..)
            | Test::When(..)
            | Test::Age { .. }
            | Test::Attempts(..)
            | Test::Message(_)
            | Test::Text(_) => Vec::new(),
        });
        of_columns.filter(|word| !word.contains('*'))
    }

    /// Words of a key that every matching row must have (not excluded, single term), for choosing an index.
    pub fn words(&self, key: Key) -> Option<&[String]> {
        self.terms.iter().find_map(|t| match &t.test {
            Test::Is(k, words) if *k == key && !t.not => Some(words.as_slice()),
            _ => None,
        })
    }
}

impl Term {
    /// Whether bills of Audit are left out by the name of their operation.
    pub fn leaves_out_audit(&self) -> bool {
        let audit = OpId::default();
        let named = |words: &[String]| {
            words.iter().any(|word| operation_words::names_of_op(&audit).any(|name| like(name, word)))
        };
        matches!(&self.test, Test::Is(Key::Operation, words) if named(words) == self.not)
    }
}

impl Test {
    fn holds(&self, row: &BillRow, about: &About<'_>, now: Ts) -> bool {
        match self {
            Self::Is(key, words) => words.iter().any(|word| key.holds(word, row, about)),
            Self::Column(label, words) => {
                keys::labelled(row, about, label).any(|value| words.iter().any(|word| word.holds(value, now)))
            }
            Self::When(Moment::Bill, spans) => {
                keys::dates(&row.columns, about).any(|date| spans.iter().any(|span| span.holds_date(date, now)))
            }
            Self::When(Moment::Run, spans) => spans.iter().any(|span| span.holds(about.opened, now)),
            Self::When(Moment::Since, spans) => {
                keys::since(row).is_some_and(|at| spans.iter().any(|span| span.holds(at, now)))
            }
            Self::Age { over, than } => (now.since(row.open_since.unwrap_or(row.at)) > *than) == *over,
            Self::Attempts(ordering, n) => match ordering {
                Ordering::Less => row.attempts < *n,
                Ordering::Equal => row.attempts == *n,
                Ordering::Greater => row.attempts > *n,
            },
            Self::Message(text) => message(row).is_some_and(|m| contains(m, text)),
            Self::Text(text) => {
                contains(&row.no, text)
                    || row.made.as_ref().is_some_and(|made| contains(&made.no, text))
                    || message(row).is_some_and(|m| contains(m, text))
                    || row.columns.iter().any(|c| contains(c, text))
            }
        }
    }
}

fn message(row: &BillRow) -> Option<&str> {
    match row.state.outcome()? {
        Outcome::Failed(f) => Some(&f.message),
        Outcome::Unknown(u) => Some(&u.detail),
        _ => None,
    }
}

fn contains(text: &str, part: &str) -> bool {
    text.contains(part) || text.to_lowercase().contains(&part.to_lowercase())
}

/// Case ignored, `*` at either end.
pub(super) fn like(text: &str, pattern: &str) -> bool {
    let (text, pattern) = (text.to_lowercase(), pattern.to_lowercase());
    match (pattern.strip_prefix('*'), pattern.strip_suffix('*')) {
        (Some(_), Some(_)) if pattern.len() > 1 => text.contains(pattern.trim_matches('*')),
        (Some(end), _) => text.ends_with(end),
        (_, Some(start)) => text.starts_with(start),
        _ => text == pattern,
    }
}

impl Filter {
    /// As it is written in one language; the words of people stand as they were typed. `read`: what people read for the
    /// name of a cause or an outcome, where there is such a word.
    pub fn said(&self, lang: Language, read: impl Fn(Key, &str) -> Option<String>) -> String {
        let terms = self.terms.iter().map(|term| {
            let not = if term.not { "-" } else { "" };
            format!("{not}{}", term.test.said(lang, &read))
        });
        terms.collect::<Vec<_>>().join(" ")
    }
}

impl Test {
    fn said(&self, lang: Language, read: &impl Fn(Key, &str) -> Option<String>) -> String {
        match self {
            Self::Is(key @ (Key::Cause | Key::Likely | Key::Status), words) => {
                let words: Vec<String> =
                    words.iter().map(|word| read(*key, word).unwrap_or_else(|| word.clone())).collect();
                keyed(keys::name_of(Ask::Words(*key), lang), &words.join(","))
            }
            Self::Is(key, words) => keyed(keys::name_of(Ask::Words(*key), lang), &words.join(",")),
            Self::Column(label, words) => {
                let words: Vec<String> = words.iter().map(|word| word.said(lang)).collect();
                keyed(label, &words.join(","))
            }
            Self::When(of, spans) => {
                let spans: Vec<String> = spans.iter().map(|span| span.said(lang)).collect();
                keyed(keys::name_of(Ask::Date(*of), lang), &spans.join(","))
            }
            Self::Age { over, than } => {
                keyed(keys::name_of(Ask::Age, lang), &format!("{}{}", if *over { '>' } else { '<' }, span(*than)))
            }
            Self::Attempts(ordering, n) => {
                let sign = match ordering {
                    Ordering::Less => "<",
                    Ordering::Equal => "",
                    Ordering::Greater => ">",
                };
                keyed(keys::name_of(Ask::Attempts, lang), &format!("{sign}{n}"))
            }
            Self::Message(text) if text.contains(char::is_whitespace) => format!("~\"{text}\""),
            Self::Message(text) => format!("~{text}"),
            Self::Text(text) => format!("\"{text}\""),
        }
    }
}

fn keyed(name: &str, value: &str) -> String {
    if value.contains(char::is_whitespace) { format!("{name}:\"{value}\"") } else { format!("{name}:{value}") }
}

impl fmt::Display for Filter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.said(Language::En, |_, _| None))
    }
}

fn span(d: Duration) -> String {
    let s = d.as_secs();
    match s {
        s if s >= 86_400 && s % 86_400 == 0 => format!("{}d", s / 86_400),
        s if s >= 3600 && s % 3600 == 0 => format!("{}h", s / 3600),
        s if s >= 60 && s % 60 == 0 => format!("{}m", s / 60),
        s => format!("{s}s"),
    }
}

impl TryFrom<String> for Filter {
    type Error = FilterError;
    fn try_from(text: String) -> Result<Self, FilterError> {
        Self::parse(&text)
    }
}

impl From<Filter> for String {
    fn from(filter: Filter) -> Self {
        filter.to_string()
    }
}

#[cfg(test)]
mod properties;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_filter_reads_back_as_itself() {
        for text in [
            "",
            "cause:stock -org:100 age:>2d status:failed no:XSCKD07* date:2026-11 ~关账 \"some text\"",
            "attempts:>1 -~lock 原因:stock,period",
            "-\"a b\" ~\"two words\"",
            "status:not_reached,已关闭 -operation:Audit",
        ] {
            let filter = Filter::parse(text).unwrap();
            assert_eq!(Filter::parse(&filter.to_string()).unwrap(), filter, "{text}");
        }
    }

    #[test]
    fn what_leaves_audit_out_is_told_by_its_terms() {
        for (text, want) in [
            ("operation:BillClose", true),
            ("-operation:audit", true),
            ("操作:Bill*", true),
            ("operation:Audit", false),
            ("operation:BillClose,Audit", false),
            ("-operation:BillClose", false),
            ("status:done", false),
        ] {
            let filter = Filter::parse(text).unwrap();
            assert_eq!(filter.terms.iter().any(Term::leaves_out_audit), want, "{text}");
        }
    }

    #[test]
    fn faults_name_their_place() {
        for (text, at) in [
            ("cause:", 6),
            ("age:>2y", 4),
            ("a \"b", 2),
            ("attempts:x", 9),
            ("x ~", 2),
            (":red", 0),
            ("x:1 date:2026-02-30", 9),
            ("date:2026-01,2026-13", 13),
        ] {
            assert_eq!(Filter::parse(text).unwrap_err().at, at, "{text}");
        }
    }
}
