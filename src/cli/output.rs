//! The one way out for what verbs say: standard output and standard error, in the terminal's encoding, with nothing in it
//! that a terminal would obey.
//!
//! Invariants: text passes [`show`] here, whoever made it, so that a line stays one line; a JSON line is UTF-8 and holds no
//! character that a terminal obeys. Output that was lost once stays lost: what comes after a gap would look whole.

use std::borrow::Cow;
use std::io::{self, IsTerminal as _, Write};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, Ordering};

use encoding_rs::{BIG5, Encoding, GB18030, GBK};

use crate::domain::language::Language;
use crate::exit::{Exit, Stop};
use crate::text::{json_safe, show};

/// Longest line a person is given, bytes.
const LINE: usize = 256 * 1024;

/// Why standard output is lost; there is one in a process.
static LOST: OnceLock<String> = OnceLock::new();

/// Standard output was closed when the process began.
static CLOSED: AtomicBool = AtomicBool::new(false);

/// Looks before anything else does: ahead of `main` the runtime opens `/dev/null` in the place of a standard output that is
/// closed, and from then on whatever is written seems to arrive.
#[ctor::ctor]
fn look() {
    CLOSED.store(rustix::io::fcntl_getfd(rustix::stdio::stdout()).is_err(), Ordering::Relaxed);
}

/// Why nothing can be written to standard output any more.
pub fn lost() -> Option<&'static str> {
    LOST.get().map(String::as_str)
}

/// How people's text leaves.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Charset {
    /// As it is.
    Utf8,
    /// In one of the encodings that Chinese terminals are set to.
    Of(&'static Encoding),
    /// `C`, `POSIX` and Western locales: Chinese cannot be shown there.
    Ascii,
}

impl Charset {
    /// What the locale asks for.
    pub fn detect() -> Self {
        Self::of(|name| std::env::var(name).ok())
    }

    /// From `LC_ALL`, `LC_CTYPE` and `LANG`, the first that is set. A locale without a character set has the one that the C
    /// library gives it: `zh_CN` is GB2312, of which GBK is the superset that terminals use.
    pub fn of(var: impl Fn(&str) -> Option<String>) -> Self {
        let set = |name: &str| var(name).filter(|value| !value.is_empty());
        let locale = set("LC_ALL").or_else(|| set("LC_CTYPE")).or_else(|| set("LANG")).unwrap_or_default();
        let locale = locale.to_lowercase();
        let (place, charset) = locale.split_once('.').unwrap_or((&locale, ""));
        let charset: String = charset.chars().take_while(|c| *c != '@').filter(|c| !matches!(c, '-' | '_')).collect();
        match (charset.as_str(), place) {
            ("utf8", _) => Self::Utf8,
            ("gb18030", _) => Self::Of(GB18030),
            ("gbk" | "gb2312" | "euccn" | "cp936", _) | ("", "zh_cn" | "zh_sg") => Self::Of(GBK),
            ("big5" | "big5hkscs" | "cp950", _) | ("", "zh_tw" | "zh_hk") => Self::Of(BIG5),
            _ => Self::Ascii,
        }
    }

    /// Whether Chinese can be shown.
    pub fn has_chinese(self) -> bool {
        self != Self::Ascii
    }

    /// The bytes of a text. What the encoding does not have becomes `?`; where it has no Chinese at all, a terminal gets
    /// that and a file or pipe the text as it is.
    pub fn bytes(self, text: &str, terminal: bool) -> Cow<'_, [u8]> {
        match self {
            Self::Ascii if terminal && !text.is_ascii() => text
                .chars()
                .map(|c| u8::try_from(c).ok().filter(u8::is_ascii).unwrap_or(b'?'))
                .collect::<Vec<_>>()
                .into(),
            Self::Utf8 | Self::Ascii => text.as_bytes().into(),
            Self::Of(encoding) => encode(encoding, text),
        }
    }
}

/// A character at a time where one of them is missing: the encoder's own substitute is an HTML reference.
fn encode<'a>(encoding: &'static Encoding, text: &'a str) -> Cow<'a, [u8]> {
    let (bytes, _, missing) = encoding.encode(text);
    if !missing {
        return bytes;
    }
    let mut out = Vec::with_capacity(text.len());
    let mut buf = [0; 4];
    for c in text.chars() {
        match encoding.encode(c.encode_utf8(&mut buf)) {
            (_, _, true) => out.push(b'?'),
            (bytes, _, false) => out.extend_from_slice(&bytes),
        }
    }
    out.into()
}

/// A line of people's text on standard output.
///
/// # Errors
/// It could not be written, now or before.
pub fn line(text: &str) -> io::Result<()> {
    lines([show(text, LINE).as_str()])
}

/// Lines of people's text that were made safe one by one, in one piece.
///
/// # Errors
/// As for [`line`].
pub fn lines<'a>(lines: impl IntoIterator<Item = &'a str>) -> io::Result<()> {
    let mut text = String::new();
    for line in lines {
        text.push_str(line);
        text.push('\n');
    }
    raw(&Charset::detect().bytes(&text, io::stdout().is_terminal()))
}

/// A JSON value on a line of standard output.
///
/// # Errors
/// As for [`line`].
pub fn object(value: &serde_json::Value) -> io::Result<()> {
    raw(format!("{}\n", json_safe(&value.to_string())).as_bytes())
}

/// A JSON document of several lines: a plan, a schema.
///
/// # Errors
/// As for [`line`].
pub fn json(text: &str) -> io::Result<()> {
    // Line by line: what ends a line stands between the strings, and is no part of them.
    let lines: Vec<String> = text.trim_end().lines().map(|line| json_safe(line).into_owned()).collect();
    raw(format!("{}\n", lines.join("\n")).as_bytes())
}

/// Bytes whose form somebody else decides: a file's own text, a script for a shell.
///
/// # Errors
/// As for [`line`].
pub fn raw(bytes: &[u8]) -> io::Result<()> {
    if CLOSED.load(Ordering::Relaxed) {
        let _ = LOST.set("standard output is closed".to_owned());
    }
    if let Some(why) = lost() {
        return Err(io::Error::other(why));
    }
    let mut out = io::stdout().lock();
    out.write_all(bytes).and_then(|()| out.flush()).inspect_err(|error| {
        // The first reason stays.
        let _ = LOST.set(error.to_string());
    })
}

/// Standard output for what writes a stream of its own.
pub struct Stdout;

impl Write for Stdout {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        raw(bytes).map(|()| bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// A line for the person at standard error. One that cannot be written must not end a run in the middle.
pub fn note(text: &str) {
    let text = format!("{}\n", show(text, LINE).as_str());
    let mut err = io::stderr().lock();
    let _ = err.write_all(&Charset::detect().bytes(&text, io::stderr().is_terminal())).and_then(|()| err.flush());
}

/// A question to the person at the terminal; the answer is read on the same line, or below the last of its lines.
///
/// # Errors
/// Standard error cannot be written.
pub fn question(text: &str) -> io::Result<()> {
    let lines: Vec<String> = text.lines().map(|line| show(line, LINE).into_string()).collect();
    let text = format!("{} ", lines.join("\n"));
    let mut err = io::stderr().lock();
    err.write_all(&Charset::detect().bytes(&text, true))?;
    err.flush()
}

/// What a verb ends with, where what it stood on was ended after it: a fault of that end is said, and hides nothing of what
/// became of the bills.
pub fn after(verb: Result<Exit, Stop>, ended: Result<(), Stop>, lang: Language) -> Result<Exit, Stop> {
    match (verb, ended) {
        (verb, Ok(())) => verb,
        (Ok(exit), Err(stop)) => {
            let stop = stop.spoken(lang);
            note(&format!("skydeck: {}", stop.message));
            Ok(exit.or(stop.exit))
        }
        // The first fault is why the second came.
        (Err(stop), Err(_)) => Err(stop),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fault_of_the_end_hides_nothing_of_the_verb_and_is_hidden_by_its_fault_alone() {
        let fault = |exit| Err(Stop::both(exit, "it is damaged", "已损坏"));
        for (verb, ended, exit) in [
            (Ok(Exit::Failed), Ok(()), Ok(Exit::Failed)),
            (Ok(Exit::Ok), fault(Exit::Output), Ok(Exit::Output)),
            (Ok(Exit::Failed), fault(Exit::Unsound), Ok(Exit::Unsound)),
            (Ok(Exit::Unknown), fault(Exit::Output), Ok(Exit::Unknown)),
            (Err(Stop::usage("no such plan")), Ok(()), Err(Exit::Usage)),
            (Err(Stop::usage("no such plan")), fault(Exit::Unsound), Err(Exit::Usage)),
        ] {
            assert_eq!(after(verb, ended, Language::Zh).map_err(|stop| stop.exit), exit);
        }
    }

    #[test]
    fn the_locale_says_in_which_encoding_text_leaves() {
        for (vars, charset) in [
            (&[("LANG", "zh_CN.UTF-8")][..], Charset::Utf8),
            (&[("LANG", "en_US.utf8")], Charset::Utf8),
            (&[("LANG", "zh_CN")], Charset::Of(GBK)),
            (&[("LANG", "zh_CN.GBK")], Charset::Of(GBK)),
            (&[("LANG", "zh_CN.gb2312")], Charset::Of(GBK)),
            (&[("LANG", "zh_CN.GB18030")], Charset::Of(GB18030)),
            (&[("LANG", "zh_TW.Big5")], Charset::Of(BIG5)),
            (&[("LANG", "zh_CN.eucCN@pinyin")], Charset::Of(GBK)),
            (&[("LANG", "zh_CN.GBK"), ("LC_ALL", "C.UTF-8")], Charset::Utf8),
            (&[("LANG", "zh_CN.UTF-8"), ("LC_CTYPE", "zh_CN.GBK")], Charset::Of(GBK)),
            (&[("LANG", "C")], Charset::Ascii),
            (&[("LANG", "de_DE")], Charset::Ascii),
            (&[], Charset::Ascii),
        ] {
            let of = Charset::of(|name| vars.iter().find(|(n, _)| *n == name).map(|(_, v)| (*v).to_owned()));
            assert_eq!(of, charset, "{vars:?}");
        }
    }

    #[test]
    fn what_an_encoding_does_not_have_is_a_question_mark() {
        assert_eq!(&*Charset::Of(GBK).bytes("已审核✓x", true), b"\xD2\xD1\xC9\xF3\xBA\xCB?x");
        assert_eq!(GB18030.decode(&Charset::Of(GB18030).bytes("库存①✓", true)).0, "库存①✓");
        assert_eq!(&*Charset::Ascii.bytes("ok 审核", true), b"ok ??");
        assert_eq!(&*Charset::Ascii.bytes("ok 审核", false), "ok 审核".as_bytes());
    }
}
