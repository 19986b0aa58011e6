//! Whose a run is: whether a plan has one that is open, and whether this machine has it in its hands.

use std::sync::Arc;

use skydeck_core::domain::command::Refusal;
use skydeck_core::domain::ids::{PlanId, RunId};
use skydeck_core::domain::query::Machines;
use skydeck_core::domain::reason::Reason;
use skydeck_core::domain::run::{RunRow, RunState};
use skydeck_store::StoreError;
use skydeck_store::hosts::Host;

use super::Inner;
use super::command_outcome::{CommandOutcome, OnCommit, written};
use super::control::Shared;

impl Inner {
    /// A machine does not count any more, whether it is alive or not.
    pub(super) async fn evict(&self, host: i32, reason: &str) -> Result<CommandOutcome, Refusal> {
        let reason = written(reason, "evict")?;
        let nobody = || Refusal::NotFound(Reason::NoHost { host });
        let hosts = self.shared.store.hosts().ok_or_else(nobody)?;
        if hosts.number() == host {
            return Err(Refusal::Denied(Reason::OwnHost {}));
        }
        let counts = |other: &Host| other.no == host && other.counts;
        let name = hosts.machines().await?.into_iter().find(counts).ok_or_else(nobody)?.name;
        let on_commit: OnCommit = Box::new(move |inner| {
            let shared = Arc::clone(&inner.shared);
            inner.tasks.spawn(async move {
                if let Some(hosts) = shared.store.hosts()
                    && let Err(error) = hosts.evict(host).await
                {
                    tracing::error!(host, %error, "a machine is not shown out");
                }
            });
        });
        let note = format!("{name}#{host}");
        Ok(CommandOutcome { note, reason: Some(reason), on_commit: Some(on_commit), ..CommandOutcome::default() })
    }
}

impl Shared {
    /// Refuses while the plan has an open run.
    pub(super) fn idle(&self, plan: &PlanId) -> Result<(), Refusal> {
        match self.ledger.live(|live| live.open_run_of(plan).map(|r| r.row.head.id)) {
            Some(run) => Err(Refusal::Busy(Reason::Busy { plan: plan.clone(), run })),
            None => Ok(()),
        }
    }

    /// Open runs that are in the hands of other machines, each with the name of its machine.
    pub(super) async fn elsewhere(&self) -> Result<Vec<(RunId, String)>, StoreError> {
        match self.store.hosts() {
            Some(hosts) => hosts.elsewhere().await,
            None => Ok(Vec::new()),
        }
    }

    /// The machines that write to the store, where there may be several.
    pub(super) async fn machines(&self) -> Result<Option<Machines>, StoreError> {
        let Some(hosts) = self.store.hosts() else { return Ok(None) };
        let counts = hosts.machines().await?.iter().filter(|host| host.counts && host.silent_secs <= 0).count();
        let count = u32::try_from(counts).unwrap_or(u32::MAX);
        Ok(Some(Machines { own: hosts.name().to_owned(), count, elsewhere: hosts.elsewhere().await? }))
    }

    /// The same, where it is in this machine's hands.
    pub(super) async fn run_here(&self, run: RunId) -> Result<RunRow, Refusal> {
        let row = self.open_run(run).await?;
        match self.elsewhere().await?.into_iter().find(|(of, _)| *of == run) {
            Some((_, host)) => {
                let host = Some(host).filter(|host| !host.is_empty());
                Err(Refusal::Denied(Reason::RunElsewhere { run, host }))
            }
            None => Ok(row),
        }
    }

    /// State and head of a run, or why it cannot be ordered about.
    pub(super) async fn open_run(&self, run: RunId) -> Result<RunRow, Refusal> {
        let row = match self.ledger.live(|live| live.runs.get(&run).map(|r| r.row.clone())) {
            Some(row) => Some(row),
            None => self.store.run(run).await?,
        };
        let row = row.ok_or(Refusal::NotFound(Reason::NoRun { run }))?;
        match &row.state {
            RunState::Closed(_) => Err(Refusal::WrongState(Reason::Closed { run })),
            _ => Ok(row),
        }
    }
}
