//! Files of the data directory and of its copies: regular ones, opened without following a link, for their owner alone.
//!
//! Invariant: opening waits for nobody: a pipe, a device or a link under the name is an error that says so.

use std::fs::{DirBuilder, File, OpenOptions, Permissions};
use std::io::{Error, ErrorKind, Read, Result};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt, PermissionsExt};
use std::path::Path;

use rustix::fs::OFlags;
use rustix::io::Errno;

/// Mode of every file of ours.
const MODE: u32 = 0o600;
/// Mode of every directory of ours.
const DIR_MODE: u32 = 0o700;

/// Opens as told, if a regular file stands there.
pub fn regular(options: &mut OpenOptions, path: &Path) -> Result<File> {
    let flags = OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::NOCTTY;
    let flags = i32::try_from(flags.bits()).unwrap_or_default();
    let file = options.mode(MODE).custom_flags(flags).open(path).map_err(|e| match Errno::from_io_error(&e) {
        Some(Errno::LOOP) => foreign("a symbolic link"),
        Some(Errno::NXIO) => foreign("a pipe or a socket"),
        _ => e,
    })?;
    if !file.metadata()?.is_file() {
        return Err(foreign("a pipe, a device or a directory"));
    }
    Ok(file)
}

fn foreign(what: &str) -> Error {
    Error::other(format!("{what} stands there, not a file: move it away"))
}

/// As [`regular`], for a file of ours that is made where it is not there: with our mode, whatever the umask.
pub fn ours(options: &mut OpenOptions, path: &Path) -> Result<File> {
    let file = regular(options, path)?;
    if file.metadata()?.mode() & 0o777 != MODE {
        file.set_permissions(Permissions::from_mode(MODE))?;
    }
    Ok(file)
}

/// Opens for reading.
pub fn open(path: &Path) -> Result<File> {
    regular(OpenOptions::new().read(true), path)
}

/// Creates, or empties.
pub fn create(path: &Path) -> Result<File> {
    ours(OpenOptions::new().write(true).create(true).truncate(true), path)
}

/// Reads a small text; what is longer is an error.
pub fn read_text(path: &Path, most: u64) -> Result<String> {
    let mut text = String::new();
    open(path)?.take(most + 1).read_to_string(&mut text)?;
    if text.len() as u64 > most {
        return Err(Error::new(ErrorKind::InvalidData, format!("it is longer than {most} bytes")));
    }
    Ok(text)
}

/// Takes from others what the umask gave them of files that were made without our mode.
pub fn keep_private(dir: &Path) -> Result<()> {
    for entry in std::fs::read_dir(dir)? {
        let entry = entry?;
        let meta = entry.metadata()?;
        if meta.is_file() && meta.mode() & 0o077 != 0 {
            std::fs::set_permissions(entry.path(), Permissions::from_mode(MODE))?;
        }
    }
    Ok(())
}

/// Makes one directory for its owner alone, whatever the umask.
pub fn make_dir(path: &Path) -> Result<()> {
    DirBuilder::new().mode(DIR_MODE).create(path)?;
    if std::fs::symlink_metadata(path)?.mode() & 0o777 != DIR_MODE {
        std::fs::set_permissions(path, Permissions::from_mode(DIR_MODE))?;
    }
    Ok(())
}

/// Makes a directory and those above it that are missing. Another process may make them at the same moment: then they are there.
pub fn make_dirs(path: &Path) -> Result<()> {
    match path.parent() {
        Some(above) if !above.as_os_str().is_empty() && !above.exists() => make_dirs(above)?,
        _ => {}
    }
    match make_dir(path) {
        Err(e) if e.kind() == ErrorKind::AlreadyExists && std::fs::symlink_metadata(path)?.is_dir() => Ok(()),
        made => made,
    }
}

/// Bytes of a directory's files on the disk.
pub fn size_of(dir: &Path) -> u64 {
    let mut sum = 0;
    for entry in std::fs::read_dir(dir).into_iter().flatten().flatten() {
        if let Ok(meta) = entry.metadata() {
            sum += if meta.is_dir() { size_of(&entry.path()) } else { meta.len() };
        }
    }
    sum
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_directory_that_another_makes_at_the_same_moment_is_there_for_both() {
        let dir = tempfile::tempdir().unwrap();
        for n in 0..20 {
            let path = dir.path().join(n.to_string()).join("a/b");
            let made: Vec<Result<()>> = std::thread::scope(|scope| {
                let all: Vec<_> = (0..4).map(|_| scope.spawn(|| make_dirs(&path))).collect();
                all.into_iter().map(|one| one.join().unwrap()).collect()
            });
            assert!(made.iter().all(std::result::Result::is_ok), "{made:?}");
        }
        // A file in its place is no directory.
        std::fs::write(dir.path().join("file"), "x").unwrap();
        assert!(make_dirs(&dir.path().join("file")).is_err());
    }

    #[test]
    fn only_a_regular_file_is_opened_and_nothing_is_waited_for() {
        let dir = tempfile::tempdir().unwrap();
        let at = |name: &str| dir.path().join(name);
        std::fs::write(at("real"), "x").unwrap();
        std::os::unix::fs::symlink(at("real"), at("link")).unwrap();
        rustix::fs::mknodat(
            rustix::fs::CWD,
            at("pipe"),
            rustix::fs::FileType::Fifo,
            rustix::fs::Mode::from_raw_mode(0o600),
            0,
        )
        .unwrap();
        assert_eq!(read_text(&at("real"), 1).unwrap(), "x");
        assert!(read_text(&at("real"), 0).is_err());
        for name in ["link", "pipe", "."] {
            for error in [open(&at(name)).map(drop), create(&at(name)).map(drop)] {
                assert!(error.is_err(), "{name}");
            }
        }
        assert_eq!(std::fs::read_to_string(at("real")).unwrap(), "x", "nothing was emptied through the link");
    }
}
