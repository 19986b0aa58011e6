//! The last look at Today: when it was, and what the hour it fell into had counted by then.
//!
//! Invariant: what was seen is not told again as new.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use skydeck_core::domain::hours::Counts;
use skydeck_core::domain::ids::PlanId;
use skydeck_core::domain::time::Ts;
use skydeck_core::domain::today::{GroupDay, Today};

/// A look.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Looked {
    /// When what was on the screen had been counted.
    pub at: Ts,
    /// What the hour of that moment had counted by then, by plan; plans without anything are left out.
    pub hour: BTreeMap<PlanId, Counts>,
}

impl Looked {
    /// At this picture.
    pub fn of(day: &Today) -> Self {
        let counted = day.plans.iter().filter(|plan| !plan.present.is_empty());
        Self { at: day.at, hour: counted.map(|plan| (plan.plan.clone(), plan.present.clone())).collect() }
    }

    /// Takes what was seen then out of a picture whose span begins with that hour.
    pub fn take_from(&self, day: &mut Today) {
        for plan in &mut day.plans {
            if let Some(seen) = self.hour.get(&plan.plan) {
                plan.span = plan.span.without(seen);
            }
        }
        let groups = std::mem::take(&mut day.groups).into_iter().map(|day| day.group).collect();
        day.groups = GroupDay::of(groups, &day.plans);
    }
}
