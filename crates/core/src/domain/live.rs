//! What is going on now, as a fold of facts. Two readers that saw the same facts hold the same `Live`.
//!
//! Invariant: bounded by the number of open runs and calls in flight, never by the number of bills.

use std::collections::{BTreeMap, VecDeque};

use serde::{Deserialize, Serialize};

use super::bill::{BillState, Outcome, Slot};
use super::cause::Cause;
use super::event::{Event, Fact};
use super::ids::{EnvId, Fid, PlanId, RunId, Seq};
use super::reason::Reason;
use super::run::{Mark, RunRow, RunState, Tally};
use super::step::Step;
use super::time::Ts;

/// Settled bills kept for the live queue, newest first.
pub const RECENT: usize = 200;
/// Deferred bills kept for the live queue.
const DEFERRED: usize = 200;
/// Closed runs kept.
const CLOSED: usize = 8;
/// Durations kept for the latency line.
const LATENCIES: usize = 120;
/// Seconds of settled counts kept for the rate.
const RATE_SECONDS: usize = 120;

/// The present state.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Live {
    /// Last fact applied.
    pub seq: Seq,
    /// Open runs, and the last few closed ones, by id.
    pub runs: BTreeMap<RunId, RunLive>,
    /// Marks that moved since the start of this fold.
    pub marks: Vec<(PlanId, EnvId, Mark)>,
    /// Faults of the fold itself (a sum that would not close): shown loudly, never hidden.
    pub faults: Vec<String>,
}

/// One run, live.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RunLive {
    /// Head, state and sum line.
    pub row: RunRow,
    /// Calls in flight.
    pub in_flight: BTreeMap<Fid, InFlight>,
    /// Bills waiting to be repeated.
    pub deferred: BTreeMap<Fid, Deferred>,
    /// Answered calls whose bill is not settled yet: milliseconds each took.
    pub answered: BTreeMap<Fid, u32>,
    /// Bills settled last, newest first.
    pub recent: VecDeque<Recent>,
    /// Milliseconds of the last calls, oldest first.
    pub latencies: VecDeque<u32>,
    /// (second, bills settled by a call in it), oldest first.
    pub rate: VecDeque<(i64, u32)>,
    /// When writing began.
    pub approved: Option<Ts>,
    /// A fact of it is of a newer program: what is shown is how it stood before that fact.
    #[serde(default)]
    pub later: bool,
}

/// A call in flight.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct InFlight {
    /// Bill number.
    pub no: String,
    /// Step.
    pub step: Step,
    /// Attempt.
    pub attempt: u32,
    /// Since when.
    pub since: Ts,
}

/// A bill due again later.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Deferred {
    /// Bill number.
    pub no: String,
    /// When.
    pub until: Ts,
    /// Why.
    pub cause: Cause,
}

/// A bill settled a moment ago.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Recent {
    /// Bill.
    pub fid: Fid,
    /// Bill number.
    pub no: String,
    /// Outcome.
    pub outcome: Outcome,
    /// When.
    pub at: Ts,
    /// Milliseconds its last call took, if one was made.
    pub ms: Option<u32>,
}

impl RunLive {
    /// A run seen from its row alone (found in the store when a reader attaches).
    pub fn from_row(row: RunRow) -> Self {
        Self {
            row,
            in_flight: BTreeMap::new(),
            deferred: BTreeMap::new(),
            answered: BTreeMap::new(),
            recent: VecDeque::new(),
            latencies: VecDeque::new(),
            rate: VecDeque::new(),
            approved: None,
            later: false,
        }
    }

    /// The sum line.
    pub fn tally(&self) -> &Tally {
        &self.row.tally
    }

    /// Bills settled by a call a second over the last `window` seconds before `now`.
    pub fn per_second(&self, now: Ts, window: i64) -> f64 {
        let from = now.0 / 1000 - window;
        let n: u32 = self.rate.iter().filter(|(s, _)| *s > from).map(|(_, n)| *n).sum();
        let began = self.approved.map_or(0, |at| at.0 / 1000);
        let span = window.min((now.0 / 1000 - began).max(1));
        f64::from(n) / span as f64
    }

    /// Nothing can be told any more of the calls in flight: their bills are unknown, and the next start says so durably.
    pub fn calls_are_lost(&mut self) {
        for _ in 0..self.in_flight.len() {
            // A bill with a call in flight stands among those that wait; were it not, the sum would stay as it was.
            let _ = self.row.tally.shift(Slot::Waiting, Slot::Unknown);
        }
        self.in_flight.clear();
    }

    fn settled(&mut self, at: Ts, fid: &Fid, no: &str, outcome: &Outcome, ms: Option<u32>) {
        self.recent.retain(|r| r.fid != *fid);
        self.recent.push_front(Recent { fid: fid.clone(), no: no.to_owned(), outcome: outcome.clone(), at, ms });
        self.recent.truncate(RECENT);
        // What needed no call says nothing about how fast calls go.
        if ms.is_none() {
            return;
        }
        let second = at.0 / 1000;
        match self.rate.back_mut() {
            Some((s, n)) if *s == second => *n = n.saturating_add(1),
            _ => self.rate.push_back((second, 1)),
        }
        while self.rate.len() > RATE_SECONDS {
            self.rate.pop_front();
        }
    }
}

impl Live {
    /// The run that is open for a plan, if any.
    pub fn open_run_of(&self, plan: &PlanId) -> Option<&RunLive> {
        self.runs.values().rev().find(|r| r.row.head.plan == *plan && !r.row.state.is_closed())
    }

    /// Open runs, newest first.
    pub fn open(&self) -> impl Iterator<Item = &RunLive> {
        self.runs.values().rev().filter(|r| !r.row.state.is_closed())
    }

    /// Applies one fact. Facts at or below [`Live::seq`] are ignored, so overlap does no harm.
    pub fn apply(&mut self, fact: &Fact) {
        if fact.seq <= self.seq && self.seq != Seq(0) {
            return;
        }
        self.seq = fact.seq;
        let at = fact.at;
        match &fact.event {
            Event::RunOpened(head) => {
                let row = RunRow {
                    head: head.without_text(),
                    state: RunState::Collecting,
                    tally: Tally::default(),
                    collected: None,
                    closed: None,
                    flags: Vec::new(),
                    consent: None,
                    pruned: 0,
                    op_unknown: false,
                };
                self.runs.insert(head.id, RunLive::from_row(row));
                self.forget_old();
            }
            Event::MarkMoved { plan, env, to } => {
                self.marks.retain(|(p, e, _)| p != plan || e != env);
                self.marks.push((plan.clone(), env.clone(), to.clone()));
            }
            Event::LedgerResolved { .. }
            | Event::LedgerReopened { .. }
            | Event::ServerBound(_)
            | Event::Pruned(_)
            | Event::LogWitnessed(_)
            | Event::Forgotten
            | Event::ActionTaken(_)
            | Event::BillRead { .. } => {}
            Event::Later(later) => {
                if let (false, Some(run)) = (later.neutral, later.run.and_then(|id| self.runs.get_mut(&id))) {
                    run.later = true;
                }
            }
            event => {
                let Some(run) = event.run().and_then(|id| self.runs.get_mut(&id)) else { return };
                // What came after a fact that is not understood may rest on it.
                if run.later {
                    return;
                }
                if let Err(fault) = apply_to_run(run, at, event) {
                    self.faults.push(fault);
                }
            }
        }
    }

    fn forget_old(&mut self) {
        let closed: Vec<RunId> =
            self.runs.values().filter(|r| r.row.state.is_closed()).map(|r| r.row.head.id).collect();
        for id in closed.iter().take(closed.len().saturating_sub(CLOSED)) {
            self.runs.remove(id);
        }
    }
}

fn apply_to_run(run: &mut RunLive, at: Ts, event: &Event) -> Result<(), String> {
    match event {
        Event::BillsFound { bills, .. } => run.row.tally.add_found(bills.len() as u64),
        Event::RunCollected { collected, .. } => {
            run.row.collected = Some(collected.clone());
            run.row.state = RunState::AwaitingApproval;
        }
        Event::RunApproved { flags, .. } => {
            run.row.flags.clone_from(flags);
            run.row.state = RunState::Working;
            run.approved = Some(at);
        }
        Event::RunConsented { consent, .. } => run.row.consent = Some(consent.clone()),
        Event::StepTried { fid, no, step, attempt, .. } => {
            run.deferred.remove(fid);
            run.in_flight.insert(fid.clone(), InFlight { no: no.clone(), step: *step, attempt: *attempt, since: at });
        }
        Event::StepAnswered { fid, ms, .. } => {
            run.in_flight.remove(fid);
            run.answered.insert(fid.clone(), *ms);
            run.latencies.push_back(*ms);
            while run.latencies.len() > LATENCIES {
                run.latencies.pop_front();
            }
        }
        Event::BillDeferred { fid, no, until, cause, was, .. } => {
            run.in_flight.remove(fid);
            run.answered.remove(fid);
            if run.deferred.len() < DEFERRED {
                run.deferred.insert(fid.clone(), Deferred { no: no.clone(), until: *until, cause: cause.clone() });
            }
            if *was != Slot::Waiting {
                run.row.tally.shift(*was, Slot::Waiting).map_err(|e| e.to_string())?;
            }
        }
        Event::BillSettled { fid, no, was, outcome, .. } => {
            run.in_flight.remove(fid);
            run.deferred.remove(fid);
            let ms = run.answered.remove(fid);
            run.settled(at, fid, no, outcome, ms);
            run.row.tally.shift(*was, outcome.slot()).map_err(|e| e.to_string())?;
        }
        Event::RunPaused { why, .. } => run.row.state = RunState::Paused(why.clone()),
        Event::RunResumed { .. } => run.row.state = RunState::Working,
        Event::RunSettling { .. } => run.row.state = RunState::Settling,
        Event::RunInterrupted { .. } => {
            run.in_flight.clear();
            run.answered.clear();
            run.deferred.clear();
            run.row.state = RunState::Interrupted;
        }
        Event::RunClosed { end, .. } => {
            run.in_flight.clear();
            run.answered.clear();
            run.deferred.clear();
            run.row.state = RunState::Closed(end.clone());
            run.row.closed = Some(at);
        }
        Event::RunPruned { gone, .. } => {
            run.row.tally.add(gone);
            run.row.pruned = run.row.pruned.saturating_add(gone.found);
        }
        Event::RunOpened(_)
        | Event::MarkMoved { .. }
        | Event::BillRead { .. }
        | Event::LedgerResolved { .. }
        | Event::LedgerReopened { .. }
        | Event::ServerBound(_)
        | Event::Pruned(_)
        | Event::LogWitnessed(_)
        | Event::Forgotten
        | Event::Later(_)
        | Event::ActionTaken(_) => {}
    }
    if run.row.tally.closes() {
        Ok(())
    } else {
        Err(format!("the sum of run {} does not close: {:?}", run.row.head.id, run.row.tally))
    }
}

/// The state a bill is in after an event about it; used by stores and tests so that all fold alike.
pub fn state_after(event: &Event, at: Ts) -> Option<BillState> {
    match event {
        Event::StepTried { step, attempt, .. } => Some(BillState::Trying { step: *step, attempt: *attempt, since: at }),
        Event::BillDeferred { until, cause, failure, .. } => {
            Some(BillState::RetryAt { at: *until, cause: cause.clone(), failure: failure.clone() })
        }
        Event::BillSettled { outcome, .. } => Some(BillState::Settled(outcome.clone())),
        _ => None,
    }
}

/// Facts that are not facts: pace, session and breaker as they stand, sent a few times a second while something runs.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Pulse {
    /// Per environment.
    pub envs: Vec<EnvPulse>,
    /// Our wall time when it was taken.
    pub at: Ts,
}

/// One environment's pulse.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct EnvPulse {
    /// Environment.
    pub env: EnvId,
    /// Calls a minute allowed now (after back-pressure).
    pub per_minute: u32,
    /// Why that is less than configured, if it is.
    #[serde(default)]
    pub slowed: Option<Slowed>,
    /// Calls in flight allowed.
    pub concurrency: u32,
    /// Why the breaker is open, if it is.
    pub breaker: Option<Reason>,
    /// What the session is, in words: signed headers, signed in since, lost.
    pub session: String,
    /// Until when writing is unlocked in a read-only environment.
    pub unlocked_until: Option<Ts>,
    /// Seconds that the ERP's clock is ahead of ours, where its answers tell.
    #[serde(default)]
    pub ahead: Option<i64>,
}

/// A pace below the configured one, because the ERP asked for it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Slowed {
    /// What it answered.
    pub why: SlowWhy,
    /// Calls a minute that are configured.
    pub configured: u32,
    /// Until when no call leaves.
    pub held: Ts,
    /// When the configured pace is back, unless it asks again.
    pub full: Ts,
}

/// How the ERP asks to slow down.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SlowWhy {
    /// An HTTP status: 429, or 503 with a time to wait.
    Http(u16),
    /// Its own limit of calls.
    CallLimit,
}

impl SlowWhy {
    /// In English.
    pub fn en(self) -> String {
        match self {
            Self::Http(code) => format!("HTTP {code}"),
            Self::CallLimit => "its call limit".to_owned(),
        }
    }

    /// In Chinese.
    pub fn zh(self) -> String {
        match self {
            Self::Http(code) => format!("HTTP {code}"),
            Self::CallLimit => "调用限制".to_owned(),
        }
    }
}
