//! One JSON line a settled bill, however slowly the lines are read.
//!
//! Invariant: a watcher that fell behind was told no facts for a while; what it missed is read from the store, and what
//! cannot be had any more is said as a gap.

use std::collections::HashMap;
use std::hash::{DefaultHasher, Hash as _, Hasher as _};

use serde_json::json;

use super::asked;
use super::json;
use super::out::Out;
use crate::domain::bill::{BillState, Outcome};
use crate::domain::event::{Event, Fact};
use crate::domain::ids::{Fid, RunId};
use crate::domain::run::{RunHead, RunRow};
use crate::engine::api::Link;
use crate::exit::{Exit, Stop};

/// Which outcome of a bill was told, and from where it was known.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Told {
    outcome: u64,
    from_store: bool,
}

/// The lines of one run.
#[derive(Default)]
pub struct Lines {
    told: HashMap<Fid, Told>,
}

fn mark(outcome: &Outcome) -> u64 {
    let mut hasher = DefaultHasher::new();
    // A type that always can be written down; were it not, equal would still be equal.
    serde_json::to_string(outcome).unwrap_or_default().hash(&mut hasher);
    hasher.finish()
}

impl Lines {
    /// For a run that is watched from now on: what was settled before is not told again.
    ///
    /// # Errors
    /// The store cannot be read.
    pub async fn begin(link: &dyn Link, row: Option<&RunRow>) -> Result<Self, Stop> {
        let mut lines = Self::default();
        if let Some(row) = row.filter(|row| row.tally.found > row.tally.waiting) {
            for bill in asked::settled(link, row.head.id).await? {
                if let BillState::Settled(outcome) = &bill.state {
                    lines.told.insert(bill.fid().clone(), Told { outcome: mark(outcome), from_store: true });
                }
            }
        }
        Ok(lines)
    }

    /// Tells a fact. Output that is lost is no reason to leave the run: the verb's end says it.
    pub fn fact(&mut self, out: &Out, head: &RunHead, fact: &Fact) {
        let (Event::BillSettled { fid, outcome, .. }, Some(line)) = (&fact.event, json::settled(head, fact)) else {
            return;
        };
        let outcome = mark(outcome);
        let before = self.told.insert(fid.clone(), Told { outcome, from_store: false });
        // The store told it first.
        if before != Some(Told { outcome, from_store: true }) {
            let _ = out.object(&line);
        }
    }

    /// Tells what happened while this watcher was behind.
    ///
    /// # Errors
    /// The store cannot be read.
    pub async fn catch_up(&mut self, link: &dyn Link, out: &Out, run: RunId) -> Result<(), Stop> {
        for bill in asked::settled(link, run).await? {
            let BillState::Settled(outcome) = &bill.state else { continue };
            let told = Told { outcome: mark(outcome), from_store: true };
            let before = self.told.insert(bill.fid().clone(), told);
            if before.is_none_or(|before| before.outcome != told.outcome) {
                let _ = out.object(&json::settled_row(&bill));
            }
        }
        Ok(())
    }

    /// Settled bills of a closed run that have no line.
    fn missing(&self, row: &RunRow) -> u64 {
        let settled = row.tally.found.saturating_sub(row.tally.waiting);
        if row.state.is_closed() { settled.saturating_sub(self.told.len() as u64) } else { 0 }
    }

    /// Says how many settled bills of a run have no line; the exit that leads to.
    pub fn gap(&self, out: &Out, row: &RunRow) -> Exit {
        let missing = self.missing(row);
        if missing == 0 {
            return Exit::Ok;
        }
        let _ = out.object(&json!({"type": "gap", "run": row.head.id, "missing": missing}));
        let words = out.t(
            "settled bills have no line; `skydeck history RUN --json` has them",
            "张已结束的单据没有输出；用 skydeck history 运行 --json 查看",
        );
        out.note(&format!("skydeck: {missing} {words}"));
        Exit::Output
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::run::{RunEnd, RunState};
    use crate::exit::tests::{row, sum};

    #[test]
    fn a_settled_bill_without_a_line_is_a_gap_once_the_run_is_closed() {
        let done = Outcome::Done { verified: false };
        let told = Told { outcome: mark(&done), from_store: false };
        let lines = Lines { told: (1..=3_u64).map(|fid| (Fid::from(fid), told)).collect() };
        let closed = |tally| row(RunState::Closed(RunEnd::Completed), tally);
        assert_eq!(lines.missing(&closed(sum(3, 0, 0, 0, 0))), 0);
        assert_eq!(lines.missing(&closed(sum(3, 1, 1, 2, 0))), 4);
        assert_eq!(lines.missing(&closed(sum(3, 0, 0, 0, 9))), 0, "nothing was told of those that wait");
        assert_eq!(lines.missing(&row(RunState::Working, sum(5, 0, 0, 0, 0))), 0, "their lines are on their way");
    }
}
