//! Retention: what is old goes, what is unresolved stays, every sum stays what it was, and a crash changes nothing.
use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use crate::store_kit::*;
use skydeck::domain::action_log::{LogFault, LogPlace};
use skydeck::domain::bill::{Slot, UnknownWhy};
use skydeck::domain::event::Event;
use skydeck::domain::filter::Filter;
use skydeck::domain::handed_in::HandedIn;
use skydeck::domain::ids::{PlanId, Seq};
use skydeck::domain::query::{PageRequest, Retention, Scope};
use skydeck::domain::run::{Mark, RunRow};
use skydeck::domain::time::{Clock, ErpDate, Ts};
use skydeck::store::account::{self, Head};
use skydeck::store::local::LocalStore;
use skydeck::store::prune::{Order, Pruned, prune};
use skydeck::store::{Reads, Store, doctor};

const DAY: i64 = 86_400_000;

fn open(dir: &Path, at: i64) -> LocalStore {
    LocalStore::open(dir, TestClock::at(at), "op", &|_| {}).unwrap()
}

/// Closes it and lets go of its index.
fn close(store: LocalStore) {
    store.close().unwrap();
    drop(store);
}

fn rule(days: u64) -> Retention {
    let span = Some(Duration::from_secs(days * 86_400));
    Retention { audited: span, already: span, skipped: span, failed: span, unknown: span, bodies: None }
}

fn pruned(dir: &Path, at: i64, rule: Retention, act: bool) -> Pruned {
    let clock: Arc<dyn Clock> = TestClock::at(at);
    let by = who();
    let order = Order { data: dir, rule, by: &by, act };
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    runtime.block_on(prune(&order, &clock, &|_| {})).unwrap()
}

fn runs(store: &LocalStore) -> Vec<RunRow> {
    let page = block(store.runs(None, &PageRequest::first(1000))).unwrap();
    page.rows.into_iter().map(|(_, row)| row).collect()
}

/// Every row of every run: (run, FID) → (column, last change).
fn rows(store: &LocalStore) -> BTreeMap<(usize, String), (Slot, i64)> {
    let mut all = BTreeMap::new();
    let mut opened = runs(store);
    opened.reverse();
    for (i, run) in opened.iter().enumerate() {
        let filter = Filter::default();
        for (_, row) in
            block(store.bills(Scope::Run(run.head.id).asked(&filter, &PageRequest::first(1000), Ts(0)))).unwrap().rows
        {
            all.insert((i, row.fid().to_string()), (row.state.slot(), row.at.0));
        }
    }
    all
}

/// Bills of the history that a filter lets pass: run and FID.
fn listed(store: &LocalStore, filter: &str) -> Vec<(String, String)> {
    let filter = Filter::parse(filter).unwrap();
    let page = block(store.bills(Scope::History.asked(&filter, &PageRequest::first(1000), Ts(0)))).unwrap();
    page.rows.iter().map(|(_, row)| (row.run.to_string(), row.fid().to_string())).collect()
}

/// A random history: `n` runs a day apart over few bills, every kind of end, some resolved by hand; the last run is open.
fn fill(dir: &Path, random: &mut fastrand::Rng, n: u64) {
    for run in 1..=n {
        let store = open(dir, T0 + run as i64 * DAY);
        let append = |events: Vec<Event>| block(store.append(events.into())).unwrap();
        append(vec![action("start"), opened(run, if run % 2 == 0 { "even" } else { "odd" })]);
        let fids: Vec<u64> = (1..=8).filter(|_| random.bool()).collect();
        append(vec![found(run, &fids), collected(run)]);
        append(vec![approved(run), mark_moved(run, "odd", &format!("2025-11-{:02}", run % 28 + 1))]);
        for fid in fids {
            let outcome = match random.u8(..6) {
                0 => skipped(skydeck::domain::bill::Skip::Draft),
                1 => failed("stock"),
                2 => unknown(UnknownWhy::TimedOut),
                _ => audited(),
            };
            append(vec![
                tried(run, fid, skydeck::domain::step::Step::Audit, 1),
                settled(run, fid, Slot::Waiting, outcome),
            ]);
            if random.u8(..8) == 0 {
                append(vec![resolved(fid)]);
            }
        }
        if run < n {
            append(vec![closed(run)]);
        }
        close(store);
    }
}

/// What must go, worked out from the rows alone: of each bill that is not unresolved, its rows of closed runs from the
/// oldest on, as long as each is older than the rule keeps it.
fn oracle(store: &LocalStore, rule: &Retention, now: i64) -> Vec<(usize, String)> {
    let mut opened = runs(store);
    opened.reverse();
    let mut by_bill: BTreeMap<String, Vec<(usize, Slot, i64)>> = BTreeMap::new();
    for ((run, fid), (slot, at)) in rows(store) {
        by_bill.entry(fid).or_default().push((run, slot, at));
    }
    let mut gone = Vec::new();
    for (fid, rows) in by_bill {
        if block(store.ledger_entry(&key(fid.parse().unwrap()))).unwrap().is_some() {
            continue;
        }
        let old = |(run, slot, at): &&(usize, Slot, i64)| {
            let kept = rule.of(*slot).map(|d| d.as_millis() as i64);
            opened[*run].state.is_closed() && kept.is_some_and(|kept| now - at > kept)
        };
        gone.extend(rows.iter().take_while(old).map(|(run, ..)| (*run, fid.clone())));
    }
    gone.sort();
    gone
}

#[test]
fn what_goes_is_what_the_rule_says_and_nothing_that_matters_changes() {
    let mut forgotten = 0;
    for seed in 0..40 {
        let mut random = fastrand::Rng::with_seed(seed);
        let temp = tempfile::tempdir().unwrap();
        let dir = temp.path().join("data");
        let n = random.u64(2..14);
        fill(&dir, &mut random, n);
        let now = T0 + (n as i64 + random.i64(0..6)) * DAY;
        let mut rule = rule(random.u64(1..8));
        if random.bool() {
            rule.failed = None;
        }
        if random.bool() {
            rule.audited = Some(Duration::from_secs(random.u64(1..10) * 86_400));
        }
        let store = open(&dir, now);
        let (before, sums, gone) = (rows(&store), runs(&store), oracle(&store, &rule, now));
        let ledger = |store: &LocalStore| {
            let page = block(store.bills(Scope::Ledger.asked(&Filter::default(), &PageRequest::first(1000), Ts(now))))
                .unwrap();
            format!("{:?} {:?}", page.rows, block(store.ledger_groups(None)).unwrap())
        };
        let (unresolved, open_runs) = (ledger(&store), block(store.open_runs()).unwrap());
        close(store);

        let counted = pruned(&dir, now, rule, false);
        assert_eq!(counted.gone.found as usize, gone.len(), "seed {seed}");
        let did = pruned(&dir, now, rule, true);
        assert_eq!(did.gone, counted.gone, "seed {seed}: said and done are the same");
        let store = open(&dir, now);
        let kept: BTreeMap<_, _> =
            before.iter().filter(|(at, _)| !gone.contains(at)).map(|(at, row)| (at.clone(), *row)).collect();
        assert_eq!(rows(&store), kept, "seed {seed}");
        assert_eq!(ledger(&store), unresolved, "seed {seed}");
        assert_eq!(block(store.open_runs()).unwrap(), open_runs, "seed {seed}");
        for (old, new) in sums.iter().zip(runs(&store)) {
            assert_eq!((&old.tally, &old.state), (&new.tally, &new.state), "seed {seed}");
            assert!(new.tally.closes());
        }
        let told: u64 = runs(&store).iter().map(|run| run.pruned).sum();
        assert_eq!(told as usize, gone.len(), "seed {seed}: the runs say what they no longer hold");
        // A bill that was found again later is told of from what is kept.
        for fid in 1..=8 {
            let (facts, _) = block(store.facts_of(&key(fid), 1000)).unwrap();
            let any = kept.keys().any(|(_, f)| *f == fid.to_string());
            assert_eq!(facts.is_empty(), !any, "seed {seed}, bill {fid}");
            assert_eq!(block(store.bill(&key(fid))).unwrap().is_some(), any);
        }
        // The stretch in which the bills of a run are looked for holds all that is kept of it.
        let every = listed(&store, "");
        for run in runs(&store) {
            let id = run.head.id.to_string();
            let of_run: Vec<_> = every.iter().filter(|(run, _)| *run == id).cloned().collect();
            assert_eq!(listed(&store, &format!("run:{id}")), of_run, "seed {seed}");
        }
        close(store);
        let report = doctor::check(&dir, &*TestClock::at(now), &|_| {}).unwrap();
        assert!(report.is_sound(), "seed {seed}: {report:?}");
        assert_eq!(pruned(&dir, now, rule, true).gone.found, 0, "seed {seed}: twice forgets nothing more");
        // And again later, over runs that were pruned before.
        let later = pruned(&dir, now + 30 * DAY, rule, true);
        let store = open(&dir, now + 30 * DAY);
        for (old, new) in sums.iter().zip(runs(&store)) {
            assert_eq!(&old.tally, &new.tally, "seed {seed}, later");
        }
        let told: u64 = runs(&store).iter().map(|run| run.pruned).sum();
        assert_eq!(told, did.gone.found + later.gone.found, "seed {seed}, later");
        assert_eq!(ledger(&store), unresolved, "seed {seed}, later");
        forgotten += gone.len();
    }
    assert!(forgotten > 200, "only {forgotten} rows were ever forgotten");
}

#[test]
fn a_held_directory_is_refused_and_files_beside_the_store_are_taken_over() {
    let temp = tempfile::tempdir().unwrap();
    let dir = temp.path().join("data");
    fill(&dir, &mut fastrand::Rng::with_seed(7), 6);
    let now = T0 + 100 * DAY;
    std::fs::write(dir.join("filters.json"), "{}").unwrap();
    let holder = open(&dir, now);
    let before = everything(&holder);
    let clock: Arc<dyn Clock> = TestClock::at(now);
    let by = who();
    let order = Order { data: &dir, rule: rule(1), by: &by, act: true };
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let error = runtime.block_on(prune(&order, &clock, &|_| {})).unwrap_err();
    assert!(error.to_string().contains("is held by process"), "{error}");
    assert_eq!(everything(&holder), before);
    close(holder);
    let did = pruned(&dir, now, rule(1), true);
    assert!(did.gone.found > 0);
    assert_eq!(std::fs::read_to_string(dir.join("filters.json")).unwrap(), "{}");
    let log = std::fs::read_to_string(dir.join("actions.log")).unwrap();
    assert!(log.contains("\"action\":\"prune\"") && log.contains(&format!("\"n\":{}", did.gone.found)), "{log}");
    let names: Vec<_> = std::fs::read_dir(temp.path()).unwrap().map(|e| e.unwrap().file_name()).collect();
    assert_eq!(names, ["data"], "nothing is left beside it");
}

#[test]
fn every_fact_keeps_its_place_and_the_journal_says_what_was_forgotten() {
    let temp = tempfile::tempdir().unwrap();
    let dir = temp.path().join("data");
    fill(&dir, &mut fastrand::Rng::with_seed(11), 9);
    let now = T0 + 100 * DAY;
    let store = open(&dir, now);
    let (before, (last, chain)) = (block(store.facts_after(Seq(0), 100_000)).unwrap(), store.head());
    close(store);
    let did = pruned(&dir, now, rule(2), true);
    let store = open(&dir, now);
    let after = block(store.facts_after(Seq(0), 100_000)).unwrap();
    let head_now = store.head();
    close(store);
    let mut holes = 0;
    for (then, now) in before.iter().zip(&after) {
        assert_eq!((then.seq, then.at), (now.seq, now.at));
        match (&then.event, &now.event) {
            (_, Event::Forgotten) => holes += 1,
            (Event::BillsFound { bills: then, .. }, Event::BillsFound { bills: now, .. }) => {
                assert!(now.iter().all(|bill| then.contains(bill)));
            }
            (then, now) => assert_eq!(then, now),
        }
    }
    assert!(holes > 10, "{holes}");
    let Event::Pruned(mark) = &after[before.len()].event else { panic!("{:?}", after[before.len()]) };
    assert_eq!((mark.old_last, &mark.old_head, &mark.by), (last, &chain, &who()));
    assert_eq!(did.facts, (before.len() as u64, after.len() as u64 - holes));

    // A head that was kept is understood, whether it was kept before the prune, at it, or after it.
    let kept = |fact: Seq, chain: &str| Head { line: LogPlace::default(), fact, chain: chain.to_owned() };
    let asked = |head: &Head| {
        let found = account::of_directory(&dir, Some(head)).unwrap();
        (found.account.faults, found.pruned.map(|pruned| pruned.old_last))
    };
    assert_eq!(asked(&kept(last, &chain)), (vec![], None));
    assert_eq!(asked(&kept(Seq(3), "00")), (vec![], Some(last)), "of before: that is said");
    assert_eq!(asked(&kept(last, "00")).0, [LogFault::JournalReplaced { head: last }]);
    assert_eq!(asked(&kept(head_now.0, &head_now.1)), (vec![], None));
    assert_eq!(asked(&kept(head_now.0, &chain)).0, [LogFault::JournalReplaced { head: head_now.0 }]);
    let ahead = Seq(head_now.0.0 + 1);
    assert_eq!(asked(&kept(ahead, "00")).0, [LogFault::JournalCut { last: head_now.0, head: ahead }]);
    // Twice over: the first one's places stay as well.
    pruned(&dir, now + 30 * DAY, rule(2), true);
    let store = open(&dir, now);
    assert_eq!(block(store.facts_after(Seq(0), 1)).unwrap()[0].seq, Seq(1));
    close(store);
    assert_eq!(asked(&kept(head_now.0, &head_now.1)), (vec![], None), "the head of between");
    assert!(doctor::check(&dir, &*TestClock::at(now), &|_| {}).unwrap().is_sound());
}

#[test]
fn what_was_handed_in_goes_by_the_rule_of_bodies_once_it_was_taken_up_and_dealt_with() {
    let dir = tempfile::tempdir().unwrap();
    let data = dir.path().join("data");
    let handed = |n: u64, body: &str| {
        let record = HandedIn::new(PlanId::new("p"), key(n).record, body.to_owned());
        Event::HandedIn(Box::new(record))
    };
    let store = open(&data, T0);
    let append = |events: Vec<Event>| block(store.append(events.into())).unwrap().facts.last().unwrap().seq;
    append(vec![handed(1, "{\"a\":1}"), handed(2, "{}"), handed(4, "{\"old\":1}")]);
    let upto = append(vec![handed(1, "{\"a\":2}")]);
    append(vec![opened(1, "p"), found(1, &[1, 2]), collected(1)]);
    let seen = ErpDate::parse("2025-11-01").unwrap();
    let to = Mark { seen, run: run_id(1), swept: None, clock: None, upto: Some(upto) };
    append(vec![approved(1), Event::MarkMoved { plan: PlanId::new("p"), env: key(1).record.env, to }]);
    for (n, outcome) in [(1, audited()), (2, failed("stock"))] {
        append(vec![tried(1, n, skydeck::domain::step::Step::Audit, 1), settled(1, n, Slot::Waiting, outcome)]);
    }
    append(vec![closed(1), handed(3, "{}"), handed(4, "{\"new\":1}")]);
    close(store);
    let rule = |bodies| Retention { bodies, ..rule(100_000) };
    let left = |store: &LocalStore| {
        let facts = block(store.facts_after(Seq(0), 999)).unwrap();
        let bodies = facts.into_iter().filter_map(|fact| match fact.event {
            Event::HandedIn(record) => Some((record.key.fid.to_string(), record.body)),
            _ => None,
        });
        bodies.collect::<Vec<_>>()
    };
    pruned(&data, T0 + 100 * DAY, rule(None), true);
    let month = Some(Duration::from_secs(30 * 86_400));
    pruned(&data, T0 + 20 * DAY, rule(month), true);
    let store = open(&data, T0 + 100 * DAY);
    assert_eq!(left(&store).len(), 6, "no rule, and too young for one");
    close(store);
    pruned(&data, T0 + 100 * DAY, rule(month), true);
    let store = open(&data, T0 + 100 * DAY);
    // 1 was dealt with; 2 is unresolved; 3 waits to be taken up; of 4 only the newer body counts.
    let kept = [("2", "{}"), ("3", "{}"), ("4", "{\"new\":1}")].map(|(id, body)| (id.to_owned(), body.to_owned()));
    assert_eq!(left(&store), kept);
    let of = skydeck::store::HandedIn { plan: PlanId::new("p"), env: key(1).record.env, form: key(1).record.form };
    assert_eq!(block(store.handed_in(&of, upto, 9)).unwrap().len(), 2);
    close(store);
}
