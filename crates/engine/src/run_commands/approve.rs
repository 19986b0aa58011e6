//! The approval of a set: who may give it, what he confirms, and when a second person is asked.
//!
//! Invariant: writing begins only for the set that was approved, under the plan it was collected with.

use super::{LOOK_BACK, has_written, start};
use crate::Inner;
use crate::command_outcome::{About, CommandOutcome};
use crate::runner::Job;
use skydeck_core::domain::command::Refusal;
use skydeck_core::domain::confirm::{ConfirmationLevel, RiskFactors, confirmation_level};
use skydeck_core::domain::event::Event;
use skydeck_core::domain::ids::{RunId, SetHash};
use skydeck_core::domain::query::PageRequest;
use skydeck_core::domain::reason::Reason;
use skydeck_core::domain::run::{Collected, Consent, Flag, RunRow, RunState};
use skydeck_core::domain::who::Who;

/// An approval as it was given.
#[derive(Clone, Copy)]
pub(crate) struct Approval<'a> {
    pub hash: &'a SetHash,
    /// What was typed to confirm it.
    pub typed: Option<&'a str>,
    pub flags: &'a [Flag],
    /// Why; nothing but blanks is no reason.
    pub reason: Option<&'a str>,
    pub by: &'a Who,
}

impl Inner {
    pub(crate) async fn approve(
        &self,
        run: RunId,
        approval: Approval<'_>,
        headless: bool,
    ) -> Result<CommandOutcome, Refusal> {
        let Approval { hash, flags, reason, by, .. } = approval;
        let row = self.shared.run_here(run).await?;
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
            Some(first) => match first.by.same_person(by) {
                None => {
                    let who = if by.person.is_none() { by } else { &first.by };
                    Err(Refusal::NotConfirmed(Reason::UnknownPerson { who: who.clone() }))
                }
                Some(true) => Ok(false),
                Some(false) if first.flags == flags => Ok(true),
                Some(false) => Err(Refusal::NotConfirmed(Reason::OtherFlags { first: first.by.clone() })),
            },
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
}
