//! Reads a filter.
//!
//! Invariant: whatever is read here is written back so that it reads as the same again.

use std::time::Duration;

use super::keys::{Ask, Key, fold_label, key_called};
use super::when::{Moment, Span, half_width};
use super::{Filter, FilterError, FilterFault, Ordering, Term, Test, Wanted};

pub(super) fn parse(text: &str) -> Result<Filter, FilterError> {
    let mut terms = Vec::new();
    for token in tokens(text)? {
        terms.push(term(&token)?);
    }
    Ok(Filter { terms })
}

#[derive(Default)]
struct Token {
    at: usize,
    text: String,
    /// Where the first quoted stretch begins in the text, and where it ends.
    quoted_from: Option<usize>,
    quoted_to: Option<usize>,
}

impl Token {
    fn at(at: usize) -> Self {
        Self { at, ..Self::default() }
    }
}

fn tokens(text: &str) -> Result<Vec<Token>, FilterError> {
    let mut out: Vec<Token> = Vec::new();
    let mut current: Option<Token> = None;
    let mut quote: Option<usize> = None;
    for (at, c) in text.chars().enumerate() {
        match (c, quote) {
            ('"', Some(_)) => {
                quote = None;
                let token = current.get_or_insert_with(|| Token::at(at));
                token.quoted_to.get_or_insert(token.text.len());
            }
            ('"', None) => {
                quote = Some(at);
                let token = current.get_or_insert_with(|| Token::at(at));
                let len = token.text.len();
                token.quoted_from.get_or_insert(len);
            }
            (c, None) if c.is_whitespace() || c == '\u{3000}' => out.extend(current.take()),
            (c, _) => current.get_or_insert_with(|| Token::at(at)).text.push(c),
        }
    }
    if let Some(at) = quote {
        return Err(FilterError { at, fault: FilterFault::OpenQuote });
    }
    out.extend(current);
    Ok(out)
}

/// Key and value, where a token has both. A quoted name is one where the colon stands right behind the quote.
fn split(body: &str, quoted_to: Option<usize>) -> Option<(&str, &str)> {
    let Some(to) = quoted_to else { return body.split_once([':', '：']) };
    let value = body.get(to..)?.strip_prefix([':', '：'])?;
    Some((body.get(..to)?, value))
}

fn term(token: &Token) -> Result<Term, FilterError> {
    let whole = token.text.as_str();
    let quoted_at_start = token.quoted_from == Some(0);
    let (not, body) = match whole.strip_prefix('-') {
        Some(rest) if !quoted_at_start && (!rest.is_empty() || token.quoted_from.is_some()) => (true, rest),
        _ => (false, whole),
    };
    let cut = whole.len() - body.len();
    let quoted_body = token.quoted_from == Some(cut);
    let quoted_to = token.quoted_to.filter(|_| quoted_body).map(|to| to - cut);
    if let Some(text) = body.strip_prefix('~').filter(|_| !quoted_body) {
        if text.is_empty() {
            return Err(FilterError { at: token.at, fault: FilterFault::NoText });
        }
        return Ok(Term { not, test: Test::Message(text.to_owned()) });
    }
    let Some((name, value)) = split(body, quoted_to) else {
        return Ok(Term { not, test: Test::Text(body.to_owned()) });
    };
    let value_at = token.at + whole.chars().count() - value.chars().count();
    let fail = |fault: FilterFault| FilterError { at: value_at, fault };
    let values = || -> Vec<&str> { value.split([',', '，']).filter(|w| !w.trim().is_empty()).collect() };
    if values().is_empty() {
        return Err(fail(FilterFault::NoValue(name.to_owned())));
    }
    let words = || values().into_iter().map(str::to_owned).collect();
    let label = fold_label(name);
    let test = match key_called(&label) {
        Some(Ask::Age) => age(&half_width(value)).map_err(fail)?,
        Some(Ask::Attempts) => attempts(&half_width(value)).map_err(fail)?,
        Some(Ask::Date(of)) => dates(of, &values(), value_at)?,
        Some(Ask::Words(key @ (Key::Status | Key::State | Key::Kind))) => {
            // Words of the screen that hold a space are one word here.
            Test::Is(key, values().into_iter().map(|w| w.trim().replace(' ', "_")).collect())
        }
        Some(Ask::Words(key)) => Test::Is(key, words()),
        None if label.is_empty() => {
            return Err(FilterError { at: token.at, fault: FilterFault::NoKey { key: name.to_owned(), near: None } });
        }
        None => Test::Column(label, wanted(&values(), value_at)?),
    };
    Ok(Term { not, test })
}

/// The spans of a date; a fault stands at the one that is none.
fn dates(of: Moment, values: &[&str], value_at: usize) -> Result<Test, FilterError> {
    let (mut spans, mut at) = (Vec::new(), value_at);
    for value in values {
        spans.push(Span::parse(value, of).map_err(|fault| FilterError { at, fault })?);
        at += value.chars().count() + 1;
    }
    Ok(Test::When(of, spans))
}

/// What a column may have; a fault stands at the value that is none.
fn wanted(values: &[&str], value_at: usize) -> Result<Vec<Wanted>, FilterError> {
    let (mut all, mut at) = (Vec::new(), value_at);
    for value in values {
        all.push(Wanted::parse(value).map_err(|fault| FilterError { at, fault })?);
        at += value.chars().count() + 1;
    }
    Ok(all)
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
