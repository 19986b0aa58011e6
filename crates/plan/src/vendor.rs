//! One side of a plan as the vendor writes it: facts and field entries, whatever variant they are printed in.
//!
//! Invariant: an entry keeps the path of where it was found, so that every finding can name it.

use serde_json::{Map, Value};

use super::problem::Problem;
use super::reading::{Findings, text_at};

/// Most field entries of a side's request or response, paths of `FieldKeys`, and comparisons of a condition: far more than
/// any form has fields.
pub const MOST: usize = 2000;

/// Which list an entry stands in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum List {
    Request,
    OtherRequest,
    Response,
}

/// A field entry (docs/design/plan-format.md#layers-of-reading).
#[derive(Clone, Debug)]
pub struct Entry {
    /// `field`.
    pub field: String,
    /// `label`, or the field when there is none.
    pub label: String,
    /// `value`, or `default` when there is no value; `None` when both are empty.
    pub value: Option<Value>,
    /// Path of the value, e.g. `source.request[3].value`.
    pub at: String,
    /// `parser.name`.
    pub parser: Option<String>,
    /// Whether other entries stand inside it: it has no value of its own.
    pub container: bool,
    /// Where it stands.
    pub list: List,
}

impl Entry {
    /// The value as one text; lists joined with a comma.
    pub fn text(&self) -> Option<String> {
        match self.value.as_ref()? {
            Value::Array(items) => {
                Some(items.iter().map(|v| scalar(v).unwrap_or_else(|| v.to_string())).collect::<Vec<_>>().join(","))
            }
            other => scalar(other).or_else(|| Some(other.to_string())),
        }
    }
}

/// A scalar as plans print it: `true` and `"true"` are the same.
fn scalar(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Number(n) => Some(n.to_string()),
        Value::Bool(b) => Some(b.to_string()),
        _ => None,
    }
}

fn is_empty(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::String(text) => text.trim().is_empty(),
        Value::Array(items) => items.is_empty(),
        _ => false,
    }
}

/// A truth as plans print it: `true`, `"true"`, `1`, `"0"`; `None` for what is none.
pub fn truth(text: &str) -> Option<bool> {
    match text.trim().to_ascii_lowercase().as_str() {
        "true" | "1" => Some(true),
        "false" | "0" => Some(false),
        _ => None,
    }
}

/// One side.
#[derive(Clone, Debug)]
pub struct Side<'a> {
    /// Its path: `source`, `target`, or empty for a bare object.
    pub at: &'a str,
    /// The whole object.
    pub raw: &'a Map<String, Value>,
    /// `api`.
    pub api: Option<String>,
    /// `name`.
    pub name: Option<String>,
    /// Entries of `request` and `otherRequest`.
    pub asked: Vec<Entry>,
    /// Entries of `response`.
    pub response: Vec<Entry>,
}

impl<'a> Side<'a> {
    /// Reads the entries; a list of another shape is refused.
    pub fn read(raw: &'a Map<String, Value>, at: &'a str, findings: &mut Findings) -> Self {
        let mut side = Self {
            at,
            raw,
            api: text_at(raw.get("api")),
            name: text_at(raw.get("name")),
            asked: Vec::new(),
            response: Vec::new(),
        };
        for (key, list) in
            [("request", List::Request), ("otherRequest", List::OtherRequest), ("response", List::Response)]
        {
            let out = if list == List::Response { &mut side.response } else { &mut side.asked };
            entries(raw.get(key), &join(at, key), list, out, findings);
        }
        if let Some(newer) = ["requestParams", "responseParams"].iter().find(|k| raw.contains_key(**k)) {
            findings.refuse(join(at, newer), Problem::NewerForm { key: newer });
        }
        side
    }

    /// Path of a key of this side.
    pub fn path(&self, key: &str) -> String {
        join(self.at, key)
    }

    /// The entry of this name, case ignored, and a second one that says otherwise.
    pub fn control(&self, name: &str) -> Option<&Entry> {
        let mut named = self.asked.iter().filter(|e| !e.container && e.field.eq_ignore_ascii_case(name));
        let first = named.next()?;
        Some(if first.value.is_none() { named.find(|e| e.value.is_some()).unwrap_or(first) } else { first })
    }

    /// Refuses a control that is given twice with different values.
    pub fn refuse_contradictions(&self, names: &[&str], findings: &mut Findings) {
        for name in names {
            let Some(first) = self.control(name) else { continue };
            let other = self
                .asked
                .iter()
                .find(|e| e.field.eq_ignore_ascii_case(name) && e.value.is_some() && e.value != first.value);
            if let Some(other) = other {
                findings.refuse(other.at.clone(), Problem::GivenTwice { name: (*name).to_owned() });
            }
        }
    }
}

/// `source` + `request` → `source.request`; a bare object has no prefix.
pub fn join(at: &str, key: &str) -> String {
    if at.is_empty() { key.to_owned() } else { format!("{at}.{key}") }
}

fn entries(value: Option<&Value>, at: &str, list: List, out: &mut Vec<Entry>, findings: &mut Findings) {
    let items = match value {
        None | Some(Value::Null) => return,
        Some(Value::Array(items)) => items,
        Some(_) => {
            findings.refuse(at, Problem::NoEntryList);
            return;
        }
    };
    for (index, item) in items.iter().enumerate() {
        if out.len() >= MOST {
            findings.refuse(at, Problem::TooManyEntries { most: MOST });
            return;
        }
        let at = format!("{at}[{index}]");
        let Value::Object(item) = item else {
            findings.refuse(at, Problem::NoEntry);
            continue;
        };
        let Some(field) = text_at(item.get("field")) else {
            findings.refuse(at, Problem::EntryWithoutField);
            continue;
        };
        let (key, given) = match ("value", item.get("value")) {
            (_, Some(v)) if !is_empty(v) => ("value", Some(v)),
            _ => match item.get("default") {
                Some(v) if !is_empty(v) => ("default", Some(v)),
                _ => ("value", None),
            },
        };
        let children = item.get("children").filter(|c| !is_empty(c));
        out.push(Entry {
            label: text_at(item.get("label")).unwrap_or_else(|| field.clone()),
            field,
            value: given.cloned(),
            at: format!("{at}.{key}"),
            parser: item.get("parser").and_then(|p| text_at(p.get("name"))),
            container: children.is_some(),
            list,
        });
        entries(children, &format!("{at}.children"), list, out, findings);
    }
}
