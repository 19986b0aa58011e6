//! The verdict on a record that was sent. Total: every answer leads to exactly one.
//!
//! Invariant: done is only what the plan's tests take and what names the key sent; a refusal is only what the system says in
//! words that the plan's tests can read; everything else is not known, and a look tells.

use serde_json::Value;

use skydeck_core::domain::bill::{Failure, UnknownWhy};
use skydeck_core::domain::bounds;
use skydeck_core::domain::cause::{Cause, CauseTable, known};
use skydeck_core::domain::ids::Fid;
use skydeck_core::domain::sending::{Check, Names, Sending};
use skydeck_core::domain::step::Verdict;
use skydeck_core::text::Redactor;
use skydeck_engine::ports::Alarm;
use skydeck_kingdee::transport::{HttpReply, TransportFault};

use super::said::{excerpt, words};
use super::tree::{Checked, One, check, one, read, rows};

/// What a call came to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Judged {
    pub verdict: Verdict,
    /// Id and number of what was made.
    pub made: Option<(Fid, String)>,
    pub alarm: Option<Alarm>,
}

/// What the judge has to know beside the answer.
pub(super) struct Asked<'a> {
    pub sending: &'a Sending,
    /// The key that was sent.
    pub key: &'a str,
    pub causes: &'a CauseTable,
    pub redactor: &'a Redactor,
    /// A token is fetched and goes out of date: the tests that say so.
    pub token: Option<&'a [Check]>,
}

fn unknown(why: UnknownWhy, detail: impl Into<String>) -> Judged {
    Judged { verdict: Verdict::Unknown(why, bounds::words(detail.into())), made: None, alarm: None }
}

impl Asked<'_> {
    pub fn judge(&self, answer: &Result<HttpReply, TransportFault>) -> Judged {
        match answer {
            Err(fault) => Self::of_fault(fault),
            Ok(reply) => self.of_reply(reply),
        }
    }

    fn of_fault(fault: &TransportFault) -> Judged {
        let words = fault.to_string();
        match fault {
            TransportFault::NotSent(_) => {
                Judged { verdict: Verdict::NotSent(bounds::words(words)), made: None, alarm: None }
            }
            TransportFault::TimedOut(_) => unknown(UnknownWhy::TimedOut, words),
            TransportFault::Broken(_) => unknown(UnknownWhy::Broken, words),
            TransportFault::TooLarge { .. } => unknown(UnknownWhy::TooLarge, words),
            TransportFault::Redirected { .. } => unknown(UnknownWhy::Redirected, words),
        }
    }

    fn of_reply(&self, reply: &HttpReply) -> Judged {
        let status = reply.status;
        let tree = read(&reply.body, self.redactor);
        if let Some(lost) = self.lost(status, tree.as_ref().ok()) {
            return lost;
        }
        match (status, tree) {
            (200..=299, Ok(tree)) => self.of_tree(&tree),
            // Whoever answers with nothing has not said that it did nothing: a look tells.
            (200..=299, Err(super::tree::NoTree::Empty)) => unknown(UnknownWhy::NotNamed, "the answer is empty"),
            (200..=299, Err(why)) => unknown(UnknownWhy::Unreadable, why.to_string()),
            // What such a status means is not said: the call may be at work still, or may have been done.
            (408 | 425 | 429 | 500.., _) => {
                let mut judged = unknown(UnknownWhy::HttpStatus(status), self.detail(reply));
                judged.alarm = match status {
                    429 => Some(Alarm::SlowDown(reply.retry_after())),
                    503 => reply.retry_after().map(|wish| Alarm::SlowDown(Some(wish))),
                    _ => None,
                };
                judged
            }
            (400..=499, Ok(tree)) => self.refused(&tree, None),
            _ => unknown(UnknownWhy::HttpStatus(status), self.detail(reply)),
        }
    }

    fn detail(&self, reply: &HttpReply) -> String {
        let text = String::from_utf8_lossy(&reply.body);
        format!("HTTP {}: {}", reply.status, excerpt(&self.redactor.text(&text)))
    }

    /// The system does not know who we are. Whether it looked at that before it did anything is not known.
    fn lost(&self, status: u16, tree: Option<&Value>) -> Option<Judged> {
        let told =
            |checks: &[Check]| !checks.is_empty() && tree.is_some_and(|tree| check(tree, checks) == Checked::Holds);
        let words = || tree.map_or_else(|| format!("HTTP {status}"), |tree| words(tree, self.sending.said.as_deref()));
        match self.token {
            Some(checks) if status == 401 || told(checks) => {
                let mut judged = unknown(UnknownWhy::SessionLost, words());
                judged.alarm = Some(Alarm::SessionLost);
                Some(judged)
            }
            None if status == 401 => {
                let message = words();
                let failure = Failure {
                    cause: Cause::new(known::CREDENTIALS),
                    msg_code: Some(i64::from(status)),
                    field: None,
                    message: message.clone(),
                };
                let alarm = Some(Alarm::Credentials(message));
                Some(Judged { verdict: Verdict::Rejected(failure), made: None, alarm })
            }
            Some(_) | None => None,
        }
    }

    fn of_tree(&self, tree: &Value) -> Judged {
        match check(tree, &self.sending.ok) {
            Checked::Holds => self.named(tree),
            Checked::Fails(_, code) => self.refused(tree, code.parse().ok()),
            Checked::Unclear(path) => unknown(
                UnknownWhy::Unreadable,
                format!("the answer does not say whether it took: nothing, or several, at {path}"),
            ),
        }
    }

    fn refused(&self, tree: &Value, code: Option<i64>) -> Judged {
        let message = words(tree, self.sending.said.as_deref());
        // A system's codes are its own: the words alone are classed.
        let cause = self.causes.classify(None, None, &message);
        let failure = Failure { cause, msg_code: code, field: None, message }.bounded();
        Judged { verdict: Verdict::Rejected(failure), made: None, alarm: None }
    }

    /// It took, says the answer: of which record?
    fn named(&self, tree: &Value) -> Judged {
        let names = &self.sending.answer;
        let silent = |what: &str| unknown(UnknownWhy::NotNamed, format!("the answer names {what}"));
        let Some(all) = rows(tree, &names.rows) else {
            return silent(&format!("no record: nothing at {}", names.rows));
        };
        let keys: Vec<One> = all.iter().map(|row| one(row, &names.key)).collect();
        let ours = |key: &One| matches!(key, One::Value(key) if is_key(key, self.key));
        let mut with_key = all.iter().zip(&keys).filter(|(_, key)| ours(key));
        match (with_key.next(), with_key.next(), keys.as_slice()) {
            (Some((row, _)), None, _) => {
                let (id, no) = made(row, names, self.key);
                Judged { verdict: Verdict::Done, made: Some((id, no)), alarm: None }
            }
            (Some(_), Some(_), _) => silent("the record several times"),
            (None, _, []) => silent("no record"),
            (None, _, [One::Value(other)]) if is_own(names) => unknown(UnknownWhy::KeyNotHonoured, other.clone()),
            (None, _, [One::Value(other)]) => silent(&format!("another record: {other}")),
            (None, _, [_]) => silent(&format!("a record without a key: nothing, or several, at {}", names.key)),
            (None, _, _) => silent("several records, and not the one that was sent"),
        }
    }
}

/// Whether the key is the system's own number, so that an answer tells whether it was kept.
fn is_own(names: &Names) -> bool {
    names.no.as_ref() == Some(&names.key)
}

/// Systems differ in whether letter case tells two keys apart: where it might not, it does not.
pub(super) fn is_key(one: &str, other: &str) -> bool {
    one.trim().eq_ignore_ascii_case(other.trim())
}

/// Id and number of a record as the system names it; the key where it names none.
pub(super) fn made(row: &Value, names: &Names, key: &str) -> (Fid, String) {
    let of = |path: &Option<String>| match path.as_ref().map(|path| one(row, path)) {
        Some(One::Value(value)) if !value.is_empty() => bounds::cell(&value),
        Some(_) | None => key.to_owned(),
    };
    (Fid::new(of(&names.id)), of(&names.no))
}

#[cfg(test)]
mod tests;
