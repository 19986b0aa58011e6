//! What the facts of a bill take in bytes and time: written, and read by our reader and by the one that comes with the
//! writer. `cargo bench -p skydeck-store --bench codec`.
#![allow(clippy::unwrap_used, clippy::print_stdout, missing_docs)]

use divan::Bencher;
use rmp_serde::encode::write_named;
use skydeck_core::domain::bill::{Failure, Found, Outcome, Rev, Slot, Status};
use skydeck_core::domain::cause::Cause;
use skydeck_core::domain::event::Event;
use skydeck_core::domain::ids::{CallId, Fid, RunId};
use skydeck_core::domain::step::{Blob, Body, Evidence, Intent, Step, Verdict};
use skydeck_core::domain::time::ErpDate;
use skydeck_store::msgpack;
use ulid::Ulid;

fn main() {
    for name in NAMES {
        println!("{name}: {} bytes", written(&events(name)).len());
    }
    divan::main();
}

/// The facts of a bill that is audited at the first call, one by one and together; a refusal; a page of a query.
const NAMES: [&str; 6] = ["StepTried", "StepAnswered", "BillSettled", "audited", "refused", "BillsFound of 100"];

fn run() -> RunId {
    RunId(Ulid::from_parts(1_760_000_000_000, 7))
}

fn fid() -> Fid {
    Fid::from(100_001)
}

fn call() -> CallId {
    CallId(Ulid::from_parts(1_760_000_000_100, 9))
}

fn rev() -> Rev {
    Rev { status: Status::Submitted, modified: ErpDate::parse("2025-11-03T10:20:30.123"), state: None }
}

fn tried() -> Event {
    let (no, intent) = ("XSCKD00100001".into(), Intent::default());
    Event::StepTried { run: run(), fid: fid(), no, step: Step::Audit, attempt: 1, call: call(), rev: rev(), intent }
}

fn body(text: &str) -> Body {
    Body { bytes: Blob(text.as_bytes().to_vec()), len: text.len() as u64, sha256: None }
}

fn answered() -> Event {
    let request = body(concat!(
        r#"{"formid":"SAL_OUTSTOCK","data":{"Ids":"100001","InterationFlags":"","NetworkCtrl":"","#,
        r#""IsVerifyProcInst":"true"}}"#
    ));
    let response = body(concat!(
        r#"{"Result":{"ResponseStatus":{"IsSuccess":true,"Errors":[],"SuccessEntitys":[{"Id":100001,"#,
        r#""Number":"XSCKD00100001","DIndex":0}],"SuccessMessages":[],"MsgCode":0}}}"#
    ));
    let evidence = Evidence { request, http: Some(200), response: Some(response), error: None };
    Event::StepAnswered {
        run: run(),
        fid: fid(),
        step: Step::Audit,
        attempt: 1,
        call: call(),
        ms: 183,
        verdict: Verdict::Done,
        side: Vec::new(),
        evidence: Some(evidence.into()),
        made: None,
    }
}

fn settled(outcome: Outcome) -> Event {
    Event::BillSettled { run: run(), fid: fid(), no: "XSCKD00100001".into(), was: Slot::Waiting, outcome }
}

fn failed() -> Outcome {
    let message = "更新库存时出现可以忽略的异常数据，是否继续？物料CH4441可用量不足".into();
    Outcome::Failed(Failure { cause: Cause::new("stock"), msg_code: Some(11), field: None, message })
}

fn found(n: u64) -> Found {
    let columns = ["XSCKD00100001", "2025-11-03T00:00:00", "100", "CUST00412", "1234.50", "101"];
    Found {
        probe: None,
        absent: false,
        outside: false,
        will: None,
        body: None,
        looked: None,
        lines: Vec::new(),
        fid: Fid::from(100_001 + n),
        no: format!("XSCKD{:08}", 100_001 + n),
        rev: rev(),
        approver: None,
        approved: None,
        marked: ErpDate::parse("2025-11-03T10:20:30.123"),
        columns: columns.map(String::from).to_vec(),
        fields: Vec::new(),
    }
}

fn events(name: &str) -> Vec<Event> {
    match name {
        "StepTried" => vec![tried()],
        "StepAnswered" => vec![answered()],
        "BillSettled" => vec![settled(Outcome::Done { verified: true })],
        "audited" => vec![tried(), answered(), settled(Outcome::Done { verified: true })],
        "refused" => vec![settled(failed())],
        _ => vec![Event::BillsFound { run: run(), bills: (0..100).map(found).collect() }],
    }
}

fn written(events: &[Event]) -> Vec<u8> {
    let mut out = Vec::new();
    write_named(&mut out, events).unwrap();
    out
}

#[divan::bench(args = NAMES)]
fn write(bencher: Bencher<'_, '_>, name: &str) {
    let events = events(name);
    let mut out = Vec::with_capacity(1 << 16);
    bencher.bench_local(move || {
        out.clear();
        write_named(&mut out, &events).unwrap();
    });
}

#[divan::bench(args = NAMES)]
fn read_ours(bencher: Bencher<'_, '_>, name: &str) {
    let bytes = written(&events(name));
    bencher.bench_local(|| msgpack::read::<Vec<Event>>(&bytes).unwrap());
}

#[divan::bench(args = NAMES)]
fn read_rmp_serde(bencher: Bencher<'_, '_>, name: &str) {
    let bytes = written(&events(name));
    bencher.bench_local(|| rmp_serde::from_slice::<Vec<Event>>(&bytes).unwrap());
}
