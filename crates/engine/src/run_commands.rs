//! Orders about an open run and about an environment: approve, decline, pause, resume, cancel, pace, unlock, resolve.
//!
//! Invariant: writing begins and goes on only for the set that was approved, under the plan it was collected with.

use std::sync::Arc;

use skydeck_core::domain::access::Role;
use skydeck_core::domain::command::{Order, Refusal, Selection};
use skydeck_core::domain::confirm::{ConfirmationLevel, RiskFactors, confirmation_level};
use skydeck_core::domain::env::Limits;
use skydeck_core::domain::event::Event;
use skydeck_core::domain::ids::{EnvId, RunId, SessionId, SetHash, WorkKey};
use skydeck_core::domain::plan::Plan;
use skydeck_core::domain::query::PageRequest;
use skydeck_core::domain::reason::Reason;
use skydeck_core::domain::run::{Collected, Consent, Flag, Mark, RunEnd, RunHead, RunKind, RunRow, RunState};
use skydeck_core::domain::step::Verb;
use skydeck_core::domain::who::Who;

use skydeck_store::StoreError;
use skydeck_store::actions::IDS;

use super::Inner;
use super::authorize::ids;
use super::command_outcome::{About, CommandOutcome, OnCommit, written};
use super::control::{RunControl, Shared, lock};
use super::dispatch::Dispatch;
use super::ending::{close_rest, is_told};
use super::runner::Job;
use super::servers;
use super::tasks::{Work, writer_of};

/// Facts of one append.
const GROUP: usize = 100;
/// Runs of a plan looked at for one of the same revision.
const LOOK_BACK: u32 = 50;

/// An approval as it was given.
#[derive(Clone, Copy)]
pub(super) struct Approval<'a> {
    pub hash: &'a SetHash,
    /// What was typed to confirm it.
    pub typed: Option<&'a str>,
    pub flags: &'a [Flag],
    /// Why; nothing but blanks is no reason.
    pub reason: Option<&'a str>,
    pub by: &'a Who,
}

impl Inner {
    pub(super) async fn approve(
        &self,
        run: RunId,
        approval: Approval<'_>,
        headless: bool,
    ) -> Result<CommandOutcome, Refusal> {
        let Approval { hash, flags, reason, by, .. } = approval;
        let row = self.shared.open_run(run).await?;
        let (RunState::AwaitingApproval, Some(collected)) = (&row.state, &row.collected) else {
            return Err(Refusal::WrongState(Reason::NotAwaiting { run }));
        };
        self.not_closing(run)?;
        self.confirmed(&row, collected, approval)?;
        let env = &row.head.env;
        let (plan, dispatch) = self.may_write(&row, collected.callable > 0, by).await?;
        let about = About {
            env: Some(env.clone()),
            rev: Some(row.head.rev.to_string()),
            hash: Some(hash.to_string()),
            ids: self.shared.waiting_ids(run).await?,
        };
        let outcome = CommandOutcome {
            run: Some(run),
            plan: Some(row.head.plan.clone()),
            bills: collected.callable,
            reason: reason.map(str::to_owned),
            about,
            ..CommandOutcome::default()
        };
        if dispatch.env.second_person
            && self.risks(&row, collected, flags).await?.needs_two()
            && !self.is_second_person(&row, approval)?
        {
            return Ok(self.first_person(run, approval, outcome));
        }
        let mut events = vec![Event::RunApproved {
            run,
            by: by.clone(),
            hash: hash.clone(),
            flags: flags.to_vec(),
            reason: outcome.reason.clone(),
            boot: self.shared.clock.boot().map(|(boot, _)| boot),
        }];
        events.extend(self.shared.mark_after(&row.head, collected).await?);
        let job = Job {
            head: row.head.clone(),
            plan,
            env: dispatch,
            flags: flags.to_vec(),
            canary: true,
            headless,
            knock: !by.is_schedule(),
        };
        Ok(CommandOutcome { events, on_commit: Some(start(job)), ..outcome })
    }

    /// Whether what was typed, and by whom, is what this very set asks for.
    fn confirmed(&self, row: &RunRow, collected: &Collected, approval: Approval<'_>) -> Result<(), Refusal> {
        let Approval { hash, typed, flags, reason, by } = approval;
        let (run, env) = (row.head.id, &row.head.env);
        if collected.hash != *hash {
            let (is, seen) = (collected.hash.clone(), hash.clone());
            return Err(Refusal::NotConfirmed(Reason::SetChanged { run, is, seen }));
        }
        if !flags.is_empty() && reason.is_none() {
            return Err(Refusal::NotConfirmed(Reason::FlagsNeedReason {}));
        }
        // The environment may have become one of production while the set waited.
        let production = row.head.production || self.env(env).is_ok_and(|dispatch| dispatch.env.production);
        if by.is_schedule() && production {
            return Err(Refusal::NotConfirmed(Reason::ScheduleApproves {}));
        }
        // The number is what would be called; who typed the number found has seen more, not less.
        let asked = [collected.callable, row.tally.found]
            .map(|n| confirmation_level(n, production, env.as_str(), !flags.is_empty()));
        if asked.iter().any(|level| level.satisfied_by(typed)) {
            return Ok(());
        }
        let [first, _] = &asked;
        match first {
            ConfirmationLevel::TypeCount(n) => Err(Refusal::NotConfirmed(Reason::TypeCount { n: *n })),
            ConfirmationLevel::TypeEnvironment(_) => {
                Err(Refusal::NotConfirmed(Reason::TypeEnvironment { env: env.clone() }))
            }
            ConfirmationLevel::Yes => Ok(()),
        }
    }

    /// Whether another person approved this set with the same flags, and that still stands. Refused where the flags are others.
    fn is_second_person(&self, row: &RunRow, approval: Approval<'_>) -> Result<bool, Refusal> {
        let Approval { hash, flags, by, .. } = approval;
        match row.consent.as_ref().filter(|c| c.hash == *hash && c.stands(&*self.shared.clock)) {
            Some(first) if first.by.same_person(by) => Ok(false),
            Some(first) if first.flags == flags => Ok(true),
            Some(first) => Err(Refusal::NotConfirmed(Reason::OtherFlags { first: first.by.clone() })),
            None => Ok(false),
        }
    }

    /// What the first of two persons leads to: it is kept that he approved, and nothing is called.
    fn first_person(&self, run: RunId, approval: Approval<'_>, outcome: CommandOutcome) -> CommandOutcome {
        let Approval { hash, flags, by, .. } = approval;
        let consent = Consent {
            by: by.clone(),
            hash: hash.clone(),
            flags: flags.to_vec(),
            reason: outcome.reason.clone(),
            at: self.shared.clock.now(),
            left: self.shared.clock.boot(),
        };
        let hash = hash.short().to_owned();
        CommandOutcome {
            events: vec![Event::RunConsented { run, consent }],
            note: "waits for a second person".to_owned(),
            instead: Some(Refusal::SecondPerson(Reason::SecondPerson { run, hash })),
            ..outcome
        }
    }

    /// What there is to say against one person's word alone.
    async fn risks(&self, row: &RunRow, collected: &Collected, flags: &[Flag]) -> Result<RiskFactors, Refusal> {
        let (plan, rev, env, id) = (row.head.plan.clone(), row.head.rev.clone(), row.head.env.clone(), row.head.id);
        let before = self.shared.store.runs(Some(&plan), &PageRequest::first(LOOK_BACK)).await?;
        let wrote = |r: &RunRow| r.head.id != id && r.head.rev == rev && r.head.env == env && has_written(r);
        Ok(RiskFactors {
            callable: collected.callable,
            flags: !flags.is_empty(),
            unknown: collected.unknown > 0,
            first_of_revision: !before.rows.iter().any(|(_, r)| wrote(r)),
        })
    }

    /// Whether the run may write now: same plan, environment writable, verbs allowed, breaker closed by a person.
    async fn may_write(&self, row: &RunRow, calls: bool, by: &Who) -> Result<(Arc<Plan>, Arc<Dispatch>), Refusal> {
        let (plan, env) = self.shared.plan_of_run(&row.head).await?;
        if plan.rev != row.head.rev || env.env.id != row.head.env {
            let (was, is) = (row.head.rev.clone(), plan.rev.clone());
            let (plan, run) = (row.head.plan.clone(), row.head.id);
            return Err(Refusal::NotConfirmed(Reason::PlanChanged { plan, run, was, is }));
        }
        servers::at_home(&row.head, &env)?;
        if calls {
            env.permit(&plan.target.verb)?;
            if plan.policy.submit {
                env.permit(&Verb::Submit)?;
            }
        }
        if let Some(why) = env.breaker() {
            if by.is_schedule() && env.env.production {
                let (env, why) = (env.env.id.clone(), Box::new(why));
                return Err(Refusal::WrongState(Reason::BreakerOpen { env, why }));
            }
            env.close_breaker();
        }
        Ok((plan, env))
    }

    pub(super) async fn decline(&self, run: RunId) -> Result<CommandOutcome, Refusal> {
        let row = self.shared.open_run(run).await?;
        if row.state != RunState::AwaitingApproval {
            return Err(Refusal::WrongState(Reason::NotAwaiting { run }));
        }
        self.not_closing(run)?;
        Ok(CommandOutcome { on_commit: Some(close(run, RunEnd::Declined)), ..about(&row) })
    }

    pub(super) async fn pause(&self, run: RunId, by: &Who) -> Result<CommandOutcome, Refusal> {
        let row = self.shared.open_run(run).await?;
        let writes = matches!(row.state, RunState::Working | RunState::Settling) && row.head.kind != RunKind::Verify;
        if !writes || writer_of(&self.shared, run).is_none() {
            return Err(Refusal::WrongState(Reason::NotWriting { run }));
        }
        Ok(CommandOutcome { on_commit: Some(control(run, RunControl::Pause(by.clone()))), ..about(&row) })
    }

    pub(super) async fn resume(&self, run: RunId, order: &Order) -> Result<CommandOutcome, Refusal> {
        let by = &order.by;
        let row = self.shared.open_run(run).await?;
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
        let row = self.shared.open_run(run).await?;
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

    pub(super) fn env(&self, env: &EnvId) -> Result<Arc<Dispatch>, Refusal> {
        let none = || Refusal::NotFound(Reason::NoEnvironment { env: env.clone() });
        self.shared.env(Some(env)).cloned().ok_or_else(none)
    }

    pub(super) fn set_pace(
        &self,
        env: &EnvId,
        per_minute: Option<u32>,
        concurrency: Option<u32>,
        by: &Who,
    ) -> Result<CommandOutcome, Refusal> {
        let dispatch = self.env(env)?;
        if per_minute == Some(0) || concurrency == Some(0) {
            return Err(Refusal::WrongState(Reason::PaceZero {}));
        }
        if !Limits::is_pace(per_minute, concurrency) {
            let (per_minute, concurrency) = (Limits::MOST_PER_MINUTE, Limits::MOST_CONCURRENCY);
            return Err(Refusal::WrongState(Reason::PaceBeyond { per_minute, concurrency }));
        }
        let (limits, role) = (dispatch.limits(), self.shared.access.role(by.uid).unwrap_or(Role::Viewer));
        // Who answers for the environment wrote its limits down: going beyond them is that person's to say.
        let beyond =
            per_minute.is_some_and(|n| n > limits.per_minute) || concurrency.is_some_and(|n| n > limits.concurrency);
        if beyond && role < Role::Approver {
            let verb = "pace".to_owned();
            return Err(Refusal::Denied(Reason::NotAllowed { verb, role, needed: Role::Approver }));
        }
        let pace = [per_minute.map(|n| format!("{n} a minute")), concurrency.map(|n| format!("{n} at a time"))];
        let note = format!("{env}: {}", pace.into_iter().flatten().collect::<Vec<_>>().join(", "));
        let on_commit: OnCommit = Box::new(move |inner| {
            dispatch.set_pace(per_minute, concurrency);
            inner.tasks.stirred.notify_one();
        });
        let about = About { env: Some(env.clone()), ..About::default() };
        Ok(CommandOutcome { note, on_commit: Some(on_commit), about, ..CommandOutcome::default() })
    }

    /// Unlocks one environment for one console: what the same console had unlocked before is read-only again.
    pub(super) fn unlock(
        &self,
        env: &EnvId,
        reason: &str,
        session: Option<SessionId>,
    ) -> Result<CommandOutcome, Refusal> {
        let dispatch = self.env(env)?;
        if dispatch.env.always_read_only {
            return Err(Refusal::Denied(Reason::AlwaysReadOnly { env: env.clone() }));
        }
        let reason = written(reason, "unlock")?;
        let on_commit: OnCommit = Box::new(move |inner| {
            for other in inner.shared.envs.iter().filter(|other| other.env.id != dispatch.env.id) {
                if session.is_some_and(|session| other.left(session)) {
                    inner.relocked(other.env.id.clone(), "the same console unlocked another environment");
                }
            }
            let turn = dispatch.unlock(session);
            inner.tasks.stirred.notify_one();
            // Weak: an unlock must not keep an engine alive.
            let owner = Arc::downgrade(inner);
            inner.tasks.spawn(async move {
                let why = dispatch.guard_unlock(turn).await;
                if let (Some(why), Some(inner)) = (why, owner.upgrade()) {
                    inner.relocked(dispatch.env.id.clone(), why);
                }
            });
        });
        let about = About { env: Some(env.clone()), ..About::default() };
        Ok(CommandOutcome {
            reason: Some(reason),
            note: env.to_string(),
            on_commit: Some(on_commit),
            about,
            ..CommandOutcome::default()
        })
    }

    /// An unlock ended by itself: said to everybody, and logged.
    pub(super) fn relocked(self: &Arc<Self>, env: EnvId, why: &'static str) {
        tracing::warn!(%env, why, "writing is locked again");
        self.tasks.stirred.notify_one();
        self.tasks.spawn(Arc::clone(self).log_own("lock", env, why.to_owned()));
    }

    pub(super) fn relock(&self, env: &EnvId) -> Result<CommandOutcome, Refusal> {
        let dispatch = self.env(env)?;
        let on_commit: OnCommit = Box::new(move |inner| {
            dispatch.relock();
            inner.tasks.stirred.notify_one();
        });
        let about = About { env: Some(env.clone()), ..About::default() };
        Ok(CommandOutcome { note: env.to_string(), on_commit: Some(on_commit), about, ..CommandOutcome::default() })
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
        let seen = old.map_or_else(|| seen.clone(), |m| m.seen.max(seen.clone()));
        let to = Mark { seen, run: head.id, swept, clock };
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
        RunEnd::Empty | RunEnd::Declined | RunEnd::CollectFailed(_) => false,
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
