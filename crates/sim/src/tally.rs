//! How often each operation was called on each bill, and how often it changed it: what proves "called once".
//!
//! Invariant: counts only grow; a call is counted when it arrives, a change or a refusal when it stands in the record.

use std::collections::{BTreeMap, HashMap};

use serde::Serialize;
use serde_json::{Value as Json, json};

use super::admin::{argument, number};
use super::form;
use super::world::{World, form_id};

/// What was counted of one operation on one bill.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Counts {
    /// Calls that arrived and named the bill, whatever came of them.
    pub calls: u32,
    /// Times the bill was changed.
    pub changed: u32,
    /// Times it was refused.
    pub refused: u32,
}

/// The counts, by verb as the record names it, then by bill.
#[derive(Debug, Default)]
pub struct Tally(BTreeMap<&'static str, HashMap<u64, Counts>>);

/// Form and id in one word, so that a million bills stay small.
fn word(form: usize, id: u32) -> u64 {
    ((form as u64) << 32) | u64::from(id)
}

impl Tally {
    fn entry(&mut self, verb: &'static str, form: usize, id: u32) -> &mut Counts {
        self.0.entry(verb).or_default().entry(word(form, id)).or_default()
    }

    /// A call that names a bill has arrived.
    pub fn call(&mut self, verb: &'static str, form: usize, id: u32) {
        self.entry(verb, form, id).calls += 1;
    }

    /// A bill was changed, or refused.
    pub fn outcome(&mut self, verb: &'static str, form: usize, id: u32, changed: bool) {
        let counts = self.entry(verb, form, id);
        if changed {
            counts.changed += 1;
        } else {
            counts.refused += 1;
        }
    }

    /// The counts of one bill.
    pub fn of(&self, verb: &str, form: usize, id: u32) -> Counts {
        self.0.get(verb).and_then(|bills| bills.get(&word(form, id))).copied().unwrap_or_default()
    }

    /// The most that any one bill has of a count, by verb.
    pub fn most(&self, count: impl Fn(&Counts) -> u32) -> BTreeMap<String, u32> {
        let most = |bills: &HashMap<u64, Counts>| bills.values().map(&count).max().unwrap_or(0);
        self.0.iter().map(|(verb, bills)| ((*verb).to_owned(), most(bills))).filter(|(_, n)| *n > 0).collect()
    }

    /// All counts that a bill or a verb picks, in the order of form, id and verb.
    fn lines(&self, keep: impl Fn(&str, usize, u32) -> bool) -> Vec<(usize, u32, &'static str, Counts)> {
        let every = self.0.iter().flat_map(|(verb, bills)| {
            bills.iter().map(|(word, counts)| ((*word >> 32) as usize, *word as u32, *verb, *counts))
        });
        let mut lines: Vec<_> = every.filter(|(form, id, verb, _)| keep(verb, *form, *id)).collect();
        lines.sort_unstable_by_key(|(form, id, verb, _)| (*form, *id, *verb));
        lines
    }
}

impl World {
    /// What was counted of an operation (as the record names it) on a bill.
    pub fn counts(&self, form_id: &str, id: u32, operation: &str) -> Counts {
        form::find(form_id).map(|form| self.tally.of(operation, form, id)).unwrap_or_default()
    }

    /// `form`, `id` or `number`, `verb`, `limit`; each optional.
    pub(super) fn counts_page(&self, query: &str) -> Option<Json> {
        let form = match argument(query, "form") {
            Some(id) => Some(form::find(id)?),
            None => None,
        };
        let verb = argument(query, "verb");
        let id = number(query, "id");
        let named = argument(query, "number");
        let keep = |of: &str, at: usize, bill: u32| {
            form.is_none_or(|form| form == at)
                && verb.is_none_or(|verb| verb.eq_ignore_ascii_case(of))
                && id.is_none_or(|id| id == u64::from(bill))
                && named.is_none_or(|named| self.number(at, bill).eq_ignore_ascii_case(named))
        };
        let lines = self.tally.lines(keep).into_iter().take(number(query, "limit").unwrap_or(100_000) as usize);
        let lines: Vec<Json> = lines
            .map(|(form, id, verb, counts)| {
                json!({
                    "form": form_id(form), "id": id, "number": self.number(form, id), "verb": verb,
                    "calls": counts.calls, "changed": counts.changed, "refused": counts.refused,
                })
            })
            .collect();
        Some(json!({"counts": lines}))
    }

    /// The counts of one bill by verb.
    pub(super) fn bill_counts(&self, form: usize, id: u32) -> Json {
        let verbs = self.tally.0.keys().map(|verb| (*verb, self.tally.of(verb, form, id)));
        verbs.filter(|(_, counts)| *counts != Counts::default()).map(|(verb, n)| (verb.to_owned(), json!(n))).collect()
    }
}
