//! What an account set decides for itself: unique numbers, numbering rules, required fields, how much a conversion pushes.
//!
//! Invariant: every setting has the default that most account sets have, and can be changed while the server runs.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// All settings.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Settings {
    /// By form id; `*` for those that have none of their own.
    pub form: BTreeMap<String, FormSettings>,
    /// By conversion rule; `*` likewise.
    pub rule: BTreeMap<String, RuleSettings>,
    /// Which outstock bills make a receivable when they are audited.
    pub receivable: Receivable,
    /// A packet that asks for it (`ValidateRepeatJson`) is refused when the same one was saved in so many seconds before.
    pub repeat_seconds: i64,
    /// Models a call may have.
    pub max_models: usize,
    /// Lines an entity of a bill may have.
    pub max_lines: usize,
    /// Saved and pushed bills take at most so many megabytes; then the database is full.
    pub max_mb: usize,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            form: BTreeMap::new(),
            rule: BTreeMap::new(),
            receivable: Receivable::default(),
            repeat_seconds: 600,
            max_models: 2_000,
            max_lines: 5_000,
            max_mb: 512,
        }
    }
}

/// What a form decides.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct FormSettings {
    /// A number that a bill of the form has already is refused; otherwise there are two.
    pub unique: bool,
    /// Where numbers come from.
    pub numbering: Numbering,
    /// Whether required fields are checked.
    pub required: bool,
    /// Whether `IsAutoAdjustField` gives a bill a number of the rule when its model names organisation or type.
    pub adjust_renumbers: bool,
    /// The field whose value creations are counted by; the number where it is empty.
    pub key: String,
    /// The customer's own fields, `F_X` or `FEntity.F_X`. Without any named, every key that begins with `F_` is one.
    pub custom: Vec<String>,
}

impl Default for FormSettings {
    fn default() -> Self {
        Self {
            unique: true,
            numbering: Numbering::default(),
            required: true,
            adjust_renumbers: false,
            key: String::new(),
            custom: Vec::new(),
        }
    }
}

/// What becomes of the number that was sent.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Numbering {
    /// It is kept; a bill without one gets the next of the form's rule.
    #[default]
    Honour,
    /// The form's rule replaces it.
    Replace,
    /// There is no rule: it is kept, and a bill without one is refused.
    Sent,
}

/// What a conversion decides.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct RuleSettings {
    /// Percent of what is left that one push takes.
    pub share: u32,
    /// Whether what was pushed counts against the source. Otherwise it can be pushed without end.
    pub control: bool,
}

impl Default for RuleSettings {
    fn default() -> Self {
        Self { share: 100, control: true }
    }
}

/// Which outstock bills make an audited receivable when they are audited.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Receivable {
    /// One in four, the same ones every time.
    #[default]
    Quarter,
    /// All.
    All,
    /// None.
    None,
}

impl Settings {
    /// Those of a form.
    pub fn of(&self, form: &str) -> FormSettings {
        named(&self.form, form).cloned().unwrap_or_default()
    }

    /// Those of a conversion rule.
    pub fn of_rule(&self, rule: &str) -> RuleSettings {
        named(&self.rule, rule).copied().unwrap_or_default()
    }

    /// Reads a settings file.
    ///
    /// # Errors
    /// It is not TOML, or names a setting there is not.
    pub fn from_toml(text: &str) -> Result<Self, toml::de::Error> {
        toml::from_str(text)
    }
}

fn named<'a, T>(map: &'a BTreeMap<String, T>, name: &str) -> Option<&'a T> {
    map.iter().find(|(of, _)| of.eq_ignore_ascii_case(name)).map(|(_, value)| value).or_else(|| map.get("*"))
}
