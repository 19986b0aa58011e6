//! How often each key was sent, and how often something was made of it: what proves "created once".
//!
//! Invariant: counts only grow; a call is counted when it arrives, a creation when it took effect, whatever was answered.

use std::collections::HashMap;

use serde_json::{Value as Json, json};

use super::admin::{argument, number};
use super::body::Data;
use super::form::{self, FORMS};
use super::model::text;
use super::tally::{Counts, Registry};
use super::value::{Value, write_string};
use super::world::World;

/// Keys that are counted; those that come after so many are not.
const MOST_KEYS: usize = 2_000_000;

/// Counts by form and key, the key in lower case.
#[derive(Debug, Default)]
pub struct Keys(HashMap<(usize, String), Counts>);

impl Keys {
    fn entry(&mut self, form: usize, key: &str) -> Option<&mut Counts> {
        let of = (form, key.to_lowercase());
        if key.is_empty() || key.len() > 500 || (self.0.len() >= MOST_KEYS && !self.0.contains_key(&of)) {
            return None;
        }
        Some(self.0.entry(of).or_default())
    }

    /// A call with this key has arrived.
    pub fn call(&mut self, form: usize, key: &str) {
        if let Some(counts) = self.entry(form, key) {
            counts.calls += 1;
        }
    }

    /// Something was made of it, or refused.
    pub fn outcome(&mut self, form: usize, key: &str, made: bool) {
        if let Some(counts) = self.entry(form, key) {
            if made {
                counts.changed += 1;
            } else {
                counts.refused += 1;
            }
        }
    }

    /// The most creations of one key.
    pub fn most(&self) -> u32 {
        self.0.values().map(|counts| counts.changed).max().unwrap_or(0)
    }

    /// The counts of a key.
    pub fn of(&self, form: usize, key: &str) -> Counts {
        self.0.get(&(form, key.to_lowercase())).copied().unwrap_or_default()
    }

    /// A page of `/admin/keys`: `form`, `key`, `doubles=1` for keys of which more than one was made, `limit`, each optional.
    /// `None`: no such form.
    pub(crate) fn page(&self, query: &str, of: &dyn Registry) -> Option<Json> {
        let form = match argument(query, "form") {
            Some(id) => Some(of.form(id)?),
            None => None,
        };
        let key = argument(query, "key").map(str::to_lowercase);
        let doubles = argument(query, "doubles").is_some_and(|v| v != "0");
        let keep = |((at, named), counts): &(&(usize, String), &Counts)| {
            form.is_none_or(|form| form == *at)
                && key.as_ref().is_none_or(|key| key == named)
                && (!doubles || counts.changed > 1)
        };
        let mut lines: Vec<_> = self.0.iter().filter(keep).collect();
        lines.sort_unstable_by_key(|(of, _)| *of);
        let most = number(query, "limit").unwrap_or(100_000) as usize;
        let lines: Vec<Json> = lines
            .into_iter()
            .take(most)
            .map(|((form, key), counts)| {
                json!({"form": of.form_name(*form), "key": key, "calls": counts.calls, "made": counts.changed,
                    "refused": counts.refused})
            })
            .collect();
        Some(json!({"keys": lines}))
    }
}

impl World {
    /// The key of a model: the value of the form's key field, else its number.
    pub(super) fn key_of(&self, form: usize, model: &Json) -> String {
        let Some(of) = FORMS.get(form) else { return String::new() };
        let key = self.config.settings.of(&of.id).key;
        let key = if key.is_empty() { of.key_of(form::Col::Number).unwrap_or_default() } else { key.as_str() };
        let model = Data::from_json(model);
        model.get(key).map(text).unwrap_or_default().trim().to_owned()
    }

    /// Calls with a key of a form, creations and refusals of it.
    pub fn key_counts(&self, form_id: &str, key: &str) -> Counts {
        let form = form::find(form_id).unwrap_or(usize::MAX);
        self.keys.of(form, key)
    }

    /// How many rows of a form there are, and were, whose field has a value: rows that were deleted count too.
    pub fn rows_with(&self, form_id: &str, field: &str, wanted: &str) -> usize {
        let Some(table) = form::find(form_id).and_then(|form| self.tables.get(form)) else { return 0 };
        let Some(field) = table.field(field) else { return 0 };
        let has = |value: Value<'_>| match value {
            Value::Text(text) => text.eq_ignore_ascii_case(wanted),
            Value::Null => false,
            other => {
                let mut shown = Vec::new();
                other.write_json(&mut shown);
                shown == wanted.as_bytes()
            }
        };
        let rows = table.rows().iter().filter(|bill| {
            if field.lines == 0 {
                return has(table.value(bill, None, field, &self.masters));
            }
            let mut lines = 0..table.line_count(bill, field.lines);
            lines.any(|at| has(table.value(bill, Some(table.line(bill, field.lines, at)), field, &self.masters)))
        });
        rows.count()
    }
}

/// A stable word of a text, for what is remembered of packets.
pub fn digest(text: &str) -> u64 {
    let mut quoted = Vec::new();
    write_string(text, &mut quoted);
    quoted.iter().fold(0xcbf2_9ce4_8422_2325, |hash, byte| (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3))
}
