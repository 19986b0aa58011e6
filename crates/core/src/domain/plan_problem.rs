//! Why a plan's file cannot be used.

use serde::{Deserialize, Serialize};

use super::ids::PlanId;
use super::reason::Reason;

/// A plan file that cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PlanProblem {
    /// File name without `.json`.
    pub id: PlanId,
    /// File, line, column, field and what to do.
    pub message: String,
    /// The same in Chinese, where it is said in both languages.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub zh: Option<String>,
    /// The same for programs, where it is one of the engine's own reasons.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<Box<Reason>>,
}

impl PlanProblem {
    /// A problem that is said in English alone.
    pub fn new(id: PlanId, message: String) -> Self {
        Self { id, message, zh: None, reason: None }
    }

    /// The words in one of the two languages, as far as there are any.
    pub fn said(&self, zh: bool) -> &str {
        self.zh.as_deref().filter(|_| zh).unwrap_or(&self.message)
    }
}
