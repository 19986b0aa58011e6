//! Writes that do not simply succeed: troubles of a bill, faults of the server, of other people and of the clock.

use crate::sim_bench::{Bench, FORM, NOW, body, message};
use serde_json::{Value, json};
use skydeck::sim::faults::{FaultPlan, Kind, Rule, When};
use skydeck::sim::{Reply, Transport, WorldConfig};

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
