//! What is wrong in a theme file, in both languages.
//!
//! Invariant: every fault names the theme, the place in it, and what may stand there.

use skydeck_core::domain::language::Language;
use skydeck_core::text::show;

/// As much of a file's words as a notice shows.
const MOST: usize = 60;

/// One fault.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ThemeFault {
    /// The file is not TOML from this line on.
    Unreadable(usize),
    /// A role's style has a word that is neither a colour nor a way of writing.
    NoColour {
        /// The role.
        role: &'static str,
        /// The word.
        word: String,
    },
    /// A role's style is not a text.
    NotText(&'static str),
    /// The cursor is neither of its two.
    Cursor,
    /// No role is called so.
    NoRole {
        /// The name.
        key: String,
        /// The role that may be meant.
        near: Option<&'static str>,
    },
}

impl ThemeFault {
    /// The fault as a sentence; `theme` is the name or the path under which it was asked for.
    pub fn said(&self, theme: &str, lang: Language) -> String {
        let what = match lang {
            Language::En => self.en(),
            Language::Zh => self.zh(),
        };
        let theme = show(theme, 200);
        lang.t(format!("theme `{theme}`: {what}"), format!("主题 `{theme}`：{what}"))
    }

    fn en(&self) -> String {
        match self {
            Self::Unreadable(line) => {
                format!("cannot be read from line {line} on; expected lines such as `ok = \"green bold\"`")
            }
            Self::NoColour { role, word } => format!(
                "`{role}`: no colour `{}`; expected a name, 0–255 or #rrggbb, or bold, dim, italic, underline, reverse",
                show(word, MOST)
            ),
            Self::NotText(role) => format!("`{role}` must be a text, such as \"green bold\""),
            Self::Cursor => "`cursor` is \"marker\" or \"bar\"".to_owned(),
            Self::NoRole { key, near: None } => format!("no role `{}`; the line is ignored", show(key, MOST)),
            Self::NoRole { key, near: Some(near) } => {
                format!("no role `{}`; did you mean `{near}`? The line is ignored", show(key, MOST))
            }
        }
    }

    fn zh(&self) -> String {
        match self {
            Self::Unreadable(line) => format!("从第 {line} 行起无法读取；每行应写作 `ok = \"green bold\"`"),
            Self::NoColour { role, word } => format!(
                "`{role}` 中没有颜色 `{}`；可写颜色名、0–255 或 #rrggbb，以及 bold、dim、italic、underline、reverse",
                show(word, MOST)
            ),
            Self::NotText(role) => format!("`{role}` 应为文本，例如 \"green bold\""),
            Self::Cursor => "`cursor` 只能是 \"marker\" 或 \"bar\"".to_owned(),
            Self::NoRole { key, near: None } => format!("没有名为 `{}` 的角色；已忽略该行", show(key, MOST)),
            Self::NoRole { key, near: Some(near) } => {
                format!("没有名为 `{}` 的角色；是不是 `{near}`？已忽略该行", show(key, MOST))
            }
        }
    }
}
