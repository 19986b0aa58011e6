//! What the facts of one bill tell together that none of them tells alone.

use serde::{Deserialize, Serialize};

use super::bill::Outcome;
use super::event::{Event, Fact};
use super::run::RunRow;
use super::step::Verdict;
use super::time::Ts;
use super::who::Who;

/// Whether the fact at this place tells that a call took which the ERP had refused in words: done, by a look, and the last
/// answer before it was a refusal.
pub fn took_though_refused(facts: &[Fact], at: usize) -> bool {
    let told = |fact: &Fact| matches!(fact.event, Event::BillSettled { outcome: Outcome::Done { verified: true }, .. });
    let before = facts.get(..at).unwrap_or_default().iter().rev();
    let answer = before.filter_map(|fact| match &fact.event {
        Event::StepAnswered { verdict, .. } => Some(verdict),
        _ => None,
    });
    facts.get(at).is_some_and(told) && matches!(answer.into_iter().next(), Some(Verdict::Rejected(_)))
}

/// A run that met a bill, and who let it write.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RunOfBill {
    /// The run.
    pub row: RunRow,
    /// Who approved its set and when, where that stands near the facts of the bill.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub approved: Option<(Who, Ts)>,
}

/// Who resolved a bill, why and when.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Closing {
    /// Who.
    #[serde(rename = "b")]
    pub by: Who,
    /// Why, in their words.
    #[serde(rename = "w")]
    pub reason: String,
    /// When.
    #[serde(rename = "t")]
    pub at: Ts,
}

/// That a person resolved a bill.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Resolution<'a> {
    /// Who.
    pub by: &'a Who,
    /// Why, in their words.
    pub reason: &'a str,
    /// When.
    pub at: Ts,
    /// It stands; else the bill changed since, and is an entry of the ledger again.
    pub stands: bool,
}

/// Whether the fact at this place says nothing that the ones after it do not: a call whose answer is told, and a look that only
/// made sure that the call may leave.
pub fn is_said_by_the_next(facts: &[Fact], at: usize) -> bool {
    let next = facts.get(at + 1).map(|fact| &fact.event);
    match facts.get(at).map(|fact| &fact.event) {
        Some(Event::StepTried { call, .. }) => matches!(next, Some(Event::StepAnswered { call: of, .. }) if of == call),
        Some(Event::BillRead { rev: Some(read), .. }) => {
            matches!(next, Some(Event::StepTried { rev, .. }) if rev.status == read.status)
        }
        _ => false,
    }
}

/// The last time a person resolved a bill, unless it was re-opened or came out well since.
pub fn resolution(facts: &[Fact]) -> Option<Resolution<'_>> {
    let mut last = None::<Resolution<'_>>;
    for fact in facts {
        match &fact.event {
            Event::LedgerResolved { by, reason, .. } => {
                last = Some(Resolution { by, reason, at: fact.at, stands: true });
            }
            Event::LedgerReopened { .. }
            | Event::BillSettled { outcome: Outcome::Done { .. } | Outcome::Already { .. }, .. } => last = None,
            Event::BillSettled { .. } => last = last.map(|resolution| Resolution { stands: false, ..resolution }),
            _ => {}
        }
    }
    last
}
