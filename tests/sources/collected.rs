//! Plans that only collect, and look-ups in what they read.

use serde_json::{Value, json};

use super::{PLAN, in_chinese, lines, made, making, place, put, said};

/// A plan that reads outstocks with their lines and calls nothing.
fn collecting() -> Value {
    json!({
        "name": "partners",
        "source": {
            "api": "executeBillQuery", "id": "FID", "number": "FBillNo",
            "request": [
                {"field": "FID", "value": "FID"}, {"field": "FBillNo", "value": "FBillNo"},
                {"field": "FCustomerID_FNumber", "value": "FCustomerID.FNumber"},
                {"field": "FMaterialID_FNumber", "value": "FMaterialID.FNumber"},
                {"field": "FRealQty", "value": "FRealQty"},
            ],
            "otherRequest": [
                {"field": "FormId", "value": "SAL_OUTSTOCK"},
                {"field": "FilterString", "value": "FModifyDate>='{{LAST_SYNC_TIME|datetime}}' and FDocumentStatus='C'"},
            ],
        },
        "skydeck": {"collect": true},
    })
}

/// The plan that makes receipts, with a note that is looked up.
fn looking(value: &str) -> Value {
    let mut plan = making();
    let request = plan["target"]["request"].as_array_mut().unwrap();
    request.push(json!({"field": "FNote", "type": "string", "value": value}));
    plan
}

const BY_NUMBER: &str = "_findCollection find FCustomerID_FNumber from partners where FBillNo={{FBillNo}}";

#[test]
fn a_plan_without_a_target_reads_keeps_and_calls_nothing() {
    let place = place();
    put(&place, "partners.json", &collecting().to_string());
    let out = place.verb(&["run", "partners", "--sweep", "--json"]);
    let sum = lines(&out).pop().unwrap_or_else(|| panic!("{}", said(&out)));
    assert_eq!(out.status.code(), Some(0), "{sum}");
    assert_eq!(
        (&sum["state"], &sum["operation"], &sum["found"], &sum["sum_closes"]),
        (&json!("collected"), &json!("Collect"), &json!(8), &json!(true)),
        "{sum}"
    );
    assert!(place.audits().is_empty() && made(&place).is_empty());
    for (out, words) in [
        (place.verb(&["history"]), "collected"),
        (place.verb(&["run", "partners", "--sweep"]), "kept for look-ups, nothing was called"),
        (in_chinese(&place, &["run", "partners", "--sweep"]), "已留存供查找，未作任何调用"),
        (place.verb(&["plan", "list"]), "Collect"),
        (place.verb(&["history", "--filter", "state:collected"]), "partners"),
    ] {
        assert!(said(&out).contains(words), "{words}: {}", said(&out));
        assert!(!said(&out).contains("audited") && !said(&out).contains("审核"), "{}", said(&out));
    }
    // A collected record is in nobody's way: nothing is unresolved, and nothing waits for an approval.
    assert!(lines(&place.verb(&["ledger", "--json"])).iter().all(|line| line["type"] != "bill"));
    let preview = lines(&place.verb(&["plan", "preview", "partners", "--json"])).remove(0);
    assert_eq!((&preview["callable"], &preview["runnable"]), (&json!(0), &json!(true)), "{preview}");
}

#[test]
fn a_forgotten_target_is_a_fault_and_a_collecting_plan_says_nothing_of_calls() {
    let place = place();
    for (change, words) in [
        (json!({}), "target"),
        (json!({"collect": true, "submit": true}), "`submit` is not for a plan that only collects"),
        (json!({"collect": true, "key": {"number": "FBillNo"}}), "`key` is not for a plan that only collects"),
        (json!({"collect": true, "done": [["FX", "in", "1"]]}), "`done` is not for a plan that only collects"),
        (json!({"collect": "perhaps"}), "perhaps"),
    ] {
        let mut plan = collecting();
        plan["skydeck"] = change;
        put(&place, "partners.json", &plan.to_string());
        let out = place.verb(&["plan", "lint", "partners"]);
        assert!(out.status.code() == Some(2) && said(&out).contains(words), "{words}: {}", said(&out));
    }
    let mut plan = making();
    plan["skydeck"]["collect"] = json!(true);
    put(&place, "partners.json", &plan.to_string());
    let out = place.verb(&["plan", "lint", "partners"]);
    assert!(said(&out).contains("its target calls batchSave"), "{}", said(&out));
    // As the vendor writes it.
    let mut plan = collecting();
    plan["skydeck"] = json!({});
    plan["target"] = json!({"api": "写入空操作"});
    put(&place, "partners.json", &plan.to_string());
    assert_eq!(place.verb(&["plan", "lint", "partners"]).status.code(), Some(0));
}

#[test]
fn a_look_up_rests_on_what_the_other_plan_read_and_names_what_it_did_not() {
    let place = place();
    put(&place, "partners.json", &collecting().to_string());
    put(&place, &format!("{PLAN}.json"), &looking(BY_NUMBER).to_string());
    // Nothing was read yet.
    let out = place.verb(&["run", PLAN, "--yes", "--sweep"]);
    assert_eq!(out.status.code(), Some(4), "{}", said(&out));
    assert!(said(&out).contains("skydeck run partners --sweep"), "{}", said(&out));
    assert_eq!(place.verb(&["run", "partners", "--sweep"]).status.code(), Some(0));
    let preview = lines(&place.verb(&["plan", "preview", PLAN, "--json"])).remove(0);
    assert_eq!((&preview["unmade"], &preview["callable"]), (&json!(0), &json!(8)), "{preview}");
    let note = preview["samples"][0]["body"]["FNote"].as_str().unwrap().to_owned();
    assert!(note.starts_with("CUST"), "{preview}");
    // A record that the other plan leaves out refuses those that ask for it, and no others.
    let first = preview["samples"][0]["number"].as_str().unwrap().to_owned();
    let mut narrow = collecting();
    narrow["source"]["otherRequest"][1]["value"] = json!(format!("FDocumentStatus='C' and FBillNo<>'{first}'"));
    put(&place, "partners.json", &narrow.to_string());
    assert_eq!(place.verb(&["run", "partners", "--sweep"]).status.code(), Some(0));
    let out = place.verb(&["run", PLAN, "--yes", "--sweep", "--json"]);
    let sum = lines(&out).pop().unwrap();
    assert_eq!((&sum["failed"], made(&place).len()), (&json!(1), 7), "{sum}");
    let words = format!("FNote: the plan `partners` collected no record with FBillNo=`{first}`");
    assert!(said(&place.verb(&["ledger", "--json"])).contains(&words), "{words}");
}

#[test]
fn all_rows_of_a_record_are_kept_and_looked_in() {
    let place = place();
    put(&place, "partners.json", &collecting().to_string());
    assert_eq!(place.verb(&["run", "partners", "--sweep"]).status.code(), Some(0));
    // Two lines of one record: the customer is one, the material is not.
    put(&place, &format!("{PLAN}.json"), &looking(BY_NUMBER).to_string());
    let preview = lines(&place.verb(&["plan", "preview", PLAN, "--json"])).remove(0);
    assert_eq!(preview["unmade"], json!(0), "{preview}");
    let by_line = "_findCollection find FRealQty from partners where FBillNo={{FBillNo}} FMaterialID_FNumber={{FMaterialID_FNumber}}";
    let mut lined = making();
    let request = lined["target"]["request"].as_array_mut().unwrap();
    let list = request.iter_mut().find(|entry| entry["field"] == "FInStockEntry").unwrap();
    let value = by_line.replace("{{FMaterialID", "{{details.FMaterialID");
    list["children"][1]["value"] = json!(value);
    put(&place, &format!("{PLAN}.json"), &lined.to_string());
    let preview = lines(&place.verb(&["plan", "preview", PLAN, "--json"])).remove(0);
    assert_eq!(preview["unmade"], json!(0), "every line has its own: {preview}");
    let many = preview["samples"].as_array().unwrap().iter();
    assert!(many.clone().any(|sample| sample["body"]["FInStockEntry"].as_array().unwrap().len() > 1), "{preview}");
}

#[test]
fn a_look_up_that_goes_round_or_nowhere_is_refused_before_anything_is_read() {
    let place = place();
    let looks = |other: &str| {
        looking(&format!("_findCollection find FBillNo from {other} where FBillNo={{{{FBillNo}}}}")).to_string()
    };
    put(&place, "a.json", &looks("b"));
    put(&place, "b.json", &looks("c"));
    put(&place, "c.json", &looks("a"));
    put(&place, "own.json", &looks("own"));
    put(&place, "lost.json", &looks("partnerz"));
    put(&place, "calls.json", &looks("lost"));
    put(&place, "partners.json", &collecting().to_string());
    for (plan, en, zh) in [
        ("a", "a → b → c → a look in one another's records", "相互查找"),
        ("own", "own → own look in one another's records", "相互查找"),
        ("lost", "did you mean partners?", "是不是 partners"),
        ("calls", "whose runs leave records out because they call something", "不留存全部记录"),
    ] {
        let out = place.verb(&["plan", "lint", plan]);
        assert!(out.status.code() == Some(2) && said(&out).contains(en), "{plan}: {}", said(&out));
        let out = place.verb(&["run", plan, "--yes", "--sweep"]);
        assert!(out.status.code() == Some(2) && said(&out).contains(en), "{plan}: {}", said(&out));
        let out = place.verb(&["plan", "preview", plan]);
        assert!(out.status.code() == Some(2) && said(&out).contains(en), "{plan}: {}", said(&out));
        let out = in_chinese(&place, &["plan", "lint", plan]);
        assert!(said(&out).contains(zh), "{plan}: {}", said(&out));
    }
    // A column that the other plan was not read with.
    assert_eq!(place.verb(&["run", "partners", "--sweep"]).status.code(), Some(0));
    put(
        &place,
        "column.json",
        &looking("_findCollection find FNote from partners where FBillNo={{FBillNo}}").to_string(),
    );
    let out = place.verb(&["run", "column", "--yes", "--sweep"]);
    assert!(out.status.code() == Some(6) && said(&out).contains("for FNote"), "{}", said(&out));
    assert!(made(&place).is_empty());
}
