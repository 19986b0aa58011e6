//! What happens on a panic: a report in the data directory, and the terminal back only if the screen itself is lost.
//!
//! Invariant: a panic in a task leaves a live console alone (it writes its report and nothing to the terminal); a
//! panic while the console draws or decides restores the terminal before a word is printed.

use std::backtrace::Backtrace;
use std::cell::Cell;
use std::fmt::Write as _;
use std::fs::OpenOptions;
use std::io::Write as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::panic::PanicHookInfo;
use std::path::{Path, PathBuf};
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::SystemTime;

use super::tty;
use skydeck_core::domain::time::Ts;
use skydeck_core::text::{show_lines, without_secrets};

thread_local! {
    static ON_SCREEN: Cell<bool> = const { Cell::new(false) };
}

/// Installs the hook; once, before the terminal is taken. `redact` removes live secrets from a report; what looks
/// like a secret by its name is removed in any case.
pub fn install(dir: PathBuf, redact: impl Fn(&str) -> String + Send + Sync + 'static) {
    let before = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |info| {
        let report = redact(&without_secrets(&report(info)));
        let file = write(&dir, &report);
        let on_screen = ON_SCREEN.with(Cell::get);
        if on_screen {
            tty::restore();
        }
        if on_screen {
            tty::complain(&last_words(&report, file.as_deref()));
        } else if !tty::is_ours() {
            before(info);
        }
    }));
}

/// The console's future: a panic while it is polled is a panic of the screen.
pub(super) struct OnScreen<F>(pub Pin<Box<F>>);

impl<F: Future> Future for OnScreen<F> {
    type Output = F::Output;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<F::Output> {
        ON_SCREEN.with(|flag| flag.set(true));
        let polled = self.0.as_mut().poll(cx);
        ON_SCREEN.with(|flag| flag.set(false));
        polled
    }
}

fn report(info: &PanicHookInfo<'_>) -> String {
    let payload = info.payload();
    let message = payload
        .downcast_ref::<&str>()
        .map(|s| (*s).to_owned())
        .or_else(|| payload.downcast_ref::<String>().cloned())
        .unwrap_or_else(|| "no message".to_owned());
    let mut out = String::new();
    let place = info.location().map_or_else(|| "unknown".to_owned(), ToString::to_string);
    let thread = std::thread::current().name().unwrap_or("unnamed").to_owned();
    let _ = writeln!(out, "skydeck {} stopped on a fault of its own", env!("CARGO_PKG_VERSION"));
    let _ = writeln!(out, "place: {place}\nthread: {thread}\nmessage:");
    for line in show_lines(&message, skydeck_core::text::DETAIL) {
        let _ = writeln!(out, "  {line}");
    }
    let _ = writeln!(out, "\n{}", Backtrace::force_capture());
    out
}

fn write(dir: &Path, report: &str) -> Option<PathBuf> {
    // Not by a call that panics where the clock shows a time before 1970.
    let now = chrono::DateTime::from_timestamp_millis(Ts::of(SystemTime::now()).0).unwrap_or_default();
    let now = now.format("%Y%m%dT%H%M%S%.3f");
    let path = dir.join(format!("crash-{now}-{}.txt", std::process::id()));
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&path).ok()?;
    file.write_all(report.as_bytes()).and_then(|()| file.sync_all()).ok().map(|()| path)
}

fn last_words(report: &str, file: Option<&Path>) -> String {
    let mut words: String = report.lines().take_while(|line| !line.is_empty()).fold(String::new(), |mut all, line| {
        let _ = writeln!(all, "{line}");
        all
    });
    let _ = match file {
        Some(path) => writeln!(words, "report: {}", path.display()),
        None => writeln!(words, "no report could be written"),
    };
    words.push_str("What was in flight is kept as unknown and is verified at the next start.\n");
    words
}
