//! Fetches secrets from where the configuration says they are kept (docs/design/access.md#secrets).
//!
//! Invariants: a secret is read from a place only its owner can read, and no message ever repeats it; what it holds beside
//! the secret itself (a byte order mark, a blank at an end) is refused before it costs a sign-in; a process that holds one
//! leaves no core dump.

mod error;

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
use crate::text::{Redactor, without_secrets};

pub use self::error::{From, Of, SecretError, SecretFault};

/// Longest secret accepted, bytes.
const MAX: u64 = 4096;
/// Longest private key accepted, bytes.
const MAX_KEY: u64 = 64 << 10;
/// How long a secret command may take.
const COMMAND_LIMIT: Duration = Duration::from_secs(10);

/// The secrets of this process, so that they can be taken out of what it writes down.
#[derive(Default)]
pub struct Known(Mutex<Redactor>);

impl Known {
    /// Remembers one.
    pub fn add(&self, secret: &SecretString) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).add(secret.expose_secret());
    }

    /// A text without them, and without what looks like a secret by its name.
    pub fn redact(&self, text: &str) -> String {
        without_secrets(&self.0.lock().unwrap_or_else(PoisonError::into_inner).text(text))
    }
}

/// Gets a secret. `base`: directory of the configuration file, for relative paths. A systemd credential of its name (`erp-<env>`
/// and so on) goes first where there is one.
pub fn fetch(of: &Of, source: &SecretSource, base: &Path) -> Result<SecretString, SecretError> {
    get(of, source, base, Take::Line)
}

/// Gets a secret of several lines: a private key in PEM.
pub fn fetch_key(of: &Of, source: &SecretSource, base: &Path) -> Result<SecretString, SecretError> {
    get(of, source, base, Take::Whole)
}

/// A secret as somebody typed it.
///
/// # Errors
/// What about it cannot be part of a secret.
pub fn typed(line: &[u8]) -> Result<SecretString, SecretFault> {
    keep_out_of_dumps();
    if line.len() as u64 > MAX { Err(SecretFault::TooLong { max: MAX }) } else { Take::Line.secret(line) }
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

    fn read(self, source: impl Read) -> Result<SecretString, SecretFault> {
        let bytes = whole(source, self.max())?;
        let text = match self {
            Self::Line => bytes.split(|b| *b == b'\n').next().unwrap_or_default(),
            Self::Whole => &bytes,
        };
        self.secret(text)
    }

    /// A text that can be the secret, or what about it must be mended where it is kept.
    fn secret(self, bytes: &[u8]) -> Result<SecretString, SecretFault> {
        let text = std::str::from_utf8(bytes).map_err(|_| SecretFault::NotText)?;
        let of_lines = |c: char| self == Self::Whole && matches!(c, '\n' | '\r' | '\t');
        Err(if text.is_empty() {
            SecretFault::Empty
        } else if text.starts_with('\u{feff}') {
            SecretFault::ByteOrderMark
        } else if text.contains(['\r', '\0']) && self == Self::Line {
            SecretFault::LineEnd
        } else if text.chars().any(|c| c.is_control() && !of_lines(c)) {
            SecretFault::Control
        } else if text.contains(is_unseen) {
            SecretFault::Unseen
        } else if self == Self::Line && text.trim() != text {
            SecretFault::Blank
        } else {
            return Ok(SecretString::from(text.to_owned()));
        })
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

fn get(of: &Of, source: &SecretSource, base: &Path, take: Take) -> Result<SecretString, SecretError> {
    keep_out_of_dumps();
    let credential = std::env::var_os("CREDENTIALS_DIRECTORY").map(|dir| PathBuf::from(dir).join(of.credential()));
    let (from, result) = match (credential.filter(|path| path.exists()), source) {
        (Some(path), _) => (From::File(path.clone()), from_file(&path, take)),
        (None, SecretSource::File(path)) => {
            let path = base.join(path);
            (From::File(path.clone()), from_file(&path, take))
        }
        (None, SecretSource::Command(argv)) => {
            (From::Command(argv.first().cloned().unwrap_or_default()), from_command(argv, take))
        }
        (None, SecretSource::Prompt) => (From::Terminal, from_prompt(of, take)),
    };
    result.map_err(|fault| SecretError { of: of.clone(), from, fault })
}

fn from_file(path: &Path, take: Take) -> Result<SecretString, SecretFault> {
    let no_follow =
        rustix::fs::OFlags::NOFOLLOW.bits().cast_signed() | rustix::fs::OFlags::NONBLOCK.bits().cast_signed();
    let opened = std::fs::OpenOptions::new().read(true).custom_flags(no_follow).open(path);
    let file = opened.map_err(|e| SecretFault::Unopened { said: e.to_string(), is_link: path.is_symlink() })?;
    let meta = file.metadata().map_err(|e| SecretFault::Unread { said: e.to_string() })?;
    if !meta.is_file() {
        return Err(SecretFault::NotOrdinary);
    }
    if meta.uid() != rustix::process::geteuid().as_raw() {
        return Err(SecretFault::NotOurs);
    }
    if meta.mode() & 0o077 != 0 {
        return Err(SecretFault::Open { mode: meta.mode() & 0o777 });
    }
    take.read(file)
}

fn from_command(argv: &[String], take: Take) -> Result<SecretString, SecretFault> {
    from_command_within(argv, take, COMMAND_LIMIT)
}

/// The command is the head of a process group of its own, which ends with its time: what it started must not go on, with
/// the secret, after we have given up.
fn from_command_within(argv: &[String], take: Take, limit: Duration) -> Result<SecretString, SecretFault> {
    let (program, args) = argv.split_first().ok_or(SecretFault::NoCommand)?;
    let mut child = Command::new(program)
        .args(args)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .process_group(0)
        .spawn()
        .map_err(|e| SecretFault::Unstarted { said: e.to_string() })?;
    let stdout = child.stdout.take().ok_or(SecretFault::Empty)?;
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
        (Err(_), _) | (_, None) => Err(SecretFault::Endless { seconds: limit.as_secs() }),
        (Ok(_), Some(status)) if !status.success() => Err(SecretFault::Failed { status: status.to_string() }),
        (Ok(result), Some(_)) => result,
    }
}

fn from_prompt(of: &Of, take: Take) -> Result<SecretString, SecretFault> {
    let typed = rpassword::prompt_password(format!("Secret of {}: ", of.en()))
        .map(Zeroizing::new)
        .map_err(|e| SecretFault::NoTerminal { said: e.to_string() })?;
    take.secret(typed.as_bytes())
}

fn whole(source: impl Read, max: u64) -> Result<Zeroizing<Vec<u8>>, SecretFault> {
    let mut bytes = Zeroizing::new(Vec::with_capacity(256));
    source.take(max + 1).read_to_end(&mut bytes).map_err(|e| SecretFault::Unread { said: e.to_string() })?;
    if bytes.len() as u64 > max { Err(SecretFault::TooLong { max }) } else { Ok(bytes) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use secrecy::ExposeSecret;
    use std::os::unix::fs::PermissionsExt;

    fn of() -> Of {
        Of::Environment("e".into(), None)
    }

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
        assert_eq!(fetch(&of(), &good, d).unwrap().expose_secret(), "hunter2");
        std::os::unix::fs::symlink(d.join("good"), d.join("link")).unwrap();
        let long = vec![b'x'; 5000];
        for (source, words, zh) in [
            (file(d, "open", b"hunter2", 0o644), "mode 644); run chmod 600", "权限 644"),
            (file(d, "group", b"hunter2", 0o610), "mode 610); run chmod 600", "chmod 600"),
            (file(d, "cr", b"hunter2\r\n", 0o600), "carriage return", "回车符"),
            (file(d, "empty", b"", 0o600), "empty", "为空"),
            (file(d, "long", &long, 0o600), "longer than 4096 bytes", "超过 4096 字节"),
            (file(d, "binary", b"hunter2\xff", 0o600), "not UTF-8", "不是 UTF-8"),
            (SecretSource::File(d.to_path_buf()), "no ordinary file", "不是普通文件"),
            (SecretSource::File(d.join("link")), "symbolic link", "符号链接"),
            (SecretSource::File(d.join("none")), "cannot be opened", "无法打开"),
            (SecretSource::Command(vec!["false".into()]), "command false: ended with", "命令 false）：以"),
            (SecretSource::Command(vec!["no-such-program-here".into()]), "cannot be started", "无法启动"),
            (SecretSource::Command(vec![]), "the command is empty", "命令为空"),
        ] {
            let error = fetch(&of(), &source, d).unwrap_err();
            assert!(error.to_string().contains(words) && error.zh().contains(zh), "{error} {}", error.zh());
            assert!(error.en().starts_with("secret of environment e from ") && error.zh().starts_with("环境 e 的密钥"));
            let holds = format!("{error:?}{error}{}", error.zh());
            assert!(!holds.contains("hunter2") && !holds.contains("xxxx"), "{holds}");
        }
        let key = b"-----BEGIN PRIVATE KEY-----\r\nhunter2\r\n-----END PRIVATE KEY-----\r\n";
        let whole = fetch_key(&of(), &file(d, "key", key, 0o600), d).unwrap();
        assert_eq!(whole.expose_secret().as_bytes(), key, "a key is of several lines, however they end");
        for (content, mode, words) in
            [(&key[..], 0o640, "chmod 600"), (&vec![b'x'; 70_000][..], 0o600, "longer"), (b"", 0o600, "empty")]
        {
            let error = fetch_key(&of(), &file(d, "wrong", content, mode), d).unwrap_err();
            assert!(error.en().contains(words), "{error}");
        }
        let command = SecretSource::Command(vec!["printf".into(), "hunter2\\n".into()]);
        assert_eq!(fetch(&of(), &command, d).unwrap().expose_secret(), "hunter2");
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
            let fault = Take::Line.secret(text.as_bytes()).unwrap_err();
            let both = format!("{} {} {fault:?}", fault.en(), fault.zh());
            assert!(both.contains(words) && !both.contains("ter2"), "{text:?}: {both}");
        }
        for good in ["hunter2", "hunter 2", "口令 二", "a=b;c\"'\\"] {
            assert_eq!(Take::Line.secret(good.as_bytes()).unwrap().expose_secret(), good);
        }
        let dir = tempfile::tempdir().unwrap();
        let error = fetch(&of(), &file(dir.path(), "bom", b"\xef\xbb\xbfhunter2\n", 0o600), dir.path()).unwrap_err();
        assert_eq!(error.fault, SecretFault::ByteOrderMark, "{error}");
        let key = "\u{feff}-----BEGIN PRIVATE KEY-----\n";
        assert!(Take::Whole.secret(key.as_bytes()).is_err());
        assert!(Take::Whole.secret(b"a\r\n\tb \n").is_ok(), "a key is of several lines");
    }

    #[test]
    fn what_a_secret_is_of_has_a_credential_and_words() {
        for (of, credential, en, zh) in [
            (Of::Environment("prod".into(), None), "erp-prod", "environment prod", "环境 prod "),
            (
                Of::Environment("prod".into(), Some("second_password")),
                "erp-prod-second-password",
                "environment prod (second_password)",
                "环境 prod（second_password）",
            ),
            (Of::Alerts("ops".into(), "token"), "alert-ops-token", "alert target ops (token)", "告警目标 ops（token）"),
        ] {
            assert_eq!((of.credential().as_str(), of.en().as_str(), of.zh().as_str()), (credential, en, zh));
        }
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
            assert_eq!(error, SecretFault::Endless { seconds: 1 });
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
