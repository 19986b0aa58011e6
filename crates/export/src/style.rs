//! In which form, and in whose words, a list is written.

use std::sync::Arc;

use skydeck_core::domain::cause::CauseTable;
use skydeck_core::domain::language::Language;
use skydeck_core::domain::time::Ts;
use skydeck_core::domain::zone::Zone;

/// How an export is written.
#[derive(Clone, Debug)]
pub struct Style {
    /// Zone of dates; it is named beside them.
    pub zone: Zone,
    /// Language of headings and words. JSON lines have the same names in all.
    pub lang: Language,
    /// Labels of causes, for people.
    pub causes: Arc<CauseTable>,
    /// Codes of programs in the place of words.
    pub codes: bool,
    /// When it is written.
    pub now: Ts,
}

/// Forms of an export.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[expect(missing_docs, reason = "they say what they are")]
pub enum Format {
    Csv,
    JsonLines,
    Markdown,
    Html,
}
