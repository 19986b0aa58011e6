//! Plans that send, as they are read: what is taken, and what is refused by its place.

use serde_json::{Value, json};

use skydeck_core::domain::ids::PlanId;
use skydeck_core::domain::operation::{Key, Operation};
use skydeck_core::domain::plan::Plan;
use skydeck_core::domain::sending::{Is, Place};
use skydeck_core::domain::step::{Step, Verb};

use crate::{PlanFile, inspect, read};

fn file(change: impl Fn(&mut Value)) -> PlanFile {
    let mut plan = json!({
        "source": {
            "api": "executeBillQuery",
            "request": [
                {"field": "FID", "value": "FID"},
                {"field": "FBillNo", "value": "FBillNo"},
                {"field": "FMaterialID_FNumber", "value": "FMaterialID.FNumber"},
                {"field": "FRealQty", "value": "FRealQty"}
            ],
            "otherRequest": [
                {"field": "FormId", "value": "SAL_OUTSTOCK"},
                {"field": "FilterString", "value": "FModifyDate>='{{LAST_SYNC_TIME|datetime}}'"}
            ]
        },
        "target": {
            "api": "/open/orders/upload", "method": "POST",
            "request": [
                {"field": "so_id", "value": "{{FBillNo}}"},
                {"field": "Creator", "value": "me"},
                {"field": "id", "value": "7"},
                {"field": "lines", "type": "array", "value": "details", "children": [
                    {"field": "sku", "value": "{{details.FMaterialID_FNumber}}"},
                    {"field": "qty", "type": "float", "value": "{{details.FRealQty}}"}
                ]}
            ]
        },
        "skydeck": {
            "env": "erp", "target_env": "wms", "record": "order",
            "key": {"number": "so_id", "unique": true},
            "ok": [["code", "eq", 0]],
            "answer": {"rows": "$.data", "key": "so_id", "id": "o_id", "said": "msg"},
            "look": {"path": "/open/orders/{{key}}", "rows": "$.data", "absent_status": 404}
        }
    });
    change(&mut plan);
    inspect(PlanId::new("p"), &plan.to_string()).unwrap()
}

fn plan(change: impl Fn(&mut Value)) -> Plan {
    let file = file(change);
    assert_eq!(file.blocking, [], "{:?}", file.blocking);
    file.plan
}

#[test]
fn what_is_sent_is_read_from_the_vendors_form_and_from_ours() {
    let plan = plan(|_| {});
    let make = plan.target.make.as_deref().unwrap();
    let send = make.send.as_deref().unwrap();
    assert_eq!((plan.target.verb.clone(), plan.target.form.as_str()), (Verb::Send, "order"));
    assert_eq!((send.call.method.as_str(), send.call.path.as_str()), ("POST", "/open/orders/upload"));
    let names: Vec<&str> = make.mapping.fields.iter().map(|field| field.name.as_str()).collect();
    assert_eq!(names, ["so_id", "Creator", "id", "lines"], "no field of another system is a control of the ERP");
    assert_eq!(
        (send.ok[0].path.as_str(), send.ok[0].is, send.ok[0].values.as_slice()),
        ("$.code", Is::In, &["0".to_owned()][..])
    );
    assert_eq!((send.answer.key.as_str(), send.answer.id.as_deref()), ("$.so_id", Some("$.o_id")));
    assert_eq!((send.look.request.method.as_str(), send.look.names.key.as_str()), ("GET", "$.so_id"));
    assert_eq!(send.look.ok, send.ok, "a look is read by the same tests unless it has its own");
    let op = Operation::of(&plan);
    assert_eq!((op.id.as_str(), op.steps.len(), op.steps[0].step), ("Send:order", 1, Step::Send));
    assert_eq!(op.key, Key::Number { field: "so_id".into(), unique: true });
    assert!(!make.is_own_number(), "the system's own number is another one");
}

#[test]
fn a_token_and_a_number_of_our_own_are_told_by_the_plan() {
    let with = plan(|plan| plan["skydeck"]["token"] = json!({"header": "Idempotency-Key", "keeps": "24h"}));
    let place = Place::Header("Idempotency-Key".into()).to_string();
    assert_eq!(Operation::of(&with).key, Key::Token { field: "so_id".into(), place, keeps_secs: 86_400 });
    let own = plan(|plan| plan["skydeck"]["answer"]["no"] = json!("so_id"));
    assert!(own.target.make.unwrap().is_own_number(), "the answer tells whether the number was kept");
    let open = plan(|plan| plan["skydeck"]["key"] = json!({"source": "so_id"}));
    assert_eq!(Operation::of(&open).key, Key::Source { field: "so_id".into() });
}

#[test]
fn what_changes_what_is_sent_or_believed_changes_the_revision() {
    let plain = plan(|_| {}).rev;
    let of: [fn(&mut Value); 8] = [
        |plan| plan["target"]["api"] = json!("/open/orders/create"),
        |plan| plan["skydeck"]["ok"] = json!([["code", "eq", "200"]]),
        |plan| plan["skydeck"]["answer"]["rows"] = json!("$.data[*]"),
        |plan| plan["skydeck"]["look"]["path"] = json!("/v2/orders/{{key}}"),
        |plan| plan["skydeck"]["look"]["lag"] = json!("30s"),
        |plan| plan["skydeck"]["call"] = json!({"body": {"orders": ["{{body}}"]}}),
        |plan| plan["skydeck"]["token"] = json!({"field": "request_id", "keeps": "10m"}),
        |plan| plan["skydeck"]["record"] = json!("shipment"),
    ];
    let mut all: Vec<_> = of.into_iter().map(|change| plan(change).rev).collect();
    all.push(plain);
    let n = all.len();
    all.sort();
    all.dedup();
    assert_eq!(all.len(), n);
}

#[test]
fn what_is_missing_or_cannot_be_is_named_by_its_place() {
    type Change = fn(&mut Value);
    let cases: [(Change, &str, &str); 27] = [
        (|p| drop(p["skydeck"].as_object_mut().unwrap().remove("look")), "skydeck.look", "needs skydeck.look"),
        (|p| drop(p["skydeck"].as_object_mut().unwrap().remove("ok")), "skydeck.ok", "needs skydeck.ok"),
        (|p| drop(p["skydeck"].as_object_mut().unwrap().remove("answer")), "skydeck.answer", "needs skydeck.answer"),
        (|p| drop(p["skydeck"].as_object_mut().unwrap().remove("record")), "skydeck.record", "needs skydeck.record"),
        (|p| drop(p["skydeck"].as_object_mut().unwrap().remove("key")), "target.request", "skydeck.key"),
        (|p| p["skydeck"]["look"] = json!({"path": "/orders", "rows": "$.data"}), "skydeck.look", "asks for no record"),
        (|p| p["skydeck"]["look"]["path"] = json!("https://wms.invalid/x"), "skydeck.look.path", "is an address"),
        (|p| p["skydeck"]["look"]["path"] = json!("orders/{{key}}"), "skydeck.look.path", "is no path"),
        (|p| p["skydeck"]["look"]["path"] = json!("/a/../{{key}}"), "skydeck.look.path", "is no path"),
        (|p| p["skydeck"]["look"]["rows"] = json!("$.data["), "skydeck.look.rows", "no path of an answer"),
        (|p| p["skydeck"]["look"]["row"] = json!("$.data"), "skydeck.look.row", "unknown key `row`"),
        (|p| p["skydeck"]["look"]["method"] = json!("DELETE"), "skydeck.look.method", "no method"),
        (|p| p["skydeck"]["look"]["absent_status"] = json!(500), "skydeck.look.absent_status", "no HTTP status"),
        (|p| p["skydeck"]["look"]["query"] = json!({"a": "{{so_id}}"}), "skydeck.look", "nothing fills the hole"),
        (|p| p["skydeck"]["look"]["pages"] = json!({"size": 50}), "skydeck.look.pages", "has no {{page}}"),
        (|p| p["skydeck"]["look"]["pages"] = json!({"size": 0}), "skydeck.look.pages.size", "whole number from 1"),
        (
            |p| p["skydeck"]["look"]["headers"] = json!({"Authorization": "Bearer x"}),
            "skydeck.look.headers.Authorization",
            "says who we are",
        ),
        (|p| p["skydeck"]["call"] = json!({"body": {"a": 1}}), "skydeck.call.body", "0 times"),
        (|p| p["skydeck"]["call"] = json!({"body": ["{{body}}", "{{body}}"]}), "skydeck.call.body", "2 times"),
        (|p| p["skydeck"]["call"] = json!({"method": "GET"}), "target.method", "no method"),
        (|p| p["skydeck"]["ok"] = json!([["code", "is", 0]]), "skydeck.ok[0]", "no test"),
        (|p| p["skydeck"]["ok"] = json!([["code", "eq"]]), "skydeck.ok[0]", "no value"),
        (|p| p["skydeck"]["token"] = json!({"header": "X"}), "skydeck.token", "cannot be read here"),
        (|p| p["skydeck"]["batch"] = json!(2), "skydeck.batch", "one record"),
        (|p| p["skydeck"]["steps"] = json!(["save", "submit"]), "skydeck.steps", "is not for a plan that sends"),
        (
            |p| p["target"]["otherRequest"] = json!([{"field": "shop", "value": "7"}]),
            "target.otherRequest[0].value",
            "otherRequest",
        ),
        (|p| p["target"]["api"] = json!("https://wms.invalid/orders"), "target.api", "is an address"),
    ];
    for (change, place, words) in cases {
        let file = file(change);
        let found = file.blocking.iter().find(|error| error.field == place && error.to_string().contains(words));
        let found = found.unwrap_or_else(|| panic!("{place} {words}: {:#?}", file.blocking));
        let zh = found.in_chinese();
        assert!(zh.starts_with("第 ") && zh.chars().filter(|c| !c.is_ascii()).count() > 8, "{zh}");
    }
}

#[test]
fn keys_of_plans_that_send_are_refused_elsewhere() {
    let audit = json!({
        "source": {"api": "executeBillQuery", "request": [{"field": "FID", "value": "FID"}],
            "otherRequest": [{"field": "FormId", "value": "SAL_OUTSTOCK"}, {"field": "FilterString", "value": "FDocumentStatus='B'"}]},
        "target": {"api": "Audit"},
        "skydeck": {"record": "order", "look": {"path": "/x/{{key}}", "rows": "$.data"}}
    });
    let error = read(PlanId::new("p"), &audit.to_string()).unwrap_err().to_string();
    assert!(error.contains("only for a plan that sends records"), "{error}");
}
