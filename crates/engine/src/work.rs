//! The working pass over a run's waiting bills: read, decide, call in turn, note what came of it.
//!
//! Invariant: a call follows a status read at most [`FRESH`] old and a past nobody added to since.

use std::collections::{HashSet, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use tokio::task::{JoinError, JoinSet};

use skydeck_core::domain::bill::{Outcome, Slot, Unknown, UnknownWhy};
use skydeck_core::domain::event::Event;
use skydeck_core::domain::ids::{Fid, Seq};
use skydeck_core::domain::reason::Reason;
use skydeck_core::domain::run::{BillRow, PauseWhy, RunState};
use skydeck_store::AppendError;

use super::call::{CallEnd, call};
use super::call_context::{CallContext, Candidate};
use super::control::{Stop, back_off};
use super::dispatch::{CallPermit, Claim};
use super::prefetch::{Ahead, Seen};
use super::runner::{Canary, Runner};
use super::settle::Patience;
use super::status_reads::READ_BATCH;

/// How old a status may be when its call leaves (docs/design/reliability.md#before-a-call).
const FRESH: Duration = Duration::from_secs(30);
/// Calls in a row that could not be sent before the run pauses (docs/design/reliability.md#first-calls-and-breaker).
const UNSENT: u32 = 5;
/// First wait after a call that could not be sent.
const UNSENT_BASE: Duration = Duration::from_secs(1);
/// Longest wait after a call that could not be sent.
const UNSENT_CAP: Duration = Duration::from_secs(60);
/// Wait for a bill another run has in hand.
const ELSEWHERE: Duration = Duration::from_secs(2);
/// Clean single calls in a row before bills go in batches.
const CLEAN_FOR_BATCH: u32 = 5;
/// The next page is read when so many bills for each call in flight are left of this one.
const AHEAD: usize = 4;
/// Refusals of one class among the watched first calls that stop the run.
const CANARY_REFUSED: u32 = 2;

type Calls = JoinSet<CallEnd>;

/// What is told of a bill.
pub(super) struct Told {
    pub fid: Fid,
    /// Place of the newest fact that it was judged by.
    pub last: Seq,
    pub events: [Event; 2],
}

impl Runner {
    /// Passes over the bills until none is left to be called or read back.
    pub(super) async fn write_all(&mut self) -> Result<(), Stop> {
        // Whatever an earlier process or pause left unknown or unconfirmed comes before anything else.
        self.take_up_unconfirmed().await?;
        self.confirm_if_due().await?;
        self.settle(Patience::Long).await?;
        loop {
            self.passes().await?;
            if !self.has_settleable().await? {
                return Ok(());
            }
            if self.shared.state(self.head.id) != Some(RunState::Settling) {
                self.append(vec![Event::RunSettling { run: self.head.id }]).await?;
            }
            self.settle(Patience::Long).await?;
            let run = self.head.id;
            if self.shared.store.bills_in(run, Slot::Waiting, None, 1).await?.is_empty() {
                return Ok(());
            }
        }
    }

    /// Passes over the waiting bills until none is left.
    pub(super) async fn passes(&mut self) -> Result<(), Stop> {
        let mut calls = Calls::new();
        let result = self.drive(&mut calls).await;
        // Calls in flight always end before the run says why it stopped.
        let mut after = Ok(());
        while let Some(end) = calls.join_next().await {
            let ended = self.ended(end).await;
            after = after.and(ended);
        }
        self.confirm_rest(result.and(after)).await
    }

    async fn drive(&mut self, calls: &mut Calls) -> Result<(), Stop> {
        loop {
            let (mut any, mut worked, mut next, mut after) = (false, false, None::<Duration>, None::<Fid>);
            let mut ahead: Option<Ahead> = None;
            loop {
                self.check()?;
                self.confirm_if_due().await?;
                self.settle(Patience::Now).await?;
                let (rows, seen) = match ahead.take() {
                    Some(ahead) => ahead.done().await,
                    None => (self.rows_after(after.clone()).await?, None),
                };
                let Some(last) = rows.last() else { break };
                any = true;
                let last = last.fid().clone();
                let rows = self.due_now(rows, &mut next);
                if !rows.is_empty() {
                    worked = true;
                    ahead = self.page(rows, seen, &last, calls).await?;
                }
                after = Some(last);
            }
            while let Some(end) = calls.join_next().await {
                self.ended(end).await?;
            }
            if !any {
                return Ok(());
            }
            // A pass in which nothing was due ends in a wait for the earliest; after any other the store is asked again.
            if let (false, Some(at)) = (worked, next) {
                self.wait(at.saturating_sub(self.shared.clock.mono())).await?;
            }
        }
    }

    /// Rows that are due; notes the earliest of the others.
    fn due_now(&mut self, rows: Vec<BillRow>, next: &mut Option<Duration>) -> Vec<BillRow> {
        let (now, wall) = (self.shared.clock.mono(), self.shared.clock.now());
        rows.into_iter()
            .filter(|row| {
                if self.mind.in_hand.contains(row.fid()) {
                    return false;
                }
                // A deferral of an earlier process is known by wall time only; it is bounded, whatever the clock says.
                if let skydeck_core::domain::bill::BillState::RetryAt { at, .. } = &row.state {
                    let left = at.since(wall).min(super::rate_limiter::LONGEST_HOLD);
                    self.mind.due.entry(row.fid().clone()).or_insert(now + left);
                }
                match self.mind.due.get(row.fid()).copied() {
                    Some(due) if due > now => {
                        *next = Some(next.map_or(due, |n| n.min(due)));
                        false
                    }
                    _ => true,
                }
            })
            .collect()
    }

    /// Waiting bills of the run after a place.
    async fn rows_after(&self, after: Option<Fid>) -> Result<Vec<BillRow>, Stop> {
        let run = self.head.id;
        Ok(self.shared.store.bills_in(run, Slot::Waiting, after.as_ref(), READ_BATCH).await?)
    }

    /// Calls the bills of a page in turn; gives the page after `last`, being read, where there is one.
    async fn page(
        &mut self,
        rows: Vec<BillRow>,
        seen: Option<Seen>,
        last: &Fid,
        calls: &mut Calls,
    ) -> Result<Option<Ahead>, Stop> {
        let now = self.shared.clock.mono();
        let mut queue = match seen.filter(|seen| now.saturating_sub(seen.at) <= FRESH) {
            Some(mut seen) => {
                let due: HashSet<&Fid> = rows.iter().map(BillRow::fid).collect();
                seen.known.retain(|known| due.contains(known.row.fid()));
                let left = self.sort_out(seen.known, seen.at).await?;
                self.decide(left, &seen.found, seen.at).await?
            }
            None => self.evaluate(rows).await?,
        };
        let (mut ahead, mut looked) = (None, false);
        loop {
            // So late that the statuses are fresh when their turn comes, so early that the answer is there by then.
            if !looked && queue.len() <= self.env.concurrency() as usize * AHEAD {
                looked = true;
                let rows = self.rows_after(Some(last.clone())).await?;
                if !rows.is_empty() {
                    ahead = Some(Ahead::start(&self.shared, &self.env, (&self.plan, &self.op), self.head.id, rows));
                }
            }
            if let Some(ready) = self.next_submitted().await? {
                queue.extend(ready);
            }
            if queue.is_empty() {
                return Ok(ahead);
            }
            let turn = self.turn(calls).await?;
            self.bring_submitted_forward(&mut queue).await?;
            if self.mind.unconfirmed.is_doubted() {
                turn.unused();
                self.confirm_if_due().await?;
                continue;
            }
            let now = self.shared.clock.mono();
            let stale = |c: &Candidate| now.saturating_sub(c.read_at) > FRESH;
            if queue.iter().take(self.group_size() as usize).any(stale) {
                turn.unused();
                let rows = self.rows_of(queue.drain(..).map(|c| c.fid)).await?;
                queue = self.evaluate(rows).await?;
                continue;
            }
            let group = self.take_group(&mut queue);
            let (bills, claims) = self.claim(group);
            if bills.is_empty() {
                turn.unused();
                continue;
            }
            for bill in &bills {
                self.mind.in_hand.insert(bill.fid.clone());
                self.mind.due.remove(&bill.fid);
            }
            let context = CallContext {
                shared: Arc::clone(&self.shared),
                env: Arc::clone(&self.env),
                run: self.head.id,
                form: self.head.form.clone(),
                plan: Arc::clone(&self.plan),
                op: Arc::clone(&self.op),
                flags: self.flags.clone(),
            };
            calls.spawn(call(context, bills, turn, claims));
        }
    }

    /// Waits for a turn, taking note of calls that end meanwhile.
    async fn turn(&mut self, calls: &mut Calls) -> Result<CallPermit, Stop> {
        loop {
            self.check()?;
            let one_by_one = self.mind.canary.is_some();
            if (one_by_one || self.has_left_enough())
                && let Some(end) = calls.join_next().await
            {
                self.ended(end).await?;
                continue;
            }
            self.confirm_if_due().await?;
            let hold = self.mind.hold.saturating_sub(self.shared.clock.mono());
            if !hold.is_zero() {
                // Nothing could be sent: calls in flight end first, then the wait.
                if let Some(end) = calls.join_next().await {
                    self.ended(end).await?;
                } else {
                    self.wait(hold).await?;
                }
                continue;
            }
            let env = Arc::clone(&self.env);
            tokio::select! {
                biased;
                _ = self.control.changed() => {}
                _ = self.failure.changed() => {}
                Some(end) = calls.join_next() => self.ended(end).await?,
                turn = env.turn() => {
                    self.check()?;
                    return Ok(turn);
                }
            }
        }
    }

    pub(super) fn group_size(&self) -> u32 {
        let allowed = self.mind.clean >= CLEAN_FOR_BATCH && self.mind.canary.is_none();
        if allowed { self.plan.policy.batch.max(1) } else { 1 }
    }

    fn take_group(&self, queue: &mut VecDeque<Candidate>) -> Vec<Candidate> {
        let most = self.group_size() as usize;
        let mut group: Vec<Candidate> = Vec::new();
        while let Some(next) = queue.front() {
            let alone = next.at + 1 != self.op.steps.len() || self.mind.singly.contains(&next.fid);
            if group.len() >= most || (alone && !group.is_empty()) {
                break;
            }
            group.extend(queue.pop_front());
            if alone {
                break;
            }
        }
        group
    }

    /// Takes bills into this run's hands; leaves out those another run has.
    fn claim(&mut self, group: Vec<Candidate>) -> (Vec<Candidate>, Vec<Claim>) {
        group.into_iter().filter_map(|bill| self.hold(&bill.fid).map(|claim| (bill, claim))).unzip()
    }

    /// Takes one bill into this run's hands; where another run has it, it is put off and read anew in a later pass.
    pub(super) fn hold(&mut self, fid: &Fid) -> Option<Claim> {
        let claim = self.env.claim(&self.head.form, fid);
        if claim.is_none() {
            self.mind.due.insert(fid.clone(), self.shared.clock.mono() + ELSEWHERE);
        }
        claim
    }

    /// Tells what became of bills that are in this run's hands, as long as what is known of each is all there is. Gives the
    /// others, of which nothing is told: they are put off and read anew in a later pass. Judged by what was known before, an
    /// effect of another run's call would be told by this one a second time.
    pub(super) async fn tell(&mut self, mut bills: Vec<Told>) -> Result<Vec<Fid>, Stop> {
        let mut moved = Vec::new();
        // The rest is sent once; where more of them went on meanwhile, all of it waits.
        for is_last in [false, true] {
            let unmoved = bills.iter().map(|told| (self.key(&told.fid), told.last)).collect();
            let events = bills.iter().flat_map(|told| told.events.iter().cloned()).collect();
            match self.shared.ledger.append_if_unmoved(events, unmoved).await {
                Ok(()) => break,
                Err(AppendError::Moved(records)) => {
                    let went_on = |told: &Told| is_last || records.iter().any(|record| record.fid == told.fid);
                    moved.extend(bills.extract_if(.., |told| went_on(told)).map(|told| told.fid));
                }
                Err(error) => return Err(Stop::Store(error.into())),
            }
        }
        let now = self.shared.clock.mono();
        self.mind.due.extend(moved.iter().map(|fid| (fid.clone(), now)));
        Ok(moved)
    }

    async fn rows_of(&self, fids: impl Iterator<Item = Fid>) -> Result<Vec<BillRow>, Stop> {
        let mut rows = Vec::new();
        for fid in fids {
            rows.extend(self.shared.store.bill_of_run(self.head.id, &fid).await?);
        }
        rows.retain(|row| row.state.slot() == Slot::Waiting);
        Ok(rows)
    }

    async fn next_submitted(&mut self) -> Result<Option<VecDeque<Candidate>>, Stop> {
        if self.mind.submitted.is_empty() {
            return Ok(None);
        }
        let fids: Vec<Fid> = self.mind.submitted.drain(..).collect();
        for fid in &fids {
            self.mind.due.remove(fid);
        }
        let rows = self.rows_of(fids.into_iter()).await?;
        Ok(Some(self.evaluate(rows).await?))
    }

    async fn bring_submitted_forward(&mut self, queue: &mut VecDeque<Candidate>) -> Result<(), Stop> {
        if let Some(mut ready) = self.next_submitted().await? {
            ready.append(queue);
            *queue = ready;
        }
        Ok(())
    }

    /// Takes note of an ended call.
    async fn ended(&mut self, end: Result<CallEnd, JoinError>) -> Result<(), Stop> {
        let end = match end {
            Ok(end) => end,
            Err(error) => return Err(self.task_died(&error).await?),
        };
        for fid in &end.fids {
            self.mind.in_hand.remove(fid);
        }
        self.mind.due.extend(end.due.iter().cloned());
        self.mind.singly.extend(end.singly.iter().cloned());
        self.mind.submitted.extend(end.submitted.iter().cloned());
        self.mind.unconfirmed.add(end.succeeded);
        if let Some(error) = end.store {
            return Err(Stop::Store(error));
        }
        if end.unmade {
            return Ok(());
        }
        let clean = end.unknown.is_empty() && end.refused.is_empty() && end.singly.is_empty() && end.unsent.is_none();
        self.mind.clean = match (clean, end.fids.len()) {
            (true, _) => self.mind.clean.saturating_add(1),
            // Refusals of single members of a batch are their own; unknown ones and a sunk batch are the batch's.
            (false, n) if n > 1 && end.unknown.is_empty() && end.singly.is_empty() => self.mind.clean,
            (false, _) => 0,
        };
        if let Some(why) = end.stop {
            return Err(Stop::Pause(why, None));
        }
        if let Some(words) = end.unsent {
            self.mind.unsent += 1;
            if self.mind.unsent >= UNSENT {
                return Err(Stop::Pause(PauseWhy::Unreachable(Reason::Unreachable { said: words }), None));
            }
            let wait = back_off(UNSENT_BASE, self.mind.unsent - 1, UNSENT_CAP);
            self.mind.hold = self.shared.clock.mono() + wait;
        } else {
            self.mind.unsent = 0;
        }
        self.watch_canary(end.unknown.len() as u32, end.refused)
    }

    fn watch_canary(&mut self, unknown: u32, refused: Vec<skydeck_core::domain::cause::Cause>) -> Result<(), Stop> {
        let Some(canary) = &mut self.mind.canary else { return Ok(()) };
        let Canary { seen, refused: counts } = canary;
        *seen += 1;
        for cause in refused {
            *counts.entry(cause).or_insert(0) += 1;
        }
        let bad = counts
            .iter()
            .find(|(_, n)| **n >= CANARY_REFUSED)
            .map(|(cause, n)| Reason::Canary { cause: cause.clone(), n: *n });
        let over = *seen >= self.env.limits().canary;
        if unknown > 0 {
            return Err(Stop::Pause(PauseWhy::Canary(Reason::CanaryUnknown {}), None));
        }
        if let Some(bad) = bad {
            return Err(Stop::Pause(PauseWhy::Canary(bad), None));
        }
        if over {
            self.mind.canary = None;
        }
        Ok(())
    }

    /// A bill's task died: whatever it had an intent for is unknown, and the run pauses. The process lives.
    async fn task_died(&mut self, error: &JoinError) -> Result<Stop, Stop> {
        tracing::error!(run = %self.head.id, %error, "a bill's task died");
        let run = self.head.id;
        let open = self.shared.store.in_flight(run).await?;
        let mut events = Vec::new();
        for row in open {
            // Others in flight have live tasks that hold their claims; the dead one dropped its own.
            if let Some(claim) = self.env.claim(&self.head.form, row.fid()) {
                drop(claim);
                self.mind.in_hand.remove(row.fid());
                events.push(died(run, &row));
            }
        }
        self.append_in_groups(events).await?;
        Ok(Stop::Pause(PauseWhy::Stopped(Reason::TaskDied { said: Some(error.to_string()) }), None))
    }
}

/// The outcome of a bill whose task or process ended after the intent.
pub(super) fn died(run: skydeck_core::domain::ids::RunId, row: &BillRow) -> Event {
    let sent = match &row.state {
        skydeck_core::domain::bill::BillState::Trying { since, .. } => *since,
        _ => row.at,
    };
    let unknown = Unknown { why: UnknownWhy::ProcessDied, sent, detail: String::new() };
    Event::BillSettled {
        run,
        fid: row.fid().clone(),
        no: row.no.clone(),
        was: row.state.slot(),
        outcome: Outcome::Unknown(unknown),
    }
}
