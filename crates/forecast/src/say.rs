//! What is said of a plan at a moment.
//!
//! Invariant: a forecaster that is silent says only why.

use skydeck_core::domain::forecast::{Due, Finding, Forecaster, Found, Line, PlanForecast, Usual};
use skydeck_core::domain::ids::{PlanId, RunId};
use skydeck_core::domain::time::Ts;

use chrono::Datelike;

use crate::Folder;
use crate::plan::Plan;
use crate::spans::local;

/// Nothing is said of what is further away.
const MOST_MS: f64 = 100.0 * 86_400_000.0;
/// A range whose end is so many times as far away as its beginning says no end.
const WIDE: f64 = 4.0;

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

    /// When the calls of a run are done; `None` where it is not at work, or no range is known. `pace`: milliseconds that the calls
    /// which are left take at least, as fast as they may go; `now` is the present.
    pub fn due(&self, id: RunId, pace: f64, now: Ts) -> Option<Due> {
        let run = self.state.open.get(&id)?;
        let plan = self.state.plans.get(&run.plan)?;
        let done = run.done(&plan.drain)?;
        if !done.ranged || !plan.standing(Forecaster::Done).speaks() {
            return None;
        }
        let at = |ms: f64| Ts(done.since.saturating_add(ms.min(MOST_MS) as i64));
        let first = Ts(now.0.saturating_add(pace.clamp(0.0, MOST_MS) as i64));
        let from = at(done.low).max(first);
        let is_wide = done.high > WIDE * done.low;
        Some(Due { run: id, from, to: (!is_wide).then(|| at(done.high).max(from)) })
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
    add(Forecaster::FailureRate, plan.failing());
    for finding in plan.growing() {
        add(Forecaster::Ledger, Some(finding));
    }
    found
}
