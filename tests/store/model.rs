//! Random histories against a second, naive reading of the rules: both stores must take and refuse the same
//! appends, answer alike, answer alike after reopening, and agree with counting by hand.
use std::collections::{BTreeMap, BTreeSet};

use crate::store_kit::*;
use proptest::prelude::*;
use skydeck::domain::bill::{Outcome, Skip, Slot, UnknownWhy};
use skydeck::domain::event::Event;
use skydeck::domain::filter::Filter;
use skydeck::domain::ids::{Fid, OpId, PlanId, WorkKey};
use skydeck::domain::query::{PageRequest, RunColumn, Scope};
use skydeck::domain::reason::Reason;
use skydeck::domain::run::{RunEnd, RunHead, RunKind, Tally};
use skydeck::domain::step::{Step, Verdict};
use skydeck::domain::time::Ts;
use skydeck::store::local::LocalStore;
use skydeck::store::memory::MemoryStore;
use skydeck::store::{AppendError, Reads, Store, doctor};

#[derive(Clone, Debug)]
struct Op {
    kind: u8,
    run: u64,
    fid: u64,
    pick: u8,
}

fn op() -> impl Strategy<Value = Op> {
    (0_u8..19, 1_u64..5, 1_u64..7, 0_u8..12).prop_map(|(kind, run, fid, pick)| Op { kind, run, fid, pick })
}

#[derive(Clone, Debug, Default)]
struct Bill {
    slot: Option<Slot>,
    trying: bool,
    attempts: u32,
    changed: (u64, usize),
    counted: bool,
}

#[derive(Clone, Debug, Default)]
struct Run {
    plan: &'static str,
    closed: bool,
    counts: bool,
    reads: bool,
    /// A person at a console started it.
    seen: bool,
    bills: BTreeMap<u64, Bill>,
}

impl Run {
    /// Nobody approved it: nothing is told of its bills.
    fn is_untold(&self) -> bool {
        self.closed && !self.counts
    }
}

#[derive(Clone, Debug)]
struct Open {
    since: Ts,
    outcome: Outcome,
    run: u64,
    read: bool,
}

/// The naive reading.
#[derive(Clone, Debug, Default)]
struct Model {
    runs: BTreeMap<u64, Run>,
    /// By operation and bill: what has to be done once.
    ledger: BTreeMap<Work, Open>,
    /// Entries a person closed, until an outcome comes.
    closed: BTreeMap<Work, Open>,
    deaths: BTreeMap<Work, u32>,
    ever: BTreeSet<Work>,
    /// By plan: the run that ended by itself, until one goes through or a person starts one.
    stopped: BTreeMap<&'static str, u64>,
}

/// Operation (0 Audit, 1 a close) and bill.
type Work = (u64, u64);

/// Plans with an even number close what the others audit.
fn operation(run: u64) -> u64 {
    (run + 1) % 2
}

fn op_id(operation: u64) -> OpId {
    OpId::new(if operation == 0 { "" } else { "BillClose" })
}

fn work_key(work: Work) -> WorkKey {
    key(work.1).record.under(&op_id(work.0))
}

fn opens(n: u64, plan: &str, kind: RunKind) -> Event {
    Event::RunOpened(Box::new(RunHead { op: op_id(operation(n)), ..head(n, plan, kind) }))
}

fn outcome(pick: u8) -> Outcome {
    match pick {
        0 | 1 => audited(),
        2 => Outcome::Already { by: None, on: None },
        3 => skipped(Skip::Draft),
        4 => skipped(Skip::NotReached),
        5 => skipped(Skip::Gone),
        6 => skipped(Skip::Excluded),
        7 => failed("stock"),
        8 => failed("not_connected"),
        9 => unknown(UnknownWhy::TimedOut),
        10 => unknown(UnknownWhy::ProcessDied),
        _ => failed("period"),
    }
}

fn knows(outcome: &Outcome) -> bool {
    match outcome {
        Outcome::Skipped(Skip::NotReached | Skip::Excluded) => false,
        Outcome::Failed(f) => f.cause.as_str() != "not_connected",
        _ => true,
    }
}

impl Model {
    /// Applies one event if the rules allow it.
    fn apply(&mut self, event: &Event, seq: u64, at: Ts) -> bool {
        let no = |id: skydeck::domain::ids::RunId| id.0.timestamp_ms() - T0 as u64;
        let of = |fid: &Fid| fid.as_str().parse::<u64>().unwrap();
        match event {
            Event::RunOpened(head) => {
                let n = no(head.id);
                let plan = if n % 2 == 0 { "even" } else { "odd" };
                let counts = head.kind == RunKind::Verify;
                if !head.headless {
                    self.stopped.remove(plan);
                }
                let seen = !head.headless;
                let run = Run { plan, closed: false, counts, reads: counts, seen, bills: BTreeMap::new() };
                !self.runs.contains_key(&n) && self.runs.insert(n, run).is_none()
            }
            Event::ActionTaken(_) | Event::MarkMoved { .. } => true,
            Event::LedgerResolved { key, .. } => {
                let work = (u64::from(!key.op.is_audit()), of(&key.record.fid));
                if let Some(open) = self.ledger.remove(&work) {
                    self.deaths.remove(&work);
                    self.closed.insert(work, open);
                }
                self.ever.contains(&work)
            }
            Event::LedgerReopened { key, since, .. } => {
                let work = (u64::from(!key.op.is_audit()), of(&key.record.fid));
                if !self.ledger.contains_key(&work)
                    && let Some(open) = self.closed.remove(&work)
                {
                    self.ledger.insert(work, Open { since: *since, ..open });
                }
                self.ever.contains(&work)
            }
            event => {
                let n = no(event.run().unwrap());
                let Some(run) = self.runs.get_mut(&n).filter(|run| !run.closed) else { return false };
                match event {
                    Event::BillsFound { bills, .. } => {
                        for (place, bill) in bills.iter().enumerate() {
                            let fid = of(&bill.fid);
                            let new = Bill { slot: Some(Slot::Waiting), changed: (seq, place), ..Bill::default() };
                            if run.bills.insert(fid, new).is_some() {
                                return false;
                            }
                            self.ever.insert((operation(n), fid));
                        }
                        true
                    }
                    Event::RunApproved { .. } => {
                        run.counts = true;
                        true
                    }
                    Event::RunClosed { end, .. } => {
                        run.closed = true;
                        match end {
                            RunEnd::Stopped(_) => drop(self.stopped.insert(run.plan, n)),
                            // A run that only reads takes nobody's place.
                            RunEnd::CollectFailed(_) if run.reads && self.stopped.contains_key(run.plan) => {}
                            RunEnd::CollectFailed(_) if !run.seen => drop(self.stopped.insert(run.plan, n)),
                            RunEnd::Completed | RunEnd::Empty if !run.reads => drop(self.stopped.remove(run.plan)),
                            _ => {}
                        }
                        // Nothing is told of the bills of a run that nobody approved.
                        !run.counts || run.bills.values().all(|b| b.slot != Some(Slot::Waiting))
                    }
                    Event::RunInterrupted { .. } => {
                        for (fid, bill) in &mut run.bills {
                            if bill.trying && !bill.counted {
                                bill.counted = true;
                                *self.deaths.entry((operation(n), *fid)).or_default() += 1;
                            }
                        }
                        true
                    }
                    Event::StepTried { fid, .. } => {
                        let Some(bill) = run.bills.get_mut(&of(fid)) else { return false };
                        bill.attempts += 1;
                        bill.trying = true;
                        bill.counted = false;
                        bill.changed = (seq, 0);
                        bill.slot == Some(Slot::Waiting)
                    }
                    Event::BillDeferred { fid, was, .. } => {
                        let Some(bill) = run.bills.get_mut(&of(fid)) else { return false };
                        if bill.slot != Some(*was) || !matches!(was, Slot::Waiting | Slot::Unknown) {
                            return false;
                        }
                        if *was == Slot::Unknown
                            && let Some(open) = self.ledger.get_mut(&(operation(n), of(fid)))
                        {
                            open.read = true;
                        }
                        bill.slot = Some(Slot::Waiting);
                        bill.trying = false;
                        bill.changed = (seq, 0);
                        true
                    }
                    Event::BillSettled { fid, was, outcome, .. } => {
                        let fid = of(fid);
                        let Some(bill) = run.bills.get_mut(&fid) else { return false };
                        if bill.slot != Some(*was) || !matches!(was, Slot::Waiting | Slot::Unknown) {
                            return false;
                        }
                        bill.slot = Some(outcome.slot());
                        bill.trying = false;
                        bill.changed = (seq, 0);
                        let work = (operation(n), fid);
                        let open = self.ledger.get(&work);
                        let hidden = open.is_some_and(|o| matches!(o.outcome, Outcome::Unknown(_)) && !o.read)
                            && !knows(outcome);
                        // Not to have been reached tells nothing beside a refusal.
                        let refused = open.is_some_and(|o| matches!(o.outcome, Outcome::Failed(_)))
                            && *outcome == skipped(Skip::NotReached);
                        if run.counts && !hidden && !refused {
                            let since = open.map_or(at, |o| o.since);
                            self.closed.remove(&work);
                            if outcome.is_resolved() {
                                self.ledger.remove(&work);
                                self.deaths.remove(&work);
                            } else {
                                let open = Open { since, outcome: outcome.clone(), run: n, read: false };
                                self.ledger.insert(work, open);
                            }
                        }
                        true
                    }
                    Event::StepAnswered { fid, .. } | Event::BillRead { fid, .. } => run.bills.contains_key(&of(fid)),
                    _ => true,
                }
            }
        }
    }

    fn events(&self, op: &Op) -> Vec<Event> {
        let (n, fid) = (op.run, op.fid);
        let slot = self.runs.get(&n).and_then(|r| r.bills.get(&fid)).and_then(|b| b.slot);
        // Mostly what the rules allow, sometimes not.
        let was = if op.pick == 11 { Slot::Unknown } else { slot.unwrap_or(Slot::Waiting) };
        let plan = if n % 2 == 0 { "even" } else { "odd" };
        match op.kind {
            0 | 1 => {
                let kind = if op.pick == 0 { RunKind::Verify } else { RunKind::Fresh };
                let mut opens = opens(n, plan, kind);
                if let Event::RunOpened(head) = &mut opens {
                    head.headless = op.pick % 2 == 1;
                }
                vec![opens, found(n, &[fid, fid + 1])]
            }
            2 | 3 => vec![found(n, &[fid])],
            4 | 5 => vec![collected(n), approved(n), mark_moved(n, plan, "2025-11-03")],
            6..=8 => vec![tried(n, fid, Step::Audit, 1)],
            9 => vec![answered(n, fid, Step::Audit, Verdict::Done), settled(n, fid, was, outcome(op.pick))],
            10..=12 => vec![settled(n, fid, was, outcome(op.pick))],
            13 => vec![deferred(n, fid, was)],
            14 => vec![Event::RunInterrupted { run: run_id(n) }],
            15 => {
                let bills = self.runs.get(&n).map(|r| r.bills.clone()).unwrap_or_default();
                let open = bills.into_iter().filter(|(_, b)| b.slot == Some(Slot::Waiting));
                let mut events: Vec<Event> =
                    open.map(|(fid, _)| settled(n, fid, Slot::Waiting, outcome(op.pick))).collect();
                let end = match op.pick % 4 {
                    0 => RunEnd::Completed,
                    1 => RunEnd::Stopped(Reason::BreakerUnknown { n: 3 }),
                    2 => RunEnd::Cancelled,
                    _ => RunEnd::CollectFailed(Reason::Interrupted {}),
                };
                events.push(Event::RunClosed { run: run_id(n), end });
                events
            }
            16 => vec![Event::LedgerResolved {
                key: work_key((u64::from(op.pick) % 2, fid)),
                by: who(),
                reason: "dealt with by hand".into(),
            }],
            17 => {
                let work = (u64::from(op.pick) % 2, fid);
                let since = self.closed.get(&work).map_or(Ts(T0), |open| open.since);
                vec![Event::LedgerReopened { key: work_key(work), since, by: who(), reason: "not yet".into() }]
            }
            _ => vec![action("look"), tried(n, fid, Step::Audit, 2), settled(n, fid, Slot::Waiting, outcome(op.pick))],
        }
    }

    /// Compares a store with counting by hand.
    fn agrees(&self, store: &dyn Store) {
        let page = PageRequest::first(1000);
        let mut history = Vec::new();
        for (n, run) in &self.runs {
            let row = block(store.run(run_id(*n))).unwrap().unwrap();
            let count = |slot: Slot| run.bills.values().filter(|b| b.slot == Some(slot)).count() as u64;
            let tally = Tally {
                found: run.bills.len() as u64,
                audited: count(Slot::Done),
                already: count(Slot::Already),
                skipped: count(Slot::Skipped),
                failed: count(Slot::Failed),
                unknown: count(Slot::Unknown),
                waiting: count(Slot::Waiting),
                not_reached: count(Slot::NotReached),
            };
            assert_eq!(row.tally, tally);
            assert_eq!(row.state.is_closed(), run.closed);
            let fids = |rows: &[skydeck::domain::run::BillRow]| {
                rows.iter().map(|r| r.fid().as_str().parse::<u64>().unwrap()).collect::<Vec<_>>()
            };
            for slot in Slot::ALL {
                let want: Vec<u64> = run.bills.iter().filter(|(_, b)| b.slot == Some(slot)).map(|(f, _)| *f).collect();
                assert_eq!(fids(&block(store.bills_in(RunColumn { run: run_id(*n), slot }, None, 99)).unwrap()), want);
                let filter = Filter::parse(&format!("status:{}", slot.word())).unwrap();
                let got = block(store.bills(Scope::Run(run_id(*n)).asked(&filter, &page, Ts(T0)))).unwrap();
                let want = if run.is_untold() { Vec::new() } else { want };
                assert_eq!(got.total, Some(want.len() as u64));
                assert_eq!(
                    got.rows
                        .iter()
                        .map(|(_, r)| r.clone())
                        .map(|r| r.fid().as_str().parse::<u64>().unwrap())
                        .collect::<Vec<_>>(),
                    want
                );
            }
            let flying: Vec<u64> = run.bills.iter().filter(|(_, b)| b.trying).map(|(f, _)| *f).collect();
            assert_eq!(fids(&block(store.in_flight(run_id(*n))).unwrap()), flying);
            for (fid, bill) in &run.bills {
                let row = block(store.bill_of_run(run_id(*n), &Fid::from(*fid))).unwrap().unwrap();
                assert_eq!((row.attempts, Some(row.state.slot())), (bill.attempts, bill.slot));
                assert_eq!(row.untold, run.is_untold());
                if !run.is_untold() {
                    history.push((bill.changed, *n, *fid));
                }
            }
        }
        history.sort_unstable();
        history.reverse();
        let stopped: BTreeSet<_> =
            block(store.stopped_runs()).unwrap().iter().map(|stopped| stopped.row.head.id).collect();
        assert_eq!(stopped, self.stopped.values().map(|n| run_id(*n)).collect());
        let got = block(store.bills(Scope::History.asked(&Filter::default(), &page, Ts(T0)))).unwrap();
        assert_eq!(got.total, Some(history.len() as u64));
        let got: Vec<(u64, u64)> = got
            .rows
            .iter()
            .map(|(_, r)| (r.run.0.timestamp_ms() - T0 as u64, r.fid().as_str().parse().unwrap()))
            .collect();
        assert_eq!(got, history.iter().map(|(_, n, f)| (*n, *f)).collect::<Vec<_>>());
        for slot in Slot::ALL {
            let filter = Filter::parse(&format!("status:{}", slot.word())).unwrap();
            let got = block(store.bills(Scope::History.asked(&filter, &page, Ts(T0)))).unwrap();
            let want = history.iter().filter(|(_, n, fid)| self.runs[n].bills[fid].slot == Some(slot));
            assert_eq!(
                got.rows.iter().map(|(_, r)| r.fid().as_str().parse::<u64>().unwrap()).collect::<Vec<_>>(),
                want.map(|(_, _, fid)| *fid).collect::<Vec<_>>()
            );
        }
        let mut ledger: Vec<(Ts, u64)> = self.ledger.iter().map(|((_, fid), open)| (open.since, *fid)).collect();
        ledger.sort_unstable();
        let got = block(store.bills(Scope::Ledger.asked(&Filter::default(), &page, Ts(T0)))).unwrap();
        let mut got: Vec<(Ts, u64)> =
            got.rows.iter().map(|(_, r)| (r.open_since.unwrap(), r.fid().as_str().parse().unwrap())).collect();
        got.sort_by_key(|(since, fid)| (*since, *fid));
        assert_eq!(got, ledger);
        for (work, open) in &self.ledger {
            let entry = block(store.ledger_entry(&work_key(*work))).unwrap().unwrap();
            assert_eq!(entry.row.key, work_key(*work));
            assert_eq!(entry.row.state.outcome(), Some(&open.outcome));
            assert_eq!((entry.row.run, entry.deaths), (run_id(open.run), self.deaths.get(work).copied().unwrap_or(0)));
        }
        for work in &self.ever {
            assert_eq!(block(store.ledger_entry(&work_key(*work))).unwrap().is_some(), self.ledger.contains_key(work));
            let closed = self.closed.get(work).map(|open| open.since);
            assert_eq!(block(store.resolved_entry(&work_key(*work))).unwrap().map(|entry| entry.since), closed);
        }
        for plan in [None, Some("odd"), Some("even")] {
            let mut want: BTreeMap<String, u64> = BTreeMap::new();
            for open in self.ledger.values().filter(|o| plan.is_none_or(|p| self.runs[&o.run].plan == p)) {
                *want.entry(open.outcome.group().unwrap()).or_default() += 1;
            }
            let plan = plan.map(PlanId::new);
            let groups = block(store.ledger_groups(plan.as_ref())).unwrap();
            assert_eq!(groups.iter().map(|g| (g.group.clone(), g.count)).collect::<BTreeMap<_, _>>(), want);
            assert_eq!(block(store.unresolved(plan.as_ref())).unwrap(), want.values().sum::<u64>());
        }
    }
}

fn cases() -> u32 {
    std::env::var("PROPTEST_CASES").ok().and_then(|c| c.parse().ok()).unwrap_or(24)
}

/// A memory store alone is quick: many more histories against the naive reading.
fn run_in_memory(ops: &[Op]) -> (MemoryStore, Vec<Vec<Event>>) {
    let clock = TestClock::new();
    let store = MemoryStore::new(clock.clone());
    let mut model = Model::default();
    let mut taken = Vec::new();
    for op in ops {
        let events = model.events(op);
        let (at, first) = (Ts(clock.seen()), block(store.last_seq()).unwrap().0 + 1);
        let mut next = model.clone();
        let allowed = (first..).zip(&events).all(|(seq, event)| next.apply(event, seq, at));
        match store.append_now(&events.clone().into()) {
            Ok(_) => {
                assert!(allowed, "{op:?} was taken: {events:?}");
                model = next;
                taken.push(events);
            }
            Err(AppendError::Contradiction(why)) => assert!(!allowed, "{op:?} was refused: {why}"),
            Err(e) => panic!("{e}"),
        }
    }
    model.agrees(&store);
    (store, taken)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: cases() * 10, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn the_fold_agrees_with_counting_by_hand(ops in proptest::collection::vec(op(), 1..120)) {
        run_in_memory(&ops);
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: cases(), failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn memory_and_disk_answer_alike_and_so_does_the_reopened_one(ops in proptest::collection::vec(op(), 20..150)) {
        let (memory, taken) = run_in_memory(&ops);
        let temp = tempfile::tempdir().unwrap();
        let dir = temp.path().join("data");
        // Refused appends took a second of the first clock: play what was taken again, with one time on both sides.
        let clock = TestClock::new();
        let local = LocalStore::open(&dir, clock.clone(), "op", &|_| {}).unwrap();
        let replayed = MemoryStore::new(TestClock::at(clock.seen()));
        for events in taken {
            let a = replayed.append_now(&events.clone().into()).unwrap().facts;
            let b = block(local.append(events.into())).unwrap().facts;
            prop_assert_eq!(a, b);
        }
        prop_assert_eq!(block(memory.last_seq()).unwrap(), block(local.last_seq()).unwrap());
        let before = everything(&local);
        prop_assert_eq!(&everything(&replayed), &before);
        drop(local);
        let report = doctor::check(&dir, TestClock::new().as_ref(), &|_| {}).unwrap();
        prop_assert!(report.is_sound(), "{:?}", report);
        prop_assert_eq!(&everything(&LocalStore::open(&dir, TestClock::new(), "op", &|_| {}).unwrap()), &before);
        std::fs::remove_dir_all(dir.join("sled")).unwrap();
        prop_assert_eq!(&everything(&LocalStore::open(&dir, TestClock::new(), "op", &|_| {}).unwrap()), &before);
    }
}
