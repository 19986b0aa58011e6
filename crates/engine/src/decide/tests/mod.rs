//! Every look judged: the tables of 0.1.0 for Audit and for Submit then Audit, and the rows that are new.

mod answers;
mod audits;
mod operations;

use super::*;
use skydeck_core::domain::ids::{Fid, FormId, OpId, PlanId, PlanRev, RunId};
use skydeck_core::domain::plan::{Plan, Policy, Source, Target, WriteOptions};
use skydeck_core::domain::run::Flag;
use skydeck_core::domain::step::Verb;
use skydeck_core::domain::time::ErpDate;

const CODES: [&str; 6] = ["Z", "A", "B", "C", "D", "X"];
const US: &str = "me";

fn rev(code: &str, second: u32) -> Rev {
    Rev::new(Status::from(code.to_owned()), ErpDate::parse(&format!("2026-01-01T00:00:{second:02}")))
}

fn found(code: &str, second: u32, approver: Option<&str>) -> Found {
    Found {
        probe: None,
        absent: false,
        outside: false,
        will: None,
        body: None,
        looked: None,
        lines: Vec::new(),
        fid: Fid::from(1),
        no: "N1".into(),
        rev: rev(code, second),
        approver: approver.map(str::to_owned),
        approved: (code == "C").then(|| ErpDate::parse("2026-01-02").unwrap()),
        marked: None,
        columns: Vec::new(),
        fields: Vec::new(),
    }
}

fn plan(verb: Verb, policy: Policy) -> Plan {
    let form = FormId::new("SAL_OUTSTOCK");
    Plan {
        id: PlanId::new("p"),
        name: "p".into(),
        rev: PlanRev::new("r"),
        env: None,
        target_env: None,
        source: Source {
            form: form.clone(),
            columns: Vec::new(),
            filter: String::new(),
            mark_column: None,
            id_path: "FID".into(),
            number_path: "FBillNo".into(),
            top_rows: 0,
            origin: skydeck_core::domain::plan::Origin::Query,
            condition: Vec::new(),
        },
        target: Target {
            verb,
            form,
            options: WriteOptions::default(),
            stripped_flags: Vec::<Flag>::new(),
            make: None,
            collects: false,
        },
        policy,
    }
}

fn audits(submit: bool) -> Operation {
    Operation::of(&plan(Verb::Audit, Policy { submit, ..Policy::default() }))
}

fn submits() -> Operation {
    Operation::of(&plan(Verb::Submit, Policy::default()))
}

fn closes(mine: Option<&str>) -> Operation {
    let done = vec![Test::In("FCloseStatus".into(), vec!["B".into()])];
    let policy = Policy { done, mine: mine.map(str::to_owned), ..Policy::default() };
    Operation::of(&plan(Verb::Operation("BillClose".into()), policy))
}

/// A bill with the fields a close looks at, as the client gives it.
fn closed(code: &str, second: u32, close: &str, closer: &str) -> Found {
    let fields = vec![("FCloseStatus".to_owned(), close.to_owned()), ("FCloserId.FName".to_owned(), closer.to_owned())];
    closes(None).with_state(Found { fields, ..found(code, second, None) })
}

fn call(step: Step, rev: Rev) -> OpenCall {
    OpenCall { run: RunId(ulid::Ulid::nil()), step, rev, sent: Ts(5), left: None, carried: Carried::default() }
}

fn said(cause: &str) -> Failure {
    Failure { cause: Cause::new(cause), msg_code: None, field: None, message: "m".into() }
}

fn case<'a>(op: &'a Operation, seen: Seen<'a>, moment: Moment<'a>) -> Case<'a> {
    Case {
        op,
        seen,
        approved: None,
        open: None,
        refused: None,
        earlier: false,
        forestalled: false,
        anothers: false,
        moment,
        user: US,
        repeats: 0,
        deaths: 0,
        may_write: true,
        canary_look: true,
        age_secs: 0,
        body: None,
        made: false,
        was_there: false,
        honoured: true,
        by_person: false,
    }
}

#[test]
fn a_bill_whose_id_no_list_can_carry_fails_before_a_call_and_is_named() {
    let (op, odd) = (audits(true), ["o'x", "a b", "7,8", "编号", "x\u{200b}"]);
    for (id, callable) in odd.map(|id| (id, false)).into_iter().chain([("7", true), ("a-1_B", true)]) {
        let seen = Found { fid: Fid::new(id), ..found("B", 1, None) };
        let got = judge(&Case { approved: Some(&seen.rev), ..case(&op, Seen::One(&seen), Moment::Before) });
        match got {
            Judgement::Call(_) => assert!(callable, "{id}"),
            Judgement::Fail(said) => assert!(!callable && said.cause.as_str() == "odd_id" && said.message == id),
            other => panic!("{id}: {other:?}"),
        }
        // What was done by somebody else is told as such, whatever the id.
        let seen = Found { fid: Fid::new(id), ..found("C", 1, None) };
        let got = judge(&Case { approved: Some(&seen.rev), ..case(&op, Seen::One(&seen), Moment::Before) });
        assert!(matches!(got, Judgement::Already(..)), "{id}: {got:?}");
    }
}
