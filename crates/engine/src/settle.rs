//! Settling: unknown bills are read back after the server's own limit and end as the table says.
//!
//! Invariant: nothing but a read made after the limit takes a bill out of unknown.

use std::collections::HashMap;
use std::sync::atomic::Ordering;
use std::time::Duration;

use crate::ports::Fault;
use skydeck_core::domain::bill::{Failure, Found, Outcome, Slot, Unknown, UnknownWhy};
use skydeck_core::domain::cause::{Cause, known};
use skydeck_core::domain::event::Event;
use skydeck_core::domain::ids::Fid;
use skydeck_core::domain::operation::{Key, Seen};
use skydeck_core::domain::query::RunColumn;
use skydeck_core::domain::run::{BillRow, PauseWhy, RunKind};
use skydeck_store::{StoreError, fault};

use super::control::Stop;
use super::decide::{Carried, Case, Judgement, Moment, OpenCall, judge};
use super::known::Known;
use super::run_context::{RunContext, SETTLE_GROUP};
use super::run_memory::{Change, RunMemory, TRIES};
use super::runner::{Runner, Told};
use super::status_reads::{self, READ_BATCH, ReadFault};

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

/// When a request is past the server's own limit, monotonic, and what is to be remembered of that. Known exactly for requests of
/// this process.
pub(super) fn limit(run: &RunContext, memory: &RunMemory, fid: &Fid, call: &OpenCall) -> (Duration, Change) {
    let proven = memory.limit(fid).unwrap_or_else(|| run.limit_proven(call));
    let limit = run.env.limit_of(&run.head.form, fid).map_or(proven, |at| at + run.lag());
    (limit, Change::LimitAt(fid.clone(), proven))
}

/// When what a call that was refused made is found at the latest, where it made anything: the server is done with it.
fn shown(run: &RunContext, memory: &RunMemory, fid: &Fid, call: &OpenCall) -> Option<(Duration, Change)> {
    let lag = Some(run.unseen_for(call.step)).filter(|lag| !lag.is_zero())?;
    let at = memory.limit(fid).unwrap_or_else(|| run.shared.clock.mono() + lag);
    Some((at, Change::LimitAt(fid.clone(), at)))
}

/// Where bills stand that this run reads back: those of a verify run wait for that and for nothing else.
fn slot(run: &RunContext) -> Slot {
    if run.head.kind == RunKind::Verify { Slot::Waiting } else { Slot::Unknown }
}

/// Which bills of a page are to be read back now.
#[derive(Default)]
struct DueOfPage {
    ready: Vec<Known>,
    /// When the first of the others is due, monotonic.
    next: Option<Duration>,
    changes: Vec<Change>,
}

/// Sorts unknown bills by when they are to be read back; looks no further than `room` that are due.
fn due_of(run: &RunContext, memory: &RunMemory, page: Vec<Known>, room: usize) -> DueOfPage {
    let now = run.shared.clock.mono();
    let mut due = DueOfPage::default();
    for known in page {
        let fid = known.row.fid();
        if memory.tries(fid) >= TRIES {
            continue;
        }
        let later = memory.due(fid).unwrap_or_default();
        let limit = match (&known.past.open, &known.past.refused_call) {
            (Some(call), _) => Some(limit(run, memory, fid, call)),
            (None, Some(call)) => shown(run, memory, fid, call),
            (None, None) => None,
        };
        let at = limit.as_ref().map_or(later, |(limit, _)| later.max(*limit));
        due.changes.extend(limit.map(|(_, change)| change));
        if at > now {
            due.next = Some(due.next.map_or(at, |next| next.min(at)));
            continue;
        }
        due.ready.push(known);
        if due.ready.len() == room {
            break;
        }
    }
    due
}

/// A verify run looks at entries of the ledger: what each holds is the last word about its bill, whatever runs that did
/// not get to the bill told since.
async fn with_entries(run: &RunContext, mut bills: Vec<Known>) -> Result<Vec<Known>, StoreError> {
    if slot(run) == Slot::Unknown {
        return Ok(bills);
    }
    for known in &mut bills {
        let entry = run.shared.store.ledger_entry(&known.row.key).await?;
        if let Some(outcome) = entry.and_then(|entry| entry.row.state.outcome().cloned()) {
            known.past.prior = Some(outcome);
        }
    }
    Ok(bills)
}

/// What a read-back of a bill came to.
fn settle_events(run: &RunContext, known: &Known, seen: Option<&Found>) -> [Event; 2] {
    let row = &known.row;
    let read = Event::bill_read(run.head.id, row.fid().clone(), seen);
    let unknown = unknown_of(known);
    // A ledger entry without a call on record (its facts are older than what is folded) is judged by its row.
    let unrecorded = OpenCall {
        run: run.head.id,
        step: run.last_step(),
        rev: row.rev.clone(),
        sent: unknown.sent,
        left: None,
        carried: Carried { body: None, ..Carried::of(known.body.as_deref()) },
    };
    // Under a token also a call that was refused by a server that failed is repeated, as it was.
    let refused = known.past.refused_call.as_ref().filter(|_| matches!(run.op.key, Key::Token { .. }));
    // What this run called itself comes first: another run may have looked, or called, since.
    let open = known.past.own.as_ref().or(known.past.open.as_ref()).or(refused).unwrap_or(&unrecorded);
    let refusal = refusal_of(run, known);
    let open = refusal.is_none().then_some(open);
    let body = known.body.as_deref();
    let case = Case { open, body, ..run.case(Seen::of(seen), &known.past, Moment::Settling) };
    let as_unknown =
        |why: UnknownWhy| Outcome::Unknown(Unknown { why, sent: unknown.sent, detail: unknown.detail.clone() });
    let judged = match (judge(&case), refusal) {
        (judged @ (Judgement::Done { .. } | Judgement::Already(..)), _) => judged,
        (_, Some(said)) => Judgement::Fail(said.clone()),
        (Judgement::Repeat | Judgement::Continue(..) | Judgement::Call(_) | Judgement::Fail(_), None)
            if stays_contradicted(run, known) =>
        {
            Judgement::Look
        }
        (judged, None) => judged,
    };
    // Read back as it was called: that is the last word, should the run end before the repeat.
    let failure = (judged == Judgement::Repeat).then(|| not_applied(unknown.detail.clone()));
    // Read back as taken: what comes next is the step after it, and not that call once more.
    let waits_under = match &judged {
        Judgement::Continue(at, _) => {
            run.op.steps.get(at.saturating_sub(1)).map_or(known::SUBMITTED, |taken| run.taken(taken.step))
        }
        _ => known::NOT_APPLIED,
    };
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
        return [read, run.settled(row, outcome)];
    }
    let again = Event::BillDeferred {
        run: run.head.id,
        fid: row.fid().clone(),
        no: row.no.clone(),
        until: run.shared.clock.now(),
        cause: Cause::new(waits_under),
        was: row.state.slot(),
        failure: failure.map(Box::new),
    };
    [read, again]
}

/// Whether a success of this run was contradicted: what is not there after the server's limit either is for a person to
/// decide, who verifies or retries.
fn stays_contradicted(run: &RunContext, known: &Known) -> bool {
    slot(run) == Slot::Unknown && unknown_of(known).why == UnknownWhy::Contradicted
}

/// In a verify run: the refusal that was the last word about a bill. Nothing is open then, and the words stand unless a
/// look shows the effect.
fn refusal_of<'a>(run: &RunContext, known: &'a Known) -> Option<&'a Failure> {
    match (&known.past.prior, &known.past.open) {
        (Some(Outcome::Failed(said)), None) if slot(run) == Slot::Waiting => Some(said),
        (Some(_) | None, Some(_) | None) => None,
    }
}

/// What is known of not knowing it.
fn unknown_of(known: &Known) -> Unknown {
    // A person may have closed it and put it back: the ledger has the words of a call that counts no more.
    let recorded = known.row.state.outcome().and_then(not_known);
    let recorded = recorded.or(known.past.unknown.as_ref()).or_else(|| known.past.prior.as_ref().and_then(not_known));
    recorded.cloned().unwrap_or_else(|| Unknown {
        why: UnknownWhy::ProcessDied,
        sent: known.past.open.as_ref().map_or(known.row.at, |call| call.sent),
        detail: String::new(),
    })
}

/// The read of these bills failed: unknown stays unknown. A few tries, then the run goes on without; a verify run tells that.
fn unreadable(run: &RunContext, memory: &RunMemory, bills: &[Known], fault: &Fault) -> (Vec<Change>, Vec<Event>) {
    let now = run.shared.clock.mono();
    let again = status_reads::on_fault(fault, &run.shared.causes) == ReadFault::Again;
    let (mut changes, mut spent) = (Vec::new(), Vec::new());
    for known in bills {
        let fid = known.row.fid();
        let tries = if again { memory.tries(fid) + 1 } else { TRIES };
        let due = now + status_reads::pause_before(fault, tries);
        changes.push(Change::Unread { fid: fid.clone(), tries, due });
        if tries >= TRIES && slot(run) == Slot::Waiting {
            let said = refusal_of(run, known).cloned();
            let outcome = said.map_or_else(|| Outcome::Unknown(unknown_of(known)), Outcome::Failed);
            spent.push(run.settled(&known.row, outcome));
        }
    }
    (changes, spent)
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
                    let wait = at.saturating_sub(self.run.shared.clock.mono());
                    self.wait(wait).await?;
                }
                (Due::At(at), Patience::Until(end)) => {
                    let now = self.run.shared.clock.mono();
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
        self.run.reads_only.store(true, Ordering::SeqCst);
        self.settle(Patience::Long).await
    }

    /// Bills to be read back: those due now, one batch of them, or else when the next one is due.
    async fn due_unknown(&mut self) -> Result<Due, Stop> {
        let run = &self.run;
        let (mut ready, mut next, mut after) = (Vec::new(), None::<Duration>, None::<Fid>);
        let most = run.looked_at_once();
        while ready.len() < most {
            let rows = run
                .shared
                .store
                .bills_in(RunColumn { run: run.head.id, slot: slot(run) }, after.as_ref(), READ_BATCH)
                .await?;
            let Some(last) = rows.last() else { break };
            after = Some(last.fid().clone());
            let a_persons =
                |row: &BillRow| row.state.outcome().and_then(not_known).is_some_and(|u| u.why.needs_operator());
            let open = rows.into_iter().filter(|row| !a_persons(row));
            let known = with_entries(run, run.know(open.collect()).await?).await?;
            let due = due_of(run, &self.memory, known, most - ready.len());
            self.memory.take(due.changes);
            ready.extend(due.ready);
            next = next.into_iter().chain(due.next).min();
        }
        Ok(if ready.is_empty() { next.map_or(Due::Never, Due::At) } else { Due::Now(ready) })
    }

    async fn read_back(&mut self, bills: Vec<Known>, patience: Patience) -> Result<(), Stop> {
        let fids: Vec<Fid> = bills.iter().map(|b| b.row.fid().clone()).collect();
        fault::point("before_settle");
        let seen = match self.run.read(&fids).await {
            Ok(seen) => seen,
            Err(fault) => return self.could_not_read(bills, &fault, patience).await,
        };
        fault::point("after_settle_read");
        let (ours, _held) = self.claim_all(bills, |known| known.row.fid());
        for group in ours.chunks(SETTLE_GROUP) {
            self.tell_read(group, &seen).await?;
            fault::point("after_settle");
        }
        Ok(())
    }

    /// Tells what a read-back showed of bills. They count as read once that is durable, each group for itself: where the next
    /// one is not taken, this one is not read again.
    async fn tell_read(&mut self, bills: &[Known], seen: &HashMap<Fid, Found>) -> Result<(), Stop> {
        let told = bills.iter().map(|known| Told {
            fid: known.row.fid().clone(),
            last: known.past.last,
            events: settle_events(&self.run, known, seen.get(known.row.fid())),
        });
        let told = told.collect();
        let moved = self.tell(told).await?;
        let told = bills.iter().filter(|known| !moved.contains(known.row.fid()));
        self.memory.take(told.map(|known| {
            let fid = known.row.fid().clone();
            // Where it is not out of unknown by now, another read shows the same.
            if stays_contradicted(&self.run, known) { Change::ReadForGood(fid) } else { Change::ReadBack(fid) }
        }));
        Ok(())
    }

    async fn could_not_read(&mut self, bills: Vec<Known>, fault: &Fault, patience: Patience) -> Result<(), Stop> {
        if let Some(why) = self.run.env.astray() {
            return Err(Stop::Pause(PauseWhy::Stopped(why), None));
        }
        let (changes, spent) = unreadable(&self.run, &self.memory, &bills, fault);
        tracing::warn!(run = %self.run.head.id, bills = bills.len(), error = %fault, ?patience, "unknown bills could not be read back");
        self.take(changes, spent).await
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
