//! Asks the ERP about a bill that no run has read: by its number alone, and by its number under each plan's own filter.
//!
//! Invariant: reads only, leaves no trace, and asks for a number once of each form of each environment.

use std::collections::BTreeMap;
use std::sync::Arc;

use tokio::sync::watch;

use super::Inner;
use super::control::RunControl;
use super::runner::{Job, Runner};
use skydeck_core::domain::bill::Status;
use skydeck_core::domain::command::{Refusal, StartParams};
use skydeck_core::domain::ids::{EnvId, FormId, PlanId};
use skydeck_core::domain::plan::Plan;
use skydeck_core::domain::query::{Look, Preview};
use skydeck_core::domain::reach::{LONGEST, MOST_PLANS, PlanReach, Reach};
use skydeck_core::domain::who::Who;
use skydeck_plan::render;

/// Where a number means the same bill whichever plan asks: environment, form, column of the number.
type Place = (Option<EnvId>, FormId, String);

/// What asking by the number alone gave: whether it is there, and its status.
type There = Result<Option<Option<Status>>, Reach>;

impl Inner {
    /// What each plan says of a number.
    pub(super) async fn reach(&self, number: &str) -> Vec<PlanReach> {
        let number = number.trim().chars().take(LONGEST).collect::<String>();
        let plans = self.shared.plans();
        let usable = plans.iter().filter_map(|(plan, _)| plan.as_ref().ok()).take(MOST_PLANS);
        let (mut known, mut rows): (BTreeMap<Place, There>, _) = (BTreeMap::new(), Vec::new());
        for plan in usable {
            let place = (plan.env.clone(), plan.source.form.clone(), plan.source.number_path.clone());
            if !known.contains_key(&place) {
                let there = Box::pin(self.is_there(plan, &number)).await;
                known.insert(place.clone(), there);
            }
            let reach = match known.get(&place) {
                Some(Ok(Some(status))) => self.under_filter(plan, &number, status.clone()).await,
                Some(Ok(None)) | None => Reach::NotThere,
                Some(Err(reach)) => reach.clone(),
            };
            rows.push(PlanReach { plan: plan.id.clone(), name: plan.name.clone(), env: plan.env.clone(), reach });
        }
        rows
    }

    /// Asks by the number alone.
    async fn is_there(&self, plan: &Plan, number: &str) -> There {
        let mut bare = plan.clone();
        bare.source.filter = String::new();
        bare.source.condition = Vec::new();
        let found = self.asked(&plan.id, bare, number).await?;
        Ok((found.found > 0).then(|| found.collected.by_status.first().map(|(status, _)| status.clone())))
    }

    /// Asks by the number under the plan's own filter, without its mark.
    async fn under_filter(&self, plan: &Plan, number: &str, status: Option<Status>) -> Reach {
        match self.asked(&plan.id, plan.clone(), number).await {
            Ok(found) if found.found > 0 => Reach::Finds,
            Ok(found) => Reach::LeavesOut { filter: found.filter, status },
            Err(reach) => reach,
        }
    }

    async fn asked(&self, id: &PlanId, plan: Plan, number: &str) -> Result<Preview, Reach> {
        let refused = |why: Refusal| Reach::Refused(why);
        let wanted = render::by_number(&plan, &[number.to_owned()]);
        let wanted = wanted.map_err(|e| refused(super::orders::unrendered(&e)))?;
        let (_, env) = self.shared.usable(id).map_err(refused)?;
        let params = StartParams { sweep: true, numbers: vec![number.to_owned()], ..StartParams::default() };
        let by = Who::engine(self.shared.owner);
        let run = self.run_of_plan((Arc::new(plan), env), &params, &by, true).await;
        let (mut head, plan, env, what) = run.map_err(refused)?;
        // The ERP narrows: without this every bill of the plan would be read to find one.
        head.filter = if head.filter.trim().is_empty() { wanted } else { format!("({}) and {wanted}", head.filter) };
        let (_orders, control) = watch::channel(RunControl::Go);
        let job = Job { head, plan, env, flags: Vec::new(), canary: false, headless: true, knock: false };
        match Runner::new(Arc::clone(&self.shared), job, control, Arc::default()).look(what).await {
            Look::Found(preview) => Ok(*preview),
            Look::Failed(why) => Err(Reach::Failed(why)),
            Look::Refused(why) => Err(refused(why)),
        }
    }
}
