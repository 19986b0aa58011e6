//! What owner and mode permit and the host denies all the same: SELinux, AppArmor, and their like.
//!
//! Invariant: nothing that anybody can see is made; a file without a name is tried, and is gone with its handle.

use std::io::ErrorKind;
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;

use rustix::fs::{Access, Mode, OFlags};
use rustix::io::Errno;

use super::{Check, Out, room};
use crate::store::local::place::quoted;
use crate::text::show;

/// The longest label that is looked at, bytes.
const LABEL: usize = 256;

/// Why no file can be made in a directory.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Barred {
    /// Read-only, another user's, marked immutable, or no directory.
    Mode,
    /// Owner and mode permit it.
    Host,
}

/// Whether files can be made in a directory.
pub fn makes_files(dir: &Path) -> Result<(), Barred> {
    if !dir.is_dir() || room(dir).is_some_and(|room| room.read_only) {
        return Err(Barred::Mode);
    }
    match rustix::fs::access(dir, Access::WRITE_OK | Access::EXEC_OK) {
        // Where a directory lies above that may not be entered, nothing is known of this one: `is_dir` has said no.
        Err(Errno::ACCESS) if owner_may(dir, 0o300) => return Err(Barred::Host),
        Err(_) => return Err(Barred::Mode),
        Ok(()) => {}
    }
    // AppArmor and Landlock do not answer the question before, and 3.10 or a disk may know no file without a name.
    let flags = OFlags::TMPFILE | OFlags::RDWR | OFlags::CLOEXEC;
    match rustix::fs::open(dir, flags, Mode::RUSR | Mode::WUSR) {
        Err(Errno::ACCESS) => Err(Barred::Host),
        Ok(_) | Err(_) => Ok(()),
    }
}

/// Whether a file is there that the host does not let this user read, and its owner and mode do.
pub fn is_read_denied(file: &Path) -> bool {
    let is_denied = std::fs::File::open(file).is_err_and(|e| e.kind() == ErrorKind::PermissionDenied);
    is_denied && owner_may(file, 0o400)
}

/// Whether a thing is this user's own, and its mode gives him these rights: no list of others' rights can take them away.
fn owner_may(path: &Path, rights: u32) -> bool {
    let me = rustix::process::geteuid().as_raw();
    std::fs::metadata(path).is_ok_and(|meta| meta.uid() == me && meta.mode() & rights == rights)
}

/// The label that SELinux knows a thing by.
fn label(path: &Path) -> Option<String> {
    let mut bytes = [0_u8; LABEL];
    let len = rustix::fs::getxattr(path, "security.selinux", &mut bytes).ok()?;
    let text = String::from_utf8_lossy(bytes.get(..len)?).trim_end_matches('\0').to_owned();
    (!text.is_empty()).then(|| show(&text, 200).into_string())
}

/// The denial, and where the host says more of it.
pub fn check(out: &Out, name: &'static str, path: &Path) -> Check {
    let at = show(&path.display().to_string(), 400).into_string();
    if let Some(label) = label(path) {
        let (en, zh) = (
            format!("{at}: owner and mode permit it, and the host denies it; its SELinux label is {label}"),
            format!("{at}：属主和权限允许，但被主机拒绝；其 SELinux 标签为 {label}"),
        );
        let dir = quoted(path);
        let (next_en, next_zh) = (
            format!("`ausearch -m avc -c skydeck` names what was denied; `restorecon -Rv {dir}` sets the label right"),
            format!("`ausearch -m avc -c skydeck` 列出被拒绝的操作；`restorecon -Rv {dir}` 恢复标签"),
        );
        return Check::bars(name, out.t(&en, &zh), out.t(&next_en, &next_zh));
    }
    let (en, zh) = (
        format!(
            "{at}: owner and mode permit it, and the host denies it (AppArmor, a sandbox, or a network disk's server)"
        ),
        format!("{at}：属主和权限允许，但被主机拒绝（AppArmor、沙箱，或网络磁盘的服务器）"),
    );
    let next = out.t(
        "`journalctl -k | grep -i denied` names what was denied; let the profile permit this path, or name another one",
        "`journalctl -k | grep -i denied` 列出被拒绝的操作；请在策略中允许该路径，或改用其他路径",
    );
    Check::bars(name, out.t(&en, &zh), next)
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    #[test]
    fn owner_and_mode_are_asked_before_the_host_is_blamed() {
        let temp = tempfile::tempdir().unwrap();
        let (dir, file) = (temp.path().join("dir"), temp.path().join("file"));
        std::fs::create_dir(&dir).unwrap();
        std::fs::write(&file, "x").unwrap();
        assert_eq!(makes_files(&dir), Ok(()));
        assert_eq!(std::fs::read_dir(&dir).unwrap().count(), 0, "what was tried has no name");
        assert_eq!(makes_files(&file), Err(Barred::Mode));
        assert_eq!(makes_files(&temp.path().join("nothing")), Err(Barred::Mode));
        let mode = |path: &Path, mode| std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).unwrap();
        assert!(owner_may(&dir, 0o300));
        mode(&dir, 0o500);
        assert!(!owner_may(&dir, 0o300) && owner_may(&dir, 0o500));
        mode(&file, 0o000);
        assert!(!is_read_denied(&file) && !is_read_denied(&dir.join("nothing")));
        mode(&dir, 0o700);
    }
}
