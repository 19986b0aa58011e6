//! Push: quantities, links, and what is left.

use serde_json::json;

use crate::bench::{Bench, order};

const RULE: &str = "PUR_PurchaseOrder-STK_InStock";

#[test]
fn what_was_pushed_is_found_by_its_source() {
    let mut bench = Bench::plain();
    let (id, _) = bench.saved("PUR_PurchaseOrder", order("CG-9"));
    let push = json!({"Ids": id.to_string(), "RuleId": RULE});
    let early = bench.write("Push", "PUR_PurchaseOrder", push.clone());
    assert!(early["ResponseStatus"]["Errors"][0]["Message"].as_str().unwrap().contains("只有已审核"), "{early}");
    bench.audited("PUR_PurchaseOrder", id);
    let done = bench.write("Push", "PUR_PurchaseOrder", push.clone());
    assert_eq!(done["ResponseStatus"]["IsSuccess"], true, "{done}");
    let target = done["ResponseStatus"]["SuccessEntitys"][0]["Id"].as_i64().unwrap();
    let keys = "FID,FDocumentStatus,FSupplierId.FNumber,FMaterialId.FNumber,FRealQty,FAllAmount,FPOOrderNo";
    let rows = bench.rows("STK_InStock", keys, "FSRCBillNo='CG-9'");
    assert_eq!(
        rows,
        json!([
            [target, "A", "VEN00003", "MAT00001", 10.0, 12.5, "CG-9"],
            [target, "A", "VEN00003", "MAT00002", 3.5, 7.0, "CG-9"],
        ])
    );
    let again = bench.write("Push", "PUR_PurchaseOrder", push.clone());
    assert!(again["ResponseStatus"]["Errors"][0]["Message"].as_str().unwrap().contains("累计关联数量已达"), "{again}");
    let counts = bench.world.counts("PUR_PurchaseOrder", id as u32, "Push");
    assert_eq!((counts.calls, counts.changed, counts.refused), (3, 1, 2));
    // Deleted, the target holds nothing any more.
    let gone = bench.write("Delete", "STK_InStock", json!({"Ids": target.to_string()}));
    assert_eq!(gone["ResponseStatus"]["IsSuccess"], true, "{gone}");
    assert_eq!(bench.write("Push", "PUR_PurchaseOrder", push)["ResponseStatus"]["IsSuccess"], true);
    assert_eq!(bench.world.pushed_from("PUR_PurchaseOrder", id as u32, RULE).len(), 2);
}

#[test]
fn it_can_be_pushed_again_while_something_is_left() {
    let mut bench = Bench::new(json!({"rule": {"*": {"share": 50}}}));
    let (id, _) = bench.saved("PUR_PurchaseOrder", order("H-1"));
    bench.audited("PUR_PurchaseOrder", id);
    let push = json!({"Ids": id.to_string(), "RuleId": RULE});
    let mut sums = Vec::new();
    for _ in 0..3 {
        assert_eq!(bench.write("Push", "PUR_PurchaseOrder", push.clone())["ResponseStatus"]["IsSuccess"], true);
        let rows = bench.rows("STK_InStock", "FRealQty", "FSRCBillNo='H-1' and FMaterialId.FNumber='MAT00001'");
        sums.push(rows.as_array().unwrap().iter().map(|row| row[0].as_f64().unwrap()).sum::<f64>());
    }
    assert_eq!(sums, [5.0, 7.0, 8.0]);
    // Entries alone, of the bill they stand in.
    let entry =
        bench.rows("PUR_PurchaseOrder", "FPOOrderEntry_FEntryID", &format!("FID={id} and FPOOrderEntry_FSeq=2"))[0][0]
            .clone();
    let one = json!({"EntryIds": [entry], "RuleId": RULE});
    let result = bench.write("Push", "PUR_PurchaseOrder", one);
    let target = result["ResponseStatus"]["SuccessEntitys"][0]["Id"].as_i64().unwrap();
    assert_eq!(bench.rows("STK_InStock", "FMaterialId.FNumber", &format!("FID={target}")), json!([["MAT00002"]]));
}

#[test]
fn the_rule_the_organisation_and_a_target_that_cannot_be_saved() {
    let mut bench = Bench::plain();
    let (id, _) = bench.saved("PUR_PurchaseOrder", order("R-1"));
    bench.audited("PUR_PurchaseOrder", id);
    let push = |bench: &mut Bench, form: &str, data: serde_json::Value| {
        bench.write("Push", form, data)["ResponseStatus"].clone()
    };
    let ids = id.to_string();
    for (data, code) in [
        (json!({"Ids": ids}), 8),
        (json!({"Ids": ids, "IsEnableDefaultRule": true}), 8),
        (json!({"Ids": ids, "RuleId": "NO-SUCH"}), 9),
        (json!({"Ids": ids, "RuleId": "AP_PayableToPayBill"}), 9),
        (json!({"RuleId": RULE}), 8),
        (json!({"Ids": "1", "RuleId": RULE}), 9),
        (json!({"EntryIds": "1", "RuleId": RULE}), 9),
        (json!({"Ids": ids, "RuleId": RULE, "TargetOrgId": 77}), 9),
    ] {
        let status = push(&mut bench, "PUR_PurchaseOrder", data.clone());
        assert_eq!((&status["IsSuccess"], &status["MsgCode"]), (&json!(false), &json!(code)), "{data}: {status}");
    }
    let usual = json!({"Numbers": ["R-1"], "IsEnableDefaultRule": "true", "TargetFormId": "STK_InStock", "TargetOrgId": 100_022});
    let status = push(&mut bench, "PUR_PurchaseOrder", usual);
    let target = status["SuccessEntitys"][0]["Id"].as_i64().unwrap_or_else(|| panic!("{status}"));
    assert_eq!(
        bench.rows("STK_InStock", "FPurchaseOrgId.FNumber", &format!("FID={target} and FInStockEntry_FSeq=1")),
        json!([["101"]])
    );
    // A requisition without a supplier makes an order that cannot be saved, or a draft.
    let model = json!({"FBillNo": "Q-1", "FEntity": [{"FMaterialId": {"FNumber": "MAT00001"}, "FReqQty": 2}]});
    let (id, _) = bench.saved("PUR_Requisition", model);
    bench.audited("PUR_Requisition", id);
    let mut data = json!({"Ids": id.to_string(), "RuleId": "PUR_Requisition-PUR_PurchaseOrder"});
    let refused = bench.write("Push", "PUR_Requisition", data.clone());
    assert_eq!(refused["ResponseStatus"]["Errors"][0]["FieldName"], "FSupplierId", "{refused}");
    assert_eq!(refused["ConvertResponseStatus"]["IsSuccess"], true, "the conversion itself was good");
    data["IsDraftWhenSaveFail"] = json!(true);
    let draft = push(&mut bench, "PUR_Requisition", data);
    assert_eq!(draft["SuccessEntitys"][0]["Number"], "", "{draft}");
    assert_eq!(bench.rows("PUR_PurchaseOrder", "FBillNo,FDocumentStatus", "FSrcBillNo='Q-1'"), json!([["", "Z"]]));
}

#[test]
fn a_receivable_made_by_the_audit_leaves_nothing_to_push() {
    let mut bench = Bench::new(json!({"receivable": "all"}));
    let rows = bench.rows("SAL_OUTSTOCK", "FID,FBillNo", "FDocumentStatus='B'");
    let (id, number) = (rows[0][0].as_i64().unwrap(), rows[0][1].as_str().unwrap().to_owned());
    let audit = bench.write("Audit", "SAL_OUTSTOCK", json!({"Ids": id.to_string()}));
    assert!(audit["ResponseStatus"]["SuccessMessages"][0]["Message"].as_str().unwrap().contains("应收单"), "{audit}");
    let found = bench.rows("AR_receivable", "FBillNo,FDocumentStatus", &format!("FSourceBillNo='{number}'"));
    assert_eq!(found[0][1], "C", "{found}");
    let push = json!({"Ids": id.to_string(), "RuleId": "AR_OutStockToReceivableMap"});
    let refused = bench.write("Push", "SAL_OUTSTOCK", push.clone());
    assert!(refused["ResponseStatus"]["Errors"][0]["Message"].as_str().unwrap().contains("累计关联数量"), "{refused}");
    // The other way round nothing is made by the audit of what had none before.
    let mut bench = Bench::new(json!({"receivable": "none"}));
    bench.write("Audit", "SAL_OUTSTOCK", json!({"Ids": id.to_string()}));
    assert_eq!(bench.write("Push", "SAL_OUTSTOCK", push)["ResponseStatus"]["IsSuccess"], true);
}
