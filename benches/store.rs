//! What the store costs: an append alone and in company, the fold, pages. `cargo bench --bench store`.
//!
//! `limit_fdatasync` is the floor of every durable append, taken in the same run: read the others against it.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, missing_docs)]

#[path = "../tests/store_kit/mod.rs"]
mod store_kit;

use std::io::Write;

use divan::{Bencher, counter::ItemsCount};
use skydeck::domain::bill::Slot;
use skydeck::domain::filter::Filter;
use skydeck::domain::query::{PageRequest, Scope};
use skydeck::domain::step::{Step, Verdict};
use skydeck::domain::time::Ts;
use skydeck::store::Store;
use skydeck::store::index::kv::{Batch, Kv};
use skydeck::store::local::{LocalStore, SledKv};
use skydeck::store::memory::MemoryStore;
use skydeck::store::{Embedded as _, Inside as _};
use store_kit::{
    T0, TestClock, action, answered, approved, audited, begun, block, collected, failed, found, key, opened, settled,
    tried,
};

fn main() {
    divan::main();
}

fn local() -> (tempfile::TempDir, LocalStore) {
    let temp = tempfile::tempdir().unwrap();
    let store = LocalStore::open(&temp.path().join("data"), TestClock::new(), "bench", &|_| {}).unwrap();
    (temp, store)
}

/// A store with one run of so many bills, all settled, one in ten failed.
fn filled(bills: u64) -> (tempfile::TempDir, LocalStore) {
    let (temp, store) = local();
    let all: Vec<u64> = (1..=bills).collect();
    block(store.append(vec![opened(1, "p")].into())).unwrap();
    for part in all.chunks(100) {
        block(store.append(vec![found(1, part)].into())).unwrap();
    }
    block(store.append(vec![collected(1), approved(1)].into())).unwrap();
    for part in all.chunks(100) {
        let outcome = |fid: u64| if fid.is_multiple_of(10) { failed("stock") } else { audited() };
        block(
            store.append(
                part.iter().map(|fid| settled(1, *fid, Slot::Waiting, outcome(*fid))).collect::<Vec<_>>().into(),
            ),
        )
        .unwrap();
    }
    (temp, store)
}

#[divan::bench]
fn limit_fdatasync(bencher: Bencher<'_, '_>) {
    let mut file = tempfile::tempfile().unwrap();
    bencher.bench_local(|| {
        file.write_all(&[7; 400]).unwrap();
        file.sync_data().unwrap();
    });
}

#[divan::bench]
fn append_alone(bencher: Bencher<'_, '_>) {
    let (_temp, store) = local();
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    bencher.bench_local(|| runtime.block_on(store.append(vec![action("look")].into())).unwrap());
}

#[divan::bench(args = [8, 64])]
fn append_in_company(bencher: Bencher<'_, '_>, callers: usize) {
    let (_temp, store) = local();
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    bencher.counter(ItemsCount::new(callers)).bench_local(|| {
        let all = (0..callers).map(|_| store.append(vec![action("look")].into()));
        runtime.block_on(futures_util::future::join_all(all))
    });
}

#[divan::bench]
fn fold_of_a_bills_life(bencher: Bencher<'_, '_>) {
    let store = MemoryStore::new(TestClock::new());
    store.append_now(&begun(1, "p", &[]).into()).unwrap();
    let mut fid = 0;
    bencher.counter(ItemsCount::new(4_usize)).bench_local(|| {
        fid += 1;
        let events = vec![
            found(1, &[fid]),
            tried(1, fid, Step::Audit, 1),
            answered(1, fid, Step::Audit, Verdict::Done),
            settled(1, fid, Slot::Waiting, audited()),
        ];
        store.append_now(&events.into()).unwrap()
    });
}

/// Of 20,000 bills; of a million in `cargo xtask bench store`.
#[divan::bench(args = ["", "status:failed", "no:XSCKD0050*", "~nothing"])]
fn page_of_history(bencher: Bencher<'_, '_>, filter: &str) {
    let (_temp, store) = filled(20_000);
    let filter = Filter::parse(filter).unwrap();
    bencher
        .bench_local(|| store.index().bills(Scope::History.asked(&filter, &PageRequest::first(50), Ts(T0))).unwrap());
}

/// One group commit's worth of index changes: 64 bills settle, each with seven keys, in an index of a size.
#[divan::bench(args = [10_000, 200_000])]
fn index_batch(bencher: Bencher<'_, '_>, keys: u64) {
    let temp = tempfile::tempdir().unwrap();
    let kv = SledKv::open(&temp.path().join("sled")).unwrap();
    let key = |space: u8, n: u64| [[space].as_slice(), &n.to_be_bytes()].concat();
    let put =
        |from: u64| (from..from + 64).flat_map(move |n| (b'A'..b'H').map(move |s| (key(s, n), Some(vec![7; 40]))));
    for from in (0..keys / 7).step_by(64) {
        kv.apply(put(from).collect::<Batch>()).unwrap();
    }
    let mut at = keys / 7;
    bencher.counter(ItemsCount::new(64_usize)).bench_local(|| {
        at += 64;
        kv.apply(put(at).collect::<Batch>()).unwrap();
    });
}

#[divan::bench]
fn life_of_a_bill(bencher: Bencher<'_, '_>) {
    let (_temp, store) = filled(5_000);
    bencher.bench_local(|| store.inside().facts_of(&key(2_500), 500).unwrap());
}
