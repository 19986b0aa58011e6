//! What a plan file means: the shipped plans value by value, and variants that are read as one meaning or as another.

use super::{base, bent, filter_is, read, target_field};
use serde_json::{Value, json};
use skydeck::domain::plan::{Missed, Plan};
use skydeck::domain::run::Flag;
use skydeck::domain::step::Verb;
use skydeck::plan::render::{self, RenderContext};

const SEED: &str = include_str!("../../../plans/sal_outstock_audit.json");
const INSTOCK: &str = include_str!("../../../plans/stk_instock_submit_audit.json");

fn context(last_sync: Option<&str>) -> RenderContext {
    RenderContext {
        last_sync: last_sync.map(|t| skydeck::domain::time::ErpDate::parse(t).unwrap()),
        now: "2025-06-15T12:30:00".parse().unwrap(),
        zone_minutes: 480,
        page_size: 500,
        open: false,
    }
}

#[test]
fn the_seed_plan_is_read_with_its_exact_values() {
    let file = read(SEED).unwrap();
    assert_eq!(file.notes, [], "nothing in it is read otherwise than it is written");
    let Plan { name, source, target, policy, env, .. } = &file.plan;
    assert_eq!(name, "销售出库单查询 → 审核单据");
    assert_eq!(source.form.as_str(), "SAL_OUTSTOCK");
    let columns: Vec<(&str, &str, &str)> =
        source.columns.iter().map(|c| (c.key.as_str(), c.path.as_str(), c.label.as_str())).collect();
    assert_eq!(
        columns,
        [
            ("FBillTypeID_FNumber", "FBillTypeID.FNumber", "单据类型"),
            ("FID", "FID", "FID"),
            ("FBillNo", "FBillNo", "单据编号"),
            ("FDate", "FDate", "日期"),
            ("FSaleOrgId_FNumber", "FSaleOrgId.FNumber", "销售组织"),
            ("FCustomerID_FNumber", "FCustomerID.FNumber", "客户"),
            ("FStockOrgId_FNumber", "FStockOrgId.FNumber", "发货组织"),
            ("FApproveDate", "FApproveDate", "审核时间"),
        ]
    );
    assert_eq!((source.id_path.as_str(), source.number_path.as_str()), ("FID", "FBillNo"));
    assert_eq!(source.mark_column.as_deref(), Some("FCreateDate"));
    assert_eq!(source.top_rows, 0);
    assert_eq!(target.verb, Verb::Audit);
    assert_eq!(target.form.as_str(), "SAL_OUTSTOCK", "the target's FormId has no value: the source's");
    assert_eq!(target.stripped_flags, []);
    assert_eq!(target.options, skydeck::domain::plan::WriteOptions::default(), "what has no value is not sent");
    assert_eq!(*policy, skydeck::domain::plan::Policy::default());
    assert_eq!(*env, None);

    let tail = "and FDOCUMENTSTATUS<>'C' and FBillTypeID.fnumber='XSCKD07_SYS'";
    assert_eq!(
        render::filter(&file.plan, &context(Some("2025-03-01 08:00:00"))).unwrap(),
        format!("FCreateDate>='2025-03-01 08:00:00' {tail}")
    );
    assert_eq!(
        render::filter(&file.plan, &context(None)).unwrap(),
        format!("FCreateDate>='2000-01-01 00:00:00' {tail}"),
        "a sweep reads from the floor"
    );
    let blank = read(&SEED.replace("LAST_SYNC_TIME|dateTime", "LAST_SYNC_TIME dateTime")).unwrap();
    assert_eq!(blank.plan.rev, file.plan.rev, "a blank for the lost pipe means the same");
    assert_eq!(blank.plan.source.mark_column.as_deref(), Some("FCreateDate"));
}

#[test]
fn the_purchase_instock_plan_submits_first() {
    let file = read(INSTOCK).unwrap();
    assert_eq!(file.notes, []);
    assert_eq!(file.plan.name, "采购入库单提交并审核");
    assert_eq!(file.plan.source.form.as_str(), "STK_InStock");
    assert_eq!(file.plan.source.mark_column.as_deref(), Some("FModifyDate"));
    assert!(file.plan.policy.submit);
    assert_eq!(file.plan.policy.page_size, 500);
    assert_eq!(file.plan.target.options.verify_proc_inst, Some(true));
    assert_eq!(file.plan.target.options.ignore_interaction, Some(false));
    assert_eq!(file.plan.target.options.network_ctrl, Some(true));
}

#[test]
fn variants_are_read_as_one_meaning() {
    let want = read(&bent(&[])).unwrap().plan;
    let mut one_list = base();
    let controls = one_list["source"]["otherRequest"].take();
    one_list["source"]["request"].as_array_mut().unwrap().extend(controls.as_array().unwrap().clone());
    one_list["source"].as_object_mut().unwrap().shift_remove("otherRequest");
    let mut per_bill = one_list.clone();
    let (columns, controls): (Vec<Value>, Vec<Value>) = per_bill["source"]["request"]
        .as_array()
        .unwrap()
        .iter()
        .cloned()
        .partition(|e| !["FormId", "FilterString"].contains(&e["field"].as_str().unwrap()));
    per_bill["source"]["api"] = json!("ExecuteBillQuery");
    per_bill["source"]["request"] = json!(controls);
    per_bill["source"]["response"] = json!(columns);
    let mut nested = base();
    let controls = nested["source"]["otherRequest"].take();
    nested["source"]["otherRequest"] = json!([{"field": "data", "type": "object", "children": controls}]);
    let mut keys = base();
    keys["source"]["otherRequest"].as_array_mut().unwrap().push(
        json!({"field": "FieldKeys", "type": "array", "value": ["FID", "FBillNo", "FDocumentStatus", "FBillAllAmount"], "parser": {"name": "ArrayToString", "params": ","}}),
    );
    let cases = [
        ("columns and controls in one list", one_list.to_string()),
        ("columns in the response, 逐个单据查询", per_bill.to_string()),
        ("controls as children of an object", nested.to_string()),
        ("explicit FieldKeys", keys.to_string()),
        ("a byte order mark", format!("\u{feff}{}", base())),
        ("effect and type", bent(&[("/source/effect", json!("QUERY")), ("/source/type", json!("WebAPI"))])),
        (
            "ids and parents",
            bent(&[
                ("/source/request/0/id", json!("5f0c")),
                ("/source/request/0/parent_id", json!("")),
                ("/source/request/1/parent", json!(null)),
            ]),
        ),
        ("labels", bent(&[("/source/request/0/label", json!("内码")), ("/skydeck", json!({"labels": {"FID": "x"}}))])),
        ("unknown keys", bent(&[("/source/buildModel", json!({"x": [1]})), ("/delay", json!(5))])),
        ("control names in another case", bent(&[("/source/otherRequest/0/field", json!("formid"))])),
        (
            "the blank for the pipe",
            bent(&[filter_is("FModifyDate>='{{LAST_SYNC_TIME DateTime}}' and FDocumentStatus='B'")]),
        ),
        ("ids given", bent(&[target_field("Ids", json!("{{FID}}"))])),
        ("ids of a list", bent(&[target_field("Ids", json!("{{list.FID}}"))])),
        ("numbers given", bent(&[target_field("Numbers", json!(["{{FBillNo}}"]))])),
        ("empty flags", bent(&[target_field("NetworkCtrl", json!("")), target_field("IsVerifyProcInst", Value::Null)])),
        (
            "execute by name",
            bent(&[("/target/api", json!("excuteOperation")), target_field("Operation", json!("Audit"))]),
        ),
        ("order of entries", {
            let mut plan = base();
            plan["source"]["request"].as_array_mut().unwrap().reverse();
            plan.to_string()
        }),
    ];
    for (name, text) in cases {
        let file = read(&text).unwrap_or_else(|e| panic!("{name}: {e}"));
        assert_eq!(file.plan.rev, want.rev, "{name}");
        let mut keys: Vec<&str> = file.plan.source.columns.iter().map(|c| c.path.as_str()).collect();
        keys.sort_unstable();
        assert_eq!(keys, ["FBillAllAmount", "FBillNo", "FDocumentStatus", "FID"], "{name}");
    }
}

#[test]
fn what_means_something_else_has_another_revision() {
    let base_rev = read(&bent(&[])).unwrap().plan.rev;
    assert_eq!(base_rev.as_str().len(), 64);
    let cases = [
        vec![filter_is("FModifyDate>='{{LAST_SYNC_TIME|date}}' and FDocumentStatus='B'")],
        vec![("/source/request/3/value", json!("FAmount"))],
        vec![("/source/request/-", json!({"field": "FNote", "value": "FNote"}))],
        vec![("/source/otherRequest/-", json!({"field": "TopRowCount", "value": 5}))],
        vec![("/source/condition", json!([[{"field": "FID", "logic": "eq", "value": "1"}]]))],
        vec![("/target/api", json!("Submit"))],
        vec![target_field("NetworkCtrl", json!("true"))],
        vec![target_field("NetworkCtrl", json!("false"))],
        vec![target_field("InterationFlags", json!("STK_InvCheckResult"))],
        vec![("/skydeck", json!({"batch": 2}))],
        vec![("/skydeck", json!({"submit": true}))],
        vec![("/skydeck", json!({"env": "prod"}))],
        vec![("/skydeck", json!({"schedule": {"cron": "0 2 * * *"}}))],
        vec![("/source/omissionRemedy", json!({"crontab": "0 2 * * *"}))],
    ];
    let mut seen = std::collections::HashSet::from([base_rev]);
    for changes in cases {
        let rev = read(&bent(&changes)).unwrap_or_else(|e| panic!("{changes:?}: {e}")).plan.rev;
        assert!(seen.insert(rev), "{changes:?}");
    }
}

#[test]
fn the_policy_object_is_read_and_defaults_stand_for_the_rest() {
    let text = bent(&[(
        "/skydeck",
        json!({
            "env": "prod", "target_env": "prod-b", "page_size": 200, "batch": 5, "submit": "true", "overlap": "1h30m",
            "sweep_hours": 12, "max_attempts": 0, "carry_over": false, "labels": {"FBillNo": "单号"},
            "schedule": {"cron": "0 3 2 * * ?", "zone": "Asia/Tokyo", "missed": "all"}, "id": "FID", "number": "FBillNo",
        }),
    )]);
    let plan = read(&text).unwrap().plan;
    assert_eq!(plan.env.unwrap().as_str(), "prod");
    assert_eq!(plan.target_env.unwrap().as_str(), "prod-b");
    let p = plan.policy;
    assert_eq!((p.page_size, p.batch, p.submit, p.overlap.as_secs()), (200, 5, true, 5400));
    assert_eq!((p.sweep_hours, p.max_attempts, p.carry_over), (12, 0, false));
    let s = p.schedule.unwrap();
    assert_eq!((s.cron.as_str(), s.zone.as_str(), s.missed), ("0 3 2 * * ?", "Asia/Tokyo", Missed::All));
    assert_eq!(plan.source.columns[1].label, "单号");

    let size = |changes: &[(&str, Value)]| read(&bent(changes)).unwrap().plan.policy.page_size;
    let limit = |v: Value| ("/source/otherRequest/-", json!({"field": "Limit", "value": v}));
    assert_eq!(size(&[]), 1000);
    assert_eq!(size(&[("/source/pagination", json!({"pageSize": "100"}))]), 100);
    assert_eq!(size(&[limit(json!("300")), ("/source/pagination", json!({"pageSize": 100}))]), 300);
    assert_eq!(
        size(&[limit(json!("{{PAGINATION_PAGE_SIZE}}")), ("/source/pagination", json!({"pageSize": 100}))]),
        100
    );
    assert_eq!(size(&[limit(json!(10_000))]), 2000, "older servers cut there");
    assert_eq!(size(&[limit(json!(300)), ("/skydeck", json!({"page_size": 50}))]), 50);
}

#[test]
fn targets_are_understood_and_flags_are_taken_out() {
    let plan = read(&bent(&[
        target_field("InterationFlags", json!("STK_InvCheckResult; SAL_DOWNPRICECHECK,SAL_DOWNPRICECHECK")),
        target_field("IgnoreInterationFlag", json!("True")),
        target_field("IsVerifyProcInst", json!("0")),
        target_field("NetworkCtrl", json!(true)),
        target_field("CreateOrgId", json!("{{FSaleOrgId}}")),
        target_field("UseOrgId", json!("100")),
    ]))
    .unwrap()
    .plan;
    assert_eq!(plan.target.stripped_flags, [Flag("STK_InvCheckResult".into()), Flag("SAL_DOWNPRICECHECK".into())]);
    let o = plan.target.options;
    assert_eq!((o.ignore_interaction, o.verify_proc_inst, o.network_ctrl), (Some(true), Some(false), Some(true)));
    assert_eq!((o.create_org, o.use_org), (None, Some(100)));

    let op = read(&bent(&[
        ("/target/api", json!("excuteOperation")),
        target_field("Operation", json!("BillClose")),
        ("/skydeck", json!({"done": [["FCloseStatus", "in", "B"]]})),
    ]))
    .unwrap();
    assert_eq!(op.plan.target.verb, Verb::Operation("BillClose".into()));
    assert!(op.notes.iter().any(|n| n.message.contains("allow `BillClose`")));
}

#[test]
fn the_id_is_never_a_number_or_an_entry() {
    for (changes, id, number) in [
        (vec![("/source/id", json!("FID"))], "FID", "FBillNo"),
        (vec![("/source/id", json!("{{response.FID}}"))], "FID", "FBillNo"),
        (vec![("/source/id", json!("FBillNo")), ("/source/number", json!("FBillNo"))], "FID", "FBillNo"),
        (vec![("/source/id", json!("FEntity_FEntryId"))], "FID", "FBillNo"),
        (vec![("/source/id", json!("{{FID}}-{{FSeq}}"))], "FID", "FBillNo"),
        (vec![("/source/id", json!("FSupplierId")), ("/source/number", json!("FNumber"))], "FSupplierId", "FNumber"),
        (
            vec![
                ("/source/otherRequest/0/value", json!("BD_Customer")),
                ("/target/request/0/value", json!("BD_Customer")),
                ("/skydeck", json!({"id": "FCUSTID"})),
            ],
            "FCUSTID",
            "FNumber",
        ),
    ] {
        let source = read(&bent(&changes)).unwrap_or_else(|e| panic!("{changes:?}: {e}")).plan.source;
        assert_eq!((source.id_path.as_str(), source.number_path.as_str()), (id, number), "{changes:?}");
    }
}

#[test]
fn the_mark_is_one_column_or_none() {
    for (filter, want) in [
        ("FCreateDate>='{{LAST_SYNC_TIME|datetime}}'", Some("FCreateDate")),
        ("'{{LAST_SYNC_TIME|datetime}}'<=FModifyDate and FX=1", Some("FModifyDate")),
        ("FModifyDate >= TO_DATE('{{LAST_SYNC_TIME|datetime}}','YYYY-MM-DD HH24:MI:SS')", Some("FModifyDate")),
        ("FA>='{{LAST_SYNC_TIME|date}}' or FB>='{{LAST_SYNC_TIME|date}}'", None),
        ("(FA>='{{LAST_SYNC_TIME|date}}' and FX='1') or (fa>'{{LAST_SYNC_TIME|date}}')", Some("FA")),
        ("FDate>='{{DAYS_AGO_7|date}}'", None),
        ("", None),
    ] {
        let plan = read(&bent(&[filter_is(filter)])).unwrap_or_else(|e| panic!("{filter}: {e}")).plan;
        assert_eq!(plan.source.mark_column.as_deref(), want, "{filter}");
    }
}
