//! Templates of the vendor's plans: text with `{{…}}` holes, parsed once and printed in one canonical form.
//!
//! Invariant: a text with a hole that is not understood never becomes a [`Template`]
//! (docs/design/plan-format.md#templates).

use std::fmt;

use super::problem::{Suggest, TemplateFault};

use skydeck_core::domain::suggest::nearest;

/// A system variable.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Variable {
    /// `LAST_SYNC_TIME`: the mark minus the overlap.
    LastSyncTime,
    /// `CURRENT_TIME`: server time when the query is made.
    CurrentTime,
    /// `DAYS_AGO_n`: `CURRENT_TIME` minus n times 24 hours.
    DaysAgo(u32),
    /// `PAGINATION_PAGE_SIZE`.
    PageSize,
    /// `PAGINATION_START_ROW`: 0 here, because pages are cut by id.
    StartRow,
    /// `PAGINATION_START_PAGE`: 1 here, for the same reason.
    StartPage,
}

/// Names for suggestions; `DAYS_AGO_n` stands for its family.
const NAMES: [&str; 6] = [
    "LAST_SYNC_TIME",
    "CURRENT_TIME",
    "DAYS_AGO_1",
    "PAGINATION_PAGE_SIZE",
    "PAGINATION_START_ROW",
    "PAGINATION_START_PAGE",
];

impl Variable {
    /// Reads a name as plans print it (upper case).
    pub fn named(name: &str) -> Option<Self> {
        Some(match name {
            "LAST_SYNC_TIME" => Self::LastSyncTime,
            "CURRENT_TIME" => Self::CurrentTime,
            "PAGINATION_PAGE_SIZE" => Self::PageSize,
            "PAGINATION_START_ROW" => Self::StartRow,
            "PAGINATION_START_PAGE" => Self::StartPage,
            _ => {
                let days = name.strip_prefix("DAYS_AGO_")?;
                let plain = !days.is_empty() && days.len() <= 5 && days.bytes().all(|b| b.is_ascii_digit());
                Self::DaysAgo(if plain { days.parse().ok()? } else { return None })
            }
        })
    }

    /// Whether it stands for a moment, so that a date format may follow.
    pub fn is_time(self) -> bool {
        matches!(self, Self::LastSyncTime | Self::CurrentTime | Self::DaysAgo(_))
    }
}

impl fmt::Display for Variable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::LastSyncTime => "LAST_SYNC_TIME",
            Self::CurrentTime => "CURRENT_TIME",
            Self::DaysAgo(n) => return write!(f, "DAYS_AGO_{n}"),
            Self::PageSize => "PAGINATION_PAGE_SIZE",
            Self::StartRow => "PAGINATION_START_ROW",
            Self::StartPage => "PAGINATION_START_PAGE",
        })
    }
}

/// How a moment is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Format {
    /// No format given: Unix seconds, as plans in use take it.
    Plain,
    /// `datetime`: `YYYY-MM-DD HH:MM:SS` in the server's zone.
    DateTime,
    /// `date`: `YYYY-MM-DD` in the server's zone.
    Date,
    /// `timestamp`: Unix seconds.
    Timestamp,
    /// `timestamp_ms`: Unix milliseconds.
    TimestampMs,
}

const FORMATS: [&str; 4] = ["datetime", "date", "timestamp", "timestamp_ms"];

impl Format {
    /// Reads a format name without regard to case.
    pub fn named(name: &str) -> Option<Self> {
        Some(match name.to_ascii_lowercase().as_str() {
            "datetime" => Self::DateTime,
            "date" => Self::Date,
            "timestamp" => Self::Timestamp,
            "timestamp_ms" => Self::TimestampMs,
            _ => return None,
        })
    }
}

/// A part of a source-side template.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Piece {
    /// Text as it stands.
    Text(String),
    /// A system variable.
    Variable {
        /// Which.
        variable: Variable,
        /// How it is written.
        format: Format,
    },
}

/// A source-side template whose every hole is understood.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Template {
    /// Parts in order; no two texts stand side by side.
    pub pieces: Vec<Piece>,
}

/// A hole that is not understood.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{fault}")]
pub struct TemplateError {
    /// Byte offset of the hole in the template.
    pub at: usize,
    /// What is wrong.
    pub fault: TemplateFault,
}

/// A raw hole: what stands between `{{` and `}}`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Hole<'a> {
    /// Byte offset of `{{`.
    pub at: usize,
    /// The name, e.g. `FBillNo` or `list.FID`.
    pub name: &'a str,
    /// The format after `|` or a blank.
    pub format: Option<&'a str>,
}

/// A raw part of any template.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Part<'a> {
    Text(&'a str),
    Hole(Hole<'a>),
}

/// Cuts a text into literal parts and holes; both sides of a plan share this.
pub(crate) fn parts(text: &str) -> Result<Vec<Part<'_>>, TemplateError> {
    let fail = |at: usize, fault: TemplateFault| Err(TemplateError { at, fault });
    let mut out = Vec::new();
    let mut done = 0usize;
    loop {
        let rest = text.get(done..).unwrap_or_default();
        let Some(open) = rest.find("{{") else {
            if let Some(stray) = rest.find("}}") {
                return fail(done + stray, TemplateFault::StrayClose);
            }
            if let Some(dollar) = rest.find("${") {
                return fail(done + dollar, TemplateFault::Dollar);
            }
            if !rest.is_empty() {
                out.push(Part::Text(rest));
            }
            return Ok(out);
        };
        let literal = rest.get(..open).unwrap_or_default();
        if let Some(stray) = literal.find("}}") {
            return fail(done + stray, TemplateFault::StrayClose);
        }
        if let Some(dollar) = literal.find("${") {
            return fail(done + dollar, TemplateFault::Dollar);
        }
        if !literal.is_empty() {
            out.push(Part::Text(literal));
        }
        let at = done + open;
        let inner_from = at + 2;
        let Some(close) = text.get(inner_from..).and_then(|t| t.find("}}")) else {
            return fail(at, TemplateFault::Unclosed);
        };
        let inner = text.get(inner_from..inner_from + close).unwrap_or_default();
        let (name, format) = match inner.split_once('|') {
            Some((name, format)) => (name.trim(), Some(format.trim())),
            None => match inner.trim().split_once(char::is_whitespace) {
                Some((name, format)) => (name, Some(format.trim())),
                None => (inner.trim(), None),
            },
        };
        if name.is_empty() || format == Some("") || name.contains('{') {
            return fail(at, TemplateFault::Nameless { inner: inner.to_owned() });
        }
        out.push(Part::Hole(Hole { at, name, format }));
        done = inner_from + close + 2;
    }
}

impl Template {
    /// Parses a source-side text; every hole must be a system variable.
    pub fn parse(text: &str) -> Result<Self, TemplateError> {
        let mut pieces = Vec::new();
        for part in parts(text)? {
            pieces.push(match part {
                Part::Text(text) => Piece::Text(text.to_owned()),
                Part::Hole(hole) => variable(&hole)?,
            });
        }
        Ok(Self { pieces })
    }

    /// The variables in it, in order.
    pub fn variables(&self) -> impl Iterator<Item = (Variable, Format)> + '_ {
        self.pieces.iter().filter_map(|piece| match piece {
            Piece::Variable { variable, format } => Some((*variable, *format)),
            Piece::Text(_) => None,
        })
    }
}

fn variable(hole: &Hole<'_>) -> Result<Piece, TemplateError> {
    let fail = |fault: TemplateFault| TemplateError { at: hole.at, fault };
    let name = hole.name.to_owned();
    let Some(variable) = Variable::named(hole.name) else {
        return Err(fail(if hole.name.starts_with('$') {
            TemplateFault::NewerForm { name }
        } else {
            TemplateFault::Variable { near: nearest(hole.name, &NAMES), name }
        }));
    };
    let format = match hole.format {
        None => Format::Plain,
        Some(name) => Format::named(name).ok_or_else(|| {
            let suggest = Suggest { near: nearest(name, &FORMATS), known: &FORMATS };
            fail(TemplateFault::Format { name: name.to_owned(), variable: variable.to_string(), suggest })
        })?,
    };
    if format != Format::Plain && !variable.is_time() {
        return Err(fail(TemplateFault::NumberFormat { variable: variable.to_string() }));
    }
    Ok(Piece::Variable { variable, format })
}

impl fmt::Display for Template {
    /// The canonical form: pipe, lower-case format.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for piece in &self.pieces {
            match piece {
                Piece::Text(text) => f.write_str(text)?,
                Piece::Variable { variable, format } => match format {
                    Format::Plain => write!(f, "{{{{{variable}}}}}")?,
                    Format::DateTime => write!(f, "{{{{{variable}|datetime}}}}")?,
                    Format::Date => write!(f, "{{{{{variable}|date}}}}")?,
                    Format::Timestamp => write!(f, "{{{{{variable}|timestamp}}}}")?,
                    Format::TimestampMs => write!(f, "{{{{{variable}|timestamp_ms}}}}")?,
                },
            }
        }
        Ok(())
    }
}

/// The canonical form of a template, or the text as it stands when it is none.
pub(crate) fn canonical(text: &str) -> String {
    Template::parse(text).map_or_else(|_| text.to_owned(), |t| t.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blank_and_pipe_and_any_case_are_one_template() {
        let forms = ["{{LAST_SYNC_TIME|dateTime}}", "{{LAST_SYNC_TIME dateTime}}", "{{ LAST_SYNC_TIME | DATETIME }}"];
        for form in forms {
            assert_eq!(canonical(form), "{{LAST_SYNC_TIME|datetime}}", "{form}");
        }
        assert_eq!(canonical("{{LAST_SYNC_TIME}}000"), "{{LAST_SYNC_TIME}}000");
        assert_eq!(Template::parse("a{{DAYS_AGO_2|date}}b").unwrap().pieces.len(), 3);
    }

    #[test]
    fn what_is_not_understood_is_named() {
        for (text, at, message, hint) in [
            ("x>'{{LAST_SYNCTIME|date}}'", 3, "`LAST_SYNCTIME`", "`LAST_SYNC_TIME`"),
            ("{{last_sync_time}}", 0, "unknown template variable", "`LAST_SYNC_TIME`"),
            ("{{LAST_SYNC_TIME|datetme}}", 0, "unknown format `datetme`", "`datetime`"),
            ("{{FBillNo}}", 0, "`FBillNo`", "known here"),
            ("{{DAYS_AGO_x}}", 0, "`DAYS_AGO_x`", "`DAYS_AGO_1`"),
            ("{{PAGINATION_PAGE_SIZE|date}}", 0, "takes no format", "{{PAGINATION_PAGE_SIZE}}"),
            ("a {{LAST_SYNC_TIME", 2, "without `}}`", "close it"),
            ("a }} b", 2, "without `{{`", "write"),
            ("{{}}", 0, "names nothing", "write"),
            ("{{{LAST_SYNC_TIME}}}", 0, "names nothing", "write"),
            ("${lastTime}", 0, "`${…}`", "LAST_SYNC_TIME"),
            ("{{$lastExecuteTime|format:'x'}}", 0, "$lastExecuteTime", "newer form"),
        ] {
            let e = Template::parse(text).unwrap_err();
            assert_eq!(e.at, at, "{text}");
            let said = e.fault.words(false);
            assert!(said.message.contains(message), "{text}: {e}");
            assert!(said.hint.contains(hint), "{text}: {e}");
        }
    }
}
