//! JSON text with the place of every value, so that an error found late can still name line and column.
//!
//! Invariant: a text that `serde_json` reads is walked to its end here; a key that stands twice is an error, because
//! one of the two values would be lost without a word.

use std::collections::HashMap;

use serde_json::Value;

use super::PlanError;
use super::problem::{JsonFault, Problem};

/// Line and column (in characters) of a byte offset, both from 1.
pub fn line_column(text: &str, offset: usize) -> (usize, usize) {
    let mut end = offset.min(text.len());
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    let before = text.get(..end).unwrap_or_default();
    let line_start = before.rfind('\n').map_or(0, |at| at + 1);
    let line = before.bytes().filter(|b| *b == b'\n').count() + 1;
    let column = before.get(line_start..).unwrap_or_default().chars().count() + 1;
    (line, column)
}

/// Where each value of a JSON text begins, by path such as `source.request[3].value`.
#[derive(Clone, Debug, Default)]
pub struct Places {
    at: HashMap<String, (usize, usize)>,
}

impl Places {
    /// Line and column of a path; of the nearest enclosing value where the path itself is not in the text.
    pub fn of(&self, path: &str) -> (usize, usize) {
        let mut path = path;
        loop {
            if let Some(at) = self.at.get(path) {
                return *at;
            }
            match path.rfind(['.', '[']) {
                Some(cut) => path = path.get(..cut).unwrap_or_default(),
                None => return self.at.get("").copied().unwrap_or((1, 1)),
            }
        }
    }
}

/// Reads a JSON text (a byte order mark is passed over) and the places in it.
pub fn parse(text: &str) -> Result<(Value, Places), PlanError> {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let value: Value = serde_json::from_str(text).map_err(|e| malformed(text, &e))?;
    let mut walk = Walk { text, bytes: text.as_bytes(), at: 0, line: 1, column: 0, counted: 0, out: Places::default() };
    walk.value("")?;
    Ok((value, walk.out))
}

fn malformed(text: &str, e: &serde_json::Error) -> PlanError {
    let line_text = text.lines().nth(e.line().saturating_sub(1)).unwrap_or_default();
    let mut cut = e.column().saturating_sub(1).min(line_text.len());
    while !line_text.is_char_boundary(cut) {
        cut -= 1;
    }
    let (before, after) = line_text.split_at_checked(cut).unwrap_or((line_text, ""));
    let column = before.chars().count() + 1;
    let near = after.chars().next();
    let why = if text.trim().is_empty() {
        JsonFault::Empty
    } else if e.is_eof() {
        JsonFault::EndsEarly
    } else if matches!(near, Some('“' | '”' | '‘' | '’' | '，' | '：')) {
        JsonFault::FullWidth
    } else if matches!(near, Some('}' | ']')) {
        JsonFault::Comma
    } else if matches!(near, Some('|' | '#')) || text.trim_start().starts_with(['|', '#']) {
        JsonFault::Table
    } else {
        JsonFault::Other
    };
    let whole = e.to_string();
    let message = whole.rfind(" at line ").and_then(|at| whole.get(..at)).unwrap_or(&whole);
    PlanError {
        line: e.line().max(1),
        column,
        field: String::new(),
        problem: Problem::NotJson { said: message.to_owned(), why },
    }
}

/// A walk over text that `serde_json` has accepted already: depth and grammar are known to be good.
struct Walk<'a> {
    text: &'a str,
    bytes: &'a [u8],
    at: usize,
    line: usize,
    /// Characters of the line before what was counted.
    column: usize,
    counted: usize,
    out: Places,
}

impl Walk<'_> {
    fn peek(&self) -> Option<u8> {
        self.bytes.get(self.at).copied()
    }

    fn blanks(&mut self) {
        while matches!(self.peek(), Some(b' ' | b'\t' | b'\r' | b'\n')) {
            self.at += 1;
        }
    }

    /// Line and column of where the walk stands; counts only what it has not counted yet.
    fn here(&mut self) -> (usize, usize) {
        while self.counted < self.at {
            match self.bytes.get(self.counted) {
                Some(b'\n') => (self.line, self.column) = (self.line + 1, 0),
                // The later bytes of a character count nothing.
                Some(0x80..=0xbf) => {}
                _ => self.column += 1,
            }
            self.counted += 1;
        }
        (self.line, self.column + 1)
    }

    fn string(&mut self) -> String {
        let start = self.at;
        self.at += 1;
        while let Some(b) = self.peek() {
            self.at += if b == b'\\' { 2 } else { 1 };
            if b == b'"' {
                break;
            }
        }
        let quoted = self.text.get(start..self.at).unwrap_or_default();
        serde_json::from_str(quoted).unwrap_or_default()
    }

    fn value(&mut self, path: &str) -> Result<(), PlanError> {
        self.blanks();
        let here = self.here();
        self.out.at.insert(path.to_owned(), here);
        match self.peek() {
            Some(b'{') => self.object(path),
            Some(b'[') => self.array(path),
            Some(b'"') => {
                self.string();
                Ok(())
            }
            _ => {
                while self.peek().is_some_and(|b| !matches!(b, b',' | b'}' | b']') && !b.is_ascii_whitespace()) {
                    self.at += 1;
                }
                Ok(())
            }
        }
    }

    fn object(&mut self, path: &str) -> Result<(), PlanError> {
        let mut seen: HashMap<String, usize> = HashMap::new();
        self.at += 1;
        loop {
            self.blanks();
            match self.peek() {
                Some(b'"') => {
                    let (line, column) = self.here();
                    let key = self.string();
                    let inner = if path.is_empty() { key.clone() } else { format!("{path}.{key}") };
                    if let Some(first) = seen.insert(key.clone(), line) {
                        return Err(PlanError {
                            line,
                            column,
                            field: inner,
                            problem: Problem::KeyTwice { key, first },
                        });
                    }
                    self.blanks();
                    self.at += 1; // the colon
                    self.value(&inner)?;
                }
                Some(b',') => self.at += 1,
                _ => {
                    self.at += 1;
                    return Ok(());
                }
            }
        }
    }

    fn array(&mut self, path: &str) -> Result<(), PlanError> {
        let mut index = 0usize;
        self.at += 1;
        loop {
            self.blanks();
            match self.peek() {
                Some(b',') => self.at += 1,
                Some(b']') | None => {
                    self.at += 1;
                    return Ok(());
                }
                Some(_) => {
                    self.value(&format!("{path}[{index}]"))?;
                    index += 1;
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_value_knows_its_line_and_column() {
        let text = "{\n  \"a\": [1, {\"b\\\"c\": \"x,]\"}],\n  \"单据\": {\"k\": true}\n}";
        let (_, places) = parse(text).unwrap();
        assert_eq!(places.of(""), (1, 1));
        assert_eq!(places.of("a[1].b\"c"), (2, 21));
        assert_eq!(places.of("单据.k"), (3, 15));
        assert_eq!(places.of("单据.none.deeper[3]"), (3, 9), "falls back to the enclosing value");
    }

    #[test]
    fn malformed_text_says_where_and_what_to_do() {
        for (text, line, column, hint) in [
            ("{\n \"a\": 1,\n}", 3, 1, "one too many"),
            ("{\"a\": [1, 2", 1, 11, "ends too early"),
            ("", 1, 1, "empty"),
            ("{“a”: 1}", 1, 2, "full-width"),
            ("| a | b |", 1, 1, "table"),
        ] {
            let e = parse(text).unwrap_err();
            assert_eq!((e.line, e.column), (line, column), "{text}: {e}");
            assert!(e.to_string().contains(hint), "{text}: {e}");
        }
    }

    #[test]
    fn a_key_that_stands_twice_is_an_error() {
        let e = parse("{\"source\": {\n\"id\": 1,\n \"id\": 2}}").unwrap_err();
        assert_eq!((e.line, e.column, e.field.as_str()), (3, 2, "source.id"));
    }
}
