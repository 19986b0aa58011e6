//! One contract, every store: what a store must answer, in memory and on disk alike.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::print_stdout,
    clippy::print_stderr,
    missing_docs
)]

mod store_kit;

use std::sync::Arc;

use skydeck::domain::bill::{BillState, Outcome, Skip, Slot, Status, UnknownWhy};
use skydeck::domain::event::Event;
use skydeck::domain::filter::Filter;
use skydeck::domain::ids::{EnvId, Fid, OpId, PlanId, RunId, Seq};
use skydeck::domain::query::{Cursor, PageRequest, Scope};
use skydeck::domain::reason::Reason;
use skydeck::domain::run::{RunEnd, RunKind, RunState};
use skydeck::domain::step::{Step, Verdict};
use skydeck::domain::time::Ts;
use skydeck::domain::who::Who;
use skydeck::store::local::LocalStore;
use skydeck::store::memory::MemoryStore;
use skydeck::store::{AppendError, Batch, Store, StoreError};
use store_kit::*;

struct Bench {
    name: &'static str,
    store: Arc<dyn Store>,
    _dir: Option<tempfile::TempDir>,
}

fn stores() -> Vec<Bench> {
    let dir = tempfile::tempdir().unwrap();
    let local = LocalStore::open(&dir.path().join("data"), TestClock::new(), "op", &|_| {}).unwrap();
    vec![
        Bench { name: "memory", store: Arc::new(MemoryStore::new(TestClock::new())), _dir: None },
        Bench { name: "local", store: Arc::new(local), _dir: Some(dir) },
    ]
}

impl Bench {
    fn append(&self, events: Vec<Event>) -> Result<Vec<Seq>, AppendError> {
        block(self.store.append(events.into())).map(|a| a.facts.iter().map(|f| f.seq).collect())
    }
    fn ok(&self, events: Vec<Event>) {
        self.append(events).unwrap_or_else(|e| panic!("{}: {e}", self.name));
    }
    fn refuses(&self, what: &str, events: Vec<Event>) {
        let before = block(self.store.last_seq()).unwrap();
        match self.append(events) {
            Err(AppendError::Contradiction(_)) => {}
            other => panic!("{}: {what}: {other:?}", self.name),
        }
        assert_eq!(block(self.store.last_seq()).unwrap(), before, "{}: {what} left something", self.name);
    }
    fn fids(&self, scope: Scope, filter: &str) -> Vec<String> {
        let page = PageRequest::first(1000);
        let got = block(self.store.bills(scope, &Filter::parse(filter).unwrap(), &page, Ts(T0))).unwrap();
        got.rows.iter().map(|(_, row)| row.fid().to_string()).collect()
    }
    fn groups(&self, plan: Option<&str>) -> Vec<(String, u64)> {
        let plan = plan.map(PlanId::new);
        block(self.store.ledger_groups(plan.as_ref())).unwrap().into_iter().map(|g| (g.group, g.count)).collect()
    }
}

#[test]
fn facts_are_stamped_without_holes_and_read_back_in_order() {
    for b in stores() {
        assert_eq!(b.append(begun(1, "p", &[5, 6])).unwrap(), [1, 2, 3, 4].map(Seq), "{}", b.name);
        assert_eq!(b.append(vec![action("start")]).unwrap(), [Seq(5)]);
        assert_eq!(b.append(vec![]).unwrap(), []);
        assert_eq!(block(b.store.last_seq()).unwrap(), Seq(5));
        let facts = block(b.store.facts_after(Seq(1), 3)).unwrap();
        assert_eq!(facts.iter().map(|f| f.seq.0).collect::<Vec<_>>(), [2, 3, 4]);
        assert_eq!(facts[0].event, found(1, &[5, 6]));
        assert!(block(b.store.facts_after(Seq(5), 10)).unwrap().is_empty());
        assert_eq!(block(b.store.facts_after(Seq(0), usize::MAX)).unwrap().len(), 5);
    }
}

#[test]
fn the_sum_line_and_the_columns_follow_the_facts() {
    for b in stores() {
        b.ok(begun(1, "p", &[1, 2, 3, 10]));
        b.ok(vec![tried(1, 1, Step::Audit, 1), tried(1, 2, Step::Audit, 1)]);
        let run = run_id(1);
        let fids =
            |rows: Vec<skydeck::domain::run::BillRow>| rows.iter().map(|r| r.fid().to_string()).collect::<Vec<_>>();
        assert_eq!(fids(block(b.store.in_flight(run)).unwrap()), ["1", "2"], "{}", b.name);
        b.ok(vec![answered(1, 1, Step::Audit, Verdict::Done), settled(1, 1, Slot::Waiting, audited())]);
        b.ok(vec![settled(1, 2, Slot::Waiting, unknown(UnknownWhy::TimedOut))]);
        assert!(block(b.store.in_flight(run)).unwrap().is_empty());
        let row = block(b.store.run(run)).unwrap().unwrap();
        assert_eq!((row.tally.found, row.tally.audited, row.tally.unknown, row.tally.waiting), (4, 1, 1, 2));
        assert_eq!(row.state, RunState::Working);
        assert!(row.tally.closes() && row.collected.is_some());
        let waiting = |after: Option<u64>, n| {
            fids(block(b.store.bills_in(run, Slot::Waiting, after.map(Fid::from).as_ref(), n)).unwrap())
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
}

#[test]
fn contradictions_are_refused_and_leave_nothing() {
    for b in stores() {
        b.ok(begun(1, "p", &[1, 2]));
        b.refuses("a second opening", vec![opened(1, "p")]);
        b.refuses("a bill found twice", vec![found(1, &[2])]);
        b.refuses("a bill found twice in one event", vec![found(1, &[7, 7])]);
        b.refuses("a bill that was never found", vec![settled(1, 9, Slot::Waiting, audited())]);
        b.refuses("an intent for a bill never found", vec![tried(1, 9, Step::Audit, 1)]);
        b.refuses("a run never opened", vec![found(2, &[1])]);
        b.refuses("the wrong column", vec![settled(1, 1, Slot::Unknown, audited())]);
        b.refuses("closing with bills waiting", vec![closed(1)]);
        b.refuses("good facts before a bad one", vec![settled(1, 1, Slot::Waiting, audited()), closed(1)]);
        b.ok(vec![settled(1, 1, Slot::Waiting, audited())]);
        b.refuses("a second outcome", vec![settled(1, 1, Slot::Done, failed("stock"))]);
        b.refuses("a call for an audited bill", vec![tried(1, 1, Step::Audit, 2)]);
        b.refuses("an audited bill deferred", vec![deferred(1, 1, Slot::Done)]);
        b.ok(vec![settled(1, 2, Slot::Waiting, skipped(Skip::Draft)), closed(1)]);
        b.refuses("a change of a closed run", vec![found(1, &[3])]);
        b.refuses("a second closing", vec![closed(1)]);
        b.refuses("resolving a bill nobody knows", vec![resolved(77)]);
        let row = block(b.store.run(run_id(1))).unwrap().unwrap();
        assert!(row.state.is_closed() && row.closed.is_some());
        assert!(block(b.store.open_runs()).unwrap().is_empty());
    }
}

#[test]
fn the_ledger_keeps_what_is_unresolved_over_runs() {
    for b in stores() {
        b.ok(begun(1, "p", &[1, 2, 3, 4]));
        b.ok(vec![
            settled(1, 1, Slot::Waiting, failed("stock")),
            settled(1, 2, Slot::Waiting, unknown(UnknownWhy::TimedOut)),
            settled(1, 3, Slot::Waiting, failed("stock")),
            settled(1, 4, Slot::Waiting, audited()),
            closed(1),
        ]);
        assert_eq!(block(b.store.unresolved(None)).unwrap(), 3, "{}", b.name);
        assert_eq!(b.groups(None), [("stock".into(), 2), ("timed_out".into(), 1)]);
        assert_eq!(b.fids(Scope::Ledger, ""), ["1", "2", "3"]);
        assert_eq!(b.fids(Scope::Ledger, "cause:stock"), ["1", "3"]);
        assert_eq!(b.fids(Scope::Ledger, "cause:st*,timed_out -fid:1"), ["2", "3"]);
        assert_eq!(b.fids(Scope::Ledger, "status:unknown"), ["2"]);
        let since = block(b.store.ledger_entry(&key(1))).unwrap().unwrap().since;
        // A second run of another plan finds one again: the entry still tells the last outcome.
        b.ok(begun(2, "q", &[1, 2]));
        let entry = block(b.store.ledger_entry(&key(2))).unwrap().unwrap();
        assert_eq!(entry.row.state, BillState::Settled(unknown(UnknownWhy::TimedOut)));
        assert_eq!(block(b.store.bill(&key(2))).unwrap().unwrap().run, run_id(2));
        // It fails for another reason: group and plan move, the age stays.
        b.ok(vec![settled(2, 1, Slot::Waiting, failed("period"))]);
        let entry = block(b.store.ledger_entry(&key(1))).unwrap().unwrap();
        assert_eq!((entry.since, entry.row.open_since, entry.row.run), (since, Some(since), run_id(2)));
        assert_eq!(b.groups(Some("q")), [("period".into(), 1)]);
        assert_eq!(b.fids(Scope::Ledger, "plan:q"), ["1"]);
        // A run that did not get to an unknown bill does not make it known.
        b.ok(vec![settled(2, 2, Slot::Waiting, skipped(Skip::NotReached)), closed(2)]);
        assert_eq!(b.groups(Some("p")), [("stock".into(), 1), ("timed_out".into(), 1)]);
        // A retry ends one well, a person another.
        b.ok(begun(3, "p", &[3]));
        b.ok(vec![settled(3, 3, Slot::Waiting, audited()), closed(3), resolved(2)]);
        assert_eq!(b.fids(Scope::Ledger, ""), ["1"]);
        assert_eq!(
            (block(b.store.unresolved(Some(&PlanId::new("p")))).unwrap(), block(b.store.unresolved(None)).unwrap()),
            (0, 1)
        );
        assert_eq!(block(b.store.ledger_entry(&key(2))).unwrap(), None);
        b.ok(vec![resolved(2)]);
        assert_eq!(block(b.store.unresolved(Some(&PlanId::new("nobody")))).unwrap(), 0);
    }
}

#[test]
fn a_group_is_as_old_as_the_oldest_bill_that_is_still_in_it() {
    for b in stores() {
        b.ok(begun(1, "p", &[1, 2]));
        b.ok(vec![settled(1, 1, Slot::Waiting, failed("stock"))]);
        std::thread::sleep(std::time::Duration::from_millis(5));
        b.ok(vec![settled(1, 2, Slot::Waiting, failed("stock")), closed(1)]);
        let since = |n| block(b.store.ledger_entry(&key(n))).unwrap().map(|entry| entry.since);
        let oldest = || block(b.store.ledger_groups(None)).unwrap()[0].oldest;
        let (first, second) = (since(1), since(2));
        assert!(first < second, "{}", b.name);
        assert_eq!(oldest(), first, "{}", b.name);
        b.ok(vec![resolved(1)]);
        assert_eq!((since(1), oldest()), (None, second), "{}", b.name);
    }
}

#[test]
fn a_run_nobody_approved_leaves_the_ledger_alone_and_a_verify_run_does_not() {
    for b in stores() {
        b.ok(begun(1, "p", &[1]));
        b.ok(vec![settled(1, 1, Slot::Waiting, unknown(UnknownWhy::Broken)), closed(1)]);
        b.ok(vec![opened(2, "p"), found(2, &[1, 2]), settled(2, 1, Slot::Waiting, skipped(Skip::NotReached))]);
        b.ok(vec![settled(2, 2, Slot::Waiting, skipped(Skip::NotReached)), closed(2)]);
        assert_eq!(b.fids(Scope::Ledger, ""), ["1"], "{}", b.name);
        b.ok(vec![Event::RunOpened(Box::new(head(3, "p", RunKind::Verify))), found(3, &[1])]);
        b.ok(vec![settled(3, 1, Slot::Waiting, skydeck::domain::bill::Outcome::Done { verified: true }), closed(3)]);
        assert!(b.fids(Scope::Ledger, "").is_empty());
    }
}

#[test]
fn a_read_back_lets_a_later_skip_replace_the_unknown() {
    for b in stores() {
        b.ok(begun(1, "p", &[1]));
        b.ok(vec![settled(1, 1, Slot::Waiting, unknown(UnknownWhy::Broken)), deferred(1, 1, Slot::Unknown)]);
        assert_eq!(b.groups(None), [("broken".into(), 1)], "{}", b.name);
        b.ok(vec![settled(1, 1, Slot::Waiting, skipped(Skip::NotReached)), closed(1)]);
        assert_eq!(b.groups(None), [("not_reached".into(), 1)]);
    }
}

#[test]
fn deaths_are_counted_once_a_call_and_forgotten_when_resolved() {
    for b in stores() {
        b.ok(begun(1, "p", &[1, 2]));
        for attempt in 1..=2 {
            b.ok(vec![tried(1, 1, Step::Audit, attempt)]);
            b.ok(vec![Event::RunInterrupted { run: run_id(1) }]);
            b.ok(vec![Event::RunInterrupted { run: run_id(1) }]);
            b.ok(vec![settled(1, 1, Slot::Waiting, unknown(UnknownWhy::ProcessDied))]);
            assert_eq!(block(b.store.ledger_entry(&key(1))).unwrap().unwrap().deaths, attempt, "{}", b.name);
            b.ok(vec![deferred(1, 1, Slot::Unknown)]);
        }
        b.ok(vec![tried(1, 1, Step::Audit, 3), settled(1, 1, Slot::Waiting, audited())]);
        b.ok(vec![settled(1, 2, Slot::Waiting, audited()), closed(1)]);
        b.ok(begun(2, "p", &[1]));
        b.ok(vec![settled(2, 1, Slot::Waiting, failed("stock"))]);
        assert_eq!(block(b.store.ledger_entry(&key(1))).unwrap().unwrap().deaths, 0);
        assert_eq!(block(b.store.bill_of_run(run_id(1), &Fid::from(1))).unwrap().unwrap().attempts, 3);
        // Also where the bill ended well before it was ever unknown.
        b.ok(vec![closed(2)]);
        b.ok(begun(3, "p", &[4]));
        b.ok(vec![tried(3, 4, Step::Audit, 1), Event::RunInterrupted { run: run_id(3) }]);
        b.ok(vec![settled(3, 4, Slot::Waiting, audited()), closed(3)]);
        b.ok(begun(4, "p", &[4]));
        b.ok(vec![settled(4, 4, Slot::Waiting, failed("stock")), closed(4)]);
        assert_eq!(block(b.store.ledger_entry(&key(4))).unwrap().unwrap().deaths, 0, "{}", b.name);
    }
}

#[test]
fn our_own_submit_moves_the_revision_and_nothing_else_does() {
    for b in stores() {
        b.ok(begun(1, "p", &[1, 2]));
        let modified = |fid: u64| {
            block(b.store.bill_of_run(run_id(1), &Fid::from(fid)))
                .unwrap()
                .unwrap()
                .rev
                .modified
                .unwrap()
                .as_str()
                .to_owned()
        };
        b.ok(vec![read(1, 1, Status::Submitted, "2025-11-09T09:00:00")]);
        assert_eq!(modified(1), "2025-11-02T10:20:30.123", "{}", b.name);
        b.ok(vec![tried(1, 1, Step::Submit, 1), answered(1, 1, Step::Submit, Verdict::Done)]);
        b.ok(vec![read(1, 1, Status::Submitted, "2025-11-09T09:30:00")]);
        assert_eq!(modified(1), "2025-11-09T09:30:00");
        b.ok(vec![read(1, 1, Status::Submitted, "2025-11-09T10:00:00")]);
        assert_eq!(modified(1), "2025-11-09T09:30:00", "a second read is somebody else's edit");
        assert_eq!(block(b.store.found(run_id(1), &Fid::from(1))).unwrap().unwrap(), found_bill(1));
    }
}

#[test]
fn a_bill_is_found_by_number_and_tells_its_whole_life() {
    for b in stores() {
        b.ok(begun(1, "p", &[1, 2]));
        b.ok(vec![tried(1, 1, Step::Audit, 1)]);
        b.ok(vec![
            answered(1, 1, Step::Audit, Verdict::Unknown(UnknownWhy::Broken, String::new())),
            settled(1, 1, Slot::Waiting, unknown(UnknownWhy::Broken)),
        ]);
        b.ok(vec![settled(1, 2, Slot::Waiting, audited()), closed(1)]);
        b.ok(begun(2, "p", &[1]));
        b.ok(vec![settled(2, 1, Slot::Waiting, audited()), closed(2)]);
        let numbers = |text: &str, n| {
            block(b.store.find_number(text, n)).unwrap().iter().map(|r| (r.no.clone(), r.run)).collect::<Vec<_>>()
        };
        assert_eq!(numbers("xsckd00", 9), [(number(1), run_id(2)), (number(2), run_id(1))], "{}", b.name);
        assert_eq!(numbers("XSCKD000001", 9).len(), 1);
        assert_eq!(numbers("XSCKD", 1).len(), 1);
        assert!(numbers("nothing", 9).is_empty());
        let (facts, cut) = block(b.store.facts_of(&key(1), 100)).unwrap();
        assert!(!cut);
        assert_eq!(facts.iter().map(|f| f.seq.0).collect::<Vec<_>>(), [2, 5, 6, 7, 11, 14]);
        assert_eq!(facts[0].event, found(1, &[1]), "only this bill of those found together");
        assert!(matches!(&facts[2].event, Event::StepAnswered { evidence: Some(e), .. } if e.response.is_some()));
        let (facts, cut) = block(b.store.facts_of(&key(1), 2)).unwrap();
        assert!(cut);
        assert_eq!(facts.iter().map(|f| f.seq.0).collect::<Vec<_>>(), [11, 14]);
        assert_eq!(block(b.store.facts_of(&key(99), 2)).unwrap(), (vec![], false));
    }
}

#[test]
fn a_bill_with_very_many_facts_keeps_them_all() {
    for b in stores() {
        b.ok(begun(1, "p", &[1]));
        for i in 0..300_u32 {
            b.ok(vec![read(1, 1, Status::Submitted, &format!("2025-11-09T09:{:02}:{:02}", i / 60, i % 60))]);
        }
        let (facts, cut) = block(b.store.facts_of(&key(1), 1000)).unwrap();
        assert_eq!((facts.len(), cut), (301, false), "{}", b.name);
        assert!(facts.windows(2).all(|w| w[0].seq < w[1].seq));
        let (facts, cut) = block(b.store.facts_of(&key(1), 10)).unwrap();
        assert_eq!((facts.len(), cut, facts[9].seq), (10, true, Seq(304)));
    }
}

#[test]
fn marks_actions_and_runs_are_listed() {
    for b in stores() {
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
}

#[test]
fn pages_go_both_ways_from_any_row() {
    for b in stores() {
        let fids: Vec<u64> = (1..=25).collect();
        b.ok(begun(1, "p", &fids));
        for fid in 1..=25 {
            let outcome = if fid % 5 == 0 { failed("stock") } else { audited() };
            b.ok(vec![settled(1, fid, Slot::Waiting, outcome)]);
        }
        let run = Scope::Run(run_id(1));
        for (scope, filter, want) in [
            (run, "", (1..=25).collect::<Vec<u64>>()),
            (run, "status:failed", vec![5, 10, 15, 20, 25]),
            (run, "status:audited,failed no:XSCKD00001*", (10..=19).collect()),
            (run, "cause:stock", vec![5, 10, 15, 20, 25]),
            // The status a bill has now, not the one it was found in.
            (run, "status:c -cause:stock fid:3,5,7", vec![3, 7]),
            (run, "status:b fid:3,5,7", vec![5]),
            (run, "org:101 ~存", vec![10, 25]),
            (Scope::History, "", (1..=25).rev().collect()),
            (Scope::History, "status:failed", vec![25, 20, 15, 10, 5]),
            (Scope::History, "no:xsckd000007", vec![7]),
            (Scope::History, "cause:*ock status:fail*", vec![25, 20, 15, 10, 5]),
            (Scope::History, "客户3", vec![24, 17, 10, 3]),
            (Scope::Ledger, "", vec![5, 10, 15, 20, 25]),
            (Scope::Ledger, "no:*20", vec![20]),
            (Scope::Ledger, "no:XSCKD000010,XSCKD000005", vec![5, 10]),
        ] {
            let parsed = Filter::parse(filter).unwrap();
            let page = |cursor: Option<Cursor>, back, limit| {
                block(b.store.bills(scope, &parsed, &PageRequest { cursor, back, limit }, Ts(T0))).unwrap()
            };
            let fids = |p: &skydeck::domain::query::Page<skydeck::domain::run::BillRow>| {
                p.rows.iter().map(|(_, r)| r.fid().as_str().parse::<u64>().unwrap()).collect::<Vec<_>>()
            };
            let what = format!("{} {scope:?} {filter}", b.name);
            let mut got = Vec::new();
            let mut at = None;
            loop {
                let p = page(at, false, 3);
                got.extend(fids(&p));
                assert_eq!(p.more, got.len() < want.len(), "{what}");
                at = p.rows.last().map(|(c, _)| c.clone());
                if !p.more {
                    break;
                }
            }
            assert_eq!(got, want, "{what}");
            let mut got = Vec::new();
            let mut at = None;
            loop {
                let p = page(at, true, 4);
                got = [fids(&p), got].concat();
                at = p.rows.first().map(|(c, _)| c.clone());
                if !p.more {
                    break;
                }
            }
            assert_eq!(got, want, "back {what}");
        }
        let ledger = block(b.store.bills(Scope::Ledger, &Filter::default(), &PageRequest::first(1), Ts(T0))).unwrap();
        let foreign = PageRequest { cursor: Some(ledger.rows[0].0.clone()), back: false, limit: 1 };
        assert!(matches!(block(b.store.bills(run, &Filter::default(), &foreign, Ts(T0))), Err(StoreError::Cursor(_))));
        for text in ["", "zz", "6", "é"] {
            let bad = PageRequest { cursor: Some(Cursor(text.into())), back: false, limit: 1 };
            assert!(
                matches!(block(b.store.bills(run, &Filter::default(), &bad, Ts(T0))), Err(StoreError::Cursor(_))),
                "{text}"
            );
        }
        assert!(b.fids(Scope::Run(run_id(9)), "").is_empty());
    }
}

#[test]
fn a_scan_without_an_index_is_bounded_and_says_how_far_it_got() {
    for b in stores() {
        b.ok(vec![opened(1, "p")]);
        let fids: Vec<u64> = (1..=20_500).collect();
        for part in fids.chunks(100) {
            b.ok(vec![found(1, part)]);
        }
        let filter = Filter::parse("客户4 -status:audited \"XSCKD020500\"").unwrap();
        let run = Scope::Run(run_id(1));
        let mut request = PageRequest::first(5);
        // Texts that stand in the stored bytes are looked for there; ages are not, and the rows are decoded.
        for _ in 0..4 {
            let page = block(b.store.bills(run, &filter, &request, Ts(T0))).unwrap();
            assert_eq!((page.rows.len(), page.scanned, page.more), (0, 5_000, true), "{}", b.name);
            request.cursor = page.stopped_at;
        }
        let last = block(b.store.bills(run, &filter, &request, Ts(T0))).unwrap();
        assert_eq!((last.scanned, last.more, last.stopped_at.clone()), (500, false, None));
        assert_eq!(last.rows.len(), 1, "the last bill is of customer 4");
        let old = Filter::parse("age:>9d").unwrap();
        let page = block(b.store.bills(run, &old, &PageRequest::first(5), Ts(T0))).unwrap();
        assert_eq!((page.rows.len(), page.scanned, page.more), (0, 2_000, true), "{}", b.name);
    }
}

#[test]
fn the_first_page_tells_how_many_there_are_where_the_sum_lines_know() {
    for b in stores() {
        b.ok(vec![opened(1, "p"), found(1, &[1, 2, 3])]);
        let total = |scope, filter: &str| {
            let filter = Filter::parse(filter).unwrap();
            block(b.store.bills(scope, &filter, &PageRequest::first(1), Ts(T0))).unwrap().total
        };
        let run = Scope::Run(run_id(1));
        assert_eq!((total(run, ""), total(Scope::History, "")), (Some(3), Some(3)), "{}", b.name);
        assert_eq!((total(run, "status:waiting"), total(Scope::History, "status:failed")), (Some(3), Some(0)));
        assert_eq!((total(run, "-status:failed"), total(Scope::History, "status:failed age:>1d")), (None, None));
    }
}

/// A head under another operation than Audit.
fn executing(n: u64, plan: &str, op: &str) -> Event {
    let head = skydeck::domain::run::RunHead { op: OpId::new(op), ..head(n, plan, RunKind::Fresh) };
    Event::RunOpened(Box::new(head))
}

#[test]
fn bills_are_found_by_the_words_of_their_operations() {
    let filter = |text: &str| Filter::parse(text).unwrap();
    for b in stores() {
        b.ok(begun(1, "p", &[1, 2]));
        b.ok(vec![settled(1, 1, Slot::Waiting, audited()), settled(1, 2, Slot::Waiting, skipped(Skip::NotReached))]);
        let only_audit =
            block(b.store.bills(Scope::History, &filter("-operation:Audit"), &PageRequest::first(9), Ts(T0)));
        let only_audit = only_audit.unwrap();
        assert_eq!((only_audit.rows.len(), only_audit.scanned), (0, 0), "{}: no other operation, no scan", b.name);
        b.ok(vec![executing(2, "q", "BillClose"), found(2, &[1, 2, 3]), collected(2), approved(2)]);
        let already = Outcome::Already { by: None, on: None };
        b.ok(vec![settled(2, 1, Slot::Waiting, audited()), settled(2, 2, Slot::Waiting, already)]);
        b.ok(vec![settled(2, 3, Slot::Waiting, skipped(Skip::NotReached))]);
        let (of_audit, closing) = (Scope::Run(run_id(1)), Scope::Run(run_id(2)));
        for (scope, text, want) in [
            (of_audit, "status:audited", vec!["1"]),
            (of_audit, "status:done", vec!["1"]),
            (of_audit, "status:已审核", vec!["1"]),
            (of_audit, "status:closed", vec![]),
            (of_audit, "status:not_reached", vec!["2"]),
            (of_audit, "status:skipped", vec![]),
            (closing, "status:audited", vec!["1"]),
            (closing, "status:closed", vec!["1"]),
            (closing, "结果:已关闭", vec!["1"]),
            (closing, "status:已审核", vec![]),
            (closing, "status:already_audited", vec!["2"]),
            (closing, "status:already_closed", vec!["2"]),
            (closing, "-status:closed,not_reached", vec!["2"]),
            (closing, "cause:not_reached", vec!["3"]),
            (Scope::History, "status:done", vec!["1", "1"]),
            (Scope::History, "status:closed", vec!["1"]),
            (Scope::History, "status:not_reached", vec!["3", "2"]),
            (Scope::History, "cause:not_reached", vec!["3", "2"]),
            (Scope::History, "operation:BillClose", vec!["3", "2", "1"]),
            (Scope::History, "操作:audit", vec!["2", "1"]),
            (Scope::Ledger, "status:not_reached", vec!["2", "3"]),
            (Scope::Ledger, "-operation:Audit", vec!["3"]),
        ] {
            assert_eq!(b.fids(scope, text), want, "{} {scope:?} {text}", b.name);
        }
        let total = |scope, text: &str| {
            block(b.store.bills(scope, &filter(text), &PageRequest::first(1), Ts(T0))).unwrap().total
        };
        assert_eq!((total(Scope::History, "status:done"), total(of_audit, "status:not_reached")), (Some(2), Some(1)));
        assert_eq!(total(Scope::History, "status:closed"), None, "the sum lines do not tell them apart");
        // `s*` is also what Submit calls its own: the sum of the skipped is not all of it.
        assert_eq!(total(Scope::History, "status:s*"), None);
        let page = block(b.store.bills(Scope::History, &filter("status:not_reached"), &PageRequest::first(9), Ts(T0)))
            .unwrap();
        assert_eq!(page.scanned, 2, "{}: bills that had no turn have a list of their own", b.name);
    }
}

#[test]
fn a_head_that_neither_names_its_operation_nor_has_a_kept_plan_is_marked() {
    for b in stores() {
        b.ok(vec![opened(1, "p"), executing(2, "q", "BillClose")]);
        let row = |n| block(b.store.run(run_id(n))).unwrap().unwrap();
        assert!(row(1).op_unknown && row(1).head.op.is_audit(), "{}", b.name);
        assert!(!row(2).op_unknown && row(2).head.op == OpId::new("BillClose"), "{}", b.name);
    }
}

/// What the ERP said of a bill's status is kept from the last call on: a read before a call is void when the call leaves.
#[test]
fn a_call_that_leaves_makes_void_what_was_read_of_the_status_before() {
    use skydeck::domain::bill::Status;
    use skydeck::domain::erp_status::{After, Ground};
    for b in stores() {
        b.ok(begun(1, "p", &[1, 2, 3]));
        let stands = |fid: u64| {
            let row = block(b.store.bill(&key(fid))).unwrap().unwrap();
            let after = After::of(&row);
            (after.code().to_owned(), after.ground)
        };
        // Submitted by us and read back, then audited: what is known is the answer to the audit.
        b.ok(vec![tried(1, 1, Step::Submit, 1), answered(1, 1, Step::Submit, Verdict::Done)]);
        assert_eq!(stands(1).1, Ground::Open, "{}: the bill's next step is open", b.name);
        b.ok(vec![read(1, 1, Status::Submitted, "2025-11-20"), deferred(1, 1, Slot::Waiting)]);
        assert_eq!(stands(1), ("B".to_owned(), Ground::Read), "{}", b.name);
        b.ok(vec![tried(1, 1, Step::Audit, 1)]);
        assert_eq!(stands(1), (String::new(), Ground::Open), "{}", b.name);
        b.ok(vec![answered(1, 1, Step::Audit, Verdict::Done), settled(1, 1, Slot::Waiting, audited())]);
        assert_eq!(stands(1), ("C".to_owned(), Ground::Answer), "{}", b.name);
        // Read as taken back, and left alone.
        b.ok(vec![read(1, 2, Status::Reaudit, "2025-11-20"), settled(1, 2, Slot::Waiting, skipped(Skip::Changed))]);
        assert_eq!(stands(2), ("D".to_owned(), Ground::Read), "{}", b.name);
        // A call without an answer, and then a read that finds it changed.
        b.ok(vec![tried(1, 3, Step::Audit, 1), settled(1, 3, Slot::Waiting, unknown(UnknownWhy::TimedOut))]);
        assert_eq!(stands(3), (String::new(), Ground::Open), "{}", b.name);
        b.ok(vec![
            read(1, 3, Status::Reaudit, "2025-11-21"),
            settled(1, 3, Slot::Unknown, unknown(UnknownWhy::ChangedSince(Status::Reaudit))),
        ]);
        assert_eq!(stands(3), ("D".to_owned(), Ground::Read), "{}", b.name);
    }
}

#[test]
fn runs_that_nobody_saw_come_to_nothing_stand_with_since_when_until_one_goes_through() {
    for bench in stores() {
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
}

#[test]
fn a_page_is_closed_by_bytes_too_and_a_long_message_of_before_is_cut_when_it_is_read() {
    const BILLS: u64 = 700;
    let long = "中".repeat(4_000);
    for bench in stores() {
        let fids: Vec<u64> = (1..=BILLS).collect();
        bench.ok(begun(1, "p", &fids));
        for part in fids.chunks(100) {
            let Outcome::Failed(failure) = failed("stock") else { panic!() };
            let outcome =
                |_| Outcome::Failed(skydeck::domain::bill::Failure { message: long.clone(), ..failure.clone() });
            bench.ok(part.iter().map(|fid| settled(1, *fid, Slot::Waiting, outcome(fid))).collect());
        }
        for scope in [Scope::Ledger, Scope::Run(run_id(1)), Scope::History] {
            let (mut rows, mut pages, mut request) = (Vec::new(), 0, PageRequest::first(5000));
            loop {
                let page = block(bench.store.bills(scope, &Filter::default(), &request, Ts(T0))).unwrap();
                assert!(page.rows.len() < 600, "{}: {}", bench.name, page.rows.len());
                request.cursor = page.rows.last().map(|(cursor, _)| cursor.clone());
                rows.extend(page.rows);
                pages += 1;
                if !page.more {
                    break;
                }
            }
            assert_eq!((rows.len() as u64, pages), (BILLS, 2), "{} {scope:?}", bench.name);
            for (_, row) in rows {
                let BillState::Settled(Outcome::Failed(failure)) = row.state else { panic!() };
                assert!(failure.message.len() <= 8192 && failure.message.contains("bytes, sha256 "));
            }
        }
    }
}

#[test]
fn an_unknown_bill_leaves_the_ledger_by_what_says_something_about_it_and_by_nothing_else() {
    // What is told; what the entry says then, where it was unknown before; and where it was known.
    let stays = Some("timed_out");
    let told = [
        (audited(), None, None),
        (Outcome::Already { by: None, on: None }, None, None),
        (unknown(UnknownWhy::Broken), Some("broken"), Some("broken")),
        (failed("period"), Some("period"), Some("period")),
        (failed("not_connected"), stays, Some("not_connected")),
        (failed("session"), stays, Some("session")),
        (failed("credentials"), stays, Some("credentials")),
        // Nothing was learnt: what it was refused for still keeps it back.
        (skipped(Skip::NotReached), stays, Some("stock")),
        (skipped(Skip::Outside), stays, Some("outside_filter")),
        (skipped(Skip::Missing), stays, Some("missing")),
        (skipped(Skip::UnknownElsewhere), stays, Some("unknown_elsewhere")),
        (skipped(Skip::Held("held".into())), stays, Some("held")),
        (skipped(Skip::Excluded), stays, None),
        (skipped(Skip::Quarantined), stays, Some("quarantined")),
        (skipped(Skip::Changed), Some("changed"), Some("changed")),
        (skipped(Skip::Gone), None, None),
        (skipped(Skip::Draft), Some("draft"), Some("draft")),
    ];
    // Each row is two bills, each of a plan of its own: one run tells what was, the next one what comes.
    let (mut events, mut want) = (Vec::new(), Vec::new());
    for (n, (then, was_unknown, was_known)) in (1..).zip(told) {
        for (fid, before, group) in
            [(n, unknown(UnknownWhy::TimedOut), was_unknown), (n + 100, failed("stock"), was_known)]
        {
            let plan = format!("p{fid}");
            for (run, outcome) in [(2 * fid, before), (2 * fid + 1, then.clone())] {
                events.extend(begun(run, &plan, &[fid]));
                events.extend([settled(run, fid, Slot::Waiting, outcome), closed(run)]);
            }
            want.push((plan, group, format!("{then:?}")));
        }
    }
    for bench in stores() {
        bench.ok(events.clone());
        for (plan, group, then) in &want {
            let groups: Vec<(String, u64)> = group.iter().map(|group| ((*group).to_owned(), 1)).collect();
            assert_eq!(bench.groups(Some(plan)), groups, "{}: {then}", bench.name);
            let open = block(bench.store.unresolved(Some(&PlanId::new(plan)))).unwrap();
            assert_eq!(open, groups.len() as u64, "{}: {then}", bench.name);
        }
    }
}

#[test]
fn a_closed_entry_comes_back_as_it_was_unless_an_outcome_came_meanwhile() {
    let reopened = |fid, since| Event::LedgerReopened { key: key(fid), since, by: who(), reason: "not yet".into() };
    for bench in stores() {
        bench.ok(begun(1, "p", &[1, 2]));
        for _ in 0..2 {
            bench.ok(vec![tried(1, 1, Step::Audit, 1), Event::RunInterrupted { run: run_id(1) }]);
        }
        bench.ok(vec![settled(1, 1, Slot::Waiting, unknown(UnknownWhy::Broken))]);
        bench.ok(vec![settled(1, 2, Slot::Waiting, failed("stock")), closed(1)]);
        let entry = |fid| block(bench.store.ledger_entry(&key(fid))).unwrap();
        let (one, two) = (entry(1).unwrap(), entry(2).unwrap());
        let both = [("broken".to_owned(), 1), ("stock".to_owned(), 1)];
        // What is open is not put back.
        bench.ok(vec![reopened(1, Ts(T0 - 5))]);
        assert_eq!((entry(1).unwrap().since, bench.groups(None)), (one.since, both.to_vec()), "{}", bench.name);
        bench.ok(vec![resolved(1), resolved(2), resolved(2)]);
        assert_eq!((entry(1), entry(2), bench.groups(Some("p"))), (None, None, vec![]), "{}", bench.name);
        // Both reasons that were given belong to the bill's life.
        let (facts, cut) = block(bench.store.facts_of(&key(2), 100)).unwrap();
        let reasons = facts.iter().filter(|f| matches!(f.event, Event::LedgerResolved { .. })).count();
        assert_eq!((reasons, cut), (2, false), "{}: {facts:?}", bench.name);
        bench.ok(vec![reopened(1, one.since), reopened(1, one.since), reopened(2, two.since)]);
        assert_eq!(bench.groups(Some("p")), both, "{}", bench.name);
        let back = entry(1).unwrap();
        assert_eq!((back.since, back.row.state, back.deaths), (one.since, one.row.state, 0), "{}", bench.name);
        // Closed again, and audited by a run since: there is nothing to put back.
        bench.ok(vec![resolved(2)]);
        bench.ok(begun(2, "p", &[2]));
        bench.ok(vec![settled(2, 2, Slot::Waiting, audited()), closed(2), reopened(2, two.since)]);
        assert_eq!((entry(2), bench.groups(None)), (None, both[..1].to_vec()), "{}", bench.name);
        bench.refuses("an entry of a bill nobody found", vec![reopened(9, Ts(T0))]);
        bench.refuses("a reason for a bill nobody found", vec![resolved(9)]);
    }
}

#[test]
fn a_refusal_is_cured_where_the_bill_went_through_as_it_was_refused() {
    use skydeck::domain::cause::Cause;
    for bench in stores() {
        let cured = |cause: &str| block(bench.store.cured(&PlanId::new("p"), &Cause::new(cause))).unwrap();
        let goes = |n: u64, outcome: Outcome, changed: bool| {
            bench.ok(vec![opened(n, "p")]);
            let mut bill = found_bill(1);
            if changed {
                bill.rev.modified = skydeck::domain::time::ErpDate::parse("2025-11-05T08:00:00");
            }
            bench.ok(vec![Event::BillsFound { run: run_id(n), bills: vec![bill] }, collected(n), approved(n)]);
            let seqs = bench.append(vec![settled(n, 1, Slot::Waiting, outcome), closed(n)]).unwrap();
            block(bench.store.facts_after(Seq(seqs[0].0 - 1), 1)).unwrap()[0].at
        };
        goes(1, failed("stock"), false);
        goes(2, Outcome::Already { by: None, on: None }, false);
        assert_eq!(cured("stock"), None, "{}: somebody else did it", bench.name);
        goes(3, failed("stock"), false);
        goes(4, audited(), true);
        assert_eq!(cured("stock"), None, "{}: the bill was changed", bench.name);
        goes(5, unknown(UnknownWhy::Broken), false);
        goes(6, audited(), false);
        goes(7, failed("stock"), false);
        let at = goes(8, audited(), false);
        assert_eq!((cured("stock"), cured("period")), (Some(at), None), "{}", bench.name);
    }
}

#[test]
fn a_batch_is_taken_only_where_nothing_was_added_to_what_is_known_of_its_records() {
    for b in stores() {
        b.ok(begun(1, "p", &[1, 2]));
        let newest = |fid: u64| block(b.store.newest_of(&key(fid).record)).unwrap();
        let (one, two) = (newest(1), newest(2));
        assert_eq!((one, two, newest(9)), (Seq(2), Seq(2), Seq(0)), "{}", b.name);
        b.ok(vec![tried(1, 1, Step::Audit, 1)]);
        let known = vec![(key(1).record, one), (key(2).record, two), (key(9).record, Seq(0))];
        let intents = vec![tried(1, 2, Step::Audit, 1), tried(1, 1, Step::Audit, 2)];
        let moved = |batch: Batch| match block(b.store.append(batch)) {
            Err(AppendError::Moved(records)) => records,
            other => panic!("{}: {other:?}", b.name),
        };
        let refused = moved(Batch::new(intents).if_unmoved(known));
        assert_eq!(refused, [key(1).record], "{}: what went on is named, and nothing else", b.name);
        assert_eq!((block(b.store.last_seq()).unwrap(), newest(2)), (Seq(5), two), "{}: nothing is stored", b.name);
        // What rests on it is left out, and the rest goes.
        let rest = Batch::new(vec![tried(1, 2, Step::Audit, 1)]).if_unmoved(vec![(key(2).record, two)]);
        assert_eq!(block(b.store.append(rest.clone())).unwrap().facts[0].seq, Seq(6));
        // A fact of another run about it, and a person's, are facts about it.
        b.ok(begun(2, "q", &[2]));
        let at = newest(2);
        assert_eq!(at, Seq(8));
        b.ok(vec![settled(1, 2, Slot::Waiting, unknown(UnknownWhy::TimedOut))]);
        assert_eq!(moved(Batch::new(vec![tried(2, 2, Step::Audit, 1)]).if_unmoved(vec![(key(2).record, at)])).len(), 1);
        let at = newest(2);
        b.ok(vec![resolved(2)]);
        assert_eq!(moved(Batch::new(vec![tried(2, 2, Step::Audit, 1)]).if_unmoved(vec![(key(2).record, at)])).len(), 1);
        // Another operation's run says something about the record, too.
        let at = newest(2);
        b.ok(vec![executing(3, "c", "BillClose"), found(3, &[2])]);
        assert_eq!(moved(Batch::new(vec![tried(2, 2, Step::Audit, 1)]).if_unmoved(vec![(key(2).record, at)])).len(), 1);
    }
}

#[test]
fn the_same_batch_twice_is_stored_once() {
    for b in stores() {
        b.ok(begun(1, "p", &[1]));
        let batch = Batch::new(vec![tried(1, 1, Step::Audit, 1), action("pause")]);
        let first = block(b.store.append(batch.clone())).unwrap().facts;
        b.ok(vec![action("resume")]);
        let again = block(b.store.append(batch.clone())).unwrap().facts;
        assert_eq!(
            (first[..].to_vec(), block(b.store.last_seq()).unwrap()),
            (again[..].to_vec(), Seq(7)),
            "{}",
            b.name
        );
        // Its condition held when it was stored; that it holds no more changes nothing.
        let batch = batch.if_unmoved(vec![(key(1).record, Seq(0))]);
        assert_eq!(block(b.store.append(batch)).unwrap().facts.len(), 2, "{}", b.name);
        // The same events under another name are others.
        let other = Batch::new(vec![action("pause")]);
        assert_eq!(block(b.store.append(other)).unwrap().facts[0].seq, Seq(8), "{}", b.name);
        // One that was refused was not stored: it may come again.
        let refused = Batch::new(vec![settled(1, 1, Slot::Failed, audited())]);
        for _ in 0..2 {
            assert!(matches!(block(b.store.append(refused.clone())), Err(AppendError::Contradiction(_))), "{}", b.name);
        }
    }
}

#[test]
fn a_condition_sees_what_is_stored_before_it_in_the_same_flush() {
    for b in stores() {
        b.ok(begun(1, "p", &[1]));
        let intent =
            |attempt| Batch::new(vec![tried(1, 1, Step::Audit, attempt)]).if_unmoved(vec![(key(1).record, Seq(2))]);
        let both =
            block(async { futures_util::future::join(b.store.append(intent(1)), b.store.append(intent(2))).await });
        let stored = [&both.0, &both.1].into_iter().filter(|answer| answer.is_ok()).count();
        assert_eq!(stored, 1, "{}: {both:?}", b.name);
        assert_eq!(block(b.store.last_seq()).unwrap(), Seq(5), "{}", b.name);
    }
}
