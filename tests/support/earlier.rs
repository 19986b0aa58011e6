//! Data directories of version 1: one made here, and every one that 0.1.0 itself left under `tests/golden/data-0.1.0`.

#![allow(dead_code)]

use std::collections::BTreeMap;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;

use skydeck::store::Store;
use skydeck::store::index::kv::{Batch, Kv};
use skydeck::store::index::layout_key;
use skydeck::store::local::disk::RealDisk;
use skydeck::store::local::{LocalStore, Options, SledKv};

use crate::store_kit::{TestClock, block, copy_dir, history};

/// A directory of version 1 in a directory of its own, so that what comes to lie beside it is seen.
pub struct Earlier {
    pub temp: tempfile::TempDir,
    pub dir: PathBuf,
    pub name: String,
}

impl Earlier {
    /// Made here: a history over several segments, some of them sealed.
    pub fn made() -> Self {
        let temp = tempfile::tempdir().unwrap();
        let dir = temp.path().join("data");
        make(&dir);
        lighten(&dir);
        Self { temp, dir, name: "made".to_owned() }
    }

    /// Made here, and all that 0.1.0 made.
    pub fn all() -> Vec<Self> {
        let golden = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden/data-0.1.0");
        let packed = std::fs::read_dir(golden).into_iter().flatten().flatten().map(|entry| entry.path());
        let packed = packed.filter(|path| path.display().to_string().contains(".tar"));
        let mut all: Vec<Self> = packed.filter_map(|path| Self::unpacked(&path)).collect();
        all.push(Self::made());
        all
    }

    fn unpacked(packed: &Path) -> Option<Self> {
        let temp = tempfile::tempdir().unwrap();
        let inner = temp.path().join("packed");
        std::fs::create_dir(&inner).unwrap();
        let status = Command::new("tar").arg("-xf").arg(packed).arg("-C").arg(&inner).status().unwrap();
        assert!(status.success(), "{}", packed.display());
        let found = find(&inner)?;
        let dir = temp.path().join("data");
        std::fs::rename(found, &dir).unwrap();
        let _ = std::fs::remove_dir_all(&inner);
        std::fs::set_permissions(&dir, std::fs::Permissions::from_mode(0o700)).unwrap();
        lighten(&dir);
        Some(Self { temp, dir, name: packed.file_name().unwrap().to_string_lossy().into_owned() })
    }

    /// The same directory once more.
    pub fn copy(&self) -> Self {
        let temp = tempfile::tempdir().unwrap();
        let dir = temp.path().join("data");
        copy_dir(&self.dir, &dir);
        Self { temp, dir, name: self.name.clone() }
    }

    /// What lies beside the directory.
    pub fn beside(&self) -> Vec<PathBuf> {
        let all = std::fs::read_dir(self.temp.path()).unwrap().map(|entry| entry.unwrap().path());
        all.filter(|path| *path != self.dir).collect()
    }
}

/// Takes out the space set aside for a full disk, which every opening sets aside anew: these directories are copied often.
fn lighten(dir: &Path) {
    let _ = std::fs::remove_file(dir.join("ballast"));
}

/// The data directory somewhere in what was packed.
fn find(at: &Path) -> Option<PathBuf> {
    if at.join("version").is_file() && at.join("journal").is_dir() {
        return version(at).starts_with("skydeck store 1").then(|| at.to_path_buf());
    }
    let inside = std::fs::read_dir(at).into_iter().flatten().flatten().map(|entry| entry.path());
    inside.filter(|path| path.is_dir()).find_map(|path| find(&path))
}

pub fn version(dir: &Path) -> String {
    std::fs::read_to_string(dir.join("version")).unwrap()
}

/// Makes a directory as 0.1.0 left it, as far as this program can: the version, and an index that names no layout.
pub fn make(dir: &Path) {
    let options = || Options { disk: Arc::new(RealDisk), rotate: 9_000, ..Options::default() };
    let store = LocalStore::open_with(dir, TestClock::new(), "op", &|_| {}, options()).unwrap();
    for events in history() {
        block(store.append(events.into())).unwrap();
    }
    store.close().unwrap();
    drop(store);
    set_back(dir);
}

/// Sets a directory back to version 1.
pub fn set_back(dir: &Path) {
    let index = SledKv::open(&dir.join("sled")).unwrap();
    index.apply(Batch::from([(layout_key(), None)])).unwrap();
    index.sync().unwrap();
    drop(index);
    std::fs::write(dir.join("version"), "skydeck store 1\n").unwrap();
}

/// Every file below a directory with its bytes.
pub fn tree(dir: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let mut all = BTreeMap::new();
    for entry in std::fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            all.extend(tree(&path));
        } else if path.is_file() {
            all.insert(path.clone(), std::fs::read(&path).unwrap());
        }
    }
    all
}
