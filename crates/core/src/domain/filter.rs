//! The filter language of lists: `cause:stock -org:100 age:>2d status:failed no:XSCKD07* date:2026-11 ~关账 "text"`.
//!
//! Terms are joined by AND; several values of one key separated by `,` are OR; `-` in front excludes.
//! Invariant: `parse(filter.to_string())` is the filter again.

use std::fmt;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::bill::Outcome;
use super::erp_status::After;
use super::filter_values::Stray;
use super::ids::OpId;
use super::operation_words;
use super::run::BillRow;
use super::time::Ts;

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
    /// A bare word or `"text"`: number, message or any column contains it.
    Text(String),
}

/// Comparison of a number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[expect(missing_docs, reason = "they say what they are")]
pub enum Ordering {
    Less,
    Equal,
    Greater,
}

/// Keys that take words.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Key {
    /// Cause of a failure, reason of a skip, way of not knowing.
    Cause,
    /// Column of the sum line, or the operation's own word for it.
    Status,
    /// Operation, by its name.
    Operation,
    /// Bill number.
    No,
    /// Internal id.
    Fid,
    /// A column whose name holds `Org`.
    Org,
    /// A column whose name holds `Cust`.
    Customer,
    /// A column whose name holds `Date`, by beginning.
    Date,
    /// Plan.
    Plan,
    /// Run, by beginning of its id.
    Run,
    /// `MsgCode`.
    Code,
}

/// Keys as they are typed, with their other names; the first is the one written back.
pub const KEYS: &[(&str, Key)] = &[
    ("cause", Key::Cause),
    ("原因", Key::Cause),
    ("status", Key::Status),
    ("outcome", Key::Status),
    ("结果", Key::Status),
    ("operation", Key::Operation),
    ("操作", Key::Operation),
    ("no", Key::No),
    ("number", Key::No),
    ("单号", Key::No),
    ("fid", Key::Fid),
    ("内码", Key::Fid),
    ("org", Key::Org),
    ("组织", Key::Org),
    ("customer", Key::Customer),
    ("客户", Key::Customer),
    ("date", Key::Date),
    ("日期", Key::Date),
    ("plan", Key::Plan),
    ("方案", Key::Plan),
    ("run", Key::Run),
    ("运行", Key::Run),
    ("code", Key::Code),
    ("错误码", Key::Code),
];

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
    /// No key of the language.
    #[error(
        "no key `{0}`; there are cause, status, operation, no, fid, org, customer, date, age, attempts, plan, run, code"
    )]
    NoKey(String),
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
        let mut terms = Vec::new();
        for token in tokens(text)? {
            terms.push(term(&token)?);
        }
        Ok(Self { terms })
    }

    /// Puts names of causes in the place of words that people read for them. `names_of`: the names, where it is such a word.
    #[must_use]
    pub fn naming_causes(mut self, names_of: impl Fn(&str) -> Vec<String>) -> Self {
        for term in &mut self.terms {
            if let Test::Is(Key::Cause, words) = &mut term.test {
                let read = std::mem::take(words);
                *words = read
                    .into_iter()
                    .flat_map(|word| {
                        let names = names_of(&word);
                        if names.is_empty() { vec![word] } else { names }
                    })
                    .collect();
            }
        }
        self
    }

    /// Whether a row passes. `names`: names of the row's columns; `now`: for ages.
    pub fn matches(&self, row: &BillRow, names: &[String], now: Ts) -> bool {
        self.terms.iter().all(|t| t.test.holds(row, names, now) != t.not)
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
        let named = |words: &[String]| words.iter().any(|word| like(operation_words::name(&audit), word));
        matches!(&self.test, Test::Is(Key::Operation, words) if named(words) == self.not)
    }
}

struct Token {
    at: usize,
    text: String,
    quoted_from: Option<usize>,
}

fn tokens(text: &str) -> Result<Vec<Token>, FilterError> {
    let mut out: Vec<Token> = Vec::new();
    let mut current: Option<Token> = None;
    let mut quote: Option<usize> = None;
    for (at, c) in text.chars().enumerate() {
        match (c, quote) {
            ('"', Some(_)) => quote = None,
            ('"', None) => {
                quote = Some(at);
                let token = current.get_or_insert_with(|| Token { at, text: String::new(), quoted_from: None });
                let len = token.text.len();
                token.quoted_from.get_or_insert(len);
            }
            (c, None) if c.is_whitespace() || c == '\u{3000}' => out.extend(current.take()),
            (c, _) => {
                current.get_or_insert_with(|| Token { at, text: String::new(), quoted_from: None }).text.push(c);
            }
        }
    }
    if let Some(at) = quote {
        return Err(FilterError { at, fault: FilterFault::OpenQuote });
    }
    out.extend(current);
    Ok(out)
}

fn term(token: &Token) -> Result<Term, FilterError> {
    let whole = token.text.as_str();
    let quoted_at_start = token.quoted_from == Some(0);
    let (not, body) = match whole.strip_prefix('-') {
        Some(rest) if !quoted_at_start && !rest.is_empty() => (true, rest),
        _ => (false, whole),
    };
    let quoted_body = quoted_at_start || (not && token.quoted_from == Some(1));
    if quoted_body {
        return Ok(Term { not, test: Test::Text(body.to_owned()) });
    }
    if let Some(text) = body.strip_prefix('~') {
        if text.is_empty() {
            return Err(FilterError { at: token.at, fault: FilterFault::NoText });
        }
        return Ok(Term { not, test: Test::Message(text.to_owned()) });
    }
    let Some((name, value)) = body.split_once([':', '：']) else {
        return Ok(Term { not, test: Test::Text(body.to_owned()) });
    };
    let value_at = token.at + whole.chars().count() - value.chars().count();
    let fail = |fault: FilterFault| FilterError { at: value_at, fault };
    if value.is_empty() {
        return Err(fail(FilterFault::NoValue(name.to_owned())));
    }
    let lower = name.to_lowercase();
    let test = match lower.as_str() {
        "age" | "时长" => age(value).map_err(fail)?,
        "attempts" | "次数" => attempts(value).map_err(fail)?,
        _ => {
            let key = KEYS
                .iter()
                .find(|(k, _)| *k == lower)
                .map(|(_, key)| *key)
                .ok_or_else(|| FilterError { at: token.at, fault: FilterFault::NoKey(name.to_owned()) })?;
            let words: Vec<String> = value.split([',', '，']).filter(|w| !w.is_empty()).map(str::to_owned).collect();
            if words.is_empty() {
                return Err(fail(FilterFault::NoValue(name.to_owned())));
            }
            Test::Is(key, words)
        }
    };
    Ok(Term { not, test })
}

fn age(value: &str) -> Result<Test, FilterFault> {
    let wrong = || FilterFault::NoAge(value.to_owned());
    let (over, rest) = match (value.strip_prefix('>'), value.strip_prefix('<')) {
        (Some(rest), _) => (true, rest),
        (_, Some(rest)) => (false, rest),
        _ => (true, value),
    };
    let unit = rest.chars().last().ok_or_else(wrong)?;
    let n: u64 = rest.strip_suffix(unit).unwrap_or(rest).parse().map_err(|_| wrong())?;
    let seconds = match unit {
        's' | '秒' => 1,
        'm' | '分' => 60,
        'h' | '时' => 3600,
        'd' | '天' => 86_400,
        _ => return Err(wrong()),
    };
    Ok(Test::Age { over, than: Duration::from_secs(n.checked_mul(seconds).ok_or_else(wrong)?) })
}

fn attempts(value: &str) -> Result<Test, FilterFault> {
    let (ordering, rest) = match (value.strip_prefix('>'), value.strip_prefix('<')) {
        (Some(rest), _) => (Ordering::Greater, rest),
        (_, Some(rest)) => (Ordering::Less, rest),
        _ => (Ordering::Equal, value),
    };
    let n = rest.parse().map_err(|_| FilterFault::NoNumber(value.to_owned()))?;
    Ok(Test::Attempts(ordering, n))
}

impl Test {
    fn holds(&self, row: &BillRow, names: &[String], now: Ts) -> bool {
        match self {
            Self::Is(key, words) => words.iter().any(|word| key.holds(word, row, names)),
            Self::Age { over, than } => (now.since(row.open_since.unwrap_or(row.at)) > *than) == *over,
            Self::Attempts(ordering, n) => match ordering {
                Ordering::Less => row.attempts < *n,
                Ordering::Equal => row.attempts == *n,
                Ordering::Greater => row.attempts > *n,
            },
            Self::Message(text) => message(row).is_some_and(|m| contains(m, text)),
            Self::Text(text) => {
                contains(&row.no, text)
                    || message(row).is_some_and(|m| contains(m, text))
                    || row.columns.iter().any(|c| contains(c, text))
            }
        }
    }
}

impl Key {
    fn holds(self, word: &str, row: &BillRow, names: &[String]) -> bool {
        match self {
            Self::Cause => {
                let group = row.state.outcome().filter(|_| !row.untold).and_then(Outcome::group);
                group.is_some_and(|g| like(&g, word))
            }
            Self::Status => {
                let called = operation_words::is_called(&row.key.op, row.state.slot(), |name| like(name, word));
                (!row.untold && called) || After::of(row).code().eq_ignore_ascii_case(word)
            }
            Self::Operation => like(operation_words::name(&row.key.op), word),
            Self::No => like(&row.no, word),
            Self::Fid => like(row.fid().as_str(), word),
            Self::Org => column(row, names, "org", word, like),
            Self::Customer => column(row, names, "cust", word, like),
            Self::Date => column(row, names, "date", word, |value, word| value.starts_with(word)),
            Self::Plan => like(row.plan.as_str(), word),
            Self::Run => row.run.to_string().to_lowercase().starts_with(&word.to_lowercase()),
            Self::Code => match row.state.outcome() {
                Some(Outcome::Failed(f)) => f.msg_code.is_some_and(|c| c.to_string() == word),
                _ => false,
            },
        }
    }

    /// The name written back.
    pub fn name(self) -> &'static str {
        KEYS.iter().find(|(_, key)| *key == self).map_or("?", |(name, _)| name)
    }
}

fn column(row: &BillRow, names: &[String], part: &str, word: &str, test: fn(&str, &str) -> bool) -> bool {
    names.iter().zip(&row.columns).any(|(name, value)| name.to_lowercase().contains(part) && test(value, word))
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

impl fmt::Display for Filter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (i, term) in self.terms.iter().enumerate() {
            if i > 0 {
                f.write_str(" ")?;
            }
            if term.not {
                f.write_str("-")?;
            }
            match &term.test {
                Test::Is(key, words) => {
                    let words = words.join(",");
                    if words.contains(char::is_whitespace) {
                        write!(f, "{}:\"{words}\"", key.name())?
                    } else {
                        write!(f, "{}:{words}", key.name())?
                    }
                }
                Test::Age { over, than } => write!(f, "age:{}{}", if *over { '>' } else { '<' }, span(*than))?,
                Test::Attempts(ordering, n) => {
                    let sign = match ordering {
                        Ordering::Less => "<",
                        Ordering::Equal => "",
                        Ordering::Greater => ">",
                    };
                    write!(f, "attempts:{sign}{n}")?;
                }
                Test::Message(text) if text.contains(char::is_whitespace) => write!(f, "~\"{text}\"")?,
                Test::Message(text) => write!(f, "~{text}")?,
                Test::Text(text) => write!(f, "\"{text}\"")?,
            }
        }
        Ok(())
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
        for (text, at) in
            [("cause:", 6), ("age:>2y", 4), ("colour:red", 0), ("a \"b", 2), ("attempts:x", 9), ("x ~", 2)]
        {
            assert_eq!(Filter::parse(text).unwrap_err().at, at, "{text}");
        }
    }
}
