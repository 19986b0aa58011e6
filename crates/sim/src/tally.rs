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

    /// A page of `/admin/counts`: `form`, `id` or `number`, `verb`, `limit`, each optional. `None`: no such form.
    pub(crate) fn page(&self, query: &str, of: &dyn Registry) -> Option<Json> {
        let form = match argument(query, "form") {
            Some(id) => Some(of.form(id)?),
            None => None,
        };
        let verb = argument(query, "verb");
        let id = number(query, "id");
        let named = argument(query, "number");
        let keep = |named_verb: &str, at: usize, bill: u32| {
            form.is_none_or(|form| form == at)
                && verb.is_none_or(|verb| verb.eq_ignore_ascii_case(named_verb))
                && id.is_none_or(|id| id == u64::from(bill))
                && named.is_none_or(|named| of.number_of(at, bill).eq_ignore_ascii_case(named))
        };
        let lines = self.lines(keep).into_iter().take(number(query, "limit").unwrap_or(100_000) as usize);
        let lines: Vec<Json> = lines
            .map(|(form, id, verb, counts)| {
                json!({
                    "form": of.form_name(form), "id": id, "number": of.number_of(form, id), "verb": verb,
                    "calls": counts.calls, "changed": counts.changed, "refused": counts.refused,
                })
            })
            .collect();
        Some(json!({"counts": lines}))
    }
}

/// How counts name forms and their records.
pub trait Registry {
    /// The position of a form.
    fn form(&self, name: &str) -> Option<usize>;
    /// The name of a form.
    fn form_name(&self, at: usize) -> &str;
    /// The number of a record.
    fn number_of(&self, form: usize, id: u32) -> String;
}

impl Registry for World {
    fn form(&self, name: &str) -> Option<usize> {
        form::find(name)
    }

    fn form_name(&self, at: usize) -> &str {
        form_id(at)
    }

    fn number_of(&self, form: usize, id: u32) -> String {
        self.number(form, id)
    }
}

impl World {
    /// What was counted of an operation (as the record names it) on a bill.
    pub fn counts(&self, form_id: &str, id: u32, operation: &str) -> Counts {
        form::find(form_id).map(|form| self.tally.of(operation, form, id)).unwrap_or_default()
    }

    /// The counts of one bill by verb.
    pub(super) fn bill_counts(&self, form: usize, id: u32) -> Json {
        let verbs = self.tally.0.keys().map(|verb| (*verb, self.tally.of(verb, form, id)));
        verbs.filter(|(_, counts)| *counts != Counts::default()).map(|(verb, n)| (verb.to_owned(), json!(n))).collect()
    }
}
