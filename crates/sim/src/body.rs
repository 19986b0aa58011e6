//! Request bodies in all six encodings of docs/design/wire.md#bodies → parameters by name or by position.
//!
//! Invariant: the Content-Type is never looked at; names are matched in any case; unknown parameters are ignored.

use serde_json::{Map, Value as Json};

use super::sign::percent_decode;

/// The parameters of a call.
#[derive(Clone, Debug, Default)]
pub struct Params {
    named: Map<String, Json>,
    positional: Vec<Json>,
}

/// A body that cannot be read; the text of the HTTP 500 that answers it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct BodyError(pub String);

/// Reads a body.
pub fn parse(body: &[u8]) -> Result<Params, BodyError> {
    let text = std::str::from_utf8(body).map_err(|e| BodyError(format!("Invalid UTF-8: {e}")))?;
    let text = text.trim_start_matches('\u{feff}').trim();
    match text.bytes().next() {
        None => Ok(Params::default()),
        // [REAL]: a bare array is refused with these words.
        Some(b'[') => {
            Err(BodyError("Additional text found in JSON string after finishing deserializing object.".to_owned()))
        }
        Some(b'{') => {
            // invented: Newtonsoft's own wording for a broken object is not known here
            let json: Json = serde_json::from_str(text).map_err(|e| BodyError(format!("Unexpected JSON: {e}")))?;
            match json {
                Json::Object(map) => Ok(from_object(map)),
                _ => Err(BodyError("Unexpected JSON".to_owned())),
            }
        }
        Some(_) => Ok(from_form(text)),
    }
}

fn from_object(map: Map<String, Json>) -> Params {
    let mut params = Params::default();
    for (name, value) in map {
        if name.eq_ignore_ascii_case("parameters") {
            params.positional = match value {
                Json::Array(list) => list,
                // Encoding d also sends the array as a JSON string.
                Json::String(text) => match serde_json::from_str(&text) {
                    Ok(Json::Array(list)) => list,
                    _ => vec![Json::String(text)],
                },
                other => vec![other],
            };
        } else {
            params.named.insert(name.to_lowercase(), value);
        }
    }
    params
}

fn from_form(text: &str) -> Params {
    let mut params = Params::default();
    for pair in text.split('&').filter(|pair| !pair.is_empty()) {
        let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
        let undo = |part: &str| String::from_utf8_lossy(&percent_decode(part.as_bytes(), true)).into_owned();
        params.named.insert(undo(name).to_lowercase(), Json::String(undo(value)));
    }
    params
}

impl Params {
    /// By name, else by position.
    pub fn get(&self, name: &str, position: usize) -> Option<&Json> {
        self.named.get(name).or_else(|| self.positional.get(position))
    }

    /// The same as text; numbers are printed.
    pub fn text(&self, name: &str, position: usize) -> String {
        self.get(name, position).map(plain).unwrap_or_default()
    }

    /// Whether a parameter was named.
    pub fn has(&self, name: &str) -> bool {
        self.named.contains_key(name)
    }

    /// The data object at this position: an object, or a JSON text of one. Without any, the flat body itself (encoding f).
    pub fn data(&self, position: usize) -> Result<Data, String> {
        match self.get("data", position) {
            None | Some(Json::Null) => Ok(Data::new(self.named.clone())),
            Some(Json::Object(map)) => Ok(Data::new(map.clone())),
            Some(Json::String(text)) => match serde_json::from_str(text) {
                Ok(Json::Object(map)) => Ok(Data::new(map)),
                Ok(_) => Err("data".to_owned()),
                Err(e) => Err(format!("data: {e}")),
            },
            Some(_) => Err("data".to_owned()),
        }
    }
}

/// A data object whose members are found in any case and in any of the types clients send.
#[derive(Clone, Debug, Default)]
pub struct Data(Map<String, Json>);

impl Data {
    fn new(map: Map<String, Json>) -> Self {
        Self(map.into_iter().map(|(name, value)| (name.to_lowercase(), value)).collect())
    }

    /// A data object from JSON; empty for anything but an object.
    pub fn from_json(json: &Json) -> Self {
        Self::new(json.as_object().cloned().unwrap_or_default())
    }

    /// A member as it is.
    pub fn get(&self, name: &str) -> Option<&Json> {
        self.0.get(&name.to_lowercase())
    }

    /// A member as text.
    pub fn text(&self, name: &str) -> String {
        self.get(name).map(plain).unwrap_or_default()
    }

    /// A number or a numeric string; blank, absent and unreadable are 0.
    pub fn number(&self, name: &str) -> i64 {
        self.text(name).trim().parse().unwrap_or(0)
    }

    /// `true`, `"true"`, `1`; blank and absent are the default (docs/design/wire.md#what-a-call-carries).
    pub fn flag(&self, name: &str, default: bool) -> bool {
        match self.text(name).trim().to_ascii_lowercase().as_str() {
            "true" | "1" => true,
            "false" | "0" => false,
            _ => default,
        }
    }

    /// A list given as array, as `"a,b"`, or as a single value.
    pub fn list(&self, name: &str) -> Vec<String> {
        let split = |text: String| text.split([',', ';']).map(|s| s.trim().to_owned()).collect::<Vec<_>>();
        let items = match self.get(name) {
            Some(Json::Array(list)) => list.iter().flat_map(|item| split(plain(item))).collect(),
            Some(other) => split(plain(other)),
            None => Vec::new(),
        };
        items.into_iter().filter(|item| !item.is_empty()).collect()
    }
}

fn plain(value: &Json) -> String {
    match value {
        Json::String(text) => text.clone(),
        Json::Null => String::new(),
        other => other.to_string(),
    }
}
