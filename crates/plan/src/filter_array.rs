//! A FilterString that is written as a list of conditions, as newer servers take it.
//!
//! Invariant: it is never sent: conditions are added to a filter, which a list does not take, and the codes of its
//! comparisons are not all known. The refusal gives the same filter as text where every part of it is known.

use serde_json::Value;

use super::problem::Problem;
use super::reading::Findings;
use super::vendor::Side;

/// Whether a value is a list or an object, itself or as the text of one.
pub fn is_list(value: Option<&Value>) -> bool {
    match value {
        Some(Value::Array(_) | Value::Object(_)) => true,
        Some(Value::String(text)) => text.trim_start().starts_with(['[', '{']) && !text.trim_start().starts_with("{{"),
        _ => false,
    }
}

/// Refuses a FilterString that is such a list, or is put together from entries inside it.
pub fn refuse_in(side: &Side<'_>, findings: &mut Findings) {
    for entry in side.asked.iter().filter(|entry| entry.field.eq_ignore_ascii_case("FilterString")) {
        if entry.container || is_list(entry.value.as_ref()) {
            refuse(&entry.at, entry.value.as_ref(), findings);
        }
    }
}

/// Refuses one place.
pub fn refuse(at: &str, value: Option<&Value>, findings: &mut Findings) {
    findings.refuse(at, Problem::FilterList { text: value.and_then(as_text) });
}

/// The same filter as text; `None` where a part of it is not known for certain.
fn as_text(value: &Value) -> Option<String> {
    let parsed;
    let items = match value {
        Value::Array(items) => items,
        Value::String(text) => {
            parsed = serde_json::from_str::<Vec<Value>>(text).ok()?;
            &parsed
        }
        _ => return None,
    };
    let mut out = String::new();
    let mut joint = "";
    for item in items {
        let (part, next) = match item {
            Value::String(text) => (text.trim().to_owned(), " and "),
            other => condition(other)?,
        };
        out.push_str(joint);
        out.push_str(&part);
        joint = next;
    }
    (!out.is_empty()).then_some(out)
}

/// One condition, and what joins it to the next (docs/design/wire.md#filters).
fn condition(item: &Value) -> Option<(String, &'static str)> {
    let text = |key: &str| match item.get(key) {
        Some(Value::String(text)) => Some(text.trim().to_owned()),
        Some(Value::Number(n)) => Some(n.to_string()),
        None | Some(Value::Null) => Some(String::new()),
        _ => None,
    };
    let op = match text("Compare")?.as_str() {
        "17" | "67" => "=",
        "39" => ">=",
        _ => return None,
    };
    let (left, right) = (text("Left")?, text("Right")?);
    let brackets = left.chars().all(|c| c == '(') && right.chars().all(|c| c == ')');
    let field = text("FieldName").filter(|field| brackets && super::source::is_path(field))?;
    let joint = match text("Logic")?.as_str() {
        "" | "0" => " and ",
        "1" => " or ",
        _ => return None,
    };
    Some((format!("{left}{field}{op}'{}'{right}", text("Value")?.replace('\'', "''")), joint))
}
