//! What an outcome does to the ledger's entry of its bill. The index and the hours, which are counted anew without it, both ask here.
//!
//! Invariant: an unknown outcome leaves the ledger only through knowledge, never because a later run did not get to the bill.

use skydeck_core::domain::bill::{Outcome, Skip, Slot};
use skydeck_core::domain::cause::known;

/// The entry of a bill, as far as it matters here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Entry {
    /// Column of its outcome.
    pub slot: Slot,
    /// It was unknown and was read back: the bill waits to be repeated.
    pub read_back: bool,
}

/// What becomes of the entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Move {
    /// Nothing.
    Stays,
    /// It goes, where there is one.
    Leaves,
    /// It comes, or holds the new outcome.
    Enters,
}

/// What an outcome of an approved run does.
pub fn on_outcome(entry: Option<Entry>, outcome: &Outcome) -> Move {
    let is_in = |slot| entry.is_some_and(|entry| entry.slot == slot);
    let waits = entry.is_some_and(|entry| entry.read_back);
    // A run that did not get to the bill learnt nothing: what it was refused for still keeps it back.
    let not_reached = *outcome == Outcome::Skipped(Skip::NotReached);
    if (is_in(Slot::Unknown) && !waits && !tells(outcome)) || (not_reached && is_in(Slot::Failed)) {
        Move::Stays
    } else if outcome.is_resolved() {
        Move::Leaves
    } else {
        Move::Enters
    }
}

/// Whether an outcome says something about the bill's state in the ERP.
fn tells(outcome: &Outcome) -> bool {
    match outcome {
        Outcome::Done { .. } | Outcome::Already { .. } | Outcome::Unknown(_) => true,
        Outcome::Skipped(why) => !matches!(
            why,
            Skip::NotReached
                | Skip::Missing
                | Skip::UnknownElsewhere
                | Skip::Held(_)
                | Skip::Outside
                | Skip::Excluded
                | Skip::Quarantined
        ),
        Outcome::Failed(f) => !matches!(f.cause.as_str(), known::NOT_CONNECTED | known::SESSION | known::CREDENTIALS),
    }
}
