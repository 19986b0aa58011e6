//! How a run stops: it pauses where somebody is there to mend what stopped it, and ends by itself where nobody is.
//!
//! Invariants: every bill of a run that was approved has an outcome before the run closes; a pause that a person ordered
//! stays one.

use std::sync::atomic::Ordering;
use std::time::Duration;

use skydeck_core::domain::access::Role;
use skydeck_core::domain::bill::{BillState, Outcome, Skip, Slot};
use skydeck_core::domain::event::{Event, Fact};
use skydeck_core::domain::ids::{RunId, Seq};
use skydeck_core::domain::query::RunColumn;
use skydeck_core::domain::reason::Reason;
use skydeck_core::domain::run::{BillRow, PauseWhy, RunEnd, RunKind, RunRow, RunState};
use skydeck_store::{Store, StoreError};

use super::bill_history::{BillHistory, DEPTH, Told};
use super::control::{Shared, Stop};
use super::dispatch::Claim;
use super::run_context::SETTLE_GROUP;
use super::runner::Runner;
use super::settle::Patience;
use super::status_reads::{self, ReadFault};

/// How long a run that the clock started stays paused with nobody there.
const UNATTENDED: Duration = Duration::from_secs(30 * 60);
/// How often a paused run looks whether somebody is there.
const LOOK: Duration = Duration::from_secs(15);
/// Reads that may fail before a run that ends by itself waits for no unknown bill any more.
const LAST_TRIES: u32 = 3;
/// How long beyond the server's limit such a run goes on reading unknown bills back.
const LAST_READS: Duration = Duration::from_secs(120);

/// What came of a stop.
enum Stopped {
    /// The run is closed, or left for the next start.
    Over,
    /// It is paused: what is unknown is read back meanwhile.
    Waits,
}

impl Runner {
    /// Stops the run as the reason and who is there ask for, and says so durably.
    pub(super) async fn stop(mut self, stop: Stop) {
        match self.stopped(stop).await {
            Ok(Stopped::Over) => {}
            // What is unknown does not wait for the operator to come back.
            Ok(Stopped::Waits) => self.settle_only().await,
            Err(error) => self.run.shared.ledger.show_unstored(self.run.head.id, &error),
        }
    }

    async fn stopped(&mut self, stop: Stop) -> Result<Stopped, StoreError> {
        let run = self.run.head.id;
        let (why, by, sweeps) = match stop {
            Stop::Pause(PauseWhy::Operator, by) => (PauseWhy::Operator, by.map(|by| *by), true),
            // A sign-in to another data centre is refused by the client, too: this is the reason behind its words.
            Stop::Pause(why, by) => (self.run.env.astray().map_or(why, PauseWhy::Stopped), by.map(|by| *by), true),
            Stop::Cancel => return self.cancelled().await.map(|()| Stopped::Over),
            Stop::Drain => {
                self.run.shared.ledger.append(vec![Event::RunInterrupted { run }]).await?;
                return Ok(Stopped::Over);
            }
            Stop::Store(error @ StoreError::Fenced(_)) => {
                self.run.shared.ledger.show_unstored(run, &error);
                return Ok(Stopped::Over);
            }
            // A failed store shows its own pause; a contradiction is our own fault and must be seen.
            Stop::Store(error)
                if self.run.shared.ledger.failed().is_some_and(|why| !matches!(why, StoreError::Full(_))) =>
            {
                return Err(error);
            }
            Stop::Store(error) => (PauseWhy::Store(error.reason()), None, false),
        };
        let sweep = match why.reason() {
            Some(_) if sweeps => self.run.shared.sweep_next(&self.run.head.plan, &self.run.head.env, run).await?,
            Some(_) | None => Vec::new(),
        };
        if let Some(refused @ Reason::SignInRefused { .. }) = why.reason() {
            self.run.env.hold_all(refused);
        }
        match why.reason().cloned() {
            // What is left of the disk is for outcomes: closing the run takes a fact for each bill that waits.
            Some(reason) if !self.has_somebody() && self.run.shared.ledger.failed().is_none() => {
                self.run.shared.ledger.append(sweep).await?;
                self.end_by_itself(reason).await.map(|()| Stopped::Over)
            }
            Some(_) | None => {
                let mut events = vec![Event::RunPaused { run, why, by }];
                events.extend(sweep);
                self.run.shared.ledger.append(events).await.map(|()| Stopped::Waits)
            }
        }
    }

    /// Whether somebody is there to mend what stopped the run: never where a verb put it to work, whoever looks on; with
    /// a run of the clock, whoever sits at a console and may go on with it.
    fn has_somebody(&self) -> bool {
        !self.run.headless && (!self.run.head.by.is_schedule() || self.run.shared.is_attended())
    }

    /// Settles the rest and closes the run as cancelled.
    pub(super) async fn cancelled(&mut self) -> Result<(), StoreError> {
        self.abandon(RunEnd::Cancelled).await
    }

    /// Closes the run for a reason given; bills that still wait are settled as not reached before.
    pub(super) async fn abandon(&mut self, end: RunEnd) -> Result<(), StoreError> {
        close_rest(&self.run.shared, self.run.head.id, end).await
    }

    pub(super) async fn close(&self, end: RunEnd) -> Result<(), StoreError> {
        self.run.shared.close_run(self.run.head.id, Vec::new(), end).await
    }

    /// Closes the run because it cannot go on and nobody is there. What is unknown is read back before, where the server
    /// answers.
    async fn end_by_itself(&mut self, why: Reason) -> Result<(), StoreError> {
        self.run.reads_only.store(true, Ordering::SeqCst);
        match self.settle_at_last().await {
            // The process ends meanwhile: what is unknown stays so, and the run is closed all the same.
            Ok(()) | Err(Stop::Drain | Stop::Pause(..)) => self.abandon(RunEnd::Stopped(why)).await,
            Err(Stop::Cancel) => self.cancelled().await,
            Err(Stop::Store(error)) => Err(error),
        }
    }

    async fn settle_at_last(&mut self) -> Result<(), Stop> {
        // What a verify run asks for stays unknown in the ledger.
        if self.run.head.kind == RunKind::Verify || !self.has_settleable().await? {
            return Ok(());
        }
        if self.run.shared.state(self.run.head.id) != Some(RunState::Settling) {
            self.run.append(vec![Event::RunSettling { run: self.run.head.id }]).await?;
        }
        if !self.server_answers().await? {
            return Ok(());
        }
        let until = self.run.shared.clock.mono() + self.run.env.limits().settle + LAST_READS;
        self.settle(Patience::Until(until)).await
    }

    /// Whether waiting for the server's limit is of any use: a server that refuses us, or cannot be reached, will not tell
    /// then either.
    async fn server_answers(&mut self) -> Result<bool, Stop> {
        let run = self.run.head.id;
        let rows = self.run.shared.store.bills_in(RunColumn { run, slot: Slot::Unknown }, None, 1).await?;
        let fids: Vec<_> = rows.iter().map(|row| row.fid().clone()).collect();
        for n in 0..LAST_TRIES {
            self.check()?;
            let read = self.run.read(&fids).await;
            let Err(fault) = read else { return Ok(true) };
            if status_reads::on_fault(&fault, &self.run.shared.causes) != ReadFault::Again {
                return Ok(false);
            }
            if n + 1 < LAST_TRIES {
                self.wait(status_reads::pause_before(&fault, n)).await?;
            }
        }
        Ok(false)
    }

    /// Only settles what is unknown (after a restart, or while paused); closes the run when nothing is left to do in it, or
    /// when nobody comes back to one that the clock had started.
    pub async fn settle_only(mut self) {
        self.run.reads_only.store(true, Ordering::SeqCst);
        let run = self.run.head.id;
        let confirmed = match self.take_up_unconfirmed().await {
            Ok(()) => self.confirm_rest(Ok(())).await,
            Err(stop) => Err(stop),
        };
        let end = match confirmed {
            Err(Stop::Pause(PauseWhy::Stopped(why @ Reason::SuccessWithoutEffect { .. }), _)) => RunEnd::Stopped(why),
            Ok(()) | Err(_) => RunEnd::Completed,
        };
        let ended = self.settle(Patience::Long).await;
        let left = match ended {
            Ok(()) => self
                .run
                .shared
                .store
                .bills_in(RunColumn { run, slot: Slot::Waiting }, None, 1)
                .await
                .map_err(Stop::Store),
            Err(stop) => Err(stop),
        };
        let result = match left {
            Ok(waiting) if waiting.is_empty() && self.run.shared.state(run) == Some(RunState::Interrupted) => {
                self.close(end).await
            }
            Ok(_) => self.left_alone().await,
            Err(Stop::Cancel) => self.cancelled().await,
            Err(Stop::Pause(..) | Stop::Drain | Stop::Store(_)) => Ok(()),
        };
        if let Err(error) = result {
            self.run.shared.ledger.show_unstored(run, &error);
        }
    }

    /// A run of the clock that paused by itself closes once nobody was there for [`UNATTENDED`].
    async fn left_alone(&mut self) -> Result<(), StoreError> {
        let Some(RunState::Paused(paused)) = self.run.shared.state(self.run.head.id) else { return Ok(()) };
        let Some(why) = paused.reason().filter(|_| self.run.head.by.is_schedule()) else { return Ok(()) };
        let mut since = self.run.shared.clock.mono();
        loop {
            let now = self.run.shared.clock.mono();
            if self.run.shared.is_attended() {
                since = now;
            } else if now.saturating_sub(since) >= UNATTENDED {
                let minutes = (UNATTENDED.as_secs() / 60) as u32;
                let why = Reason::Unattended { minutes, why: Some(Box::new(why.clone())) };
                return self.abandon(RunEnd::Stopped(why)).await;
            }
            match self.wait(LOOK).await {
                Ok(()) => {}
                Err(Stop::Cancel) => return self.cancelled().await,
                Err(Stop::Pause(..) | Stop::Drain | Stop::Store(_)) => return Ok(()),
            }
        }
    }
}

impl Shared {
    /// Whether somebody sits at a console who may go on with a run.
    fn is_attended(&self) -> bool {
        self.ledger.has_console(|who| self.access.role(who.uid).is_some_and(|role| role >= Role::Operator))
    }
}

/// Whether a run's outcomes are told: it was approved, or it only reads.
pub(super) fn is_told(row: &RunRow) -> bool {
    match &row.state {
        RunState::Collecting | RunState::AwaitingApproval => row.head.kind == RunKind::Verify,
        RunState::Working | RunState::Settling | RunState::Paused(_) | RunState::Interrupted | RunState::Closed(_) => {
            true
        }
    }
}

/// Settles the bills of a run that still wait, then closes it. A run that nobody approved tells nothing of its bills.
pub(super) async fn close_rest(shared: &Shared, run: RunId, end: RunEnd) -> Result<(), StoreError> {
    if shared.store.run(run).await?.is_some_and(|row| !is_told(&row)) {
        return shared.close_run(run, Vec::new(), end).await;
    }
    loop {
        let rows = shared.store.bills_in(RunColumn { run, slot: Slot::Waiting }, None, SETTLE_GROUP).await?;
        if rows.is_empty() {
            return shared.close_run(run, Vec::new(), end).await;
        }
        // Held until it is told: no other run adds to a bill's past meanwhile.
        let held: Vec<Claim> = rows.iter().filter_map(|row| shared.claim(row.record())).collect();
        let mut events = Vec::with_capacity(rows.len());
        for row in &rows {
            events.push(last_word(shared.store.as_ref(), run, row).await?);
        }
        shared.ledger.append(events).await?;
        drop(held);
    }
}

/// What is told of a bill that still waits when its run closes: what another run did meanwhile stays done, a refusal stays
/// the last word where nobody had the bill in hand since, and any other bill was not reached.
async fn last_word(store: &dyn Store, run: RunId, row: &BillRow) -> Result<Event, StoreError> {
    let past = BillHistory::of(store, &row.key, run).await?;
    let not_reached = Outcome::Skipped(Skip::NotReached);
    let was_there = match &past.since {
        Some(told) => is_there(store, told).await? && was_found_before(store, run, row, told.at).await?,
        None => false,
    };
    let outcome = match (&past.since, &row.state) {
        (Some(told), _) if was_there => match &told.outcome {
            Outcome::Already { by, on } => Outcome::Already { by: by.clone(), on: on.clone() },
            Outcome::Done { .. } | Outcome::Skipped(_) | Outcome::Failed(_) | Outcome::Unknown(_) => {
                Outcome::Already { by: None, on: None }
            }
        },
        (None, BillState::RetryAt { failure: Some(failure), .. }) if !past.others_call => {
            Outcome::Failed((**failure).clone())
        }
        (
            Some(_) | None,
            BillState::RetryAt { .. } | BillState::Waiting | BillState::Trying { .. } | BillState::Settled(_),
        ) => not_reached,
    };
    let (fid, no, was) = (row.fid().clone(), row.no.clone(), row.state.slot());
    Ok(Event::BillSettled { run, fid, no, was, outcome })
}

/// Whether what another run told is known by a look. An answer alone is read back before that run closes, unless it is given
/// up: until then it may still be taken back.
async fn is_there(store: &dyn Store, told: &Told) -> Result<bool, StoreError> {
    Ok(match told.outcome {
        Outcome::Already { .. } | Outcome::Done { verified: true } => true,
        Outcome::Done { verified: false } => {
            let state = store.run(told.run).await?.map(|row| row.state);
            matches!(state, Some(RunState::Closed(RunEnd::Completed | RunEnd::Stopped(_))))
        }
        Outcome::Skipped(_) | Outcome::Failed(_) | Outcome::Unknown(_) => false,
    })
}

/// Whether the run had found the bill before something was told of it: what was told earlier is known to its query.
async fn was_found_before(store: &dyn Store, run: RunId, row: &BillRow, told: Seq) -> Result<bool, StoreError> {
    let (facts, _) = store.facts_of(&row.key, DEPTH).await?;
    let found = |fact: &Fact| matches!(&fact.event, Event::BillsFound { run: of, .. } if *of == run);
    Ok(facts.iter().filter(|fact| found(fact)).all(|fact| fact.seq < told))
}
