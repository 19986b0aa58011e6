//! `skydeck.done` and `skydeck.mine`: what is read, what is refused and where, what it means for the revision, what lint says.
use serde_json::{Value, json};

use skydeck::domain::ids::{FormId, PlanId};
use skydeck::domain::operation::{Operation, Test};
use skydeck::domain::reason::Reason;
use skydeck::domain::step::Verb;
use skydeck::plan::lint::{Hazard, Severity, urgent};
use skydeck::plan::render::{self, RenderContext};
use skydeck::plan::{self, PlanError, PlanFile};

/// A plan that calls `call` on outstock bills.
fn text(call: &str, filter: &str, skydeck: &Value) -> String {
    let target = match call {
        "Audit" | "Submit" => json!({"api": call, "request": []}),
        name => json!({"api": "excuteOperation", "request": [{"field": "Operation", "value": name}]}),
    };
    serde_json::to_string_pretty(&json!({
        "source": {
            "api": "executeBillQuery",
            "request": [{"field": "FID", "value": "FID"}, {"field": "FBillNo", "value": "FBillNo"},
                {"field": "FDocumentStatus", "value": "FDocumentStatus"}],
            "otherRequest": [{"field": "FormId", "value": "SAL_OUTSTOCK"}, {"field": "FilterString", "value": filter},
                {"field": "OrderString", "value": "FID"}],
        },
        "target": target,
        "skydeck": skydeck,
    }))
    .unwrap()
}

fn inspect(text: &str) -> PlanFile {
    plan::inspect(PlanId::new("p"), text).unwrap()
}

fn close(skydeck: &Value) -> PlanFile {
    inspect(&text("BillClose", "FDocumentStatus='C'", skydeck))
}

fn is_in(path: &str, values: &[&str]) -> Test {
    Test::In(path.to_owned(), values.iter().map(|v| (*v).to_owned()).collect())
}

fn line_of(file: &PlanFile, needle: &str) -> usize {
    file.text.lines().position(|l| l.contains(needle)).unwrap() + 1
}

#[test]
fn conditions_are_read_in_each_shape() {
    for (done, want) in [
        (json!([["FCloseStatus", "in", "B"]]), vec![is_in("FCloseStatus", &["B"])]),
        (json!([["FCloseStatus", "IN", "B, C"]]), vec![is_in("FCloseStatus", &["B", "C"])]),
        (json!([["FCloseStatus", "in", "B，C"]]), vec![is_in("FCloseStatus", &["B", "C"])]),
        (json!([["FCloseStatus", "in", ["B", "C", "b"]]]), vec![is_in("FCloseStatus", &["B", "C"])]),
        (json!([["FCloseStatus", "in", "B", "C"]]), vec![is_in("FCloseStatus", &["B", "C"])]),
        (json!([["FState", "eq", 1]]), vec![is_in("FState", &["1"])]),
        (json!([["FNote", "eq", "a, b"]]), vec![is_in("FNote", &["a, b"])]),
        (json!([["F_Who.FName", "eq", ["x"]]]), vec![is_in("F_Who.FName", &["x"])]),
        (
            json!([["FDocumentStatus", "eq", "C"], ["FCloseStatus", "in", "B"]]),
            vec![is_in("FDocumentStatus", &["C"]), is_in("FCloseStatus", &["B"])],
        ),
        (json!([["FX", "in", "A,B"], ["fx", "in", "b,c"]]), vec![is_in("FX", &["A", "B"]), is_in("fx", &["b", "c"])]),
    ] {
        let file = close(&json!({"done": done, "mine": "FCloserId.FName"}));
        let policy = &file.runnable().unwrap_or_else(|e| panic!("{done}: {e}")).policy;
        assert_eq!((&policy.done, policy.mine.as_deref()), (&want, Some("FCloserId.FName")), "{done}");
        let steps = Operation::of(&file.plan).steps;
        assert_eq!(steps[0].effect.done, want);
    }
}

#[test]
fn what_cannot_be_a_condition_is_named_with_its_place_and_an_example() {
    let long = "x".repeat(257);
    let nine: Vec<Value> = (0..9).map(|n| json!([format!("F{n}"), "in", "B"])).collect();
    let many: Vec<String> = (0..65).map(|n| n.to_string()).collect();
    for (skydeck, field, en, zh) in [
        (json!({"done": "FCloseStatus=B"}), "skydeck.done", "not a list of conditions", "不是条件列表"),
        (json!({"done": {"FCloseStatus": "B"}}), "skydeck.done", "not a list of conditions", "不是条件列表"),
        (json!({"done": ["FCloseStatus", "in", "B"]}), "skydeck.done", "brackets of its own", "再加一层方括号"),
        (json!({"done": []}), "skydeck.done", "0 conditions", "0 个条件"),
        (json!({"done": nine}), "skydeck.done", "9 conditions: 1 to 8", "9 个条件"),
        (json!({"done": [["FCloseStatus"]]}), "skydeck.done[0]", "not a condition", "不是条件"),
        (json!({"done": [7]}), "skydeck.done[0]", "not a condition", "不是条件"),
        (json!({"done": [["exists"]]}), "skydeck.done[0]", "`exists` shows nothing", "操作前后单据都存在"),
        (json!({"done": [["FBillNo", "exists"]]}), "skydeck.done[0]", "`exists` shows nothing", "操作前后单据都存在"),
        (json!({"done": [["F Close", "in", "B"]]}), "skydeck.done[0][0]", "not a field path", "不是字段路径"),
        (json!({"done": [[null, "in", "B"]]}), "skydeck.done[0][0]", "not a field path", "不是字段路径"),
        (json!({"done": [["FEntity_FClose", "in", "B"]]}), "skydeck.done[0][0]", "first line alone", "分录字段"),
        (
            json!({"done": [["FX", "in", "B"], ["FX", "neq", "A"]]}),
            "skydeck.done[1][1]",
            "known are `in` and `eq`",
            "可用",
        ),
        (json!({"done": [["FX", "=", "A"]]}), "skydeck.done[0][1]", "did you mean `eq`?", "是不是 `eq`"),
        (json!({"done": [["FX", "ins", "A"]]}), "skydeck.done[0][1]", "did you mean `in`?", "是不是 `in`"),
        (json!({"done": [["FX", "in"]]}), "skydeck.done[0][2]", "names no value", "没有写出"),
        (json!({"done": [["FX", "in", []]]}), "skydeck.done[0][2]", "names no value", "没有写出"),
        (json!({"done": [["FX", "in", "A,,B"]]}), "skydeck.done[0][2]", "an empty value", "值为空"),
        (json!({"done": [["FX", "eq", " "]]}), "skydeck.done[0][2]", "an empty value", "值为空"),
        (json!({"done": [["FX", "eq", "A", "B"]]}), "skydeck.done[0][2]", "write `in`", "请写 `in`"),
        (json!({"done": [["FX", "in", {"v": 1}]]}), "skydeck.done[0][2]", "no value of a field", "不是字段的值"),
        (json!({"done": [["FX", "in", 1.5]]}), "skydeck.done[0][2]", "no value of a field", "不是字段的值"),
        (json!({"done": [["FX", "in", long]]}), "skydeck.done[0][2]", "more than 256", "超过 256"),
        (json!({"done": [["FX", "in", many]]}), "skydeck.done[0][2]", "65 values", "65 个值"),
        (json!({"done": [["FX", "in", "{{FBillNo}}"]]}), "skydeck.done[0][2]", "as it is written", "按原样比较"),
        (json!({"done": [["FX", "in", "A\u{1b}"]]}), "skydeck.done[0][2]", "as it is written", "按原样比较"),
        (json!({"done": [["FX", "in", "A"], ["fx", "in", "B"]]}), "skydeck.done[1]", "no value of fx", "永远不会"),
        (json!({"done": [["FX", "in", "A"]], "mine": "who"  , "mined": 1}), "skydeck.mined", "unknown key `mined`", ""),
        (json!({"done": [["FX", "in", "A"]], "mine": "F Who"}), "skydeck.mine", "who did it", "操作人"),
        (json!({"done": [["FX", "in", "A"]], "mine": 7}), "skydeck.mine", "who did it", "操作人"),
    ] {
        let file = close(&skydeck);
        let e: &PlanError = file.runnable().expect_err(&skydeck.to_string());
        assert_eq!(e.field, field, "{skydeck}: {e}");
        assert!(e.message().contains(en), "{skydeck}: {e}");
        assert!(!e.hint().is_empty(), "{skydeck}: {e}");
        if !zh.is_empty() {
            let said = e.in_chinese();
            assert!(said.contains(zh) && said.contains(field) && said.contains("例如 \""), "{skydeck}: {said}");
        }
        assert_eq!(e.problem.reason(), None, "one finding: a `done` that cannot be read is not also missing");
        assert!(file.blocking.iter().all(|e| e.problem.reason().is_none()), "{skydeck}: {:?}", file.blocking);
    }
    assert!(close(&json!({"dones": [["FX", "in", "A"]]})).blocking.iter().any(|e| e.hint() == "did you mean `done`?"));
}

#[test]
fn an_operation_that_shows_nothing_refuses_with_what_to_add() {
    for (name, add) in [
        ("BillClose", r#""skydeck": {"done": [["FCloseStatus", "in", "B"]]}"#),
        ("billclose", r#""skydeck": {"done": [["FCloseStatus", "in", "B"]]}"#),
        ("Forbid", r#""skydeck": {"done": [["FForbidStatus", "in", "B"]]}"#),
        ("Enable", r#""skydeck": {"done": [["FForbidStatus", "in", "A"]]}"#),
        ("Confirm", r#""skydeck": {"done": [["FIELD", "in", "VALUE"]]}"#),
    ] {
        for skydeck in [json!({}), json!({"done": null}), json!({"mine": "FCloserId.FName"}), json!({"submit": true})] {
            let file = inspect(&text(name, "FDocumentStatus='C'", &skydeck));
            let e = file.runnable().expect_err(name);
            assert_eq!((e.field.as_str(), e.line), ("target.request[0].value", line_of(&file, name)), "{e}");
            assert!(e.message().contains(name) && e.hint() == add, "{e}");
            let reason = Reason::NoEffect { plan: PlanId::new("p"), operation: name.to_owned(), rev: None };
            assert_eq!(e.problem.reason().as_ref(), Some(&reason));
            for said in [reason.en(), reason.zh(), e.in_chinese(), e.to_string()] {
                assert!(said.contains(add) && said.contains(name), "{said}");
            }
            let hazards = plan::lint(&file);
            let refusal = hazards.iter().find(|h| h.severity == Severity::Refuses).unwrap();
            assert!(refusal.message_zh.contains("没有说明怎样看出单据已完成"), "{refusal:?}");
            assert_eq!(refusal.mend.as_deref(), Some(add));
        }
    }
}

#[test]
fn what_audit_and_submit_lead_to_is_not_declared() {
    for call in ["Audit", "Submit"] {
        let declared = json!({"done": [["FDocumentStatus", "in", "C"]], "mine": "FApproverId.FName"});
        let file = inspect(&text(call, "FDocumentStatus='B'", &declared));
        let said: Vec<(&str, String)> = file.blocking.iter().map(|e| (e.field.as_str(), e.message())).collect();
        assert_eq!(said.len(), 2, "{said:?}");
        for ((field, message), key) in said.into_iter().zip(["done", "mine"]) {
            assert_eq!(field, format!("skydeck.{key}"));
            assert!(message.contains(call) && message.contains("leave") && message.contains(key), "{message}");
        }
        assert!(inspect(&text(call, "FDocumentStatus='A'", &json!({"done": null, "mine": null}))).runnable().is_ok());
    }
    let by_name =
        text("Confirm", "FDocumentStatus='B'", &json!({"done": [["FX", "in", "B"]]})).replace("Confirm", "Audit");
    assert!(inspect(&by_name).blocking[0].message().contains("Audit"), "the operation named Audit is Audit");
}

#[test]
fn the_effect_is_part_of_the_revision_only_where_it_is_given() {
    let rev = |skydeck: Value| close(&skydeck).plan.rev;
    let plain = rev(json!({}));
    assert_eq!(plain, rev(json!({"done": null})));
    let declared = rev(json!({"done": [["FCloseStatus", "in", "B,C"]]}));
    assert_ne!(plain, declared);
    for same in [json!([["FCloseStatus", "in", ["C", "B"]]]), json!([["FCloseStatus", "in", "B", "C", "c"]])] {
        assert_eq!(declared, rev(json!({"done": same})), "{same}");
    }
    let two = |a: Value, b: Value| rev(json!({"done": [a, b]}));
    let (a, b) = (json!(["FX", "eq", "1"]), json!(["FY", "in", "2"]));
    assert_eq!(two(a.clone(), b.clone()), two(b, a), "all hold, in any order");
    assert_ne!(declared, rev(json!({"done": [["FCloseStatus", "in", "B"]]})));
    assert_ne!(declared, rev(json!({"done": [["FCloseStatus", "in", "B,C"]], "mine": "FCloserId.FName"})));

    let (old, new) =
        (close(&json!({})), close(&json!({"done": [["FCloseStatus", "in", "B"]], "mine": "FCloserId.FName"})));
    let changes = plan::diff(&old, &new);
    let fields: Vec<(&str, Option<&Value>)> = changes.iter().map(|c| (c.field.as_str(), c.after.as_ref())).collect();
    let (done, mine) = (json!([["FCloseStatus", "in", "B"]]), json!("FCloserId.FName"));
    assert_eq!(fields, [("policy.done", Some(&done)), ("policy.mine", Some(&mine))]);
    let effective = plan::effective(&new.plan);
    assert_eq!(effective.pointer("/policy/done"), Some(&done));
    assert_eq!(effective.pointer("/target/call"), Some(&json!("excuteOperation BillClose")));
    assert_eq!(plan::effective(&old.plan).pointer("/policy/done"), None);

    let context = RenderContext {
        last_sync: None,
        now: "2025-06-15T12:30:00".parse().unwrap(),
        zone_minutes: 480,
        page_size: 10,
        open: false,
    };
    let rows = render::table(&new, &context).unwrap();
    let row = |field: &str| rows.iter().find(|r| r.field == field).unwrap().value.clone().unwrap();
    assert_eq!(row("skydeck.done"), r#"[["FCloseStatus","in","B"]]"#);
    assert_eq!((row("skydeck.mine"), row("target.Operation")), ("FCloserId.FName".to_owned(), "BillClose".to_owned()));
}

fn hazards(call: &str, filter: &str, skydeck: &Value) -> Vec<Hazard> {
    let file = inspect(&text(call, filter, skydeck));
    assert!(file.runnable().is_ok(), "{call} {filter}: {:?}", file.blocking);
    plan::lint(&file).into_iter().filter(|h| h.severity == Severity::Warning).collect()
}

#[test]
fn a_filter_that_leaves_the_call_nothing_to_do_is_said() {
    let closed = json!({"done": [["FCloseStatus", "in", "B"]]});
    let both = json!({"done": [["FDocumentStatus", "in", "C"], ["FCloseStatus", "in", "B"]]});
    let none = json!({});
    let submit = json!({"submit": true});
    for (call, filter, skydeck, want) in [
        ("BillClose", "FCloseStatus='B'", &closed, Some(17)),
        ("BillClose", "fclosestatus in ('b') and FDocumentStatus='C'", &closed, Some(17)),
        ("BillClose", "FDocumentStatus='C' and FCloseStatus='A'", &closed, None),
        ("BillClose", "FCloseStatus<>'A'", &closed, None),
        ("BillClose", "FCloseStatus in ('A','B')", &closed, None),
        ("BillClose", "FCloseStatus='B' or FDate>'2026-01-01'", &closed, None),
        ("BillClose", "not FCloseStatus='B'", &closed, None),
        ("BillClose", "FCloseStatus='B'", &both, None),
        ("BillClose", "FCloseStatus='B' and FDocumentStatus='C'", &both, Some(17)),
        ("Submit", "FDocumentStatus in ('B','C')", &none, Some(18)),
        ("Submit", "FDocumentStatus='C'", &none, Some(18)),
        ("Submit", "FDocumentStatus in ('A','B')", &none, None),
        ("Submit", "FDocumentStatus<>'C'", &none, None),
        ("Submit", "FDocumentStatus in ('Z','A','D')", &none, None),
        ("Submit", "FDate>'2026-01-01'", &none, None),
        ("Audit", "FDocumentStatus='A'", &none, Some(18)),
        ("Audit", "FDocumentStatus='B' and FDocumentStatus='C'", &none, Some(18)),
        ("Audit", "FDocumentStatus='B'", &none, None),
        ("Audit", "FDocumentStatus='A' or FDocumentStatus='B'", &none, None),
        ("Audit", "FDocumentStatus=FOther", &none, None),
        ("Audit", "FDocumentStatus='A'", &submit, None),
        ("Audit", "FDocumentStatus='C'", &submit, Some(18)),
        ("Audit", "FID in (select FID from T where FDocumentStatus='C')", &none, None),
    ] {
        let found = hazards(call, filter, skydeck);
        let of_effect: Vec<&Hazard> = found.iter().filter(|h| matches!(h.number, 17 | 18)).collect();
        assert_eq!(of_effect.first().map(|h| h.number), want, "{call} {filter}: {found:?}");
        if let Some(hazard) = of_effect.first() {
            assert!(hazard.mend.is_some(), "{hazard:?}");
            assert!(hazard.message_zh.contains("不会调用任何单据"), "{hazard:?}");
            assert!(found.iter().all(|h| h.number != 1), "said once: {found:?}");
        }
    }
}

#[test]
fn a_caption_where_the_field_holds_a_code_is_said() {
    for (done, number) in [
        (json!([["FDocumentStatus", "in", "X"]]), Some(17)),
        (json!([["FCloseStatus", "in", "已关闭"]]), Some(17)),
        (json!([["FDocumentStatus", "in", "b,C"]]), None),
        (json!([["FCloseStatus", "in", "B"]]), None),
        (json!([["F_Note", "in", "已关闭"]]), None),
    ] {
        let found = hazards("BillClose", "FDate>'2026-01-01'", &json!({"done": done}));
        assert_eq!(found.iter().find(|h| h.number == 17).map(|h| h.number), number, "{done}: {found:?}");
    }
}

#[test]
fn new_plans_select_what_their_call_can_act_on() {
    let operation = |name: &str| Verb::Operation(name.to_owned());
    for (form, verb, filter, done, id, number) in [
        ("SAL_OUTSTOCK", Verb::Audit, "FDocumentStatus='B'", None, "FID", "FBillNo"),
        ("SAL_OUTSTOCK", Verb::Submit, "FDocumentStatus in ('Z','A','D')", None, "FID", "FBillNo"),
        (
            "SAL_OUTSTOCK",
            operation("BillClose"),
            "FDocumentStatus='C' and FCloseStatus='A'",
            Some(("FCloseStatus", "B")),
            "FID",
            "FBillNo",
        ),
        (
            "PUR_PriceCategory",
            operation("Forbid"),
            "FDocumentStatus='C' and FForbidStatus='A'",
            Some(("FForbidStatus", "B")),
            "FID",
            "FNumber",
        ),
        (
            "BD_MATERIAL",
            operation("Enable"),
            "FDocumentStatus='C' and FForbidStatus='B'",
            Some(("FForbidStatus", "A")),
            "FMATERIALID",
            "FNumber",
        ),
    ] {
        let text = plan::new_plan(&FormId::new(form), None, &verb, false);
        let file = plan::read(PlanId::new("p"), &text).unwrap();
        let source = &file.plan.source;
        assert!(source.filter.ends_with(&format!("and {filter}")), "{}", source.filter);
        assert_eq!((source.id_path.as_str(), source.number_path.as_str()), (id, number), "{form}");
        let done: Vec<Test> = done.into_iter().map(|(path, value)| is_in(path, &[value])).collect();
        assert_eq!(file.plan.policy.done, done);
        let may_run = file.notes.iter().filter(|n| !n.message.contains("must allow")).count();
        assert_eq!((may_run, urgent(&plan::lint(&file))), (0, 0), "{form} {verb:?}: {:?}", file.notes);
    }
    let own = plan::new_operation(&FormId::new("X_Bill"), None, "Confirm", "F_State", "it's");
    let file = plan::read(PlanId::new("p"), &own).unwrap();
    assert!(
        file.plan.source.filter.ends_with("and FDocumentStatus='C' and F_State<>'it''s'"),
        "{}",
        file.plan.source.filter
    );
    assert_eq!(file.plan.policy.done, [is_in("F_State", &["it's"])]);
}
