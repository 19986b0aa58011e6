//! What the `skydeck` object of a plan says of the system that records are sent to.

use serde_json::Value;

use skydeck_core::domain::sending::{Check, Names, Pages, Place, Token};

use super::parts::{checks, headers, method, number, object, pairs, path, seconds, text, url_path};
use crate::problem::send::SendProblem as P;
use crate::reading::Findings;
use crate::source::is_name;

/// Keys of the `skydeck` object that only a plan that sends has.
const KEYS: [&str; 6] = ["record", "call", "ok", "answer", "look", "token"];

pub(super) const ANSWER: &str = "\"answer\": {\"rows\": \"$.data\", \"key\": \"so_id\"}";
pub(super) const EXAMPLE: &str =
    "\"look\": {\"method\": \"GET\", \"path\": \"/open/orders/{{key}}\", \"rows\": \"$.data\", \"key\": \"so_id\"}";

/// What an answer names.
#[derive(Clone, Debug, Default)]
pub(crate) struct NamesPolicy {
    pub rows: Option<String>,
    pub key: Option<String>,
    pub id: Option<String>,
    pub no: Option<String>,
}

impl NamesPolicy {
    fn take(&mut self, key: &str, value: &Value, at: &str, findings: &mut Findings) -> bool {
        let place = match key {
            "rows" => &mut self.rows,
            "key" => &mut self.key,
            "id" => &mut self.id,
            "no" => &mut self.no,
            _ => return false,
        };
        *place = path(value, at, findings);
        true
    }

    /// `key`: the path of the key where none is named.
    pub(super) fn names(self, key: &str) -> Names {
        let key = self.key.unwrap_or_else(|| key.to_owned());
        Names { rows: self.rows.unwrap_or_default(), key, id: self.id, no: self.no }
    }
}

/// A request, as far as the file gives it.
#[derive(Clone, Debug, Default)]
pub(crate) struct RequestPolicy {
    pub method: Option<String>,
    pub path: Option<String>,
    pub query: Vec<(String, String)>,
    pub headers: Vec<(String, String)>,
    pub body: Option<String>,
    pub form: bool,
}

impl RequestPolicy {
    /// Reads one of its keys; false where it is none of them.
    pub(crate) fn take(&mut self, key: &str, value: &Value, at: &str, findings: &mut Findings) -> bool {
        match key {
            "method" => self.method = method(value.as_str().unwrap_or_default(), at, findings),
            "path" => self.path = url_path(value.as_str().unwrap_or_default(), at, findings),
            "query" => self.query = pairs(value, at, findings),
            "headers" => self.headers = headers(value, at, findings),
            "body" => self.body = Some(value.to_string()),
            "as" => match value.as_str() {
                Some("json") => self.form = false,
                Some("form") => self.form = true,
                Some(_) | None => {
                    findings.refuse(at, P::Shape { value: value.to_string(), example: "\"as\": \"json\" or \"form\"" });
                }
            },
            _ => return false,
        }
        true
    }
}

/// A look, as far as the file gives it.
#[derive(Clone, Debug, Default)]
pub(crate) struct LookPolicy {
    pub request: RequestPolicy,
    pub names: NamesPolicy,
    pub ok: Option<Vec<Check>>,
    pub absent: Vec<Check>,
    pub absent_status: Vec<u16>,
    pub pages: Option<Pages>,
    pub lag_secs: u32,
}

/// What the policy says of a plan that sends.
#[derive(Clone, Debug, Default)]
pub(crate) struct SendPolicy {
    pub record: Option<String>,
    pub call: Option<RequestPolicy>,
    pub ok: Option<Vec<Check>>,
    pub answer: Option<(NamesPolicy, Option<String>)>,
    pub look: Option<LookPolicy>,
    pub token: Option<Token>,
    /// Keys that stand in the file, whether they could be read or not.
    given: Vec<&'static str>,
}

/// The keys of a request.
pub(crate) const REQUEST: [&str; 6] = ["method", "path", "query", "headers", "body", "as"];
const ANSWERS: [&str; 5] = ["rows", "key", "id", "no", "said"];
const LOOK: [&str; 15] = [
    "method",
    "path",
    "query",
    "headers",
    "body",
    "as",
    "rows",
    "key",
    "id",
    "no",
    "ok",
    "absent",
    "absent_status",
    "pages",
    "lag",
];

impl SendPolicy {
    /// Reads one of its keys; false where it is none of them.
    pub(crate) fn take(&mut self, (key, value): (&str, &Value), at: &str, findings: &mut Findings) -> bool {
        let Some(known) = KEYS.iter().find(|known| **known == key) else { return false };
        self.given.push(known);
        match key {
            "record" => match text(value).filter(|name| is_name(name)) {
                Some(name) => self.record = Some(name),
                None => findings.refuse(at, P::Shape { value: value.to_string(), example: "\"record\": \"order\"" }),
            },
            "call" => {
                let mut call = RequestPolicy::default();
                let map =
                    object(value, (at, &REQUEST, "\"call\": {\"headers\": {}, \"body\": [\"{{body}}\"]}"), findings);
                for (key, value) in map.into_iter().flatten() {
                    call.take(key, value, &format!("{at}.{key}"), findings);
                }
                self.call = Some(call);
            }
            "ok" => self.ok = checks(value, at, findings),
            "answer" => self.answer = Some(answer(value, at, findings)),
            "look" => self.look = Some(look(value, at, findings)),
            _ => self.token = token(value, at, findings),
        }
        true
    }

    /// Whether the call has a path of its own.
    pub(crate) fn names_a_path(&self) -> bool {
        self.call.as_ref().is_some_and(|call| call.path.is_some())
    }

    /// The keys that only a plan that sends has, as far as they are given.
    pub(crate) fn given(&self) -> &[&'static str] {
        &self.given
    }
}

fn answer(value: &Value, at: &str, findings: &mut Findings) -> (NamesPolicy, Option<String>) {
    let (mut names, mut said) = (NamesPolicy::default(), None);
    let map = object(value, (at, &ANSWERS, ANSWER), findings);
    for (key, value) in map.into_iter().flatten() {
        let at = format!("{at}.{key}");
        if key == "said" {
            said = path(value, &at, findings);
        } else {
            names.take(key, value, &at, findings);
        }
    }
    (names, said)
}

fn look(value: &Value, at: &str, findings: &mut Findings) -> LookPolicy {
    let mut out = LookPolicy::default();
    let map = object(value, (at, &LOOK, EXAMPLE), findings);
    for (key, value) in map.into_iter().flatten() {
        let at = format!("{at}.{key}");
        match key.as_str() {
            "ok" => out.ok = checks(value, &at, findings),
            "absent" => out.absent = checks(value, &at, findings).unwrap_or_default(),
            "absent_status" => out.absent_status = absent_statuses(value, &at, findings),
            "pages" => out.pages = pages(value, &at, findings),
            "lag" => out.lag_secs = seconds(value, &at, findings).unwrap_or_default(),
            other => {
                let _known =
                    out.request.take(other, value, &at, findings) || out.names.take(other, value, &at, findings);
            }
        }
    }
    out
}

/// HTTP statuses that say: nothing is there.
pub(crate) fn absent_statuses(value: &Value, at: &str, findings: &mut Findings) -> Vec<u16> {
    let all = value.as_array().map_or(std::slice::from_ref(value), Vec::as_slice);
    let mut out = Vec::new();
    for status in all {
        match status.as_u64().and_then(|n| u16::try_from(n).ok()).filter(|n| matches!(n, 204 | 404 | 410)) {
            Some(status) => out.push(status),
            None => findings.refuse(at, P::Status { value: status.to_string() }),
        }
    }
    out
}

fn pages(value: &Value, at: &str, findings: &mut Findings) -> Option<Pages> {
    let map = object(
        value,
        (at, &["first", "size", "most"], "\"pages\": {\"first\": 1, \"size\": 50, \"most\": 20}"),
        findings,
    )?;
    let mut read = |key: &str, usual: u32, bounds: (u32, u32)| match map.get(key) {
        None => Some(usual),
        Some(value) => number(value, bounds, &format!("{at}.{key}"), findings),
    };
    Some(Pages {
        first: read("first", 1, (0, 1))?,
        size: read("size", 50, (1, 2000))?,
        most: read("most", 20, (1, 200))?,
    })
}

/// `{"header": "Idempotency-Key", "keeps": "24h"}`.
fn token(value: &Value, at: &str, findings: &mut Findings) -> Option<Token> {
    let example = "\"token\": {\"header\": \"Idempotency-Key\", \"keeps\": \"24h\"}";
    let map = object(value, (at, &["header", "query", "field", "keeps"], example), findings)?;
    let named = |key: &str| map.get(key).and_then(text);
    let place = match (named("header"), named("query"), named("field")) {
        (Some(name), None, None) => Some(Place::Header(name)),
        (None, Some(name), None) => Some(Place::Query(name)),
        (None, None, Some(name)) => Some(Place::Field(name)),
        _ => None,
    };
    let keeps = map.get("keeps").and_then(|keeps| seconds(keeps, &format!("{at}.keeps"), findings));
    let (Some(place), Some(keeps_secs)) = (place, keeps.filter(|keeps| *keeps > 0)) else {
        findings.refuse(at, P::Shape { value: value.to_string(), example });
        return None;
    };
    if let Place::Header(name) = &place {
        let map = serde_json::json!({ name.clone(): "x" });
        headers(&map, at, findings);
    }
    Some(Token { place, keeps_secs })
}
