//! What a bill costs before and after its call: the plan's filter rendered, the request signed, the answer judged, a
//! filter of the operator's read and matched. `cargo bench --bench wire`.
//!
//! `limit_json` is serde_json reading the same answer into its own tree.
#![allow(clippy::unwrap_used, missing_docs)]

use divan::{Bencher, black_box, counter::ItemsCount};
use serde_json::{Value, json};
use skydeck::domain::bill::{BillState, Rev, Status};
use skydeck::domain::cause::{BUILT_IN, CauseTable};
use skydeck::domain::filter::{About, Filter};
use skydeck::domain::ids::{EnvId, Fid, FormId, OpId, PlanId, RecordKey, RunId};
use skydeck::domain::run::BillRow;
use skydeck::domain::time::{ErpDate, Ts};
use skydeck::erp::classify::{Ask, Mode, Names, Reading, judge_write, read_query};
use skydeck::erp::sign;
use skydeck::erp::transport::HttpReply;
use skydeck::plan::render::RenderContext;
use skydeck::plan::{self, render};

fn main() {
    divan::main();
}

const PLAN: &str = include_str!("../plans/sal_outstock_audit.json");

fn reply(body: &Value) -> HttpReply {
    HttpReply { status: 200, headers: Vec::new(), body: body.to_string().into_bytes() }
}

fn success(bills: usize) -> (HttpReply, Vec<(Fid, String)>) {
    let asked: Vec<(Fid, String)> = (1..=bills).map(|n| (Fid::from(n as u64), format!("XSCKD{n:06}"))).collect();
    let entities: Vec<Value> =
        (1..=bills).map(|n| json!({"Id": n, "Number": format!("XSCKD{n:06}"), "DIndex": n - 1})).collect();
    let status =
        json!({"IsSuccess": true, "Errors": [], "SuccessEntitys": entities, "SuccessMessages": [], "MsgCode": 0});
    (reply(&json!({"Result": {"ResponseStatus": status}})), asked)
}

fn refusal() -> (HttpReply, Vec<(Fid, String)>) {
    let error = json!({"FieldName": null, "Message": "更新库存时出现可以忽略的异常数据，是否继续？", "DIndex": 0});
    let status = json!({"IsSuccess": false, "ErrorCode": 500, "Errors": [error], "SuccessEntitys": [], "SuccessMessages": [], "MsgCode": 11});
    (reply(&json!({"Result": {"ResponseStatus": status}})), vec![(Fid::from(1), "XSCKD000001".to_owned())])
}

#[divan::bench]
fn limit_json(bencher: Bencher<'_, '_>) {
    let (answer, _) = success(1);
    bencher.bench_local(|| serde_json::from_slice::<Value>(black_box(&answer.body)).unwrap());
}

#[divan::bench(args = [1, 20])]
fn judge_a_success(bencher: Bencher<'_, '_>, bills: usize) {
    let causes: CauseTable = toml::from_str(BUILT_IN).unwrap();
    let (answer, asked) = success(bills);
    let answer = Ok(answer);
    bencher
        .counter(ItemsCount::new(bills))
        .bench_local(|| judge_write(black_box(&answer), &asked, &causes, (Mode::Signed, Names::Asked)));
}

#[divan::bench]
fn judge_a_refusal(bencher: Bencher<'_, '_>) {
    let causes: CauseTable = toml::from_str(BUILT_IN).unwrap();
    let (answer, asked) = refusal();
    let answer = Ok(answer);
    bencher.bench_local(|| judge_write(black_box(&answer), &asked, &causes, (Mode::Signed, Names::Asked)));
}

#[divan::bench]
fn read_a_page_of_rows(bencher: Bencher<'_, '_>) {
    let causes: CauseTable = toml::from_str(BUILT_IN).unwrap();
    let row = |n: usize| {
        json!([n, format!("XSCKD{n:06}"), "B", "2026-11-01T10:00:00", "100", "CUST00001", "2026-11-01T00:00:00"])
    };
    let answer = reply(&Value::Array((0..2000).map(row).collect()));
    let ask = Ask { what: "query of SAL_OUTSTOCK", server: "bench.invalid" };
    let reading = Reading { causes: &causes, mode: Mode::Signed, ask };
    bencher.counter(ItemsCount::new(2000_usize)).bench_local(|| read_query(black_box(&answer), 7, reading).unwrap());
}

#[divan::bench]
fn sign_a_request(bencher: Bencher<'_, '_>) {
    let url = "https://bench.invalid/k3cloud/Kingdee.BOS.WebApi.ServicesStub.DynamicFormService.Audit.common.kdsvc";
    bencher.bench_local(|| sign::api_signature(black_box("not-a-secret"), url, "1764000000", "1764000000"));
}

#[divan::bench]
fn read_a_plan(bencher: Bencher<'_, '_>) {
    bencher.bench_local(|| plan::read(PlanId::new("p"), black_box(PLAN)).unwrap());
}

#[divan::bench]
fn render_its_filter(bencher: Bencher<'_, '_>) {
    let file = plan::read(PlanId::new("p"), PLAN).unwrap();
    let context = RenderContext {
        last_sync: ErpDate::parse("2026-11-01"),
        now: "2026-11-24T12:30:00".parse().unwrap(),
        zone_minutes: 480,
        page_size: 1000,
        open: false,
    };
    bencher.bench_local(|| render::filter(black_box(&file.plan), &context).unwrap());
}

const FILTER: &str = r#"cause:stock -org:100 age:>2d status:failed no:XSCKD07* date:2026-11 ~关账 "text""#;

#[divan::bench]
fn parse_a_filter(bencher: Bencher<'_, '_>) {
    bencher.bench_local(|| Filter::parse(black_box(FILTER)).unwrap());
}

#[divan::bench(args = ["no:XSCKD07*", "~CUST99", FILTER])]
fn match_a_row(bencher: Bencher<'_, '_>, filter: &str) {
    let filter = Filter::parse(filter).unwrap();
    let names: Vec<String> = ["FSaleOrgId_FNumber", "FCustomerID_FNumber", "FDate"].map(String::from).into();
    let row = BillRow {
        run: RunId(ulid::Ulid::from_parts(1, 1)),
        plan: PlanId::new("p"),
        key: RecordKey { env: EnvId::new("bench"), form: FormId::new("SAL_OUTSTOCK"), fid: Fid::from(7) }
            .under(&OpId::default()),
        no: "XSCKD070001".to_owned(),
        state: BillState::Waiting,
        rev: Rev::new(Status::Submitted, None),
        attempts: 0,
        at: Ts(1_795_441_920_000),
        columns: ["101", "CUST00017", "2026-11-01T00:00:00"].map(String::from).into(),
        found: None,
        heard: None,
        open_since: None,
        made: None,
        untold: false,
        resolved_before: None,
        will: None,
    };
    let about = About { names: &names, labels: &[], opened: Ts(1_795_441_920_000), by: None, head: None, state: None };
    bencher.bench_local(|| black_box(&filter).matches(&row, &about, Ts(1_795_541_920_000)));
}
