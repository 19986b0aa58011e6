//! `skydeck.done` and `skydeck.mine`: how a plan says what shows that the operation it executes is done.
//!
//! Invariant: a plan that executes an operation is runnable only with an effect that a look at one bill can show; what
//! Audit and Submit lead to is known, and no plan declares it otherwise.

use serde_json::{Value, json};

use crate::domain::ids::PlanId;
use crate::domain::operation::{Test, declaration, shown_by};
use crate::domain::reason::Reason;
use crate::domain::step::Verb;

use super::policy::PolicyRead;
use super::reading::Findings;
use super::source::{is_entry_level, is_path};
use super::vendor::Side;
use crate::domain::suggest::nearest;

/// Conditions at most: what shows an operation is a field or two.
pub const MAX_TESTS: usize = 8;

/// Values of one condition at most.
pub const MAX_VALUES: usize = 64;

/// Characters of a value or a path at most.
pub const MAX_CHARS: usize = 256;

const DONE: &str = "\"done\": [[\"FCloseStatus\", \"in\", \"B\"]]";
const MINE: &str = "\"mine\": \"FCloserId.FName\"";
const KNOWN: [&str; 2] = ["in", "eq"];

/// Reads `skydeck.done`; every condition that cannot be used is named by its place.
pub fn done(value: &Value, at: &str, findings: &mut Findings) -> Vec<Test> {
    let Some(conditions) = value.as_array() else {
        findings.refuse_in_both(at, ("not a list of conditions", "不是条件列表"), DONE);
        return Vec::new();
    };
    if conditions.first().is_some_and(Value::is_string) {
        let words = (
            "one condition where a list of conditions is read: put it into brackets of its own",
            "这里应是条件列表，而不是单个条件：请再加一层方括号",
        );
        findings.refuse_in_both(at, words, DONE);
        return Vec::new();
    }
    if conditions.is_empty() || conditions.len() > MAX_TESTS {
        let words = (
            format!("{} conditions: 1 to {MAX_TESTS} can be given", conditions.len()),
            format!("有 {} 个条件：可以写 1 到 {MAX_TESTS} 个", conditions.len()),
        );
        findings.refuse_in_both(at, words, DONE);
        return Vec::new();
    }
    let mut tests: Vec<Test> = Vec::new();
    for (i, value) in conditions.iter().enumerate() {
        let at = format!("{at}[{i}]");
        let Some((path, values)) = condition(value, &at, findings) else { continue };
        // All have to hold: two about one field must leave it a value.
        let other = tests.iter().find(|known| known.path().is_some_and(|p| p.eq_ignore_ascii_case(&path)));
        if let Some(Test::In(_, known)) = other
            && !values.iter().any(|value| known.iter().any(|k| k.eq_ignore_ascii_case(value)))
        {
            let words = (
                format!("no value of {path} passes this condition and the one before it: no bill would ever be done"),
                format!("没有哪个 {path} 的值能同时满足此条件和前面的条件：单据永远不会算完成"),
            );
            findings.refuse_in_both(at, words, DONE);
            continue;
        }
        tests.push(Test::In(path, values));
    }
    tests
}

/// One condition: `[field, "in" or "eq", value…]`.
fn condition(value: &Value, at: &str, findings: &mut Findings) -> Option<(String, Vec<String>)> {
    let mut refuse = |at: String, en: String, zh: String| {
        findings.refuse_in_both(at, (en, zh), DONE);
        None
    };
    let parts = match value.as_array().map(Vec::as_slice) {
        // `["exists"]` and `[field, "exists"]`.
        Some([.., Value::String(last)]) if last.trim().eq_ignore_ascii_case("exists") => {
            return refuse(
                at.to_owned(),
                "`exists` shows nothing: an operation acts on a bill that is there before and after".to_owned(),
                "`exists` 什么也说明不了：操作前后单据都存在".to_owned(),
            );
        }
        Some([field, logic, values @ ..]) => (field, logic, values),
        _ => {
            return refuse(
                at.to_owned(),
                "no condition: a field, `in` or `eq`, and what the field holds afterwards".to_owned(),
                "不是条件：应为字段、`in` 或 `eq`、以及操作后字段的值".to_owned(),
            );
        }
    };
    let (field, logic, values) = parts;
    let Some(path) = field.as_str().filter(|path| path.len() <= MAX_CHARS && is_path(path)) else {
        return refuse(format!("{at}[0]"), format!("{field} is no field path"), format!("{field} 不是字段路径"));
    };
    if is_entry_level(path) {
        return refuse(
            format!("{at}[0]"),
            format!(
                "{path} looks like a field of the entries: a look shows the first line alone, and the whole bill would be \
                 told done by it"
            ),
            format!("{path} 像是分录字段：回查只看得到第一行，整张单据会因此被说成已完成"),
        );
    }
    let word = logic.as_str().unwrap_or_default().trim().to_ascii_lowercase();
    if !KNOWN.contains(&word.as_str()) {
        let near = match word.as_str() {
            "=" | "==" | "is" => Some("eq"),
            _ => nearest(&word, &KNOWN),
        };
        let (en, zh) = near.map_or((String::new(), String::new()), |n| {
            (format!("; did you mean `{n}`?"), format!("；是不是 `{n}`？"))
        });
        return refuse(
            format!("{at}[1]"),
            format!("{logic} cannot show that a bill is done: known are `in` and `eq`{en}"),
            format!("{logic} 不能说明单据已完成：可用 `in` 和 `eq`{zh}"),
        );
    }
    match values_of(values, word == "in") {
        Ok(values) => Some((path.to_owned(), values)),
        Err((en, zh)) => refuse(format!("{at}[2]"), en, zh),
    }
}

/// The values of a condition: texts or whole numbers, in a list or one after the other; `in` cuts a text at commas.
fn values_of(given: &[Value], cut: bool) -> Result<Vec<String>, (String, String)> {
    let mut out: Vec<String> = Vec::new();
    let flat = given.iter().flat_map(|v| v.as_array().map_or(std::slice::from_ref(v), Vec::as_slice));
    for value in flat {
        let text = match value {
            Value::String(text) => text.clone(),
            Value::Number(n) if n.is_i64() || n.is_u64() => n.to_string(),
            other => {
                return Err((
                    format!("{other} is no value of a field: write a text such as \"B\""),
                    format!("{other} 不是字段的值：请写文本，如 \"B\""),
                ));
            }
        };
        let pieces: Vec<&str> = if cut { text.split([',', '，']).collect() } else { vec![text.as_str()] };
        for piece in pieces.into_iter().map(str::trim) {
            check_value(piece)?;
            // Beyond the most that may be given they are only counted.
            if out.len() > MAX_VALUES || !out.iter().any(|known| known.eq_ignore_ascii_case(piece)) {
                out.push(piece.to_owned());
            }
        }
    }
    let n = out.len();
    match (n, cut) {
        (0, _) => Err((
            "the condition names no value that the field holds afterwards".to_owned(),
            "条件没有写出操作后字段的值".to_owned(),
        )),
        (2.., false) => Err((
            format!("`eq` takes one value, not {n}: write `in`"),
            format!("`eq` 只取一个值，这里有 {n} 个：请写 `in`"),
        )),
        (n, _) if n > MAX_VALUES => Err((
            format!("{n} values: at most {MAX_VALUES} can be given"),
            format!("有 {n} 个值：最多可以写 {MAX_VALUES} 个"),
        )),
        _ => Ok(out),
    }
}

fn check_value(text: &str) -> Result<(), (String, String)> {
    if text.is_empty() {
        return Err((
            "an empty value: a field that cannot be read is empty, too".to_owned(),
            "值为空：读不到的字段也是空的".to_owned(),
        ));
    }
    if text.chars().count() > MAX_CHARS {
        return Err((format!("a value of more than {MAX_CHARS} characters"), format!("值超过 {MAX_CHARS} 个字符")));
    }
    if text.chars().any(char::is_control) || text.contains("{{") || text.starts_with("_function ") {
        return Err((
            "a value is compared as it is written: no template, no function, no control character".to_owned(),
            "值按原样比较：不能写模板、函数或控制字符".to_owned(),
        ));
    }
    Ok(())
}

/// Reads `skydeck.mine`: the path of who did it.
pub fn mine(value: &Value, at: &str, findings: &mut Findings) -> Option<String> {
    match value.as_str() {
        Some(path) if path.len() <= MAX_CHARS && is_path(path) && !is_entry_level(path) => Some(path.to_owned()),
        _ => {
            let words = (
                format!("{value} is not the path of a field that names who did it"),
                format!("{value} 不是表示操作人的字段路径"),
            );
            findings.refuse_in_both(at, words, MINE);
            None
        }
    }
}

/// Holds what the plan calls against what it declares.
pub fn check(side: &Side<'_>, verb: &Verb, policy: &PolicyRead, plan: &PlanId, findings: &mut Findings) {
    let (call, leads_to) = match verb {
        Verb::Audit => ("Audit", "FDocumentStatus C"),
        Verb::Submit => ("Submit", "FDocumentStatus B"),
        Verb::Operation(name) if !name.is_empty() && !policy.declares_done => {
            return undeclared(side, name, plan, findings);
        }
        // No name: refused by its own finding.
        Verb::Operation(_) => return,
    };
    let given = [("done", policy.declares_done), ("mine", policy.policy.mine.is_some())];
    for (key, _) in given.into_iter().filter(|(_, given)| *given) {
        let words = (
            format!("`{key}` is for excuteOperation; what {call} leads to is known ({leads_to}): leave `{key}` out"),
            format!("`{key}` 只用于 excuteOperation；{call} 的结果是已知的（{leads_to}）：请去掉 `{key}`"),
        );
        findings.refuse_in_both(format!("skydeck.{key}"), words, "");
    }
}

fn undeclared(side: &Side<'_>, name: &str, plan: &PlanId, findings: &mut Findings) {
    let entry = ["Operation", "opNumber"].iter().find_map(|n| side.control(n));
    let at = entry.map_or_else(|| side.path("request"), |e| e.at.clone());
    let (en, zh) = match shown_by(name) {
        Some(_) => ("", ""),
        None => (" (the field that it changes, and what it leaves there)", "（写它所改的字段和改后的值）"),
    };
    let words = (
        format!(
            "`{name}` is executed and nothing says how a bill shows that it is done, so that a call whose answer is lost \
             could never be settled: add it{en}"
        ),
        format!("执行 `{name}`，但没有说明怎样看出单据已完成，响应丢失的调用将无法核实：请添加{zh}"),
    );
    let block = findings.refuse_in_both(at, words, declaration(name));
    block.reason = Some(Box::new(Reason::NoEffect { plan: plan.clone(), operation: name.to_owned(), rev: None }));
}

/// A condition as plan files write it, its values in order.
pub fn written(test: &Test) -> Value {
    match test {
        Test::In(path, values) => {
            let mut values: Vec<&str> = values.iter().map(String::as_str).collect();
            values.sort_unstable();
            values.dedup();
            let head = [path.as_str(), "in"];
            head.into_iter().chain(values).map(Value::from).collect()
        }
        Test::Exists => json!(["exists"]),
        Test::Count(n) => json!(["count", n]),
    }
}

/// The conditions as plan files write them, in an order of their own: `skydeck.done` of two plans that mean the same.
pub fn written_all(tests: &[Test]) -> Value {
    let mut all: Vec<(String, Value)> = tests.iter().map(written).map(|test| (test.to_string(), test)).collect();
    all.sort_by(|(a, _), (b, _)| a.cmp(b));
    all.dedup_by(|(a, _), (b, _)| a == b);
    all.into_iter().map(|(_, test)| test).collect()
}
