//! Conditions behind the query: comparisons over its columns, read one by one.

use serde_json::Value;

use crate::problem::{Problem, Suggest};
use crate::reading::{Findings, text_at};
use crate::vendor::{MOST, Side};
use skydeck_core::domain::plan::{Column, Condition, Logic};
use skydeck_core::domain::suggest::nearest;
use skydeck_core::domain::time::ErpDate;

pub(super) fn condition(side: &Side<'_>, columns: &[Column], findings: &mut Findings) -> Vec<Vec<Condition>> {
    let at = side.path("condition");
    let groups = match side.raw.get("condition") {
        None | Some(Value::Null) => return Vec::new(),
        Some(Value::Array(groups)) => groups,
        Some(_) => {
            findings.refuse(at, Problem::NoConditionList);
            return Vec::new();
        }
    };
    let comparisons = groups.iter().map(|group| group.as_array().map_or(1, Vec::len)).sum::<usize>();
    if comparisons > MOST {
        findings.refuse(at, Problem::TooManyComparisons { n: comparisons, most: MOST });
        return Vec::new();
    }
    let mut out = Vec::new();
    for (g, group) in groups.iter().enumerate() {
        let at = format!("{at}[{g}]");
        let Some(items) = group.as_array().filter(|i| !i.is_empty()) else {
            findings.refuse(at, Problem::NoComparisonList);
            continue;
        };
        let read = |(i, item): (usize, &Value)| comparison(item, &format!("{at}[{i}]"), columns, findings);
        out.push(items.iter().enumerate().filter_map(read).collect());
    }
    out
}

const LOGICS: [(&str, Logic); 11] = [
    ("eq", Logic::Eq),
    ("neq", Logic::Neq),
    ("gt", Logic::Gt),
    ("egt", Logic::Egt),
    ("lt", Logic::Lt),
    ("elt", Logic::Elt),
    ("like", Logic::Like),
    ("notlike", Logic::NotLike),
    ("between", Logic::Between),
    ("notnull", Logic::NotNull),
    ("isnull", Logic::IsNull),
];
const NAMES: [&str; 11] = ["eq", "neq", "gt", "egt", "lt", "elt", "like", "notlike", "between", "notnull", "isnull"];

fn comparison(item: &Value, at: &str, columns: &[Column], findings: &mut Findings) -> Option<Condition> {
    let field = text_at(item.get("field")).unwrap_or_default();
    if !columns.iter().any(|c| c.key == field) {
        let keys: Vec<&str> = columns.iter().map(|c| c.key.as_str()).collect();
        let near = nearest(&field, &keys).map(str::to_owned);
        findings.refuse(format!("{at}.field"), Problem::NoColumn { field, near });
        return None;
    }
    let word = text_at(item.get("logic")).unwrap_or_default();
    let Some((_, logic)) = LOGICS.into_iter().find(|(name, _)| name.eq_ignore_ascii_case(&word)) else {
        let suggest = Suggest { near: operator_meant(&word), known: &NAMES };
        findings.refuse(format!("{at}.logic"), Problem::NoOperator { word, suggest });
        return None;
    };
    let value = values(item.get("value"), logic);
    let wanted = match logic {
        Logic::NotNull | Logic::IsNull => 0,
        Logic::Between => 2,
        _ => 1,
    };
    let at_value = format!("{at}.value");
    if wanted > 0 && value.len() != wanted {
        findings.refuse(at_value, Problem::ValueCount { word, wanted, n: value.len() });
        return None;
    }
    if let Some(problem) = value.iter().find_map(|text| no_value(text)) {
        findings.refuse(at_value, problem);
        return None;
    }
    if item.get("strictMode").is_some_and(|v| v == &Value::Bool(true) || v == "true") {
        findings.note(format!("{at}.strictMode"), "bills have no sub-rows here: strictMode changes nothing");
    }
    Some(Condition { field, logic, value: if wanted == 0 { Vec::new() } else { value } })
}

/// The operator that a word which is none was meant to be.
fn operator_meant(word: &str) -> Option<&'static str> {
    // Names of other dialects whose nearest neighbour here would mean something else.
    match word.to_ascii_lowercase().as_str() {
        "gte" | "ge" | ">=" => Some("egt"),
        "lte" | "le" | "<=" => Some("elt"),
        "ne" | "<>" | "!=" => Some("neq"),
        "=" | "==" => Some("eq"),
        ">" => Some("gt"),
        "<" => Some("lt"),
        other => nearest(other, &NAMES),
    }
}

/// The values that a comparison is made with.
fn values(value: Option<&Value>, logic: Logic) -> Vec<String> {
    let one = |v: &Value| match v {
        Value::String(s) => Some(s.clone()),
        Value::Number(n) => Some(n.to_string()),
        Value::Bool(b) => Some(b.to_string()),
        _ => None,
    };
    match value {
        None | Some(Value::Null) => Vec::new(),
        Some(Value::Array(items)) => items.iter().filter_map(one).collect(),
        Some(Value::String(text)) if logic == Logic::Between => {
            text.split(',').map(|part| part.trim().to_owned()).collect()
        }
        Some(other) => one(other).into_iter().collect(),
    }
}

/// Why a text is none that can be compared with.
fn no_value(text: &str) -> Option<Problem> {
    if text.contains("{{") || text.contains("_function") || text.contains("_findCollection") {
        return Some(Problem::TemplateInCondition { text: text.to_owned() });
    }
    let moment = text.strip_prefix("timestamp:")?;
    ErpDate::parse(moment).is_none().then(|| Problem::NoDate { text: moment.to_owned() })
}
