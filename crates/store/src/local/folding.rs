//! Bringing an index up to its journal: the facts after its place are folded into it, and the hours are counted.
//!
//! Invariant: what is folded is applied with its place, so that it goes on where it stopped.

use crate::StoreError;
use crate::index::Index;
use crate::index::fold::fold;
use crate::index::kv::{Batch, Kv};
use crate::index::recount::{Recount, count_again};
use crate::index::write_batch::WriteBatch;
use crate::journal::Journal;
use skydeck_core::domain::event::Fact;
use skydeck_core::domain::ids::Seq;

/// Facts folded between two words about progress.
const PROGRESS: u64 = 2_000;

/// Why the journal could not be folded in.
pub(super) enum Folded {
    /// What the index holds and what the journal tells do not fit.
    Misfit(StoreError),
    /// The journal does not read, or the disk does not take.
    Stopped(StoreError),
}

impl Folded {
    /// As the store says it.
    pub fn error(self) -> StoreError {
        match self {
            Self::Misfit(StoreError::Contradiction(what)) => StoreError::Damaged(what),
            Self::Misfit(e) | Self::Stopped(e) => e,
        }
    }
}

impl From<StoreError> for Folded {
    fn from(error: StoreError) -> Self {
        Self::Misfit(error)
    }
}

/// Gives each fact after a place on, up to the first that is refused.
fn each(journal: &Journal, after: Seq, take: &mut dyn FnMut(Fact) -> Result<(), Folded>) -> Result<(), Folded> {
    let mut fault = None;
    let read = journal.each_from(Seq(after.0 + 1), &mut |fact| {
        fault = take(fact).err();
        fault.is_none()
    });
    fault.map_or_else(|| read.map_err(Folded::Stopped), Err)
}

/// What happens around folding.
pub(super) struct Folding<'a> {
    /// Told how many facts are folded, of how many.
    pub told: &'a dyn Fn(u64, u64),
    /// Asked before each batch; an error stands for the batch's own.
    pub before: &'a dyn Fn() -> std::io::Result<()>,
    /// Called after each batch.
    pub after: &'a dyn Fn(),
}

impl Folding<'_> {
    fn apply<K: Kv>(&self, index: &Index<K>, batch: Batch) -> Result<(), Folded> {
        let failed = |e: std::io::Error| StoreError::Write(format!("the index: {e}"));
        let applied = (self.before)().map_err(failed).and_then(|()| index.kv.apply(batch));
        applied.map_err(Folded::Stopped)?;
        (self.after)();
        Ok(())
    }
}

/// Counts in the hours what they have not seen of the facts in the index: all of them where they are not there, or of another
/// form; those that an earlier program folded, which knew of no hours.
fn count_hours<K: Kv>(journal: &Journal, index: &Index<K>, steps: &Folding<'_>) -> Result<(), Folded> {
    let applied = index.applied().map_err(Folded::Misfit)?;
    if index.hours_counted().map_err(Folded::Misfit)? == applied {
        return Ok(());
    }
    // What the ledger held in the middle is not known any more: whoever was not there from the first fact on begins again.
    index.forget_hours(&mut |batch| steps.apply(index, batch))?;
    let (mut writes, mut recount, mut done) = (WriteBatch::of_hours(index), Recount::default(), 0);
    let of = applied.0;
    each(journal, Seq(0), &mut |fact| {
        if fact.seq > applied {
            return Ok(());
        }
        if done % PROGRESS == 0 {
            (steps.told)(done, of);
        }
        done += 1;
        count_again(&mut writes, &fact, &mut recount)?;
        writes.take_full().into_iter().try_for_each(|batch| steps.apply(index, batch))
    })?;
    for batch in writes.finish() {
        steps.apply(index, batch)?;
    }
    (steps.told)(done, of);
    Ok(())
}

/// Folds into the index what it has not seen.
pub(super) fn catch_up<K: Kv>(journal: &Journal, index: &Index<K>, steps: &Folding<'_>) -> Result<(), Folded> {
    count_hours(journal, index, steps)?;
    let from = index.applied().map_err(Folded::Misfit)?;
    let last = journal.last();
    let of = last.0.saturating_sub(from.0);
    if of == 0 {
        return Ok(());
    }
    (steps.told)(0, of);
    let (mut writes, mut done) = (WriteBatch::new(index), 0);
    each(journal, from, &mut |fact| {
        fold(&fact, &mut writes).map_err(|e| match e {
            StoreError::Contradiction(what) => StoreError::Contradiction(format!("fact {}: {what}", fact.seq)),
            other => other,
        })?;
        writes.accept(fact.seq);
        writes.take_full().into_iter().try_for_each(|batch| steps.apply(index, batch))?;
        done += 1;
        if done % PROGRESS == 0 {
            (steps.told)(done, of);
        }
        Ok(())
    })?;
    for batch in writes.finish() {
        steps.apply(index, batch)?;
    }
    (steps.told)(done, of);
    if done != of {
        return Err(Folded::Stopped(StoreError::Damaged(format!("{of} facts were to be folded, {done} were read"))));
    }
    Ok(())
}
