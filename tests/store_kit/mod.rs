//! What the store's tests share: the facts of the conformance kit, and a copy of a directory.
#![allow(dead_code, unused_imports)]

pub use skydeck_store_testkit::answers::everything;
pub use skydeck_store_testkit::block;
pub use skydeck_store_testkit::facts::*;

pub fn copy_dir(from: &std::path::Path, to: &std::path::Path) {
    use std::os::unix::fs::PermissionsExt;
    std::fs::create_dir_all(to).unwrap();
    std::fs::set_permissions(to, std::fs::Permissions::from_mode(0o700)).unwrap();
    for entry in std::fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let to = to.join(entry.file_name());
        if entry.file_type().unwrap().is_dir() {
            copy_dir(&entry.path(), &to);
        } else {
            std::fs::copy(entry.path(), to).unwrap();
        }
    }
}

/// Opens a directory. A child that another test starts holds copies of this process's open files, the lock of the directory
/// among them, until it is itself.
pub fn open_again(dir: &std::path::Path) -> skydeck::store::local::LocalStore {
    let until = std::time::Instant::now() + std::time::Duration::from_secs(10);
    loop {
        match skydeck::store::local::LocalStore::open(dir, TestClock::new(), "op", &|_| {}) {
            Err(skydeck::store::StoreError::Held { .. }) if std::time::Instant::now() < until => {
                std::thread::yield_now()
            }
            other => return other.unwrap(),
        }
    }
}
