//! A report: bills by cause, with who acts and what to do, as a workbook, a page, or a text for a chat.
//!
//! Rows are read from the store in pages and put aside by cause ([`gather`]); from that the writers make the file.
//! Invariant: every bill that the list held stands in the report once, or the report says how many it leaves out.

mod columns;
pub(crate) mod gather;
mod html;
mod markdown;
mod seen;
mod summary;
mod xlsx;

use std::fs::File;
use std::path::PathBuf;
use std::sync::Arc;

use skydeck_core::domain::filter::Filter;
use skydeck_core::domain::query::Scope;
use skydeck_core::domain::run::RunRow;
use skydeck_engine::api::Link;

use self::columns::Columns;
use self::gather::{Gathered, Group, How, gather};
use self::summary::Summary;
use super::ExportError;
use super::file::Part;
use super::heads::Heads;
use super::style::Style;

pub(crate) use columns::{local, numbered};
pub use seen::{Kept, Seen};

/// File beside the saved views that remembers what the last reports looked like.
pub const KEPT: &str = "reports.json";

/// Forms of a report.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Form {
    /// A workbook: a summary, and a sheet for each cause.
    Xlsx,
    /// A page of its own that prints.
    Html,
    /// A text for a chat: the summary, and the first bills of each cause.
    Markdown,
}

impl Form {
    /// All of them, by the endings of their files.
    pub const ALL: [(&str, Self); 3] = [("xlsx", Self::Xlsx), ("html", Self::Html), ("md", Self::Markdown)];
}

/// What to report.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Report {
    /// Of what.
    pub scope: Scope,
    /// Which.
    pub filter: Filter,
    /// The filter as people typed it: what this report is called, and by which the next one of it is known.
    pub typed: String,
    /// How.
    pub form: Form,
    /// Where.
    pub path: String,
    /// Replace a file that is there.
    pub force: bool,
    /// With the codes of programs beside the words.
    pub codes: bool,
}

/// A finished report.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reported {
    /// Bills in it.
    pub bills: u64,
    /// Causes and outcomes in it.
    pub groups: usize,
    /// Where.
    pub path: PathBuf,
    /// What it looked like, for the next one.
    pub seen: Seen,
}

impl Report {
    /// The name by which the next report of the same is known. Each form has its own: who makes a workbook and a text for a
    /// chat of the same moment compares each with the last of its kind.
    pub fn name(&self) -> String {
        let scope = match self.scope {
            Scope::Run(run) => run.to_string(),
            Scope::Ledger => "ledger".to_owned(),
            Scope::History => "history".to_owned(),
        };
        let form = Form::ALL.into_iter().find(|(_, form)| *form == self.form).map_or("", |(ending, _)| ending);
        format!("{form} {scope} {}", self.typed.trim()).trim_end().to_owned()
    }
}

/// Writes a report. `last`: what the last one of the same looked like.
///
/// # Errors
/// See [`ExportError`]; no file stands under the wanted name then, and one that stood there is as it was.
pub async fn to_file(
    link: Arc<dyn Link>,
    wanted: &Report,
    style: Style,
    last: Option<Seen>,
) -> Result<Reported, ExportError> {
    let part = Part::begin(&wanted.path, wanted.force)?;
    let run = match wanted.scope {
        Scope::Run(run) => Heads::new(Arc::clone(&link)).ask(run).await?,
        Scope::Ledger | Scope::History => None,
    };
    let how = How { by_cause: true, dir: part.dir().to_owned(), last: last.as_ref().map(|last| last.at) };
    let gathered = gather(&link, (wanted.scope, &wanted.filter), how, |error| part.fault(&error)).await?;
    let (bills, groups) = (gathered.total, gathered.groups.len());
    let seen = Seen::of(&gathered, style.now);
    let (wanted, out) = (wanted.clone(), part.file()?);
    let writing = tokio::task::spawn_blocking(move || {
        write(gathered, About { wanted: &wanted, run: run.as_ref(), last: last.as_ref(), style: &style }, out)
    });
    let written = writing.await.map_err(std::io::Error::other).and_then(|written| written);
    written.map_err(|error| part.fault(&error))?;
    // Syncing waits for the disk, too.
    let path = tokio::task::spawn_blocking(move || part.keep()).await.map_err(|_| ExportError::WrongAnswer)??;
    Ok(Reported { bills, groups, path, seen })
}

/// What a report is of, and how it is written.
#[derive(Clone, Copy)]
struct About<'a> {
    wanted: &'a Report,
    /// The run it is of, where it is of one.
    run: Option<&'a RunRow>,
    /// What the last one of the same looked like.
    last: Option<&'a Seen>,
    style: &'a Style,
}

/// What the writers of all forms put down, beside the bills.
struct Contents<'a> {
    summary: Summary,
    /// Of each group.
    columns: Vec<Columns>,
    style: &'a Style,
}

fn write(mut gathered: Gathered, about: About<'_>, out: File) -> std::io::Result<()> {
    let summary = Summary::of(&gathered, about);
    let About { wanted, style, .. } = about;
    let last = about.last.map(|last| last.at);
    let columns = |group: &Group| Columns::of(wanted.scope, (&gathered.heads, group), wanted.codes, last);
    let columns: Vec<Columns> = gathered.groups.iter().map(columns).collect();
    let contents = Contents { summary, columns, style };
    match wanted.form {
        Form::Xlsx => xlsx::write(&mut gathered, &contents, out),
        Form::Html => html::write(&mut gathered, &contents, out),
        Form::Markdown => markdown::write(&mut gathered, &contents, out),
    }
}
