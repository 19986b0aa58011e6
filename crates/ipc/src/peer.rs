//! A socket's address, however long its path is, and who answers there.
//!
//! Invariant: nothing is said to a process that may have put its socket where the owner's is expected.

use std::fs::File;
use std::io::{Error, ErrorKind, Result};
use std::os::fd::AsRawFd;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use rustix::fs::OFlags;

/// Longest path that the system takes for a socket, bytes.
const LONGEST: usize = 107;

/// A path that the system takes for a socket, as long as this value lives.
pub struct Address {
    path: PathBuf,
    _dir: Option<File>,
}

impl Address {
    /// Of a path of any length: a long one is reached through its directory, where the system shows what is open.
    pub fn of(path: &Path) -> Result<Self> {
        if path.as_os_str().as_bytes().len() <= LONGEST {
            return Ok(Self { path: path.to_path_buf(), _dir: None });
        }
        let (Some(dir), Some(name)) = (path.parent(), path.file_name()) else { return Err(too_long(path)) };
        let flags = i32::try_from((OFlags::PATH | OFlags::DIRECTORY).bits()).unwrap_or_default();
        let dir = std::fs::OpenOptions::new().read(true).custom_flags(flags).open(dir)?;
        let short = Path::new("/proc/self/fd").join(dir.as_raw_fd().to_string());
        if !short.exists() || short.as_os_str().len() + name.len() >= LONGEST {
            return Err(too_long(path));
        }
        Ok(Self { path: short.join(name), _dir: Some(dir) })
    }

    /// The path.
    pub fn path(&self) -> &Path {
        &self.path
    }
}

fn too_long(path: &Path) -> Error {
    let n = path.as_os_str().as_bytes().len();
    Error::new(
        ErrorKind::InvalidInput,
        format!("a socket's path takes {LONGEST} bytes, and this one has {n}: use a directory with a shorter path"),
    )
}

/// Why whoever answers at a socket is not believed to be its owner; `None` where he is. `expected`: whom the caller named.
pub fn mistrusted(uid: u32, socket: &Path, expected: Option<u32>) -> Option<String> {
    let me = rustix::process::geteuid().as_raw();
    let name = |uid: u32| {
        let known = nix::unistd::User::from_uid(nix::unistd::Uid::from_raw(uid)).ok().flatten();
        known.map_or_else(|| uid.to_string(), |user| format!("{uid} ({})", user.name))
    };
    if let Some(expected) = expected {
        return (uid != expected).then(|| {
            let (is, wanted) = (name(uid), name(expected));
            format!("{} is served by user id {is}, not by {wanted}: nothing was said to it", socket.display())
        });
    }
    let dir = socket.parent().filter(|dir| !dir.as_os_str().is_empty()).unwrap_or_else(|| Path::new("."));
    // Only its owner can have put a socket into a directory that nobody else can write to.
    let is_his = std::fs::metadata(dir).is_ok_and(|meta| meta.uid() == uid && meta.mode() & 0o022 == 0);
    (uid != me && uid != 0 && !is_his).then(|| {
        format!(
            "{} is served by user id {}, and others than he can put a socket into {}: nothing was said to it. Where that is \
             the user you mean, say `--owner {uid}`",
            socket.display(),
            name(uid),
            dir.display()
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::net::{UnixListener, UnixStream};

    #[test]
    fn a_long_path_is_served_and_reached() {
        let temp = tempfile::tempdir().unwrap();
        let dir = temp.path().join("d".repeat(120));
        std::fs::create_dir(&dir).unwrap();
        let socket = dir.join("owner.sock");
        assert!(UnixListener::bind(&socket).is_err(), "the system does not take it");
        let _listener = UnixListener::bind(Address::of(&socket).unwrap().path()).unwrap();
        assert!(socket.exists());
        UnixStream::connect(Address::of(&socket).unwrap().path()).unwrap();
        let name = dir.join("n".repeat(120));
        assert!(Address::of(&name).err().unwrap().to_string().contains("shorter"));
    }

    #[test]
    fn somebody_elses_socket_is_believed_only_where_he_alone_could_put_it() {
        let temp = tempfile::tempdir().unwrap();
        let socket = temp.path().join("owner.sock");
        let (me, other) = (rustix::process::geteuid().as_raw(), 70_009);
        let mode = |mode: u32| {
            std::fs::set_permissions(temp.path(), std::os::unix::fs::PermissionsExt::from_mode(mode)).unwrap();
        };
        for bits in [0o700, 0o755, 0o777] {
            mode(bits);
            assert_eq!(mistrusted(me, &socket, None), None);
            let why = mistrusted(other, &socket, None).unwrap();
            assert!(why.contains("70009") && why.contains("--owner"), "{why}");
            assert_eq!(mistrusted(other, &socket, Some(other)), None);
            assert!(mistrusted(me, &socket, Some(other)).is_some());
        }
    }
}
