//! Our own secrets, which a server may echo, are taken out of its answers before anything reads or keeps them.
//!
//! Invariant: an answer in JSON stays the same answer but for texts: no name of the protocol, no truth, and no number in a row
//! is touched. What identifies a bill and was touched, the client refuses.

use std::borrow::Cow;
use std::ops::Range;

use super::http::SENSITIVE;
use super::transport::{HttpReply, TransportFault};
use super::wire::{NAMES, date_of};
use skydeck_core::domain::bill::Found;
use skydeck_core::text::{REDACTED, Redactor};

/// A credential shorter than this, bytes, is one of a toy server, and stands in ordinary text.
const LONG: usize = 16;

/// What takes out of an answer the secrets that a client has and the credentials that the call carries.
pub(super) fn for_call(ours: &Redactor, headers: &[(String, String)]) -> Redactor {
    let mut redactor = ours.clone();
    let carried = headers.iter().filter(|(name, _)| SENSITIVE.iter().any(|known| name.eq_ignore_ascii_case(known)));
    carried.filter(|(_, value)| value.len() >= LONG).for_each(|(_, value)| redactor.add(value));
    redactor
}

/// Why a bill cannot be told from others: what tells it is a secret of ours, or held one.
pub(super) fn hidden(redactor: &Redactor, bill: &Found) -> Option<String> {
    let told = [("an id", bill.fid.as_str()), ("a number", &bill.no), ("a status", bill.rev.status.code())];
    let fields = bill.fields.iter().map(|(path, value)| (path.as_str(), value.as_str()));
    let (what, _) = told.into_iter().chain(fields).find(|(_, value)| redactor.finds(value))?;
    Some(format!("a row has {what} that holds a secret of this environment"))
}

/// An answer, or why there is none, without secrets. Headers stay: they are read for times and session ids, and never kept.
pub(super) fn answer(
    redactor: &Redactor,
    answer: Result<HttpReply, TransportFault>,
) -> Result<HttpReply, TransportFault> {
    let clean = |text: String| redactor.text(&text).into_owned();
    match answer {
        Ok(reply) => Ok(HttpReply { body: body(redactor, reply.body), ..reply }),
        Err(TransportFault::NotSent(why)) => Err(TransportFault::NotSent(clean(why))),
        Err(TransportFault::Broken(why)) => Err(TransportFault::Broken(clean(why))),
        Err(TransportFault::Redirected { status, to }) => {
            // Cut last: of half a secret nobody knows what it was.
            let to = clean(to);
            let to: String = to.split(['?', '#']).next().unwrap_or_default().chars().take(200).collect();
            let to = if to.is_empty() { "nowhere".to_owned() } else { to };
            Err(TransportFault::Redirected { status, to })
        }
        Err(fault @ (TransportFault::TimedOut(_) | TransportFault::TooLarge { .. })) => Err(fault),
    }
}

/// The body of an answer without secrets.
fn body(redactor: &Redactor, body: Vec<u8>) -> Vec<u8> {
    let Cow::Owned(blunt) = redactor.bytes(&body) else { return body };
    let (mark, json) = match body.strip_prefix(b"\xef\xbb\xbf") {
        Some(json) => (body.len() - json.len(), json),
        None => (0, body.as_slice()),
    };
    match std::str::from_utf8(json) {
        Ok(json) if serde_json::from_str::<serde::de::IgnoredAny>(json).is_ok() => {
            let mut out = body.get(..mark).unwrap_or_default().to_vec();
            out.extend_from_slice(in_json(redactor, json).as_bytes());
            out
        }
        Ok(_) | Err(_) => blunt,
    }
}

/// A valid JSON text without secrets.
fn in_json(redactor: &Redactor, json: &str) -> String {
    let is_rows = json.trim_start().starts_with('[');
    let (mut out, mut done) = (String::with_capacity(json.len()), 0);
    while let Some(token) = token(json, done) {
        out.push_str(json.get(done..token.start).unwrap_or_default());
        done = token.end;
        let text = json.get(token).unwrap_or_default();
        if text.starts_with('"') {
            let is_name = json.get(done..).unwrap_or_default().trim_start().starts_with(':');
            let is_protocol = is_name && NAMES.iter().any(|name| text.trim_matches('"') == *name);
            // A date is decided by, and a weak secret may be a part of it.
            let is_date = is_rows && date_of(text.trim_matches('"'), 0).is_some();
            out.push_str(&if is_protocol || is_date { Cow::Borrowed(text) } else { quoted(redactor, text) });
        } else if !is_rows && redactor.is_secret(text) && text.starts_with(|c: char| c == '-' || c.is_ascii_digit()) {
            out.extend(["\"", REDACTED, "\""]);
        } else {
            out.push_str(text);
        }
    }
    out.push_str(json.get(done..).unwrap_or_default());
    out
}

/// The next text, with its quotes, or the next number or word.
fn token(json: &str, from: usize) -> Option<Range<usize>> {
    let bytes = json.as_bytes();
    let is_between = |b: &u8| matches!(b, b'{' | b'}' | b'[' | b']' | b':' | b',' | b' ' | b'\t' | b'\r' | b'\n');
    let start = from + bytes.get(from..)?.iter().position(|b| !is_between(b))?;
    let rest = bytes.get(start..)?;
    let length = if rest.first() == Some(&b'"') {
        let mut is_escaped = false;
        let end = rest.iter().skip(1).position(|b| {
            let ends = *b == b'"' && !is_escaped;
            is_escaped = *b == b'\\' && !is_escaped;
            ends
        })?;
        end + 2
    } else {
        rest.iter().position(is_between).unwrap_or(rest.len())
    };
    Some(start..start + length)
}

/// A quoted text without secrets; it stays one.
fn quoted<'a>(redactor: &Redactor, text: &'a str) -> Cow<'a, str> {
    match redactor.text(text) {
        Cow::Borrowed(same) => Cow::Borrowed(same),
        Cow::Owned(clean) if serde_json::from_str::<String>(&clean).is_ok() => Cow::Owned(clean),
        // What was taken out began or ended in the middle of an escape.
        Cow::Owned(_) => Cow::Owned(format!("\"{REDACTED}\"")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn clean(secret: &str, text: &str) -> String {
        let mut redactor = Redactor::default();
        redactor.add(secret);
        String::from_utf8(body(&redactor, text.as_bytes().to_vec())).unwrap()
    }

    #[test]
    fn texts_are_cleaned_and_the_answer_stays_the_same_answer() {
        for (secret, text, want) in [
            ("hunter2", r#"{"Message":"pw hunter2!","Id":7}"#, r#"{"Message":"pw [REDACTED]!","Id":7}"#),
            ("Message", r#"{"Message":"a Message"}"#, r#"{"Message":"a [REDACTED]"}"#),
            ("true", r#"{"IsSuccess":true,"Message":"true"}"#, r#"{"IsSuccess":true,"Message":"[REDACTED]"}"#),
            ("hunter2", r#"{"hunter2" : 1}"#, r#"{"[REDACTED]" : 1}"#),
            ("998877", r#"{"Message":998877,"Id":1998877}"#, r#"{"Message":"[REDACTED]","Id":1998877}"#),
            ("998877", r#"[[998877,"n 998877",1.5]]"#, r#"[[998877,"n [REDACTED]",1.5]]"#),
            ("2026", r#"[["2026-11-01T08:00:00","in 2026"]]"#, r#"[["2026-11-01T08:00:00","in [REDACTED]"]]"#),
            ("a\"b\\", r#"{"m":"x a\"b\\","n":"a\"b\"c"}"#, r#"{"m":"x [REDACTED]","n":"[REDACTED]"}"#),
            ("nabcd", r#"{"m":"x\nabcd"}"#, r#"{"m":"[REDACTED]"}"#),
            ("hunter2", "<html>hunter2</html>", "<html>[REDACTED]</html>"),
            ("hunter2", "\u{feff}[\"hunter2\"]", "\u{feff}[\"[REDACTED]\"]"),
            ("pa/ss", r#"{"m":"pa\/ss"}"#, r#"{"m":"[REDACTED]"}"#),
            ("hunter2", r#"{"m":"hunter"}"#, r#"{"m":"hunter"}"#),
        ] {
            assert_eq!(clean(secret, text), want, "{secret}");
        }
    }
}
