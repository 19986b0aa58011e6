//! A plan to start from: `plan new`.
//!
//! Invariant: what it prints is read without a note (but for what an environment must allow), lints without a warning, and
//! selects bills that its call can act on.

use serde_json::{Value, json};

use skydeck_core::domain::ids::{EnvId, FormId};
use skydeck_core::domain::operation::shown_by;
use skydeck_core::domain::step::Verb;

use super::show;

/// Base data, and price lists, that keep their number in FNumber and, as a rule, their id elsewhere than in FID.
const IDS: [(&str, &str); 12] = [
    ("BD_MATERIAL", "FMATERIALID"),
    ("BD_Customer", "FCUSTID"),
    ("BD_Supplier", "FSupplierId"),
    ("BD_Currency", "FCURRENCYID"),
    ("BD_STOCK", "FStockId"),
    ("BD_UNIT", "FUNITID"),
    ("BD_Account", "FACCTID"),
    ("BD_Department", "FDEPTID"),
    ("BD_Empinfo", "FID"),
    ("GL_VOUCHER", "FVOUCHERID"),
    ("PUR_PriceCategory", "FID"),
    ("BD_SAL_PriceList", "FID"),
];

/// Where a form keeps its id, as far as it is known.
pub(super) fn id_of(form: &str) -> Option<&'static str> {
    IDS.iter().find(|(known, _)| known.eq_ignore_ascii_case(form)).map(|(_, id)| *id)
}

/// The path of the number in a form that is made: base data has another one than bills.
pub(super) fn number_of(form: &str) -> &'static str {
    if form.to_ascii_uppercase().starts_with("BD_") { "FNumber" } else { "FBillNo" }
}

/// What is known of a form beside its name.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Known {
    /// The form's name for people.
    pub title: Option<String>,
    /// Path of the internal id.
    pub id: Option<String>,
    /// Path of the number.
    pub number: Option<String>,
    /// Columns in the place of the usual ones: path and label. Those that a plan cannot do without are added.
    pub columns: Option<Vec<(String, String)>>,
}

/// The text of a new plan for a form: bills that the call can act on, by modification date. `submit`: submit before the
/// audit. An operation declares the effect that its name tells; where it tells none, use [`new_operation`].
pub fn new_plan(form: &FormId, env: Option<&EnvId>, verb: &Verb, submit: bool) -> String {
    new_plan_of(form, env, verb, submit, None, &Known::default())
}

/// The same, with what the ERP tells of the form. `shown`: what shows that an operation is done, where its name does not tell.
pub fn new_plan_of(
    form: &FormId,
    env: Option<&EnvId>,
    verb: &Verb,
    submit: bool,
    shown: Option<(&str, &str)>,
    known: &Known,
) -> String {
    let shown = shown.or_else(|| match verb {
        Verb::Operation(name) => shown_by(name),
        Verb::Submit | Verb::Audit | Verb::Save | Verb::Push | Verb::Send => None,
    });
    lay_out(form, env, verb, submit, shown, known)
}

/// The text of a new plan that executes an operation, which is done where `field` holds `value`.
pub fn new_operation(form: &FormId, env: Option<&EnvId>, name: &str, field: &str, value: &str) -> String {
    lay_out(form, env, &Verb::Operation(name.to_owned()), false, Some((field, value)), &Known::default())
}

/// What the filter asks for beside the mark: the statuses that the call acts on, and what is not done yet.
fn wanted(verb: &Verb, submit: bool, shown: Option<(&str, &str)>) -> String {
    match (verb, shown) {
        (Verb::Audit, _) if submit => "FDocumentStatus in ('A','B')".to_owned(),
        (Verb::Audit, _) => "FDocumentStatus='B'".to_owned(),
        (Verb::Submit, _) => "FDocumentStatus in ('Z','A','D')".to_owned(),
        (Verb::Operation(_) | Verb::Save | Verb::Push | Verb::Send, None) => "FDocumentStatus='C'".to_owned(),
        // A mark of Kingdee's holds A or B.
        (Verb::Operation(name), Some((field, value))) if shown_by(name) == shown => {
            let before = if value == "B" { "A" } else { "B" };
            format!("FDocumentStatus='C' and {field}='{before}'")
        }
        (Verb::Operation(_) | Verb::Save | Verb::Push | Verb::Send, Some((field, value))) => {
            format!("FDocumentStatus='C' and {field}<>'{}'", value.replace('\'', "''"))
        }
    }
}

fn entry(field: &str, label: &str, value: &str) -> Value {
    json!({"field": field, "label": label, "type": "string", "value": value})
}

/// Whether a column of this path is there, in any letter case.
fn has(columns: &[Value], path: &str) -> bool {
    columns.iter().any(|c| c["value"].as_str().is_some_and(|there| there.eq_ignore_ascii_case(path)))
}

/// The columns: id, number, date where the form is one of bills, status, modification date, and what the effect looks at.
fn columns(id: &str, number: &str, field: Option<&str>, chosen: Option<&[(String, String)]>) -> Vec<Value> {
    let mut columns = vec![entry(id, "单据内码", id), entry(number, "单据编号", number)];
    if let Some(chosen) = chosen {
        for (path, label) in chosen {
            if !has(&columns, path) {
                columns.push(entry(&path.replace('.', "_"), label, path));
            }
        }
    } else if number == "FBillNo" {
        columns.push(entry("FDate", "日期", "FDate"));
    }
    for (path, label) in [("FDocumentStatus", "单据状态"), ("FModifyDate", "修改时间")] {
        if !has(&columns, path) {
            columns.push(entry(path, label, path));
        }
    }
    if let Some(field) = field.filter(|field| !has(&columns, field)) {
        let label = match field {
            "FCloseStatus" => "关闭状态",
            "FForbidStatus" => "禁用状态",
            other => other,
        };
        columns.push(entry(&field.replace('.', "_"), label, field));
    }
    columns
}

fn target(form: &FormId, verb: &Verb, submit: bool, id: &str) -> Value {
    let mut request = vec![entry("FormId", "业务对象表单Id", form.as_str())];
    let (api, name) = match verb {
        Verb::Submit => ("Submit", "提交单据".to_owned()),
        Verb::Audit if submit => ("Audit", "提交并审核单据".to_owned()),
        Verb::Audit => ("Audit", "审核单据".to_owned()),
        Verb::Operation(operation) => {
            request.push(entry("Operation", "操作编码", operation));
            ("excuteOperation", format!("执行 {operation}"))
        }
        Verb::Save => ("batchSave", "新增单据".to_owned()),
        Verb::Push => ("push", "下推单据".to_owned()),
        Verb::Send => ("/orders", "发送记录".to_owned()),
    };
    if *verb == Verb::Audit {
        request.push(entry("IsVerifyProcInst", "检验单据关联运行", "true"));
        request.push(entry("IgnoreInterationFlag", "是否允许忽略交互", "false"));
    }
    request.push(entry("Ids", "id集合", &format!("{{{{{id}}}}}")));
    json!({"api": api, "name": name, "effect": "EXECUTE", "method": "POST", "request": request})
}

fn lay_out(
    form: &FormId,
    env: Option<&EnvId>,
    verb: &Verb,
    submit: bool,
    shown: Option<(&str, &str)>,
    known: &Known,
) -> String {
    let listed = id_of(form.as_str());
    let id = known.id.as_deref().or(listed).unwrap_or("FID");
    let usual = if listed.is_some() { "FNumber" } else { number_of(form.as_str()) };
    let number = known.number.as_deref().unwrap_or(usual);
    let mut policy = json!({
        "page_size": 1000, "batch": 1, "submit": submit && *verb == Verb::Audit, "overlap": "10m", "sweep_hours": 24,
    });
    if let Value::Object(map) = &mut policy {
        if id != "FID" {
            map.insert("id".to_owned(), json!(id));
        }
        if let Some((field, value)) = shown {
            map.insert("done".to_owned(), json!([[field, "in", value]]));
        }
        if let Some(env) = env {
            map.insert("env".to_owned(), json!(env));
        }
    }
    let title = known.title.as_ref().map_or_else(|| format!("{form} 查询"), |title| format!("{title}查询"));
    let filter = format!("FModifyDate>='{{{{LAST_SYNC_TIME|datetime}}}}' and {}", wanted(verb, submit, shown));
    show::text(&json!({
        "source": {
            "api": "executeBillQuery",
            "name": title,
            "effect": "QUERY",
            "method": "POST",
            "id": id,
            "number": number,
            "request": columns(id, number, shown.map(|(field, _)| field), known.columns.as_deref()),
            "otherRequest": [
                entry("FormId", "业务对象表单Id", form.as_str()),
                entry("FilterString", "过滤条件", &filter),
                entry("OrderString", "排序", &format!("{id} ASC")),
                entry("Limit", "最大行数", "{{PAGINATION_PAGE_SIZE}}"),
                entry("StartRow", "开始行索引", "{{PAGINATION_START_ROW}}"),
                entry("FieldKeys", "需查询的字段key集合", ""),
            ],
        },
        "target": target(form, verb, submit, id),
        "skydeck": policy,
    }))
}
