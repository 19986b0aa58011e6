//! A plan to start from: `plan new`.
//!
//! Invariant: what it prints is read without a note and lints without a warning.

use serde_json::{Value, json};

use crate::domain::ids::{EnvId, FormId};
use crate::domain::step::Verb;

use super::show;

/// The text of a new plan for a form: bills that wait (and created ones, when `submit`), by modification date.
pub fn new_plan(form: &FormId, env: Option<&EnvId>, verb: &Verb, submit: bool) -> String {
    let wanted = match verb {
        Verb::Audit if submit => "FDocumentStatus in ('A','B')",
        Verb::Audit => "FDocumentStatus='B'",
        Verb::Submit => "FDocumentStatus='A'",
        Verb::Operation(_) => "FDocumentStatus='C'",
    };
    let entry = |field: &str, label: &str, value: &str| json!({"field": field, "label": label, "type": "string", "value": value});
    let mut request = vec![entry("FormId", "业务对象表单Id", form.as_str())];
    let (api, name) = match verb {
        Verb::Submit => ("Submit", "提交单据"),
        Verb::Audit => ("Audit", "审核单据"),
        Verb::Operation(operation) => {
            request.push(entry("Operation", "操作编码", operation));
            ("excuteOperation", "执行操作")
        }
    };
    if *verb == Verb::Audit {
        request.push(entry("IsVerifyProcInst", "检验单据关联运行", "true"));
        request.push(entry("IgnoreInterationFlag", "是否允许忽略交互", "false"));
    }
    request.push(entry("Ids", "id集合", "{{FID}}"));
    let mut policy = json!({
        "page_size": 1000, "batch": 1, "submit": submit && *verb == Verb::Audit, "overlap": "10m", "sweep_hours": 24,
    });
    if let (Value::Object(map), Some(env)) = (&mut policy, env) {
        map.insert("env".to_owned(), json!(env));
    }
    show::text(&json!({
        "source": {
            "api": "executeBillQuery",
            "name": format!("{form} 查询"),
            "effect": "QUERY",
            "method": "POST",
            "id": "FID",
            "number": "FBillNo",
            "request": [
                entry("FID", "单据内码", "FID"),
                entry("FBillNo", "单据编号", "FBillNo"),
                entry("FDate", "日期", "FDate"),
                entry("FDocumentStatus", "单据状态", "FDocumentStatus"),
                entry("FModifyDate", "修改时间", "FModifyDate"),
            ],
            "otherRequest": [
                entry("FormId", "业务对象表单Id", form.as_str()),
                entry("FilterString", "过滤条件", &format!("FModifyDate>='{{{{LAST_SYNC_TIME|datetime}}}}' and {wanted}")),
                entry("OrderString", "排序", "FID ASC"),
                entry("Limit", "最大行数", "{{PAGINATION_PAGE_SIZE}}"),
                entry("StartRow", "开始行索引", "{{PAGINATION_START_ROW}}"),
                entry("FieldKeys", "需查询的字段key集合", ""),
            ],
        },
        "target": {"api": api, "name": name, "effect": "EXECUTE", "method": "POST", "request": request},
        "skydeck": policy,
    }))
}
