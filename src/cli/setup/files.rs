//! What a set-up writes: configuration, secret, plan. Each appears whole or not at all.
//!
//! Invariants: a secret's file is its owner's alone before a byte of it is written; the configuration is written last, and
//! only where it is still what was read; what was there before and is not named by us stays.

use std::io::Write as _;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use secrecy::{ExposeSecret as _, SecretString};
use tempfile::NamedTempFile;

use crate::erp::files::{self, LARGEST};
use crate::exit::{Exit, Stop};
use crate::store::file::make_dirs;

/// The configuration as it is, empty where there is none.
///
/// # Errors
/// It is there and cannot be read.
pub fn configuration(path: &Path) -> Result<String, Stop> {
    match files::read_text(path, LARGEST) {
        Ok(text) => Ok(text),
        Err(unread) if unread.is_absent() => Ok(String::new()),
        Err(unread) => {
            let ((en, zh), at) = (unread.words(), path.display());
            Err(Stop::both(Exit::Usage, format!("{at}: {en}"), format!("{at}：{zh}")))
        }
    }
}

/// Writes a secret, where there is one, and then the configuration. `before`: what the configuration was when it was read.
///
/// # Errors
/// Nothing new stands anywhere then.
pub fn write(
    config: &Path,
    before: &str,
    text: &str,
    secret: Option<(&Path, &SecretString)>,
) -> Result<Vec<PathBuf>, Stop> {
    // Through a link to where the file is: a rename would put a file in the link's place.
    let config = config.canonicalize().unwrap_or_else(|_| config.to_path_buf());
    let staged = staged(&config, text.as_bytes())?;
    if let Ok(meta) = std::fs::metadata(&config) {
        let mode = std::fs::Permissions::from_mode(meta.permissions().mode() & 0o777);
        staged.as_file().set_permissions(mode).map_err(|e| unwritten(&config, &e))?;
    }
    let secret = match secret {
        Some((path, secret)) => {
            let mut line = zeroize::Zeroizing::new(secret.expose_secret().as_bytes().to_vec());
            line.push(b'\n');
            Some((path, self::staged(path, &line)?))
        }
        None => None,
    };
    if configuration(&config)? != before {
        return Err(Stop::both(
            Exit::Refused,
            format!("{} was changed meanwhile by somebody else: nothing was written; begin again", config.display()),
            format!("{} 期间被他人修改：未写入任何内容，请重新开始", config.display()),
        ));
    }
    let mut written = Vec::new();
    if let Some((path, file)) = secret {
        file.persist(path).map_err(|e| unwritten(path, &e.error))?;
        written.push(path.to_path_buf());
    }
    if let Err(e) = staged.persist(&config) {
        for path in &written {
            let _ = std::fs::remove_file(path);
        }
        return Err(unwritten(&config, &e.error));
    }
    sync_around(&config);
    written.push(config);
    Ok(written)
}

/// Writes a new file that must not be there yet.
///
/// # Errors
/// It is there, or cannot be written.
pub fn write_new(path: &Path, text: &str) -> Result<(), Stop> {
    let file = staged(path, text.as_bytes())?;
    file.persist_noclobber(path).map_err(|e| match e.error.kind() {
        std::io::ErrorKind::AlreadyExists => there(path),
        _ => unwritten(path, &e.error),
    })?;
    sync_around(path);
    Ok(())
}

/// That a file is there.
pub fn there(path: &Path) -> Stop {
    Stop::both(
        Exit::Usage,
        format!("{} is there already: choose another name", path.display()),
        format!("{} 已存在：请换一个名称", path.display()),
    )
}

/// The content beside the place it goes to, durable, for its owner alone.
fn staged(path: &Path, content: &[u8]) -> Result<NamedTempFile, Stop> {
    let failed = |e: std::io::Error| unwritten(path, &e);
    let dir = path.parent().filter(|dir| !dir.as_os_str().is_empty()).unwrap_or(Path::new("."));
    if !dir.is_dir() {
        make_dirs(dir).map_err(failed)?;
    }
    let mut file = tempfile::Builder::new().prefix(".skydeck-").tempfile_in(dir).map_err(failed)?;
    file.write_all(content).map_err(failed)?;
    file.as_file().sync_all().map_err(failed)?;
    Ok(file)
}

/// The directory's entry is durable too; where the file system cannot, the file is there all the same.
fn sync_around(path: &Path) {
    if let Some(dir) = path.parent().and_then(|dir| std::fs::File::open(dir).ok()) {
        let _ = dir.sync_all();
    }
}

fn unwritten(path: &Path, why: &dyn std::fmt::Display) -> Stop {
    let at = path.display();
    Stop::system(Exit::Output, format!("{at}: cannot be written"), format!("{at}：无法写入"), why)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mode(path: &Path) -> u32 {
        std::fs::metadata(path).unwrap().permissions().mode() & 0o777
    }

    fn entries(dir: &Path) -> Vec<String> {
        let mut all: Vec<String> = std::fs::read_dir(dir)
            .unwrap()
            .map(|entry| entry.unwrap().file_name().to_string_lossy().into_owned())
            .collect();
        all.sort();
        all
    }

    #[test]
    fn secret_and_configuration_are_their_owners_and_leave_nothing_beside_them() {
        let dir = tempfile::tempdir().unwrap();
        let at = dir.path().join("new/skydeck");
        let (config, secret) = (at.join("config.toml"), at.join("credentials.d/test"));
        write(&config, "", "# one\n", Some((&secret, &SecretString::from("hunter2")))).unwrap();
        assert_eq!(std::fs::read_to_string(&secret).unwrap(), "hunter2\n");
        assert_eq!(
            (mode(&config), mode(&secret), mode(&at), mode(&at.join("credentials.d"))),
            (0o600, 0o600, 0o700, 0o700)
        );
        assert_eq!(
            (entries(&at), entries(&at.join("credentials.d"))),
            (vec!["config.toml".into(), "credentials.d".into()], vec!["test".into()])
        );
        std::fs::set_permissions(&config, std::fs::Permissions::from_mode(0o640)).unwrap();
        write(&config, "# one\n", "# two\n", None).unwrap();
        assert_eq!(mode(&config), 0o640, "what its owner chose stays");
    }

    #[test]
    fn a_configuration_that_changed_meanwhile_is_left_and_no_secret_is_written() {
        let dir = tempfile::tempdir().unwrap();
        let (config, secret) = (dir.path().join("config.toml"), dir.path().join("credentials.d/test"));
        std::fs::write(&config, "# theirs\n").unwrap();
        let stop = write(&config, "# read\n", "# ours\n", Some((&secret, &SecretString::from("x")))).unwrap_err();
        assert_eq!(stop.exit, Exit::Refused);
        assert_eq!(std::fs::read_to_string(&config).unwrap(), "# theirs\n");
        assert!(entries(&dir.path().join("credentials.d")).is_empty());
        let link = dir.path().join("link.toml");
        std::os::unix::fs::symlink(&config, &link).unwrap();
        write(&link, "# theirs\n", "# ours\n", None).unwrap();
        assert!(link.is_symlink() && std::fs::read_to_string(&config).unwrap() == "# ours\n");
        assert!(write_new(&config, "x").is_err());
        assert_eq!(std::fs::read_to_string(&config).unwrap(), "# ours\n");
    }
}
