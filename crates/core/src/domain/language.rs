//! The languages that people read.

use serde::Deserialize;

/// A language.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Language {
    /// Chinese.
    Zh,
    /// English.
    #[default]
    En,
}

impl Language {
    /// All of them, by the names that options and configuration use.
    pub const ALL: [(&str, Self); 2] = [("zh", Self::Zh), ("en", Self::En)];

    /// One of two texts.
    pub fn t<T>(self, en: T, zh: T) -> T {
        match self {
            Self::En => en,
            Self::Zh => zh,
        }
    }

    /// How often, in words: `once`, `14 times`.
    pub fn times(self, times: impl Into<u64>) -> String {
        match (self, times.into()) {
            (Self::Zh, n) => format!("{n} 次"),
            (Self::En, 1) => "once".to_owned(),
            (Self::En, n) => format!("{n} times"),
        }
    }
}
