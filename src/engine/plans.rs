//! The plans an engine knows, and how it comes to know them anew.
//!
//! Invariant: an order by a person is carried out under the plan as its file says it at that moment; whoever looks on is
//! told when that is another plan than before.

use std::sync::Arc;

use tokio::sync::watch;

use super::control::{PlanEntry, Wish, lock};
use super::dispatch::Dispatch;
use super::orders::bad_plan;
use super::runner::{Job, Runner};
use super::{Inner, PlanRead};
use crate::domain::command::{Command, Order, Refusal, StartParams};
use crate::domain::ids::PlanId;
use crate::domain::plan::Plan;
use crate::domain::query::Look;
use crate::domain::run::Revision;
use crate::domain::who::Who;
use crate::link::Notice;

fn entry((plan, hazards): PlanRead) -> PlanEntry {
    (plan.map(Arc::new), hazards)
}

fn id_of(entry: &PlanEntry) -> &PlanId {
    match &entry.0 {
        Ok(plan) => &plan.id,
        Err(problem) => &problem.id,
    }
}

impl Inner {
    /// Reads the plans anew.
    pub(super) async fn reload(&self) -> Result<(), String> {
        let source = Arc::clone(&self.shared.source);
        let read = tokio::task::spawn_blocking(move || source.load()).await.map_err(|e| e.to_string())?;
        *lock(&self.shared.plans) = read.into_iter().map(entry).collect();
        Ok(())
    }

    /// Reads the plans anew that an order is carried out under. A schedule's start keeps to the plan it was planned by.
    pub(super) async fn refresh_for(&self, order: &Order) {
        match &order.command {
            Command::Start { plan, .. } if !order.by.is_schedule() => self.refresh(plan).await,
            Command::Retry { revision: Revision::Newest, .. } => {
                for known in self.shared.plans().iter() {
                    self.refresh(id_of(known)).await;
                }
            }
            _ => {}
        }
    }

    /// Reads one plan's file anew, where it has one.
    pub(super) async fn refresh(&self, id: &PlanId) {
        let Some(reading) = self.shared.source.newest(id) else { return };
        let Ok(Some(read)) = tokio::task::spawn_blocking(reading).await else { return };
        let read = entry(read);
        let known = self.shared.plans();
        let place = known.iter().position(|entry| id_of(entry) == id);
        if place.and_then(|at| known.get(at)).is_some_and(|entry| *entry == read) {
            return;
        }
        let mut plans = known.to_vec();
        match place.and_then(|at| plans.get_mut(at)) {
            Some(entry) => *entry = read,
            None => plans.push(read),
        }
        *lock(&self.shared.plans) = plans.into();
        self.shared.ledger.tell(&Notice::PlansReloaded);
    }

    /// Reads what a run of a plan would collect, and judges it: no fact, no call that writes, the mark stays.
    /// `text`: the plan itself, in place of the one that is known by the name.
    pub(super) async fn preview(&self, id: &PlanId, sweep: bool, text: Option<&str>) -> Look {
        let params = StartParams { sweep, ..StartParams::default() };
        let by = Who::engine(self.shared.owner);
        let run = match self.looked_at(id, text).await {
            Ok(usable) => self.run_of_plan(usable, &params, &by, true).await,
            Err(refusal) => Err(refusal),
        };
        let (head, plan, env, what) = match run {
            Ok(run) => run,
            Err(refusal) => return Look::Refused(refusal),
        };
        let (_wish, wished) = watch::channel(Wish::Go);
        let job = Job { head, plan, env, flags: Vec::new(), canary: false, headless: true, knock: false };
        Runner::new(Arc::clone(&self.shared), job, wished, Arc::default()).look(what).await
    }

    /// The plan that a look is about, and where its bills are.
    async fn looked_at(&self, id: &PlanId, text: Option<&str>) -> Result<(Arc<Plan>, Arc<Dispatch>), Refusal> {
        if let Some(text) = text {
            let plan = given(id, text)?;
            let env = self.shared.callable(&plan, false)?;
            return Ok((plan, env));
        }
        self.refresh(id).await;
        self.shared.usable(id)
    }
}

/// A plan given as its file's text, which this engine does not keep.
fn given(id: &PlanId, text: &str) -> Result<Arc<Plan>, Refusal> {
    match crate::plan::read(id.clone(), text) {
        Ok(file) => Ok(Arc::new(file.plan)),
        Err(problem) => Err(match &problem.reason {
            Some(reason) => Refusal::BadPlan((**reason).clone()),
            None => bad_plan(problem.to_string()),
        }),
    }
}
