//! The owner process: a console that finds none starts one, in a session of its own, and attaches to it. As tmux does.
//!
//! Invariants: what holds the owner lock is the owner, so two that are started at once are one; an owner that ends at
//! once again and again is not started for ever.

use std::collections::VecDeque;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use async_trait::async_trait;
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::sync::watch;

use super::store_stop;
use crate::domain::language::Language;
use crate::exit::{Exit, Stop};
use crate::link::remote::Starter;
use crate::store::file;
use crate::store::local::Raise;
use crate::store::local::place::Place;

/// What an owner that was started prints to, beside its socket.
pub const LOG: &str = "owner.log";
/// Size at which that file is begun anew, bytes.
const LOG_MAX: u64 = 1 << 20;
/// Most starts within [`WITHIN`].
const STARTS: usize = 3;
/// See [`STARTS`].
const WITHIN: Duration = Duration::from_secs(60);

/// What a started owner says on its standard output, a line each, until it serves.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Word {
    /// What it is doing.
    Doing(String),
    /// It serves its socket, or found that another one does.
    Ready,
    /// It cannot: exit code and message.
    Stopped(u8, String),
}

impl Word {
    /// As a line. Messages of several lines become one.
    pub fn line(&self) -> String {
        let flat = |text: &str| text.split_whitespace().collect::<Vec<_>>().join(" ");
        match self {
            Self::Doing(text) => format!("doing {}", flat(text)),
            Self::Ready => "ready".to_owned(),
            Self::Stopped(code, text) => format!("stopped {code} {}", flat(text)),
        }
    }

    /// A line's meaning.
    pub fn of(line: &str) -> Option<Self> {
        match line.split_once(' ') {
            None if line == "ready" => Some(Self::Ready),
            Some(("doing", text)) => Some(Self::Doing(text.to_owned())),
            Some(("stopped", rest)) => {
                let (code, text) = rest.split_once(' ')?;
                Some(Self::Stopped(code.parse().ok()?, text.to_owned()))
            }
            _ => None,
        }
    }
}

/// Why the first owner could not start: ends the console with this code and message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fatal {
    /// Exit code.
    pub code: u8,
    /// Message.
    pub message: String,
}

/// Starts `skydeck serve --detached` with the options of this process.
pub struct Detached {
    data: PathBuf,
    options: Vec<std::ffi::OsString>,
    /// In which the person at the console reads.
    lang: Language,
    starts: Mutex<VecDeque<Instant>>,
    /// Told when the very first start fails; later failures are the console's to show.
    fatal: watch::Sender<Option<Fatal>>,
    progress: watch::Sender<String>,
}

impl Detached {
    /// For this configuration, where one was named, and data directory. `raise`: what was decided about a directory of an earlier version;
    /// `lang`: the language in which the console shows what the owner does before it serves.
    pub fn new(config: Option<&Path>, data: &Path, raise: &Raise, lang: Language) -> Self {
        let mut options = Vec::new();
        if let Some(config) = config {
            options.extend(["--config".into(), absolute(config).into_os_string()]);
        }
        options.extend(["--data".into(), absolute(data).into_os_string()]);
        if *raise == Raise::Plain {
            options.push("--no-backup".into());
        }
        options.extend(["--words".into(), lang.t("en", "zh").into()]);
        Self {
            data: data.to_path_buf(),
            options,
            lang,
            starts: Mutex::default(),
            fatal: watch::Sender::new(None),
            progress: watch::Sender::new(String::new()),
        }
    }

    /// Becomes `Some` when the first start fails.
    pub fn fatal(&self) -> watch::Receiver<Option<Fatal>> {
        self.fatal.subscribe()
    }

    /// Whether this is the first start; an error when there were too many.
    fn count(&self) -> Result<bool, Stop> {
        let mut starts = self.starts.lock().unwrap_or_else(PoisonError::into_inner);
        while starts.front().is_some_and(|at| at.elapsed() > WITHIN) {
            starts.pop_front();
        }
        if starts.len() >= STARTS {
            let log = self.data.join(LOG);
            let log = log.display();
            return Err(Stop::both(
                Exit::Refused,
                format!("the engine was started {STARTS} times within a minute and ended each time; {log} says why"),
                format!("引擎在一分钟内启动了 {STARTS} 次，每次都随即结束；原因见 {log}"),
            ));
        }
        starts.push_back(Instant::now());
        Ok(starts.len() == 1)
    }

    async fn spawn(&self) -> Result<Word, Stop> {
        let log = log_file(&self.data)?;
        let failed = |en: &str, zh: &str, e: &std::io::Error| Stop::system(Exit::Refused, en, zh, e);
        let program = std::env::current_exe()
            .map_err(|e| failed("where this program is cannot be told", "无法确定本程序所在的位置", &e))?;
        let mut child = tokio::process::Command::new(program)
            .args(["serve", "--detached"])
            .args(&self.options)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(log)
            .spawn()
            .map_err(|e| failed("the engine's process cannot be started", "无法启动引擎进程", &e))?;
        let mut last = None;
        if let Some(stdout) = child.stdout.take() {
            let mut lines = BufReader::new(stdout).lines();
            while let Ok(Some(line)) = lines.next_line().await {
                match Word::of(&line) {
                    Some(word @ (Word::Ready | Word::Stopped(..))) => return Ok(word),
                    Some(Word::Doing(text)) => {
                        self.progress.send_replace(text.clone());
                        last = Some(text);
                    }
                    None => {}
                }
            }
        }
        // Reaped by the runtime when it ends after we have let go of it.
        let (log, last) = (self.data.join(LOG), last.unwrap_or_default());
        let log = log.display();
        let frame = |before: &str, after: &str| match last.as_str() {
            "" => String::new(),
            last => format!("{before}{last}{after}"),
        };
        Err(Stop::both(
            Exit::Refused,
            format!("the engine's process ended while it was starting{}; {log} says why", frame(" (it was ", ")")),
            format!("引擎进程在启动过程中结束{}；原因见 {log}", frame("（当时：", "）")),
        ))
    }
}

#[async_trait]
impl Starter for Detached {
    async fn start(&self) -> Result<(), String> {
        let spoken = |stop: Stop| stop.spoken(self.lang);
        let first = self.count().map_err(|stop| spoken(stop).message)?;
        let why = match self.spawn().await {
            Ok(Word::Stopped(code, message)) => Fatal { code, message },
            Ok(_) => return Ok(()),
            Err(stop) => Fatal { code: stop.exit.code(), message: spoken(stop).message },
        };
        if first {
            self.fatal.send_replace(Some(why.clone()));
        }
        Err(why.message)
    }

    fn progress(&self) -> watch::Receiver<String> {
        self.progress.subscribe()
    }
}

fn absolute(path: &Path) -> PathBuf {
    std::path::absolute(path).unwrap_or_else(|_| path.to_path_buf())
}

/// The log, private, begun anew when it has grown long. The directory is checked first, and no link is followed.
fn log_file(data: &Path) -> Result<std::fs::File, Stop> {
    let place = Place::new(data);
    place.prepare().map_err(store_stop)?;
    let path = data.join(LOG);
    let opened = file::ours(std::fs::OpenOptions::new().create(true).append(true), &path).and_then(|log| {
        if log.metadata()?.len() > LOG_MAX {
            log.set_len(0)?;
        }
        Ok(log)
    });
    opened.map_err(|e| store_stop(place.refused(LOG, &e)))
}

/// The process that holds a data directory, by its lock file; `None` where nobody holds it.
///
/// # Errors
/// When the lock is held and does not say by whom.
pub fn holder(data: &Path) -> Result<Option<u32>, Stop> {
    let path = data.join("owner.lock");
    let Ok(lock) = file::open(&path) else { return Ok(None) };
    if lock.try_lock().is_ok() {
        return Ok(None);
    }
    let text = file::read_text(&path, 4096)?;
    let pid = text.lines().find_map(|line| line.strip_prefix("pid ")).and_then(|pid| pid.trim().parse().ok());
    pid.map(Some).ok_or_else(|| {
        let at = path.display();
        Stop::both(
            Exit::Usage,
            format!("{at} does not say which process holds it"),
            format!("{at} 没有写明由哪个进程占用"),
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::{MetadataExt, PermissionsExt};

    #[test]
    fn the_log_is_opened_in_a_directory_that_was_checked_and_through_no_link() {
        let temp = tempfile::tempdir().unwrap();
        let (data, precious) = (temp.path().join("data"), temp.path().join("precious"));
        let log = log_file(&data).unwrap();
        let mode = |meta: std::fs::Metadata| meta.mode() & 0o777;
        assert_eq!((mode(log.metadata().unwrap()), mode(data.metadata().unwrap())), (0o600, 0o700));
        std::fs::remove_file(data.join(LOG)).unwrap();
        std::fs::write(&precious, vec![b'x'; 2 << 20]).unwrap();
        std::os::unix::fs::symlink(&precious, data.join(LOG)).unwrap();
        let why = log_file(&data).unwrap_err().message;
        assert!(why.contains("link"), "{why}");
        assert_eq!(precious.metadata().unwrap().len(), 2 << 20, "long as it is, it was not emptied");
        std::fs::remove_file(data.join(LOG)).unwrap();
        std::fs::set_permissions(&data, std::fs::Permissions::from_mode(0o755)).unwrap();
        let why = log_file(&data).unwrap_err().message;
        assert!(why.contains("others may use it") && !data.join(LOG).exists(), "{why}");
    }

    #[tokio::test]
    async fn an_engine_that_cannot_be_started_says_why_and_what_to_do_in_the_language_of_the_console() {
        let temp = tempfile::tempdir().unwrap();
        let file = temp.path().join("file");
        std::fs::write(&file, "").unwrap();
        let words = [
            (Language::En, "Not a directory (os error 20): name a directory that can be written (`--data DIR`"),
            (Language::Zh, "不是目录（系统错误 20）：请指定可写的目录（`--data 目录`"),
        ];
        for (lang, words) in words {
            let starter = Detached::new(None, &file.join("data"), &Raise::Plain, lang);
            let said = starter.start().await.unwrap_err();
            assert!(said.contains(words), "{said}");
            // With the code that a verb ends with there.
            let fatal = starter.fatal().borrow().clone().unwrap();
            assert_eq!((fatal.code, fatal.message), (Exit::Usage.code(), said));
            starter.start().await.unwrap_err();
            starter.start().await.unwrap_err();
            let said = starter.start().await.unwrap_err();
            assert!(said.contains(lang.t("ended each time", "每次都随即结束")), "{said}");
        }
    }
}
