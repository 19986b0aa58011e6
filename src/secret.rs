//! Fetches secrets from where the configuration says they are kept (reliability.md §4.1).
//!
//! Invariant: a secret is read from a place only its owner can read, and no message ever repeats it.

use std::io::Read;
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use secrecy::{ExposeSecret, SecretString};
use zeroize::Zeroizing;

use crate::config::SecretSource;
use crate::text::without_secrets;

/// Longest secret accepted, bytes.
const MAX: u64 = 4096;
/// Longest private key accepted, bytes.
const MAX_KEY: u64 = 64 << 10;
/// How long a secret command may take.
const COMMAND_LIMIT: Duration = Duration::from_secs(10);

/// A secret that cannot be had: from where, why, and what to do. Never holds the secret.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("secret of {of} from {source_name}: {message}")]
pub struct SecretError {
    /// What it is the secret of.
    pub of: String,
    /// Which source.
    pub source_name: String,
    /// What is wrong and what to do.
    pub message: String,
}

/// The secrets of this process, so that they can be taken out of what it writes down.
#[derive(Default)]
pub struct Known(Mutex<Vec<Zeroizing<String>>>);

/// Shorter ones would blacken ordinary words.
const SHORTEST: usize = 4;

impl Known {
    /// Remembers one.
    pub fn add(&self, secret: &SecretString) {
        let text = Zeroizing::new(secret.expose_secret().to_owned());
        if text.len() >= SHORTEST {
            self.0.lock().unwrap_or_else(PoisonError::into_inner).push(text);
        }
    }

    /// A text without them, and without what looks like a secret by its name.
    pub fn redact(&self, text: &str) -> String {
        let mut text = text.to_owned();
        for secret in self.0.lock().unwrap_or_else(PoisonError::into_inner).iter() {
            if text.contains(secret.as_str()) {
                text = text.replace(secret.as_str(), "[REDACTED]");
            }
        }
        without_secrets(&text)
    }
}

/// Gets the secret of an environment. `base`: directory of the configuration file, for relative paths.
/// A systemd credential `erp-<env>` goes first where there is one.
pub fn fetch(env: &str, source: &SecretSource, base: &Path) -> Result<SecretString, SecretError> {
    fetch_for(&format!("erp-{env}"), &format!("environment {env}"), source, base)
}

/// Gets another secret: `credential` is its name with systemd, `of` what messages call it.
pub fn fetch_for(credential: &str, of: &str, source: &SecretSource, base: &Path) -> Result<SecretString, SecretError> {
    get(credential, of, source, base, Take::Line)
}

/// Gets a secret of several lines: a private key in PEM.
pub fn fetch_key(credential: &str, of: &str, source: &SecretSource, base: &Path) -> Result<SecretString, SecretError> {
    get(credential, of, source, base, Take::Whole)
}

/// How much of a source is the secret.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Take {
    /// Its first line.
    Line,
    /// All of it.
    Whole,
}

impl Take {
    /// Most bytes that are read.
    fn max(self) -> u64 {
        match self {
            Self::Line => MAX,
            Self::Whole => MAX_KEY,
        }
    }

    fn read(self, source: impl Read) -> Result<SecretString, String> {
        let bytes = whole(source, self.max())?;
        match self {
            Self::Line => first_line(&bytes),
            Self::Whole => text_of(&bytes),
        }
    }
}

fn get(
    credential: &str,
    of: &str,
    source: &SecretSource,
    base: &Path,
    take: Take,
) -> Result<SecretString, SecretError> {
    let credential = std::env::var_os("CREDENTIALS_DIRECTORY").map(|dir| PathBuf::from(dir).join(credential));
    let (name, result) = match (credential.filter(|path| path.exists()), source) {
        (Some(path), _) => (path.display().to_string(), from_file(&path, take)),
        (None, SecretSource::File(path)) => {
            let path = base.join(path);
            (path.display().to_string(), from_file(&path, take))
        }
        (None, SecretSource::Command(argv)) => {
            (format!("command {}", argv.first().map_or("", String::as_str)), from_command(argv, take))
        }
        (None, SecretSource::Prompt) => ("the terminal".to_owned(), from_prompt(of)),
    };
    result.map_err(|message| SecretError { of: of.to_owned(), source_name: name, message })
}

fn from_file(path: &Path, take: Take) -> Result<SecretString, String> {
    let no_follow =
        rustix::fs::OFlags::NOFOLLOW.bits().cast_signed() | rustix::fs::OFlags::NONBLOCK.bits().cast_signed();
    let file = std::fs::OpenOptions::new().read(true).custom_flags(no_follow).open(path).map_err(|e| {
        let hint = if path.is_symlink() { "; it is a symbolic link, name the file itself" } else { "" };
        format!("cannot be opened: {e}{hint}")
    })?;
    let meta = file.metadata().map_err(|e| format!("cannot be examined: {e}"))?;
    if !meta.is_file() {
        return Err("is no ordinary file".to_owned());
    }
    if meta.uid() != rustix::process::geteuid().as_raw() {
        return Err("belongs to another user; it must be yours".to_owned());
    }
    if meta.mode() & 0o077 != 0 {
        return Err(format!("others may read it (mode {:o}); run chmod 600", meta.mode() & 0o777));
    }
    take.read(file)
}

fn from_command(argv: &[String], take: Take) -> Result<SecretString, String> {
    let (program, args) = argv.split_first().ok_or("the command is empty")?;
    let mut child = Command::new(program)
        .args(args)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .map_err(|e| format!("cannot be started: {e}"))?;
    let stdout = child.stdout.take().ok_or("gives no output")?;
    let (send, receive) = std::sync::mpsc::sync_channel(1);
    std::thread::spawn(move || {
        let _ = send.send(take.read(stdout));
    });
    let began = Instant::now();
    let secret = receive.recv_timeout(COMMAND_LIMIT);
    let status = loop {
        match child.try_wait() {
            Ok(Some(status)) => break Some(status),
            Ok(None) if secret.is_ok() && began.elapsed() < COMMAND_LIMIT => {
                std::thread::sleep(Duration::from_millis(5))
            }
            _ => break None,
        }
    };
    if status.is_none() {
        let _ = child.kill();
        let _ = child.wait();
    }
    match (secret, status) {
        (Err(_), _) | (_, None) => Err(format!("did not end within {} s", COMMAND_LIMIT.as_secs())),
        (Ok(_), Some(status)) if !status.success() => Err(format!("ended with {status}")),
        (Ok(result), Some(_)) => result,
    }
}

fn from_prompt(of: &str) -> Result<SecretString, String> {
    rpassword::prompt_password(format!("Secret of {of}: "))
        .map(SecretString::from)
        .map_err(|e| format!("cannot be asked for: {e}; there is no terminal, use a file or a command"))
}

fn whole(source: impl Read, max: u64) -> Result<Zeroizing<Vec<u8>>, String> {
    let mut bytes = Zeroizing::new(Vec::with_capacity(256));
    source.take(max + 1).read_to_end(&mut bytes).map_err(|e| format!("cannot be read: {e}"))?;
    if bytes.len() as u64 > max { Err(format!("is longer than {max} bytes")) } else { Ok(bytes) }
}

/// The first line; a carriage return or a NUL is refused, because it would change the secret's meaning.
fn first_line(bytes: &[u8]) -> Result<SecretString, String> {
    let line = bytes.split(|b| *b == b'\n').next().unwrap_or_default();
    if line.iter().any(|b| *b == b'\r' || *b == 0) {
        return Err("holds a carriage return or NUL; save it with plain line ends".to_owned());
    }
    text_of(line)
}

fn text_of(bytes: &[u8]) -> Result<SecretString, String> {
    let text = std::str::from_utf8(bytes).map_err(|_| "is not UTF-8".to_owned())?;
    if text.is_empty() {
        return Err("is empty".to_owned());
    }
    Ok(SecretString::from(text.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use secrecy::ExposeSecret;
    use std::os::unix::fs::PermissionsExt;

    fn file(dir: &Path, name: &str, content: &[u8], mode: u32) -> SecretSource {
        let path = dir.join(name);
        std::fs::write(&path, content).unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(mode)).unwrap();
        SecretSource::File(path)
    }

    #[test]
    fn only_a_private_clean_file_gives_a_secret() {
        let dir = tempfile::tempdir().unwrap();
        let d = dir.path();
        let good = file(d, "good", b"hunter2\nsecond line", 0o600);
        assert_eq!(fetch("e", &good, d).unwrap().expose_secret(), "hunter2");
        std::os::unix::fs::symlink(d.join("good"), d.join("link")).unwrap();
        let long = vec![b'x'; 5000];
        for (source, words) in [
            (file(d, "open", b"hunter2", 0o644), "chmod 600"),
            (file(d, "cr", b"hunter2\r\n", 0o600), "carriage return"),
            (file(d, "empty", b"", 0o600), "empty"),
            (file(d, "long", &long, 0o600), "longer"),
            (SecretSource::File(d.join("link")), "symbolic link"),
            (SecretSource::File(d.join("none")), "cannot be opened"),
            (SecretSource::Command(vec!["false".into()]), "ended with"),
            (SecretSource::Command(vec!["no-such-program-here".into()]), "cannot be started"),
        ] {
            let error = fetch("e", &source, d).unwrap_err();
            assert!(error.message.contains(words), "{error}");
            assert!(!error.to_string().contains("hunter2"));
        }
        let key = b"-----BEGIN PRIVATE KEY-----\r\nhunter2\r\n-----END PRIVATE KEY-----\r\n";
        let whole = fetch_key("c", "e", &file(d, "key", key, 0o600), d).unwrap();
        assert_eq!(whole.expose_secret().as_bytes(), key, "a key is of several lines, however they end");
        for (content, mode, words) in
            [(&key[..], 0o640, "chmod 600"), (&vec![b'x'; 70_000][..], 0o600, "longer"), (b"", 0o600, "empty")]
        {
            let error = fetch_key("c", "e", &file(d, "wrong", content, mode), d).unwrap_err();
            assert!(error.message.contains(words), "{error}");
        }
        let command = SecretSource::Command(vec!["printf".into(), "hunter2\\n".into()]);
        assert_eq!(fetch("e", &command, d).unwrap().expose_secret(), "hunter2");
    }
}
