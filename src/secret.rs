//! Fetches secrets from where the configuration says they are kept (docs/design/access.md#secrets).
//!
//! Invariants: a secret is read from a place only its owner can read, and no message ever repeats it; what it holds beside
//! the secret itself (a byte order mark, a blank at an end) is refused before it costs a sign-in; a process that holds one
//! leaves no core dump.

use std::io::Read;
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal};
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
        let text = match self {
            Self::Line => bytes.split(|b| *b == b'\n').next().unwrap_or_default(),
            Self::Whole => &bytes,
        };
        self.secret(text)
    }

    /// A text that can be the secret, or what about it must be mended where it is kept.
    fn secret(self, bytes: &[u8]) -> Result<SecretString, String> {
        let text = std::str::from_utf8(bytes).map_err(|_| "is not UTF-8".to_owned())?;
        let of_lines = |c: char| self == Self::Whole && matches!(c, '\n' | '\r' | '\t');
        let fault = if text.is_empty() {
            "is empty"
        } else if text.starts_with('\u{feff}') {
            "begins with a byte order mark; save it as UTF-8 without one"
        } else if text.contains(['\r', '\0']) && self == Self::Line {
            "holds a carriage return or NUL; save it with plain line ends"
        } else if text.chars().any(|c| c.is_control() && !of_lines(c)) {
            "holds a control character (a tabulator or escape, perhaps); write it again without"
        } else if text.contains(is_unseen) {
            "holds a character that cannot be seen (a zero-width space or direction mark); write it again without"
        } else if self == Self::Line && text.trim() != text {
            "has a blank at its beginning or end; take it away"
        } else {
            return Ok(SecretString::from(text.to_owned()));
        };
        Err(fault.to_owned())
    }
}

/// Characters that copying out of a page or chat brings along.
fn is_unseen(c: char) -> bool {
    matches!(c, '\u{ad}' | '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{2069}' | '\u{feff}')
}

/// From here on this process is never written into a core file, nor can another one of the same user read its memory.
fn keep_out_of_dumps() {
    use rustix::process::{DumpableBehavior, Resource, Rlimit, set_dumpable_behavior, setrlimit};
    // The limit is what children inherit; the flag is this process's own. Where one is refused, the other one holds.
    let _ = setrlimit(Resource::Core, Rlimit { current: Some(0), maximum: Some(0) });
    let _ = set_dumpable_behavior(DumpableBehavior::NotDumpable);
}

fn get(
    credential: &str,
    of: &str,
    source: &SecretSource,
    base: &Path,
    take: Take,
) -> Result<SecretString, SecretError> {
    keep_out_of_dumps();
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
        (None, SecretSource::Prompt) => ("the terminal".to_owned(), from_prompt(of, take)),
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
    from_command_within(argv, take, COMMAND_LIMIT)
}

/// The command is the head of a process group of its own, which ends with its time: what it started must not go on, with
/// the secret, after we have given up.
fn from_command_within(argv: &[String], take: Take, limit: Duration) -> Result<SecretString, String> {
    let (program, args) = argv.split_first().ok_or("the command is empty")?;
    let mut child = Command::new(program)
        .args(args)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .process_group(0)
        .spawn()
        .map_err(|e| format!("cannot be started: {e}"))?;
    let stdout = child.stdout.take().ok_or("gives no output")?;
    let (send, receive) = std::sync::mpsc::sync_channel(1);
    std::thread::spawn(move || {
        let _ = send.send(take.read(stdout));
    });
    let began = Instant::now();
    let secret = receive.recv_timeout(limit);
    let status = loop {
        // Not reaped after its time: as long as it is not, the group's number is nobody else's.
        if secret.is_err() || began.elapsed() >= limit {
            break None;
        }
        match child.try_wait() {
            Ok(Some(status)) => break Some(status),
            Ok(None) => std::thread::sleep(Duration::from_millis(5)),
            Err(_) => break None,
        }
    };
    if status.is_none() {
        let _ = rustix::process::kill_process_group(Pid::from_child(&child), Signal::KILL);
        let _ = child.wait();
    }
    match (secret, status) {
        (Err(_), _) | (_, None) => Err(format!("did not end within {} s", limit.as_secs())),
        (Ok(_), Some(status)) if !status.success() => Err(format!("ended with {status}")),
        (Ok(result), Some(_)) => result,
    }
}

fn from_prompt(of: &str, take: Take) -> Result<SecretString, String> {
    let typed = rpassword::prompt_password(format!("Secret of {of}: "))
        .map(Zeroizing::new)
        .map_err(|e| format!("cannot be asked for: {e}; there is no terminal, use a file or a command"))?;
    take.secret(typed.as_bytes())
}

fn whole(source: impl Read, max: u64) -> Result<Zeroizing<Vec<u8>>, String> {
    let mut bytes = Zeroizing::new(Vec::with_capacity(256));
    source.take(max + 1).read_to_end(&mut bytes).map_err(|e| format!("cannot be read: {e}"))?;
    if bytes.len() as u64 > max { Err(format!("is longer than {max} bytes")) } else { Ok(bytes) }
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
    #[test]
    fn what_is_no_part_of_a_secret_is_refused_and_never_repeated() {
        for (text, words) in [
            ("\u{feff}hunter2", "byte order mark"),
            (" hunter2", "blank at its beginning or end"),
            ("hunter2 ", "blank at its beginning or end"),
            ("hunter2\u{3000}", "blank at its beginning or end"),
            ("\u{a0}hunter2", "blank at its beginning or end"),
            ("hun\tter2", "control character"),
            ("hunter2\u{1b}[0m", "control character"),
            ("hunter2\u{85}", "control character"),
            ("hunter2\u{200b}", "cannot be seen"),
            ("hun\u{202e}ter2", "cannot be seen"),
            ("hun\0ter2", "NUL"),
        ] {
            let error = Take::Line.secret(text.as_bytes()).unwrap_err();
            assert!(error.contains(words) && !error.contains("ter2"), "{text:?}: {error}");
        }
        for good in ["hunter2", "hunter 2", "口令 二", "a=b;c\"'\\"] {
            assert_eq!(Take::Line.secret(good.as_bytes()).unwrap().expose_secret(), good);
        }
        let dir = tempfile::tempdir().unwrap();
        let error = fetch("e", &file(dir.path(), "bom", b"\xef\xbb\xbfhunter2\n", 0o600), dir.path()).unwrap_err();
        assert!(error.message.contains("byte order mark"), "{error}");
        let key = "\u{feff}-----BEGIN PRIVATE KEY-----\n";
        assert!(Take::Whole.secret(key.as_bytes()).is_err());
        assert!(Take::Whole.secret(b"a\r\n\tb \n").is_ok(), "a key is of several lines");
    }

    #[test]
    fn a_commands_whole_group_ends_with_its_time() {
        let dir = tempfile::tempdir().unwrap();
        let mark = dir.path().join("pids");
        // Its children ignore what they can, and one of them holds the output open after the command itself has gone.
        let script =
            format!("(trap '' TERM HUP INT; sleep 1000) & echo $! > {0}; sleep 1000 & echo $! >> {0}", mark.display());
        for script in [format!("{script}; wait"), script] {
            let argv = ["sh", "-c", &script].map(str::to_owned);
            let error = from_command_within(&argv, Take::Line, Duration::from_secs(1)).unwrap_err();
            assert!(error.contains("did not end within"), "{error}");
            let pids = std::fs::read_to_string(&mark).unwrap();
            assert_eq!(pids.lines().count(), 2);
            for pid in pids.lines() {
                let until = Instant::now() + Duration::from_secs(20);
                while is_running(pid) {
                    assert!(Instant::now() < until, "process {pid} outlived its command");
                    std::thread::sleep(Duration::from_millis(5));
                }
            }
        }
    }

    /// Whether a process is there and no zombie that nobody reaps.
    fn is_running(pid: &str) -> bool {
        let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
        stat.rsplit_once(") ").is_some_and(|(_, state)| !state.starts_with('Z'))
    }
}
