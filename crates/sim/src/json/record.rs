//! What a JSON system writes down of each call that made, moved or refused a record.
//!
//! Invariant: a line that was done carries the record as it then was, so that a start on the file stands where it stood.

use serde_json::{Value as Json, json};

use crate::record::Line;

/// One record in one call.
#[derive(Clone, Debug, PartialEq)]
pub struct Done {
    /// From 1.
    pub seq: u64,
    /// The system's time in Unix milliseconds.
    pub at_ms: i64,
    /// Which call: calls are counted from 1 over its life.
    pub call: u64,
    /// `create`, `submit`, `approve`, `close`, or `Outside` for somebody else's doing.
    pub verb: &'static str,
    /// Name of the collection.
    pub form: String,
    /// Internal id; 0 for one that was refused before it had any.
    pub id: u32,
    /// Its key.
    pub number: String,
    /// Its status before; `-`: it was not there.
    pub before: String,
    /// Its status after; `-`: it is gone.
    pub after: String,
    /// Who.
    pub user: String,
    /// The system's words when it refused.
    pub refused: Option<String>,
    /// The record, as it is after.
    pub row: Option<Json>,
}

/// Verbs as the record names them.
const VERBS: [&str; 5] = ["create", "submit", "approve", "close", OUTSIDE];

/// Somebody else.
pub const OUTSIDE: &str = "Outside";

impl Done {
    /// The line as its file keeps it.
    pub fn kept(&self) -> Json {
        let mut json = self.json();
        if let (Some(row), Some(json)) = (&self.row, json.as_object_mut()) {
            json.insert("row".to_owned(), row.clone());
        }
        json
    }

    /// A line of a file.
    pub fn from_kept(line: &Json) -> Option<Self> {
        let text = |name: &str| line.get(name).and_then(Json::as_str).map(str::to_owned);
        let verb = text("verb")?;
        Some(Self {
            seq: 0,
            at_ms: line.get("at_ms").and_then(Json::as_i64)?,
            call: line.get("call").and_then(Json::as_u64)?,
            verb: VERBS.into_iter().find(|known| *known == verb)?,
            form: text("form")?,
            id: line.get("id").and_then(Json::as_u64).and_then(|id| u32::try_from(id).ok())?,
            number: text("number")?,
            before: text("before")?,
            after: text("after")?,
            user: text("user")?,
            refused: text("refused"),
            row: line.get("row").cloned(),
        })
    }
}

impl Line for Done {
    fn verb(&self) -> &'static str {
        self.verb
    }

    fn is_done(&self) -> bool {
        self.refused.is_none()
    }

    fn numbered(&mut self, seq: u64) {
        self.seq = seq;
    }

    fn json(&self) -> Json {
        json!({
            "seq": self.seq, "at_ms": self.at_ms, "call": self.call, "verb": self.verb, "form": self.form, "id": self.id,
            "number": self.number, "field": "status", "before": self.before, "after": self.after, "user": self.user,
            "applied": self.refused.is_none(), "refused": self.refused,
        })
    }
}
