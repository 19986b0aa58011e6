//! A success is believed once it was read back: each of the first of a run, then every so many together, and the last.
//!
//! Invariant: from a read that shows no effect to the second one, no call of the run leaves; what both show stands as
//! unknown, and the run stops.

use std::time::Duration;

use skydeck_core::domain::bill::{Found, Outcome, Slot, Unknown, UnknownWhy};
use skydeck_core::domain::event::Event;
use skydeck_core::domain::ids::Fid;
use skydeck_core::domain::query::RunColumn;
use skydeck_core::domain::reason::Reason;
use skydeck_core::domain::run::{BillRow, PauseWhy};
use skydeck_store::{Store, StoreError};

use super::control::Stop;
use super::known::Known;
use super::run_context::RunContext;
use super::run_memory::{Change, RunMemory};
use super::runner::Runner;
use super::status_reads::READ_BATCH;
use super::unconfirmed::Success;

/// First successes of a run that are read back one by one, at least; as many as are watched, where those are more.
const FIRST: u32 = 5;
/// Time from a read that shows no effect to the second one.
const SECOND_LOOK: Duration = Duration::from_secs(5);

/// Reads of the last successes that may fail once more, and the time between them.
const LAST_TRIES: u32 = 2;
/// See [`LAST_TRIES`].
const LAST_PAUSE: Duration = Duration::from_secs(1);

/// A success that a read did not confirm.
struct Doubt {
    success: Success,
    /// A read showed the record as it was called.
    contradicted: bool,
    /// A read did not show the record, as a stale or an empty answer may not.
    unseen: bool,
}

impl Doubt {
    fn of(success: Success) -> Self {
        Self { success, contradicted: false, unseen: false }
    }
}

/// Successes that are believed before they are read back.
fn believed(run: &RunContext, memory: &RunMemory) -> usize {
    let first = run.env.limits().canary.max(FIRST);
    if memory.unconfirmed().confirmed() < first { 1 } else { run.plan.policy.confirm_every as usize }
}

/// Whether, with those in flight, as many calls have left as are believed: a call that is answered gives its turn on before its
/// outcome is told.
pub(super) fn has_left_enough(run: &RunContext, memory: &RunMemory) -> bool {
    let in_flight = (run.env.concurrency() * memory.group_size(run.plan.policy.batch)) as usize;
    let left = memory.unconfirmed().len() + memory.in_hand();
    left + 1 >= believed(run, memory) + in_flight
}

/// Whether a look contradicts a success: the effect is not there, and the record is in the state it was called in. In any
/// other state somebody went on with it; and one that is not seen says nothing.
fn contradicts(run: &RunContext, success: &Success, found: &Found) -> bool {
    let effect = run.op.steps.get(run.op.place_of(success.step)).map(|spec| &spec.effect);
    // An operation that is judged by fields of its own is, whatever became of the status meanwhile.
    let same = match &success.rev.state {
        Some(_) if !run.op.key.makes() => found.rev.state == success.rev.state,
        Some(_) | None => found.rev.status == success.rev.status,
    };
    same && effect.is_some_and(|effect| !effect.is_done(found))
}

/// A success that was told, as it was called: an earlier step of the run may have led to another revision than the one that was
/// frozen.
fn told_done(run: &RunContext, known: Known) -> Success {
    let (row, last) = (known.row, run.last_step());
    let call = known.past.answered.filter(|call| call.step == last);
    let (rev, sent) = call.map_or_else(|| (row.rev.clone(), row.at), |call| (call.rev, call.sent));
    Success { fid: row.fid().clone(), no: row.no, step: last, rev, sent }
}

/// The success that our earlier step was answered with, where a look shows the bill as it was called.
pub(super) fn step_in_doubt(run: &RunContext, known: &Known, now: &Found) -> Option<Success> {
    let (step, rev, sent) = known.past.stepped_in()?;
    let (fid, no) = (known.row.fid().clone(), known.row.no.clone());
    let success = Success { fid, no, step, rev: rev.clone(), sent };
    contradicts(run, &success, now).then_some(success)
}

/// The same of a step that makes the bill, where a look does not show it.
pub(super) fn step_unseen(run: &RunContext, known: &Known) -> Option<Success> {
    let (step, rev, sent) = known.past.stepped_in().filter(|(step, ..)| run.makes(*step))?;
    let (fid, no) = (known.row.fid().clone(), known.row.no.clone());
    Some(Success { fid, no, step, rev: rev.clone(), sent })
}

/// The facts of successes that two reads contradicted: it is not known what came of them.
fn disbelieved(run: &RunContext, doubted: &[(Success, Option<Found>)]) -> Vec<Event> {
    let facts = doubted.iter().map(|(success, found)| {
        let unknown = Unknown { why: UnknownWhy::Contradicted, sent: success.sent, detail: String::new() };
        let settled = Event::BillSettled {
            run: run.head.id,
            fid: success.fid.clone(),
            no: success.no.clone(),
            was: if success.step == run.last_step() { Slot::Done } else { Slot::Waiting },
            outcome: Outcome::Unknown(unknown),
        };
        [Event::bill_read(run.head.id, success.fid.clone(), found.as_ref()), settled]
    });
    facts.flatten().collect()
}

impl Runner {
    /// Reads successes back, where it is time.
    pub(super) async fn confirm_if_due(&mut self) -> Result<(), Stop> {
        let unconfirmed = self.memory.unconfirmed();
        let due = unconfirmed.is_doubted() || unconfirmed.len() >= believed(&self.run, &self.memory);
        if due { self.confirm().await } else { Ok(()) }
    }

    /// Reads all successes back that were not yet. Where nothing came of one, the run must stop.
    async fn confirm(&mut self) -> Result<(), Stop> {
        while !self.memory.unconfirmed().is_empty() {
            let batch = self.memory.unconfirmed().oldest(self.run.looked_at_once());
            let n = batch.len();
            let doubted = self.without_effect(batch).await?;
            self.memory.take([Change::Confirmed(n)]);
            if !doubted.is_empty() {
                self.disbelieve(doubted).await?;
            }
        }
        Ok(())
    }

    /// Those of which two reads show that nothing came, with what the second shows. One that two reads do not show at all says
    /// nothing. Three reads decide every case, and no call leaves between them.
    async fn without_effect(&mut self, successes: Vec<Success>) -> Result<Vec<(Success, Option<Found>)>, Stop> {
        let (mut without, mut read) = (Vec::new(), Vec::new());
        // Of an audit the answer tells the status; what shows another operation stands in no answer.
        // Of a bill that was made no other fact tells how it is after the last step.
        let tells = !self.run.op.looked_at().is_empty() || self.run.op.key.makes();
        let mut open: Vec<Doubt> = successes.into_iter().map(Doubt::of).collect();
        while !open.is_empty() {
            let fids: Vec<Fid> = open.iter().map(|doubt| doubt.success.fid.clone()).collect();
            let (mut seen, _) = self.statuses(&fids).await?;
            for mut doubt in std::mem::take(&mut open) {
                match seen.remove(&doubt.success.fid) {
                    Some(found) if !contradicts(&self.run, &doubt.success, &found) => {
                        read.extend(tells.then(|| Event::bill_read(self.run.head.id, doubt.success.fid, Some(&found))));
                    }
                    Some(found) if doubt.contradicted => without.push((doubt.success, Some(found))),
                    // What was to be made is not there, as the look before the call had shown.
                    None if doubt.unseen && self.run.makes(doubt.success.step) => without.push((doubt.success, None)),
                    None if doubt.unseen => {}
                    shown => {
                        *(if shown.is_some() { &mut doubt.contradicted } else { &mut doubt.unseen }) = true;
                        open.push(doubt);
                    }
                }
            }
            if !open.is_empty() {
                let second_look = SECOND_LOOK.max(self.run.lag());
                self.run.env.quiet(second_look);
                tokio::time::sleep(second_look).await;
            }
        }
        self.run.append_in_groups(read).await?;
        Ok(without)
    }

    /// Tells that it is not known what came of them; stops the run where a record is just as it was called. Where it was
    /// changed since, our effect may have been there and been undone.
    async fn disbelieve(&mut self, doubted: Vec<(Success, Option<Found>)>) -> Result<(), Stop> {
        self.run.append_in_groups(disbelieved(&self.run, &doubted)).await?;
        // What was to be made and is not there is as it was, too.
        let is_as_called =
            |success: &Success, found: &Option<Found>| found.as_ref().is_none_or(|now| now.rev == success.rev);
        let untouched = doubted.into_iter().find(|(success, found)| is_as_called(success, found));
        let Some((Success { no, .. }, _)) = untouched else { return Ok(()) };
        tracing::warn!(run = %self.run.head.id, bill = %no, "the ERP said success, and nothing changed");
        Err(Stop::Pause(PauseWhy::Stopped(Reason::SuccessWithoutEffect { no }), None))
    }

    /// Reads the last successes back before the run rests, whatever made it rest. A read that fails leaves them as they were
    /// answered; a contradiction is why the run stops, unless a person ended it.
    pub(super) async fn confirm_rest(&mut self, ended: Result<(), Stop>) -> Result<(), Stop> {
        let mut ended = match ended {
            // A server out of reach tells nothing now: what waits is read back when the run goes on, or rests paused.
            Err(stop @ (Stop::Drain | Stop::Store(_) | Stop::Pause(PauseWhy::Unreachable(_), _))) => return Err(stop),
            ended => ended,
        };
        let mut tries = 0;
        // Each turn takes at least what was read out of the list, or is one of the tries.
        while !self.memory.unconfirmed().is_empty() {
            match (self.confirm().await, &ended) {
                (Ok(()), _) => {}
                (Err(stop @ Stop::Store(_)), _) => return Err(stop),
                (
                    Err(Stop::Pause(PauseWhy::Stopped(why @ Reason::SuccessWithoutEffect { .. }), _)),
                    Err(Stop::Cancel),
                ) => {
                    tracing::warn!(run = %self.run.head.id, %why, "found while the run was cancelled");
                }
                (Err(stop @ Stop::Pause(PauseWhy::Stopped(Reason::SuccessWithoutEffect { .. }), _)), _) => {
                    ended = Err(stop);
                }
                // A read that failed once while somebody wishes the run to stop.
                (Err(Stop::Cancel | Stop::Pause(PauseWhy::Operator, _)), _) if tries < LAST_TRIES => {
                    tries += 1;
                    tokio::time::sleep(LAST_PAUSE).await;
                }
                (Err(_), _) => {
                    let bills = self.memory.unconfirmed().len();
                    tracing::warn!(run = %self.run.head.id, bills, "the last successes could not be read back");
                    break;
                }
            }
        }
        ended
    }

    /// Takes up the newest successes of an earlier task of this run: nobody knows whether it had read them back.
    pub(super) async fn take_up_unconfirmed(&mut self) -> Result<(), Stop> {
        if self.memory.has_taken_up() {
            return Ok(());
        }
        let policy = &self.run.plan.policy;
        let most = policy.confirm_every.saturating_add(self.run.env.concurrency().saturating_mul(policy.batch));
        let store = self.run.shared.store.as_ref();
        let rows = newest_done(store, self.run.head.id, (most as usize).min(READ_BATCH)).await?;
        let known = self.run.know(rows).await?;
        let successes = known.into_iter().map(|known| told_done(&self.run, known)).collect();
        self.memory.take([Change::TakenUp(successes)]);
        Ok(())
    }
}

/// The bills of a run told last as done by their answer, newest first.
async fn newest_done(
    store: &dyn Store,
    run: skydeck_core::domain::ids::RunId,
    most: usize,
) -> Result<Vec<BillRow>, StoreError> {
    let (mut newest, mut after) = (Vec::new(), None::<Fid>);
    loop {
        let rows = store.bills_in(RunColumn { run, slot: Slot::Done }, after.as_ref(), READ_BATCH).await?;
        let Some(last) = rows.last() else { break };
        after = Some(last.fid().clone());
        for row in rows.into_iter().filter(|row| row.state.outcome() == Some(&Outcome::Done { verified: false })) {
            newest.push((store.newest_of(&row.key.record).await?, row));
        }
        newest.sort_by_key(|(seq, _)| std::cmp::Reverse(*seq));
        newest.truncate(most);
    }
    Ok(newest.into_iter().map(|(_, row)| row).collect())
}
