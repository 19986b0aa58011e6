//! The working pass over a run's waiting bills: read, decide, call in turn, note what came of it.
//!
//! Invariant: a call follows a status read at most [`FRESH`] old and a past nobody added to since.

use std::collections::{HashSet, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use tokio::task::{JoinError, JoinSet};

use skydeck_core::domain::bill::{BillState, Outcome, Slot, Unknown, UnknownWhy};
use skydeck_core::domain::event::Event;
use skydeck_core::domain::ids::{Fid, RunId};
use skydeck_core::domain::query::RunColumn;
use skydeck_core::domain::reason::Reason;
use skydeck_core::domain::run::{BillRow, PauseWhy, RunState};
use skydeck_core::domain::step::Verb;

use super::call::call;
use super::call_end::CallEnd;
use super::confirm::has_left_enough;
use super::control::Stop;
use super::dispatch::CallPermit;
use super::known::Candidate;
use super::prefetch::{Ahead, Seen};
use super::rate_limiter::LONGEST_HOLD;
use super::run_context::RunContext;
use super::run_memory::{Change, RunMemory};
use super::runner::Runner;
use super::settle::Patience;

/// How old a status may be when its call leaves (docs/design/reliability.md#before-a-call).
const FRESH: Duration = Duration::from_secs(30);
/// The next page is read when so many bills for each call in flight are left of this one.
const AHEAD: usize = 4;

type Calls = JoinSet<CallEnd>;

/// Bills of the store that come now, in its order.
struct Page {
    rows: Vec<BillRow>,
    /// What was read of them ahead.
    seen: Option<Seen>,
    /// The last one that the store gave, due or not.
    last: Fid,
}

/// Which bills of a page come now.
#[derive(Default)]
struct DueNow {
    rows: Vec<BillRow>,
    /// When the first of the others is due, monotonic.
    next: Option<Duration>,
    changes: Vec<Change>,
}

/// Sorts a page by when its bills are due; those in hand are none of it.
fn due_now(run: &RunContext, memory: &RunMemory, page: Vec<BillRow>) -> DueNow {
    let (now, wall) = (run.shared.clock.mono(), run.shared.clock.now());
    let mut due = DueNow::default();
    for row in page.into_iter().filter(|row| !memory.has_in_hand(row.fid())) {
        let mut at = memory.due(row.fid());
        // A deferral of an earlier process is known by wall time only; it is bounded, whatever the clock says.
        if let (None, BillState::RetryAt { at: until, .. }) = (at, &row.state) {
            let until = now + until.since(wall).min(LONGEST_HOLD);
            due.changes.push(Change::DueAtUnlessKnown(row.fid().clone(), until));
            at = Some(until);
        }
        match at.filter(|at| *at > now) {
            Some(at) => due.next = Some(due.next.map_or(at, |next| next.min(at))),
            None => due.rows.push(row),
        }
    }
    due
}

/// The bills of the next call, taken from the front: those that may go together, or one alone. Bills are saved together, each
/// known in the answer by the number that was sent; what comes between that and the last step goes bill by bill.
fn take_group(run: &RunContext, memory: &RunMemory, queue: &mut VecDeque<Candidate>) -> Vec<Candidate> {
    let most = memory.group_size(run.plan.policy.batch) as usize;
    let mut group: Vec<Candidate> = Vec::new();
    while let Some(next) = queue.front() {
        let saves = run.op.steps.get(next.at).is_some_and(|spec| spec.verb == Verb::Save);
        let alone = !(saves || next.at + 1 == run.op.steps.len()) || memory.goes_alone(&next.fid);
        let other = group.first().is_some_and(|first| first.at != next.at);
        if group.len() >= most || other || (alone && !group.is_empty()) {
            break;
        }
        group.extend(queue.pop_front());
        if alone {
            break;
        }
    }
    group
}

impl Runner {
    /// Passes over the bills until none is left to be called or read back.
    pub(super) async fn write_all(&mut self) -> Result<(), Stop> {
        self.ready_to_make().await?;
        // Whatever an earlier process or pause left unknown or unconfirmed comes before anything else.
        self.take_up_unconfirmed().await?;
        self.confirm_if_due().await?;
        self.settle(Patience::Long).await?;
        loop {
            self.passes().await?;
            if !self.has_settleable().await? {
                return Ok(());
            }
            if self.run.shared.state(self.run.head.id) != Some(RunState::Settling) {
                self.run.append(vec![Event::RunSettling { run: self.run.head.id }]).await?;
            }
            self.settle(Patience::Long).await?;
            let run = self.run.head.id;
            if self.run.shared.store.bills_in(RunColumn { run, slot: Slot::Waiting }, None, 1).await?.is_empty() {
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
                let due = due_now(&self.run, &self.memory, rows);
                self.memory.take(due.changes);
                next = next.into_iter().chain(due.next).min();
                if !due.rows.is_empty() {
                    worked = true;
                    ahead = self.page(Page { rows: due.rows, seen, last: last.clone() }, calls).await?;
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
                self.wait(at.saturating_sub(self.run.shared.clock.mono())).await?;
            }
        }
    }

    /// Waiting bills of the run after a place.
    async fn rows_after(&self, after: Option<Fid>) -> Result<Vec<BillRow>, Stop> {
        let run = self.run.head.id;
        let most = self.run.looked_at_once();
        Ok(self.run.shared.store.bills_in(RunColumn { run, slot: Slot::Waiting }, after.as_ref(), most).await?)
    }

    /// Calls the bills of a page in turn; gives the page after it, being read, where there is one.
    async fn page(&mut self, page: Page, calls: &mut Calls) -> Result<Option<Ahead>, Stop> {
        let Page { rows, seen, last } = page;
        let now = self.run.shared.clock.mono();
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
            if !looked && queue.len() <= self.run.env.concurrency() as usize * AHEAD {
                looked = true;
                let rows = self.rows_after(Some(last.clone())).await?;
                if !rows.is_empty() {
                    ahead = Some(Ahead::start(&self.run, rows));
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
            if self.memory.unconfirmed().is_doubted() {
                turn.unused();
                self.confirm_if_due().await?;
                continue;
            }
            let now = self.run.shared.clock.mono();
            let stale = |c: &Candidate| now.saturating_sub(c.read_at) > FRESH;
            let most = self.memory.group_size(self.run.plan.policy.batch) as usize;
            if queue.iter().take(most).any(stale) {
                turn.unused();
                let rows = self.rows_of(queue.drain(..).map(|c| c.fid)).await?;
                queue = self.evaluate(rows).await?;
                continue;
            }
            let group = take_group(&self.run, &self.memory, &mut queue);
            let (bills, claims) = self.claim_all(group, |bill| &bill.fid);
            if bills.is_empty() {
                turn.unused();
                continue;
            }
            self.memory.take(bills.iter().map(|bill| Change::Called(bill.fid.clone())));
            calls.spawn(call(Arc::clone(&self.run), bills, turn, claims));
        }
    }

    /// Waits for a turn, taking note of calls that end meanwhile.
    async fn turn(&mut self, calls: &mut Calls) -> Result<CallPermit, Stop> {
        loop {
            self.check()?;
            let one_by_one = self.memory.is_watched() || self.run.is_unproven();
            if (one_by_one || has_left_enough(&self.run, &self.memory))
                && let Some(end) = calls.join_next().await
            {
                self.ended(end).await?;
                continue;
            }
            self.confirm_if_due().await?;
            let hold = self.memory.hold().saturating_sub(self.run.shared.clock.mono());
            if !hold.is_zero() {
                // Nothing could be sent: calls in flight end first, then the wait.
                if let Some(end) = calls.join_next().await {
                    self.ended(end).await?;
                } else {
                    self.wait(hold).await?;
                }
                continue;
            }
            let env = Arc::clone(&self.run.env);
            tokio::select! {
                biased;
                _ = self.control.changed() => {}
                _ = self.failure.changed() => {}
                Some(end) = calls.join_next() => self.ended(end).await?,
                turn = env.turn() => {
                    self.check()?;
                    if let Some(turn) = turn {
                        return Ok(turn);
                    }
                }
            }
        }
    }

    async fn rows_of(&self, fids: impl Iterator<Item = Fid>) -> Result<Vec<BillRow>, Stop> {
        let mut rows = Vec::new();
        for fid in fids {
            rows.extend(self.run.shared.store.bill_of_run(self.run.head.id, &fid).await?);
        }
        rows.retain(|row| row.state.slot() == Slot::Waiting);
        Ok(rows)
    }

    async fn next_submitted(&mut self) -> Result<Option<VecDeque<Candidate>>, Stop> {
        let fids = self.memory.take_submitted();
        if fids.is_empty() {
            return Ok(None);
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
        let (now, watched) = (self.run.shared.clock.mono(), self.run.env.limits().canary);
        self.memory.call_ended(end, now, watched)
    }

    /// A bill's task died: whatever it had an intent for is unknown, and the run pauses. The process lives.
    async fn task_died(&mut self, error: &JoinError) -> Result<Stop, Stop> {
        tracing::error!(run = %self.run.head.id, %error, "a bill's task died");
        let run = self.run.head.id;
        let open = self.run.shared.store.in_flight(run).await?;
        // Others in flight have live tasks that hold their claims; the dead one dropped its own.
        let is_dead = |row: &&BillRow| self.run.env.claim(&self.run.head.form, row.fid()).is_some();
        let dead: Vec<&BillRow> = open.iter().filter(is_dead).collect();
        let changes = dead.iter().map(|row| Change::LetGo(row.fid().clone())).collect();
        let events = dead.iter().map(|row| died(run, row)).collect();
        self.take(changes, events).await?;
        Ok(Stop::Pause(PauseWhy::Stopped(Reason::TaskDied { said: Some(error.to_string()) }), None))
    }
}

/// The outcome of a bill whose task or process ended after the intent.
pub(super) fn died(run: RunId, row: &BillRow) -> Event {
    let sent = match &row.state {
        BillState::Trying { since, .. } => *since,
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
