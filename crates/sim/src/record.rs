//! The oracle: every request that touched a bill, in the order it was applied.
//!
//! Invariant: lines are only appended, and the oldest of millions dropped; sequence numbers start at 1 and have no gaps; `before → after` is what the row really was.

use std::collections::BTreeMap;

use serde_json::{Value as Json, json};

use super::admin::{argument, number};
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

/// A line of a record: one thing in one call, done or refused.
pub trait Line {
    /// Under which verb it counts.
    fn verb(&self) -> &'static str;
    /// Whether it was done, not refused.
    fn is_done(&self) -> bool;
    /// Gives it its number.
    fn numbered(&mut self, seq: u64);
    /// As JSON.
    fn json(&self) -> Json;
}

impl Line for Applied {
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
        Applied::json(self)
    }
}

/// The list.
#[derive(Debug)]
pub struct Record<L = Applied> {
    lines: Vec<L>,
    /// Lines that were dropped, all before those that are kept.
    dropped: u64,
    applied: BTreeMap<&'static str, u64>,
    refused: BTreeMap<&'static str, u64>,
}

impl<L> Default for Record<L> {
    fn default() -> Self {
        Self { lines: Vec::new(), dropped: 0, applied: BTreeMap::new(), refused: BTreeMap::new() }
    }
}

impl<L: Line> Record<L> {
    /// Appends; the sequence number is given here.
    pub fn push(&mut self, mut line: L) {
        line.numbered(self.dropped + self.lines.len() as u64 + 1);
        let counts = if line.is_done() { &mut self.applied } else { &mut self.refused };
        *counts.entry(line.verb()).or_default() += 1;
        self.lines.push(line);
        if self.lines.len() >= KEPT * 2 {
            self.lines.drain(..KEPT);
            self.dropped += KEPT as u64;
        }
    }

    /// Lines after a sequence number (0 for all that are kept), at most `limit`.
    pub fn after(&self, seq: u64, limit: usize) -> &[L] {
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

    /// A page of it for `/admin/record`: `after`, `limit`, `verb`, `all=1` for refusals too.
    pub(crate) fn page(&self, query: &str) -> Json {
        let after = number(query, "after").unwrap_or(0);
        let limit = number(query, "limit").unwrap_or(100_000) as usize;
        let all = argument(query, "all").is_some_and(|v| v != "0");
        let verb = argument(query, "verb");
        let keep = |line: &&L| (all || line.is_done()) && verb.is_none_or(|v| v.eq_ignore_ascii_case(line.verb()));
        let lines: Vec<Json> = self.after(after, usize::MAX).iter().filter(keep).take(limit).map(L::json).collect();
        json!({"lines": lines, "last": self.len()})
    }
}
