//! What is worth waking somebody for: facts in, messages out, the time given.
//!
//! Invariants: nothing is told that a later automatic try may still mend; the same of the same plan is told at most once in
//! the quiet time, and what was held back is told at its end.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::time::Duration;

use serde::Serialize;

use crate::domain::event::{Event, Fact};
use crate::domain::ids::{EnvId, OpId, PlanId, RunId};
use crate::domain::live::{Live, RunLive};
use crate::domain::operation_words;
use crate::domain::reason::Reason;
use crate::domain::run::{PauseWhy, RunEnd, RunKind, RunRow, RunState, Tally};
use crate::domain::time::Ts;

/// What happened to a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum What {
    /// It ended and left failed or unknown bills.
    Left,
    /// Its query failed.
    CollectFailed,
    /// It stopped by itself.
    Stopped,
    /// Its process ended in the middle.
    Interrupted,
    /// Started by the clock, it waits for a person.
    Waits,
    /// Bills are unknown for long.
    UnknownLong,
}

/// One thing to tell.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Item {
    /// What.
    pub what: What,
    /// Plan.
    pub plan: PlanId,
    /// Plan's label.
    pub name: String,
    /// Environment.
    pub env: EnvId,
    /// Whether that is production.
    pub production: bool,
    /// Run.
    pub run: RunId,
    /// Sum line.
    pub sum: Tally,
    /// What it does to its bills; told by name.
    #[serde(rename = "operation", serialize_with = "by_name")]
    pub op: OpId,
    /// The reason in English; not made safe yet.
    pub detail: String,
    /// The reason for programs.
    pub reason: Option<String>,
    /// What stands beside it.
    pub reason_args: Option<serde_json::Value>,
    /// The run is over: it cannot be resumed.
    pub ended: bool,
    /// Nobody approved it: nothing is told of its bills.
    pub untold: bool,
    /// It ended by itself or could not read its bills, and nobody at a console had started it.
    #[serde(skip)]
    pub unseen: bool,
    /// Since when the plan's runs have ended so, one after the other.
    #[serde(rename = "since_ms", skip_serializing_if = "Option::is_none")]
    pub since: Option<Ts>,
    /// The reason itself, for words.
    #[serde(skip)]
    pub why: Option<Reason>,
    /// When, our wall time.
    pub at: Ts,
    /// How often the same happened since it was told last, this time included.
    pub times: u32,
}

fn by_name<S: serde::Serializer>(op: &OpId, s: S) -> Result<S::Ok, S::Error> {
    s.serialize_str(operation_words::name(op))
}

impl Item {
    /// What the same thing is called on every machine.
    pub fn key(&self) -> String {
        format!("{:?} {} {}", self.what, self.run, self.sum.unknown > 0)
    }
}

type Key = (PlanId, EnvId, What, bool);

/// Times.
#[derive(Clone, Copy, Debug)]
pub struct Times {
    /// What happens within this time goes into one message.
    pub merge: Duration,
    /// The same is not told again sooner.
    pub quiet: Duration,
    /// How long a bill may be unknown.
    pub unknown_after: Duration,
}

/// The watchman.
pub struct Watchman {
    times: Times,
    live: Live,
    pending: BTreeMap<Key, (Item, Ts)>,
    told: HashMap<Key, Ts>,
    unknown_since: HashMap<RunId, Ts>,
    long_told: HashSet<RunId>,
    /// Plans whose runs nobody sees end by themselves one after the other, with the reason that was told: told once, until a
    /// run goes through, somebody starts one, or the reason is another one.
    standing: HashMap<(PlanId, EnvId), String>,
}

impl Watchman {
    /// Begins with the state as it is: what happened before is not told again, but what stands unmended is.
    pub fn new(times: Times, live: Live, now: Ts) -> Self {
        let mut watchman = Self {
            times,
            live: Live::default(),
            pending: BTreeMap::new(),
            told: HashMap::new(),
            unknown_since: HashMap::new(),
            long_told: HashSet::new(),
            standing: HashMap::new(),
        };
        let open: Vec<Item> = live.open().filter_map(|run| of_state(&run.row, now)).collect();
        watchman.live = live;
        for item in open {
            watchman.add(item, now);
        }
        watchman.count_unknown(now);
        watchman
    }

    /// The state as far as facts told.
    pub fn live(&self) -> &Live {
        &self.live
    }

    /// The state anew, after falling behind: what changed meanwhile is told, ended runs too, and nothing else. `ended`: runs
    /// that ended and are no longer in it.
    pub fn resync(&mut self, live: Live, ended: &[RunRow], now: Ts) {
        for item in ended.iter().filter_map(|row| of_state(row, row.closed.unwrap_or(now))) {
            self.add(item, now);
        }
        let old = std::mem::replace(&mut self.live, live);
        let same = |run: &RunLive| old.runs.get(&run.row.head.id).is_some_and(|was| was.row.state == run.row.state);
        let changed: Vec<Item> =
            self.live.runs.values().filter(|run| !same(run)).filter_map(|run| of_state(&run.row, now)).collect();
        for item in changed {
            self.add(item, now);
        }
        self.count_unknown(now);
    }

    /// Takes facts in.
    pub fn facts(&mut self, facts: &[Fact], now: Ts) {
        for fact in facts {
            self.live.apply(fact);
            let Some(run) = fact.event.run() else { continue };
            self.see_mended(run, &fact.event);
            let changes = matches!(
                fact.event,
                Event::RunClosed { .. }
                    | Event::RunPaused { .. }
                    | Event::RunInterrupted { .. }
                    | Event::RunCollected { .. }
            );
            if changes && let Some(item) = self.live.runs.get(&run).and_then(|run| of_state(&run.row, fact.at)) {
                self.add(item, now);
            }
            // Somebody is there after all.
            if matches!(fact.event, Event::RunApproved { .. } | Event::RunResumed { .. }) {
                self.pending.retain(|_, (item, _)| item.run != run);
            }
        }
        self.count_unknown(now);
    }

    fn see_mended(&mut self, run: RunId, event: &Event) {
        let Some(head) = self.live.runs.get(&run).map(|run| &run.row.head) else { return };
        let mended = match event {
            Event::RunOpened(head) => head.is_attended(),
            Event::RunClosed { end: RunEnd::Completed | RunEnd::Empty | RunEnd::Collected, .. } => {
                head.kind != RunKind::Verify
            }
            _ => false,
        };
        if mended {
            self.standing.remove(&(head.plan.clone(), head.env.clone()));
        }
    }

    /// Whether the same was told already and stands.
    fn stands(&mut self, item: &Item) -> bool {
        if !item.unseen {
            return false;
        }
        let reason = item.reason.clone().unwrap_or_default();
        let before = self.standing.insert((item.plan.clone(), item.env.clone()), reason);
        before.is_some() && before == item.reason
    }

    fn add(&mut self, item: Item, now: Ts) {
        let key = (item.plan.clone(), item.env.clone(), item.what, item.sum.unknown > 0);
        if self.stands(&item) && !self.pending.contains_key(&key) {
            return;
        }
        let soon = now.plus(self.times.merge);
        let due = self.told.get(&key).map_or(soon, |told| told.plus(self.times.quiet).max(soon));
        match self.pending.get_mut(&key) {
            Some((held, _)) => *held = Item { times: held.times.saturating_add(1), ..item },
            None => {
                self.pending.insert(key, (item, due));
            }
        }
    }

    fn count_unknown(&mut self, now: Ts) {
        let unknown = |run: &RunLive| !run.row.state.is_closed() && run.tally().unknown > 0;
        let live = &self.live;
        self.unknown_since.retain(|id, _| live.runs.get(id).is_some_and(unknown));
        self.long_told.retain(|id| self.unknown_since.contains_key(id));
        for (id, _) in live.runs.iter().filter(|(_, run)| unknown(run)) {
            self.unknown_since.entry(*id).or_insert(now);
        }
    }

    /// What is due now, in one message; empty when nothing is.
    pub fn due(&mut self, now: Ts) -> Vec<Item> {
        let late: Vec<RunId> = self
            .unknown_since
            .iter()
            .filter(|(id, since)| now.since(**since) >= self.times.unknown_after && !self.long_told.contains(id))
            .map(|(id, _)| *id)
            .collect();
        for id in late {
            self.long_told.insert(id);
            if let Some(run) = self.live.runs.get(&id) {
                let item = item(&run.row, What::UnknownLong, None, now);
                self.add(item, now);
            }
        }
        if !self.pending.values().any(|(_, due)| *due <= now) {
            return Vec::new();
        }
        // What would be told within the merge time anyway goes along.
        let along = now.plus(self.times.merge);
        let (go, stay) = std::mem::take(&mut self.pending).into_iter().partition(|(_, (_, due))| *due <= along);
        self.pending = stay;
        let go: BTreeMap<Key, (Item, Ts)> = go;
        self.told.retain(|_, told| now.since(*told) < self.times.quiet);
        for key in go.keys() {
            self.told.insert(key.clone(), now);
        }
        go.into_values().map(|(item, _)| item).collect()
    }

    /// Everything that waits, due or not: the process ends.
    pub fn rest(&mut self) -> Vec<Item> {
        std::mem::take(&mut self.pending).into_values().map(|(item, _)| item).collect()
    }

    /// How long nothing can become due by time alone; `None`: for ever.
    pub fn idle_for(&self, now: Ts) -> Option<Duration> {
        let told = self.pending.values().map(|(_, due)| due.since(now));
        let late = self
            .unknown_since
            .iter()
            .filter(|(id, _)| !self.long_told.contains(id))
            .map(|(_, since)| since.plus(self.times.unknown_after).since(now));
        told.chain(late).min()
    }
}

/// What the state a run is in now is worth.
fn of_state(row: &RunRow, at: Ts) -> Option<Item> {
    let by_clock = row.head.by.is_schedule();
    let (what, why) = match &row.state {
        RunState::Closed(RunEnd::CollectFailed(why)) => (What::CollectFailed, Some(why)),
        RunState::Closed(RunEnd::Declined) | RunState::Paused(PauseWhy::Operator) => return None,
        RunState::Closed(RunEnd::Stopped(why)) => (What::Stopped, Some(why)),
        RunState::Closed(_) if row.head.kind != RunKind::Verify && row.tally.failed + row.tally.unknown > 0 => {
            (What::Left, None)
        }
        RunState::Paused(why) => (What::Stopped, why.reason()),
        RunState::Interrupted => (What::Interrupted, None),
        // A set of which nothing is called waits for nobody.
        RunState::AwaitingApproval if by_clock && !row.head.op.collects() => (What::Waits, None),
        _ => return None,
    };
    Some(item(row, what, why, at))
}

fn item(row: &RunRow, what: What, why: Option<&Reason>, at: Ts) -> Item {
    let head = &row.head;
    Item {
        what,
        plan: head.plan.clone(),
        name: head.name.clone(),
        env: head.env.clone(),
        production: head.production,
        run: head.id,
        sum: row.tally,
        op: head.op.clone(),
        detail: why.map(Reason::en).unwrap_or_default(),
        reason: why.map(Reason::code),
        reason_args: why.map(Reason::args),
        ended: row.state.is_closed(),
        untold: row.is_untold(),
        unseen: !head.is_attended() && matches!(&row.state, RunState::Closed(end) if end.reason().is_some()),
        since: None,
        why: why.cloned(),
        at,
        times: 1,
    }
}
