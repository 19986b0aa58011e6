//! A request to a JSON system: which act, of which collection, with what.
//!
//! Invariant: the Content-Type is never looked at; a body that is neither JSON nor a form is refused, not guessed.

use serde_json::{Map, Value as Json};

use super::refusal::No;
use crate::reply::RequestParts;
use crate::sign::percent_decode;

/// What a call does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Act {
    /// A token for key and secret.
    Token,
    /// A new token for an old one.
    Refresh,
    /// A page of a collection.
    List,
    /// One record.
    Read,
    /// A record, or several, are made.
    Create,
    /// A record moves on.
    Move(Step),
}

/// How a record moves on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// A draft is submitted.
    Submit,
    /// It is approved.
    Approve,
    /// It is closed.
    Close,
}

impl Step {
    /// Every step.
    pub const ALL: [Self; 3] = [Self::Submit, Self::Approve, Self::Close];

    /// Its name in paths, records and fault files.
    pub fn name(self) -> &'static str {
        match self {
            Self::Submit => "submit",
            Self::Approve => "approve",
            Self::Close => "close",
        }
    }

    /// The states it starts from.
    pub fn from(self) -> &'static [&'static str] {
        match self {
            Self::Submit => &["draft"],
            Self::Approve => &["submitted", "open"],
            Self::Close => &["open", "approved"],
        }
    }

    /// The state it leads to.
    pub fn to(self) -> &'static str {
        match self {
            Self::Submit => "submitted",
            Self::Approve => "approved",
            Self::Close => "closed",
        }
    }
}

impl Act {
    /// Its name in counts and fault files.
    pub fn name(self) -> &'static str {
        match self {
            Self::Token => "token",
            Self::Refresh => "refresh",
            Self::List => "list",
            Self::Read => "read",
            Self::Create => "create",
            Self::Move(step) => step.name(),
        }
    }

    /// Its group in fault files.
    pub fn group(self) -> &'static str {
        match self {
            Self::Token | Self::Refresh => "login",
            Self::List | Self::Read => "read",
            Self::Create | Self::Move(_) => "write",
        }
    }
}

/// A request that was understood as far as its path.
#[derive(Clone, Debug)]
pub struct Asked {
    /// What it does.
    pub act: Act,
    /// Name of the collection, as the path has it; empty for tokens.
    pub collection: String,
    /// Id or key of one record, where the path names one.
    pub one: String,
    /// Parameters of the query, then of a form body, in the order they came.
    pub params: Vec<(String, String)>,
    /// The JSON it carries; an empty object where it carries none.
    pub body: Result<Json, No>,
}

impl Asked {
    /// Reads a request. `None`: no such path, or not with this method.
    pub fn of(request: &RequestParts) -> Option<Self> {
        let (path, query) = request.path.split_once('?').unwrap_or((&request.path, ""));
        let path = String::from_utf8_lossy(&percent_decode(path.as_bytes(), false)).into_owned();
        let parts: Vec<&str> = path.strip_prefix("/api/")?.trim_end_matches('/').split('/').collect();
        let post = request.method.eq_ignore_ascii_case("POST");
        if !post && !request.method.eq_ignore_ascii_case("GET") {
            return None;
        }
        let (act, collection, one) = match (parts.as_slice(), post) {
            (["token"], _) => (Act::Token, "", ""),
            (["token", "refresh"], true) => (Act::Refresh, "", ""),
            ([of], false) | ([of, "query"], true) => (Act::List, *of, ""),
            ([of], true) => (Act::Create, *of, ""),
            ([of, one], false) => (Act::Read, *of, *one),
            ([of, one, step], true) => {
                (Act::Move(Step::ALL.into_iter().find(|known| known.name() == *step)?), *of, *one)
            }
            _ => return None,
        };
        let (mut params, mut body) = (pairs(query), body(&request.body));
        if let Ok(Json::String(form)) = &body {
            let form = pairs(form);
            let inner = form.iter().find(|(name, _)| name == "biz" || name == "content").map(|(_, text)| text.clone());
            body = match inner {
                Some(text) => serde_json::from_str(&text).map_err(|e| No::bad(format!("biz: {e}"))),
                None => Ok(Json::Object(
                    form.iter().map(|(name, value)| (name.clone(), Json::String(value.clone()))).collect::<Map<_, _>>(),
                )),
            };
            params.extend(form);
        }
        Some(Self { act, collection: collection.to_owned(), one: one.to_owned(), params, body })
    }

    /// A parameter of query or form, else a member of the body, as text.
    pub fn text(&self, name: &str) -> Option<String> {
        let given = self.params.iter().find(|(n, _)| n == name).map(|(_, value)| value.clone());
        given.or_else(|| self.body.as_ref().ok().and_then(|body| body.get(name)).map(plain))
    }

    /// A list: an array of the body, or texts between commas.
    pub fn list(&self, name: &str) -> Option<Vec<String>> {
        if let Some(Json::Array(list)) = self.body.as_ref().ok().and_then(|body| body.get(name)) {
            return Some(list.iter().map(plain).collect());
        }
        let texts = self.text(name)?;
        Some(texts.split(',').map(|text| text.trim().to_owned()).filter(|text| !text.is_empty()).collect())
    }

    /// A number; one that is none is refused.
    pub fn number(&self, name: &str) -> Result<Option<u64>, No> {
        let Some(text) = self.text(name).filter(|text| !text.is_empty()) else { return Ok(None) };
        text.trim().parse().map(Some).map_err(|_| No::bad(format!("参数 {name} 不是数字")))
    }

    /// The records a create carries, and whether it carries a list of them.
    pub fn items(&self) -> Result<(Vec<Map<String, Json>>, bool), No> {
        let (list, is_list) = match self.body.clone()? {
            Json::Array(list) => (list, true),
            Json::Object(mut map) if matches!(map.get("records"), Some(Json::Array(_))) => {
                match map.remove("records") {
                    Some(Json::Array(list)) => (list, true),
                    _ => (Vec::new(), true),
                }
            }
            other => (vec![other], false),
        };
        let object = |item| match item {
            Json::Object(map) => Ok(map),
            _ => Err(No::bad("记录不是 JSON 对象")),
        };
        Ok((list.into_iter().map(object).collect::<Result<_, _>>()?, is_list))
    }
}

/// A value as text.
pub fn plain(value: &Json) -> String {
    match value {
        Json::String(text) => text.clone(),
        Json::Null => String::new(),
        other => other.to_string(),
    }
}

/// JSON as it is; a form as one string; nothing as an empty object.
fn body(bytes: &[u8]) -> Result<Json, No> {
    let text = std::str::from_utf8(bytes).map_err(|_| No::bad("请求体不是 UTF-8"))?.trim();
    match text.bytes().next() {
        None => Ok(Json::Object(Map::new())),
        Some(b'{' | b'[') => serde_json::from_str(text).map_err(|e| No::bad(format!("请求体不是 JSON：{e}"))),
        Some(_) if text.contains('=') => Ok(Json::String(text.to_owned())),
        Some(_) => Err(No::bad("请求体既不是 JSON 也不是表单")),
    }
}

fn pairs(text: &str) -> Vec<(String, String)> {
    let undo = |part: &str| String::from_utf8_lossy(&percent_decode(part.as_bytes(), true)).into_owned();
    let pairs = text.split('&').filter(|pair| !pair.is_empty());
    pairs.map(|pair| pair.split_once('=').unwrap_or((pair, ""))).map(|(n, v)| (undo(n), undo(v))).collect()
}
