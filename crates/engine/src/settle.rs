//! Settling: unknown bills are read back after the server's own limit and end as the table says.
//!
//! Invariant: nothing but a read made after the limit takes a bill out of unknown.

use std::time::Duration;

use crate::ports::Fault;
use skydeck_core::domain::bill::{Failure, Found, Outcome, Slot, Unknown, UnknownWhy};
use skydeck_core::domain::cause::{Cause, known};
use skydeck_core::domain::event::Event;
use skydeck_core::domain::ids::Fid;
use skydeck_core::domain::run::{BillRow, PauseWhy, RunKind};

use super::control::Stop;
use super::decide::{Case, Judgement, Moment, OpenCall, judge};
use super::known::Known;
use super::runner::Runner;
use super::status_reads::{self, READ_BATCH};
use super::work::Told;
use skydeck_core::domain::operation::Seen;
use skydeck_store::fault;

/// Read-backs of one bill that may fail before it is left unknown for this run.
const TRIES: u32 = 5;

/// How long settling may take.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Patience {
    /// Only what is due now.
    Now,
    /// Until every bill is due and read, or its tries are spent.
    Long,
    /// The same, and no longer than to this moment, monotonic.
    Until(Duration),
}

/// What there is to read back.
enum Due {
    /// These bills, now; as many as one read takes.
    Now(Vec<Known>),
    /// None before this moment, monotonic.
    At(Duration),
    /// Nothing more.
    Never,
}

impl Runner {
    /// Whether unknown bills of the run can still be settled by reading.
    pub(super) async fn has_settleable(&mut self) -> Result<bool, Stop> {
        Ok(!matches!(self.due_unknown().await?, Due::Never))
    }

    /// Reads unknown bills of this run back.
    pub(super) async fn settle(&mut self, patience: Patience) -> Result<(), Stop> {
        loop {
            self.check()?;
            match (self.due_unknown().await?, patience) {
                (Due::Now(bills), _) => self.read_back(bills, patience).await?,
                (Due::Never, _) | (Due::At(_), Patience::Now) => return Ok(()),
                (Due::At(at), Patience::Long) => {
                    let wait = at.saturating_sub(self.shared.clock.mono());
                    self.wait(wait).await?;
                }
                (Due::At(at), Patience::Until(end)) => {
                    let now = self.shared.clock.mono();
                    if now >= end {
                        return Ok(());
                    }
                    self.wait(at.min(end).saturating_sub(now)).await?;
                }
            }
        }
    }

    /// Verify runs: their bills wait for a read and for nothing else.
    pub(super) async fn verify(&mut self) -> Result<(), Stop> {
        self.reads_only.store(true, std::sync::atomic::Ordering::SeqCst);
        self.settle(Patience::Long).await
    }

    fn slot(&self) -> Slot {
        if self.head.kind == RunKind::Verify { Slot::Waiting } else { Slot::Unknown }
    }

    /// Bills to be read back: those due now, one batch of them, or else when the next one is due.
    async fn due_unknown(&mut self) -> Result<Due, Stop> {
        let (run, slot) = (self.head.id, self.slot());
        let (mut ready, mut next, mut after) = (Vec::new(), None::<Duration>, None::<Fid>);
        let now = self.shared.clock.mono();
        loop {
            let from = after.clone();
            let rows = self.shared.store.bills_in(run, slot, from.as_ref(), READ_BATCH).await?;
            let Some(last) = rows.last() else { break };
            after = Some(last.fid().clone());
            let a_persons =
                |row: &BillRow| row.state.outcome().and_then(not_known).is_some_and(|u| u.why.needs_operator());
            let open = rows.into_iter().filter(|row| !a_persons(row));
            for known in self.with_entries(self.know(open.collect()).await?).await? {
                let fid = known.row.fid().clone();
                if self.mind.tries.get(&fid).is_some_and(|n| *n >= TRIES) {
                    continue;
                }
                let later = self.mind.due.get(&fid).copied().unwrap_or_default();
                let limit = known.past.open.as_ref().map(|call| self.settle_at(&fid, call));
                let due = limit.map_or(later, |limit| limit.max(later));
                if due > now {
                    next = Some(next.map_or(due, |n| n.min(due)));
                    continue;
                }
                ready.push(known);
                if ready.len() == READ_BATCH {
                    return Ok(Due::Now(ready));
                }
            }
        }
        Ok(if ready.is_empty() { next.map_or(Due::Never, Due::At) } else { Due::Now(ready) })
    }

    /// A verify run looks at entries of the ledger: what each holds is the last word about its bill, whatever runs that did
    /// not get to the bill told since.
    async fn with_entries(&self, mut bills: Vec<Known>) -> Result<Vec<Known>, Stop> {
        if self.slot() == Slot::Unknown {
            return Ok(bills);
        }
        for known in &mut bills {
            let entry = self.shared.store.ledger_entry(&known.row.key).await?;
            if let Some(outcome) = entry.and_then(|entry| entry.row.state.outcome().cloned()) {
                known.past.prior = Some(outcome);
            }
        }
        Ok(bills)
    }

    async fn read_back(&mut self, bills: Vec<Known>, patience: Patience) -> Result<(), Stop> {
        let fids: Vec<Fid> = bills.iter().map(|b| b.row.fid().clone()).collect();
        fault::point("before_settle");
        let seen = match status_reads::statuses(&self.env, &self.plan.source, &self.op, &fids).await {
            Ok(seen) => seen,
            Err(fault) => return self.unreadable(bills, &fault, patience).await,
        };
        fault::point("after_settle_read");
        let (mut held, mut ours) = (Vec::new(), Vec::new());
        for known in bills {
            if let Some(claim) = self.hold(known.row.fid()) {
                held.push(claim);
                ours.push(known);
            }
        }
        let mut moved = Vec::new();
        for group in ours.chunks(super::runner::SETTLE_GROUP) {
            let told = group.iter().map(|known| Told {
                fid: known.row.fid().clone(),
                last: known.past.last,
                events: self.settle_events(known, seen.get(known.row.fid())),
            });
            let told = told.collect();
            moved.extend(self.tell(told).await?);
            fault::point("after_settle");
        }
        for known in ours.iter().filter(|known| !moved.contains(known.row.fid())) {
            let fid = known.row.fid();
            self.mind.settles.remove(fid);
            self.mind.due.remove(fid);
            if self.stays_contradicted(known) {
                // Where it is not out of unknown by now, another read shows the same.
                self.mind.tries.insert(fid.clone(), TRIES);
            } else {
                self.mind.tries.remove(fid);
            }
        }
        Ok(())
    }

    fn settle_events(&self, known: &Known, seen: Option<&Found>) -> [Event; 2] {
        let row = &known.row;
        let read = Event::bill_read(self.head.id, row.fid().clone(), seen);
        let unknown = Self::unknown_of(known);
        // A ledger entry without a call on record (its facts are older than what is folded) is judged by its row.
        let unrecorded = OpenCall {
            run: self.head.id,
            step: self.last_step(),
            rev: row.rev.clone(),
            sent: unknown.sent,
            left: None,
        };
        // What this run called itself comes first: another run may have looked, or called, since.
        let open = known.past.own.as_ref().or(known.past.open.as_ref()).unwrap_or(&unrecorded);
        let refusal = self.refusal_of(known);
        let open = refusal.is_none().then_some(open);
        let case = Case { open, ..self.case(Seen::of(seen), &known.past, Moment::Settling) };
        let as_unknown =
            |why: UnknownWhy| Outcome::Unknown(Unknown { why, sent: unknown.sent, detail: unknown.detail.clone() });
        let judged = match (judge(&case), refusal) {
            (judged @ (Judgement::Done { .. } | Judgement::Already(..)), _) => judged,
            (_, Some(said)) => Judgement::Fail(said.clone()),
            (Judgement::Repeat | Judgement::Continue(..) | Judgement::Call(_) | Judgement::Fail(_), None)
                if self.stays_contradicted(known) =>
            {
                Judgement::Look
            }
            (judged, None) => judged,
        };
        // Read back as it was called: that is the last word, should the run end before the repeat.
        let failure = (judged == Judgement::Repeat).then(|| not_applied(unknown.detail.clone()));
        let outcome = match judged {
            Judgement::Done { verified } => Some(Outcome::Done { verified }),
            Judgement::Already(by, on) => Some(Outcome::Already { by, on }),
            Judgement::Skip(why) => Some(Outcome::Skipped(why)),
            Judgement::Fail(failure) => Some(Outcome::Failed(worded(failure, &unknown))),
            Judgement::Operator(why) => Some(as_unknown(why)),
            Judgement::Look => Some(as_unknown(unknown.why.clone())),
            Judgement::Repeat | Judgement::Continue(_, _) | Judgement::Call(_) => None,
        };
        if let Some(outcome) = outcome {
            [read, self.settled(row, outcome)]
        } else {
            let again = Event::BillDeferred {
                run: self.head.id,
                fid: row.fid().clone(),
                no: row.no.clone(),
                until: self.shared.clock.now(),
                cause: Cause::new(known::NOT_APPLIED),
                was: row.state.slot(),
                failure: failure.map(Box::new),
            };
            [read, again]
        }
    }

    /// Whether a success of this run was contradicted: what is not there after the server's limit either is for a person to
    /// decide, who verifies or retries.
    fn stays_contradicted(&self, known: &Known) -> bool {
        self.slot() == Slot::Unknown && Self::unknown_of(known).why == UnknownWhy::Contradicted
    }

    /// In a verify run: the refusal that was the last word about a bill. Nothing is open then, and the words stand unless a
    /// look shows the effect.
    fn refusal_of<'a>(&self, known: &'a Known) -> Option<&'a Failure> {
        match (&known.past.prior, &known.past.open) {
            (Some(Outcome::Failed(said)), None) if self.slot() == Slot::Waiting => Some(said),
            (Some(_) | None, Some(_) | None) => None,
        }
    }

    /// What is known of not knowing it.
    fn unknown_of(known: &Known) -> Unknown {
        // A person may have closed it and put it back: the ledger has the words of a call that counts no more.
        let recorded = known.row.state.outcome().and_then(not_known);
        let recorded =
            recorded.or(known.past.unknown.as_ref()).or_else(|| known.past.prior.as_ref().and_then(not_known));
        recorded.cloned().unwrap_or_else(|| Unknown {
            why: UnknownWhy::ProcessDied,
            sent: known.past.open.as_ref().map_or(known.row.at, |call| call.sent),
            detail: String::new(),
        })
    }

    /// The read failed: unknown stays unknown. A few tries, then the run goes on without.
    async fn unreadable(&mut self, bills: Vec<Known>, fault: &Fault, patience: Patience) -> Result<(), Stop> {
        if let Some(why) = self.env.astray() {
            return Err(Stop::Pause(PauseWhy::Stopped(why), None));
        }
        let now = self.shared.clock.mono();
        let again = status_reads::on_fault(fault, &self.shared.causes) == status_reads::ReadFault::Again;
        let mut spent = Vec::new();
        for known in &bills {
            let fid = known.row.fid();
            let tries = self.mind.tries.entry(fid.clone()).or_insert(0);
            *tries = if again { *tries + 1 } else { TRIES };
            let tries = *tries;
            self.mind.due.insert(fid.clone(), now + status_reads::pause_before(fault, tries));
            if tries >= TRIES && self.slot() == Slot::Waiting {
                let said = self.refusal_of(known).cloned();
                let outcome = said.map_or_else(|| Outcome::Unknown(Self::unknown_of(known)), Outcome::Failed);
                spent.push(self.settled(&known.row, outcome));
            }
        }
        tracing::warn!(run = %self.head.id, bills = bills.len(), error = %fault, ?patience, "unknown bills could not be read back");
        for group in spent.chunks(super::runner::SETTLE_GROUP) {
            self.append(group.to_vec()).await?;
        }
        Ok(())
    }
}

fn not_known(outcome: &Outcome) -> Option<&Unknown> {
    match outcome {
        Outcome::Unknown(unknown) => Some(unknown),
        Outcome::Done { .. } | Outcome::Already { .. } | Outcome::Skipped(_) | Outcome::Failed(_) => None,
    }
}

/// A failure without words of its own keeps those of the call that was not applied.
fn worded(failure: Failure, unknown: &Unknown) -> Failure {
    if failure.message.is_empty() { Failure { message: unknown.detail.clone(), ..failure } } else { failure }
}

/// What is said of a call that left no trace, with the words that came of it.
pub(super) fn not_applied(message: String) -> Failure {
    Failure { cause: Cause::new(known::NOT_APPLIED), msg_code: None, field: None, message }
}
