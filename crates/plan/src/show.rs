//! A plan for people and tools: its effective values, the differences between two, and the file as text again.
//!
//! Invariant: two plans differ here exactly when their revisions differ.

use serde_json::{Map, Value, json};

use skydeck_core::domain::plan::Plan;

use super::rev::meaning;
use super::{PlanFile, place};

/// Everything a plan means, defaults included: `plan show --effective`.
pub fn effective(plan: &Plan) -> Value {
    let mut out = Map::new();
    out.insert("id".to_owned(), json!(plan.id));
    out.insert("name".to_owned(), json!(plan.name));
    out.insert("rev".to_owned(), json!(plan.rev));
    if let Value::Object(map) = meaning(plan) {
        out.extend(map);
    }
    let labels: Map<String, Value> =
        plan.source.columns.iter().map(|c| (c.key.clone(), Value::from(c.label.clone()))).collect();
    out.insert("labels".to_owned(), Value::Object(labels));
    Value::Object(out)
}

/// One difference in meaning.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Change {
    /// Path such as `policy.batch` or `source.columns.FBillNo`.
    pub field: String,
    /// Value in the first plan; `None` when only the second has it.
    pub before: Option<Value>,
    /// Value in the second plan; `None` when only the first has it.
    pub after: Option<Value>,
}

/// What differs in meaning from `before` to `after`; labels, order and unknown keys do not.
pub fn diff(before: &PlanFile, after: &PlanFile) -> Vec<Change> {
    let mut out = Vec::new();
    compare("", Some(&meaning(&before.plan)), Some(&meaning(&after.plan)), &mut out);
    out
}

fn compare(path: &str, before: Option<&Value>, after: Option<&Value>, out: &mut Vec<Change>) {
    if let (Some(Value::Object(a)), Some(Value::Object(b))) = (before, after) {
        let added = b.keys().filter(|k| !a.contains_key(*k));
        for key in a.keys().chain(added) {
            let inner = if path.is_empty() { key.clone() } else { format!("{path}.{key}") };
            compare(&inner, a.get(key), b.get(key), out);
        }
    } else if before != after {
        out.push(Change { field: path.to_owned(), before: before.cloned(), after: after.cloned() });
    }
}

/// The file as text: byte for byte as it was read while `raw` is untouched, else laid out anew with the keys in their
/// order.
pub fn write_back(file: &PlanFile) -> String {
    // Compared as text: equal maps may differ in the order of their keys.
    let now = file.raw.to_string();
    let same = place::parse(&file.text).is_ok_and(|(value, _)| serde_json::to_string(&value).is_ok_and(|t| t == now));
    if same { file.text.clone() } else { text(&file.raw) }
}

/// JSON as plan files are laid out: two blanks a level, an entry without inner lists on one line.
pub fn text(value: &Value) -> String {
    let mut out = String::new();
    lay(value, 0, &mut out);
    out.push('\n');
    out
}

fn is_flat(value: &Value) -> bool {
    let scalar =
        |v: &Value| !matches!(v, Value::Object(m) if !m.is_empty()) && !matches!(v, Value::Array(a) if !a.is_empty());
    match value {
        Value::Object(map) => map.values().all(scalar),
        Value::Array(items) => items.iter().all(scalar),
        _ => true,
    }
}

fn lay(value: &Value, depth: usize, out: &mut String) {
    let on_one_line = depth > 2 && is_flat(value);
    let inner = "  ".repeat(depth + 1);
    let outer = "  ".repeat(depth);
    match value {
        // Entries of a list stand on one line each; the file's own objects do not.
        Value::Object(map) if !map.is_empty() && !on_one_line => {
            for (i, (key, value)) in map.iter().enumerate() {
                out.push_str(if i == 0 { "{\n" } else { ",\n" });
                out.extend([inner.as_str(), &Value::from(key.as_str()).to_string(), ": "]);
                lay(value, depth + 1, out);
            }
            out.extend(["\n", &outer, "}"]);
        }
        Value::Object(map) if !map.is_empty() => {
            let items: Vec<String> = map.iter().map(|(k, v)| format!("{}: {v}", Value::from(k.as_str()))).collect();
            out.extend(["{ ", &items.join(", "), " }"]);
        }
        Value::Array(items) if !items.is_empty() && !is_flat(value) => {
            for (i, value) in items.iter().enumerate() {
                out.push_str(if i == 0 { "[\n" } else { ",\n" });
                out.push_str(&inner);
                lay(value, depth + 1, out);
            }
            out.extend(["\n", &outer, "]"]);
        }
        other => out.push_str(&other.to_string()),
    }
}
