//! The states a row has, and where each is kept.
//!
//! Invariant: the document status has a column of its own, the others are marks of one bit each.

/// A state of a row. The document status has a column of its own; the others are marks: `A` not so, `B` so.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum State {
    /// `Z`, `A`, `B`, `C`, `D`.
    Document,
    /// `A` open, `B` closed.
    Close,
    /// `A` usable, `B` forbidden.
    Forbid,
}

impl State {
    /// Every state.
    pub const ALL: [Self; 3] = [Self::Document, Self::Close, Self::Forbid];

    /// Its field, as records and queries name it.
    pub fn key(self) -> &'static str {
        match self {
            Self::Document => "FDocumentStatus",
            Self::Close => "FCloseStatus",
            Self::Forbid => "FForbidStatus",
        }
    }

    /// The state a field shows.
    pub fn by_key(key: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|state| state.key().eq_ignore_ascii_case(key))
    }

    /// Its place among a row's marks; the document status is none.
    pub(super) fn bit(self) -> u8 {
        match self {
            Self::Document => 0,
            Self::Close => 1,
            Self::Forbid => 2,
        }
    }
}
