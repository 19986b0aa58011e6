//! Journals of every version of the store that was ever written must replay to the same state.
//!
//! `cargo test --test store golden:: -- --ignored` writes the files of this version; commit them once, never again.
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::store_kit::*;
use skydeck::domain::event::Fact;
use skydeck::domain::filter::Filter;
use skydeck::domain::ids::{EnvId, PlanId};
use skydeck::domain::query::{LedgerGroup, PageRequest, Scope};
use skydeck::domain::run::{BillRow, Mark, RunRow};
use skydeck::domain::time::Ts;
use skydeck::store::local::disk::RealDisk;
use skydeck::store::local::{LocalStore, Options};
use skydeck::store::memory::MemoryStore;
use skydeck::store::{Reads, Store, doctor};

fn golden(version: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden/journal").join(version)
}

/// What the facts came to.
#[derive(Debug, PartialEq, serde::Serialize, serde::Deserialize)]
struct State {
    runs: Vec<RunRow>,
    history: Vec<BillRow>,
    ledger: Vec<BillRow>,
    groups: Vec<LedgerGroup>,
    marks: Vec<Option<Mark>>,
}

impl State {
    fn of(store: &dyn Store) -> Self {
        let page = PageRequest::first(1000);
        let bills = |scope: Scope| {
            let page = block(store.bills(scope.asked(&Filter::default(), &page, Ts(T0)))).unwrap();
            page.rows.into_iter().map(|(_, row)| row).collect()
        };
        let marks = ["odd", "even"].map(|p| block(store.mark(&PlanId::new(p), &EnvId::new("demo"))).unwrap());
        Self {
            runs: block(store.runs(None, &page)).unwrap().rows.into_iter().map(|(_, row)| row).collect(),
            history: bills(Scope::History),
            ledger: bills(Scope::Ledger),
            groups: block(store.ledger_groups(None)).unwrap(),
            marks: marks.to_vec(),
        }
    }
}

fn is_segment(path: &Path) -> bool {
    path.extension().is_some_and(|e| e == "log" || e == "seal")
}

#[test]
fn the_golden_journal_replays_to_the_same_state() {
    for version in ["v1"] {
        let from = golden(version);
        let temp = tempfile::tempdir().unwrap();
        let dir = temp.path().join("data");
        LocalStore::open(&dir, TestClock::new(), "op", &|_| {}).unwrap().close().unwrap();
        for entry in std::fs::read_dir(dir.join("journal")).unwrap().flatten() {
            std::fs::remove_file(entry.path()).unwrap();
        }
        std::fs::remove_dir_all(dir.join("sled")).unwrap();
        for entry in std::fs::read_dir(&from).unwrap().flatten().filter(|e| is_segment(&e.path())) {
            std::fs::copy(entry.path(), dir.join("journal").join(entry.file_name())).unwrap();
        }
        let mut lines = Vec::new();
        doctor::export(&dir, &mut lines).unwrap();
        // Compared as values, so that a field added since, with its default, is no difference.
        let facts = |bytes: &[u8]| -> Vec<Fact> {
            String::from_utf8_lossy(bytes).lines().map(|line| serde_json::from_str(line).unwrap()).collect()
        };
        assert_eq!(facts(&lines), facts(&std::fs::read(from.join("facts.jsonl")).unwrap()), "{version}");
        let store = LocalStore::open(&dir, TestClock::new(), "op", &|_| {}).unwrap();
        let mut then: State = serde_json::from_slice(&std::fs::read(from.join("state.json")).unwrap()).unwrap();
        // Its heads name no operation and its plans were not kept: a reader is told that nobody knows what was called.
        then.runs.iter_mut().for_each(|row| row.op_unknown = true);
        let mut now = State::of(&store);
        // What was read last, and the revision before a submit, were kept in the facts and not in the rows.
        now.history.iter_mut().chain(&mut now.ledger).for_each(|row| (row.heard, row.found) = (None, None));
        assert_eq!(now, then, "{version}");
        // And the state is what these facts mean today.
        let facts = block(store.facts_after(skydeck::domain::ids::Seq(0), usize::MAX)).unwrap();
        let memory = MemoryStore::new(TestClock::new());
        for fact in &facts {
            memory.append_now(&vec![fact.event.clone()].into()).unwrap();
        }
        assert_eq!(block(memory.unresolved(None)).unwrap(), block(store.unresolved(None)).unwrap());
    }
}

#[test]
#[ignore = "writes the golden files of this version"]
fn write_the_golden_journal() {
    let to = golden("v1");
    std::fs::create_dir_all(&to).unwrap();
    assert!(std::fs::read_dir(&to).unwrap().next().is_none(), "golden files are written once");
    let temp = tempfile::tempdir().unwrap();
    let dir = temp.path().join("data");
    let options = Options { disk: Arc::new(RealDisk), rotate: 12_000, ..Options::default() };
    let store = LocalStore::open_with(&dir, TestClock::new(), "op", &|_| {}, options).unwrap();
    for events in history() {
        block(store.append(events.into())).unwrap();
    }
    let deadline = std::time::Instant::now() + std::time::Duration::from_secs(20);
    while dir.join("journal/00000001.log").exists() && std::time::Instant::now() < deadline {
        std::thread::yield_now();
    }
    std::fs::write(to.join("state.json"), serde_json::to_vec_pretty(&State::of(&store)).unwrap()).unwrap();
    store.close().unwrap();
    let mut lines = Vec::new();
    doctor::export(&dir, &mut lines).unwrap();
    std::fs::write(to.join("facts.jsonl"), lines).unwrap();
    for entry in std::fs::read_dir(dir.join("journal")).unwrap().flatten().filter(|e| is_segment(&e.path())) {
        std::fs::copy(entry.path(), to.join(entry.file_name())).unwrap();
    }
}
