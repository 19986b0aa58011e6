//! Fields that a form cannot be asked for, as its ERP said: what a plan sends is compared without them.
//!
//! Invariant: a field stands here only when the ERP refused a look for it by name.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Mutex, PoisonError};

use skydeck_core::domain::ids::FormId;

use super::Dispatch;

/// By form.
#[derive(Default)]
pub(super) struct UnknownFields(Mutex<BTreeMap<FormId, BTreeSet<String>>>);

impl Dispatch {
    /// Takes note of a field that a form cannot be asked for.
    pub fn knows_no(&self, form: &FormId, path: String) {
        let mut all = self.unknown_fields.0.lock().unwrap_or_else(PoisonError::into_inner);
        all.entry(form.clone()).or_default().insert(path);
    }

    /// The fields that a form cannot be asked for, as far as was found out.
    pub fn unknown_fields(&self, form: &FormId) -> BTreeSet<String> {
        let all = self.unknown_fields.0.lock().unwrap_or_else(PoisonError::into_inner);
        all.get(form).cloned().unwrap_or_default()
    }
}
