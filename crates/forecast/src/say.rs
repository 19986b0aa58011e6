//! What is said of a plan at a moment.
//!
//! Invariant: a forecaster that is silent says only why.

use skydeck_core::domain::forecast::{Finding, Forecaster, Found, Line, PlanForecast, Usual};
use skydeck_core::domain::ids::{PlanId, RunId};
use skydeck_core::domain::time::Ts;

use chrono::Datelike;

use crate::Folder;
use crate::drain::Done;
use crate::plan::Plan;
use crate::spans::local;

impl Folder {
    /// What is said of a plan. `next`: when its next run is due.
    pub fn say(&self, id: &PlanId, next: Option<Ts>) -> Option<PlanForecast> {
        let plan = self.state.plans.get(id)?;
        let lines = Forecaster::ALL.map(|by| Line { by, standing: plan.standing(by), record: plan.record(by) });
        let due = next;
        let next = next.and_then(|at| self.usual(plan, at).map(|usual| (at, usual)));
        Some(PlanForecast { plan: id.clone(), due, next, found: found(plan), missed: None, lines: lines.into() })
    }

    /// What a run at a moment usually finds.
    fn usual(&self, plan: &Plan, at: Ts) -> Option<Usual> {
        if !plan.standing(Forecaster::Found).speaks() {
            return None;
        }
        let since = plan.since.filter(|since| *since < at)?;
        let zone = self.zone(plan);
        let expected = plan.volume.expect(&self.calendar, &zone, since, at);
        let spread = expected.spread();
        let (day, _) = local(&zone, at);
        Some(Usual {
            low: spread.quantile(0.05),
            mean: spread.mean().round() as u64,
            high: spread.quantile(0.95),
            day: self.calendar.kind(day),
            blind: !self.calendar.knows(day.year()),
        })
    }

    /// When the calls of a run are done: milliseconds from the last bill on; `None` where it is not at work, or no range is
    /// known or it is too wide to be of use.
    pub fn done(&self, run: RunId) -> Option<Done> {
        let open = self.state.open.get(&run)?;
        let plan = self.state.plans.get(&open.plan)?;
        let done = open.done(&plan.drain)?;
        (done.ranged && plan.standing(Forecaster::Done).speaks()).then_some(done)
    }
}

fn found(plan: &Plan) -> Vec<Found> {
    let mut found = Vec::new();
    let mut add = |by: Forecaster, finding: Option<Finding>| {
        let Some(finding) = finding.filter(|_| plan.standing(by).speaks()) else { return };
        let record = plan.record(by);
        found.push(Found { by, finding, denied: record.denied, alarms: record.alarms });
    };
    let (quiet, busy) = plan.volume_findings();
    let (quiet_by, busy_by) = plan.watch.tellers();
    add(quiet_by, quiet);
    add(busy_by, busy);
    for by in [Forecaster::FailureRate, Forecaster::CallTime] {
        add(by, plan.rate_finding(by));
    }
    for finding in plan.growing() {
        add(Forecaster::Ledger, Some(finding));
    }
    found
}
