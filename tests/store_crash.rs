//! Kill -9 in the middle of writing, again and again: nothing answered for is lost, nothing is half there.
//!
//! 10 kills by default; `SKYDECK_KILLS=200 cargo test --test store_crash` for the long loop.
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

use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use skydeck::domain::bill::Slot;
use skydeck::domain::event::Event;
use skydeck::domain::ids::{RunId, Seq};
use skydeck::domain::query::RunColumn;
use skydeck::domain::step::{Step, Verdict};
use skydeck::store::local::disk::RealDisk;
use skydeck::store::local::{LocalStore, Options};
use skydeck::store::{AppendError, Reads, Store, doctor};
use skydeck_store_testkit::hours;
use store_kit::*;

const CHILD: &str = "SKYDECK_CRASH_CHILD";
/// Bills of a run in this test.
const BILLS: u64 = 20;

fn open(dir: &Path) -> LocalStore {
    let options = Options { disk: Arc::new(RealDisk), rotate: 64 * 1024, ..Options::default() };
    LocalStore::open_with(dir, TestClock::new(), "crash", &|_| {}, options).unwrap()
}

/// The child: goes on for ever with runs of 20 bills, four bills at a time, telling each place it was answered for.
fn child(dir: &Path) {
    let store = Arc::new(open(dir));
    println!("open");
    let first = block(store.runs(None, &skydeck::domain::query::PageRequest::first(1))).unwrap().rows.len();
    let first = if first == 0 { 1 } else { 1 + store_runs(store.as_ref()) };
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).build().unwrap();
    let say = |seq: Seq| {
        let mut out = std::io::stdout().lock();
        writeln!(out, "ack {seq}").and_then(|()| out.flush()).unwrap();
    };
    for n in first.. {
        runtime.block_on(async {
            let fids: Vec<u64> = (1..=BILLS).map(|i| n * 7 + i).collect();
            say(store.append(begun(n, "p", &fids).into()).await.unwrap().facts.last().unwrap().seq);
            for part in fids.chunks(4) {
                let tasks = part.iter().copied().map(|fid| {
                    let store = Arc::clone(&store);
                    async move {
                        store.append(vec![tried(n, fid, Step::Audit, 1)].into()).await.unwrap();
                        let outcome = if fid % 3 == 0 { failed("stock") } else { audited() };
                        let events =
                            vec![answered(n, fid, Step::Audit, Verdict::Done), settled(n, fid, Slot::Waiting, outcome)];
                        store.append(events.into()).await.unwrap().facts.last().unwrap().seq
                    }
                });
                for seq in futures_util::future::join_all(tasks).await {
                    say(seq);
                }
            }
            say(store.append(vec![closed(n)].into()).await.unwrap().facts.last().unwrap().seq);
        });
    }
}

fn store_runs(store: &dyn Store) -> u64 {
    let page = block(store.runs(None, &skydeck::domain::query::PageRequest::first(1))).unwrap();
    let newest: RunId = page.rows[0].1.head.id;
    newest.0.timestamp_ms() - T0 as u64
}

#[test]
fn kill_9_loses_nothing_that_was_answered_for() {
    if let Ok(dir) = std::env::var(CHILD) {
        child(Path::new(&dir));
        return;
    }
    let kills: u32 = std::env::var("SKYDECK_KILLS").ok().and_then(|k| k.parse().ok()).unwrap_or(10);
    let temp = tempfile::tempdir().unwrap();
    let dir = temp.path().join("data");
    let mut random = fastrand::Rng::with_seed(11);
    let (mut acknowledged, mut killed_opening, mut slowest) = (0_u64, 0, Duration::ZERO);
    for kill in 0..kills {
        let mut process = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "kill_9_loses_nothing_that_was_answered_for", "--nocapture", "--test-threads=1"])
            .env(CHILD, &dir)
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(process.stdout.take().unwrap()).lines();
        // One in five is aimed at the opening, the others at a random answer.
        let at_opening = kill % 5 == 4;
        let after = random.u32(1..120);
        let mut answers = 0;
        if at_opening {
            let deadline = Instant::now() + Duration::from_millis(random.u64(1..40));
            while Instant::now() < deadline {
                std::thread::yield_now();
            }
            killed_opening += 1;
        } else {
            for line in lines.by_ref() {
                let line = line.unwrap();
                if let Some((_, seq)) = line.split_once("ack ") {
                    acknowledged = acknowledged.max(seq.trim().parse().unwrap());
                    answers += 1;
                }
                if answers >= after {
                    break;
                }
            }
            assert!(answers >= after, "kill {kill}: the child ended by itself");
        }
        process.kill().unwrap();
        process.wait().unwrap();
        for line in lines {
            if let Some((_, seq)) = line.unwrap_or_default().split_once("ack ")
                && let Ok(seq) = seq.trim().parse()
            {
                acknowledged = acknowledged.max(seq);
            }
        }
        let since = Instant::now();
        let store = open(&dir);
        slowest = slowest.max(since.elapsed());
        assert!(
            block(store.last_seq()).unwrap().0 >= acknowledged,
            "kill {kill}: {} < {acknowledged}",
            block(store.last_seq()).unwrap()
        );
        // Facts without holes, and no append half there: an answer never stands without its outcome.
        let facts = block(store.facts_after(Seq(0), usize::MAX)).unwrap();
        assert!(facts.iter().zip(1..).all(|(fact, seq)| fact.seq.0 == seq));
        let count = |test: fn(&Event) -> bool| facts.iter().filter(|f| test(&f.event)).count();
        for (i, fact) in facts.iter().enumerate() {
            if let Event::StepAnswered { fid, .. } = &fact.event {
                let next = facts.get(i + 1).map(|f| &f.event);
                assert!(matches!(next, Some(Event::BillSettled { fid: of, .. }) if of == fid), "kill {kill}: {fact:?}");
            }
        }
        assert_eq!(count(|e| matches!(e, Event::RunOpened(_))), count(|e| matches!(e, Event::RunApproved { .. })));
        let (told, counted) = (hours::told(&store), hours::counted(&store));
        assert!(told == counted && !told.is_empty(), "kill {kill}: {told:?} {counted:?}");
        for row in block(store.open_runs()).unwrap() {
            assert!(row.tally.closes());
            let in_flight = block(store.in_flight(row.head.id)).unwrap();
            assert!(in_flight.len() <= 4);
            // End the run as the engine would, so that the next child begins a new one.
            let mut events = vec![Event::RunInterrupted { run: row.head.id }];
            let n = row.head.id.0.timestamp_ms() - T0 as u64;
            for bill in block(store.bills_in(RunColumn { run: row.head.id, slot: Slot::Waiting }, None, 100)).unwrap() {
                let fid = bill.fid().as_str().parse().unwrap();
                events.push(settled(n, fid, Slot::Waiting, failed("lock")));
            }
            events.push(closed(n));
            match block(store.append(events.into())) {
                Ok(done) => acknowledged = acknowledged.max(done.facts.last().unwrap().seq.0),
                Err(e @ AppendError::Contradiction(_)) => panic!("kill {kill}: {e}"),
                Err(e) => panic!("{e}"),
            }
        }
        drop(store);
        if kill % 10 == 9 || kill + 1 == kills {
            let report = doctor::check(&dir, TestClock::new().as_ref(), &|_| {}).unwrap();
            assert!(report.is_sound(), "kill {kill}: {report:?}");
        }
    }
    println!(
        "{kills} kills ({killed_opening} at the opening), {acknowledged} facts, 0 lost, slowest opening {slowest:?}"
    );
    assert!(acknowledged > u64::from(kills));
}
