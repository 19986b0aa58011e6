//! What is going on now, as a fold of facts. Two readers that saw the same facts hold the same `Live`.
//!
//! Invariant: bounded by the number of open runs and calls in flight, never by the number of bills.

use std::collections::{BTreeMap, VecDeque};

use serde::{Deserialize, Serialize};

use super::bill::{Outcome, Slot};
use super::cause::Cause;
use super::event::{Event, Fact};
use super::forecast::Due;
use super::ids::{EnvId, Fid, PlanId, RunId, Seq};
use super::reason::Reason;
use super::run::{Mark, RunHead, RunRow, RunState, Tally};
use super::step::Step;
use super::time::Ts;
use super::transition::{BillChange, Change, transition};
use super::who::Who;

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

    fn opened(head: &RunHead) -> Self {
        Self::from_row(RunRow {
            head: head.without_text(),
            state: RunState::Collecting,
            tally: Tally::default(),
            collected: None,
            closed: None,
            flags: Vec::new(),
            consent: None,
            pruned: 0,
            op_unknown: false,
            labels: Vec::new(),
        })
    }

    /// Takes a fact of this run. `Err`: its sum does not close.
    fn take(&mut self, fact: &Fact, change: Change<'_>) -> Result<(), String> {
        self.keep(&fact.event);
        match change {
            Change::Opened(_) | Change::Nothing | Change::Resolved { .. } | Change::Reopened { .. } => return Ok(()),
            Change::NotUnderstood(_) => {
                self.later = true;
                return Ok(());
            }
            Change::Found { bills, .. } => self.row.tally.add_found(bills.len() as u64),
            Change::Run { to, approves, .. } => self.enter(to, approves, fact.at),
            Change::Bill { fid, change, .. } => self.take_bill(fid, &change, fact.at)?,
            Change::Gone { gone, .. } => {
                self.row.tally.add(gone);
                self.row.pruned = self.row.pruned.saturating_add(gone.found);
            }
        }
        if self.row.tally.closes() {
            Ok(())
        } else {
            Err(format!("the sum of run {} does not close: {:?}", self.row.head.id, self.row.tally))
        }
    }

    /// What a fact carries besides: it stands in the run's row.
    fn keep(&mut self, event: &Event) {
        match event {
            Event::RunCollected { collected, .. } => self.row.collected = Some(collected.clone()),
            Event::RunApproved { flags, .. } => self.row.flags.clone_from(flags),
            Event::RunConsented { consent, .. } => self.row.consent = Some(consent.clone()),
            _ => {}
        }
    }

    fn enter(&mut self, state: RunState, approves: bool, at: Ts) {
        match &state {
            RunState::Collecting
            | RunState::AwaitingApproval
            | RunState::Working
            | RunState::Settling
            | RunState::Paused(_) => {}
            RunState::Interrupted => self.forget_calls(),
            RunState::Closed(_) => {
                self.forget_calls();
                self.row.closed = Some(at);
            }
        }
        if approves {
            self.approved = Some(at);
        }
        self.row.state = state;
    }

    fn forget_calls(&mut self) {
        self.in_flight.clear();
        self.answered.clear();
        self.deferred.clear();
    }

    fn take_bill(&mut self, fid: &Fid, change: &BillChange<'_>, at: Ts) -> Result<(), String> {
        match change {
            BillChange::Tried { no, step, attempt, .. } => {
                self.deferred.remove(fid);
                let call = InFlight { no: (*no).to_owned(), step: *step, attempt: *attempt, since: at };
                self.in_flight.insert(fid.clone(), call);
            }
            BillChange::Answered { ms, .. } => {
                self.in_flight.remove(fid);
                self.answered.insert(fid.clone(), *ms);
                self.latencies.push_back(*ms);
                while self.latencies.len() > LATENCIES {
                    self.latencies.pop_front();
                }
            }
            BillChange::Read { .. } => {}
            BillChange::Deferred { no, until, cause, .. } => {
                self.in_flight.remove(fid);
                self.answered.remove(fid);
                if self.deferred.len() < DEFERRED {
                    let due = Deferred { no: (*no).to_owned(), until: *until, cause: (*cause).clone() };
                    self.deferred.insert(fid.clone(), due);
                }
            }
            BillChange::Settled { no, outcome, .. } => {
                self.in_flight.remove(fid);
                self.deferred.remove(fid);
                let ms = self.answered.remove(fid);
                self.settled(at, fid, no, outcome, ms);
            }
        }
        let Some((from, to)) = change.moves() else { return Ok(()) };
        self.row.tally.shift(from, to).map_err(|e| e.to_string())
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
    /// The state at a place, as the rows of its runs tell it: what goes on in them is known from the facts that follow.
    pub fn at(seq: Seq, rows: impl IntoIterator<Item = RunRow>) -> Self {
        let runs = rows.into_iter().map(|row| (row.head.id, RunLive::from_row(row))).collect();
        Self { seq, runs, ..Self::default() }
    }

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
        if let Event::MarkMoved { plan, env, to } = &fact.event {
            self.marks.retain(|(p, e, _)| p != plan || e != env);
            self.marks.push((plan.clone(), env.clone(), to.clone()));
            return;
        }
        let change = transition(&fact.event);
        if let Change::Opened(head) = change {
            self.runs.insert(head.id, RunLive::opened(head));
            self.forget_old();
            return;
        }
        let Some(run) = fact.event.run().and_then(|id| self.runs.get_mut(&id)) else { return };
        // What came after a fact that is not understood may rest on it.
        if run.later {
            return;
        }
        if let Err(fault) = run.take(fact, change) {
            self.faults.push(fault);
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

/// Facts that are not facts: pace, session and breaker as they stand, sent a few times a second while something runs.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Pulse {
    /// Per environment.
    pub envs: Vec<EnvPulse>,
    /// When the calls of runs are done, of those where that is known.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub due: Vec<Due>,
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
    /// Who unlocked it: the unlock counts for every console, and ends with the one that asked for it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unlocked_by: Option<Who>,
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
            Self::CallLimit => "超过调用频率限制".to_owned(),
        }
    }
}
