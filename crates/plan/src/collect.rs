//! Plans that only collect: a source, and nothing that is called. What they read is kept for the look-ups of other plans.
//!
//! Invariant: a plan collects only where its file says so; a target that is forgotten is a fault, and not a plan without one.

use skydeck_core::domain::plan::{Source, Target};

use super::policy::PolicyRead;
use super::problem::make::MakeProblem;
use super::reading::{Findings, nowhere};
use super::vendor::Side;

/// The vendor's name of a target that does nothing.
const EMPTY: &str = "写入空操作";

/// Whether a target does nothing, as the vendor writes it.
pub(crate) fn is_empty(side: &Side<'_>) -> bool {
    let is = |name: &Option<String>| name.as_ref().is_some_and(|name| name.trim() == EMPTY);
    is(&side.api) || (is(&side.name) && side.api.is_none())
}

/// The target of a plan that only collects. What says how something is called has no place in it.
pub(crate) fn read(source: &Source, policy: &PolicyRead, findings: &mut Findings) -> Target {
    let given = [
        ("done", policy.declares_done),
        ("mine", policy.policy.mine.is_some()),
        ("submit", policy.policy.submit),
        ("target_env", policy.target_env.is_some()),
    ];
    let given = given.into_iter().filter(|(_, given)| *given).map(|(key, _)| key);
    for key in given.chain(policy.make.given()) {
        findings.refuse(format!("skydeck.{key}"), MakeProblem::NotForCollecting { key: key.to_owned() });
    }
    Target { form: source.form.clone(), collects: true, ..nowhere() }
}

/// Refuses a plan that is said to collect only and calls something.
pub(crate) fn refuse_policy(side: &Side<'_>, policy: &PolicyRead, findings: &mut Findings) {
    if policy.collect {
        let api = side.api.clone().unwrap_or_default();
        findings.refuse("skydeck.collect", MakeProblem::CollectsAndCalls { api });
    }
}
