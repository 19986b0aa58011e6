//! What is said about what is usual: ranges, findings, and why a forecaster is silent.
//!
//! Invariant: nothing of this ever touches an outcome, an order or a count; it stands beside them and says so.

use serde::{Deserialize, Serialize};

use super::ids::{PlanId, RunId};
use super::time::Ts;

/// Who says something.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Forecaster {
    /// How many bills a run finds.
    Found,
    /// Runs that find nothing, one after the other.
    Silence,
    /// Volume that stays away from what is usual for days.
    Drift,
    /// Share of refused bills.
    FailureRate,
    /// How long a call takes. Nobody says it any more: it did not beat its rule. The place in lists that are kept stays.
    CallTime,
    /// Unresolved bills of a cause that become more from day to day.
    Ledger,
    /// When the calls of a run are done.
    Done,
}

impl Forecaster {
    /// All, in the order in which they are listed.
    pub const ALL: [Self; 6] = [Self::Found, Self::Silence, Self::Drift, Self::FailureRate, Self::Ledger, Self::Done];

    /// The word used in JSON, metrics and filters.
    pub fn word(self) -> &'static str {
        match self {
            Self::Found => "found",
            Self::Silence => "silence",
            Self::Drift => "drift",
            Self::FailureRate => "failure_rate",
            Self::CallTime => "call_time",
            Self::Ledger => "ledger",
            Self::Done => "done",
        }
    }
}

/// What kind of day it is for an office.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DayKind {
    /// An ordinary working day.
    Working,
    /// One of the first two working days of a month.
    MonthStart,
    /// One of the last three working days of a month.
    MonthEnd,
    /// One of the first two working days after three or more days off.
    AfterBreak,
    /// Saturday or Sunday without work.
    Weekend,
    /// A holiday.
    Holiday,
}

/// What a run usually finds: nine of ten lie between the two.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Usual {
    /// Bills, at least.
    pub low: u64,
    /// In the mean.
    pub mean: u64,
    /// At most.
    pub high: u64,
    /// On this kind of day.
    pub day: DayKind,
    /// The calendar knows no holidays of this year.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub blind: bool,
}

/// Whether a forecaster says what it thinks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Standing {
    /// It does.
    Speaks,
    /// It has not seen enough: so many of so many runs, and days.
    Learning {
        /// Runs seen.
        runs: u32,
        /// Runs wanted.
        of: u32,
        /// Days seen.
        days: u32,
        /// Days wanted.
        of_days: u32,
    },
    /// It was no better than what it is compared with; what is long ago counts less.
    NotBetter,
    /// In the last 30 days so many of its alarms were said to be none: more than twice what is borne.
    TooManyAlarms {
        /// So many.
        said: u32,
    },
    /// In the last 30 days its range held in so many of a thousand, where 900 are promised.
    OffRange {
        /// Of a thousand.
        inside: u32,
    },
}

impl Standing {
    /// Whether it speaks.
    pub fn speaks(self) -> bool {
        self == Self::Speaks
    }
}

/// How a forecaster did in the last 30 days.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Record {
    /// How often something was predicted and then seen.
    pub asked: u32,
    /// How often it lay in the range.
    pub inside: u32,
    /// By how much it was better than its baseline, in thousandths of a nat a prediction; negative: worse.
    pub gain: i32,
    /// Alarms.
    pub alarms: u32,
    /// Those of them that people said were none.
    pub denied: u32,
}

/// Something that no run reports.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "what")]
pub enum Finding {
    /// Fewer bills than usual, or none.
    Quiet {
        /// Since this run.
        since: Ts,
        /// Found since then.
        found: u64,
        /// Expected since then.
        expected: u64,
        /// Runs since then.
        runs: u32,
    },
    /// More bills than usual.
    Busy {
        /// Since this run.
        since: Ts,
        /// Found since then.
        found: u64,
        /// Expected since then.
        expected: u64,
        /// Runs since then.
        runs: u32,
    },
    /// A larger share of the calls is refused than usual.
    Failing {
        /// Since this run.
        since: Ts,
        /// Of a thousand, since then.
        permille: u32,
        /// Of a thousand, usually.
        usual: u32,
    },
    /// Calls take longer than usual.
    Slow {
        /// Since this run.
        since: Ts,
        /// Milliseconds, since then.
        ms: u64,
        /// Milliseconds, usually.
        usual: u64,
    },
    /// Unresolved bills of a cause become more from day to day.
    Growing {
        /// Since this moment.
        since: Ts,
        /// Column and cause as the ledger groups them.
        group: String,
        /// Came since then.
        entered: u64,
        /// Left since then.
        left: u64,
    },
}

/// What kind of thing stands out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum What {
    /// Too little comes.
    Quiet,
    /// Too much comes.
    Busy,
    /// Too much is refused.
    Failing,
    /// Calls are slow.
    Slow,
    /// Unresolved bills become more.
    Growing,
}

impl What {
    /// The word used in the action log.
    pub fn word(self) -> &'static str {
        match self {
            Self::Quiet => "quiet",
            Self::Busy => "busy",
            Self::Failing => "failing",
            Self::Slow => "slow",
            Self::Growing => "growing",
        }
    }
}

/// Something that stands out of a plan, named by whoever says that it is no alarm.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Named {
    /// Of which plan.
    #[serde(rename = "p")]
    pub plan: PlanId,
    /// What.
    #[serde(rename = "k")]
    pub what: What,
    /// Of what grows: column and cause.
    #[serde(rename = "g", default, skip_serializing_if = "Option::is_none")]
    pub group: Option<String>,
}

impl Named {
    /// The name of a finding of a plan.
    pub fn of(plan: &PlanId, finding: &Finding) -> Self {
        let group = match finding {
            Finding::Growing { group, .. } => Some(group.clone()),
            Finding::Quiet { .. } | Finding::Busy { .. } | Finding::Failing { .. } | Finding::Slow { .. } => None,
        };
        Self { plan: plan.clone(), what: finding.what(), group }
    }

    /// Whether it is this one's name.
    pub fn is(&self, finding: &Finding) -> bool {
        *self == Self::of(&self.plan, finding)
    }

    /// As the action log has it.
    pub fn words(&self) -> String {
        let group = self.group.as_deref().unwrap_or_default();
        [self.what.word(), group].join(" ").trim_end().to_owned()
    }
}

impl Finding {
    /// What kind of thing it is.
    pub fn what(&self) -> What {
        match self {
            Self::Quiet { .. } => What::Quiet,
            Self::Busy { .. } => What::Busy,
            Self::Failing { .. } => What::Failing,
            Self::Slow { .. } => What::Slow,
            Self::Growing { .. } => What::Growing,
        }
    }

    /// The kind of alert it is.
    pub fn alert(&self) -> &'static str {
        match self {
            Self::Quiet { .. } => "quiet",
            Self::Busy { .. } | Self::Failing { .. } | Self::Slow { .. } => "drift",
            Self::Growing { .. } => "growing",
        }
    }

    /// Since when.
    pub fn since(&self) -> Ts {
        match self {
            Self::Quiet { since, .. }
            | Self::Busy { since, .. }
            | Self::Failing { since, .. }
            | Self::Slow { since, .. }
            | Self::Growing { since, .. } => *since,
        }
    }
}

/// A finding with who made it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Found {
    /// Who.
    pub by: Forecaster,
    /// What.
    pub finding: Finding,
    /// Of the alarms of this forecaster in the last 30 days so many were said to be none.
    pub denied: u32,
    /// Of so many.
    pub alarms: u32,
}

/// One forecaster of a plan.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Line {
    /// Which.
    pub by: Forecaster,
    /// Whether it speaks.
    pub standing: Standing,
    /// How it did.
    pub record: Record,
}

/// A plan that was due by its schedule and has not run since.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Silent {
    /// The first time it was due.
    pub since: Ts,
    /// How often it was due until now.
    pub times: u32,
}

/// When the calls of a run that is worked on are done: nine of ten such ranges hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Due {
    /// Run.
    pub run: RunId,
    /// Not before.
    pub from: Ts,
    /// Not after; absent where that is too uncertain to be of use.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub to: Option<Ts>,
}

/// What is said of a plan.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct PlanForecast {
    /// Plan.
    pub plan: PlanId,
    /// When it is due next by its schedule.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub due: Option<Ts>,
    /// What the next run usually finds, and when it is due.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next: Option<(Ts, Usual)>,
    /// What was found; empty most of the time.
    pub found: Vec<Found>,
    /// It was due and did not run: a fact, whatever is usual.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub missed: Option<Silent>,
    /// All forecasters.
    pub lines: Vec<Line>,
}

/// What is said of all plans.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Forecasts {
    /// The past is still being read: so many facts of so many. Until it is, nothing is said of what is usual.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub behind: Option<(u64, u64)>,
    /// The year whose holidays no calendar names: this one, or from December on the next. Of it only weekends are known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unknown_year: Option<i32>,
    /// By plan, in the order of their files.
    pub plans: Vec<PlanForecast>,
}
