//! A reader of FilterString templates, as far as lint and the mark need one: words, literals, brackets, predicates.
//!
//! Invariant: it never changes a filter. What it cannot read stays out of [`predicates`]; unbalanced quotes and
//! brackets and comment signs are errors, because conditions are added to the filter and must not land inside.

use super::problem::FilterFault;

/// A sign of a filter, with its byte offset.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Token {
    /// What.
    pub kind: Kind,
    /// Byte offset in the filter.
    pub at: usize,
}

/// Kinds of signs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A field path, keyword or number.
    Word(String),
    /// A quoted literal, quotes undone.
    Literal(String),
    /// `=`, `<>`, `!=`, `>`, `>=`, `<`, `<=` and any other run of such signs.
    Op(String),
    /// `(`.
    Open,
    /// `)`.
    Close,
    /// `,`.
    Comma,
}

/// What makes a filter unsafe to add conditions to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Broken {
    /// Byte offset.
    pub at: usize,
    /// What is wrong.
    pub why: FilterFault,
}

/// Cuts a filter into signs.
pub fn tokens(text: &str) -> Result<Vec<Token>, Broken> {
    let mut out = Vec::new();
    let mut depth = 0usize;
    let mut chars = text.char_indices().peekable();
    while let Some((at, c)) = chars.next() {
        let next = chars.peek().map(|(_, c)| *c);
        let kind = match c {
            c if c.is_whitespace() => continue,
            '\'' => Kind::Literal(literal(&mut chars).ok_or(Broken { at, why: FilterFault::Quote })?),
            '-' if next == Some('-') => {
                return Err(Broken { at, why: FilterFault::LineComment });
            }
            '/' if next == Some('*') => {
                return Err(Broken { at, why: FilterFault::Comment });
            }
            ';' => return Err(Broken { at, why: FilterFault::Statement }),
            '(' => {
                depth += 1;
                Kind::Open
            }
            ')' => {
                depth = depth.checked_sub(1).ok_or(Broken { at, why: FilterFault::Close })?;
                Kind::Close
            }
            ',' => Kind::Comma,
            '=' | '<' | '>' | '!' => {
                let mut op = c.to_string();
                while let Some((_, c)) = chars.next_if(|(_, c)| matches!(c, '=' | '<' | '>' | '!')) {
                    op.push(c);
                }
                Kind::Op(op)
            }
            c => Kind::Word(word(c, &mut chars)),
        };
        out.push(Token { kind, at });
    }
    if depth > 0 {
        return Err(Broken { at: text.len(), why: FilterFault::Open });
    }
    Ok(out)
}

type Chars<'a> = std::iter::Peekable<std::str::CharIndices<'a>>;

/// The text of a literal behind its first quote; two quotes are one of its signs. `None`: it has no end.
fn literal(chars: &mut Chars<'_>) -> Option<String> {
    let mut text = String::new();
    loop {
        match chars.next()?.1 {
            '\'' => match chars.next_if(|(_, c)| *c == '\'') {
                Some(_) => text.push('\''),
                None => return Some(text),
            },
            c => text.push(c),
        }
    }
}

/// A word from its first sign on. A bare `{{VAR fmt}}` is one word, its blank included.
fn word(first: char, chars: &mut Chars<'_>) -> String {
    let mut word = first.to_string();
    let mut holes = 0usize;
    while let Some((_, c)) = chars.next_if(|(_, c)| {
        holes > 0 || !(c.is_whitespace() || matches!(c, '\'' | '(' | ')' | ',' | '=' | '<' | '>' | '!' | ';'))
    }) {
        word.push(c);
        if word.ends_with("{{") {
            holes += 1;
        } else if word.ends_with("}}") {
            holes = holes.saturating_sub(1);
        }
    }
    word
}

/// A comparison `field op value` found in a filter, whatever brackets and connectives stand around it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Predicate {
    /// Field path as written.
    pub field: String,
    /// Operator in lower case, seen from the field: `=`, `<>`, `>`, `>=`, `<`, `<=`, `in`, `not in`, `like`, `not like`.
    pub op: String,
    /// Values.
    pub values: Vec<String>,
    /// Byte offset of the field.
    pub at: usize,
}

impl Predicate {
    /// Whether it compares this field, case ignored.
    pub fn is_on(&self, field: &str) -> bool {
        self.field.eq_ignore_ascii_case(field)
    }

    /// Whether it lets a value through that is written as in the filter (codes, not numbers).
    pub fn admits(&self, value: &str) -> bool {
        let named = self.values.iter().any(|v| v.eq_ignore_ascii_case(value));
        match self.op.as_str() {
            "=" | "in" => named,
            "<>" | "!=" | "not in" => !named,
            _ => true,
        }
    }
}

/// The comparisons of a filter, left to right.
pub fn predicates(tokens: &[Token]) -> Vec<Predicate> {
    let mut out = Vec::new();
    let value = |token: Option<&Token>| match token.map(|t| &t.kind) {
        Some(Kind::Literal(v)) => Some((v.clone(), true)),
        Some(Kind::Word(v)) => Some((v.clone(), false)),
        _ => None,
    };
    let keyword = |token: Option<&Token>, word: &str| matches!(token.map(|t| &t.kind), Some(Kind::Word(w)) if w.eq_ignore_ascii_case(word));
    for (i, token) in tokens.iter().enumerate() {
        let after = |n: usize| tokens.get(i + n);
        if let Kind::Op(op) = &token.kind {
            let before = i.checked_sub(1).and_then(|b| tokens.get(b));
            let (Some((left, left_quoted)), Some((right, right_quoted))) = (value(before), value(after(1))) else {
                continue;
            };
            if left_quoted && !right_quoted {
                let at = after(1).map_or(0, |t| t.at);
                out.push(Predicate { field: right, op: mirrored(op), values: vec![left], at });
            } else if !left_quoted {
                let at = before.map_or(0, |t| t.at);
                // TO_DATE('…','…'): the first literal is the value.
                let inner = (!right_quoted && after(2).is_some_and(|t| t.kind == Kind::Open)).then(|| value(after(3)));
                let right = inner.flatten().map_or(right, |(v, _)| v);
                out.push(Predicate { field: left, op: op.clone(), values: vec![right], at });
            }
            continue;
        }
        let Kind::Word(field) = &token.kind else { continue };
        if field.eq_ignore_ascii_case("not") {
            continue;
        }
        let (negated, at) = if keyword(after(1), "not") { (true, 2) } else { (false, 1) };
        let op = |word: &str| if negated { format!("not {word}") } else { word.to_owned() };
        if keyword(after(at), "in") && matches!(after(at + 1).map(|t| &t.kind), Some(Kind::Open)) {
            let values = tokens
                .iter()
                .skip(i + at + 2)
                // A bracket inside begins something else; going on to its end would read each sign once for each bracket.
                .take_while(|t| !matches!(t.kind, Kind::Open | Kind::Close))
                .filter_map(|t| value(Some(t)).map(|(v, _)| v))
                .collect();
            out.push(Predicate { field: field.clone(), op: op("in"), values, at: token.at });
        } else if keyword(after(at), "like") {
            let values = value(after(at + 1)).map(|(v, _)| v).into_iter().collect();
            out.push(Predicate { field: field.clone(), op: op("like"), values, at: token.at });
        }
    }
    out
}

fn mirrored(op: &str) -> String {
    match op {
        ">" => "<",
        ">=" => "<=",
        "<" => ">",
        "<=" => ">=",
        other => other,
    }
    .to_owned()
}

/// Whether an `or` stands in it anywhere.
pub fn has_or(tokens: &[Token]) -> bool {
    tokens.iter().any(|t| matches!(&t.kind, Kind::Word(w) if w.eq_ignore_ascii_case("or")))
}

/// Whether a `not` stands before a bracket or field (so that a predicate may mean its opposite).
pub fn has_leading_not(tokens: &[Token]) -> bool {
    tokens.iter().enumerate().any(|(i, t)| {
        let word = |t: &Token, w: &str| matches!(&t.kind, Kind::Word(x) if x.eq_ignore_ascii_case(w));
        word(t, "not") && !tokens.get(i + 1).is_some_and(|n| word(n, "in") || word(n, "like") || word(n, "null"))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Vec<String> {
        predicates(&tokens(text).unwrap())
            .iter()
            .map(|p| format!("{} {} {}", p.field, p.op, p.values.join("|")))
            .collect()
    }

    #[test]
    fn predicates_are_found_whatever_stands_around_them() {
        for (text, want) in [
            (
                "FCreateDate>='{{LAST_SYNC_TIME dateTime}}' and FDOCUMENTSTATUS<>'C'",
                vec!["FCreateDate >= {{LAST_SYNC_TIME dateTime}}", "FDOCUMENTSTATUS <> C"],
            ),
            ("'B' = FDocumentStatus", vec!["FDocumentStatus = B"]),
            ("'2025' <= FDate", vec!["FDate >= 2025"]),
            ("(FID > 3 or FX in ('a','b''c')) and F.y not in (1,2)", vec!["FID > 3", "FX in a|b'c", "F.y not in 1|2"]),
            ("FName like '%x and FDocumentStatus=''B''%'", vec!["FName like %x and FDocumentStatus='B'%"]),
            ("FModifyDate>={{LAST_SYNC_TIME datetime}}", vec!["FModifyDate >= {{LAST_SYNC_TIME datetime}}"]),
            ("", vec![]),
        ] {
            assert_eq!(read(text), want, "{text}");
        }
    }

    #[test]
    fn what_would_swallow_an_added_condition_is_refused() {
        for (text, at) in
            [("FNo='a", 4), ("(FID>1", 6), ("FID>1)", 5), ("FID>1 -- x", 6), ("FID>1 /* x", 6), ("FID>1; x", 5)]
        {
            assert_eq!(tokens(text).unwrap_err().at, at, "{text}");
        }
        assert!(tokens("FNo='a--b;/*('").is_ok(), "inside a literal they are text");
    }
}
