//! The table form that the vendor's pages print (Markdown or tab-separated), made into a plan file.
//!
//! Invariants: every decision that the text does not force is reported as a guess; a value is changed only to undo what
//! a table does to it (lost pipe, escapes, entities, typographic quotes), and each such repair is reported too.

mod cells;
mod sides;

use serde_json::{Map, Value, json};

use super::show;
use sides::Row;

/// What import made of a text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Imported {
    /// The plan file.
    pub json: String,
    /// Every decision the text did not force, one sentence each.
    pub guesses: Vec<String>,
}

/// Why a text cannot be imported.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("line {line}: {message} — {hint}")]
pub struct ImportError {
    /// Line, from 1.
    pub line: usize,
    /// What is wrong.
    pub message: String,
    /// What to do.
    pub hint: String,
}

/// The longest text that is read.
pub const MAX_BYTES: usize = 1 << 20;

/// Reads tables and the facts around them.
///
/// # Errors
/// When the text holds no table with field names, is JSON already, or is over [`MAX_BYTES`].
pub fn import(text: &str) -> Result<Imported, ImportError> {
    let fail = |line: usize, message: &str, hint: &str| {
        Err(ImportError { line, message: message.to_owned(), hint: hint.to_owned() })
    };
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    if text.len() > MAX_BYTES {
        return fail(1, "the text is longer than 1 MiB", "copy only the tables of one plan");
    }
    if text.trim_start().starts_with('{') && serde_json::from_str::<Value>(text).is_ok() {
        return fail(1, "this is JSON already", "put it into the plan directory as it is");
    }
    let mut guesses = Vec::new();
    let tables = cells::tables(text);
    if tables.iter().all(|t| t.rows.is_empty()) {
        return fail(
            1,
            "no table found",
            "copy the tables with their header line (字段 | 字段名称 | 类型 | 值), as Markdown or with tabs",
        );
    }
    let parts = sides::sort(&tables, &mut guesses);
    let Some(source) = parts.source else {
        let line = tables.first().map_or(1, |t| t.line);
        return fail(
            line,
            "no table of a bill query found",
            "the query's table has the fields FormId and FilterString",
        );
    };
    let mut out = Map::new();
    out.insert("source".to_owned(), source_json(source, &mut guesses));
    match parts.target {
        Some(target) => drop(out.insert("target".to_owned(), target_json(target, &mut guesses))),
        None => guesses.push("no table of a target found: add `target` before the plan can run".to_owned()),
    }
    Ok(Imported { json: show::text(&Value::Object(out)), guesses })
}

/// One side on its way to JSON.
#[derive(Clone, Debug, Default)]
struct Draft {
    facts: Vec<(&'static str, String)>,
    request: Vec<Row>,
    response: Vec<Row>,
}

impl Draft {
    fn fact(&self, key: &str) -> Option<&str> {
        self.facts.iter().find(|(k, _)| *k == key).map(|(_, v)| v.as_str())
    }

    fn head(&self, api: &str, effect: &str) -> Map<String, Value> {
        let mut out = Map::new();
        out.insert("api".to_owned(), json!(api));
        for key in ["name", "platform"] {
            if let Some(value) = self.fact(key) {
                out.insert(key.to_owned(), json!(value));
            }
        }
        out.insert("effect".to_owned(), json!(effect));
        out.insert("method".to_owned(), json!(self.fact("method").unwrap_or("POST")));
        out
    }
}

fn source_json(draft: Draft, guesses: &mut Vec<String>) -> Value {
    let api = draft.fact("api").map_or_else(
        || {
            guesses
                .push("source: no api printed, taken as executeBillQuery because its table has query controls".into());
            "executeBillQuery".to_owned()
        },
        str::to_owned,
    );
    let mut out = draft.head(&api, "QUERY");
    let is_control = |row: &Row| super::source::CONTROLS.iter().any(|c| row.field.eq_ignore_ascii_case(c));
    let (controls, columns): (Vec<Row>, Vec<Row>) = draft.request.into_iter().partition(is_control);
    let all: Vec<&Row> = columns.iter().chain(&draft.response).collect();
    for (key, field) in [("id", "FID"), ("number", "FBillNo")] {
        let given = draft.facts.iter().find(|(k, _)| *k == key).map(|(_, v)| v.clone());
        if let Some(value) = given {
            out.insert(key.to_owned(), json!(value));
        } else if all.iter().any(|r| r.field == field) {
            guesses.push(format!("source: no `{key}` printed, taken as {field}"));
            out.insert(key.to_owned(), json!(field));
        }
    }
    if let Some((_, value)) = draft.facts.iter().find(|(k, _)| *k == "idCheck") {
        out.insert("idCheck".to_owned(), json!(value.eq_ignore_ascii_case("true")));
    }
    if !columns.is_empty() && !controls.is_empty() {
        guesses.push(format!(
            "source: {} rows taken as columns (request) and {} as query controls (otherRequest)",
            columns.len(),
            controls.len()
        ));
    }
    if columns.is_empty() {
        out.insert("request".to_owned(), rows_json(&controls));
    } else {
        out.insert("request".to_owned(), rows_json(&columns));
        out.insert("otherRequest".to_owned(), rows_json(&controls));
    }
    if !draft.response.is_empty() {
        out.insert("response".to_owned(), rows_json(&draft.response));
    }
    Value::Object(out)
}

fn target_json(mut draft: Draft, guesses: &mut Vec<String>) -> Value {
    let has = |name: &str| draft.request.iter().any(|r| r.field.eq_ignore_ascii_case(name));
    let api = if let Some(api) = draft.fact("api") {
        api.to_owned()
    } else {
        let api = if has("Operation") { "excuteOperation" } else { "Audit" };
        guesses.push(format!("target: no api printed, taken as {api} because of its fields"));
        api.to_owned()
    };
    let empty = |r: &Row| r.value.as_deref().is_none_or(str::is_empty);
    let keyed = draft.request.iter().any(|r| matches!(r.field.as_str(), "Ids" | "Numbers") && !empty(r));
    if !keyed && let Some(ids) = draft.request.iter_mut().find(|r| r.field.eq_ignore_ascii_case("Ids")) {
        ids.value = Some("{{FID}}".to_owned());
        guesses.push("target: neither Ids nor Numbers has a value, Ids taken as {{FID}}".to_owned());
    }
    let mut out = draft.head(&api, "EXECUTE");
    out.insert("request".to_owned(), rows_json(&draft.request));
    Value::Object(out)
}

fn rows_json(rows: &[Row]) -> Value {
    rows.iter()
        .map(|row| {
            let mut out = Map::new();
            out.insert("field".to_owned(), json!(row.field));
            for (key, value) in [
                ("label", &row.label),
                ("type", &row.kind),
                ("value", &row.value),
                ("default", &row.default),
                ("describe", &row.describe),
            ] {
                if let Some(value) = value {
                    out.insert(key.to_owned(), json!(value));
                }
            }
            if let Some(required) = row.required {
                out.insert("is_required".to_owned(), json!(required));
            }
            Value::Object(out)
        })
        .collect()
}
