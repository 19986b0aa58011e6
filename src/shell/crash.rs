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

use super::tty;
use crate::text::show_lines;

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
    for line in show_lines(&message, crate::text::DETAIL) {
        let _ = writeln!(out, "  {line}");
    }
    let _ = writeln!(out, "\n{}", Backtrace::force_capture());
    out
}

fn write(dir: &Path, report: &str) -> Option<PathBuf> {
    let now = chrono::Utc::now().format("%Y%m%dT%H%M%S%.3f");
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

/// Names whose values never stand in a report.
const SECRET_NAMES: [&str; 9] =
    ["password", "passwd", "secret", "token", "sessionid", "session_id", "cookie", "authorization", "appsec"];

/// A text with the values of secret names, and user and password in URLs, taken out.
pub fn without_secrets(text: &str) -> String {
    let lower = text.to_ascii_lowercase();
    let mut out = String::with_capacity(text.len());
    let mut done = 0;
    while let Some((name_end, value)) =
        SECRET_NAMES.iter().filter_map(|name| next_value(&lower, done, name)).min_by_key(|(_, value)| value.start)
    {
        debug_assert!(name_end <= value.start, "a value stands after its name");
        out.push_str(text.get(done..value.start).unwrap_or_default());
        out.push_str("[REDACTED]");
        done = value.end;
    }
    out.push_str(text.get(done..).unwrap_or_default());
    without_userinfo(&out)
}

/// The value after the next `name = value`, `"name": "value"` or `name: value`; for headers it goes to the line's end.
fn next_value(lower: &str, from: usize, name: &str) -> Option<(usize, std::ops::Range<usize>)> {
    let mut at = from;
    loop {
        let name_end = at + lower.get(at..)?.find(name)? + name.len();
        let rest = lower.get(name_end..)?;
        let gap = rest.find(|c: char| !matches!(c, '"' | '\'' | ' ' | '_' | '\\')).unwrap_or(rest.len());
        let after = rest.get(gap..)?;
        if after.starts_with([':', '=']) {
            let value = after.get(1..)?;
            let skip = 1 + value.find(|c: char| !matches!(c, '"' | '\'' | ' ' | '\\')).unwrap_or(value.len());
            let start = name_end + gap + skip;
            let whole_line = matches!(name, "cookie" | "authorization");
            let end = lower.get(start..)?.find(|c: char| match c {
                '\n' | '\r' => true,
                '"' | '\'' | ',' | ';' | ' ' | '&' | '}' | ')' => !whole_line,
                _ => false,
            });
            let end = end.map_or(lower.len(), |n| start + n);
            if end > start {
                return Some((name_end, start..end));
            }
        }
        at = name_end;
    }
}

fn without_userinfo(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((before, after)) = rest.split_once("://") {
        out.push_str(before);
        out.push_str("://");
        let host_end = after.find(|c: char| c.is_whitespace() || matches!(c, '/' | '"' | '\'')).unwrap_or(after.len());
        rest = match after.get(..host_end).and_then(|authority| authority.rfind('@')) {
            Some(at) => after.get(at + 1..).unwrap_or_default(),
            None => after,
        };
    }
    out.push_str(rest);
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_report_keeps_no_secret() {
        for (text, want) in [
            ("password=hunter2 next", "password=[REDACTED] next"),
            (r#"{"PassWord": "hunter2","b":1}"#, r#"{"PassWord": "[REDACTED]","b":1}"#),
            ("Cookie: kdservice-sessionid=abc; a=b\nnext", "Cookie: [REDACTED]\nnext"),
            ("app_secret: x1, token='y2'", "app_secret: [REDACTED], token='[REDACTED]'"),
            ("https://user:pw@erp.invalid/k3?x", "https://erp.invalid/k3?x"),
            ("the password is wrong", "the password is wrong"),
            ("审核失败 secret=密码", "审核失败 secret=[REDACTED]"),
        ] {
            assert_eq!(without_secrets(text), want);
        }
    }
}
