//! One contract, every store: what a store must answer, in memory and on disk alike.
#![allow(clippy::unwrap_used, missing_docs)]

use std::sync::Arc;

use skydeck::domain::time::Clock;
use skydeck::store::Store;
use skydeck::store::local::LocalStore;
use skydeck::store::memory::MemoryStore;
use skydeck_store_testkit::{Home, conformance};

struct Memory;

impl Home for Memory {
    fn open(&self, clock: Arc<dyn Clock>) -> Arc<dyn Store> {
        Arc::new(MemoryStore::new(clock))
    }

    fn lasts(&self) -> bool {
        false
    }
}

struct Directory(tempfile::TempDir);

impl Home for Directory {
    fn open(&self, clock: Arc<dyn Clock>) -> Arc<dyn Store> {
        Arc::new(LocalStore::open(&self.0.path().join("data"), clock, "op", &|_| {}).unwrap())
    }

    fn lasts(&self) -> bool {
        true
    }

    fn forget_what_is_derived(&self) {
        std::fs::remove_dir_all(self.0.path().join("data/sled")).unwrap();
    }
}

#[test]
fn the_store_in_memory_keeps_what_a_store_promises() {
    conformance("memory", &|| Box::new(Memory));
}

#[test]
fn the_store_of_a_directory_keeps_what_a_store_promises() {
    conformance("local", &|| Box::new(Directory(tempfile::tempdir().unwrap())));
}
