//! The clock that starts plans: due times become orders of `schedule`, under the rules every order obeys.
//!
//! Invariants: a due time starts at most one run, also when the wall clock is set back; a run that is due while the plan
//! is busy is refused by the engine and logged there; nothing is approved by itself unless the plan says so, and never in
//! production.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;
use ulid::Ulid;

use crate::domain::command::{Command, Order, Receipt, Refusal, StartParams};
use crate::domain::confirm;
use crate::domain::ids::{CommandId, PlanId, RunId};
use crate::domain::live::{Live, RunLive};
use crate::domain::plan::{Approver, Missed, Plan, Schedule};
use crate::domain::query::{Answer, PageRequest, Query};
use crate::domain::reason::Reason;
use crate::domain::run::RunState;
use crate::domain::time::{Clock, Ts};
use crate::domain::who::Who;
use crate::engine::api::{Link, LinkError, Notice, Watch};
use crate::plan::schedule;

/// A run that comes this late after its due time is on time; later, it was missed.
const ON_TIME: Duration = Duration::from_secs(120);
/// Longest sleep: the wall clock may be set while we sleep.
const NAP: Duration = Duration::from_secs(60);
/// Due times looked at after a long downtime, at most.
const MOST: usize = 1000;
/// Runs looked through for the last scheduled one of each plan.
const HISTORY: usize = 2000;

/// Runs until the link ends. `uid`: the user the owner runs as. `any` says whether a plan has a schedule that is on.
pub async fn run(link: Arc<dyn Link>, clock: Arc<dyn Clock>, uid: u32, any: watch::Sender<bool>) {
    let by = Who::schedule(uid);
    let mut planner = Planner { link, clock, by, lines: BTreeMap::new(), approved: BTreeSet::new() };
    let Ok(Watch { mut live, mut notices }) = planner.link.watch().await else { return };
    if planner.refresh().await.is_err() {
        return;
    }
    loop {
        any.send_if_modified(|any| std::mem::replace(any, !planner.lines.is_empty()) == planner.lines.is_empty());
        let nap = planner.nap();
        planner.fire(&live).await;
        planner.follow(&live).await;
        let slept = async {
            match nap {
                Some(nap) => tokio::time::sleep(nap).await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            () = slept => planner.look(),
            notice = notices.recv() => match notice {
                Some(Notice::Facts(facts)) => facts.iter().for_each(|fact| live.apply(fact)),
                Some(Notice::Resync(now)) => live = *now,
                Some(Notice::PlansReloaded) => if planner.refresh().await.is_err() { return },
                Some(Notice::Pulse(_) | Notice::Unusual) => {}
                None => return,
            },
        }
    }
}

struct Planner {
    link: Arc<dyn Link>,
    clock: Arc<dyn Clock>,
    by: Who,
    lines: BTreeMap<PlanId, Line>,
    /// Runs an order was given for already: what is refused once is a person's.
    approved: BTreeSet<(RunId, &'static str)>,
}

/// One plan's clock.
struct Line {
    schedule: Schedule,
    /// The compensation query's cron, where the plan has one.
    remedy: Option<Schedule>,
    plan: Plan,
    /// Due times up to here are done with. Never goes back.
    after: Ts,
    remedy_after: Ts,
    waiting: VecDeque<Due>,
    /// The run because of which a start was refused last.
    busy: Option<RunId>,
}

/// A run that is due.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Due {
    remedy: bool,
    /// One of several that were missed: waits for the plan to be free.
    patient: bool,
    /// When.
    at: Ts,
}

impl Planner {
    /// Reads the plans. A line keeps its time over a reload; a new one begins where history says, or now.
    async fn refresh(&mut self) -> Result<(), LinkError> {
        let now = self.clock.now();
        let plans = match self.link.ask(Query::Plans).await? {
            Answer::Plans(rows) => rows.into_iter().filter(|row| row.next.is_some()).filter_map(|row| row.plan.ok()),
            _ => return Ok(()),
        };
        let plans: Vec<(Plan, Schedule)> =
            plans.filter_map(|plan| plan.policy.schedule.clone().map(|schedule| (plan, schedule))).collect();
        let new = plans.iter().filter(|(plan, _)| !self.lines.contains_key(&plan.id)).map(|(plan, _)| plan.id.clone());
        let last = self.last_starts(new.collect()).await?;
        let mut old = std::mem::take(&mut self.lines);
        for (plan, schedule) in plans {
            let remedy = plan.policy.remedy.as_ref().map(|remedy| Schedule {
                cron: remedy.cron.clone(),
                missed: Missed::Skip,
                ..schedule.clone()
            });
            let line = match old.remove(&plan.id) {
                // A changed clock counts from now: times it never had were not missed.
                Some(line) if line.schedule.cron == schedule.cron && line.schedule.zone == schedule.zone => {
                    Line { schedule, remedy, plan, ..line }
                }
                Some(line) => Line {
                    after: line.after.max(now),
                    remedy_after: line.remedy_after.max(now),
                    schedule,
                    remedy,
                    plan,
                    waiting: VecDeque::new(),
                    busy: None,
                },
                None => Line {
                    after: last.get(&plan.id).copied().unwrap_or(now),
                    remedy_after: now,
                    schedule,
                    remedy,
                    plan,
                    waiting: VecDeque::new(),
                    busy: None,
                },
            };
            self.lines.insert(line.plan.id.clone(), line);
        }
        self.look();
        Ok(())
    }

    /// When the clock last started each of these plans.
    async fn last_starts(&self, mut wanted: BTreeSet<PlanId>) -> Result<BTreeMap<PlanId, Ts>, LinkError> {
        let mut found = BTreeMap::new();
        let (mut page, mut seen) = (PageRequest::first(200), 0);
        while !wanted.is_empty() && seen < HISTORY {
            let Answer::Runs(answer) = self.link.ask(Query::Runs(page.clone())).await? else { break };
            for (_, row) in &answer.rows {
                if row.head.by.is_schedule() && wanted.remove(&row.head.plan) {
                    found.insert(row.head.plan.clone(), row.head.opened);
                }
            }
            seen += answer.rows.len();
            match answer.rows.last() {
                Some((cursor, _)) if answer.more => page.cursor = Some(cursor.clone()),
                _ => break,
            }
        }
        Ok(found)
    }

    /// How long until the next due time, at most [`NAP`]; `None` when there is no schedule.
    fn nap(&self) -> Option<Duration> {
        let now = self.clock.now();
        let next = self.lines.values().flat_map(Line::next).min()?;
        Some(next.since(now).min(NAP).max(Duration::from_millis(10)))
    }

    /// Moves due times that have passed into the queues.
    fn look(&mut self) {
        let now = self.clock.now();
        for line in self.lines.values_mut() {
            line.look(now);
        }
    }

    /// Starts what waits, where the plan is free; what may not wait is left to the engine to refuse.
    async fn fire(&mut self, live: &Live) {
        let mut starts = Vec::new();
        for (id, line) in &mut self.lines {
            let busy = live.open_run_of(id).map(|run| run.row.head.id);
            while let Some(due) = line.waiting.pop_front_if(|due| !(due.patient && busy.is_some())) {
                // What the engine refused once because of this run it would refuse again: one line says it.
                if busy.is_some() && line.busy == busy {
                    tracing::debug!(plan = %id, "due again while the same run of the plan is open");
                    continue;
                }
                starts.push((id.clone(), due));
                if due.patient {
                    break;
                }
            }
        }
        for (plan, due) in starts {
            let params = StartParams { remedy: due.remedy, due: Some(due.at), ..StartParams::default() };
            let refused = self.order(Command::Start { plan: plan.clone(), params }).await;
            // The run that is in the way was opened after the state we know of.
            if let (Some(Refusal::Busy(Reason::Busy { run, .. })), Some(line)) = (refused, self.lines.get_mut(&plan)) {
                line.busy = Some(run);
                if due.patient {
                    line.waiting.push_front(due);
                }
            }
        }
    }

    /// Approves and resumes runs of its own, where the plan lets it.
    async fn follow(&mut self, live: &Live) {
        self.approved.retain(|(run, _)| live.runs.contains_key(run));
        let own = |run: &&RunLive| run.row.head.by.is_schedule() && !run.row.head.production;
        let mut orders = Vec::new();
        for run in live.open().filter(own) {
            let (head, id) = (&run.row.head, run.row.head.id);
            let Some(line) = self.lines.get(&head.plan) else { continue };
            if line.schedule.approve != Approver::Schedule || line.plan.rev != head.rev {
                continue;
            }
            match (&run.row.state, &run.row.collected) {
                (RunState::AwaitingApproval, Some(set)) if self.approved.insert((id, "approve")) => {
                    let typed =
                        confirm::confirmation_level(set.callable, head.production, head.env.as_str(), false).answer();
                    let hash = set.hash.clone();
                    orders.push(Command::Approve { run: id, hash, typed, flags: Vec::new(), reason: None });
                }
                // The process died in the middle: what was in flight is verified by the engine before it goes on.
                (RunState::Interrupted, _) if self.approved.insert((id, "resume")) => {
                    orders.push(Command::Resume { run: id });
                }
                _ => {}
            }
        }
        for order in orders {
            self.order(order).await;
        }
    }

    /// Gives an order; gives why it was refused.
    async fn order(&self, command: Command) -> Option<Refusal> {
        let order =
            Order { id: CommandId(Ulid::generate()), by: self.by.clone(), session: None, headless: false, command };
        match self.link.submit(order).await {
            // The engine has it in its log of actions, refused ones too.
            Ok(Receipt::Accepted { .. }) => None,
            Ok(Receipt::Refused(why @ Refusal::WrongState(Reason::StartedElsewhere { .. }))) => {
                tracing::debug!(%why, "nothing is left to start");
                None
            }
            Ok(Receipt::Refused(why)) => {
                tracing::warn!(%why, "a scheduled order was refused");
                Some(why)
            }
            Err(error) => {
                tracing::warn!(%error, "a scheduled order found no engine");
                None
            }
        }
    }
}

impl Line {
    fn next(&self) -> impl Iterator<Item = Ts> {
        let main = due_after(&self.schedule, self.after);
        let remedy = self.remedy.as_ref().and_then(|remedy| due_after(remedy, self.remedy_after));
        main.into_iter().chain(remedy)
    }

    fn look(&mut self, now: Ts) {
        let (dues, after) = passed(&self.schedule, self.after, now);
        self.after = after;
        let late = |due: &Ts| now.since(*due) > ON_TIME;
        let on_time = dues.iter().any(|due| !late(due));
        let missed = dues.iter().filter(|due| late(due)).count();
        let of = |patient: bool| move |at: &Ts| Due { remedy: false, patient, at: *at };
        let newest = dues.last().map(of(false));
        match self.schedule.missed {
            // Of those that are on time the newest one stands for all.
            Missed::All => {
                let each = dues.iter().take(missed).chain(dues.last().filter(|_| on_time));
                self.waiting.extend(each.map(of(true)));
            }
            Missed::Once if missed > 0 || on_time => self.waiting.extend(newest),
            Missed::Skip if on_time => self.waiting.extend(newest),
            Missed::Once | Missed::Skip => {}
        }
        let Some(remedy) = &self.remedy else { return };
        let (dues, after) = passed(remedy, self.remedy_after, now);
        self.remedy_after = after;
        if let Some(at) = dues.last().filter(|due| !late(due)) {
            // Beside the plan's own run at the same minute it waits, rather than being refused.
            self.waiting.push_back(Due { remedy: true, patient: true, at: *at });
        }
    }
}

/// Due times in (`after`, `now`], and where the next look begins.
fn passed(schedule: &Schedule, after: Ts, now: Ts) -> (Vec<Ts>, Ts) {
    let (mut dues, mut at) = (Vec::new(), after);
    while let Some(due) = due_after(schedule, at).filter(|due| *due <= now) {
        at = due;
        if dues.len() == MOST {
            dues.remove(0);
        }
        dues.push(due);
    }
    (dues, at.max(after))
}

fn due_after(schedule: &Schedule, after: Ts) -> Option<Ts> {
    let after = chrono::DateTime::from_timestamp_millis(after.0)?;
    schedule::next(schedule, after).ok().flatten().map(|at| Ts(at.timestamp_millis()))
}
