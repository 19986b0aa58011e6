//! What cannot run is refused, with its place and with advice.

use super::{bent, filter_is, pointer, read, target_field};
use serde_json::{Value, json};
use skydeck::domain::ids::PlanId;
use skydeck::plan::{self};

/// Name, changes to `base()`, field, word of the message, word of the hint.
type Case = (&'static str, Vec<(&'static str, Value)>, &'static str, &'static str, &'static str);

#[test]
fn what_cannot_run_is_refused_with_place_and_advice() {
    let cases: Vec<Case> = vec![
        (
            "no form",
            vec![("/source/otherRequest/0", json!({"field": "Limit", "value": ""}))],
            "source.otherRequest",
            "FormId is missing",
            "SAL_OUTSTOCK",
        ),
        (
            "empty form",
            vec![("/source/otherRequest/0/value", json!(""))],
            "source.otherRequest[0].value",
            "FormId has no value",
            "SAL_OUTSTOCK",
        ),
        (
            "bad form",
            vec![("/source/otherRequest/0/value", json!("SAL OUT"))],
            "source.otherRequest[0].value",
            "no form id",
            "SAL_OUTSTOCK",
        ),
        (
            "unknown variable",
            vec![filter_is("FDate>='{{LAST_SYNCTIME|date}}'")],
            "source.otherRequest[1].value",
            "`LAST_SYNCTIME`",
            "LAST_SYNC_TIME",
        ),
        (
            "row field in filter",
            vec![filter_is("FNo='{{FBillNo}}'")],
            "source.otherRequest[1].value",
            "`FBillNo`",
            "known",
        ),
        (
            "unclosed hole",
            vec![filter_is("FDate>='{{LAST_SYNC_TIME'")],
            "source.otherRequest[1].value",
            "without `}}`",
            "close",
        ),
        ("function", vec![filter_is("_function SUM(FQty)")], "source.otherRequest[1].value", "SUM", "docs"),
        (
            "function inside",
            vec![filter_is("FDate>='_function NOW()'")],
            "source.otherRequest[1].value",
            "_function",
            "docs",
        ),
        (
            "find",
            vec![filter_is("FNo='_findCollection find F from x where A=1'")],
            "source.otherRequest[1].value",
            "_findCollection",
            "docs",
        ),
        (
            "find at once",
            vec![filter_is("_findCollection find F from x where A=1")],
            "source.otherRequest[1].value",
            "_findCollection",
            "docs",
        ),
        ("open quote", vec![filter_is("FNo='x")], "source.otherRequest[1].value", "not closed", "whole"),
        ("open bracket", vec![filter_is("(FNo='x'")], "source.otherRequest[1].value", "without `)`", "whole"),
        ("comment", vec![filter_is("FNo='x' -- ")], "source.otherRequest[1].value", "`--`", "whole"),
        (
            "upper bound",
            vec![filter_is("FDate<'{{LAST_SYNC_TIME|datetime}}'")],
            "source.otherRequest[1].value",
            "lower bound",
            "CURRENT_TIME",
        ),
        (
            "upper bound mirrored",
            vec![filter_is("'{{LAST_SYNC_TIME|datetime}}'>FDate")],
            "source.otherRequest[1].value",
            "lower bound",
            "CURRENT_TIME",
        ),
        (
            "mark under not",
            vec![filter_is("not (FDate>='{{LAST_SYNC_TIME|datetime}}')")],
            "source.otherRequest[1].value",
            "`not`",
            "without",
        ),
        (
            "unknown control",
            vec![("/source/otherRequest/-", json!({"field": "FilterSting", "value": "x"}))],
            "source.otherRequest[2].value",
            "did you mean `FilterString`",
            "known",
        ),
        (
            "control twice",
            vec![("/source/otherRequest/-", json!({"field": "formid", "value": "OTHER"}))],
            "source.otherRequest[2].value",
            "twice",
            "keep",
        ),
        (
            "start row",
            vec![("/source/otherRequest/-", json!({"field": "StartRow", "value": 100}))],
            "source.otherRequest[2].value",
            "leave bills out",
            "PAGINATION_START_ROW",
        ),
        (
            "limit",
            vec![("/source/otherRequest/-", json!({"field": "Limit", "value": "many"}))],
            "source.otherRequest[2].value",
            "not a number",
            "PAGINATION_PAGE_SIZE",
        ),
        (
            "top rows",
            vec![("/source/otherRequest/-", json!({"field": "TopRowCount", "value": "{{X}}"}))],
            "source.otherRequest[2].value",
            "not a number",
            "empty",
        ),
        (
            "parser",
            vec![("/source/otherRequest/0/parser", json!({"name": "ConvertObjectParser", "params": "x"}))],
            "source.otherRequest[0].value",
            "ConvertObjectParser",
            "ArrayToString",
        ),
        (
            "template column",
            vec![("/source/request/0/value", json!("{{CURRENT_TIME}}"))],
            "source.request[0].value",
            "not a field path",
            "FilterString",
        ),
        (
            "column twice",
            vec![("/source/request/-", json!({"field": "FID", "value": "FOther"}))],
            "source.request[4].value",
            "twice",
            "another",
        ),
        (
            "other api",
            vec![("/source/api", json!("batchSave"))],
            "source.api",
            "not a Kingdee bill query",
            "executeBillQuery",
        ),
        ("no api", vec![("/source/api", Value::Null)], "source.api", "names no `api`", "executeBillQuery"),
        ("newer form", vec![("/source/requestParams", json!({}))], "source.requestParams", "newer form", "metadata"),
        ("list", vec![("/source/request", json!({"a": 1}))], "source.request", "not a list", "field"),
        ("no source", vec![("/source", Value::Null)], "source", "no source", "executeBillQuery"),
        ("no target", vec![("/target", Value::Null)], "target", "no target", "Audit"),
        ("foreign target", vec![("/target/api", json!("/v1.0/forms"))], "skydeck.record", "another system", "order"),
        ("save", vec![("/target/api", json!("batchSave"))], "target.request", "no field", "fields of the bill"),
        ("unaudit", vec![("/target/api", json!("UnAudit"))], "target.api", "takes back", "ERP"),
        ("cancel assign", vec![("/target/api", json!("CancelAssign"))], "target.api", "takes back", "ERP"),
        ("delete", vec![("/target/api", json!("Delete"))], "target.api", "takes back", "ERP"),
        (
            "other form",
            vec![("/target/request/0/value", json!("STK_InStock"))],
            "target.request[0].value",
            "is not the source's",
            "one form",
        ),
        (
            "operation without name",
            vec![("/target/api", json!("excuteOperation"))],
            "target.request",
            "without an `Operation`",
            "BillClose",
        ),
        (
            "undo operation",
            vec![("/target/api", json!("excuteOperation")), target_field("Operation", json!("UndoToStart"))],
            "target.request[1].value",
            "takes back",
            "ERP",
        ),
        (
            "undo in Chinese",
            vec![("/target/api", json!("excuteOperation")), target_field("Operation", json!("反审核"))],
            "target.request[1].value",
            "takes back",
            "ERP",
        ),
        (
            "odd operation",
            vec![("/target/api", json!("excuteOperation")), target_field("Operation", json!("Bill Close"))],
            "target.request[1].value",
            "no operation name",
            "designer",
        ),
        (
            "entry rows",
            vec![target_field("PkEntryIds", json!("{{x}}"))],
            "target.request[1].value",
            "`PkEntryIds`",
            "known",
        ),
        (
            "misspelt field",
            vec![target_field("NetworkCtl", json!("true"))],
            "target.request[1].value",
            "`NetworkCtl`",
            "`NetworkCtrl`",
        ),
        (
            "number as id",
            vec![target_field("Ids", json!("{{FBillNo}}"))],
            "target.request[1].value",
            "not the bill's id",
            "{{FID}}",
        ),
        (
            "id as number",
            vec![target_field("Numbers", json!("{{FID}}"))],
            "target.request[1].value",
            "not the bill's number",
            "{{FBillNo}}",
        ),
        (
            "fixed bill",
            vec![target_field("Numbers", json!("XSCKD000001"))],
            "target.request[1].value",
            "not the bill's number",
            "{{FBillNo}}",
        ),
        (
            "two in one",
            vec![target_field("Ids", json!("{{FID}},{{FID}}"))],
            "target.request[1].value",
            "not the bill's id",
            "{{FID}}",
        ),
        (
            "flag",
            vec![target_field("NetworkCtrl", json!("perhaps"))],
            "target.request[1].value",
            "neither true nor false",
            "true",
        ),
        (
            "flag name",
            vec![target_field("InterationFlags", json!("A B"))],
            "target.request[1].value",
            "no interaction flag",
            "names",
        ),
        (
            "target function",
            vec![target_field("NetworkCtrl", json!("_function IF(1,1,0)"))],
            "target.request[1].value",
            "not evaluated in a target",
            "itself",
        ),
        (
            "batch control",
            vec![target_field("UseBatControlTimes", json!(true))],
            "target.request[1].value",
            "not sent",
            "empty",
        ),
        (
            "condition column",
            vec![("/source/condition", json!([[{"field": "FDocStatus", "logic": "eq", "value": "B"}]]))],
            "source.condition[0][0].field",
            "no column `FDocStatus`",
            "FDocumentStatus",
        ),
        (
            "condition operator",
            vec![("/source/condition", json!([[{"field": "FID", "logic": "gte", "value": "1"}]]))],
            "source.condition[0][0].logic",
            "`gte`",
            "egt",
        ),
        (
            "condition value",
            vec![("/source/condition", json!([[{"field": "FID", "logic": "between", "value": "1"}]]))],
            "source.condition[0][0].value",
            "2 value",
            "list of two",
        ),
        (
            "condition template",
            vec![("/source/condition", json!([[{"field": "FID", "logic": "eq", "value": "{{x}}"}]]))],
            "source.condition[0][0].value",
            "templates",
            "FilterString",
        ),
        (
            "condition date",
            vec![("/source/condition", json!([[{"field": "FID", "logic": "gt", "value": "timestamp:1700000000"}]]))],
            "source.condition[0][0].value",
            "not a date",
            "YYYY",
        ),
        (
            "condition shape",
            vec![("/source/condition", json!([{"field": "FID", "logic": "eq", "value": "1"}]))],
            "source.condition[0]",
            "not a list",
            "inner and",
        ),
        ("empty group", vec![("/source/condition", json!([[]]))], "source.condition[0]", "not a list", "inner and"),
        (
            "remedy cron",
            vec![("/source/omissionRemedy", json!({"crontab": "2 */2 * *"}))],
            "source.omissionRemedy.crontab",
            "4 fields",
            "five",
        ),
        (
            "remedy field",
            vec![(
                "/source/omissionRemedy",
                json!({"crontab": "2 */2 * * *", "takeOverRequest": [{"field": "start_date", "value": "x"}]}),
            )],
            "source.omissionRemedy.takeOverRequest[0].value",
            "`start_date`",
            "FilterString",
        ),
        ("crontab", vec![("/source/crontab", json!("61 * * * *"))], "source.crontab", "cron", "five"),
        ("policy key", vec![("/skydeck", json!({"pageSize": 1}))], "skydeck.pageSize", "unknown key", "`page_size`"),
        ("policy flags", vec![("/skydeck", json!({"flags": []}))], "skydeck.flags", "unknown key", "one run"),
        (
            "policy pace",
            vec![("/skydeck", json!({"concurrency": 2}))],
            "skydeck.concurrency",
            "unknown key",
            "config.toml",
        ),
        (
            "policy secret",
            vec![("/skydeck", json!({"password": "x"}))],
            "skydeck.password",
            "unknown key",
            "config.toml",
        ),
        ("page size", vec![("/skydeck", json!({"page_size": 2001}))], "skydeck.page_size", "2001", "from 1 to 2000"),
        ("batch", vec![("/skydeck", json!({"batch": 0}))], "skydeck.batch", "0", "from 1 to 100"),
        ("overlap", vec![("/skydeck", json!({"overlap": 10}))], "skydeck.overlap", "10", "10m"),
        ("submit", vec![("/skydeck", json!({"submit": "maybe"}))], "skydeck.submit", "maybe", "true or false"),
        (
            "schedule key",
            vec![("/skydeck", json!({"schedule": {"cron": "0 2 * * *", "timezone": "UTC"}}))],
            "skydeck.schedule.timezone",
            "unknown key",
            "zone",
        ),
        (
            "schedule cron",
            vec![("/skydeck", json!({"schedule": {"zone": "UTC"}}))],
            "skydeck.schedule",
            "no `cron`",
            "cron",
        ),
        (
            "schedule zone",
            vec![("/skydeck", json!({"schedule": {"cron": "0 2 * * *", "zone": "Peking"}}))],
            "skydeck.schedule.zone",
            "Peking",
            "IANA",
        ),
        (
            "schedule missed",
            vec![("/skydeck", json!({"schedule": {"cron": "0 2 * * *", "missed": "never"}}))],
            "skydeck.schedule.missed",
            "never",
            "once",
        ),
    ];
    for (name, changes, field, message, hint) in cases {
        let text = bent(&changes);
        let Err(e) = read(&text) else { panic!("{name}: must not run") };
        assert_eq!(e.field, field, "{name}: {e}");
        assert!(e.message().contains(message), "{name}: {e}");
        assert!(e.hint().contains(hint), "{name}: {e}");
        let shown = e.to_string();
        assert!(shown.starts_with(&format!("line {}, column {}: {field}: ", e.line, e.column)), "{name}: {shown}");
        let last = field.rsplit(['.', '[']).next().unwrap().trim_end_matches(']');
        let line = text.lines().nth(e.line - 1).unwrap();
        if !last.chars().all(|c| c.is_ascii_digit())
            && plan::inspect(PlanId::new("p"), &text).unwrap().raw.pointer(&pointer(field)).is_some()
        {
            assert!(line.contains(&format!("\"{last}\"")), "{name}: line {} is {line}", e.line);
        }
        let file = plan::inspect(PlanId::new("p"), &text).unwrap();
        assert_eq!(file.runnable().unwrap_err(), &e, "{name}: inspect and read agree");
    }
}
