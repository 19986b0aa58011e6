//! A list written to a file: CSV for spreadsheets, JSON lines for programs, Markdown and HTML for people.
//!
//! Invariants: pages are asked one after the other, so memory does not grow with the list; a file appears under its
//! name only when it is complete; nothing in it is executed by what opens it.

use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use self::heads::Heads;
use self::row::{Field, Others, Row};
use skydeck_core::domain::filter::{Filter, Key, Term, Test};
use skydeck_core::domain::ids::OpId;
use skydeck_core::domain::language::Language;
use skydeck_core::domain::operation_words;
use skydeck_core::domain::query::{Answer, Cursor, Page, PageRequest, Query, Scope};
use skydeck_core::domain::run::BillRow;
use skydeck_core::domain::system_words;
use skydeck_engine::api::{Link, LinkError};

pub mod file;
mod format;
pub mod handover;
mod heads;
mod listed;
pub mod report;
mod row;
mod style;

pub use style::{Format, Style};

/// Rows asked for at a time.
const PAGE: u32 = 500;

/// What to write.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Export {
    /// What.
    pub scope: Scope,
    /// Which.
    pub filter: Filter,
    /// How.
    pub format: Format,
    /// Where.
    pub path: String,
    /// Replace a file that is there.
    pub force: bool,
}

/// A finished export.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Exported {
    /// Rows written.
    pub rows: u64,
    /// Where.
    pub path: PathBuf,
}

/// Why an export failed. No file stands under the wanted name then.
#[derive(Debug, thiserror::Error)]
pub enum ExportError {
    /// The engine or the store.
    #[error("{0}")]
    Link(#[from] LinkError),
    /// An answer of another kind than asked.
    #[error("the engine answered something else than a page of bills")]
    WrongAnswer,
    /// A file of that name is there.
    #[error("{0} is there already: choose another name")]
    Exists(String),
    /// What was named is a directory.
    #[error("{0} is a directory: add the name of a file")]
    Directory(String),
    /// It would stand in a directory that is not there.
    #[error("there is no directory {0}: make it first, or choose another")]
    NoDirectory(String),
    /// The file.
    #[error("{path}: {error}{}", next(error).0)]
    File {
        /// Which.
        path: String,
        /// Why.
        error: io::Error,
    },
}

/// What to do about a disk that does not take a file.
fn next(error: &io::Error) -> (&'static str, &'static str) {
    match error.kind() {
        io::ErrorKind::PermissionDenied | io::ErrorKind::ReadOnlyFilesystem => {
            ("; choose a directory in which you may write", "；请选择有写入权限的目录")
        }
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => (
            "; nothing of it was left there: free some space, or choose another disk",
            "；没有留下半个文件：请释放空间，或换一个磁盘",
        ),
        _ => ("", ""),
    }
}

impl ExportError {
    /// Why, in the language of whoever reads it.
    pub fn said(&self, lang: Language) -> String {
        match self {
            _ if lang == Language::En => self.to_string(),
            Self::Link(error) => format!("未导出：{}", error.zh()),
            Self::WrongAnswer => "未导出：引擎返回的不是单据列表".to_owned(),
            Self::Exists(path) => format!("未导出：{path} 已存在。请换一个文件名"),
            Self::Directory(path) => format!("未导出：{path} 是目录。请加上文件名"),
            Self::NoDirectory(dir) => format!("未导出：没有目录 {dir}。请先建立，或换一个目录"),
            Self::File { path, error } => {
                format!("未导出：{path}：{}{}", system_words::chinese(&error.to_string()), next(error).1)
            }
        }
    }
}

/// Which bills are listed, and how they are written.
#[derive(Clone)]
pub struct Listing {
    /// Of what.
    pub scope: Scope,
    /// Which.
    pub filter: Filter,
    /// In which form.
    pub format: Format,
    /// In which language and zone.
    pub style: Style,
}

/// Writes an export to its path (`~/` is the home directory). `progress` is told the rows so far.
///
/// # Errors
/// See [`ExportError`].
pub async fn to_file(
    link: Arc<dyn Link>,
    wanted: &Export,
    style: Style,
    progress: impl FnMut(u64) + Send,
) -> Result<Exported, ExportError> {
    let part = file::Part::begin(&wanted.path, wanted.force)?;
    let out: Box<dyn Write + Send> = Box::new(BufWriter::new(part.file()?));
    let listing = Listing { scope: wanted.scope, filter: wanted.filter.clone(), format: wanted.format, style };
    let written = write_in(link, listing, (out, part.dir()), progress).await;
    let rows = written.map_err(|error| match error {
        ExportError::File { error, .. } => part.fault(&error),
        other => other,
    })?;
    // Syncing waits for the disk.
    let path = tokio::task::spawn_blocking(move || part.keep()).await.map_err(|_| ExportError::WrongAnswer)??;
    Ok(Exported { rows, path })
}

/// Writes an export to any sink, standard output for example. Returns the rows written.
///
/// # Errors
/// See [`ExportError`].
pub async fn write(
    link: Arc<dyn Link>,
    listing: Listing,
    out: Box<dyn Write + Send>,
    progress: impl FnMut(u64) + Send,
) -> Result<u64, ExportError> {
    write_in(link, listing, (out, &std::env::temp_dir()), progress).await
}

/// Where an export goes, and the directory in which stands what is put aside on the way.
type Sink<'a> = (Box<dyn Write + Send>, &'a Path);

async fn write_in(
    link: Arc<dyn Link>,
    listing: Listing,
    sink_of: Sink<'_>,
    progress: impl FnMut(u64) + Send,
) -> Result<u64, ExportError> {
    let (scope, filter) = (listing.scope, &listing.filter);
    match (listing.format, scope) {
        // Lines for programs have each bill's own columns; those of one run are known before its bills.
        (Format::JsonLines, _) => {
            let fields = Field::all(scope, &[], Others::default());
            let writer = format::Writer::begin(&listing, sink_of.0, fields).map_err(sink)?;
            paged(link, (scope, filter), writer, progress).await
        }
        (_, Scope::Run(run)) => {
            let labels = Heads::new(Arc::clone(&link)).head(run).await?.labels.clone();
            let operation = others(&*link, scope, filter).await?;
            let made = operation && makes(&*link, scope, filter).await?;
            let fields = Field::all(scope, &labels, Others { operation, made });
            let writer = format::Writer::begin(&listing, sink_of.0, fields).map_err(sink)?;
            paged(link, (scope, filter), writer, progress).await
        }
        (_, Scope::Ledger | Scope::History) => listed::write(link, listing, sink_of, progress).await,
    }
}

fn sink(error: io::Error) -> ExportError {
    ExportError::File { path: "output".to_owned(), error }
}

/// Writes the rows as their pages come.
async fn paged(
    link: Arc<dyn Link>,
    (scope, filter): (Scope, &Filter),
    mut writer: format::Writer,
    mut progress: impl FnMut(u64) + Send,
) -> Result<u64, ExportError> {
    let mut heads = Heads::new(Arc::clone(&link));
    let mut cursor: Option<Cursor> = None;
    loop {
        let page = PageRequest { cursor, back: false, limit: PAGE };
        let answer = link.ask(Query::Bills { scope, filter: filter.clone(), page }).await?;
        let Answer::Bills(Page { rows, more, stopped_at, .. }) = answer else { return Err(ExportError::WrongAnswer) };
        cursor = rows.last().map(|(cursor, _)| cursor.clone());
        let mut named = Vec::with_capacity(rows.len());
        for (_, bill) in rows {
            let names = if bill.columns.is_empty() { Vec::new() } else { heads.names(bill.run).await? };
            named.push(Row { bill, names, zone: writer.zone() });
        }
        // Disks wait; the loop's threads do not.
        writer = tokio::task::spawn_blocking(move || named.iter().try_for_each(|row| writer.row(row)).map(|()| writer))
            .await
            .map_err(io::Error::other)
            .and_then(|written| written)
            .map_err(sink)?;
        progress(writer.rows());
        // A scan that ran into its bound goes on from there, with or without rows found on the way.
        cursor = stopped_at.or(cursor.filter(|_| more));
        if cursor.is_none() {
            break;
        }
    }
    writer.end().map_err(sink)
}

/// Whether the list holds a bill of another operation than Audit. A store that knows no other answers at once.
async fn others(link: &dyn Link, scope: Scope, filter: &Filter) -> Result<bool, ExportError> {
    let audit = operation_words::name(&OpId::default()).to_owned();
    let mut filter = filter.clone();
    filter.terms.push(Term { not: true, test: Test::Is(Key::Operation, vec![audit]) });
    any(link, scope, filter, |row| !row.key.op.is_audit()).await
}

/// Whether a bill was made of any in the list.
async fn makes(link: &dyn Link, scope: Scope, filter: &Filter) -> Result<bool, ExportError> {
    let mut filter = filter.clone();
    filter.terms.push(Term { not: false, test: Test::Is(Key::Made, vec!["*".to_owned()]) });
    any(link, scope, filter, |row| row.made.is_some()).await
}

/// Whether any bill of a list is one of these.
async fn any(
    link: &dyn Link,
    scope: Scope,
    filter: Filter,
    is_one: impl Fn(&BillRow) -> bool,
) -> Result<bool, ExportError> {
    let mut cursor: Option<Cursor> = None;
    loop {
        let page = PageRequest { cursor, back: false, limit: PAGE };
        let answer = link.ask(Query::Bills { scope, filter: filter.clone(), page }).await?;
        let Answer::Bills(Page { rows, more, stopped_at, .. }) = answer else { return Err(ExportError::WrongAnswer) };
        if rows.iter().any(|(_, row)| is_one(row)) {
            return Ok(true);
        }
        cursor = stopped_at.or(rows.last().map(|(cursor, _)| cursor.clone()).filter(|_| more));
        if cursor.is_none() {
            return Ok(false);
        }
    }
}
