//! Plans that push: what is read, what is refused and with which words, what is sent and what is compared.

use serde_json::{Value, json};

use skydeck_core::domain::ids::{Fid, FormId, PlanId};
use skydeck_core::domain::operation::{Key, Operation};
use skydeck_core::domain::plan::Plan;
use skydeck_core::domain::step::Step;

use super::push::data;
use super::{Bodies, Held, Lookups, held_of};
use crate::render::RenderContext;
use crate::{PlanFile, inspect, rev};

const SHIPPED: &str = include_str!("../../../../plans/sal_outstock_to_receivable.json");

fn file(change: impl Fn(&mut Value)) -> PlanFile {
    let mut plan: Value = serde_json::from_str(SHIPPED).unwrap();
    change(&mut plan);
    inspect(PlanId::new("p"), &plan.to_string()).unwrap()
}

fn set(plan: &mut Value, field: &str, value: &Value) {
    let entries = plan["target"]["request"].as_array_mut().unwrap();
    entries.retain(|entry| entry["field"] != field);
    entries.push(json!({"field": field, "type": "string", "value": value}));
}

fn refused(change: impl Fn(&mut Value)) -> Vec<String> {
    file(change).blocking.iter().map(|error| format!("{}: {error}", error.field)).collect()
}

fn runnable(change: impl Fn(&mut Value)) -> Plan {
    let file = file(change);
    assert!(file.blocking.is_empty(), "{:?}", file.blocking);
    file.plan
}

fn body(plan: &Plan, (fid, no): (&str, &str), quantities: &[&str]) -> Result<super::body::Body, String> {
    let columns: Vec<String> = plan.source.columns.iter().map(|c| c.key.clone()).collect();
    let row = |quantity: &&str| {
        let of = |key: &String| if key == "FRealQty" { (*quantity).to_owned() } else { String::new() };
        columns.iter().map(of).collect::<Vec<String>>()
    };
    let rows: Vec<Vec<String>> = quantities.iter().map(row).collect();
    let make = plan.target.make.as_deref().unwrap();
    let lookups = Lookups::of(make, &plan.source);
    let bodies = Bodies::new(make, (&plan.source, &plan.target.form), RenderContext::probe(), &lookups);
    bodies.of((&Fid::new(fid), no), &rows, &columns).map_err(|fault| fault.to_string())
}

#[test]
fn the_usual_conversion_needs_no_more_than_its_name() {
    let plan = runnable(|plan| {
        plan["target"]["request"]
            .as_array_mut()
            .unwrap()
            .retain(|e| ["RuleId", "Operation"].contains(&e["field"].as_str().unwrap()));
        plan["skydeck"].as_object_mut().unwrap().remove("steps");
    });
    let op = Operation::of(&plan);
    let steps: Vec<Step> = op.steps.iter().map(|spec| spec.step).collect();
    assert_eq!(steps, [Step::Push, Step::Submit, Step::Audit]);
    assert_eq!((op.id.as_str(), plan.target.form.as_str()), ("Push:AR_receivable", "AR_receivable"));
    let rule = "AR_OutStockToReceivableMap".to_owned();
    let key = Key::Link { form: "AR_receivable".to_owned(), source_no: "FSourceBillNo".to_owned(), rule };
    assert_eq!(op.key, key);
    assert!(!op.key.repeats_alone(0) && op.key.makes());
    let quantity = plan.target.make.as_deref().and_then(|make| make.push.clone()).and_then(|push| push.quantity);
    assert_eq!(quantity.map(|q| (q.source, q.made)), Some(("FRealQty".to_owned(), "FPriceQty".to_owned())));
}

#[test]
fn what_is_sent_is_one_whole_record_by_the_rule_that_is_named() {
    let plan = runnable(|plan| set(plan, "TargetOrgId", &json!("100001")));
    let made = body(&plan, ("100101", " XSCKD000001 "), &["7", "2.50"]).unwrap();
    assert_eq!((made.key.as_str(), made.quantity.as_deref()), ("XSCKD000001", Some("9.5")));
    assert_eq!(
        made.text,
        r#"{"Ids":"100101","Numbers":[],"EntryIds":"","RuleId":"AR_OutStockToReceivableMap","TargetBillTypeId":"","TargetOrgId":100001,"TargetFormId":"AR_receivable","IsEnableDefaultRule":false,"IsDraftWhenSaveFail":false,"CustomParams":{}}"#
    );
    let conversion = plan.target.make.as_deref().unwrap().push.clone().unwrap();
    assert_eq!(made.text, data(&conversion, &FormId::new("AR_receivable"), &Fid::from(100_101)));
    for (id, no, quantities, words) in [
        ("7', '8", "N1", ["1"].as_slice(), "cannot stand in a call"),
        ("7", "", ["1"].as_slice(), "has no value"),
        ("7", "N1; --", ["1"].as_slice(), "cannot be looked for"),
        ("7", "N1", ["1", "about 2"].as_slice(), "`about 2` is not a number"),
        ("7", "N1", ["79228162514264337593543950335", "9"].as_slice(), "is not a number"),
    ] {
        let fault = body(&plan, (id, no), quantities).unwrap_err();
        assert!(fault.contains(words), "{id} {no} {quantities:?}: {fault}");
    }
}

#[test]
fn whatever_could_not_be_settled_is_refused_by_place_with_what_to_do() {
    for (change, place, words) in [
        (
            &(|plan: &mut Value| set(plan, "RuleId", &json!(""))) as &dyn Fn(&mut Value),
            "target.otherRequest",
            "no conversion rule",
        ),
        (
            &|plan| set(plan, "RuleId", &json!("AR_OutStockToReceivableMapp")),
            "skydeck.link",
            "did you mean `AR_OutStockToReceivableMap`",
        ),
        (&|plan| set(plan, "RuleId", &json!("a b; c")), "target.request", "`RuleId` a b; c is not sent"),
        (&|plan| set(plan, "RuleId", &json!("STK_InStock-PUR_MRB")), "target.otherRequest", "is of STK_InStock"),
        (&|plan| set(plan, "TargetFormId", &json!("AP_Payable")), "target.request", "is of AR_receivable, AP_Payable"),
        (&|plan| set(plan, "EntryIds", &json!("7,8")), "target.request", "only whole bills"),
        (&|plan| set(plan, "IsDraftWhenSaveFail", &json!("true")), "target.request", "a draft has no number"),
        (&|plan| set(plan, "Ids", &json!("100101")), "target.request", "not the record itself"),
        (&|plan| set(plan, "Numbers", &json!("{{FID}}")), "target.request", "not the record itself"),
        (&|plan| set(plan, "FormId", &json!("SAL_SaleOrder")), "target.request", "SAL_SaleOrder"),
        (&|plan| set(plan, "Creator", &json!("somebody")), "target.request", "`Creator` somebody is not sent"),
        (&|plan| plan["skydeck"]["batch"] = json!(20), "skydeck.batch", "one bill is pushed a call"),
        (
            &|plan| plan["skydeck"]["key"] = json!({"number": "FBillNo", "unique": true}),
            "skydeck.key",
            "found by `link`",
        ),
        (&|plan| plan["skydeck"]["steps"] = json!(["save", "submit"]), "skydeck.steps", "steps are save"),
        (&|plan| plan["skydeck"]["link"] = json!("FSourceBillNo"), "skydeck.link", "is no link"),
        (&|plan| plan["skydeck"]["link"] = json!({"quantity": ["FRealQty"]}), "skydeck.link", "is no link"),
        (
            &|plan| plan["skydeck"]["link"] = json!({"quantity": ["FRealQtty", "FPriceQty"]}),
            "skydeck.link.quantity",
            "did you mean `FRealQty`",
        ),
        (&|plan| plan["source"]["number"] = json!("FCustomerID.FNumber"), "skydeck.number", "by the bill number"),
        (
            &|plan| {
                plan["target"]["request"]
                    .as_array_mut()
                    .unwrap()
                    .retain(|e| e["field"] != "TargetFormId" && e["field"] != "RuleId")
            },
            "target.otherRequest",
            "no conversion rule",
        ),
    ] {
        let all = refused(change);
        let hit = all.iter().any(|error| error.starts_with(place) && error.contains(words));
        assert!(hit, "{place}, {words}: {all:?}");
    }
    let own = |plan: &mut Value| {
        set(plan, "RuleId", &json!("Own-Rule"));
        plan["skydeck"]["link"] = json!({"field": "F_OWN_No"});
    };
    let plan = runnable(own);
    let make = plan.target.make.as_deref().unwrap();
    assert_eq!((make.key.as_str(), make.push.as_ref().and_then(|push| push.quantity.clone())), ("F_OWN_No", None));
}

#[test]
fn a_plan_that_saves_knows_no_link_and_every_change_of_a_conversion_is_another_revision() {
    let save: Value = serde_json::from_str(include_str!("../../../../plans/sal_outstock_to_instock.json")).unwrap();
    for (key, value, words) in [
        ("link", json!({"field": "FSourceBillNo"}), "only for a plan that pushes"),
        ("steps", json!(["push"]), "steps are save"),
    ] {
        let mut plan = save.clone();
        plan["skydeck"][key] = value;
        let file = inspect(PlanId::new("p"), &plan.to_string()).unwrap();
        assert!(file.blocking.iter().any(|error| error.message().contains(words)), "{:?}", file.blocking);
    }
    let mut seen = vec![rev::of(&runnable(|_| {}))];
    for change in [
        &(|plan: &mut Value| set(plan, "TargetOrgId", &json!("7"))) as &dyn Fn(&mut Value),
        &|plan| set(plan, "TargetBillTypeId", &json!("YSD02_SYS")),
        &|plan| plan["skydeck"]["steps"] = json!(["push"]),
        &|plan| plan["skydeck"]["link"] = json!({"field": "FORDERNUMBER"}),
        &|plan| plan["skydeck"]["link"] = json!({"quantity": ["FRealQty", "FBASICUNITQTY"]}),
    ] {
        let revision = rev::of(&runnable(change));
        assert!(!seen.contains(&revision));
        seen.push(revision);
    }
}

#[test]
fn a_quantity_is_compared_as_a_number_and_never_through_a_float() {
    let held = |quantity: &str, lines: &[&str]| {
        let lines: Vec<String> = lines.iter().map(|line| (*line).to_owned()).collect();
        held_of(quantity, lines.iter()).0
    };
    assert_eq!(held("0.3", &["0.1", "0.2"]), Held::Whole);
    assert_eq!(held("9", &["9.0000000000"]), Held::Whole);
    assert_eq!(held("9007199254740993", &["9007199254740992"]), Held::Partly);
    assert_eq!(held("5", &["2", "", "2"]), Held::Partly);
    assert_eq!(held("5", &["5", "0.0001"]), Held::More);
    assert_eq!(held("-5", &["-5"]), Held::Whole);
    assert_eq!(held("5", &["many"]), Held::More);
    assert_eq!(held("5", &[]), Held::Partly);
    assert_eq!(held("5", &["79228162514264337593543950335", "9"]), Held::More);
}

#[test]
fn every_link_that_ships_names_a_rule_a_form_and_a_field() {
    let links = super::push::known();
    assert!(links.len() >= 6);
    for (rule, from, to, field) in links {
        assert!([&rule, &from, &to, &field].iter().all(|name| !name.is_empty()), "{rule}");
    }
}

#[test]
fn what_is_rendered_is_what_is_sent_and_of_a_bill_that_is_made_no_id() {
    let table = |text: &str| {
        let file = inspect(PlanId::new("p"), text).unwrap();
        let rows = crate::render::table(&file, &RenderContext::probe()).unwrap();
        let of_target =
            rows.into_iter().filter_map(|row| Some((row.field.strip_prefix("target.")?.to_owned(), row.value?)));
        of_target.collect::<Vec<(String, String)>>()
    };
    let has = |rows: &[(String, String)], name: &str, value: &str| rows.contains(&(name.to_owned(), value.to_owned()));
    let push = table(SHIPPED);
    assert!(has(&push, "FormId", "SAL_OUTSTOCK") && has(&push, "Ids", "<FID>"), "{push:?}");
    assert!(
        has(&push, "RuleId", "AR_OutStockToReceivableMap") && has(&push, "IsDraftWhenSaveFail", "false"),
        "{push:?}"
    );
    let save = table(include_str!("../../../../plans/sal_outstock_to_instock.json"));
    assert!(save.iter().all(|(name, _)| name != "Ids"), "{save:?}");
    assert!(has(&save, "FormId", "STK_InStock") && has(&save, "IsDeleteEntry", "false"), "{save:?}");
    assert!(has(&save, "FInStockEntry.FRealQty", "{{details.FRealQty}}"), "{save:?}");
}

#[test]
fn a_filter_that_looks_at_lines_is_refused_because_whole_bills_are_pushed() {
    let filter = |plan: &mut Value, text: &str| {
        for entry in plan["source"]["otherRequest"].as_array_mut().unwrap() {
            if entry["field"] == "FilterString" {
                entry["value"] = json!(text);
            }
        }
    };
    let of_lines = "FModifyDate>='{{LAST_SYNC_TIME|datetime}}' and FDocumentStatus='C' and FRealQty>0";
    let said = refused(|plan| filter(plan, of_lines));
    assert!(said.len() == 1 && said[0].contains("FRealQty") && said[0].contains("whole bills"), "{said:?}");
    let condition = json!([[{"field": "FRealQty", "logic": "gt", "value": "5"}]]);
    let said = refused(|plan| plan["source"]["condition"] = condition.clone());
    assert!(said.len() == 1 && said[0].contains("whole bills"), "{said:?}");
    runnable(|plan| filter(plan, "FDocumentStatus='C' and FStockOrgId.FNumber='100' or FNote='FRealQty>0'"));
}

#[test]
fn the_audit_of_what_is_pushed_looks_for_workflows_as_the_plan_says() {
    let plan = runnable(|plan| set(plan, "IsVerifyProcInst", &json!("false")));
    assert_eq!(plan.target.options.verify_proc_inst, Some(false));
    assert!(
        refused(|plan| set(plan, "IsVerifyProcInst", &json!("perhaps"))).iter().any(|said| said.contains("perhaps"))
    );
}
