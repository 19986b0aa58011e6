//! A record's columns: what stands at a path, once for the record or once for each line of one list of it.
//!
//! Invariant: the lines of a record are those of one list; a record in which the paths lead through two is refused.

use std::collections::HashMap;

use serde_json::value::RawValue;

/// Why a record has no columns as the plan asks for them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Unfit {
    /// It is no JSON object.
    NotAnObject,
    /// Its paths lead through two lists, and which line belongs to which is not known.
    TwoLists {
        /// The path of one list.
        one: String,
        /// The path of the other.
        other: String,
    },
}

/// What stands at a path.
enum At<'a> {
    /// Nothing.
    Nothing,
    /// This.
    Value(&'a str),
    /// A list stands in the way: what leads to it, its lines, and the rest of the path.
    Lines(String, Vec<&'a str>, &'a str),
}

/// Follows a path of names between dots.
fn follow<'a>(mut json: &'a str, path: &'a str) -> At<'a> {
    let mut rest = path;
    loop {
        if json.starts_with('[') {
            let walked = path.get(..path.len() - rest.len()).unwrap_or(path).trim_end_matches('.');
            return match serde_json::from_str::<Vec<&RawValue>>(json) {
                // A list of plain values is a value.
                Ok(items) if !rest.is_empty() => {
                    At::Lines(walked.to_owned(), items.into_iter().map(RawValue::get).collect(), rest)
                }
                _ => At::Value(json),
            };
        }
        if rest.is_empty() {
            return At::Value(json);
        }
        if !json.starts_with('{') {
            return At::Nothing;
        }
        let Ok(map) = serde_json::from_str::<HashMap<std::borrow::Cow<'a, str>, &'a RawValue>>(json) else {
            return At::Nothing;
        };
        let (name, after) = rest.split_once('.').unwrap_or((rest, ""));
        // A name with dots in it is a name all the same.
        if let Some(value) = map.get(rest) {
            return At::Value(value.get());
        }
        let Some(value) = map.get(name) else { return At::Nothing };
        (json, rest) = (value.get(), after);
    }
}

/// A value as the text of a column: a text without its quotes, a number digit by digit, nothing for null; anything else as JSON.
fn text(json: &str) -> String {
    match json.as_bytes().first() {
        Some(b'"') => serde_json::from_str(json).unwrap_or_else(|_| json.to_owned()),
        Some(b'n') => String::new(),
        _ => json.to_owned(),
    }
}

/// What stands at a path of a record, where that is one plain value: a text, a number, a truth.
pub fn cell(record: &str, path: &str) -> Option<String> {
    match follow(record, path) {
        At::Value(json) if !json.starts_with(['{', '[', 'n']) => Some(text(json)),
        At::Value(_) | At::Nothing | At::Lines(..) => None,
    }
}

/// A record's rows, each with what stands at these paths: one row, or one for each line of the list that the paths lead
/// through.
///
/// # Errors
/// The paths lead through two lists, or the record is none.
pub fn rows(record: &str, paths: &[&str]) -> Result<Vec<Vec<String>>, Unfit> {
    if !record.starts_with('{') {
        return Err(Unfit::NotAnObject);
    }
    let found: Vec<At<'_>> = paths.iter().map(|path| follow(record, path)).collect();
    let mut list: Option<(&str, &[&str])> = None;
    for at in &found {
        if let At::Lines(path, lines, _) = at {
            match list {
                Some((one, _)) if one != path => {
                    return Err(Unfit::TwoLists { one: one.to_owned(), other: path.clone() });
                }
                _ => list = Some((path, lines)),
            }
        }
    }
    let head = |at: &At<'_>| match at {
        At::Value(json) => text(json),
        At::Nothing | At::Lines(..) => String::new(),
    };
    let Some((path, lines)) = list.filter(|(_, lines)| !lines.is_empty()) else {
        return Ok(vec![found.iter().map(head).collect()]);
    };
    let of_line = |line: &&str| {
        found
            .iter()
            .map(|at| match at {
                At::Lines(_, _, rest) => match follow(line, rest) {
                    At::Value(json) => Ok(text(json)),
                    At::Nothing => Ok(String::new()),
                    At::Lines(inner, ..) => {
                        Err(Unfit::TwoLists { one: path.to_owned(), other: format!("{path}.{inner}") })
                    }
                },
                At::Value(_) | At::Nothing => Ok(head(at)),
            })
            .collect()
    };
    lines.iter().map(of_line).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const ORDER: &str = r#"{"so_id":"A-1","no":12345678901234567890.10,"ok":true,"none":null,"buyer":{"code":"C1","a.b":"x"},
        "lines":[{"sku":"S1","qty":2.50,"tags":["a","b"]},{"sku":"S\u00e92"}],"empty":[],"more":[{"x":1}]}"#;

    #[test]
    fn numbers_keep_their_digits_and_texts_their_letters() {
        let one = |path| cell(ORDER, path);
        assert_eq!(one("no").as_deref(), Some("12345678901234567890.10"));
        assert_eq!(one("buyer.code").as_deref(), Some("C1"));
        assert_eq!(one("buyer.a.b").as_deref(), Some("x"));
        assert_eq!(one("ok").as_deref(), Some("true"));
        for nothing in ["none", "buyer", "lines", "lines.sku", "nowhere", "so_id.deeper", ""] {
            assert_eq!(one(nothing), None, "{nothing}");
        }
    }

    #[test]
    fn a_list_makes_a_row_a_line_and_an_empty_one_a_row_without() {
        let read = rows(ORDER, &["so_id", "lines.sku", "lines.qty", "lines.tags"]).unwrap();
        assert_eq!(read, [["A-1", "S1", "2.50", r#"["a","b"]"#], ["A-1", "Sé2", "", ""]]);
        assert_eq!(rows(ORDER, &["so_id", "none", "empty.sku"]).unwrap(), [["A-1", "", ""]]);
        assert_eq!(rows(ORDER, &["buyer"]).unwrap(), [[r#"{"code":"C1","a.b":"x"}"#]]);
    }

    #[test]
    fn two_lists_are_not_paired_by_guess() {
        let two = rows(ORDER, &["lines.sku", "more.x"]);
        assert_eq!(two, Err(Unfit::TwoLists { one: "lines".into(), other: "more".into() }));
        let nested = r#"{"a":[{"b":[{"c":1}]}]}"#;
        assert_eq!(rows(nested, &["a.b.c"]), Err(Unfit::TwoLists { one: "a".into(), other: "a.b".into() }));
        assert_eq!(rows("[1]", &["a"]), Err(Unfit::NotAnObject));
    }
}
