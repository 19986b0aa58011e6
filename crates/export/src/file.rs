//! A file that stands under its name only when it is complete.
//!
//! Invariant: whatever fails on the way, nothing is left beside it, and what was there before is as it was.

use std::fs::{File, Permissions};
use std::io;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use tempfile::NamedTempFile;

use super::ExportError;
use skydeck_core::domain::system_words::without_made_file;

/// What others may do with it is the mask's to say, as for any file that a program makes.
const MODE: u32 = 0o666;

/// A file on its way.
#[derive(Debug)]
pub struct Part {
    path: PathBuf,
    temp: NamedTempFile,
    force: bool,
}

impl Part {
    /// Begins a file (`~/` is the home directory). `force`: one that is there is replaced when this one is complete.
    ///
    /// # Errors
    /// One is there, or it cannot be begun.
    pub fn begin(path: &str, force: bool) -> Result<Self, ExportError> {
        let path = std::path::absolute(home(path)).unwrap_or_else(|_| home(path));
        let named = |path: &Path| path.display().to_string();
        if path.is_dir() {
            return Err(ExportError::Directory(named(&path)));
        }
        if !force && path.symlink_metadata().is_ok() {
            return Err(ExportError::Exists(named(&path)));
        }
        let dir = path.parent().unwrap_or_else(|| Path::new("/"));
        // One that cannot be looked at is the system's to name.
        if dir.metadata().map_or_else(|error| is_absent(&error), |there| !there.is_dir()) {
            return Err(ExportError::NoDirectory(named(dir)));
        }
        let mut temp = tempfile::Builder::new();
        temp.prefix(".skydeck-").suffix(".part").permissions(Permissions::from_mode(MODE));
        let temp = temp.tempfile_in(dir).map_err(|error| fault(&path, &error))?;
        Ok(Self { path, temp, force })
    }

    /// The directory it is made in: what is put aside meanwhile stands on the same disk.
    pub fn dir(&self) -> &Path {
        self.path.parent().unwrap_or_else(|| Path::new("/"))
    }

    /// What is written to.
    ///
    /// # Errors
    /// The system has no more of them.
    pub fn file(&self) -> Result<File, ExportError> {
        self.temp.as_file().try_clone().map_err(|error| fault(&self.path, &error))
    }

    /// Gives it its name, after everything of it is on the disk.
    ///
    /// # Errors
    /// The disk is full, or another file has the name by now.
    pub fn keep(self) -> Result<PathBuf, ExportError> {
        let Self { path, temp, force } = self;
        temp.as_file().sync_all().map_err(|error| fault(&path, &error))?;
        let kept = if force { temp.persist(&path) } else { temp.persist_noclobber(&path) };
        match kept {
            Ok(_) => Ok(path),
            Err(taken) if taken.error.kind() == io::ErrorKind::AlreadyExists => {
                Err(ExportError::Exists(path.display().to_string()))
            }
            Err(failed) => Err(fault(&path, &failed.error)),
        }
    }

    /// What went wrong with it.
    pub fn fault(&self, error: &io::Error) -> ExportError {
        fault(&self.path, error)
    }
}

/// The system's words without the name of a file that nobody asked for.
fn fault(path: &Path, error: &io::Error) -> ExportError {
    let inner = error.get_ref().and_then(|error| error.source()).and_then(|error| error.downcast_ref::<io::Error>());
    let error = match error.raw_os_error().or_else(|| inner?.raw_os_error()) {
        Some(code) => io::Error::from_raw_os_error(code),
        // The library puts the name behind the system's words, and hides their number.
        None => io::Error::new(error.kind(), without_made_file(&error.to_string()).to_owned()),
    };
    ExportError::File { path: path.display().to_string(), error }
}

fn is_absent(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory)
}

fn home(path: &str) -> PathBuf {
    match (path.strip_prefix("~/"), std::env::var_os("HOME")) {
        (Some(rest), Some(home)) => Path::new(&home).join(rest),
        _ => PathBuf::from(path),
    }
}
