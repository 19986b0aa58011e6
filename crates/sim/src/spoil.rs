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

/// A small IIS-like page.
pub fn html(status: u16, title: &str) -> Reply {
    let page = format!("<!DOCTYPE html><html><head><title>{title}</title></head><body><h2>{title}</h2></body></html>");
    Reply::bytes(status, "text/html; charset=utf-8", page)
}

/// The answer that stands in for one that was never computed; `None` where the kind lets the call go on.
pub fn instead(rule: &Rule, service: Service) -> Option<Reply> {
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
        Kind::Truncate => {
            let reply = Reply::json(&json!({"Result": {"ResponseStatus": {"IsSuccess": false}}}));
            Some(after(rule, service, reply, None))
        }
        _ => Some(after(rule, service, Reply::json(&json!([])), None)),
    }
}

/// What an answer turns into. `before` is the body of the call before.
pub fn after(rule: &Rule, service: Service, mut reply: Reply, before: Option<Bytes>) -> Reply {
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
        Kind::Garbage => replaced(reply, or(&rule.text, "\u{feff}{\"Result\":{\"ResponseStatus\":{\"IsSuccess\":tru")),
        Kind::Redirect => Reply::bytes(302, "text/html; charset=utf-8", "")
            .with("Location", or(&rule.text, "/k3cloud/html5/index.aspx")),
        Kind::GzipBomb => replaced(reply, bomb(megabytes(rule, 64))).with("Content-Encoding", "gzip"),
        Kind::Huge => replaced(reply, vec![b' '; megabytes(rule, 64) << 20]),
        Kind::SessionLost => refused(service, &Refusal::new(1, texts::SESSION_LOST)),
        Kind::Limit => refused(service, &texts::call_limit()),
        // invented: the usual text
        Kind::Error => refused(service, &Refusal::new(rule.code, or(&rule.text, "系统异常，请联系系统管理员"))),
        Kind::Gateway => gateway_error(5001, "API not found", "API不存在"),
        Kind::OtherBill => other_bill(reply),
        Kind::WrongIndex => wrong_index(reply),
        Kind::OtherNumber => other_number(reply, &rule.text),
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

/// Success for a bill with another id and number.
fn other_bill(reply: Reply) -> Reply {
    changed(reply, |entity| {
        entity.insert("Id".to_owned(), json!(99_999_999));
        entity.insert("Number".to_owned(), json!("XSCKD999999"));
    })
}

/// Success for the bill that was made, under a number that it has not.
fn other_number(reply: Reply, text: &str) -> Reply {
    changed(reply, |entity| {
        let number = entity.get("Number").and_then(Json::as_str).unwrap_or_default();
        let other = if text.is_empty() { format!("{number}-1") } else { text.to_owned() };
        entity.insert("Number".to_owned(), json!(other));
    })
}

/// Changes every success, and what stands of a saved bill beside them.
fn changed(reply: Reply, act: impl Fn(&mut serde_json::Map<String, Json>)) -> Reply {
    let Ok(mut json) = serde_json::from_slice::<Json>(&reply.body) else { return reply };
    if let Some(Json::Array(done)) = json.pointer_mut("/Result/ResponseStatus/SuccessEntitys") {
        done.iter_mut().filter_map(Json::as_object_mut).for_each(&act);
    }
    if let Some(Json::Object(result)) = json.get_mut("Result").filter(|result| result.get("Number").is_some()) {
        act(result);
    }
    replaced(reply, json.to_string())
}

/// Every index one too high.
fn wrong_index(reply: Reply) -> Reply {
    let Ok(mut json) = serde_json::from_slice::<Json>(&reply.body) else { return reply };
    for list in ["Errors", "SuccessEntitys", "SuccessMessages"] {
        let Some(Json::Array(lines)) = json.pointer_mut(&format!("/Result/ResponseStatus/{list}")) else { continue };
        for line in lines {
            if let Some(index) = line.get_mut("DIndex") {
                *index = json!(index.as_i64().unwrap_or_default() + 1);
            }
        }
    }
    replaced(reply, json.to_string())
}
