//! What only a store on disk must do: survive reopening, crashes, damage, a full or failing disk, and a second owner.

mod full;
mod index;
mod journal;
mod opening;

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use crate::store_kit::*;
use skydeck::domain::ids::Seq;
use skydeck::store::local::disk::Disk;
use skydeck::store::local::{LocalStore, Options, Progress};
use skydeck::store::memory::MemoryStore;
use skydeck::store::{Store, StoreError};

struct Place {
    _temp: tempfile::TempDir,
    dir: PathBuf,
}

fn place() -> Place {
    let temp = tempfile::tempdir().unwrap();
    let dir = temp.path().join("data");
    Place { _temp: temp, dir }
}

fn open(dir: &Path) -> Result<LocalStore, StoreError> {
    LocalStore::open(dir, TestClock::new(), "op", &|_| {})
}

fn open_small(dir: &Path, rotate: u64, disk: Arc<dyn Disk>) -> Result<LocalStore, StoreError> {
    LocalStore::open_with(dir, TestClock::new(), "op", &|_| {}, Options { disk, rotate, ..Options::default() })
}

fn open_telling(dir: &Path) -> (Result<LocalStore, StoreError>, Vec<Progress>) {
    let told = Mutex::new(Vec::new());
    let store = LocalStore::open(dir, TestClock::new(), "op", &|p| told.lock().unwrap().push(p));
    (store, told.into_inner().unwrap())
}

fn fill(store: &dyn Store) {
    for events in history() {
        block(store.append(events.into())).unwrap();
    }
}

fn in_memory() -> MemoryStore {
    let store = MemoryStore::new(TestClock::new());
    fill(&store);
    store
}

/// The facts of two stores, without their times (each clock has its own).
fn events(store: &dyn Store) -> Vec<skydeck::domain::event::Event> {
    block(store.facts_after(Seq(0), usize::MAX)).unwrap().into_iter().map(|f| f.event).collect()
}

fn fill_at(dir: &Path) {
    let store = open(dir).unwrap();
    fill(&store);
    store.close().unwrap();
}
