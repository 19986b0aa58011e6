//! The plans an engine knows, and how it comes to know them anew.
//!
//! Invariant: an order by a person is carried out under the plan as its file says it at that moment; whoever looks on is
//! told when that is another plan than before.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;

use super::command_outcome::bad_plan;
use super::control::{PlanEntry, RunControl, lock};
use super::dispatch::Dispatch;
use super::runner::{Job, Runner};
use super::{Found, Inner, PlanRead};
use crate::api::Notice;
use skydeck_core::domain::command::{Command, Order, Refusal, StartParams};
use skydeck_core::domain::ids::PlanId;
use skydeck_core::domain::listed;
use skydeck_core::domain::plan::Plan;
use skydeck_core::domain::query::{Look, PlanProblem};
use skydeck_core::domain::reason::Reason;
use skydeck_core::domain::run::Revision;
use skydeck_core::domain::who::Who;

fn entry((plan, hazards): PlanRead) -> PlanEntry {
    (plan.map(Arc::new), hazards)
}

fn id_of(entry: &PlanEntry) -> &PlanId {
    match &entry.0 {
        Ok(plan) => &plan.id,
        Err(problem) => &problem.id,
    }
}

/// A plan's text, and its mapping tables by the names that it gives them.
type Text<'a> = (&'a str, &'a [(String, String)]);

/// Longest wait for earlier readings of the same plan.
const TURN: Duration = Duration::from_secs(5);

/// Plans whose files did not answer when an order wanted them: nothing is started under them.
#[derive(Default)]
pub(super) struct Silent(Vec<PlanProblem>);

impl Silent {
    /// Refuses what would be started under a plan that could not be read.
    pub(super) fn check(&self, id: &PlanId) -> Result<(), Refusal> {
        match self.0.iter().find(|problem| problem.id == *id) {
            Some(problem) => Err(bad_plan(problem.clone())),
            None => Ok(()),
        }
    }
}

impl Inner {
    /// Reads the plans of an engine that starts. It starts without them too: its runs are kept with their plans.
    pub(super) async fn load_first(&self) {
        if let Err(problem) = self.reload().await {
            tracing::error!(why = %problem.message, "no plan could be read");
            *lock(&self.shared.plans) = Arc::from([(Err(problem), 0)]);
        }
    }

    /// Reads the plans anew. What is known of one that does not answer stays.
    pub(super) async fn reload(&self) -> Result<(), PlanProblem> {
        let source = Arc::clone(&self.shared.source);
        let read = tokio::task::spawn_blocking(move || source.load()).await;
        let read = read.map_err(|e| PlanProblem::new(PlanId::new("plans"), e.to_string()))??;
        let known = self.shared.plans();
        let known_or = |problem: PlanProblem| {
            let known = known.iter().find(|entry| *id_of(entry) == problem.id);
            known.cloned().unwrap_or((Err(problem), 0))
        };
        let plans = read.into_iter().filter_map(|found| match found {
            Found::Nothing => None,
            Found::Read(read) => Some(entry(*read)),
            Found::Silent(problem) => Some(known_or(problem)),
        });
        *lock(&self.shared.plans) = plans.collect();
        Ok(())
    }

    /// Reads the plans anew that an order is carried out under, before it has its turn: a file that does not answer holds
    /// up nobody else. A schedule's start keeps to the plan it was planned by.
    pub(super) async fn refresh_for(&self, order: &Order) -> Result<Silent, Refusal> {
        let ids = match &order.command {
            Command::Start { plan, .. } if !order.by.is_schedule() => vec![plan.clone()],
            Command::Retry { revision: Revision::Newest, .. } => {
                self.shared.plans().iter().map(|known| id_of(known).clone()).collect()
            }
            Command::ReloadPlans => {
                self.reload().await.map_err(bad_plan)?;
                Vec::new()
            }
            _ => Vec::new(),
        };
        let problems = futures_util::future::join_all(ids.iter().map(|id| self.refresh(id))).await;
        Ok(Silent(problems.into_iter().filter_map(Result::err).collect()))
    }

    /// Reads one plan's file anew, where it has one.
    ///
    /// # Errors
    /// It does not answer.
    pub(super) async fn refresh(&self, id: &PlanId) -> Result<(), PlanProblem> {
        let turn = Arc::clone(lock(&self.reading).entry(id.clone()).or_default());
        let read = match tokio::time::timeout(TURN, turn.lock()).await {
            Ok(_one) => self.read_anew(id).await,
            Err(_) => Err(PlanProblem::new(id.clone(), format!("{id}: its file does not answer; nothing was started"))),
        };
        // Kept only as long as somebody waits for it.
        let mut reading = lock(&self.reading);
        if reading.get(id).is_some_and(|kept| Arc::ptr_eq(kept, &turn) && Arc::strong_count(kept) == 2) {
            reading.remove(id);
        }
        read
    }

    async fn read_anew(&self, id: &PlanId) -> Result<(), PlanProblem> {
        let Some(reading) = self.shared.source.newest(id) else { return Ok(()) };
        let read = match tokio::task::spawn_blocking(reading).await {
            Ok(Found::Read(read)) => entry(*read),
            Ok(Found::Silent(problem)) => return Err(problem),
            Ok(Found::Nothing) | Err(_) => return Ok(()),
        };
        {
            let mut known = lock(&self.shared.plans);
            let place = known.iter().position(|entry| id_of(entry) == id);
            if place.and_then(|at| known.get(at)).is_some_and(|entry| *entry == read) {
                return Ok(());
            }
            let mut plans = known.to_vec();
            match place.and_then(|at| plans.get_mut(at)) {
                Some(entry) => *entry = read,
                None => plans.push(read),
            }
            *known = plans.into();
        }
        self.shared.ledger.tell(&Notice::PlansReloaded);
        Ok(())
    }

    /// Reads what a run of a plan would collect, and judges it: no fact, no call that writes, the mark stays.
    /// `text`: the plan itself with its mapping tables, in place of the one that is known by the name.
    pub(super) async fn preview(&self, id: &PlanId, params: &StartParams, text: Option<Text<'_>>) -> Look {
        let by = Who::engine(self.shared.owner);
        if let Err(why) = listed::check(&params.numbers) {
            return Look::Refused(Refusal::BadPlan(why));
        }
        let run = match self.looked_at(id, text).await {
            Ok(usable) => self.run_of_plan(usable, params, &by, true).await,
            Err(refusal) => Err(refusal),
        };
        let (head, plan, env, what) = match run {
            Ok(run) => run,
            Err(refusal) => return Look::Refused(refusal),
        };
        let (_orders, control) = watch::channel(RunControl::Go);
        let job = Job { head, plan, env, flags: Vec::new(), canary: false, headless: true, knock: false };
        Runner::new(Arc::clone(&self.shared), job, control, Arc::default()).look(what).await
    }

    /// The plan that a look is about, and where its bills are.
    async fn looked_at(&self, id: &PlanId, text: Option<Text<'_>>) -> Result<(Arc<Plan>, Arc<Dispatch>), Refusal> {
        if let Some(text) = text {
            let plan = given(id, text)?;
            let env = self.shared.callable(&plan, false)?;
            return Ok((plan, env));
        }
        self.refresh(id).await.map_err(bad_plan)?;
        self.shared.usable(id)
    }
}

/// A plan given as its file's text, which this engine does not keep.
fn given(id: &PlanId, (text, tables): Text<'_>) -> Result<Arc<Plan>, Refusal> {
    match skydeck_plan::read_beside(id.clone(), text, &tables) {
        Ok(file) => Ok(Arc::new(file.plan)),
        Err(error) => {
            let zh = Some(error.in_chinese());
            Err(Refusal::BadPlan(
                error.problem.reason().unwrap_or_else(|| Reason::PlanProblem { said: error.to_string(), zh }),
            ))
        }
    }
}
