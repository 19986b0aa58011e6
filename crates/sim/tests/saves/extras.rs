//! What other clients call beside bills.

use serde_json::json;

use crate::bench::{Bench, order};

#[test]
fn files_groups_messages_and_a_report() {
    let mut bench = Bench::plain();
    let (id, number) = bench.saved("PUR_PurchaseOrder", order("E-1"));
    let part = |bench: &mut Bench, more: serde_json::Value| {
        let mut data =
            json!({"FileName": "a.txt", "FormId": "PUR_PurchaseOrder", "InterId": id.to_string(), "BillNO": number});
        data.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        bench.call("AttachmentUpLoad", json!({"data": data.to_string()}))["Result"].clone()
    };
    let first = part(&mut bench, json!({"SendByte": "YWI=", "IsLast": false}));
    let file = first["FileId"].as_str().unwrap().to_owned();
    assert_eq!(first["ResponseStatus"]["SuccessEntitys"], json!([]), "not whole yet");
    let last = part(&mut bench, json!({"SendByte": "Y2Q=", "IsLast": true, "FileId": file}));
    assert_eq!(last["ResponseStatus"]["SuccessEntitys"][0]["Id"], 1, "{last}");
    let whole = bench.call("AttachmentDownLoad", json!({"data": {"FileId": file, "StartIndex": 0}}))["Result"].clone();
    assert_eq!(
        (&whole["FilePart"], &whole["IsLast"], &whole["FileSize"]),
        (&json!("YWJjZA=="), &json!(true), &json!(4))
    );
    for wrong in
        [json!({"SendByte": "?"}), json!({"SendByte": "YQ==", "FileId": "x"}), json!({"SendByte": "", "InterId": "7"})]
    {
        assert_eq!(part(&mut bench, wrong.clone())["ResponseStatus"]["IsSuccess"], false, "{wrong}");
    }
    let groups = bench.call("QueryGroupInfo", json!({"data": {"FormId": "BD_Customer", "GroupFieldKey": "FGroup"}}));
    assert_eq!(groups["Result"]["NeedReturnData"][1]["Number"], "02", "{groups}");
    let none = bench.call("QueryGroupInfo", json!({"data": {"FormId": "SAL_OUTSTOCK"}}));
    assert_eq!(none["Result"]["ResponseStatus"]["IsSuccess"], false);
    let sent = bench.call("SendMsg", json!({"data": {"Model": [{"Title": "t"}]}}));
    assert_eq!(sent["Result"]["ResponseStatus"]["IsSuccess"], true);

    let line = |account: &str, debit: &str, credit: &str| json!({"FACCOUNTID": {"FNumber": account}, "FEXPLANATION": "x", "FDEBIT": debit, "FCREDIT": credit});
    let model = json!({"FAccountBookID": {"FNumber": "001"}, "FVOUCHERGROUPID": {"FNumber": "PRE001"},
        "FEntity": [line("1001", "12.30", "0"), line("2202", "0", "12.3")]});
    let (voucher, _) = bench.saved("GL_VOUCHER", model);
    let keys = json!({"FieldKeys": "FBALANCEID,FBALANCENAME,FDEBIT,FCREDIT", "Limit": 10});
    let body = json!({"formid": "GL_RPT_AccountBalance", "data": keys});
    assert_eq!(bench.call("GetSysReportData", body.clone())["Result"]["RowCount"], 0, "not audited");
    bench.audited("GL_VOUCHER", voucher);
    let report = bench.call("GetSysReportData", body)["Result"].clone();
    assert_eq!(report["Rows"], json!([["1001", "库存现金", "12.3", "0.0"], ["2202", "应付账款", "0.0", "12.3"]]));
}

#[test]
fn a_bill_is_taken_apart_and_its_lines_are_counted_once() {
    let mut bench = Bench::plain();
    let (id, _) = bench.saved("PUR_PurchaseOrder", order("X-1"));
    let apart = bench.write("Disassembly", "PUR_PurchaseOrder", json!({"Ids": id.to_string()}));
    let new = apart["ResponseStatus"]["SuccessEntitys"][0]["Id"].as_i64().unwrap_or_else(|| panic!("{apart}"));
    let rows = bench.rows("PUR_PurchaseOrder", "FID,FMaterialId.FNumber,FQty", "F_QEB_SrcNo='S-X-1'");
    assert_eq!(rows, json!([[id, "MAT00001", 10.0], [new, "MAT00002", 3.5]]));
    let again = bench.write("Disassembly", "PUR_PurchaseOrder", json!({"Ids": id.to_string()}));
    assert_eq!(again["ResponseStatus"]["IsSuccess"], false, "one line is not taken apart");
}
