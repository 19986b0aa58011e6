//! The day in one answer: what happened since a moment, plan by plan, what is stuck, and what did not run.
//!
//! Invariant: sums come from hourly counts, never from rows; a span begins with the full hour that holds its first moment, and the
//! hour of the present stands beside the sum, so that who looks again can take away what of it was seen.

use serde::{Deserialize, Serialize};

use super::bill::Slot;
use super::forecast::PlanForecast;
use super::hours::{Counts, HOUR, Hour};
use super::ids::PlanId;
use super::ledger_group::LedgerGroup;
use super::plan_problem::PlanProblem;
use super::run::StoppedRun;
use super::time::Ts;

pub use super::forecast::Silent;

/// Days of one answer, at most.
pub const MOST_DAYS: usize = 62;

/// What is asked of the day.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Span {
    /// From the hour that holds this moment on.
    pub since: Ts,
    /// Up to the hour that begins before this moment; `None`: until now.
    pub until: Option<Ts>,
    /// When each day of the chart begins, oldest first, at most [`MOST_DAYS`]; the last one ends with the present.
    pub days: Vec<Ts>,
}

/// The answer.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Today {
    /// When it was made.
    pub at: Ts,
    /// Every plan, in the order of their files.
    pub plans: Vec<PlanDay>,
    /// Unresolved bills by cause over all plans.
    pub groups: Vec<GroupDay>,
    /// Runs that ended by themselves and were not made good since.
    pub stopped: Vec<StoppedRun>,
}

/// One plan's part.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PlanDay {
    /// Plan.
    pub plan: PlanId,
    /// Its name, where its file can be used.
    pub name: String,
    /// Why its file cannot be used: nothing runs until that is mended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub problem: Option<PlanProblem>,
    /// What happened in the span.
    pub span: Counts,
    /// What happened in the hour of the present so far.
    pub present: Counts,
    /// What happened on each of the days that were asked for.
    pub days: Vec<DayCount>,
    /// Unresolved bills now.
    pub unresolved: u64,
    /// Since when the oldest of them has been unresolved.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stuck: Option<Ts>,
    /// Next scheduled run.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next: Option<Ts>,
    /// When the last of its latest runs went through: every bill was brought to an outcome, none failed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub went_through: Option<Ts>,
    /// It was due and did not run.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub silent: Option<Silent>,
    /// What is usual of it, and what stands out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub forecast: Option<Box<PlanForecast>>,
}

/// What a chart shows of a day.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct DayCount {
    /// Outcomes that hold, of every kind.
    pub told: u64,
    /// Those of them that are failed or unknown.
    pub bad: u64,
}

/// Unresolved bills of one cause, and what became of them in the span.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct GroupDay {
    /// As they stand now.
    pub group: LedgerGroup,
    /// Came in the span.
    pub entered: u64,
    /// Left in the span.
    pub left: u64,
}

impl DayCount {
    /// Of counts.
    pub fn of(counts: &Counts) -> Self {
        let n = |slot| u64::try_from(counts.of(slot)).unwrap_or(0);
        let told = Slot::ALL.into_iter().filter(|slot| *slot != Slot::Waiting).map(n).sum();
        Self { told, bad: n(Slot::Failed) + n(Slot::Unknown) }
    }

    /// Adds another plan's.
    #[must_use]
    pub fn plus(self, other: Self) -> Self {
        Self { told: self.told.saturating_add(other.told), bad: self.bad.saturating_add(other.bad) }
    }
}

impl Span {
    /// The hours to be read: of the chart, and of the span.
    pub fn hours(&self, now: Ts) -> std::ops::Range<Ts> {
        let first = self.days.first().copied().unwrap_or(self.since).min(self.since);
        // The hour that holds the first moment began before it.
        Ts(first.0.saturating_sub(HOUR))..Ts(now.0.saturating_add(1))
    }

    fn holds(&self, hour: &Hour) -> bool {
        hour.begins.0.saturating_add(HOUR) > self.since.0 && self.until.is_none_or(|until| hour.begins < until)
    }

    /// Sorts a plan's hours into the span, the hour of the present, and the days.
    pub fn sort(&self, hours: &[Hour], now: Ts) -> (Counts, Counts, Vec<DayCount>) {
        let (mut span, mut present) = (Counts::default(), Counts::default());
        let mut days = vec![Counts::default(); self.days.len()];
        let is_in = |hour: &Hour, at: Ts| (hour.begins.0..hour.begins.0.saturating_add(HOUR)).contains(&at.0);
        for hour in hours {
            if self.holds(hour) {
                span.add(&hour.counts);
            }
            if is_in(hour, now) {
                present.add(&hour.counts);
            }
            let day = self.days.partition_point(|begins| *begins <= hour.begins);
            if let Some(day) = day.checked_sub(1).and_then(|at| days.get_mut(at)) {
                day.add(&hour.counts);
            }
        }
        (span, present, days.iter().map(DayCount::of).collect())
    }
}

impl GroupDay {
    /// The groups as they stand, with what the plans' counts say came and went; groups that are empty by now are left out.
    pub fn of(groups: Vec<LedgerGroup>, plans: &[PlanDay]) -> Vec<Self> {
        let sum = |list: fn(&Counts) -> &[super::hours::Told], group: &LedgerGroup| -> u64 {
            let told = plans.iter().flat_map(|plan| list(&plan.span));
            told.filter(|told| told.slot == group.slot && told.group == group.group).map(|told| told.bills).sum()
        };
        let day = |group: LedgerGroup| Self {
            entered: sum(|counts| &counts.entered, &group),
            left: sum(|counts| &counts.left, &group),
            group,
        };
        groups.into_iter().map(day).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::hours::Told;
    use crate::domain::run::RunKind;

    fn hour(n: i64, failed: u64) -> Hour {
        let told = vec![Told { slot: Slot::Failed, group: "stock".into(), bills: failed }];
        Hour { begins: Ts(n * HOUR), kind: RunKind::Fresh, counts: Counts { told, ..Counts::default() } }
    }

    #[test]
    fn hours_fall_into_the_span_the_present_one_and_the_days() {
        let hours: Vec<Hour> = (0..50).map(|n| hour(n, 1)).collect();
        let now = Ts(49 * HOUR + 5);
        let span = Span { since: Ts(40 * HOUR + 1), until: None, days: vec![Ts(10 * HOUR), Ts(34 * HOUR)] };
        let (all, present, days) = span.sort(&hours, now);
        assert_eq!((all.of(Slot::Failed), present.of(Slot::Failed)), (10, 1));
        assert_eq!(days, [DayCount { told: 24, bad: 24 }, DayCount { told: 16, bad: 16 }]);
        let span = Span { since: Ts(40 * HOUR), until: Some(Ts(42 * HOUR)), ..span };
        assert_eq!(span.sort(&hours, now).0.of(Slot::Failed), 2, "the end is left out");
        assert_eq!(span.hours(now), Ts(9 * HOUR)..Ts(49 * HOUR + 6));
    }

    #[test]
    fn what_was_seen_of_an_hour_is_taken_away() {
        let mut seen = hour(1, 3).counts;
        let mut later = seen.clone();
        later.add(&hour(1, 4).counts);
        later.enters((Slot::Failed, "stock"));
        seen.runs = 9;
        let rest = later.without(&seen);
        assert_eq!((rest.of(Slot::Failed), rest.gained(), rest.runs), (4, 1, 0));
        assert!(seen.without(&seen).is_empty());
    }
}
