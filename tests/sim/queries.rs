//! Queries and their answers: pages, errors in their envelopes, encodings of a body, and what a success says.

use crate::sim_bench::{Bench, FORM, NOW, as_demo, body, message, parts, service};
use serde_json::{Value, json};
use skydeck::sim::WorldConfig;

#[test]
fn paging_follows_the_model_of_the_reference() {
    let mut bench = Bench::plain(50);
    let all = bench.rows("FID", "", json!({}));
    assert_eq!(all.len(), 50);
    // (StartRow, Limit, TopRowCount, expected)
    let cases: [(Value, Value, Value, &[Value]); 8] = [
        (json!(0), json!(10), json!(0), &all[..10]),
        (json!("10"), json!("10"), json!("0"), &all[10..20]),
        (json!(10), json!(10), json!(10), &[]),
        (json!(10), json!(10), json!(20), &all[10..20]),
        (json!(10), json!(10), json!(15), &all[10..15]),
        (json!(45), json!(10), json!(""), &all[45..]),
        (json!(50), json!(10), json!(0), &[]),
        (json!(0), json!("0"), json!(0), &all[..]),
    ];
    for (start, limit, top, expected) in cases {
        for order in ["FID ASC", "", "FCreateDate,FID", "fid"] {
            let more = json!({"StartRow": start, "Limit": limit, "TopRowCount": top, "OrderString": order});
            let rows = bench.rows("FID", "", more.clone());
            if order == "FCreateDate,FID" {
                assert_eq!(rows.len(), expected.len(), "{more}");
            } else {
                assert_eq!(rows, expected, "{more}");
            }
        }
    }
    let mut down = bench.rows("FID", "FID>0", json!({"OrderString": "FID desc"}));
    down.reverse();
    assert_eq!(down, all);
    let by_number = bench.rows("FBillNo,FID", "", json!({"OrderString": "FBillNo DESC", "Limit": 1}));
    assert_eq!(by_number[0][0], "XSCKD000050");
    // Entry columns make one row a line; ids repeat, and a test on a line selects lines.
    let lines = bench.rows("FID,FEntity_FSeq,FMaterialID.FNumber,FRealQty", "", json!({}));
    assert!(lines.len() > 60 && lines.len() <= 150, "{}", lines.len());
    let second = bench.rows("FID", "FEntity_FSeq=2", json!({}));
    assert_eq!(second.len(), lines.iter().filter(|l| l[1] == 2).count());
    let capped = Bench::new(WorldConfig { bills: 50, limit_cap: 20, ..WorldConfig::default() })
        .rows("FID", "", json!({"Limit": 40}))
        .len();
    assert_eq!(capped, 20);
}

#[test]
fn errors_of_queries_come_in_their_envelopes() {
    let mut bench = Bench::plain(5);
    let cases = [
        (json!({"FormId": "NO_SUCH_FORM", "FieldKeys": "FID"}), 4, "标识为“NO_SUCH_FORM”的业务对象不存在，或者被删除"),
        (json!({"FormId": FORM, "FieldKeys": ""}), 8, "data 数据包中的参数 FieldKeys 的值不能为空"),
        (json!({"FormId": FORM, "FieldKeys": "FCustId"}), 9, "元数据中标识为FCustId的字段不存在"),
        (json!({"FormId": FORM, "FieldKeys": "FID", "FilterString": "FNope='1'"}), 9, "FNope"),
        (json!({"FormId": FORM, "FieldKeys": "FID", "FilterString": "FID="}), 4, "GetRealExpress"),
        (json!({"FormId": FORM, "FieldKeys": "FID", "FilterString": "FDate>'abc'"}), 4, "abc"),
        (json!({"FormId": FORM, "FieldKeys": "FID", "OrderString": "FID upwards"}), 4, "GetRealExpress"),
    ];
    for (data, code, words) in cases {
        let wrapped = bench.call("ExecuteBillQuery", json!({"data": data}));
        let bare = bench.call("BillQuery", json!({"data": data}));
        assert_eq!(wrapped[0][0], bare, "{data}");
        let status = &bare["Result"]["ResponseStatus"];
        assert_eq!(status["MsgCode"], code, "{status}");
        assert!(message(status).contains(words), "{status}");
    }
    // The probes that clients begin with (docs/design/wire.md#probes).
    let probe =
        json!({"FormId": "BD_Currency", "FieldKeys": "FCODE", "FilterString": " FNUMBER='PRE001' ", "Limit": "0"});
    assert_eq!(bench.call("ExecuteBillQuery", json!({"data": probe})), json!([["CNY"]]));
    let probe = json!({"FormId": "BD_MATERIAL", "FieldKeys": "FNumber", "Limit": 1});
    assert_eq!(bench.call("ExecuteBillQuery", json!({"data": probe})), json!([["MAT00001"]]));
}

#[test]
fn all_body_encodings_mean_the_same() {
    let data = r#"{"FormId":"sal_outstock","FieldKeys":"FBillNo","FilterString":"FBillNo='XSCKD000002'"}"#;
    let text = json!(data).to_string();
    let form: String =
        data.bytes().map(|b| if b == b' ' { "+".to_owned() } else { format!("%{b:02X}") }).collect::<Vec<_>>().concat();
    let queries = [
        format!(r#"{{"data":{data}}}"#),
        format!(r#"{{"Data":{text}}}"#),
        format!(r#"{{"parameters":[{text}]}}"#),
        format!(
            r#"{{"format":1,"useragent":"ApiClient","rid":"x","parameters":{},"v":"1.0"}}"#,
            json!(format!("[{text}]"))
        ),
        format!("data={form}"),
        format!("\u{feff} {{\"FORMID\":\"ignored\",\"data\":{data}}}"),
        data.to_owned(),
    ];
    for (i, query) in queries.into_iter().enumerate() {
        let mut bench = Bench::plain(5);
        let reply = bench.world.handle(parts(&service("executebillquery"), as_demo("demo"), query.clone()), NOW);
        assert_eq!(body(&reply), json!([["XSCKD000002"]]), "encoding {i}: {query}");
    }
    let audits = [
        r#"{"formid":"SAL_OUTSTOCK","data":{"Ids":"{id}"}}"#,
        r#"{"formId":"SAL_OUTSTOCK","Data":"{\"Ids\":[{id}]}"}"#,
        r#"{"parameters":["SAL_OUTSTOCK","{\"Ids\":\"{id}\"}"]}"#,
        "FormId=SAL_OUTSTOCK&Data=%7B%22Ids%22%3A+%22{id}%22%7D",
        r#"{"FormId":"SAL_OUTSTOCK","Ids":"{id}"}"#,
        r#"{"FormId":"SAL_OUTSTOCK","data":{"ids":{id}}}"#,
        r#"{"formid":"SAL_OUTSTOCK","data":{"Numbers":["{no}"],"Ids":""}}"#,
    ];
    for audit in audits {
        let mut bench = Bench::plain(30);
        let (id, number) = bench.submitted()[0].clone();
        let text = audit.replace("{id}", &id.to_string()).replace("{no}", &number);
        let reply = bench.world.handle(parts(&service("AUDIT"), as_demo("demo"), text.clone()), NOW);
        assert_eq!(body(&reply)["Result"]["ResponseStatus"]["SuccessEntitys"][0]["Id"], id, "{text}");
    }
    let mut bench = Bench::plain(5);
    let reply = bench.world.handle(parts(&service("Audit"), as_demo("demo"), "[1]".to_owned()), NOW);
    assert_eq!(reply.status, 500);
    assert!(String::from_utf8_lossy(&reply.body).starts_with("Additional text found in JSON string"));
    let reply = bench.world.handle(parts("/k3cloud/nothing.aspx", Vec::new(), String::new()), NOW);
    assert_eq!((reply.status, reply.body.starts_with(b"<!DOCTYPE html>")), (404, true));
}

#[test]
fn a_million_ids_are_found_without_reading_a_million_rows() {
    let mut bench = Bench::plain(200_000);
    let last = bench.rows("FID", "", json!({"OrderString": "FID DESC", "Limit": 1}))[0][0].as_i64().unwrap();
    // 300 keyset pages near the end: seconds if each read the table, milliseconds if it is entered at the id.
    let started = std::time::Instant::now();
    for i in 0..300 {
        let filter = format!("FDocumentStatus<>'X' and FID>{}", last - 1_000 + i);
        assert!(!bench.rows("FID,FBillNo", &filter, json!({"Limit": 10})).is_empty());
        let some = format!("FID in ({}, {last})", 100_101);
        assert_eq!(bench.rows("FID", &some, json!({})).len(), 2);
    }
    assert!(started.elapsed().as_secs() < 5, "{:?}", started.elapsed());
}

#[test]
fn success_bodies_are_compact_and_never_speak_of_sessions() {
    let mut bench = Bench::new(WorldConfig { hostile: true, trouble: true, ..WorldConfig::default() });
    let ids: Vec<String> = bench.submitted().iter().map(|b| b.0.to_string()).collect();
    let all = "FID,FBillNo,FDocumentStatus,FNote,FCustomerID.FName,FApproveDate,FBillAllAmount,FMaterialID.FName";
    for reply in [
        bench.send("ExecuteBillQuery", json!({"data": {"FormId": FORM, "FieldKeys": all}})),
        bench.send("BillQuery", json!({"data": {"FormId": FORM, "FieldKeys": all}})),
        bench.send("View", json!({"formid": FORM, "data": {"Id": ids[0]}})),
        bench.send("QueryBusinessInfo", json!({"data": {"FormId": FORM}})),
        bench.send("Audit", json!({"formid": FORM, "data": {"Ids": ids[..5].join(",")}})),
    ] {
        assert!(reply.header("content-type").unwrap().ends_with("charset=utf-8"));
        let value = body(&reply);
        let text = String::from_utf8(reply.body.to_vec()).unwrap();
        assert!(!text.to_lowercase().contains("session") && !text.contains("会话"), "{text}");
        // Nothing between the values: the body is no longer than what a compact writer makes of it.
        assert_eq!(text.len(), value.to_string().len());
    }
}

#[test]
fn the_simulator_answers_the_queries_of_every_made_up_plan() {
    let mut bench = Bench::plain(30);
    for (id, text) in skydeck::annals::plans::demo(30) {
        let plan: Value = serde_json::from_str(&text).unwrap();
        let values = |part: &str| plan["source"][part].as_array().unwrap().clone();
        let fields: Vec<String> =
            values("request").iter().map(|field| field["value"].as_str().unwrap().to_owned()).collect();
        let of = |name: &str| {
            let other = values("otherRequest");
            other.iter().find(|field| field["field"] == name).unwrap()["value"].as_str().unwrap().to_owned()
        };
        let filter = of("FilterString").replace("{{LAST_SYNC_TIME|datetime}}", "2020-01-01 00:00:00");
        let keys = fields.join(",");
        let answer = bench.query(&keys, &filter, json!({"FormId": of("FormId")}));
        let rows = answer.as_array().unwrap_or_else(|| panic!("{id}: {answer}"));
        assert!(rows.iter().all(|row| row.as_array().is_some_and(|row| row.len() == fields.len())), "{id}: {answer}");
    }
}
