//! Ways out that are no cell: spreadsheets, HTML, Markdown and the terminal's clipboard.
//!
//! Invariant: what leaves here passed [`show`] and holds nothing its reader would execute.

use std::borrow::Cow;
use std::fmt::Write as _;

use base64::Engine as _;

use super::hostile::hostile;
use super::show::show;

/// Bytes that may go to the terminal's clipboard; terminals drop longer sequences, some without a word.
pub const COPY_LIMIT: usize = 100_000;

/// A text too long for the terminal's clipboard.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{bytes} bytes are too many to copy through the terminal (limit {COPY_LIMIT}): export them instead")]
pub struct TooLong {
    /// Bytes it would take.
    pub bytes: usize,
}

/// A spreadsheet cell from raw text: shown, and with `'` in front when a spreadsheet would take it for a formula
/// (`=`, `+`, `-`, `@`, their fullwidth forms, also after blanks). Plain numbers stay as they are.
pub fn csv_safe(raw: &str) -> String {
    let text = show(raw, raw.len()).into_string();
    let begins_formula = text.trim_start().starts_with(['=', '+', '-', '@', '＝', '＋', '－', '＠', '⇥', '␍']);
    if begins_formula && !is_number(&text) { format!("'{text}") } else { text }
}

/// `-12`, `+3.50`, `1,000.25`, `-1e5`: digits with sign, separators and exponent, and nothing else.
fn is_number(text: &str) -> bool {
    let body = text.strip_prefix(['-', '+']).unwrap_or(text);
    // What begins with a digit and is read as a number has no letters but an exponent's.
    body.starts_with(|c: char| c.is_ascii_digit()) && body.replace(',', "").parse::<f64>().is_ok()
}

/// A JSON text in which what a terminal obeys, or what reorders or hides its neighbours, stands as `\u` escapes. Outside of
/// its strings JSON has no such character, so the value stays the same.
pub fn json_safe(json: &str) -> Cow<'_, str> {
    if !json.chars().any(hostile) {
        return json.into();
    }
    let mut out = String::with_capacity(json.len() + 64);
    let mut units = [0; 2];
    for c in json.chars() {
        if hostile(c) {
            for unit in c.encode_utf16(&mut units) {
                // Writing to a String cannot fail.
                let _ = write!(out, "\\u{unit:04x}");
            }
        } else {
            out.push(c);
        }
    }
    out.into()
}

/// Text of an HTML element or a quoted attribute, from raw text.
pub fn html_safe(raw: &str) -> String {
    let mut out = String::with_capacity(raw.len() + 16);
    for c in show(raw, raw.len()).as_str().chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            c => out.push(c),
        }
    }
    out
}

/// Text of a cell in a Markdown table, from raw text: no markup, link, HTML or column sign of it works.
pub fn markdown_safe(raw: &str) -> String {
    let mut out = String::with_capacity(raw.len() + 16);
    for c in show(raw, raw.len()).as_str().chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '\\' | '`' | '*' | '_' | '{' | '}' | '[' | ']' | '(' | ')' | '#' | '|' | '~' | '!' => {
                out.push('\\');
                out.push(c);
            }
            c => out.push(c),
        }
    }
    out
}

/// The sequence that puts a text into the terminal's clipboard (OSC 52, write only). Line ends become blanks, so that
/// pasting into a shell runs nothing.
///
/// # Errors
/// [`TooLong`] when more than [`COPY_LIMIT`] bytes would go.
pub fn osc52(text: &str) -> Result<String, TooLong> {
    let one_line = text.replace("\r\n", " ").replace(['\n', '\r'], " ");
    let shown = show(&one_line, one_line.len());
    let bytes = shown.as_str().len();
    if bytes > COPY_LIMIT {
        return Err(TooLong { bytes });
    }
    let coded = base64::engine::general_purpose::STANDARD.encode(shown.as_str());
    Ok(format!("\x1b]52;c;{coded}\x07"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_spreadsheet_gets_no_formula() {
        for (raw, cell) in [
            ("=HYPERLINK(\"http://x.invalid\")", "'=HYPERLINK(\"http://x.invalid\")"),
            ("@SUM(1)", "'@SUM(1)"),
            ("  =1+1", "'  =1+1"),
            ("＝1+1", "'＝1+1"),
            ("\t=1", "'⇥=1"),
            ("-12.50", "-12.50"),
            ("+3", "+3"),
            ("-1,000.25", "-1,000.25"),
            ("-1+cmd|' /C calc'!A0", "'-1+cmd|' /C calc'!A0"),
            ("-inf", "'-inf"),
            ("-nan", "'-nan"),
            ("-.5", "'-.5"),
            ("+-5", "'+-5"),
            ("-1-2", "'-1-2"),
            ("-1e5", "-1e5"),
            ("-1e", "'-1e"),
            ("-0x10", "'-0x10"),
            ("-1_0", "'-1_0"),
            ("-1infinity", "'-1infinity"),
            ("XSCKD000123", "XSCKD000123"),
            ("借方\n100", "借方⏎100"),
            ("", ""),
        ] {
            assert_eq!(csv_safe(raw), cell, "{raw:?}");
        }
    }

    #[test]
    fn the_clipboard_gets_one_line_and_no_escape() {
        let sequence = osc52("rm -rf x\nls\u{202e}\x1b[2J").unwrap();
        let coded = sequence.strip_prefix("\x1b]52;c;").unwrap().strip_suffix('\x07').unwrap();
        let text = base64::engine::general_purpose::STANDARD.decode(coded).unwrap();
        assert_eq!(String::from_utf8(text).unwrap(), "rm -rf x ls⟨202E⟩␛[2J");
        assert!(osc52(&"x".repeat(COPY_LIMIT)).is_ok());
        assert_eq!(osc52(&"x".repeat(COPY_LIMIT + 1)), Err(TooLong { bytes: COPY_LIMIT + 1 }));
    }

    #[test]
    fn json_keeps_its_value_and_gives_a_terminal_nothing_to_obey() {
        let value = serde_json::json!({"m\u{9b}": "\u{202e}审核\u{1f1e8}\u{e0041}\u{7f}\x1b[2J", "n": [1, "\u{85}"]});
        let text = json_safe(&value.to_string()).into_owned();
        assert!(!text.chars().any(hostile), "{text}");
        assert!(text.contains("\\u202e审核") && text.contains("\\udb40\\udc41"), "{text}");
        assert_eq!(serde_json::from_str::<serde_json::Value>(&text).unwrap(), value);
        assert!(matches!(json_safe("{\"a\":\"审核\"}"), Cow::Borrowed(_)));
    }

    #[test]
    fn markup_is_inert() {
        assert_eq!(html_safe("<b onload='x\"'>&\x07"), "&lt;b onload=&#39;x&quot;&#39;&gt;&amp;␇");
        assert_eq!(markdown_safe("a|[x](y)<b>&lt;"), "a\\|\\[x\\]\\(y\\)&lt;b&gt;&amp;lt;");
        for sign in "\\`*_{}[]()#|~!".chars() {
            assert_eq!(markdown_safe(&format!("a{sign}b")), format!("a\\{sign}b"));
        }
    }
}
