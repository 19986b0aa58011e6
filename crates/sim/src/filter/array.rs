//! The newer style: an array of `{Left, FieldName, Compare, Value, Right, Logic}`.
//!
//! Invariant: it means what its text form means, because it is turned into that text, every value quoted.

use serde_json::Value as Json;

use super::{Expr, FilterError, parse};

/// `Compare` codes with a source (docs/design/wire.md#filters): 17 and 67 are `=`, 39 is `>=`. No public list gives
/// the rest, so they are refused.
fn operator(code: &str) -> Option<&'static str> {
    match code {
        "17" | "67" => Some("="),
        "39" => Some(">="),
        _ => None,
    }
}

/// Reads the array. `Logic` joins a condition with the next one: 0 and, 1 or. An empty array is no condition.
pub fn from_array(conditions: &[Json]) -> Result<Option<Expr>, FilterError> {
    let mut text = String::new();
    for (at, condition) in conditions.iter().enumerate() {
        let error = |what: String| FilterError { what, at };
        let part = |name: &str| match condition.get(name) {
            Some(Json::String(s)) => s.trim().to_owned(),
            Some(Json::Number(n)) => n.to_string(),
            _ => String::new(),
        };
        let field = part("FieldName");
        if field.is_empty() || !field.chars().all(|c| c.is_alphanumeric() || matches!(c, '_' | '.')) {
            return Err(error(format!("no field name: {field:?}")));
        }
        let code = part("Compare");
        let op = operator(&code).ok_or_else(|| error(format!("unknown Compare {code:?}")))?;
        let (left, right) = (part("Left"), part("Right"));
        if left.chars().any(|c| c != '(') || right.chars().any(|c| c != ')') {
            return Err(error("Left and Right take parentheses only".to_owned()));
        }
        let value = match condition.get("Value") {
            Some(Json::String(s)) => s.clone(),
            Some(Json::Number(n)) => n.to_string(),
            other => return Err(error(format!("no value: {other:?}"))),
        };
        for part in [&left, &field, op, "'", &value.replace('\'', "''"), "'", &right] {
            text.push_str(part);
        }
        if at + 1 < conditions.len() {
            text.push_str(match part("Logic").as_str() {
                "0" | "" => " and ",
                "1" => " or ",
                other => return Err(error(format!("unknown Logic {other:?}"))),
            });
        }
    }
    parse(&text)
}
