//! One cell of a table row.

use std::borrow::Cow;

use crate::ui::skin::Role;
use crate::ui::targets::Target;

/// One cell of a table row.
#[derive(Clone, Debug)]
pub struct Cell<'a> {
    /// Cells it may take; 0 = what is left (one a row).
    pub width: u16,
    /// Right-aligned.
    pub right: bool,
    /// A key cell: wears the selection style when the row is under the cursor.
    pub key: bool,
    /// Meaning.
    pub role: Role,
    /// Text.
    pub text: Cow<'a, str>,
    /// A name: others begin alike, and what tells it from them may stand at its end.
    pub named: bool,
    /// What a click on it means.
    pub target: Option<Target>,
}

impl<'a> Cell<'a> {
    /// A left-aligned cell.
    pub fn new(width: u16, role: Role, text: impl Into<Cow<'a, str>>) -> Self {
        Self { width, right: false, key: false, role, text: text.into(), named: false, target: None }
    }

    /// Right-aligned.
    #[must_use]
    pub fn right(mut self) -> Self {
        self.right = true;
        self
    }

    /// A key cell.
    #[must_use]
    pub fn key(mut self) -> Self {
        self.key = true;
        self
    }

    /// A name, which is cut in its middle.
    #[must_use]
    pub fn named(mut self) -> Self {
        self.named = true;
        self
    }

    /// A click on it means this.
    #[must_use]
    pub fn clicked(mut self, target: Target) -> Self {
        self.target = Some(target);
        self
    }
}
