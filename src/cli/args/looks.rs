//! Options that several verbs share.

use clap::Args;
use clap::builder::{PossibleValuesParser, TypedValueParser};

use crate::domain::language::Language;

/// Looks of the console.
#[derive(Debug, Clone, Default, Args)]
pub struct Looks {
    /// Theme: a built-in name or a file.
    #[arg(long, value_name = "THEME")]
    pub theme: Option<String>,
    /// ASCII borders and glyphs.
    #[arg(long)]
    pub ascii: bool,
    /// Take mouse clicks and the wheel (text selection then needs Shift).
    #[arg(long)]
    pub mouse: bool,
}

impl Looks {
    /// What is asked for here, and where nothing is, there.
    #[must_use]
    pub fn or(&self, other: &Self) -> Self {
        Self {
            theme: self.theme.clone().or_else(|| other.theme.clone()),
            ascii: self.ascii || other.ascii,
            mouse: self.mouse || other.mouse,
        }
    }

    /// The first option that was given, if any.
    pub fn given(&self) -> Option<&'static str> {
        let given = [(self.theme.is_some(), "--theme"), (self.ascii, "--ascii"), (self.mouse, "--mouse")];
        given.into_iter().find_map(|(given, name)| given.then_some(name))
    }
}

/// Reads a language's name.
pub(super) fn language() -> impl TypedValueParser<Value = Language> {
    PossibleValuesParser::new(Language::ALL.map(|(name, _)| name)).map(|name| {
        let known = Language::ALL.into_iter().find(|(known, _)| *known == name);
        known.map(|(_, lang)| lang).unwrap_or_default()
    })
}
