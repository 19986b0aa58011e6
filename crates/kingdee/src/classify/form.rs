//! The answer to `QueryBusinessInfo`: what a form is made of (docs/design/wire.md#forms).
//!
//! Invariant: whatever it holds, what comes out is bounded, and a field without a key that a query can name is left out.

use serde_json::Value;

use super::is_text_401;
use super::read::{Ask, Reading, http_fault, refused, session, transport_fault, worded};
use super::session::Loss;
use crate::transport::{HttpReply, TransportFault};
use crate::wire::{Envelope, Reason, WireError, text_of};
use skydeck_core::domain::bounds::{self, head};
use skydeck_engine::ports::{Fault, FaultKind, FormField, FormInfo};

/// Most fields and operations that are taken of one form; those of Kingdee's own have some hundreds.
const MOST: usize = 5_000;

/// What to do where the fields are not told.
const UNTOLD: &str = "Check the server's version and its proxy";

/// What to do where they are told too late: a description has no pages that could be smaller.
const LATE: &str = "Reading is safe to repeat; raise `call_timeout` in `limits` of the environment";

/// What to do where the server does not tell of the form.
const WHICH: &str = "Check the id of the business object, and whether this user may see it";

/// A description that did not come.
pub fn form_fault(fault: &TransportFault, ask: Ask<'_>) -> Fault {
    match fault {
        TransportFault::TimedOut(_) => ask.fault(FaultKind::NoAnswer, &fault.to_string(), LATE),
        TransportFault::TooLarge { .. } => ask.fault(FaultKind::TooLarge, &fault.to_string(), UNTOLD),
        TransportFault::NotSent(_) | TransportFault::Broken(_) | TransportFault::Redirected { .. } => {
            transport_fault(fault, ask)
        }
    }
}

/// Reads what a form is made of.
pub fn read_form(reply: &HttpReply, reading: Reading<'_>) -> Result<FormInfo, Fault> {
    let Reading { mode, ask, .. } = reading;
    if reply.status != 200 {
        let text = String::from_utf8_lossy(&reply.body);
        return Err(worded(&text, reading).unwrap_or_else(|| http_fault(reply, mode, ask)));
    }
    if is_text_401(&reply.body) {
        return Err(session(mode, Loss::Told, "the answer is a text that begins with 401", ask));
    }
    if let Ok(status) = Envelope::read(&reply.body)
        && !status.is_success()
    {
        let fault = refused(&status, reply, reading);
        let said = status.errors.iter().map(Reason::message).find(|said| !said.is_empty());
        return Err(match (&fault.kind, said) {
            // No plan is at fault: there is none yet.
            (FaultKind::Refused { .. }, said) => {
                let said = said.unwrap_or("refused without a word");
                Fault { retry_after: fault.retry_after, ..ask.fault(fault.kind, said, WHICH) }
            }
            _ => fault,
        });
    }
    let read = text_of(&reply.body)
        .and_then(|text| serde_json::from_str::<Value>(text).map_err(|e| WireError::json(text, &e)));
    let value =
        read.map_err(|WireError(why)| ask.unreadable(&format!("the answer cannot be read: {why}"), &reply.body))?;
    let info = form(&value);
    if info.fields.is_empty() {
        return Err(ask.fault(FaultKind::Unreadable, "the answer names no field of the form", UNTOLD));
    }
    Ok(info)
}

fn form(value: &Value) -> FormInfo {
    // Where versions put it.
    let data = ["/Result/NeedReturnData", "/NeedReturnData", "/Result"].iter().find_map(|at| value.pointer(at));
    let Some(data) = data else { return FormInfo::default() };
    let list = |of: &Value, key: &str| of.get(key).and_then(Value::as_array).cloned().unwrap_or_default();
    let mut fields = Vec::new();
    for (at, entity) in list(data, "Entrys").iter().enumerate() {
        // The head comes first; a part of the head that stands once in a bill is no list of lines.
        let kind = entity.get("EntityType").and_then(Value::as_str).unwrap_or_default();
        let is_head = if kind.is_empty() { at == 0 } else { kind.contains("Head") };
        fields.extend(list(entity, "Fields").iter().filter_map(|of| field(of, is_head)));
    }
    // A form without entities tells its fields right away.
    fields.extend(list(data, "Fields").iter().filter_map(|of| field(of, true)));
    fields.sort_by_key(|field| !field.is_head);
    fields.truncate(MOST);
    let operations = list(data, "Operations");
    let operations = operations.iter().filter_map(|of| text(of, "OperationNumber").or_else(|| text(of, "Operation")));
    FormInfo {
        name: data.get("Name").map(name).unwrap_or_default(),
        id_path: text(data, "PkFieldName").filter(|path| is_key(path)),
        fields,
        operations: operations.take(MOST).collect(),
    }
}

fn field(value: &Value, is_head: bool) -> Option<FormField> {
    let key = text(value, "Key").filter(|key| is_key(key))?;
    let list = text(value, "LookUpObjectFormId").or_else(|| text(value, "LookUpObjectID")).filter(|list| is_key(list));
    Some(FormField { name: value.get("Name").map(name).unwrap_or_default(), key, list, is_head })
}

/// A name: one text, or one for each language, Chinese before others.
fn name(value: &Value) -> String {
    let of = |entry: &Value| entry.get("Value").and_then(Value::as_str).map(str::to_owned);
    let said = match value {
        Value::String(said) => Some(said.clone()),
        Value::Array(all) => {
            let chinese = all.iter().find(|entry| entry.get("Key").and_then(Value::as_i64) == Some(2052));
            chinese.and_then(of).or_else(|| all.iter().find_map(of))
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::Object(_) => None,
    };
    head(said.unwrap_or_default().trim(), bounds::CELL).to_owned()
}

fn text(value: &Value, key: &str) -> Option<String> {
    value.get(key).and_then(Value::as_str).map(str::trim).filter(|text| !text.is_empty()).map(str::to_owned)
}

/// Whether a text can be named in a query: letters, digits and low lines.
fn is_key(text: &str) -> bool {
    !text.is_empty() && text.len() <= 128 && text.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
}

#[cfg(test)]
mod tests {
    use super::super::{Ask, Mode};
    use super::*;
    use skydeck_core::domain::cause::CauseTable;

    fn reply(status: u16, body: &str) -> HttpReply {
        HttpReply { status, headers: Vec::new(), body: body.as_bytes().to_vec() }
    }

    fn read(status: u16, body: &str) -> Result<FormInfo, Fault> {
        let causes = CauseTable::default();
        let ask = Ask { what: "form description of SAL_OUTSTOCK", server: "http://x" };
        read_form(&reply(status, body), Reading { causes: &causes, mode: Mode::Login, ask })
    }

    #[test]
    fn fields_come_with_their_names_those_of_the_head_first() {
        let body = r#"{"Result":{"ResponseStatus":{"IsSuccess":true},"NeedReturnData":{"Id":"X","Name":[{"Key":1033,"Value":"Outstock"},
            {"Key":2052,"Value":"出库单"}],"PkFieldName":"FID","Operations":[{"OperationNumber":"Audit"},{"x":1}],"Entrys":[
            {"Key":"FEntity","EntityType":"EntryEntity","Fields":[{"Key":"FQty","Name":"数量","FieldType":106}]},
            {"Key":"FBillHead","EntityType":"HeadEntity","Fields":[{"Key":"FCustomerID","Name":[{"Key":2052,"Value":"客户"}],
            "LookUpObjectFormId":"BD_Customer","More":{"deep":[1]}},{"Key":"F;drop","Name":"x"},{"Name":"no key"},7]},
            {"Key":"Sub","EntityType":"SubHeadEntity","Fields":[{"Key":"FRate","Name":null}]}]}}}"#;
        let info = read(200, body).unwrap();
        assert_eq!((info.name.as_str(), info.id_path.as_deref()), ("出库单", Some("FID")));
        assert_eq!(info.operations, ["Audit"]);
        let keys: Vec<_> = info.fields.iter().map(|f| (f.key.as_str(), f.name.as_str(), f.is_head)).collect();
        assert_eq!(keys, [("FCustomerID", "客户", true), ("FRate", "", true), ("FQty", "数量", false)]);
        assert_eq!(info.field("fcustomerid").unwrap().list.as_deref(), Some("BD_Customer"));
    }

    #[test]
    fn an_answer_of_another_shape_says_so_and_what_to_do() {
        let refused =
            r#"{"Result":{"ResponseStatus":{"IsSuccess":false,"MsgCode":2,"Errors":[{"Message":"您没有权限"}]}}}"#;
        for (status, body, kind, words) in [
            (200, "", "Unreadable", "empty"),
            (200, "<html>login</html>", "Unreadable", "a web page"),
            (
                200,
                "{\"Result\":{\"ResponseStatus\":{\"IsSuccess\":true},\"NeedReturnData\":[]}}",
                "Unreadable",
                "version",
            ),
            (200, "[[]]", "Unreadable", "names no field"),
            (200, "{\"Result\":{\"NeedReturnData\":{\"Entrys\":{\"Fields\":1}}}}", "Unreadable", "names no field"),
            (200, "\"401 Forbidden\"", "SessionLost", "Sign in again"),
            (200, refused, "Refused", "您没有权限"),
            (200, r#"{"Result":{"ResponseStatus":{"IsSuccess":false}}}"#, "Refused", "whether this user may see it"),
            (404, "<html>", "Http", "path of the address"),
            (200, &"[".repeat(100_000), "Unreadable", "cannot be read"),
        ] {
            let fault = read(status, body).unwrap_err();
            assert!(format!("{:?}", fault.kind).starts_with(kind), "{body:.40}: {fault:?}");
            assert!(fault.message.contains(words), "{}", fault.message);
            assert!(
                skydeck_core::domain::reason::fault_zh(&fault.message).starts_with("http://x 的 SAL_OUTSTOCK 字段查询")
            );
        }
    }
}
