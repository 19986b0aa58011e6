//! A request on its way: holes filled, body put together, parameters in their order.
//!
//! Invariant: the body of a record goes out digit by digit as it was approved; a value that fills a hole stays a value there,
//! whatever it holds.

use serde::de::{Deserializer, MapAccess, Visitor};
use serde_json::Value;
use serde_json::value::RawValue;

use skydeck_core::domain::feed::{CURSOR_HOLE, OFFSET_HOLE};
use skydeck_core::domain::sending::{BODY_HOLE, KEY_HOLE, PAGE_HOLE, Place, Request};

/// A request before it says who we are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Outgoing {
    /// The method.
    pub method: String,
    /// The path, escaped.
    pub path: String,
    /// Parameters of the query string, in order.
    pub query: Vec<(String, String)>,
    /// Headers, in order.
    pub headers: Vec<(String, String)>,
    /// The body.
    pub payload: Payload,
}

/// The body of a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Payload {
    /// None.
    None,
    /// JSON as it stands.
    Json(String),
    /// A form: parameters in order.
    Form(Vec<(String, String)>),
}

/// What holes are filled with.
#[derive(Clone, Copy, Debug, Default)]
pub struct Holes<'a> {
    /// The value that the record is found by.
    pub key: &'a str,
    /// The body of the record.
    pub body: Option<&'a str>,
    /// The number of the page.
    pub page: Option<u32>,
    /// So many records come before the page.
    pub offset: Option<u64>,
    /// What the answer before named. Where there is none, a parameter that is nothing but its hole is left out.
    pub cursor: Option<&'a str>,
}

impl Holes<'_> {
    fn fill(self, text: &str) -> String {
        // A key, and a cursor, that looks like a hole is a value all the same: it is put in last, and no request has both.
        let text = self.with_page(text).replace(KEY_HOLE, self.key);
        self.cursor.map_or_else(|| text.clone(), |cursor| text.replace(CURSOR_HOLE, cursor))
    }

    /// The numbers of a place in a list, by their holes.
    fn numbers(self) -> impl Iterator<Item = (&'static str, String)> {
        let page = self.page.map(|page| (PAGE_HOLE, page.to_string()));
        page.into_iter().chain(self.offset.map(|offset| (OFFSET_HOLE, offset.to_string())))
    }

    fn with_page(self, text: &str) -> String {
        self.numbers().fold(text.to_owned(), |text, (hole, number)| text.replace(hole, &number))
    }

    /// Whether a text is nothing but the hole of a cursor that there is none of.
    fn lacks(self, text: &str) -> bool {
        self.cursor.is_none() && text == CURSOR_HOLE
    }

    /// In JSON a value stays within the text that it stands in; a page that is a whole text is sent as a number.
    fn fill_json(self, json: &str) -> String {
        let inner = |value: &str| {
            let quoted = serde_json::to_string(value).unwrap_or_default();
            quoted.get(1..quoted.len().saturating_sub(1)).unwrap_or_default().to_owned()
        };
        let (key, cursor) = (inner(self.key), self.cursor.map(inner));
        let part = |json: &str| {
            let whole = |text: String, (hole, number): (&str, String)| text.replace(&format!("\"{hole}\""), &number);
            let text = self.with_page(&self.numbers().fold(json.to_owned(), whole)).replace(KEY_HOLE, &key);
            cursor.as_ref().map_or_else(|| text.clone(), |cursor| text.replace(CURSOR_HOLE, cursor))
        };
        match (self.body, json.split_once(&format!("\"{BODY_HOLE}\""))) {
            (Some(body), Some((before, after))) => format!("{}{body}{}", part(before), part(after)),
            (Some(_) | None, Some(_) | None) => part(json),
        }
    }
}

/// Whether a request has a hole.
pub fn asks(request: &Request, hole: &str) -> bool {
    let values = request.query.iter().chain(&request.headers).map(|(_, value)| value);
    values.chain(&request.body).chain([&request.path]).any(|text| text.contains(hole))
}

impl Outgoing {
    /// What a plan's request is for one record.
    ///
    /// # Errors
    /// A form is to be sent, and the body has no fields.
    pub fn of(request: &Request, holes: Holes<'_>) -> Result<Self, String> {
        let fill = |(name, value): &(String, String)| (name.clone(), holes.fill(value));
        let json = match (&request.body, holes.body) {
            (Some(template), _) => Some(holes.fill_json(&without(template, holes))),
            (None, body) => body.map(str::to_owned),
        };
        let payload = match json {
            None => Payload::None,
            Some(json) if request.form => Payload::Form(fields(&json)?),
            Some(json) => Payload::Json(json),
        };
        let key = escaped(holes.key);
        Ok(Self {
            method: request.method.clone(),
            path: holes.with_page(&request.path).replace(KEY_HOLE, &key),
            query: request.query.iter().filter(|(_, value)| !holes.lacks(value)).map(fill).collect(),
            headers: request.headers.iter().filter(|(_, value)| !holes.lacks(value)).map(fill).collect(),
            payload,
        })
    }

    /// Puts a value into the request.
    ///
    /// # Errors
    /// It is to be a field of the body, and the body has none.
    pub fn put(&mut self, place: &Place, value: String) -> Result<(), String> {
        match (place, &mut self.payload) {
            (Place::Header(name), _) => self.headers.push((name.clone(), value)),
            (Place::Query(name), _) => self.query.push((name.clone(), value)),
            (Place::Field(name), Payload::Form(fields)) => fields.push((name.clone(), value)),
            (Place::Field(name), Payload::Json(json)) => *json = with_field(json, name, &value)?,
            (Place::Field(name), payload @ Payload::None) => {
                let value = serde_json::to_string(&value).unwrap_or_default();
                let name = serde_json::to_string(name).unwrap_or_default();
                *payload = Payload::Json(format!("{{{name}:{value}}}"));
            }
        }
        Ok(())
    }

    /// The body as it goes over the wire.
    pub fn bytes(&self) -> Vec<u8> {
        match &self.payload {
            Payload::None => Vec::new(),
            Payload::Json(json) => json.clone().into_bytes(),
            Payload::Form(fields) => form(fields).into_bytes(),
        }
    }
}

/// A body without the members that are nothing but the hole of a cursor that there is none of.
fn without(json: &str, holes: Holes<'_>) -> String {
    fn walk(value: &mut Value, holes: Holes<'_>) {
        match value {
            Value::Array(items) => items.iter_mut().for_each(|item| walk(item, holes)),
            Value::Object(map) => {
                map.retain(|_, value| !value.as_str().is_some_and(|text| holes.lacks(text)));
                map.values_mut().for_each(|value| walk(value, holes));
            }
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
        }
    }
    if holes.cursor.is_some() || !json.contains(CURSOR_HOLE) {
        return json.to_owned();
    }
    let Ok(mut tree) = serde_json::from_str::<Value>(json) else { return json.to_owned() };
    walk(&mut tree, holes);
    tree.to_string()
}

/// An object with one more field, which comes first.
fn with_field(json: &str, name: &str, value: &str) -> Result<String, String> {
    let inner = json.trim().strip_prefix('{').ok_or("the body is no object that a field could be added to")?;
    let (name, value) = (serde_json::to_string(name), serde_json::to_string(value));
    let (name, value) = (name.unwrap_or_default(), value.unwrap_or_default());
    let comma = if inner.trim_start().starts_with('}') { "" } else { "," };
    Ok(format!("{{{name}:{value}{comma}{inner}"))
}

/// The fields of an object in their order: plain values as texts, lists and objects as JSON.
pub fn fields(json: &str) -> Result<Vec<(String, String)>, String> {
    struct Fields;
    impl<'de> Visitor<'de> for Fields {
        type Value = Vec<(String, String)>;
        fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
            f.write_str("an object")
        }
        fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
            let mut all = Vec::new();
            while let Some((name, value)) = map.next_entry::<String, &RawValue>()? {
                let text = value.get();
                let plain = if text.starts_with('"') { serde_json::from_str(text).ok() } else { None };
                all.push((name, plain.unwrap_or_else(|| text.to_owned())));
            }
            Ok(all)
        }
    }
    let mut reader = serde_json::Deserializer::from_str(json);
    reader.deserialize_map(Fields).map_err(|_| "the body has no fields that a form could be made of".to_owned())
}

/// Parameters as a form sends them.
pub fn form(pairs: &[(String, String)]) -> String {
    let all = pairs.iter().map(|(name, value)| format!("{}={}", escaped(name), escaped(value)));
    all.collect::<Vec<_>>().join("&")
}

/// A text with every sign escaped that could mean something in an address.
pub fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            out.push(char::from(byte));
        } else {
            out.push('%');
            for digit in [byte >> 4, byte & 15] {
                out.extend(char::from_digit(u32::from(digit), 16).map(|c| c.to_ascii_uppercase()));
            }
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request(body: Option<&str>, form: bool) -> Request {
        Request {
            method: "POST".into(),
            path: "/orders/{{key}}".into(),
            query: vec![("q".into(), "so {{key}}".into())],
            headers: Vec::new(),
            body: body.map(str::to_owned),
            form,
        }
    }

    #[test]
    fn a_key_stays_a_value_wherever_it_stands() {
        let holes = Holes { key: "A/../1?x=\"2\"&b", ..Holes::default() };
        let out = Outgoing::of(&request(Some(r#"{"so":"{{key}}","n":["x{{key}}"]}"#), false), holes).unwrap();
        assert_eq!(out.path, "/orders/A%2F..%2F1%3Fx%3D%222%22%26b");
        assert_eq!(out.query, [("q".to_owned(), "so A/../1?x=\"2\"&b".to_owned())]);
        assert_eq!(out.payload, Payload::Json(r#"{"so":"A/../1?x=\"2\"&b","n":["xA/../1?x=\"2\"&b"]}"#.to_owned()));
        assert_eq!(form(&out.query), "q=so%20A%2F..%2F1%3Fx%3D%222%22%26b");
    }

    #[test]
    fn the_body_goes_out_digit_by_digit() {
        let body = r#"{"so_id":"{{key}}","qty":1.10,"items":[{"sku":"S1","n":3.000}]}"#;
        let holes = Holes { key: "K", body: Some(body), ..Holes::default() };
        let out = Outgoing::of(&request(Some(r#"{"shop":7,"orders":["{{body}}"]}"#), false), holes).unwrap();
        assert_eq!(out.payload, Payload::Json(format!(r#"{{"shop":7,"orders":[{body}]}}"#)), "a body is no template");
        let plain = Outgoing::of(&request(None, false), holes).unwrap();
        assert_eq!(plain.bytes(), body.as_bytes());
        let out = Outgoing::of(&request(Some(r#"{"biz":["{{body}}"],"v":2}"#), true), holes).unwrap();
        assert_eq!(out.payload, Payload::Form(vec![("biz".into(), format!("[{body}]")), ("v".into(), "2".into())]));
        assert!(Outgoing::of(&request(Some(r#"["{{body}}"]"#), true), holes).is_err());
    }

    #[test]
    fn a_field_is_added_to_an_object_alone() {
        for (json, want) in
            [("{}", Some(r#"{"t":"v\""}"#)), (r#" {"a":1}"#, Some(r#"{"t":"v\"","a":1}"#)), ("[1]", None)]
        {
            let mut out =
                Outgoing::of(&request(None, false), Holes { key: "", body: Some(json), ..Holes::default() }).unwrap();
            let put = out.put(&Place::Field("t".into()), "v\"".into());
            assert_eq!((put.is_ok(), want.is_some()), (want.is_some(), want.is_some()), "{json}");
            if let Some(want) = want {
                assert_eq!(out.payload, Payload::Json(want.to_owned()));
            }
        }
    }

    #[test]
    fn a_page_that_is_a_whole_text_is_sent_as_a_number() {
        let holes = Holes { page: Some(3), ..Holes::default() };
        let out = Outgoing::of(&request(Some(r#"{"page":"{{page}}","p":"n{{page}}"}"#), false), holes).unwrap();
        assert_eq!(out.payload, Payload::Json(r#"{"page":3,"p":"n3"}"#.to_owned()));
        let holes = Holes { offset: Some(40), ..Holes::default() };
        let out = Outgoing::of(&request(Some(r#"{"o":"{{offset}}","p":"n{{offset}}"}"#), false), holes).unwrap();
        assert_eq!(out.payload, Payload::Json(r#"{"o":40,"p":"n40"}"#.to_owned()));
    }

    #[test]
    fn a_cursor_is_a_value_and_left_out_where_there_is_none() {
        let with = |cursor, body: &str| {
            let mut request = request(Some(body), false);
            request.query.push(("c".into(), "{{cursor}}".into()));
            let out = Outgoing::of(&request, Holes { cursor, ..Holes::default() }).unwrap();
            (out.query.iter().find(|(name, _)| name == "c").map(|(_, value)| value.clone()), out.bytes())
        };
        let body = r#"{"a":{"c":"{{cursor}}","n":1.50}}"#;
        let (query, sent) = with(Some("x\"}{{page}}"), body);
        assert_eq!(query.as_deref(), Some("x\"}{{page}}"));
        assert_eq!(sent, br#"{"a":{"c":"x\"}{{page}}","n":1.50}}"#);
        assert_eq!(with(None, body), (None, br#"{"a":{"n":1.5}}"#.to_vec()));
        assert_eq!(with(Some(""), body).0.as_deref(), Some(""), "an empty one is one");
    }
}
