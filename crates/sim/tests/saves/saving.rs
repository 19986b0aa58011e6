//! Save, BatchSave and Draft: what is made, what is refused, what is read back.

use serde_json::json;

use crate::bench::{Bench, order};

#[test]
fn a_saved_bill_is_found_by_whatever_was_saved() {
    let mut bench = Bench::plain();
    let (id, number) = bench.saved("PUR_PurchaseOrder", order("CG-77"));
    assert_eq!(number, "CG-77");
    let counted = bench.admin("GET", "/admin/keys?form=PUR_PurchaseOrder&key=cg-77", json!({}));
    assert_eq!((&counted["keys"][0]["calls"], &counted["keys"][0]["made"]), (&json!(1), &json!(1)), "{counted}");
    let keys = "FID,FDocumentStatus,FSupplierId.FNumber,FSettleCurrId.FNumber,FExchangeRate,FBillAllAmount,FCreatorId.FName,F_QEB_SrcNo";
    let one = json!([[id, "A", "VEN00003", "PRE007", 7.1234, 19.5, "demo", "S-CG-77"]]);
    for filter in
        ["FBillNo='cg-77'", "F_QEB_SrcNo='S-CG-77'", "FSettleCurrId.FNumber='PRE007' and FBillNo like 'CG-7%'"]
    {
        assert_eq!(bench.rows("PUR_PurchaseOrder", keys, filter), one, "{filter}");
    }
    let lines = bench.rows(
        "PUR_PurchaseOrder",
        "FBillNo,FPOOrderEntry_FSeq,FMaterialId.FNumber,FQty,FTaxPrice,FAllAmount,FUnitId.FNumber,F_QEB_Line",
        &format!("FID={id}"),
    );
    assert_eq!(
        lines,
        json!([
            ["CG-77", 1, "MAT00001", 10.0, 1.25, 12.5, "Pcs", 1.0],
            ["CG-77", 2, "MAT00002", 3.5, 2.0, 7.0, "Box", 2.0],
        ])
    );
    assert_eq!(bench.rows("PUR_PurchaseOrder", "FBillNo", "F_QEB_Line=2 and FQty<4"), json!([["CG-77"]]));
    assert_eq!(bench.rows("PUR_PurchaseOrder", "FBillNo", "F_NOBODY_Saved='x'"), json!([]));
    bench.audited("PUR_PurchaseOrder", id);
    assert_eq!(
        bench.rows("PUR_PurchaseOrder", "FDocumentStatus,FApproverId.FName", "FBillNo='CG-77'"),
        json!([["C", "demo"]])
    );
    let view = bench.write("View", "PUR_PurchaseOrder", json!({"Number": "CG-77"}))["Result"].clone();
    assert_eq!(view["POOrderEntry"], json!(null));
    assert_eq!(view["FPOOrderEntry"][1]["MaterialId"]["Number"], "MAT00002");
    assert_eq!((&view["F_QEB_SrcNo"], &view["_QEB_SrcNo"]), (&json!(null), &json!("S-CG-77")));
}
