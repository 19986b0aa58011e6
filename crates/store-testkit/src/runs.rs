//! What is told of runs: their sum line, their lists, the marks and actions beside them, and how they ended.

use skydeck_core::domain::bill::{BillState, Slot, UnknownWhy};
use skydeck_core::domain::event::Event;
use skydeck_core::domain::ids::{EnvId, Fid, OpId, PlanId, RunId};
use skydeck_core::domain::query::{PageRequest, RunColumn};
use skydeck_core::domain::reason::Reason;
use skydeck_core::domain::run::{BillRow, RunEnd, RunState};
use skydeck_core::domain::step::{Step, Verdict};
use skydeck_core::domain::time::Ts;
use skydeck_core::domain::who::Who;

use crate::facts::{
    action, answered, audited, begun, deferred, executing, found_bill, mark_moved, opened, run_id, settled, tried,
    unknown,
};
use crate::{Bench, block};

pub(super) fn the_sum_line_and_the_columns_follow_the_facts(b: &Bench) {
    b.ok(begun(1, "p", &[1, 2, 3, 10]));
    b.ok(vec![tried(1, 1, Step::Audit, 1), tried(1, 2, Step::Audit, 1)]);
    let run = run_id(1);
    let fids = |rows: Vec<BillRow>| rows.iter().map(|r| r.fid().to_string()).collect::<Vec<_>>();
    assert_eq!(fids(block(b.store.in_flight(run)).unwrap()), ["1", "2"], "{}", b.name);
    b.ok(vec![answered(1, 1, Step::Audit, Verdict::Done), settled(1, 1, Slot::Waiting, audited())]);
    b.ok(vec![settled(1, 2, Slot::Waiting, unknown(UnknownWhy::TimedOut))]);
    assert!(block(b.store.in_flight(run)).unwrap().is_empty());
    let row = block(b.store.run(run)).unwrap().unwrap();
    assert_eq!((row.tally.found, row.tally.audited, row.tally.unknown, row.tally.waiting), (4, 1, 1, 2));
    assert_eq!(row.state, RunState::Working);
    assert!(row.tally.closes() && row.collected.is_some());
    let waiting = |after: Option<u64>, n| {
        fids(block(b.store.bills_in(RunColumn { run, slot: Slot::Waiting }, after.map(Fid::from).as_ref(), n)).unwrap())
    };
    assert_eq!(waiting(None, 9), ["3", "10"]);
    assert_eq!(waiting(Some(3), 9), ["10"]);
    assert_eq!(waiting(None, 1), ["3"]);
    let bill = block(b.store.bill_of_run(run, &Fid::from(1))).unwrap().unwrap();
    assert_eq!((bill.attempts, bill.state, bill.no.as_str()), (1, BillState::Settled(audited()), "XSCKD000001"));
    assert_eq!(block(b.store.found(run, &Fid::from(1))).unwrap().unwrap(), found_bill(1));
    assert_eq!(block(b.store.found(run, &Fid::from(99))).unwrap(), None);
    b.ok(vec![deferred(1, 2, Slot::Unknown)]);
    assert_eq!(block(b.store.run(run)).unwrap().unwrap().tally.unknown, 0);
    assert_eq!(waiting(None, 9), ["2", "3", "10"]);
}

pub(super) fn marks_actions_and_runs_are_listed(b: &Bench) {
    for n in 1..=5 {
        b.ok(begun(n, if n % 2 == 0 { "even" } else { "odd" }, &[n]));
        b.ok(vec![action(&format!("start-{n}")), mark_moved(n, "odd", &format!("2025-11-0{n}"))]);
    }
    let mark = block(b.store.mark(&PlanId::new("odd"), &EnvId::new("demo"))).unwrap().unwrap();
    assert_eq!((mark.seen.as_str(), mark.run), ("2025-11-05T00:00:00", run_id(5)), "{}", b.name);
    assert_eq!(block(b.store.mark(&PlanId::new("even"), &EnvId::new("demo"))).unwrap(), None);
    let all = block(b.store.runs(None, &PageRequest::first(3))).unwrap();
    assert_eq!(all.rows.iter().map(|(_, r)| r.head.id).collect::<Vec<_>>(), [5, 4, 3].map(run_id));
    assert!(all.more);
    let cursor = Some(all.rows[2].0.clone());
    let rest = block(b.store.runs(None, &PageRequest { cursor, back: false, limit: 9 })).unwrap();
    assert_eq!(rest.rows.iter().map(|(_, r)| r.head.id).collect::<Vec<_>>(), [2, 1].map(run_id));
    assert!(!rest.more);
    let even = block(b.store.runs(Some(&PlanId::new("even")), &PageRequest::first(9))).unwrap();
    assert_eq!(even.rows.iter().map(|(_, r)| r.head.id).collect::<Vec<_>>(), [4, 2].map(run_id));
    assert!(block(b.store.runs(Some(&PlanId::new("none")), &PageRequest::first(9))).unwrap().rows.is_empty());
    assert_eq!(block(b.store.open_runs()).unwrap().len(), 5);
    let log = block(b.store.actions(&PageRequest::first(2))).unwrap();
    assert_eq!(log.rows.iter().map(|(_, (_, _, a))| a.verb.as_str()).collect::<Vec<_>>(), ["start-5", "start-4"]);
}

pub(super) fn a_head_that_neither_names_its_operation_nor_has_a_kept_plan_is_marked(b: &Bench) {
    b.ok(vec![opened(1, "p"), executing(2, "q", "BillClose")]);
    let row = |n| block(b.store.run(run_id(n))).unwrap().unwrap();
    assert!(row(1).op_unknown && row(1).head.op.is_audit(), "{}", b.name);
    assert!(!row(2).op_unknown && row(2).head.op == OpId::new("BillClose"), "{}", b.name);
}

pub(super) fn runs_that_nobody_saw_come_to_nothing_stand_with_since_when_until_one_goes_through(bench: &Bench) {
    let stands = || -> Vec<(RunId, Ts, u32)> {
        let all = block(bench.store.stopped_runs()).unwrap();
        all.iter().map(|stopped| (stopped.row.head.id, stopped.since, stopped.times)).collect()
    };
    let closes = |n: u64, by_clock: bool, end: RunEnd| {
        let Event::RunOpened(mut head) = opened(n, "p") else { panic!() };
        if by_clock {
            head.by = Who::schedule(1);
        }
        bench.ok(vec![Event::RunOpened(head)]);
        bench.ok(vec![Event::RunClosed { run: run_id(n), end }]);
        block(bench.store.run(run_id(n))).unwrap().unwrap().closed.unwrap()
    };
    let gone = || Reason::Unreachable { said: "x".into() };
    closes(1, false, RunEnd::CollectFailed(gone()));
    assert_eq!(stands(), [], "{}: somebody at a console saw that", bench.name);
    let first = closes(2, true, RunEnd::CollectFailed(gone()));
    closes(3, true, RunEnd::CollectFailed(gone()));
    closes(4, true, RunEnd::Stopped(gone()));
    assert_eq!(stands(), [(run_id(4), first, 3)], "{}", bench.name);
    closes(5, true, RunEnd::Empty);
    assert_eq!(stands(), [], "{}", bench.name);
    let again = closes(6, true, RunEnd::CollectFailed(gone()));
    assert!(again > first, "{}", bench.name);
    assert_eq!(stands(), [(run_id(6), again, 1)], "{}", bench.name);
}
