//! What a JSON system says no with, and how its answers look.
//!
//! Invariant: a refusal has one code, whichever way it is told; all texts are invented.

use serde_json::{Map, Value as Json, json};

use super::settings::Answers;
use crate::reply::Reply;
use crate::spoil::Dialect;

/// A refusal.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct No {
    /// HTTP status, where refusals have one.
    pub status: u16,
    /// Code in the body.
    pub code: i64,
    /// In words.
    pub msg: String,
}

impl No {
    /// A refusal; the first three digits of its code are the HTTP status.
    pub fn new(code: i64, msg: impl Into<String>) -> Self {
        Self { status: u16::try_from(code / 100).unwrap_or(500), code, msg: msg.into() }
    }

    /// Not signed in.
    pub fn signed_out() -> Self {
        Self::new(40_100, "access_token 无效")
    }

    /// No longer signed in.
    pub fn expired() -> Self {
        Self::new(40_101, "access_token 已过期")
    }

    /// Nothing there.
    pub fn absent(what: &str) -> Self {
        Self::new(40_400, format!("“{what}”不存在"))
    }

    /// A key that is there already.
    pub fn taken(key: &str) -> Self {
        Self::new(40_900, format!("单据号“{key}”已存在"))
    }

    /// Somebody holds it.
    pub fn locked(user: &str) -> Self {
        Self::new(40_901, format!("“{user}”正在编辑，请稍后再试"))
    }

    /// Somebody changed it.
    pub fn stale(key: &str) -> Self {
        Self::new(40_902, format!("“{key}”已被其他用户修改"))
    }

    /// A request that cannot be taken.
    pub fn bad(msg: impl Into<String>) -> Self {
        Self::new(42_200, msg)
    }

    /// Too many calls.
    pub fn limit() -> Self {
        Self::new(42_900, "调用过于频繁，请稍后再试")
    }

    /// As an answer.
    pub fn reply(&self, answers: Answers) -> Reply {
        let status = if answers == Answers::Code { 200 } else { self.status };
        json_reply(status, &json!({"code": self.code, "msg": self.msg, "data": null}))
    }
}

/// JSON with a status.
pub fn json_reply(status: u16, body: &Json) -> Reply {
    Reply { headers: Vec::new(), ..Reply::bytes(status, "", body.to_string()) }
        .with("Content-Type", "application/json; charset=utf-8")
}

/// Every number of an answer as a text.
pub fn as_texts(json: &mut Json) {
    match json {
        Json::Number(number) => *json = Json::String(number.to_string()),
        Json::Array(list) => list.iter_mut().for_each(as_texts),
        Json::Object(map) => map.values_mut().for_each(as_texts),
        _ => {}
    }
}

/// How a JSON system says what faults make it say.
#[derive(Debug)]
pub struct Voice {
    /// How it says no.
    pub answers: Answers,
    /// The keys of its collections.
    pub keys: Vec<String>,
}

impl Voice {
    /// Every part of an answer that names a record: those with an id, and those with a key.
    fn named(&self, json: &mut Json, act: &impl Fn(&mut Map<String, Json>)) {
        match json {
            Json::Array(list) => list.iter_mut().for_each(|item| self.named(item, act)),
            Json::Object(map) => {
                if map.contains_key("id") || self.keys.iter().any(|key| map.contains_key(key)) {
                    act(map);
                }
                map.values_mut().for_each(|item| self.named(item, act));
            }
            _ => {}
        }
    }

    fn each_key(&self, answer: &mut Json, value: impl Fn(&str) -> String) {
        self.named(answer, &|map| {
            for key in &self.keys {
                if let Some(Json::String(text)) = map.get_mut(key) {
                    *text = value(text);
                }
            }
        });
    }
}

impl Dialect for Voice {
    fn signed_out(&self) -> Reply {
        No::signed_out().reply(self.answers)
    }

    fn limit(&self) -> Reply {
        No::limit().reply(self.answers)
    }

    fn error(&self, code: i64, text: &str) -> Reply {
        let text = if text.is_empty() { "系统繁忙，请稍后再试" } else { text };
        No::new(if code == 0 { 50_000 } else { code }, text).reply(self.answers)
    }

    fn gateway(&self) -> Reply {
        json_reply(502, &json!({"message": "no healthy upstream"}))
    }

    fn begun(&self) -> Reply {
        json_reply(200, &json!({"code": 50_000, "msg": "系统繁忙", "data": null}))
    }

    fn nothing(&self) -> Json {
        json!({})
    }

    fn torn(&self) -> &'static str {
        "{\"code\":0,\"msg\":\"ok\",\"data\":{\"id\":"
    }

    fn home(&self) -> &'static str {
        "/login"
    }

    fn other_record(&self, answer: &mut Json) {
        self.each_key(answer, |_| "OTHER-999999".to_owned());
        self.named(answer, &|map| {
            if let Some(id) = map.get_mut("id") {
                *id = json!(99_999_999);
            }
        });
    }

    fn other_number(&self, answer: &mut Json, text: &str) {
        self.each_key(answer, |key| if text.is_empty() { format!("{key}-1") } else { text.to_owned() });
    }

    fn wrong_index(&self, answer: &mut Json) {
        self.named(answer, &|map| {
            if let Some(index) = map.get_mut("index") {
                *index = json!(index.as_i64().unwrap_or_default() + 1);
            }
        });
    }
}
