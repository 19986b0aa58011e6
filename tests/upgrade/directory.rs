//! A directory of an earlier version, raised and looked at: its facts, its answers, what is left beside it.

use std::path::Path;
use std::process::{Command, Output, Stdio};
use std::sync::{Arc, Mutex};

use crate::earlier::{Earlier, version};
use crate::store_kit::*;
use skydeck::store::index::kv::Kv;
use skydeck::store::index::layout_key;
use skydeck::store::local::disk::{Disk, RealDisk};
use skydeck::store::local::{LocalStore, Options, Progress, Raise, SledKv};
use skydeck::store::{StoreError, backup, doctor};

pub const PROGRAM: &str = env!("CARGO_BIN_EXE_skydeck");

#[expect(clippy::needless_pass_by_value, reason = "each caller makes its own")]
pub fn raised(dir: &Path, raise: &Raise, disk: Arc<dyn Disk>) -> Result<LocalStore, StoreError> {
    // A child that another test starts holds copies of this process's open files, the lock among them, until it is itself.
    let until = std::time::Instant::now() + std::time::Duration::from_secs(10);
    loop {
        let options = Options { disk: Arc::clone(&disk), rotate: 1 << 20, raise: raise.clone() };
        match LocalStore::open_with(dir, TestClock::new(), "op", &|_| {}, options) {
            Err(StoreError::Held { .. }) if std::time::Instant::now() < until => std::thread::yield_now(),
            opened => return opened,
        }
    }
}

pub fn telling(dir: &Path, raise: &Raise) -> (Result<LocalStore, StoreError>, Vec<Progress>) {
    let told = Mutex::new(Vec::new());
    let say = |progress| told.lock().unwrap().push(progress);
    let store = LocalStore::open_with(dir, TestClock::new(), "op", &say, Options::raising(raise.clone()));
    (store, told.into_inner().unwrap())
}

/// All that a store says, and then lets go of its directory.
pub fn answers(store: LocalStore) -> Vec<String> {
    let all = everything(&store);
    store.close().unwrap();
    drop(store);
    all
}

/// What a directory says when it is raised and nothing goes wrong.
pub fn undisturbed(from: &Earlier) -> Vec<String> {
    answers(raised(&from.copy().dir, &Raise::Plain, Arc::new(RealDisk)).unwrap())
}

pub fn facts(dir: &Path) -> Vec<u8> {
    let mut lines = Vec::new();
    doctor::export(dir, &mut lines).unwrap();
    lines
}

pub fn layout(dir: &Path) -> Option<u64> {
    let index = SledKv::open(&dir.join("sled")).unwrap();
    let bytes = index.get(&layout_key()).unwrap()?;
    Some(u64::from_be_bytes(bytes.try_into().unwrap()))
}

pub fn index_entries(dir: &Path) -> usize {
    let index = SledKv::open(&dir.join("sled")).unwrap();
    skydeck::store::index::kv::Walk::new(&index, std::ops::Bound::Unbounded, std::ops::Bound::Unbounded, false).count()
}

/// Whether there is an index with something in it: one that a kill left empty, or none, is built and not upgraded.
pub fn has_index(dir: &Path) -> bool {
    dir.join("sled").exists() && index_entries(dir) > 0
}

/// As long as a directory is of version 1: its program finds the journal and, where there is one, its own index.
pub fn assert_as_left(dir: &Path, before: &[u8], at: &str) {
    assert_eq!(facts(dir), before, "{at}");
    if version(dir) == "skydeck store 1\n" && dir.join("sled").exists() {
        assert_eq!(layout(dir), None, "{at}: an index of another layout stands in a directory of version 1");
    }
}

/// Nothing of an upgrade is left but the backup.
pub fn assert_tidy(earlier: &Earlier, backups: usize, at: &str) {
    for entry in std::fs::read_dir(&earlier.dir).unwrap() {
        let name = entry.unwrap().file_name().to_string_lossy().into_owned();
        assert!(!name.starts_with("sled.") && !name.starts_with("look-") && name != "version.new", "{at}: {name}");
    }
    let beside = earlier.beside();
    assert_eq!(beside.len(), backups, "{at}: {beside:?}");
    assert!(beside.iter().all(|path| backup::manifest(path).is_ok()), "{at}: {beside:?}");
}

pub fn upgrade(dir: &Path, fault: Option<&str>, options: &[&str]) -> Output {
    let mut command = Command::new(PROGRAM);
    command.arg("upgrade").args(options).args(["--lang", "en", "--data"]).arg(dir).stdin(Stdio::null());
    command.env_remove("SKYDECK_FAULT");
    if let Some(fault) = fault {
        command.env("SKYDECK_FAULT", fault);
    }
    command.output().unwrap()
}

pub fn raised_plainly(dir: &Path) -> LocalStore {
    raised(dir, &Raise::Plain, Arc::new(RealDisk)).unwrap()
}
