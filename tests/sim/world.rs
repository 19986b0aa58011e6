//! The simulator's core without a network, under a clock of the test's own.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::print_stdout,
    clippy::print_stderr,
    clippy::needless_pass_by_value, // json!(…) reads best where it is used
    missing_docs
)]

use crate::sim_bench::{Bench, FORM, NOW, as_demo, body, message, parts, service, signed};
use serde_json::{Value, json};
use skydeck::sim::faults::{FaultPlan, Kind, Rule, When};
use skydeck::sim::sign::login_sign;
use skydeck::sim::{AuthMode, Reply, RequestParts, Transport, World, WorldConfig, demo_credentials};

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
fn sessions_follow_the_measured_model() {
    let c = demo_credentials();
    let query = json!({"data": {"FormId": FORM, "FieldKeys": "FID", "Limit": 1}}).to_string();
    let mut world = World::new(WorldConfig { bills: 5, ..WorldConfig::default() }, NOW);
    let mut ask = |headers: Vec<(String, String)>, now: i64| {
        world.handle(parts(&service("ExecuteBillQuery"), headers, query.clone()), now)
    };
    let id_of = |reply: &Reply| {
        let cookie = reply.header("set-cookie").expect("a cookie on every answer").to_owned();
        cookie.split([';', '=']).nth(1).unwrap().to_owned()
    };
    let lost = |reply: &Reply| body(reply)[0][0]["Result"]["ResponseStatus"]["MsgCode"] == 1;

    // Good signature, no session: executed, a new id, usable at once and without any signature.
    let first = ask(as_demo("demo"), NOW);
    assert!(body(&first)[0][0].is_i64());
    let id = id_of(&first);
    for name in ["kdservice-sessionid", "SID"] {
        assert!(body(&ask(vec![(name.to_owned(), id.clone())], NOW))[0][0].is_i64(), "{name}");
    }
    // A live session hides broken credentials.
    let mut broken = signed(&c.account, "demo", &c.app_id, "wrong", "2052");
    broken.push(("SID".to_owned(), id.clone()));
    assert!(!lost(&ask(broken.clone(), NOW)));
    // Once it has idled away they show, as a lost session; the shell id stays dead until the credentials are right.
    let later = NOW + 21 * 60_000;
    let refused = ask(broken, later);
    assert!(lost(&refused));
    let shell = id_of(&refused);
    assert!(lost(&ask(vec![("SID".to_owned(), shell.clone())], later)));
    let mut right = as_demo("demo");
    right.push(("SID".to_owned(), shell.clone()));
    let woken = ask(right, later);
    assert_eq!((lost(&woken), id_of(&woken)), (false, shell.clone()));
    assert!(!lost(&ask(vec![("SID".to_owned(), shell)], later)));
    // An unknown id with a good signature is served too, under a new id.
    let mut stranger = as_demo("demo");
    stranger.push(("kdservice-sessionid".to_owned(), "11111111-1111-4111-8111-111111111111".to_owned()));
    let served = ask(stranger, later);
    assert!(!lost(&served) && !id_of(&served).starts_with("11111111"));
    // Who is refused, and how.
    for (user, app, secret, lcid) in [
        ("nobody", c.app_id.as_str(), c.app_secret.as_str(), "2052"),
        ("demo", "123456_other", &c.app_secret, "2052"),
        ("demo", &c.app_id, "wrong", "2052"),
        ("demo", &c.app_id, &c.app_secret, "9999"),
    ] {
        assert!(lost(&ask(signed(&c.account, user, app, secret, lcid), later)), "{user} {app} {secret} {lcid}");
    }
    let wrong = ask(signed("60aa0000000009", "demo", &c.app_id, &c.app_secret, "2052"), later);
    assert_eq!((wrong.status, &*wrong.body), (500, b"Fail to verify thirty passport".as_slice()));
    assert!(lost(&ask(Vec::new(), later)));
}

#[test]
fn three_sign_ins_and_the_account_lock() {
    let c = demo_credentials();
    let stamp = "1795471200";
    let sign = login_sign(&c.account, &c.user, &c.app_id, &c.app_secret, stamp);
    let good = [
        ("ValidateUser", json!([c.account, c.user, c.password, 2052]), AuthMode::Password),
        ("LoginByAppSecret", json!([c.account, c.user, c.app_id, c.app_secret, 2052]), AuthMode::Secret),
        ("LoginBySign", json!([c.account, c.user, c.app_id, stamp, sign, "2052"]), AuthMode::Secret),
    ];
    for (name, parameters, needed) in &good {
        for auth in [AuthMode::Any, AuthMode::Password, AuthMode::Secret, AuthMode::Signed] {
            let mut world = World::new(WorldConfig { bills: 5, auth, ..WorldConfig::default() }, NOW);
            let text = json!({"parameters": parameters}).to_string();
            let reply = world.handle(parts(&service(name), Vec::new(), text), NOW);
            let json = body(&reply);
            let open = auth == AuthMode::Any || auth == *needed;
            assert_eq!(json["LoginResultType"] == 1, open, "{name} under {auth:?}: {json}");
            assert_eq!(json["IsSuccessByAPI"], open);
            assert_eq!(json["KDSVCSessionId"].is_string(), open);
            let cookies = reply.headers.iter().filter(|(n, _)| n == "Set-Cookie").count();
            assert_eq!(cookies, if open { 2 } else { 0 }, "{name}");
        }
    }
    let mut world = World::new(WorldConfig { bills: 5, ..WorldConfig::default() }, NOW);
    let mut password = |word: &str, now: i64| {
        let text = format!("acctid={}&username=demo&password={word}&lcid=2052", c.account);
        body(&world.handle(parts(&service("ValidateUser"), Vec::new(), text), now))
    };
    for _ in 0..5 {
        assert_eq!(password("wrong", NOW)["LoginResultType"], 0);
    }
    let locked = password(&c.password, NOW + 29 * 60_000);
    assert!(locked["Message"].as_str().unwrap().contains("次数超限"), "{locked}");
    assert_eq!(password(&c.password, NOW + 31 * 60_000)["LoginResultType"], 1);
    assert_eq!(world.stats().calls["ValidateUser"], 7);
}

#[test]
fn permissions_hide_rows_and_refuse_writes() {
    let mut bench = Bench::plain(60);
    let all = bench.rows("FSaleOrgId.FNumber", "", json!({}));
    let own = all.iter().filter(|r| r[0] == "100").count();
    let (id, _) = bench.submitted()[0];
    let foreign = bench.rows("FID", "FSaleOrgId.FNumber<>'100' and FDocumentStatus='B'", json!({}))[0][0].clone();
    bench.user = "demo100";
    let seen = bench.rows("FSaleOrgId.FNumber", "", json!({}));
    assert!(own > 0 && own < all.len() && seen.len() == own && seen.iter().all(|r| r[0] == "100"));
    let refused = bench.write("Audit", json!({"Ids": foreign.to_string()}));
    assert_eq!((refused["MsgCode"].clone(), message(&refused).contains("权限，请联系系统管理员")), (json!(2), true));
    bench.user = "reader";
    assert_eq!(bench.write("Audit", json!({"Ids": id.to_string()}))["MsgCode"], 2);
    bench.user = "Administrator";
    assert_eq!(bench.write("Audit", json!({"Ids": id.to_string()}))["MsgCode"], 15);
    assert!(bench.world.stats().applied.is_empty());
}

#[test]
fn a_batch_is_bill_by_bill_in_the_servers_order() {
    let mut bench = Bench::plain(60);
    let bills = bench.submitted();
    let (a, b, c) = (&bills[0], &bills[1], &bills[2]);
    bench.write("Audit", json!({"Ids": b.0.to_string()}));
    let status = bench.write("Audit", json!({"Numbers": [c.1, "NO-SUCH", b.1, a.1]}));
    assert_eq!((&status["IsSuccess"], &status["MsgCode"]), (&json!(false), &json!(0)));
    assert_eq!(
        status["SuccessEntitys"],
        json!([
            {"Id": a.0, "Number": a.1, "DIndex": 0}, {"Id": c.0, "Number": c.1, "DIndex": 2},
        ])
    );
    assert_eq!(status["Errors"][0]["DIndex"], 1);
    assert!(message(&status).contains(&b.1), "{status}");
    // What does not exist is left out without a word, as long as something does.
    let silent = bench.write("Audit", json!({"Numbers": ["NO-SUCH", bills[3].1]}));
    assert_eq!((&silent["IsSuccess"], silent["SuccessEntitys"].as_array().unwrap().len()), (&json!(true), 1));
    for (data, words, code) in [
        (json!({"Numbers": ["NO-SUCH"]}), "编码值[\"NO-SUCH\"]不存在", 9),
        (json!({"Numbers": [], "Ids": ""}), "编码值或内码值必须传其一", 8),
        (json!({"Ids": format!("{},{}", bills[4].0, bills[4].0)}), "重复", 8),
    ] {
        let status = bench.write("Audit", data.clone());
        assert_eq!(
            (status["MsgCode"].clone(), message(&status).contains(words)),
            (json!(code), true),
            "{data}: {status}"
        );
    }
}

#[test]
fn troubles_refuse_until_they_are_cured() {
    // (trouble, data that still fails, MsgCode, words, what cures it: data or a change)
    let cases = [
        (
            json!({"interaction": true}),
            json!({"IgnoreInterationFlag": "true"}),
            11,
            "是否继续",
            json!({}),
            json!({"InterationFlags": "X;STK_InvCheckResult"}),
        ),
        (
            json!({"closed": true}),
            json!({"InterationFlags": "STK_InvCheckResult"}),
            11,
            "关账",
            json!({"closed": false}),
            json!({}),
        ),
        (json!({"workflow": true}), json!({}), 12, "工作流", json!({}), json!({"IsVerifyProcInst": "false"})),
        (
            json!({"shortage": true}),
            json!({"InterationFlags": "STK_InvCheckResult"}),
            11,
            "库存不足",
            json!({"shortage": false}),
            json!({}),
        ),
        (json!({"credit": true}), json!({}), 12, "信用", json!({"credit": false}), json!({})),
        (
            json!({"lock": {"user": "李娜", "seconds": 30}}),
            json!({}),
            0,
            "冲突，请稍候再使用",
            json!({"unlock": true}),
            json!({}),
        ),
    ];
    for (trouble, failing, code, words, cure, passing) in cases {
        let mut bench = Bench::plain(30);
        let (id, _) = bench.submitted()[0].clone();
        let change = |bench: &mut Bench, what: &Value| {
            let mut body = json!({"id": id});
            body.as_object_mut().unwrap().extend(what.as_object().unwrap().clone());
            bench.admin("/admin/bill", body)
        };
        let audit = |bench: &mut Bench, what: &Value| {
            let mut data = json!({"Ids": id.to_string()});
            data.as_object_mut().unwrap().extend(what.as_object().unwrap().clone());
            bench.write("Audit", data)
        };
        change(&mut bench, &trouble);
        let status = audit(&mut bench, &failing);
        assert_eq!(
            (status["MsgCode"].clone(), message(&status).contains(words)),
            (json!(code), true),
            "{trouble}: {status}"
        );
        assert_eq!(bench.status(id), "B");
        change(&mut bench, &cure);
        assert_eq!(audit(&mut bench, &passing)["IsSuccess"], true, "{trouble}");
    }
    // Locks also end by themselves: by time, or after so many tries.
    let mut bench = Bench::plain(30);
    let bills = bench.submitted();
    bench.admin("/admin/bill", json!({"id": bills[0].0, "lock": {"seconds": 5}}));
    bench.admin("/admin/bill", json!({"id": bills[1].0, "lock": {"tries": 2}}));
    let mut audit = |id: i64, now: i64| {
        bench.now = now;
        bench.write("Audit", json!({"Ids": id.to_string()}))["IsSuccess"].as_bool().unwrap()
    };
    assert_eq!(
        [audit(bills[0].0, NOW), audit(bills[0].0, NOW + 4_999), audit(bills[0].0, NOW + 5_000)],
        [false, false, true]
    );
    assert_eq!([audit(bills[1].0, NOW), audit(bills[1].0, NOW), audit(bills[1].0, NOW)], [false, false, true]);
}

#[test]
fn a_delayed_call_is_executed_though_nobody_waits() {
    let mut bench = Bench::plain(30);
    let (id, number) = bench.submitted()[0].clone();
    bench.world.add_faults(FaultPlan {
        rules: vec![Rule::new(Kind::Delay, When::Before).on(&["Audit"]).bill(&number).ms(130_000)],
    });
    let reply = bench.send("Audit", json!({"formid": FORM, "data": {"Ids": id.to_string()}}));
    let Transport::Parked { ticket, due_ms } = reply.transport else { panic!("{reply:?}") };
    assert_eq!((due_ms, bench.world.next_due()), (NOW + 130_000, Some(NOW + 130_000)));
    bench.now = NOW + 129_999;
    assert_eq!(bench.status(id), "B");
    assert!(matches!(bench.world.resume(ticket, bench.now).transport, Transport::Parked { .. }));
    bench.now = NOW + 130_000;
    assert_eq!(bench.status(id), "C", "any later call sees it done");
    let answer = body(&bench.world.resume(ticket, bench.now));
    assert_eq!(answer["Result"]["ResponseStatus"]["SuccessEntitys"][0]["Id"], id);
    assert_eq!(bench.world.resume(ticket, bench.now).transport, Transport::Reset, "an answer is given once");
    assert_eq!(bench.world.record().after(0, 9)[0].at_ms, NOW + 130_000);
}

#[test]
fn each_fault_shows_and_either_executes_or_not() {
    use Kind as K;
    use When::{After, Before};
    type Seen = fn(&Reply) -> bool;
    let json_code = |reply: &Reply| body(reply)["Result"]["ResponseStatus"]["MsgCode"].as_i64();
    assert_eq!(json_code(&Reply::json(&json!({"Result": {"ResponseStatus": {"MsgCode": 4}}}))), Some(4));
    let cases: Vec<(Rule, bool, Seen)> = vec![
        (Rule::new(K::Delay, After).ms(700), true, |r| r.wait_ms == 700),
        (Rule::new(K::Reset, Before), false, |r| r.transport == Transport::Reset),
        (Rule::new(K::Reset, After), true, |r| r.transport == Transport::Reset),
        (Rule { at: 12, ..Rule::new(K::Truncate, After) }, true, |r| r.transport == Transport::Truncated(12)),
        (Rule { at: 12, ..Rule::new(K::Truncate, Before) }, false, |r| r.transport == Transport::Truncated(12)),
        (Rule::new(K::NoLength, After), true, |r| r.transport == Transport::NoLength),
        (Rule::new(K::Twice, After), true, |r| r.transport == Transport::Twice),
        (Rule { at: 3, ..Rule::new(K::SlowBody, After).ms(2) }, true, |r| {
            r.transport == Transport::Slow { bytes: 3, every_ms: 2 }
        }),
        (Rule { status: 200, ..Rule::new(K::Html, Before) }, false, |r| {
            r.status == 200 && r.body.starts_with(b"<!DOCTYPE")
        }),
        (Rule { status: 502, ..Rule::new(K::Html, After) }, true, |r| r.status == 502),
        (Rule { status: 429, seconds: 3, ..Rule::new(K::Status, Before) }, false, |r| {
            r.status == 429 && r.header("retry-after") == Some("3")
        }),
        (Rule { status: 500, ..Rule::new(K::Status, After) }, true, |r| r.status == 500),
        (Rule::new(K::ResponseError, After), true, |r| r.body.starts_with(b"response_error:")),
        (Rule::new(K::Empty, After), true, |r| r.status == 200 && r.body.is_empty()),
        (Rule::new(K::Garbage, After), true, |r| serde_json::from_slice::<Value>(&r.body).is_err()),
        (Rule::new(K::Redirect, Before), false, |r| r.status == 302 && r.header("location").is_some()),
        (Rule { mb: 3, ..Rule::new(K::GzipBomb, After) }, true, |r| {
            r.body.len() < 100_000 && r.header("content-encoding") == Some("gzip")
        }),
        (Rule { mb: 2, ..Rule::new(K::Huge, After) }, true, |r| r.body.len() == 2 << 20),
        (Rule::new(K::SessionLost, Before), false, |r| String::from_utf8_lossy(&r.body).contains("会话信息已丢失")),
        (Rule::new(K::SessionLost, After), true, |r| String::from_utf8_lossy(&r.body).contains("会话信息已丢失")),
        (Rule::new(K::SessionExpiry, Before), true, |r| r.header("set-cookie").unwrap().contains("expires")),
        (Rule { seconds: 9, ..Rule::new(K::Lock, Before) }, false, |r| {
            String::from_utf8_lossy(&r.body).contains("请稍候再使用")
        }),
        (Rule::new(K::Stale, Before), false, |r| String::from_utf8_lossy(&r.body).contains("已被其他用户修改")),
        (Rule::new(K::Limit, Before), false, |r| body(r)["Result"]["ResponseStatus"]["MsgCode"] == 14),
        (Rule { code: 6, ..Rule::new(K::Error, After) }, true, |r| body(r)["Result"]["ResponseStatus"]["MsgCode"] == 6),
        (Rule::new(K::Gateway, Before), false, |r| r.status == 519),
        (Rule::new(K::OtherBill, After), true, |r| {
            body(r)["Result"]["ResponseStatus"]["SuccessEntitys"][0]["Id"] == 99_999_999
        }),
        (Rule::new(K::StaleAnswer, After), true, |r| body(r)[0][0].is_i64()),
    ];
    for (rule, executed, seen) in cases {
        let mut bench = Bench::plain(30);
        let (id, _) = bench.submitted()[0].clone();
        let shown = format!("{:?} {:?}", rule.kind, rule.when);
        bench.world.add_faults(FaultPlan { rules: vec![rule.on(&["Audit"]).times(1)] });
        let reply = bench.send("Audit", json!({"formid": FORM, "data": {"Ids": id.to_string()}}));
        assert!(seen(&reply), "{shown}: {} {:?}", reply.status, reply);
        assert_eq!(bench.status(id), if executed { "C" } else { "B" }, "{shown}");
        let stats = bench.world.stats();
        assert_eq!(stats.applied.get("Audit").copied().unwrap_or(0), u64::from(executed), "{shown}");
        assert_eq!(stats.faults.values().sum::<u64>(), 1, "{shown}");
    }
}

#[test]
fn faults_of_other_people_and_of_the_clock() {
    let mut bench = Bench::plain(30);
    let bills = bench.submitted();
    let rule = |kind, when| FaultPlan { rules: vec![Rule::new(kind, when).on(&["Audit"]).times(1)] };
    bench.world.add_faults(rule(Kind::Unaudit, When::After));
    assert_eq!(bench.write("Audit", json!({"Ids": bills[0].0.to_string()}))["IsSuccess"], true);
    assert_eq!(bench.status(bills[0].0), "D");
    let verbs: Vec<_> = bench.world.record().after(0, 9).iter().map(|l| (l.verb, l.before, l.after)).collect();
    assert!(verbs.contains(&("Audit", 'B', 'C')) && verbs.contains(&("Outside", 'C', 'D')), "{verbs:?}");
    bench.world.add_faults(rule(Kind::Partial, When::Before));
    let ids: Vec<String> = bills[1..5].iter().map(|b| b.0.to_string()).collect();
    let half = bench.write("Audit", json!({"Ids": ids.join(",")}));
    assert_eq!((&half["IsSuccess"], half["SuccessEntitys"].as_array().unwrap().len()), (&json!(true), 2));
    bench.world.add_faults(FaultPlan { rules: vec![Rule::new(Kind::ClockSkew, When::Before).times(1).ms(3_600_000)] });
    bench.write("Audit", json!({"Ids": bills[6].0.to_string()}));
    let approved = bench.rows("FApproveDate", &format!("FID={}", bills[6].0), json!({}));
    assert_eq!(approved[0][0], "2026-11-24T07:00:00");
}

#[test]
fn fault_files_are_read_and_bad_ones_refused() {
    let plan = FaultPlan::from_toml(
        "[[fault]]\nkind = \"reset\"\nwhen = \"after\"\non = [\"Audit\"]\nrate = 0.5\ntimes = 2\n\n[[fault]]\nkind = \"limit\"\n",
    )
    .unwrap();
    assert_eq!((plan.rules.len(), plan.rules[0].kind, plan.rules[0].times), (2, Kind::Reset, Some(2)));
    for bad in ["[[fault]]\nkind = \"nope\"", "[[fault]]\nwhen = \"after\"", "[[fault]]\nkind = \"reset\"\nspeed = 1"] {
        let error = FaultPlan::from_toml(bad).expect_err(bad).to_string();
        assert!(error.contains("line"), "{error}");
    }
    for name in ["none", "demo", "storm"] {
        assert!(FaultPlan::preset(name).is_some());
    }
    // A storm strikes about one call in ten, repeatably.
    let struck = |seed| {
        let faults = FaultPlan::preset("storm").unwrap();
        let mut bench = Bench::new(WorldConfig { bills: 10, seed, faults, ..WorldConfig::default() });
        for _ in 0..1_000 {
            bench.send("Audit", json!({"formid": FORM, "data": {"Ids": "100101"}}));
        }
        bench.world.stats().faults
    };
    let (one, two) = (struck(7), struck(7));
    assert_eq!(one, two);
    let total: u64 = one.values().sum();
    assert!((60..=140).contains(&total) && one.len() > 15, "{total} of {} kinds: {one:?}", one.len());
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
