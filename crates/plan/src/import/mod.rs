//! What the vendor's pages print, made into plan files: tables (Markdown, bars or tabs), and JSON in prose.
//!
//! Invariants: every decision that the text does not force is reported as a guess; a value is changed only to undo what
//! a table does to it (lost pipe, escapes, entities, typographic quotes), and each such repair is reported too.

mod blocks;
mod cells;
mod sides;

use serde_json::{Map, Value, json};

use super::{fresh, show};
use sides::Row;
use skydeck_core::domain::ids::PlanId;
use skydeck_core::domain::operation::{declaration, shown_by};
use skydeck_core::domain::step::Verb;

/// A plan that import made of a text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Imported {
    /// The plan file.
    pub json: String,
    /// Every decision the text did not force, one sentence each.
    pub guesses: Vec<Guess>,
    /// Line of the text it begins on, from 1.
    pub line: usize,
}

/// A decision that the text did not force, in both languages.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Guess {
    /// In English.
    pub en: String,
    /// In Chinese.
    pub zh: String,
}

impl Guess {
    fn new(en: impl Into<String>, zh: impl Into<String>) -> Self {
        Self { en: en.into(), zh: zh.into() }
    }

    /// One that is about a line of the text.
    fn at(line: usize, en: impl std::fmt::Display, zh: impl std::fmt::Display) -> Self {
        Self::new(format!("line {line}: {en}"), format!("第 {line} 行：{zh}"))
    }

    /// In the language that is asked for.
    pub fn said(&self, zh: bool) -> &str {
        if zh { &self.zh } else { &self.en }
    }
}

/// Why a text cannot be imported, and what to do.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("line {line}: {en}")]
pub struct ImportError {
    /// Line, from 1.
    pub line: usize,
    /// In English.
    pub en: &'static str,
    /// In Chinese.
    pub zh: &'static str,
}

impl ImportError {
    /// In Chinese, with its line.
    pub fn in_chinese(&self) -> String {
        format!("第 {} 行：{}", self.line, self.zh)
    }
}

/// The longest text that is read.
pub const MAX_BYTES: usize = 1 << 20;

/// Reads every plan of a text: JSON where there is any, else tables and the facts around them.
///
/// # Errors
/// When the text holds neither, is the JSON of one plan that runs, or is over [`MAX_BYTES`].
pub fn import(text: &str) -> Result<Vec<Imported>, ImportError> {
    let fail = |line: usize, en, zh| Err(ImportError { line, en, zh });
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    if text.len() > MAX_BYTES {
        return fail(
            1,
            "the text is longer than 1 MiB — copy only the tables of one plan",
            "文本超过 1 MiB：请只复制一个方案的表格",
        );
    }
    let is_json = text.trim_start().starts_with('{') && serde_json::from_str::<Value>(text).is_ok();
    let plans = blocks::plans(blocks::find(text));
    match plans.len() {
        0 if is_json => {
            return fail(
                1,
                "this JSON holds no plan — a plan is an object with `source` and `target`",
                "此 JSON 中没有方案：方案是带有 `source` 和 `target` 的对象",
            );
        }
        1 if is_json && super::read(PlanId::new("imported"), text).is_ok() => {
            return fail(
                1,
                "this is JSON already — put it into the plan directory as it is",
                "这已经是 JSON 方案：请原样放入方案目录",
            );
        }
        0 => {}
        _ => return Ok(plans.into_iter().map(|(line, plan)| of_json(line, plan)).collect()),
    }
    let mut guesses = Vec::new();
    let tables = cells::tables(text);
    if tables.iter().all(|t| t.rows.is_empty()) {
        return fail(
            1,
            "no table found — copy the tables with their header line, as Markdown or with tabs",
            "没有找到表格：请连同表头（字段 | 字段名称 | 类型 | 值）一起复制，Markdown 或制表符分隔均可",
        );
    }
    let sorted = sides::sort(&tables, &mut guesses);
    let mut out = Vec::with_capacity(sorted.len());
    for parts in sorted {
        let Some(source) = parts.source else {
            return fail(
                parts.line,
                "no table of a bill query found — the query's table has the fields FormId and FilterString",
                "没有找到单据查询的表格：查询的表格中有 FormId 和 FilterString 字段",
            );
        };
        // What was guessed of the tables stands with the first plan.
        let mut guesses = std::mem::take(&mut guesses);
        let mut plan = Map::new();
        let source = source_json(source, &mut guesses);
        let id = source.get("id").and_then(Value::as_str).unwrap_or("FID").to_owned();
        plan.insert("source".to_owned(), source);
        match parts.target {
            Some(target) => drop(plan.insert("target".to_owned(), target_json(target, &id, &mut guesses))),
            None => guesses.push(no_target()),
        }
        out.push(finished(parts.line, plan, guesses));
    }
    Ok(out)
}

fn no_target() -> Guess {
    Guess::new("no target found: add `target` before the plan can run", "没有找到目标：补上 `target` 后方案才能运行")
}

/// A plan that stands in the text as JSON.
fn of_json(line: usize, plan: Map<String, Value>) -> Imported {
    let mut guesses = Vec::new();
    if !plan.contains_key("source") {
        guesses.push(Guess::new(
            "no source found: add the query before the plan can run",
            "没有找到来源：补上查询后方案才能运行",
        ));
    }
    if !plan.contains_key("target") {
        guesses.push(no_target());
    }
    finished(line, plan, guesses)
}

/// The plan as text, with what shows that its operation is done, or with the word that this is missing.
fn finished(line: usize, mut plan: Map<String, Value>, mut guesses: Vec<Guess>) -> Imported {
    if let Some(operation) = undeclared(&plan) {
        if let Some((field, value)) = shown_by(&operation) {
            let policy = plan.entry("skydeck").or_insert_with(|| json!({}));
            if let Value::Object(policy) = policy {
                policy.insert("done".to_owned(), json!([[field, "in", value]]));
            }
            let declared = declaration(&operation);
            guesses.push(Guess::new(
                format!("`{operation}` is taken as done where {field} is {value}: {declared}"),
                format!("{field} 为 {value} 时视为 `{operation}` 已完成：{declared}"),
            ));
        } else {
            let declared = declaration(&operation);
            guesses.push(Guess::new(
                format!(
                    "the plan does not say what shows that `{operation}` is done: add {declared} with the field it \
                         changes and the value it leaves there"
                ),
                format!("方案没有说明怎样看出 `{operation}` 已完成：请添加 {declared}，写明它改变的字段和改后的值"),
            ));
        }
    }
    Imported { json: show::text(&Value::Object(plan)), guesses, line }
}

/// The operation of a plan that does not say what shows it is done.
fn undeclared(plan: &Map<String, Value>) -> Option<String> {
    let text = Value::Object(plan.clone()).to_string();
    let file = super::inspect(PlanId::new("imported"), &text).ok()?;
    match &file.plan.target.verb {
        Verb::Operation(name) if !name.is_empty() && file.plan.policy.done.is_empty() => Some(name.clone()),
        _ => None,
    }
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

fn source_json(draft: Draft, guesses: &mut Vec<Guess>) -> Value {
    let api = draft.fact("api").map_or_else(
        || {
            guesses.push(Guess::new(
                "source: no api printed, taken as executeBillQuery because its table has query controls",
                "来源：页面没有写接口，因表中有查询参数，视为 executeBillQuery",
            ));
            "executeBillQuery".to_owned()
        },
        str::to_owned,
    );
    let mut out = draft.head(&api, "QUERY");
    let is_control = |row: &Row| super::source::CONTROLS.iter().any(|c| row.field.eq_ignore_ascii_case(c));
    let (controls, columns): (Vec<Row>, Vec<Row>) = draft.request.into_iter().partition(is_control);
    let all: Vec<&Row> = columns.iter().chain(&draft.response).collect();
    let form =
        controls.iter().find(|row| row.field.eq_ignore_ascii_case("FormId")).and_then(|row| row.value.as_deref());
    let own = form.and_then(fresh::id_of).unwrap_or("FID");
    let number = if own == "FID" { "FBillNo" } else { "FNumber" };
    for (key, field) in [("id", own), ("number", number)] {
        let given = draft.facts.iter().find(|(k, _)| *k == key).map(|(_, v)| v.clone());
        if let Some(value) = given {
            out.insert(key.to_owned(), json!(value));
        } else if all.iter().any(|r| r.field == field) {
            guesses.push(Guess::new(
                format!("source: no `{key}` printed, taken as {field}"),
                format!("来源：页面没有写 `{key}`，视为 {field}"),
            ));
            out.insert(key.to_owned(), json!(field));
        }
    }
    if let Some((_, value)) = draft.facts.iter().find(|(k, _)| *k == "idCheck") {
        out.insert("idCheck".to_owned(), json!(value.eq_ignore_ascii_case("true")));
    }
    if !columns.is_empty() && !controls.is_empty() {
        let (some, others) = (columns.len(), controls.len());
        guesses.push(Guess::new(
            format!("source: {some} rows taken as columns (request) and {others} as query controls (otherRequest)"),
            format!("来源：{some} 行视为查询字段 (request)，{others} 行视为查询参数 (otherRequest)"),
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

fn target_json(mut draft: Draft, id: &str, guesses: &mut Vec<Guess>) -> Value {
    let has = |name: &str| draft.request.iter().any(|r| r.field.eq_ignore_ascii_case(name));
    let api = if let Some(api) = draft.fact("api") {
        api.to_owned()
    } else {
        let api = if has("Operation") { "excuteOperation" } else { "Audit" };
        guesses.push(Guess::new(
            format!("target: no api printed, taken as {api} because of its fields"),
            format!("目标：页面没有写接口，按其字段视为 {api}"),
        ));
        api.to_owned()
    };
    let empty = |r: &Row| r.value.as_deref().is_none_or(str::is_empty);
    let keyed = draft.request.iter().any(|r| matches!(r.field.as_str(), "Ids" | "Numbers") && !empty(r));
    if !keyed && let Some(ids) = draft.request.iter_mut().find(|r| r.field.eq_ignore_ascii_case("Ids")) {
        ids.value = Some(format!("{{{{{id}}}}}"));
        guesses.push(Guess::new(
            format!("target: neither Ids nor Numbers has a value, Ids taken as {{{{{id}}}}}"),
            format!("目标：Ids 和 Numbers 都没有值，Ids 视为 {{{{{id}}}}}"),
        ));
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
