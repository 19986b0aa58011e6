//! The structured log of a process that holds a data directory: a file of bounded size, or standard error for a service
//! manager.
//!
//! Invariant: no line leaves before every secret of this process, and what looks like one by its name, is taken out of it.

use std::fs::OpenOptions;
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use file_rotate::compression::Compression;
use file_rotate::suffix::AppendCount;
use file_rotate::{ContentLimit, FileRotate};
use rustix::fs::OFlags;
use tracing::level_filters::LevelFilter;
use tracing_subscriber::fmt::MakeWriter;

use crate::config::{LogConfig, LogFormat, LogLevel};
use crate::secret::Known;
use crate::text::{json_safe, show};

/// Name of the file in the data directory.
pub const FILE: &str = "skydeck.log";
/// Size at which a file is put aside, bytes.
const SIZE: usize = 8 << 20;
/// Longest line, bytes.
const LINE: usize = 64 * 1024;
/// Files put aside that are kept.
const KEPT: usize = 3;

/// How a process logs.
pub struct Logging {
    config: LogConfig,
    known: Arc<Known>,
    stderr: bool,
    /// No console in this process: its panics are said by the log alone.
    serves: bool,
    off: bool,
}

impl Logging {
    /// Into the file of the data directory.
    pub fn new(config: LogConfig, known: Arc<Known>) -> Self {
        Self { config, known, stderr: false, serves: false, off: false }
    }

    /// Not at all: for measuring.
    pub fn off() -> Self {
        Self { config: LogConfig::default(), known: Arc::default(), stderr: false, serves: false, off: true }
    }

    /// For a process without a console. `stderr`: a service manager keeps what is said there; else into the file.
    pub fn serves(&mut self, stderr: bool) {
        self.serves = true;
        self.stderr = stderr;
    }

    /// Begins to log, once in a process. A panic of any thread is logged too; a console's own hook goes on after it.
    pub fn start(&self, data: &Path) {
        if self.off {
            return;
        }
        let sink: Box<dyn Write + Send> = if self.stderr {
            Box::new(io::stderr())
        } else {
            let limit = ContentLimit::BytesSurpassed(SIZE);
            let mut open = OpenOptions::new();
            let flags = OFlags::NOFOLLOW | OFlags::NONBLOCK;
            let flags = i32::try_from(flags.bits()).unwrap_or_default();
            open.read(true).create(true).append(true).mode(0o600).custom_flags(flags);
            Box::new(FileRotate::new(data.join(FILE), AppendCount::new(KEPT), limit, Compression::None, Some(open)))
        };
        let level = match self.config.level {
            LogLevel::Error => LevelFilter::ERROR,
            LogLevel::Warn => LevelFilter::WARN,
            LogLevel::Info => LevelFilter::INFO,
            LogLevel::Debug => LevelFilter::DEBUG,
        };
        let dir = (!self.stderr).then(|| data.to_path_buf());
        let out = Redacting { sink: Mutex::new(sink), dir, known: Arc::clone(&self.known), format: self.config.format };
        let base = tracing_subscriber::fmt().with_max_level(level).with_ansi(false).with_writer(out);
        let begun = match self.config.format {
            LogFormat::Text => base.try_init(),
            LogFormat::Json => base.json().flatten_event(true).try_init(),
        };
        if begun.is_ok() {
            let (before, serves) = (std::panic::take_hook(), self.serves);
            std::panic::set_hook(Box::new(move |info| {
                let thread = std::thread::current().name().unwrap_or("unnamed").to_owned();
                tracing::error!(%thread, panic = %info, "a fault of the program's own");
                if !serves {
                    before(info);
                }
            }));
        }
    }
}

/// The log's writing end.
struct Redacting {
    sink: Mutex<Box<dyn Write + Send>>,
    /// Where the file lies. Not made again when somebody took it away.
    dir: Option<PathBuf>,
    known: Arc<Known>,
    format: LogFormat,
}

impl<'a> MakeWriter<'a> for Redacting {
    type Writer = Event<'a>;

    fn make_writer(&'a self) -> Self::Writer {
        Event { out: self, text: Vec::new() }
    }
}

/// One event, gathered whole so that no secret is split between two writes.
struct Event<'a> {
    out: &'a Redacting,
    text: Vec<u8>,
}

impl Write for Event<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.text.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Drop for Event<'_> {
    fn drop(&mut self) {
        if self.out.dir.as_ref().is_some_and(|dir| !dir.exists()) {
            return;
        }
        let text = self.out.known.redact(&String::from_utf8_lossy(&self.text));
        // What a server said must neither begin a line of its own nor move the cursor of whoever reads the file.
        let line = match self.out.format {
            LogFormat::Text => show(text.trim_end_matches('\n'), LINE).into_string(),
            LogFormat::Json => json_safe(text.trim_end_matches('\n')).into_owned(),
        };
        // A log that cannot be written must not stop what it tells of.
        let mut sink = self.out.sink.lock().unwrap_or_else(PoisonError::into_inner);
        let _ = sink.write_all(format!("{line}\n").as_bytes()).and_then(|()| sink.flush());
    }
}
