//! A history as years of work leave it, written through the store's own door: runs of ten thousand bills, eight columns,
//! a request and an answer for each call, one in a hundred refused.
//!
//! Invariant: every bill has the appends the engine gives it, each alone, so that bytes a bill are those of real work.

use std::sync::Arc;
use std::time::{Duration, Instant};

use fastrand::Rng;
use futures_util::future::join_all;
use ulid::Ulid;

use skydeck::domain::bill::{Failure, Found, Outcome, Rev, Skip, Slot, Status};
use skydeck::domain::cause::Cause;
use skydeck::domain::event::Event;
use skydeck::domain::ids::{CallId, EnvId, Fid, FormId, PlanId, PlanRev, RunId, SetHash};
use skydeck::domain::run::{Collected, Revision, RunEnd, RunHead, RunKind};
use skydeck::domain::step::{Blob, Body, Evidence, Step, Verdict};
use skydeck::domain::time::{ErpDate, Ts};
use skydeck::domain::who::Who;
use skydeck::exit::Stop;
use skydeck::store::{AppendError, Store};

/// Bills of a run.
pub const RUN: u64 = 10_000;
/// The first bill's id.
pub const FIRST: u64 = 100_001;
/// Bills in hand at the same time, as with so many calls in flight.
const HANDS: usize = 64;
const MESSAGES: [(&str, &str); 3] = [
    ("stock", "更新库存时出现可以忽略的异常数据，是否继续？物料{}可用量不足"),
    ("closed_period", "单据日期所在的会计期间已结账，不允许审核"),
    ("lock", "单据“XSCKD{}”正被用户【张伟】编辑，请稍后再试"),
];

/// How filling went.
pub struct Filled {
    /// All of it.
    pub took: Duration,
    /// Time of the first and of the last tenth.
    pub tenths: (Duration, Duration),
}

/// Number of the bill with this id.
pub fn number(fid: u64) -> String {
    format!("XSCKD{fid:08}")
}

/// The run with this number.
pub fn run_id(n: u64) -> RunId {
    RunId(Ulid::from_parts(1_760_000_000_000 + n * 60_000, u128::from(n)))
}

/// Fills with so many bills, from run number `from` on.
pub async fn fill(store: &Arc<dyn Store>, from: u64, bills: u64, tick: impl Fn(u64)) -> Result<Filled, Stop> {
    let since = Instant::now();
    let (mut first, mut last) = (None, None);
    let mut done = 0;
    while done < bills {
        let n = from + done / RUN;
        let count = RUN.min(bills - done);
        let start = FIRST + n * RUN;
        begin(store, n, start..start + count).await.map_err(stop)?;
        let all: Vec<u64> = (start..start + count).collect();
        for part in all.chunks(HANDS) {
            let ended = join_all(part.iter().map(|fid| bill(store, n, *fid))).await;
            ended.into_iter().collect::<Result<Vec<()>, _>>().map_err(stop)?;
        }
        store.append(vec![Event::RunClosed { run: run_id(n), end: RunEnd::Completed }].into()).await.map_err(stop)?;
        done += count;
        if done * 10 >= bills {
            first.get_or_insert(since.elapsed());
        }
        if done * 10 >= bills * 9 {
            last.get_or_insert(since.elapsed());
        }
        tick(done);
    }
    let took = since.elapsed();
    let last = took.saturating_sub(last.unwrap_or_default());
    Ok(Filled { took, tenths: (first.unwrap_or_default(), last) })
}

/// A run that is cut off in the middle: intents without answers.
pub async fn begin_and_leave(store: &Arc<dyn Store>, n: u64, bills: u64) -> Result<(), Stop> {
    let start = FIRST + n * RUN;
    begin(store, n, start..start + bills).await.map_err(stop)?;
    for fid in start..start + bills / 2 {
        bill(store, n, fid).await.map_err(stop)?;
    }
    let mut rng = Rng::with_seed(n);
    store.append(vec![tried(n, start + bills / 2, &mut rng)].into()).await.map(|_| ()).map_err(stop)
}

#[expect(clippy::needless_pass_by_value, reason = "stands in map_err")]
fn stop(error: AppendError) -> Stop {
    Stop::usage(error.to_string())
}

async fn begin(store: &Arc<dyn Store>, n: u64, fids: std::ops::Range<u64>) -> Result<(), AppendError> {
    let who = Who::of_person(1000, "operator", None);
    let columns = [
        "FBillNo",
        "FDate",
        "FSaleOrgId_FNumber",
        "FCustomerID_FNumber",
        "FAmount",
        "FStockOrgId_FNumber",
        "FCreateDate",
    ]
    .map(String::from);
    let head = RunHead {
        id: run_id(n),
        kind: RunKind::Fresh,
        plan: PlanId::new(if n.is_multiple_of(2) { "sal_outstock_audit" } else { "stk_instock_audit" }),
        name: "审核销售出库单".to_owned(),
        rev: PlanRev::new("0f".repeat(32)),
        env: EnvId::new("bench"),
        production: false,
        form: FormId::new("SAL_OUTSTOCK"),
        columns: columns.to_vec(),
        by: who.clone(),
        opened: Ts(1_760_000_000_000 + n as i64 * 60_000),
        of: None,
        filter: "FCreateDate>='2025-10-01 00:00:00' and FDocumentStatus<>'C'".to_owned(),
        revision: Revision::Newest,
        text: None,
        op: skydeck::domain::ids::OpId::default(),
        server: None,
        range: None,
        headless: false,
        due: None,
    };
    store.append(vec![Event::RunOpened(Box::new(head))].into()).await?;
    let mut rng = Rng::with_seed(n);
    let all: Vec<u64> = fids.collect();
    for part in all.chunks(100) {
        let bills = part.iter().map(|fid| found(*fid, &mut rng)).collect();
        store.append(vec![Event::BillsFound { run: run_id(n), bills }].into()).await?;
    }
    let hash = SetHash::new("ab".repeat(32));
    let collected = Collected {
        unchanged: None,
        probes: Vec::new(),
        sights: Vec::new(),
        unmade: 0,
        doubles: Vec::new(),
        not_compared: Vec::new(),
        listed: None,
        upto: None,
        hash: hash.clone(),
        by_status: vec![(Status::Submitted, all.len() as u64)],
        callable: all.len() as u64,
        pages: 11,
        seen: ErpDate::parse("2025-11-01"),
        sweep: false,
        carried: 0,
        absent: 0,
        absent_first: Vec::new(),
        unknown: 0,
        clock: None,
        will: Vec::new(),
    };
    let approved = Event::RunApproved { run: run_id(n), by: who, hash, flags: Vec::new(), reason: None, boot: None };
    store.append(vec![Event::RunCollected { run: run_id(n), collected }, approved].into()).await.map(|_| ())
}

fn date(rng: &mut Rng, time: bool) -> String {
    let day = format!("2025-{:02}-{:02}", rng.u8(1..=12), rng.u8(1..=28));
    if time {
        format!("{day}T{:02}:{:02}:{:02}.{:03}", rng.u8(0..24), rng.u8(0..60), rng.u8(0..60), rng.u16(0..1000))
    } else {
        format!("{day}T00:00:00")
    }
}

fn rev(rng: &mut Rng) -> Rev {
    Rev { status: Status::Submitted, modified: ErpDate::parse(&date(rng, true)), state: None }
}

fn found(fid: u64, rng: &mut Rng) -> Found {
    let created = date(rng, true);
    Found {
        probe: None,
        absent: false,
        outside: false,
        will: None,
        body: None,
        looked: None,
        lines: Vec::new(),
        fid: Fid::from(fid),
        no: number(fid),
        rev: rev(rng),
        approver: None,
        approved: None,
        marked: ErpDate::parse(&created),
        columns: vec![
            number(fid),
            date(rng, false),
            format!("10{}", rng.u8(0..5)),
            format!("CUST{:05}", rng.u16(0..4000)),
            format!("{}.{:02}", rng.u32(0..90_000), rng.u8(0..100)),
            format!("10{}", rng.u8(0..5)),
            created,
        ],
        fields: Vec::new(),
    }
}

fn call_id(rng: &mut Rng) -> CallId {
    CallId(Ulid::from_parts(1_760_000_000_000 + rng.u64(0..1 << 30), rng.u128(..) >> 48))
}

fn tried(n: u64, fid: u64, rng: &mut Rng) -> Event {
    let (run, call) = (run_id(n), call_id(rng));
    Event::StepTried {
        run,
        fid: Fid::from(fid),
        no: number(fid),
        step: Step::Audit,
        attempt: 1,
        call,
        rev: rev(rng),
        intent: skydeck::domain::step::Intent::default(),
    }
}

async fn bill(store: &Arc<dyn Store>, n: u64, fid: u64) -> Result<(), AppendError> {
    // Spread: seeds in a row give draws so alike that whole runs came out without a refusal.
    let mut rng = Rng::with_seed(fid.wrapping_mul(0x9e37_79b9_7f4a_7c15));
    let run = run_id(n);
    let settled =
        |outcome| Event::BillSettled { run, fid: Fid::from(fid), no: number(fid), was: Slot::Waiting, outcome };
    let uncalled = match rng.u8(0..100) {
        0..3 => Some(Outcome::Skipped(Skip::Created)),
        3..5 => Some(Outcome::Already { by: Some("王芳".to_owned()), on: ErpDate::parse(&date(&mut rng, true)) }),
        _ => None,
    };
    if let Some(outcome) = uncalled {
        let read = Event::BillRead {
            run,
            fid: Fid::from(fid),
            rev: Some(rev(&mut rng)),
            approver: None,
            fields: Vec::new(),
            made: None,
        };
        return store.append(vec![read, settled(outcome)].into()).await.map(|_| ());
    }
    let intent = tried(n, fid, &mut rng);
    let Event::StepTried { call, .. } = &intent else { return Ok(()) };
    let call = *call;
    store.append(vec![intent].into()).await?;
    let refused = rng.u8(0..100) == 0;
    let (cause, words) = *rng.choice(&MESSAGES).unwrap_or(&("other", ""));
    let message = words.replace("{}", &rng.u32(0..100_000).to_string());
    let failure = Failure { cause: Cause::new(cause), msg_code: Some(11), field: None, message: message.clone() };
    let (verdict, outcome) = if refused {
        (Verdict::Rejected(failure.clone()), Outcome::Failed(failure))
    } else {
        (Verdict::Done, Outcome::Done { verified: false })
    };
    let answered = Event::StepAnswered {
        run,
        fid: Fid::from(fid),
        step: Step::Audit,
        attempt: 1,
        call,
        ms: rng.u32(20..400),
        verdict,
        side: Vec::new(),
        evidence: Some(Box::new(evidence(fid, refused.then_some(message.as_str())))),
        made: None,
    };
    store.append(vec![answered, settled(outcome)].into()).await.map(|_| ())
}

fn evidence(fid: u64, refused: Option<&str>) -> Evidence {
    let body = |text: String| Body { len: text.len() as u64, bytes: Blob(text.into_bytes()), sha256: None };
    let request = format!(
        r#"{{"formid":"SAL_OUTSTOCK","data":{{"Numbers":[],"Ids":"{fid}","InterationFlags":"","NetworkCtrl":true,"IgnoreInterationFlag":false}}}}"#
    );
    let no = number(fid);
    let answer = match refused {
        None => format!(
            r#"{{"Result":{{"ResponseStatus":{{"IsSuccess":true,"Errors":[],"SuccessEntitys":[{{"Id":{fid},"Number":"{no}","DIndex":0}}],"SuccessMessages":[],"MsgCode":0}},"ConvertResponseStatus":null}}}}"#
        ),
        Some(words) => format!(
            r#"{{"Result":{{"ResponseStatus":{{"ErrorCode":500,"IsSuccess":false,"Errors":[{{"FieldName":null,"Message":"{words}","DIndex":0}}],"SuccessEntitys":[],"SuccessMessages":[],"MsgCode":11}}}}}}"#
        ),
    };
    Evidence { request: body(request), http: Some(200), response: Some(body(answer)), error: None }
}
