//! `skydeck.done` and `skydeck.mine`: how a plan says what shows that the operation it executes is done.
//!
//! Invariant: a plan that executes an operation is runnable only with an effect that a look at one bill can show; what
//! Audit and Submit lead to is known, and no plan declares it otherwise.

use serde_json::{Value, json};

use skydeck_core::domain::ids::PlanId;
use skydeck_core::domain::operation::Test;
use skydeck_core::domain::step::Verb;

use super::policy::PolicyRead;
use super::problem::Problem;
use super::problem::make::MakeProblem;
use super::problem::send::SendProblem;
use super::reading::Findings;
use super::source::{is_entry_level, is_path};
use super::vendor::Side;
use skydeck_core::domain::suggest::nearest;

/// Conditions at most: what shows an operation is a field or two.
pub const MAX_TESTS: usize = 8;

/// Values of one condition at most.
pub const MAX_VALUES: usize = 64;

/// Characters of a value or a path at most.
pub const MAX_CHARS: usize = 256;

const KNOWN: [&str; 2] = ["in", "eq"];

/// Reads `skydeck.done`; every condition that cannot be used is named by its place.
pub fn done(value: &Value, at: &str, findings: &mut Findings) -> Vec<Test> {
    let Some(conditions) = value.as_array() else {
        findings.refuse(at, Problem::NoDoneList);
        return Vec::new();
    };
    if conditions.first().is_some_and(Value::is_string) {
        findings.refuse(at, Problem::OneDone);
        return Vec::new();
    }
    if conditions.is_empty() || conditions.len() > MAX_TESTS {
        findings.refuse(at, Problem::TooManyDone { n: conditions.len(), most: MAX_TESTS });
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
            findings.refuse(at, Problem::NeverDone { path });
            continue;
        }
        tests.push(Test::In(path, values));
    }
    tests
}

/// One condition: `[field, "in" or "eq", value…]`.
fn condition(value: &Value, at: &str, findings: &mut Findings) -> Option<(String, Vec<String>)> {
    let mut refuse = |at: String, problem: Problem| {
        findings.refuse(at, problem);
        None
    };
    let parts = match value.as_array().map(Vec::as_slice) {
        // `["exists"]` and `[field, "exists"]`.
        Some([.., Value::String(last)]) if last.trim().eq_ignore_ascii_case("exists") => {
            return refuse(at.to_owned(), Problem::DoneExists);
        }
        Some([field, logic, values @ ..]) => (field, logic, values),
        _ => return refuse(at.to_owned(), Problem::NoDone),
    };
    let (field, logic, values) = parts;
    let Some(path) = field.as_str().filter(|path| path.len() <= MAX_CHARS && is_path(path)) else {
        return refuse(format!("{at}[0]"), Problem::DonePath { field: field.to_string() });
    };
    if is_entry_level(path) {
        return refuse(format!("{at}[0]"), Problem::DoneInEntry { path: path.to_owned() });
    }
    let word = logic.as_str().unwrap_or_default().trim().to_ascii_lowercase();
    if !KNOWN.contains(&word.as_str()) {
        let near = match word.as_str() {
            "=" | "==" | "is" => Some("eq"),
            _ => nearest(&word, &KNOWN),
        };
        return refuse(format!("{at}[1]"), Problem::DoneOperator { logic: logic.to_string(), near });
    }
    match values_of(values, word == "in") {
        Ok(values) => Some((path.to_owned(), values)),
        Err(problem) => refuse(format!("{at}[2]"), problem),
    }
}

/// The values of a condition: texts or whole numbers, in a list or one after the other; `in` cuts a text at commas.
fn values_of(given: &[Value], cut: bool) -> Result<Vec<String>, Problem> {
    let mut out: Vec<String> = Vec::new();
    let flat = given.iter().flat_map(|v| v.as_array().map_or(std::slice::from_ref(v), Vec::as_slice));
    for value in flat {
        let text = match value {
            Value::String(text) => text.clone(),
            Value::Number(n) if n.is_i64() || n.is_u64() => n.to_string(),
            other => return Err(Problem::DoneValue { value: other.to_string() }),
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
    match (out.len(), cut) {
        (0, _) => Err(Problem::DoneWithoutValue),
        (n @ 2.., false) => Err(Problem::DoneEqSeveral { n }),
        (n, _) if n > MAX_VALUES => Err(Problem::TooManyDoneValues { n, most: MAX_VALUES }),
        _ => Ok(out),
    }
}

fn check_value(text: &str) -> Result<(), Problem> {
    if text.is_empty() {
        return Err(Problem::DoneEmpty);
    }
    if text.chars().count() > MAX_CHARS {
        return Err(Problem::DoneTooLong { most: MAX_CHARS });
    }
    if text.chars().any(char::is_control) || text.contains("{{") || text.starts_with("_function ") {
        return Err(Problem::DoneTemplate);
    }
    Ok(())
}

/// Reads `skydeck.mine`: the path of who did it.
pub fn mine(value: &Value, at: &str, findings: &mut Findings) -> Option<String> {
    match value.as_str() {
        Some(path) if path.len() <= MAX_CHARS && is_path(path) && !is_entry_level(path) => Some(path.to_owned()),
        _ => {
            findings.refuse(at, Problem::Mine { value: value.to_string() });
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
        Verb::Save | Verb::Push | Verb::Send => return making(verb, policy, findings),
        // No name: refused by its own finding.
        Verb::Operation(_) => return,
    };
    let given = [("done", policy.declares_done), ("mine", policy.policy.mine.is_some())];
    for (key, _) in given.into_iter().filter(|(_, given)| *given) {
        findings.refuse(format!("skydeck.{key}"), Problem::KnownResult { key, call, leads_to });
    }
}

/// What a plan that makes bills leads to is the bill itself.
fn making(verb: &Verb, policy: &PolicyRead, findings: &mut Findings) {
    if *verb == Verb::Push && policy.policy.batch > 1 {
        findings.refuse("skydeck.batch", MakeProblem::PushedAlone);
    }
    if *verb == Verb::Send && policy.policy.batch > 1 {
        findings.refuse("skydeck.batch", SendProblem::OneARecord);
    }
    let given = [
        ("done", policy.declares_done),
        ("mine", policy.policy.mine.is_some()),
        ("submit", policy.policy.submit),
        // A conversion is made of the record where it is.
        ("target_env", policy.target_env.is_some() && *verb == Verb::Push),
    ];
    for (key, _) in given.into_iter().filter(|(_, given)| *given) {
        findings.refuse(format!("skydeck.{key}"), MakeProblem::NotForMaking { key });
    }
}

fn undeclared(side: &Side<'_>, name: &str, plan: &PlanId, findings: &mut Findings) {
    let entry = ["Operation", "opNumber"].iter().find_map(|n| side.control(n));
    let at = entry.map_or_else(|| side.path("request"), |e| e.at.clone());
    findings.refuse(at, Problem::Undeclared { plan: plan.clone(), operation: name.to_owned() });
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
