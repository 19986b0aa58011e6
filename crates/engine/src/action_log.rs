//! The action log as the engine keeps it: what goes before the first line of a process, what keeps runs from starting, who
//! accepts it, and strangers who knock.
//!
//! Invariant: how far the file reached is durable in the journal before this process writes a line into it; where the two
//! disagree no run starts before a person accepted that with a reason.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use skydeck_core::domain::action_log::{LogFault, LogPlace};
use skydeck_core::domain::command::{Command, Refusal};
use skydeck_core::domain::event::{ActionEntry, Event};
use skydeck_core::domain::reason::Reason;
use skydeck_core::domain::who::Who;
use skydeck_store::StoreError;
use skydeck_store::actions::{Deed, Phase};

use super::Inner;
use super::command_outcome::{CommandOutcome, OnCommit, written};
use super::control::{Shared, lock};

/// Least time between two lines about one stranger.
const STRANGER: Duration = Duration::from_secs(60);
/// Strangers told apart; those beyond share one line.
const STRANGERS: usize = 256;

/// Users without a role who knocked: when a line last told of each, and how often he knocked since.
#[derive(Default)]
pub(super) struct Strangers(Mutex<HashMap<u32, (Option<Duration>, u64)>>);

impl Strangers {
    /// Counts one knock; gives the number to be told now, if it is time.
    fn knock(&self, uid: u32, now: Duration) -> Option<u64> {
        let mut known = lock(&self.0);
        let uid = if known.len() < STRANGERS || known.contains_key(&uid) { uid } else { u32::MAX };
        let (told, count) = known.entry(uid).or_default();
        *count += 1;
        if told.is_some_and(|told| now.saturating_sub(told) < STRANGER) {
            return None;
        }
        *told = Some(now);
        Some(std::mem::take(count))
    }
}

impl Shared {
    /// Writes one line of the action log. The first one of this process waits until the journal holds how far the file
    /// reached before it.
    pub(super) async fn log(&self, deed: Deed) -> Result<LogPlace, StoreError> {
        if self.actions.begins().is_some() {
            let _turn = self.log_begins.lock().await;
            if let Some(begins) = self.actions.begins() {
                self.ledger.append(vec![Event::LogWitnessed(Box::new(begins))]).await?;
                return self.actions.write(deed).await;
            }
        }
        self.actions.write(deed).await
    }

    /// Why no run starts, where the action log and the journal disagree.
    pub(super) fn log_disagrees(&self) -> Option<Reason> {
        let faults = self.actions.faults();
        let more = faults.len().saturating_sub(1) as u64;
        faults.into_iter().next().map(|fault| Reason::LogDisagrees { fault, more })
    }
}

impl Inner {
    /// Refuses what leads to a run, or goes on with one, while the action log and the journal disagree.
    pub(super) fn log_allows(&self, command: &Command) -> Result<(), Refusal> {
        let Some(why) = self.shared.log_disagrees() else { return Ok(()) };
        match command {
            Command::Start { .. }
            | Command::Retry { .. }
            | Command::Verify { .. }
            | Command::Approve { .. }
            | Command::Resume { .. } => Err(Refusal::Denied(why)),
            Command::Decline { .. }
            | Command::Pause { .. }
            | Command::Cancel { .. }
            | Command::SetPace { .. }
            | Command::Resolve { .. }
            | Command::Reopen { .. }
            | Command::AdoptServer { .. }
            | Command::AcceptLog { .. }
            | Command::Evict { .. }
            | Command::Unlock { .. }
            | Command::Lock { .. }
            | Command::Take { .. }
            | Command::Deny { .. }
            | Command::ReloadPlans => Ok(()),
        }
    }

    /// A person accepts the log as it is now.
    pub(super) async fn accept_log(&self, reason: &str) -> Result<CommandOutcome, Refusal> {
        let reason = written(reason, "accept_log")?;
        let words: Vec<String> = self.shared.actions.faults().iter().map(LogFault::en).collect();
        let actions = Arc::clone(&self.shared.actions);
        let read = tokio::task::spawn_blocking(move || actions.acceptable()).await;
        let accepted = read.map_err(|e| StoreError::Read(e.to_string()))??;
        let Some(accepted) = accepted else { return Err(Refusal::Nothing(Reason::LogAgrees {})) };
        let events = vec![Event::LogWitnessed(Box::new(accepted))];
        let on_commit: OnCommit = Box::new(|inner| inner.shared.actions.accepted());
        Ok(CommandOutcome {
            events,
            note: words.join("; "),
            reason: Some(reason),
            on_commit: Some(on_commit),
            ..CommandOutcome::default()
        })
    }

    /// The line of somebody without a role: one a minute, with how often he knocked.
    pub(super) async fn log_stranger(&self, by: &Who) {
        let Some(n) = self.strangers.knock(by.uid, self.shared.clock.mono()) else { return };
        let result = format!("refused: user id {} has no role here; knocked {n} times", by.uid);
        let deed = Deed {
            phase: Phase::Refused,
            order: None,
            by: by.clone(),
            action: "attach".to_owned(),
            env: None,
            plan: None,
            plan_rev: None,
            run: None,
            set_hash: None,
            n,
            ids: Vec::new(),
            reason: None,
            code: Some("no_role".to_owned()),
            args: None,
            result: result.clone(),
        };
        let line = self.shared.log(deed).await.ok();
        let entry = ActionEntry {
            order: None,
            by: by.clone(),
            verb: "attach".to_owned(),
            run: None,
            plan: None,
            bills: n,
            reason: None,
            result,
            line,
            why: None,
        };
        let _ = self.shared.ledger.append(vec![Event::ActionTaken(Box::new(entry))]).await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stranger_costs_one_line_a_minute_however_often_he_knocks() {
        let strangers = Strangers::default();
        let knocks = |uid: u32, at: u64, n: usize| -> Vec<u64> {
            (0..n).filter_map(|_| strangers.knock(uid, Duration::from_secs(at))).collect()
        };
        assert_eq!(knocks(7, 0, 1000), [1]);
        assert_eq!(knocks(8, 1, 2), [1], "another one has a line of his own");
        assert!(knocks(7, 59, 1).is_empty());
        assert_eq!(knocks(7, 60, 3), [1001], "the ones that were not told are counted");
        // However many there are, what is remembered of them is bounded.
        let all: usize = (100..100 + 10_000).map(|uid| knocks(uid, 61, 1).len()).sum();
        assert_eq!(all, STRANGERS - 2 + 1, "two are known, and those beyond share one");
        assert_eq!(lock(&strangers.0).len(), STRANGERS + 1);
        assert_eq!(knocks(8, 121, 1), [2], "who was known stays known");
    }
}
