//! What a plan or the ERP gives that no bill can be made of: each says what, where and what to do, and nothing is sent for it that
//! could not be settled.

use serde_json::{Value, json};

use crate::place::Place;
use crate::{FORM, PLAN, audited, by_hand, faults, made, run, settings, with};

fn said(place: &Place, verb: &[&str]) -> (Option<i32>, String) {
    let out = place.verb(verb);
    let text = format!("{}{}", String::from_utf8_lossy(&out.stdout), String::from_utf8_lossy(&out.stderr));
    (out.status.code(), text)
}

/// A field of the plan's target, another value or another field.
fn field(plan: &mut Value, name: &str, value: Value) {
    let fields = plan["target"]["request"].as_array_mut().unwrap();
    match fields.iter_mut().find(|field| field["field"] == name) {
        Some(field) => field["value"] = value,
        None => fields.push(value),
    }
}

/// `XSCKD000001` alone has what cannot be sent.
fn of_the_first(value: &str) -> Value {
    json!(format!("_function IF('{{{{FBillNo}}}}' = 'XSCKD000001', '{value}', '')"))
}

#[test]
fn a_value_that_cannot_be_sent_refuses_its_record_by_field_and_value_and_no_other() {
    let note = |kind: &str, value: Value| json!({"field": "FNote", "type": kind, "value": value});
    let digits = "1234567890123456789012345678901234567890";
    let cases: [(&str, Value, &[&str]); 4] = [
        ("40 digits", note("float", of_the_first(digits)), &["FNote", "40 digits"]),
        ("no number", note("float", of_the_first("a dozen")), &["FNote", "a dozen"]),
        (
            "no date",
            note(
                "string",
                json!("_function DATE_FORMAT(IF('{{FBillNo}}' = 'XSCKD000001', 'soon', '2026-01-02'), '%Y')"),
            ),
            &["FNote", "soon"],
        ),
        (
            "no row",
            note("string", json!("_findCollection find erp from places where org={{FBillNo}}")),
            &["FNote", "places", "XSCKD000001"],
        ),
    ];
    for (name, value, words) in cases {
        let place = with(|plan| {
            field(plan, "FNote", value.clone());
            if name == "no row" {
                plan["skydeck"]["tables"] = json!({"places": "places.csv"});
            }
        });
        let rows: Vec<String> = (2..=40).map(|n| format!("XSCKD{n:06},P{n}")).collect();
        std::fs::write(place.dir.path().join("plans/places.csv"), format!("org,erp\n{}\n", rows.join("\n"))).unwrap();
        let (_, preview) = said(&place, &["plan", "preview", PLAN]);
        assert!(words.iter().all(|word| preview.contains(word)), "{name}: {preview}");
        let (out, sum) = run(&place);
        assert_eq!(
            (out.status.code(), sum["failed"].as_u64(), sum["done"].as_u64()),
            (Some(1), Some(1), Some(7)),
            "{name}: {sum}"
        );
        let all = made(&place);
        assert!(all.len() == 7 && !all.contains_key("IN-XSCKD000001"), "{name}: {all:?}");
        let (_, ledger) = said(&place, &["ledger"]);
        assert!(words.iter().all(|word| ledger.contains(word)), "{name}: {ledger}");
    }
}

#[test]
fn a_list_where_one_value_belongs_and_a_body_over_the_limit_send_nothing() {
    let long = "x".repeat(300 << 10);
    for (value, word) in [("{{details.FMaterialID_FNumber}}", "a value of every row"), (long.as_str(), "bytes")] {
        let place = with(|plan| field(plan, "FNote", json!({"field": "FNote", "type": "string", "value": value})));
        let (_, text) = said(&place, &["run", PLAN, "--yes", "--sweep"]);
        let (_, ledger) = said(&place, &["ledger"]);
        let (_, check) = said(&place, &["plan", "lint", PLAN]);
        let all = format!("{text}{ledger}{check}");
        assert!(all.contains(word), "{word}: {}", all.chars().take(2000).collect::<String>());
        assert!(made(&place).is_empty(), "{word}");
    }
}

#[test]
fn plans_that_look_in_one_another_and_a_table_that_is_not_there_refuse_before_anything_is_read() {
    let place = with(|plan| {
        let look = "_findCollection find erp from nowhere where org={{FBillNo}}";
        field(plan, "FNote", json!({"field": "FNote", "type": "string", "value": look}));
        plan["skydeck"]["tables"] = json!({"nowhere": "nowhere.csv"});
    });
    let (code, text) = said(&place, &["run", PLAN, "--yes"]);
    assert!(code == Some(2) && text.contains("nowhere.csv"), "{text}");

    let place = with(|plan| {
        let look = "_findCollection find FNote from other where FBillNo={{FBillNo}}";
        field(plan, "FNote", json!({"field": "FNote", "type": "string", "value": look}));
    });
    let plans = place.dir.path().join("plans");
    let mut other: Value =
        serde_json::from_str(&std::fs::read_to_string(plans.join(format!("{PLAN}.json"))).unwrap()).unwrap();
    let look = format!("_findCollection find FBillNo from {PLAN} where FBillNo={{{{FBillNo}}}}");
    field(&mut other, "FNote", json!(look));
    std::fs::write(plans.join("other.json"), other.to_string()).unwrap();
    let (code, text) = said(&place, &["run", PLAN, "--yes"]);
    assert!(code == Some(2) && text.contains("other"), "{text}");
    assert!(made(&place).is_empty());
}

#[test]
fn a_look_that_could_find_nothing_anyway_is_no_proof_and_nothing_is_sent() {
    // What is named as there is not found: rights, another organisation, another account set.
    let place = with(|plan| plan["skydeck"]["probe"] = json!("IN-THERE"));
    let (code, text) = said(&place, &["run", PLAN, "--yes", "--sweep"]);
    assert!(code == Some(6) && text.contains("IN-THERE") && text.contains(FORM), "{code:?} {text}");
    assert!(made(&place).is_empty());
    // The ERP refuses the look itself.
    let place = with(|_| {});
    faults(
        &place,
        "[[fault]]\nkind = \"error\"\ncode = 11\ntext = \"没有采购入库单的查看权限\"\nwhen = \"before\"\non = [\"ExecuteBillQuery\"]\nskip = 1\nrate = 1.0\n",
    );
    let (code, text) = said(&place, &["run", PLAN, "--yes", "--sweep"]);
    assert!(code != Some(0) && text.contains("查看权限"), "{code:?} {text}");
    assert!(made(&place).is_empty());
}

#[test]
fn several_bills_under_one_key_are_left_to_a_person() {
    let place = with(|_| {});
    settings(&place, "[form.STK_InStock]\nunique = false\n");
    for _ in 0..2 {
        save_by_hand(&place, "IN-XSCKD000001");
    }
    let (_, preview) = said(&place, &["plan", "preview", PLAN]);
    assert!(preview.contains("several are there"), "{preview}");
    let (out, sum) = run(&place);
    assert_eq!(sum["done"].as_u64(), Some(7), "{sum} {out:?}");
    assert_eq!(
        (made(&place)["IN-XSCKD000001"], audited(&place)),
        (2, 7),
        "no third one, and none of the two is audited"
    );
    let (_, page) = said(&place, &["bill", "XSCKD000001"]);
    assert!(page.contains("several"), "{page}");
}

/// Somebody saves a bill with a client of his own.
fn save_by_hand(place: &Place, number: &str) {
    let model = json!({
        "FBillNo": number, "FBillTypeID": {"FNumber": "RKD01_SYS"}, "FDate": "2026-01-02", "FSupplierId": {"FNumber": "VEN00003"},
        "FStockOrgId": {"FNumber": "100"},
        "FInStockEntry": [{"FMaterialId": {"FNumber": "MAT00083"}, "FRealQty": 1}],
    });
    by_hand(place, "Save", json!({"formid": FORM, "data": {"Model": model}}));
}
