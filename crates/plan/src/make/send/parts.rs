//! Values of the keys of a plan that sends: paths of an answer, requests, tests.

use serde_json::{Map, Value};
use serde_json_path::JsonPath;

use skydeck_core::domain::sending::{Check, Is, Request};
use skydeck_core::domain::suggest::nearest;

use crate::problem::send::SendProblem as P;
use crate::reading::Findings;
use crate::source::is_name;

/// Tests in one list, and values of one test, at most.
const MOST: usize = 16;
/// Characters of a path of an answer at most.
const LONGEST: usize = 200;

/// Headers that say who we are: the environment's.
const OURS: [&str; 5] = ["authorization", "proxy-authorization", "cookie", "host", "content-length"];

/// An object's keys; one that is not known is refused.
pub(crate) fn object<'v>(
    value: &'v Value,
    (at, known, example): (&str, &[&str], &'static str),
    findings: &mut Findings,
) -> Option<&'v Map<String, Value>> {
    let Some(map) = value.as_object() else {
        findings.refuse(at, P::Shape { value: value.to_string(), example });
        return None;
    };
    for key in map.keys().filter(|key| !known.contains(&key.as_str())) {
        let near = nearest(key, known).map(str::to_owned);
        findings.refuse(format!("{at}.{key}"), P::UnknownKey { key: key.clone(), near, known: known.join(", ") });
    }
    Some(map)
}

/// A text that is not empty.
pub(crate) fn text(value: &Value) -> Option<String> {
    value.as_str().map(str::trim).filter(|text| !text.is_empty()).map(str::to_owned)
}

/// A path of an answer in the form of RFC 9535; names with dots are read as one.
pub(crate) fn path(value: &Value, at: &str, findings: &mut Findings) -> Option<String> {
    let written = match value.as_str() {
        Some(written) => written.trim(),
        None => "",
    };
    let refuse = |said: &str, findings: &mut Findings| {
        findings.refuse(at, P::AnswerPath { value: value.to_string(), said: said.to_owned() });
        None
    };
    if written.is_empty() || written.chars().count() > LONGEST || written.chars().any(char::is_control) {
        return refuse("it is empty, too long, or no text", findings);
    }
    let full = if written.starts_with('$') { written.to_owned() } else { dotted(written) };
    match JsonPath::parse(&full) {
        Ok(_) => Some(full),
        Err(error) => refuse(&error.to_string(), findings),
    }
}

/// `a.b` as `$.a.b`.
fn dotted(names: &str) -> String {
    names.split('.').fold("$".to_owned(), |path, name| {
        if is_name(name) {
            format!("{path}.{name}")
        } else {
            format!("{path}['{}']", name.replace('\\', "\\\\").replace('\'', "\\'"))
        }
    })
}

/// `[["code", "eq", "0"]]`.
pub(crate) fn checks(value: &Value, at: &str, findings: &mut Findings) -> Option<Vec<Check>> {
    let shape = || P::Shape { value: value.to_string(), example: "[[\"code\", \"eq\", \"0\"]]" };
    let Some(all) = value.as_array().filter(|all| (1..=MOST).contains(&all.len())) else {
        findings.refuse(at, shape());
        return None;
    };
    let mut out = Vec::with_capacity(all.len());
    for (n, one) in all.iter().enumerate() {
        let at = format!("{at}[{n}]");
        let Some([of, is, values @ ..]) = one.as_array().map(Vec::as_slice) else {
            findings.refuse(at, shape());
            return None;
        };
        let path = path(of, &at, findings)?;
        let (word, is) = match is.as_str() {
            Some("eq" | "in") => ("in", Is::In),
            Some("neq" | "notin") => ("notin", Is::NotIn),
            Some("exists") => ("exists", Is::Exists),
            Some("absent") => ("absent", Is::Absent),
            Some(_) | None => {
                findings.refuse(at, P::Operator { value: is.to_string() });
                return None;
            }
        };
        let values = values.iter().flat_map(|v| v.as_array().map_or(std::slice::from_ref(v), Vec::as_slice));
        let values: Option<Vec<String>> = values.map(scalar).collect();
        let wanted = matches!(is, Is::In | Is::NotIn);
        let Some(values) = values.filter(|values| values.is_empty() != wanted && values.len() <= MOST) else {
            findings.refuse(at, P::CheckValues { is: word });
            return None;
        };
        out.push(Check { path, is, values });
    }
    Some(out)
}

/// A value as a text; of a list or an object there is none.
fn scalar(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Number(n) => Some(n.to_string()),
        Value::Bool(truth) => Some(truth.to_string()),
        Value::Null | Value::Array(_) | Value::Object(_) => None,
    }
}

/// A whole number between bounds.
pub(crate) fn number(value: &Value, (least, most): (u32, u32), at: &str, findings: &mut Findings) -> Option<u32> {
    let n = value.as_u64().and_then(|n| u32::try_from(n).ok()).filter(|n| (least..=most).contains(n));
    if n.is_none() {
        findings.refuse(at, P::Number { value: value.to_string(), least, most });
    }
    n
}

/// A span of time in seconds.
pub(crate) fn seconds(value: &Value, at: &str, findings: &mut Findings) -> Option<u32> {
    let span = value.as_str().and_then(crate::policy::duration).and_then(|span| u32::try_from(span.as_secs()).ok());
    if span.is_none() {
        findings.refuse(at, P::Span { value: value.to_string() });
    }
    span
}

/// Path of a request below the environment's address.
pub(crate) fn url_path(written: &str, at: &str, findings: &mut Findings) -> Option<String> {
    let problem = if written.contains("://") || written.starts_with("//") {
        P::Address { value: written.to_owned() }
    } else if !written.starts_with('/')
        || written.contains(['?', '#', '\\'])
        || written.split('/').any(|part| part == "..")
        || written.chars().any(|c| c.is_control() || c.is_whitespace())
    {
        P::PathShape { value: written.to_owned() }
    } else {
        return Some(written.to_owned());
    };
    findings.refuse(at, problem);
    None
}

/// A method in capitals.
pub(crate) fn method(written: &str, at: &str, findings: &mut Findings) -> Option<String> {
    let method = written.trim().to_ascii_uppercase();
    if ["POST", "PUT", "PATCH", "GET"].contains(&method.as_str()) {
        return Some(method);
    }
    findings.refuse(at, P::Method { value: written.to_owned() });
    None
}

/// Names with texts, in their order; a number or a truth is its text.
pub(crate) fn pairs(value: &Value, at: &str, findings: &mut Findings) -> Vec<(String, String)> {
    let read = value.as_object().and_then(|map| {
        map.iter().map(|(name, value)| Some((name.clone(), scalar(value)?))).collect::<Option<Vec<_>>>()
    });
    read.unwrap_or_else(|| {
        findings.refuse(at, P::Shape { value: value.to_string(), example: "{\"NAME\": \"VALUE\"}" });
        Vec::new()
    })
}

/// Headers of a plan: none that says who we are.
pub(crate) fn headers(value: &Value, at: &str, findings: &mut Findings) -> Vec<(String, String)> {
    let all = pairs(value, at, findings);
    for (name, held) in &all {
        let at = format!("{at}.{name}");
        let is_token = !name.is_empty() && name.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_".contains(&b));
        if !is_token || held.chars().any(char::is_control) {
            findings.refuse(at, P::HeaderName { name: name.clone() });
        } else if OURS.iter().any(|ours| name.eq_ignore_ascii_case(ours)) {
            findings.refuse(at, P::SignInHeader { name: name.clone() });
        }
    }
    all
}

/// How often each hole stands in a request: the names between `{{` and `}}`.
pub(crate) fn holes(request: &Request) -> Vec<String> {
    let pairs = request.query.iter().chain(&request.headers).map(|(_, value)| value.as_str());
    let texts = pairs.chain([request.path.as_str()]).chain(request.body.as_deref());
    let mut all = Vec::new();
    for text in texts {
        let mut rest = text;
        while let Some((_, after)) = rest.split_once("{{") {
            let (name, behind) = after.split_once("}}").unwrap_or((after, ""));
            all.push(name.to_owned());
            rest = behind;
        }
    }
    all
}
