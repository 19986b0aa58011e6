//! One POST and what came of it: the seam between the Kingdee client and the network.
//!
//! Invariant: only [`TransportFault::NotSent`] says that nothing left; an implementation that is not sure says something else.

use std::error::Error as _;
use std::time::Duration;

use async_trait::async_trait;

/// What a call is for; it decides how far a connection may be trusted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum CallKind {
    /// A page of a query: may use a kept-alive connection.
    Read,
    /// Status of bills, on which a write will be decided: a fresh connection, so that no late answer can stand in.
    Status,
    /// A writing verb: a fresh connection, never repeated.
    Write,
    /// A login: a fresh connection.
    SignIn,
}

/// An HTTP answer, whatever its status.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct HttpReply {
    /// Status code.
    pub status: u16,
    /// Headers in order; names in any case.
    pub headers: Vec<(String, String)>,
    /// The whole body, decompressed.
    pub body: Vec<u8>,
}

impl HttpReply {
    /// The first header of this name.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(n, _)| n.eq_ignore_ascii_case(name)).map(|(_, v)| v.as_str())
    }

    /// `Retry-After`, in seconds or as a date beside the server's own `Date`, at most [`MAX_RETRY_AFTER`].
    pub fn retry_after(&self) -> Option<Duration> {
        let text = self.header("retry-after")?.trim();
        if !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit()) {
            // A number too long for u64 is a wish for ever: clamped like any other.
            return Some(text.parse().map_or(MAX_RETRY_AFTER, Duration::from_secs).min(MAX_RETRY_AFTER));
        }
        let until = chrono::DateTime::parse_from_rfc2822(text).ok()?;
        let now = chrono::DateTime::parse_from_rfc2822(self.header("date")?).ok()?;
        Some((until - now).to_std().unwrap_or(Duration::ZERO).min(MAX_RETRY_AFTER))
    }
}

/// The longest wait a server can impose.
pub const MAX_RETRY_AFTER: Duration = Duration::from_secs(15 * 60);

/// A call without an answer. Texts carry no URL and no header.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TransportFault {
    /// The connection could not be made: nothing left.
    #[error("{0}")]
    NotSent(String),
    /// The limit passed.
    #[error("no answer within {} s", .0.as_secs_f32())]
    TimedOut(Duration),
    /// The connection broke, or the answer did not end properly.
    #[error("{0}")]
    Broken(String),
    /// The answer is larger than allowed; reading stopped there.
    #[error("the answer is larger than {limit} bytes")]
    TooLarge {
        /// The limit.
        limit: usize,
    },
    /// The server pointed elsewhere; not followed.
    #[error("the server answered {status} and points to {to}")]
    Redirected {
        /// HTTP status.
        status: u16,
        /// Its `Location`; the client shortens it once it holds no secret.
        to: String,
    },
}

/// One POST.
#[derive(Clone, Debug)]
pub struct Post<'a> {
    /// Where it goes, from the server's root.
    pub path: &'a str,
    /// What it carries.
    pub headers: Vec<(String, String)>,
    /// What it says.
    pub body: Vec<u8>,
    /// What the call is for.
    pub kind: CallKind,
}

/// The network, or something in its place.
#[async_trait]
pub trait Transport: Send + Sync {
    /// Sends one POST exactly once and reads the whole answer. Redirects are not
    /// followed. The caller sets the time limit by dropping the future.
    async fn post(&self, post: Post<'_>) -> Result<HttpReply, TransportFault>;
}

/// An error with its causes, in one line.
pub(super) fn chain(error: &reqwest::Error) -> String {
    let mut words = error.to_string();
    let mut cause = error.source();
    while let Some(inner) = cause {
        let text = inner.to_string();
        if !words.contains(&text) {
            words.push_str(": ");
            words.push_str(&text);
        }
        cause = inner.source();
    }
    words
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn retry_after_is_clamped_to_a_quarter_of_an_hour() {
        for (value, seconds) in [
            ("1", Some(1)),
            ("99999999", Some(900)),
            ("99999999999999999999999999", Some(900)),
            ("soon", None),
            ("-5", None),
            ("", None),
            ("Mon, 06 Jan 2025 08:00:30 GMT", Some(30)),
            ("Mon, 06 Jan 2025 07:00:00 GMT", Some(0)),
        ] {
            let headers = vec![
                ("retry-after".to_owned(), value.to_owned()),
                ("Date".to_owned(), "Mon, 06 Jan 2025 08:00:00 GMT".to_owned()),
            ];
            let reply = HttpReply { status: 429, headers, body: Vec::new() };
            assert_eq!(reply.retry_after(), seconds.map(Duration::from_secs), "{value}");
        }
    }
}
