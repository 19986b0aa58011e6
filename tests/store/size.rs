//! Bytes a bill takes: a plain audited bill with eight columns, its intent, its answer with request and reply.
//!
//! 5 000 bills by default; `SKYDECK_BILLS=1000000 cargo test --release --test store size:: -- --nocapture` for the
//! scale of docs/performance.md, where opening and reading times are printed too.
use std::time::Instant;

use crate::store_kit::*;
use skydeck::domain::bill::Slot;
use skydeck::domain::event::Event;
use skydeck::domain::filter::Filter;
use skydeck::domain::query::{Cursor, PageRequest, Scope};
use skydeck::domain::run::RunKind;
use skydeck::domain::step::{Step, Verdict};
use skydeck::domain::time::Ts;
use skydeck::store::local::LocalStore;
use skydeck::store::{Reads, Store, doctor};

fn wide_head(n: u64) -> Event {
    let mut head = head(n, "p", RunKind::Fresh);
    head.columns =
        ["FBillNo", "FDate", "FSaleOrgId", "FCustomerID", "FAmount", "FDocumentStatus", "FCreateDate", "FNote"]
            .map(String::from)
            .to_vec();
    Event::RunOpened(Box::new(head))
}

fn wide(n: u64, fids: &[u64]) -> Event {
    let mut event = found(n, fids);
    if let Event::BillsFound { bills, .. } = &mut event {
        for bill in bills {
            let fid: u64 = bill.fid.as_str().parse().unwrap();
            bill.columns = vec![
                bill.no.clone(),
                "2025-11-01T00:00:00".into(),
                format!("10{}", fid % 5),
                format!("CUST{:05}", fid * 7919 % 4000),
                format!("{}.{:02}", fid * 31 % 90_000, fid % 100),
                "B".into(),
                format!("2025-11-01T{:02}:{:02}:{:02}", fid % 24, fid % 60, fid * 7 % 60),
                String::new(),
            ];
        }
    }
    event
}

#[test]
fn a_plain_bill_takes_no_more_than_its_share() {
    let bills: u64 = std::env::var("SKYDECK_BILLS").ok().and_then(|b| b.parse().ok()).unwrap_or(5_000);
    let temp = tempfile::tempdir().unwrap();
    let dir = temp.path().join("data");
    let clock = TestClock::new();
    let since = Instant::now();
    let options = skydeck::store::local::Options { rotate: 1024 * 1024, ..Default::default() };
    let options = if bills > 100_000 { skydeck::store::local::Options::default() } else { options };
    let store = LocalStore::open_with(&dir, clock.clone(), "op", &|_| {}, options).unwrap();
    let all: Vec<u64> = (100_001..100_001 + bills).collect();
    block(async {
        store.append(vec![wide_head(1)].into()).await.unwrap();
        for part in all.chunks(100) {
            store.append(vec![wide(1, part)].into()).await.unwrap();
        }
        store.append(vec![collected(1), approved(1)].into()).await.unwrap();
        // Fifty at a time, each with its own two appends, as fifty tasks of the engine would.
        for part in all.chunks(50) {
            let work = part.iter().map(|fid| async {
                store.append(vec![tried(1, *fid, Step::Audit, 1)].into()).await.unwrap();
                let answer = answered(1, *fid, Step::Audit, Verdict::Done);
                store.append(vec![answer, settled(1, *fid, Slot::Waiting, audited())].into()).await.unwrap();
            });
            futures_util::future::join_all(work).await;
        }
        store.append(vec![closed(1)].into()).await.unwrap();
    });
    let wrote = since.elapsed();
    store.close().unwrap();
    drop(store);
    let index = skydeck::store::file::size_of(&dir.join("sled")) / bills;
    doctor::compact(&dir, clock.as_ref()).unwrap();
    let compacted = skydeck::store::file::size_of(&dir.join("sled")) / bills;
    let (mut sealed, mut plain) = (0, 0);
    let mut last_plain = 0;
    for entry in std::fs::read_dir(dir.join("journal")).unwrap().flatten() {
        let len = entry.metadata().unwrap().len();
        match entry.path().extension().and_then(|e| e.to_str()) {
            Some("seal") => sealed += len,
            Some("log") => {
                plain += len;
                last_plain = len;
            }
            _ => {}
        }
    }
    let facts = doctor::export(&dir, &mut std::io::sink()).unwrap();
    println!("{bills} bills written in {wrote:?}: index {index} B a bill, compacted {compacted} B a bill");
    println!("journal: {sealed} B sealed, {plain} B plain (growing segment {last_plain} B), {} facts", facts.facts);
    let since = Instant::now();
    let store = LocalStore::open(&dir, clock, "op", &|_| {}).unwrap();
    println!("opened in {:?}", since.elapsed());
    let timed = |what: &str, work: &dyn Fn() -> usize| {
        let _ = work();
        let since = Instant::now();
        let rows = work();
        println!("{what}: {rows} rows in {:?}", since.elapsed());
    };
    let page = |scope: Scope, filter: &str, cursor: Option<Cursor>| {
        let request = PageRequest { cursor, back: false, limit: 50 };
        block(store.bills(scope.asked(&Filter::parse(filter).unwrap(), &request, Ts(T0)))).unwrap()
    };
    let run = Scope::Run(run_id(1));
    timed("newest page", &|| page(Scope::History, "", None).rows.len());
    timed("page of a run", &|| page(run, "", None).rows.len());
    timed("page of a column", &|| page(run, "status:audited", None).rows.len());
    timed("empty column", &|| page(run, "status:failed", None).rows.len());
    timed("by number", &|| page(Scope::History, "no:XSCKD10123*", None).rows.len());
    timed("bounded scan", &|| page(Scope::History, "~nothing", None).rows.len());
    timed("life of a bill", &|| block(store.facts_of(&key(101_234), 500)).unwrap().0.len());
    assert!(sealed > 0);
    // What was sealed holds its share of the bills; the growing segment is not sealed yet.
    let raw = facts_bytes(&store);
    let share = sealed as f64 / ((raw.saturating_sub(last_plain)) as f64 / raw as f64 * bills as f64);
    println!("sealed journal: {share:.0} B a bill (plain {} B)", raw / bills);
    assert!(share <= 500.0, "{share}");
    assert!(compacted <= 1200, "{compacted}");
}

/// Bytes the facts would take unsealed.
fn facts_bytes(store: &dyn Store) -> u64 {
    let mut bytes = 0;
    let mut at = skydeck::domain::ids::Seq(0);
    loop {
        let facts = block(store.facts_after(at, 10_000)).unwrap();
        let Some(last) = facts.last() else { return bytes };
        at = last.seq;
        for group in facts.chunk_by(|a, b| a.at == b.at) {
            let mut out = Vec::new();
            skydeck::store::journal::frame::write(group, &[0; 16], &mut out).unwrap();
            bytes += out.len() as u64;
        }
    }
}
