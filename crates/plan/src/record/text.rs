//! Records out of a text: objects one after the other, one a line or not, or lists of them.
//!
//! Invariant: what is read is JSON, and stays as it was written but for blanks between its parts.

use serde_json::value::RawValue;

use super::MOST_BYTES;

/// A record as it was read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Read {
    /// Line of the text it begins on, from 1.
    pub line: usize,
    /// The record, without blanks between its parts.
    pub text: String,
}

/// What a text is, where it is no list of records.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Bad {
    /// It is no UTF-8, from this byte on.
    NotUtf8 {
        /// Line, from 1.
        line: usize,
        /// Byte of the text, from 1.
        byte: usize,
    },
    /// It is no JSON.
    NotJson {
        /// Line, from 1.
        line: usize,
        /// What the reader of JSON says.
        said: String,
    },
    /// Something else than an object.
    NotAnObject {
        /// Line, from 1.
        line: usize,
    },
    /// A record of more than [`MOST_BYTES`].
    TooLong {
        /// Line, from 1.
        line: usize,
        /// Its bytes.
        bytes: usize,
    },
}

/// Lines of a text, counted once: places are asked for in rising order.
struct Lines<'a> {
    text: &'a str,
    at: usize,
    line: usize,
}

impl Lines<'_> {
    /// The line of a part of the text.
    fn of(&mut self, part: &str) -> usize {
        self.at(part.as_ptr().addr().saturating_sub(self.text.as_ptr().addr()))
    }

    /// The line of a place.
    fn at(&mut self, at: usize) -> usize {
        self.line += self.text.get(self.at..at).unwrap_or_default().matches('\n').count();
        self.at = self.at.max(at);
        self.line
    }
}

/// Reads the records of a text, in its order.
///
/// # Errors
/// The first place where it is something else.
pub fn read(bytes: &[u8]) -> Result<Vec<Read>, Bad> {
    let text = std::str::from_utf8(bytes).map_err(|e| {
        let at = e.valid_up_to();
        let before = bytes.get(..at).unwrap_or_default();
        Bad::NotUtf8 { line: 1 + String::from_utf8_lossy(before).matches('\n').count(), byte: at + 1 }
    })?;
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let (mut records, mut lines) = (Vec::new(), Lines { text, at: 0, line: 1 });
    let values = serde_json::Deserializer::from_str(text).into_iter::<&RawValue>();
    for value in values {
        match value {
            Ok(value) => take(value.get(), &mut lines, &mut records)?,
            Err(e) => return Err(Bad::NotJson { line: e.line().max(1), said: e.to_string() }),
        }
    }
    Ok(records)
}

/// Takes a value, or each of a list of them; both are parts of the text.
fn take(value: &str, lines: &mut Lines<'_>, records: &mut Vec<Read>) -> Result<(), Bad> {
    let line = lines.of(value);
    match value.as_bytes().first() {
        Some(b'{') if value.len() > MOST_BYTES => Err(Bad::TooLong { line, bytes: value.len() }),
        Some(b'{') => {
            records.push(Read { line, text: compact(value) });
            Ok(())
        }
        Some(b'[') => {
            let items: Vec<&RawValue> =
                serde_json::from_str(value).map_err(|e| Bad::NotJson { line, said: e.to_string() })?;
            for item in items {
                // A list in a list would be a guess.
                if !item.get().starts_with('{') {
                    return Err(Bad::NotAnObject { line: lines.of(item.get()) });
                }
                take(item.get(), lines, records)?;
            }
            Ok(())
        }
        _ => Err(Bad::NotAnObject { line }),
    }
}

/// JSON without blanks between its parts; everything else stays as it is.
pub fn compact(json: &str) -> String {
    let mut out = String::with_capacity(json.len());
    let (mut in_text, mut escaped) = (false, false);
    for c in json.chars() {
        if in_text {
            in_text = escaped || c != '"';
            escaped = !escaped && c == '\\';
        } else if c.is_ascii_whitespace() {
            continue;
        } else {
            in_text = c == '"';
        }
        out.push(c);
    }
    out
}

/// Why a text is not one whole record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Whole {
    /// No JSON, or more than one value.
    NotJson,
    /// Something else than an object.
    NotAnObject,
    /// Of more than [`MOST_BYTES`].
    TooLong,
}

/// Whether a text is one record and nothing else, without blanks around it.
///
/// # Errors
/// What it is instead.
pub fn whole(text: &str) -> Result<(), Whole> {
    if text.len() > MOST_BYTES {
        return Err(Whole::TooLong);
    }
    serde_json::from_str::<&RawValue>(text).map_err(|_| Whole::NotJson)?;
    if text.starts_with('{') { Ok(()) } else { Err(Whole::NotAnObject) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn texts(all: &str) -> Vec<(usize, String)> {
        read(all.as_bytes()).unwrap().into_iter().map(|record| (record.line, record.text)).collect()
    }

    #[test]
    fn records_are_read_one_a_line_in_a_list_and_over_many_lines() {
        let two = vec![(1, r#"{"id":1}"#.to_owned()), (2, r#"{"id":2.50}"#.to_owned())];
        assert_eq!(texts("{\"id\": 1}\n{\"id\":2.50}\n"), two);
        assert_eq!(texts("[{\"id\":1},\n {\"id\": 2.50 }]"), two);
        assert_eq!(
            texts("\u{feff}\n\n{\n \"id\" :\t1,\n \"note\": \"a  b\\\" c\"\n}"),
            vec![(3, r#"{"id":1,"note":"a  b\" c"}"#.to_owned())]
        );
        assert!(texts("").is_empty() && texts(" \n[]\n").is_empty());
    }

    #[test]
    fn what_is_no_record_is_told_by_its_line() {
        assert_eq!(read(b"{\"id\":1}\n{\"a\":\"\xd6\xd0\"}"), Err(Bad::NotUtf8 { line: 2, byte: 16 }));
        assert_eq!(read(b"{\"id\":1}\n\n7\n"), Err(Bad::NotAnObject { line: 3 }));
        assert_eq!(read(b"[{\"id\":1},\n[{\"id\":2}]]"), Err(Bad::NotAnObject { line: 2 }));
        assert!(matches!(read(b"{\"id\":1}\n{\"id\":"), Err(Bad::NotJson { line: 2, .. })));
        assert!(matches!(read(b"{'id':1}"), Err(Bad::NotJson { line: 1, .. })));
        let long = format!("{{}}\n{{\"a\":\"{}\"}}", "x".repeat(MOST_BYTES));
        assert_eq!(read(long.as_bytes()), Err(Bad::TooLong { line: 2, bytes: MOST_BYTES + 8 }));
    }

    #[test]
    fn one_record_is_one_object_and_nothing_else() {
        assert_eq!(whole("{\"a\":1}"), Ok(()));
        assert_eq!(whole("{\"a\":1}{\"a\":2}"), Err(Whole::NotJson));
        assert_eq!(whole("[{}]"), Err(Whole::NotAnObject));
        assert_eq!(whole("{\"a\":"), Err(Whole::NotJson));
        assert_eq!(whole(&format!("{{\"a\":\"{}\"}}", "x".repeat(MOST_BYTES))), Err(Whole::TooLong));
    }
}
