//! An answer as a tree, and what a plan's paths find in it.
//!
//! Invariant: a number is never read into a float: one that is no whole number of 64 bits becomes a text, digit by digit; a path
//! that finds nothing, or several, is told apart from one that finds a value.

use std::borrow::Cow;

use serde_json::Value;
use serde_json_path::JsonPath;

use skydeck_core::domain::sending::{Check, Is};
use skydeck_core::text::Redactor;

/// Why an answer is no tree.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum NoTree {
    /// Nothing came.
    Empty,
    /// Bytes that are no UTF-8.
    NotUtf8,
    /// No JSON: what begins it.
    NotJson(String),
}

impl std::fmt::Display for NoTree {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Empty => f.write_str("the answer is empty"),
            Self::NotUtf8 => f.write_str("the answer is no UTF-8"),
            Self::NotJson(said) => write!(f, "the answer is no JSON: {said}"),
        }
    }
}

/// Reads an answer. `redactor`: what takes secrets out of its texts.
///
/// # Errors
/// Why it is no tree.
pub fn read(body: &[u8], redactor: &Redactor) -> Result<Value, NoTree> {
    let text = std::str::from_utf8(body).map_err(|_| NoTree::NotUtf8)?;
    let text = text.strip_prefix('\u{feff}').unwrap_or(text).trim();
    if text.is_empty() {
        return Err(NoTree::Empty);
    }
    let mut tree: Value = serde_json::from_str(&with_digits(text)).map_err(|_| {
        let start: String = redactor.text(text).chars().take(200).collect();
        NoTree::NotJson(start)
    })?;
    clean(&mut tree, redactor);
    Ok(tree)
}

/// The text with every number in quotation marks that would lose digits in a tree.
fn with_digits(text: &str) -> Cow<'_, str> {
    let bytes = text.as_bytes();
    let (mut out, mut done, mut at) = (String::new(), 0, 0);
    while let Some(byte) = bytes.get(at) {
        match byte {
            b'"' => at = end_of_text(bytes, at),
            b'-' | b'0'..=b'9' => {
                let of_number = |b: &u8| matches!(b, b'0'..=b'9' | b'-' | b'+' | b'.' | b'e' | b'E');
                let end = bytes.iter().skip(at).position(|b| !of_number(b)).map_or(bytes.len(), |n| at + n);
                let number = text.get(at..end).unwrap_or_default();
                if number.parse::<i64>().is_err() && number.parse::<u64>().is_err() && is_number(number) {
                    out.push_str(text.get(done..at).unwrap_or_default());
                    out.extend(["\"", number, "\""]);
                    done = end;
                }
                at = end;
            }
            _ => at += 1,
        }
    }
    if done == 0 {
        return Cow::Borrowed(text);
    }
    out.push_str(text.get(done..).unwrap_or_default());
    Cow::Owned(out)
}

/// Whether it is a number as JSON writes one; anything else stays as it is, and is no JSON then.
fn is_number(text: &str) -> bool {
    serde_json::from_str::<serde_json::Number>(text).is_ok() || {
        // One that is too large for a float is a number all the same.
        let digits = text.strip_prefix('-').unwrap_or(text);
        let plain = !digits.is_empty() && digits.bytes().all(|b| b.is_ascii_digit());
        plain && (digits == "0" || !digits.starts_with('0'))
    }
}

/// Where the text ends that begins at `from`.
fn end_of_text(bytes: &[u8], from: usize) -> usize {
    let mut at = from + 1;
    while let Some(byte) = bytes.get(at) {
        match byte {
            b'\\' => at += 2,
            b'"' => return at + 1,
            _ => at += 1,
        }
    }
    bytes.len()
}

/// Takes secrets out of the texts of a tree.
fn clean(tree: &mut Value, redactor: &Redactor) {
    match tree {
        Value::String(text) => {
            if let Cow::Owned(clean) = redactor.text(text) {
                *text = clean;
            }
        }
        Value::Array(items) => items.iter_mut().for_each(|item| clean(item, redactor)),
        Value::Object(map) => map.values_mut().for_each(|value| clean(value, redactor)),
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

/// A path of RFC 9535; names with dots are one. `None`: it can be read as none.
pub fn path(written: &str) -> Option<String> {
    let full = if written.starts_with('$') { written.to_owned() } else { format!("$.{written}") };
    JsonPath::parse(&full).is_ok().then_some(full)
}

/// What a path finds where one value is looked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum One {
    /// One plain value, as a text.
    Value(String),
    /// Nothing, or `null`.
    None,
    /// Several, or something that is no plain value.
    Unclear,
}

/// What a path finds.
fn nodes<'t>(tree: &'t Value, path: &str) -> Vec<&'t Value> {
    // A path that cannot be read refused the plan.
    JsonPath::parse(path).map(|path| path.query(tree).all()).unwrap_or_default()
}

/// The one plain value that a path finds.
pub fn one(tree: &Value, path: &str) -> One {
    match nodes(tree, path).as_slice() {
        [] | [Value::Null] => One::None,
        [value] => text_of(value).map_or(One::Unclear, One::Value),
        _ => One::Unclear,
    }
}

/// A plain value as a text.
fn text_of(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.trim().to_owned()),
        Value::Number(n) => Some(n.to_string()),
        Value::Bool(truth) => Some(truth.to_string()),
        Value::Null | Value::Array(_) | Value::Object(_) => None,
    }
}

/// The records that a path finds: a list's, or each that it names. `None`: it finds nothing, or something that is no record.
pub fn rows<'t>(tree: &'t Value, path: &str) -> Option<Vec<&'t Value>> {
    let found = nodes(tree, path);
    let rows: Vec<&Value> = match found.as_slice() {
        // Each of a list that is there and empty: no record, and no other shape.
        [] => match nodes(tree, path.strip_suffix("[*]")?).as_slice() {
            [Value::Array(items)] if items.is_empty() => Vec::new(),
            _ => return None,
        },
        [Value::Null] => Vec::new(),
        [Value::Array(items)] => items.iter().collect(),
        all => all.to_vec(),
    };
    rows.iter().all(|row| row.is_object()).then_some(rows)
}

/// What tests of an answer come to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Checked {
    /// All hold.
    Holds,
    /// This one does not: its path, and what is there.
    Fails(String, String),
    /// This path finds nothing, or several, where one value is tested.
    Unclear(String),
}

/// Holds an answer against tests.
pub fn check(tree: &Value, checks: &[Check]) -> Checked {
    for Check { path, is, values } in checks {
        let found = nodes(tree, path);
        let there = !matches!(found.as_slice(), [] | [Value::Null]);
        let holds = match is {
            Is::Exists => there,
            Is::Absent => !there,
            Is::In | Is::NotIn => match one(tree, path) {
                One::Value(value) => {
                    if values.iter().any(|known| known.trim() == value) != (*is == Is::In) {
                        return Checked::Fails(path.clone(), value);
                    }
                    true
                }
                One::None | One::Unclear => return Checked::Unclear(path.clone()),
            },
        };
        if !holds {
            return Checked::Fails(path.clone(), String::new());
        }
    }
    Checked::Holds
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tree(text: &str) -> Value {
        read(text.as_bytes(), &Redactor::default()).unwrap()
    }

    #[test]
    fn numbers_keep_their_digits() {
        let is = tree(r#"{"a":1.10,"b":12345678901234567890123,"c":"1.10","d":-7,"e":1e3,"f":"x\"1.5","g":[0.30]}"#);
        for (path, want) in [
            ("$.a", "1.10"),
            ("$.b", "12345678901234567890123"),
            ("$.c", "1.10"),
            ("$.d", "-7"),
            ("$.e", "1e3"),
            ("$.f", "x\"1.5"),
            ("$.g[0]", "0.30"),
        ] {
            assert_eq!(one(&is, path), One::Value(want.to_owned()), "{path}");
        }
    }

    #[test]
    fn what_is_no_answer_says_why() {
        let not = |body: &[u8]| read(body, &Redactor::default()).unwrap_err();
        assert_eq!(not(b""), NoTree::Empty);
        assert_eq!(not(b"{\"a\":\"\xff\"}"), NoTree::NotUtf8);
        assert!(matches!(not(b"<html>busy</html>"), NoTree::NotJson(said) if said.contains("busy")));
        for text in ["{\"a\":1.}", "{\"a\":01}", "{\"a\":--1}", "{\"a\":1", "{\"a\":1}{}"] {
            assert!(matches!(not(text.as_bytes()), NoTree::NotJson(_)), "{text}");
        }
        assert!(read("\u{feff} {\"a\":1} ".as_bytes(), &Redactor::default()).is_ok());
    }

    #[test]
    fn a_path_that_finds_nothing_or_several_is_no_value() {
        let is = tree(r#"{"rows":[{"k":"A"},{"k":"B"}],"none":null,"o":{"k":1}}"#);
        assert_eq!(one(&is, "$.rows[*].k"), One::Unclear);
        assert_eq!(one(&is, "$.o"), One::Unclear);
        assert_eq!((one(&is, "$.none"), one(&is, "$.x")), (One::None, One::None));
        assert_eq!(rows(&is, "$.rows").map(|rows| rows.len()), Some(2));
        assert_eq!(rows(&is, "$.rows[*]").map(|rows| rows.len()), Some(2));
        assert_eq!(rows(&is, "$.o").map(|rows| rows.len()), Some(1));
        assert_eq!(rows(&is, "$.none").map(|rows| rows.len()), Some(0));
        assert_eq!(rows(&is, "$.x"), None);
        assert_eq!(
            (rows(&is, "$.x[*]"), rows(&is, "$.o[*]")),
            (None, None),
            "what is not there, or no list, shows nothing"
        );
        assert_eq!(rows(&tree(r#"{"rows":[]}"#), "$.rows[*]").map(|rows| rows.len()), Some(0));
        assert_eq!(rows(&is, "$.rows[*].k"), None, "a record is an object");
    }

    #[test]
    fn a_test_of_what_is_not_there_is_not_taken_for_a_no() {
        let check = |text: &str, path: &str, is: Is, values: &[&str]| {
            let values = values.iter().map(|value| (*value).to_owned()).collect();
            super::check(&tree(text), &[Check { path: path.to_owned(), is, values }])
        };
        assert_eq!(check(r#"{"code":0}"#, "$.code", Is::In, &["0"]), Checked::Holds);
        assert_eq!(check(r#"{"code":"0"}"#, "$.code", Is::In, &["0"]), Checked::Holds);
        assert_eq!(check(r#"{"code":17}"#, "$.code", Is::In, &["0"]), Checked::Fails("$.code".into(), "17".into()));
        assert_eq!(check(r#"{"msg":"ok"}"#, "$.code", Is::In, &["0"]), Checked::Unclear("$.code".into()));
        assert_eq!(
            check(r#"{"a":{"code":0},"b":{"code":0}}"#, "$..code", Is::In, &["0"]),
            Checked::Unclear("$..code".into())
        );
        assert_eq!(check(r#"{"e":null}"#, "$.e", Is::Absent, &[]), Checked::Holds);
        assert_eq!(check(r#"{"e":"x"}"#, "$.e", Is::NotIn, &["y"]), Checked::Holds);
        assert_eq!(check("{}", "$.e", Is::NotIn, &["y"]), Checked::Unclear("$.e".into()));
    }

    #[test]
    fn secrets_are_taken_out_of_texts() {
        let mut redactor = Redactor::default();
        redactor.add("hunter2secret");
        let is = read(br#"{"m":"bad token hunter2secret","n":[{"k":"hunter2secret"}]}"#, &redactor).unwrap();
        assert_eq!(one(&is, "$.m"), One::Value("bad token [REDACTED]".into()));
        assert_eq!(one(&is, "$.n[0].k"), One::Value("[REDACTED]".into()));
    }
}
