//! A list in the order of one of its columns is the whole list, once each, as a plain sort of all rows gives it.

use std::collections::BTreeSet;
use std::sync::Arc;

use fastrand::Rng;
use skydeck::domain::bill::{Outcome, Skip, Slot};
use skydeck::domain::event::Event;
use skydeck::domain::filter::Filter;
use skydeck::domain::query::{PageRequest, Scope};
use skydeck::domain::run::{BillRow, RunKind};
use skydeck::domain::sort::{By, SORTED_AT_MOST, Sort};
use skydeck::domain::time::Ts;
use skydeck::store::memory::MemoryStore;
use skydeck::store::{Reads as _, Store, sorted};
use skydeck_store_testkit::facts::{self, TestClock};

const NOW: Ts = Ts(1_800_000_000_000);
const VALUES: [&str; 12] =
    ["", " ", "7", "07", "10", "-3.5", "9.99", "2026-11-01T00:00:00", "2025-02-01", "客户", "CUST0002", "cust0002"];

/// Two runs whose columns stand in other places.
async fn filled(rng: &mut Rng, bills: u64) -> MemoryStore {
    let store = MemoryStore::new(TestClock::new());
    for (n, names) in [(1, ["FBillNo", "FCust"]), (2, ["FCust", "FAmount"])] {
        let head = facts::head(n, "p", RunKind::Fresh);
        let columns = names.map(str::to_owned).to_vec();
        let opened = Event::RunOpened(Box::new(skydeck::domain::run::RunHead { columns, ..head }));
        store.append(vec![opened].into()).await.unwrap();
        let fids: Vec<u64> = (0..bills).map(|i| n * 100_000 + i).collect();
        for part in fids.chunks(100) {
            let drawn = |rng: &mut Rng| rng.choice(VALUES).unwrap().to_owned();
            let found = part.iter().map(|fid| {
                let columns = vec![drawn(rng), drawn(rng)];
                skydeck::domain::bill::Found { columns, ..facts::found_bill(*fid) }
            });
            let found = Event::BillsFound { run: facts::run_id(n), bills: found.collect() };
            store.append(vec![found].into()).await.unwrap();
        }
        store.append(vec![facts::collected(n), facts::approved(n)].into()).await.unwrap();
        for part in fids.chunks(100) {
            let settled = part.iter().map(|fid| {
                let outcome = match rng.u8(0..4) {
                    0 => facts::failed("stock"),
                    1 => facts::failed("lock"),
                    2 => facts::skipped(Skip::Created),
                    _ => Outcome::Done { verified: false },
                };
                facts::settled(n, *fid, Slot::Waiting, outcome)
            });
            store.append(settled.collect::<Vec<_>>().into()).await.unwrap();
        }
    }
    store
}

async fn all(store: &dyn Store, scope: Scope) -> Vec<BillRow> {
    let (mut rows, mut page) = (Vec::new(), PageRequest::first(97));
    loop {
        let part = store.bills(scope.asked(&Filter::default(), &page, NOW)).await.unwrap();
        page.cursor = part.rows.last().map(|(cursor, _)| cursor.clone());
        rows.extend(part.rows.into_iter().map(|(_, row)| row));
        if !part.more {
            return rows;
        }
    }
}

#[tokio::test]
async fn pages_in_either_direction_are_a_plain_sort_of_all_rows() {
    let mut rng = Rng::with_seed(11);
    let store = filled(&mut rng, 60).await;
    let column = |names: &[&str]| By::Column(names.iter().map(|name| (*name).to_owned()).collect());
    let orders = [
        By::Number,
        By::Outcome,
        By::Cause,
        By::Tries,
        By::Age,
        column(&["FCust"]),
        column(&["FBillNo", "FAmount"]),
        column(&["FGone"]),
    ];
    for scope in [Scope::Run(facts::run_id(1)), Scope::Ledger, Scope::History] {
        let rows = all(&store, scope).await;
        assert!(rows.len() > 30);
        for (by, descending) in orders.iter().flat_map(|by| [(by, false), (by, true)]) {
            let sort = Sort { by: by.clone(), descending };
            let mut plain = Vec::new();
            for row in &rows {
                let names = store.run(row.run).await.unwrap().unwrap().head.columns;
                plain.push((sort.place(row, &names), row.clone()));
            }
            plain.sort_by(|one, other| sort.compare(&one.0, &other.0));
            let plain: Vec<BillRow> = plain.into_iter().map(|(_, row)| row).collect();
            for back in [false, true] {
                let (mut got, mut page) = (Vec::new(), PageRequest { cursor: None, back, limit: rng.u32(1..50) });
                loop {
                    let part = sorted::page(&store, scope.asked(&Filter::default(), &page, NOW), &sort).await.unwrap();
                    assert_eq!(part.total, Some(plain.len() as u64));
                    let edge = if back { part.rows.first() } else { part.rows.last() };
                    page.cursor = edge.map(|(cursor, _)| cursor.clone());
                    let rows: Vec<BillRow> = part.rows.into_iter().map(|(_, row)| row).collect();
                    got = if back { [rows, got].concat() } else { [got, rows].concat() };
                    if !part.more {
                        break;
                    }
                    page.limit = rng.u32(1..50);
                }
                assert!(got == plain, "{scope:?} {sort:?} back {back}");
            }
        }
    }
}

#[tokio::test]
async fn of_a_long_list_the_first_rows_are_sorted_and_that_is_told() {
    let mut rng = Rng::with_seed(3);
    let bills = SORTED_AT_MOST / 2 + 300;
    let store = filled(&mut rng, bills).await;
    let sort = Sort { by: By::Number, descending: true };
    let part = sorted::page(&store, Scope::History.asked(&Filter::default(), &PageRequest::first(5), NOW), &sort)
        .await
        .unwrap();
    assert_eq!((part.total, part.rows.len()), (None, 5));
    assert!((SORTED_AT_MOST..SORTED_AT_MOST + 500).contains(&part.scanned), "{}", part.scanned);
    let first: BTreeSet<String> =
        all(&store, Scope::History).await.into_iter().take(part.scanned as usize).map(|row| row.no).collect();
    assert!(part.rows.iter().all(|(_, row)| first.contains(&row.no)));
    assert_eq!(part.rows[0].1.no, *first.iter().next_back().unwrap());
}

#[tokio::test]
async fn a_cursor_of_another_list_is_refused() {
    let store = Arc::new(filled(&mut Rng::with_seed(1), 5).await);
    let plain = store.bills(Scope::Ledger.asked(&Filter::default(), &PageRequest::first(2), NOW)).await.unwrap();
    let page = PageRequest { cursor: Some(plain.rows[0].0.clone()), ..PageRequest::first(2) };
    let sort = Sort { by: By::Age, descending: false };
    assert!(sorted::page(&*store, Scope::Ledger.asked(&Filter::default(), &page, NOW), &sort).await.is_err());
}
