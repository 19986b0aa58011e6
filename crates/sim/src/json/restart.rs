//! A JSON system behind the wire, and from its record file.
//!
//! Invariant: a system started again on its record file answers as the one that was killed would have; tokens, what was remembered
//! of calls and the state of fault counters are not kept.

use serde_json::{Value as Json, json};

use super::record::{Done, OUTSIDE};
use super::rows::Row;
use super::{JsonConfig, JsonStats, JsonWorld};
use crate::backend::Backend;
use crate::reply::{Reply, RequestParts};
use crate::tally::Registry;

impl JsonWorld {
    /// Does again what a line of the record file says was done.
    fn done_again(&mut self, line: &Json) {
        let Some(done) = Done::from_kept(line) else { return };
        let Some(at) = self.find(&done.form) else { return };
        self.now_ms = done.at_ms;
        let applied = done.refused.is_none();
        if let Some(of) = self.collections.get_mut(at).filter(|_| applied) {
            if done.after == "-" {
                of.remove(done.id);
            } else if let Some(row) = done.row.as_ref().and_then(|row| Row::from_kept(done.id, row)) {
                of.put(row);
            }
        }
        // The line proves that a call arrived. One that came to nothing left no line, and is forgotten.
        if done.verb == "create" {
            self.keys.call(at, &done.number);
            self.keys.outcome(at, &done.number, applied);
        } else if done.verb != OUTSIDE {
            self.tally.call(done.verb, at, done.id);
            self.tally.outcome(done.verb, at, done.id, applied);
        }
        self.record.push(done);
    }
}

impl Registry for JsonWorld {
    fn form(&self, name: &str) -> Option<usize> {
        self.find(name)
    }

    fn form_name(&self, at: usize) -> &str {
        self.collections.get(at).map_or("", |of| of.name.as_str())
    }

    fn number_of(&self, form: usize, id: u32) -> String {
        let row = self.collections.get(form).and_then(|of| of.get(id));
        row.map(|row| row.key.clone()).unwrap_or_default()
    }
}

impl Backend for JsonWorld {
    type Config = JsonConfig;
    type Stats = JsonStats;
    const HOME: &'static str = "api/";

    fn begin(config: &JsonConfig, now_ms: i64) -> Self {
        Self::new(config.clone(), now_ms)
    }

    fn answer(&mut self, request: RequestParts, now_ms: i64) -> Reply {
        self.handle(request, now_ms)
    }

    fn answer_parked(&mut self, ticket: u64, now_ms: i64) -> Reply {
        self.resume(ticket, now_ms)
    }

    fn counts(&self) -> JsonStats {
        self.stats()
    }

    fn recorded(&self) -> u64 {
        self.record.len() as u64
    }

    fn lines_after(&self, seq: u64) -> Vec<Json> {
        self.record.after(seq, usize::MAX).iter().map(Done::kept).collect()
    }

    fn data_of(config: &JsonConfig) -> Json {
        json!({"kind": "json", "seed": config.seed, "bills": config.orders})
    }

    fn redo(&mut self, line: &Json) {
        self.done_again(line);
    }
}
