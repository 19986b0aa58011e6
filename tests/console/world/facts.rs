//! The facts of the world: a run at work, the life of a bill, the lines of the action log.

use std::time::Duration;

use super::records::{fact, head, key_of, outcomes};
use super::{NOW, World, before, run_id, who};
use skydeck::domain::bill::*;
use skydeck::domain::cause::Cause;
use skydeck::domain::event::{ActionEntry, Event, Fact};
use skydeck::domain::ids::*;
use skydeck::domain::live::{EnvPulse, Pulse};
use skydeck::domain::run::*;
use skydeck::domain::step::*;
use skydeck::domain::time::{ErpDate, Ts};

impl World {
    /// The facts of run 9, up to where it works.
    pub fn run_facts(&self) -> Vec<Fact> {
        let run = run_id(9);
        let mut head = head(9, self.env(), self.production);
        head.opened = before(120);
        head.op = self.op.clone();
        if !self.op.is_audit() {
            head.name = "销售出库单".into();
        }
        let found = |b: &BillRow| Found {
            probe: None,
            absent: false,
            outside: false,
            will: None,
            body: None,
            looked: None,
            lines: Vec::new(),
            fid: b.key.record.fid.clone(),
            no: b.no.clone(),
            rev: b.rev.clone(),
            approver: None,
            approved: None,
            marked: None,
            columns: b.columns.clone(),
            fields: Vec::new(),
        };
        let bills: Vec<Found> = self.bills.iter().map(found).collect();
        let mut facts = vec![
            fact(1, before(120), Event::RunOpened(Box::new(head))),
            fact(2, before(118), Event::BillsFound { run, bills }),
            fact(3, before(110), Event::RunCollected { run, collected: self.collected() }),
        ];
        let call = if self.op.is_audit() { Step::Audit } else { Step::Operate };
        let mut seq = 3;
        let mut push = |at, event| {
            seq += 1;
            facts.push(fact(seq, at, event));
        };
        let hash = SetHash::new("3fa9c1d27b00");
        push(before(100), Event::RunApproved { run, by: who(), hash, flags: vec![], reason: None, boot: None });
        for (i, b) in self.bills.iter().enumerate() {
            let (fid, no) = (b.key.record.fid.clone(), b.no.clone());
            let at = before(90 - i as i64 * 3);
            let id = CallId(ulid::Ulid::from_parts(1, i as u128));
            let tried = Event::StepTried {
                run,
                fid: fid.clone(),
                no: no.clone(),
                step: call,
                attempt: 1,
                call: id,
                rev: b.rev.clone(),
                intent: skydeck::domain::step::Intent::default(),
            };
            match &b.state {
                BillState::Waiting => {}
                BillState::Trying { since, .. } => push(*since, tried),
                BillState::RetryAt { at: until, cause, .. } => push(
                    at,
                    Event::BillDeferred {
                        run,
                        fid,
                        no,
                        until: *until,
                        cause: cause.clone(),
                        was: Slot::Waiting,
                        failure: None,
                    },
                ),
                BillState::Settled(outcome) => {
                    if !matches!(outcome, Outcome::Skipped(_) | Outcome::Already { .. }) {
                        push(at, tried);
                        let ms = 300 + (i as u32 * 137) % 900;
                        push(
                            at.plus(Duration::from_millis(u64::from(ms))),
                            Event::StepAnswered {
                                run,
                                fid: fid.clone(),
                                step: call,
                                attempt: 1,
                                call: id,
                                ms,
                                verdict: Verdict::Done,
                                side: vec![],
                                evidence: None,
                                made: None,
                            },
                        );
                    }
                    push(
                        at.plus(Duration::from_millis(900)),
                        Event::BillSettled { run, fid, no, was: Slot::Waiting, outcome: outcome.clone() },
                    );
                }
            }
        }
        if self.stopped {
            push(before(1), Event::RunClosed { run, end: RunEnd::Cancelled });
        }
        facts
    }

    pub fn collected(&self) -> Collected {
        Collected {
            unchanged: None,
            probes: Vec::new(),
            sights: if self.makes { vec![(Sight::Absent, 30), (Sight::Differs, 1)] } else { Vec::new() },
            unmade: u64::from(self.makes),
            doubles: Vec::new(),
            not_compared: Vec::new(),
            listed: None,
            upto: None,
            will: if self.refused {
                vec![(Cause::new("period"), 4), (Cause::new("validation"), 3)]
            } else {
                Vec::new()
            },
            hash: SetHash::new("3fa9c1d27b00"),
            by_status: if self.barren {
                vec![(Status::Created, 36), (Status::Audited, 4)]
            } else {
                vec![(Status::Submitted, 31), (Status::Created, 5), (Status::Audited, 4)]
            },
            callable: if self.barren {
                0
            } else if self.production {
                31
            } else {
                12
            },
            pages: 1,
            seen: None,
            sweep: false,
            carried: 3,
            absent: 0,
            absent_first: Vec::new(),
            unknown: 0,
            clock: None,
        }
    }

    pub fn pulse(&self) -> Pulse {
        let envs = vec![EnvPulse {
            env: EnvId::new(self.env()),
            per_minute: 60,
            slowed: None,
            concurrency: 1,
            breaker: None,
            session: "signed headers".into(),
            unlocked_until: self.envs[0].unlocked_until,
            unlocked_by: self.envs[0].unlocked_by.clone(),
            ahead: None,
        }];
        Pulse { envs, due: Vec::new(), at: NOW }
    }
}

/// The life of bill 2: found, tried, refused; in a later run unknown, read back.
pub fn life(env: &str) -> Vec<Fact> {
    let (run, fid, no) = (run_id(2), Fid::from(100_002), "XSCKD000002".to_owned());
    let rev = Rev { status: Status::Submitted, modified: ErpDate::parse("2026-11-22 17:03:11"), state: None };
    let call = CallId(ulid::Ulid::from_parts(1, 1));
    let found = Found {
        probe: None,
        absent: false,
        outside: false,
        will: None,
        body: None,
        looked: None,
        lines: Vec::new(),
        fid: fid.clone(),
        no: no.clone(),
        rev: rev.clone(),
        approver: None,
        approved: None,
        marked: None,
        columns: vec![],
        fields: Vec::new(),
    };
    let Outcome::Failed(failure) = outcomes().remove(1) else { unreachable!() };
    let body = |text: &str| Body { bytes: Blob(text.as_bytes().to_vec()), len: text.len() as u64, sha256: None };
    let evidence = Evidence {
        request: body(
            r#"{"formid":"SAL_OUTSTOCK","data":{"Ids":"100002","NetworkCtrl":"","IgnoreInterationFlag":""}}"#,
        ),
        http: Some(200),
        response: Some(body(
            r#"{"Result":{"ResponseStatus":{"ErrorCode":500,"IsSuccess":false,"Errors":[{"FieldName":"AbstractInteractionResult","Message":"更新库存时出现可以忽略的异常数据","DIndex":0}],"SuccessEntitys":[],"MsgCode":11}}}"#,
        )),
        error: None,
    };
    let at = |s: i64| before(86_400 * 2 - s);
    vec![
        fact(10, at(0), Event::BillsFound { run, bills: vec![found] }),
        fact(
            11,
            at(20),
            Event::BillRead {
                run,
                fid: fid.clone(),
                rev: Some(rev.clone()),
                approver: None,
                fields: Vec::new(),
                made: None,
            },
        ),
        fact(
            12,
            at(21),
            Event::StepTried {
                run,
                fid: fid.clone(),
                no: no.clone(),
                step: Step::Audit,
                attempt: 1,
                call,
                rev,
                intent: skydeck::domain::step::Intent::default(),
            },
        ),
        fact(
            13,
            at(22),
            Event::StepAnswered {
                run,
                fid: fid.clone(),
                step: Step::Audit,
                attempt: 1,
                call,
                ms: 812,
                verdict: Verdict::Rejected(failure.clone()),
                side: vec![],
                evidence: Some(Box::new(evidence)),
                made: None,
            },
        ),
        fact(14, at(22), Event::BillSettled { run, fid, no, was: Slot::Waiting, outcome: Outcome::Failed(failure) }),
        fact(
            15,
            before(50),
            Event::LedgerResolved {
                key: key_of(env, 2), by: who(), reason: "仓库已盘点，转下月处理".into()
            },
        ),
    ]
}

pub fn log() -> Vec<(Seq, Ts, ActionEntry)> {
    let entry = |verb: &str, bills, reason: Option<&str>, result: &str| ActionEntry {
        order: None,
        by: who(),
        verb: verb.into(),
        run: Some(run_id(9)),
        plan: Some(PlanId::new("sal-outstock-audit")),
        bills,
        reason: reason.map(str::to_owned),
        result: result.into(),
        line: None,
        why: None,
    };
    vec![
        (Seq(44), before(100), entry("approve", 40, None, "accepted")),
        (Seq(40), before(120), entry("start", 0, None, "accepted")),
        (
            Seq(38),
            before(400),
            entry("start", 0, None, "environment demo is read-only: unlock it first, with a reason"),
        ),
        (Seq(37), before(900), entry("unlock", 0, Some("月末集中审核"), "accepted")),
    ]
}
