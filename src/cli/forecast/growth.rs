//! The ledger, followed over the facts of a journal: what came into it and left it, day by day and by cause, as the forecaster of
//! its growth is told; and a simple rule beside it.
//!
//! Invariant: no larger than the ledger was at its largest, and the entries that persons closed.

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::ops::Range;

use crate::domain::bill::{Outcome, Slot};
use crate::domain::event::Fact;
use crate::domain::ids::{EnvId, Fid, FormId, OpId, PlanId, RecordKey, RunId, WorkKey};
use crate::domain::run::{RunHead, RunKind, RunState};
use crate::domain::time::Ts;
use crate::domain::transition::{BillChange, Change, transition};
use crate::forecast::Moved;
use crate::store::index::ledger_rule::{Entry, Move, on_outcome};

/// The rule: so many times the unresolved bills of a week ago, and so many more.
const TIMES: u64 = 3;
const OF: u64 = 2;
const FEW: u64 = 4;
/// Days from the one that is over to the same day of the week before, both counted.
const WEEK: usize = 8;

/// A run, as long as it is open.
struct Run {
    plan: PlanId,
    env: EnvId,
    form: FormId,
    op: OpId,
    /// Its outcomes count for the ledger.
    approved: bool,
}

impl Run {
    fn new(head: &RunHead) -> Self {
        let RunHead { plan, env, form, op, .. } = head.clone();
        Self { plan, env, form, op, approved: head.kind == RunKind::Verify }
    }

    fn work(&self, fid: &Fid) -> WorkKey {
        let record = RecordKey { env: self.env.clone(), form: self.form.clone(), fid: fid.clone() };
        WorkKey { record, op: self.op.clone() }
    }
}

/// An entry of the ledger.
struct Open {
    plan: PlanId,
    slot: Slot,
    group: String,
    read_back: bool,
}

impl Open {
    fn place(&self) -> (&PlanId, Slot, &str) {
        (&self.plan, self.slot, &self.group)
    }
}

/// One entry came, or left.
struct Step {
    at: Ts,
    group: String,
    comes: bool,
}

/// The ledger as it stands after the facts so far.
#[derive(Default)]
pub(super) struct Growth {
    runs: HashMap<RunId, Run>,
    open: HashMap<WorkKey, Open>,
    /// Closed by persons, until an outcome came after that.
    closed: HashMap<WorkKey, Open>,
    /// What was not added up to days yet.
    steps: BTreeMap<PlanId, VecDeque<Step>>,
}

impl Growth {
    /// Takes a fact.
    pub fn take(&mut self, fact: &Fact) {
        match transition(&fact.event) {
            Change::Opened(head) => {
                self.runs.insert(head.id, Run::new(head));
            }
            Change::Run { run, to, approves } => {
                if let RunState::Closed(_) = to {
                    self.runs.remove(&run);
                } else if let Some(open) = self.runs.get_mut(&run).filter(|_| approves) {
                    open.approved = true;
                }
            }
            Change::Bill { run, fid, change } => self.bill((run, fid), &change, fact.at),
            Change::Resolved { key, .. } => {
                if let Some(open) = self.open.remove(key) {
                    self.moves(Some(&open), None, fact.at);
                    self.closed.insert(key.clone(), open);
                }
            }
            Change::Reopened { key, .. } => {
                if let Some(open) = self.closed.remove(key) {
                    self.moves(None, Some(&open), fact.at);
                    self.open.insert(key.clone(), open);
                }
            }
            Change::Nothing | Change::Found { .. } | Change::Gone { .. } | Change::NotUnderstood(_) => {}
        }
    }

    fn bill(&mut self, (run, fid): (RunId, &Fid), change: &BillChange<'_>, at: Ts) {
        let Some(of) = self.runs.get(&run) else { return };
        let work = of.work(fid);
        match change {
            BillChange::Settled { outcome, .. } if of.approved => {
                let plan = of.plan.clone();
                self.settled(work, (plan, outcome), at);
            }
            BillChange::Deferred { was: Slot::Unknown, .. } => {
                if let Some(open) = self.open.get_mut(&work) {
                    open.read_back = true;
                }
            }
            BillChange::Tried { .. }
            | BillChange::Answered { .. }
            | BillChange::Read { .. }
            | BillChange::Deferred { .. }
            | BillChange::Settled { .. } => {}
        }
    }

    fn settled(&mut self, work: WorkKey, (plan, outcome): (PlanId, &Outcome), at: Ts) {
        let entry = self.open.get(&work).map(|open| Entry { slot: open.slot, read_back: open.read_back });
        let is = match on_outcome(entry, outcome) {
            Move::Stays => return,
            Move::Leaves => None,
            Move::Enters => {
                let group = outcome.group().unwrap_or_default();
                Some(Open { plan, slot: outcome.slot(), group, read_back: false })
            }
        };
        self.closed.remove(&work);
        let was = self.open.remove(&work);
        self.moves(was.as_ref(), is.as_ref(), at);
        if let Some(is) = is {
            self.open.insert(work, is);
        }
    }

    fn moves(&mut self, was: Option<&Open>, is: Option<&Open>, at: Ts) {
        if was.map(Open::place) == is.map(Open::place) {
            return;
        }
        for (open, comes) in [(was, false), (is, true)] {
            let Some(open) = open else { continue };
            let group = open.group.clone();
            self.steps.entry(open.plan.clone()).or_default().push_back(Step { at, group, comes });
        }
    }

    /// What came into a plan's ledger on a day that is over, and what left it, by cause. Days are asked in their order.
    pub fn day(&mut self, plan: &PlanId, day: &Range<Ts>) -> Vec<Moved> {
        let mut moved: Vec<Moved> = Vec::new();
        let Some(steps) = self.steps.get_mut(plan) else { return moved };
        while let Some(step) = steps.pop_front_if(|step| step.at < day.end) {
            if step.at < day.start {
                continue;
            }
            let at = moved.iter().position(|one| one.group == step.group).unwrap_or(moved.len());
            if at == moved.len() {
                moved.push(Moved { group: step.group, entered: 0, left: 0 });
            }
            if let Some(one) = moved.get_mut(at) {
                *(if step.comes { &mut one.entered } else { &mut one.left }) += 1;
            }
        }
        moved
    }
}

/// One cause over all days.
#[derive(Default)]
pub(super) struct Cause {
    /// Bills that came.
    pub entered: u64,
    /// Bills that left.
    pub left: u64,
    /// How often its growth was told.
    pub alarms: u32,
    /// How often the rule would have told it.
    pub rule: u32,
    /// Unresolved bills at the end of the last days.
    stood: VecDeque<u64>,
    above: bool,
}

impl Cause {
    /// Takes a day.
    pub fn day(&mut self, entered: u64, left: u64) {
        self.entered += entered;
        self.left += left;
        let now = self.entered.saturating_sub(self.left);
        self.stood.push_back(now);
        while self.stood.len() > WEEK {
            self.stood.pop_front();
        }
        let then = self.stood.front().copied().filter(|_| self.stood.len() == WEEK);
        let above = then.is_some_and(|then| now >= then + FEW && now * OF > then * TIMES);
        self.rule += u32::from(above && !self.above);
        self.above = above;
    }
}
