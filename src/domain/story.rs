//! What the facts of one bill tell together that none of them tells alone.

use super::bill::Outcome;
use super::event::{Event, Fact};
use super::step::Verdict;

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
