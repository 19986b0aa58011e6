//! What is wrong with a plan is said in the language that is asked for: one table of spoilt plans, each in both.
use serde_json::{Value, json};
use skydeck::domain::ids::PlanId;
use skydeck::plan::lint::Severity;
use skydeck::plan::{self, PlanError};

fn han(text: &str) -> bool {
    text.chars().any(|c| ('\u{4e00}'..='\u{9fff}').contains(&c))
}

/// Three English words in a row, outside of what is quoted.
fn english(text: &str) -> Option<String> {
    let outside: String = text.split('`').step_by(2).collect::<Vec<_>>().join(" ; ");
    let outside: String = outside.split(['“', '”']).step_by(2).collect::<Vec<_>>().join(" ; ");
    let words: Vec<&str> = outside.split(' ').collect();
    let word = |w: &&str| w.len() > 1 && w.chars().all(|c| c.is_ascii_lowercase());
    words.windows(3).find(|three| three.iter().all(word)).map(|three| three.join(" "))
}

fn base() -> Value {
    json!({
        "source": {
            "api": "executeBillQuery",
            "request": [{"field": "FID", "value": "FID"}, {"field": "FBillNo", "value": "FBillNo"}],
            "otherRequest": [
                {"field": "FormId", "value": "PUR_ReceiveBill"},
                {"field": "FilterString", "value": "FDocumentStatus='B'"},
            ],
        },
        "target": {"api": "Audit", "request": [{"field": "Ids", "value": "{{FID}}"}]},
        "skydeck": {"batch": 1},
    })
}

/// A plan with one value put in at a path such as `/source/api`; entries are added at the end of a list.
fn spoilt(path: &str, value: Value) -> String {
    let mut plan = base();
    if let Some(list) = path.strip_suffix("/+") {
        plan.pointer_mut(list).unwrap().as_array_mut().unwrap().push(value);
    } else {
        let (parent, key) = path.rsplit_once('/').unwrap();
        let key = key.replace('~', "/");
        plan.pointer_mut(parent).unwrap().as_object_mut().unwrap().insert(key, value);
    }
    serde_json::to_string_pretty(&plan).unwrap()
}

fn filter(text: &str) -> String {
    let mut plan = base();
    plan["source"]["otherRequest"][1]["value"] = json!(text);
    plan.to_string()
}

/// Plans, each wrong in one way.
fn table() -> Vec<String> {
    let field = |name: &str, value: &str| json!({"field": name, "value": value});
    let condition = |field: &str, logic: &str, value: Value| {
        spoilt("/source/condition", json!([[{"field": field, "logic": logic, "value": value}]]))
    };
    let policy = |key: &str, value: Value| spoilt(&format!("/skydeck/{key}"), value);
    let target = |name: &str, value: &str| spoilt("/target/request/+", field(name, value));
    let operation = |name: &str, done: Value| {
        let mut plan = base();
        plan["target"]["api"] = json!("excuteOperation");
        plan["target"]["request"] = json!([field("Operation", name), field("Ids", "{{FID}}")]);
        plan["skydeck"] = json!({"done": done});
        plan.to_string()
    };
    vec![
        String::new(),
        "{\"source\": [1, 2".to_owned(),
        "{“source”: 1}".to_owned(),
        "{\"source\": {},}".to_owned(),
        "| 字段 | 值 |".to_owned(),
        "[1]".to_owned(),
        "{\"source\": {\"id\": 1, \"id\": 2}}".to_owned(),
        "{\"source\": 7}".to_owned(),
        json!({"source": base()["source"]}).to_string(),
        json!({"target": base()["target"]}).to_string(),
        spoilt("/skydeck", json!(3)),
        json!({"source": base()["source"], "target": base()["target"], "skydec": {}}).to_string(),
        policy("batch", json!(0)),
        policy("batsh", json!(1)),
        policy("flags", json!([])),
        policy("per_minute", json!(9)),
        policy("password", json!("x")),
        policy("overlap", json!("soon")),
        policy("submit", json!("maybe")),
        policy("env", json!(7)),
        policy("labels", json!(7)),
        policy("retry_unchanged", json!("often")),
        policy("schedule", json!({})),
        policy("schedule", json!({"cron": "* * * *"})),
        policy("schedule", json!({"cron": "0 0 2 ? * 2"})),
        policy("schedule", json!({"cron": "61 * * * *"})),
        policy("schedule", json!({"cron": "3 2 * * *", "zone": "Asia/Peking"})),
        policy("schedule", json!({"cron": "3 2 * * *", "missed": "never"})),
        policy("schedule", json!({"cron": "3 2 * * *", "approve": "nobody"})),
        policy("done", json!([["FCloseStatus", "in", "B"]])),
        spoilt("/source/api", json!("View")),
        spoilt("/source/requestParams", json!([])),
        spoilt("/source/request", json!({})),
        spoilt("/source/request/+", json!(7)),
        spoilt("/source/request/+", json!({"value": 1})),
        spoilt("/source/request/+", field("FBillNo", "FNumber")),
        spoilt("/source/request/+", field("FNote", "{{X}}")),
        spoilt("/source/otherRequest/+", field("FormId", "STK_Other")),
        spoilt("/source/otherRequest/+", field("Limits", "9")),
        spoilt("/source/otherRequest/+", field("Limit", "some")),
        spoilt("/source/otherRequest/+", field("StartRow", "9")),
        spoilt("/source/otherRequest/+", field("TopRowCount", "few")),
        spoilt("/source/otherRequest/+", field("FieldKeys", "FID,a b")),
        spoilt(
            "/source/otherRequest/+",
            json!({"field": "OrderString", "value": "FID", "parser": {"name": "ToPinyin"}}),
        ),
        spoilt("/source/pagination", json!({"pageSize": "many"})),
        spoilt("/source/omissionRemedy", json!({})),
        spoilt("/source/omissionRemedy", json!({"crontab": "3 2 * * *", "takeOverRequest": [field("Limit", "1")]})),
        spoilt("/source/condition", json!({})),
        spoilt("/source/condition", json!([{}])),
        condition("FBilNo", "eq", json!("1")),
        condition("FBillNo", "equals", json!("1")),
        condition("FBillNo", "between", json!("1")),
        condition("FBillNo", "eq", json!("{{CURRENT_TIME}}")),
        condition("FBillNo", "gt", json!("timestamp:soon")),
        filter("FNote='a"),
        filter("FID>1 -- x"),
        filter("FID>1 /* x"),
        filter("FID>1; x"),
        filter("FID>1)"),
        filter("(FID>1"),
        filter("FDate>'{{LAST_SYNCTIME|datetime}}'"),
        filter("FDate>'{{LAST_SYNC_TIME|datetme}}'"),
        filter("FDate>'{{LAST_SYNC_TIME'"),
        filter("FDate>'{{}}'"),
        filter("FDate>'${last}'"),
        filter("FDate>'{{$lastExecuteTime}}'"),
        filter("FID>{{PAGINATION_PAGE_SIZE|date}}"),
        filter("FDate<'{{LAST_SYNC_TIME|datetime}}'"),
        filter("not (FDate>'{{LAST_SYNC_TIME|datetime}}')"),
        filter("_function SUM(1)"),
        filter("_function CONCAT('a', 7 / 2)"),
        filter("_function 'a' = 'A'"),
        filter("_function LEFT('a'"),
        filter("FID > _function 1"),
        filter("[{\"FieldName\": \"FDate\"}]"),
        spoilt("/target/api", json!("UnAudit")),
        spoilt("/target/api", json!("Save")),
        spoilt("/target/api", json!("")),
        spoilt("/target/api", json!("excuteOperation")),
        target("FormId", "SAL_OUTSTOCK"),
        target("Number", "x"),
        target("UseBatControlTimes", "3"),
        target("IsVerifyProcInst", "perhaps"),
        target("InterationFlags", "a b"),
        target("UseOrgId", "north"),
        target("CreateOrgId", "_function 1"),
        target("Numbers", "XSCKD1"),
        target("Numbers", "{{FID}}"),
        operation("a b", json!([["FCloseStatus", "in", "B"]])),
        operation("Confirm", Value::Null),
        operation("BillClose", json!("FCloseStatus")),
        operation("BillClose", json!([])),
        operation("BillClose", json!(["FCloseStatus", "in", "B"])),
        operation("BillClose", json!([["FCloseStatus", "contains", "B"]])),
        operation("BillClose", json!([["FCloseStatus", "eq", "B", "C"]])),
        operation("BillClose", json!([["FEntryStatus", "in", "B"]])),
        operation("BillClose", json!([["FCloseStatus", "in", true]])),
        operation("BillClose", json!([["exists"]])),
    ]
}

fn problem(text: &str) -> PlanError {
    plan::read(PlanId::new("p"), text).err().unwrap_or_else(|| panic!("it runs: {text}"))
}

#[test]
fn every_refusal_of_a_plan_is_said_in_both_languages_with_its_place() {
    for text in table() {
        let e = problem(&text);
        let zh = e.in_chinese();
        assert!(zh.starts_with(&format!("第 {} 行第 {} 列：", e.line, e.column)), "{zh}");
        assert!(zh.contains(&e.field), "{zh}");
        assert!(han(zh.splitn(3, '：').last().unwrap()), "{zh}");
        assert_eq!(english(&zh), None, "{zh}");
        // What stands in the file may be Chinese.
        let quoted: String = e.to_string().split('`').step_by(2).collect();
        assert!(!han(&quoted), "{e}");
    }
}

#[test]
fn lint_says_what_to_write_in_the_language_that_is_asked_for() {
    for text in table() {
        let Ok(file) = plan::inspect(PlanId::new("p"), &text) else { continue };
        let hazards = plan::lint(&file);
        for hazard in hazards.iter().filter(|hazard| hazard.severity == Severity::Refuses) {
            assert!(han(&hazard.message_zh), "{hazard:?}");
            let (en, zh) = (hazard.mend_in(false).unwrap_or_default(), hazard.mend_in(true).unwrap_or_default());
            assert!(en == zh || han(zh), "{hazard:?}");
            assert_eq!(english(zh), None, "{hazard:?}");
        }
    }
}
