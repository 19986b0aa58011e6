//! What the core answers: status, headers, body, and what the wire is to do with them.
//!
//! Invariant: bodies are compact UTF-8 JSON with `charset=utf-8` and without a byte-order mark, unless a fault says otherwise.

use bytes::Bytes;
use serde_json::{Value as Json, json};

/// A request as the core sees it.
#[derive(Clone, Debug, Default)]
pub struct RequestParts {
    /// `POST`.
    pub method: String,
    /// Path with query string, as sent (`/k3cloud/…`).
    pub path: String,
    /// Headers in the order received; names in any case.
    pub headers: Vec<(String, String)>,
    /// Body, already de-chunked and un-gzipped.
    pub body: Bytes,
}

impl RequestParts {
    /// First value of a header, in any case.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(n, _)| n.eq_ignore_ascii_case(name)).map(|(_, v)| v.as_str())
    }
}

/// An answer.
#[derive(Clone, Debug)]
pub struct Reply {
    /// HTTP status.
    pub status: u16,
    /// Headers without `Content-Length`, which the wire adds.
    pub headers: Vec<(String, String)>,
    /// Body.
    pub body: Bytes,
    /// The answer leaves this long after the call was executed.
    pub wait_ms: u64,
    /// What the wire does to it.
    pub transport: Transport,
}

/// What the wire does with an answer. The first field that a driver must look at: [`Transport::Parked`] has no answer yet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Transport {
    /// Sent as it is.
    Whole,
    /// Nothing was executed yet. The driver calls `World::resume` with the ticket at `due_ms`, whether or not the client still
    /// waits; if it never does, the next call at or after `due_ms` executes it. This is how an unknown outcome is made.
    Parked {
        /// What to give to `resume`.
        ticket: u64,
        /// World time at which the server gets to it.
        due_ms: i64,
    },
    /// The connection is reset without an answer. (Executed or not was decided before.)
    Reset,
    /// Full `Content-Length`, this many bytes of the body, then the connection closes.
    Truncated(usize),
    /// No `Content-Length`; the end of the connection is the end of the body.
    NoLength,
    /// The whole answer twice on the wire, the connection kept open.
    Twice,
    /// The body in pieces of so many bytes, one every so many milliseconds.
    Slow {
        /// Bytes a piece.
        bytes: usize,
        /// Between two pieces.
        every_ms: u64,
    },
}

impl Reply {
    /// JSON, with the headers of the real server (docs/design/wire.md#addresses-and-services;
    /// docs/design/wire.md#the-session).
    pub fn json(body: &Json) -> Self {
        Self::bytes(200, "text/html; charset=utf-8", body.to_string())
    }

    /// Any text.
    pub fn bytes(status: u16, content_type: &str, body: impl Into<Bytes>) -> Self {
        Self {
            status,
            headers: vec![
                ("Content-Type".to_owned(), content_type.to_owned()),
                ("Server".to_owned(), "Microsoft-IIS/8.5".to_owned()),
            ],
            body: body.into(),
            wait_ms: 0,
            transport: Transport::Whole,
        }
    }

    /// Not executed yet.
    pub fn parked(ticket: u64, due_ms: i64) -> Self {
        Self { transport: Transport::Parked { ticket, due_ms }, ..Self::bytes(202, "text/plain; charset=utf-8", "") }
    }

    /// Adds a header.
    #[must_use]
    pub fn with(mut self, name: &str, value: impl Into<String>) -> Self {
        self.headers.push((name.to_owned(), value.into()));
        self
    }

    /// First value of a header, in any case.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(n, _)| n.eq_ignore_ascii_case(name)).map(|(_, v)| v.as_str())
    }
}

/// One entry of `Errors`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// `FieldName`; null for most.
    pub field: Option<String>,
    /// Message word for word.
    pub message: String,
    /// MsgCode (docs/design/wire.md#msgcode).
    pub code: i64,
}

impl Refusal {
    /// A refusal of a field.
    pub fn of(field: &str, code: i64, message: impl Into<String>) -> Self {
        Self { field: Some(field.to_owned()), message: message.into(), code }
    }

    /// A refusal without a field.
    pub fn new(code: i64, message: impl Into<String>) -> Self {
        Self { field: None, message: message.into(), code }
    }
}

/// A failure of the whole call: one error, `ErrorCode` 500 (docs/design/wire.md#answers).
pub fn failure(refusal: &Refusal) -> Json {
    status_envelope(
        &[json!({"FieldName": refusal.field, "Message": refusal.message, "DIndex": 0})],
        &[],
        &[],
        refusal.code,
    )
}

/// `{"Result":{"ResponseStatus":{…}}}`; a success where there is no error, and `ErrorCode` only where there is one (docs/design/wire.md#answers).
pub fn status_envelope(errors: &[Json], done: &[Json], said: &[Json], code: i64) -> Json {
    let mut status = serde_json::Map::new();
    let is_success = errors.is_empty();
    if !is_success {
        status.insert("ErrorCode".to_owned(), json!(500));
    }
    status.insert("IsSuccess".to_owned(), json!(is_success));
    status.insert("Errors".to_owned(), json!(errors));
    status.insert("SuccessEntitys".to_owned(), json!(done));
    status.insert("SuccessMessages".to_owned(), json!(said));
    status.insert("MsgCode".to_owned(), json!(code));
    json!({"Result": {"ResponseStatus": status}})
}
