//! Bodies that begin valid and are then spoiled, from somebody who is signed in: never a panic, never memory without bound.

use serde_json::{Value, json};

use crate::bench::{Bench, order};

/// A small generator of its own.
struct Dice(u64);

impl Dice {
    fn below(&mut self, bound: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) as usize % bound.max(1)
    }

    fn spoiled(&mut self, valid: &str) -> String {
        let mut text: Vec<char> = valid.chars().collect();
        for _ in 0..=self.below(2) {
            let at = self.below(text.len());
            match self.below(10) {
                0 => drop(text.drain(at..(at + self.below(20)).min(text.len()))),
                1 => {
                    let part: Vec<char> = text[at..(at + self.below(20)).min(text.len())].repeat(self.below(6));
                    text.splice(at..at, part);
                }
                2 => text.truncate(at.max(1)),
                // A whole value in place of another keeps the rest readable.
                _ => {
                    let from = (at..text.len()).find(|i| text[*i] == ':').map_or(at, |i| i + 1);
                    let to = (from..text.len()).find(|i| matches!(text[*i], ',' | '}' | ']')).unwrap_or(text.len());
                    text.splice(from..to, TELLING[self.below(TELLING.len())].chars());
                }
            }
        }
        text.into_iter().collect()
    }
}

const TELLING: [&str; 12] = [
    "null",
    "[]",
    "{}",
    "-1",
    "1e999",
    "99999999999999999999999999999999999999999",
    "\"\\u0000\"",
    "\"\u{202e}\u{1b}[2J\"",
    "{\"FNumber\":{}}",
    "[[[[[[]]]]]]",
    "true",
    "\"9999-99-99T99:99:99\"",
];

#[test]
fn spoiled_saves_and_pushes_break_nothing() {
    let cases: usize = std::env::var("SKYDECK_FUZZ_CASES").ok().and_then(|n| n.parse().ok()).unwrap_or(4_000);
    let mut bench = Bench::new(json!({"max_mb": 16}));
    let flags = json!({"Model": order("X-1"), "NeedReturnFields": ["FBillNo", "FPOOrderEntry.FQty"], "NeedUpDateFields": ["FQty"],
        "IsAutoSubmitAndAudit": "true", "BatchCount": 3, "IsAutoAdjustField": true});
    let valid: Vec<(&str, Value)> = vec![
        ("Save", json!({"formid": "PUR_PurchaseOrder", "data": {"Model": order("X-2")}})),
        ("Save", json!({"formid": "PUR_PurchaseOrder", "data": flags})),
        (
            "BatchSave",
            json!({"formid": "PUR_PurchaseOrder", "data": {"Model": [order("X-3"), {"FID": 900_101, "FPOOrderEntry": []}]}}),
        ),
        (
            "Draft",
            json!({"formid": "BD_Customer", "data": {"Model": {"FNumber": "K1", "FName": [{"Key": 2052, "Value": "甲"}]}}}),
        ),
        (
            "Save",
            json!({"formid": "BD_MATERIAL", "data": {"Model": {"FNumber": "M1", "FName": "乙", "FMaterialGroup": {"FNumber": "01"}}}}),
        ),
        (
            "Push",
            json!({"formid": "SAL_OUTSTOCK", "data": {"Ids": "100101,100105", "EntryIds": [400_405], "TargetOrgId": 1,
            "RuleId": "AR_OutStockToReceivableMap"}}),
        ),
        (
            "Push",
            json!({"formid": "PUR_PurchaseOrder", "data": {"Numbers": ["X-1"], "IsEnableDefaultRule": true,
            "TargetFormId": "STK_InStock", "IsDraftWhenSaveFail": true}}),
        ),
        ("View", json!({"formid": "PUR_PurchaseOrder", "data": {"Number": "X-1"}})),
        (
            "ExecuteBillQuery",
            json!({"data": {"FormId": "PUR_PurchaseOrder", "FieldKeys": "FBillNo,FQty,F_QEB_Line,FSettleCurrId.FNumber",
            "FilterString": "FQty>1 and F_QEB_SrcNo like 'S%'", "OrderString": "FQty desc"}}),
        ),
        ("QueryBusinessInfo", json!({"data": {"FormId": "GL_VOUCHER"}})),
    ];
    let (mut dice, mut json_answers) = (Dice(7), 0);
    for case in 0..cases {
        let (service, body) = &valid[case % valid.len()];
        let body = dice.spoiled(&body.to_string());
        let reply = bench.raw(service, &body);
        assert!(matches!(reply.status, 200 | 500), "{service} {body}: {}", reply.status);
        json_answers += usize::from(serde_json::from_slice::<Value>(&reply.body).is_ok());
    }
    assert!(json_answers > cases / 4, "{json_answers} of {cases}: nothing was tried");
    // It still works.
    for (service, body) in valid {
        assert_eq!(bench.raw(service, &body.to_string()).status, 200, "{service}");
    }
}

#[test]
fn what_is_too_large_is_refused_and_not_kept() {
    let mut bench = Bench::new(json!({"max_models": 3, "max_lines": 4, "max_mb": 1}));
    let many = json!({"Model": [order("A"), order("B"), order("C"), order("D")]});
    let refused = bench.write("BatchSave", "PUR_PurchaseOrder", many);
    assert_eq!(refused["ResponseStatus"]["MsgCode"], 8, "{refused}");
    let mut long = order("E");
    long["FPOOrderEntry"] = json!(vec![json!({"FMaterialId": {"FNumber": "MAT00001"}, "FQty": 1}); 5]);
    let refused = bench.save("PUR_PurchaseOrder", long);
    assert_eq!(refused["ResponseStatus"]["MsgCode"], 8, "{refused}");
    let mut full = None;
    for at in 0..2_000 {
        let mut big = order(&format!("F-{at}"));
        big["F_Big"] = json!("大".repeat(2_000));
        let result = bench.save("PUR_PurchaseOrder", big);
        if result["ResponseStatus"]["IsSuccess"] == false {
            full = Some((at, result));
            break;
        }
    }
    let (at, result) = full.expect("a megabyte is full after so many");
    assert!((50..500).contains(&at), "{at}");
    assert_eq!(result["ResponseStatus"]["MsgCode"], 6, "{result}");
    // A field a bill does not have does not grow the form without end.
    let mut bench = Bench::plain();
    for part in 0..30 {
        let own: serde_json::Map<String, Value> = (0..100).map(|i| (format!("F_N{part}_{i}"), json!(1))).collect();
        let mut model = order(&format!("G-{part}"));
        model.as_object_mut().unwrap().extend(own);
        bench.saved("PUR_PurchaseOrder", model);
    }
    assert_eq!(bench.rows("PUR_PurchaseOrder", "F_N3_3", "FBillNo='G-3'"), json!([[1.0]]));
    assert_eq!(bench.rows("PUR_PurchaseOrder", "F_N29_3", "FBillNo='G-29'"), json!([[null]]));
    let number = "1".repeat(40);
    let refused =
        bench.save("PUR_PurchaseOrder", json!({"FBillNo": "H", "FPOOrderFinance": {"FExchangeRate": number}}));
    assert_eq!(refused["ResponseStatus"]["Errors"][0]["FieldName"], "FExchangeRate", "{refused}");
}
