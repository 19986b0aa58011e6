//! The oracle: every request that touched a bill, in the order it was applied.
//!
//! Invariant: lines are only appended, and the oldest of millions dropped; sequence numbers start at 1 and have no gaps; `before → after` is what the row really was.

use std::collections::BTreeMap;

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
    /// Id of the form.
    pub fn form_id(&self) -> &'static str {
        super::form::FORMS.get(self.form).map_or("", |form| form.id.as_str())
    }

    /// The line as JSON.
    pub fn json(&self) -> Json {
        let form = self.form_id();
        json!({
            "seq": self.seq, "at_ms": self.at_ms, "call": self.call, "verb": self.verb, "form": form, "id": self.id,
            "number": &*self.number, "field": self.state.key(), "before": self.before.to_string(),
            "after": self.after.to_string(), "user": &*self.user, "applied": self.refused.is_none(),
            "refused": self.refused.as_deref(),
        })
    }
}

/// Lines that are kept; when there are twice as many, the older half is dropped.
const KEPT: usize = 2_000_000;

/// The list.
#[derive(Debug, Default)]
pub struct Record {
    lines: Vec<Applied>,
    /// Lines that were dropped, all before those that are kept.
    dropped: u64,
    applied: BTreeMap<&'static str, u64>,
    refused: BTreeMap<&'static str, u64>,
}

impl Record {
    /// Appends; the sequence number is given here.
    pub fn push(&mut self, mut line: Applied) {
        line.seq = self.dropped + self.lines.len() as u64 + 1;
        let counts = if line.refused.is_none() { &mut self.applied } else { &mut self.refused };
        *counts.entry(line.verb).or_default() += 1;
        self.lines.push(line);
        if self.lines.len() >= KEPT * 2 {
            self.lines.drain(..KEPT);
            self.dropped += KEPT as u64;
        }
    }

    /// Lines after a sequence number (0 for all that are kept), at most `limit`.
    pub fn after(&self, seq: u64, limit: usize) -> &[Applied] {
        let from = usize::try_from(seq.saturating_sub(self.dropped)).unwrap_or(usize::MAX).min(self.lines.len());
        let to = from.saturating_add(limit).min(self.lines.len());
        self.lines.get(from..to).unwrap_or(&[])
    }

    /// How many lines there were.
    pub fn len(&self) -> usize {
        usize::try_from(self.dropped).unwrap_or(usize::MAX).saturating_add(self.lines.len())
    }

    /// Whether nothing was applied or refused yet.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// How many were applied and how many refused, by verb.
    pub fn counts(&self) -> [BTreeMap<String, u64>; 2] {
        [&self.applied, &self.refused].map(|counts| counts.iter().map(|(verb, n)| ((*verb).to_owned(), *n)).collect())
    }
}
