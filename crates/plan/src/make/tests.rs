//! Bodies of records: made, refused, compared.

use serde_json::{Value, json};

use skydeck_core::domain::ids::{Fid, PlanId};
use skydeck_core::domain::mapping::{Lines, Table};
use skydeck_core::domain::operation::{Key, Operation};
use skydeck_core::domain::plan::Plan;
use skydeck_core::domain::step::Step;

use super::{Bodies, Lookups, MOST_ROWS, differs, lines_differ};
use crate::render::RenderContext;
use crate::{PlanFile, inspect, rev};

const COLUMNS: [&str; 8] =
    ["FID", "FBillNo", "FDate", "FCustomerID.FNumber", "FNote", "FEntity_FMaterialID.FNumber", "FRealQty", "FTaxPrice"];

#[expect(clippy::needless_pass_by_value, reason = "written where it is used")]
fn entry(field: &str, kind: &str, value: Value) -> Value {
    json!({"field": field, "label": field, "type": kind, "value": value})
}

fn wrapped(field: &str, value: &str) -> Value {
    json!({"field": field, "label": field, "type": "string", "value": value,
        "parser": {"name": "ConvertObjectParser", "params": "FNumber"}})
}

/// A plan that makes a receipt of an outstock, with its lines.
#[expect(clippy::needless_pass_by_value, reason = "written where it is used")]
fn plan(request: Vec<Value>, controls: Vec<Value>, policy: Value) -> Value {
    let mut other = vec![entry("FormId", "string", json!("STK_InStock"))];
    other.extend(controls);
    let columns: Vec<Value> =
        COLUMNS.iter().map(|path| entry(&path.replace('.', "_"), "string", json!(path))).collect();
    json!({
        "source": {
            "api": "executeBillQuery", "method": "POST", "id": "FID", "number": "FBillNo",
            "request": columns,
            "otherRequest": [
                entry("FormId", "string", json!("SAL_OUTSTOCK")),
                entry("FilterString", "string", json!("FModifyDate>='{{LAST_SYNC_TIME|datetime}}'")),
            ],
        },
        "target": {"api": "batchSave", "method": "POST", "request": request, "otherRequest": other},
        "skydeck": policy,
    })
}

fn usual() -> Vec<Value> {
    vec![
        wrapped("FBillTypeID", "RKD01_SYS"),
        entry("FBillNo", "string", json!("IN-{{FBillNo}}")),
        entry("FDate", "string", json!("{{FDate|date}}")),
        wrapped("FSupplierId", "{{FCustomerID_FNumber}}"),
        entry("FNote", "string", json!("{{FNote}}")),
        json!({"field": "FInStockEntry", "type": "array", "value": "details", "children": [
            wrapped("FMaterialId", "{{details.FEntity_FMaterialID_FNumber}}"),
            entry("FRealQty", "float", json!("{{details.FRealQty}}")),
            entry("FTaxPrice", "float", json!("_function ROUND({{details.FTaxPrice}} * 1.13, 4)")),
        ]}),
    ]
}

fn policy() -> Value {
    json!({"key": {"number": "FBillNo", "unique": true}, "steps": ["save", "submit", "audit"]})
}

fn read(value: &Value) -> PlanFile {
    inspect(PlanId::new("p"), &value.to_string()).unwrap()
}

fn runnable(value: &Value) -> Plan {
    let file = read(value);
    assert!(file.blocking.is_empty(), "{:?}", file.blocking);
    file.plan
}

fn rows(lines: &[[&str; 8]]) -> Vec<Vec<String>> {
    lines.iter().map(|line| line.iter().map(|cell| (*cell).to_owned()).collect()).collect()
}

const LINES: [[&str; 8]; 2] = [
    ["7", "XSCKD000007", "2026-01-02T00:00:00", "C001", "", "M-1", "12.5000000000", "0.1"],
    ["7", "XSCKD000007", "2026-01-02T00:00:00", "C001", "", "M-2", "3", "12345678901234567.8901"],
];

fn body(plan: &Plan, lines: &[[&str; 8]]) -> Result<String, String> {
    let columns: Vec<String> = plan.source.columns.iter().map(|c| c.key.clone()).collect();
    let make = plan.target.make.as_deref().unwrap();
    let lookups = Lookups::of(make, &plan.source);
    let made = Bodies::new(make, (&plan.source, &plan.target.form), RenderContext::probe(), &lookups);
    made.of((&Fid::from(1), "N1"), &rows(lines), &columns).map(|body| body.text).map_err(|fault| fault.to_string())
}

#[test]
fn a_record_with_lines_becomes_a_bill_with_entries_digit_by_digit_and_in_the_order_of_the_file() {
    let plan = runnable(&plan(usual(), vec![], policy()));
    assert_eq!(
        body(&plan, &LINES).unwrap(),
        r#"{"FBillTypeID":{"FNumber":"RKD01_SYS"},"FBillNo":"IN-XSCKD000007","FDate":"2026-01-02","FSupplierId":{"FNumber":"C001"},"FInStockEntry":[{"FMaterialId":{"FNumber":"M-1"},"FRealQty":12.5000000000,"FTaxPrice":0.113},{"FMaterialId":{"FNumber":"M-2"},"FRealQty":3,"FTaxPrice":13950617158395061.7158}]}"#
    );
    let op = Operation::of(&plan);
    let steps: Vec<Step> = op.steps.iter().map(|spec| spec.step).collect();
    assert_eq!(steps, [Step::Save, Step::Submit, Step::Audit]);
    assert_eq!(op.key, Key::Number { field: "FBillNo".into(), unique: true });
    assert_eq!(op.id.as_str(), "Save:STK_InStock");
}

#[test]
fn a_flat_request_with_parents_is_the_same_tree() {
    let flat = vec![
        wrapped("FBillTypeID", "RKD01_SYS"),
        entry("FBillNo", "string", json!("IN-{{FBillNo}}")),
        entry("FDate", "string", json!("{{FDate|date}}")),
        wrapped("FSupplierId", "{{FCustomerID_FNumber}}"),
        entry("FNote", "string", json!("{{FNote}}")),
        json!({"field": "FInStockEntry", "id": "e-1", "type": "array", "value": "details"}),
        {
            let mut child = wrapped("FMaterialId", "{{details.FEntity_FMaterialID_FNumber}}");
            child["parent"] = json!("e-1");
            child
        },
        json!({"field": "FRealQty", "type": "float", "value": "{{details.FRealQty}}", "parent": "FInStockEntry"}),
        json!({"field": "FTaxPrice", "type": "float", "parent": "e-1",
            "value": "_function ROUND({{details.FTaxPrice}} * 1.13, 4)"}),
    ];
    let (nested, flat) = (runnable(&plan(usual(), vec![], policy())), runnable(&plan(flat, vec![], policy())));
    assert_eq!(body(&nested, &LINES), body(&flat, &LINES));
    assert_eq!(rev::of(&nested), rev::of(&flat), "the same meaning");
}

#[test]
fn what_cannot_be_made_is_said_with_field_and_value_and_nothing_else_is_sent() {
    let with = |field: Value| {
        let mut request = usual();
        request.push(field);
        runnable(&plan(request, vec![], policy()))
    };
    let cases = [
        (entry("FQty", "int", json!("{{FNote}}")), "1.5", "FQty: `1.5` is no whole number"),
        (entry("FQty", "float", json!("{{FNote}}")), "1e5", "FQty: `1e5` is not a number"),
        (entry("FQty", "float", json!("{{FNote}}")), "1234567890123456789012345678901234567890", "40 digits"),
        (entry("FOn", "bool", json!("{{FNote}}")), "maybe", "FOn: `maybe` is neither"),
        (entry("FSum", "float", json!("{{FRealQty}}")), "x", "FSum: the 2 rows"),
        (
            entry("FSum", "float", json!("_function {{FNote}} + 1")),
            "a lot",
            "FSum: `a lot` stands without quotation marks",
        ),
        (
            entry("FDay", "string", json!("_function DATE_FORMAT('{{FNote}}', '%Y')")),
            "soon",
            "FDay: `soon` is not a date",
        ),
        (
            json!({"field": "FMust", "type": "string", "value": "{{FNote}}", "is_required": true}),
            "",
            "FMust has no value",
        ),
        (
            json!({"field": "FJson", "type": "object", "value": "{{FNote}}", "parser": {"name": "ConvertJson"}}),
            "{",
            "FJson: the value is no JSON",
        ),
    ];
    for (field, note, words) in cases {
        let mut lines = LINES;
        for line in &mut lines {
            line[4] = note;
        }
        let said = body(&with(field.clone()), &lines).unwrap_err();
        assert!(said.contains(words), "{field}: {said}");
    }
    let plan = runnable(&plan(usual(), vec![], policy()));
    let huge: String = "x".repeat(300 << 10);
    let mut line = LINES[0];
    line[4] = &huge;
    assert!(body(&plan, &[line]).unwrap_err().contains("bytes"));
    assert!(body(&plan, &vec![LINES[0]; MOST_ROWS + 1]).unwrap_err().contains("rows"));
    let long = "9".repeat(200);
    line = LINES[0];
    line[1] = &long;
    assert!(body(&plan, &[line]).unwrap_err().contains("characters"));
}

#[test]
fn a_key_without_a_value_makes_nothing() {
    let mut request = usual();
    request[1] = entry("FBillNo", "string", json!("{{FNote}}"));
    let plan = runnable(&plan(request, vec![], policy()));
    assert!(body(&plan, &LINES).unwrap_err().contains("FBillNo, by which the bill is found again"));
}

#[test]
fn a_value_cannot_leave_the_quotation_marks_of_an_expression() {
    let mut request = usual();
    request[4] = entry("FNote", "string", json!("_function CONCAT('<', '{{FNote}}', '>')"));
    let plan = runnable(&plan(request, vec![], policy()));
    let mut lines = LINES;
    for line in &mut lines {
        line[4] = "it's'), 'x";
    }
    assert!(body(&plan, &lines).unwrap().contains(r#""FNote":"<it's'), 'x>""#));
}

#[test]
fn a_plan_that_could_not_be_settled_or_would_change_what_is_there_refuses() {
    let with = |n: usize, field: Value| {
        let mut request = usual();
        request.insert(n, field);
        request
    };
    let control = |field: &str, value: &str| vec![entry(field, "string", json!(value))];
    for (value, words) in [
        (plan(usual(), vec![], json!({})), "found again"),
        (plan(usual(), vec![], json!({"key": {"number": "FSrcNo"}})), "not among the fields"),
        (plan(usual(), vec![], json!({"key": {"number": "FDate", "source": "FX"}})), "is no key"),
        (plan(usual(), vec![], json!({"key": {"source": "FBillNo", "unique": true}})), "is no key"),
        (plan(usual(), vec![], json!({"key": {"number": "FSupplierId"}})), "not a plain field"),
        (plan(usual(), control("ValidateFlag", "false"), policy()), "would not check"),
        (plan(usual(), control("IsAutoAdjustField", "true"), policy()), "would be changed"),
        (plan(usual(), control("NeedUpDateFields", "FDate"), policy()), "would be changed"),
        (plan(usual(), control("BatchCount", "5"), policy()), "order of its own"),
        (plan(usual(), control("Surprise", "1"), policy()), "not known here"),
        (plan(usual(), control("Operation", "Draft"), policy()), "draft"),
        (plan(with(0, entry("FID", "string", json!("{{FID}}"))), vec![], policy()), "save over"),
        (plan(with(0, entry("FX", "string", json!("{{FNotte}}"))), vec![], policy()), "did you mean `FNote`?"),
        (
            plan(with(0, entry("FX", "string", json!("{{details.FRealQty}}"))), vec![], policy()),
            "every row of `details`",
        ),
        (plan(with(0, entry("FX", "strng", json!("1"))), vec![], policy()), "did you mean `string`?"),
        (plan(with(0, entry("F X", "string", json!("1"))), vec![], policy()), "no name of a field"),
        (plan(with(0, entry("FNote", "string", json!("1"))), vec![], policy()), "twice"),
        (plan(with(0, entry("FX", "array", json!("details"))), vec![], policy()), "neither children nor a parser"),
        (plan(with(0, entry("FX", "string", json!("_function CONCATT('a')"))), vec![], policy()), "CONCAT"),
        (
            plan(
                with(0, entry("FX", "string", json!("_findCollection find F from u where {{FNote}}"))),
                vec![],
                policy(),
            ),
            "_findCollection find F",
        ),
        (plan(usual(), vec![], json!({"key": {"number": "FBillNo"}, "steps": ["submit", "save"]})), "steps are save"),
        (plan(usual(), vec![], json!({"key": {"number": "FBillNo"}, "done": [["FX", "in", "1"]]})), "makes bills"),
    ] {
        let file = read(&value);
        let said: Vec<String> = file.blocking.iter().map(ToString::to_string).collect();
        assert!(said.iter().any(|s| s.contains(words)), "{words}: {said:?}");
        assert!(file.blocking.iter().all(|e| !e.in_chinese().is_empty() && e.line > 0));
    }
}

#[test]
fn auto_audit_is_taken_apart_and_said() {
    for control in [("IsAutoSubmitAndAudit", "true"), ("Operation", "Audit")] {
        let controls = vec![entry(control.0, "string", json!(control.1))];
        let file = read(&plan(usual(), controls, json!({"key": {"number": "FBillNo"}})));
        assert!(file.blocking.is_empty(), "{:?}", file.blocking);
        assert_eq!(Operation::of(&file.plan).steps.len(), 3, "{control:?}");
        assert!(file.notes.iter().any(|note| note.message.contains("taken apart")), "{:?}", file.notes);
    }
}

#[test]
fn the_revision_follows_every_part_of_what_is_made_and_no_place_in_the_file() {
    let base = runnable(&plan(usual(), vec![], policy()));
    let changed = |change: &dyn Fn(&mut Plan)| {
        let mut plan = base.clone();
        change(&mut plan);
        rev::of(&plan)
    };
    let make = |plan: &mut Plan, change: &dyn Fn(&mut skydeck_core::domain::plan::Make)| {
        change(plan.target.make.as_mut().unwrap());
    };
    assert_eq!(changed(&|p| make(p, &|m| m.mapping.fields[0].at = "elsewhere".into())), rev::of(&base));
    for (n, rev) in [
        changed(&|p| make(p, &|m| m.mapping.fields.swap(0, 1))),
        changed(&|p| make(p, &|m| m.mapping.fields[5].children[0].value = "x".into())),
        changed(&|p| make(p, &|m| m.key = "FSrc".into())),
        changed(&|p| make(p, &|m| m.then.clear())),
        changed(&|p| make(p, &|m| m.probe = Some("A".into()))),
        changed(&|p| {
            make(p, &|m| m.mapping.tables.push(Table { name: "t".into(), hash: "h".into(), ..Table::default() }))
        }),
    ]
    .into_iter()
    .enumerate()
    {
        assert_ne!(rev, crate::rev::of(&base), "{n}");
    }
}

#[test]
fn a_bill_that_is_there_differs_only_where_a_value_does() {
    let plan = runnable(&plan(usual(), vec![], policy()));
    let body = body(&plan, &LINES).unwrap();
    let paths = plan.target.make.as_deref().unwrap().mapping.comparable();
    assert_eq!(paths, ["FBillTypeID.FNumber", "FBillNo", "FDate", "FSupplierId.FNumber", "FNote"]);
    let there = |path: &str| match path {
        "FBillTypeID.FNumber" => "RKD01_SYS",
        "FBillNo" => "IN-XSCKD000007",
        "FDate" => "2026-01-02T00:00:00",
        "FSupplierId.FNumber" => "C001",
        // Not sent: what is there is nobody's business.
        _ => "a colleague's note",
    };
    assert_eq!(differs(&body, &paths, there), []);
    let other = differs(&body, &paths, |path| if path == "FDate" { "2026-01-03T00:00:00" } else { there(path) });
    assert_eq!(other.len(), 1);
    assert_eq!(
        (other[0].path.as_str(), other[0].sent.as_str(), other[0].is.as_str()),
        ("FDate", "2026-01-02", "2026-01-03T00:00:00")
    );
    for (sent, is, same) in [
        ("1.50", "1.5000000000", true),
        ("true", "1", true),
        ("1.5", "1.51", false),
        ("007", "7", true),
        ("a", "A", false),
    ] {
        let body = format!("{{\"F\":{}}}", json!(sent));
        assert_eq!(differs(&body, &["F".to_owned()], |_| is).is_empty(), same, "{sent} {is}");
    }
}

#[test]
fn lines_differ_where_one_side_has_a_line_that_the_other_has_not_in_whatever_order_they_stand() {
    let list =
        Lines { list: "FEntry".into(), columns: vec!["FMaterialId.FNumber".into(), "FQty".into(), "FNote".into()] };
    let line = |no: &str, qty: &str| format!("{{\"FMaterialId\":{{\"FNumber\":\"{no}\"}},\"FQty\":{qty}}}");
    let body = format!("{{\"FBillNo\":\"A\",\"FEntry\":[{},{}]}}", line("M1", "2.50"), line("M2", "0.12345678901"));
    let row = |no: &str, qty: &str| vec![no.to_owned(), qty.to_owned(), "a colleague's note".to_owned()];
    // The ERP keeps ten decimals, and nobody sent a note.
    let same = [row("M2", "0.1234567890"), row("M1", "2.5")];
    assert_eq!(lines_differ(&body, &list, &same), None);
    for (there, sent, is) in [
        (vec![row("M1", "2.5")], "2: M2 0.123456789", "1"),
        (vec![row("M1", "2.5"), row("M1", "2.5")], "2: M2 0.123456789", "2: M1 2.5"),
        (vec![row("M2", "0.123456789"), row("M1", "2.51")], "2: M1 2.5", "2: M1 2.51"),
        (vec![], "2: M1 2.5", "0"),
    ] {
        let differs = lines_differ(&body, &list, &there).unwrap();
        assert_eq!((differs.path.as_str(), differs.sent.as_str(), differs.is.as_str()), ("FEntry", sent, is));
    }
    let two = format!("{{\"FEntry\":[{},{}]}}", line("M1", "1"), line("M1", "1"));
    assert_eq!(lines_differ(&two, &list, &[row("M1", "1")]).unwrap().is, "1");
    // Where one line leaves a field out, the ERP has a value of its own there.
    let partly = "{\"FEntry\":[{\"FQty\":1,\"FNote\":\"x\"},{\"FQty\":2}]}";
    let theirs = [vec![String::new(), "2".into(), "y".into()], vec![String::new(), "1".into(), "z".into()]];
    assert_eq!(lines_differ(partly, &list, &theirs), None);
}

#[test]
fn what_a_plan_names_to_be_compared_may_be_fields_of_its_lines() {
    let all = runnable(&plan(usual(), vec![], policy()));
    let lists = all.target.make.as_deref().unwrap().compared_lines();
    assert!(lists.len() == 1 && !lists[0].columns.is_empty(), "{lists:?}");
    let mut policy = policy();
    policy["compare"] = json!(["FDate", format!("{}.{}", lists[0].list, lists[0].columns[0])]);
    let some = runnable(&plan(usual(), vec![], policy));
    let make = some.target.make.as_deref().unwrap();
    assert_eq!(make.compared(), ["FDate"]);
    assert_eq!(make.compared_lines()[0].columns, lists[0].columns[..1]);
}

#[test]
fn texts_of_several_languages_become_pairs_and_json_stays_as_it_is() {
    let of = |parser: &str, note: &str| {
        let field = json!({"field": "FName", "type": "array", "value": "{{FNote}}", "parser": {"name": parser}});
        let mut request = usual();
        request[4] = field;
        let mut lines = LINES;
        for line in &mut lines {
            line[4] = note;
        }
        body(&runnable(&plan(request, vec![], policy())), &lines)
    };
    let names = "{\"2052\":\"轴\n承\",\"1033\":\"bearing\",\"007\":12345678901234567.890}";
    let made = of("ConvertJson", names).unwrap();
    let wanted = r#""FName":[{"Key":2052,"Value":"轴承"},{"Key":1033,"Value":"bearing"},{"Key":"007","Value":12345678901234567.890}]"#;
    assert!(made.contains(wanted), "{made}");
    assert!(of("ConvertJson", "[1]").unwrap_err().contains("FName: the value is no JSON object"));
    assert!(of("JsonParser", "[1]").unwrap().contains(r#""FName":[1]"#));
}

#[test]
fn two_stages_are_named_in_either_way_of_writing() {
    for parser in [
        json!({"name": "ConvertTwoStageObjectParser", "params": "value,phone"}),
        json!({"name": "ConvertTwoStageObjectParser", "params1": "value", "params2": "phone"}),
    ] {
        let mut request = usual();
        request[4] = json!({"field": "FTel", "type": "string", "value": "{{FNote}}", "parser": parser});
        let mut lines = LINES;
        for line in &mut lines {
            line[4] = "138";
        }
        let made = body(&runnable(&plan(request, vec![], policy())), &lines).unwrap();
        assert!(made.contains(r#""FTel":{"value":{"phone":"138"}}"#), "{made}");
    }
}

#[test]
fn base_data_is_made_and_never_changed_whatever_its_id_is_called() {
    for (form, id) in [("BD_MATERIAL", "FMATERIALID"), ("BD_STOCK", "FStockID"), ("BD_Empinfo", "FID")] {
        let with = |value: Value| {
            let request = vec![entry(id, "int", value), entry("FNumber", "string", json!("N-{{FBillNo}}"))];
            let mut plan = plan(request, vec![], json!({"key": {"number": "FNumber", "unique": true}}));
            plan["target"]["otherRequest"][0]["value"] = json!(form);
            plan
        };
        let refused = read(&with(json!("{{FID}}")));
        assert!(refused.blocking.iter().any(|problem| problem.to_string().contains("save over")), "{form}");
        // A zero is how clients say that there is none.
        assert_eq!(body(&runnable(&with(json!("0"))), &LINES).unwrap(), r#"{"FNumber":"N-XSCKD000007"}"#);
    }
}

#[test]
fn an_audit_that_does_not_look_for_workflows_is_one_of_bills_that_are_made_too() {
    let controls = vec![entry("IsVerifyProcInst", "bool", json!("false"))];
    let plan = runnable(&plan(usual(), controls, policy()));
    assert_eq!(plan.target.options.verify_proc_inst, Some(false));
}

#[test]
fn a_list_in_two_parts_is_one_list_and_compared_by_what_all_its_lines_hold() {
    let mut request = usual();
    request.push(json!({"field": "FInStockEntry", "type": "array", "value": "", "children": [
        wrapped("FMaterialId", "FREIGHT"),
        entry("FRealQty", "float", json!("1")),
    ]}));
    let plan = runnable(&plan(request, vec![], policy()));
    let made = body(&plan, &LINES).unwrap();
    assert!(
        made.ends_with(r#""FTaxPrice":13950617158395061.7158},{"FMaterialId":{"FNumber":"FREIGHT"},"FRealQty":1}]}"#),
        "{made}"
    );
    let lines = plan.target.make.as_deref().unwrap().mapping.comparable_lines();
    assert_eq!(lines.len(), 1);
    assert_eq!(lines[0].columns, ["FMaterialId.FNumber", "FRealQty", "FTaxPrice"]);
    let line = |material: &str, qty: &str| vec![material.to_owned(), qty.to_owned(), "9".to_owned()];
    let there = [line("M-1", "12.5"), line("FREIGHT", "1"), line("M-2", "3")];
    assert_eq!(lines_differ(&made, &lines[0], &there), None);
    assert!(lines_differ(&made, &lines[0], &there[..2]).is_some());
}

#[test]
fn a_list_in_a_line_is_of_that_line_and_has_no_rows_of_its_own() {
    let inner = |value: &str| {
        json!({"field": "FSerials", "type": "array", "value": value, "children": [
            entry("FOf", "string", json!("{{details.FEntity_FMaterialID_FNumber}}"))]})
    };
    let with = |value: &str| {
        let mut request = usual();
        request[5]["children"] = json!([entry("FRealQty", "float", json!("{{details.FRealQty}}")), inner(value)]);
        plan(request, vec![], policy())
    };
    let made = body(&runnable(&with("")), &LINES).unwrap();
    let wanted = r#"[{"FRealQty":12.5000000000,"FSerials":[{"FOf":"M-1"}]},{"FRealQty":3,"FSerials":[{"FOf":"M-2"}]}]"#;
    assert!(made.contains(wanted), "{made}");
    for named in ["details", "serials"] {
        let said: Vec<String> = read(&with(named)).blocking.iter().map(ToString::to_string).collect();
        assert!(said.iter().any(|said| said.contains("stands in the list `details`")), "{said:?}");
    }
}
