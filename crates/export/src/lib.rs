//! A list written to a file: CSV for spreadsheets, JSON lines for programs, Markdown and HTML for people.
//!
//! Invariants: pages are asked one after the other, so memory does not grow with the list; a file appears under its
//! name only when it is complete; nothing in it is executed by what opens it.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use self::row::{Field, Row};
use skydeck_core::domain::filter::{Filter, Key, Term, Test};
use skydeck_core::domain::ids::{OpId, RunId};
use skydeck_core::domain::language::Language;
use skydeck_core::domain::operation_words;
use skydeck_core::domain::query::{Answer, Cursor, Page, PageRequest, Query, Scope};
use skydeck_core::domain::run::BillRow;
use skydeck_core::domain::system_words;
use skydeck_core::domain::zone::Zone;
use skydeck_engine::api::{Link, LinkError};

mod format;
mod row;
mod style;

pub use style::{Format, Style};

/// Rows asked for at a time.
const PAGE: u32 = 500;
/// Runs whose column names are remembered.
const HEADS: usize = 64;

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
    /// The file.
    #[error("{path}: {error}")]
    File {
        /// Which.
        path: String,
        /// Why.
        error: io::Error,
    },
}

impl ExportError {
    /// Why, in the language of whoever reads it.
    pub fn said(&self, lang: Language) -> String {
        match self {
            _ if lang == Language::En => self.to_string(),
            Self::Link(error) => format!("未导出：{}", error.zh()),
            Self::WrongAnswer => "未导出：引擎返回的不是单据列表".to_owned(),
            Self::Exists(path) => format!("未导出：{path} 已存在。请换一个文件名"),
            Self::File { path, error } => format!("未导出：{path}：{}", system_words::chinese(&error.to_string())),
        }
    }
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
    let path = std::path::absolute(home(&wanted.path)).unwrap_or_else(|_| home(&wanted.path));
    let fail = |error: io::Error| ExportError::File { path: path.display().to_string(), error };
    if path.exists() {
        return Err(ExportError::Exists(path.display().to_string()));
    }
    let mut part = path.clone().into_os_string();
    part.push(".part");
    let part = PathBuf::from(part);
    let file = File::create(&part).map_err(fail)?;
    let out: Box<dyn Write + Send> = Box::new(BufWriter::new(file));
    let written = write(link, wanted.scope, &wanted.filter, wanted.format, style, out, progress).await;
    let finished = match written {
        Ok(rows) => File::open(&part)
            .and_then(|f| f.sync_all())
            .and_then(|()| std::fs::rename(&part, &path))
            .map(|()| rows)
            .map_err(fail),
        Err(e) => Err(e),
    };
    if finished.is_err() {
        let _ = std::fs::remove_file(&part);
    }
    finished.map(|rows| Exported { rows, path })
}

/// Writes an export to any sink, standard output for example. Returns the rows written.
///
/// # Errors
/// See [`ExportError`].
pub async fn write(
    link: Arc<dyn Link>,
    scope: Scope,
    filter: &Filter,
    format: Format,
    style: Style,
    out: Box<dyn Write + Send>,
    mut progress: impl FnMut(u64) + Send,
) -> Result<u64, ExportError> {
    let sink = |error| ExportError::File { path: "output".to_owned(), error };
    let mut heads = Heads { link: Arc::clone(&link), known: BTreeMap::new() };
    let extra = match scope {
        Scope::Run(run) => heads.columns(run).await?,
        Scope::Ledger | Scope::History => Vec::new(),
    };
    // The heading stands before the rows; JSON lines have none.
    let others = format != Format::JsonLines && others(&*link, scope, filter).await?;
    let mut fields = Field::all(scope, &extra, others);
    // A spreadsheet in Chinese has the words of the lists, and the codes for scripts at the end.
    if format == Format::Csv && style.lang == Language::Zh {
        fields.extend([Field::OutcomeCode, Field::CauseCode]);
    }
    let mut writer = format::Writer::begin(format, out, fields, &filter.to_string(), style.clone()).map_err(sink)?;
    let mut cursor: Option<Cursor> = None;
    loop {
        let page = PageRequest { cursor, back: false, limit: PAGE };
        let answer = link.ask(Query::Bills { scope, filter: filter.clone(), page }).await?;
        let Answer::Bills(Page { rows, more, stopped_at, .. }) = answer else { return Err(ExportError::WrongAnswer) };
        cursor = rows.last().map(|(cursor, _)| cursor.clone());
        let mut named = Vec::with_capacity(rows.len());
        for (_, bill) in rows {
            named.push(heads.name(bill, &style.zone).await?);
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
    let mut cursor: Option<Cursor> = None;
    loop {
        let page = PageRequest { cursor, back: false, limit: PAGE };
        let answer = link.ask(Query::Bills { scope, filter: filter.clone(), page }).await?;
        let Answer::Bills(Page { rows, more, stopped_at, .. }) = answer else { return Err(ExportError::WrongAnswer) };
        if rows.iter().any(|(_, row)| !row.key.op.is_audit()) {
            return Ok(true);
        }
        cursor = stopped_at.or(rows.last().map(|(cursor, _)| cursor.clone()).filter(|_| more));
        if cursor.is_none() {
            return Ok(false);
        }
    }
}

/// Column names of runs, asked once each.
struct Heads {
    link: Arc<dyn Link>,
    known: BTreeMap<RunId, Vec<String>>,
}

impl Heads {
    async fn columns(&mut self, run: RunId) -> Result<Vec<String>, ExportError> {
        if let Some(columns) = self.known.get(&run) {
            return Ok(columns.clone());
        }
        let columns = match self.link.ask(Query::Run(run)).await? {
            Answer::Run(Some(row)) => row.head.columns,
            _ => Vec::new(),
        };
        if self.known.len() >= HEADS {
            self.known.pop_first();
        }
        self.known.insert(run, columns.clone());
        Ok(columns)
    }

    async fn name(&mut self, bill: BillRow, zone: &Zone) -> Result<Row, ExportError> {
        let names = if bill.columns.is_empty() { Vec::new() } else { self.columns(bill.run).await? };
        Ok(Row { bill, names, zone: zone.clone() })
    }
}

fn home(path: &str) -> PathBuf {
    match (path.strip_prefix("~/"), std::env::var_os("HOME")) {
        (Some(rest), Some(home)) => Path::new(&home).join(rest),
        _ => PathBuf::from(path),
    }
}
