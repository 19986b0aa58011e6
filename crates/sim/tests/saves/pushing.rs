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
