//! What does not change about a run at work: its task, its calls and the reads made ahead of them share it.
//!
//! Invariant: nothing here remembers anything about a bill; that is [`super::run_memory::RunMemory`], which the task alone has.

use std::collections::{HashMap, HashSet};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use skydeck_core::domain::bill::{Found, Outcome};
use skydeck_core::domain::cause::known;
use skydeck_core::domain::event::Event;
use skydeck_core::domain::ids::{Fid, FormId, RecordKey};
use skydeck_core::domain::operation::{Operation, Seen};
use skydeck_core::domain::plan::Plan;
use skydeck_core::domain::reason::Reason;
use skydeck_core::domain::run::{BillRow, Flag, RunHead, RunKind};
use skydeck_core::domain::step::{Left, Step};
use skydeck_store::StoreError;

use super::bill_history::BillHistory;
use super::control::{Shared, Stop};
use super::decide::{Case, Moment, OpenCall};
use super::dispatch::Dispatch;
use super::known::{Known, know};
use super::looks::Looking;
use super::status_reads::READ_BATCH;
use crate::ports::Fault;

/// Seconds that may pass from a judgement to the request it leads to: a look is believed for 30 s, and a turn and a connection
/// are waited for.
const SPENT_WAITING: u64 = 120;

/// Records that are asked for one by one and judged together.
const ASKED_ONE_BY_ONE: usize = 16;

/// Bills settled in one append when no call is needed.
pub const SETTLE_GROUP: usize = 50;

/// One run, for everything that works on it.
pub struct RunContext {
    /// The engine.
    pub shared: Arc<Shared>,
    /// The run.
    pub head: RunHead,
    /// Plan it was collected with.
    pub plan: Arc<Plan>,
    /// What the plan wants done.
    pub op: Operation,
    /// Environment.
    pub env: Arc<Dispatch>,
    /// Where the records are read of which something is made here, if that is another one; or why it is not known.
    pub feeder: Result<Option<Arc<Dispatch>>, Reason>,
    /// Flags chosen for it.
    pub flags: Vec<Flag>,
    /// A verb put it to work: see [`skydeck_core::domain::command::Order::headless`].
    pub headless: bool,
    /// A person ordered it: where the server had refused us, one sign-in is tried.
    pub knock: bool,
    /// Set once the task only reads: it may be replaced at any time.
    pub reads_only: Arc<AtomicBool>,
    /// Of a plan that makes bills: what was found out before the first call.
    pub making: OnceLock<Making>,
}

/// What a run that makes bills knows before its first call.
#[derive(Debug, Default)]
pub struct Making {
    /// The form is known to keep the numbers that are sent. Until it is, one call is made at a time: of a form that numbers by a
    /// rule of its own one bill is made, and no more.
    pub honoured: AtomicBool,
    /// Keys that two records of the set share, in lower case.
    pub doubles: HashSet<String>,
}

impl RunContext {
    /// One of the run's records.
    pub fn key(&self, fid: &Fid) -> RecordKey {
        RecordKey { env: self.head.env.clone(), form: self.head.form.clone(), fid: fid.clone() }
    }

    /// The step whose success ends the operation.
    pub fn last_step(&self) -> Step {
        self.op.steps.last().map_or(Step::Audit, |spec| spec.step)
    }

    /// The fact of an outcome.
    pub fn settled(&self, row: &BillRow, outcome: Outcome) -> Event {
        Event::BillSettled {
            run: self.head.id,
            fid: row.fid().clone(),
            no: row.no.clone(),
            was: row.state.slot(),
            outcome,
        }
    }

    /// Makes facts durable, all of them or none.
    pub async fn append(&self, events: Vec<Event>) -> Result<(), Stop> {
        Ok(self.shared.ledger.append(events).await?)
    }

    /// Makes facts durable a group at a time; where one group is not taken those before it stay.
    pub async fn append_in_groups(&self, events: Vec<Event>) -> Result<(), Stop> {
        for group in events.chunks(SETTLE_GROUP * 2) {
            self.append(group.to_vec()).await?;
        }
        Ok(())
    }

    /// Adds to each row what it was found as and its past.
    pub async fn know(&self, rows: Vec<BillRow>) -> Result<Vec<Known>, StoreError> {
        know(self.shared.store.as_ref(), self.head.id, rows).await
    }

    /// Looks for records of the plan.
    pub fn looking(&self) -> Looking<'_> {
        Looking { store: self.shared.store.as_ref(), env: &self.env, plan: &self.plan, op: &self.op }
    }

    /// Bills as they are now; those that are gone, or not made yet, are left out.
    pub async fn read(&self, fids: &[Fid]) -> Result<HashMap<Fid, Found>, Fault> {
        self.looking().of_run(self.head.id, fids).await
    }

    /// The environment that the plan's records are read in.
    ///
    /// # Errors
    /// The plan names one that there is none of.
    pub fn source(&self) -> Result<Arc<Dispatch>, Reason> {
        let feeder = self.feeder.clone()?.filter(|_| self.op.key.makes());
        Ok(feeder.unwrap_or_else(|| Arc::clone(&self.env)))
    }

    /// Records that one look asks for, at most: of a system that is asked for each by itself so few that the first look is
    /// still fresh when the last one was made.
    pub fn looked_at_once(&self) -> usize {
        let asks_each = self.plan.target.make.as_ref().is_some_and(|make| make.send.is_some());
        if asks_each { ASKED_ONE_BY_ONE } else { READ_BATCH }
    }

    /// How long after a call what it made may not be found yet, as the plan says.
    pub fn lag(&self) -> Duration {
        let send = self.plan.target.make.as_ref().and_then(|make| make.send.as_ref());
        Duration::from_secs(send.map_or(0, |send| u64::from(send.look.lag_secs)))
    }

    /// Whether a step makes the bill.
    pub fn makes(&self, step: Step) -> bool {
        self.op.key.makes() && self.op.place_of(step) == 0
    }

    /// How long what a call of a step made may not be found yet: until then a look that does not show it tells nothing.
    pub fn unseen_for(&self, step: Step) -> Duration {
        if self.makes(step) { self.lag() } else { Duration::ZERO }
    }

    /// The form that the call of a step names: that of the records, where they are pushed from; else that of the bills called.
    pub fn called_form(&self, step: Step) -> &FormId {
        if step == Step::Push { &self.plan.source.form } else { &self.plan.target.form }
    }

    /// Whether the next call tells whether the form keeps the numbers that are sent.
    pub fn is_unproven(&self) -> bool {
        self.making.get().is_some_and(|making| !making.honoured.load(Ordering::SeqCst))
    }

    /// The form kept a number that was sent.
    pub fn kept_number(&self) {
        if let Some(making) = self.making.get() {
            making.honoured.store(true, Ordering::SeqCst);
        }
    }

    /// What a bill waits under after a step that is not the last took.
    pub fn taken(&self, step: Step) -> &'static str {
        if self.makes(step) { known::SAVED } else { known::SUBMITTED }
    }

    /// What a look at a bill of this run is judged by.
    pub fn case<'a>(&'a self, seen: Seen<'a>, past: &'a BillHistory, moment: Moment<'a>) -> Case<'a> {
        Case {
            op: &self.op,
            seen,
            approved: None,
            open: past.open.as_ref(),
            refused: past.refused_call.as_ref(),
            // Asked after a refusal alone.
            earlier: false,
            forestalled: past.forestalled,
            anothers: past.is_anothers(),
            moment,
            user: &self.env.env.user,
            repeats: past.auto_repeats,
            deaths: past.deaths,
            may_write: self.head.kind != RunKind::Verify,
            canary_look: self.op.key.makes(),
            // What is not on record is as old as can be.
            age_secs: past.open.as_ref().or(past.refused_call.as_ref()).map_or(u32::MAX, |call| self.age_of(call)),
            body: None,
            made: past.made.is_some(),
            was_there: past.was_there,
            honoured: self.making.get().is_some_and(|making| making.honoured.load(Ordering::SeqCst)),
            by_person: self.head.kind == RunKind::Retry && !self.head.by.is_schedule(),
        }
    }

    /// Seconds since a call left, as far as a clock proves it that nobody sets; longer than anything where none does.
    fn age_of(&self, call: &OpenCall) -> u32 {
        match (&call.left, self.shared.clock.boot()) {
            (Some((boot, Left::Boot(then))), Some((this, now))) if *boot == this => {
                let secs = now.saturating_sub(*then).div_ceil(1000) + SPENT_WAITING;
                u32::try_from(secs).unwrap_or(u32::MAX)
            }
            (Some((_, Left::Boot(_) | Left::Store(_))) | None, Some(_) | None) => u32::MAX,
        }
    }

    /// When the request of a call is proven to be past the server's own limit, monotonic, as far as the call itself tells.
    /// After a restart the clock of the machine's start proves how much of the limit has passed; where it does not (another
    /// start, a call of 0.1.0), the whole limit is waited for again: the wall clock proves nothing.
    pub fn limit_proven(&self, call: &OpenCall) -> Duration {
        let limit = self.env.limits().settle + self.lag();
        let now = self.shared.clock.mono();
        let passed = match (&call.left, self.shared.clock.boot()) {
            (Some((boot, Left::Boot(ms))), Some((this, now))) if *boot == this => {
                Duration::from_millis(now.saturating_sub(*ms)).min(limit)
            }
            (Some((_, Left::Boot(_) | Left::Store(_))) | None, Some(_) | None) => Duration::ZERO,
        };
        (now + limit).saturating_sub(passed)
    }
}
