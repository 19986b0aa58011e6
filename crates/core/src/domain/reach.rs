//! Why no run has read a bill: what the ERP says when each plan asks for it by its number, with its filter and without.

use serde::{Deserialize, Serialize};

use super::bill::Status;
use super::command::Refusal;
use super::ids::{EnvId, PlanId};
use super::reason::Reason;

/// Plans that are asked about one number, at most.
pub const MOST_PLANS: usize = 64;
/// Longest number that is asked for, in characters.
pub const LONGEST: usize = 256;

/// What one plan says of a number.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PlanReach {
    /// Plan.
    pub plan: PlanId,
    /// Its name.
    pub name: String,
    /// Where it was asked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub env: Option<EnvId>,
    /// What came of it.
    pub reach: Reach,
}

/// What came of asking for a number.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Reach {
    /// The plan's filter finds it: its next run reads it.
    Finds,
    /// It is there, and the plan's filter leaves it out.
    LeavesOut {
        /// The filter as it was sent, without the mark.
        filter: String,
        /// The bill's status.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        status: Option<Status>,
    },
    /// There is no such bill of the plan's form.
    NotThere,
    /// The ERP could not be asked, or refused.
    Failed(Reason),
    /// The plan cannot be run.
    Refused(Refusal),
}
