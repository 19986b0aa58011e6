//! A bill's past, folded from its facts over all runs: calls still open, attempts, repeats, deaths.
//!
//! Invariant: an open call stays open until a fact says what came of it; a new run does not wash it away.

use skydeck_core::domain::bill::{Outcome, Rev, Skip, Slot, Status, Unknown, UnknownWhy};
use skydeck_core::domain::cause::{Cause, known};
use skydeck_core::domain::event::{Event, Fact};
use skydeck_core::domain::ids::{RunId, Seq, WorkKey};
use skydeck_core::domain::step::{Left, Made, Step, Verdict};
use skydeck_core::domain::time::Ts;

use skydeck_store::{Store, StoreError};

use super::decide::{Carried, OpenCall};

/// Facts of a bill that are folded, newest; what is older cannot change a decision about an open call.
pub(super) const DEPTH: usize = 200;

/// What another run told of a bill.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Told {
    /// Where in the journal.
    pub at: Seq,
    /// The run.
    pub run: RunId,
    /// What.
    pub outcome: Outcome,
}

/// What matters of a bill's past for the next step.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct BillHistory {
    /// Newest fact about the record, whatever was done to it.
    pub last: Seq,
    /// A call whose effect is not known.
    pub open: Option<OpenCall>,
    /// The last call, where the ERP refused it and nobody looked at the record since: it may have taken all the same.
    pub refused_call: Option<OpenCall>,
    /// In this run: a call of which this run has not told yet what came of it, whatever another run told meanwhile.
    pub own: Option<OpenCall>,
    /// What another run told of it since this run called it last; where this run called nothing, since the last call.
    pub since: Option<Told>,
    /// The open call is another run's, which is not closed: what came of it is that run's to tell.
    pub others_call: bool,
    /// What is recorded about that call, once it is.
    pub unknown: Option<Unknown>,
    /// Automatic repeats spent on the revision that was called last.
    pub auto_repeats: u32,
    /// Steps whose earlier call was lost and is made again: that call may have taken late.
    pub lost: Vec<Step>,
    /// The last call was refused because it had been done before, and no earlier call of ours was lost: somebody else did it,
    /// whatever name the record shows.
    pub forestalled: bool,
    /// Processes that died on it since an answer came.
    pub deaths: u32,
    /// Outcome it had before this run.
    pub prior: Option<Outcome>,
    /// A call of another operation on the same record, whose effect is not known.
    pub elsewhere: Option<OpenCall>,
    /// In this run: submit calls that left.
    pub submits: u32,
    /// In this run: calls that make a bill that left.
    pub saves: u32,
    /// In this run: other writing calls that left.
    pub calls: u32,
    /// In this run: passing refusals repeated.
    pub repeats: u32,
    /// In this run: our submit was answered as done and no new revision was adopted yet.
    pub submitted: bool,
    /// In this run: our call that makes the bill was answered as done and no revision was adopted yet.
    pub saved: bool,
    /// In this run: revision adopted after our own earlier step.
    pub adopted: Option<Rev>,
    /// In this run: the revision that our submit was made in, where our own step before it had led there.
    submitted_from: Option<Rev>,
    /// What a call of ours made of it, in whatever run.
    pub made: Option<Made>,
    /// A look of some run showed that what is to be made is there, whoever made it. Where it holds something else than would be
    /// sent, it is not what is to be made.
    pub was_there: bool,
    /// What stands for the record, as a look showed it last.
    sighted: Option<Made>,
    /// The call that was answered as done last.
    pub answered: Option<OpenCall>,
    left: Option<(RunId, Seq, Left)>,
    called: Option<Rev>,
    read: Option<Rev>,
    refused: bool,
}

/// The value of the key that went out last for a bill that is made.
///
/// # Errors
/// The store cannot be read.
pub(super) async fn key_sent(store: &dyn Store, key: &WorkKey) -> Result<Option<String>, StoreError> {
    let (facts, _) = store.deeds_of(key, DEPTH).await?;
    Ok(facts.into_iter().rev().find_map(|fact| match fact.event {
        Event::StepTried { intent, .. } => intent.key_value,
        _ => None,
    }))
}

impl BillHistory {
    /// A bill's past as the store has it, seen from one run.
    pub async fn of(store: &dyn Store, key: &WorkKey, run: RunId) -> Result<Self, StoreError> {
        let record = &key.record;
        let (facts, last) = store.deeds_of(key, DEPTH).await?;
        let mut past = Self { last, ..Self::fold(&facts, run) };
        past.stamp(store).await?;
        if let Some(of) = past.open.as_ref().map(|open| open.run).filter(|of| *of != run) {
            past.others_call = store.run(of).await?.is_some_and(|row| !row.state.is_closed());
        }
        for op in store.operations_of(record).await?.into_iter().filter(|op| *op != key.op) {
            let (facts, last) = store.deeds_of(&record.under(&op), DEPTH).await?;
            past.last = past.last.max(last);
            let mut other = Self::fold(&facts, run);
            other.stamp(store).await?;
            let newer = |open: &OpenCall| past.elsewhere.as_ref().is_none_or(|known| open.sent > known.sent);
            past.elsewhere = other.open.filter(newer).or(past.elsewhere);
        }
        Ok(past)
    }

    /// Adds to an open call, or to one that was refused, the start of the machine that its moment counts from.
    async fn stamp(&mut self, store: &dyn Store) -> Result<(), StoreError> {
        let call = self.open.as_mut().or(self.refused_call.as_mut());
        if let (Some(call), Some((run, seq, left))) = (call, self.left.take()) {
            call.left = store.boot_of(run, seq).await?.map(|boot| (boot, left));
        }
        Ok(())
    }

    /// Folds what was done about a bill ([`Store::deeds_of`] gives nothing else), oldest first, as seen from one run.
    fn fold(facts: &[Fact], run: RunId) -> Self {
        let mut past = Self::default();
        for fact in facts {
            past.take(fact, run);
        }
        past
    }

    /// The revision a call must find: the one approved, or the one our own submit led to.
    pub fn approved(&self, found: &Rev) -> Rev {
        match &self.adopted {
            Some(rev) => rev.clone(),
            // The answer to our submit is durable but the read after it is not: the content is the approved one
            // as long as its modification date stands.
            None if self.submitted => {
                let from = self.submitted_from.as_ref().unwrap_or(found);
                Rev { status: Status::Submitted, ..from.clone() }
            }
            None => found.clone(),
        }
    }

    /// Number of the next attempt at a step in this run.
    pub fn next_attempt(&self, step: Step) -> u32 {
        1 + match step {
            Step::Submit => self.submits,
            Step::Save | Step::Push => self.saves,
            Step::Audit | Step::Operate | Step::Send | Step::Fetch | Step::Verify => self.calls,
        }
    }

    /// Whether the effect there is is another run's to tell.
    pub fn is_anothers(&self) -> bool {
        self.others_call || matches!(self.since, Some(Told { outcome: Outcome::Done { .. }, .. }))
    }

    /// Whether an earlier call of this step may have taken, though nobody was told.
    pub fn may_have_taken(&self, step: Step) -> bool {
        let same =
            |known: Step| [Step::Submit, Step::Save, Step::Push].iter().all(|one| (known == *one) == (step == *one));
        self.lost.iter().copied().any(same) || self.open.as_ref().is_some_and(|call| same(call.step))
    }

    /// Whether only an operator may let it be called again.
    pub fn needs_operator(&self) -> bool {
        self.open.is_some() && self.unknown.as_ref().is_some_and(|u| u.why.needs_operator())
    }

    /// Whether a call was answered as done and reads showed no effect of it: a person decides whether it is made again.
    pub fn is_contradicted(&self) -> bool {
        self.open.is_some() && self.unknown.as_ref().is_some_and(|u| u.why == UnknownWhy::Contradicted)
    }

    /// In this run: our earlier step that was answered as done and led to no revision yet; the step, what it was called in, and
    /// when.
    pub fn stepped_in(&self) -> Option<(Step, &Rev, Ts)> {
        let waits = |step: Step| match step {
            Step::Submit => self.submitted,
            Step::Save | Step::Push => self.saved,
            Step::Audit | Step::Operate | Step::Send | Step::Fetch | Step::Verify => false,
        };
        let call = self.answered.as_ref().filter(|call| waits(call.step))?;
        Some((call.step, &call.rev, call.sent))
    }

    fn take(&mut self, fact: &Fact, run: RunId) {
        self.last = fact.seq;
        let here = fact.event.run() == Some(run);
        match &fact.event {
            Event::StepTried { run: of, step, rev, intent, .. } => {
                let carried = Carried { key: intent.key_value.clone(), body: intent.body.clone() };
                let rev = rev.clone();
                let call = OpenCall { run: *of, step: *step, rev, sent: fact.at, left: None, carried };
                self.left = intent.left.map(|left| (*of, fact.seq, left));
                self.tried(call, here);
            }
            Event::StepAnswered { step, verdict, made, .. } => {
                if let Some(made) = made {
                    self.made = Some(made.as_ref().clone());
                }
                self.answer(*step, verdict, here);
            }
            Event::BillRead { rev, made, .. } => {
                self.refused_call = None;
                self.was_there |= rev.is_some();
                if let Some(made) = made {
                    self.sighted = Some(made.as_ref().clone());
                }
                if !here {
                    return;
                }
                self.read.clone_from(rev);
                if self.saved && rev.is_some() {
                    self.adopted.clone_from(rev);
                    self.saved = false;
                }
                if self.submitted && rev.as_ref().is_some_and(|r| r.status == Status::Submitted) {
                    self.adopted.clone_from(rev);
                    self.submitted = false;
                }
            }
            Event::BillDeferred { was, cause, .. } => self.deferred(*was, cause, here),
            Event::BillSettled { outcome, run: of, .. } => self.settle(*of, outcome, here),
            Event::LedgerResolved { .. } => {
                self.open = None;
                self.lost.clear();
                self.refused_call = None;
                self.forestalled = false;
                self.own = None;
                self.unknown = None;
                self.made = None;
                self.was_there = false;
                self.deaths = 0;
                self.prior = None;
            }
            _ => {}
        }
    }

    /// A call left, whatever becomes of it: one that was still open is lost.
    fn tried(&mut self, call: OpenCall, here: bool) {
        if self.called.as_ref() != Some(&call.rev) {
            self.auto_repeats = 0;
        }
        self.called = Some(call.rev.clone());
        if here || self.own.is_none() {
            self.since = None;
        }
        if here {
            self.own = Some(call.clone());
            *self.count(call.step) += 1;
        }
        self.lost.extend(self.open.replace(call).map(|lost| lost.step));
        self.refused_call = None;
        self.forestalled = false;
        self.answered = None;
        self.unknown = None;
    }

    fn answer(&mut self, step: Step, verdict: &Verdict, here: bool) {
        self.refused = matches!(verdict, Verdict::Rejected(_));
        if here && !matches!(verdict, Verdict::Unknown(..)) {
            self.own = None;
        }
        match verdict {
            Verdict::Done => {
                self.answered = self.open.take();
                self.deaths = 0;
            }
            Verdict::Rejected(failure) => {
                self.refused_call = self.open.take();
                self.forestalled = failure.says_already(step) && !self.may_have_taken(step);
                self.deaths = 0;
            }
            Verdict::NotSent(_) => {
                self.open = None;
                if here {
                    let count = self.count(step);
                    *count = count.saturating_sub(1);
                }
            }
            Verdict::Unknown(..) => self.deaths = 0,
        }
        if here && *verdict == Verdict::Done {
            match step {
                Step::Submit => {
                    self.submitted = true;
                    // What our own making led to is what was submitted; otherwise it is what was approved.
                    if self.saves > 0 {
                        self.submitted_from = self.adopted.take();
                    }
                }
                Step::Save | Step::Push => self.saved = true,
                Step::Audit | Step::Operate | Step::Send | Step::Fetch | Step::Verify => {}
            }
        }
    }

    /// It is called again later: a lost call that was read back as not done, or one that was refused.
    fn deferred(&mut self, was: Slot, cause: &Cause, here: bool) {
        if was == Slot::Unknown {
            if here {
                self.own = None;
            }
            let lost = self.open.take().map(|call| call.step);
            let took = match lost {
                // Read back as submitted with the approved content: our submit took (decide::judge).
                Some(Step::Submit) => self.read.as_ref().is_some_and(|r| r.status == Status::Submitted),
                // Read back with the content that was sent.
                Some(Step::Save | Step::Push) => {
                    self.made = self.made.take().or_else(|| self.sighted.clone());
                    self.read.is_some()
                }
                Some(Step::Audit | Step::Operate | Step::Send | Step::Fetch | Step::Verify) | None => false,
            };
            self.lost.extend(lost);
            if here && took {
                self.adopted.clone_from(&self.read);
            }
            self.unknown = None;
            self.auto_repeats += 1;
        } else if here && self.refused && matches!(cause.as_str(), known::SUBMITTED | known::SAVED) {
            // Our submit was refused because somebody else's took: read in the content approved.
            self.adopted.clone_from(&self.read);
        } else if here && self.refused {
            self.repeats += 1;
        }
        self.refused = false;
    }

    fn count(&mut self, step: Step) -> &mut u32 {
        match step {
            Step::Submit => &mut self.submits,
            Step::Save | Step::Push => &mut self.saves,
            Step::Audit | Step::Operate | Step::Send | Step::Fetch | Step::Verify => &mut self.calls,
        }
    }

    /// The answer that a call was done is not believed any more: the call is open again, as if nothing had been answered.
    fn take_back(&mut self, here: bool) {
        self.submitted = false;
        self.saved = false;
        if self.open.is_none() {
            self.open = self.answered.take();
        }
        if here {
            self.own.clone_from(&self.open);
        }
    }

    /// Whether another run did not find the record before its call, and nothing was told of it since.
    pub fn was_missing(&self) -> bool {
        self.prior == Some(Outcome::Skipped(Skip::Missing))
    }

    fn settle(&mut self, of: RunId, outcome: &Outcome, here: bool) {
        if here {
            self.own.take_if(|_| !matches!(outcome, Outcome::Unknown(_)));
        } else {
            self.prior = Some(outcome.clone());
            self.since = Some(Told { at: self.last, run: of, outcome: outcome.clone() });
        }
        match outcome {
            Outcome::Unknown(unknown) => {
                if unknown.why == UnknownWhy::Contradicted {
                    self.take_back(here);
                }
                if unknown.why == UnknownWhy::ProcessDied {
                    self.deaths += 1;
                }
                // The refusal was not believed: what that call did is the other run's to find out, and nobody calls meanwhile.
                if !here && self.open.is_none() {
                    self.open = self.refused_call.take_if(|call| call.run == of);
                }
                self.unknown = Some(unknown.clone());
            }
            Outcome::Done { .. } | Outcome::Already { .. } => {
                if matches!(outcome, Outcome::Done { .. }) {
                    self.made = self.made.take().or_else(|| self.sighted.clone());
                }
                self.open = None;
                self.lost.clear();
                self.forestalled = false;
                self.unknown = None;
                self.auto_repeats = 0;
                self.deaths = 0;
            }
            // The ERP said no, or a read after the server's limit told the status: the call is not open any more.
            Outcome::Failed(_)
            | Outcome::Skipped(
                Skip::Draft
                | Skip::Created
                | Skip::Reaudit
                | Skip::OtherStatus(_)
                | Skip::Changed
                | Skip::Gone
                | Skip::Quarantined
                | Skip::Differs
                | Skip::Partly,
            ) => {
                self.open = None;
                self.lost.clear();
                self.unknown = None;
                self.was_there &= !matches!(outcome, Outcome::Skipped(Skip::Differs | Skip::Partly));
            }
            // Nothing was learnt about an earlier call.
            Outcome::Skipped(
                Skip::Missing
                | Skip::Held(_)
                | Skip::Outside
                | Skip::Excluded
                | Skip::NotReached
                | Skip::UnknownElsewhere,
            ) => {}
        }
    }
}

#[cfg(test)]
mod tests;
