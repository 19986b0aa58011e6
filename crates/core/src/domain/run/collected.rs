//! The frozen set of a run: what a person approves, and how long a first approval stands.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::Flag;
use super::tally::is_zero;
use crate::domain::bill::Sight;
use crate::domain::bill::Status;
use crate::domain::cause::Cause;
use crate::domain::erp_clock::ErpClock;
use crate::domain::ids::{Seq, SetHash};
use crate::domain::listed::Listed;
use crate::domain::time::{Clock, ErpDate, Ts};
use crate::domain::who::Who;

/// The frozen set an operator approves.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Collected {
    /// Hash over the sorted (FID, revision) pairs.
    pub hash: SetHash,
    /// How many bills stand in which status.
    pub by_status: Vec<(Status, u64)>,
    /// Bills that a call would be made for, as the plan stands.
    pub callable: u64,
    /// Pages read.
    pub pages: u32,
    /// Largest date seen in the mark's column.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub seen: Option<ErpDate>,
    /// Whether this was a sweep: the mark was not used.
    pub sweep: bool,
    /// Bills that came from the ledger, not from the query.
    pub carried: u64,
    /// Bill numbers of the source that the target environment does not hold exactly once: no call is made for them and
    /// the mark stays, so that the next run asks again.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub absent: u64,
    /// The first of them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub absent_first: Vec<String>,
    /// Bills whose last outcome was unknown: trying them again is the operator's own decision.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub unknown: u64,
    /// The clock of the ERP that was queried, when the run was opened; `None` where its answers do not tell the time.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub clock: Option<ErpClock>,
    /// Bills that were found again as they were: not part of the set, no call is made for them, and nothing new is told.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unchanged: Option<Unchanged>,
    /// Bills that are tried although nothing about them changed, to see whether what keeps their like back is gone.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub probes: Vec<Probe>,
    /// What the look found of what is to be made, where the plan makes bills: how many of each.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub sights: Vec<(Sight, u64)>,
    /// Records of which no body could be made: no call is made for them.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub unmade: u64,
    /// Keys that two records of the set share: no call is made for either.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub doubles: Vec<String>,
    /// Fields that are sent and that the form cannot be asked for: what is there is compared without them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub not_compared: Vec<String>,
    /// Of a run over a list of bill numbers: which of them it has no bill of.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub listed: Option<Box<Listed>>,
    /// Of records that are handed in: the place of the last one that was read.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub upto: Option<Seq>,
    /// Bills of it that will be refused, by the cause, where that is certain.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub will: Vec<(Cause, u64)>,
}

/// A bill that is tried unchanged.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Probe {
    /// Its number.
    #[serde(rename = "n")]
    pub no: String,
    /// The cause that keeps it and its like back.
    #[serde(rename = "c")]
    pub cause: Cause,
}

/// Bills that a run leaves as they are, because nothing changed since they were refused or closed by a person.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Unchanged {
    /// How many.
    #[serde(rename = "n")]
    pub bills: u64,
    /// Hash over their sorted (FID, revision) pairs.
    #[serde(rename = "h")]
    pub hash: SetHash,
}

/// The first approval of a set that two persons must approve.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Consent {
    /// Who.
    pub by: Who,
    /// The set that was seen.
    pub hash: SetHash,
    /// Rule-changing flags; the second person approves the same ones.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub flags: Vec<Flag>,
    /// Why.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// When.
    pub at: Ts,
    /// The same by the machine's own clock, which nobody sets: which start of it, and milliseconds since then.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub left: Option<(String, u64)>,
}

impl Consent {
    /// How long it stands (docs/design/access.md#approvals).
    pub const STANDS: Duration = Duration::from_secs(600);

    /// How long a second person has to approve the same set, by the wall clock, for a screen.
    pub fn time_left(&self, now: Ts) -> Duration {
        Self::STANDS.saturating_sub(now.since(self.at))
    }

    /// Whether it still stands. The wall clock is asked only where the machine was started anew since, and one that shows an
    /// earlier time than then proves nothing.
    pub fn stands(&self, clock: &dyn Clock) -> bool {
        match (&self.left, clock.boot()) {
            (Some((then, began)), Some((now, ms))) if *then == now => {
                Duration::from_millis(ms.saturating_sub(*began)) <= Self::STANDS
            }
            (Some(_) | None, Some(_) | None) => self.stands_at(clock.now()),
        }
    }

    /// The same by the wall clock alone, for a screen.
    pub fn stands_at(&self, now: Ts) -> bool {
        now >= self.at && now.since(self.at) <= Self::STANDS
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A wall clock somebody sets, and a machine that goes on.
    struct Set(Ts, Option<(String, u64)>);

    impl Clock for Set {
        fn now(&self) -> Ts {
            self.0
        }
        fn mono(&self) -> Duration {
            Duration::ZERO
        }
        fn boot(&self) -> Option<(String, u64)> {
            self.1.clone()
        }
    }

    #[test]
    fn a_first_approval_stands_ten_minutes_of_the_machine_whatever_the_wall_clock_is_set_to() {
        let (began, boot) = (Ts(1_000_000_000), |name: &str, ms| Some((name.to_owned(), ms)));
        let by = Who::of_person(7, "wang", None);
        let hash = SetHash::new("3fa9");
        let consent = Consent { by, hash, flags: Vec::new(), reason: None, at: began, left: boot("one", 5_000) };
        let minutes = |n: i64| n * 60_000;
        for (wall, machine, stands) in [
            (minutes(9), boot("one", 5_000 + 540_000), true),
            // Set back, and set forward.
            (minutes(-600), boot("one", 5_000 + 660_000), false),
            (minutes(600), boot("one", 5_000 + 60_000), true),
            // The machine was started anew: the wall clock is all there is, and one that went back proves nothing.
            (minutes(9), boot("two", 100), true),
            (minutes(11), boot("two", 100), false),
            (minutes(-1), boot("two", 100), false),
            (minutes(-1), None, false),
        ] {
            assert_eq!(consent.stands(&Set(Ts(began.0 + wall), machine.clone())), stands, "{wall} {machine:?}");
        }
    }
}
