//! One request and one answer of each kind, byte for byte, as a client finds them on the wire.

use serde_json::json;

use crate::bench::{Bench, order};

#[test]
fn a_save_that_is_done_and_one_that_is_refused() {
    let mut bench = Bench::plain();
    let request = json!({"formid": "PUR_PurchaseOrder", "data": {
        "IsDeleteEntry": false, "IsVerifyBaseDataField": true, "NumberSearch": true, "ValidateFlag": true,
        "ValidateRepeatJson": true, "NeedReturnFields": ["FBillNo", "FPOOrderEntry.FEntryID"], "Model": order("CG-1"),
    }});
    let done = bench.answer("Save", request.clone());
    assert_eq!(
        done,
        r#"{"Result":{"ResponseStatus":{"IsSuccess":true,"Errors":[],"SuccessEntitys":[{"Id":900109,"Number":"CG-1","DIndex":0}],"SuccessMessages":[],"MsgCode":0},"Id":900109,"Number":"CG-1","NeedReturnData":[{"FBillNo":"CG-1","FPOOrderEntry":[{"FEntryID":1000000000},{"FEntryID":1000000001}]}]}}"#
    );
    let repeated = bench.answer("Save", request);
    assert_eq!(
        repeated,
        r#"{"Result":{"ResponseStatus":{"ErrorCode":500,"IsSuccess":false,"Errors":[{"FieldName":null,"Message":"请求数据包重复，请勿重复提交","DIndex":0}],"SuccessEntitys":[],"SuccessMessages":[],"MsgCode":11}}}"#
    );
    let taken = bench.answer("Save", json!({"formid": "PUR_PurchaseOrder", "data": {"Model": order("CG-1")}}));
    assert_eq!(
        taken,
        r#"{"Result":{"ResponseStatus":{"ErrorCode":500,"IsSuccess":false,"Errors":[{"FieldName":"FBillNo","Message":"违反字段唯一性要求：编码唯一。[CG-1]在当前系统中已经被使用。","DIndex":0}],"SuccessEntitys":[],"SuccessMessages":[],"MsgCode":11}}}"#
    );
    let unknown = json!({"FBillNo": "CG-2", "FSupplierId": {"FNumber": "NOBODY"}});
    let data = json!({"Model": unknown, "IsVerifyBaseDataField": true});
    let unknown = bench.answer("Save", json!({"formid": "PUR_PurchaseOrder", "data": data}));
    assert_eq!(
        unknown,
        r#"{"Result":{"ResponseStatus":{"ErrorCode":500,"IsSuccess":false,"Errors":[{"FieldName":"FSupplierId","Message":"字段“供应商”：编码值[\"NOBODY\"]不存在","DIndex":0}],"SuccessEntitys":[],"SuccessMessages":[],"MsgCode":9}}}"#
    );
    let bare = json!({"FBillNo": "CG-2", "FPOOrderEntry": [{"FQty": 1}]});
    let missing = bench.answer("Save", json!({"formid": "PUR_PurchaseOrder", "data": {"Model": bare}}));
    assert_eq!(
        missing,
        r#"{"Result":{"ResponseStatus":{"ErrorCode":500,"IsSuccess":false,"Errors":[{"FieldName":"FSupplierId","Message":"字段“供应商”是必填项","DIndex":0},{"FieldName":"FMaterialId","Message":"单据体“订单明细”第1行字段“物料编码”是必填项","DIndex":0}],"SuccessEntitys":[],"SuccessMessages":[],"MsgCode":11}}}"#
    );
}

#[test]
fn a_batch_with_both() {
    let mut bench = Bench::plain();
    bench.saved("PUR_PurchaseOrder", order("CG-1"));
    let data = json!({"Model": [order("CG-1"), order("CG-2"), order("CG-3")]});
    let mixed = bench.answer("BatchSave", json!({"formid": "PUR_PurchaseOrder", "data": data}));
    assert_eq!(
        mixed,
        r#"{"Result":{"ResponseStatus":{"ErrorCode":500,"IsSuccess":false,"Errors":[{"FieldName":"FBillNo","Message":"违反字段唯一性要求：编码唯一。[CG-1]在当前系统中已经被使用。","DIndex":0}],"SuccessEntitys":[{"Id":900110,"Number":"CG-2","DIndex":1},{"Id":900111,"Number":"CG-3","DIndex":2}],"SuccessMessages":[],"MsgCode":0},"NeedReturnData":[{},{}]}}"#
    );
}

#[test]
fn a_push_that_is_done_and_one_that_is_refused() {
    let mut bench = Bench::plain();
    let (id, _) = bench.saved("PUR_PurchaseOrder", order("CG-1"));
    bench.audited("PUR_PurchaseOrder", id);
    let data = json!({"Ids": id.to_string(), "RuleId": "PUR_PurchaseOrder-STK_InStock", "IsDraftWhenSaveFail": false});
    let request = json!({"formid": "PUR_PurchaseOrder", "data": data});
    assert_eq!(
        bench.answer("Push", request.clone()),
        r#"{"Result":{"ResponseStatus":{"IsSuccess":true,"Errors":[],"SuccessEntitys":[{"Id":400107,"Number":"CGRK000005","DIndex":0}],"SuccessMessages":[],"MsgCode":0},"ConvertResponseStatus":{"IsSuccess":true,"Errors":[],"SuccessEntitys":[],"SuccessMessages":[],"MsgCode":0}}}"#
    );
    assert_eq!(
        bench.answer("Push", request),
        r#"{"Result":{"ResponseStatus":{"ErrorCode":500,"IsSuccess":false,"Errors":[{"FieldName":null,"Message":"单据编号为“CG-1”的采购订单，累计关联数量已达订单数量，无法下推","DIndex":0}],"SuccessEntitys":[],"SuccessMessages":[],"MsgCode":11},"ConvertResponseStatus":{"ErrorCode":500,"IsSuccess":false,"Errors":[{"FieldName":null,"Message":"单据编号为“CG-1”的采购订单，累计关联数量已达订单数量，无法下推","DIndex":0}],"SuccessEntitys":[],"SuccessMessages":[],"MsgCode":11}}}"#
    );
}
