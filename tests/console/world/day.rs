//! What the world says of its day.

use super::{NOW, World, before};
use skydeck::domain::bill::{Slot, Status};
use skydeck::domain::forecast::{DayKind, Finding, Forecaster, Found, Line, PlanForecast, Record, Standing, Usual};
use skydeck::domain::hours::{Counts, Told};
use skydeck::domain::ids::PlanId;
use skydeck::domain::query::{PlanProblem, PlanRow};
use skydeck::domain::reach::{PlanReach, Reach};
use skydeck::domain::reason::Reason;
use skydeck::domain::run::*;
use skydeck::domain::today::*;

/// Counts of a plan: runs, done, failed, unknown, what came into the ledger and what left it.
pub fn counts([runs, done, failed, unknown, entered, left]: [u64; 6]) -> Counts {
    let told = |slot, group: &str, bills| Told { slot, group: group.into(), bills };
    let some = |list: Vec<Told>| list.into_iter().filter(|told| told.bills > 0).collect();
    Counts {
        runs,
        found: done + failed + unknown,
        told: some(vec![
            told(Slot::Done, "", done),
            told(Slot::Failed, "stock", failed),
            told(Slot::Unknown, "timed_out", unknown),
        ]),
        entered: some(vec![told(Slot::Failed, "stock", entered)]),
        left: some(vec![told(Slot::Failed, "stock", left)]),
        ..Counts::default()
    }
}

impl World {
    /// What is said of a plan: the first has been quiet, and unresolved bills of the second become more.
    pub fn said(&self, plan: &PlanId) -> Option<PlanForecast> {
        let first = match plan.as_str() {
            _ if !self.quiet => return None,
            "sal-outstock-audit" => true,
            "pur-instock-audit" => false,
            _ => return None,
        };
        let usual = Usual { low: 60, mean: 84, high: 110, day: DayKind::MonthEnd, blind: false };
        let quiet = Finding::Quiet { since: before(3 * 3600), found: 0, expected: 41, runs: 3 };
        let grows = Finding::Growing { since: before(3 * 86_400), group: "stock".into(), entered: 14, left: 2 };
        let (by, finding) = if first { (Forecaster::Silence, quiet) } else { (Forecaster::Ledger, grows) };
        let record = |by| match by {
            Forecaster::Found => Record { asked: 180, inside: 162, gain: 120, alarms: 2, denied: 1 },
            Forecaster::Silence => Record { alarms: 1, ..Record::default() },
            _ => Record::default(),
        };
        let standing = |by| match by {
            Forecaster::Found | Forecaster::Silence | Forecaster::Ledger => Standing::Speaks,
            Forecaster::Drift => Standing::TooManyAlarms { said: 3 },
            Forecaster::Done => Standing::Learning { runs: 12, of: 20, days: 0, of_days: 0 },
            Forecaster::FailureRate | Forecaster::CallTime => {
                Standing::Learning { runs: 21, of: 30, days: 0, of_days: 0 }
            }
        };
        Some(PlanForecast {
            plan: plan.clone(),
            due: None,
            next: first.then(|| (NOW.plus(std::time::Duration::from_secs(480)), usual)),
            found: vec![Found { by, finding, denied: 1, alarms: 2 }],
            missed: None,
            lines: Forecaster::ALL.map(|by| Line { by, standing: standing(by), record: record(by) }).into(),
        })
    }

    /// What the plans say of a number that no run has read.
    pub fn reach() -> Vec<PlanReach> {
        let row =
            |plan: &str, name: &str, reach| PlanReach { plan: PlanId::new(plan), name: name.into(), env: None, reach };
        let filter =
            "(FCreateDate>='1900-01-01' and FDOCUMENTSTATUS<>'C' and FBillTypeID.fnumber='XSCKD07_SYS')".into();
        vec![
            row("sal-outstock-audit", "销售出库单审核", Reach::LeavesOut { filter, status: Some(Status::Audited) }),
            row("pur-instock-audit", "采购入库单审核", Reach::NotThere),
            row("broken", "另一个方案", Reach::Failed(Reason::Unreachable { said: "connection refused".into() })),
        ]
    }

    pub fn today(&self, span: &Span) -> Today {
        let mut day = Today { at: NOW, ..Today::default() };
        if self.empty {
            return day;
        }
        for (i, row) in self.plans.iter().enumerate() {
            let forecast = self.said(row.plan_id()).map(Box::new);
            day.plans.push(PlanDay { forecast, ..plan_day(i as u64, row, span) });
        }
        for i in 0..self.others {
            day.plans.push(other(i, span));
        }
        day.groups = GroupDay::of(self.groups.clone(), &day.plans);
        day.stopped.clone_from(&self.ended);
        day
    }
}

fn plan_day(i: u64, row: &PlanRow, span: &Span) -> PlanDay {
    let (plan, name, problem): (PlanId, String, Option<PlanProblem>) = match &row.plan {
        Ok(plan) => (plan.id.clone(), plan.name.clone(), None),
        Err(problem) => (problem.id.clone(), String::new(), Some(problem.clone())),
    };
    let days = (0..span.days.len() as u64).map(|day| DayCount {
        told: if problem.is_some() { 0 } else { (day * 7919 + i * 104_729) % 613 * u64::from(day % 7 < 5) },
        bad: if problem.is_some() { 0 } else { (day * 31 + i) % 17 },
    });
    PlanDay {
        span: if problem.is_some() {
            Counts::default()
        } else {
            counts([12 + i, 1203 / (i + 1), 14 * (1 - i.min(1)), 1 - i.min(1), 9, 20])
        },
        present: Counts::default(),
        days: days.collect(),
        unresolved: row.unresolved,
        stuck: (row.unresolved > 0).then(|| before(3 * 86_400)),
        next: row.next,
        went_through: row.last.first().and_then(|run| run.closed),
        silent: None,
        forecast: None,
        plan,
        name,
        problem,
    }
}

/// One of many plans; of thirty the fourth, the seventeenth and the last did not run.
fn other(i: u64, span: &Span) -> PlanDay {
    let silent = [3, 16, 29].contains(&i);
    PlanDay {
        plan: PlanId::new(format!("plan-{i:02}")),
        name: format!("第 {i} 号单据审核"),
        problem: None,
        span: if silent { Counts::default() } else { counts([i % 9, i * 40, i % 4, 0, i % 3, i % 2]) },
        present: Counts::default(),
        days: vec![DayCount { told: i * 40, bad: i % 4 }; span.days.len()],
        unresolved: i % 4,
        stuck: (!i.is_multiple_of(4)).then(|| before(3600 * i as i64)),
        next: Some(before(-3600)),
        went_through: i.is_multiple_of(4).then(|| before(1800)),
        silent: silent.then(|| Silent { since: before(8 * 3600 + 60 * i as i64), times: 4 }),
        forecast: None,
    }
}

/// A run of the world that ended by itself.
pub fn ended(row: &RunRow, why: skydeck::domain::reason::Reason) -> StoppedRun {
    let row = RunRow { state: RunState::Closed(RunEnd::Stopped(why)), ..row.clone() };
    StoppedRun { since: row.closed.unwrap_or(NOW), row, times: 2, until: None }
}
