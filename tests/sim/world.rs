//! The simulator's core without a network, under a clock of the test's own.

use crate::sim_bench::{Bench, NOW, as_demo, message, parts, service};
use serde_json::{Value, json};
use skydeck::sim::{RequestParts, World, WorldConfig};

#[test]
fn the_status_machine() {
    // (verb, from, to or the words of the refusal)
    let table = [
        ("Submit", "Z", "B"),
        ("Submit", "A", "B"),
        ("Submit", "D", "B"),
        ("Submit", "B", "只有暂存、创建和重新审核的数据才允许提交！"),
        ("Submit", "C", "只有暂存、创建和重新审核的数据才允许提交！"),
        ("Audit", "B", "C"),
        ("Audit", "C", "单据已经审核！"),
        ("Audit", "Z", "请先提交审核!"),
        ("Audit", "A", "请先提交审核!"),
        ("Audit", "D", "请先提交审核!"),
        ("UnAudit", "C", "D"),
        ("UnAudit", "B", "只有已审核"),
        ("CancelAssign", "B", "D"),
        ("CancelAssign", "C", "只有审核中"),
        ("Delete", "A", "-"),
        ("Delete", "B", "才允许删除"),
        ("Delete", "C", "才允许删除"),
    ];
    for (verb, from, expected) in table {
        let mut bench = Bench::plain(5);
        let id = bench.rows("FID", "", json!({"Limit": 1}))[0][0].as_i64().unwrap();
        bench.admin("/admin/bill", json!({"id": id, "status": from}));
        let status = bench.write(verb, json!({"Ids": id.to_string()}));
        if expected.len() == 1 {
            assert_eq!(status["IsSuccess"], true, "{verb} of {from}: {status}");
            let now = bench.rows("FDocumentStatus,FApproveDate,FApproverId.FName", &format!("FID={id}"), json!({}));
            match expected {
                "-" => assert_eq!(now, Vec::<Value>::new()),
                "C" => assert_eq!((now[0][0].as_str(), now[0][2].as_str()), (Some("C"), Some("demo"))),
                other => assert_eq!(now[0], json!([other, null, null]), "{verb} of {from}"),
            }
        } else {
            assert_eq!((&status["IsSuccess"], &status["ErrorCode"]), (&json!(false), &json!(500)));
            assert!(message(&status).contains(expected), "{verb} of {from}: {status}");
            assert_eq!(bench.status(id), from);
        }
        let last = bench.world.record().after(1, 1)[0].clone();
        assert_eq!((last.verb, last.before.to_string().as_str()), (verb, from));
        assert_eq!(last.refused.is_none(), expected.len() == 1);
    }
}

#[test]
fn data_is_the_same_for_the_same_seed_and_has_every_status() {
    let config = WorldConfig { trouble: true, ..WorldConfig::default() };
    let all = |config: &WorldConfig| {
        let mut bench = Bench::new(config.clone());
        let keys = "FID,FBillNo,FDocumentStatus,FBillTypeID.FNumber,FDate,FCreateDate,FSaleOrgId.FNumber,FCustomerID.FName,FNote,FBillAllAmount";
        bench.rows(keys, "", json!({}))
    };
    let rows = all(&config);
    assert_eq!(rows, all(&config));
    assert_ne!(rows, all(&WorldConfig { seed: 2, ..config.clone() }));
    assert_eq!(rows.len(), 300);
    for status in ["Z", "A", "B", "C", "D"] {
        let n = rows.iter().filter(|r| r[2] == status).count();
        assert!(n >= if status == "B" { 150 } else { 5 }, "{status}: {n}");
    }
    let now = "2026-11-24T06:00:00";
    assert!(rows.iter().all(|r| r[5].as_str().unwrap() <= now), "nothing from the future");
    let stats = Bench::new(config).admin_get("/admin/bills?limit=1000");
    let troubled =
        |name: &str| stats["bills"].as_array().unwrap().iter().filter(|b| b["trouble"][name] == true).count();
    assert_eq!((troubled("interaction"), troubled("closed"), troubled("workflow")), (20, 8, 4));
}

#[test]
fn the_bills_of_a_seed_stay_what_they_were() {
    // A digest of the bills that were made before there were other states than the document's: more columns, more forms
    // and more operations may come, but a world of a seed keeps its bills.
    let forms = ["SAL_OUTSTOCK", "SAL_SaleOrder", "AR_receivable", "STK_InStock", "BD_MATERIAL", "BD_Customer"];
    for (seed, expected) in [(1, 0x5299_ea6a_7e72_8e11_u64), (7, 0xc400_40ab_0215_c9cf), (4711, 0x2c0a_1b94_87b9_9225)]
    {
        let config = WorldConfig { bills: 400, seed, trouble: true, hostile: true, ..WorldConfig::default() };
        let mut bench = Bench::new(config);
        let mut digest = 0xcbf2_9ce4_8422_2325_u64;
        for form in forms {
            let (number, note, org) = match form {
                "AR_receivable" => ("FBillNo", "FAR_Remark", "FSETTLEORGID"),
                "SAL_SaleOrder" | "SAL_OUTSTOCK" => ("FBillNo", "FNote", "FSaleOrgId"),
                "STK_InStock" => ("FBillNo", "FNote", "FPurchaseOrgId"),
                _ => ("FNumber", "FDescription", "FCreateOrgId"),
            };
            let keys = format!(
                "FID,{number},FDocumentStatus,FCreateDate,FModifyDate,FApproveDate,FCreatorId,FModifierId,FApproverId,{note},{org}.FNumber"
            );
            let rows = bench.send("ExecuteBillQuery", json!({"data": {"FormId": form, "FieldKeys": keys}})).body;
            assert!(rows.len() > 1_000, "{form}: {}", String::from_utf8_lossy(&rows));
            let troubles = bench.admin_get(&format!("/admin/bills?form={form}"))["bills"].clone();
            let troubles: String =
                troubles.as_array().unwrap().iter().map(|bill| bill["trouble"].to_string()).collect();
            for byte in rows.iter().chain(troubles.as_bytes()) {
                digest = (digest ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3);
            }
        }
        assert_eq!(digest, expected, "seed {seed}");
    }
}

#[test]
fn arbitrary_bodies_and_filters_never_break_the_core() {
    use proptest::test_runner::{Config, TestRunner};
    let cases = std::env::var("SKYDECK_FUZZ_CASES").ok().and_then(|n| n.parse().ok()).unwrap_or(400);
    let names = [
        "ExecuteBillQuery",
        "BillQuery",
        "Audit",
        "Save",
        "View",
        "ValidateUser",
        "QueryAsyncResult",
        "ExcuteOperation",
    ];
    let strategy = (
        proptest::sample::select(names.to_vec()),
        proptest::prop_oneof![
            proptest::collection::vec(proptest::num::u8::ANY, 0..200),
            proptest::string::bytes_regex("(?s-u:[\\[{\"':,}\\]0-9a-zA-Z=&% ]{0,120})").unwrap(),
            proptest::string::bytes_regex(
                "(?s-u:\\{\"(data|formid|parameters|Model|Ids)\":[\\[{\"':,}\\]0-9a-z]{0,60}\\}?)"
            )
            .unwrap(),
        ],
    );
    let mut world = World::new(WorldConfig { bills: 20, ..WorldConfig::default() }, NOW);
    let cell = std::cell::RefCell::new(&mut world);
    TestRunner::new(Config { cases, failure_persistence: None, ..Config::default() })
        .run(&strategy, |(name, bytes)| {
            let request = RequestParts { body: bytes.into(), ..parts(&service(name), as_demo("demo"), String::new()) };
            let reply = cell.borrow_mut().handle(request, NOW);
            proptest::prop_assert!(reply.status == 200 || reply.status == 500, "{}", reply.status);
            Ok(())
        })
        .unwrap();
}
