//! Plans that send records to a system that speaks JSON over HTTP.
//!
//! Invariant: a plan is taken only where it says how a record is found there again, and what an answer has to say; who we are
//! and where the system is stand in the environment, and no secret in a plan.

pub(crate) mod parts;
mod policy;
mod read;
#[cfg(test)]
mod tests;

pub(crate) use policy::{REQUEST, RequestPolicy, SendPolicy, absent_statuses};
pub(super) use read::read;
pub(crate) use read::refuse_policy;

use crate::vendor::Side;

/// Whether a target is a path of another system, or is said to be one.
pub(crate) fn is_sending(side: &Side<'_>, policy: &SendPolicy) -> bool {
    side.api.as_ref().is_some_and(|api| api.starts_with('/') || api.contains("://")) || policy.names_a_path()
}
