//! Plans, runs, bills and outcomes of the world, one of each kind that a screen can show.

use super::{before, run_id, who};
use skydeck::domain::bill::*;
use skydeck::domain::cause::Cause;
use skydeck::domain::event::{Event, Fact};
use skydeck::domain::ids::*;
use skydeck::domain::plan::*;
use skydeck::domain::query::*;
use skydeck::domain::run::*;
use skydeck::domain::step::*;
use skydeck::domain::time::{ErpDate, Ts};

/// Bills last tried under another revision of the plan than the present one.
pub fn older(rev: &str, kept: bool, bills: u64) -> RevisionRow {
    RevisionRow {
        plan: PlanId::new("sal-outstock-audit"),
        original: PlanRev::new(rev),
        newest: Some(PlanRev::new("9f2c01d4aa")),
        kept,
        bills,
    }
}

pub fn plan(id: &str, name: &str) -> Plan {
    Plan {
        id: PlanId::new(id),
        name: name.into(),
        rev: PlanRev::new("9f2c01d4aa"),
        env: Some(EnvId::new("demo")),
        target_env: None,
        source: Source {
            form: FormId::new("SAL_OUTSTOCK"),
            columns: [("FSaleOrgId_FNumber", "销售组织"), ("FCustomerID_FNumber", "客户"), ("FDate", "日期")]
                .map(|(key, label)| Column { key: key.into(), path: key.replace('_', "."), label: label.into() })
                .to_vec(),
            filter: "FCreateDate>='{{LAST_SYNC_TIME|dateTime}}' and FDocumentStatus<>'C'".into(),
            mark_column: Some("FCreateDate".into()),
            id_path: "FID".into(),
            number_path: "FBillNo".into(),
            top_rows: 0,
            origin: skydeck::domain::plan::Origin::Query,
            condition: vec![],
        },
        target: Target {
            verb: Verb::Audit,
            form: FormId::new("SAL_OUTSTOCK"),
            options: WriteOptions::default(),
            stripped_flags: vec![Flag("STK_InvCheckResult".into())],
            collects: false,
            make: None,
        },
        policy: Policy {
            schedule: Some(Schedule {
                cron: "0 */2 * * *".into(),
                zone: "Asia/Shanghai".into(),
                ..Schedule::default()
            }),
            ..Policy::default()
        },
    }
}

pub fn head(n: u64, env: &str, production: bool) -> RunHead {
    RunHead {
        id: run_id(n),
        kind: if n == 3 { RunKind::Retry } else { RunKind::Fresh },
        plan: PlanId::new("sal-outstock-audit"),
        name: "销售出库单审核".into(),
        rev: PlanRev::new("9f2c01d4aa"),
        env: EnvId::new(env),
        production,
        form: FormId::new("SAL_OUTSTOCK"),
        columns: vec!["FSaleOrgId_FNumber".into(), "FCustomerID_FNumber".into(), "FDate".into()],
        by: who(),
        opened: before(86_400 * (10 - n as i64)),
        of: None,
        filter: "FCreateDate>='2026-11-20 00:00:00' and FDocumentStatus<>'C'".into(),
        revision: Revision::Newest,
        text: None,
        op: OpId::default(),
        server: None,
        range: None,
        headless: false,
        due: None,
    }
}

fn failed(cause: &str, code: i64, message: &str) -> Outcome {
    Outcome::Failed(Failure { cause: Cause::new(cause), msg_code: Some(code), field: None, message: message.into() })
}

pub fn outcomes() -> Vec<Outcome> {
    vec![
        Outcome::Done { verified: false },
        failed(
            "stock",
            11,
            "更新库存时出现可以忽略的异常数据，物料“CH4441 螺栓 M8×40”在仓库“成品仓”的可用量不足：需要 120，现有 35，是否继续？",
        ),
        Outcome::Done { verified: true },
        Outcome::Already { by: Some("王芳".into()), on: ErpDate::parse("2026-11-23 09:12:00") },
        failed("period", 11, "单据日期所在期间已关账，不允许审核。"),
        Outcome::Skipped(Skip::Created),
        Outcome::Unknown(Unknown {
            why: UnknownWhy::TimedOut,
            sent: before(70),
            detail: "no answer within 60 s".into(),
        }),
        failed("permission", 5, "没有“销售出库单”的审核权限，请联系管理员。"),
        Outcome::Skipped(Skip::Draft),
        Outcome::Done { verified: false },
    ]
}

pub fn key_of(env: &str, n: u64) -> WorkKey {
    RecordKey { env: EnvId::new(env), form: FormId::new("SAL_OUTSTOCK"), fid: Fid::from(100_000 + n) }
        .under(&OpId::default())
}

pub fn row(run: RunId, env: &str, n: u64, state: BillState) -> BillRow {
    BillRow {
        run,
        plan: PlanId::new("sal-outstock-audit"),
        key: key_of(env, n),
        no: format!("XSCKD{n:06}"),
        attempts: u32::from(!matches!(state, BillState::Waiting)),
        state,
        rev: Rev { status: Status::Submitted, modified: ErpDate::parse("2026-11-22 17:03:11"), state: None },
        at: before(40 + n as i64 * 7),
        columns: vec!["100".into(), "CUST0042".into(), "2026-11-22T00:00:00".into()],
        found: None,
        heard: None,
        open_since: None,
        made: None,
        untold: false,
        resolved_before: None,
        will: None,
    }
}

pub fn fact(seq: u64, at: Ts, event: Event) -> Fact {
    Fact { seq: Seq(seq), at, event }
}
