//! Faults made visible: what an answer turns into.
//!
//! Invariant: nothing here touches the world; whether the call was executed was decided by the caller.

use std::io::Write as _;

use bytes::Bytes;
use flate2::Compression;
use flate2::write::GzEncoder;
use serde_json::{Value as Json, json};

use super::faults::{Kind, Rule};
use super::reply::{Refusal, Reply, Transport};
use super::service::Service;
use super::session::gateway_error;
use super::texts;
use super::world::refused;

/// How a system says what a fault makes it say, and where it names what it did.
pub trait Dialect {
    /// The caller is not signed in any more.
    fn signed_out(&self) -> Reply;
    /// Too many calls, in words.
    fn limit(&self) -> Reply;
    /// An error with a code and a text; empty for the usual one.
    fn error(&self, code: i64, text: &str) -> Reply;
    /// What stands before the system refuses.
    fn gateway(&self) -> Reply;
    /// The beginning of an answer that was never made.
    fn begun(&self) -> Reply;
    /// An answer that says nothing.
    fn nothing(&self) -> Json;
    /// An answer that was cut in its middle.
    fn torn(&self) -> &'static str;
    /// A page of its own that somebody is sent to.
    fn home(&self) -> &'static str;
    /// Success for something that was not asked.
    fn other_record(&self, answer: &mut Json);
    /// Success under a number that what was made has not.
    fn other_number(&self, answer: &mut Json, text: &str);
    /// Every index one too high.
    fn wrong_index(&self, answer: &mut Json);
}

impl Dialect for Service {
    fn signed_out(&self) -> Reply {
        refused(*self, &Refusal::new(1, texts::SESSION_LOST))
    }

    fn limit(&self) -> Reply {
        refused(*self, &texts::call_limit())
    }

    fn error(&self, code: i64, text: &str) -> Reply {
        // invented: the usual text
        let text = if text.is_empty() { "系统异常，请联系系统管理员" } else { text };
        refused(*self, &Refusal::new(code, text))
    }

    fn gateway(&self) -> Reply {
        gateway_error(5001, "API not found", "API不存在")
    }

    fn begun(&self) -> Reply {
        Reply::json(&json!({"Result": {"ResponseStatus": {"IsSuccess": false}}}))
    }

    fn nothing(&self) -> Json {
        json!([])
    }

    fn torn(&self) -> &'static str {
        "\u{feff}{\"Result\":{\"ResponseStatus\":{\"IsSuccess\":tru"
    }

    fn home(&self) -> &'static str {
        "/k3cloud/html5/index.aspx"
    }

    fn other_record(&self, answer: &mut Json) {
        changed(answer, |entity| {
            entity.insert("Id".to_owned(), json!(99_999_999));
            entity.insert("Number".to_owned(), json!("XSCKD999999"));
        });
    }

    fn other_number(&self, answer: &mut Json, text: &str) {
        changed(answer, |entity| {
            let number = entity.get("Number").and_then(Json::as_str).unwrap_or_default();
            let other = if text.is_empty() { format!("{number}-1") } else { text.to_owned() };
            entity.insert("Number".to_owned(), json!(other));
        });
    }

    fn wrong_index(&self, answer: &mut Json) {
        for list in ["Errors", "SuccessEntitys", "SuccessMessages"] {
            let Some(Json::Array(lines)) = answer.pointer_mut(&format!("/Result/ResponseStatus/{list}")) else {
                continue;
            };
            for line in lines {
                if let Some(index) = line.get_mut("DIndex") {
                    *index = json!(index.as_i64().unwrap_or_default() + 1);
                }
            }
        }
    }
}

/// A small IIS-like page.
pub fn html(status: u16, title: &str) -> Reply {
    let page = format!("<!DOCTYPE html><html><head><title>{title}</title></head><body><h2>{title}</h2></body></html>");
    Reply::bytes(status, "text/html; charset=utf-8", page)
}

/// The answer that stands in for one that was never computed; `None` where the kind lets the call go on.
pub fn instead(rule: &Rule, dialect: &dyn Dialect) -> Option<Reply> {
    match rule.kind {
        Kind::Delay
        | Kind::SessionExpiry
        | Kind::ClockSkew
        | Kind::Lock
        | Kind::Stale
        | Kind::Unaudit
        | Kind::Partial
        | Kind::Hollow
        | Kind::Late
        | Kind::NoLength
        | Kind::Twice
        | Kind::SlowBody => None,
        // A plausible beginning of an answer that was never made.
        Kind::Truncate => Some(after(rule, dialect, dialect.begun(), None)),
        _ => Some(after(rule, dialect, Reply::json(&dialect.nothing()), None)),
    }
}

/// What an answer turns into. `before` is the body of the call before.
pub fn after(rule: &Rule, dialect: &dyn Dialect, mut reply: Reply, before: Option<Bytes>) -> Reply {
    let or = |given: &str, usual: &str| if given.is_empty() { usual.to_owned() } else { given.to_owned() };
    match rule.kind {
        Kind::Delay if rule.when == super::faults::When::After => {
            reply.wait_ms += u64::try_from(rule.ms).unwrap_or(0);
            reply
        }
        Kind::Delay
        | Kind::SessionExpiry
        | Kind::ClockSkew
        | Kind::Lock
        | Kind::Stale
        | Kind::Unaudit
        | Kind::Partial
        | Kind::Hollow
        | Kind::Late => reply,
        Kind::Reset => Reply { transport: Transport::Reset, ..reply },
        Kind::Truncate => Reply { transport: Transport::Truncated(rule.at), ..reply },
        Kind::NoLength => Reply { transport: Transport::NoLength, ..reply },
        Kind::Twice => Reply { transport: Transport::Twice, ..reply },
        Kind::SlowBody => {
            let every_ms = u64::try_from(rule.ms).unwrap_or(0).max(1);
            Reply { transport: Transport::Slow { bytes: rule.at.max(1), every_ms }, ..reply }
        }
        Kind::Html if rule.status == 0 || rule.status == 200 => html(200, "请登录上网认证"),
        Kind::Html => html(rule.status, &format!("{} - Bad Gateway", rule.status)),
        Kind::Status => {
            let status = if rule.status == 0 { 500 } else { rule.status };
            let reply = Reply::bytes(status, "text/plain; charset=utf-8", or(&rule.text, "Runtime Error"));
            if rule.seconds > 0 { reply.with("Retry-After", rule.seconds.to_string()) } else { reply }
        }
        Kind::ResponseError => {
            replaced(reply, format!("response_error:{}", or(&rule.text, "未将对象引用设置到对象的实例。")))
        }
        Kind::Empty => replaced(reply, ""),
        Kind::Garbage => replaced(reply, or(&rule.text, dialect.torn())),
        Kind::Redirect => {
            Reply::bytes(302, "text/html; charset=utf-8", "").with("Location", or(&rule.text, dialect.home()))
        }
        Kind::GzipBomb => replaced(reply, bomb(megabytes(rule, 64))).with("Content-Encoding", "gzip"),
        Kind::Huge => replaced(reply, vec![b' '; megabytes(rule, 64) << 20]),
        Kind::SessionLost => dialect.signed_out(),
        Kind::Limit => dialect.limit(),
        Kind::Error => dialect.error(rule.code, &rule.text),
        Kind::Gateway => dialect.gateway(),
        Kind::NotUtf8 => not_utf8(reply),
        Kind::OtherBill => edited(reply, |answer| dialect.other_record(answer)),
        Kind::WrongIndex => edited(reply, |answer| dialect.wrong_index(answer)),
        Kind::OtherNumber => edited(reply, |answer| dialect.other_number(answer, &rule.text)),
        Kind::StaleAnswer => match before {
            Some(body) => replaced(reply, body),
            None => reply,
        },
    }
}

fn replaced(mut reply: Reply, body: impl Into<Bytes>) -> Reply {
    reply.body = body.into();
    reply
}

fn megabytes(rule: &Rule, usual: usize) -> usize {
    if rule.mb == 0 { usual } else { rule.mb.min(1024) }
}

/// Blanks, packed a megabyte at a time.
fn bomb(megabytes: usize) -> Vec<u8> {
    let mut gzip = GzEncoder::new(Vec::new(), Compression::fast());
    let blanks = vec![b' '; 1 << 20];
    for _ in 0..megabytes {
        // Writing to memory does not fail.
        let _ = gzip.write_all(&blanks);
    }
    gzip.finish().unwrap_or_default()
}

/// The answer as it would be without knowing its encoding: what stands between its first quotes is no UTF-8.
fn not_utf8(reply: Reply) -> Reply {
    // The two bytes of a character in GBK.
    let mut bytes = reply.body.to_vec();
    let at = bytes.iter().position(|byte| *byte == b'"').map_or(0, |at| at + 1);
    bytes.splice(at..at, [0xd6, 0xd0]);
    replaced(reply, bytes)
}

/// The answer with its JSON changed; one that is none stays as it is.
fn edited(reply: Reply, act: impl FnOnce(&mut Json)) -> Reply {
    let Ok(mut json) = serde_json::from_slice::<Json>(&reply.body) else { return reply };
    act(&mut json);
    replaced(reply, json.to_string())
}

/// Changes every success, and what stands of a saved bill beside them.
fn changed(answer: &mut Json, act: impl Fn(&mut serde_json::Map<String, Json>)) {
    if let Some(Json::Array(done)) = answer.pointer_mut("/Result/ResponseStatus/SuccessEntitys") {
        done.iter_mut().filter_map(Json::as_object_mut).for_each(&act);
    }
    if let Some(Json::Object(result)) = answer.get_mut("Result").filter(|result| result.get("Number").is_some()) {
        act(result);
    }
}
