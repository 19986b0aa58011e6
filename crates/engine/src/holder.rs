//! Whose a run is: whether a plan has one that is open, and whether this machine has it in its hands.

use skydeck_core::domain::command::Refusal;
use skydeck_core::domain::ids::{PlanId, RunId};
use skydeck_core::domain::reason::Reason;
use skydeck_core::domain::run::{RunRow, RunState};
use skydeck_store::StoreError;

use super::control::Shared;

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
