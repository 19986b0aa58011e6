//! The selected rows: some bills by their keys, or everything that matches, whatever is on the screen.

use std::collections::BTreeMap;

use skydeck_core::domain::ids::WorkKey;

/// What was selected with the mark keys.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum RowSelection {
    /// These, with their numbers; none of them where nothing is selected.
    Bills(BTreeMap<WorkKey, String>),
    /// All that match.
    All,
}

impl Default for RowSelection {
    fn default() -> Self {
        Self::Bills(BTreeMap::new())
    }
}

impl RowSelection {
    /// Nothing is selected.
    pub fn is_empty(&self) -> bool {
        matches!(self, Self::Bills(bills) if bills.is_empty())
    }

    /// All that match are.
    pub fn is_all(&self) -> bool {
        *self == Self::All
    }

    /// The bills selected one by one.
    pub fn bills(&self) -> Option<&BTreeMap<WorkKey, String>> {
        match self {
            Self::Bills(bills) => Some(bills).filter(|bills| !bills.is_empty()),
            Self::All => None,
        }
    }

    /// Whether this one was selected by itself.
    pub fn holds(&self, key: &WorkKey) -> bool {
        self.bills().is_some_and(|bills| bills.contains_key(key))
    }

    /// Selects all that match.
    pub fn all(&mut self) {
        *self = Self::All;
    }

    /// Selects nothing.
    pub fn clear(&mut self) {
        *self = Self::default();
    }

    /// Another list: what matched the one before is no longer meant. Bills stay, they are the same everywhere.
    pub fn not_all(&mut self) {
        if self.is_all() {
            self.clear();
        }
    }

    /// Selects a bill; one that is selected no more where `toggle` says so.
    pub fn add(&mut self, key: WorkKey, no: String, toggle: bool) {
        self.not_all();
        if let Self::Bills(bills) = self
            && (bills.remove(&key).is_none() || !toggle)
        {
            bills.insert(key, no);
        }
    }

    /// A bill that is settled by a person is no longer selected.
    pub fn remove(&mut self, key: &WorkKey) {
        if let Self::Bills(bills) = self {
            bills.remove(key);
        }
    }
}
