//! Filter text → tokens.
//!
//! Invariant: every token carries the byte offset it began at.

use super::FilterError;

/// One token.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Token {
    /// Field, keyword or function name, as written.
    Word(String),
    /// Quoted text, quotes undone.
    Text(String),
    /// Whole number.
    Int(i64),
    /// Number with a point, or too large for a whole one.
    Num(f64),
    /// Operator or punctuation.
    Sign(&'static str),
}

const SIGNS: [&str; 11] = ["<>", "!=", ">=", "<=", "=", ">", "<", "(", ")", ",", ";"];

/// Splits the text.
pub(super) fn tokens(text: &str) -> Result<Vec<(Token, usize)>, FilterError> {
    let mut out = Vec::new();
    let mut rest = text;
    loop {
        rest = rest.trim_start();
        let at = text.len() - rest.len();
        let Some(first) = rest.chars().next() else { return Ok(out) };
        let (token, left) = if first == '\'' {
            quoted(rest, at)?
        } else if first.is_ascii_digit() || (matches!(first, '-' | '+' | '.') && digit_follows(rest)) {
            number(rest, at)?
        } else if first.is_alphabetic() || first == '_' {
            let end = rest.find(|c: char| !(c.is_alphanumeric() || matches!(c, '_' | '.'))).unwrap_or(rest.len());
            let (word, left) = rest.split_at(end);
            (Token::Word(word.to_owned()), left)
        } else if let Some(sign) = SIGNS.iter().find(|sign| rest.starts_with(**sign)) {
            (Token::Sign(sign), rest.strip_prefix(sign).unwrap_or(""))
        } else {
            return Err(FilterError { what: format!("unexpected {first:?}"), at });
        };
        out.push((token, at));
        rest = left;
    }
}

fn digit_follows(text: &str) -> bool {
    text.as_bytes().get(1).is_some_and(|b| b.is_ascii_digit() || *b == b'.')
}

fn quoted(text: &str, at: usize) -> Result<(Token, &str), FilterError> {
    let mut out = String::new();
    let mut chars = text.char_indices().skip(1).peekable();
    while let Some((_, c)) = chars.next() {
        if c != '\'' {
            out.push(c);
        } else if chars.next_if(|(_, next)| *next == '\'').is_some() {
            out.push('\'');
        } else {
            let end = chars.peek().map_or(text.len(), |(i, _)| *i);
            return Ok((Token::Text(out), text.split_at(end).1));
        }
    }
    Err(FilterError { what: "text without closing quote".to_owned(), at })
}

fn number(text: &str, at: usize) -> Result<(Token, &str), FilterError> {
    let end = text
        .char_indices()
        .find(|(i, c)| !(c.is_ascii_digit() || *c == '.' || (*i == 0 && matches!(c, '-' | '+'))))
        .map_or(text.len(), |(i, _)| i);
    let (digits, rest) = text.split_at(end);
    if rest.starts_with(|c: char| c.is_alphanumeric() || c == '_') {
        return Err(FilterError { what: format!("malformed number {digits:?}"), at });
    }
    if let Ok(n) = digits.parse::<i64>() {
        return Ok((Token::Int(n), rest));
    }
    match digits.parse::<f64>() {
        Ok(n) => Ok((Token::Num(n), rest)),
        Err(_) => Err(FilterError { what: format!("malformed number {digits:?}"), at }),
    }
}
