//! What the vendor's own client and five others call: each call is answered, or named with why it is not.

use std::collections::{BTreeMap, BTreeSet};

use serde::Deserialize;
use serde_json::{Value, json};

use crate::bench::{Bench, order};

/// The services behind the 29 methods of the vendor's Python SDK 8.2.0 that call one, `BatchSaveQuery` by polling; the last part says what
/// keeps the simulator from answering.
const OFFICIAL: [(&str, Option<&str>); 29] = [
    ("GetDataCenterList", None),
    ("ExcuteOperation", None),
    ("Save", None),
    ("BatchSave", None),
    ("BatchSave+QueryAsyncResult", None),
    ("Audit", None),
    ("Delete", None),
    ("UnAudit", None),
    ("Submit", None),
    ("View", None),
    ("ExecuteBillQuery", None),
    ("BillQuery", None),
    ("Draft", None),
    ("Allocate", Some("cut")),
    ("FlexSave", Some("cut")),
    ("SendMsg", None),
    ("Push", None),
    ("GroupSave", Some("cut")),
    ("Disassembly", None),
    ("QueryBusinessInfo", None),
    ("QueryGroupInfo", None),
    ("WorkflowAudit", None),
    ("GroupDelete", Some("un-does")),
    ("SwitchOrg", Some("cut")),
    ("CancelAllocate", Some("un-does")),
    ("CancelAssign", None),
    ("GetSysReportData", None),
    ("AttachmentUpload", None),
    ("AttachmentDownLoad", None),
];

/// Calls of the five others that are not answered, and why.
const OTHERS: [(&str, &str, &str); 1] = [("SAL_OUTSTOCK", "Cancel", "un-does")];

#[derive(Deserialize)]
struct Call {
    clients: Vec<String>,
    service: String,
    #[serde(default)]
    form: String,
    #[serde(default)]
    operation: String,
    #[serde(default)]
    columns: String,
}

#[derive(Deserialize)]
struct ClientCalls {
    call: Vec<Call>,
}

/// Why an answer is none; nothing where it is one, a refusal for a reason of the bill's included.
fn objection(said: &str) -> Option<String> {
    let none = ["业务对象不存在", "的字段不存在", "操作编码不存在", "GetRealExpress", "模拟器不支持", "<html"];
    none.iter().any(|words| said.contains(words)).then(|| said.chars().take(300).collect())
}

/// The first bill of a form, by its id.
fn first(bench: &mut Bench, form: &str) -> String {
    for id in ["FID", "FCUSTID", "FMATERIALID", "FSupplierId"] {
        let rows = bench.call("ExecuteBillQuery", json!({"data": {"FormId": form, "FieldKeys": id, "Limit": 1}}));
        if let Some(id) = rows[0][0].as_i64() {
            return id.to_string();
        }
    }
    panic!("{form} has no bill");
}

fn body(bench: &mut Bench, call: &Call) -> Value {
    let name = call.service.split_once('.').unwrap().1;
    let of_bill = |bench: &mut Bench| json!({"formid": call.form, "data": {"Ids": first(bench, &call.form)}});
    match name {
        "View" => json!({"formid": call.form, "data": {"Id": first(bench, &call.form)}}),
        "Submit" | "Audit" | "UnAudit" | "Delete" | "CancelAssign" => of_bill(bench),
        "ExecuteOperation" | "ExcuteOperation" => {
            json!({"formid": call.form, "opNumber": call.operation, "data": {"Ids": first(bench, &call.form)}})
        }
        "Save" => json!({"formid": call.form, "data": {"Model": {"FBillNo": "CLIENT-1"}}}),
        "Push" => {
            let ids = first(bench, &call.form);
            json!({"formid": call.form, "data": {"Ids": ids, "IsEnableDefaultRule": "true", "TargetFormId": "AR_receivable"}})
        }
        "AttachmentUpLoad" => {
            json!({"data": {"FileName": "a.txt", "FormId": call.form, "InterId": first(bench, &call.form), "SendByte": "YQ=="}})
        }
        "AttachmentDownLoad" => json!({"data": {"FileId": "f", "StartIndex": 0}}),
        "GetSysReportData" => json!({"formid": call.form, "data": {"FieldKeys": call.columns, "Limit": 1}}),
        _ => json!({"data": {"FormId": call.form, "FieldKeys": call.columns, "FilterString": "", "Limit": 1}}),
    }
}

/// The columns of a query that its form has not, each asked for by itself.
fn unknown(bench: &mut Bench, call: &Call) -> Vec<String> {
    let mut missing = Vec::new();
    for column in call.columns.split(',').filter(|column| !column.is_empty()) {
        let query = json!({"data": {"FormId": call.form, "FieldKeys": column, "Limit": 1}});
        if objection(&bench.answer("ExecuteBillQuery", query)).is_some() {
            missing.push(column.to_owned());
        }
    }
    missing
}

#[test]
fn every_call_of_five_other_clients_is_answered_or_named() {
    let calls: ClientCalls = toml::from_str(include_str!("clients.toml")).unwrap();
    let mut bench = Bench::plain();
    let mut counts: BTreeMap<String, [u32; 2]> = BTreeMap::new();
    let (mut wrong, mut refused) = (Vec::new(), BTreeSet::new());
    for call in &calls.call {
        let (class, name) = call.service.split_once('.').unwrap();
        let said = if name == "ValidateUser" {
            // The bench signed in so.
            String::new()
        } else {
            let body = body(&mut bench, call);
            bench.answer_of(class, name, &body)
        };
        let objection = objection(&said);
        let known = OTHERS.iter().find(|(form, operation, _)| call.form == *form && call.operation == *operation);
        match (&objection, known) {
            (Some(_), Some((form, operation, why))) => {
                refused.insert((*form, *operation, *why));
            }
            (Some(said), None) => {
                wrong.push(format!("{} {} {:?}: {said}", call.service, call.form, unknown(&mut bench, call)));
            }
            (None, Some(_)) => wrong.push(format!("{} {} is answered now", call.service, call.form)),
            (None, None) => {}
        }
        for client in &call.clients {
            let count = counts.entry(client.clone()).or_default();
            count[0] += u32::from(objection.is_none());
            count[1] += 1;
        }
    }
    let sum = |at: usize| counts.values().map(|count| count[at]).sum::<u32>();
    for (client, [answered, asked]) in &counts {
        println!("{client}: {answered} of {asked} calls answered");
    }
    println!("five other clients: {} of {} calls answered; not answered: {refused:?}", sum(0), sum(1));
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert_eq!(refused.len(), OTHERS.len());
    assert_eq!((counts.len(), sum(1)), (5, 175));
}

#[test]
fn base_data_of_the_head_is_the_same_in_every_line() {
    let mut bench = Bench::plain();
    let rows = bench.rows("ER_ExpReimbursement", "FID,FProposerID.FNumber,FRequestDeptID.FNumber,FExpID.FNumber", "");
    let mut heads: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for row in rows.as_array().unwrap() {
        heads.entry(row[0].to_string()).or_default().insert(format!("{} {}", row[1], row[2]));
    }
    assert!(rows.as_array().unwrap().len() > heads.len() && heads.values().all(|of| of.len() == 1), "{heads:?}");
}

#[test]
fn every_method_of_the_official_client_is_answered_but_what_is_cut_or_takes_back() {
    let mut bench = Bench::plain();
    let (order, _) = bench.saved("PUR_PurchaseOrder", order("OFF-1"));
    let ids = json!({"Ids": order.to_string()});
    let mut answered = 0;
    for (method, why) in OFFICIAL {
        let said = match method {
            "GetDataCenterList" => bench.data_centres(),
            "BatchSave+QueryAsyncResult" => {
                let begun = json!({"formid": "PUR_PurchaseOrder", "data": {"Model": []}, "beginmethod": "BeginQueryImpl", "querymethod": "QueryAsyncResult"});
                let task = bench.call("BatchSave", begun)["TaskId"].clone();
                bench.answer(
                    "QueryAsyncResult",
                    json!({"queryInfo": json!({"TaskId": task, "Cancelled": false}).to_string()}),
                )
            }
            "ExcuteOperation" => {
                bench.answer(method, json!({"formid": "PUR_PurchaseOrder", "opNumber": "Submit", "data": ids}))
            }
            "ExecuteBillQuery" | "BillQuery" | "QueryBusinessInfo" => {
                bench.answer(method, json!({"data": {"FormId": "PUR_PurchaseOrder", "FieldKeys": "FID"}}))
            }
            "QueryGroupInfo" => {
                bench.answer(method, json!({"data": {"FormId": "BD_Customer", "GroupFieldKey": "FGroup"}}))
            }
            "SendMsg" => bench.answer(method, json!({"data": {"Model": [{"Title": "t"}]}})),
            "AttachmentUpload" | "AttachmentDownLoad" => {
                let data = json!({"FormId": "PUR_PurchaseOrder", "InterId": order.to_string(), "SendByte": "YQ==", "FileId": ""});
                bench.answer(method, json!({"data": data}))
            }
            "GetSysReportData" => {
                bench.answer(method, json!({"formid": "GL_RPT_AccountBalance", "data": {"FieldKeys": "FBALANCEID"}}))
            }
            "Save" | "BatchSave" | "Draft" => {
                bench.answer(method, json!({"formid": "PUR_PurchaseOrder", "data": {"Model": {"FBillNo": "OFF-2"}}}))
            }
            "WorkflowAudit" => bench
                .answer(method, json!({"data": {"FormId": "PUR_PurchaseOrder", "Ids": [order], "ApprovalType": 1}})),
            _ => bench.answer(method, json!({"formid": "PUR_PurchaseOrder", "data": ids})),
        };
        assert!(said.starts_with(['{', '[']), "{method}: {said}");
        assert_eq!(objection(&said).is_some(), why.is_some(), "{method}: {said}");
        answered += u32::from(why.is_none());
    }
    println!(
        "official client: {answered} of {} methods answered; not answered: {:?}",
        OFFICIAL.len(),
        OFFICIAL.iter().filter(|(_, why)| why.is_some()).collect::<Vec<_>>()
    );
    assert_eq!(answered, 23);
}
