//! The oracle: every request that touched a bill, in the order it was applied.
//!
//! Invariant: append-only; sequence numbers start at 1 and have no gaps; `before → after` is what the row really was.

use serde_json::{Value as Json, json};

use super::state::State;

/// One bill in one call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Applied {
    /// From 1.
    pub seq: u64,
    /// World time in Unix milliseconds.
    pub at_ms: i64,
    /// Which call: calls are counted from 1 over the world's life.
    pub call: u64,
    /// `Audit`, `Submit`, `BillClose`, … or `Outside` for somebody else's doing.
    pub verb: &'static str,
    /// Position of the form.
    pub form: usize,
    /// Internal id.
    pub id: u32,
    /// Number at that moment.
    pub number: Box<str>,
    /// The field that `before` and `after` are of.
    pub state: State,
    /// Its letter before; `-` for a bill that did not exist.
    pub before: char,
    /// Its letter after; equal to `before` for a refusal.
    pub after: char,
    /// Who.
    pub user: Box<str>,
    /// The server's words when it refused.
    pub refused: Option<Box<str>>,
}

impl Applied {
    /// The line as JSON.
    pub fn json(&self) -> Json {
        let form = super::form::FORMS.get(self.form).map_or("", |f| f.id.as_str());
        json!({
            "seq": self.seq, "at_ms": self.at_ms, "call": self.call, "verb": self.verb, "form": form, "id": self.id,
            "number": &*self.number, "field": self.state.key(), "before": self.before.to_string(),
            "after": self.after.to_string(), "user": &*self.user, "applied": self.refused.is_none(),
            "refused": self.refused.as_deref(),
        })
    }
}

/// The list.
#[derive(Debug, Default)]
pub struct Record {
    lines: Vec<Applied>,
}

impl Record {
    /// Appends; the sequence number is given here.
    pub fn push(&mut self, mut line: Applied) {
        line.seq = self.lines.len() as u64 + 1;
        self.lines.push(line);
    }

    /// Lines after a sequence number (0 for all), at most `limit`.
    pub fn after(&self, seq: u64, limit: usize) -> &[Applied] {
        let from = usize::try_from(seq).unwrap_or(usize::MAX).min(self.lines.len());
        let to = from.saturating_add(limit).min(self.lines.len());
        self.lines.get(from..to).unwrap_or(&[])
    }

    /// How many lines.
    pub fn len(&self) -> usize {
        self.lines.len()
    }

    /// Whether nothing was applied or refused yet.
    pub fn is_empty(&self) -> bool {
        self.lines.is_empty()
    }
}
