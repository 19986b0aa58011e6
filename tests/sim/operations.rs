//! Operations by name that move a field of their own: closing, forbidding, enabling, with their faults, record and counts.

use crate::sim_bench::{Bench, FORM, NOW, message};
use serde_json::{Value, json};
use skydeck::sim::faults::{FaultPlan, Kind, Rule, When};
use skydeck::sim::{Counts, State, Transport, WorldConfig};

const PRICES: &str = "PUR_PriceCategory";
const MATERIAL: &str = "BD_MATERIAL";

fn counts(calls: u32, changed: u32, refused: u32) -> Counts {
    Counts { calls, changed, refused }
}

fn ids(rows: &[(i64, String)]) -> String {
    rows.iter().map(|(id, _)| id.to_string()).collect::<Vec<_>>().join(",")
}

#[test]
fn each_operation_in_each_status() {
    const ONLY_B_AND_C: &str = "只有审核中和已审核的数据才允许关闭！";
    // (operation, form, document status, letter before, letter after or the words of the refusal)
    let mut table = vec![
        ("BillClose", FORM, "Z", "A", ONLY_B_AND_C),
        ("BillClose", FORM, "A", "A", ONLY_B_AND_C),
        ("BillClose", FORM, "D", "A", ONLY_B_AND_C),
        ("BillClose", FORM, "B", "A", "B"),
        ("billclose", "SAL_SaleOrder", "C", "A", "B"),
        ("BILLCLOSE", "AR_receivable", "C", "A", "B"),
        ("BillClose", "STK_InStock", "B", "A", "B"),
    ];
    for status in ["Z", "A", "B", "C", "D"] {
        table.push(("BillClose", FORM, status, "B", "单据已经关闭！"));
        table.push(("Forbid", PRICES, status, "A", "B"));
        table.push(("Forbid", PRICES, status, "B", "数据已经禁用！"));
        table.push(("enable", PRICES, status, "B", "A"));
        table.push(("Enable", PRICES, status, "A", "数据没有被禁用！"));
    }
    for form in [MATERIAL, "BD_Customer", "BD_Currency"] {
        table.push(("FORBID", form, "C", "A", "B"));
        table.push(("Forbid", form, "C", "B", "数据已经禁用！"));
        table.push(("Enable", form, "C", "B", "A"));
        table.push(("Enable", form, "C", "A", "数据没有被禁用！"));
    }
    for (operation, form, status, before, expected) in table {
        let shown = format!("{operation} of {form} in {status}, {before}");
        let mut bench = Bench::plain(20);
        let close = operation.eq_ignore_ascii_case("BillClose");
        let (key, mark) = if close { ("FCloseStatus", "close_status") } else { ("FForbidStatus", "forbid_status") };
        let id = bench.rows("FID", "", json!({"FormId": form, "Limit": 1}))[0][0].as_i64().unwrap();
        bench.admin("/admin/bill", json!({"form": form, "id": id, "status": status}));
        if before == "B" {
            bench.admin("/admin/bill", json!({"form": form, "id": id, mark: "B"}));
        }
        let touched = bench.cell(form, "FModifyDate", id);
        bench.now += 60_000;
        let answer = bench.operate(operation, form, json!({"Ids": id.to_string()}));
        let done = expected.len() == 1;
        assert_eq!(answer["IsSuccess"], done, "{shown}: {answer}");
        if !done {
            let number = bench.world.record().after(0, 9)[0].number.to_string();
            assert!(message(&answer).contains(expected) && message(&answer).contains(&number), "{shown}: {answer}");
            assert_eq!((&answer["ErrorCode"], &answer["MsgCode"]), (&json!(500), &json!(11)), "{shown}");
        }
        let after = if done { expected } else { before };
        assert_eq!(bench.cell(form, key, id), after, "{shown}");
        assert_eq!(bench.cell(form, "FDocumentStatus", id), status, "{shown}");
        assert_eq!(bench.cell(form, "FModifyDate", id) != touched, done, "{shown}");
        if done {
            assert_eq!(bench.cell(form, "FModifierId.FName", id), "demo", "{shown}");
        }
        let line = bench.world.record().after(0, 9).last().unwrap().clone();
        let state = if close { State::Close } else { State::Forbid };
        assert!(line.verb.eq_ignore_ascii_case(operation), "{shown}: {}", line.verb);
        assert_eq!((line.state, line.before.to_string().as_str()), (state, before), "{shown}");
        assert_eq!((line.after.to_string().as_str(), line.refused.is_none()), (after, done), "{shown}");
        let expected = if done { counts(1, 1, 0) } else { counts(1, 0, 1) };
        assert_eq!(bench.world.counts(form, u32::try_from(id).unwrap(), line.verb), expected, "{shown}");
    }
}

#[test]
fn operations_that_are_not_there_are_refused_as_before() {
    let mut bench = Bench::plain(30);
    let (id, _) = bench.submitted()[0].clone();
    let material = bench.rows("FID", "", json!({"FormId": MATERIAL, "Limit": 1}))[0][0].clone();
    for (operation, form, id) in [
        ("BillUnClose", FORM, json!(id)),
        ("YLUnBillClose", FORM, json!(id)),
        ("", FORM, json!(id)),
        ("Forbid", FORM, json!(id)),
        ("Enable", "SAL_SaleOrder", json!(id)),
        ("BillClose", MATERIAL, material.clone()),
        ("BillClose", PRICES, json!(800_101)),
    ] {
        let answer = bench.operate(operation, form, json!({"Ids": id.to_string()}));
        assert_eq!((&answer["MsgCode"], message(&answer)), (&json!(3), "操作编码不存在"), "{operation} of {form}");
    }
    assert_eq!(bench.operate("BillClose", "NO_SUCH", json!({"Ids": "1"}))["MsgCode"], 4);
    assert_eq!(bench.operate("BillClose", FORM, json!({"Ids": "1"}))["MsgCode"], 9);
    assert_eq!(bench.operate("BillClose", FORM, json!({}))["MsgCode"], 8);
    assert!(bench.world.record().is_empty());
    // What was done by name before still is.
    for (operation, after) in
        [("audit", "C"), ("UNAUDIT", "D"), ("Submit", "B"), ("CancelAssign", "D"), ("delete", "-")]
    {
        assert_eq!(bench.operate(operation, FORM, json!({"Ids": id.to_string()}))["IsSuccess"], true, "{operation}");
        let last = bench.world.record().after(0, 99).iter().rfind(|line| line.form == 0).unwrap();
        assert_eq!((last.state, last.after.to_string().as_str()), (State::Document, after), "{operation}");
    }
}

#[test]
fn columns_and_filters_show_what_was_done_and_by_whom() {
    let mut bench = Bench::plain(60);
    let open = bench.rows("FID", "FCloseStatus='A'", json!({})).len();
    assert_eq!(open, 60);
    let keys = "FCloseStatus,FCloseDate,FCloserId,FCloserId.FName";
    let bills = bench.submitted();
    assert_eq!(bench.rows(keys, &format!("FID={}", bills[0].0), json!({}))[0], json!(["A", null, 0, null]));
    bench.operate("BillClose", FORM, json!({"Ids": ids(&bills[..3])}));
    let closed = bench.rows(keys, "fclosestatus<>'A' and FDocumentStatus='B'", json!({}));
    assert_eq!(closed.len(), 3);
    assert_eq!((&closed[0][0], &closed[0][3]), (&json!("B"), &json!("demo")));
    assert_eq!(closed[0][1], "2026-11-24T06:00:00");
    assert!(closed[0][2].as_i64().unwrap() > 0);
    for filter in [
        "FCloseStatus in ('B')",
        "FCloseDate is not null",
        "FCloseDate>='2026-11-24'",
        "FCloserId.FName='demo'",
        "FCloserId<>0",
        "not FCloseStatus='A'",
    ] {
        assert_eq!(bench.rows("FID", filter, json!({})).len(), 3, "{filter}");
    }
    let last = bench.rows("FID", "", json!({"OrderString": "FCloseStatus DESC,FID", "Limit": 4}));
    assert_eq!(last[..3], bills[..3].iter().map(|(id, _)| json!([id])).collect::<Vec<_>>()[..]);
    let view = bench.call("View", json!({"formid": FORM, "data": {"Id": bills[0].0}}))["Result"]["Result"].clone();
    assert_eq!((&view["CloseStatus"], &view["CloserId"]["Name"][0]["Value"]), (&json!("B"), &json!("demo")));
    // Base data by number; a row that is enabled again keeps neither date nor person.
    let material = |bench: &mut Bench| {
        let keys = "FForbidStatus,FForbidDate,FForbidderId.FName,FDocumentStatus";
        bench.rows(keys, "FNumber='MAT00007'", json!({"FormId": MATERIAL}))[0].clone()
    };
    assert_eq!(material(&mut bench), json!(["A", null, null, "C"]));
    bench.operate("Forbid", MATERIAL, json!({"Numbers": ["MAT00007", "mat00009"]}));
    assert_eq!(material(&mut bench), json!(["B", "2026-11-24T06:00:00", "demo", "C"]));
    let forbidden = bench.rows("FNumber", "FForbidStatus='B'", json!({"FormId": MATERIAL}));
    assert_eq!(forbidden, [json!(["MAT00007"]), json!(["MAT00009"])]);
    bench.operate("Enable", MATERIAL, json!({"Numbers": ["MAT00007"]}));
    assert_eq!(material(&mut bench), json!(["A", null, null, "C"]));
    // A document status that moves leaves the mark, and a bill made from a closed one is open.
    bench.operate("BillClose", FORM, json!({"Ids": ids(&bills[3..])}));
    bench.operate("Audit", FORM, json!({"Ids": ids(&bills)}));
    assert_eq!(bench.rows("FID", "FCloseStatus='B' and FDocumentStatus='C'", json!({})).len(), bills.len());
    assert!(bench.world.stats().applied["SideEffect"] > 0);
    assert_eq!(bench.rows("FID", "FCloseStatus='B'", json!({"FormId": "AR_receivable"})), Vec::<Value>::new());
    let fields = bench.call("QueryBusinessInfo", json!({"data": {"FormId": PRICES}})).to_string();
    assert!(fields.contains("FForbidStatus") && !fields.contains("FCloseStatus"));
}

#[test]
fn a_batch_is_bill_by_bill_and_a_half_one_says_nothing_of_the_rest() {
    let mut bench = Bench::plain(60);
    let bills = bench.submitted();
    let (a, b, c) = (&bills[0], &bills[1], &bills[2]);
    bench.operate("BillClose", FORM, json!({"Numbers": [b.1]}));
    let status = bench.operate("BillClose", FORM, json!({"Numbers": [c.1, "NO-SUCH", b.1, a.1]}));
    assert_eq!((&status["IsSuccess"], &status["MsgCode"]), (&json!(false), &json!(0)));
    let done = json!([{"Id": a.0, "Number": a.1, "DIndex": 0}, {"Id": c.0, "Number": c.1, "DIndex": 2}]);
    assert_eq!((&status["SuccessEntitys"], &status["Errors"][0]["DIndex"]), (&done, &json!(1)));
    assert!(message(&status).contains(&b.1), "{status}");
    assert_eq!(bench.operate("BillClose", FORM, json!({"Ids": format!("{0},{0}", a.0)}))["MsgCode"], 8);
    let rule = Rule::new(Kind::Partial, When::Before).on(&["BillClose"]).times(1);
    bench.world.add_faults(FaultPlan { rules: vec![rule] });
    let half = bench.operate("BillClose", FORM, json!({"Ids": ids(&bills[3..7])}));
    assert_eq!((&half["IsSuccess"], half["SuccessEntitys"].as_array().unwrap().len()), (&json!(true), 2));
    let closed = bills[3..7].iter().map(|(id, _)| bench.cell(FORM, "FCloseStatus", *id)).collect::<Vec<_>>();
    assert_eq!(closed, ["B", "B", "A", "A"]);
    let left = u32::try_from(bills[6].0).unwrap();
    assert_eq!(bench.world.counts(FORM, left, "BillClose"), counts(1, 0, 0), "called, and not looked at");
}

#[test]
fn permissions_locks_and_others_changes_hold_and_what_concerns_posting_does_not() {
    let mut bench = Bench::plain(60);
    let bills = bench.submitted();
    let id = bills[0].0;
    let foreign = bench.rows("FID", "FSaleOrgId.FNumber<>'100' and FDocumentStatus='B'", json!({}))[0][0].clone();
    for (user, id, code, words) in [
        ("reader", json!(id), 2, "您没有销售出库单的关闭权限"),
        ("demo100", foreign, 2, "您没有销售出库单的关闭权限"),
        ("Administrator", json!(id), 15, ""),
    ] {
        bench.user = user;
        let status = bench.operate("BillClose", FORM, json!({"Ids": id.to_string()}));
        assert_eq!((&status["MsgCode"], message(&status).contains(words)), (&json!(code), true), "{user}: {status}");
    }
    bench.user = "demo";
    bench.admin("/admin/bill", json!({"id": id, "lock": {"user": "李娜", "tries": 1}}));
    let close = |bench: &mut Bench, id: i64| bench.operate("BillClose", FORM, json!({"Ids": id.to_string()}));
    assert!(message(&close(&mut bench, id)).contains("“李娜”使用业务单据"), "an edit lock");
    bench.world.add_faults(FaultPlan { rules: vec![Rule::new(Kind::Stale, When::Before).on(&["BillClose"]).times(1)] });
    assert!(message(&close(&mut bench, id)).contains("已被其他用户修改"));
    assert_eq!(close(&mut bench, id)["IsSuccess"], true);
    for (trouble, (id, _)) in ["closed", "workflow", "shortage", "credit", "interaction"].iter().zip(&bills[1..]) {
        bench.admin("/admin/bill", json!({"id": id, *trouble: true}));
        assert_eq!(close(&mut bench, *id)["IsSuccess"], true, "{trouble}");
        let words = message(&bench.operate("Audit", FORM, json!({"Ids": id.to_string()}))).to_owned();
        assert!(!words.is_empty(), "{trouble} still stands before the audit");
    }
    bench.admin("/admin/bill", json!({"id": bills[7].0, "slow_ms": 900}));
    let body = json!({"formid": FORM, "opNumber": "BillClose", "data": {"Ids": bills[7].0}});
    assert!(matches!(bench.send("ExecuteOperation", body).transport, Transport::Parked { .. }));
}

#[test]
fn the_first_answer_of_each_bill_is_lost_and_the_second_call_is_told_so() {
    let mut bench = Bench::plain(60);
    let bills = bench.submitted();
    bench.admin(
        "/admin/faults",
        json!({"fault": [{"kind": "reset", "when": "after", "on": ["ExecuteOperation"], "first": 1}]}),
    );
    let send = |bench: &mut Bench, some: &[(i64, String)]| {
        let body = json!({"formid": FORM, "opNumber": "BillClose", "data": {"Ids": ids(some)}});
        bench.send("ExecuteOperation", body)
    };
    assert_eq!(send(&mut bench, &bills[..2]).transport, Transport::Reset);
    // One bill is new to the rule, so the call is struck; the two before are known to it.
    assert_eq!(send(&mut bench, &bills[1..3]).transport, Transport::Reset);
    let again = crate::sim_bench::body(&send(&mut bench, &bills[..3]))["Result"]["ResponseStatus"].clone();
    assert_eq!(again["Errors"].as_array().unwrap().len(), 3, "{again}");
    assert!(message(&again).contains("单据已经关闭！"));
    let of = |bench: &Bench, i: usize| bench.world.counts(FORM, u32::try_from(bills[i].0).unwrap(), "BillClose");
    assert_eq!([of(&bench, 0), of(&bench, 1), of(&bench, 2)], [counts(2, 1, 1), counts(3, 1, 2), counts(2, 1, 1)]);
    let stats = bench.world.stats();
    assert_eq!((stats.most_calls["BillClose"], stats.most_changes["BillClose"]), (3, 1));
    assert_eq!((stats.applied["BillClose"], stats.closed[FORM], stats.forbidden[PRICES]), (3, 3, 0));
    // Bound to a bill and to a number of calls, the rule counts that bill only, and the others pass.
    let rule = Rule::new(Kind::Empty, When::Before).on(&["billclose"]).bill(&bills[5].1).first(2);
    bench.world.add_faults(FaultPlan { rules: vec![rule] });
    let empty = |bench: &mut Bench, some: &[(i64, String)]| send(bench, some).body.is_empty();
    assert_eq!(send(&mut bench, &bills[4..5]).transport, Transport::Reset, "the rule of before");
    let struck: Vec<bool> = (0..2).map(|_| empty(&mut bench, &bills[4..6])).collect();
    assert_eq!(struck, [true, true]);
    assert_eq!(send(&mut bench, &bills[4..7]).transport, Transport::Reset, "others new to the rule of before");
    assert!(!empty(&mut bench, &bills[4..7]));
}

#[test]
fn a_late_close_happens_though_nobody_waits_and_a_repeat_meets_it() {
    let mut bench = Bench::plain(30);
    let (id, number) = bench.submitted()[0].clone();
    let rule = Rule::new(Kind::Delay, When::Before).on(&["BillClose"]).bill(&number).ms(130_000).times(1);
    bench.world.add_faults(FaultPlan { rules: vec![rule] });
    let body = json!({"formid": FORM, "opNumber": "BillClose", "data": {"Ids": id.to_string()}});
    assert!(matches!(bench.send("ExecuteOperation", body).transport, Transport::Parked { .. }));
    bench.now = NOW + 129_999;
    assert_eq!(bench.cell(FORM, "FCloseStatus", id), "A");
    bench.now = NOW + 130_000;
    assert_eq!(bench.cell(FORM, "FCloseStatus", id), "B", "any later call sees it done");
    assert_eq!(bench.cell(FORM, "FCloseDate", id), "2026-11-24T06:02:10");
    let again = bench.operate("BillClose", FORM, json!({"Ids": id.to_string()}));
    assert!(message(&again).contains("单据已经关闭！"));
    assert_eq!(bench.world.counts(FORM, u32::try_from(id).unwrap(), "BillClose"), counts(2, 1, 1));
    // Polled: asked once, done later, answered on request.
    let (id, _) = bench.submitted()[1].clone();
    let body = json!({
        "formid": FORM, "opNumber": "BillClose", "data": {"Ids": id.to_string()},
        "beginmethod": "BeginQueryImpl", "querymethod": "QueryAsyncResult",
    });
    let task = bench.call("ExecuteOperation", body)["TaskId"].clone();
    bench.now += 2_000;
    let query = json!({"queryInfo": json!({"TaskId": task}).to_string()});
    let done = bench.call("QueryAsyncResult", query);
    assert_eq!(done["Result"]["Result"]["ResponseStatus"]["SuccessEntitys"][0]["Id"], id, "{done}");
    assert_eq!(bench.world.counts(FORM, u32::try_from(id).unwrap(), "BillClose"), counts(1, 1, 0));
}

#[test]
fn every_kind_of_fault_strikes_an_operation_by_any_of_its_names() {
    let rules = FaultPlan::preset("storm").unwrap().rules;
    // What is done though the rule says "before": these hinder nothing, or only some of the bills.
    let goes_on = [
        Kind::Delay,
        Kind::NoLength,
        Kind::Twice,
        Kind::SlowBody,
        Kind::SessionExpiry,
        Kind::ClockSkew,
        Kind::Partial,
        Kind::Unaudit,
        Kind::Late,
    ];
    let mut kinds = std::collections::HashSet::new();
    for rule in rules {
        kinds.insert(rule.kind);
        for on in ["ExecuteOperation", "BillClose", "write"] {
            let mut bench = Bench::plain(30);
            let bills = bench.submitted();
            let (id, number) = bills[0].clone();
            let shown = format!("{:?} {:?} on {on}", rule.kind, rule.when);
            let rule = Rule { rate: 1.0, bill: vec![number], ..rule.clone() }.on(&[on]).times(1);
            let executed = rule.when == When::After || goes_on.contains(&rule.kind);
            let taken_back = rule.kind == Kind::Unaudit;
            bench.world.add_faults(FaultPlan { rules: vec![rule] });
            let call = |id: i64| json!({"formid": FORM, "opNumber": "BillClose", "data": {"Ids": id}});
            bench.send("ExecuteOperation", call(bills[1].0));
            assert!(bench.world.stats().faults.is_empty(), "{shown}: another bill");
            bench.send("ExecuteOperation", call(id));
            bench.now += 10_000;
            let closed = bench.cell(FORM, "FCloseStatus", id);
            assert_eq!(closed, if executed && !taken_back { "B" } else { "A" }, "{shown}");
            assert_eq!(bench.status(id), "B", "{shown}");
            assert_eq!(bench.world.stats().faults.values().sum::<u64>(), 1, "{shown}");
            let seen = bench.world.counts(FORM, u32::try_from(id).unwrap(), "BillClose");
            assert_eq!((seen.calls, seen.changed), (1, u32::from(executed)), "{shown}");
        }
    }
    assert_eq!(kinds.len(), 29, "the storm has every kind");
    assert!(goes_on.iter().all(|kind| kinds.contains(kind)));
}

#[test]
fn every_encoding_of_a_call_by_name_means_the_same() {
    let calls = [
        r#"{"formid":"SAL_OUTSTOCK","opNumber":"BillClose","data":{"Ids":"{id}"}}"#,
        r#"{"FormId":"sal_outstock","OPNUMBER":" billclose ","Data":"{\"Ids\":[{id}]}"}"#,
        r#"{"parameters":["SAL_OUTSTOCK","BillClose","{\"Ids\":\"{id}\"}"]}"#,
        r#"{"FormId":"SAL_OUTSTOCK","opNumber":"BillClose","Ids":"{id}"}"#,
        r#"{"formid":"SAL_OUTSTOCK","opNumber":"BillClose","data":{"Numbers":["{no}"],"Ids":""}}"#,
        "FormId=SAL_OUTSTOCK&opNumber=BillClose&Data=%7B%22Ids%22%3A+%22{id}%22%7D",
    ];
    for (i, call) in calls.into_iter().enumerate() {
        for service in ["ExcuteOperation", "executeoperation"] {
            let mut bench = Bench::plain(30);
            let (id, number) = bench.submitted()[0].clone();
            let text = call.replace("{id}", &id.to_string()).replace("{no}", &number);
            let path = crate::sim_bench::service(service);
            let reply =
                bench.world.handle(crate::sim_bench::parts(&path, crate::sim_bench::as_demo("demo"), text), NOW);
            let status = &crate::sim_bench::body(&reply)["Result"]["ResponseStatus"];
            assert_eq!(status["SuccessEntitys"][0]["Id"], id, "encoding {i} of {service}: {status}");
            assert_eq!(bench.cell(FORM, "FCloseStatus", id), "B", "encoding {i}");
        }
    }
}

#[test]
fn others_open_close_and_take_back_and_the_record_tells_it() {
    let mut bench = Bench::plain(30);
    let bills = bench.submitted();
    let (id, number) = bills[0].clone();
    let undo: FaultPlan = serde_json::from_value(json!({"fault": [{"kind": "undo", "when": "after"}]})).unwrap();
    assert_eq!(undo.rules[0].kind, Kind::Unaudit);
    let once = |bench: &mut Bench| {
        let rule = Rule::new(Kind::Unaudit, When::After).on(&["ExecuteOperation"]).times(1);
        bench.world.add_faults(FaultPlan { rules: vec![rule] });
    };
    once(&mut bench);
    assert_eq!(bench.operate("BillClose", FORM, json!({"Ids": id}))["IsSuccess"], true);
    assert_eq!(bench.cell(FORM, "FCloseStatus", id), "A");
    once(&mut bench);
    bench.operate("Forbid", MATERIAL, json!({"Numbers": ["MAT00001"]}));
    bench.admin("/admin/bill", json!({"form": MATERIAL, "number": "MAT00001", "forbid_status": "B", "as": "李娜"}));
    once(&mut bench);
    bench.operate("Enable", MATERIAL, json!({"Numbers": ["MAT00001"]}));
    let changed = bench.admin("/admin/bill", json!({"id": id, "close_status": "B", "as": "李娜"}));
    assert_eq!((&changed["status"], &changed["close_status"]), (&json!("B"), &json!("B")));
    assert_eq!(bench.cell(FORM, "FCloserId.FName", id), "李娜");
    let lines = bench.admin_get("/admin/record?all=1")["lines"].clone();
    let told: Vec<[&str; 5]> = lines
        .as_array()
        .unwrap()
        .iter()
        .map(|l| ["verb", "field", "before", "after", "user"].map(|key| l[key].as_str().unwrap()))
        .collect();
    assert_eq!(
        told,
        [
            ["BillClose", "FCloseStatus", "A", "B", "demo"],
            ["Outside", "FCloseStatus", "B", "A", "王芳"],
            ["Forbid", "FForbidStatus", "A", "B", "demo"],
            ["Outside", "FForbidStatus", "B", "A", "王芳"],
            ["Outside", "FForbidStatus", "A", "B", "李娜"],
            ["Enable", "FForbidStatus", "B", "A", "demo"],
            ["Outside", "FForbidStatus", "A", "B", "王芳"],
            ["Outside", "FCloseStatus", "A", "B", "李娜"],
        ]
    );
    // Admin: bills by state, counts by form, verb and bill.
    let closed = bench.admin_get(&format!("/admin/bills?form={FORM}&close_status=B"))["bills"].clone();
    assert_eq!(closed.as_array().unwrap().len(), 1);
    assert_eq!(closed[0]["counts"]["BillClose"], json!({"calls": 1, "changed": 1, "refused": 0}));
    let one = json!({
        "form": FORM, "id": id, "number": number, "verb": "BillClose", "calls": 1, "changed": 1, "refused": 0,
    });
    for query in [format!("id={id}&verb=billclose"), format!("form={FORM}&number={number}&verb=BillClose")] {
        assert_eq!(bench.admin_get(&format!("/admin/counts?{query}"))["counts"], json!([one]), "{query}");
    }
    let all = bench.admin_get("/admin/counts")["counts"].clone();
    let verbs: Vec<&str> = all.as_array().unwrap().iter().map(|line| line["verb"].as_str().unwrap()).collect();
    assert_eq!(verbs, ["BillClose", "Outside", "Enable", "Forbid", "Outside"]);
    for bad in [json!({"id": id, "close_status": "C"}), json!({"id": id, "forbid_status": "B"})] {
        let request = crate::sim_bench::parts("/admin/bill", Vec::new(), bad.to_string());
        assert_eq!(bench.world.handle(request, bench.now).status, 400, "{bad}");
    }
}

#[test]
fn operations_by_name_never_move_a_document_status() {
    use proptest::prelude::*;
    use proptest::test_runner::{Config, TestRunner};
    let step = (0..6usize, 0..12usize, 1..4usize, any::<bool>());
    let mut runner = TestRunner::new(Config { cases: 40, failure_persistence: None, ..Config::default() });
    let steps = proptest::collection::vec(step, 1..40);
    runner
        .run(&(steps, 0..1_000u64), |(steps, seed)| {
            let mut faults = FaultPlan::preset("storm").unwrap();
            faults.rules.iter_mut().for_each(|rule| rule.rate *= 5.0);
            let mut bench = Bench::new(WorldConfig { bills: 120, seed, faults, ..WorldConfig::default() });
            let forms = [FORM, PRICES, MATERIAL];
            let read = |bench: &mut Bench, keys: &str, form: &str| {
                let path = format!("/admin/bills?form={form}&limit=12");
                let bills = bench.admin_get(&path)["bills"].clone();
                bills.as_array().unwrap().iter().map(|b| b[keys].clone()).collect::<Vec<_>>()
            };
            let before: Vec<_> = forms.iter().map(|form| read(&mut bench, "status", form)).collect();
            for (what, from, many, close) in steps {
                let form = forms[what % 3];
                let all = read(&mut bench, "id", form);
                let some = all.iter().cycle().skip(from).take(many).map(Value::to_string).collect::<Vec<_>>().join(",");
                let operation = if form == FORM {
                    "BillClose"
                } else if close {
                    "Forbid"
                } else {
                    "Enable"
                };
                let body = json!({"formid": form, "opNumber": operation, "data": {"Ids": some}});
                bench.send("ExecuteOperation", body);
                bench.now += 5_000;
            }
            let after: Vec<_> = forms.iter().map(|form| read(&mut bench, "status", form)).collect();
            prop_assert_eq!(before, after);
            // The record is the whole story: each line begins where the line before of that bill and field ended.
            let mut letters = std::collections::HashMap::new();
            for line in bench.world.record().after(0, usize::MAX) {
                prop_assert!(line.state != State::Document, "{:?}", line);
                let old = letters.insert((line.form, line.id, line.state.key()), line.after).unwrap_or('A');
                prop_assert_eq!(old, line.before);
                prop_assert_eq!(line.before == line.after, line.refused.is_some());
            }
            for (form, key) in [(FORM, "close_status"), (PRICES, "forbid_status"), (MATERIAL, "forbid_status")] {
                for bill in bench.admin_get(&format!("/admin/bills?form={form}&limit=12"))["bills"].as_array().unwrap()
                {
                    let at = position(form);
                    let id = u32::try_from(bill["id"].as_u64().unwrap()).unwrap();
                    let field = if key == "close_status" { "FCloseStatus" } else { "FForbidStatus" };
                    let letter = letters.get(&(at, id, field)).copied().unwrap_or('A').to_string();
                    prop_assert_eq!(bill[key].as_str().unwrap(), letter.as_str());
                }
            }
            Ok(())
        })
        .unwrap();
}

/// Position of a form in the record.
fn position(form: &str) -> usize {
    [FORM, "SAL_SaleOrder", "AR_receivable", "STK_InStock", MATERIAL, "BD_Customer", "BD_Currency", PRICES]
        .iter()
        .position(|known| *known == form)
        .unwrap()
}
