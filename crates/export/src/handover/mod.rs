//! A hand-over: what the next shift must know. What came and what left since a time, what waits for whom, what was decided and
//! by whom.
//!
//! Invariant: it costs as much as there are plans, causes, hours and orders since that time, whatever the history.

mod gather;
mod render;

use std::io::Write as _;
use std::path::PathBuf;
use std::sync::Arc;

use skydeck_core::domain::time::Ts;
use skydeck_engine::api::Link;

use super::ExportError;
use super::file::Part;
use super::style::Style;

pub use gather::gather;
pub use render::render;

/// Forms of a hand-over.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Form {
    /// For a terminal or a letter.
    Text,
    /// For a chat.
    Markdown,
    /// A page of its own.
    Html,
}

impl Form {
    /// All of them, by the endings of their files.
    pub const ALL: [(&str, Self); 3] = [("md", Self::Markdown), ("html", Self::Html), ("txt", Self::Text)];
}

/// What to hand over.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Wanted {
    /// Since when.
    pub since: Ts,
    /// How.
    pub form: Form,
    /// Where.
    pub path: String,
    /// Replace a file that is there.
    pub force: bool,
}

/// A hand-over.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Handover {
    /// What it is called.
    pub title: &'static str,
    /// Since when, until when, and the sums.
    pub about: Vec<String>,
    /// In the order in which they are read.
    pub sections: Vec<Section>,
}

/// One part of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Section {
    /// What it is about.
    pub heading: &'static str,
    /// What its columns are called.
    pub columns: Vec<&'static str>,
    /// Its rows.
    pub rows: Vec<Vec<String>>,
    /// What is said where there are none.
    pub none: &'static str,
    /// Rows that are left out.
    pub more: usize,
}

/// Writes a hand-over to a file.
///
/// # Errors
/// See [`ExportError`]; no file stands under the wanted name then.
pub async fn to_file(link: Arc<dyn Link>, wanted: &Wanted, style: &Style) -> Result<PathBuf, ExportError> {
    let part = Part::begin(&wanted.path, wanted.force)?;
    let text = render(&gather(&*link, wanted.since, style).await?, wanted.form, style.lang);
    let mut out = part.file()?;
    let kept = tokio::task::spawn_blocking(move || match out.write_all(text.as_bytes()) {
        Ok(()) => part.keep(),
        Err(error) => Err(part.fault(&error)),
    });
    kept.await.map_err(|_| ExportError::WrongAnswer)?
}
