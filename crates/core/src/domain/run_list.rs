//! The list of runs as people read it: days with their sums, and the runs of a plan that found nothing one after the other as
//! one line.
//!
//! Invariant: with every row opened it holds each run once, and each sum is over runs that the same filter lets pass.

use serde::{Deserialize, Serialize};

use super::filter::Filter;
use super::ids::RunId;
use super::run::{RunRow, Tally};
use super::time::Ts;

/// Lines that are opened at once, at most.
pub const MOST_OPEN: usize = 64;

/// Which runs are listed, and how.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct RunsAsked {
    /// Which; one that asks about bills lists none.
    pub filter: Filter,
    /// With days and folded lines; absent: run by run.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub folded: Option<Folding>,
}

/// How a list is folded.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Folding {
    /// Minutes east of universal time: where days begin.
    pub zone: i32,
    /// Lines whose runs are listed one by one, by the oldest run of each.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub open: Vec<RunId>,
}

/// A line of the list.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RunLine {
    /// A day begins: the runs below, up to the next day.
    Day(Box<DayOfRuns>),
    /// A run.
    Run {
        /// It.
        row: Box<RunRow>,
        /// The line that was opened to show it.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        fold: Option<RunId>,
    },
    /// Runs of one plan and day, one after the other, that found nothing.
    Nothing(Box<EmptyRuns>),
}

/// What the runs of a day came to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DayOfRuns {
    /// When it began.
    pub begins: Ts,
    /// When its newest run was opened.
    pub newest: Ts,
    /// Runs.
    pub runs: u64,
    /// Of all of them together.
    pub sum: Tally,
    /// There are more than were counted.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub more: bool,
}

/// Runs that found nothing.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct EmptyRuns {
    /// The newest.
    pub newest: RunRow,
    /// The oldest, by which the line is known: newer ones may come.
    pub oldest: RunId,
    /// When that was opened.
    pub since: Ts,
    /// How many there are.
    pub runs: u64,
    /// There are more than were counted.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub more: bool,
}

impl RunLine {
    /// When its newest run was opened.
    pub fn opened(&self) -> Ts {
        match self {
            Self::Day(day) => day.newest,
            Self::Run { row, .. } => row.head.opened,
            Self::Nothing(empty) => empty.newest.head.opened,
        }
    }
}
