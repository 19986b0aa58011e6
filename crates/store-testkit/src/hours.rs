//! What hours promise: they are what counting the facts one by one gives, whatever batches they came in, also after the store was
//! opened again, and after the hours were made anew.

use std::collections::{BTreeMap, BTreeSet};

use fastrand::Rng;
use skydeck_core::domain::bill::{Outcome, Skip, Slot, UnknownWhy};
use skydeck_core::domain::event::{Event, Fact};
use skydeck_core::domain::hours::{Counts, HOUR, Told};
use skydeck_core::domain::ids::{Fid, PlanId, PlanRev, RunId, Seq, WorkKey};
use skydeck_core::domain::run::{RunHead, RunKind};
use skydeck_core::domain::step::{Step, Verdict};
use skydeck_core::domain::time::Ts;
use skydeck_store::{Batch, HOURS_AT_ONCE, Store};

use crate::facts::{
    T0, action, answered, approved, audited, begun, closed, collected, deferred, failed, found, head, key, plan,
    reopened, resolved, settled, tried, unknown,
};
use crate::{Again, Bench, block};

/// Plan, beginning of the hour, kind of run.
type Row = (String, i64, &'static str);

/// What is counted of a row: runs, bills found, calls, answers, their milliseconds; then the outcomes that were told, and those
/// that hold no more, by column.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Sums {
    numbers: [u64; 5],
    told: BTreeMap<(Slot, String), u64>,
    withdrawn: BTreeMap<Slot, u64>,
    /// What came into the ledger and what left it, by column and group; how many of both only changed their cause.
    entered: BTreeMap<(Slot, String), u64>,
    left: BTreeMap<(Slot, String), u64>,
    regrouped: u64,
}

fn word(kind: RunKind) -> &'static str {
    match kind {
        RunKind::Fresh => "fresh",
        RunKind::Retry => "retry",
        RunKind::Verify => "verify",
    }
}

/// The hours as the store tells them, of all plans that have runs.
pub fn told(store: &dyn Store) -> BTreeMap<Row, Sums> {
    let facts = block(store.facts_after(Seq(0), usize::MAX)).unwrap();
    let plan = |fact: &Fact| if let Event::RunOpened(head) = &fact.event { Some(head.plan.to_string()) } else { None };
    let plans: BTreeSet<String> = facts.iter().filter_map(plan).collect();
    let mut rows = BTreeMap::new();
    for plan in plans {
        for hour in block(store.hourly(&PlanId::new(&plan), Ts(i64::MIN)..Ts(i64::MAX))).unwrap() {
            rows.insert((plan.clone(), hour.begins.0, word(hour.kind)), of(&hour.counts));
        }
    }
    rows
}

fn of(counts: &Counts) -> Sums {
    let told = counts.told.iter().map(|told| ((told.slot, told.group.clone()), told.bills)).collect();
    let withdrawn = counts.withdrawn.iter().map(|told| (told.slot, told.bills)).collect();
    let numbers = [counts.runs, counts.found, counts.calls, counts.answers, counts.call_ms];
    let by_group = |list: &[Told]| list.iter().map(|told| ((told.slot, told.group.clone()), told.bills)).collect();
    let (entered, left) = (by_group(&counts.entered), by_group(&counts.left));
    Sums { numbers, told, withdrawn, entered, left, regrouped: counts.regrouped }
}

/// The hours of universal time, counted from the store's facts one by one.
pub fn counted(store: &dyn Store) -> BTreeMap<Row, Sums> {
    count(&block(store.facts_after(Seq(0), usize::MAX)).unwrap(), 0)
}

/// Hours that begin so many milliseconds after those of universal time.
fn count(facts: &[Fact], off: i64) -> BTreeMap<Row, Sums> {
    let mut heads: BTreeMap<RunId, RunHead> = BTreeMap::new();
    let mut rows: BTreeMap<Row, Sums> = BTreeMap::new();
    let mut ledger = Ledger::default();
    let hour_of = |at: Ts| (at.0 - off).div_euclid(HOUR) * HOUR + off;
    for fact in facts {
        let (was, is) = ledger.follow(&fact.event, &heads);
        let at = |entry: &Entry| (heads[&entry.run].plan.to_string(), hour_of(fact.at), word(heads[&entry.run].kind));
        let same_plan = was.as_ref().zip(is.as_ref()).is_some_and(|(a, b)| at(a).0 == at(b).0);
        let unmoved = same_plan && was.as_ref().map(Entry::group) == is.as_ref().map(Entry::group);
        if let Some(entry) = was.as_ref().filter(|_| !unmoved) {
            let row = rows.entry(at(entry)).or_default();
            *row.left.entry(entry.group()).or_default() += 1;
            row.regrouped += u64::from(same_plan);
        }
        if let Some(entry) = is.as_ref().filter(|_| !unmoved) {
            let row = rows.entry(at(entry)).or_default();
            *row.entered.entry(entry.group()).or_default() += 1;
            row.regrouped += u64::from(same_plan);
        }
        if let Event::RunOpened(head) = &fact.event {
            heads.insert(head.id, (**head).clone());
        }
        let Some(head) = fact.event.run().and_then(|run| heads.get(&run)) else { continue };
        // Of bills that are kept no longer nothing is known but their sum: they stand where their run began.
        let at = if matches!(fact.event, Event::RunPruned { .. }) { head.opened } else { fact.at };
        let hour = (at.0 - off).div_euclid(HOUR) * HOUR + off;
        let mut sums = Sums::default();
        count_one(&fact.event, &mut sums);
        if sums != Sums::default() {
            let row = rows.entry((head.plan.to_string(), hour, word(head.kind))).or_default();
            row.numbers.iter_mut().zip(sums.numbers).for_each(|(all, n)| *all += n);
            sums.told.into_iter().for_each(|(of, n)| *row.told.entry(of).or_default() += n);
            sums.withdrawn.into_iter().for_each(|(of, n)| *row.withdrawn.entry(of).or_default() += n);
        }
    }
    rows
}

/// An entry of the ledger.
#[derive(Clone)]
struct Entry {
    run: RunId,
    outcome: Outcome,
    waits_again: bool,
}

impl Entry {
    fn group(&self) -> (Slot, String) {
        (self.outcome.slot(), self.outcome.group().unwrap_or_default())
    }
}

/// The ledger as its rules say, bill by bill; the run of each bill's family and number.
#[derive(Default)]
struct Ledger {
    approved: BTreeSet<RunId>,
    open: BTreeMap<String, Entry>,
    closed: BTreeMap<String, Entry>,
}

impl Ledger {
    /// Follows a fact; gives the entry that was there and the one that is, where it changed anything.
    fn follow(&mut self, event: &Event, heads: &BTreeMap<RunId, RunHead>) -> (Option<Entry>, Option<Entry>) {
        let name = |run: &RunId, fid: &Fid| {
            let head = &heads[run];
            format!("{}/{}/{}/{fid}", head.env, head.form, head.op)
        };
        match event {
            Event::RunOpened(head) if head.kind == RunKind::Verify => drop(self.approved.insert(head.id)),
            Event::RunApproved { run, .. } => drop(self.approved.insert(*run)),
            Event::BillDeferred { run, fid, was: Slot::Unknown, .. } => {
                self.open.entry(name(run, fid)).and_modify(|entry| entry.waits_again = true);
            }
            Event::BillSettled { run, fid, outcome, .. } if self.approved.contains(run) => {
                let name = name(run, fid);
                let was = self.open.get(&name).cloned();
                if was.as_ref().is_some_and(|was| stays(was, outcome)) {
                    return (None, None);
                }
                self.closed.remove(&name);
                self.open.remove(&name);
                let is = Entry { run: *run, outcome: outcome.clone(), waits_again: false };
                let is = Some(is).filter(|_| !outcome.is_resolved());
                self.open.extend(is.clone().map(|is| (name, is)));
                return (was, is);
            }
            Event::LedgerResolved { key, .. } => {
                let name = name_of(key);
                let was = self.open.remove(&name);
                self.closed.extend(was.clone().map(|was| (name, was)));
                return (was, None);
            }
            Event::LedgerReopened { key, .. } => {
                let name = name_of(key);
                let is = self.closed.remove(&name);
                self.open.extend(is.clone().map(|is| (name, is)));
                return (None, is);
            }
            _ => {}
        }
        (None, None)
    }
}

fn name_of(key: &WorkKey) -> String {
    format!("{}/{}/{}/{}", key.record.env, key.record.form, key.op, key.record.fid)
}

/// Whether an outcome tells nothing that the entry does not say better.
fn stays(was: &Entry, outcome: &Outcome) -> bool {
    use Skip::{Excluded, Held, Missing, NotReached, Outside, Quarantined, UnknownElsewhere};
    let unknown = matches!(was.outcome, Outcome::Unknown(_)) && !was.waits_again;
    let knows = match outcome {
        Outcome::Skipped(NotReached | Missing | UnknownElsewhere | Held(_) | Outside | Excluded | Quarantined) => false,
        Outcome::Done { .. } | Outcome::Already { .. } | Outcome::Unknown(_) | Outcome::Skipped(_) => true,
        Outcome::Failed(failure) => !["not_connected", "session", "credentials"].contains(&failure.cause.as_str()),
    };
    let not_reached = matches!(outcome, Outcome::Skipped(Skip::NotReached));
    (unknown && !knows) || (not_reached && matches!(was.outcome, Outcome::Failed(_)))
}

fn count_one(event: &Event, sums: &mut Sums) {
    match event {
        Event::RunOpened(_) => sums.numbers[0] = 1,
        Event::BillsFound { bills, .. } => sums.numbers[1] = bills.len() as u64,
        Event::StepTried { step, .. } if step.writes() => sums.numbers[2] = 1,
        Event::StepAnswered { step, ms, .. } if step.writes() => {
            (sums.numbers[3], sums.numbers[4]) = (1, u64::from(*ms));
        }
        Event::BillDeferred { was: Slot::Unknown, .. } => drop(sums.withdrawn.insert(Slot::Unknown, 1)),
        Event::BillSettled { was, outcome, .. } if *was != outcome.slot() => {
            if *was != Slot::Waiting {
                sums.withdrawn.insert(*was, 1);
            }
            sums.told.insert((outcome.slot(), outcome.group().unwrap_or_default()), 1);
        }
        Event::RunPruned { gone, .. } => {
            sums.numbers[1] = gone.found;
            let left = Slot::ALL.into_iter().filter(|slot| *slot != Slot::Waiting && gone.get(*slot) > 0);
            sums.told.extend(left.map(|slot| ((slot, String::new()), gone.get(slot))));
        }
        _ => {}
    }
}

fn same(bench: &Bench, when: &str) {
    assert_eq!(told(&*bench.store), counted(&*bench.store), "{}: {when}", bench.name);
}

/// A bill of a run until it has an outcome, over some hours.
fn work(bench: &Bench, rng: &mut Rng, n: u64, fid: u64) {
    let later = |rng: &mut Rng| bench.clock.go_on(rng.i64(0..HOUR / 6));
    bench.ok(vec![tried(n, fid, Step::Audit, 1)]);
    later(rng);
    match rng.u8(0..6) {
        0 => bench.ok(vec![settled(n, fid, Slot::Waiting, failed(["stock", "lock", "period"][rng.usize(0..3)]))]),
        1 => {
            bench.ok(vec![settled(n, fid, Slot::Waiting, unknown(UnknownWhy::TimedOut))]);
            later(rng);
            bench.ok(vec![settled(n, fid, Slot::Unknown, unknown(UnknownWhy::Broken))]);
            later(rng);
            bench.ok(vec![deferred(n, fid, Slot::Unknown), tried(n, fid, Step::Audit, 2)]);
            bench.ok(vec![settled(n, fid, Slot::Waiting, audited())]);
        }
        2 => {
            bench.ok(vec![settled(n, fid, Slot::Waiting, audited())]);
            bench.ok(vec![settled(n, fid, Slot::Done, unknown(UnknownWhy::Contradicted))]);
        }
        3 => bench.ok(vec![deferred(n, fid, Slot::Waiting), settled(n, fid, Slot::Waiting, audited())]),
        _ => bench.ok(vec![
            answered(n, fid, Step::Audit, Verdict::Done),
            settled(n, fid, Slot::Waiting, Outcome::Done { verified: false }),
        ]),
    }
}

pub(super) fn hours_are_what_counting_the_facts_gives_also_after_they_were_made_anew(bench: Bench) {
    let mut rng = Rng::with_seed(7);
    for n in 1..=24_u64 {
        let plan = format!("p{}", n % 3);
        let kind = [RunKind::Fresh, RunKind::Retry, RunKind::Verify][rng.usize(0..3)];
        let fids: Vec<u64> = (0..rng.u64(1..9)).map(|i| n % 4 * 10 + i).collect();
        bench.ok(vec![Event::RunOpened(Box::new(RunHead { opened: Ts(bench.clock.seen()), ..head(n, &plan, kind) }))]);
        bench.ok(vec![found(n, &fids), collected(n), approved(n), action("start")]);
        for fid in fids {
            work(&bench, &mut rng, n, fid);
            match rng.u8(0..8) {
                0 => bench.ok(vec![resolved(fid)]),
                1 => bench.ok(vec![resolved(fid), reopened(fid, bench.clock.seen())]),
                _ => {}
            }
        }
        if rng.bool() {
            bench.ok(vec![closed(n)]);
        }
    }
    let rows = told(&*bench.store);
    assert!(rows.len() > 12 && rows.values().any(|sums| sums.withdrawn.contains_key(&Slot::Done)), "{rows:?}");
    let any = |is: &dyn Fn(&Sums) -> bool| assert!(rows.values().any(is), "{rows:?}");
    any(&|sums| sums.regrouped > 0);
    any(&|sums| sums.entered.values().sum::<u64>() > sums.regrouped);
    any(&|sums| sums.left.values().sum::<u64>() > sums.regrouped);
    same(&bench, "as they were counted");
    let Some(bench) = bench.again(Again::AsItWas) else { return };
    same(&bench, "opened again");
    bench.ok(begun(90, "p1", &[901, 902]));
    same(&bench, "and gone on");
    let Some(bench) = bench.again(Again::FromFacts) else { return };
    same(&bench, "made anew");
    bench.ok(vec![settled(90, 901, Slot::Waiting, audited())]);
    same(&bench, "made anew, and gone on");
}

pub(super) fn what_was_refused_or_came_twice_counts_in_no_hour(bench: &Bench) {
    bench.ok(begun(1, "p", &[1, 2]));
    let before = told(&*bench.store);
    bench.refuses(
        "a second outcome",
        vec![settled(1, 1, Slot::Waiting, audited()), settled(1, 1, Slot::Waiting, audited())],
    );
    bench.refuses("a run that opens twice", vec![Event::RunOpened(Box::new(head(2, "q", RunKind::Fresh))), closed(1)]);
    assert_eq!(told(&*bench.store), before, "{}", bench.name);
    let batch = Batch::new(vec![tried(1, 1, Step::Audit, 1)]);
    let moved = Batch::new(vec![tried(1, 2, Step::Audit, 1)]).if_unmoved(vec![(key(2).record, Seq(0))]);
    for _ in 0..2 {
        block(bench.store.append(batch.clone())).unwrap();
        block(bench.store.append(moved.clone())).unwrap_err();
    }
    let calls: u64 = told(&*bench.store).values().map(|sums| sums.numbers[2]).sum();
    assert_eq!(calls, 1, "{}", bench.name);
    // The run of a refused opening belongs to another plan when it opens in earnest.
    bench.ok(vec![Event::RunOpened(Box::new(head(2, "r", RunKind::Retry))), found(2, &[5])]);
    same(bench, "after refusals");
}

pub(super) fn a_long_append_counts_like_many_short_ones(bench: &Bench) {
    let fids: Vec<u64> = (1..=900).collect();
    let mut events = vec![Event::RunOpened(Box::new(head(1, "p", RunKind::Fresh)))];
    events.extend(fids.chunks(100).map(|part| found(1, part)));
    events.extend([collected(1), approved(1)]);
    bench.ok(events);
    bench.ok(fids.iter().map(|fid| settled(1, *fid, Slot::Waiting, audited())).collect());
    bench.ok(vec![closed(1)]);
    same(bench, "long");
    let done: i64 = block(bench.store.hourly(&PlanId::new("p"), Ts(0)..Ts(i64::MAX)))
        .unwrap()
        .iter()
        .map(|hour| hour.counts.of(Slot::Done))
        .sum();
    assert_eq!(done, 900, "{}", bench.name);
}

pub(super) fn hours_begin_as_the_clocks_of_the_plans_zone_say(bench: &Bench) {
    let rev = PlanRev::new("a");
    // The first run of a revision brings the plan, a later one names it only.
    let first = RunHead {
        text: Some(Box::new(plan("p", "a", "Asia/Kolkata"))),
        rev: rev.clone(),
        ..head(1, "p", RunKind::Fresh)
    };
    bench.ok(vec![Event::RunOpened(Box::new(first)), closed(1)]);
    bench.clock.go_on(5 * HOUR + HOUR / 3);
    bench.ok(vec![Event::RunOpened(Box::new(RunHead { rev, ..head(2, "p", RunKind::Fresh) })), found(2, &[1, 2])]);
    let facts = block(bench.store.facts_after(Seq(0), usize::MAX)).unwrap();
    let rows = told(&*bench.store);
    assert_eq!(rows, count(&facts, HOUR / 2), "{}", bench.name);
    assert!(rows.len() == 2 && rows.keys().all(|(_, begins, _)| begins.rem_euclid(HOUR) == HOUR / 2), "{rows:?}");
}

pub(super) fn a_span_of_hours_is_answered_and_of_very_many_the_first(bench: &Bench) {
    bench.ok(begun(1, "p", &[1]));
    for n in 2..=5 {
        bench.clock.go_on(HOUR);
        bench.ok(begun(n, "p", &[n]));
    }
    let first = T0.div_euclid(HOUR) * HOUR;
    let span = |from: i64, to: i64| {
        let hours = block(bench.store.hourly(&PlanId::new("p"), Ts(from)..Ts(to))).unwrap();
        hours.iter().map(|hour| (hour.begins.0 - first) / HOUR).collect::<Vec<_>>()
    };
    assert_eq!(span(i64::MIN, i64::MAX), [0, 1, 2, 3, 4], "{}", bench.name);
    assert_eq!(span(first + HOUR, first + 3 * HOUR), [1, 2], "{}: the end is left out", bench.name);
    assert_eq!(span(first + 1, first + HOUR), [0_i64; 0], "{}", bench.name);
    assert_eq!(span(i64::MAX, i64::MIN), [0_i64; 0], "{}", bench.name);
    assert!(block(bench.store.hourly(&PlanId::new("none"), Ts(0)..Ts(i64::MAX))).unwrap().is_empty());
    const { assert!(HOURS_AT_ONCE >= 24 * 366, "a year of a plan is one answer") };
}
