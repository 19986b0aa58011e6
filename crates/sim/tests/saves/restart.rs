//! A simulator that is started again on its record file has what was saved and pushed.

use serde_json::json;
use skydeck_sim::{SimConfig, WorldConfig, start};

use crate::bench::order;

#[tokio::test]
async fn what_was_saved_and_pushed_is_there_after_a_restart() {
    let folder = std::env::temp_dir().join(format!("skydeck-sim-restart-{}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    let file = folder.join("record.jsonl");
    let config = || SimConfig {
        world: WorldConfig { bills: 40, ..WorldConfig::default() },
        record: Some(file.clone()),
        ..SimConfig::default()
    };
    let keys = "FID,FBillNo,FDocumentStatus,F_QEB_SrcNo,FQty,FTaxPrice,FSettleCurrId.FNumber,FPOOrderEntry_FEntryID";
    let mut seen = Vec::new();
    for round in 0..3 {
        let sim = start(config()).await.unwrap();
        let mut client = crate::bench::Client::new(&sim);
        if round == 0 {
            let (id, _) = client.saved("PUR_PurchaseOrder", order("R-1"));
            client.saved("BD_Customer", json!({"FNumber": "K900", "FName": "新客户"}));
            for verb in ["Submit", "Audit"] {
                client.write(verb, "PUR_PurchaseOrder", json!({"Ids": id.to_string()}));
            }
            let push = json!({"Numbers": ["R-1"], "RuleId": "PUR_PurchaseOrder-STK_InStock"});
            let pushed = client.write("Push", "PUR_PurchaseOrder", push);
            assert_eq!(pushed["ResponseStatus"]["IsSuccess"], true, "{pushed}");
            let (gone, _) = client.saved("PUR_PurchaseOrder", order("R-2"));
            client.write("Delete", "PUR_PurchaseOrder", json!({"Ids": gone.to_string()}));
        }
        let order = client.rows("PUR_PurchaseOrder", keys, "FBillNo like 'R-%'");
        assert_eq!((order.as_array().unwrap().len(), &order[0][2]), (2, &json!("C")), "{order}");
        let receipt = client.rows("STK_InStock", "FID,FBillNo,FRealQty", "FPOOrderNo='R-1'");
        let customer = client.rows("BD_Customer", "FCUSTID,FNumber,FName", "FNumber='K900'");
        // Nothing is left to push, whoever asks.
        let push = json!({"Numbers": ["R-1"], "RuleId": "PUR_PurchaseOrder-STK_InStock"});
        let again = client.write("Push", "PUR_PurchaseOrder", push);
        assert!(again["ResponseStatus"]["Errors"][0]["Message"].as_str().unwrap().contains("累计关联数量"), "{again}");
        let refused = client.write("Save", "PUR_PurchaseOrder", json!({"Model": crate::bench::order("R-1")}));
        assert_eq!(refused["ResponseStatus"]["Errors"][0]["FieldName"], "FBillNo");
        sim.with_world(|world| {
            assert_eq!(world.key_counts("PUR_PurchaseOrder", "R-1").changed, 1);
            let id = order[0][0].as_u64().unwrap() as u32;
            assert_eq!(world.counts("PUR_PurchaseOrder", id, "Push").changed, 1);
        });
        seen.push((order, receipt, customer));
        sim.shutdown().await;
    }
    assert!(seen.iter().all(|now| *now == seen[0]), "{seen:?}");
    std::fs::remove_dir_all(folder).unwrap();
}
