//! Which revision of its plan a retry runs under: the newest, or the one its bills were last tried under.
//!
//! Invariant: a run of the original revision runs under the very plan the store keeps for it, never under one that only
//! resembles it; where the store keeps none, that is said and nothing is opened.

use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::sync::Arc;

use skydeck_core::domain::command::Refusal;
use skydeck_core::domain::ids::{EnvId, FormId, OpId, PlanId, PlanRev, RunId};
use skydeck_core::domain::plan::Plan;
use skydeck_core::domain::query::RevisionRow;
use skydeck_core::domain::reason::Reason;
use skydeck_core::domain::run::{BillRow, Revision, RunHead};
use skydeck_store::{Store, StoreError};

use super::control::{PlanEntry, Shared};
use super::dispatch::Dispatch;

/// Bills that one run can take up.
pub(super) struct Group {
    pub plan: PlanId,
    pub env: EnvId,
    pub form: FormId,
    /// What was to be done to them.
    pub op: OpId,
    /// The revision they were last tried under, where the retry is to run under it.
    pub rev: Option<PlanRev>,
    pub rows: Vec<BillRow>,
}

/// What bills of one run have in common.
type Together = (PlanId, EnvId, FormId, OpId, Option<PlanRev>);

/// The bills as runs can take them up, most bills of a plan first: a plan has one open run at a time.
pub(super) async fn groups(
    store: &dyn Store,
    rows: Vec<BillRow>,
    revision: Revision,
) -> Result<Vec<Group>, StoreError> {
    let mut revs = Revs::default();
    let mut groups: BTreeMap<Together, Vec<BillRow>> = BTreeMap::new();
    for row in rows {
        let rev = match revision {
            Revision::Newest => None,
            Revision::Original => revs.of(store, row.run).await?,
        };
        let (record, op) = (row.record(), row.key.op.clone());
        let key = (row.plan.clone(), record.env.clone(), record.form.clone(), op, rev);
        groups.entry(key).or_default().push(row);
    }
    let mut groups: Vec<Group> =
        groups.into_iter().map(|((plan, env, form, op, rev), rows)| Group { plan, env, form, op, rev, rows }).collect();
    groups.sort_by_key(|group| (group.plan.clone(), Reverse(group.rows.len())));
    Ok(groups)
}

/// What there is to choose from for these bills.
pub(super) async fn choices(
    store: &dyn Store,
    plans: &[PlanEntry],
    rows: &[BillRow],
) -> Result<Vec<RevisionRow>, StoreError> {
    let mut revs = Revs::default();
    let mut counts: BTreeMap<(&PlanId, PlanRev), u64> = BTreeMap::new();
    for row in rows {
        if let Some(rev) = revs.of(store, row.run).await? {
            *counts.entry((&row.plan, rev)).or_default() += 1;
        }
    }
    let mut choices = Vec::with_capacity(counts.len());
    for ((plan, original), bills) in counts {
        let usable = plans.iter().filter_map(|(plan, _)| plan.as_ref().ok());
        let newest = usable.filter(|p| p.id == *plan).map(|p| p.rev.clone()).next();
        let kept = newest.as_ref() == Some(&original) || store.plan_of(&original).await?.is_some();
        choices.push(RevisionRow { plan: plan.clone(), original, newest, kept, bills });
    }
    choices.sort_by_key(|row| Reverse(row.bills));
    Ok(choices)
}

/// Revisions of runs, each looked up once.
#[derive(Default)]
struct Revs(BTreeMap<RunId, Option<PlanRev>>);

impl Revs {
    async fn of(&mut self, store: &dyn Store, run: RunId) -> Result<Option<PlanRev>, StoreError> {
        if let Some(known) = self.0.get(&run) {
            return Ok(known.clone());
        }
        let rev = store.run(run).await?.map(|row| row.head.rev);
        self.0.insert(run, rev.clone());
        Ok(rev)
    }
}

impl Shared {
    /// A plan under one of its revisions (`None`: the newest), and the environment its bills are in.
    pub(super) async fn under(
        &self,
        id: &PlanId,
        rev: Option<&PlanRev>,
    ) -> Result<(Arc<Plan>, Arc<Dispatch>), Refusal> {
        let newest = self.current(id)?;
        let older = rev.is_some_and(|rev| *rev != newest.rev);
        let plan = match rev.filter(|rev| **rev != newest.rev) {
            None => newest,
            Some(rev) => {
                let Some(kept) = self.store.plan_of(rev).await? else {
                    let (plan, rev, newest) = (id.clone(), rev.clone(), newest.rev.clone());
                    return Err(Refusal::BadPlan(Reason::RevisionNotKept { plan, rev, newest }));
                };
                // The revision is the plan's meaning; id and name are the file's.
                Arc::new(Plan { id: newest.id.clone(), name: newest.name.clone(), rev: rev.clone(), ..kept })
            }
        };
        let env = self.callable(&plan, older)?;
        Ok((plan, env))
    }

    /// The plan an open run goes on with: the chosen revision, or the newest one.
    pub(super) async fn plan_of_run(&self, head: &RunHead) -> Result<(Arc<Plan>, Arc<Dispatch>), Refusal> {
        let rev = (head.revision == Revision::Original).then_some(&head.rev);
        self.under(&head.plan, rev).await
    }

    /// The head as its opening fact tells it: with the plan itself when the store does not keep this revision yet.
    pub(super) async fn told(&self, head: &RunHead, plan: &Plan) -> Result<RunHead, StoreError> {
        let kept = self.store.plan_of(&head.rev).await?.is_some();
        Ok(RunHead { text: (!kept).then(|| Box::new(plan.clone())), ..head.clone() })
    }
}
