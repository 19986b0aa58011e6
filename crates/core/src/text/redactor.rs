//! Secrets that are known are taken out of a text, in whatever of the usual forms they are written in it.
//!
//! Invariant: a form that is undone by reading the text once or several times as JSON, as a percent-encoded text or as HTML
//! hides no secret; a text without one stays byte for byte.

use std::borrow::Cow;
use std::fmt::Write as _;

use zeroize::Zeroizing;

/// What stands in a secret's place.
pub const REDACTED: &str = "[REDACTED]";

/// Shorter ones, bytes, stand in ordinary words and numbers: taking them out would leave no answer readable.
pub const SHORTEST_SECRET: usize = 4;

/// How often one encoding within another is undone.
const NESTED: usize = 4;

/// Knows secrets and takes them out.
#[derive(Clone, Default)]
pub struct Redactor {
    secrets: Vec<Zeroizing<String>>,
}

impl Redactor {
    /// Remembers one; one that is shorter than [`SHORTEST_SECRET`] is not.
    pub fn add(&mut self, secret: &str) {
        if secret.len() >= SHORTEST_SECRET && !self.is_secret(secret) {
            self.secrets.push(Zeroizing::new(secret.to_owned()));
        }
    }

    /// Whether a text is one of them.
    pub fn is_secret(&self, text: &str) -> bool {
        self.secrets.iter().any(|secret| secret.as_str() == text)
    }

    /// Whether a text holds one of them, or the mark of one that was taken out.
    pub fn finds(&self, text: &str) -> bool {
        text.contains(REDACTED) || matches!(self.text(text), Cow::Owned(_))
    }

    /// A text without them.
    pub fn text<'a>(&self, text: &'a str) -> Cow<'a, str> {
        match self.bytes(text.as_bytes()) {
            Cow::Borrowed(_) => Cow::Borrowed(text),
            Cow::Owned(bytes) => Cow::Owned(String::from_utf8_lossy(&bytes).into_owned()),
        }
    }

    /// Bytes without them.
    pub fn bytes<'a>(&self, text: &'a [u8]) -> Cow<'a, [u8]> {
        let begins = self.begins();
        let (mut out, mut done, mut at) = (Vec::new(), 0, 0);
        while let Some(skip) =
            text.get(at..).and_then(|rest| rest.iter().position(|b| begins.get(usize::from(*b)) == Some(&true)))
        {
            at += skip;
            match self.secrets.iter().filter_map(|secret| length(secret, text, at)).max() {
                Some(length) => {
                    out.extend_from_slice(text.get(done..at).unwrap_or_default());
                    out.extend_from_slice(REDACTED.as_bytes());
                    at += length;
                    done = at;
                }
                None => at += 1,
            }
        }
        if done == 0 {
            return Cow::Borrowed(text);
        }
        out.extend_from_slice(text.get(done..).unwrap_or_default());
        Cow::Owned(out)
    }

    /// The bytes that a secret, written in any form, can begin with.
    fn begins(&self) -> [bool; 256] {
        let mut begins = [false; 256];
        for secret in &self.secrets {
            for first in secret.bytes().take(1).chain(*b"\\%&") {
                if let Some(place) = begins.get_mut(usize::from(first)) {
                    *place = true;
                }
            }
        }
        begins
    }
}

/// How many bytes a secret takes that stands at this place of a text.
fn length(secret: &str, text: &[u8], at: usize) -> Option<usize> {
    let (mut ends, mut next) = (vec![at], Vec::new());
    for sign in secret.chars() {
        for end in ends.drain(..) {
            forms(sign, text.get(end..).unwrap_or_default(), &mut |length| {
                if !next.contains(&(end + length)) {
                    next.push(end + length);
                }
            });
        }
        if next.is_empty() {
            return None;
        }
        std::mem::swap(&mut ends, &mut next);
    }
    let end = ends.into_iter().max()?;
    // Digits inside a longer number are another number.
    let is_number = secret.bytes().all(|b| b.is_ascii_digit());
    let longer = is_number && (is_digit_before(text, at) || text.get(end).is_some_and(u8::is_ascii_digit));
    (!longer).then_some(end - at)
}

/// Whether a digit stands before this place, and not the end of an escape.
fn is_digit_before(text: &[u8], at: usize) -> bool {
    let before = text.get(..at).unwrap_or_default();
    let is_escape = before.iter().rev().nth(2) == Some(&b'%')
        || before.len().checked_sub(6).and_then(|from| before.get(from..)).is_some_and(|six| six.starts_with(b"\\u"));
    before.last().is_some_and(u8::is_ascii_digit) && !is_escape
}

/// Tells the length of each form of a sign that a text begins with.
fn forms(sign: char, text: &[u8], tell: &mut impl FnMut(usize)) {
    let mut buffer = [0; 4];
    let raw = sign.encode_utf8(&mut buffer).as_bytes();
    if text.starts_with(raw) {
        tell(raw.len());
    }
    match text.first() {
        Some(b'+') if sign == ' ' => tell(1),
        Some(b'\\') => escaped(sign, text, tell),
        Some(b'%') => percent_encoded(sign, raw, text, tell),
        Some(b'&') => entity(sign, text, tell),
        _ => {}
    }
}

/// `\"`, `\/`, `\uXXXX`; each time a text is put into another one its backslashes are doubled.
fn escaped(sign: char, text: &[u8], tell: &mut impl FnMut(usize)) {
    let slashes = |from: usize| text.iter().skip(from).take_while(|b| **b == b'\\').count();
    let run = slashes(0);
    if sign == '\\' {
        (1..=NESTED).map(|n| 1 << n).filter(|n| *n <= run).for_each(&mut *tell);
    }
    let short = match text.get(run) {
        Some(b'n') => '\n',
        Some(b'r') => '\r',
        Some(b't') => '\t',
        Some(other @ (b'"' | b'\'' | b'/')) => char::from(*other),
        _ => '\\',
    };
    if short == sign && short != '\\' {
        tell(run + 1);
    }
    let unit = |from: usize| -> Option<u16> {
        let digits = text.get(from..)?.strip_prefix(b"u")?.get(..4)?;
        u16::from_str_radix(std::str::from_utf8(digits).ok()?, 16).ok()
    };
    let mut units = [0; 2];
    match sign.encode_utf16(&mut units) {
        [one] if unit(run) == Some(*one) => tell(run + 5),
        [one, two] if unit(run) == Some(*one) => {
            let second = run + 5 + slashes(run + 5);
            if second > run + 5 && unit(second) == Some(*two) {
                tell(second + 5);
            }
        }
        _ => {}
    }
}

/// `%XX` of each byte, `%25XX` where it was encoded twice, and `%uXXXX`.
fn percent_encoded(sign: char, raw: &[u8], text: &[u8], tell: &mut impl FnMut(usize)) {
    for nested in 0..NESTED {
        let lead = format!("%{}", "25".repeat(nested));
        let is = |form: &str| text.get(..form.len()).is_some_and(|t| t.eq_ignore_ascii_case(form.as_bytes()));
        let (mut bytes, mut units) = (String::new(), String::new());
        for byte in raw {
            let _ = write!(bytes, "{lead}{byte:02x}");
        }
        for unit in sign.encode_utf16(&mut [0; 2]) {
            let _ = write!(units, "{lead}u{unit:04x}");
        }
        [bytes, units].iter().filter(|form| is(form)).for_each(|form| tell(form.len()));
    }
}

/// `&quot;`, `&#34;`, `&#x22;`, and the same with `&amp;` for the `&`.
fn entity(sign: char, text: &[u8], tell: &mut impl FnMut(usize)) {
    let mut at = 1;
    for _ in 0..NESTED {
        let rest = text.get(at..).unwrap_or_default();
        let Some(end) = rest.iter().take(10).position(|b| *b == b';') else { return };
        let name = std::str::from_utf8(rest.get(..end).unwrap_or_default()).unwrap_or_default().to_ascii_lowercase();
        let number = name.strip_prefix('#').and_then(|number| match number.strip_prefix('x') {
            Some(hex) => u32::from_str_radix(hex, 16).ok(),
            None => number.parse().ok(),
        });
        let named = match name.as_str() {
            "quot" => Some('"'),
            "amp" => Some('&'),
            "lt" => Some('<'),
            "gt" => Some('>'),
            "apos" => Some('\''),
            _ => number.and_then(char::from_u32),
        };
        if named == Some(sign) {
            tell(at + end + 1);
        }
        if named != Some('&') {
            return;
        }
        at += end + 1;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn redactor(secrets: &[&str]) -> Redactor {
        let mut redactor = Redactor::default();
        for secret in secrets {
            redactor.add(secret);
        }
        redactor
    }

    /// A secret put into a JSON text so many times.
    fn json(secret: &str, times: usize) -> String {
        (0..times).fold(secret.to_owned(), |text, _| {
            let quoted = serde_json::to_string(&text).unwrap();
            quoted[1..quoted.len() - 1].to_owned()
        })
    }

    #[test]
    fn a_secret_is_found_in_every_form() {
        let secret = "pa\"ss\\w/é-VALUE&<客😀>98% 5";
        let (mut utf16, mut percent) = (String::new(), String::new());
        secret.encode_utf16().for_each(|unit| write!(utf16, "\\u{unit:04X}").unwrap());
        secret.bytes().for_each(|byte| write!(percent, "%{byte:02X}").unwrap());
        let twice = percent.replace('%', "%25");
        let html = secret.replace('&', "&amp;").replace('"', "&quot;").replace('<', "&lt;").replace('>', "&#62;");
        let mut forms: Vec<String> = (0..4).map(|times| json(secret, times)).collect();
        forms.extend([json(secret, 1).replace('/', "\\/"), json(secret, 2).replace('/', "\\\\/")]);
        forms.extend([json(&utf16, 1), json(&utf16, 2), utf16.to_lowercase().replace("\\U", "\\u"), utf16]);
        forms.extend([percent.to_lowercase(), percent.replace("%20", "+"), percent, twice]);
        forms.extend([html.replace('&', "&amp;"), html.replace("&quot;", "&#x22;"), html]);
        forms.push(json(secret, 1).replace('&', "\\u0026").replace('é', "%u00e9"));
        let redactor = redactor(&[secret]);
        for form in forms {
            let text = format!("密码 {form}, 98% of &amp; \\u0041 %41");
            assert_eq!(redactor.text(&text), format!("密码 {REDACTED}, 98% of &amp; \\u0041 %41"), "{form}");
        }
    }

    #[test]
    fn what_holds_no_secret_stays_as_it_is() {
        let redactor = redactor(&["hunter2", "123456", "abc", "\\\\x\\"]);
        for text in ["hunter", "hunter 2", "XS00123456", "1234567", "abc", "", "%68%75", "\\u0068unter3", "\\x"] {
            assert!(matches!(redactor.text(text), Cow::Borrowed(_)) && !redactor.finds(text), "{text}");
        }
        for (text, want) in [
            ("a hunter2hunter2", "a [REDACTED][REDACTED]"),
            ("密码123456。", "密码[REDACTED]。"),
            ("q=%20123456", "q=%20[REDACTED]"),
            ("\\u0020123456", "\\u0020[REDACTED]"),
        ] {
            assert_eq!(redactor.text(text), want);
            assert!(redactor.finds(text) && redactor.finds(want));
        }
        assert_eq!(redactor.bytes(b"\xffhunter2\xfe"), b"\xff[REDACTED]\xfe".as_slice());
    }

    #[test]
    fn a_key_of_many_lines_is_found_as_it_stands_in_json() {
        let key = format!("-----BEGIN PRIVATE KEY-----\n{}\n", "MIIEv/+=".repeat(6000));
        let redactor = redactor(&[&key]);
        assert_eq!(redactor.text(&format!("<{}>", json(&key, 1))), "<[REDACTED]>");
    }
}
