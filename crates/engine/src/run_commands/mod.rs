//! Orders about an open run and about an environment: approve, decline, pause, resume, cancel, pace, unlock, resolve.
//!
//! Invariant: writing begins and goes on only for the set that was approved, under the plan it was collected with.

mod approve;
mod environment;

pub(super) use approve::Approval;

use std::sync::Arc;

use super::Inner;
use crate::authorize::ids;
use crate::command_outcome::{About, CommandOutcome, OnCommit, written};
use crate::control::{RunControl, Shared, lock};
use crate::dispatch::Dispatch;
use crate::ending::{close_rest, is_told};
use crate::runner::Job;
use crate::tasks::{Work, writer_of};
use skydeck_core::domain::command::{Order, Refusal, Selection};
use skydeck_core::domain::event::Event;
use skydeck_core::domain::ids::{RunId, WorkKey};
use skydeck_core::domain::plan::Plan;
use skydeck_core::domain::reason::Reason;
use skydeck_core::domain::run::{Collected, Mark, RunEnd, RunHead, RunKind, RunRow, RunState};
use skydeck_core::domain::step::Verb;
use skydeck_core::domain::who::Who;
use skydeck_store::StoreError;
use skydeck_store::actions::IDS;

/// Facts of one append.
const GROUP: usize = 100;
/// Runs of a plan looked at for one of the same revision.
const LOOK_BACK: u32 = 50;

impl Inner {
    /// Whether the run may write now: same plan, environment writable, verbs allowed, breaker closed by a person.
    async fn may_write(&self, row: &RunRow, calls: bool, by: &Who) -> Result<(Arc<Plan>, Arc<Dispatch>), Refusal> {
        let (plan, env) = self.shared.plan_of_run(&row.head).await?;
        if plan.rev != row.head.rev || env.env.id != row.head.env {
            let (was, is) = (row.head.rev.clone(), plan.rev.clone());
            let (plan, run) = (row.head.plan.clone(), row.head.id);
            return Err(Refusal::NotConfirmed(Reason::PlanChanged { plan, run, was, is }));
        }
        env.check_home(&row.head)?;
        if calls {
            env.permit(&plan.target.verb)?;
            if plan.policy.submit {
                env.permit(&Verb::Submit)?;
            }
        }
        if let Some(why) = env.why_held().await? {
            // Nor does the clock try again what the server refused another machine's sign-in for.
            if by.is_schedule() && (env.env.production || matches!(why, Reason::SignInRefused { .. })) {
                let (env, why) = (env.env.id.clone(), Box::new(why));
                return Err(Refusal::WrongState(Reason::BreakerOpen { env, why }));
            }
            env.let_all().await?;
        }
        Ok((plan, env))
    }

    pub(super) async fn decline(&self, run: RunId) -> Result<CommandOutcome, Refusal> {
        let row = self.shared.run_here(run).await?;
        if row.state != RunState::AwaitingApproval {
            return Err(Refusal::WrongState(Reason::NotAwaiting { run }));
        }
        self.not_closing(run)?;
        Ok(CommandOutcome { on_commit: Some(close(run, RunEnd::Declined)), ..about(&row) })
    }

    pub(super) async fn pause(&self, run: RunId, by: &Who) -> Result<CommandOutcome, Refusal> {
        let row = self.shared.run_here(run).await?;
        let writes = matches!(row.state, RunState::Working | RunState::Settling) && row.head.kind != RunKind::Verify;
        if !writes || writer_of(&self.shared, run).is_none() {
            return Err(Refusal::WrongState(Reason::NotWriting { run }));
        }
        Ok(CommandOutcome { on_commit: Some(control(run, RunControl::Pause(by.clone()))), ..about(&row) })
    }

    pub(super) async fn resume(&self, run: RunId, order: &Order) -> Result<CommandOutcome, Refusal> {
        let by = &order.by;
        let row = self.shared.run_here(run).await?;
        self.not_closing(run)?;
        if matches!(row.state, RunState::Working | RunState::Settling)
            && writer_of(&self.shared, run).is_some_and(|w| matches!(*w.borrow(), RunControl::Pause(_)))
        {
            return Ok(CommandOutcome { on_commit: Some(control(run, RunControl::Go)), ..about(&row) });
        }
        // Where an end could not be stored, a pause is shown of a run that on disk is none: one that nobody has approved.
        let approved = self.shared.store.run(run).await?.is_some_and(|stored| is_told(&stored));
        if !matches!(row.state, RunState::Paused(_) | RunState::Interrupted) || !approved {
            return Err(Refusal::WrongState(Reason::NotPaused { run }));
        }
        if row.head.kind == RunKind::Verify {
            return Err(Refusal::WrongState(Reason::OnlyReads { run }));
        }
        let (plan, env) = self.may_write(&row, row.tally.waiting > 0, by).await?;
        let job = Job {
            head: row.head.clone(),
            plan,
            env,
            flags: row.flags.clone(),
            canary: false,
            headless: order.headless,
            knock: !by.is_schedule(),
        };
        let events =
            vec![Event::RunResumed { run, by: by.clone(), boot: self.shared.clock.boot().map(|(boot, _)| boot) }];
        Ok(CommandOutcome { events, bills: row.tally.waiting, on_commit: Some(start(job)), ..about(&row) })
    }

    pub(super) async fn cancel(&self, run: RunId, by: &Who) -> Result<CommandOutcome, Refusal> {
        let row = self.shared.run_here(run).await?;
        self.not_closing(run)?;
        let on_commit = if writer_of(&self.shared, run).is_some() && row.state != RunState::AwaitingApproval {
            control(run, RunControl::Cancel(by.clone()))
        } else {
            close(run, RunEnd::Cancelled)
        };
        Ok(CommandOutcome { on_commit: Some(on_commit), ..about(&row) })
    }

    fn not_closing(&self, run: RunId) -> Result<(), Refusal> {
        if lock(&self.ending).contains(&run) {
            return Err(Refusal::WrongState(Reason::Closing { run }));
        }
        Ok(())
    }

    pub(super) async fn reopen(&self, keys: &[WorkKey], reason: &str, by: &Who) -> Result<CommandOutcome, Refusal> {
        let reason = written(reason, "reopen")?;
        let mut closed = Vec::new();
        for key in keys {
            if let Some(entry) = self.shared.store.resolved_entry(key).await? {
                closed.push((key.clone(), entry.since));
            }
        }
        if closed.is_empty() {
            return Err(Refusal::Nothing(Reason::NotResolved {}));
        }
        let named: Vec<String> = closed.iter().map(|(key, _)| key.record.fid.to_string()).take(IDS).collect();
        let bills = closed.len() as u64;
        let reopened = closed.into_iter().map(|(key, since)| Event::LedgerReopened {
            key,
            since,
            by: by.clone(),
            reason: reason.clone(),
        });
        let all: Vec<Event> = reopened.collect();
        let mut groups = all.chunks(GROUP).map(<[Event]>::to_vec);
        let events = groups.next().unwrap_or_default();
        let more = groups.collect();
        let about = About { ids: named, ..About::default() };
        Ok(CommandOutcome { events, more, bills, reason: Some(reason), about, ..CommandOutcome::default() })
    }

    pub(super) async fn resolve(
        &self,
        selection: &Selection,
        reason: &str,
        by: &Who,
    ) -> Result<CommandOutcome, Refusal> {
        let reason = written(reason, "resolve")?;
        let selected = self.select(selection, true).await?;
        if selected.rows.is_empty() {
            return Err(Refusal::Nothing(Reason::NothingMatches { left_out: selected.counts() }));
        }
        let bills = selected.rows.len() as u64;
        let resolved = selected.rows.iter().map(|row| Event::LedgerResolved {
            key: row.key.clone(),
            by: by.clone(),
            reason: reason.clone(),
        });
        let all: Vec<Event> = resolved.collect();
        let mut groups = all.chunks(GROUP).map(<[Event]>::to_vec);
        let events = groups.next().unwrap_or_default();
        let more = groups.collect();
        let about = About { ids: ids(&selected.rows), ..About::default() };
        Ok(CommandOutcome {
            events,
            more,
            bills,
            reason: Some(reason),
            note: selected.words(),
            about,
            ..CommandOutcome::default()
        })
    }
}

impl Shared {
    /// The mark moves with the approval (or with the end of a run that has nothing to do), in the same append, and never
    /// back (docs/design/reliability.md#the-mark).
    pub(super) async fn mark_after(&self, head: &RunHead, collected: &Collected) -> Result<Option<Event>, StoreError> {
        let (RunKind::Fresh, Some(seen)) = (head.kind, &collected.seen) else { return Ok(None) };
        let (plan, env) = (head.plan.clone(), head.env.clone());
        let old = self.store.mark(&plan, &env).await?;
        let clock = collected.clock.clone();
        let swept = if collected.sweep { Some(head.opened) } else { old.as_ref().and_then(|m| m.swept) };
        let upto = collected.upto.max(old.as_ref().and_then(|m| m.upto));
        let seen = old.map_or_else(|| seen.clone(), |m| m.seen.max(seen.clone()));
        let to = Mark { seen, run: head.id, swept, clock, upto };
        Ok(Some(Event::MarkMoved { plan: head.plan.clone(), env: head.env.clone(), to }))
    }
}

/// Whether a run of a revision was approved and called the ERP, so that the next one is not its first. A run that skipped
/// all it found, or that only reads, says nothing of what the revision does when it writes.
fn has_written(row: &RunRow) -> bool {
    let RunState::Closed(end) = &row.state else { return false };
    let t = &row.tally;
    match end {
        // Only what was told of its bills shows that a call was made.
        RunEnd::Completed | RunEnd::Cancelled | RunEnd::Stopped(_) => {
            row.head.kind != RunKind::Verify && t.audited + t.failed + t.unknown > 0
        }
        RunEnd::Empty | RunEnd::Collected | RunEnd::Declined | RunEnd::CollectFailed(_) => false,
    }
}

fn about(row: &RunRow) -> CommandOutcome {
    let about = About {
        env: Some(row.head.env.clone()),
        rev: Some(row.head.rev.to_string()),
        hash: row.collected.as_ref().map(|c| c.hash.to_string()),
        ids: Vec::new(),
    };
    CommandOutcome {
        run: Some(row.head.id),
        plan: Some(row.head.plan.clone()),
        bills: row.tally.waiting,
        about,
        ..CommandOutcome::default()
    }
}

fn start(job: Job) -> OnCommit {
    Box::new(move |inner| inner.tasks.start(&inner.shared, job, Work::Run))
}

fn control(run: RunId, control: RunControl) -> OnCommit {
    Box::new(move |inner| {
        if let Some(task) = lock(&inner.shared.tasks).get(&run) {
            task.control.send_replace(control);
        }
    })
}

/// Ends a run that has no task at work: the rest is not reached, then it closes.
fn close(run: RunId, end: RunEnd) -> OnCommit {
    Box::new(move |inner| {
        if let Some(task) = lock(&inner.shared.tasks).remove(&run) {
            task.handle.abort();
        }
        lock(&inner.ending).insert(run);
        let (shared, owner) = (Arc::clone(&inner.shared), Arc::downgrade(inner));
        inner.tasks.spawn(async move {
            if let Err(error) = close_rest(&shared, run, end).await {
                shared.ledger.show_unstored(run, &error);
            }
            if let Some(inner) = owner.upgrade() {
                lock(&inner.ending).remove(&run);
            }
        });
    })
}
