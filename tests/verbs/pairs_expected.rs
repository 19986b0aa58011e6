//! What a published mapping makes of a record: read from expected/, filled with rows that are asked of the simulator by hand, and
//! compared with a body. It shares nothing with the program's own mapping.
//!
//! A text that begins with `=` is a value: a column, columns and words joined by `+`, or two columns under `*` and `/`; `|date`,
//! `|datetime` and `|text` behind it say how it is written. `["each", X]` is X for each row; `{"of": COLUMN, …}` looks a value up;
//! `now` is a moment of today.

use std::collections::BTreeSet;

use serde::Deserialize;
use serde_json::{Map, Value, json};
use skydeck::sim;

use crate::place::Place;

/// A file of expected/.
#[derive(Deserialize)]
pub struct Expected {
    form: String,
    number: String,
    pub body: Value,
}

/// Asks the simulator as any client would.
pub struct Rows<'a> {
    place: &'a Place,
    session: String,
    client: reqwest::Client,
}

/// The rows of one record, each a column by its path.
pub type Record = Vec<Map<String, Value>>;

impl<'a> Rows<'a> {
    pub fn of(place: &'a Place) -> Self {
        // Once a process; whoever was first has the same one.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let mut rows =
            Self { place, session: String::new(), client: reqwest::Client::builder().no_proxy().build().unwrap() };
        let c = sim::demo_credentials();
        let sign_in = json!({"acctid": c.account, "username": c.user, "password": c.password, "lcid": 2052});
        let answer = rows.post("AuthService.ValidateUser", &sign_in);
        answer["KDSVCSessionId"].as_str().unwrap().clone_into(&mut rows.session);
        rows
    }

    fn post(&self, service: &str, body: &Value) -> Value {
        let url = self.place.sim.as_ref().unwrap().url();
        let url = format!("{url}Kingdee.BOS.WebApi.ServicesStub.{service}.common.kdsvc");
        let request = self.client.post(url).header("kdservice-sessionid", &self.session).body(body.to_string());
        let text = self.place.runtime.block_on(async { request.send().await.unwrap().text().await.unwrap() });
        serde_json::from_str(&text).unwrap_or_else(|e| panic!("{e}: {text}"))
    }

    /// The rows that the expectation speaks of, of the record with this number.
    pub fn of_record(&self, expected: &Expected, no: &str) -> Record {
        let mut columns = BTreeSet::new();
        named(&expected.body, &mut columns);
        let keys: Vec<String> = columns.into_iter().collect();
        let query = json!({"data": {"FormId": expected.form, "FieldKeys": keys.join(","), "FilterString": format!("{}='{no}'", expected.number), "Limit": 100}});
        let answer = self.post("DynamicFormService.ExecuteBillQuery", &query);
        let rows = answer.as_array().unwrap_or_else(|| panic!("{answer}"));
        assert!(!rows.is_empty() && rows[0][0]["Result"].is_null(), "{no}: {answer}");
        rows.iter().map(|row| keys.iter().cloned().zip(row.as_array().unwrap().iter().cloned()).collect()).collect()
    }
}

/// Whether a part of a value is a column: `F` and a capital behind it, and nothing that no path has.
fn is_column(part: &str) -> bool {
    let mut signs = part.chars();
    signs.next() == Some('F')
        && signs.next().is_some_and(|c| c.is_ascii_uppercase() || c == '_')
        && part.chars().all(|c| c.is_ascii_alphanumeric() || c == '_' || c == '.')
}

fn named(value: &Value, out: &mut BTreeSet<String>) {
    match value {
        Value::String(text) => {
            let Some(text) = text.strip_prefix('=') else { return };
            let text = text.split('|').next().unwrap();
            out.extend(text.split(['+', '*', '/']).filter(|part| is_column(part)).map(str::to_owned));
        }
        Value::Array(all) => all.iter().for_each(|item| named(item, out)),
        Value::Object(all) => {
            out.extend(all.get("of").and_then(Value::as_str).map(str::to_owned));
            all.values().for_each(|item| named(item, out));
        }
        _ => {}
    }
}

fn cell(row: &Map<String, Value>, column: &str) -> String {
    match &row[column] {
        Value::String(text) => text.trim().to_owned(),
        Value::Null => String::new(),
        other => other.to_string(),
    }
}

/// What a leaf wants.
enum Wanted {
    /// Nothing: the field is not there.
    Nothing,
    /// A number by what it is.
    Number(String),
    Text(String),
    /// `a / b`.
    Quotient(String, String),
    Today,
}

/// A number as digits and their scale.
fn decimal(text: &str) -> (i128, u32) {
    let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
    (format!("{whole}{fraction}").parse().unwrap_or_else(|_| panic!("`{text}` is no number")), fraction.len() as u32)
}

fn same_number(a: (i128, u32), b: (i128, u32)) -> bool {
    let scale = a.1.max(b.1);
    a.0 * 10_i128.pow(scale - a.1) == b.0 * 10_i128.pow(scale - b.1)
}

fn wanted(text: &str, row: &Map<String, Value>) -> Wanted {
    if text == "now" {
        return Wanted::Today;
    }
    let Some(text) = text.strip_prefix('=') else { return Wanted::Text(text.to_owned()) };
    let (text, form) = text.split_once('|').unwrap_or((text, ""));
    if let Some((a, b)) = text.split_once('/') {
        return Wanted::Quotient(cell(row, a), cell(row, b));
    }
    if let Some((a, by)) = text.split_once('*') {
        assert_eq!(by, "-1");
        return Wanted::Number(format!("-{}", cell(row, a)));
    }
    let one = is_column(text) && matches!(row[text], Value::Number(_));
    let said: String =
        text.split('+').map(|part| if is_column(part) { cell(row, part) } else { part.to_owned() }).collect();
    match form {
        _ if said.is_empty() => Wanted::Nothing,
        "date" => Wanted::Text(said[..10].to_owned()),
        "datetime" => Wanted::Text(format!("{} {}", &said[..10], &said[11..19])),
        "" if one => Wanted::Number(said),
        _ => Wanted::Text(said),
    }
}

/// How many fields were compared, and what of them is wrong.
pub fn differences(expected: &Value, body: &Value, record: &Record) -> (usize, Vec<String>) {
    let mut walk = Walk { record, fields: 0, wrong: Vec::new() };
    walk.value(expected, Some(body), 0, "body");
    (walk.fields, walk.wrong)
}

struct Walk<'a> {
    record: &'a Record,
    fields: usize,
    wrong: Vec<String>,
}

impl Walk<'_> {
    fn value(&mut self, expected: &Value, body: Option<&Value>, row: usize, at: &str) {
        match expected {
            Value::Object(all) if all.contains_key("of") => {
                let found = cell(&self.record[row], all["of"].as_str().unwrap());
                let value = all.get(&found).cloned().unwrap_or_else(|| panic!("{at}: `{found}` is not in {expected}"));
                self.value(&value, body, row, at);
            }
            Value::Object(all) => self.object(all, body, row, at),
            Value::Array(all) => self.list(all, body, row, at),
            Value::String(text) => self.leaf(&wanted(text, &self.record[row]), body, at),
            other => {
                self.fields += 1;
                let same = match (other.as_f64(), body.and_then(Value::as_f64)) {
                    (Some(a), Some(b)) => a.to_bits() == b.to_bits(),
                    _ => body == Some(other),
                };
                self.note(same, other, body, at);
            }
        }
    }

    fn object(&mut self, all: &Map<String, Value>, body: Option<&Value>, row: usize, at: &str) {
        let Some(Value::Object(there)) = body else {
            return self.note(false, &Value::Object(all.clone()), body, at);
        };
        for (name, value) in all {
            self.value(value, there.get(name), row, &format!("{at}.{name}"));
        }
        let order: Vec<&String> = all.keys().filter(|name| there.contains_key(*name)).collect();
        if there.keys().collect::<Vec<_>>() != order {
            self.wrong.push(format!("{at}: {:?}, in this order and no more", all.keys().collect::<Vec<_>>()));
        }
    }

    fn list(&mut self, all: &[Value], body: Option<&Value>, row: usize, at: &str) {
        let items: &[Value] = body.and_then(Value::as_array).map_or(&[], Vec::as_slice);
        let mut wanted: Vec<(usize, &Value)> = Vec::new();
        let mut parts = all.iter();
        while let Some(part) = parts.next() {
            if part == "each" {
                let each = parts.next().unwrap();
                wanted.extend((0..self.record.len()).map(|row| (row, each)));
            } else {
                wanted.push((row, part));
            }
        }
        if wanted.len() != items.len() {
            self.wrong.push(format!("{at}: {} rows, not {}", wanted.len(), items.len()));
        }
        for (n, ((row, expected), item)) in wanted.iter().zip(items).enumerate() {
            self.value(expected, Some(item), *row, &format!("{at}[{n}]"));
        }
    }

    fn leaf(&mut self, wanted: &Wanted, body: Option<&Value>, at: &str) {
        self.fields += 1;
        // A number in a text is a number all the same: plans give most fields the type `string`.
        let number = |body: Option<&Value>| match body {
            Some(Value::Number(n)) => Some(decimal(&n.to_string())),
            Some(Value::String(text)) => Some(decimal(text)),
            _ => None,
        };
        let (same, said) = match wanted {
            Wanted::Nothing => (body.is_none(), "nothing".to_owned()),
            Wanted::Text(text) => (body.and_then(Value::as_str) == Some(text), text.clone()),
            Wanted::Number(n) => (number(body).is_some_and(|b| same_number(b, decimal(n))), n.clone()),
            Wanted::Quotient(a, b) => {
                let (a, b) = (decimal(a), decimal(b));
                let product = number(body).map(|body| (body.0 * b.0, body.1 + b.1));
                (product.is_some_and(|product| same_number(product, a)), format!("{a:?} / {b:?}"))
            }
            Wanted::Today => {
                let day = |text: &str| text.starts_with("20") && matches!(text.len(), 10 | 19);
                (body.and_then(Value::as_str).is_some_and(day), "a moment".to_owned())
            }
        };
        self.note(same, &json!(said), body, at);
    }

    fn note(&mut self, same: bool, expected: &Value, body: Option<&Value>, at: &str) {
        if !same {
            self.wrong.push(format!("{at}: {expected} expected, {} there", body.unwrap_or(&Value::Null)));
        }
    }
}

#[test]
fn the_comparison_sees_another_value_a_missing_field_and_another_order() {
    let record: Record = vec![
        json!({"FBillNo": "A", "FQty": 6, "FSum": 3.0, "FDate": "2026-01-02T03:04:05"}).as_object().unwrap().clone(),
    ];
    let expected = json!({"FNo": "=X-+FBillNo", "FDay": "=FDate|date", "FEntity": ["each", {"FPrice": "=FSum/FQty", "FQty": "=FQty*-1"}]});
    let good = json!({"FNo": "X-A", "FDay": "2026-01-02", "FEntity": [{"FPrice": 0.5, "FQty": "-6"}]});
    assert_eq!(differences(&expected, &good, &record), (4, Vec::new()));
    for bad in [
        json!({"FNo": "X-B", "FDay": "2026-01-02", "FEntity": [{"FPrice": 0.5, "FQty": -6}]}),
        json!({"FNo": "X-A", "FEntity": [{"FPrice": 0.5, "FQty": -6}]}),
        json!({"FDay": "2026-01-02", "FNo": "X-A", "FEntity": [{"FPrice": 0.5, "FQty": -6}]}),
        json!({"FNo": "X-A", "FDay": "2026-01-02", "FEntity": [{"FPrice": 0.4, "FQty": -6}]}),
        json!({"FNo": "X-A", "FDay": "2026-01-02", "FEntity": [{"FPrice": 0.5, "FQty": 6}]}),
        json!({"FNo": "X-A", "FDay": "2026-01-02", "FEntity": []}),
        json!({"FNo": "X-A", "FDay": "2026-01-02", "FEntity": [{"FPrice": 0.5, "FQty": -6, "FMore": 1}]}),
    ] {
        assert!(!differences(&expected, &bad, &record).1.is_empty(), "{bad}");
    }
}
